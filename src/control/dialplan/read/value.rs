//! Single values: texts, durations, targets, expressions, paths.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Context;
use crate::control::dialplan::expr::{Expr, Path};
use crate::control::dialplan::plan::{Prompted, Target, Texts};
use crate::control::dialplan::problem::nearest;
use crate::control::dialplan::syntax::{Kind, Pair, Place, Yaml};
use crate::control::dialplan::template::Template;
use crate::control::words::Lang;

impl Context<'_> {
    /// A text (numbers are texts too).
    pub fn text(&mut self, yaml: &Yaml, what: &str) -> Option<String> {
        if let Some(text) = yaml.scalar() {
            return Some(text.to_owned());
        }
        let mend = if matches!(yaml.kind, Kind::Bool(_)) { "put it in quotes" } else { "write a text" };
        self.mend("D104", yaml.at, format!("{what} is {}, not a text", yaml.noun()), mend);
        None
    }

    /// A name as nodes, slots and lookups have: letters, digits, `_`, `-`.
    pub fn check_name(&mut self, name: &str, at: Place, what: &str) {
        let good = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        if !good {
            self.mend("D104", at, format!("'{name}' is no name for {what}"), "use letters, digits, _ and -");
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, yaml: &Yaml, what: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(yaml, what)?;
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let mend = match nearest(&text, words.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("one of {}", words.join(", ")),
        };
        self.mend("D104", yaml.at, format!("{what} cannot be '{text}'"), mend);
        None
    }

    /// A number within limits.
    pub fn number<T>(&mut self, yaml: &Yaml, what: &str, limits: std::ops::RangeInclusive<T>) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let number = yaml.scalar().and_then(|text| text.parse::<T>().ok());
        match number {
            Some(number) if limits.contains(&number) => Some(number),
            _ => {
                let mend = format!("a number from {} to {}", limits.start(), limits.end());
                self.mend("D104", yaml.at, format!("{what} is {}", shown(yaml)), mend);
                None
            }
        }
    }

    /// A share: `80%` or `0.8`.
    pub fn share(&mut self, yaml: &Yaml, what: &str) -> Option<f32> {
        let text = yaml.scalar().unwrap_or_default();
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f32>().ok().map(|percent| percent / 100.0),
            None => text.parse().ok(),
        };
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => Some(share),
            _ => {
                self.mend("D104", yaml.at, format!("{what} is {}", shown(yaml)), "a share: 80% or 0.8");
                None
            }
        }
    }

    /// A length of time: `1500ms`, `20s`, `4m`, `2h`, `7d`.
    pub fn duration(&mut self, yaml: &Yaml, what: &str) -> Option<Duration> {
        let parsed = yaml.scalar().and_then(parse_duration);
        if parsed.is_none() {
            self.mend("D104", yaml.at, format!("{what} is {}", shown(yaml)), "a length of time: 1500ms, 20s, 4m, 2h, 7d");
        }
        parsed
    }

    /// True or false.
    pub fn truth(&mut self, yaml: &Yaml, what: &str) -> Option<bool> {
        match yaml.kind {
            Kind::Bool(truth) => Some(truth),
            _ => {
                self.mend("D104", yaml.at, format!("{what} is {}", shown(yaml)), "true or false (YAML 1.2: yes and no are texts)");
                None
            }
        }
    }

    /// One text or a list of texts.
    pub fn texts_list(&mut self, yaml: &Yaml, what: &str) -> Vec<(String, Place)> {
        match &yaml.kind {
            Kind::List(items) => items.iter().filter_map(|item| Some((self.text(item, what)?, item.at))).collect(),
            Kind::Null => Vec::new(),
            _ => self.text(yaml, what).map(|text| (text, yaml.at)).into_iter().collect(),
        }
    }

    /// A list.
    pub fn list<'y>(&mut self, yaml: &'y Yaml, what: &str) -> &'y [Yaml] {
        match &yaml.kind {
            Kind::List(items) => items,
            _ => {
                self.mend("D104", yaml.at, format!("{what} is {}, not a list", yaml.noun()), "write [a, b] or lines with -");
                &[]
            }
        }
    }

    /// A text with variables.
    pub fn template(&mut self, yaml: &Yaml, what: &str) -> Option<Template> {
        let text = self.text(yaml, what)?;
        self.template_of(&text, yaml.at)
    }

    /// The same of a text at hand.
    pub fn template_of(&mut self, text: &str, at: Place) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => {
                self.seen.paths.extend(template.paths().map(|path| (path.clone(), at)));
                Some(template)
            }
            Err(error) => {
                self.mend(
                    "D106",
                    at,
                    format!("the text \"{text}\": {error}"),
                    "variables are {name}, {name.field}, {name:money|date|digits|titles}",
                );
                None
            }
        }
    }

    /// An expression.
    pub fn expr(&mut self, yaml: &Yaml) -> Option<Expr> {
        let text = match yaml.kind {
            Kind::Bool(truth) => truth.to_string(),
            _ => self.text(yaml, "a condition")?,
        };
        match Expr::parse(&text) {
            Ok(expr) => {
                self.seen.paths.extend(expr.paths().into_iter().map(|path| (path.clone(), yaml.at)));
                Some(expr)
            }
            Err(error) => {
                self.mend("D107", yaml.at, format!("the condition \"{text}\": {error}"), "as in: pay.status == \"paid\" and not late");
                None
            }
        }
    }

    /// A variable's path.
    pub fn path(&mut self, yaml: &Yaml, what: &str) -> Option<Path> {
        let text = self.text(yaml, what)?;
        match Path::parse(&text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.mend("D107", yaml.at, format!("{what} \"{text}\": {error}"), "a variable like customer.external_id");
                None
            }
        }
    }

    /// A node or a reserved word.
    pub fn target(&mut self, yaml: &Yaml, what: &str) -> Option<Target> {
        let text = self.text(yaml, what)?;
        let target = target_of(&text);
        self.seen.targets.push((target.clone(), yaml.at));
        Some(target)
    }

    /// Texts by language, or one text for a plan of one language.
    pub fn texts(&mut self, yaml: &Yaml, what: &str) -> Texts {
        let mut texts = Texts::default();
        match &yaml.kind {
            Kind::Map(pairs) => {
                for pair in pairs {
                    self.text_of_lang(pair, what, &mut texts);
                }
            }
            _ => {
                if let (Some(template), Some(lang)) = (self.template(yaml, what), self.languages.first().cloned()) {
                    texts.by_lang.insert(lang, template);
                }
            }
        }
        self.check_languages(texts.by_lang.keys().cloned().collect(), yaml.at, what);
        self.check_lengths(&texts, yaml.at, what);
        let langs = texts.by_lang.keys().cloned().collect();
        self.seen.prompts.push(Prompted { id: texts.id.clone(), langs, line: yaml.at.line, column: yaml.at.column });
        texts
    }

    fn text_of_lang(&mut self, pair: &Pair, what: &str, texts: &mut Texts) {
        if pair.key == "id" {
            texts.id = self.text(&pair.value, "a prompt's id");
            return;
        }
        if let Some(lang) = self.lang_key(pair, what)
            && let Some(template) = self.template(&pair.value, what)
        {
            texts.by_lang.insert(lang, template);
        }
    }

    /// A language key that the plan declares.
    pub fn lang_key(&mut self, pair: &Pair, what: &str) -> Option<Lang> {
        if let Some(lang) = self.languages.iter().find(|lang| *lang.0 == *pair.key) {
            return Some(lang.clone());
        }
        let names: Vec<String> = self.languages.iter().map(ToString::to_string).collect();
        let mend = match nearest(&pair.key, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("languages of this plan: {}", names.join(", ")),
        };
        self.mend("D110", pair.at, format!("{what} knows no key '{}': no language of this plan", pair.key), mend);
        None
    }

    /// D150: a text that takes too long to say.
    fn check_lengths(&mut self, texts: &Texts, at: Place, what: &str) {
        const LONGEST_SECONDS: usize = 20;
        /// Characters a second at the usual pace.
        const PACE_ZH: usize = 5;
        const PACE_LATIN: usize = 16;
        for (lang, text) in &texts.by_lang {
            let pace = if lang.speech() == "zh" { PACE_ZH } else { PACE_LATIN };
            let seconds = text.fixed_chars() / pace;
            if seconds > LONGEST_SECONDS {
                self.warn(
                    "D150",
                    at,
                    format!("{what} takes about {seconds} s to say in {lang}"),
                    "say less, or in parts with a question between",
                );
            }
        }
    }

    /// D151: a text that a declared language lacks.
    pub fn check_languages(&mut self, present: Vec<Lang>, at: Place, what: &str) {
        let missing: Vec<String> = self.languages.iter().filter(|lang| !present.contains(lang)).map(ToString::to_string).collect();
        if !missing.is_empty() && !present.is_empty() {
            let list = missing.join(", ");
            self.warn("D151", at, format!("{what} has no text in {list}"), format!("add {}: \"…\"", missing[0]));
        }
    }

    /// Lists of sentences by language.
    pub fn sentences(&mut self, yaml: &Yaml, what: &str) -> BTreeMap<Lang, Vec<String>> {
        let mut sentences = BTreeMap::new();
        let Kind::Map(pairs) = &yaml.kind else {
            self.mend(
                "D104",
                yaml.at,
                format!("{what} are {}, not a map of languages", yaml.noun()),
                "write {zh-CN: [句子], en-US: [a sentence]}",
            );
            return sentences;
        };
        for pair in pairs {
            if let Some(lang) = self.lang_key(pair, what) {
                sentences.insert(lang, self.texts_list(&pair.value, what).into_iter().map(|(text, _)| text).collect());
            }
        }
        sentences
    }

    /// `${NAME}` replaced by its value; names without a value are returned too.
    pub fn environment(&mut self, text: &str, at: Place) -> (String, Vec<String>) {
        let mut out = String::new();
        let mut missing = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                self.mend("D106", at, format!("\"{text}\": '}}' is missing after '${{'"), "write ${NAME}");
                return (out, missing);
            };
            let name = &rest[start + 2..start + length];
            match self.env.get(name) {
                Some(value) => out.push_str(&value.replace('{', "{{")),
                None => missing.push(name.to_owned()),
            }
            rest = &rest[start + length + 1..];
        }
        out.push_str(rest);
        (out, missing)
    }
}

fn shown(yaml: &Yaml) -> String {
    yaml.scalar().map_or_else(|| yaml.noun().to_owned(), |text| format!("'{text}'"))
}

/// The reserved word or the node of this name.
#[must_use]
pub fn target_of(text: &str) -> Target {
    match text {
        "human" => Target::Human,
        "back" => Target::Back,
        "repeat" => Target::Repeat,
        "keys" => Target::Keys,
        "end" => Target::End,
        name => Target::Node(name.to_owned()),
    }
}

/// Parses `1500ms`, `20s`, `4m`, `2h`, `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    const LONGEST_DAYS: f64 = 366.0;
    const DAY: f64 = 86_400.0;
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..end].trim().parse().ok()?;
    let unit = match &text[end..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => DAY,
        _ => return None,
    };
    let seconds = number * unit;
    (0.0..=LONGEST_DAYS * DAY).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

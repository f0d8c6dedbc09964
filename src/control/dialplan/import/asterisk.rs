//! extensions.conf as a plan: each extension that is reached becomes a node.

use std::collections::BTreeSet;

use super::condition::{condition, opening, slot_name, template};
use super::conf::{Conf, Priority, parse};
use super::join::{Joined, join};
use super::{Imported, Sketch, Wanted, name_of, quoted, texts, words_of_file};
use crate::control::dialplan::load::Source;
use crate::control::dialplan::problem::{Problem, Severity};

/// Where a search through includes ends.
const DEEPEST_INCLUDE: usize = 16;
/// Contexts where calls usually come in.
const ENTRIES: [&str; 6] = ["from-trunk", "from-pstn", "from-external", "incoming", "inbound", "default"];
/// They say or do nothing that a caller notices.
const SILENT: [&str; 14] = [
    "answer",
    "noop",
    "verbose",
    "ringing",
    "progress",
    "proceeding",
    "log",
    "resetcdr",
    "nocdr",
    "cdr",
    "userevent",
    "celgenuserevent",
    "incomplete",
    "exitwhile",
];

/// Turns a file, and those of the others that it includes, into a plan.
///
/// # Errors
/// When there is no context to begin with, or the plan that comes out has errors that cannot be mended here.
pub fn asterisk(files: &[Source], wanted: &Wanted) -> Result<Imported, Vec<Problem>> {
    let joined = join(files);
    let conf = parse(&joined.text);
    let Some((context, exten)) = entry(&conf, wanted) else {
        let known = conf.order.join(", ");
        return Err(vec![Problem {
            id: "D105",
            severity: Severity::Error,
            file: files.first().map(|file| file.name.clone()).unwrap_or_default(),
            line: 1,
            column: 1,
            what: "there is no context with extensions to begin with".to_owned(),
            mend: Some(format!("name one with --context; there are: {known}")),
        }]);
    };
    let mut work = Work {
        files,
        joined: &joined,
        lang: &wanted.lang,
        known: BTreeSet::new(),
        set: BTreeSet::new(),
        subs: BTreeSet::new(),
        open: Vec::new(),
        sketch: Sketch::default(),
        conf: &conf,
    };
    for (line, text) in &conf.unread {
        work.note(*line, format!("left out: {text}"));
    }
    for (file, line, name) in &joined.missing {
        let what = format!("left out: #include {name}, which is not among the files, or includes itself");
        work.sketch.note(&files[*file].name, *line, what);
    }
    work.subroutines();
    work.variables();
    work.begin(&context, &exten);
    while let Some(place) = work.open.pop() {
        work.node(&place);
    }
    work.begin_with_variables();
    work.left_behind(&context);
    work.sketch.finish(wanted)
}

/// The context and extension where calls come in.
fn entry(conf: &Conf, wanted: &Wanted) -> Option<(String, String)> {
    let usable = |name: &str| conf.contexts.get(name).filter(|context| !context.extens.is_empty()).map(|_| name.to_owned());
    let has_s = |name: &&String| conf.contexts[*name].extens.iter().any(|(exten, _)| exten == "s");
    let context = match &wanted.entry {
        Some(name) => usable(name)?,
        None => {
            let usual = ENTRIES.iter().find_map(|name| usable(name));
            usual.or_else(|| conf.order.iter().find(has_s).cloned()).or_else(|| conf.order.iter().find_map(|name| usable(name)))?
        }
    };
    let extens = &conf.contexts[&context].extens;
    let first = extens.iter().filter(|(_, steps)| !steps.is_empty()).min_by_key(|(_, steps)| steps[0].line);
    let exten = if has_s(&&context) { "s".to_owned() } else { first?.0.clone() };
    Some((context, exten))
}

/// Does it call an extension that comes back?
fn is_call(app: &str) -> bool {
    matches!(app, "gosub" | "macro")
}

/// A priority: context, extension, index.
type Place = (String, String, usize);

/// Does the node go on behind a priority?
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Ends,
}

struct Work<'c> {
    files: &'c [Source],
    joined: &'c Joined,
    lang: &'c str,
    /// Variables that the plan has.
    known: BTreeSet<String>,
    /// Those of them that are set, not asked for.
    set: BTreeSet<String>,
    /// Extensions that Gosub and Macro call, by context: their Return leads back.
    subs: BTreeSet<(String, String)>,
    open: Vec<Place>,
    sketch: Sketch,
    conf: &'c Conf,
}

impl Work<'_> {
    fn note(&mut self, line: usize, what: impl Into<String>) {
        let (file, line) = self.joined.origin(line);
        let name = self.files.get(file).map(|file| file.name.clone()).unwrap_or_default();
        self.sketch.note(&name, line, what);
    }

    /// All variables that are read or set anywhere.
    fn variables(&mut self) {
        for step in self.conf.contexts.values().flat_map(|context| &context.extens).flat_map(|(_, steps)| steps) {
            match (step.app.as_str(), step.args.first()) {
                ("read", Some(name)) => drop(self.known.insert(slot_name(name))),
                ("set", Some(pair)) => {
                    let name = pair.split('=').next().unwrap_or_default();
                    if !name.is_empty() && !name.contains('(') {
                        self.set.insert(slot_name(name));
                    }
                }
                _ => {}
            }
        }
        self.set = self.set.difference(&self.known).cloned().collect();
        self.known.extend(self.set.iter().cloned());
    }

    /// Extensions that are called and come back, with what they are called with.
    fn subroutines(&mut self) {
        let all =
            self.conf.contexts.iter().flat_map(|(context, found)| found.extens.iter().map(move |(exten, steps)| (context, exten, steps)));
        let mut calls = Vec::new();
        for (context, exten, steps) in all {
            for step in steps.iter().filter(|step| is_call(&step.app)) {
                let (place, given) = steps::called(step, context, exten);
                let found = self.find(&place.0, &place.1, DEEPEST_INCLUDE);
                calls.extend(found.map(|found| (found, given.len())));
            }
        }
        for (place, given) in calls {
            self.subs.insert(place);
            self.set.extend((1..=given).map(steps::argument));
        }
    }

    fn begin(&mut self, context: &str, exten: &str) {
        let numbers: Vec<String> = self.conf.contexts[context]
            .extens
            .iter()
            .map(|(exten, _)| exten.trim_start_matches('+').to_owned())
            .filter(|exten| exten.len() >= 3 && exten.chars().all(|c| c.is_ascii_digit()))
            .collect();
        let place = (context.to_owned(), exten.to_owned(), 0);
        self.sketch.start = self.reach(&place);
        if exten.chars().all(|c| c.is_ascii_digit()) && exten.len() >= 3 {
            self.sketch.numbers.push(exten.to_owned());
            for other in numbers.iter().filter(|number| *number != exten) {
                let line = self.conf.contexts[context].line;
                self.note(
                    line,
                    format!("number {other} of [{context}] is left out: a plan has one beginning; import it as a plan of its own"),
                );
            }
        } else if numbers.is_empty() {
            let line = self.conf.contexts[context].line;
            self.note(line, format!("which numbers lead into [{context}] is not in the file: add numbers: [\"…\"]"));
        } else {
            self.sketch.numbers = numbers;
        }
    }

    /// Variables are known from the beginning, though empty.
    fn begin_with_variables(&mut self) {
        let used = |name: &String| self.sketch.nodes.values().flatten().any(|step| step.contains(name.as_str()));
        let pairs: Vec<String> = self.set.iter().filter(|name| used(name)).map(|name| format!("{name}: \"\"")).collect();
        if !pairs.is_empty() {
            let steps = vec![format!("set: {{{}}}", pairs.join(", ")), format!("goto: {}", self.sketch.start)];
            let name = name_of(&["begin"]);
            self.sketch.nodes.insert(name.clone(), steps);
            self.sketch.start = name;
        }
    }

    fn left_behind(&mut self, entry: &str) {
        for name in self.conf.order.clone() {
            let prefix = format!("{}_", name_of(&[&name]));
            if self.sketch.nodes.keys().all(|node| !node.starts_with(&prefix)) {
                let line = self.conf.contexts[&name].line;
                self.note(
                    line,
                    format!("context [{name}] is left out: nothing leads to it from [{entry}]; --context {name} imports it by itself"),
                );
            }
        }
    }

    /// The node of a place, which is translated later.
    fn reach(&mut self, place: &Place) -> String {
        let (context, exten, index) = place;
        let steps = self.steps(context, exten);
        let label = steps.get(*index).and_then(|step| step.label.clone());
        let suffix = if *index == 0 { String::new() } else { label.unwrap_or_else(|| (index + 1).to_string()) };
        let name = name_of(&[context, exten, &suffix]);
        if !self.sketch.nodes.contains_key(&name) {
            self.sketch.nodes.insert(name.clone(), Vec::new());
            self.open.push(place.clone());
        }
        name
    }

    fn steps(&self, context: &str, exten: &str) -> Vec<Priority> {
        let found = self.conf.contexts.get(context).and_then(|context| context.extens.iter().find(|(name, _)| name == exten));
        found.map(|(_, steps)| steps.clone()).unwrap_or_default()
    }

    /// An extension in a context and those it includes; a number may fit a pattern.
    fn find(&self, context: &str, exten: &str, depth: usize) -> Option<(String, String)> {
        let found = self.conf.contexts.get(context)?;
        let fits = |name: &&String| **name == exten || super::asterisk::fits(name, exten);
        let exact = found.extens.iter().map(|(name, _)| name).find(|name| **name == exten);
        if let Some(name) = exact.or_else(|| found.extens.iter().map(|(name, _)| name).find(fits)) {
            return Some((context.to_owned(), name.clone()));
        }
        if depth == 0 {
            return None;
        }
        found.includes.iter().find_map(|(name, _)| self.find(name, exten, depth - 1))
    }

    /// `label`, `exten,label` or `context,exten,label`.
    fn target(&mut self, text: &[String], here: &Place, line: usize) -> String {
        let (context, exten, priority) = match text {
            [priority] => (here.0.clone(), here.1.clone(), priority.clone()),
            [exten, priority] => (here.0.clone(), exten.clone(), priority.clone()),
            [context, exten, priority] => (context.clone(), exten.clone(), priority.clone()),
            _ => (String::new(), String::new(), String::new()),
        };
        if exten.contains('$') {
            self.note(line, format!("the way to {} is known only in a call: it leads to the end", text.join(",")));
            return "end".to_owned();
        }
        let Some((context, exten)) = self.find(&context, &exten, DEEPEST_INCLUDE) else {
            self.note(line, format!("{} is nowhere in the file: it leads to the end", text.join(",")));
            return "end".to_owned();
        };
        let steps = self.steps(&context, &exten);
        let by_number = |step: &Priority| priority.parse::<usize>().is_ok_and(|number| step.number == number);
        match steps.iter().position(|step| step.label.as_deref() == Some(priority.as_str()) || by_number(step)) {
            Some(index) => self.reach(&(context, exten, index)),
            None => {
                self.note(line, format!("{exten} of [{context}] has no priority {priority}: it leads to the end"));
                "end".to_owned()
            }
        }
    }

    fn node(&mut self, place: &Place) {
        let name = self.reach(place);
        let steps = self.steps(&place.0, &place.1);
        let mut out = Vec::new();
        let mut prompts: Vec<String> = Vec::new();
        let mut ended = false;
        for (index, step) in steps.iter().enumerate().skip(place.2) {
            if index > place.2 && step.label.is_some() {
                let next = self.reach(&(place.0.clone(), place.1.clone(), index));
                self.say(&mut prompts, &mut out);
                out.push(format!("goto: {next}"));
                ended = true;
                break;
            }
            let here = (place.0.clone(), place.1.clone(), index);
            if self.step(step, &here, steps.len() - index - 1, &mut prompts, &mut out) == Flow::Ends {
                ended = true;
                break;
            }
        }
        if !ended && !prompts.is_empty() {
            ended = self.menu(place, &mut prompts, &mut out);
        }
        if !ended {
            self.say(&mut prompts, &mut out);
            // A macro comes back at its end; everything else hangs up there.
            out.push(if self.is_macro(place) { "clear: []" } else { "hangup: ~" }.to_owned());
        }
        self.sketch.nodes.insert(name, out);
    }

    fn is_macro(&self, place: &Place) -> bool {
        place.0.starts_with(steps::MACRO) && self.subs.contains(&(place.0.clone(), place.1.clone()))
    }

    /// Prompts that no menu took.
    fn say(&mut self, prompts: &mut Vec<String>, out: &mut Vec<String>) {
        for file in prompts.drain(..) {
            out.push(format!("say: {}", texts(Some(&file), self.lang, &words_of_file(&file))));
        }
    }

    /// The extensions of one to four keys as the options of a menu; `false` when there are none.
    fn menu(&mut self, place: &Place, prompts: &mut Vec<String>, out: &mut Vec<String>) -> bool {
        let options = self.options(&place.0, DEEPEST_INCLUDE);
        if options.is_empty() {
            return false;
        }
        let words: Vec<String> = prompts.iter().map(|file| words_of_file(file)).collect();
        let id = prompts.first().cloned();
        prompts.clear();
        let mut parts = Vec::new();
        for (key, context, steps) in options {
            let label = label(&key, &steps);
            let line = steps.first().map_or(0, |step| step.line);
            self.note(
                line,
                format!("the label \"{label}\" of key {key} is guessed: write what callers call it, and examples of what they say"),
            );
            let target = self.reach(&(context, key.clone(), 0));
            parts.push(format!("{{key: \"{key}\", goto: {target}, label: {}}}", texts(None, self.lang, &label)));
        }
        let prompt = if words.is_empty() { "Please choose.".to_owned() } else { words.join(". ") };
        out.push(format!("menu: {{prompt: {}, options: [{}]}}", texts(id.as_deref(), self.lang, &prompt), parts.join(", ")));
        self.fallbacks(&place.0);
        true
    }

    fn options(&self, context: &str, depth: usize) -> Vec<(String, String, Vec<Priority>)> {
        let Some(found) = self.conf.contexts.get(context) else { return Vec::new() };
        let is_key = |exten: &str| (1..=4).contains(&exten.len()) && exten.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#');
        let own = found.extens.iter().filter(|(exten, _)| is_key(exten));
        let mut options: Vec<_> = own.map(|(exten, steps)| (exten.clone(), context.to_owned(), steps.clone())).collect();
        if depth > 0 {
            for (name, _) in &found.includes {
                let more = self.options(name, depth - 1);
                options.extend(more.into_iter().filter(|(key, ..)| found.extens.iter().all(|(exten, _)| exten != key)));
            }
        }
        options.sort_by(|left, right| left.0.cmp(&right.0));
        options.dedup_by(|left, right| left.0 == right.0);
        options
    }

    /// `t` and `i` of the menu's context: a plan has one ladder for all menus.
    fn fallbacks(&mut self, context: &str) {
        for (exten, setting) in [("t", "no_input: {tries: 1, then: "), ("i", "no_match: {tries: 2, then: ")] {
            let steps = self.steps(context, exten);
            let Some(first) = steps.first() else { continue };
            if self.sketch.defaults.iter().any(|known| known.starts_with(&setting[..8])) {
                self.note(first.line, format!("{exten} of [{context}] is left out: a plan has one ladder for silence and one for wrong keys, and another context has it"));
                continue;
            }
            let target = self.reach(&(context.to_owned(), exten.to_owned(), 0));
            self.sketch.defaults.push(format!("{setting}{target}}}"));
        }
        let patterns: Vec<(String, usize)> = self.conf.contexts[context]
            .extens
            .iter()
            .filter(|(exten, _)| exten.starts_with('_'))
            .map(|(exten, steps)| (exten.clone(), steps.first().map_or(0, |step| step.line)))
            .collect();
        for (pattern, line) in patterns {
            self.note(line, format!("pattern {pattern} of [{context}] is left out: a menu has keys of its own; ask for a slot of digits where numbers are dialled"));
        }
    }
}

/// Whether a number fits a pattern: X 0-9, Z 1-9, N 2-9, `[1-5]`, `.` and `!` the rest.
pub(super) fn fits(pattern: &str, number: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix('_') else { return false };
    let mut digits = number.chars();
    let mut signs = pattern.chars().filter(|c| *c != '-' && *c != ' ');
    while let Some(sign) = signs.next() {
        match sign {
            '.' => return digits.next().is_some(),
            '!' => return true,
            _ => {}
        }
        let Some(digit) = digits.next() else { return false };
        let good = match sign {
            'X' | 'x' => digit.is_ascii_digit(),
            'Z' | 'z' => ('1'..='9').contains(&digit),
            'N' | 'n' => ('2'..='9').contains(&digit),
            '[' => signs.by_ref().take_while(|c| *c != ']').any(|c| c == digit),
            sign => sign == digit,
        };
        if !good {
            return false;
        }
    }
    digits.next().is_none()
}

/// What an option is for, as far as its extension tells.
fn label(key: &str, steps: &[Priority]) -> String {
    for step in steps {
        let first = step.args.first().cloned().unwrap_or_default();
        match step.app.as_str() {
            "queue" | "voicemail" => return words_of_file(&first),
            "goto" if step.args.len() == 3 => return words_of_file(&first),
            "playback" | "background" => return words_of_file(&first),
            "dial" => return first.rsplit('/').next().unwrap_or(&first).replace(['$', '{', '}'], ""),
            _ => {}
        }
    }
    format!("key {key}")
}

mod steps;

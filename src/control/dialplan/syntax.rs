//! Strict YAML 1.2 (core schema) with places kept: duplicate keys, anchors, tags and unquoted prose are errors.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::mend;
use super::problem::{Problem, Severity};

/// The largest file in bytes.
pub const MAX_BYTES: usize = 1_000_000;
/// The deepest nesting of maps and lists.
const MAX_DEPTH: usize = 48;

/// A place in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A piece of a document.
#[derive(Clone, PartialEq, Debug)]
pub struct Yaml {
    /// Where it begins.
    pub at: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a piece is.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// `~`, `null` or nothing.
    Null,
    /// `true`, `false`; nothing else is a boolean.
    Bool(bool),
    /// An unquoted number, as written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Yaml>),
    /// A map in its order.
    Map(Vec<Pair>),
}

/// A key with its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Place,
    /// The value.
    pub value: Yaml,
}

impl Yaml {
    /// The word for what it is, for messages.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true/false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Text or number as text.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        match &self.kind {
            Kind::Map(pairs) => pairs.iter().find(|pair| pair.key == key).map(|pair| &pair.value),
            _ => None,
        }
    }
}

/// Parses one document.
pub fn parse(file: &str, text: &str) -> Result<Yaml, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reading = Reading { file, lines: text.lines().collect(), stack: Vec::new(), root: None, problems: Vec::new() };
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes; the limit is {MAX_BYTES}", text.len());
        reading.report("D103", Place { line: 1, column: 1 }, what, Some("make two plans of it".to_owned()));
        return Err(reading.problems);
    }
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if reading.event(event, span).is_none() {
                    break;
                }
            }
            Err(error) => {
                reading.scan_error(&error);
                break;
            }
        }
    }
    match reading.root {
        Some(root) if reading.problems.is_empty() => Ok(root),
        _ => {
            if reading.problems.is_empty() {
                let mend = Some("begin with dialplan: 1".to_owned());
                reading.report("D100", Place { line: 1, column: 1 }, "the file is empty".to_owned(), mend);
            }
            Err(reading.problems)
        }
    }
}

/// A container that is still open.
enum Open {
    List { at: Place, items: Vec<Yaml> },
    Map { at: Place, flow: Flow, pairs: Vec<Pair>, key: Option<(String, Place, Marker)>, last: Option<(Marker, Marker)> },
}

/// Is a map written in braces, in lines, or as a bare pair in a flow list?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Braces,
    Lines,
}

struct Reading<'t> {
    file: &'t str,
    lines: Vec<&'t str>,
    stack: Vec<Open>,
    root: Option<Yaml>,
    problems: Vec<Problem>,
}

fn place(mark: &Marker) -> Place {
    Place { line: mark.line().max(1), column: mark.col() + 1 }
}

impl Reading<'_> {
    fn report(&mut self, id: &'static str, at: Place, what: String, mend: Option<String>) {
        let file = self.file.to_owned();
        self.problems.push(Problem { id, severity: Severity::Error, file, line: at.line, column: at.column, what, mend });
    }

    /// `None` ends the reading: the rest would make no sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = place(&span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) if self.root.is_none() => Some(()),
            Event::DocumentStart(_) => {
                self.stop("D100", at, "a file holds one document; '---' begins a second one", "make two files of it")
            }
            Event::Alias(_) => self.stop("D102", at, "'*' begins an alias, and there are none here", "put it in quotes: \"*\""),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), at)?;
                self.scalar(text.into_owned(), style, span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), at)?;
                self.open(Open::List { at, items: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.is_some(), at)?;
                self.open_map(span, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn stop(&mut self, id: &'static str, at: Place, what: &str, mend: &str) -> Option<()> {
        self.report(id, at, what.to_owned(), Some(mend.to_owned()));
        None
    }

    fn refuse_decoration(&mut self, anchor: usize, tagged: bool, at: Place) -> Option<()> {
        if anchor != 0 {
            return self.stop("D102", at, "'&' begins an anchor, and there are none here", "put the text in quotes, or write it out");
        }
        if tagged {
            return self.stop("D102", at, "'!' begins a tag, and there are none here", "put the text in quotes");
        }
        Some(())
    }

    fn open(&mut self, open: Open) -> Option<()> {
        let at = match &open {
            Open::List { at, .. } | Open::Map { at, .. } => *at,
        };
        if self.stack.len() >= MAX_DEPTH {
            return self.stop("D103", at, "maps and lists are nested too deeply", "put parts into nodes or menus of their own");
        }
        if let Some(Open::Map { key: None, .. }) = self.stack.last() {
            return self.stop("D101", at, "a key must be a text", "put text that begins with '{' or '[' in quotes");
        }
        self.stack.push(open);
        Some(())
    }

    fn open_map(&mut self, span: Span, at: Place) -> Option<()> {
        let first = self.char_at(&span.start);
        let flow = if first == Some('{') { Flow::Braces } else { Flow::Lines };
        let in_flow_list = matches!(self.stack.last(), Some(Open::List { at: list, .. }) if self.char_of(*list) == Some('['));
        if flow == Flow::Lines && in_flow_list {
            let mend = mend::line(self.line(at.line)).or_else(|| Some("put the text in quotes".to_owned()));
            self.report("D101", at, "text with ': ' in a list must be quoted".to_owned(), mend);
            return None;
        }
        self.open(Open::Map { at, flow, pairs: Vec::new(), key: None, last: None })
    }

    fn line(&self, line: usize) -> &str {
        self.lines.get(line.saturating_sub(1)).copied().unwrap_or("")
    }

    fn char_at(&self, mark: &Marker) -> Option<char> {
        self.char_of(place(mark))
    }

    fn char_of(&self, at: Place) -> Option<char> {
        self.line(at.line).chars().nth(at.column - 1)
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, span: Span) -> Option<()> {
        let at = place(&span.start);
        if let Some(Open::Map { key: slot @ None, .. }) = self.stack.last_mut() {
            *slot = Some((text, at, span.start));
            return Some(());
        }
        let kind = if style == ScalarStyle::Plain { typed(text) } else { Kind::Text(text) };
        self.put(Yaml { at, kind }, span)
    }

    fn close(&mut self, span: Span) -> Option<()> {
        match self.stack.pop()? {
            Open::List { at, items } => self.put(Yaml { at, kind: Kind::List(items) }, span),
            Open::Map { at, pairs, .. } => self.put(Yaml { at, kind: Kind::Map(pairs) }, span),
        }
    }

    /// Does a comma or the closing brace follow the key at once?
    fn has_no_colon(&self, key: &str, at: Place) -> bool {
        let mut rest = self.line(at.line).chars().skip(at.column - 1 + key.chars().count()).skip_while(|c| *c == ' ');
        matches!(rest.next(), None | Some(',' | '}'))
    }

    fn put(&mut self, value: Yaml, span: Span) -> Option<()> {
        let lone = value.kind == Kind::Null
            && matches!(self.stack.last(), Some(Open::Map { flow: Flow::Braces, key: Some((key, at, _)), .. }) if self.has_no_colon(key, *at));
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(value);
            return Some(());
        };
        match open {
            Open::List { items, .. } => {
                items.push(value);
                Some(())
            }
            Open::Map { pairs, key, last, .. } => {
                let (key, at, _) = key.take()?;
                let before = last.replace((span.start, span.end));
                let double = pairs.iter().find(|pair| pair.key == key).map(|pair| pair.at.line);
                pairs.push(Pair { key: key.clone(), at, value });
                if lone {
                    return self.bare_key(&key, at, before);
                }
                match double {
                    None => Some(()),
                    Some(line) => {
                        self.report(
                            "D102",
                            at,
                            format!("the key '{key}' stands twice; the first is on line {line}"),
                            Some("keep one".to_owned()),
                        );
                        Some(())
                    }
                }
            }
        }
    }

    /// `{zh-CN: Hello, world}`: what stands after the comma became a key without a value.
    fn bare_key(&mut self, key: &str, at: Place, before: Option<(Marker, Marker)>) -> Option<()> {
        let line = self.line(at.line);
        let mend = match before {
            Some((from, _)) if from.line() == at.line => mend::quote(line, from.col(), at.column - 1 + key.chars().count()),
            _ => mend::line(line),
        };
        let mend = mend.or_else(|| Some("put the text in quotes".to_owned()));
        self.report("D101", at, format!("text with ',' must be quoted in braces: '{key}' became a key of its own"), mend);
        None
    }

    fn scan_error(&mut self, error: &ScanError) {
        let at = place(error.marker());
        let line = self.line(at.line).to_owned();
        let mend = mend::line(&line);
        match mend {
            Some(mend) => {
                self.report("D101", at, format!("text with ': ', ',' or a sign of YAML must be quoted ({})", error.info()), Some(mend))
            }
            None if line.contains('\t') => {
                self.report("D100", at, "a tab stands where YAML wants spaces".to_owned(), Some("indent with spaces".to_owned()));
            }
            None => {
                let mend = "look at this line and the one above for indentation, a bracket or a quote that is missing".to_owned();
                self.report("D100", at, format!("this is no YAML: {}", error.info()), Some(mend));
            }
        }
    }
}

/// The core schema of YAML 1.2 §10.3.2 for unquoted scalars.
pub(super) fn typed(text: String) -> Kind {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ if is_number(&text) => Kind::Number(text),
        _ => Kind::Text(text),
    }
}

fn is_number(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && body.ends_with(|c: char| c.is_ascii_digit())
        && body.chars().all(|c| c.is_ascii_digit() || c == '.')
        && body.chars().filter(|c| *c == '.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(text: &str) -> Problem {
        parse("plan.yaml", text).expect_err(text).remove(0)
    }

    #[test]
    fn d101_prose_in_braces_shows_the_mended_line() {
        let found = problem("say: {zh-CN: 您好, 请说, en-US: hello}\n");
        assert_eq!((found.id, found.line, found.column), ("D101", 1, 18));
        assert_eq!(found.mend.as_deref(), Some("say: {zh-CN: \"您好, 请说\", en-US: hello}"));
        let found = problem("a: 1\nsay: {en-US: Note: press one, zh-CN: x}\n");
        assert_eq!((found.id, found.line), ("D101", 2));
        assert_eq!(found.mend.as_deref(), Some("say: {en-US: \"Note: press one\", zh-CN: x}"));
        let found = problem("x:\n  en-US: hello: world\n");
        assert_eq!(found.mend.as_deref(), Some("  en-US: \"hello: world\""));
        let found = problem("examples: [good morning: hello, b]\n");
        assert_eq!((found.id, found.line), ("D101", 1));
    }

    #[test]
    fn d102_a_key_that_stands_twice_names_both_places() {
        let found = problem("a: 1\nb: 2\na: 3\n");
        assert_eq!((found.id, found.line, found.column), ("D102", 3, 1));
        assert!(found.what.contains("line 1"), "{}", found.what);
    }

    #[test]
    fn only_true_and_false_are_booleans() {
        let root = parse("f", "a: yes\nb: no\nc: true\nd: on\ne: 0123\nf: ~\n").expect("yaml");
        assert_eq!(root.get("a").expect("a").kind, Kind::Text("yes".into()));
        assert_eq!(root.get("b").expect("b").kind, Kind::Text("no".into()));
        assert_eq!(root.get("c").expect("c").kind, Kind::Bool(true));
        assert_eq!(root.get("d").expect("d").kind, Kind::Text("on".into()));
        assert_eq!(root.get("e").expect("e").scalar(), Some("0123"));
        assert_eq!(root.get("f").expect("f").kind, Kind::Null);
    }

    #[test]
    fn what_we_do_not_take_is_said() {
        for (text, id) in [
            ("a: &x 1\n", "D102"),
            ("a: *x\n", "D10"),
            ("a: !int 1\n", "D102"),
            ("a: 1\n---\nb: 2\n", "D100"),
            ("", "D100"),
            ("a: [1, 2\n", "D100"),
            ("a:\n\t- b\n", "D100"),
        ] {
            let found = problem(text);
            assert!(found.id.starts_with(id), "{text:?} gave {found}");
        }
        assert_eq!(problem(&"[".repeat(200)).id, "D103");
        assert_eq!(problem(&"a".repeat(MAX_BYTES + 1)).id, "D103");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,80}") {
            let _ = parse("f", &text);
        }

        #[test]
        fn signs_of_yaml_in_any_order_are_read_or_refused(text in "[\\[\\]{}:,&*!|>'\"#%@`?\\- \\n\\ta0~中]{0,60}") {
            let _ = parse("f", &text);
        }
    }
}

//! A file as it is written: values with their places, and the comments at the entries they belong to.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::remark;
use crate::control::dialplan::syntax::{self, Kind as Typed};

/// A value.
#[derive(Clone, Debug)]
pub struct Node {
    /// The line it begins in, from 1.
    pub line: usize,
    /// The line it ends in.
    pub end: usize,
    /// From 0.
    pub column: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A text that may need quotes.
    Text(String),
    /// A number, true, false or nothing: as it is written.
    Bare(String),
    /// A list.
    List(Vec<Entry>),
    /// A map.
    Map(Vec<Entry>),
}

/// An item of a list, or a key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key; none in a list.
    pub key: Option<String>,
    /// The line where it begins.
    pub line: usize,
    /// Its column from 0: that of the key, or of the list's dashes.
    pub column: usize,
    /// The value.
    pub value: Node,
    /// What stands above it.
    pub before: Vec<String>,
    /// What stands at the end of its first line, with the column.
    pub beside: Option<(usize, String)>,
    /// What stands below it, as deep as it.
    pub after: Vec<String>,
}

impl Node {
    /// The entries of a list or map.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::List(entries) | Kind::Map(entries) => entries,
            Kind::Text(_) | Kind::Bare(_) => &[],
        }
    }

    /// The same, to be changed.
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.kind {
            Kind::List(entries) | Kind::Map(entries) => entries,
            Kind::Text(_) | Kind::Bare(_) => &mut [],
        }
    }
}

/// Where no comment can begin: in quotes and in blocks of text. Lines from 1, columns from 0, the end excluded.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// Its first place.
    pub from: (usize, usize),
    /// The place after its last.
    pub until: (usize, usize),
}

/// A document that `syntax` has found good.
#[must_use]
pub fn parse(text: &str) -> Option<Node> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reading = Reading { lines: &lines, stack: Vec::new(), root: None };
    let mut closed = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        closed.extend(closed_by(&event, span, &lines));
        reading.event(event, span)?;
    }
    let mut root = reading.root?;
    remark::attach(&mut root, &lines, &closed)?;
    Some(root)
}

/// Where no comment can begin in a text, even in one that is not good.
pub fn closed(text: &str) -> Vec<Closed> {
    let lines: Vec<&str> = text.lines().collect();
    Parser::new_from_str(text).map_while(Result::ok).filter_map(|(event, span)| closed_by(&event, span, &lines)).collect()
}

fn closed_by(event: &Event<'_>, span: Span, lines: &[&str]) -> Option<Closed> {
    let Event::Scalar(text, style, ..) = event else { return None };
    let from = (span.start.line(), span.start.col());
    match style {
        ScalarStyle::Plain => None,
        ScalarStyle::Literal | ScalarStyle::Folded if text.is_empty() => None,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(Closed { from, until: end_of_quotes(from, lines) }),
        ScalarStyle::Literal | ScalarStyle::Folded => Some(Closed { from: (from.0, 0), until: (end_of_block(span, lines) + 1, 0) }),
    }
}

/// The place after the closing quote: the parser's own mark lies behind what follows it, comments included.
fn end_of_quotes((line, column): (usize, usize), lines: &[&str]) -> (usize, usize) {
    let mut quote = None;
    for (index, text) in lines.iter().enumerate().skip(line - 1) {
        let mut chars = text.chars().enumerate().skip(if index + 1 == line { column } else { 0 }).peekable();
        while let Some((at, c)) = chars.next() {
            match quote {
                None => quote = Some(c),
                Some('"') if c == '\\' => drop(chars.next()),
                Some('\'') if c == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
                Some(open) if open == c => return (index + 1, at + 1),
                Some(_) => {}
            }
        }
    }
    (lines.len() + 1, 0)
}

/// The line where a block of text is announced, above its first line and the empty ones.
fn head_of_block(span: Span, lines: &[&str]) -> usize {
    let first = span.start.line();
    (1..first).rev().find(|line| !lines[line - 1].trim().is_empty()).unwrap_or(first)
}

/// The last line of a block of text: its end is marked in the indentation of what follows.
fn end_of_block(span: Span, lines: &[&str]) -> usize {
    let (line, column) = (span.end.line(), span.end.col());
    let before = lines.get(line - 1).map_or(String::new(), |text| text.chars().take(column).collect());
    if before.trim().is_empty() { (line - 1).max(span.start.line()) } else { line }
}

enum Open {
    List { line: usize, column: usize, flow: bool, items: Vec<Entry> },
    Map { line: usize, column: usize, flow: bool, pairs: Vec<Entry>, key: Option<(String, usize, usize)> },
}

struct Reading<'t> {
    lines: &'t [&'t str],
    stack: Vec<Open>,
    root: Option<Node>,
}

impl Reading<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let (line, column) = (span.start.line(), span.start.col());
        let flow = |sign: char| self.lines.get(line.max(1) - 1).and_then(|text| text.chars().nth(column)) == Some(sign);
        match event {
            Event::Scalar(text, style, ..) => self.scalar(text.into_owned(), style, span),
            Event::SequenceStart(..) => {
                let flow = flow('[');
                self.stack.push(Open::List { line, column, flow, items: Vec::new() });
                Some(())
            }
            Event::MappingStart(..) => {
                let flow = flow('{');
                self.stack.push(Open::Map { line, column, flow, pairs: Vec::new(), key: None });
                Some(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => Some(()),
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, span: Span) -> Option<()> {
        let (line, column) = (span.start.line(), span.start.col());
        if let Some(Open::Map { key: key @ None, .. }) = self.stack.last_mut() {
            *key = Some((text, line, column));
            return Some(());
        }
        let (line, end) = match style {
            ScalarStyle::Literal | ScalarStyle::Folded if !text.is_empty() => {
                (head_of_block(span, self.lines), end_of_block(span, self.lines))
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (line, end_of_quotes((line, column), self.lines).0),
            _ => (line, span.end.line()),
        };
        let kind = match (style, syntax::typed(text.clone())) {
            (ScalarStyle::Plain, Typed::Null) => Kind::Bare("~".to_owned()),
            (ScalarStyle::Plain, Typed::Bool(truth)) => Kind::Bare(truth.to_string()),
            (ScalarStyle::Plain, Typed::Number(number)) => Kind::Bare(number),
            _ => Kind::Text(text),
        };
        self.put(Node { line, end, column, kind })
    }

    fn close(&mut self, span: Span) -> Option<()> {
        let (line, column, flow, entries, is_list) = match self.stack.pop()? {
            Open::List { line, column, flow, items } => (line, column, flow, items, true),
            Open::Map { line, column, flow, pairs, .. } => (line, column, flow, pairs, false),
        };
        let last = entries.last().map_or(line, |entry| entry.value.end.max(entry.line));
        let end = if flow { span.end.line().max(last) } else { last };
        let kind = if is_list { Kind::List(entries) } else { Kind::Map(entries) };
        self.put(Node { line, end, column, kind })
    }

    fn put(&mut self, value: Node) -> Option<()> {
        let entry = |key, line, column, value| Entry { key, line, column, value, before: Vec::new(), beside: None, after: Vec::new() };
        match self.stack.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { column, flow, items, .. }) => {
                let column = if *flow { value.column } else { *column };
                items.push(entry(None, value.line, column, value));
            }
            Some(Open::Map { pairs, key, .. }) => {
                let (key, line, column) = key.take()?;
                // An absent value is nowhere: it ends where its key does.
                let value = Node { line: value.line.max(line), end: if value.is_absent() { line } else { value.end.max(line) }, ..value };
                pairs.push(entry(Some(key), line, column, value));
            }
        }
        Some(())
    }
}

impl Node {
    fn is_absent(&self) -> bool {
        matches!(&self.kind, Kind::Bare(text) if text == "~")
    }
}

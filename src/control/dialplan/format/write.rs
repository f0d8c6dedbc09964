//! Writes the tree: what is short in one line, all else in lines of two more spaces a level.

use super::scalar::{self, Around};
use super::tree::{Entry, Kind, Node};
use crate::control::dialplan::shape::Shape;

/// The longest line that a list or map is written into; a wide character counts two.
const WIDTH: usize = 140;
/// Spaces of a level.
const LEVEL: usize = 2;

/// The whole file.
#[must_use]
pub fn document(root: &Node, shape: Shape) -> String {
    let mut out = Vec::new();
    match (&root.kind, one_line(root, shape)) {
        (Kind::Map(_) | Kind::List(_), _) if !root.entries().is_empty() => lines(root, shape, 0, &mut out),
        (_, text) => out.extend(text),
    }
    while out.first().is_some_and(String::is_empty) {
        out.remove(0);
    }
    out.join("\n") + "\n"
}

/// A list or map in lines.
fn lines(node: &Node, shape: Shape, indent: usize, out: &mut Vec<String>) {
    match &node.kind {
        Kind::Map(pairs) => {
            for (index, at) in order(pairs, shape).into_iter().enumerate() {
                let pair = &pairs[at];
                let key = pair.key.as_deref().unwrap_or_default();
                above(pair, index, indent, out);
                let head = format!("{}{}:", " ".repeat(indent), scalar::line(key, Around::Lines));
                value(pair, head, shape.of_key(key), indent, out);
                below(pair, indent, out);
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                above(item, index, indent, out);
                self::item(item, shape.of_item(), indent, out);
                below(item, indent, out);
            }
        }
        Kind::Text(_) | Kind::Bare(_) => {}
    }
}

fn order(pairs: &[Entry], shape: Shape) -> Vec<usize> {
    let keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_deref().unwrap_or_default()).collect();
    shape.order(&keys)
}

/// Comments above an entry; at most one empty line at a time, none at the beginning of a list or map.
fn above(entry: &Entry, index: usize, indent: usize, out: &mut Vec<String>) {
    let skipped = if index == 0 { entry.before.iter().take_while(|line| line.is_empty()).count() } else { 0 };
    entry.before.iter().skip(skipped).for_each(|line| comment(line, indent, out));
}

fn below(entry: &Entry, indent: usize, out: &mut Vec<String>) {
    entry.after.iter().for_each(|line| comment(line, indent, out));
}

fn comment(line: &str, indent: usize, out: &mut Vec<String>) {
    if !line.is_empty() {
        out.push(format!("{}{line}", " ".repeat(indent)));
    } else if out.last().is_some_and(|last| !last.is_empty()) {
        out.push(String::new());
    }
}

/// A comment at the end of a line, at its old column where there is room.
fn with_beside(line: String, entry: &Entry) -> String {
    let Some((column, comment)) = &entry.beside else { return line };
    let length = line.chars().count();
    let spaces = column.saturating_sub(length).max(LEVEL);
    format!("{line}{}{comment}", " ".repeat(spaces))
}

/// `key: value`, or the key and the value's lines below it.
fn value(entry: &Entry, head: String, shape: Shape, indent: usize, out: &mut Vec<String>) {
    let node = &entry.value;
    if let Kind::Text(text) = &node.kind
        && let Some((sign, body)) = scalar::block(text)
    {
        out.push(with_beside(format!("{head} {sign}"), entry));
        out.extend(
            body.into_iter().map(|line| if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent + LEVEL)) }),
        );
        return;
    }
    match one_line(node, shape) {
        Some(text) if !is_long(node) || width(&head) + 1 + width(&text) <= WIDTH => {
            out.push(with_beside(format!("{head} {text}"), entry));
        }
        _ => {
            out.push(with_beside(head, entry));
            lines(node, shape, indent + LEVEL, out);
        }
    }
}

/// `- value`; the first key of a map stands beside the dash, and what stands above that key stands above the dash.
fn item(entry: &Entry, shape: Shape, indent: usize, out: &mut Vec<String>) {
    let mut entry = entry.clone();
    // Two comments cannot end the same line.
    if ends_with_comment(&entry.value, shape)
        && let Some((_, beside)) = entry.beside.take()
    {
        comment(&beside, indent, out);
    }
    for line in taken_above(&mut entry.value, shape) {
        comment(&line, indent, out);
    }
    let node = &entry.value;
    let dash = format!("{}-", " ".repeat(indent));
    let lone_pair = matches!(&node.kind, Kind::Map(pairs) if pairs.len() == 1);
    let fits = one_line(node, shape).is_some_and(|text| width(&dash) + 1 + width(&text) <= WIDTH);
    if !is_long(node) || (fits && !lone_pair) {
        return value(&entry, dash, shape, indent, out);
    }
    let mut nested = Vec::new();
    lines(node, shape, indent + LEVEL, &mut nested);
    if let Some(line) = nested.first_mut() {
        *line = with_beside(format!("{dash} {}", line.trim_start()), &entry);
    }
    out.append(&mut nested);
}

/// The comments above the first line of a list or map, which are taken away from there.
fn taken_above(node: &mut Node, shape: Shape) -> Vec<String> {
    let first = match &node.kind {
        Kind::Map(pairs) => order(pairs, shape).first().copied(),
        _ => Some(0),
    };
    let is_list = matches!(node.kind, Kind::List(_));
    let Some(first) = first.and_then(|at| node.entries_mut().get_mut(at)) else { return Vec::new() };
    let mut above: Vec<String> = std::mem::take(&mut first.before).into_iter().filter(|line| !line.is_empty()).collect();
    if is_list {
        above.extend(taken_above(&mut first.value, shape.of_item()));
    }
    above
}

/// Is there a comment at the end of the first line of a list or map?
fn ends_with_comment(node: &Node, shape: Shape) -> bool {
    match &node.kind {
        Kind::Map(pairs) => order(pairs, shape).first().is_some_and(|at| pairs[*at].beside.is_some()),
        Kind::List(items) => items.first().is_some_and(|item| item.beside.is_some() || ends_with_comment(&item.value, shape.of_item())),
        Kind::Text(_) | Kind::Bare(_) => false,
    }
}

/// Has it entries, so that it may be written in lines?
fn is_long(node: &Node) -> bool {
    !node.entries().is_empty()
}

/// The value in one line; `None` where a comment or a block of text needs lines.
fn one_line(node: &Node, shape: Shape) -> Option<String> {
    match &node.kind {
        Kind::Bare(text) => Some(text.clone()),
        Kind::Text(text) => Some(written(text, shape, Around::Lines)),
        Kind::List(_) | Kind::Map(_) => flow(node, shape),
    }
}

fn written(text: &str, shape: Shape, around: Around) -> String {
    if shape.is_prose() { scalar::in_quotes(text) } else { scalar::line(text, around) }
}

fn flow(node: &Node, shape: Shape) -> Option<String> {
    let has_comment = |entry: &Entry| entry.beside.is_some() || !entry.after.is_empty() || entry.before.iter().any(|line| !line.is_empty());
    if node.entries().iter().any(has_comment) || shape.is_block() && is_long(node) {
        return None;
    }
    Some(match &node.kind {
        Kind::Bare(text) => text.clone(),
        Kind::Text(text) if scalar::block(text).is_some() => return None,
        Kind::Text(text) => written(text, shape, Around::Flow),
        Kind::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| flow(&item.value, shape.of_item())).collect();
            format!("[{}]", items?.join(", "))
        }
        Kind::Map(pairs) => {
            let mut parts = Vec::new();
            for pair in order(pairs, shape).into_iter().map(|at| &pairs[at]) {
                let key = pair.key.as_deref().unwrap_or_default();
                parts.push(format!("{}: {}", scalar::line(key, Around::Flow), flow(&pair.value, shape.of_key(key))?));
            }
            format!("{{{}}}", parts.join(", "))
        }
    })
}

/// Columns on the screen.
fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// East Asian wide and full-width forms (UAX #11), as far as plans have them.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

//! Comments: where they stand, and which entry each belongs to.

use super::tree::{self, Closed, Entry, Kind, Node};

/// A comment.
#[derive(Clone, Debug)]
struct Remark {
    line: usize,
    /// From 0.
    column: usize,
    text: String,
    /// Nothing but space stands before it.
    alone: bool,
}

/// All comments' texts, sorted, to see whether one was lost.
#[must_use]
pub fn texts(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut texts: Vec<String> = remarks(&lines, &tree::closed(text)).into_iter().map(|remark| remark.text).collect();
    texts.sort();
    texts
}

fn remarks(lines: &[&str], closed: &[Closed]) -> Vec<Remark> {
    let mut found = Vec::new();
    for (index, text) in lines.iter().enumerate() {
        let line = index + 1;
        let free = |column: usize| !closed.iter().any(|part| part.from <= (line, column) && (line, column) < part.until);
        let chars: Vec<char> = text.chars().collect();
        let begins = |at: &usize| chars[*at] == '#' && (*at == 0 || matches!(chars[*at - 1], ' ' | '\t')) && free(*at);
        if let Some(column) = (0..chars.len()).find(begins) {
            let alone = chars[..column].iter().all(|c| c.is_whitespace());
            let text: String = chars[column..].iter().collect();
            found.push(Remark { line, column, text: text.trim_end().to_owned(), alone });
        }
    }
    found
}

/// Where an entry is in the tree: the index at each level.
type Path = Vec<usize>;

/// An entry in the order of the file.
struct Seen {
    path: Path,
    line: usize,
    end: usize,
    column: usize,
    is_block_of_lines: bool,
}

/// Gives each comment, and each empty line, to the entry it belongs to.
pub fn attach(root: &mut Node, lines: &[&str], closed: &[Closed]) -> Option<()> {
    let mut seen = Vec::new();
    walk(root, &mut Vec::new(), &mut seen);
    let remarks = remarks(lines, closed);
    let is_empty = |line: usize| line >= 1 && lines.get(line - 1).is_some_and(|text| text.trim().is_empty());
    for remark in &remarks {
        let line = remark.text.clone();
        if !remark.alone
            && let Some(owner) = owner_beside(&seen, remark.line)
        {
            let entry = entry(root, &seen[owner].path)?;
            if entry.beside.is_none() {
                entry.beside = Some((remark.column, line));
                continue;
            }
        }
        let blank = remark.alone && is_empty(remark.line - 1);
        let (owner, above) = owner_of_line(&seen, remark)?;
        let entry = entry(root, &seen[owner].path)?;
        let list = if above { &mut entry.before } else { &mut entry.after };
        list.extend(blank.then(String::new));
        list.push(line);
    }
    // The outermost entry of a line keeps the empty line above it.
    let mut last = 0;
    for one in &seen {
        if one.line > last && is_empty(one.line - 1) {
            entry(root, &one.path)?.before.push(String::new());
        }
        last = last.max(one.line);
    }
    Some(())
}

fn walk(node: &Node, path: &mut Path, seen: &mut Vec<Seen>) {
    for (index, entry) in node.entries().iter().enumerate() {
        path.push(index);
        let is_block_of_lines = !matches!(entry.value.kind, Kind::Bare(_)) && entry.value.end > entry.line;
        seen.push(Seen {
            path: path.clone(),
            line: entry.line,
            end: entry.value.end.max(entry.line),
            column: entry.column,
            is_block_of_lines,
        });
        walk(&entry.value, path, seen);
        path.pop();
    }
}

fn entry<'n>(root: &'n mut Node, path: &[usize]) -> Option<&'n mut Entry> {
    let (last, above) = path.split_last()?;
    let mut node = root;
    for index in above {
        node = &mut node.entries_mut().get_mut(*index)?.value;
    }
    node.entries_mut().get_mut(*last)
}

/// The comment at the end of a line belongs to the entry that is the line, else to the innermost that begins or ends there.
fn owner_beside(seen: &[Seen], line: usize) -> Option<usize> {
    let whole = seen.iter().position(|one| one.line == line && one.end == line);
    let begun = || seen.iter().rposition(|one| one.line == line && one.is_block_of_lines);
    let ended = || seen.iter().rposition(|one| one.end == line && one.line < line);
    whole.or_else(begun).or_else(ended)
}

/// A comment with a line of its own belongs to the entry below it, or, when it stands deeper than that, below the one above it.
fn owner_of_line(seen: &[Seen], remark: &Remark) -> Option<(usize, bool)> {
    let next = seen.iter().position(|one| one.line > remark.line);
    if let Some(next) = next
        && (remark.column <= seen[next].column || next == 0)
    {
        return Some((next, true));
    }
    let above = next.unwrap_or(seen.len()).checked_sub(1)?;
    let chain = (0..=above).filter(|at| seen[above].path.starts_with(&seen[*at].path));
    let owner = chain.clone().filter(|at| seen[*at].column <= remark.column).max_by_key(|at| seen[*at].path.len()).or(chain.min());
    match (owner, next) {
        (Some(owner), Some(next)) if seen[next].path.starts_with(&seen[owner].path) => Some((next, true)),
        (Some(owner), _) => Some((owner, false)),
        (None, _) => None,
    }
}

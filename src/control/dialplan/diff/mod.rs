//! Two files compared by what they say: nodes, options, sentences, texts, settings; not lines.

mod rename;
mod shown;

use std::collections::BTreeMap;

use super::shape::Shape;
use super::syntax::{Kind, Pair, Place, Yaml};
use rename::renames;
use shown::{content, normal, rendered, shortened};

/// What became of something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
    /// It has another name.
    Renamed,
    /// It stands elsewhere among its neighbours.
    Moved,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Change {
    /// What became of it.
    pub became: Became,
    /// `node`, `option`, `example`, `text`, `slot`, `lookup`, `queue`, `step`, `setting` …
    pub what: &'static str,
    /// Where it is: `nodes.main.menu.options.salary.examples.zh-CN`.
    pub path: String,
    /// As it was.
    pub before: Option<String>,
    /// As it is.
    pub after: Option<String>,
    /// Its line: in the new file, or in the old one for what is gone.
    pub line: usize,
}

/// All differences between two files of one kind.
#[must_use]
pub fn compare(before: &Yaml, after: &Yaml, shape: Shape) -> Vec<Change> {
    let lang = |yaml: &Yaml| match yaml.get("languages").map(|list| &list.kind) {
        Some(Kind::List(items)) => items.first().and_then(Yaml::scalar).map(str::to_owned),
        Some(Kind::Text(tag)) => Some(tag.clone()),
        _ => None,
    };
    let old = normal(before, shape, lang(before).as_deref());
    let new = normal(after, shape, lang(after).as_deref());
    let mut diff = Diff { nodes: renamed_nodes(&old, &new), changes: Vec::new() };
    for (was, is) in diff.nodes.clone() {
        let line = new.get("nodes").and_then(|nodes| nodes.get(&is)).map_or(1, |node| node.at.line);
        let (before, after) = (Some(was.clone()), Some(is));
        diff.changes.push(Change { became: Became::Renamed, what: "node", path: join("nodes", &was), before, after, line });
    }
    diff.values("", &old, &new, shape, "setting");
    diff.changes
}

/// Nodes that have another name now, by their old ones.
#[must_use]
pub fn renamed_nodes(before: &Yaml, after: &Yaml) -> BTreeMap<String, String> {
    match (before.get("nodes"), after.get("nodes")) {
        (Some(old), Some(new)) => renames(old, new, Shape::Plan.of_key("nodes")),
        _ => BTreeMap::new(),
    }
}

struct Diff {
    /// Nodes by their old names.
    nodes: BTreeMap<String, String>,
    changes: Vec<Change>,
}

/// Keys whose value is the name of a node.
const TARGETS: [&str; 22] = [
    "start",
    "goto",
    "else",
    "then",
    "error",
    "not_found",
    "timeout",
    "yes",
    "no",
    "open",
    "closed",
    "on_busy",
    "on_no_answer",
    "on_failed",
    "unsure",
    "fallback",
    "failed",
    "none",
    "stuck",
    "call",
    "asr_overload",
    "targets",
];

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The word for the entries of a map or list.
fn noun(entries_of: Shape) -> &'static str {
    match entries_of {
        Shape::Each(inner) => match inner {
            Shape::ListOf(_) => "node",
            Shape::Slot => "slot",
            Shape::Lookup => "lookup",
            Shape::Menu => "menu",
            Shape::Command => "command",
            Shape::Calendar => "calendar",
            Shape::DeskQueue => "queue",
            Shape::Article => "article",
            _ => "setting",
        },
        Shape::ListOf(inner) => match inner {
            Shape::MenuOption => "option",
            Shape::Case => "case",
            Shape::Variant => "variant",
            Shape::Expect => "expectation",
            Shape::Arm | Shape::SplitArm => "arm",
            _ => "step",
        },
        Shape::Langs => "text",
        Shape::Sentences => "examples",
        _ => "setting",
    }
}

impl Diff {
    fn push(&mut self, became: Became, what: &'static str, path: &str, before: Option<String>, after: Option<String>, at: Place) {
        self.changes.push(Change { became, what, path: path.to_owned(), before, after, line: at.line });
    }

    fn gone(&mut self, what: &'static str, path: &str, value: &Yaml, shape: Shape) {
        let text = shortened(&rendered(value, shape));
        self.push(Became::Removed, what, path, Some(text), None, value.at);
    }

    fn added(&mut self, what: &'static str, path: &str, value: &Yaml, shape: Shape) {
        let text = shortened(&rendered(value, shape));
        self.push(Became::Added, what, path, None, Some(text), value.at);
    }

    /// Compares two values; says at least one thing when they differ.
    fn values(&mut self, path: &str, old: &Yaml, new: &Yaml, shape: Shape, what: &'static str) {
        let key = path.rsplit('.').next().unwrap_or_default();
        if content(old, shape, &self.nodes, key) == content(new, shape, &BTreeMap::new(), key) {
            return;
        }
        let known = self.changes.len();
        match (&old.kind, &new.kind) {
            (Kind::Map(old), Kind::Map(new)) => self.maps(path, old, new, shape),
            (Kind::List(old), Kind::List(new)) => self.lists(path, old, new, shape, what),
            _ => {}
        }
        if self.changes.len() == known {
            let shown = |yaml: &Yaml| Some(shortened(&rendered(yaml, shape)));
            self.push(Became::Changed, what, path, shown(old), shown(new), new.at);
        }
    }

    fn maps(&mut self, path: &str, old: &[Pair], new: &[Pair], shape: Shape) {
        let named = match shape {
            Shape::Each(Shape::ListOf(_)) => self.nodes.clone(),
            Shape::Each(_) => rename::of_pairs(old, new, shape),
            _ => BTreeMap::new(),
        };
        let what = noun(shape);
        let name_now = |pair: &Pair| named.get(&pair.key).unwrap_or(&pair.key).clone();
        for pair in old {
            let name = name_now(pair);
            match new.iter().find(|other| other.key == name) {
                None => self.gone(what, &join(path, &pair.key), &pair.value, shape.of_key(&pair.key)),
                Some(other) => {
                    if other.key != pair.key && what != "node" {
                        self.push(Became::Renamed, what, &join(path, &pair.key), Some(pair.key.clone()), Some(other.key.clone()), other.at);
                    }
                    let (shape, path) = (shape.of_key(&other.key), join(path, &other.key));
                    self.values(&path, &pair.value, &other.value, shape, what);
                }
            }
        }
        for pair in new.iter().filter(|pair| !old.iter().any(|other| name_now(other) == pair.key)) {
            self.added(what, &join(path, &pair.key), &pair.value, shape.of_key(&pair.key));
        }
        let order: Vec<usize> = old.iter().filter_map(|pair| new.iter().position(|other| other.key == name_now(pair))).collect();
        if matches!(shape, Shape::Each(_) | Shape::Any) && !order.is_sorted() {
            let names = |pairs: &[Pair]| Some(shortened(&pairs.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>().join(", ")));
            let at = new.first().map_or(Place::default(), |pair| pair.at);
            self.push(Became::Moved, what, path, names(old), names(new), at);
        }
    }

    fn lists(&mut self, path: &str, old: &[Yaml], new: &[Yaml], shape: Shape, what: &'static str) {
        match shape {
            Shape::ListOf(Shape::MenuOption) => self.keyed(path, old, new, shape, &["goto", "key"]),
            Shape::ListOf(Shape::Case) => self.keyed(path, old, new, shape, &["name"]),
            Shape::ListOf(Shape::Variant) => self.keyed(path, old, new, shape, &["when"]),
            Shape::ListOf(_) => self.steps(path, old, new, shape),
            _ if what == "examples" || path.starts_with("always.") => self.sentences(path, old, new),
            _ => {}
        }
    }

    /// Lists of sentences: their order says nothing.
    fn sentences(&mut self, path: &str, old: &[Yaml], new: &[Yaml]) {
        let has = |list: &[Yaml], item: &Yaml| list.iter().any(|other| other.scalar() == item.scalar());
        old.iter().filter(|item| !has(new, item)).for_each(|item| self.gone("example", path, item, Shape::Any));
        new.iter().filter(|item| !has(old, item)).for_each(|item| self.added("example", path, item, Shape::Any));
    }

    /// Lists whose items are known by one of these keys.
    fn keyed(&mut self, path: &str, old: &[Yaml], new: &[Yaml], shape: Shape, keys: &[&str]) {
        let what = noun(shape);
        let text = |item: &Yaml, key: &str| item.get(key).and_then(Yaml::scalar).map(str::to_owned);
        let name = |item: &Yaml| keys.iter().find_map(|key| text(item, key)).unwrap_or_default();
        let mut taken = vec![false; new.len()];
        let mut order = Vec::new();
        for item in old {
            let fits = |at: &usize, key: &str| {
                let was = text(item, key).map(|was| if key == "goto" { self.nodes.get(&was).cloned().unwrap_or(was) } else { was });
                !taken[*at] && was.is_some() && was == text(&new[*at], key)
            };
            let found = keys.iter().find_map(|key| (0..new.len()).find(|at| fits(at, key)));
            match found {
                Some(at) => {
                    taken[at] = true;
                    order.push(at);
                    self.values(&join(path, &name(&new[at])), item, &new[at], shape.of_item(), what);
                }
                None => self.gone(what, &join(path, &name(item)), item, shape.of_item()),
            }
        }
        for (item, _) in new.iter().zip(&taken).filter(|(_, taken)| !**taken) {
            self.added(what, &join(path, &name(item)), item, shape.of_item());
        }
        if !order.is_sorted() {
            let names = |items: &[Yaml]| Some(items.iter().map(name).collect::<Vec<_>>().join(", "));
            let at = new.first().map_or(Place::default(), |item| item.at);
            self.push(Became::Moved, what, path, names(old), names(new), at);
        }
    }

    /// Lists that are done one after the other: what is the same in both is found first, the rest lies between.
    fn steps(&mut self, path: &str, old: &[Yaml], new: &[Yaml], shape: Shape) {
        let item = shape.of_item();
        let was: Vec<String> = old.iter().map(|step| content(step, item, &self.nodes, "")).collect();
        let is: Vec<String> = new.iter().map(|step| content(step, item, &BTreeMap::new(), "")).collect();
        let (mut from_old, mut from_new) = (0, 0);
        for (at_old, at_new) in common(&was, &is).into_iter().chain([(old.len(), new.len())]) {
            self.between(path, (&old[from_old..at_old], from_old), (&new[from_new..at_new], from_new), shape);
            (from_old, from_new) = (at_old + 1, at_new + 1);
        }
    }

    /// Steps that are not the same: those with one verb are one step that was changed. Steps are numbered from 1.
    fn between(&mut self, path: &str, (old, first_old): (&[Yaml], usize), (new, first_new): (&[Yaml], usize), shape: Shape) {
        let what = noun(shape);
        let place = |first: usize, at: usize| join(path, &(first + at + 1).to_string());
        let mut next = 0;
        for (index, step) in old.iter().enumerate() {
            let Some(at) = (next..new.len()).find(|at| verb(&new[*at]) == verb(step)) else {
                self.gone(what, &place(first_old, index), step, shape.of_item());
                continue;
            };
            (next..at).for_each(|added| self.added(what, &place(first_new, added), &new[added], shape.of_item()));
            self.values(&place(first_new, at), step, &new[at], shape.of_item(), what);
            next = at + 1;
        }
        (next..new.len()).for_each(|added| self.added(what, &place(first_new, added), &new[added], shape.of_item()));
    }
}

/// The first verb of a step.
fn verb(step: &Yaml) -> String {
    match &step.kind {
        Kind::Map(pairs) => {
            let keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_str()).collect();
            let order = Shape::Step.order(&keys);
            let first = order.iter().map(|at| keys[*at]).find(|key| !matches!(*key, "if" | "else"));
            first.or(keys.first().copied()).unwrap_or_default().to_owned()
        }
        _ => step.scalar().unwrap_or_default().to_owned(),
    }
}

/// The longest common subsequence of two lists, as pairs of indices.
fn common(left: &[String], right: &[String]) -> Vec<(usize, usize)> {
    let mut length = vec![vec![0usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            length[i][j] = if left[i] == right[j] { length[i + 1][j + 1] + 1 } else { length[i + 1][j].max(length[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests;

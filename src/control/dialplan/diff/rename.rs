//! Entries that have another name but still say the same, or nearly.

use std::collections::BTreeMap;

use super::shown::rendered;
use crate::control::dialplan::shape::Shape;
use crate::control::dialplan::syntax::{Kind, Pair, Yaml};

/// The share of what is said in common from which one is the other renamed.
const ALIKE: f32 = 0.5;

/// Old name → new name of the entries of two maps.
pub fn renames(old: &Yaml, new: &Yaml, shape: Shape) -> BTreeMap<String, String> {
    match (&old.kind, &new.kind) {
        (Kind::Map(old), Kind::Map(new)) => of_pairs(old, new, shape),
        _ => BTreeMap::new(),
    }
}

/// The same of their pairs.
pub fn of_pairs(old: &[Pair], new: &[Pair], shape: Shape) -> BTreeMap<String, String> {
    let without = |these: &[Pair], others: &[Pair]| -> Vec<(String, Vec<String>)> {
        let lone = these.iter().filter(|pair| others.iter().all(|other| other.key != pair.key));
        lone.map(|pair| (pair.key.clone(), words(&pair.value, shape.of_key(&pair.key), &pair.key))).collect()
    };
    let (gone, come) = (without(old, new), without(new, old));
    let mut alike: Vec<(f32, &str, &str)> = Vec::new();
    for (was, its) in &gone {
        alike.extend(come.iter().map(|(is, theirs)| (share(its, theirs), was.as_str(), is.as_str())).filter(|(share, ..)| *share >= ALIKE));
    }
    alike.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)).then(left.2.cmp(right.2)));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (_, was, is) in alike {
        if !found.contains_key(was) && found.values().all(|taken| taken != is) {
            found.insert(was.to_owned(), is.to_owned());
        }
    }
    found
}

/// What an entry is made of, its own name left out: each leaf with its key.
fn words(yaml: &Yaml, shape: Shape, name: &str) -> Vec<String> {
    let mut words = Vec::new();
    leaves(yaml, shape, "", name, &mut words);
    words.sort();
    words
}

fn leaves(yaml: &Yaml, shape: Shape, key: &str, name: &str, out: &mut Vec<String>) {
    match &yaml.kind {
        Kind::List(items) => items.iter().for_each(|item| leaves(item, shape.of_item(), key, name, out)),
        Kind::Map(pairs) => pairs.iter().for_each(|pair| leaves(&pair.value, shape.of_key(&pair.key), &pair.key, name, out)),
        _ => {
            let text = rendered(yaml, shape);
            out.push(format!("{key}={}", if text == name { "" } else { &text }));
        }
    }
}

/// The share of sorted words in common.
fn share(left: &[String], right: &[String]) -> f32 {
    let (mut i, mut j, mut both) = (0, 0, 0);
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, both) = (i + 1, j + 1, both + 1),
        }
    }
    let all = left.len() + right.len() - both;
    if all == 0 { 0.0 } else { both as f32 / all as f32 }
}

//! Words that mean much the same to a hotline, zh and en together: what five examples an intent cannot teach.

use super::feature::{Hashed, hash};
use super::token::Token;

/// Built-in groups: a line is one concept, its terms parted by commas.
const BUILT_IN: &str = include_str!("data/thesaurus.txt");
/// The longest term in characters (zh) or words (en).
const LONGEST: usize = 4;

/// Terms by hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Thesaurus {
    concepts: Hashed<Vec<u32>>,
}

impl Thesaurus {
    /// The built-in groups and those of the plan.
    pub(super) fn new(own: &[Vec<String>]) -> Thesaurus {
        let mut thesaurus = Thesaurus::default();
        let built_in = BUILT_IN.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut number = 0;
        for line in built_in {
            thesaurus.add(number, line.split(','));
            number += 1;
        }
        for group in own {
            thesaurus.add(number, group.iter().map(String::as_str));
            number += 1;
        }
        thesaurus
    }

    fn add<'a>(&mut self, number: u32, terms: impl Iterator<Item = &'a str>) {
        for term in terms {
            let term = super::normalise::normalise(term.trim());
            let tokens = super::token::tokens(&term);
            let names: Vec<Option<u64>> = tokens.iter().map(name).collect();
            if let Some(key) = key(&names) {
                let of = self.concepts.entry(key).or_default();
                if !of.contains(&number) {
                    of.push(number);
                }
            }
        }
    }

    /// The concepts of a sentence as features; a longer term hides those inside it.
    pub(super) fn concepts(&self, tokens: &[Token<'_>], out: &mut Vec<u64>) {
        let names: Vec<Option<u64>> = tokens.iter().map(name).collect();
        let mut start = 0;
        while start < names.len() {
            let longest = LONGEST.min(names.len() - start);
            let found = (1..=longest).rev().find_map(|n| Some((n, self.concepts.get(&key(&names[start..start + n])?)?)));
            let Some((length, concepts)) = found else {
                start += 1;
                continue;
            };
            out.extend(concepts.iter().map(|&concept| hash(&concept.to_le_bytes(), 0x30)));
            start += length;
        }
    }
}

/// A token's name; English words are named by their stem.
fn name(token: &Token<'_>) -> Option<u64> {
    match token {
        Token::Word(word) => Some(hash(stem(word).as_bytes(), 0x40)),
        Token::Han(_, text) | Token::Number(text) => Some(hash(text.as_bytes(), 0x40)),
        Token::Mask | Token::Break => None,
    }
}

/// A term's key.
fn key(names: &[Option<u64>]) -> Option<u64> {
    names
        .iter()
        .try_fold(0x41u64, |state, name| Some(state.rotate_left(13).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (*name)?))
        .filter(|_| !names.is_empty())
}

/// Cuts the common English endings; the same for both sides, so it need not be right, only steady.
fn stem(word: &str) -> &str {
    const SHORTEST: usize = 3;
    let mut word = word.strip_suffix("'s").unwrap_or(word);
    for ending in ["ings", "ing", "ies", "ied", "es", "ed", "er", "ly", "s", "e", "y"] {
        if let Some(root) = word.strip_suffix(ending).filter(|root| root.len() >= SHORTEST) {
            word = root;
            break;
        }
    }
    // "stopped" and "stopping" meet "stop".
    let bytes = word.as_bytes();
    match bytes {
        [.., a, b] if a == b && word.is_ascii() && bytes.len() > SHORTEST && !matches!(b, b'l' | b's') => &word[..word.len() - 1],
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (a, b) in [("repair", "repaired"), ("stop", "stopping"), ("claim", "claims"), ("charge", "charged"), ("policy", "policies")] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
    }

    #[test]
    fn words_of_other_scripts_are_left_alone() {
        assert_eq!(stem("गलत"), "गलत");
    }
}

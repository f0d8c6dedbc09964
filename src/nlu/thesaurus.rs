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
            if let Some(key) = key(&tokens) {
                let of = self.concepts.entry(key).or_default();
                if !of.contains(&number) {
                    of.push(number);
                }
            }
        }
    }

    /// The concepts of a sentence as features; a longer term hides those inside it.
    pub(super) fn concepts(&self, tokens: &[Token<'_>], out: &mut Vec<u64>) {
        let mut start = 0;
        while start < tokens.len() {
            let longest = LONGEST.min(tokens.len() - start);
            let found = (1..=longest).rev().find_map(|n| Some((n, self.concepts.get(&key(&tokens[start..start + n])?)?)));
            let Some((length, concepts)) = found else {
                start += 1;
                continue;
            };
            out.extend(concepts.iter().map(|&concept| hash(&concept.to_le_bytes(), 0x30)));
            start += length;
        }
    }
}

/// A term's key: English words count by their stem.
fn key(tokens: &[Token<'_>]) -> Option<u64> {
    let mut state = 0x40;
    for token in tokens {
        state = match token {
            Token::Word(word) => hash(stem(word).as_bytes(), state),
            Token::Han(_, text) | Token::Number(text) => hash(text.as_bytes(), state),
            Token::Mask | Token::Break => return None,
        };
    }
    (!tokens.is_empty()).then_some(state)
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
        [.., a, b] if a == b && bytes.len() > SHORTEST && !matches!(b, b'l' | b's') => &word[..word.len() - 1],
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
}

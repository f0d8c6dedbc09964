//! All phrases of a scorecard in one automaton, all its expressions in one set: a dialogue is read once, however many rules ask.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use regex::{RegexSet, RegexSetBuilder};

use super::dialogue::Turn;

/// Compiled bytes of all expressions of a scorecard.
const REGEX_BYTES: usize = 4 << 20;

/// Where a phrase was found in a turn, in characters of the folded text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// Which phrase.
    pub phrase: usize,
    /// Its first character.
    pub begin: usize,
    /// The character after its last.
    pub end: usize,
}

/// What was found in each turn.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Phrases by turn.
    pub phrases: Vec<Vec<Hit>>,
    /// Expressions by turn.
    pub expressions: Vec<BTreeSet<usize>>,
}

/// The words of a scorecard.
#[derive(Clone, Debug)]
pub struct Phrases {
    numbers: BTreeMap<String, usize>,
    automaton: AhoCorasick,
    expressions: BTreeMap<String, usize>,
    set: RegexSet,
}

/// Lower case, and no white space between Chinese characters' neighbours: `您 好` is `您好`.
#[must_use]
pub fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    let letters: Vec<char> = lower.chars().collect();
    let wide = |at: Option<&char>| at.is_some_and(|letter| !letter.is_ascii());
    let keep = |(at, letter): (usize, &char)| {
        let drop = letter.is_whitespace() && at > 0 && (wide(letters.get(at - 1)) || wide(letters.get(at + 1)));
        (!drop).then_some(*letter)
    };
    letters.iter().enumerate().filter_map(keep).collect()
}

impl Phrases {
    /// Compiles.
    ///
    /// # Errors
    /// Why an expression is none.
    pub fn compile(phrases: BTreeSet<String>, expressions: BTreeSet<String>) -> Result<Phrases, String> {
        let phrases: BTreeSet<String> = phrases.iter().map(|phrase| fold(phrase)).collect();
        let automaton = AhoCorasick::new(&phrases).map_err(|why| why.to_string())?;
        let set =
            RegexSetBuilder::new(&expressions).case_insensitive(true).size_limit(REGEX_BYTES).build().map_err(|why| why.to_string())?;
        let number = |all: BTreeSet<String>| all.into_iter().enumerate().map(|(at, text)| (text, at)).collect();
        Ok(Phrases { numbers: number(phrases), automaton, expressions: number(expressions), set })
    }

    /// The number of a phrase.
    #[must_use]
    pub fn number(&self, phrase: &str) -> Option<usize> {
        self.numbers.get(&fold(phrase)).copied()
    }

    /// The number of an expression.
    #[must_use]
    pub fn expression(&self, expression: &str) -> Option<usize> {
        self.expressions.get(expression).copied()
    }

    /// Reads a dialogue.
    #[must_use]
    pub fn find(&self, turns: &[Turn]) -> Found {
        let folded: Vec<String> = turns.iter().map(|turn| fold(&turn.text)).collect();
        Found {
            phrases: folded.iter().map(|text| self.hits(text)).collect(),
            expressions: folded.iter().map(|text| self.set.matches(text).into_iter().collect()).collect(),
        }
    }

    /// Whole words only where Latin letters and digits meet: `hi` is not in `this`.
    fn hits(&self, text: &str) -> Vec<Hit> {
        let joined = |a: Option<char>, b: Option<char>| matches!((a, b), (Some(a), Some(b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric());
        let mut hits = Vec::new();
        for found in self.automaton.find_overlapping_iter(text) {
            let (before, own, after) = (&text[..found.start()], &text[found.start()..found.end()], &text[found.end()..]);
            let cut_begin = joined(before.chars().next_back(), own.chars().next());
            let cut_end = joined(own.chars().next_back(), after.chars().next());
            if !cut_begin && !cut_end {
                let begin = before.chars().count();
                hits.push(Hit { phrase: found.pattern().as_usize(), begin, end: begin + own.chars().count() });
            }
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_words_are_whole_and_chinese_ones_are_found_anywhere() {
        let set = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<BTreeSet<_>>();
        let phrases = Phrases::compile(set(&["hi", "您好", "thank you"]), set(&[])).unwrap();
        let count = |text: &str| phrases.hits(&fold(text)).len();
        assert_eq!(count("this is it"), 0);
        assert_eq!(count("Hi, THANK you"), 2);
        assert_eq!(count("先生您 好请讲"), 1);
        assert_eq!(fold("a b 您 好 c"), "a b您好c");
    }
}

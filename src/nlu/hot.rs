//! Words that many sentences share: Latin words, and runs of two to four Chinese characters, which need no dictionary.

use std::collections::{BTreeMap, BTreeSet};

use super::normalise::normalise;
use super::token::is_han;

/// Characters of a Chinese run.
const RUN: std::ops::RangeInclusive<usize> = 2..=4;
/// Shorter Latin words carry nothing.
const SHORTEST_WORD: usize = 4;
/// A run that is nearly always a part of a longer one is not told beside it: this share.
const MOSTLY: f64 = 0.8;
/// In how many different sentences a word stands before it is told.
const LEAST: usize = 2;
/// Words of every sentence.
const EVERYDAY: [&str; 22] = [
    "what", "when", "where", "which", "have", "this", "that", "with", "want", "your", "from", "please", "怎么", "什么", "一下", "我要",
    "我想", "可以", "请问", "这个", "那个", "多少",
];

/// In how many of the sentences each word stands, those that stand in two different ones or more.
#[must_use]
pub fn words(texts: &[&str]) -> BTreeMap<String, usize> {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    texts.iter().for_each(|text| *said.entry(text).or_default() += 1);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut different: BTreeMap<String, usize> = BTreeMap::new();
    for (text, times) in said {
        for word in words_of(&normalise(text)) {
            *different.entry(word.clone()).or_default() += 1;
            *counts.entry(word).or_default() += times;
        }
    }
    // A sentence that is said often is a hot question; its pieces are no hot words.
    counts.retain(|word, _| different[word] >= LEAST && !EVERYDAY.contains(&word.as_str()));
    let within: BTreeSet<String> =
        counts.iter().filter(|(word, count)| is_part(word, **count, &counts)).map(|(word, _)| word.clone()).collect();
    counts.retain(|word, _| !within.contains(word));
    counts
}

fn words_of(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let latin = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() >= SHORTEST_WORD && !word.bytes().all(|b| b.is_ascii_digit()));
    out.extend(latin.map(str::to_owned));
    for run in text.split(|c| !is_han(c)) {
        let chars: Vec<char> = run.chars().collect();
        for length in RUN {
            out.extend(chars.windows(length).map(|window| window.iter().collect::<String>()));
        }
    }
    out
}

/// Stands it nearly always within a longer run?
#[allow(clippy::cast_precision_loss)] // counts of sentences
fn is_part(word: &str, count: usize, counts: &BTreeMap<String, usize>) -> bool {
    word.chars().all(is_han)
        && counts.iter().any(|(longer, other)| longer.len() > word.len() && longer.contains(word) && *other as f64 >= count as f64 * MOSTLY)
}

/// How much more often a word is said than before: the difference of the log-odds, above 0 = more often.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts of sentences
pub fn rise((now, all): (usize, usize), (before, all_before): (usize, usize)) -> f64 {
    let odds = |part: usize, whole: usize| ((part as f64 + 0.5) / (whole.saturating_sub(part) as f64 + 0.5)).ln();
    odds(now, all) - odds(before, all_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s70_hot_words_are_whole_words_of_either_script() {
        let texts = ["押金什么时候退", "我的押金没有退", "押金怎么退", "充电卡在哪里", "办充电卡", "refund my deposit", "deposit missing"];
        let words = words(&texts);
        assert_eq!(words.get("押金"), Some(&3));
        assert_eq!(words.get("充电卡"), Some(&2));
        assert_eq!(words.get("充电"), None, "a part of the longer word");
        assert_eq!(words.get("deposit"), Some(&2));
        assert!(!words.contains_key("什么") && !words.contains_key("refund"), "{words:?}");
        assert!(rise((10, 100), (1, 100)) > 2.0 && rise((5, 100), (5, 100)).abs() < 1e-9);
    }
}

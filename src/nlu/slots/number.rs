//! Quantities: 两个半, 百分之三点五, a couple, one and a half.

use super::lex::{Piece, phrase, span};
use super::{Found, numeral_en, numeral_zh, plain};

/// Dozens, halves and the like; (words, value).
const FIXED: [(&str, f64); 11] = [
    ("half a dozen", 6.0),
    ("a dozen", 12.0),
    ("a couple", 2.0),
    ("a pair", 2.0),
    ("half", 0.5),
    ("半打", 6.0),
    ("一打", 12.0),
    ("一双", 2.0),
    ("一对", 2.0),
    ("半个", 0.5),
    ("none", 0.0),
];

/// The first quantity.
pub(super) fn find(pieces: &[Piece]) -> Option<Found> {
    (0..pieces.len()).find_map(|i| at(pieces, i))
}

fn at(pieces: &[Piece], i: usize) -> Option<Found> {
    let found = |value: f64, percent: bool, n: usize| {
        let text = plain(value) + if percent { "%" } else { "" };
        Some(Found::numbered(text, if percent { value / 100.0 } else { value }, span(&pieces[i..i + n])))
    };
    if let Some(n) = phrase(pieces, i, "百分之") {
        let (value, length) = numeral_zh::cardinal(pieces, i + n)?;
        return found(value, true, n + length);
    }
    if let Some((value, n)) = FIXED.iter().find_map(|&(words, value)| phrase(pieces, i, words).map(|n| (value, n))) {
        return found(value, false, n);
    }
    let (value, mut n) = quantity(pieces, i)?;
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    let percent = word(n) == "%" || word(n) == "percent";
    n += usize::from(percent);
    found(value, percent, n)
}

/// A cardinal, 半 and "and a half" included.
pub(super) fn quantity(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    if let Some((value, n)) = numeral_en::cardinal(pieces, i) {
        let half = phrase(pieces, i + n, "and a half");
        return Some(half.map_or((value, n), |half| (value + 0.5, n + half)));
    }
    let (value, mut n) = numeral_zh::cardinal(pieces, i)?;
    // 十来个, 十几个: about ten.
    n += usize::from(matches!(word(n), "来" | "几" | "多"));
    let counter = usize::from(matches!(word(n), "个" | "件" | "台" | "次" | "位" | "只" | "箱" | "包" | "张"));
    if counter == 1 && word(n + 1) == "半" {
        return Some((value + 0.5, n + 2));
    }
    Some((value, n + counter))
}

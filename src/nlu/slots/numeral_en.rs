//! English cardinals and ordinals: a hundred and five, twenty five hundred, one point two million, twenty fifth.

use super::lex::{Kind, Piece};
use crate::nlu::english::{SMALL, TENS};

const ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// One digit as it is read out: oh is 0, niner is 9.
pub(super) fn digit(word: &str) -> Option<u8> {
    match word {
        "oh" | "o" | "nought" | "naught" | "nil" => Some(0),
        "niner" => Some(9),
        _ => SMALL[..10].iter().position(|&small| small == word).map(|value| value as u8),
    }
}

/// 10 to 19.
pub(super) fn teen(word: &str) -> Option<u32> {
    SMALL.iter().position(|&small| small == word).filter(|&value| value >= 10).map(|value| value as u32)
}

/// 20, 30 … 90.
pub(super) fn tens(word: &str) -> Option<u32> {
    TENS.iter().position(|&ten| ten == word).map(|i| 20 + 10 * i as u32)
}

fn below_twenty(word: &str) -> Option<f64> {
    SMALL.iter().position(|&small| small == word).map(|value| value as f64)
}

fn magnitude(word: &str) -> Option<f64> {
    match word {
        "thousand" | "grand" => Some(1e3),
        "million" => Some(1e6),
        "billion" => Some(1e9),
        _ => None,
    }
}

/// Is this a magnitude word, which makes a cardinal of what is before it?
pub(super) fn is_magnitude(word: &str) -> bool {
    magnitude(word).is_some()
}

/// The number below one hundred at `i`.
fn below_hundred(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let word = pieces.get(i)?.text.as_str();
    if let Some(value) = below_twenty(word) {
        return Some((value, 1));
    }
    let tens = f64::from(tens(word)?);
    let next = if pieces.get(i + 1).is_some_and(|piece| piece.text == "-") { 2 } else { 1 };
    let unit = pieces.get(i + next).and_then(|piece| digit(&piece.text)).filter(|&unit| unit > 0);
    Some(unit.map_or((tens, 1), |unit| (tens + f64::from(unit), next + 1)))
}

/// The cardinal at `i` and how many pieces it takes; "a hundred" counts, a lone "a" does not.
pub(super) fn cardinal(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    let scale = |word: &str| word == "hundred" || word == "hundreds" || is_magnitude(word);
    let (mut total, mut section, mut n) = (0.0, 0.0, 0);
    if matches!(word(0), "a" | "an") {
        if !scale(word(1)) {
            return None;
        }
        (section, n) = (1.0, 1);
    }
    loop {
        let after_and = usize::from(word(n) == "and" && n > 0 && scale(word(n - 1)));
        if let Some((value, length)) = below_hundred(pieces, i + n + after_and).filter(|_| n == 0 || scale(word(n - 1))) {
            section += value;
            n += length + after_and;
        } else if let Some(value) = written(pieces, i + n).filter(|_| n == 0) {
            section = value;
            n += 1;
        } else if matches!(word(n), "hundred" | "hundreds") && n > 0 {
            section *= 100.0;
            n += 1;
        } else if let Some(scale) = magnitude(word(n)).filter(|_| n > 0) {
            total += section * scale;
            section = 0.0;
            n += 1;
        } else if let Some((fraction, length)) = fraction(pieces, i + n).filter(|_| n > 0) {
            section += fraction;
            n += length;
        } else {
            break;
        }
    }
    (n > 0).then_some((total + section, n))
}

fn written(pieces: &[Piece], i: usize) -> Option<f64> {
    pieces.get(i).filter(|piece| piece.kind == Kind::Number)?.text.parse().ok()
}

/// "point one four".
fn fraction(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    if pieces.get(i)?.text != "point" {
        return None;
    }
    let digits: String = pieces[i + 1..].iter().map_while(|piece| digit(&piece.text)).map(|d| char::from(b'0' + d)).collect();
    format!("0.{digits}").parse().ok().filter(|_| !digits.is_empty()).map(|value: f64| (value, 1 + digits.len()))
}

/// The ordinal at `i` (first … thirty first, 25th) and how many pieces it takes.
pub(super) fn ordinal(pieces: &[Piece], i: usize) -> Option<(u32, usize)> {
    let piece = pieces.get(i)?;
    let simple = |word: &str| ORDINALS.iter().position(|&ordinal| ordinal == word).map(|value| value as u32);
    if let Some(value) = simple(&piece.text) {
        return Some((value, 1));
    }
    if piece.kind == Kind::Number && pieces.get(i + 1).is_some_and(|next| matches!(next.text.as_str(), "st" | "nd" | "rd" | "th")) {
        return piece.text.parse().ok().map(|value| (value, 2));
    }
    if let Some(stem) = piece.text.strip_suffix("tieth") {
        return tens(&format!("{stem}ty")).map(|value| (value, 1));
    }
    let next = if pieces.get(i + 1)?.text == "-" { 2 } else { 1 };
    let unit = simple(&pieces.get(i + next)?.text).filter(|unit| (1..10).contains(unit))?;
    tens(&piece.text).map(|tens| (tens + unit, next + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::slots::lex::pieces;

    #[test]
    fn cardinals_as_they_are_said() {
        for (text, expected) in [
            ("a hundred and five", 105.0),
            ("twenty five hundred", 2_500.0),
            ("one point two million", 1_200_000.0),
            ("three point one five", 3.15),
            ("two thousand and twenty six", 2_026.0),
            ("nine hundred ninety nine thousand nine hundred", 999_900.0),
            ("forty-two", 42.0),
        ] {
            let pieces = pieces(text);
            assert_eq!(cardinal(&pieces, 0), Some((expected, pieces.len())), "{text}");
        }
        assert_eq!(ordinal(&pieces("twenty fifth"), 0), Some((25, 2)));
        assert_eq!(ordinal(&pieces("30th"), 0), Some((30, 2)));
    }
}

//! A sentence as pieces that know where they came from.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use crate::nlu::token::is_han;
use crate::nlu::traditional::simplified;

/// What a piece is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Letters, apostrophes inside.
    Word,
    /// One Chinese character.
    Han,
    /// Written digits, with a decimal point inside.
    Number,
    /// Punctuation.
    Mark,
}

/// One piece.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Piece {
    pub kind: Kind,
    /// Normalised, lower case.
    pub text: String,
    /// Normalised, case kept.
    pub raw: String,
    /// Its bytes in the sentence.
    pub at: Range<usize>,
}

/// Splits a sentence; white space only parts pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut chars: Vec<(usize, char)> = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        chars.extend(std::iter::once(c).nfkc().map(|c| (at, simplified(c))));
    }
    let end_of = |i: usize| chars.get(i).map_or(text.len(), |&(at, _)| at);
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let (at, c) = chars[i];
        let start = i;
        let Some(kind) = kind(c) else {
            i += 1;
            continue;
        };
        i += 1;
        while i < chars.len() && continues(kind, &chars, i) {
            i += 1;
        }
        let raw: String = chars[start..i]
            .iter()
            .map(|&(_, c)| if c == '’' { '\'' } else { c })
            .filter(|&c| !(kind == Kind::Number && c == ','))
            .collect();
        out.push(Piece { kind, text: raw.to_lowercase(), raw, at: at..end_of(i) });
    }
    out
}

fn kind(c: char) -> Option<Kind> {
    match c {
        _ if c.is_whitespace() => None,
        _ if c.is_ascii_digit() => Some(Kind::Number),
        _ if is_han(c) => Some(Kind::Han),
        _ if c.is_alphabetic() => Some(Kind::Word),
        _ => Some(Kind::Mark),
    }
}

fn continues(kind: Kind, chars: &[(usize, char)], i: usize) -> bool {
    let c = chars[i].1;
    let digit = |i: usize| chars.get(i).is_some_and(|&(_, c)| c.is_ascii_digit());
    match kind {
        Kind::Word => {
            c.is_alphabetic() && !is_han(c) || matches!(c, '\'' | '’') && chars.get(i + 1).is_some_and(|&(_, c)| c.is_alphabetic())
        }
        Kind::Number => {
            c.is_ascii_digit() || c == '.' && digit(i + 1) || c == ',' && digit(i + 1) && digit(i + 2) && digit(i + 3) && !digit(i + 4)
        }
        Kind::Han | Kind::Mark => false,
    }
}

/// How many pieces, from `i` on, spell this phrase; white space in it is not counted.
pub(super) fn phrase(pieces: &[Piece], i: usize, phrase: &str) -> Option<usize> {
    let mut rest = phrase;
    let mut n = 0;
    while !rest.is_empty() {
        rest = rest.strip_prefix(pieces.get(i + n)?.text.as_str())?.trim_start();
        n += 1;
    }
    Some(n)
}

/// The longest of these phrases at `i`.
pub(super) fn any_phrase(pieces: &[Piece], i: usize, phrases: &[&str]) -> Option<usize> {
    phrases.iter().filter_map(|text| phrase(pieces, i, text)).max()
}

/// The first place of one of these phrases.
pub(super) fn find_phrase(pieces: &[Piece], phrases: &[&str]) -> Option<(usize, usize)> {
    (0..pieces.len()).find_map(|i| any_phrase(pieces, i, phrases).map(|n| (i, n)))
}

/// The bytes that some pieces cover.
pub(super) fn span(pieces: &[Piece]) -> Range<usize> {
    match (pieces.first(), pieces.last()) {
        (Some(first), Some(last)) => first.at.start..last.at.end,
        _ => 0..0,
    }
}

//! Ages in whole years: 5岁, 五岁半, 八个月大, five years old, a six-year-old, aged 40.

use super::lex::{Piece, any_phrase, phrase, span};
use super::{Found, number, plain};

/// What follows the years.
const YEARS: [&str; 10] = ["周岁", "岁", "years old", "year old", "-year-old", "-years-old", "years of age", "yo", "y/o", "y.o."];
/// What follows the months of somebody who is not yet one.
const MONTHS: [&str; 4] = ["个月大", "months old", "month old", "-month-old"];
/// What stands before a bare age.
const BEFORE: [&str; 4] = ["aged", "age", "年龄", "年纪"];
/// Months of a year.
const YEAR: f64 = 12.0;
/// Nobody is older.
const OLDEST: f64 = 130.0;

/// The first age.
pub(super) fn find(pieces: &[Piece]) -> Option<Found> {
    (0..pieces.len()).find_map(|i| at(pieces, i))
}

fn at(pieces: &[Piece], i: usize) -> Option<Found> {
    let found =
        |years: f64, n: usize| (years <= OLDEST).then(|| Found::numbered(plain(years.floor()), years.floor(), span(&pieces[i..i + n])));
    if let Some(n) = any_phrase(pieces, i, &BEFORE) {
        let n = n + phrase(pieces, i + n, "是").unwrap_or(0);
        let (value, length) = number::quantity(pieces, i + n)?;
        let unit = any_phrase(pieces, i + n + length, &YEARS).unwrap_or(0);
        return found(value, n + length + unit);
    }
    let (value, n) = number::quantity(pieces, i)?;
    // "八个月大": the quantity has taken the counter already.
    let months = any_phrase(pieces, i + n, &MONTHS).or_else(|| phrase(pieces, i + n, "月大"));
    if let Some(unit) = months {
        return found(value / YEAR, n + unit);
    }
    let unit = any_phrase(pieces, i + n, &YEARS)?;
    let half = phrase(pieces, i + n + unit, "半").unwrap_or(0);
    found(value, n + unit + half)
}

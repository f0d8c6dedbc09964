//! Sums: 五十二块三毛, 三块五, 一万二, twenty dollars and fifty cents, five ninety nine, two grand.

use super::lex::{Piece, any_phrase, phrase, span};
use super::number::quantity;
use super::{Context, Found, numeral_en, numeral_zh, plain};

/// Currencies by name, longest names first where one holds another.
const CURRENCIES: [(&str, &str); 40] = [
    ("人民币", "CNY"),
    ("块钱", "CNY"),
    ("块", "CNY"),
    ("元", "CNY"),
    ("圆", "CNY"),
    ("rmb", "CNY"),
    ("yuan", "CNY"),
    ("kuai", "CNY"),
    ("美金", "USD"),
    ("美元", "USD"),
    ("刀", "USD"),
    ("us dollars", "USD"),
    ("dollars", "USD"),
    ("dollar", "USD"),
    ("bucks", "USD"),
    ("buck", "USD"),
    ("usd", "USD"),
    ("港币", "HKD"),
    ("港元", "HKD"),
    ("日元", "JPY"),
    ("日币", "JPY"),
    ("yen", "JPY"),
    ("欧元", "EUR"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("英镑", "GBP"),
    ("pounds", "GBP"),
    ("pound", "GBP"),
    ("quid", "GBP"),
    ("韩元", "KRW"),
    ("韩币", "KRW"),
    ("won", "KRW"),
    ("台币", "TWD"),
    ("新台币", "TWD"),
    ("澳元", "AUD"),
    ("加元", "CAD"),
    ("新币", "SGD"),
    ("卢布", "RUB"),
    ("泰铢", "THB"),
    ("瑞士法郎", "CHF"),
];
const SIGNS: [(&str, &str); 4] = [("$", "USD"), ("¥", "CNY"), ("€", "EUR"), ("£", "GBP")];
const CENTS: [&str; 6] = ["cents", "cent", "pence", "p", "分钱", "分"];

/// The first sum; a bare number is one too.
pub(super) fn find(pieces: &[Piece], context: &Context<'_>) -> Option<Found> {
    let default = context.currency.unwrap_or(if context.lang == "zh" { "CNY" } else { "USD" });
    let sums = (0..pieces.len()).filter_map(|i| at(pieces, i).map(|(value, currency, n)| (i, value, currency, n)));
    // A number with a currency beats one without, wherever it stands.
    let (i, value, currency, n) = sums.min_by_key(|(i, _, currency, _)| (currency.is_none(), *i))?;
    let text = format!("{} {}", plain(value), currency.unwrap_or(default));
    Some(Found::numbered(text, value, span(&pieces[i..i + n])))
}

/// A sum at `i`: value, currency if said, pieces.
fn at(pieces: &[Piece], i: usize) -> Option<(f64, Option<&'static str>, usize)> {
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    if let Some(&(_, code)) = SIGNS.iter().find(|(sign, _)| *sign == word(0)) {
        let (value, n) = quantity(pieces, i + 1)?;
        return Some((value, Some(code), n + 1));
    }
    if let Some(n) = phrase(pieces, i, "a buck").or_else(|| phrase(pieces, i, "a dollar")) {
        let (cents, length) = cents(pieces, i + n, true).unwrap_or((0.0, 0));
        return Some((1.0 + cents, Some("USD"), n + length));
    }
    let (mut value, mut n) = match price(pieces, i) {
        Some(price) => price,
        None => quantity(pieces, i)?,
    };
    let Some((code, length)) = currency(pieces, i + n) else {
        // "two grand" is money by its name; 五毛 by its unit.
        if let Some((tenth, length)) = dimes(pieces, i) {
            return Some((tenth, Some("CNY"), length));
        }
        let grand = (0..n).any(|n| word(n) == "grand");
        return Some((value, grand.then_some("USD"), n));
    };
    n += length;
    if let Some((more, length)) = dimes(pieces, i + n).or_else(|| elided(pieces, i + n, length)).or_else(|| cents(pieces, i + n, false)) {
        value += more;
        n += length;
    }
    n += usize::from(word(n) == "整");
    Some((value, Some(code), n))
}

fn currency(pieces: &[Piece], i: usize) -> Option<(&'static str, usize)> {
    CURRENCIES.iter().filter_map(|&(name, code)| phrase(pieces, i, name).map(|n| (code, n))).max_by_key(|&(_, n)| n)
}

/// 三毛, 三毛五, 五分: in yuan.
fn dimes(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let digit = |n: usize| pieces.get(i + n).and_then(|piece| numeral_zh::digit(&piece.text)).map(f64::from);
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    match (digit(0), word(1)) {
        (Some(tenth), "毛" | "角") => match digit(2) {
            Some(cent) => Some((tenth / 10.0 + cent / 100.0, 3 + usize::from(word(3) == "分"))),
            None => Some((tenth / 10.0, 2)),
        },
        (Some(cent), "分") => Some((cent / 100.0, 2)),
        _ => None,
    }
}

/// 三块五: a last digit without unit is a tenth; only after 块 as one character.
fn elided(pieces: &[Piece], i: usize, length: usize) -> Option<(f64, usize)> {
    let unit = pieces.get(i.checked_sub(1)?).filter(|piece| length == 1 && matches!(piece.text.as_str(), "块" | "元"))?;
    let digit = numeral_zh::digit(&pieces.get(i).filter(|next| next.at.start == unit.at.end)?.text)?;
    Some((f64::from(digit) / 10.0, 1))
}

/// "and fifty cents"; after "a buck" a bare "fifty" is enough.
fn cents(pieces: &[Piece], i: usize, bare: bool) -> Option<(f64, usize)> {
    let and = usize::from(pieces.get(i).is_some_and(|piece| piece.text == "and"));
    let (value, n) = numeral_en::cardinal(pieces, i + and).filter(|&(value, _)| value < 100.0)?;
    let unit = any_phrase(pieces, i + and + n, &CENTS);
    (bare || unit.is_some()).then_some((value / 100.0, and + n + unit.unwrap_or(0)))
}

/// A price read out: "five ninety nine" is 5.99, "twelve fifty" 12.50; never after which a unit follows.
fn price(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let whole = numeral_en::cardinal(pieces, i).filter(|&(value, _)| value < 100.0)?;
    let (cents, n) = numeral_en::cardinal(pieces, i + whole.1).filter(|&(value, _)| (10.0..100.0).contains(&value))?;
    Some((whole.0 + cents / 100.0, whole.1 + n))
}

//! Strings of digits and letters as people read them out: phones, order numbers, codes.

use std::ops::Range;

use super::lex::{Kind, Piece, any_phrase};
use super::{numeral_en, numeral_zh};

/// What stands between the groups of one number.
const JOINTS: [&str; 18] =
    ["然后", "再", "嗯", "呃", "额", "啊", "是", "接着", "后面", "and", "then", "um", "uh", "er", "space", ",", "、", "。"];
/// "I said it wrong": what follows replaces what was before.
const CORRECTIONS: [&str; 18] = [
    "不对",
    "不是",
    "错了",
    "说错了",
    "哦不",
    "噢不",
    "更正",
    "应该是",
    "不好意思",
    "sorry",
    "no wait",
    "wait no",
    "no sorry",
    "i mean",
    "actually",
    "correction",
    "scratch that",
    "no",
];
const ALPHABET: [&str; 26] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima", "mike", "november",
    "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray", "yankee", "zulu",
];
/// A word in capitals up to this length is spelled letters.
const SPELLED: usize = 5;
/// 三个六 up to 九个零.
const MOST_REPEATS: u8 = 9;

/// A run of digits and letters.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Run {
    /// Digits, capital letters, `-`, `+`.
    pub text: String,
    /// What was said before a correction.
    pub before: Option<String>,
    /// Its bytes, what was corrected included.
    pub at: Range<usize>,
}

impl Run {
    /// What may have been meant, the likeliest first: after a correction its tail may replace the end of what was before, or its beginning.
    pub(super) fn readings(&self) -> Vec<String> {
        let mut readings = vec![self.text.clone()];
        if let Some(before) = &self.before
            && before.is_ascii()
            && before.len() > self.text.len()
        {
            readings.push(format!("{}{}", &before[..before.len() - self.text.len()], self.text));
        }
        if let Some(before) = &self.before {
            readings.push(format!("{before}{}", self.text));
        }
        readings
    }
}

/// All runs that hold a digit, in order.
pub(super) fn runs(pieces: &[Piece]) -> Vec<Run> {
    let mut out = Vec::new();
    let mut open: Option<Run> = None;
    let mut i = 0;
    while i < pieces.len() {
        if let Some((text, n)) = sign(pieces, i) {
            let run = open.get_or_insert_with(|| Run { text: String::new(), before: None, at: pieces[i].at.clone() });
            run.text.push_str(&text);
            run.at.end = pieces[i + n - 1].at.end;
            i += n;
        } else if let Some(n) = any_phrase(pieces, i, &CORRECTIONS).filter(|_| open.is_some()) {
            if let Some(run) = open.as_mut().filter(|run| !run.text.is_empty()) {
                run.before = Some(std::mem::take(&mut run.text));
            }
            i += n;
        } else if let Some(n) = any_phrase(pieces, i, &JOINTS).filter(|_| open.is_some()) {
            i += n;
        } else {
            out.extend(open.take());
            i += 1;
        }
    }
    out.extend(open);
    out.iter_mut().for_each(settle);
    out.retain(|run| run.text.contains(|c: char| c.is_ascii_digit()));
    out
}

/// A correction that nothing follows corrects nothing; a dash at the edge joins nothing.
fn settle(run: &mut Run) {
    if run.text.is_empty() {
        run.text = run.before.take().unwrap_or_default();
    }
    run.text = run.text.trim_matches('-').to_owned();
}

/// One sign at `i`: what it writes and how many pieces it takes.
fn sign(pieces: &[Piece], i: usize) -> Option<(String, usize)> {
    let piece = &pieces[i];
    match piece.kind {
        Kind::Number => Some((piece.text.chars().filter(char::is_ascii_digit).collect(), 1)),
        Kind::Han => han(pieces, i),
        Kind::Word => repeated(pieces, i).or_else(|| english(pieces, i)).or_else(|| letter(pieces, i)),
        Kind::Mark => match piece.text.as_str() {
            "-" | "—" | "–" => Some(("-".to_owned(), 1)),
            "+" => Some(("+".to_owned(), 1)),
            _ => None,
        },
    }
}

fn han(pieces: &[Piece], i: usize) -> Option<(String, usize)> {
    let at = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    let single = |n: usize| pieces.get(i + n).and_then(|piece| numeral_zh::digit(&piece.text).or_else(|| written_digit(piece)));
    match at(0) {
        "杠" => return Some(("-".to_owned(), 1)),
        "横" if at(1) == "杠" => return Some(("-".to_owned(), 2)),
        "加" => return Some(("+".to_owned(), 1)),
        "叉" => return Some(("X".to_owned(), 1)),
        "双" => return single(1).map(|digit| (digit.to_string().repeat(2), 2)),
        _ => {}
    }
    let digit = numeral_zh::digit(at(0));
    // 三个六: so many of the same.
    if let (Some(count @ 2..=MOST_REPEATS), "个", Some(of)) = (digit, at(1), single(2)) {
        return Some((of.to_string().repeat(usize::from(count)), 3));
    }
    let spelled = pieces[i..].iter().take_while(|piece| numeral_zh::digit(&piece.text).is_some() || numeral_zh::is_unit(&piece.text));
    if spelled.clone().any(|piece| numeral_zh::is_unit(&piece.text)) && units_follow(pieces, i) {
        return numeral_zh::cardinal(pieces, i).map(|(value, n)| (format!("{value:.0}"), n));
    }
    digit.map(|digit| (digit.to_string(), 1))
}

/// Does a cardinal begin here: a digit and its unit, or a bare 十?
fn units_follow(pieces: &[Piece], i: usize) -> bool {
    let unit = |n: usize| pieces.get(i + n).is_some_and(|piece| numeral_zh::is_unit(&piece.text));
    unit(1) || pieces[i].text == "十"
}

fn written_digit(piece: &Piece) -> Option<u8> {
    (piece.text.len() == 1).then(|| piece.text.parse().ok()).flatten()
}

/// "double oh", "triple zero".
fn repeated(pieces: &[Piece], i: usize) -> Option<(String, usize)> {
    let count = match pieces[i].text.as_str() {
        "double" => 2,
        "triple" | "treble" => 3,
        "quadruple" => 4,
        _ => return None,
    };
    let next = pieces.get(i + 1)?;
    let one = numeral_en::digit(&next.text).or_else(|| written_digit(next)).map(|digit| digit.to_string());
    one.or_else(|| letter(pieces, i + 1).map(|(letter, _)| letter)).map(|one| (one.repeat(count), 2))
}

fn english(pieces: &[Piece], i: usize) -> Option<(String, usize)> {
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    if let Some((value, n)) = numeral_en::cardinal(pieces, i).filter(|&(_, n)| (0..n).any(|n| numeral_en::is_magnitude(word(n)))) {
        return Some((format!("{value:.0}"), n));
    }
    match word(0) {
        "dash" | "hyphen" | "minus" => return Some(("-".to_owned(), 1)),
        "plus" => return Some(("+".to_owned(), 1)),
        _ => {}
    }
    let hundreds = |text: String, n: usize| if word(n) == "hundred" { (text + "00", n + 1) } else { (text, n) };
    if let Some(digit) = numeral_en::digit(word(0)) {
        return Some(hundreds(digit.to_string(), 1));
    }
    if let Some(teen) = numeral_en::teen(word(0)) {
        return Some(hundreds(teen.to_string(), 1));
    }
    let tens = numeral_en::tens(word(0))?;
    match numeral_en::digit(word(1)).filter(|&unit| unit > 0) {
        Some(unit) => Some(((tens + u32::from(unit)).to_string(), 2)),
        None => Some((tens.to_string(), 1)),
    }
}

/// A spelled letter: "b", "b as in bravo", "bravo", "AB".
fn letter(pieces: &[Piece], i: usize) -> Option<(String, usize)> {
    let piece = pieces.get(i).filter(|piece| piece.kind == Kind::Word && piece.text.is_ascii())?;
    let word = |n: usize| pieces.get(i + n).map_or("", |piece| piece.text.as_str());
    if piece.text == "x" && word(1) == "ray" {
        return Some(("X".to_owned(), 2));
    }
    if let Some(at) = ALPHABET.iter().position(|&name| name == piece.text || (name == "alpha" && piece.text == "alfa")) {
        return Some((char::from(b'A' + at as u8).to_string(), 1));
    }
    let capitals = piece.raw.len() <= SPELLED && piece.raw.chars().all(|c| c.is_ascii_uppercase());
    if piece.text.len() > 1 {
        return capitals.then(|| (piece.raw.clone(), 1));
    }
    let letter = piece.text.to_uppercase();
    match (word(1), word(2)) {
        ("as", "in") if i + 3 < pieces.len() => return Some((letter, 4)),
        ("for", name) if name.starts_with(&piece.text) => return Some((letter, 3)),
        _ => {}
    }
    // "a" and "i" are words too: they count between other signs only.
    let alone = matches!(piece.text.as_str(), "a" | "i") && !capitals;
    let followed = || {
        pieces.get(i + 1).is_some_and(|next| {
            next.kind == Kind::Number
                || next.text.len() == 1 && next.text != "a" && next.text != "i"
                || numeral_en::digit(&next.text).is_some()
                || next.text == "double"
        })
    };
    (!alone || followed()).then_some((letter, 1))
}

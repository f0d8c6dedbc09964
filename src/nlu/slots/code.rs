//! Numbers with a form to check: phones, cards, identity numbers, plates, codes.

use pinyin::ToPinyin;

use super::digits::{Run, runs};
use super::lex::{Kind, Piece, find_phrase, span};
use super::{CALLER_ID, Found, Miss};

/// Ways to say "the number I call from".
const OWN_NUMBER: [&str; 16] = [
    "来电",
    "这个号码",
    "就是这个号",
    "本机",
    "现在打的",
    "打过来的",
    "打来的",
    "我这个号",
    "当前号码",
    "同一个号",
    "calling from",
    "caller id",
    "this number",
    "same number",
    "this phone",
    "the one i'm on",
];
/// The provinces as they begin a plate.
const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
/// What may follow province and letter: five signs, six for new energy.
const PLATE_BODY: std::ops::RangeInclusive<usize> = 5..=6;
/// What speech recognizers write for the letters of a plate.
const LETTER_NAMES: [(&str, char); 16] = [
    ("诶", 'A'),
    ("欸", 'A'),
    ("比", 'B'),
    ("毕", 'B'),
    ("必", 'B'),
    ("西", 'C'),
    ("弟", 'D'),
    ("地", 'D'),
    ("迪", 'D'),
    ("伊", 'E'),
    ("吉", 'G'),
    ("杰", 'J'),
    ("开", 'K'),
    ("娄", 'L'),
    ("皮", 'P'),
    ("屁", 'P'),
];

fn invalid(heard: impl Into<String>, why: &'static str) -> Miss {
    Miss::Invalid { heard: heard.into(), why }
}

/// The first run that one of its readings makes valid, else why the longest is not.
fn first_valid(pieces: &[Piece], check: impl Fn(&str) -> Result<String, &'static str>) -> Result<Found, Miss> {
    let runs = runs(pieces);
    for run in &runs {
        if let Some(text) = run.readings().iter().find_map(|reading| check(reading).ok()) {
            return Ok(Found::new(text, run.at.clone()));
        }
    }
    // Groups that other words stand between may be one number.
    let joined: String = runs.iter().map(|run| run.text.as_str()).collect();
    if let (Some(first), Some(last), Ok(text)) = (runs.first(), runs.last(), check(&joined)) {
        return Ok(Found::new(text, first.at.start..last.at.end));
    }
    let Some(longest) = runs.into_iter().max_by_key(|run| run.text.len()) else { return Err(Miss::Absent) };
    let why = check(&longest.text).err().unwrap_or("it does not fit");
    Err(invalid(longest.text, why))
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

pub(super) fn digits(pieces: &[Piece], min: usize, max: usize) -> Result<Found, Miss> {
    first_valid(pieces, |text| {
        let digits = digits_of(text);
        match digits.len() {
            n if n < min => Err("it is too short"),
            n if n > max => Err("it is too long"),
            _ => Ok(digits),
        }
    })
}

pub(super) fn phone(pieces: &[Piece]) -> Result<Found, Miss> {
    let found = first_valid(pieces, |text| {
        let digits = digits_of(text);
        let text = if text.starts_with('+') { format!("+{digits}") } else { digits };
        if is_phone(&text) { Ok(text) } else { Err("no phone number has this form") }
    });
    match (found, find_phrase(pieces, &OWN_NUMBER)) {
        (Err(Miss::Absent), Some((i, n))) => Ok(Found::new(CALLER_ID, span(&pieces[i..i + n]))),
        (found, _) => found,
    }
}

/// Mobile and landline of China, service numbers, North America, and any `+` number of E.164 length.
fn is_phone(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix('+') {
        return (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    }
    let at = |i: usize| text.as_bytes().get(i).copied().unwrap_or(b' ');
    match (text.len(), at(0)) {
        (11, b'1') => (b'3'..=b'9').contains(&at(1)),
        (10..=12, b'0') => true,
        (13, b'8') => text.starts_with("861") && (b'3'..=b'9').contains(&at(3)),
        (10, b'2'..=b'9') => text.starts_with("400") || text.starts_with("800") || (b'2'..=b'9').contains(&at(3)),
        (7..=8, b'2'..=b'8') => true,
        (5..=6, _) => text.starts_with("955") || text.starts_with("100") || text.starts_with("12"),
        _ => false,
    }
}

pub(super) fn card(pieces: &[Piece]) -> Result<Found, Miss> {
    first_valid(pieces, |text| {
        let digits = digits_of(text);
        match digits.len() {
            13..=19 if luhn(&digits) => Ok(digits),
            13..=19 => Err("its check digit is wrong"),
            _ => Err("a card has 13 to 19 digits"),
        }
    })
}

/// ISO/IEC 7812-1 annex B.
pub(crate) fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, byte)| {
            let digit = u32::from(byte - b'0');
            match (i % 2, digit) {
                (0, _) => digit,
                (_, 9) => 9,
                _ => digit * 2 % 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

pub(super) fn identity(pieces: &[Piece]) -> Result<Found, Miss> {
    first_valid(pieces, |text| match text.len() {
        18 if is_identity(text) => Ok(text.to_owned()),
        18 => Err("its check digit is wrong"),
        _ => Err("an identity number has 18 signs"),
    })
}

/// GB 11643: the last sign is the check of ISO 7064 mod 11-2.
pub(crate) fn is_identity(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum = bytes[..17].iter().fold(0u32, |sum, byte| (sum + u32::from(byte - b'0')) * 2 % 11);
    let check = (12 - sum) % 11;
    let expected = if check == 10 { b'X' } else { b'0' + check as u8 };
    bytes[17].to_ascii_uppercase() == expected
}

/// Any code: digits, letters, dashes; a plate keeps its province.
pub(super) fn code(pieces: &[Piece]) -> Result<Found, Miss> {
    if let Ok(plate) = plate(pieces) {
        return Ok(plate);
    }
    let Some(run) = runs(pieces).into_iter().max_by_key(|run| run.text.len()) else { return Err(Miss::Absent) };
    Ok(Found::new(run.text, run.at))
}

pub(super) fn plate(pieces: &[Piece]) -> Result<Found, Miss> {
    let mut miss = Miss::Absent;
    for (i, piece) in pieces.iter().enumerate() {
        let Some(province) = province(piece) else { continue };
        match plate_after(&pieces[i + 1..], i + 1 < pieces.len()) {
            Some((body, run)) if PLATE_BODY.contains(&(body.chars().count() - 1)) => {
                return Ok(Found::new(format!("{province}{body}"), piece.at.start..run.at.end));
            }
            // 新 and 云 are words too: without a letter after them they begin no plate.
            Some((body, _)) if body.chars().count() > 2 => {
                miss = invalid(format!("{province}{body}"), "a plate has five or six signs after its letter")
            }
            _ => {}
        }
    }
    Err(miss)
}

/// The letter and the signs behind a province.
fn plate_after(rest: &[Piece], more: bool) -> Option<(String, Run)> {
    let first = rest.first().filter(|_| more)?;
    let named = LETTER_NAMES.iter().find(|(name, _)| *name == first.text).map(|&(_, letter)| letter);
    let rest = if named.is_some() { &rest[1..] } else { rest };
    let run = runs(rest).into_iter().next().filter(|run| run.at.start == rest.first().map_or(0, |piece| piece.at.start))?;
    let body: String = named.into_iter().chain(run.text.chars().filter(char::is_ascii_alphanumeric)).collect();
    body.starts_with(|c: char| c.is_ascii_uppercase()).then_some((body, run))
}

/// The province a piece writes, or sounds like.
fn province(piece: &Piece) -> Option<char> {
    let sound = match piece.kind {
        Kind::Han => {
            let c = piece.text.chars().next()?;
            if PROVINCES.contains(c) {
                return Some(c);
            }
            c.to_pinyin()?.plain()
        }
        Kind::Word => piece.text.as_str(),
        _ => return None,
    };
    let mut alike = PROVINCES.chars().filter(|c| c.to_pinyin().is_some_and(|pinyin| pinyin.plain() == sound));
    // 豫 and 渝 sound alike: then the caller is asked again.
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

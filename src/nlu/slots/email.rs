//! E-mail addresses as they are said: "john dot smith at gmail dot com", 艾特, 点, 下划线.

use super::lex::{Kind, Piece, any_phrase, span};
use super::{Found, Miss, numeral_en, numeral_zh};

/// What is said and what is written.
const SIGNS: [(&str, &str); 14] = [
    ("艾特", "@"),
    ("at", "@"),
    ("@", "@"),
    ("小老鼠", "@"),
    ("点", "."),
    ("dot", "."),
    (".", "."),
    ("下划线", "_"),
    ("underscore", "_"),
    ("_", "_"),
    ("中划线", "-"),
    ("杠", "-"),
    ("dash", "-"),
    ("-", "-"),
];
/// Words before an address that are none of it.
const LEAD: [&str; 14] = ["is", "my", "email", "e-mail", "mail", "address", "it's", "to", "please", "the", "you", "can", "send", "reach"];

/// The address.
pub(super) fn find(pieces: &[Piece]) -> Result<Found, Miss> {
    let mut parts: Vec<(String, bool, usize)> = Vec::new();
    let mut best = None;
    let mut i = 0;
    while i <= pieces.len() {
        match pieces.get(i).and_then(|_| part(pieces, i)) {
            Some((text, sign, n)) => {
                parts.push((text, sign, i));
                i += n;
            }
            None => {
                best = best.or_else(|| address(pieces, &parts, i));
                // An address with a character in its middle was not understood: 邮箱是 support at 公司名.
                if parts.iter().any(|(text, ..)| text == "@") && best.is_none() && i < pieces.len() {
                    let heard = parts.iter().map(|(text, ..)| text.as_str()).collect();
                    return Err(Miss::Invalid { heard, why: "an address takes letters, digits and signs only" });
                }
                parts.clear();
                i += 1;
            }
        }
    }
    best.ok_or(Miss::Absent)
}

/// A part at `i`: what it writes, whether it is a sign, and its pieces.
fn part(pieces: &[Piece], i: usize) -> Option<(String, bool, usize)> {
    let piece = &pieces[i];
    if let Some((sign, n)) = SIGNS.iter().find_map(|&(said, sign)| any_phrase(pieces, i, &[said]).map(|n| (sign, n))) {
        return Some((sign.to_owned(), true, n));
    }
    match piece.kind {
        Kind::Number => Some((piece.text.clone(), false, 1)),
        Kind::Han => numeral_zh::digit(&piece.text).map(|digit| (digit.to_string(), false, 1)),
        Kind::Word if piece.text.is_ascii() && !piece.text.contains('\'') => {
            let digit = numeral_en::digit(&piece.text).filter(|_| piece.text.len() > 1);
            Some((digit.map_or_else(|| piece.text.clone(), |digit| digit.to_string()), false, 1))
        }
        _ => None,
    }
}

fn address(pieces: &[Piece], parts: &[(String, bool, usize)], end: usize) -> Option<Found> {
    let at = parts.iter().position(|(text, ..)| text == "@")?;
    // Of the words before the first sign only the last belongs to the address, unless all are letters spelled.
    let first_sign = parts.iter().position(|(_, sign, _)| *sign)?;
    let lead = parts[..first_sign].iter().rposition(|(text, ..)| text.len() > 1 && LEAD.contains(&text.as_str())).map_or(0, |i| i + 1);
    let text: String = parts[lead..].iter().map(|(text, ..)| text.as_str()).collect();
    let host: String = parts[at + 1..].iter().map(|(text, ..)| text.as_str()).collect();
    let sound = lead < at && host.contains('.') && !host.starts_with('.') && !host.ends_with('.') && text.matches('@').count() == 1;
    sound.then(|| Found::new(text, span(&pieces[parts[lead].2..end])))
}

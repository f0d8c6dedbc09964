//! Numbers that nobody may keep: cards, identity numbers, PINs.

use std::ops::Range;

use super::code::{is_identity, luhn};
use super::digits::{Run, runs};
use super::lex::{Piece, any_phrase, pieces};

/// What kind of secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Secret {
    Card,
    Identity,
    Pin,
}

const CARD_WORDS: [&str; 8] = ["卡号", "银行卡", "信用卡", "储蓄卡", "card", "账号", "账户", "debit"];
const IDENTITY_WORDS: [&str; 3] = ["身份证", "证件号", "identity"];
const PIN_WORDS: [&str; 14] = [
    "密码",
    "验证码",
    "校验码",
    "口令",
    "安全码",
    "pin",
    "passcode",
    "password",
    "cvv",
    "cvc",
    "security code",
    "verification code",
    "one time code",
    "otp",
];
/// The name of a secret stands at most so many pieces before it.
const REACH: usize = 8;
const CARD: std::ops::RangeInclusive<usize> = 13..=19;
const IDENTITY: std::ops::RangeInclusive<usize> = 15..=18;
const PIN: std::ops::RangeInclusive<usize> = 3..=8;

/// All secrets of a sentence, by place.
pub(crate) fn find(text: &str) -> Vec<(Secret, Range<usize>)> {
    let pieces = pieces(text);
    runs(&pieces).into_iter().filter_map(|run| secret(&pieces, &run).map(|secret| (secret, run.at))).collect()
}

/// A check digit tells a secret by itself; without one the words before it do.
fn secret(pieces: &[Piece], run: &Run) -> Option<Secret> {
    let sign: String = run.text.chars().filter(char::is_ascii_alphanumeric).collect();
    let digits: String = sign.chars().filter(char::is_ascii_digit).collect();
    let named = |words: &[&str]| {
        let start = pieces.iter().position(|piece| piece.at.start >= run.at.start).unwrap_or(pieces.len());
        (start.saturating_sub(REACH)..start).any(|i| any_phrase(pieces, i, words).is_some())
    };
    if sign.len() == 18 && (is_identity(&sign) || named(&IDENTITY_WORDS)) || IDENTITY.contains(&sign.len()) && named(&IDENTITY_WORDS) {
        return Some(Secret::Identity);
    }
    if CARD.contains(&digits.len()) && (luhn(&digits) || named(&CARD_WORDS)) {
        return Some(Secret::Card);
    }
    (PIN.contains(&digits.len()) && named(&PIN_WORDS)).then_some(Secret::Pin)
}

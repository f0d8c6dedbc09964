//! Chinese cardinals: 一百零五, 一百五 (= 150), 两千三, 三万六千五百, 1.2万, 三点一四.

use super::lex::{Kind, Piece};

/// A digit's value; 洞幺两拐勾 as radio and telephone say them.
pub(super) fn digit(c: &str) -> Option<u8> {
    Some(match c {
        "零" | "〇" | "洞" => 0,
        "一" | "幺" | "壹" => 1,
        "二" | "两" | "贰" => 2,
        "三" | "叁" => 3,
        "四" | "肆" => 4,
        "五" | "伍" => 5,
        "六" | "陆" => 6,
        "七" | "拐" | "柒" => 7,
        "八" | "捌" => 8,
        "九" | "勾" | "玖" => 9,
        _ => return None,
    })
}

/// A unit inside a section of four digits.
fn small_unit(c: &str) -> Option<f64> {
    Some(match c {
        "十" | "拾" => 10.0,
        "百" | "佰" => 100.0,
        "千" | "仟" => 1_000.0,
        _ => return None,
    })
}

/// A unit that closes a section.
fn big_unit(c: &str) -> Option<f64> {
    match c {
        "万" => Some(1e4),
        "亿" => Some(1e8),
        _ => None,
    }
}

/// Is this a piece of a Chinese cardinal with units?
pub(super) fn is_unit(c: &str) -> bool {
    small_unit(c).or_else(|| big_unit(c)).is_some()
}

/// The state of reading one cardinal.
#[derive(Default)]
struct Reading {
    total: f64,
    section: f64,
    /// The digits read since the last unit.
    digit: Option<f64>,
    /// The last unit, as a factor of one; a digit after it may stand for a tenth of it.
    last: f64,
    /// 零 was said: what follows is not elided.
    gap: bool,
}

impl Reading {
    fn unit(&mut self, unit: f64) {
        self.section += self.digit.take().unwrap_or(if self.section == 0.0 { 1.0 } else { 0.0 }) * unit;
        (self.last, self.gap) = (unit, false);
    }

    fn close(&mut self, unit: f64) {
        self.section += self.digit.take().unwrap_or(0.0);
        let value = if self.section == 0.0 { 1.0 } else { self.section };
        // 一亿两千万: a bigger unit before stays; 三万亿: a bigger unit after lifts all.
        if self.total > 0.0 && unit > self.last && self.last >= 1e4 {
            self.total = (self.total + self.section) * unit;
        } else {
            self.total += value * unit;
        }
        self.section = 0.0;
        (self.last, self.gap) = (unit, false);
    }

    fn value(self) -> f64 {
        let rest = match self.digit {
            // 一百五 is 150, 一百零五 is 105, 十五 is 15.
            Some(digit) if !self.gap && self.last >= 100.0 && digit < 10.0 => digit * self.last / 10.0,
            Some(digit) => digit,
            None => 0.0,
        };
        self.total + self.section + rest
    }
}

/// The cardinal at `i` and how many pieces it takes.
pub(super) fn cardinal(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let mut reading = Reading::default();
    let mut n = 0;
    while let Some(piece) = pieces.get(i + n) {
        let text = piece.text.as_str();
        if text == "点" && reading.digit.is_some() {
            let Some((fraction, length)) = fraction(pieces, i + n + 1) else { break };
            reading.digit = reading.digit.map(|digit| digit + fraction);
            n += length + 1;
            continue;
        }
        if let Some(digit) = digit(text) {
            // Digit by digit (二零二六) is no cardinal but reads as one number.
            reading.gap |= digit == 0;
            reading.digit = Some(match reading.digit {
                Some(before) if before > 0.0 || !reading.gap => before * 10.0 + f64::from(digit),
                _ => f64::from(digit),
            });
        } else if piece.kind == Kind::Number && reading.digit.is_none() {
            reading.digit = text.parse().ok();
        } else if let Some(unit) = small_unit(text) {
            reading.unit(unit);
        } else if let Some(unit) = big_unit(text).filter(|_| n > 0) {
            reading.close(unit);
        } else {
            break;
        }
        n += 1;
    }
    (n > 0).then(|| (reading.value(), n))
}

/// The digits after 点.
fn fraction(pieces: &[Piece], i: usize) -> Option<(f64, usize)> {
    let digits: String = pieces[i.min(pieces.len())..].iter().map_while(|piece| digit(&piece.text)).map(|d| char::from(b'0' + d)).collect();
    let n = digits.len();
    format!("0.{digits}").parse().ok().filter(|_| n > 0).map(|value: f64| (value, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::slots::lex::pieces;

    fn value(text: &str) -> f64 {
        let pieces = pieces(text);
        let (value, n) = cardinal(&pieces, 0).expect("a cardinal");
        assert_eq!(n, pieces.len(), "{text}");
        value
    }

    #[test]
    fn cardinals_with_gaps_elided_units_and_sections() {
        for (text, expected) in [
            ("十", 10.0),
            ("十五", 15.0),
            ("一百五", 150.0),
            ("一百零五", 105.0),
            ("两千三", 2_300.0),
            ("两千零三十", 2_030.0),
            ("三万六", 36_000.0),
            ("一亿两千万", 120_000_000.0),
            ("三点一五", 3.15),
            ("1.2万", 12_000.0),
            ("九百九十九万九千九百九十九", 9_999_999.0),
            ("二零二六", 2_026.0),
            ("一百一十", 110.0),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }
}

//! One form of a sentence for all that follows: NFKC, lower case, simplified characters, long numbers masked.

use unicode_normalization::UnicodeNormalization;

use super::traditional::simplified;

/// Stands for a value of a slot: `{plate}` in an example, 京A12345 in what is said.
pub const MASK: char = '§';
/// This many digits in a row are a value, not a word of the sentence.
const LONG_NUMBER: usize = 4;
const PLATE_PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
const SPOKEN_DIGITS: &str = "零〇一二三四五六七八九幺洞拐勾两";

/// NFKC, lower case, simplified characters, plain apostrophes.
pub fn normalise(text: &str) -> String {
    // Most of English is plain already.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc().flat_map(char::to_lowercase).map(|c| if c == '’' { '\'' } else { simplified(c) }).collect()
}

/// Normalises and puts [`MASK`] in the place of `{slot}` names, plates and numbers of four digits or more, spoken or written.
pub fn masked(text: &str) -> String {
    let text = normalise(text);
    if text.is_ascii() && !text.contains('{') && text.bytes().filter(u8::is_ascii_digit).count() < LONG_NUMBER {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        match placeholder(&chars[i..]).or_else(|| plate(&chars[i..])).or_else(|| number(&chars[i..])) {
            Some(length) => {
                out.push(MASK);
                i += length;
            }
            None => {
                out.push(chars[i]);
                i += 1;
            }
        }
    }
    out
}

/// The length of a `{slot}` at the start.
fn placeholder(chars: &[char]) -> Option<usize> {
    (chars.first() == Some(&'{')).then(|| chars.iter().position(|&c| c == '}').map(|end| end + 1)).flatten()
}

/// The length of 京A12345 or 京a一二三四五 at the start.
fn plate(chars: &[char]) -> Option<usize> {
    let (province, letter) = (*chars.first()?, *chars.get(1)?);
    if !PLATE_PROVINCES.contains(province) || !letter.is_ascii_lowercase() {
        return None;
    }
    let body = chars[2..].iter().take_while(|&&c| c.is_ascii_alphanumeric() || SPOKEN_DIGITS.contains(c)).count();
    (body >= LONG_NUMBER).then_some(2 + body)
}

/// The length of a long number at the start. Groups may be parted by one space or dash.
fn number(chars: &[char]) -> Option<usize> {
    let (mut digits, mut end, mut i) = (0, 0, 0);
    while let Some(&c) = chars.get(i) {
        if c.is_ascii_digit() || SPOKEN_DIGITS.contains(c) {
            digits += 1;
            end = i + 1;
        } else if !(digits > 0 && end == i && (c == ' ' || c == '-')) {
            break;
        }
        i += 1;
    }
    (digits >= LONG_NUMBER).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_and_traditional_become_one_form() {
        assert_eq!(normalise("ＡＢＣ　報保險"), "abc 报保险");
    }

    #[test]
    fn a_slot_name_and_a_said_value_look_the_same() {
        assert_eq!(masked("{plate}出险了"), "§出险了");
        assert_eq!(masked("京A12345出险了"), "§出险了");
        assert_eq!(masked("查一下 1234567890"), "查一下 §");
        assert_eq!(masked("查一下一二三四五六七"), "查一下§");
    }
}

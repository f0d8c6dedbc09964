//! Small readers over header text as bytes: white space (folds included), tokens, quoted strings, comma lists, parameters.

use std::borrow::Cow;

/// Space, tab, and the line breaks that a fold leaves within a value.
#[must_use]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A character of a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Without white space at both ends.
#[must_use]
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// The token at the start and what follows it.
#[must_use]
pub fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// The length of the quoted string at the start, with both quotes; `None` when it is not closed.
#[must_use]
pub fn quoted(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// A quoted string's content without quotes and escapes; other text as it is.
#[must_use]
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Cow::Borrowed(text);
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        let byte = if *byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
        plain.push(*byte);
    }
    Cow::Owned(plain)
}

/// As text, with each fold made one space; bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn lossy(text: &[u8]) -> Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', text).is_none() {
        return String::from_utf8_lossy(text);
    }
    let words: Vec<Cow<'_, str>> =
        text.split(|byte| matches!(byte, b'\r' | b'\n')).map(trim).filter(|line| !line.is_empty()).map(String::from_utf8_lossy).collect();
    Cow::Owned(words.join(" "))
}

/// A whole number of digits only, leading zeros allowed; `None` when it is no number or above `max`.
#[must_use]
pub fn number(text: &[u8], max: u64) -> Option<u64> {
    let digit = |sum: u64, byte: &u8| {
        let next = sum.checked_mul(10)?.checked_add(u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?))?;
        (next <= max).then_some(next)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, digit) }
}

/// The values of a comma list; commas within quotes and angle brackets do not separate.
#[derive(Debug, Clone)]
pub struct Commas<'a>(Option<&'a [u8]>);

/// Splits a header value at its commas; each value comes trimmed, an empty one too.
#[must_use]
pub fn commas(value: &[u8]) -> Commas<'_> {
    Commas(Some(value))
}

impl<'a> Iterator for Commas<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0?;
        let end = end_of_value(text, b',');
        self.0 = text.get(end + 1..);
        Some(trim(&text[..end]))
    }
}

/// Where `stop` stands outside quotes and angle brackets, or the end.
fn end_of_value(text: &[u8], stop: u8) -> usize {
    let mut at = 0;
    let mut angle = 0usize;
    while at < text.len() {
        match text[at] {
            b'"' => at += quoted(&text[at..]).unwrap_or(text.len() - at) - 1,
            b'<' => angle += 1,
            b'>' => angle = angle.saturating_sub(1),
            byte if byte == stop && angle == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len().min(at)
}

/// One parameter: its name and its value, quotes kept.
pub type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// The parameters of `;name=value;name` text. A broken one ends the walk with an error.
#[derive(Debug, Clone)]
pub struct Params<'a>(&'a [u8]);

/// Walks parameters; the text begins with `;` or is empty.
#[must_use]
pub fn params(text: &[u8]) -> Params<'_> {
    Params(trim(text))
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let step = one_param(self.0);
        self.0 = step.as_ref().map_or(&[], |(_, rest)| rest);
        Some(step.map(|(param, _)| param))
    }
}

fn one_param(text: &[u8]) -> Result<(Param<'_>, &[u8]), &'static str> {
    let rest = text.strip_prefix(b";").ok_or("text that is no parameter follows the value")?;
    let end = end_of_value(rest, b';');
    let (param, rest) = rest.split_at(end);
    let param = trim(param);
    let (name, value) = match memchr::memchr(b'=', param) {
        Some(at) => (trim(&param[..at]), Some(trim(&param[at + 1..]))),
        None => (param, None),
    };
    if name.is_empty() {
        return Err("a parameter is empty");
    }
    if !name.iter().all(|byte| is_token(*byte)) {
        return Err("a parameter name has a forbidden character");
    }
    if value.is_some_and(|value| value.is_empty()) {
        return Err("a parameter has '=' but no value");
    }
    if value.is_some_and(|value| value[0] == b'"' && quoted(value) != Some(value.len())) {
        return Err("a quoted parameter is not closed");
    }
    Ok(((name, value), rest))
}

/// The value of a parameter: `None` when it is not there, `Some(None)` when it has no value.
#[must_use]
pub fn param<'a>(text: &'a [u8], name: &str) -> Option<Option<&'a [u8]>> {
    params(text).filter_map(Result::ok).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

/// Percent-decoded text; a `%` without two hex digits stays as it is.
#[must_use]
pub fn unescape(text: &[u8]) -> Cow<'_, str> {
    percent_encoding::percent_decode(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        let values: Vec<&[u8]> = commas(b"\"a, b\" <sip:x,y@h>;q=1 , <sip:z@h>").collect();
        assert_eq!(values, [&b"\"a, b\" <sip:x,y@h>;q=1"[..], b"<sip:z@h>"]);
    }

    #[test]
    fn parameters_are_found_through_space_and_quotes() {
        let text = b" ; a = 1;b=\"x;\\\"y\";lr";
        assert_eq!(param(text, "A"), Some(Some(&b"1"[..])));
        assert_eq!(param(text, "b").flatten().map(unquote).as_deref(), Some(&b"x;\"y"[..]));
        assert_eq!(param(text, "lr"), Some(None));
        assert_eq!(param(text, "c"), None);
        assert!(params(b";;a").any(|param| param.is_err()));
    }

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!(number(b"0009", 10), Some(9));
        assert_eq!(number(b"11", 10), None);
        assert_eq!(number(b"-1", 10), None);
        assert_eq!(number(b"99999999999999999999999", u64::MAX), None);
        assert_eq!(number(b"", 10), None);
    }
}

//! A normalised sentence as words, characters and numbers.

use super::normalise::MASK;

/// One token of a normalised sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'a> {
    /// Letters of an alphabet, apostrophes inside.
    Word(&'a str),
    /// One Chinese character.
    Han(char, &'a str),
    /// A short number as written.
    Number(&'a str),
    /// A slot's value.
    Mask,
    /// Punctuation: n-grams do not cross it.
    Break,
}

/// Is this one of the unified ideographs?
#[must_use]
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' | '〇')
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    Digit,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_numeric() && !is_han(c) => Kind::Digit,
        _ if c.is_alphabetic() && !is_han(c) => Kind::Letter,
        _ => Kind::Other,
    }
}

/// Splits a normalised sentence.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::with_capacity(text.len() / 3);
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let of = kind(c);
        let mut end = start + c.len_utf8();
        if of == Kind::Other {
            match c {
                _ if is_han(c) => out.push(Token::Han(c, &text[start..end])),
                MASK => out.push(Token::Mask),
                _ if c.is_whitespace() || c == '\'' || c == '-' => {}
                _ => out.push(Token::Break),
            }
            continue;
        }
        while let Some(&(at, next)) = chars.peek() {
            if kind(next) != of && !(next == '\'' && of == Kind::Letter) {
                break;
            }
            end = at + next.len_utf8();
            chars.next();
        }
        let word = text[start..end].trim_end_matches('\'');
        out.push(if of == Kind::Letter { Token::Word(word) } else { Token::Number(word) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_characters_numbers_and_values_are_parted() {
        let all = tokens("i'm 车, 12 §");
        assert_eq!(all, [Token::Word("i'm"), Token::Han('车', "车"), Token::Break, Token::Number("12"), Token::Mask]);
    }
}

//! Parts of a sentence that may carry an intent each, and the core of a sentence without its courtesies.

use super::normalise::masked;
use super::token::{Token, tokens};

/// A recognizer writes no commas; people begin the next wish with one of these.
const OPENERS: [&str; 24] = [
    "我想",
    "我要",
    "还想",
    "还要",
    "还有",
    "另外",
    "顺便",
    "然后",
    "而且",
    "请问",
    "去哪",
    "到哪",
    "哪里",
    "哪儿",
    "怎么",
    "为什么",
    "多少",
    "能不能",
    "可不可以",
    "帮我",
    "麻烦",
    "再帮",
    "以及",
    "同时",
];
/// The same in English, whole words.
const WORD_OPENERS: [&str; 7] = ["and", "also", "then", "but", "plus", "because", "so"];
/// Courtesies and hesitations that carry no intent.
const FILLERS: [&str; 44] = [
    "你好",
    "您好",
    "喂",
    "嗯",
    "啊",
    "呃",
    "额",
    "哦",
    "那个",
    "这个",
    "就是",
    "请问",
    "请",
    "麻烦",
    "我想问一下",
    "我想问",
    "一下",
    "吧",
    "呢",
    "呀",
    "啦",
    "了",
    "的",
    "我",
    "想",
    "要",
    "帮",
    "给",
    "hello",
    "hi",
    "hey",
    "please",
    "um",
    "uh",
    "er",
    "well",
    "ok",
    "okay",
    "so",
    "thanks",
    "i",
    "to",
    "the",
    "a",
];
/// Parts beyond this many are left to the sentence as a whole.
const MOST: usize = 5;
/// A part shorter than this says nothing by itself.
const SHORTEST: usize = 2;

/// The clauses of a sentence, in order; fewer than two means that it is one.
pub fn clauses(text: &str) -> Vec<String> {
    let text = super::normalise::normalise(text);
    let mut parts = Vec::new();
    for part in text.split(|c: char| ",.;!?，。；！？、…\n".contains(c)) {
        split_at_openers(part, &mut parts);
    }
    parts.retain(|part| tokens(part).len() >= SHORTEST);
    parts.truncate(MOST);
    parts
}

fn split_at_openers(part: &str, out: &mut Vec<String>) {
    let mut start = 0;
    for (at, _) in part.char_indices() {
        let rest = &part[at..];
        let ascii = part.as_bytes()[at].is_ascii();
        let opens = if ascii { opens_as_word(part, at) } else { OPENERS.iter().any(|opener| rest.starts_with(opener)) };
        // "我想问怎么…": an opener right after another one opens nothing new.
        if opens && tokens(&part[start..at]).len() > SHORTEST {
            out.push(part[start..at].trim().to_owned());
            start = at;
        }
    }
    out.push(part[start..].trim().to_owned());
}

fn opens_as_word(part: &str, at: usize) -> bool {
    let rest = &part[at..];
    part[..at].ends_with(' ') && WORD_OPENERS.iter().any(|word| rest.strip_prefix(word).is_some_and(|after| after.starts_with(' ')))
}

/// The words of a sentence that are no courtesy, written together; two sentences with the same core mean the same.
pub fn core(text: &str) -> String {
    let text = masked(text);
    let mut rest: &str = &text;
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.chars().next() {
        let at_word_start = !out.ends_with(|last: char| last.is_ascii_alphanumeric());
        // Inside an English word nothing can begin.
        let filler =
            if c.is_ascii() && !at_word_start { None } else { FILLERS.iter().find_map(|filler| strip(rest, filler, at_word_start)) };
        match filler {
            Some(after) => rest = after,
            None => {
                if c.is_alphanumeric() || c == super::normalise::MASK || c == ' ' {
                    out.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What follows a filler; an English one counts as a whole word only.
fn strip<'a>(rest: &'a str, filler: &str, at_word_start: bool) -> Option<&'a str> {
    let after = rest.strip_prefix(filler)?;
    if !filler.is_ascii() {
        return Some(after);
    }
    (at_word_start && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '\'')).then_some(after)
}

/// Does a sentence hold anything that could be classified?
pub(super) fn is_empty(text: &str) -> bool {
    !tokens(text).iter().any(|token| !matches!(token, Token::Break))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_openers_part_the_wishes() {
        assert_eq!(clauses("你好，我车坏了，我想报保险，去哪儿修"), ["你好", "我车坏了", "我想报保险", "去哪儿修"]);
        assert_eq!(clauses("我车坏了我想报保险去哪儿修"), ["我车坏了", "我想报保险", "去哪儿修"]);
        assert_eq!(clauses("my card is lost and I want a new one"), ["my card is lost", "and i want a new one"]);
    }

    #[test]
    fn courtesies_do_not_change_the_core() {
        assert_eq!(core("你好，我车坏了"), core("车坏了"));
        assert_eq!(core("uh please repeat that"), core("Repeat that."));
        assert_ne!(core("也不是"), core("也是"));
    }
}

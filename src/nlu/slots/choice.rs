//! Which of the options read out: 第二个, 最后那个, the first one, neither, or one by its name.

use super::Found;
use super::lex::{Piece, find_phrase, phrase, pieces, span};
use super::{numeral_en, numeral_zh};

const NONE: [&str; 12] =
    ["neither", "none of", "none", "都不要", "都不是", "都不", "一个都不", "没有一个", "不要了", "以上都不", "not any", "no one"];
const LAST: [&str; 10] = ["最后一个", "最后那个", "最后的", "最后", "末尾", "last one", "the last", "final one", "bottom one", "最下面"];
const FIRST: [&str; 5] = ["最前面", "头一个", "最上面", "former", "top one"];
const SECOND: [&str; 2] = ["latter", "other one"];
/// The names of an option and what was said must share so much of their sounds to be the same.
const ALIKE: f32 = 0.5;

/// The place said: from 1, or from -1 at the end; 0 none of them.
pub(super) fn place(pieces: &[Piece]) -> Option<Found> {
    let found = |place: i64, i: usize, n: usize| Some(Found::numbered(place.to_string(), place as f64, span(&pieces[i..i + n])));
    if let Some((i, n)) = find_phrase(pieces, &NONE) {
        return found(0, i, n);
    }
    if let Some((i, n)) = find_phrase(pieces, &["倒数第"]) {
        let (value, length) = numeral_zh::cardinal(pieces, i + n)?;
        return found(-(value as i64), i, n + length);
    }
    for (phrases, value) in [(&LAST[..], -1), (&FIRST[..], 1), (&SECOND[..], 2)] {
        if let Some((i, n)) = find_phrase(pieces, phrases) {
            return found(value, i, n);
        }
    }
    (0..pieces.len()).find_map(|i| {
        if let Some((value, n)) = numeral_en::ordinal(pieces, i) {
            return found(i64::from(value), i, n);
        }
        let lead = phrase(pieces, i, "第").unwrap_or(0);
        let (value, n) = numeral_zh::cardinal(pieces, i + lead).or_else(|| numeral_en::cardinal(pieces, i + lead))?;
        // 一下 and 一点 are no choice.
        let bare = lead == 0 && pieces.get(i + n).is_some_and(|next| matches!(next.text.as_str(), "下" | "点" | "些" | "样" | "直"));
        (!bare && value > 0.0).then(|| found(value as i64, i, lead + n)).flatten()
    })
}

/// Which of some labels is meant, from 0: by its place or by its name.
pub fn choose(text: &str, labels: &[&str]) -> Option<usize> {
    by_name(text, labels).or_else(|| {
        let place = place(&pieces(text))?.number? as i64;
        let index = if place > 0 { place - 1 } else { labels.len() as i64 + place };
        usize::try_from(index).ok().filter(|&index| place != 0 && index < labels.len())
    })
}

/// The one label that shares most with what was said, if it shares enough and no other as much.
fn by_name(text: &str, labels: &[&str]) -> Option<usize> {
    let said = sounds(text);
    let mut scores: Vec<(f32, usize)> = labels
        .iter()
        .enumerate()
        .map(|(i, label)| {
            let label = sounds(label);
            let shared = label.iter().filter(|sound| said.contains(sound)).count();
            (shared as f32 / label.len().max(1) as f32, i)
        })
        .collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    match scores.as_slice() {
        [(score, i)] if *score >= ALIKE => Some(*i),
        // 耳机那个: a part of the name is enough where no other option has it.
        [(first, i), (second, _), ..] if *second == 0.0 && *first > 0.0 || *first >= ALIKE && first > second => Some(*i),
        _ => None,
    }
}

/// A name as pairs of syllables (zh) and words (en).
fn sounds(text: &str) -> Vec<String> {
    use pinyin::ToPinyin;
    let all: Vec<String> = pieces(text)
        .iter()
        .filter(|piece| piece.kind != super::lex::Kind::Mark)
        .map(|piece| {
            piece.text.chars().next().and_then(|c| c.to_pinyin()).map_or_else(|| piece.text.clone(), |sound| sound.plain().to_owned())
        })
        .collect();
    let pairs = all.windows(2).map(|pair| pair.concat());
    if all.len() < 2 { all.clone() } else { pairs.collect() }
}

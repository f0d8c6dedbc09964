//! Names: 我叫王小明, 弓长张的张, 木子李, "my name is", and spelled ones.

use super::Found;
use super::lex::{Kind, Piece, find_phrase, phrase, span};

const LEADS_ZH: [&str; 8] = ["我的名字叫", "我的名字是", "名字叫", "名字是", "我叫", "免贵姓", "我姓", "叫我"];
const LEADS_EN: [&str; 9] = ["my name is", "my name's", "the name is", "this is", "i'm called", "call me", "i am", "i'm", "it's"];
/// Surnames told by their parts; the last character is the name.
const TOLD: [&str; 30] = [
    "弓长张",
    "木子李",
    "耳东陈",
    "立早章",
    "古月胡",
    "双口吕",
    "言午许",
    "草头黄",
    "口天吴",
    "双木林",
    "三横王",
    "三横一竖王",
    "干勾于",
    "人可何",
    "走肖赵",
    "十八子李",
    "奏耳郑",
    "关耳郑",
    "文刀刘",
    "卯金刀刘",
    "木土杜",
    "大肚黄",
    "示右祁",
    "禾呈程",
    "女尼妮",
    "双人徐",
    "余双人徐",
    "言射谢",
    "千里马",
    "方块田",
];
/// The longest Chinese name, compound surnames included.
const LONGEST: usize = 4;
/// The fewest letters that count as spelled.
const SPELLED: usize = 3;
/// Words after an English name.
const AFTER: [&str; 8] = ["speaking", "here", "and", "calling", "from", "please", "thanks", "sir"];

/// The name.
pub(super) fn find(pieces: &[Piece]) -> Option<Found> {
    spelled(pieces)
        .or_else(|| described(pieces))
        .or_else(|| introduced_zh(pieces))
        .or_else(|| introduced_en(pieces))
        .or_else(|| bare(pieces))
}

/// "smith s m y t h": the spelling counts.
fn spelled(pieces: &[Piece]) -> Option<Found> {
    let single = |piece: &Piece| piece.kind == Kind::Word && piece.text.len() == 1;
    let start = (0..pieces.len()).find(|&i| pieces[i..].iter().take_while(|piece| single(piece)).count() >= SPELLED)?;
    let letters: Vec<Piece> = pieces[start..].iter().take_while(|piece| single(piece)).cloned().collect();
    let name: String = letters.iter().map(|piece| piece.text.as_str()).collect();
    Some(Found::new(title(&name), span(&letters)))
}

/// 弓长张的张 伟大的伟: the character after 的, or the last of a surname told by its parts.
fn described(pieces: &[Piece]) -> Option<Found> {
    let mut name = String::new();
    let mut range: Option<std::ops::Range<usize>> = None;
    let mut i = 0;
    while i < pieces.len() {
        let told = TOLD.iter().filter_map(|told| phrase(pieces, i, told)).max();
        let of = (2..=3).find(|&n| {
            pieces.get(i + n).is_some_and(|piece| piece.text == "的")
                && pieces.get(i + n + 1).is_some_and(|named| pieces[i..i + n].iter().any(|piece| piece.text == named.text))
        });
        let (n, last) = match (told, of) {
            (_, Some(n)) => (n + 2, i + n + 1),
            (Some(n), None) => (n, i + n - 1),
            (None, None) => {
                i += 1;
                continue;
            }
        };
        name.push_str(&pieces[last].text);
        let start = range.map_or(pieces[i].at.start, |range| range.start);
        range = Some(start..pieces[last].at.end);
        i += n;
    }
    range.map(|range| Found::new(name, range))
}

fn introduced_zh(pieces: &[Piece]) -> Option<Found> {
    let (i, n) = find_phrase(pieces, &LEADS_ZH)?;
    han_name(pieces, i + n)
}

fn han_name(pieces: &[Piece], i: usize) -> Option<Found> {
    let n = pieces[i..]
        .iter()
        .take(LONGEST)
        .take_while(|piece| piece.kind == Kind::Han && !matches!(piece.text.as_str(), "的" | "是" | "我" | "啊" | "呢"))
        .count();
    (n > 0).then(|| {
        let name: String = pieces[i..i + n].iter().map(|piece| piece.text.as_str()).collect();
        Found::new(name, span(&pieces[i..i + n]))
    })
}

fn introduced_en(pieces: &[Piece]) -> Option<Found> {
    let (i, n) = find_phrase(pieces, &LEADS_EN)?;
    english(pieces, i + n)
}

fn english(pieces: &[Piece], i: usize) -> Option<Found> {
    let n = pieces[i..].iter().take(LONGEST).take_while(|piece| piece.kind == Kind::Word && !AFTER.contains(&piece.text.as_str())).count();
    let words: Vec<String> = pieces[i..i + n].iter().map(|piece| title(&piece.text)).collect();
    (n > 0).then(|| Found::new(words.join(" "), span(&pieces[i..i + n])))
}

/// Nothing but a name was said.
fn bare(pieces: &[Piece]) -> Option<Found> {
    let words = pieces.iter().all(|piece| piece.kind == Kind::Word);
    let han = pieces.iter().all(|piece| piece.kind == Kind::Han) && (2..=LONGEST).contains(&pieces.len());
    match (words && (1..=3).contains(&pieces.len()), han) {
        (true, _) => english(pieces, 0),
        (_, true) => han_name(pieces, 0),
        _ => None,
    }
}

/// Capitals as names have them: Mary O'Brien.
fn title(name: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.push(c)
        }
        start = c == '\'' && out.chars().count() <= 2;
    }
    out
}

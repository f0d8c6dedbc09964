//! Chinese characters as the Mandarin model's units (initial, toned final), and those units as syllables.

use pinyin::ToPinyin;

use super::tokens::Tokens;

/// Initials; `y` and `w` count as such here. Longer ones first.
const INITIALS: [&str; 23] =
    ["zh", "ch", "sh", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "r", "z", "c", "s", "y", "w"];

/// Words whose characters are read otherwise than alone.
const WORDS: [(&str, &[&str]); 30] = [
    ("银行", &["yín", "háng"]),
    ("商行", &["shāng", "háng"]),
    ("行业", &["háng", "yè"]),
    ("重新", &["chóng", "xīn"]),
    ("重复", &["chóng", "fù"]),
    ("还款", &["huán", "kuǎn"]),
    ("归还", &["guī", "huán"]),
    ("退还", &["tuì", "huán"]),
    ("调整", &["tiáo", "zhěng"]),
    ("调解", &["tiáo", "jiě"]),
    ("了解", &["liǎo", "jiě"]),
    ("便宜", &["pián", "yi"]),
    ("音乐", &["yīn", "yuè"]),
    ("快乐", &["kuài", "lè"]),
    ("得到", &["dé", "dào"]),
    ("觉得", &["jué", "de"]),
    ("睡觉", &["shuì", "jiào"]),
    ("地址", &["dì", "zhǐ"]),
    ("地方", &["dì", "fāng"]),
    ("地铁", &["dì", "tiě"]),
    ("目的", &["mù", "dì"]),
    ("的士", &["dī", "shì"]),
    ("长度", &["cháng", "dù"]),
    ("会计", &["kuài", "jì"]),
    ("处理", &["chǔ", "lǐ"]),
    ("数字", &["shù", "zì"]),
    ("几点", &["jǐ", "diǎn"]),
    ("都是", &["dōu", "shì"]),
    ("没有", &["méi", "yǒu"]),
    ("朝阳", &["cháo", "yáng"]),
];
const TONES: [(char, char); 25] = [
    ('ā', 'a'),
    ('á', 'a'),
    ('ǎ', 'a'),
    ('à', 'a'),
    ('ē', 'e'),
    ('é', 'e'),
    ('ě', 'e'),
    ('è', 'e'),
    ('ī', 'i'),
    ('í', 'i'),
    ('ǐ', 'i'),
    ('ì', 'i'),
    ('ō', 'o'),
    ('ó', 'o'),
    ('ǒ', 'o'),
    ('ò', 'o'),
    ('ū', 'u'),
    ('ú', 'u'),
    ('ǔ', 'u'),
    ('ù', 'u'),
    ('ǖ', 'v'),
    ('ǘ', 'v'),
    ('ǚ', 'v'),
    ('ǜ', 'v'),
    ('ü', 'v'),
];
const DIGITS: [&str; 10] = ["líng", "yī", "èr", "sān", "sì", "wǔ", "liù", "qī", "bā", "jiǔ"];

/// The units of a phrase; `None` when a character has no reading or a unit is not the model's.
pub fn tokens(phrase: &str, table: &Tokens) -> Option<Vec<u32>> {
    let mut out = Vec::new();
    for syllable in syllables(phrase)? {
        out.extend(units(&syllable, table)?);
    }
    (!out.is_empty()).then_some(out)
}

fn syllables(phrase: &str) -> Option<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = phrase;
    while let Some(c) = rest.chars().next() {
        if let Some((word, read)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            out.extend(read.iter().map(|syllable| (*syllable).to_owned()));
            rest = &rest[word.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if let Some(digit) = c.to_digit(10) {
            out.push(DIGITS[digit as usize].to_owned());
        } else if c.is_ascii_alphabetic() {
            out.push(c.to_ascii_uppercase().to_string());
        } else if c.is_alphanumeric() {
            out.push(c.to_pinyin()?.with_tone().to_owned());
        }
    }
    Some(out)
}

fn units(syllable: &str, table: &Tokens) -> Option<Vec<u32>> {
    let initial = INITIALS.iter().find(|initial| syllable.starts_with(**initial) && syllable.len() > initial.len());
    let Some(initial) = initial else { return Some(vec![table.number(syllable)?]) };
    let last = &syllable[initial.len()..];
    // After j, q, x and y the model writes ü as u, as pinyin does.
    Some(vec![table.number(initial)?, table.number(last)?])
}

/// Units as syllables with tones, separated by spaces.
pub fn text<'a>(units: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut after_initial = false;
    for unit in units {
        if !out.is_empty() && !after_initial {
            out.push(' ');
        }
        out.push_str(unit);
        after_initial = INITIALS.contains(&unit);
    }
    out
}

/// Syllables without tones, `ü` as `v`.
pub fn toneless(text: &str) -> String {
    text.chars().map(|c| TONES.iter().find(|(toned, _)| *toned == c).map_or(c, |(_, plain)| *plain)).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Tokens {
        let units = ["<blk>", "<sos/eos>", "<unk>", "y", "ín", "h", "áng", "l", "ǜ", "sh", "ù", "z", "ì", "èr", "c", "ā"];
        Tokens::parse(&units.iter().enumerate().map(|(at, unit)| format!("{unit} {at}\n")).collect::<String>()).unwrap()
    }

    #[test]
    fn characters_become_units_and_words_their_own_reading() {
        let table = table();
        let read = |phrase: &str| tokens(phrase, &table).map(|units| text(units.iter().map(|unit| table.text(*unit))));
        assert_eq!(read("银行"), Some("yín háng".into()));
        assert_eq!(read("数字 2"), Some("shù zì èr".into()));
        assert_eq!(read("绿"), Some("lǜ".into()));
        assert_eq!(read("中"), None, "no unit for it in this table");
        assert_eq!(read("，"), None);
    }

    #[test]
    fn tones_go() {
        assert_eq!(toneless("lǜ shù zì"), "lv shu zi");
    }
}

//! The tone of a sentence: words and phrases with a weight, turned by negation, raised by intensity. Chinese and English.
//!
//! A sentence's score lies between -1 and 1. A conversation's tone is that of its last customer turns, the last one counting most, so
//! that nobody is taken for angry for one mild word.

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use super::normalise::normalise;
use super::syllables;
use super::token::{Token, tokens};

const LEXICON: &str = include_str!("data/tone.txt");
/// Turns that a conversation's tone is made of.
pub const TURNS: usize = 3;
/// What each of them counts, the last first.
const SHARES: [f32; TURNS] = [3.0, 2.0, 1.0];
/// How soon a score comes near its end: the sum of weights `s` gives `s / √(s² + FLATTEN)`.
const FLATTEN: f32 = 12.0;
/// A negation within so many words before turns a word.
const REACH: usize = 3;
/// What is left of a negated word: not good is less than bad.
const TURNED: f32 = -0.7;
/// A word that is meant more.
const RAISED: f32 = 1.35;
/// A word that is meant less.
const LOWERED: f32 = 0.6;
/// What is said before "but", and after it.
const BEFORE_BUT: f32 = 0.5;
const AFTER_BUT: f32 = 1.4;
/// A negation that turns no word: what was expected did not come.
const BARE_NOT: f32 = -0.7;
/// An exclamation mark, at most [`MOST_MARKS`] of them.
const PER_MARK: f32 = 0.08;
const MOST_MARKS: usize = 3;
/// From this weight down it is no mild word.
const PLAIN: f32 = -1.5;
/// A recognizer that writes syllables makes other words of short or weak ones.
const LEAST_SYLLABLES: usize = 2;

/// The tone of one sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tone {
    /// -1 (displeased) to 1 (pleased), what happened included.
    pub score: f32,
    /// The same of reproach and praise alone: a broken car is bad, and no reason to be angry with us.
    pub temper: f32,
    /// Words that show displeasure; mild ones are not counted.
    pub sharp: u32,
    /// Words of those who have lost their patience: one is enough.
    pub angry: u32,
}

/// The tone of a conversation's last customer turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mood {
    last: VecDeque<Tone>,
}

impl Mood {
    /// A turn of the customer.
    pub fn hear(&mut self, tone: Tone) {
        self.last.push_front(tone);
        self.last.truncate(TURNS);
    }

    /// The tone over the last [`TURNS`] turns, the last one counting most.
    #[must_use]
    pub fn temper(&self) -> f32 {
        let shares: f32 = SHARES.iter().take(self.last.len()).sum();
        let sum: f32 = self.last.iter().zip(SHARES).map(|(tone, share)| tone.temper * share).sum();
        if shares > 0.0 { sum / shares } else { 0.0 }
    }

    /// Is it at `limit` or below, with the last turn on that side too, and by more than one mild word?
    #[must_use]
    pub fn is_below(&self, limit: f32) -> bool {
        let Some(last) = self.last.front() else { return false };
        let (sharp, angry) = self.last.iter().fold((0, 0), |(sharp, angry), tone| (sharp + tone.sharp, angry + tone.angry));
        self.temper() <= limit && last.temper < 0.0 && last.sharp > 0 && (angry > 0 || sharp > 1)
    }
}

/// Reads the words, so that the first sentence need not wait for it.
pub fn read() {
    LazyLock::force(&LEXICONS);
}

/// The tone of a sentence in Chinese or English, or in both.
#[must_use]
pub fn tone(text: &str) -> Tone {
    let sentence = normalise(text);
    let words: Vec<&str> = tokens(&sentence).into_iter().map(word_of).collect();
    let marks = text.chars().filter(|c| matches!(c, '!' | '！')).count().min(MOST_MARKS);
    weigh(&words, &LEXICONS.written, 1.0 + PER_MARK * marks as f32)
}

/// The tone of a Chinese sentence that a recognizer wrote as toneless syllables.
#[must_use]
pub fn tone_of_syllables(pinyin: &str) -> Tone {
    let words: Vec<&str> = pinyin.split_whitespace().collect();
    weigh(&words, &LEXICONS.spelt, 1.0)
}

/// The word of a token; nothing reaches over an empty one.
fn word_of(token: Token<'_>) -> &str {
    match token {
        Token::Word(word) | Token::Han(_, word) | Token::Number(word) => word,
        Token::Mask | Token::Break => "",
    }
}

/// Something that is said with a tone, or that changes one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cue {
    /// A reproach, or a praise.
    Weight(f32),
    /// The same of somebody who has lost his patience.
    Anger(f32),
    /// What happened: it tells of displeasure, and shows none.
    Fact(f32),
    Not,
    More,
    Less,
    But,
}

/// Phrases by their first word, the longest first; stems by themselves.
#[derive(Debug, Default)]
struct Lexicon {
    phrases: BTreeMap<String, Vec<(Vec<String>, Cue)>>,
    stems: Vec<(String, Cue)>,
}

struct Lexicons {
    written: Lexicon,
    spelt: Lexicon,
}

static LEXICONS: LazyLock<Lexicons> = LazyLock::new(|| {
    let (mut written, mut spelt) = (Lexicon::default(), Lexicon::default());
    for (phrase, cue) in entries() {
        if let Some(sounds) = syllables(&phrase).filter(|sounds| is_plain_by_ear(sounds.len(), cue)) {
            spelt.add(sounds.iter().map(ToString::to_string).collect(), cue);
        }
        match phrase.strip_suffix('*') {
            Some(stem) if !stem.contains(' ') => written.stems.push((stem.to_owned(), cue)),
            _ => {
                let phrase = phrase.trim_end_matches('*');
                written.add(tokens(phrase).into_iter().map(|token| word_of(token).to_owned()).collect(), cue);
            }
        }
    }
    written.finish();
    spelt.finish();
    Lexicons { written, spelt }
});

/// Words that change the tone of those beside them.
const CHANGERS: [(Cue, &str); 8] = [
    (
        Cue::Not,
        "not no never none neither nor without cannot can't cant don't dont doesn't doesnt didn't didnt isn't isnt aren't arent wasn't wasnt \
         weren't won't wont wouldn't wouldnt couldn't couldnt shouldn't haven't hasn't hadn't ain't hardly barely scarcely rarely nowhere",
    ),
    (Cue::Not, "不 没 没有 别 未 并不 并非 毫无 从不 从没 从来没 不太 不怎么 不够 不是很 不算 没啥 没什么 谈不上 算不上 缺乏 不能"),
    (
        Cue::More,
        "very really so extremely absolutely totally completely incredibly highly super truly especially particularly utterly deeply \
         terribly awfully insanely such too most entirely thoroughly freaking",
    ),
    (Cue::More, "很 非常 太 真 真是 超 超级 特别 极 极其 极度 十分 相当 实在 实在是 简直 简直是 完全 根本 最 这么 那么 如此 越来越"),
    (Cue::Less, "slightly somewhat fairly rather little bit mostly almost sometimes partly kinda sorta"),
    (Cue::Less, "有点 有些 稍微 略 比较 还算 不那么"),
    (Cue::But, "but however although though unfortunately yet except"),
    (Cue::But, "但 但是 可是 不过 然而 只是 就是"),
];

/// All phrases with what they do.
fn entries() -> impl Iterator<Item = (String, Cue)> {
    let weighed = LEXICON.lines().filter_map(|line| {
        let (head, body) = line.split_once(": ").filter(|_| !line.starts_with('#'))?;
        let mut head = head.split(' ');
        let by = if head.next()? == "en" { ',' } else { ' ' };
        let weight: f32 = head.next()?.parse().ok()?;
        let cue = match head.next() {
            Some("anger") => Cue::Anger(weight),
            Some(_) => Cue::Fact(weight),
            None => Cue::Weight(weight),
        };
        Some(body.split(by).map(move |phrase| (phrase.trim().to_owned(), cue)))
    });
    let changers = CHANGERS.iter().flat_map(|(cue, words)| words.split_whitespace().map(move |word| (word.to_owned(), *cue)));
    changers.chain(weighed.flatten()).filter(|(phrase, _)| !phrase.is_empty())
}

/// By ear only words are told apart that are long enough or change others.
fn is_plain_by_ear(length: usize, cue: Cue) -> bool {
    match cue {
        Cue::Weight(_) | Cue::Anger(_) | Cue::Fact(_) => length >= LEAST_SYLLABLES,
        Cue::Not | Cue::More => true,
        Cue::Less | Cue::But => length >= LEAST_SYLLABLES,
    }
}

impl Lexicon {
    /// What is added later counts where two are the same.
    fn add(&mut self, words: Vec<String>, cue: Cue) {
        let Some(first) = words.first().cloned() else { return };
        let of_first = self.phrases.entry(first).or_default();
        of_first.retain(|(known, _)| *known != words);
        of_first.push((words, cue));
    }

    fn finish(&mut self) {
        self.phrases.values_mut().for_each(|of_first| of_first.sort_by_key(|(words, _)| std::cmp::Reverse(words.len())));
        self.stems.sort_by(|left, right| left.0.cmp(&right.0));
    }

    /// The longest phrase at the start of these words, and its length.
    fn find(&self, words: &[&str]) -> Option<(usize, Cue)> {
        let first = *words.first()?;
        let of_first = self.phrases.get(first).into_iter().flatten();
        let is_here = |phrase: &&(Vec<String>, Cue)| phrase.0.len() <= words.len() && phrase.0.iter().zip(words).all(|(a, b)| a == b);
        let phrase = of_first.clone().find(is_here).map(|(phrase, cue)| (phrase.len(), *cue));
        phrase.or_else(|| self.stem(first).map(|cue| (1, cue)))
    }

    fn stem(&self, word: &str) -> Option<Cue> {
        let upto = self.stems.partition_point(|(stem, _)| stem.as_str() <= word);
        // A stem sorts before what begins with it; the nearest ones before are looked at.
        self.stems[..upto].iter().rev().take(NEAR_STEMS).find(|(stem, _)| word.starts_with(stem.as_str())).map(|(_, cue)| *cue)
    }
}

/// Stems that may stand between a word and its own stem in the order of the alphabet.
const NEAR_STEMS: usize = 8;

/// What changes the next words, and how far back it was said.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    not: Option<usize>,
    more: Option<usize>,
    less: Option<usize>,
}

impl Before {
    /// Does a negation reach this place?
    fn negates(&self, at: usize) -> bool {
        self.not.is_some_and(|place| at - place <= REACH)
    }

    /// The weight of a word at this place, changed by what was said before it.
    fn change(&self, at: usize, weight: f32) -> f32 {
        let near = |place: Option<usize>| place.is_some_and(|place| at - place <= REACH);
        let mut weight = weight;
        if near(self.more) {
            weight *= RAISED;
        }
        if near(self.less) {
            weight *= LOWERED;
        }
        if self.negates(at) {
            weight *= TURNED;
        }
        weight
    }
}

fn weigh(words: &[&str], lexicon: &Lexicon, loudness: f32) -> Tone {
    let (mut sum, mut reproach, mut tone, mut before, mut but) = (0.0f32, 0.0f32, Tone::default(), Before::default(), 1.0f32);
    let (mut at, mut bare) = (0, 0u32);
    while at < words.len() {
        if words[at].is_empty() {
            before = Before::default();
            at += 1;
            continue;
        }
        let Some((length, cue)) = lexicon.find(&words[at..]) else {
            at += 1;
            continue;
        };
        match cue {
            Cue::Weight(weight) | Cue::Anger(weight) | Cue::Fact(weight) => {
                bare -= u32::from(weight != 0.0 && before.negates(at));
                let weight = before.change(at, weight);
                sum += weight * but;
                if !matches!(cue, Cue::Fact(_)) {
                    reproach += weight * but;
                    tone.sharp += u32::from(weight <= PLAIN);
                    tone.angry += u32::from(weight <= PLAIN && matches!(cue, Cue::Anger(_)));
                }
                // What was negated or raised is; the next word is not.
                before = Before::default();
            }
            Cue::Not => {
                bare += 1;
                before.not = Some(at + length - 1);
            }
            Cue::More => before.more = Some(at + length - 1),
            Cue::Less => before.less = Some(at + length - 1),
            Cue::But => {
                sum *= BEFORE_BUT;
                reproach *= BEFORE_BUT;
                but = AFTER_BUT;
                before = Before::default();
            }
        }
        at += length;
    }
    tone.score = flat((sum + BARE_NOT * bare as f32) * loudness);
    tone.temper = flat(reproach * loudness);
    tone
}

/// A sum of weights between -1 and 1.
fn flat(sum: f32) -> f32 {
    sum / (sum * sum + FLATTEN).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = include_str!("data/tone_zh.test.tsv");

    #[test]
    fn s20_own_sentences_of_customers_are_told_apart_in_chinese() {
        let lines: Vec<(&str, &str)> = OWN.lines().filter_map(|line| line.split_once('\t')).collect();
        let right = lines.iter().filter(|(label, text)| (*label == "0") == (tone(text).score < 0.0)).count();
        assert!(lines.len() > 60 && right * 100 >= lines.len() * 90, "{right} of {}", lines.len());
    }

    #[test]
    fn s20_a_negation_turns_a_word_and_but_weighs_what_follows() {
        for (better, worse) in [
            ("the food is good", "the food is not good"),
            ("it is not bad", "it is bad"),
            ("it was slow but I love it", "I love it but it was slow"),
            ("it is bad", "it is very bad"),
            ("it is bad", "it is bad!!!"),
            ("服务很好", "服务不是很好"),
            ("没有什么不满意的", "我很不满意"),
            ("东西不错", "东西不好"),
            ("有点慢，但是很满意", "很满意，但是太慢了"),
        ] {
            assert!(tone(better).score > tone(worse).score, "{better} / {worse}: {:?} {:?}", tone(better), tone(worse));
        }
    }

    #[test]
    fn s20_what_happened_is_no_anger_and_a_question_has_no_tone() {
        for calm in [
            "我要报保险，车追尾了，保险杠坏了",
            "请问怎么投诉",
            "不好意思，我没听清",
            "麻烦你帮我查一下快递",
            "I had an accident and my car is damaged",
            "my card was stolen, please block it",
            "I want a refund for the broken one",
            "",
        ] {
            assert!(tone(calm).temper >= 0.0 && tone(calm).sharp == 0, "{calm}: {:?}", tone(calm));
        }
    }

    fn heard(sentences: &[&str]) -> Mood {
        let mut mood = Mood::default();
        sentences.iter().for_each(|sentence| mood.hear(tone(sentence)));
        mood
    }

    #[test]
    fn s20_nobody_is_angry_by_one_mild_word_and_a_friendly_turn_calms() {
        const LIMIT: f32 = -0.4;
        for angry in [
            vec!["什么垃圾服务，我要投诉"],
            vec!["你们怎么回事，等了半天没人接", "烦死了，又让我重复"],
            vec!["you people are useless"],
            vec!["this is not good", "I am not happy at all"],
            vec!["你们就是骗子"],
        ] {
            assert!(heard(&angry).is_below(LIMIT), "{angry:?}: {:?}", heard(&angry));
        }
        for calm in [
            vec!["不好"],
            vec!["太慢了"],
            vec!["bad"],
            vec!["I had a terrible accident"],
            vec!["对方已经起诉了，我请了律师"],
            vec!["太糟糕了"],
            vec!["太慢了", "好的，谢谢", "查一下订单"],
            vec!["什么垃圾服务，我要投诉", "好的，谢谢，太感谢了"],
            vec!["车坏了", "钱丢了", "一直打不通"],
        ] {
            assert!(!heard(&calm).is_below(LIMIT), "{calm:?}: {:?}", heard(&calm));
        }
    }

    #[test]
    fn s20_a_tone_is_heard_in_syllables_where_a_recognizer_writes_no_characters() {
        let angry = tone_of_syllables("ni men tai guo fen le wo yao tou su");
        assert!(angry.angry > 0 && angry.temper < -0.5, "{angry:?}");
        assert_eq!(tone_of_syllables("wo yao cha kuai di").sharp, 0);
    }
}

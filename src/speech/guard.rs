//! Guards against what a large model writes when nobody spoke: phantoms, loops, more words than fit into the time, or far fewer.

/// Characters a second that nobody speaks: English reaches 25, Mandarin 9 (each character counted as three).
const FASTEST: f32 = 33.0;
/// What a text may have however short the sound is.
const GRACE: f32 = 12.0;
/// Music and noise come in long utterances, of which a model makes a short sentence. Whoever speaks so long without the pause that
/// ends an utterance says more; what is shorter may be a hesitation.
const LONG: f32 = 10.0;
/// Characters a second that the slowest speaker reaches in a long utterance; hesitant English has 4, Mandarin (as above) 6.
const SLOWEST: f32 = 2.5;
/// A digit is a word.
const DIGIT: f32 = 4.0;
/// The same piece of text this often in a row is a loop.
const LOOPS: usize = 4;
/// A loop's piece has at most so many characters.
const LONGEST_PIECE: usize = 24;
/// Below this confidence a courtesy that models are known to invent is not believed.
const COURTESY: f32 = 0.6;

/// Sentences of subtitles that models write for silence and music; letters and digits only, lower case.
const PHANTOMS: &[&str] = &[
    "thanksforwatching",
    "thankyouforwatching",
    "thankyouforlistening",
    "pleasesubscribe",
    "likeandsubscribe",
    "seeyounexttime",
    "seeyouinthenextvideo",
    "subtitlesbytheamaraorgcommunity",
    "subtitlesby",
    "transcriptionby",
    "castingwords",
    "wwwmooji",
    "blankaudio",
    "字幕由amaraorg社区提供",
    "字幕由amaraorg社區提供",
    "字幕志愿者",
    "字幕志願者",
    "字幕提供",
    "感谢观看",
    "感謝觀看",
    "谢谢观看",
    "謝謝觀看",
    "谢谢收看",
    "謝謝收看",
    "请不吝点赞",
    "請不吝點贊",
    "订阅转发",
    "明镜与点点",
    "优优独播剧场",
    "中文字幕",
];
/// Courtesies that are said as well as invented.
const COURTESIES: &[&str] = &["thankyou", "thanks", "you", "bye", "byebye", "okay", "so", "谢谢", "谢谢大家", "嗯"];

/// Why a text is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Nothing but marks and notes.
    Empty,
    /// A known phantom.
    Phantom,
    /// The same again and again.
    Loop,
    /// More than fits into the time.
    TooMuch,
    /// Far less than a voice says in so long a time.
    TooLittle,
}

/// Looks at a text with its confidence and the seconds of sound it came from.
///
/// # Errors
/// The reason for doubt.
pub fn check(text: &str, confidence: f32, seconds: f32) -> Result<String, Doubt> {
    let spoken = without_notes(text);
    let bare: String = spoken.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if bare.is_empty() {
        return Err(Doubt::Empty);
    }
    let phantom = PHANTOMS.iter().any(|phantom| bare.contains(phantom)) || (confidence < COURTESY && COURTESIES.contains(&bare.as_str()));
    if phantom {
        return Err(Doubt::Phantom);
    }
    if is_loop(&bare) {
        return Err(Doubt::Loop);
    }
    if weight(&bare, 1.0) > GRACE + FASTEST * seconds {
        return Err(Doubt::TooMuch);
    }
    if seconds >= LONG && weight(&bare, DIGIT) < SLOWEST * seconds {
        return Err(Doubt::TooLittle);
    }
    Ok(spoken)
}

/// How much there is to say: letters, each digit as so many of them, each character of another script as three.
fn weight(bare: &str, digit: f32) -> f32 {
    bare.chars()
        .map(|c| {
            if c.is_ascii_digit() {
                digit
            } else if c.is_ascii() {
                1.0
            } else {
                3.0
            }
        })
        .sum()
}

/// Takes out `[BLANK_AUDIO]`, `(music)`, `*coughs*` and notes of music.
fn without_notes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut closing = None;
    for c in text.chars() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '[') => closing = Some(']'),
            (None, '(') => closing = Some(')'),
            (None, '（') => closing = Some('）'),
            (None, '【') => closing = Some('】'),
            (None, '*') => closing = Some('*'),
            (None, '♪' | '♫' | '\u{FFFD}') => {}
            (None, c) => out.push(c),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Digits are spared: 0000 is a number.
fn is_loop(bare: &str) -> bool {
    let chars: Vec<char> = bare.chars().collect();
    (1..=LONGEST_PIECE.min(chars.len() / LOOPS)).any(|size| {
        let mut same = 0;
        for at in size..chars.len() {
            same = if chars[at] == chars[at - size] && !chars[at].is_ascii_digit() { same + 1 } else { 0 };
            if same >= size * (LOOPS - 1) {
                return true;
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_passes() {
        for (text, seconds) in [
            (" I want to check my order.", 1.8),
            ("我车坏了，我想报保险，去哪儿修", 2.6),
            ("0 0 0 0 0", 2.0),
            ("好的好的", 0.8),
            ("1 3 8 0 0 1 3 8 0 0 0", 14.0),
            ("我想问一下我上个星期订的那个沙发什么时候能送到", 18.0),
        ] {
            assert_eq!(check(text, 0.9, seconds), Ok(text.trim().to_owned()));
        }
    }

    #[test]
    fn phantoms_are_not_believed() {
        for text in [" Thanks for watching!", "请不吝点赞 订阅 转发", "Subtitles by the Amara.org community"] {
            assert_eq!(check(text, 0.9, 3.0), Err(Doubt::Phantom), "{text}");
        }
        for text in [" [BLANK_AUDIO]", "(music)", "♪♪", "*coughs*", "..."] {
            assert_eq!(check(text, 0.9, 3.0), Err(Doubt::Empty), "{text}");
        }
    }

    #[test]
    fn thank_you_is_believed_only_when_it_was_clear() {
        assert_eq!(check("Thank you.", 0.4, 1.0), Err(Doubt::Phantom));
        assert!(check("Thank you.", 0.8, 1.0).is_ok());
    }

    #[test]
    fn loops_floods_and_drops_are_not_believed() {
        assert_eq!(check("the car the car the car the car the car", 0.9, 5.0), Err(Doubt::Loop));
        assert_eq!(check("我我我我我我", 0.9, 5.0), Err(Doubt::Loop));
        assert_eq!(check("I want to check my order", 0.9, 20.0), Err(Doubt::TooLittle));
        assert_eq!(check("我要查订单", 0.9, 15.0), Err(Doubt::TooLittle));
        let flood = "I would like to know whether my parcel has been sent today or tomorrow or never";
        assert_eq!(check(flood, 0.9, 0.5), Err(Doubt::TooMuch));
    }
}

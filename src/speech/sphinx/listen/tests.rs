//! Real decoding of recorded people in the telephone band, where the packages and the shared clips are there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::control::words::Lang;
use crate::control::words::speech::Hints;
use crate::speech::RATE;
use crate::speech::resample::resample;
use crate::speech::wav::Wav;

fn sphinx() -> Option<Sphinx> {
    let model = Model::load(Path::new("/usr/share/pocketsphinx/model/en-us"));
    if let Err(why) = &model {
        println!("SKIPPED: {why}");
    }
    Some(Sphinx::new(&Arc::new(model.ok()?)))
}

/// A clip as narrow as a telephone line.
fn clip(name: &str) -> Option<Vec<i16>> {
    let shared = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    let path = PathBuf::from(shared).join(format!("data/speech/wav/{name}.wav"));
    if !path.is_file() {
        println!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(resample(&Wav::read(&path).unwrap().mono(8_000), 8_000, RATE))
}

fn terms(expect: Expect, phrases: &[&str]) -> Terms {
    let phrases: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
    let hints = Hints { key: phrases.len() as u64, phrases, grammar: None };
    Terms { lang: Lang::new("en-US"), expect, hints: Arc::new(hints), budget: Duration::from_secs(10) }
}

fn hear(sphinx: &mut Sphinx, pcm: &[i16], terms: &Terms) -> Result<Reading, Nothing> {
    let mut hearing = sphinx.hear(terms)?;
    pcm.chunks(320).for_each(|frame| drop(hearing.push(frame)));
    hearing.finish()
}

#[test]
fn a_choice_of_the_menu_is_heard_and_other_speech_is_refused() {
    let (Some(mut sphinx), Some(meant), Some(foreign)) = (sphinx(), clip("en_goforward"), clip("zh_wenetspeech_4")) else { return };
    let menu = terms(Expect::Sentence, &["go forward ten meters", "turn left", "stop at once"]);
    let reading = hear(&mut sphinx, &meant, &menu).unwrap();
    assert_eq!(reading.text, "go forward ten meters");
    assert!(reading.confidence > REFUSED, "{}", reading.confidence);
    assert_eq!(hear(&mut sphinx, &foreign, &menu), Err(Nothing::Rejected), "Mandarin is no choice of an English menu");
    assert_eq!(hear(&mut sphinx, &[0; 32_000], &menu).err(), Some(Nothing::Rejected), "nobody spoke");
}

#[test]
fn a_choice_of_one_word_is_asked_back_and_a_longer_one_is_believed() {
    let (Some(mut sphinx), Some(eight), Some(meant)) = (sphinx(), clip("en_fsdd_s1_8_3"), clip("en_goforward")) else { return };
    let menu = terms(Expect::Sentence, &["agent", "hello", "go forward ten meters", "track my parcel"]);
    if let Ok(reading) = hear(&mut sphinx, &eight, &menu) {
        assert!(reading.confidence <= MOST_FOR_ONE_WORD, "a digit for a choice: {reading:?}");
    }
    let reading = hear(&mut sphinx, &meant, &menu).unwrap();
    assert!(reading.confidence > REFUSED, "{reading:?}");
}

#[test]
fn short_words_are_never_quite_believed_so_that_a_plan_asks_back() {
    let (Some(mut sphinx), Some(no)) = (sphinx(), clip("en_no")) else { return };
    match hear(&mut sphinx, &no, &terms(Expect::YesNo, &[])) {
        Ok(reading) => assert!(reading.text == "no" && reading.confidence <= MOST_FOR_WORDS, "{reading:?}"),
        Err(why) => assert_eq!(why, Nothing::Rejected),
    }
}

#[test]
fn without_anything_to_say_there_is_nothing_to_listen_for() {
    let Some(mut sphinx) = sphinx() else { return };
    assert!(matches!(sphinx.hear(&terms(Expect::Sentence, &[])), Err(Nothing::NoEngine)));
    assert!(matches!(sphinx.hear(&terms(Expect::Sentence, &["zxqv"])), Err(Nothing::NoEngine)), "a word that cannot be said");
}

#[test]
fn thirty_two_callers_are_heard_at_once_and_the_next_one_is_told() {
    let Some(mut sphinx) = sphinx() else { return };
    let menu = terms(Expect::Sentence, &["track my order"]);
    let ears: Vec<_> = (0..MOST_UTTERANCES).map(|nth| sphinx.hear(&menu).unwrap_or_else(|why| panic!("{nth}: {why:?}"))).collect();
    assert!(matches!(sphinx.hear(&menu), Err(Nothing::Overloaded)));
    drop(ears);
    assert!(sphinx.hear(&menu).is_ok(), "who has spoken makes room");
}

#[test]
fn what_is_quiet_is_raised_and_what_is_loud_is_lowered() {
    let even = |peak: i16| {
        let mut level = Level::default();
        let mut out = level.even(&vec![peak; LEVEL_SAMPLES]);
        out.extend(level.rest());
        out
    };
    assert!(even(20_000).iter().all(|sample| (i32::from(*sample) - LEVEL_PEAK).abs() < 3));
    assert!(even(5_000).iter().all(|sample| (i32::from(*sample) - LEVEL_PEAK).abs() < 3));
    assert_eq!(even(100).len(), LEVEL_SAMPLES, "what never gets loud is given on in the end");
    assert!(even(100).iter().all(|sample| *sample < 500), "and noise stays noise");
}

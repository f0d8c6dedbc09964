//! Prompts from outside: what wins, what is kept, what fails and says why.

use std::time::{Duration, Instant};

use super::*;
use crate::control::words::Lang;

fn config(folder: &Path) -> Config {
    Config { folder: folder.join("prompts"), cache: folder.join("cache"), ..Config::default() }
}

fn text(words: &str, lang: &str, id: Option<&str>) -> Prompt {
    Prompt::Text { id: id.map(str::to_owned), text: words.into(), lang: Lang::new(lang) }
}

fn has_espeak() -> bool {
    let there = std::process::Command::new("espeak-ng").arg("--version").output().is_ok();
    if !there {
        println!("SKIPPED: espeak-ng is not installed");
    }
    there
}

/// Until the cell is filled; the thread that fills it is real.
fn filled(sound: &Arc<Sound>) -> Result<Audio, String> {
    let begun = Instant::now();
    loop {
        if let Some(outcome) = sound.outcome() {
            return outcome.cloned().map_err(str::to_owned);
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the sound never came");
        std::thread::yield_now();
    }
}

#[test]
fn text_is_spoken_in_both_languages_and_kept_on_disk() {
    if !has_espeak() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut prompts = Prompts::start(config(folder.path())).unwrap();
    for (words, lang) in [("Which order is it about?", "en-US"), ("请问您要查询哪个订单？", "zh-CN")] {
        let audio = filled(&prompts.sound(&text(words, lang, None))).unwrap();
        assert!((800..6_000).contains(&audio.duration().as_millis()), "{lang}: {:?}", audio.duration());
        assert!(audio.linear().iter().any(|sample| sample.unsigned_abs() > 3_000));
    }
    assert_eq!(std::fs::read_dir(folder.path().join("cache")).unwrap().count(), 2);
    let mut config = config(folder.path());
    config.espeak = "/nowhere/espeak-ng".into();
    // The name of the engine is in the key, not its path: what was made serves without the program.
    assert!(Maker::new(config).make(&text("Which order is it about?", "en-US", None)).is_ok());
}

#[test]
fn a_recorded_file_wins_over_synthesis() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.espeak = "/nowhere/espeak-ng".into();
    std::fs::create_dir_all(config.folder.join("en")).unwrap();
    let form = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(config.folder.join("en/greeting.wav"), form).unwrap();
    (0..16_000).for_each(|_| file.write_sample(500i16).unwrap());
    file.finalize().unwrap();
    let audio = Maker::new(config).make(&text("Hello", "en-US", Some("greeting"))).unwrap();
    assert_eq!(audio.duration(), Duration::from_secs(1));
    assert!((490..510).contains(&audio.linear()[4_000]));
}

#[test]
fn what_cannot_be_had_says_so_and_names_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.espeak = "/nowhere/espeak-ng".into();
    let mut prompts = Prompts::start(config).unwrap();
    let missing = filled(&prompts.sound(&text("Hello", "en-US", None))).unwrap_err();
    assert!(missing.contains("apt-get install espeak-ng"), "{missing}");
    let no_voice = filled(&prompts.sound(&text("Hei", "xx", None))).unwrap_err();
    assert!(no_voice.contains("no voice speaks 'xx'"), "{no_voice}");
    let no_file = filled(&prompts.sound(&Prompt::File("gone.wav".into()))).unwrap_err();
    assert!(no_file.contains("gone.wav"), "{no_file}");
    let outside = filled(&prompts.sound(&Prompt::File("../../etc/passwd".into()))).unwrap_err();
    assert!(outside.contains("is no file below"), "{outside}");
}

#[test]
fn the_same_prompt_is_the_same_sound_and_a_failed_one_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut prompts = Prompts::start(config(folder.path())).unwrap();
    let music = prompts.sound(&Prompt::Music(None));
    assert!(filled(&music).unwrap().duration() > Duration::from_secs(20));
    assert!(Arc::ptr_eq(&music, &prompts.sound(&Prompt::Music(None))));
    let failed = prompts.sound(&Prompt::File("later.wav".into()));
    assert!(filled(&failed).is_err());
    assert!(!Arc::ptr_eq(&failed, &prompts.sound(&Prompt::File("later.wav".into()))));
}

#[test]
fn prompts_made_ahead_are_there_and_memory_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut prompts = Prompts::start(config(folder.path())).unwrap();
    prompts.warm([Prompt::Music(None), Prompt::Tone { hertz: 440, ms: 5_000 }]);
    assert!(filled(&prompts.sound(&Prompt::Tone { hertz: 440, ms: 5_000 })).is_ok());
    for ms in 0..2 * KEPT {
        prompts.sound(&Prompt::Silence { ms: ms as u32 });
    }
    assert!(prompts.kept.len() <= KEPT);
}

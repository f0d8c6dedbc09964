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

/// A small WAV of one second, as a voice would write it.
fn spoken() -> Vec<u8> {
    let form = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut file = hound::WavWriter::new(&mut bytes, form).unwrap();
    (0..16_000).for_each(|at| file.write_sample((at % 100 * 80) as i16).unwrap());
    file.finalize().unwrap();
    bytes.into_inner()
}

fn maker(folder: &Path, how: Other) -> Maker {
    Maker::new(Config { others: [("en".to_owned(), how)].into(), espeak: "/nowhere/espeak".into(), ..config(folder) })
}

#[test]
fn a_command_that_reads_text_and_writes_wav_is_a_voice() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.wav");
    std::fs::write(&sound, spoken()).unwrap();
    let script = folder.path().join("speak.sh");
    std::fs::write(&script, format!("cat > {}\ncat {}\n", folder.path().join("text").display(), sound.display())).unwrap();
    let mut maker = maker(folder.path(), Other::Command(format!("sh {}", script.display())));
    let audio = maker.make(&text("Hello, --you.", "en-US", None)).unwrap();
    assert_eq!(audio.linear().len(), 8_000, "one second at the telephone's rate");
    assert_eq!(std::fs::read_to_string(folder.path().join("text")).unwrap(), "Hello, --you.");
    std::fs::remove_file(&sound).unwrap();
    assert!(maker.make(&text("Hello, --you.", "en-US", None)).is_ok(), "what was spoken once is kept");
    let other = maker.make(&text("你好", "zh-CN", None)).unwrap_err();
    assert!(other.contains("espeak"), "the next voice was asked, and is not there: {other}");
}

#[test]
fn a_voice_that_fails_or_takes_too_long_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (line, why) in
        [("false", "exit status"), ("/nowhere/piper", "does not start"), ("true", "no WAV file"), ("tail -f /dev/null", "no sound within")]
    {
        let mut voice = OtherVoice::new("*", Other::Command(line.into())).within(Duration::from_millis(300));
        let said = voice.speak("Hello", &Lang::new("en")).unwrap_err().to_string();
        assert!(said.contains(line) && said.contains(why), "{line}: {said}");
    }
    let failed = maker(folder.path(), Other::Command("false".into())).make(&text("Hello", "en-US", None)).unwrap_err();
    assert!(failed.contains("espeak"), "the last of the voices says what is missing: {failed}");
}

#[test]
fn an_openai_compatible_voice_is_asked_with_its_model_and_falls_back_when_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let sound = spoken();
    let (url, request) = voice_server(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sound.len()), sound);
    let audio = maker(folder.path(), Other::Http(format!("{url}?voice=amy&model=kokoro"))).make(&text("Hello.", "en-US", None)).unwrap();
    assert_eq!(audio.linear().len(), 8_000);
    let request = request.join().unwrap();
    assert!(request.starts_with("POST /v1/audio/speech "), "{request}");
    for part in ["\"voice\":\"amy\"", "\"model\":\"kokoro\"", "\"input\":\"Hello.\"", "\"response_format\":\"wav\""] {
        assert!(request.contains(part), "{part}: {request}");
    }
    let (url, request) = voice_server("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy".into(), Vec::new());
    let said = OtherVoice::new("*", Other::Http(url)).speak("Hello", &Lang::new("en")).unwrap_err().to_string();
    assert!(said.contains("503") && said.contains("busy"), "{said}");
    request.join().unwrap();
}

/// Answers one request; the request as text.
fn voice_server(head: String, body: Vec<u8>) -> (String, std::thread::JoinHandle<String>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut part) = (Vec::new(), [0u8; 4_096]);
        while !String::from_utf8_lossy(&request).contains('}') {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the request was cut off");
            request.extend_from_slice(&part[..length]);
        }
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        String::from_utf8_lossy(&request).into_owned()
    });
    (url, thread)
}

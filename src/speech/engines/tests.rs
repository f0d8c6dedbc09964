//! Which engine listens: by language, by what is asked, by what is there and by what fails.

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper/mini-q8_0.bin.gz")
}

fn shared_models() -> Option<PathBuf> {
    let shared = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    let models = Path::new(&shared).join("data/models");
    let there = models.is_dir();
    if !there {
        println!("SKIPPED: {} is missing", models.display());
    }
    there.then_some(models)
}

fn terms(lang: &str, expect: Expect, grammar: Option<&str>) -> Terms {
    let hints = Hints { key: 1, phrases: vec!["track my parcel".into()], grammar: grammar.map(str::to_owned) };
    Terms { lang: Lang::new(lang), expect, hints: Arc::new(hints), budget: std::time::Duration::from_secs(1) }
}

#[test]
fn what_is_not_there_is_told_with_its_mend_and_serves_nobody() {
    let config = Config { models: "/nowhere".into(), pocketsphinx: "/nowhere".into(), ..Config::default() };
    let engines = Engines::load(config).unwrap();
    assert!(!engines.any(Purpose::Live) && !engines.any(Purpose::AfterCall));
    let told = engines.missing().join("\n");
    assert!(told.contains("models pull whisper-base") && told.contains("zipformer") && told.contains("pocketsphinx"), "{told}");
    let none = Bench::new(Arc::new(engines), Purpose::Live).choose(&terms("en-US", Expect::Sentence, None)).err();
    assert_eq!(none, Some(Nothing::NoEngine));
}

#[test]
fn a_closed_form_in_english_goes_to_the_grammar_and_free_speech_to_the_transducer() {
    let Some(models) = shared_models() else { return };
    let engines = Engines::load(Config { models, ..Config::default() }).unwrap();
    let en = Lang::new("en-GB");
    if engines.serving(&en, Purpose::Live) != [Engine::Zipformer, Engine::Pocketsphinx] {
        return println!("SKIPPED: pocketsphinx is not installed");
    }
    let choose = |lang, expect, grammar| engines.choose(&terms(lang, expect, grammar), Purpose::Live);
    assert_eq!(choose("en-US", Expect::Sentence, None), Some(Engine::Zipformer));
    assert_eq!(choose("en-US", Expect::Digits, None), Some(Engine::Pocketsphinx));
    assert_eq!(choose("en-US", Expect::Sentence, Some("public <a> = b ;")), Some(Engine::Pocketsphinx));
    assert_eq!(choose("zh-CN", Expect::Digits, None), Some(Engine::Zipformer), "PocketSphinx knows English only");
    assert_eq!(choose("de", Expect::Digits, None), None);
}

#[test]
fn another_machine_that_fails_three_times_is_left_alone_and_the_next_engine_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let live = [("en".to_owned(), vec![Engine::Remote, Engine::Whisper])].into();
    let config =
        Config { whisper: Some(fixture()), models: "/nowhere".into(), remotes: [("*".to_owned(), url)].into(), live, ..Config::default() };
    let engines = Arc::new(Engines::load(config).unwrap());
    assert!(engines.asks_others());
    let mut bench = Bench::new(engines, Purpose::Live);
    let terms = terms("en-US", Expect::Sentence, None);
    let speech = crate::speech::wav::Wav::read(&fixture().with_file_name("wav/001-en.wav")).unwrap().mono(crate::speech::RATE);
    for _ in 0..3 {
        let recognizer = bench.choose(&terms).unwrap();
        assert_eq!(&**recognizer.name(), "http:127.0.0.1");
        let mut hearing = recognizer.hear(&terms).unwrap();
        hearing.push(&speech);
        assert_eq!(hearing.finish(), Err(Nothing::Failed));
    }
    assert_eq!(&**bench.choose(&terms).unwrap().name(), "whisper:mini-q8_0");
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    for url in ["ftp://host/x", "http//host", "wss://host"] {
        let config = Config { models: "/nowhere".into(), remotes: [("*".to_owned(), url.to_owned())].into(), ..Config::default() };
        let why = Engines::load(config).unwrap_err().to_string();
        assert!(why.contains(url), "{why}");
    }
}

//! The miniature model of tests/fixtures/mini-sentence, which has BERT's whole architecture.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::control::dialplan::{Medium as Way, Start, sim};
use crate::control::dialplan::{Source, load_with};
use crate::nlu::{Classifier, Focus, Intent, Medium, Options};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-sentence")
}

fn model() -> Arc<Model> {
    open(&folder()).expect("the fixture is whole")
}

#[test]
fn vectors_are_those_of_a_second_implementation() {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the fixture is whole");
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_str(&text).expect("the fixture is whole");
    assert!(expected.len() > 4);
    let model = model();
    for (sentence, expected) in expected {
        let meanings = model.meanings(&[&sentence]);
        let vector = meanings.of(&sentence).expect("each has one");
        let worst = vector.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(vector.len() == expected.len() && worst < 2e-4, "{sentence}: {worst}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_it_lacks() {
    let empty = tempfile::tempdir().expect("a folder");
    let why = Model::load(empty.path()).expect_err("nothing is there").to_string();
    assert!(why.contains(&empty.path().display().to_string()) && why.contains("model.onnx"), "{why}");
    std::fs::copy(folder().join("model.onnx"), empty.path().join("model.onnx")).expect("copied");
    let why = Model::load(empty.path()).expect_err("no tokenizer").to_string();
    assert!(why.contains("tokenizer.json"), "{why}");
    std::fs::copy(folder().join("tokenizer.json"), empty.path().join("tokenizer.json")).expect("copied");
    std::fs::create_dir(empty.path().join("1_Pooling")).expect("a folder");
    std::fs::write(empty.path().join("1_Pooling/config.json"), r#"{"pooling_mode_max_tokens": true}"#).expect("written");
    let why = Model::load(empty.path()).expect_err("such pooling is not known").to_string();
    assert!(why.contains("1_Pooling/config.json"), "{why}");
    std::fs::write(empty.path().join("model.onnx"), b"no network").expect("written");
    assert!(Model::load(empty.path()).expect_err("no network").to_string().contains("model.onnx"));
}

fn garage() -> Vec<Intent> {
    let intent = |id: &str, examples: &[&str]| Intent {
        id: id.to_owned(),
        examples: examples.iter().map(|text| (*text).to_owned()).collect(),
        ..Intent::default()
    };
    vec![
        intent("repair", &["my car is broken", "the car is damaged", "car defect", "我的车坏了"]),
        intent("refund", &["i want my money back", "money return please", "refund of my money", "我要退钱"]),
        intent("pay", &["my salary is late", "the salary is missing", "salary delayed", "薪晚了"]),
        intent("phone", &["i lost my phone", "my phone is stolen", "phone gone", "话机丢了"]),
    ]
}

/// None of these shares a word of weight with its intent's examples.
const REWORDED: [(&str, &str); 6] = [
    ("automobile wrecked", "repair"),
    ("vehicle kaput", "repair"),
    ("cash refund", "refund"),
    ("wages overdue", "pay"),
    ("earnings overdue", "pay"),
    ("handset vanished", "phone"),
];

#[test]
fn s5_other_words_of_the_same_meaning_are_understood_with_a_sentence_model_and_as_before_without() {
    let model = SentenceModel::of(model());
    let trained = Classifier::train(&garage(), &Options { meaning: &model, ..Options::default() }).expect("the intents are sound");
    let plain = Classifier::train(&garage(), &Options::default()).expect("the intents are sound");
    for medium in [Medium::Voice, Medium::Chat] {
        let mut by_words = 0;
        for (text, intent) in REWORDED {
            let ranked = trained.classify_meant(text, None, &model.of_sentence(text), medium, Focus::Everywhere);
            assert_eq!(ranked.best().map(|hit| hit.intent.as_str()), Some(intent), "{text}: {ranked:?}");
            let without = trained.classify(text, None, medium, Focus::Everywhere);
            assert_eq!(without, plain.classify(text, None, medium, Focus::Everywhere), "no vector in time: from the words alone");
            by_words += usize::from(without.best().is_some_and(|hit| hit.intent == intent && hit.confidence > 0.5));
        }
        assert!(by_words < REWORDED.len(), "the words alone must not be enough for all of these");
    }
}

#[test]
fn clauses_have_their_own_meaning() {
    let meanings = SentenceModel::of(model()).of_sentence("my car is broken and i lost my phone");
    assert!(meanings.of("my car is broken").is_some() && meanings.of("and i lost my phone").is_some(), "{meanings:?}");
}

#[test]
fn a_plan_asks_the_model_in_the_simulator_too() {
    let plan = "dialplan: 1\nid: shop\nlanguages: [en-US]\nstart: top\nnodes:\n  top:\n    - menu:\n        prompt: {en-US: What can I do for you}\n        \
                options:\n          - {key: \"1\", goto: repair, label: {en-US: repair}, examples: {en-US: [my car is broken, the car is damaged, \
                car defect, my vehicle is broken]}}\n          - {key: \"2\", goto: money, label: {en-US: money}, examples: {en-US: [i want my \
                money back, money return please, refund of my money, return the funds]}}\n  repair: [{say: {en-US: A garage is near}}, {hangup: \
                ~}]\n  money: [{say: {en-US: It comes back}}, {hangup: ~}]\n";
    let files = [Source { name: "shop.yaml".to_owned(), text: plan.to_owned() }];
    let end = |model: &SentenceModel| {
        let loaded = load_with(&files, &BTreeMap::new(), model);
        assert!(!loaded.is_broken(), "{:?}", loaded.problems);
        let start = Start { medium: Way::Chat, channel: "web".to_owned(), ..Start::voice() };
        let now = crate::control::time::Time(1_000_000);
        let mut simulation = sim::Simulation::new(Arc::clone(&loaded.plans["shop"]), start, now, 1, sim::World::default());
        simulation.say("automobile wrecked").nodes.clone()
    };
    assert_eq!(end(&SentenceModel::of(model())), ["repair"]);
    assert_eq!(end(&SentenceModel::default()), [""; 0], "its words are in no example");
}

#[test]
fn the_pool_answers_in_time_and_says_nothing_rather_than_wait() {
    let live = Live::start(&model(), 1).expect("a thread");
    // On a machine that stands still for a tenth of a second it may be late once; never always.
    let answered = (0..50).find_map(|_| Some(live.meanings("my car is broken")).filter(|meanings| !meanings.is_empty()));
    assert!(answered.expect("in time").of("my car is broken").is_some());
    assert!(live.counts.in_time.load(std::sync::atomic::Ordering::Relaxed) >= 1);
}

#[test]
fn a_folder_is_loaded_once_while_somebody_holds_it() {
    let first = model();
    assert!(Arc::ptr_eq(&first, &model()));
}

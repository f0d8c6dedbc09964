//! Words over bad networks: recorded people order at the coffee shop, each packet goes the way of a call (jitter buffer, concealment,
//! voice activity) in virtual time, and the embedded recognizer hears what is left.

use std::sync::Arc;
use std::time::Duration;

use hotline::control::words::media::{Codec, Command};
use hotline::control::words::speech::{Expect, Hints, Job, Listening};
use hotline::control::words::{Lang, TurnId};
use hotline::speech::engines::{Bench, Engine, Purpose};
use hotline::speech::{Config, Engines, Hearing, Terms};

use crate::clips;
use crate::coffee::Coffee;
use crate::stage::{Network, Stage};

/// Every so many orders are called with.
const EVERY: usize = 3;
/// Orders that a bad network may cost, of a hundred.
const POINTS: f64 = 5.0;

const GOOD: Network = Network { loss: 0.0, jitter_ms: 0.0, reordered: 0.0, doubled: 0.0, bursts: 0.0, ppm: 0.0, delay_ms: 0.0 };
const BAD: [(&str, Network); 5] = [
    ("5 % lost", Network { loss: 0.05, ..GOOD }),
    ("10 % lost", Network { loss: 0.10, ..GOOD }),
    ("3 % lost in rows of three", Network { bursts: 0.01, ..GOOD }),
    ("60 ms jitter, 1 % reordered", Network { jitter_ms: 60.0, reordered: 0.01, ..GOOD }),
    ("5 % lost, 60 ms jitter, 1 % reordered, 100 ppm", Network { loss: 0.05, jitter_ms: 60.0, reordered: 0.01, ppm: 100.0, ..GOOD }),
];

/// All that is understood of a sentence of 8 kHz behind a network; utterances are joined.
fn heard(bench: &mut Bench, listening: &Listening, network: Network, sentence: &[i16]) -> String {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(0.0));
    stage.phones[0].network = network;
    stage.run(500);
    stage.order(Command::Listen { leg: caller, listening: Arc::new(listening.clone()) });
    stage.phones[0].reads.extend(sentence);
    stage.run(sentence.len() as u64 / 8 + 2_500);
    let terms = Terms::from(listening);
    let (mut ear, mut words): (Option<Box<dyn Hearing>>, Vec<String>) = (None, Vec::new());
    for job in stage.speech.try_iter() {
        match job {
            Job::Begin { .. } => ear = bench.listen(&terms).ok().map(|(ear, _)| ear),
            Job::Frames { pcm, .. } => drop(ear.as_mut().and_then(|ear| ear.push(&pcm))),
            Job::Finish { .. } => words.extend(ear.take().and_then(|ear| ear.finish().ok()).map(|reading| reading.text)),
            Job::Cancel { .. } => ear = None,
        }
    }
    words.join(" ")
}

#[test]
fn words_are_recognised_over_bad_networks_as_over_good_ones() {
    let Some(data) = clips::shared() else {
        return println!("SKIPPED: ../shared/data/speech is missing; set HOTLINE_SHARED");
    };
    let engines = Arc::new(Engines::load(Config { models: data.join("no-models"), ..Config::default() }).unwrap());
    let mut bench = Bench::new(engines, Purpose::Live);
    if bench.recognizer(Engine::Pocketsphinx, &Lang::new("en-US")).is_err() {
        return println!("SKIPPED: pocketsphinx-en-us is missing; run `make setup`");
    }
    let coffee = Coffee::read(&data);
    let hints = Hints { key: 1, phrases: coffee.phrases(), grammar: Some(coffee.grammar()) };
    let listening = Listening {
        turn: TurnId(1),
        lang: Lang::new("en-US"),
        expect: Expect::Sentence,
        hints: Arc::new(hints),
        end_silence: Duration::from_millis(500),
        max: Duration::from_secs(20),
    };
    let orders: Vec<_> = clips::read(&data).into_iter().filter(|clip| coffee.label(&clip.id).is_some()).step_by(EVERY).collect();
    let lines: Vec<_> = orders.iter().map(|clip| (coffee.label(&clip.id), clips::line(&clip.pcm))).collect();
    let mut right = |network: Network| {
        let is_right = |(label, line): &&(Option<_>, Vec<i16>)| Some(coffee.slots(&heard(&mut bench, &listening, network, line))) == *label;
        100.0 * lines.iter().filter(is_right).count() as f64 / lines.len() as f64
    };
    let clean = right(GOOD);
    println!("every slot exact, of {} orders: {clean:.1} % over a good network", lines.len());
    let results = BAD.map(|(name, network)| (name, right(network)));
    results.iter().for_each(|(name, share)| println!("  {share:.1} % with {name}"));
    assert!(clean > 80.0, "{clean}");
    for (name, share) in results {
        assert!(share >= clean - POINTS, "{name}: {share:.1} % instead of {clean:.1}");
    }
}

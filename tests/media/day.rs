//! Hours of calls in virtual time: what the mixer holds is counted byte by byte, and the hours leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use hotline::control::words::media::{BargeIn, Codec, Command};
use hotline::control::words::speech::{Expect, Hints, Listening};
use hotline::control::words::{Lang, RecordingId, TurnId};
use hotline::media::{Audio, Sound};

use crate::counting::held;
use crate::stage::{KEY_TYPE, Network, ROOM, Stage};

/// Calls of a minute each, one after the other, until everything that grows once has its size.
const WARM: usize = 12;
/// Calls that are looked at; `CALLS=1440` makes it a day.
const CALLS: usize = 24;
/// What may be held more by the chance of where the last call stood: a queue that grew to its size.
const SLACK: i64 = 4_096;

struct Material {
    prompt: Arc<Sound>,
    listening: Arc<Listening>,
}

/// A minute: a prompt under which the caller is listened to, keys, an agent over a network that differs from call to call, music, the end.
fn call(stage: &mut Stage, number: usize, material: &Material) {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    let caller = stage.phone(1, codecs[number % codecs.len()], Some(440.0));
    stage.phones[0].network =
        Network { loss: 0.02 * (number % 4) as f64, jitter_ms: 20.0 * (number % 3) as f64, doubled: 0.01, ..Network::default() };
    stage.order(Command::StartRecording {
        room: ROOM,
        recording: RecordingId(number as u128 + 1),
        customer: caller,
        path: "day.wav".into(),
    });
    stage.play_sound(caller, number as u128 + 1, Arc::clone(&material.prompt));
    stage.order(Command::Listen { leg: caller, listening: Arc::clone(&material.listening) });
    stage.run(8_000);
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    breathe(stage);
    stage.run(20_000);
    breathe(stage);
    stage.play(caller, 1_000_000 + number as u128, Audio::tone(300, 500), true, BargeIn::Off);
    stage.run(12_000);
    breathe(stage);
    stage.run(20_000);
    assert!(stage.phones[1].heard.iter().any(|(header, _)| header.payload_type != KEY_TYPE), "call {number}: the agent hears");
    stage.leave();
    breathe(stage);
}

/// The edges take what is meant for them.
fn breathe(stage: &mut Stage) {
    stage.disk.try_iter().for_each(drop);
    stage.speech.try_iter().for_each(drop);
    stage.reports = Vec::new();
    stage.reported = Vec::new();
    stage.phones.iter_mut().for_each(|phone| phone.heard = phone.heard.split_off(phone.heard.len().saturating_sub(10)));
}

#[test]
fn hours_of_calls_leave_nothing_behind() {
    let mut stage = Stage::new();
    let hints = Arc::new(Hints { key: 1, phrases: Vec::new(), grammar: None });
    let (end_silence, max) = (Duration::from_millis(700), Duration::from_secs(20));
    let listening = Listening { turn: TurnId(1), lang: Lang::new("en-US"), expect: Expect::Sentence, hints, end_silence, max };
    let material = Material { prompt: Sound::ready(Audio::tone(700, 3_000)), listening: Arc::new(listening) };
    let calls = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(CALLS);
    (0..WARM).for_each(|number| call(&mut stage, number, &material));
    let before = held();
    (WARM..WARM + calls).for_each(|number| call(&mut stage, number, &material));
    let grown = held() - before;
    println!("{grown} bytes more after {calls} minutes of calls");
    assert!(grown.abs() <= SLACK, "{grown} bytes more after {calls} calls than before them");
}

//! Who comes into a running call, and what is played to one ear: nothing clicks, nothing reaches an ear it is not for.

use hotline::control::words::media::{BargeIn, Codec, Command, Levels, Stream};
use hotline::control::words::{LegId, RecordingId};
use hotline::media::tone::{rms, share};
use hotline::media::{Audio, RATE};

use crate::stage::{ROOM, Stage};

/// Ear, mouth and gain.
type Hear = (LegId, LegId, f32);

/// Everybody says a sine so slow that it moves so little from sample to sample.
const SLOW: f64 = 200.0;
const SLOWEST: i32 = 1_260;
/// What µ-law adds to a step, at the loudest sum of three.
const QUANTUM: i32 = 1_100;

struct Call {
    stage: Stage,
    caller: LegId,
    agent: LegId,
    chief: LegId,
}

/// A bridge whose phones all say the same slow sine, recorded or not; a third phone is about to come in.
fn call(recorded: bool) -> Call {
    let mut stage = Stage::new();
    let [caller, agent, chief] = [1, 2, 3].map(|number| stage.phone(number, Codec::Pcmu, Some(SLOW)));
    stage.bridge(caller, agent);
    if recorded {
        stage.order(Command::StartRecording { room: ROOM, recording: RecordingId(1), customer: caller, path: "a.wav".into() });
    }
    stage.run(1_000);
    Call { stage, caller, agent, chief }
}

/// The largest step from one sample to the next in what a phone heard in the last `ms`.
fn largest_step(stage: &Stage, ear: LegId, ms: usize) -> i32 {
    stage.heard(ear, ms).windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

#[test]
fn s62_nothing_clicks_when_somebody_comes_in_changes_what_he_does_and_leaves() {
    for recorded in [true, false] {
        let Call { mut stage, caller, agent, chief } = call(recorded);
        let changes: [(&str, &[Hear]); 5] = [
            ("listen", &[(chief, caller, 1.0), (chief, agent, 1.0)]),
            ("whisper", &[(agent, chief, 1.0)]),
            ("barge", &[(caller, chief, 1.0)]),
            ("whisper again", &[(caller, chief, 0.0)]),
            ("listen again", &[(agent, chief, 0.0)]),
        ];
        for (what, cells) in changes {
            cells.iter().for_each(|(ear, mouth, gain)| stage.hear(*ear, *mouth, *gain));
            stage.run(600);
            for (name, ear, mouths) in [("caller", caller, 2), ("agent", agent, 2)] {
                let step = largest_step(&stage, ear, 500);
                assert!(step < mouths * SLOWEST + QUANTUM, "{what}, recorded {recorded}: the {name} hears a step of {step}");
            }
        }
    }
}

#[test]
fn s62_what_is_whispered_is_in_no_recording_and_what_all_hear_is() {
    let mut stage = Stage::new();
    let [caller, agent, chief] =
        [(1, 440.0), (2, 1_000.0), (3, 2_000.0)].map(|(number, hertz)| stage.phone(number, Codec::Pcma, Some(hertz)));
    stage.bridge(caller, agent);
    stage.order(Command::StartRecording { room: ROOM, recording: RecordingId(1), customer: caller, path: "a.wav".into() });
    for mouth in [caller, agent] {
        stage.hear(chief, mouth, 1.0);
    }
    stage.hear(agent, chief, 1.0);
    let mut parts = Vec::new();
    for barge in [false, true] {
        if barge {
            stage.hear(caller, chief, 1.0);
        }
        stage.run(500);
        stage.disk.try_iter().for_each(drop);
        stage.run(1_500);
        parts.push(right(&stage));
    }
    assert!(share(&parts[0], RATE, 2_000.0) < 0.001 && share(&parts[0], RATE, 1_000.0) > 0.9, "whispered");
    assert!(share(&parts[1], RATE, 2_000.0) > 0.3 && share(&parts[1], RATE, 1_000.0) > 0.3, "said to all");
}

/// What went to the disk since it was last looked: the customer's ear.
fn right(stage: &Stage) -> Vec<i16> {
    let mut heard = Vec::new();
    for job in stage.disk.try_iter() {
        if let hotline::media::disk::Job::Append { block, .. } = job {
            heard.extend(block.samples[..block.len].iter().skip(1).step_by(2));
        }
    }
    heard
}

#[test]
fn s42_what_is_played_to_one_ear_reaches_no_other_and_the_talk_goes_on_beneath() {
    let Call { mut stage, caller, agent, chief } = call(true);
    stage.hear(chief, caller, 1.0);
    stage.hear(chief, agent, 1.0);
    stage.run(300);
    stage.play(agent, 1, Audio::tone(1_000, 2_000), false, BargeIn::Off);
    stage.run(1_000);
    assert!(stage.hears(agent, 1_000.0) && stage.hears(agent, SLOW), "the notice over the talk");
    assert!(!stage.hears(caller, 1_000.0) && !stage.hears(chief, 1_000.0));
    assert!(share(&right(&stage), RATE, 1_000.0) < 0.001, "it is not what the customer heard");
    stage.run(1_500);
    assert!(!stage.hears(agent, 1_000.0) && stage.hears(agent, SLOW));
}

#[test]
fn s42_three_of_different_codecs_hear_each_other_and_two_go_on_without_the_third() {
    let mut stage = Stage::new();
    let says = [(Codec::Pcmu, 440.0), (Codec::Pcma, 1_000.0), (Codec::Pcmu, 2_000.0)];
    let legs: Vec<LegId> = (1..).zip(says).map(|(number, (codec, hertz))| stage.phone(number, codec, Some(hertz))).collect();
    for ear in &legs {
        for mouth in legs.iter().filter(|mouth| *mouth != ear) {
            stage.hear(*ear, *mouth, 1.0);
        }
    }
    stage.run(1_000);
    for (at, ear) in legs.iter().enumerate() {
        for (from, (_, hertz)) in says.iter().enumerate() {
            assert_eq!(stage.hears(*ear, *hertz), at != from, "{at} hears {from}");
        }
    }
    stage.order(Command::CloseLeg { leg: legs[0] });
    stage.run(1_000);
    assert!(share(&stage.heard(legs[1], 400), RATE, 2_000.0) > 0.95 && share(&stage.heard(legs[2], 400), RATE, 1_000.0) > 0.95);
}

#[test]
fn where_levels_are_brought_together_a_low_voice_is_heard_as_well_as_a_loud_one_and_nothing_clicks() {
    for levels in [Levels::Kept, Levels::Evened] {
        let mut stage = Stage::new();
        stage.level(levels);
        let [low, loud] = [1, 2].map(|number| stage.phone(number, Codec::Pcmu, Some(SLOW)));
        (stage.phones[0].loudness, stage.phones[1].loudness) = (1_200.0, 12_000.0);
        stage.bridge(low, loud);
        stage.run(5_000);
        let heard = [(loud, 1_200.0), (low, 12_000.0)].map(|(ear, said)| (rms(&stage.heard(ear, 500)), said / std::f64::consts::SQRT_2));
        let [(of_low, low_said), (of_loud, loud_said)] = heard;
        if levels == Levels::Kept {
            assert!((of_low / low_said - 1.0).abs() < 0.1 && (of_loud / loud_said - 1.0).abs() < 0.1, "{heard:?}");
        } else {
            assert!(of_loud / of_low < 1.2 && of_low > 2.0 * low_said, "{heard:?}");
        }
        assert!(largest_step(&stage, loud, 4_000) < SLOWEST + QUANTUM, "{levels:?}");
    }
}

#[test]
fn a_stream_that_is_held_hears_no_notice() {
    let Call { mut stage, agent, .. } = call(false);
    let stream = Stream { send: false, ..stage.stream(2) };
    stage.order(Command::UpdateLeg { leg: agent, stream });
    stage.run(100);
    stage.forget_heard();
    stage.play(agent, 1, Audio::tone(1_000, 500), false, BargeIn::Off);
    stage.run(1_000);
    assert_eq!(stage.heard(agent, 500), Vec::<i16>::new());
}

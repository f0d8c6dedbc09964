//! Recordings: left what the customer says, right what he hears.

use std::time::Duration;

use hotline::control::words::RecordingId;
use hotline::control::words::media::{BargeIn, Codec, Command, Event, Masking};
use hotline::media::tone::{rms, share};
use hotline::media::{Audio, RATE, Report, disk};

use crate::stage::{Network, ROOM, Stage};

/// A stage whose disk thread is real.
fn recorded(work: impl FnOnce(&mut Stage)) -> (Vec<i16>, Vec<i16>, Event) {
    let folder = tempfile::tempdir().unwrap();
    let (reports, seen) = crossbeam_channel::bounded(16);
    let writer = disk::start(folder.path().to_owned(), move |report| reports.send(report).unwrap()).unwrap();
    let (_, no_disk) = crossbeam_channel::bounded(1);
    let (to_speech, speech) = crossbeam_channel::bounded(16_384);
    let mut stage = Stage::with(writer.jobs.clone(), no_disk, to_speech, speech);
    stage.writing = Some(writer.jobs.clone());
    work(&mut stage);
    drop(stage);
    drop(writer.jobs);
    writer.thread.join().unwrap();
    let Ok(Report::Media(event)) = seen.try_recv() else { panic!("no report of the recording") };
    let samples: Vec<i16> = hound::WavReader::open(folder.path().join("call.wav")).unwrap().samples().map(Result::unwrap).collect();
    (samples.iter().copied().step_by(2).collect(), samples.iter().copied().skip(1).step_by(2).collect(), event)
}

/// The share of a sine in pieces of 100 ms (the jitter buffer's moves shift its phase).
fn purity(line: &[i16], hertz: f64) -> f64 {
    let pieces: Vec<f64> = line.chunks_exact(800).map(|piece| share(piece, RATE, hertz)).collect();
    pieces.iter().sum::<f64>() / pieces.len() as f64
}

fn start(stage: &mut Stage, customer: hotline::control::words::LegId) {
    stage.order(Command::StartRecording { room: ROOM, recording: RecordingId(1), customer, path: "call.wav".into() });
}

#[test]
fn both_sides_of_a_bridge_stand_on_their_channels() {
    let (left, right, event) = recorded(|stage| {
        let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
        let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
        stage.play(caller, 1, Audio::tone(700, 2_000), false, BargeIn::Off);
        start(stage, caller);
        stage.run(2_000);
        stage.bridge(caller, agent);
        stage.run(3_000);
        stage.order(Command::StopRecording { room: ROOM, recording: RecordingId(1) });
    });
    assert!(matches!(event, Event::RecordingFinished { duration, .. } if duration == Duration::from_secs(5)), "{event:?}");
    assert!(purity(&left[8_000..39_000], 440.0) > 0.95, "{}", purity(&left[8_000..39_000], 440.0));
    assert!(purity(&right[1_000..15_000], 700.0) > 0.95, "the prompt is what he heard");
    assert!(purity(&right[20_000..39_000], 1_000.0) > 0.95, "then the agent");
}

#[test]
fn a_recording_ends_with_its_customer() {
    let (left, _, event) = recorded(|stage| {
        let caller = stage.phone(1, Codec::Pcma, Some(440.0));
        start(stage, caller);
        stage.run(1_010);
        stage.order(Command::CloseLeg { leg: caller });
    });
    assert!(matches!(event, Event::RecordingFinished { .. }));
    assert_eq!(left.len(), 51 * 160);
}

#[test]
fn s80_while_a_recording_is_masked_it_has_noise_instead_of_both_sides_and_no_sample_less() {
    let (left, right, event) = recorded(|stage| {
        let customer = stage.phone(1, Codec::Pcmu, Some(440.0));
        let agent = stage.phone(2, Codec::Pcma, Some(1_000.0));
        stage.bridge(customer, agent);
        let (room, recording) = (ROOM, RecordingId(1));
        stage.order(Command::StartRecording { room, recording, customer, path: "call.wav".into() });
        for masking in [Masking::Off, Masking::On, Masking::Off] {
            stage.order(Command::MaskRecording { room, recording, masking });
            stage.run(2_000);
        }
        stage.order(Command::StopRecording { room, recording });
    });
    let Event::RecordingFinished { duration, .. } = event else { panic!("{event:?}") };
    assert_eq!(duration, Duration::from_secs(6));
    let second = |line: &[i16], at: usize| line[at * 8_000..(at + 1) * 8_000].to_vec();
    for (line, hertz) in [(&left, 440.0), (&right, 1_000.0)] {
        for (at, heard) in [(1, true), (2, false), (3, false), (5, true)] {
            let part = second(line, at);
            assert_eq!(purity(&part, hertz) > 0.9, heard, "{hertz} Hz in second {at}");
            assert!(
                heard || part.iter().all(|sample| sample.unsigned_abs() <= 256) && part.iter().any(|sample| *sample != 0),
                "a soft hiss"
            );
        }
    }
}

/// Bursts that are said at a known time, five of them at the end of each minute: one or two whose first packet is lost do not count.
const BURSTS: usize = 5;
const BURST_MS: u64 = 200;
const PAUSE_MS: u64 = 300;
/// What is measured may lie so much before the time it is looked for, and so much behind.
const EARLY: usize = 50 * 8;
const LATE: usize = 250 * 8;

/// Says bursts on all phones, and gives the times at which they began, in microseconds.
fn burst(stage: &mut Stage) -> Vec<u64> {
    let say = |stage: &mut Stage, hertz: f64, ms: u64| {
        stage.phones.iter_mut().for_each(|phone| phone.says = Some(hertz));
        stage.run(ms);
    };
    let mut began = Vec::new();
    for _ in 0..BURSTS {
        say(stage, 0.0, PAUSE_MS);
        began.push(stage.now);
        say(stage, 1_000.0, BURST_MS);
    }
    say(stage, 0.0, PAUSE_MS);
    began
}

/// How late the bursts of a minute stand in a recording, against when they would have come without jitter; the middle one, in milliseconds.
fn lateness(line: &[i16], began: &[u64], network: &Network, from: u64) -> f64 {
    let mut late: Vec<f64> = began
        .iter()
        .map(|began| {
            let expected = ((*began - from) as f64 + network.shift(*began)) / 125.0;
            let first = expected as usize - EARLY;
            let onset = line[first..first + EARLY + LATE].chunks(8).position(|piece| rms(piece) > 2_000.0);
            onset.map_or(f64::MAX, |at| (first + at * 8) as f64 - expected)
        })
        .collect();
    late.sort_unstable_by(f64::total_cmp);
    late[BURSTS / 2] / 8.0
}

#[test]
fn s86_after_an_hour_of_drift_jitter_and_loss_over_hold_and_transfer_both_sides_stand_where_they_belong() {
    for ppm in [-100.0, 100.0] {
        let bad = |ppm: f64| Network { loss: 0.05, jitter_ms: 60.0, ppm, delay_ms: 400.0, ..Network::default() };
        let networks = [bad(ppm), bad(-ppm), bad(ppm / 2.0)];
        let (mut minutes, mut from) = (Vec::new(), 0);
        let (left, right, _) = recorded(|stage| {
            let customer = stage.phone(1, Codec::Pcmu, None);
            let (agent, colleague) = (stage.phone(2, Codec::Pcma, None), stage.phone(3, Codec::Pcma, None));
            stage.phones.iter_mut().zip(networks).for_each(|(phone, network)| phone.network = network);
            stage.bridge(customer, agent);
            start(stage, customer);
            from = stage.now;
            for minute in 0..60 {
                match minute {
                    20 => stage.play(customer, 1, Audio::tone(700, 50_000), false, BargeIn::Off),
                    40 => {
                        for (one, other) in [(customer, agent), (agent, customer)] {
                            stage.hear(one, other, 0.0);
                        }
                        stage.bridge(customer, colleague);
                    }
                    _ => {}
                }
                stage.phones.iter_mut().for_each(|phone| phone.says = Some(300.0));
                stage.run(57_000);
                minutes.push(burst(stage));
                stage.run(200);
            }
            stage.run(1_000);
            stage.order(Command::StopRecording { room: ROOM, recording: RecordingId(1) });
        });
        let of = |line: &[i16], network: &dyn Fn(usize) -> Network| -> Vec<f64> {
            minutes.iter().enumerate().map(|(minute, began)| lateness(line, began, &network(minute), from)).collect()
        };
        let said = of(&left, &|_| networks[0]);
        let heard = of(&right, &|minute| networks[if minute < 40 { 1 } else { 2 }]);
        // Sound waits for the worst of the jitter: that much all of it is late, on both sides the same. Beside that it is where it belongs.
        let mut all = [said.as_slice(), heard.as_slice()].concat();
        all.sort_unstable_by(f64::total_cmp);
        let usual = all[all.len() / 2];
        assert!((40.0..90.0).contains(&usual), "{ppm} ppm: {usual} ms");
        for (minute, late) in said.iter().chain(&heard).enumerate() {
            assert!((late - usual).abs() <= 20.0, "{ppm} ppm, minute {}: {late:.1} ms late, others {usual:.1}", minute % 60);
        }
        assert!(left.len().abs_diff((60 * 60 + 1) * 8_000) <= 160, "an hour is an hour: {}", left.len());
    }
}

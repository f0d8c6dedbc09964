//! Recordings: left what the customer says, right what he hears.

use std::time::Duration;

use hotline::control::words::RecordingId;
use hotline::control::words::media::{BargeIn, Codec, Command, Event, Masking};
use hotline::media::tone::share;
use hotline::media::{Audio, RATE, Report, disk};

use crate::stage::{ROOM, Stage};

/// A stage whose disk thread is real.
fn recorded(work: impl FnOnce(&mut Stage)) -> (Vec<i16>, Vec<i16>, Event) {
    let folder = tempfile::tempdir().unwrap();
    let (reports, seen) = crossbeam_channel::bounded(16);
    let writer = disk::start(folder.path().to_owned(), move |report| reports.send(report).unwrap()).unwrap();
    let (_, no_disk) = crossbeam_channel::bounded(1);
    let (to_speech, speech) = crossbeam_channel::bounded(16_384);
    let mut stage = Stage::with(writer.jobs.clone(), no_disk, to_speech, speech);
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

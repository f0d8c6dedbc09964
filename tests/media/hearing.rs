//! The recognizer's ear: utterances found in real speech, none in silence and music, barge-in over our own prompt.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hotline::control::words::media::{BargeIn, Codec, Command, Event, Levels, PlayOutcome};
use hotline::control::words::speech::{Event as Speech, Expect, FRAME_SAMPLES, Hints, Job, Listening, Nothing};
use hotline::control::words::{Lang, LegId, TurnId};
use hotline::media::tone::rms;
use hotline::media::{Audio, Report, wav};

use crate::stage::Stage;

const TURN: TurnId = TurnId(5);

pub fn listening(end_silence_ms: u64, max_ms: u64) -> Arc<Listening> {
    Arc::new(Listening {
        turn: TURN,
        lang: Lang::new("en-US"),
        expect: Expect::Sentence,
        hints: Arc::new(Hints::default()),
        end_silence: Duration::from_millis(end_silence_ms),
        max: Duration::from_millis(max_ms),
    })
}

fn listen(stage: &mut Stage, leg: LegId) {
    stage.order(Command::Listen { leg, listening: listening(600, 15_000) });
}

/// The clips of one kind, with their names; nothing when the data is not there.
fn clips(start: &str) -> Vec<(String, Audio)> {
    let shared = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let folder = PathBuf::from(shared).join("data/speech/wav");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("SKIPPED: {} is missing", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), wav::read(&path).unwrap())).collect()
}

/// Says a clip after half a second of a quiet line; gives the utterances, each with its offset and samples.
fn utterances(clip: &Audio) -> Vec<(Duration, Vec<i16>)> {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    listen(&mut stage, caller);
    let quiet = |ms: usize| (0..ms * 8).map(|at| i16::try_from(at % 3).unwrap() * 8 - 8);
    stage.phones[0].reads = quiet(500).chain(clip.linear().iter().copied()).chain(quiet(1_500)).collect();
    stage.run(2_100 + u64::try_from(clip.duration().as_millis()).unwrap());
    gather(&stage)
}

fn gather(stage: &Stage) -> Vec<(Duration, Vec<i16>)> {
    let mut found: Vec<(Duration, Vec<i16>)> = Vec::new();
    for job in stage.speech.try_iter() {
        match job {
            Job::Begin { offset, .. } => found.push((offset, Vec::new())),
            Job::Frames { pcm, .. } => found.last_mut().expect("frames follow a beginning").1.extend(pcm),
            Job::Finish { .. } | Job::Cancel { .. } => {}
        }
    }
    found
}

/// The share of the clip's loud 20 ms pieces that lie inside an utterance.
fn covered(clip: &Audio, found: &[(Duration, Vec<i16>)]) -> f64 {
    let loudest = clip.linear().chunks(160).map(rms).fold(0.0, f64::max);
    let loud: Vec<usize> =
        clip.linear().chunks(160).enumerate().filter(|(_, piece)| rms(piece) > loudest * 0.1).map(|(at, _)| at).collect();
    let inside = loud.iter().filter(|at| {
        let time = Duration::from_millis(500 + 40 + 20 * **at as u64);
        found.iter().any(|(offset, samples)| time >= *offset && time < *offset + Duration::from_millis(samples.len() as u64 / 16))
    });
    inside.count() as f64 / loud.len() as f64
}

#[test]
fn s18_real_speech_is_found_whole() {
    let (mut whole, mut found_any, mut count, mut pieces) = (0, 0, 0, 0);
    for kind in ["en_coffee", "en_cards", "en_fsdd", "en_", "zh_"] {
        for (name, clip) in clips(kind).into_iter().take(40) {
            let found = utterances(&clip);
            let share = covered(&clip, &found);
            count += 1;
            pieces += found.len();
            found_any += usize::from(!found.is_empty());
            whole += usize::from(share > 0.95);
            if share <= 0.95 {
                println!("{name}: {} utterances hold {:.0} % of it", found.len(), share * 100.0);
            }
        }
    }
    println!("{count} clips: {found_any} found, {whole} whole, {pieces} utterances");
    assert!(whole * 100 >= count * 93 && found_any * 100 >= count * 97, "{whole} whole and {found_any} found of {count}");
}

#[test]
fn an_utterance_begins_300_ms_before_its_first_sound_and_ends_after_the_silence() {
    let Some((_, clip)) = clips("en_cards_003").pop() else { return };
    let found = utterances(&clip);
    assert_eq!(found.len(), 1);
    let (offset, samples) = &found[0];
    assert_eq!(samples.len() % FRAME_SAMPLES, 0);
    let first = samples.chunks(FRAME_SAMPLES).position(|piece| rms(piece) > 300.0).unwrap();
    assert!((9..=20).contains(&first), "{first} quiet frames stand before the first sound");
    assert!(*offset < Duration::from_millis(900), "{offset:?}");
    let last = samples.chunks(FRAME_SAMPLES).rposition(|piece| rms(piece) > 300.0).unwrap();
    let silent = samples.len() / FRAME_SAMPLES - last;
    assert!((15..=45).contains(&silent), "{silent} frames of silence at the end");
}

#[test]
fn silence_and_the_noise_of_a_line_are_no_speech() {
    let mut random = hotline::control::random::Random::new(3);
    let noise: Vec<i16> = (0..80_000).map(|_| (random.unit() * 60.0 - 30.0) as i16).collect();
    for (what, sound) in [("silence", vec![0; 80_000]), ("noise", noise)] {
        let found = utterances(&Audio::new(sound));
        assert!(found.is_empty(), "{what}: {} utterances", found.len());
    }
}

#[test]
fn s18_speech_over_a_prompt_ducks_or_stops_it_and_an_echo_does_not() {
    let Some((_, clip)) = clips("en_cards_003").pop() else { return };
    let Some((_, prompt)) = clips("en_coffee").into_iter().next() else { return };
    for (barge_in, stops) in [(BargeIn::Vad, true), (BargeIn::Words, false), (BargeIn::Dtmf, false)] {
        let mut stage = Stage::new();
        let caller = stage.phone(1, Codec::Pcmu, None);
        stage.play(caller, 1, prompt.clone(), true, barge_in);
        listen(&mut stage, caller);
        stage.phones[0].reads =
            std::iter::repeat_n(0, 16_000).chain(clip.linear().iter().copied()).chain(std::iter::repeat_n(0, 16_000)).collect();
        stage.run(5_000);
        assert!(stage.events().any(|event| matches!(event, Event::SpeechStarted { turn: TURN, .. })), "{barge_in:?}");
        let stopped = stage.events().any(|event| matches!(event, Event::PlayFinished { outcome: PlayOutcome::Stopped, .. }));
        assert_eq!(stopped, stops, "{barge_in:?}");
    }
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    stage.play(caller, 1, prompt.clone(), true, BargeIn::Vad);
    listen(&mut stage, caller);
    let echo = prompt.linear().iter().map(|sample| sample / 6);
    stage.phones[0].reads = std::iter::repeat_n(0, 1_200).chain(echo).collect();
    stage.run(u64::try_from(prompt.duration().as_millis()).unwrap());
    assert!(!stage.events().any(|event| matches!(event, Event::SpeechStarted { .. })), "an echo 16 dB down is nobody's speech");
}

#[test]
fn a_ducked_prompt_comes_back_when_the_turn_yields_nothing() {
    let Some((_, clip)) = clips("en_cards_003").pop() else { return };
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    stage.play(caller, 1, Audio::tone(700, 60_000), false, BargeIn::Words);
    listen(&mut stage, caller);
    stage.phones[0].reads =
        std::iter::repeat_n(0, 8_000).chain(clip.linear().iter().copied()).chain(std::iter::repeat_n(0, 40_000)).collect();
    stage.run(1_000);
    let full = rms(&stage.heard(caller, 200));
    stage.run(1_500);
    assert!(rms(&stage.heard(caller, 200)) < full * 0.2, "ducked");
    stage.run(4_000);
    assert!((rms(&stage.heard(caller, 200)) / full - 1.0).abs() < 0.05, "back again");
}

#[test]
fn a_full_recognizer_is_told_as_overload_and_its_half_utterance_is_cancelled() {
    let Some((_, clip)) = clips("en_cards_003").pop() else { return };
    let (to_disk, disk) = crossbeam_channel::bounded(1);
    let (to_speech, speech) = crossbeam_channel::bounded(30);
    let mut stage = Stage::with(to_disk, disk, to_speech, speech);
    let caller = stage.phone(1, Codec::Pcmu, None);
    listen(&mut stage, caller);
    stage.phones[0].reads =
        std::iter::repeat_n(0, 8_000).chain(clip.linear().iter().copied()).chain(std::iter::repeat_n(0, 16_000)).collect();
    stage.run(4_000);
    let overloads =
        stage.reports.iter().filter(|report| matches!(report, Report::Speech(Speech::Nothing { why: Nothing::Overloaded, .. })));
    assert_eq!(overloads.count(), 1);
    assert_eq!(stage.speech.try_iter().count(), 30);
    stage.run(40);
    assert!(matches!(stage.speech.try_recv(), Ok(Job::Cancel { turn: TURN, .. })));
}

#[test]
fn without_a_recognizer_a_turn_is_told_so_at_once_and_a_stopped_turn_is_cancelled() {
    let (disk, _inbox) = crossbeam_channel::bounded(1);
    let settings = hotline::media::mixer::Settings { media_timeout: Duration::from_secs(1), seed: 1, identity: None, levels: Levels::Kept };
    let mut deaf = hotline::media::mixer::Mixer::new(settings, disk, Vec::new());
    deaf.handle(Duration::ZERO, Command::Listen { leg: LegId(1), listening: listening(600, 5_000) }.into());
    assert!(matches!(deaf.next_report(), Some(Report::Speech(Speech::Nothing { why: Nothing::NoEngine, .. }))));
    let Some((_, clip)) = clips("en_coffee").into_iter().next() else { return };
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    listen(&mut stage, caller);
    stage.phones[0].reads = clip.linear().iter().copied().collect();
    stage.run(2_000);
    stage.order(Command::StopListen { leg: caller, turn: TURN });
    stage.run(200);
    assert!(matches!(stage.speech.try_iter().last(), Some(Job::Cancel { .. })));
}

#[test]
fn a_shorter_silence_ends_the_utterance_under_way_and_the_next_one_has_its_own_again() {
    let Some((_, clip)) = clips("en_cards_003").pop() else { return };
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    stage.order(Command::Listen { leg: caller, listening: listening(1_400, 15_000) });
    let length = u64::try_from(clip.duration().as_millis()).unwrap();
    let mut waited = Vec::new();
    for silence in [Some(400), None] {
        stage.phones[0].reads = clip.linear().iter().copied().collect();
        stage.run(length);
        if let Some(ms) = silence {
            stage.order(Command::EndAfter { leg: caller, turn: TURN, silence: Duration::from_millis(ms) });
        }
        stage.run(2_000);
        let (_, samples) = gather(&stage).pop().expect("an utterance");
        let last = samples.chunks(FRAME_SAMPLES).rposition(|piece| rms(piece) > 300.0).unwrap();
        waited.push(20 * (samples.len() / FRAME_SAMPLES - last));
    }
    assert!(waited[0] <= 900 && waited[1] >= waited[0] + 800, "{waited:?} ms of silence end the utterances");
}

#[test]
fn the_longest_utterance_is_cut_and_the_turn_goes_on() {
    let Some((_, clip)) = clips("en_coffee").into_iter().find(|(_, clip)| clip.duration() > Duration::from_secs(5)) else { return };
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    stage.order(Command::Listen { leg: caller, listening: listening(600, 2_000) });
    stage.phones[0].reads = clip.linear().iter().copied().collect();
    stage.run(5_000);
    let found = gather(&stage);
    assert!(found.len() >= 2, "{} utterances", found.len());
    assert_eq!(found[0].1.len(), 2_000 * 16);
}

//! Sound without words, and many callers at once.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use hotline::control::words::media::Prompt;
use hotline::control::words::speech::{Expect, Job, Listening};
use hotline::control::words::{Lang, LegId, TurnId};
use hotline::media::FRAME;
use hotline::media::tap::{Tap, Turned};
use hotline::speech::engines::{Bench, Engine, Purpose};
use hotline::speech::prompts::{Config, Maker};
use hotline::speech::tones::only_voices;
use hotline::speech::{Engines, Hearing, Terms};

use crate::clips::Clip;
use crate::listen::{cpu, terms};
use crate::sounds;

/// Samples a second of a line.
const LINE: usize = 8_000;
const MINUTE: usize = 60 * LINE;
const TICK: Duration = Duration::from_millis(20);
/// SPEECH.md: live recognitions that one core carries, and the longest that a caller's frame may wait.
const CALLERS: usize = 32;
/// They begin within so many ticks.
const BEGIN_WITHIN: usize = 50;
/// A frame that costs more than this was the last of its chunk.
const CHUNK_COSTS: Duration = Duration::from_millis(1);
/// Each caller speaks so long.
const TALK: Duration = Duration::from_secs(20);
/// An utterance's jobs that wait at most: 20 s and what surrounds them.
const JOBS: usize = 4_096;

/// Half an hour in which nobody speaks: what the gate lets through, and the words that engines make of it.
pub fn quiet(engines: &Arc<Engines>) {
    let menu: Vec<String> = ["track my order", "speak to an agent", "opening hours", "cancel my booking"].map(str::to_owned).to_vec();
    let ways = [
        ("menu, PocketSphinx", Engine::Pocketsphinx, terms("en-US", Expect::Sentence, &menu, None)),
        ("digits, PocketSphinx", Engine::Pocketsphinx, terms("en-US", Expect::Digits, &[], None)),
        ("yes or no, PocketSphinx", Engine::Pocketsphinx, terms("en-US", Expect::YesNo, &[], None)),
        ("free, mini-whisper", Engine::Whisper, terms("en-US", Expect::Sentence, &[], None)),
        ("menu, zipformer en", Engine::Zipformer, terms("en-US", Expect::Sentence, &menu, None)),
        ("free, zipformer zh", Engine::Zipformer, terms("zh-CN", Expect::Sentence, &[], None)),
    ];
    for (name, pcm) in sounds() {
        let cut = utterances(&pcm);
        let through: usize = cut.iter().map(Vec::len).sum();
        println!("{name}: {} min, {} utterances of {} s let through", pcm.len() / MINUTE, cut.len(), through / 16_000);
        for (way, engine, terms) in &ways {
            let mut bench = Bench::new(engines.clone(), Purpose::Live);
            let mut words = Vec::new();
            for utterance in &cut {
                let Ok(mut hearing) = bench.recognizer(*engine, &terms.lang).and_then(|one| one.hear(terms)).map(only_voices) else {
                    continue;
                };
                utterance.chunks(FRAME * 2).for_each(|frame| drop(hearing.push(frame)));
                words.extend(hearing.finish().ok().map(|reading| reading.text));
            }
            if !words.is_empty() {
                println!("  {way}: {} texts, for instance {:?}", words.len(), &words[..words.len().min(3)]);
            }
        }
    }
}

fn sounds() -> Vec<(&'static str, Vec<i16>)> {
    let config = Config { cache: std::env::temp_dir().join("hotline-bench-prompts"), ..Config::default() };
    let music = Maker::new(config).make(&Prompt::Music(None)).expect("the built-in music is made").linear().to_vec();
    let wave = |at: usize, hertz: f32| (at as f32 * hertz * std::f32::consts::TAU / LINE as f32).sin();
    let ringing =
        (0..5 * MINUTE).map(|at| if at / LINE % 6 < 2 { ((wave(at, 440.0) + wave(at, 480.0)) * 4_000.0) as i16 } else { 0 }).collect();
    vec![
        ("hold music", music.iter().copied().cycle().take(10 * MINUTE).collect()),
        ("silence", vec![0; 5 * MINUTE]),
        ("line hiss, -40 dBFS", sounds::hiss(5 * MINUTE, 330.0)),
        ("street noise, about -25 dBFS", sounds::street(5 * MINUTE)),
        ("ringing tone", ringing),
    ]
}

/// What the tap would hand over in turns that follow each other.
fn utterances(line: &[i16]) -> Vec<Vec<i16>> {
    let (jobs, waiting) = bounded(JOBS);
    let hints = terms("en-US", Expect::Sentence, &[], None).hints;
    let (end_silence, max) = (Duration::from_millis(700), Duration::from_secs(20));
    let listening = Arc::new(Listening { turn: TurnId(1), lang: Lang::new("en-US"), expect: Expect::Sentence, hints, end_silence, max });
    let mut tap = Tap::new(LegId(1), listening, jobs);
    let (mut out, mut open) = (Vec::new(), Vec::new());
    for (at, frame) in line.as_chunks::<FRAME>().0.iter().enumerate() {
        let turned = tap.tick(frame, 0.0, TICK * at as u32);
        collect(&waiting, &mut open);
        if turned == Turned::Ended {
            out.push(std::mem::take(&mut open));
        }
    }
    out
}

fn collect(waiting: &Receiver<Job>, open: &mut Vec<i16>) {
    for job in waiting.try_iter() {
        match job {
            Job::Begin { .. } => open.clear(),
            Job::Frames { pcm, .. } => open.extend_from_slice(&pcm),
            Job::Finish { .. } | Job::Cancel { .. } => {}
        }
    }
}

/// Callers who all speak at once on one thread: what a frame waits until it is heard, when each comes every 20 ms and the thread's CPU
/// time is the clock, so that other programs on the machine do not count. They begin anywhere within a second, as people do.
pub fn callers(engines: &Arc<Engines>, clips: &[Clip], grammar: &str, phrases: &[String]) {
    let speech: Vec<i16> = clips.iter().filter(|clip| clip.id.starts_with("en_coffee")).flat_map(|clip| clip.pcm.clone()).collect();
    if speech.is_empty() {
        return println!("callers at once: no clips");
    }
    let mandarin: Vec<i16> = clips.iter().filter(|clip| clip.lang == "zh").flat_map(|clip| clip.pcm.clone()).collect();
    let words: Vec<String> = clips.iter().filter(|clip| clip.lang == "zh" && clip.kind == "word").map(|clip| clip.text.clone()).collect();
    let ways = [
        ("zipformer zh, menu of words", Engine::Zipformer, terms("zh-CN", Expect::Sentence, &words, None), &mandarin),
        ("zipformer en, coffee words", Engine::Zipformer, terms("en-US", Expect::Sentence, phrases, None), &speech),
        ("PocketSphinx, coffee orders", Engine::Pocketsphinx, terms("en-US", Expect::Sentence, phrases, Some(grammar.to_owned())), &speech),
    ];
    for (name, engine, terms, speech) in ways {
        let mut bench = Bench::new(engines.clone(), Purpose::Live);
        match open(&mut bench, engine, &terms) {
            Ok(ears) => talk(name, ears, speech),
            Err(why) => println!("{name}: {why}"),
        }
    }
}

fn talk(name: &str, mut ears: Vec<Box<dyn Hearing>>, speech: &[i16]) {
    let ticks = (TALK.as_millis() / TICK.as_millis()) as usize;
    let (mut free_at, mut busy) = (Duration::ZERO, Duration::ZERO);
    let mut waits = Vec::with_capacity(ticks * CALLERS);
    for tick in 0..ticks {
        for (nth, ear) in ears.iter_mut().enumerate() {
            let Some(spoken) = tick.checked_sub(nth * BEGIN_WITHIN / CALLERS) else { continue };
            let at = (nth * 50_021 + spoken * FRAME * 2) % (speech.len() - FRAME * 2);
            let begun = cpu();
            ear.push(&speech[at..at + FRAME * 2]);
            let cost = cpu() - begun;
            let came = TICK * tick as u32;
            free_at = free_at.max(came) + cost;
            busy += cost;
            // Most frames are only kept until their chunk is whole: these would flatter the figure.
            if cost >= CHUNK_COSTS {
                waits.push(free_at - came);
            }
        }
    }
    let ends = finish(ears);
    waits.sort();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    println!(
        "{CALLERS} callers, {name}: {:.2} of a core; a chunk is heard within p50 {:.1} p99 {:.1} ms (bar 40); last frame to text p95 {:.1} ms",
        busy.as_secs_f64() / TALK.as_secs_f64(),
        at(50),
        at(99),
        ends.as_secs_f64() * 1e3,
    );
}

fn open(bench: &mut Bench, engine: Engine, terms: &Terms) -> Result<Vec<Box<dyn Hearing>>, String> {
    let one = |nth: usize, bench: &mut Bench| {
        let recognizer = bench.recognizer(engine, &terms.lang).map_err(|why| format!("not there: {why:?}"))?;
        recognizer.hear(terms).map_err(|why| format!("only {nth} callers at once: {why:?}"))
    };
    (0..CALLERS).map(|nth| one(nth, bench)).collect()
}

fn finish(ears: Vec<Box<dyn Hearing>>) -> Duration {
    let end = |ear: Box<dyn Hearing>| {
        let begun = cpu();
        drop(ear.finish());
        cpu() - begun
    };
    let mut ends: Vec<Duration> = ears.into_iter().map(end).collect();
    ends.sort();
    ends[ends.len() * 95 / 100]
}

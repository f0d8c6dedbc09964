//! What happens to a session after its end: recordings become transcripts, sessions are measured by scorecards.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::sync::watch;

use crate::control::words::Lang;
use crate::control::words::pressure::Pressure;
use crate::media::priority;
use crate::qa::worker::{Transcribe, Unheard};
use crate::qa::{Scorecard, Transcribed, Utterance, Worker, scorecard};
use crate::speech::engines::Purpose;
use crate::speech::transcribe::{self, Side};
use crate::speech::wav::Wav;
use crate::speech::{self, Engines};
use crate::vault::{self, Keys, Reader, Shelf};
use crate::{nlu, store};

/// Transcripts give way to everything that a caller waits for.
const NICE: i32 = 15;
/// The scorecard of a server without files.
const BUILT_IN: (&str, &str) = ("(built-in) scorecards/first.yaml", scorecard::FIRST);

/// The scorecards of the folder beside the dialplans, or the built-in one.
///
/// # Errors
/// Every problem of every file.
pub fn scorecards(folder: &Path) -> anyhow::Result<Arc<[Scorecard]>> {
    let mut files = Vec::new();
    if let Ok(entries) = std::fs::read_dir(folder) {
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    if files.is_empty() {
        files.push((BUILT_IN.0.to_owned(), BUILT_IN.1.to_owned()));
    }
    files.iter().map(|(file, text)| read(file, text)).collect()
}

fn read(file: &str, text: &str) -> anyhow::Result<Scorecard> {
    scorecard::load(file, text).or_else(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        bail!("the scorecard cannot be used:\n{}", told.join("\n"))
    })
}

/// The worker, ready to run.
pub fn worker(
    shelf: Shelf,
    started: &store::Started,
    engines: &Arc<Engines>,
    cards: Arc<[Scorecard]>,
    pressure: watch::Receiver<Pressure>,
) -> Worker {
    Worker {
        store: started.store.clone(),
        journal: started.journal.clone(),
        recordings: shelf.folder.clone(),
        transcribe: engines.any(Purpose::AfterCall).then(|| transcriber(Arc::clone(engines), shelf.keys)),
        redact: nlu::redact::redact,
        cards,
        pressure,
    }
}

fn transcriber(engines: Arc<Engines>, keys: Keys) -> Transcribe {
    Arc::new(move |file, lang, is_wanted| {
        priority::set_nice(NICE);
        if engines.serving(lang, Purpose::AfterCall).is_empty() {
            return Err(Unheard::Ever(format!("no recognizer for {lang} after the call: `hotline models list` shows what can be had")));
        }
        let now = |why: &dyn std::fmt::Display| Unheard::Now(why.to_string());
        let mut go_on = |_, _| if is_wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let wav = whole(file, &keys).map_err(|why| now(&why))?;
        let heard = speech::transcribe::wav(&engines, &wav, lang, &mut go_on).map_err(|why| now(&why))?;
        Ok(both_sides(lang, heard))
    })
}

/// All parts of a recording as one sound: what is said over the edge of two files is heard as it was said.
///
/// # Errors
/// A part that cannot be read.
pub fn whole(first: &Path, keys: &Keys) -> std::io::Result<Wav> {
    let mut channels = vec![Vec::new(), Vec::new()];
    for part in vault::parts(Path::new(""), first) {
        Reader::open(&part, keys)?.samples(|samples| {
            for (side, channel) in channels.iter_mut().enumerate() {
                channel.extend(samples.iter().skip(side).step_by(2));
            }
        })?;
    }
    Ok(Wav { rate: vault::RATE, channels })
}

fn both_sides(lang: &Lang, heard: Vec<transcribe::Utterance>) -> Transcribed {
    let mut both = Transcribed::default();
    for one in heard {
        if both.engine.is_empty() {
            both.engine = one.engine.to_string();
        }
        let utterance = Utterance {
            offset_ms: u64::from(one.start_ms),
            duration_ms: u64::from(one.end_ms.saturating_sub(one.start_ms)),
            text: one.text,
            confidence: one.confidence,
            lang: Some(lang.to_string()),
        };
        match one.side {
            Side::Customer | Side::Only => both.customer.push(utterance),
            Side::Center => both.heard.push(utterance),
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::disk;

    #[test]
    fn the_built_in_scorecard_is_used_where_there_is_no_folder() {
        let cards = scorecards(Path::new("/nowhere")).unwrap();
        assert_eq!(cards.len(), 1);
    }

    #[test]
    fn a_transcript_is_made_of_all_parts_as_one_sound() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { folder: folder.path().to_owned(), keys: Keys::new(vec![crate::vault::Key::new([1; 32])]) };
        for ending in ["wav", "opus"] {
            let (reports, _seen) = crossbeam_channel::bounded(16);
            let settings = disk::Settings { shelf: shelf.clone(), part: Some(std::time::Duration::from_secs(1)) };
            let disk = disk::start_with(settings, move |report| drop(reports.try_send(report))).unwrap();
            let recording = crate::control::words::RecordingId(1);
            let (spare, _home) = crossbeam_channel::bounded(4);
            let path = std::path::PathBuf::from(format!("long.{ending}"));
            disk.jobs.send(disk::Job::Open { recording, path: path.clone(), spare }).unwrap();
            for at in 0..5i16 {
                let mut block = disk::Block::boxed();
                block.samples.chunks_exact_mut(2).for_each(|pair| pair.copy_from_slice(&[1_000 * (at + 1), 0]));
                block.len = disk::BLOCK_SAMPLES;
                disk.jobs.send(disk::Job::Append { recording, block }).unwrap();
            }
            drop(disk.jobs);
            disk.thread.join().unwrap();
            let wav = whole(&folder.path().join(&path), &shelf.keys).unwrap();
            assert_eq!((wav.rate, wav.channels[0].len(), wav.channels[1].len()), (8_000, 20_000, 20_000), "{ending}");
            let lies = |part: &str| folder.path().join(format!("long{part}.{ending}")).is_file();
            assert!(lies("") && lies("-2") && lies("-3") && !lies("-4"));
            assert!(ending == "opus" || wav.channels[0][7_999..=8_000] == [2_000, 3_000] && wav.channels[1].iter().all(|it| *it == 0));
        }
    }

    #[test]
    fn a_broken_scorecard_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.yaml"), "scorecard: 1\n").unwrap();
        let error = scorecards(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bad.yaml"), "{error}");
    }
}

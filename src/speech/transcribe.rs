//! Transcripts of whole recordings: speech is cut out by voice activity, each piece goes through the after-call engine.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::RATE;
use super::engines::{Bench, Engines, Purpose};
use super::recognizer::{Reading, Terms};
use super::segment::{Cut, millis, utterances};
use super::wav::{Wav, WavError};
use crate::control::words::Lang;
use crate::control::words::speech::Nothing;

/// What one utterance of a recording may cost; more than this is a broken engine.
const BUDGET: Duration = Duration::from_secs(120);
/// Samples pushed at a time: 20 ms, as live.
const FRAME: usize = 320;

/// Who speaks on a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The left channel of our recordings: what the customer says.
    Customer,
    /// The right channel: what the customer hears.
    Center,
    /// A recording of one channel.
    Only,
}

/// A piece of speech in a recording.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Utterance {
    /// Who.
    pub side: Side,
    /// From the beginning of the recording.
    pub start_ms: u32,
    /// Where it ends.
    pub end_ms: u32,
    /// The words; empty when none are believed.
    pub text: String,
    /// 0.0 to 1.0.
    pub confidence: f32,
    /// Toneless pinyin, for engines that write no characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinyin: Option<String>,
    /// Which engine heard it.
    pub engine: Arc<str>,
}

/// Why a recording has no transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// The file.
    #[error(transparent)]
    File(#[from] WavError),
    /// Nobody waits for it any more.
    #[error("broken off")]
    BrokenOff,
    /// No engine for the language.
    #[error("nobody here writes down '{lang}': {mend}")]
    NoEngine {
        /// The language.
        lang: Lang,
        /// What to do.
        mend: String,
    },
}

/// Told how far a transcript has come: done and all, in milliseconds of speech. It may break it off.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Writes down a recording: both channels of a stereo file, in the order of time. Waits; made for a thread of its own.
///
/// # Errors
/// [`TranscribeError`]. A piece that an engine refuses is left out; that is no error.
pub fn recording(engines: &Arc<Engines>, path: &Path, lang: &Lang, progress: Progress<'_>) -> Result<Vec<Utterance>, TranscribeError> {
    wav(engines, &Wav::read(path)?, lang, progress)
}

/// The same of a recording in memory.
///
/// # Errors
/// [`TranscribeError::NoEngine`].
pub fn wav(engines: &Arc<Engines>, wav: &Wav, lang: &Lang, progress: Progress<'_>) -> Result<Vec<Utterance>, TranscribeError> {
    let sides: &[Side] = if wav.channels.len() >= 2 { &[Side::Customer, Side::Center] } else { &[Side::Only] };
    let channels: Vec<(Side, Vec<i16>)> = sides.iter().enumerate().map(|(at, side)| (*side, wav.channel(at, RATE))).collect();
    let mut pieces: Vec<(Side, Range<usize>, &[i16])> = Vec::new();
    for (side, pcm) in &channels {
        pieces.extend(utterances(pcm, Cut::default()).into_iter().map(|piece| (*side, piece.clone(), &pcm[piece])));
    }
    pieces.sort_by_key(|(side, piece, _)| (piece.start, *side));
    let all: u64 = pieces.iter().map(|(_, piece, _)| u64::from(millis(piece.len()))).sum();
    let mut bench = Bench::new(engines.clone(), Purpose::AfterCall);
    let terms = Terms::plain(lang.clone(), BUDGET);
    let (mut out, mut done) = (Vec::new(), 0);
    for (side, piece, pcm) in pieces {
        match hear(&mut bench, &terms, pcm) {
            Ok((reading, engine)) => out.push(utterance(side, &piece, reading, engine)),
            Err(Nothing::NoEngine) => return Err(no_engine(engines, lang)),
            Err(why) => tracing::debug!(?why, start_ms = millis(piece.start), "a piece of a recording gave no words"),
        }
        done += u64::from(millis(piece.len()));
        if progress(done, all).is_break() {
            return Err(TranscribeError::BrokenOff);
        }
    }
    Ok(out)
}

/// A model that is there does not know the language, or there is none.
fn no_engine(engines: &Engines, lang: &Lang) -> TranscribeError {
    let tag = "a language is written as en-US or zh-CN (--lang)";
    let unknown = engines.whisper().map(|name| format!("{name} does not know it; {tag}"));
    TranscribeError::NoEngine { lang: lang.clone(), mend: unknown.unwrap_or_else(|| format!("{}; {tag}", engines.missing().join("; "))) }
}

fn hear(bench: &mut Bench, terms: &Terms, pcm: &[i16]) -> Result<(Reading, Arc<str>), Nothing> {
    let (mut hearing, engine) = bench.listen(terms)?;
    for frame in pcm.chunks(FRAME) {
        hearing.push(frame);
    }
    Ok((hearing.finish()?, engine))
}

fn utterance(side: Side, piece: &Range<usize>, reading: Reading, engine: Arc<str>) -> Utterance {
    let Reading { text, confidence, pinyin, .. } = reading;
    Utterance { side, start_ms: millis(piece.start), end_ms: millis(piece.end), text, confidence, pinyin, engine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Config;
    use crate::speech::resample::resample;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper").join(name)
    }

    fn engines() -> Arc<Engines> {
        let config = Config { whisper: Some(fixture("mini-q8_0.bin.gz")), models: "/nowhere".into(), ..Config::default() };
        Arc::new(Engines::load(config).unwrap())
    }

    /// Two callers' sentences on the left, an answer on the right, with silence between.
    fn stereo(path: &Path) {
        let clip = |name: &str| Wav::read(&fixture(name)).unwrap().mono(8_000);
        let (first, answer, second) = (clip("wav/001-en.wav"), clip("wav/003-en.wav"), clip("wav/008-en.wav"));
        let gap = vec![0i16; 8_000];
        let mut left = [&gap[..], &first].concat();
        let mut right = vec![0; left.len() + gap.len()];
        right.extend(&answer);
        left.resize(right.len() + gap.len(), 0);
        left.extend(&second);
        left.extend(&gap);
        right.resize(left.len(), 0);
        let form = hound::WavSpec { channels: 2, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = hound::WavWriter::create(path, form).unwrap();
        for (left, right) in left.iter().zip(&right) {
            file.write_sample(*left).unwrap();
            file.write_sample(*right).unwrap();
        }
        file.finalize().unwrap();
    }

    #[test]
    fn both_sides_of_a_recording_are_written_down_in_order_with_times() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        stereo(&path);
        let mut seen = (0, 0);
        let heard = recording(&engines(), &path, &Lang::new("en-US"), &mut |done, all| {
            seen = (done, all);
            ControlFlow::Continue(())
        })
        .unwrap();
        let lines: Vec<_> = heard.iter().map(|line| (line.side, line.text.as_str())).collect();
        let wanted = [
            (Side::Customer, "I want to check my order."),
            (Side::Center, "Where is my order?"),
            (Side::Customer, "I want to speak to an agent."),
        ];
        assert_eq!(lines, wanted);
        assert!((700..1_300).contains(&heard[0].start_ms), "{}", heard[0].start_ms);
        assert!(heard.iter().all(|line| line.start_ms < line.end_ms && line.confidence > 0.8), "{heard:?}");
        assert!(seen.0 == seen.1 && seen.1 > 1_000);
    }

    #[test]
    fn a_language_that_nobody_hears_and_a_file_that_is_not_there_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        stereo(&path);
        let config = Config { models: "/nowhere".into(), ..Config::default() };
        let none = Arc::new(Engines::load(config).unwrap());
        let why = recording(&none, &path, &Lang::new("zh-CN"), &mut |_, _| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(why.contains("'zh-CN'") && why.contains("models pull"), "{why}");
        let gone =
            recording(&none, Path::new("/nowhere/x.wav"), &Lang::new("en"), &mut |_, _| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(gone.contains("/nowhere/x.wav"), "{gone}");
        assert_eq!(resample(&[], 8_000, RATE), Vec::<i16>::new());
    }
}

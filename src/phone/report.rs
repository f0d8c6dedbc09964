//! What a phone tells of a call: events while it goes on, and one report at its end.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::control::words::media::LegStats;
use crate::media::tone;

const LOWEST_TONE: u16 = 100;
const HIGHEST_TONE: u16 = 3_400;
const TONE_STEP: usize = 5;
const PIECES_A_SECOND: u32 = 10;
const FULL_SCALE: f64 = 32_768.0;
/// RMS below this is silence: no frequency is named.
const AUDIBLE: f64 = 30.0;

/// What happens.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The registrar took our registration.
    Registered,
    /// The registrar refused it.
    RegistrationFailed {
        /// Its status.
        status: u16,
    },
    /// The INVITE is out.
    Calling,
    /// The far end rings, or sends early media.
    Ringing {
        /// 180, 183.
        status: u16,
    },
    /// We are called.
    Incoming {
        /// Who calls.
        from: String,
    },
    /// We speak with the far end.
    Answered {
        /// `PCMU`, `PCMA`.
        codec: String,
    },
    /// The far end begins to speak.
    FarBegan,
    /// The far end has fallen silent.
    FarEnded,
    /// Nothing comes from the far end any more; it is asked whether it is there.
    FarGone,
    /// We say a file.
    Said {
        /// Its name.
        name: String,
    },
    /// We press keys.
    Pressed {
        /// Which.
        keys: String,
    },
    /// The far end pressed a key.
    Key {
        /// Which.
        key: char,
    },
    /// The direction of sound changed.
    Held {
        /// By whom, or `nobody`.
        by: &'static str,
    },
    /// The call is over.
    Ended {
        /// Why.
        by: EndedBy,
    },
}

/// Who ended a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The far end hung up.
    FarEnd,
    /// We hung up.
    Us,
    /// It was refused, or cancelled before the answer.
    Refused,
    /// The far end is gone, or its description could not be used.
    Failed,
}

/// One call, told at its end.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// `out` or `in`.
    pub direction: &'static str,
    /// Whom we called, or who called.
    pub peer: String,
    /// The SIP status it got: 200 when it was answered.
    pub status: u16,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Why the far end is gone, when it is.
    pub why: Option<&'static str>,
    /// From INVITE to answer; `None` when it was not answered.
    pub setup_ms: Option<u64>,
    /// From answer to end.
    pub talk_ms: u64,
    /// The codec spoken.
    pub codec: Option<String>,
    /// How its packets are ciphered: the suite's name of RFC 4568; `None` in clear.
    pub srtp: Option<&'static str>,
    /// Everything that happened, with milliseconds since the INVITE.
    pub states: Vec<Stamped>,
    /// Packets.
    pub media: LegStats,
    /// Keys the far end pressed.
    pub keys_heard: String,
    /// What the far end sounded like.
    pub heard: Option<Heard>,
    /// The recording: left what was heard, right what was said.
    pub recording: Option<PathBuf>,
}

/// An event with its time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Stamped {
    /// Milliseconds since the INVITE.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What a sound is like.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Heard {
    /// Root mean square, 0 to 32767.
    pub rms: f64,
    /// The same in decibels below full scale; −100 for nothing at all.
    pub dbfs: f64,
    /// The strongest frequency, when there is sound.
    pub hertz: Option<u16>,
    /// The share of all power at that frequency, 0.0 to 1.0.
    pub share: f64,
}

/// Measures the left channel of a stereo recording.
///
/// # Errors
/// When the file is no WAV.
pub fn heard_in(recording: &Path) -> Result<Heard, hound::Error> {
    let mut reader = hound::WavReader::open(recording)?;
    let (rate, channels) = (reader.spec().sample_rate, usize::from(reader.spec().channels.max(1)));
    let left = reader.samples::<i16>().step_by(channels).collect::<Result<Vec<i16>, hound::Error>>()?;
    Ok(measure(&left, rate))
}

/// Measures a sound.
#[must_use]
pub fn measure(samples: &[i16], rate: u32) -> Heard {
    const NOTHING: f64 = -100.0;
    let rms = if samples.is_empty() { 0.0 } else { tone::rms(samples) };
    let dbfs = if rms > 0.0 { (20.0 * (rms / FULL_SCALE).log10()).max(NOTHING) } else { NOTHING };
    let strongest = if rms >= AUDIBLE { strongest(samples, rate) } else { None };
    Heard { rms, dbfs, hertz: strongest.map(|(hertz, _)| hertz), share: strongest.map_or(0.0, |(_, share)| share) }
}

/// The frequency with most power, and its share; by pieces of a tenth of a second, so that a tone between the steps is found too.
fn strongest(samples: &[i16], rate: u32) -> Option<(u16, f64)> {
    let piece = usize::try_from(rate / PIECES_A_SECOND).unwrap_or(usize::MAX).max(1);
    let energy = |piece: &[i16]| piece.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let pieces: Vec<(&[i16], f64)> =
        samples.chunks_exact(piece).map(|piece| (piece, energy(piece))).filter(|(_, energy)| *energy > 0.0).collect();
    let whole: f64 = pieces.iter().map(|(_, energy)| energy).sum();
    let share = |hertz: u16| pieces.iter().map(|(piece, energy)| tone::share(piece, rate, f64::from(hertz)) * energy).sum::<f64>() / whole;
    let shares = (LOWEST_TONE..HIGHEST_TONE).step_by(TONE_STEP).map(|hertz| (hertz, share(hertz)));
    shares.filter(|(_, share)| *share > 0.0).max_by(|one, other| one.1.total_cmp(&other.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Audio;

    #[test]
    fn a_tone_is_named_and_silence_is_not() {
        let tone = measure(Audio::tone(440, 500).linear(), 8_000);
        assert!(tone.hertz.is_some_and(|hertz| hertz.abs_diff(440) <= 5), "{tone:?}");
        assert!(tone.share > 0.9 && tone.dbfs > -15.0);
        let nothing = measure(Audio::silence(500).linear(), 8_000);
        assert_eq!((nothing.hertz, nothing.dbfs), (None, -100.0));
    }
}

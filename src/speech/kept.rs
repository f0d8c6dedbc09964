//! An utterance kept until its end, for engines that want all of it at once.

use super::RATE;
use super::segment::voiced_ms;
use crate::control::words::speech::Nothing;

/// Longer utterances are cut by the caller; this only bounds memory: 60 s.
const LONGEST: usize = RATE as usize * 60;
/// Less voice than this is no utterance, and not worth a question.
const LEAST_VOICE_MS: u32 = 80;

/// The sound so far, 16 kHz.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<i16>);

impl Kept {
    /// Takes more sound; what is beyond a minute is left out.
    pub(super) fn push(&mut self, pcm: &[i16]) {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.extend_from_slice(&pcm[..pcm.len().min(room)]);
    }

    /// The whole sound.
    ///
    /// # Errors
    /// `Rejected` when there is hardly a voice in it.
    pub(super) fn spoken(self) -> Result<Vec<i16>, Nothing> {
        if voiced_ms(&self.0) < LEAST_VOICE_MS { Err(Nothing::Rejected) } else { Ok(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_minute_is_left_out_and_silence_is_no_utterance() {
        let mut kept = Kept::default();
        for _ in 0..61 {
            kept.push(&[0; RATE as usize]);
        }
        assert_eq!(kept.0.len(), LONGEST);
        assert_eq!(kept.spoken(), Err(Nothing::Rejected));
    }
}

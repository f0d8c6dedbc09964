//! Records one customer in stereo: left what he says, right what he hears. Blocks of half a second go to the disk thread; when that
//! is full, the time is noted and written as silence later. A tick never waits.

use std::collections::VecDeque;
use std::path::PathBuf;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::disk::{BLOCK_SAMPLES, Block, Job};
use super::{FRAME, Pcm};
use crate::control::words::media::Masking;
use crate::control::words::{LegId, RecordingId};

/// Blocks a recording owns from its start: one being filled, one on its way, one to spare.
const BLOCKS: usize = 3;
/// Blocks it may own while the disk is slow: 10 s of sound; beyond that there is a gap.
const MOST_BLOCKS: usize = 20;
/// A mask is heard as a soft hiss, 42 dB below full scale, so that nobody takes it for a fault.
const NOISE_SPAN: u32 = 512;
const NOISE_SEED: u32 = 0x9E37_79B9;

/// A recording in progress.
pub struct Recorder {
    recording: RecordingId,
    customer: LegId,
    disk: Sender<Job>,
    spare: Receiver<Box<Block>>,
    block: Option<Box<Block>>,
    owned: usize,
    /// Sample pairs that could not be handed over and still have to be written as silence.
    owed_silence: u64,
    masking: Masking,
    /// What the noise of a mask is made of.
    noise: u32,
}

/// Why a recording could not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the disk thread has too much to write to begin another recording")]
pub struct OursDiskFull;

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    /// When the disk thread cannot take another file now.
    pub fn start(recording: RecordingId, customer: LegId, path: PathBuf, disk: Sender<Job>) -> Result<Recorder, OursDiskFull> {
        let (home, spare) = crossbeam_channel::bounded(MOST_BLOCKS);
        for _ in 1..BLOCKS {
            home.try_send(Block::boxed()).map_err(|_| OursDiskFull)?;
        }
        disk.try_send(Job::Open { recording, path, spare: home }).map_err(|_| OursDiskFull)?;
        Ok(Recorder {
            recording,
            customer,
            disk,
            spare,
            block: Some(Block::boxed()),
            owned: BLOCKS,
            owed_silence: 0,
            masking: Masking::Off,
            noise: NOISE_SEED,
        })
    }

    /// Its name.
    #[must_use]
    pub fn recording(&self) -> RecordingId {
        self.recording
    }

    /// Whose mouth is left and whose ear is right.
    #[must_use]
    pub fn customer(&self) -> LegId {
        self.customer
    }

    /// Writes noise from here on, or what is said again.
    pub fn mask(&mut self, masking: Masking) {
        self.masking = masking;
    }

    /// Adds 20 ms. Returns how many sample pairs were lost (to be written as silence).
    pub fn add(&mut self, says: &Pcm, hears: &Pcm) -> u64 {
        if self.block.is_none() {
            self.block = self.another();
        }
        let Some(block) = &mut self.block else {
            self.owed_silence += FRAME as u64;
            return FRAME as u64;
        };
        let place = &mut block.samples[block.len..block.len + 2 * FRAME];
        if self.masking == Masking::On {
            place.iter_mut().for_each(|sample| *sample = hiss(&mut self.noise));
        } else {
            for (pair, (left, right)) in place.chunks_exact_mut(2).zip(says.iter().zip(hears)) {
                pair[0] = *left;
                pair[1] = *right;
            }
        }
        block.len += 2 * FRAME;
        if block.len == BLOCK_SAMPLES { self.hand_over() } else { 0 }
    }

    /// Ends the recording; what the disk thread cannot take now is `owed` to it.
    pub fn stop(mut self, owed: &mut VecDeque<Job>) {
        if self.block.as_ref().is_some_and(|block| block.len > 0) {
            self.hand_over();
        }
        if self.owed_silence > 0 {
            owed.push_back(Job::Gap { recording: self.recording, pairs: self.owed_silence });
        }
        owed.push_back(Job::Close { recording: self.recording });
    }

    /// A block that came home; a new one only while the disk is slow.
    fn another(&mut self) -> Option<Box<Block>> {
        self.spare.try_recv().ok().or_else(|| {
            let may = self.owned < MOST_BLOCKS;
            self.owned += usize::from(may);
            may.then(Block::boxed)
        })
    }

    fn hand_over(&mut self) -> u64 {
        let Some(mut block) = self.block.take() else { return 0 };
        if self.owed_silence > 0 {
            match self.disk.try_send(Job::Gap { recording: self.recording, pairs: self.owed_silence }) {
                Ok(()) => self.owed_silence = 0,
                Err(_) => return self.lose(block),
            }
        }
        match self.disk.try_send(Job::Append { recording: self.recording, block }) {
            Ok(()) => 0,
            Err(
                TrySendError::Full(Job::Append { block: refused, .. }) | TrySendError::Disconnected(Job::Append { block: refused, .. }),
            ) => {
                block = refused;
                self.lose(block)
            }
            Err(_) => 0,
        }
    }

    fn lose(&mut self, mut block: Box<Block>) -> u64 {
        let pairs = (block.len / 2) as u64;
        self.owed_silence += pairs;
        block.len = 0;
        self.block = Some(block);
        pairs
    }
}

/// The next sample of a mask's noise (xorshift): soft, and the same whatever is said beneath it.
fn hiss(state: &mut u32) -> i16 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    (*state % NOISE_SPAN) as i16 - (NOISE_SPAN / 2) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::control::time::Time;
    use crate::media::disk::BLOCK_FRAMES;

    #[test]
    fn a_full_disk_leaves_a_gap_of_the_right_length_and_never_waits() {
        let mut random = Random::new(1);
        let (recording, customer) = (RecordingId::new(Time(1), &mut random), LegId::new(Time(1), &mut random));
        let (disk, inbox) = crossbeam_channel::bounded(2);
        let mut recorder = Recorder::start(recording, customer, "a.wav".into(), disk).unwrap();
        let lost: u64 = (0..BLOCK_FRAMES * 3).map(|_| recorder.add(&[1; FRAME], &[2; FRAME])).sum();
        assert_eq!(lost, (BLOCK_FRAMES * FRAME * 2) as u64, "one block fits beside the opening, two do not");
        assert_eq!(inbox.try_iter().count(), 2);
        (0..BLOCK_FRAMES).for_each(|_| assert_eq!(recorder.add(&[1; FRAME], &[2; FRAME]), 0));
        let mut owed = VecDeque::new();
        recorder.stop(&mut owed);
        let written: Vec<Job> = inbox.try_iter().collect();
        assert!(matches!(&written[..], [Job::Gap { pairs: 8_000, .. }, Job::Append { block, .. }] if block.samples[..2] == [1, 2]));
        assert!(matches!(&owed.make_contiguous()[..], [Job::Close { .. }]));
    }
}

//! THE SOUND. OS threads with a 20 ms tick; no async, no locks.
//!
//! [`start`] makes one worker: an OS thread that owns its RTP sockets, rooms and legs. It takes [`Job`]s, gives [`Report`]s,
//! sends utterances to the recognizer threads and recordings to the one disk thread ([`disk::start`]).
//! A phone (a caller of our own) is a worker with one room of one leg: what it says is a `Play` of a [`Sound`] read from a
//! WAV file, what it hears is the left channel of a recording, its keys are `SendKeys`, the keys it hears are `KeyPressed`.

mod aside;
pub mod codec;
pub mod conceal;
pub mod disk;
pub mod inband;
pub mod incoming;
pub mod jitter;
mod lasting;
pub mod leg;
pub mod level;
pub mod mixer;
pub mod outgoing;
pub mod player;
pub mod priority;
pub mod quality_counts;
pub mod recorder;
pub mod resample;
pub mod room;
pub mod rtp;
pub mod sockets;
pub mod sound;
pub mod stretch;
pub mod tap;
pub mod tone;
pub mod vad;
pub mod wav;
pub mod worker;

pub use sound::{Audio, Sound};
pub use worker::{Counts, Handle, Ports, StartError, WorkerConfig, start};

use std::sync::Arc;

use crate::control::words::{media, speech};

/// Samples of a 20 ms tick at 8 kHz, the inside format.
pub const FRAME: usize = 160;
/// Samples a second of the inside format.
pub const RATE: u32 = 8_000;

/// One 20 ms frame of linear sound at 8 kHz.
pub type Pcm = [i16; FRAME];

/// A command for a worker, with the sounds of its prompts resolved.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to do.
    pub command: media::Command,
    /// For `Play`: one sound a prompt, in order. Cells may be filled later. Empty for every other command.
    pub sounds: Vec<Arc<Sound>>,
}

impl From<media::Command> for Job {
    fn from(command: media::Command) -> Job {
        Job { command, sounds: Vec::new() }
    }
}

/// What the sound reports to the rules.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// Of legs, keys, playbacks and recordings.
    Media(media::Event),
    /// An utterance that never reached a recognizer.
    Speech(speech::Event),
}

//! The recognizer's ear at one leg for one turn: finds utterances and sends them, from 300 ms before their start, to a speech thread.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::resample::{Up, WIDE};
use super::tone::power;
use super::vad::{EchoGate, Vad};
use super::{FRAME, Pcm};
use crate::clock;
use crate::control::words::LegId;
use crate::control::words::speech::{Job, Listening};

const TICK: Duration = Duration::from_millis(20);
/// 300 ms before the first voiced tick belong to the utterance.
const PRE_ROLL: usize = 15;
/// Voiced ticks among the last [`RECENT`] that confirm speech: 100 ms.
const CONFIRM: u32 = 5;
/// Over a prompt more is asked: 160 ms.
const CONFIRM_OVER_PROMPT: u32 = 8;
/// Ticks that are looked at: 200 ms.
const RECENT: u32 = 10;
const KEPT: usize = PRE_ROLL + RECENT as usize;
/// A score that begins speech.
const VOICED: f32 = 0.5;
/// A score that keeps it going.
const STILL_VOICED: f32 = 0.3;

/// What a tick changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turned {
    /// Nothing.
    Nothing,
    /// Speech was confirmed.
    Started,
    /// The utterance was handed over.
    Ended,
    /// The recognizer's inbox is full: the utterance is given up.
    Overloaded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody speaks.
    Waiting,
    /// An utterance is on its way: ticks since its first frame, ticks of silence at its end.
    Speaking { ticks: u32, silent: u32 },
    /// The utterance was given up; waiting for its silence.
    Deaf { silent: u32 },
}

/// One turn of listening to one leg.
pub struct Tap {
    leg: LegId,
    listening: Arc<Listening>,
    /// The silence that ends the utterance under way.
    end_silence: Duration,
    speech: Sender<Job>,
    state: State,
    vad: Vad,
    gate: EchoGate,
    up: Up,
    /// The latest frames at 16 kHz, a ring.
    kept: [[i16; WIDE]; KEPT],
    /// Ticks listened to.
    ticks: u32,
    /// Bit n: the tick n before this one was voiced.
    voiced: u32,
    owes_cancel: bool,
}

impl Tap {
    /// Opens the ear.
    #[must_use]
    pub fn new(leg: LegId, listening: Arc<Listening>, speech: Sender<Job>) -> Box<Tap> {
        Box::new(Tap {
            leg,
            end_silence: listening.end_silence,
            listening,
            speech,
            state: State::Waiting,
            vad: Vad::default(),
            gate: EchoGate::default(),
            up: Up::default(),
            kept: [[0; WIDE]; KEPT],
            ticks: 0,
            voiced: 0,
            owes_cancel: false,
        })
    }

    /// The terms of the turn.
    #[must_use]
    pub fn listening(&self) -> &Arc<Listening> {
        &self.listening
    }

    /// Another silence ends the utterance under way; the next one has the turn's own.
    pub fn end_after(&mut self, silence: Duration) {
        self.end_silence = silence;
    }

    /// Hears 20 ms. `played`: the power of what our player sent in this tick; `age`: time since the leg was opened.
    pub fn tick(&mut self, spoken: &Pcm, played: f32, age: Duration) -> Turned {
        self.pay_cancel();
        let slot = self.ticks as usize % KEPT;
        self.up.process(spoken, &mut self.kept[slot]);
        self.ticks = self.ticks.wrapping_add(1);
        let score = self.vad.score(&self.kept[slot]);
        let over_echo = self.gate.lets_through(played, power(spoken));
        self.voiced = (self.voiced << 1) | u32::from(score >= VOICED && over_echo);
        let still = score >= STILL_VOICED && over_echo;
        match self.state {
            State::Waiting => self.wait(age),
            State::Speaking { ticks, silent } => self.speak(slot, ticks + 1, if still { 0 } else { silent + 1 }),
            State::Deaf { silent } => {
                let silent = if still { 0 } else { silent + 1 };
                self.state = if TICK * silent >= self.listening.end_silence { State::Waiting } else { State::Deaf { silent } };
                Turned::Nothing
            }
        }
    }

    /// Closes the ear: an utterance under way is forgotten by the recognizer.
    pub fn close(&mut self) {
        if matches!(self.state, State::Speaking { .. }) {
            self.owes_cancel = true;
            self.state = State::Waiting;
        }
        self.pay_cancel();
    }

    fn wait(&mut self, age: Duration) -> Turned {
        let recent = self.voiced & ((1 << RECENT) - 1);
        let wanted = if self.gate.is_playing() { CONFIRM_OVER_PROMPT } else { CONFIRM };
        if recent.count_ones() < wanted || self.owes_cancel {
            return Turned::Nothing;
        }
        let since_start = 32 - recent.leading_zeros();
        let count = (since_start + PRE_ROLL as u32).min(self.ticks);
        let offset = age.saturating_sub(TICK * count);
        let begun = self.give(Job::Begin { leg: self.leg, listening: Arc::clone(&self.listening), offset });
        let sent = begun && (0..count).rev().all(|back| self.give_frame((self.ticks - 1 - back) as usize % KEPT));
        if !sent {
            self.owes_cancel = begun;
            self.state = State::Deaf { silent: 0 };
            return Turned::Overloaded;
        }
        self.state = State::Speaking { ticks: count, silent: 0 };
        self.end_silence = self.listening.end_silence;
        Turned::Started
    }

    fn speak(&mut self, slot: usize, ticks: u32, silent: u32) -> Turned {
        if !self.give_frame(slot) {
            self.owes_cancel = true;
            self.state = State::Deaf { silent };
            return Turned::Overloaded;
        }
        self.state = State::Speaking { ticks, silent };
        if TICK * silent < self.end_silence && TICK * ticks < self.listening.max {
            return Turned::Nothing;
        }
        if !self.give(Job::Finish { leg: self.leg, turn: self.listening.turn, at: clock::now() }) {
            self.owes_cancel = true;
            self.state = State::Deaf { silent };
            return Turned::Overloaded;
        }
        self.state = State::Waiting;
        self.voiced = 0;
        Turned::Ended
    }

    fn give_frame(&mut self, slot: usize) -> bool {
        self.give(Job::Frames { leg: self.leg, turn: self.listening.turn, pcm: self.kept[slot] })
    }

    fn give(&mut self, job: Job) -> bool {
        self.speech.try_send(job).is_ok()
    }

    fn pay_cancel(&mut self) {
        if self.owes_cancel {
            self.owes_cancel = !self.give(Job::Cancel { leg: self.leg, turn: self.listening.turn });
        }
    }
}

impl Drop for Tap {
    /// The last chance to tell the recognizer; when even this does not fit, it forgets the utterance with the turn's next one.
    fn drop(&mut self) {
        self.close();
    }
}

const _: () = assert!(FRAME * 2 == WIDE && RECENT < u32::BITS);

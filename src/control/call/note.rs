//! The caller records a message of his own: a tone, then his words until a key, a long silence, or the limit.

use std::sync::Arc;
use std::time::Duration;

use super::sound::Own;
use super::{Call, World};
use crate::control::dialplan::wish::Event;
use crate::control::limits::{BEEP, MESSAGE_END_SILENCE, MESSAGE_SILENCE};
use crate::control::session::Left;
use crate::control::session::effect::{Clock, Effect};
use crate::control::words::media::{Command, Prompt};
use crate::control::words::speech::{Expect, Listening};
use crate::control::words::{RecordingId, TurnId};

/// What the plan calls a message left for people, in [`crate::control::dialplan::wish::Wish::Record`].
pub const LEFT_MESSAGE: &str = "left_message";

/// A message being recorded.
#[derive(Debug)]
pub struct Note {
    name: String,
    max: Duration,
    state: State,
    spoken: Spoken,
    words: String,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The tone sounds.
    Beep,
    /// The caller speaks.
    Running(RecordingId, TurnId),
    /// The file is being closed.
    Closing(RecordingId),
}

/// Was anything said?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Nothing,
    Something,
}

impl Call {
    /// The tone; the recording begins behind it.
    pub(super) fn ask_note(&mut self, name: String, max: Duration, world: &mut World<'_>) {
        self.sound.note = Some(Note { name, max, state: State::Beep, spoken: Spoken::Nothing, words: String::new() });
        let (hertz, ms) = BEEP;
        self.play_own(self.caller, vec![Prompt::Tone { hertz, ms }], Own::Beep, world);
    }

    pub(super) fn start_note(&mut self, world: &mut World<'_>) {
        let Some(max) = self.sound.note.as_ref().map(|note| note.max) else { return };
        let recording = self.record_caller(world);
        let turn = TurnId::new(world.now, world.random);
        let listening = Listening {
            turn,
            lang: self.lang(world.directory),
            expect: Expect::Sentence,
            hints: Arc::default(),
            end_silence: MESSAGE_END_SILENCE,
            max,
        };
        self.media(Command::Listen { leg: self.caller, listening: Arc::new(listening) }, world);
        if let Some(note) = &mut self.sound.note {
            note.state = State::Running(recording, turn);
        }
        world.out.push(Effect::Clock(Clock::NoteLength, Some(world.now + max)));
        world.out.push(Effect::Clock(Clock::NoteSilence, Some(world.now + MESSAGE_SILENCE)));
    }

    pub(super) fn on_note_speech(&mut self, turn: TurnId, world: &mut World<'_>) {
        let Some(note) = self.sound.note.as_mut().filter(|note| note.is_turn(turn)) else { return };
        note.spoken = Spoken::Something;
        world.out.push(Effect::Clock(Clock::NoteSilence, None));
    }

    /// Words of the message; true when the turn is the message's.
    pub(super) fn on_note_words(&mut self, turn: TurnId, text: &str, world: &mut World<'_>) -> bool {
        let Some(note) = self.sound.note.as_mut().filter(|note| note.is_turn(turn)) else { return false };
        note.words.push_str(text);
        world.out.push(Effect::Clock(Clock::NoteSilence, Some(world.now + MESSAGE_SILENCE)));
        true
    }

    /// Enough: a key, the limit, or silence.
    pub(super) fn stop_note(&mut self, world: &mut World<'_>) {
        let Some(note) = &mut self.sound.note else { return };
        let State::Running(recording, turn) = note.state else { return };
        note.state = State::Closing(recording);
        self.close_note(recording, turn, world);
    }

    /// The file is closed: the plan goes on.
    pub(super) fn on_note_recorded(&mut self, recording: RecordingId, duration: Option<Duration>, world: &mut World<'_>) {
        let is_it = |note: &mut Note| matches!(note.state, State::Closing(id) | State::Running(id, _) if id == recording);
        let Some(note) = self.sound.note.take_if(is_it) else { return };
        for clock in [Clock::NoteLength, Clock::NoteSilence] {
            world.out.push(Effect::Clock(clock, None));
        }
        let kept = duration.filter(|_| note.spoken == Spoken::Something);
        if let (Some(talk), Some(_)) = (&mut self.talk, kept) {
            talk.note = Some((recording, note.words));
        }
        self.tell_plan(Event::Recorded(kept), world);
    }

    /// The caller hung up while he left a message: what he said is kept all the same, as most people end it that way.
    pub(super) fn keep_note(&mut self, world: &mut World<'_>) {
        let Some(note) = self.sound.note.take() else { return };
        let (State::Running(recording, _) | State::Closing(recording)) = note.state else { return };
        if let State::Running(_, turn) = note.state {
            self.close_note(recording, turn, world);
        }
        if note.name == LEFT_MESSAGE && note.spoken == Spoken::Something {
            let text = (!note.words.is_empty()).then_some(note.words);
            let contact = Some(self.party.address.clone());
            world.out.push(Effect::Leave(Left { mode: "ticket".to_owned(), contact, text, recording: Some(recording) }));
        }
    }

    fn close_note(&self, recording: RecordingId, turn: TurnId, world: &mut World<'_>) {
        self.media(Command::StopListen { leg: self.caller, turn }, world);
        self.media(Command::StopRecording { room: self.ids.room, recording }, world);
    }
}

impl Note {
    fn is_turn(&self, turn: TurnId) -> bool {
        matches!(self.state, State::Running(_, own) if own == turn)
    }
}

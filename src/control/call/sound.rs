//! What a call does with sound: opening and closing legs, plays of its own, recordings, keys, speech.

use std::path::PathBuf;
use std::time::Duration;

use super::answering::Answering;
use super::leg::Sound;
use super::mask::Masks;
use super::note::Note;
use super::{Call, Stage, World};
use crate::control::dialplan::wish::Event;
use crate::control::discreet::HIDDEN_KEY;
use crate::control::event::Fact;
use crate::control::session::effect::Effect;
use crate::control::session::talk::Talk;
use crate::control::words::media::{self, BargeIn, Command, KeyWay, LegStats, PlayOutcome, Prompt};
use crate::control::words::{LegId, PlayId, RecordingId, TurnId};

/// What plays by the call's own wish, not the plan's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Waiting music, ringback, hold music: until something else comes.
    Background,
    /// A sentence over it; the music comes back.
    Announcement,
    /// The tone before a recording.
    Beep,
    /// The last words.
    Farewell,
}

/// The sound of a call.
#[derive(Debug, Default)]
pub struct CallSound {
    /// What the call itself plays, and to whom.
    pub own: Option<(LegId, PlayId, Own)>,
    /// What the plan plays.
    pub saying: Option<PlayId>,
    /// The turn the plan listens in.
    pub turn: Option<TurnId>,
    /// The silence that ends an utterance of that turn.
    pub end_silence: Duration,
    /// The plan's answer to what was said last, until it is heard.
    pub answering: Option<Answering>,
    /// The recording of the call that runs.
    pub recording: Option<RecordingId>,
    /// Recordings whose last word is still to come.
    pub unfinished: Vec<RecordingId>,
    /// A message that is being recorded.
    pub note: Option<Note>,
    /// Who wants the recording masked.
    pub(super) masks: Masks,
    /// What the plan said of the recorder before the call was answered.
    pub wanted: Option<Recorder>,
    /// Was the customer told that he is recorded?
    pub told: Told,
}

/// The recorder, as a plan switches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorder {
    /// It runs.
    On,
    /// It stands.
    Off,
}

/// Was somebody told?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Told {
    /// Not yet.
    #[default]
    No,
    /// Once.
    Yes,
}

impl Call {
    /// Sound.
    pub fn on_media(&mut self, event: media::Event, world: &mut World<'_>) {
        match event {
            media::Event::KeyPressed { leg, key, way } => self.on_key(leg, key, way, world),
            media::Event::PlayBegan { leg, waited, .. } => self.on_play_began(leg, waited, world),
            media::Event::PlayFinished { play, outcome, .. } => self.on_played(play, outcome, world),
            media::Event::SpeechStarted { leg, turn } => self.on_speech_started(leg, turn, world),
            media::Event::MediaLost { leg } => self.on_media_lost(leg, world),
            media::Event::LegClosed { leg, stats } => self.on_leg_closed(leg, stats, world),
            media::Event::RecordingFinished { recording, path, duration, bytes, sha256 } => {
                let (session, path, duration_ms) =
                    (self.ids.session, path.to_string_lossy().into_owned(), crate::control::event::DomainEvent::ms(duration));
                world.out.push(Effect::Record(Fact::RecordingFinished { recording, session, path, duration_ms, bytes, sha256 }));
                self.on_recorded(recording, Some(duration), world);
            }
            media::Event::RecordingPart { recording, part, path, duration, bytes, sha256 } => {
                let (session, path, duration_ms) =
                    (self.ids.session, path.to_string_lossy().into_owned(), crate::control::event::DomainEvent::ms(duration));
                world.out.push(Effect::Record(Fact::RecordingPart { recording, session, part, path, duration_ms, bytes, sha256 }));
            }
            media::Event::RecordingFailed { recording, why } => {
                world.out.push(Effect::Record(Fact::RecordingFailed { recording, session: self.ids.session, why }));
                self.on_recorded(recording, None, world);
            }
        }
    }

    /// Opens a leg's sound if there is an agreement.
    pub(super) fn open_sound(&mut self, leg: LegId, world: &mut World<'_>) {
        if self.leg(leg).is_some_and(|leg| leg.sound == Sound::None) {
            self.tune(leg, world);
        }
    }

    /// Opens a leg's sound or brings it up to date.
    pub(super) fn tune(&mut self, leg: LegId, world: &mut World<'_>) {
        let room = self.ids.room;
        if let Some(command) = self.leg_mut(leg).and_then(|leg| leg.tune(room)) {
            self.media(command, world);
        }
    }

    pub(super) fn hear(&self, ear: LegId, mouth: LegId, world: &mut World<'_>) {
        self.media(Command::Hear { ear, mouth, gain: 1.0 }, world);
    }

    /// Plays something of the call's own, instead of what plays there.
    pub(super) fn play_own(&mut self, leg: LegId, prompts: Vec<Prompt>, own: Own, world: &mut World<'_>) {
        let play = PlayId::new(world.now, world.random);
        self.sound.own = Some((leg, play, own));
        let repeat = own == Own::Background;
        self.media(Command::Play { leg, play, prompts, repeat, barge_in: BargeIn::Off }, world);
    }

    /// Plays something short to one ear over what it hears; the others do not hear it, and nobody waits for its end.
    pub(super) fn play_aside(&mut self, ear: LegId, prompt: Prompt, world: &mut World<'_>) {
        if self.sound.own.is_some_and(|(leg, ..)| leg == ear) {
            return;
        }
        let play = PlayId::new(world.now, world.random);
        self.media(Command::Play { leg: ear, play, prompts: vec![prompt], repeat: false, barge_in: BargeIn::Off }, world);
    }

    /// The customer comes to a person and is recorded: he hears so, where the law or the house wants it.
    pub(super) fn tell_of_recording(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        let Some(notice) = world.directory.notices.recording.clone() else { return };
        if self.sound.recording.is_some() && self.sound.told == Told::No {
            self.sound.told = Told::Yes;
            let customer = if self.party.agent.is_some() { peer } else { self.caller };
            self.play_aside(customer, notice, world);
        }
    }

    /// Stops what the call itself plays.
    pub(super) fn stop_own(&mut self, world: &mut World<'_>) {
        if let Some((leg, play, _)) = self.sound.own.take() {
            self.media(Command::StopPlay { leg, play }, world);
        }
    }

    /// Stops what the plan plays and the turn it listens in.
    pub(super) fn hush_plan(&mut self, world: &mut World<'_>) {
        let leg = self.caller;
        if let Some(play) = self.sound.saying.take() {
            self.media(Command::StopPlay { leg, play }, world);
        }
        if let Some(turn) = self.sound.turn.take() {
            self.media(Command::StopListen { leg, turn }, world);
        }
    }

    fn on_played(&mut self, play: PlayId, _outcome: PlayOutcome, world: &mut World<'_>) {
        match self.sound.own {
            Some((_, own, what)) if own == play => {
                self.sound.own = None;
                self.on_own_played(what, world);
            }
            _ => {
                if self.sound.saying == Some(play) {
                    self.sound.saying = None;
                }
                self.on_plan_played(play, world);
            }
        }
    }

    /// The first sound after somebody's words is their answer.
    fn on_play_began(&mut self, leg: LegId, waited: Duration, world: &mut World<'_>) {
        let answering = self.sound.answering.filter(|_| leg == self.caller);
        if let Some(fact) = answering.and_then(|answering| answering.begun(world.now, self.ids.session, waited)) {
            self.sound.answering = None;
            world.out.push(Effect::Record(fact));
        }
    }

    /// The rules' work on the last words is told.
    pub fn on_reckoned(&mut self, took: Duration) {
        self.sound.answering.iter_mut().for_each(|answering| answering.reckoned(took));
    }

    fn on_own_played(&mut self, what: Own, world: &mut World<'_>) {
        match what {
            Own::Background => {}
            Own::Announcement => self.play_music(world),
            Own::Beep => self.start_note(world),
            Own::Farewell => self.leave(world),
        }
    }

    /// Begins the recording of the call, unless it runs.
    pub(super) fn start_recording(&mut self, world: &mut World<'_>) {
        if self.sound.recording.is_none() {
            self.sound.masks = Masks::default();
            self.sound.recording = Some(self.record_caller(world));
            self.mask_secrets(world);
        }
    }

    /// The plan switches the recorder; before the answer nothing is recorded, and the wish is kept for it.
    pub(super) fn switch_recorder(&mut self, to: Recorder, world: &mut World<'_>) {
        match to {
            _ if self.is_early() => self.sound.wanted = Some(to),
            Recorder::On => self.start_recording(world),
            Recorder::Off => self.stop_recording(world),
        }
    }

    /// Ends the recording of the call, if it runs.
    pub(super) fn stop_recording(&mut self, world: &mut World<'_>) {
        if let Some(recording) = self.sound.recording.take() {
            self.media(Command::StopRecording { room: self.ids.room, recording }, world);
        }
    }

    /// A new file: left what the caller says, right what he hears.
    pub(super) fn record_caller(&mut self, world: &mut World<'_>) -> RecordingId {
        let recording = RecordingId::new(world.now, world.random);
        let path = path_of(world, recording);
        let shown = path.to_string_lossy().into_owned();
        self.sound.unfinished.push(recording);
        world.out.push(Effect::OwnRecording(recording));
        world.out.push(Effect::Record(Fact::RecordingStarted { recording, session: self.ids.session, path: shown }));
        self.media(Command::StartRecording { room: self.ids.room, recording, customer: self.caller, path }, world);
        recording
    }

    fn on_recorded(&mut self, recording: RecordingId, duration: Option<Duration>, world: &mut World<'_>) {
        self.sound.unfinished.retain(|open| *open != recording);
        world.out.push(Effect::DropRecording(recording));
        self.on_note_recorded(recording, duration, world);
        self.forget_if_gone(world);
    }

    pub(super) fn on_key(&mut self, leg: LegId, key: char, way: KeyWay, world: &mut World<'_>) {
        if self.leg_mut(leg).is_some_and(|leg| leg.repeats(world.now, key, way)) {
            return;
        }
        if matches!(self.stage, Stage::Talking { .. }) {
            self.pass_key(leg, key, way, world);
        }
        if leg != self.caller || matches!(self.stage, Stage::Over) {
            return;
        }
        let shown = matches!(self.stage, Stage::Plan) && self.talk.as_ref().is_some_and(Talk::shows_keys);
        let key_shown = if shown { key } else { HIDDEN_KEY };
        world.out.push(Effect::Record(Fact::KeyPressed { session: self.ids.session, key: key_shown }));
        match &self.stage {
            Stage::Plan if self.sound.note.is_some() => self.stop_note(world),
            Stage::Plan => self.tell_plan(Event::Pressed(key), world),
            Stage::Line(_) => self.on_key_in_line(key, world),
            _ => {}
        }
    }

    fn on_speech_started(&mut self, leg: LegId, turn: TurnId, world: &mut World<'_>) {
        if leg != self.caller || !matches!(self.stage, Stage::Plan) {
            return;
        }
        if self.sound.note.is_some() {
            self.on_note_speech(turn, world);
        } else if self.sound.turn == Some(turn) {
            self.tell_plan(Event::SpeechStarted, world);
        }
    }

    fn on_leg_closed(&mut self, id: LegId, stats: LegStats, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.sound != Sound::Closed) else { return };
        let lease = leg.take_lease();
        world.out.extend(lease.map(Effect::Release));
        self.record_closed(id, stats, world);
        self.drop_gone_legs(world);
        self.forget_if_gone(world);
    }
}

/// `2026/11/21/rec_….wav` (or `.opus`), below the recordings folder.
fn path_of(world: &World<'_>, recording: RecordingId) -> PathBuf {
    let day = world.now.rfc3339();
    let day = day.get(..DATE_CHARS).unwrap_or("undated").replace('-', "/");
    PathBuf::from(day).join(format!("{recording}.{}", world.directory.recording_form.ending()))
}

/// Characters of `2026-11-21`.
const DATE_CHARS: usize = 10;

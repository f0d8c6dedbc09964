//! What a plan wishes of a call, and what it is told.

use std::sync::Arc;

use super::answering::Answering;
use super::dial::DIRECT;
use super::sound::Recorder;
use super::{After, Call, Ending, Stage, World};
use crate::control::dialplan::plan::TransferMode;
use crate::control::dialplan::wish::{Event, Wish};
use crate::control::discreet::SECRET;
use crate::control::event::Author;
use crate::control::session;
use crate::control::session::advice::Sentence;
use crate::control::session::effect::{Distribute, Effect, Signal};
use crate::control::session::talk::{Failed, Talk};
use crate::control::words::chat::Content;
use crate::control::words::lookup::Finding;
use crate::control::words::media::{BargeIn, Command, Prompt};
use crate::control::words::speech::{self, Heard, Nothing};
use crate::control::words::ticket::Filed;
use crate::control::words::{LookupId, PlayId};

impl Call {
    /// Tells the plan, and carries out what it wishes.
    pub(super) fn tell_plan(&mut self, event: Event, world: &mut World<'_>) {
        let mut wishes = Vec::new();
        let Some(talk) = &mut self.talk else { return };
        talk.step(world.now, event, &mut wishes, world.out);
        let is_asking = talk.is_asking_outside();
        self.sound.answering.iter_mut().for_each(|answering| answering.look(world.now, is_asking));
        self.carry_out(wishes, world);
        self.mask_secrets(world);
    }

    pub(super) fn on_plan_clock(&mut self, world: &mut World<'_>) {
        let mut wishes = Vec::new();
        let Some(talk) = &mut self.talk else { return };
        talk.handle_timeout(world.now, &mut wishes, world.out);
        self.carry_out(wishes, world);
        self.mask_secrets(world);
    }

    /// A lookup of the plan was answered.
    pub fn on_found(&mut self, lookup: LookupId, finding: Finding, world: &mut World<'_>) {
        self.tell_plan(Event::Found(lookup, finding), world);
    }

    /// The ticket the plan asked for has a number.
    pub fn on_ticket(&mut self, save_as: Option<String>, number: u64, filed: Filed, world: &mut World<'_>) {
        self.tell_plan(Event::Ticket { save_as, number, filed }, world);
    }

    /// The plan leads no more; what it had begun outside is brought to its end.
    pub(super) fn leave_plan(&mut self, world: &mut World<'_>) {
        world.out.extend(self.talk.take().and_then(Talk::alone).map(|talk| Effect::GoOn(Box::new(talk))));
    }

    /// Speech.
    pub fn on_speech(&mut self, event: speech::Event, world: &mut World<'_>) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        match event {
            speech::Event::Partial { leg, turn, text } if leg == self.caller && self.sound.turn == Some(turn) => {
                if matches!(self.stage, Stage::Plan) {
                    self.tell_plan(Event::Words(text), world);
                }
            }
            speech::Event::Heard { leg, turn, heard } if leg == self.caller => {
                self.say_heard(&heard, world);
                if matches!(self.stage, Stage::Talking { .. }) || self.talk.as_ref().is_some_and(Talk::is_human_first) {
                    let (text, pinyin, meanings) = (heard.text.clone(), heard.pinyin.clone(), heard.meanings.clone());
                    let sentence = Sentence { text, pinyin, meanings, medium: crate::nlu::Medium::Voice };
                    world.out.push(Effect::SuggestAnswer(Box::new(sentence)));
                } else if matches!(self.stage, Stage::Line(_)) {
                    let Heard { text, pinyin, confidence, meanings, .. } = heard;
                    self.tell_plan(Event::Said { text, pinyin, confidence, meanings }, world);
                    return;
                }
                if !self.on_note_words(turn, &heard.text, world) && self.sound.turn == Some(turn) && matches!(self.stage, Stage::Plan) {
                    let Heard { text, pinyin, meanings, confidence, latency, .. } = heard;
                    self.sound.answering = Some(Answering::new(world.now, self.sound.end_silence, latency));
                    self.tell_plan(Event::Said { text, pinyin, confidence, meanings }, world);
                }
            }
            speech::Event::Nothing { leg, turn, why } if leg == self.caller && self.sound.turn == Some(turn) => {
                let event = match why {
                    Nothing::Rejected | Nothing::Failed => Event::NotUnderstood,
                    Nothing::Overloaded | Nothing::NoEngine => Event::NoRecognizer,
                };
                if matches!(self.stage, Stage::Plan) {
                    self.tell_plan(event, world);
                }
            }
            speech::Event::Partial { .. } | speech::Event::Heard { .. } | speech::Event::Nothing { .. } => {}
        }
    }

    pub(super) fn on_plan_played(&mut self, play: PlayId, world: &mut World<'_>) {
        if matches!(self.stage, Stage::Plan) {
            self.tell_plan(Event::PromptFinished(play), world);
        } else if matches!(self.stage, Stage::Leaving(_)) && self.sound.saying.is_none() && self.sound.own.is_none() {
            self.leave(world);
        }
    }

    fn carry_out(&mut self, wishes: Vec<Wish>, world: &mut World<'_>) {
        // A question needs the caller, however he may answer it: the call is answered before its prompt.
        if self.talk.as_ref().is_some_and(Talk::is_asking) {
            self.pick_up(world);
        }
        for wish in wishes {
            if matches!(self.stage, Stage::Over) {
                return;
            }
            self.carry_out_one(wish, world);
        }
    }

    fn carry_out_one(&mut self, wish: Wish, world: &mut World<'_>) {
        let leg = self.caller;
        match wish {
            Wish::Say { play, prompts, barge_in, .. } => self.say(play, prompts, barge_in, world),
            Wish::Listen(listening) => {
                self.sound.turn = Some(listening.turn);
                self.sound.end_silence = listening.end_silence;
                self.media(Command::Listen { leg, listening: Arc::new(listening) }, world);
            }
            Wish::EndAfter(turn, silence) => {
                self.sound.end_silence = silence;
                self.media(Command::EndAfter { leg, turn, silence }, world);
            }
            Wish::StopListening(turn) => {
                self.sound.turn.take_if(|open| *open == turn);
                self.media(Command::StopListen { leg, turn }, world);
            }
            Wish::StopSaying(play) => self.media(Command::StopPlay { leg, play }, world),
            Wish::Enqueue(ask) => self.join_line(*ask, After::Queue, world),
            Wish::Raise { priority } if matches!(self.stage, Stage::Line(_)) => {
                world.out.push(Effect::Distribute(Distribute::Raise(priority)));
            }
            Wish::Transfer { to, mode: TransferMode::Refer, headers, ring, .. } => {
                self.pick_up(world);
                self.refer_away(&to, &headers, ring, world);
            }
            Wish::Transfer { to, trunk, headers, ring, .. } => self.transfer(&to, trunk.as_deref(), &headers, ring, world),
            Wish::Record { name, max } => {
                self.pick_up(world);
                self.ask_note(name, max, world);
            }
            Wish::Echo => {
                self.pick_up(world);
                self.hear(leg, leg, world);
            }
            Wish::SetRecording { on } => self.switch_recorder(if on { Recorder::On } else { Recorder::Off }, world),
            Wish::Hangup { contained } => self.hang_up_after_words(contained, world),
            // The others are carried out by `Talk` for calls and chats alike.
            _ => {}
        }
    }

    /// A prompt: played, and kept as the line it is.
    fn say(&mut self, play: PlayId, prompts: Vec<Prompt>, barge_in: BargeIn, world: &mut World<'_>) {
        let is_secret = self.talk.as_ref().is_some_and(Talk::reads_secret);
        let text = if is_secret { SECRET.to_owned() } else { spoken(&prompts) };
        if !text.is_empty() {
            let lang = self.talk.as_ref().map(|talk| talk.lang.clone());
            let line = session::Line { lang, source: Some(PLAN.to_owned()), ..session::Line::text(Author::Bot, text) };
            world.out.push(Effect::Say(Box::new(line)));
        }
        self.sound.saying = Some(play);
        self.media(Command::Play { leg: self.caller, play, prompts, repeat: false, barge_in }, world);
    }

    fn say_heard(&self, heard: &Heard, world: &mut World<'_>) {
        let is_secret = self.talk.as_ref().is_some_and(Talk::asks_secret);
        let line = session::Line {
            lang: Some(heard.lang.clone()),
            span: Some((heard.offset, heard.duration)),
            confidence: Some(heard.confidence),
            source: Some(heard.engine.to_string()),
            content: Content::Text { text: if is_secret { SECRET.to_owned() } else { heard.text.clone() } },
            ..session::Line::text(Author::Customer, String::new())
        };
        world.out.push(Effect::Say(Box::new(line)));
    }

    fn transfer(&mut self, to: &str, trunk: Option<&str>, headers: &[(String, String)], ring: std::time::Duration, world: &mut World<'_>) {
        self.hush_plan(world);
        let ring = if ring.is_zero() { DIRECT } else { ring };
        match world.routes.wished(to, trunk) {
            Some(route) => self.dial(&route, headers, ring, After::Transfer, world),
            None => self.dial_failed(NOT_FOUND, After::Transfer, world),
        }
    }

    /// The plan is at its end; what plays is heard to its end.
    fn hang_up_after_words(&mut self, contained: bool, world: &mut World<'_>) {
        let failed = self.talk.as_ref().is_some_and(|talk| talk.failed == Failed::Yes);
        let ending = match self.answered {
            _ if failed => Ending::PlanFailed,
            Some(_) => Ending::PlanEnded { contained },
            None => Ending::NotAnswered { contained },
        };
        self.stage = Stage::Leaving(ending);
        if let Some(turn) = self.sound.turn.take() {
            self.media(Command::StopListen { leg: self.caller, turn }, world);
        }
        if self.sound.saying.is_none() {
            self.leave(world);
        }
    }

    /// The last words are said.
    pub(super) fn leave(&mut self, world: &mut World<'_>) {
        if let Stage::Leaving(ending) = &self.stage {
            let ending = ending.clone();
            self.finish(ending, world);
        }
    }

    /// A line that somebody wrote on his phone (MESSAGE): it stands on the timeline beside what was said.
    pub(super) fn on_text(&self, leg: crate::control::words::LegId, text: String, world: &mut World<'_>) {
        let author = if leg == self.caller && self.party.agent.is_none() { Author::Customer } else { Author::Agent };
        let line = session::Line { source: Some(PHONE_TEXT.to_owned()), ..session::Line::text(author, text) };
        world.out.push(Effect::Say(Box::new(line)));
    }

    /// Refuses a transfer that an agent's phone asked for.
    pub(super) fn refuse_refer(&self, leg: crate::control::words::LegId, world: &mut World<'_>) {
        world.signal(leg, Signal::NotifyRefer(NOT_FOUND));
    }
}

/// What made a line the plan says.
const PLAN: &str = "plan";
/// What made a line that came by MESSAGE.
const PHONE_TEXT: &str = "phone";
/// Nobody there.
const NOT_FOUND: u16 = 404;

/// The words of prompts.
fn spoken(prompts: &[Prompt]) -> String {
    let words: Vec<&str> = prompts
        .iter()
        .filter_map(|prompt| match prompt {
            Prompt::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    words.join(" ")
}

//! A chat: the same plan and the same lines as a call, with words instead of sound.

use std::collections::VecDeque;

use serde_json::Value;

use super::advice::Sentence;
use super::effect::{Clock, Distribute, Effect};
use super::talk::{Beginning, Failed, Talk};
use super::{Customer, Line};
use crate::control::acd;
use crate::control::call::ending::Ending;
use crate::control::call::route::{Route, Routes};
use crate::control::dialplan::Medium;
use crate::control::dialplan::wish::{Enqueue, Event, QueueEnd, TransferEnd, Wish};
use crate::control::discreet::SECRET;
use crate::control::event::{Author, DomainEvent, Fact, OfferEnd, SessionState};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::agent::Notice;
use crate::control::words::chat::Content;
use crate::control::words::directory::Directory;
use crate::control::words::lookup::Finding;
use crate::control::words::media::Prompt;
use crate::control::words::ticket::Filed;
use crate::control::words::{AgentId, LookupId, OfferId, QueueId, SessionId};
use crate::nlu::Meanings;

/// What a chat may look at and use while it decides.
#[derive(Debug)]
pub struct Room<'a> {
    /// When.
    pub now: Time,
    /// The configuration.
    pub directory: &'a Directory,
    /// The numbers of it.
    pub routes: &'a Routes,
    /// The customer.
    pub customer: Option<&'a Customer>,
    /// Chance.
    pub random: &'a mut Random,
    /// What follows.
    pub out: &'a mut Vec<Effect>,
}

/// Where a chat stands.
#[derive(Debug)]
enum Stage {
    /// The plan leads.
    Plan,
    /// In a line; an agent's desk may show the offer.
    Line { queue: QueueId, since: Time, context: Value, skills: Vec<String>, priority: u8, offer: Option<(OfferId, AgentId)> },
    /// With an agent.
    Talking,
    /// Over.
    Over,
}

/// One chat.
#[derive(Debug)]
pub struct Chat {
    session: SessionId,
    channel: String,
    address: String,
    talk: Option<Talk>,
    stage: Stage,
}

impl Chat {
    /// A chat that begins with the plan of its channel.
    #[must_use]
    pub fn new(session: SessionId, channel: String, address: String) -> Chat {
        Chat { session, channel, address, talk: None, stage: Stage::Plan }
    }

    /// The plan says its welcome; without a plan the first queue there is takes the chat.
    pub fn begin(&mut self, plan: Option<&str>, room: &mut Room<'_>) {
        self.live(room);
        room.out.push(Effect::Go(SessionState::Bot));
        match plan.and_then(|id| room.directory.plan_for(id, self.session)) {
            Some(plan) => {
                let beginning = Beginning {
                    medium: Medium::Chat,
                    channel: &self.channel,
                    address: &self.address,
                    entry: &plan.id,
                    customer: room.customer,
                    lang: None,
                    live: &room.directory.live,
                };
                self.talk = Some(Talk::new(room.now, room.random, self.session, plan, &beginning));
                self.tell_plan(Event::Started, room);
            }
            None => {
                if let Some(queue) = room.directory.queues.keys().next() {
                    self.join_line(bare_line(*queue), room);
                }
            }
        }
    }

    /// The customer wrote; the line itself is recorded already.
    pub fn on_line(&mut self, content: &Content, meanings: &Meanings, room: &mut Room<'_>) {
        self.live(room);
        let Content::Text { text } = content else { return };
        let sentence = Sentence { text: text.clone(), pinyin: None, meanings: meanings.clone(), medium: crate::nlu::Medium::Chat };
        let is_advised = matches!(self.stage, Stage::Talking) || self.talk.as_ref().is_some_and(Talk::is_human_first);
        if is_advised && !self.asks_secret() {
            room.out.push(Effect::SuggestAnswer(Box::new(sentence)));
        }
        if matches!(self.stage, Stage::Plan) {
            let event = match single_key(text) {
                Some(key) => Event::Pressed(key),
                None => Event::Said { text: text.clone(), pinyin: None, confidence: 1.0, meanings: meanings.clone() },
            };
            self.tell_plan(event, room);
        } else if matches!(self.stage, Stage::Line { .. }) {
            self.tell_plan(Event::said(text), room);
        }
    }

    /// The plan, as long as there is one.
    #[must_use]
    pub fn talk(&self) -> Option<&Talk> {
        self.talk.as_ref()
    }

    /// Is what the customer writes now not to be written down?
    #[must_use]
    pub fn asks_secret(&self) -> bool {
        matches!(self.stage, Stage::Plan) && self.talk.as_ref().is_some_and(Talk::asks_secret)
    }

    /// An agent or the API wrote.
    pub fn on_agent_line(&mut self, room: &mut Room<'_>) {
        self.live(room);
    }

    /// A lookup of the plan was answered.
    pub fn on_found(&mut self, lookup: LookupId, finding: Finding, room: &mut Room<'_>) {
        self.tell_plan(Event::Found(lookup, finding), room);
    }

    /// The ticket the plan asked for has a number.
    pub fn on_ticket(&mut self, save_as: Option<String>, number: u64, filed: Filed, room: &mut Room<'_>) {
        self.tell_plan(Event::Ticket { save_as, number, filed }, room);
    }

    /// A clock of this chat.
    pub fn on_clock(&mut self, clock: Clock, room: &mut Room<'_>) {
        match clock {
            Clock::Plan => {
                let mut wishes = Vec::new();
                if let Some(talk) = &mut self.talk {
                    talk.handle_timeout(room.now, &mut wishes, room.out);
                }
                self.carry_out(wishes, room);
            }
            Clock::Idle => self.finish(Ending::Idle, None, room),
            _ => {}
        }
    }

    /// What the ACD says of this session.
    pub fn on_acd(&mut self, effect: &acd::Effect, room: &mut Room<'_>) {
        let session = self.session;
        match effect {
            acd::Effect::Queued { queue, position, .. } => self.on_queued(*queue, *position, room),
            acd::Effect::Raised { queue, priority, position, .. } => self.on_raised((*queue, *priority), *position, room),
            acd::Effect::Offer { offer, agent, queue, .. } => self.on_offer(*offer, *agent, *queue, room),
            acd::Effect::OfferEnded { offer, agent, end, .. } => self.on_offer_ended(*offer, *agent, *end, room),
            acd::Effect::Dequeued { queue, why, waited, .. } => {
                let (why, waited_ms) = (why.word().to_owned(), DomainEvent::ms(*waited));
                room.out.push(Effect::Record(Fact::Dequeued { session, queue: *queue, why, waited_ms }));
            }
            acd::Effect::Overflow { index, .. } => {
                let Stage::Line { queue, since, .. } = self.stage else { return };
                self.stage = Stage::Plan;
                if self.talk.is_some() {
                    room.out.push(Effect::Go(SessionState::Bot));
                    self.tell_plan(Event::QueueEnded(QueueEnd::Overflow(*index)), room);
                } else if room.directory.queues.contains_key(&queue) {
                    self.join_line(bare_line(queue), room);
                } else {
                    let waited = room.now.since(since);
                    self.finish(Ending::QueueOverflow { waited }, None, room);
                }
            }
            acd::Effect::CallbackDue { .. } | acd::Effect::State { .. } => {}
        }
    }

    /// The agent's desk takes the offer; false when it is not offered to anybody now.
    pub fn accept(&mut self, offer: OfferId, room: &mut Room<'_>) -> bool {
        let Stage::Line { offer: Some((open, agent)), .. } = self.stage else { return false };
        if open != offer {
            return false;
        }
        self.stage = Stage::Talking;
        room.out.push(Effect::Distribute(Distribute::Accepted(offer)));
        room.out.push(Effect::Record(Fact::Assigned { session: self.session, agent }));
        room.out.push(Effect::Go(SessionState::Active));
        true
    }

    /// The agent's desk declines the offer.
    pub fn reject(&mut self, offer: OfferId, room: &mut Room<'_>) -> bool {
        let Stage::Line { offer: Some((open, _)), .. } = &self.stage else { return false };
        if *open != offer {
            return false;
        }
        room.out.push(Effect::Distribute(Distribute::Refused(offer)));
        true
    }

    /// The API moves the chat to another line.
    pub fn move_to(&mut self, queue: QueueId, room: &mut Room<'_>) -> bool {
        match self.stage {
            Stage::Talking => room.out.push(Effect::Distribute(Distribute::Released)),
            Stage::Line { .. } => room.out.push(Effect::Distribute(Distribute::Leave)),
            // Decided over the plan's head: what it still waits for must not lead the customer out of his new line.
            Stage::Plan => {
                self.leave_plan(room);
                room.out.push(Effect::Clock(Clock::Plan, None));
            }
            Stage::Over => return false,
        }
        self.join_line(bare_line(queue), room);
        true
    }

    /// Ends it; a second ending is ignored.
    pub fn finish(&mut self, ending: Ending, disposition: Option<String>, room: &mut Room<'_>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => return,
            Stage::Line { .. } => room.out.push(Effect::Distribute(Distribute::Leave)),
            Stage::Talking => room.out.push(Effect::Distribute(Distribute::Released)),
            Stage::Plan => {}
        }
        self.leave_plan(room);
        for clock in Clock::ALL {
            room.out.push(Effect::Clock(clock, None));
        }
        room.out.push(Effect::Close(ending, disposition));
        room.out.push(Effect::Gone);
    }

    fn leave_plan(&mut self, room: &mut Room<'_>) {
        room.out.extend(self.talk.take().and_then(Talk::alone).map(|talk| Effect::GoOn(Box::new(talk))));
    }

    fn on_queued(&mut self, to: QueueId, position: usize, room: &mut Room<'_>) {
        let Stage::Line { skills, priority, .. } = &self.stage else { return };
        let (skills, priority) = (skills.clone(), *priority);
        room.out.push(Effect::Go(SessionState::Queued));
        room.out.push(Effect::Record(Fact::Queued { session: self.session, queue: to, skills, priority, position }));
    }

    fn on_raised(&mut self, (queue, raised): (QueueId, u8), position: usize, room: &mut Room<'_>) {
        let Stage::Line { priority, .. } = &mut self.stage else { return };
        *priority = raised;
        room.out.push(Effect::Record(Fact::Raised { session: self.session, queue, priority: raised, position }));
    }

    fn on_offer(&mut self, new: OfferId, agent: AgentId, queue: QueueId, room: &mut Room<'_>) {
        let session = self.session;
        let Stage::Line { context, offer, .. } = &mut self.stage else {
            room.out.push(Effect::Distribute(Distribute::Leave));
            return;
        };
        *offer = Some((new, agent));
        let context = context.clone();
        room.out.push(Effect::Go(SessionState::Offered));
        room.out.push(Effect::Record(Fact::Offered { offer: new, session, agent, queue, context: context.clone() }));
        room.out.push(Effect::Notify(agent, Notice::Offered { offer: new, session, context }));
    }

    fn on_offer_ended(&mut self, over: OfferId, agent: AgentId, end: OfferEnd, room: &mut Room<'_>) {
        room.out.push(Effect::Record(Fact::OfferEnded { offer: over, session: self.session, agent, end }));
        if end == OfferEnd::Accepted {
            return;
        }
        room.out.push(Effect::Notify(agent, Notice::Withdrawn { offer: over }));
        let Stage::Line { offer, .. } = &mut self.stage else { return };
        if offer.take_if(|(open, _)| *open == over).is_some() {
            room.out.push(Effect::Go(SessionState::Queued));
        }
    }

    fn tell_plan(&mut self, event: Event, room: &mut Room<'_>) {
        let mut wishes = Vec::new();
        if let Some(talk) = &mut self.talk {
            talk.step(room.now, event, &mut wishes, room.out);
        }
        self.carry_out(wishes, room);
    }

    /// Carries out what the plan wishes. A text is read as soon as it is sent, so the plan goes on behind the last wish.
    fn carry_out(&mut self, wishes: Vec<Wish>, room: &mut Room<'_>) {
        let mut wishes = VecDeque::from(wishes);
        let mut said = VecDeque::new();
        loop {
            while let Some(wish) = wishes.pop_front() {
                if let Wish::Say { play, .. } = &wish {
                    said.push_back(*play);
                }
                self.carry_out_one(wish, room);
            }
            let (Some(play), Some(talk), Stage::Plan) = (said.pop_front(), &mut self.talk, &self.stage) else { return };
            let mut next = Vec::new();
            talk.step(room.now, Event::PromptFinished(play), &mut next, room.out);
            wishes.extend(next);
        }
    }

    fn carry_out_one(&mut self, wish: Wish, room: &mut Room<'_>) {
        match wish {
            Wish::Say { prompts, buttons, .. } => self.write(&prompts, buttons, room),
            Wish::Enqueue(ask) => self.join_line(*ask, room),
            Wish::Raise { priority } if matches!(self.stage, Stage::Line { .. }) => {
                room.out.push(Effect::Distribute(Distribute::Raise(priority)));
            }
            Wish::Transfer { to, .. } => self.transfer(&to, room),
            Wish::Record { .. } => self.tell_plan(Event::Recorded(None), room),
            Wish::Hangup { contained } => {
                let failed = self.talk.as_ref().is_some_and(|talk| talk.failed == Failed::Yes);
                let ending = if failed { Ending::PlanFailed } else { Ending::PlanEnded { contained } };
                self.finish(ending, None, room);
            }
            // Listening and recording mean nothing in a chat; the rest is carried out by `Talk`.
            _ => {}
        }
    }

    fn write(&self, prompts: &[Prompt], buttons: Vec<(String, String)>, room: &mut Room<'_>) {
        let texts: Vec<&str> =
            prompts.iter().filter_map(|prompt| if let Prompt::Text { text, .. } = prompt { Some(text.as_str()) } else { None }).collect();
        if texts.is_empty() && buttons.is_empty() {
            return;
        }
        let lang = self.talk.as_ref().map(|talk| talk.lang.clone());
        let is_secret = self.talk.as_ref().is_some_and(Talk::reads_secret);
        let text = if is_secret { SECRET.to_owned() } else { texts.join(" ") };
        let line = Line { lang, source: Some("plan".to_owned()), ..Line::text(Author::Bot, text) };
        room.out.push(Effect::Write(Box::new(line), buttons));
    }

    /// A chat can go over to a line, but not to a telephone.
    fn transfer(&mut self, to: &str, room: &mut Room<'_>) {
        match room.routes.wished(to, None) {
            Some(Route::Queue(queue)) => self.join_line(bare_line(queue), room),
            _ => self.tell_plan(Event::TransferEnded(TransferEnd::Failed), room),
        }
    }

    fn join_line(&mut self, mut ask: Enqueue, room: &mut Room<'_>) {
        let context = Value::Object(std::mem::take(&mut ask.context));
        self.stage =
            Stage::Line { queue: ask.queue, since: room.now, context, skills: ask.skills.clone(), priority: ask.priority, offer: None };
        room.out.push(Effect::Distribute(Distribute::Enqueue(Box::new(ask))));
    }

    fn live(&self, room: &mut Room<'_>) {
        room.out.push(Effect::Clock(Clock::Idle, Some(room.now + room.directory.limits.chat_idle)));
    }
}

/// The priority of a chat that came to a queue without a plan.
const USUAL_PRIORITY: u8 = 5;

fn bare_line(queue: QueueId) -> Enqueue {
    Enqueue {
        queue,
        skills: Vec::new(),
        priority: USUAL_PRIORITY,
        context: serde_json::Map::new(),
        sticky: None,
        music: None,
        announce: None,
        overflow: Vec::new(),
        callback_after: None,
    }
}

/// A line that is one key is a button's press.
fn single_key(text: &str) -> Option<char> {
    let mut chars = text.trim().chars();
    match (chars.next(), chars.next()) {
        (Some(key), None) if key.is_ascii_digit() || key == '*' || key == '#' => Some(key),
        _ => None,
    }
}

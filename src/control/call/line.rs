//! In a line: music, position, offers that ring at agents' phones, the callback offer, the overflow.

use std::time::Duration;

use serde_json::{Map, Value};

use super::ending::Ending;
use super::phrases::{self, Phrase};
use super::sound::Own;
use super::{After, Call, Stage, World};
use crate::control::acd;
use crate::control::dialplan::wish::{Enqueue, Event, QueueEnd};
use crate::control::event::{DomainEvent, Fact, OfferEnd, SessionState};
use crate::control::session::effect::{Clock, Distribute, Effect};
use crate::control::time::Time;
use crate::control::words::agent::Notice;
use crate::control::words::media::Prompt;
use crate::control::words::{AgentId, LegId, OfferId, QueueId};

/// The priority of a call that came to a queue without a plan (0..=9).
const USUAL_PRIORITY: u8 = 5;
/// How often a caller without a plan hears his position.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);
/// The key that takes the callback offer.
const CALLBACK_KEY: char = '1';

/// A wait in a line.
#[derive(Debug)]
pub struct Line {
    /// Which.
    pub queue: QueueId,
    /// Since when.
    pub since: Time,
    /// What the agent will see.
    pub context: Value,
    /// The agent who rings.
    pub ring: Option<Ring>,
    skills: Vec<String>,
    priority: u8,
    music: Option<String>,
    announce: Option<Duration>,
    position: usize,
    callback: CallbackOffer,
    after: After,
}

/// An agent's phones ring.
#[derive(Debug)]
pub struct Ring {
    /// The offer.
    pub offer: OfferId,
    /// Whose phones.
    pub agent: AgentId,
    /// The legs that still ring.
    pub legs: Vec<LegId>,
}

/// Was a callback offered?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallbackOffer {
    No,
    Yes,
}

/// The queue step of a number that leads to a queue without a plan.
pub fn bare_line(queue: QueueId, call: &Call, world: &World<'_>) -> Enqueue {
    let caller = Value::String(call.party.address.clone());
    Enqueue {
        queue,
        skills: Vec::new(),
        priority: USUAL_PRIORITY,
        context: Map::from_iter([("caller".to_owned(), caller)]),
        sticky: None,
        music: world.directory.hold_music.clone(),
        announce: Some(ANNOUNCE_EVERY),
        overflow: Vec::new(),
        callback_after: None,
    }
}

impl Call {
    /// Into the line, with music. Who waits there has been answered.
    pub(super) fn join_line(&mut self, mut ask: Enqueue, after: After, world: &mut World<'_>) {
        self.hush_plan(world);
        self.pick_up(world);
        let line = Line {
            queue: ask.queue,
            since: world.now,
            context: Value::Object(std::mem::take(&mut ask.context)),
            ring: None,
            skills: ask.skills.clone(),
            priority: ask.priority,
            music: ask.music.clone().or_else(|| world.directory.hold_music.clone()),
            announce: ask.announce,
            position: 0,
            callback: CallbackOffer::No,
            after,
        };
        let announce = line.announce.map(|every| world.now + every);
        self.stage = Stage::Line(Box::new(line));
        self.play_music(world);
        world.out.push(Effect::Clock(Clock::Announce, announce));
        world.out.push(Effect::Distribute(Distribute::Enqueue(Box::new(ask))));
    }

    /// What the ACD says of this session. `position` is where it stands now.
    pub fn on_acd(&mut self, effect: &acd::Effect, world: &mut World<'_>) {
        match effect {
            acd::Effect::Queued { queue, position, .. } => self.on_queued(*queue, *position, world),
            acd::Effect::Raised { queue, priority, position, .. } => self.on_raised((*queue, *priority), *position, world),
            acd::Effect::Offer { offer, agent, queue, .. } => self.on_offer(*offer, *agent, *queue, world),
            acd::Effect::OfferEnded { offer, agent, end, .. } => self.on_offer_ended(*offer, *agent, *end, world),
            acd::Effect::Dequeued { queue, why, waited, .. } => {
                let (session, why, waited_ms) = (self.ids.session, why.word().to_owned(), DomainEvent::ms(*waited));
                world.out.push(Effect::Record(Fact::Dequeued { session, queue: *queue, why, waited_ms }));
            }
            acd::Effect::Overflow { index, .. } => self.on_overflow(*index, world),
            acd::Effect::CallbackDue { .. } => self.offer_callback(world),
            acd::Effect::State { .. } => {}
        }
    }

    /// Where it stands in its line now, for the next announcement.
    pub fn set_position(&mut self, position: usize) {
        if let Stage::Line(line) = &mut self.stage {
            line.position = position;
        }
    }

    fn on_queued(&mut self, queue: QueueId, position: usize, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        line.position = position;
        let (skills, priority) = (line.skills.clone(), line.priority);
        world.out.push(Effect::Go(SessionState::Queued));
        world.out.push(Effect::Record(Fact::Queued { session: self.ids.session, queue, skills, priority, position }));
    }

    fn on_raised(&mut self, (queue, raised): (QueueId, u8), position: usize, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        (line.position, line.priority) = (position, raised);
        world.out.push(Effect::Record(Fact::Raised { session: self.ids.session, queue, priority: raised, position }));
    }

    fn on_offer(&mut self, offer: OfferId, agent: AgentId, queue: QueueId, world: &mut World<'_>) {
        let session = self.ids.session;
        let Stage::Line(line) = &mut self.stage else {
            world.out.push(Effect::Distribute(Distribute::Leave));
            return;
        };
        let context = line.context.clone();
        line.ring = Some(Ring { offer, agent, legs: Vec::new() });
        world.out.push(Effect::Go(SessionState::Offered));
        world.out.push(Effect::Record(Fact::Offered { offer, session, agent, queue, context: context.clone() }));
        world.out.push(Effect::Notify(agent, Notice::Offered { offer, session, context }));
        let legs = self.ring_agent(agent, &[], world);
        if legs.is_empty() {
            world.out.push(Effect::Distribute(Distribute::Refused(offer)));
        }
        if let Stage::Line(line) = &mut self.stage
            && let Some(ring) = &mut line.ring
        {
            ring.legs = legs;
        }
    }

    fn on_offer_ended(&mut self, offer: OfferId, agent: AgentId, end: OfferEnd, world: &mut World<'_>) {
        world.out.push(Effect::Record(Fact::OfferEnded { offer, session: self.ids.session, agent, end }));
        if end == OfferEnd::Accepted {
            return;
        }
        world.out.push(Effect::Notify(agent, Notice::Withdrawn { offer }));
        let Stage::Line(line) = &mut self.stage else { return };
        let Some(ring) = line.ring.take_if(|ring| ring.offer == offer) else { return };
        self.cancel(&ring.legs, world);
        world.out.push(Effect::Go(SessionState::Queued));
    }

    /// A phone of the agent answered: he has the call.
    pub(super) fn on_agent_answered(&mut self, leg: LegId, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        let Some(ring) = line.ring.take() else { return };
        let after = line.after;
        let others: Vec<LegId> = ring.legs.iter().copied().filter(|other| *other != leg).collect();
        world.out.push(Effect::Clock(Clock::Announce, None));
        self.connect(leg, Some(ring.agent), after, world);
        self.cancel_others(&others, world);
        world.out.push(Effect::Distribute(Distribute::Accepted(ring.offer)));
    }

    /// A phone of the agent will not take it; when none is left, he declined.
    pub(super) fn on_agent_refused(&mut self, leg: LegId, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        let Some(ring) = &mut line.ring else { return };
        ring.legs.retain(|other| *other != leg);
        if ring.legs.is_empty() {
            world.out.push(Effect::Distribute(Distribute::Refused(ring.offer)));
        }
    }

    /// The API declines for the agent.
    pub fn reject_offer(&mut self, offer: OfferId, world: &mut World<'_>) -> bool {
        let Stage::Line(line) = &self.stage else { return false };
        let rings = line.ring.as_ref().is_some_and(|ring| ring.offer == offer);
        if rings {
            world.out.push(Effect::Distribute(Distribute::Refused(offer)));
        }
        rings
    }

    /// The API moves the caller to a line, whoever speaks with him now.
    pub fn move_to(&mut self, queue: QueueId, world: &mut World<'_>) -> bool {
        let ask = bare_line(queue, self, world);
        match &self.stage {
            Stage::Talking { peer, after, .. } => {
                let (peer, after) = (*peer, *after);
                self.part(peer, world);
                self.join_line(ask, after, world);
                true
            }
            Stage::Plan | Stage::Alone => {
                self.take_from_plan(world);
                self.join_line(ask, After::Direct, world);
                true
            }
            Stage::Line(line) => {
                let after = line.after;
                self.leave_line(world);
                self.join_line(ask, after, world);
                true
            }
            _ => false,
        }
    }

    /// Somebody decided over the plan's head: what it still waits for must not lead the caller out of his new line.
    fn take_from_plan(&mut self, world: &mut World<'_>) {
        self.hush_plan(world);
        self.keep_note(world);
        self.leave_plan(world);
        for clock in [Clock::Plan, Clock::NoteLength, Clock::NoteSilence] {
            world.out.push(Effect::Clock(clock, None));
        }
        self.mask_secrets(world);
    }

    fn on_overflow(&mut self, index: usize, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        let (queue, waited, after) = (line.queue, world.now.since(line.since), line.after);
        self.leave_line(world);
        if self.talk.is_some() {
            self.back_to_plan(after, Event::QueueEnded(QueueEnd::Overflow(index)), world);
        } else {
            world.out.push(Effect::PromiseCallback(Some(queue), None, "overflow"));
            self.say_farewell(Ending::QueueOverflow { waited }, world);
        }
    }

    fn offer_callback(&mut self, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        line.callback = CallbackOffer::Yes;
        self.speak(Phrase::OfferCallback, world);
    }

    pub(super) fn on_key_in_line(&mut self, key: char, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        if line.callback == CallbackOffer::No || key != CALLBACK_KEY {
            return;
        }
        let (queue, after) = (line.queue, line.after);
        self.leave_line(world);
        world.out.push(Effect::PromiseCallback(Some(queue), None, "taken"));
        if self.talk.is_some() {
            self.back_to_plan(after, Event::QueueEnded(QueueEnd::CallbackTaken), world);
        } else {
            self.say_farewell(Ending::CallbackPromised, world);
        }
    }

    /// Out of the line: what rings is cancelled, the music stops.
    pub(super) fn leave_line(&mut self, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        if let Some(ring) = line.ring.take() {
            self.cancel(&ring.legs, world);
        }
        self.stop_own(world);
        world.out.push(Effect::Clock(Clock::Announce, None));
        world.out.push(Effect::Distribute(Distribute::Leave));
    }

    /// Says how many wait before him, then the music goes on.
    pub(super) fn announce(&mut self, world: &mut World<'_>) {
        let Stage::Line(line) = &mut self.stage else { return };
        let Some(every) = line.announce else { return };
        let (ahead, rings) = (line.position.saturating_sub(1), line.ring.is_some());
        world.out.push(Effect::Clock(Clock::Announce, Some(world.now + every)));
        if !rings {
            self.speak(Phrase::Ahead(ahead), world);
        }
    }

    fn speak(&mut self, phrase: Phrase, world: &mut World<'_>) {
        let prompt = phrases::prompt(phrase, &self.lang(world.directory));
        self.play_own(self.caller, vec![prompt], Own::Announcement, world);
    }

    fn say_farewell(&mut self, ending: Ending, world: &mut World<'_>) {
        self.stage = Stage::Leaving(ending);
        let prompt = phrases::prompt(Phrase::CallbackTaken, &self.lang(world.directory));
        self.play_own(self.caller, vec![prompt], Own::Farewell, world);
    }

    /// The music of the line, or of a hold.
    pub(super) fn play_music(&mut self, world: &mut World<'_>) {
        let Stage::Line(line) = &self.stage else { return };
        let music = line.music.clone();
        self.play_own(self.caller, vec![Prompt::Music(music)], Own::Background, world);
    }

    /// The plan leads again.
    pub(super) fn back_to_plan(&mut self, after: After, queue_event: Event, world: &mut World<'_>) {
        use crate::control::dialplan::wish::TransferEnd;
        self.stage = Stage::Plan;
        world.out.push(Effect::Go(SessionState::Bot));
        let event = match after {
            After::Transfer => Event::TransferEnded(TransferEnd::Done),
            After::Queue | After::Direct => queue_event,
        };
        self.tell_plan(event, world);
    }
}

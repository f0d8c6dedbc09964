//! The switch: input → machine, wish → output. It has no rule of its own.
//!
//! One step of a machine puts its wishes in front of what is still to be done, so that the log reads in the order of causes;
//! the endpoint's news are taken when nothing else is left. All randomness comes from one seed: the same inputs at the same
//! times give the same outputs.

mod agents;
mod audit;
mod chats;
mod door;
mod errands;
mod lamps;
mod pages;
mod perform;
mod suggestions;
#[cfg(test)]
mod tests;
mod transfers;
mod trunks;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::acd::{self, Acd};
use super::call::ending::{Ending, Refused};
use super::call::ports::Ports;
use super::call::route::{Route, Routes};
use super::call::{Arrival, Call, World};
use super::event::Fact;
use super::guard::Guard;
use super::ladder::Ladders;
use super::limits::{DRAIN_GRACE, RETRY_AFTER};
use super::random::Random;
use super::session::chat::{Chat, Room};
use super::session::effect::{Clock, Effect};
use super::session::identity::PHONE;
use super::session::{self, Opening, Restored, Sessions};
use super::sip::{Accepting, Consulted, Endpoint, Happening, Invited, Settings};
use super::surface::{Input, Output};
use super::time::{Deadlines, Time};
use super::toll::Tolls;
use super::trunks::{Trunks, Way};
use super::words::agent::AgentState;
use super::words::directory::Directory;
use super::words::phone::KeptPhone;
use super::words::pressure::Pressure;
use super::words::seen::{Spread, TURN_PARTS};
use super::words::trunk::Habits;
use super::words::{AgentId, LegId, LookupId, OfferId, RecordingId, SessionId, media, speech};
use trunks::read_as;

pub use audit::Audit;

/// The channel of calls between people of the house.
const INTERNAL: &str = "internal";

/// A session's machine, and the questions it has open.
#[derive(Debug)]
struct Slot {
    machine: Machine,
    lookups: Vec<LookupId>,
}

/// What runs a session.
#[derive(Debug)]
enum Machine {
    Call(Box<Call>),
    Chat(Box<Chat>),
}

/// Whose news is it?
#[derive(Debug, Default)]
struct Index {
    legs: FxHashMap<LegId, SessionId>,
    recordings: FxHashMap<RecordingId, SessionId>,
    lookups: FxHashMap<LookupId, SessionId>,
    offers: FxHashMap<OfferId, SessionId>,
}

/// What is still to be done in this step.
#[derive(Debug)]
enum Todo {
    Of(SessionId, Effect),
    Acd(acd::Effect),
    Session(session::Effect),
}

/// What waits to be done, and room to collect what a step brings.
#[derive(Debug, Default)]
struct Work {
    todo: VecDeque<Todo>,
    effects: Vec<Effect>,
    acd: Vec<acd::Effect>,
    sessions: Vec<session::Effect>,
    out: VecDeque<Output>,
    /// Why the peer ends the leg whose end is the endpoint's next news.
    reason: Option<String>,
}

/// How far a drain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    No,
    Until(Time),
    /// Everything is hung up; the last answers are waited for.
    Closing(Time),
    Done,
}

/// How much runs, and how long it is waited for.
#[derive(Debug, Default, Clone, Copy)]
struct Load {
    calls: usize,
    chats: usize,
    pressure: Pressure,
    turns: [Spread; TURN_PARTS.len()],
}

/// All rules, behind one surface.
#[derive(Debug)]
pub struct Switch {
    directory: Arc<Directory>,
    routes: Routes,
    endpoint: Endpoint,
    guard: Guard,
    ladders: Ladders,
    tolls: Tolls,
    acd: Acd,
    sessions: Sessions,
    slots: BTreeMap<SessionId, Slot>,
    errands: BTreeMap<SessionId, errands::Errand>,
    index: Index,
    clocks: Deadlines<(SessionId, Clock)>,
    ports: Ports,
    trunks: Trunks,
    random: Random,
    load: Load,
    drain: Drain,
    accepting: Accepting,
    work: Work,
    lamps: lamps::Lamps,
}

impl Switch {
    /// A center with this configuration and what the store remembers. The same seed and inputs give the same outputs.
    #[must_use]
    pub fn new(now: Time, seed: u64, directory: Arc<Directory>, mut restored: Restored) -> Switch {
        let mut random = Random::new(seed);
        let mut switch = Switch {
            routes: Routes::of(&directory),
            endpoint: Endpoint::new(now, random.bits(), Settings::of_directory(&directory)),
            guard: Guard::new(now, directory.defence.clone(), directory.trusted()),
            ladders: Ladders::default(),
            tolls: Tolls::default(),
            acd: Acd::new(random.bits()),
            sessions: Sessions::new(random.bits(), directory.limits.conversation_idle, &restored),
            slots: BTreeMap::new(),
            errands: BTreeMap::new(),
            index: Index::default(),
            clocks: Deadlines::default(),
            ports: Ports::new(&directory.workers, directory.limits.port_rest),
            trunks: Trunks::default(),
            random,
            load: Load::default(),
            drain: Drain::No,
            accepting: Accepting::All,
            work: Work::default(),
            lamps: lamps::Lamps::default(),
            directory,
        };
        let phones = std::mem::take(&mut restored.phones);
        switch.ladders.configure(&switch.directory);
        switch.sessions.take_up(now, restored, &mut switch.work.sessions);
        switch.distribute(|acd, directory, out| acd.configure(now, directory, out));
        switch.welcome_fixed_phones(now);
        switch.welcome_back(now, phones);
        switch.configure_trunks(now, None);
        switch.settle_down(now);
        switch
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Sip(received) => self.on_sip(now, received),
            Input::SipBroken(flow) => self.endpoint.broken(now, flow),
            Input::Located(question, located) => self.endpoint.located(now, question, located),
            Input::Media(event) => self.on_media(now, event),
            Input::Speech(event) => self.on_speech(now, event),
            Input::Chat(received) => self.on_chat(now, received),
            Input::Agent(command, wish) => self.on_command(now, command, wish),
            Input::Found(lookup, finding) => self.on_found(now, lookup, finding),
            Input::Directory(directory) => self.configure(now, directory),
            Input::Reckoned(leg, took) => self.on_reckoned(now, leg, took),
            Input::Pressure(pressure) => self.on_pressure(now, pressure),
            Input::Drain { until } => self.begin_drain(now, until),
        }
        self.settle_down(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.endpoint.poll_timeout().is_some_and(|due| due <= now) {
            self.endpoint.handle_timeout(now);
            self.settle_down(now);
        }
        if self.acd.poll_timeout().is_some_and(|due| due <= now) {
            self.distribute(|acd, _, out| acd.handle_timeout(now, out));
            self.settle_down(now);
        }
        self.sessions.handle_timeout(now, &mut self.work.sessions);
        self.settle_down(now);
        while let Some((session, clock)) = self.clocks.pop_due(now) {
            self.on_clock(now, session, clock);
            self.settle_down(now);
        }
        self.register_again(now);
        self.go_on_draining(now);
        self.settle_down(now);
    }

    /// When [`Switch::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let drain = match self.drain {
            Drain::Until(at) | Drain::Closing(at) => Some(at),
            Drain::No | Drain::Done => None,
        };
        let machines = [self.endpoint.poll_timeout(), self.guard.poll_timeout(), self.acd.poll_timeout(), self.sessions.poll_timeout()];
        machines.into_iter().chain([self.clocks.next(), self.trunks.next(), drain]).flatten().min()
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.work.out.pop_front()
    }

    /// Works until nothing is left to be done.
    fn settle_down(&mut self, now: Time) {
        self.work_off(now);
        while let Some(happening) = self.endpoint.poll_happening() {
            self.on_happening(now, happening);
            self.work_off(now);
        }
        self.look_after_bans(now);
        self.work_off(now);
        self.show_lamps(now);
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.ladders.goes(now, &transmit);
            self.work.out.push_back(Output::Sip(transmit));
        }
        while let Some(question) = self.endpoint.poll_question() {
            self.work.out.push_back(Output::Locate(question));
        }
        self.show_load();
        self.end_drain();
    }

    /// Carries out what is to be done, and what comes of it.
    fn work_off(&mut self, now: Time) {
        self.take_in();
        while let Some(todo) = self.work.todo.pop_front() {
            self.perform(now, todo);
            self.take_in();
        }
    }

    /// What a step brought goes in front of what was to be done before.
    fn take_in(&mut self) {
        let Work { todo, acd, sessions, .. } = &mut self.work;
        for effect in sessions.drain(..).rev() {
            todo.push_front(Todo::Session(effect));
        }
        for effect in acd.drain(..).rev() {
            todo.push_front(Todo::Acd(effect));
        }
    }

    fn distribute(&mut self, step: impl FnOnce(&mut Acd, &Directory, &mut Vec<acd::Effect>)) {
        step(&mut self.acd, &self.directory, &mut self.work.acd);
    }

    /// Lets the call of a session do something.
    fn with_call(&mut self, now: Time, session: SessionId, step: impl FnOnce(&mut Call, &mut World<'_>)) {
        let Some(Slot { machine: Machine::Call(call), .. }) = self.slots.get_mut(&session) else { return };
        let mut world = World {
            now,
            directory: &self.directory,
            routes: &self.routes,
            endpoint: &self.endpoint,
            trunks: &mut self.trunks,
            customer: self.sessions.customer_of(session),
            pressure: self.load.pressure,
            random: &mut self.random,
            ports: &mut self.ports,
            tolls: &mut self.tolls,
            reason: self.work.reason.as_deref(),
            out: &mut self.work.effects,
        };
        step(call, &mut world);
        self.queue_effects(session);
    }

    /// Lets the chat of a session do something.
    fn with_chat(&mut self, now: Time, session: SessionId, step: impl FnOnce(&mut Chat, &mut Room<'_>)) {
        let Some(Slot { machine: Machine::Chat(chat), .. }) = self.slots.get_mut(&session) else { return };
        let mut room = Room {
            now,
            directory: &self.directory,
            routes: &self.routes,
            customer: self.sessions.customer_of(session),
            random: &mut self.random,
            out: &mut self.work.effects,
        };
        step(chat, &mut room);
        self.queue_effects(session);
    }

    fn queue_effects(&mut self, session: SessionId) {
        self.stir_lamps(session);
        let Work { todo, effects, .. } = &mut self.work;
        for effect in effects.drain(..).rev() {
            todo.push_front(Todo::Of(session, effect));
        }
    }

    fn on_media(&mut self, now: Time, event: media::Event) {
        let session = match &event {
            media::Event::KeyPressed { leg, .. }
            | media::Event::PlayBegan { leg, .. }
            | media::Event::PlayFinished { leg, .. }
            | media::Event::SpeechStarted { leg, .. }
            | media::Event::MediaLost { leg }
            | media::Event::LegClosed { leg, .. } => self.index.legs.get(leg),
            media::Event::RecordingFinished { recording, .. }
            | media::Event::RecordingPart { recording, .. }
            | media::Event::RecordingFailed { recording, .. } => self.index.recordings.get(recording),
        };
        if let Some(session) = session.copied() {
            self.with_call(now, session, |call, world| call.on_media(event, world));
        }
    }

    fn on_reckoned(&mut self, now: Time, leg: LegId, took: Duration) {
        if let Some(session) = self.index.legs.get(&leg).copied() {
            self.with_call(now, session, |call, _| call.on_reckoned(took));
        }
    }

    fn on_speech(&mut self, now: Time, event: speech::Event) {
        let (speech::Event::Partial { leg, .. } | speech::Event::Heard { leg, .. } | speech::Event::Nothing { leg, .. }) = &event;
        if let Some(session) = self.index.legs.get(leg).copied() {
            self.with_call(now, session, |call, world| call.on_speech(event, world));
        }
    }

    fn on_found(&mut self, now: Time, lookup: LookupId, finding: super::words::lookup::Finding) {
        if self.sessions.found(now, lookup, &finding, &mut self.work.sessions) {
            return;
        }
        let Some(session) = self.index.lookups.remove(&lookup) else { return };
        if self.errand_found(now, session, lookup, &finding) {
            return;
        }
        let Some(slot) = self.slots.get_mut(&session) else { return };
        slot.lookups.retain(|open| *open != lookup);
        match slot.machine {
            Machine::Call(_) => self.with_call(now, session, |call, world| call.on_found(lookup, finding, world)),
            Machine::Chat(_) => self.with_chat(now, session, |chat, room| chat.on_found(lookup, finding, room)),
        }
    }

    fn on_clock(&mut self, now: Time, session: SessionId, clock: Clock) {
        if clock == Clock::Errand {
            return self.on_errand_clock(now, session);
        }
        let position = self.acd.position(session);
        self.with_call(now, session, |call, world| {
            if let (Clock::Announce, Some(position)) = (clock, position) {
                call.set_position(position);
            }
            call.on_clock(clock, world);
        });
        self.with_chat(now, session, |chat, room| chat.on_clock(clock, room));
    }

    fn on_happening(&mut self, now: Time, happening: Happening) {
        if let Some((address, proof)) = door::proof_of(&happening) {
            return self.on_proof(now, address, proof);
        }
        if let Happening::Because { reason, .. } = happening {
            self.work.reason = Some(reason);
            return;
        }
        match happening {
            Happening::Invited(invited) => self.on_invited(now, *invited),
            Happening::Checked { name, place, status } => self.on_checked(now, &name, place, status),
            Happening::SignedOn { user, .. } => self.on_signed_on(now, &user),
            Happening::SignOnFailed { user, status } => self.on_sign_on_failed(now, &user, status),
            Happening::Registered { user, contacts } => self.on_registered(now, &user, contacts),
            Happening::Paged(paged) => self.on_page(now, &paged),
            Happening::Watching { watch, user } => self.on_watching(now, watch, &user),
            Happening::Referred { leg, consulted: Some(Consulted::Ours(other)), .. } => self.join(now, leg, other),
            other => {
                let session = other.leg().and_then(|leg| self.index.legs.get(&leg).copied());
                if let Some(session) = session {
                    self.with_call(now, session, |call, world| call.on_happening(other, world));
                }
            }
        }
        self.work.reason = None;
    }

    fn on_invited(&mut self, now: Time, invited: Invited) {
        let leg = invited.leg;
        if let Err(refused) = self.take_call(now, invited) {
            let retry_after = RETRY_AFTER.as_secs().to_string();
            let full = (refused == Refused::Full).then_some(("Retry-After", retry_after.as_str()));
            let headers: Vec<(&str, &str)> = full.into_iter().chain(refused.warning().map(|warning| ("Warning", warning))).collect();
            self.endpoint.refuse(now, leg, refused.sip_status(), &headers);
        }
    }

    fn take_call(&mut self, now: Time, mut invited: Invited) -> Result<(), Refused> {
        if self.drain != Drain::No || self.load.calls >= self.directory.limits.calls {
            return Err(Refused::Full);
        }
        let directory = self.directory.clone();
        let trunk = self.trunk_of(now, &invited).and_then(|name| directory.trunks.get(&name));
        if let Some(trunk) = trunk {
            read_as(trunk, &mut invited)?;
        }
        let agent = self.agent_of(invited.authenticated.as_deref());
        let habits = match (trunk, agent.and_then(|agent| directory.agents.get(&agent))) {
            (Some(trunk), _) => trunk.habits.clone(),
            (None, Some(agent)) => Habits { srtp: agent.phone.srtp, ..Habits::default() },
            (None, None) => Habits::default(),
        };
        if let Some(old) = invited.replaces {
            return self.replace(now, &invited, old, agent);
        }
        let route = self.routes.dialled(&invited.user, &invited.request_uri).ok_or(Refused::UnknownNumber)?;
        if matches!(route, Route::Trunk { .. }) && invited.authenticated.is_none() {
            return Err(Refused::Forbidden);
        }
        let session = SessionId::new(now, &mut self.random);
        let opening = Opening { plan: self.plan_and_version(&route, session), ..self.opening(&invited, &route, agent) };
        if let Some(trunk) = trunk {
            self.trunks.take(now, trunk, invited.leg, Way::In).map_err(|_| Refused::Full)?;
        }
        let arrival = Arrival { session, invited: &invited, route, agent, habits };
        let call = self.try_call(now, |world| Call::arrive(&arrival, world)).inspect_err(|_| self.trunks.release(invited.leg));
        self.admit(now, session, call?, opening);
        Ok(())
    }

    /// A call that may not come to be: then nothing of it is left.
    fn try_call(&mut self, now: Time, make: impl FnOnce(&mut World<'_>) -> Result<Call, Refused>) -> Result<Call, Refused> {
        let mut world = World {
            now,
            directory: &self.directory,
            routes: &self.routes,
            endpoint: &self.endpoint,
            trunks: &mut self.trunks,
            customer: None,
            pressure: self.load.pressure,
            random: &mut self.random,
            ports: &mut self.ports,
            tolls: &mut self.tolls,
            reason: None,
            out: &mut self.work.effects,
        };
        let made = make(&mut world);
        if made.is_err() {
            self.work.effects.clear();
        }
        made
    }

    /// A new call counts, and its session begins.
    fn admit(&mut self, now: Time, session: SessionId, call: Call, opening: Opening) {
        let opening = Opening { call: Some(call.ids().call), ..opening };
        self.slots.insert(session, Slot { machine: Machine::Call(Box::new(call)), lookups: Vec::new() });
        self.load.calls += 1;
        self.queue_effects(session);
        self.sessions.open(now, session, opening, &mut self.work.sessions);
    }

    fn plan_and_version(&self, route: &Route, session: SessionId) -> Option<(String, String)> {
        match route {
            Route::Plan(id) => self.directory.plan_for(id, session).map(|plan| (plan.id.clone(), plan.version.clone())),
            _ => None,
        }
    }

    /// A call between people of the house is no customer's; one that an agent places outside is the callee's.
    fn opening(&self, invited: &Invited, route: &Route, agent: Option<AgentId>) -> Opening {
        let (channel, address) = match (agent, route) {
            (Some(_), Route::Trunk { number, .. }) => (PHONE, number.clone()),
            (Some(_), _) => (INTERNAL, invited.caller.clone()),
            (None, _) => (PHONE, invited.caller.clone()),
        };
        Opening {
            call: None,
            channel: channel.to_owned(),
            address,
            entry: invited.user.clone(),
            plan: None,
            name: invited.caller_name.clone(),
            lang: None,
        }
    }

    fn agent_of(&self, user: Option<&str>) -> Option<AgentId> {
        user.map(AgentId::of_name).filter(|agent| self.directory.agents.contains_key(agent))
    }

    fn on_registered(&mut self, now: Time, user: &str, contacts: usize) {
        let fact = Fact::PhoneRegistered { user: user.to_owned(), contacts: self.endpoint.kept(now, user) };
        self.sessions.journal(now, fact, &mut self.work.sessions);
        let Some(agent) = self.agent_of(Some(user)) else { return };
        if contacts > 0 {
            self.distribute(|acd, _, out| acd.registered(now, agent, out));
        } else {
            self.distribute(|acd, _, out| acd.set_state(now, agent, AgentState::Offline, None, out));
        }
    }

    /// Phones at a fixed address never register: they are there.
    fn welcome_fixed_phones(&mut self, now: Time) {
        let directory = self.directory.clone();
        for agent in directory.agents.values().filter(|agent| agent.phone.uri.is_some()) {
            self.distribute(|acd, _, out| acd.registered(now, agent.id, out));
        }
    }

    /// Phones that were registered when the process ended are called as if nothing had happened.
    fn welcome_back(&mut self, now: Time, phones: Vec<KeptPhone>) {
        for phone in phones {
            let agent = self.agent_of(Some(&phone.user));
            if self.endpoint.restore(now, phone)
                && let Some(agent) = agent
            {
                self.distribute(|acd, _, out| acd.registered(now, agent, out));
            }
        }
    }

    fn configure(&mut self, now: Time, directory: Arc<Directory>) {
        self.routes = Routes::of(&directory);
        self.endpoint.configure(Settings::of_directory(&directory));
        let before = std::mem::replace(&mut self.directory, directory.clone());
        self.configure_trunks(now, Some(&before));
        self.ladders.configure(&directory);
        self.guard.configure(now, directory.defence.clone(), directory.trusted());
        self.sessions.set_conversation_idle(directory.limits.conversation_idle);
        self.distribute(|acd, directory, out| acd.configure(now, directory, out));
        self.welcome_fixed_phones(now);
    }

    /// Tells the endpoint whether new calls are taken.
    fn show_load(&mut self) {
        let accepting = if self.drain != Drain::No {
            Accepting::Draining
        } else if self.load.calls >= self.directory.limits.calls {
            Accepting::Full { retry_after: RETRY_AFTER }
        } else {
            Accepting::All
        };
        if accepting != self.accepting {
            self.accepting = accepting;
            self.endpoint.set_accepting(accepting);
        }
    }

    fn begin_drain(&mut self, now: Time, until: Time) {
        if self.drain == Drain::No {
            self.drain = Drain::Until(until);
            self.leave_trunks(now);
        }
    }

    /// The time is over: everything that runs is ended.
    fn go_on_draining(&mut self, now: Time) {
        match self.drain {
            Drain::Until(until) if until <= now => {
                self.drain = Drain::Closing(now + DRAIN_GRACE);
                self.close_all(now);
            }
            Drain::Closing(until) if until <= now => self.finish_drain(),
            _ => {}
        }
    }

    /// Who waits goes first, so that no phone rings for somebody who is sent away next.
    fn close_all(&mut self, now: Time) {
        let served = |session: &SessionId| self.acd.holder(*session).is_some();
        let (last, first): (Vec<SessionId>, Vec<SessionId>) = self.slots.keys().copied().partition(served);
        for session in first.into_iter().chain(last) {
            self.with_call(now, session, |call, world| call.close(Ending::Drained, None, world));
            self.with_chat(now, session, |chat, room| chat.finish(Ending::Drained, None, room));
            self.work_off(now);
        }
    }

    /// Without calls nothing has to be waited for: chats go on after the next start, in the same conversation.
    fn end_drain(&mut self) {
        let calls_over = self.load.calls == 0 && self.endpoint.counts().dialogs == 0 && !self.endpoint.is_leaving();
        match self.drain {
            Drain::Until(_) if calls_over => self.drain = Drain::Until(Time::default()),
            Drain::Closing(_) if calls_over && self.slots.is_empty() && self.errands.is_empty() => self.finish_drain(),
            _ => {}
        }
    }

    fn finish_drain(&mut self) {
        self.drain = Drain::Done;
        self.work.out.push_back(Output::Drained);
    }
}

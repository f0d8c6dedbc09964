//! Wish → output: what a machine wishes is handed to whom it concerns.

use super::{Machine, Switch, Todo};
use crate::control::acd::{self, Item};
use crate::control::discreet::mask_content;
use crate::control::event::{Author, Fact, SessionState};
use crate::control::limits::OPEN_LOOKUPS;
use crate::control::session::effect::{Distribute, Effect, Signal};
use crate::control::session::{self, Line, Said};
use crate::control::surface::Output;
use crate::control::time::Time;
use crate::control::words::agent::Notice;
use crate::control::words::chat::{self, Content};
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::ticket::Filed;
use crate::control::words::{LegId, LookupId, SessionId};

impl Switch {
    pub(super) fn perform(&mut self, now: Time, todo: Todo) {
        match todo {
            Todo::Of(session, effect) => self.perform_for(now, session, effect),
            Todo::Acd(effect) => self.on_acd(now, &effect),
            Todo::Session(effect) => self.on_session(now, effect),
        }
    }

    fn on_session(&mut self, now: Time, effect: session::Effect) {
        match effect {
            session::Effect::Journal(event) => self.work.out.push_back(Output::Journal(event)),
            session::Effect::Ask(lookup, question) => self.work.out.push_back(Output::Find(lookup, question)),
            session::Effect::Settled(session) => self.with_call(now, session, |call, world| call.on_settled(world)),
            session::Effect::Line(received, customer) => self.on_line(now, *received, customer),
        }
    }

    fn on_acd(&mut self, now: Time, effect: &acd::Effect) {
        use acd::Effect as E;
        let session = match effect {
            E::State { agent, state, reason } => {
                let fact = Fact::AgentState { agent: *agent, state: *state, reason: reason.clone() };
                self.sessions.journal(now, fact, &mut self.work.sessions);
                return;
            }
            E::Offer { offer, session, .. } => {
                self.index.offers.insert(*offer, *session);
                *session
            }
            E::OfferEnded { offer, session, .. } => {
                self.index.offers.remove(offer);
                *session
            }
            E::Queued { session, .. }
            | E::Raised { session, .. }
            | E::Dequeued { session, .. }
            | E::Overflow { session, .. }
            | E::CallbackDue { session } => *session,
        };
        self.with_call(now, session, |call, world| call.on_acd(effect, world));
        self.with_chat(now, session, |chat, room| chat.on_acd(effect, room));
    }

    fn perform_for(&mut self, now: Time, session: SessionId, effect: Effect) {
        match effect {
            Effect::OwnLeg(leg) => {
                self.index.legs.insert(leg, session);
                self.show_messages_of(leg);
            }
            Effect::DropLeg(leg) => {
                self.index.legs.remove(&leg);
                self.trunks.release(leg);
            }
            Effect::Signal(leg, signal) => self.signal(now, leg, signal),
            Effect::Media(worker, command) => self.work.out.push_back(Output::Media(worker, command)),
            Effect::OwnRecording(recording) => drop(self.index.recordings.insert(recording, session)),
            Effect::DropRecording(recording) => drop(self.index.recordings.remove(&recording)),
            Effect::Release(lease) => self.ports.release(now, lease),
            Effect::Record(fact) => {
                self.count_turn(&fact);
                self.record_advised(now, session, fact);
            }
            Effect::SuggestAnswer(sentence) => self.suggest_answer(now, session, &sentence),
            Effect::Go(state) => self.sessions.go(now, session, state, &mut self.work.sessions),
            Effect::Say(line) => drop(self.sessions.say(now, session, *line, &mut self.work.sessions)),
            Effect::Write(line, buttons) => drop(self.write(now, session, *line, buttons)),
            Effect::Message(channels, content) => self.message(now, session, &channels, content),
            Effect::Distribute(wish) => self.distribute_for(now, session, wish),
            Effect::Find(lookup, question) => self.find(now, session, lookup, question),
            Effect::GoOn(talk) => self.go_on_alone(now, session, *talk),
            Effect::OpenTicket(save_as, new) => {
                if let Some((number, filed)) = self.sessions.file_ticket(now, session, new, &mut self.work.sessions) {
                    self.take_in();
                    self.tell_ticket(now, session, save_as, (number, filed));
                }
            }
            Effect::Leave(left) => {
                self.sessions.leave_message(now, session, left, &mut self.work.sessions);
                self.sessions.go(now, session, SessionState::LeftMessage, &mut self.work.sessions);
            }
            Effect::PromiseCallback(queue, address, why) => {
                if let Some(queue) = queue.or_else(|| self.directory.queues.keys().next().copied()) {
                    self.sessions.promise_callback(now, session, (queue, address), why, &mut self.work.sessions);
                }
            }
            Effect::Notify(agent, mut notice) => {
                if let Notice::Offered { context, .. } = &mut notice {
                    self.put_suggestions(session, context);
                }
                self.work.out.push_back(Output::Notify(agent, notice));
            }
            Effect::Clock(clock, Some(at)) => self.clocks.set((session, clock), at),
            Effect::Clock(clock, None) => self.clocks.clear(&(session, clock)),
            Effect::Close(ending, disposition) => {
                self.lighten(session);
                self.sessions.close(now, session, &ending, disposition, &mut self.work.sessions);
            }
            Effect::Gone => self.forget(session),
        }
    }

    fn signal(&mut self, now: Time, leg: LegId, signal: Signal) {
        match signal {
            Signal::Ring(status, sdp) => self.endpoint.ring(now, leg, status, sdp),
            Signal::Answer(sdp) => self.endpoint.answer(now, leg, sdp),
            Signal::Refuse(status) => self.endpoint.refuse(now, leg, status, &[]),
            Signal::Invite(outgoing) => {
                self.endpoint.invite(now, leg, *outgoing);
                self.show_messages_of(leg);
            }
            Signal::RefuseBecause(status, reason) => self.endpoint.refuse(now, leg, status, &[("Reason", &reason)]),
            Signal::HangUp => self.endpoint.hang_up(now, leg, &[]),
            Signal::HangUpBecause(reason) => self.endpoint.hang_up(now, leg, &[("Reason", &reason)]),
            Signal::AnswerOffer(sdp) => self.endpoint.answer_offer(now, leg, sdp),
            Signal::RefuseOffer(status) => self.endpoint.refuse_offer(now, leg, status, &[]),
            Signal::Acknowledge(sdp) => self.endpoint.acknowledge_with(now, leg, sdp),
            Signal::Key(key) => self.endpoint.send_key(now, leg, key),
            Signal::Reoffer(sdp) => self.endpoint.reoffer(now, leg, sdp),
            Signal::Refer(to) => self.endpoint.refer(now, leg, &to),
            Signal::NotifyRefer(status) => self.endpoint.notify_refer(now, leg, status),
        }
    }

    /// The messages of this leg's dialog are its call's; a leg that is still to be invited has none.
    fn show_messages_of(&mut self, leg: LegId) {
        let slot = self.index.legs.get(&leg).and_then(|session| self.slots.get(session));
        if let (Some(Machine::Call(call)), Some(call_id)) = (slot.map(|slot| &slot.machine), self.endpoint.call_id_of(leg)) {
            self.ladders.belongs(call_id, call.ids().call);
        }
    }

    fn distribute_for(&mut self, now: Time, session: SessionId, wish: Distribute) {
        let (acd, out) = (&mut self.acd, &mut self.work.acd);
        match wish {
            Distribute::Enqueue(ask) => {
                let item = Item {
                    session,
                    channel: match self.slots.get(&session).map(|slot| &slot.machine) {
                        Some(Machine::Chat(_)) => CHAT,
                        _ => VOICE,
                    }
                    .to_owned(),
                    ask: *ask,
                    last_agent: self
                        .sessions
                        .customer_of(session)
                        .and_then(|customer| customer.last_agent)
                        .map(|last| (last.agent, last.at)),
                };
                acd.enqueue(now, item, out);
            }
            Distribute::Raise(priority) => acd.raise(session, priority, out),
            Distribute::Leave => acd.leave(now, session, out),
            Distribute::Accepted(offer) => drop(acd.offer_accepted(now, offer, out)),
            Distribute::Refused(offer) => acd.offer_refused(now, offer, out),
            Distribute::Released => acd.released(now, session, out),
            Distribute::Occupy(agent) => acd.occupy(agent, session, out),
            Distribute::Calls(agent) => acd.calls(agent, session, out),
            Distribute::Called(agent) => acd.called(now, agent, session, out),
        }
    }

    /// A line to a chat customer: kept, and sent.
    pub(super) fn write(
        &mut self,
        now: Time,
        session: SessionId,
        line: Line,
        buttons: Vec<(String, String)>,
    ) -> (crate::control::words::MessageId, Said) {
        let mut content = line.content.clone();
        mask_content(&mut content);
        let line = Line { buttons: buttons.clone(), ..line };
        let (message, said) = self.sessions.say(now, session, line, &mut self.work.sessions);
        if let (Said::New, Some(found)) = (said, self.sessions.of(session)) {
            let (channel, address) = (found.opening.channel.clone(), found.opening.address.clone());
            self.work.out.push_back(Output::Chat(chat::Send { session, message, channel, address, content, buttons }));
        }
        (message, said)
    }

    /// A line to the same customer on the first of these channels he has; in his open chat there, if he has one.
    fn message(&mut self, now: Time, session: SessionId, channels: &[String], content: Content) {
        let Some(customer) = self.sessions.customer_of(session) else { return };
        let place = channels.iter().find_map(|channel| customer.addresses.iter().find(|address| address.channel == *channel));
        let Some(place) = place.cloned() else { return };
        let to = self.sessions.chat_of(&place.channel, &place.address).unwrap_or(session);
        let line = Line { content: content.clone(), source: Some("message".to_owned()), ..Line::text(Author::Bot, String::new()) };
        let (message, _) = self.sessions.say(now, to, line, &mut self.work.sessions);
        let session::Address { channel, address } = place;
        let mut content = content;
        mask_content(&mut content);
        self.work.out.push_back(Output::Chat(chat::Send { session: to, message, channel, address, content, buttons: Vec::new() }));
    }

    fn find(&mut self, now: Time, session: SessionId, lookup: LookupId, question: Lookup) {
        let Some(slot) = self.slots.get_mut(&session) else { return };
        if slot.lookups.len() >= OPEN_LOOKUPS {
            let finding = Finding::Failed("too many questions are open".to_owned());
            self.with_call(now, session, |call, world| call.on_found(lookup, finding.clone(), world));
            self.with_chat(now, session, |chat, room| chat.on_found(lookup, finding.clone(), room));
            return;
        }
        slot.lookups.push(lookup);
        self.index.lookups.insert(lookup, session);
        self.work.out.push_back(Output::Find(lookup, question));
    }

    fn tell_ticket(&mut self, now: Time, session: SessionId, save_as: Option<String>, (number, filed): (u64, Filed)) {
        match self.slots.get(&session).map(|slot| &slot.machine) {
            Some(Machine::Call(_)) => self.with_call(now, session, |call, world| call.on_ticket(save_as, number, filed, world)),
            Some(Machine::Chat(_)) => self.with_chat(now, session, |chat, room| chat.on_ticket(save_as, number, filed, room)),
            None => {}
        }
    }

    /// A session is over: it no longer counts against the limits.
    fn lighten(&mut self, session: SessionId) {
        match self.slots.get(&session).map(|slot| &slot.machine) {
            Some(Machine::Call(_)) => self.load.calls -= 1,
            Some(Machine::Chat(_)) => self.load.chats -= 1,
            None => {}
        }
    }

    fn forget(&mut self, session: SessionId) {
        let Some(slot) = self.slots.remove(&session) else { return };
        for lookup in slot.lookups {
            self.index.lookups.remove(&lookup);
        }
        for clock in crate::control::session::effect::Clock::ALL {
            self.clocks.clear(&(session, clock));
        }
    }
}

/// The names of channels in a queue's costs.
const VOICE: &str = "voice";
const CHAT: &str = "chat";

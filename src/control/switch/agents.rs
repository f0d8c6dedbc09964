//! Commands of the API: agents, supervisors, integrators.

use super::{Drain, Machine, Switch};
use crate::control::call::ending::{Ending, Refused};
use crate::control::call::route::user_or_all;
use crate::control::call::{Call, Placing, World};
use crate::control::event::Author;
use crate::control::session::identity::PHONE;
use crate::control::session::{Line, NewTicket, Opening, Said};
use crate::control::time::Time;
use crate::control::words::agent::{AgentCommand, AgentState, Refusal, Reply};
use crate::control::words::chat::Content;
use crate::control::words::ticket::Duplicate;
use crate::control::words::{AgentId, CommandId, OfferId, QueueId, SessionId};

impl Switch {
    pub(super) fn on_command(&mut self, now: Time, command: CommandId, wish: AgentCommand) {
        let answer = match wish {
            AgentCommand::SetState { agent, state, reason } => self.set_state(now, agent, state, reason),
            AgentCommand::Accept { offer } => self.accept(now, offer),
            AgentCommand::Reject { offer } => self.reject(now, offer),
            AgentCommand::Say { session, client_id, agent, content } => self.say(now, session, client_id, agent, content),
            AgentCommand::Close { session, disposition } => self.close(now, session, disposition),
            AgentCommand::Transfer { session, queue } => self.move_to(now, session, queue),
            AgentCommand::Supervise { session, supervisor, mode } => {
                self.known_agent(supervisor).and_then(|chief| self.in_call(now, session, |call, world| call.supervise(chief, mode, world)))
            }
            AgentCommand::EndSupervision { session, by } => self.in_call(now, session, |call, world| call.leave_supervision(by, world)),
            AgentCommand::Consult { session, to } => self.in_call(now, session, |call, world| call.consult(&to, world)),
            AgentCommand::EndConsult { session, how } => self.in_call(now, session, |call, world| call.end_consult(how, world)),
            AgentCommand::MaskRecording { session, masking } => {
                self.in_call(now, session, |call, world| call.mask_recording(masking, world))
            }
            AgentCommand::Ready { agent } => self.known_agent(agent).map(|agent| {
                self.distribute(|acd, _, out| acd.ready(now, agent, out));
                Reply::Done
            }),
            AgentCommand::Originate { to, entry, by } => self.originate(now, &to, &entry, by),
            AgentCommand::Bans => Ok(Reply::Bans(self.guard.bans())),
            AgentCommand::Lift { source } => self.lift(now, source),
            AgentCommand::Count => Ok(Reply::Counts(Box::new(self.counts()))),
            AgentCommand::Ladder { of } => self.ladder(&of),
            AgentCommand::OpenTicketsAre { customer, tickets } => {
                self.sessions.open_tickets_are(customer, tickets);
                Ok(Reply::Done)
            }
            AgentCommand::CustomerIs { customer, fields } => {
                self.customer_changed(now, customer, fields);
                Ok(Reply::Done)
            }
            AgentCommand::SettleSuggestion { session, suggestion, by, verdict } => {
                self.settle_suggestion(now, (session, suggestion), by, verdict)
            }
            AgentCommand::OpenTicket { customer, session, kind, title, fields } => {
                let new = NewTicket { kind, title, fields, duplicate: Duplicate::New };
                Ok(Reply::Ticket(self.sessions.open_ticket_for(now, customer, session, new, &mut self.work.sessions)))
            }
        };
        self.answer(command, answer);
    }

    fn set_state(&mut self, now: Time, agent: AgentId, state: AgentState, reason: Option<String>) -> Result<Reply, Refusal> {
        let agent = self.known_agent(agent)?;
        if matches!(state, AgentState::Busy | AgentState::WrapUp) {
            return Err(Refusal::Conflict(
                "busy and wrap_up follow from what an agent holds; ask for available, away or offline".to_owned(),
            ));
        }
        self.distribute(|acd, _, out| acd.set_state(now, agent, state, reason, out));
        Ok(Reply::Done)
    }

    fn accept(&mut self, now: Time, offer: OfferId) -> Result<Reply, Refusal> {
        let session = self.session_of(offer)?;
        let mut taken = None;
        self.with_chat(now, session, |chat, room| taken = Some(chat.accept(offer, room)));
        match taken {
            Some(true) => Ok(Reply::Done),
            Some(false) => Err(Refusal::Conflict("the offer is over".to_owned())),
            None => Err(Refusal::Conflict("a call is taken on the phone".to_owned())),
        }
    }

    fn reject(&mut self, now: Time, offer: OfferId) -> Result<Reply, Refusal> {
        let session = self.session_of(offer)?;
        let mut rejected = false;
        self.with_chat(now, session, |chat, room| rejected = chat.reject(offer, room));
        self.with_call(now, session, |call, world| rejected = call.reject_offer(offer, world));
        if rejected { Ok(Reply::Done) } else { Err(Refusal::Conflict("the offer is over".to_owned())) }
    }

    fn say(
        &mut self,
        now: Time,
        session: SessionId,
        client_id: String,
        agent: Option<AgentId>,
        content: Content,
    ) -> Result<Reply, Refusal> {
        match self.machine_of(session)? {
            Machine::Chat(_) => {}
            Machine::Call(_) => return Err(Refusal::Conflict("a call takes no written lines".to_owned())),
        }
        let line = Line { content, agent, client_id: Some(client_id), ..Line::text(Author::Agent, String::new()) };
        let (message, said) = self.write(now, session, line, Vec::new());
        self.with_chat(now, session, |chat, room| chat.on_agent_line(room));
        Ok(Reply::Message { session, message, replayed: said == Said::Before })
    }

    fn close(&mut self, now: Time, session: SessionId, disposition: Option<String>) -> Result<Reply, Refusal> {
        self.machine_of(session)?;
        self.with_chat(now, session, |chat, room| chat.finish(Ending::ClosedByAgent, disposition.clone(), room));
        self.with_call(now, session, |call, world| call.close(Ending::ClosedByAgent, disposition, world));
        Ok(Reply::Done)
    }

    fn move_to(&mut self, now: Time, session: SessionId, queue: QueueId) -> Result<Reply, Refusal> {
        self.machine_of(session)?;
        if !self.directory.queues.contains_key(&queue) {
            return Err(Refusal::Unknown { what: "queue", id: queue.to_string() });
        }
        let mut moved = false;
        self.with_chat(now, session, |chat, room| moved = chat.move_to(queue, room));
        self.with_call(now, session, |call, world| moved = call.move_to(queue, world));
        if moved { Ok(Reply::Done) } else { Err(Refusal::Conflict("the session cannot be moved in its state".to_owned())) }
    }

    /// What only a call knows.
    fn in_call(
        &mut self,
        now: Time,
        session: SessionId,
        step: impl FnOnce(&mut Call, &mut World<'_>) -> Result<(), Refusal>,
    ) -> Result<Reply, Refusal> {
        self.machine_of(session)?;
        let mut done = Err(Refusal::Conflict("it is a chat: nobody speaks there".to_owned()));
        self.with_call(now, session, |call, world| done = step(call, world));
        done.map(|()| Reply::Done)
    }

    /// Rings `to`; who answers lands at `entry`.
    fn originate(&mut self, now: Time, to: &str, entry: &str, by: Option<String>) -> Result<Reply, Refusal> {
        if self.drain != Drain::No || self.load.calls >= self.directory.limits.calls {
            return Err(Refusal::Busy);
        }
        let unknown = |what: &'static str, id: &str| Refusal::Unknown { what, id: id.to_owned() };
        let rung = self.routes.wished(to, None).ok_or_else(|| unknown("number to call", to))?;
        let route = self.routes.wished(entry, None).ok_or_else(|| unknown("entry", entry))?;
        let session = SessionId::new(now, &mut self.random);
        let address = user_or_all(to).to_owned();
        let placing = Placing { session, to: rung, address: address.clone(), route: route.clone(), entry: entry.to_owned(), by };
        let call = self.try_call(now, |world| Call::place(placing, world)).map_err(|refused| match refused {
            Refused::Full => Refusal::Busy,
            Refused::Barred(why) => Refusal::Conflict(format!("{to} may not be called: {}", why.words())),
            _ => Refusal::Conflict(format!("{to} cannot be rung: no trunk, phone or address leads there")),
        })?;
        let opening =
            Opening { call: Some(call.ids().call), channel: PHONE.to_owned(), address, entry: entry.to_owned(), ..Opening::default() };
        self.admit(now, session, call, Opening { plan: self.plan_and_version(&route, session), ..opening });
        Ok(Reply::Session(session))
    }

    fn known_agent(&self, agent: AgentId) -> Result<AgentId, Refusal> {
        match self.directory.agents.contains_key(&agent) {
            true => Ok(agent),
            false => Err(Refusal::Unknown { what: "agent", id: agent.to_string() }),
        }
    }

    fn session_of(&self, offer: OfferId) -> Result<SessionId, Refusal> {
        self.index.offers.get(&offer).copied().ok_or_else(|| Refusal::Unknown { what: "offer", id: offer.to_string() })
    }

    pub(super) fn machine_of(&self, session: SessionId) -> Result<&Machine, Refusal> {
        let unknown = || Refusal::Unknown { what: "open session", id: session.to_string() };
        self.slots
            .get(&session)
            .filter(|_| self.sessions.of(session).is_some_and(|found| !found.is_closed()))
            .map(|slot| &slot.machine)
            .ok_or_else(unknown)
    }
}

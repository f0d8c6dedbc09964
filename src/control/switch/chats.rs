//! Chat lines in: the same line is told by its ids, a new one joins the open chat or begins another.

use super::{Drain, Machine, Slot, Switch};
use crate::control::discreet::SECRET;
use crate::control::event::Author;
use crate::control::session::chat::Chat;
use crate::control::session::{Line, Opening};
use crate::control::surface::Output;
use crate::control::time::Time;
use crate::control::words::agent::{Refusal, Reply};
use crate::control::words::chat::{Content, Received};
use crate::control::words::{CommandId, CustomerId, SessionId};

impl Switch {
    pub(super) fn on_chat(&mut self, now: Time, received: Received) {
        if self.answer_replayed(&received) {
            return;
        }
        let command = received.command;
        let full = self.drain != Drain::No || self.load.chats >= self.directory.limits.chats;
        if full || !self.sessions.receive(now, received, &mut self.work.sessions) {
            self.answer(command, Err(Refusal::Busy));
        }
    }

    /// The sender of a line is known.
    pub(super) fn on_line(&mut self, now: Time, received: Received, customer: CustomerId) {
        if self.answer_replayed(&received) {
            return;
        }
        let open = self.sessions.chat_of(&received.channel, &received.address);
        let (session, plan) = match open {
            Some(session) => (session, None),
            None => (self.open_chat(now, &received, customer), Some(self.plan_of(&received))),
        };
        let line = Line {
            content: self.may_be_kept(session, &received),
            external_id: Some(received.external_id.clone()),
            ..Line::text(Author::Customer, String::new())
        };
        let (message, _) = self.sessions.say(now, session, line, &mut self.work.sessions);
        self.sessions.remember(&received, session, message);
        self.answer(received.command, Ok(Reply::Message { session, message, replayed: false }));
        self.with_chat(now, session, |chat, room| {
            if let Some(plan) = plan {
                chat.begin(plan.as_deref(), room);
            }
            chat.on_line(&received.content, &received.meanings, room);
        });
    }

    /// The line as it may be written down: an answer to a question for a masked slot is secret as a whole.
    fn may_be_kept(&self, session: SessionId, received: &Received) -> Content {
        let machine = self.slots.get(&session).map(|slot| &slot.machine);
        match machine {
            Some(Machine::Chat(chat)) if chat.asks_secret() => Content::Text { text: SECRET.to_owned() },
            _ => received.content.clone(),
        }
    }

    pub(super) fn answer(&mut self, command: CommandId, answer: Result<Reply, Refusal>) {
        self.work.out.push_back(Output::Answer(command, answer));
    }

    fn answer_replayed(&mut self, received: &Received) -> bool {
        let Some((session, message)) = self.sessions.replayed(received) else { return false };
        self.answer(received.command, Ok(Reply::Message { session, message, replayed: true }));
        true
    }

    fn open_chat(&mut self, now: Time, received: &Received, customer: CustomerId) -> SessionId {
        let session = SessionId::new(now, &mut self.random);
        let (channel, address) = (received.channel.clone(), received.address.clone());
        let plan = self.plan_of(received).and_then(|id| self.directory.plan_for(&id, session));
        let opening = Opening {
            channel: channel.clone(),
            address: address.clone(),
            entry: channel.clone(),
            plan: plan.map(|plan| (plan.id.clone(), plan.version.clone())),
            ..Opening::default()
        };
        self.load.chats += 1;
        self.slots.insert(session, Slot { machine: Machine::Chat(Box::new(Chat::new(session, channel, address))), lookups: Vec::new() });
        self.sessions.open_for(now, session, customer, opening, &mut self.work.sessions);
        session
    }

    /// The plan of a chat: the one its profile names, else the one of its channel.
    fn plan_of(&self, received: &Received) -> Option<String> {
        let named = received.profile.get("plan").and_then(serde_json::Value::as_str);
        let known = named.filter(|id| self.directory.plans.contains_key(*id));
        known.or_else(|| self.routes.plan_of_channel(&received.channel)).map(str::to_owned)
    }
}

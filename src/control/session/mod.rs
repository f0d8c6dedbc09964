//! Sessions, conversations, identities, tickets: who the customer is, which matter his contact belongs to,
//! where each session stands, and every fact of it in order.
//!
//! A session begins before its customer is known: its facts are held back until the store has answered (or
//! [`crate::control::limits::IDENTITY_WAIT`] is over) and then go out behind `session.created`, so that the log reads in order.

pub mod advice;
pub mod chat;
mod customers;
pub mod effect;
pub mod identity;
pub mod known;
mod recent;
mod record;
pub mod talk;
#[cfg(test)]
mod tests;
mod tickets;

use std::collections::HashMap;
use std::time::Duration;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::call::ending::Ending;
use super::discreet::discreet;
use super::event::{Author, DomainEvent, Fact, SessionState};
use super::limits::{REMEMBERED_LINES, WAITING_LINES};
use super::random::Random;
use super::time::Time;
use super::words::chat::{Content, Received};
use super::words::lookup::{Finding, Lookup};
use super::words::ticket::Duplicate;
use super::words::{
    AgentId, CallbackId, CustomerId, EventId, IdentityId, Lang, LeftMessageId, LookupId, MessageId, QueueId, RecordingId, SessionId,
    SuggestionId,
};

use advice::Advised;
use customers::{Customers, Joined};
use identity::{Identities, Link, PHONE, Settled};
use recent::Recent;

pub use customers::Customer;
pub use known::{Address, Interrupted, Known, LastAgent, OpenConversation, Restored};
pub use record::{Opening, Session};
pub use tickets::NewTicket;

/// What follows from a step.
#[derive(Debug)]
pub enum Effect {
    /// Write it down.
    Journal(DomainEvent),
    /// Ask the store.
    Ask(LookupId, Lookup),
    /// The session's customer is known.
    Settled(SessionId),
    /// A chat line's sender is known.
    Line(Box<Received>, CustomerId),
}

/// Who waits to be known.
#[derive(Debug)]
enum Waiter {
    Session(SessionId),
    Line(Box<Received>),
}

/// A line of a conversation, spoken or written.
#[derive(Debug, Clone)]
pub struct Line {
    /// Who says it.
    pub author: Author,
    /// What.
    pub content: Content,
    /// Which agent.
    pub agent: Option<AgentId>,
    /// In which language.
    pub lang: Option<Lang>,
    /// The API client's id.
    pub client_id: Option<String>,
    /// The channel's id.
    pub external_id: Option<String>,
    /// Of an utterance: beginning and length.
    pub span: Option<(Duration, Duration)>,
    /// Of an utterance: the recognizer's confidence.
    pub confidence: Option<f32>,
    /// What made it: an engine, `suggestion`, `plan`.
    pub source: Option<String>,
    /// Buttons, label and what a press sends.
    pub buttons: Vec<(String, String)>,
}

impl Line {
    /// Words of `author` and nothing more.
    #[must_use]
    pub fn text(author: Author, text: String) -> Line {
        Line {
            author,
            content: Content::Text { text },
            agent: None,
            lang: None,
            client_id: None,
            external_id: None,
            span: None,
            confidence: None,
            source: None,
            buttons: Vec::new(),
        }
    }
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    random: Random,
    conversation_idle: Duration,
    identities: Identities<Waiter>,
    customers: Customers,
    sessions: FxHashMap<SessionId, Session>,
    chats: HashMap<Address, SessionId>,
    lines: Recent<(String, String), (SessionId, MessageId)>,
    last_ticket: u64,
    closed: u64,
    opened: u64,
}

impl Sessions {
    /// No session, and what the store handed over.
    #[must_use]
    pub fn new(seed: u64, conversation_idle: Duration, restored: &Restored) -> Sessions {
        Sessions {
            random: Random::new(seed),
            conversation_idle,
            identities: Identities::default(),
            customers: Customers::default(),
            sessions: FxHashMap::default(),
            chats: HashMap::new(),
            lines: Recent::new(REMEMBERED_LINES),
            last_ticket: restored.last_ticket,
            closed: 0,
            opened: 0,
        }
    }

    /// A contact within this time of the last one joins the same conversation.
    pub fn set_conversation_idle(&mut self, idle: Duration) {
        self.conversation_idle = idle;
    }

    /// Ends what an abrupt end of the process left open; who stood in a line is promised a callback.
    pub fn take_up(&mut self, now: Time, restored: Restored, out: &mut Vec<Effect>) {
        for left in restored.interrupted {
            let ending = Ending::ServerStopped;
            let (session, duration_ms) = (left.session, DomainEvent::ms(now.since(left.began)));
            if let Some(queue) = left.queue {
                let callback = CallbackId::new(now, &mut self.random);
                let why = ending.disposition().to_owned();
                self.journal(now, Fact::CallbackPromised { callback, session, queue, address: left.address, why }, out);
            }
            if let Some(call) = left.call {
                let (name, sip_status, our_fault) = (ending.name(), ending.sip_status(), ending.is_our_fault());
                self.journal(now, Fact::CallEnded { call, ending: name, sip_status, our_fault, duration_ms }, out);
            }
            let (name, disposition) = (ending.name(), ending.disposition().to_owned());
            self.journal(now, Fact::SessionClosed { session, ending: name, disposition, contained: false, duration_ms }, out);
        }
    }

    /// Begins a session. `Settled` follows, at once or when the store has answered.
    pub fn open(&mut self, now: Time, session: SessionId, mut opening: Opening, out: &mut Vec<Effect>) {
        if opening.channel == PHONE {
            opening.address = identity::phone_number(&opening.address);
        }
        let keys = keys(&opening.channel, &opening.address, None);
        self.opened += 1;
        self.sessions.insert(session, Session::new(session, now, opening));
        self.ask(now, keys, Waiter::Session(session), out);
    }

    /// Begins a session of a customer who is known already.
    pub fn open_for(&mut self, now: Time, session: SessionId, customer: CustomerId, opening: Opening, out: &mut Vec<Effect>) {
        self.opened += 1;
        self.chats.insert(Address { channel: opening.channel.clone(), address: opening.address.clone() }, session);
        self.sessions.insert(session, Session::new(session, now, opening));
        self.begin(now, session, customer, out);
    }

    /// A chat line came in. The same line again is told by its ids; false when too many wait to be known.
    pub fn receive(&mut self, now: Time, received: Received, out: &mut Vec<Effect>) -> bool {
        if self.identities.waiting() >= WAITING_LINES.max(self.sessions.len()) {
            return false;
        }
        let phone = received.profile.get("phone").and_then(Value::as_str);
        let keys = keys(&received.channel, &received.address, phone);
        self.ask(now, keys, Waiter::Line(Box::new(received)), out);
        true
    }

    /// The session and message a line of this channel had before.
    #[must_use]
    pub fn replayed(&self, received: &Received) -> Option<(SessionId, MessageId)> {
        self.lines.get(&(received.channel.clone(), received.external_id.clone())).copied()
    }

    /// Remembers a line of a channel.
    pub fn remember(&mut self, received: &Received, session: SessionId, message: MessageId) {
        self.lines.put((received.channel.clone(), received.external_id.clone()), (session, message));
    }

    /// An answer of the store; false when the question was not asked here.
    pub fn found(&mut self, now: Time, lookup: LookupId, finding: &Finding, out: &mut Vec<Effect>) -> bool {
        let Some((known, tickets)) = self.identities.found(lookup, finding) else { return false };
        if let Some(known) = known {
            self.customers.learn(known);
        }
        for ticket in tickets {
            if let Some(settled) = self.identities.answered(ticket) {
                self.settle(now, settled, out);
            }
        }
        true
    }

    /// When [`Sessions::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.identities.poll_timeout()
    }

    /// Contacts that waited long enough go on without an answer.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(settled) = self.identities.overdue(now) {
            self.settle(now, settled, out);
        }
    }

    /// One session.
    #[must_use]
    pub fn of(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session)
    }

    /// The customer of a session, once known.
    #[must_use]
    pub fn customer_of(&self, session: SessionId) -> Option<&Customer> {
        self.customers.of(self.of(session)?.customer?)
    }

    /// The open chat session behind an address.
    #[must_use]
    pub fn chat_of(&self, channel: &str, address: &str) -> Option<SessionId> {
        self.chats.get(&Address { channel: channel.to_owned(), address: address.to_owned() }).copied()
    }

    /// Sessions in memory: opened, closed, and here now.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, usize) {
        (self.opened, self.closed, self.sessions.len())
    }

    /// A fact of a session.
    pub fn record(&mut self, now: Time, session: SessionId, mut fact: Fact, out: &mut Vec<Effect>) {
        if let Some(found) = self.sessions.get_mut(&session) {
            if let Fact::Assigned { agent, .. } = &fact {
                found.agent = Some(*agent);
            }
            if let Fact::Upset { message, .. } = &mut fact {
                *message = message.or(found.advice.last_line());
            }
            found.advice.note(&fact);
        }
        let event = DomainEvent { id: EventId::new(now, &mut self.random), at: now, fact: discreet(fact) };
        match self.sessions.get_mut(&session).and_then(|session| session.held.as_mut()) {
            Some(held) => held.push(event),
            None => out.push(Effect::Journal(event)),
        }
    }

    /// A fact of no session.
    pub fn journal(&mut self, now: Time, fact: Fact, out: &mut Vec<Effect>) {
        out.push(Effect::Journal(DomainEvent { id: EventId::new(now, &mut self.random), at: now, fact: discreet(fact) }));
    }

    /// The session goes over to a state. A closed one stays closed.
    pub fn go(&mut self, now: Time, session: SessionId, state: SessionState, out: &mut Vec<Effect>) {
        let Some(found) = self.sessions.get_mut(&session) else { return };
        if found.state == state || found.is_closed() {
            return;
        }
        found.state = state;
        self.record(now, session, Fact::SessionState { session, state }, out);
    }

    /// A line of a session; the same `client_id` gives the same message and no second fact.
    pub fn say(&mut self, now: Time, session: SessionId, line: Line, out: &mut Vec<Effect>) -> (MessageId, Said) {
        if let Some(known) = self.replayed_in(session, line.client_id.as_deref()) {
            return (known, Said::Before);
        }
        let message = MessageId::new(now, &mut self.random);
        if let (Some(id), Some(found)) = (&line.client_id, self.sessions.get_mut(&session)) {
            found.client_ids.put(id.clone(), message);
        }
        if let (Author::Customer, Some(found)) = (line.author, self.sessions.get_mut(&session)) {
            found.advice.heard(message);
        }
        let fact = Fact::MessageCreated {
            message,
            session,
            author: line.author,
            agent: line.agent,
            content: line.content,
            lang: line.lang,
            client_id: line.client_id,
            external_id: line.external_id,
            offset_ms: line.span.map(|(offset, _)| DomainEvent::ms(offset)),
            duration_ms: line.span.map(|(_, length)| DomainEvent::ms(length)),
            confidence: line.confidence,
            source: line.source,
            buttons: line.buttons,
        };
        self.record(now, session, fact, out);
        (message, Said::New)
    }

    /// The agents of a session are advised something.
    pub fn advise(&mut self, now: Time, session: SessionId, new: Advised, agent: Option<AgentId>, out: &mut Vec<Effect>) {
        let Some(found) = self.sessions.get_mut(&session) else { return };
        let fact = found.advice.add(&session, new, agent);
        self.record(now, session, fact, out);
    }

    /// Takes a suggestion out of those that are open.
    pub fn take_advice(&mut self, session: SessionId, suggestion: SuggestionId) -> Option<Advised> {
        self.sessions.get_mut(&session)?.advice.take(suggestion)
    }

    /// A customer's fields changed outside the rules. Of one who is not in memory the store is asked when he comes.
    pub fn customer_is(&mut self, customer: CustomerId, fields: Map<String, Value>) {
        if let Some(customer) = self.customers.of_mut(customer) {
            customer.change(fields);
        }
    }

    /// A message was left; mode `ticket` makes a ticket of it.
    pub fn leave_message(&mut self, now: Time, session: SessionId, left: Left, out: &mut Vec<Effect>) {
        let id = LeftMessageId::new(now, &mut self.random);
        let Left { mode, contact, text, recording } = left;
        let fact = Fact::MessageLeft { left: id, session, contact: contact.clone(), recording, text: text.clone(), mode: mode.clone() };
        self.record(now, session, fact, out);
        if mode == MODE_TICKET {
            let mut fields = Map::new();
            let mut put = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    fields.insert(name.to_owned(), Value::String(value));
                }
            };
            put("left_message", Some(id.to_string()));
            put("contact", contact);
            put("recording", recording.map(|recording| recording.to_string()));
            let title = text.filter(|text| !text.is_empty()).unwrap_or_else(|| LEFT_TITLE.to_owned());
            let duplicate = Duplicate::New;
            self.file_ticket(now, session, NewTicket { kind: LEFT_KIND.to_owned(), title, fields, duplicate }, out);
        }
    }

    /// The customer of a session will be called back: by whose agents, and where, if not at the address he came from.
    pub fn promise_callback(
        &mut self,
        now: Time,
        session: SessionId,
        (queue, address): (QueueId, Option<String>),
        why: &str,
        out: &mut Vec<Effect>,
    ) {
        let Some(address) = address.or_else(|| self.of(session).map(|found| found.opening.address.clone())) else { return };
        let callback = CallbackId::new(now, &mut self.random);
        self.record(now, session, Fact::CallbackPromised { callback, session, queue, address, why: why.to_owned() }, out);
    }

    /// Ends a session, once; further endings are ignored.
    pub fn close(&mut self, now: Time, session: SessionId, ending: &Ending, disposition: Option<String>, out: &mut Vec<Effect>) {
        let Some(found) = self.sessions.get_mut(&session) else { return };
        if found.is_closed() {
            return;
        }
        found.state = SessionState::Closed;
        let duration_ms = DomainEvent::ms(now.since(found.began));
        let key = Address { channel: found.opening.channel.clone(), address: found.opening.address.clone() };
        if self.chats.get(&key) == Some(&session) {
            self.chats.remove(&key);
        }
        let fact = Fact::SessionClosed {
            session,
            ending: ending.name(),
            disposition: disposition.unwrap_or_else(|| ending.disposition().to_owned()),
            contained: ending.is_contained(),
            duration_ms,
        };
        self.record(now, session, fact, out);
        self.forget(now, session);
    }

    /// Of a closed session whose customer is known nothing has to be kept.
    fn forget(&mut self, now: Time, session: SessionId) {
        let Some(found) = self.sessions.get(&session) else { return };
        let (Some(customer), true) = (found.customer, found.is_closed()) else { return };
        if let (Some(agent), Some(customer)) = (found.agent, self.customers.of_mut(customer)) {
            customer.last_agent = Some(LastAgent { agent, at: now });
        }
        self.customers.end(now, customer);
        self.sessions.remove(&session);
        self.closed += 1;
    }

    fn ask(&mut self, now: Time, keys: Vec<Address>, waiter: Waiter, out: &mut Vec<Effect>) {
        let mut questions = Vec::new();
        let settled = self.identities.ask(now, &mut self.random, keys, waiter, &mut questions);
        out.extend(questions.into_iter().map(|(lookup, question)| Effect::Ask(lookup, question)));
        if let Some(settled) = settled {
            self.settle(now, settled, out);
        }
        if let Some(customer) = self.identities.evict(|customer| self.customers.is_busy(customer)) {
            self.customers.forget(customer);
        }
    }

    /// Somebody is known, or a new customer is made; his addresses are linked.
    fn settle(&mut self, now: Time, settled: Settled<Waiter>, out: &mut Vec<Effect>) {
        let (name, lang) = self.presented(&settled.what);
        let customer = settled.customer.unwrap_or_else(|| {
            let customer = CustomerId::new(now, &mut self.random);
            let made = self.customers.add(customer);
            made.name.clone_from(&name);
            made.lang.clone_from(&lang);
            self.journal(now, Fact::CustomerCreated { customer, name, lang }, out);
            customer
        });
        for key in &settled.keys {
            self.link(now, key, customer, out);
        }
        match settled.what {
            Waiter::Session(session) => self.begin(now, session, customer, out),
            Waiter::Line(received) => out.push(Effect::Line(received, customer)),
        }
    }

    fn link(&mut self, now: Time, key: &Address, customer: CustomerId, out: &mut Vec<Effect>) {
        let identity = match self.identities.link(key, customer) {
            Link::Has | Link::Unsure => return,
            Link::New(_) => IdentityId::new(now, &mut self.random),
            Link::Moved(_, identity) => identity,
        };
        self.identities.own(key, customer, identity);
        if let Some(found) = self.customers.of_mut(customer)
            && !found.addresses.contains(key)
        {
            found.addresses.push(key.clone());
        }
        let (channel, address, level) = (key.channel.clone(), key.address.clone(), LEVEL_CLAIMED.to_owned());
        self.journal(now, Fact::IdentityLinked { identity, customer, channel, address, level }, out);
    }

    /// The customer of a session is known: its facts go out, `session.created` first.
    fn begin(&mut self, now: Time, session: SessionId, customer: CustomerId, out: &mut Vec<Effect>) {
        let conversation = match self.customers.begin(now, &mut self.random, customer, self.conversation_idle) {
            Joined::Open(conversation) => conversation,
            Joined::New(conversation) => {
                self.journal(now, Fact::ConversationOpened { conversation, customer }, out);
                conversation
            }
        };
        let Some(found) = self.sessions.get_mut(&session) else { return };
        found.customer = Some(customer);
        found.conversation = Some(conversation);
        let Opening { call, channel, address, entry, plan, .. } = found.opening.clone();
        let (plan, plan_version) = plan.unzip();
        let at = found.began;
        let held = found.held.take().unwrap_or_default();
        let fact = Fact::SessionCreated { session, conversation, customer, channel, address, entry, plan, plan_version, call };
        out.push(Effect::Journal(DomainEvent { id: EventId::new(at, &mut self.random), at, fact }));
        out.extend(held.into_iter().map(Effect::Journal));
        out.push(Effect::Settled(session));
        self.forget(now, session);
    }

    fn presented(&self, waiter: &Waiter) -> (Option<String>, Option<Lang>) {
        match waiter {
            Waiter::Session(session) => {
                self.of(*session).map(|found| (found.opening.name.clone(), found.opening.lang.clone())).unwrap_or_default()
            }
            Waiter::Line(received) => {
                let text = |name: &str| received.profile.get(name).and_then(Value::as_str);
                (text("name").map(str::to_owned), text("lang").map(Lang::new))
            }
        }
    }

    fn replayed_in(&self, session: SessionId, client_id: Option<&str>) -> Option<MessageId> {
        self.of(session)?.client_ids.get(client_id?).copied()
    }
}

/// Was a line new?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Yes.
    New,
    /// The same came before.
    Before,
}

/// A message left by a customer.
#[derive(Debug, Clone)]
pub struct Left {
    /// `form | waiting | ticket | bulletin`.
    pub mode: String,
    /// Phone or e-mail.
    pub contact: Option<String>,
    /// The words.
    pub text: Option<String>,
    /// The sound.
    pub recording: Option<RecordingId>,
}

/// The mode of a left message that makes a ticket.
const MODE_TICKET: &str = "ticket";
/// The kind of a ticket made from a left message.
const LEFT_KIND: &str = "left_message";
/// The title of such a ticket when there are no words.
const LEFT_TITLE: &str = "Left message";
/// How sure an address is that nobody has verified.
const LEVEL_CLAIMED: &str = "claimed";
/// Callers without a number.
const NO_NUMBER: [&str; 4] = ["", "anonymous", "unknown", "unavailable"];

/// The addresses a contact is known by, the strongest first; none for a caller who hides his number.
fn keys(channel: &str, address: &str, phone: Option<&str>) -> Vec<Address> {
    let own = if channel == PHONE { identity::phone_number(address) } else { address.to_owned() };
    let mut keys = Vec::new();
    if let Some(phone) = phone.filter(|phone| !phone.is_empty()) {
        keys.push(Address { channel: PHONE.to_owned(), address: identity::phone_number(phone) });
    }
    let own = Address { channel: channel.to_owned(), address: own };
    if !NO_NUMBER.contains(&own.address.to_ascii_lowercase().as_str()) && !keys.contains(&own) {
        keys.push(own);
    }
    keys
}

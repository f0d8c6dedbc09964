//! Transactions (RFC 3261 §17, RFC 6026): the table of the four machines, their timers as data, matching of messages to them.

mod client;
mod invite_client;
mod invite_server;
mod key;
mod machine;
pub mod request;
mod server;

pub use key::{Key, Keys};
pub use machine::{Failure, PATIENCE, Path, T1, T2, Timer};

use std::collections::VecDeque;

use bytes::Bytes;
use machine::{Effect, Event};
use rustc_hash::FxHashMap;

use super::message::{Message, Method};
use crate::control::time::{Deadlines, Time};
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Transmit};

/// Max-Forwards of what we send ourselves.
pub const MAX_FORWARDS: u32 = 70;
/// So many forks of one INVITE are told apart.
pub const MAX_FORKS: usize = 16;

/// What a client transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The INVITE that makes the leg.
    Invite(LegId),
    /// A re-INVITE with a new offer.
    Reoffer(LegId),
    /// A re-INVITE or UPDATE that keeps the session alive.
    Refresh(LegId),
    /// BYE.
    Bye(LegId),
    /// REFER.
    Refer(LegId),
    /// INFO or NOTIFY: a 481 or silence says that the peer is gone.
    Tell(LegId),
    /// REGISTER number so-and-so of ours.
    Register(u32),
    /// OPTIONS to far end number so-and-so.
    Check(u32),
    /// NOTIFY of the subscription with this tag of ours.
    Lamp(u64),
    /// MESSAGE that hands the text on which came with this tag of ours.
    Page(u64),
    /// CANCEL, or BYE to a surplus fork: its outcome is nobody's.
    Stray,
}

impl Purpose {
    /// The same, for the leg's new name.
    fn renamed(self, old: LegId, new: LegId) -> Purpose {
        let named = |leg: LegId| if leg == old { new } else { leg };
        match self {
            Purpose::Invite(leg) => Purpose::Invite(named(leg)),
            Purpose::Reoffer(leg) => Purpose::Reoffer(named(leg)),
            Purpose::Refresh(leg) => Purpose::Refresh(named(leg)),
            Purpose::Bye(leg) => Purpose::Bye(named(leg)),
            Purpose::Refer(leg) => Purpose::Refer(named(leg)),
            Purpose::Tell(leg) => Purpose::Tell(named(leg)),
            Purpose::Register(_) | Purpose::Check(_) | Purpose::Lamp(_) | Purpose::Page(_) | Purpose::Stray => self,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Machine {
    InviteClient(invite_client::State),
    InviteServer(invite_server::State),
    Client(client::State),
    Server(server::State),
}

impl Machine {
    fn step(self, event: Event, path: Path, out: &mut Vec<Effect>) -> Option<Machine> {
        match self {
            Machine::InviteClient(state) => invite_client::step(state, event, path, out).map(Machine::InviteClient),
            Machine::InviteServer(state) => invite_server::step(state, event, path, out).map(Machine::InviteServer),
            Machine::Client(state) => client::step(state, event, path, out).map(Machine::Client),
            Machine::Server(state) => server::step(state, event, path, out).map(Machine::Server),
        }
    }
}

/// One transaction.
#[derive(Debug)]
struct Slot {
    machine: Machine,
    flow: Flow,
    /// The last message of ours: a client's request or ACK, a server's response (empty before the first).
    last: Bytes,
    purpose: Purpose,
    /// A server INVITE's fingerprint by Call-ID, From tag and CSeq, to see a merged request (RFC 3261 §8.2.2.2).
    merge: u64,
    /// ACKs of the 200s by To tag, each sent again when its 200 comes again.
    acks: Vec<(Bytes, Transmit)>,
}

/// A response that our core must see.
#[derive(Debug, Clone)]
pub struct Passed {
    /// What the request was for.
    pub purpose: Purpose,
    /// The request as it was sent.
    pub request: Bytes,
}

/// A transaction that failed by itself.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// Which.
    pub key: Key,
    /// What it was for; [`Purpose::Stray`] for a server's.
    pub purpose: Purpose,
    /// Why.
    pub failure: Failure,
}

/// All transactions of an endpoint.
#[derive(Debug, Default)]
pub struct Transactions {
    slots: FxHashMap<Key, Slot>,
    merged: FxHashMap<u64, Key>,
    timers: Deadlines<(Key, Timer)>,
    effects: Vec<Effect>,
}

/// What one step left for the core.
#[derive(Debug, Default)]
struct Left {
    passed: bool,
    failure: Option<Failure>,
}

fn path(flow: &Flow) -> Path {
    if flow.transport.is_reliable() { Path::Reliable } else { Path::Unreliable }
}

impl Transactions {
    /// What is under way for the leg `old` is for `new` from here on. Looks at all transactions: for rare events only.
    pub fn rename(&mut self, old: LegId, new: LegId) {
        let concerned = |slot: &Slot| slot.purpose.renamed(old, new) != slot.purpose;
        let mut keys: Vec<Key> = self.slots.iter().filter(|(_, slot)| concerned(slot)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.purpose = slot.purpose.renamed(old, new);
            }
        }
    }

    /// Is there a transaction of this key?
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.slots.contains_key(&key)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// When the next timer fires.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Did another request with the same `merge` fingerprint begin a transaction that still lives?
    #[must_use]
    pub fn is_merged(&self, merge: u64, key: Key) -> bool {
        self.merged.get(&merge).is_some_and(|other| *other != key)
    }

    /// A new request: its server transaction begins; the core answers with [`Transactions::respond`].
    pub fn open_server(&mut self, key: Key, method: Method, flow: Flow, merge: u64) {
        let machine = match method {
            Method::Invite => Machine::InviteServer(invite_server::State::Proceeding),
            _ => Machine::Server(server::State::Trying),
        };
        self.merged.insert(merge, key);
        self.slots.insert(key, Slot { machine, flow, last: Bytes::new(), purpose: Purpose::Stray, merge, acks: Vec::new() });
    }

    /// Nothing of this transaction is kept: its answer goes out without it.
    pub fn forget(&mut self, key: Key) {
        self.end(key);
    }

    /// The request of `key` came again.
    pub fn request_again(&mut self, now: Time, key: Key, out: &mut VecDeque<Transmit>) {
        self.step(now, key, Event::Request, None, out);
    }

    /// An ACK that matches an INVITE's transaction; true when it ended there and is not for the core.
    pub fn ack(&mut self, now: Time, key: Key, out: &mut VecDeque<Transmit>) -> bool {
        self.has(key) && !self.step(now, key, Event::Ack, None, out).passed
    }

    /// Our core's response, provisional or final; a repeated 200 to INVITE is sent again.
    pub fn respond(&mut self, now: Time, key: Key, status: u16, bytes: Bytes, out: &mut VecDeque<Transmit>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.last = bytes;
        self.step(now, key, Event::Respond(status), None, out);
        if let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.machine == Machine::InviteServer(invite_server::State::Accepted)) {
            // Our core sends a 200 again: it is kept there until the ACK comes, and here it would be for half a minute.
            slot.last = Bytes::new();
        }
    }

    /// Sends a request as a new client transaction.
    pub fn open_client(&mut self, now: Time, key: Key, method: Method, request: Transmit, purpose: Purpose, out: &mut VecDeque<Transmit>) {
        let Transmit { flow, bytes } = request;
        let mut effects = std::mem::take(&mut self.effects);
        let machine = match method {
            Method::Invite => Machine::InviteClient(invite_client::start(path(&flow), &mut effects)),
            _ => Machine::Client(client::start(path(&flow), &mut effects)),
        };
        self.slots.insert(key, Slot { machine, flow, last: bytes, purpose, merge: 0, acks: Vec::new() });
        self.apply(now, key, &mut effects, None, out);
        self.effects = effects;
    }

    /// What comes of this request is nobody's any more.
    pub fn disown(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.purpose = Purpose::Stray;
        }
    }

    /// A response to one of our requests; `None` when it is a stray or ends here.
    pub fn response(&mut self, now: Time, key: Key, response: &Message, out: &mut VecDeque<Transmit>) -> Option<Passed> {
        let slot = self.slots.get(&key)?;
        let passed = Passed { purpose: slot.purpose, request: slot.last.clone() };
        let left = self.step(now, key, Event::Response(response.status()), Some(response), out);
        left.passed.then_some(passed)
    }

    /// Keeps the ACK of a 200, sent again whenever that 200 comes again, and sends it now.
    pub fn keep_ack(&mut self, key: Key, tag: Bytes, ack: Transmit, out: &mut VecDeque<Transmit>) {
        if let Some(slot) = self.slots.get_mut(&key)
            && slot.acks.len() < MAX_FORKS
        {
            slot.acks.push((tag, ack.clone()));
        }
        out.push_back(ack);
    }

    /// Was a 200 with this To tag acknowledged before? Then the ACK goes out once more.
    pub fn ack_again(&self, key: Key, tag: &[u8], out: &mut VecDeque<Transmit>) -> bool {
        let known = self.slots.get(&key).and_then(|slot| slot.acks.iter().find(|(known, _)| known == tag));
        out.extend(known.map(|(_, ack)| ack.clone()));
        known.is_some()
    }

    /// Cancels our INVITE (RFC 3261 §9.1): CANCEL goes out with these further lines, and after 64×T1 the INVITE fails by itself.
    pub fn cancel(&mut self, now: Time, (invite, cancel): (Key, Key), lines: &[u8], out: &mut VecDeque<Transmit>) {
        let Some(slot) = self.slots.get(&invite) else { return };
        let Ok(request) = Message::parse(slot.last.clone()) else { return };
        let transmit = Transmit { flow: slot.flow, bytes: request::cancel_of(&request, lines) };
        self.timers.set((invite, Timer::B), now + PATIENCE);
        self.open_client(now, cancel, Method::Cancel, transmit, Purpose::Stray, out);
    }

    /// Fires one due timer; a failure it caused comes back. Call until `None`.
    pub fn timeout(&mut self, now: Time, out: &mut VecDeque<Transmit>) -> Option<Option<Failed>> {
        let (key, timer) = self.timers.pop_due(now)?;
        Some(self.fail_by(now, key, Event::Fired(timer), out))
    }

    /// The stream of `flow` broke: its transactions fail.
    pub fn broken(&mut self, now: Time, flow: Flow, out: &mut VecDeque<Transmit>) -> Vec<Failed> {
        let same = |slot: &Slot| {
            let by_connection = slot.flow.connection.is_none() || slot.flow.connection == flow.connection;
            slot.flow.transport == flow.transport && slot.flow.remote == flow.remote && by_connection
        };
        let mut keys: Vec<Key> = self.slots.iter().filter(|(_, slot)| same(slot)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.fail_by(now, key, Event::Broken, out)).collect()
    }

    fn fail_by(&mut self, now: Time, key: Key, event: Event, out: &mut VecDeque<Transmit>) -> Option<Failed> {
        let purpose = self.slots.get(&key)?.purpose;
        let failure = self.step(now, key, event, None, out).failure?;
        Some(Failed { key, purpose, failure })
    }

    fn step(&mut self, now: Time, key: Key, event: Event, message: Option<&Message>, out: &mut VecDeque<Transmit>) -> Left {
        let Some(slot) = self.slots.get_mut(&key) else {
            return Left::default();
        };
        let mut effects = std::mem::take(&mut self.effects);
        let next = slot.machine.step(event, path(&slot.flow), &mut effects);
        if let Some(machine) = next {
            slot.machine = machine;
        }
        let left = self.apply(now, key, &mut effects, message, out);
        self.effects = effects;
        if next.is_none() {
            self.end(key);
        }
        left
    }

    fn apply(&mut self, now: Time, key: Key, effects: &mut Vec<Effect>, message: Option<&Message>, out: &mut VecDeque<Transmit>) -> Left {
        let mut left = Left::default();
        let Some(slot) = self.slots.get_mut(&key) else { return left };
        for effect in effects.drain(..) {
            match effect {
                Effect::Acknowledge => slot.acknowledge(message, out),
                Effect::Send => slot.send(out),
                Effect::Pass => left.passed = true,
                Effect::Fail(failure) => left.failure = Some(failure),
                Effect::Set(timer, span) => self.timers.set((key, timer), now + span),
                Effect::Clear(timer) => self.timers.clear(&(key, timer)),
            }
        }
        left
    }

    fn end(&mut self, key: Key) {
        use Timer::{A, B, C, D, E, F, G, H, I, J, K, L, M};
        let Some(slot) = self.slots.remove(&key) else { return };
        if self.merged.get(&slot.merge) == Some(&key) {
            self.merged.remove(&slot.merge);
        }
        let timers: &[Timer] = match slot.machine {
            Machine::InviteClient(_) => &[A, B, C, D, M],
            Machine::InviteServer(_) => &[G, H, I, L],
            Machine::Client(_) => &[E, F, K],
            Machine::Server(_) => &[J],
        };
        for timer in timers {
            self.timers.clear(&(key, *timer));
        }
    }
}

impl Slot {
    fn send(&self, out: &mut VecDeque<Transmit>) {
        if !self.last.is_empty() {
            out.push_back(Transmit { flow: self.flow, bytes: self.last.clone() });
        }
    }

    /// The first failure makes the ACK from the INVITE; a repeated one sends the same ACK.
    fn acknowledge(&mut self, failure: Option<&Message>, out: &mut VecDeque<Transmit>) {
        if !self.last.starts_with(b"ACK ")
            && let Some(failure) = failure
            && let Ok(invite) = Message::parse(self.last.clone())
        {
            self.last = request::ack_of_failure(&invite, failure);
        }
        self.send(out);
    }
}

#[cfg(test)]
mod tests;

//! The door: bytes become messages or are answered here.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use crossbeam_channel::Sender;

use super::{Counts, count};
use crate::control::guard::is_scanner;
use crate::control::sip::endpoint::stateless;
use crate::control::sip::message::{Method, text};
use crate::control::sip::{Malformed, Message, Received};
use crate::control::surface::Input;
use crate::control::words::guard::Fence;
use crate::control::words::sip::{Flow, Located, Transmit, Transport, Whereabouts};
use crate::inlet::Inlet;

/// When a refused caller may try again, in seconds.
const RETRY_AFTER: u32 = 3;

/// Where messages go in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    lanes: Lanes,
    /// Sources that are dropped unread.
    pub(super) fence: Arc<ArcSwap<Fence>>,
    pub(super) counts: Arc<Counts>,
}

/// The ways to the rules. What begins something new has a lane of its own, a short one: when it is full the rules are so busy that a
/// caller would wait too long, and he is told so at once. What belongs to running calls goes by the other, and is taken first.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// Responses, and requests of calls.
    pub running: Inlet<Input>,
    /// Requests that begin something.
    pub fresh: Inlet<Input>,
}

impl From<Sender<Input>> for Lanes {
    fn from(both: Sender<Input>) -> Lanes {
        Lanes { running: both.clone().into(), fresh: both.into() }
    }
}

impl Door {
    pub(super) fn new(lanes: Lanes, counts: Arc<Counts>) -> Door {
        Door { lanes, fence: Arc::default(), counts }
    }

    /// Is what comes from there dropped unread?
    pub(super) fn is_shut(&self, flow: &Flow) -> bool {
        let shut = self.fence.load().shuts_out(flow.remote.ip());
        if shut {
            count(&self.counts.shut_out);
        }
        shut
    }

    /// Takes one message in.
    pub(super) fn enter(&self, flow: Flow, bytes: Bytes) -> Entered {
        if self.is_shut(&flow) {
            return Entered::Nothing;
        }
        match Message::parse(bytes) {
            Ok(message) => self.take(flow, message),
            Err(Malformed { status, why, salvage }) => {
                count(&self.counts.malformed);
                tracing::debug!(remote = %flow.remote, why, "a malformed message");
                // A scanner's own mistakes are not pointed out to it: an answer is what it looks for.
                let salvage = salvage.filter(|message| !is_scanner(message));
                Entered::of(salvage.and_then(|message| answer(&message, flow, status, &why, None)))
            }
        }
    }

    fn take(&self, flow: Flow, message: Message) -> Entered {
        let alias = alias(&flow, &message);
        if !begins_something(&message) {
            self.pass(Input::Sip(Received { flow, message }));
            return Entered::Taken { alias };
        }
        match self.lanes.fresh.try_send(Input::Sip(Received { flow, message })) {
            Ok(()) => {
                count(&self.counts.received);
                Entered::Taken { alias }
            }
            Err(full) => {
                count(&self.counts.refused);
                let Input::Sip(Received { flow, message }) = full.into_inner() else { return Entered::Nothing };
                Entered::of(answer(&message, flow, 503, "", Some(RETRY_AFTER)))
            }
        }
    }

    /// A stream broke: what waits on it fails at once instead of by its timers.
    pub(super) fn broken(&self, flow: Flow) {
        self.pass(Input::SipBroken(flow));
    }

    /// What DNS said. It is waited for, so it must get in: when the rules are busy, a thread of its own waits for room.
    pub(super) fn located(&self, question: Whereabouts, located: Located) {
        if let Err(full) = self.lanes.running.try_send(Input::Located(question, located)) {
            let (inputs, input) = (self.lanes.running.clone(), full.into_inner());
            // Fails only when the rules are gone.
            drop(tokio::task::spawn_blocking(move || drop(inputs.send(input))));
        }
    }

    /// A question that cannot be asked.
    pub(super) fn locate_failed(&self, question: Whereabouts) {
        // The thread of the rules asks: it must not wait for itself. A full inbox here loses the answer and is counted.
        self.pass(Input::Located(question, Located::Failed));
    }

    fn pass(&self, input: Input) {
        let passed = self.lanes.running.try_send(input).is_ok();
        count(if passed { &self.counts.received } else { &self.counts.lost });
    }
}

/// What became of a message at the door.
#[derive(Debug)]
pub(super) enum Entered {
    /// It went in.
    Taken {
        /// The port under which its sender may be reached over the same connection (RFC 5923).
        alias: Option<u16>,
    },
    /// The door itself answers.
    Answered(Transmit),
    /// It is nothing that could be answered.
    Nothing,
}

impl Entered {
    fn of(answer: Option<Transmit>) -> Entered {
        answer.map_or(Entered::Nothing, Entered::Answered)
    }
}

/// A sender who asks to be reached over this connection, and whose address is the one he writes: he cannot claim another's.
fn alias(flow: &Flow, message: &Message) -> Option<u16> {
    if !matches!(flow.transport, Transport::Tcp | Transport::Tls) || !message.is_request() {
        return None;
    }
    let via = message.via()?;
    text::param(via.params, "alias")?;
    let own = std::str::from_utf8(via.host).ok()?.parse() == Ok(flow.remote.ip());
    own.then(|| via.port.unwrap_or_else(|| flow.transport.default_port()))
}

/// A CANCEL goes behind the INVITE that it is about.
fn begins_something(message: &Message) -> bool {
    message.is_request() && message.method() != Method::Ack && message.to().is_some_and(|to| to.tag().is_none())
}

fn answer(message: &Message, flow: Flow, status: u16, reason: &str, retry_after: Option<u32>) -> Option<Transmit> {
    stateless(message, flow, status, reason, retry_after).map(|(flow, bytes)| Transmit { flow, bytes })
}

//! The door: bytes become messages or are answered here.

use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Sender;

use super::{Counts, count};
use crate::control::sip::endpoint::stateless;
use crate::control::sip::message::{Method, text};
use crate::control::sip::{Malformed, Message, Received};
use crate::control::surface::Input;
use crate::control::words::sip::{Flow, Located, Transmit, Transport, Whereabouts};

/// Below this share of free places new calls are refused: the rest is for calls that run.
const RESERVE: usize = 4;
/// When a refused caller may try again, in seconds.
const RETRY_AFTER: u32 = 3;

/// Where messages go in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    inputs: Sender<Input>,
    pub(super) counts: Arc<Counts>,
}

impl Door {
    pub(super) fn new(inputs: Sender<Input>, counts: Arc<Counts>) -> Door {
        Door { inputs, counts }
    }

    /// Takes one message in.
    pub(super) fn enter(&self, flow: Flow, bytes: Bytes) -> Entered {
        match Message::parse(bytes) {
            Ok(message) if self.is_busy() && is_new_call(&message) => {
                count(&self.counts.refused);
                Entered::of(answer(&message, flow, 503, "", Some(RETRY_AFTER)))
            }
            Ok(message) => {
                let alias = alias(&flow, &message);
                self.pass(Input::Sip(Received { flow, message }));
                Entered::Taken { alias }
            }
            Err(Malformed { status, why, salvage }) => {
                count(&self.counts.malformed);
                tracing::debug!(remote = %flow.remote, why, "a malformed message");
                Entered::of(salvage.and_then(|message| answer(&message, flow, status, &why, None)))
            }
        }
    }

    /// A stream broke: what waits on it fails at once instead of by its timers.
    pub(super) fn broken(&self, flow: Flow) {
        self.pass(Input::SipBroken(flow));
    }

    /// What DNS said. It is waited for, so it must get in: when the rules are busy, a thread of its own waits for room.
    pub(super) fn located(&self, question: Whereabouts, located: Located) {
        if let Err(full) = self.inputs.try_send(Input::Located(question, located)) {
            let (inputs, input) = (self.inputs.clone(), full.into_inner());
            // Fails only when the rules are gone.
            drop(tokio::task::spawn_blocking(move || drop(inputs.send(input))));
        }
    }

    /// A question that cannot be asked.
    pub(super) fn locate_failed(&self, question: Whereabouts) {
        // The thread of the rules asks: it must not wait for itself. A full inbox here loses the answer and is counted.
        self.pass(Input::Located(question, Located::Failed));
    }

    fn is_busy(&self) -> bool {
        self.inputs.capacity().is_some_and(|all| self.inputs.len() >= all - all / RESERVE)
    }

    fn pass(&self, input: Input) {
        let passed = self.inputs.try_send(input).is_ok();
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

fn is_new_call(message: &Message) -> bool {
    message.is_request() && message.method() == Method::Invite && message.to().is_some_and(|to| to.tag().is_none())
}

fn answer(message: &Message, flow: Flow, status: u16, reason: &str, retry_after: Option<u32>) -> Option<Transmit> {
    stateless(message, flow, status, reason, retry_after).map(|(flow, bytes)| Transmit { flow, bytes })
}

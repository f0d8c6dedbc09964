//! The door: bytes become messages or are answered here.

use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Sender;

use super::{Counts, count};
use crate::control::sip::endpoint::stateless;
use crate::control::sip::message::Method;
use crate::control::sip::{Malformed, Message, Received};
use crate::control::surface::Input;
use crate::control::words::sip::{Flow, Transmit};

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

    /// Takes one message in; an answer of the door itself comes back.
    pub(super) fn enter(&self, flow: Flow, bytes: Bytes) -> Option<Transmit> {
        match Message::parse(bytes) {
            Ok(message) if self.is_busy() && is_new_call(&message) => {
                count(&self.counts.refused);
                answer(&message, flow, 503, "", Some(RETRY_AFTER))
            }
            Ok(message) => {
                self.pass(Input::Sip(Received { flow, message }));
                None
            }
            Err(Malformed { status, why, salvage }) => {
                count(&self.counts.malformed);
                tracing::debug!(remote = %flow.remote, why, "a malformed message");
                salvage.and_then(|message| answer(&message, flow, status, &why, None))
            }
        }
    }

    /// A stream broke: what waits on it fails at once instead of by its timers.
    pub(super) fn broken(&self, flow: Flow) {
        self.pass(Input::SipBroken(flow));
    }

    fn is_busy(&self) -> bool {
        self.inputs.capacity().is_some_and(|all| self.inputs.len() >= all - all / RESERVE)
    }

    fn pass(&self, input: Input) {
        let passed = self.inputs.try_send(input).is_ok();
        count(if passed { &self.counts.received } else { &self.counts.lost });
    }
}

fn is_new_call(message: &Message) -> bool {
    message.is_request() && message.method() == Method::Invite && message.to().is_some_and(|to| to.tag().is_none())
}

fn answer(message: &Message, flow: Flow, status: u16, reason: &str, retry_after: Option<u32>) -> Option<Transmit> {
    stateless(message, flow, status, reason, retry_after).map(|(flow, bytes)| Transmit { flow, bytes })
}

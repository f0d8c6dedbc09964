//! The door: bytes become a message or an answer that says why not, and a flood stops here.

use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};

use crate::control::sip::Received;
use crate::control::sip::endpoint::stateless;
use crate::control::sip::message::{Malformed, Message, Method};
use crate::control::surface::Input;
use crate::control::words::sip::{Flow, Transmit};

/// The share of the line to the rules that is kept for calls in progress: one in so many.
const RESERVE: usize = 4;
/// What a caller who finds the line full is told to wait, in seconds.
const RETRY_AFTER: u32 = 5;
const FULL: &str = "Service Unavailable";

/// Takes messages in.
#[derive(Debug, Clone)]
pub struct Door {
    inputs: Sender<Input>,
}

impl Door {
    /// A door to the rules; the channel must be bounded.
    pub fn new(inputs: Sender<Input>) -> Door {
        Door { inputs }
    }

    /// Takes one whole message in. What comes back is to be sent at once: a refusal.
    pub fn take(&self, flow: Flow, bytes: Bytes) -> Option<Transmit> {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(malformed) => return refuse_malformed(flow, &malformed),
        };
        if self.is_pressed() && is_new_call(&message) {
            return answer(stateless(&message, flow, 503, FULL, Some(RETRY_AFTER)));
        }
        match self.inputs.try_send(Input::Sip(Received { flow, message })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(from = %flow.remote, "the rules are behind: a message is dropped, its sender will repeat it")
            }
            Err(TrySendError::Disconnected(_)) => tracing::debug!("a message after the end"),
        }
        None
    }

    /// Tells the rules that a stream broke or could not be made.
    pub fn broken(&self, flow: Flow) {
        if self.inputs.try_send(Input::SipBroken(flow)).is_err() {
            tracing::debug!(remote = %flow.remote, "a broken stream is found by its timers");
        }
    }

    fn is_pressed(&self) -> bool {
        let room = self.inputs.capacity().unwrap_or(usize::MAX);
        self.inputs.len() >= room - room / RESERVE
    }
}

/// Only what begins work is refused; what belongs to a call goes in.
fn is_new_call(message: &Message) -> bool {
    message.is_request() && message.method() == Method::Invite && message.to().is_some_and(|to| to.tag().is_none())
}

fn refuse_malformed(flow: Flow, malformed: &Malformed) -> Option<Transmit> {
    tracing::debug!(from = %flow.remote, why = %malformed, "malformed SIP");
    let request = malformed.salvage.as_deref()?;
    answer(stateless(request, flow, malformed.status, &malformed.why, None))
}

fn answer(response: Option<(Flow, Bytes)>) -> Option<Transmit> {
    response.map(|(flow, bytes)| Transmit { flow, bytes })
}

//! From the SIP sockets to whoever plays the phone.

use crossbeam_channel::Receiver;
use tokio::sync::mpsc;

use crate::control::sip::{Endpoint, Received};
use crate::control::surface;
use crate::control::time::Time;
use crate::control::words::sip::{Flow, Located, Whereabouts};

/// What comes from the sockets.
#[derive(Debug)]
pub enum Input {
    /// A SIP message.
    Sip(Received),
    /// A SIP stream broke.
    SipBroken(Flow),
    /// Where a request may go.
    Located(Whereabouts, Located),
}

impl Input {
    /// Gives it to the endpoint.
    pub fn enter(self, now: Time, endpoint: &mut Endpoint) {
        match self {
            Input::Sip(received) => endpoint.receive(now, received),
            Input::SipBroken(flow) => endpoint.broken(now, flow),
            Input::Located(question, located) => endpoint.located(now, question, located),
        }
    }
}

/// Carries it over; ends with the sockets or the reader, whichever goes first, and therefore is not joined.
pub(super) fn forward<I: From<Input>>(messages: &Receiver<surface::Input>, inbox: &mpsc::Sender<I>) {
    for input in messages {
        let input = match input {
            surface::Input::Sip(received) => Input::Sip(received),
            surface::Input::SipBroken(flow) => Input::SipBroken(flow),
            surface::Input::Located(question, located) => Input::Located(question, located),
            _ => continue,
        };
        if inbox.blocking_send(input.into()).is_err() {
            return;
        }
    }
}

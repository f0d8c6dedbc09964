//! Requests of ours that tell the peer something within a call: keys.

use super::Endpoint;
use crate::control::sip::message::Method;
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// How long a key of ours lasts, in milliseconds.
const KEY_MS: u16 = 160;

impl Endpoint {
    /// One key as INFO application/dtmf-relay, for peers without telephone-event.
    pub fn send_key(&mut self, now: Time, leg: LegId, key: char) {
        if self.is_up(leg) {
            let body = format!("Signal={key}\r\nDuration={KEY_MS}\r\n");
            self.send_within(now, leg, Method::Info, Purpose::Tell(leg), |writer| writer.body("application/dtmf-relay", body.as_bytes()));
        }
    }
}

//! Requests of ours within a call that tell the peer something, or ask whether he is still there: keys, OPTIONS.

use super::{Endpoint, SDP};
use crate::control::sip::message::Method;
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// How long a key of ours lasts, in milliseconds.
const KEY_MS: u16 = 160;

impl Endpoint {
    /// Asks the peer by OPTIONS whether he is still there: when he does not answer, or knows nothing of the call, it is `Lost`.
    pub fn ask_whether_there(&mut self, now: Time, leg: LegId) {
        if self.is_up(leg) {
            self.send_within(now, leg, Method::Options, Purpose::Tell(leg), |mut writer| {
                writer.raw("Accept", SDP.as_bytes());
                writer.finish()
            });
        }
    }

    /// One key as INFO application/dtmf-relay, for peers without telephone-event.
    pub fn send_key(&mut self, now: Time, leg: LegId, key: char) {
        if self.is_up(leg) {
            let body = format!("Signal={key}\r\nDuration={KEY_MS}\r\n");
            self.send_within(now, leg, Method::Info, Purpose::Tell(leg), |writer| writer.body("application/dtmf-relay", body.as_bytes()));
        }
    }
}

//! Requests of ours that tell the peer something within a call: keys, transfers and their progress.

use super::Endpoint;
use super::leg::Stage;
use crate::control::sip::message::{Method, Writer, reason_of};
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// How long a key of ours lasts, in milliseconds.
const KEY_MS: u16 = 160;
/// How long a transfer's subscription stands, in seconds.
const SUBSCRIPTION: u16 = 180;

impl Endpoint {
    /// One key as INFO application/dtmf-relay, for peers without telephone-event.
    pub fn send_key(&mut self, now: Time, leg: LegId, key: char) {
        if self.is_up(leg) {
            let body = format!("Signal={key}\r\nDuration={KEY_MS}\r\n");
            self.send_within(now, leg, Method::Info, Purpose::Tell(leg), |writer| writer.body("application/dtmf-relay", body.as_bytes()));
        }
    }

    /// REFER in the dialog: asks the peer to call `to`; `TransferProgress` reports what its NOTIFYs say.
    pub fn refer(&mut self, now: Time, leg: LegId, to: &str) {
        if self.is_up(leg) {
            self.send_within(now, leg, Method::Refer, Purpose::Refer(leg), |mut writer: Writer| {
                writer.header("Refer-To", &format!("<{to}>"));
                writer.finish()
            });
        }
    }

    /// NOTIFY with a sipfrag of the status of the transfer asked for by `Referred`; a final status ends the subscription (RFC 3515).
    pub fn notify_refer(&mut self, now: Time, leg: LegId, status: u16) {
        if !matches!(self.calls.legs.get(&leg).map(|leg| &leg.stage), Some(Stage::Up)) {
            return;
        }
        let state = if status < 200 { format!("active;expires={SUBSCRIPTION}") } else { "terminated;reason=noresource".to_owned() };
        let body = format!("SIP/2.0 {status} {}\r\n", reason_of(status));
        self.send_within(now, leg, Method::Notify, Purpose::Tell(leg), |mut writer: Writer| {
            writer.raw("Event", b"refer").raw("Subscription-State", state.as_bytes());
            writer.body("message/sipfrag;version=2.0", body.as_bytes())
        });
    }
}

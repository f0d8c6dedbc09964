//! The endpoint speaks SIP for the center: it owns transactions, dialogs and registrations and tells its owner only what happened.
//!
//! `receive` and the verbs put messages into the outbox ([`Endpoint::poll_transmit`]) and news into the inbox ([`Endpoint::poll_happening`]);
//! the owner drains both after every call. A verb on an unknown or ended leg does nothing.

mod settings;

pub use settings::{Accepting, Contact, Counts, Limits, Outgoing, Registration, Settings};

use std::collections::VecDeque;

use bytes::Bytes;

use super::Received;
use super::happening::Happening;
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Transmit};

/// SIP for one user agent: the center, a phone, or a simulated phone.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
    accepting: Accepting,
    outbox: VecDeque<Transmit>,
    inbox: VecDeque<Happening>,
}

impl Endpoint {
    /// An endpoint that repeats itself exactly for the same seed and inputs.
    #[must_use]
    pub fn new(_now: Time, seed: u64, settings: Settings) -> Endpoint {
        Endpoint {
            settings,
            random: Random::new(seed),
            accepting: Accepting::All,
            outbox: VecDeque::new(),
            inbox: VecDeque::new(),
        }
    }

    /// Takes new settings; running calls and bindings stay.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// A message from the wire.
    pub fn receive(&mut self, _now: Time, _received: Received) {}

    /// The stream connection of `flow` broke or could not be made: transactions that wait on it fail (RFC 3261 §17.1.4).
    pub fn broken(&mut self, _now: Time, _flow: Flow) {}

    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Time) {}

    /// When `handle_timeout` is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    /// The next news for the owner.
    pub fn poll_happening(&mut self) -> Option<Happening> {
        self.inbox.pop_front()
    }

    /// A fresh leg id, for an outgoing leg whose owner has no generator of his own.
    pub fn new_leg(&mut self, now: Time) -> LegId {
        LegId::new(now, &mut self.random)
    }

    /// Places a call. Ends in `Answered`, `Refused` or `Lost`; 401/407 with credentials and forks are dealt with inside.
    pub fn invite(&mut self, _now: Time, _leg: LegId, _outgoing: Outgoing) {}

    /// 180 or 183 to a call that came in, with early media when `sdp` is given.
    pub fn ring(&mut self, _now: Time, _leg: LegId, _status: u16, _sdp: Option<Bytes>) {}

    /// 200 to a call that came in, with the answer, or our offer when the call came without one.
    pub fn answer(&mut self, _now: Time, _leg: LegId, _sdp: Bytes) {}

    /// A final failure 300..=699 to a call that came in; `headers` such as Retry-After, Warning or Contact. The leg is over.
    pub fn refuse(&mut self, _now: Time, _leg: LegId, _status: u16, _headers: &[(&str, &str)]) {}

    /// Sends a re-INVITE with a new offer; `Reanswered` or `ReofferFailed` follows. Glare (491) is retried inside (RFC 3261 §14.1).
    pub fn reoffer(&mut self, _now: Time, _leg: LegId, _sdp: Bytes) {}

    /// 200 to the peer's re-INVITE or UPDATE (`Offered`), with the answer, or our offer when there was none.
    pub fn answer_offer(&mut self, _now: Time, _leg: LegId, _sdp: Bytes) {}

    /// A failure to the peer's re-INVITE or UPDATE; the session goes on as it was.
    pub fn refuse_offer(&mut self, _now: Time, _leg: LegId, _status: u16, _headers: &[(&str, &str)]) {}

    /// Ends the leg by whatever fits its state: 480, CANCEL, ACK+BYE, BYE. Safe always. A call we placed and that is not
    /// answered yet still ends in `Refused` (487); every other leg is over at once and nothing more is said of it.
    pub fn hang_up(&mut self, _now: Time, _leg: LegId, _headers: &[(&str, &str)]) {}

    /// One key as INFO application/dtmf-relay, for peers without telephone-event.
    pub fn send_key(&mut self, _now: Time, _leg: LegId, _key: char) {}

    /// REFER in the dialog: asks the peer to call `to`; `TransferProgress` reports what its NOTIFYs say.
    pub fn refer(&mut self, _now: Time, _leg: LegId, _to: &str) {}

    /// NOTIFY with a sipfrag of the status of the transfer asked for by `Referred`; a final status ends the subscription (RFC 3515).
    pub fn notify_refer(&mut self, _now: Time, _leg: LegId, _status: u16) {}

    /// Contacts that stand for a user, the freshest first.
    #[must_use]
    pub fn contacts(&self, _now: Time, _user: &str) -> Vec<Contact> {
        Vec::new()
    }

    /// Registers with a registrar and refreshes by itself; `SignedOn` or `SignOnFailed` follows each time.
    pub fn register(&mut self, _now: Time, _registration: Registration) {}

    /// Takes our binding of this user back.
    pub fn unregister(&mut self, _now: Time, _user: &str) {}

    /// Whether new calls are taken from here on.
    pub fn set_accepting(&mut self, accepting: Accepting) {
        self.accepting = accepting;
    }

    /// What is open now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}

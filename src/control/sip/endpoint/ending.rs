//! The end of a leg by our owner's wish.

use bytes::Bytes;

use super::leg::{Alarm, Exchange, Stage};
use super::{Endpoint, put_headers};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name, Writer, text};
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// A longer Reason is not passed on, in bytes.
const LONGEST_REASON: usize = 256;

/// What a hang-up finds.
enum Found {
    Ringing,
    Calling,
    /// The 200 waits for its ACK: BYE must wait too (RFC 3261 §15).
    Unacknowledged,
    Up,
}

impl Endpoint {
    /// Ends the leg by whatever fits its state: 480, CANCEL, ACK+BYE, BYE. Safe always. A call we placed and that is not
    /// answered yet still ends in `Refused` (487); every other leg is over at once and nothing more is said of it.
    pub fn hang_up(&mut self, now: Time, leg: LegId, headers: &[(&str, &str)]) {
        self.acknowledge_with(now, leg, Bytes::new());
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        if state.leaving.is_some() {
            return;
        }
        let found = match &state.stage {
            Stage::Incoming(_) => Found::Ringing,
            Stage::Calling(_) => Found::Calling,
            Stage::Up if state.unacked.as_ref().is_some_and(|unacked| unacked.which == super::leg::Which::First) => Found::Unacknowledged,
            Stage::Up => Found::Up,
            Stage::Ending => return,
        };
        state.leaving = Some(header_lines(headers));
        match found {
            Found::Ringing => self.refuse(now, leg, 480, headers),
            Found::Calling => self.cancel(now, leg),
            Found::Unacknowledged => {}
            Found::Up => self.send_bye(now, leg),
        }
    }

    /// What the peer says of why he ends the leg goes before the news of it.
    pub(super) fn tell_reason(&mut self, leg: LegId, message: &Message) {
        let values: Vec<_> = message.headers(Name::Reason).map(text::lossy).collect();
        let reason = values.join(", ");
        if (1..=LONGEST_REASON).contains(&reason.len()) {
            self.inbox.push_back(Happening::Because { leg, reason });
        }
    }

    pub(super) fn send_bye(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.stage = Stage::Ending;
        leg.unacked = None;
        leg.next_offer = None;
        let exchange = std::mem::replace(&mut leg.exchange, Exchange::Idle);
        let lines = leg.leaving.get_or_insert_default().clone();
        for alarm in [Alarm::Answer, Alarm::Glare, Alarm::Refresh, Alarm::Silence] {
            self.calls.alarms.clear(&(id, alarm));
        }
        self.terminate_pending(now, &exchange);
        self.send_within(now, id, Method::Bye, Purpose::Bye(id), |mut writer: Writer| {
            writer.lines(&lines);
            writer.finish()
        });
    }

    /// Any final answer to BYE ends the leg, but a challenge is met first.
    pub(super) fn on_bye_answered(&mut self, now: Time, id: LegId, messages: (&Message, &Message)) {
        let (request, response) = messages;
        if !self.prove_again(now, id, Purpose::Bye(id), request, response) {
            self.forget(id);
        }
    }
}

/// Header lines kept for a BYE that cannot go out yet; cleaned as [`put_headers`] does it.
fn header_lines(headers: &[(&str, &str)]) -> Bytes {
    if headers.is_empty() {
        return Bytes::new();
    }
    let mut writer = Writer::response(200, "");
    let before = writer.written();
    put_headers(&mut writer, headers);
    writer.since(before)
}

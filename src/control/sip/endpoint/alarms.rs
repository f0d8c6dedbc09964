//! The legs' own timers.

use super::Endpoint;
use super::leg::{Alarm, Stage};
use super::ringing::STILL_RINGING;
use crate::control::time::Time;
use crate::control::words::LegId;

impl Endpoint {
    pub(super) fn on_alarm(&mut self, now: Time, id: LegId, alarm: Alarm) {
        match alarm {
            Alarm::Answer => self.answer_again(now, id),
            Alarm::Provisional => self.ring_again(now, id),
            Alarm::Glare => self.offer_again(now, id),
            Alarm::Refresh => self.refresh(now, id),
            Alarm::Reliable => self.ring_reliably_again(now, id),
            Alarm::Silence => self.lose(now, id, "the session timer ran out"),
        }
    }

    fn ring_again(&mut self, now: Time, id: LegId) {
        let Some(Stage::Incoming(incoming)) = self.calls.legs.get(&id).map(|leg| &leg.stage) else { return };
        let (status, bytes) = incoming.provisional.clone().unwrap_or_else(|| (100, incoming.reply.begin(100, "").finish()));
        let key = incoming.reply.key;
        self.respond(now, key, status, bytes);
        self.calls.alarms.set((id, Alarm::Provisional), now + STILL_RINGING);
    }
}

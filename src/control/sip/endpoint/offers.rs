//! Our own offers within a call, glare, and the session timer's refreshes.

use std::time::Duration;

use bytes::Bytes;

use super::leg::{Alarm, Exchange, Stage};
use super::{ABILITIES, Endpoint, SDP};
use crate::control::sip::dialog::Placed;
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name, Writer};
use crate::control::sip::session_timer::{Refresher, SessionTimer};
use crate::control::sip::transaction::Purpose;
use crate::control::time::Time;
use crate::control::words::LegId;

/// The steps of the glare wait (RFC 3261 §14.1).
const GLARE_STEP: Duration = Duration::from_millis(10);
/// The owner of the Call-ID waits 2.1 to 4 s, in steps.
const GLARE_OWNER: (u64, u64) = (210, 190);
/// The other side waits up to 2 s, in steps.
const GLARE_OTHER: (u64, u64) = (0, 200);

/// A Retry-After of nothing is no wait, and one above this is a refusal (the RFC itself says up to 10 s).
const NOT_AT_ONCE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

impl Endpoint {
    /// Sends the offer that waits, when nothing else is under way.
    pub(super) fn offer_next(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let free = matches!(leg.stage, Stage::Up) && matches!(leg.exchange, Exchange::Idle) && leg.unacked.is_none();
        if !free || leg.leaving.is_some() {
            return;
        }
        if let Some(sdp) = leg.next_offer.take() {
            self.send_offer(now, id, sdp, Purpose::Reoffer(id));
        }
    }

    fn send_offer(&mut self, now: Time, id: LegId, sdp: Bytes, purpose: Purpose) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.exchange = Exchange::Ours(sdp.clone());
        if matches!(purpose, Purpose::Reoffer(_)) {
            leg.last_sdp = sdp.clone();
        }
        let timer = self.timer_line(id);
        self.send_within(now, id, Method::Invite, purpose, |mut writer: Writer| {
            writer.lines(ABILITIES).lines(timer.as_bytes());
            writer.body(SDP, &sdp)
        });
    }

    /// What our refreshes say of the session timer; empty without one.
    fn timer_line(&self, id: LegId) -> String {
        self.calls.legs.get(&id).and_then(|leg| leg.timer).map_or_else(String::new, |timer| {
            let refresher = if timer.refresher == Refresher::We { "uac" } else { "uas" };
            format!("Session-Expires: {};refresher={refresher}\r\n", timer.seconds)
        })
    }

    /// Both sides offered at once: ours goes out again after a wait by chance.
    pub(super) fn on_glare(&mut self, now: Time, id: LegId, purpose: Purpose) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        if purpose == Purpose::Refresh(id) {
            leg.exchange = Exchange::Idle;
            self.calls.alarms.set((id, Alarm::Refresh), now + GLARE_STEP * 400);
            return self.offer_next(now, id);
        }
        let Exchange::Ours(sdp) = std::mem::replace(&mut leg.exchange, Exchange::Idle) else { return };
        leg.exchange = Exchange::Glare(sdp);
        let (least, more) = if leg.dialog.placed_by == Placed::ByUs { GLARE_OWNER } else { GLARE_OTHER };
        let steps = u32::try_from(least + self.random.below(more + 1)).unwrap_or(0);
        self.calls.alarms.set((id, Alarm::Glare), now + GLARE_STEP * steps);
    }

    /// The peer's own offer is under way and he says when ours may come again (RFC 3261 §14.2).
    pub(super) fn offer_later(&mut self, now: Time, id: LegId, purpose: Purpose, response: &Message) -> bool {
        let wait = response.number(Name::RetryAfter).map(|seconds| Duration::from_secs(u64::from(seconds)));
        let Some(wait) = wait.filter(|wait| *wait <= SOON && purpose == Purpose::Reoffer(id)) else { return false };
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Exchange::Ours(sdp) = std::mem::replace(&mut leg.exchange, Exchange::Idle) else { return false };
        leg.exchange = Exchange::Glare(sdp);
        self.calls.alarms.set((id, Alarm::Glare), now + wait.max(NOT_AT_ONCE));
        true
    }

    /// The second try after glare; a newer wish of the owner goes first.
    pub(super) fn offer_again(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        if let Exchange::Glare(sdp) = std::mem::replace(&mut leg.exchange, Exchange::Idle) {
            leg.next_offer.get_or_insert(sdp);
        }
        self.offer_next(now, id);
    }

    /// Sets the alarms of the session timer as agreed now.
    pub(super) fn watch_session(&mut self, now: Time, id: LegId) {
        self.calls.alarms.clear(&(id, Alarm::Refresh));
        self.calls.alarms.clear(&(id, Alarm::Silence));
        let Some(timer) = self.calls.legs.get(&id).filter(|leg| matches!(leg.stage, Stage::Up)).and_then(|leg| leg.timer) else { return };
        self.calls.alarms.set((id, Alarm::Silence), now + timer.gives_up_after());
        if let Some(span) = timer.refresh_after() {
            self.calls.alarms.set((id, Alarm::Refresh), now + span);
        }
    }

    /// Keeps the session alive: UPDATE without an offer where the peer allows it, else the last offer again.
    pub(super) fn refresh(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get(&id) else { return };
        if !self.is_up(id) || !matches!(leg.exchange, Exchange::Idle) || leg.unacked.is_some() {
            // Something else is under way, which refreshes too; if it fails, the next try is soon enough.
            return self.calls.alarms.set((id, Alarm::Refresh), now + Duration::from_secs(10));
        }
        if leg.refresh_by == Method::Update {
            let timer = self.timer_line(id);
            self.send_within(now, id, Method::Update, Purpose::Refresh(id), |mut writer: Writer| {
                writer.lines(ABILITIES).lines(timer.as_bytes());
                writer.finish()
            });
        } else {
            let sdp = leg.last_sdp.clone();
            self.send_offer(now, id, sdp, Purpose::Refresh(id));
        }
    }

    /// 422 to an offer or refresh of ours: it goes out again with the interval that the peer insists on.
    pub(super) fn refresh_longer(&mut self, now: Time, id: LegId, purpose: Purpose, response: &Message) -> bool {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Some(timer) = leg.timer.as_mut() else { return false };
        let Some(least) = SessionTimer::insisted(response, timer.seconds) else { return false };
        timer.seconds = least;
        match std::mem::replace(&mut leg.exchange, Exchange::Idle) {
            Exchange::Ours(sdp) if purpose == Purpose::Reoffer(id) => {
                leg.next_offer.get_or_insert(sdp);
                self.offer_next(now, id);
            }
            // An UPDATE left the peer's own offer where it was.
            theirs @ Exchange::Theirs(_) => leg.exchange = theirs,
            _ => self.refresh(now, id),
        }
        true
    }

    /// The peer is gone: the owner is told once, and a BYE goes out in case he is not.
    pub(super) fn lose(&mut self, now: Time, id: LegId, why: &'static str) {
        let Some(leg) = self.calls.legs.get(&id) else { return };
        match leg.stage {
            Stage::Up => {
                if leg.leaving.is_none() {
                    self.inbox.push_back(Happening::Lost { leg: id, why });
                }
                self.send_bye(now, id);
            }
            // Its own end is under way.
            Stage::Ending | Stage::Calling(_) | Stage::Incoming(_) => {}
        }
    }
}

//! Responses to our requests, and requests of ours that failed by themselves.

use super::Endpoint;
use super::leg::{Exchange, Stage};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Name};
use crate::control::sip::transaction::{Failed, Failure, Key, Passed, Purpose};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::Flow;

impl Endpoint {
    pub(super) fn on_response(&mut self, now: Time, flow: Flow, response: &Message) {
        if response.values(Name::Via).count() != 1 {
            // Meant for another: ours comes back with our Via alone (RFC 3261 §8.1.3.3).
            return;
        }
        let Some(key) = self.keys.response(response) else { return };
        let Some(Passed { purpose, request }) = self.transactions.response(now, key, response, &mut self.outbox) else { return };
        let Ok(request) = Message::parse(request) else { return };
        let messages = (&request, response);
        if self.heard_from(now, key, response) {
            return;
        }
        match (purpose, response.status()) {
            (Purpose::Invite(leg), status @ (..=199 | 300..)) if !self.is_calling_by(leg, key) => {
                self.late_answer(now, key, &request, status)
            }
            (Purpose::Invite(leg), ..=199) => self.on_progress(now, leg, flow, response),
            (Purpose::Invite(leg), 200..=299) => self.on_accepted(now, key, leg, flow, messages),
            (Purpose::Invite(leg), _) => self.on_refused(now, leg, &request, response),
            (Purpose::Reoffer(leg) | Purpose::Refresh(leg), status) => self.on_reoffered(now, key, leg, purpose, messages, status),
            (_, ..=199) | (Purpose::Stray, _) => {}
            (Purpose::Bye(leg), _) => self.on_bye_answered(now, leg, messages),
            (Purpose::Refer(leg), status) => self.on_told(now, leg, purpose, messages, status),
            (Purpose::Tell(leg), status) => self.on_told(now, leg, purpose, messages, status),
            (Purpose::Lamp(watch), status) => self.on_notified(now, watch, Some(status)),
            (Purpose::Page(page), status) => self.on_paged(now, page, status),
            (Purpose::Check(number), status) => self.on_checked(now, number, Some(status)),
            (Purpose::Register(number), _) => self.on_enrolled(now, number, &request, response),
        }
        if response.status() >= 200 {
            self.arrived(key);
        }
    }

    /// An answer to our re-INVITE, or to the UPDATE that keeps the session alive.
    fn on_reoffered(&mut self, now: Time, key: Key, id: LegId, purpose: Purpose, messages: (&Message, &Message), status: u16) {
        let (request, response) = messages;
        let tag = response.to().and_then(|to| to.tag()).unwrap_or_default();
        match status {
            ..=199 => {}
            200..=299 if self.transactions.ack_again(key, tag, &mut self.outbox) => {}
            200..=299 => self.on_reaccepted(now, key, id, purpose, messages),
            481 | 408 => self.lose(now, id, "a request in the dialog found nobody"),
            491 => self.on_glare(now, id, purpose),
            _ if self.prove_again(now, id, purpose, request, response) => {}
            422 if self.refresh_longer(now, id, purpose, response) => {}
            500 | 503 if self.offer_later(now, id, purpose, response) => {}
            _ => self.on_reoffer_failed(now, id, purpose, status),
        }
    }

    fn on_reaccepted(&mut self, now: Time, key: Key, id: LegId, purpose: Purpose, messages: (&Message, &Message)) {
        let (request, response) = messages;
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.dialog.refresh_target(response);
        leg.timer = crate::control::sip::session_timer::SessionTimer::granted(response).or(leg.timer);
        if let Some(login) = &mut leg.login {
            login.tries = 0;
        }
        let dialog = leg.dialog.clone();
        let offered = matches!(std::mem::replace(&mut leg.exchange, Exchange::Idle), Exchange::Ours(_));
        if request.method() == crate::control::sip::message::Method::Invite {
            let tag = response.to().and_then(|to| to.tag()).unwrap_or_default();
            self.acknowledge(now, key, &dialog, (request, tag), &[]);
        }
        let wanted = offered && matches!(purpose, Purpose::Reoffer(_)) && self.is_up(id);
        match response.sdp() {
            Some(sdp) if wanted => self.inbox.push_back(Happening::Reanswered { leg: id, sdp }),
            None if wanted => self.inbox.push_back(Happening::ReofferFailed { leg: id, status: response.status() }),
            _ => {}
        }
        self.watch_session(now, id);
        self.offer_next(now, id);
    }

    fn on_reoffer_failed(&mut self, now: Time, id: LegId, purpose: Purpose, status: u16) {
        let up = self.is_up(id);
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.exchange = Exchange::Idle;
        if up && matches!(purpose, Purpose::Reoffer(_)) {
            self.inbox.push_back(Happening::ReofferFailed { leg: id, status });
        }
        self.offer_next(now, id);
    }

    /// An answer to REFER, INFO or NOTIFY.
    fn on_told(&mut self, now: Time, id: LegId, purpose: Purpose, messages: (&Message, &Message), status: u16) {
        match status {
            ..=299 => {}
            // A NOTIFY that finds no subscription says nothing of the call (RFC 6665 §4.1.2.2).
            481 | 408 if messages.0.header(Name::Event).is_some() => {}
            481 | 408 => self.lose(now, id, "a request in the dialog found nobody"),
            _ if self.prove_again(now, id, purpose, messages.0, messages.1) => {}
            _ if matches!(purpose, Purpose::Refer(_)) => self.inbox.push_back(Happening::TransferProgress { leg: id, status }),
            _ => {}
        }
    }

    /// One of our transactions failed without an answer.
    pub(super) fn on_failed(&mut self, now: Time, failed: Failed) {
        if failed.failure != Failure::RangTooLong && self.go_on(now, failed.key, None) {
            return;
        }
        let status = if failed.failure == Failure::Broken { 503 } else { 408 };
        match failed.purpose {
            Purpose::Invite(id) if failed.failure == Failure::RangTooLong => {
                if let Some(leg) = self.calls.legs.get_mut(&id) {
                    leg.leaving.get_or_insert_default();
                }
                self.cancel(now, id);
            }
            Purpose::Invite(id) => {
                if self.is_calling_by(id, failed.key)
                    && let Some(leg) = self.forget(id)
                {
                    let status = if leg.leaving.is_some() { 487 } else { status };
                    self.inbox.push_back(Happening::Refused { leg: id, status });
                }
            }
            Purpose::Bye(id) => drop(self.forget(id)),
            Purpose::Refresh(_) if failed.failure == Failure::RangTooLong => {}
            Purpose::Reoffer(id) | Purpose::Refresh(id) | Purpose::Tell(id) | Purpose::Refer(id) => {
                self.lose(now, id, "a request in the dialog was not answered");
            }
            Purpose::Register(number) => self.on_enrol_failed(now, number, status),
            Purpose::Lamp(watch) => self.on_notified(now, watch, None),
            Purpose::Page(page) => self.on_paged(now, page, status),
            Purpose::Check(number) => self.on_checked(now, number, None),
            Purpose::Stray => {}
        }
    }

    pub(super) fn is_calling_by(&self, id: LegId, key: Key) -> bool {
        matches!(self.calls.legs.get(&id).map(|leg| &leg.stage), Some(Stage::Calling(calling)) if calling.key == key)
    }

    pub(super) fn is_up(&self, id: LegId) -> bool {
        self.calls.legs.get(&id).is_some_and(|leg| matches!(leg.stage, Stage::Up) && leg.leaving.is_none())
    }
}

//! Lamps on phones: who subscribes to somebody's dialogs (RFC 6665, RFC 4235) is told whether he is on the phone.
//!
//! The owner says whose lamp it is and how it stands. A subscription ends with its time, by its phone, or when a NOTIFY is refused or
//! finds nobody; it is short, so that phones come back soon after a restart of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::door::{Stop, asked_for, no_such_event};
use super::leg::{Leg, Stage};
use super::reply::Reply;
use super::{Endpoint, tag_number, tag_text};
use crate::control::sip::dialog::{Dialog, Placed};
use crate::control::sip::dialog_info::{Lamp, MIME, Names, Phase, clean, described};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name, text};
use crate::control::sip::transaction::Purpose;
use crate::control::time::{Deadlines, Time};
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Transmit};

/// The event package.
pub(super) const PACKAGE: &str = "dialog";
/// A subscription stands at most so many seconds.
const LONGEST: u32 = 600;
/// Subscriptions of all phones together; a new one above it: 503.
const MOST: usize = 16_384;
/// When a phone that found no room may try again, in seconds.
const RETRY_AFTER: u32 = 60;

/// What a NOTIFY says of the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Stands,
    /// Its last word, and the reason (RFC 6665 §4.1.3).
    Over(&'static str),
}

/// The NOTIFY before: while it is not answered no other goes out, so that none overtakes it and a phone that is gone costs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Answered,
    UnderWay,
    /// It is, and the phone has asked again since (RFC 6665 §4.2.1.2).
    AskedAgain,
}

#[derive(Debug)]
struct Subscription {
    dialog: Dialog,
    /// The Event value of the phone, its id included.
    event: String,
    /// What was subscribed to: `sip:2001@center.example`.
    entity: String,
    /// Whose lamp it is; empty until the owner has said so.
    whose: String,
    lamp: Lamp,
    /// How it stood in the NOTIFY before.
    told: Lamp,
    last: Last,
    /// Counts up with each NOTIFY (RFC 4235 §4.1.1).
    version: u32,
    until: Time,
    /// The SUBSCRIBE that waits for the owner's word.
    waiting: Option<Reply>,
}

/// All subscriptions, by our tag in their dialogs.
#[derive(Debug, Default)]
pub(super) struct Lamps {
    all: BTreeMap<u64, Subscription>,
    of: BTreeMap<String, BTreeSet<u64>>,
    due: Deadlines<u64>,
}

impl Lamps {
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    fn remove(&mut self, tag: u64) -> Option<Subscription> {
        let gone = self.all.remove(&tag)?;
        self.due.clear(&tag);
        if let Some(others) = self.of.get_mut(&gone.whose) {
            others.remove(&tag);
            if others.is_empty() {
                self.of.remove(&gone.whose);
            }
        }
        Some(gone)
    }
}

impl Endpoint {
    /// A new subscription: `Watching` asks the owner whose lamp it is.
    pub(super) fn on_subscribe(&mut self, now: Time, flow: Flow, request: &Message, reply: &Reply, tag: u64) -> Result<(), Stop> {
        let event = text::lossy(request.header(Name::Event).unwrap_or_default()).into_owned();
        let asked = event.split(';').next().unwrap_or_default().trim();
        if !asked.eq_ignore_ascii_case(PACKAGE) || !self.settings.has_phones() {
            return Err(no_such_event());
        }
        if request.address(Name::Contact).is_none() {
            return Err(Stop::why(400, "Contact header is missing"));
        }
        // Who talks with whom is nobody's business outside of the house.
        self.identify(now, flow, request)?.ok_or_else(|| Stop::with(403))?;
        if self.lamps.all.len() >= MOST {
            return Err(Stop::lines(503, format!("Retry-After: {RETRY_AFTER}\r\n")));
        }
        let user = asked_for(request);
        let subscription = Subscription {
            dialog: Dialog::of_invite(request, flow, reply.to()),
            event,
            entity: format!("sip:{}@{}", clean(&user), self.settings.realm),
            whose: String::new(),
            lamp: Lamp::default(),
            told: Lamp::default(),
            last: Last::Answered,
            version: 0,
            until: now + granted(request),
            waiting: Some(reply.clone()),
        };
        self.lamps.all.insert(tag, subscription);
        self.inbox.push_back(Happening::Watching { watch: tag, user });
        Ok(())
    }

    /// The owner knows whose lamp it is: the phone is told how it stands, now and whenever that changes.
    pub fn light(&mut self, now: Time, watch: u64, whose: &str, lamp: Lamp) {
        let Some(subscription) = self.lamps.all.get_mut(&watch) else { return };
        let Some(reply) = subscription.waiting.take() else { return };
        (subscription.whose, subscription.lamp) = (whose.to_owned(), lamp);
        self.lamps.of.entry(whose.to_owned()).or_default().insert(watch);
        self.grant(now, watch, &reply);
    }

    /// Does anybody watch?
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !self.lamps.of.is_empty()
    }

    /// How far a leg is, who placed it and what it is called; `None` when it is over or on its way out.
    #[must_use]
    pub fn standing(&self, leg: LegId) -> Option<(Placed, Phase, Names)> {
        let Leg { dialog, stage, tag, leaving: None, .. } = self.calls.legs.get(&leg)? else { return None };
        let mut his = dialog.remote_tag.as_ref();
        let phase = match stage {
            Stage::Incoming(incoming) if incoming.provisional.is_none() => Phase::Trying,
            Stage::Incoming(_) => Phase::Early,
            Stage::Calling(calling) => {
                his = calling.forks.first().map_or(his, |fork| &fork.tag);
                if calling.forks.is_empty() { Phase::Trying } else { Phase::Early }
            }
            Stage::Up => Phase::Confirmed,
            Stage::Ending => return None,
        };
        let names = Names { call_id: text::lossy(&dialog.call_id).into_owned(), ours: tag_text(*tag), his: text::lossy(his).into_owned() };
        Some((dialog.placed_by, phase, names))
    }

    /// Nobody is meant whose lamp that could be.
    pub fn refuse_watch(&mut self, now: Time, watch: u64, status: u16) {
        if let Some(Subscription { waiting: Some(reply), .. }) = self.lamps.remove(watch) {
            self.stop(now, &reply, &Stop::with(status));
        }
    }

    /// Somebody's lamp changed: those who watch it are told.
    pub fn lamp(&mut self, now: Time, whose: &str, lamp: &Lamp) {
        let watchers: Vec<u64> = self.lamps.of.get(whose).into_iter().flatten().copied().collect();
        for tag in watchers {
            let Some(subscription) = self.lamps.all.get_mut(&tag).filter(|subscription| subscription.lamp != *lamp) else { continue };
            subscription.lamp = lamp.clone();
            if subscription.last == Last::Answered {
                self.notify(now, tag, Word::Stands);
            }
        }
    }

    /// A SUBSCRIBE within a subscription: it goes on, or ends with `Expires: 0`.
    pub(super) fn on_subscribe_again(&mut self, now: Time, flow: Flow, request: &Message, reply: &Reply, tag: &[u8]) -> Result<(), Stop> {
        let from_tag = request.from().and_then(|from| from.tag()).unwrap_or_default();
        let tag = tag_number(tag).ok_or_else(|| Stop::with(481))?;
        let known =
            self.lamps.all.get_mut(&tag).filter(|known| known.dialog.is_with(request.call_id(), from_tag) && known.waiting.is_none());
        let subscription = known.ok_or_else(|| Stop::with(481))?;
        if !subscription.dialog.take_remote_seq(request.cseq().map_or(0, |cseq| cseq.number)) {
            return Err(Stop::why(500, "CSeq: a later request came before this one"));
        }
        subscription.dialog.refresh_target(request);
        subscription.dialog.flow = flow;
        subscription.until = now + granted(request);
        self.grant(now, tag, reply);
        Ok(())
    }

    /// 200, and how the lamp stands; the last word when no time was asked for (RFC 6665 §4.4.3).
    fn grant(&mut self, now: Time, tag: u64, reply: &Reply) {
        let Some(subscription) = self.lamps.all.get(&tag) else { return };
        let (until, dialog) = (subscription.until, &subscription.dialog);
        let contact = self.contact_in(dialog, &dialog.flow);
        let mut writer = reply.begin(200, "");
        writer.raw("Contact", contact.as_bytes()).format("Expires", format_args!("{}", until.since(now).as_secs()));
        writer.header("Server", &self.settings.user_agent);
        self.respond(now, reply.key, 200, writer.finish());
        if until <= now {
            self.end_watch(now, tag);
        } else {
            self.lamps.due.set(tag, until);
            self.notify(now, tag, Word::Stands);
        }
    }

    pub(super) fn watches_due(&mut self, now: Time) {
        while let Some(tag) = self.lamps.due.pop_due(now) {
            self.end_watch(now, tag);
        }
    }

    fn end_watch(&mut self, now: Time, tag: u64) {
        self.notify(now, tag, Word::Over("timeout"));
        self.lamps.remove(tag);
    }

    /// What became of a NOTIFY: a phone that refuses it, or is not there, is told no more.
    pub(super) fn on_notified(&mut self, now: Time, watch: u64, status: Option<u16>) {
        if status.is_none_or(|status| status >= REFUSED) {
            self.lamps.remove(watch);
        }
        let Some(subscription) = self.lamps.all.get_mut(&watch) else { return };
        let asked = std::mem::replace(&mut subscription.last, Last::Answered) == Last::AskedAgain;
        // A lamp that went on and off again in between has not changed.
        if asked || subscription.lamp != subscription.told {
            self.notify(now, watch, Word::Stands);
        }
    }

    fn notify(&mut self, now: Time, tag: u64, word: Word) {
        let Some(subscription) = self.lamps.all.get_mut(&tag) else { return };
        if word == Word::Stands && std::mem::replace(&mut subscription.last, Last::UnderWay) != Last::Answered {
            subscription.last = Last::AskedAgain;
            return;
        }
        let dialog = subscription.dialog.clone();
        let flow = self.path_within(now, &dialog);
        let hop = self.hop(&flow);
        let contact = self.contact_in(&dialog, &flow);
        let Some(subscription) = self.lamps.all.get_mut(&tag) else { return };
        subscription.dialog.local_seq += 1;
        let mut writer = subscription.dialog.request(Method::Notify, subscription.dialog.local_seq, &hop.via);
        let state = match word {
            Word::Stands => format!("active;expires={}", subscription.until.since(now).as_secs()),
            Word::Over(why) => format!("terminated;reason={why}"),
        };
        writer.raw("Contact", contact.as_bytes()).header("Event", &subscription.event).header("Subscription-State", &state);
        writer.header("User-Agent", &self.settings.user_agent);
        let Subscription { entity, version, lamp, told, .. } = &*subscription;
        let body = described(entity, &self.settings.realm, *version, told, lamp);
        let bytes = writer.body(MIME, body.as_bytes());
        subscription.version += 1;
        subscription.told = subscription.lamp.clone();
        let key = self.keys.client(&hop.branch, Method::Notify);
        self.transactions.open_client(now, key, Method::Notify, Transmit { flow, bytes }, Purpose::Lamp(tag), &mut self.outbox);
    }
}

/// From here on an answer to NOTIFY refuses it.
const REFUSED: u16 = 300;

/// What is granted of the time asked for.
fn granted(request: &Message) -> Duration {
    Duration::from_secs(u64::from(request.number(Name::Expires).unwrap_or(LONGEST).min(LONGEST)))
}

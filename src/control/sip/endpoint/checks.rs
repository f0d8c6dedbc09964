//! Far ends asked by OPTIONS whether they are there (RFC 3261 §11), again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::way::Departure;
use super::{ABILITIES, Endpoint, SDP, Target, tag_text};
use crate::control::sip::dialog::Reach;
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Method, Writer};
use crate::control::sip::transaction::{MAX_FORWARDS, Purpose};
use crate::control::time::{Deadlines, Time};

/// A far end that is gone is asked at least this often, so that its calls come back soon.
const GONE: Duration = Duration::from_secs(10);
/// The first questions are spread over so many milliseconds: many trunks need not be asked in the same packet train.
const SPREAD_MS: u64 = 500;
/// Far ends watched at once; more are not.
const MOST: usize = 4_096;

/// A far end to be asked.
#[derive(Debug, Clone)]
pub struct Check {
    /// What the owner calls it.
    pub name: String,
    /// Which of its places.
    pub place: u16,
    /// Where OPTIONS goes.
    pub target: Target,
    /// The request URI: `sip:192.0.2.10:5060`.
    pub uri: String,
    /// From: `sip:hotline@center.example`.
    pub from: String,
    /// How often.
    pub every: Duration,
}

#[derive(Debug)]
struct Watched {
    check: Check,
    call_id: String,
    seq: u32,
}

/// All far ends that are watched.
#[derive(Debug, Default)]
pub(super) struct Checks {
    all: BTreeMap<u32, Watched>,
    due: Deadlines<u32>,
    last: u32,
}

impl Checks {
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next()
    }
}

impl Endpoint {
    /// Asks a far end from now on; `Checked` follows each time.
    pub fn watch(&mut self, now: Time, check: Check) {
        if self.checks.all.len() >= MOST {
            return;
        }
        self.checks.last += 1;
        let number = self.checks.last;
        let call_id = self.random.token();
        self.checks.all.insert(number, Watched { check, call_id, seq: 0 });
        let wait = Duration::from_millis(self.random.below(SPREAD_MS));
        self.checks.due.set(number, now + wait);
    }

    /// Asks no place of this name any more.
    pub fn unwatch(&mut self, name: &str) {
        let gone: Vec<u32> = self.checks.all.iter().filter(|(_, watched)| watched.check.name == name).map(|(number, _)| *number).collect();
        for number in gone {
            self.checks.all.remove(&number);
            self.checks.due.clear(&number);
        }
    }

    pub(super) fn check_due(&mut self, now: Time) {
        while let Some(number) = self.checks.due.pop_due(now) {
            self.ask(now, number);
        }
    }

    fn ask(&mut self, now: Time, number: u32) {
        let Some(check) = self.checks.all.get(&number).map(|watched| watched.check.clone()) else { return };
        let way = self.way_to(now, &check.target, Reach::ByFlow);
        let hop = self.hop(&way.first);
        let tag = self.random.bits();
        let Some(watched) = self.checks.all.get_mut(&number) else { return };
        watched.seq += 1;
        let seq = watched.seq;
        let mut writer = Writer::request(Method::Options.token().as_bytes(), check.uri.as_bytes());
        writer.raw("Via", hop.via.as_bytes()).number("Max-Forwards", MAX_FORWARDS);
        writer.header("From", &format!("<{}>;tag={}", check.from, tag_text(tag)));
        writer.header("To", &format!("<{}>", check.uri)).raw("Call-ID", watched.call_id.as_bytes());
        writer.format("CSeq", format_args!("{seq} OPTIONS"));
        let contact = self.contact(b"", &way.first, check.uri.as_bytes());
        writer.raw("Contact", contact.as_bytes()).raw("Accept", SDP.as_bytes()).lines(ABILITIES);
        writer.header("User-Agent", &self.settings.user_agent);
        let departure = Departure { hop, method: Method::Options, purpose: Purpose::Check(number), request: writer.finish() };
        self.depart(now, way, departure);
    }

    /// An answer came (any at all says that somebody is there), or none.
    pub(super) fn on_checked(&mut self, now: Time, number: u32, status: Option<u16>) {
        let Some(Watched { check: Check { name, place, every, .. }, .. }) = self.checks.all.get(&number) else { return };
        let gone = !status.is_some_and(is_there);
        let wait = if gone { GONE.min(*every) } else { *every };
        self.inbox.push_back(Happening::Checked { name: name.clone(), place: *place, status });
        self.checks.due.set(number, now + wait);
    }
}

/// Does this answer say that the far end takes calls? A proxy that finds nobody behind it, or wants to be left alone, does not.
#[must_use]
pub fn is_there(status: u16) -> bool {
    !matches!(status, 408 | 503 | 504)
}

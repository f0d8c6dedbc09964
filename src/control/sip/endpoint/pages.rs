//! A line of text outside of calls, from one phone of the house to another (MESSAGE, RFC 3428).
//!
//! The sender must prove who he is; the owner says whose phones are meant. It is handed to all of them, and the sender hears 200 when the
//! first has taken it, never before. Nothing is kept for later: who is not there is told so.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::door::{Stop, asked_for};
use super::reply::Reply;
use super::way::Departure;
use super::{ABILITIES_OUTSIDE, Endpoint, Target, tag_text};
use crate::control::sip::dialog::Reach;
use crate::control::sip::happening::{Happening, Paged};
use crate::control::sip::message::{Message, Method, Name, Writer, text};
use crate::control::sip::transaction::{MAX_FORWARDS, Purpose};
use crate::control::time::{Deadlines, Time};
use crate::control::words::sip::Flow;

/// The one kind of text that is handed on.
const PLAIN: &str = "text/plain";
/// The longest text in bytes: with its head it still fits a datagram (RFC 3428 §8).
const LONGEST: usize = 800;
/// Texts under way of all phones together; a new one above it: 503.
const MOST: usize = 1_024;
/// When a phone that found no room may try again, in seconds.
const RETRY_AFTER: u32 = 5;
/// Phones have taken a text by then, or it is not handed over: the sender still waits (his own time is 32 s, RFC 3261 §17.1.2.2).
const PATIENCE: Duration = Duration::from_secs(20);
/// 480 Temporarily Unavailable: nobody took it.
const NOBODY: u16 = 480;

/// One text under way.
#[derive(Debug)]
struct Page {
    reply: Reply,
    /// Content-Type as it came.
    kind: String,
    body: Bytes,
    hops: u32,
    /// Phones that have not answered yet.
    open: usize,
    /// What the last of them said.
    status: u16,
}

/// All texts under way, by our tag in the answer to the sender.
#[derive(Debug, Default)]
pub(super) struct Pages {
    all: BTreeMap<u64, Page>,
    due: Deadlines<u64>,
}

impl Pages {
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }
}

/// To whom a text is handed.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The sender as his reader sees him: `"Anna" <sip:2001@center.example>`.
    pub from: String,
    /// The reader: `<sip:ben@center.example>`.
    pub to: String,
    /// His phones: where each is, its URI, and the proxies before it.
    pub phones: Vec<(Target, String, Vec<String>)>,
}

impl Endpoint {
    /// A text from outside of calls: `Paged` asks the owner for whom it is.
    pub(super) fn on_page(&mut self, now: Time, flow: Flow, request: &Message, reply: &Reply, tag: u64) -> Result<(), Stop> {
        if !self.settings.has_phones() {
            return Err(Stop::with(405));
        }
        let encoded = request.header(Name::ContentEncoding).is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(Stop::lines(415, "Accept-Encoding: identity\r\n".to_owned()));
        }
        if !request.content_type().eq_ignore_ascii_case(PLAIN) {
            return Err(Stop::lines(415, format!("Accept: {PLAIN}\r\n")));
        }
        if request.body().len() > LONGEST {
            return Err(Stop::why(513, "the text is too long"));
        }
        let sender = self.identify(now, flow, request)?.ok_or_else(|| Stop::with(403))?;
        if self.pages.all.len() >= MOST {
            return Err(Stop::lines(503, format!("Retry-After: {RETRY_AFTER}\r\n")));
        }
        let to = asked_for(request);
        let page = Page {
            reply: reply.clone(),
            kind: text::lossy(request.header(Name::ContentType).unwrap_or_default()).into_owned(),
            body: request.share(request.body()),
            hops: request.max_forwards().map_or(MAX_FORWARDS, u32::from).saturating_sub(1),
            open: 0,
            status: NOBODY,
        };
        self.pages.all.insert(tag, page);
        self.pages.due.set(tag, now + PATIENCE);
        self.inbox.push_back(Happening::Paged(Paged { page: tag, sender, to }));
        Ok(())
    }

    /// The owner knows whose phones are meant: the text goes to all of them; when there are none, the sender is told.
    pub fn hand_over(&mut self, now: Time, page: u64, handover: &Handover) {
        let Some(known) = self.pages.all.get_mut(&page) else { return };
        known.open = handover.phones.len();
        for phone in &handover.phones {
            self.page_phone(now, page, handover, phone);
        }
        if handover.phones.is_empty() {
            self.end_page(now, page, NOBODY);
        }
    }

    /// Nobody is meant who could read it.
    pub fn refuse_page(&mut self, now: Time, page: u64, status: u16) {
        self.end_page(now, page, status);
    }

    fn page_phone(&mut self, now: Time, page: u64, handover: &Handover, (target, uri, routes): &(Target, String, Vec<String>)) {
        let reach = if matches!(target, Target::Path(_)) { Reach::ByFlow } else { Reach::ByAddress };
        let way = self.way_to(now, target, reach);
        let hop = self.hop(&way.first);
        let (tag, call_id) = (self.random.bits(), self.random.token());
        let Some(known) = self.pages.all.get(&page) else { return };
        let mut writer = Writer::request(Method::Message.token().as_bytes(), uri.split('?').next().unwrap_or(uri).as_bytes());
        writer.raw("Via", hop.via.as_bytes());
        for route in routes {
            writer.header("Route", route);
        }
        writer.number("Max-Forwards", known.hops);
        writer.header("From", &format!("{};tag={}", handover.from, tag_text(tag))).header("To", &handover.to);
        writer.raw("Call-ID", call_id.as_bytes()).raw("CSeq", b"1 MESSAGE").header("User-Agent", &self.settings.user_agent);
        let request = writer.body(&known.kind, &known.body);
        self.depart(now, way, Departure { hop, method: Method::Message, purpose: Purpose::Page(page), request });
    }

    /// A phone took it or refused it; silence is 408.
    pub(super) fn on_paged(&mut self, now: Time, page: u64, status: u16) {
        let Some(known) = self.pages.all.get_mut(&page) else { return };
        known.open = known.open.saturating_sub(1);
        let (open, last) = (known.open, known.status);
        match status {
            200..=299 => self.end_page(now, page, OK),
            _ if open > 0 => known.status = told(status, last),
            _ => self.end_page(now, page, told(status, last)),
        }
    }

    pub(super) fn pages_due(&mut self, now: Time) {
        while let Some(page) = self.pages.due.pop_due(now) {
            self.end_page(now, page, NOBODY);
        }
    }

    fn end_page(&mut self, now: Time, page: u64, status: u16) {
        self.pages.due.clear(&page);
        let Some(Page { reply, .. }) = self.pages.all.remove(&page) else { return };
        let mut writer = reply.begin(status, "");
        if status == 405 {
            writer.lines(ABILITIES_OUTSIDE);
        }
        writer.header("Server", &self.settings.user_agent);
        self.respond(now, reply.key, status, writer.finish());
    }
}

/// 200 OK.
const OK: u16 = 200;

/// What the sender is told of a phone's refusal: what he can do something about, else that nobody is there.
fn told(status: u16, otherwise: u16) -> u16 {
    if matches!(status, 413 | 415 | 486 | 513 | 600 | 603) { status } else { otherwise }
}

//! Requests as they come in: matched to what is known, checked, and sent to who deals with them.

use super::leg::Stage;
use super::reply::Reply;
use super::{ABILITIES, ABILITIES_OUTSIDE, Accepting, Endpoint, tag_number};
use crate::control::sip::auth::{Algorithm, Server, Verdict, challenges};
use crate::control::sip::happening::{Happening, Proof};
use crate::control::sip::message::{Address, Message, Method, Name, Scheme, Uri, text};
use crate::control::sip::registrar::Refusal;
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::net::within;
use crate::control::words::sip::{Flow, Transmit};

/// Extensions that a request may require.
const SUPPORTED: [&str; 4] = ["timer", super::reliable::REL, super::transfers::REPLACES, super::transfers::NO_SUBSCRIPTION];
/// What a REGISTER may require besides (RFC 3327).
const PATH: &str = "path";
/// When a sender that found us full may try again, in seconds.
const RETRY_AFTER: u32 = 5;

/// A way out of a check: the status, the reason (empty = the usual) and further header lines.
pub(super) struct Stop {
    pub status: u16,
    pub reason: String,
    pub lines: String,
}

impl Stop {
    pub(super) fn with(status: u16) -> Stop {
        Stop { status, reason: String::new(), lines: String::new() }
    }

    pub(super) fn why(status: u16, reason: &str) -> Stop {
        Stop { reason: reason.to_owned(), ..Stop::with(status) }
    }

    pub(super) fn lines(status: u16, lines: String) -> Stop {
        Stop { lines, ..Stop::with(status) }
    }
}

impl Endpoint {
    pub(super) fn on_request(&mut self, now: Time, flow: Flow, request: &Message) {
        let key = self.keys.server(request);
        match request.method() {
            Method::Ack => {
                if !self.transactions.ack(now, key, &mut self.outbox) {
                    self.on_ack(now, request);
                }
            }
            _ if self.transactions.has(key) => self.transactions.request_again(now, key, &mut self.outbox),
            Method::Cancel => self.on_cancel(now, flow, request),
            _ => self.on_new_request(now, flow, request),
        }
    }

    fn on_new_request(&mut self, now: Time, flow: Flow, request: &Message) {
        let to_tag = request.to().and_then(|to| to.tag());
        if to_tag.is_none() && self.transactions.count() >= self.settings.limits.transactions {
            return self.refuse_at_the_door(flow, request);
        }
        let tag = self.random.bits();
        let reply = Reply::of(request, self.keys.server(request), flow, &super::tag_text(tag));
        let merge = self.keys.merge(request);
        let merged = to_tag.is_none() && self.transactions.is_merged(merge, reply.key);
        self.transactions.open_server(reply.key, request.method(), reply.flow, merge);
        let leg = to_tag.and_then(|to_tag| self.leg_of(request, to_tag));
        let outcome = match (leg, to_tag) {
            _ if merged => Err(Stop::with(482)),
            (Some(leg), _) => self.on_request_inside(now, leg, flow, request, &reply),
            (None, Some(to_tag)) if request.method() == Method::Subscribe => self.on_subscribe_again(now, flow, request, &reply, to_tag),
            (None, Some(_)) => Err(Stop::with(481)),
            (None, None) => self.on_request_outside(now, flow, request, &reply, tag),
        };
        match outcome {
            Ok(()) => {}
            Err(stop) if leg.is_none() && !merged && self.may_be_forged(&reply.flow) => self.stop_without_trace(request, &reply, &stop),
            Err(stop) => self.stop(now, &reply, &stop),
        }
    }

    /// Could anybody have written this source? Then it gets one datagram for one, and nothing is kept (RFC 3261 §8.2.7).
    fn may_be_forged(&self, flow: &Flow) -> bool {
        !flow.transport.is_reliable() && !within(&self.settings.trusted, flow.remote.ip())
    }

    fn stop_without_trace(&mut self, request: &Message, reply: &Reply, stop: &Stop) {
        self.transactions.forget(reply.key);
        // The same tag in each repetition.
        let reply = Reply::of(request, reply.key, reply.flow, &super::tag_text(reply.key.tag()));
        let mut writer = reply.begin(stop.status, &stop.reason);
        if matches!(stop.status, 405 | 501) {
            writer.lines(ABILITIES_OUTSIDE);
        }
        writer.lines(stop.lines.as_bytes());
        self.outbox.push_back(Transmit { flow: reply.flow, bytes: writer.finish() });
    }

    /// Does the request belong to a call of ours, as its tags say?
    #[must_use]
    pub fn is_within_a_call(&self, request: &Message) -> bool {
        request.to().and_then(|to| self.leg_of(request, to.tag()?)).is_some()
    }

    /// The Call-ID of a leg's dialog.
    #[must_use]
    pub fn call_id_of(&self, leg: LegId) -> Option<&[u8]> {
        self.calls.legs.get(&leg).map(|leg| leg.dialog.call_id.as_ref())
    }

    /// Is it the repetition of a request that is being dealt with, or the CANCEL of one?
    #[must_use]
    pub fn is_under_way(&self, request: &Message) -> bool {
        let of_invite = || request.method() == Method::Cancel && self.transactions.has(self.keys.cancelled(request));
        self.transactions.has(self.keys.server(request)) || of_invite()
    }

    /// Does it come from one of our users, over the path he registered over?
    #[must_use]
    pub fn is_registered(&self, now: Time, flow: &Flow, request: &Message) -> bool {
        let user = request.from().map(|from| from.uri.user_text().into_owned()).unwrap_or_default();
        self.registrar.is_flow_of(now, &user, flow)
    }

    /// The leg of a request with a To tag: ours by the tag, the peer's by Call-ID and his tag.
    pub(super) fn leg_of(&self, request: &Message, to_tag: &[u8]) -> Option<LegId> {
        let id = *self.calls.by_tag.get(&tag_number(to_tag)?)?;
        let from_tag = request.from().and_then(|from| from.tag()).unwrap_or_default();
        let leg = self.calls.legs.get(&id)?;
        let rings = match &leg.stage {
            // Whoever rings has an early dialog with us (RFC 3261 §12.1).
            Stage::Calling(calling) => leg.dialog.call_id == request.call_id() && calling.forks.iter().any(|fork| fork.tag == from_tag),
            _ => false,
        };
        (rings || leg.dialog.is_with(request.call_id(), from_tag)).then_some(id)
    }

    fn refuse_at_the_door(&mut self, flow: Flow, request: &Message) {
        let response = super::stateless(request, flow, 503, "", Some(RETRY_AFTER));
        self.outbox.extend(response.map(|(flow, bytes)| Transmit { flow, bytes }));
    }

    pub(super) fn stop(&mut self, now: Time, reply: &Reply, stop: &Stop) {
        let mut writer = reply.begin(stop.status, &stop.reason);
        if matches!(stop.status, 405 | 501) {
            writer.lines(ABILITIES_OUTSIDE);
        }
        writer.lines(stop.lines.as_bytes()).header("Server", &self.settings.user_agent);
        self.respond(now, reply.key, stop.status, writer.finish());
    }

    fn on_request_outside(&mut self, now: Time, flow: Flow, request: &Message, reply: &Reply, tag: u64) -> Result<(), Stop> {
        check(request)?;
        match request.method() {
            Method::Invite => self.on_invite(now, flow, request, reply, tag),
            Method::Options => self.on_options(now, reply),
            Method::Register if self.settings.users.is_empty() => Err(Stop::with(405)),
            Method::Register => self.on_register(now, flow, request, reply),
            Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify => Err(Stop::with(481)),
            Method::Refer => Err(Stop::with(403)),
            Method::Subscribe => self.on_subscribe(now, flow, request, reply, tag),
            Method::Message => self.on_page(now, flow, request, reply, tag),
            Method::Other => Err(Stop::with(501)),
            _ => Err(Stop::with(405)),
        }
    }

    pub(super) fn on_options(&mut self, now: Time, reply: &Reply) -> Result<(), Stop> {
        if self.accepting == Accepting::Draining {
            return Err(Stop::with(503));
        }
        let mut writer = reply.begin(200, "");
        writer.lines(ABILITIES).raw("Accept", super::SDP.as_bytes()).header("Server", &self.settings.user_agent);
        self.respond(now, reply.key, 200, writer.finish());
        Ok(())
    }

    fn on_register(&mut self, now: Time, flow: Flow, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let to = request.to().filter(|to| matches!(to.uri.scheme, Scheme::Sip | Scheme::Sips));
        let user = to.ok_or_else(|| Stop::why(400, "To: it is no address of record"))?.uri.user_text().into_owned();
        let proved = self.prove(now, flow, request)?;
        if proved != user {
            self.tell_proof(flow, Proof::Wrong(self.keys.user(&user)));
            return Err(Stop::with(403));
        }
        let limits = self.settings.limits;
        self.registrar.register(now, &user, request, flow, &limits).map_err(|refusal| match refusal {
            Refusal::Broken(why) => Stop::why(400, why),
            Refusal::TooBrief => Stop::lines(423, format!("Min-Expires: {}\r\n", limits.min_expires.as_secs())),
            Refusal::OutOfOrder => Stop::why(500, "CSeq: an older REGISTER came later"),
            Refusal::Full => Stop::lines(503, format!("Retry-After: {RETRY_AFTER}\r\n")),
        })?;
        let mut writer = reply.begin(200, "");
        // The phone learns through whom it will be called (RFC 3327 §5.3).
        for path in request.headers(Name::Path) {
            writer.raw(Name::Path.text(), path);
        }
        for contact in self.registrar.contacts(now, &user) {
            writer.format("Contact", format_args!("<{}>;expires={}", contact.uri, contact.expires.since(now).as_secs()));
        }
        if keeps_its_path(request) {
            writer.raw(Name::Require.text(), b"outbound");
        }
        self.respond(now, reply.key, 200, writer.finish());
        if request.header(Name::Contact).is_some() {
            self.tell_bindings(now, user);
        }
        Ok(())
    }

    pub(super) fn tell_bindings(&mut self, now: Time, user: String) {
        let contacts = self.registrar.contacts(now, &user).len();
        self.inbox.push_back(Happening::Registered { user, contacts });
    }

    fn tell_proof(&mut self, flow: Flow, proof: Proof) {
        self.inbox.push_back(Happening::Proof { address: flow.remote.ip(), proof });
    }

    /// The user who proved himself by digest; else a challenge or a refusal.
    pub(super) fn prove(&mut self, now: Time, flow: Flow, request: &Message) -> Result<String, Stop> {
        let server = Server { realm: &self.settings.realm, secret: self.settings.secret, now };
        match server.judge(request, Name::Authorization, &self.settings.users, &mut self.nonces) {
            Verdict::Proved(user) => {
                self.tell_proof(flow, Proof::Good);
                Ok(user)
            }
            Verdict::Wrong(user) => {
                self.tell_proof(flow, Proof::Wrong(self.keys.user(&user)));
                Err(Stop::with(403))
            }
            Verdict::Broken(why) => Err(Stop::why(400, why)),
            verdict => {
                let nonce = server.nonce(self.random.bits());
                // A REGISTER speaks of the user in To (RFC 3261 §10.2), who need not be its sender.
                let user = if request.method() == Method::Register { request.to() } else { request.from() };
                let kept = user.and_then(|user| self.settings.users.get(&*user.uri.user_text()));
                // Only what is kept for this user: many phones (libre 1, SIPp) give up on an algorithm they do not know,
                // whichever stands first. A stranger is asked as most users are.
                let asked = |algorithm: Algorithm| kept.map_or(algorithm == Algorithm::Md5, |ha1| !algorithm.kept(ha1).is_empty());
                let values = challenges(&self.settings.realm, &nonce, &verdict).into_iter().zip([Algorithm::Sha256, Algorithm::Md5]);
                let lines = values.filter(|(_, algorithm)| asked(*algorithm)).map(|(value, _)| format!("WWW-Authenticate: {value}\r\n"));
                let stop = Stop::lines(401, lines.collect());
                if kept.is_none() {
                    self.tell_proof(flow, Proof::UnknownUser);
                }
                Err(stop)
            }
        }
    }
}

/// Does a phone say that it keeps the path open which it came by (RFC 5626 §6)? It has an identity and a number for the path, and no
/// proxy stands between. It is told that we call it back along that path, and does so from then on: line ends on streams, STUN else.
fn keeps_its_path(register: &Message) -> bool {
    let named = |value: &[u8]| Address::parse(value).is_ok_and(|it| it.param("+sip.instance").is_some() && it.param("reg-id").is_some());
    register.lists(Name::Supported, "outbound") && register.values(Name::Via).count() == 1 && register.values(Name::Contact).any(named)
}

/// We notify of transfers, which REFER subscribes to (RFC 3515), of who is on the phone, and of nothing else (RFC 6665 §4.2.1.1).
pub(super) fn no_such_event() -> Stop {
    Stop::lines(489, format!("Allow-Events: refer, {}\r\n", super::lamps::PACKAGE))
}

/// Who is asked for: the user of the request URI, empty where it names none.
pub(super) fn asked_for(request: &Message) -> String {
    Uri::parse(request.request_uri()).map(|uri| uri.user_text().into_owned()).unwrap_or_default()
}

/// What every request outside a dialog must meet (RFC 3261 §8.2.2).
fn check(request: &Message) -> Result<(), Stop> {
    if request.max_forwards() == Some(0) && request.method() != Method::Options {
        return Err(Stop::with(483));
    }
    let scheme = Uri::parse(request.request_uri()).map_or(Scheme::Other, |uri| uri.scheme);
    if scheme == Scheme::Other {
        return Err(Stop::with(416));
    }
    // Proxy-Require is for proxies, and we are none (RFC 3261 §20.29).
    let unknown: Vec<_> = request
        .values(Name::Require)
        .filter(|token| !token.is_empty() && !is_supported(token, request.method()))
        .map(text::lossy)
        .collect();
    if !unknown.is_empty() {
        return Err(Stop::lines(420, format!("Unsupported: {}\r\n", unknown.join(", "))));
    }
    Ok(())
}

fn is_supported(token: &[u8], method: Method) -> bool {
    let path = Some(PATH).filter(|_| method == Method::Register);
    SUPPORTED.into_iter().chain(path).any(|known| token.eq_ignore_ascii_case(known.as_bytes()))
}

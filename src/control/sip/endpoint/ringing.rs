//! Calls that come in, up to the ACK of our 200.

use std::time::Duration;

use bytes::Bytes;

use super::door::Stop;
use super::leg::{Alarm, Incoming, Leg, Offer, Stage, Unacked, Which};
use super::reliable::Reliable;
use super::reply::Reply;
use super::{ABILITIES, Accepting, Endpoint, SDP, put_headers, tag_text};
use crate::control::sip::dialog::Dialog;
use crate::control::sip::happening::{Happening, Invited};
use crate::control::sip::message::{Address, Message, Method, Name, Uri, Writer, text};
use crate::control::sip::session_timer::{Known, MIN_SE, Refresher, SessionTimer};
use crate::control::sip::transaction::{PATIENCE, T1, T2};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::net::within;
use crate::control::words::sip::Flow;

/// A call that still rings says so each minute, else proxies give it up (RFC 3261 §13.3.1.1).
pub(super) const STILL_RINGING: Duration = Duration::from_secs(60);

impl Endpoint {
    /// A new call: checked, answered 100, told to the owner.
    pub(super) fn on_invite(&mut self, now: Time, flow: Flow, invite: &Message, reply: &Reply, tag: u64) -> Result<(), Stop> {
        self.check_room()?;
        check_body(invite)?;
        check_accept(invite)?;
        // A caller of RFC 2543 has no tag and may have no Contact: his From is where he is reached.
        let is_old = invite.from().is_some_and(|from| from.tag().is_none());
        if invite.address(Name::Contact).is_none() && !is_old {
            return Err(Stop::why(400, "Contact header is missing"));
        }
        let timer = SessionTimer::asked(invite).map_err(|_| Stop::lines(422, format!("Min-SE: {MIN_SE}\r\n")))?;
        let replaces = self.replaced_by(invite)?;
        let authenticated = self.identify(now, flow, invite)?;
        if let Some(old) = replaces {
            self.may_replace(now, old, flow.remote.ip(), authenticated.as_ref())?;
        }
        let id = self.new_leg(now);
        let sdp = invite.sdp();
        let offer = if sdp.is_some() { Offer::Theirs } else { Offer::Ours };
        let incoming = Incoming { reply: reply.clone(), provisional: None, offer };
        let mut leg = Leg::new(tag, Dialog::of_invite(invite, flow, reply.to()), Stage::Incoming(Box::new(incoming)));
        leg.timer = timer;
        leg.refresh_by = refresh_by(invite);
        leg.reliable = Reliable::of(invite);
        self.calls.legs.insert(id, leg);
        self.calls.by_tag.insert(tag, id);
        self.calls.by_invite.insert(reply.key, id);
        self.try_call(now, reply);
        self.calls.alarms.set((id, Alarm::Provisional), now + STILL_RINGING);
        let trusted = self.trusts(now, flow.remote.ip());
        let asserted = invite.address(Name::PAssertedIdentity).filter(|_| trusted);
        let invited = Invited { at: now, authenticated, sdp, replaces, ..invited(id, flow, invite, asserted) };
        self.inbox.push_back(Happening::Invited(Box::new(invited)));
        Ok(())
    }

    fn check_room(&self) -> Result<(), Stop> {
        let busy = |seconds: u64| Err(Stop::lines(503, format!("Retry-After: {seconds}\r\n")));
        match self.accepting {
            Accepting::Draining => Err(Stop::with(503)),
            Accepting::Full { retry_after } => busy(retry_after.as_secs().max(1)),
            Accepting::All if self.calls.legs.len() >= self.settings.limits.legs => busy(FULL_FOR),
            Accepting::All => Ok(()),
        }
    }

    /// The registered user who calls. Whoever says to be one of ours must call over his registered path or prove it; a datagram whose
    /// source anybody can write proves nothing.
    pub(super) fn identify(&mut self, now: Time, flow: Flow, invite: &Message) -> Result<Option<String>, Stop> {
        if self.trusts(now, flow.remote.ip()) {
            return Ok(None);
        }
        let from = invite.from().map(|from| from.uri.user_text().into_owned()).unwrap_or_default();
        let unforged = flow.transport.is_reliable() || within(&self.settings.unforged, flow.remote.ip());
        if self.settings.fixed.get(&from) == Some(&flow.remote.ip()) {
            return if unforged { Ok(Some(from)) } else { Err(Stop::lines(403, UNPROVED.to_owned())) };
        }
        if self.settings.users.is_empty() {
            return Ok(None);
        }
        let is_ours = self.settings.users.contains_key(&from);
        if is_ours && unforged && self.registrar.is_flow_of(now, &from, &flow) {
            return Ok(Some(from));
        }
        if is_ours || invite.header(Name::Authorization).is_some() {
            return self.prove(now, flow, invite).map(Some);
        }
        Ok(None)
    }

    /// 180 or 183 to a call that came in, with early media when `sdp` is given.
    pub fn ring(&mut self, now: Time, leg: LegId, status: u16, sdp: Option<Bytes>) {
        if self.ring_reliably(now, leg, status, sdp.as_ref()) {
            return;
        }
        let Some((contact, Stage::Incoming(incoming))) = self.contact_and_stage(leg) else { return };
        let mut writer = incoming.reply.begin(status, "");
        writer.raw("Contact", contact.as_bytes()).lines(ABILITIES);
        let bytes = writer.body(SDP, sdp.as_deref().unwrap_or_default());
        incoming.provisional = Some((status, bytes.clone()));
        let key = incoming.reply.key;
        self.respond(now, key, status, bytes);
        self.calls.alarms.set((leg, Alarm::Provisional), now + STILL_RINGING);
    }

    /// 200 to a call that came in, with the answer, or our offer when the call came without one.
    pub fn answer(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        let waits = |state: &mut Leg| matches!(state.stage, Stage::Incoming(_)) && state.reliable.keeps(&sdp);
        if self.calls.legs.get_mut(&leg).is_some_and(waits) {
            return;
        }
        let Some((contact, Stage::Incoming(incoming))) = self.contact_and_stage(leg) else { return };
        let (reply, offer) = (incoming.reply.clone(), incoming.offer);
        self.calls.by_invite.remove(&reply.key);
        self.calls.alarms.clear(&(leg, Alarm::Provisional));
        self.calls.alarms.clear(&(leg, Alarm::Reliable));
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        state.reliable.close();
        state.stage = Stage::Up;
        state.last_sdp = sdp.clone();
        let (timer, seq) = (state.timer, state.reliable.invite);
        let ok = accepted(&reply, &contact, timer, &self.settings.user_agent, &sdp);
        self.send_200(now, leg, &reply, ok, Unacknowledged { seq, which: Which::First, offer });
        self.watch_session(now, leg);
    }

    /// A final failure 300..=699 to a call that came in; `headers` such as Retry-After, Warning or Contact. The leg is over.
    pub fn refuse(&mut self, now: Time, leg: LegId, status: u16, headers: &[(&str, &str)]) {
        if !matches!(self.calls.legs.get(&leg).map(|leg| &leg.stage), Some(Stage::Incoming(_))) {
            return;
        }
        let Some(Leg { stage: Stage::Incoming(incoming), .. }) = self.forget(leg) else { return };
        let mut writer = incoming.reply.begin(status, "");
        put_headers(&mut writer, headers);
        self.respond(now, incoming.reply.key, status, writer.finish());
    }

    fn contact_and_stage(&mut self, id: LegId) -> Option<(String, &mut Stage)> {
        let leg = self.calls.legs.get(&id)?;
        let contact = self.contact_in(&leg.dialog, &leg.dialog.flow);
        Some((contact, &mut self.calls.legs.get_mut(&id)?.stage))
    }

    /// Sends a 200 to INVITE and again until its ACK comes (RFC 3261 §13.3.1.4).
    pub(super) fn send_200(&mut self, now: Time, id: LegId, reply: &Reply, ok: Bytes, about: Unacknowledged) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let Unacknowledged { seq, which, offer } = about;
        leg.unacked = Some(Unacked { key: reply.key, ok: ok.clone(), seq, interval: T1, gives_up: now + PATIENCE, which, offer });
        self.calls.alarms.set((id, Alarm::Answer), now + T1);
        self.respond(now, reply.key, 200, ok);
    }

    /// The 200 goes out again, or nobody acknowledges it and the leg is lost.
    pub(super) fn answer_again(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let Some(unacked) = leg.unacked.as_mut() else { return };
        if now >= unacked.gives_up {
            leg.unacked = None;
            return self.lose(now, id, "no ACK came for our 200");
        }
        unacked.interval = (unacked.interval * 2).min(T2);
        let next = (now + unacked.interval).min(unacked.gives_up);
        let (key, ok) = (unacked.key, unacked.ok.clone());
        self.calls.alarms.set((id, Alarm::Answer), next);
        self.respond(now, key, 200, ok);
    }

    pub(super) fn on_ack(&mut self, now: Time, ack: &Message) {
        let Some(id) = ack.to().and_then(|to| self.leg_of(ack, to.tag()?)) else { return };
        let seq = ack.cseq().map_or(0, |cseq| cseq.number);
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let Some(unacked) = leg.unacked.take_if(|unacked| unacked.seq == seq) else { return };
        self.calls.alarms.clear(&(id, Alarm::Answer));
        if leg.leaving.is_some() {
            return self.send_bye(now, id);
        }
        let sdp = if unacked.offer == Offer::Ours { ack.sdp() } else { None };
        match (unacked.which, sdp) {
            (Which::First, sdp) => self.inbox.push_back(Happening::Confirmed { leg: id, sdp }),
            (Which::Again, Some(sdp)) => self.inbox.push_back(Happening::Reanswered { leg: id, sdp }),
            (Which::Again, None) => {}
        }
        self.offer_next(now, id);
    }

    pub(super) fn on_cancel(&mut self, now: Time, flow: Flow, cancel: &Message) {
        let invite = self.keys.cancelled(cancel);
        let tag = self.random.bits();
        let reply = Reply::of(cancel, self.keys.server(cancel), flow, &tag_text(tag));
        let known = self.transactions.has(invite);
        self.transactions.open_server(reply.key, Method::Cancel, reply.flow, self.keys.merge(cancel));
        let status = if known { 200 } else { 481 };
        self.respond(now, reply.key, status, reply.begin(status, "").finish());
        let Some(leg) = self.calls.by_invite.get(&invite).copied() else { return };
        self.refuse(now, leg, 487, &[]);
        self.tell_reason(leg, cancel);
        self.inbox.push_back(Happening::Cancelled { leg });
    }
}

/// Why a phone without a password is refused: for who runs the center, in the phone's log.
const UNPROVED: &str =
    "Warning: 399 hotline \"this phone has no password, and its address is in no network of trusted in [guard] of hotline.toml\"\r\n";
/// When to try again after we were full, in seconds.
const FULL_FOR: u64 = 5;

/// What the ACK of a 200 will be about.
pub(super) struct Unacknowledged {
    pub seq: u32,
    pub which: Which,
    pub offer: Offer,
}

/// A 2xx to INVITE or UPDATE, with what was agreed about the session timer.
pub(super) fn accepted(reply: &Reply, contact: &str, timer: Option<SessionTimer>, server: &str, sdp: &[u8]) -> Bytes {
    let mut writer = reply.begin(200, "");
    writer.raw("Contact", contact.as_bytes()).lines(ABILITIES).header("Server", server);
    if let Some(timer) = timer {
        put_timer(&mut writer, timer);
    }
    writer.body(SDP, sdp)
}

fn put_timer(writer: &mut Writer, timer: SessionTimer) {
    let refresher = if timer.refresher == Refresher::Peer { "uac" } else { "uas" };
    writer.format("Session-Expires", format_args!("{};refresher={refresher}", timer.seconds));
    if timer.known == Known::Yes && timer.refresher == Refresher::Peer {
        writer.raw("Require", b"timer");
    }
}

/// The peer's way to be refreshed: UPDATE when he allows it.
pub(super) fn refresh_by(message: &Message) -> Method {
    if message.lists(Name::Allow, "UPDATE") { Method::Update } else { Method::Invite }
}

/// A body must be a session description in plain text.
pub(super) fn check_body(request: &Message) -> Result<(), Stop> {
    let encoded = request.header(Name::ContentEncoding).is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Stop::lines(415, "Accept-Encoding: identity\r\n".to_owned()));
    }
    match request.body().is_empty() || request.sdp().is_some() {
        true => Ok(()),
        false => Err(Stop::lines(415, format!("Accept: {SDP}\r\n"))),
    }
}

/// Our answers are session descriptions: who does not take them cannot be answered (RFC 4475 §3.3.15).
fn check_accept(invite: &Message) -> Result<(), Stop> {
    let named = invite.header(Name::Accept).is_some();
    let takes = |value: &[u8]| {
        let kind = text::trim(&value[..memchr::memchr(b';', value).unwrap_or(value.len())]);
        kind.is_empty() || [SDP, "application/*", "*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known.as_bytes()))
    };
    match !named || invite.values(Name::Accept).any(takes) {
        true => Ok(()),
        false => Err(Stop::lines(406, format!("Warning: 399 hotline \"Accept must list {SDP}\"\r\n"))),
    }
}

/// The owner's view of an INVITE.
fn invited(leg: LegId, flow: Flow, invite: &Message, asserted: Option<Address<'_>>) -> Invited {
    let from = invite.from();
    // What anybody can write is no assertion (RFC 3325 §5).
    let theirs = |name: Name| !is_ours(name) && (name != Name::PAssertedIdentity || asserted.is_some());
    let caller = asserted.or(from).map(|address| address.uri.user_text().into_owned()).unwrap_or_default();
    Invited {
        leg,
        at: Time::default(),
        flow,
        request_uri: text::lossy(invite.request_uri()).into_owned(),
        user: Uri::parse(invite.request_uri()).map(|uri| uri.user_text().into_owned()).unwrap_or_default(),
        caller,
        to: invite.to().map(|to| to.uri.user_text().into_owned()).unwrap_or_default(),
        caller_name: asserted.and_then(|address| address.name()).or_else(|| from.and_then(|from| from.name())),
        authenticated: None,
        call_id: text::lossy(invite.call_id()).into_owned(),
        headers: invite.lines().filter(|(name, _, _)| theirs(*name)).map(|(_, name, value)| pair(name, value)).collect(),
        sdp: None,
        replaces: None,
    }
}

fn pair(name: &[u8], value: &[u8]) -> (String, String) {
    (text::lossy(name).into_owned(), text::lossy(value).into_owned())
}

/// Headers that the endpoint deals with; all others are the owner's.
fn is_ours(name: Name) -> bool {
    use Name::{
        Authorization, CSeq, CallId, Contact, ContentEncoding, ContentLength, ContentType, From, ProxyAuthorization, RecordRoute, Route,
        To, Via,
    };
    let dialog = matches!(name, Via | From | To | CallId | CSeq | Contact | Route | RecordRoute);
    dialog || matches!(name, ContentLength | ContentType | ContentEncoding | Authorization | ProxyAuthorization)
}

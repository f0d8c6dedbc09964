//! Requests within a dialog.

use super::Endpoint;
use super::door::Stop;
use super::leg::{Asked, Exchange, Leg, Offer, Stage, Which};
use super::reply::Reply;
use super::ringing::{accepted, check_body};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name};
use crate::control::sip::session_timer::{MIN_SE, SessionTimer};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::Flow;

/// A peer whose offer met one of his own unanswered ones tries again after at most so many seconds (RFC 3261 §14.2).
const RETRY_WITHIN: u64 = 10;

impl Endpoint {
    pub(super) fn on_request_inside(&mut self, now: Time, id: LegId, flow: Flow, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return Err(Stop::with(481)) };
        let early = [Method::Update, Method::Info, Method::Options, Method::Prack];
        if matches!(leg.stage, Stage::Calling(_)) && !early.contains(&request.method()) {
            // The callee ends an early dialog by refusing the INVITE, not by BYE (RFC 3261 §15).
            return Err(Stop::with(481));
        }
        if !leg.dialog.take_remote_seq(request.cseq().map_or(0, |cseq| cseq.number)) {
            return Err(Stop::why(500, "CSeq: a later request came before this one"));
        }
        if flow.transport == leg.dialog.flow.transport {
            // A phone behind NAT whose mapping moved, or one that reconnected, is reached along its latest path.
            leg.dialog.flow = flow;
        }
        match request.method() {
            Method::Bye => self.on_bye(now, id, request, reply),
            Method::Invite | Method::Update => self.on_offer(now, id, request, reply),
            Method::Options => self.on_options(now, reply),
            Method::Info => self.on_info(now, id, request, reply),
            Method::Refer => self.on_refer(now, id, request, reply),
            Method::Notify => self.on_notify(now, id, request, reply),
            Method::Prack => self.on_prack(now, id, request, reply),
            Method::Message => self.on_text(now, id, request, reply),
            Method::Subscribe => Err(super::door::no_such_event()),
            Method::Other => Err(Stop::with(501)),
            _ => Err(Stop::with(405)),
        }
    }

    fn on_bye(&mut self, now: Time, id: LegId, bye: &Message, reply: &Reply) -> Result<(), Stop> {
        self.respond(now, reply.key, 200, reply.begin(200, "").finish());
        if matches!(self.calls.legs.get(&id).map(|leg| &leg.stage), Some(Stage::Ending)) {
            // Both hung up at once: the leg goes with the answer to our own BYE.
            return Ok(());
        }
        let Some(leg) = self.forget(id) else { return Ok(()) };
        let silent = leg.leaving.is_some();
        self.terminate_pending(now, &leg.exchange);
        match leg.stage {
            Stage::Incoming(incoming) => {
                let refusal = incoming.reply.begin(487, "").finish();
                self.respond(now, incoming.reply.key, 487, refusal);
                self.tell_reason(id, bye);
                self.inbox.push_back(Happening::Cancelled { leg: id });
            }
            _ if silent => {}
            _ => {
                self.tell_reason(id, bye);
                self.inbox.push_back(Happening::HungUp { leg: id });
            }
        }
        Ok(())
    }

    /// A re-INVITE that the end of the session overtook is answered 487.
    pub(super) fn terminate_pending(&mut self, now: Time, exchange: &Exchange) {
        if let Exchange::Theirs(asked) = exchange {
            let refusal = asked.reply.begin(487, "").finish();
            self.respond(now, asked.reply.key, 487, refusal);
        }
    }

    /// A re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311 §5.2).
    fn on_offer(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let timer = SessionTimer::asked(request).map_err(|_| Stop::lines(422, format!("Min-SE: {MIN_SE}\r\n")))?;
        check_body(request)?;
        let Some(leg) = self.calls.legs.get_mut(&id) else { return Err(Stop::with(481)) };
        let sdp = request.sdp();
        let is_update = request.method() == Method::Update;
        if is_update && sdp.is_none() {
            return self.on_refresh(now, id, request, reply, timer);
        }
        ready_for_offer(leg, request)?;
        leg.dialog.refresh_target(request);
        let seq = request.cseq().map_or(0, |cseq| cseq.number);
        let offer = if sdp.is_some() { Offer::Theirs } else { Offer::Ours };
        let asked = Asked { reply: reply.clone(), method: request.method(), timer, seq, offer };
        if let Exchange::Glare(sdp) = std::mem::replace(&mut leg.exchange, Exchange::Theirs(Box::new(asked))) {
            // Theirs came first after glare; ours follows it.
            leg.next_offer.get_or_insert(sdp);
        }
        if !is_update {
            self.respond(now, reply.key, 100, reply.begin(100, "").finish());
        }
        self.inbox.push_back(Happening::Offered { leg: id, sdp });
        Ok(())
    }

    /// An UPDATE without an offer: only the session timer and the target.
    fn on_refresh(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply, timer: Option<SessionTimer>) -> Result<(), Stop> {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return Err(Stop::with(481)) };
        leg.dialog.refresh_target(request);
        leg.timer = timer.or(leg.timer.filter(|_| matches!(leg.stage, Stage::Incoming(_))));
        let contact = self.contact_of(id);
        let ok = accepted(reply, &contact, timer, &self.settings.user_agent, &[]);
        self.respond(now, reply.key, 200, ok);
        self.watch_session(now, id);
        Ok(())
    }

    fn on_info(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let key = match request.content_type().to_ascii_lowercase().as_str() {
            "application/dtmf-relay" => relayed_key(request.body()),
            "application/dtmf" => request.body().first().copied().and_then(key_of),
            "" => None,
            _ if request.body().is_empty() => None,
            _ => return Err(Stop::lines(415, "Accept: application/dtmf-relay, application/dtmf\r\n".to_owned())),
        };
        self.respond(now, reply.key, 200, reply.begin(200, "").finish());
        if let Some(key) = key {
            self.inbox.push_back(Happening::Key { leg: id, key });
        }
        Ok(())
    }

    /// A line of text. What is no text is refused; the call goes on.
    fn on_text(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        if !request.content_type().eq_ignore_ascii_case("text/plain") {
            return Err(Stop::lines(415, "Accept: text/plain\r\n".to_owned()));
        }
        self.respond(now, reply.key, 200, reply.begin(200, "").finish());
        let text = String::from_utf8_lossy(request.body()).trim().to_owned();
        if !text.is_empty() {
            self.inbox.push_back(Happening::Texted { leg: id, text });
        }
        Ok(())
    }

    fn on_notify(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        let event = request.header(Name::Event).unwrap_or_default();
        if !event.to_ascii_lowercase().starts_with(b"refer") {
            return Err(Stop::with(489));
        }
        self.respond(now, reply.key, 200, reply.begin(200, "").finish());
        let status = request.body().strip_prefix(b"SIP/2.0 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
        if let Some(status) = status {
            self.inbox.push_back(Happening::TransferProgress { leg: id, status });
        }
        Ok(())
    }

    /// 200 to the peer's re-INVITE or UPDATE (`Offered`), with the answer, or our offer when there was none.
    pub fn answer_offer(&mut self, now: Time, leg: LegId, sdp: bytes::Bytes) {
        let contact = self.contact_of(leg);
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        if !matches!(state.exchange, Exchange::Theirs(_)) {
            return;
        }
        let Exchange::Theirs(asked) = std::mem::replace(&mut state.exchange, Exchange::Idle) else { return };
        state.last_sdp = sdp.clone();
        state.timer = asked.timer;
        let ok = accepted(&asked.reply, &contact, asked.timer, &self.settings.user_agent, &sdp);
        if asked.method == Method::Invite {
            let about = super::ringing::Unacknowledged { seq: asked.seq, which: Which::Again, offer: asked.offer };
            self.send_200(now, leg, &asked.reply, ok, about);
        } else {
            self.respond(now, asked.reply.key, 200, ok);
        }
        self.watch_session(now, leg);
        self.offer_next(now, leg);
    }

    /// A failure to the peer's re-INVITE or UPDATE; the session goes on as it was.
    pub fn refuse_offer(&mut self, now: Time, leg: LegId, status: u16, headers: &[(&str, &str)]) {
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        if !matches!(state.exchange, Exchange::Theirs(_)) {
            return;
        }
        let Exchange::Theirs(asked) = std::mem::replace(&mut state.exchange, Exchange::Idle) else { return };
        let mut writer = asked.reply.begin(status, "");
        super::put_headers(&mut writer, headers);
        self.respond(now, asked.reply.key, status, writer.finish());
        self.offer_next(now, leg);
    }

    /// Our Contact in a leg.
    pub(super) fn contact_of(&self, id: LegId) -> String {
        self.calls.legs.get(&id).map(|leg| self.contact_in(&leg.dialog, &leg.dialog.flow)).unwrap_or_default()
    }
}

/// May the peer offer now?
fn ready_for_offer(leg: &Leg, request: &Message) -> Result<(), Stop> {
    let tag = request.from().and_then(|from| from.tag()).unwrap_or_default();
    match (&leg.stage, &leg.exchange) {
        // Before the 200 only UPDATE may, and only after a reliable answer (RFC 3311 §5.1).
        (Stage::Incoming(_), Exchange::Idle) if leg.reliable.agreed && request.method() == Method::Update => Ok(()),
        (Stage::Calling(calling), Exchange::Idle)
            if request.method() == Method::Update && calling.forks.iter().any(|fork| fork.agreed && fork.tag == tag) =>
        {
            Ok(())
        }
        (Stage::Up, Exchange::Ours(_)) => Err(Stop::with(491)),
        (Stage::Up, Exchange::Theirs(_)) => Err(Stop::lines(500, format!("Retry-After: {RETRY_WITHIN}\r\n"))),
        // Our 200 offered and its ACK brings the answer: a second offer now is glare.
        (Stage::Up, _) if leg.unacked.as_ref().is_some_and(|unacked| unacked.offer == Offer::Ours) => Err(Stop::with(491)),
        (Stage::Up, _) => Ok(()),
        (Stage::Incoming(_), _) => Err(Stop::lines(500, format!("Retry-After: {RETRY_WITHIN}\r\n"))),
        (Stage::Calling(_), _) => Err(Stop::with(491)),
        (Stage::Ending, _) => Err(Stop::with(481)),
    }
}

/// `Signal=5` of application/dtmf-relay.
fn relayed_key(body: &[u8]) -> Option<char> {
    body.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at(memchr::memchr(b'=', line)?);
        let value = value[1..].trim_ascii();
        name.trim_ascii().eq_ignore_ascii_case(b"signal").then(|| match value {
            b"10" => Some('*'),
            b"11" => Some('#'),
            _ => value.first().copied().and_then(key_of),
        })?
    })
}

fn key_of(byte: u8) -> Option<char> {
    let key = char::from(byte.to_ascii_uppercase());
    "0123456789*#ABCD".contains(key).then_some(key)
}

//! Calls we place, up to their final answer.

use bytes::Bytes;

use super::leg::{Calling, Exchange, Heard, Leg, Login, Owed, Stage};
use super::way::Departure;
use super::{ABILITIES, Endpoint, LATE_ABILITIES, Outgoing, SDP, Target, tag_text};
use crate::control::sip::auth::{Challenge, Proof};
use crate::control::sip::dialog::{Dialog, Placed, Reach};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name, Uri, Writer, text};
use crate::control::sip::session_timer::{ASKED, MIN_SE, SessionTimer};
use crate::control::sip::transaction::request::{Change, again};
use crate::control::sip::transaction::{Key, MAX_FORWARDS, Purpose};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Transmit};

/// The description itself was refused: 415 Unsupported Media Type, 488 and 606 Not Acceptable.
const DESCRIPTION_REFUSED: [u16; 3] = [415, 488, 606];
/// Challenges met in a row before we give up: one, one stale, and one of a second proxy.
const MAX_TRIES: u8 = 3;

/// What is new in a request that goes out once more.
struct Anew<'a> {
    seq: u32,
    headers: &'a [(Name, &'a str)],
    sdp: Option<&'a [u8]>,
}

impl Endpoint {
    /// Places a call. Ends in `Answered`, `Refused` or `Lost`; 401/407 with credentials and forks are dealt with inside.
    pub fn invite(&mut self, now: Time, leg: LegId, outgoing: Outgoing) {
        if self.calls.legs.contains_key(&leg) {
            return;
        }
        let tag = self.random.bits();
        let call_id = Bytes::from(self.random.token());
        let reach = reach_of(&outgoing);
        let way = self.way_to(now, &outgoing.target, reach);
        let hop = self.hop(&way.first);
        let dialog = dialog_of(&outgoing, way.first, reach, call_id, tag);
        let request = self.first_invite(&dialog, &outgoing, &hop.via);
        let key = self.keys.client(&hop.branch, Method::Invite);
        let calling = Calling::new(key, hop.branch.clone(), outgoing.manner.second_offer.clone());
        let mut state = Leg::new(tag, dialog, Stage::Calling(Box::new(calling)));
        state.login = outgoing.credentials.map(|credentials| Login { credentials, tries: 0 });
        state.last_sdp = outgoing.sdp;
        self.calls.legs.insert(leg, state);
        self.calls.by_tag.insert(tag, leg);
        self.depart(now, way, Departure { hop, method: Method::Invite, purpose: Purpose::Invite(leg), request });
    }

    fn first_invite(&self, dialog: &Dialog, outgoing: &Outgoing, via: &str) -> Bytes {
        let mut writer = Writer::request(Method::Invite.token().as_bytes(), &dialog.target);
        writer.raw("Via", via.as_bytes());
        for route in &dialog.routes {
            writer.raw("Route", route);
        }
        let own_hops = outgoing.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Max-Forwards"));
        if !own_hops {
            writer.number("Max-Forwards", MAX_FORWARDS);
        }
        writer.raw("From", &dialog.local).raw("To", &dialog.remote).raw("Call-ID", &dialog.call_id).raw("CSeq", b"1 INVITE");
        writer.raw("Contact", self.contact_in(dialog, &dialog.flow).as_bytes()).lines(if outgoing.sdp.is_empty() {
            LATE_ABILITIES
        } else {
            ABILITIES
        });
        writer.header("User-Agent", &self.settings.user_agent);
        writer.number(Name::SessionExpires.text(), ASKED).number(Name::MinSe.text(), MIN_SE);
        for (name, value) in &outgoing.headers {
            writer.header(name, value);
        }
        writer.body(SDP, &outgoing.sdp)
    }

    /// A provisional response to our INVITE.
    pub(super) fn on_progress(&mut self, now: Time, id: LegId, flow: Flow, response: &Message) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let Stage::Calling(calling) = &mut leg.stage else { return };
        leg.dialog.flow = flow;
        if calling.heard == Heard::Nothing {
            calling.heard = Heard::Provisional;
        }
        let leaving = leg.leaving.is_some();
        let is_news = self.acknowledge_provisional(now, id, flow, response);
        if leaving {
            return self.cancel(now, id);
        }
        if is_news && response.status() > 100 {
            let sdp = response.sdp();
            self.inbox.push_back(Happening::Progress { leg: id, status: response.status(), sdp });
        }
    }

    /// Sends CANCEL once, as soon as it may go out.
    pub(super) fn cancel(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let Stage::Calling(calling) = &mut leg.stage else { return };
        if calling.heard == Heard::Provisional {
            calling.heard = Heard::Cancelled;
            let (invite, cancel) = (calling.key, self.keys.client(&calling.branch, Method::Cancel));
            let lines = leg.leaving.clone().unwrap_or_default();
            self.transactions.cancel(now, (invite, cancel), &lines, &mut self.outbox);
        }
    }

    /// A 2xx to our INVITE: the first one makes the dialog, one of another fork is acknowledged and ended (RFC 3261 §13.2.2.4).
    pub(super) fn on_accepted(&mut self, now: Time, key: Key, id: LegId, flow: Flow, messages: (&Message, &Message)) {
        let (invite, response) = messages;
        let tag = response.to().and_then(|to| to.tag()).unwrap_or_default();
        if self.transactions.ack_again(key, tag, &mut self.outbox) {
            return;
        }
        let calling = self.calls.legs.get(&id).and_then(|leg| match &leg.stage {
            Stage::Calling(calling) if calling.key == key => Some(calling.early(tag)),
            _ => None,
        });
        let Some(early) = calling else { return self.end_fork(now, key, flow, invite, response) };
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        leg.dialog = leg.dialog.confirmed_by(response, flow);
        leg.stage = Stage::Up;
        leg.timer = SessionTimer::granted(response);
        leg.refresh_by = super::ringing::refresh_by(response);
        if let Some(login) = &mut leg.login {
            login.tries = 0;
        }
        let dialog = leg.dialog.clone();
        let leaving = leg.leaving.is_some();
        let late = leg.last_sdp.is_empty() && !leaving;
        if late {
            leg.exchange = Exchange::Owed(Box::new(Owed { key, invite: invite.bytes().clone(), tag: Bytes::copy_from_slice(tag) }));
        } else {
            self.acknowledge(now, key, &dialog, (invite, tag), &[]);
        }
        if leaving {
            self.inbox.push_back(Happening::Refused { leg: id, status: 487 });
            return self.send_bye(now, id);
        }
        self.watch_session(now, id);
        self.inbox.push_back(Happening::Answered { leg: id, sdp: response.sdp().unwrap_or(early) });
        self.offer_next(now, id);
    }

    /// The ACK of a 2xx: a request of its own within the dialog, with the proof that the INVITE carried.
    pub(super) fn acknowledge(&mut self, now: Time, key: Key, dialog: &Dialog, (invite, tag): (&Message, &[u8]), sdp: &[u8]) {
        let flow = self.path_within(now, dialog);
        let hop = self.hop(&flow);
        let mut writer = dialog.request(Method::Ack, invite.cseq().map_or(1, |cseq| cseq.number), &hop.via);
        for name in [Name::Authorization, Name::ProxyAuthorization] {
            for value in invite.headers(name) {
                writer.raw(name.text(), value);
            }
        }
        let ack = Transmit { flow, bytes: writer.body(SDP, sdp) };
        self.transactions.keep_ack(key, Bytes::copy_from_slice(tag), ack, &mut self.outbox);
    }

    /// The ACK of a 200 that carried the offer, with our answer (RFC 3261 §13.2.1); without one it only ends the wait.
    pub fn acknowledge_with(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        let Exchange::Owed(owed) = &state.exchange else { return };
        let (Owed { key, invite, tag }, dialog) = (owed.as_ref().clone(), state.dialog.clone());
        state.exchange = Exchange::Idle;
        state.last_sdp = sdp.clone();
        if let Ok(invite) = Message::parse(invite) {
            self.acknowledge(now, key, &dialog, (&invite, &tag), &sdp);
        }
        self.offer_next(now, leg);
    }

    fn end_fork(&mut self, now: Time, key: Key, flow: Flow, invite: &Message, response: &Message) {
        let local = invite.share(invite.header(Name::From).unwrap_or_default());
        let bare = Dialog { local_seq: invite.cseq().map_or(1, |cseq| cseq.number), ..bare_dialog(invite, local, flow) };
        let mut dialog = bare.confirmed_by(response, flow);
        let tag = dialog.remote_tag.clone();
        self.acknowledge(now, key, &dialog, (invite, &tag), &[]);
        dialog.local_seq += 1;
        let flow = self.path_within(now, &dialog);
        let hop = self.hop(&flow);
        let bytes = dialog.request(Method::Bye, dialog.local_seq, &hop.via).finish();
        let key = self.keys.client(&hop.branch, Method::Bye);
        self.transactions.open_client(now, key, Method::Bye, Transmit { flow, bytes }, Purpose::Stray, &mut self.outbox);
    }

    /// A final failure of our INVITE.
    pub(super) fn on_refused(&mut self, now: Time, id: LegId, request: &Message, response: &Message) {
        let leaving = self.calls.legs.get(&id).is_none_or(|leg| leg.leaving.is_some());
        if !leaving && self.prove_again(now, id, Purpose::Invite(id), request, response) {
            return;
        }
        if !leaving && (self.ask_longer(now, id, request, response) || self.offer_otherwise(now, id, request, response)) {
            return;
        }
        if let Some(leg) = self.forget(id) {
            let status = if leg.leaving.is_some() { 487 } else { response.status() };
            if let (300..=302, Some(contact)) = (status, response.address(Name::Contact)) {
                self.inbox.push_back(Happening::Moved { leg: id, to: text::lossy(contact.uri.raw).into_owned() });
            }
            self.tell_reason(id, response);
            self.inbox.push_back(Happening::Refused { leg: id, status });
        }
    }

    /// Meets a 401 or 407 with the leg's credentials: the same request goes out again with the proof.
    pub(super) fn prove_again(&mut self, now: Time, id: LegId, purpose: Purpose, request: &Message, response: &Message) -> bool {
        let Some((challenge, header)) = Challenge::of_response(response) else { return false };
        let Some(dialog) = self.calls.legs.get(&id).map(|leg| leg.dialog.clone()) else { return false };
        let before = self.calling_key(id);
        let flow = if before.is_some() { dialog.flow } else { self.path_within(now, &dialog) };
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Some(login) = leg.login.as_mut().filter(|login| login.tries < MAX_TRIES) else { return false };
        login.tries += 1;
        leg.dialog.local_seq += 1;
        let (credentials, seq) = (login.credentials.clone(), leg.dialog.local_seq);
        let cnonce = self.random.token();
        let proof = Proof {
            user: &credentials.user,
            password: &credentials.password,
            method: request.method_token(),
            uri: request.request_uri(),
            count: 1,
            cnonce: &cnonce,
        };
        self.send_again(now, id, (purpose, flow), request, &Anew { seq, headers: &[(header, &proof.answer(&challenge))], sdp: None });
        true
    }

    /// A request of the leg once more as a new transaction, with other headers.
    fn send_again(&mut self, now: Time, id: LegId, (purpose, flow): (Purpose, Flow), request: &Message, anew: &Anew<'_>) {
        let before = self.calling_key(id);
        let hop = self.hop(&flow);
        let bytes = again(request, &Change { via: &hop.via, cseq: anew.seq, headers: anew.headers, body: anew.sdp });
        let key = self.keys.client(&hop.branch, request.method());
        if let Some(Stage::Calling(calling)) = self.calls.legs.get_mut(&id).map(|leg| &mut leg.stage) {
            calling.renew(key, hop.branch);
        }
        if let Some(before) = before {
            self.ways.carry_over(before, now, key, &bytes);
        }
        self.transactions.open_client(now, key, request.method(), Transmit { flow, bytes }, purpose, &mut self.outbox);
    }

    /// 422 to our INVITE: it goes out again with the interval that the far end insists on (RFC 4028 §7.3).
    fn ask_longer(&mut self, now: Time, id: LegId, request: &Message, response: &Message) -> bool {
        let asked = request.number(Name::SessionExpires).unwrap_or(0);
        let Some(least) = SessionTimer::insisted(response, asked).filter(|_| response.status() == 422) else { return false };
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        leg.dialog.local_seq += 1;
        let (seq, flow, least) = (leg.dialog.local_seq, leg.dialog.flow, least.to_string());
        let headers = [(Name::SessionExpires, least.as_str()), (Name::MinSe, least.as_str())];
        self.send_again(now, id, (Purpose::Invite(id), flow), request, &Anew { seq, headers: &headers, sdp: None });
        true
    }

    /// The far end refused the description: it gets the other one that the owner has, once.
    fn offer_otherwise(&mut self, now: Time, id: LegId, request: &Message, response: &Message) -> bool {
        let Some(leg) = self.calls.legs.get_mut(&id).filter(|_| DESCRIPTION_REFUSED.contains(&response.status())) else { return false };
        let Stage::Calling(calling) = &mut leg.stage else { return false };
        let Some(sdp) = calling.second_offer.take() else { return false };
        leg.dialog.local_seq += 1;
        leg.last_sdp = sdp.clone();
        let (seq, flow) = (leg.dialog.local_seq, leg.dialog.flow);
        self.inbox.push_back(Happening::OfferedOtherwise { leg: id });
        self.send_again(now, id, (Purpose::Invite(id), flow), request, &Anew { seq, headers: &[], sdp: Some(&sdp) });
        true
    }

    /// The transaction of a call that is not answered yet.
    fn calling_key(&self, id: LegId) -> Option<Key> {
        match self.calls.legs.get(&id).map(|leg| &leg.stage) {
            Some(Stage::Calling(calling)) => Some(calling.key),
            _ => None,
        }
    }

    /// Sends a re-INVITE with a new offer; `Reanswered` or `ReofferFailed` follows. Glare (491) is retried inside (RFC 3261 §14.1).
    pub fn reoffer(&mut self, now: Time, leg: LegId, sdp: Bytes) {
        let Some(state) = self.calls.legs.get_mut(&leg) else { return };
        if state.leaving.is_some() || matches!(state.stage, Stage::Ending) {
            return;
        }
        if let Exchange::Glare(waiting) = &mut state.exchange {
            *waiting = sdp;
            return;
        }
        state.next_offer = Some(sdp);
        self.offer_next(now, leg);
    }
}

/// The owner may send along another path than the URI says (a registered phone behind NAT, an outbound proxy): so do we later.
fn reach_of(outgoing: &Outgoing) -> Reach {
    let said = Uri::parse(outgoing.request_uri.as_bytes()).ok().and_then(|uri| uri.socket());
    match &outgoing.target {
        Target::Path(flow) if said.map(|said| said.ip()) != Some(flow.remote.ip()) => Reach::ByFlow,
        Target::Path(_) | Target::Named(_) | Target::Eager(_) => Reach::ByAddress,
    }
}

fn dialog_of(outgoing: &Outgoing, flow: Flow, reach: Reach, call_id: Bytes, tag: u64) -> Dialog {
    let clean = |text: &str| text.replace(|letter: char| letter.is_ascii_control(), " ");
    Dialog {
        call_id,
        local: Bytes::from(format!("{};tag={}", clean(&outgoing.from), tag_text(tag))),
        remote: Bytes::from(clean(&outgoing.to)),
        remote_tag: Bytes::new(),
        local_seq: 1,
        remote_seq: None,
        target: Bytes::from(without_headers(&clean(&outgoing.request_uri)).replace(' ', "%20")),
        routes: outgoing.manner.routes.iter().map(|route| Bytes::from(clean(route))).collect(),
        flow,
        placed_by: Placed::ByUs,
        reach,
    }
}

/// A Request-URI carries no headers, and those that a registered contact asks for are not ours to obey (RFC 3261 §19.1.5).
fn without_headers(uri: &str) -> &str {
    let host = uri.find('@').unwrap_or(0);
    uri[host..].find('?').map_or(uri, |at| &uri[..host + at])
}

fn bare_dialog(invite: &Message, local: Bytes, flow: Flow) -> Dialog {
    Dialog {
        call_id: invite.share(invite.call_id()),
        local,
        remote: Bytes::new(),
        remote_tag: Bytes::new(),
        local_seq: 1,
        remote_seq: None,
        target: invite.share(invite.request_uri()),
        routes: Vec::new(),
        flow,
        placed_by: Placed::ByUs,
        reach: Reach::ByAddress,
    }
}

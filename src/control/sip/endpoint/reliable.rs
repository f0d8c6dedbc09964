//! Provisional responses that arrive for sure (RFC 3262): as callee we repeat them until their PRACK comes, as caller we send it.

use std::time::Duration;

use bytes::Bytes;

use super::door::Stop;
use super::leg::{Alarm, Asked, Exchange, Fork, Leg, Offer, Stage};
use super::reply::Reply;
use super::ringing::check_body;
use super::{ABILITIES, Endpoint, SDP};
use crate::control::sip::happening::Happening;
use crate::control::sip::message::{Message, Method, Name, text};
use crate::control::sip::transaction::{MAX_FORKS, PATIENCE, Purpose, T1};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::{Flow, Transmit};

/// The option tag.
pub(super) const REL: &str = "100rel";
/// 504 to an INVITE whose reliable provisional response nobody acknowledged (RFC 3262 §3: a 5xx).
const NOBODY_ACKNOWLEDGES: u16 = 504;

/// Does the caller want reliable provisional responses?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// He does not know them.
    No,
    /// He takes them: we send them where they carry a description.
    Supported,
    /// He insists: every one but 100.
    Required,
}

/// What is under way as callee.
#[derive(Debug)]
pub(super) struct Reliable {
    pub wanted: Wanted,
    /// RSeq of the last one.
    rseq: u32,
    /// CSeq number of the INVITE; the dialog's own goes on with each PRACK.
    pub invite: u32,
    /// It waits for its PRACK.
    unacked: Option<Unpracked>,
    /// The next one, which must not go out before that (RFC 3262 §3).
    next: Option<(u16, Option<Bytes>)>,
    /// Our 200, which must wait too when a description is unacknowledged.
    answer: Option<Bytes>,
    /// Offer and answer are through before the 200.
    pub agreed: bool,
}

/// A reliable provisional response without its PRACK.
#[derive(Debug)]
struct Unpracked {
    status: u16,
    bytes: Bytes,
    interval: Duration,
    gives_up: Time,
    describes: bool,
}

impl Reliable {
    /// A caller who never asked.
    pub(super) fn none() -> Reliable {
        Reliable { wanted: Wanted::No, rseq: 0, invite: 0, unacked: None, next: None, answer: None, agreed: false }
    }

    pub(super) fn of(invite: &Message) -> Reliable {
        let wanted = match (invite.lists(Name::Require, REL), invite.lists(Name::Supported, REL)) {
            (true, _) => Wanted::Required,
            (_, true) => Wanted::Supported,
            _ => Wanted::No,
        };
        Reliable { wanted, invite: invite.cseq().map_or(0, |cseq| cseq.number), ..Reliable::none() }
    }

    /// Must the 200 wait for a PRACK? Then it is kept.
    pub(super) fn keeps(&mut self, answer: &Bytes) -> bool {
        let waits = self.unacked.as_ref().is_some_and(|unacked| unacked.describes);
        if waits {
            self.answer = Some(answer.clone());
        }
        waits
    }

    /// The final answer is out: nothing is repeated or sent after it.
    pub(super) fn close(&mut self) {
        self.unacked = None;
        self.next = None;
    }
}

impl Endpoint {
    /// Sends a provisional response reliably when the caller wants it so; true when that is done or waits for its turn.
    pub(super) fn ring_reliably(&mut self, now: Time, id: LegId, status: u16, sdp: Option<&Bytes>) -> bool {
        let contact = self.contact_of(id);
        let Some(Leg { reliable, stage: Stage::Incoming(incoming), .. }) = self.calls.legs.get_mut(&id) else { return false };
        let wished = match reliable.wanted {
            Wanted::No => false,
            Wanted::Supported => sdp.is_some(),
            Wanted::Required => true,
        };
        if !wished || status <= 100 {
            return false;
        }
        if sdp.is_none() && incoming.offer == Offer::Ours {
            // It would have to carry our offer (RFC 3261 §13.2.1), and we offer in the 200.
            return true;
        }
        if reliable.unacked.is_some() {
            reliable.next = Some((status, sdp.cloned()));
            return true;
        }
        reliable.rseq += 1;
        let mut writer = incoming.reply.begin(status, "");
        writer.raw("Contact", contact.as_bytes()).lines(ABILITIES).raw("Require", REL.as_bytes()).number("RSeq", reliable.rseq);
        let bytes = writer.body(SDP, sdp.map_or(&[][..], |sdp| sdp));
        let describes = sdp.is_some();
        reliable.unacked = Some(Unpracked { status, bytes: bytes.clone(), interval: T1, gives_up: now + PATIENCE, describes });
        let key = incoming.reply.key;
        self.calls.alarms.set((id, Alarm::Reliable), now + T1);
        self.respond(now, key, status, bytes);
        true
    }

    /// It goes out again, at doubling intervals without a limit (RFC 3262 §3), or nobody acknowledges it and the call is refused.
    pub(super) fn ring_reliably_again(&mut self, now: Time, id: LegId) {
        let Some(Leg { reliable, stage: Stage::Incoming(incoming), .. }) = self.calls.legs.get_mut(&id) else { return };
        let Some(unacked) = reliable.unacked.as_mut() else { return };
        if now >= unacked.gives_up {
            self.refuse(now, id, NOBODY_ACKNOWLEDGES, &[]);
            return self.inbox.push_back(Happening::Lost { leg: id, why: "no PRACK came for our provisional response" });
        }
        unacked.interval *= 2;
        let next = (now + unacked.interval).min(unacked.gives_up);
        let (key, status, bytes) = (incoming.reply.key, unacked.status, unacked.bytes.clone());
        self.calls.alarms.set((id, Alarm::Reliable), next);
        self.respond(now, key, status, bytes);
    }

    /// PRACK of one of ours; what waited for it goes out.
    pub(super) fn on_prack(&mut self, now: Time, id: LegId, request: &Message, reply: &Reply) -> Result<(), Stop> {
        check_body(request)?;
        let Some(leg) = self.calls.legs.get_mut(&id) else { return Err(Stop::with(481)) };
        let (rseq, number) = rack(request).ok_or_else(|| Stop::why(400, "RAck: it must be 'RSeq CSeq INVITE'"))?;
        let known = rseq == leg.reliable.rseq && number == leg.reliable.invite;
        if !known {
            return Err(Stop::with(481));
        }
        let Some(unacked) = leg.reliable.unacked.take() else {
            // Our final answer overtook it.
            self.respond(now, reply.key, 200, reply.begin(200, "").finish());
            return Ok(());
        };
        leg.reliable.agreed |= unacked.describes;
        self.calls.alarms.clear(&(id, Alarm::Reliable));
        match request.sdp() {
            Some(sdp) if leg.reliable.agreed && matches!(leg.exchange, Exchange::Idle) => {
                let asked = Asked { reply: reply.clone(), method: Method::Prack, timer: None, seq: 0, offer: Offer::Theirs };
                leg.exchange = Exchange::Theirs(Box::new(asked));
                self.inbox.push_back(Happening::Offered { leg: id, sdp: Some(sdp) });
            }
            Some(_) => {
                self.ring_on(now, id);
                return Err(Stop::with(488));
            }
            None => self.respond(now, reply.key, 200, reply.begin(200, "").finish()),
        }
        self.ring_on(now, id);
        Ok(())
    }

    /// What waited for the PRACK.
    fn ring_on(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let (answer, next) = (leg.reliable.answer.take(), leg.reliable.next.take());
        match (answer, next) {
            (Some(sdp), _) => self.answer(now, id, sdp),
            (None, Some((status, sdp))) => self.ring(now, id, status, sdp),
            (None, None) => {}
        }
    }

    /// As caller: is this provisional response news? A reliable one is acknowledged, once and in order (RFC 3262 §4).
    pub(super) fn acknowledge_provisional(&mut self, now: Time, id: LegId, flow: Flow, response: &Message) -> bool {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Stage::Calling(calling) = &mut leg.stage else { return false };
        let Some(tag) = response.to().and_then(|to| to.tag()) else { return true };
        let Some(fork) = fork_of(&mut calling.forks, &response.share(tag)) else { return true };
        if let Some(sdp) = response.sdp() {
            fork.early = sdp;
        }
        let Some(rseq) = response.number(Name::RSeq).filter(|_| response.status() > 100 && response.lists(Name::Require, REL)) else {
            return true;
        };
        if rseq == 0 || (fork.rseq != 0 && rseq != fork.rseq.saturating_add(1)) {
            return false;
        }
        fork.rseq = rseq;
        fork.agreed |= response.sdp().is_some();
        leg.dialog.local_seq += 1;
        let (dialog, seq) = (leg.dialog.confirmed_by(response, flow), leg.dialog.local_seq);
        let number = response.cseq().map_or(0, |cseq| cseq.number);
        let next_hop = self.path_within(now, &dialog);
        let hop = self.hop(&next_hop);
        let mut writer = dialog.request(Method::Prack, seq, &hop.via);
        writer.format("RAck", format_args!("{rseq} {number} INVITE")).header("User-Agent", &self.settings.user_agent);
        let key = self.keys.client(&hop.branch, Method::Prack);
        let prack = Transmit { flow: next_hop, bytes: writer.finish() };
        self.transactions.open_client(now, key, Method::Prack, prack, Purpose::Stray, &mut self.outbox);
        true
    }
}

/// What is known of the fork with this tag; `None` when there are too many.
fn fork_of<'a>(forks: &'a mut Vec<Fork>, tag: &Bytes) -> Option<&'a mut Fork> {
    let at = match forks.iter().position(|fork| fork.tag == tag) {
        Some(at) => at,
        None if forks.len() < MAX_FORKS => {
            forks.push(Fork { tag: tag.clone(), rseq: 0, early: Bytes::new(), agreed: false });
            forks.len() - 1
        }
        None => return None,
    };
    forks.get_mut(at)
}

/// RSeq and CSeq number of `RAck: 1 314159 INVITE`.
fn rack(request: &Message) -> Option<(u32, u32)> {
    let value = text::lossy(request.header(Name::RAck)?).into_owned();
    let mut parts = value.split_ascii_whitespace();
    let (rseq, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next() == Some("INVITE") && parts.next().is_none()).then_some((rseq, number))
}

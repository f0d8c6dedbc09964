//! Requests from the wire, before anything is done about them: who is heard, and what is answered without work.
//!
//! What belongs to a call or a transaction of ours goes straight in. A stranger's request costs a look into a table or two; refusals
//! here leave nothing behind, and none is longer than what came when its sender's address may be forged.

use std::net::IpAddr;

use super::Switch;
use crate::control::event::Fact;
use crate::control::guard::{Admission, Asking, News, Sender};
use crate::control::ladder::Which;
use crate::control::limits::RETRY_AFTER;
use crate::control::sip::endpoint::stateless;
use crate::control::sip::happening::Proof;
use crate::control::sip::message::{Message, Method, Name, Scheme, Uri, text};
use crate::control::sip::{Happening, Received};
use crate::control::surface::Output;
use crate::control::time::Time;
use crate::control::words::agent::{Refusal, Reply};
use crate::control::words::guard::{Ban, Offence, Source};
use crate::control::words::pressure::Pressure;
use crate::control::words::seen::Counts;
use crate::control::words::sip::Transmit;

/// 404 Not Found.
const NOT_FOUND: u16 = 404;
/// 503 Service Unavailable.
const UNAVAILABLE: u16 = 503;

/// What becomes of a request.
enum Verdict {
    GoOn,
    Silence,
    Answer { status: u16, retry_after: Option<u32> },
}

impl Switch {
    pub(super) fn on_sip(&mut self, now: Time, received: Received) {
        match self.screen(now, &received) {
            Verdict::GoOn => {
                self.ladders.came(now, &received);
                self.endpoint.receive(now, received);
            }
            Verdict::Silence => {}
            Verdict::Answer { status, retry_after } => self.answer_at_the_door(&received, status, retry_after),
        }
    }

    fn screen(&mut self, now: Time, received: &Received) -> Verdict {
        let Received { flow, message } = received;
        if !message.is_request() || message.method() == Method::Ack {
            return Verdict::GoOn;
        }
        let address = flow.remote.ip();
        if self.endpoint.is_within_a_call(message) {
            // Nobody guesses our tags: the sender got our answers, so he is where he says.
            self.guard.befriend(address);
            return Verdict::GoOn;
        }
        // A trunk is never limited, and its numbers are read as it writes them.
        if self.endpoint.is_under_way(message) || self.endpoint.trusts(now, address) {
            return Verdict::GoOn;
        }
        let sender = if self.endpoint.is_registered(now, flow, message) { Sender::Phone } else { Sender::Stranger };
        if sender == Sender::Stranger && self.guard.is_scanner(message) {
            self.guard.offend(now, address, Offence::Scanner);
        }
        let asking = if message.method() == Method::Invite { Asking::Call } else { Asking::Other };
        match self.guard.admit(now, address, sender, asking) {
            Admission::Unheard => Verdict::Silence,
            Admission::Later => Verdict::Answer { status: UNAVAILABLE, retry_after: u32::try_from(RETRY_AFTER.as_secs()).ok() },
            Admission::Heard if asking == Asking::Call && self.leads_nowhere(message) => {
                if sender == Sender::Stranger {
                    self.guard.offend(now, address, Offence::UnknownNumber);
                }
                Verdict::Answer { status: NOT_FOUND, retry_after: None }
            }
            Admission::Heard => Verdict::GoOn,
        }
    }

    /// Is it a plain call of a number that nobody answers? Whatever else is odd about a request is the endpoint's to say.
    fn leads_nowhere(&self, invite: &Message) -> bool {
        let has = |name: Name| invite.header(name).is_some();
        let tagged = invite.to().is_some_and(|to| to.tag().is_some());
        if tagged || has(Name::Replaces) || has(Name::Require) || invite.max_forwards() == Some(0) {
            return false;
        }
        match Uri::parse(invite.request_uri()) {
            Ok(uri) if uri.scheme != Scheme::Other => self.routes.dialled(&uri.user_text(), &text::lossy(invite.request_uri())).is_none(),
            _ => false,
        }
    }

    /// An answer that leaves nothing behind. On UDP anybody may have written the address: he gets no more than came.
    fn answer_at_the_door(&mut self, received: &Received, status: u16, retry_after: Option<u32>) {
        let Received { flow, message } = received;
        let Some((to, bytes)) = stateless(message, *flow, status, "", retry_after) else { return };
        if flow.transport.is_reliable() || bytes.len() <= message.bytes().len() {
            self.work.out.push_back(Output::Sip(Transmit { flow: to, bytes }));
        }
    }

    /// What a proof was worth.
    pub(super) fn on_proof(&mut self, now: Time, address: IpAddr, proof: Proof) {
        match proof {
            _ if self.endpoint.trusts(now, address) => {}
            Proof::Good => self.guard.befriend(address),
            Proof::Wrong(user) => self.guard.mistaken(now, address, user),
            Proof::UnknownUser => self.guard.offend(now, address, Offence::UnknownUser),
        }
    }

    /// The machine's time is shorter or longer than before.
    pub(super) fn on_pressure(&mut self, now: Time, pressure: Pressure) {
        if std::mem::replace(&mut self.load.pressure, pressure) != pressure {
            tracing::warn!(level = pressure.word(), "what the machine has time for has changed");
            self.sessions.journal(now, Fact::Overload { level: pressure.word().to_owned() }, &mut self.work.sessions);
        }
    }

    /// Ends bans and tells what became of them.
    pub(super) fn look_after_bans(&mut self, now: Time) {
        if self.guard.poll_timeout().is_some_and(|due| due <= now)
            && let Some(fence) = self.guard.handle_timeout(now)
        {
            self.work.out.push_back(Output::Fence(std::sync::Arc::new(fence)));
        }
        while let Some(news) = self.guard.poll_news() {
            let fact = told(news);
            self.sessions.journal(now, fact, &mut self.work.sessions);
        }
    }

    /// An answer was timed: it counts for the metrics too.
    pub(super) fn count_turn(&mut self, fact: &Fact) {
        let Fact::TurnTimed { endpoint_ms, recognition_ms, understanding_us, lookup_ms, synthesis_ms, total_ms, .. } = fact else { return };
        let us = |ms: &u64| ms.saturating_mul(1_000);
        let parts = [us(endpoint_ms), us(recognition_ms), *understanding_us, us(lookup_ms), us(synthesis_ms), us(total_ms)];
        self.load.turns.iter_mut().zip(parts).for_each(|(spread, micros)| spread.add(micros));
    }

    /// All that is counted.
    pub(super) fn counts(&self) -> Counts {
        let (tolls, cuts) = (self.tolls.refused(), self.tolls.cuts());
        Counts {
            guard: self.guard.counts(),
            messages: self.ladders.counts(),
            tolls,
            cuts,
            pressure: self.load.pressure,
            trunks: self.trunks.loads(),
            turns: self.load.turns,
        }
    }

    pub(super) fn ladder(&self, of: &str) -> Result<Reply, Refusal> {
        let ladder = match of.parse() {
            Ok(call) => self.ladders.show(Which::Call(call)),
            Err(_) => self.ladders.show(Which::Dialog(of.as_bytes())),
        };
        let unknown = || Refusal::Unknown { what: "signalling of the call", id: of.to_owned() };
        ladder.map(|ladder| Reply::Ladder(Box::new(ladder))).ok_or_else(unknown)
    }

    pub(super) fn lift(&mut self, now: Time, source: Source) -> Result<Reply, Refusal> {
        let lifted = self.guard.lift(now, source);
        lifted.map(|_| Reply::Done).ok_or_else(|| Refusal::Unknown { what: "banned source", id: source.to_string() })
    }
}

fn told(news: News) -> Fact {
    match news {
        News::Banned(ban) => {
            let Ban { source, why, until, strikes, .. } = ban;
            tracing::warn!(%source, why = why.word(), until = %until.rfc3339(), strikes, "a source is banned");
            Fact::SourceBanned { source: source.to_string(), why: why.word().to_owned(), until: until.rfc3339(), strikes }
        }
        News::Ended(ban) => Fact::BanEnded { source: ban.source.to_string(), how: "expired".to_owned() },
        News::Lifted(ban) => {
            tracing::info!(source = %ban.source, "a ban is lifted");
            Fact::BanEnded { source: ban.source.to_string(), how: "lifted".to_owned() }
        }
    }
}

/// Is it news of the door? Then what it says.
pub(super) fn proof_of(happening: &Happening) -> Option<(IpAddr, Proof)> {
    if let Happening::Proof { address, proof } = happening { Some((*address, *proof)) } else { None }
}

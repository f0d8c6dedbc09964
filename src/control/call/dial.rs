//! Reaching far ends: an agent's phones, a trunk, a URI, another number of ours; early media; the first answer wins.

use std::time::Duration;

use bytes::Bytes;

use super::arrive::plan_of;
use super::carried::{self, Diverted, Trust};
use super::ending::{Ending, Refused};
use super::hunt::{Aim, Calls, Hunt, Outcome, Rang, Round, Word};
use super::leg::{Dialog, Leg, NewLeg, Role};
use super::line::bare_line;
use super::place::{Place, agent_places, places};
use super::protect::protection_at;
use super::route::Route;
use super::sound::Own;
use super::{After, Call, Done, Stage, World};
use crate::control::dialplan::wish::{Event, QueueEnd, TransferEnd};
use crate::control::limits::{DIRECT_RING, LEGS_OF_A_CALL, RINGBACK};
use crate::control::session::effect::{Clock, Effect, Signal};
use crate::control::sip::Outgoing;
use crate::control::sip::endpoint::Manner;
use crate::control::trunks::Way;
use crate::control::words::media::Prompt;
use crate::control::words::trunk::Habits;
use crate::control::words::{AgentId, LegId};

/// How long a far end rings that was dialled directly.
pub const DIRECT: Duration = DIRECT_RING;
/// 408 Request Timeout: it rang out.
const RANG_OUT: u16 = 408;
/// 403 Forbidden: it may not be called.
pub(super) const FORBIDDEN: u16 = 403;
/// 404 Not Found: no such place.
const NOT_FOUND: u16 = 404;
/// 480 Temporarily Unavailable: known, but no phone of his is there.
const NO_PHONE: u16 = 480;
/// 503 Service Unavailable: the trunk cannot be had.
const UNREACHABLE: u16 = 503;
/// 180 Ringing.
const RINGING: u16 = 180;
/// 183 Session Progress: early media.
pub(super) const PROGRESS: u16 = 183;

/// Reason of the CANCEL to those whose call another phone took.
const ANSWERED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// From of a caller who wishes to stay unknown (RFC 3323 §4.1.1.3).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Before anything was tried.
pub(super) const UNTRIED: Outcome = Outcome { status: NO_PHONE, word: Word::Untried };

/// What the next round comes to.
pub(super) enum There {
    /// Somebody rings.
    Rings(Round, Vec<LegId>),
    /// It rings nobody: a plan, a line, a built-in place.
    Lands(Route),
    /// No round is left; what became of the last one.
    Nobody(Outcome),
}

impl Call {
    /// Calls where the route leads; what does not ring (a plan, a line, a built-in place) begins at once.
    pub(super) fn dial(&mut self, to: &Route, headers: &[(String, String)], ring: Duration, after: After, world: &mut World<'_>) {
        match to {
            Route::Plan(id) => match world.directory.plan_for(id, self.ids.session).cloned() {
                Some(plan) => self.start_plan(&plan, world),
                None => self.dial_failed(NOT_FOUND, after, world),
            },
            Route::Queue(queue) => self.join_line(bare_line(*queue, self, world), after, world),
            Route::Echo | Route::Silence | Route::Music(_) => self.be_alone(to, world),
            Route::Agent(_) | Route::Trunk { .. } | Route::Ring(_) | Route::Uri(_) => self.dial_out(to, headers, ring, after, world),
        }
    }

    fn dial_out(&mut self, to: &Route, headers: &[(String, String)], ring: Duration, after: After, world: &mut World<'_>) {
        let mut hunt = Box::new(Hunt::to(to, ring, world));
        hunt.headers = headers.to_vec();
        self.ring_next(hunt, UNTRIED, after, world);
    }

    /// Rings those who follow on what became of the last ones; when nobody follows, nobody could be had.
    fn ring_next(&mut self, mut hunt: Box<Hunt>, outcome: Outcome, after: After, world: &mut World<'_>) {
        match self.next_there(&mut hunt, outcome, world) {
            There::Rings(round, legs) => self.wait_for(legs, &round, hunt, after, world),
            There::Lands(to) => self.land(&to, after, world),
            There::Nobody(Outcome { word: Word::Barred(why), .. }) => self.barred(why, after, world),
            There::Nobody(outcome) => self.dial_failed(outcome.status, after, world),
        }
    }

    /// The next round that comes to something.
    pub(super) fn next_there(&mut self, hunt: &mut Hunt, mut outcome: Outcome, world: &mut World<'_>) -> There {
        while let Some(round) = hunt.go_on(outcome) {
            if let [Aim::Route(to)] = &round.aims[..]
                && !route_rings(to)
                && hunt.calls == Calls::Callee
            {
                return There::Lands(to.clone());
            }
            match self.ring_round(&round, hunt, world) {
                Ok(legs) => return There::Rings(round, legs),
                Err(why) => outcome = why,
            }
        }
        There::Nobody(outcome)
    }

    fn wait_for(&mut self, legs: Vec<LegId>, round: &Round, hunt: Box<Hunt>, after: After, world: &mut World<'_>) {
        hunt.takes(&mut self.caller, &legs);
        self.stage = Stage::Dialling { legs, after, early: None, hunt };
        world.out.push(Effect::Clock(Clock::Ring, Some(world.now + round.ring)));
        if self.answered.is_some() || self.is_early() {
            self.play_ringback(world);
        }
    }

    /// A call that was to ring somebody comes to a plan, a line or a built-in place.
    fn land(&mut self, to: &Route, after: After, world: &mut World<'_>) {
        self.stop_own(world);
        if self.answered.is_some() {
            return self.dial(to, &[], DIRECT, after, world);
        }
        let Ok(plan) = plan_of(to, self.ids.session, world) else { return self.dial_failed(NOT_FOUND, after, world) };
        (self.route, self.plan) = (to.clone(), plan);
        let settled = if world.customer.is_some() { Done::Yes } else { Done::No };
        self.stage = Stage::Arriving { confirmed: Done::No, settled };
        self.take_up(world);
    }

    /// Rings all phones of an agent; empty when none could be rung.
    pub(super) fn ring_agent(&mut self, agent: AgentId, headers: &[(String, String)], world: &mut World<'_>) -> Vec<LegId> {
        let room = LEGS_OF_A_CALL.saturating_sub(self.legs.len());
        agent_places(agent, world).into_iter().take(room).filter_map(|place| self.invite(place, headers, None, world)).collect()
    }

    /// Rings somebody who will be the caller, for a call that begins with us.
    pub(super) fn ring_first(&mut self, to: &Route, ring: Duration, world: &mut World<'_>) -> Result<(), Refused> {
        let mut hunt = Box::new(Hunt::to(to, ring, world));
        hunt.calls = Calls::Caller;
        match self.next_there(&mut hunt, UNTRIED, world) {
            There::Rings(round, legs) => {
                self.wait_for(legs, &round, hunt, After::Direct, world);
                Ok(())
            }
            There::Nobody(Outcome { word: Word::Barred(why), .. }) => Err(Refused::Barred(why)),
            There::Lands(_) | There::Nobody(_) => Err(Refused::NoPhone),
        }
    }

    /// The legs of a round, at least one; else what came of it.
    fn ring_round(&mut self, round: &Round, hunt: &Hunt, world: &mut World<'_>) -> Result<Vec<LegId>, Outcome> {
        let most = if hunt.calls == Calls::Caller { 1 } else { LEGS_OF_A_CALL.saturating_sub(self.legs.len()) };
        let mut legs = Vec::new();
        let mut barred = None;
        for aim in &round.aims {
            let permit = match self.permit(aim, round.diverted.as_ref(), world) {
                Ok(permit) => permit,
                Err(why) => {
                    barred = Some(why);
                    continue;
                }
            };
            for place in places(aim, world) {
                if legs.len() < most
                    && let Some(leg) = self.invite(place.protected(round.srtp), &hunt.headers, round.diverted.as_ref(), world)
                {
                    world.tolls.begin_if(world.now, leg, permit.clone());
                    legs.push(leg);
                }
            }
        }
        let untried = |status| Err(Outcome { status, word: Word::Untried });
        match (legs.is_empty(), barred, &round.aims[..]) {
            (false, _, _) => Ok(legs),
            (true, Some(why), _) => Err(Outcome { status: FORBIDDEN, word: Word::Barred(why) }),
            (true, None, [Aim::Host { trunk, number, .. }]) if !carries(trunk, number, world) => untried(NOT_FOUND),
            (true, None, [Aim::Host { .. }]) => untried(UNREACHABLE),
            (true, None, _) => untried(NO_PHONE),
        }
    }

    pub(super) fn invite(
        &mut self,
        place: Place,
        headers: &[(String, String)],
        diverted: Option<&Diverted>,
        world: &mut World<'_>,
    ) -> Option<LegId> {
        let id = LegId::new(world.now, world.random);
        let (from, headers) = (self.from(&place, world), self.headers(headers, &place, diverted, world));
        let protection = protection_at(&place, id, world);
        let Place { target, manner, uri, role, credentials, habits, trunk, .. } = place;
        let habits = self.like_the_caller(habits, world);
        let directory = world.directory;
        if !protection.can_be_offered() {
            return None;
        }
        if let Some(trunk) = trunk.and_then(|name| directory.trunks.get(&name)) {
            world.trunks.take(world.now, trunk, id, Way::Out).ok()?;
        }
        let Some(lease) = world.ports.lease(world.now, self.ids.worker) else {
            world.trunks.release(id);
            return None;
        };
        let mut leg = Leg::new(NewLeg { id, role, uri: uri.clone(), lease, habits, protection }, Dialog::Ringing, world.random);
        let sdp = if leg.awaits_offer() { Bytes::new() } else { leg.offer() };
        let manner = Manner { second_offer: leg.second_offer().filter(|_| !sdp.is_empty()), ..manner };
        self.legs.push(leg);
        let to = format!("<{}>", uri.split(';').next().unwrap_or(&uri));
        let outgoing = Outgoing { target, to, from, headers, request_uri: uri, sdp, credentials, manner };
        world.out.push(Effect::OwnLeg(id));
        self.record_leg(id, world);
        world.signal(id, Signal::Invite(Box::new(outgoing)));
        Some(id)
    }

    /// The caller's codec first where the far end has it, so that a bridge need not change it.
    pub(super) fn like_the_caller(&self, habits: Habits, world: &World<'_>) -> Habits {
        let named = habits.with(&world.directory.codecs);
        let first = self.leg(self.caller).and_then(Leg::codec).filter(|codec| named.codecs.contains(codec));
        let rest = named.codecs.iter().copied().filter(|codec| Some(*codec) != first);
        Habits { codecs: first.into_iter().chain(rest).collect(), ..named }
    }

    /// Who calls, as the far end may know him and wants him written.
    fn from(&self, place: &Place, world: &World<'_>) -> String {
        if place.trust != Trust::House && carried::is_private(&self.party.carried) {
            return ANONYMOUS.to_owned();
        }
        self.identity(place, world)
    }

    /// The caller, written as this far end knows numbers.
    fn identity(&self, place: &Place, world: &World<'_>) -> String {
        let trunk = place.trunk.as_ref().and_then(|name| world.directory.trunks.get(name));
        let caller = trunk.map_or_else(|| self.party.address.clone(), |trunk| trunk.numbers.caller_outward(&self.party.address));
        let domain = trunk.and_then(|trunk| trunk.registers.as_ref()).map_or(&world.directory.domain, |registers| &registers.domain);
        let user: String = caller.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
        let user = if user.is_empty() { "anonymous" } else { &user };
        let uri = format!("<sip:{user}@{domain}>");
        match &self.party.name {
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
                format!("\"{name}\" {uri}")
            }
            None => uri,
        }
    }

    /// What goes with a leg: what the caller's signalling said, as far as the far end may know it, and our own.
    fn headers(&self, own: &[(String, String)], place: &Place, diverted: Option<&Diverted>, world: &World<'_>) -> Vec<(String, String)> {
        let mut headers = self.screen_pop(own);
        let is_ours = self.party.agent.is_some() || self.leg(self.caller).is_none();
        let by = diverted.map_or(&self.party.entry, |diverted| &diverted.by);
        let entry = format!("sip:{by}@{}", world.directory.domain);
        // A call that begins in the house was sent on by nobody, unless somebody forwards it.
        if !is_ours || place.trust == Trust::House || diverted.is_some() {
            let target = place.uri.split([';', '?']).next().unwrap_or(&place.uri);
            headers.extend(carried::onward(&self.party.carried, &carried::Onward { trust: place.trust, entry: &entry, target, diverted }));
        } else if place.trust == Trust::Trunk && carried::is_private(&self.party.carried) {
            // The carrier must know who calls, and hides it from whom he calls (RFC 3325 §9.1).
            headers.push(("P-Asserted-Identity".to_owned(), self.identity(place, world)));
            headers.push(("Privacy".to_owned(), "id".to_owned()));
        }
        headers
    }

    /// The screen pop of phones and old exchanges: our session, and User-to-User (RFC 7433) with it in hex.
    fn screen_pop(&self, own: &[(String, String)]) -> Vec<(String, String)> {
        let session = self.ids.session.to_string();
        let intent = match &self.stage {
            Stage::Line(line) => line.context.get("intent").and_then(|intent| intent.as_str().map(str::to_owned)),
            _ => None,
        };
        let user_to_user = match intent {
            Some(intent) => format!("session={session};intent={intent}"),
            None => format!("session={session}"),
        };
        let mut headers = own.to_vec();
        headers.push(("X-Hotline-Session".to_owned(), session));
        if !own.iter().any(|(name, _)| name.eq_ignore_ascii_case("User-to-User")) {
            headers.push(("User-to-User".to_owned(), format!("{};encoding=hex", hex::encode(user_to_user))));
        }
        headers
    }

    pub(super) fn on_progress(&mut self, id: LegId, status: u16, sdp: Option<Bytes>, world: &mut World<'_>) {
        let Stage::Dialling { legs, early, hunt, .. } = &mut self.stage else { return };
        if !legs.contains(&id) || early.is_some() {
            return;
        }
        hunt.rang = Rang::Yes;
        let single = legs.len() == 1;
        let alone = single && self.leg(id).is_some_and(|leg| !leg.awaits_offer());
        self.tell_referrer(status, world);
        match sdp.filter(|_| alone) {
            Some(sdp) => self.open_early(id, &sdp, world),
            // He who is spoken to early hears our ringing there.
            None if self.answered.is_none() && !self.is_early() => {
                let caller = self.caller;
                world.signal(caller, Signal::Ring(if status == PROGRESS { RINGING } else { status }, None));
            }
            None => {}
        }
    }

    /// What a single far end says before it answers is heard: announcements of the telephone network.
    fn open_early(&mut self, id: LegId, sdp: &Bytes, world: &mut World<'_>) {
        if self.leg_mut(id).is_none_or(|leg| leg.accept(sdp).is_err()) {
            return;
        }
        if let Stage::Dialling { early, .. } = &mut self.stage {
            *early = Some(id);
        }
        self.stop_own(world);
        self.tune(id, world);
        let caller = self.caller;
        if self.answered.is_none() {
            match self.leg(caller).and_then(Leg::answered) {
                Some(answer) => world.signal(caller, Signal::Ring(PROGRESS, Some(answer))),
                None => world.signal(caller, Signal::Ring(RINGING, None)),
            }
            self.open_sound(caller, world);
        }
        self.hear(caller, id, world);
    }

    /// A far end answered: ours, an agent's, or too late.
    pub(super) fn on_answered(&mut self, id: LegId, sdp: &Bytes, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        if leg.dialog != Dialog::Ringing {
            leg.dialog = Dialog::Over;
            world.signal(id, Signal::HangUp);
            self.close_leg(id, "answered too late", world);
            return;
        }
        leg.dialog = Dialog::Up;
        world.tolls.answered(world.now, id);
        self.watch_toll(id, world);
        let Some(leg) = self.leg_mut(id) else { return };
        let agreed = if leg.awaits_offer() { leg.answer(sdp).map(Some) } else { leg.accept(sdp).map(|()| None) };
        if let Ok(Some(answer)) = &agreed {
            world.signal(id, Signal::Acknowledge(answer.clone()));
        }
        let Some(leg) = self.leg_mut(id) else { return };
        if agreed.is_err() {
            leg.dialog = Dialog::Over;
            world.signal(id, Signal::HangUp);
            self.close_leg(id, "no common codec", world);
            self.on_leg_failed(id, NOT_ACCEPTABLE, world);
            return;
        }
        match &self.stage {
            Stage::Line(_) => self.on_agent_answered(id, world),
            Stage::Dialling { .. } if id == self.caller => self.on_callee_answered(world),
            Stage::Dialling { legs, after, .. } if legs.contains(&id) => {
                let others: Vec<LegId> = legs.iter().copied().filter(|other| *other != id).collect();
                let after = *after;
                self.cancel_others(&others, world);
                world.out.push(Effect::Clock(Clock::Ring, None));
                self.connect_dialled(id, after, world);
            }
            Stage::Talking { .. } if self.company.awaits(id) => self.on_third_answered(id, world),
            _ => {
                if let Some(leg) = self.leg_mut(id) {
                    leg.dialog = Dialog::Over;
                }
                world.signal(id, Signal::HangUp);
                self.close_leg(id, "nobody waits any more", world);
            }
        }
    }

    fn connect_dialled(&mut self, id: LegId, after: After, world: &mut World<'_>) {
        let agent = match self.leg(id).map(|leg| leg.role) {
            Some(Role::Agent(agent)) => Some(agent),
            _ => None,
        };
        self.thank_referrer(world);
        self.pick_up(world);
        self.connect(id, agent, after, world);
        if let Some(agent) = agent.or(self.party.agent) {
            world.out.push(Effect::Distribute(crate::control::session::effect::Distribute::Occupy(agent)));
        }
    }

    pub(super) fn on_refused(&mut self, id: LegId, status: u16, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        leg.dialog = Dialog::Over;
        self.close_leg(id, "refused", world);
        self.on_leg_failed(id, status, world);
        self.forget_if_gone(world);
    }

    /// A leg that rang will never answer.
    pub(super) fn on_leg_failed(&mut self, id: LegId, status: u16, world: &mut World<'_>) {
        match &mut self.stage {
            Stage::Line(_) => self.on_agent_refused(id, world),
            Stage::Dialling { legs, after, hunt, .. } if legs.contains(&id) => {
                legs.retain(|other| *other != id);
                if legs.is_empty() {
                    let (after, hunt) = (*after, std::mem::take(hunt));
                    world.out.push(Effect::Clock(Clock::Ring, None));
                    let word = if hunt.rang == Rang::Yes { Word::AfterRinging } else { Word::Theirs };
                    self.ring_next(hunt, Outcome { status, word }, after, world);
                }
            }
            Stage::Talking { .. } => self.on_third_failed(id, world),
            _ => {}
        }
    }

    pub(super) fn on_ring_out(&mut self, world: &mut World<'_>) {
        if matches!(self.stage, Stage::Referring) {
            self.dial_failed(RANG_OUT, After::Transfer, world);
            return;
        }
        let Stage::Dialling { legs, after, hunt, .. } = &mut self.stage else { return };
        let (legs, after, hunt) = (std::mem::take(legs), *after, std::mem::take(hunt));
        self.cancel(&legs, world);
        self.ring_next(hunt, Outcome { status: RANG_OUT, word: Word::AfterRinging }, after, world);
    }

    /// Nobody could be had.
    pub(super) fn dial_failed(&mut self, status: u16, after: After, world: &mut World<'_>) {
        self.stop_own(world);
        if self.give_back(status, world) {
            return;
        }
        match (after, self.talk.is_some()) {
            (After::Transfer, true) => {
                self.stage = Stage::Plan;
                self.tell_plan(Event::TransferEnded(transfer_end(status)), world);
            }
            (After::Queue, true) => {
                self.stage = Stage::Plan;
                self.tell_plan(Event::QueueEnded(QueueEnd::Served), world);
            }
            _ => self.finish(Ending::Unreached { status }, world),
        }
    }

    /// Takes ringing legs back; their final answers are still to come.
    pub(super) fn cancel(&mut self, legs: &[LegId], world: &mut World<'_>) {
        self.take_back(legs, || Signal::HangUp, world);
    }

    /// Takes back those who ring beside the one that answered: their phones need not show a missed call (RFC 3326).
    pub(super) fn cancel_others(&mut self, legs: &[LegId], world: &mut World<'_>) {
        self.take_back(legs, || Signal::HangUpBecause(ANSWERED_ELSEWHERE.into()), world);
    }

    fn take_back(&mut self, legs: &[LegId], signal: impl Fn() -> Signal, world: &mut World<'_>) {
        for id in legs {
            let Some(leg) = self.leg_mut(*id).filter(|leg| leg.dialog == Dialog::Ringing) else { continue };
            leg.dialog = Dialog::Cancelling;
            if let Some(command) = leg.silence() {
                self.media(command, world);
            }
            world.signal(*id, signal());
        }
    }

    pub(super) fn play_ringback(&mut self, world: &mut World<'_>) {
        let (hertz, ms, pause) = RINGBACK;
        let prompts = vec![Prompt::Tone { hertz, ms }, Prompt::Silence { ms: pause }];
        self.play_own(self.caller, prompts, Own::Background, world);
    }
}

/// 488 Not Acceptable Here.
const NOT_ACCEPTABLE: u16 = 488;

/// Does somebody ring there?
fn route_rings(to: &Route) -> bool {
    matches!(to, Route::Agent(_) | Route::Trunk { .. } | Route::Ring(_) | Route::Uri(_))
}

fn carries(trunk: &str, number: &str, world: &World<'_>) -> bool {
    world.directory.trunks.get(trunk).is_some_and(|trunk| trunk.numbers.outward(number).is_some())
}

fn transfer_end(status: u16) -> TransferEnd {
    match status {
        486 | 600 | 603 => TransferEnd::Busy,
        408 | 480 | 487 => TransferEnd::NoAnswer,
        _ => TransferEnd::Failed,
    }
}

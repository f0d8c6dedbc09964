//! Reaching far ends: an agent's phones, a trunk, a URI, another number of ours; early media; the first answer wins.

use std::time::Duration;

use bytes::Bytes;

use super::carried::{self, Trust};
use super::ending::Ending;
use super::leg::{Dialog, Leg, NewLeg, Role};
use super::line::bare_line;
use super::route::{self, Route};
use super::sound::Own;
use super::{After, Call, Stage, World};
use crate::control::dialplan::wish::{Event, QueueEnd, TransferEnd};
use crate::control::limits::{DIRECT_RING, LEGS_OF_A_CALL, RINGBACK};
use crate::control::session::effect::{Clock, Effect, Signal};
use crate::control::sip::endpoint::Manner;
use crate::control::sip::{Contact, Outgoing, Target};
use crate::control::words::directory::Credentials;
use crate::control::words::media::{Codec, Prompt};
use crate::control::words::sip::Transport;
use crate::control::words::{AgentId, LegId};

/// How long a far end rings that was dialled directly.
pub const DIRECT: Duration = DIRECT_RING;
/// 408 Request Timeout: it rang out.
const RANG_OUT: u16 = 408;
/// 404 Not Found: no such place.
const NOT_FOUND: u16 = 404;
/// 480 Temporarily Unavailable: known, but no phone of his is there.
const NO_PHONE: u16 = 480;
/// 180 Ringing.
const RINGING: u16 = 180;
/// 183 Session Progress: early media.
const PROGRESS: u16 = 183;

/// Reason of the CANCEL to those whose call another phone took.
const ANSWERED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// From of a caller who wishes to stay unknown (RFC 3323 §4.1.1.3).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// One place to send an INVITE to.
struct Place {
    target: Target,
    manner: Manner,
    uri: String,
    role: Role,
    trust: Trust,
    credentials: Option<Credentials>,
}

impl Call {
    /// Calls where the route leads; what does not ring (a plan, a line, a built-in place) begins at once.
    pub(super) fn dial(&mut self, to: &Route, headers: &[(String, String)], ring: Duration, after: After, world: &mut World<'_>) {
        match to {
            Route::Plan(id) => match world.directory.plans.get(id).cloned() {
                Some(plan) => self.start_plan(&plan, world),
                None => self.dial_failed(NOT_FOUND, after, world),
            },
            Route::Queue(queue) => self.join_line(bare_line(*queue, self, world), after, world),
            Route::Echo | Route::Silence | Route::Music(_) => self.be_alone(to, world),
            Route::Agent(_) | Route::Trunk { .. } | Route::Uri(_) => self.dial_out(to, headers, ring, after, world),
        }
    }

    fn dial_out(&mut self, to: &Route, headers: &[(String, String)], ring: Duration, after: After, world: &mut World<'_>) {
        let legs = self.ring_all(places(to, world), headers, world);
        if legs.is_empty() {
            self.dial_failed(NO_PHONE, after, world);
            return;
        }
        self.stage = Stage::Dialling { legs, after, early: None, status: RANG_OUT };
        world.out.push(Effect::Clock(Clock::Ring, Some(world.now + ring)));
        if self.answered.is_some() {
            self.play_ringback(world);
        }
    }

    /// Rings all phones of an agent; empty when none could be rung.
    pub(super) fn ring_agent(&mut self, agent: AgentId, headers: &[(String, String)], world: &mut World<'_>) -> Vec<LegId> {
        self.ring_all(agent_places(agent, world), headers, world)
    }

    /// Rings the first phone of a place, for a call that begins with us.
    pub(super) fn ring_one(&mut self, to: &Route, world: &mut World<'_>) -> Option<LegId> {
        let place = places(to, world).into_iter().next()?;
        self.invite(place, &[], world)
    }

    fn ring_all(&mut self, places: Vec<Place>, headers: &[(String, String)], world: &mut World<'_>) -> Vec<LegId> {
        let room = LEGS_OF_A_CALL.saturating_sub(self.legs.len());
        places.into_iter().take(room).filter_map(|place| self.invite(place, headers, world)).collect()
    }

    fn invite(&mut self, place: Place, headers: &[(String, String)], world: &mut World<'_>) -> Option<LegId> {
        let lease = world.ports.lease(world.now, self.ids.worker)?;
        let id = LegId::new(world.now, world.random);
        let codecs = self.codecs_like_the_caller(world);
        let Place { target, manner, uri, role, trust, credentials } = place;
        let mut leg = Leg::new(NewLeg { id, role, uri: uri.clone(), lease, codecs }, Dialog::Ringing, world.random);
        let sdp = leg.offer();
        self.legs.push(leg);
        let outgoing = Outgoing {
            target,
            to: format!("<{}>", uri.split(';').next().unwrap_or(&uri)),
            from: self.from(trust, world),
            headers: self.headers(headers, &uri, trust, world),
            request_uri: uri,
            sdp,
            credentials,
            manner,
        };
        world.out.push(Effect::OwnLeg(id));
        self.record_leg(id, world);
        world.signal(id, Signal::Invite(Box::new(outgoing)));
        Some(id)
    }

    /// The caller's codec first, so that a bridge need not change it.
    pub(super) fn codecs_like_the_caller(&self, world: &World<'_>) -> Vec<Codec> {
        let first = self.leg(self.caller).and_then(Leg::codec);
        let rest = world.directory.codecs.iter().copied().filter(|codec| Some(*codec) != first);
        first.into_iter().chain(rest).collect()
    }

    fn from(&self, trust: Trust, world: &World<'_>) -> String {
        if trust != Trust::House && carried::is_private(&self.party.carried) {
            return ANONYMOUS.to_owned();
        }
        let user: String = self.party.address.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
        let user = if user.is_empty() { "anonymous" } else { &user };
        let uri = format!("<sip:{user}@{}>", world.directory.domain);
        match &self.party.name {
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
                format!("\"{name}\" {uri}")
            }
            None => uri,
        }
    }

    /// What goes with a leg: what the caller's signalling said, as far as the far end may know it, and our own.
    fn headers(&self, own: &[(String, String)], target: &str, trust: Trust, world: &World<'_>) -> Vec<(String, String)> {
        let mut headers = self.screen_pop(own);
        let is_ours = self.party.agent.is_some() || self.leg(self.caller).is_none();
        let entry = format!("sip:{}@{}", self.party.entry, world.directory.domain);
        // A call that begins in the house was sent on by nobody.
        if !is_ours || trust == Trust::House {
            let target = target.split([';', '?']).next().unwrap_or(target);
            headers.extend(carried::onward(&self.party.carried, &carried::Onward { trust, entry: &entry, target }));
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
        let Stage::Dialling { legs, early, .. } = &self.stage else { return };
        if !legs.contains(&id) || early.is_some() {
            return;
        }
        let alone = legs.len() == 1;
        self.tell_referrer(status, world);
        match sdp.filter(|_| alone) {
            Some(sdp) => self.open_early(id, &sdp, world),
            None if self.answered.is_none() => {
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
        if leg.accept(sdp).is_err() {
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
            Stage::Dialling { legs, after, status: worst, .. } if legs.contains(&id) => {
                legs.retain(|other| *other != id);
                *worst = status;
                if legs.is_empty() {
                    let after = *after;
                    world.out.push(Effect::Clock(Clock::Ring, None));
                    self.dial_failed(status, after, world);
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_ring_out(&mut self, world: &mut World<'_>) {
        if matches!(self.stage, Stage::Referring) {
            self.dial_failed(RANG_OUT, After::Transfer, world);
            return;
        }
        let Stage::Dialling { legs, after, .. } = &mut self.stage else { return };
        let (legs, after) = (std::mem::take(legs), *after);
        self.cancel(&legs, world);
        self.dial_failed(RANG_OUT, after, world);
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
        self.take_back(legs, || Signal::HangUpBecause(ANSWERED_ELSEWHERE), world);
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

    fn play_ringback(&mut self, world: &mut World<'_>) {
        let (hertz, ms, pause) = RINGBACK;
        let prompts = vec![Prompt::Tone { hertz, ms }, Prompt::Silence { ms: pause }];
        self.play_own(self.caller, prompts, Own::Background, world);
    }
}

/// 488 Not Acceptable Here.
const NOT_ACCEPTABLE: u16 = 488;

fn transfer_end(status: u16) -> TransferEnd {
    match status {
        486 | 600 | 603 => TransferEnd::Busy,
        408 | 480 | 487 => TransferEnd::NoAnswer,
        _ => TransferEnd::Failed,
    }
}

/// Where a route rings.
fn places(to: &Route, world: &World<'_>) -> Vec<Place> {
    match to {
        Route::Agent(agent) => agent_places(*agent, world),
        Route::Trunk { trunk, number } => trunk_place(trunk, number, world).into_iter().collect(),
        Route::Uri(uri) => uri_place(uri, Role::Far, world).into_iter().collect(),
        Route::Plan(_) | Route::Queue(_) | Route::Echo | Route::Silence | Route::Music(_) => Vec::new(),
    }
}

/// The fixed address of an agent, or all his registered phones.
fn agent_places(agent: AgentId, world: &World<'_>) -> Vec<Place> {
    let Some(known) = world.directory.agents.get(&agent) else { return Vec::new() };
    let role = Role::Agent(agent);
    match &known.uri {
        Some(uri) => uri_place(uri, role, world).into_iter().collect(),
        None => {
            let contacts = world.endpoint.contacts(world.now, &known.user).into_iter();
            let phone = |Contact { uri, flow, routes, .. }: Contact| {
                let manner = Manner { routes };
                Place { target: flow.into(), manner, uri, role, trust: Trust::House, credentials: None }
            };
            contacts.map(phone).collect()
        }
    }
}

fn uri_place(uri: &str, role: Role, world: &World<'_>) -> Option<Place> {
    let uri = bare(uri);
    let trust = if matches!(role, Role::Agent(_)) { Trust::House } else { Trust::Stranger };
    route::target_of(world.directory, &uri).map(|target| Place { target, manner: Manner::default(), uri, role, trust, credentials: None })
}

fn trunk_place(name: &str, number: &str, world: &World<'_>) -> Option<Place> {
    let trunk = world.directory.trunks.get(name)?;
    let target = route::target(world.directory, &trunk.remote)?;
    let params = trunk.remote.wished().map_or("", Transport::uri_param);
    let uri = format!("sip:{number}@{}{params}", trunk.remote);
    Some(Place { target, manner: Manner::default(), uri, role: Role::Far, trust: Trust::Trunk, credentials: trunk.credentials.clone() })
}

/// A URI without the brackets people write around it.
fn bare(uri: &str) -> String {
    uri.trim().trim_start_matches('<').split('>').next().unwrap_or_default().to_owned()
}

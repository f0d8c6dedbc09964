//! Transfers that phones ask for: blind (the caller is sent on, and comes back when nobody is there), attended (two calls become
//! one), and by Replaces (a new leg takes the place of another). The caller keeps his room, his session and his recording.

use super::arrive::Arrival;
use super::dial::DIRECT;
use super::ending::{Ending, Refused};
use super::leg::{Dialog, Leg, NewLeg, Origin, Role, Sound};
use super::ports::Lease;
use super::protect::protection;
use super::route::{Route, user_or_all};
use super::{After, Call, Party, Stage, World};
use crate::control::limits::TRANSFERS;
use crate::control::session::effect::{Distribute, Effect, Signal};
use crate::control::words::media::Command;
use crate::control::words::trunk::Habits;
use crate::control::words::{AgentId, LegId};

/// 200 OK, in the NOTIFY of a transfer.
pub(super) const TRANSFERRED: u16 = 200;

/// The transfers of a call.
#[derive(Debug, Default)]
pub struct Moves {
    /// How many there were.
    count: u8,
    /// Who sent the caller on and may have him back.
    referrer: Option<Referrer>,
    /// Agents who called by their phones, while these legs stand.
    calling: Vec<(LegId, AgentId)>,
}

/// The one who asked for a blind transfer, while the target rings.
#[derive(Debug, Clone, Copy)]
struct Referrer {
    leg: LegId,
    agent: Option<AgentId>,
    after: After,
}

/// A leg that leaves one call for another.
#[derive(Debug)]
pub struct Guest {
    /// Its old name; its dialog stands.
    pub leg: LegId,
    role: Role,
    uri: String,
    /// What its description counts on from (RFC 3264 §8).
    origin: Origin,
}

impl Call {
    /// The peer of the caller asks to send him elsewhere (RFC 3515); `replaces` names a dialog there that he is to take over.
    pub(super) fn on_referred(&mut self, id: LegId, to: &str, replaces: Option<String>, world: &mut World<'_>) {
        if id == self.caller {
            self.turn_round(world);
        }
        let Stage::Talking { peer, agent, after } = self.stage else { return self.refuse_refer(id, world) };
        let route = world.routes.wished(to, None).filter(|_| id == peer && self.moves.count < TRANSFERS);
        let Some(route) = route else { return self.refuse_refer(id, world) };
        self.moves.count += 1;
        if !matches!(route, Route::Agent(_) | Route::Trunk { .. } | Route::Ring(_) | Route::Uri(_)) {
            world.signal(id, Signal::NotifyRefer(TRANSFERRED));
            self.part(peer, world);
            return self.dial(&route, &[], DIRECT, after, world);
        }
        self.end_company("transferred", world);
        self.stop_own(world);
        for (ear, mouth) in [(peer, self.caller), (self.caller, peer)] {
            self.media(Command::Hear { ear, mouth, gain: 0.0 }, world);
        }
        self.moves.referrer = Some(Referrer { leg: peer, agent, after });
        let headers: Vec<_> =
            replaces.into_iter().flat_map(|value| [pair("Replaces", value), pair("Require", "replaces".to_owned())]).collect();
        self.dial(&route, &headers, DIRECT, after, world);
    }

    /// An agent who placed the call sends on whom he called: that one is the caller from here on. Only agents may: a stranger who calls
    /// one of ours has no business with where our people go.
    fn turn_round(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        let (Some(agent), None, Some(callee)) = (self.party.agent, &self.talk, self.leg(peer)) else { return };
        let address = user_or_all(&callee.uri).to_owned();
        let callee = if let Role::Agent(callee) = callee.role { Some(callee) } else { None };
        self.party =
            Party { address, name: None, agent: callee, carried: Vec::new(), key: None, entry: std::mem::take(&mut self.party.entry) };
        self.stage = Stage::Talking { peer: std::mem::replace(&mut self.caller, peer), agent: Some(agent), after: After::Direct };
        if let Some(callee) = callee {
            self.begin_calling(callee, world);
        }
        self.record_again(world);
    }

    /// A recording follows the caller: another caller is another file.
    fn record_again(&mut self, world: &mut World<'_>) {
        if self.sound.recording.is_some() {
            self.stop_recording(world);
            self.start_recording(world);
        }
    }

    /// An agent is the caller: nothing is offered to him until his phone hangs up.
    pub(super) fn begin_calling(&mut self, agent: AgentId, world: &mut World<'_>) {
        self.calls_by(self.caller, agent, world);
    }

    /// The same for an agent who has come in by another leg.
    pub(super) fn calls_by(&mut self, leg: LegId, agent: AgentId, world: &mut World<'_>) {
        self.moves.calling.push((leg, agent));
        world.out.push(Effect::Distribute(Distribute::Calls(agent)));
    }

    /// He has the customer now, and no longer only calls.
    pub(super) fn serves(&mut self, leg: LegId, agent: AgentId, world: &mut World<'_>) {
        self.moves.calling.retain(|(calling, _)| *calling != leg);
        world.out.push(Effect::Distribute(Distribute::Occupy(agent)));
    }

    /// A leg is over: was it that of an agent who called?
    pub(super) fn end_calling(&mut self, id: LegId, world: &mut World<'_>) {
        for (_, agent) in self.moves.calling.extract_if(.., |(leg, _)| *leg == id) {
            world.out.push(Effect::Distribute(Distribute::Called(agent)));
        }
    }

    /// Does somebody wait to hear how the transfer goes that he asked for?
    pub(super) fn is_sent_on(&self) -> bool {
        self.moves.referrer.is_some()
    }

    /// The agent who asked for the transfer that is under way.
    pub(super) fn sent_on_by(&self) -> Option<AgentId> {
        self.moves.referrer.and_then(|referrer| referrer.agent)
    }

    /// The target rings.
    pub(super) fn tell_referrer(&self, status: u16, world: &mut World<'_>) {
        if let Some(referrer) = &self.moves.referrer {
            world.signal(referrer.leg, Signal::NotifyRefer(status));
        }
    }

    /// The target answered: who sent the caller on is told and let go.
    pub(super) fn thank_referrer(&mut self, world: &mut World<'_>) {
        let Some(Referrer { leg: id, agent, .. }) = self.moves.referrer.take() else { return };
        world.signal(id, Signal::NotifyRefer(TRANSFERRED));
        self.let_go(id, "transferred", world);
        self.release_agent(agent, world);
    }

    /// Nobody is there: who sent the caller on has him again. False when there is none who could.
    pub(super) fn give_back(&mut self, status: u16, world: &mut World<'_>) -> bool {
        let Some(Referrer { leg, agent, after }) = self.moves.referrer.take() else { return false };
        world.signal(leg, Signal::NotifyRefer(status));
        self.connect(leg, agent, after, world);
        true
    }

    /// Who sent the caller on hung up without waiting; true when it was he.
    pub(super) fn referrer_left(&mut self, id: LegId, world: &mut World<'_>) -> bool {
        let left = self.moves.referrer.take_if(|referrer| referrer.leg == id);
        if let Some(referrer) = &left {
            self.release_agent(referrer.agent, world);
        }
        left.is_some()
    }

    /// The call ends while a transfer is under way.
    pub(super) fn drop_referrer(&mut self, world: &mut World<'_>) {
        if let Some(referrer) = self.moves.referrer.take() {
            self.release_agent(referrer.agent, world);
        }
    }

    /// Does the one of `leg` talk with somebody here? `None` when he does not; whether the call outlives him as the caller's.
    #[must_use]
    pub fn is_between(&self, leg: LegId) -> Option<Between> {
        let Stage::Talking { peer, .. } = self.stage else { return None };
        let other = if leg == peer { self.caller } else { peer };
        if (leg != peer && leg != self.caller) || self.leg(other)?.dialog != Dialog::Up {
            return None;
        }
        Some(if leg == peer { Between::CallerStays } else { Between::CallerLeaves })
    }

    /// A port for a leg that comes over from another call.
    pub fn make_room(&self, world: &mut World<'_>) -> Option<Lease> {
        world.ports.lease(world.now, self.ids.worker)
    }

    /// Attended transfer, the call that ends: whoever talks with `leg` leaves for another call, the others are hung up.
    /// What he costs goes on under his name there.
    pub fn give_away(&mut self, leg: LegId, new: LegId, world: &mut World<'_>) -> Option<Guest> {
        let Stage::Talking { peer, .. } = self.stage else { return None };
        let id = if leg == peer { self.caller } else { peer };
        let guest = self.leg_mut(id)?;
        guest.dialog = Dialog::Over;
        let guest = Guest { leg: id, role: guest.role, uri: guest.uri.clone(), origin: guest.origin() };
        world.tolls.rename(id, new);
        self.close_leg(id, Ending::TransferredAway.disposition(), world);
        self.finish(Ending::TransferredAway, world);
        Some(guest)
    }

    /// Attended transfer, the call that goes on: the guest comes in the place of `leaving`, under the name `new`.
    pub fn take_in(&mut self, guest: Guest, new: LegId, lease: Lease, leaving: LegId, world: &mut World<'_>) {
        let Stage::Talking { agent, after, .. } = self.stage else {
            world.tolls.ended(world.now, new);
            return world.ports.release(world.now, lease);
        };
        self.end_company("transferred", world);
        let Guest { role, uri, origin, .. } = guest;
        let habits = self.like_the_caller(Habits::default(), world);
        let protection = origin.protection();
        let mut leg = Leg::new(NewLeg { id: new, role, uri, lease, habits, protection }, Dialog::Up, world.random);
        leg.go_on_from(origin);
        let offer = leg.offer();
        self.legs.push(leg);
        world.out.push(Effect::OwnLeg(new));
        self.record_leg(new, world);
        world.signal(new, Signal::Reoffer(offer));
        self.watch_toll(new, world);
        self.stop_own(world);
        self.let_go(leaving, "transferred", world);
        self.release_agent(agent, world);
        self.stand_in(leaving, new, after, world);
    }

    /// A call that came in takes the place of `old` (RFC 3891).
    ///
    /// # Errors
    /// [`Refused`]: no port, an offer that cannot be accepted, or `old` is in no conversation.
    pub fn replace(&mut self, arrival: &Arrival<'_>, old: LegId, world: &mut World<'_>) -> Result<(), Refused> {
        self.is_between(old).ok_or(Refused::NoPhone)?;
        let Stage::Talking { agent, after, .. } = self.stage else { return Err(Refused::NoPhone) };
        let invited = arrival.invited;
        let lease = world.ports.lease(world.now, self.ids.worker).ok_or(Refused::Full)?;
        let role = arrival.agent.map_or(if old == self.caller { Role::Caller } else { Role::Far }, Role::Agent);
        let habits = self.like_the_caller(arrival.habits.clone(), world);
        let protection = protection(habits.srtp, Some(invited.flow.transport), invited.leg, world);
        let new = NewLeg { id: invited.leg, role, uri: invited.caller.clone(), lease, habits, protection };
        let mut leg = Leg::new(new, Dialog::Up, world.random);
        let description = match invited.sdp.as_deref().map(|offer| leg.answer(offer)) {
            None => leg.offer(),
            Some(Ok(answer)) => answer,
            Some(Err(refused)) => {
                world.out.extend(leg.take_lease().map(Effect::Release));
                return Err(refused.into());
            }
        };
        self.end_company("transferred", world);
        self.legs.push(leg);
        world.out.push(Effect::OwnLeg(invited.leg));
        self.record_leg(invited.leg, world);
        world.signal(invited.leg, Signal::Answer(description));
        self.stop_own(world);
        self.let_go(old, "replaced", world);
        self.release_agent(agent, world);
        self.stand_in(old, invited.leg, after, world);
        self.meet(invited.leg, world);
        Ok(())
    }

    /// `new` is where `old` was.
    fn stand_in(&mut self, old: LegId, new: LegId, after: After, world: &mut World<'_>) {
        let agent = match self.leg(new).map(|leg| leg.role) {
            Some(Role::Agent(agent)) => Some(agent),
            _ => None,
        };
        if old == self.caller {
            self.caller = new;
            self.party.agent = None;
            self.record_again(world);
        }
        let before = if let Stage::Talking { peer, .. } = self.stage { peer } else { new };
        let peer = if old == before { new } else { before };
        self.stage = Stage::Talking { peer, agent, after };
        if let Some(agent) = agent {
            world.out.push(Effect::Distribute(Distribute::Occupy(agent)));
        }
    }

    /// A new leg of a conversation has its agreement: its sound opens, and both hear each other.
    pub(super) fn meet(&mut self, id: LegId, world: &mut World<'_>) {
        let Stage::Talking { peer, agent, after } = self.stage else { return };
        let agreed = self.leg(id).is_some_and(|leg| leg.sound == Sound::None && leg.codec().is_some());
        if agreed && (id == peer || id == self.caller) {
            self.tune(id, world);
            self.connect(peer, agent, after, world);
        }
    }

    /// A leg that came over from another call did not take our description.
    pub(super) fn on_reoffer_failed(&mut self, id: LegId, world: &mut World<'_>) {
        if self.leg(id).is_some_and(|leg| leg.sound == Sound::None && leg.dialog == Dialog::Up) {
            world.signal(id, Signal::HangUp);
            self.on_leg_over(id, Ending::PeerLost, world);
        }
    }

    /// Hangs up a leg that has no more part in the call.
    pub(super) fn let_go(&mut self, id: LegId, why: &'static str, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.dialog == Dialog::Up) else { return };
        leg.dialog = Dialog::Over;
        world.signal(id, Signal::HangUp);
        self.close_leg(id, why, world);
    }
}

/// Where somebody stands who talks in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// He is the caller's partner: the call can go on without him.
    CallerStays,
    /// He is the caller himself.
    CallerLeaves,
}

fn pair(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

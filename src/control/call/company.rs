//! Who is in a conversation besides the caller and his partner, and who hears whom then: a supervisor, and a colleague whom the
//! agent asks. They live no longer than the conversation. The customer's ear is what is recorded: what he does not hear, a whisper or
//! what is said while he hears music, is in no recording.

use std::collections::BTreeSet;

use super::consult::Consult;
use super::leg::{Dialog, Leg, Role};
use super::{Call, Stage, World};
use crate::control::session::effect::{Clock, Effect};
use crate::control::words::agent::Supervision;
use crate::control::words::media::Command;
use crate::control::words::{AgentId, LegId, PlayId};

/// Who hears whom: ear and mouth.
type Pairs = BTreeSet<(LegId, LegId)>;

/// The third parties of a conversation.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// The supervisor.
    pub supervisor: Option<Third<Supervision>>,
    /// The colleague.
    pub colleague: Option<Third<Consult>>,
    /// The agent who asks a colleague, and pays for it.
    pub asks: Option<AgentId>,
    /// What the agent hears while the colleague's phone rings.
    pub ringback: Option<(LegId, PlayId)>,
    /// Who hears whom, as the worker was told last; `None` while the two are by themselves.
    hears: Option<Pairs>,
}

/// One who comes in.
#[derive(Debug)]
pub(super) struct Third<P> {
    /// The agent, when it is one.
    pub who: Option<AgentId>,
    /// The phones that ring, or the one that answered.
    pub legs: Vec<LegId>,
    /// Is he there?
    pub standing: Standing,
    /// What he does there.
    pub part: P,
}

/// Is he there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// His phones ring.
    Rings,
    /// He is.
    Here,
}

impl<P> Third<P> {
    /// The leg he is there by.
    pub fn here(&self) -> Option<LegId> {
        self.legs.first().copied().filter(|_| self.standing == Standing::Here)
    }

    fn takes(&mut self, leg: LegId) -> Vec<LegId> {
        self.standing = Standing::Here;
        let rang = std::mem::replace(&mut self.legs, vec![leg]);
        rang.into_iter().filter(|other| *other != leg).collect()
    }

    fn rings_at(&self, leg: LegId) -> bool {
        self.standing == Standing::Rings && self.legs.contains(&leg)
    }
}

impl Company {
    /// Does this leg ring to come in?
    pub fn awaits(&self, leg: LegId) -> bool {
        self.supervisor.as_ref().is_some_and(|third| third.rings_at(leg))
            || self.colleague.as_ref().is_some_and(|third| third.rings_at(leg))
    }

    /// Is the customer by himself while his agent asks a colleague?
    pub fn is_aside(&self) -> bool {
        self.colleague.as_ref().is_some_and(|third| third.part.is_aside())
    }

    fn is_empty(&self) -> bool {
        self.supervisor.is_none() && self.colleague.is_none()
    }

    /// Who hears whom.
    fn hearing(&self, caller: LegId, peer: LegId) -> Pairs {
        let mut circle = vec![peer];
        if !self.is_aside() {
            circle.push(caller);
        }
        circle.extend(self.colleague.as_ref().and_then(Third::here));
        let supervisor = self.supervisor.as_ref().and_then(|third| Some((third.here()?, third.part)));
        if let Some((chief, Supervision::Barge)) = supervisor {
            circle.push(chief);
        }
        let mut pairs: Pairs = circle.iter().flat_map(|ear| circle.iter().map(move |mouth| (*ear, *mouth))).collect();
        if let Some((chief, mode)) = supervisor {
            pairs.extend(circle.iter().map(|mouth| (chief, *mouth)));
            pairs.extend((mode == Supervision::Whisper).then_some((peer, chief)));
        }
        pairs.retain(|(ear, mouth)| ear != mouth);
        pairs
    }
}

impl Call {
    /// Tells the worker who hears whom now.
    pub(super) fn arrange(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        let wanted = self.company.hearing(self.caller, peer);
        let before = self.company.hears.take().unwrap_or_else(|| Pairs::from([(self.caller, peer), (peer, self.caller)]));
        let live = |(ear, mouth): &&(LegId, LegId)| [ear, mouth].into_iter().all(|id| self.leg(*id).is_some_and(Leg::is_live));
        let changes = before.difference(&wanted).map(|pair| (pair, 0.0)).chain(wanted.difference(&before).map(|pair| (pair, 1.0)));
        let commands: Vec<Command> =
            changes.filter(|(pair, _)| live(pair)).map(|(pair, gain)| Command::Hear { ear: pair.0, mouth: pair.1, gain }).collect();
        for command in commands {
            self.media(command, world);
        }
        self.company.hears = (!self.company.is_empty()).then_some(wanted);
    }

    /// Do the caller and his partner speak with each other, both with sound?
    pub(super) fn is_conversation(&self) -> bool {
        let Stage::Talking { peer, .. } = self.stage else { return false };
        [self.caller, peer].into_iter().all(|id| self.leg(id).is_some_and(Leg::is_live))
    }

    /// A phone of somebody who is to come in was answered.
    pub(super) fn on_third_answered(&mut self, id: LegId, world: &mut World<'_>) {
        self.tune(id, world);
        if let Some(third) = self.company.supervisor.as_mut().filter(|third| third.rings_at(id)) {
            let others = third.takes(id);
            self.cancel_others(&others, world);
            self.on_supervisor_here(id, world);
        } else if let Some(third) = self.company.colleague.as_mut().filter(|third| third.rings_at(id)) {
            let others = third.takes(id);
            self.cancel_others(&others, world);
            self.on_colleague_here(id, world);
        }
    }

    /// A phone that rang for somebody to come in will never answer.
    pub(super) fn on_third_failed(&mut self, id: LegId, world: &mut World<'_>) {
        if let Some(third) = self.company.supervisor.as_mut().filter(|third| third.rings_at(id)) {
            third.legs.retain(|leg| *leg != id);
            if third.legs.is_empty() {
                self.end_supervision("refused", world);
            }
        } else if let Some(third) = self.company.colleague.as_mut().filter(|third| third.rings_at(id)) {
            third.legs.retain(|leg| *leg != id);
            if third.legs.is_empty() {
                self.end_consultation("unreached", world);
            }
        }
    }

    /// Somebody who had come in has hung up; true when it was one of them.
    pub(super) fn on_third_left(&mut self, id: LegId, world: &mut World<'_>) -> bool {
        if self.company.supervisor.as_ref().and_then(Third::here) == Some(id) {
            self.end_supervision("left", world);
            return true;
        }
        let colleague = self.company.colleague.as_ref().and_then(Third::here) == Some(id);
        if colleague {
            self.end_consultation("colleague_left", world);
        }
        colleague
    }

    /// The agent has left: whoever speaks with the customer, or is asked for him, has him now. False when there is nobody.
    pub(super) fn company_takes_over(&mut self, world: &mut World<'_>) -> bool {
        if let Some(leg) = self.company.colleague.as_ref().and_then(Third::here) {
            self.hand_to_colleague(leg, world);
            return true;
        }
        if self.company.colleague.is_some() {
            self.wait_for_colleague(world);
            return true;
        }
        let speaks = self.company.supervisor.as_ref().filter(|third| third.part == Supervision::Barge);
        let Some((leg, chief)) = speaks.and_then(|third| third.here().zip(third.who)) else { return false };
        self.note_supervision("ended", Some("took_over"), world);
        self.company.supervisor = None;
        if let Some(leg) = self.leg_mut(leg) {
            leg.role = Role::Agent(chief);
        }
        self.hand_over(leg, Some(chief), world);
        true
    }

    /// The conversation goes on with somebody who is in the room already.
    pub(super) fn hand_over(&mut self, leg: LegId, who: Option<AgentId>, world: &mut World<'_>) {
        let Stage::Talking { agent, after, .. } = self.stage else { return };
        self.forget_company(world);
        self.release_agent(agent, world);
        self.connect(leg, who, after, world);
        if let Some(who) = who {
            self.serves(leg, who, world);
        }
    }

    /// The customer has left while his agent and a colleague speak: they go on by themselves, and are not recorded any more. False
    /// when the call ends with him.
    pub(super) fn goes_on_without_customer(&mut self, world: &mut World<'_>) -> bool {
        let Stage::Talking { peer, agent: Some(agent), .. } = self.stage else { return false };
        let Some(leg) = self.company.colleague.as_ref().and_then(Third::here) else { return false };
        if !self.leg(peer).is_some_and(|leg| leg.dialog == Dialog::Up) {
            return false;
        }
        self.note_consultation("customer_left", world);
        self.end_supervision("customer_left", world);
        let who = self.company.colleague.take().and_then(|third| third.who);
        self.forget_company(world);
        self.stop_own(world);
        self.stop_recording(world);
        self.leave_plan(world);
        (self.caller, self.party.agent) = (peer, Some(agent));
        self.stage = Stage::Talking { peer: leg, agent: who, after: super::After::Direct };
        true
    }

    /// The conversation is over: so is the part of all who came in.
    pub(super) fn end_company(&mut self, why: &'static str, world: &mut World<'_>) {
        if self.company.is_empty() {
            return;
        }
        self.end_supervision(why, world);
        if self.company.colleague.is_some() {
            self.note_consultation("cancelled", world);
            self.drop_colleague(why, world);
        }
        self.forget_company(world);
    }

    /// Lets one of them go, whatever he does.
    pub(super) fn dismiss<P>(&mut self, third: &Third<P>, why: &'static str, world: &mut World<'_>) {
        match third.here() {
            Some(leg) => self.let_go(leg, why, world),
            None => self.cancel(&third.legs, world),
        }
    }

    pub(super) fn forget_company(&mut self, world: &mut World<'_>) {
        self.stop_ringback(world);
        self.company = Company::default();
        for clock in [Clock::Supervisor, Clock::Consult] {
            world.out.push(Effect::Clock(clock, None));
        }
    }

    /// What cannot be in a sound call.
    pub(super) fn company_contradiction(&self) -> Option<&'static str> {
        if self.company.is_empty() {
            return None;
        }
        if !matches!(self.stage, Stage::Talking { .. }) {
            return Some("somebody has come into a conversation that is none");
        }
        let here = [self.company.supervisor.as_ref().and_then(Third::here), self.company.colleague.as_ref().and_then(Third::here)];
        let gone = |leg: &LegId| !self.leg(*leg).is_some_and(|leg| leg.dialog == Dialog::Up);
        here.iter().flatten().any(gone).then_some("somebody who has left is in the conversation")
    }
}

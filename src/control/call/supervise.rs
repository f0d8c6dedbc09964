//! A supervisor comes into a running call by his own phone: he listens, whispers to the agent, or speaks with all, and changes between
//! them as he likes. Who may do it is decided here, and each step of it stands in the log.

use super::company::{Standing, Third};
use super::leg::Role;
use super::place::{Place, agent_places};
use super::{Call, Stage, World};
use crate::control::event::Fact;
use crate::control::limits::{COMPANY_RING, LEGS_OF_A_CALL};
use crate::control::session::effect::{Clock, Effect};
use crate::control::words::agent::{Refusal, Supervision};
use crate::control::words::{AgentId, LegId};

impl Call {
    /// Brings a supervisor in, or changes what he does.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when the agent's team is not his; [`Refusal::Conflict`] when no agent speaks with the customer, another
    /// supervisor is there, or he has no phone.
    pub fn supervise(&mut self, supervisor: AgentId, mode: Supervision, world: &mut World<'_>) -> Result<(), Refusal> {
        let agent = match self.stage {
            Stage::Talking { agent, .. } => agent,
            _ => None,
        };
        let leads = world.directory.agents.get(&supervisor).is_some_and(|chief| !chief.team.leads.is_empty());
        if !leads || agent.is_some_and(|agent| !world.directory.leads(supervisor, agent)) {
            self.record_supervision((supervisor, mode), "denied", Some("not_of_his_team"), world);
            return Err(Refusal::Forbidden(
                "he does not supervise the team of the agent who speaks there (`leads` in phones.toml)".to_owned(),
            ));
        }
        if agent.is_none() || !self.is_conversation() {
            return Err(Refusal::Conflict("no agent speaks with the customer now".to_owned()));
        }
        match &mut self.company.supervisor {
            Some(third) if third.who != Some(supervisor) => Err(Refusal::Conflict("another supervisor is in the call".to_owned())),
            Some(third) => {
                let changed = third.part != mode;
                third.part = mode;
                if changed {
                    self.note_supervision("changed", None, world);
                    self.arrange(world);
                    self.tell_of_supervision(world);
                }
                Ok(())
            }
            None if self.company.colleague.as_ref().is_some_and(|third| third.who == Some(supervisor)) => {
                Err(Refusal::Conflict("he is in the call as a colleague".to_owned()))
            }
            None => self.ring_supervisor(supervisor, mode, world),
        }
    }

    fn ring_supervisor(&mut self, supervisor: AgentId, mode: Supervision, world: &mut World<'_>) -> Result<(), Refusal> {
        let room = LEGS_OF_A_CALL.saturating_sub(self.legs.len());
        let places = agent_places(supervisor, world).into_iter().take(room);
        let places: Vec<Place> = places.map(|place| Place { role: Role::Supervisor(supervisor), ..place }).collect();
        let legs: Vec<LegId> = places.into_iter().filter_map(|place| self.invite(place, &[], None, world)).collect();
        if legs.is_empty() {
            return Err(Refusal::Conflict("the supervisor has no phone that could ring".to_owned()));
        }
        self.company.supervisor = Some(Third { who: Some(supervisor), legs, standing: Standing::Rings, part: mode });
        world.out.push(Effect::Clock(Clock::Supervisor, Some(world.now + COMPANY_RING)));
        self.note_supervision("requested", None, world);
        self.arrange(world);
        Ok(())
    }

    pub(super) fn on_supervisor_here(&mut self, leg: LegId, world: &mut World<'_>) {
        world.out.push(Effect::Clock(Clock::Supervisor, None));
        if let Some(chief) = self.company.supervisor.as_ref().and_then(|third| third.who) {
            self.calls_by(leg, chief, world);
        }
        self.note_supervision("joined", None, world);
        self.arrange(world);
        self.tell_of_supervision(world);
    }

    /// The supervisor leaves.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] when there is none; [`Refusal::Forbidden`] when another one asks.
    pub fn leave_supervision(&mut self, by: Option<AgentId>, world: &mut World<'_>) -> Result<(), Refusal> {
        match &self.company.supervisor {
            Some(third) if by.is_some_and(|by| third.who != Some(by)) => {
                Err(Refusal::Forbidden("another supervisor is in the call".to_owned()))
            }
            Some(_) => {
                self.end_supervision("left", world);
                Ok(())
            }
            None => Err(Refusal::Conflict("no supervisor is in the call".to_owned())),
        }
    }

    /// His part is over; nothing when there is no supervisor.
    pub(super) fn end_supervision(&mut self, why: &'static str, world: &mut World<'_>) {
        self.note_supervision("ended", Some(why), world);
        let Some(third) = self.company.supervisor.take() else { return };
        world.out.push(Effect::Clock(Clock::Supervisor, None));
        self.dismiss(&third, why, world);
        self.arrange(world);
    }

    /// The agent hears that somebody listens, and the customer that somebody speaks, where the house wants it.
    fn tell_of_supervision(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        let Some((notice, third)) = world.directory.notices.supervision.clone().zip(self.company.supervisor.as_ref()) else { return };
        if third.here().is_none() {
            return;
        }
        let ears = if third.part == Supervision::Barge { vec![peer, self.caller] } else { vec![peer] };
        for ear in ears {
            self.play_aside(ear, notice.clone(), world);
        }
    }

    /// Writes down what becomes of the supervision that is.
    pub(super) fn note_supervision(&self, state: &str, why: Option<&'static str>, world: &mut World<'_>) {
        let Some(third) = &self.company.supervisor else { return };
        if let Some(who) = third.who {
            self.record_supervision((who, third.part), state, why, world);
        }
    }

    fn record_supervision(
        &self,
        (supervisor, mode): (AgentId, Supervision),
        state: &str,
        why: Option<&'static str>,
        world: &mut World<'_>,
    ) {
        let agent = if let Stage::Talking { agent, .. } = self.stage { agent } else { None };
        let (session, call) = (self.ids.session, self.ids.call);
        let (state, why) = (state.to_owned(), why.map(str::to_owned));
        world.out.push(Effect::Record(Fact::Supervised { session, call, supervisor, agent, mode, state, why }));
    }
}

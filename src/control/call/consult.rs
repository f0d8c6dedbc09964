//! The agent asks a colleague: the customer hears music while the two speak. Then the colleague leaves, all three speak with each other,
//! or the agent leaves and the colleague has the customer. One session, one room, one recording all the way.

use super::company::{Standing, Third};
use super::dial::{There, UNTRIED};
use super::hunt::{Hunt, Outcome, Word};
use super::leg::Role;
use super::route::Route;
use super::sound::Own;
use super::{Call, Stage, World};
use crate::control::event::Fact;
use crate::control::limits::{COMPANY_RING, RINGBACK};
use crate::control::session::effect::{Clock, Effect};
use crate::control::time::Time;
use crate::control::words::agent::{ConsultEnd, Refusal};
use crate::control::words::media::{BargeIn, Command, Prompt};
use crate::control::words::{LegId, PlayId};

/// A consultation.
#[derive(Debug)]
pub(super) struct Consult {
    /// Whom the agent asked for, as he wrote it.
    to: String,
    how: How,
    /// What rings, for the customer, when the agent does not wait for it.
    hunt: Box<Hunt>,
    rings_until: Time,
}

/// Who speaks with whom?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The agent with the colleague; the customer hears music.
    Aside,
    /// All three with each other.
    Together,
}

impl Consult {
    /// Does the customer hear music?
    pub fn is_aside(&self) -> bool {
        self.how == How::Aside
    }
}

impl Call {
    /// Rings a colleague, or whoever else is to be asked; the customer hears music from here on.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] when `to` is no number of ours; [`Refusal::Conflict`] when no agent speaks with the customer, somebody is
    /// asked already, or nobody can be rung there.
    pub fn consult(&mut self, to: &str, world: &mut World<'_>) -> Result<(), Refusal> {
        let conflict = |why: &str| Err(Refusal::Conflict(why.to_owned()));
        let Stage::Talking { agent: Some(agent), .. } = self.stage else { return conflict("no agent speaks with the customer now") };
        if !self.is_conversation() {
            return conflict("no agent speaks with the customer now");
        }
        if self.company.colleague.is_some() {
            return conflict("a colleague is asked already");
        }
        let unknown = || Refusal::Unknown { what: "number to ask", id: to.to_owned() };
        let route = world.routes.wished(to, None).ok_or_else(unknown)?;
        let supervisor = self.company.supervisor.as_ref().and_then(|third| third.who);
        match route {
            Route::Agent(who) if who == agent || Some(who) == supervisor => return conflict("he is in the call already"),
            Route::Agent(_) | Route::Trunk { .. } | Route::Ring(_) | Route::Uri(_) => {}
            _ => return conflict("nobody's phone rings there: name an agent, a number outside, or a ring group"),
        }
        let mut hunt = Box::new(Hunt::to(&route, COMPANY_RING, world));
        self.company.asks = Some(agent);
        let there = self.next_there(&mut hunt, UNTRIED, world);
        if let There::Rings(_, legs) = there {
            self.begin_consultation(to, legs, hunt, world);
            return Ok(());
        }
        self.company.asks = None;
        match there {
            There::Nobody(Outcome { word: Word::Barred(why), .. }) => conflict(&format!("{to} may not be called: {}", why.words())),
            _ => conflict("no phone rings there now"),
        }
    }

    fn begin_consultation(&mut self, to: &str, legs: Vec<LegId>, hunt: Box<Hunt>, world: &mut World<'_>) {
        let rings_until = world.now + COMPANY_RING;
        let part = Consult { to: to.to_owned(), how: How::Aside, hunt, rings_until };
        self.company.colleague = Some(Third { who: None, legs, standing: Standing::Rings, part });
        world.out.push(Effect::Clock(Clock::Consult, Some(rings_until)));
        self.note_consultation("ringing", world);
        self.arrange(world);
        self.stop_own(world);
        let music = world.directory.hold_music.clone();
        self.play_own(self.caller, vec![Prompt::Music(music)], Own::Background, world);
        self.ring_back(world);
    }

    fn ring_back(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        let play = PlayId::new(world.now, world.random);
        let (hertz, ms, pause) = RINGBACK;
        let prompts = vec![Prompt::Tone { hertz, ms }, Prompt::Silence { ms: pause }];
        self.company.ringback = Some((peer, play));
        self.media(Command::Play { leg: peer, play, prompts, repeat: true, barge_in: BargeIn::Off }, world);
    }

    pub(super) fn stop_ringback(&mut self, world: &mut World<'_>) {
        if let Some((leg, play)) = self.company.ringback.take() {
            self.media(Command::StopPlay { leg, play }, world);
        }
    }

    pub(super) fn on_colleague_here(&mut self, leg: LegId, world: &mut World<'_>) {
        world.out.push(Effect::Clock(Clock::Consult, None));
        self.stop_ringback(world);
        if let Some(Role::Agent(who)) = self.leg(leg).map(|leg| leg.role) {
            if let Some(third) = &mut self.company.colleague {
                third.who = Some(who);
            }
            self.calls_by(leg, who, world);
        }
        self.note_consultation("talking", world);
        self.arrange(world);
    }

    /// What comes of the consultation.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] when there is none, or the colleague has not answered yet.
    pub fn end_consult(&mut self, how: ConsultEnd, world: &mut World<'_>) -> Result<(), Refusal> {
        let (Stage::Talking { peer, .. }, Some(third)) = (&self.stage, &mut self.company.colleague) else {
            return Err(Refusal::Conflict("no colleague is asked in this call".to_owned()));
        };
        let peer = *peer;
        match (how, third.here()) {
            (ConsultEnd::Cancel, _) => self.end_consultation("cancelled", world),
            (_, None) => return Err(Refusal::Conflict("the colleague has not answered yet".to_owned())),
            (ConsultEnd::Conference, Some(_)) => {
                if third.part.is_aside() {
                    third.part.how = How::Together;
                    self.stop_own(world);
                    self.note_consultation("conference", world);
                    self.arrange(world);
                }
            }
            (ConsultEnd::Transfer, Some(leg)) => {
                self.let_go(peer, "transferred", world);
                self.hand_to_colleague(leg, world);
            }
        }
        Ok(())
    }

    /// The agent has the customer again; nothing when nobody is asked.
    pub(super) fn end_consultation(&mut self, state: &'static str, world: &mut World<'_>) {
        self.note_consultation(state, world);
        let aside = self.company.is_aside();
        if self.company.colleague.is_none() {
            return;
        }
        self.drop_colleague(state, world);
        self.arrange(world);
        if aside {
            self.stop_own(world);
            self.resume_hold(world);
        }
    }

    pub(super) fn drop_colleague(&mut self, why: &'static str, world: &mut World<'_>) {
        let Some(third) = self.company.colleague.take() else { return };
        self.company.asks = None;
        world.out.push(Effect::Clock(Clock::Consult, None));
        self.stop_ringback(world);
        self.dismiss(&third, why, world);
    }

    /// The agent has left: the colleague has the customer.
    pub(super) fn hand_to_colleague(&mut self, leg: LegId, world: &mut World<'_>) {
        self.note_consultation("transferred", world);
        self.end_supervision("agent_left", world);
        let who = self.company.colleague.take().and_then(|third| third.who);
        self.hand_over(leg, who, world);
    }

    /// The agent has left before the colleague answered: the customer waits for him now.
    pub(super) fn wait_for_colleague(&mut self, world: &mut World<'_>) {
        let Stage::Talking { agent, after, .. } = self.stage else { return };
        self.note_consultation("transferred", world);
        self.end_supervision("agent_left", world);
        let Some(Third { legs, part, .. }) = self.company.colleague.take() else { return };
        self.forget_company(world);
        self.stop_own(world);
        self.release_agent(agent, world);
        self.stage = Stage::Dialling { legs, after, early: None, hunt: part.hunt };
        world.out.push(Effect::Clock(Clock::Ring, Some(part.rings_until)));
        self.play_ringback(world);
    }

    /// Writes down what becomes of the consultation that is.
    pub(super) fn note_consultation(&self, state: &str, world: &mut World<'_>) {
        let Some(third) = &self.company.colleague else { return };
        let (session, call, agent) = (self.ids.session, self.ids.call, self.company.asks);
        let (to, state) = (third.part.to.clone(), state.to_owned());
        world.out.push(Effect::Record(Fact::Consulted { session, call, agent, to, state }));
    }
}

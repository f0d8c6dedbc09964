//! Calls to the outside: who pays, what becomes of one that may not go out, and of one that may not go on.

use super::carried::Diverted;
use super::dial::FORBIDDEN;
use super::ending::{Ending, Refused};
use super::hunt::Aim;
use super::leg::Dialog;
use super::route::{Route, user_or_all};
use super::{After, Call, Stage, World};
use crate::control::event::Fact;
use crate::control::session::effect::{Clock, Effect, Signal};
use crate::control::toll::{Barred, Cut, Look, Payer, Permit};
use crate::control::words::LegId;

impl Call {
    /// May it go out there? `None` when that is not outside, or costs nobody anything.
    pub(super) fn permit(&self, to: &Aim, diverted: Option<&Diverted>, world: &mut World<'_>) -> Result<Option<Permit>, Barred> {
        let rules = &world.directory.outbound;
        let number = match to {
            Aim::Host { trunk, number, .. } | Aim::Route(Route::Trunk { trunk, number }) if !rules.free.contains(trunk) => number,
            Aim::Route(Route::Uri(uri)) => user_or_all(uri),
            _ => return Ok(None),
        };
        let payer = self.payer(diverted);
        world.tolls.ask(world.now, rules, payer.clone(), number).map(Some).inspect_err(|why| {
            let (call, to, why) = (self.ids.call, number.to_owned(), why.word().to_owned());
            tracing::warn!(%call, %payer, why, "a call to the outside was refused");
            world.out.push(Effect::Record(Fact::CallBarred { call, payer: payer.to_string(), to, why }));
        })
    }

    /// The call may not go out: a plan is told, and so is whoever transfers; who dialled himself is refused.
    pub(super) fn barred(&mut self, why: Barred, after: After, world: &mut World<'_>) {
        let alone = after == After::Direct && !self.is_sent_on();
        if alone { self.finish(Ending::Refused(Refused::Barred(why)), world) } else { self.dial_failed(FORBIDDEN, after, world) }
    }

    /// A leg was answered: is it one that may have to end?
    pub(super) fn watch_toll(&self, id: LegId, world: &mut World<'_>) {
        if world.tolls.payer(id).is_some() {
            world.out.push(Effect::Clock(Clock::Toll, Some(world.now)));
        }
    }

    /// Looks at the legs that somebody pays for: those that may not go on are cut, the others are looked at again in time.
    pub(super) fn on_toll_clock(&mut self, world: &mut World<'_>) {
        let legs: Vec<LegId> = self.legs.iter().filter(|leg| leg.dialog == Dialog::Up).map(|leg| leg.id).collect();
        let mut next = None;
        for id in legs {
            match world.tolls.look(world.now, &world.directory.outbound, id) {
                Some(Look::Over(why)) => self.cut(id, why, world),
                Some(Look::Again(at)) => next = Some(next.map_or(at, |next| at.min(next))),
                None => {}
            }
        }
        if next.is_some() && !matches!(self.stage, Stage::Over) {
            world.out.push(Effect::Clock(Clock::Toll, next));
        }
    }

    fn cut(&mut self, id: LegId, why: Cut, world: &mut World<'_>) {
        let call = self.ids.call;
        let payer = world.tolls.payer(id).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%call, payer, why = why.word(), "a call to the outside was cut");
        world.out.push(Effect::Record(Fact::CallCut { call, leg: id, payer, why: why.word().to_owned() }));
        self.end_leg(id, Ending::Cut(why), Signal::HangUpBecause(why.reason().into()), world);
    }

    /// The agent who forwards, dials or sends the caller on, the key that asked for the call, or the plan that leads it.
    fn payer(&self, diverted: Option<&Diverted>) -> Payer {
        let agent = diverted.and_then(|diverted| diverted.agent).or(self.sent_on_by()).or(self.company.asks).or(self.party.agent);
        match (agent, &self.party.key, &self.plan) {
            (Some(agent), _, _) => Payer::Agent(agent),
            (None, Some(key), _) => Payer::Key(key.clone()),
            (None, None, Some(plan)) => Payer::Plan(plan.id.clone()),
            (None, None, None) => Payer::House,
        }
    }
}

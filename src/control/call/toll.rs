//! Calls to the outside: who pays, and what becomes of one that may not go out.

use super::dial::FORBIDDEN;
use super::ending::{Ending, Refused};
use super::hunt::Aim;
use super::route::{Route, parse_uri};
use super::{After, Call, World};
use crate::control::event::Fact;
use crate::control::session::effect::Effect;
use crate::control::toll::{Barred, Payer, Permit};

impl Call {
    /// May it go out there? `None` when that is not outside, or costs nobody anything.
    pub(super) fn permit(&self, to: &Aim, world: &mut World<'_>) -> Result<Option<Permit>, Barred> {
        let rules = &world.directory.outbound;
        let number = match to {
            Aim::Host { trunk, number, .. } | Aim::Route(Route::Trunk { trunk, number }) if !rules.free.contains(trunk) => number,
            Aim::Route(Route::Uri(uri)) => parse_uri(uri).map_or(uri.as_str(), |parts| parts.user),
            _ => return Ok(None),
        };
        let payer = self.payer();
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

    /// The agent who dials or sends the caller on, the key that asked for the call, or the plan that leads it.
    fn payer(&self) -> Payer {
        match (self.sent_on_by().or(self.party.agent), &self.party.key, &self.plan) {
            (Some(agent), _, _) => Payer::Agent(agent),
            (None, Some(key), _) => Payer::Key(key.clone()),
            (None, None, Some(plan)) => Payer::Plan(plan.id.clone()),
            (None, None, None) => Payer::House,
        }
    }
}

//! Transfers that concern two calls: one of them ends, and somebody of it goes over to the other.

use super::{Machine, Slot, Switch};
use crate::control::call::ending::Refused;
use crate::control::call::route::Route;
use crate::control::call::{Arrival, Between, Call};
use crate::control::sip::Invited;
use crate::control::time::Time;
use crate::control::words::trunk::Habits;
use crate::control::words::{AgentId, LegId, SessionId};

/// 200 OK and 603 Decline, in the NOTIFY of a transfer.
const TRANSFERRED: u16 = 200;
const DECLINED: u16 = 603;

impl Switch {
    /// Attended transfer by one who talks in two calls of ours: those he talks with are joined, and he is let go. The call whose
    /// caller stays goes on, with its session, its room and its recording; the other one ends.
    pub(super) fn join(&mut self, now: Time, leg: LegId, other: LegId) {
        let outcome = self.try_join(now, leg, other);
        if outcome.is_none() {
            self.endpoint.notify_refer(now, leg, DECLINED);
        }
    }

    fn try_join(&mut self, now: Time, leg: LegId, other: LegId) -> Option<()> {
        let (first, second) = (*self.index.legs.get(&leg)?, *self.index.legs.get(&other)?);
        if first == second {
            return None;
        }
        let (of_first, of_second) = (self.call(first)?.is_between(leg)?, self.call(second)?.is_between(other)?);
        let ((kept, leaving), (given, away)) = match (of_first, of_second) {
            (Between::CallerLeaves, Between::CallerStays) => ((second, other), (first, leg)),
            _ => ((first, leg), (second, other)),
        };
        let mut lease = None;
        self.with_call(now, kept, |call, world| lease = call.make_room(world));
        let lease = lease?;
        self.endpoint.notify_refer(now, leg, TRANSFERRED);
        let mut guest = None;
        let new = LegId::new(now, &mut self.random);
        self.with_call(now, given, |call, world| guest = call.give_away(away, new, world));
        self.work_off(now);
        let Some(guest) = guest else {
            self.ports.release(now, lease);
            return None;
        };
        self.endpoint.rename(guest.leg, new);
        self.trunks.rename(guest.leg, new);
        self.with_call(now, kept, |call, world| call.take_in(guest, new, lease, leaving, world));
        self.work_off(now);
        Some(())
    }

    /// A call that came in takes the place of a leg in another call.
    pub(super) fn replace(&mut self, now: Time, invited: &Invited, old: LegId, agent: Option<AgentId>) -> Result<(), Refused> {
        let session = *self.index.legs.get(&old).ok_or(Refused::NoPhone)?;
        let arrival = Arrival { session, invited, route: Route::Silence, agent, habits: Habits::default() };
        let mut outcome = Err(Refused::NoPhone);
        self.with_call(now, session, |call, world| outcome = call.replace(&arrival, old, world));
        outcome
    }

    fn call(&self, session: SessionId) -> Option<&Call> {
        match self.slots.get(&session) {
            Some(Slot { machine: Machine::Call(call), .. }) => Some(call),
            _ => None,
        }
    }
}

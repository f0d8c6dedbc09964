//! Errands: what a plan had begun in other systems is brought to its end when the customer hangs up in the middle of it.
//!
//! The plan's runner goes on for that alone. It says nothing, hears nothing but the answers it waits for, and is dropped with the last
//! of them; its time-outs bound its life.

use super::Switch;
use crate::control::dialplan::wish::Event;
use crate::control::session::effect::{Clock, Effect};
use crate::control::session::talk::Talk;
use crate::control::surface::Output;
use crate::control::time::Time;
use crate::control::words::lookup::Finding;
use crate::control::words::{LookupId, SessionId};

/// A runner without its customer.
#[derive(Debug)]
pub(super) struct Errand {
    talk: Talk,
    /// Its open questions.
    lookups: Vec<LookupId>,
}

impl Switch {
    pub(super) fn go_on_alone(&mut self, _now: Time, session: SessionId, talk: Talk) {
        // What the session has asked, its errand is answered.
        let lookups = self.slots.get_mut(&session).map(|slot| std::mem::take(&mut slot.lookups)).unwrap_or_default();
        if let Some(due) = talk.poll_timeout() {
            self.clocks.set((session, Clock::Errand), due);
        }
        self.errands.insert(session, Errand { talk, lookups });
    }

    /// An answer that an errand waits for; false when there is none that does.
    pub(super) fn errand_found(&mut self, now: Time, session: SessionId, lookup: LookupId, finding: &Finding) -> bool {
        let Some(errand) = self.errands.get_mut(&session) else { return false };
        let before = errand.lookups.len();
        errand.lookups.retain(|open| *open != lookup);
        if errand.lookups.len() == before {
            return false;
        }
        let mut out = Vec::new();
        errand.talk.step(now, Event::Found(lookup, finding.clone()), &mut Vec::new(), &mut out);
        self.run_errand(now, session, out);
        true
    }

    pub(super) fn on_errand_clock(&mut self, now: Time, session: SessionId) {
        let Some(errand) = self.errands.get_mut(&session) else { return };
        let mut out = Vec::new();
        errand.talk.handle_timeout(now, &mut Vec::new(), &mut out);
        self.run_errand(now, session, out);
    }

    fn run_errand(&mut self, now: Time, session: SessionId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(fact) => self.record_advised(now, session, fact),
                Effect::Find(lookup, question) => {
                    self.index.lookups.insert(lookup, session);
                    if let Some(errand) = self.errands.get_mut(&session) {
                        errand.lookups.push(lookup);
                    }
                    self.work.out.push_back(Output::Find(lookup, question));
                }
                Effect::Clock(Clock::Plan, Some(at)) => self.clocks.set((session, Clock::Errand), at),
                Effect::Clock(Clock::Plan, None) => self.clocks.clear(&(session, Clock::Errand)),
                // Everything else is for a customer.
                _ => {}
            }
        }
        if self.errands.get(&session).is_some_and(|errand| errand.talk.is_over()) {
            let errand = self.errands.remove(&session);
            for lookup in errand.into_iter().flat_map(|errand| errand.lookups) {
                self.index.lookups.remove(&lookup);
            }
            self.clocks.clear(&(session, Clock::Errand));
        }
    }
}

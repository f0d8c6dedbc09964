//! Who is on the phone, for the lamps of those who watch him.
//!
//! Nothing is kept while nobody watches: a center without lamps pays nothing for them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Machine, Slot, Switch};
use crate::control::call::route::Route;
use crate::control::sip::dialog_info::{Lamp, LampCall};
use crate::control::time::Time;
use crate::control::words::{AgentId, LegId, SessionId};

/// 404 Not Found.
const NOT_FOUND: u16 = 404;

/// The calls of all phones while somebody watches one of them.
#[derive(Debug, Default)]
pub(super) struct Lamps {
    of_agents: BTreeMap<AgentId, BTreeMap<LegId, LampCall>>,
    of_sessions: BTreeMap<SessionId, Vec<(AgentId, LegId)>>,
    /// Sessions of which something happened in this step.
    stirred: BTreeSet<SessionId>,
}

impl Lamps {
    fn of(&self, agent: AgentId) -> Lamp {
        Lamp { calls: self.of_agents.get(&agent).into_iter().flat_map(BTreeMap::values).cloned().collect() }
    }

    /// A session's phones are these now; the agents to whom that makes a difference are added.
    fn put(&mut self, session: SessionId, phones: Vec<(AgentId, LampCall)>, touched: &mut BTreeSet<AgentId>) {
        let names: Vec<(AgentId, LegId)> = phones.iter().map(|(agent, call)| (*agent, call.leg)).collect();
        let before = match names.is_empty() {
            true => self.of_sessions.remove(&session),
            false => self.of_sessions.insert(session, names.clone()),
        };
        for (agent, leg) in before.into_iter().flatten().filter(|name| !names.contains(name)) {
            touched.insert(agent);
            if let Some(calls) = self.of_agents.get_mut(&agent) {
                calls.remove(&leg);
                if calls.is_empty() {
                    self.of_agents.remove(&agent);
                }
            }
        }
        for (agent, call) in phones {
            let calls = self.of_agents.entry(agent).or_default();
            if calls.get(&call.leg) != Some(&call) {
                touched.insert(agent);
                calls.insert(call.leg, call);
            }
        }
    }
}

impl Switch {
    /// A phone watches a number: only an agent's has a lamp.
    pub(super) fn on_watching(&mut self, now: Time, watch: u64, user: &str) {
        let route = self.routes.dialled(user, "");
        let agent = route.and_then(|route| if let Route::Agent(agent) = route { self.directory.agents.get(&agent) } else { None });
        let Some(agent) = agent.map(|agent| (agent.id, agent.user.clone())) else {
            return self.endpoint.refuse_watch(now, watch, NOT_FOUND);
        };
        if !self.endpoint.is_watched() {
            self.look_at_all_phones();
        }
        self.endpoint.light(now, watch, &agent.1, self.lamps.of(agent.0));
    }

    /// Something happened to a session: its phones are looked at when the step is over.
    pub(super) fn stir_lamps(&mut self, session: SessionId) {
        if self.endpoint.is_watched() {
            self.lamps.stirred.insert(session);
        }
    }

    /// Tells those who watch what has changed in this step.
    pub(super) fn show_lamps(&mut self, now: Time) {
        if self.lamps.stirred.is_empty() {
            return;
        }
        let mut touched = BTreeSet::new();
        for session in std::mem::take(&mut self.lamps.stirred) {
            let phones = self.phones_of(session);
            self.lamps.put(session, phones, &mut touched);
        }
        for agent in touched {
            if let Some(known) = self.directory.agents.get(&agent) {
                self.endpoint.lamp(now, &known.user, &self.lamps.of(agent));
            }
        }
    }

    /// The first who watches: what was not kept before is gathered.
    fn look_at_all_phones(&mut self) {
        let mut lamps = Lamps::default();
        for session in self.slots.keys() {
            lamps.put(*session, self.phones_of(*session), &mut BTreeSet::new());
        }
        self.lamps = lamps;
    }

    fn phones_of(&self, session: SessionId) -> Vec<(AgentId, LampCall)> {
        let Some(Slot { machine: Machine::Call(call), .. }) = self.slots.get(&session) else { return Vec::new() };
        let shown = |(agent, leg, with)| {
            let (placed_by, phase, dialog) = self.endpoint.standing(leg)?;
            Some((agent, LampCall { leg, placed_by, phase, with, dialog }))
        };
        call.phones().filter_map(shown).collect()
    }
}

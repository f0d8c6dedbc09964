//! Who is on the phone, for the lamps of those who watch him.

use super::Switch;
use crate::control::call::route::Route;
use crate::control::sip::endpoint::Lamp;
use crate::control::time::Time;
use crate::control::words::AgentId;
use crate::control::words::agent::AgentState;

/// 404 Not Found.
const NOT_FOUND: u16 = 404;

impl Switch {
    /// A phone watches a number: only an agent's has a lamp.
    pub(super) fn on_watching(&mut self, now: Time, watch: u64, user: &str) {
        let route = self.routes.dialled(user, "");
        let agent = route.and_then(|route| if let Route::Agent(agent) = route { self.directory.agents.get(&agent) } else { None });
        match agent {
            Some(agent) => self.endpoint.light(now, watch, &agent.user, lamp(self.acd.state(agent.id))),
            None => self.endpoint.refuse_watch(now, watch, NOT_FOUND),
        }
    }

    pub(super) fn show_lamp(&mut self, now: Time, agent: AgentId, state: AgentState) {
        if let Some(agent) = self.directory.agents.get(&agent) {
            self.endpoint.lamp(now, &agent.user, lamp(state));
        }
    }
}

fn lamp(state: AgentState) -> Lamp {
    match state {
        AgentState::Busy => Lamp::On,
        AgentState::Offline | AgentState::Available | AgentState::Away | AgentState::WrapUp => Lamp::Off,
    }
}

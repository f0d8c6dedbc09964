//! A read-only picture of the whole, for invariants and metrics.

use super::{Machine, Switch};
use crate::control::acd;
use crate::control::call::ports::PortCounts;
use crate::control::sip::Counts;
use crate::control::time::Time;
use crate::control::words::agent::AgentState;
use crate::control::words::{AgentId, SessionId};

/// What the switch holds now.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// Agents and lines (A1–A4).
    pub acd: acd::Audit,
    /// Calls and chats that count against the limits.
    pub calls: usize,
    /// Chats that count against the limits.
    pub chats: usize,
    /// Sessions with a machine, ended ones that wait for last reports included.
    pub machines: usize,
    /// Sessions opened and closed so far, and those kept now.
    pub sessions: (u64, u64, usize),
    /// RTP ports.
    pub ports: PortCounts,
    /// Ports that calls say they hold: equal to the leased ones.
    pub ports_held: usize,
    /// Legs that calls say they have: equal to the indexed ones.
    pub legs_held: usize,
    /// Calls that contradict themselves (must be empty).
    pub contradictions: Vec<(SessionId, &'static str)>,
    /// Agents who hold a session or wrap one up.
    pub busy: Vec<AgentId>,
    /// Legs whose news find a call.
    pub legs: usize,
    /// Recordings and lookups that are waited for.
    pub waited_for: (usize, usize),
    /// Transactions, dialogs, bindings.
    pub sip: Counts,
    /// Clocks of sessions.
    pub clocks: usize,
}

impl Switch {
    /// The picture. Costs as much as there is; not for every packet.
    #[must_use]
    pub fn audit(&self, now: Time) -> Audit {
        let (mut ports_held, mut legs_held) = (0, 0);
        let mut contradictions = Vec::new();
        for (session, slot) in &self.slots {
            if let Machine::Call(call) = &slot.machine {
                let holds = call.holds();
                ports_held += holds.ports;
                legs_held += holds.legs;
                contradictions.extend(holds.contradiction.map(|what| (*session, what)));
            }
        }
        Audit {
            acd: self.acd.audit(now),
            calls: self.load.calls,
            chats: self.load.chats,
            machines: self.slots.len(),
            sessions: self.sessions.counts(),
            ports: self.ports.counts(),
            ports_held,
            legs_held,
            contradictions,
            busy: self.busy_agents(),
            legs: self.index.legs.len(),
            waited_for: (self.index.recordings.len(), self.index.lookups.len()),
            sip: self.endpoint.counts(),
            clocks: self.clocks.len(),
        }
    }

    fn busy_agents(&self) -> Vec<AgentId> {
        let holds = |agent: &AgentId| matches!(self.acd.state(*agent), AgentState::Busy | AgentState::WrapUp);
        self.directory.agents.keys().copied().filter(holds).collect()
    }
}

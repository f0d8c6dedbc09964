//! Agents: presence as they wish it, what they hold, and the state that follows from both.

use std::collections::{BTreeMap, BTreeSet};

use super::super::time::Time;
use super::super::words::agent::AgentState;
use super::super::words::directory::{Agent, Directory};
use super::super::words::{AgentId, QueueId, SessionId};
use super::WHOLE;

/// Reason of an agent who is away because he missed an offer.
pub const MISSED: &str = "missed";
const MICROS_A_DAY: u64 = 86_400_000_000;

/// A session an agent holds, or that rings at him.
#[derive(Debug, Clone, Copy)]
struct Held {
    cost: u32,
    queue: Option<QueueId>,
    part: Part,
}

/// What a session is to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// He serves it, or it rings at him.
    Serving,
    /// He writes his notes.
    Wrapping,
    /// He called somebody himself: another one may serve it, but he is on the phone.
    Calling,
}

/// One agent.
#[derive(Debug)]
struct Desk {
    agent: Agent,
    presence: AgentState,
    reason: Option<String>,
    held: BTreeMap<SessionId, Held>,
    rest_until: Time,
    idle_since: Time,
    served_today: u32,
    day: u64,
    shown: AgentState,
}

impl Desk {
    fn load(&self) -> u32 {
        self.held.values().map(|held| held.cost).sum()
    }

    fn capacity(&self) -> u32 {
        (self.agent.capacity * WHOLE as f32).round() as u32
    }

    fn state(&self) -> AgentState {
        let talking = self.held.values().any(|held| held.part != Part::Wrapping);
        match self.presence {
            _ if talking => AgentState::Busy,
            _ if !self.held.is_empty() => AgentState::WrapUp,
            presence => presence,
        }
    }
}

/// All agents, and who serves which queue.
#[derive(Debug, Default)]
pub struct Agents {
    desks: BTreeMap<AgentId, Desk>,
    serving: BTreeMap<QueueId, BTreeSet<AgentId>>,
    holders: BTreeMap<SessionId, AgentId>,
}

impl Agents {
    /// Takes over the directory; answers with those who are gone from it.
    pub fn configure(&mut self, now: Time, directory: &Directory) -> Vec<AgentId> {
        self.serving.clear();
        for agent in directory.agents.values() {
            for queue in &agent.queues {
                self.serving.entry(*queue).or_default().insert(agent.id);
            }
            match self.desks.get_mut(&agent.id) {
                Some(desk) => desk.agent.clone_from(agent),
                None => self.welcome(now, agent),
            }
        }
        let gone: Vec<AgentId> = self.desks.keys().filter(|id| !directory.agents.contains_key(id)).copied().collect();
        for id in &gone {
            self.dismiss(*id);
        }
        gone
    }

    fn welcome(&mut self, now: Time, agent: &Agent) {
        let desk = Desk {
            agent: agent.clone(),
            presence: AgentState::Offline,
            reason: None,
            held: BTreeMap::new(),
            rest_until: Time::default(),
            idle_since: now,
            served_today: 0,
            day: 0,
            shown: AgentState::Offline,
        };
        self.desks.insert(agent.id, desk);
    }

    /// Out of the directory: offline, and forgotten once he holds nothing.
    fn dismiss(&mut self, agent: AgentId) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        desk.presence = AgentState::Offline;
        if desk.held.is_empty() && desk.shown == AgentState::Offline {
            self.desks.remove(&agent);
        }
    }

    /// False when the agent is unknown or the state is none he can wish for.
    pub fn set_presence(&mut self, now: Time, agent: AgentId, state: AgentState, reason: Option<String>) -> bool {
        let Some(desk) = self.desks.get_mut(&agent) else { return false };
        if matches!(state, AgentState::Busy | AgentState::WrapUp) {
            return false;
        }
        if desk.presence != AgentState::Available && state == AgentState::Available {
            desk.idle_since = now;
            desk.rest_until = Time::default();
        }
        desk.presence = state;
        desk.reason = reason;
        true
    }

    /// Offline, or away only because he missed an offer.
    pub fn may_return(&self, agent: AgentId) -> bool {
        self.desks.get(&agent).is_some_and(|desk| match desk.presence {
            AgentState::Offline => desk.agent.auto_available,
            AgentState::Away => desk.agent.auto_available && desk.reason.as_deref() == Some(MISSED),
            _ => false,
        })
    }

    /// He let an offer ring out.
    pub fn missed(&mut self, now: Time, agent: AgentId, state: AgentState) {
        let reason = (state == AgentState::Away).then(|| MISSED.to_owned());
        self.set_presence(now, agent, state, reason);
    }

    /// Nothing is offered to him until then.
    pub fn rest(&mut self, agent: AgentId, until: Time) {
        if let Some(desk) = self.desks.get_mut(&agent) {
            desk.rest_until = until;
        }
    }

    /// He holds a session that came past the lines.
    pub fn hold(&mut self, agent: AgentId, session: SessionId, cost: u32) {
        self.take(agent, session, Held { cost, queue: None, part: Part::Serving });
    }

    /// An offer reserves its cost before it rings.
    pub fn reserve(&mut self, agent: AgentId, session: SessionId, cost: u32, queue: QueueId) {
        self.take(agent, session, Held { cost, queue: Some(queue), part: Part::Serving });
    }

    /// He calls somebody, and serves nobody there: what came to him out of a queue he goes on serving.
    pub fn calls(&mut self, agent: AgentId, session: SessionId, cost: u32) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        let held = desk.held.entry(session).or_insert(Held { cost, queue: None, part: Part::Calling });
        if held.queue.is_none() {
            held.part = Part::Calling;
            if self.holders.get(&session) == Some(&agent) {
                self.holders.remove(&session);
            }
        }
    }

    /// His call is over; false when he did not call, or serves the session now.
    pub fn called(&mut self, now: Time, agent: AgentId, session: SessionId) -> bool {
        let Some(desk) = self.desks.get_mut(&agent) else { return false };
        let over = desk.held.get(&session).is_some_and(|held| held.part == Part::Calling);
        if over {
            desk.held.remove(&session);
            desk.idle_since = now;
        }
        over
    }

    fn take(&mut self, agent: AgentId, session: SessionId, held: Held) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        desk.held.insert(session, held);
        self.holders.insert(session, agent);
    }

    /// He no longer holds it.
    pub fn release(&mut self, now: Time, agent: AgentId, session: SessionId) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        if desk.held.remove(&session).is_some() {
            desk.idle_since = now;
            if self.holders.get(&session) == Some(&agent) {
                self.holders.remove(&session);
            }
        }
    }

    /// The talk is over, the notes begin; it counts as served. The session itself may go to somebody else meanwhile.
    pub fn wrap_up(&mut self, agent: AgentId, session: SessionId) {
        if let Some(held) = self.desks.get_mut(&agent).and_then(|desk| desk.held.get_mut(&session)) {
            held.part = Part::Wrapping;
            self.holders.remove(&session);
        }
    }

    /// Does he still write the notes of this session?
    pub fn is_wrapping(&self, agent: AgentId, session: SessionId) -> bool {
        let held = self.desks.get(&agent).and_then(|desk| desk.held.get(&session));
        held.is_some_and(|held| held.part == Part::Wrapping)
    }

    /// One more session today.
    pub fn count(&mut self, now: Time, agent: AgentId) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        let today = now.0 / MICROS_A_DAY;
        if desk.day != today {
            desk.day = today;
            desk.served_today = 0;
        }
        desk.served_today += 1;
    }

    /// The sessions he wraps up.
    pub fn wrapping(&self, agent: AgentId) -> Vec<SessionId> {
        let held = self.desks.get(&agent).map(|desk| desk.held.iter());
        held.into_iter().flatten().filter(|(_, held)| held.part == Part::Wrapping).map(|(session, _)| *session).collect()
    }

    /// Who has it, and out of which queue it came.
    pub fn holder(&self, session: SessionId) -> Option<(AgentId, Option<QueueId>)> {
        let agent = *self.holders.get(&session)?;
        let held = self.desks.get(&agent)?.held.get(&session)?;
        Some((agent, held.queue))
    }

    /// The queues he serves.
    pub fn queues(&self, agent: AgentId) -> &[QueueId] {
        self.desks.get(&agent).map_or(&[], |desk| &desk.agent.queues)
    }

    /// Who serves the queue.
    pub fn serving(&self, queue: QueueId) -> impl Iterator<Item = AgentId> + '_ {
        self.serving.get(&queue).into_iter().flatten().copied()
    }

    /// May he be offered something of this cost now?
    pub fn is_free(&self, now: Time, agent: AgentId, cost: u32) -> bool {
        self.desks
            .get(&agent)
            .is_some_and(|desk| desk.presence == AgentState::Available && desk.rest_until <= now && desk.load() + cost <= desk.capacity())
    }

    /// The sum of his levels in these skills; `None` when one is missing.
    pub fn level(&self, agent: AgentId, skills: &[String]) -> Option<u32> {
        let desk = self.desks.get(&agent)?;
        skills.iter().map(|skill| desk.agent.skills.get(skill).map(|level| u32::from(*level))).sum()
    }

    /// Since when he has had nothing new.
    pub fn idle_since(&self, agent: AgentId) -> Time {
        self.desks.get(&agent).map_or(Time(u64::MAX), |desk| desk.idle_since)
    }

    /// Sessions he was given today.
    pub fn served_today(&self, now: Time, agent: AgentId) -> u32 {
        self.desks.get(&agent).filter(|desk| desk.day == now.0 / MICROS_A_DAY).map_or(0, |desk| desk.served_today)
    }

    /// His state as people see it.
    pub fn state(&self, agent: AgentId) -> AgentState {
        self.desks.get(&agent).map_or(AgentState::Offline, Desk::state)
    }

    /// The new state, once after each change.
    pub fn changed(&mut self, agent: AgentId) -> Option<(AgentState, Option<String>)> {
        let desk = self.desks.get_mut(&agent)?;
        let state = desk.state();
        if state == desk.shown {
            return None;
        }
        desk.shown = state;
        Some((state, desk.reason.clone().filter(|_| state == AgentState::Away)))
    }

    /// Everybody, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.desks.keys().copied()
    }

    /// Who holds more than he may by offers (sessions that came past the lines do not count).
    pub fn overloaded(&self) -> Vec<AgentId> {
        let too_much = |desk: &&Desk| desk.held.values().all(|held| held.queue.is_some()) && desk.load() > desk.capacity();
        self.desks.values().filter(too_much).map(|desk| desk.agent.id).collect()
    }

    /// Who is said to have a session and does not serve it, or serves one that is said to be somebody else's.
    pub fn torn(&self) -> Vec<(AgentId, SessionId)> {
        let serves = |agent: &AgentId, session: &SessionId| {
            let held = self.desks.get(agent).and_then(|desk| desk.held.get(session));
            held.is_some_and(|held| held.part == Part::Serving)
        };
        let said = self.holders.iter().map(|(session, agent)| (*agent, *session));
        let held = self.desks.iter().flat_map(|(agent, desk)| desk.held.keys().map(|session| (*agent, *session)));
        said.filter(|(agent, session)| !serves(agent, session))
            .chain(held.filter(|(agent, session)| serves(agent, session) && self.holders.get(session) != Some(agent)))
            .collect()
    }
}

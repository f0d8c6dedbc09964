//! Who gets whom. One step finds the agent, reserves his capacity, takes the session out of its line and starts the clock.

use std::cmp::Reverse;

use super::super::time::Time;
use super::super::words::agent::AgentState;
use super::super::words::directory::Selection;
use super::super::words::{AgentId, OfferId, QueueId, SessionId};
use super::lines::Waiting;
use super::{Acd, Effect, Offer, Timer};

/// Lower is better: more skill first, then the queue's own order, then a fixed order.
type Rank = (Reverse<u32>, u64, Time, AgentId);

impl Acd {
    /// Finds an agent for a session that has just joined, returned or been widened.
    pub(super) fn match_session(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) {
        let Some(waiting) = self.lines.of(session).filter(|waiting| waiting.is_in_line()) else {
            return;
        };
        let best = waiting
            .queues()
            .flat_map(|queue| self.agents.serving(queue).map(move |agent| (queue, agent)))
            .filter_map(|(queue, agent)| Some((self.rank(now, waiting, queue, agent)?, agent)))
            .min();
        if let Some((_, agent)) = best {
            self.offer(now, session, agent, out);
        }
    }

    /// Finds work for an agent who has become free, as long as he has capacity and somebody waits.
    pub(super) fn match_agent(&mut self, now: Time, agent: AgentId, out: &mut Vec<Effect>) {
        while let Some(session) = self.first_for(now, agent) {
            self.offer(now, session, agent, out);
        }
    }

    /// After a change that may have freed anybody.
    pub(super) fn match_all(&mut self, now: Time, out: &mut Vec<Effect>) {
        let agents: Vec<AgentId> = self.agents.all().collect();
        for agent in agents {
            self.match_agent(now, agent, out);
        }
    }

    /// An agent waits for a session only where somebody is in a line.
    pub(super) fn missed_matches(&self, now: Time) -> Vec<(AgentId, SessionId)> {
        let mut missed = Vec::new();
        for waiting in self.lines.all() {
            for queue in waiting.queues() {
                for agent in self.agents.serving(queue).filter(|agent| self.rank(now, waiting, queue, *agent).is_some()) {
                    missed.push((agent, waiting.item.session));
                }
            }
        }
        missed
    }

    /// The first in all the lines he serves that he may take.
    fn first_for(&self, now: Time, agent: AgentId) -> Option<SessionId> {
        let firsts = self.agents.queues(agent).iter().filter_map(|queue| {
            self.lines
                .in_order(*queue)
                .filter(|waiting| self.rank(now, waiting, *queue, agent).is_some())
                .min_by_key(|waiting| waiting.place())
        });
        firsts.min_by_key(|waiting| waiting.place()).map(|waiting| waiting.item.session)
    }

    /// How well the agent fits; `None` when he may not take it now.
    fn rank(&self, now: Time, waiting: &Waiting, queue: QueueId, agent: AgentId) -> Option<Rank> {
        let settings = self.queues.get(&queue)?;
        if !self.agents.is_free(now, agent, waiting.cost) || self.waits_for_another(waiting, agent) {
            return None;
        }
        let level = self.agents.level(agent, &waiting.item.ask.skills)? + self.agents.level(agent, &settings.skills)?;
        let served = match settings.selection {
            Selection::LongestIdle => 0,
            Selection::FewestToday => u64::from(self.agents.served_today(now, agent)),
        };
        Some((Reverse(level), served, self.agents.idle_since(agent), agent))
    }

    /// True while the session is kept for the agent who knows the case, and he is signed in.
    fn waits_for_another(&self, waiting: &Waiting, agent: AgentId) -> bool {
        waiting.sticky.is_some_and(|known| known != agent && self.agents.state(known) != AgentState::Offline)
    }

    fn offer(&mut self, now: Time, session: SessionId, agent: AgentId, out: &mut Vec<Effect>) {
        let Some(waiting) = self.lines.of(session) else { return };
        let queue = waiting.item.ask.queue;
        let ring = self.queues.get(&queue).map(|queue| queue.ring).unwrap_or_default();
        let offer = OfferId::new(now, &mut self.random);
        self.agents.reserve(agent, session, waiting.cost, queue);
        self.lines.ring(session, offer);
        self.offers.insert(offer, Offer { session, agent });
        self.timers.set(Timer::Ring(offer), now + ring);
        out.push(Effect::Offer { offer, session, agent, queue });
        self.announce(agent, out);
    }
}

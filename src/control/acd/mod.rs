//! Automatic call distribution: agents and lines owned together.
//!
//! Joining a line, finding the agent, reserving his capacity and starting the offer's clock are one step,
//! so no session can be offered twice and no agent can hold more than he may (A1–A4 of ARCHITECTURE.md).
//! Everything that follows from a step comes out as [`Effect`]s in the order it happened.

mod agents;
mod lines;
mod matching;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::dialplan::wish::Enqueue;
use super::event::OfferEnd;
use super::random::Random;
use super::time::{Deadlines, Time};
use super::words::agent::AgentState;
use super::words::directory::{Directory, Queue};
use super::words::{AgentId, OfferId, QueueId, SessionId};

use agents::Agents;
use lines::Lines;

/// How long an agent who declined an offer is left in peace.
pub const REJECT_REST: Duration = Duration::from_secs(10);
/// A capacity of 1.0 in thousandths, so that sums are exact.
const WHOLE: u32 = 1_000;

/// What a session asks of the ACD.
#[derive(Debug, Clone)]
pub struct Item {
    /// The session.
    pub session: SessionId,
    /// `voice`, `chat`, `video`, `ticket`: names the cost.
    pub channel: String,
    /// The evaluated queue step.
    pub ask: Enqueue,
    /// Who served this customer last, and when that ended.
    pub last_agent: Option<(AgentId, Time)>,
}

/// Why a session left its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// An agent has it.
    Answered,
    /// The customer left.
    Abandoned,
    /// The overflow time came.
    Overflowed,
}

impl Left {
    /// The word of the event log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Left::Answered => "answered",
            Left::Abandoned => "abandoned",
            Left::Overflowed => "overflow",
        }
    }
}

/// What follows from a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The session stands in this line now.
    Queued {
        /// Who waits.
        session: SessionId,
        /// Where.
        queue: QueueId,
        /// 1 = next.
        position: usize,
    },
    /// It goes before others now.
    Raised {
        /// Who waits.
        session: SessionId,
        /// Where.
        queue: QueueId,
        /// Higher goes first.
        priority: u8,
        /// 1 = next, 0 = it rings.
        position: usize,
    },
    /// Ring this agent.
    Offer {
        /// The offer.
        offer: OfferId,
        /// For whom.
        session: SessionId,
        /// Whom.
        agent: AgentId,
        /// Out of which line.
        queue: QueueId,
    },
    /// The offer is over, in one of four ways; comes exactly once an offer. Unless accepted, stop ringing.
    OfferEnded {
        /// The offer.
        offer: OfferId,
        /// For whom.
        session: SessionId,
        /// Whom.
        agent: AgentId,
        /// How.
        end: OfferEnd,
    },
    /// The session left its line for good.
    Dequeued {
        /// Who.
        session: SessionId,
        /// Which line.
        queue: QueueId,
        /// Why.
        why: Left,
        /// How long it waited in all.
        waited: Duration,
    },
    /// The step of the overflow ladder that ends the wait; its number, or the ladder's length for the queue's own `max_wait`.
    Overflow {
        /// Who.
        session: SessionId,
        /// Which step.
        index: usize,
    },
    /// Time to offer a callback.
    CallbackDue {
        /// To whom.
        session: SessionId,
    },
    /// The agent's state changed.
    State {
        /// Who.
        agent: AgentId,
        /// To what.
        state: AgentState,
        /// Why, for `Away`.
        reason: Option<String>,
    },
}

/// Clocks of the ACD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Ring(OfferId),
    Ladder(SessionId),
    Sticky(SessionId),
    Callback(SessionId),
    WrapUp(AgentId, SessionId),
    Rest(AgentId),
}

/// An offer that rings.
#[derive(Debug, Clone, Copy)]
struct Offer {
    session: SessionId,
    agent: AgentId,
}

/// What the ACD holds, for invariants and live pages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Audit {
    /// Sessions that stand in a line, with how many lines hold them (must be 1).
    pub waiting: BTreeMap<SessionId, usize>,
    /// Sessions that ring, with how many offers (must be 1).
    pub offered: BTreeMap<SessionId, usize>,
    /// Agents above their capacity (must be empty).
    pub overloaded: Vec<AgentId>,
    /// An agent and a session of which only one knows that he has it (must be empty).
    pub torn: Vec<(AgentId, SessionId)>,
    /// A free agent and a session he may take that waits (must be empty).
    pub idle_while_waiting: Vec<(AgentId, SessionId)>,
}

/// Agents and lines.
#[derive(Debug)]
pub struct Acd {
    random: Random,
    queues: BTreeMap<QueueId, Queue>,
    agents: Agents,
    lines: Lines,
    offers: BTreeMap<OfferId, Offer>,
    timers: Deadlines<Timer>,
}

impl Acd {
    /// An ACD without agents and queues.
    #[must_use]
    pub fn new(seed: u64) -> Acd {
        Acd {
            random: Random::new(seed),
            queues: BTreeMap::new(),
            agents: Agents::default(),
            lines: Lines::default(),
            offers: BTreeMap::new(),
            timers: Deadlines::default(),
        }
    }

    /// Takes over queues and agents. Who is gone is offline and gets nothing more; lines of queues that are gone overflow at once.
    pub fn configure(&mut self, now: Time, directory: &Directory, out: &mut Vec<Effect>) {
        self.queues.clone_from(&directory.queues);
        for agent in self.agents.configure(now, directory) {
            self.withdraw_from(now, agent, out);
            self.announce(agent, out);
        }
        for session in self.lines.outside(&self.queues) {
            self.overflow(now, session, out);
        }
        self.match_all(now, out);
    }

    /// The agent's wish for his state: `Available`, `Away` or `Offline`. Other states follow from what he holds.
    pub fn set_state(&mut self, now: Time, agent: AgentId, state: AgentState, reason: Option<String>, out: &mut Vec<Effect>) {
        if !self.agents.set_presence(now, agent, state, reason) {
            return;
        }
        if state == AgentState::Offline {
            self.withdraw_from(now, agent, out);
        }
        self.announce(agent, out);
        self.match_agent(now, agent, out);
    }

    /// His phone has registered (again): brings him back from offline, and from away after a missed offer.
    pub fn registered(&mut self, now: Time, agent: AgentId, out: &mut Vec<Effect>) {
        if self.agents.may_return(agent) {
            self.set_state(now, agent, AgentState::Available, None, out);
        }
    }

    /// The agent has a session that came to him without an offer (an extension was dialled, he called out).
    pub fn occupy(&mut self, agent: AgentId, session: SessionId, out: &mut Vec<Effect>) {
        self.agents.hold(agent, session, WHOLE);
        self.announce(agent, out);
    }

    /// The agent calls somebody by his phone: nothing is offered to him meanwhile.
    pub fn calls(&mut self, agent: AgentId, session: SessionId, out: &mut Vec<Effect>) {
        self.agents.calls(agent, session, WHOLE);
        self.announce(agent, out);
    }

    /// His phone has hung up.
    pub fn called(&mut self, now: Time, agent: AgentId, session: SessionId, out: &mut Vec<Effect>) {
        if self.agents.called(now, agent, session) {
            self.announce(agent, out);
            self.match_agent(now, agent, out);
        }
    }

    /// Joins the line and is offered at once when somebody is free.
    pub fn enqueue(&mut self, now: Time, item: Item, out: &mut Vec<Effect>) {
        let session = item.session;
        self.leave(now, session, out);
        let Some(queue) = self.queues.get(&item.ask.queue) else {
            out.push(Effect::Overflow { session, index: item.ask.overflow.len() });
            return;
        };
        let (queue, cost, max_wait) = (queue.id, cost(queue, &item.channel), queue.max_wait);
        self.arm(now, &item, max_wait);
        let position = self.lines.join(now, item, cost);
        out.push(Effect::Queued { session, queue, position });
        self.match_session(now, session, out);
    }

    /// Who waits goes before others of a lower priority from now on; nobody is put back, and an offer that rings goes on.
    pub fn raise(&mut self, session: SessionId, priority: u8, out: &mut Vec<Effect>) {
        if let Some(queue) = self.lines.raise(session, priority) {
            let position = self.lines.position(session).unwrap_or(0);
            out.push(Effect::Raised { session, queue, priority, position });
        }
    }

    /// The customer left: out of the line, an offer is withdrawn.
    pub fn leave(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) {
        let rung = self.take_back(now, session, out);
        self.remove(now, session, Left::Abandoned, out);
        if let Some(agent) = rung {
            self.match_agent(now, agent, out);
        }
    }

    /// The agent took the offer. False when it was over already: hang up on him politely.
    pub fn offer_accepted(&mut self, now: Time, offer: OfferId, out: &mut Vec<Effect>) -> bool {
        let Some(Offer { session, agent }) = self.offers.get(&offer).copied() else {
            return false;
        };
        self.close_offer(offer, OfferEnd::Accepted, out);
        self.agents.count(now, agent);
        self.remove(now, session, Left::Answered, out);
        self.announce(agent, out);
        true
    }

    /// The agent or his phone declined: the session goes back to its old place, and he is left in peace for [`REJECT_REST`].
    pub fn offer_refused(&mut self, now: Time, offer: OfferId, out: &mut Vec<Effect>) {
        let Some(Offer { agent, .. }) = self.offers.get(&offer).copied() else {
            return;
        };
        self.leave_in_peace(now, agent);
        self.end_offer(now, offer, OfferEnd::Rejected, out);
    }

    /// The session ended for its agent: wrap-up begins, or he is free at once.
    pub fn released(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) {
        let Some((agent, queue)) = self.agents.holder(session) else {
            return;
        };
        let wrap_up = queue.and_then(|id| self.queues.get(&id)).map_or(Duration::ZERO, |queue| queue.wrap_up);
        if wrap_up.is_zero() {
            self.free(now, agent, session, out);
        } else {
            self.agents.wrap_up(agent, session);
            self.timers.set(Timer::WrapUp(agent, session), now + wrap_up);
            self.announce(agent, out);
        }
    }

    /// The agent ends all his wrap-ups.
    pub fn ready(&mut self, now: Time, agent: AgentId, out: &mut Vec<Effect>) {
        for session in self.agents.wrapping(agent) {
            self.free(now, agent, session, out);
        }
    }

    /// Who holds the session now.
    #[must_use]
    pub fn holder(&self, session: SessionId) -> Option<AgentId> {
        self.agents.holder(session).map(|(agent, _)| agent)
    }

    /// 1 = next in line; `None` when it stands in none.
    #[must_use]
    pub fn position(&self, session: SessionId) -> Option<usize> {
        self.lines.position(session)
    }

    /// The agent's state as people see it.
    #[must_use]
    pub fn state(&self, agent: AgentId) -> AgentState {
        self.agents.state(agent)
    }

    /// When [`Acd::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(now, timer, out);
        }
    }

    /// A picture of the whole for invariants.
    #[must_use]
    pub fn audit(&self, now: Time) -> Audit {
        Audit {
            waiting: self.lines.waiting(),
            offered: self.offers.values().fold(BTreeMap::new(), |mut sum, offer| {
                *sum.entry(offer.session).or_insert(0) += 1;
                sum
            }),
            overloaded: self.agents.overloaded(),
            torn: self.agents.torn(),
            idle_while_waiting: self.missed_matches(now),
        }
    }

    fn fire(&mut self, now: Time, timer: Timer, out: &mut Vec<Effect>) {
        match timer {
            Timer::Ring(offer) => self.ring_out(now, offer, out),
            Timer::Ladder(session) => self.climb(now, session, out),
            Timer::Sticky(session) => {
                self.lines.forget_sticky(session);
                self.match_session(now, session, out);
            }
            Timer::Callback(session) => out.push(Effect::CallbackDue { session }),
            Timer::WrapUp(agent, session) => {
                if self.agents.is_wrapping(agent, session) {
                    self.free(now, agent, session, out);
                }
            }
            Timer::Rest(agent) => self.match_agent(now, agent, out),
        }
    }

    /// Sets the clocks of a wait: the sticky agent's, the ladder's first step, the callback offer.
    fn arm(&mut self, now: Time, item: &Item, max_wait: Duration) {
        let first = item.ask.overflow.first().map_or(max_wait, |step| step.after.min(max_wait));
        self.timers.set(Timer::Ladder(item.session), now + first);
        if let Some((_, wait)) = item.ask.sticky {
            self.timers.set(Timer::Sticky(item.session), now + wait);
        }
        if let Some(after) = item.ask.callback_after {
            self.timers.set(Timer::Callback(item.session), now + after);
        }
    }

    /// The next step of the overflow ladder. An item that rings just now is dealt with when its offer ends.
    fn climb(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) {
        let Some(max_wait) = self.lines.queue_of(session).and_then(|id| self.queues.get(&id)).map(|queue| queue.max_wait) else {
            return;
        };
        match self.lines.climb(now, session, max_wait) {
            lines::Step::Widened { next } => {
                self.timers.set(Timer::Ladder(session), next);
                self.match_session(now, session, out);
            }
            lines::Step::Ringing => {}
            lines::Step::Over { index } => {
                self.remove(now, session, Left::Overflowed, out);
                out.push(Effect::Overflow { session, index });
            }
            lines::Step::Later { next } => self.timers.set(Timer::Ladder(session), next),
            lines::Step::Unknown => {}
        }
    }

    fn overflow(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) {
        self.take_back(now, session, out);
        let index = self.lines.ladder_len(session);
        self.remove(now, session, Left::Overflowed, out);
        out.push(Effect::Overflow { session, index });
    }

    fn ring_out(&mut self, now: Time, offer: OfferId, out: &mut Vec<Effect>) {
        let Some(Offer { session, agent }) = self.offers.get(&offer).copied() else {
            return;
        };
        let missed = self.lines.queue_of(session).and_then(|id| self.queues.get(&id)).map_or(AgentState::Away, |queue| queue.missed);
        self.agents.missed(now, agent, missed);
        self.leave_in_peace(now, agent);
        self.end_offer(now, offer, OfferEnd::TimedOut, out);
    }

    fn leave_in_peace(&mut self, now: Time, agent: AgentId) {
        self.agents.rest(agent, now + REJECT_REST);
        self.timers.set(Timer::Rest(agent), now + REJECT_REST);
    }

    /// Withdraws what rings for a session that will not go back to its line; answers with the agent who is free again.
    fn take_back(&mut self, now: Time, session: SessionId, out: &mut Vec<Effect>) -> Option<AgentId> {
        let offer = self.lines.offer_of(session)?;
        let agent = self.offers.get(&offer)?.agent;
        self.close_offer(offer, OfferEnd::Withdrawn, out);
        self.agents.release(now, agent, session);
        self.announce(agent, out);
        Some(agent)
    }

    /// Ends an offer that was not accepted and finds work for both sides again.
    fn end_offer(&mut self, now: Time, offer: OfferId, end: OfferEnd, out: &mut Vec<Effect>) {
        let Some(Offer { session, agent }) = self.offers.get(&offer).copied() else {
            return;
        };
        self.close_offer(offer, end, out);
        self.agents.release(now, agent, session);
        self.lines.return_to_line(session);
        self.announce(agent, out);
        if end != OfferEnd::Withdrawn {
            if self.timers.of(&Timer::Ladder(session)).is_none() {
                self.climb(now, session, out);
            }
            self.match_session(now, session, out);
        }
        self.match_agent(now, agent, out);
    }

    fn close_offer(&mut self, offer: OfferId, end: OfferEnd, out: &mut Vec<Effect>) {
        let Some(Offer { session, agent }) = self.offers.remove(&offer) else {
            return;
        };
        self.timers.clear(&Timer::Ring(offer));
        out.push(Effect::OfferEnded { offer, session, agent, end });
    }

    fn remove(&mut self, now: Time, session: SessionId, why: Left, out: &mut Vec<Effect>) {
        let Some((queue, since)) = self.lines.remove(session) else { return };
        for timer in [Timer::Ladder(session), Timer::Sticky(session), Timer::Callback(session)] {
            self.timers.clear(&timer);
        }
        out.push(Effect::Dequeued { session, queue, why, waited: now.since(since) });
    }

    fn withdraw_from(&mut self, now: Time, agent: AgentId, out: &mut Vec<Effect>) {
        let offers: Vec<OfferId> = self.offers.iter().filter(|(_, offer)| offer.agent == agent).map(|(id, _)| *id).collect();
        for offer in offers {
            let session = self.offers[&offer].session;
            self.end_offer(now, offer, OfferEnd::Withdrawn, out);
            self.match_session(now, session, out);
        }
    }

    fn free(&mut self, now: Time, agent: AgentId, session: SessionId, out: &mut Vec<Effect>) {
        self.timers.clear(&Timer::WrapUp(agent, session));
        self.agents.release(now, agent, session);
        self.announce(agent, out);
        self.match_agent(now, agent, out);
    }

    fn announce(&mut self, agent: AgentId, out: &mut Vec<Effect>) {
        if let Some((state, reason)) = self.agents.changed(agent) {
            out.push(Effect::State { agent, state, reason });
        }
    }
}

/// What a session of this channel takes of a capacity of 1.0, in thousandths.
fn cost(queue: &Queue, channel: &str) -> u32 {
    let share = queue.cost.get(channel).copied().unwrap_or(1.0);
    (share * WHOLE as f32).round().max(1.0) as u32
}

//! Lines: who waits where, in which order, and how far up the overflow ladder.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::time::Time;
use super::super::words::directory::Queue;
use super::super::words::{AgentId, OfferId, QueueId, SessionId};
use super::Item;

/// The order of a line: priority first, then the time of joining, then the order of joining.
pub type Place = (u8, Time, u64, SessionId);

/// Somebody who waits or rings.
#[derive(Debug)]
pub struct Waiting {
    /// What was asked.
    pub item: Item,
    /// What it takes of an agent, in thousandths.
    pub cost: u32,
    /// The agent who goes first while his time lasts.
    pub sticky: Option<AgentId>,
    since: Time,
    place: Place,
    climbed: usize,
    widened: Vec<QueueId>,
    offer: Option<OfferId>,
}

impl Waiting {
    /// The home line and those widened to.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> + '_ {
        std::iter::once(self.item.ask.queue).chain(self.widened.iter().copied())
    }

    /// The order against others.
    pub fn place(&self) -> Place {
        self.place
    }

    /// True while it stands in its line, false while it rings.
    pub fn is_in_line(&self) -> bool {
        self.offer.is_none()
    }
}

/// What a step up the ladder did.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// More agents may take it; the next step is due then.
    Widened {
        /// When.
        next: Time,
    },
    /// It rings just now; look again when the offer ends.
    Ringing,
    /// The wait is over.
    Over {
        /// By which step.
        index: usize,
    },
    /// Not yet.
    Later {
        /// When.
        next: Time,
    },
    /// It waits no more.
    Unknown,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Lines {
    waiting: BTreeMap<SessionId, Waiting>,
    lines: BTreeMap<QueueId, BTreeSet<Place>>,
    wider: BTreeMap<QueueId, BTreeSet<Place>>,
    joined: u64,
}

impl Lines {
    /// Joins the line of its queue; answers with the position, 1 = next.
    pub fn join(&mut self, now: Time, item: Item, cost: u32) -> usize {
        self.joined += 1;
        let session = item.session;
        let place = (u8::MAX - item.ask.priority, now, self.joined, session);
        let sticky = sticky_agent(now, &item);
        self.lines.entry(item.ask.queue).or_default().insert(place);
        self.waiting.insert(session, Waiting { item, cost, sticky, since: now, place, climbed: 0, widened: Vec::new(), offer: None });
        self.position(session).unwrap_or(1)
    }

    /// Gives one who waits or rings a higher priority, by his old time; answers with his queue, `None` when he has as high a one.
    pub fn raise(&mut self, session: SessionId, priority: u8) -> Option<QueueId> {
        let waiting = self.waiting.get(&session).filter(|waiting| waiting.item.ask.priority < priority)?;
        let (queue, is_in_line) = (waiting.item.ask.queue, waiting.is_in_line());
        self.strike(session);
        let waiting = self.waiting.get_mut(&session)?;
        waiting.item.ask.priority = priority;
        waiting.place.0 = u8::MAX - priority;
        if is_in_line {
            self.stand(session);
        }
        Some(queue)
    }

    /// Who stands in the queue's line or was widened to it, first come first.
    pub fn in_order(&self, queue: QueueId) -> impl Iterator<Item = &Waiting> {
        let own = self.lines.get(&queue).into_iter().flatten();
        let wider = self.wider.get(&queue).into_iter().flatten();
        own.chain(wider).filter_map(|place| self.waiting.get(&place.3))
    }

    /// One who waits or rings.
    pub fn of(&self, session: SessionId) -> Option<&Waiting> {
        self.waiting.get(&session)
    }

    /// The queue it stands for.
    pub fn queue_of(&self, session: SessionId) -> Option<QueueId> {
        self.of(session).map(|waiting| waiting.item.ask.queue)
    }

    /// The offer that rings for it.
    pub fn offer_of(&self, session: SessionId) -> Option<OfferId> {
        self.of(session)?.offer
    }

    /// The number of steps of its overflow ladder.
    pub fn ladder_len(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |waiting| waiting.item.ask.overflow.len())
    }

    /// It rings: out of all lines, its place is kept.
    pub fn ring(&mut self, session: SessionId, offer: OfferId) {
        let Some(waiting) = self.waiting.get_mut(&session) else { return };
        waiting.offer = Some(offer);
        self.strike(session);
    }

    /// The offer failed: back to the old place.
    pub fn return_to_line(&mut self, session: SessionId) {
        let Some(waiting) = self.waiting.get_mut(&session) else { return };
        waiting.offer = None;
        self.stand(session);
    }

    /// Gone for good; answers with the queue and since when it waited.
    pub fn remove(&mut self, session: SessionId) -> Option<(QueueId, Time)> {
        self.strike(session);
        let waiting = self.waiting.remove(&session)?;
        Some((waiting.item.ask.queue, waiting.since))
    }

    /// His agent's time is over: everybody may take it.
    pub fn forget_sticky(&mut self, session: SessionId) {
        if let Some(waiting) = self.waiting.get_mut(&session) {
            waiting.sticky = None;
        }
    }

    /// Takes the step of the ladder that is due.
    pub fn climb(&mut self, now: Time, session: SessionId, max_wait: Duration) -> Step {
        let Some(waiting) = self.waiting.get_mut(&session) else {
            return Step::Unknown;
        };
        if waiting.offer.is_some() {
            return Step::Ringing;
        }
        let (index, due) = (waiting.climbed, next_step(waiting, max_wait));
        if due > now {
            return Step::Later { next: due };
        }
        let Some(queue) = waiting.item.ask.overflow.get(index).filter(|_| now < waiting.since + max_wait).and_then(|step| step.widen)
        else {
            let ladder = waiting.item.ask.overflow.len();
            let by_step = waiting.item.ask.overflow.get(index).is_some_and(|step| step.widen.is_none());
            return Step::Over { index: if by_step { index } else { ladder } };
        };
        waiting.climbed += 1;
        waiting.widened.push(queue);
        let next = next_step(waiting, max_wait);
        self.wider.entry(queue).or_default().insert(waiting.place);
        Step::Widened { next }
    }

    /// 1 = next in the home line.
    pub fn position(&self, session: SessionId) -> Option<usize> {
        let waiting = self.of(session).filter(|waiting| waiting.is_in_line())?;
        Some(self.lines.get(&waiting.item.ask.queue)?.range(..=waiting.place).count())
    }

    /// Sessions whose queue is not configured.
    pub fn outside(&self, queues: &BTreeMap<QueueId, Queue>) -> Vec<SessionId> {
        self.waiting.values().filter(|waiting| !queues.contains_key(&waiting.item.ask.queue)).map(|waiting| waiting.item.session).collect()
    }

    /// Who stands in how many home lines.
    pub fn waiting(&self) -> BTreeMap<SessionId, usize> {
        let mut sum: BTreeMap<SessionId, usize> =
            self.waiting.values().filter(|waiting| waiting.is_in_line()).map(|waiting| (waiting.item.session, 0)).collect();
        for place in self.lines.values().flatten() {
            *sum.entry(place.3).or_insert(0) += 1;
        }
        sum
    }

    /// All who stand in a line.
    pub fn all(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values().filter(|waiting| waiting.is_in_line())
    }

    /// Into his lines, at his place.
    fn stand(&mut self, session: SessionId) {
        let Some(waiting) = self.waiting.get(&session) else { return };
        self.lines.entry(waiting.item.ask.queue).or_default().insert(waiting.place);
        for queue in &waiting.widened {
            self.wider.entry(*queue).or_default().insert(waiting.place);
        }
    }

    fn strike(&mut self, session: SessionId) {
        let Some(waiting) = self.waiting.get(&session) else { return };
        if let Some(line) = self.lines.get_mut(&waiting.item.ask.queue) {
            line.remove(&waiting.place);
        }
        for queue in &waiting.widened {
            if let Some(line) = self.wider.get_mut(queue) {
                line.remove(&waiting.place);
            }
        }
    }
}

/// The last agent goes first when that was recent enough.
fn sticky_agent(now: Time, item: &Item) -> Option<AgentId> {
    let (within, _) = item.ask.sticky?;
    let (agent, ended) = item.last_agent?;
    (now.since(ended) <= within).then_some(agent)
}

/// When the next step of the ladder is due; the queue's own limit ends every ladder.
fn next_step(waiting: &Waiting, max_wait: Duration) -> Time {
    let step = waiting.item.ask.overflow.get(waiting.climbed).map_or(max_wait, |step| step.after.min(max_wait));
    waiting.since + step
}

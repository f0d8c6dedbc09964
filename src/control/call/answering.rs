//! How long a caller waits for an answer, and for what: from the end of his words to the first sound that follows from them.

use std::time::Duration;

use crate::control::event::{DomainEvent, Fact};
use crate::control::time::Time;
use crate::control::words::SessionId;

/// An answer under way.
#[derive(Debug, Clone, Copy)]
pub struct Answering {
    /// When the text came.
    heard: Time,
    endpoint: Duration,
    recognition: Duration,
    understanding: Duration,
    /// Lookups that are over.
    lookup: Duration,
    /// Since when one is waited for.
    asking: Option<Time>,
}

impl Answering {
    /// The text came. `endpoint`: the silence that ended the utterance; `recognition`: from there to the text.
    #[must_use]
    pub fn new(heard: Time, endpoint: Duration, recognition: Duration) -> Answering {
        Answering { heard, endpoint, recognition, understanding: Duration::ZERO, lookup: Duration::ZERO, asking: None }
    }

    /// So long the rules worked on the text.
    pub fn reckoned(&mut self, took: Duration) {
        self.understanding = took;
    }

    /// Is the plan waiting for a lookup now?
    pub fn look(&mut self, now: Time, is_asking: bool) {
        match (self.asking, is_asking) {
            (None, true) => self.asking = Some(now),
            (Some(since), false) => {
                self.lookup += now.since(since);
                self.asking = None;
            }
            _ => {}
        }
    }

    /// The first sound went out. `None` while a lookup is waited for: that sound asks for patience, and is no answer.
    #[must_use]
    pub fn begun(&self, now: Time, session: SessionId, synthesis: Duration) -> Option<Fact> {
        if self.asking.is_some() {
            return None;
        }
        let total = self.endpoint + self.recognition + now.since(self.heard);
        Some(Fact::TurnTimed {
            session,
            endpoint_ms: DomainEvent::ms(self.endpoint),
            recognition_ms: DomainEvent::ms(self.recognition),
            understanding_us: u64::try_from(self.understanding.as_micros()).unwrap_or(u64::MAX),
            lookup_ms: DomainEvent::ms(self.lookup),
            synthesis_ms: DomainEvent::ms(synthesis),
            total_ms: DomainEvent::ms(total),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;

    const HEARD: Time = Time(1_800_000_000_000_000);

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn an_answer_is_timed_in_its_parts_and_a_sound_that_asks_for_patience_is_none() {
        let session = SessionId::new(HEARD, &mut Random::new(1));
        let mut answering = Answering::new(HEARD, ms(500), ms(40));
        answering.look(HEARD, true);
        answering.reckoned(Duration::from_micros(310));
        assert_eq!(answering.begun(HEARD + ms(820), session, Duration::ZERO), None, "one moment, please");
        answering.look(HEARD + ms(1_000), true);
        answering.look(HEARD + ms(1_200), false);
        let fact = answering.begun(HEARD + ms(1_300), session, ms(80));
        let (understanding_us, lookup_ms, synthesis_ms) = (310, 1_200, 80);
        let (endpoint_ms, recognition_ms, total_ms) = (500, 40, 1_840);
        let timed = Fact::TurnTimed { session, endpoint_ms, recognition_ms, understanding_us, lookup_ms, synthesis_ms, total_ms };
        assert_eq!(fact, Some(timed));
    }
}

//! The runner: a pure state machine that leads one conversation through a plan.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::plan::Plan;
use super::wish::{Event, Wish};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::Lang;

/// How the customer reaches us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// A call: prompts are played, speech and keys come back.
    Voice,
    /// Text: prompts are messages, options are buttons, there is no no-input clock.
    Chat,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The phone number, E.164 where it is known in that form.
    pub phone: Option<String>,
    /// The customer's number in the house's own systems.
    pub external_id: Option<String>,
}

/// What is known when the conversation begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Call or chat.
    pub medium: Medium,
    /// `voice`, `web`, `wechat` …
    pub channel: String,
    /// The wished language; `None` = the plan's first.
    pub lang: Option<Lang>,
    /// `caller.*`
    pub caller: Caller,
    /// `customer.*`: `external_id`, `phone`, `email`, `city`, `tags` …
    pub customer: Map<String, Value>,
    /// `session.*`: `id`, `had_agent`, `open_tickets` …
    pub session: Map<String, Value>,
    /// `call.*`: `to`, `from`, `id` …
    pub call: Map<String, Value>,
}

/// One conversation in one plan version.
#[derive(Debug)]
pub struct Runner {
    plan: Arc<Plan>,
    random: Random,
    start: Start,
}

impl Runner {
    /// A conversation that begins with [`Event::Started`]. The same seed and the same events give the same wishes.
    #[must_use]
    pub fn new(_now: Time, seed: u64, plan: Arc<Plan>, start: Start) -> Runner {
        Runner { plan, random: Random::new(seed), start }
    }

    /// The plan version it runs.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// More about the customer has become known (a lookup that ended after the start).
    pub fn know(&mut self, customer: Map<String, Value>) {
        self.start.customer.extend(customer);
    }

    /// Something happened.
    pub fn step(&mut self, _now: Time, _event: Event, _out: &mut Vec<Wish>) {
        self.random.bits();
    }

    /// A deadline may have come.
    pub fn handle_timeout(&mut self, _now: Time, _out: &mut Vec<Wish>) {}

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

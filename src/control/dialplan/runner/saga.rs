//! Sagas: calls of several systems that belong together. They are made in order; when one fails, those that were done are undone, the
//! last first. Every stage is traced, and each call carries a key of its own, so that a second try of it does nothing twice.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::outside::unset;
use super::{Runner, Wait};
use crate::control::dialplan::expr::{Path, Scope};
use crate::control::dialplan::plan::{LookupSpec, Saga, SagaCall};
use crate::control::dialplan::wish::{Stage, Wish};
use crate::control::time::Time;
use crate::control::words::lookup::{Finding, Lookup};

/// The header of the key (draft-ietf-httpapi-idempotency-key-header).
const KEY: &str = "Idempotency-Key";
/// How a saga can end.
const COMPLETED: &str = "completed";
const ROLLED_BACK: &str = "rolled_back";
const STUCK: &str = "stuck";

/// A saga under way.
#[derive(Debug)]
pub(super) struct Running {
    /// Which of the conversation it is.
    run: u32,
    at: At,
    /// Tries of this call after the first one.
    tries: u32,
    /// Calls that were done, by their place.
    done: Vec<usize>,
    /// The call that failed, and how.
    failed: Option<(String, &'static str)>,
    /// Calls that could not be undone.
    stuck: Vec<String>,
    /// Until then the customer hears nothing of it; `None`: he was told, or nobody is there.
    moment: Option<Time>,
    company: Company,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Nothing was called yet.
    Start,
    Doing(usize),
    Undoing(usize),
    /// Nothing is left to be called.
    End,
}

/// Is the customer there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Customer,
    Nobody,
}

impl Running {
    fn new(run: u32) -> Running {
        let (done, stuck) = (Vec::new(), Vec::new());
        Running { run, at: At::Start, tries: 0, done, failed: None, stuck, moment: None, company: Company::Customer }
    }

    pub(super) fn leave_alone(&mut self) {
        (self.company, self.moment) = (Company::Nobody, None);
    }

    /// The customer was told that it takes a moment.
    pub(super) fn told(&mut self) {
        self.moment = None;
    }

    /// The lookup to be called now.
    fn call<'s>(&self, saga: &'s Saga) -> Option<&'s str> {
        match self.at {
            At::Doing(at) => saga.calls.get(at).map(|call| call.call.as_str()),
            At::Undoing(at) => saga.calls.get(at).and_then(|call| call.undo.as_deref()),
            At::Start | At::End => None,
        }
    }

    /// The place of the call, from 1.
    fn place(&self) -> usize {
        match self.at {
            At::Doing(at) | At::Undoing(at) => at + 1,
            At::Start | At::End => 0,
        }
    }

    /// To the next call forward.
    fn advance(&mut self, saga: &Saga) {
        let next = match self.at {
            At::Doing(at) => at + 1,
            _ => 0,
        };
        self.at = if next < saga.calls.len() { At::Doing(next) } else { At::End };
        self.tries = 0;
    }

    /// To the next call that has to be undone.
    fn go_back(&mut self, saga: &Saga) {
        let has_undo = |at: &usize| saga.calls.get(*at).is_some_and(|call: &SagaCall| call.undo.is_some());
        let next = std::iter::from_fn(|| self.done.pop()).find(has_undo);
        self.at = next.map_or(At::End, At::Undoing);
        self.tries = 0;
    }
}

impl Runner {
    /// A saga's next call, or its end.
    pub(super) fn saga(&mut self, now: Time, saga: &Saga, out: &mut Vec<Wish>) {
        if self.flow.saga.is_none() {
            if !self.may_speak(now, out) {
                return;
            }
            self.flow.sagas += 1;
            self.flow.saga = Some(Running::new(self.flow.sagas));
        }
        let Some(mut running) = self.flow.saga.take() else { return };
        if running.at == At::Start {
            running.advance(saga);
        }
        match running.call(saga) {
            Some(name) => self.saga_asks(now, saga, running, name, out),
            None => self.saga_ended(now, saga, running, out),
        }
    }

    /// The lookup that the saga waits for.
    pub(super) fn saga_call<'s>(&self, saga: &'s Saga) -> Option<&'s str> {
        self.flow.saga.as_ref()?.call(saga)
    }

    fn saga_asks(&mut self, now: Time, saga: &Saga, mut running: Running, name: &str, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        if running.tries == 0 {
            let stage = if matches!(running.at, At::Undoing(_)) { "undoing" } else { "started" };
            self.note_stage(saga, &running, stage, None, out);
        }
        let Some(spec) = plan.values.lookups.get(name) else {
            self.flow.saga = Some(running);
            self.saga_answered(saga, Finding::Failed("the lookup is not known".to_owned()), Duration::ZERO, out);
            return;
        };
        if let Some(finding) = unset(spec).or_else(|| self.without_address(now, spec)) {
            // Asking again would not give it a value.
            running.tries = saga.retries;
            self.flow.saga = Some(running);
            self.saga_answered(saga, finding, Duration::ZERO, out);
            return;
        }
        let mut question = self.question(now, spec);
        if let Lookup::Http { headers, cache, .. } = &mut question {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(KEY)) {
                headers.push((KEY.to_owned(), self.saga_key(saga, &running, name)));
            }
            // What is to be done now was not done by an answer of before.
            *cache = None;
        }
        self.find(now, question, spec.timeout, &saga.wait_say, out);
        let is_first = running.at == At::Doing(0) && running.tries == 0;
        if is_first && running.company == Company::Customer {
            running.moment = self.clocks.moment;
        }
        self.clocks.moment = running.moment;
        self.flow.saga = Some(running);
    }

    /// A value that the address needs and nobody has: what is deleted or changed at `…/jobs/` would be another thing.
    fn without_address(&self, now: Time, spec: &LookupSpec) -> Option<Finding> {
        let view = self.view(now);
        let is_missing = |path: &&Path| view.value(path).is_none_or(|value| value.is_null() || value == "");
        spec.url.paths().find(is_missing).map(|path| Finding::Failed(format!("{{{path}}} of its address has no value")))
    }

    /// Each call of each saga has a key of its own, its tries have the same.
    fn saga_key(&self, saga: &Saga, running: &Running, name: &str) -> String {
        let session = self.memory.start.session.get("id").and_then(Value::as_str).unwrap_or("session");
        format!("{session}.{}.{}.{}.{name}", saga.id, running.run, running.place())
    }

    fn note_stage(&self, saga: &Saga, running: &Running, stage: &'static str, why: Option<String>, out: &mut Vec<Wish>) {
        let call = running.call(saga);
        let key = call.map(|name| self.saga_key(saga, running, name));
        let call = call.map(str::to_owned);
        out.push(Wish::SagaStage(Stage { saga: saga.id.clone(), run: running.run, call, stage, key, why }));
    }

    /// A call was answered, or was not.
    pub(super) fn saga_answered(&mut self, saga: &Saga, finding: Finding, took: Duration, out: &mut Vec<Wish>) {
        let Some(mut running) = self.flow.saga.take() else { return };
        let Some(name) = running.call(saga) else { return };
        let why = match &finding {
            Finding::Found(_) => None,
            Finding::NotFound => Some("the other side answered 404".to_owned()),
            Finding::TimedOut => Some("there was no answer in time".to_owned()),
            Finding::Failed(why) => Some(why.clone()),
        };
        if matches!(finding, Finding::TimedOut | Finding::Failed(_)) && running.tries < saga.retries {
            self.note_stage(saga, &running, "retried", why, out);
            running.tries += 1;
            self.flow.saga = Some(running);
            return;
        }
        let outcome = self.note_found(name, finding, took, out);
        match (running.at, outcome) {
            (At::Doing(at), "found") => {
                self.note_stage(saga, &running, "done", None, out);
                running.done.push(at);
                running.advance(saga);
            }
            // What is not there any more is undone.
            (At::Undoing(_), "found" | "not_found") => {
                self.note_stage(saga, &running, "undone", None, out);
                running.go_back(saga);
            }
            (At::Undoing(at), _) => {
                self.note_stage(saga, &running, "undo_failed", why, out);
                running.stuck.extend(saga.calls.get(at).map(|call| call.call.clone()));
                running.go_back(saga);
            }
            (_, outcome) => {
                let stage = if outcome == "timed_out" { "timed_out" } else { "failed" };
                self.note_stage(saga, &running, stage, why, out);
                running.failed = Some((name.to_owned(), outcome));
                running.go_back(saga);
            }
        }
        self.flow.saga = Some(running);
    }

    fn saga_ended(&mut self, now: Time, saga: &Saga, running: Running, out: &mut Vec<Wish>) {
        let state = match (&running.failed, running.stuck.is_empty()) {
            (None, _) => COMPLETED,
            (Some(_), true) => ROLLED_BACK,
            (Some(_), false) => STUCK,
        };
        let why = (!running.stuck.is_empty()).then(|| format!("not undone: {}", running.stuck.join(", ")));
        self.note_stage(saga, &running, state, why, out);
        let (failed, how) = running.failed.unzip();
        self.memory.vars.insert(saga.id.clone(), json!({"state": state, "failed": failed, "why": how, "stuck": running.stuck}));
        if running.company == Company::Nobody {
            self.clocks = super::Clocks::default();
            self.wait = Wait::Over;
            return;
        }
        let arm = match state {
            COMPLETED => return self.next(),
            STUCK => saga.stuck.as_ref().or(saga.failed.as_ref()),
            _ => saga.failed.as_ref(),
        };
        match arm.cloned() {
            Some(target) => self.go(now, &target, out),
            None => self.recover(now, out),
        }
    }
}

//! Other systems: lookups, webhooks, tickets.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::phrases::Phrase;
use super::{Runner, Wait};
use crate::control::dialplan::plan::{LookupSpec, LookupStep, Plan, Target, Texts, Ticket, Verb, Webhook};
use crate::control::dialplan::template::Form;
use crate::control::dialplan::wish::Wish;
use crate::control::time::Time;
use crate::control::words::LookupId;
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::ticket::Filed;

/// An edge that does not even report a time-out gets this much more.
pub(super) const EDGE_SLACK: Duration = Duration::from_millis(700);
/// A ticket's number must be known by then.
const TICKET_WAIT: Duration = Duration::from_secs(5);
/// The plan's own words while it waits come after this, the built-in ones later.
const OWN_WORDS: Duration = Duration::from_millis(800);
const READY_WORDS: Duration = Duration::from_secs(2);

impl Runner {
    pub(super) fn lookup(&mut self, now: Time, step: &LookupStep, plan: &Plan, out: &mut Vec<Wish>) {
        let Some(spec) = plan.values.lookups.get(&step.name) else {
            self.fail(now, "the lookup is not known", out);
            return;
        };
        if !self.may_speak(now, out) {
            return;
        }
        if let Some(finding) = unset(spec) {
            self.lookup_ended(now, step, finding, Duration::ZERO, out);
            return;
        }
        let question = self.question(now, spec);
        self.find(now, question, spec.timeout, &spec.wait_say, out);
    }

    /// A lookup with its values in place.
    pub(super) fn question(&self, now: Time, spec: &LookupSpec) -> Lookup {
        let (lang, view) = (self.lang.speech(), self.view(now));
        let headers = spec.headers.iter().map(|(name, value)| (name.clone(), value.render(&view, lang, Form::Written)));
        let body = spec.body.as_ref().map(|fields| fields.iter().map(|(name, value)| (name.clone(), value.value(&view, lang))).collect());
        Lookup::Http {
            method: spec.method,
            url: spec.url.render(&view, lang, Form::Url),
            headers: headers.collect(),
            body: body.map(Value::Object),
            timeout: spec.timeout,
            cache: spec.cache,
            retries: spec.retries,
        }
    }

    /// Asks; `wait_say` is what the plan says when the answer takes long.
    pub(super) fn find(&mut self, now: Time, lookup: Lookup, timeout: Duration, wait_say: &Texts, out: &mut Vec<Wish>) {
        let id = LookupId::new(now, &mut self.random);
        out.push(Wish::Find(id, lookup));
        self.clocks.answer = Some(now + timeout + EDGE_SLACK);
        self.clocks.moment = Some(now + if wait_say.is_empty() { READY_WORDS } else { OWN_WORDS });
        self.wait = Wait::Found { id, since: now };
    }

    /// The lookup takes long: say so, unless something is being said.
    pub(super) fn one_moment(&mut self, now: Time, out: &mut Vec<Wish>) {
        if !matches!(self.wait, Wait::Found { .. }) || self.voice.playing.is_some() {
            return;
        }
        if let Some(running) = &mut self.flow.saga {
            running.told();
        }
        let plan = Arc::clone(&self.plan);
        let texts = match self.current_verb(&plan) {
            Some(Verb::Lookup(step)) => plan.values.lookups.get(&step.name).map(|spec| &spec.wait_say),
            Some(Verb::Saga(saga)) => Some(&saga.wait_say),
            _ => None,
        };
        match texts.filter(|texts| !texts.is_empty()) {
            Some(texts) => self.push_texts(now, texts),
            None => self.push_phrase(Phrase::OneMoment, &[]),
        }
        self.speak(now, out);
    }

    /// The step the plan stands at.
    pub(super) fn current_verb<'p>(&self, plan: &'p Plan) -> Option<&'p Verb> {
        plan.flow.nodes.get(&self.spot.node)?.steps.get(self.spot.step).map(|step| &step.verb)
    }

    /// An answer of a lookup, a webhook or a saga's call.
    pub(super) fn found(&mut self, now: Time, id: LookupId, finding: Finding, out: &mut Vec<Wish>) {
        let Wait::Found { id: awaited, since } = self.wait else { return };
        if id != awaited {
            return;
        }
        self.clocks.answer = None;
        self.clocks.moment = None;
        self.wait = Wait::Nothing;
        let plan = Arc::clone(&self.plan);
        match self.current_verb(&plan) {
            Some(Verb::Lookup(step)) => self.lookup_ended(now, step, finding, now.since(since), out),
            Some(Verb::Webhook(webhook)) => self.webhook_ended(now, webhook, finding, out),
            Some(Verb::Saga(saga)) => self.saga_answered(saga, finding, now.since(since), out),
            _ => {}
        }
    }

    fn lookup_ended(&mut self, now: Time, step: &LookupStep, finding: Finding, took: Duration, out: &mut Vec<Wish>) {
        let arm = match self.note_found(&step.name, finding, took, out) {
            "found" => return self.next(),
            "not_found" => step.not_found.clone().or_else(|| step.error.clone()),
            "timed_out" => step.timeout.clone().or_else(|| step.error.clone()),
            _ => step.error.clone(),
        };
        match arm {
            Some(target) => self.go(now, &target, out),
            None => self.recover(now, out),
        }
    }

    /// Keeps and traces what a lookup brought; gives `found`, `not_found`, `timed_out` or `failed`.
    pub(super) fn note_found(&mut self, name: &str, finding: Finding, took: Duration, out: &mut Vec<Wish>) -> &'static str {
        let (outcome, value) = match finding {
            Finding::Found(answer) => ("found", self.picked(name, &answer)),
            Finding::NotFound => ("not_found", Value::Null),
            Finding::TimedOut => ("timed_out", Value::Null),
            Finding::Failed(_) => ("failed", Value::Null),
        };
        out.push(Wish::LookupDone { name: name.to_owned(), outcome, value: value.clone(), took });
        self.memory.found.insert(name.to_owned(), value);
        outcome
    }

    fn picked(&self, name: &str, answer: &Value) -> Value {
        let picks = self.plan.values.lookups.get(name).map(|spec| spec.pick.as_slice()).unwrap_or_default();
        if picks.is_empty() {
            return answer.clone();
        }
        let fields = picks.iter().map(|(name, place)| (name.clone(), place.of(answer).cloned().unwrap_or(Value::Null)));
        Value::Object(fields.collect())
    }

    pub(super) fn webhook(&mut self, now: Time, webhook: &Webhook, out: &mut Vec<Wish>) {
        if !self.may_speak(now, out) {
            return;
        }
        let names = ["intent", "slots", "lookups", "transcript", "customer"].map(str::to_owned);
        let mut body = self.memory.context(&names, &self.plan, &self.spot.node);
        body.insert("lang".to_owned(), self.lang.to_string().into());
        body.insert("caller".to_owned(), json!({"phone": self.memory.start.caller.phone}));
        let url = webhook.url.render(&self.view(now), self.lang.speech(), Form::Url);
        let lookup = Lookup::Http {
            method: "POST",
            url,
            headers: Vec::new(),
            body: Some(Value::Object(body)),
            timeout: webhook.timeout,
            cache: None,
            retries: 0,
        };
        self.find(now, lookup, webhook.timeout, &Texts::default(), out);
    }

    /// `{"say": "…", "set": {…}, "goto": "node"}`
    fn webhook_ended(&mut self, now: Time, webhook: &Webhook, finding: Finding, out: &mut Vec<Wish>) {
        let Finding::Found(answer) = finding else {
            self.go(now, &webhook.fallback, out);
            return;
        };
        let words = answer.get("say").and_then(|say| say.as_str().or_else(|| say.get(self.lang.to_string())?.as_str()));
        if let Some(words) = words {
            self.push_line(words.to_owned());
        }
        for (name, value) in answer.get("set").and_then(Value::as_object).into_iter().flatten() {
            self.memory.vars.insert(name.clone(), value.clone());
        }
        let wanted = answer.get("goto").and_then(Value::as_str).filter(|name| webhook.targets.iter().any(|target| target == name));
        let target = wanted.map_or_else(|| webhook.fallback.clone(), |name| Target::Node(name.to_owned()));
        self.go(now, &target, out);
    }

    pub(super) fn ticket(&mut self, now: Time, ticket: &Ticket, out: &mut Vec<Wish>) {
        let (lang, view) = (self.lang.speech().to_owned(), self.view(now));
        let mut fields: Map<String, Value> = ticket.fields.iter().map(|(name, value)| (name.clone(), value.value(&view, &lang))).collect();
        let title = ticket.title.of(&self.lang).map(|title| title.render(&view, &lang, Form::Written));
        if !ticket.attach.is_empty() {
            fields.insert("attach".to_owned(), ticket.attach.clone().into());
        }
        if ticket.attach.iter().any(|name| name == "transcript") {
            fields.insert("transcript".to_owned(), self.memory.lines());
        }
        let title = title.unwrap_or_else(|| ticket.kind.clone());
        let (kind, duplicate) = (ticket.kind.clone(), ticket.duplicate.clone());
        out.push(Wish::OpenTicket { kind, title, fields, duplicate, save_as: ticket.save_as.clone() });
        match &ticket.save_as {
            None => self.next(),
            Some(name) => {
                self.clocks.answer = Some(now + TICKET_WAIT);
                self.wait = Wait::Ticket { save_as: name.clone() };
            }
        }
    }

    /// The number of a ticket that was asked for.
    pub(super) fn ticket_filed(&mut self, save_as: Option<&str>, number: u64, filed: Filed) {
        let Wait::Ticket { save_as: awaited } = &self.wait else { return };
        if save_as.is_some_and(|name| name != awaited) {
            return;
        }
        self.memory.vars.insert(awaited.clone(), json!({"number": number, "linked": filed == Filed::Linked}));
        self.next();
    }
}

/// What a lookup finds whose URL wants a variable of the environment that has no value.
pub(super) fn unset(spec: &LookupSpec) -> Option<Finding> {
    (!spec.missing_env.is_empty()).then(|| Finding::Failed(format!("{} has no value", spec.missing_env.join(", "))))
}

//! A plan that leads a session: the runner, and those of its wishes that are the same for a call and a chat.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::effect::{Clock, Effect};
use super::{Customer, Left, NewTicket};
use crate::control::dialplan::expr::Path;
use crate::control::dialplan::plan::{Mode, Plan};
use crate::control::dialplan::wish::{Event, Stage, Wish};
use crate::control::dialplan::{Caller, Medium, Runner, Start};
use crate::control::discreet::SECRET;
use crate::control::event::{DomainEvent, Fact};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::chat::Content;
use crate::control::words::decision::{ARTICLE, PLAN_FAILED};
use crate::control::words::live::Live;
use crate::control::words::{Lang, RecordingId, SessionId};

/// A conversation led by a plan.
#[derive(Debug)]
pub struct Talk {
    session: SessionId,
    runner: Runner,
    /// The language spoken now.
    pub lang: Lang,
    /// The last message the customer recorded, and the words heard in it.
    pub note: Option<(RecordingId, String)>,
    /// Did the plan fail and not recover?
    pub failed: Failed,
}

/// Did the plan fail?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Not so far.
    No,
    /// It did.
    Yes,
}

/// With what a plan begins.
#[derive(Debug)]
pub struct Beginning<'a> {
    /// Call or chat.
    pub medium: Medium,
    /// `voice`, `web` …
    pub channel: &'a str,
    /// The customer's address.
    pub address: &'a str,
    /// What was dialled.
    pub entry: &'a str,
    /// The customer.
    pub customer: Option<&'a Customer>,
    /// The language the customer came with.
    pub lang: Option<Lang>,
    /// Notices that he hears first.
    pub live: &'a Live,
}

impl Talk {
    /// The plan, before its first step.
    #[must_use]
    pub fn new(now: Time, random: &mut Random, session: SessionId, plan: &Arc<Plan>, beginning: &Beginning<'_>) -> Talk {
        let wished = beginning.lang.clone().or_else(|| beginning.customer.and_then(|customer| customer.lang.clone()));
        let lang = plan.lang_for(wished.as_ref());
        let notices = beginning.live.words(&plan.id, &lang, now);
        let start = Start { notices, ..start(session, beginning, wished) };
        let runner = Runner::new(now, random.bits(), plan.clone(), start);
        Talk { session, runner, lang, note: None, failed: Failed::No }
    }

    /// The plan it runs.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        self.runner.plan()
    }

    /// What a rule for agents may know: the value of a slot, variable or lookup; a masked slot has none.
    #[must_use]
    pub fn value(&self, now: Time, path: &Path) -> Option<Value> {
        self.runner.value(now, path)
    }

    /// Does a person serve, so that he is advised from the first sentence on?
    #[must_use]
    pub fn is_human_first(&self) -> bool {
        matches!(self.runner.plan().mode, Mode::Hybrid(_))
    }

    /// Does it wait for the customer's answer?
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.runner.is_asking()
    }

    /// Is what the customer says now not to be written down?
    #[must_use]
    pub fn asks_secret(&self) -> bool {
        self.runner.asks_secret()
    }

    /// Is what the plan says now not to be written down?
    #[must_use]
    pub fn reads_secret(&self) -> bool {
        self.runner.reads_secret()
    }

    /// Is a key pressed now a choice, and no digit of a number?
    #[must_use]
    pub fn shows_keys(&self) -> bool {
        self.runner.shows_keys()
    }

    /// One step; what only a call or only a chat can do is left in `wishes`.
    pub fn step(&mut self, now: Time, event: Event, wishes: &mut Vec<Wish>, out: &mut Vec<Effect>) {
        let mut all = Vec::new();
        let was_secret = self.asks_secret();
        self.runner.step(now, event, &mut all);
        if was_secret {
            all.iter_mut().for_each(hide_words);
        }
        self.sort(now, all, wishes, out);
    }

    /// Does the plan wait for an answer from outside?
    #[must_use]
    pub fn is_asking_outside(&self) -> bool {
        self.runner.is_asking_outside()
    }

    /// Goes on without the customer, who has left or was led away: `None` when nothing is left to be done.
    #[must_use]
    pub fn alone(mut self) -> Option<Talk> {
        self.runner.goes_on_alone().then_some(self)
    }

    /// When [`Talk::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.runner.poll_timeout()
    }

    /// Is nothing left to be done?
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.runner.is_over()
    }

    /// The plan's clock came.
    pub fn handle_timeout(&mut self, now: Time, wishes: &mut Vec<Wish>, out: &mut Vec<Effect>) {
        let mut all = Vec::new();
        self.runner.handle_timeout(now, &mut all);
        self.sort(now, all, wishes, out);
    }

    fn sort(&mut self, _now: Time, all: Vec<Wish>, wishes: &mut Vec<Wish>, out: &mut Vec<Effect>) {
        for wish in all {
            if let Some(wish) = self.carry_out(wish, out) {
                wishes.push(wish);
            }
        }
        out.push(Effect::Clock(Clock::Plan, self.runner.poll_timeout()));
    }

    fn carry_out(&mut self, wish: Wish, out: &mut Vec<Effect>) -> Option<Wish> {
        let session = self.session;
        let effect = match wish {
            Wish::Entered { node, turn } => Effect::Record(Fact::NodeEntered { session, node, turn }),
            Wish::Understood { text, intents, decision } => {
                Effect::Record(Fact::Understood { session, message: None, text, intents, decision })
            }
            Wish::SlotFilled { slot, value, masked } => Effect::Record(Fact::SlotFilled { session, slot, value, masked }),
            Wish::LookupDone { name, outcome, value, took } => {
                let (outcome, took_ms) = (outcome.to_owned(), DomainEvent::ms(took));
                Effect::Record(Fact::LookupDone { session, name, outcome, value, took_ms })
            }
            Wish::Upset { command, text, turn, tone, temper, raise } => {
                Effect::Record(Fact::Upset { session, message: None, turn, text, tone, temper, command, raise })
            }
            Wish::Find(id, lookup) => Effect::Find(id, lookup),
            Wish::OpenTicket { kind, title, fields, duplicate, save_as } => {
                Effect::OpenTicket(save_as, NewTicket { kind, title, fields, duplicate })
            }
            Wish::SagaStage(stage) => {
                let Stage { saga, run, call, stage, key, why } = stage;
                Effect::Record(Fact::SagaStage { session, saga, run, call, stage: stage.to_owned(), key, why })
            }
            Wish::LeaveMessage { mode, contact, text } => Effect::Leave(self.left(mode, contact, text)),
            Wish::Message { channels, text } => Effect::Message(channels, Content::Text { text }),
            Wish::Surveyed { survey, score } => Effect::Record(Fact::SurveyAnswered { session, survey, score }),
            Wish::SetLang(lang) => {
                self.lang = lang;
                return None;
            }
            Wish::PlanFailed { why } => {
                self.failed = Failed::Yes;
                let decision = PLAN_FAILED.to_owned();
                Effect::Record(Fact::Understood { session, message: None, text: why, intents: Vec::new(), decision })
            }
            Wish::Answered { article } => {
                let decision = ARTICLE.to_owned();
                Effect::Record(Fact::Understood { session, message: None, text: article, intents: Vec::new(), decision })
            }
            Wish::Callback { queue, address } => Effect::PromiseCallback(queue, Some(address), "plan"),
            other => return Some(other),
        };
        out.push(effect);
        None
    }

    fn left(&mut self, mode: String, contact: Option<String>, text: Option<String>) -> Left {
        let (recording, heard) = self.note.take().unzip();
        Left { mode, contact, text: text.or(heard.filter(|heard| !heard.is_empty())), recording }
    }
}

/// The answer to a question for a masked slot.
fn hide_words(wish: &mut Wish) {
    if let Wish::Understood { text, .. } = wish {
        SECRET.clone_into(text);
    }
}

fn start(session: SessionId, beginning: &Beginning<'_>, lang: Option<Lang>) -> Start {
    let mut customer = beginning.customer.map(|customer| customer.fields.clone()).unwrap_or_default();
    let text = |value: &str| Value::String(value.to_owned());
    let phone = match beginning.medium {
        Medium::Voice => Some(super::identity::phone_number(beginning.address)),
        Medium::Chat => beginning
            .customer
            .and_then(|customer| customer.addresses.iter().find(|address| address.channel == super::identity::PHONE))
            .map(|address| address.address.clone()),
    };
    if let Some(known) = beginning.customer {
        customer.entry("id").or_insert_with(|| text(&known.id.to_string()));
        if let Some(name) = &known.name {
            customer.entry("name").or_insert_with(|| text(name));
        }
        if let Some(phone) = &phone {
            customer.entry("phone").or_insert_with(|| text(phone));
        }
    }
    let call = match beginning.medium {
        Medium::Voice => Map::from_iter([("to".to_owned(), text(beginning.entry)), ("from".to_owned(), text(beginning.address))]),
        Medium::Chat => Map::new(),
    };
    let mut known = Map::from_iter([("id".to_owned(), text(&session.to_string()))]);
    let open = beginning.customer.map(|customer| customer.open_tickets.as_slice()).unwrap_or_default();
    if let Some(youngest) = open.first() {
        known.insert("open_ticket".to_owned(), serde_json::to_value(youngest).unwrap_or_default());
        known.insert("open_tickets".to_owned(), serde_json::to_value(open).unwrap_or_default());
    }
    let external_id = customer.get("external_id").and_then(Value::as_str).map(str::to_owned);
    Start {
        medium: beginning.medium,
        channel: beginning.channel.to_owned(),
        lang,
        caller: Caller { phone, external_id },
        customer,
        session: known,
        call,
        notices: Vec::new(),
    }
}

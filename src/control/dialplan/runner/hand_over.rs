//! To people: the line, another phone, a left message, a callback, a survey.

use std::time::Duration;

use serde_json::Value;

use super::phrases::Phrase;
use super::{Asked, Medium, Runner, Wait};
use crate::control::dialplan::plan::{Callback, LeaveMessage, QueueStep, Survey, Transfer, Verb};
use crate::control::dialplan::template::Form;
use crate::control::dialplan::values::{self, Found};
use crate::control::dialplan::wish::{Enqueue, Overflow, QueueEnd, TransferEnd, Wish};
use crate::control::time::Time;
use crate::control::words::media::Prompt;

/// The edge that ends a recording gets so much more than the recording's length.
pub(super) const RECORDING_SLACK: Duration = Duration::from_secs(5);
/// A line without its own overflow and without a desk is left after so long.
const MAX_WAIT: Duration = Duration::from_secs(240);
/// Stages of `leave_message`.
const RECORDED: u8 = 2;

impl Runner {
    /// Joins the line.
    pub(super) fn queue(&mut self, now: Time, step: &QueueStep, out: &mut Vec<Wish>) {
        if self.spot.stage > 0 {
            // The line was left: the desk's default message is being taken.
            self.leave_by_default(now, out);
            return;
        }
        if !self.said_all(now, out) {
            return;
        }
        let (lang, view) = (self.lang.speech().to_owned(), self.view(now));
        let skills = step.skills.iter().map(|skill| skill.render(&view, &lang, Form::Written)).collect();
        let mut overflow: Vec<Overflow> =
            step.overflow.iter().map(|entry| Overflow { after: entry.after, widen: entry.widen.as_ref().map(|(id, _)| *id) }).collect();
        if overflow.iter().all(|entry| entry.widen.is_some()) {
            let after = self.plan.surroundings.max_wait.get(&step.to).copied().unwrap_or(MAX_WAIT);
            overflow.push(Overflow { after, widen: None });
        }
        let context = self.memory.context(&step.context, &self.plan, &self.spot.node);
        self.flow.handed_on = true;
        out.push(Wish::Enqueue(Box::new(Enqueue {
            queue: step.to,
            skills,
            priority: self.raised(self.priority(step)),
            context,
            sticky: step.sticky,
            music: step.music.clone(),
            announce: step.announce,
            overflow,
            callback_after: step.callback_after,
        })));
        self.wait = Wait::Queue;
    }

    /// The priority he has in the line that he waits in.
    pub(super) fn line_priority(&self) -> Option<u8> {
        self.queue_step().map(|step| self.raised(self.priority(step)))
    }

    /// The highest of those the customer's tags give.
    fn priority(&self, step: &QueueStep) -> u8 {
        let tags = self.memory.start.customer.get("tags").and_then(Value::as_array);
        let has = |tag: &str| tags.is_some_and(|tags| tags.iter().any(|known| known.as_str() == Some(tag)));
        let by_tag = step.priority.1.iter().filter(|(tag, _)| has(tag)).map(|(_, priority)| *priority).max();
        by_tag.unwrap_or(step.priority.0)
    }

    /// Out of the line, and still there.
    pub(super) fn queue_ended(&mut self, now: Time, end: &QueueEnd, out: &mut Vec<Wish>) {
        if !matches!(self.wait, Wait::Queue) {
            return;
        }
        self.wait = Wait::Nothing;
        match end {
            QueueEnd::Served => {
                self.memory.start.session.insert("had_agent".to_owned(), true.into());
                self.next();
            }
            QueueEnd::CallbackTaken => {
                self.push_phrase(Phrase::WillCall, &[]);
                self.finish(now, out);
            }
            QueueEnd::Overflow(index) => {
                let target = self.queue_step().and_then(|step| step.overflow.get(*index).and_then(|entry| entry.goto.clone()));
                match target {
                    Some(target) => self.go(now, &target, out),
                    None => self.leave_by_default(now, out),
                }
            }
        }
    }

    fn queue_step(&self) -> Option<&QueueStep> {
        let step = self.plan.flow.nodes.get(&self.spot.node)?.steps.get(self.spot.step)?;
        if let Verb::Queue(queue) = &step.verb { Some(queue) } else { None }
    }

    /// The desk's default overflow: a message, which becomes a ticket.
    fn leave_by_default(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.leave_message(now, &default_message(), out);
    }

    /// Calls another phone.
    pub(super) fn transfer(&mut self, now: Time, step: &Transfer, out: &mut Vec<Wish>) {
        if !self.said_all(now, out) {
            return;
        }
        let (lang, view) = (self.lang.speech().to_owned(), self.view(now));
        let to = step.to.render(&view, &lang, Form::Written);
        if to.trim().is_empty() || to == "sip:" {
            self.fail(now, "the transfer leads nowhere", out);
            return;
        }
        let headers = step.headers.iter().map(|(name, value)| (name.clone(), value.render(&view, &lang, Form::Written))).collect();
        out.push(Wish::Transfer { to, trunk: step.trunk.clone(), mode: step.mode, headers, ring: step.ring });
        self.wait = Wait::Transfer;
    }

    /// Back from the other phone.
    pub(super) fn transfer_ended(&mut self, now: Time, end: TransferEnd, out: &mut Vec<Wish>) {
        if !matches!(self.wait, Wait::Transfer) {
            return;
        }
        self.wait = Wait::Nothing;
        let plan = std::sync::Arc::clone(&self.plan);
        let step = plan.flow.nodes.get(&self.spot.node).and_then(|node| node.steps.get(self.spot.step)).map(|step| &step.verb);
        let Some(Verb::Transfer(step)) = step else { return };
        let arm = match end {
            TransferEnd::Done => {
                self.flow.handed_on = true;
                self.memory.start.session.insert("had_agent".to_owned(), true.into());
                self.next();
                return;
            }
            TransferEnd::Busy => step.on_busy.as_ref().or(step.on_failed.as_ref()),
            TransferEnd::NoAnswer => step.on_no_answer.as_ref().or(step.on_failed.as_ref()),
            TransferEnd::Failed => step.on_failed.as_ref(),
        };
        match arm {
            Some(target) => self.go(now, target, out),
            None => self.fail(now, "the transfer failed", out),
        }
    }

    /// The four ways of leaving a message.
    pub(super) fn leave_message(&mut self, now: Time, step: &LeaveMessage, out: &mut Vec<Wish>) {
        if step.mode == "bulletin" {
            self.bulletin(now);
            return;
        }
        self.flow.handed_on = true;
        if self.memory.medium() == Medium::Chat {
            if !self.is_speaking(now, out) {
                let prompts = self.words_before(now, step, Phrase::WriteMessage);
                self.ask(now, Asked::Words(step.clone()), prompts, Vec::new(), out);
            }
            return;
        }
        if self.spot.stage == 0 {
            let mut prompts = self.words_before(now, step, Phrase::LeaveMessage);
            self.voice.pending.append(&mut prompts);
            self.voice.pending.push(Prompt::Tone { hertz: 1_000, ms: 300 });
            self.spot.stage = 1;
        }
        if self.spot.stage < RECORDED && self.said_all(now, out) {
            out.push(Wish::Record { name: "left_message".to_owned(), max: step.max });
            self.clocks.answer = Some(now + step.max + RECORDING_SLACK);
            self.wait = Wait::Recorded { slot: None };
        }
    }

    fn words_before(&self, now: Time, step: &LeaveMessage, ready: Phrase) -> Vec<Prompt> {
        let own = self.prompt(now, &step.prompt);
        let text = super::phrases::filled(ready, &self.lang, &[]);
        vec![own.unwrap_or(Prompt::Text { id: None, text, lang: self.lang.clone() })]
    }

    fn bulletin(&mut self, now: Time) {
        use crate::control::dialplan::expr::{Path, Scope, Segment};
        let path = Path { root: "calendar".to_owned(), rest: vec![Segment::Name("open_text".to_owned())] };
        let hours = self.view(now).value(&path).as_ref().map(crate::control::dialplan::expr::plain).unwrap_or_default();
        self.push_phrase(Phrase::Bulletin, &[&hours]);
        self.next();
    }

    /// A recording ended.
    pub(super) fn recorded(&mut self, now: Time, length: Option<Duration>, out: &mut Vec<Wish>) {
        let Wait::Recorded { slot } = &self.wait else { return };
        let slot = slot.clone();
        self.clocks.answer = None;
        match slot {
            Some(name) => self.slot_recorded(&name, length, out),
            None => {
                let step = self.message_step();
                self.spot.stage = RECORDED;
                self.want_contact(now, &step, out);
            }
        }
    }

    fn message_step(&self) -> LeaveMessage {
        let step = self.plan.flow.nodes.get(&self.spot.node).and_then(|node| node.steps.get(self.spot.step));
        match step.map(|step| &step.verb) {
            Some(Verb::LeaveMessage(step)) => (**step).clone(),
            _ => default_message(),
        }
    }

    fn known_contact(&self, step: &LeaveMessage) -> Option<String> {
        let start = &self.memory.start;
        let field = |name: &str| start.customer.get(name).and_then(Value::as_str).map(str::to_owned);
        let wants = |name: &str| step.need.is_empty() || step.need.iter().any(|need| need == name);
        let phone = || start.caller.phone.clone().or_else(|| field("phone"));
        wants("phone").then(phone).flatten().or_else(|| field("email").filter(|_| wants("email")))
    }

    fn want_contact(&mut self, now: Time, step: &LeaveMessage, out: &mut Vec<Wish>) {
        match self.known_contact(step) {
            Some(contact) => self.message_left(now, step, Some(contact), out),
            None if step.need.is_empty() => self.message_left(now, step, None, out),
            None => {
                self.push_phrase(Phrase::AskPhone, &[]);
                self.ask(now, Asked::Contact(step.clone()), Vec::new(), Vec::new(), out);
            }
        }
    }

    /// The words of a message in a chat.
    pub(super) fn words_said(&mut self, now: Time, step: &LeaveMessage, text: &str, out: &mut Vec<Wish>) {
        self.memory.vars.insert("left_message".to_owned(), text.into());
        self.want_contact(now, step, out);
    }

    /// A number or an address to reach the customer at.
    pub(super) fn contact_said(&mut self, now: Time, step: &LeaveMessage, text: &str, out: &mut Vec<Wish>) {
        let contact = match values::find(&values::phone_slot(), &self.search(now, text, &[])) {
            Found::Value(value) => value.as_str().map(str::to_owned),
            Found::CallerId => self.memory.start.caller.phone.clone(),
            _ => text.split_whitespace().find(|word| word.contains('@') && word.contains('.')).map(str::to_owned),
        };
        match contact {
            Some(contact) => self.message_left(now, step, Some(contact), out),
            None if self.tries.unmatched > 0 => self.message_left(now, step, None, out),
            None => self.unmatched(now, out),
        }
    }

    /// The message is complete, or the number of a callback is there.
    pub(super) fn message_left(&mut self, now: Time, step: &LeaveMessage, contact: Option<String>, out: &mut Vec<Wish>) {
        if let Some(callback) = self.callback_step() {
            return self.call_back(now, &callback, contact, out);
        }
        self.quiet_turn(out);
        let text = self.memory.vars.get("left_message").and_then(Value::as_str).map(str::to_owned);
        out.push(Wish::LeaveMessage { mode: step.mode.clone(), contact, text });
        let own_step = self.queue_step().is_none();
        self.next();
        if !own_step {
            // It was the desk's overflow: the line has been left for good.
            self.finish(now, out);
        }
    }

    /// Promises to call back.
    pub(super) fn callback(&mut self, now: Time, step: &Callback, out: &mut Vec<Wish>) {
        let number = step.number.as_ref().map(|number| number.render(&self.view(now), self.lang.speech(), Form::Written));
        let number = number.filter(|number| !number.is_empty()).or_else(|| self.known_contact(&a_phone()));
        if number.is_some() {
            self.call_back(now, step, number, out);
        } else if !self.is_speaking(now, out) {
            self.push_phrase(Phrase::AskPhone, &[]);
            self.ask(now, Asked::Contact(a_phone()), Vec::new(), Vec::new(), out);
        }
    }

    /// The number is known, or it will not be.
    fn call_back(&mut self, now: Time, step: &Callback, number: Option<String>, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        match number.filter(|number| !number.contains('@')) {
            Some(address) => {
                self.flow.handed_on = true;
                out.push(Wish::Callback { queue: step.queue, address });
                self.next();
            }
            None => self.fail(now, "no number to call back", out),
        }
    }

    fn callback_step(&self) -> Option<Callback> {
        let step = self.plan.flow.nodes.get(&self.spot.node)?.steps.get(self.spot.step)?;
        if let Verb::Callback(callback) = &step.verb { Some(callback.clone()) } else { None }
    }

    /// Asks for a mark, when its condition holds.
    pub(super) fn survey_step(&mut self, now: Time, survey: &Survey, out: &mut Vec<Wish>) {
        if !survey.when.as_ref().is_none_or(|when| when.is_true(&self.view(now))) {
            self.next();
            return;
        }
        if self.offer_second(now, out) || self.is_speaking(now, out) {
            return;
        }
        let text = super::phrases::filled(Phrase::Survey, &self.lang, &[]);
        let prompt = self.prompt(now, &survey.prompt).unwrap_or(Prompt::Text { id: None, text, lang: self.lang.clone() });
        let buttons = (1..=5).map(|mark: u8| (mark.to_string(), mark.to_string())).collect();
        self.ask(now, Asked::Survey(survey.id.clone()), vec![prompt], buttons, out);
    }
}

/// Whoever is to be called back must have a telephone.
fn a_phone() -> LeaveMessage {
    LeaveMessage { need: vec!["phone".to_owned()], ..LeaveMessage::default() }
}

fn default_message() -> LeaveMessage {
    LeaveMessage { mode: "ticket".to_owned(), need: vec!["phone".to_owned()], max: Duration::from_secs(90), ..LeaveMessage::default() }
}

//! The verbs that need no answer: saying, branching, setting, ending.

use std::sync::Arc;

use serde_json::Value;

use super::phrases::{Phrase, filled};
use super::{DEEPEST_CALL, Runner, Wait};
use crate::control::dialplan::plan::{ARM_OF, Hours, Limit, Message, Plan, Play, Sound, Split, SplitBy, Switch, Texts, Verb};
use crate::control::dialplan::template::Form;
use crate::control::dialplan::wish::Wish;
use crate::control::time::Time;
use crate::control::words::media::Prompt;

/// Steps without a pause, after which a plan goes in circles.
const MOST_STEPS: usize = 500;

impl Runner {
    /// Does steps until something must be waited for.
    pub(super) fn run(&mut self, now: Time, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        for _ in 0..MOST_STEPS {
            if !matches!(self.wait, Wait::Nothing) {
                return;
            }
            let step = plan.flow.nodes.get(&self.spot.node).and_then(|node| node.steps.get(self.spot.step));
            match step {
                Some(step) => self.perform(now, &step.verb, &plan, out),
                None => self.fell_off(now, out),
            }
        }
        if matches!(self.wait, Wait::Nothing) {
            out.push(Wish::PlanFailed { why: format!("{}: {MOST_STEPS} steps without a pause", self.spot.node) });
            self.nobody_there(now, out);
        }
    }

    fn perform(&mut self, now: Time, verb: &Verb, plan: &Arc<Plan>, out: &mut Vec<Wish>) {
        match verb {
            Verb::Say(texts) => {
                self.push_texts(now, texts);
                self.next();
            }
            Verb::Play(play) => self.play(now, play, out),
            Verb::Menu(index) => self.menu_step(now, *index, out),
            Verb::Ask(ask) => self.ask_step(now, &ask.slots, out),
            Verb::Confirm(confirm) => self.confirm_step(now, confirm, out),
            Verb::Lookup(step) => self.lookup(now, step, plan, out),
            Verb::Jump(to) => self.jump(*to),
            Verb::JumpUnless(condition, to) => {
                let holds = condition.is_true(&self.view(now));
                self.jump(if holds { self.spot.step + 1 } else { *to });
            }
            Verb::Answer(answer) => self.answer(now, answer, plan, out),
            Verb::Queue(step) => self.queue(now, step, out),
            Verb::Transfer(step) => self.transfer(now, step, out),
            Verb::LeaveMessage(step) => self.leave_message(now, step, out),
            Verb::Callback(step) => self.callback(now, step, out),
            Verb::Ticket(ticket) => self.ticket(now, ticket, out),
            Verb::Saga(saga) => self.saga(now, saga, out),
            Verb::Message(message) => self.message(now, message, out),
            Verb::Survey(survey) => self.survey_step(now, survey, out),
            Verb::Record(switch) => {
                out.push(Wish::SetRecording { on: *switch == Switch::On });
                self.next();
            }
            Verb::Set(pairs) => self.set(now, pairs, out),
            Verb::Clear(names) => self.clear(names),
            Verb::Split(split) => self.split(now, split, out),
            Verb::Hours(hours) => self.hours(now, hours, out),
            Verb::Limit(limit) => self.limit(now, limit, out),
            Verb::Call(node) => self.call(now, node, out),
            Verb::Webhook(webhook) => self.webhook(now, webhook, out),
            Verb::Goto(target) => self.go(now, target, out),
            Verb::Hangup(texts) => self.hang_up(now, texts.as_ref(), out),
        }
    }

    fn jump(&mut self, to: usize) {
        self.spot.step = to;
        self.spot.stage = 0;
    }

    fn fell_off(&mut self, now: Time, out: &mut Vec<Wish>) {
        if let Some(spot) = self.returns.pop() {
            self.spot = spot;
            return;
        }
        if self.flow.handed_on {
            self.finish(now, out);
        } else {
            self.fail(now, "the node has no more steps", out);
        }
    }

    /// Adds a text to what is said next.
    pub(super) fn push_texts(&mut self, now: Time, texts: &Texts) {
        if let Some(prompt) = self.prompt(now, texts) {
            self.voice.pending.push(prompt);
        }
    }

    /// Adds a ready phrase to what is said next.
    pub(super) fn push_phrase(&mut self, phrase: Phrase, values: &[&str]) {
        let text = filled(phrase, &self.lang, values);
        self.push_line(text);
    }

    /// Adds words to what is said next.
    pub(super) fn push_line(&mut self, text: String) {
        self.voice.pending.push(Prompt::Text { id: None, text, lang: self.lang.clone() });
    }

    /// A text in the language spoken now.
    pub(super) fn prompt(&self, now: Time, texts: &Texts) -> Option<Prompt> {
        let template = texts.of(&self.lang)?;
        let text = template.render(&self.view(now), self.lang.speech(), self.form());
        // A recorded prompt cannot say a value.
        let id = texts.id.clone().filter(|_| template.paths().next().is_none());
        (!text.trim().is_empty()).then(|| Prompt::Text { id, text, lang: texts.lang_of(&self.lang) })
    }

    /// Spoken in a call, written in a chat.
    pub(super) fn form(&self) -> Form {
        match self.memory.medium() {
            super::Medium::Voice => Form::Spoken,
            super::Medium::Chat => Form::Written,
        }
    }

    fn play(&mut self, now: Time, play: &Play, out: &mut Vec<Wish>) {
        let prompt = match (&play.sound, self.memory.medium()) {
            (Sound::Echo, super::Medium::Chat) => return self.next(),
            (Sound::Echo, super::Medium::Voice) => {
                out.push(Wish::Echo);
                self.wait = Wait::Nobody;
                return;
            }
            (Sound::Silence, _) if play.times.is_none() => {
                self.wait = Wait::Nobody;
                return;
            }
            (Sound::Silence, _) => Prompt::Silence { ms: 1_000 },
            (Sound::File(file), _) => Prompt::File(file.clone()),
            (Sound::Music, _) => Prompt::Music(None),
        };
        if self.spot.stage == 0 {
            let times = usize::try_from(play.times.unwrap_or(1)).unwrap_or(1);
            self.voice.pending.extend(std::iter::repeat_n(prompt, times));
            self.spot.stage = 1;
            return;
        }
        if !self.said_all(now, out) {
            return;
        }
        match play.times {
            Some(_) => self.next(),
            None => self.again(),
        }
    }

    fn set(&mut self, now: Time, pairs: &[(String, crate::control::dialplan::template::Template)], out: &mut Vec<Wish>) {
        for (name, template) in pairs {
            let value = template.value(&self.view(now), self.lang.speech());
            if self.plan.values.slots.contains_key(name) {
                self.fill(name, value, out);
                self.memory.sure.insert(name.clone());
            } else {
                self.memory.vars.insert(name.clone(), value);
            }
        }
        self.next();
    }

    fn clear(&mut self, names: &[String]) {
        for name in names {
            self.memory.slots.remove(name);
            self.memory.sure.remove(name);
            self.memory.vars.remove(name);
            self.memory.found.remove(name);
        }
        self.next();
    }

    fn message(&mut self, now: Time, message: &Message, out: &mut Vec<Wish>) {
        if let Some(text) = message.text.of(&self.lang) {
            let text = text.render(&self.view(now), self.lang.speech(), Form::Written);
            out.push(Wish::Message { channels: message.channels.clone(), text });
        }
        self.next();
    }

    fn split(&mut self, now: Time, split: &Split, out: &mut Vec<Wish>) {
        let sum: u64 = split.arms.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let who = match split.by {
            SplitBy::Customer => self.customer_key(),
            SplitBy::Call => None,
        };
        let mut point = match who {
            Some(who) => stable(&format!("{}/{who}", split.id)) % sum.max(1),
            None => self.random.below(sum),
        };
        for (weight, target) in &split.arms {
            if point < u64::from(*weight) {
                let arm = target.name().to_owned();
                let (slot, value) = (format!("{ARM_OF}{}", split.id), Value::from(arm));
                self.memory.vars.insert(slot.clone(), value.clone());
                // Whoever compares the arms finds them where slots are.
                out.push(Wish::SlotFilled { slot, value, masked: false });
                self.go(now, &target.clone(), out);
                return;
            }
            point -= u64::from(*weight);
        }
        self.fail(now, "the split has no arm", out);
    }

    fn customer_key(&self) -> Option<String> {
        let start = &self.memory.start;
        let id = start.customer.get("id").and_then(Value::as_str).map(str::to_owned);
        id.or_else(|| start.caller.external_id.clone()).or_else(|| start.caller.phone.clone())
    }

    fn hours(&mut self, now: Time, hours: &Hours, out: &mut Vec<Wish>) {
        let around = &self.plan.surroundings;
        let name = hours.calendar.as_ref().or(around.calendar.as_ref());
        let open = name.and_then(|name| around.calendars.get(name)).is_none_or(|calendar| calendar.is_open(now));
        match if open { hours.open.clone() } else { hours.closed.clone() } {
            Some(target) => self.go(now, &target, out),
            None => self.next(),
        }
    }

    fn limit(&mut self, now: Time, limit: &Limit, out: &mut Vec<Wish>) {
        let count = self.flow.limits.entry((self.spot.node.clone(), self.spot.step)).or_default();
        *count += 1;
        match (*count <= limit.times, &limit.goto) {
            (false, _) => self.go(now, &limit.then.clone(), out),
            (true, Some(target)) => self.go(now, &target.clone(), out),
            (true, None) => self.next(),
        }
    }

    fn call(&mut self, now: Time, node: &str, out: &mut Vec<Wish>) {
        if self.returns.len() == DEEPEST_CALL {
            self.fail(now, "calls within calls", out);
            return;
        }
        let mut spot = self.spot.clone();
        spot.step += 1;
        spot.stage = 0;
        self.returns.push(spot);
        self.enter(now, node, out);
    }

    /// Says good-bye and ends.
    pub(super) fn hang_up(&mut self, now: Time, texts: Option<&Texts>, out: &mut Vec<Wish>) {
        if self.offer_second(now, out) {
            return;
        }
        if let Some(texts) = texts {
            self.push_texts(now, texts);
        }
        self.finish(now, out);
    }

    /// Ends when what plays is over.
    pub(super) fn finish(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if !self.voice.pending.is_empty() && !self.may_speak(now, out) {
            // What is left to say must not cut off what is being said.
            self.wait = Wait::Ending;
            return;
        }
        self.clocks = super::Clocks::default();
        out.push(Wish::Hangup { contained: !self.flow.handed_on });
        self.wait = Wait::Over;
    }
}

/// FNV-1a: the same customer gets the same arm on every machine.
fn stable(text: &str) -> u64 {
    let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    hash >> 7
}

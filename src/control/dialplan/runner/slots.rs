//! Slots: known already, said in the same breath, asked for, read back, corrected.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hear::Heard;
use super::offer::Taken;
use super::phrases::{Phrase, filled};
use super::{Asked, Medium, Runner, Wait};
use crate::control::dialplan::expr::plain;
use crate::control::dialplan::plan::{Choices, Mask, Need, Readback, Slot, SlotType, Verb};
use crate::control::dialplan::template::Form;
use crate::control::dialplan::values::{self, Found, Search};
use crate::control::dialplan::wish::Wish;
use crate::control::dialplan::{hints, shown};
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::decision::REPROMPT;
use crate::control::words::media::Prompt;
use crate::control::words::speech::Hints;

/// A string of digits without a given length must be this long to be taken from a free sentence.
const LONG_ENOUGH: usize = 5;
/// A caller's address with fewer digits is an extension, not a phone number.
const SHORTEST_PHONE: usize = 7;
/// The tone before a recording.
const BEEP: Prompt = Prompt::Tone { hertz: 1_000, ms: 300 };

/// How a value came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// Typed: it needs no read-back.
    Keys,
    /// Said.
    Words,
}

impl Runner {
    /// Fills the slots in order.
    pub(super) fn ask_step(&mut self, now: Time, names: &[String], out: &mut Vec<Wish>) {
        if self.fill_slots(now, names, out) {
            self.next();
        }
    }

    /// Asks for the first of these that is not known or not sure; `true` when all are.
    pub(super) fn fill_slots(&mut self, now: Time, names: &[String], out: &mut Vec<Wish>) -> bool {
        let plan = Arc::clone(&self.plan);
        for name in names {
            let Some(slot) = plan.values.slots.get(name) else { continue };
            if !self.memory.slots.contains_key(name) {
                self.fill_from(now, name, slot, out);
            }
            match self.memory.slots.get(name).cloned() {
                None => {
                    self.ask_slot(now, name, slot, out);
                    return false;
                }
                Some(value) if slot.readback == Readback::Yes && !self.memory.sure.contains(name) && !value.is_null() => {
                    self.read_back(now, name, &value, out);
                    return false;
                }
                Some(_) => {}
            }
        }
        true
    }

    /// A value that is known already need not be asked for.
    fn fill_from(&mut self, now: Time, name: &str, slot: &Slot, out: &mut Vec<Wish>) {
        use crate::control::dialplan::expr::Scope;
        let Some(path) = &slot.from else { return };
        let own = self.view(now).value(path);
        let known = own.filter(|value| !plain(value).is_empty()).or_else(|| {
            let phone = slot.kind == SlotType::Phone;
            self.memory.start.customer.get("phone").filter(|_| phone).cloned()
        });
        if let Some(value) = known.filter(|value| fits(slot, value)) {
            self.memory.sure.insert(name.to_owned());
            self.fill(name, value, out);
        }
    }

    /// Sets a slot and notes it.
    pub(super) fn fill(&mut self, name: &str, value: Value, out: &mut Vec<Wish>) {
        let masked = self.plan.values.slots.get(name).is_some_and(|slot| slot.mask == Mask::Masked);
        let shown = if masked { "***".into() } else { value.clone() };
        out.push(Wish::SlotFilled { slot: name.to_owned(), value: shown, masked });
        self.memory.slots.insert(name.to_owned(), value);
    }

    fn ask_slot(&mut self, now: Time, name: &str, slot: &Slot, out: &mut Vec<Wish>) {
        if slot.kind == SlotType::Recording && self.memory.medium() == Medium::Voice {
            self.record_slot(now, name, slot, out);
            return;
        }
        if self.is_speaking(now, out) {
            return;
        }
        let mut prompts: Vec<Prompt> = self.prompt(now, &slot.ask).into_iter().chain(self.offer_items(now, slot)).collect();
        if self.reads_keys() && super::turn::keyed(&slot.kind) {
            let text = filled(Phrase::UseKeys, &self.lang, &[]);
            prompts.push(Prompt::Text { id: None, text, lang: self.lang.clone() });
        }
        let buttons = self.choice_buttons(now, slot);
        self.ask(now, Asked::Slot(name.to_owned()), prompts, buttons, out);
    }

    /// What the recognizer may expect of a slot; a list's titles are known only now.
    pub(super) fn slot_hints(&self, slot: &Slot) -> Arc<Hints> {
        if let Choices::List(list) = &slot.choices {
            let items = self.items(Time::default(), slot);
            return hints::of(items.iter().map(|item| item.get(&list.label).map(plain).unwrap_or_default()).collect(), None);
        }
        slot.hints.get(&self.lang).cloned().unwrap_or_default()
    }

    fn record_slot(&mut self, now: Time, name: &str, slot: &Slot, out: &mut Vec<Wish>) {
        if self.spot.stage == 0 {
            self.push_texts(now, &slot.ask);
            self.voice.pending.push(BEEP);
            self.spot.stage = 1;
        }
        if !self.said_all(now, out) {
            return;
        }
        out.push(Wish::Record { name: name.to_owned(), max: slot.max });
        self.clocks.answer = Some(now + slot.max + super::hand_over::RECORDING_SLACK);
        self.wait = Wait::Recorded { slot: Some(name.to_owned()) };
    }

    /// What was recorded for a slot.
    pub(super) fn slot_recorded(&mut self, name: &str, length: Option<std::time::Duration>, out: &mut Vec<Wish>) {
        let value = length.map_or(Value::Null, |length| json!({"recorded": true, "seconds": length.as_secs()}));
        self.spot.stage = 0;
        self.memory.sure.insert(name.to_owned());
        self.fill(name, value, out);
        self.wait = Wait::Nothing;
    }

    /// A sentence at a slot's question.
    pub(super) fn slot_said(&mut self, now: Time, name: &str, heard: &Heard<'_>, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let Some(slot) = plan.values.slots.get(name) else { return };
        match self.item_said(now, slot, heard.text) {
            Some(Taken::Item(item)) => return self.take_value(now, name, Found::Value(item), By::Words, out),
            Some(Taken::None(target)) => {
                let intents = vec![Scored { intent: target.name().to_owned(), score: 1.0 }];
                out.push(Wish::Understood { text: heard.text.to_owned(), intents, decision: "slot".to_owned() });
                return self.go(now, &target, out);
            }
            None => {}
        }
        let found = match self.look_for(now, slot, heard.text) {
            Found::Nothing if slot.kind == SlotType::Age => values::bare_age(&self.search(now, heard.text, &[])),
            found => found,
        };
        if matches!(found, Found::Nothing | Found::Wrong) {
            if slot.need == Need::Optional && values::is_unknown(heard.text) {
                self.quiet_turn(out);
                self.memory.slots.insert(name.to_owned(), Value::Null);
                self.wait = Wait::Nothing;
                return;
            }
            if found == Found::Nothing && self.digress(now, heard, out) {
                return;
            }
        }
        if matches!(found, Found::Value(_)) {
            self.fill_others(now, name, heard.text, out);
        }
        self.take_value(now, name, found, By::Words, out);
    }

    fn look_for(&self, now: Time, slot: &Slot, text: &str) -> Found {
        let items = self.items(now, slot);
        values::find(slot, &self.search(now, text, &items))
    }

    /// A sentence with all that its grammars need to know.
    pub(super) fn search<'s>(&'s self, now: Time, text: &'s str, items: &'s [Value]) -> Search<'s> {
        Search { text, lang: &self.lang, local: self.view(now).local(), items }
    }

    /// Yes, no, or neither.
    pub(super) fn yes_or_no(&self, now: Time, text: &str) -> Option<bool> {
        values::yes_no(text, &self.search(now, text, &[]))
    }

    /// Keys as a value.
    pub(super) fn value_of_keys(&self, now: Time, name: &str, keys: &str) -> Found {
        let Some(slot) = self.plan.values.slots.get(name) else { return Found::Nothing };
        if keys.is_empty() {
            return if slot.need == Need::Optional { Found::Unknown } else { Found::Nothing };
        }
        let at = keys.parse::<usize>().ok().and_then(|key| key.checked_sub(1));
        match (&slot.kind, &slot.choices) {
            (SlotType::YesNo, _) => match keys {
                "1" => Found::Value(true.into()),
                "2" => Found::Value(false.into()),
                _ => Found::Nothing,
            },
            (_, Choices::Fixed(values)) => {
                at.and_then(|at| values.get(at)).map_or(Found::Nothing, |choice| Found::Value(choice.value.clone().into()))
            }
            (_, Choices::List(..)) => at.and_then(|at| self.items(now, slot).get(at).cloned()).map_or(Found::Nothing, Found::Value),
            (SlotType::Age, _) => keys.parse::<u8>().map_or(Found::Wrong, |years| Found::Value(years.into())),
            (SlotType::Number | SlotType::Money, _) => {
                keys.replace('*', ".").parse().map_or(Found::Wrong, |number| Found::Value(values::as_said(number)))
            }
            _ if fits(slot, &keys.into()) => Found::Value(keys.into()),
            _ => Found::Wrong,
        }
    }

    /// A value for a slot that was asked for, or none.
    pub(super) fn take_value(&mut self, now: Time, name: &str, found: Found, by: By, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let Some(slot) = plan.values.slots.get(name) else { return };
        let value = match found {
            Found::Value(value) => value,
            Found::CallerId => match &self.memory.start.caller.phone {
                Some(phone) => phone.clone().into(),
                None => return self.wrong_value(now, slot, false, out),
            },
            Found::Unknown => Value::Null,
            Found::Wrong => return self.wrong_value(now, slot, true, out),
            Found::Nothing => {
                let text = self.memory.last_said.clone();
                out.push(Wish::Understood { text, intents: Vec::new(), decision: REPROMPT.to_owned() });
                return self.unmatched(now, out);
            }
        };
        if !self.is_valid(now, name, slot, &value) {
            return self.wrong_value(now, slot, false, out);
        }
        let text = self.memory.last_said.clone();
        out.push(Wish::Understood { text, intents: vec![Scored { intent: name.to_owned(), score: 1.0 }], decision: "slot".to_owned() });
        self.quiet_turn(out);
        self.fill(name, value, out);
        self.memory.sure.remove(name);
        if by == By::Keys {
            self.memory.sure.insert(name.to_owned());
        }
        self.wait = Wait::Nothing;
    }

    /// Does the plan's own condition hold for the value?
    fn is_valid(&mut self, now: Time, name: &str, slot: &Slot, value: &Value) -> bool {
        let Some((condition, _)) = &slot.valid else { return true };
        let before = self.memory.slots.insert(name.to_owned(), value.clone());
        let holds = condition.is_true(&self.view(now));
        match before {
            Some(before) => drop(self.memory.slots.insert(name.to_owned(), before)),
            None => drop(self.memory.slots.remove(name)),
        }
        holds
    }

    /// The value cannot be: say why and ask again.
    fn wrong_value(&mut self, now: Time, slot: &Slot, by_form: bool, out: &mut Vec<Wish>) {
        let text = self.memory.last_said.clone();
        out.push(Wish::Understood { text, intents: Vec::new(), decision: "invalid".to_owned() });
        match (&slot.valid, slot.length) {
            (Some((_, say)), _) if !by_form && !say.is_empty() => self.push_texts(now, &say.clone()),
            (_, Some((least, most))) if by_form => {
                let wanted = if least == most {
                    least.to_string()
                } else if self.lang.speech() == "zh" {
                    format!("{least}到{most}")
                } else {
                    format!("{least} to {most}")
                };
                self.push_phrase(Phrase::WantedLength, &[&wanted]);
            }
            _ => self.push_phrase(Phrase::NotValid, &[]),
        }
        self.unmatched(now, out);
    }

    /// "I have …, is that right?"
    fn read_back(&mut self, now: Time, name: &str, value: &Value, out: &mut Vec<Wish>) {
        if self.is_speaking(now, out) {
            return;
        }
        let shown = self.shown(name, value);
        let text = filled(Phrase::IsItRight, &self.lang, &[&shown]);
        let prompt = Prompt::Text { id: None, text, lang: self.lang.clone() };
        let buttons = self.yes_no_buttons();
        self.ask(now, Asked::Readback(name.to_owned(), value.clone()), vec![prompt], buttons, out);
    }

    fn shown(&self, name: &str, value: &Value) -> String {
        let lang = self.lang.speech();
        let form = self.form();
        match self.plan.values.slots.get(name).map(|slot| &slot.kind) {
            Some(SlotType::Digits | SlotType::Phone | SlotType::Card) if form == Form::Spoken => shown::digits(value, lang, form),
            Some(SlotType::Date | SlotType::DateTime) => shown::date(value, lang, form),
            Some(SlotType::Money) => shown::money(value, lang, form),
            _ => ["title", "name", "label"].iter().find_map(|key| value.get(key)).map_or_else(|| plain(value), plain),
        }
    }

    /// A sentence at a read-back: yes, no, or the right value at once.
    pub(super) fn readback_said(&mut self, now: Time, name: &str, value: &Value, heard: &Heard<'_>, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let Some(slot) = plan.values.slots.get(name) else { return };
        let better = match slot.kind {
            SlotType::Text | SlotType::Name | SlotType::YesNo | SlotType::Recording => Found::Nothing,
            _ => self.look_for(now, slot, heard.text),
        };
        match (better, self.yes_or_no(now, heard.text)) {
            (Found::Value(better), _) if better != *value => self.take_value(now, name, Found::Value(better), By::Words, out),
            (Found::Value(_), _) => self.readback_answered(now, name, value, true, out),
            (_, answer) if self.is_doubtful(answer, heard) => self.unmatched(now, out),
            (_, Some(yes)) => {
                let intent = if yes { "yes" } else { "no" }.to_owned();
                out.push(Wish::Understood {
                    text: heard.text.to_owned(),
                    intents: vec![Scored { intent, score: 1.0 }],
                    decision: "yes_no".to_owned(),
                });
                self.readback_answered(now, name, value, yes, out);
            }
            (_, None) if self.digress(now, heard, out) => {}
            (_, None) => self.unmatched(now, out),
        }
    }

    /// Yes or no to a read-back.
    pub(super) fn readback_answered(&mut self, now: Time, name: &str, _value: &Value, yes: bool, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if yes {
            self.memory.sure.insert(name.to_owned());
            self.wait = Wait::Nothing;
            return;
        }
        self.memory.slots.remove(name);
        self.tries.unmatched += 1;
        let (tries, then) = self.plan.defaults.no_match.clone();
        // A value that is wrong again and again needs a person.
        if self.tries.unmatched > tries { self.go(now, &then, out) } else { self.wait = Wait::Nothing }
    }

    /// Values of other slots of the same `ask` in the same sentence.
    fn fill_others(&mut self, now: Time, name: &str, text: &str, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let together: Vec<&String> = match self.current_verb(&plan) {
            Some(Verb::Ask(ask)) => ask.slots.iter().chain(&ask.also).collect(),
            Some(Verb::Answer(answer)) => {
                let base = plan.surroundings.knowledge.get(&answer.kb);
                let article = base.zip(self.flow.consulted.as_ref()).and_then(|(base, topic)| base.articles.get(topic));
                article.and_then(|article| article.table.as_ref()).map(|table| table.keys.iter().collect()).unwrap_or_default()
            }
            _ => return,
        };
        let others: Vec<String> = together.into_iter().filter(|other| *other != name).cloned().collect();
        let own = plan.values.slots.get(name).map(|slot| (slot, self.look_for(now, slot, text)));
        self.fill_all(now, &others, text, own, out);
    }

    /// Values in the sentence that named an intent.
    pub(super) fn fill_in_breath(&mut self, now: Time, intent: &str, text: &str, out: &mut Vec<Wish>) {
        let names = self.plan.understanding.slots(intent).to_vec();
        self.fill_all(now, &names, text, None, out);
    }

    /// Takes each value that belongs to one slot only.
    fn fill_all(&mut self, now: Time, names: &[String], text: &str, own: Option<(&Slot, Found)>, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let slots = names.iter().filter_map(|name| Some((name, plan.values.slots.get(name).filter(|slot| values::stands_out(slot))?)));
        let (closed, open): (Vec<_>, Vec<_>) = slots.partition(|(_, slot)| matches!(slot.choices, Choices::Fixed(_)));
        let taken = own.as_ref().map(|(_, found)| found.clone());
        let first = own.and_then(|(slot, _)| values::words_of(slot, &self.search(now, text, &[])));
        let mut candidates: Vec<(&String, Value)> = values::closed(&closed, first.as_deref(), &self.search(now, text, &[]));
        for (name, slot) in open {
            if let Found::Value(value) = self.look_for(now, slot, text)
                && (slot.kind != SlotType::Digits || slot.length.is_some() || plain(&value).len() >= LONG_ENOUGH)
            {
                candidates.push((name, value));
            }
        }
        let is_alone = |value: &Value| {
            candidates.iter().filter(|(_, other)| other == value).count() == 1 && taken.as_ref() != Some(&Found::Value(value.clone()))
        };
        let sure: Vec<(String, Value)> = candidates
            .iter()
            .filter(|(name, value)| is_alone(value) && !self.memory.slots.contains_key(*name))
            .map(|(name, value)| ((*name).clone(), value.clone()))
            .collect();
        for (name, value) in sure {
            if self.is_valid(now, &name, &plan.values.slots[&name], &value) {
                self.fill(&name, value, out);
            }
        }
    }
}

/// Has a known value the form the slot wants?
fn fits(slot: &Slot, value: &Value) -> bool {
    let text = plain(value);
    let length = text.chars().count();
    match slot.length {
        Some((least, most)) => (least..=most).contains(&length),
        None if slot.kind == SlotType::Phone => text.chars().filter(char::is_ascii_digit).count() >= SHORTEST_PHONE,
        None => length > 0,
    }
}

//! Answers: sentences and keys, to whatever is asked.

use std::sync::Arc;

use serde_json::Value;

use super::turn::{KEY_PAUSE, keyed};
use super::{Asked, Medium, Question, Runner, Wait};
use crate::control::dialplan::plan::{Always, SlotType, Target};
use crate::control::dialplan::understand::Said;
use crate::control::dialplan::values;
use crate::control::dialplan::wish::Wish;
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::decision::REPROMPT;
use crate::control::words::media::BargeIn;
use crate::nlu::normalise::normalise;
use crate::nlu::{Meanings, is_han};

/// Keys typed before they are asked for.
const MOST_TYPED_AHEAD: usize = 32;
/// Chat lines written before they are asked for.
const MOST_SAID_AHEAD: usize = 8;
/// Sentences at least this long may carry more than yes or no.
const LONG_ANSWER: usize = 5;

/// A sentence as it came.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'h> {
    /// The words.
    pub text: &'h str,
    /// Or how they sound.
    pub pinyin: Option<&'h str>,
    /// What a sentence model says of them.
    pub meanings: &'h Meanings,
    /// The recognizer's confidence.
    pub confidence: f32,
    /// Spoken or typed.
    pub medium: crate::nlu::Medium,
}

impl<'h> Heard<'h> {
    /// As the classifier takes it.
    pub(super) fn said(&self) -> Said<'h> {
        Said { text: self.text, pinyin: self.pinyin, meanings: self.meanings, medium: self.medium }
    }
}

impl Runner {
    /// A sentence came.
    pub(super) fn said(&mut self, now: Time, heard: Heard<'_>, out: &mut Vec<Wish>) {
        let heard = Heard { text: heard.text.trim(), ..heard };
        let text = heard.text;
        if self.is_waiting() {
            self.overheard(&heard, out);
            return;
        }
        let Wait::Answer(question) = &self.wait else {
            self.said_too_early(&heard);
            return;
        };
        let question = question.clone();
        self.voice.turn = None;
        if let Some(key) = typed_key(text).filter(|_| self.memory.medium() == Medium::Chat && takes_keys(&question.kind)) {
            self.pressed(now, key, out);
            return;
        }
        if self.voice.playing.is_some() && (self.is_backchannel(&question, text) || self.is_stray(now, &question, &heard)) {
            self.listen_on(now, out);
            return;
        }
        if self.is_greeting_back(now, &question, &heard) {
            self.memory.line("customer", text);
            self.listen_on(now, out);
            return;
        }
        self.memory.turn += 1;
        self.memory.line("customer", text);
        text.clone_into(&mut self.memory.last_said);
        self.memory.last_meant = heard.meanings.clone();
        self.stop_saying(out);
        self.clocks.answer = None;
        let upset = self.upset_by(&heard, out);
        if self.is_sensitive(now, &heard, out) {
            return;
        }
        match upset {
            Some(command) => self.goes_upset(now, &command, text, out),
            None => self.answered(now, *question, &heard, out),
        }
    }

    /// Words that lead away by themselves, whatever was asked and whether the sentence means anything else.
    fn is_sensitive(&mut self, now: Time, heard: &Heard<'_>, out: &mut Vec<Wish>) -> bool {
        let Heard { text, pinyin, .. } = *heard;
        let sentence = normalise(text);
        let plan = Arc::clone(&self.plan);
        let is_said = |command: &&Always| command.is_named_in(&sentence) || pinyin.is_some_and(|pinyin| command.sounds_in(pinyin));
        let Some(command) = plan.flow.always.iter().find(is_said) else { return false };
        let intents = vec![Scored { intent: command.name.clone(), score: 1.0 }];
        out.push(Wish::Understood { text: text.to_owned(), intents, decision: "phrase".to_owned() });
        self.quiet_turn(out);
        self.memory.intent(&command.name);
        self.command(now, command, out);
        true
    }

    /// Spoken or typed, as the classifier wants to know it.
    pub(super) fn nlu_medium(&self) -> crate::nlu::Medium {
        match self.memory.medium() {
            Medium::Voice => crate::nlu::Medium::Voice,
            Medium::Chat => crate::nlu::Medium::Chat,
        }
    }

    fn said_too_early(&mut self, heard: &Heard<'_>) {
        if self.memory.medium() == Medium::Chat && self.voice.said_ahead.len() < MOST_SAID_AHEAD {
            self.voice.said_ahead.push_back((heard.text.to_owned(), heard.meanings.clone()));
        }
    }

    /// 嗯, ok and the like do not stop a prompt, except where they answer it.
    fn is_backchannel(&self, question: &Question, text: &str) -> bool {
        question.barge_in == BargeIn::Words && matches!(question.kind, Asked::Menu(_) | Asked::Slot(_)) && values::is_backchannel(text)
    }

    /// One syllable that is not surely an option is a nod that was misheard (哦 as 我). An engine that writes pinyin writes characters where
    /// it heard what the menu hints at, and only then is a single syllable of it believed.
    fn is_stray(&self, now: Time, question: &Question, heard: &Heard<'_>) -> bool {
        let Asked::Menu(index) = question.kind else { return false };
        let (syllables, is_hinted) = match heard.pinyin {
            Some(pinyin) => (pinyin.split_whitespace().count(), heard.text.chars().any(is_han)),
            None => (heard.text.chars().filter(|c| is_han(*c)).count(), true),
        };
        syllables == 1 && question.barge_in == BargeIn::Words && !(is_hinted && self.is_sure(now, index, heard))
    }

    /// Whoever says hello before anything else has been greeted already: the greeting goes on, or stands in the chat, and he is listened to.
    fn is_greeting_back(&self, now: Time, question: &Question, heard: &Heard<'_>) -> bool {
        let Asked::Menu(index) = question.kind else { return false };
        let is_first = self.memory.turn == 0 && self.memory.transcript.iter().all(|(who, _)| *who != "customer");
        is_first && values::is_greeting(heard.text) && !self.is_sure(now, index, heard)
    }

    /// Words so far: they stop a prompt before the sentence is at its end.
    pub(super) fn words_begun(&mut self, now: Time, text: &str, out: &mut Vec<Wish>) {
        let Wait::Answer(question) = &self.wait else { return };
        let is_hello = self.memory.turn == 0 && values::is_greeting(text);
        if question.barge_in == BargeIn::Words && is_more_than_a_word(text) && !is_hello && !self.is_backchannel(question, text) {
            self.stop_saying(out);
        }
        self.end_in_time(now, text, out);
    }

    /// Is a sentence all that can be asked for? Then nobody need wait for more of it.
    pub(super) fn is_all(&self, now: Time, kind: &Asked, text: &str) -> bool {
        match kind {
            Asked::Menu(index) => {
                let hints = self.plan.flow.menus.get(*index).and_then(|menu| menu.hints.get(&self.lang));
                hints.is_some_and(|hints| values::is_whole(text, &hints.phrases))
            }
            // A "no" is often followed by what is right.
            Asked::Confirm(_) | Asked::Readback(..) | Asked::Offer(_) => {
                text.chars().count() < LONG_ANSWER && self.yes_or_no(now, text) == Some(true)
            }
            Asked::Slot(name) => {
                let slot = self.plan.values.slots.get(name);
                slot.is_some_and(|slot| values::is_full(slot, &self.search(now, text, &[])))
            }
            Asked::DidYouMean(_) | Asked::Survey(_) | Asked::Contact(_) | Asked::Words(_) => false,
        }
    }

    fn answered(&mut self, now: Time, question: Question, heard: &Heard<'_>, out: &mut Vec<Wish>) {
        match question.kind {
            Asked::Menu(index) => self.chosen_by_words(now, index, heard, out),
            Asked::Slot(name) => self.slot_said(now, &name, heard, out),
            Asked::Readback(name, value) => self.readback_said(now, &name, &value, heard, out),
            Asked::Confirm(confirm) => match self.yes_no_or_intent(now, heard, out) {
                YesNo::Yes => self.confirmed(now, &confirm, true, out),
                YesNo::No => self.confirmed(now, &confirm, false, out),
                YesNo::Unclear => self.unmatched(now, out),
                YesNo::Gone => {}
            },
            Asked::Offer(intent) => match self.yes_no_or_intent(now, heard, out) {
                YesNo::Yes => self.offered(now, &intent, true, out),
                YesNo::No => self.offered(now, &intent, false, out),
                YesNo::Unclear => self.unmatched(now, out),
                YesNo::Gone => {}
            },
            Asked::DidYouMean(intents) => self.which_said(now, &intents, heard, out),
            Asked::Survey(id) => match values::mark(&self.search(now, heard.text, &[])) {
                Some(mark) => self.surveyed(now, &id, mark, out),
                None => self.unmatched(now, out),
            },
            Asked::Contact(step) => self.contact_said(now, &step, heard.text, out),
            Asked::Words(step) => self.words_said(now, &step, heard.text, out),
        }
    }

    /// Yes or no; a sentence that is surely something else goes there.
    fn yes_no_or_intent(&mut self, now: Time, heard: &Heard<'_>, out: &mut Vec<Wish>) -> YesNo {
        let answer = self.yes_or_no(now, heard.text);
        if self.is_doubtful(answer, heard) {
            return self.trace_yes_no(heard.text, None, out);
        }
        if answer.is_some() && heard.text.chars().count() < LONG_ANSWER {
            return self.trace_yes_no(heard.text, answer, out);
        }
        if self.digress(now, heard, out) {
            return YesNo::Gone;
        }
        self.trace_yes_no(heard.text, answer, out)
    }

    /// A small recognizer takes many a word for yes. What it hardly understood is asked back, and believed when it is said twice.
    pub(super) fn is_doubtful(&mut self, answer: Option<bool>, heard: &Heard<'_>) -> bool {
        if answer.is_none() || heard.confidence >= self.plan.defaults.thresholds.0 {
            return false;
        }
        std::mem::replace(&mut self.tries.doubted, answer) != answer
    }

    fn trace_yes_no(&mut self, text: &str, answer: Option<bool>, out: &mut Vec<Wish>) -> YesNo {
        let (name, result) = match answer {
            Some(true) => ("yes", YesNo::Yes),
            Some(false) => ("no", YesNo::No),
            None => {
                out.push(Wish::Understood { text: text.to_owned(), intents: Vec::new(), decision: REPROMPT.to_owned() });
                return YesNo::Unclear;
            }
        };
        let intents = vec![Scored { intent: name.to_owned(), score: 1.0 }];
        out.push(Wish::Understood { text: text.to_owned(), intents, decision: "yes_no".to_owned() });
        result
    }

    /// A command or another wish instead of an answer.
    pub(super) fn digress(&mut self, now: Time, heard: &Heard<'_>, out: &mut Vec<Wish>) -> bool {
        let Some((intents, ranked)) = self.sure_intent(now, heard) else { return false };
        let is_command = self.plan.flow.always.iter().any(|command| intents.first() == Some(&command.name));
        if self.is_local() && !is_command {
            return false;
        }
        self.trace(heard.text, &intents, &ranked, "accept", out);
        self.accept(now, intents, heard.text, out);
        true
    }

    fn which_said(&mut self, now: Time, intents: &[String], heard: &Heard<'_>, out: &mut Vec<Wish>) {
        let named = self.rank(now, None, heard).best().map(|hit| hit.intent.clone()).filter(|intent| intents.contains(intent));
        let labels: Vec<String> = intents.iter().map(|intent| self.name_of(intent)).collect();
        let counted = values::which(heard.text, &labels).map(|at| intents[at].clone());
        match (counted, self.yes_or_no(now, heard.text), named) {
            // "Yes" to one candidate is no choice by its place.
            (Some(intent), answer, _) if answer.is_none() || intents.len() > 1 => self.meant(now, Some(intent), out),
            (_, Some(true), _) => self.meant(now, intents.first().cloned(), out),
            (_, Some(false), _) => self.meant(now, None, out),
            (_, None, Some(intent)) => self.meant(now, Some(intent), out),
            (_, None, None) if self.digress(now, heard, out) => {}
            (_, None, None) => self.meant(now, None, out),
        }
    }

    /// A key came.
    pub(super) fn pressed(&mut self, now: Time, key: char, out: &mut Vec<Wish>) {
        let Wait::Answer(question) = &mut self.wait else {
            self.pressed_too_early(now, key, out);
            return;
        };
        if question.barge_in == BargeIn::Off && self.voice.playing.is_some() {
            return;
        }
        question.keys.push(key);
        let question = question.clone();
        self.stop_saying(out);
        self.clocks.answer = Some(now + KEY_PAUSE);
        if self.memory.medium() == Medium::Voice
            && question.keys.len() == 1
            && let Some(turn) = self.voice.turn.take()
        {
            out.push(Wish::StopListening(turn));
        }
        self.keys(now, &question, out);
    }

    fn pressed_too_early(&mut self, now: Time, key: char, out: &mut Vec<Wish>) {
        if matches!(self.wait, Wait::Recorded { .. } | Wait::Queue | Wait::Transfer | Wait::Over | Wait::Start) {
            return;
        }
        if self.voice.typed_ahead.len() < MOST_TYPED_AHEAD {
            self.voice.typed_ahead.push(key);
        }
        // A key means: I know this already.
        if matches!(self.wait, Wait::Quiet)
            && self.plan.defaults.barge_in != BargeIn::Off
            && let Some(play) = self.voice.playing
        {
            out.push(Wish::StopSaying(play));
            self.prompt_finished(now, play, out);
        }
    }

    fn keys(&mut self, now: Time, question: &Question, out: &mut Vec<Wish>) {
        match &question.kind {
            Asked::Menu(index) => self.menu_keys(now, *index, &question.keys, out),
            Asked::Slot(name) => self.slot_keys(now, name, &question.keys, out),
            Asked::Contact(step) => {
                if let Some(phone) = question.keys.strip_suffix('#') {
                    self.contact_said(now, &step.clone(), phone, out);
                }
            }
            Asked::Words(_) => {}
            Asked::Survey(id) => match question.keys.chars().last().and_then(|key| key.to_digit(10)) {
                Some(mark @ 1..=5) => self.surveyed(now, &id.clone(), u8::try_from(mark).unwrap_or(5), out),
                _ => self.wrong_key(now, out),
            },
            Asked::DidYouMean(intents) if intents.len() > 1 => {
                let at = question.keys.chars().last().and_then(|key| key.to_digit(10)).and_then(|key| usize::try_from(key).ok());
                match at.and_then(|at| intents.get(at.wrapping_sub(1))) {
                    Some(intent) => self.meant(now, Some(intent.clone()), out),
                    None => self.wrong_key(now, out),
                }
            }
            _ => self.yes_no_key(now, question, out),
        }
    }

    fn yes_no_key(&mut self, now: Time, question: &Question, out: &mut Vec<Wish>) {
        let yes = match question.keys.chars().last() {
            Some('1') => true,
            Some('2') => false,
            _ => return self.wrong_key(now, out),
        };
        self.memory.turn += 1;
        match question.kind.clone() {
            Asked::Confirm(confirm) => self.confirmed(now, &confirm, yes, out),
            Asked::Offer(intent) => self.offered(now, &intent, yes, out),
            Asked::DidYouMean(intents) => self.meant(now, intents.into_iter().next().filter(|_| yes), out),
            Asked::Readback(name, value) => self.readback_answered(now, &name, &value, yes, out),
            _ => {}
        }
    }

    fn menu_keys(&mut self, now: Time, index: usize, keys: &str, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let options = plan.flow.menus.get(index).map(|menu| self.open_options(now, menu)).unwrap_or_default();
        let exact = options.iter().find(|option| option.key.as_deref() == Some(keys));
        let longer = options.iter().any(|option| option.key.as_deref().is_some_and(|key| key.len() > keys.len() && key.starts_with(keys)));
        match exact {
            Some(option) if !longer => {
                self.memory.turn += 1;
                self.memory.line("customer", &format!("#{keys}"));
                self.chosen_by_key(now, option, out);
            }
            _ if longer => {}
            _ => self.wrong_key(now, out),
        }
    }

    /// A key that the question does not know: a command, or nothing.
    pub(super) fn wrong_key(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Wait::Answer(question) = &mut self.wait else { return };
        let key = question.keys.chars().last();
        question.keys.clear();
        self.memory.turn += 1;
        let plan = Arc::clone(&self.plan);
        match plan.flow.always.iter().find(|command| command.key.is_some() && command.key == key) {
            Some(command) => {
                out.push(Wish::Understood {
                    text: key.map(String::from).unwrap_or_default(),
                    intents: vec![Scored { intent: command.name.clone(), score: 1.0 }],
                    decision: "key".to_owned(),
                });
                self.command(now, command, out);
            }
            None => self.unmatched(now, out),
        }
    }

    /// A command understood everywhere.
    pub(super) fn command(&mut self, now: Time, command: &Always, out: &mut Vec<Wish>) {
        if let Some(lang) = &command.lang {
            self.lang = lang.clone();
            out.push(Wish::SetLang(lang.clone()));
        }
        match &command.does {
            Target::Repeat => self.repeat(now, out),
            target => {
                if *target == Target::Human || target.name() == "human" {
                    self.memory.intent("human");
                }
                self.go(now, target, out);
            }
        }
    }

    /// The pause after the last key is over.
    pub(super) fn keys_ended(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Wait::Answer(question) = &self.wait else { return };
        let question = question.clone();
        match &question.kind {
            Asked::Slot(name) => self.slot_keyed(now, name, &question.keys, out),
            Asked::Contact(step) => self.contact_said(now, step, &question.keys, out),
            Asked::Menu(index) => {
                let plan = Arc::clone(&self.plan);
                let options = plan.flow.menus.get(*index).map(|menu| self.open_options(now, menu)).unwrap_or_default();
                match options.iter().find(|option| option.key.as_deref() == Some(question.keys.as_str())) {
                    Some(option) => self.chosen_by_key(now, option, out),
                    None => self.wrong_key(now, out),
                }
            }
            _ => self.wrong_key(now, out),
        }
    }

    /// Keys of a value: `#` ends, `*` begins again; in a sum or number the first one is the point.
    fn slot_keys(&mut self, now: Time, name: &str, keys: &str, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        let Some(slot) = plan.values.slots.get(name) else { return };
        if !keyed(&slot.kind) {
            self.wrong_key(now, out);
            return;
        }
        let is_point =
            matches!(slot.kind, SlotType::Money | SlotType::Number) && keys.find('*').is_some_and(|at| at > 0 && at + 1 == keys.len());
        if keys.ends_with('*') && !is_point {
            self.repeat(now, out);
            return;
        }
        let full = match (&slot.kind, slot.length) {
            (SlotType::Choice | SlotType::YesNo, _) => true,
            (SlotType::Phone, _) => keys.len() == 11 && keys.starts_with('1'),
            (_, Some((_, most))) => keys.len() >= most,
            (_, None) => false,
        };
        if full || keys.ends_with('#') {
            self.slot_keyed(now, name, keys.trim_end_matches('#'), out);
        }
    }

    fn slot_keyed(&mut self, now: Time, name: &str, keys: &str, out: &mut Vec<Wish>) {
        self.memory.turn += 1;
        self.memory.line("customer", "#…");
        let value = self.value_of_keys(now, name, keys.trim_end_matches('#'));
        self.take_value(now, name, value, super::slots::By::Keys, out);
    }

    fn surveyed(&mut self, _now: Time, id: &str, mark: u8, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        self.memory.turn += 1;
        out.push(Wish::Surveyed { survey: id.to_owned(), score: mark });
        self.push_phrase(super::phrases::Phrase::Thanks, &[]);
        self.memory.vars.insert(id.to_owned(), Value::from(mark));
        self.next();
    }
}

/// What an answer to a yes/no question was.
enum YesNo {
    Yes,
    No,
    Unclear,
    /// Something else, and it is under way.
    Gone,
}

/// One word may be a cough that sounded like it; characters are words.
fn is_more_than_a_word(text: &str) -> bool {
    let characters = text.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count();
    characters > 1 || text.split_whitespace().count() > 1
}

/// A chat line that is one key.
fn typed_key(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let key = chars.next().filter(|c| c.is_ascii_digit() || matches!(c, '*' | '#'))?;
    chars.next().is_none().then_some(key)
}

fn takes_keys(kind: &Asked) -> bool {
    !matches!(kind, Asked::Slot(_) | Asked::Words(_) | Asked::Contact(_))
}

//! Articles: an answer for a topic or a free question; from a table's row where it depends on who, what and how.

use serde_json::Value;

use super::phrases::Phrase;
use super::{Asked, Runner};
use crate::control::dialplan::knowledge::{Article, Knowledge, ROW};
use crate::control::dialplan::plan::{Answer, Confirm, Plan, Target, Texts};
use crate::control::dialplan::table::{Consulted, Table};
use crate::control::dialplan::understand::Said;
use crate::control::dialplan::values;
use crate::control::dialplan::wish::Wish;
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::decision::UNANSWERED;

impl Runner {
    pub(super) fn answer(&mut self, now: Time, answer: &Answer, plan: &Plan, out: &mut Vec<Wish>) {
        let base = plan.surroundings.knowledge.get(&answer.kb);
        let begun = self.flow.consulted.clone();
        let (text, meanings) = (self.memory.last_said.as_str(), &self.memory.last_meant);
        let said = Said { text, pinyin: None, meanings, medium: self.nlu_medium() };
        let asked = || base.and_then(|base| base.topic_of(&said));
        let topic = begun.clone().or_else(|| answer.topic.clone()).or_else(asked);
        let Some((base, topic)) = base.zip(topic) else { return self.no_article(now, answer, "", out) };
        let Some(article) = base.articles.get(&topic) else { return self.no_article(now, answer, &topic, out) };
        if let Some(table) = &article.table {
            if begun.is_none() {
                self.take_keys(now, base, table, out);
                self.flow.consulted = Some(topic.clone());
            }
            if !self.consult(now, answer, (&topic, table), out) {
                return;
            }
        }
        self.say_article(now, &topic, article, out);
    }

    fn say_article(&mut self, now: Time, topic: &str, article: &Article, out: &mut Vec<Wish>) {
        let texts = article.answer(&self.view(now)).clone();
        out.push(Wish::Answered { article: format!("{topic}@{}", article.version) });
        self.push_texts(now, &texts);
        self.next();
    }

    fn no_article(&mut self, now: Time, answer: &Answer, topic: &str, out: &mut Vec<Wish>) {
        if answer.topic.is_none() {
            self.note_unanswered(None, out);
        }
        match &answer.unsure {
            Some(target) => self.go(now, target, out),
            None if answer.topic.is_some() => {
                out.push(Wish::PlanFailed { why: format!("{}: no article {}/{topic}", self.spot.node, answer.kb) });
                self.next();
            }
            None => self.go(now, &Target::Human, out),
        }
    }

    fn note_unanswered(&self, nearest: Option<&str>, out: &mut Vec<Wish>) {
        let intents = nearest.map(|topic| Scored { intent: topic.to_owned(), score: 1.0 }).into_iter().collect();
        out.push(Wish::Understood { text: self.memory.last_said.clone(), intents, decision: UNANSWERED.to_owned() });
    }

    /// What the question says of the table's keys. It wins over what was said before: "and my son?"
    fn take_keys(&mut self, now: Time, base: &Knowledge, table: &Table, out: &mut Vec<Wish>) {
        let question = self.memory.last_said.clone();
        let told = values::told(&base.keys(table), &self.search(now, &question, &[]));
        for (name, value) in told {
            if self.memory.slots.get(&name) != Some(&value) {
                self.memory.sure.remove(&name);
                self.fill(&name, value, out);
            }
        }
    }

    /// Fills what the table depends on; `true` when a row answers.
    fn consult(&mut self, now: Time, answer: &Answer, (topic, table): (&str, &Table), out: &mut Vec<Wish>) -> bool {
        for _ in 0..=table.keys.len() {
            let known = |key: &str| self.memory.slots.get(key).cloned();
            match table.consult(known) {
                Consulted::Row(row) => {
                    let told: Vec<String> = table.keys.iter().filter(|key| self.memory.slots.contains_key(*key)).cloned().collect();
                    if !self.fill_slots(now, &told, out) {
                        return false;
                    }
                    self.memory.vars.insert(ROW.to_owned(), Value::Object(row.values.clone()));
                    return true;
                }
                Consulted::Missing(key) => {
                    if !self.fill_slots(now, &[key.to_owned()], out) {
                        return false;
                    }
                }
                Consulted::Nothing => break,
            }
        }
        self.not_sure(now, answer, (topic, table), out);
        false
    }

    /// No row says it: that is told, and a person is offered.
    fn not_sure(&mut self, now: Time, answer: &Answer, (topic, table): (&str, &Table), out: &mut Vec<Wish>) {
        if self.is_speaking(now, out) {
            return;
        }
        self.note_unanswered(Some(topic), out);
        match self.prompt(now, &table.unknown) {
            Some(own) => self.voice.pending.push(own),
            None => self.push_phrase(Phrase::NotSure, &[]),
        }
        let prompt = self.ready(Phrase::OfferPerson);
        let yes = Some(answer.unsure.clone().unwrap_or(Target::Human));
        let confirm = Confirm { prompt: Texts::default(), yes, no: None };
        let buttons = self.yes_no_buttons();
        self.ask(now, Asked::Confirm(confirm), vec![prompt], buttons, out);
    }
}

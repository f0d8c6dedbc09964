//! What is known of a session that rules for agents ask about, and what its agent was advised.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::talk::Talk;
use super::{Customer, PHONE, Session};
use crate::control::dialplan::expr::{Path, Scope};
use crate::control::dialplan::understand::Said;
use crate::control::event::{DomainEvent, Fact, SessionState};
use crate::control::time::Time;
use crate::control::words::suggestion::{SuggestionKind, Verdict};
use crate::control::words::{AgentId, Lang, MessageId, QueueId, SuggestionId};
use crate::nlu::{Meanings, Medium};

/// Suggestions of one session that can still be taken; the oldest goes first.
pub const OPEN_SUGGESTIONS: usize = 32;
/// Articles suggested after one sentence of the customer.
pub const ANSWERS_OF_A_SENTENCE: usize = 3;
/// What stands for the value of a masked slot.
pub const MASKED: &str = "***";

/// A final sentence of a customer, written or heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// How they sound, from a recognizer that writes no characters.
    pub pinyin: Option<String>,
    /// What a sentence model says of the words.
    pub meanings: Meanings,
    /// Written or heard.
    pub medium: Medium,
}

impl Sentence {
    /// As a classifier takes it.
    #[must_use]
    pub fn said(&self) -> Said<'_> {
        Said { text: &self.text, pinyin: self.pinyin.as_deref(), meanings: &self.meanings, medium: self.medium }
    }
}

/// Why something is suggested.
#[derive(Debug, Clone, PartialEq)]
pub enum Ground {
    /// A rule for agents fired.
    Rule(String),
    /// An article answers the customer's last sentence: `topic@version`, and how sure it is.
    Article(String, f32),
}

/// Something to be suggested.
#[derive(Debug, Clone, PartialEq)]
pub struct Idea {
    /// Why.
    pub ground: Ground,
    /// What the agent reads.
    pub text: String,
    /// What the customer of a chat is told, when it is not the same.
    pub say: Option<String>,
}

/// A suggestion that can be taken.
#[derive(Debug, Clone)]
pub struct Advised {
    /// Its id.
    pub id: SuggestionId,
    /// What it is.
    pub idea: Idea,
    /// In which language.
    pub lang: Lang,
}

/// What a session's agents are advised, and out of what.
#[derive(Debug, Default)]
pub struct Advice {
    slots: BTreeMap<String, Value>,
    found: BTreeMap<String, Value>,
    intent: Option<String>,
    queue: Option<QueueId>,
    last_line: Option<MessageId>,
    fired: BTreeSet<String>,
    open: VecDeque<Advised>,
}

impl Advice {
    /// A fact of the session, before it is masked.
    pub fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::SlotFilled { slot, masked: true, .. } => drop(self.slots.insert(slot.clone(), MASKED.into())),
            Fact::SlotFilled { slot, value, .. } => drop(self.slots.insert(slot.clone(), value.clone())),
            Fact::LookupDone { name, value, .. } => drop(self.found.insert(name.clone(), value.clone())),
            Fact::Understood { intents, .. } => {
                if let Some(best) = intents.first() {
                    self.intent = Some(best.intent.clone());
                }
            }
            Fact::Queued { queue, .. } | Fact::Offered { queue, .. } => self.queue = Some(*queue),
            _ => {}
        }
    }

    /// The customer wrote or said this line.
    pub fn heard(&mut self, message: MessageId) {
        self.last_line = Some(message);
    }

    /// The customer's last line.
    #[must_use]
    pub fn last_line(&self) -> Option<MessageId> {
        self.last_line
    }

    /// Has this rule fired in this session?
    #[must_use]
    pub fn has_fired(&self, rule: &str) -> bool {
        self.fired.contains(rule)
    }

    /// Is this article suggested, and neither taken nor refused?
    #[must_use]
    pub fn is_open(&self, article: &str) -> bool {
        self.open.iter().any(|open| matches!(&open.idea.ground, Ground::Article(id, _) if id == article))
    }

    /// The queue it waits in or came out of.
    #[must_use]
    pub fn queue(&self) -> Option<QueueId> {
        self.queue
    }

    /// Keeps a suggestion, and gives the fact of it.
    pub fn add(&mut self, session: &super::SessionId, new: Advised, agent: Option<AgentId>) -> Fact {
        let Advised { id, idea, lang } = &new;
        let (kind, rule, article, confidence, message) = match &idea.ground {
            Ground::Rule(rule) => (SuggestionKind::NextBestAction, Some(rule.clone()), None, None, None),
            Ground::Article(article, sure) => (SuggestionKind::Answer, None, Some(article.clone()), Some(*sure), self.last_line),
        };
        if let Some(rule) = &rule {
            self.fired.insert(rule.clone());
        }
        let (text, say, lang) = (idea.text.clone(), idea.say.clone(), lang.clone());
        let fact = Fact::SuggestionCreated {
            suggestion: *id,
            session: *session,
            agent,
            kind,
            text,
            say,
            lang,
            rule,
            article,
            confidence,
            message,
        };
        if self.open.len() == OPEN_SUGGESTIONS {
            self.open.pop_front();
        }
        self.open.push_back(new);
        fact
    }

    /// Takes one out of those that are open.
    pub fn take(&mut self, id: SuggestionId) -> Option<Advised> {
        let at = self.open.iter().position(|open| open.id == id)?;
        self.open.remove(at)
    }

    /// Those that are open, as an offer carries them.
    #[must_use]
    pub fn shown(&self) -> Value {
        let one = |open: &Advised| match &open.idea.ground {
            Ground::Rule(rule) => json!({"id": open.id, "kind": SuggestionKind::NextBestAction, "text": open.idea.text, "rule": rule}),
            Ground::Article(article, _) => {
                json!({"id": open.id, "kind": SuggestionKind::Answer, "text": open.idea.text, "article": article})
            }
        };
        self.open.iter().map(one).collect()
    }
}

/// What became of a suggestion, as a fact.
#[must_use]
pub fn settled(session: super::SessionId, taken: &Advised, verdict: Verdict, agent: Option<AgentId>, message: Option<MessageId>) -> Fact {
    Fact::SuggestionState { suggestion: taken.id, session, state: verdict, agent, message }
}

/// A session as rules for agents and texts of articles see it.
pub struct Known<'k> {
    /// The session.
    pub session: &'k Session,
    /// Its customer, once known.
    pub customer: Option<&'k Customer>,
    /// Its plan, as long as that leads or may come back.
    pub talk: Option<&'k Talk>,
    /// The name of its queue.
    pub queue: Option<&'k str>,
    /// The moment.
    pub now: Time,
    /// The language spoken.
    pub lang: &'k Lang,
}

impl Scope for Known<'_> {
    fn value(&self, path: &Path) -> Option<Value> {
        let below = |root: &Value| path.follow(root).cloned();
        let advice = &self.session.advice;
        match path.root.as_str() {
            "customer" => below(&Value::Object(self.customer())),
            "session" => below(&self.session()),
            "lang" => below(&self.lang.to_string().into()),
            "now" => below(&self.now.millis().into()),
            root => {
                let talked = self.talk.and_then(|talk| talk.value(self.now, path));
                talked.or_else(|| match root {
                    "intent" => below(&advice.intent.clone().into()),
                    "caller" => below(&json!({"phone": self.phone()})),
                    "call" => below(&json!({"to": self.session.opening.entry, "from": self.phone()})),
                    "lookups" => below(&json!({"used": !advice.found.is_empty()})),
                    _ => advice.slots.get(root).or_else(|| advice.found.get(root)).and_then(below),
                })
            }
        }
    }
}

impl Known<'_> {
    fn phone(&self) -> Option<&str> {
        let opening = &self.session.opening;
        (opening.channel == PHONE).then_some(opening.address.as_str())
    }

    fn customer(&self) -> Map<String, Value> {
        let Some(known) = self.customer else { return Map::new() };
        let mut customer = known.fields.clone();
        customer.entry("id").or_insert_with(|| known.id.to_string().into());
        if let Some(name) = &known.name {
            customer.entry("name").or_insert_with(|| name.clone().into());
        }
        let phone = self.phone().or_else(|| known.addresses.iter().find(|at| at.channel == PHONE).map(|at| at.address.as_str()));
        if let Some(phone) = phone {
            customer.entry("phone").or_insert_with(|| phone.into());
        }
        customer
    }

    fn session(&self) -> Value {
        let found = self.session;
        let tickets = self.customer.map(|customer| customer.open_tickets.as_slice()).unwrap_or_default();
        json!({
            "id": found.id,
            "channel": found.opening.channel,
            "plan": found.opening.plan.as_ref().map(|(plan, _)| plan),
            "queue": self.queue,
            "had_agent": found.agent.is_some(),
            "open_ticket": tickets.first(),
            "open_tickets": tickets,
            "lasted_ms": DomainEvent::ms(self.now.since(found.began)),
        })
    }
}

/// Is somebody of the house with the customer, or on the way to him?
#[must_use]
pub fn is_with_people(state: SessionState) -> bool {
    matches!(state, SessionState::Offered | SessionState::Active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::SessionId;

    fn idea(at: usize) -> Advised {
        let idea = Idea { ground: Ground::Rule(format!("rule{at}")), text: "x".into(), say: None };
        Advised { id: SuggestionId(at as u128), idea, lang: Lang::new("zh-CN") }
    }

    #[test]
    fn s19_a_rule_that_fired_is_remembered_and_the_oldest_suggestion_goes_first() {
        let mut advice = Advice::default();
        for at in 0..=OPEN_SUGGESTIONS {
            advice.add(&SessionId(1), idea(at), None);
        }
        assert!(advice.has_fired("rule0") && !advice.has_fired("other"));
        assert!(advice.take(SuggestionId(0)).is_none(), "it went when there was no room");
        assert!(advice.take(SuggestionId(1)).is_some() && advice.take(SuggestionId(1)).is_none(), "it can be taken once");
        assert_eq!(advice.shown().as_array().map(Vec::len), Some(OPEN_SUGGESTIONS - 1));
    }

    #[test]
    fn s19_the_value_of_a_masked_slot_reaches_no_rule() {
        let mut advice = Advice::default();
        advice.note(&Fact::SlotFilled { session: SessionId(1), slot: "pin".into(), value: "4711".into(), masked: true });
        assert_eq!(advice.slots["pin"], MASKED);
    }
}

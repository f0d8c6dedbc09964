//! What agents are advised: rules that fire when a session is offered and when more becomes known of it, and articles that answer what
//! its customer says.

use std::sync::Arc;

use super::{Machine, Slot, Switch};
use crate::control::dialplan::actions::Action;
use crate::control::dialplan::calendar::Calendar;
use crate::control::dialplan::knowledge::{self, Knowledge, SURE};
use crate::control::dialplan::plan::Texts;
use crate::control::dialplan::template::Form;
use crate::control::dialplan::values::Search;
use crate::control::event::{Author, Fact, SessionState};
use crate::control::session::Line;
use crate::control::session::advice::{self, ANSWERS_OF_A_SENTENCE, Advised, Ground, Idea, Known, Sentence, is_with_people};
use crate::control::session::talk::Talk;
use crate::control::time::Time;
use crate::control::words::agent::{Refusal, Reply};
use crate::control::words::suggestion::Verdict;
use crate::control::words::{AgentId, CustomerId, Lang, QueueId, SessionId, SuggestionId};

/// What made a line that an agent took over.
const SOURCE: &str = "suggestion";
/// The key of an offer's context.
const IN_CONTEXT: &str = "suggestions";
/// The language of a center without plans.
const FALLBACK_LANG: &str = "zh-CN";

impl Switch {
    /// A fact on its way into the log. An offer takes along what its agent is advised; what has become known may fire rules.
    pub(super) fn record_advised(&mut self, now: Time, session: SessionId, mut fact: Fact) {
        if let Fact::Offered { agent, queue, context, .. } = &mut fact {
            self.apply_rules(now, session, Some(*agent), Some(*queue));
            self.put_suggestions(session, context);
        }
        let is_news = matches!(fact, Fact::SlotFilled { .. } | Fact::LookupDone { .. });
        self.sessions.record(now, session, fact, &mut self.work.sessions);
        if is_news && self.sessions.of(session).is_some_and(|found| is_with_people(found.state)) {
            self.apply_rules(now, session, self.acd.holder(session), None);
        }
    }

    /// The open suggestions, where an agent looks when he is offered the session.
    pub(super) fn put_suggestions(&self, session: SessionId, context: &mut serde_json::Value) {
        let Some(found) = self.sessions.of(session) else { return };
        let shown = found.advice.shown();
        if let (Some(context), Some([_, ..])) = (context.as_object_mut(), shown.as_array().map(Vec::as_slice)) {
            context.insert(IN_CONTEXT.to_owned(), shown);
        }
    }

    /// More is known of a customer: rules of the sessions in which somebody is with him may fire.
    pub(super) fn customer_changed(&mut self, now: Time, customer: CustomerId, fields: serde_json::Map<String, serde_json::Value>) {
        self.sessions.customer_is(customer, fields);
        let open: Vec<SessionId> = self.slots.keys().copied().filter(|session| self.is_served(*session, customer)).collect();
        for session in open {
            self.apply_rules(now, session, self.acd.holder(session), None);
        }
    }

    fn is_served(&self, session: SessionId, customer: CustomerId) -> bool {
        self.sessions.of(session).is_some_and(|found| found.customer == Some(customer) && is_with_people(found.state))
    }

    /// Fires the rules whose condition holds now and that have not fired yet.
    fn apply_rules(&mut self, now: Time, session: SessionId, agent: Option<AgentId>, queue: Option<QueueId>) {
        let help = Arc::clone(&self.directory.help);
        let Some(found) = self.sessions.of(session).filter(|_| !help.actions.is_empty()) else { return };
        let queue = queue.or_else(|| found.advice.queue());
        let lang = self.lang_of(session);
        let Some(known) = self.known(now, session, queue, &lang) else { return };
        let concerns = |action: &&Action| action.queues.is_empty() || queue.is_some_and(|queue| action.queues.contains(&queue));
        let fires = |action: &&Action| !found.advice.has_fired(&action.id) && action.when.is_true(&known);
        let text = |texts: &Texts| texts.of(&lang).map(|text| text.render(&known, lang.primary(), Form::Written)).unwrap_or_default();
        let idea = |action: &Action| Idea {
            ground: Ground::Rule(action.id.clone()),
            text: text(&action.text),
            say: action.say.as_ref().map(text),
        };
        let ideas: Vec<Idea> = help.actions.iter().filter(concerns).filter(fires).map(idea).collect();
        self.suggest(now, session, ideas, agent, &lang);
    }

    /// A final sentence of the customer of a session: articles that surely answer it are suggested to whoever serves him.
    pub(super) fn suggest_answer(&mut self, now: Time, session: SessionId, sentence: &Sentence) {
        let help = Arc::clone(&self.directory.help);
        let Some(found) = self.sessions.of(session) else { return };
        let lang = self.lang_of(session);
        let Some(known) = self.known(now, session, found.advice.queue(), &lang) else { return };
        let near = |base: &'_ Knowledge| {
            let (topic, sure) = base.nearest(&sentence.said())?;
            let article = base.articles.get(&topic).filter(|_| sure >= SURE)?;
            let local = Calendar::default().local(now).datetime();
            let search = Search { text: &sentence.text, lang: &lang, local, items: &[] };
            let (knowledge::Reply::Says(text), _) = base.reply(article, &known, &search, Form::Written) else { return None };
            Some((sure, Idea { ground: Ground::Article(format!("{topic}@{}", article.version), sure), text, say: None }))
        };
        let mut ideas: Vec<(f32, Idea)> = help.knowledge.values().filter_map(near).collect();
        ideas.sort_by(|left, right| right.0.total_cmp(&left.0));
        ideas.retain(|(_, idea)| matches!(&idea.ground, Ground::Article(article, _) if !found.advice.is_open(article)));
        let ideas = ideas.into_iter().take(ANSWERS_OF_A_SENTENCE).map(|(_, idea)| idea).collect();
        self.suggest(now, session, ideas, self.acd.holder(session), &lang);
    }

    fn suggest(&mut self, now: Time, session: SessionId, ideas: Vec<Idea>, agent: Option<AgentId>, lang: &Lang) {
        for idea in ideas {
            let advised = Advised { id: SuggestionId::new(now, &mut self.random), idea, lang: lang.clone() };
            self.sessions.advise(now, session, advised, agent, &mut self.work.sessions);
        }
    }

    /// What an agent makes of a suggestion: in a chat the one he takes is said to the customer.
    pub(super) fn settle_suggestion(
        &mut self,
        now: Time,
        (session, suggestion): (SessionId, SuggestionId),
        by: Option<AgentId>,
        verdict: Verdict,
    ) -> Result<Reply, Refusal> {
        let is_chat = matches!(self.machine_of(session)?, Machine::Chat(_));
        let holder = self.acd.holder(session);
        let may = |by: AgentId| holder.is_some_and(|holder| holder == by || self.directory.leads(by, holder));
        if by.is_some_and(|by| !may(by)) {
            return Err(Refusal::Forbidden("only who serves the session, or leads him, may take a suggestion or dismiss it".to_owned()));
        }
        let is_active = self.sessions.of(session).is_some_and(|found| found.state == SessionState::Active);
        if verdict == Verdict::Accepted && !is_active {
            return Err(Refusal::Conflict("nobody serves the session now who could take the suggestion".to_owned()));
        }
        let taken = self.sessions.take_advice(session, suggestion);
        let taken = taken.ok_or_else(|| Refusal::Conflict("the suggestion was taken or dismissed before".to_owned()))?;
        let agent = by.or(holder);
        let message = (is_chat && verdict == Verdict::Accepted).then(|| {
            let text = taken.idea.say.clone().unwrap_or_else(|| taken.idea.text.clone());
            let line = Line { agent, lang: Some(taken.lang.clone()), source: Some(SOURCE.to_owned()), ..Line::text(Author::Agent, text) };
            self.write(now, session, line, Vec::new()).0
        });
        if message.is_some() {
            self.with_chat(now, session, |chat, room| chat.on_agent_line(room));
        }
        let fact = advice::settled(session, &taken, verdict, agent, message);
        self.sessions.record(now, session, fact, &mut self.work.sessions);
        Ok(Reply::Done)
    }

    fn talk_of(&self, session: SessionId) -> Option<&Talk> {
        match &self.slots.get(&session)? {
            Slot { machine: Machine::Call(call), .. } => call.talk(),
            Slot { machine: Machine::Chat(chat), .. } => chat.talk(),
        }
    }

    /// The language spoken with a customer.
    fn lang_of(&self, session: SessionId) -> Lang {
        let spoken = self.talk_of(session).map(|talk| talk.lang.clone());
        let own = || self.sessions.customer_of(session).and_then(|customer| customer.lang.clone());
        let usual = || self.directory.plans.values().next().map(|plan| plan.default_lang());
        spoken.or_else(own).or_else(usual).unwrap_or_else(|| Lang::new(FALLBACK_LANG))
    }

    fn known<'k>(&'k self, now: Time, session: SessionId, queue: Option<QueueId>, lang: &'k Lang) -> Option<Known<'k>> {
        Some(Known {
            session: self.sessions.of(session)?,
            customer: self.sessions.customer_of(session),
            talk: self.talk_of(session),
            queue: queue.and_then(|queue| self.directory.queues.get(&queue)).map(|queue| queue.name.as_str()),
            now,
            lang,
        })
    }
}

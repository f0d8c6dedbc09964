//! Choices: menus, "did you mean", the second wish of a breath, yes and no.

use std::sync::Arc;

use super::hear::Heard;
use super::phrases::{Phrase, filled};
use super::{Asked, Runner, Tries, Wait};
use crate::control::dialplan::plan::{Confirm, Matching, Menu, MenuOption, MultiIntent, Target};
use crate::control::dialplan::understand::Standing;
use crate::control::dialplan::wish::Wish;
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::decision::REPROMPT;
use crate::nlu::{Decision, Ranked, Thresholds};

/// Below this confidence of the recognizer a choice is asked back.
const HEARD_BADLY: f32 = 0.35;
/// Candidates below this share of the best one's score are not read out.
const ABOUT_AS_LIKELY: f32 = 0.4;
/// Intents in the trace.
const SHOWN: usize = 4;

impl Runner {
    /// Puts a menu.
    pub(super) fn menu_step(&mut self, now: Time, index: usize, out: &mut Vec<Wish>) {
        self.remember_menu();
        if self.offer_second(now, out) || self.is_speaking(now, out) {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let Some(menu) = plan.flow.menus.get(index) else {
            self.fail(now, "the menu is not known", out);
            return;
        };
        let buttons = self.menu_buttons(now, menu);
        if self.tries == Tries::default() && !self.reads_keys() {
            let prompts = self.prompt(now, &menu.prompt).into_iter().collect();
            self.ask(now, Asked::Menu(index), prompts, buttons, out);
        } else {
            let lines = if self.reads_keys() { self.key_lines(now, index) } else { self.label_line(now, index) };
            lines.into_iter().for_each(|line| self.push_line(line));
            self.ask(now, Asked::Menu(index), Vec::new(), buttons, out);
        }
    }

    fn menu_buttons(&self, now: Time, menu: &Menu) -> Vec<(String, String)> {
        let open = self.open_options(now, menu);
        let button = |option: &&MenuOption| {
            let label = self.label(option);
            (label.clone(), option.key.clone().unwrap_or(label))
        };
        open.iter().map(button).collect()
    }

    /// The options that may be chosen now: a condition may close one.
    pub(super) fn open_options<'m>(&self, now: Time, menu: &'m Menu) -> Vec<&'m MenuOption> {
        menu.options.iter().filter(|option| self.is_open(now, option)).collect()
    }

    fn is_open(&self, now: Time, option: &MenuOption) -> bool {
        option.when.as_ref().is_none_or(|when| when.is_true(&self.view(now)))
    }

    /// What no option of the whole tree leads to now.
    fn closed_intents(&self, now: Time) -> Vec<&str> {
        let flow = &self.plan.flow;
        let (open, closed): (Vec<_>, Vec<_>) =
            flow.menus.iter().flat_map(|menu| &menu.options).partition(|option| self.is_open(now, option));
        let is_had =
            |intent: &str| open.iter().any(|option| option.intent() == intent) || flow.always.iter().any(|command| command.name == intent);
        closed.into_iter().map(MenuOption::intent).filter(|intent| !is_had(intent)).collect()
    }

    fn label(&self, option: &MenuOption) -> String {
        self.name_of(option.intent())
    }

    /// An intent's name for people, or its own.
    pub(super) fn name_of(&self, intent: &str) -> String {
        self.intent_label(intent).unwrap_or_else(|| intent.to_owned())
    }

    fn intent_label(&self, intent: &str) -> Option<String> {
        if intent == "human" && self.plan.understanding.label(intent).is_none() {
            return Some(filled(Phrase::Person, &self.lang, &[]));
        }
        let template = self.plan.understanding.label(intent)?.of(&self.lang)?;
        Some(template.render(&self.view(Time::default()), self.lang.speech(), self.form()))
    }

    /// "You can say: A, B, C."
    pub(super) fn label_line(&self, now: Time, index: usize) -> Vec<String> {
        let open = self.plan.flow.menus.get(index).map(|menu| self.open_options(now, menu));
        let labels = open.map(|open| open.into_iter().map(|option| self.label(option)).collect::<Vec<_>>());
        let joined = labels.unwrap_or_default().join(if self.lang.speech() == "zh" { "、" } else { ", " });
        vec![filled(Phrase::YouMaySay, &self.lang, &[&joined])]
    }

    /// "For A, press 1." of each option.
    pub(super) fn key_lines(&self, now: Time, index: usize) -> Vec<String> {
        let open = self.plan.flow.menus.get(index).map(|menu| self.open_options(now, menu)).unwrap_or_default();
        let keyed = open.into_iter().filter_map(|option| Some((option, option.key.as_deref()?)));
        keyed.map(|(option, key)| filled(Phrase::PressFor, &self.lang, &[&self.label(option), key])).collect()
    }

    /// How a sentence ranks where the caller stands.
    pub(super) fn rank(&self, now: Time, menu: Option<usize>, heard: &Heard<'_>) -> Ranked {
        let plan = &self.plan;
        let local: Vec<&str> = menu
            .and_then(|index| plan.flow.menus.get(index))
            .map(|menu| self.open_options(now, menu).into_iter().map(MenuOption::intent).collect())
            .unwrap_or_default();
        let commands = plan.flow.always.iter().map(|command| command.name.as_str());
        let everywhere = local.iter().copied().chain(commands).collect();
        let closed = self.closed_intents(now);
        let standing = Standing { local, everywhere, closed, matching: plan.defaults.matching, bias: plan.defaults.local_bias };
        plan.understanding.classify(&heard.said(), &standing)
    }

    fn thresholds(&self) -> Thresholds {
        let (accept, confirm) = self.plan.defaults.thresholds;
        Thresholds { accept, confirm }
    }

    /// A sentence at a menu.
    pub(super) fn chosen_by_words(&mut self, now: Time, index: usize, heard: &Heard<'_>, out: &mut Vec<Wish>) {
        let ranked = self.rank(now, Some(index), heard);
        let decision = match ranked.decide(self.thresholds()) {
            Decision::Accept(intents) if heard.confidence < HEARD_BADLY => Decision::Confirm(intents),
            decision => decision,
        };
        match decision {
            Decision::Accept(intents) => {
                self.trace(heard.text, &intents, &ranked, "accept", out);
                self.accept(now, intents, heard.text, out);
            }
            Decision::Confirm(intents) => {
                let intents = self.worth_asking(intents, &ranked);
                let choice = if intents.len() == 1 { "confirm" } else { "offer_choice" };
                self.trace(heard.text, &[], &ranked, choice, out);
                self.did_you_mean(now, intents, out);
            }
            Decision::NoMatch => {
                self.trace(heard.text, &[], &ranked, REPROMPT, out);
                self.unmatched(now, out);
            }
        }
    }

    /// Is the sentence surely one of what may be said at a menu?
    pub(super) fn is_sure(&self, now: Time, index: usize, heard: &Heard<'_>) -> bool {
        matches!(self.rank(now, Some(index), heard).decide(self.thresholds()), Decision::Accept(_))
    }

    /// Is the sentence surely an intent of the tree? For questions that are no menu.
    pub(super) fn sure_intent(&self, now: Time, heard: &Heard<'_>) -> Option<(Vec<String>, Ranked)> {
        let ranked = self.rank(now, None, heard);
        match ranked.decide(self.thresholds()) {
            Decision::Accept(intents) if heard.confidence >= HEARD_BADLY => Some((intents, ranked)),
            _ => None,
        }
    }

    /// Notes how a sentence was understood: what is done first, then the ranking.
    pub(super) fn trace(&self, text: &str, taken: &[String], ranked: &Ranked, decision: &str, out: &mut Vec<Wish>) {
        let mut intents: Vec<Scored> = Vec::new();
        let score = |name: &str| ranked.hits.iter().chain(&ranked.also).find(|hit| hit.intent == name).map_or(0.0, |hit| hit.confidence);
        let names = taken.iter().map(String::as_str).chain(ranked.hits.iter().map(|hit| hit.intent.as_str()));
        for name in names {
            if intents.len() < SHOWN.max(taken.len()) && intents.iter().all(|known| known.intent != name) {
                intents.push(Scored { intent: name.to_owned(), score: score(name) });
            }
        }
        out.push(Wish::Understood { text: text.to_owned(), intents, decision: decision.to_owned() });
    }

    /// Goes where the first intent leads; the others are offered later.
    pub(super) fn accept(&mut self, now: Time, intents: Vec<String>, text: &str, out: &mut Vec<Wish>) {
        let mut intents = intents.into_iter();
        let Some(first) = intents.next() else { return };
        self.quiet_turn(out);
        if self.plan.defaults.multi_intent == MultiIntent::Offer {
            let later: Vec<String> = intents.filter(|intent| self.plan.flow.nodes.contains_key(intent)).collect();
            for intent in later {
                if !self.flow.offers.contains(&intent) {
                    self.flow.offers.push_back(intent);
                }
            }
        }
        self.flow.offers.retain(|intent| *intent != first);
        self.fill_in_breath(now, &first, text, out);
        self.go_to_intent(now, &first, out);
    }

    fn go_to_intent(&mut self, now: Time, intent: &str, out: &mut Vec<Wish>) {
        let plan = Arc::clone(&self.plan);
        if let Some(command) = plan.flow.always.iter().find(|command| command.name == intent) {
            self.command(now, command, out);
            return;
        }
        self.memory.intent(intent);
        let option = plan.flow.menus.iter().flat_map(|menu| &menu.options).find(|option| option.intent() == intent);
        if let Some(option) = option {
            self.go(now, &option.goto, out);
        }
    }

    /// An option was chosen by its key.
    pub(super) fn chosen_by_key(&mut self, now: Time, option: &MenuOption, out: &mut Vec<Wish>) {
        let intent = option.intent().to_owned();
        out.push(Wish::Understood {
            text: option.key.clone().unwrap_or_default(),
            intents: vec![Scored { intent: intent.clone(), score: 1.0 }],
            decision: "key".to_owned(),
        });
        self.quiet_turn(out);
        self.memory.intent(&intent);
        self.flow.offers.retain(|offer| *offer != intent);
        self.go(now, &option.goto, out);
    }

    /// The best, and those about as likely that have a name for people.
    fn worth_asking(&self, intents: Vec<String>, ranked: &Ranked) -> Vec<String> {
        let score = |intent: &String| ranked.hits.iter().find(|hit| hit.intent == *intent).map_or(0.0, |hit| hit.confidence);
        let best = intents.first().map(score).unwrap_or_default();
        let likely = |intent: &String| score(intent) >= best * ABOUT_AS_LIKELY && self.plan.understanding.label(intent).is_some();
        let first = intents.first().cloned();
        let kept: Vec<String> = intents.into_iter().filter(likely).collect();
        if kept.is_empty() { first.into_iter().collect() } else { kept }
    }

    fn did_you_mean(&mut self, now: Time, intents: Vec<String>, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        let labels: Vec<String> = intents.iter().map(|intent| self.name_of(intent)).collect();
        let zh = self.lang.speech() == "zh";
        let text = match labels.as_slice() {
            [only] => filled(Phrase::DidYouMean, &self.lang, &[only]),
            many => filled(Phrase::WhichOfThese, &self.lang, &[&many.join(if zh { "，还是" } else { ", or " })]),
        };
        self.push_line(text);
        let buttons = labels.iter().enumerate().map(|(at, label)| (label.clone(), (at + 1).to_string())).collect();
        self.ask(now, Asked::DidYouMean(intents), Vec::new(), buttons, out);
    }

    /// One of the candidates was meant, or none.
    pub(super) fn meant(&mut self, now: Time, intent: Option<String>, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        match intent {
            Some(intent) => {
                let said = self.memory.last_said.clone();
                self.accept(now, vec![intent], &said, out);
            }
            None => {
                self.tries.unmatched += 1;
                let (tries, then) = self.plan.defaults.no_match.clone();
                if self.tries.unmatched >= tries.max(2) { self.go(now, &then, out) } else { self.wait = Wait::Nothing }
            }
        }
    }

    /// Offers the second wish of an earlier breath; `true` when the question is put.
    pub(super) fn offer_second(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        if self.flow.offers.is_empty() {
            return false;
        }
        if self.is_speaking(now, out) {
            return true;
        }
        let Some(intent) = self.flow.offers.pop_front() else { return false };
        let label = self.name_of(&intent);
        self.push_phrase(Phrase::AlsoWanted, &[&label]);
        let buttons = self.yes_no_buttons();
        self.ask(now, Asked::Offer(intent), Vec::new(), buttons, out);
        true
    }

    /// Yes or no to the offer.
    pub(super) fn offered(&mut self, now: Time, intent: &str, yes: bool, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        if yes { self.go_to_intent(now, intent, out) } else { self.wait = Wait::Nothing }
    }

    /// Puts a yes/no question. One that leads back to the start is an "anything else?": the second wish comes before it.
    pub(super) fn confirm_step(&mut self, now: Time, confirm: &Confirm, out: &mut Vec<Wish>) {
        let start = Target::Node(self.plan.flow.start.clone());
        let closes = confirm.yes.as_ref() == Some(&start);
        if (closes && self.offer_second(now, out)) || self.is_speaking(now, out) {
            return;
        }
        let prompts = self.prompt(now, &confirm.prompt).into_iter().collect();
        let buttons = self.yes_no_buttons();
        self.ask(now, Asked::Confirm(confirm.clone()), prompts, buttons, out);
    }

    /// Yes or no to a `confirm` step.
    pub(super) fn confirmed(&mut self, now: Time, confirm: &Confirm, yes: bool, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        match if yes { &confirm.yes } else { &confirm.no } {
            Some(target) => self.go(now, &target.clone(), out),
            None => self.next(),
        }
    }

    pub(super) fn yes_no_buttons(&self) -> Vec<(String, String)> {
        let (yes, no) = if self.lang.speech() == "zh" { ("是", "不是") } else { ("Yes", "No") };
        vec![(yes.to_owned(), "1".to_owned()), (no.to_owned(), "2".to_owned())]
    }

    /// Are only the current menu's options understood?
    pub(super) fn is_local(&self) -> bool {
        self.plan.defaults.matching == Matching::Local
    }
}

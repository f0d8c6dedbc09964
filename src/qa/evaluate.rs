//! A scorecard on a dialogue: each rule's verdict, what it rests on, and the score.

use std::collections::BTreeSet;

use serde::Serialize;

use super::check::{Check, Count, Scope, Sequence};
use super::dialogue::{Dialogue, Turn};
use super::leaves;
use super::phrases::Found;
use super::scorecard::{Rule, Scorecard};

/// Turns cited for one verdict.
const CITED: usize = 5;

/// Does it hold?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// There is nothing that it could be asked of.
    NotApplicable,
}

/// An answer with the turns that it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The answer.
    pub truth: Truth,
    /// Turns by their place in the dialogue, in order.
    pub on: Vec<usize>,
}

/// A rule's verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It was not asked.
    #[serde(rename = "n/a")]
    NotApplicable,
}

/// What a verdict cites.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evidence {
    /// The message's or the utterance's id.
    pub utterance: String,
    /// `customer`, `agent` or `bot`.
    pub by: &'static str,
    /// From the beginning of the contact.
    pub offset_ms: u64,
    /// Its end.
    pub until_ms: u64,
    /// The words.
    pub text: String,
}

/// One rule's answer.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Answer {
    /// The rule.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What it is worth.
    pub points: f32,
    /// Does failing it make the score 0?
    pub fatal: bool,
    /// Put on the session when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

/// A whole evaluation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evaluated {
    /// 0 to 100.
    pub score: f32,
    /// By rule.
    pub answers: Vec<Answer>,
}

/// Evaluates.
#[must_use]
pub fn evaluate(card: &Scorecard, dialogue: &Dialogue) -> Evaluated {
    let room = Room { card, dialogue, found: card.phrases.find(&dialogue.turns) };
    let answers: Vec<Answer> = card.rules.iter().map(|rule| room.answer(rule)).collect();
    let sum =
        |wanted: &[Verdict]| answers.iter().filter(|answer| wanted.contains(&answer.verdict)).map(|answer| answer.points).sum::<f32>();
    let (won, asked) = (sum(&[Verdict::Pass]), sum(&[Verdict::Pass, Verdict::Fail]));
    let spoilt = answers.iter().any(|answer| answer.fatal && answer.verdict == Verdict::Fail);
    let score = if spoilt || asked == 0.0 { 0.0 } else { won * 100.0 / asked };
    Evaluated { score, answers }
}

impl Judgement {
    pub(super) fn not_applicable() -> Judgement {
        Judgement { truth: Truth::NotApplicable, on: Vec::new() }
    }

    pub(super) fn of(holds: bool, on: Vec<usize>) -> Judgement {
        Judgement { truth: if holds { Truth::Yes } else { Truth::No }, on }
    }

    pub(super) fn not(self) -> Judgement {
        let truth = match self.truth {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::NotApplicable => Truth::NotApplicable,
        };
        Judgement { truth, on: self.on }
    }

    /// One no is a no; else one that is not applicable makes all so.
    pub(super) fn all(parts: Vec<Judgement>) -> Judgement {
        Judgement::strongest(parts, [Truth::No, Truth::NotApplicable, Truth::Yes])
    }

    /// One yes is a yes; else one no is a no.
    pub(super) fn any(parts: Vec<Judgement>) -> Judgement {
        Judgement::strongest(parts, [Truth::Yes, Truth::No, Truth::NotApplicable])
    }

    fn strongest(parts: Vec<Judgement>, order: [Truth; 3]) -> Judgement {
        for truth in order {
            if parts.iter().any(|part| part.truth == truth) {
                let on: BTreeSet<usize> =
                    parts.iter().filter(|part| part.truth == truth).flat_map(|part| part.on.iter().copied()).collect();
                return Judgement { truth, on: on.into_iter().collect() };
            }
        }
        Judgement::not_applicable()
    }
}

/// A scorecard, a dialogue, and what was found in it.
pub(super) struct Room<'a> {
    card: &'a Scorecard,
    pub(super) dialogue: &'a Dialogue,
    found: Found,
}

impl Room<'_> {
    pub(super) fn turns(&self) -> &[Turn] {
        &self.dialogue.turns
    }

    pub(super) fn first_turn(&self) -> Vec<usize> {
        if self.dialogue.turns.is_empty() { Vec::new() } else { vec![0] }
    }

    fn answer(&self, rule: &Rule) -> Answer {
        let asked = rule.when.as_ref().is_none_or(|when| self.judge(when).truth == Truth::Yes);
        let judgement = if asked { self.judge(&rule.check) } else { Judgement::not_applicable() };
        let verdict = match judgement.truth {
            Truth::Yes => Verdict::Pass,
            Truth::No => Verdict::Fail,
            Truth::NotApplicable => Verdict::NotApplicable,
        };
        let evidence = judgement.on.iter().take(CITED).map(|&at| self.cite(at)).collect();
        let tag = rule.tag.clone().filter(|_| verdict == Verdict::Fail);
        Answer { rule: rule.id.clone(), title: rule.title.clone(), verdict, points: rule.points, fatal: rule.fatal, tag, evidence }
    }

    fn cite(&self, at: usize) -> Evidence {
        let turn = &self.dialogue.turns[at];
        let by = match turn.by {
            super::check::By::Customer => "customer",
            super::check::By::Agent => "agent",
            super::check::By::Bot => "bot",
        };
        Evidence { utterance: turn.id.clone(), by, offset_ms: turn.begin, until_ms: turn.end, text: turn.text.clone() }
    }

    fn judge(&self, check: &Check) -> Judgement {
        match check {
            Check::All(all) => Judgement::all(all.iter().map(|one| self.judge(one)).collect()),
            Check::Any(any) => Judgement::any(any.iter().map(|one| self.judge(one)).collect()),
            Check::Not(one) => self.judge(one).not(),
            Check::Sequence(sequence) => self.sequence(sequence),
            Check::Count(count) => self.count(count),
            Check::Said(said) => leaves::said(self, said),
            Check::Intent(named) => leaves::intent(self, named),
            Check::Entity(named) => leaves::entity(self, named),
            Check::Silence(longer) => leaves::silence(self, longer),
            Check::Overlap(longer) => leaves::overlap(self, longer),
            Check::Speed(speed) => leaves::speed(self, speed),
            Check::Repeat(repeat) => leaves::repeat(self, repeat),
            Check::ResponseTime(limit) => leaves::response_time(self, limit),
            Check::TalkRatio(ratio) => leaves::talk_ratio(self, ratio),
            Check::Duration(between) => leaves::duration(self, between),
            Check::Attr(attr) => leaves::attr(self, attr),
        }
    }

    fn sequence(&self, sequence: &Sequence) -> Judgement {
        let mut on: Vec<usize> = Vec::new();
        for step in &sequence.of {
            let judgement = self.judge(step);
            let next = judgement.on.iter().copied().find(|&at| on.last().is_none_or(|&last| at > last));
            match (judgement.truth, next) {
                (Truth::Yes, Some(at)) => on.push(at),
                (Truth::NotApplicable, _) => return judgement,
                _ => return Judgement::of(false, if on.is_empty() { self.first_turn() } else { on }),
            }
        }
        let (Some(&first), Some(&last)) = (on.first(), on.last()) else { return Judgement::not_applicable() };
        let spread = (self.turns()[last].begin.saturating_sub(self.turns()[first].begin)) as f64 / 1_000.0;
        let soon = sequence.within_s.is_none_or(|limit| spread <= limit) && sequence.within_turns.is_none_or(|limit| last - first <= limit);
        Judgement::of(soon, on)
    }

    fn count(&self, count: &Count) -> Judgement {
        let judgement = self.judge(&count.of);
        let times = match judgement.truth {
            Truth::Yes => judgement.on.len(),
            Truth::No => 0,
            Truth::NotApplicable => return judgement,
        };
        Judgement::of(count.at_least.is_none_or(|least| times >= least) && count.at_most.is_none_or(|most| times <= most), judgement.on)
    }

    /// The turns of a part of the dialogue.
    pub(super) fn scope(&self, scope: &Scope) -> Vec<usize> {
        let first_of = |check: &Check| {
            let judgement = self.judge(check);
            judgement.on.first().copied().filter(|_| judgement.truth == Truth::Yes)
        };
        let after = scope.after.as_deref().map(first_of);
        let before = scope.before.as_deref().map(first_of);
        if after == Some(None) || before == Some(None) {
            return Vec::new();
        }
        let inside = |&at: &usize| {
            let turn = &self.turns()[at];
            (scope.by.is_empty() || scope.by.contains(&turn.by))
                && scope.first_s.is_none_or(|seconds| turn.begin <= seconds * 1_000)
                && scope.last_s.is_none_or(|seconds| turn.end + seconds * 1_000 >= self.dialogue.duration)
                && after.flatten().is_none_or(|first| at > first)
                && before.flatten().is_none_or(|first| at < first)
        };
        let mut turns: Vec<usize> = (0..self.turns().len()).filter(inside).collect();
        if let Some(last) = scope.last_turns {
            turns.drain(..turns.len().saturating_sub(last));
        }
        turns.truncate(scope.first_turns.unwrap_or(usize::MAX));
        turns
    }

    /// Of these turns those with one of the phrases.
    pub(super) fn with_phrases(&self, turns: &[usize], phrases: &[String]) -> Vec<usize> {
        let wanted: BTreeSet<usize> = phrases.iter().filter_map(|phrase| self.card.phrases.number(phrase)).collect();
        let has = |&at: &usize| self.found.phrases[at].iter().any(|hit| wanted.contains(&hit.phrase));
        turns.iter().copied().filter(has).collect()
    }

    /// Of these turns those that the expression fits.
    pub(super) fn with_expression(&self, turns: &[usize], expression: &str) -> Vec<usize> {
        let Some(number) = self.card.phrases.expression(expression) else { return Vec::new() };
        turns.iter().copied().filter(|&at| self.found.expressions[at].contains(&number)).collect()
    }

    /// Are all these words in the turn, within so many characters?
    pub(super) fn near(&self, turn: usize, words: &[String], characters: usize) -> bool {
        let numbers: BTreeSet<usize> = words.iter().filter_map(|word| self.card.phrases.number(word)).collect();
        let hits = &self.found.phrases[turn];
        let from = |first: &super::phrases::Hit| {
            let inside = hits.iter().filter(|hit| hit.begin >= first.begin && hit.end <= first.begin + characters);
            let seen: BTreeSet<usize> = inside.map(|hit| hit.phrase).collect();
            numbers.is_subset(&seen)
        };
        !numbers.is_empty() && hits.iter().filter(|hit| numbers.contains(&hit.phrase)).any(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qa::check::By;
    use crate::qa::dialogue::Medium;
    use crate::qa::scorecard::{FIRST, load};

    fn turn(by: By, begin: u64, end: u64, text: &str) -> Turn {
        Turn { id: format!("msg_{begin}"), by, text: text.to_owned(), begin, end, medium: Medium::Spoken }
    }

    fn call() -> Dialogue {
        let turns = vec![
            turn(By::Bot, 0, 3_000, "您好，这里是司机热线，请直接说您的问题。"),
            turn(By::Customer, 3_500, 6_000, "我车坏了，我想报保险"),
            turn(By::Agent, 20_000, 22_000, "您好，请问车牌号是多少"),
            turn(By::Customer, 23_000, 26_000, "京A12345"),
            turn(By::Agent, 27_000, 30_000, "好的，已经登记了，祝您平安，再见"),
        ];
        let intents = vec![("insurance".to_owned(), Some("msg_3500".to_owned()))];
        let attrs = [("waited_ms".to_owned(), serde_json::json!(12_000))].into();
        Dialogue { turns, intents, slots: Vec::new(), attrs, duration: 31_000 }
    }

    fn verdict(evaluated: &Evaluated, rule: &str) -> Verdict {
        evaluated.answers.iter().find(|answer| answer.rule == rule).unwrap().verdict
    }

    #[test]
    fn s64_a_good_call_has_full_points_and_every_answer_cites_an_utterance_and_its_time() {
        let card = load("first.yaml", FIRST).unwrap();
        let evaluated = evaluate(&card, &call());
        assert_eq!(evaluated.score, 100.0, "{:#?}", evaluated.answers);
        assert!(evaluated.answers.iter().all(|answer| !answer.evidence.is_empty()));
        let understood = evaluated.answers.iter().find(|answer| answer.rule == "understood").unwrap();
        assert_eq!((understood.evidence[0].utterance.as_str(), understood.evidence[0].offset_ms), ("msg_3500", 3_500));
    }

    #[test]
    fn s64_a_rude_word_spoils_the_score_and_is_cited() {
        let card = load("first.yaml", FIRST).unwrap();
        let mut call = call();
        call.turns.push(turn(By::Agent, 30_200, 31_000, "爱投诉就投诉"));
        let evaluated = evaluate(&card, &call);
        assert_eq!((evaluated.score, verdict(&evaluated, "polite")), (0.0, Verdict::Fail));
        let polite = evaluated.answers.iter().find(|answer| answer.rule == "polite").unwrap();
        assert_eq!((polite.evidence[0].offset_ms, polite.tag.as_deref()), (30_200, Some("rude")));
    }

    #[test]
    fn without_an_agent_his_rules_are_not_applicable() {
        let card = load("first.yaml", FIRST).unwrap();
        let mut call = call();
        call.turns.truncate(2);
        let evaluated = evaluate(&card, &call);
        assert_eq!(verdict(&evaluated, "quick_answer"), Verdict::NotApplicable);
        assert_eq!(verdict(&evaluated, "farewell"), Verdict::NotApplicable);
        assert_eq!(evaluated.score, 100.0);
    }

    fn holds(check: &str) -> Verdict {
        let text =
            format!("scorecard: 1\nid: a\nversion: \"1\"\ntitle: t\nrules:\n  - id: x\n    title: x\n    points: 1\n    check: {check}\n");
        let card = load("a.yaml", &text).unwrap_or_else(|problems| panic!("{}", problems[0]));
        evaluate(&card, &call()).answers[0].verdict
    }

    #[test]
    fn each_leaf_and_operator_says_yes_and_no() {
        let (yes, no) = (Verdict::Pass, Verdict::Fail);
        for (check, wanted) in [
            ("{said: {all: [\"您好\", \"再见\"]}}", yes),
            ("{said: {none: [\"保险\"]}}", no),
            ("{said: {at_least: {count: 2, of: [\"您好\", \"登记\", \"投诉\"]}}}", yes),
            ("{said: {regex: \"[a-z]\\\\d{5}\", within: {by: [customer]}}}", yes),
            ("{said: {near: {words: [\"祝您\", \"再见\"], characters: 8}}}", yes),
            ("{said: {near: {words: [\"登记\", \"再见\"], characters: 4}}}", no),
            ("{said: {any: [\"您好\"], within: {by: [agent], first_s: 10}}}", Verdict::NotApplicable),
            ("{said: {any: [\"再见\"], within: {after: {said: {any: [\"登记\"]}}}}}", Verdict::NotApplicable),
            ("{said: {any: [\"再见\"], within: {after: {said: {any: [\"车牌\"]}}}}}", yes),
            ("{sequence: {of: [{said: {any: [\"保险\"]}}, {said: {any: [\"登记\"]}}], within_s: 30}}", yes),
            ("{sequence: {of: [{said: {any: [\"登记\"]}}, {said: {any: [\"保险\"]}}]}}", no),
            ("{sequence: {of: [{said: {any: [\"保险\"]}}, {said: {any: [\"登记\"]}}], within_turns: 2}}", no),
            ("{count: {of: {said: {any: [\"您好\"]}}, at_least: 2, at_most: 2}}", yes),
            ("{silence: {longer_than_s: 13}}", yes),
            ("{silence: {longer_than_s: 15}}", no),
            ("{overlap: {longer_than_s: 0.1}}", no),
            ("{response_time: {by: agent, at_most_s: 5}}", no),
            ("{talk_ratio: {by: agent, at_most: 0.4}}", yes),
            ("{duration: {at_least_s: 30, at_most_s: 32}}", yes),
            ("{attr: {name: waited_ms, at_least: 20000}}", no),
            ("{attr: {name: queue, is: x}}", Verdict::NotApplicable),
            ("{repeat: {at_least: 2}}", no),
            ("{speed: {at_most: 400, within: {by: [agent]}}}", yes),
            ("{intent: {any: [insurance]}}", yes),
            ("{entity: {any: [plate]}}", no),
            ("{any: [{entity: {any: [plate]}}, {intent: {any: [\"*\"]}}]}", yes),
        ] {
            assert_eq!(holds(check), wanted, "{check}");
        }
    }
}

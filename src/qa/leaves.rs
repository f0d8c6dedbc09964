//! The leaves: each answers yes, no or not applicable, and names the turns that it rests on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::{Attr, Between, By, Longer, Named, Repeat, ResponseTime, Said, Speed, TalkRatio};
use super::dialogue::{Medium, Turn};
use super::evaluate::{Judgement, Room, Truth};
use super::phrases::fold;

/// Two turns say nearly the same when so many of their letter pairs are the same.
const SAME: f64 = 0.8;
/// Shorter turns (嗯, yes) are no repetition, in characters.
const SHORT: usize = 4;
/// Shorter turns have no speed, in milliseconds.
const BREATH: u64 = 1_000;
const MINUTE: f64 = 60_000.0;

pub(super) fn said(room: &Room<'_>, said: &Said) -> Judgement {
    let turns = room.scope(&said.within);
    if turns.is_empty() {
        return Judgement::not_applicable();
    }
    let mut parts = Vec::new();
    if !said.any.is_empty() {
        parts.push(found(&turns, room.with_phrases(&turns, &said.any)));
    }
    for one in &said.all {
        parts.push(found(&turns, room.with_phrases(&turns, std::slice::from_ref(one))));
    }
    if !said.none.is_empty() {
        parts.push(found(&turns, room.with_phrases(&turns, &said.none)).not());
    }
    if let Some(least) = &said.at_least {
        let hits: Vec<Vec<usize>> = least.of.iter().map(|one| room.with_phrases(&turns, std::slice::from_ref(one))).collect();
        let enough = hits.iter().filter(|hits| !hits.is_empty()).count() >= least.count;
        let on: BTreeSet<usize> = hits.into_iter().flatten().collect();
        parts.push(Judgement::of(enough, if on.is_empty() { turns.clone() } else { on.into_iter().collect() }));
    }
    if let Some(expression) = &said.regex {
        parts.push(found(&turns, room.with_expression(&turns, expression)));
    }
    if let Some(near) = &said.near {
        parts.push(found(&turns, turns.iter().copied().filter(|&turn| room.near(turn, &near.words, near.characters)).collect()));
    }
    Judgement::all(parts)
}

/// Yes on the turns that have it, no on all that were searched.
fn found(searched: &[usize], hits: Vec<usize>) -> Judgement {
    if hits.is_empty() { Judgement::of(false, searched.to_vec()) } else { Judgement::of(true, hits) }
}

fn of_speaker(room: &Room<'_>, by: By) -> Vec<usize> {
    (0..room.turns().len()).filter(|&at| room.turns()[at].by == by).collect()
}

pub(super) fn intent(room: &Room<'_>, named: &Named) -> Judgement {
    let customer = of_speaker(room, By::Customer);
    let fits = |intent: &str| named.any.iter().any(|name| name == "*" || name == intent);
    let hits: Vec<_> = room.dialogue.intents.iter().filter(|(intent, _)| fits(intent)).collect();
    if hits.is_empty() {
        return if customer.is_empty() { Judgement::not_applicable() } else { Judgement::of(false, customer) };
    }
    let message = |id: &String| room.turns().iter().position(|turn| turn.id == *id);
    let on: Vec<usize> = hits.iter().filter_map(|(_, id)| id.as_ref().and_then(message)).collect();
    Judgement::of(true, if on.is_empty() { customer } else { on })
}

pub(super) fn entity(room: &Room<'_>, named: &Named) -> Judgement {
    let customer = of_speaker(room, By::Customer);
    let fits = room.dialogue.slots.iter().any(|slot| named.any.iter().any(|name| name == "*" || name == slot));
    if !fits && customer.is_empty() { Judgement::not_applicable() } else { Judgement::of(fits, customer) }
}

/// Spoken turns that follow each other within the part, as pairs.
fn spoken_pairs(room: &Room<'_>, longer: &Longer) -> Vec<(usize, usize)> {
    let spoken: Vec<usize> = room.scope(&longer.within).into_iter().filter(|&at| room.turns()[at].medium == Medium::Spoken).collect();
    spoken.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

pub(super) fn silence(room: &Room<'_>, longer: &Longer) -> Judgement {
    longest(room, longer, |first, next| next.begin.saturating_sub(first.end))
}

pub(super) fn overlap(room: &Room<'_>, longer: &Longer) -> Judgement {
    longest(room, longer, |first, next| if first.by == next.by { 0 } else { first.end.min(next.end).saturating_sub(next.begin) })
}

/// Is the largest measure of neighbouring turns above the limit? The evidence is the pair that has it.
fn longest(room: &Room<'_>, longer: &Longer, measure: fn(&Turn, &Turn) -> u64) -> Judgement {
    let pairs = spoken_pairs(room, longer);
    let measured = pairs.iter().map(|&(a, b)| (measure(&room.turns()[a], &room.turns()[b]), a, b));
    match measured.max_by_key(|&(ms, a, _)| (ms, std::cmp::Reverse(a))) {
        None => Judgement::not_applicable(),
        Some((ms, a, b)) => Judgement::of(ms as f64 > longer.longer_than_s * 1_000.0, vec![a, b]),
    }
}

/// Words, or Chinese characters.
fn units(text: &str) -> usize {
    let wide = text.chars().filter(|letter| letter.is_alphanumeric() && !letter.is_ascii()).count();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).count();
    wide + words
}

pub(super) fn speed(room: &Room<'_>, speed: &Speed) -> Judgement {
    let rate = |at: usize| {
        let turn = &room.turns()[at];
        let ms = turn.end - turn.begin;
        (turn.medium == Medium::Spoken && ms >= BREATH).then(|| (at, units(&turn.text) as f64 * MINUTE / ms as f64))
    };
    let rates: Vec<(usize, f64)> = room.scope(&speed.within).into_iter().filter_map(rate).collect();
    if rates.is_empty() {
        return Judgement::not_applicable();
    }
    let inside = |rate: f64| speed.at_least.is_none_or(|least| rate >= least) && speed.at_most.is_none_or(|most| rate <= most);
    let outside: Vec<usize> = rates.iter().filter(|(_, rate)| !inside(*rate)).map(|(at, _)| *at).collect();
    if outside.is_empty() { Judgement::of(true, rates.iter().map(|(at, _)| *at).collect()) } else { Judgement::of(false, outside) }
}

fn pairs_of_letters(text: &str) -> BTreeSet<(char, char)> {
    let letters: Vec<char> = fold(text).chars().filter(|letter| letter.is_alphanumeric()).collect();
    letters.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

pub(super) fn repeat(room: &Room<'_>, repeat: &Repeat) -> Judgement {
    let turns = room.scope(&repeat.within);
    if turns.is_empty() {
        return Judgement::not_applicable();
    }
    let long = |at: &usize| room.turns()[*at].text.chars().filter(|letter| letter.is_alphanumeric()).count() >= SHORT;
    let letters: Vec<_> = turns.iter().copied().filter(long).map(|at| (at, pairs_of_letters(&room.turns()[at].text))).collect();
    let same = |a: &BTreeSet<(char, char)>, b: &BTreeSet<(char, char)>| {
        let shared = a.intersection(b).count() as f64;
        shared / (a.union(b).count().max(1) as f64) >= SAME
    };
    let groups = letters.iter().map(|(_, one)| letters.iter().filter(|(_, other)| same(one, other)).map(|(at, _)| *at).collect::<Vec<_>>());
    let largest = groups.max_by_key(Vec::len).unwrap_or_default();
    if largest.len() >= repeat.at_least { Judgement::of(true, largest) } else { Judgement::of(false, turns) }
}

pub(super) fn response_time(room: &Room<'_>, limit: &ResponseTime) -> Judgement {
    let answers = room.turns().windows(2).enumerate().filter(|(_, pair)| pair[0].by == By::Customer && pair[1].by == limit.by);
    let waits: Vec<(u64, usize)> = answers.map(|(at, pair)| (pair[1].begin.saturating_sub(pair[0].end), at)).collect();
    let late = |wait: u64| wait as f64 > limit.at_most_s * 1_000.0;
    let Some(&(slowest, at)) = waits.iter().max_by_key(|&&(wait, at)| (wait, std::cmp::Reverse(at))) else {
        return Judgement::not_applicable();
    };
    let on = waits.iter().filter(|(wait, _)| late(*wait)).flat_map(|&(_, at)| [at, at + 1]).collect();
    if late(slowest) { Judgement::of(false, on) } else { Judgement::of(true, vec![at, at + 1]) }
}

pub(super) fn talk_ratio(room: &Room<'_>, ratio: &TalkRatio) -> Judgement {
    let spoken = |turn: &&Turn| turn.medium == Medium::Spoken;
    let all: u64 = room.turns().iter().filter(spoken).map(|turn| turn.end - turn.begin).sum();
    if all == 0 {
        return Judgement::not_applicable();
    }
    let own: u64 = room.turns().iter().filter(spoken).filter(|turn| turn.by == ratio.by).map(|turn| turn.end - turn.begin).sum();
    let share = own as f64 / all as f64;
    let holds = ratio.at_least.is_none_or(|least| share >= least) && ratio.at_most.is_none_or(|most| share <= most);
    Judgement::of(holds, of_speaker(room, ratio.by))
}

pub(super) fn duration(room: &Room<'_>, between: &Between) -> Judgement {
    let seconds = room.dialogue.duration as f64 / 1_000.0;
    let holds = between.at_least_s.is_none_or(|least| seconds >= least) && between.at_most_s.is_none_or(|most| seconds <= most);
    Judgement::of(holds, room.turns().len().checked_sub(1).into_iter().collect())
}

pub(super) fn attr(room: &Room<'_>, attr: &Attr) -> Judgement {
    let Some(value) = room.dialogue.attrs.get(&attr.name) else { return Judgement::not_applicable() };
    let number = value.as_f64();
    let is = attr.is.as_ref().is_none_or(|wanted| wanted == value);
    let any = attr.any.is_empty() || attr.any.iter().any(|wanted: &Value| wanted == value);
    let least = attr.at_least.is_none_or(|least| number.is_some_and(|number| number >= least));
    let most = attr.at_most.is_none_or(|most| number.is_some_and(|number| number <= most));
    Judgement { truth: if is && any && least && most { Truth::Yes } else { Truth::No }, on: room.first_turn() }
}

//! Where a dialled call is tried, one round after the other: a trunk's hosts, the trunks of a group, a ring group one by one, forwards.
//!
//! The rounds and what leads from one to the next are laid down when the call is dialled; only what became of the last round decides
//! which one follows. So a call rings at most so many rounds, whoever forwards to whom.

use std::time::Duration;

use super::World;
use super::carried::{Diverted, hops_after};
use super::route::Route;
use crate::control::toll::Barred;
use crate::control::words::directory::{Forward, Ringing};
use crate::control::words::srtp::Srtp;
use crate::control::words::trunk::in_turn;
use crate::control::words::{AgentId, LegId};

/// Rounds of one call; what would come after is not tried.
const MOST_ROUNDS: usize = 24;
/// Forwards one after the other, so that two who forward to each other end.
const MOST_FORWARDS: u8 = 5;

/// The rounds of one call, and where it is among them.
#[derive(Debug, Default)]
pub(super) struct Hunt {
    rounds: Vec<Round>,
    at: Option<usize>,
    /// Headers of each INVITE.
    pub headers: Vec<(String, String)>,
    /// Does somebody ring in this round?
    pub rang: Rang,
    /// Who is called.
    pub calls: Calls,
}

/// Who rings?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calls {
    /// Somebody for our caller.
    #[default]
    Callee,
    /// The one who will be our caller: the call begins with us.
    Caller,
}

/// Did a far end ring before it failed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rang {
    /// No.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// Those who ring together.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// Where.
    pub aims: Vec<Aim>,
    /// How long.
    pub ring: Duration,
    /// Who sent the call on to here, if somebody did.
    pub diverted: Option<Diverted>,
    /// Is their sound ciphered, where they say nothing of it themselves?
    pub srtp: Option<Srtp>,
    next: Vec<(When, usize)>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aim {
    /// Wherever it leads.
    Route(Route),
    /// A number at one host of a trunk.
    Host {
        /// The trunk.
        trunk: String,
        /// Its place among the trunk's hosts.
        host: usize,
        /// The number as we dial it.
        number: String,
    },
}

/// What became of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The last final answer; ours where nobody answered.
    pub status: u16,
    /// Whose word it is.
    pub word: Word,
}

/// Whose word an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Ours: it may not be called.
    Barred(Barred),
    /// Ours: it could not even be tried (no path, no room, a number that is not carried).
    Untried,
    /// The far end's, or its silence.
    Theirs,
    /// It rang before.
    AfterRinging,
}

/// When a round follows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    /// The trunk could not be had: 503, silence, or one of these.
    Unreached(Vec<u16>),
    /// Busy, or declined.
    Busy,
    /// Nobody answered, or no phone is there.
    NoAnswer,
    /// Whatever became of the last one.
    Any,
}

impl When {
    fn fits(&self, outcome: Outcome) -> bool {
        let Outcome { status, word } = outcome;
        match self {
            When::Unreached(listed) => match (word, status) {
                (Word::Untried, _) | (_, 503) | (Word::Theirs, 408) => true,
                _ => listed.contains(&status),
            },
            When::Busy => matches!(status, 486 | 600 | 603),
            When::NoAnswer => matches!(status, 408 | 480 | 487),
            When::Any => true,
        }
    }
}

impl Hunt {
    /// The rounds of a call to `to`, each `ring` long where nothing else is said.
    pub(super) fn to(to: &Route, ring: Duration, world: &mut World<'_>) -> Hunt {
        let mut plan = Plan { rounds: Vec::new(), world };
        let first = plan.lay(to, ring, None, &[], MOST_FORWARDS);
        let mut rounds = plan.rounds;
        // A first step that leads to the first round, so that all steps are alike.
        let next = first.map(|first| (When::Any, first)).into_iter().collect();
        rounds.push(Round { aims: Vec::new(), ring, diverted: None, srtp: None, next });
        let at = Some(rounds.len() - 1);
        Hunt { rounds, at, ..Hunt::default() }
    }

    /// The round that follows on this outcome.
    pub(super) fn go_on(&mut self, outcome: Outcome) -> Option<Round> {
        let here = self.rounds.get(self.at?)?;
        let next = here.next.iter().find(|(when, _)| when.fits(outcome)).map(|(_, next)| *next);
        self.at = next;
        self.rang = Rang::No;
        self.rounds.get(next?).cloned()
    }

    /// Somebody of this round sends the call on to `to`: that follows when nobody of the round takes it. Not for ever.
    pub(super) fn lead_on(&mut self, to: &Route, sent: Diverted, world: &mut World<'_>) {
        let Some((at, here)) = self.at.and_then(|at| Some((at, self.rounds.get(at)?))) else { return };
        let hops = hops_after(here.diverted.as_ref());
        if hops > MOST_FORWARDS || self.calls == Calls::Caller {
            return;
        }
        let (rest, ring) = (here.next.clone(), here.ring);
        let mut plan = Plan { rounds: std::mem::take(&mut self.rounds), world };
        let first = plan.lay(to, ring, Some(&Diverted { hops, ..sent }), &rest, MOST_FORWARDS - hops);
        self.rounds = plan.rounds;
        if let (Some(first), Some(here)) = (first, self.rounds.get_mut(at)) {
            here.next.insert(0, (When::Any, first));
        }
    }

    /// Is this the leg of the one who will be our caller?
    pub(super) fn takes(&self, caller: &mut LegId, legs: &[LegId]) {
        if let (Calls::Caller, Some(leg)) = (self.calls, legs.first()) {
            *caller = *leg;
        }
    }
}

/// Rounds being laid down, the last one first: a round knows those that follow it.
struct Plan<'w, 'a> {
    rounds: Vec<Round>,
    world: &'w mut World<'a>,
}

impl Plan<'_, '_> {
    fn add(&mut self, aims: Vec<Aim>, ring: Duration, diverted: Option<&Diverted>, next: Vec<(When, usize)>) -> Option<usize> {
        if self.rounds.len() >= MOST_ROUNDS {
            return None;
        }
        self.rounds.push(Round { aims, ring, diverted: diverted.cloned(), srtp: None, next });
        Some(self.rounds.len() - 1)
    }

    /// The rounds of one destination, and after each of them `rest`; the first of them.
    fn lay(&mut self, to: &Route, ring: Duration, diverted: Option<&Diverted>, rest: &[(When, usize)], forwards: u8) -> Option<usize> {
        match to {
            Route::Trunk { trunk, number } => self.lay_trunks(trunk, number, ring, diverted, rest),
            Route::Agent(agent) => self.lay_agent(*agent, ring, diverted, rest, forwards),
            Route::Ring(name) => self.lay_group(name, diverted, rest, forwards),
            _ => self.add(vec![Aim::Route(to.clone())], ring, diverted, rest.to_vec()),
        }
    }

    /// A trunk's hosts, or those of all trunks of a group; what is known to be gone comes last.
    fn lay_trunks(
        &mut self,
        name: &str,
        number: &str,
        ring: Duration,
        diverted: Option<&Diverted>,
        rest: &[(When, usize)],
    ) -> Option<usize> {
        let directory = self.world.directory;
        let trunks = match directory.trunk_groups.get(name) {
            Some(group) => in_turn(&group.trunks, self.world.random),
            None => vec![name.to_owned()],
        };
        let (down, up): (Vec<String>, Vec<String>) = trunks.into_iter().partition(|trunk| self.world.trunks.is_down(trunk));
        let mut first = None;
        for trunk in up.into_iter().chain(down).rev() {
            let Some(known) = directory.trunks.get(&trunk) else { continue };
            let choices: Vec<_> = known.hosts.iter().enumerate().map(|(at, host)| host.instead(at)).collect();
            let order = in_turn(&choices, self.world.random);
            let (gone, there): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|host| self.world.trunks.is_gone(&trunk, *host));
            for host in there.into_iter().chain(gone).rev() {
                let retry = When::Unreached(known.retry.clone());
                let next = first.map(|next| (retry, next)).into_iter().chain(rest.iter().cloned()).collect();
                let aim = Aim::Host { trunk: trunk.clone(), host, number: number.to_owned() };
                first = self.add(vec![aim], ring, diverted, next).or(first);
            }
        }
        first.or_else(|| {
            self.add(vec![Aim::Route(Route::Trunk { trunk: name.to_owned(), number: number.to_owned() })], ring, diverted, rest.to_vec())
        })
    }

    /// An agent's phones, and where he forwards his calls.
    fn lay_agent(
        &mut self,
        agent: AgentId,
        ring: Duration,
        diverted: Option<&Diverted>,
        rest: &[(When, usize)],
        forwards: u8,
    ) -> Option<usize> {
        let aim = Aim::Route(Route::Agent(agent));
        let (directory, routes) = (self.world.directory, self.world.routes);
        let known = directory.agents.get(&agent).filter(|_| forwards > 0);
        let Some((forward, own)) = known.map(|known| (known.forward.clone(), known.number().to_owned())) else {
            return self.add(vec![aim], ring, diverted, rest.to_vec());
        };
        let Forward { always, busy, no_answer, after } = forward;
        let mut lay = |to: Option<String>, reason: &'static str| {
            let route = routes.wished(&to?, None)?;
            let sent = Diverted { by: own.clone(), reason, hops: hops_after(diverted), agent: Some(agent) };
            self.lay(&route, ring, Some(&sent), rest, forwards - 1)
        };
        if let Some(first) = lay(always, "unconditional") {
            return Some(first);
        }
        let has_no_answer = no_answer.is_some();
        let busy = lay(busy, "user-busy").map(|next| (When::Busy, next));
        let no_answer = lay(no_answer, "no-answer").map(|next| (When::NoAnswer, next));
        let next = busy.into_iter().chain(no_answer).chain(rest.iter().cloned()).collect();
        self.add(vec![aim], if has_no_answer { after } else { ring }, diverted, next)
    }

    /// A ring group: all at once, or one after the other. Its members' own forwards do not count: who answers first has the call.
    fn lay_group(&mut self, name: &str, diverted: Option<&Diverted>, rest: &[(When, usize)], forwards: u8) -> Option<usize> {
        let (directory, routes) = (self.world.directory, self.world.routes);
        let group = directory.rings.get(name)?;
        let members: Vec<Route> = group.members.iter().filter_map(|member| routes.wished(member, None)).collect();
        let otherwise = group.otherwise.as_ref().filter(|_| forwards > 0).and_then(|to| routes.wished(to, None));
        let hops = hops_after(diverted);
        let agent = diverted.and_then(|diverted| diverted.agent);
        let sent = Diverted { by: group.number.clone(), reason: "no-answer", hops, agent };
        let otherwise = otherwise.and_then(|to| self.lay(&to, group.ring, Some(&sent), rest, forwards - 1));
        let rest: Vec<(When, usize)> = otherwise.map(|next| (When::Any, next)).into_iter().chain(rest.iter().cloned()).collect();
        let before = self.rounds.len();
        let first = match group.how {
            Ringing::Together => {
                let aims = members.iter().filter_map(|member| self.aim(member)).collect();
                self.add(aims, group.ring, diverted, rest)
            }
            Ringing::InTurn => {
                let mut first: Option<usize> = None;
                for member in members.iter().rev() {
                    let next: Vec<_> = first.map(|next| (When::Any, next)).into_iter().chain(rest.iter().cloned()).collect();
                    first = self.lay(member, group.ring, diverted, &next, 0).or(first);
                }
                first.or_else(|| self.add(Vec::new(), group.ring, diverted, rest))
            }
        };
        self.rounds.iter_mut().skip(before).for_each(|round| round.srtp = group.srtp);
        first
    }

    /// A member of those who ring together: of a trunk the first host only.
    fn aim(&self, member: &Route) -> Option<Aim> {
        match member {
            Route::Trunk { trunk, number } => {
                let name = self
                    .world
                    .directory
                    .trunk_groups
                    .get(trunk)
                    .map_or(trunk, |group| group.trunks.first().map_or(trunk, |first| &first.to));
                Some(Aim::Host { trunk: name.clone(), host: 0, number: number.clone() })
            }
            Route::Agent(_) | Route::Uri(_) => Some(Aim::Route(member.clone())),
            Route::Plan(_) | Route::Queue(_) | Route::Ring(_) | Route::Echo | Route::Silence | Route::Music(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_answers_lead_on_and_which_are_the_last_word() {
        let unreached = When::Unreached(vec![500]);
        let table = [
            (503, Word::Theirs, true, false, false),
            (503, Word::AfterRinging, true, false, false),
            (408, Word::Theirs, true, false, true),
            (408, Word::AfterRinging, false, false, true),
            (404, Word::Untried, true, false, false),
            (404, Word::Theirs, false, false, false),
            (500, Word::Theirs, true, false, false),
            (502, Word::Theirs, false, false, false),
            (486, Word::Theirs, false, true, false),
            (600, Word::AfterRinging, false, true, false),
            (603, Word::AfterRinging, false, true, false),
            (480, Word::Theirs, false, false, true),
        ];
        for (status, word, on, busy, no_answer) in table {
            let outcome = Outcome { status, word };
            let fits = [&unreached, &When::Busy, &When::NoAnswer].map(|when| when.fits(outcome));
            assert_eq!((fits, When::Any.fits(outcome)), ([on, busy, no_answer], true), "{outcome:?}");
        }
    }
}

//! The guard against toll fraud: whether a call may go out, and what it costs whoever caused it.
//!
//! A stolen password is worth what can be called with it. So each payer (an agent, an API key, a plan) has an allowance: calls at once,
//! calls in an hour, money in a day; and some numbers and hours are nobody's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::time::Time;
use super::words::outbound::{Allowance, Outbound};
use super::words::{AgentId, LegId};

/// Calls begun are counted over this.
const HOUR: Duration = Duration::from_hours(1);
/// Money is counted over this.
const DAY: Duration = Duration::from_hours(24);
const MINUTE_SECONDS: u64 = 60;
/// Payers remembered; beyond, those who do nothing now are forgotten.
const PAYERS: usize = 10_000;

/// Who caused a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payer {
    /// An agent, by his phone.
    Agent(AgentId),
    /// An API key, by its name.
    Key(String),
    /// A plan, by its id.
    Plan(String),
    /// Nobody of these: a caller who is forwarded.
    House,
}

impl std::fmt::Display for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Payer::Agent(agent) => write!(f, "{agent}"),
            Payer::Key(name) => write!(f, "key:{name}"),
            Payer::Plan(plan) => write!(f, "plan:{plan}"),
            Payer::House => f.write_str("house"),
        }
    }
}

/// Why a call does not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Barred {
    /// The number is denied, or not among the allowed ones.
    Number,
    /// Not at this hour.
    Hours,
    /// As many calls go out as may, of all or of this payer.
    AtOnce,
    /// The payer began as many within the hour as he may.
    AnHour,
    /// The payer's money for the day is spent.
    Spent,
}

impl Barred {
    /// All of them.
    pub const ALL: [Barred; 5] = [Barred::Number, Barred::Hours, Barred::AtOnce, Barred::AnHour, Barred::Spent];

    /// Its name in facts and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Barred::Number => "number",
            Barred::Hours => "hours",
            Barred::AtOnce => "at_once",
            Barred::AnHour => "an_hour",
            Barred::Spent => "spent",
        }
    }

    /// The name in the verdict of a call, behind `refused_`.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Barred::Number => "barred_number",
            Barred::Hours => "barred_hours",
            Barred::AtOnce => "barred_at_once",
            Barred::AnHour => "barred_an_hour",
            Barred::Spent => "barred_spent",
        }
    }

    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Barred::Number => "the number is denied or not among the allowed ones",
            Barred::Hours => "no calls go out at this hour",
            Barred::AtOnce => "too many calls go out at once",
            Barred::AnHour => "too many calls were begun within the hour",
            Barred::Spent => "the limit of spending is reached",
        }
    }

    /// The Reason header that the caller's phone may show (RFC 3326).
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Barred::Number => "SIP;cause=403;text=\"This number may not be called from here\"",
            Barred::Hours => "SIP;cause=403;text=\"No calls to the outside at this hour\"",
            Barred::AtOnce => "SIP;cause=403;text=\"Too many calls to the outside at once\"",
            Barred::AnHour => "SIP;cause=403;text=\"Too many calls to the outside within an hour\"",
            Barred::Spent => "SIP;cause=403;text=\"The limit of spending is reached\"",
        }
    }
}

/// A call may go out: at whose cost and price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    payer: Payer,
    price: u64,
}

#[derive(Debug)]
struct Running {
    permit: Permit,
    answered: Option<Time>,
}

/// What a payer did lately.
#[derive(Debug, Default)]
struct Account {
    at_once: u32,
    hour: Window,
    day: Window,
}

/// A sum over a span that begins with the first that is counted.
#[derive(Debug, Default)]
struct Window {
    began: Time,
    sum: u64,
}

impl Window {
    fn sum(&self, now: Time, span: Duration) -> u64 {
        if now.since(self.began) >= span { 0 } else { self.sum }
    }

    fn add(&mut self, now: Time, span: Duration, more: u64) {
        if now.since(self.began) >= span {
            *self = Window { began: now, sum: 0 };
        }
        self.sum = self.sum.saturating_add(more);
    }
}

/// Calls that go out, and what they cost.
#[derive(Debug, Default)]
pub struct Tolls {
    running: BTreeMap<LegId, Running>,
    payers: BTreeMap<Payer, Account>,
    refused: [u64; 5],
}

impl Tolls {
    /// May this number be called at this payer's cost?
    ///
    /// # Errors
    /// Why not; it is counted.
    pub fn ask(&mut self, now: Time, rules: &Outbound, payer: Payer, number: &str) -> Result<Permit, Barred> {
        let number = plain(number);
        let price = price(rules, &number);
        if rules.always.iter().any(|always| plain(always) == number) {
            return Ok(Permit { payer, price });
        }
        self.check(now, rules, &payer, &number, price).inspect_err(|barred| self.refused[*barred as usize] += 1)?;
        Ok(Permit { payer, price })
    }

    fn check(&self, now: Time, rules: &Outbound, payer: &Payer, number: &str, price: u64) -> Result<(), Barred> {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(&plain(pattern), number));
        if any(&rules.deny) || !rules.allow.is_empty() && !any(&rules.allow) {
            return Err(Barred::Number);
        }
        if rules.hours.as_ref().is_some_and(|hours| !hours.is_open(now)) {
            return Err(Barred::Hours);
        }
        if rules.at_once.is_some_and(|most| self.running.len() >= most as usize) {
            return Err(Barred::AtOnce);
        }
        let allowance = allowance(rules, payer);
        let Some(account) = self.payers.get(payer) else {
            let nothing = allowance.at_once == Some(0) || allowance.an_hour == Some(0);
            return if nothing { Err(Barred::AtOnce) } else { within(allowance.a_day, price).ok_or(Barred::Spent) };
        };
        if allowance.at_once.is_some_and(|most| account.at_once >= most) {
            return Err(Barred::AtOnce);
        }
        if allowance.an_hour.is_some_and(|most| account.hour.sum(now, HOUR) >= u64::from(most)) {
            return Err(Barred::AnHour);
        }
        let owed = account.day.sum(now, DAY).saturating_add(self.running_cost(now, payer)).saturating_add(price);
        within(allowance.a_day, owed).ok_or(Barred::Spent)
    }

    /// A leg goes out, with a permit when it needs one.
    pub fn begin_if(&mut self, now: Time, leg: LegId, permit: Option<Permit>) {
        if let Some(permit) = permit {
            self.begin(now, leg, permit);
        }
    }

    /// A leg goes out with a permit.
    pub fn begin(&mut self, now: Time, leg: LegId, permit: Permit) {
        if self.payers.len() >= PAYERS {
            self.payers.retain(|_, account| account.at_once > 0 || account.hour.sum(now, HOUR) > 0 || account.day.sum(now, DAY) > 0);
        }
        let account = self.payers.entry(permit.payer.clone()).or_default();
        account.at_once += 1;
        account.hour.add(now, HOUR, 1);
        self.running.insert(leg, Running { permit, answered: None });
    }

    /// A leg was answered: from here on it costs.
    pub fn answered(&mut self, now: Time, leg: LegId) {
        if let Some(running) = self.running.get_mut(&leg) {
            running.answered.get_or_insert(now);
        }
    }

    /// A leg is over; what it cost is its payer's.
    pub fn ended(&mut self, now: Time, leg: LegId) {
        let Some(running) = self.running.remove(&leg) else { return };
        let cost = running.cost(now);
        if let Some(account) = self.payers.get_mut(&running.permit.payer) {
            account.at_once = account.at_once.saturating_sub(1);
            account.day.add(now, DAY, cost);
        }
    }

    /// Calls that go out now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Refused so far, by the reason's word.
    #[must_use]
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        Barred::ALL.into_iter().map(Barred::word).zip(self.refused).collect()
    }

    fn running_cost(&self, now: Time, payer: &Payer) -> u64 {
        self.running.values().filter(|running| running.permit.payer == *payer).map(|running| running.cost(now)).sum()
    }
}

impl Running {
    /// Every begun minute since the answer.
    fn cost(&self, now: Time) -> u64 {
        let Some(answered) = self.answered else { return 0 };
        let minutes = now.since(answered).as_secs() / MINUTE_SECONDS + 1;
        minutes.saturating_mul(self.permit.price)
    }
}

fn within(most: Option<u64>, owed: u64) -> Option<()> {
    most.is_none_or(|most| owed <= most).then_some(())
}

fn allowance(rules: &Outbound, payer: &Payer) -> Allowance {
    match payer {
        Payer::Agent(_) => rules.agent,
        Payer::Key(_) => rules.key,
        Payer::Plan(_) => rules.plan,
        Payer::House => Allowance::default(),
    }
}

fn price(rules: &Outbound, number: &str) -> u64 {
    let fits = |(beginning, _): &&(String, u64)| number.starts_with(&*plain(beginning));
    rules.rates.iter().filter(fits).max_by_key(|(beginning, _)| plain(beginning).len()).map_or(0, |(_, price)| *price)
}

/// A number without what people write between its digits, and abroad always as `+`: nobody slips by with another spelling.
fn plain(number: &str) -> String {
    let bare: String = number.chars().filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '.')).collect();
    bare.strip_prefix("00").map_or_else(|| bare.clone(), |rest| format!("+{rest}"))
}

/// One `*` stands for any run of characters.
fn matches(pattern: &str, number: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => number.len() >= head.len() + tail.len() && number.starts_with(head) && number.ends_with(tail),
        None => pattern == number,
    }
}

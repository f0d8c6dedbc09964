//! The guard against toll fraud: whether a call may go out, and what it costs whoever caused it.
//!
//! A stolen password is worth what can be called with it. So each payer (an agent, an API key, a plan) has an allowance: calls at once,
//! calls in an hour, money in a day; and some numbers and hours are nobody's. A call that runs is looked at before each minute that
//! would cost something: one that can no longer be paid for, or that lasted as long as it may, is cut.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::time::Time;
use super::words::outbound::{Allowance, Outbound};
use super::words::{AgentId, LegId};

/// Calls begun are counted over this.
const HOUR: Duration = Duration::from_hours(1);
/// Money is counted over this.
const DAY: Duration = Duration::from_hours(24);
const MINUTE_SECONDS: u64 = 60;
/// A minute is asked for so long before it begins: the BYE must arrive before the far end counts it.
const AHEAD: Duration = Duration::from_secs(1);
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

/// Why a call that went out is ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Its next minute is above what its payer may spend.
    Spent,
    /// It lasted as long as a call may.
    TooLong,
}

impl Cut {
    /// All of them.
    pub const ALL: [Cut; 2] = [Cut::Spent, Cut::TooLong];

    /// Its name in facts and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cut::Spent => "spent",
            Cut::TooLong => "too_long",
        }
    }

    /// The Reason header of the BYEs (RFC 3326).
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Cut::Spent => "SIP;cause=403;text=\"The limit of spending is reached\"",
            Cut::TooLong => "SIP;cause=403;text=\"The call lasted as long as it may\"",
        }
    }
}

/// What a look at a running call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It goes on until then, when it is to be looked at again.
    Again(Time),
    /// It is over.
    Over(Cut),
}

/// Do the limits hold for a call?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// They do.
    Yes,
    /// It is an emergency call.
    No,
}

/// A call may go out: at whose cost and price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    payer: Payer,
    price: u64,
    bound: Bound,
}

#[derive(Debug)]
struct Running {
    permit: Permit,
    answered: Option<Time>,
    /// Minutes that were allowed, begun or not; the first one with the permit.
    granted: u64,
}

/// What a payer did lately.
#[derive(Debug, Default)]
struct Account {
    at_once: u32,
    hour: Window,
    day: Window,
    /// His running calls that cost something.
    dear: BTreeSet<LegId>,
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
    cut: [u64; 2],
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
            return Ok(Permit { payer, price, bound: Bound::No });
        }
        self.check(now, rules, &payer, &number, price).inspect_err(|barred| self.refused[*barred as usize] += 1)?;
        Ok(Permit { payer, price, bound: Bound::Yes })
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
        let owed = |_| self.owed(now, payer).saturating_add(price);
        within(allowance.a_day, allowance.a_day.map_or(0, owed)).ok_or(Barred::Spent)
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
        if permit.price > 0 {
            account.dear.insert(leg);
        }
        self.running.insert(leg, Running { permit, answered: None, granted: 1 });
    }

    /// A leg was answered: from here on it costs.
    pub fn answered(&mut self, now: Time, leg: LegId) {
        if let Some(running) = self.running.get_mut(&leg) {
            running.answered.get_or_insert(now);
        }
    }

    /// A leg that is answered: does it go on? `None` when nothing limits it. A minute that is about to begin is granted to it.
    pub fn look(&mut self, now: Time, rules: &Outbound, leg: LegId) -> Option<Look> {
        let running = self.running.get(&leg).filter(|running| running.permit.bound == Bound::Yes)?;
        let answered = running.answered?;
        let longest = rules.longest.map(|longest| answered + longest);
        if longest.is_some_and(|end| end <= now) {
            return Some(self.cut(Cut::TooLong));
        }
        let Permit { payer, price, .. } = &running.permit;
        let most = allowance(rules, payer).a_day.filter(|_| *price > 0);
        let asks = most.map(|most| (most, running.granted, Duration::from_secs(running.granted * MINUTE_SECONDS)));
        let next = match asks {
            None => None,
            Some((_, _, paid)) if answered + paid > now + AHEAD => Some(answered + (paid - AHEAD)),
            Some((most, granted, paid)) => {
                if self.owed(now, payer).saturating_add(*price) > most {
                    return Some(self.cut(Cut::Spent));
                }
                let running = self.running.get_mut(&leg)?;
                running.granted = granted + 1;
                Some(answered + paid + (Duration::from_secs(MINUTE_SECONDS) - AHEAD))
            }
        };
        [next, longest].into_iter().flatten().min().map(Look::Again)
    }

    fn cut(&mut self, why: Cut) -> Look {
        self.cut[why as usize] += 1;
        Look::Over(why)
    }

    /// Who pays for a leg.
    #[must_use]
    pub fn payer(&self, leg: LegId) -> Option<&Payer> {
        self.running.get(&leg).map(|running| &running.permit.payer)
    }

    /// A leg goes on under another name, in another call.
    pub fn rename(&mut self, old: LegId, new: LegId) {
        let Some(running) = self.running.remove(&old) else { return };
        if let Some(account) = self.payers.get_mut(&running.permit.payer)
            && account.dear.remove(&old)
        {
            account.dear.insert(new);
        }
        self.running.insert(new, running);
    }

    /// A leg is over; what it cost is its payer's.
    pub fn ended(&mut self, now: Time, leg: LegId) {
        let Some(running) = self.running.remove(&leg) else { return };
        let cost = running.cost(now);
        if let Some(account) = self.payers.get_mut(&running.permit.payer) {
            account.at_once = account.at_once.saturating_sub(1);
            account.dear.remove(&leg);
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

    /// Running calls that were cut so far, by the reason's word.
    #[must_use]
    pub fn cuts(&self) -> Vec<(&'static str, u64)> {
        Cut::ALL.into_iter().map(Cut::word).zip(self.cut).collect()
    }

    /// What a payer spent today, with what his running calls were granted.
    fn owed(&self, now: Time, payer: &Payer) -> u64 {
        let Some(account) = self.payers.get(payer) else { return 0 };
        let running = account.dear.iter().filter_map(|leg| self.running.get(leg));
        running.map(|running| running.held(now)).fold(account.day.sum(now, DAY), u64::saturating_add)
    }
}

impl Running {
    /// Minutes begun since the answer.
    fn begun(&self, now: Time) -> u64 {
        self.answered.map_or(0, |answered| now.since(answered).as_secs() / MINUTE_SECONDS + 1)
    }

    /// What it costs when it ends now.
    fn cost(&self, now: Time) -> u64 {
        self.begun(now).saturating_mul(self.permit.price)
    }

    /// What it may cost: nobody else may spend it.
    fn held(&self, now: Time) -> u64 {
        self.begun(now).max(self.granted).saturating_mul(self.permit.price)
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
        Payer::House => rules.house,
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

//! Who may call to the outside: where to, when, how often and for how much. `[outbound]` of hotline.toml.

use std::sync::Arc;
use std::time::Duration;

use crate::control::dialplan::calendar::Calendar;

/// Numbers that are always let through, whatever the rest says: emergency calls.
const EMERGENCY: [&str; 7] = ["110", "112", "119", "120", "122", "911", "999"];
/// So many calls at once are more than a person makes.
const AGENT_AT_ONCE: u32 = 4;
/// So many calls in an hour are more than a person makes.
const AGENT_AN_HOUR: u32 = 120;

/// The rules for calls to the outside. Agents on fixed addresses and phones that registered are not outside.
#[derive(Clone, PartialEq, Debug)]
pub struct Outbound {
    /// Never refused.
    pub always: Vec<String>,
    /// Patterns that are let through; empty = all.
    pub allow: Vec<String>,
    /// Patterns that are refused; stronger than `allow`.
    pub deny: Vec<String>,
    /// When calls go out; `None` = always.
    pub hours: Option<Arc<Calendar>>,
    /// Trunks that none of this is about: the old exchange in the same house.
    pub free: Vec<String>,
    /// Calls to the outside at once, all together.
    pub at_once: Option<u32>,
    /// The longest call to the outside; `None` = as long as it likes.
    pub longest: Option<Duration>,
    /// What a begun minute costs, in millionths, by the beginning of the number; the longest wins. What is not named costs nothing.
    pub rates: Vec<(String, u64)>,
    /// For each agent.
    pub agent: Allowance,
    /// For each API key.
    pub key: Allowance,
    /// For each plan.
    pub plan: Allowance,
    /// For callers who are sent outside by nobody of these, all together: a ring group that nobody answered.
    pub house: Allowance,
}

/// What one payer may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allowance {
    /// Calls at once.
    pub at_once: Option<u32>,
    /// Calls begun within an hour.
    pub an_hour: Option<u32>,
    /// What they may cost within a day, in millionths.
    pub a_day: Option<u64>,
}

impl Default for Outbound {
    fn default() -> Outbound {
        Outbound {
            always: EMERGENCY.map(str::to_owned).to_vec(),
            allow: Vec::new(),
            deny: Vec::new(),
            hours: None,
            free: Vec::new(),
            at_once: None,
            longest: None,
            rates: Vec::new(),
            agent: Allowance { at_once: Some(AGENT_AT_ONCE), an_hour: Some(AGENT_AN_HOUR), a_day: None },
            key: Allowance::default(),
            plan: Allowance::default(),
            house: Allowance::default(),
        }
    }
}

//! When a version on trial is taken back by itself.
//!
//! The rule: both versions have at least [`LEAST`] sessions that began since the trial began and have ended. One of three shares (the
//! plan could not go on, a sentence was not understood, the session came into a line to a person) is at least [`MARGIN`] higher with
//! the version on trial, and by chance alone that would happen less than once in a thousand times ([`LEVEL`], Fisher's exact test,
//! one-sided). The level is strict because it is asked again every few seconds.

use serde_json::{Value, json};

use crate::store::plans::Went;

/// Ended sessions that each version must have.
pub const LEAST: u64 = 20;
/// How much higher a share must be: two of a hundred.
pub const MARGIN: f64 = 0.02;
/// How rare it must be by chance.
pub const LEVEL: f64 = 0.001;

/// A trial that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Worse {
    /// In words.
    pub why: String,
    /// The numbers.
    pub counts: Value,
}

/// The counts of both, as they stand in facts and in the API.
#[must_use]
pub fn counts(old: Went, new: Went) -> Value {
    json!({"published": old, "canary": new})
}

/// Is the version on trial worse than the one in force?
#[must_use]
pub fn worse(old: Went, new: Went) -> Option<Worse> {
    if old.sessions < LEAST || new.sessions < LEAST {
        return None;
    }
    let shares = [
        ("plan failed", old.failed, new.failed),
        ("sentence not understood", old.unmatched, new.unmatched),
        ("handed to a person", old.to_person, new.to_person),
    ];
    shares.into_iter().find_map(|(name, before, after)| {
        let (was, is) = (share(before, old.sessions), share(after, new.sessions));
        let chance = by_chance((before, old.sessions), (after, new.sessions));
        (is >= was + MARGIN && chance < LEVEL).then(|| {
            let why = format!(
                "{name}: {after} of {} sessions ({:.1} %) against {before} of {} ({:.1} %); by chance {chance:.1e} < {LEVEL}",
                new.sessions,
                is * 100.0,
                old.sessions,
                was * 100.0
            );
            let mut counts = counts(old, new);
            counts["rule"] = json!({"share": name, "chance": chance, "level": LEVEL, "margin": MARGIN, "least_sessions": LEAST});
            Worse { why, counts }
        })
    })
}

#[allow(clippy::cast_precision_loss)] // sessions are far fewer than 2^52
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// How often `after` or more of the marked sessions would fall to the new version if the marks were dealt out blindly.
fn by_chance((before, old): (u64, u64), (after, new): (u64, u64)) -> f64 {
    let (marked, all) = (before + after, old + new);
    let whole = ln_choose(all, new);
    let one = |k: u64| (ln_choose(marked, k) + ln_choose(all - marked, new - k) - whole).exp();
    (after..=marked.min(new)).filter(|k| new - k <= all - marked).map(one).sum()
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Below this the product itself is taken; above, Stirling's series is right to nine digits.
const SMALL: u64 = 32;

#[allow(clippy::cast_precision_loss)]
fn ln_factorial(n: u64) -> f64 {
    if n < SMALL {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let n = n as f64;
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(sessions: u64, failed: u64, unmatched: u64, to_person: u64) -> Went {
        Went { sessions, failed, unmatched, to_person }
    }

    #[test]
    fn fishers_test_gives_the_known_values() {
        // The lady who tastes tea: all four right is one in 70.
        assert!((by_chance((0, 4), (4, 4)) - 1.0 / 70.0).abs() < 1e-9);
        // scipy.stats.fisher_exact([[12, 188], [15, 35]], alternative of more in the second row).
        let chance = by_chance((12, 200), (15, 50));
        assert!(chance < 0.001 && chance > 1e-6, "{chance}");
        assert!((ln_factorial(40) - (2..=40u64).map(|n| (n as f64).ln()).sum::<f64>()).abs() < 1e-8);
    }

    #[test]
    fn s07_a_draft_that_hands_far_more_callers_to_people_is_taken_back_and_says_by_which_numbers() {
        let worse = worse(went(400, 0, 20, 40), went(25, 0, 1, 12)).unwrap();
        assert!(worse.why.contains("12 of 25") && worse.why.contains("40 of 400"), "{}", worse.why);
        assert_eq!(worse.counts["rule"]["share"], "handed to a person");
        assert_eq!(worse.counts["canary"]["to_person"], 12);
    }

    #[test]
    fn s07_few_sessions_small_differences_and_better_drafts_are_left_alone() {
        assert_eq!(worse(went(400, 0, 0, 40), went(19, 19, 19, 19)), None, "too few to know");
        assert_eq!(worse(went(400, 0, 0, 40), went(25, 0, 0, 4)), None, "well within chance");
        assert_eq!(worse(went(400, 0, 0, 200), went(100, 0, 0, 10)), None, "better");
        assert_eq!(worse(went(100_000, 0, 0, 10_000), went(100_000, 0, 0, 10_600)), None, "sure, but hardly more");
    }
}

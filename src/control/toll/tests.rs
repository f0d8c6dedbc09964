//! Permits in virtual time.

use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::control::dialplan::calendar::{Calendar, Range};
use crate::control::random::Random;

const START: Time = Time(1_800_000_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);
/// One of the currency.
const ONE: u64 = 1_000_000;

fn anna() -> Payer {
    Payer::Agent(AgentId::of_name("anna"))
}

fn leg(number: u64) -> LegId {
    LegId::new(START, &mut Random::new(number))
}

fn call(tolls: &mut Tolls, now: Time, rules: &Outbound, number: u64) -> Result<LegId, Barred> {
    let permit = tolls.ask(now, rules, anna(), "+8613800138000")?;
    let leg = leg(number);
    tolls.begin(now, leg, permit);
    tolls.answered(now, leg);
    Ok(leg)
}

#[test]
fn denied_numbers_are_refused_however_they_are_written_and_emergency_calls_never() {
    let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let rules = Outbound { deny: list(&["00*", "0900*"]), allow: list(&["0*", "+86*", "1*"]), ..Outbound::default() };
    let mut tolls = Tolls::default();
    let mut asked = |number: &str| tolls.ask(START, &rules, anna(), number).err();
    for denied in ["00441632960000", "+441632960000", "0044 1632-960000", "0900123", "800123"] {
        assert_eq!(asked(denied), Some(Barred::Number), "{denied}");
    }
    for good in ["021-5555 1234", "13800138000", "112", "911"] {
        assert_eq!(asked(good), None, "{good}");
    }
    assert_eq!(tolls.refused()[0], ("number", 5));
}

#[test]
fn outside_the_hours_nothing_goes_out() {
    let mut calendar = Calendar { zone: Some(TimeZone::UTC), ..Calendar::default() };
    calendar.week = std::array::from_fn(|_| vec![Range::parse("08:00-18:00").unwrap()]);
    let rules = Outbound { hours: Some(Arc::new(calendar)), ..Outbound::default() };
    let midnight = Time(START.0 / 86_400_000_000 * 86_400_000_000);
    let at = |hour: u32| Tolls::default().ask(midnight + MINUTE * 60 * hour, &rules, anna(), "1").err();
    assert_eq!((at(7), at(8), at(17), at(18)), (Some(Barred::Hours), None, None, Some(Barred::Hours)));
}

#[test]
fn a_payer_has_so_many_calls_at_once_and_in_an_hour_and_another_payer_his_own() {
    let rules = Outbound { agent: Allowance { at_once: Some(2), an_hour: Some(3), a_day: None }, ..Outbound::default() };
    let mut tolls = Tolls::default();
    let first = call(&mut tolls, START, &rules, 1).unwrap();
    call(&mut tolls, START, &rules, 2).unwrap();
    assert_eq!(call(&mut tolls, START, &rules, 3), Err(Barred::AtOnce));
    tolls.ended(START + MINUTE, first);
    let third = call(&mut tolls, START + MINUTE, &rules, 3).unwrap();
    tolls.ended(START + MINUTE, third);
    assert_eq!(call(&mut tolls, START + 2 * MINUTE, &rules, 4), Err(Barred::AnHour));
    assert!(tolls.ask(START, &rules, Payer::Agent(AgentId::of_name("ben")), "1").is_ok());
    assert!(tolls.ask(START, &rules, Payer::Plan("claims".to_owned()), "1").is_ok());
    assert!(call(&mut tolls, START + 60 * MINUTE, &rules, 4).is_ok());
}

#[test]
fn begun_minutes_are_paid_by_the_longest_beginning_and_what_runs_counts_too() {
    let rates = vec![("+86".to_owned(), ONE / 10), ("+86138".to_owned(), ONE)];
    let rules = Outbound { rates, agent: Allowance { a_day: Some(5 * ONE), ..Allowance::default() }, ..Outbound::default() };
    let mut tolls = Tolls::default();
    let first = call(&mut tolls, START, &rules, 1).unwrap();
    assert!(call(&mut tolls, START + 3 * MINUTE, &rules, 2).is_ok(), "four begun minutes, and one more");
    tolls.ended(START + 3 * MINUTE, first);
    assert_eq!(call(&mut tolls, START + 4 * MINUTE, &rules, 3), Err(Barred::Spent));
    tolls.ended(START + 4 * MINUTE, leg(2));
    assert!(tolls.ask(START + DAY + 4 * MINUTE, &rules, anna(), "+8613800138000").is_ok(), "another day");
}

#[test]
fn all_payers_together_have_a_limit() {
    let rules = Outbound { at_once: Some(1), ..Outbound::default() };
    let mut tolls = Tolls::default();
    let permit = tolls.ask(START, &rules, Payer::House, "1").unwrap();
    tolls.begin(START, leg(9), permit);
    assert_eq!(tolls.ask(START, &rules, anna(), "1"), Err(Barred::AtOnce));
    tolls.ended(START, leg(9));
    assert_eq!((tolls.running(), tolls.ask(START, &rules, anna(), "1").is_ok()), (0, true));
}

#[test]
fn a_call_is_cut_before_the_minute_that_cannot_be_paid_and_an_emergency_call_never() {
    let rates = vec![("+86".to_owned(), ONE), ("112".to_owned(), ONE)];
    let mut rules = Outbound { rates, agent: Allowance { a_day: Some(3 * ONE), ..Allowance::default() }, ..Outbound::default() };
    let mut tolls = Tolls::default();
    let only = call(&mut tolls, START, &rules, 1).unwrap();
    let (minutes, ahead) = (|count: u32| START + MINUTE * count, Duration::from_secs(59));
    assert_eq!(tolls.look(START, &rules, only), Some(Look::Again(START + ahead)));
    assert_eq!(tolls.look(START + ahead, &rules, only), Some(Look::Again(minutes(1) + ahead)));
    assert_eq!(tolls.look(START + ahead, &rules, only), Some(Look::Again(minutes(1) + ahead)), "a minute is granted once");
    assert_eq!(tolls.look(minutes(1) + ahead, &rules, only), Some(Look::Again(minutes(2) + ahead)));
    assert_eq!(tolls.look(minutes(2) + ahead, &rules, only), Some(Look::Over(Cut::Spent)));
    tolls.ended(minutes(2) + ahead, only);
    assert_eq!((call(&mut tolls, minutes(3), &rules, 2), tolls.cuts()), (Err(Barred::Spent), vec![("spent", 1), ("too_long", 0)]));
    rules.longest = Some(MINUTE);
    let permit = tolls.ask(minutes(3), &rules, anna(), "112").unwrap();
    tolls.begin(minutes(3), leg(3), permit);
    tolls.answered(minutes(3), leg(3));
    assert_eq!(tolls.look(minutes(9), &rules, leg(3)), None);
}

#[test]
fn what_one_call_was_granted_no_other_may_spend() {
    let rates = vec![("+86".to_owned(), ONE)];
    let rules = Outbound { rates, agent: Allowance { a_day: Some(3 * ONE), ..Allowance::default() }, ..Outbound::default() };
    let mut tolls = Tolls::default();
    let first = call(&mut tolls, START, &rules, 1).unwrap();
    let second = call(&mut tolls, START, &rules, 2).unwrap();
    let soon = START + Duration::from_secs(59);
    assert!(matches!(tolls.look(soon, &rules, first), Some(Look::Again(_))));
    assert_eq!(tolls.look(soon, &rules, second), Some(Look::Over(Cut::Spent)));
    let permit = Tolls::default().ask(START, &rules, anna(), "+861").unwrap();
    tolls.ended(soon, first);
    tolls.ended(soon, second);
    tolls.begin(soon, leg(3), permit);
    assert_eq!(tolls.ask(soon, &rules, anna(), "+861"), Err(Barred::Spent), "a call that rings will cost its first minute");
}

#[test]
fn a_call_lasts_no_longer_than_allowed_whatever_it_costs_and_under_any_name() {
    let rules = Outbound { longest: Some(90 * MINUTE), ..Outbound::default() };
    let mut tolls = Tolls::default();
    let first = call(&mut tolls, START, &rules, 1).unwrap();
    assert_eq!(tolls.look(START + MINUTE, &rules, first), Some(Look::Again(START + 90 * MINUTE)));
    tolls.rename(first, leg(7));
    tolls.ended(START + MINUTE, first);
    assert_eq!(tolls.payer(leg(7)), Some(&anna()));
    assert_eq!(tolls.look(START + 90 * MINUTE, &rules, leg(7)), Some(Look::Over(Cut::TooLong)));
    tolls.ended(START + 90 * MINUTE, leg(7));
    assert_eq!(tolls.running(), 0);
}

proptest! {
    /// Whatever happens: nobody has more calls at once than he may, and when all are over none is counted.
    #[test]
    fn limits_hold_and_nothing_is_left(acts in prop::collection::vec((0u64..12, 0u64..200), 1..200)) {
        let rules = Outbound { agent: Allowance { at_once: Some(3), an_hour: Some(20), a_day: None }, ..Outbound::default() };
        let (mut tolls, mut now) = (Tolls::default(), START);
        let mut up = std::collections::BTreeSet::new();
        for (number, pause) in acts {
            now = now + Duration::from_secs(pause);
            if up.remove(&number) {
                tolls.ended(now, leg(number));
            } else if call(&mut tolls, now, &rules, number).is_ok() {
                up.insert(number);
            }
            prop_assert!(up.len() <= 3 && tolls.running() == up.len());
        }
        for number in up {
            tolls.ended(now, leg(number));
        }
        prop_assert_eq!(tolls.running(), 0);
        prop_assert!(tolls.payers.values().all(|account| account.at_once == 0));
    }
}

//! The guard in virtual time.

use proptest::prelude::*;

use super::*;

const START: Time = Time(1_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn guard() -> Guard {
    Guard::new(START, Defence::default(), vec![Net::one(address("203.0.113.5"))])
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ask(guard: &mut Guard, now: Time, from: &str) -> Admission {
    guard.admit(now, address(from), Sender::Stranger, Asking::Other)
}

fn offend(guard: &mut Guard, now: Time, from: &str, offence: Offence, times: usize) {
    for _ in 0..times {
        guard.offend(now, address(from), offence);
    }
}

fn banned(guard: &mut Guard) -> Vec<Ban> {
    std::iter::from_fn(|| guard.poll_news()).filter_map(|news| if let News::Banned(ban) = news { Some(ban) } else { None }).collect()
}

#[test]
fn ten_wrong_passwords_ban_a_source_and_only_it_and_time_lifts_the_ban() {
    let mut guard = guard();
    offend(&mut guard, START, "192.0.2.1", Offence::WrongProof, 9);
    assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Heard);
    offend(&mut guard, START, "192.0.2.1", Offence::WrongProof, 1);
    let ban = banned(&mut guard)[0];
    assert_eq!((ban.why, ban.strikes, ban.until), (Offence::WrongProof, 1, START + 600 * SECOND));
    assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Unheard);
    assert_eq!(ask(&mut guard, START, "192.0.2.2"), Admission::Heard);
    assert_eq!(guard.bans().len(), 1);
    assert_eq!(ask(&mut guard, ban.until, "192.0.2.1"), Admission::Heard);
    guard.handle_timeout(ban.until);
    assert!(guard.bans().is_empty());
    assert!(matches!(guard.poll_news(), Some(News::Ended(ended)) if ended.source == ban.source));
}

#[test]
fn offences_are_forgiven_with_time() {
    let mut guard = guard();
    for minute in 0..200 {
        offend(&mut guard, START + 60 * SECOND * minute, "192.0.2.1", Offence::WrongProof, 1);
    }
    assert_eq!(banned(&mut guard), [], "one wrong password a minute is a phone that nobody looked after");
}

#[test]
fn each_further_ban_is_twice_as_long_up_to_a_day() {
    let mut guard = guard();
    let (mut now, mut lengths) = (START, Vec::new());
    for _ in 0..10 {
        offend(&mut guard, now, "192.0.2.1", Offence::Scanner, 1);
        let ban = banned(&mut guard)[0];
        lengths.push(ban.until.since(now).as_secs() / 60);
        now = ban.until;
        guard.handle_timeout(now);
    }
    assert_eq!(lengths, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]);
    guard.handle_timeout(now + MEMORY);
    offend(&mut guard, now + MEMORY, "192.0.2.1", Offence::Scanner, 1);
    assert_eq!(banned(&mut guard)[0].strikes, 1, "a day of peace is a new beginning");
}

#[test]
fn trusted_and_allowed_sources_are_never_limited_and_denied_ones_never_heard() {
    let defence = Defence { allow: vec!["10.0.0.0/8".parse().unwrap()], deny: vec!["0.0.0.0/0".parse().unwrap()], ..Defence::default() };
    let mut guard = Guard::new(START, defence, vec![Net::one(address("203.0.113.5"))]);
    for _ in 0..5_000 {
        assert_eq!(ask(&mut guard, START, "10.1.2.3"), Admission::Heard);
        assert_eq!(ask(&mut guard, START, "203.0.113.5"), Admission::Heard);
    }
    offend(&mut guard, START, "10.1.2.3", Offence::Scanner, 3);
    assert_eq!(ask(&mut guard, START, "10.1.2.3"), Admission::Heard);
    assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Unheard);
    assert_eq!(ask(&mut guard, START, "2001:db8::1"), Admission::Heard, "IPv6 was not denied");
}

#[test]
fn who_sends_too_much_is_told_to_wait_then_banned_and_a_registered_phone_is_only_told_to_wait() {
    let mut guard = guard();
    let burst = Defence::default().burst;
    for _ in 0..burst {
        assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Heard);
    }
    let rest: Vec<Admission> = (0..=ENOUGH).map(|_| ask(&mut guard, START, "192.0.2.1")).collect();
    assert_eq!((rest[0], rest[ENOUGH as usize]), (Admission::Later, Admission::Unheard));
    assert_eq!(banned(&mut guard)[0].why, Offence::Flood);
    let phone = |guard: &mut Guard| guard.admit(START, address("192.0.2.9"), Sender::Phone, Asking::Call);
    let all: Vec<Admission> = (0..burst + 500).map(|_| phone(&mut guard)).collect();
    assert_eq!(all.iter().filter(|admission| **admission == Admission::Heard).count(), (burst / CALL_TOKENS) as usize);
    assert!(!all.contains(&Admission::Unheard));
    let after = START + SECOND;
    assert_eq!(guard.admit(after, address("192.0.2.9"), Sender::Phone, Asking::Call), Admission::Heard);
}

#[test]
fn a_source_of_known_phones_is_borne_with_longer_and_is_not_shut_out_at_the_sockets() {
    let mut guard = guard();
    guard.befriend(address("192.0.2.1"));
    offend(&mut guard, START, "192.0.2.1", Offence::WrongProof, 49);
    assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Heard);
    offend(&mut guard, START, "192.0.2.1", Offence::WrongProof, 1);
    offend(&mut guard, START, "192.0.2.2", Offence::Scanner, 1);
    assert_eq!(ask(&mut guard, START, "192.0.2.1"), Admission::Unheard);
    assert_eq!(guard.admit(START, address("192.0.2.1"), Sender::Phone, Asking::Call), Admission::Heard, "over its registered path");
    let fence = guard.handle_timeout(START + FENCE_EVERY).unwrap();
    assert!(fence.shuts_out(address("192.0.2.2")) && !fence.shuts_out(address("192.0.2.1")));
}

#[test]
fn one_phone_with_an_old_password_behind_an_address_with_good_ones_is_no_guesser() {
    let (office, stranger) = (address("192.0.2.1"), address("192.0.2.2"));
    let mut guard = guard();
    guard.befriend(office);
    for try_ in 0..10_000 {
        guard.mistaken(START + 10 * SECOND * try_, office, 1);
    }
    assert_eq!(banned(&mut guard), [], "it tries every ten seconds for a day");
    for user in 2..102 {
        guard.mistaken(START, office, user);
    }
    assert_eq!(banned(&mut guard).len(), 1, "many users are");
    let mut guard = self::guard();
    guard.befriend(office);
    for _ in 0..600 {
        guard.mistaken(START, office, 1);
        guard.mistaken(START, stranger, 1);
    }
    assert_eq!(banned(&mut guard).len(), 2, "and so is one who is quick, and one whom nobody knows");
}

#[test]
fn a_lifted_ban_is_forgotten_and_the_fence_opens() {
    let mut guard = guard();
    offend(&mut guard, START, "2001:db8::7", Offence::Scanner, 1);
    assert!(guard.handle_timeout(START + FENCE_EVERY).unwrap().shuts_out(address("2001:db8::9")));
    assert_eq!(guard.lift(START + SECOND, Source::of(address("192.0.2.1"))), None);
    assert!(guard.lift(START + SECOND, Source::of(address("2001:db8::1"))).is_some());
    assert_eq!(guard.handle_timeout(START + SECOND), Some(Fence::default()));
    assert_eq!(ask(&mut guard, START + SECOND, "2001:db8::7"), Admission::Heard);
    offend(&mut guard, START + SECOND, "2001:db8::7", Offence::Scanner, 1);
    assert_eq!(guard.bans()[0].strikes, 1);
}

#[test]
fn spoofed_sources_in_any_number_cost_bounded_memory_and_few_facts() {
    let mut guard = guard();
    let mut told = 0;
    for number in 0..100_000u32 {
        let from = IpAddr::from(number.to_be_bytes());
        guard.admit(START, from, Sender::Stranger, Asking::Other);
        guard.offend(START, from, Offence::Scanner);
        told += banned(&mut guard).len();
    }
    assert!(guard.accounts.len() <= 2 * SOURCES && guard.bans.len() <= MOST_BANS && guard.ends.len() <= MOST_BANS);
    assert_eq!(told, TOLD.burst as usize);
}

#[test]
fn without_watching_only_deny_counts() {
    let defence = Defence { watching: Watching::Off, deny: vec!["192.0.2.9".parse().unwrap()], ..Defence::default() };
    let mut guard = Guard::new(START, defence, Vec::new());
    offend(&mut guard, START, "192.0.2.1", Offence::Scanner, 5);
    assert!((0..5_000).all(|_| ask(&mut guard, START, "192.0.2.1") == Admission::Heard));
    assert_eq!(ask(&mut guard, START, "192.0.2.9"), Admission::Unheard);
}

proptest! {
    /// Whatever strangers do: who is exempt is heard, a ban ends when it says, and what one source does touches no other.
    #[test]
    fn no_source_pays_for_another(acts in prop::collection::vec((0u8..4, 0usize..5, 0u64..3_000), 1..400)) {
        let mut guard = guard();
        let mut now = START;
        for (who, offence, pause) in acts {
            now = now + Duration::from_millis(pause);
            guard.handle_timeout(now);
            let from = IpAddr::from([192, 0, 2, who]);
            guard.admit(now, from, Sender::Stranger, Asking::Call);
            guard.offend(now, from, Offence::ALL[offence]);
            prop_assert_eq!(ask(&mut guard, now, "203.0.113.5"), Admission::Heard);
            prop_assert_eq!(ask(&mut guard, now, "198.51.100.1"), Admission::Heard);
            for ban in guard.bans() {
                prop_assert!(ban.until > now && ban.since <= now && ban.until.since(ban.since) <= LONGEST);
            }
        }
        let far = now + LONGEST + LONGEST + MEMORY;
        guard.handle_timeout(far);
        guard.handle_timeout(far + MEMORY);
        prop_assert!(guard.bans().is_empty() && guard.ends.is_empty());
    }
}

//! The rules of the queues, by example.

use super::*;
use crate::control::dialplan::wish::Overflow;
use crate::control::words::directory::{Agent, Ha1, Selection};

const ANNA: &str = "anna";
const BEN: &str = "ben";

fn at(seconds: u64) -> Time {
    Time((1_795_000_000 + seconds) * 1_000_000)
}

fn session(number: u128) -> SessionId {
    SessionId(number)
}

fn claims() -> QueueId {
    QueueId::of_name("claims")
}

fn agent(name: &str, skills: &[&str], capacity: f32) -> Agent {
    Agent {
        id: AgentId::of_name(name),
        user: name.into(),
        name: name.into(),
        extension: None,
        ha1: Ha1::default(),
        phone: crate::control::words::directory::Handset::default(),
        skills: skills.iter().map(|skill| ((*skill).to_owned(), 5)).collect(),
        queues: vec![claims()],
        capacity,
        auto_available: true,
        forward: crate::control::words::directory::Forward::default(),
        team: crate::control::words::directory::Team::default(),
    }
}

fn queue(name: &str) -> Queue {
    Queue {
        id: QueueId::of_name(name),
        name: name.into(),
        selection: Selection::LongestIdle,
        skills: vec![],
        cost: BTreeMap::from([("voice".into(), 1.0), ("chat".into(), 0.05)]),
        ring: Duration::from_secs(20),
        missed: AgentState::Away,
        wrap_up: Duration::from_secs(30),
        max_wait: Duration::from_secs(240),
        sla: None,
    }
}

fn center(agents: Vec<Agent>) -> Acd {
    let mut acd = Acd::new(1);
    let directory = Directory {
        agents: agents.into_iter().map(|agent| (agent.id, agent)).collect(),
        queues: [queue("claims"), queue("general")].into_iter().map(|queue| (queue.id, queue)).collect(),
        ..Directory::default()
    };
    acd.configure(at(0), &directory, &mut Vec::new());
    acd
}

fn item(number: u128, channel: &str, skills: &[&str]) -> Item {
    let ask = Enqueue {
        queue: claims(),
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        priority: 5,
        context: serde_json::Map::new(),
        sticky: None,
        music: None,
        announce: None,
        overflow: vec![],
        callback_after: None,
    };
    Item { session: session(number), channel: channel.into(), ask, last_agent: None }
}

fn sign_in(acd: &mut Acd, name: &str, now: Time) -> Vec<Effect> {
    let mut out = Vec::new();
    acd.set_state(now, AgentId::of_name(name), AgentState::Available, None, &mut out);
    out
}

fn enqueue(acd: &mut Acd, now: Time, item: Item) -> Vec<Effect> {
    let mut out = Vec::new();
    acd.enqueue(now, item, &mut out);
    out
}

fn offers(out: &[Effect]) -> Vec<(OfferId, SessionId, AgentId)> {
    out.iter()
        .filter_map(|effect| match effect {
            Effect::Offer { offer, session, agent, .. } => Some((*offer, *session, *agent)),
            _ => None,
        })
        .collect()
}

fn due(acd: &mut Acd, now: Time) -> Vec<Effect> {
    let mut out = Vec::new();
    acd.handle_timeout(now, &mut out);
    out
}

fn assert_sound(acd: &Acd, now: Time) {
    let audit = acd.audit(now);
    assert!(audit.waiting.values().all(|lines| *lines == 1), "A2: {audit:?}");
    assert!(audit.offered.values().all(|offers| *offers == 1), "A4: {audit:?}");
    assert!(audit.overloaded.is_empty(), "A1: {audit:?}");
    assert!(audit.idle_while_waiting.is_empty(), "A3: {audit:?}");
}

#[test]
fn s23_skill_groups_get_only_their_own_callers() {
    let mut acd = center(vec![agent(ANNA, &["bmw"], 1.0), agent(BEN, &["benz"], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    sign_in(&mut acd, BEN, at(0));
    for number in 0..20 {
        let (skill, name) = if number % 2 == 0 { ("bmw", ANNA) } else { ("benz", BEN) };
        let out = enqueue(&mut acd, at(1), item(number, "voice", &[skill]));
        let rung = offers(&out);
        assert_eq!(rung.len(), 1);
        assert_eq!(rung[0].2, AgentId::of_name(name));
        let mut out = Vec::new();
        assert!(acd.offer_accepted(at(2), rung[0].0, &mut out));
        acd.released(at(3), session(number), &mut out);
        acd.ready(at(4), AgentId::of_name(name), &mut out);
        assert_sound(&acd, at(4));
    }
}

#[test]
fn the_longest_idle_agent_is_rung_first() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0), agent(BEN, &[], 1.0)]);
    sign_in(&mut acd, BEN, at(0));
    sign_in(&mut acd, ANNA, at(5));
    let out = enqueue(&mut acd, at(9), item(1, "voice", &[]));
    assert_eq!(offers(&out)[0].2, AgentId::of_name(BEN));
}

#[test]
fn a_missed_offer_goes_to_the_next_agent_and_the_first_is_away() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0), agent(BEN, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    sign_in(&mut acd, BEN, at(1));
    enqueue(&mut acd, at(2), item(1, "voice", &[]));
    let out = due(&mut acd, at(22));
    assert_eq!(offers(&out).iter().map(|offer| offer.2).collect::<Vec<_>>(), [AgentId::of_name(BEN)]);
    assert_eq!(acd.state(AgentId::of_name(ANNA)), AgentState::Away);
    assert_sound(&acd, at(22));
}

#[test]
fn a_missed_agent_returns_when_his_phone_registers_again() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    enqueue(&mut acd, at(2), item(1, "voice", &[]));
    due(&mut acd, at(22));
    let mut out = Vec::new();
    acd.registered(at(40), AgentId::of_name(ANNA), &mut out);
    assert_eq!(offers(&out).len(), 1);
    assert_sound(&acd, at(40));
}

#[test]
fn a_declined_session_keeps_its_place_and_the_agent_rests() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    let first = offers(&enqueue(&mut acd, at(1), item(1, "voice", &[])))[0];
    enqueue(&mut acd, at(2), item(2, "voice", &[]));
    let mut out = Vec::new();
    acd.offer_refused(at(3), first.0, &mut out);
    assert!(offers(&out).is_empty(), "he is left in peace");
    assert_eq!(acd.position(session(1)), Some(1));
    let out = due(&mut acd, at(13));
    assert_eq!(offers(&out)[0].1, session(1), "the first goes first again");
}

#[test]
fn nobody_free_waits_then_overflows_by_the_ladder() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0)]);
    let mut waiting = item(1, "voice", &[]);
    waiting.ask.overflow = vec![
        Overflow { after: Duration::from_secs(90), widen: Some(QueueId::of_name("general")) },
        Overflow { after: Duration::from_secs(240), widen: None },
    ];
    enqueue(&mut acd, at(0), waiting);
    assert_eq!(due(&mut acd, at(90)), []);
    let out = due(&mut acd, at(240));
    assert!(out.contains(&Effect::Overflow { session: session(1), index: 1 }), "{out:?}");
    assert_eq!(acd.poll_timeout(), None, "no clock is left");
}

#[test]
fn s27_s28_capacity_is_kept_and_the_oldest_chat_follows() {
    let mut acd = center(vec![agent(ANNA, &[], 0.15)]);
    sign_in(&mut acd, ANNA, at(0));
    let mut taken = Vec::new();
    for number in 1..=4 {
        taken.extend(offers(&enqueue(&mut acd, at(1), item(number, "chat", &[]))));
    }
    assert_eq!(taken.len(), 3, "three chats fill him");
    let mut out = Vec::new();
    acd.offer_accepted(at(2), taken[0].0, &mut out);
    acd.released(at(3), taken[0].1, &mut out);
    acd.ready(at(3), AgentId::of_name(ANNA), &mut out);
    assert_eq!(offers(&out)[0].1, session(4));
    assert_sound(&acd, at(3));
}

#[test]
fn s26_the_agent_who_knows_the_case_goes_first_for_a_while() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0), agent(BEN, &[], 1.0)]);
    sign_in(&mut acd, BEN, at(0));
    sign_in(&mut acd, ANNA, at(1));
    let mut out = Vec::new();
    acd.set_state(at(2), AgentId::of_name(ANNA), AgentState::Away, None, &mut out);
    let mut known = item(1, "voice", &[]);
    known.ask.sticky = Some((Duration::from_secs(7 * 86_400), Duration::from_secs(20)));
    known.last_agent = Some((AgentId::of_name(ANNA), at(0)));
    assert!(offers(&enqueue(&mut acd, at(3), known)).is_empty(), "kept for Anna");
    assert_sound(&acd, at(3));
    assert_eq!(offers(&due(&mut acd, at(23)))[0].2, AgentId::of_name(BEN));
}

#[test]
fn s30_an_agent_who_goes_offline_gives_the_offer_back_to_the_front() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0), agent(BEN, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    enqueue(&mut acd, at(1), item(1, "voice", &[]));
    sign_in(&mut acd, BEN, at(2));
    let mut out = Vec::new();
    acd.set_state(at(3), AgentId::of_name(ANNA), AgentState::Offline, None, &mut out);
    assert_eq!(offers(&out).iter().map(|offer| (offer.1, offer.2)).collect::<Vec<_>>(), [(session(1), AgentId::of_name(BEN))]);
}

#[test]
fn an_abandoned_ring_frees_the_agent_for_the_next() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    enqueue(&mut acd, at(1), item(1, "voice", &[]));
    enqueue(&mut acd, at(2), item(2, "voice", &[]));
    let mut out = Vec::new();
    acd.leave(at(3), session(1), &mut out);
    assert_eq!(offers(&out)[0].1, session(2));
    assert!(!acd.offer_accepted(at(4), OfferId(99), &mut out), "an old offer is over");
    assert_sound(&acd, at(4));
}

#[test]
fn a_session_that_goes_on_to_another_agent_leaves_the_first_to_his_notes() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0), agent(BEN, &[], 1.0)]);
    sign_in(&mut acd, ANNA, at(0));
    sign_in(&mut acd, BEN, at(1));
    let first = offers(&enqueue(&mut acd, at(2), item(1, "voice", &[])))[0];
    let mut out = Vec::new();
    acd.offer_accepted(at(3), first.0, &mut out);
    acd.released(at(4), session(1), &mut out);
    let second = offers(&enqueue(&mut acd, at(5), item(1, "voice", &[])))[0];
    acd.offer_accepted(at(6), second.0, &mut out);
    due(&mut acd, at(34));
    assert_eq!(acd.state(AgentId::of_name(ANNA)), AgentState::Available, "her notes are done");
    assert_eq!(acd.holder(session(1)), Some(AgentId::of_name(BEN)), "and he still talks");
    acd.released(at(40), session(1), &mut out);
    due(&mut acd, at(70));
    assert_eq!(acd.state(AgentId::of_name(BEN)), AgentState::Available);
}

#[test]
fn s20_who_is_raised_is_offered_before_those_who_wait_longer() {
    let mut acd = center(vec![agent(ANNA, &[], 1.0)]);
    for number in 1..=3 {
        enqueue(&mut acd, at(number), item(u128::from(number), "voice", &[]));
    }
    let mut out = Vec::new();
    acd.raise(session(3), 8, &mut out);
    assert_eq!(out, [Effect::Raised { session: session(3), queue: claims(), priority: 8, position: 1 }]);
    assert_eq!((acd.position(session(3)), acd.position(session(1)), acd.position(session(2))), (Some(1), Some(2), Some(3)));
    acd.raise(session(3), 8, &mut out);
    acd.raise(session(3), 2, &mut out);
    acd.raise(session(9), 8, &mut out);
    assert_eq!(out.len(), 1, "nobody is raised twice, or put back, or raised who does not wait");
    let offered = offers(&sign_in(&mut acd, ANNA, at(10)));
    assert_eq!(offered.iter().map(|(_, session, _)| *session).collect::<Vec<_>>(), [session(3)]);
    acd.raise(session(3), 9, &mut out);
    assert!(
        matches!(out.last(), Some(Effect::Raised { priority: 9, position: 0, .. })),
        "he rings already, and keeps it when nobody answers"
    );
    acd.offer_refused(at(11), offered[0].0, &mut out);
    assert_eq!(acd.position(session(3)), Some(1));
    assert_eq!(acd.audit(at(11)).waiting.values().copied().collect::<Vec<_>>(), [1, 1, 1]);
}

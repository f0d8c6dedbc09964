//! Ways out and ways around: trunks that fail over, numbers that are rewritten, forwards, ring groups.

use super::*;
use crate::control::words::directory::{Forward, Number, RingGroup, Ringing, Target};
use crate::control::words::media::Codec;
use crate::control::words::sip::{Secrecy, Whereabouts};
use crate::control::words::trunk::{Bounds, Choice, Group, Habits, Keys, Offer, Registers, Trunk};

const SECOND: Duration = Duration::from_secs(1);
/// The far ends' ports; all but the dead ones lead to the agent's phone.
const FAR: u16 = 5090;

pub(super) fn trunk(name: &str, ports: &[u16]) -> Trunk {
    let host = |port: u16| Whereabouts { host: "10.0.0.1".to_owned(), port: Some(port), transport: None, secrecy: Secrecy::Any };
    let hosts = (0..).zip(ports).map(|(priority, port)| Choice { to: host(*port), priority, weight: 1 }).collect();
    Trunk { hosts, sources: Vec::new(), ..Trunk::at(name, host(FAR)) }
}

/// Anna's calls go out by `way`.
pub(super) fn out_by(trunks: Vec<Trunk>, groups: Vec<Group>) -> Directory {
    let mut directory = directory(&["anna", "ben"]);
    directory.trunks = trunks.into_iter().map(|trunk| (trunk.name.clone(), trunk)).collect();
    directory.trunk_groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect();
    forward(&mut directory, "anna", Forward { always: Some("9110".to_owned()), ..Forward::default() });
    directory
}

fn forward(directory: &mut Directory, who: &str, forward: Forward) {
    directory.agents.get_mut(&AgentId::of_name(who)).unwrap().forward = forward;
}

fn line(scene: &Scene) -> &str {
    scene.invites.last().unwrap().lines().next().unwrap()
}

pub(super) fn header<'a>(invite: &'a str, name: &str) -> Option<&'a str> {
    invite.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The last call that rang at the far end is refused.
pub(super) fn refuse(scene: &mut Scene, status: u16) {
    let leg = scene.happened.iter().rev().find_map(|(port, happening)| match happening {
        Happening::Invited(invited) if *port == AGENT => Some(invited.leg),
        _ => None,
    });
    scene.agent.refuse(scene.now, leg.expect("it rings"), status, &[]);
    scene.run();
}

fn states(scene: &Scene) -> Vec<(String, Option<String>)> {
    let state = |fact: &Fact| match fact {
        Fact::TrunkState { state, why, .. } => Some((state.clone(), why.clone())),
        _ => None,
    };
    scene.facts.iter().filter_map(state).collect()
}

#[test]
fn s85_the_next_host_and_the_next_trunk_are_tried_on_silence_and_503_and_a_busy_number_is_the_last_word() {
    let group = Group {
        name: "carrier".to_owned(),
        trunks: (0..).zip(["first", "second"]).map(|(priority, to)| Choice { to: to.to_owned(), priority, weight: 1 }).collect(),
    };
    let mut first = trunk("first", &[FAR, FAR + 1]);
    first.numbers.out = vec!["9* -> *".parse().unwrap()];
    first.numbers.caller_out = vec!["1380* -> +861380*".parse().unwrap()];
    let mut second = trunk("second", &[FAR + 2]);
    second.numbers.out = vec!["9* -> 0086*".parse().unwrap()];
    let mut scene = Scene::new(out_by(vec![first, second], vec![group]));
    scene.dead.push(FAR);
    scene.dial("anna");
    assert_eq!(line(&scene), "INVITE sip:110@10.0.0.1:5090 SIP/2.0");
    assert_eq!(
        header(scene.invites.last().unwrap(), "From").map(|from| from.starts_with("<sip:+8613800138000@center.example>")),
        Some(true)
    );
    scene.wait(SECOND);
    assert!(scene.invites.iter().all(|invite| invite.contains(":5090 ")), "it is asked again before it is left");
    scene.wait(4 * SECOND);
    assert_eq!(line(&scene), "INVITE sip:110@10.0.0.1:5091 SIP/2.0");
    refuse(&mut scene, 503);
    assert_eq!(line(&scene), "INVITE sip:0086110@10.0.0.1:5092 SIP/2.0");
    assert!(header(scene.invites.last().unwrap(), "Diversion").unwrap().contains("sip:anna@center.example>;reason=unconditional"));
    let tried = scene.invites.len();
    refuse(&mut scene, 486);
    assert_eq!((scene.refused(), scene.invites.len()), (Some(486), tried));
    scene.assert_at_rest();
}

#[test]
fn s85_a_final_answer_leads_on_only_when_it_is_listed() {
    for (listed, led_on) in [(vec![], false), (vec![404], true)] {
        let first = Trunk { retry: listed, ..trunk("carrier", &[FAR, FAR + 1]) };
        let mut scene = Scene::new(out_by(vec![first], Vec::new()));
        scene.dial("anna");
        refuse(&mut scene, 404);
        assert_eq!(line(&scene).contains(":5091"), led_on, "{}", line(&scene));
        if led_on {
            refuse(&mut scene, 603);
        }
        assert_eq!(scene.refused(), Some(if led_on { 603 } else { 404 }));
        scene.assert_at_rest();
    }
}

#[test]
fn s85_a_trunk_that_is_full_or_does_not_carry_the_number_takes_no_call() {
    let full = Trunk { bounds: Bounds { calls: Some(1), per_second: None }, ..trunk("carrier", &[FAR]) };
    let mut scene = Scene::new(out_by(vec![full], Vec::new()));
    scene.dial("anna");
    let leg = scene.dial("anna");
    assert!(scene.happened.contains(&(CALLER, Happening::Refused { leg, status: 503 })));
    refuse(&mut scene, 480);
    scene.wait(40 * SECOND);
    scene.dial("anna");
    assert_eq!(scene.invites.len(), 2, "there is room again");
    refuse(&mut scene, 480);
    scene.assert_at_rest();
    assert_eq!(scene.switch.trunks.calls("carrier"), (0, 0));
    let mut narrow = trunk("carrier", &[FAR]);
    narrow.numbers.out = vec!["8* -> *".parse().unwrap()];
    let mut scene = Scene::new(out_by(vec![narrow], Vec::new()));
    let leg = scene.dial("anna");
    assert!(scene.happened.contains(&(CALLER, Happening::Refused { leg, status: 404 })));
    assert!(scene.invites.is_empty());
    scene.assert_at_rest();
}

#[test]
fn s85_a_late_offer_is_answered_in_the_ack_with_the_trunks_codec_and_address_and_keys_go_by_info() {
    let habits = Habits {
        codecs: vec![Codec::Pcmu],
        keys: Keys::Info,
        advertise: Some("203.0.113.9".parse().unwrap()),
        offer: Offer::Late,
        srtp: None,
    };
    let mut scene = Scene::new(out_by(vec![Trunk { habits, ..trunk("carrier", &[FAR]) }], Vec::new()));
    let caller = scene.dial("anna");
    let invite = scene.invites.last().unwrap().clone();
    assert!(invite.ends_with("\r\n\r\n") && !invite.contains("100rel") && invite.contains("Contact: <sip:"), "{invite}");
    assert!(header(&invite, "Contact").unwrap().contains("203.0.113.9"), "{invite}");
    let leg =
        scene.happened.iter().rev().find_map(|(_, told)| if let Happening::Invited(it) = told { Some(it.leg) } else { None }).unwrap();
    scene.agent.answer(scene.now, leg, sdp::offer(&local(40_000)));
    scene.run();
    let answer = scene.happened.iter().rev().find_map(|(_, told)| match told {
        Happening::Confirmed { leg: told, sdp } if *told == leg => sdp.clone(),
        _ => None,
    });
    let answer = String::from_utf8(answer.expect("the ACK has an answer").to_vec()).unwrap();
    assert!(
        answer.contains("c=IN IP4 203.0.113.9") && answer.contains(" RTP/AVP 0\r\n") && !answer.contains("telephone-event"),
        "{answer}"
    );
    assert_eq!(scene.count("call.bridged"), 1);
    let ours = scene.leg();
    scene.input(Input::Media(media::Event::KeyPressed { leg: ours, key: '5', way: media::KeyWay::Event }));
    assert!(scene.happened.contains(&(AGENT, Happening::Key { leg, key: '5' })), "{:?}", scene.happened);
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s85_a_late_offer_that_cannot_be_answered_is_acknowledged_and_ended() {
    let habits = Habits { offer: Offer::Late, ..Habits::default() };
    let mut scene = Scene::new(out_by(vec![Trunk { habits, ..trunk("carrier", &[FAR]) }], Vec::new()));
    scene.dial("anna");
    let leg =
        scene.happened.iter().rev().find_map(|(_, told)| if let Happening::Invited(it) = told { Some(it.leg) } else { None }).unwrap();
    scene.agent.answer(
        scene.now,
        leg,
        bytes::Bytes::from_static(b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=video 9 RTP/AVP 31\r\n"),
    );
    scene.run();
    assert_eq!(scene.refused(), Some(488));
    assert!(scene.happened.contains(&(AGENT, Happening::HungUp { leg })));
    scene.assert_at_rest();
}

#[test]
fn s85_whoever_comes_by_a_trunk_dials_and_is_known_as_its_lines_say() {
    let mut inward = trunk("carrier", &[CALLER]);
    inward.sources = vec!["10.0.0.1".parse().unwrap()];
    inward.numbers.incoming = vec!["+86* -> *".parse().unwrap()];
    inward.numbers.caller_in = vec!["138* -> 0138*".parse().unwrap()];
    let mut directory = directory(&["anna"]);
    directory.trunks.insert("carrier".to_owned(), inward);
    let mut scene = Scene::new(directory);
    let leg = scene.dial("4001010");
    assert!(scene.happened.contains(&(CALLER, Happening::Refused { leg, status: 404 })), "no line fits");
    let leg = scene.dial("+864001010");
    let started = scene
        .facts
        .iter()
        .find_map(|fact| if let Fact::CallStarted { from, to, .. } = fact { Some((from.clone(), to.clone())) } else { None });
    assert_eq!(started, Some(("013800138000".to_owned(), "4001010".to_owned())));
    assert_eq!(scene.switch.trunks.calls("carrier").0, 1);
    scene.caller.hang_up(scene.now, leg, &[]);
    scene.run();
    scene.assert_at_rest();
    assert_eq!(scene.switch.trunks.calls("carrier").0, 0);
}

#[test]
fn s85_a_trunk_is_up_while_it_answers_options_and_each_change_is_told_once() {
    let watched = Trunk { check: Some(30 * SECOND), ..trunk("carrier", &[FAR]) };
    let mut scene = Scene::new(out_by(vec![watched], Vec::new()));
    scene.wait(65 * SECOND);
    scene.dead.push(FAR);
    scene.wait(70 * SECOND);
    scene.dead.clear();
    scene.wait(30 * SECOND);
    let words: Vec<String> = states(&scene).into_iter().map(|(state, why)| state + &why.unwrap_or_default()).collect();
    assert_eq!(words, ["unknown", "up", "downOPTIONS is not answered", "up"]);
    let registers = Some(Registers { domain: "far.example".to_owned(), expires: 600 * SECOND });
    let credentials = Some(crate::control::words::directory::Credentials { user: "u".to_owned(), password: "p".to_owned() });
    let mut scene = Scene::new(out_by(vec![Trunk { registers, credentials, ..trunk("carrier", &[FAR]) }], Vec::new()));
    scene.wait(SECOND);
    assert_eq!(states(&scene).last().unwrap().1.as_deref(), Some("the registrar answers 405"));
}

#[test]
fn s85_a_busy_agents_calls_are_forwarded_and_the_next_one_learns_from_whom() {
    for (busy, no_answer) in [(Some("ben".to_owned()), None), (None, Some("ben".to_owned()))] {
        let mut directory = directory(&["anna", "ben"]);
        let is_busy = busy.is_some();
        forward(&mut directory, "anna", Forward { busy, no_answer, after: 15 * SECOND, ..Forward::default() });
        let mut scene = Scene::new(directory);
        scene.dial("anna");
        assert!(line(&scene).contains("sip:anna@") && scene.invites.len() == 1);
        assert_eq!(header(&scene.invites[0], "Diversion"), None);
        if is_busy {
            refuse(&mut scene, 486)
        } else {
            scene.wait(16 * SECOND)
        }
        assert!(line(&scene).contains("sip:ben@"), "{}", line(&scene));
        let reason = if is_busy { "user-busy" } else { "no-answer" };
        let diversion = header(scene.invites.last().unwrap(), "Diversion").unwrap();
        assert_eq!(diversion, format!("<sip:anna@center.example>;reason={reason};counter=1"));
        assert!(header(scene.invites.last().unwrap(), "History-Info").unwrap().contains("sip:ben@10.0.0.1"));
        scene.agent_answers();
        assert_eq!(scene.count("call.bridged"), 1);
        let answered: Vec<_> =
            scene.happened.iter().filter(|(port, told)| *port == CALLER && matches!(told, Happening::Answered { .. })).collect();
        assert_eq!(answered.len(), 1);
    }
}

#[test]
fn s85_two_who_forward_to_each_other_ring_once_and_end() {
    let mut directory = directory(&["anna", "ben"]);
    for (who, to) in [("anna", "ben"), ("ben", "anna")] {
        forward(&mut directory, who, Forward { always: Some(to.to_owned()), ..Forward::default() });
    }
    let mut scene = Scene::new(directory);
    scene.dial("anna");
    assert_eq!(scene.invites.len(), 1);
    refuse(&mut scene, 486);
    assert_eq!(scene.refused(), Some(486));
    scene.assert_at_rest();
}

fn ring_group(how: Ringing, otherwise: Option<&str>) -> Directory {
    let mut directory = directory(&["anna", "ben"]);
    let members = vec!["anna".to_owned(), "ben".to_owned()];
    let otherwise = otherwise.map(str::to_owned);
    let group = RingGroup { name: "sales".to_owned(), number: "2100".to_owned(), members, how, srtp: None, ring: 10 * SECOND, otherwise };
    directory.numbers.push(Number { pattern: "2100".to_owned(), target: Target::Ring("sales".to_owned()) });
    directory.rings.insert("sales".to_owned(), group);
    directory
}

#[test]
fn s85_a_ring_group_rings_all_at_once_and_has_one_winner() {
    let mut scene = Scene::new(ring_group(Ringing::Together, None));
    let caller = scene.dial("2100");
    assert_eq!(scene.invites.len(), 2);
    let winner = scene.agent_answers();
    let cancelled = scene.happened.iter().filter(|(_, told)| matches!(told, Happening::Cancelled { leg } if *leg != winner)).count();
    assert_eq!((cancelled, scene.count("call.bridged")), (1, 1));
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s85_a_ring_group_in_turn_goes_from_one_to_the_next_and_at_last_elsewhere() {
    let mut scene = Scene::new(ring_group(Ringing::InTurn, Some("4001010")));
    let caller = scene.dial("2100");
    assert!(line(&scene).contains("sip:anna@") && scene.invites.len() == 1);
    refuse(&mut scene, 486);
    assert!(line(&scene).contains("sip:ben@") && scene.invites.len() == 2);
    scene.wait(11 * SECOND);
    assert_eq!((scene.count("call.answered"), scene.count("session.node") > 0), (1, true), "the plan has the caller");
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s85_a_ring_group_that_nobody_answers_is_not_there() {
    let mut scene = Scene::new(ring_group(Ringing::Together, None));
    scene.dial("2100");
    scene.wait(11 * SECOND);
    assert_eq!(scene.refused(), Some(408));
    scene.assert_at_rest();
}

#[test]
fn s85_a_phone_that_sends_its_calls_on_is_followed_and_a_trunk_that_does_is_not() {
    let mut scene = Scene::new(directory(&["anna", "ben"]));
    scene.dial("anna");
    let move_on = |scene: &mut Scene, to: &str| {
        let leg = scene.happened.iter().rev().find_map(|(_, told)| if let Happening::Invited(it) = told { Some(it.leg) } else { None });
        scene.agent.refuse(scene.now, leg.expect("it rings"), 302, &[("Contact", to)]);
        scene.run();
    };
    move_on(&mut scene, "<sip:ben@10.0.0.1>");
    assert!(line(&scene).contains("sip:ben@"), "{}", line(&scene));
    let diversion = header(scene.invites.last().unwrap(), "Diversion").unwrap();
    assert_eq!(diversion, "<sip:anna@center.example>;reason=deflection;counter=1");
    for turn in 0..10 {
        move_on(&mut scene, if turn % 2 == 0 { "<sip:anna@center.example>" } else { "<sip:ben@center.example>" });
        if scene.refused().is_some() {
            break;
        }
    }
    assert_eq!((scene.refused(), scene.invites.len()), (Some(302), 6), "two who send it to each other end");
    scene.assert_at_rest();
    let mut scene = Scene::new(out_by(vec![trunk("carrier", &[FAR])], Vec::new()));
    scene.dial("anna");
    move_on(&mut scene, "<sip:4001010@center.example>");
    assert_eq!((scene.refused(), scene.invites.len()), (Some(302), 1));
    scene.assert_at_rest();
}

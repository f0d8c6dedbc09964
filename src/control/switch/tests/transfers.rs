//! Transfers that phones ask for: whoever is sent where, the customer keeps one session and one recording.

use super::*;
use crate::control::words::directory::Ha1;

/// The customer waits in a line and talks with an agent; the agent's own leg.
fn talking(agents: &[&str]) -> (Scene, LegId, LegId) {
    let mut scene = Scene::new(directory(agents));
    let caller = scene.dial("7000");
    scene.wait(Duration::from_secs(1));
    let agent = scene.agent_answers();
    assert_eq!(scene.count("call.bridged"), 1);
    (scene, caller, agent)
}

fn progress(scene: &Scene, leg: LegId) -> Vec<u16> {
    let of_leg = |happened: &(u16, Happening)| match happened.1 {
        Happening::TransferProgress { leg: told, status } if told == leg => Some(status),
        _ => None,
    };
    scene.happened.iter().filter_map(of_leg).collect()
}

fn is_hung_up(scene: &Scene, leg: LegId) -> bool {
    scene.happened.iter().any(|(_, happening)| *happening == Happening::HungUp { leg })
}

/// The last call that rang at the desk, and what is done with it.
fn rung(scene: &Scene) -> Invited {
    let rings = |happened: &(u16, Happening)| match &happened.1 {
        Happening::Invited(invited) if happened.0 == AGENT => Some((**invited).clone()),
        _ => None,
    };
    scene.happened.iter().rev().find_map(rings).expect("a phone rings")
}

/// Whom the caller hears and who hears him, by the last word about each.
fn hears(scene: &Scene, ear: LegId, mouth: LegId) -> bool {
    let last = scene.media.iter().rev().find_map(|command| match command {
        Command::Hear { ear: an_ear, mouth: a_mouth, gain } if (*an_ear, *a_mouth) == (ear, mouth) => Some(*gain > 0.0),
        _ => None,
    });
    last.unwrap_or(false)
}

fn opened(scene: &Scene) -> Vec<LegId> {
    scene.media.iter().filter_map(|command| if let Command::OpenLeg { leg, .. } = command { Some(*leg) } else { None }).collect()
}

const ELSEWHERE: &str = "sip:elsewhere@10.0.0.1:5080";

#[test]
fn s42_a_blind_transfer_keeps_the_agent_informed_and_the_recording_running() {
    let (mut scene, caller, agent) = talking(&["anna"]);
    scene.agent.refer(scene.now, agent, ELSEWHERE);
    scene.run();
    assert_eq!(progress(&scene, agent), [100]);
    assert!(!is_hung_up(&scene, agent), "he stays until somebody answers");
    let ringing = rung(&scene).leg;
    scene.agent.ring(scene.now, ringing, 180, None);
    scene.run();
    scene.agent_answers();
    assert_eq!(progress(&scene, agent), [100, 180, 200]);
    assert!(is_hung_up(&scene, agent));
    assert_eq!(scene.count("call.bridged"), 2);
    let (ours, far) = (opened(&scene)[0], *opened(&scene).last().unwrap());
    assert!(hears(&scene, ours, far) && hears(&scene, far, ours));
    assert_eq!((scene.count("recording.started"), scene.count("session.created")), (1, 1));
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    scene.assert_at_rest();
}

#[test]
fn s42_a_blind_transfer_that_nobody_takes_gives_the_caller_back() {
    let (mut scene, _, agent) = talking(&["anna"]);
    scene.agent.refer(scene.now, agent, ELSEWHERE);
    scene.run();
    let (ours, theirs) = (opened(&scene)[0], opened(&scene)[1]);
    assert!(!hears(&scene, ours, theirs), "the caller hears the ringing tone alone");
    let busy = rung(&scene).leg;
    scene.agent.refuse(scene.now, busy, 486, &[]);
    scene.run();
    assert_eq!(progress(&scene, agent), [100, 486]);
    assert!(hears(&scene, ours, theirs) && hears(&scene, theirs, ours));
    scene.agent.hang_up(scene.now, agent, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("agent_hung_up"));
    scene.assert_at_rest();
}

#[test]
fn s42_an_agent_who_does_not_wait_for_his_transfer_is_free_at_once() {
    let (mut scene, caller, agent) = talking(&["anna"]);
    scene.agent.refer(scene.now, agent, ELSEWHERE);
    scene.run();
    scene.agent.hang_up(scene.now, agent, &[]);
    scene.run();
    assert_eq!(scene.switch.audit(scene.now).busy, []);
    scene.agent_answers();
    assert_eq!((scene.count("call.bridged"), scene.ending()), (2, None));
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s42_the_caller_who_leaves_during_a_transfer_frees_everybody() {
    let (mut scene, caller, agent) = talking(&["anna"]);
    scene.agent.refer(scene.now, agent, ELSEWHERE);
    scene.run();
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    assert!(is_hung_up(&scene, agent));
    scene.assert_at_rest();
}

/// The agent asks a colleague by a call of his own: his leg of it.
fn consulting(scene: &mut Scene) -> LegId {
    scene.agent_dials("sip:ben@center.example")
}

#[test]
fn s42_an_attended_transfer_makes_one_call_of_two() {
    let (mut scene, caller, agent) = talking(&["anna", "ben"]);
    let consult = consulting(&mut scene);
    let ben = scene.agent_answers();
    assert_eq!(scene.count("session.created"), 2);
    let recordings = scene.count("recording.started");
    let first = opened(&scene)[0];
    scene.agent.refer_into(scene.now, agent, consult);
    scene.run();
    assert_eq!(progress(&scene, agent), [100, 200]);
    assert!(is_hung_up(&scene, agent) && is_hung_up(&scene, consult) && !is_hung_up(&scene, ben));
    scene.agent_takes_offer(ben);
    let guest = *opened(&scene).last().unwrap();
    assert!(hears(&scene, first, guest) && hears(&scene, guest, first));
    assert_eq!(scene.count("recording.started"), recordings, "the customer's recording goes on");
    assert_eq!((scene.count("session.closed"), scene.ending()), (1, Some("transferred")));
    assert_eq!(scene.switch.audit(scene.now).calls, 1);
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    assert!(is_hung_up(&scene, ben));
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    scene.assert_at_rest();
}

#[test]
fn s42_an_attended_transfer_may_be_asked_for_in_either_call() {
    let (mut scene, caller, agent) = talking(&["anna", "ben"]);
    let consult = consulting(&mut scene);
    let ben = scene.agent_answers();
    scene.agent.refer_into(scene.now, consult, agent);
    scene.run();
    assert_eq!(progress(&scene, consult), [100, 200]);
    scene.agent_takes_offer(ben);
    assert_eq!((scene.count("session.closed"), scene.ending()), (1, Some("transferred")));
    scene.agent.hang_up(scene.now, ben, &[]);
    scene.run();
    assert!(scene.happened.contains(&(CALLER, Happening::HungUp { leg: caller })));
    scene.assert_at_rest();
}

/// Anna's phone calls ben's and then somebody whom she must prove herself to call: her legs of both, and theirs.
fn calling_out() -> (Scene, LegId, LegId) {
    let mut directory = directory(&["anna", "ben"]);
    directory.agents.get_mut(&AgentId::of_name("anna")).unwrap().ha1 = Ha1::of_password("anna", &directory.domain, "anna");
    let mut scene = Scene::new(directory);
    let anna = scene.agent_dials_as("anna", "sip:ben@center.example");
    let ben = scene.agent_answers();
    assert_eq!(scene.count("call.bridged"), 1);
    (scene, anna, ben)
}

#[test]
fn s42_an_agent_who_calls_a_colleague_is_offered_nobody_until_he_hangs_up() {
    let (mut scene, anna, ben) = calling_out();
    let busy = scene.switch.audit(scene.now).busy.len();
    let rung = scene.invites.len();
    let caller = scene.dial("7000");
    scene.wait(Duration::from_secs(2));
    assert_eq!((busy, scene.invites.len()), (2, rung), "both are on the phone");
    scene.agent.hang_up(scene.now, anna, &[]);
    scene.run();
    assert!(is_hung_up(&scene, ben) && scene.invites.len() == rung + 1, "one of them is rung at once");
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s42_an_agent_sends_on_whom_he_called_and_has_him_back_when_nobody_is_there() {
    let (mut scene, anna, ben) = calling_out();
    for status in [Some(486), None] {
        scene.agent.refer(scene.now, anna, "sip:4001010@10.0.0.1:5090");
        scene.run();
        let rings = rung(&scene).leg;
        if let Some(status) = status {
            scene.agent.refuse(scene.now, rings, status, &[]);
            scene.run();
            assert_eq!(progress(&scene, anna), [100, 486]);
            assert!(!is_hung_up(&scene, anna) && !is_hung_up(&scene, ben));
        }
    }
    let other = scene.agent_answers();
    assert!(is_hung_up(&scene, anna) && !is_hung_up(&scene, ben));
    let legs = opened(&scene);
    let (ours, theirs) = (legs[1], *legs.last().unwrap());
    assert!(hears(&scene, ours, theirs) && hears(&scene, theirs, ours));
    let from = scene.invites.last().unwrap().lines().find(|line| line.starts_with("From: ")).unwrap().to_owned();
    assert!(from.contains("sip:ben@center.example"), "the third one sees with whom he talks: {from}");
    assert_eq!(scene.count("session.created"), 1);
    assert_eq!(scene.switch.audit(scene.now).busy, [AgentId::of_name("ben")], "he is still on the phone, and she is not");
    scene.agent.hang_up(scene.now, ben, &[]);
    scene.run();
    assert!(is_hung_up(&scene, other));
    scene.assert_at_rest();
}

#[test]
fn s42_whom_an_agent_called_may_be_sent_to_a_plan_and_a_caller_sends_nobody_anywhere() {
    let (mut scene, anna, ben) = calling_out();
    scene.agent.refer(scene.now, anna, "sip:4001010@center.example");
    scene.run();
    assert!(is_hung_up(&scene, anna) && scene.count("session.node") > 0, "the plan speaks with him");
    scene.agent.hang_up(scene.now, ben, &[]);
    scene.run();
    scene.assert_at_rest();
    let (mut scene, caller, agent) = talking(&["anna"]);
    scene.caller.refer(scene.now, caller, ELSEWHERE);
    scene.run();
    assert_eq!(progress(&scene, caller), [100, 404]);
    assert!(!is_hung_up(&scene, agent) && scene.invites.len() == 1);
}

#[test]
fn s42_an_agent_who_called_both_joins_them() {
    let (mut scene, anna, ben) = calling_out();
    let consult = scene.agent_dials_as("anna", "sip:ben@10.0.0.1:5060");
    let third = scene.agent_answers();
    scene.agent.refer_into(scene.now, anna, consult);
    scene.run();
    assert_eq!(progress(&scene, anna), [100, 200]);
    assert!(is_hung_up(&scene, anna) && is_hung_up(&scene, consult));
    scene.agent_takes_offer(third);
    let legs = opened(&scene);
    let (ours, theirs) = (legs[1], *legs.last().unwrap());
    assert!(hears(&scene, ours, theirs) && hears(&scene, theirs, ours));
    scene.agent.hang_up(scene.now, third, &[]);
    scene.run();
    assert!(is_hung_up(&scene, ben));
    scene.assert_at_rest();
}

#[test]
fn s42_a_transferred_phone_that_refuses_the_new_description_is_lost_and_nothing_is_left() {
    let (mut scene, _, agent) = talking(&["anna", "ben"]);
    let consult = consulting(&mut scene);
    let ben = scene.agent_answers();
    scene.agent.refer_into(scene.now, agent, consult);
    scene.run();
    scene.agent.refuse_offer(scene.now, ben, 488, &[]);
    scene.run();
    assert!(is_hung_up(&scene, ben));
    scene.assert_at_rest();
}

#[test]
fn s42_an_attended_transfer_of_a_call_that_only_rings_is_declined() {
    let (mut scene, caller, agent) = talking(&["anna", "ben"]);
    let consult = consulting(&mut scene);
    scene.agent.refer_into(scene.now, agent, consult);
    scene.run();
    assert_eq!(progress(&scene, agent), [] as [u16; 0], "the phone has no dialog to name yet");
    scene.agent.hang_up(scene.now, consult, &[]);
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s42_a_new_call_takes_the_place_of_the_agents_by_replaces() {
    let (mut scene, caller, agent) = talking(&["anna"]);
    let first = opened(&scene)[0];
    // The colleague's phone was told of the dialog by the agent's phone, as RFC 3891 has it.
    let invite = scene.invites.last().unwrap().clone();
    let field = |name: &str| invite.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let theirs = rung(&scene).call_id;
    assert_eq!(theirs, field("Call-ID: "));
    let to_tag = field("From: ").split(";tag=").nth(1).unwrap().to_owned();
    let answer = scene.sent.iter().rev().find(|message| message.starts_with("SIP/2.0 200 OK") && message.contains("CSeq: 1 INVITE"));
    let line = answer.unwrap().lines().find(|line| line.starts_with("To: ")).unwrap();
    let from_tag = line.split(";tag=").nth(1).unwrap().to_owned();
    let leg = scene.agent.new_leg(scene.now);
    let outgoing = Outgoing {
        target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
        request_uri: "sip:anybody@center.example".to_owned(),
        from: "<sip:colleague@phones.example>".to_owned(),
        to: "<sip:anybody@center.example>".to_owned(),
        headers: vec![("Replaces".to_owned(), format!("{theirs};to-tag={to_tag};from-tag={from_tag}"))],
        sdp: sdp::offer(&local(43_000)),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    scene.agent.invite(scene.now, leg, outgoing);
    scene.run();
    assert!(is_hung_up(&scene, agent) && !is_hung_up(&scene, leg));
    let new = *opened(&scene).last().unwrap();
    assert!(hears(&scene, first, new) && hears(&scene, new, first));
    assert_eq!((scene.count("session.created"), scene.count("recording.started")), (1, 1));
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s85_what_the_network_says_of_a_call_is_kept_and_reaches_the_agents_phone() {
    let mut scene = Scene::new(directory(&["anna"]));
    let leg = scene.caller.new_leg(scene.now);
    let said = [
        ("Diversion", "<sip:95500@old.example>;reason=no-answer"),
        ("History-Info", "<sip:95500@old.example>;index=1"),
        ("Privacy", "id"),
        ("User-to-User", "00c0ffee;encoding=hex"),
        ("P-Asserted-Identity", "<sip:anybody@h>"),
    ];
    let outgoing = Outgoing {
        target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
        request_uri: "sip:7000@center.example".to_owned(),
        from: "<sip:13800138000@phones.example>".to_owned(),
        to: "<sip:7000@center.example>".to_owned(),
        headers: said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        sdp: sdp::offer(&local(30_000)),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    scene.caller.invite(scene.now, leg, outgoing);
    scene.run();
    scene.wait(Duration::from_secs(1));
    let kept =
        scene.facts.iter().find_map(|fact| if let Fact::CallStarted { signalled, .. } = fact { Some(signalled.clone()) } else { None });
    let names: Vec<String> = kept.unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Diversion", "History-Info", "Privacy", "User-to-User"], "nobody vouches for a stranger's assertion");
    let invite = scene.invites.last().unwrap();
    for line in ["Diversion: <sip:95500@old.example>;reason=no-answer", "User-to-User: 00c0ffee;encoding=hex", "Privacy: id"] {
        assert!(invite.contains(&format!("\r\n{line}\r\n")), "{line}\n{invite}");
    }
}

#[test]
fn a_line_written_on_the_phone_stands_on_the_timeline() {
    let (mut scene, _, _) = talking(&["anna"]);
    let ack = scene.sent.iter().find(|message| message.starts_with("ACK ")).unwrap();
    let head = ack.replacen("ACK ", "MESSAGE ", 1).replace("CSeq: 1 ACK", "CSeq: 7 MESSAGE").replace("branch=z9hG4bK", "branch=z9hG4bKm");
    let text = head.replace("Content-Length: 0\r\n\r\n", "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\n京A12345");
    scene.input(Input::Sip(received(CALLER, text.into())));
    let said = scene.facts.iter().filter(|fact| matches!(fact, Fact::MessageCreated { .. })).map(|fact| format!("{fact:?}"));
    assert!(said.into_iter().any(|fact| fact.contains("京A12345")));
}

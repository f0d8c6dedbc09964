//! Calls to the outside that cost somebody something: who pays, and when they are cut.

use super::*;
use crate::control::toll::Payer;
use crate::control::words::directory::Forward;
use crate::control::words::outbound::{Allowance, Outbound};
use crate::control::words::sip::{Secrecy, Whereabouts};
use crate::control::words::trunk::Trunk;

const SECOND: Duration = Duration::from_secs(1);
/// The trunk's far end, which leads to the agent's phone.
const FAR: u16 = 5090;

/// Ben's calls go out over a trunk, at one a minute.
fn ben_forwards(agent: Allowance) -> Directory {
    let host = Whereabouts { host: "10.0.0.1".to_owned(), port: Some(FAR), transport: None, secrecy: Secrecy::Any };
    let mut directory = directory(&["anna", "ben"]);
    directory.trunks.insert("carrier".to_owned(), Trunk { sources: Vec::new(), ..Trunk::at("carrier", host) });
    directory.agents.get_mut(&AgentId::of_name("ben")).unwrap().forward = Forward { always: Some("9555".to_owned()), ..Forward::default() };
    directory.outbound = Outbound { rates: vec![("9".to_owned(), 1)], agent, ..Outbound::default() };
    directory
}

fn ben() -> String {
    Payer::Agent(AgentId::of_name("ben")).to_string()
}

fn cuts(scene: &Scene) -> Vec<(String, String)> {
    let cut = |fact: &Fact| if let Fact::CallCut { payer, why, .. } = fact { Some((payer.clone(), why.clone())) } else { None };
    scene.facts.iter().filter_map(cut).collect()
}

fn is_hung_up(scene: &Scene, leg: LegId) -> bool {
    scene.happened.iter().any(|(_, happening)| *happening == Happening::HungUp { leg })
}

#[test]
fn s85_whoever_forwards_pays_and_his_call_is_cut_before_the_minute_he_cannot_pay() {
    let mut scene = Scene::new(ben_forwards(Allowance { a_day: Some(2), ..Allowance::default() }));
    let caller = scene.dial("ben");
    let far = scene.agent_answers();
    scene.wait(118 * SECOND);
    assert!(!is_hung_up(&scene, far) && cuts(&scene).is_empty());
    scene.wait(2 * SECOND);
    assert!(is_hung_up(&scene, far) && is_hung_up(&scene, caller));
    assert_eq!((cuts(&scene), scene.ending()), (vec![(ben(), "spent".to_owned())], Some("cut_spent")));
    let again = scene.dial("ben");
    assert!(scene.happened.contains(&(CALLER, Happening::Refused { leg: again, status: 403 })));
    scene.assert_at_rest();
}

#[test]
fn s85_a_call_out_ends_after_the_longest_time_and_the_plan_goes_on() {
    let mut directory = ben_forwards(Allowance::default());
    directory.outbound.longest = Some(30 * SECOND);
    let mut scene = Scene::new(directory);
    let caller = scene.dial("7000");
    scene.wait(SECOND);
    let anna = scene.agent_answers();
    scene.agent.refer(scene.now, anna, "sip:9555@center.example");
    scene.run();
    let far = scene.agent_answers();
    scene.wait(29 * SECOND);
    assert!(!is_hung_up(&scene, far));
    scene.wait(SECOND);
    assert!(is_hung_up(&scene, far) && is_hung_up(&scene, caller));
    let anna = Payer::Agent(AgentId::of_name("anna")).to_string();
    assert_eq!(cuts(&scene), [(anna, "too_long".to_owned())], "she sent the caller outside");
    scene.assert_at_rest();
}

#[test]
fn s42_an_attended_transfer_to_the_outside_is_paid_and_limited_as_before() {
    let mut scene = Scene::new(ben_forwards(Allowance { a_day: Some(1), ..Allowance::default() }));
    let caller = scene.dial("7000");
    scene.wait(SECOND);
    let anna = scene.agent_answers();
    let consult = scene.agent_dials("sip:ben@center.example");
    let far = scene.agent_answers();
    scene.agent.refer_into(scene.now, anna, consult);
    scene.run();
    assert_eq!(scene.switch.tolls.running(), 1, "the call outside goes on in the customer's call");
    scene.agent_takes_offer(far);
    scene.wait(58 * SECOND);
    assert!(!is_hung_up(&scene, far));
    scene.wait(2 * SECOND);
    assert!(is_hung_up(&scene, far) && is_hung_up(&scene, caller));
    assert_eq!((cuts(&scene), scene.switch.tolls.running()), (vec![(ben(), "spent".to_owned())], 0));
    scene.assert_at_rest();
}

#[test]
fn s85_a_desk_phone_at_a_fixed_address_is_known_by_it_and_calls_out_at_its_agents_cost() {
    let mut scene = Scene::new(ben_forwards(Allowance { at_once: Some(1), ..Allowance::default() }));
    let stranger = scene.agent_dials("sip:9555@center.example");
    assert!(scene.happened.contains(&(AGENT, Happening::Refused { leg: stranger, status: 403 })));
    let anna = scene.agent_dials_as("anna", "sip:9555@center.example");
    assert!(scene.invites.last().is_some_and(|invite| invite.starts_with("INVITE sip:9555@")));
    let second = scene.agent_dials_as("anna", "sip:9555@center.example");
    assert!(scene.happened.contains(&(AGENT, Happening::Refused { leg: second, status: 403 })), "she has one call already");
    scene.agent.hang_up(scene.now, anna, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s37_an_agent_at_home_is_rung_at_his_own_telephone_over_the_trunk() {
    let mut directory = ben_forwards(Allowance { at_once: Some(0), ..Allowance::default() });
    directory.agents.remove(&AgentId::of_name("ben"));
    directory.agents.get_mut(&AgentId::of_name("anna")).unwrap().phone.uri = Some("tel:9138".to_owned());
    let mut scene = Scene::new(directory);
    let caller = scene.dial("7000");
    scene.wait(SECOND);
    let invite = scene.invites.last().expect("it rings at home").clone();
    assert!(invite.starts_with("INVITE sip:9138@10.0.0.1:5090") && invite.contains("User-to-User: "), "{invite}");
    scene.agent_answers();
    assert_eq!((scene.count("call.bridged"), scene.count("session.assigned")), (1, 1));
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s85_a_carrier_is_told_who_calls_when_nobody_else_may_know() {
    let mut scene = Scene::new(ben_forwards(Allowance::default()));
    let call = |scene: &mut Scene, headers: &[(&str, &str)]| {
        scene.agent_dials_with("anna", "sip:9555@center.example", headers);
        scene.invites.last().expect("it goes out").clone()
    };
    let open = call(&mut scene, &[]);
    assert!(open.contains("From: <sip:anna@center.example>") && !open.contains("P-Asserted-Identity"), "{open}");
    let private = call(&mut scene, &[("Privacy", "id")]);
    assert!(private.contains("From: \"Anonymous\" <sip:anonymous@anonymous.invalid>"), "{private}");
    assert!(private.contains("P-Asserted-Identity: <sip:anna@center.example>\r\nPrivacy: id\r\n"), "{private}");
}

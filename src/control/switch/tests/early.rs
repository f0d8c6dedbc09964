//! A plan speaks before it answers: prompts as early media, 200 when it first needs the caller, 480 when it never does.

use super::*;
use crate::control::dialplan::{Source, load};
use crate::control::words::directory::{Number, Target};

/// A plan that answers when it must; what it does after its notice follows.
const FRAME: &str = r#"
dialplan: 1
id: early
title: Early
languages: [en-US]
numbers: ["4100"]
start: main
defaults: {answer: when_needed, match: local, no_input: {after: 5s, tries: 1, then: end}, no_match: {tries: 2, then: end}, error: end}
nodes:
  main:
    - say: "We are closed today."
"#;
const NOTICE: &str = r#"
    - hangup: "Call again tomorrow."
"#;
const MENU: &str = r#"
    - menu:
        prompt: "What shall it be?"
        options:
          - {key: 1, goto: late, label: "the hours", examples: {en-US: [when do you open, opening hours please, your hours]}}
          - {key: 2, goto: late, label: "the address", examples: {en-US: [where are you, your address please, how do I find you]}}
  late:
    - hangup: "We open at nine."
"#;
const QUEUE: &str = r#"
    - queue: {to: claims, overflow: [{after: 30s, goto: late}]}
    - hangup: "Goodbye."
  late:
    - hangup: "Nobody was free."
"#;
const CALLBACK: &str = r#"
    - callback: {queue: claims, number: "02155500"}
    - hangup: "We will call you."
"#;
const TRANSFER: &str = r#"
    - transfer: {to: "anna", ring: 20s, on_busy: late, on_no_answer: late, on_failed: late}
  late:
    - hangup: "She cannot be had."
"#;
const UNRECORDED: &str = r#"
    - record: false
    - menu:
        prompt: "What shall it be?"
        options:
          - {key: 1, goto: late, label: "the hours", examples: {en-US: [when do you open, opening hours please, your hours]}}
          - {key: 2, goto: late, label: "the address", examples: {en-US: [where are you, your address please, how do I find you]}}
  late:
    - record: true
    - leave_message: {mode: ticket, need: {any_of: [phone]}, max: 20s}
    - hangup: "Goodbye."
"#;

fn center(plan: &str) -> Scene {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let text = format!("{}{}", FRAME.trim_end(), plan);
    let loaded = load(&[source("desk.yaml", DESK), source("early.yaml", &text)], &Default::default());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    let number = Number { pattern: "4100".to_owned(), target: Target::Plan("early".to_owned()) };
    Scene::new(Directory { plans: loaded.plans, numbers: vec![number], ..directory(&["anna"]) })
}

/// What the caller's phone was told of its INVITE: provisional answers with a description, and the final one.
fn told(scene: &Scene) -> Vec<u16> {
    let status = |(port, told): &(u16, Happening)| match told {
        Happening::Progress { status, sdp: Some(_), .. } if *port == CALLER => Some(*status),
        Happening::Progress { status, sdp: None, .. } if *port == CALLER => Some(*status + BARE),
        Happening::Answered { .. } if *port == CALLER => Some(200),
        Happening::Refused { status, .. } if *port == CALLER => Some(*status),
        _ => None,
    };
    scene.happened.iter().filter_map(status).collect()
}

/// Marks a provisional answer without a description.
const BARE: u16 = 1_000;

fn says(scene: &Scene, words: &str) -> bool {
    matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text == words)
}

fn listens(scene: &Scene) -> bool {
    scene.media.iter().any(|command| matches!(command, Command::Listen { .. }))
}

/// The status and the verdict the log has of the call.
fn ended(scene: &Scene) -> Option<(u16, String)> {
    scene.facts.iter().find_map(|fact| match fact {
        Fact::CallEnded { sip_status, ending, .. } => Some((*sip_status, ending.clone())),
        _ => None,
    })
}

/// The agent's leg that rings.
fn rung(scene: &Scene) -> LegId {
    let rings = scene.happened.iter().find_map(|(port, told)| match told {
        Happening::Invited(invited) if *port == AGENT => Some(invited.leg),
        _ => None,
    });
    rings.expect("she is rung")
}

/// The caller hangs up, and nothing is left.
fn over(scene: &mut Scene, call: LegId) {
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    scene.assert_at_rest();
}

fn press(scene: &mut Scene, key: char) {
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key, way: media::KeyWay::Event }));
}

#[test]
fn s35_a_notice_is_heard_before_the_call_is_refused_and_nobody_pays_for_it() {
    let mut scene = center(NOTICE);
    scene.dial("4100");
    assert_eq!(told(&scene), [183]);
    assert!(says(&scene, "We are closed today."), "{:?}", scene.last_play());
    scene.wait(Duration::from_secs(2));
    assert_eq!(told(&scene), [183], "it waits for the end of the prompt");
    scene.finish_play();
    assert_eq!(told(&scene), [183, 480]);
    assert_eq!(ended(&scene), Some((480, "not_answered".to_owned())));
    assert_eq!(scene.ending(), Some("not_answered"));
    let closed = scene.facts.iter().find_map(|fact| match fact {
        Fact::SessionClosed { contained, disposition, .. } => Some((*contained, disposition.as_str())),
        _ => None,
    });
    assert_eq!(closed, Some((true, "contained")));
    assert_eq!((scene.count("call.answered"), scene.count("recording.started")), (0, 0));
    scene.assert_at_rest();
}

#[test]
fn s35_a_call_is_answered_when_its_plan_asks_and_what_was_said_before_cost_nothing() {
    let mut scene = center(MENU);
    let call = scene.dial("4100");
    assert!(says(&scene, "We are closed today."), "{:?}", scene.last_play());
    assert_eq!((told(&scene), listens(&scene)), (vec![183], false));
    scene.finish_play();
    assert_eq!(told(&scene), [183, 200]);
    assert!(says(&scene, "What shall it be?") && listens(&scene));
    assert_eq!((scene.count("call.answered"), scene.count("recording.started")), (1, 1));
    let sdps = scene.happened.iter().filter_map(|(port, told)| match told {
        Happening::Progress { sdp, .. } if *port == CALLER => sdp.clone(),
        Happening::Answered { sdp, .. } if *port == CALLER => Some(sdp.clone()),
        _ => None,
    });
    let sdps: Vec<_> = sdps.collect();
    assert_eq!(sdps[0], sdps[1], "the same agreement");
    press(&mut scene, '1');
    assert!(says(&scene, "We open at nine."));
    scene.finish_play();
    assert_eq!((scene.ending(), ended(&scene)), (Some("contained"), Some((200, "contained".to_owned()))));
    assert!(scene.happened.contains(&(CALLER, Happening::HungUp { leg: call })));
    scene.assert_at_rest();
}

#[test]
fn s35_a_key_in_early_media_counts_and_needs_no_answer() {
    let mut scene = center(MENU);
    scene.dial("4100");
    press(&mut scene, '2');
    assert!(says(&scene, "We open at nine."), "{:?}", scene.last_play());
    assert_eq!(told(&scene), [183], "the menu was answered before it was put");
    scene.finish_play();
    assert_eq!(told(&scene), [183, 480]);
    scene.assert_at_rest();
}

/// A plan that never ends by itself.
const ENDLESS: &str = r#"
    - play: music
      times: forever
"#;

#[test]
fn s35_who_hears_the_notice_may_be_called_back_at_the_number_that_the_plan_names() {
    let mut scene = center(CALLBACK);
    scene.dial("4100");
    scene.finish_play();
    scene.finish_play();
    let promised = scene.facts.iter().find_map(|fact| match fact {
        Fact::CallbackPromised { address, why, .. } => Some((address.as_str(), why.as_str())),
        _ => None,
    });
    assert_eq!((promised, told(&scene)), (Some(("02155500", "plan")), vec![183, 480]));
    scene.assert_at_rest();
}

#[test]
fn s35_a_plan_that_speaks_without_end_before_it_answers_is_ended_with_its_reason_and_one_that_answers_in_time_is_not() {
    let mut scene = center(ENDLESS);
    scene.dial("4100");
    scene.wait(Duration::from_secs(160));
    assert_eq!(told(&scene), [183]);
    scene.wait(Duration::from_secs(20));
    assert_eq!((told(&scene), ended(&scene)), (vec![183, 480], Some((480, "not_answered".to_owned()))));
    let why = scene.facts.iter().find_map(|fact| match fact {
        Fact::Understood { text, decision, .. } if decision == "plan_failed" => Some(text.as_str()),
        _ => None,
    });
    assert!(why.is_some_and(|why| why.contains("170 s") && why.contains("let it answer")), "{why:?}");
    scene.assert_at_rest();

    let mut scene = center(QUEUE);
    let call = scene.dial("4100");
    scene.finish_play();
    scene.agent_answers();
    scene.wait(Duration::from_secs(178));
    assert_eq!((told(&scene), scene.ending()), (vec![183, 200], None), "an answered call lasts as long as it lasts");
    over(&mut scene, call);
}

#[test]
fn s35_a_caller_who_gives_up_while_the_notice_plays_gets_487_and_nothing_is_left() {
    let mut scene = center(NOTICE);
    let call = scene.dial("4100");
    scene.wait(Duration::from_secs(1));
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!(told(&scene), [183, 487]);
    assert_eq!((scene.ending(), ended(&scene)), (Some("cancelled"), Some((487, "cancelled".to_owned()))));
    scene.assert_at_rest();
}

#[test]
fn s35_a_caller_who_offers_nothing_yet_is_answered_at_once() {
    let mut scene = center(NOTICE);
    let leg = scene.caller.new_leg(scene.now);
    let outgoing = Outgoing {
        target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
        request_uri: "sip:4100@center.example".to_owned(),
        from: "<sip:13800138000@phones.example>".to_owned(),
        to: "<sip:4100@center.example>".to_owned(),
        headers: Vec::new(),
        sdp: bytes::Bytes::new(),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    scene.caller.invite(scene.now, leg, outgoing);
    scene.run();
    assert_eq!(told(&scene), [200]);
    let offer =
        scene.happened.iter().find_map(|(_, told)| if let Happening::Answered { sdp, .. } = told { Some(sdp.clone()) } else { None });
    let (answer, _) = sdp::answer(&local(30_000), &offer.expect("our offer")).expect("a common codec");
    scene.caller.acknowledge_with(scene.now, leg, answer);
    scene.run();
    assert!(says(&scene, "We are closed today."), "{:?}", scene.last_play());
    scene.finish_play();
    assert_eq!(scene.ending(), Some("contained"));
    scene.assert_at_rest();
}

#[test]
fn s35_who_joins_a_line_is_answered_first_and_hears_the_notice_before() {
    let mut scene = center(QUEUE);
    let call = scene.dial("4100");
    assert_eq!((told(&scene), scene.count("session.queued")), (vec![183], 0));
    scene.finish_play();
    assert_eq!((told(&scene), scene.count("session.queued")), (vec![183, 200], 1));
    scene.agent_answers();
    assert_eq!(scene.count("call.bridged"), 1);
    over(&mut scene, call);
}

#[test]
fn s35_the_answer_of_a_transfers_far_end_answers_the_call() {
    let mut scene = center(TRANSFER);
    let call = scene.dial("4100");
    scene.finish_play();
    let rung = rung(&scene);
    scene.agent.ring(scene.now, rung, 180, None);
    scene.run();
    assert!(matches!(scene.last_play().1[0], Prompt::Tone { .. }), "the caller hears it ring: {:?}", scene.last_play());
    assert_eq!(told(&scene), [183]);
    scene.agent_answers();
    assert_eq!(told(&scene), [183, 200]);
    assert_eq!((scene.count("call.answered"), scene.count("call.bridged")), (1, 1));
    over(&mut scene, call);
}

#[test]
fn s35_a_transfer_that_reaches_nobody_goes_on_early() {
    let mut scene = center(TRANSFER);
    scene.dial("4100");
    scene.finish_play();
    let rung = rung(&scene);
    scene.agent.refuse(scene.now, rung, 486, &[]);
    scene.run();
    assert!(says(&scene, "She cannot be had."), "{:?}", scene.last_play());
    scene.finish_play();
    assert_eq!(told(&scene), [183, 480]);
    assert_eq!(scene.ending(), Some("not_answered"));
    scene.assert_at_rest();
}

#[test]
fn s35_nothing_is_recorded_before_the_answer_and_what_the_plan_said_of_it_holds_then() {
    let mut scene = center(UNRECORDED);
    scene.dial("4100");
    scene.finish_play();
    assert_eq!((told(&scene), scene.count("recording.started")), (vec![183, 200], 0));
    // The message of a caller who knows the menu: the recorder is switched on early and runs from the answer.
    let mut scene = center(UNRECORDED);
    let call = scene.dial("4100");
    press(&mut scene, '1');
    assert_eq!(told(&scene), [183], "{:?}", scene.last_play());
    assert_eq!(scene.count("recording.started"), 0);
    scene.finish_play();
    assert_eq!((told(&scene), scene.count("recording.started")), (vec![183, 200], 1));
    over(&mut scene, call);
}

//! One matter, one ticket, whichever way the customer comes about it again.

use std::collections::BTreeMap;

use super::scene::*;
use super::*;
use crate::control::dialplan::{Source, load};

const REPAIR: &str = r#"
dialplan: 1
id: line
title: Repairs
languages: [en-US]
numbers: ["4001010"]
channels: [web]
start: main
slots:
  room: {type: digits, length: 3, ask: "Which room?"}
nodes:
  main:
    - ask: room
    - ticket: {type: repair, title: "room {room}", fields: {room: "{room}"}, save_as: tk}
    - branch:
        - {if: tk.linked, say: "We are at it, ticket {tk.number}."}
        - {else: true, say: "Taken down, ticket {tk.number}."}
    - hangup: "Bye."
"#;

fn scene(plan: &str) -> Scene {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let loaded = load(&[source("desk.yaml", DESK), source("line.yaml", plan)], &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    Scene::new(Directory { plans: loaded.plans, ..directory(&["anna"]) })
}

/// Calls about a room.
fn call(scene: &mut Scene, room: &str) {
    let leg = scene.dial("4001010");
    for key in room.chars() {
        scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key, way: media::KeyWay::Event }));
    }
    scene.caller.hang_up(scene.now, leg, &[]);
    scene.run();
    scene.media.clear();
    scene.wait(Duration::from_secs(60));
}

/// Numbers of tickets that were opened, and of those that a session was linked to.
fn filed(scene: &Scene) -> (Vec<u64>, Vec<(u64, SessionId)>) {
    let opened = |fact: &Fact| if let Fact::TicketOpened { number, .. } = fact { Some(*number) } else { None };
    let linked = |fact: &Fact| if let Fact::TicketLinked { number, session, .. } = fact { Some((*number, *session)) } else { None };
    (scene.facts.iter().filter_map(opened).collect(), scene.facts.iter().filter_map(linked).collect())
}

#[test]
fn s16_who_comes_again_about_an_open_ticket_is_linked_to_it_by_phone_and_by_chat() {
    let mut scene = scene(REPAIR);
    call(&mut scene, "101");
    call(&mut scene, "101");
    scene.chat(1, "hello", Some("13800138000"));
    scene.chat(2, "101", Some("13800138000"));
    let (opened, linked) = filed(&scene);
    assert_eq!(opened, [1], "no duplicate: {:?}", scene.names());
    assert_eq!(linked.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 1]);
    assert_ne!(linked[0].1, linked[1].1, "the call and the chat");
    let said = |fact: &Fact| match fact {
        Fact::MessageCreated { content: Content::Text { text }, .. } => Some(text.clone()),
        _ => None,
    };
    let words: Vec<String> = scene.facts.iter().filter_map(said).collect();
    assert_eq!(words.iter().filter(|text| text.contains("We are at it, ticket 1.")).count(), 2, "{words:?}");
    call(&mut scene, "202");
    assert_eq!(filed(&scene).0, [1, 2], "another room is another matter, and no number is left out");
}

#[test]
fn s16_a_plan_may_open_a_ticket_each_time() {
    let mut scene = scene(&REPAIR.replace("save_as: tk", "duplicate: new, save_as: tk"));
    call(&mut scene, "101");
    call(&mut scene, "101");
    assert_eq!(filed(&scene), (vec![1, 2], Vec::new()));
}

#[test]
fn s16_a_ticket_that_is_solved_is_no_reason_not_to_open_one() {
    let mut scene = scene(REPAIR);
    call(&mut scene, "101");
    let customer = scene.facts.iter().find_map(|fact| if let Fact::TicketOpened { customer, .. } = fact { Some(*customer) } else { None });
    let solved = AgentCommand::OpenTicketsAre { customer: customer.expect("it was opened for somebody"), tickets: Vec::new() };
    scene.input(Input::Agent(CommandId(99), solved));
    call(&mut scene, "101");
    assert_eq!(filed(&scene), (vec![1, 2], Vec::new()));
}

//! What a plan had begun in other systems is brought to its end without the customer.

use std::collections::BTreeMap;

use super::scene::*;
use super::*;
use crate::control::dialplan::{Source, load};
use crate::control::words::lookup::{Finding, Lookup};

const TWO: &str = r#"
dialplan: 1
id: line
title: Two systems
languages: [en-US]
numbers: ["4001010"]
channels: [web]
start: main
defaults: {error: end}
lookups:
  book: {post: "https://a.test/book", timeout: 2s, pick: {id: $.id}}
  unbook: {delete: "https://a.test/book/{book.id}", timeout: 2s}
  bill: {post: "https://b.test/bill", timeout: 2s}
nodes:
  main:
    - saga: {id: sale, calls: [{do: book, undo: unbook}, bill], retries: 0, failed: end}
    - hangup: ~
"#;

fn scene() -> Scene {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let loaded = load(&[source("desk.yaml", DESK), source("line.yaml", TWO)], &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    Scene::new(Directory { plans: loaded.plans, ..directory(&["anna"]) })
}

/// Answers the last question that went outside.
fn answer(scene: &mut Scene, finding: Finding) {
    let asked = scene.wishes.iter().rev().find_map(|wish| if let Output::Find(id, Lookup::Http { .. }) = wish { Some(*id) } else { None });
    scene.input(Input::Found(asked.expect("something was asked"), finding));
}

fn stages(scene: &Scene) -> Vec<String> {
    let stage = |fact: &Fact| match fact {
        Fact::SagaStage { call, stage, .. } => Some(format!("{} {stage}", call.as_deref().unwrap_or("all"))),
        _ => None,
    };
    scene.facts.iter().filter_map(stage).collect()
}

#[test]
fn s16_a_customer_who_hangs_up_in_the_middle_leaves_no_half_done_work() {
    let mut scene = scene();
    let leg = scene.dial("4001010");
    answer(&mut scene, Finding::Found(serde_json::json!({"id": 5})));
    scene.caller.hang_up(scene.now, leg, &[]);
    scene.run();
    assert_eq!(scene.count("session.closed"), 1);
    answer(&mut scene, Finding::Found(serde_json::Value::Null));
    assert_eq!(stages(&scene), ["book started", "book done", "bill started", "bill done", "all completed"]);
    scene.assert_at_rest();
}

#[test]
fn s16_a_call_that_fails_after_the_customer_has_left_is_undone_all_the_same() {
    let mut scene = scene();
    let leg = scene.dial("4001010");
    answer(&mut scene, Finding::Found(serde_json::json!({"id": 5})));
    scene.caller.hang_up(scene.now, leg, &[]);
    scene.run();
    // No answer at all: the plan's own clock ends the wait.
    scene.wait(Duration::from_secs(4));
    let undo = scene.wishes.iter().rev().find_map(|wish| match wish {
        Output::Find(_, Lookup::Http { method, url, .. }) => Some((*method, url.clone())),
        _ => None,
    });
    assert_eq!(undo, Some(("DELETE", "https://a.test/book/5".to_owned())));
    answer(&mut scene, Finding::Failed("502".to_owned()));
    assert_eq!(stages(&scene)[2..], ["bill started", "bill timed_out", "unbook undoing", "unbook undo_failed", "all stuck"]);
    scene.assert_at_rest();
}

#[test]
fn s16_a_chat_that_is_closed_by_hand_ends_its_work_too() {
    let mut scene = scene();
    scene.chat(1, "hello", None);
    let session = scene.facts.iter().find_map(|fact| if let Fact::SessionCreated { session, .. } = fact { Some(*session) } else { None });
    let close = AgentCommand::Close { session: session.expect("a session"), disposition: None };
    scene.input(Input::Agent(CommandId(9), close));
    assert_eq!(scene.count("session.closed"), 1);
    answer(&mut scene, Finding::Found(serde_json::json!({"id": 5})));
    answer(&mut scene, Finding::Found(serde_json::Value::Null));
    assert_eq!(stages(&scene).last().map(String::as_str), Some("all completed"));
    scene.assert_at_rest();
}

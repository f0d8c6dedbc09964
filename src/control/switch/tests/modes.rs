//! Human first: the robot takes two answers, a person goes on with them, and is advised from the first sentence on.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scene::*;
use super::*;
use crate::control::dialplan::actions::Help;
use crate::control::dialplan::{Source, load};
use crate::control::words::directory::{Number, Target};

const FIRST: &str = r#"
dialplan: 1
id: line
title: Human first
mode: hybrid
languages: [zh-CN]
numbers: ["4001010"]
channels: [web]
start: main
slots:
  wish: {type: text, ask: "您好，请说您需要什么。"}
  more: {type: text, ask: "请问还有什么要求？"}
  rest: {type: text, ask: "还有呢？"}
nodes:
  main: [{ask: [wish, more, rest]}, {goto: human}]
  human: [{queue: {to: claims, context: [slots, transcript], overflow: [{after: 30s, goto: end}]}}]
"#;
const ARTICLES: &str = r#"
knowledge: help
languages: [zh-CN]
articles:
  refund:
    questions: {zh-CN: [退款多久到账, 钱什么时候退给我, 退款要几天]}
    text: {zh-CN: "退款三天内到账。"}
"#;

fn center() -> Directory {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let loaded = load(&[source("desk.yaml", DESK), source("line.yaml", FIRST), source("knowledge/help.yaml", ARTICLES)], &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    let help = Help { actions: Vec::new(), knowledge: Arc::new(loaded.knowledge) };
    let numbers = vec![Number { pattern: "4001010".to_owned(), target: Target::Plan("line".to_owned()) }];
    Directory { plans: loaded.plans, help: Arc::new(help), numbers, ..directory(&["anna"]) }
}

fn suggested(scene: &Scene) -> Vec<String> {
    let text = |fact: &Fact| if let Fact::SuggestionCreated { text, .. } = fact { Some(text.clone()) } else { None };
    scene.facts.iter().filter_map(text).collect()
}

fn offers(scene: &Scene) -> Vec<(OfferId, SessionId, Value)> {
    let told = |wish: &Output| match wish {
        Output::Notify(_, Notice::Offered { offer, session, context }) => Some((*offer, *session, context.clone())),
        _ => None,
    };
    scene.wishes.iter().filter_map(told).collect()
}

#[test]
fn s13_a_person_goes_on_after_two_turns_with_all_that_was_said_and_is_still_advised() {
    let mut scene = Scene::new(center());
    scene.chat(1, "退款多久到账", None);
    assert!(offers(&scene).is_empty() && suggested(&scene) == ["退款三天内到账。"], "advised before anybody serves: {:?}", scene.names());
    scene.chat(2, "我要加急", None);
    let (offer, session, context) = offers(&scene).first().cloned().expect("after two turns it is offered");
    let said = context["transcript"].to_string();
    assert!(said.contains("退款多久到账") && said.contains("我要加急"), "{context}");
    assert_eq!(context["slots"]["wish"], "退款多久到账", "{context}");
    assert_eq!(context["suggestions"][0]["text"], "退款三天内到账。", "what answers him lies ready: {context}");
    scene.input(Input::Agent(CommandId(50), AgentCommand::Accept { offer }));
    scene.chat(3, "钱什么时候退给我", None);
    assert_eq!(scene.count("session.assigned"), 1);
    assert!(!suggested(&scene).is_empty(), "{session}");
    scene.chat(4, "退款要几天", None);
    let asked = |fact: &Fact| matches!(fact, Fact::MessageCreated { content: Content::Text { text }, .. } if text.contains("还有呢"));
    assert!(!scene.facts.iter().any(asked), "the robot asks nothing more");
}

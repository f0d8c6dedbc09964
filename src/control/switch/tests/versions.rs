//! Plans that change while calls run, notices before the greeting, and one article in every channel.

use super::scene::*;
use super::*;
use crate::control::dialplan::{Plan, Source, load};
use crate::control::words::NoticeId;
use crate::control::words::live::{Announcement, Canary, Live};
use std::collections::BTreeMap;

/// The plan of this text beside the usual desk.
fn plan(text: &str, more: &[Source]) -> Arc<Plan> {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let mut files = vec![source("desk.yaml", DESK), source("line.yaml", text)];
    files.extend_from_slice(more);
    let loaded = load(&files, &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    Arc::clone(&loaded.plans["line"])
}

fn with_plan(plan: &Arc<Plan>) -> Directory {
    Directory { plans: BTreeMap::from([("line".to_owned(), Arc::clone(plan))]), ..directory(&["anna"]) }
}

fn versions(scene: &Scene) -> Vec<String> {
    let version = |fact: &Fact| if let Fact::SessionCreated { plan_version, .. } = fact { plan_version.clone() } else { None };
    scene.facts.iter().filter_map(version).collect()
}

fn heard(scene: &Scene) -> String {
    let words = |prompt: &Prompt| if let Prompt::Text { text, .. } = prompt { Some(text.clone()) } else { None };
    scene.last_play().1.iter().filter_map(words).collect::<Vec<_>>().join(" ")
}

#[test]
fn s07_a_call_in_progress_keeps_its_version_and_the_next_call_gets_the_new_one() {
    let old = plan(PLAN, &[]);
    let new = plan(&PLAN.replace("您好，请说您的问题。", "欢迎致电新版本。").replace("谢谢，再见。", "新的再见。"), &[]);
    assert_ne!(old.version, new.version);
    let mut scene = Scene::new(with_plan(&old));
    let first = scene.dial("4001010");
    assert!(heard(&scene).starts_with("您好"));
    scene.input(Input::Directory(Arc::new(with_plan(&new))));
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '1', way: media::KeyWay::Event }));
    let agent = scene.agent_answers();
    scene.agent.hang_up(scene.now, agent, &[]);
    scene.run();
    assert!(heard(&scene).contains("谢谢，再见。"), "the words of the version it began with: {}", heard(&scene));
    scene.caller.hang_up(scene.now, first, &[]);
    scene.run();
    scene.dial("4001010");
    assert!(heard(&scene).starts_with("欢迎致电新版本"), "{}", heard(&scene));
    assert_eq!(versions(&scene), [old.version.clone(), new.version.clone()]);
}

#[test]
fn s07_the_lot_of_a_session_decides_which_version_its_call_and_its_fact_have() {
    let old = plan(PLAN, &[]);
    let new = plan(&PLAN.replace("您好，请说您的问题。", "欢迎致电新版本。"), &[]);
    let live = Live { canaries: BTreeMap::from([("line".to_owned(), Canary { plan: Arc::clone(&new), percent: 50 })]), ..Live::default() };
    let mut scene = Scene::new(Directory { live, ..with_plan(&old) });
    let mut heard_new = Vec::new();
    for _ in 0..12 {
        let call = scene.dial("4001010");
        heard_new.push(heard(&scene).starts_with("欢迎致电新版本"));
        scene.caller.hang_up(scene.now, call, &[]);
        scene.run();
        scene.wait(Duration::from_secs(40));
    }
    let told: Vec<bool> = versions(&scene).iter().map(|version| *version == new.version).collect();
    assert_eq!(told, heard_new, "what the log says is what the caller heard");
    assert!(told.contains(&true) && told.contains(&false), "half of them: {told:?}");
}

#[test]
fn s87_a_notice_is_heard_before_the_greeting_by_callers_and_chats_until_its_hour() {
    let line = plan(PLAN, &[]);
    let until = Time(1_795_000_000_000_000) + Duration::from_secs(600);
    let by_lang = BTreeMap::from([(crate::control::words::Lang::new("en"), "Closed.".to_owned())]);
    let notice = Announcement { id: NoticeId(1), text: "今天系统维护。".to_owned(), by_lang, until, plan: None };
    let live = Live { announcements: vec![notice], ..Live::default() };
    let mut scene = Scene::new(Directory { live, ..with_plan(&line) });
    let call = scene.dial("4001010");
    assert!(heard(&scene).starts_with("今天系统维护。 您好"), "{}", heard(&scene));
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    scene.chat(1, "你好", None);
    let bot = |fact: &Fact| match fact {
        Fact::MessageCreated { author: crate::control::event::Author::Bot, content: Content::Text { text }, .. } => Some(text.clone()),
        _ => None,
    };
    let lines: Vec<String> = scene.facts.iter().filter_map(bot).collect();
    assert!(lines.iter().any(|line| line.contains("今天系统维护。")), "{lines:?}");
    scene.wait(Duration::from_secs(700));
    scene.dial("4001010");
    assert!(heard(&scene).starts_with("您好"), "it has ended by itself: {}", heard(&scene));
}

const ASKS: &str = r#"
dialplan: 1
id: line
title: Questions
languages: [zh-CN]
numbers: ["4001010"]
channels: [web]
start: main
nodes:
  main:
    - menu:
        prompt: "请说您的问题。"
        options:
          - {key: 1, goto: faq, label: "问题", examples: {zh-CN: [我有个问题, 想问一下怎么办, 修车的钱谁出]}}
  faq:
    - answer: {kb: driver}
    - hangup: "再见。"
  human: [{queue: {to: claims, overflow: [{after: 30s, goto: end}]}}]
"#;

#[test]
fn s09_the_same_question_by_phone_and_by_chat_is_answered_by_the_same_article_version() {
    let text = include_str!("../../../../dialplans/knowledge/driver.yaml").to_owned();
    let line = plan(ASKS, &[Source { name: "knowledge/driver.yaml".to_owned(), text }]);
    let mut scene = Scene::new(with_plan(&line));
    scene.dial("4001010");
    scene.finish_play();
    scene.say("修车的钱谁出");
    let article = |fact: &Fact| match fact {
        Fact::Understood { session, text, decision, .. } if decision == "article" => Some((*session, text.clone())),
        _ => None,
    };
    scene.chat(1, "修车的钱谁出", None);
    let mut answered: Vec<(SessionId, String)> = scene.facts.iter().filter_map(article).collect();
    if answered.len() == 1 {
        // The first line began the chat; the question is asked again to its menu.
        scene.chat(2, "修车的钱谁出", None);
        answered = scene.facts.iter().filter_map(article).collect();
    }
    assert_eq!(answered.len(), 2, "{:?}", scene.names());
    assert_ne!(answered[0].0, answered[1].0, "two sessions");
    assert_eq!(answered[0].1, answered[1].1);
    let (topic, version) = answered[0].1.split_once('@').expect("article@version");
    assert_eq!((topic, version.len()), ("repair_pay", 8));
}

const PREDICTS: &str = r#"
dialplan: 1
id: line
title: Predicts
languages: [zh-CN]
numbers: ["4001010"]
channels: [web]
start: main
nodes:
  main:
    - if: session.open_ticket
      confirm: {prompt: "您是要问 {session.open_ticket.number} 号工单吗", yes: status, no: menu}
    - goto: menu
  menu:
    - menu: {prompt: "请说您的问题。", options: [{key: 1, goto: leave, label: "工单"}]}
  status: [{say: "{session.open_ticket.number} 号工单：{session.open_ticket.title}。"}, {hangup: ~}]
  leave:
    - ticket: {type: repair, title: "空调不制冷"}
    - hangup: "好的，再见。"
"#;

#[test]
fn s22_a_customer_with_an_open_ticket_is_offered_it_first_until_it_is_solved() {
    let mut scene = Scene::new(with_plan(&plan(PREDICTS, &[])));
    let said = |scene: &Scene| {
        let bot = |fact: &Fact| match fact {
            Fact::MessageCreated { author: crate::control::event::Author::Bot, content: Content::Text { text }, .. } => Some(text.clone()),
            _ => None,
        };
        scene.facts.iter().filter_map(bot).collect::<Vec<_>>().join("|")
    };
    scene.chat(1, "你好", None);
    scene.chat(2, "1", None);
    assert!(!said(&scene).contains("号工单吗") && scene.count("ticket.opened") == 1, "{}", said(&scene));
    scene.chat(3, "又是我", None);
    assert!(said(&scene).contains("您是要问 1 号工单吗"), "{}", said(&scene));
    scene.chat(4, "对", None);
    assert!(said(&scene).contains("1 号工单：空调不制冷。"), "{}", said(&scene));
    let customer = scene.facts.iter().find_map(|fact| if let Fact::TicketOpened { customer, .. } = fact { Some(*customer) } else { None });
    let solved = AgentCommand::OpenTicketsAre { customer: customer.expect("it was opened for somebody"), tickets: Vec::new() };
    scene.input(Input::Agent(CommandId(99), solved));
    let before = said(&scene).matches("号工单吗").count();
    scene.chat(5, "再来", None);
    assert_eq!(said(&scene).matches("号工单吗").count(), before, "a solved one is offered no more: {}", said(&scene));
}

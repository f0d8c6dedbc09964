//! What agents are advised: by rules that fire once, and by articles that answer what the customer writes.

use serde_json::{Map, Value, json};

use super::*;
use crate::control::dialplan::actions::Help;
use crate::control::dialplan::{Source, load};
use crate::control::event::Author;
use crate::control::words::chat::Received;
use crate::control::words::directory::{Number, Target};
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::suggestion::{SuggestionKind, Verdict};
use crate::control::words::{MessageId, SuggestionId};

const LATE: &str = r#"
dialplan: 1
id: late
title: Where is it
languages: [zh-CN, en-US]
numbers: ["4002"]
start: find
lookups:
  track: {get: "https://shop.test/track", timeout: 1s, pick: {late: $.late, no: $.no}}
nodes:
  find:
    - lookup: track
      not_found: to_agent
    - goto: to_agent
  to_agent:
    - queue: {to: claims, context: [lookups], overflow: [{after: 30s, goto: bye}]}
    - hangup: {zh-CN: "再见。", en-US: "Goodbye."}
  bye: [{hangup: {zh-CN: "再见。", en-US: "Goodbye."}}]
"#;
const ACTIONS: &str = r#"
actions: 1
languages: [zh-CN, en-US]
rules:
  - {id: late_vip, if: 'track.late and customer.tags has "VIP"', queues: [claims], text: {zh-CN: "{track.no}晚到，送券。", en-US: "{track.no} is late: a voucher."}, say: {zh-CN: "送您一张券。", en-US: "A voucher for you."}}
  - {id: web, if: 'session.channel == "web" and session.queue == "claims"', text: {zh-CN: "网页客户。", en-US: "From the web."}}
  - {id: never, if: "track.late == \"perhaps\"", text: {zh-CN: "不会。", en-US: "Never."}}
"#;
const ARTICLES: &str = r#"
knowledge: help
languages: [zh-CN, en-US]
articles:
  refund:
    questions: {zh-CN: [退款多久到账, 钱什么时候退给我, 退款要几天], en-US: [when do I get my money back, how long does a refund take]}
    text: {zh-CN: "退款三天内到账。", en-US: "A refund takes three days."}
"#;

fn center() -> Directory {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let files =
        [source("desk.yaml", DESK), source("late.yaml", LATE), source("actions.yaml", ACTIONS), source("knowledge/help.yaml", ARTICLES)];
    let loaded = load(&files, &BTreeMap::from([]));
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    let help = Help { actions: loaded.actions, knowledge: Arc::new(loaded.knowledge) };
    let numbers = vec![Number { pattern: "4002".to_owned(), target: Target::Plan("late".to_owned()) }];
    Directory { plans: loaded.plans, help: Arc::new(help), numbers, ..directory(&["anna"]) }
}

fn line(number: u128, text: &str) -> Input {
    Input::Chat(Received {
        command: CommandId(number),
        channel: "web".to_owned(),
        external_id: format!("x{number}"),
        address: "visitor".to_owned(),
        content: Content::Text { text: text.to_owned() },
        meanings: crate::nlu::Meanings::default(),
        profile: Map::from_iter([("plan".to_owned(), "late".into())]),
    })
}

/// A suggestion as its fact tells it: id, kind, rule or article, text, and the sentence it answers.
type Told = (SuggestionId, SuggestionKind, String, String, Option<MessageId>);

fn suggested(scene: &Scene) -> Vec<Told> {
    let told = |fact: &Fact| match fact {
        Fact::SuggestionCreated { suggestion, kind, rule, article, text, message, .. } => {
            let ground = rule.clone().or_else(|| article.clone()).expect("it stands on something");
            Some((*suggestion, *kind, ground, text.clone(), *message))
        }
        _ => None,
    };
    scene.facts.iter().filter_map(told).collect()
}

fn tag(scene: &mut Scene, tags: &[&str]) {
    let customer = |fact: &Fact| if let Fact::CustomerCreated { customer, .. } = fact { Some(*customer) } else { None };
    let customer = scene.facts.iter().find_map(customer).expect("somebody is there");
    let fields = Map::from_iter([("tags".to_owned(), json!(tags))]);
    scene.input(Input::Agent(CommandId(900), AgentCommand::CustomerIs { customer, fields }));
}

fn track_is(scene: &mut Scene, late: bool) {
    let asked = |wish: &Output| if let Output::Find(id, Lookup::Http { .. }) = wish { Some(*id) } else { None };
    let lookup = scene.wishes.iter().rev().find_map(asked).expect("the plan asks where the parcel is");
    scene.input(Input::Found(lookup, Finding::Found(json!({"late": late, "no": "A1"}))));
}

fn offers(scene: &Scene) -> Vec<(OfferId, SessionId, Value)> {
    let told = |wish: &Output| match wish {
        Output::Notify(_, Notice::Offered { offer, session, context }) => Some((*offer, *session, context.clone())),
        _ => None,
    };
    scene.wishes.iter().filter_map(told).collect()
}

fn settle(scene: &mut Scene, session: SessionId, suggestion: SuggestionId, by: &str, verdict: Verdict) -> Result<Reply, Refusal> {
    let by = (!by.is_empty()).then(|| AgentId::of_name(by));
    scene.input(Input::Agent(CommandId(901), AgentCommand::SettleSuggestion { session, suggestion, by, verdict }));
    let answered = |wish: &Output| if let Output::Answer(CommandId(901), answer) = wish { Some(answer.clone()) } else { None };
    scene.wishes.iter().rev().find_map(answered).expect("it is answered")
}

/// The agent has the customer's chat.
fn served() -> (Scene, SessionId) {
    let mut scene = Scene::new(center());
    scene.input(line(1, "你好"));
    track_is(&mut scene, false);
    let (offer, session, _) = offers(&scene)[0].clone();
    scene.input(Input::Agent(CommandId(8), AgentCommand::Accept { offer }));
    (scene, session)
}

#[test]
fn s19_a_late_parcel_of_a_vip_fires_its_rule_when_the_session_is_offered_and_once_only() {
    let mut scene = Scene::new(center());
    scene.input(line(1, "你好"));
    tag(&mut scene, &["VIP"]);
    track_is(&mut scene, true);
    let told = suggested(&scene);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].1, told[0].2.as_str(), told[0].3.as_str()), (SuggestionKind::NextBestAction, "late_vip", "A1晚到，送券。"));
    let (offer, _, context) = offers(&scene)[0].clone();
    assert_eq!(context["suggestions"][0]["rule"], "late_vip", "the agent sees it with the offer: {context}");
    assert_eq!(context["suggestions"][0]["id"], json!(told[0].0));
    let in_log = scene.facts.iter().any(|fact| matches!(fact, Fact::Offered { context, .. } if context["suggestions"][1]["rule"] == "web"));
    assert!(in_log, "and it stands in the log");
    scene.input(Input::Agent(CommandId(7), AgentCommand::Reject { offer }));
    scene.wait(Duration::from_secs(11));
    let again = offers(&scene);
    assert_eq!(again.len(), 2, "it is offered again");
    assert_eq!(again[1].2["suggestions"], context["suggestions"]);
    assert_eq!(suggested(&scene).len(), 2, "a rule fires once");
}

#[test]
fn s19_a_tag_that_comes_while_the_agent_has_the_customer_fires_the_rule_then() {
    let mut scene = Scene::new(center());
    scene.input(line(1, "你好"));
    track_is(&mut scene, true);
    let (offer, ..) = offers(&scene)[0].clone();
    scene.input(Input::Agent(CommandId(8), AgentCommand::Accept { offer }));
    assert_eq!(suggested(&scene).iter().map(|told| told.2.as_str()).collect::<Vec<_>>(), ["web"]);
    tag(&mut scene, &["VIP"]);
    tag(&mut scene, &["VIP", "old"]);
    assert_eq!(suggested(&scene).iter().map(|told| told.2.as_str()).collect::<Vec<_>>(), ["web", "late_vip"]);
}

#[test]
fn s14_what_a_customer_writes_to_an_agent_is_answered_by_an_article_that_one_click_sends() {
    let (mut scene, session) = served();
    scene.input(line(2, "请问退款多久到账"));
    let told = suggested(&scene).pop().expect("an answer");
    assert_eq!((told.1, told.3.as_str()), (SuggestionKind::Answer, "退款三天内到账。"));
    assert!(told.2.starts_with("refund@"), "{told:?}");
    let said = |fact: &Fact| match fact {
        Fact::MessageCreated { message, author: Author::Customer, .. } => Some(*message),
        _ => None,
    };
    assert_eq!(told.4, scene.facts.iter().rev().find_map(said), "it names the sentence");
    scene.input(line(3, "退款多久到账啊"));
    scene.input(line(4, "今天天气不错"));
    assert_eq!(suggested(&scene).last().map(|last| last.0), Some(told.0), "the same answer is not given twice, and none to small talk");
    assert_eq!(settle(&mut scene, session, told.0, "anna", Verdict::Accepted), Ok(Reply::Done));
    let sent = |fact: &Fact| match fact {
        Fact::MessageCreated { message, source: Some(source), agent: Some(_), content: Content::Text { text }, .. }
            if source == "suggestion" =>
        {
            Some((*message, text.clone()))
        }
        _ => None,
    };
    let (message, text) = scene.facts.iter().find_map(sent).expect("it is sent");
    assert_eq!(text, "退款三天内到账。");
    assert!(scene.wishes.iter().any(|wish| matches!(wish, Output::Chat(send) if send.message == message)), "and goes to the customer");
    let state = |fact: &Fact| matches!(fact, Fact::SuggestionState { state: Verdict::Accepted, message: Some(of), .. } if *of == message);
    assert!(scene.facts.iter().any(state), "{:?}", scene.names());
    assert!(matches!(settle(&mut scene, session, told.0, "anna", Verdict::Accepted), Err(Refusal::Conflict(_))), "once");
}

#[test]
fn s19_only_who_serves_the_session_takes_a_suggestion_and_a_rule_may_say_something_else_to_the_customer() {
    let (mut scene, session) = served();
    let web = suggested(&scene)[0].0;
    for stranger in ["ben", "nobody"] {
        assert!(matches!(settle(&mut scene, session, web, stranger, Verdict::Dismissed), Err(Refusal::Forbidden(_))), "{stranger}");
    }
    assert_eq!(settle(&mut scene, session, web, "anna", Verdict::Dismissed), Ok(Reply::Done));
    let messages = scene.count("message.created");
    let mut scene = Scene::new(center());
    scene.input(line(1, "你好"));
    tag(&mut scene, &["VIP"]);
    track_is(&mut scene, true);
    let ((offer, session, _), voucher) = (offers(&scene)[0].clone(), suggested(&scene)[0].0);
    assert!(matches!(settle(&mut scene, session, voucher, "", Verdict::Accepted), Err(Refusal::Conflict(_))), "nobody serves him yet");
    scene.input(Input::Agent(CommandId(8), AgentCommand::Accept { offer }));
    assert_eq!(settle(&mut scene, session, voucher, "", Verdict::Accepted), Ok(Reply::Done));
    let said = |fact: &Fact| matches!(fact, Fact::MessageCreated { content: Content::Text { text }, .. } if text == "送您一张券。");
    assert!(scene.facts.iter().any(said), "{messages} {:?}", scene.facts);
}

#[test]
fn s19_in_a_call_a_suggestion_is_marked_and_nothing_is_sent() {
    let mut scene = Scene::new(center());
    let call = scene.dial("4002");
    track_is(&mut scene, true);
    let customer = |fact: &Fact| if let Fact::CustomerCreated { customer, .. } = fact { Some(*customer) } else { None };
    assert!(scene.facts.iter().any(|fact| customer(fact).is_some()));
    tag(&mut scene, &["VIP"]);
    let told = suggested(&scene).pop().expect("the phone rings, and the tag comes");
    assert_eq!(told.2, "late_vip");
    scene.agent_answers();
    let (session, messages) = (offers(&scene)[0].1, scene.count("message.created"));
    assert_eq!(settle(&mut scene, session, told.0, "anna", Verdict::Accepted), Ok(Reply::Done));
    assert_eq!((scene.count("suggestion.state"), scene.count("message.created")), (1, messages));
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    scene.assert_at_rest();
}

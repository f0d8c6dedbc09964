//! Plans and notices of a running server, changed by its own commands: no restart, calls in progress keep what they began with.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::stage::{Server, phone, reports};

const GREETING: &str = "Welcome to the shop.";
const PLAN: &str = r#"
dialplan: 1
id: shop
title: Shop
languages: [en-US]
numbers: ["700"]
channels: [web]
start: main
nodes:
  main:
    - menu:
        prompt: "Welcome to the shop."
        options:
          - {key: 1, goto: order, label: "order", examples: {en-US: ["where is my order", "track my parcel", "has it shipped"]}}
  order: [{say: "It is on its way."}, {goto: main}]
  human: [{say: "Nobody is here."}, {hangup: ~}]
"#;
const TESTS: &str =
    "tests: shop\ncases:\n  - name: the order\n    say: [where is my order]\n    expect: [{node: order, said: [on its way]}]\n";

fn server() -> Server {
    let config = "[media]\nbind = \"127.0.0.1\"\nports = \"free:32\"\n\n[speech.live]\n\"*\" = \"off\"\n";
    Server::start_with(&[
        ("sip-config/hotline.toml", config.as_bytes()),
        ("sip-config/phones.toml", b""),
        ("dialplans/shop.yaml", PLAN.as_bytes()),
        ("dialplans/shop.test.yaml", TESTS.as_bytes()),
    ])
}

fn hotline(server: &Server, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
    command.args(words).args(["--api", server.api()]).arg("--home").arg(server.home());
    command.output().unwrap()
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A line of a chat visitor: what the plan says to it.
fn chat(server: &Server, visitor: &str, number: usize, text: &str) -> Vec<String> {
    let id = format!("{visitor}-{number}");
    let line = json!({"external_id": id, "address": visitor, "at": "2026-11-22T08:00:00Z", "kind": "text", "text": text});
    let (status, answer) = server.post("/v1/channels/web/inbound", &line);
    assert_eq!(status, 202, "{answer}");
    let session = &answer["session_id"];
    server.facts().wait_after(
        |fact| fact["data"]["external_id"] == id.as_str(),
        |fact| fact["type"] == "message.created" && fact["data"]["session"] == *session && fact["data"]["author"] == "bot",
    );
    // What a plan says in one step stands in the log together.
    let facts = server.log_of_facts();
    let own = facts.iter().filter(|fact| fact["type"] == "message.created" && fact["data"]["session"] == *session);
    let after = own.map(|fact| &fact["data"]).skip_while(|line| line["external_id"] != id.as_str()).filter(|line| line["author"] == "bot");
    after.map(|line| line["content"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn s07_a_published_plan_answers_the_next_conversation_without_a_restart_and_one_in_progress_keeps_its_own() {
    let server = server();
    assert!(chat(&server, "early", 1, "hello").iter().any(|line| line.contains(GREETING)));
    let draft = server.home().join("new.yaml");
    std::fs::write(
        &draft,
        PLAN.replace("It is on its way.", "It is on its way, and fast.")
            .replace("\"has it shipped\"", "\"has it shipped\", \"when does the courier come\""),
    )
    .unwrap();
    let told = good(&hotline(&server, &["dialplan", "publish", draft.to_str().unwrap()]));
    assert!(told.contains("in force: shop") && told.contains("1 test case(s) passed"), "{told}");
    let early = chat(&server, "early", 2, "1");
    assert!(early.join(" ").contains("It is on its way") && !early.join(" ").contains("and fast"), "{early:?}");
    chat(&server, "late", 1, "hello");
    let late = chat(&server, "late", 2, "when does the courier come");
    assert!(late.iter().any(|line| line.contains("and fast")), "the new example is understood: {late:?}");

    std::fs::write(&draft, PLAN.replace("goto: order", "goto: ordre")).unwrap();
    let refused = hotline(&server, &["dialplan", "publish", draft.to_str().unwrap()]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(why.contains("shop.yaml:14:") && why.contains("what is in force stays"), "{why}");
    let told = good(&hotline(&server, &["dialplan", "rollback", "shop"]));
    assert!(told.contains("in force: shop"), "{told}");
    chat(&server, "back", 1, "hello");
    let back = chat(&server, "back", 2, "1");
    assert!(back.iter().all(|line| !line.contains("and fast")), "{back:?}");
    let told = good(&hotline(&server, &["dialplan", "versions", "shop"]));
    assert_eq!(told.lines().count(), 2, "{told}");
    let kinds: Vec<Value> =
        server.log_of_facts().into_iter().filter(|fact| fact["type"] == "plan.published").map(|fact| fact["data"]["how"].clone()).collect();
    assert_eq!(kinds, ["file", "api", "rollback"]);
    server.stop();
}

#[test]
fn s07_a_draft_on_trial_gets_its_share_of_new_sessions_over_a_restart_and_ends_when_told() {
    let mut server = server();
    let draft = server.home().join("draft.yaml");
    std::fs::write(&draft, PLAN.replace(GREETING, "Welcome to the new shop.")).unwrap();
    let told = good(&hotline(&server, &["dialplan", "canary", "50", draft.to_str().unwrap()]));
    assert!(told.contains("shop: 50 %"), "{told}");
    server.kill();
    server.restart();
    let fresh = (0..24).filter(|at| chat(&server, &format!("v{at}"), 1, "hello").iter().any(|line| line.contains("new shop"))).count();
    assert!((4..=20).contains(&fresh), "{fresh} of 24 took the draft");
    good(&hotline(&server, &["dialplan", "canary", "0", "--plan", "shop"]));
    assert!((0..8).all(|at| chat(&server, &format!("w{at}"), 1, "hello").iter().all(|line| !line.contains("new shop"))));
    let ended = hotline(&server, &["dialplan", "canary", "0", "--plan", "shop"]);
    assert_eq!(ended.status.code(), Some(1), "there is no trial any more");
    server.stop();
}

#[test]
fn s87_a_notice_is_heard_by_the_next_caller_and_read_by_the_next_chat_until_it_is_taken_back() {
    let mut server = server();
    let words = "The warehouse is closed today.";
    let told = good(&hotline(&server, &["notice", "set", words, "--until", "23:59"]));
    let id = told.split(' ').next().unwrap().to_owned();
    server.kill();
    server.restart();
    let read = chat(&server, "first", 1, "hello").join(" ");
    assert!(read.contains(words) && read.find(words) < read.find(GREETING), "{read}");
    let call = phone(&["--to", &server.uri("700"), "--wait", "1s"]);
    let report = reports(call).0.remove(0);
    let heard = |data: &Value| data["content"]["text"].as_str().is_some_and(|text| text.contains(words));
    assert_eq!(server.facts().wait_for(2, "message.created", heard).len(), 2, "the caller heard it too: {report}");
    assert!(good(&hotline(&server, &["notice", "list"])).contains(words));
    good(&hotline(&server, &["notice", "clear", &id]));
    assert!(chat(&server, "second", 1, "hello").iter().all(|line| !line.contains(words)));
    let (_, made) = server.post("/v1/keys", &json!({"name": "reader", "scopes": ["notices:read"]}));
    let refused = hotline(&server, &["notice", "set", words, "--until", "23:59", "--key", made["secret"].as_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("notices:write"));
    server.stop();
}

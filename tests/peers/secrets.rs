//! What nobody may keep is on no disk: after a call and a chat in which cards, identity numbers and PINs were said, every file of the
//! server's folder is searched for them.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::stage::{Server, phone, reports};

const CONFIG: &str = "[media]\nbind = \"127.0.0.1\"\nports = \"free:32\"\n[speech.live]\n\"*\" = \"off\"\n";

const PLAN: &str = r#"
dialplan: 1
id: bank
title: Secrets
languages: [en-US]
numbers: [card]
channels: [voice, web]
start: hello
slots:
  card: {type: digits, length: 16, ask: "Please give your card number.", mask: true}
  word: {type: digits, length: 6, ask: "And your telephone code?", mask: true, confirm: readback}
defaults:
  barge_in: dtmf
  match: local
  no_input: {after: 60s, tries: 9, then: end}
  no_match: {tries: 9, then: end}
  error: end
nodes:
  hello:
    - menu:
        prompt: "Welcome."
        options: [{key: 1, goto: ask, label: "pay"}]
  ask:
    - ask: [card, word]
    - queue: {to: desk, context: [intent, slots, lookups, transcript], overflow: [{after: 300s, goto: over}]}
  over: [{hangup: ~}]
"#;

const DESK: &str = "
queues:
  desk: {order: priority_then_wait, agent: [longest_idle], ring: 20s, missed: {agent_state: away, return_to: front}, wrap_up: {max: 1s}}
";

const PHONES: &[u8] = b"[agents.anna]\nname = \"Anna\"\npassword = \"anna-secret\"\nqueues = [\"desk\"]\n";

/// As they are said, keyed and written; each must be found nowhere.
const CARD: &str = "4111111111111111";
const CARD_SPACED: &str = "5500 0055 5555 5559";
const CARD_KEYED: &str = "4012888888881881";
const IDENTITY: &str = "11010519491231002X";
const CODE: &str = "739264";
const CODE_KEYED: &str = "618274";
const PIN: &str = "my pin is 8351";
const SECRETS: [&str; 7] = [CARD, CARD_SPACED, CARD_KEYED, IDENTITY, CODE, CODE_KEYED, PIN];

struct Api<'a> {
    runtime: &'a Runtime,
    server: &'a Server,
}

impl Api<'_> {
    fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let client = hotline::web_client::client(|builder| builder).unwrap();
        let request = client.request(method, format!("{}{path}", self.server.api())).bearer_auth(self.server.key());
        self.runtime.block_on(async {
            let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert!(status.is_success(), "{path}: {status} {text}");
            serde_json::from_str(&text).unwrap_or_default()
        })
    }

    fn line(&self, id: &str, text: &str) -> Value {
        self.ask(Method::POST, "/v1/channels/web/inbound", &json!({"external_id": id, "address": "v1", "kind": "text", "text": text}))
    }
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

/// Every place in every file below `folder` where a secret stands, its plan and test fixtures left out.
fn found(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    files(folder, &mut all);
    let mut found = Vec::new();
    for file in all.iter().filter(|file| !file.starts_with(folder.join("dialplans"))) {
        let bytes = fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in SECRETS {
            if let Some(at) = text.find(secret) {
                found.push(format!("{secret} in {}: …{}…", file.display(), text[at..].chars().take(120).collect::<String>()));
            }
        }
    }
    found
}

#[test]
fn no_file_holds_a_card_an_identity_number_or_a_pin_after_a_call_and_a_chat() {
    let runtime = Runtime::new().unwrap();
    let server = Server::start_with(&[
        ("sip-config/hotline.toml", CONFIG.as_bytes()),
        ("sip-config/phones.toml", PHONES),
        ("dialplans/bank.yaml", PLAN.as_bytes()),
        ("dialplans/desk.yaml", DESK.as_bytes()),
    ]);
    let api = Api { runtime: &runtime, server: &server };
    let mut facts = server.facts();

    let caller = phone(&[
        "--to",
        &server.uri("card"),
        "--wait",
        "500ms",
        "--keys",
        "1",
        "--keys",
        CARD_KEYED,
        "--keys",
        CODE_KEYED,
        "--hangup-after",
        "2s",
    ]);
    facts.wait("session.slot", |data| data["slot"] == "card");
    drop(reports(caller));

    let session = api.line("m1", &format!("hello, my card is {CARD}, or {CARD_SPACED}"))["session_id"].as_str().unwrap().to_owned();
    api.line("m2", &format!("my identity number is {IDENTITY} and {PIN}"));
    api.line("m3", "1");
    facts.wait("message.created", |data| {
        data["session"] == *session && data["content"]["text"].as_str().is_some_and(|text| text.contains("card number"))
    });
    api.line("m4", CARD);
    facts.wait("message.created", |data| {
        data["session"] == *session && data["content"]["text"].as_str().is_some_and(|text| text.contains("telephone code"))
    });
    api.line("m5", CODE);
    facts.wait("session.slot", |data| data["session"] == *session && data["slot"] == "card");
    api.ask(
        Method::POST,
        &format!("/v1/sessions/{session}/messages"),
        &json!({"client_id": "a1", "agent": "anna", "content": {"kind": "text", "text": format!("so your card is {CARD}?")}}),
    );
    let customer = server.get(&format!("/v1/sessions/{session}"))["customer"].clone();
    let ticket = api.ask(
        Method::POST,
        "/v1/tickets",
        &json!({"customer": customer, "kind": "pay", "title": format!("card {CARD}"), "fields": {"card": CARD, "identity": IDENTITY}}),
    );
    let ticket = ticket["id"].as_str().unwrap();
    api.ask(Method::POST, &format!("/v1/tickets/{ticket}/comments"), &json!({"text": format!("{PIN}, card {CARD_SPACED}")}));
    api.ask(Method::PATCH, &format!("/v1/tickets/{ticket}"), &json!({"state": "open", "note": format!("id {IDENTITY}")}));

    let keys: String = server
        .log_of_facts()
        .iter()
        .filter(|fact| fact["type"] == "session.key")
        .map(|fact| fact["data"]["key"].as_str().unwrap().to_owned())
        .collect();
    assert!(keys.starts_with("1x") && keys[1..].chars().all(|key| key == 'x'), "only the choice of a menu is kept: {keys}");
    let stream = server.log_of_facts().iter().map(Value::to_string).collect::<String>();
    assert!(SECRETS.iter().all(|secret| !stream.contains(secret)), "the live stream carries none");
    assert!(stream.contains("[card]") && stream.contains("[id]") && stream.contains("[pin]"), "what was said is there, masked");

    let home = server.home().to_owned();
    assert_eq!(found(&home), Vec::<String>::new(), "while it runs");
    let kept = server.stop_and_keep();
    assert_eq!(found(kept.path()), Vec::<String>::new(), "after it has stopped");
}

//! The worked hotlines by voice: our phone speaks recorded sentences over RTP, the server hears them with whisper (the miniature
//! model of the fixtures, real decoding of synthetic voices) and does what the plans say.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::Value;

use crate::stage::{Facts, Server, anna, phone, reports};

const MODEL: &[u8] = include_bytes!("../fixtures/mini-whisper/mini-q8_0.bin.gz");
const PHONES: &[u8] = b"[agents.anna]\nname = \"Anna\"\npassword = \"anna-secret\"\nskills = {insurance = 5, \"lang:zh-CN\" = 5, \"lang:en-US\" = 5}\nqueues = [\"driver_claims\", \"driver_general\", \"logistics\"]\n";

/// The worked hotlines, heard by the miniature model.
fn hotlines(variables: &str) -> Server {
    let config = format!(
        "[media]\nbind = \"127.0.0.1\"\nports = \"free:64\"\n\n[speech.live]\n\"*\" = \"whisper:whisper-mini\"\n\n[variables]\n{variables}\n"
    );
    Server::start_open_center(&[
        ("sip-config/hotline.toml", config.as_bytes()),
        ("sip-config/phones.toml", PHONES),
        ("models/whisper-mini/mini-q8_0.bin.gz", MODEL),
    ])
}

const NOWHERE: &str = "DRIVER_API = \"http://127.0.0.1:9\"\nSHOP_API = \"http://127.0.0.1:9\"";

fn wav(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper/wav").join(name).display().to_string()
}

/// Nodes by turn.
fn nodes(facts: &[Value]) -> Vec<(String, u64)> {
    let entered = facts.iter().filter(|fact| fact["type"] == "session.node");
    entered.map(|fact| (fact["data"]["node"].as_str().unwrap().to_owned(), fact["data"]["turn"].as_u64().unwrap())).collect()
}

fn heard(facts: &mut Facts, words: &str) {
    let said = |data: &Value| data["author"] == "customer" && data["content"]["text"].as_str().is_some_and(|text| text.contains(words));
    facts.wait("message.created", said);
}

#[test]
fn s1_one_sentence_lands_two_levels_down_and_keys_reach_the_same_node() {
    let server = hotlines(NOWHERE);
    let mut facts = server.facts();
    let caller = phone(&["--to", &server.uri("4001010"), "--wav", &wav("075-zh.wav"), "--hangup-after", "reply"]);
    heard(&mut facts, "我车坏了，我想报保险，去哪儿修");
    let understood = facts.wait("session.understood", |data| data["decision"] == "accept");
    let intents: Vec<_> = understood["intents"].as_array().unwrap().iter().take(2).map(|one| one["intent"].as_str().unwrap()).collect();
    assert_eq!(intents, ["insurance", "repair"], "both in one breath, the first first");
    assert!(reports(caller).1);
    let spoken = nodes(&server.log_of_facts());
    assert_eq!(spoken, [("main".to_owned(), 0), ("insurance".to_owned(), 1)]);

    let keyed =
        phone(&["--to", &server.uri("4001010"), "--wait", "1s", "--keys", "3", "--wait", "1s", "--keys", "2", "--hangup-after", "1s"]);
    assert!(reports(keyed).1);
    let all = nodes(&server.log_of_facts());
    let by_keys: Vec<&str> = all[spoken.len()..].iter().map(|(node, _)| node.as_str()).collect();
    assert_eq!(by_keys, ["main", "car", "insurance"]);
    server.stop();
}

#[test]
fn s2_a_half_specific_sentence_is_led_on_without_a_restart() {
    let server = hotlines(NOWHERE);
    let mut facts = server.facts();
    let words = |text: &str| wav(&fixture(text));
    let caller =
        phone(&["--to", &server.uri("4001010"), "--wav", &words("车坏了"), "--wav", &words("去哪儿修"), "--hangup-after", "reply"]);
    facts.wait("session.node", |data| data["node"] == "repair");
    assert!(reports(caller).1);
    let visited = nodes(&server.log_of_facts());
    assert_eq!(visited, [("main".to_owned(), 0), ("car".to_owned(), 1), ("repair".to_owned(), 2)]);
    server.stop();
}

#[test]
fn s6_the_key_for_english_switches_prompts_and_recognizer() {
    let server = hotlines(NOWHERE);
    let mut facts = server.facts();
    let caller = phone(&[
        "--to",
        &server.uri("4001010"),
        "--wait",
        "1s",
        "--keys",
        "9",
        "--wav",
        &wav(&fixture("I want to claim insurance")),
        "--hangup-after",
        "reply",
    ]);
    facts.wait("message.created", |data| data["author"] == "bot" && data["lang"] == "en-US");
    heard(&mut facts, "I want to claim insurance");
    facts.wait("session.node", |data| data["node"] == "insurance");
    assert!(reports(caller).1);
    server.stop();
}

#[test]
fn s4_an_order_is_found_over_http_and_the_known_caller_is_asked_nothing() {
    let shop = shop();
    let server = hotlines(&format!("DRIVER_API = \"http://127.0.0.1:9\"\nSHOP_API = \"{shop}\""));
    let mut facts = server.facts();
    let caller = phone(&["--to", &server.uri("4002020"), "--user", "13800138000", "--wav", &wav("092-zh.wav"), "--hangup-after", "reply"]);
    heard(&mut facts, "我的订单");
    facts.wait("session.lookup", |data| data["name"] == "track" && data["outcome"] == "found");
    facts.wait("message.created", |data| {
        data["author"] == "bot" && data["content"]["text"].as_str().is_some_and(|text| text.contains("杭州"))
    });
    let timed = facts.wait("session.turn_timed", |_| true);
    let of = |part: &str| timed[part].as_u64().unwrap_or_else(|| panic!("{part}: {timed}"));
    let parts = ["endpoint_ms", "recognition_ms", "lookup_ms", "synthesis_ms"].map(of);
    assert!(of("endpoint_ms") >= 300 && of("understanding_us") > 0, "{timed}");
    assert!(of("total_ms") >= parts.iter().sum::<u64>(), "the parts lie within the whole: {timed}");
    assert!(reports(caller).1);
    let asked = server.log_of_facts();
    let asked = asked.iter().filter(|fact| fact["type"] == "message.created" && fact["data"]["author"] == "bot");
    assert!(asked.into_iter().all(|fact| !fact["data"]["content"]["text"].as_str().unwrap_or("").contains("下单时的手机号")));
    server.stop();
}

#[test]
fn s18_a_lookup_that_never_answers_ends_at_a_human_who_knows_everything_said() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let shop = format!("http://{}", silent.local_addr().unwrap());
    let server = hotlines(&format!("DRIVER_API = \"{shop}\"\nSHOP_API = \"{shop}\""));
    let mut facts = server.facts();
    let agent = anna(&server, &[]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&[
        "--to",
        &server.uri("4002020"),
        "--user",
        "13800138001",
        "--wav",
        &wav("092-zh.wav"),
        "--wait",
        "20s",
        "--hangup-after",
        "1s",
    ]);
    facts.wait("session.lookup", |data| data["outcome"] == "timed_out");
    let offered = facts.wait("session.offered", |_| true);
    let context = offered["context"].to_string();
    assert!(context.contains("13800138001") && context.contains("我的订单"), "the agent sees what was said: {context}");
    facts.wait("call.bridged", |_| true);
    assert!(reports(caller).1 && reports(agent).1);
    server.stop();
}

/// The file of a sentence, by the list.
fn fixture(text: &str) -> String {
    let list = include_str!("../fixtures/mini-whisper/wav/list.tsv");
    let line = list.lines().find(|line| line.split('\t').nth(2) == Some(text)).expect("the list has the sentence");
    line.split('\t').next().unwrap().to_owned()
}

/// A shop's order system: one order on its way, for whoever asks.
fn shop() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0u8; 4_096];
            let length = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let body = if head.contains("/track") {
                r#"{"status": "moving", "last": {"city": "杭州"}, "eta": "2026-12-01", "late": false, "url": "http://t/1"}"#
            } else {
                r#"{"total": 1, "orders": [{"no": "1234567890", "title": "茶"}]}"#
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

//! Ciphered sound on the wire: our phone, both ways, beside phones in clear; and calls that must not come to be.

use crate::stage::{Server, anna, anna_over, phone, reports};

const NEAR: u64 = 20;

fn hertz(report: &serde_json::Value) -> u64 {
    report["heard"]["hertz"].as_u64().unwrap_or(0)
}

fn tls(server: &Server, user: &str) -> String {
    format!("sip:{user}@{};transport=tls", server.sip("TLS"))
}

#[test]
fn s80_a_ciphered_caller_and_an_agent_in_clear_hear_each_other() {
    let server = Server::start();
    let mut facts = server.facts();
    let agent = anna(&server, &["--ring", "200ms", "--wait", "0s", "--tone", "440:4s"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let words = ["--srtp", "required", "--insecure", "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"];
    let caller = phone(&[&["--to", &tls(&server, "line")], &words[..]].concat());
    facts.wait("call.bridged", |_| true);
    let ((caller, caller_good), (agent, agent_good)) = (reports(caller), reports(agent));
    assert!(caller_good && agent_good, "{caller:?}");
    assert_eq!((caller[0]["srtp"].as_str(), agent[0]["srtp"].as_str()), (Some("AEAD_AES_128_GCM"), None));
    assert!(hertz(&caller[0]).abs_diff(440) <= NEAR && hertz(&agent[0]).abs_diff(1000) <= NEAR, "{} {}", caller[0], agent[0]);
    assert_eq!(caller[0]["media"]["refused"], 0);
    assert!(!server.log().contains("inline:"), "no key is in the log");
    server.stop();
}

#[test]
fn s80_where_srtp_is_required_phones_over_tls_talk_and_those_in_clear_are_refused() {
    let server = Server::start_ciphered();
    let mut facts = server.facts();
    let (refused, good) = reports(phone(&["--to", &server.uri("music"), "--hangup-after", "1s"]));
    assert!(!good && refused[0]["status"] == 488, "{refused:?}");
    let agent = anna_over(&server, "tls", &["--insecure", "--ring", "200ms", "--wait", "0s", "--tone", "440:3s"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &tls(&server, "2001"), "--insecure", "--wait", "2s", "--hangup-after", "500ms"]);
    let ((caller, good), (agent, _)) = (reports(caller), reports(agent));
    assert!(good && hertz(&caller[0]).abs_diff(440) <= NEAR, "{caller:?}");
    assert!(caller[0]["srtp"].is_string() && agent[0]["srtp"].is_string(), "{caller:?} {agent:?}");
    server.stop();
}

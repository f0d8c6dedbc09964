//! Ciphered sound on the wire: our phone and baresip, both ways, beside phones in clear; and calls that must not come to be.

use crate::baresip::{Baresip, account};
use crate::phones::strongest;
use crate::stage::{Server, anna, anna_over, installed, phone, reports};

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

#[test]
fn s80_baresip_with_keys_in_its_descriptions_is_agent_and_caller() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start_ciphered();
    baresip_is_rung(&server, "srtp-mand");
    let mut facts = server.facts();
    let place = format!("{};transport=tls", server.sip("TLS"));
    let mut caller = Baresip::start(&format!("<sip:guest@{place}>;mediaenc=srtp-mand;audio_codecs=PCMA;regint=0"), 700);
    caller.command("dial", &format!("sip:echo@{place}"));
    caller.wait("CALL_ESTABLISHED");
    facts.pass(std::time::Duration::from_secs(2));
    caller.command("hangup", "");
    caller.wait("CALL_CLOSED");
    assert!(strongest(&caller.heard()).abs_diff(700) <= 20, "baresip hears its own sine back");
    server.stop();
}

/// Baresip over TLS with this choice of profiles is Anna's phone, is reached and talks; gives how many INVITEs that took.
fn baresip_is_rung(server: &Server, choice: &str) -> usize {
    let mut facts = server.facts();
    let mut agent = Baresip::start(&format!("{};mediaenc={choice}", account(server, "tls")), 440);
    facts.wait("agent.state", |data| data["state"] == "available");
    let words = ["--insecure", "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"];
    let caller = phone(&[&["--to", &tls(server, "2001")], &words[..]].concat());
    agent.wait("CALL_ESTABLISHED");
    let (caller, good) = reports(caller);
    assert!(good && hertz(&caller[0]).abs_diff(440) <= NEAR, "the caller hears baresip: {caller:?}");
    agent.wait("CALL_CLOSED");
    assert!(strongest(&agent.heard()).abs_diff(1000) <= 20, "baresip hears the caller");
    let call = facts.wait("call.ended", |_| true)["call"].as_str().unwrap().to_owned();
    let shown = server.get(&format!("/v1/calls/{call}/signalling"));
    let sent =
        |message: &&serde_json::Value| message["direction"] == "out" && message["text"].as_str().is_some_and(|it| it.starts_with("INVITE"));
    shown["messages"].as_array().unwrap_or_else(|| panic!("{shown}")).iter().filter(sent).count()
}

#[test]
fn s80_a_telephone_of_one_profile_only_is_rung_with_it_by_a_center_that_leaves_the_choice() {
    if !installed("baresip") {
        return;
    }
    for (choice, invites) in [("srtp-mand", 2), ("srtp", 1), ("", 1)] {
        let server = Server::start();
        assert_eq!(baresip_is_rung(&server, choice), invites, "{choice}");
        server.stop();
    }
}

#[test]
fn s80_over_signalling_in_clear_a_handshake_agrees_on_the_keys() {
    let server = Server::start_ciphered();
    let mut facts = server.facts();
    let agent = anna(&server, &["--srtp", "required", "--ring", "200ms", "--wait", "0s", "--tone", "440:4s"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let words = ["--srtp", "required", "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"];
    let caller = phone(&[&["--to", &server.uri("line")], &words[..]].concat());
    facts.wait("call.bridged", |_| true);
    let ((caller, caller_good), (agent, agent_good)) = (reports(caller), reports(agent));
    assert!(caller_good && agent_good, "{caller:?}");
    assert_eq!((caller[0]["srtp"].as_str(), agent[0]["srtp"].as_str()), (Some("DTLS-SRTP"), Some("DTLS-SRTP")));
    assert!(hertz(&caller[0]).abs_diff(440) <= NEAR && hertz(&agent[0]).abs_diff(1000) <= NEAR, "{} {}", caller[0], agent[0]);
    server.stop();
}

#[test]
fn s80_baresip_agrees_on_keys_by_a_handshake_as_agent_and_as_caller() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start_ciphered();
    let mut facts = server.facts();
    let mut agent = Baresip::start(&format!("{};mediaenc=dtls_srtp", account(&server, "udp")), 440);
    facts.wait("agent.state", |data| data["state"] == "available");
    let words = ["--srtp", "required", "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"];
    let caller = phone(&[&["--to", &server.uri("2001")], &words[..]].concat());
    agent.wait("CALL_ESTABLISHED");
    let (caller, good) = reports(caller);
    assert!(good && hertz(&caller[0]).abs_diff(440) <= NEAR, "the caller hears baresip: {caller:?}");
    agent.wait("CALL_CLOSED");
    assert!(strongest(&agent.heard()).abs_diff(1000) <= 20, "baresip hears the caller");
    let mut caller = Baresip::start(&format!("<sip:guest@{}>;mediaenc=dtls_srtp;audio_codecs=PCMA;regint=0", server.sip("UDP")), 700);
    caller.command("dial", &server.uri("echo"));
    caller.wait("CALL_ESTABLISHED");
    facts.pass(std::time::Duration::from_secs(3));
    caller.command("hangup", "");
    caller.wait("CALL_CLOSED");
    assert!(strongest(&caller.heard()).abs_diff(700) <= 20, "baresip hears its own sine back");
    server.stop();
}

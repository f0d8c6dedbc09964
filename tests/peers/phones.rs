//! Our own phone against our own server, as processes: the commands that admins use.

use std::time::Duration;

use crate::stage::{Server, anna, phone, reports};

const NEAR: u64 = 20;

fn hertz(report: &serde_json::Value) -> u64 {
    report["heard"]["hertz"].as_u64().unwrap_or(0)
}

#[test]
fn s84_a_first_call_hears_music_and_hangs_up() {
    let server = Server::start();
    let (reports, good) = reports(phone(&["--to", &server.uri("music"), "--hangup-after", "2s"]));
    assert!(good);
    let report = &reports[0];
    assert_eq!((report["status"].as_u64(), report["ended_by"].as_str(), report["codec"].as_str()), (Some(200), Some("us"), Some("PCMU")));
    assert!(report["media"]["received"].as_u64().unwrap() > 50, "{report}");
    assert_eq!(report["media"]["lost"], 0);
    assert!(report["heard"]["rms"].as_f64().unwrap() > 100.0, "music is heard: {report}");
    server.stop();
}

#[test]
fn s23_caller_and_agent_hear_each_other_by_tone_and_the_recording_has_both_sides() {
    let server = Server::start();
    let mut facts = server.facts();
    let agent = anna(&server, &["--ring", "300ms", "--wait", "0s", "--tone", "440:4s"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("line"), "--codec", "PCMA", "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"]);
    facts.wait("call.bridged", |_| true);
    let (caller, caller_good) = reports(caller);
    let (agent, agent_good) = reports(agent);
    assert!(caller_good && agent_good);
    assert!(hertz(&caller[0]).abs_diff(440) <= NEAR, "the caller hears the agent: {}", caller[0]);
    assert!(hertz(&agent[0]).abs_diff(1000) <= NEAR, "the agent hears the caller: {}", agent[0]);
    let recorded = facts.wait("recording.finished", |_| true);
    let file = server.home().join("recordings").join(recorded["path"].as_str().unwrap());
    let (left, right) = channels(&file);
    assert!(strongest(&left).abs_diff(1000) <= 20, "left is the customer");
    assert!(strongest(&right).abs_diff(440) <= 20, "right is what the customer hears");
    facts.wait("call.ended", |data| data["ending"] == "caller_hung_up");
    server.stop();
}

#[test]
fn a_phone_whose_server_vanished_ends_with_an_error_that_says_so() {
    let mut server = Server::start();
    let mut facts = server.facts();
    let caller = phone(&["--to", &format!("sip:music@{};transport=tcp", server.sip("TCP"))]);
    facts.wait("call.answered", |_| true);
    server.kill();
    let (reports, good) = reports(caller);
    assert!(!good && reports[0]["ended_by"] == "failed", "{reports:?}");
    assert_eq!(reports[0]["why"], "a request in the dialog was not answered");
}

#[test]
fn an_echo_gives_the_caller_his_own_sound_back() {
    let server = Server::start();
    let (reports, good) = reports(phone(&["--to", &server.uri("echo"), "--wait", "300ms", "--tone", "700:2s", "--hangup-after", "500ms"]));
    assert!(good);
    assert!(hertz(&reports[0]).abs_diff(700) <= NEAR, "{}", reports[0]);
    server.stop();
}

#[test]
fn keys_choose_and_the_server_hangs_up() {
    let server = Server::start();
    let (reports, good) = reports(phone(&["--to", &server.uri("menu"), "--wait", "500ms", "--keys", "1"]));
    assert!(good);
    assert_eq!(reports[0]["ended_by"], "far_end", "{}", reports[0]);
    server.facts().wait("session.node", |data| data["node"] == "one");
    server.stop();
}

#[test]
fn keys_pressed_in_a_bridge_are_heard_once_on_the_other_side() {
    let server = Server::start();
    let mut facts = server.facts();
    let agent = anna(&server, &["--ring", "100ms"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("line"), "--wait", "1s", "--keys", "1122#", "--hangup-after", "1s"]);
    let ((_, caller_good), (agent, _)) = (reports(caller), reports(agent));
    assert!(caller_good && agent[0]["keys_heard"] == "1122#", "{agent:?}");
    server.stop();
}

#[test]
fn a_wrong_password_a_foreign_user_and_an_unknown_number_are_refused() {
    let server = Server::start();
    let address = server.sip("UDP").to_string();
    let register = |user: &str, password: &str| {
        reports(phone(&["--register", "--answer", "--user", user, "--password", password, "--server", &address]))
    };
    assert!(!register("anna", "wrong").1);
    assert!(!register("mallory", "wrong").1);
    let (reports, good) = reports(phone(&["--to", &server.uri("nobody")]));
    assert!(!good);
    assert_eq!(reports[0]["status"], 404, "{}", reports[0]);
    server.stop();
}

#[test]
fn a_broken_plan_saved_while_running_changes_nothing_and_is_reported() {
    let server = Server::start();
    let plan = server.home().join("dialplans/peers.yaml");
    std::fs::write(&plan, "dialplan: 1\nid: peers\n nodes: [\n").unwrap();
    let mut facts = server.facts();
    facts.pass(Duration::from_secs(4));
    assert!(server.log().contains("peers.yaml:"), "the log names the file and the line");
    let (reports, good) = reports(phone(&["--to", &server.uri("music"), "--hangup-after", "1s"]));
    assert!(good, "{reports:?}");
    server.stop();
}

/// The two channels of a stereo file.
pub fn channels(file: &std::path::Path) -> (Vec<i16>, Vec<i16>) {
    let mut reader = hound::WavReader::open(file).unwrap();
    assert_eq!(reader.spec().channels, 2);
    let all: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    (all.iter().step_by(2).copied().collect(), all.iter().skip(1).step_by(2).copied().collect())
}

/// The strongest frequency of 8 kHz sound.
pub fn strongest(samples: &[i16]) -> u16 {
    hotline::phone::report::measure(samples, 8_000).hertz.unwrap_or(0)
}

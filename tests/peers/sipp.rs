//! SIPp: the field's own load generator, with our scenarios.

use std::io::Read;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::baresip::{Baresip, account};
use crate::phones::{channels, strongest};
use crate::stage::{PATIENCE, Server, anna, installed, phone, reports};

/// Calls, stays, hangs up.
pub const CALL: &str = include_str!("scenarios/call.xml");
const REINVITE: &str = include_str!("scenarios/reinvite.xml");
const KEYS: &str = include_str!("scenarios/keys.xml");
const CANCEL: &str = include_str!("scenarios/cancel.xml");
const RELIABLE: &str = include_str!("scenarios/reliable.xml");
const EXTENSIONS: &str = include_str!("scenarios/extensions.xml");
const REFER: &str = include_str!("scenarios/refer.xml");
const ATTENDED: &str = include_str!("scenarios/attended.xml");
const RELIABLE_AGENT: &str = include_str!("scenarios/reliable-agent.xml");
const LAMP: &str = include_str!("scenarios/lamp.xml");
const PBX: &str = include_str!("scenarios/pbx.xml");
const REGISTER: &str = include_str!("scenarios/register.xml");

/// A running SIPp; killed when dropped.
pub struct Sipp {
    child: Child,
    folder: TempDir,
}

impl Sipp {
    /// Starts it against the server's UDP socket; `-t t1` among the arguments takes the TCP one.
    pub fn run(server: &Server, scenario: &str, args: &[&str]) -> Sipp {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.xml");
        std::fs::write(&file, scenario).unwrap();
        let target = server.sip(match args {
            _ if args.contains(&"t1") || args.contains(&"tn") => "TCP",
            _ if args.contains(&"l1") => "TLS",
            _ => "UDP",
        });
        let output = std::fs::File::create(folder.path().join("out")).unwrap();
        let child = Command::new("sipp")
            .arg(target.to_string())
            .arg("-sf")
            .arg(&file)
            .args([
                "-i",
                "127.0.0.1",
                "-mi",
                "127.0.0.1",
                "-nostdin",
                "-timeout",
                "90s",
                "-timeout_error",
                "-trace_err",
                "-error_file",
                "errors",
            ])
            .args(args)
            .current_dir(folder.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Sipp { child, folder }
    }

    /// Waits for its end; it must have had no failed call.
    pub fn succeed(mut self) {
        let status = self.child.wait().unwrap();
        let read = |name: &str| {
            let mut text = String::new();
            let file = std::fs::File::open(self.folder.path().join(name));
            let _ = file.and_then(|mut file| file.read_to_string(&mut text));
            text
        };
        let out = read("out");
        let tail: Vec<&str> = out.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        assert!(status.success(), "sipp ended with {status}\n{}\n{}", read("errors"), tail.join("\n"));
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls by a scenario, none of which fails or leaves anything behind.
fn calls(scenario: &str, args: &[&str]) {
    if !installed("sipp") {
        return;
    }
    let server = Server::start();
    Sipp::run(&server, scenario, args).succeed();
    nothing_is_left(server);
}

/// One call to Anna, whose phone rings and is not answered until the scenario gives up.
fn call_to_anna_in_vain(scenario: &str) {
    if !installed("sipp") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    let mut agent = anna(&server, &["--ring", "60s", "--longest", "60s"]);
    facts.wait("agent.state", |data| data["state"] == "available");
    Sipp::run(&server, scenario, &["-s", "2001", "-m", "1"]).succeed();
    // The phone was asked for one call; the CANCEL ended it, so that it ends by itself.
    agent.wait();
    nothing_is_left(server);
}

/// A server with Anna (2001), and an agent (2002) whose desk phone is a SIPp with this scenario; it is still to be started.
fn with_a_desk_phone() -> (Server, String) {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let desk = format!("[agents.desk]\nname = \"Desk\"\nextension = \"2002\"\nuri = \"sip:sipp@127.0.0.1:{port}\"\nqueues = [\"desk\"]\n");
    (Server::start_with_agents(&desk), port.to_string())
}

/// SIPp as that desk phone; its Call-IDs have no `@`, so that they can stand in a URI.
fn desk_phone(server: &Server, scenario: &str, port: &str) -> Sipp {
    Sipp::run(server, scenario, &["-p", port, "-m", "1", "-cid_str", "%u-%p-desk"])
}

fn nothing_is_left(server: Server) {
    let mut facts = server.facts();
    let started = server.log_of_facts().iter().filter(|fact| fact["type"] == "call.started").count();
    facts.wait_for(started, "call.ended", |_| true);
    server.stop();
}

#[test]
fn calls_over_udp_are_answered_and_ended() {
    calls(CALL, &["-s", "answer", "-m", "50", "-r", "25", "-d", "500"]);
}

#[test]
fn calls_over_tcp_are_answered_and_ended() {
    calls(CALL, &["-s", "answer", "-m", "20", "-r", "10", "-d", "500", "-t", "t1"]);
}

#[test]
fn lost_packets_are_made_up_for_by_retransmission() {
    calls(CALL, &["-s", "answer", "-m", "30", "-r", "10", "-d", "500", "-lost", "15"]);
}

#[test]
fn a_phone_registers_with_digest_and_takes_its_binding_back() {
    if !installed("sipp") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    Sipp::run(&server, REGISTER, &["-m", "1"]).succeed();
    facts.wait("agent.state", |data| data["state"] == "available");
    facts.wait("agent.state", |data| data["state"] == "offline");
    server.stop();
}

#[test]
fn a_hold_by_reinvite_is_answered_recvonly_and_resumed() {
    calls(REINVITE, &["-s", "music", "-m", "5", "-r", "5"]);
}

#[test]
fn keys_by_info_choose_and_the_server_hangs_up() {
    calls(KEYS, &["-s", "menu", "-m", "3", "-r", "3"]);
}

#[test]
fn a_session_timer_is_refreshed_by_update_and_other_methods_get_their_answers() {
    calls(EXTENSIONS, &["-s", "music", "-m", "3", "-r", "3"]);
}

#[test]
fn a_caller_who_insists_on_reliable_ringing_gets_it() {
    call_to_anna_in_vain(RELIABLE);
}

#[test]
fn a_caller_who_gives_up_while_the_agent_rings_gets_487_and_the_agents_phone_falls_silent() {
    call_to_anna_in_vain(CANCEL);
}

#[test]
fn early_media_of_an_agents_phone_that_must_arrive_is_acknowledged_by_prack() {
    if !installed("sipp") {
        return;
    }
    let (server, port) = with_a_desk_phone();
    let desk = desk_phone(&server, RELIABLE_AGENT, &port);
    let caller = phone(&["--to", &server.uri("2002")]);
    desk.succeed();
    let (reports, good) = reports(caller);
    assert!(good && reports[0]["ended_by"] == "far_end", "{reports:?}");
    nothing_is_left(server);
}

#[test]
fn s85_an_agent_stays_on_his_old_extension_and_the_exchange_is_told_what_is_known_of_the_caller() {
    if !installed("sipp") {
        return;
    }
    let (server, port) = with_a_desk_phone();
    let mut facts = server.facts();
    let exchange = desk_phone(&server, PBX, &port);
    let (reports, good) = reports(phone(&["--to", &server.uri("line"), "--hangup-after", "2s"]));
    assert!(good && reports[0]["status"] == 200, "{reports:?}");
    exchange.succeed();
    facts.wait("session.assigned", |_| true);
    nothing_is_left(server);
}

#[test]
fn s42_a_desk_phones_lamp_blinks_while_a_colleague_is_rung_and_shows_whether_he_is_on_the_phone() {
    if !installed("sipp") {
        return;
    }
    let (server, port) = with_a_desk_phone();
    let mut facts = server.facts();
    let colleague = anna(&server, &["--ring", "1s"]);
    facts.wait("phone.registered", |data| data["user"] == "anna");
    let desk = desk_phone(&server, LAMP, &port);
    let limit = Instant::now() + PATIENCE;
    while !server.text("/v1/metrics").contains("method=\"NOTIFY\"") {
        assert!(Instant::now() < limit, "the desk phone is told nothing");
    }
    let caller = phone(&["--to", &server.uri("2001"), "--hangup-after", "1s"]);
    desk.succeed();
    drop((reports(caller), reports(colleague)));
    nothing_is_left(server);
}

#[test]
fn s42_an_agents_phone_sends_the_caller_on_by_refer_and_hears_by_notify_how_it_goes() {
    if !installed("sipp") {
        return;
    }
    let (server, port) = with_a_desk_phone();
    let mut facts = server.facts();
    let next = anna(&server, &["--ring", "300ms", "--wait", "0s", "--tone", "440:4s"]);
    facts.wait("agent.state", |data| data["state"] == "available" && data["agent"].as_str().is_some());
    facts.wait("phone.registered", |data| data["user"] == "anna");
    let desk = desk_phone(&server, REFER, &port);
    let caller = phone(&["--to", &server.uri("2002"), "--wait", "3s", "--tone", "1000:2s", "--hangup-after", "500ms"]);
    desk.succeed();
    facts.wait_for(2, "call.bridged", |_| true);
    let (reports, good) = reports(caller);
    assert!(good && reports[0]["heard"]["hertz"].as_u64().unwrap_or(0).abs_diff(440) <= 20, "{reports:?}");
    drop(crate::stage::reports(next));
    one_timeline(&server, &mut facts);
    nothing_is_left(server);
}

#[test]
fn s42_a_caller_is_handed_over_to_baresip_after_a_question_in_one_recording_and_one_timeline() {
    if !installed("sipp") || !installed("baresip") {
        return;
    }
    let (server, port) = with_a_desk_phone();
    let mut facts = server.facts();
    let mut colleague = Baresip::start(&account(&server, "udp"), 440);
    facts.wait("phone.registered", |data| data["user"] == "anna");
    let desk = desk_phone(&server, ATTENDED, &port);
    let caller = phone(&["--to", &server.uri("2002"), "--wait", "5s", "--tone", "1000:3s", "--hangup-after", "500ms"]);
    colleague.wait("CALL_ESTABLISHED");
    desk.succeed();
    let (reports, good) = reports(caller);
    assert!(good && reports[0]["heard"]["hertz"].as_u64().unwrap_or(0).abs_diff(440) <= 20, "{reports:?}");
    colleague.wait("CALL_CLOSED");
    let recorded = one_timeline(&server, &mut facts);
    let (left, right) = channels(&server.home().join("recordings").join(recorded["path"].as_str().unwrap()));
    assert!(strongest(&left).abs_diff(1000) <= 20 && strongest(&right).abs_diff(440) <= 20, "both sides from the first word to the last");
    nothing_is_left(server);
}

/// The session of the first call: one, with one recording from its answer to its end and everything that happened; the recording.
fn one_timeline(server: &Server, facts: &mut crate::stage::Facts) -> serde_json::Value {
    let first = facts.wait("call.started", |data| data["to"] == "2002");
    let session = first["session"].as_str().unwrap().to_owned();
    let recorded = facts.wait("recording.finished", |data| data["session"] == session.as_str());
    let started = facts.wait("recording.started", |data| data["session"] == session.as_str());
    assert_eq!(started["recording"], recorded["recording"]);
    let log = server.log_of_facts();
    let of_session = |kind: &str| log.iter().filter(|fact| fact["type"] == kind && fact["data"]["session"] == session.as_str()).count();
    assert_eq!((of_session("recording.started"), of_session("recording.finished")), (1, 1));
    let call = first["call"].as_str().unwrap();
    let bridged = log.iter().filter(|fact| fact["type"] == "call.bridged" && fact["data"]["call"] == call).count();
    assert_eq!(bridged, 2, "the first partner and the second");
    recorded
}

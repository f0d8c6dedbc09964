//! Trunks between real servers: one of ours is the other's carrier, registrar or PBX.

use std::net::UdpSocket;
use std::process::{Command, Output};

use serde_json::Value;

use crate::stage::{Server, phone, reports};

const NUMBERS: &str = "\n[numbers]\n\"9*\" = \"trunk:pbx\"\n\"8*\" = \"trunk:either\"\n";

/// `hotline trunk …` in a server's folder.
pub fn trunk(server: &Server, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
    let api = server.api().trim_start_matches("http://").to_owned();
    command.arg("trunk").args(args).args(["--api", &api]).arg("--home").arg(server.home()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A call of the agent's out by the trunk: the status and the loudness of what he hears.
pub fn call_out(server: &Server, number: &str) -> (u64, f64) {
    let (reports, _) = reports(phone(&[
        "--to",
        &server.uri(number),
        "--user",
        "anna",
        "--password",
        "anna-secret",
        "--wait",
        "1s",
        "--hangup-after",
        "500ms",
    ]));
    (reports[0]["status"].as_u64().unwrap_or(0), reports[0]["heard"]["rms"].as_f64().unwrap_or(0.0))
}

#[test]
fn s85_a_call_goes_out_by_the_next_host_when_the_first_is_dead_and_numbers_are_rewritten() {
    let far = Server::start();
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (gone, there) = (dead.local_addr().unwrap(), far.sip("UDP"));
    let trunks = format!(
        "[trunks.pbx]\nhosts = [\"{gone}\", \"{there}\"]\ncheck = \"off\"\nsources = []\ncaller_out = [\"* -> 100\"]\nout = [\"9* -> *\"]\ncodecs = [\"PCMA\"]\n\
         [trunks.gone]\nremote = \"{gone}\"\ncheck = \"5s\"\nsources = []\ncaller_out = [\"* -> 100\"]\nout = [\"8* -> *\"]\n\
         [trunks.second]\nremote = \"{there}\"\nsources = []\ncaller_out = [\"* -> 100\"]\nout = [\"8* -> *\"]\noffer = \"late\"\n\
         [groups.either]\ntrunks = [\"gone\", \"second\"]\n"
    );
    let server = Server::start_and(NUMBERS, &trunks);
    let mut facts = server.facts();
    let (status, loud) = call_out(&server, "9music");
    assert!(status == 200 && loud > 100.0, "{status}, {loud}");
    let legs = facts.wait_for(2, "leg.opened", |leg| leg["role"] == "far");
    assert!(legs[0]["uri"].as_str().unwrap().contains(&gone.to_string()) && legs[1]["uri"].as_str().unwrap().contains(&there.to_string()));
    assert_eq!(call_out(&server, "9nobody").0, 404, "a number that is not there is not tried elsewhere");

    facts.wait("trunk.state", |state| state["trunk"] == "gone" && state["state"] == "down");
    facts.wait("trunk.state", |state| state["trunk"] == "second" && state["state"] == "up");
    let (status, loud) = call_out(&server, "8music");
    assert!(status == 200 && loud > 100.0, "late offer through the other trunk of the group: {status}, {loud}");

    let shown = server.get("/v1/trunks");
    let gone = shown["data"].as_array().unwrap().iter().find(|trunk| trunk["name"] == "gone").unwrap().clone();
    assert_eq!((gone["state"].as_str(), gone["groups"][0].as_str()), (Some("down"), Some("either")));
    let listed = trunk(&server, &["list"]);
    let table = text(&listed.stdout);
    assert!(
        listed.status.success() && table.contains("OPTIONS is not answered") && table.contains("up"),
        "{table}{}",
        text(&listed.stderr)
    );
    server.stop();
    far.stop();
}

#[test]
fn s85_where_we_register_calls_come_back_and_are_known_by_it() {
    let far = Server::start();
    let there = far.sip("UDP");
    let trunks = format!(
        "[trunks.pbx]\nkind = \"register\"\nremote = \"{there}\"\nuser = \"anna\"\npassword = \"anna-secret\"\ndomain = \"hotline\"\n\
         in = [\"pbx -> music\"]\n"
    );
    let server = Server::start_and("", &trunks);
    server.facts().wait("trunk.state", |state| state["state"] == "up");
    far.facts().wait("phone.registered", |phone| phone["user"] == "anna" && phone["contacts"].as_array().is_some_and(|all| all.len() == 1));
    let caller = phone(&["--to", &far.uri("2001"), "--wait", "3s", "--hangup-after", "500ms"]);
    server.facts().wait("call.started", |call| call["to"] == "music");
    assert_eq!(server.get("/v1/trunks")["data"][0]["calls"], 1);
    let (reports, good) = reports(caller);
    assert!(good && reports[0]["heard"]["rms"].as_f64().unwrap() > 100.0, "{reports:?}");
    server.stop();
    far.facts().wait("phone.registered", |phone| phone["contacts"].as_array().is_some_and(Vec::is_empty));
    far.stop();
}

#[test]
fn a_probe_says_what_a_far_end_can_do_and_fails_where_nobody_is() {
    let far = Server::start();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let trunks = format!(
        "[trunks.pbx]\nremote = \"{}\"\nout = [\"9* -> *\"]\ncheck = \"off\"\n[trunks.gone]\nremote = \"{}\"\ncheck = \"off\"\n",
        far.sip("UDP"),
        silent.local_addr().unwrap()
    );
    let server = Server::start_and("\n[numbers]\n\"9*\" = \"trunk:pbx\"\n", &trunks);
    let probed = trunk(&server, &["probe", "pbx", "--number", "9music", "--json"]);
    let report: Value = serde_json::from_slice(&probed.stdout).unwrap_or_else(|why| panic!("{why}: {}", text(&probed.stderr)));
    assert!(probed.status.success(), "{report}");
    assert_eq!((report["hosts"][0]["status"].as_u64(), report["call"]["status"].as_u64()), (Some(200), Some(200)));
    assert_eq!((report["call"]["agreed"]["codec"].as_str(), report["failures"].as_array().map(Vec::len)), (Some("PCMU"), Some(0)));
    assert!(report["supports"].as_array().unwrap().iter().any(|token| token == "100rel"), "{report}");
    let probed = trunk(&server, &["probe", "pbx"]);
    assert!(probed.status.success() && text(&probed.stdout).contains("refuses   INVITE: 404"), "{}", text(&probed.stdout));
    let probed = trunk(&server, &["probe", "gone"]);
    assert_eq!(probed.status.code(), Some(1));
    assert!(text(&probed.stdout).contains("FAILED    127.0.0.1:") && text(&probed.stdout).contains("OPTIONS is not answered"));
    let unknown = trunk(&server, &["probe", "pbxx"]);
    assert!(unknown.status.code() == Some(2) && text(&unknown.stderr).contains("did you mean `pbx`?"), "{}", text(&unknown.stderr));
    let uncarried = trunk(&server, &["probe", "pbx", "--number", "110"]);
    assert!(text(&uncarried.stderr).contains("no line of its `out` fits"), "{}", text(&uncarried.stderr));
    server.stop();
    far.stop();
}

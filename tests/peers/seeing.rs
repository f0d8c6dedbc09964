//! What an operator sees of a call's signalling: the ladder, the list, the capture file, the counts.

use std::process::{Command, Output};

use serde_json::Value;

use crate::stage::{Server, installed, phone, reports};

fn show(server: &Server, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
    command.args(["call", "show", "--api", server.api()]).arg("--home").arg(server.home()).args(more).output().unwrap()
}

/// A call that had to prove itself, over.
fn proved_call(server: &Server) -> String {
    let mut facts = server.facts();
    let uri = server.uri("music");
    let (all, good) = reports(phone(&["--user", "anna", "--password", "anna-secret", "--to", &uri, "--hangup-after", "300ms"]));
    assert!(good, "{all:?}");
    facts.wait("call.ended", |_| true)["call"].as_str().unwrap().to_owned()
}

#[test]
fn a_call_is_shown_as_ladder_and_list_without_its_credentials_and_is_counted() {
    let server = Server::start();
    let call = proved_call(&server);
    let out = show(&server, &[&call]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let order = ["INVITE", "401 Unauthorized", "ACK", "INVITE", "200 OK SDP", "ACK", "BYE", "200 OK"];
    let mut rest = text.as_str();
    for label in order {
        let at = rest.find(label).unwrap_or_else(|| panic!("{label} is missing in its place in\n{text}"));
        rest = &rest[at + label.len()..];
    }
    let list: Value = serde_json::from_slice(&show(&server, &[&call, "--json"]).stdout).unwrap();
    let messages = list["messages"].as_array().unwrap();
    let proof = messages.iter().filter_map(|message| message["text"].as_str()).find(|text| text.contains("Authorization: xxx")).unwrap();
    assert!(!proof.contains("response="), "{proof}");
    let metrics = server.text("/v1/metrics");
    assert!(metrics.contains("hotline_sip_messages_total{direction=\"in\",method=\"BYE\",status=\"request\",trunk=\"\"} 1"), "{metrics}");
    assert!(metrics.contains("hotline_sip_messages_total{direction=\"out\",method=\"INVITE\",status=\"401\",trunk=\"\"} 1"), "{metrics}");
    let unknown = show(&server, &["call_nothing"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("call_nothing"));
    server.stop();
}

#[test]
fn a_capture_of_one_call_is_read_by_tcpdump_and_tshark() {
    let server = Server::start();
    let call = proved_call(&server);
    let file = server.home().join("call.pcap");
    let out = show(&server, &[&call, "--pcap", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let port = server.sip("UDP").port();
    if installed("tcpdump") {
        let out = Command::new("tcpdump").args(["-n", "-r"]).arg(&file).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success() && text.contains(&format!("127.0.0.1.{port}")), "{text}{}", String::from_utf8_lossy(&out.stderr));
        assert!(text.lines().count() >= 8, "{text}");
    }
    if installed("tshark") {
        let decode = format!("udp.port=={port},sip");
        let fields = ["-T", "fields", "-e", "sip.CSeq.method", "-e", "sip.Status-Code", "-e", "sip.auth", "-Y", "sip"];
        let out = Command::new("tshark").arg("-r").arg(&file).args(["-d", &decode]).args(fields).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("INVITE\t401") && text.contains("INVITE\t200") && text.contains("BYE\t200"), "{text}");
        assert!(!text.contains("response"), "{text}");
    }
    server.stop();
}

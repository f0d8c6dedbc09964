//! `hotline load` against the real server: many callers at once, and what became of each.

use std::process::Command;

use serde_json::Value;

use crate::stage::Server;

/// Whoever presses 1 is served by the robot.
const PLAN: &[u8] = b"dialplan: 1
id: rush
title: Opening hours
languages: [en-US]
channels: [voice]
numbers: [\"4005050\"]
start: main
defaults:
  no_input: {after: 3s, tries: 2, then: end}
menus:
  top:
    options:
      - {key: 1, goto: done, label: \"opening hours\", examples: {en-US: [when are you open, what are your hours]}}
nodes:
  main: [{menu: {use: top, prompt: \"Press one for the opening hours.\"}}]
  done: [{hangup: \"We are open from nine to five.\"}]
";

fn load(server: &Server, number: &str, minutes: &str) -> (bool, Value) {
    let done = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["load", "--to", &server.uri(number), "--calls", "3", "--x4", "--minutes", minutes, "--keys", "1", "--json"])
        .args(["--api", server.api(), "--key", &server.key()])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&done.stdout);
    let value = serde_json::from_str(&told).unwrap_or_else(|why| panic!("{why}: {told}{}", String::from_utf8_lossy(&done.stderr)));
    (done.status.success(), value)
}

#[test]
fn s36_of_many_callers_and_then_four_times_as_many_nobody_is_lost() {
    let config = b"[media]\nbind = \"127.0.0.1\"\nports = \"free:64\"\n\n[guard]\nallow = [\"127.0.0.1\"]\n";
    let server = Server::start_with(&[("sip-config/hotline.toml", config), ("sip-config/phones.toml", b""), ("dialplans/rush.yaml", PLAN)]);
    let (_, told) = load(&server, "4005050", "0.15");
    let (before, rush) = (&told["waves"][0], &told["waves"][1]);
    // Whoever called before the rush may still be speaking when it begins.
    assert!(before["calls"].as_u64() >= Some(3) && rush["calls"].as_u64() >= Some(12 - 3), "{told}");
    assert_eq!((before["failed"].as_u64(), rush["failed"].as_u64(), rush["refused"].as_u64()), (Some(0), Some(0), Some(0)), "{told}");
    assert!(rush["packets"].as_u64() > Some(100), "sound came: {told}");
    let calls = before["calls"].as_u64().unwrap() + rush["calls"].as_u64().unwrap();
    assert_eq!(told["outcomes"]["contained"].as_u64(), Some(calls), "every caller was served by the robot: {told}");
    assert_eq!(told["outcomes"]["lost"], Value::Array(Vec::new()), "{told}");

    let (good, told) = load(&server, "4009999", "0.05");
    assert!(!good && told["waves"][1]["served"] == 0 && told["waves"][1]["failed"].as_u64() >= Some(12 - 3), "an unknown number: {told}");
    server.stop();
}

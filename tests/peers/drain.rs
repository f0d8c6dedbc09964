//! SIGTERM: nothing new is taken, what runs runs on, and then the server ends by itself; a second one ends it at once.

use std::time::{Duration, Instant};

use crate::guard::Stranger;
use crate::stage::{PATIENCE, Server, phone, reports};

/// What a shell expects of a process that SIGTERM ended.
const FORCED: i32 = 143;

#[test]
fn s86_a_server_that_drains_refuses_what_is_new_serves_the_call_that_runs_and_ends_with_0() {
    let mut server = Server::start();
    let mut facts = server.facts();
    let uri = server.uri("music");
    let caller = phone(&["--to", &uri, "--hangup-after", "4s"]);
    facts.wait("call.answered", |_| true);
    server.signal();
    let mut stranger = Stranger::at("127.0.0.31", &server);
    let limit = Instant::now() + PATIENCE;
    loop {
        let options = stranger.request("OPTIONS", "music", "");
        let status = stranger.ask(&options).unwrap().status();
        if status == 503 {
            break;
        }
        assert!(status == 200 && Instant::now() < limit, "{status}");
    }
    let invite = stranger.request("INVITE", "music", "");
    assert_eq!(stranger.ask(&invite).unwrap().status(), 503);
    let (all, good) = reports(caller);
    assert!(good, "the call that ran was served to its end: {all:?}");
    assert_eq!(all[0]["ended_by"], "us");
    assert!(all[0]["talk_ms"].as_u64().unwrap() >= 3_000, "{all:?}");
    assert_eq!(server.end().code(), Some(0), "{}", server.log());
}

#[test]
fn a_second_sigterm_ends_a_server_whose_calls_run_on() {
    let mut server = Server::start();
    let mut facts = server.facts();
    let uri = server.uri("music");
    let caller = phone(&["--to", &uri, "--longest", "40s"]);
    facts.wait("call.answered", |_| true);
    server.signal();
    server.wait_for_log("draining");
    let asked = Instant::now();
    server.signal();
    assert_eq!(server.end().code(), Some(FORCED), "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(10), "it was forced, not waited for");
    drop(reports(caller));
}

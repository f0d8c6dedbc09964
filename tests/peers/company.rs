//! A supervisor by his own phone in a call of two others: who hears whom in each mode, by tone, over real RTP.

use std::path::Path;
use std::time::Duration;

use hotline::media::RATE;
use hotline::media::tone::share;
use serde_json::json;

use crate::phones::channels;
use crate::stage::{Server, anna, phone, reports};

const EVA: &str = "team = \"claims\"\n\n[agents.eva]\nname = \"Eva\"\npassword = \"eva-secret\"\nleads = [\"claims\"]\n";
const CUSTOMER: f64 = 1_000.0;
const ANNA: f64 = 440.0;
const CHIEF: f64 = 2_000.0;
/// Each mode lasts so long.
const PHASE: Duration = Duration::from_millis(1_500);
const WINDOW: usize = RATE as usize / 10;

/// For how many seconds this sine is a tenth of what is heard, or more.
fn seconds_of(hertz: f64, heard: &[i16]) -> f64 {
    heard.chunks_exact(WINDOW).filter(|window| share(window, RATE, hertz) > 0.1).count() as f64 * 0.1
}

fn heard(file: &Path) -> Vec<i16> {
    channels(file).0
}

#[test]
fn s62_listen_whisper_and_barge_by_tone_and_the_recording_has_what_the_customer_heard() {
    let server = Server::start_with_agents(EVA);
    let mut facts = server.facts();
    let file = |name: &str| server.home().join(name);
    let (at_anna, at_eva) = (file("anna.wav"), file("eva.wav"));
    let agent = anna(&server, &["--ring", "100ms", "--wait", "0s", "--tone", "440:60s", "--record", &at_anna.display().to_string()]);
    let address = format!("{};transport=udp", server.sip("UDP"));
    let whose = ["--register", "--answer", "--user", "eva", "--password", "eva-secret", "--server", &address];
    let how = ["--ring", "100ms", "--wait", "0s", "--tone", "2000:60s", "--record", &at_eva.display().to_string()];
    let eva = phone(&[&whose[..], &how[..]].concat());
    facts.wait_for(2, "agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("line"), "--wait", "0s", "--tone", "1000:60s"]);
    let session = facts.wait("session.assigned", |_| true)["session"].as_str().unwrap().to_owned();
    let path = format!("/v1/sessions/{session}/supervision");
    for (mode, state) in [("listen", "joined"), ("whisper", "changed"), ("barge", "changed")] {
        let (status, body) = server.put(&path, &json!({"supervisor": "eva", "mode": mode}));
        assert_eq!(status, 200, "{body}");
        facts.wait("call.supervised", |data| data["mode"] == mode && data["state"] == state);
        facts.pass(PHASE);
    }
    assert_eq!(server.put(&path, &json!({"supervisor": "anna", "mode": "listen"})).0, 403);
    facts.wait("call.supervised", |data| data["state"] == "denied" && data["why"] == "not_of_his_team");
    assert_eq!(server.delete(&path), 200);
    assert!(reports(eva).1);
    caller.quit();
    let recorded = facts.wait("recording.finished", |_| true);
    assert!(reports(caller).1 && reports(agent).1);

    let chief = heard(&at_eva);
    let both = (seconds_of(CUSTOMER, &chief), seconds_of(ANNA, &chief));
    assert!(both.0 > 4.0 && both.1 > 4.0, "she hears both all the time: {both:?} s");
    let whispered = seconds_of(CHIEF, &heard(&at_anna));
    assert!((2.5..5.0).contains(&whispered), "the agent hears her from the whisper on: {whispered} s");
    let (said, ear) = channels(&file("recordings").join(recorded["path"].as_str().unwrap()));
    let barged = seconds_of(CHIEF, &ear);
    assert!((1.2..2.9).contains(&barged), "the customer hears her from the barge-in on: {barged} s");
    assert!(seconds_of(ANNA, &ear) > 4.5 && seconds_of(CUSTOMER, &said) > 4.5);
    assert_eq!((seconds_of(CUSTOMER, &ear), seconds_of(CHIEF, &said)), (0.0, 0.0), "nobody hears himself");
    server.stop();
}

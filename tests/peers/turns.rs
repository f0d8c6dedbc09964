//! Turn-taking on a real call, with the embedded recognizer: words stop a prompt before their sentence is at its end, a cough does not,
//! and who says nothing is asked again. What our phone heard is the proof.

use serde_json::Value;

use crate::clips::{self, Clip};
use crate::coffee;
use crate::sounds;
use crate::stage::{Server, phone, reports};

/// The prompt is long enough to speak into it.
const PLAN: &str = r#"
dialplan: 1
id: turns
title: Turns
languages: [en-US]
numbers: ["500"]
start: main
defaults:
  barge_in: words
  no_input: {after: 3s, tries: 2, then: end}
  no_match: {tries: 3, then: end}
  error: end
nodes:
  main:
    - menu:
        prompt: "Welcome to the robot. It walks, it turns around, it stops at once when somebody stands in its way, and it never gets tired of it. What shall it do next, please?"
        options:
          - {key: 1, goto: forward, label: "go forward", examples: {en-US: ["go forward ten meters", "walk on", "straight ahead please"]}}
          - {key: 2, goto: turn, label: "turn left", examples: {en-US: ["turn left now", "to the left please", "turn around"]}}
  forward: [{say: "It goes forward."}, {hangup: ~}]
  turn: [{say: "It turns."}, {hangup: ~}]
"#;
/// The caller speaks so long after the answer, well within the prompt; in milliseconds.
const INTO_THE_PROMPT: u64 = 2_000;
/// The sentence takes 2.8 s: a prompt that falls silent by then was stopped by words, not by the end of the sentence.
const SENTENCE: u64 = 2_800;
/// The prompt takes more than this when nobody stops it.
const WHOLE_PROMPT: u64 = 7_000;
/// The answer to silence comes 3 s after the prompt, and the prompt's own last silence counts; not 40 s, as while a caller speaks.
const ASKED_AGAIN: std::ops::Range<u64> = 1_500..8_000;

/// When the far end began and stopped to speak, in milliseconds since the call.
fn times(report: &Value, event: &str) -> Vec<u64> {
    let states = report["states"].as_array().unwrap();
    states.iter().filter(|state| state["event"] == event).map(|state| state["at_ms"].as_u64().unwrap()).collect()
}

#[test]
fn s5_words_stop_a_prompt_a_cough_does_not_and_silence_is_asked_again() {
    let Some((clips, _)) = coffee::material() else { return };
    let sentence = clips.iter().find(|clip: &&Clip| clip.id == "en_goforward").expect("the clips have the sentence");
    let config = "[media]\nbind = \"127.0.0.1\"\nports = \"free:32\"\n";
    let server = Server::start_with(&[
        ("sip-config/hotline.toml", config.as_bytes()),
        ("sip-config/phones.toml", b""),
        ("dialplans/turns.yaml", PLAN.as_bytes()),
    ]);
    let file = |name: &str, pcm: &[i16]| {
        let path = server.home().join(name);
        coffee::write(&path, pcm);
        path.display().to_string()
    };
    let (words, cough) = (file("words.wav", &clips::line(&sentence.pcm)), file("cough.wav", &sounds::cough()));
    let to = server.uri("500");
    let call = |steps: &[&str]| phone(&[&["--to", &to, "--wait", "2s"][..], steps].concat());
    let calls = [call(&["--wav", &words]), call(&["--wav", &cough]), call(&[])].map(|call| reports(call).0.remove(0));
    let [spoken, coughed, silent] = &calls;

    let stopped = times(spoken, "far_ended")[0];
    assert!((INTO_THE_PROMPT..INTO_THE_PROMPT + SENTENCE).contains(&stopped), "the words stopped the prompt at {stopped}: {spoken}");
    for report in [coughed, silent] {
        let (ended, began) = (times(report, "far_ended"), times(report, "far_began"));
        assert!(ended[0] > WHOLE_PROMPT, "the prompt went on to its end: {report}");
        assert!(ASKED_AGAIN.contains(&(began[1] - ended[0])), "silence is asked about in time: {report}");
    }
    let understood = server.log_of_facts().into_iter().filter(|fact| fact["type"] == "session.understood").collect::<Vec<_>>();
    assert_eq!(understood.len(), 1, "only the words meant something: {understood:?}");
    server.stop();
}

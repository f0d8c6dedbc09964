//! After the call: a transcript that fails is tried again and then given up aloud; sessions are measured once and never looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hotline::control::event::{Author, Fact, SessionState};
use hotline::control::time::Time;
use hotline::control::words::chat::Content;
use hotline::control::words::{ConversationId, CustomerId, MessageId, RecordingId, SessionId};
use hotline::qa::worker::Unheard;
use hotline::qa::{Transcribed, Utterance, Worker};
use hotline::store::sessions::Transcripts;
use serde_json::json;

use crate::house::House;

const CARD: &str = "4111 1111 1111 1111";

fn a_recorded_call(number: u128) -> Vec<Fact> {
    let (customer, conversation, session, recording) = (CustomerId(1), ConversationId(2), SessionId(number), RecordingId(number));
    let text = |text: &str| text.to_owned();
    vec![
        Fact::SessionCreated {
            session,
            conversation,
            customer,
            channel: text("phone"),
            address: text("+8613800138000"),
            entry: text("1"),
            plan: None,
            plan_version: None,
            call: None,
        },
        Fact::SessionState { session, state: SessionState::Bot },
        Fact::MessageCreated {
            message: MessageId(number),
            session,
            author: Author::Bot,
            agent: None,
            content: Content::Text { text: text("hello") },
            lang: None,
            client_id: None,
            external_id: None,
            offset_ms: None,
            duration_ms: None,
            confidence: None,
            source: None,
            buttons: vec![],
        },
        Fact::RecordingStarted { recording, session, path: text("a.wav") },
        Fact::SessionClosed { session, ending: text("caller_hung_up"), disposition: text("x"), contained: true, duration_ms: 1 },
        Fact::RecordingFinished { recording, session, path: text("a.wav"), duration_ms: 1, bytes: 44, sha256: text("0") },
    ]
}

/// A worker whose recognizer fails so often first.
fn worker(house: &House, fails: u32, why: Unheard) -> Worker {
    let tries = AtomicU32::new(0);
    let said = Utterance { offset_ms: 0, duration_ms: 900, text: format!("my card is {CARD}"), confidence: 0.9, lang: None };
    let heard = Transcribed { engine: "fixed".to_owned(), customer: vec![said], heard: vec![] };
    let transcribe =
        move |_: &std::path::Path, _: &hotline::control::words::Lang, _: &dyn Fn() -> bool| match tries.fetch_add(1, Ordering::Relaxed) {
            before if before < fails => Err(why.clone()),
            _ => Ok(heard.clone()),
        };
    Worker { transcribe: Some(Arc::new(transcribe)), redact: hotline::nlu::redact::redact, ..house.quality.clone() }
}

async fn work(worker: &Worker) {
    while worker.round().await.unwrap() > 0 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_failed_waits_for_its_next_try_and_then_is_there_masked() {
    let house = House::open().await;
    house.given(a_recorded_call(7)).await;
    let worker = worker(&house, 1, Unheard::Now("the model was away".to_owned()));
    work(&worker).await;
    let id = RecordingId(7);
    let recording = house.json(&format!("/v1/recordings/{id}")).await;
    assert_eq!(recording["transcript"], json!({"state": "pending", "tries": 1, "why": "the model was away"}));
    assert_eq!(house.json("/v1/evaluations").await["data"], json!([]), "measured only when its words are there");
    let next = house.store.next_transcript(hotline::clock::now()).await.unwrap().expect("there is a next try");
    assert!(next > hotline::clock::now());
    house.store.note_untranscribed(&id.to_string(), 1, "due", Time(1)).await.unwrap();
    work(&worker).await;
    assert_eq!(house.json(&format!("/v1/recordings/{id}")).await["transcript"]["state"], "done");
    let transcript = house.json(&format!("/v1/transcripts/{id}")).await;
    let texts: Vec<&str> = transcript["utterances"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["hello", "my card is [card]"]);
    assert_eq!(house.json("/v1/evaluations").await["data"].as_array().unwrap().len(), 1);
}

#[test]
fn s86_a_server_that_ends_breaks_off_the_transcript_under_way_and_ends_after_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (begun, began) = std::sync::mpsc::channel();
    let ended = std::sync::Arc::new(AtomicU32::new(0));
    let count = std::sync::Arc::clone(&ended);
    let transcribe = move |_: &std::path::Path, _: &hotline::control::words::Lang, is_wanted: &dyn Fn() -> bool| {
        begun.send(()).unwrap();
        while is_wanted() {
            std::thread::yield_now();
        }
        count.fetch_add(1, Ordering::SeqCst);
        Err(Unheard::Now("broken off".to_owned()))
    };
    let house = runtime.block_on(async {
        let house = House::open().await;
        house.given(a_recorded_call(9)).await;
        house
    });
    let worker = Worker { transcribe: Some(std::sync::Arc::new(transcribe)), ..house.quality.clone() };
    let task = runtime.spawn(async move { work(&worker).await });
    began.recv().unwrap();
    task.abort();
    drop(house);
    drop(runtime);
    assert_eq!(ended.load(Ordering::SeqCst), 1, "its thread has ended before the runtime has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_never_comes_is_given_up_aloud_and_the_session_is_measured_all_the_same() {
    let house = House::open().await;
    house.given(a_recorded_call(8)).await;
    work(&worker(&house, 9, Unheard::Ever("no recognizer for zh".to_owned()))).await;
    let failed = house.json("/v1/events?type=transcript.failed").await;
    assert_eq!((&failed["data"][0]["data"]["tries"], &failed["data"][0]["data"]["why"]), (&json!(1), &json!("no recognizer for zh")));
    let id = RecordingId(8);
    assert_eq!(house.json(&format!("/v1/recordings/{id}")).await["transcript"]["state"], "failed");
    let answer = house.get(&format!("/v1/transcripts/{id}")).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert!(status == 409 && text.contains("transcript_failed") && text.contains("no recognizer for zh"), "{status} {text}");
    assert_eq!(house.json("/v1/evaluations").await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tries_at_a_transcript_have_an_end() {
    let house = House::open().await;
    house.given(a_recorded_call(9)).await;
    let worker = worker(&house, u32::MAX, Unheard::Now("still away".to_owned()));
    let id = RecordingId(9).to_string();
    for tries in 1..10 {
        work(&worker).await;
        if house.json(&format!("/v1/recordings/{id}")).await["transcript"]["state"] == "failed" {
            assert_eq!(tries, 5);
            return;
        }
        house.store.note_untranscribed(&id, tries, "due", Time(1)).await.unwrap();
    }
    panic!("it is tried for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn s64_what_is_measured_is_not_looked_at_again_and_a_new_scorecard_measures_what_was_before() {
    let house = House::open().await;
    for number in 10..15 {
        house.given(a_recorded_call(number)).await;
    }
    work(&house.quality).await;
    assert_eq!(house.json("/v1/evaluations").await["data"].as_array().unwrap().len(), 5);
    assert!(house.store.unmeasured(Transcripts::None, 100).await.unwrap().is_empty());
    assert_eq!(house.store.mark_unmeasured(&house.quality.cards[0].id).await.unwrap(), 0);
    assert_eq!(house.store.mark_unmeasured("another@1").await.unwrap(), 5);
    work(&house.quality).await;
    assert_eq!(house.json("/v1/evaluations").await["data"].as_array().unwrap().len(), 5, "none is measured twice by the same card");
}

#[tokio::test(flavor = "multi_thread")]
async fn s64_a_session_in_which_nothing_was_said_or_recorded_is_not_looked_at() {
    let house = House::open().await;
    for (number, kept) in [(20, "message.created"), (21, "recording."), (22, "")] {
        let is_kept = |fact: &Fact| {
            let kind = serde_json::to_value(fact).unwrap()["type"].as_str().unwrap().to_owned();
            kind.starts_with("session.") || !kept.is_empty() && kind.starts_with(kept)
        };
        house.given(a_recorded_call(number).into_iter().filter(is_kept).collect()).await;
    }
    let marked: Vec<String> = house.store.unmeasured(Transcripts::None, 100).await.unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(marked, [SessionId(20).to_string(), SessionId(21).to_string()]);
}

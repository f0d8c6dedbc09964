//! After an abrupt end: sessions are closed with their reason, who queued gets a callback, recordings are closed as they are, and
//! their files are served whole and in parts.

use std::path::Path;

use hotline::control::event::{Fact, SessionState};
use hotline::control::words::{CallId, ConversationId, CustomerId, QueueId, RecordingId, SessionId};

use crate::house::House;

const RATE: u32 = 8_000;

/// One second of stereo, as the recorder leaves it.
fn wav(path: &Path) {
    let spec = hound::WavSpec { channels: 2, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    (0..RATE * 2).for_each(|at| writer.write_sample(i16::try_from(at % 100).unwrap()).unwrap());
    writer.finalize().unwrap();
}

fn a_queued_call() -> Vec<Fact> {
    let (customer, conversation, session) = (CustomerId(1), ConversationId(2), SessionId(3));
    let (call, queue) = (Some(CallId(4)), QueueId::of_name("driver_general"));
    let text = |text: &str| text.to_owned();
    vec![
        Fact::CustomerCreated { customer, name: None, lang: None },
        Fact::ConversationOpened { conversation, customer },
        Fact::SessionCreated {
            session,
            conversation,
            customer,
            channel: text("phone"),
            address: text("+8613800138000"),
            entry: text("4001010"),
            plan: None,
            plan_version: None,
            call,
        },
        Fact::RecordingStarted { recording: RecordingId(5), session, path: text("rec.wav") },
        Fact::RecordingStarted { recording: RecordingId(6), session, path: text("lost.wav") },
        Fact::SessionState { session, state: SessionState::Queued },
        Fact::Queued { session, queue, skills: vec![], priority: 5, position: 1 },
    ]
}

async fn restarted() -> (House, tempfile::TempDir) {
    let house = House::open().await;
    house.given(a_queued_call()).await;
    wav(&house.recordings.join("rec.wav"));
    let folder = house.cut().await.unwrap();
    (House::at(folder.path(), None).await, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn s86_a_caller_in_the_queue_gets_a_callback_record_after_a_restart() {
    let (house, _folder) = restarted().await;
    let mut applied = house.store.watch();
    let path = format!("/v1/sessions/{}", SessionId(3));
    loop {
        applied.borrow_and_update();
        if house.json(&path).await["state"] == "closed" {
            break;
        }
        applied.changed().await.unwrap();
    }
    assert_eq!(house.json(&path).await["ending"], "server_stopped");
    let callbacks = house.json("/v1/callbacks").await;
    assert_eq!((&callbacks["data"][0]["address"], &callbacks["data"][0]["state"]), (&"+8613800138000".into(), &"promised".into()));
    assert_eq!(callbacks["data"].as_array().unwrap().len(), 1);
    assert_eq!(house.json("/v1/queues/driver_general").await["waiting"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn s86_a_recording_that_was_cut_off_is_closed_and_served_whole_and_in_parts() {
    let (house, _folder) = restarted().await;
    let id = RecordingId(5);
    let recording = house.json(&format!("/v1/recordings/{id}")).await;
    assert_eq!((&recording["state"], &recording["duration_ms"]), (&"finished".into(), &1_000.into()));
    assert_eq!(house.json(&format!("/v1/recordings/{}", RecordingId(6))).await["state"], "failed");
    assert_eq!(house.json(&format!("/v1/recordings/{id}/certificate")).await["intact"], true);
    let file = std::fs::read(house.recordings.join("rec.wav")).unwrap();
    let path = format!("/v1/recordings/{id}/audio");
    let whole = house.get(&path).send().await.unwrap();
    assert_eq!((whole.status().as_u16(), whole.headers()["accept-ranges"].to_str().unwrap()), (200, "bytes"));
    assert_eq!(whole.bytes().await.unwrap(), file);
    for (range, status, part) in
        [("bytes=0-43", 206, 0..44), ("bytes=32000-", 206, 32_000..file.len()), ("bytes=-100", 206, file.len() - 100..file.len())]
    {
        let answer = house.get(&path).header("range", range).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{range}");
        let wanted = format!("bytes {}-{}/{}", part.start, part.end - 1, file.len());
        assert_eq!(answer.headers()["content-range"].to_str().unwrap(), wanted);
        assert_eq!(answer.bytes().await.unwrap(), file[part]);
    }
    let outside = house.get(&path).header("range", "bytes=999999-").send().await.unwrap();
    assert_eq!(outside.status().as_u16(), 416);
    std::fs::write(house.recordings.join("rec.wav"), b"another").unwrap();
    assert_eq!(house.json(&format!("/v1/recordings/{id}/certificate")).await["intact"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edges_of_ranges_are_answered_as_rfc_9110_says() {
    let (house, _folder) = restarted().await;
    let path = format!("/v1/recordings/{}/audio", RecordingId(5));
    let whole = std::fs::read(house.recordings.join("rec.wav")).unwrap();
    let head = reqwest::Client::new().head(format!("{}{path}", house.base)).bearer_auth(&house.admin);
    let head = head.header("range", "bytes=0-9").send().await.unwrap();
    assert_eq!(head.status().as_u16(), 200, "a range means something for GET only");
    assert_eq!(head.headers()["content-length"].to_str().unwrap(), whole.len().to_string());
    let tag = head.headers()["etag"].to_str().unwrap().to_owned();
    assert!(head.bytes().await.unwrap().is_empty());
    for (range, if_range, status, length) in [
        ("bytes=0-9", Some(tag.as_str()), 206, 10),
        ("bytes=0-9", Some("\"another\""), 200, whole.len()),
        ("bytes=0-", None, 206, whole.len()),
        ("bytes=0-1,4-5", None, 200, whole.len()),
        ("lines=1-2", None, 200, whole.len()),
        ("bytes=9-2", None, 200, whole.len()),
        ("bytes=-999999", None, 206, whole.len()),
    ] {
        let request = house.get(&path).header("range", range);
        let request = if let Some(tag) = if_range { request.header("if-range", tag) } else { request };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{range} {if_range:?}");
        assert_eq!(answer.headers().contains_key("content-range"), status == 206, "{range}");
        assert_eq!(answer.bytes().await.unwrap().len(), length, "{range} {if_range:?}");
    }
    let outside = house.get(&path).header("range", "bytes=-0").send().await.unwrap();
    assert_eq!(outside.status().as_u16(), 416);
    assert_eq!(outside.headers()["content-range"].to_str().unwrap(), format!("bytes */{}", whole.len()));
    let unknown = house.get(&format!("/v1/recordings/{}/audio", RecordingId(99))).send().await.unwrap();
    assert!(unknown.status().as_u16() == 404 && unknown.text().await.unwrap().contains("recording_unknown"));
    let lost = house.get(&format!("/v1/recordings/{}/audio", RecordingId(6))).send().await.unwrap();
    assert!(lost.status().as_u16() == 404 && lost.text().await.unwrap().contains("recording_file_missing"));
}

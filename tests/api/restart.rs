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

/// So many blocks of half a second of noise, as much of them as is left.
fn opus(path: &Path, blocks: u16, left: impl Fn(&[u8]) -> &[u8]) {
    let (mut file, mut state) = (Vec::new(), 1u32);
    let mut writer = hotline::vault::opus::Writer::begin(&mut file).unwrap();
    for _ in 0..blocks {
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 18) as i16 - 8_192
        });
        writer.add(&noise.take(8_000).collect::<Vec<i16>>(), &mut file).unwrap();
    }
    writer.end(&mut file).unwrap();
    std::fs::write(path, left(&file)).unwrap();
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
        Fact::RecordingStarted { recording: RecordingId(7), session, path: text("long.opus") },
        Fact::SessionState { session, state: SessionState::Queued },
        Fact::Queued { session, queue, skills: vec![], priority: 5, position: 1 },
    ]
}

async fn restarted() -> (House, tempfile::TempDir) {
    let house = House::open().await;
    house.given(a_queued_call()).await;
    wav(&house.recordings.join("rec.wav"));
    // A whole first part, and a second one whose writer was killed in its third block.
    opus(&house.recordings.join("long.opus"), 4, |file| file);
    opus(&house.recordings.join("long-2.opus"), 3, |file| &file[..file.len() - 400]);
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
async fn s86_all_parts_of_a_recording_that_was_cut_off_are_closed_listed_and_served() {
    let (house, _folder) = restarted().await;
    let id = RecordingId(7);
    let recording = house.json(&format!("/v1/recordings/{id}")).await;
    let listed = house.json(&format!("/v1/recordings?session={}", SessionId(3))).await;
    assert!(listed["data"].as_array().unwrap().contains(&recording), "{listed}");
    assert_eq!(recording["state"], "finished", "{recording}");
    let parts = recording["parts"].as_array().unwrap();
    let told: Vec<_> = parts.iter().map(|part| (part["part"].as_i64().unwrap(), part["path"].as_str().unwrap())).collect();
    assert_eq!(told, [(1, "long.opus"), (2, "long-2.opus")]);
    let lasts: Vec<i64> = parts.iter().map(|part| part["duration_ms"].as_i64().unwrap()).collect();
    assert!(lasts[0] == 2_000 && (900..1_000).contains(&lasts[1]), "{lasts:?}");
    assert!(recording["duration_ms"].as_i64().unwrap().abs_diff(lasts[0] + lasts[1]) <= 1);
    assert_eq!(house.json(&format!("/v1/recordings/{id}/certificate")).await["intact"], true);
    for (asked, part, file) in [("", 0, "long.opus"), ("?part=1", 0, "long.opus"), ("?part=2", 1, "long-2.opus")] {
        let file = std::fs::read(house.recordings.join(file)).unwrap();
        let answer = house.get(&format!("/v1/recordings/{id}/audio{asked}")).header("range", "bytes=10-").send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((answer.status().as_u16(), header("content-type")), (206, "audio/ogg; codecs=opus".to_owned()));
        assert_eq!(header("etag"), format!("{}", parts[part]["sha256"]));
        assert!(header("content-disposition").contains(&format!("{id}-{}.opus", part + 1)), "{}", header("content-disposition"));
        assert_eq!(answer.bytes().await.unwrap(), file[10..], "{asked}");
    }
    let none = house.get(&format!("/v1/recordings/{id}/audio?part=3")).send().await.unwrap();
    assert_eq!(none.status().as_u16(), 404);
    let peaks = house.json(&format!("/v1/recordings/{id}/peaks?points=9999")).await;
    assert_eq!(peaks["left"].as_array().unwrap().len(), 30, "one waveform over all parts: {peaks}");
    std::fs::remove_file(house.recordings.join("long-2.opus")).unwrap();
    let gone = house.get(&format!("/v1/recordings/{id}/certificate")).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 404, "no certificate where a part is missing");
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

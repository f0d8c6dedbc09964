//! Recordings that lie sealed, through the API: whole, in parts, with their certificate, damaged, and without their key.

use std::fs::{self, File};
use std::sync::Arc;

use hotline::control::event::Fact;
use hotline::control::words::{RecordingId, SessionId};
use hotline::vault::{Form, Key, Sealer, wav_header};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::house::{House, RECORDING_KEY};

const BLOCK: usize = 16_000;

/// Three and a half blocks of sound.
fn sound() -> Vec<u8> {
    (0..3 * BLOCK + BLOCK / 2).map(|at| (at * 31 % 251) as u8).collect()
}

/// A sealed recording that the log knows.
async fn recorded(house: &House, number: u128, key: [u8; 32]) -> (String, Vec<u8>) {
    let (recording, sound) = (RecordingId(number), sound());
    let path = format!("{recording}.wav");
    let file = Arc::new(File::create(house.recordings.join(&path)).unwrap());
    let mut sealer = Sealer::begin(file, &Key::new(key), Form::Wav).unwrap();
    sealer.append(&sound).unwrap();
    sealer.close().unwrap();
    let plain = [&wav_header(sound.len() as u64)[..], &sound].concat();
    let (bytes, sha256) = (plain.len() as u64, hex::encode(Sha256::digest(&plain)));
    house.given(vec![Fact::RecordingFinished { recording, session: SessionId(1), path, duration_ms: 1_750, bytes, sha256 }]).await;
    (format!("/v1/recordings/{recording}"), plain)
}

#[tokio::test(flavor = "multi_thread")]
async fn s80_a_sealed_recording_is_served_as_the_plain_file_whole_and_in_parts() {
    let house = House::open().await;
    let (path, plain) = recorded(&house, 1, RECORDING_KEY).await;
    let whole = house.get(&format!("{path}/audio")).send().await.unwrap();
    assert_eq!((whole.status().as_u16(), whole.headers()["content-length"].to_str().unwrap()), (200, plain.len().to_string().as_str()));
    assert!(whole.bytes().await.unwrap() == plain);
    for (range, from, to) in [
        ("bytes=0-43", 0, 44),
        ("bytes=40-100", 40, 101),
        ("bytes=15000-40000", 15_000, 40_001),
        ("bytes=-9", plain.len() - 9, plain.len()),
    ] {
        let part = house.get(&format!("{path}/audio")).header("Range", range).send().await.unwrap();
        let told = part.headers()["content-range"].to_str().unwrap().to_owned();
        assert_eq!((part.status().as_u16(), told), (206, format!("bytes {from}-{}/{}", to - 1, plain.len())), "{range}");
        assert!(part.bytes().await.unwrap() == plain[from..to], "{range}");
    }
    let certificate = house.json(&format!("{path}/certificate")).await;
    assert_eq!((&certificate["intact"], &certificate["bytes"]), (&Value::from(true), &Value::from(plain.len())));
    assert_eq!(certificate["sealed_with"], Key::new(RECORDING_KEY).name());
}

#[tokio::test(flavor = "multi_thread")]
async fn s80_a_changed_block_and_a_missing_key_are_told_and_not_played() {
    let house = House::open().await;
    let (path, _) = recorded(&house, 1, RECORDING_KEY).await;
    let file = house.recordings.join(format!("{}.wav", RecordingId(1)));
    let mut lies = fs::read(&file).unwrap();
    lies[64 + 100] ^= 1;
    fs::write(&file, lies).unwrap();
    for route in ["audio", "certificate"] {
        let answer = house.get(&format!("{path}/{route}")).send().await.unwrap();
        let status = answer.status().as_u16();
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!((status, &problem["code"]), (500, &Value::from("recording_unreadable")), "{route}");
    }
    let later = house.get(&format!("{path}/audio")).header("Range", "bytes=20000-30000").send().await.unwrap();
    assert_eq!(later.status().as_u16(), 206, "what was not changed can be heard");
    let (path, _) = recorded(&house, 2, [7; 32]).await;
    let answer = house.get(&format!("{path}/audio")).send().await.unwrap();
    let status = answer.status().as_u16();
    let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((status, &problem["code"]), (503, &Value::from("recording_key_missing")));
    assert!(problem["detail"].as_str().unwrap().contains(&Key::new([7; 32]).name()));
}

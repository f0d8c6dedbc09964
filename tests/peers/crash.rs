//! kill -9 in the middle of the work.

use std::path::Path;
use std::time::{Duration, Instant};

use hotline::vault::{Keys, Reader};

use crate::sipp::{self, Sipp};
use crate::stage::{Server, installed};

const CALLS: usize = 20;
const WAITING: usize = 3;
/// Sound that is surely on disk when the server is killed: what was said until a second before.
const TALKED: Duration = Duration::from_secs(4);
const SURELY_ON_DISK: Duration = Duration::from_secs(3);
const BACK_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn s86_kill_9_during_20_calls_leaves_readable_recordings_a_log_without_gap_and_callbacks() {
    if installed("sipp") {
        killed(Server::start());
    }
}

#[test]
fn s86_kill_9_leaves_packed_recordings_readable_too() {
    if installed("sipp") {
        killed(Server::start_and("\n[recordings]\nformat = \"opus\"\n", ""));
    }
}

/// How much of a recording can be played.
fn plays(file: &Path) -> Duration {
    let broken = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", file.display()) };
    if file.extension().is_some_and(|end| end == "wav") {
        let reader = hound::WavReader::open(file).unwrap_or_else(|error| broken(&error));
        return Duration::from_millis(u64::from(reader.duration()) * 1_000 / u64::from(reader.spec().sample_rate));
    }
    let mut reader = Reader::open(file, &Keys::default()).unwrap_or_else(|error| broken(&error));
    Duration::from_micros(reader.samples(|_| ()).unwrap_or_else(|error| broken(&error)) * 125)
}

fn killed(mut server: Server) {
    let mut facts = server.facts();
    let callers = Sipp::run(&server, sipp::CALL, &["-s", "music", "-m", &CALLS.to_string(), "-r", "20", "-d", "60000"]);
    let waiting = Sipp::run(&server, sipp::CALL, &["-s", "line", "-m", &WAITING.to_string(), "-r", "10", "-d", "60000"]);
    facts.wait_for(CALLS + WAITING, "call.answered", |_| true);
    facts.wait_for(WAITING, "session.queued", |_| true);
    facts.pass(TALKED);
    let before = server.log_of_facts();
    server.kill();
    drop((callers, waiting));

    let files = server.recordings();
    assert!(files.len() >= CALLS, "{} recordings of {CALLS} calls", files.len());
    for file in &files {
        let length = plays(file);
        assert!(length >= SURELY_ON_DISK, "{} holds {length:?}", file.display());
    }

    let down = Instant::now();
    server.restart();
    assert!(down.elapsed() < BACK_WITHIN, "back after {:?}", down.elapsed());
    let after = server.log_of_facts();
    for (nth, fact) in after.iter().enumerate() {
        assert_eq!(fact["seq"].as_u64(), Some(nth as u64 + 1), "the log has a gap");
    }
    assert_eq!(before[..], after[..before.len()], "what was told stays told");
    server.facts().wait_for(WAITING, "callback.promised", |_| true);
    server.stop();
}

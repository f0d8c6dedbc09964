//! kill -9 while facts are written: after the restart the log has no gap and no double, and nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hotline::clock::{chance, now};
use hotline::control::event::{DomainEvent, Fact};
use hotline::control::words::EventId;
use hotline::store::events::Span;
use hotline::store::{self, Settings};

use crate::house::sqlite;

/// Set in the process that is killed: the folder it writes in.
const CHILD: &str = "HOTLINE_TEST_CRASH_FOLDER";
const KILLS: usize = 5;
/// Acknowledgements read before a kill.
const READ: usize = 40;

fn settings(folder: &Path) -> Settings {
    Settings { url: sqlite(folder), log: folder.join("log") }
}

/// Writes facts, several at once, and prints the ids that were acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let started = store::start(&settings(Path::new(&folder))).await.unwrap();
    loop {
        let (at, mut random) = (now(), chance());
        let fact = |level: usize| DomainEvent { id: EventId::new(at, &mut random), at, fact: Fact::Overload { level: level.to_string() } };
        let events: Vec<DomainEvent> = (0..7).map(fact).collect();
        let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        started.journal.record(events).await.unwrap();
        println!("acked {}", ids.join(" "));
    }
}

fn kill_once(folder: &Path) -> BTreeSet<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_process_that_is_killed", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acked = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acked ").map(str::to_owned)).take(READ);
    let ids = acked.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn s86_after_kill_9_the_log_has_no_gap_and_no_double_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut acked = BTreeSet::new();
    for _ in 0..KILLS {
        let path = folder.path().to_owned();
        acked.extend(tokio::task::spawn_blocking(move || kill_once(&path)).await.unwrap());
    }
    assert!(acked.len() >= KILLS * READ, "{} facts were acknowledged", acked.len());
    let started = store::start(&settings(folder.path())).await.unwrap();
    assert_eq!(started.store.applied(), started.journal.durable());
    let all = started.store.events(&Span { limit: 1_000_000, ..Span::default() }).await.unwrap();
    let seqs: Vec<i64> = all.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=started.journal.durable().cast_signed()).collect::<Vec<_>>());
    let ids: BTreeSet<String> = all.iter().map(|event| event.id.clone()).collect();
    assert_eq!(ids.len(), all.len());
    assert!(acked.is_subset(&ids));
}

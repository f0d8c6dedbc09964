//! The fold: facts of the log into the tables, batch by batch, each batch and its `applied_seq` in one transaction.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::db::{Db, Tx};
use super::journal::tail::{Entry, Tail};
use super::journal::{JournalError, segment};
use super::{Error, activity, agents, calls, customers, messages, outcomes, queues, recordings, sessions, tickets};
use crate::args;
use crate::control::event::Fact;
use crate::control::time::Time;

/// Facts of one transaction.
const BATCH: usize = 512;
/// A database that cannot be reached is asked again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Old files are looked for each time so many facts were applied.
const PRUNE_EVERY: u64 = 100_000;

/// When and where in the log a fact stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its seq.
    pub seq: u64,
    /// When it happened.
    pub at: Time,
}

/// What the database has.
///
/// # Errors
/// What the database says.
pub async fn applied(db: &Db) -> Result<u64, Error> {
    let row = db.row("SELECT value FROM meta WHERE name = $1", args!["applied_seq"]).await?;
    Ok(row.map_or(Ok(0), |row| row.int("value"))?.cast_unsigned())
}

/// Runs until the log is closed and all of it is applied.
///
/// # Errors
/// A log that lacks facts or is damaged: going on would leave a gap.
pub async fn run(db: Db, folder: PathBuf, mut durable: watch::Receiver<u64>, told: watch::Sender<u64>) -> Result<(), Error> {
    let mut applied = *told.borrow();
    let mut tail = Tail::after(folder.clone(), applied);
    loop {
        let upto = *durable.borrow_and_update();
        while applied < upto {
            let (kept, batch) = read(tail, upto).await?;
            tail = kept;
            fold(&db, &batch).await;
            let before = applied;
            applied = batch.last().map_or(applied, |last| last.seq);
            told.send_replace(applied);
            if before / PRUNE_EVERY != applied / PRUNE_EVERY {
                segment::prune(&folder, applied).map_err(JournalError::Disk)?;
            }
        }
        if durable.changed().await.is_err() && *durable.borrow() == applied {
            return Ok(());
        }
    }
}

async fn read(mut tail: Tail, upto: u64) -> Result<(Tail, Vec<Entry>), Error> {
    let job = tokio::task::spawn_blocking(move || {
        let batch = tail.read(upto, BATCH);
        batch.map(|batch| (tail, batch))
    });
    Ok(job.await.map_err(|_| JournalError::Closed)??)
}

/// Applies a batch, whatever it takes: all at once, else one by one, and a fact that no table takes stands in `events` alone.
async fn fold(db: &Db, batch: &[Entry]) {
    let mut pace = tokio::time::interval(RETRY);
    loop {
        pace.tick().await;
        match write(db, batch, Tables::All).await {
            Ok(()) => return,
            Err(error) if is_refusal(&error) && batch.len() == 1 => {
                tracing::error!(seq = batch[0].seq, kind = batch[0].kind, %error, "a fact fits no table: it stands in the log alone");
                if write(db, batch, Tables::Log).await.is_ok() {
                    return;
                }
            }
            Err(error) if is_refusal(&error) => {
                for one in batch {
                    Box::pin(fold(db, std::slice::from_ref(one))).await;
                }
                return;
            }
            Err(error) => tracing::error!(%error, "the database cannot be written: trying again, the log keeps everything"),
        }
    }
}

/// Did the database refuse the fact itself (and not fail to be there)?
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Database(sqlx::Error::Database(inner)) => {
            !matches!(inner.kind(), sqlx::error::ErrorKind::Other) || is_data_error(inner.as_ref())
        }
        _ => false,
    }
}

/// PostgreSQL class 22: the data does not fit its column. (A full disk or a lock is class 53, 55 …, and SQLite's own codes.)
fn is_data_error(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    All,
    Log,
}

async fn write(db: &Db, batch: &[Entry], tables: Tables) -> Result<(), Error> {
    let Some(last) = batch.last() else { return Ok(()) };
    let mut tx = db.begin().await?;
    for entry in batch {
        note(&mut tx, entry).await?;
        if let (Some(fact), Tables::All) = (&entry.fact, tables) {
            apply(&mut tx, Place { seq: entry.seq, at: Time(entry.at) }, fact).await?;
        }
    }
    tx.run("UPDATE meta SET value = $1 WHERE name = 'applied_seq'", args![last.seq]).await?;
    tx.commit().await
}

async fn note(tx: &mut Tx, entry: &Entry) -> Result<(), Error> {
    tx.run(
        "INSERT INTO events (seq, id, at, type, session, customer, data) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![entry.seq, &entry.id, entry.at, &entry.kind, entry.data["session"].as_str(), entry.data["customer"].as_str(), &entry.data],
    )
    .await
    .map(|_| ())
}

/// One fact into every table that has to do with it.
async fn apply(tx: &mut Tx, place: Place, fact: &Fact) -> Result<(), Error> {
    customers::fold(tx, place, fact).await?;
    activity::fold(tx, place, fact).await?;
    sessions::fold(tx, place, fact).await?;
    messages::fold(tx, place, fact).await?;
    calls::fold(tx, place, fact).await?;
    queues::fold(tx, place, fact).await?;
    agents::fold(tx, place, fact).await?;
    recordings::fold(tx, place, fact).await?;
    tickets::fold(tx, place, fact).await?;
    outcomes::fold(tx, place, fact).await
}

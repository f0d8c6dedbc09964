//! What the center remembers: the log of facts, and the tables that are folded from it for the API to read.
//!
//! One way in: a fact goes to [`journal::Journal`], gets its `seq` on disk, and the fold puts it into the tables together with
//! `applied_seq` in one transaction, so that a crash between any two steps neither loses nor doubles it.

pub mod activity;
pub mod agents;
pub mod calls;
pub mod changes;
pub mod customers;
pub mod db;
pub mod deliveries;
pub mod events;
pub mod fold;
pub mod gaps;
pub mod idempotency;
pub mod journal;
pub mod keys;
pub mod known;
pub mod messages;
pub mod outcomes;
pub mod page;
pub mod phones;
pub mod plans;
pub mod queues;
pub mod recordings;
pub mod reports;
pub mod restore;
pub mod sessions;
pub mod subscribers;
pub mod suggestions;
pub mod tickets;
pub mod timeline;
pub mod trunks;
pub mod visits;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::args;
use crate::control::event::DomainEvent;
use db::Db;
use journal::segment::Torn;
use journal::{Journal, JournalError};

/// How long a request waits for its own writes to be readable.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no or could not be reached.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The fold lies behind by more than [`CATCH_UP`].
    #[error("the database lies behind the log: it has {applied}, {wanted} is wanted")]
    Behind {
        /// What it has.
        applied: u64,
        /// What was wanted.
        wanted: u64,
    },
}

/// Where the memory is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:FILE` or `postgres://…`.
    pub url: String,
    /// The folder of the log.
    pub log: PathBuf,
}

/// The tables; cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    applied: watch::Receiver<u64>,
    /// Cuts the fold's rest short.
    hurry: Arc<Notify>,
}

/// Everything that [`start`] started.
pub struct Started {
    /// The tables.
    pub store: Store,
    /// The log.
    pub journal: Journal,
    /// The log's thread: ends when the last [`Journal`] is dropped.
    pub journal_thread: thread::JoinHandle<()>,
    /// The fold: ends after the log's thread, with everything applied.
    pub fold: JoinHandle<Result<(), Error>>,
    /// What a crash had left half-written.
    pub torn: Option<Torn>,
}

/// Opens the database and the log, starts the fold, and waits until all that the log has is in the tables.
///
/// # Errors
/// What the database or the disk says.
pub async fn start(settings: &Settings) -> Result<Started, Error> {
    let db = Db::open(&settings.url).await?;
    let applied = fold::applied(&db).await?;
    let opened = Journal::open(&settings.log, applied)?;
    let (told, seen) = watch::channel(applied);
    let source = fold::Source::new(settings.log.clone(), applied, opened.written);
    let hurry = Arc::new(Notify::new());
    let (folder, durable) = (settings.log.clone(), opened.journal.watch());
    let fold = fold::Fold { db: db.clone(), folder, source, durable, told, hurry: Arc::clone(&hurry) };
    let fold = tokio::spawn(fold.run());
    let store = Store { db, applied: seen, hurry };
    let mut behind = store.applied.clone();
    let durable = opened.journal.durable();
    if behind.wait_for(|applied| *applied >= durable).await.is_err() {
        return Err(fold.await.map_or_else(|_| JournalError::Closed.into(), |ended| ended.err().unwrap_or(JournalError::Closed.into())));
    }
    Ok(Started { store, journal: opened.journal, journal_thread: opened.thread, fold, torn: opened.torn })
}

impl Store {
    /// The last fact that the tables have.
    #[must_use]
    pub fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    /// A view of the last fact that the tables have: it moves when subscribers have something to read.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.applied.clone()
    }

    /// Waits until the tables have fact `seq`.
    ///
    /// # Errors
    /// [`Error::Behind`] after five seconds.
    pub async fn caught_up(&self, seq: u64) -> Result<(), Error> {
        let mut applied = self.applied.clone();
        if *applied.borrow() < seq {
            self.hurry.notify_one();
        }
        match tokio::time::timeout(CATCH_UP, applied.wait_for(|applied| *applied >= seq)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(JournalError::Closed.into()),
            Err(_) => Err(Error::Behind { applied: self.applied(), wanted: seq }),
        }
    }

    /// Writes facts down and waits until they can be read; returns the seq of the last.
    ///
    /// # Errors
    /// As [`Journal::record`] and [`Store::caught_up`].
    pub async fn record(&self, journal: &Journal, events: Vec<DomainEvent>) -> Result<u64, Error> {
        let seq = journal.record(events).await?;
        self.caught_up(seq).await?;
        Ok(seq)
    }

    /// Does the database answer?
    ///
    /// # Errors
    /// What it says.
    pub async fn ping(&self) -> Result<(), Error> {
        self.db.row("SELECT value FROM meta WHERE name = $1", args!["applied_seq"]).await.map(|_| ())
    }

    /// The database itself.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// The word an enum has in the API.
#[must_use]
pub fn word<T: serde::Serialize>(it: &T) -> String {
    serde_json::to_value(it).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

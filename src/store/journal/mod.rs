//! The append-only log of facts. `append` hands the facts of a step to the journal's thread, which numbers them, writes them to a
//! local file and waits for the disk; only then the fold puts them into the database, and only then subscribers see them.
//!
//! What happens when the disk is slow: the line to the thread holds the facts of [`LINE`] steps. At half of it [`Journal::is_pressed`] is true and
//! new calls are to be refused, so that the other half belongs to the calls in progress. When it is full all the same, `append`
//! waits: a late fact is better than a lost one.

pub mod entry;
pub mod segment;
pub mod tail;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::{mpsc, oneshot, watch};

use crate::control::event::DomainEvent;
use entry::Entry;
use segment::{Segment, Torn};

/// Steps whose facts may wait for the journal's thread.
pub const LINE: usize = 65_536;
/// At most one wait for the disk in this span; a lone fact is written at once.
const PACE: Duration = Duration::from_millis(50);
/// A write is not longer than this, in bytes.
const WRITE_BYTES: usize = 4 << 20;
/// Writes whose facts wait in memory for the fold. When it lies further behind, it reads them from the file.
const WARM: usize = 16;
/// A disk that refuses (full, gone) is asked again after this.
const RETRY: Duration = Duration::from_secs(1);

/// Why the log cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk.
    #[error("the log folder: {0}")]
    Disk(#[from] std::io::Error),
    /// Facts that the database lacks are in no file.
    #[error(
        "the log in {folder} lacks fact {seq}, which the database has not seen: put the folder's files back, or the database of the same age"
    )]
    Gap {
        /// The first that is missing.
        seq: u64,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A line in the middle of the log is damaged.
    #[error("fact {seq} in the log {folder} is damaged (wrong checksum): put the file back from a copy")]
    Broken {
        /// Which.
        seq: u64,
        /// Where.
        folder: PathBuf,
    },
    /// The line is whole, but no fact.
    #[error("fact {seq} is not JSON: {why}")]
    Unreadable {
        /// Which.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The journal's thread has ended: the server is closing.
    #[error("the log is closed")]
    Closed,
}

enum Order {
    Append(Vec<DomainEvent>),
    Record(Vec<DomainEvent>, oneshot::Sender<u64>),
    Close,
}

/// A handle to the log; cheap to clone. The thread ends, with everything written, on [`Journal::close`] or when the last handle
/// is dropped.
#[derive(Clone)]
pub struct Journal {
    orders: Sender<Order>,
    /// Ends the thread's rest between two writes.
    hurry: Sender<()>,
    durable: watch::Receiver<u64>,
}

/// An opened log.
pub struct Opened {
    /// The handle.
    pub journal: Journal,
    /// To be joined after the last handle is dropped.
    pub thread: JoinHandle<()>,
    /// What was written, as long as there is room: the fold need not read it back. It comes before [`Journal::durable`] names it.
    pub written: mpsc::Receiver<Vec<Entry>>,
    /// What a crash had left half-written.
    pub torn: Option<Torn>,
}

impl Journal {
    /// Opens the log of a folder and starts its thread. `applied` is the last fact the database has.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(folder: &Path, applied: u64) -> Result<Opened, JournalError> {
        let (segment, last, torn) = Segment::open(folder, applied)?;
        let (orders, line) = bounded(LINE);
        let (durable, seen) = watch::channel(last);
        let (warm, written) = mpsc::channel(WARM);
        let folder = folder.to_owned();
        let writer = Writer { folder, segment, last, durable, warm, lines: Vec::new(), entries: Vec::new(), waiting: Vec::new() };
        let (hurry, rest) = bounded(1);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&line, &rest))?;
        Ok(Opened { journal: Journal { orders, hurry, durable: seen }, thread, written, torn })
    }

    /// Hands over the facts of a step. Does not wait, save when those of [`LINE`] steps wait already.
    pub fn append(&self, events: Vec<DomainEvent>) {
        match self.orders.try_send(Order::Append(events)) {
            Ok(()) => {}
            Err(TrySendError::Full(order)) => {
                tracing::error!("the log's line is full: waiting for the disk");
                self.orders.send(order).unwrap_or_else(|_| tracing::error!("facts came after the log was closed"));
            }
            Err(TrySendError::Disconnected(_)) => tracing::error!("facts came after the log was closed"),
        }
    }

    /// Hands over facts that belong together and waits until the disk has them; returns the seq of the last.
    ///
    /// # Errors
    /// [`JournalError::Closed`] when the server is closing.
    pub async fn record(&self, events: Vec<DomainEvent>) -> Result<u64, JournalError> {
        let (answer, seq) = oneshot::channel();
        let (mut order, mut moved) = (Order::Record(events, answer), self.durable.clone());
        while let Err(refused) = self.orders.try_send(order) {
            order = match refused {
                TrySendError::Disconnected(_) => return Err(JournalError::Closed),
                TrySendError::Full(order) => order,
            };
            moved.changed().await.map_err(|_| JournalError::Closed)?;
        }
        seq.await.map_err(|_| JournalError::Closed)
    }

    /// Ends the thread once all that was handed over before is written, whoever still holds a handle: a client that is connected
    /// must not keep the server from closing.
    pub fn close(&self) {
        // The thread may have ended already, which is what is wished.
        let _ = self.orders.send(Order::Close);
        let _ = self.hurry.try_send(());
    }

    /// The last seq the disk has.
    #[must_use]
    pub fn durable(&self) -> u64 {
        *self.durable.borrow()
    }

    /// A view of the last seq the disk has.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Is the disk so slow that no new work should be taken?
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.orders.len() > LINE / 2
    }
}

/// Does the log go on?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Open,
    Closed,
}

/// What the thread owns.
struct Writer {
    folder: PathBuf,
    segment: Segment,
    last: u64,
    durable: watch::Sender<u64>,
    warm: mpsc::Sender<Vec<Entry>>,
    lines: Vec<u8>,
    entries: Vec<Entry>,
    waiting: Vec<(u64, oneshot::Sender<u64>)>,
}

impl Writer {
    /// Rests between two writes without looking at the line: a thread that woke for each fact would cost more than the facts.
    fn run(mut self, line: &Receiver<Order>, rest: &Receiver<()>) {
        while let Ok(order) = line.recv() {
            let mut next = self.take(order);
            while next == Next::Open && self.lines.len() < WRITE_BYTES {
                let Ok(order) = line.try_recv() else { break };
                next = self.take(order);
            }
            self.flush();
            if next == Next::Closed {
                return;
            }
            // Woken early only when the log is to be closed, or all who could write have gone.
            let _ = rest.recv_timeout(PACE);
        }
    }

    fn take(&mut self, order: Order) -> Next {
        match order {
            Order::Append(events) => events.into_iter().for_each(|event| self.print(event)),
            Order::Record(events, answer) => {
                events.into_iter().for_each(|event| self.print(event));
                self.waiting.push((self.last, answer));
            }
            Order::Close => return Next::Closed,
        }
        Next::Open
    }

    fn print(&mut self, event: DomainEvent) {
        let id = event.id;
        match Entry::print(self.last + 1, event) {
            Ok((entry, line)) => {
                self.last += 1;
                segment::print(self.last, &line, &mut self.lines);
                self.entries.push(entry);
            }
            Err(why) => tracing::error!(%id, %why, "a fact cannot be printed as JSON"),
        }
    }

    /// Writes until the disk takes it: while it refuses, the line fills and the server takes no new calls.
    fn flush(&mut self) {
        while let Err(error) = self.segment.write(&self.lines) {
            tracing::error!(%error, file = %self.segment.path().display(), "the disk refuses the log: trying again");
            let _ = crossbeam_channel::after(RETRY).recv();
        }
        self.lines.clear();
        // No room, or no fold any more: the file has them.
        let _ = self.warm.try_send(std::mem::take(&mut self.entries));
        self.durable.send_replace(self.last);
        for (seq, answer) in self.waiting.drain(..) {
            let _ = answer.send(seq);
        }
        if self.segment.is_full() {
            self.rotate();
        }
    }

    fn rotate(&mut self) {
        match Segment::create(&self.folder, self.last + 1) {
            Ok(next) => self.segment = next,
            Err(error) => tracing::error!(%error, "no new log file could be made: the old one grows on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tail::Tail;
    use super::*;
    use crate::control::event::Fact;
    use crate::control::random::Random;
    use crate::control::time::Time;
    use crate::control::words::EventId;

    fn fact(random: &mut Random, n: u64) -> DomainEvent {
        DomainEvent { id: EventId::new(Time(n), random), at: Time(n), fact: Fact::Overload { level: n.to_string() } }
    }

    #[test]
    fn what_is_appended_is_read_back_in_order_without_gap_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random::new(1);
        for round in 0..3u64 {
            let opened = Journal::open(folder.path(), 0).unwrap();
            assert_eq!(opened.journal.durable(), round * 100);
            (0..100).for_each(|n| opened.journal.append(vec![fact(&mut random, round * 100 + n)]));
            drop(opened.journal);
            opened.thread.join().unwrap();
        }
        let all = Tail::after(folder.path().to_owned(), 0).read(300, 1_000).unwrap();
        assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=300).collect::<Vec<_>>());
        assert_eq!(all[299].fact, Some(Fact::Overload { level: "299".to_owned() }));
    }

    #[test]
    fn a_recorded_fact_is_on_disk_when_the_answer_comes() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Journal::open(folder.path(), 0).unwrap();
        let mut random = Random::new(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seq = runtime.block_on(opened.journal.record(vec![fact(&mut random, 1), fact(&mut random, 2)])).unwrap();
        assert_eq!(seq, 2);
        assert_eq!(Tail::after(folder.path().to_owned(), 1).read(seq, 9).unwrap().len(), 1);
    }

    #[test]
    fn closing_writes_what_was_handed_over_though_others_hold_handles() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Journal::open(folder.path(), 0).unwrap();
        let held = opened.journal.clone();
        let mut random = Random::new(1);
        (0..10).for_each(|n| opened.journal.append(vec![fact(&mut random, n)]));
        opened.journal.close();
        opened.thread.join().unwrap();
        assert_eq!(held.durable(), 10);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(matches!(runtime.block_on(held.record(Vec::new())), Err(JournalError::Closed)));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Tail::after(folder.path().to_owned(), 4).read(9, 9).err().unwrap();
        assert!(error.to_string().contains("lacks fact 5"), "{error}");
    }
}

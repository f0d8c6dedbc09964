//! Makes recordings last over a power cut: every few seconds the disk is told to keep what open files were given, and a closed file is
//! reported only once the disk has it. A thread of its own does it, so that a slow disk holds up neither the writing nor a tick.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::Report;
use crate::control::words::{RecordingId, media};

/// So often the sound of an open file is made to last: what a power cut may take.
const EVERY: Duration = Duration::from_secs(5);
/// Orders that may wait; when it is full the disk thread waits, and recorders keep ten seconds of sound.
const ORDERS: usize = 4_096;
/// With more closed files at once, one wait for the whole file system is cheaper than one for each file.
const ONE_BY_ONE: usize = 16;

/// What the disk thread tells.
pub(super) enum Order {
    /// A file is being written.
    Opened(RecordingId, Arc<File>),
    /// It is given up.
    Gone(RecordingId),
    /// It is complete; the report goes out when it lasts.
    Closed(RecordingId, Arc<File>, Box<Report>),
}

/// The thread; it ends when the sender is dropped, with everything reported.
pub(super) fn start(folder: PathBuf, report: impl FnMut(Report) + Send + 'static) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (orders, line) = crossbeam_channel::bounded(ORDERS);
    let keeper =
        Keeper { folder, report, open: BTreeMap::new(), round: VecDeque::new(), next_round: Instant::now() + EVERY, closed: Vec::new() };
    let thread = std::thread::Builder::new().name("disk-sync".to_owned()).spawn(move || keeper.run(&line))?;
    Ok((orders, thread))
}

struct Keeper<F> {
    folder: PathBuf,
    report: F,
    open: BTreeMap<RecordingId, Arc<File>>,
    /// Files of this round that are still to be synced.
    round: VecDeque<RecordingId>,
    next_round: Instant,
    closed: Vec<(RecordingId, Arc<File>, Box<Report>)>,
}

impl<F: FnMut(Report)> Keeper<F> {
    fn run(mut self, line: &Receiver<Order>) {
        loop {
            let order = match self.round.front() {
                None => line.recv_deadline(self.next_round),
                Some(_) => line.try_recv().map_err(|empty| match empty {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
            };
            match order {
                Ok(order) => {
                    self.take(order);
                    line.try_iter().for_each(|order| self.take(order));
                    self.seal();
                }
                Err(RecvTimeoutError::Timeout) => self.step(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Opened(recording, file) => drop(self.open.insert(recording, file)),
            Order::Gone(recording) => drop(self.open.remove(&recording)),
            Order::Closed(recording, file, report) => {
                // The next part of the same recording may be open already.
                if self.open.get(&recording).is_some_and(|open| Arc::ptr_eq(open, &file)) {
                    self.open.remove(&recording);
                }
                self.closed.push((recording, file, report));
            }
        }
    }

    /// Reports closed files once they last.
    fn seal(&mut self) {
        let at_once = self.closed.len() > ONE_BY_ONE && self.sync_all_files();
        for (recording, file, report) in std::mem::take(&mut self.closed) {
            match if at_once { Ok(()) } else { file.sync_all() } {
                Ok(()) => (self.report)(*report),
                Err(why) => {
                    let why = format!("the disk could not keep it: {why}");
                    (self.report)(Report::Media(media::Event::RecordingFailed { recording, why }));
                }
            }
        }
    }

    fn sync_all_files(&self) -> bool {
        File::open(&self.folder).is_ok_and(|folder| nix::unistd::syncfs(&folder).is_ok())
    }

    /// The next file of the round, or a new round.
    fn step(&mut self) {
        let Some(recording) = self.round.pop_front() else {
            self.round = self.open.keys().copied().collect();
            self.next_round = Instant::now() + EVERY;
            return;
        };
        if let Some(Err(why)) = self.open.get(&recording).map(|file| file.sync_data()) {
            tracing::error!(%recording, %why, "the disk could not keep what was recorded so far");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn each_closed_file_is_reported_once_whether_few_or_many_close_together() {
        for count in [1u128, 3, 40] {
            let folder = tempfile::tempdir().unwrap();
            let (reports, seen) = crossbeam_channel::bounded(64);
            let (orders, thread) = start(folder.path().to_owned(), move |report| reports.send(report).unwrap()).unwrap();
            for number in 0..count {
                let path = folder.path().join(number.to_string());
                let mut file = File::create(&path).unwrap();
                file.write_all(b"sound").unwrap();
                let (recording, file) = (RecordingId(number), Arc::new(file));
                orders.send(Order::Opened(recording, file.clone())).unwrap();
                let finished = media::Event::RecordingFinished { recording, path, duration: EVERY, bytes: 5, sha256: String::new() };
                orders.send(Order::Closed(recording, file, Box::new(Report::Media(finished)))).unwrap();
            }
            orders.send(Order::Gone(RecordingId(99))).unwrap();
            drop(orders);
            thread.join().unwrap();
            assert_eq!(seen.iter().count() as u128, count);
        }
    }
}

//! Sentences of running conversations: a bounded pool, and no answer rather than a late one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::{Model, options};
use crate::nlu::Meanings;
use crate::nlu::meaning::judged;

/// Nobody waits longer for a sentence's meaning; its words are there already.
const PATIENCE: Duration = Duration::from_millis(100);
/// Sentences that may wait for a thread.
const LINE: usize = 64;
/// Understanding gives way to signalling and sound.
const NICE: i32 = 10;

/// What came of sentences.
#[derive(Debug, Default)]
pub struct Counts {
    /// Their vectors came in time.
    pub in_time: AtomicU64,
    /// They came too late, or not at all: words only.
    pub missed: AtomicU64,
}

struct Job {
    text: String,
    asked: Instant,
    answer: Sender<Meanings>,
}

/// The pool. Its threads end when the last handle is gone.
#[derive(Debug)]
pub struct Live {
    jobs: Sender<Job>,
    /// For metrics.
    pub counts: Arc<Counts>,
}

impl Live {
    /// Starts so many threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(model: &Arc<Model>, threads: usize) -> std::io::Result<Live> {
        let (jobs, waiting) = bounded::<Job>(LINE);
        let start = |number| {
            let (model, waiting) = (Arc::clone(model), waiting.clone());
            let run = move || {
                if let Err(why) = rustix::process::nice(NICE) {
                    tracing::warn!("meaning-{number} keeps normal priority: {why}");
                }
                let options = options();
                for job in waiting {
                    // Who asked has gone on without it.
                    if job.asked.elapsed() < PATIENCE {
                        let _ = job.answer.send(meanings(&model, &job.text, &options));
                    }
                }
            };
            std::thread::Builder::new().name(format!("meaning-{number}")).spawn(run).map(drop)
        };
        (0..threads.max(1)).try_for_each(start)?;
        Ok(Live { jobs, counts: Arc::default() })
    }

    /// What a sentence means, if the pool says so in time. Waits; not for the threads of sound or of the rules.
    #[must_use]
    pub fn meanings(&self, text: &str) -> Meanings {
        let (answer, answered) = bounded(1);
        let job = Job { text: text.to_owned(), asked: Instant::now(), answer };
        let meanings = match self.jobs.try_send(job) {
            Ok(()) => answered.recv_timeout(PATIENCE).unwrap_or_default(),
            Err(_) => Meanings::default(),
        };
        let count = if meanings.is_empty() { &self.counts.missed } else { &self.counts.in_time };
        count.fetch_add(1, Ordering::Relaxed);
        meanings
    }
}

/// The sentence and its clauses; those that have no vector are left out.
fn meanings(model: &Model, text: &str, options: &rten::RunOptions) -> Meanings {
    judged(text).into_iter().filter_map(|text| model.vector(&text, options).ok().map(|vector| (text, vector))).collect()
}

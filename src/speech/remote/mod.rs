//! Recognizers on another machine: OpenAI-compatible HTTP and Vosk-style WebSocket. The utterance is sent when it has ended.
//!
//! Whoever waits for another machine may not hold up a thread with thirty callers: an ear hands over an [`Errand`], which threads
//! made for waiting run. A machine that fails again and again is left alone for a while; the next engine of the order listens then.

mod http;
mod ws;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::RATE;
use super::guard;
use super::kept::Kept;
use super::recognizer::{Errand, Hearing, Reading, Recognizer, Terms};
use crate::control::words::speech::Nothing;

/// Failures in a row after which a machine is left alone, and for how long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(30);
/// Of a bad answer so much is shown.
const SHOWN: usize = 200;
/// The key for machines that want one.
pub const KEY_VARIABLE: &str = "HOTLINE_SPEECH_KEY";

/// Why a machine gave no text. Always names the machine; who runs it must act.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Too late for the caller.
    #[error("{url}: no answer within {} ms", .limit.as_millis())]
    TimedOut {
        /// Which.
        url: String,
        /// The turn's budget.
        limit: Duration,
    },
    /// No connection, or one that broke.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// Which.
        url: String,
        /// What the network says.
        why: String,
    },
    /// It says no.
    #[error("{url} answered {status}: {body}; check the URL, and the key in HOTLINE_SPEECH_KEY")]
    Refused {
        /// Which.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
    /// Not what the protocol wants.
    #[error("{url} answered what is no transcription: {body}")]
    Answer {
        /// Which.
        url: String,
        /// The beginning of what it said.
        body: String,
    },
}

/// How the machine is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Http,
    Ws,
}

/// A machine that recognizes, shared by all threads.
#[derive(Debug)]
pub struct Remote {
    url: String,
    protocol: Protocol,
    client: reqwest::Client,
    breaker: Breaker,
    name: Arc<str>,
}

impl Remote {
    /// By its URL: `http:`, `https:` or `ws:`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the URL.
    pub fn new(url: &str) -> Result<Remote, String> {
        let parsed = reqwest::Url::parse(url).map_err(|why| format!("speech engine {url}: {why}"))?;
        let (protocol, word) = match parsed.scheme() {
            "http" | "https" => (Protocol::Http, "http"),
            "ws" => (Protocol::Ws, "ws"),
            other => return Err(format!("speech engine {url}: '{other}' is not served; write http:, https: or ws:")),
        };
        // Each errand has a runtime of its own, which a kept connection would outlive.
        let client = crate::web_client::client(|builder| builder.pool_max_idle_per_host(0))
            .map_err(|why| format!("the HTTP client cannot be made: {why}"))?;
        let name = format!("{word}:{}", parsed.host_str().unwrap_or("")).into();
        Ok(Remote { url: url.to_owned(), protocol, client, breaker: Breaker::default(), name })
    }

    /// May it be asked now?
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.breaker.is_open()
    }

    /// Asks, and waits for the answer within the turn's budget.
    fn ask(&self, pcm: &[i16], terms: &Terms) -> Result<Reading, Nothing> {
        let limit = terms.budget;
        let asked = async {
            let work = async {
                match self.protocol {
                    Protocol::Http => http::ask(&self.client, &self.url, pcm, terms).await,
                    Protocol::Ws => ws::ask(&self.url, pcm).await,
                }
            };
            tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(RemoteError::TimedOut { url: self.url.clone(), limit }))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let answer = runtime
            .map_err(|why| RemoteError::Unreachable { url: self.url.clone(), why: why.to_string() })
            .and_then(|runtime| runtime.block_on(asked));
        let (text, confidence) = answer.map_err(|why| self.failed(&why))?;
        self.breaker.succeeded();
        let seconds = pcm.len() as f32 / RATE as f32;
        let text = guard::check(&text, confidence, seconds).map_err(|_| Nothing::Rejected)?;
        Ok(Reading { text, alternatives: Vec::new(), confidence, pinyin: None })
    }

    fn failed(&self, why: &RemoteError) -> Nothing {
        if self.breaker.failed() {
            tracing::error!("a recognizer fails: {why}; it is left alone for {} s", REST.as_secs());
        } else {
            tracing::warn!("a recognizer failed: {why}");
        }
        Nothing::Failed
    }
}

/// Counts failures in a row.
#[derive(Debug)]
struct Breaker {
    begun: Instant,
    failures: AtomicU32,
    /// Milliseconds since `begun` until which it is open.
    until: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { begun: Instant::now(), failures: AtomicU32::new(0), until: AtomicU64::new(0) }
    }
}

impl Breaker {
    fn is_open(&self) -> bool {
        self.begun.elapsed().as_millis() < u128::from(self.until.load(Ordering::Relaxed))
    }

    fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// True when this failure opened it. One more failure after its rest opens it again.
    fn failed(&self) -> bool {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < FAILURES {
            return false;
        }
        let until = self.begun.elapsed() + REST;
        self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        true
    }
}

/// A remote recognizer as one thread has it.
pub struct Far {
    remote: Arc<Remote>,
}

impl Far {
    /// An ear to a machine.
    #[must_use]
    pub fn new(remote: &Arc<Remote>) -> Far {
        Far { remote: remote.clone() }
    }
}

impl Recognizer for Far {
    fn name(&self) -> &Arc<str> {
        &self.remote.name
    }

    fn hear(&mut self, terms: &Terms) -> Result<Box<dyn Hearing>, Nothing> {
        Ok(Box::new(Utterance { remote: self.remote.clone(), terms: terms.clone(), kept: Kept::default() }))
    }
}

struct Utterance {
    remote: Arc<Remote>,
    terms: Terms,
    kept: Kept,
}

impl Hearing for Utterance {
    fn push(&mut self, pcm: &[i16]) -> Option<String> {
        self.kept.push(pcm);
        None
    }

    fn finish(mut self: Box<Self>) -> Result<Reading, Nothing> {
        self.errand().map_or(Err(Nothing::Failed), |errand| errand())
    }

    fn errand(&mut self) -> Option<Errand> {
        let (remote, terms, kept) = (self.remote.clone(), self.terms.clone(), std::mem::take(&mut self.kept));
        Some(Box::new(move || remote.ask(&kept.spoken()?, &terms)))
    }
}

/// The beginning of an answer, for an error.
fn beginning(body: &str) -> String {
    body.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests;

//! Pushes due messages to their adapters: signed, in order per address, with growing pauses, until the channel's `give_up` is over.
//! Then the message is a dead letter and the log says so.
//!
//! An adapter that is slow or down holds up nobody but itself: each try runs by itself, and a channel has a bounded share of them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use reqwest::Client;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::{Adapter, InForce};
use crate::clock::{chance, now};
use crate::control::event::{DomainEvent, Fact};
use crate::control::words::{EventId, MessageId, SessionId};
use crate::signature;
use crate::store::deliveries::Delivery;
use crate::store::journal::Journal;
use crate::store::{Error, Store};
use crate::web_client;

/// Pauses after the first, second … failed try; the last one repeats.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(3_600),
    Duration::from_secs(6 * 3_600),
];
/// An adapter answers within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A message whose channel is no longer in the configuration waits so long for it to come back.
const NO_ADAPTER: Duration = Duration::from_secs(72 * 3_600);
/// The most tries under way.
const MOST: usize = 1_024;
/// Of these, so many for one channel.
const SHARE: usize = 32;
/// With nothing due, the table is looked at again after this all the same.
const IDLE: Duration = Duration::from_secs(60);
/// Of what an adapter answers to a message it does not take, so many characters are kept.
const SAID: usize = 200;

/// What pushing needs.
#[derive(Clone)]
pub struct Push {
    /// What is due.
    pub store: Store,
    /// Where it is written that a message arrived or never will.
    pub journal: Journal,
    /// To whom.
    pub adapters: InForce,
}

/// How a try went.
type Tried = (Delivery, Duration, Result<(), String>);

/// What ends a wait.
enum News {
    /// A try has ended.
    Done(Box<Result<Tried, JoinError>>),
    /// There are more messages.
    Noted,
    /// There never will be.
    Closed,
}

/// Tries under way.
#[derive(Default)]
struct UnderWay {
    tries: JoinSet<Tried>,
    messages: HashSet<String>,
    channels: HashMap<String, usize>,
}

impl Push {
    /// Pushes until `noted` closes.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub async fn run(self, mut noted: watch::Receiver<u64>) -> Result<(), reqwest::Error> {
        let client = web_client::client(|builder| builder.timeout(PATIENCE))?;
        let mut under_way = UnderWay::default();
        loop {
            let wait = self.begin(&client, &mut under_way).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the messages that are due could not be read");
                PAUSES[1]
            });
            let news = tokio::time::timeout(wait, async {
                tokio::select! {
                    Some(done) = under_way.tries.join_next() => News::Done(Box::new(done)),
                    noted = noted.changed() => noted.map_or(News::Closed, |()| News::Noted),
                }
            });
            match news.await {
                Ok(News::Done(done)) => self.end(&mut under_way, *done).await,
                Ok(News::Closed) => return Ok(()),
                Ok(News::Noted) | Err(_) => {}
            }
        }
    }

    /// Begins a try for the first due message of each address; says how long there is nothing more to do.
    async fn begin(&self, client: &Client, under_way: &mut UnderWay) -> Result<Duration, Error> {
        // Each channel by itself: a long line behind a slow adapter must not hide the others.
        let mut due = Vec::new();
        for channel in self.store.due_channels().await? {
            due.extend(self.store.due_deliveries(&channel, SHARE as i64).await?);
        }
        for delivery in due {
            let share = under_way.channels.entry(delivery.channel.clone()).or_insert(0);
            if *share >= SHARE || under_way.tries.len() >= MOST || !under_way.messages.insert(delivery.message.clone()) {
                continue;
            }
            *share += 1;
            let (client, adapter) = (client.clone(), self.adapters.borrow().get(&delivery.channel).cloned());
            under_way.tries.spawn(async move {
                let give_up = adapter.as_ref().map_or(NO_ADAPTER, |adapter| adapter.give_up);
                let result = attempt(&client, adapter.as_ref(), &delivery).await;
                (delivery, give_up, result)
            });
        }
        // What is due, but behind another message of its address or beyond its share, comes when a try has ended.
        let next = self.store.next_delivery(now()).await?;
        Ok(next.map_or(IDLE, |at| at.since(now()).min(IDLE)))
    }

    async fn end(&self, under_way: &mut UnderWay, done: Result<Tried, JoinError>) {
        let Ok((delivery, give_up, result)) = done else { return };
        if let Some(share) = under_way.channels.get_mut(&delivery.channel) {
            *share = share.saturating_sub(1);
        }
        // One that cannot be noted stays "under way": without its pause it would be posted again and again.
        match self.note(&delivery, give_up, result).await {
            Ok(()) => drop(under_way.messages.remove(&delivery.message)),
            Err(error) => {
                tracing::error!(%error, message = delivery.message, "how a delivery went could not be noted: it rests until the next start")
            }
        }
    }

    async fn note(&self, delivery: &Delivery, give_up: Duration, result: Result<(), String>) -> Result<(), Error> {
        let pause = pause(delivery.tries);
        match result {
            Ok(()) => {
                self.tell(delivery, |message, session| Fact::MessageDelivered { message, session, channel: delivery.channel.clone() })
                    .await?;
                self.store.note_delivery(&delivery.message, "delivered", None, now()).await
            }
            Err(why) if (now() + pause).since(delivery.created) > give_up => {
                tracing::warn!(message = delivery.message, channel = delivery.channel, "a message is given up: see dead_letters");
                let (channel, tries) = (delivery.channel.clone(), u32::try_from(delivery.tries + 1).unwrap_or(u32::MAX));
                let said = why.clone();
                self.tell(delivery, |message, session| Fact::MessageUndelivered { message, session, channel, tries, why: said }).await?;
                self.store.note_delivery(&delivery.message, "dead", Some(&why), now()).await
            }
            Err(why) => {
                tracing::info!(message = delivery.message, channel = delivery.channel, ?pause, "an adapter did not take a message");
                self.store.note_delivery(&delivery.message, "due", Some(&why), now() + pause).await
            }
        }
    }

    /// The log is told before the table: after a crash between the two a message may be sent twice, but never is lost unseen.
    async fn tell(&self, delivery: &Delivery, fact: impl FnOnce(MessageId, SessionId) -> Fact) -> Result<(), Error> {
        let (Ok(message), Ok(session)) = (delivery.message.parse(), delivery.session.parse()) else { return Ok(()) };
        let at = now();
        let event = DomainEvent { id: EventId::new(at, &mut chance()), at, fact: fact(message, session) };
        self.journal.record(vec![event]).await?;
        Ok(())
    }
}

async fn attempt(client: &Client, adapter: Option<&Adapter>, delivery: &Delivery) -> Result<(), String> {
    let adapter = adapter.ok_or_else(|| format!("the channel '{}' has no adapter in the configuration", delivery.channel))?;
    let body = delivery.body.to_string();
    let request = client
        .post(&adapter.url)
        .header("content-type", "application/json")
        .header(signature::HEADER, signature::sign(&adapter.secret, now(), body.as_bytes()))
        .header("idempotency-key", &delivery.message)
        .body(body);
    let mut response = request.send().await.map_err(|error| causes(&error.without_url()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let first = response.chunk().await.ok().flatten().unwrap_or_default();
    let said: String = String::from_utf8_lossy(&first).chars().take(SAID).collect();
    Err(format!("the adapter answered {status} {said}").trim_end().to_owned())
}

/// What went wrong, down to its cause: "connection refused" says more than "error sending request".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// The pause after a failed try; `tries` is how many failed before it.
fn pause(tries: i64) -> Duration {
    let at = usize::try_from(tries).unwrap_or(0).min(PAUSES.len() - 1);
    PAUSES[at]
}

/// When the last try of a message is that is never taken.
#[cfg(test)]
fn last_try(give_up: Duration) -> (i64, Duration) {
    let (mut tries, mut after) = (0, Duration::ZERO);
    while after + pause(tries) <= give_up {
        after += pause(tries);
        tries += 1;
    }
    (tries + 1, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tried_with_growing_pauses_until_its_channel_gives_up() {
        let (tries, after) = last_try(Duration::from_secs(72 * 3_600));
        assert!(after >= Duration::from_secs(66 * 3_600) && tries < 20, "{tries} {after:?}");
        assert_eq!(last_try(Duration::from_secs(7)), (3, Duration::from_secs(6)));
        assert!(PAUSES.is_sorted());
    }
}

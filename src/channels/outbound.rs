//! Pushes due messages to their adapters: signed, in order per address, with growing pauses for 72 hours, then a dead letter.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Adapter, Adapters};
use crate::clock::now;
use crate::control::time::Time;
use crate::store::deliveries::Delivery;
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
/// Tries after which a message is a dead letter: with these pauses that is after 72 hours.
const TRIES: i64 = 18;
/// An adapter answers within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages looked at in one round.
const ROUND: i64 = 200;
/// With nothing due, the table is looked at again after this all the same.
const IDLE: Duration = Duration::from_secs(60);

/// Pushes until `noted` closes.
///
/// # Errors
/// When the HTTP client cannot be made.
pub async fn push(store: Store, adapters: Adapters, mut noted: watch::Receiver<u64>) -> Result<(), reqwest::Error> {
    let client = web_client::client(|builder| builder.timeout(PATIENCE))?;
    loop {
        let wait = match round(&store, &adapters, &client).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "the messages that are due could not be read");
                PAUSES[1]
            }
        };
        match tokio::time::timeout(wait, noted.changed()).await {
            Ok(Err(_)) => return Ok(()),
            Ok(Ok(())) | Err(_) => {}
        }
    }
}

/// One try for the first due message of each address; says how long there is nothing to do.
async fn round(store: &Store, adapters: &Adapters, client: &Client) -> Result<Duration, Error> {
    let due = store.due_deliveries(ROUND).await?;
    let (tried, mut tries) = (due.len(), JoinSet::new());
    for delivery in due {
        let (client, adapter) = (client.clone(), adapters.get(&delivery.channel).cloned());
        tries.spawn(async move {
            let result = attempt(&client, adapter.as_ref(), &delivery).await;
            (delivery, result)
        });
    }
    while let Some(done) = tries.join_next().await {
        if let Ok((delivery, result)) = done {
            note(store, &delivery, result).await?;
        }
    }
    if tried > 0 {
        return Ok(Duration::ZERO);
    }
    let next = store.next_delivery().await?;
    Ok(next.map_or(IDLE, |at| at.since(now()).min(IDLE)))
}

async fn attempt(client: &Client, adapter: Option<&Adapter>, delivery: &Delivery) -> Result<(), String> {
    let adapter = adapter.ok_or_else(|| format!("the channel '{}' has no adapter", delivery.channel))?;
    let body = delivery.body.to_string();
    let request = client
        .post(&adapter.url)
        .header("content-type", "application/json")
        .header("hotline-signature", signature(&adapter.secret, now(), &body))
        .header("idempotency-key", &delivery.message)
        .body(body);
    let response = request.send().await.map_err(|error| error.to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("the adapter answered {}", response.status())) }
}

/// `t=<seconds>,v1=<HMAC-SHA256 of "t.body", hex>`
fn signature(secret: &[u8], at: Time, body: &str) -> String {
    let seconds = at.millis() / 1_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

async fn note(store: &Store, delivery: &Delivery, result: Result<(), String>) -> Result<(), Error> {
    let (state, error, next) = match result {
        Ok(()) => ("delivered", None, now()),
        Err(error) if delivery.tries + 1 >= TRIES => {
            tracing::warn!(message = delivery.message, error, "a message is given up: see /v1/channels/dead_letters");
            ("dead", Some(error), now())
        }
        Err(error) => ("due", Some(error), now() + pause(delivery.tries)),
    };
    store.note_delivery(&delivery.message, state, error.as_deref(), next).await
}

fn pause(tries: i64) -> Duration {
    let at = usize::try_from(tries).unwrap_or(0).min(PAUSES.len() - 1);
    PAUSES[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tried_for_72_hours() {
        let all: Duration = (0..TRIES - 1).map(pause).sum();
        assert!(all >= Duration::from_secs(66 * 3_600) && all <= Duration::from_secs(78 * 3_600), "{all:?}");
    }

    #[test]
    fn the_signature_covers_time_and_body() {
        let one = signature(b"secret", Time(1_000_000), "{}");
        assert!(one.starts_with("t=1,v1="));
        assert_ne!(one, signature(b"secret", Time(2_000_000), "{}"));
        assert_ne!(one, signature(b"secret", Time(1_000_000), "[]"));
    }
}

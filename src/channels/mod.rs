//! Chat channels outward: every message to a customer is noted, and pushed to the adapter's URL until it takes it.
//!
//! A channel without an adapter (the web chat) is fetched by the visitor himself. Lines inward come over the API.

pub mod outbound;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::control::words::chat::Send;
use crate::store::Store;

/// What the store calls a message that the adapter is to get.
const DUE: &str = "due";
/// What the store calls a message that the visitor fetches.
const WAITING: &str = "waiting";

/// An adapter of a channel.
#[derive(Clone)]
pub struct Adapter {
    /// Where messages are posted.
    pub url: String,
    /// What `Hotline-Signature` is made with.
    pub secret: Vec<u8>,
    /// A message that could not be delivered for so long is given up.
    pub give_up: Duration,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Adapter({}, secret kept)", self.url)
    }
}

/// Adapters by channel.
pub type Adapters = BTreeMap<String, Adapter>;
/// The adapters of the configuration that is in force.
pub type InForce = watch::Receiver<Arc<Adapters>>;

/// What an adapter gets: `{message_id, session_id, address, kind, …, buttons}`.
fn body(send: &Send) -> Value {
    let mut body = serde_json::to_value(&send.content).unwrap_or_default();
    body["message_id"] = json!(send.message.to_string());
    body["session_id"] = json!(send.session.to_string());
    body["address"] = json!(send.address);
    body["buttons"] = json!(send.buttons);
    body
}

/// Notes messages until the line closes, and tells the pusher. A message is noted before it is pushed, so a crash loses none;
/// one that the database refuses is tried again with the next.
pub async fn take(store: Store, adapters: InForce, mut line: mpsc::Receiver<Send>, noted: watch::Sender<u64>) {
    while let Some(send) = line.recv().await {
        let state = if adapters.borrow().contains_key(&send.channel) { DUE } else { WAITING };
        let to = (send.session.to_string(), send.message.to_string());
        let added = store.add_delivery((&to.0, &send.channel, &send.address), &to.1, &body(&send), state).await;
        match added {
            Ok(()) => noted.send_modify(|count| *count += 1),
            Err(error) => tracing::error!(%error, message = to.1, "a message to a customer could not be noted: it stands in the log only"),
        }
    }
}

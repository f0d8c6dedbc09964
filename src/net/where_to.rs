//! The rules' questions to DNS: each is asked in a task of its own, so many at a time, and always answered.

use std::sync::Arc;

use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::door::Door;
use super::resolve::{LocateError, Resolver};
use super::streams::{self, Command};
use crate::control::sip::path;
use crate::control::words::directory::Listener;
use crate::control::words::sip::{Located, Place, Transport, Whereabouts};

/// Questions that may wait.
pub(super) const WAITING: usize = 4_096;
/// Questions under way at a time.
const AT_A_TIME: usize = 64;

/// What a question's own task needs.
#[derive(Clone)]
pub(super) struct Asking {
    /// `None` when the system says nothing of name servers.
    pub resolver: Option<Resolver>,
    pub listeners: Vec<Listener>,
    pub streams: WeakSender<Command>,
    pub door: Door,
}

impl Asking {
    /// Asks until the last handle is gone.
    pub(super) async fn run(self, mut questions: mpsc::Receiver<Whereabouts>) {
        let (room, asking, mut tasks) = (Arc::new(Semaphore::new(AT_A_TIME)), Arc::new(self), JoinSet::new());
        while let Some(question) = questions.recv().await {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let asking = Arc::clone(&asking);
            tasks.spawn(async move {
                let located = asking.locate(&question).await;
                asking.door.located(question, located);
                drop(place);
            });
            while tasks.try_join_next().is_some() {}
        }
    }

    async fn locate(&self, question: &Whereabouts) -> Located {
        let mut ours: Vec<Transport> = self.listeners.iter().map(|listener| listener.transport).collect();
        ours.sort_unstable();
        ours.dedup();
        let Some(resolver) = &self.resolver else { return Located::Failed };
        let answer = match resolver.locate(question, &ours).await {
            Ok(answer) => answer,
            Err(why @ LocateError::Unknown(_)) => {
                tracing::warn!(%why, "a SIP name leads nowhere");
                return Located::Nowhere;
            }
            Err(why) => {
                tracing::warn!(%why, "DNS");
                return Located::Failed;
            }
        };
        let mut places = Vec::with_capacity(answer.places.len());
        for found in answer.places {
            // An address of a family that we have no socket of is of no use.
            let Some(flow) = path(&self.listeners, found.address, found.transport) else { continue };
            let flow = match self.streams.upgrade() {
                Some(streams) => streams::place(&streams, flow, &question.host).await,
                None => flow,
            };
            places.push(Place { flow, priority: found.priority, weight: found.weight });
        }
        if places.is_empty() { Located::Nowhere } else { Located::At { places, keep: answer.keep } }
    }
}

//! One session: what it is, where it stands, and the facts that wait until its customer is known.

use super::advice::Advice;
use super::recent::Recent;
use crate::control::event::{DomainEvent, SessionState};
use crate::control::limits::REMEMBERED_IN_SESSION;
use crate::control::time::Time;
use crate::control::words::{AgentId, CallId, ConversationId, CustomerId, Lang, MessageId, SessionId};

/// What is known of a session when it begins.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Its call, for voice.
    pub call: Option<CallId>,
    /// `phone`, `web` …
    pub channel: String,
    /// The customer's address on it.
    pub address: String,
    /// What was dialled, or the channel's entry.
    pub entry: String,
    /// Plan and version, when a plan speaks.
    pub plan: Option<(String, String)>,
    /// The display name the customer came with.
    pub name: Option<String>,
    /// The language he came with.
    pub lang: Option<Lang>,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// How it began.
    pub opening: Opening,
    /// When it began.
    pub began: Time,
    /// Whose it is, once known.
    pub customer: Option<CustomerId>,
    /// Which matter it belongs to, once known.
    pub conversation: Option<ConversationId>,
    /// The agent who has or had it.
    pub agent: Option<AgentId>,
    /// Where it stands.
    pub state: SessionState,
    /// Facts that wait for the customer; `None` once he is known.
    pub held: Option<Vec<DomainEvent>>,
    /// What agents are advised, and out of what.
    pub advice: Advice,
    /// Lines by their client's id.
    pub client_ids: Recent<String, MessageId>,
}

impl Session {
    /// A session that has just begun.
    #[must_use]
    pub fn new(id: SessionId, now: Time, opening: Opening) -> Session {
        Session {
            id,
            opening,
            began: now,
            customer: None,
            conversation: None,
            agent: None,
            state: SessionState::New,
            held: Some(Vec::new()),
            advice: Advice::default(),
            client_ids: Recent::new(REMEMBERED_IN_SESSION),
        }
    }

    /// Is it over?
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == SessionState::Closed
    }
}

//! What agents, supervisors and integrators ask of the rules through the API, and how they are answered.

use super::chat::Content;
use super::guard::{Ban, Source};
use super::media::Masking;
use super::seen::{Counts, Ladder};
use super::suggestion::Verdict;
use super::ticket::OpenTicket;
use super::{AgentId, CallbackId, CustomerId, OfferId, QueueId, SessionId, SuggestionId, TicketId};

/// An agent's state as the rules keep it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not signed in (no phone binding, no desk).
    Offline,
    /// May be offered sessions.
    Available,
    /// Has a session.
    Busy,
    /// On a break; the reason is free text.
    Away,
    /// Finishing a session's notes.
    WrapUp,
}

/// What a supervisor does in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// He hears all; nobody hears him.
    Listen,
    /// The agent hears him too, the customer does not.
    Whisper,
    /// All hear him.
    Barge,
}

/// How a consultation ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsultEnd {
    /// The colleague leaves, the agent has the customer again.
    Cancel,
    /// All three speak with each other.
    Conference,
    /// The agent leaves, the colleague has the customer.
    Transfer,
}

/// A command that expects an answer.
#[derive(Clone, PartialEq, Debug)]
pub enum AgentCommand {
    /// The agent's own wish for his state.
    SetState {
        /// Who.
        agent: AgentId,
        /// To what: `Available`, `Away` or `Offline`.
        state: AgentState,
        /// Why he is away.
        reason: Option<String>,
    },
    /// Takes an offered chat (calls are taken on the phone).
    Accept {
        /// The offer.
        offer: OfferId,
    },
    /// Declines an offer.
    Reject {
        /// The offer.
        offer: OfferId,
    },
    /// A line to the customer of a session.
    Say {
        /// The session.
        session: SessionId,
        /// De-duplicates per session for ever.
        client_id: String,
        /// Who says it; `None` = the API's owner.
        agent: Option<AgentId>,
        /// What.
        content: Content,
    },
    /// Ends a session.
    Close {
        /// The session.
        session: SessionId,
        /// The summary code.
        disposition: Option<String>,
    },
    /// Hands a session to a queue.
    Transfer {
        /// The session.
        session: SessionId,
        /// To which queue.
        queue: QueueId,
    },
    /// Brings a supervisor into a call, or changes what he does there.
    Supervise {
        /// The session.
        session: SessionId,
        /// Whose phone rings.
        supervisor: AgentId,
        /// What he does.
        mode: Supervision,
    },
    /// The supervisor leaves.
    EndSupervision {
        /// The session.
        session: SessionId,
        /// Who asks, when he may send nobody away but himself.
        by: Option<AgentId>,
    },
    /// The agent asks a colleague while the customer hears music.
    Consult {
        /// The session.
        session: SessionId,
        /// An agent, a number or a SIP URI.
        to: String,
    },
    /// What comes of it.
    EndConsult {
        /// The session.
        session: SessionId,
        /// How.
        how: ConsultEnd,
    },
    /// Masks a call's recording, or no more.
    MaskRecording {
        /// The session.
        session: SessionId,
        /// Noise or sound.
        masking: Masking,
    },
    /// Ends wrap-up.
    Ready {
        /// Who.
        agent: AgentId,
    },
    /// Places a call to `to` and connects it to a number, plan or agent.
    Originate {
        /// A SIP URI or a number.
        to: String,
        /// Which entry of the center the callee lands at.
        entry: String,
        /// The name of the API key that asks; it pays.
        by: Option<String>,
    },
    /// Which sources are banned now.
    Bans,
    /// Takes a ban back.
    Lift {
        /// Whose.
        source: Source,
    },
    /// What the rules count.
    Count,
    /// The SIP messages of one of the latest calls.
    Ladder {
        /// `call_…`, or the SIP Call-ID of a dialog.
        of: String,
    },
    /// A customer's tickets changed outside the rules: these are still to be done.
    OpenTicketsAre {
        /// Whose.
        customer: CustomerId,
        /// The youngest first.
        tickets: Vec<OpenTicket>,
    },
    /// A customer's fields changed outside the rules.
    CustomerIs {
        /// Whose.
        customer: CustomerId,
        /// Those that changed: `tags`, `name`, `city` …
        fields: serde_json::Map<String, serde_json::Value>,
    },
    /// What an agent makes of a suggestion.
    SettleSuggestion {
        /// The session it belongs to.
        session: SessionId,
        /// Which.
        suggestion: SuggestionId,
        /// Whose key asks, when it is an agent's own.
        by: Option<AgentId>,
        /// What.
        verdict: Verdict,
    },
    /// Opens a ticket by hand.
    OpenTicket {
        /// For whom.
        customer: CustomerId,
        /// Which session gave rise to it.
        session: Option<SessionId>,
        /// `late_delivery` …
        kind: String,
        /// One line.
        title: String,
        /// More.
        fields: serde_json::Map<String, serde_json::Value>,
    },
}

/// A command's good answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// Done.
    Done,
    /// The session and the message, made or found again.
    Message {
        /// The session.
        session: SessionId,
        /// The message.
        message: super::MessageId,
        /// The same `external_id` or `client_id` came before.
        replayed: bool,
    },
    /// A session that was begun.
    Session(SessionId),
    /// A ticket that was opened.
    Ticket(TicketId),
    /// The bans that stand.
    Bans(Vec<Ban>),
    /// What was counted since the start.
    Counts(Box<Counts>),
    /// The SIP messages of a call.
    Ladder(Box<Ladder>),
    /// A callback that was promised.
    Callback(CallbackId),
}

/// Why a command was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No such thing.
    #[error("{what} {id} is not known")]
    Unknown {
        /// `session`, `agent` …
        what: &'static str,
        /// As asked.
        id: String,
    },
    /// Its state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Who asks may not do it.
    #[error("{0}")]
    Forbidden(String),
    /// The server is full or draining.
    #[error("the server takes no new work now")]
    Busy,
}

/// Something an agent's desk must show at once.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// A session is offered: the screen pop.
    Offered {
        /// The offer.
        offer: OfferId,
        /// The session.
        session: SessionId,
        /// Intent, slots, lookups and transcript so far.
        context: serde_json::Value,
    },
    /// The offer is gone.
    Withdrawn {
        /// The offer.
        offer: OfferId,
    },
}

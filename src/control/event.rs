//! The facts of the log: everything the API shows is a fold of these. `seq` is given by the journal on append.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::time::Time;
use super::words::agent::{AgentState, Supervision};
use super::words::chat::Content;
use super::words::phone::KeptContact;
use super::words::suggestion::{SuggestionKind, Verdict};
use super::words::{
    AgentId, CallId, CallbackId, ConversationId, CustomerId, EvaluationId, EventId, IdentityId, Lang, LeftMessageId, LegId, MessageId,
    NoticeId, OfferId, QueueId, RecordingId, SessionId, SuggestionId, TicketId,
};

/// One fact with its time; the unit of the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DomainEvent {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Time,
    /// The fact.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Who said a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    Customer,
    /// The plan.
    Bot,
    /// A human agent.
    Agent,
    /// The system itself.
    System,
}

/// A session's state (API.md).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Just made.
    New,
    /// The plan speaks with the customer.
    Bot,
    /// In a line.
    Queued,
    /// An agent is rung.
    Offered,
    /// With an agent.
    Active,
    /// The agent finishes his notes.
    WrapUp,
    /// A callback is promised.
    CallbackPending,
    /// A message was left.
    LeftMessage,
    /// Over.
    Closed,
}

/// How an offer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    /// Taken.
    Accepted,
    /// Declined by the agent or his phone.
    Rejected,
    /// Not answered in time.
    TimedOut,
    /// The customer left or another reason of ours.
    Withdrawn,
}

/// An understood intent with its score.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scored {
    /// Target node or built-in intent.
    pub intent: String,
    /// 0.0 to 1.0.
    pub score: f32,
}

/// The facts, by their name in the API: `session.created` is `SessionCreated`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[allow(missing_docs)] // the fields are named by the API's words; shapes: ids as text, `_ms` integers
pub enum Fact {
    #[serde(rename = "customer.created")]
    CustomerCreated { customer: CustomerId, name: Option<String>, lang: Option<Lang> },
    #[serde(rename = "customer.updated")]
    CustomerUpdated { customer: CustomerId, fields: Map<String, Value> },
    #[serde(rename = "identity.linked")]
    IdentityLinked { identity: IdentityId, customer: CustomerId, channel: String, address: String, level: String },
    #[serde(rename = "conversation.opened")]
    ConversationOpened { conversation: ConversationId, customer: CustomerId },
    #[serde(rename = "session.created")]
    SessionCreated {
        session: SessionId,
        conversation: ConversationId,
        customer: CustomerId,
        channel: String,
        address: String,
        entry: String,
        plan: Option<String>,
        plan_version: Option<String>,
        call: Option<CallId>,
    },
    #[serde(rename = "session.state")]
    SessionState { session: SessionId, state: SessionState },
    #[serde(rename = "session.node")]
    NodeEntered { session: SessionId, node: String, turn: u32 },
    #[serde(rename = "session.understood")]
    Understood { session: SessionId, message: Option<MessageId>, text: String, intents: Vec<Scored>, decision: String },
    #[serde(rename = "session.slot")]
    SlotFilled { session: SessionId, slot: String, value: Value, masked: bool },
    #[serde(rename = "session.lookup")]
    LookupDone { session: SessionId, name: String, outcome: String, value: Value, took_ms: u64 },
    /// A stage of several calls to the outside that belong together: `started retried done failed timed_out undoing undone undo_failed` of
    /// one call, `completed rolled_back stuck` of all of them. What went out carried `key`, so that the other side can find it.
    #[serde(rename = "session.saga")]
    SagaStage { session: SessionId, saga: String, run: u32, call: Option<String>, stage: String, key: Option<String>, why: Option<String> },
    /// From the end of the caller's words to the first sound of the answer, and what took how long.
    #[serde(rename = "session.turn_timed")]
    TurnTimed {
        session: SessionId,
        /// Silence heard out before the words were taken for complete.
        endpoint_ms: u64,
        /// From there to the text.
        recognition_ms: u64,
        /// From the text to what follows from it.
        understanding_us: u64,
        /// Lookups in the company's systems.
        lookup_ms: u64,
        /// What the answer waited for its sound to be made.
        synthesis_ms: u64,
        /// All of it, waits between threads included.
        total_ms: u64,
    },
    #[serde(rename = "session.key")]
    KeyPressed { session: SessionId, key: char },
    #[serde(rename = "session.closed")]
    SessionClosed { session: SessionId, ending: String, disposition: String, contained: bool, duration_ms: u64 },
    #[serde(rename = "message.created")]
    MessageCreated {
        message: MessageId,
        session: SessionId,
        author: Author,
        agent: Option<AgentId>,
        content: Content,
        lang: Option<Lang>,
        client_id: Option<String>,
        external_id: Option<String>,
        offset_ms: Option<u64>,
        duration_ms: Option<u64>,
        confidence: Option<f32>,
        source: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<(String, String)>,
    },
    #[serde(rename = "message.delivered")]
    MessageDelivered { message: MessageId, session: SessionId, channel: String },
    #[serde(rename = "message.undelivered")]
    MessageUndelivered { message: MessageId, session: SessionId, channel: String, tries: u32, why: String },
    #[serde(rename = "call.started")]
    CallStarted {
        call: CallId,
        session: SessionId,
        from: String,
        to: String,
        sip_call_id: String,
        /// Diversion, History-Info, P-Asserted-Identity (of trunks), Privacy, User-to-User and Reason of the INVITE.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signalled: Vec<(String, String)>,
    },
    #[serde(rename = "call.answered")]
    CallAnswered { call: CallId },
    #[serde(rename = "call.bridged")]
    CallBridged { call: CallId, agent: Option<AgentId>, leg: LegId },
    #[serde(rename = "call.held")]
    CallHeld { call: CallId, leg: LegId, held: bool },
    /// `requested joined changed ended denied`, and why it ended or was denied.
    #[serde(rename = "call.supervised")]
    Supervised {
        session: SessionId,
        call: CallId,
        supervisor: AgentId,
        agent: Option<AgentId>,
        mode: Supervision,
        state: String,
        why: Option<String>,
    },
    /// `ringing talking conference transferred cancelled unreached colleague_left customer_left`
    #[serde(rename = "call.consulted")]
    Consulted { session: SessionId, call: CallId, agent: Option<AgentId>, to: String, state: String },
    #[serde(rename = "call.barred")]
    CallBarred { call: CallId, payer: String, to: String, why: String },
    #[serde(rename = "call.cut")]
    CallCut { call: CallId, leg: LegId, payer: String, why: String },
    #[serde(rename = "call.ended")]
    CallEnded { call: CallId, ending: String, sip_status: u16, our_fault: bool, duration_ms: u64 },
    #[serde(rename = "leg.opened")]
    LegOpened { leg: LegId, call: CallId, role: String, uri: String },
    #[serde(rename = "leg.closed")]
    LegClosed { leg: LegId, call: CallId, why: String, stats: super::words::media::LegStats },
    #[serde(rename = "session.queued")]
    Queued { session: SessionId, queue: QueueId, skills: Vec<String>, priority: u8, position: usize },
    /// He goes before others in the line he waits in; 0 = his phone or desk rings.
    #[serde(rename = "session.raised")]
    Raised { session: SessionId, queue: QueueId, priority: u8, position: usize },
    /// The customer's tone calls for a person: the sentence by which it does, its own tone and that over the last turns (-1 to 1), the
    /// plan's command for it, and by how much his priority is raised.
    #[serde(rename = "session.upset")]
    Upset {
        session: SessionId,
        #[serde(default)]
        message: Option<MessageId>,
        turn: u32,
        text: String,
        tone: f32,
        temper: f32,
        command: String,
        raise: u8,
    },
    #[serde(rename = "session.dequeued")]
    Dequeued { session: SessionId, queue: QueueId, why: String, waited_ms: u64 },
    #[serde(rename = "session.offered")]
    Offered { offer: OfferId, session: SessionId, agent: AgentId, queue: QueueId, context: Value },
    #[serde(rename = "offer.ended")]
    OfferEnded { offer: OfferId, session: SessionId, agent: AgentId, end: OfferEnd },
    #[serde(rename = "session.assigned")]
    Assigned { session: SessionId, agent: AgentId },
    /// An agent is advised something: what, by which rule or `article@version`, and after which sentence of the customer.
    #[serde(rename = "suggestion.created")]
    SuggestionCreated {
        suggestion: SuggestionId,
        session: SessionId,
        agent: Option<AgentId>,
        kind: SuggestionKind,
        text: String,
        /// What the customer of a chat is told, when it is not `text`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        say: Option<String>,
        lang: Lang,
        rule: Option<String>,
        article: Option<String>,
        confidence: Option<f32>,
        message: Option<MessageId>,
    },
    /// What became of it, by whom, and the message that it was made to.
    #[serde(rename = "suggestion.state")]
    SuggestionState { suggestion: SuggestionId, session: SessionId, state: Verdict, agent: Option<AgentId>, message: Option<MessageId> },
    #[serde(rename = "agent.state")]
    AgentState { agent: AgentId, state: AgentState, reason: Option<String> },
    /// All contacts of a user after a REGISTER of his or the end of one; without any he is not there.
    #[serde(rename = "phone.registered")]
    PhoneRegistered { user: String, contacts: Vec<KeptContact> },
    #[serde(rename = "trunk.state")]
    TrunkState { trunk: String, state: String, why: Option<String> },
    #[serde(rename = "recording.started")]
    RecordingStarted { recording: RecordingId, session: SessionId, path: String },
    #[serde(rename = "recording.finished")]
    RecordingFinished { recording: RecordingId, session: SessionId, path: String, duration_ms: u64, bytes: u64, sha256: String },
    /// A part (from 1) of a recording that has several: it is told before the end of the recording, which is about all of them.
    #[serde(rename = "recording.part")]
    RecordingPart { recording: RecordingId, session: SessionId, part: u32, path: String, duration_ms: u64, bytes: u64, sha256: String },
    #[serde(rename = "recording.failed")]
    RecordingFailed { recording: RecordingId, session: SessionId, why: String },
    /// Noise stands in the recording from here on, or no more; because of a `masked_slot`, or `asked`.
    #[serde(rename = "recording.masked")]
    RecordingMasked { recording: RecordingId, session: SessionId, masked: bool, why: String },
    #[serde(rename = "transcript.finished")]
    TranscriptFinished { recording: RecordingId, session: SessionId, engine: String, utterances: Value },
    #[serde(rename = "transcript.failed")]
    TranscriptFailed { recording: RecordingId, session: SessionId, tries: u32, why: String },
    #[serde(rename = "ticket.opened")]
    TicketOpened {
        ticket: TicketId,
        number: u64,
        customer: CustomerId,
        conversation: Option<ConversationId>,
        session: Option<SessionId>,
        kind: String,
        title: String,
        fields: Map<String, Value>,
    },
    /// Somebody came about the matter of an open ticket: no second one was opened. What he said of it stands here.
    #[serde(rename = "ticket.linked")]
    TicketLinked {
        ticket: TicketId,
        number: u64,
        customer: CustomerId,
        conversation: Option<ConversationId>,
        session: SessionId,
        kind: String,
        title: String,
        fields: Map<String, Value>,
    },
    #[serde(rename = "ticket.state")]
    TicketState { ticket: TicketId, state: String, note: Option<String> },
    #[serde(rename = "ticket.commented")]
    TicketCommented { ticket: TicketId, author: String, text: String },
    #[serde(rename = "customer.activity")]
    ActivitySeen { customer: CustomerId, kind: String, title: String, url: Option<String> },
    #[serde(rename = "session.disposition")]
    Disposition { session: SessionId, disposition: String, agent: Option<AgentId> },
    #[serde(rename = "callback.state")]
    CallbackState { callback: CallbackId, state: String },
    #[serde(rename = "message.left")]
    MessageLeft {
        left: LeftMessageId,
        session: SessionId,
        contact: Option<String>,
        recording: Option<RecordingId>,
        text: Option<String>,
        mode: String,
    },
    #[serde(rename = "callback.promised")]
    CallbackPromised { callback: CallbackId, session: SessionId, queue: QueueId, address: String, why: String },
    #[serde(rename = "evaluation.finished")]
    EvaluationFinished { evaluation: EvaluationId, session: SessionId, scorecard: String, score: f32, answers: Value },
    #[serde(rename = "survey.answered")]
    SurveyAnswered { session: SessionId, survey: String, score: u8 },
    #[serde(rename = "plan.published")]
    PlanPublished {
        plan: String,
        version: String,
        /// The version that was in force until then.
        #[serde(default)]
        before: Option<String>,
        /// `file api rollback`: a file was changed by hand, a version was published, or an older one was put back.
        #[serde(default)]
        how: String,
        #[serde(default)]
        by: String,
    },
    #[serde(rename = "plan.drafted")]
    PlanDrafted { plan: String, version: String, by: String },
    #[serde(rename = "plan.canary_started")]
    CanaryStarted { plan: String, version: String, against: String, percent: u8, by: String },
    /// `published stopped replaced rolled_back broken`; the counts of both versions that it was decided by.
    #[serde(rename = "plan.canary_ended")]
    CanaryEnded { plan: String, version: String, how: String, why: String, counts: Value, by: String },
    #[serde(rename = "notice.set")]
    NoticeSet { notice: NoticeId, text: String, by_lang: BTreeMap<Lang, String>, until: Time, plan: Option<String>, by: String },
    #[serde(rename = "notice.cleared")]
    NoticeCleared { notice: NoticeId, by: String },
    #[serde(rename = "system.started")]
    SystemStarted { version: String },
    #[serde(rename = "guard.banned")]
    SourceBanned { source: String, why: String, until: String, strikes: u32 },
    #[serde(rename = "guard.ended")]
    BanEnded { source: String, how: String },
    /// An agent's key asked for what is not his.
    #[serde(rename = "access.denied")]
    AccessDenied { key: String, agent: Option<AgentId>, what: String, id: String },
    #[serde(rename = "system.overload")]
    Overload { level: String },
}

impl DomainEvent {
    /// Milliseconds of a span, as every `_ms` field has them.
    #[must_use]
    pub fn ms(span: Duration) -> u64 {
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    }
}

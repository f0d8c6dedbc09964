//! What the steps of a plan do, and with what.

use std::time::Duration;

use super::expr::Expr;
use super::plan::{Target, Texts};
use super::template::Template;
use crate::control::words::QueueId;
use crate::control::words::ticket::Duplicate;

/// What a step does.
#[derive(Debug, Clone)]
pub enum Verb {
    /// Speaks.
    Say(Texts),
    /// Plays a file of the prompt folder; `*` plays without end.
    Play(Play),
    /// Asks for a choice; the index of [`Flow::menus`].
    Menu(usize),
    /// Fills slots.
    Ask(Ask),
    /// Yes or no.
    Confirm(Box<Confirm>),
    /// Asks outside.
    Lookup(LookupStep),
    /// Goes on at this step of the node.
    Jump(usize),
    /// Goes on at this step unless the expression holds.
    JumpUnless(Expr, usize),
    /// A knowledge article.
    Answer(Box<Answer>),
    /// Into a line.
    Queue(Box<QueueStep>),
    /// To another phone.
    Transfer(Box<Transfer>),
    /// Leaves a message.
    LeaveMessage(Box<LeaveMessage>),
    /// Promises a call back.
    Callback(Callback),
    /// Opens a ticket.
    Ticket(Box<Ticket>),
    /// Calls several systems, all or none.
    Saga(Box<Saga>),
    /// Writes to the customer.
    Message(Box<Message>),
    /// Asks for a mark from 1 to 5.
    Survey(Box<Survey>),
    /// Switches the recorder.
    Record(Switch),
    /// Sets variables.
    Set(Vec<(String, Template)>),
    /// Forgets variables.
    Clear(Vec<String>),
    /// A/B.
    Split(Split),
    /// Goes by opening hours.
    Hours(Hours),
    /// So often at most.
    Limit(Limit),
    /// Runs a node and comes back.
    Call(String),
    /// An outside application decides.
    Webhook(Box<Webhook>),
    /// Goes there.
    Goto(Target),
    /// Ends.
    Hangup(Option<Texts>),
}

/// An `ask` step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Asked for, one after the other.
    pub slots: Vec<String>,
    /// Taken when they are said along, never asked for.
    pub also: Vec<String>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A `play` step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// What is heard.
    pub sound: Sound,
    /// How often; `None` = until the caller hangs up.
    pub times: Option<u32>,
}

/// What a `play` step plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// A file below the prompt folder.
    File(String),
    /// `music`: the house's hold music.
    Music,
    /// `silence`: nothing; with `times: forever` the call just stays up.
    Silence,
    /// `echo`: the caller hears himself until he hangs up, to test his line.
    Echo,
}

/// A `confirm` step.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// The question.
    pub prompt: Texts,
    /// On yes; `None` = the next step.
    pub yes: Option<Target>,
    /// On no; `None` = the next step.
    pub no: Option<Target>,
}

/// A `lookup` step with its arms.
#[derive(Debug, Clone)]
pub struct LookupStep {
    /// Which.
    pub name: String,
    /// On 404.
    pub not_found: Option<Target>,
    /// On failure.
    pub error: Option<Target>,
    /// On no answer in time.
    pub timeout: Option<Target>,
}

/// An `answer` step.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The knowledge base.
    pub kb: String,
    /// The article; `None`: what the customer asked last.
    pub topic: Option<String>,
    /// When nothing fits; else to a person.
    pub unsure: Option<Target>,
}

/// A `queue` step.
#[derive(Debug, Clone)]
pub struct QueueStep {
    /// Which line.
    pub to: QueueId,
    /// Its name.
    pub name: String,
    /// Skills needed.
    pub skills: Vec<Template>,
    /// Priority: the default and by customer tag.
    pub priority: (u8, Vec<(String, u8)>),
    /// What the agent sees.
    pub context: Vec<String>,
    /// The last agent first: within, wait.
    pub sticky: Option<(Duration, Duration)>,
    /// Music while waiting.
    pub music: Option<String>,
    /// Position announcements.
    pub announce: Option<Duration>,
    /// A callback offer.
    pub callback_after: Option<Duration>,
    /// What happens when it takes long.
    pub overflow: Vec<OverflowStep>,
}

/// An entry of the overflow ladder.
#[derive(Debug, Clone)]
pub struct OverflowStep {
    /// After so long.
    pub after: Duration,
    /// More agents may take it.
    pub widen: Option<(QueueId, String)>,
    /// Or the line is left.
    pub goto: Option<Target>,
}

/// Who calls the place a caller is transferred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransferMode {
    /// We do, and stay between the two: recordings and reports go on.
    #[default]
    Bridge,
    /// The caller's own phone does, asked by REFER (RFC 3515); we are out of the call.
    Refer,
}

/// A `transfer` step.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Where to.
    pub to: Template,
    /// Which trunk.
    pub trunk: Option<String>,
    /// Who calls there.
    pub mode: TransferMode,
    /// Headers besides ours.
    pub headers: Vec<(String, Template)>,
    /// How long it may ring.
    pub ring: Duration,
    /// On 486.
    pub on_busy: Option<Target>,
    /// On no answer.
    pub on_no_answer: Option<Target>,
    /// On any other failure.
    pub on_failed: Option<Target>,
}

/// A `leave_message` step.
#[derive(Debug, Clone, Default)]
pub struct LeaveMessage {
    /// `form | waiting | ticket | bulletin`.
    pub mode: String,
    /// Contacts that will do: `phone`, `email`.
    pub need: Vec<String>,
    /// The longest message.
    pub max: Duration,
    /// Its own words before the tone.
    pub prompt: Texts,
}

/// A `callback` step.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Whose agents call.
    pub queue: Option<QueueId>,
    /// To which number; else the caller's.
    pub number: Option<Template>,
}

/// A `ticket` step.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The plan's type.
    pub kind: String,
    /// One line.
    pub title: Texts,
    /// More.
    pub fields: Vec<(String, Template)>,
    /// What goes with it: slots, `transcript`.
    pub attach: Vec<String>,
    /// What becomes of it when the customer has one of the same matter.
    pub duplicate: Duplicate,
    /// The variable that holds it.
    pub save_as: Option<String>,
}

/// A `saga` step: calls in order; when one fails, those before it are undone, the last first.
#[derive(Debug, Clone)]
pub struct Saga {
    /// Its name in the log; the variable that tells how it went.
    pub id: String,
    /// What is called.
    pub calls: Vec<SagaCall>,
    /// How often a call that failed or was not answered in time is tried again.
    pub retries: u32,
    /// What is said when it takes long.
    pub wait_say: Texts,
    /// When a call failed; else the defaults' `error`.
    pub failed: Option<Target>,
    /// When something could not be undone; else as `failed`.
    pub stuck: Option<Target>,
}

/// One call of a saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaCall {
    /// The lookup that does it.
    pub call: String,
    /// The lookup that undoes it.
    pub undo: Option<String>,
}

/// A `message` step.
#[derive(Debug, Clone)]
pub struct Message {
    /// Channels in order.
    pub channels: Vec<String>,
    /// The words.
    pub text: Texts,
}

/// A `survey` step.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Its id.
    pub id: String,
    /// Only then.
    pub when: Option<Expr>,
    /// The question; else the built-in one.
    pub prompt: Texts,
}

/// What the arm of a `split` stands under among the slots, before the split's id.
pub const ARM_OF: &str = "split_";

/// A `split` step.
#[derive(Debug, Clone)]
pub struct Split {
    /// Its name in reports.
    pub id: String,
    /// The same customer always gets the same arm?
    pub by: SplitBy,
    /// Weight and where to.
    pub arms: Vec<(u32, Target)>,
}

/// What an A/B split goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// The customer.
    Customer,
    /// Chance, per call.
    Call,
}

/// An `hours` step.
#[derive(Debug, Clone)]
pub struct Hours {
    /// Whose hours; else the plan's.
    pub calendar: Option<String>,
    /// While open; `None` = the next step.
    pub open: Option<Target>,
    /// While closed; `None` = the next step.
    pub closed: Option<Target>,
}

/// A `limit` step.
#[derive(Debug, Clone)]
pub struct Limit {
    /// So often.
    pub times: u32,
    /// Within the limit; `None` = the next step.
    pub goto: Option<Target>,
    /// Beyond it.
    pub then: Target,
}

/// A `webhook` step.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: Template,
    /// How long to wait.
    pub timeout: Duration,
    /// When it fails: compulsory.
    pub fallback: Target,
    /// Where its `goto` may lead.
    pub targets: Vec<String>,
}

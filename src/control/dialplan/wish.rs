//! What the runner is told, and what it wishes for. The same for a call, a chat, the simulator, the tests and the replay.

use std::time::Duration;

use serde_json::{Map, Value};

use super::plan::TransferMode;
use crate::control::event::Scored;
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::media::{BargeIn, Prompt};
use crate::control::words::speech::Listening;
use crate::control::words::ticket::{Duplicate, Filed};
use crate::control::words::{Lang, LookupId, PlayId, QueueId, TurnId};
use crate::nlu::Meanings;

/// What happened to the conversation.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The call is answered or may be spoken to early, or the chat's first line is there (it follows as `Said`).
    Started,
    /// A recognised sentence or a chat line.
    Said {
        /// The words.
        text: String,
        /// Toneless pinyin, from an engine that writes no characters.
        pinyin: Option<String>,
        /// The recognizer's confidence; 1.0 for chat.
        confidence: f32,
        /// What a sentence model says of it, where there is one.
        meanings: Meanings,
    },
    /// A key, or a chat button.
    Pressed(char),
    /// Speech has begun in this turn: the no-input clock stands.
    SpeechStarted,
    /// Words so far of somebody who is still speaking.
    Words(String),
    /// Sound, but no words.
    NotUnderstood,
    /// The recognizer cannot serve: read keys (`asr_overload`).
    NoRecognizer,
    /// The playback with this name ended or was barged into.
    PromptFinished(PlayId),
    /// A lookup's answer.
    Found(LookupId, Finding),
    /// What was recorded for a `recording` slot or a left message; `None` = nothing was said.
    Recorded(Option<Duration>),
    /// The way out of the queue step.
    QueueEnded(QueueEnd),
    /// The way out of a transfer.
    TransferEnded(TransferEnd),
    /// A ticket's number is known.
    Ticket {
        /// As asked for in [`Wish::OpenTicket`].
        save_as: Option<String>,
        /// The number people say.
        number: u64,
        /// Was it opened, or open already?
        filed: Filed,
    },
}

impl Event {
    /// A line as it was typed.
    #[must_use]
    pub fn said(text: &str) -> Event {
        Event::Said { text: text.to_owned(), pinyin: None, confidence: 1.0, meanings: Meanings::default() }
    }
}

/// How a queue step ended while the customer is still there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueEnd {
    /// An agent took it and is gone again.
    Served,
    /// The overflow time came; the argument is the index of the overflow entry.
    Overflow(usize),
    /// The customer took the callback offer.
    CallbackTaken,
}

/// How a transfer ended while the customer is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferEnd {
    /// Taken over; nothing more to do here.
    Done,
    /// 486, 600.
    Busy,
    /// Rang out.
    NoAnswer,
    /// Anything else.
    Failed,
}

/// One entry of a queue step's overflow ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// After so long in this line.
    pub after: Duration,
    /// Agents of this queue may take it from now on too; `None`: the step ends with [`QueueEnd::Overflow`].
    pub widen: Option<QueueId>,
}

/// A queue step, evaluated.
#[derive(Clone, PartialEq, Debug)]
pub struct Enqueue {
    /// Which line.
    pub queue: QueueId,
    /// Skills the agent must have: `insurance`, `lang:zh-CN`.
    pub skills: Vec<String>,
    /// 0..=9, higher first.
    pub priority: u8,
    /// What the agent sees: intent, slots, lookups, transcript.
    pub context: Map<String, Value>,
    /// The agent of the customer's last session goes first: (within, wait so long for him).
    pub sticky: Option<(Duration, Duration)>,
    /// Music while waiting.
    pub music: Option<String>,
    /// Say position and expected wait, this often.
    pub announce: Option<Duration>,
    /// The overflow ladder in order.
    pub overflow: Vec<Overflow>,
    /// Offer a callback after so long.
    pub callback_after: Option<Duration>,
}

/// A stage of a saga.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stage {
    /// Its id in the plan.
    pub saga: String,
    /// Which saga of this conversation it is, from 1.
    pub run: u32,
    /// Which call it is about; `None`: all of it.
    pub call: Option<String>,
    /// `started retried done failed timed_out undoing undone undo_failed`, of all: `completed rolled_back stuck`.
    pub stage: &'static str,
    /// The Idempotency-Key that the call carried.
    pub key: Option<String>,
    /// Why it failed, or what is not undone.
    pub why: Option<String>,
}

/// What the runner wishes.
#[derive(Clone, PartialEq, Debug)]
pub enum Wish {
    /// Trace: the node is entered.
    Entered {
        /// Its name.
        node: String,
        /// Caller turns so far.
        turn: u32,
    },
    /// Trace: how the last sentence was understood.
    Understood {
        /// The sentence.
        text: String,
        /// Best first, at least the runner-up too.
        intents: Vec<Scored>,
        /// `accept`, `confirm`, `offer_choice`, `reprompt`, `key`, `slot` …
        decision: String,
    },
    /// Trace: a slot has a value.
    SlotFilled {
        /// Which.
        slot: String,
        /// The value, or `"***"` when masked.
        value: Value,
        /// Was it masked?
        masked: bool,
    },
    /// Trace: a lookup ended.
    LookupDone {
        /// The plan's name of it.
        name: String,
        /// `found`, `not_found`, `timed_out`, `failed`.
        outcome: &'static str,
        /// What was picked from the answer.
        value: Value,
        /// From question to answer.
        took: Duration,
    },
    /// Trace: a stage of a `saga` step.
    SagaStage(Stage),
    /// Say it (voice: play; chat: send as a message). Replaces what plays.
    Say {
        /// The playback.
        play: PlayId,
        /// What.
        prompts: Vec<Prompt>,
        /// What may stop it.
        barge_in: BargeIn,
        /// A chat's buttons: label and what a press sends.
        buttons: Vec<(String, String)>,
    },
    /// Listen for one turn (a chat just waits).
    Listen(Listening),
    /// This silence ends the utterance under way: more, or less, is to be expected of it than of others.
    EndAfter(TurnId, Duration),
    /// End the turn.
    StopListening(TurnId),
    /// Stop the playback.
    StopSaying(PlayId),
    /// Ask outside; answered by [`Event::Found`].
    Find(LookupId, Lookup),
    /// Join the line; answered by [`Event::QueueEnded`] if the customer comes back.
    Enqueue(Box<Enqueue>),
    /// To another SIP URI; answered by [`Event::TransferEnded`] if the caller comes back.
    Transfer {
        /// Where to: `sip:…` or a number for the trunks.
        to: String,
        /// Which trunk.
        trunk: Option<String>,
        /// Do we call there, or the caller's own phone?
        mode: TransferMode,
        /// Headers besides ours.
        headers: Vec<(String, String)>,
        /// How long it may ring.
        ring: Duration,
    },
    /// Record the caller by himself up to `max` or key `#`; answered by [`Event::Recorded`].
    Record {
        /// What for: the slot's name or `left_message`.
        name: String,
        /// The longest.
        max: Duration,
    },
    /// A message was left: keep it and open a ticket or a waiting session by `mode`.
    LeaveMessage {
        /// `form | waiting | ticket | bulletin`.
        mode: String,
        /// Phone or e-mail.
        contact: Option<String>,
        /// The words, when there are some.
        text: Option<String>,
    },
    /// Open a ticket; answered by [`Event::Ticket`].
    OpenTicket {
        /// The plan's type.
        kind: String,
        /// One line.
        title: String,
        /// More.
        fields: Map<String, Value>,
        /// What becomes of it when one of the same matter is open.
        duplicate: Duplicate,
        /// The variable that holds it.
        save_as: Option<String>,
    },
    /// Promise the customer a call back.
    Callback {
        /// Whose agents call; `None` = anybody.
        queue: Option<QueueId>,
        /// The number to call.
        address: String,
    },
    /// Send the same customer a line on the first of these channels he has.
    Message {
        /// Channels in order.
        channels: Vec<String>,
        /// The words.
        text: String,
    },
    /// A survey's answer.
    Surveyed {
        /// Its id.
        survey: String,
        /// 1 to 5.
        score: u8,
    },
    /// The caller hears himself from here on.
    Echo,
    /// The recorder is switched.
    SetRecording {
        /// On or off.
        on: bool,
    },
    /// The language from here on (prompts, recognizer, NLU, agent skill).
    SetLang(Lang),
    /// The customer's tone calls for a person.
    Upset {
        /// The command of `always` whose tone was reached.
        command: String,
        /// The sentence by which it was.
        text: String,
        /// Its turn.
        turn: u32,
        /// Its own tone, -1 to 1.
        tone: f32,
        /// The tone over the last turns.
        temper: f32,
        /// So much higher is he in the lines from here on.
        raise: u8,
    },
    /// He goes before others in the line he waits in.
    Raise {
        /// The priority he has from here on.
        priority: u8,
    },
    /// An article answered a question.
    Answered {
        /// `article@version`.
        article: String,
    },
    /// The conversation ends when what plays is over.
    Hangup {
        /// Was the caller helped without a person?
        contained: bool,
    },
    /// The plan could not go on; the caller was told and is handed on by the defaults where there are any.
    PlanFailed {
        /// Node, step and what failed.
        why: String,
    },
}

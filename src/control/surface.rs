//! The surface of the rules: everything that goes in and everything that comes out.

use std::sync::Arc;
use std::time::Duration;

use super::event::DomainEvent;
use super::sip::Received;
use super::time::Time;
use super::words::agent::{AgentCommand, Notice, Refusal, Reply};
use super::words::directory::Directory;
use super::words::guard::Fence;
use super::words::lookup::{Finding, Lookup};
use super::words::media::WorkerId;
use super::words::pressure::Pressure;
use super::words::sip::{Flow, Located, Transmit, Whereabouts};
use super::words::{AgentId, CommandId, LegId, LookupId, chat, media, speech};

/// What the edges tell the rules.
#[derive(Debug)]
pub enum Input {
    /// A SIP message, parsed at the door.
    Sip(Received),
    /// A SIP stream broke or could not be made.
    SipBroken(Flow),
    /// Where a request may go.
    Located(Whereabouts, Located),
    /// From a media worker.
    Media(media::Event),
    /// From a recognizer.
    Speech(speech::Event),
    /// A chat line.
    Chat(chat::Received),
    /// A command of the API.
    Agent(CommandId, AgentCommand),
    /// A lookup's answer.
    Found(LookupId, Finding),
    /// New configuration; calls in progress keep the plan they began with.
    Directory(Arc<Directory>),
    /// How long the rules worked on words of this leg: they have no clock of their own.
    Reckoned(LegId, Duration),
    /// The governor found the machine's time shorter or longer than before.
    Pressure(Pressure),
    /// Take no new work; what runs may run on until then.
    Drain {
        /// The limit.
        until: Time,
    },
}

/// What the rules wish of the edges.
#[derive(Debug)]
pub enum Output {
    /// Send it.
    Sip(Transmit),
    /// Ask DNS where a request may go.
    Locate(Whereabouts),
    /// Drop what comes from there unread, from here on.
    Fence(Arc<Fence>),
    /// Do it with sound.
    Media(WorkerId, media::Command),
    /// Send it to a chat customer.
    Chat(chat::Send),
    /// The answer to a chat line or a command.
    Answer(CommandId, Result<Reply, Refusal>),
    /// Ask outside.
    Find(LookupId, Lookup),
    /// Write it down.
    Journal(DomainEvent),
    /// Show it on an agent's desk.
    Notify(AgentId, Notice),
    /// Nothing is left: the server may close.
    Drained,
}

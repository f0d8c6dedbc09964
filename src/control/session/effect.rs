//! What a call or a chat wishes. The switch carries it out for the session it came from; what follows comes back as an event.

use bytes::Bytes;
use std::borrow::Cow;

use super::advice::Sentence;
use super::talk::Talk;
use super::{Left, Line, NewTicket};
use crate::control::call::ending::Ending;
use crate::control::call::ports::Lease;
use crate::control::dialplan::wish::Enqueue;
use crate::control::event::{Fact, SessionState};
use crate::control::sip::Outgoing;
use crate::control::time::Time;
use crate::control::words::agent::Notice;
use crate::control::words::chat::Content;
use crate::control::words::lookup::Lookup;
use crate::control::words::media::{Command, WorkerId};
use crate::control::words::{AgentId, LegId, LookupId, OfferId, QueueId, RecordingId};

/// A clock of one session; setting it again moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clock {
    /// The plan's own next deadline.
    Plan,
    /// A far end that was dialled rings no longer than this.
    Ring,
    /// The longest a message may be that is being recorded.
    NoteLength,
    /// The longest silence in it.
    NoteSilence,
    /// The next position announcement.
    Announce,
    /// No longer than this are a finished call's last reports waited for.
    LastReports,
    /// A chat without a line.
    Idle,
    /// A call to the outside is looked at: may it go on?
    Toll,
    /// A supervisor's phone rings no longer than this.
    Supervisor,
    /// A colleague's phone rings no longer than this.
    Consult,
    /// What goes on after the customer has left waits no longer than this. It does not end with the session.
    Errand,
    /// A plan that has not answered must need its caller by then.
    Early,
}

impl Clock {
    /// Those to be stopped at a session's end.
    pub const ALL: [Clock; 11] = [
        Clock::Plan,
        Clock::Ring,
        Clock::NoteLength,
        Clock::NoteSilence,
        Clock::Announce,
        Clock::LastReports,
        Clock::Idle,
        Clock::Toll,
        Clock::Supervisor,
        Clock::Consult,
        Clock::Early,
    ];
}

/// Signalling on one leg.
#[derive(Debug)]
pub enum Signal {
    /// 180 or 183, with early media when there is a description.
    Ring(u16, Option<Bytes>),
    /// 200 with the description.
    Answer(Bytes),
    /// A final failure.
    Refuse(u16),
    /// The same, with a Reason header.
    RefuseBecause(u16, Cow<'static, str>),
    /// Places the call.
    Invite(Box<Outgoing>),
    /// Ends it, whatever its state.
    HangUp,
    /// The same, with a Reason header.
    HangUpBecause(Cow<'static, str>),
    /// 200 to a re-INVITE.
    AnswerOffer(Bytes),
    /// A failure to a re-INVITE.
    RefuseOffer(u16),
    /// The ACK of a 200 that carried the offer, with our answer.
    Acknowledge(Bytes),
    /// A key by INFO.
    Key(char),
    /// A re-INVITE with this description.
    Reoffer(Bytes),
    /// Tells the one who transfers how it goes.
    NotifyRefer(u16),
    /// Asks the far end to call this URI instead of us (RFC 3515).
    Refer(String),
}

/// A wish towards the ACD.
#[derive(Debug)]
pub enum Distribute {
    /// Into the line.
    Enqueue(Box<Enqueue>),
    /// Before others in it.
    Raise(u8),
    /// Out of it.
    Leave,
    /// The agent took the offer.
    Accepted(OfferId),
    /// He or his phone declined it.
    Refused(OfferId),
    /// He no longer has the session.
    Released,
    /// He has it without an offer.
    Occupy(AgentId),
    /// He calls somebody by his phone.
    Calls(AgentId),
    /// His phone has hung up.
    Called(AgentId),
}

/// One wish.
#[derive(Debug)]
pub enum Effect {
    /// This leg is ours from now on: its news come to this session.
    OwnLeg(LegId),
    /// It is over.
    DropLeg(LegId),
    /// Signalling.
    Signal(LegId, Signal),
    /// Sound.
    Media(WorkerId, Command),
    /// News of this recording come to this session.
    OwnRecording(RecordingId),
    /// No more.
    DropRecording(RecordingId),
    /// A port goes back.
    Release(Lease),
    /// A fact.
    Record(Fact),
    /// The session's state.
    Go(SessionState),
    /// A final sentence of the customer: articles that answer it are suggested to whoever serves him.
    SuggestAnswer(Box<Sentence>),
    /// A line that was spoken.
    Say(Box<Line>),
    /// A line to a chat customer, with buttons.
    Write(Box<Line>, Vec<(String, String)>),
    /// A line to the same customer on the first of these channels he has.
    Message(Vec<String>, Content),
    /// Towards the ACD.
    Distribute(Distribute),
    /// A question of the plan.
    Find(LookupId, Lookup),
    /// What the plan had begun outside goes on without the customer.
    GoOn(Box<Talk>),
    /// A ticket; its number comes back under `save_as`.
    OpenTicket(Option<String>, NewTicket),
    /// A left message.
    Leave(Left),
    /// A promised callback: whose agents call, at which number (the customer's address where none was given), and why.
    PromiseCallback(Option<QueueId>, Option<String>, &'static str),
    /// On an agent's desk.
    Notify(AgentId, Notice),
    /// Sets a clock, or stops it.
    Clock(Clock, Option<Time>),
    /// The session is over, with a summary code when an agent gave one.
    Close(Ending, Option<String>),
    /// Nothing is left of the call or chat: forget it.
    Gone,
}

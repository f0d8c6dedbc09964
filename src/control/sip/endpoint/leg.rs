//! One leg: a dialog, how far it is, and what is open in it.

use bytes::Bytes;

use super::reliable::Reliable;
use super::reply::Reply;
use crate::control::sip::dialog::Dialog;
use crate::control::sip::message::Method;
use crate::control::sip::session_timer::SessionTimer;
use crate::control::sip::transaction::Key;
use crate::control::time::Time;
use crate::control::words::directory::Credentials;
use std::time::Duration;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    /// Our tag, as a number.
    pub tag: u64,
    pub dialog: Dialog,
    pub stage: Stage,
    /// The offer and answer that are under way.
    pub exchange: Exchange,
    /// A 200 of ours that waits for its ACK.
    pub unacked: Option<Unacked>,
    /// The owner hung up; header lines for the BYE that cannot go out yet.
    pub leaving: Option<Bytes>,
    /// The agreed session timer.
    pub timer: Option<SessionTimer>,
    /// What refreshes a session of this peer.
    pub refresh_by: Method,
    /// For challenges to us.
    pub login: Option<Login>,
    /// Our last description: a refresh by re-INVITE repeats it.
    pub last_sdp: Bytes,
    /// An offer that waits until the exchange before it is over.
    pub next_offer: Option<Bytes>,
    /// Provisional responses of ours that must arrive.
    pub reliable: Reliable,
}

/// How far the leg is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It came in and is not finally answered.
    Incoming(Box<Incoming>),
    /// We placed it and it is not finally answered.
    Calling(Box<Calling>),
    /// It is answered.
    Up,
    /// Our BYE is out.
    Ending,
}

/// An INVITE to us.
#[derive(Debug)]
pub(super) struct Incoming {
    pub reply: Reply,
    /// The last provisional response, sent again each minute.
    pub provisional: Option<(u16, Bytes)>,
    /// Did the INVITE carry the offer?
    pub offer: Offer,
}

/// Who offers in an INVITE to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// The INVITE did.
    Theirs,
    /// Our 200 does.
    Ours,
}

/// An INVITE of ours.
#[derive(Debug)]
pub(super) struct Calling {
    pub key: Key,
    pub branch: String,
    pub heard: Heard,
    /// Who rings, in the order of their first response.
    pub forks: Vec<Fork>,
    /// What is offered when the first description is refused.
    pub second_offer: Option<Bytes>,
}

/// One of those whom our INVITE reached.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    pub tag: Bytes,
    /// RSeq of his last reliable provisional response; 0 before one came.
    pub rseq: u32,
    /// A description that came in a provisional response, for peers whose 200 has none.
    pub early: Bytes,
    /// It came reliably: it is his answer, and he may offer anew.
    pub agreed: bool,
}

impl Calling {
    pub(super) fn new(key: Key, branch: String, second_offer: Option<Bytes>) -> Calling {
        Calling { key, branch, heard: Heard::Nothing, forks: Vec::new(), second_offer }
    }

    /// It goes out once more.
    pub(super) fn renew(&mut self, key: Key, branch: String) {
        *self = Calling::new(key, branch, self.second_offer.take());
    }

    /// The description that the fork of this tag gave before his 200, else the last one that any gave.
    pub(super) fn early(&self, tag: &[u8]) -> Bytes {
        let with = |fork: &&Fork| !fork.early.is_empty();
        let own = self.forks.iter().filter(with).find(|fork| fork.tag == tag);
        own.or_else(|| self.forks.iter().rfind(with)).map_or_else(Bytes::new, |fork| fork.early.clone())
    }
}

/// Whether a CANCEL may go out (RFC 3261 §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not before a provisional response.
    Nothing,
    /// A provisional response came.
    Provisional,
    /// The CANCEL is out.
    Cancelled,
}

/// The offer and answer that are under way in an answered leg.
#[derive(Debug)]
pub(super) enum Exchange {
    /// None.
    Idle,
    /// Their re-INVITE or UPDATE waits for our owner.
    Theirs(Box<Asked>),
    /// Our re-INVITE is out with this offer.
    Ours(Bytes),
    /// Ours met theirs (491) and waits for its second try.
    Glare(Bytes),
    /// Their 200 carried the offer: its ACK waits for our answer.
    Owed(Box<Owed>),
}

/// An ACK that carries an answer.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub key: Key,
    pub invite: Bytes,
    pub tag: Bytes,
}

/// Their re-INVITE or UPDATE.
#[derive(Debug)]
pub(super) struct Asked {
    pub reply: Reply,
    pub method: Method,
    pub timer: Option<SessionTimer>,
    /// Its CSeq number.
    pub seq: u32,
    pub offer: Offer,
}

/// A 200 of ours that waits for its ACK.
#[derive(Debug)]
pub(super) struct Unacked {
    pub key: Key,
    pub ok: Bytes,
    /// The CSeq number of the INVITE.
    pub seq: u32,
    pub interval: Duration,
    pub gives_up: Time,
    pub which: Which,
    pub offer: Offer,
}

/// Which INVITE the 200 is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one that made the leg.
    First,
    /// A re-INVITE.
    Again,
}

/// How we meet challenges in this leg.
#[derive(Debug)]
pub(super) struct Login {
    pub credentials: Credentials,
    /// Challenges met in a row; a wrong password must not go on for ever.
    pub tries: u8,
}

/// The leg's own timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    /// The 200 goes out again, or is given up.
    Answer,
    /// The provisional response goes out again (RFC 3261 §13.3.1.1).
    Provisional,
    /// The second try after glare.
    Glare,
    /// Our session refresh.
    Refresh,
    /// The session timer ran out.
    Silence,
    /// The reliable provisional response goes out again, or is given up (RFC 3262 §3).
    Reliable,
}

impl Alarm {
    /// All of them.
    pub(super) const ALL: [Alarm; 6] = [Alarm::Answer, Alarm::Provisional, Alarm::Glare, Alarm::Refresh, Alarm::Silence, Alarm::Reliable];
}

impl Leg {
    pub(super) fn new(tag: u64, dialog: Dialog, stage: Stage) -> Leg {
        Leg {
            tag,
            dialog,
            stage,
            exchange: Exchange::Idle,
            unacked: None,
            leaving: None,
            timer: None,
            refresh_by: Method::Invite,
            login: None,
            last_sdp: Bytes::new(),
            next_offer: None,
            reliable: Reliable::none(),
        }
    }
}

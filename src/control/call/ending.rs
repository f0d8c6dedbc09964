//! One verdict per session. Nobody else decides the status, the disposition, or whose fault it was.

use std::time::Duration;

use crate::control::sdp;
use crate::control::toll::{Barred, Cut};

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The customer hung up while the plan or an agent spoke with him.
    CallerHungUp,
    /// The customer hung up in a line, or while agents were rung for him.
    Abandoned {
        /// How long he had waited.
        waited: Duration,
    },
    /// The customer gave up before the call was answered.
    CallerCancelled,
    /// The agent or the far end ended the conversation.
    AgentHungUp,
    /// The plan came to its end.
    PlanEnded {
        /// Was the customer helped without a person?
        contained: bool,
    },
    /// The plan came to its end and never needed the caller: he heard what it said, and his call was refused.
    NotAnswered {
        /// Was the customer helped without a person?
        contained: bool,
    },
    /// The line had no agent in time; the customer was promised a callback or told.
    QueueOverflow {
        /// How long he had waited.
        waited: Duration,
    },
    /// The customer left a message instead of waiting.
    LeftMessage,
    /// The customer will be called back.
    CallbackPromised,
    /// The call went on somewhere else (blind transfer).
    TransferredAway,
    /// The person or trunk that was dialled could not be had.
    Unreached {
        /// The far end's status, 408 when nothing came.
        status: u16,
    },
    /// An agent or the API closed the session.
    ClosedByAgent,
    /// A chat without a line for too long.
    Idle,
    /// The plan failed and had no way on.
    PlanFailed,
    /// A call to the outside reached a limit while it ran.
    Cut(Cut),
    /// No sound came from a peer that should send.
    MediaLost,
    /// The signalling peer is gone: no ACK, no answer in the dialog.
    PeerLost,
    /// It was not taken.
    Refused(Refused),
    /// The server was told to close.
    Drained,
    /// The process ended before the session did.
    ServerStopped,
}

/// Why a call was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nobody answers this number.
    UnknownNumber,
    /// The caller may not dial this (trunks are for registered users).
    Forbidden,
    /// As many calls run as are allowed, or no port is free.
    Full,
    /// The offer cannot be accepted; the status is the description's.
    BadOffer {
        /// 400, 415 or 488.
        status: u16,
        /// A Warning header value that says why.
        warning: String,
    },
    /// The agent who was dialled has no phone that could ring.
    NoPhone,
    /// The call to the outside may not be made.
    Barred(Barred),
}

impl Ending {
    /// The final status of the caller's INVITE.
    #[must_use]
    pub fn sip_status(&self) -> u16 {
        match self {
            Ending::CallerCancelled => 487,
            Ending::NotAnswered { .. } => 480,
            Ending::Unreached { status } => *status,
            Ending::Refused(why) => why.sip_status(),
            _ => 200,
        }
    }

    /// The word reports count by.
    #[must_use]
    pub fn disposition(&self) -> &'static str {
        match self {
            Ending::CallerHungUp => "caller_hung_up",
            Ending::Abandoned { .. } => "abandoned",
            Ending::CallerCancelled => "cancelled",
            Ending::AgentHungUp => "agent_hung_up",
            Ending::PlanEnded { contained: true } | Ending::NotAnswered { contained: true } => "contained",
            Ending::PlanEnded { contained: false } | Ending::NotAnswered { contained: false } => "plan_ended",
            Ending::QueueOverflow { .. } => "queue_overflow",
            Ending::LeftMessage => "left_message",
            Ending::CallbackPromised => "callback_promised",
            Ending::TransferredAway => "transferred",
            Ending::Unreached { .. } => "unreached",
            Ending::ClosedByAgent => "closed_by_agent",
            Ending::Idle => "idle",
            Ending::PlanFailed => "plan_failed",
            Ending::Cut(_) => "cut",
            Ending::MediaLost => "media_lost",
            Ending::PeerLost => "peer_lost",
            Ending::Refused(_) => "refused",
            Ending::Drained => "drained",
            Ending::ServerStopped => "server_stopped",
        }
    }

    /// The name of the verdict with its detail, for the log of one call.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Ending::Refused(why) => format!("refused_{}", why.name()),
            Ending::Unreached { status } => format!("unreached_{status}"),
            Ending::Cut(why) => format!("cut_{}", why.word()),
            Ending::NotAnswered { .. } => "not_answered".to_owned(),
            other => other.disposition().to_owned(),
        }
    }

    /// Did we fail the customer by a defect or a lack of ours?
    #[must_use]
    pub fn is_our_fault(&self) -> bool {
        matches!(self, Ending::PlanFailed | Ending::Drained | Ending::ServerStopped | Ending::Refused(Refused::Full))
    }

    /// Was the customer helped without a person?
    #[must_use]
    pub fn is_contained(&self) -> bool {
        matches!(self, Ending::PlanEnded { contained: true } | Ending::NotAnswered { contained: true })
    }
}

impl From<sdp::Refused> for Refused {
    fn from(sdp::Refused { status, warning }: sdp::Refused) -> Refused {
        Refused::BadOffer { status, warning }
    }
}

impl Refused {
    /// The status that says so.
    #[must_use]
    pub fn sip_status(&self) -> u16 {
        match self {
            Refused::UnknownNumber => 404,
            Refused::Forbidden | Refused::Barred(_) => 403,
            Refused::Full => 503,
            Refused::BadOffer { status, .. } => *status,
            Refused::NoPhone => 480,
        }
    }

    /// The Warning header that goes with it.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        match self {
            Refused::BadOffer { warning, .. } => Some(warning),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Refused::UnknownNumber => "unknown_number",
            Refused::Forbidden => "forbidden",
            Refused::Full => "full",
            Refused::BadOffer { .. } => "bad_offer",
            Refused::NoPhone => "no_phone",
            Refused::Barred(why) => why.ending(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_says_status_disposition_and_fault() {
        let table = [
            (Ending::CallerHungUp, 200, "caller_hung_up", false),
            (Ending::CallerCancelled, 487, "cancelled", false),
            (Ending::Abandoned { waited: Duration::from_secs(9) }, 200, "abandoned", false),
            (Ending::Unreached { status: 486 }, 486, "unreached", false),
            (Ending::Refused(Refused::Full), 503, "refused", true),
            (Ending::Refused(Refused::BadOffer { status: 488, warning: String::new() }), 488, "refused", false),
            (Ending::PlanFailed, 200, "plan_failed", true),
            (Ending::PlanEnded { contained: true }, 200, "contained", false),
            (Ending::NotAnswered { contained: true }, 480, "contained", false),
            (Ending::NotAnswered { contained: false }, 480, "plan_ended", false),
        ];
        for (ending, status, disposition, ours) in table {
            assert_eq!((ending.sip_status(), ending.disposition(), ending.is_our_fault()), (status, disposition, ours), "{ending:?}");
        }
    }
}

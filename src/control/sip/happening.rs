//! What the endpoint tells its owner. A leg is named by its `LegId`; the endpoint makes the id for a leg that comes in.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::sip::Flow;

/// What happened on the signalling side.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A new INVITE outside any dialog; `100 Trying` is already out. Answer with `ring`, `answer` or `refuse`.
    Invited(Box<Invited>),
    /// A provisional answer to our INVITE.
    Progress {
        /// Our leg.
        leg: LegId,
        /// 101..=199.
        status: u16,
        /// Early media, when there is a body.
        sdp: Option<Bytes>,
    },
    /// A 200 to our INVITE; the ACK is already out, but for a late offer, which `acknowledge_with` must answer.
    Answered {
        /// Our leg.
        leg: LegId,
        /// The answer to the offer of our INVITE; without one there, the offer.
        sdp: Bytes,
    },
    /// The callee sends the call on (300 to 302, RFC 3261 §8.1.3.4); `Refused` follows.
    Moved {
        /// Our leg.
        leg: LegId,
        /// The URI of his first Contact.
        to: String,
    },
    /// The callee refused the description (415, 488, 606): the INVITE went out once more, with the second offer.
    OfferedOtherwise {
        /// Our leg.
        leg: LegId,
    },
    /// Why the peer ends the leg, in his words (RFC 3326, RFC 6432); `Refused`, `Cancelled` or `HungUp` follows.
    Because {
        /// The leg.
        leg: LegId,
        /// The values of Reason.
        reason: String,
    },
    /// A final failure of our INVITE (also after `hang_up` cancelled it: 487). The leg is over.
    Refused {
        /// Our leg.
        leg: LegId,
        /// 300..=699; 408 when nothing came.
        status: u16,
    },
    /// The ACK of our 200 came.
    Confirmed {
        /// The caller's leg.
        leg: LegId,
        /// The answer, when our 200 carried the offer (late offer).
        sdp: Option<Bytes>,
    },
    /// The caller cancelled before our final answer; 200 and 487 are already out. The leg is over.
    Cancelled {
        /// The caller's leg.
        leg: LegId,
    },
    /// A re-INVITE or UPDATE with an offer. Answer with `answer_offer` or `refuse_offer`.
    Offered {
        /// The leg.
        leg: LegId,
        /// The offer; `None` when the peer asks us to offer.
        sdp: Option<Bytes>,
    },
    /// The answer to our `reoffer`.
    Reanswered {
        /// The leg.
        leg: LegId,
        /// The answer.
        sdp: Bytes,
    },
    /// Our `reoffer` failed; the session goes on as it was (a 481 or 408 comes as `Lost`).
    ReofferFailed {
        /// The leg.
        leg: LegId,
        /// The status.
        status: u16,
    },
    /// BYE came and is answered. The leg is over.
    HungUp {
        /// The leg.
        leg: LegId,
    },
    /// The peer is gone: no ACK came, a request in the dialog found nobody, the session timer ran out. The leg is over.
    Lost {
        /// The leg.
        leg: LegId,
        /// For the trace.
        why: &'static str,
    },
    /// A key by INFO (application/dtmf-relay or application/dtmf).
    Key {
        /// The leg.
        leg: LegId,
        /// `0-9 * # A-D`.
        key: char,
    },
    /// A line of text by MESSAGE within the call (RFC 3428).
    Texted {
        /// The leg.
        leg: LegId,
        /// What it says.
        text: String,
    },
    /// REFER in a dialog; answered 202 already. Report progress with `notify_refer`.
    Referred {
        /// The leg of the one who transfers.
        leg: LegId,
        /// The Refer-To URI, without headers.
        to: String,
        /// The dialog whose place the transferred side is to take (attended transfer).
        consulted: Option<Consulted>,
    },
    /// A phone subscribes to somebody's dialogs. Answer with `light` or `refuse_watch`.
    Watching {
        /// The subscription.
        watch: u64,
        /// Whom it means: the user part of the request URI.
        user: String,
    },
    /// A user sends a text outside of calls. Answer with `hand_over` or `refuse_page`.
    Paged(Paged),
    /// A user's bindings changed (REGISTER, expiry).
    Registered {
        /// The user part of the address of record.
        user: String,
        /// Contacts that stand now; 0 = gone.
        contacts: usize,
    },
    /// What the peer says of a transfer we asked him for by `refer`.
    TransferProgress {
        /// The leg of the peer.
        leg: LegId,
        /// The status of his call, 100..=699; >= 200 is the last word.
        status: u16,
    },
    /// Somebody proved, or failed to prove, who he is.
    Proof {
        /// Where he is.
        address: IpAddr,
        /// What it was worth.
        proof: Proof,
    },
    /// Our `register` was granted.
    SignedOn {
        /// As in the registration.
        user: String,
        /// For how long; it is refreshed by itself.
        expires: Duration,
    },
    /// Our `register` failed; it is tried again by itself unless the status is 401, 403, 404 or 407.
    SignOnFailed {
        /// As in the registration.
        user: String,
        /// 300..=699; 408 when nothing came.
        status: u16,
    },
    /// A far end that is watched was asked by OPTIONS.
    Checked {
        /// As in the check.
        name: String,
        /// Which of its places.
        place: u16,
        /// The final answer; `None` when nothing came.
        status: Option<u16>,
    },
}

/// What a digest was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// He is who he says.
    Good,
    /// Wrong, or of a user we do not have: a fingerprint of his name.
    Wrong(u64),
    /// None yet, and he asked to be a user we do not have.
    UnknownUser,
}

/// A text from one phone to another (RFC 3428).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged {
    /// Which.
    pub page: u64,
    /// The user who sends it; proved.
    pub sender: String,
    /// Whom he means: the user part of the request URI.
    pub to: String,
}

/// The other call of an attended transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consulted {
    /// It is with us: this leg of it.
    Ours(LegId),
    /// It is between others; the value of Replaces for the call to `to`.
    Elsewhere(String),
}

/// A new call.
#[derive(Debug, Clone, PartialEq)]
pub struct Invited {
    /// The id made for it.
    pub leg: LegId,
    /// When it came.
    pub at: Time,
    /// Over which path.
    pub flow: Flow,
    /// The request URI as text: `sip:4001010@10.0.0.1`.
    pub request_uri: String,
    /// Its user part, percent-decoded: `4001010`; empty when it has none. For `tel:` the number.
    pub user: String,
    /// User part of P-Asserted-Identity (from a trusted source) or From.
    pub caller: String,
    /// User part of To: what was dialled first, where the request URI names us as we registered.
    pub to: String,
    /// The display name of the caller, when there is one.
    pub caller_name: Option<String>,
    /// The registered user who calls, when he proved it by digest or calls over his registered flow.
    pub authenticated: Option<String>,
    /// Call-ID.
    pub call_id: String,
    /// All other headers by name as they came, for plans and for passing on.
    pub headers: Vec<(String, String)>,
    /// The offer; `None` = late offer.
    pub sdp: Option<Bytes>,
    /// The leg whose place this call takes (RFC 3891); checked.
    pub replaces: Option<LegId>,
}

impl Happening {
    /// The leg it is about; `None` for a new call and for registrations.
    #[must_use]
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Happening::Progress { leg, .. }
            | Happening::Answered { leg, .. }
            | Happening::Refused { leg, .. }
            | Happening::Moved { leg, .. }
            | Happening::OfferedOtherwise { leg }
            | Happening::Because { leg, .. }
            | Happening::Confirmed { leg, .. }
            | Happening::Cancelled { leg }
            | Happening::Offered { leg, .. }
            | Happening::Reanswered { leg, .. }
            | Happening::ReofferFailed { leg, .. }
            | Happening::HungUp { leg }
            | Happening::Lost { leg, .. }
            | Happening::Key { leg, .. }
            | Happening::Texted { leg, .. }
            | Happening::Referred { leg, .. }
            | Happening::TransferProgress { leg, .. } => Some(*leg),
            Happening::Invited(_)
            | Happening::Registered { .. }
            | Happening::Watching { .. }
            | Happening::Paged(_)
            | Happening::SignedOn { .. }
            | Happening::SignOnFailed { .. }
            | Happening::Checked { .. }
            | Happening::Proof { .. } => None,
        }
    }
}

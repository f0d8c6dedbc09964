//! What the four machines share: timers, events, effects (RFC 3261 §17 and RFC 6026).

use std::time::Duration;

/// Round-trip estimate (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest interval between retransmissions.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message can stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64 × T1: the patience of timers B, D, F, H, J, L and M.
pub const PATIENCE: Duration = Duration::from_secs(32);
/// Timer C: an INVITE that only rings (RFC 3261 §16.6 step 11: more than 3 minutes).
pub const TIMER_C: Duration = Duration::from_secs(185);

/// The timers by the names of the RFCs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// INVITE request retransmission, UDP only.
    A,
    /// INVITE without any response.
    B,
    /// INVITE that only rings.
    C,
    /// Wait for retransmissions of the failure of an INVITE.
    D,
    /// Request retransmission, UDP only.
    E,
    /// Request without a final response.
    F,
    /// INVITE failure retransmission.
    G,
    /// No ACK for an INVITE failure.
    H,
    /// Wait for retransmissions of the ACK.
    I,
    /// Wait for retransmissions of a request.
    J,
    /// Wait for retransmissions of a response.
    K,
    /// Wait for retransmissions of an answered INVITE (RFC 6026).
    L,
    /// Wait for retransmissions and forks of a 200 (RFC 6026).
    M,
}

/// Does the transport deliver by itself?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// UDP: we retransmit.
    Unreliable,
    /// A stream.
    Reliable,
}

impl Path {
    /// The time to wait for retransmissions: none on a stream.
    pub(super) fn linger(self, span: Duration) -> Duration {
        match self {
            Path::Unreliable => span,
            Path::Reliable => Duration::ZERO,
        }
    }
}

/// What a machine is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The request came (again), at a server.
    Request,
    /// The ACK of the INVITE came, at a server.
    Ack,
    /// Our core answers, at a server.
    Respond(u16),
    /// A response came, at a client.
    Response(u16),
    /// A timer fired.
    Fired(Timer),
    /// The stream broke.
    Broken,
}

/// What a machine wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send the last message of the transaction (again).
    Send,
    /// Send the ACK of this failure; it is the last message from here on.
    Acknowledge,
    /// The event is for our core.
    Pass,
    /// Our core is told that it failed.
    Fail(Failure),
    /// A timer is set or moved.
    Set(Timer, Duration),
    /// A timer is taken away.
    Clear(Timer),
}

/// Why a transaction failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nothing came in time (timers B, F).
    Timeout,
    /// It rang too long (timer C): to be cancelled.
    RangTooLong,
    /// No ACK came (timer H).
    NoAck,
    /// The stream broke.
    Broken,
}

/// Twice the interval, at most T2.
pub(super) fn doubled(interval: Duration) -> Duration {
    (interval * 2).min(T2)
}

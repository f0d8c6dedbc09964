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

/// Tables that leave no pair of state and event out.
#[cfg(test)]
pub(super) mod table {
    use super::{Effect, Event, Path, Timer};

    /// State, event, path, next state, effects. A row for datagrams also counts for streams that have none of their own.
    pub type Row<S> = (S, Event, Path, Option<S>, Vec<Effect>);

    /// Every event of the RFCs, responses by their classes' edges.
    fn every_event() -> Vec<Event> {
        use Timer::{A, B, C, D, E, F, G, H, I, J, K, L, M};
        let timers = [A, B, C, D, E, F, G, H, I, J, K, L, M].map(Event::Fired);
        let statuses = [100, 180, 199, 200, 202, 299, 300, 401, 486, 503, 699];
        let answers = statuses.iter().flat_map(|status| [Event::Respond(*status), Event::Response(*status)]);
        [Event::Request, Event::Ack, Event::Broken].into_iter().chain(timers).chain(answers).collect()
    }

    /// Does a machine tell success from failure?
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Finals {
        /// INVITE's do.
        Apart,
        /// To the others every final response is one.
        Alike,
    }

    /// All statuses of a class are one to the machines.
    fn class(event: Event, finals: Finals) -> Event {
        let class = |status: u16| match status {
            ..=199 => 100,
            200..=299 => 200,
            300.. if finals == Finals::Alike => 200,
            300.. => 300,
        };
        match event {
            Event::Respond(status) => Event::Respond(class(status)),
            Event::Response(status) => Event::Response(class(status)),
            other => other,
        }
    }

    /// Each state meets each event on both paths: as the table says, and what it does not list changes nothing.
    pub fn assert_complete<S: Copy + PartialEq + std::fmt::Debug>(
        finals: Finals,
        states: &[S],
        table: &[Row<S>],
        step: impl Fn(S, Event, Path, &mut Vec<Effect>) -> Option<S>,
    ) {
        for (state, event, path, _, _) in table {
            let same = |row: &&Row<S>| row.0 == *state && class(row.1, finals) == class(*event, finals) && row.2 == *path;
            let rows: Vec<_> = table.iter().filter(same).map(|row| (&row.3, &row.4)).collect();
            assert!(rows.windows(2).all(|pair| pair[0] == pair[1]), "the table contradicts itself: {state:?} {event:?}");
            assert!(states.contains(state), "{state:?} is not among the states");
        }
        for state in states {
            for event in every_event() {
                for path in [Path::Unreliable, Path::Reliable] {
                    let row = |wanted: Option<Path>| {
                        let fits = |row: &&Row<S>| {
                            row.0 == *state && class(row.1, finals) == class(event, finals) && wanted.is_none_or(|path| row.2 == path)
                        };
                        table.iter().find(fits)
                    };
                    let expected = row(Some(path)).or(row(None)).map_or((Some(*state), Vec::new()), |row| (row.3, row.4.clone()));
                    let mut out = Vec::new();
                    assert_eq!((step(*state, event, path, &mut out), out), expected, "{state:?} {event:?} {path:?}");
                }
            }
        }
    }
}

//! Whose packets are taken: the address of the SDP at once, another source (NAT) after probation, a stranger never while the
//! known source talks (RTP bleed).

use std::net::SocketAddr;
use std::time::Duration;

use super::Header;

/// Packets in a row, of one source and SSRC, that make an unexpected source known.
const PROBATION: u8 = 3;
/// A known source that is silent for so long may be followed by another (a NAT that forgot).
const QUIET: Duration = Duration::from_secs(2);

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Take it.
    Known,
    /// Not yet: the source is on probation.
    Probation,
    /// Never.
    Stranger,
}

/// Where a leg's packets come from and go to.
#[derive(Clone, Debug, Default)]
pub struct Latch {
    expected: Option<SocketAddr>,
    current: Option<SocketAddr>,
    heard: Duration,
    candidate: Option<Candidate>,
    judge: Judge,
}

/// Who says which source is the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Judge {
    /// The packets do.
    #[default]
    Packets,
    /// The peer proved it before (RFC 8445): what comes here is its own.
    Proof,
}

#[derive(Clone, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next: u16,
    seen: u8,
}

impl Latch {
    /// Sets where the peer said it is. A change forgets the source known so far.
    pub fn expect(&mut self, remote: Option<SocketAddr>) {
        if self.expected != remote || self.judge == Judge::Proof {
            (self.expected, self.current, self.candidate, self.judge) = (remote, None, None, Judge::Packets);
        }
    }

    /// The peer proves where it is, and is nowhere else.
    pub fn follow(&mut self, chosen: Option<SocketAddr>) {
        (self.expected, self.current, self.candidate, self.judge) = (None, chosen, None, Judge::Proof);
    }

    /// The peer said that it sends nothing: its silence is no sign that it is elsewhere, and nobody follows it.
    pub fn stays(&mut self, now: Duration) {
        self.heard = now;
    }

    /// Judges the source of a packet.
    #[inline]
    pub fn admit(&mut self, now: Duration, from: SocketAddr, header: &Header) -> Verdict {
        if self.current == Some(from) || self.judge == Judge::Proof {
            self.heard = now;
            return Verdict::Known;
        }
        self.judge(now, from, header)
    }

    /// Where to send.
    #[must_use]
    pub fn target(&self) -> Option<SocketAddr> {
        self.current.or(self.expected)
    }

    fn judge(&mut self, now: Duration, from: SocketAddr, header: &Header) -> Verdict {
        if self.expected == Some(from) {
            return self.adopt(now, from);
        }
        if self.current.is_some() && now.saturating_sub(self.heard) < QUIET {
            return Verdict::Stranger;
        }
        let seen = match &self.candidate {
            Some(known) if known.from == from && known.ssrc == header.ssrc && known.next == header.sequence => known.seen + 1,
            _ => 1,
        };
        if seen >= PROBATION {
            return self.adopt(now, from);
        }
        self.candidate = Some(Candidate { from, ssrc: header.ssrc, next: header.sequence.wrapping_add(1), seen });
        Verdict::Probation
    }

    fn adopt(&mut self, now: Duration, from: SocketAddr) -> Verdict {
        self.current = Some(from);
        self.candidate = None;
        self.heard = now;
        Verdict::Known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn packet(sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 7 }
    }

    #[test]
    fn a_peer_that_proves_where_it_is_needs_no_packets_for_that_and_none_move_it() {
        let mut latch = Latch::default();
        latch.follow(None);
        assert_eq!((latch.admit(Duration::ZERO, at(1), &packet(0)), latch.target()), (Verdict::Known, None));
        latch.follow(Some(at(2)));
        assert_eq!((latch.admit(Duration::from_secs(9), at(1), &packet(1)), latch.target()), (Verdict::Known, Some(at(2))));
        latch.expect(Some(at(3)));
        assert_eq!((latch.admit(Duration::from_secs(9), at(1), &packet(2)), latch.target()), (Verdict::Probation, Some(at(3))));
    }

    #[test]
    fn the_announced_source_is_known_at_once_and_displaces_an_impostor() {
        let mut latch = Latch::default();
        latch.expect(Some(at(4_000)));
        let verdicts: Vec<Verdict> = (0..3).map(|n| latch.admit(Duration::ZERO, at(6_666), &packet(n))).collect();
        assert_eq!(verdicts, [Verdict::Probation, Verdict::Probation, Verdict::Known]);
        assert_eq!(latch.target(), Some(at(6_666)));
        assert_eq!(latch.admit(Duration::ZERO, at(4_000), &packet(9)), Verdict::Known);
        assert_eq!(latch.admit(Duration::ZERO, at(6_666), &packet(3)), Verdict::Stranger);
    }

    #[test]
    fn a_stranger_is_refused_while_the_known_source_talks_and_tried_when_it_is_silent() {
        let mut latch = Latch::default();
        latch.expect(Some(at(4_000)));
        latch.admit(Duration::ZERO, at(4_000), &packet(0));
        let strangers = (0..100).map(|n| latch.admit(Duration::from_secs(1), at(5_000), &packet(n)));
        assert!(strangers.into_iter().all(|verdict| verdict == Verdict::Stranger));
        let later = Duration::from_secs(3);
        assert_eq!([0, 1, 2].map(|n| latch.admit(later, at(5_000), &packet(n))), [Verdict::Probation, Verdict::Probation, Verdict::Known]);
    }

    #[test]
    fn scattered_packets_never_pass_probation() {
        let mut latch = Latch::default();
        assert!((0..50).all(|n| latch.admit(Duration::ZERO, at(5_000), &packet(n * 2)) == Verdict::Probation));
    }
}

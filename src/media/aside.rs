//! What passes on a leg's ports besides sound: ciphers are taken off and put on here, and reports go out and come in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::leg::Leg;
use super::mixer::Wire;
use super::rtp::dtls::{Handshaking, Identity, is_record};
use super::rtp::ice::Door;
use super::rtp::packet::is_rtcp;
use super::rtp::reporting::Reporting;
use super::rtp::rtcp::{LONGEST, Writer};
use super::rtp::secrecy;
use crate::control::words::media::{Patch, Quality, ReportsWay, Stream, VoipMetrics};
use crate::control::words::srtp::Security;
use crate::stun::is_stun;

/// Who proves where he is has one handshake, on whichever of his ways its records go: they are all of this source.
const PROVED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A leg's side business.
#[derive(Debug)]
pub struct Aside {
    secrecy: secrecy::Incoming,
    reporting: Reporting,
    handshaking: Option<Box<Handshaking>>,
    door: Option<Box<Door>>,
    /// The way on which the last record came, where the peer has several.
    records_from: Option<SocketAddr>,
    refused: u64,
}

impl Aside {
    /// Of a leg that opens now.
    #[must_use]
    pub fn new(now: Duration, chance: u64) -> Aside {
        Aside {
            secrecy: secrecy::Incoming::default(),
            reporting: Reporting::new(now, chance),
            handshaking: None,
            door: None,
            records_from: None,
            refused: 0,
        }
    }

    /// Datagrams that could not be believed.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What is known of the whole.
    #[must_use]
    pub fn quality(&self) -> Option<Quality> {
        self.reporting.quality()
    }
}

/// Sends what is to be sent, on the way that the peer has proved where it does so.
fn send_records(handshaking: &mut Handshaking, port: u16, proved: Option<SocketAddr>, wire: &mut Wire<'_>) {
    while let Some((to, record)) = handshaking.next_record() {
        match proved {
            Some(proved) if to == PROVED => wire(port, proved, &record),
            _ if to == PROVED => {}
            _ => wire(port, to, &record),
        }
    }
}

/// The last report of a leg that is closed.
#[derive(Debug)]
pub struct Farewell {
    /// From which port.
    pub port: u16,
    /// To whom.
    pub to: SocketAddr,
    packet: [u8; LONGEST],
    length: usize,
}

impl Farewell {
    /// What is sent.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        &self.packet[..self.length]
    }
}

impl Leg {
    /// The stream was agreed, or agreed anew.
    pub fn protect(&mut self, now: Duration, stream: &Stream, identity: Option<&Arc<Identity>>) {
        match (&mut self.aside.door, stream.terms.ice) {
            (Some(door), Some(ice)) => door.renew(now, ice),
            (door, Some(ice)) => {
                *door = Some(Box::new(Door::new(now, ice)));
                self.incoming.follow(None);
            }
            (door, None) => *door = None,
        }
        if let Security::Handshake(terms) = &stream.security {
            // The same peer again: the handshake goes on, or its keys stay, whoever would begin this time (RFC 8842 §5.5).
            if self.aside.handshaking.as_ref().is_some_and(|handshaking| handshaking.terms().theirs == terms.theirs) {
                return;
            }
            self.aside.handshaking = identity.map(|identity| Box::new(Handshaking::new(*terms, identity)));
        } else {
            self.aside.handshaking = None;
        }
        self.cipher(&stream.security);
    }

    fn cipher(&mut self, security: &Security) {
        self.aside.secrecy.update(security);
        self.outgoing.secrecy.update(security);
    }

    /// Begins a handshake that is ours to begin, and repeats what was lost of it.
    pub fn shake_hands(&mut self, now: Duration, wire: &mut Wire<'_>) {
        let Some(handshaking) = &mut self.aside.handshaking else { return };
        let proved = self.aside.door.as_ref().and_then(|door| door.chosen()).or(self.aside.records_from);
        let target = if self.aside.door.is_some() { proved.map(|_| PROVED) } else { self.incoming.target() };
        handshaking.drive(now, target);
        send_records(handshaking, self.stream.port, proved, wire);
    }

    /// True once, when a peer that must ask on has not done so for too long.
    pub fn is_newly_shut(&mut self, now: Duration) -> bool {
        let shut = self.aside.door.as_mut().is_some_and(|door| door.is_newly_shut(now));
        if shut {
            self.aside.records_from = None;
            self.incoming.follow(None);
        }
        shut
    }

    /// A peer asks its way.
    fn let_in(&mut self, now: Duration, from: SocketAddr, datagram: &[u8], wire: &mut Wire<'_>) {
        let Some(door) = &mut self.aside.door else { return self.aside.refused += 1 };
        let before = door.chosen();
        match door.take(now, from, datagram) {
            Some(answer) => wire(self.stream.port, from, answer.as_bytes()),
            None => self.aside.refused += 1,
        }
        let chosen = door.chosen();
        if chosen != before {
            tracing::debug!(leg = %self.id, "a peer chose its way");
            self.incoming.follow(chosen);
        }
    }

    fn take_record(&mut self, now: Duration, from: SocketAddr, datagram: &[u8], wire: &mut Wire<'_>) {
        let Some(handshaking) = &mut self.aside.handshaking else { return self.aside.refused += 1 };
        let proved = self.aside.door.as_ref().map(|_| from);
        self.aside.records_from = proved;
        let keys = handshaking.take(now, proved.map_or(from, |_| PROVED), datagram);
        send_records(handshaking, self.stream.port, proved, wire);
        if let Some(keys) = keys {
            tracing::debug!(leg = %self.id, suite = keys.suite.name(), "a handshake gave keys");
            self.cipher(&Security::Keys(Arc::new(keys)));
        }
    }

    /// Reads a datagram where it lies. `None` when it was a report, of a handshake, or was not believed.
    pub fn open<'a>(&mut self, now: Duration, from: SocketAddr, datagram: &'a mut [u8], wire: &mut Wire<'_>) -> Option<&'a [u8]> {
        if is_stun(datagram) {
            self.let_in(now, from, datagram, wire);
            return None;
        }
        if self.aside.door.as_ref().is_some_and(|door| !door.knows(from)) {
            self.aside.refused += 1;
            return None;
        }
        if is_record(datagram) {
            self.take_record(now, from, datagram, wire);
            return None;
        }
        if is_rtcp(datagram) && self.stream.reports.way != ReportsWay::None {
            self.take_report(now, from, datagram);
            return None;
        }
        let opened = self.aside.secrecy.open(datagram).ok();
        self.aside.refused += u64::from(opened.is_none());
        opened
    }

    /// Takes a report, wherever it came in. Those of strangers say nothing.
    pub fn take_report(&mut self, now: Duration, from: SocketAddr, datagram: &mut [u8]) {
        let known = self.incoming.target().is_some_and(|target| target.ip() == from.ip());
        match self.aside.secrecy.open_rtcp(datagram) {
            Ok(report) if known => self.aside.reporting.take(now, from, report, self.outgoing.source(), self.stream.codec.clock()),
            Ok(_) | Err(_) => self.aside.refused += 1,
        }
    }

    /// Ends a patch and reports about it, when it is time.
    pub fn report(&mut self, now: Duration, wire: &mut Wire<'_>) -> Option<Patch> {
        if !self.aside.reporting.is_due(now) {
            return None;
        }
        let (reception, late) = self.incoming.reception();
        let codec = self.stream.codec;
        let patch = self.aside.reporting.end_patch(codec, (reception, late));
        let told = patch.as_ref().map(|patch| (codec, patch)).filter(|_| self.stream.reports.metrics == VoipMetrics::Told);
        let mut writer = self.aside.reporting.write(now, &self.outgoing.reported(), reception, told);
        if let Some((port, to)) = self.reports_way() {
            let (buffer, length) = writer.finish();
            let length = self.outgoing.secrecy.seal_rtcp(buffer, length);
            wire(port, to, &buffer[..length]);
        }
        patch
    }

    /// Ends the last patch, and says goodbye where reports go.
    pub fn part(&mut self) -> Option<Farewell> {
        let (reception, late) = self.incoming.reception();
        self.aside.reporting.end_patch(self.stream.codec, (reception, late));
        let (port, to) = self.reports_way()?;
        let mut writer: Writer = self.aside.reporting.goodbye(&self.outgoing.reported(), reception);
        let (buffer, length) = writer.finish();
        let length = self.outgoing.secrecy.seal_rtcp(buffer, length);
        Some(Farewell { port, to, packet: *buffer, length })
    }

    /// From which of our ports reports go, and whereto.
    fn reports_way(&self) -> Option<(u16, SocketAddr)> {
        if !self.outgoing.secrecy.is_open() {
            return None;
        }
        match self.stream.reports.way {
            ReportsWay::None => None,
            ReportsWay::Muxed => Some((self.stream.port, self.incoming.target()?)),
            ReportsWay::Apart(said) => Some((self.stream.port.checked_add(1)?, self.aside.reporting.peer().or(said)?)),
        }
    }
}

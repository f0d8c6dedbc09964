//! When a leg reports, what it says, and what it makes of the other's reports (RFC 3550 §6).

use std::net::SocketAddr;
use std::time::Duration;

use super::quality::{BUFFERED_JITTERS, Patches, rating};
use super::rtcp::{Got, Heard, Sends, Sent, Writer, read};
use super::stats::Reception;
use crate::control::random::Random;
use crate::control::words::media::{Codec, Patch, Quality};

/// The least time between two reports (RFC 3550 §6.2), and so the length of a patch.
const INTERVAL: Duration = Duration::from_secs(5);
/// So much of it is left to chance, so that no two sides keep step (RFC 3550 §6.3.1 has it between a half and one and a half;
/// with two members a fifth is enough, and patches stay comparable).
const SPREAD: f64 = 0.4;
const PARTS: f32 = 256.0;
/// Reports count time in these parts of a second.
const TICKS: u64 = 65_536;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// One leg's reports.
#[derive(Debug)]
pub struct Reporting {
    opened: Duration,
    seen: Duration,
    due: Duration,
    random: Random,
    name: [u8; 16],
    packets: u64,
    told: (u64, u64),
    theirs: Option<(u32, Duration)>,
    trip: Option<Duration>,
    patches: Patches,
    /// Where the peer's reports come from, when not from where it said.
    from: Option<SocketAddr>,
}

impl Reporting {
    /// Of a leg that opens now.
    #[must_use]
    pub fn new(now: Duration, chance: u64) -> Reporting {
        let mut random = Random::new(chance);
        let bits = random.bits();
        let name = std::array::from_fn(|at| HEX[(bits >> (4 * at) & 0xF) as usize]);
        let mut reporting = Reporting {
            opened: now,
            seen: now,
            due: now,
            random,
            name,
            packets: 0,
            told: (0, 0),
            theirs: None,
            trip: None,
            patches: Patches::default(),
            from: None,
        };
        reporting.again(now);
        reporting
    }

    /// Is it time?
    #[inline]
    pub fn is_due(&mut self, now: Duration) -> bool {
        self.seen = now;
        now >= self.due
    }

    /// Ends a patch of the call, by what was received in this codec and how many packets of it came too late.
    pub fn end_patch(&mut self, codec: Codec, heard: (&Reception, u64)) -> Option<Patch> {
        self.patches.end(self.seen.saturating_sub(self.opened), codec, heard, self.trip)
    }

    /// Writes a report; the next one is due in about five seconds.
    pub fn write(&mut self, now: Duration, sent: &Sent, reception: &Reception, patch: Option<(Codec, &Patch)>) -> Writer {
        self.again(now);
        let sends = if u64::from(sent.packets) == self.packets { Sends::No } else { Sends::Yes };
        self.packets = u64::from(sent.packets);
        let mut writer = Writer::default();
        let got = self.got(now, reception);
        writer.report(now, sent, sends, got.as_ref());
        writer.description(sent.ssrc, &self.name);
        if let (Some((codec, patch)), Some(got)) = (patch, got) {
            let buffered = (BUFFERED_JITTERS * patch.jitter_ms) as u16;
            let round_trip = patch.rtt_ms.unwrap_or_default();
            let heard = Heard {
                loss: patch.loss_percent,
                round_trip: round_trip as u16,
                rating: rating(codec, patch.loss_percent, round_trip / 2.0 + f32::from(buffered)) as u8,
                mos: patch.mos,
                buffered,
            };
            writer.voip_metrics(sent.ssrc, got.ssrc, &heard);
        }
        writer
    }

    /// The last packet of all.
    #[must_use]
    pub fn goodbye(&mut self, sent: &Sent, reception: &Reception) -> Writer {
        let mut writer = Writer::default();
        let got = self.got(self.seen, reception);
        writer.report(self.seen, sent, Sends::No, got.as_ref());
        writer.description(sent.ssrc, &self.name);
        writer.bye(sent.ssrc);
        writer
    }

    /// Reads the peer's report about our source, whose RTP clock in hertz is given. What is no report changes nothing.
    pub fn take(&mut self, now: Duration, from: SocketAddr, packet: &[u8], ours: u32, clock: u32) {
        let Some(read) = read(packet, ours) else { return };
        self.from = Some(from);
        self.theirs = read.sender.map(|time| (time, now)).or(self.theirs);
        if let Some(block) = read.block {
            self.trip = block.round_trip(now).or(self.trip);
            let jitter = block.jitter as f32 * 1_000.0 / clock as f32;
            self.patches.far(f32::from(block.fraction_lost) * 100.0 / PARTS, jitter);
        }
    }

    /// Where the peer's reports came from last.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.from
    }

    /// What is known of the whole.
    #[must_use]
    pub fn quality(&self) -> Option<Quality> {
        self.patches.quality()
    }

    fn again(&mut self, now: Duration) {
        self.due = now + INTERVAL.mul_f64(1.0 + SPREAD * (self.random.unit() - 0.5));
    }

    fn got(&mut self, now: Duration, reception: &Reception) -> Option<Got> {
        let ssrc = reception.source()?;
        let (received, lost) = (reception.received(), reception.lost());
        let expected = received + lost;
        let (told_expected, told_lost) = std::mem::replace(&mut self.told, (expected, lost));
        let (news, missing) = (expected.saturating_sub(told_expected), lost.saturating_sub(told_lost));
        let fraction_lost = u8::try_from(missing * 256 / news.max(1)).unwrap_or(u8::MAX);
        let (last_report, since) = self.theirs.map_or((0, 0), |(time, at)| {
            let waited = now.saturating_sub(at);
            (time, u32::try_from(waited.as_micros() as u64 * TICKS / 1_000_000).unwrap_or(u32::MAX))
        });
        let lost = u32::try_from(lost).unwrap_or(u32::MAX);
        Some(Got { ssrc, fraction_lost, lost, highest: reception.highest(), jitter: reception.jitter_units(), last_report, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::RATE;
    use crate::media::rtp::Header;

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4_001);

    fn sent(ssrc: u32, packets: u32) -> Sent {
        Sent { ssrc, timestamp: 0, packets, octets: packets * 160 }
    }

    fn bytes(mut writer: Writer) -> Vec<u8> {
        let (buffer, length) = writer.finish();
        buffer[..length].to_vec()
    }

    #[test]
    fn two_sides_learn_the_round_trip_and_what_the_other_lacks() {
        let way = Duration::from_millis(40);
        let (mut here, mut there) = (Reporting::new(Duration::ZERO, 1), Reporting::new(Duration::ZERO, 2));
        let mut heard = Reception::default();
        for sequence in (0..100u16).filter(|n| n % 4 != 3) {
            heard.take(&Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1 });
        }
        let at = Duration::from_secs(5);
        let first = bytes(here.write(at, &sent(1, 100), &Reception::default(), None));
        there.take(at + way, HERE, &first, 2, RATE);
        let answered = at + way + Duration::from_secs(3);
        let answer = bytes(there.write(answered, &sent(2, 0), &heard, None));
        here.take(answered + way, HERE, &answer, 1, RATE);
        let trip = here.trip.unwrap().as_millis();
        assert!((79..=81).contains(&trip), "{trip} ms");
        let _ = here.patches.end(at, Codec::Pcmu, (&heard, 0), here.trip);
        let far = here.quality().unwrap().far.unwrap();
        assert!((far.worst_loss_percent - 24.0).abs() < 1.5, "{far:?}");
    }

    #[test]
    fn reports_come_about_every_five_seconds_and_never_in_step() {
        let (mut reporting, mut now, mut gaps) = (Reporting::new(Duration::ZERO, 7), Duration::ZERO, Vec::new());
        for _ in 0..100 {
            let before = now;
            while !reporting.is_due(now) {
                now += Duration::from_millis(20);
            }
            gaps.push((now - before).as_millis());
            reporting.again(now);
        }
        assert!(gaps.iter().all(|gap| (3_990..=6_020).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().max().unwrap() - gaps.iter().min().unwrap() > 1_000);
    }
}

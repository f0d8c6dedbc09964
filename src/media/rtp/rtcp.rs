//! Reports about streams (RTCP, RFC 3550 §6; XR, RFC 3611): written into a buffer, and what of others' reports we use.

use std::time::Duration;

use rtcp_types::{Compound, Packet, ReceiverReport, SenderReport};

/// The longest packet of ours: sender report, description, VoIP metrics, and what ciphering adds.
pub const LONGEST: usize = 256;

const SENDER: u8 = 200;
const RECEIVER: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const EXTENDED: u8 = 207;
const VERSION: u8 = 2 << 6;
const WORD: usize = 4;
const CNAME: u8 = 1;
const VOIP_METRICS: u8 = 7;
const VOIP_WORDS: u16 = 8;
/// "Not measured" of the levels and ratings in VoIP metrics (RFC 3611 §4.7).
const UNKNOWN: u8 = 127;
const GAP_PACKETS: u8 = 16;
/// Enhanced concealment, adaptive jitter buffer, rate unknown (RFC 3611 §4.7.6).
const RECEIVER_CONFIG: u8 = 0b1011_0000;
const MOST_LOST: u32 = 0x7F_FFFF;

/// A moment in 2^-16 seconds, as reports count round trips: the middle of an NTP time.
#[must_use]
pub fn middle(now: Duration) -> u32 {
    (ntp(now) >> 16) as u32
}

/// Seconds and fractions since the worker began, one second ahead: zero would mean "never".
fn ntp(now: Duration) -> u64 {
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    (now.as_secs() + 1) << 32 | fraction
}

/// What we sent so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Our source.
    pub ssrc: u32,
    /// The timestamp of now.
    pub timestamp: u32,
    /// Packets.
    pub packets: u32,
    /// Bytes of payload.
    pub octets: u32,
}

/// What we got so far, of one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Got {
    /// The source.
    pub ssrc: u32,
    /// Of the last 256 packets, so many were lost.
    pub fraction_lost: u8,
    /// Packets lost since the beginning.
    pub lost: u32,
    /// The highest sequence number, with its wraps.
    pub highest: u32,
    /// In units of the timestamp.
    pub jitter: u32,
    /// The middle of the last sender report's time, zero without one.
    pub last_report: u32,
    /// Since it came, in 2^-16 seconds.
    pub since: u32,
}

/// What VoIP metrics say beside that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Heard {
    /// Percent.
    pub loss: f32,
    /// Milliseconds.
    pub round_trip: u16,
    /// The rating R.
    pub rating: u8,
    /// Opinion, listening.
    pub mos: f32,
    /// Milliseconds that the jitter buffer holds.
    pub buffered: u16,
}

/// Writes reports into a buffer of [`LONGEST`].
#[derive(Debug)]
pub struct Writer {
    buffer: [u8; LONGEST],
    length: usize,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer { buffer: [0; LONGEST], length: 0 }
    }
}

impl Writer {
    /// The report that every compound begins with: of a sender when something was sent since the last.
    pub fn report(&mut self, now: Duration, sent: &Sent, sends: Sends, got: Option<&Got>) {
        let (kind, head) = if sends == Sends::Yes { (SENDER, 28) } else { (RECEIVER, 8) };
        let count = u8::from(got.is_some());
        self.header(VERSION | count, kind, head + usize::from(count) * 24);
        self.put(&sent.ssrc.to_be_bytes());
        if sends == Sends::Yes {
            self.put(&ntp(now).to_be_bytes());
            self.words(&[sent.timestamp, sent.packets, sent.octets]);
        }
        let Some(got) = got else { return };
        let lost = u32::from(got.fraction_lost) << 24 | got.lost.min(MOST_LOST);
        self.words(&[got.ssrc, lost, got.highest, got.jitter, got.last_report, got.since]);
    }

    /// Who we are: a name of the leg that says nothing of anybody (RFC 7022).
    pub fn description(&mut self, ssrc: u32, name: &[u8; 16]) {
        // Source, one item of two bytes and the name, and at least one zero at its end.
        let length = WORD + 4 + 2 + name.len();
        let padded = (length + 1).next_multiple_of(WORD);
        self.header(VERSION | 1, DESCRIPTION, padded);
        self.put(&ssrc.to_be_bytes());
        self.put(&[CNAME, 16]);
        self.put(name);
        self.put(&[0; WORD][..padded - length]);
    }

    /// VoIP metrics (RFC 3611 §4.7). Bursts are not told from single losses.
    pub fn voip_metrics(&mut self, ours: u32, theirs: u32, heard: &Heard) {
        let share = |percent: f32| (percent * 2.56).min(255.0) as u8;
        self.header(VERSION, EXTENDED, WORD + 4 + WORD * (1 + usize::from(VOIP_WORDS)));
        self.put(&ours.to_be_bytes());
        self.put(&[VOIP_METRICS, 0]);
        self.put(&VOIP_WORDS.to_be_bytes());
        self.put(&theirs.to_be_bytes());
        self.put(&[share(heard.loss), 0, 0, share(heard.loss)]);
        self.put(&[0, 0, 0, 0]);
        self.put(&heard.round_trip.to_be_bytes());
        self.put(&heard.buffered.to_be_bytes());
        self.put(&[UNKNOWN, UNKNOWN, UNKNOWN, GAP_PACKETS]);
        let mos = (heard.mos * 10.0) as u8;
        self.put(&[heard.rating, UNKNOWN, mos, mos]);
        self.put(&[RECEIVER_CONFIG, 0]);
        [heard.buffered; 3].iter().for_each(|held| self.put(&held.to_be_bytes()));
    }

    /// The source is over.
    pub fn bye(&mut self, ssrc: u32) {
        self.header(VERSION | 1, BYE, WORD + 4);
        self.put(&ssrc.to_be_bytes());
    }

    /// What was written, with its length, for the cipher to work on.
    pub fn finish(&mut self) -> (&mut [u8; LONGEST], usize) {
        (&mut self.buffer, self.length)
    }

    fn header(&mut self, first: u8, kind: u8, bytes: usize) {
        let words = u16::try_from(bytes / WORD - 1).unwrap_or_default().to_be_bytes();
        self.put(&[first, kind, words[0], words[1]]);
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|word| self.put(&word.to_be_bytes()));
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.buffer.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }
}

/// Was anything sent since the last report?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sends {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What of a peer's report we use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Read {
    /// The middle of the time of its sender report.
    pub sender: Option<u32>,
    /// What it says of our stream.
    pub block: Option<Block>,
}

/// A report block about our stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Of 256.
    pub fraction_lost: u8,
    /// In units of the timestamp.
    pub jitter: u32,
    /// The middle of the time of our report that it answers, zero without one.
    pub last_report: u32,
    /// How long it lay there, in 2^-16 seconds.
    pub since: u32,
}

impl Block {
    /// How long the way there and back takes (RFC 3550 §6.4.1); `None` without a report of ours, and for what cannot be.
    #[must_use]
    pub fn round_trip(&self, now: Duration) -> Option<Duration> {
        let there = middle(now).wrapping_sub(self.last_report).wrapping_sub(self.since);
        let trip = Duration::from_nanos(u64::from(there) * 1_000_000_000 / 65_536);
        (self.last_report != 0 && trip < LONGEST_TRIP).then_some(trip)
    }
}

/// Longer ways are mistakes of somebody's clock.
const LONGEST_TRIP: Duration = Duration::from_secs(30);

/// Reads a compound; `None` when it is none.
#[must_use]
pub fn read(packet: &[u8], ours: u32) -> Option<Read> {
    let mut read = Read::default();
    for part in Compound::parse(packet).ok()? {
        let about_us = |block: rtcp_types::ReportBlock<'_>| {
            (block.ssrc() == ours).then(|| Block {
                fraction_lost: block.fraction_lost(),
                jitter: block.interarrival_jitter(),
                last_report: block.last_sender_report_timestamp(),
                since: block.delay_since_last_sender_report_timestamp(),
            })
        };
        match part.ok()? {
            Packet::Sr(report) => {
                let report: SenderReport<'_> = report;
                read.sender = Some((report.ntp_timestamp() >> 16) as u32);
                read.block = report.report_blocks().find_map(about_us).or(read.block);
            }
            Packet::Rr(report) => {
                let report: ReceiverReport<'_> = report;
                read.block = report.report_blocks().find_map(about_us).or(read.block);
            }
            _ => {}
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent { ssrc: 7, timestamp: 160, packets: 250, octets: 40_000 };
    const GOT: Got = Got { ssrc: 9, fraction_lost: 26, lost: 25, highest: 65_780, jitter: 16, last_report: 0x0001_8000, since: 65_536 };

    fn written(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        fill(&mut writer);
        let (buffer, length) = writer.finish();
        buffer[..length].to_vec()
    }

    #[test]
    fn a_compound_of_all_parts_is_read_by_another_implementation() {
        let heard = Heard { loss: 10.0, round_trip: 60, rating: 70, mos: 3.6, buffered: 40 };
        let packet = written(|writer| {
            writer.report(Duration::from_millis(2_500), &SENT, Sends::Yes, Some(&GOT));
            writer.description(7, b"0123456789abcdef");
            writer.voip_metrics(7, 9, &heard);
            writer.bye(7);
        });
        let mut kinds = Vec::new();
        for part in Compound::parse(&packet).unwrap() {
            match part.unwrap() {
                Packet::Sr(report) => {
                    assert_eq!((report.ssrc(), report.packet_count(), report.octet_count(), report.rtp_timestamp()), (7, 250, 40_000, 160));
                    assert_eq!(report.ntp_timestamp(), (3 << 32) + (1 << 31));
                    let block = report.report_blocks().next().unwrap();
                    assert_eq!((block.ssrc(), block.fraction_lost(), block.cumulative_lost()), (9, 26, 25));
                    assert_eq!((block.extended_sequence_number(), block.interarrival_jitter()), (65_780, 16));
                    kinds.push("sr");
                }
                Packet::Sdes(sdes) => {
                    let named = sdes.chunks().any(|chunk| chunk.items().any(|item| item.value() == b"0123456789abcdef"));
                    assert!(named);
                    kinds.push("sdes");
                }
                Packet::Bye(bye) => {
                    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [7]);
                    kinds.push("bye");
                }
                other => kinds.push(if format!("{other:?}").contains("Xr") { "xr" } else { "other" }),
            }
        }
        assert_eq!(kinds, ["sr", "sdes", "xr", "bye"]);
        assert!(packet.len() + super::super::srtp::LONGER_RTCP <= LONGEST, "{}", packet.len());
    }

    #[test]
    fn a_receiver_reports_without_having_sent() {
        let packet = written(|writer| {
            writer.report(Duration::ZERO, &SENT, Sends::No, Some(&Got { ssrc: 7, ..GOT }));
            writer.description(7, b"0123456789abcdef");
        });
        let read = read(&packet, 7).unwrap();
        assert_eq!((read.sender, read.block.unwrap().fraction_lost), (None, 26));
        assert_eq!(super::read(&packet, 8).unwrap().block, None, "about somebody else");
    }

    #[test]
    fn the_round_trip_is_what_the_way_and_not_the_waiting_took() {
        let sent_at = Duration::from_millis(10_000);
        let block = Block { fraction_lost: 0, jitter: 0, last_report: middle(sent_at), since: 65_536 * 2 };
        let trip = block.round_trip(Duration::from_millis(12_080)).unwrap();
        assert!((79..=81).contains(&trip.as_millis()), "{trip:?}");
        assert_eq!(Block { last_report: 0, ..block }.round_trip(sent_at), None);
        assert_eq!(block.round_trip(Duration::from_millis(11_000)), None, "before it was sent");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..128), kind in 200u8..208) {
            let mut bytes = bytes;
            if bytes.len() >= 4 {
                bytes[0] = bytes[0] & 0x3F | 0x80;
                bytes[1] = kind;
            }
            let _ = read(&bytes, 7);
        }
    }
}

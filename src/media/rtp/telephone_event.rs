//! Keys in RTP (RFC 4733): each press reported once, whatever is lost; presses sent with growing duration and three ends.

use super::Header;

const END: u8 = 0x80;
const VOLUME: u8 = 10;
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// Bytes of a payload.
pub const EVENT_BYTES: usize = 4;
const LAST_PACKETS: u8 = 3;
const REMEMBERED: usize = 8;

/// Samples that a sent key lasts: 100 ms, twice the 40–50 ms that receivers need.
const PRESS: u16 = 800;
/// Ticks of 20 ms between two sent keys: 100 ms.
const PAUSE_TICKS: u8 = 5;
const TICK: u16 = 160;

/// The key of an event code, 0–15.
#[must_use]
pub fn key(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).map(|key| char::from(*key))
}

/// The event code of a key.
#[must_use]
pub fn code(key: char) -> Option<u8> {
    KEYS.iter().position(|known| char::from(*known) == key.to_ascii_uppercase()).and_then(|at| u8::try_from(at).ok())
}

/// Recognises presses. A press is its RTP timestamp (RFC 4733 §2.3.5): its first packet to come reports it, marked or not,
/// first or last; all others are repetitions.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    reported: [Option<(u32, u32)>; REMEMBERED],
    next: usize,
}

impl Keys {
    /// The key, when this packet is the first of its press to come.
    pub fn take(&mut self, header: &Header, payload: &[u8]) -> Option<char> {
        let (event, _) = payload.split_first_chunk::<EVENT_BYTES>()?;
        let key = key(event[0])?;
        let press = (header.ssrc, header.timestamp);
        if self.reported.contains(&Some(press)) {
            return None;
        }
        self.reported[self.next] = Some(press);
        self.next = (self.next + 1) % REMEMBERED;
        Some(key)
    }
}

/// One packet of a press to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventPacket {
    /// The first packet of the press: its timestamp stays that of all packets of the press.
    pub marker: bool,
    /// The RFC 4733 payload.
    pub payload: [u8; EVENT_BYTES],
}

/// A press being sent: one packet a tick, the last of them three times, then a pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Press {
    code: u8,
    lasted: u16,
    ends: u8,
    pause: u8,
}

impl Press {
    /// Begins a press; `None` for what is no key.
    #[must_use]
    pub fn new(key: char) -> Option<Press> {
        code(key).map(|code| Press { code, lasted: 0, ends: 0, pause: 0 })
    }

    /// The packet of this tick, if any; the state moves on.
    pub fn tick(&mut self) -> Option<EventPacket> {
        if self.ends == LAST_PACKETS {
            self.pause += 1;
            return None;
        }
        let marker = self.lasted == 0;
        if self.lasted < PRESS {
            self.lasted += TICK;
        }
        let ended = self.lasted >= PRESS;
        let packet = EventPacket { marker, payload: self.payload(ended) };
        self.ends += u8::from(ended);
        Some(packet)
    }

    /// True when press and pause are over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.pause >= PAUSE_TICKS
    }

    /// The key's code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Is the key down (for in-band tones)?
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.lasted < PRESS
    }

    fn payload(&self, ended: bool) -> [u8; EVENT_BYTES] {
        let [high, low] = self.lasted.to_be_bytes();
        [self.code, if ended { END | VOLUME } else { VOLUME }, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(key: char) -> Vec<EventPacket> {
        let mut press = Press::new(key).unwrap();
        let mut packets = Vec::new();
        while !press.is_over() {
            packets.extend(press.tick());
        }
        packets
    }

    #[test]
    fn a_press_grows_and_ends_three_times() {
        let packets = sent('5');
        let durations: Vec<u16> = packets.iter().map(|packet| u16::from_be_bytes([packet.payload[2], packet.payload[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        let ends: Vec<bool> = packets.iter().map(|packet| packet.payload[1] & END != 0).collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
        assert!(packets[0].marker && packets[1..].iter().all(|packet| !packet.marker));
    }

    /// Every way to lose packets of a press but all, with and without marker, each packet doubled or not.
    #[test]
    fn a_press_is_reported_once_whichever_packets_are_lost() {
        let packets = sent('#');
        for lost in 0..(1u32 << packets.len()) - 1 {
            for (marker, copies) in [(true, 1), (false, 1), (true, 2), (false, 3)] {
                let mut keys = Keys::default();
                let mut heard = String::new();
                for (at, packet) in packets.iter().enumerate().filter(|(at, _)| lost & (1 << at) == 0) {
                    let sequence = u16::try_from(at).unwrap();
                    let header = Header { marker: marker && packet.marker, payload_type: 101, sequence, timestamp: 99, ssrc: 1 };
                    (0..copies).for_each(|_| heard.extend(keys.take(&header, &packet.payload)));
                }
                assert_eq!(heard, "#", "lost {lost:b}, marker {marker}, copies {copies}");
            }
        }
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        let mut keys = Keys::default();
        let header = |timestamp| Header { marker: false, payload_type: 101, sequence: 1, timestamp, ssrc: 1 };
        let heard: String = [0, 1_600, 0, 3_200, 1_600].iter().filter_map(|at| keys.take(&header(*at), &[7, 10, 0, 160])).collect();
        assert_eq!(heard, "777");
    }

    #[test]
    fn codes_and_keys_are_inverse_and_rubbish_is_ignored() {
        assert!("0123456789*#ABCD".chars().all(|key_| code(key_).and_then(key) == Some(key_)));
        assert_eq!(key(16), None);
        assert_eq!(code('x'), None);
        let header = Header { marker: false, payload_type: 101, sequence: 1, timestamp: 1, ssrc: 1 };
        assert_eq!(Keys::default().take(&header, &[1, 2]), None);
        assert_eq!(Keys::default().take(&header, &[16, 0, 0, 0]), None, "flash is no key");
    }
}

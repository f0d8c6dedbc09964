//! STUN (RFC 8489) as far as a server of addresses and the lite side of ICE need it: messages read where they lie, and written
//! without taking memory.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

/// Stands in every message since RFC 5389.
const MAGIC: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER: usize = 20;
const HEAD: usize = 4;
const PROOF_BYTES: usize = 20;
/// The longest message we look into; one packet of the Internet.
const LONGEST_READ: usize = 1_500;
/// The longest message we write: a request with a name, a role and a proof.
const LONGEST: usize = 192;
const FINGERPRINT_MASK: u32 = 0x5354_554E;
/// Attributes below this must be understood.
const OPTIONAL: u16 = 0x8000;
const IPV4: u8 = 1;
const IPV6: u8 = 2;
/// So many unknown attributes are named; the answer must not be longer than the question was worth.
const NAMED: usize = 4;

pub const CHANGE_REQUEST: u16 = 0x0003;
pub const USERNAME: u16 = 0x0006;
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
pub const ERROR_CODE: u16 = 0x0009;
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub const PRIORITY: u16 = 0x0024;
pub const USE_CANDIDATE: u16 = 0x0025;
pub const FINGERPRINT: u16 = 0x8028;

/// What a message is (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Where do my packets seem to come from?
    Request,
    /// From there.
    Success,
    /// It is not told.
    Refusal,
}

impl Kind {
    const ALL: [(Kind, [u8; 2]); 3] = [(Kind::Request, [0x00, 0x01]), (Kind::Success, [0x01, 0x01]), (Kind::Refusal, [0x01, 0x11])];

    fn bytes(self) -> [u8; 2] {
        Kind::ALL.into_iter().find(|(kind, _)| *kind == self).map_or([0, 1], |(_, bytes)| bytes)
    }
}

/// The number of one request and its answer.
pub type Transaction = [u8; 12];

/// A password as a key (RFC 8489 §9.1.1).
#[must_use]
pub fn key(password: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password)
}

/// Is it STUN? SIP begins with a letter, DTLS with at least 20, RTP with 128 (RFC 7983).
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] & 0xC0 == 0 && datagram[4..8] == MAGIC
}

/// A message that came in. It is whole, and its fingerprint holds if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl<'a> Received<'a> {
    /// `None` for what is no binding message, is cut off or does not hold.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Received<'a>> {
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        if !is_stun(bytes) || HEADER + length != bytes.len() || length % 4 != 0 || bytes.len() > LONGEST_READ {
            return None;
        }
        let (kind, _) = Kind::ALL.into_iter().find(|(_, start)| *start == bytes[..2])?;
        let message = Received { kind, bytes };
        let whole = message.attributes().map(|(at, _, value)| at + HEAD + value.len().next_multiple_of(4)).last().unwrap_or(HEADER);
        (whole == bytes.len() && message.fingerprint().is_none_or(|holds| holds == Holds::Yes)).then_some(message)
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its number.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        std::array::from_fn(|at| self.bytes[8 + at])
    }

    /// The value of its first attribute of this kind, of those that are proved when there is a proof.
    #[must_use]
    pub fn value(&self, wanted: u16) -> Option<&'a [u8]> {
        self.counted().find(|(_, kind, _)| *kind == wanted).map(|(_, _, value)| value)
    }

    /// Does it end with a sum that shows that it is no other packet (RFC 8489 §14.7)?
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.fingerprint().is_some()
    }

    /// Did its sender know the password (RFC 8489 §14.5)?
    #[must_use]
    pub fn is_proved_by(&self, key: &hmac::Key) -> bool {
        let Some((at, _, proof)) = self.attributes().find(|(_, kind, _)| *kind == MESSAGE_INTEGRITY) else { return false };
        let mut copy = [0; LONGEST_READ];
        let (text, counted) = (&mut copy[..at], u16::try_from(at + HEAD + PROOF_BYTES - HEADER).unwrap_or(0));
        text.copy_from_slice(&self.bytes[..at]);
        text[2..4].copy_from_slice(&counted.to_be_bytes());
        hmac::verify(key, text, proof).is_ok()
    }

    /// Attributes that we would have to understand and do not.
    pub fn unknown(&self, understood: &[u16]) -> impl Iterator<Item = u16> {
        self.counted().map(|(_, kind, _)| kind).filter(|kind| *kind < OPTIONAL && !understood.contains(kind))
    }

    /// What stands behind the proof counts for nothing, the fingerprint apart.
    fn counted(&self) -> impl Iterator<Item = (usize, u16, &'a [u8])> {
        let proof = self.attributes().find(|(_, kind, _)| *kind == MESSAGE_INTEGRITY).map_or(usize::MAX, |(at, _, _)| at);
        self.attributes().take_while(move |(at, _, _)| *at <= proof)
    }

    /// Where each attribute stands, its kind and its value; it ends at the first that is cut off.
    fn attributes(&self) -> impl Iterator<Item = (usize, u16, &'a [u8])> {
        let (bytes, mut at) = (self.bytes, HEADER);
        std::iter::from_fn(move || {
            let head = bytes.get(at..at + HEAD)?;
            let (kind, length) = (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
            let value = bytes.get(at + HEAD..)?.get(..length)?;
            let here = at;
            at += HEAD + length.next_multiple_of(4);
            Some((here, kind, value))
        })
    }

    fn fingerprint(&self) -> Option<Holds> {
        let (at, _, value) = self.attributes().find(|(_, kind, _)| *kind == FINGERPRINT)?;
        let holds = value == (crc32(&self.bytes[..at]) ^ FINGERPRINT_MASK).to_be_bytes();
        Some(if holds { Holds::Yes } else { Holds::No })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
}

/// A message of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Message {
    /// One without attributes.
    #[must_use]
    pub fn new(kind: Kind, transaction: &Transaction) -> Message {
        let mut message = Message { bytes: [0; LONGEST], length: 0 };
        [&kind.bytes()[..], &[0, 0], &MAGIC, transaction].into_iter().for_each(|part| message.put(part));
        message
    }

    /// The answer that tells whoever asked where he seems to be.
    #[must_use]
    pub fn success(request: &Received<'_>, source: SocketAddr) -> Message {
        let (veiled, length) = veiled(source, &request.transaction());
        Message::new(Kind::Success, &request.transaction()).with(XOR_MAPPED_ADDRESS, &veiled[..length])
    }

    /// The answer that tells him nothing: a code such as 401.
    #[must_use]
    pub fn refusal(request: &Received<'_>, code: u16) -> Message {
        let [_, class, number] = [0, code / 100, code % 100].map(|part| u8::try_from(part).unwrap_or(0));
        Message::new(Kind::Refusal, &request.transaction()).with(ERROR_CODE, &[0, 0, class, number])
    }

    /// The answer to a question with attributes that must be understood and are not.
    #[must_use]
    pub fn not_understood(request: &Received<'_>, unknown: impl Iterator<Item = u16>) -> Message {
        let (mut named, mut count) = ([0; 2 * NAMED], 0);
        for (place, kind) in named.chunks_exact_mut(2).zip(unknown) {
            place.copy_from_slice(&kind.to_be_bytes());
            count += 2;
        }
        Message::refusal(request, 420).with(UNKNOWN_ATTRIBUTES, &named[..count])
    }

    /// With one attribute more. What does not fit any more is left out.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Message {
        let padded = value.len().next_multiple_of(4);
        if let Ok(length) = u16::try_from(value.len())
            && self.length + HEAD + padded <= LONGEST
        {
            [&kind.to_be_bytes()[..], &length.to_be_bytes(), value, &[0; 3][..padded - value.len()]]
                .into_iter()
                .for_each(|part| self.put(part));
            self.count(0);
        }
        self
    }

    /// With the proof that we know the password.
    #[must_use]
    pub fn proved(mut self, key: &hmac::Key) -> Message {
        self.count(HEAD + PROOF_BYTES);
        let proof = hmac::sign(key, self.as_bytes());
        self.with(MESSAGE_INTEGRITY, proof.as_ref())
    }

    /// With the sum at its end.
    #[must_use]
    pub fn finished(mut self) -> Message {
        self.count(HEAD + 4);
        let sum = crc32(self.as_bytes()) ^ FINGERPRINT_MASK;
        self.with(FINGERPRINT, &sum.to_be_bytes())
    }

    /// As it goes out.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put(&mut self, part: &[u8]) {
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len();
    }

    /// The length counts what is there and so much more.
    fn count(&mut self, more: usize) {
        let length = u16::try_from(self.length + more - HEADER).unwrap_or(0);
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The address, veiled so that no translator on the way "mends" it (RFC 8489 §14.2), and how long it is.
fn veiled(source: SocketAddr, transaction: &Transaction) -> ([u8; 20], usize) {
    let mut value = [0; 20];
    let length = match source.ip() {
        IpAddr::V4(ip) => {
            value[1] = IPV4;
            value[4..8].copy_from_slice(&ip.octets());
            8
        }
        IpAddr::V6(ip) => {
            value[1] = IPV6;
            value[4..].copy_from_slice(&ip.octets());
            20
        }
    };
    value[2..4].copy_from_slice(&source.port().to_be_bytes());
    value[2..4].iter_mut().zip(&MAGIC).for_each(|(byte, veil)| *byte ^= veil);
    value[4..length].iter_mut().zip(MAGIC.iter().chain(transaction)).for_each(|(byte, veil)| *byte ^= veil);
    (value, length)
}

/// The sum of ISO 3309; `flate2` has the same within reach.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
    const TRANSACTION: &str = "b7e7a701bc34d686fa87dfae";

    fn bytes(hex: &[&str]) -> Vec<u8> {
        hex::decode(hex.concat().replace(' ', "")).unwrap()
    }

    /// RFC 5769 §2.1.
    fn sample_request() -> Vec<u8> {
        bytes(&[
            "000100582112a442",
            TRANSACTION,
            "80220010 5354554e207465737420636c69656e74 00240004 6e0001ff 80290008 932ff9b151263b36",
            "00060009 6576746a3a68367659202020 00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf",
        ])
    }

    #[test]
    fn the_request_of_rfc_5769_is_read_and_its_proof_holds() {
        let sample = sample_request();
        let request = Received::parse(&sample).unwrap();
        assert_eq!((request.kind(), request.value(USERNAME), request.has_fingerprint()), (Kind::Request, Some(&b"evtj:h6vY"[..]), true));
        assert_eq!(request.value(PRIORITY), Some(&[0x6e, 0, 1, 0xff][..]));
        assert!(request.is_proved_by(&key(PASSWORD)) && !request.is_proved_by(&key(b"another")));
        assert_eq!(request.unknown(&[USERNAME, MESSAGE_INTEGRITY]).collect::<Vec<_>>(), [PRIORITY]);
    }

    #[test]
    fn the_responses_of_rfc_5769_are_read_and_ours_veil_the_address_alike() {
        let four = ["0101003c2112a442", TRANSACTION, "8022000b 7465737420766563746f7220 00200008 0001a147e112a643"];
        let six = ["010100482112a442", TRANSACTION, "8022000b 7465737420766563746f7220 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"];
        let ends = [
            "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96",
            "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c",
        ];
        for ((start, end), source) in
            [four, six].into_iter().zip(ends).zip(["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"])
        {
            let sample = bytes(&[&start.concat(), end]);
            let response = Received::parse(&sample).unwrap();
            assert!(response.kind() == Kind::Success && response.is_proved_by(&key(PASSWORD)));
            let question = sample_request();
            let ours = Message::success(&Received::parse(&question).unwrap(), source.parse().unwrap()).proved(&key(PASSWORD)).finished();
            let ours = Received::parse(ours.as_bytes()).unwrap();
            assert_eq!(ours.value(XOR_MAPPED_ADDRESS), response.value(XOR_MAPPED_ADDRESS));
            assert!(ours.transaction() == response.transaction() && ours.is_proved_by(&key(PASSWORD)) && ours.has_fingerprint());
        }
    }

    #[test]
    fn one_wrong_bit_anywhere_is_seen() {
        let sample = sample_request();
        for at in 0..8 * sample.len() {
            let mut broken = sample.clone();
            broken[at / 8] ^= 1 << (at % 8);
            let believed =
                Received::parse(&broken).is_some_and(|request| request.has_fingerprint() && request.is_proved_by(&key(PASSWORD)));
            assert!(!believed, "bit {at}");
        }
    }

    #[test]
    fn what_stands_behind_the_proof_counts_for_nothing() {
        let message = Message::new(Kind::Request, &[7; 12]).with(USERNAME, b"a:b").proved(&key(b"x")).with(USE_CANDIDATE, &[]).finished();
        let request = Received::parse(message.as_bytes()).unwrap();
        assert!(request.is_proved_by(&key(b"x")) && request.value(USE_CANDIDATE).is_none());
        assert_eq!(request.unknown(&[USERNAME, MESSAGE_INTEGRITY]).count(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_datagram_panics(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), cut in 0usize..108) {
            let mut sample = sample_request();
            sample.splice(cut.min(108)..cut.min(108), noise);
            let _ = Received::parse(&sample).map(|request| (request.is_proved_by(&key(PASSWORD)), request.unknown(&[]).count()));
            let length = u16::try_from(sample.len() - HEADER).unwrap().to_be_bytes();
            sample[2..4].copy_from_slice(&length);
            let _ = Received::parse(&sample).map(|request| (request.is_proved_by(&key(PASSWORD)), request.unknown(&[]).count()));
        }
    }
}

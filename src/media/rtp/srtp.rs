//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714): packets are ciphered and proved in the buffer they lie in, without an allocation.
//!
//! The ciphers are those of `rtc-srtp`; what stands around them is ours: its own contexts make a new buffer for each packet, keep a state
//! for every SSRC that somebody invents, and believe an SRTCP packet that says of itself that it is not ciphered.

use rtc_srtp::crypto::providers::RingCrypto;
use rtc_srtp::crypto::{AeadAlgorithm, AeadCipher, HmacAlgorithm, Mac, RTCCrypto, StreamCipher, StreamCipherAlgorithm, constant_time_eq};

use super::packet;
use super::rollover::{Index, Rollover};
use crate::control::words::srtp::{LONGEST_KEY, MasterKey, Suite};

/// What a ciphered RTP packet is longer at most, in bytes.
pub const LONGER: usize = GCM_TAG;
/// What a ciphered RTCP packet is longer at most, in bytes.
pub const LONGER_RTCP: usize = GCM_TAG + INDEX;

const GCM_TAG: usize = 16;
const SHA1: usize = 20;
/// The word behind an SRTCP packet: its number, and whether it is ciphered.
const INDEX: usize = 4;
const CIPHERED: u32 = 1 << 31;
/// RTCP's header and SSRC stay in clear.
const RTCP_CLEAR: usize = 8;
const LONGEST_SALT: usize = 14;
/// Sources that one key lets in (new SSRCs after a transfer, another talk spurt); more need a new key.
const MOST_SOURCES: usize = 64;
/// A stream that has wrapped its numbers before we joined it is found within so many wraps (three hours at 50 packets a second) …
const WRAPS_TRIED: u32 = 8;
/// … by so many packets; then only its first round is believed.
const JOINERS_TRIED: u8 = 8;
/// The longest datagram that is read.
const DATAGRAM: usize = crate::media::sockets::DATAGRAM;

/// Why a packet is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Shorter than its own header and proof.
    #[error("the packet ends inside its header or its proof")]
    Short,
    /// It was here already, or is older than the window.
    #[error("the packet is a replay")]
    Replay,
    /// Changed on its way, or of another key.
    #[error("the proof of the packet does not fit the key")]
    Forged,
    /// The handshake that keys come from is not over.
    #[error("there is no key yet")]
    NoKey,
    /// Too many sources under one key.
    #[error("more than 64 sources send under one key")]
    TooManySources,
}

/// Ciphers one stream that we send.
pub struct Sealer {
    cipher: Cipher,
    rollover: Rollover,
    reports: u32,
}

/// Reads the streams that one peer sends under one key.
pub struct Opener {
    cipher: Cipher,
    sources: Vec<Source>,
    reports: Rollover,
    joiners: u8,
}

struct Source {
    ssrc: u32,
    rollover: Rollover,
}

impl Sealer {
    /// Begins with the first packet of a key.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Sealer {
        Sealer { cipher: Cipher::new(suite, key), rollover: Rollover::default(), reports: 0 }
    }

    /// Was a packet of this number sent already? Two packets under one number would give away both.
    #[must_use]
    pub fn has_sent(&self, sequence: u16) -> bool {
        self.rollover.is_begun() && !self.rollover.is_new(self.rollover.guess(sequence))
    }

    /// Ciphers the packet that lies in the first `length` bytes; how long it is then. `buffer` has room for [`LONGER`] bytes more.
    pub fn seal(&mut self, buffer: &mut [u8], length: usize) -> usize {
        let (ssrc, sequence) = packet::name(buffer);
        let head = packet::header_bytes(&buffer[..length]).unwrap_or(length);
        let index = self.rollover.guess(sequence);
        self.rollover.take(index);
        self.cipher.seal(buffer, head, length, ssrc, index)
    }

    /// Ciphers the RTCP packet that lies in the first `length` bytes. `buffer` has room for [`LONGER_RTCP`] bytes more.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> usize {
        self.reports = (self.reports + 1) & !CIPHERED;
        let index = self.reports;
        self.cipher.seal_rtcp(buffer, length, index)
    }
}

impl Opener {
    /// A key of which nothing has come yet.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Opener {
        Opener { cipher: Cipher::new(suite, key), sources: Vec::new(), reports: Rollover::default(), joiners: 0 }
    }

    /// Has anything come?
    #[must_use]
    pub fn has_opened(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Reads a packet where it lies; how long it is in clear.
    ///
    /// # Errors
    /// [`Refused`]; the buffer is then worth nothing.
    pub fn open(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let head = packet::header_bytes(packet).ok_or(Refused::Short)?;
        if packet.len() < head + self.cipher.tag() {
            return Err(Refused::Short);
        }
        let (ssrc, sequence) = packet::name(packet);
        let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) else { return self.open_first(packet, head) };
        let index = source.rollover.guess(sequence);
        if !source.rollover.is_new(index) {
            return Err(Refused::Replay);
        }
        let length = self.cipher.open(packet, head, ssrc, index)?;
        source.rollover.take(index);
        Ok(length)
    }

    /// A source that is new to us: it counts from zero, or was there before us.
    fn open_first(&mut self, packet: &mut [u8], head: usize) -> Result<usize, Refused> {
        if self.sources.len() >= MOST_SOURCES {
            return Err(Refused::TooManySources);
        }
        let (ssrc, sequence) = packet::name(packet);
        let wraps = if self.joiners < JOINERS_TRIED { WRAPS_TRIED } else { 1 };
        let mut kept = [0; DATAGRAM];
        let kept = kept.get_mut(..packet.len()).ok_or(Refused::Short)?;
        kept.copy_from_slice(packet);
        for wrap in 0..wraps {
            packet.copy_from_slice(kept);
            let index = Index::of(wrap, sequence);
            if let Ok(length) = self.cipher.open(packet, head, ssrc, index) {
                let mut rollover = Rollover::default();
                rollover.take(index);
                self.sources.push(Source { ssrc, rollover });
                return Ok(length);
            }
        }
        self.joiners = self.joiners.saturating_add(1);
        Err(Refused::Forged)
    }

    /// Reads an RTCP packet where it lies; how long it is in clear.
    ///
    /// # Errors
    /// [`Refused`]; the buffer is then worth nothing.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let (length, index) = self.cipher.open_rtcp(packet, &self.reports)?;
        self.reports.take(index);
        Ok(length)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(kept secret)")
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener(kept secret)")
    }
}

/// The session keys of one direction.
enum Cipher {
    /// Counter mode, proved by HMAC-SHA1.
    Counter(Box<Counter>),
    /// Galois counter mode.
    Galois(Box<Galois>),
}

struct Counter {
    rtp: Box<dyn StreamCipher>,
    rtp_proof: Box<dyn Mac>,
    rtp_salt: [u8; LONGEST_SALT],
    rtcp: Box<dyn StreamCipher>,
    rtcp_proof: Box<dyn Mac>,
    rtcp_salt: [u8; LONGEST_SALT],
    /// Bytes of the proof of an RTP packet; RTCP's is always of 80 bits.
    tag: usize,
}

struct Galois {
    rtp: Box<dyn AeadCipher>,
    rtp_salt: [u8; LONGEST_SALT],
    rtcp: Box<dyn AeadCipher>,
    rtcp_salt: [u8; LONGEST_SALT],
}

const KNOWN_SIZES: &str = "keys, salts and tags have the sizes of their suite";
const RTCP_TAG: usize = 10;

impl Cipher {
    fn new(suite: Suite, key: &MasterKey) -> Cipher {
        let derive = Derivation::new(suite, key);
        let (rtp, rtcp) = (derive.bytes(Label::Rtp, suite.key_bytes()), derive.bytes(Label::Rtcp, suite.key_bytes()));
        let (rtp, rtcp) = (&rtp[..suite.key_bytes()], &rtcp[..suite.key_bytes()]);
        let salt = |label| {
            let mut salt = [0; LONGEST_SALT];
            salt[..suite.salt_bytes()].copy_from_slice(&derive.bytes(label, suite.salt_bytes())[..suite.salt_bytes()]);
            salt
        };
        let (rtp_salt, rtcp_salt) = (salt(Label::RtpSalt), salt(Label::RtcpSalt));
        let proof = |label| RingCrypto.new_hmac(HmacAlgorithm::Sha1, &derive.bytes(label, SHA1)[..SHA1]).expect(KNOWN_SIZES);
        let galois = |algorithm| {
            let cipher = |key| RingCrypto.new_aead(algorithm, key).expect(KNOWN_SIZES);
            Cipher::Galois(Box::new(Galois { rtp: cipher(rtp), rtp_salt, rtcp: cipher(rtcp), rtcp_salt }))
        };
        let tag = match suite {
            Suite::Aes128Gcm => return galois(AeadAlgorithm::Aes128Gcm),
            Suite::Aes256Gcm => return galois(AeadAlgorithm::Aes256Gcm),
            Suite::Aes128Sha80 | Suite::Aes256Sha80 => 10,
            Suite::Aes128Sha32 => 4,
        };
        let cipher = |key| RingCrypto.new_stream_cipher(stream(suite), key).expect(KNOWN_SIZES);
        let (rtp_proof, rtcp_proof) = (proof(Label::RtpProof), proof(Label::RtcpProof));
        Cipher::Counter(Box::new(Counter { rtp: cipher(rtp), rtp_proof, rtp_salt, rtcp: cipher(rtcp), rtcp_proof, rtcp_salt, tag }))
    }

    fn tag(&self) -> usize {
        match self {
            Cipher::Counter(counter) => counter.tag,
            Cipher::Galois(_) => GCM_TAG,
        }
    }

    fn seal(&mut self, buffer: &mut [u8], head: usize, length: usize, ssrc: u32, index: Index) -> usize {
        match self {
            Cipher::Counter(it) => {
                it.rtp.apply_keystream(&counter(&it.rtp_salt, ssrc, index.0), &mut buffer[head..length]).expect(KNOWN_SIZES);
                let proof = prove(&mut *it.rtp_proof, &[&buffer[..length], &index.wraps().to_be_bytes()]);
                buffer[length..length + it.tag].copy_from_slice(&proof[..it.tag]);
                length + it.tag
            }
            Cipher::Galois(it) => {
                let (header, rest) = buffer.split_at_mut(head);
                let (body, rest) = rest.split_at_mut(length - head);
                it.rtp.seal_in_place(&nonce(&it.rtp_salt, ssrc, index.0), header, body, &mut rest[..GCM_TAG]).expect(KNOWN_SIZES);
                length + GCM_TAG
            }
        }
    }

    fn open(&mut self, packet: &mut [u8], head: usize, ssrc: u32, index: Index) -> Result<usize, Refused> {
        let length = packet.len() - self.tag();
        let (body, tag) = packet.split_at_mut(length);
        match self {
            Cipher::Counter(it) => {
                let proof = prove(&mut *it.rtp_proof, &[body, &index.wraps().to_be_bytes()]);
                if !constant_time_eq(&proof[..it.tag], tag) {
                    return Err(Refused::Forged);
                }
                it.rtp.apply_keystream(&counter(&it.rtp_salt, ssrc, index.0), &mut body[head..]).expect(KNOWN_SIZES);
            }
            Cipher::Galois(it) => {
                let (header, body) = body.split_at_mut(head);
                it.rtp.open_in_place(&nonce(&it.rtp_salt, ssrc, index.0), header, body, tag).map_err(|_| Refused::Forged)?;
            }
        }
        Ok(length)
    }

    fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize, index: u32) -> usize {
        let ssrc = packet::word(buffer, INDEX);
        let word = (index | CIPHERED).to_be_bytes();
        match self {
            Cipher::Counter(it) => {
                let iv = counter(&it.rtcp_salt, ssrc, u64::from(index));
                it.rtcp.apply_keystream(&iv, &mut buffer[RTCP_CLEAR..length]).expect(KNOWN_SIZES);
                buffer[length..length + INDEX].copy_from_slice(&word);
                let proof = prove(&mut *it.rtcp_proof, &[&buffer[..length + INDEX]]);
                buffer[length + INDEX..length + INDEX + RTCP_TAG].copy_from_slice(&proof[..RTCP_TAG]);
                length + INDEX + RTCP_TAG
            }
            Cipher::Galois(it) => {
                let known = rtcp_known(buffer, word);
                let (body, rest) = buffer[RTCP_CLEAR..].split_at_mut(length - RTCP_CLEAR);
                let nonce = nonce(&it.rtcp_salt, ssrc, u64::from(index));
                it.rtcp.seal_in_place(&nonce, &known, body, &mut rest[..GCM_TAG]).expect(KNOWN_SIZES);
                buffer[length + GCM_TAG..length + GCM_TAG + INDEX].copy_from_slice(&word);
                length + GCM_TAG + INDEX
            }
        }
    }

    fn open_rtcp(&mut self, packet: &mut [u8], seen: &Rollover) -> Result<(usize, Index), Refused> {
        let proofs = INDEX + if matches!(self, Cipher::Counter(_)) { RTCP_TAG } else { GCM_TAG };
        let length = packet.len().checked_sub(proofs).filter(|length| *length >= RTCP_CLEAR).ok_or(Refused::Short)?;
        let at = if matches!(self, Cipher::Counter(_)) { length } else { length + GCM_TAG };
        let word = packet::word(packet, at);
        let index = Index(u64::from(word & !CIPHERED));
        // Reports in clear were never agreed (RFC 4568 §6.3.2).
        if word & CIPHERED == 0 {
            return Err(Refused::Forged);
        }
        if seen.is_begun() && !seen.is_new(index) {
            return Err(Refused::Replay);
        }
        let ssrc = packet::word(packet, INDEX);
        match self {
            Cipher::Counter(it) => {
                let (body, tag) = packet.split_at_mut(length + INDEX);
                if !constant_time_eq(&prove(&mut *it.rtcp_proof, &[body])[..RTCP_TAG], tag) {
                    return Err(Refused::Forged);
                }
                it.rtcp.apply_keystream(&counter(&it.rtcp_salt, ssrc, index.0), &mut body[RTCP_CLEAR..length]).expect(KNOWN_SIZES);
            }
            Cipher::Galois(it) => {
                let known = rtcp_known(packet, word.to_be_bytes());
                let (body, tag) = packet[RTCP_CLEAR..].split_at_mut(length - RTCP_CLEAR);
                let nonce = nonce(&it.rtcp_salt, ssrc, index.0);
                it.rtcp.open_in_place(&nonce, &known, body, &tag[..GCM_TAG]).map_err(|_| Refused::Forged)?;
            }
        }
        Ok((length, index))
    }
}

fn stream(suite: Suite) -> StreamCipherAlgorithm {
    if suite.key_bytes() == 16 { StreamCipherAlgorithm::Aes128Ctr } else { StreamCipherAlgorithm::Aes256Ctr }
}

fn prove(mac: &mut dyn Mac, parts: &[&[u8]]) -> [u8; SHA1] {
    let mut proof = [0; SHA1];
    mac.sign(parts, &mut proof).expect(KNOWN_SIZES);
    proof
}

/// What of an SRTCP packet is proved but not ciphered in Galois counter mode (RFC 7714 §9.2).
fn rtcp_known(packet: &[u8], word: [u8; INDEX]) -> [u8; RTCP_CLEAR + INDEX] {
    let mut known = [0; RTCP_CLEAR + INDEX];
    known[..RTCP_CLEAR].copy_from_slice(&packet[..RTCP_CLEAR]);
    known[RTCP_CLEAR..].copy_from_slice(&word);
    known
}

/// RFC 3711 §4.1.1: the salt, the source and the packet's number side by side, 16 bits left for the blocks.
fn counter(salt: &[u8; LONGEST_SALT], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&ssrc.to_be_bytes());
    iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    iv.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    iv
}

/// RFC 7714 §8.1 and §9.1.
fn nonce(salt: &[u8; LONGEST_SALT], ssrc: u32, index: u64) -> [u8; 12] {
    let mut iv = [0; 12];
    iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
    iv[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    iv.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    iv
}

/// RFC 3711 §4.3.1.
#[derive(Clone, Copy)]
enum Label {
    Rtp = 0,
    RtpProof = 1,
    RtpSalt = 2,
    Rtcp = 3,
    RtcpProof = 4,
    RtcpSalt = 5,
}

/// Session keys out of the master key.
struct Derivation {
    key: [u8; LONGEST_KEY],
    suite: Suite,
}

impl Derivation {
    fn new(suite: Suite, master: &MasterKey) -> Derivation {
        let mut key = [0; LONGEST_KEY];
        key[..master.as_bytes().len()].copy_from_slice(master.as_bytes());
        Derivation { key, suite }
    }

    /// So many bytes for a label, then zeros.
    fn bytes(&self, label: Label, count: usize) -> [u8; LONGEST_KEY] {
        let (key, salt) = self.key.split_at(self.suite.key_bytes());
        let mut iv = [0; 16];
        iv[..self.suite.salt_bytes()].copy_from_slice(&salt[..self.suite.salt_bytes()]);
        iv[7] ^= label as u8;
        let mut bytes = [0; LONGEST_KEY];
        let mut prf = RingCrypto.new_stream_cipher(stream(self.suite), key).expect(KNOWN_SIZES);
        prf.apply_keystream(&iv, &mut bytes[..count]).expect(KNOWN_SIZES);
        bytes
    }
}

#[cfg(test)]
mod tests;

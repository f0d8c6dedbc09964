//! The RTP header (RFC 3550 §5.1), with CSRC list, extension and padding.

/// Bytes of the header that we write: no CSRC, no extension.
pub const HEADER_BYTES: usize = 12;

const VERSION: u8 = 2;
const WORD: usize = 4;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0F;
const MARKER: u8 = 0x80;
/// RTCP packet types 192–223 seen as RTP with a marker (RFC 5761 §4): payload types 64–95.
const RTCP_SHADOW: std::ops::RangeInclusive<u8> = 64..=95;

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotRtp {
    /// Fewer than 12 bytes, or shorter than its own counts say.
    #[error("the datagram ends inside the RTP header")]
    Short,
    /// The version is not 2 (STUN, DTLS, rubbish).
    #[error("RTP version {0} is not 2")]
    Version(u8),
    /// RTCP on the RTP port.
    #[error("the datagram is RTCP")]
    Rtcp,
    /// The padding count is zero or beyond the payload.
    #[error("RTP padding of {0} bytes does not fit the packet")]
    Padding(u8),
}

/// The fields of a header that a peer without extensions needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// First packet of a talk spurt, or of a key.
    pub marker: bool,
    /// What the payload is, 0–127.
    pub payload_type: u8,
    /// Counts packets, wraps at 2^16.
    pub sequence: u16,
    /// Counts samples, wraps at 2^32.
    pub timestamp: u32,
    /// Names the source.
    pub ssrc: u32,
}

impl Header {
    /// Reads a packet: header and payload (without padding).
    ///
    /// # Errors
    /// When the datagram is no RTP packet.
    pub fn parse(datagram: &[u8]) -> Result<(Header, &[u8]), NotRtp> {
        let Some((fixed, rest)) = datagram.split_first_chunk::<HEADER_BYTES>() else { return Err(NotRtp::Short) };
        if fixed[0] >> 6 != VERSION {
            return Err(NotRtp::Version(fixed[0] >> 6));
        }
        if is_rtcp(fixed) {
            return Err(NotRtp::Rtcp);
        }
        let rest = rest.get(usize::from(fixed[0] & CSRC_COUNT) * WORD..).ok_or(NotRtp::Short)?;
        let rest = if fixed[0] & EXTENSION == 0 { rest } else { skip_extension(rest)? };
        let payload = if fixed[0] & PADDING == 0 { rest } else { strip_padding(rest)? };
        let header = Header {
            marker: fixed[1] & MARKER != 0,
            payload_type: fixed[1] & !MARKER,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Ok((header, payload))
    }

    /// Writes the header.
    #[must_use]
    pub fn print(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0] = VERSION << 6;
        out[1] = if self.marker { MARKER | self.payload_type } else { self.payload_type };
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        out
    }
}

/// Bytes before the payload; `None` when the packet ends before. The payload may be ciphered.
#[must_use]
pub fn header_bytes(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let fixed = HEADER_BYTES + usize::from(first & CSRC_COUNT) * WORD;
    let head = match first & EXTENSION {
        0 => fixed,
        _ => {
            let words = packet.get(fixed + 2..fixed + WORD)?;
            fixed + WORD + usize::from(u16::from_be_bytes([words[0], words[1]])) * WORD
        }
    };
    (head <= packet.len()).then_some(head)
}

/// SSRC and sequence number of a packet of at least [`HEADER_BYTES`].
#[must_use]
pub fn name(packet: &[u8]) -> (u32, u16) {
    (word(packet, 8), u16::from_be_bytes([packet[2], packet[3]]))
}

/// The four bytes at this place as a number.
#[must_use]
pub fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

/// Is it RTCP rather than RTP (RFC 5761 §4)?
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == VERSION && second & MARKER != 0 && RTCP_SHADOW.contains(&(second & !MARKER)))
}

fn skip_extension(rest: &[u8]) -> Result<&[u8], NotRtp> {
    let Some((head, rest)) = rest.split_first_chunk::<WORD>() else { return Err(NotRtp::Short) };
    rest.get(usize::from(u16::from_be_bytes([head[2], head[3]])) * WORD..).ok_or(NotRtp::Short)
}

fn strip_padding(rest: &[u8]) -> Result<&[u8], NotRtp> {
    let Some(count) = rest.last().copied() else { return Err(NotRtp::Padding(0)) };
    let kept = rest.len().checked_sub(usize::from(count)).filter(|_| count > 0).ok_or(NotRtp::Padding(count))?;
    Ok(&rest[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 0xFFFF_FF60, ssrc: 0xDEAD_BEEF };

    #[test]
    fn print_and_parse_are_inverse() {
        let mut packet = HEADER.print().to_vec();
        packet.extend_from_slice(&[1, 2, 3]);
        assert_eq!(Header::parse(&packet), Ok((HEADER, &[1u8, 2, 3][..])));
    }

    #[test]
    fn csrc_extension_and_padding_are_not_payload() {
        let mut packet = HEADER.print().to_vec();
        packet[0] |= PADDING | EXTENSION | 2;
        packet.extend_from_slice(&[9; 8]); // two CSRCs
        packet.extend_from_slice(&[0xBE, 0xDE, 0, 1, 7, 7, 7, 7]); // one extension word
        packet.extend_from_slice(&[42, 43, 0, 0, 3]); // payload and three bytes of padding
        assert_eq!(Header::parse(&packet), Ok((HEADER, &[42u8, 43][..])));
    }

    #[test]
    fn what_is_no_rtp_is_named() {
        assert_eq!(Header::parse(&[0x80; 11]), Err(NotRtp::Short));
        assert_eq!(Header::parse(&[0; 20]), Err(NotRtp::Version(0)));
        let mut packet = HEADER.print();
        packet[1] = 200;
        assert_eq!(Header::parse(&packet), Err(NotRtp::Rtcp));
        packet = HEADER.print();
        packet[0] |= CSRC_COUNT;
        assert_eq!(Header::parse(&packet), Err(NotRtp::Short));
        packet = HEADER.print();
        packet[0] |= PADDING;
        assert_eq!(Header::parse(&packet), Err(NotRtp::Padding(0)));
        let mut long = packet.to_vec();
        long.push(9);
        assert_eq!(Header::parse(&long), Err(NotRtp::Padding(9)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = Header::parse(&bytes);
        }
    }
}

//! Capture files: SIP messages as UDP datagrams in the form of libpcap.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::control::words::seen::{Direction, Seen};

/// Microseconds follow the seconds; written in our byte order, little-endian.
const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: (u16, u16) = (2, 4);
const LONGEST: u32 = 65_535;
/// Packets begin with their IP header, of either version.
const RAW_IP: u32 = 101;
const UDP: u8 = 17;
const HOPS: u8 = 64;
const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const MICROS: u64 = 1_000_000;

/// A file of these messages.
#[must_use]
pub fn of(messages: &[Seen]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend(VERSION.0.to_le_bytes());
    file.extend(VERSION.1.to_le_bytes());
    file.extend([0; 8]);
    file.extend(LONGEST.to_le_bytes());
    file.extend(RAW_IP.to_le_bytes());
    for seen in messages {
        let packet = packet(seen);
        // What was longer than is kept says so, as a capture with a short snapshot length would.
        let whole = packet.len() + seen.length.saturating_sub(seen.bytes.len());
        for word in [seen.at.0 / MICROS, seen.at.0 % MICROS, packet.len() as u64, whole as u64] {
            file.extend(u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn packet(seen: &Seen) -> Vec<u8> {
    let (from, to) = match seen.direction {
        Direction::In => (seen.remote, seen.local),
        Direction::Out => (seen.local, seen.remote),
    };
    let datagram = u16::try_from(UDP_HEADER + seen.length).unwrap_or(u16::MAX);
    let mut packet = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_header(datagram, from.octets(), to.octets()),
        _ => ipv6_header(datagram, from, to),
    };
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(datagram.to_be_bytes());
    // No checksum: the message may have been struck out in places, and is nobody's to verify.
    packet.extend([0, 0]);
    packet.extend_from_slice(&seen.bytes);
    packet
}

fn ipv4_header(datagram: u16, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let length = datagram.saturating_add(u16::try_from(IPV4_HEADER).unwrap_or(0));
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, HOPS, UDP, 0, 0]);
    header.extend(from);
    header.extend(to);
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    header
}

fn ipv6_header(datagram: u16, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let wide = |address: SocketAddr| match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(datagram.to_be_bytes());
    header.extend([UDP, HOPS]);
    header.extend([wide(from), wide(to)].iter().flat_map(Ipv6Addr::octets));
    header
}

/// RFC 1071.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::control::time::Time;
    use crate::control::words::sip::Transport;

    fn seen(local: &str, remote: &str, direction: Direction) -> Seen {
        let bytes = Bytes::from_static(b"OPTIONS sip:h SIP/2.0\r\n\r\n");
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        Seen { at: Time(1_700_000_000_123_456), direction, transport: Transport::Udp, local, remote, length: bytes.len(), bytes }
    }

    #[test]
    fn a_message_is_a_datagram_with_its_addresses_time_and_a_right_header_sum() {
        let file = of(&[seen("10.0.0.1:5060", "192.0.2.7:5070", Direction::In)]);
        assert_eq!(file.len(), 24 + 16 + 20 + 8 + 25);
        let packet = &file[40..];
        assert_eq!((&packet[12..16], &packet[16..20]), (&[192, 0, 2, 7][..], &[10, 0, 0, 1][..]));
        assert_eq!(checksum(&packet[..20]), 0);
        assert_eq!(u32::from_le_bytes(file[24..28].try_into().unwrap()), 1_700_000_000);
        assert_eq!(u32::from_le_bytes(file[28..32].try_into().unwrap()), 123_456);
        assert_eq!(&packet[20..26], &[0x13, 0xce, 0x13, 0xc4, 0, 33]);
    }

    #[test]
    fn ipv6_and_what_was_cut_short_have_their_form() {
        let mut long = seen("[2001:db8::1]:5060", "[2001:db8::2]:5060", Direction::Out);
        long.length = 5_000;
        let file = of(&[long]);
        assert_eq!(file[40] >> 4, 6);
        let words = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((words(32), words(36)), (40 + 8 + 25, 40 + 8 + 5_000));
    }
}

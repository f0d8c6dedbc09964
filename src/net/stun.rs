//! STUN on SIP's own UDP port (RFC 5626 §8): a phone asks where its packets seem to come from and keeps its path through NAT open.

use std::net::{IpAddr, SocketAddr};

/// RFC 8489 §5: stands in every message since RFC 5389.
const MAGIC: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const BINDING_ERROR: [u8; 2] = [0x01, 0x11];
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const FINGERPRINT: u16 = 0x8028;
/// Attributes below this must be understood.
const OPTIONAL: u16 = 0x8000;
/// USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, PRIORITY and the rest are ICE's or a relay's: nobody authenticates here.
const UNDERSTOOD: [u16; 1] = [0x0003];
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const FINGERPRINT_MASK: u32 = 0x5354_554E;
/// So many unknown attributes are named; the answer must not be longer than the question was worth.
const NAMED: usize = 4;

/// Is it STUN? SIP begins with a letter, STUN with two zero bits (RFC 5626 §8).
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] & 0xC0 == 0 && datagram[4..8] == MAGIC
}

/// The answer to a binding request; `None` to everything else.
pub(super) fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes([*datagram.get(2)?, *datagram.get(3)?]));
    if !is_stun(datagram) || datagram[..2] != BINDING_REQUEST || HEADER + length != datagram.len() || length % 4 != 0 {
        return None;
    }
    let transaction: &[u8; 12] = datagram.get(8..HEADER)?.try_into().ok()?;
    let unknown = unknown_attributes(&datagram[HEADER..])?;
    Some(if unknown.is_empty() {
        message(BINDING_SUCCESS, transaction, &[(XOR_MAPPED_ADDRESS, mapped(source, transaction))])
    } else {
        let named = unknown.iter().take(NAMED).flat_map(|kind| kind.to_be_bytes()).collect();
        let why = b"Unknown Attribute";
        let error = [&[0, 0, 4, 20][..], why].concat();
        message(BINDING_ERROR, transaction, &[(ERROR_CODE, error), (UNKNOWN_ATTRIBUTES, named)])
    })
}

/// Attributes that we would have to understand; `None` when they are cut off.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(4)?;
        let (kind, length) = (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
        rest = after.get(length.next_multiple_of(4)..)?;
        if kind < OPTIONAL && !UNDERSTOOD.contains(&kind) {
            unknown.push(kind);
        }
    }
    Some(unknown)
}

/// The address, veiled so that no translator on the way "mends" it (RFC 8489 §14.2).
fn mapped(source: SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let veil: Vec<u8> = MAGIC.iter().chain(transaction).copied().collect();
    let port = source.port() ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
    let (family, address) = match source.ip() {
        IpAddr::V4(ip) => (IPV4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (IPV6, ip.octets().to_vec()),
    };
    let veiled = address.iter().zip(&veil).map(|(byte, veil)| byte ^ veil);
    [0, family].into_iter().chain(port.to_be_bytes()).chain(veiled).collect()
}

fn message(kind: [u8; 2], transaction: &[u8; 12], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut out = [&kind[..], &[0, 0], &MAGIC, transaction].concat();
    for (kind, value) in attributes {
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    // The length covers the fingerprint, which is the sum of all before it.
    let length = u16::try_from(out.len() - HEADER + 8).unwrap_or(0);
    out[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = crc32(&out) ^ FINGERPRINT_MASK;
    out.extend_from_slice(&FINGERPRINT.to_be_bytes());
    out.extend_from_slice(&4u16.to_be_bytes());
    out.extend_from_slice(&sum.to_be_bytes());
    out
}

/// The sum of ISO 3309; `flate2` has the same within reach, and it is rarely asked.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&BINDING_REQUEST[..], &length, &MAGIC, &TRANSACTION, attributes].concat()
    }

    #[test]
    fn the_addresses_of_rfc_5769_are_veiled_as_it_says() {
        let four = mapped("192.0.2.1:32853".parse().unwrap(), &TRANSACTION);
        assert_eq!(four, [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let six = mapped("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap(), &TRANSACTION);
        let expected =
            [0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9];
        assert_eq!(six, expected);
    }

    #[test]
    fn a_binding_request_is_answered_with_a_fingerprint() {
        let source = "192.0.2.1:32853".parse().unwrap();
        let answer = answer(&request(&[]), source).unwrap();
        assert!(is_stun(&answer) && answer.len() == 40);
        assert_eq!((&answer[..4], &answer[8..20]), (&[1, 1, 0, 20][..], &TRANSACTION[..]));
        let sum = u32::from_be_bytes(answer[36..].try_into().unwrap());
        assert_eq!(crc32(&answer[..32]) ^ FINGERPRINT_MASK, sum);
    }

    #[test]
    fn what_must_be_understood_but_is_not_gets_420_and_the_rest_no_answer() {
        let source = "192.0.2.1:1".parse().unwrap();
        let refused = answer(&request(&[0x00, 0x06, 0x00, 0x01, b'x', 0, 0, 0]), source).unwrap();
        assert_eq!((&refused[..2], &refused[24..28]), (&BINDING_ERROR[..], &[0, 0, 4, 20][..]));
        assert!(answer(&request(&[0x80, 0x22, 0x00, 0x01, b'x', 0, 0, 0]), source).is_some(), "SOFTWARE may be passed over");
        let mut cut = request(&[0x80, 0x22, 0x00, 0x09, b'x', 0, 0, 0]);
        assert_eq!(answer(&cut, source), None);
        cut.truncate(19);
        assert!(!is_stun(&cut) && answer(&cut, source).is_none());
        let mut response = request(&[]);
        response[0] = 1;
        assert_eq!(answer(&response, source), None, "never an answer to an answer");
        assert!(!is_stun(b"OPTIONS sip:a@b SIP/2.0"));
    }
}

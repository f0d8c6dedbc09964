//! STUN on SIP's own UDP port (RFC 5626 §8): a phone asks where its packets seem to come from and keeps its path through NAT open.

use std::net::SocketAddr;

pub(super) use crate::stun::is_stun;
use crate::stun::{CHANGE_REQUEST, Kind, Message, Received};

/// Nobody authenticates here: names, proofs and the rest are ICE's or a relay's.
const UNDERSTOOD: [u16; 1] = [CHANGE_REQUEST];

/// The answer to a binding request; `None` to everything else.
pub(super) fn answer(datagram: &[u8], source: SocketAddr) -> Option<Message> {
    let request = Received::parse(datagram).filter(|message| message.kind() == Kind::Request)?;
    let mut unknown = request.unknown(&UNDERSTOOD).peekable();
    let answer = match unknown.peek() {
        None => Message::success(&request, source),
        Some(_) => Message::not_understood(&request, unknown),
    };
    Some(answer.finished())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&[0, 1][..], &length, &[0x21, 0x12, 0xa4, 0x42], &TRANSACTION, attributes].concat()
    }

    #[test]
    fn a_binding_request_is_answered_with_a_fingerprint() {
        let answer = answer(&request(&[]), "192.0.2.1:32853".parse().unwrap()).unwrap();
        let bytes = answer.as_bytes();
        assert!(is_stun(bytes) && bytes.len() == 40 && Received::parse(bytes).unwrap().has_fingerprint());
        assert_eq!((&bytes[..4], &bytes[8..20]), (&[1, 1, 0, 20][..], &TRANSACTION[..]));
    }

    #[test]
    fn what_must_be_understood_but_is_not_gets_420_and_the_rest_no_answer() {
        let source = "192.0.2.1:1".parse().unwrap();
        let refused = answer(&request(&[0x00, 0x06, 0x00, 0x01, b'x', 0, 0, 0]), source).unwrap();
        assert_eq!((&refused.as_bytes()[..2], &refused.as_bytes()[24..28]), (&[1, 0x11][..], &[0, 0, 4, 20][..]));
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

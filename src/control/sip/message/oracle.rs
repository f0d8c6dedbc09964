//! rsip as an oracle where it is sound: plain requests and responses in long form without folds.

use bytes::Bytes;
use proptest::prelude::*;
use rsip::headers::ToTypedHeader as _;
use rsip::message::HeadersExt as _;
use rsip::prelude::{HasHeaders as _, UntypedHeader as _};

use super::{Message, Method, Name, text};

fn plain_request() -> impl Strategy<Value = String> {
    let method = prop_oneof![Just("INVITE"), Just("BYE"), Just("OPTIONS"), Just("REGISTER"), Just("INFO")];
    let user = "[a-z0-9]{1,12}";
    let host = "[a-z]{1,8}\\.example";
    let name = "([A-Z][a-z]{0,8})?";
    (method, user, host, name, "[a-z0-9]{1,12}", 1u32..100_000, 0u32..=255, "[ -~]{0,40}").prop_map(
        |(method, user, host, name, token, number, hops, body)| {
            let quoted = if name.is_empty() { String::new() } else { format!("\"{name}\" ") };
            format!(
                "{method} sip:{user}@{host}:5070;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{token}\r\n\
                 Max-Forwards: {hops}\r\nFrom: {quoted}<sip:{user}@{host}>;tag={token}\r\nTo: <sip:{user}@{host}>\r\nCall-ID: {token}@{host}\r\n\
                 CSeq: {number} {method}\r\nContact: <sip:{user}@{host}:5080>\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        },
    )
}

proptest! {
    #[test]
    fn rsip_reads_the_same_from_plain_requests(raw in plain_request()) {
        let ours = Message::parse(Bytes::from(raw.clone())).unwrap();
        let theirs = rsip::Request::try_from(raw.as_bytes()).unwrap();
        prop_assert_eq!(theirs.method.to_string(), ours.method().token());
        prop_assert_eq!(theirs.uri.to_string(), text::lossy(ours.request_uri()).into_owned());
        prop_assert_eq!(theirs.call_id_header().unwrap().value(), &text::lossy(ours.call_id()));
        prop_assert_eq!(theirs.cseq_header().unwrap().seq().unwrap(), ours.cseq().unwrap().number);
        let tag = theirs.from_header().unwrap().tag().unwrap().unwrap().to_string();
        prop_assert_eq!(tag.as_bytes(), ours.from().unwrap().tag().unwrap());
        let branch = theirs.via_header().unwrap().typed().unwrap().branch().unwrap().to_string();
        prop_assert_eq!(branch.as_bytes(), ours.via().unwrap().branch().unwrap());
        prop_assert_eq!(theirs.headers().iter().count(), ours.lines().count());
        prop_assert_eq!(theirs.body(), ours.body());
    }
}

#[test]
fn what_rsip_cannot_read_we_can() {
    let raw = "NEW.METHOD tel:+8610 SIP/2.0\r\nv: SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c\r\n\
        CSeq: 1\r\n NEW.METHOD\r\n\r\n";
    assert!(rsip::Request::try_from(raw.as_bytes()).is_err());
    let ours = Message::parse(Bytes::from(raw)).unwrap();
    assert_eq!((ours.method(), ours.method_token()), (Method::Other, &b"NEW.METHOD"[..]));
    assert_eq!(ours.header(Name::From), Some(&b"<sip:a@h>;tag=1"[..]));
}

//! RFC 5118: IPv6, section by section.

use super::{Transport, answered, endpoint, file, give, parse, registered, seen};
use crate::control::sip::message::{Name, Uri, Via};
use crate::control::words::media::Codec;

#[test]
fn s4_1_valid_sip_message_with_an_ipv6_reference() {
    assert_eq!(registered(&file!("rfc5118/ipv6-good"), "user"), ["sip:caller@[2001:db8::1]"]);
}

#[test]
fn s4_2_invalid_sip_message_with_an_ipv6_reference() {
    give(&mut endpoint(&["user"]), &file!("rfc5118/ipv6-bad"), Transport::Udp).is_refused(400, "Request-URI: the port is no number");
}

#[test]
fn s4_3_port_ambiguous_in_a_sip_uri() {
    let bytes = file!("rfc5118/port-ambiguous");
    assert_eq!(registered(&bytes, "user"), ["sip:caller@[2001:db8::1]"]);
    let message = parse(&bytes);
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.host, uri.port), (&b"2001:db8::10:5070"[..], None));
}

#[test]
fn s4_4_port_unambiguous_in_a_sip_uri() {
    let bytes = file!("rfc5118/port-unambiguous");
    assert_eq!(registered(&bytes, "user"), ["sip:caller@[2001:db8::1]"]);
    let message = parse(&bytes);
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.host, uri.port), (&b"2001:db8::10"[..], Some(5_070)));
}

#[test]
fn s4_5_ipv6_reference_delimiters_in_via_header() {
    let with = seen(&file!("rfc5118/via-received-param-with-delim"));
    with.is_refused(481, "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111;received=192.0.2.77");
    let without = seen(&file!("rfc5118/via-received-param-no-delim"));
    assert_eq!(without.answer().status(), 200);
    assert_eq!(without.answer().header(Name::Via), Some(&b"SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3;received=192.0.2.77"[..]));
}

#[test]
fn s4_6_sip_request_with_ipv6_addresses_in_sdp_body() {
    let seen = seen(&file!("rfc5118/ipv6-in-sdp"));
    assert_eq!(seen.call().user, "user");
    // It is read; its only codec (G.726) is none of ours.
    let offer = seen.call().sdp.clone().unwrap();
    assert_eq!(answered(&offer), Err(488));
    let g711 = String::from_utf8(offer.to_vec()).unwrap().replace("RTP/AVP 2\r\n", "RTP/AVP 0\r\n");
    assert_eq!(answered(g711.as_bytes()).unwrap().remote, Some("[2001:db8::20]:6000".parse().unwrap()));
}

#[test]
fn s4_7_multiple_ip_addresses_in_sip_headers() {
    let seen = seen(&file!("rfc5118/mult-ip-in-header"));
    seen.is_refused(481, "received=192.0.2.200");
    assert_eq!(seen.answer().values(Name::Via).count(), 3);
}

#[test]
fn s4_8_multiple_ip_addresses_in_sdp() {
    let seen = seen(&file!("rfc5118/mult-ip-in-sdp"));
    let stream = answered(seen.call().sdp.as_deref().unwrap()).unwrap();
    assert_eq!((stream.codec, stream.remote), (Codec::Pcmu, Some("192.0.2.1:22334".parse().unwrap())));
}

#[test]
fn s4_9_ipv4_mapped_ipv6_addresses() {
    let bytes = file!("rfc5118/ipv4-mapped-ipv6");
    let seen = seen(&bytes);
    assert_eq!(seen.call().caller, "user");
    let offer = String::from_utf8(seen.call().sdp.as_deref().unwrap().to_vec()).unwrap().replace("RTP/AVP 2\r\n", "RTP/AVP 0\r\n");
    assert_eq!(answered(offer.as_bytes()).unwrap().remote, Some("[::ffff:192.0.2.2]:6000".parse().unwrap()));
    let message = parse(&bytes);
    let hosts: Vec<_> = message.values(Name::Via).map(|via| Via::parse(via).unwrap().host.to_vec()).collect();
    assert_eq!(hosts, [&b"::ffff:192.0.2.10"[..], b"::ffff:192.0.2.2"]);
}

#[test]
fn s4_10_ipv6_reference_bug_in_rfc_3261_abnf() {
    for bytes in [file!("rfc5118/ipv6-bug-abnf-3-colons"), file!("rfc5118/ipv6-correct-abnf-2-colons")] {
        assert_eq!(seen(&bytes).answer().status(), 200);
    }
}

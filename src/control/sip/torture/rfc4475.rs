//! RFC 4475, section by section.

use bytes::Bytes;

use super::{Transport, answered, endpoint, file, flow, give, parse, registered, seen};
use crate::control::sip::endpoint::Outgoing;
use crate::control::sip::message::{Frame, Message, Method, Name, Uri, Via, frame, text};
use crate::control::sip::{Endpoint, Happening};
use crate::control::words::media::Codec;
use crate::control::words::sip::Located;

use super::START;

/// The codec we would answer the offer with.
fn taken(offer: &[u8]) -> Codec {
    answered(offer).unwrap().codec
}

#[test]
fn s3_1_1_1_a_short_tortuous_invite() {
    let bytes = file!("rfc4475/wsinv");
    // Its To has a tag: for us it is a request of a dialog that nobody knows.
    seen(&bytes).is_refused(481, "98asjd8");
    let wsinv = parse(&bytes);
    assert_eq!(wsinv.to().unwrap().tag(), Some(&b"1918181833n"[..]));
    assert_eq!(wsinv.from().unwrap().tag(), Some(&b"98asjd8"[..]));
    assert_eq!(wsinv.from().unwrap().name().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((wsinv.max_forwards(), wsinv.cseq().unwrap().number), (Some(68), 9));
    assert_eq!(wsinv.values(Name::Via).count(), 3);
    assert_eq!(wsinv.via().unwrap().branch(), Some(&b"390skdjuw"[..]));
    assert_eq!(wsinv.header(Name::Subject), Some(&b""[..]));
    assert_eq!(wsinv.other("newfangledheader").map(text::lossy).as_deref(), Some("newfangled value continued newfangled value"));
    assert_eq!(wsinv.other("UnknownHeaderWithUnusualValue"), Some(&b";;,,;;,;"[..]));
    let contact = wsinv.address(Name::Contact).unwrap();
    assert_eq!((contact.param("newparam"), contact.param("secondparam")), (Some(Some(&b"newvalue"[..])), Some(None)));
    assert_eq!(contact.param("q"), Some(Some(&b"0.33"[..])));
    assert_eq!(taken(wsinv.body()), Codec::Pcmu);
}

#[test]
fn s3_1_1_2_wide_range_of_valid_characters() {
    let bytes = file!("rfc4475/intmeth");
    give(&mut endpoint(&[]), &bytes, Transport::Tcp).is_refused(501, "Allow: INVITE");
    let intmeth = parse(&bytes);
    assert_eq!(intmeth.method(), Method::Other);
    assert_eq!(intmeth.to().unwrap().name().as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(intmeth.from().unwrap().name().as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(intmeth.via().unwrap().branch(), Some(&b"z9hG4bK-.!%66*_+`'~"[..]));
    assert_eq!(intmeth.other("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電".as_bytes()));
}

#[test]
fn s3_1_1_3_valid_use_of_the_percent_escaping_mechanism() {
    let bytes = file!("rfc4475/esc01");
    let seen = seen(&bytes);
    assert_eq!(seen.call().user, "sips:user@example.com");
    assert_eq!(seen.call().caller, "I have spaces");
    let esc01 = parse(&bytes);
    assert_eq!(esc01.to().unwrap().uri.user_text(), "user");
    assert_eq!(esc01.address(Name::Contact).unwrap().uri.user_text(), "caller");
}

#[test]
fn s3_1_1_4_escaped_nulls_in_uris() {
    let contacts = registered(&file!("rfc4475/escnull"), "null-\0-null");
    assert_eq!(contacts, ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]);
}

#[test]
fn s3_1_1_5_use_of_percent_when_it_is_not_an_escape() {
    let bytes = file!("rfc4475/esc02");
    give(&mut endpoint(&["resource"]), &bytes, Transport::Tcp).is_refused(501, "RE%47IST%45R");
    let esc02 = parse(&bytes);
    assert_eq!((esc02.method(), esc02.to().unwrap().name().as_deref()), (Method::Other, Some("%Z%45")));
    assert_eq!(esc02.values(Name::Contact).count(), 2);
}

#[test]
fn s3_1_1_6_message_with_no_lws_between_display_name_and_angle_bracket() {
    let bytes = file!("rfc4475/lwsdisp");
    assert_eq!(seen(&bytes).answer().status(), 200);
    assert_eq!(parse(&bytes).from().unwrap().name().as_deref(), Some("caller"));
}

#[test]
fn s3_1_1_7_long_values_in_header_fields() {
    let bytes = file!("rfc4475/longreq");
    let seen = seen(&bytes);
    assert_eq!(seen.call().user, "user");
    assert!(seen.call().caller.len() > 100 && seen.call().call_id.len() > 120);
    assert_eq!(seen.answer().values(Name::Via).count(), 34);
    assert_eq!(taken(seen.call().sdp.as_deref().unwrap()), Codec::Pcmu);
}

#[test]
fn s3_1_1_8_extra_trailing_octets_in_a_udp_datagram() {
    let bytes = file!("rfc4475/dblreq");
    assert_eq!(registered(&bytes, "j.user"), ["sip:j.user@host.example.com"]);
    let dblreq = parse(&bytes);
    assert_eq!((dblreq.method(), dblreq.body()), (Method::Register, &b""[..]));
    let Frame::Whole(first) = frame(&bytes) else { panic!("a stream has a whole message here") };
    assert_eq!(frame(&bytes[first..]), Frame::KeepAlive(2));
}

#[test]
fn s3_1_1_9_semicolon_separated_parameters_in_uri_user_part() {
    let bytes = file!("rfc4475/semiuri");
    assert_eq!(seen(&bytes).answer().status(), 200);
    assert_eq!(Uri::parse(parse(&bytes).request_uri()).unwrap().user_text(), "user;par=u@example.net");
}

#[test]
fn s3_1_1_10_varied_and_unknown_transport_types() {
    let bytes = file!("rfc4475/transports");
    let seen = seen(&bytes);
    let answer = seen.answer();
    assert_eq!(answer.status(), 200);
    let transports: Vec<_> = answer.values(Name::Via).map(|via| text::lossy(Via::parse(via).unwrap().transport)).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn s3_1_1_11_multipart_mime_message() {
    let bytes = file!("rfc4475/mpart01");
    let answer = seen(&bytes);
    assert_eq!(parse(&bytes).body().len(), 553);
    answer.is_refused(405, "Allow: INVITE");
}

#[test]
fn s3_1_1_12_unusual_reason_phrase() {
    let bytes = file!("rfc4475/unreason");
    seen(&bytes).is_dropped();
    let line = &bytes[..bytes.iter().position(|byte| *byte == b'\r').unwrap()];
    let (mut end, leg, invite) = calling();
    let seen = give(&mut end, &response(line, &invite), Transport::Udp);
    assert!(matches!(seen.told[..], [Happening::Answered { leg: answered, .. }] if answered == leg));
    assert!(text::lossy(parse(&bytes).reason()).starts_with("= 2**3 * 5**2 но сто девяносто девять"));
}

#[test]
fn s3_1_1_13_empty_reason_phrase() {
    let bytes = file!("rfc4475/noreason");
    seen(&bytes).is_dropped();
    assert_eq!((parse(&bytes).status(), parse(&bytes).reason()), (100, &b""[..]));
    let (mut end, leg, invite) = calling();
    let seen = give(&mut end, &response(b"SIP/2.0 100 ", &invite), Transport::Udp);
    assert_eq!(seen.told, []);
    end.hang_up(START, leg, &[]);
    assert!(end.poll_transmit().unwrap().bytes.starts_with(b"CANCEL "), "the provisional response counted");
}

/// An endpoint with one call of its own under way.
fn calling() -> (Endpoint, crate::control::words::LegId, Message) {
    let mut end = endpoint(&[]);
    let leg = end.new_leg(START);
    let outgoing = Outgoing {
        target: flow(Transport::Udp).into(),
        request_uri: "sip:user@example.edu".to_owned(),
        from: "<sip:user@example.com>".to_owned(),
        to: "<sip:user@example.edu>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::from_static(b"offer"),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    end.invite(START, leg, outgoing);
    let invite = Message::parse(end.poll_transmit().unwrap().bytes).unwrap();
    (end, leg, invite)
}

/// A response to our INVITE under this status line.
fn response(line: &[u8], invite: &Message) -> Bytes {
    let mut bytes = line.to_vec();
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(name.text().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(invite.header(name).unwrap());
        bytes.extend_from_slice(if name == Name::To { b";tag=theirs" } else { b"" });
    }
    bytes.extend_from_slice(b"\r\nContact: <sip:user@192.0.2.77>\r\nContent-Length: 0\r\n\r\n");
    Bytes::from(bytes)
}

#[test]
fn s3_1_2_1_extraneous_header_field_separators() {
    seen(&file!("rfc4475/badinv01")).is_refused(400, "Via: a parameter is empty");
}

#[test]
fn s3_1_2_2_content_length_larger_than_message() {
    let bytes = file!("rfc4475/clerr");
    seen(&bytes).is_refused(400, "Content-Length: it says 9999");
    assert_eq!(frame(&bytes), Frame::Partial);
}

#[test]
fn s3_1_2_3_negative_content_length() {
    let bytes = file!("rfc4475/ncl");
    seen(&bytes).is_refused(400, "Content-Length: it is no length");
    assert!(matches!(frame(&bytes), Frame::Broken(_)));
}

#[test]
fn s3_1_2_4_request_scalar_fields_with_overlarge_values() {
    give(&mut endpoint(&["user"]), &file!("rfc4475/scalar02"), Transport::Tcp).is_refused(400, "CSeq: the number");
}

#[test]
fn s3_1_2_5_response_scalar_fields_with_overlarge_values() {
    seen(&file!("rfc4475/scalarlg")).is_dropped();
}

#[test]
fn s3_1_2_6_unterminated_quoted_string_in_display_name() {
    seen(&file!("rfc4475/quotbal")).is_refused(400, "To: the display name's quote is not closed");
}

#[test]
fn s3_1_2_7_angle_brackets_enclosing_request_uri() {
    seen(&file!("rfc4475/ltgtruri")).is_refused(400, "Request-URI");
}

#[test]
fn s3_1_2_8_malformed_sip_request_uri_with_embedded_lws() {
    seen(&file!("rfc4475/lwsruri")).is_refused(400, "Request-URI");
}

#[test]
fn s3_1_2_9_multiple_sp_separating_request_line_elements() {
    seen(&file!("rfc4475/lwsstart")).is_refused(400, "Request-URI");
}

#[test]
fn s3_1_2_10_sp_characters_at_end_of_request_line() {
    give(&mut endpoint(&[]), &file!("rfc4475/trws"), Transport::Tcp).is_refused(400, "the request line is not");
}

#[test]
fn s3_1_2_11_escaped_headers_in_sip_request_uri() {
    seen(&file!("rfc4475/escruri")).is_refused(400, "Request-URI: it must not carry headers");
}

#[test]
fn s3_1_2_12_invalid_time_zone_in_date_header_field() {
    // The RFC leaves it to us whether to refuse or to overlook it: we never read Date.
    assert_eq!(seen(&file!("rfc4475/baddate")).call().user, "user");
}

#[test]
fn s3_1_2_13_failure_to_enclose_name_addr_uri_in_angle_brackets() {
    give(&mut endpoint(&["user"]), &file!("rfc4475/regbadct"), Transport::Udp).is_refused(400, "Contact: a URI with '?'");
}

#[test]
fn s3_1_2_14_spaces_within_addr_spec() {
    // Where the URI begins and ends is beyond doubt, so it is forgiven, as the RFC allows.
    let bytes = file!("rfc4475/badaspec");
    assert_eq!(seen(&bytes).answer().status(), 200);
    assert_eq!(parse(&bytes).to().unwrap().uri.user_text(), "t.watson");
}

#[test]
fn s3_1_2_15_non_token_characters_in_display_name() {
    let bytes = file!("rfc4475/baddn");
    // The file ends without the empty line, which alone would do.
    seen(&bytes).is_refused(400, "no empty line ends the headers");
    let whole = Bytes::from([&bytes[..], b"\r\n"].concat());
    seen(&whole).is_refused(400, "From: the display name has a character that needs quotes");
}

#[test]
fn s3_1_2_16_unknown_protocol_version() {
    seen(&file!("rfc4475/badvers")).is_refused(505, "SIP/7.0/UDP");
}

#[test]
fn s3_1_2_17_start_line_and_cseq_method_mismatch() {
    seen(&file!("rfc4475/mismatch01")).is_refused(400, "CSeq: its method");
}

#[test]
fn s3_1_2_18_unknown_method_with_cseq_method_mismatch() {
    seen(&file!("rfc4475/mismatch02")).is_refused(400, "CSeq: its method");
}

#[test]
fn s3_1_2_19_overlarge_response_code() {
    seen(&file!("rfc4475/bigcode")).is_dropped();
}

#[test]
fn s3_2_1_missing_transaction_identifier() {
    let bytes = file!("rfc4475/badbranch");
    let mut end = endpoint(&[]);
    assert_eq!(give(&mut end, &bytes, Transport::Udp).answer().status(), 200);
    // Another request under the same bare cookie is another transaction.
    let other = String::from_utf8(bytes.to_vec()).unwrap().replace("badbranch.", "other.").replace("tag=33242", "tag=9");
    assert_eq!(give(&mut end, &Bytes::from(other), Transport::Udp).answer().status(), 200);
    assert_eq!(end.counts().transactions, 2);
}

#[test]
fn s3_3_1_missing_required_header_fields() {
    seen(&file!("rfc4475/insuf")).is_refused(400, "header is missing");
}

#[test]
fn s3_3_2_request_uri_with_unknown_scheme() {
    give(&mut endpoint(&[]), &file!("rfc4475/unkscm"), Transport::Tcp).is_refused(416, "Unsupported URI Scheme");
}

#[test]
fn s3_3_3_request_uri_with_known_but_atypical_scheme() {
    give(&mut endpoint(&[]), &file!("rfc4475/novelsc"), Transport::Tcp).is_refused(416, "Unsupported URI Scheme");
}

#[test]
fn s3_3_4_unknown_uri_schemes_in_header_fields() {
    give(&mut endpoint(&["user"]), &file!("rfc4475/unksm2"), Transport::Udp).is_refused(400, "To: it is no address of record");
}

#[test]
fn s3_3_5_proxy_require_and_require() {
    let seen = seen(&file!("rfc4475/bext01"));
    seen.is_refused(420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n");
}

#[test]
fn s3_3_6_unknown_content_type() {
    seen(&file!("rfc4475/invut")).is_refused(415, "Accept: application/sdp");
}

#[test]
fn s3_3_7_unknown_authorization_scheme() {
    give(&mut endpoint(&["j.user"]), &file!("rfc4475/regaut01"), Transport::Tcp).is_refused(401, "WWW-Authenticate: Digest");
}

#[test]
fn s3_3_8_multiple_values_in_single_value_required_fields() {
    seen(&file!("rfc4475/multi01")).is_refused(400, "appears twice");
}

#[test]
fn s3_3_9_multiple_content_length_values() {
    seen(&file!("rfc4475/mcl01")).is_refused(400, "Content-Length header appears twice");
}

#[test]
fn s3_3_10_200_ok_response_with_broadcast_via_header_field_value() {
    let bytes = file!("rfc4475/bcast");
    seen(&bytes).is_dropped();
    // Also when its top Via is that of a call of ours: the second one says that it is not for us.
    let (mut end, _, invite) = calling();
    let ours = String::from_utf8(response(b"SIP/2.0 200 OK", &invite).to_vec()).unwrap();
    let two = ours.replacen("\r\nFrom:", "\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\nFrom:", 1);
    give(&mut end, &Bytes::from(two), Transport::Udp).is_dropped();
}

#[test]
fn s3_3_11_max_forwards_of_zero() {
    // Only a forwarder refuses it; OPTIONS for us is answered.
    assert_eq!(seen(&file!("rfc4475/zeromf")).answer().status(), 200);
}

#[test]
fn s3_3_12_register_with_a_contact_header_parameter() {
    assert_eq!(registered(&file!("rfc4475/cparam01"), "watson"), ["sip:+19725552222@gw1.example.net"]);
}

#[test]
fn s3_3_13_register_with_a_url_parameter() {
    assert_eq!(registered(&file!("rfc4475/cparam02"), "watson"), ["sip:+19725552222@gw1.example.net;unknownparam"]);
}

#[test]
fn s3_3_14_register_with_a_url_escaped_header() {
    let contacts = registered(&file!("rfc4475/regescrt"), "user");
    assert_eq!(contacts, ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"]);
    // A call to it must not carry the header in its Request-URI, nor go along a route that somebody else chose.
    let mut end = endpoint(&[]);
    let leg = end.new_leg(START);
    let outgoing = Outgoing {
        target: flow(Transport::Udp).into(),
        request_uri: contacts[0].clone(),
        from: "<sip:a@example.com>".to_owned(),
        to: "<sip:user@example.com>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::new(),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    end.invite(START, leg, outgoing);
    let invite = Message::parse(end.poll_transmit().unwrap().bytes).unwrap();
    assert_eq!((invite.request_uri(), invite.header(Name::Route)), (&b"sip:user@example.com"[..], None));
}

#[test]
fn s3_3_15_unacceptable_accept_offering() {
    seen(&file!("rfc4475/sdp01")).is_refused(406, "Warning: 399 hotline \"Accept must list application/sdp\"");
}

#[test]
fn s3_4_1_invite_with_rfc_2543_syntax() {
    let seen = seen(&file!("rfc4475/inv2543"));
    assert_eq!((seen.call().user.as_str(), seen.call().caller.as_str()), ("UserB", "+13035551111"));
    assert_eq!(taken(seen.call().sdp.as_deref().unwrap()), Codec::Pcmu);
}

#[test]
fn s3_4_1_a_call_of_rfc_2543_is_answered_acknowledged_and_ended() {
    let bytes = file!("rfc4475/inv2543");
    let mut end = endpoint(&[]);
    let leg = give(&mut end, &bytes, Transport::Udp).call().leg;
    end.answer(START, leg, Bytes::from_static(b"answer"));
    let ok = Message::parse(end.poll_transmit().unwrap().bytes).unwrap();
    let tag = text::lossy(ok.to().unwrap().tag().unwrap()).into_owned();
    let head = String::from_utf8(bytes.to_vec()).unwrap().split("Content-Type").next().unwrap().to_owned();
    let ack = head.replace("INVITE", "ACK").replace("user=phone\r\nCall-ID", &format!("user=phone;tag={tag}\r\nCall-ID")) + "\r\n";
    assert!(matches!(give(&mut end, &Bytes::from(ack), Transport::Udp).told[..], [Happening::Confirmed { .. }]));
    end.hang_up(START, leg, &[]);
    // Nobody knows the recorded name: the request goes back the way the call came.
    while let Some(question) = end.poll_question() {
        end.located(START, question, Located::Failed);
    }
    let bye = Message::parse(end.poll_transmit().unwrap().bytes).unwrap();
    // The recorded route has no lr: it is a strict router and gets the Request-URI.
    assert_eq!(bye.request_uri(), b"sip:UserB@example.com;maddr=ss1.example.com");
    assert_eq!(bye.header(Name::Route), Some(&b"<sip:+13035551111@ift.client.example.net;user=phone>"[..]));
}

#[test]
fn the_archive_s_file_of_no_section_is_dropped() {
    seen(&file!("rfc4475/test")).is_dropped();
}

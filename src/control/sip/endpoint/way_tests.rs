//! Where requests go: names, several places, places that fail, refuse, or say nothing, and requests too long for a datagram.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::control::sip::endpoint::pair::START;
use crate::control::sip::message::{Message, Name};
use crate::control::words::directory::Listener;
use crate::control::words::sip::{Located, Place, Secrecy, Whereabouts};

const SECOND: Duration = Duration::from_secs(1);

fn endpoint() -> Endpoint {
    let listener = |id: u16, transport, bound: &str| {
        let bound = bound.parse().unwrap();
        Listener { id: ListenerId(id), transport, bound, advertised: bound }
    };
    let listeners = vec![
        listener(0, Transport::Udp, "192.0.2.2:5060"),
        listener(1, Transport::Tcp, "192.0.2.2:5060"),
        listener(2, Transport::Tls, "192.0.2.2:5061"),
    ];
    Endpoint::new(START, 1, Settings::new(listeners, "center", 7))
}

fn flow(last: u8, transport: Transport) -> Flow {
    let listener = if transport == Transport::Udp { 0 } else { 1 };
    Flow { listener: ListenerId(listener), transport, remote: ([198, 51, 100, last], 5060).into(), connection: None }
}

fn carrier() -> Whereabouts {
    Whereabouts { host: "carrier.example".to_owned(), port: None, transport: None, secrecy: Secrecy::Any }
}

fn places(lasts: &[u8]) -> Located {
    let place = |(priority, last): (usize, &u8)| Place { flow: flow(*last, Transport::Udp), priority: priority as u16, weight: 0 };
    Located::At { places: lasts.iter().enumerate().map(place).collect(), keep: 600 * SECOND }
}

fn call(end: &mut Endpoint, now: Time, target: Target, sdp: &[u8]) -> LegId {
    let leg = end.new_leg(now);
    let outgoing = Outgoing {
        target,
        request_uri: "sip:4001@carrier.example".to_owned(),
        from: "<sip:center@h>".to_owned(),
        to: "<sip:4001@carrier.example>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::copy_from_slice(sdp),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    end.invite(now, leg, outgoing);
    leg
}

/// What went out, as `METHOD last-octet/transport`.
fn sent(end: &mut Endpoint) -> Vec<(String, Message, Flow)> {
    std::iter::from_fn(|| end.poll_transmit())
        .map(|transmit| {
            let message = Message::parse(transmit.bytes).unwrap();
            let std::net::IpAddr::V4(ip) = transmit.flow.remote.ip() else { panic!() };
            let line = format!("{} {}/{}", message.method().token(), ip.octets()[3], transmit.flow.transport.token());
            (line, message, transmit.flow)
        })
        .collect()
}

fn lines(end: &mut Endpoint) -> Vec<String> {
    sent(end).into_iter().map(|(line, _, _)| line).collect()
}

fn told(end: &mut Endpoint) -> Vec<Happening> {
    std::iter::from_fn(|| end.poll_happening()).collect()
}

fn run_until(end: &mut Endpoint, until: Time) {
    while let Some(at) = end.poll_timeout().filter(|at| *at <= until) {
        end.handle_timeout(at);
    }
}

fn answer(end: &mut Endpoint, now: Time, request: &Message, along: Flow, status: u16, headers: &str) {
    let part = |name: Name| String::from_utf8_lossy(request.header(name).unwrap()).into_owned();
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=t\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\r\n",
        part(Name::Via),
        part(Name::From),
        part(Name::To),
        part(Name::CallId),
        part(Name::CSeq)
    );
    let message = Message::parse(Bytes::from(text)).unwrap();
    end.receive(now, Received { flow: along, message });
}

const CONTACT: &str = "Contact: <sip:4001@198.51.100.9>\r\n";

#[test]
fn a_name_is_asked_for_and_the_call_goes_to_its_first_place() {
    let mut end = endpoint();
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    call(&mut end, START, Target::Named(carrier()), b"offer");
    assert_eq!((end.poll_question(), end.poll_question()), (Some(carrier()), None), "asked once for both");
    assert!(sent(&mut end).is_empty());
    end.located(START + SECOND, carrier(), places(&[1, 2]));
    let out = sent(&mut end);
    assert_eq!(out.iter().map(|(line, _, _)| line.as_str()).collect::<Vec<_>>(), ["INVITE 1/UDP", "INVITE 1/UDP"]);
    let (_, invite, along) = &out[0];
    assert!(invite.header(Name::Via).unwrap().starts_with(b"SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bK"));
    assert_eq!(invite.request_uri(), b"sip:4001@carrier.example");
    answer(&mut end, START + SECOND, invite, *along, 200, CONTACT);
    assert!(matches!(told(&mut end)[..], [Happening::Answered { leg: answered, .. }] if answered == leg));
    assert_eq!(lines(&mut end), ["ACK 9/UDP"], "within the dialog the Contact leads");
}

#[test]
fn a_name_without_address_refuses_the_call_and_silence_of_dns_ends_it_too() {
    let mut end = endpoint();
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    end.located(START, carrier(), Located::Nowhere);
    assert_eq!(told(&mut end), [Happening::Refused { leg, status: 404 }]);
    let other = Whereabouts { host: "other.example".to_owned(), ..carrier() };
    let leg = call(&mut end, START, Target::Named(other), b"offer");
    run_until(&mut end, START + 16 * SECOND);
    assert_eq!(told(&mut end), [Happening::Refused { leg, status: 503 }]);
    assert_eq!(end.counts(), Counts::default());
}

#[test]
fn a_call_hung_up_while_dns_is_asked_never_goes_out() {
    let mut end = endpoint();
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    end.hang_up(START, leg, &[]);
    end.located(START, carrier(), places(&[1]));
    assert!(sent(&mut end).is_empty());
    assert_eq!(told(&mut end), [Happening::Refused { leg, status: 487 }]);
    assert_eq!(end.counts(), Counts::default());
}

#[test]
fn a_place_that_answers_503_is_left_for_the_next_and_rests_as_long_as_it_asks() {
    let mut end = endpoint();
    end.located(START, carrier(), places(&[1, 2]));
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    let out = sent(&mut end);
    answer(&mut end, START, &out[0].1, out[0].2, 503, "Retry-After: 100\r\n");
    let next = sent(&mut end);
    assert_eq!(next.iter().map(|(line, _, _)| line.as_str()).collect::<Vec<_>>(), ["ACK 1/UDP", "INVITE 2/UDP"]);
    let (first, second) = (&out[0].1, &next[1].1);
    assert_ne!(first.via().unwrap().branch(), second.via().unwrap().branch(), "a new transaction");
    assert_eq!((first.call_id(), first.from().unwrap().tag()), (second.call_id(), second.from().unwrap().tag()));
    assert_eq!(first.cseq().unwrap().number, second.cseq().unwrap().number);
    answer(&mut end, START, second, next[1].2, 200, CONTACT);
    assert!(matches!(told(&mut end)[..], [Happening::Answered { leg: answered, .. }] if answered == leg));
    let _ = sent(&mut end);
    call(&mut end, START + 99 * SECOND, Target::Named(carrier()), b"offer");
    assert_eq!(lines(&mut end)[0], "INVITE 2/UDP", "it still rests");
    call(&mut end, START + 101 * SECOND, Target::Named(carrier()), b"offer");
    assert_eq!(lines(&mut end)[0], "INVITE 1/UDP");
}

#[test]
fn the_last_place_has_the_last_word() {
    let mut end = endpoint();
    end.located(START, carrier(), places(&[1, 2]));
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    for _ in 0..2 {
        let (_, invite, along) = sent(&mut end).pop().unwrap();
        answer(&mut end, START, &invite, along, 503, "");
    }
    assert_eq!(told(&mut end), [Happening::Refused { leg, status: 503 }]);
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    let (_, invite, along) = sent(&mut end).pop().unwrap();
    answer(&mut end, START, &invite, along, 486, "");
    assert_eq!(told(&mut end), [Happening::Refused { leg, status: 486 }], "busy is busy everywhere");
}

#[test]
fn a_place_that_says_nothing_is_left_and_taken_back_when_it_rings_late() {
    let mut end = endpoint();
    end.located(START, carrier(), places(&[1, 2]));
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    let first = sent(&mut end).pop().unwrap();
    run_until(&mut end, START + 4 * SECOND);
    let out = sent(&mut end);
    assert_eq!(out.last().unwrap().0, "INVITE 2/UDP");
    let now = START + 5 * SECOND;
    let second = out.last().unwrap().clone();
    answer(&mut end, now, &second.1, second.2, 180, "");
    answer(&mut end, now, &first.1, first.2, 180, "");
    assert_eq!(lines(&mut end), ["CANCEL 1/UDP"]);
    assert_eq!(told(&mut end), [Happening::Progress { leg, status: 180, sdp: None }], "the late one rings for nobody");
    answer(&mut end, now, &second.1, second.2, 200, CONTACT);
    answer(&mut end, now, &first.1, first.2, 200, "Contact: <sip:4001@198.51.100.8>\r\n");
    assert_eq!(lines(&mut end), ["ACK 9/UDP", "ACK 8/UDP", "BYE 8/UDP"], "what answers late is ended");
    assert!(matches!(told(&mut end)[..], [Happening::Answered { .. }]));
}

#[test]
fn a_connection_that_cannot_be_made_leads_to_the_next_place() {
    let mut end = endpoint();
    let tcp = |last: u8, priority: u16| Place { flow: flow(last, Transport::Tcp), priority, weight: 0 };
    end.located(START, carrier(), Located::At { places: vec![tcp(1, 0), tcp(2, 1)], keep: 600 * SECOND });
    call(&mut end, START, Target::Named(carrier()), b"offer");
    let out = sent(&mut end);
    assert_eq!(out[0].0, "INVITE 1/TCP");
    assert!(out[0].1.header(Name::Contact).unwrap().ends_with(b";transport=tcp>"));
    end.broken(START, out[0].2);
    assert_eq!(lines(&mut end), ["INVITE 2/TCP"]);
    end.broken(START, flow(2, Transport::Tcp));
    assert!(matches!(told(&mut end)[..], [Happening::Refused { status: 503, .. }]));
}

#[test]
fn a_request_too_long_for_a_datagram_goes_over_tcp_and_over_udp_where_nobody_takes_tcp() {
    let mut end = endpoint();
    let long = vec![b'x'; 1_300];
    let to = Target::Named(Whereabouts { host: "198.51.100.1".to_owned(), ..carrier() });
    call(&mut end, START, to.clone(), &long);
    let out = sent(&mut end);
    assert_eq!(out[0].0, "INVITE 1/TCP");
    assert!(out[0].1.header(Name::Via).unwrap().starts_with(b"SIP/2.0/TCP "));
    end.broken(START, out[0].2);
    assert_eq!(lines(&mut end), ["INVITE 1/UDP"], "a long datagram is better than none");
    call(&mut end, START + SECOND, to.clone(), &long);
    assert_eq!(lines(&mut end), ["INVITE 1/UDP"], "TCP failed there of late");
    call(&mut end, START + 60 * SECOND, to, &long);
    assert_eq!(lines(&mut end), ["INVITE 1/TCP"]);
    let phone = flow(3, Transport::Udp);
    call(&mut end, START, Target::Path(phone), &long);
    assert_eq!(lines(&mut end), ["INVITE 3/UDP"], "a phone behind NAT is reached along its path only");
}

#[test]
fn a_call_that_must_prove_itself_still_has_its_other_places() {
    let mut end = endpoint();
    end.located(START, carrier(), places(&[1, 2]));
    let leg = call(&mut end, START, Target::Named(carrier()), b"offer");
    if let Some(leg) = end.calls.legs.get_mut(&leg) {
        let credentials = crate::control::words::directory::Credentials { user: "u".to_owned(), password: "p".to_owned() };
        leg.login = Some(leg::Login { credentials, tries: 0 });
    }
    let (_, invite, along) = sent(&mut end).pop().unwrap();
    answer(&mut end, START, &invite, along, 407, "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", qop=\"auth\"\r\n");
    let (line, proved, along) = sent(&mut end).pop().unwrap();
    assert_eq!(line, "INVITE 1/UDP");
    answer(&mut end, START, &proved, along, 503, "");
    let (line, again, _) = sent(&mut end).pop().unwrap();
    assert_eq!(line, "INVITE 2/UDP");
    assert_eq!(again.cseq().unwrap().number, 2);
    assert!(told(&mut end).is_empty());
}

#[test]
fn a_registration_by_name_goes_to_the_next_place_when_the_first_is_gone() {
    let mut end = endpoint();
    let registration = Registration {
        target: Target::Named(carrier()),
        registrar: "sip:carrier.example".to_owned(),
        record: "sip:center@carrier.example".to_owned(),
        user: "center".to_owned(),
        expires: 600 * SECOND,
        errand: Errand::Bind,
        credentials: None,
    };
    end.register(START, registration);
    end.located(START, carrier(), places(&[1, 2]));
    assert_eq!(lines(&mut end), ["REGISTER 1/UDP"]);
    run_until(&mut end, START + 4 * SECOND);
    let (line, register, along) = sent(&mut end).pop().unwrap();
    assert_eq!(line, "REGISTER 2/UDP");
    let contact = String::from_utf8_lossy(register.header(Name::Contact).unwrap()).into_owned();
    answer(&mut end, START + 5 * SECOND, &register, along, 200, &format!("Contact: {contact};expires=300\r\n"));
    assert_eq!(told(&mut end), [Happening::SignedOn { user: "center".to_owned(), expires: 300 * SECOND }]);
    run_until(&mut end, START + 40 * SECOND);
    assert!(told(&mut end).is_empty(), "the first place's silence is nobody's any more");
}

#[test]
fn a_route_with_a_name_is_asked_for_and_the_ack_waits_for_nobody() {
    let mut end = endpoint();
    let leg = call(&mut end, START, Target::Path(flow(1, Transport::Udp)), b"offer");
    let (_, invite, along) = sent(&mut end).pop().unwrap();
    let headers = format!("{CONTACT}Record-Route: <sip:edge.example;lr>\r\n");
    answer(&mut end, START, &invite, along, 200, &headers);
    assert_eq!(lines(&mut end), ["ACK 1/UDP"]);
    let edge = Whereabouts { host: "edge.example".to_owned(), ..carrier() };
    assert_eq!(end.poll_question(), Some(edge.clone()));
    end.hang_up(START, leg, &[]);
    assert!(sent(&mut end).is_empty(), "BYE waits for the answer");
    end.located(START, edge.clone(), places(&[5]));
    let (line, bye, _) = sent(&mut end).pop().unwrap();
    assert_eq!(line, "BYE 5/UDP");
    assert_eq!(bye.header(Name::Route), Some(&b"<sip:edge.example;lr>"[..]));
    // Where DNS fails, the path of the peer's messages is better than nothing.
    let leg = call(&mut end, START + 700 * SECOND, Target::Path(flow(1, Transport::Udp)), b"offer");
    let now = START + 700 * SECOND;
    let (_, invite, along) = sent(&mut end).pop().unwrap();
    answer(&mut end, now, &invite, along, 200, &headers);
    end.hang_up(now, leg, &[]);
    end.located(now, edge, Located::Failed);
    assert_eq!(lines(&mut end), ["ACK 1/UDP", "BYE 1/UDP"]);
}

#[test]
fn a_peer_whose_connection_is_gone_is_dialled_at_his_contact() {
    let mut end = endpoint();
    let came = Flow { connection: Some(crate::control::words::sip::ConnectionId(9)), ..flow(1, Transport::Tcp) };
    let came = Flow { remote: "198.51.100.1:40000".parse().unwrap(), ..came };
    let leg = call(&mut end, START, Target::Path(came), b"offer");
    let (_, invite, _) = sent(&mut end).pop().unwrap();
    answer(&mut end, START, &invite, came, 200, "Contact: <sip:4001@198.51.100.1:5080;transport=tcp>\r\n");
    let _ = sent(&mut end);
    if let Some(leg) = end.calls.legs.get_mut(&leg) {
        leg.dialog.reach = crate::control::sip::dialog::Reach::ByAddress;
    }
    end.hang_up(START + SECOND, leg, &[]);
    let bye = sent(&mut end).pop().unwrap();
    assert_eq!((bye.0.as_str(), bye.2), ("BYE 1/TCP", came), "while it stands, it is used");
    run_until(&mut end, START + 10 * SECOND);
    assert!(sent(&mut end).is_empty(), "a slow answer over a stream is no reason to ask twice");
    end.broken(START + 11 * SECOND, came);
    let again = sent(&mut end).pop().unwrap();
    assert_eq!((again.2.remote, again.2.connection), ("198.51.100.1:5080".parse().unwrap(), None));
    answer(&mut end, START + 11 * SECOND, &again.1, again.2, 200, "");
    assert_eq!(end.counts().dialogs, 0);
}

#[test]
fn who_is_reached_by_sips_gets_a_sips_contact() {
    let mut end = endpoint();
    let leg = end.new_leg(START);
    let tls = Flow { listener: ListenerId(2), transport: Transport::Tls, remote: "198.51.100.1:5061".parse().unwrap(), connection: None };
    let outgoing = Outgoing {
        target: tls.into(),
        request_uri: "sips:anna@198.51.100.1".to_owned(),
        from: "<sip:center@h>".to_owned(),
        to: "<sips:anna@198.51.100.1>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::from_static(b"offer"),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    end.invite(START, leg, outgoing);
    let (_, invite, _) = sent(&mut end).pop().unwrap();
    assert_eq!(invite.header(Name::Contact), Some(&b"<sips:center@192.0.2.2:5061>"[..]));
    assert!(invite.header(Name::Via).unwrap().starts_with(b"SIP/2.0/TLS 192.0.2.2:5061;rport;alias;branch="));
}

#[test]
fn via_and_contact_say_the_advertised_address_of_the_socket_or_the_one_that_the_peer_is_to_see() {
    let listener = |id: u16, transport, advertised: &str| {
        let bound = format!("10.0.0.{id}:5060").parse().unwrap();
        Listener { id: ListenerId(id), transport, bound, advertised: advertised.parse().unwrap() }
    };
    let listeners = vec![listener(0, Transport::Udp, "203.0.113.1:5060"), listener(1, Transport::Tcp, "203.0.113.2:6060")];
    let told = vec![("198.51.100.7".parse().unwrap(), "10.9.9.9".parse().unwrap())];
    let mut end = Endpoint::new(START, 1, Settings { told, ..Settings::new(listeners, "center", 7) });
    for (to, transport, expected) in [
        (1, Transport::Udp, "203.0.113.1:5060"),
        (1, Transport::Tcp, "203.0.113.2:6060"),
        (7, Transport::Udp, "10.9.9.9:5060"),
        (7, Transport::Tcp, "10.9.9.9:6060"),
    ] {
        call(&mut end, START, flow(to, transport).into(), b"offer");
        let invite = end.poll_transmit().unwrap();
        let text = String::from_utf8(invite.bytes.to_vec()).unwrap();
        assert!(text.contains(&format!("Via: SIP/2.0/{} {expected};", transport.token())), "{text}");
        let contact = text.lines().find(|line| line.starts_with("Contact: ")).unwrap();
        assert!(contact.contains(&format!("@{expected}")), "{contact}");
        assert!(!text.contains("10.0.0."), "where we are bound is nobody's business: {text}");
        let incoming = format!(
            "INVITE sip:1@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/{} 198.51.100.{to}:5060;branch=z9hG4bK{to}{expected}\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:1@h>\r\nCall-ID: {to}{expected}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.{to}>\r\nContent-Length: 0\r\n\r\n",
            transport.token()
        );
        let message = Message::parse(Bytes::from(incoming)).unwrap();
        end.receive(START, Received { flow: flow(to, transport), message });
        let leg = std::iter::from_fn(|| end.poll_happening())
            .find_map(|told| if let Happening::Invited(it) = told { Some(it.leg) } else { None });
        end.answer(START, leg.unwrap(), Bytes::from_static(b"offer"));
        let ok = std::iter::from_fn(|| end.poll_transmit()).last().unwrap();
        let text = String::from_utf8(ok.bytes.to_vec()).unwrap();
        assert!(text.starts_with("SIP/2.0 200") && text.contains(expected) && !text.contains("10.0.0."), "{text}");
    }
}

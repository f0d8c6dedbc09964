//! The endpoint against peers written out by hand: what another endpoint of ours would never send.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{START, flow_to};
use super::*;
use crate::control::sip::message::{Message, Name};
use crate::control::words::directory::Listener;
use crate::control::words::sip::ListenerId;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn endpoint() -> Endpoint {
    let address = "192.0.2.2:5060".parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    Endpoint::new(START, 1, Settings::new(vec![listener], "center", 7))
}

pub(super) fn give(end: &mut Endpoint, now: Time, text: &str) {
    let message = Message::parse(Bytes::from(text.to_owned())).unwrap_or_else(|why| panic!("{why}: {text}"));
    end.receive(now, Received { flow: flow_to(0, Transport::Udp), message });
}

pub(super) fn sent(end: &mut Endpoint) -> Vec<Message> {
    std::iter::from_fn(|| end.poll_transmit()).map(|transmit| Message::parse(transmit.bytes).unwrap()).collect()
}

pub(super) fn told(end: &mut Endpoint) -> Vec<Happening> {
    std::iter::from_fn(|| end.poll_happening()).collect()
}

pub(super) fn lines(messages: &[Message]) -> Vec<String> {
    let line = |message: &Message| match message.is_request() {
        true => format!("{} {}", message.method().token(), message.cseq().unwrap().number),
        false => format!("{} {}", message.status(), message.cseq().unwrap().method.token()),
    };
    messages.iter().map(line).collect()
}

pub(super) fn request(method: &str, branch: &str, seq: u32, to_tag: &str, headers: &str) -> String {
    format!(
        "{method} sip:1@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:b@h>{to_tag}\r\nCall-ID: c\r\nCSeq: {seq} {method}\r\nContact: <sip:a@192.0.2.1>\r\n{headers}\r\n"
    )
}

/// A call that came in and is answered and acknowledged; our tag as `;tag=…`.
pub(super) fn established(end: &mut Endpoint, headers: &str) -> (LegId, String) {
    give(end, START, &request("INVITE", "i", 1, "", headers));
    let Some(Happening::Invited(invited)) = told(end).into_iter().next() else { panic!("no call") };
    end.answer(START, invited.leg, Bytes::from_static(b"answer"));
    let ok = sent(end).pop().unwrap();
    let tag = format!(";tag={}", String::from_utf8_lossy(ok.to().unwrap().tag().unwrap()));
    give(end, START, &request("ACK", "a", 1, &tag, ""));
    assert_eq!(told(end).len(), 1);
    (invited.leg, tag)
}

pub(super) fn run_until(end: &mut Endpoint, until: Time) {
    while let Some(at) = end.poll_timeout().filter(|at| *at <= until) {
        end.handle_timeout(at);
    }
}

/// A response to our INVITE.
pub(super) fn response(invite: &Message, status: u16, tag: &str, headers: &str) -> String {
    let part = |name: Name| String::from_utf8_lossy(invite.header(name).unwrap()).into_owned();
    format!(
        "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\r\n",
        part(Name::Via),
        part(Name::From),
        part(Name::To),
        part(Name::CallId),
        part(Name::CSeq)
    )
}

pub(super) fn calling(end: &mut Endpoint) -> (LegId, Message) {
    let leg = end.new_leg(START);
    let outgoing = Outgoing {
        target: flow_to(0, Transport::Udp).into(),
        request_uri: "sip:anna@192.0.2.1".to_owned(),
        from: "<sip:center@h>".to_owned(),
        to: "<sip:anna@h>".to_owned(),
        headers: Vec::new(),
        sdp: Bytes::from_static(b"offer"),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    end.invite(START, leg, outgoing);
    (leg, sent(end).pop().unwrap())
}

#[test]
fn a_second_fork_is_acknowledged_and_ended() {
    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    let contact = |port: u16| format!("Contact: <sip:anna@192.0.2.1:{port}>\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n");
    give(&mut end, START, &response(&invite, 180, "one", ""));
    give(&mut end, START, &response(&invite, 200, "one", &contact(5_071)));
    give(&mut end, START, &response(&invite, 200, "two", &contact(5_072)));
    give(&mut end, START, &response(&invite, 200, "two", &contact(5_072)));
    give(&mut end, START, &response(&invite, 200, "one", &contact(5_071)));
    let sent = sent(&mut end);
    assert_eq!(lines(&sent), ["ACK 1", "ACK 1", "BYE 2", "ACK 1", "ACK 1"]);
    assert_eq!(sent[2].request_uri(), b"sip:anna@192.0.2.1:5072");
    assert_eq!(sent[2].to().unwrap().tag(), Some(&b"two"[..]));
    assert_eq!(sent[2].header(Name::Route), Some(&b"<sip:192.0.2.1;lr>"[..]));
    let answered = told(&mut end).into_iter().filter(|told| matches!(told, Happening::Answered { .. })).count();
    assert_eq!((answered, end.is_up(leg)), (1, true));
}

#[test]
fn requests_out_of_order_merged_or_of_a_dead_dialog_are_refused() {
    let mut end = endpoint();
    let (_, tag) = established(&mut end, "");
    give(&mut end, START, &request("OPTIONS", "o", 9, &tag, ""));
    give(&mut end, START, &request("OPTIONS", "p", 8, &tag, ""));
    give(&mut end, START, &request("PRACK", "q", 10, &tag, "RAck: 1 1 INVITE\r\n"));
    give(&mut end, START, &request("MESSAGE", "r", 11, &tag, ""));
    give(&mut end, START, &request("BYE", "s", 12, ";tag=0123456789abcdef", ""));
    give(&mut end, START, &request("INVITE", "t", 1, "", ""));
    assert_eq!(lines(&sent(&mut end)), ["200 OPTIONS", "500 OPTIONS", "481 PRACK", "415 MESSAGE", "481 BYE", "482 INVITE"]);
}

#[test]
fn a_session_timer_of_ours_is_refreshed_by_update_and_one_of_the_peers_ends_the_call() {
    let mut end = endpoint();
    let (_, tag) = established(&mut end, "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\nAllow: UPDATE\r\n");
    run_until(&mut end, START + 46 * SECOND);
    let update = sent(&mut end).pop().unwrap();
    assert_eq!((update.method(), update.header(Name::SessionExpires)), (Method::Update, Some(&b"90;refresher=uac"[..])));
    let part = |name: Name| String::from_utf8_lossy(update.header(name).unwrap()).into_owned();
    let ok = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: c\r\nCSeq: {}\r\nSession-Expires: 90;refresher=uas\r\n\r\n",
        part(Name::Via),
        part(Name::From),
        part(Name::To),
        part(Name::CSeq)
    );
    give(&mut end, START + 46 * SECOND, &ok);
    run_until(&mut end, START + 100 * SECOND);
    assert!(told(&mut end).is_empty());
    give(&mut end, START + 100 * SECOND, &request("UPDATE", "u", 2, &tag, "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n"));
    run_until(&mut end, START + 159 * SECOND);
    assert!(told(&mut end).is_empty());
    run_until(&mut end, START + 161 * SECOND);
    assert!(matches!(told(&mut end)[..], [Happening::Lost { why: "the session timer ran out", .. }]));
    assert_eq!(lines(&sent(&mut end)).last().map(String::as_str), Some("BYE 2"));
}

#[test]
fn a_late_offer_is_ours_in_the_200_and_answered_in_the_ack() {
    let mut end = endpoint();
    give(&mut end, START, &request("INVITE", "i", 1, "", ""));
    let Some(Happening::Invited(invited)) = told(&mut end).into_iter().next() else { panic!("no call") };
    assert_eq!(invited.sdp, None);
    end.answer(START, invited.leg, Bytes::from_static(b"offer"));
    let tag = String::from_utf8_lossy(sent(&mut end).pop().unwrap().to().unwrap().tag().unwrap()).into_owned();
    let ack = request("ACK", "a", 1, &format!(";tag={tag}"), "Content-Type: application/sdp\r\n") + "answer";
    give(&mut end, START, &ack);
    give(&mut end, START, &ack);
    assert_eq!(told(&mut end), [Happening::Confirmed { leg: invited.leg, sdp: Some(Bytes::from_static(b"answer")) }]);
}

#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    give(&mut end, START, &response(&invite, 180, "one", ""));
    run_until(&mut end, START + 184 * SECOND);
    assert!(!lines(&sent(&mut end)).contains(&"CANCEL 1".to_owned()));
    run_until(&mut end, START + 186 * SECOND);
    assert_eq!(lines(&sent(&mut end)), ["CANCEL 1", "CANCEL 1"]);
    give(&mut end, START + 186 * SECOND, &response(&invite, 487, "one", ""));
    assert_eq!(told(&mut end).last(), Some(&Happening::Refused { leg, status: 487 }));
    run_until(&mut end, START + 300 * SECOND);
    assert_eq!(end.counts(), Counts::default());
}

#[test]
fn a_bye_that_is_challenged_is_sent_again_with_a_proof() {
    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    if let Some(leg) = end.calls.legs.get_mut(&leg) {
        let credentials = crate::control::words::directory::Credentials { user: "u".to_owned(), password: "p".to_owned() };
        leg.login = Some(leg::Login { credentials, tries: 0 });
    }
    give(&mut end, START, &response(&invite, 200, "one", "Contact: <sip:anna@192.0.2.1>\r\n"));
    end.hang_up(START, leg, &[]);
    let bye = sent(&mut end).pop().unwrap();
    give(
        &mut end,
        START,
        &response(&bye, 407, "x", "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", qop=\"auth\"\r\n")
            .replace(";tag=one;tag=x", ";tag=one"),
    );
    let again = sent(&mut end).pop().unwrap();
    assert_eq!((again.method(), again.cseq().unwrap().number), (Method::Bye, 3));
    assert!(again.header(Name::ProxyAuthorization).unwrap().starts_with(b"Digest username=\"u\""));
    give(&mut end, START, &response(&again, 200, "x", "").replace(";tag=one;tag=x", ";tag=one"));
    assert_eq!(end.counts().dialogs, 0);
}

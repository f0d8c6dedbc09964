//! The table of transactions with real messages.

use super::*;
use crate::control::words::sip::{ListenerId, Transport};

fn flow(transport: Transport) -> Flow {
    Flow { listener: ListenerId(0), transport, remote: "192.0.2.1:5060".parse().unwrap(), connection: None }
}

fn request(method: &str, via: &str) -> Message {
    let text = format!(
        "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP peer{via}\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn response(status: u16, method: &str, tag: &str) -> Message {
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKme\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag={tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn our(method: &str) -> Transmit {
    let text = format!(
        "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKme\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    );
    Transmit { flow: flow(Transport::Udp), bytes: Bytes::from(text) }
}

const SECOND: u64 = 1_000_000;

#[test]
fn a_request_is_matched_by_branch_and_without_one_by_rfc_2543() {
    let keys = Keys::new(7);
    let key = |method: &str, via: &str| keys.server(&request(method, via));
    assert_eq!(key("INVITE", ";branch=z9hG4bKa"), key("ACK", ";branch=z9hG4bKa"));
    assert_ne!(key("INVITE", ";branch=z9hG4bKa"), key("INVITE", ";branch=z9hG4bKb"));
    assert_ne!(key("INVITE", ";branch=z9hG4bKa"), key("INVITE", ":5062;branch=z9hG4bKa"));
    assert_ne!(key("INVITE", ";branch=z9hG4bKa"), key("CANCEL", ";branch=z9hG4bKa"));
    assert_eq!(key("INVITE", ";branch=z9hG4bKa"), keys.cancelled(&request("CANCEL", ";branch=z9hG4bKa")));
    assert_eq!(key("INVITE", ""), key("ACK", ""));
    assert_eq!(key("INVITE", ";branch=z9hG4bK"), key("ACK", ";branch=z9hG4bK"));
    assert_ne!(key("INVITE", ""), key("BYE", ""));
    assert_eq!(key("INVITE", ""), keys.cancelled(&request("CANCEL", "")));
}

#[test]
fn an_invite_without_answer_is_sent_seven_times_and_fails_after_32_seconds() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).client("z9hG4bKme", Method::Invite);
    table.open_client(Time(0), key, Method::Invite, our("INVITE"), Purpose::Stray, &mut out);
    let mut failed = None;
    while let Some(at) = table.next() {
        while let Some(outcome) = table.timeout(at, &mut out) {
            failed = failed.or(outcome.map(|failed| (failed.failure, at)));
        }
    }
    assert_eq!(failed, Some((Failure::Timeout, Time(32 * SECOND))));
    assert_eq!(out.len(), 7);
    assert_eq!(table.count(), 0);
}

#[test]
fn a_failure_is_acknowledged_each_time_and_passed_once() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).client("z9hG4bKme", Method::Invite);
    table.open_client(Time(0), key, Method::Invite, our("INVITE"), Purpose::Stray, &mut out);
    out.clear();
    assert_eq!(Keys::new(1).response(&response(486, "INVITE", "x")), Some(key));
    assert!(table.response(Time(1), key, &response(486, "INVITE", "x"), &mut out).is_some());
    assert!(table.response(Time(2), key, &response(486, "INVITE", "x"), &mut out).is_none());
    assert_eq!(out.len(), 2);
    assert!(out.iter().all(|ack| ack.bytes.starts_with(b"ACK ") && ack.bytes == out[0].bytes));
    assert_eq!(table.next(), Some(Time(32 * SECOND + 1)));
}

#[test]
fn the_ack_of_a_200_is_sent_again_with_it() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).client("z9hG4bKme", Method::Invite);
    table.open_client(Time(0), key, Method::Invite, our("INVITE"), Purpose::Stray, &mut out);
    out.clear();
    assert!(table.response(Time(1), key, &response(200, "INVITE", "x"), &mut out).is_some());
    assert!(!table.ack_again(key, b"x", &mut out));
    table.keep_ack(key, Bytes::from_static(b"x"), our("ACK"), &mut out);
    assert!(table.response(Time(2), key, &response(200, "INVITE", "x"), &mut out).is_some());
    assert!(table.ack_again(key, b"x", &mut out));
    assert!(!table.ack_again(key, b"fork", &mut out));
    assert_eq!(out.len(), 2);
}

#[test]
fn a_server_answers_a_retransmission_with_its_last_response() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).server(&request("INVITE", ";branch=z9hG4bKa"));
    table.open_server(key, Method::Invite, flow(Transport::Udp), 9);
    assert!(!table.is_merged(9, key));
    assert!(table.is_merged(9, Keys::new(1).server(&request("INVITE", ";branch=z9hG4bKb"))));
    table.respond(Time(0), key, 180, Bytes::from_static(b"ringing"), &mut out);
    table.request_again(Time(1), key, &mut out);
    table.respond(Time(2), key, 486, Bytes::from_static(b"busy"), &mut out);
    assert_eq!(out.iter().map(|sent| &sent.bytes[..]).collect::<Vec<_>>(), [&b"ringing"[..], b"ringing", b"busy"]);
    assert!(table.ack(Time(3), key, &mut out));
    assert_eq!(table.timeout(Time(6 * SECOND), &mut out).map(|failed| failed.is_none()), Some(true));
    assert_eq!(table.count(), 0);
    assert!(!table.is_merged(9, Keys::new(2).server(&request("BYE", ""))));
}

#[test]
fn the_ack_of_a_200_is_for_the_core() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).server(&request("INVITE", ""));
    table.open_server(key, Method::Invite, flow(Transport::Udp), 9);
    table.respond(Time(0), key, 200, Bytes::from_static(b"ok"), &mut out);
    assert!(!table.ack(Time(1), key, &mut out));
}

#[test]
fn cancel_goes_out_and_the_invite_fails_when_nobody_answers_it() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let keys = Keys::new(1);
    let (invite, cancel) = (keys.client("z9hG4bKme", Method::Invite), keys.client("z9hG4bKme", Method::Cancel));
    table.open_client(Time(0), invite, Method::Invite, our("INVITE"), Purpose::Stray, &mut out);
    table.response(Time(1), invite, &response(180, "INVITE", "x"), &mut out);
    out.clear();
    table.cancel(Time(2), (invite, cancel), b"Reason: SIP;cause=200\r\n", &mut out);
    assert!(out[0].bytes.starts_with(b"CANCEL sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKme\r\n"));
    assert!(out[0].bytes.ends_with(b"Reason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n"));
    table.response(Time(3), cancel, &response(200, "CANCEL", "x"), &mut out);
    let mut failures = Vec::new();
    while let Some(at) = table.next() {
        failures.extend(table.timeout(at, &mut out).flatten().map(|failed| (failed.key, failed.failure)));
    }
    assert_eq!(failures, [(invite, Failure::Timeout)]);
}

#[test]
fn a_broken_stream_fails_what_waits_on_it() {
    let (mut table, mut out) = (Transactions::default(), VecDeque::new());
    let key = Keys::new(1).client("z9hG4bKme", Method::Options);
    let transmit = Transmit { flow: flow(Transport::Tcp), ..our("OPTIONS") };
    table.open_client(Time(0), key, Method::Options, transmit, Purpose::Stray, &mut out);
    assert!(table.broken(Time(1), flow(Transport::Udp), &mut out).is_empty());
    assert_eq!(table.broken(Time(1), flow(Transport::Tcp), &mut out)[0].failure, Failure::Broken);
    assert_eq!((table.count(), table.next()), (0, None));
}

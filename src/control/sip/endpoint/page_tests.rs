//! Texts outside of calls as a table (RFC 3428).

use std::time::Duration;

use super::pair::{START, flow_to};
use super::strangers::{endpoint, give, lines, request, response, run_until, sent, told};
use super::*;
use crate::control::sip::message::{Message, Name};

const SECOND: Duration = Duration::from_secs(1);
const TEXT: &str = "Content-Type: text/plain;charset=utf-8\r\n";

/// An endpoint that knows the phone by its address.
fn house() -> Endpoint {
    let mut end = endpoint();
    end.settings.fixed = std::sync::Arc::new(BTreeMap::from([("a".to_owned(), "192.0.2.1".parse().unwrap())]));
    end.settings.unforged = vec!["192.0.2.0/24".parse().unwrap()];
    end
}

fn text(branch: &str, headers: &str, body: &str) -> String {
    request("MESSAGE", branch, 1, "", headers) + body
}

/// A text that waits for the owner's word, handed to so many phones.
fn handed(phones: usize) -> (Endpoint, Vec<Message>) {
    let mut end = house();
    give(&mut end, START, &text("m", TEXT, "你好"));
    let Some(Happening::Paged(paged)) = told(&mut end).pop() else { panic!("nobody asks") };
    assert_eq!((paged.sender.as_str(), paged.to.as_str()), ("a", "1"));
    let phone = |port: u16| (flow_to(0, Transport::Udp).into(), format!("sip:b@192.0.2.1:{port}"), Vec::new());
    let phones = (0..phones).map(|phone_number| phone(6_000 + u16::try_from(phone_number).unwrap())).collect();
    let handover = Handover { from: "\"A\" <sip:2001@h>".to_owned(), to: "<sip:b@h>".to_owned(), phones };
    end.hand_over(START, paged.page, &handover);
    let out = sent(&mut end);
    (end, out)
}

fn answered(message: &Message, status: u16) -> String {
    response(message, status, "x", "")
}

#[test]
fn what_cannot_be_handed_on_is_refused_with_its_reason() {
    let long = "x".repeat(801);
    for (headers, body, status, header, value) in [
        ("Content-Type: text/html\r\n", "x", 415, Name::Accept, "text/plain"),
        ("", "", 415, Name::Accept, "text/plain"),
        (TEXT, long.as_str(), 513, Name::CSeq, "1 MESSAGE"),
        ("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", "x", 415, Name::CSeq, "1 MESSAGE"),
    ] {
        let mut end = house();
        give(&mut end, START, &text("m", headers, body));
        let out = sent(&mut end);
        assert_eq!(lines(&out), [format!("{status} MESSAGE")], "{headers}");
        assert_eq!(out[0].header(header), Some(value.as_bytes()), "{headers}");
        assert_eq!((told(&mut end).len(), end.counts().transactions), (0, 0), "nothing is left of it");
    }
    let mut end = house();
    give(&mut end, START, &text("s", TEXT, "x").replace("<sip:a@h>", "<sip:stranger@h>"));
    assert_eq!(lines(&sent(&mut end)), ["403 MESSAGE"], "a stranger writes to nobody");
    let mut end = endpoint();
    give(&mut end, START, &text("p", TEXT, "x"));
    let out = sent(&mut end);
    assert_eq!(lines(&out), ["405 MESSAGE"], "where nobody is known nobody reads");
    assert!(!String::from_utf8_lossy(out[0].header(Name::Allow).unwrap()).contains("MESSAGE"));
}

#[test]
fn the_sender_hears_200_when_the_first_phone_has_taken_the_text_and_not_before() {
    let (mut end, out) = handed(2);
    assert_eq!(lines(&out), ["MESSAGE 1", "MESSAGE 1"]);
    let first = &out[0];
    assert_eq!((first.request_uri(), first.body()), (&b"sip:b@192.0.2.1:6000"[..], "你好".as_bytes()));
    assert_eq!(first.header(Name::ContentType), Some(&b"text/plain;charset=utf-8"[..]));
    assert_eq!(first.header(Name::Contact), None, "there is no dialog (RFC 3428 §5)");
    assert!(first.header(Name::From).unwrap().starts_with(b"\"A\" <sip:2001@h>;tag="));
    give(&mut end, START, &text("m", TEXT, "你好"));
    assert!(sent(&mut end).is_empty(), "a repetition is no second text");
    give(&mut end, START, &answered(&out[0], 486));
    assert!(sent(&mut end).is_empty(), "the other may still take it");
    give(&mut end, START, &answered(&out[1], 200));
    assert_eq!((lines(&sent(&mut end)), end.pages.count()), (vec!["200 MESSAGE".to_owned()], 0));
    run_until(&mut end, START + 100 * SECOND);
    assert!(sent(&mut end).is_empty() && end.counts().transactions == 0);
}

#[test]
fn what_the_sender_is_told_when_nobody_takes_it() {
    for (phones, said, expected) in [(0, 0, 480), (1, 486, 486), (1, 603, 603), (1, 415, 415), (1, 404, 480), (1, 405, 480), (1, 401, 480)]
    {
        let (mut end, out) = handed(phones);
        let mut last = lines(&out).pop();
        if let Some(message) = out.first().filter(|_| phones > 0) {
            give(&mut end, START, &answered(message, said));
            last = lines(&sent(&mut end)).pop();
        }
        assert_eq!((last, end.pages.count()), (Some(format!("{expected} MESSAGE")), 0), "{phones} {said}");
    }
    let (mut end, _) = handed(1);
    run_until(&mut end, START + 19 * SECOND);
    assert!(lines(&sent(&mut end)).iter().all(|line| line == "MESSAGE 1"), "it is sent again");
    run_until(&mut end, START + 20 * SECOND);
    assert_eq!((lines(&sent(&mut end)).pop(), end.pages.count()), (Some("480 MESSAGE".to_owned()), 0));
    run_until(&mut end, START + 100 * SECOND);
    assert_eq!(end.counts(), Counts::default());
}

//! Malformed and hostile requests as a table: each gets the right answer, none panics.

use bytes::Bytes;

use super::pair::START;
use super::*;
use crate::control::sip::message::{Malformed, Message, Name};
use crate::control::words::directory::{Ha1, Listener};
use crate::control::words::sip::ListenerId;

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// A response with this status whose reason or headers hold this text.
    Is(u16, &'static str),
    /// Nothing: it cannot be answered, or must not be.
    Silence,
}
use Answer::{Is, Silence};

const GOOD: &str = "INVITE sip:4001010@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKx\r\n\
    Max-Forwards: 70\r\nFrom: \"A\" <sip:a@h>;tag=1\r\nTo: <sip:4001010@h>\r\nCall-ID: c@h\r\nCSeq: 1 INVITE\r\n\
    Contact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";

fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

fn without(header: &str) -> String {
    GOOD.split("\r\n").filter(|line| !line.starts_with(header)).collect::<Vec<_>>().join("\r\n")
}

fn more(line: &str) -> String {
    changed("Content-Length: 0", &format!("{line}\r\nContent-Length: 0"))
}

fn other(method: &str) -> String {
    changed("INVITE sip", &format!("{method} sip")).replace("1 INVITE", &format!("1 {method}"))
}

fn endpoint() -> Endpoint {
    let address = "192.0.2.2:5060".parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    let mut settings = Settings::new(vec![listener], "center", 7);
    settings.users = std::sync::Arc::new([("anna".to_owned(), Ha1::of_password("anna", "center", "secret"))].into());
    Endpoint::new(START, 1, settings)
}

/// The answer as the wire would see it: the door's to what does not parse, else the endpoint's.
fn answer_to(bytes: &[u8]) -> Option<Bytes> {
    let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: "192.0.2.1:5060".parse().unwrap(), connection: None };
    let mut endpoint = endpoint();
    match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(message) => {
            endpoint.receive(START, Received { flow, message });
            endpoint.poll_transmit().map(|transmit| transmit.bytes)
        }
        Err(Malformed { status, why, salvage }) => {
            salvage.and_then(|request| stateless(&request, flow, status, &why, None)).map(|(_, bytes)| bytes)
        }
    }
}

/// Header lines that are missing, doubled or do not parse.
fn broken_lines() -> Vec<(String, Answer)> {
    vec![
        (without("Via"), Silence),
        (without("From"), Is(400, "From header is missing")),
        (without("To"), Is(400, "To header is missing")),
        (without("Call-ID"), Is(400, "Call-ID header is missing")),
        (without("CSeq"), Is(400, "CSeq header is missing")),
        (without("Contact"), Is(400, "Contact header is missing")),
        (changed("1 INVITE", "x INVITE"), Is(400, "CSeq: the number")),
        (changed("1 INVITE", "36893488147419103232 INVITE"), Is(400, "CSeq: the number")),
        (changed("1 INVITE", "1 BYE"), Is(400, "CSeq: its method")),
        (changed("1 INVITE", "1"), Is(400, "CSeq: it must be")),
        (changed("1 INVITE", "-1 INVITE"), Is(400, "CSeq: the number")),
        (changed("Max-Forwards: 70", "Max-Forwards: 300"), Is(400, "Max-Forwards: it is no number")),
        (changed("Max-Forwards: 70", "Max-Forwards: many"), Is(400, "Max-Forwards: it is no number")),
        (changed("Max-Forwards: 70", "Max-Forwards: 0"), Is(483, "Too Many Hops")),
        (changed("Content-Length: 0", "Content-Length: 9999"), Is(400, "Content-Length: it says 9999")),
        (changed("Content-Length: 0", "Content-Length: -999"), Is(400, "Content-Length: it is no length")),
        (changed("Content-Length: 0", "Content-Length: 0\r\nl: 0"), Is(400, "Content-Length header appears twice")),
        (more("From: <sip:x@h>;tag=2"), Is(400, "From header appears twice")),
        (more("i: other"), Is(400, "Call-ID header appears twice")),
        (more("CSeq: 2 INVITE"), Is(400, "CSeq header appears twice")),
        (changed("\"A\" <sip", "\"A <sip"), Is(400, "From: the display name's quote is not closed")),
        (changed("\"A\" <sip", "A, B <sip"), Is(400, "From: the display name has a character that needs quotes")),
        (changed("<sip:a@h>;tag", "<sip:a@h;tag"), Is(400, "From: '<' is not closed")),
        (changed("<sip:4001010@h>", "<>"), Is(400, "To: the URI has no scheme")),
        (changed("<sip:4001010@h>", "sip:4001010@h?x=y"), Is(400, "To: a URI with '?'")),
        (changed("branch=z9hG4bKx", "branch=z9hG4bKx;;,;,,"), Is(400, "Via: a parameter is empty")),
        (changed("SIP/2.0/UDP 192", "HTTP/1.1/TCP 192"), Silence),
        (changed("192.0.2.1:5060", "192.0.2.1:99999"), Silence),
        (changed("SIP/2.0/UDP 192.0.2.1:5060", "SIP/2.0/UDP"), Silence),
        (changed("2 SIP/2.0\r", "2 SIP/7.0\r"), Is(505, "Version Not Supported")),
        (changed("2 SIP/2.0\r", "2\r"), Is(400, "the request line is not")),
        (changed("2 SIP/2.0\r", "2 SIP/2.0  \r"), Is(400, "the request line is not")),
        (changed("sip:4001010@192.0.2.2 ", "<sip:4001010@192.0.2.2> "), Is(400, "Request-URI: the URI has a forbidden character")),
        (changed("sip:4001010@192.0.2.2 ", "sip:4001010@192.0.2.2; lr "), Is(400, "Request-URI: the URI has a forbidden character")),
        (changed("INVITE sip", "INVITE  sip"), Is(400, "Request-URI: the URI has a forbidden character")),
        (changed("sip:4001010@192.0.2.2 ", "sip: "), Is(400, "Request-URI: the host is empty")),
        (changed("sip:4001010@192.0.2.2 ", "nobodyKnowsThisScheme:totallyopaque "), Is(416, "Unsupported URI Scheme")),
        (more("this line has no colon"), Is(400, "has no colon")),
        (more(": no name"), Is(400, "does not begin with a name")),
        (more("Expires: 1000000000000"), Is(400, "Expires: it is no number")),
        (changed("<sip:a@192.0.2.1>", "<sip:a@192.0.2.1>;expires=280297596632815"), Is(400, "Contact: expires is no number")),
        (changed("<sip:a@192.0.2.1>", "\"Joe\" <sip:joe@example.org>;;;;"), Is(400, "Contact: a parameter is empty")),
        (more("X: y\r\n".repeat(400).trim_end()), Is(400, "there are more than 256 headers")),
        (more("Route: <nonsense"), Is(400, "Route: '<' is not closed")),
        (more("Record-Route: sip:"), Is(400, "Record-Route: the host is empty")),
    ]
}

/// Requests that parse, and ask for what cannot be given.
fn refused() -> Vec<(String, Answer)> {
    vec![
        (more("Require: nothingSupportsThis, 100rel, path"), Is(420, "Unsupported: nothingSupportsThis, path")),
        (more("Accept: text/plain"), Is(406, "Warning: 399 hotline")),
        (changed("sip:4001010@192.0.2.2 ", "sip:4001010@192.0.2.2?Route=x "), Is(400, "Request-URI: it must not carry headers")),
        (more("Session-Expires: 30\r\nSupported: timer"), Is(422, "Min-SE: 90")),
        (
            GOOD.replace("Content-Length: 0\r\n\r\n", "Content-Type: application/unknown\r\nContent-Length: 3\r\n\r\nabc"),
            Is(415, "Accept: application/sdp"),
        ),
        (
            GOOD.replace("Content-Length: 0\r\n\r\n", "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
            Is(415, "Accept-Encoding: identity"),
        ),
        (changed("<sip:4001010@h>", "<sip:4001010@h>;tag=nobody"), Is(481, "Does Not Exist")),
        (changed("sip:a@h", "sip:anna@h"), Is(401, "WWW-Authenticate: Digest realm=\"center\"")),
        (more("Authorization: Digest realm=\"center\", username=\"anna\""), Is(400, "Authorization: uri is missing")),
        (other("BYE"), Is(481, "Does Not Exist")),
        (other("UPDATE"), Is(481, "Does Not Exist")),
        (other("CANCEL"), Is(481, "Does Not Exist")),
        (other("PRACK"), Is(481, "Does Not Exist")),
        (other("SUBSCRIBE"), Is(489, "Allow-Events: refer")),
        (more("Replaces: c;to-tag=1;from-tag=2"), Is(481, "Does Not Exist")),
        (more("Replaces: c;to-tag=1"), Is(400, "Replaces: from-tag is missing")),
        (more("Replaces: c;to-tag=1;from-tag=2\r\nReplaces: d;to-tag=1;from-tag=2"), Is(400, "Replaces header appears twice")),
        (other("MESSAGE"), Is(415, "Accept: text/plain")),
        (other("NEWMETHOD"), Is(501, "Allow: INVITE, ACK, BYE")),
        (other("REFER"), Is(403, "Forbidden")),
        (other("ACK"), Silence),
        (other("ACK").replace("CSeq: 1", "CSeq: x"), Silence),
        (other("REGISTER").replace("<sip:4001010@h>", "<isbn:2983792873>"), Is(400, "To: it is no address of record")),
        (other("REGISTER").replace("<sip:4001010@h>", "<sip:anna@h>"), Is(401, "algorithm=SHA-256")),
    ]
}

/// What is no request at all.
fn no_requests() -> Vec<(String, Answer)> {
    vec![
        ("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\n\r\n".to_owned(), Silence),
        ("SIP/2.0 4294967301 better not break the receiver\r\n\r\n".to_owned(), Silence),
        ("INVITE".to_owned(), Silence),
        ("INVITE sip:a@h SIP/2.0\r\n".to_owned(), Silence),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Silence),
        ("\0\0\0\0\0\0\0\0\0\0\0\0".to_owned(), Silence),
        (format!("INVITE sip:a@h SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(400)), Silence),
    ]
}

#[test]
fn every_malformed_request_gets_its_answer() {
    let table = [broken_lines(), refused(), no_requests()].concat();
    assert!(table.len() >= 50);
    for (text, expected) in table {
        let answer = answer_to(text.as_bytes());
        match (&answer, &expected) {
            (None, Silence) => {}
            (Some(answer), Is(status, part)) => {
                let whole = String::from_utf8_lossy(answer).into_owned();
                assert!(whole.starts_with(&format!("SIP/2.0 {status} ")) && whole.contains(part), "{text}\n-> {whole}");
                assert!(whole.contains("\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;") && whole.contains(";branch=z9hG4bKx"), "{whole}");
            }
            _ => panic!("{text}\n-> {answer:?}, not {expected:?}"),
        }
    }
    assert!(answer_to(GOOD.as_bytes()).is_some_and(|answer| answer.starts_with(b"SIP/2.0 100 Trying\r\n")));
}

#[test]
fn bytes_that_are_no_text_come_back_in_the_answer_as_they_were() {
    let mut bytes = other("BYE").into_bytes();
    let at = bytes.windows(3).position(|part| part == b"\"A\"").unwrap() + 1;
    bytes.splice(at..=at, [0xFF, 0xFE]);
    let answer = Message::parse(answer_to(&bytes).unwrap()).unwrap();
    assert_eq!(answer.header(Name::From), Some(&b"\"\xff\xfe\" <sip:a@h>;tag=1"[..]));
}

#[test]
fn cut_and_flipped_requests_never_panic() {
    let good = GOOD.as_bytes();
    for at in 0..good.len() {
        answer_to(&good[..at]);
        for byte in [0u8, b'\n', b'<', b'"', b';', 0xFF] {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            answer_to(&bytes);
        }
    }
}

//! Fifty messages no phone should send: each gets an answer or is dropped at the door, and the server stays up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::stage::{PATIENCE, Server, phone, reports};

const SHORT: Duration = Duration::from_millis(200);

fn options(address: SocketAddr, local: SocketAddr, nth: usize) -> String {
    format!(
        "OPTIONS sip:x@{address} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKm{nth}\r\nMax-Forwards: 70\r\nFrom: <sip:m@{local}>;tag=m{nth}\r\n\
         To: <sip:x@{address}>\r\nCall-ID: m{nth}@{local}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:m@{local}>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn invite(good: &str) -> String {
    good.replace("OPTIONS", "INVITE")
}

/// Each mutation with the statuses that may answer it; an empty list: no answer is right too.
fn mutations(good: &str) -> Vec<(Vec<u8>, &'static [u16])> {
    const ANY: &[u16] = &[];
    const BAD: &[u16] = &[400];
    let invite = invite(good);
    let without =
        |name: &str| good.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\r\n")).collect::<String>() + "\r\n";
    let with_body = |kind: &str, body: &str| {
        invite.replace("Content-Length: 0\r\n\r\n", &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let text: Vec<(String, &[u16])> = vec![
        (without("Call-ID"), BAD),
        (without("From"), BAD),
        (without("To"), BAD),
        (without("CSeq"), BAD),
        (without("Via"), ANY),
        (without("Max-Forwards"), ANY),
        (good.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), BAD),
        (good.replace("CSeq: 1 OPTIONS", "CSeq: one OPTIONS"), BAD),
        (good.replace("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS"), BAD),
        (good.replace("CSeq: 1 OPTIONS", "CSeq: -1 OPTIONS"), BAD),
        (good.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), &[400, 505]),
        (good.replace("SIP/2.0\r\nVia", "HTTP/1.1\r\nVia"), ANY),
        (good.replace("OPTIONS sip:x", "OPTIONS http:x"), &[400, 416]),
        (good.replace("OPTIONS sip:x", "OPTIONS <sip:x"), BAD),
        (good.replace("OPTIONS sip:x", "OPTIONS  sip:x"), BAD),
        (good.replace("Max-Forwards: 70", "Max-Forwards: 0"), &[200, 483]),
        (good.replace("Max-Forwards: 70", "Max-Forwards: many"), BAD),
        (good.replace("Max-Forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 60"), &[200, 400]),
        (good.replace("Content-Length: 0", "Content-Length: 9999"), BAD),
        (good.replace("Content-Length: 0", "Content-Length: -5"), BAD),
        (good.replace("Content-Length: 0", "Content-Length: x"), BAD),
        (good.replace("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 7"), &[200, 400]),
        (good.replace("branch=z9hG4bK", "branch="), &[200, 400]),
        (good.replace(";branch=", ";brunch="), &[200, 400]),
        (good.replace("SIP/2.0/UDP", "SIP/2.0/PIGEON"), ANY),
        (good.replace("Via: SIP/2.0/UDP ", "Via: "), ANY),
        (good.replace("From: <sip:", "From: <sip"), &[200, 400]),
        (good.replace("From: <sip:", "From: \"open <sip:"), BAD),
        (good.replace(";tag=m", ";tog=m"), &[200, 400]),
        (good.replace("To: <", "To: <<<<"), BAD),
        (good.replace("OPTIONS", "DANCE"), &[405, 501]),
        (good.replace("OPTIONS", "options"), &[405, 501]),
        (good.replace("Contact:", "Require: teleport\r\nContact:"), &[420]),
        (invite.replace("Contact: <", "Contact: >"), BAD),
        (with_body("text/plain", "hello"), &[400, 404, 415, 488]),
        (with_body("application/sdp", "this is no description"), &[400, 404, 488]),
        (
            with_body("application/sdp", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n")
                .replace("sip:x@", "sip:answer@"),
            &[400, 488],
        ),
        (
            with_body(
                "application/sdp",
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 99\r\n",
            )
            .replace("sip:x@", "sip:answer@"),
            &[488],
        ),
        (
            with_body(
                "application/sdp",
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n",
            )
            .replace("sip:x@", "sip:answer@"),
            &[488],
        ),
        (format!("{good}{good}"), &[200, 400]),
        ("\r\n".repeat(1_000), ANY),
        ("x".repeat(60_000), ANY),
        (good.replace("Contact: ", &format!("Subject: {}\r\nContact: ", "s".repeat(50_000))), &[200, 400, 413, 513]),
        (
            good.replace("Contact: ", &"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\n".repeat(300))
                .replace("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\n<", "Contact: <"),
            ANY,
        ),
        ("SIP/2.0 200 OK\r\n\r\n".to_owned(), ANY),
        (good.replacen("OPTIONS sip:x", "SIP/2.0 999 sip:x", 1), ANY),
        ("ACK sip:x SIP/2.0\r\n\r\n".to_owned(), ANY),
        (String::new(), ANY),
    ];
    let mut all: Vec<(Vec<u8>, &[u16])> = text.into_iter().map(|(text, right)| (text.into_bytes(), right)).collect();
    all.push(((0..=255).collect(), ANY));
    all.push((good.bytes().map(|byte| if byte == b':' { 0 } else { byte }).collect(), ANY));
    all.push((good.as_bytes()[..good.len() / 2].to_vec(), ANY));
    all.push((
        good.replace("sip:m@", "sip:\u{fffd}@").into_bytes().iter().map(|byte| if *byte == 0xBD { 0xFF } else { *byte }).collect(),
        ANY,
    ));
    all
}

fn status(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.strip_prefix(b"SIP/2.0 ")?.get(..3)?).ok()?.parse().ok()
}

#[test]
fn fifty_malformed_messages_get_a_clear_answer_and_the_server_stays_up() {
    let server = Server::start();
    let address = server.sip("UDP");
    let count = mutations(&options(address, address, 0)).len();
    assert!(count >= 50, "{count}");
    let mut wrong = Vec::new();
    for nth in 0..count {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (bytes, right) = mutations(&options(address, socket.local_addr().unwrap(), nth)).swap_remove(nth);
        socket.send_to(&bytes, address).unwrap();
        socket.set_read_timeout(Some(if right.is_empty() { SHORT } else { PATIENCE / 12 })).unwrap();
        let mut buffer = [0; 65_536];
        let answer = socket.recv(&mut buffer).ok().and_then(|length| status(&buffer[..length]));
        if !right.is_empty() && !answer.is_some_and(|status| right.contains(&status) || status == 100) {
            wrong.push(format!("{answer:?} instead of {right:?} to\n{}", String::from_utf8_lossy(&bytes[..bytes.len().min(600)])));
        }
    }
    assert!(wrong.is_empty(), "{} answers are not as wished:\n{}", wrong.len(), wrong.join("\n"));
    still_serves(&server);
    server.stop();
}

#[test]
fn garbage_and_half_messages_over_tcp_close_only_their_own_connection() {
    let server = Server::start();
    let address = server.sip("TCP");
    for garbage in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "\u{0}".repeat(5_000),
        "x".repeat(200_000),
        "OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SHORT)).unwrap();
        let _ = stream.write_all(garbage.as_bytes());
        let _ = stream.read(&mut [0; 4_096]);
    }
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TC").unwrap();
    still_serves(&server);
    server.stop();
}

fn still_serves(server: &Server) {
    let (reports, good) = reports(phone(&["--to", &server.uri("music"), "--hangup-after", "500ms"]));
    assert!(good, "after the garbage a good call must work: {reports:?}");
}

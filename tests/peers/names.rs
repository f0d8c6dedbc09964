//! A carrier behind a name: the server asks a name server of ours, tries the places in turn, and remembers which one is dead.

use std::net::{SocketAddr, UdpSocket};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};

use crate::stage::{PATIENCE, Server, phone, reports};

const TTL: u32 = 300;

fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).unwrap();
    name.set_fqdn(true);
    name
}

/// A name server that knows one carrier with two places; it serves as long as the test's process lives.
fn name_server(first: u16, second: u16) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let srv = |priority, port| RData::SRV(SRV::new(priority, 0, port, name("gate.carrier.test")));
    let records = [
        ("_sip._udp.carrier.test", srv(10, first)),
        ("_sip._udp.carrier.test", srv(20, second)),
        ("gate.carrier.test", RData::A(A([127, 0, 0, 1].into()))),
    ];
    std::thread::spawn(move || {
        let mut buffer = [0u8; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            answer.metadata.recursion_available = true;
            answer.add_query(query.clone());
            let asked = query.name().to_utf8().to_ascii_lowercase();
            let known: Vec<&RData> =
                records.iter().filter(|(known, _)| asked.trim_end_matches('.') == *known).map(|(_, data)| data).collect();
            if known.is_empty() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for data in known.into_iter().filter(|data| data.record_type() == query.query_type()) {
                answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data.clone()));
            }
            socket.send_to(&answer.to_vec().unwrap(), peer).unwrap();
        }
    });
    address
}

/// The next INVITE at a gateway, and where it came from.
fn invite(gateway: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0u8; 4_096];
    loop {
        let (length, peer) = gateway.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("INVITE ") {
            return (text, peer);
        }
    }
}

/// Busy.
fn refuse(gateway: &UdpSocket, invite: &str, peer: SocketAddr) {
    let kept = ["Via:", "From:", "Call-ID:", "CSeq:"];
    let mut answer = "SIP/2.0 486 Busy Here\r\n".to_owned();
    for line in invite.split("\r\n").take_while(|line| !line.is_empty()) {
        if kept.iter().any(|name| line.starts_with(name)) {
            answer += &format!("{line}\r\n");
        } else if line.starts_with("To:") {
            answer += &format!("{line};tag=busy\r\n");
        }
    }
    gateway.send_to(format!("{answer}Content-Length: 0\r\n\r\n").as_bytes(), peer).unwrap();
}

#[test]
fn s85_a_trunk_behind_a_name_is_tried_place_by_place_and_the_dead_one_comes_last_from_then_on() {
    let (dead, alive) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for gateway in [&dead, &alive] {
        gateway.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let dns = name_server(port(&dead), port(&alive));
    let hotline = format!("[sip]\nname_servers = [\"{dns}\"]\n[numbers]\n\"9*\" = \"trunk:carrier\"\n");
    let server = Server::start_and(&hotline, "[trunks.carrier]\nremote = \"carrier.test\"\n");
    let call = || phone(&["--to", &server.uri("9123"), "--user", "anna", "--password", "anna-secret"]);
    let caller = call();
    let (first, _) = invite(&dead);
    assert!(first.starts_with("INVITE sip:9123@carrier.test SIP/2.0\r\n"), "{first}");
    let (second, peer) = invite(&alive);
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert_eq!(line(&first, "Call-ID"), line(&second, "Call-ID"));
    assert_ne!(line(&first, "Via"), line(&second, "Via"), "another transaction");
    refuse(&alive, &second, peer);
    let (refused, good) = reports(caller);
    assert!(!good && refused[0]["status"] == 486, "{refused:?}");
    // The dead one was left a moment ago: the next call goes to the other at once.
    let caller = call();
    let (again, peer) = invite(&alive);
    refuse(&alive, &again, peer);
    assert!(!reports(caller).1);
    assert_ne!(line(&again, "Call-ID"), line(&second, "Call-ID"));
    let call_id = line(&again, "Call-ID");
    dead.set_nonblocking(true).unwrap();
    let mut buffer = [0u8; 4_096];
    while let Ok(length) = dead.recv(&mut buffer) {
        assert!(!String::from_utf8_lossy(&buffer[..length]).contains(&call_id), "the dead one was tried first again");
    }
    server.stop();
}

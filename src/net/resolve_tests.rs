//! The resolver against a small name server of our own on loopback.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::*;
use crate::control::surface::Input;
use crate::control::words::sip::{Located, Secrecy, Whereabouts};

const TTL: u32 = 120;
const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// A name server with a zone; it counts what it is asked.
pub(super) struct NameServer {
    pub address: SocketAddr,
    pub asked: Arc<AtomicU64>,
    _task: JoinHandle<()>,
}

fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).unwrap();
    name.set_fqdn(true);
    name
}

/// One line a record: `pbx.example A 192.0.2.1`, `_sip._udp.pbx.example SRV 10 60 5060 one.pbx.example`,
/// `pbx.example NAPTR 10 50 SIP+D2U _sip._udp.pbx.example`; `silent.example` gets no answer at all.
pub(super) async fn name_server(zone: &str) -> NameServer {
    let mut records: HashMap<(Name, RecordType), Vec<RData>> = HashMap::new();
    for line in zone.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u16>().unwrap();
        let data = match words[1] {
            "A" => RData::A(A(words[2].parse().unwrap())),
            "AAAA" => RData::AAAA(AAAA(words[2].parse().unwrap())),
            "SRV" => RData::SRV(SRV::new(number(2), number(3), number(4), name(words[5]))),
            _ => RData::NAPTR(NAPTR::new(
                number(2),
                number(3),
                b"s".to_vec().into(),
                words[4].as_bytes().to_vec().into(),
                Vec::new().into(),
                name(words[5]),
            )),
        };
        records.entry((name(words[0]), data.record_type())).or_default().push(data);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        let mut buffer = [0u8; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::Relaxed);
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            if query.name().to_utf8().starts_with("silent") {
                continue;
            }
            let mut answer = Message::response(question.metadata.id, OpCode::Query);
            answer.metadata.recursion_desired = true;
            answer.metadata.recursion_available = true;
            answer.add_query(query.clone());
            let lower = Name::from_utf8(query.name().to_utf8().to_ascii_lowercase()).unwrap();
            let known = records.keys().any(|(name, _)| *name == lower);
            if !known {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for data in records.get(&(lower, query.query_type())).into_iter().flatten() {
                answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data.clone()));
            }
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    NameServer { address, asked, _task: task }
}

fn asked(text: &str) -> Whereabouts {
    crate::control::sip::whereabouts(&crate::control::sip::message::Uri::parse(text.as_bytes()).unwrap()).unwrap()
}

async fn found(server: &NameServer, uri: &str, ours: &[Transport]) -> Vec<String> {
    let resolver = Resolver::new(&[server.address]).unwrap();
    let mut places = match resolver.locate(&asked(uri), ours).await {
        Ok(answer) => answer.places,
        Err(why) => return vec![why.to_string()],
    };
    places.sort_by_key(|place| (place.priority, std::cmp::Reverse(place.weight), place.address));
    places.iter().map(|place| format!("{} {} {}/{}", place.priority, place.weight, place.transport.token(), place.address)).collect()
}

const ZONE: &str = "
    pbx.example A 192.0.2.1
    pbx.example AAAA 2001:db8::1
    records.example A 192.0.2.9
    _sip._udp.records.example SRV 10 60 5070 one.example
    _sip._udp.records.example SRV 10 20 5071 two.example
    _sip._tcp.records.example SRV 5 0 5080 one.example
    _sips._tcp.records.example SRV 5 0 5091 two.example
    one.example A 192.0.2.11
    two.example A 192.0.2.12
    naptr.example NAPTR 20 50 SIP+D2U _sip._udp.records.example
    naptr.example NAPTR 10 50 SIPS+D2T _sips._tcp.records.example
    naptr.example NAPTR 10 40 SIP+D2S _sip._sctp.records.example
    refused.example A 192.0.2.13
    _sip._udp.refused.example SRV 0 0 0 .
";

#[tokio::test]
async fn a_uri_leads_where_rfc_3263_says() {
    let server = name_server(ZONE).await;
    let udp = &[Transport::Udp][..];
    for (uri, ours, expected) in [
        ("sip:a@192.0.2.5", &ALL[..], vec!["0 0 UDP/192.0.2.5:5060"]),
        ("sips:a@192.0.2.5", &ALL, vec!["0 0 TLS/192.0.2.5:5061"]),
        ("sip:a@pbx.example", &ALL, vec!["0 0 UDP/192.0.2.1:5060", "0 0 UDP/[2001:db8::1]:5060"]),
        ("sip:a@pbx.example:5099", &ALL, vec!["0 0 UDP/192.0.2.1:5099", "0 0 UDP/[2001:db8::1]:5099"]),
        ("sips:a@pbx.example", &ALL, vec!["0 0 TLS/192.0.2.1:5061", "0 0 TLS/[2001:db8::1]:5061"]),
        ("sip:a@records.example;transport=tcp", &ALL, vec!["0 0 TCP/192.0.2.11:5080"]),
        ("sip:a@records.example:5060", &ALL, vec!["0 0 UDP/192.0.2.9:5060"]),
        ("sip:a@records.example", udp, vec!["0 60 UDP/192.0.2.11:5070", "0 20 UDP/192.0.2.12:5071"]),
        ("sip:a@naptr.example", &ALL, vec!["0 0 TLS/192.0.2.12:5091", "1 60 UDP/192.0.2.11:5070", "1 20 UDP/192.0.2.12:5071"]),
        ("sips:a@naptr.example", &ALL, vec!["0 0 TLS/192.0.2.12:5091"]),
        ("sip:a@naptr.example", udp, vec!["0 60 UDP/192.0.2.11:5070", "0 20 UDP/192.0.2.12:5071"]),
        ("sip:a@refused.example", udp, vec!["0 0 UDP/192.0.2.13:5060"]),
        ("sip:a@nobody.example", &ALL, vec!["nobody.example has no address that we can reach"]),
        ("sips:a@pbx.example", udp, vec!["pbx.example has no address that we can reach"]),
    ] {
        assert_eq!(found(&server, uri, ours).await, expected, "{uri} over {ours:?}");
    }
    assert_eq!(
        found(&server, "sip:a@records.example", &ALL).await,
        ["0 60 UDP/192.0.2.11:5070", "0 20 UDP/192.0.2.12:5071", "1 0 TCP/192.0.2.11:5080", "2 0 TLS/192.0.2.12:5091"],
        "without NAPTR our own order of transports ranks"
    );
}

#[tokio::test]
async fn answers_are_kept_for_their_time_and_silence_is_a_failure() {
    let server = name_server(ZONE).await;
    let resolver = Resolver::new(&[server.address]).unwrap();
    let answer = resolver.locate(&asked("sip:a@pbx.example:5060"), &ALL).await.unwrap();
    assert!(answer.keep.as_secs() > 100 && answer.keep.as_secs() <= u64::from(TTL), "{:?}", answer.keep);
    let before = server.asked.load(Ordering::Relaxed);
    resolver.locate(&asked("sip:a@pbx.example:5060"), &ALL).await.unwrap();
    assert_eq!(server.asked.load(Ordering::Relaxed), before);
    let why = resolver.locate(&asked("sip:a@silent.example:5060"), &ALL).await.unwrap_err();
    assert!(matches!(why, LocateError::Failed { .. }), "{why}");
}

#[tokio::test]
async fn the_rules_are_always_answered_and_get_paths_over_sockets_that_are_open() {
    let server = name_server(ZONE).await;
    let (inputs, outlet) = crossbeam_channel::bounded(8);
    let listeners = vec![super::tests::listener(Transport::Udp)];
    let opening = Opening { listeners, tls: None, name_servers: vec![server.address] };
    let handle = start(opening, inputs).unwrap();
    let mut outlet = super::tests::Outlet(outlet);
    let mut ask = async |question: Whereabouts| {
        handle.locate(question.clone());
        match outlet.recv().await {
            Some(Input::Located(answered, located)) => {
                assert_eq!(answered, question);
                located
            }
            other => panic!("{other:?}"),
        }
    };
    match ask(asked("sip:a@pbx.example")).await {
        Located::At { places, .. } => {
            assert_eq!(places.len(), 1, "no IPv6 socket is open");
            assert_eq!(places[0].flow.remote, "192.0.2.1:5060".parse::<std::net::SocketAddr>().unwrap());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ask(asked("sip:a@nobody.example")).await, Located::Nowhere);
    assert_eq!(ask(Whereabouts { secrecy: Secrecy::Tls, ..asked("sip:a@pbx.example") }).await, Located::Nowhere);
    assert_eq!(ask(asked("sip:a@silent.example:5060")).await, Located::Failed);
}

//! Real sockets on ports that the system chooses.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;
use crate::control::sip::message::Method;
use crate::control::surface::Input;
use crate::control::words::sip::Flow;

pub(super) const LISTENER: ListenerId = ListenerId(0);

pub(super) fn listener(transport: Transport) -> Listener {
    let address = "127.0.0.1:0".parse().unwrap();
    Listener { id: LISTENER, transport, bound: address, advertised: address }
}

pub(super) fn request(method: &str, to_tag: &str, body: &str) -> String {
    format!(
        "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;rport;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>{to_tag}\r\n\
         Call-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The rules' end of the channel, awaited as a test does.
pub(super) struct Outlet(pub(super) crossbeam_channel::Receiver<Input>);

impl Outlet {
    pub(super) async fn recv(&mut self) -> Option<Input> {
        let messages = self.0.clone();
        tokio::task::spawn_blocking(move || messages.recv().ok()).await.unwrap()
    }
}

async fn server(transport: Transport, room: usize) -> (Handle, SocketAddr, Outlet) {
    let (inputs, messages) = crossbeam_channel::bounded(room);
    let handle = start(Opening { listeners: vec![listener(transport)], ..Opening::default() }, inputs).unwrap();
    let address = handle.local_addr(LISTENER).unwrap();
    (handle, address, Outlet(messages))
}

pub(super) async fn message(outlet: &mut Outlet) -> (Flow, Method) {
    match outlet.recv().await {
        Some(Input::Sip(received)) => (received.flow, received.message.method()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_datagram_comes_in_and_its_answer_goes_back() {
    let (handle, address, mut outlet) = server(Transport::Udp, 8).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(request("OPTIONS", "", "").as_bytes(), address).await.unwrap();
    let (flow, method) = message(&mut outlet).await;
    assert_eq!((flow.remote, method), (peer.local_addr().unwrap(), Method::Options));
    handle.send(Transmit { flow, bytes: Bytes::from_static(b"answer") });
    let mut buffer = [0u8; 64];
    let length = peer.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"answer");
}

#[tokio::test]
async fn a_malformed_request_is_answered_400_at_the_door() {
    let (handle, address, _outlet) = server(Transport::Udp, 8).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(b"\r\n\r\n", address).await.unwrap();
    peer.send_to(b"no SIP at all, but long enough", address).await.unwrap();
    peer.send_to(request("OPTIONS", "", "").replace("CSeq: 1", "CSeq: x").as_bytes(), address).await.unwrap();
    let mut buffer = [0u8; 1_024];
    let length = peer.recv(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 400 CSeq: the number is not below 2147483648\r\n"));
    assert_eq!(handle.counts().malformed.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_full_lane_refuses_what_is_new_at_once_and_what_belongs_to_calls_has_its_own() {
    let ((running, calls), (fresh, begun)) = (crossbeam_channel::bounded(8), crossbeam_channel::bounded(7));
    let opening = Opening { listeners: vec![listener(Transport::Udp)], ..Opening::default() };
    let handle = start(opening, Lanes { running: running.into(), fresh: fresh.into() }).unwrap();
    let address = handle.local_addr(LISTENER).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..7 {
        peer.send_to(request("OPTIONS", "", "").as_bytes(), address).await.unwrap();
    }
    peer.send_to(request("INVITE", "", "").as_bytes(), address).await.unwrap();
    peer.send_to(request("BYE", ";tag=2", "").as_bytes(), address).await.unwrap();
    let mut buffer = [0u8; 1_024];
    let length = peer.recv(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 503 Service Unavailable\r\n") && answer.contains("Retry-After: 3\r\n"), "{answer}");
    assert_eq!(message(&mut Outlet(calls)).await.1, Method::Bye);
    let mut begun = Outlet(begun);
    for _ in 0..7 {
        assert_eq!(message(&mut begun).await.1, Method::Options);
    }
    assert_eq!(handle.counts().refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_comes_from_behind_the_fence_is_dropped_unread() {
    let (handle, address, mut outlet) = server(Transport::Udp, 8).await;
    let fence = Fence { deny: vec!["127.0.0.41".parse().unwrap()], ..Fence::default() };
    handle.fence(Arc::new(fence));
    let (denied, peer) = (UdpSocket::bind("127.0.0.41:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    denied.send_to(request("INVITE", "", "").as_bytes(), address).await.unwrap();
    peer.send_to(request("OPTIONS", "", "").as_bytes(), address).await.unwrap();
    assert_eq!(message(&mut outlet).await.1, Method::Options);
    assert_eq!(handle.counts().shut_out.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_stream_is_cut_into_messages_and_keep_alives_are_answered() {
    let (handle, address, mut outlet) = server(Transport::Tcp, 8).await;
    let mut peer = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"\r\n\r\n".to_vec();
    bytes.extend_from_slice(request("OPTIONS", "", "two\r\n\r\nparts").as_bytes());
    bytes.extend_from_slice(request("BYE", ";tag=2", "").as_bytes());
    let (first, second) = bytes.split_at(150);
    peer.write_all(first).await.unwrap();
    let mut pong = [0u8; 2];
    peer.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    peer.write_all(second).await.unwrap();
    let (flow, method) = message(&mut outlet).await;
    assert!(flow.connection.is_some() && method == Method::Options);
    assert_eq!(message(&mut outlet).await.1, Method::Bye);
    handle.send(Transmit { flow, bytes: Bytes::from_static(b"answer") });
    let mut answer = [0u8; 6];
    peer.read_exact(&mut answer).await.unwrap();
    drop(peer);
    assert!(matches!(outlet.recv().await, Some(Input::SipBroken(broken)) if broken == flow));
}

#[tokio::test]
async fn a_connection_is_made_on_demand_and_used_again() {
    let (handle, _, mut outlet) = server(Transport::Tcp, 8).await;
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { listener: LISTENER, transport: Transport::Tcp, remote: there.local_addr().unwrap(), connection: None };
    handle.send(Transmit { flow, bytes: Bytes::from_static(b"one") });
    handle.send(Transmit { flow, bytes: Bytes::from_static(b"two") });
    let (mut peer, _) = there.accept().await.unwrap();
    let mut both = [0u8; 6];
    peer.read_exact(&mut both).await.unwrap();
    assert_eq!(&both, b"onetwo");
    peer.write_all(request("OPTIONS", "", "").as_bytes()).await.unwrap();
    let (back, _) = message(&mut outlet).await;
    assert!(back.connection.is_some() && back.remote == flow.remote);
}

#[tokio::test]
async fn nobody_there_and_garbage_break_the_stream() {
    let (handle, address, mut outlet) = server(Transport::Tcp, 8).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    handle.send(Transmit {
        flow: Flow { listener: LISTENER, transport: Transport::Tcp, remote: gone, connection: None },
        bytes: Bytes::from_static(b"x"),
    });
    assert!(matches!(outlet.recv().await, Some(Input::SipBroken(flow)) if flow.remote == gone));
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").await.unwrap();
    assert!(matches!(outlet.recv().await, Some(Input::SipBroken(_))));
    assert_eq!(peer.read(&mut [0u8; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (inputs, _outlet) = crossbeam_channel::bounded(1);
    let listeners = vec![Listener { bound: address, ..listener(Transport::Udp) }];
    let why = start(Opening { listeners, ..Opening::default() }, inputs).unwrap_err();
    assert!(why.to_string().contains(&format!("SIP listener UDP {address}")), "{why}");
}

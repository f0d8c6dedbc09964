//! Streams on real sockets: TLS and WebSocket from both sides, bytes that come one by one, peers that are slow, rude or many.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite;

use super::tests::{LISTENER, Outlet, listener, message, request};
use super::tls::{Clients, Owner, Servers, Settings};
use super::*;
use crate::control::sip::message::Method;
use crate::control::surface::Input;
use crate::control::words::sip::ConnectionId;

const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes soon")
}

/// The next input, without a thread that waits for it: who gives up takes nothing with him.
async fn next(outlet: &Outlet) -> Input {
    let mut clock = tokio::time::interval(Duration::from_millis(5));
    loop {
        clock.tick().await;
        if let Ok(input) = outlet.0.try_recv() {
            return input;
        }
    }
}

/// The next message; connections that break meanwhile are passed over.
async fn spoken(outlet: &Outlet) -> (Flow, Method) {
    loop {
        if let Input::Sip(received) = next(outlet).await {
            return (received.flow, received.message.method());
        }
    }
}

fn settings(folder: &tempfile::TempDir) -> Settings {
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    Settings {
        certificate: file("certificate.pem"),
        key: file("key.pem"),
        owner: Owner::Us(names),
        clients: Clients::NotAsked,
        authorities: None,
        servers: Servers::Verified,
    }
}

struct Stage {
    handle: Handle,
    address: SocketAddr,
    outlet: Outlet,
    tls: Arc<Tls>,
    folder: tempfile::TempDir,
}

async fn stage(transport: Transport) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let tls = Arc::new(Tls::open(settings(&folder)).unwrap());
    let (handle, address, outlet) = open(transport, Arc::clone(&tls)).await;
    Stage { handle, address, outlet, tls, folder }
}

async fn open(transport: Transport, tls: Arc<Tls>) -> (Handle, SocketAddr, Outlet) {
    let (inputs, messages) = crossbeam_channel::bounded(256);
    let opening = Opening { listeners: vec![listener(transport)], tls: Some(tls), name_servers: Vec::new() };
    let handle = start(opening, inputs).unwrap();
    let address = handle.local_addr(LISTENER).unwrap();
    (handle, address, Outlet(messages))
}

/// What a phone believes: the stage's own certificate.
fn believing(stage: &Stage) -> Arc<Tls> {
    Arc::new(Tls::dialling(Some(stage.folder.path().join("certificate.pem")), Servers::Verified).unwrap())
}

async fn secured(stage: &Stage) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(believing(stage).client()).connect(name, stream).await.unwrap()
}

/// Asks over a stream and gets the rules' answer.
async fn ask_and_answer(stage: &Stage, mut peer: impl AsyncRead + AsyncWrite + Unpin) {
    peer.write_all(request("OPTIONS", "", "").as_bytes()).await.unwrap();
    let (flow, method) = soon(spoken(&stage.outlet)).await;
    assert_eq!(method, Method::Options);
    stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"answer") });
    let mut answer = [0u8; 6];
    soon(peer.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"answer");
}

#[tokio::test]
async fn s80_a_message_comes_in_over_tls_and_its_answer_goes_back() {
    let stage = stage(Transport::Tls).await;
    let peer = secured(&stage).await;
    ask_and_answer(&stage, peer).await;
}

/// We dial `name` at the stage from a second set of sockets; true when the message arrives.
async fn dial(stage: &Stage, transport: Transport, name: &str, tls: Arc<Tls>) -> Option<Flow> {
    let (phone, _, heard) = open(transport, tls).await;
    let flow = Flow { listener: LISTENER, transport, remote: stage.address, connection: None };
    let flow = phone.place(flow, name).await;
    phone.send(Transmit { flow, bytes: Bytes::from(request("OPTIONS", "", "")) });
    let told = tokio::select! {
        came = spoken(&stage.outlet) => Some(came.0),
        _ = next(&heard) => None,
    };
    let back = told?;
    stage.handle.send(Transmit { flow: back, bytes: Bytes::from(request("BYE", ";tag=2", "")) });
    let (there, method) = soon(spoken(&heard)).await;
    assert_eq!((there, method), (flow, Method::Bye), "the answer comes over the connection that was dialled");
    Some(back)
}

#[tokio::test]
async fn s80_what_we_dial_over_tls_must_show_a_certificate_for_the_name_we_called() {
    let stage = stage(Transport::Tls).await;
    let tls = believing(&stage);
    assert!(soon(dial(&stage, Transport::Tls, "localhost", Arc::clone(&tls))).await.is_some());
    assert!(soon(dial(&stage, Transport::Tls, "127.0.0.1", Arc::clone(&tls))).await.is_some());
    assert!(soon(dial(&stage, Transport::Tls, "other.example", Arc::clone(&tls))).await.is_none(), "the name is another one");
    let stranger = Arc::new(Tls::dialling(None, Servers::Verified).unwrap());
    assert!(soon(dial(&stage, Transport::Tls, "localhost", stranger)).await.is_none(), "nobody signed it");
    let careless = Arc::new(Tls::dialling(None, Servers::Anyone).unwrap());
    assert!(soon(dial(&stage, Transport::Tls, "other.example", careless)).await.is_some());
}

#[tokio::test]
async fn websocket_is_dialled_and_answered_with_and_without_tls() {
    for transport in [Transport::Ws, Transport::Wss] {
        let stage = stage(transport).await;
        let tls = believing(&stage);
        let back = soon(dial(&stage, transport, "localhost", tls)).await.expect("the handshake succeeds");
        assert_eq!(back.transport, transport);
    }
}

async fn browser(stage: &Stage, protocols: Option<&str>) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, tungstenite::Error> {
    use tungstenite::client::IntoClientRequest;
    let mut request = format!("ws://{}/", stage.address).into_client_request().unwrap();
    if let Some(protocols) = protocols {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.parse().unwrap());
    }
    let stream = TcpStream::connect(stage.address).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, response)| {
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
        socket
    })
}

#[tokio::test]
async fn websocket_takes_text_and_binary_and_answers_text_pings_and_double_line_ends() {
    let mut stage = stage(Transport::Ws).await;
    let mut browser = soon(browser(&stage, Some("chat, sip"))).await.unwrap();
    for wrapped in [tungstenite::Message::text(request("OPTIONS", "", "")), tungstenite::Message::binary(request("OPTIONS", "", ""))] {
        browser.send(wrapped).await.unwrap();
        let (flow, method) = soon(message(&mut stage.outlet)).await;
        assert_eq!((flow.transport, method), (Transport::Ws, Method::Options));
        stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"SIP/2.0 200 OK") });
        assert_eq!(soon(browser.next()).await.unwrap().unwrap(), tungstenite::Message::text("SIP/2.0 200 OK"));
        stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"\xFF\xFE") });
        assert_eq!(soon(browser.next()).await.unwrap().unwrap(), tungstenite::Message::binary(&b"\xFF\xFE"[..]));
    }
    browser.send(tungstenite::Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(soon(browser.next()).await.unwrap().unwrap(), tungstenite::Message::text("\r\n"));
    browser.send(tungstenite::Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
    assert_eq!(soon(browser.next()).await.unwrap().unwrap(), tungstenite::Message::Pong(Bytes::from_static(b"?")));
    browser.close(None).await.unwrap();
    assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(_))));
}

#[tokio::test]
async fn websocket_without_the_subprotocol_or_with_a_message_too_long_is_refused() {
    let mut stage = stage(Transport::Ws).await;
    for protocols in [None, Some("chat")] {
        match soon(browser(&stage, protocols)).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 400),
            other => panic!("{other:?}"),
        }
        assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(_))));
    }
    let mut browser = soon(browser(&stage, Some("sip"))).await.unwrap();
    browser.send(tungstenite::Message::text("x".repeat(70_000))).await.unwrap();
    assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(_))));
    while let Some(Ok(_)) = soon(browser.next()).await {}
}

#[tokio::test]
async fn messages_are_whole_wherever_the_stream_is_cut() {
    let mut stage = stage(Transport::Tcp).await;
    let text = format!("{}\r\n\r\n{}", request("OPTIONS", "", "v=0\r\n\r\nm=x"), request("BYE", ";tag=2", ""));
    let bytes = text.as_bytes();
    for cut in 1..bytes.len() {
        let mut peer = TcpStream::connect(stage.address).await.unwrap();
        peer.set_nodelay(true).unwrap();
        peer.write_all(&bytes[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        peer.write_all(&bytes[cut..]).await.unwrap();
        let first = soon(message(&mut stage.outlet)).await.1;
        let second = soon(message(&mut stage.outlet)).await.1;
        assert_eq!((first, second), (Method::Options, Method::Bye), "cut after {cut} bytes");
        let mut pong = [0u8; 2];
        soon(peer.read_exact(&mut pong)).await.unwrap();
        drop(peer);
        assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(_))));
    }
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_over_tls_is_one() {
    let mut stage = stage(Transport::Tls).await;
    let mut peer = secured(&stage).await;
    for byte in request("OPTIONS", "", "body").as_bytes() {
        peer.write_all(&[*byte]).await.unwrap();
        peer.flush().await.unwrap();
    }
    assert_eq!(soon(message(&mut stage.outlet)).await.1, Method::Options);
}

#[tokio::test]
async fn what_is_no_tls_ends_the_connection_and_hurts_nobody() {
    let mut stage = stage(Transport::Tls).await;
    let hello = [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03];
    let bad: [&[u8]; 6] = [
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"\x16\x03\x01\xff\xff",
        &hello,
        b"\x80\x2e\x01\x00\x02",
        &[0u8; 4_096],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in bad {
        let mut peer = TcpStream::connect(stage.address).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(_))), "{bytes:?}");
        let mut rest = Vec::new();
        drop(soon(peer.read_to_end(&mut rest)).await);
        assert!(!rest.starts_with(b"SIP"), "nothing of SIP in clear");
    }
    let peer = secured(&stage).await;
    ask_and_answer(&stage, peer).await;
}

#[tokio::test]
async fn clients_that_must_show_a_certificate_are_let_in_with_a_signed_one_only() {
    let folder = tempfile::tempdir().unwrap();
    drop(Tls::open(settings(&folder)).unwrap());
    // The partner signs himself: his certificate is its own authority.
    let partner = tempfile::tempdir().unwrap();
    drop(Tls::open(settings(&partner)).unwrap());
    let authorities = Some(partner.path().join("certificate.pem"));
    let strict = Settings { clients: Clients::Required, authorities, ..settings(&folder) };
    let tls = Arc::new(Tls::open(strict).unwrap());
    let (handle, address, outlet) = open(Transport::Tls, Arc::clone(&tls)).await;
    let stage = Stage { handle, address, outlet, tls, folder };
    let without = believing(&stage);
    assert!(soon(dial(&stage, Transport::Tls, "localhost", without)).await.is_none());
    let authorities = Some(stage.folder.path().join("certificate.pem"));
    let with = Arc::new(Tls::open(Settings { authorities, ..settings(&partner) }).unwrap());
    let came = soon(async {
        let (phone, _, _heard) = open(Transport::Tls, with).await;
        let flow = Flow { listener: LISTENER, transport: Transport::Tls, remote: stage.address, connection: None };
        let flow = phone.place(flow, "localhost").await;
        phone.send(Transmit { flow, bytes: Bytes::from(request("OPTIONS", "", "")) });
        spoken(&stage.outlet).await.1
    })
    .await;
    assert_eq!(came, Method::Options);
    let nobody = Settings { clients: Clients::Asked, authorities: None, ..settings(&stage.folder) };
    assert!(Tls::open(nobody).unwrap_err().to_string().contains("no authority is named"));
    drop(stage.tls);
}

#[tokio::test]
async fn a_changed_certificate_is_shown_to_the_next_who_connects_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    drop(Tls::open(settings(&folder)).unwrap());
    let theirs = Settings { owner: Owner::Operator, ..settings(&folder) };
    let tls = Arc::new(Tls::open(theirs.clone()).unwrap());
    let (handle, address, outlet) = open(Transport::Tls, Arc::clone(&tls)).await;
    let stage = Stage { handle, address, outlet, tls, folder };
    let mut first = secured(&stage).await;
    std::fs::write(&theirs.certificate, "no certificate").unwrap();
    let before = Arc::as_ptr(&stage.tls.server().unwrap());
    // The watch looks once a second; what is broken changes nothing.
    let mut clock = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..30 {
        clock.tick().await;
        assert_eq!(Arc::as_ptr(&stage.tls.server().unwrap()), before);
    }
    std::fs::remove_file(&theirs.certificate).unwrap();
    let now = crate::clock::now();
    assert!(certificate::make_unless_good(&theirs.certificate, &theirs.key, &["localhost".to_owned()], now).unwrap());
    soon(async {
        while Arc::as_ptr(&stage.tls.server().unwrap()) == before {
            clock.tick().await;
        }
    })
    .await;
    // Who believes the new certificate gets in; who was there before stays.
    let fresh = secured(&stage).await;
    ask_and_answer(&stage, fresh).await;
    first.write_all(request("BYE", ";tag=2", "").as_bytes()).await.unwrap();
    assert_eq!(soon(spoken(&stage.outlet)).await.1, Method::Bye);
}

#[tokio::test]
async fn a_crowd_of_silent_connections_leaves_room_for_those_who_speak() {
    let mut stage = stage(Transport::Tcp).await;
    let mut speaking = TcpStream::connect(stage.address).await.unwrap();
    speaking.write_all(request("OPTIONS", "", "").as_bytes()).await.unwrap();
    let (flow, _) = soon(message(&mut stage.outlet)).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(stage.address).await.unwrap());
    }
    let turned_away = || stage.handle.counts().turned_away.load(Ordering::Relaxed);
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    soon(async {
        while turned_away() < 200 - 128 {
            clock.tick().await;
        }
    })
    .await;
    stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"answer") });
    let mut answer = [0u8; 6];
    soon(speaking.read_exact(&mut answer)).await.unwrap();
    drop(crowd);
    // When the crowd is gone, the next one from the same address gets in again.
    loop {
        let mut next = TcpStream::connect(stage.address).await.unwrap();
        next.write_all(request("BYE", ";tag=2", "").as_bytes()).await.unwrap();
        let mut byte = [0u8; 1];
        tokio::select! {
            came = spoken(&stage.outlet) => break assert_eq!(came.1, Method::Bye),
            _ = next.read(&mut byte) => {}
        }
    }
}

#[tokio::test]
async fn a_peer_that_gives_an_alias_is_reached_over_his_connection() {
    let mut stage = stage(Transport::Tcp).await;
    let mut peer = TcpStream::connect(stage.address).await.unwrap();
    let text = request("OPTIONS", "", "").replace("UDP 127.0.0.1:1;rport", "TCP 127.0.0.1:5999;alias");
    peer.write_all(text.as_bytes()).await.unwrap();
    let (came, _) = soon(message(&mut stage.outlet)).await;
    let flow = Flow { remote: SocketAddr::new(came.remote.ip(), 5_999), connection: None, ..came };
    stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"request") });
    let mut bytes = [0u8; 7];
    soon(peer.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"request");
    // Another address than his own is nobody's alias.
    let text = request("OPTIONS", "", "").replace("UDP 127.0.0.1:1;rport", "TCP 127.0.0.9:5998;alias");
    peer.write_all(text.as_bytes()).await.unwrap();
    soon(message(&mut stage.outlet)).await;
    let flow = Flow { remote: "127.0.0.9:5998".parse().unwrap(), connection: None, ..came };
    stage.handle.send(Transmit { flow, bytes: Bytes::from_static(b"request") });
    assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(broken)) if broken.remote == flow.remote));
}

#[tokio::test]
async fn a_connection_that_the_peer_made_and_ended_is_not_made_by_us() {
    let mut stage = stage(Transport::Tcp).await;
    let gone = Flow { listener: LISTENER, transport: Transport::Tcp, remote: stage.address, connection: Some(ConnectionId(77)) };
    stage.handle.send(Transmit { flow: gone, bytes: Bytes::from_static(b"x") });
    assert!(matches!(soon(stage.outlet.recv()).await, Some(Input::SipBroken(broken)) if broken == gone));
}

#[tokio::test]
async fn a_far_end_that_we_dialled_is_dialled_again_under_its_number() {
    let stage = stage(Transport::Tcp).await;
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { listener: LISTENER, transport: Transport::Tcp, remote: there.local_addr().unwrap(), connection: None };
    let mut flow = flow;
    for word in ["one", "two"] {
        stage.handle.send(Transmit { flow, bytes: Bytes::from(word) });
        let (mut peer, _) = soon(there.accept()).await.unwrap();
        let mut bytes = [0u8; 3];
        soon(peer.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(&bytes, word.as_bytes());
        drop(peer);
        let Stage { outlet: Outlet(inputs), .. } = &stage;
        let inputs = inputs.clone();
        let broken = tokio::task::spawn_blocking(move || inputs.recv().unwrap()).await.unwrap();
        match broken {
            Input::SipBroken(broken) => {
                assert!(broken.connection.is_some() && broken.connection == flow.connection.or(broken.connection));
                flow = broken;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn stun_on_the_sip_port_tells_a_phone_its_address() {
    let (inputs, _outlet) = crossbeam_channel::bounded(1);
    let opening = Opening { listeners: vec![listener(Transport::Udp)], ..Opening::default() };
    let handle = start(opening, inputs).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let question = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], b"twelve bytes"].concat();
    peer.send_to(&question, handle.local_addr(LISTENER).unwrap()).await.unwrap();
    let mut answer = [0u8; 64];
    let length = soon(peer.recv(&mut answer)).await.unwrap();
    assert_eq!((&answer[..2], &answer[8..20], length), (&[1, 1][..], &b"twelve bytes"[..], 40));
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    assert_eq!(port, peer.local_addr().unwrap().port());
}

#[tokio::test]
async fn ipv6_has_its_own_listeners() {
    let (inputs, outlet) = crossbeam_channel::bounded(8);
    let any = |id: u16, transport| Listener { id: ListenerId(id), bound: "[::1]:0".parse().unwrap(), ..listener(transport) };
    let opening = Opening { listeners: vec![any(0, Transport::Udp), any(1, Transport::Tcp)], ..Opening::default() };
    let Ok(handle) = start(opening, inputs) else {
        println!("SKIPPED: this machine has no IPv6");
        return;
    };
    let mut outlet = Outlet(outlet);
    let peer = UdpSocket::bind("[::1]:0").await.unwrap();
    peer.send_to(request("OPTIONS", "", "").as_bytes(), handle.local_addr(ListenerId(0)).unwrap()).await.unwrap();
    assert!(soon(message(&mut outlet)).await.0.remote.is_ipv6());
    let mut stream = TcpStream::connect(handle.local_addr(ListenerId(1)).unwrap()).await.unwrap();
    stream.write_all(request("BYE", ";tag=2", "").as_bytes()).await.unwrap();
    assert_eq!(soon(message(&mut outlet)).await.1, Method::Bye);
}

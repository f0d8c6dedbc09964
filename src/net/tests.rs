use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;
use crate::control::words::sip::Flow;

const OPTIONS: &str = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(5);

async fn opened(transport: Transport, room: usize) -> (Handle, Receiver<Input>, SocketAddr) {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport, bound: any, advertised: any };
    let (inputs, line) = bounded(room);
    let handle = start(&[listener], inputs).await.unwrap();
    let address = handle.local_addr(ListenerId(0)).unwrap();
    (handle, line, address)
}

async fn next(line: &Receiver<Input>) -> Input {
    let line = line.clone();
    tokio::task::spawn_blocking(move || line.recv_timeout(PATIENCE)).await.unwrap().unwrap()
}

fn flow(input: Input) -> Flow {
    let Input::Sip(received) = input else { panic!("a message: {input:?}") };
    received.flow
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_comes_in_and_an_answer_goes_back_along_it() {
    let (handle, line, address) = opened(Transport::Udp, 8).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(OPTIONS.as_bytes(), address).await.unwrap();
    let flow = flow(next(&line).await);
    handle.send(Transmit { flow, bytes: "answer".into() });
    let mut buffer = [0; 64];
    let length = phone.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_is_told_what_is_wrong() {
    let (_handle, _line, address) = opened(Transport::Udp, 8).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(OPTIONS.replace("CSeq: 7", "CSeq: x").as_bytes(), address).await.unwrap();
    let mut buffer = [0; 2_048];
    let length = phone.recv(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert!(answer.starts_with("SIP/2.0 400 ") && answer.lines().next().unwrap().contains("CSeq"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_line_refuses_new_calls_and_keeps_room_for_the_others() {
    let (_handle, line, address) = opened(Transport::Udp, 4).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let invite = OPTIONS.replace("OPTIONS", "INVITE");
    for _ in 0..4 {
        phone.send_to(invite.as_bytes(), address).await.unwrap();
    }
    let mut buffer = [0; 2_048];
    let length = phone.recv(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..length]);
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("Retry-After:"), "{answer}");
    phone.send_to(invite.replace("To: <sip:b@h>", "To: <sip:b@h>;tag=2").as_bytes(), address).await.unwrap();
    for _ in 0..4 {
        next(&line).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_cut_into_messages_and_kept_alive() {
    let (handle, line, address) = opened(Transport::Tcp, 8).await;
    let mut phone = TcpStream::connect(address).await.unwrap();
    let two = format!("{OPTIONS}\r\n\r\n{OPTIONS}");
    let (first, rest) = two.split_at(50);
    phone.write_all(first.as_bytes()).await.unwrap();
    phone.write_all(rest.as_bytes()).await.unwrap();
    let (first, second) = (flow(next(&line).await), flow(next(&line).await));
    assert_eq!(first, second);
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\r\n");
    handle.send(Transmit { flow: first, bytes: "answer".into() });
    let mut answer = [0; 6];
    phone.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"answer");
    drop(phone);
    assert!(matches!(next(&line).await, Input::SipBroken(broken) if broken == first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_made_on_demand_and_a_refused_one_is_told() {
    let (handle, line, _address) = opened(Transport::Tcp, 8).await;
    let far = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow { listener: ListenerId(0), transport: Transport::Tcp, remote: far.local_addr().unwrap(), connection: None };
    handle.send(Transmit { flow, bytes: "hello".into() });
    let (mut stream, _) = far.accept().await.unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    drop((stream, far));
    assert!(matches!(next(&line).await, Input::SipBroken(_)), "the far end closed");
    handle.send(Transmit { flow, bytes: "hello".into() });
    assert!(matches!(next(&line).await, Input::SipBroken(_)), "nobody listens there now");
}

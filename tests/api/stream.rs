//! The event stream: welcome, acknowledgement, resume, the window, strangers.

use futures_util::{SinkExt, StreamExt};
use hotline::control::event::Fact;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::house::House;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(house: &House) -> Socket {
    let url = format!("{}/v1/events/ws", house.base.replace("http:", "ws:"));
    connect_async(url).await.unwrap().0
}

async fn send(socket: &mut Socket, frame: Value) {
    socket.send(Message::text(frame.to_string())).await.unwrap();
}

/// The next frame that is no ping.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn hello(house: &House, more: Value) -> (Socket, Value) {
    let mut socket = connect(house).await;
    let mut hello = json!({"token": house.admin});
    hello.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    send(&mut socket, json!({"hello": hello})).await;
    let welcome = next(&mut socket).await.unwrap();
    (socket, welcome["welcome"].clone())
}

async fn seqs(socket: &mut Socket, count: usize) -> Vec<u64> {
    let mut got = Vec::new();
    while got.len() < count {
        got.push(next(socket).await.unwrap()["event"]["seq"].as_u64().unwrap());
    }
    got
}

fn levels(count: usize) -> Vec<Fact> {
    (0..count).map(|level| Fact::Overload { level: level.to_string() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn s47_who_never_acks_gets_a_replay_and_who_acks_does_not() {
    let house = House::open().await;
    let (mut lazy, _) = hello(&house, json!({"subscriber": "lazy"})).await;
    let (mut good, welcome) = hello(&house, json!({"subscriber": "good"})).await;
    let before = welcome["seq_now"].as_u64().unwrap();
    house.given(levels(5)).await;
    let expected: Vec<u64> = (before + 1..=before + 5).collect();
    assert_eq!(seqs(&mut lazy, 5).await, expected);
    assert_eq!(seqs(&mut good, 5).await, expected);
    send(&mut good, json!({"ack": {"seq": before + 5}})).await;
    // A ping answered after the ack shows that the ack was taken.
    good.send(Message::Ping(vec![1].into())).await.unwrap();
    while !matches!(good.next().await, Some(Ok(Message::Pong(_)))) {}
    drop((lazy, good));
    let (mut lazy, _) = hello(&house, json!({"subscriber": "lazy"})).await;
    assert_eq!(seqs(&mut lazy, 5).await, expected, "never acknowledged: replayed");
    let (mut good, _) = hello(&house, json!({"subscriber": "good"})).await;
    house.given(levels(1)).await;
    assert_eq!(seqs(&mut good, 1).await, [before + 6], "acknowledged: only what is new");
}

#[tokio::test(flavor = "multi_thread")]
async fn s46_a_client_that_is_cut_off_twenty_times_sees_every_event_once() {
    let house = House::open().await;
    house.given(levels(200)).await;
    let (mut last, mut all) = (0, Vec::new());
    for _ in 0..20 {
        let (mut socket, welcome) = hello(&house, json!({"resume_after_seq": last})).await;
        assert_eq!(welcome["gap"], false);
        all.extend(seqs(&mut socket, 10).await);
        last = *all.last().unwrap();
    }
    assert_eq!(all, (1..=200).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_256_events_unacknowledged_the_server_waits_for_this_client_alone() {
    let house = House::open().await;
    house.given(levels(300)).await;
    let (mut slow, _) = hello(&house, json!({"resume_after_seq": 0})).await;
    assert_eq!(seqs(&mut slow, 256).await.last(), Some(&256));
    slow.send(Message::Ping(vec![1].into())).await.unwrap();
    assert!(matches!(slow.next().await, Some(Ok(Message::Pong(_) | Message::Ping(_)))), "no event 257 before an ack");
    let (mut other, _) = hello(&house, json!({"resume_after_seq": 290})).await;
    assert_eq!(seqs(&mut other, 10).await.last(), Some(&300));
    send(&mut slow, json!({"ack": {"seq": 256}})).await;
    assert_eq!(seqs(&mut slow, 44).await.last(), Some(&300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_lets_only_its_own_events_through() {
    let house = House::open().await;
    let (mut socket, _) = hello(&house, json!({"topics": ["plan.*"]})).await;
    house.given(levels(3)).await;
    house.given(vec![Fact::PlanDrafted { plan: "p".to_owned(), version: "1".to_owned(), by: "me".to_owned() }]).await;
    let event = next(&mut socket).await.unwrap();
    assert_eq!(event["event"]["type"], "plan.drafted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_and_a_wrong_frame_are_told_why() {
    let house = House::open().await;
    for (frame, code) in [
        (json!({"hello": {"token": "hl_foreign"}}), "key_unknown"),
        (json!({"hello": {"token": house.reader}}), "scope_missing"),
        (json!({"ack": {"seq": 1}}), "hello_missing"),
        (json!({"shout": {}}), "frame_invalid"),
    ] {
        let mut socket = connect(&house).await;
        send(&mut socket, frame.clone()).await;
        assert_eq!(next(&mut socket).await.unwrap()["error"]["code"], code, "{frame}");
        assert_eq!(next(&mut socket).await, None);
    }
    let (mut ahead, _) = hello(&house, json!({})).await;
    send(&mut ahead, json!({"ack": {"seq": 1_000_000}})).await;
    assert_eq!(next(&mut ahead).await.unwrap()["error"]["code"], "ack_ahead");
}

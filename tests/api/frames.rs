//! Commands over a WebSocket, a visitor's own WebSocket, and the log as server-sent events.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use hotline::control::event::Fact;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::house::House;

/// A connection; frames that came while another kind was waited for are kept.
struct Socket {
    wire: WebSocketStream<MaybeTlsStream<TcpStream>>,
    kept: VecDeque<Value>,
}

impl Socket {
    async fn send(&mut self, frame: Value) {
        self.wire.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame of this kind.
    async fn next(&mut self, kind: &str) -> Value {
        if let Some(at) = self.kept.iter().position(|frame| frame.get(kind).is_some()) {
            return self.kept.remove(at).unwrap()[kind].take();
        }
        loop {
            if let Message::Text(text) = self.wire.next().await.unwrap().unwrap() {
                let mut frame: Value = serde_json::from_str(&text).unwrap();
                match frame.get(kind) {
                    Some(_) => return frame[kind].take(),
                    None => self.kept.push_back(frame),
                }
            }
        }
    }
}

async fn open(house: &House, path: &str, hello: Value) -> Socket {
    let (wire, _) = connect_async(format!("{}{path}", house.base.replace("http:", "ws:"))).await.unwrap();
    let mut socket = Socket { wire, kept: VecDeque::new() };
    socket.send(json!({ "hello": hello })).await;
    socket
}

async fn connect(house: &House, path: &str, hello: Value) -> (Socket, Value) {
    let mut socket = open(house, path, hello).await;
    let welcome = socket.next("welcome").await;
    (socket, welcome)
}

async fn visitor(house: &House, address: &str) -> String {
    let request = reqwest::Client::new().post(format!("{}/v1/channels/web/visitors", house.base)).bearer_auth(&house.admin);
    let answer = request.json(&json!({"address": address, "profile": {"plan": "driver-hotline"}})).send().await.unwrap();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_with_the_rights_of_its_socket_and_answered_by_its_id() {
    let house = House::open().await;
    let (mut socket, welcome) = connect(&house, "/v1/events/ws", json!({"token": house.admin})).await;
    assert!(welcome["seq_now"].is_u64(), "{welcome}");
    socket.send(json!({"cmd": {"id": "a", "method": "POST", "path": "/v1/customers", "body": {"name": "Li"}}})).await;
    let result = socket.next("result").await;
    assert_eq!((&result["id"], &result["status"], &result["body"]["name"]), (&json!("a"), &json!(201), &json!("Li")));
    let created = socket.next("event").await;
    assert_eq!((&created["type"], &created["data"]["customer"]), (&json!("customer.created"), &result["body"]["id"]));
    for (cmd, status, code) in [
        (json!({"id": "b", "method": "GET", "path": "/v1/sessions/ses_nobody"}), 404, "session_unknown"),
        (json!({"id": "c", "method": "POST", "path": "/v1/customers", "body": {"nmae": "x"}}), 422, "field_invalid"),
        (json!({"id": "d", "method": "GET", "path": "/v1/events/ws"}), 404, "route_unknown"),
        (json!({"id": "e", "method": "GET", "path": "/v1/events/sse"}), 400, "not_in_a_frame"),
        (json!({"id": "f", "method": "GET", "path": "elsewhere"}), 400, "cmd_invalid"),
    ] {
        socket.send(json!({"cmd": cmd})).await;
        let result = socket.next("result").await;
        assert_eq!((&result["id"], &result["status"], &result["body"]["code"]), (&cmd["id"], &json!(status), &json!(code)), "{result}");
    }
    socket.send(json!({"cmd": {"method": "GET", "path": "/v1/agents"}})).await;
    let refused = socket.next("error").await;
    assert!(refused["code"] == "frame_invalid" && refused["detail"].as_str().unwrap().contains("id"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_only_read_events_may_do_no_more_by_command() {
    let house = House::open().await;
    let (_, secret) = house.store.make_key("listener", &["events:read"]).await.unwrap();
    let (mut socket, _) = connect(&house, "/v1/events/ws", json!({"token": secret})).await;
    socket.send(json!({"cmd": {"id": "1", "method": "POST", "path": "/v1/customers", "body": {}}})).await;
    let result = socket.next("result").await;
    assert_eq!((&result["status"], &result["body"]["code"]), (&json!(403), &json!("scope_missing")));
}

#[tokio::test(flavor = "multi_thread")]
async fn s50_a_visitor_writes_and_hears_over_one_socket_and_sees_nobody_else() {
    let house = House::open().await;
    let (mine, other) = (visitor(&house, "v-1").await, visitor(&house, "v-2").await);
    let (mut socket, welcome) = connect(&house, "/v1/channels/web/ws", json!({"token": mine})).await;
    assert_eq!(welcome["gap"], false, "{welcome}");
    let (mut stranger, _) = connect(&house, "/v1/channels/web/ws", json!({"token": other})).await;
    let say = |id: &str, text: &str| json!({"cmd": {"id": id, "method": "POST", "path": "/v1/channels/web/messages", "body": {"client_id": id, "kind": "text", "text": text}}});
    stranger.send(say("s1", "somebody else's words")).await;
    assert_eq!(stranger.next("result").await["status"], 202);
    socket.send(say("c1", "你好")).await;
    assert_eq!(socket.next("result").await["status"], 202);
    let own = socket.next("event").await;
    assert_eq!((&own["data"]["author"], &own["data"]["client_id"]), (&json!("customer"), &json!("c1")), "{own}");
    let answer = socket.next("event").await;
    assert_eq!((&answer["type"], &answer["data"]["author"]), (&json!("message.created"), &json!("bot")), "{answer}");
    assert_eq!(answer["data"]["buttons"].as_array().unwrap().len(), 3, "the menu's buttons come with the line: {answer}");
    socket.send(json!({"ack": {"seq": answer["seq"]}})).await;

    let (mut again, _) = connect(&house, "/v1/channels/web/ws", json!({"token": mine, "resume_after_seq": own["seq"]})).await;
    assert_eq!(again.next("event").await["id"], answer["id"], "resumed after what was seen");
    again.send(json!({"cmd": {"id": "x", "method": "GET", "path": "/v1/sessions"}})).await;
    assert_eq!(again.next("result").await["body"]["code"], "key_unknown", "a visitor's token is no key");
    let mut refused = open(&house, "/v1/channels/web/ws", json!({"token": house.admin})).await;
    assert_eq!(refused.next("error").await["code"], "visitor_token_invalid");
}

/// Reads server-sent events until so many came: id, type, data.
async fn events(response: reqwest::Response, count: usize) -> Vec<(u64, String, Value)> {
    let mut bytes = response.bytes_stream();
    let (mut text, mut got) = (String::new(), Vec::new());
    while got.len() < count {
        text.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()));
            if let (Some(id), Some(kind), Some(data)) = (field("id"), field("event"), field("data")) {
                got.push((id.parse().unwrap(), kind, serde_json::from_str(&data).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_comes_as_server_sent_events_and_resumes_after_the_last_id() {
    let house = House::open().await;
    house.given((0..5).map(|level| Fact::Overload { level: level.to_string() }).collect()).await;
    let response = house.get("/v1/events/sse?after_seq=2").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let first = events(response, 3).await;
    assert_eq!(first.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((first[0].1.as_str(), &first[0].2["data"]["level"], &first[0].2["seq"]), ("system.overload", &json!("2"), &json!(3)));
    let resumed = house.get("/v1/events/sse?after_seq=0").header("last-event-id", "4").send().await.unwrap();
    assert_eq!(events(resumed, 1).await[0].0, 5, "Last-Event-ID wins");
    let live = house.get("/v1/events/sse").send().await.unwrap();
    house.given(vec![Fact::Overload { level: "new".to_owned() }]).await;
    assert_eq!(events(live, 1).await[0].2["data"]["level"], "new", "without a place: what comes from now on");
}

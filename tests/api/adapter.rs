//! Messages outward to an adapter: signed, tried again, in order, once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use hotline::channels::{self, Adapter, Adapters};
use hotline::control::words::chat::{Content, Send};
use hotline::control::words::{MessageId, SessionId};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::{mpsc, watch};

use crate::house::House;

const SECRET: &[u8] = b"shared with the adapter";

/// An adapter that is down at its first request.
async fn adapter(taken: mpsc::Sender<(HeaderMap, String)>) -> String {
    let (turn, turns) = crossbeam_channel::bounded(1);
    turn.send(()).unwrap();
    let take = move |headers: HeaderMap, body: String| {
        let down = turns.try_recv().is_ok();
        let _keep = &turn;
        let taken = taken.clone();
        async move {
            taken.send((headers, body)).await.unwrap();
            if down { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/out", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/out", post(take))).await });
    url
}

fn line(number: u128) -> Send {
    let content = Content::Text { text: format!("line {number}") };
    let buttons = vec![("yes".to_owned(), "1".to_owned())];
    Send { session: SessionId(1), message: MessageId(number), channel: "wechat".into(), address: "openid".into(), content, buttons }
}

#[tokio::test(flavor = "multi_thread")]
async fn s43_an_adapter_that_was_down_gets_every_line_signed_and_in_order() {
    let house = House::open().await;
    let (taken, mut got) = mpsc::channel(16);
    let url = adapter(taken).await;
    let adapter = Adapter { url, secret: SECRET.to_vec(), give_up: Duration::from_secs(60) };
    let adapters: Adapters = [("wechat".to_owned(), adapter)].into();
    let (_in_force, adapters) = watch::channel(Arc::new(adapters));
    let (lines, line_in) = mpsc::channel(16);
    let (noted, news) = watch::channel(0);
    tokio::spawn(channels::take(house.store.clone(), adapters.clone(), line_in, noted));
    let push = channels::outbound::Push { store: house.store.clone(), journal: house.journal.clone(), adapters };
    tokio::spawn(push.run(news));
    for number in 1..=3 {
        lines.send(line(number)).await.unwrap();
    }
    let mut texts = Vec::new();
    for _ in 0..4 {
        let (headers, body) = got.recv().await.unwrap();
        let signature = headers["hotline-signature"].to_str().unwrap();
        let (at, sum) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(format!("{at}.{body}").as_bytes());
        mac.verify_slice(&hex::decode(sum).unwrap()).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["address"], &body["buttons"][0][0]), (&"openid".into(), &"yes".into()));
        texts.push(body["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts, ["line 1", "line 1", "line 2", "line 3"]);
}

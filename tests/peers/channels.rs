//! A chat channel with its adapter, against the real server: signed lines in, the plan's answers out, tries and their end, hot reload.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hotline::clock::now;
use hotline::signature;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::stage::{PATIENCE, Server};

const SECRET: &str = "0123456789abcdef";

const PLAN: &str = r#"
dialplan: 1
id: shop
title: A chat
languages: [en-US]
channels: [shop]
start: hello
defaults:
  match: local
  no_match: {tries: 9, then: end}
  error: end
nodes:
  hello:
    - menu:
        prompt: "Welcome to the shop."
        options: [{key: 1, goto: one, label: "Opening hours"}]
  one: [{say: "We are open from nine to five."}, {hangup: ~}]
"#;

/// An adapter that answers with these statuses in turn, the last one for ever.
struct Adapter {
    url: String,
    got: mpsc::Receiver<(HeaderMap, String)>,
}

impl Adapter {
    fn start(runtime: &Runtime, answers: &[StatusCode]) -> Adapter {
        let (taken, got) = mpsc::channel(64);
        let (turn, turns) = crossbeam_channel::bounded(answers.len());
        answers.iter().for_each(|status| turn.send(*status).unwrap());
        let (last, keep) = (*answers.last().unwrap(), Arc::new(turn));
        let take = move |headers: HeaderMap, body: String| {
            let (status, taken, _keep) = (turns.try_recv().unwrap_or(last), taken.clone(), keep.clone());
            async move {
                taken.send((headers, body)).await.unwrap();
                (status, "said the adapter")
            }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/out", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, Router::new().route("/out", post(take))).await });
        Adapter { url, got }
    }

    /// The next post, its signature checked.
    fn next(&mut self, runtime: &Runtime) -> (HeaderMap, Value) {
        let next = runtime.block_on(async { tokio::time::timeout(PATIENCE, self.got.recv()).await });
        let (headers, body) = next.expect("the adapter is posted to").unwrap();
        let header = headers["hotline-signature"].to_str().unwrap();
        signature::verify(SECRET.as_bytes(), header, body.as_bytes(), now()).unwrap();
        (headers, serde_json::from_str(&body).unwrap())
    }
}

fn config(url: &str) -> String {
    format!(
        "[media]\nbind = \"127.0.0.1\"\nports = \"free:8\"\n[speech.live]\n\"*\" = \"off\"\n\
         [channels.shop]\nkind = \"http-hook\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\ngive_up = \"2s\"\n"
    )
}

fn server(url: &str) -> Server {
    let config = config(url);
    Server::start_with(&[
        ("sip-config/hotline.toml", config.as_bytes()),
        ("sip-config/phones.toml", b""),
        ("dialplans/shop.yaml", PLAN.as_bytes()),
    ])
}

/// Posts a line of a customer as the adapter does; `signed` by what.
fn line(runtime: &Runtime, server: &Server, ids: (&str, &str), text: &str, signed: Option<&str>) -> (u16, Value) {
    line_on(runtime, server, "shop", ids, text, signed)
}

fn line_on(
    runtime: &Runtime,
    server: &Server,
    channel: &str,
    (external_id, address): (&str, &str),
    text: &str,
    signed: Option<&str>,
) -> (u16, Value) {
    let body = json!({"external_id": external_id, "address": address, "kind": "text", "text": text}).to_string();
    let client = hotline::web_client::client(|builder| builder).unwrap();
    let mut request = client.post(format!("{}/v1/channels/{channel}/inbound", server.api())).bearer_auth(server.key());
    if let Some(secret) = signed {
        request = request.header(signature::HEADER, signature::sign(secret.as_bytes(), now(), body.as_bytes()));
    }
    runtime.block_on(async {
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    })
}

#[test]
fn s43_a_signed_line_in_and_the_plans_answer_out_over_an_adapter_that_was_down() {
    let runtime = Runtime::new().unwrap();
    let mut adapter = Adapter::start(&runtime, &[StatusCode::BAD_GATEWAY, StatusCode::OK]);
    let server = server(&adapter.url);
    for (signed, code) in [(None, "signature_missing"), (Some("another-secret-!"), "signature_invalid")] {
        let (status, problem) = line(&runtime, &server, ("m1", "openid-1"), "hello", signed);
        assert_eq!((status, &problem["code"]), (401, &json!(code)));
    }
    let (status, problem) = line_on(&runtime, &server, "shpo", ("m1", "openid-1"), "hello", Some(SECRET));
    assert_eq!((status, &problem["code"]), (404, &json!("channel_unknown")));
    let (status, taken) = line(&runtime, &server, ("m1", "openid-1"), "hello", Some(SECRET));
    assert_eq!(status, 202, "{taken}");
    let (status, again) = line(&runtime, &server, ("m1", "openid-1"), "hello", Some(SECRET));
    assert_eq!((status, &again), (200, &taken));

    let (first_headers, first) = adapter.next(&runtime);
    let (headers, second) = adapter.next(&runtime);
    assert_eq!(first, second, "the line that was refused comes again");
    assert_eq!(headers["idempotency-key"], first_headers["idempotency-key"]);
    assert_eq!((&second["address"], &second["session_id"]), (&json!("openid-1"), &taken["session_id"]));
    assert!(second["text"].as_str().unwrap().contains("Welcome to the shop."), "{second}");
    assert_eq!(second["buttons"], json!([["Opening hours", "1"]]));
    let delivered = server.facts().wait("message.delivered", |_| true);
    assert_eq!((&delivered["message"], &delivered["channel"]), (&second["message_id"], &json!("shop")));

    assert_eq!(line(&runtime, &server, ("m2", "openid-1"), "1", Some(SECRET)).0, 202);
    let (_, answer) = adapter.next(&runtime);
    assert!(answer["text"].as_str().unwrap().contains("nine to five"), "a hello was answered by the greeting: {answer}");
    assert_eq!(answer["session_id"], taken["session_id"]);
    server.stop();
}

#[test]
fn a_line_that_is_never_taken_is_given_up_and_the_log_and_the_dead_letters_say_why() {
    let runtime = Runtime::new().unwrap();
    let mut adapter = Adapter::start(&runtime, &[StatusCode::IM_A_TEAPOT]);
    let server = server(&adapter.url);
    assert_eq!(line(&runtime, &server, ("m1", "openid-1"), "hello", Some(SECRET)).0, 202);
    let given_up = server.facts().wait("message.undelivered", |_| true);
    assert_eq!((&given_up["tries"], &given_up["channel"]), (&json!(2), &json!("shop")));
    assert!(given_up["why"].as_str().unwrap().contains("418") && given_up["why"].as_str().unwrap().contains("said the adapter"));
    let (_, posted) = adapter.next(&runtime);
    assert_eq!(given_up["message"], posted["message_id"], "the first line of an address is the first to be tried");
    // The log is told before the list: a moment later it stands there.
    let limit = Instant::now() + PATIENCE;
    while server.get("/v1/channels/dead_letters")["data"].as_array().unwrap().iter().all(|dead| dead["message"] != posted["message_id"]) {
        assert!(Instant::now() < limit, "the dead letter is not listed");
    }
    server.stop();
}

#[test]
fn a_changed_address_of_an_adapter_is_in_force_without_a_restart_and_a_broken_one_is_not() {
    let runtime = Runtime::new().unwrap();
    let (mut old, mut new) = (Adapter::start(&runtime, &[StatusCode::OK]), Adapter::start(&runtime, &[StatusCode::OK]));
    let server = server(&old.url);
    assert_eq!(line(&runtime, &server, ("m0", "openid-0"), "hello", Some(SECRET)).0, 202);
    old.next(&runtime);
    let file = server.home().join("sip-config/hotline.toml");
    std::fs::write(&file, config(&new.url)).unwrap();
    // Each new customer is welcomed over one of both: some day over the new one.
    let limit = Instant::now() + PATIENCE;
    for at in 1.. {
        let name = format!("n{at}");
        assert_eq!(line(&runtime, &server, (&name, &name), "hello", Some(SECRET)).0, 202);
        let is_new = runtime.block_on(async {
            let either = async {
                tokio::select! {
                    _ = old.got.recv() => false,
                    _ = new.got.recv() => true,
                }
            };
            tokio::time::timeout(PATIENCE, either).await.expect("each welcome is posted")
        });
        if is_new {
            break;
        }
        assert!(Instant::now() < limit, "the new address is never posted to");
    }
    std::fs::write(&file, config("nowhere")).unwrap();
    let limit = Instant::now() + PATIENCE;
    while !server.log().contains("the configuration that works stays in force") {
        assert_eq!(server.get("/v1/healthz")["status"], "ok");
        assert!(Instant::now() < limit, "the broken file is not told");
    }
    assert_eq!(line(&runtime, &server, ("last", "last"), "hello", Some(SECRET)).0, 202);
    new.next(&runtime);
    server.stop();
}

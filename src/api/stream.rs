//! `GET /v1/events/ws`: the log over a WebSocket, at least once, with acknowledgement and resume.
//!
//! Frames are JSON objects of one key. The client begins: `{"hello":{"token":…,"resume_after_seq":…,"subscriber":…,"topics":[…]}}`;
//! the server answers `{"welcome":{"seq_now":…,"gap":…}}`, then sends `{"event":{seq,id,type,at,data}}`; the client acknowledges
//! cumulatively with `{"ack":{"seq":…}}`. With 256 events unacknowledged the server waits, for this client alone. A named subscriber
//! that gives no `resume_after_seq` goes on after what it acknowledged last.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::ApiState;
use super::auth::{Caller, known};
use super::problem::Problem;
use crate::store::events::{Event, Span};

/// Events that may be unacknowledged.
const WINDOW: usize = 256;
/// A client says hello within this.
const GREETING: Duration = Duration::from_secs(10);
/// Between pings.
const PING: Duration = Duration::from_secs(20);
/// The longest frame of a client, in bytes.
const FRAME_BYTES: usize = 64 << 10;
/// Topics of one subscriber.
const TOPICS: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FromClient {
    Hello(Hello),
    Ack { seq: u64 },
}

#[derive(Deserialize)]
struct Hello {
    token: String,
    resume_after_seq: Option<u64>,
    subscriber: Option<String>,
    #[serde(default)]
    topics: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ToClient<'a> {
    Welcome { seq_now: u64, gap: bool, snapshot: Option<&'a str> },
    Event(&'a Event),
    Error(&'a Problem),
}

/// Why a connection ends.
enum End {
    /// The client is gone, or the server closes.
    Gone,
    /// The client is told why.
    Told(Problem),
}

impl From<Problem> for End {
    fn from(problem: Problem) -> End {
        End::Told(problem)
    }
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> End {
        End::Gone
    }
}

/// The log over a WebSocket: `hello`, `welcome`, `event`, `ack`.
#[utoipa::path(get, path = "/v1/events/ws", tag = "events",
    responses((status = 101, description = "The connection is a WebSocket now"), (status = 400, description = "No WebSocket handshake"),
    (status = 426, description = "The handshake lacks Upgrade")))]
pub async fn open(State(state): State<ApiState>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(FRAME_BYTES).on_upgrade(move |socket| serve(state, socket))
}

async fn serve(state: ApiState, mut socket: WebSocket) {
    let ended = match greet(&state, &mut socket).await {
        Ok(mut subscriber) => subscriber.run(&mut socket).await,
        Err(end) => Err(end),
    };
    if let Err(End::Told(problem)) = ended {
        let _ = send(&mut socket, &ToClient::Error(&problem)).await;
    }
    let _ = socket.send(Message::Close(None)).await;
}

async fn send(socket: &mut WebSocket, frame: &ToClient<'_>) -> Result<(), End> {
    Ok(socket.send(Message::text(serde_json::to_string(frame).unwrap_or_default())).await?)
}

fn parse(text: &str) -> Result<FromClient, Problem> {
    serde_json::from_str(text)
        .map_err(|why| Problem::bad("frame_invalid", format!("a frame is {{\"hello\":{{…}}}} or {{\"ack\":{{…}}}}: {why}")))
}

async fn greet(state: &ApiState, socket: &mut WebSocket) -> Result<Subscriber, End> {
    let first = timeout(GREETING, socket.recv()).await.ok().flatten().ok_or(End::Gone)??;
    let Message::Text(text) = first else { return Err(Problem::bad("hello_missing", "the first frame is hello").into()) };
    let FromClient::Hello(hello) = parse(&text)? else { return Err(Problem::bad("hello_missing", "the first frame is hello").into()) };
    let caller = known(&state.store, &hello.token).await?;
    caller.may("events:read")?;
    if hello.topics.len() > TOPICS {
        return Err(Problem::bad("topics_too_many", format!("at most {TOPICS} topics")).into());
    }
    let acked = match (&hello.resume_after_seq, &hello.subscriber) {
        (None, Some(name)) => state.store.acked(&caller.0.id, name).await.map_err(Problem::from)?,
        (given, _) => *given,
    };
    let seq_now = state.store.applied();
    let first = state.store.first_seq().await.map_err(Problem::from)?;
    let after = acked.unwrap_or(seq_now).min(seq_now);
    let gap = after + 1 < first;
    let snapshot = gap.then_some("/v1/sessions");
    send(socket, &ToClient::Welcome { seq_now, gap, snapshot }).await?;
    if let (None, Some(name)) = (acked, &hello.subscriber) {
        state.store.keep_ack(&caller.0.id, name, after).await.map_err(Problem::from)?;
    }
    let applied = state.store.watch();
    Ok(Subscriber {
        state: state.clone(),
        caller,
        name: hello.subscriber,
        topics: hello.topics,
        seen: after,
        open: VecDeque::new(),
        applied,
    })
}

struct Subscriber {
    state: ApiState,
    caller: Caller,
    name: Option<String>,
    topics: Vec<String>,
    seen: u64,
    open: VecDeque<u64>,
    applied: watch::Receiver<u64>,
}

impl Subscriber {
    async fn run(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.pump(socket).await?;
            tokio::select! {
                frame = socket.recv() => self.take(frame.ok_or(End::Gone)??).await?,
                moved = self.applied.changed() => moved.map_err(|_| End::Gone)?,
                _ = ping.tick() => socket.send(Message::Ping(bytes::Bytes::new())).await?,
            }
        }
    }

    /// Sends what is there, as far as the window is open.
    async fn pump(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        while self.open.len() < WINDOW && self.seen < *self.applied.borrow_and_update() {
            let span = Span { after: self.seen, limit: WINDOW as i64, session: None, kind: None };
            for event in self.state.store.events(&span).await.map_err(Problem::from)? {
                if self.open.len() >= WINDOW {
                    break;
                }
                self.seen = event.seq.cast_unsigned();
                if self.wants(&event) {
                    send(socket, &ToClient::Event(&event)).await?;
                    self.open.push_back(self.seen);
                }
            }
        }
        Ok(())
    }

    /// A topic is a kind (`message.created`), the beginning of one (`session.*`), or the id of a session or an agent.
    fn wants(&self, event: &Event) -> bool {
        let fits = |topic: &String| match topic.strip_suffix('*') {
            Some(begin) => event.kind.starts_with(begin),
            None => event.kind == *topic || ["session", "agent"].iter().any(|field| event.data[field].as_str() == Some(topic)),
        };
        self.topics.is_empty() || self.topics.iter().any(fits)
    }

    async fn take(&mut self, frame: Message) -> Result<(), End> {
        let text = match frame {
            Message::Text(text) => text,
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let FromClient::Ack { seq } = parse(&text)? else { return Err(Problem::bad("frame_invalid", "hello comes once").into()) };
        if seq > self.seen {
            return Err(Problem::bad("ack_ahead", format!("{seq} was not sent; the last was {}", self.seen)).into());
        }
        while self.open.front().is_some_and(|open| *open <= seq) {
            self.open.pop_front();
        }
        if let Some(name) = &self.name {
            self.state.store.keep_ack(&self.caller.0.id, name, seq).await.map_err(Problem::from)?;
        }
        Ok(())
    }
}

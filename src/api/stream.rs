//! `GET /v1/events/ws`: the log over a WebSocket, at least once, with acknowledgement and resume; `GET /v1/channels/web/ws`: the same
//! for a visitor and his chat.
//!
//! Frames are JSON objects of one key. The client begins: `{"hello":{"token":…,"resume_after_seq":…,"subscriber":…,"topics":[…]}}`;
//! the server answers `{"welcome":{"seq_now":…,"gap":…}}`, then sends `{"event":{seq,id,type,at,data}}`; the client acknowledges
//! cumulatively with `{"ack":{"seq":…}}`. With 256 events unacknowledged the server waits, for this client alone. A named subscriber
//! that gives no `resume_after_seq` goes on after what it acknowledged last.
//!
//! `{"cmd":{"id":…,"method":"POST","path":"/v1/…","body":{…}}}` is any request of the API, answered by
//! `{"result":{"id":…,"status":…,"body":…}}`: the same rights, limits and refusals as over HTTP.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::ApiState;
use super::auth::{Caller, known};
use super::problem::Problem;
use super::requests::{Command, Done, Inside};
use super::visitor::Claims;
use crate::clock::now;
use crate::store::Error;
use crate::store::events::{Event, Span};
use crate::store::visits::VisitorLine;

/// Events that may be unacknowledged.
const WINDOW: usize = 256;
/// Commands of one client that may be under way.
const COMMANDS: usize = 16;
/// A client says hello within this.
const GREETING: Duration = Duration::from_secs(10);
/// Between pings; so often it is also asked whether the token is still good.
const PING: Duration = Duration::from_secs(20);
/// A visitor's chat is looked at no more often than this, however busy the house is.
const CHAT_PACE: Duration = Duration::from_millis(250);
/// The longest frame of a client, in bytes.
const FRAME_BYTES: usize = 64 << 10;
/// Topics of one subscriber.
const TOPICS: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FromClient {
    Hello(Hello),
    Ack { seq: u64 },
    Cmd(Command),
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
    Result(&'a Done),
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

/// Who listens, and to what.
enum Feed {
    /// A key, to the log.
    Log { caller: Caller, name: Option<String>, topics: Vec<String> },
    /// A visitor, to his chat.
    Chat { claims: Claims },
}

/// The log over a WebSocket: `hello`, `welcome`, `event`, `ack`, `cmd`, `result`.
#[utoipa::path(get, path = "/v1/events/ws", tag = "events",
    responses((status = 101, description = "The connection is a WebSocket now"), (status = 400, description = "No WebSocket handshake"),
    (status = 426, description = "The handshake lacks Upgrade")))]
pub async fn open(State(state): State<ApiState>, Extension(inside): Extension<Inside>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(FRAME_BYTES).on_upgrade(move |socket| serve(state, inside, socket, Door::Keys))
}

/// A visitor's chat over a WebSocket; `hello` carries the visitor's token, and `cmd` POSTs to `/v1/channels/web/messages`.
#[utoipa::path(get, path = "/v1/channels/web/ws", tag = "channels",
    responses((status = 101, description = "The connection is a WebSocket now"), (status = 400, description = "No WebSocket handshake"),
    (status = 426, description = "The handshake lacks Upgrade")))]
pub async fn visit(State(state): State<ApiState>, Extension(inside): Extension<Inside>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(FRAME_BYTES).on_upgrade(move |socket| serve(state, inside, socket, Door::Visitors))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Keys,
    Visitors,
}

async fn serve(state: ApiState, inside: Inside, mut socket: WebSocket, door: Door) {
    let ended = match greet(state, inside, &mut socket, door).await {
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
    let form = "a frame is {\"hello\":{…}}, {\"ack\":{…}} or {\"cmd\":{…}}";
    serde_json::from_str(text).map_err(|why| Problem::bad("frame_invalid", format!("{form}: {why}")))
}

async fn feed(state: &ApiState, door: Door, hello: &Hello) -> Result<Feed, Problem> {
    if door == Door::Visitors {
        return Ok(Feed::Chat { claims: state.visitors.verify(&hello.token, now())? });
    }
    let caller = known(&state.store, &hello.token).await?;
    caller.may("events:read")?;
    if hello.topics.len() > TOPICS {
        return Err(Problem::bad("topics_too_many", format!("at most {TOPICS} topics")));
    }
    Ok(Feed::Log { caller, name: hello.subscriber.clone(), topics: hello.topics.clone() })
}

async fn greet(state: ApiState, inside: Inside, socket: &mut WebSocket, door: Door) -> Result<Subscriber, End> {
    let first = timeout(GREETING, socket.recv()).await.ok().flatten().ok_or(End::Gone)??;
    let Message::Text(text) = first else { return Err(Problem::bad("hello_missing", "the first frame is hello").into()) };
    let FromClient::Hello(hello) = parse(&text)? else { return Err(Problem::bad("hello_missing", "the first frame is hello").into()) };
    let feed = feed(&state, door, &hello).await?;
    let acked = match (&feed, hello.resume_after_seq) {
        (Feed::Log { caller, name: Some(name), .. }, None) => state.store.acked(&caller.0.id, name).await.map_err(Problem::from)?,
        (_, given) => given,
    };
    let seq_now = state.store.applied();
    let first = state.store.first_seq().await.map_err(Problem::from)?;
    let after = acked.unwrap_or(seq_now).min(seq_now);
    let gap = after + 1 < first;
    let snapshot = gap.then_some(if door == Door::Keys { "/v1/sessions" } else { "/v1/channels/web/messages" });
    send(socket, &ToClient::Welcome { seq_now, gap, snapshot }).await?;
    if let (None, Feed::Log { caller, name: Some(name), .. }) = (acked, &feed) {
        state.store.keep_ack(&caller.0.id, name, after).await.map_err(Problem::from)?;
    }
    let applied = state.store.watch();
    let mut pace = interval(CHAT_PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (token, open, commands) = (hello.token, VecDeque::new(), JoinSet::new());
    Ok(Subscriber { state, inside, token, feed, seen: after, open, applied, commands, pace })
}

struct Subscriber {
    state: ApiState,
    inside: Inside,
    token: String,
    feed: Feed,
    seen: u64,
    open: VecDeque<u64>,
    applied: watch::Receiver<u64>,
    commands: JoinSet<Done>,
    pace: Interval,
}

impl Subscriber {
    async fn run(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            self.pump(socket).await?;
            tokio::select! {
                frame = socket.recv() => self.take(socket, frame.ok_or(End::Gone)??).await?,
                moved = self.applied.changed() => moved.map_err(|_| End::Gone)?,
                Some(done) = self.commands.join_next() => {
                    if let Ok(done) = done {
                        send(socket, &ToClient::Result(&done)).await?;
                    }
                }
                _ = ping.tick() => {
                    self.still_may().await?;
                    socket.send(Message::Ping(bytes::Bytes::new())).await?;
                }
            }
        }
    }

    /// A key may have been revoked, a token may have ended.
    async fn still_may(&self) -> Result<(), Problem> {
        match &self.feed {
            Feed::Log { .. } => known(&self.state.store, &self.token).await?.may("events:read"),
            Feed::Chat { .. } => self.state.visitors.verify(&self.token, now()).map(|_| ()),
        }
    }

    /// Sends what is there, as far as the window is open.
    async fn pump(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let upto = *self.applied.borrow_and_update();
            if self.open.len() >= WINDOW || self.seen >= upto {
                return Ok(());
            }
            if matches!(self.feed, Feed::Chat { .. }) {
                self.pace.tick().await;
            }
            let batch = self.batch().await.map_err(Problem::from)?;
            let was_full = batch.len() >= WINDOW;
            for event in batch {
                if self.open.len() >= WINDOW {
                    return Ok(());
                }
                self.seen = event.seq.cast_unsigned();
                if self.wants(&event) {
                    send(socket, &ToClient::Event(&event)).await?;
                    self.open.push_back(self.seen);
                }
            }
            if !was_full {
                self.seen = self.seen.max(upto);
            }
        }
    }

    async fn batch(&self) -> Result<Vec<Event>, Error> {
        let most = i64::try_from(WINDOW).unwrap_or(i64::MAX);
        match &self.feed {
            Feed::Log { .. } => self.state.store.events(&Span { after: self.seen, limit: most, session: None, kind: None }).await,
            Feed::Chat { claims } => {
                let lines = self.state.store.visitor_lines(&claims.channel, &claims.sub, self.seen.cast_signed(), most).await?;
                Ok(lines.into_iter().map(as_event).collect())
            }
        }
    }

    /// A topic is a kind (`message.created`), the beginning of one (`session.*`), or the id of a session or an agent.
    fn wants(&self, event: &Event) -> bool {
        let Feed::Log { topics, .. } = &self.feed else { return true };
        let fits = |topic: &String| match topic.strip_suffix('*') {
            Some(begin) => event.kind.starts_with(begin),
            None => event.kind == *topic || ["session", "agent"].iter().any(|field| event.data[field].as_str() == Some(topic)),
        };
        topics.is_empty() || topics.iter().any(fits)
    }

    async fn take(&mut self, socket: &mut WebSocket, frame: Message) -> Result<(), End> {
        let text = match frame {
            Message::Text(text) => text,
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match parse(&text)? {
            FromClient::Hello(_) => Err(Problem::bad("frame_invalid", "hello comes once").into()),
            FromClient::Ack { seq } => Ok(self.acked(seq).await?),
            FromClient::Cmd(command) if self.commands.len() >= COMMANDS => {
                let busy = Done::busy(command.id, COMMANDS);
                send(socket, &ToClient::Result(&busy)).await
            }
            FromClient::Cmd(command) => {
                self.commands.spawn(self.inside.clone().carry_out(self.token.clone(), command));
                Ok(())
            }
        }
    }

    async fn acked(&mut self, seq: u64) -> Result<(), Problem> {
        if seq > self.seen {
            return Err(Problem::bad("ack_ahead", format!("{seq} was not sent; the last was {}", self.seen)));
        }
        while self.open.front().is_some_and(|open| *open <= seq) {
            self.open.pop_front();
        }
        if let Feed::Log { caller, name: Some(name), .. } = &self.feed {
            self.state.store.keep_ack(&caller.0.id, name, seq).await?;
        }
        Ok(())
    }
}

fn as_event(line: VisitorLine) -> Event {
    let data = serde_json::to_value(&line).unwrap_or(Value::Null);
    Event { seq: line.seq, id: line.id, kind: "message.created".to_owned(), at: line.at, data }
}

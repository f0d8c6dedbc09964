//! Questions of the rules to the outside: HTTP lookups of plans, and customers in the store.
//!
//! One task owns the cache and hands each question to a task of its own, so many at a time. Redirects are not followed: what a
//! plan may ask is what its author wrote. Its URL may carry what a caller said, so private addresses are refused, save those of
//! hosts that the operator names: [`guard`].

mod guard;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::control::surface::Input;
use crate::control::words::LookupId;
use crate::control::words::lookup::{Finding, Lookup};
use crate::control_handle::ControlHandle;
use crate::store::Store;
use crate::web_client;

pub use guard::Guard;

/// Questions that may wait.
const WAITING: usize = 4_096;
/// Questions under way at a time.
const AT_A_TIME: usize = 256;
/// Answers kept.
const KEPT: usize = 4_096;
/// An answer may be so long, in bytes.
const ANSWER_BYTES: usize = 1 << 20;
/// Another try comes no sooner after the one before.
const BETWEEN_TRIES: Duration = Duration::from_millis(150);
/// The database answers within this, or the caller is taken for unknown.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// Where questions go; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    door: ControlHandle,
}

enum Ask {
    Find(LookupId, Lookup),
    Keep(String, Instant, serde_json::Value),
}

/// What a question's own task needs.
#[derive(Clone)]
struct Outside {
    client: reqwest::Client,
    guard: Guard,
    store: Store,
    door: ControlHandle,
    keep: mpsc::WeakSender<Ask>,
}

/// Why there can be no lookups.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made: {0}")]
pub struct ClientError(#[from] reqwest::Error);

impl Handle {
    /// Asks; the answer comes as `Input::Found`. Never waits: with too many questions waiting it fails at once.
    pub fn find(&self, id: LookupId, lookup: Lookup) {
        if self.asks.try_send(Ask::Find(id, lookup)).is_err() {
            tracing::error!(%id, waiting = WAITING, "too many lookups wait");
            tell(&self.door, id, Finding::Failed(format!("{WAITING} lookups wait already")));
        }
    }
}

/// Starts the task; it ends when the last handle is dropped. Must be called inside a tokio runtime.
///
/// # Errors
/// When the HTTP client cannot be made.
pub fn start(store: Store, guard: Guard, door: ControlHandle) -> Result<(Handle, JoinHandle<()>), ClientError> {
    let client = web_client::client(|builder| builder.dns_resolver(guard.clone()))?;
    let (asks, asked) = mpsc::channel(WAITING);
    let outside = Outside { client, store, guard, door: door.clone(), keep: asks.downgrade() };
    let task = tokio::spawn(serve(outside, asked));
    Ok((Handle { asks, door }, task))
}

async fn serve(outside: Outside, mut asked: mpsc::Receiver<Ask>) {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut kept: HashMap<String, (Instant, serde_json::Value)> = HashMap::new();
    while let Some(ask) = asked.recv().await {
        match ask {
            Ask::Keep(url, until, value) => keep(&mut kept, url, until, value),
            Ask::Find(id, lookup) => {
                if let Some(value) = fresh(&kept, &lookup) {
                    tell(&outside.door, id, Finding::Found(value));
                    continue;
                }
                let (outside, place) = (outside.clone(), Arc::clone(&room).acquire_owned().await);
                tokio::spawn(async move {
                    let _place = place;
                    let finding = outside.answer(lookup).await;
                    tell(&outside.door, id, finding);
                });
            }
        }
    }
}

/// Answers are kept by the whole question: one caller's answer is not another's.
fn key(lookup: &Lookup) -> Option<String> {
    let Lookup::Http { method, url, headers, body, cache: Some(_), .. } = lookup else { return None };
    Some(format!("{method} {url} {headers:?} {body:?}"))
}

/// With a full line the rules are stuck: the plan's own clock for the lookup ends the wait.
fn tell(door: &ControlHandle, id: LookupId, finding: Finding) {
    if door.send(Input::Found(id, finding)).is_err() {
        tracing::error!(%id, "the rules do not take a lookup's answer");
    }
}

fn fresh(kept: &HashMap<String, (Instant, serde_json::Value)>, lookup: &Lookup) -> Option<serde_json::Value> {
    kept.get(&key(lookup)?).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
}

fn keep(kept: &mut HashMap<String, (Instant, serde_json::Value)>, url: String, until: Instant, value: serde_json::Value) {
    if kept.len() >= KEPT {
        let now = Instant::now();
        kept.retain(|_, (until, _)| *until > now);
    }
    if kept.len() < KEPT {
        kept.insert(url, (until, value));
    }
}

impl Outside {
    async fn answer(&self, lookup: Lookup) -> Finding {
        match lookup {
            Lookup::Customer { channel, address } => self.customer(&channel, &address).await,
            Lookup::Http { timeout, .. } => tokio::time::timeout(timeout, self.http(lookup)).await.unwrap_or(Finding::TimedOut),
        }
    }

    async fn customer(&self, channel: &str, address: &str) -> Finding {
        match tokio::time::timeout(STORE_PATIENCE, self.store.known(channel, address)).await {
            Ok(Ok(Some(known))) => Finding::Found(known),
            Ok(Ok(None)) => Finding::NotFound,
            Ok(Err(error)) => Finding::Failed(error.to_string()),
            Err(_) => Finding::TimedOut,
        }
    }

    async fn http(&self, lookup: Lookup) -> Finding {
        let key = key(&lookup);
        let Lookup::Http { method, url, headers, body, cache, mut retries, .. } = lookup else { return Finding::NotFound };
        if let Err(refused) = self.guard.check(&url) {
            return Finding::Failed(refused);
        }
        let mut request = match method {
            "POST" => self.client.post(&url),
            "PUT" => self.client.put(&url),
            "PATCH" => self.client.patch(&url),
            "DELETE" => self.client.delete(&url),
            _ => self.client.get(&url),
        };
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let silence = if method == "GET" { Silence::IsNoAnswer } else { Silence::IsYes };
        let mut beat = tokio::time::interval(BETWEEN_TRIES);
        loop {
            beat.tick().await;
            let Some(tried) = request.try_clone() else { return Finding::Failed("the question cannot be put".to_owned()) };
            let (again, why) = match tried.send().await {
                Ok(response) if may_pass(response.status()) && retries > 0 => {
                    (true, format!("the other side answered {}", response.status()))
                }
                Ok(response) => return self.read(response, key.zip(cache), silence).await,
                Err(error) => (retries > 0, error.without_url().to_string()),
            };
            if !again {
                return Finding::Failed(why);
            }
            retries -= 1;
            tracing::debug!(retries, why, "a lookup is tried again");
        }
    }

    async fn read(&self, response: reqwest::Response, cache: Option<(String, Duration)>, silence: Silence) -> Finding {
        let status = response.status();
        if status == reqwest::StatusCode::NOT_FOUND {
            return Finding::NotFound;
        }
        if !status.is_success() {
            return Finding::Failed(format!("the other side answered {status}"));
        }
        match body(response, silence).await {
            Ok(value) => {
                if let (Some((key, span)), Some(keep)) = (cache, self.keep.upgrade()) {
                    // A full line means a busy server: the next question asks again, nothing is lost.
                    let _ = keep.try_send(Ask::Keep(key, Instant::now() + span, value.clone()));
                }
                Finding::Found(value)
            }
            Err(why) => Finding::Failed(why),
        }
    }
}

/// What an answer without a body says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Who asks for something wants to be told.
    IsNoAnswer,
    /// Who has something done needs to hear no more than the good status.
    IsYes,
}

/// Might the other side answer a moment later?
fn may_pass(status: reqwest::StatusCode) -> bool {
    status.is_server_error() || matches!(status, reqwest::StatusCode::TOO_MANY_REQUESTS | reqwest::StatusCode::REQUEST_TIMEOUT)
}

/// The JSON of an answer, bounded.
async fn body(response: reqwest::Response, silence: Silence) -> Result<serde_json::Value, String> {
    let mut bytes = Vec::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.map_err(|error| error.without_url().to_string())?);
        if bytes.len() > ANSWER_BYTES {
            return Err(format!("the answer is longer than {ANSWER_BYTES} bytes"));
        }
    }
    if bytes.trim_ascii().is_empty() && silence == Silence::IsYes {
        return Ok(serde_json::Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("the answer is not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};

    /// The other side fails so often at first.
    const SHAKES: usize = 2;
    const PATIENCE: Duration = Duration::from_millis(1_500);

    async fn asked(path: &str, cache: Option<Duration>, times: usize) -> (Vec<Finding>, usize) {
        asked_past(this_machine(), path, (cache, 0), times).await
    }

    fn this_machine() -> Guard {
        Guard::new(vec!["127.0.0.1".to_owned()])
    }

    /// The findings, and how often the other side was asked for `/pay` or `/shaky`, which fails at first.
    async fn asked_past(guard: Guard, path: &str, (cache, retries): (Option<Duration>, u32), times: usize) -> (Vec<Finding>, usize) {
        let (count, counted) = crossbeam_channel::bounded::<()>(64);
        let hit = move || {
            let _ = count.try_send(());
            async { Json(serde_json::json!({"status": "paid"})) }
        };
        let (shook, shaken) = crossbeam_channel::bounded::<()>(64);
        let hits = shaken.clone();
        let shaky = move || {
            let _ = shook.try_send(());
            let good = hits.len() > SHAKES;
            async move {
                if good {
                    Json(serde_json::json!({"status": "paid"})).into_response()
                } else {
                    StatusCode::SERVICE_UNAVAILABLE.into_response()
                }
            }
        };
        let router = Router::new()
            .route("/shaky", get(shaky))
            .route("/moved", get(|| async { axum::response::Redirect::temporary("/pay") }))
            .route("/pay", get(hit))
            .route("/gone", get(|| async { StatusCode::NOT_FOUND }))
            .route("/down", get(|| async { StatusCode::BAD_GATEWAY }))
            .route("/slow", get(std::future::pending::<String>));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let settings =
            crate::store::Settings { url: format!("sqlite:{}", folder.path().join("t.db").display()), log: folder.path().into() };
        let started = crate::store::start(&settings).await.unwrap();
        let (door, side, _answers) = crate::control_handle::open();
        let (handle, _task) = start(started.store, guard, door).unwrap();
        let mut findings = Vec::new();
        for id in 0..times {
            let url = format!("{base}{path}");
            let lookup = Lookup::Http { method: "GET", url, headers: vec![], body: None, timeout: PATIENCE, cache, retries };
            handle.find(LookupId(id as u128), lookup);
            let input = side.inputs.clone();
            let Ok(Input::Found(_, finding)) = tokio::task::spawn_blocking(move || input.recv()).await.unwrap() else {
                panic!("an answer comes")
            };
            findings.push(finding);
        }
        (findings, counted.len() + shaken.len())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_way_an_answer_can_go_has_its_own_finding() {
        assert_eq!(asked("/pay", None, 1).await.0, [Finding::Found(serde_json::json!({"status": "paid"}))]);
        assert_eq!(asked("/gone", None, 1).await.0, [Finding::NotFound]);
        assert_eq!(asked("/slow", None, 1).await.0, [Finding::TimedOut]);
        assert!(matches!(asked("/down", None, 1).await.0[..], [Finding::Failed(_)]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn s16_what_is_to_be_done_needs_a_good_status_and_no_words_and_carries_its_key() {
        let (kept, seen) = crossbeam_channel::bounded::<String>(8);
        let take = move |headers: axum::http::HeaderMap| {
            let _ = kept.try_send(headers["idempotency-key"].to_str().unwrap().to_owned());
            async { StatusCode::NO_CONTENT }
        };
        let router = Router::new().route("/booking", axum::routing::put(take.clone()).delete(take.clone()).patch(take).get(|| async {}));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/booking", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let settings =
            crate::store::Settings { url: format!("sqlite:{}", folder.path().join("t.db").display()), log: folder.path().into() };
        let store = crate::store::start(&settings).await.unwrap().store;
        let (door, side, _answers) = crate::control_handle::open();
        let (handle, _task) = start(store, Guard::new(vec!["127.0.0.1".to_owned()]), door).unwrap();
        for (at, method) in ["PUT", "DELETE", "PATCH", "GET"].into_iter().enumerate() {
            let headers = vec![("Idempotency-Key".to_owned(), format!("ses_1.{method}"))];
            let timeout = Duration::from_secs(5);
            handle.find(
                LookupId(at as u128),
                Lookup::Http { method, url: url.clone(), headers, body: None, timeout, cache: None, retries: 0 },
            );
            let input = side.inputs.clone();
            let Ok(Input::Found(_, finding)) = tokio::task::spawn_blocking(move || input.recv()).await.unwrap() else {
                panic!("an answer comes")
            };
            match method {
                "GET" => assert!(matches!(finding, Finding::Failed(_)), "a question without an answer is not answered: {finding:?}"),
                _ => assert_eq!(finding, Finding::Found(serde_json::Value::Null), "{method}"),
            }
        }
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["ses_1.PUT", "ses_1.DELETE", "ses_1.PATCH"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_private_address_is_refused_unless_the_operator_names_it() {
        let (findings, hits) = asked_past(Guard::default(), "/pay", (None, 0), 1).await;
        assert!(matches!(&findings[0], Finding::Failed(why) if why.contains("private address")), "{findings:?}");
        assert_eq!(hits, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_question_is_put_again_as_often_as_the_plan_says_where_that_may_help_and_within_its_time() {
        let tried = |path: &'static str, retries: u32| asked_past(this_machine(), path, (None, retries), 1);
        let paid = Finding::Found(serde_json::json!({"status": "paid"}));
        assert_eq!(tried("/shaky", 2).await, (vec![paid], 3));
        let (findings, hits) = tried("/shaky", 1).await;
        assert!(matches!(&findings[0], Finding::Failed(why) if why.contains("503")) && hits == 2, "{findings:?} after {hits}");
        assert_eq!(tried("/gone", 3).await.0, [Finding::NotFound], "that will not change");
        assert_eq!(tried("/slow", 3).await.0, [Finding::TimedOut]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_place_is_not_followed_to() {
        let (findings, hits) = asked("/moved", None, 1).await;
        assert!(matches!(&findings[0], Finding::Failed(why) if why.contains("307")) && hits == 0, "{findings:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_is_kept_for_as_long_as_the_plan_says() {
        let (findings, asked) = asked("/pay", Some(Duration::from_secs(60)), 3).await;
        assert_eq!(findings.len(), 3);
        assert!(asked <= 2, "asked {asked} times: the first answer may still be on its way to the cache at the second");
    }
}

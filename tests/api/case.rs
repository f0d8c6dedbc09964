//! A case: facts that are given, then requests with what they must answer.
//!
//! `@cus:anna` anywhere is a lasting id of that kind and name; `{name}` is a value saved before. In `expect` a map may leave keys
//! out, `"*"` is anything but null, `"~text"` is a text that contains it, a list has exactly these elements, or begins with them
//! when the last is `"..."`.

use std::collections::BTreeMap;
use std::time::Duration;

use hotline::control::dialplan::syntax::{self, Kind, Yaml};
use hotline::control::event::Fact;
use hotline::control::words::AgentId;
use reqwest::{Client, Method, Response};
use serde_json::{Map, Value};

use crate::house::House;

/// How long an `eventually` step waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the case of a file.
pub async fn run(house: &House, file: &str, text: &str) -> Result<(), String> {
    let yaml = syntax::parse(file, text).map_err(|problems| problems[0].to_string())?;
    let case = json(&yaml);
    let mut run = Run { house, client: Client::builder().no_proxy().build().unwrap(), saved: BTreeMap::new() };
    let facts = case["given"].as_array().into_iter().flatten().map(|fact| run.fact(fact)).collect::<Result<Vec<Fact>, String>>()?;
    if !facts.is_empty() {
        house.given(facts).await;
    }
    for (at, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
        run.step(step).await.map_err(|why| format!("{file}, step {} ({}): {why}", at + 1, step["do"]))?;
    }
    Ok(())
}

struct Run<'a> {
    house: &'a House,
    client: Client,
    saved: BTreeMap<String, String>,
}

impl Run<'_> {
    fn fact(&self, fact: &Value) -> Result<Fact, String> {
        let (kind, data) = fact.as_object().and_then(|map| map.iter().next()).ok_or("a fact is {type: {…}}")?;
        let whole = serde_json::json!({"type": kind, "data": self.fill(data)});
        serde_json::from_value(whole).map_err(|why| format!("{kind}: {why}"))
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        if step["do"] == "quality" {
            return self.house.quality.round().await.map(|_| ()).map_err(|why| why.to_string());
        }
        for _ in 0..step["times"].as_u64().unwrap_or(1) {
            if step["eventually"] == true {
                self.eventually(step).await?;
            } else {
                self.once(step).await?;
            }
        }
        Ok(())
    }

    /// Asks again each time the tables move, until the answer fits.
    async fn eventually(&mut self, step: &Value) -> Result<(), String> {
        let mut applied = self.house.store.watch();
        loop {
            applied.borrow_and_update();
            let Err(why) = self.once(step).await else { return Ok(()) };
            match tokio::time::timeout(PATIENCE, applied.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(why),
            }
        }
    }

    async fn once(&mut self, step: &Value) -> Result<(), String> {
        let response = self.send(step).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.map_err(|why| why.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if step["status"].as_u64().unwrap_or(200) != u64::from(status) {
            return Err(format!("answered {status}: {text}"));
        }
        for (name, wanted) in step["headers_back"].as_object().into_iter().flatten() {
            let got = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
            fits(&self.fill(wanted), &Value::from(got), name)?;
        }
        if let Some(wanted) = step.get("text") {
            fits(&self.fill(wanted), &Value::from(text.clone()), "text")?;
        }
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(wanted) = step.get("expect") {
            fits(&self.fill(wanted), &body, "").map_err(|why| format!("{why}\n{body:#}"))?;
        }
        for (name, pointer) in step["save"].as_object().into_iter().flatten() {
            let value = body.pointer(pointer.as_str().unwrap_or("")).ok_or_else(|| format!("nothing at {pointer} in {body}"))?;
            self.saved.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        Ok(())
    }

    async fn send(&self, step: &Value) -> Result<Response, String> {
        let filled = self.fill(&step["do"]);
        let (method, path) = filled.as_str().and_then(|text| text.split_once(' ')).ok_or("do: METHOD /path")?;
        let method: Method = method.parse().map_err(|_| format!("'{method}' is no method"))?;
        let mut request = self.client.request(method, format!("{}{path}", self.house.base));
        let key = self.fill(step.get("key").unwrap_or(&Value::from("admin")));
        request = match key.as_str().unwrap_or("admin") {
            "none" => request,
            "admin" => request.bearer_auth(&self.house.admin),
            "reader" => request.bearer_auth(&self.house.reader),
            other => request.bearer_auth(other),
        };
        for (name, value) in step["headers"].as_object().into_iter().flatten() {
            request = request.header(name, self.fill(value).as_str().unwrap_or(""));
        }
        if let Some(body) = step.get("body") {
            request = request.json(&self.fill(body));
        }
        if let Some(raw) = step["raw"].as_str() {
            request = request.header("content-type", "application/json").body(raw.to_owned());
        }
        request.send().await.map_err(|why| why.to_string())
    }

    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.fill_text(text)),
            Value::Array(list) => list.iter().map(|one| self.fill(one)).collect(),
            Value::Object(map) => Value::Object(map.iter().map(|(key, one)| (key.clone(), self.fill(one))).collect()),
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let saved = self.saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        saved.split_inclusive(['/', '?', '=', '&', ' ']).map(id).collect()
    }
}

/// `@cus:anna` becomes `cus_…`, the same for the same name; what follows the name stays.
fn id(piece: &str) -> String {
    let Some((kind, rest)) = piece.strip_prefix('@').and_then(|rest| rest.split_once(':')) else { return piece.to_owned() };
    let name = rest.trim_end_matches(['/', '?', '=', '&', ' ']);
    let made = AgentId::of_name(name).to_string();
    format!("{kind}{}{}", &made[3..], &rest[name.len()..])
}

fn json(yaml: &Yaml) -> Value {
    match &yaml.kind {
        Kind::Null => Value::Null,
        Kind::Bool(bool) => Value::Bool(*bool),
        Kind::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::List(list) => list.iter().map(json).collect(),
        Kind::Map(pairs) => Value::Object(pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value))).collect::<Map<_, _>>()),
    }
}

fn fits(wanted: &Value, got: &Value, at: &str) -> Result<(), String> {
    match (wanted, got) {
        (Value::String(any), got) if any == "*" && !got.is_null() => Ok(()),
        (Value::String(part), Value::String(text)) if part.strip_prefix('~').is_some_and(|part| text.contains(part)) => Ok(()),
        (Value::Object(wanted), Value::Object(got)) => {
            wanted.iter().try_for_each(|(key, one)| fits(one, got.get(key).unwrap_or(&Value::Null), &format!("{at}/{key}")))
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.last().is_some_and(|last| last == "...") && got.len() >= wanted.len() - 1 => {
            let first = wanted.len() - 1;
            fits(&wanted[..first].to_vec().into(), &got[..first].to_vec().into(), at)
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            wanted.iter().zip(got).enumerate().try_for_each(|(n, (one, got))| fits(one, got, &format!("{at}/{n}")))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (wanted, got) if wanted == got => Ok(()),
        (wanted, got) => Err(format!("{at}: wanted {wanted}, got {got}")),
    }
}

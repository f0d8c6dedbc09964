//! The story as the log tells it: every event that means something becomes a line, and the stations are ticked off.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tokio::sync::mpsc;

use super::stage::Stage;

/// Pieces of evidence shown a rule.
const MOST_EVIDENCE: usize = 2;

/// A place where the line from the wire to the timeline must come by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Station {
    /// The server answers.
    Server,
    /// The agent's phone is registered and he is available.
    AgentReady,
    /// The call is answered.
    Answered,
    /// A sentence was heard.
    Heard,
    /// And understood.
    Understood,
    /// The caller waits for a person.
    Queued,
    /// The agent's phone rings.
    Offered,
    /// Both speak with each other.
    Bridged,
    /// The recording is closed.
    Recorded,
    /// What was said is written down.
    Transcribed,
    /// And scored.
    Scored,
    /// It stands on the customer's timeline.
    Timeline,
}

impl Station {
    const ALL: [Station; 12] = [
        Station::Server,
        Station::AgentReady,
        Station::Answered,
        Station::Heard,
        Station::Understood,
        Station::Queued,
        Station::Offered,
        Station::Bridged,
        Station::Recorded,
        Station::Transcribed,
        Station::Scored,
        Station::Timeline,
    ];

    /// As the verdict names it.
    pub fn name(self) -> &'static str {
        match self {
            Station::Server => "server",
            Station::AgentReady => "agent's phone registered",
            Station::Answered => "call answered",
            Station::Heard => "sentence heard",
            Station::Understood => "sentence understood",
            Station::Queued => "queue",
            Station::Offered => "agent's phone rings",
            Station::Bridged => "agent answers",
            Station::Recorded => "recording",
            Station::Transcribed => "transcript",
            Station::Scored => "scorecard",
            Station::Timeline => "timeline",
        }
    }

    /// The station an event stands for.
    fn of(event: &Value) -> Option<Station> {
        let data = &event["data"];
        Some(match event["type"].as_str()? {
            "agent.state" if data["state"] == "available" => Station::AgentReady,
            "call.answered" => Station::Answered,
            "message.created" if data["author"] == "customer" => Station::Heard,
            "session.understood" => Station::Understood,
            "session.queued" => Station::Queued,
            "session.offered" => Station::Offered,
            "call.bridged" => Station::Bridged,
            "recording.finished" => Station::Recorded,
            "transcript.finished" => Station::Transcribed,
            "evaluation.finished" => Station::Scored,
            _ => return None,
        })
    }
}

/// What has happened so far.
pub struct Story {
    began: Instant,
    reached: BTreeSet<Station>,
    customer: Option<String>,
    session: Option<String>,
    recording: Option<String>,
}

impl Story {
    /// An empty one.
    pub fn begin() -> Story {
        Story { began: Instant::now(), reached: BTreeSet::new(), customer: None, session: None, recording: None }
    }

    /// Ticks a station off.
    pub fn reach(&mut self, station: Station) {
        self.reached.insert(station);
    }

    /// The first station that was not reached.
    pub fn missing(&self) -> Option<Station> {
        Station::ALL.into_iter().find(|station| !self.reached.contains(station))
    }

    /// Tells events until a station is reached.
    pub async fn until(&mut self, station: Station, events: &mut mpsc::Receiver<Value>, limit: Duration) -> anyhow::Result<()> {
        let all = async {
            while !self.reached.contains(&station) {
                match events.recv().await {
                    Some(event) => self.tell(&event),
                    None => anyhow::bail!("the event stream broke"),
                }
            }
            Ok(())
        };
        tokio::time::timeout(limit, all)
            .await
            .with_context(|| format!("the station `{}` was not reached within {limit:?}", station.name()))?
    }

    /// Tells events until `call` is over.
    pub async fn follow_while(&mut self, events: &mut mpsc::Receiver<Value>, call: impl Future<Output = ()>) {
        tokio::pin!(call);
        loop {
            tokio::select! {
                () = &mut call => return,
                event = events.recv() => match event {
                    Some(event) => self.tell(&event),
                    None => return call.await,
                },
            }
        }
    }

    /// Tells what comes after the call, until only the timeline is missing.
    pub async fn afterwards(&mut self, events: &mut mpsc::Receiver<Value>, limit: Duration) {
        let rest = async {
            while self.missing().is_some_and(|station| station != Station::Timeline) {
                match events.recv().await {
                    Some(event) => self.tell(&event),
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(limit, rest).await;
    }

    /// Looks whether the session stands on the customer's timeline, and tells where to look.
    pub async fn timeline(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Some(customer) = self.customer.clone() else { return Ok(()) };
        if let Some(path) = &self.recording {
            self.line("recording", &stage.recording(path).display().to_string());
        }
        let path = format!("/v1/customers/{customer}/timeline");
        let page = stage.ask(&path).await.context("the station `timeline` failed")?;
        let session = self.session.clone().unwrap_or_default();
        if page.to_string().contains(&session) {
            self.reach(Station::Timeline);
        }
        self.line("timeline", &stage.url(&path));
        Ok(())
    }

    fn tell(&mut self, event: &Value) {
        let data = &event["data"];
        let text = |key: &str| data[key].as_str().unwrap_or("").to_owned();
        match event["type"].as_str().unwrap_or("") {
            "session.created" => {
                (self.customer, self.session) = (Some(text("customer")), Some(text("session")));
                self.line("session", &format!("{} from {} at {}", text("channel"), text("address"), text("entry")));
            }
            "agent.state" => self.line("agent", &text("state")),
            "call.answered" => self.line("call", "answered"),
            "message.created" => self.message(data),
            "session.node" => self.line("node", &text("node")),
            "session.understood" => self.understood(data),
            "session.slot" => self.line("value", &format!("{} = {}", text("slot"), data["value"])),
            "session.lookup" => self.line("lookup", &format!("{}: {}", text("name"), text("outcome"))),
            "session.queued" => self.line("queue", &format!("needs {}, position {}", data["skills"], data["position"])),
            "session.offered" => self.line("agent", "phone rings"),
            "offer.ended" => self.line("offer", &text("end")),
            "call.bridged" => self.line("call", "caller and agent are connected"),
            "call.ended" => self.line("call", &format!("ended: {}", text("ending"))),
            "session.closed" => self.line("session", &format!("closed: {}, {}", text("ending"), text("disposition"))),
            "recording.finished" => {
                self.recording = Some(text("path"));
                self.line("recording", &format!("{} ms, {} bytes, sha256 {}", data["duration_ms"], data["bytes"], text("sha256")));
            }
            "transcript.finished" => self.transcript(data),
            "evaluation.finished" => self.score(data),
            _ => {}
        }
        if let Some(station) = Station::of(event) {
            self.reach(station);
        }
    }

    fn message(&self, data: &Value) {
        let author = data["author"].as_str().unwrap_or("");
        let said = data["content"]["text"].as_str().unwrap_or("");
        let how = if author == "customer" {
            data["source"].as_str().map(|engine| format!("   ({engine})")).unwrap_or_default()
        } else {
            String::new()
        };
        self.line(author, &format!("{said}{how}"));
    }

    fn understood(&self, data: &Value) {
        let intents = data["intents"].as_array().map(Vec::as_slice).unwrap_or_default();
        let scored = intents
            .iter()
            .map(|intent| format!("{} {:.2}", intent["intent"].as_str().unwrap_or(""), intent["score"].as_f64().unwrap_or(0.0)));
        self.line("understood", &format!("{} → {}", scored.collect::<Vec<_>>().join(", "), data["decision"].as_str().unwrap_or("")));
    }

    fn transcript(&self, data: &Value) {
        self.line("transcript", data["engine"].as_str().unwrap_or(""));
        for utterance in data["utterances"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let second = utterance["offset_ms"].as_f64().unwrap_or(0.0) / 1_000.0;
            println!(
                "            {second:6.1} s  {:<9} {}",
                utterance["by"].as_str().unwrap_or(""),
                utterance["text"].as_str().unwrap_or("")
            );
        }
    }

    fn score(&self, data: &Value) {
        self.line("scorecard", &format!("{}: {}", data["scorecard"].as_str().unwrap_or(""), data["score"]));
        for answer in data["answers"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let verdict = answer["verdict"].as_str().unwrap_or("");
            println!("            {verdict:<6} {:>5} points  {}", answer["points"], answer["title"].as_str().unwrap_or(""));
            for evidence in answer["evidence"].as_array().into_iter().flatten().take(MOST_EVIDENCE) {
                println!(
                    "                   because {} said: {}",
                    evidence["by"].as_str().unwrap_or(""),
                    evidence["text"].as_str().unwrap_or("")
                );
            }
        }
    }

    fn line(&self, what: &str, text: &str) {
        println!("{:7.1} s  {what:<11} {text}", self.began.elapsed().as_secs_f32());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_missing_station_is_named() {
        let mut story = Story::begin();
        story.reach(Station::Server);
        assert_eq!(story.missing(), Some(Station::AgentReady));
        story.tell(&json!({"type": "agent.state", "data": {"state": "away"}}));
        assert_eq!(story.missing(), Some(Station::AgentReady), "away is not available");
        story.tell(&json!({"type": "agent.state", "data": {"state": "available"}}));
        assert_eq!(story.missing().map(Station::name), Some("call answered"));
    }

    #[test]
    fn only_the_customers_own_words_count_as_heard() {
        let of = |author: &str| Station::of(&json!({"type": "message.created", "data": {"author": author}}));
        assert_eq!((of("bot"), of("customer")), (None, Some(Station::Heard)));
    }
}

//! The after-call worker: finished recordings become transcripts, ended sessions become evaluations. What is left to do stands in
//! the database, so that a restart goes on where it ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::dialogue;
use super::evaluate::evaluate;
use super::scorecard::Scorecard;
use crate::clock::{chance, now};
use crate::control::discreet::discreet;
use crate::control::event::{DomainEvent, Fact};
use crate::control::words::pressure::Pressure;
use crate::control::words::{EvaluationId, EventId, Lang, RecordingId, SessionId};
use crate::store::journal::Journal;
use crate::store::messages::Message;
use crate::store::recordings::Recording;
use crate::store::sessions::{Session, Transcripts};
use crate::store::{Error, Store};

/// Recordings looked up at once: each takes seconds.
const RECORDINGS: i64 = 32;
/// Sessions looked up at once: with [`PACE`], 500 a second can be measured.
const SESSIONS: i64 = 256;
/// A prompt begins so soon after its line was written, and pauses so long within it.
const PROMPT_SLACK_MS: u64 = 1_500;
const LINE_END: &str = "\n";
/// The language of a session in which no plan spoke (a call straight to an agent).
const DEFAULT_LANG: &str = "zh-CN";
/// Pauses after the first, second … try at a transcript that failed; then it is given up.
const PAUSES: [Duration; 4] = [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(3_600)];
/// With nothing to do and nothing new in the log, work is looked for after this all the same.
const IDLE: Duration = Duration::from_secs(600);
/// Between two looks for work: under load the calls come first.
const PACE: Duration = Duration::from_millis(500);

/// One utterance of a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Utterance {
    /// From the beginning of the recording, in milliseconds.
    pub offset_ms: u64,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
    /// The words.
    pub text: String,
    /// 0.0 to 1.0.
    pub confidence: f32,
    /// BCP 47, when the recognizer knows.
    pub lang: Option<String>,
}

/// Both sides of a recording.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Transcribed {
    /// Which recognizer.
    pub engine: String,
    /// What the customer said.
    pub customer: Vec<Utterance>,
    /// What the customer heard.
    pub heard: Vec<Utterance>,
}

/// Why a recording has no words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unheard {
    /// It may go another time.
    #[error("{0}")]
    Now(String),
    /// It never will with this configuration.
    #[error("{0}")]
    Ever(String),
}

/// Turns a recording in a language into words; runs on a thread of its own. It asks now and then whether anybody still wants them.
pub type Transcribe = Arc<dyn Fn(&Path, &Lang, &dyn Fn() -> bool) -> Result<Transcribed, Unheard> + Send + Sync>;
/// Takes card numbers and the like out of a text before it is kept.
pub type Redact = fn(&str) -> String;

/// The worker.
#[derive(Clone)]
pub struct Worker {
    /// The tables.
    pub store: Store,
    /// The log.
    pub journal: Journal,
    /// The recordings' folder.
    pub recordings: PathBuf,
    /// The recognizer; `None` when there is none: sessions are then measured by what was understood while they ran.
    pub transcribe: Option<Transcribe>,
    /// Takes sensitive text out.
    pub redact: Redact,
    /// What sessions are measured by.
    pub cards: Arc<[Scorecard]>,
    /// It waits until there is time for it.
    pub pressure: watch::Receiver<Pressure>,
}

impl Worker {
    /// Works until the store closes.
    pub async fn run(self) {
        let mut applied = self.store.watch();
        let mut pace = tokio::time::interval(PACE);
        if let Err(error) = self.welcome_cards().await {
            tracing::error!(%error, "sessions that a new scorecard has not measured could not be marked");
        }
        loop {
            pace.tick().await;
            applied.borrow_and_update();
            match self.round().await {
                Ok(0) => {
                    let wait = self.rest().await;
                    if let Ok(Err(_)) = tokio::time::timeout(wait, applied.changed()).await {
                        return;
                    }
                }
                Ok(_) => {}
                Err(Error::Journal(_)) => return,
                Err(error) => tracing::error!(%error, "after-call work is held up"),
            }
        }
    }

    /// A scorecard that is new here measures what ended before it came.
    async fn welcome_cards(&self) -> Result<(), Error> {
        for card in self.cards.iter() {
            let marked = self.store.mark_unmeasured(&card.id).await?;
            if marked > 0 {
                tracing::info!(card = card.id, marked, "sessions are to be measured by a scorecard that did not know them");
            }
        }
        Ok(())
    }

    /// How long there is nothing to do unless the log goes on.
    async fn rest(&self) -> Duration {
        match self.store.next_transcript(now()).await {
            Ok(Some(at)) => at.since(now()).min(IDLE),
            Ok(None) | Err(_) => IDLE,
        }
    }

    /// Does what there is to do; says how much it was.
    ///
    /// # Errors
    /// What the database or the log says.
    pub async fn round(&self) -> Result<usize, Error> {
        let mut done = 0;
        let transcripts = if self.transcribe.is_some() { Transcripts::Wanted } else { Transcripts::None };
        if let Some(transcribe) = &self.transcribe {
            for recording in self.store.untranscribed(now(), RECORDINGS).await? {
                self.until_calm().await;
                self.transcribe(transcribe, recording).await?;
                done += 1;
            }
        }
        self.until_calm().await;
        let (sessions, mut facts) = (self.store.unmeasured(transcripts, SESSIONS).await?, Vec::new());
        for session in &sessions {
            for card in self.cards.iter() {
                if !self.store.needs_no_measuring(&session.id, &card.id).await? {
                    facts.extend(self.evaluate(card, session).await?);
                }
            }
        }
        if !facts.is_empty() {
            self.record(facts).await?;
        }
        self.store.measured(&sessions).await?;
        Ok(done + sessions.len())
    }

    /// Callers come first. A governor that is gone holds nothing up.
    async fn until_calm(&self) {
        let mut pressure = self.pressure.clone();
        drop(pressure.wait_for(|level| *level == Pressure::Calm).await);
    }

    async fn record(&self, facts: Vec<Fact>) -> Result<(), Error> {
        let (at, mut random) = (now(), chance());
        let events = facts.into_iter().map(|fact| DomainEvent { id: EventId::new(at, &mut random), at, fact: discreet(fact) }).collect();
        self.store.record(&self.journal, events).await.map(|_| ())
    }

    async fn transcribe(&self, transcribe: &Transcribe, recording: Recording) -> Result<(), Error> {
        let (Ok(id), Ok(session)) = (recording.id.parse(), recording.session.parse()) else { return Ok(()) };
        let lang = Lang::new(self.store.spoken_lang(&recording.session).await?.as_deref().unwrap_or(DEFAULT_LANG));
        let (file, transcribe) = (self.recordings.join(&recording.path), transcribe.clone());
        let (tell, told) = oneshot::channel();
        // A thread of its own: it takes a priority that no other work should find itself at.
        let work = move || {
            let heard = transcribe(&file, &lang, &|| !tell.is_closed());
            // Who asked may have gone away.
            let _ = tell.send(heard);
        };
        let heard = match std::thread::Builder::new().name("transcript".into()).spawn(work) {
            Ok(thread) => {
                // The runtime waits for this at its end: what a recognizer works with must not be taken down under it.
                tokio::task::spawn_blocking(move || drop(thread.join()));
                told.await.unwrap_or_else(|_| Err(Unheard::Now("the recognizer broke off".to_owned())))
            }
            Err(why) => Err(Unheard::Now(format!("no thread for the recognizer: {why}"))),
        };
        let transcribed = match heard {
            Ok(transcribed) => transcribed,
            Err(why) => return self.unheard(&recording, (id, session), &why).await,
        };
        let bridged = self.store.bridged_after(&recording).await?;
        let plan = self.store.plan_lines(&recording.id).await?.into_iter().map(said).collect();
        let utterances = utterances(&recording.id, &with_plan(transcribed.clone(), plan, bridged), bridged, self.redact);
        self.record(vec![Fact::TranscriptFinished { recording: id, session, engine: transcribed.engine, utterances }]).await
    }

    /// Tried again after a pause, or given up: then the log says so, and the session is measured by what was understood while it ran.
    async fn unheard(&self, recording: &Recording, (id, session): (RecordingId, SessionId), why: &Unheard) -> Result<(), Error> {
        let tries = recording.transcript.tries + 1;
        let pause =
            usize::try_from(recording.transcript.tries).ok().and_then(|tried| PAUSES.get(tried)).filter(|_| matches!(why, Unheard::Now(_)));
        tracing::warn!(id = recording.id, %why, tries, ?pause, "a recording could not be transcribed");
        match pause {
            Some(pause) => self.store.note_untranscribed(&recording.id, tries, &why.to_string(), now() + *pause).await,
            None => {
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                self.record(vec![Fact::TranscriptFailed { recording: id, session, tries, why: why.to_string() }]).await
            }
        }
    }

    async fn evaluate(&self, card: &Scorecard, session: &Session) -> Result<Option<Fact>, Error> {
        let Ok(id) = session.id.parse() else { return Ok(None) };
        let dialogue = dialogue::of_session(&self.store, session).await?;
        let evaluated = evaluate(card, &dialogue);
        let evaluation = EvaluationId::new(now(), &mut chance());
        let answers = serde_json::to_value(&evaluated.answers).unwrap_or_default();
        Ok(Some(Fact::EvaluationFinished { evaluation, session: id, scorecard: card.id.clone(), score: evaluated.score, answers }))
    }
}

fn said((offset_ms, line): (u64, Message)) -> Utterance {
    let text = line.content["text"].as_str().unwrap_or_default().to_owned();
    Utterance { offset_ms, duration_ms: 0, text, confidence: 1.0, lang: line.lang }
}

/// What the plan said is known word by word: its own lines stand in the place of what a recognizer would make of them, for as long
/// as they were heard.
fn with_plan(mut transcribed: Transcribed, plan: Vec<Utterance>, bridged: Option<u64>) -> Transcribed {
    let of_agent = |one: &Utterance| bridged.is_some_and(|bridged| one.offset_ms >= bridged);
    let (agent, heard): (Vec<_>, Vec<_>) = transcribed.heard.into_iter().partition(of_agent);
    transcribed.heard = plan;
    for piece in heard {
        let before = transcribed.heard.iter_mut().rfind(|line| line.offset_ms <= piece.offset_ms + PROMPT_SLACK_MS);
        if let Some(line) = before.filter(|line| piece.offset_ms <= line.offset_ms + line.duration_ms + PROMPT_SLACK_MS) {
            line.duration_ms = (piece.offset_ms + piece.duration_ms).saturating_sub(line.offset_ms);
        }
    }
    transcribed.heard.extend(agent);
    transcribed
}

/// Both sides in one list by time. What the customer heard before the bridge was the plan, after it the agent.
fn utterances(recording: &str, transcribed: &Transcribed, bridged: Option<u64>, redact: Redact) -> Value {
    let heard_from = |offset: u64| if bridged.is_some_and(|bridged| offset >= bridged) { "agent" } else { "bot" };
    let customer = transcribed.customer.iter().map(|one| ("customer", one));
    let heard = transcribed.heard.iter().map(|one| (heard_from(one.offset_ms), one));
    let mut all: Vec<_> = customer.chain(heard).collect();
    all.sort_by_key(|(_, one)| (one.offset_ms, one.duration_ms));
    let before: Vec<String> = std::iter::once(String::new()).chain(all.iter().map(|(_, one)| one.text.clone())).collect();
    let print = |(at, (by, one)): (usize, (&str, &Utterance))| {
        json!({
            "id": format!("{recording}#{}", at + 1), "by": by, "offset_ms": one.offset_ms, "duration_ms": one.duration_ms,
            "text": redact_after(&before[at], &one.text, redact), "confidence": one.confidence, "lang": one.lang,
        })
    };
    all.into_iter().enumerate().map(print).collect()
}

/// "Your PIN, please?" – "Eight three five one.": the line before says what the digits are.
fn redact_after(before: &str, text: &str, redact: Redact) -> String {
    let (before, text) = (before.replace(LINE_END, " "), text.replace(LINE_END, " "));
    let both = redact(&format!("{before}{LINE_END}{text}"));
    let own = both.split_once(LINE_END).map_or_else(|| redact(&text), |(_, own)| own.to_owned());
    // A number that goes on over the two lines is cut in the middle: by itself it may be found all the same.
    redact(&own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_own_words_stand_where_they_were_heard() {
        let say =
            |offset_ms, duration_ms, text: &str| Utterance { offset_ms, duration_ms, text: text.to_owned(), confidence: 1.0, lang: None };
        let heard = vec![say(200, 3_000, "misheard"), say(4_000, 500, "too"), say(60_000, 5_000, "music"), say(90_000, 800, "hello")];
        let transcribed = Transcribed { engine: "e".to_owned(), customer: vec![], heard };
        let all = with_plan(transcribed, vec![say(2, 0, "Welcome. How can I help?")], Some(80_000)).heard;
        assert_eq!(all, [say(2, 4_498, "Welcome. How can I help?"), say(90_000, 800, "hello")]);
    }

    #[test]
    fn digits_are_secret_when_the_line_before_asks_for_a_secret() {
        let redact = crate::nlu::redact::redact;
        assert_eq!(redact_after("what is your pin", "eight three five one", redact), "[pin]");
        assert_eq!(redact_after("how many", "eight three five one", redact), "eight three five one");
        assert_eq!(redact_after("", "my card is 4111 1111 1111 1111", redact), "my card is [card]");
    }

    #[test]
    fn the_right_side_is_the_plan_until_the_bridge_and_the_agent_after_it() {
        let say = |offset_ms, text: &str| Utterance { offset_ms, duration_ms: 500, text: text.to_owned(), confidence: 1.0, lang: None };
        let transcribed =
            Transcribed { engine: "e".to_owned(), customer: vec![say(1_000, "b")], heard: vec![say(0, "a"), say(2_000, "4111")] };
        let all = utterances("rec_1", &transcribed, Some(1_500), |text| text.replace("4111", "****"));
        let words: Vec<_> = all.as_array().unwrap().iter().map(|one| format!("{} {} {}", one["id"], one["by"], one["text"])).collect();
        assert_eq!(words, [r#""rec_1#1" "bot" "a""#, r#""rec_1#2" "customer" "b""#, r#""rec_1#3" "agent" "****""#]);
    }
}

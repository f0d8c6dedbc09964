//! A contact as quality sees it: who said what when, what was understood, and the facts of the session.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::check::By;
use crate::store::events::Span;
use crate::store::messages::Message;
use crate::store::page::Slice;
use crate::store::recordings::{Transcript, Wanted};
use crate::store::sessions::Session;
use crate::store::{Error, Store};

/// Lines of one contact that are looked at.
const LINES: i64 = 500;
/// Facts of one contact that are looked at.
const FACTS: i64 = 2_000;

/// One turn.
#[derive(Clone, PartialEq, Debug)]
pub struct Turn {
    /// The message's or the utterance's id.
    pub id: String,
    /// Who speaks.
    pub by: By,
    /// The words.
    pub text: String,
    /// From the beginning of the contact, in milliseconds.
    pub begin: u64,
    /// Its end, in milliseconds; a written line has no length.
    pub end: u64,
    /// Was it spoken?
    pub medium: Medium,
}

/// Spoken or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// It has a length in time.
    Spoken,
    /// It has none.
    Written,
}

/// A whole contact.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Dialogue {
    /// In the order of their beginnings.
    pub turns: Vec<Turn>,
    /// Intents with the message that carried them.
    pub intents: Vec<(String, Option<String>)>,
    /// Slots that were filled.
    pub slots: Vec<String>,
    /// Facts of the session.
    pub attrs: BTreeMap<String, Value>,
    /// From first to last, in milliseconds.
    pub duration: u64,
}

/// Reads a contact out of the store.
///
/// # Errors
/// What the database says.
pub async fn of_session(store: &Store, session: &Session) -> Result<Dialogue, Error> {
    let lines = store.messages(&session.id, &Slice { cursor: None, limit: Some(LINES) }).await?.data;
    let of_it = Wanted { session: Some(session.id.clone()), ..Wanted::default() };
    let recordings = store.recordings(&of_it, &Slice::default()).await?.data;
    let mut transcripts = Vec::new();
    for recording in &recordings {
        transcripts.extend(store.transcript(&recording.id).await?);
    }
    let heard = transcripts.iter().flat_map(spoken).collect();
    let turns = merged(lines.iter().filter_map(|line| turn(line, &session.created_at)).collect(), heard);
    let last = turns.last().map_or(0, |turn| turn.end);
    let duration = session.outcome.duration_ms.map_or(last, i64::cast_unsigned);
    let intents = intents(store, session).await?;
    let slots = store.slots(&session.id).await?.into_iter().map(|slot| slot.slot).collect();
    Ok(Dialogue { turns, intents, slots, attrs: attrs(session), duration })
}

/// The lines of a contact with what was written down of its recording. What was recognised after the call is better than what was
/// recognised in haste, and the prompts of a call stand among both: each speaker's spoken words count once.
fn merged(lines: Vec<Turn>, heard: Vec<Turn>) -> Vec<Turn> {
    let is_heard_again = |turn: &Turn| {
        let spoken = turn.medium == Medium::Spoken || turn.by == By::Bot;
        spoken && heard.iter().any(|other| other.by == turn.by)
    };
    let mut turns: Vec<Turn> = lines.into_iter().filter(|turn| !is_heard_again(turn)).collect();
    turns.extend(heard);
    // Stable: lines of one moment stay in the order of the log.
    turns.sort_by_key(|turn| turn.begin);
    turns
}

async fn intents(store: &Store, session: &Session) -> Result<Vec<(String, Option<String>)>, Error> {
    let span = Span { after: 0, limit: FACTS, session: Some(session.id.clone()), kind: Some("session.understood".to_owned()) };
    let events = store.events(&span).await?;
    let first = |data: &Value| Some((data["intents"][0]["intent"].as_str()?.to_owned(), data["message"].as_str().map(str::to_owned)));
    Ok(events.iter().filter_map(|event| first(&event.data)).collect())
}

fn attrs(session: &Session) -> BTreeMap<String, Value> {
    let (origin, place, outcome) = (&session.origin, &session.whereabouts, &session.outcome);
    let all = [
        ("channel", json!(origin.channel)),
        ("plan", json!(origin.plan)),
        ("entry", json!(origin.entry)),
        ("node", json!(place.node)),
        ("intent", json!(place.intent)),
        ("queue", json!(place.queue)),
        ("agent", json!(place.agent)),
        ("ending", json!(outcome.ending)),
        ("disposition", json!(outcome.disposition)),
        ("contained", json!(outcome.contained)),
        ("waited_ms", json!(outcome.waited_ms.unwrap_or(0))),
        ("duration_ms", json!(outcome.duration_ms)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn turn(line: &Message, began: &str) -> Option<Turn> {
    let by = match line.author.as_str() {
        "customer" => By::Customer,
        "agent" => By::Agent,
        "bot" => By::Bot,
        _ => return None,
    };
    let text = line.content["text"].as_str()?.to_owned();
    let spoken = line.speech.offset_ms.map(i64::cast_unsigned);
    let begin = spoken.unwrap_or_else(|| since(began, &line.at));
    let end = begin + line.speech.duration_ms.map_or(0, i64::cast_unsigned);
    let medium = if spoken.is_some() { Medium::Spoken } else { Medium::Written };
    Some(Turn { id: line.id.clone(), by, text, begin, end, medium })
}

/// Milliseconds between two times of the API.
fn since(began: &str, at: &str) -> u64 {
    let parse = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
    u64::try_from(parse(at) - parse(began)).unwrap_or(0)
}

fn spoken(transcript: &Transcript) -> Vec<Turn> {
    let read = |one: &Value| {
        let begin = one["offset_ms"].as_u64()?;
        let by = match one["by"].as_str()? {
            "customer" => By::Customer,
            "agent" => By::Agent,
            _ => By::Bot,
        };
        let end = begin + one["duration_ms"].as_u64().unwrap_or(0);
        Some(Turn { id: one["id"].as_str()?.to_owned(), by, text: one["text"].as_str()?.to_owned(), begin, end, medium: Medium::Spoken })
    };
    transcript.utterances.as_array().into_iter().flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(by: By, begin: u64, text: &str, medium: Medium) -> Turn {
        Turn { id: format!("{begin}"), by, text: text.to_owned(), begin, end: begin, medium }
    }

    fn texts(turns: &[Turn]) -> Vec<&str> {
        turns.iter().map(|turn| turn.text.as_str()).collect()
    }

    #[test]
    fn the_words_of_a_call_count_once_and_what_was_typed_in_it_stays() {
        let lines = vec![
            said(By::Bot, 400, "Hello, this is the hotline.", Medium::Written),
            said(By::Customer, 3_000, "my car broke", Medium::Spoken),
            said(By::Customer, 5_000, "A12345", Medium::Written),
            said(By::Agent, 6_000, "the garage's address", Medium::Written),
        ];
        let heard = vec![
            said(By::Bot, 300, "Hello, this is the hotline.", Medium::Spoken),
            said(By::Customer, 2_900, "My car broke down.", Medium::Spoken),
            said(By::Agent, 5_500, "One moment.", Medium::Spoken),
        ];
        let all = merged(lines, heard);
        assert_eq!(texts(&all), ["Hello, this is the hotline.", "My car broke down.", "A12345", "One moment.", "the garage's address"]);
    }

    #[test]
    fn without_a_transcript_the_lines_are_the_dialogue() {
        let lines = vec![said(By::Bot, 0, "Hello.", Medium::Written), said(By::Customer, 900, "Hi.", Medium::Spoken)];
        assert_eq!(texts(&merged(lines.clone(), Vec::new())), texts(&lines));
    }
}

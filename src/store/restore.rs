//! What a restart finds: sessions that an abrupt end left open, and the facts that settle what only the store can settle.

use std::io;

use sha2::{Digest, Sha256};

use super::db::Row;
use super::journal::Journal;
use super::{Error, Store};
use crate::args;
use crate::clock::{chance, now};
use crate::control::event::{DomainEvent, Fact, OfferEnd};
use crate::control::session::{Interrupted, Restored};
use crate::control::time::Time;
use crate::control::words::agent::AgentState;
use crate::control::words::{EventId, RecordingId, SessionId};
use crate::vault::{self, Shelf};

impl Store {
    /// What the rules need from before. First the store settles its own loose ends: offers that rang are withdrawn, agents are
    /// offline until their phones register, recordings are closed at the length that the disk has.
    ///
    /// # Errors
    /// What the database or the log says.
    pub async fn restore(&self, journal: &Journal, recordings: &Shelf) -> Result<Restored, Error> {
        let mut facts = self.loose_offers().await?;
        facts.extend(self.loose_agents().await?);
        facts.extend(self.loose_recordings(recordings).await?);
        let (at, mut random) = (now(), chance());
        let events: Vec<_> = facts.into_iter().map(|fact| DomainEvent { id: EventId::new(at, &mut random), at, fact }).collect();
        if !events.is_empty() {
            self.record(journal, events).await?;
        }
        let sql = "SELECT s.id, s.call, s.created_at, s.address, \
                   (SELECT w.queue FROM queue_waits w WHERE w.session = s.id AND w.left_at IS NULL ORDER BY w.seq DESC LIMIT 1) AS line \
                   FROM sessions s WHERE s.state <> 'closed' ORDER BY s.id";
        let rows = self.db.rows(sql, args![]).await?;
        let interrupted = rows.iter().filter_map(|row| interrupted(row).transpose()).collect::<Result<_, Error>>()?;
        Ok(Restored { last_ticket: self.next_ticket().await?.saturating_sub(1), interrupted, phones: self.kept_phones().await? })
    }

    async fn loose_offers(&self) -> Result<Vec<Fact>, Error> {
        let rows = self.db.rows("SELECT id, session, agent FROM offers WHERE state = 'ringing'", args![]).await?;
        let mut facts = Vec::new();
        for row in &rows {
            if let (Ok(offer), Ok(session), Ok(agent)) = (row.text("id")?.parse(), row.text("session")?.parse(), row.text("agent")?.parse())
            {
                facts.push(Fact::OfferEnded { offer, session, agent, end: OfferEnd::Withdrawn });
            }
        }
        Ok(facts)
    }

    async fn loose_agents(&self) -> Result<Vec<Fact>, Error> {
        let rows = self.db.rows("SELECT agent FROM agent_states WHERE state <> 'offline'", args![]).await?;
        let mut facts = Vec::new();
        for row in &rows {
            if let Ok(agent) = row.text("agent")?.parse() {
                facts.push(Fact::AgentState { agent, state: AgentState::Offline, reason: Some("server_restarted".to_owned()) });
            }
        }
        Ok(facts)
    }

    async fn loose_recordings(&self, shelf: &Shelf) -> Result<Vec<Fact>, Error> {
        let rows = self.db.rows("SELECT id, session, path FROM recordings WHERE state = 'recording'", args![]).await?;
        let mut facts = Vec::new();
        for row in &rows {
            let (Ok(recording), Ok(session)) = (row.text("id")?.parse(), row.text("session")?.parse()) else { continue };
            let path = row.text("path")?;
            let (shelf, below) = (shelf.clone(), path.clone());
            let read = tokio::task::spawn_blocking(move || measure(&shelf, &below)).await.unwrap_or_else(|why| Err(io::Error::other(why)));
            match read {
                Ok(measured) => facts.extend(measured.facts(recording, session, path)),
                Err(why) => facts.push(Fact::RecordingFailed { recording, session, why: why.to_string() }),
            }
        }
        Ok(facts)
    }
}

fn interrupted(row: &Row) -> Result<Option<Interrupted>, Error> {
    let (Ok(session), Ok(began)) = (row.text("id")?.parse(), u64::try_from(row.int("created_at")?)) else { return Ok(None) };
    Ok(Some(Interrupted {
        session,
        call: row.opt_text("call")?.and_then(|call| call.parse().ok()),
        began: Time(began),
        queue: row.opt_text("line")?.and_then(|queue| queue.parse().ok()),
        address: row.text("address")?,
    }))
}

/// What lies there of a recording.
struct Measured {
    parts: Vec<Part>,
    /// Of all parts, one behind the other.
    sha256: String,
}

struct Part {
    path: String,
    duration_ms: u64,
    bytes: u64,
    sha256: String,
}

impl Measured {
    fn facts(self, recording: RecordingId, session: SessionId, path: String) -> Vec<Fact> {
        let Measured { parts, sha256 } = self;
        let (duration_ms, bytes) = parts.iter().fold((0, 0), |(ms, bytes), part| (ms + part.duration_ms, bytes + part.bytes));
        let whole = Fact::RecordingFinished { recording, session, path, duration_ms, bytes, sha256 };
        let several = parts.len() > 1;
        let part = |(part, Part { path, duration_ms, bytes, sha256 })| Fact::RecordingPart {
            recording,
            session,
            part,
            path,
            duration_ms,
            bytes,
            sha256,
        };
        (1..).zip(parts).filter(|_| several).map(part).chain([whole]).collect()
    }
}

/// Measures the files of a recording, each closed at its last whole sound.
fn measure(shelf: &Shelf, path: &str) -> io::Result<Measured> {
    let (mut parts, mut whole) = (Vec::new(), Sha256::new());
    for part in vault::parts(&shelf.folder, path.as_ref()) {
        vault::repair(&shelf.folder.join(&part), &shelf.keys)?;
        let mut reader = shelf.open(&part)?;
        if reader.len() < vault::WAV_HEADER {
            return Err(io::Error::other("there is no sound in it"));
        }
        let mut sum = Sha256::new();
        reader.pieces(|piece| {
            sum.update(piece);
            whole.update(piece);
        })?;
        let sha256 = hex::encode(sum.finalize());
        let duration_ms = DomainEvent::ms(reader.duration()?);
        parts.push(Part { path: part.to_string_lossy().into_owned(), duration_ms, bytes: reader.len(), sha256 });
    }
    Ok(Measured { parts, sha256: hex::encode(whole.finalize()) })
}

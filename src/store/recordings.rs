//! Recordings and their transcripts.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;
use crate::control::time::Time;
use crate::control::words::AgentId;

/// A stereo file: left the customer, right what he heard.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recording {
    /// `rec_…`
    pub id: String,
    /// Of which session.
    pub session: String,
    /// Below the recordings folder; the first part's.
    pub path: String,
    /// `recording`, `finished` or `failed`.
    pub state: String,
    /// Sound in it.
    pub duration_ms: Option<i64>,
    /// Size of it.
    pub bytes: Option<i64>,
    /// SHA-256, hex; of all parts as if one lay behind the other.
    pub sha256: Option<String>,
    /// The files of a recording that has several, those that are closed; none where it is one.
    pub parts: Vec<RecordingPart>,
    /// Why it failed.
    pub why: Option<String>,
    /// How its transcript stands.
    pub transcript: TranscriptStanding,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: Option<String>,
}

/// One file of a recording that has several.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordingPart {
    /// From 1.
    pub part: i64,
    /// Below the recordings folder.
    pub path: String,
    /// Sound in the file.
    pub duration_ms: i64,
    /// Size of the file.
    pub bytes: i64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// How a recording's transcript stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TranscriptStanding {
    /// `none` (not yet recorded), `pending`, `done`, or `failed`: given up.
    pub state: String,
    /// Tries that failed.
    pub tries: i64,
    /// Why the last one did.
    pub why: Option<String>,
}

/// Which recordings are listed; what is not given is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this session.
    pub session: Option<String>,
    /// `recording`, `finished` or `failed`.
    pub state: Option<String>,
    /// Of sessions that these agents served.
    pub served: Option<Served>,
}

/// Who served a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served(String);

/// What stands for sessions that nobody served; no id has it.
const NOBODY: &str = "-";

impl Served {
    /// By one of these agents.
    #[must_use]
    pub fn by(agents: impl IntoIterator<Item = AgentId>) -> Served {
        Served(agents.into_iter().map(|agent| format!(",{agent}")).collect())
    }

    /// As a statement takes it: an id of an agent is never a part of another one.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Or by nobody.
    #[must_use]
    pub fn or_nobody(self) -> Served {
        Served(self.0 + NOBODY)
    }
}

/// What was said in a recording, by side and time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Transcript {
    /// Of which recording.
    pub recording: String,
    /// Of which session.
    pub session: String,
    /// Which recognizer.
    pub engine: String,
    /// `[{id, by: customer|agent, offset_ms, duration_ms, text, confidence, lang}]`
    #[schema(value_type = Vec<Object>)]
    pub utterances: Value,
    /// RFC 3339.
    pub at: String,
}

static STARTED: Add = Add { into: "INSERT INTO recordings (id, session, path, state, started_at)", conflict: "ON CONFLICT DO NOTHING" };
static FINISHED: Set = Set {
    table: "recordings",
    sql: "INSERT INTO recordings (id, session, path, state, duration_ms, bytes, sha256, started_at, finished_at, to_transcribe) \
          SELECT v.column1, v.column2, v.column3, 'finished', v.column4, v.column5, v.column6, v.column7, v.column7, 1 \
          FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL \
          ON CONFLICT (id) DO UPDATE SET state = 'finished', path = excluded.path, to_transcribe = 1, duration_ms = excluded.duration_ms, \
             bytes = excluded.bytes, sha256 = excluded.sha256, finished_at = excluded.finished_at",
    again: Again::Adds,
};
static FAILED: Set = Set {
    table: "recordings",
    sql: "INSERT INTO recordings (id, session, path, state, why, started_at, finished_at) \
          SELECT v.column1, v.column2, '', 'failed', v.column3, v.column4, v.column4 FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL \
          ON CONFLICT (id) DO UPDATE SET state = 'failed', why = excluded.why, finished_at = excluded.finished_at",
    again: Again::Adds,
};

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::RecordingStarted { recording, session, path } => {
            to.add(&STARTED, args![*recording, *session, path, "recording", place.at]);
        }
        Fact::RecordingFinished { recording, session, path, duration_ms, bytes, sha256 } => {
            to.set(&FINISHED, args![*recording, *session, path, *duration_ms, *bytes, sha256, place.at]);
        }
        Fact::RecordingPart { recording, part, path, duration_ms, bytes, sha256, .. } => {
            let sql = "INSERT INTO recording_parts (recording, part, path, duration_ms, bytes, sha256) VALUES ($1, $2, $3, $4, $5, $6) \
                       ON CONFLICT (recording, part) DO UPDATE SET path = excluded.path, duration_ms = excluded.duration_ms, \
                       bytes = excluded.bytes, sha256 = excluded.sha256";
            to.run(sql, args![*recording, u64::from(*part), path, *duration_ms, *bytes, sha256]).await?;
        }
        Fact::RecordingFailed { recording, session, why } => {
            to.set(&FAILED, args![*recording, *session, why, place.at]);
        }
        _ => transcribed(to, place, fact).await?,
    }
    Ok(())
}

async fn transcribed(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    let (sql, args) = match fact {
        Fact::TranscriptFailed { recording, tries, why, .. } => (
            "UPDATE recordings SET to_transcribe = 0, transcribe_tries = $2, transcribe_why = $3 WHERE id = $1",
            args![*recording, u64::from(*tries), why],
        ),
        Fact::TranscriptFinished { recording, session, engine, utterances } => (
            "INSERT INTO transcripts (recording, session, engine, utterances, at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (recording) DO UPDATE SET engine = excluded.engine, utterances = excluded.utterances, at = excluded.at",
            args![*recording, *session, engine, utterances, place.at],
        ),
        _ => return Ok(()),
    };
    to.run(sql, args).await?;
    if let Fact::TranscriptFinished { recording, .. } = fact {
        to.run("UPDATE recordings SET to_transcribe = 0, transcribe_why = NULL WHERE id = $1", args![*recording]).await?;
    }
    Ok(())
}

fn standing(row: &Row) -> Result<TranscriptStanding, Error> {
    let (tries, why) = (row.int("transcribe_tries")?, row.opt_text("transcribe_why")?);
    let state = match row.opt_flag("to_transcribe")? {
        None => "none",
        Some(true) => "pending",
        Some(false) if why.is_some() => "failed",
        Some(false) => "done",
    };
    Ok(TranscriptStanding { state: state.to_owned(), tries, why })
}

fn recording(row: &Row) -> Result<Recording, Error> {
    Ok(Recording {
        id: row.text("id")?,
        session: row.text("session")?,
        path: row.text("path")?,
        state: row.text("state")?,
        duration_ms: row.opt_int("duration_ms")?,
        bytes: row.opt_int("bytes")?,
        sha256: row.opt_text("sha256")?,
        parts: Vec::new(),
        why: row.opt_text("why")?,
        transcript: standing(row)?,
        started_at: row.time("started_at")?,
        finished_at: row.opt_time("finished_at")?,
    })
}

fn part(row: &Row) -> Result<RecordingPart, Error> {
    Ok(RecordingPart {
        part: row.int("part")?,
        path: row.text("path")?,
        duration_ms: row.int("duration_ms")?,
        bytes: row.int("bytes")?,
        sha256: row.text("sha256")?,
    })
}

fn transcript(row: &Row) -> Result<Transcript, Error> {
    Ok(Transcript {
        recording: row.text("recording")?,
        session: row.text("session")?,
        engine: row.text("engine")?,
        utterances: row.json("utterances")?,
        at: row.time("at")?,
    })
}

impl Store {
    /// A recording by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recording(&self, id: &str) -> Result<Option<Recording>, Error> {
        let row = self.db.row("SELECT * FROM recordings WHERE id = $1", args![id]).await?;
        let Some(row) = row else { return Ok(None) };
        let mut found = [recording(&row)?];
        self.with_parts(&mut found).await?;
        let [found] = found;
        Ok(Some(found))
    }

    /// Puts the parts in that recordings of about the same time have.
    async fn with_parts(&self, recordings: &mut [Recording]) -> Result<(), Error> {
        let ids = || recordings.iter().map(|it| it.id.as_str());
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(()) };
        let sql = "SELECT * FROM recording_parts WHERE recording >= $1 AND recording <= $2 ORDER BY recording, part";
        for row in self.db.rows(sql, args![first, last]).await? {
            let of = row.text("recording")?;
            if let Some(one) = recordings.iter_mut().find(|it| it.id == of) {
                one.parts.push(part(&row)?);
            }
        }
        Ok(())
    }

    /// Recordings, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recordings(&self, wanted: &Wanted, slice: &Slice) -> Result<Page<Recording>, Error> {
        let Wanted { session, state, served } = wanted;
        // One text instead of a list, for both databases: an id of an agent is never a part of another one.
        let sql = "SELECT * FROM recordings WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR session = $2) AND ($3 IS NULL OR state = $3) \
                   AND ($4 IS NULL OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = recordings.session \
                      AND $4 LIKE '%' || COALESCE(s.agent, '-') || '%')) \
                   ORDER BY id DESC LIMIT $5";
        let served = served.as_ref().map(|served| served.0.as_str());
        let rows = self.db.rows(sql, args![&slice.cursor, session, state, served, slice.probe()]).await?;
        let mut page = slice.page(&rows, recording, |it| it.id.clone())?;
        self.with_parts(&mut page.data).await?;
        Ok(page)
    }

    /// The transcript of a recording.
    ///
    /// # Errors
    /// What the database says.
    pub async fn transcript(&self, recording: &str) -> Result<Option<Transcript>, Error> {
        self.db.row("SELECT * FROM transcripts WHERE recording = $1", args![recording]).await?.as_ref().map(transcript).transpose()
    }

    /// From which millisecond of a recording on the customer hears an agent; `None` when he never did.
    ///
    /// # Errors
    /// What the database says.
    pub async fn bridged_after(&self, recording: &Recording) -> Result<Option<u64>, Error> {
        let sql = "SELECT c.bridged_at - r.started_at AS micros FROM calls c JOIN recordings r ON r.session = c.session WHERE r.id = $1";
        let row = self.db.row(sql, args![&recording.id]).await?;
        let micros = row.map(|row| row.opt_int("micros")).transpose()?.flatten();
        Ok(micros.map(|micros| micros.max(0).cast_unsigned() / 1_000))
    }

    /// Recordings whose transcript is due, oldest first: the work of the after-call worker.
    ///
    /// # Errors
    /// What the database says.
    pub async fn untranscribed(&self, now: Time, most: i64) -> Result<Vec<Recording>, Error> {
        let sql = "SELECT * FROM recordings WHERE to_transcribe = 1 AND COALESCE(transcribe_at, 0) <= $1 ORDER BY id LIMIT $2";
        self.db.rows(sql, args![now, most]).await?.iter().map(recording).collect()
    }

    /// When the next transcript is due that failed before.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_transcript(&self, now: Time) -> Result<Option<Time>, Error> {
        let sql = "SELECT MIN(transcribe_at) AS next FROM recordings WHERE to_transcribe = 1 AND transcribe_at > $1";
        let row = self.db.row(sql, args![now]).await?;
        Ok(row.map(|row| row.opt_int("next")).transpose()?.flatten().map(|at| Time(at.cast_unsigned())))
    }

    /// A transcript failed and is tried again at `next`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_untranscribed(&self, recording: &str, tries: i64, why: &str, next: Time) -> Result<(), Error> {
        let sql = "UPDATE recordings SET transcribe_tries = $2, transcribe_why = $3, transcribe_at = $4 WHERE id = $1";
        self.db.run(sql, args![recording, tries, why, next]).await.map(|_| ())
    }
}

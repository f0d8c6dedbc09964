//! Which versions of plans there were, which are on trial and how they do, and the notices that callers hear first.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::changes::Changes;
use super::db::Row;
use super::fold::Place;
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;
use crate::control::time::Time;
use crate::control::words::SessionId;
use crate::control::words::live::Announcement;

/// Versions that a list shows.
const MOST_VERSIONS: i64 = 500;

/// A version of a plan that this center knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KnownVersion {
    /// Hash of its canonical content.
    pub version: String,
    /// Who brought it: the name of a key, or `file`.
    pub made_by: String,
    /// RFC 3339.
    pub made_at: String,
    /// When it last came into force; null for a draft.
    pub published_at: Option<String>,
}

/// A version that came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The version.
    pub version: String,
    /// What it replaced.
    pub replaced: Option<String>,
}

/// A trial of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Trial {
    /// The plan.
    pub plan: String,
    /// The version on trial.
    pub version: String,
    /// The version in force when it began.
    pub against: String,
    /// How many of a hundred new sessions take it.
    pub percent: i64,
    /// Who began it.
    pub made_by: String,
    /// RFC 3339.
    pub since: String,
    /// Microseconds.
    #[serde(skip)]
    pub since_us: i64,
    /// RFC 3339; null while it runs.
    pub ended_at: Option<String>,
    /// `published stopped replaced rolled_back broken`
    pub how: Option<String>,
    /// Why it ended.
    pub why: Option<String>,
    /// The counts it was decided by.
    #[schema(value_type = Object)]
    pub counts: Value,
}

/// How ended sessions of one version went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Went {
    /// Ended.
    pub sessions: u64,
    /// The plan could not go on.
    pub failed: u64,
    /// A sentence was not understood.
    pub unmatched: u64,
    /// They came into a line to a person.
    pub to_person: u64,
}

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::PlanPublished { plan, version, before, how, by } => {
            know(to, place, (plan, version), by).await?;
            let sql = "INSERT INTO plan_publications (seq, plan, version, replaced, how, made_by, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
            to.run(sql, args![place.seq, plan, version, before, how, by, place.at]).await?;
        }
        Fact::PlanDrafted { plan, version, by } => know(to, place, (plan, version), by).await?,
        Fact::CanaryStarted { plan, version, against, percent, by } => {
            let sql = "INSERT INTO canaries (seq, plan, version, against, percent, made_by, since) VALUES ($1, $2, $3, $4, $5, $6, $7)";
            to.run(sql, args![place.seq, plan, version, against, u64::from(*percent), by, place.at]).await?;
        }
        Fact::CanaryEnded { plan, version, how, why, counts, .. } => {
            let sql =
                "UPDATE canaries SET ended_at = $3, how = $4, why = $5, counts = $6 WHERE plan = $1 AND version = $2 AND ended_at IS NULL";
            to.run(sql, args![plan, version, place.at, how, why, counts]).await?;
        }
        Fact::NoticeSet { notice, text, by_lang, until, plan, by } => {
            let sql = "INSERT INTO notices (id, text, by_lang, until, plan, made_by, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let by_lang = serde_json::to_value(by_lang).unwrap_or_default();
            to.run(sql, args![notice.to_string(), text, &by_lang, *until, plan, by, place.at]).await?;
        }
        Fact::NoticeCleared { notice, .. } => {
            to.run("UPDATE notices SET cleared_at = $2 WHERE id = $1", args![notice.to_string(), place.at]).await?;
        }
        _ => {}
    }
    Ok(())
}

async fn know(to: &mut Changes<'_>, place: Place, (plan, version): (&str, &str), by: &str) -> Result<(), Error> {
    let sql = "INSERT INTO plan_versions (plan, version, made_by, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    to.run(sql, args![plan, version, by, place.at]).await.map(|_| ())
}

fn trial(row: &Row) -> Result<Trial, Error> {
    Ok(Trial {
        plan: row.text("plan")?,
        version: row.text("version")?,
        against: row.text("against")?,
        percent: row.int("percent")?,
        made_by: row.text("made_by")?,
        since: row.time("since")?,
        since_us: row.int("since")?,
        ended_at: row.opt_time("ended_at")?,
        how: row.opt_text("how")?,
        why: row.opt_text("why")?,
        counts: row.json("counts")?,
    })
}

fn announcement(row: &Row) -> Result<Option<Announcement>, Error> {
    let Ok(id) = row.text("id")?.parse() else { return Ok(None) };
    let by_lang = serde_json::from_value(row.json("by_lang")?).unwrap_or_default();
    let until = Time(row.int("until")?.cast_unsigned());
    Ok(Some(Announcement { id, text: row.text("text")?, by_lang, until, plan: row.opt_text("plan")? }))
}

impl Store {
    /// The versions of a plan that this center knows, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plan_versions(&self, plan: &str) -> Result<Vec<KnownVersion>, Error> {
        let sql = "SELECT v.version, v.made_by, v.made_at, \
                   (SELECT MAX(p.at) FROM plan_publications p WHERE p.plan = v.plan AND p.version = v.version) AS published_at \
                   FROM plan_versions v WHERE v.plan = $1 ORDER BY v.made_at DESC, v.version LIMIT $2";
        let read = |row: &Row| {
            Ok(KnownVersion {
                version: row.text("version")?,
                made_by: row.text("made_by")?,
                made_at: row.time("made_at")?,
                published_at: row.opt_time("published_at")?,
            })
        };
        self.db.rows(sql, args![plan, MOST_VERSIONS]).await?.iter().map(read).collect()
    }

    /// The version of a plan that came into force last.
    ///
    /// # Errors
    /// What the database says.
    pub async fn publication(&self, plan: &str) -> Result<Option<Publication>, Error> {
        let sql = "SELECT version, replaced FROM plan_publications WHERE plan = $1 ORDER BY seq DESC LIMIT 1";
        let row = self.db.row(sql, args![plan]).await?;
        row.map(|row| Ok(Publication { version: row.text("version")?, replaced: row.opt_text("replaced")? })).transpose()
    }

    /// Trials that run.
    ///
    /// # Errors
    /// What the database says.
    pub async fn running_trials(&self) -> Result<Vec<Trial>, Error> {
        self.db.rows("SELECT * FROM canaries WHERE ended_at IS NULL ORDER BY seq", args![]).await?.iter().map(trial).collect()
    }

    /// The trials of a plan, the newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn trials(&self, plan: &str) -> Result<Vec<Trial>, Error> {
        let sql = "SELECT * FROM canaries WHERE plan = $1 ORDER BY seq DESC LIMIT $2";
        self.db.rows(sql, args![plan, MOST_VERSIONS]).await?.iter().map(trial).collect()
    }

    /// How the sessions of a version went that began since then and have ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn went(&self, plan: &str, version: &str, since_us: i64) -> Result<Went, Error> {
        // Ids begin with their time: the table's own order finds the young ones.
        let first = SessionId((u128::from(since_us.cast_unsigned()) / 1_000) << 80).to_string();
        let sql = "SELECT COUNT(*) AS sessions, COUNT(CASE WHEN plan_failed = 1 THEN 1 END) AS failed, \
                   COUNT(CASE WHEN unmatched > 0 THEN 1 END) AS unmatched, COUNT(queue) AS to_person FROM sessions \
                   WHERE id >= $1 AND plan = $2 AND plan_version = $3 AND created_at >= $4 AND closed_at IS NOT NULL";
        let row = self.db.row(sql, args![first, plan, version, since_us]).await?;
        let Some(row) = row else { return Ok(Went::default()) };
        let count = |name| Ok::<u64, Error>(row.int(name)?.cast_unsigned());
        Ok(Went { sessions: count("sessions")?, failed: count("failed")?, unmatched: count("unmatched")?, to_person: count("to_person")? })
    }

    /// Notices that were not taken back and whose hour has not come.
    ///
    /// # Errors
    /// What the database says.
    pub async fn notices(&self, now: Time) -> Result<Vec<Announcement>, Error> {
        let sql = "SELECT * FROM notices WHERE cleared_at IS NULL AND until > $1 ORDER BY at, id";
        let rows = self.db.rows(sql, args![now]).await?;
        rows.iter().filter_map(|row| announcement(row).transpose()).collect()
    }
}

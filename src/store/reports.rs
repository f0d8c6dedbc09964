//! Reports: counts over sessions. A recount from the log gives the same numbers, for the tables are folded from it.

use serde::Serialize;
use utoipa::ToSchema;

use super::db::Row;
use super::{Error, Store};
use crate::args;
use crate::control::dialplan::plan::ARM_OF;

/// Sessions of one channel in the span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelReport {
    /// `phone`, `web` …
    pub channel: String,
    /// Begun.
    pub sessions: i64,
    /// Ended.
    pub closed: i64,
    /// Ended without a person.
    pub contained: i64,
    /// Taken by an agent.
    pub assigned: i64,
    /// Mean time in queues of those that queued.
    pub wait_mean_ms: i64,
    /// Longest time in queues.
    pub wait_max_ms: i64,
    /// Mean length of those that ended.
    pub duration_mean_ms: i64,
}

/// How sessions of a plan ended, by the node they ended in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NodeContainment {
    /// The plan's last node; empty when none was entered.
    pub node: String,
    /// Ended sessions.
    pub sessions: i64,
    /// Settled by the plan.
    pub contained: i64,
    /// Taken by an agent.
    pub transferred: i64,
    /// Neither: the customer gave up, or was promised a callback.
    pub abandoned: i64,
}

/// Sessions by summary code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DispositionCount {
    /// The code; empty when none was given.
    pub disposition: String,
    /// Ended sessions.
    pub sessions: i64,
}

/// From when to when, in microseconds; `until` is outside.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// The first microsecond.
    pub since: u64,
    /// The first one that is out.
    pub until: u64,
}

/// How the ended sessions of one arm or version went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmCounts {
    /// The arm, or the version.
    pub arm: String,
    /// Ended.
    pub sessions: i64,
    /// Without a person.
    pub contained: i64,
    /// Marks of surveys: how many, their sum, and the sum of their squares.
    pub marks: [f64; 3],
}

fn arm(row: &Row) -> Result<ArmCounts, Error> {
    Ok(ArmCounts {
        arm: row.text("arm")?,
        sessions: row.int("sessions")?,
        contained: row.int("contained")?,
        marks: [row.int("marks")? as f64, row.int("mark_sum")? as f64, row.int("mark_squares")? as f64],
    })
}

fn channel(row: &Row) -> Result<ChannelReport, Error> {
    Ok(ChannelReport {
        channel: row.text("channel")?,
        sessions: row.int("sessions")?,
        closed: row.int("closed")?,
        contained: row.int("contained")?,
        assigned: row.int("assigned")?,
        wait_mean_ms: row.int("wait_mean")?,
        wait_max_ms: row.int("wait_max")?,
        duration_mean_ms: row.int("duration_mean")?,
    })
}

impl Store {
    /// Sessions by channel.
    ///
    /// # Errors
    /// What the database says.
    pub async fn report_sessions(&self, period: Period) -> Result<Vec<ChannelReport>, Error> {
        let sql = "SELECT channel, COUNT(*) AS sessions, COUNT(closed_at) AS closed, COUNT(CASE WHEN contained = 1 THEN 1 END) AS contained, \
                   COUNT(assigned_at) AS assigned, CAST(COALESCE(AVG(waited_ms), 0) AS BIGINT) AS wait_mean, COALESCE(MAX(waited_ms), 0) AS wait_max, \
                   CAST(COALESCE(AVG(duration_ms), 0) AS BIGINT) AS duration_mean \
                   FROM sessions WHERE created_at >= $1 AND created_at < $2 GROUP BY channel ORDER BY channel";
        self.db.rows(sql, args![period.since, period.until]).await?.iter().map(channel).collect()
    }

    /// Ended sessions of a plan by the node they ended in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn report_containment(&self, plan: &str, period: Period) -> Result<Vec<NodeContainment>, Error> {
        let sql = "SELECT COALESCE(node, '') AS last_node, COUNT(*) AS sessions, COUNT(CASE WHEN contained = 1 THEN 1 END) AS contained, \
                   COUNT(CASE WHEN COALESCE(contained, 0) = 0 AND assigned_at IS NOT NULL THEN 1 END) AS transferred, \
                   COUNT(CASE WHEN COALESCE(contained, 0) = 0 AND assigned_at IS NULL THEN 1 END) AS abandoned \
                   FROM sessions WHERE plan = $1 AND closed_at IS NOT NULL AND created_at >= $2 AND created_at < $3 \
                   GROUP BY COALESCE(node, '') ORDER BY 2 DESC, 1";
        let rows = self.db.rows(sql, args![plan, period.since, period.until]).await?;
        let read = |row: &Row| {
            Ok(NodeContainment {
                node: row.text("last_node")?,
                sessions: row.int("sessions")?,
                contained: row.int("contained")?,
                transferred: row.int("transferred")?,
                abandoned: row.int("abandoned")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Ended sessions by summary code.
    ///
    /// # Errors
    /// What the database says.
    pub async fn report_dispositions(&self, period: Period) -> Result<Vec<DispositionCount>, Error> {
        let sql = "SELECT COALESCE(disposition, '') AS code, COUNT(*) AS sessions FROM sessions \
                   WHERE closed_at IS NOT NULL AND created_at >= $1 AND created_at < $2 GROUP BY COALESCE(disposition, '') ORDER BY 2 DESC, 1";
        let rows = self.db.rows(sql, args![period.since, period.until]).await?;
        rows.iter().map(|row| Ok(DispositionCount { disposition: row.text("code")?, sessions: row.int("sessions")? })).collect()
    }

    /// Ended sessions of a plan by the arm that a `split` gave them; by the plan's version when no split is named.
    ///
    /// # Errors
    /// What the database says.
    pub async fn report_arms(&self, plan: &str, split: Option<&str>, period: Period) -> Result<Vec<ArmCounts>, Error> {
        let sql = "SELECT CASE WHEN $2 IS NULL THEN COALESCE(s.plan_version, '') ELSE l.value END AS arm, COUNT(*) AS sessions, \
                   COUNT(CASE WHEN s.contained = 1 THEN 1 END) AS contained, COUNT(v.score) AS marks, \
                   CAST(COALESCE(SUM(v.score), 0) AS BIGINT) AS mark_sum, CAST(COALESCE(SUM(v.score * v.score), 0) AS BIGINT) AS mark_squares \
                   FROM sessions s LEFT JOIN slots l ON l.session = s.id AND l.slot = $2 \
                   LEFT JOIN (SELECT session, MIN(score) AS score FROM surveys GROUP BY session) v ON v.session = s.id \
                   WHERE s.plan = $1 AND s.closed_at IS NOT NULL AND s.created_at >= $3 AND s.created_at < $4 AND ($2 IS NULL OR l.value IS NOT NULL) \
                   GROUP BY CASE WHEN $2 IS NULL THEN COALESCE(s.plan_version, '') ELSE l.value END ORDER BY 1";
        let slot = split.map(|split| format!("{ARM_OF}{split}"));
        let rows = self.db.rows(sql, args![plan, slot, period.since, period.until]).await?;
        rows.iter().map(arm).collect()
    }
}

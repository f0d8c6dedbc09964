//! Conversations and their sessions: one call or one chat each, with what the plan understood.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store, word};
use crate::args;
use crate::control::event::Fact;
use crate::control::words::decision::{PLAN_FAILED, REPROMPT};

/// A matter between a customer and the center.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// `cnv_…`
    pub id: String,
    /// Whose.
    pub customer: String,
    /// RFC 3339.
    pub opened_at: String,
    /// When its last session began or ended.
    pub last_at: String,
}

/// One call or one chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// `ses_…`
    pub id: String,
    /// In which conversation.
    pub conversation: String,
    /// Whose.
    pub customer: String,
    /// How it came.
    #[serde(flatten)]
    pub origin: Origin,
    /// `new bot queued offered active wrap_up closed callback_pending left_message`
    pub state: String,
    /// Where it stands.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
    /// How it ended, once it has.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// RFC 3339.
    pub created_at: String,
    /// When an agent took it.
    pub assigned_at: Option<String>,
    /// When it ended.
    pub closed_at: Option<String>,
}

/// How a session came.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Origin {
    /// `voice`, `web`, `wechat` …
    pub channel: String,
    /// The customer's address on it.
    pub address: String,
    /// Which number or page it came in by.
    pub entry: String,
    /// The plan that answered.
    pub plan: Option<String>,
    /// The plan's version.
    pub plan_version: Option<String>,
    /// The call, for voice.
    pub call: Option<String>,
}

/// Where a session stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whereabouts {
    /// The plan's last node.
    pub node: Option<String>,
    /// The last intent understood.
    pub intent: Option<String>,
    /// The last queue.
    pub queue: Option<String>,
    /// The last agent.
    pub agent: Option<String>,
}

/// How a session ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Outcome {
    /// `caller_hung_up` …
    pub ending: Option<String>,
    /// The summary code.
    pub disposition: Option<String>,
    /// Did the plan do it without a person?
    pub contained: Option<bool>,
    /// From first to last.
    pub duration_ms: Option<i64>,
    /// In queues, together.
    pub waited_ms: Option<i64>,
}

/// What the plan asked and learned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Slot {
    /// Its name.
    pub slot: String,
    /// Its value; masked ones read `***`.
    #[schema(value_type = Object)]
    pub value: Value,
}

/// A change of a session's row.
macro_rules! of_session {
    ($set:literal, $again:expr) => {
        $crate::store::changes::Set {
            table: "sessions",
            sql: concat!("UPDATE sessions SET ", $set, " FROM (VALUES {values}) AS v WHERE sessions.id = v.column1"),
            again: $again,
        }
    };
}
pub(super) use of_session;

static OPENED: Add = Add { into: "INSERT INTO conversations (id, customer, opened_at, last_at)", conflict: "ON CONFLICT DO NOTHING" };
static CREATED: Add = Add {
    into: "INSERT INTO sessions (id, conversation, customer, channel, address, entry, plan, plan_version, call, state, created_at)",
    conflict: "ON CONFLICT DO NOTHING",
};
static VISITED: Add = Add { into: "INSERT INTO node_visits (session, turn, node, seq)", conflict: "" };
static FILLED: Set = Set {
    table: "slots",
    sql: "INSERT INTO slots (session, slot, value, masked) SELECT v.column2, v.column3, v.column4, v.column5 \
          FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL ON CONFLICT (session, slot) DO UPDATE SET value = excluded.value, masked = excluded.masked",
    again: Again::Replaces,
};
static LAST: Set = Set {
    table: "conversations",
    sql: "UPDATE conversations SET last_at = v.column2 \
          FROM (VALUES {values}) AS v WHERE conversations.id = v.column1 AND last_at < v.column2",
    again: Again::Replaces,
};
// Many sessions of one conversation may end in a batch: the last of them counts.
static LAST_OF: Set = Set {
    table: "conversations of sessions",
    sql: "UPDATE conversations SET last_at = ended.at FROM (SELECT sessions.conversation, MAX(v.column2) AS at \
          FROM (VALUES {values}) AS v JOIN sessions ON sessions.id = v.column1 GROUP BY sessions.conversation) AS ended \
          WHERE conversations.id = ended.conversation AND last_at < ended.at",
    again: Again::Replaces,
};
static STATE: Set = of_session!("state = v.column2", Again::Replaces);
static NODE: Set = of_session!("node = v.column2", Again::Replaces);
static INTENT: Set = of_session!("intent = v.column2", Again::Replaces);
static UNMATCHED: Set = of_session!("unmatched = sessions.unmatched + 1", Again::Adds);
static FAILED: Set = of_session!("plan_failed = 1", Again::Replaces);
static DISPOSITION: Set = of_session!("disposition = v.column2", Again::Replaces);
static ASSIGNED: Set = of_session!("agent = v.column2, assigned_at = COALESCE(assigned_at, v.column3)", Again::Adds);
// Where nothing was said and nothing recorded there is nothing to measure.
static CLOSED: Set = of_session!(
    "state = 'closed', ending = v.column2, disposition = v.column3, contained = v.column4, duration_ms = v.column5, closed_at = v.column6, \
     to_measure = CASE WHEN EXISTS (SELECT 1 FROM messages m WHERE m.session = sessions.id) \
     OR EXISTS (SELECT 1 FROM recordings r WHERE r.session = sessions.id) THEN 1 ELSE 0 END",
    Again::Replaces
);

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    match fact {
        Fact::ConversationOpened { conversation, customer } => to.add(&OPENED, args![*conversation, *customer, place.at, place.at]),
        Fact::SessionCreated { .. } => create(to, place, fact),
        Fact::SessionState { session, state } => to.set(&STATE, args![*session, word(state)]),
        Fact::NodeEntered { session, node, turn } => {
            to.add(&VISITED, args![*session, u64::from(*turn), node, place.seq]);
            to.set(&NODE, args![*session, node]);
        }
        Fact::Understood { session, intents, decision, .. } => {
            match decision.as_str() {
                REPROMPT => to.set(&UNMATCHED, args![*session]),
                PLAN_FAILED => to.set(&FAILED, args![*session]),
                _ => {}
            }
            if let Some(first) = intents.first() {
                to.set(&INTENT, args![*session, &first.intent]);
            }
        }
        Fact::SlotFilled { session, slot, value, masked } => {
            to.set(&FILLED, args![format!("{session} {slot}"), *session, slot, value, *masked]);
        }
        Fact::Assigned { session, agent } => to.set(&ASSIGNED, args![*session, *agent, place.at]),
        Fact::Disposition { session, disposition, .. } => to.set(&DISPOSITION, args![*session, disposition]),
        Fact::SessionClosed { .. } => close(to, place, fact),
        _ => {}
    }
}

fn create(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    let Fact::SessionCreated { session, conversation, customer, channel, address, entry, plan, plan_version, call } = fact else {
        return;
    };
    let mut args = args![*session, *conversation, *customer, channel, address, entry, plan, plan_version, *call];
    args.extend(args!["new", place.at]);
    to.add(&CREATED, args);
    to.set(&LAST, args![*conversation, place.at]);
}

fn close(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    let Fact::SessionClosed { session, ending, disposition, contained, duration_ms } = fact else { return };
    to.set(&CLOSED, args![*session, ending, disposition, *contained, *duration_ms, place.at]);
    to.set(&LAST_OF, args![*session, place.at]);
}

fn conversation(row: &Row) -> Result<Conversation, Error> {
    Ok(Conversation {
        id: row.text("id")?,
        customer: row.text("customer")?,
        opened_at: row.time("opened_at")?,
        last_at: row.time("last_at")?,
    })
}

fn session(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.text("id")?,
        conversation: row.text("conversation")?,
        customer: row.text("customer")?,
        origin: Origin {
            channel: row.text("channel")?,
            address: row.text("address")?,
            entry: row.text("entry")?,
            plan: row.opt_text("plan")?,
            plan_version: row.opt_text("plan_version")?,
            call: row.opt_text("call")?,
        },
        state: row.text("state")?,
        whereabouts: Whereabouts {
            node: row.opt_text("node")?,
            intent: row.opt_text("intent")?,
            queue: row.opt_text("queue")?,
            agent: row.opt_text("agent")?,
        },
        outcome: Outcome {
            ending: row.opt_text("ending")?,
            disposition: row.opt_text("disposition")?,
            contained: row.opt_flag("contained")?,
            duration_ms: row.opt_int("duration_ms")?,
            waited_ms: row.opt_int("waited_ms")?,
        },
        created_at: row.time("created_at")?,
        assigned_at: row.opt_time("assigned_at")?,
        closed_at: row.opt_time("closed_at")?,
    })
}

/// Which sessions.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this customer.
    pub customer: Option<String>,
    /// Of this conversation.
    pub conversation: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// On this channel.
    pub channel: Option<String>,
    /// Last with this agent.
    pub agent: Option<String>,
}

/// Does somebody make transcripts?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transcripts {
    /// Recordings get one.
    Wanted,
    /// There is no recognizer for them.
    None,
}

impl Store {
    /// A session by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn session(&self, id: &str) -> Result<Option<Session>, Error> {
        self.db.row("SELECT * FROM sessions WHERE id = $1", args![id]).await?.as_ref().map(session).transpose()
    }

    /// Sessions, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sessions(&self, wanted: &Wanted, slice: &Slice) -> Result<Page<Session>, Error> {
        let sql = "SELECT * FROM sessions WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR customer = $2) AND ($3 IS NULL OR conversation = $3) \
                   AND ($4 IS NULL OR state = $4) AND ($5 IS NULL OR channel = $5) AND ($6 IS NULL OR agent = $6) ORDER BY id DESC LIMIT $7";
        let Wanted { customer, conversation, state, channel, agent } = wanted;
        let rows = self.db.rows(sql, args![&slice.cursor, customer, conversation, state, channel, agent, slice.probe()]).await?;
        slice.page(&rows, session, |it| it.id.clone())
    }

    /// Ended sessions that are marked to be measured and ready for it, oldest first: one whose recording is still written waits for
    /// it; with `transcripts` [`Transcripts::Wanted`] also one whose recording may still get its transcript. What was done long ago
    /// is not looked at: an index holds the marked ones alone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn unmeasured(&self, transcripts: Transcripts, most: i64) -> Result<Vec<Session>, Error> {
        let sql = "SELECT * FROM sessions s WHERE to_measure = 1 \
                   AND NOT EXISTS (SELECT 1 FROM recordings r WHERE r.session = s.id AND r.state = 'recording') \
                   AND ($1 = 0 OR NOT EXISTS (SELECT 1 FROM recordings r WHERE r.session = s.id AND r.to_transcribe = 1)) ORDER BY id LIMIT $2";
        self.db.rows(sql, args![transcripts == Transcripts::Wanted, most]).await?.iter().map(session).collect()
    }

    /// Was nothing said in a session, or did this scorecard measure it before?
    ///
    /// # Errors
    /// What the database says.
    pub async fn needs_no_measuring(&self, session: &str, scorecard: &str) -> Result<bool, Error> {
        let sql = "SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM evaluations WHERE session = $1 AND scorecard = $2) \
                   OR NOT (EXISTS (SELECT 1 FROM messages WHERE session = $1) OR EXISTS (SELECT 1 FROM transcripts WHERE session = $1))";
        Ok(self.db.row(sql, args![session, scorecard]).await?.is_some())
    }

    /// Takes the marks off: all scorecards have measured these sessions.
    ///
    /// # Errors
    /// What the database says.
    pub async fn measured(&self, sessions: &[Session]) -> Result<(), Error> {
        if sessions.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for session in sessions {
            tx.run("UPDATE sessions SET to_measure = 0 WHERE id = $1", args![&session.id]).await?;
        }
        tx.commit().await
    }

    /// Marks ended sessions that a scorecard has not measured: it is new here. Looks at all sessions, once at the start.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mark_unmeasured(&self, scorecard: &str) -> Result<u64, Error> {
        let sql = "UPDATE sessions SET to_measure = 1 WHERE closed_at IS NOT NULL AND COALESCE(to_measure, 0) = 0 \
                   AND NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.session = sessions.id AND e.scorecard = $1) \
                   AND (EXISTS (SELECT 1 FROM messages m WHERE m.session = sessions.id) \
                   OR EXISTS (SELECT 1 FROM transcripts t WHERE t.session = sessions.id))";
        self.db.run(sql, args![scorecard]).await
    }

    /// What the plan asked and learned in a session, by name.
    ///
    /// # Errors
    /// What the database says.
    pub async fn slots(&self, session: &str) -> Result<Vec<Slot>, Error> {
        let rows = self.db.rows("SELECT slot, value, masked FROM slots WHERE session = $1 ORDER BY slot", args![session]).await?;
        rows.iter().map(slot).collect()
    }

    /// The slots of a whole conversation, the newest value of each that is not masked.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversation_slots(&self, conversation: &str) -> Result<Map<String, Value>, Error> {
        let sql = "SELECT slot, value FROM slots WHERE masked = 0 AND session IN (SELECT id FROM sessions WHERE conversation = $1) ORDER BY session";
        let rows = self.db.rows(sql, args![conversation]).await?;
        rows.iter().map(|row| Ok((row.text("slot")?, row.json("value")?))).collect()
    }

    /// A conversation by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversation(&self, id: &str) -> Result<Option<Conversation>, Error> {
        self.db.row("SELECT * FROM conversations WHERE id = $1", args![id]).await?.as_ref().map(conversation).transpose()
    }

    /// Conversations, newest first, of one customer when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversations(&self, customer: Option<&str>, slice: &Slice) -> Result<Page<Conversation>, Error> {
        let sql = "SELECT * FROM conversations WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR customer = $2) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, customer, slice.probe()]).await?;
        slice.page(&rows, conversation, |it| it.id.clone())
    }
}

fn slot(row: &Row) -> Result<Slot, Error> {
    let masked = row.opt_flag("masked")?.unwrap_or_default();
    Ok(Slot { slot: row.text("slot")?, value: if masked { Value::from("***") } else { row.json("value")? } })
}

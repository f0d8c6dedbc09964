//! What agents are advised: next best actions by rules, answers by articles.

use serde::Serialize;
use utoipa::ToSchema;

use super::changes::Changes;
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::recordings::Served;
use super::{Error, Store, word};
use crate::args;
use crate::control::event::Fact;

/// Something an agent is advised.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Suggestion {
    /// `sug_…`
    pub id: String,
    /// In which session.
    pub session: String,
    /// `next_best_action` (a rule fired) or `answer` (an article answers the customer).
    pub kind: String,
    /// What the agent reads.
    pub text: String,
    /// What the customer of a chat is told when the agent takes it; null = the text.
    pub say: Option<String>,
    /// The language of both.
    pub lang: String,
    /// What it stands on.
    #[serde(flatten)]
    pub ground: Ground,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// RFC 3339.
    pub at: String,
}

/// What a suggestion stands on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ground {
    /// The rule of `actions.yaml` that fired.
    pub rule: Option<String>,
    /// `topic@version`
    pub article: Option<String>,
    /// How sure it is that the article answers, 0 to 1.
    pub confidence: Option<f64>,
    /// The customer's message that it answers.
    pub sentence: Option<String>,
}

/// What became of a suggestion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fate {
    /// `open accepted dismissed`, or `expired` when the session ended before.
    pub state: String,
    /// Whom it was for.
    pub agent: Option<String>,
    /// Who took or dismissed it.
    pub settled_by: Option<String>,
    /// The message that was made of it.
    pub message: Option<String>,
}

/// Which of them.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this session.
    pub session: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of sessions that these served.
    pub served: Option<Served>,
}

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::SuggestionCreated { suggestion, session, agent, kind, text, say, lang, rule, article, confidence, message } => {
            let sql = "INSERT INTO suggestions (id, session, agent, kind, text, say, lang, rule, article, confidence, sentence, state, at, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open', $12, $12) ON CONFLICT DO NOTHING";
            let mut args = args![*suggestion, *session, *agent, word(kind), text, say, lang.to_string(), rule, article, *confidence];
            args.extend(args![*message, place.at]);
            to.run(sql, args).await.map(|_| ())
        }
        Fact::SuggestionState { suggestion, state, agent, message, .. } => {
            let sql = "UPDATE suggestions SET state = $2, settled_by = $3, message = $4, updated_at = $5 WHERE id = $1";
            to.run(sql, args![*suggestion, word(state), *agent, *message, place.at]).await.map(|_| ())
        }
        _ => Ok(()),
    }
}

fn suggestion(row: &Row) -> Result<Suggestion, Error> {
    Ok(Suggestion {
        id: row.text("id")?,
        session: row.text("session")?,
        kind: row.text("kind")?,
        text: row.text("text")?,
        say: row.opt_text("say")?,
        lang: row.text("lang")?,
        ground: Ground {
            rule: row.opt_text("rule")?,
            article: row.opt_text("article")?,
            confidence: row.opt_real("confidence")?,
            sentence: row.opt_text("sentence")?,
        },
        fate: Fate {
            state: row.text("shown")?,
            agent: row.opt_text("agent")?,
            settled_by: row.opt_text("settled_by")?,
            message: row.opt_text("message")?,
        },
        at: row.time("at")?,
    })
}

impl Store {
    /// Suggestions, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn suggestions(&self, wanted: &Wanted, slice: &Slice) -> Result<Page<Suggestion>, Error> {
        let sql = "SELECT * FROM ( \
                     SELECT g.*, s.agent AS server, CASE WHEN g.state = 'open' AND s.state = 'closed' THEN 'expired' ELSE g.state END AS shown \
                     FROM suggestions g LEFT JOIN sessions s ON s.id = g.session) AS all_of_them \
                   WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR session = $2) AND ($3 IS NULL OR shown = $3) \
                   AND ($4 IS NULL OR $4 LIKE '%' || COALESCE(server, '-') || '%') ORDER BY id DESC LIMIT $5";
        let served = wanted.served.as_ref().map(Served::text);
        let rows = self.db.rows(sql, args![&slice.cursor, &wanted.session, &wanted.state, served, slice.probe()]).await?;
        slice.page(&rows, suggestion, |it| it.id.clone())
    }

    /// A suggestion by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn suggestion(&self, id: &str) -> Result<Option<Suggestion>, Error> {
        let sql = "SELECT g.*, CASE WHEN g.state = 'open' AND s.state = 'closed' THEN 'expired' ELSE g.state END AS shown \
                   FROM suggestions g LEFT JOIN sessions s ON s.id = g.session WHERE g.id = $1";
        self.db.row(sql, args![id]).await?.as_ref().map(suggestion).transpose()
    }
}

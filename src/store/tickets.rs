//! Tickets: what is left to do after a session.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::changes::Changes;
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;
use crate::control::words::SessionId;
use crate::control::words::ticket::{MOST_OPEN, OpenTicket};

/// A matter to be settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// `tkt_…`
    pub id: String,
    /// What people call it.
    pub number: i64,
    /// Whose.
    pub customer: String,
    /// From which conversation.
    pub conversation: Option<String>,
    /// From which session.
    pub session: Option<String>,
    /// `late_delivery` …
    pub kind: String,
    /// One line.
    pub title: String,
    /// The form.
    #[schema(value_type = Object)]
    pub fields: Value,
    /// `new open pending solved closed`
    pub state: String,
    /// Grows with each change; its `ETag`.
    pub version: i64,
    /// RFC 3339.
    pub opened_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl Ticket {
    /// What the rules keep of one that is open.
    #[must_use]
    pub fn for_the_rules(self) -> Option<OpenTicket> {
        let fields = if let Value::Object(fields) = self.fields { fields } else { Map::new() };
        let (id, number) = (self.id.parse().ok()?, u64::try_from(self.number).ok()?);
        Some(OpenTicket { id, number, kind: self.kind, title: self.title, fields })
    }
}

/// A remark on a ticket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// On which ticket.
    pub ticket: String,
    /// Whose: an agent's id or an API key's name.
    pub author: String,
    /// The remark.
    pub text: String,
    /// The session of somebody who came about this ticket again; `null` for a remark.
    pub session: Option<String>,
    /// RFC 3339.
    pub at: String,
}

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::TicketOpened { ticket, number, customer, conversation, session, kind, title, fields } => {
            let sql = "INSERT INTO tickets (id, number, customer, conversation, session, kind, title, fields, state, version, opened_at, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'new', 1, $9, $9)";
            let fields = Value::Object(fields.clone());
            to.run(sql, args![*ticket, *number, *customer, *conversation, *session, kind, title, &fields, place.at]).await?;
        }
        Fact::TicketState { ticket, state, note } => {
            let sql = "UPDATE tickets SET state = $2, version = version + 1, updated_at = $3 WHERE id = $1";
            to.run(sql, args![*ticket, state, place.at]).await?;
            if let Some(note) = note {
                comment(to, place, &ticket.to_string(), Remark { author: "system", text: note, session: None }).await?;
            }
        }
        Fact::TicketCommented { ticket, author, text } => {
            comment(to, place, &ticket.to_string(), Remark { author, text, session: None }).await?;
        }
        Fact::TicketLinked { ticket, session, title, fields, .. } => {
            let text = form(title, fields);
            comment(to, place, &ticket.to_string(), Remark { author: PLAN, text: &text, session: Some(*session) }).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Who links a session to an open ticket.
const PLAN: &str = "plan";

/// What is remarked, by whom, and in which session.
struct Remark<'r> {
    author: &'r str,
    text: &'r str,
    session: Option<SessionId>,
}

/// A form in lines: what somebody said who came about a ticket again. What only machines read stays in the fact.
fn form(title: &str, fields: &Map<String, Value>) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let lines = fields.iter().filter_map(|(name, value)| Some(format!("{name}: {}", shown(value)?)));
    std::iter::once(title.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

async fn comment(to: &mut Changes<'_>, place: Place, ticket: &str, remark: Remark<'_>) -> Result<(), Error> {
    let id = format!("cmt_{:026}", place.seq);
    let sql = "INSERT INTO ticket_comments (id, ticket, author, text, session, at) VALUES ($1, $2, $3, $4, $5, $6)";
    to.run(sql, args![id, ticket, remark.author, remark.text, remark.session, place.at]).await?;
    let sql = "UPDATE tickets SET updated_at = $2 WHERE id = $1";
    to.run(sql, args![ticket, place.at]).await.map(|_| ())
}

fn ticket(row: &Row) -> Result<Ticket, Error> {
    Ok(Ticket {
        id: row.text("id")?,
        number: row.int("number")?,
        customer: row.text("customer")?,
        conversation: row.opt_text("conversation")?,
        session: row.opt_text("session")?,
        kind: row.text("kind")?,
        title: row.text("title")?,
        fields: row.json("fields")?,
        state: row.text("state")?,
        version: row.int("version")?,
        opened_at: row.time("opened_at")?,
        updated_at: row.time("updated_at")?,
    })
}

impl Store {
    /// A ticket by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ticket(&self, id: &str) -> Result<Option<Ticket>, Error> {
        self.db.row("SELECT * FROM tickets WHERE id = $1", args![id]).await?.as_ref().map(ticket).transpose()
    }

    /// Tickets, newest first, of one customer and in one state when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tickets(&self, customer: Option<&str>, state: Option<&str>, slice: &Slice) -> Result<Page<Ticket>, Error> {
        let sql = "SELECT * FROM tickets WHERE ($1 IS NULL OR id < $1) AND ($2 IS NULL OR customer = $2) AND ($3 IS NULL OR state = $3) \
                   ORDER BY id DESC LIMIT $4";
        let rows = self.db.rows(sql, args![&slice.cursor, customer, state, slice.probe()]).await?;
        slice.page(&rows, ticket, |it| it.id.clone())
    }

    /// The tickets of a customer that are neither solved nor closed, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_tickets(&self, customer: &str) -> Result<Vec<Ticket>, Error> {
        let most = i64::try_from(MOST_OPEN).unwrap_or(i64::MAX);
        let sql = "SELECT * FROM tickets WHERE customer = $1 AND state NOT IN ('solved', 'closed') ORDER BY id DESC LIMIT $2";
        self.db.rows(sql, args![customer, most]).await?.iter().map(ticket).collect()
    }

    /// The remarks on a ticket, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn comments(&self, ticket: &str) -> Result<Vec<Comment>, Error> {
        let rows = self.db.rows("SELECT * FROM ticket_comments WHERE ticket = $1 ORDER BY id", args![ticket]).await?;
        let read = |row: &Row| {
            Ok(Comment {
                id: row.text("id")?,
                ticket: row.text("ticket")?,
                author: row.text("author")?,
                text: row.text("text")?,
                session: row.opt_text("session")?,
                at: row.time("at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The number the next ticket gets.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_ticket(&self) -> Result<u64, Error> {
        let row = self.db.row("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM tickets", args![]).await?;
        Ok(row.map_or(Ok(1), |row| row.int("next"))?.cast_unsigned())
    }
}

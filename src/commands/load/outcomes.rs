//! What became of the sessions of a load, as the server's API tells it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::commands::asking::Asking;
use crate::control::time::Time;

/// The tables lie a little behind the log, and agents finish what they write down: sessions still open are looked at again.
const PACE: Duration = Duration::from_secs(1);
const LOOKS: u32 = 15;

/// Sessions by how they ended. Each counts once, as the first of these that is true of it.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcomes {
    /// A person took it.
    pub answered: u64,
    /// The robot did it.
    pub contained: u64,
    /// A callback is promised.
    pub callback: u64,
    /// A ticket is open, or a message was left.
    pub ticket: u64,
    /// The caller hung up first.
    pub hung_up: u64,
    /// None of these: their ids.
    pub lost: Vec<String>,
}

impl Outcomes {
    /// As people read it.
    pub fn told(&self) -> String {
        let Outcomes { answered, contained, callback, ticket, hung_up, lost } = self;
        let mut text = format!(
            "sessions: {answered} answered, {contained} contained, {callback} callback, {ticket} ticket, {hung_up} hung up first, {} lost\n",
            lost.len()
        );
        lost.iter().for_each(|id| text += &format!("  lost: {id}\n"));
        text
    }

    fn add(&mut self, session: Session, tickets: &BTreeSet<String>, callbacks: &BTreeSet<String>) {
        let Session { id, state, agent, contained, ending, .. } = session;
        match state.as_str() {
            _ if agent.is_some() => self.answered += 1,
            _ if contained == Some(true) => self.contained += 1,
            "callback_pending" => self.callback += 1,
            _ if callbacks.contains(&id) => self.callback += 1,
            "left_message" => self.ticket += 1,
            _ if tickets.contains(&id) => self.ticket += 1,
            _ if ending.as_deref() == Some("caller_hung_up") => self.hung_up += 1,
            _ => self.lost.push(id),
        }
    }
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    state: String,
    agent: Option<String>,
    contained: Option<bool>,
    ending: Option<String>,
    created_at: String,
}

impl Session {
    fn is_open(&self) -> bool {
        ["new", "bot", "queued", "offered", "active", "wrap_up"].contains(&self.state.as_str())
    }
}

#[derive(Deserialize)]
struct Ticket {
    session: Option<String>,
    opened_at: String,
}

#[derive(Deserialize)]
struct Callback {
    session: String,
    at: String,
}

/// What became of the calls that began at this time or later.
///
/// # Errors
/// When the server cannot be asked.
pub async fn since(asking: &Asking, began: Time) -> anyhow::Result<Outcomes> {
    let began = began.rfc3339();
    let mut looks = tokio::time::interval(PACE);
    let mut sessions = Vec::new();
    for _ in 0..LOOKS {
        looks.tick().await;
        sessions = all(asking, "/v1/sessions?channel=phone&limit=500", |session: &Session| session.created_at >= began).await?;
        if !sessions.iter().any(Session::is_open) {
            break;
        }
    }
    let tickets: Vec<Ticket> = all(asking, "/v1/tickets?limit=500", |ticket: &Ticket| ticket.opened_at >= began).await?;
    let tickets = tickets.into_iter().filter_map(|ticket| ticket.session).collect();
    let callbacks: Vec<Callback> = all(asking, "/v1/callbacks?limit=500", |callback: &Callback| callback.at >= began).await?;
    let callbacks = callbacks.into_iter().map(|callback| callback.session).collect();
    let mut outcomes = Outcomes::default();
    sessions.into_iter().for_each(|session| outcomes.add(session, &tickets, &callbacks));
    Ok(outcomes)
}

/// A list, newest first, as far as it is wanted.
async fn all<T: DeserializeOwned>(asking: &Asking, path: &str, is_wanted: impl Fn(&T) -> bool) -> anyhow::Result<Vec<T>> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = cursor.as_ref().map_or(path.to_owned(), |cursor| format!("{path}&cursor={cursor}"));
        let text = asking.get(&page).await?.text().await?;
        let Page { data, next_cursor } = serde_json::from_str(&text).with_context(|| format!("the answer to {page} cannot be read"))?;
        let before = data.len();
        let wanted: Vec<T> = data.into_iter().take_while(&is_wanted).collect();
        let is_end = wanted.len() < before || next_cursor.is_none();
        found.extend(wanted);
        if is_end {
            return Ok(found);
        }
        cursor = next_cursor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s36_each_session_counts_once_and_what_led_nowhere_is_lost() {
        let session = |id: &str, state: &str, agent: Option<&str>, contained, ending: &str| Session {
            id: id.to_owned(),
            state: state.to_owned(),
            agent: agent.map(str::to_owned),
            contained,
            ending: Some(ending.to_owned()),
            created_at: String::new(),
        };
        let (tickets, callbacks) = (BTreeSet::from(["d".to_owned(), "a".to_owned()]), BTreeSet::from(["c".to_owned()]));
        let mut outcomes = Outcomes::default();
        for one in [
            session("a", "closed", Some("anna"), Some(false), "agent_hung_up"),
            session("b", "closed", None, Some(true), "plan_ended"),
            session("c", "closed", None, Some(false), "plan_ended"),
            session("d", "closed", None, Some(false), "plan_ended"),
            session("e", "left_message", None, Some(false), "plan_ended"),
            session("f", "closed", None, None, "caller_hung_up"),
            session("g", "closed", None, Some(false), "plan_ended"),
        ] {
            outcomes.add(one, &tickets, &callbacks);
        }
        assert_eq!(outcomes.told(), "sessions: 1 answered, 1 contained, 1 callback, 2 ticket, 1 hung up first, 1 lost\n  lost: g\n");
    }
}

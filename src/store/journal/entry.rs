//! One fact of the log with its number: as it is printed, and as the fold takes it, from memory or read back from the file.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::JournalError;
use crate::control::event::{DomainEvent, Fact};

/// One fact of the log, as the API shows it and as the fold takes it.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its place in the log, gap-free from 1.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Microseconds since the epoch.
    pub at: u64,
    /// `session.created` …
    pub kind: String,
    /// The session it belongs to.
    pub session: Option<String>,
    /// The customer it belongs to.
    pub customer: Option<String>,
    /// The fact's fields, as JSON.
    pub data: String,
    /// The fact; `None` when a newer version wrote a kind that this one does not know.
    pub fact: Option<Fact>,
}

/// A printed fact without its id and time.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A line of the log.
#[derive(Deserialize)]
struct Line {
    id: String,
    at: u64,
}

/// What a fact belongs to.
#[derive(Deserialize, Default)]
struct Belongs {
    session: Option<String>,
    customer: Option<String>,
}

impl Entry {
    /// Prints a fact: the entry, and its line for the log.
    ///
    /// # Errors
    /// The fact cannot be printed as JSON.
    pub fn print(seq: u64, event: DomainEvent) -> Result<(Entry, String), serde_json::Error> {
        let fact = serde_json::to_string(&event.fact)?;
        let id = event.id.to_string();
        let line = format!("{{\"id\":\"{id}\",\"at\":{},{}", event.at.0, fact.strip_prefix('{').unwrap_or(&fact));
        Ok((Entry::of(seq, Line { id, at: event.at.0 }, &fact, Some(event.fact))?, line))
    }

    /// Reads a line of the log.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] when it is no fact.
    pub fn parse(seq: u64, json: &str) -> Result<Entry, JournalError> {
        let unreadable = |why: serde_json::Error| JournalError::Unreadable { seq, why: why.to_string() };
        let line = serde_json::from_str(json).map_err(unreadable)?;
        Entry::of(seq, line, json, serde_json::from_str(json).ok()).map_err(unreadable)
    }

    fn of(seq: u64, line: Line, json: &str, fact: Option<Fact>) -> Result<Entry, serde_json::Error> {
        let Body { kind, data } = serde_json::from_str(json)?;
        let data = data.get().to_owned();
        // A fact of a newer version may name them otherwise: it stands in the log then, and nowhere else.
        let Belongs { session, customer } = serde_json::from_str(&data).unwrap_or_default();
        Ok(Entry { seq, id: line.id, at: line.at, kind, session, customer, data, fact })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::control::time::Time;
    use crate::control::words::{CustomerId, EventId, SessionId};

    fn round(fact: Fact) -> Entry {
        let mut random = Random::new(1);
        let event = DomainEvent { id: EventId::new(Time(7), &mut random), at: Time(7), fact };
        let (entry, line) = Entry::print(3, event.clone()).unwrap();
        assert_eq!(Entry::parse(3, &line).unwrap(), entry);
        assert_eq!(serde_json::from_str::<DomainEvent>(&line).unwrap(), event);
        entry
    }

    #[test]
    fn what_is_printed_is_what_is_read_back() {
        let mut random = Random::new(2);
        let (session, customer) = (SessionId::new(Time(1), &mut random), CustomerId::new(Time(1), &mut random));
        let entry = round(Fact::SlotFilled { session, slot: "plate \"x\"".into(), value: "京A\n12345".into(), masked: false });
        assert_eq!((entry.kind.as_str(), entry.session), ("session.slot", Some(session.to_string())));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&entry.data).unwrap()["value"], "京A\n12345");
        let entry = round(Fact::CustomerCreated { customer, name: None, lang: None });
        assert_eq!((entry.session, entry.customer), (None, Some(customer.to_string())));
        round(Fact::Overload { level: "}{\"data\":".into() });
    }

    #[test]
    fn a_kind_of_a_newer_version_keeps_its_data() {
        let entry = Entry::parse(9, r#"{"id":"evt_1","at":5,"type":"moon.landed","data":{"session":"ses_1","crew":[1,2]}}"#).unwrap();
        assert_eq!(
            (entry.fact, entry.data.as_str(), entry.session.as_deref()),
            (None, r#"{"session":"ses_1","crew":[1,2]}"#, Some("ses_1"))
        );
    }
}

//! Tickets as plans and the rules see them: which ones of a customer are still to be done, and which of them is the same matter.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TicketId;

/// Open tickets of one customer that the rules keep in mind, the youngest first.
pub const MOST_OPEN: usize = 20;

/// A ticket that is still to be done, as plans see it: `session.open_ticket`, `session.open_tickets`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OpenTicket {
    /// Which.
    pub id: TicketId,
    /// The number people say.
    pub number: u64,
    /// `late_delivery` …
    pub kind: String,
    /// One line.
    pub title: String,
    /// Its form.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// What becomes of a ticket whose matter the customer has an open ticket about already.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Duplicate {
    /// It is opened all the same.
    #[default]
    New,
    /// None is opened: the session is linked to the one there is.
    Link {
        /// The fields of the form that tell one matter from another.
        by: Vec<String>,
    },
}

/// How a session came to its ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filed {
    /// It was opened.
    New,
    /// It was open already.
    Linked,
}

/// The youngest of the open tickets that is about the same: of the same kind, and no field that tells matters apart says otherwise. What
/// one of them leaves empty says nothing.
#[must_use]
pub fn same_matter<'t>(open: &'t [OpenTicket], kind: &str, fields: &Map<String, Value>, duplicate: &Duplicate) -> Option<&'t OpenTicket> {
    let Duplicate::Link { by } = duplicate else { return None };
    let agrees = |ticket: &OpenTicket, name: &String| match (text(ticket.fields.get(name)), text(fields.get(name))) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => true,
    };
    open.iter().find(|ticket| ticket.kind == kind && by.iter().all(|name| agrees(ticket, name)))
}

fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        if let Value::Object(map) = value { map } else { Map::new() }
    }

    #[test]
    fn s16_a_ticket_of_the_same_kind_is_the_same_matter_unless_a_field_says_otherwise() {
        let ticket = |number: u64, order: &str| OpenTicket {
            id: TicketId(u128::from(number)),
            number,
            kind: "late".to_owned(),
            title: String::new(),
            fields: fields(json!({"order": order})),
        };
        let open = [ticket(9, "A2"), ticket(8, "A1"), ticket(7, "")];
        let by_order = Duplicate::Link { by: vec!["order".to_owned()] };
        let found = |form: Value, how: &Duplicate| same_matter(&open, "late", &fields(form), how).map(|ticket| ticket.number);
        assert_eq!(found(json!({"order": "A1"}), &by_order), Some(8));
        assert_eq!(found(json!({"order": "A3"}), &by_order), Some(7), "one without an order may be about any");
        assert_eq!(found(json!({"order": null}), &by_order), Some(9), "the youngest");
        assert_eq!(found(json!({"order": "A3"}), &Duplicate::Link { by: Vec::new() }), Some(9), "the kind alone");
        assert_eq!(found(json!({"order": "A1"}), &Duplicate::New), None);
        assert_eq!(same_matter(&open, "refund", &Map::new(), &by_order), None);
    }
}

//! Registered phones, so that a restarted server reaches them at once.

use super::changes::{Again, Changes, Set};
use super::fold::Place;
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;
use crate::control::words::phone::KeptPhone;

static KEPT: Set = Set {
    table: "phones",
    sql: "INSERT INTO phones (user_name, contacts, at) SELECT v.column1, v.column2, v.column3 \
          FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL \
          ON CONFLICT (user_name) DO UPDATE SET contacts = excluded.contacts, at = excluded.at",
    again: Again::Replaces,
};

pub(super) fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) {
    if let Fact::PhoneRegistered { user, contacts } = fact {
        let contacts = serde_json::to_string(contacts).unwrap_or_else(|_| NONE.to_owned());
        to.set(&KEPT, args![user, contacts, place.at]);
    }
}

/// No contact, as it is kept.
const NONE: &str = "[]";

impl Store {
    /// The phones of all users who had one when the log was last written.
    ///
    /// # Errors
    /// What the database says.
    pub async fn kept_phones(&self) -> Result<Vec<KeptPhone>, Error> {
        let rows = self.db.rows("SELECT user_name, contacts FROM phones WHERE contacts <> '[]' ORDER BY user_name", args![]).await?;
        let mut phones = Vec::new();
        for row in &rows {
            let (user, contacts) = (row.text("user_name")?, row.text("contacts")?);
            match serde_json::from_str(&contacts) {
                Ok(contacts) => phones.push(KeptPhone { user, contacts }),
                Err(error) => tracing::warn!(%error, "a kept registration cannot be read: its phone is reached when it registers again"),
            }
        }
        Ok(phones)
    }
}

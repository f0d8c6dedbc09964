//! Who has an address: the answer to `Lookup::Customer`, in the form of `control::session::Known`.

use serde_json::{Value, json};

use super::tickets::Ticket;
use super::{Error, Store};
use crate::args;

/// Addresses of one customer that the rules are told.
const ADDRESSES: i64 = 50;

impl Store {
    /// The JSON of `Known` for an address; `None` when nobody has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn known(&self, channel: &str, address: &str) -> Result<Option<Value>, Error> {
        let sql = "SELECT i.id AS identity, c.id, c.name, c.lang, c.fields FROM identities i JOIN customers c ON c.id = i.customer \
                   WHERE i.channel = $1 AND i.address = $2";
        let Some(row) = self.db.row(sql, args![channel, address]).await? else { return Ok(None) };
        let customer = row.text("id")?;
        let mut fields = row.json("fields")?;
        fields["tags"] = json!(self.tags(&customer).await?);
        Ok(Some(json!({
            "customer": customer,
            "identity": row.text("identity")?,
            "name": row.opt_text("name")?,
            "lang": row.opt_text("lang")?,
            "addresses": self.addresses(&customer).await?,
            "conversation": self.last_conversation(&customer).await?,
            "last_agent": self.last_agent(&customer).await?,
            "open_tickets": self.open_tickets(&customer).await?.into_iter().filter_map(Ticket::for_the_rules).collect::<Vec<_>>(),
            "fields": fields,
        })))
    }

    async fn addresses(&self, customer: &str) -> Result<Vec<Value>, Error> {
        let sql = "SELECT channel, address FROM identities WHERE customer = $1 ORDER BY id LIMIT $2";
        let rows = self.db.rows(sql, args![customer, ADDRESSES]).await?;
        rows.iter().map(|row| Ok(json!({"channel": row.text("channel")?, "address": row.text("address")?}))).collect()
    }

    async fn last_conversation(&self, customer: &str) -> Result<Option<Value>, Error> {
        let sql = "SELECT id, last_at FROM conversations WHERE customer = $1 ORDER BY last_at DESC LIMIT 1";
        let row = self.db.row(sql, args![customer]).await?;
        row.map(|row| Ok(json!({"id": row.text("id")?, "last": row.int("last_at")?}))).transpose()
    }

    async fn last_agent(&self, customer: &str) -> Result<Option<Value>, Error> {
        let sql = "SELECT agent, COALESCE(closed_at, assigned_at, created_at) AS at FROM sessions \
                   WHERE customer = $1 AND agent IS NOT NULL ORDER BY id DESC LIMIT 1";
        let row = self.db.row(sql, args![customer]).await?;
        row.map(|row| Ok(json!({"agent": row.text("agent")?, "at": row.int("at")?}))).transpose()
    }
}

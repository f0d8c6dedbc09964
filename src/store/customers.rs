//! Customers with their addresses and tags.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::changes::{Add, Again, Changes, Set};
use super::db::Row;
use super::fold::Place;
use super::page::{Page, Slice};
use super::{Error, Store};
use crate::args;
use crate::control::event::Fact;
use crate::control::words::CustomerId;

/// A person or company that contacts the center.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Customer {
    /// `cus_…`
    pub id: String,
    /// As the shop or the channel knows him.
    pub name: Option<String>,
    /// BCP 47.
    pub lang: Option<String>,
    /// The shop's own fields.
    #[schema(value_type = Object)]
    pub fields: Value,
    /// `vip` …
    pub tags: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// One address of a customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Identity {
    /// `idn_…`
    pub id: String,
    /// Whose.
    pub customer: String,
    /// `phone`, `web`, `wechat` …
    pub channel: String,
    /// E.164 for phones.
    pub address: String,
    /// `claimed`, `verified` or `strong`.
    pub level: String,
    /// RFC 3339.
    pub linked_at: String,
}

static CREATED: Add =
    Add { into: "INSERT INTO customers (id, name, lang, fields, created_at, updated_at)", conflict: "ON CONFLICT DO NOTHING" };
static LINKED: Set = Set {
    table: "identities",
    sql: "INSERT INTO identities (id, customer, channel, address, level, linked_at) \
          SELECT v.column2, v.column3, v.column4, v.column5, v.column6, v.column7 FROM (VALUES {values}) AS v WHERE v.column1 IS NOT NULL \
          ON CONFLICT (channel, address) DO UPDATE SET customer = excluded.customer, level = excluded.level",
    again: Again::Adds,
};

pub(super) async fn fold(to: &mut Changes<'_>, place: Place, fact: &Fact) -> Result<(), Error> {
    match fact {
        Fact::CustomerCreated { customer, name, lang } => {
            to.add(&CREATED, args![*customer, name, lang.as_ref().map(ToString::to_string), "{}", place.at, place.at]);
        }
        Fact::CustomerUpdated { customer, fields } => update(to, place, *customer, fields).await?,
        Fact::IdentityLinked { identity, customer, channel, address, level } => {
            to.set(&LINKED, args![format!("{channel} {address}"), *identity, *customer, channel, address, level, place.at]);
        }
        _ => {}
    }
    Ok(())
}

/// `name`, `lang` and `tags` have their own place; everything else is merged into `fields`, and null takes a field away.
async fn update(to: &mut Changes<'_>, place: Place, customer: CustomerId, changes: &Map<String, Value>) -> Result<(), Error> {
    let Some(row) = to.row("SELECT name, lang, fields FROM customers WHERE id = $1", args![customer]).await? else { return Ok(()) };
    let (mut name, mut lang) = (row.opt_text("name")?, row.opt_text("lang")?);
    let mut fields = row.json("fields")?.as_object().cloned().unwrap_or_default();
    for (key, value) in changes {
        match (key.as_str(), value) {
            ("name", value) => name = value.as_str().map(str::to_owned),
            ("lang", value) => lang = value.as_str().map(str::to_owned),
            ("tags", value) => set_tags(to, customer, value).await?,
            (key, Value::Null) => drop(fields.remove(key)),
            (key, value) => drop(fields.insert(key.to_owned(), value.clone())),
        }
    }
    let sql = "UPDATE customers SET name = $2, lang = $3, fields = $4, updated_at = $5 WHERE id = $1";
    to.run(sql, args![customer, name, lang, &Value::Object(fields), place.at]).await.map(|_| ())
}

async fn set_tags(to: &mut Changes<'_>, customer: CustomerId, tags: &Value) -> Result<(), Error> {
    to.run("DELETE FROM customer_tags WHERE customer = $1", args![customer]).await?;
    for tag in tags.as_array().into_iter().flatten().filter_map(Value::as_str) {
        to.run("INSERT INTO customer_tags (customer, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING", args![customer, tag]).await?;
    }
    Ok(())
}

fn customer(row: &Row) -> Result<Customer, Error> {
    Ok(Customer {
        id: row.text("id")?,
        name: row.opt_text("name")?,
        lang: row.opt_text("lang")?,
        fields: row.json("fields")?,
        tags: Vec::new(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn identity(row: &Row) -> Result<Identity, Error> {
    Ok(Identity {
        id: row.text("id")?,
        customer: row.text("customer")?,
        channel: row.text("channel")?,
        address: row.text("address")?,
        level: row.text("level")?,
        linked_at: row.time("linked_at")?,
    })
}

impl Store {
    /// A customer by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn customer(&self, id: &str) -> Result<Option<Customer>, Error> {
        let Some(row) = self.db.row("SELECT * FROM customers WHERE id = $1", args![id]).await? else { return Ok(None) };
        let mut found = customer(&row)?;
        found.tags = self.tags(id).await?;
        Ok(Some(found))
    }

    /// Who has this address.
    ///
    /// # Errors
    /// What the database says.
    pub async fn customer_at(&self, channel: &str, address: &str) -> Result<Option<Customer>, Error> {
        let sql = "SELECT customer FROM identities WHERE channel = $1 AND address = $2";
        match self.db.row(sql, args![channel, address]).await? {
            Some(row) => self.customer(&row.text("customer")?).await,
            None => Ok(None),
        }
    }

    /// The tags of a customer, by the alphabet.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tags(&self, customer: &str) -> Result<Vec<String>, Error> {
        let rows = self.db.rows("SELECT tag FROM customer_tags WHERE customer = $1 ORDER BY tag", args![customer]).await?;
        rows.iter().map(|row| row.text("tag")).collect()
    }

    /// The addresses of a customer, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn identities(&self, customer: &str) -> Result<Vec<Identity>, Error> {
        let rows = self.db.rows("SELECT * FROM identities WHERE customer = $1 ORDER BY id", args![customer]).await?;
        rows.iter().map(identity).collect()
    }

    /// Customers, newest first, of one tag when given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn customers(&self, tag: Option<&str>, slice: &Slice) -> Result<Page<Customer>, Error> {
        let sql = "SELECT * FROM customers c WHERE ($1 IS NULL OR id < $1) \
                   AND ($2 IS NULL OR EXISTS (SELECT 1 FROM customer_tags t WHERE t.customer = c.id AND t.tag = $2)) ORDER BY id DESC LIMIT $3";
        let rows = self.db.rows(sql, args![&slice.cursor, tag, slice.probe()]).await?;
        let mut page = slice.page(&rows, customer, |it| it.id.clone())?;
        for one in &mut page.data {
            one.tags = self.tags(&one.id).await?;
        }
        Ok(page)
    }
}

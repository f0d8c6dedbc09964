//! API keys: only their SHA-256 is kept (a key is 256 bits of chance, so no slow hash is needed against guessing).

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::db::Row;
use super::{Error, Store};
use crate::args;
use crate::clock::{chance, now};
use crate::control::words::AgentId;

const KEY_BYTES: usize = 32;
/// What every key begins with, so that a leaked one is found by scanners.
const KEY_PREFIX: &str = "hl_";

/// A key without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// Whose or what for.
    pub name: String,
    /// What it may: `admin`, or `sessions:read`, `messages:write` …
    pub scopes: Vec<String>,
    /// Whose own it is, when it is an agent's: `agt_…`.
    pub agent: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub revoked_at: Option<String>,
}

fn key(row: &Row) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        id: row.text("id")?,
        name: row.text("name")?,
        scopes: row.text("scopes")?.split_whitespace().map(str::to_owned).collect(),
        agent: row.opt_text("agent")?,
        created_at: row.time("created_at")?,
        revoked_at: row.opt_time("revoked_at")?,
    })
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

impl Store {
    /// Makes a key; the secret is given once and never kept.
    ///
    /// # Errors
    /// What the database says.
    pub async fn make_key(&self, name: &str, scopes: &[&str]) -> Result<(ApiKey, String), Error> {
        self.make_key_of(name, scopes, None).await
    }

    /// The same for a key that is an agent's own.
    ///
    /// # Errors
    /// What the database says.
    pub async fn make_key_of(&self, name: &str, scopes: &[&str], agent: Option<AgentId>) -> Result<(ApiKey, String), Error> {
        let mut bytes = [0u8; KEY_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let secret = format!("{KEY_PREFIX}{}", hex::encode(bytes));
        let at = now();
        let id = format!("key_{:032x}", crate::control::words::id::ulid(at, &mut chance()));
        let sql = "INSERT INTO api_keys (id, hash, name, scopes, agent, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        self.db.run(sql, args![&id, hash(&secret), name, scopes.join(" "), agent, at]).await?;
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let agent = agent.map(|agent| agent.to_string());
        Ok((ApiKey { id, name: name.to_owned(), scopes, agent, created_at: at.rfc3339(), revoked_at: None }, secret))
    }

    /// The key of a secret, unless it was revoked.
    ///
    /// # Errors
    /// What the database says.
    pub async fn key_of(&self, secret: &str) -> Result<Option<ApiKey>, Error> {
        let sql = "SELECT * FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
        self.db.row(sql, args![hash(secret)]).await?.as_ref().map(key).transpose()
    }

    /// All keys, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        self.db.rows("SELECT * FROM api_keys ORDER BY id DESC LIMIT 500", args![]).await?.iter().map(key).collect()
    }

    /// Revokes a key; false when there is none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, Error> {
        Ok(self.db.run("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", args![id, now()]).await? > 0)
    }
}

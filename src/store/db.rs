//! The database by URL: SQLite by default, PostgreSQL when the URL says so. The same SQL serves both.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Postgres, Row as _, SqlSafeStr, Sqlite, Transaction};

use super::Error;

/// Readers beside the one writer of SQLite; also the connections to PostgreSQL.
const CONNECTIONS: u32 = 6;
/// How long a statement waits for another process that has the SQLite file locked.
const BUSY: Duration = Duration::from_secs(10);

/// Prepared statements that a connection keeps: the fold has some dozens, each for some numbers of rows.
const STATEMENTS: usize = 512;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// An argument of a statement. `None` is a typed NULL, which PostgreSQL wants.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Int(Option<i64>),
    /// DOUBLE PRECISION.
    Real(Option<f64>),
}

/// A row of either database.
pub enum Row {
    /// From SQLite.
    Lite(SqliteRow),
    /// From PostgreSQL.
    Pg(PgRow),
}

/// An open database.
#[derive(Clone)]
pub enum Db {
    /// One writer, some readers: SQLite knows one writer at a time, and waiting for it in our own line is fair.
    Lite {
        /// The only connection that writes.
        writer: SqlitePool,
        /// Connections that read.
        readers: SqlitePool,
    },
    /// PostgreSQL.
    Pg(PgPool),
}

/// A transaction: dropped without [`Tx::commit`] it never was.
pub enum Tx {
    /// On SQLite.
    Lite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Pg(Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match arg {
                Value::Text(text) => query.bind(text),
                Value::Int(int) => query.bind(int),
                Value::Real(real) => query.bind(real),
            };
        }
        query
    }};
}

impl Db {
    /// Opens `sqlite:PATH`, `sqlite::memory:` is not meant, or `postgres://…`, and brings the schema up to date.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be opened, [`Error::Migration`] when the schema cannot be brought up to date.
    pub async fn open(url: &str) -> Result<Db, Error> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = untended(PgPoolOptions::new()).max_connections(CONNECTIONS).connect(url).await?;
            MIGRATIONS.run(&pool).await?;
            return Ok(Db::Pg(pool));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS);
        let writer = untended(SqlitePoolOptions::new()).max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let readers = untended(SqlitePoolOptions::new()).max_connections(CONNECTIONS).connect_with(options.read_only(true)).await?;
        Ok(Db::Lite { writer, readers })
    }

    /// All rows of a reading statement.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows(&self, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        Ok(match self {
            Db::Lite { readers, .. } => bound!(sql, args).fetch_all(readers).await?.into_iter().map(Row::Lite).collect(),
            Db::Pg(pool) => bound!(sql, args).fetch_all(pool).await?.into_iter().map(Row::Pg).collect(),
        })
    }

    /// The first row of a reading statement, if any.
    ///
    /// # Errors
    /// What the database says.
    pub async fn row(&self, sql: &'static str, args: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(match self {
            Db::Lite { readers, .. } => bound!(sql, args).fetch_optional(readers).await?.map(Row::Lite),
            Db::Pg(pool) => bound!(sql, args).fetch_optional(pool).await?.map(Row::Pg),
        })
    }

    /// Carries out one writing statement; says how many rows it touched.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&self, sql: &'static str, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match self {
            Db::Lite { writer, .. } => bound!(sql, args).execute(writer).await?.rows_affected(),
            Db::Pg(pool) => bound!(sql, args).execute(pool).await?.rows_affected(),
        })
    }

    /// Begins a writing transaction.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(match self {
            Db::Lite { writer, .. } => Tx::Lite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Db::Pg(pool) => Tx::Pg(pool.begin().await?),
        })
    }

    /// Closes all connections, the last statement first finished.
    pub async fn close(&self) {
        match self {
            Db::Lite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Db::Pg(pool) => pool.close().await,
        }
    }
}

/// A pool whose connections live as long as it does. sqlx 0.9 counts idle ones below zero when a pool is closed while one comes back, and
/// the task that looks after their ages then counts down from there: a server that was told to stop span for ever. Without ages there
/// is no such task; a dead connection is found when it is taken.
fn untended<D: sqlx::Database>(options: PoolOptions<D>) -> PoolOptions<D> {
    options.idle_timeout(None).max_lifetime(None)
}

impl Tx {
    /// Carries out one statement.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match self {
            Tx::Lite(tx) => bound!(sql, args).execute(&mut **tx).await?.rows_affected(),
            Tx::Pg(tx) => bound!(sql, args).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// What the database says.
    pub async fn row(&mut self, sql: &'static str, args: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(match self {
            Tx::Lite(tx) => bound!(sql, args).fetch_optional(&mut **tx).await?.map(Row::Lite),
            Tx::Pg(tx) => bound!(sql, args).fetch_optional(&mut **tx).await?.map(Row::Pg),
        })
    }

    /// Makes it lasting.
    ///
    /// # Errors
    /// What the database says.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Tx::Lite(tx) => tx.commit().await?,
            Tx::Pg(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

macro_rules! cell {
    ($row:expr, $name:expr, $kind:ty) => {
        match $row {
            Row::Lite(row) => row.try_get::<Option<$kind>, _>($name)?,
            Row::Pg(row) => row.try_get::<Option<$kind>, _>($name)?,
        }
    };
}

impl Row {
    /// A TEXT that may be NULL.
    ///
    /// # Errors
    /// No such column, or of another type.
    pub fn opt_text(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(cell!(self, name, String))
    }

    /// A TEXT; NULL reads as empty.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn text(&self, name: &str) -> Result<String, Error> {
        Ok(self.opt_text(name)?.unwrap_or_default())
    }

    /// A BIGINT that may be NULL.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, Error> {
        Ok(cell!(self, name, i64))
    }

    /// A BIGINT; NULL reads as 0.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn int(&self, name: &str) -> Result<i64, Error> {
        Ok(self.opt_int(name)?.unwrap_or_default())
    }

    /// A BIGINT that is a truth value.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn opt_flag(&self, name: &str) -> Result<Option<bool>, Error> {
        Ok(self.opt_int(name)?.map(|int| int != 0))
    }

    /// A DOUBLE PRECISION that may be NULL.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn opt_real(&self, name: &str) -> Result<Option<f64>, Error> {
        Ok(cell!(self, name, f64))
    }

    /// A BIGINT of microseconds as RFC 3339.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn opt_time(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.opt_int(name)?.map(rfc3339))
    }

    /// As [`Row::opt_time`], never NULL.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn time(&self, name: &str) -> Result<String, Error> {
        Ok(rfc3339(self.int(name)?))
    }

    /// A TEXT that holds JSON; what is no JSON reads as null.
    ///
    /// # Errors
    /// As [`Row::opt_text`].
    pub fn json(&self, name: &str) -> Result<serde_json::Value, Error> {
        Ok(serde_json::from_str(&self.text(name)?).unwrap_or_default())
    }
}

/// A column of microseconds in the form of the API.
fn rfc3339(micros: i64) -> String {
    crate::control::time::Time(u64::try_from(micros).unwrap_or(0)).rfc3339()
}

/// The arguments of a statement, in the order of `$1`, `$2` …
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$($crate::store::db::Value::from($arg)),*] };
}

macro_rules! values {
    ($($kind:ty => $make:expr;)*) => {$(
        impl From<$kind> for Value {
            fn from(it: $kind) -> Value { #[allow(clippy::redundant_closure_call)] ($make)(it) }
        }
    )*};
}

values! {
    &str => |it: &str| Value::Text(Some(it.to_owned()));
    String => |it| Value::Text(Some(it));
    &String => |it: &String| Value::Text(Some(it.clone()));
    Option<String> => Value::Text;
    &Option<String> => |it: &Option<String>| Value::Text(it.clone());
    Option<&str> => |it: Option<&str>| Value::Text(it.map(str::to_owned));
    i64 => |it| Value::Int(Some(it));
    u64 => |it| Value::Int(Some(i64::try_from(it).unwrap_or(i64::MAX)));
    usize => |it| Value::Int(Some(i64::try_from(it).unwrap_or(i64::MAX)));
    Option<u64> => |it: Option<u64>| Value::Int(it.map(|it| i64::try_from(it).unwrap_or(i64::MAX)));
    Option<i64> => Value::Int;
    bool => |it| Value::Int(Some(i64::from(it)));
    Option<bool> => |it: Option<bool>| Value::Int(it.map(i64::from));
    f32 => |it: f32| Value::Real(Some(f64::from(it)));
    Option<f32> => |it: Option<f32>| Value::Real(it.map(f64::from));
    crate::control::time::Time => |it: crate::control::time::Time| Value::from(it.0);
    &serde_json::Value => |it: &serde_json::Value| Value::Text(Some(it.to_string()));
}

macro_rules! id_values {
    ($($id:ident)*) => {$(
        impl From<crate::control::words::$id> for Value {
            fn from(id: crate::control::words::$id) -> Value { Value::Text(Some(id.to_string())) }
        }
        impl From<Option<crate::control::words::$id>> for Value {
            fn from(id: Option<crate::control::words::$id>) -> Value { Value::Text(id.map(|id| id.to_string())) }
        }
    )*};
}

id_values! { CustomerId IdentityId ConversationId SessionId MessageId CallId LegId RecordingId OfferId AgentId QueueId TicketId EvaluationId CallbackId LeftMessageId EventId SuggestionId }

//! What one batch of facts changes in the tables, written with few statements: a busy center folds hundreds of facts a second, and
//! one statement for each costs more than the call itself.
//!
//! [`Changes::add`] collects new rows, [`Changes::set`] changes of rows found by a key. Rows go in first, many in one statement,
//! then the changes kind by kind. What is written stays what the facts say one by one: a change that would overtake another one of
//! the same row goes behind it, and every statement that is not collected ([`Changes::run`], [`Changes::row`]) first has the collected
//! ones carried out.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::Error;
use super::db::{Row, Tx, Value};

/// Rows of one statement. Few sizes, so that each is prepared once; few statements, since each goes to another thread and back.
const SIZES: [usize; 8] = [256, 64, 32, 16, 8, 4, 2, 1];

/// New rows of a table.
#[derive(Debug)]
pub struct Add {
    /// `INSERT INTO table (column, …)`
    pub into: &'static str,
    /// What happens when the row is there already; empty or `ON CONFLICT …`.
    pub conflict: &'static str,
}

/// A change of rows by a key. The key is `v.column1`, the further arguments are `v.column2` and so on, as SQL names them.
#[derive(Debug)]
pub struct Set {
    /// The table, whose rows have an order of changes of their own.
    pub table: &'static str,
    /// `UPDATE table SET … FROM (VALUES {values}) AS v WHERE …`
    pub sql: &'static str,
    /// What a second change of the same row does.
    pub again: Again,
}

/// What a second change of one kind to the same row does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It makes the first one void.
    Replaces,
    /// It looks at what the first one wrote.
    Adds,
}

/// Texts of statements by kind and number of rows, kept over batches; of one database.
#[derive(Default)]
pub struct Texts(HashMap<(&'static str, usize), Arc<str>>);

/// Collected arguments of one kind.
struct Pile<K: 'static> {
    kind: &'static K,
    rows: Vec<Vec<Value>>,
}

/// Where a collected change stands: the kind in `sets`, the row in its rows.
#[derive(Clone, Copy)]
struct Spot {
    kind: usize,
    row: usize,
}

/// The changes of a transaction.
pub struct Changes<'a> {
    tx: Tx,
    texts: &'a mut Texts,
    adds: Vec<Pile<Add>>,
    sets: Vec<Pile<Set>>,
    last: HashMap<(&'static str, String), Spot>,
}

impl<'a> Changes<'a> {
    /// Begins to collect.
    pub fn new(tx: Tx, texts: &'a mut Texts) -> Changes<'a> {
        Changes { tx, texts, adds: Vec::new(), sets: Vec::new(), last: HashMap::new() }
    }

    /// A new row, with an argument for each column.
    pub fn add(&mut self, kind: &'static Add, args: Vec<Value>) {
        match self.adds.iter_mut().find(|pile| std::ptr::eq(pile.kind, kind)) {
            Some(pile) => pile.rows.push(args),
            None => self.adds.push(Pile { kind, rows: vec![args] }),
        }
    }

    /// A change of the rows whose key is the first argument.
    pub fn set(&mut self, kind: &'static Set, args: Vec<Value>) {
        let Some(Value::Text(Some(key))) = args.first() else { return };
        let key = (kind.table, key.clone());
        let place = self.sets.iter().rposition(|pile| std::ptr::eq(pile.kind, kind));
        let last = self.last.get(&key).copied();
        if let (Some(last), Some(place)) = (last, place)
            && last.kind == place
            && kind.again == Again::Replaces
        {
            self.sets[place].rows[last.row] = args;
            return;
        }
        // The row was changed since by another kind, whose pile comes later: this change gets a pile behind that one.
        let place = place.filter(|place| last.is_none_or(|last| last.kind < *place)).unwrap_or_else(|| {
            self.sets.push(Pile { kind, rows: Vec::new() });
            self.sets.len() - 1
        });
        self.last.insert(key, Spot { kind: place, row: self.sets[place].rows.len() });
        self.sets[place].rows.push(args);
    }

    /// Carries out what is collected when a change of this row is among it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn settle(&mut self, table: &'static str, key: &str) -> Result<(), Error> {
        if self.last.contains_key(&(table, key.to_owned())) { self.carry_out().await } else { Ok(()) }
    }

    /// One statement by itself, after all that was collected.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, sql: &'static str, args: Vec<Value>) -> Result<u64, Error> {
        self.carry_out().await?;
        self.tx.run(sql, args).await
    }

    /// The first row, if any, as it is after all that was collected.
    ///
    /// # Errors
    /// What the database says.
    pub async fn row(&mut self, sql: &'static str, args: Vec<Value>) -> Result<Option<Row>, Error> {
        self.carry_out().await?;
        self.tx.row(sql, args).await
    }

    /// Carries out what is collected and makes it lasting.
    ///
    /// # Errors
    /// What the database says.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.carry_out().await?;
        self.tx.commit().await
    }

    async fn carry_out(&mut self) -> Result<(), Error> {
        self.last.clear();
        let mark = match self.tx {
            Tx::Lite(_) => Mark::Plain,
            Tx::Pg(_) => Mark::Numbered,
        };
        for Pile { kind, rows } in std::mem::take(&mut self.adds) {
            let whole = |values: &str| format!("{} VALUES {values} {}", mark.begin(kind.into), kind.conflict);
            self.write(mark, kind.into, rows, whole).await?;
        }
        for Pile { kind, rows } in std::mem::take(&mut self.sets) {
            let whole = |values: &str| mark.begin(kind.sql).replace("{values}", values);
            self.write(mark, kind.sql, rows, whole).await?;
        }
        Ok(())
    }

    /// Rows of one kind, whose statement `whole` makes of the marks of their arguments.
    async fn write(&mut self, mark: Mark, kind: &'static str, rows: Vec<Vec<Value>>, whole: impl Fn(&str) -> String) -> Result<(), Error> {
        for chunk in chunks(rows) {
            let sql = self.texts.get(kind, mark, &chunk, &whole);
            self.tx.run(AssertSqlSafe(sql), chunk.into_iter().flatten().collect()).await?;
        }
        Ok(())
    }
}

impl Texts {
    fn get(&mut self, kind: &'static str, mark: Mark, rows: &[Vec<Value>], make: impl FnOnce(&str) -> String) -> Arc<str> {
        let text = self.0.entry((kind, rows.len())).or_insert_with(|| make(&values(mark, rows)).into());
        Arc::clone(text)
    }
}

/// How an argument's place is marked. SQLite looks a numbered one up by its name, one after the other, which takes longer the
/// more there are; PostgreSQL knows numbers only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `?`
    Plain,
    /// `$1`
    Numbered,
}

impl Mark {
    /// SQLite keeps a copy of each page that a statement of many rows changes, to take back half of it. A batch that fails is taken
    /// back as a whole, so that such copies are of no use.
    fn begin(self, sql: &str) -> String {
        match self {
            Mark::Plain => match sql.split_once(' ') {
                Some(("INSERT", rest)) => format!("INSERT OR FAIL {rest}"),
                Some(("UPDATE", rest)) => format!("UPDATE OR FAIL {rest}"),
                _ => sql.to_owned(),
            },
            Mark::Numbered => sql.to_owned(),
        }
    }
}

/// `(?, ?), (?, ?)` or `($1, $2), ($3, $4)`
fn values(mark: Mark, rows: &[Vec<Value>]) -> String {
    let mut out = String::new();
    let mut number = 0usize;
    for row in rows {
        out.push_str(if out.is_empty() { "(" } else { ", (" });
        for column in 0..row.len() {
            number += 1;
            out.push_str(if column == 0 { "" } else { ", " });
            // Writing into a text cannot fail.
            let _ = match mark {
                Mark::Plain => write!(out, "?"),
                Mark::Numbered => write!(out, "${number}"),
            };
        }
        out.push(')');
    }
    out
}

/// The rows in order, in pieces of the sizes of [`SIZES`].
fn chunks(rows: Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    let mut out = Vec::new();
    let (mut left, mut rows) = (rows.len(), rows.into_iter());
    while left > 0 {
        let size = SIZES.into_iter().find(|size| *size <= left).unwrap_or(left);
        out.push(rows.by_ref().take(size).collect());
        left -= size;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::store::db::Db;

    static FIRST: Set = Set {
        table: "calls",
        sql: "UPDATE calls SET state = 'a' FROM (VALUES {values}) AS v WHERE calls.id = v.column1",
        again: Again::Adds,
    };
    static SECOND: Set = Set {
        table: "calls",
        sql: "UPDATE calls SET state = 'b' FROM (VALUES {values}) AS v WHERE calls.id = v.column1",
        again: Again::Adds,
    };

    #[tokio::test]
    async fn calls_that_overlap_take_a_statement_for_each_kind_and_not_for_each_call() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}", folder.path().join("t").display())).await.unwrap();
        let mut texts = Texts::default();
        let mut changes = Changes::new(db.begin().await.unwrap(), &mut texts);
        // The batch begins with the second change of a call whose first one was in the batch before.
        changes.set(&SECOND, args!["before"]);
        for call in 0..50 {
            changes.set(&FIRST, args![format!("call {call}")]);
            changes.set(&SECOND, args![format!("call {call}")]);
        }
        let piles: Vec<(&str, usize)> = changes.sets.iter().map(|pile| (&pile.kind.sql[..29], pile.rows.len())).collect();
        assert_eq!(
            piles,
            [("UPDATE calls SET state = 'b' ", 1), ("UPDATE calls SET state = 'a' ", 50), ("UPDATE calls SET state = 'b' ", 50)]
        );
        changes.commit().await.unwrap();
    }
}

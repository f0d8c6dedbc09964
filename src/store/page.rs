//! Pages of a list: newest first, and a cursor that is the last id seen. Ids sort by their time, so a page never skips or doubles.

use serde::Serialize;
use utoipa::ToSchema;

use super::Error;
use super::db::Row;

/// Rows a page has when nobody says otherwise.
const USUAL: i64 = 50;
/// The most rows a page has.
const MOST: i64 = 500;

/// Which part of a list.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// How many.
    pub limit: Option<i64>,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The things.
    pub data: Vec<T>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

impl Slice {
    /// How many to give.
    #[must_use]
    pub fn limit(&self) -> i64 {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    /// One more than that: whether it comes tells whether there is a next page.
    #[must_use]
    pub fn probe(&self) -> i64 {
        self.limit() + 1
    }

    /// Makes the page of rows read with [`Slice::probe`].
    ///
    /// # Errors
    /// What `read` says.
    pub fn page<T>(&self, rows: &[Row], read: impl Fn(&Row) -> Result<T, Error>, cursor: impl Fn(&T) -> String) -> Result<Page<T>, Error> {
        let limit = usize::try_from(self.limit()).unwrap_or(1);
        let data = rows.iter().take(limit).map(read).collect::<Result<Vec<T>, Error>>()?;
        let next_cursor = if rows.len() > limit { data.last().map(cursor) } else { None };
        Ok(Page { data, next_cursor })
    }
}

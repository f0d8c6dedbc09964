//! From files to checked plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desk::Desk;
use super::plan::Plan;
use super::problem::Problem;

/// A file, read by the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as messages show it. `desk.yaml` is the desk, `knowledge/*` articles, `*.test.yaml` tests, all else plans.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What the files gave.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Plans without an error, by id.
    pub plans: BTreeMap<String, Arc<Plan>>,
    /// Calendars and queues.
    pub desk: Desk,
    /// All findings, errors first.
    pub problems: Vec<Problem>,
}

/// Reads and checks all files together. `env` gives `${NAME}` references their values.
#[must_use]
pub fn load(_files: &[Source], _env: &BTreeMap<String, String>) -> Loaded {
    Loaded::default()
}

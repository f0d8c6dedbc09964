//! From YAML to plans: every key is known, every value checked where it stands.

pub mod actions;
pub mod desk;
mod fields;
pub mod find;
mod hand_over;
pub mod knowledge;
mod menu;
pub mod plan;
mod slot;
pub(super) mod step;
pub mod table;
mod value;
mod work;

use std::collections::BTreeMap;

use super::expr::Path;
use super::plan::{Menu, Prompted, Slot, Target};
use super::problem::{Problem, Severity};
use super::syntax::Place;
use crate::control::words::Lang;

pub use fields::Fields;
pub use value::parse_duration;

/// What reading one file collects besides its result.
pub struct Context<'f> {
    file: &'f str,
    env: &'f BTreeMap<String, String>,
    /// Findings so far.
    pub problems: Vec<Problem>,
    /// Languages that each text must have.
    pub languages: Vec<Lang>,
    /// Menus met so far.
    pub menus: Vec<Menu>,
    /// What later checks look up, with its place.
    pub seen: Seen,
}

/// Names used in the file, to be checked when everything is read.
#[derive(Default)]
pub struct Seen {
    /// Where the flow goes to.
    pub targets: Vec<(Target, Place)>,
    /// Variables of texts and expressions.
    pub paths: Vec<(Path, Place)>,
    /// Variables that steps make: `save_as`, `set`.
    pub made: Vec<String>,
    /// Queues by name.
    pub queues: Vec<(String, Place)>,
    /// Calendars by name.
    pub calendars: Vec<(String, Place)>,
    /// Slots that are asked or cleared.
    pub slots: Vec<(String, Place)>,
    /// Lookups that are run.
    pub lookups: Vec<(String, Place)>,
    /// Slots that steps make for what they find.
    pub found: Vec<(String, Slot, Place)>,
    /// Calls of sagas that are not the last and have no way back.
    pub one_way: Vec<(String, Place)>,
    /// Knowledge base and topic.
    pub topics: Vec<(String, Option<String>, Place)>,
    /// Texts that are spoken.
    pub prompts: Vec<Prompted>,
    /// Menus as they stand, with what lint needs.
    pub menus: Vec<Place>,
    /// Menus used by name.
    pub uses: Vec<(String, usize, Place)>,
}

impl<'f> Context<'f> {
    /// For one file.
    #[must_use]
    pub fn new(file: &'f str, env: &'f BTreeMap<String, String>) -> Context<'f> {
        Context { file, env, problems: Vec::new(), languages: Vec::new(), menus: Vec::new(), seen: Seen::default() }
    }

    /// An error at a place.
    pub fn error(&mut self, id: &'static str, at: Place, what: impl Into<String>) {
        self.report(Severity::Error, id, at, what.into(), None);
    }

    /// An error with its mend.
    pub fn mend(&mut self, id: &'static str, at: Place, what: impl Into<String>, mend: impl Into<String>) {
        self.report(Severity::Error, id, at, what.into(), Some(mend.into()));
    }

    /// A warning with its mend.
    pub fn warn(&mut self, id: &'static str, at: Place, what: impl Into<String>, mend: impl Into<String>) {
        self.report(Severity::Warning, id, at, what.into(), Some(mend.into()));
    }

    fn report(&mut self, severity: Severity, id: &'static str, at: Place, what: String, mend: Option<String>) {
        self.problems.push(Problem { id, severity, file: self.file.to_owned(), line: at.line, column: at.column, what, mend });
    }
}

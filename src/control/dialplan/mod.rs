//! The dialplan: one YAML file a hotline, read, checked, and run by one pure runner.

pub mod actions;
pub mod ahead;
pub mod calendar;
pub mod check;
pub mod confusions;
pub mod desk;
pub mod diff;
pub mod expr;
pub mod format;
pub mod hints;
pub mod import;
pub mod knowledge;
pub mod load;
mod mend;
pub mod pick;
pub mod plan;
pub mod problem;
pub mod read;
pub mod recorded;
pub mod runner;
pub mod shape;
pub mod shown;
pub mod sim;
pub mod syntax;
pub mod table;
pub mod template;
pub mod test_file;
pub mod understand;
pub mod values;
pub mod verbs;
pub mod wish;

pub use load::{FileKind, Loaded, Source, load, load_with};
pub use plan::Plan;
pub use problem::{Problem, Severity};
pub use runner::{Caller, Medium, Runner, Start};

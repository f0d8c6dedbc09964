//! What is wrong with a file, said so that the operator can mend it: place, field, what, mend.

use std::fmt;

use crate::control::dialplan::problem::{self, nearest};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The server would not start with it.
    Error,
    /// It starts, but something will not work as written.
    Warning,
}

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// `sip-config/phones.toml:12:5`; without line when the whole file is meant.
    pub place: String,
    /// `agents.anna.queues`; empty when no field is meant.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do; may be empty when `what` says it.
    pub mend: String,
}

impl Problem {
    /// An error of a whole file.
    #[must_use]
    pub fn of_file(file: &str, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem { severity: Severity::Error, place: file.to_owned(), field: String::new(), what: what.into(), mend: mend.into() }
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{}: {severity}: ", self.place)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.what)?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, "; {}", self.mend) }
    }
}

impl std::error::Error for Problem {}

impl From<problem::Problem> for Problem {
    fn from(found: problem::Problem) -> Problem {
        let severity = match found.severity {
            problem::Severity::Error => Severity::Error,
            problem::Severity::Warning => Severity::Warning,
        };
        let place = format!("{}:{}:{}", found.file, found.line, found.column);
        Problem { severity, place, field: found.id.to_owned(), what: found.what, mend: found.mend.unwrap_or_default() }
    }
}

/// Is any of them an error?
#[must_use]
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// "did you mean `x`?" when one of the names is near, else the list of all names.
#[must_use]
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest(word, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => String::new(),
        None => format!("known here: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_proposed_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("lisen", ["listen", "domain"]), "did you mean `listen`?");
        assert_eq!(did_you_mean("zzz", ["listen", "domain"]), "known here: listen, domain");
    }

    #[test]
    fn a_problem_reads_as_place_severity_field_what_and_mend() {
        let problem = Problem { field: "a.b".into(), ..Problem::of_file("x.toml:3:1", "is bad", "write good") };
        assert_eq!(problem.to_string(), "x.toml:3:1: error: a.b: is bad; write good");
        assert!(any_error(std::slice::from_ref(&problem)));
        assert!(!any_error(&[problem.as_warning()]));
    }
}

//! The log: lines for people or JSON for collectors, to standard error, filtered by module.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Why the log could not start.
#[derive(Debug, thiserror::Error)]
pub enum BadLog {
    /// The filter cannot be read.
    #[error("the log filter `{filter}` cannot be used: {why}; write for instance info,hotline::control=debug")]
    OperatorFilter {
        /// As given.
        filter: String,
        /// Where it is wrong.
        why: tracing_subscriber::filter::ParseError,
    },
    /// Somebody logs already.
    #[error("the log is started twice")]
    OursTwice,
}

/// What the log looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A line an event, in colour on a terminal.
    Lines,
    /// A JSON object an event.
    Json,
}

/// Starts the log of this process.
///
/// # Errors
/// When the filter is wrong or a log runs already.
pub fn start(filter: &str, form: Form) -> Result<(), BadLog> {
    let filter = EnvFilter::try_new(filter).map_err(|why| BadLog::OperatorFilter { filter: filter.to_owned(), why })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = match form {
        Form::Lines => lines.try_init(),
        Form::Json => lines.json().with_current_span(true).try_init(),
    };
    started.map_err(|_| BadLog::OursTwice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_names_the_mend() {
        let error = start("hotline=loud", Form::Lines).unwrap_err();
        assert!(error.to_string().contains("hotline::control=debug"), "{error}");
    }
}

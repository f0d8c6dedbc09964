//! The command line. One file a command; each has its clap `Args` and `pub fn run(Args) -> anyhow::Result<ExitCode>`.
//! An `Err` is printed with its causes and exits 2; a command that worked but says "no" (a failed check) returns 1 itself.

mod asking;
mod call;
mod check;
mod demo;
mod dialplan;
mod kb;
mod late_bar;
mod learn;
mod load;
mod models;
mod nlu;
mod notice;
mod recordings;
mod serve;
mod since;
mod transcribe;
mod trunk;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What goes to the shell when a command could not do its work.
const BROKEN: u8 = 2;

/// A contact-center telephony server: spoken menus, queues, recordings and chats over one session API.
#[derive(Parser, Debug)]
#[command(name = "hotline", version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Call(Box<call::Args>),
    Check(check::Args),
    Nlu(nlu::Args),
    Demo(demo::Args),
    Dialplan(dialplan::DialplanArgs),
    Kb(kb::Args),
    Learn(learn::Args),
    Load(load::Args),
    Models(models::Args),
    Notice(notice::Args),
    Recordings(recordings::Args),
    Serve(serve::Args),
    Transcribe(transcribe::Args),
    Trunk(trunk::Args),
}

/// Runs work that waits for a server or a database to its end.
fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Reads the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    match Line::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hotline: {}", told(&error));
            ExitCode::from(BROKEN)
        }
    }
}

/// An error with its causes; a cause that the sentence before it already holds is not told twice.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        let separator = if said.is_empty() { "" } else { ": " };
        if said.contains(&cause) { said } else { format!("{said}{separator}{cause}") }
    })
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Nlu(args) => nlu::run(&args),
            Command::Call(args) => call::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Dialplan(args) => dialplan::run(args),
            Command::Kb(args) => kb::run(&args),
            Command::Learn(args) => learn::run(&args),
            Command::Load(args) => load::run(&args),
            Command::Models(args) => models::run(&args),
            Command::Notice(args) => notice::run(&args),
            Command::Recordings(args) => recordings::run(&args),
            Command::Serve(args) => serve::run(&args),
            Command::Transcribe(args) => transcribe::run(&args),
            Command::Trunk(args) => trunk::run(&args),
        }
    }
}

/// What the command line makes of these words, for tests of a command's arguments.
#[cfg(test)]
fn parsed<A: clap::Args>(line: &str) -> Result<A, clap::Error> {
    let command = A::augment_args(clap::Command::new("command"));
    command.try_get_matches_from(std::iter::once("command").chain(line.split(' '))).and_then(|found| A::from_arg_matches(&found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_cause_is_told_once() {
        let disk = || std::io::Error::other("disk full");
        let within = anyhow::Error::new(crate::speech::wav::WavError::Disk { path: "a.wav".into(), source: disk() });
        assert_eq!(told(&within), "a.wav: disk full");
        assert_eq!(told(&anyhow::Error::new(disk()).context("cannot write the report")), "cannot write the report: disk full");
    }

    #[test]
    fn every_command_is_well_formed_and_has_an_example() {
        let mut line = Line::command();
        line.clone().debug_assert();
        for command in line.get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "`hotline {} --help` needs an example", command.get_name());
        }
    }
}

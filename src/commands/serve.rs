//! `hotline serve`: the server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::config::Secrets;
use crate::run::Ready;
use crate::{config, run, telemetry};

use super::check::print_problems;

/// Runs the server until SIGTERM or Ctrl-C.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  hotline serve
      in an empty folder: the example center on port 5060, its API on http://127.0.0.1:8080
  hotline serve --home /srv/hotline --database postgres://hotline@db/hotline
  hotline serve --listen udp:127.0.0.1:0 --api 127.0.0.1:0 --ready-file ready.json
      free ports, told in ready.json once everything answers

SIGTERM takes no new calls and ends when the running ones are over, after 30 s at the latest; a second one ends at once.")]
pub struct Args {
    #[command(flatten)]
    config: config::Args,
    /// Write addresses, the first administrator's key and the process id as JSON into this file once everything answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or by module: info,hotline::control=debug
    #[arg(long, env = "HOTLINE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// Log as JSON lines
    #[arg(long)]
    log_json: bool,
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps the server from starting.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let form = if args.log_json { telemetry::log::Form::Json } else { telemetry::log::Form::Lines };
    telemetry::log::start(&args.log, form)?;
    let config = match config::load(&args.config, chance().context("the operating system gives no random bytes")?) {
        Ok(config) => config,
        Err(problems) => {
            print_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    print_problems(&config.warnings);
    let mut told = Ok(());
    run::serve(&args.config, config, |ready| told = tell(ready, args.ready_file.as_deref()))?;
    told.map(|()| ExitCode::SUCCESS)
}

fn chance() -> Result<Secrets, getrandom::Error> {
    let mut keys = [0; 32];
    getrandom::fill(&mut keys)?;
    Ok(Secrets { nonces: getrandom::u64()?, keys })
}

/// Tells where the server can be reached.
fn tell(ready: &Ready, file: Option<&Path>) -> anyhow::Result<()> {
    if let Some(file) = file {
        write_whole(ready, file)?;
    }
    for door in &ready.sip {
        println!("SIP {} {}", door.transport, door.addr);
    }
    if let Some(key) = &ready.admin_key {
        println!("first administrator's key, kept in data/admin-key: {key}");
    }
    println!("API {}", ready.api);
    Ok(())
}

/// Written beside and moved, so that whoever waits for the file never reads half of it.
fn write_whole(ready: &Ready, file: &Path) -> anyhow::Result<()> {
    let half = file.with_extension("half");
    std::fs::write(&half, serde_json::to_vec(ready)?).with_context(|| format!("cannot write {}", half.display()))?;
    std::fs::rename(&half, file).with_context(|| format!("cannot write {}", file.display()))
}

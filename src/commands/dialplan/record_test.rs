//! `hotline dialplan record-test`: a test case out of a session that was.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::history::Log;
use super::{loaded_for_mocks, plan_named};
use crate::commands::asking::Server;
use crate::commands::on_runtime;
use crate::control::dialplan::recorded::case;
use crate::control::dialplan::test_file::{self, Verdict};
use crate::control::dialplan::{Loaded, Source};

/// The seed of look-alikes and of the run, so that the same session gives the same case.
const SEED: u64 = 1;

/// Which session.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The session: ses_…
    session: String,
    /// The file that is written; it must not be there yet. Without it the case is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
///
/// # Errors
/// When the session or its plan cannot be read, or the file cannot be written.
pub fn run(dir: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = loaded_for_mocks(dir)?;
    let recorded = on_runtime(async {
        let log = Log::open(&args.server).await?;
        log.session(&args.session, &|id| loaded.plans.get(id).map(AsRef::as_ref)).await
    })?;
    let Some((id, _)) = &recorded.plan else { bail!("no plan spoke in {}", args.session) };
    let plan = plan_named(&loaded, id)?;
    let written = case::write(&recorded, &plan, SEED).map_err(|problems| {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        anyhow::anyhow!("no case can be made of {}", args.session)
    })?;
    prove(&written.text, &loaded)?;
    written.doubts.iter().for_each(|doubt| eprintln!("note: {doubt}"));
    match &args.out {
        None => print!("{}", written.text),
        Some(file) => {
            let mut out = std::fs::File::create_new(file).with_context(|| format!("cannot make {}", file.display()))?;
            out.write_all(written.text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A case that does not pass is not given away.
fn prove(text: &str, loaded: &Loaded) -> anyhow::Result<()> {
    let source = Source { name: "recorded.test.yaml".to_owned(), text: text.to_owned() };
    let tests = test_file::read(&source).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    for case in &tests.cases {
        let outcome = test_file::run(case, &plan_named(loaded, &tests.plan)?, SEED, &mut |_, _| Err("no sound".to_owned()));
        if let Verdict::Failed(why) = outcome.verdict {
            eprint!("{text}");
            bail!("the case does not pass as it was written: {}", why.join("; "));
        }
    }
    Ok(())
}

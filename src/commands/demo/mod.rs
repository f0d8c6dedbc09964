//! `hotline demo`: the whole story with real sound. A server of its own, an agent's phone, a caller who says what he needs;
//! the screen shows what the log says while it happens.

mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use crate::phone::{self, report::Report};

use stage::Stage;
use story::{Station, Story};

/// How long the facts after the call (transcript, score) may take.
const AFTERWARDS: Duration = Duration::from_secs(30);
const EVENTS: usize = 1_024;

/// Plays the whole story with real sound: a caller, a sentence, a queue, an agent, a recording, a score.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  hotline demo
      plays the story and stays up, so that a softphone can call
  hotline demo --once
      plays the story and ends: 0, or 1 with the name of the station that failed")]
pub struct Args {
    /// End after the story
    #[arg(long)]
    once: bool,
    /// Keep everything in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// What the server logs into server.log of the folder
    #[arg(long, default_value = "info", value_name = "FILTER")]
    log: String,
}

/// Runs the command.
///
/// # Errors
/// When the stage cannot be set up.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(args))
}

async fn play(args: &Args) -> anyhow::Result<ExitCode> {
    let reach = if args.once { stage::Reach::ThisMachine } else { stage::Reach::Network };
    let mut stage = Stage::set(args.home.clone(), reach, &args.log).await?;
    println!("{}", stage.programme());
    let (teller, mut events) = mpsc::channel(EVENTS);
    let listener = tokio::spawn(stage.follow_events(teller)?);
    let mut story = Story::begin();
    story.reach(Station::Server);
    let verdict = scene(&stage, &mut story, &mut events).await;
    listener.abort();
    let failed = verdict
        .err()
        .map(|error| format!("{error:#}"))
        .or_else(|| story.missing().map(|station| format!("the station `{}` was not reached", station.name())));
    match (&failed, args.once) {
        (Some(why), _) => {
            println!("\nFAILED: {why}\nThe server's log: {}", stage.log().display());
            stage.keep();
        }
        (None, true) => println!("\nAll stations were reached."),
        (None, false) => {
            println!("{}", stage.invitation());
            tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        }
    }
    stage.strike().await?;
    Ok(if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The call: the agent's phone first, then the caller, then what the server makes of it.
async fn scene(stage: &Stage, story: &mut Story, events: &mut mpsc::Receiver<serde_json::Value>) -> anyhow::Result<()> {
    let (_agent_stop, agent_quit) = mpsc::channel(1);
    let agent = tokio::spawn(phone::run(stage.agent()?, agent_quit, |event| {
        println!("            agent's phone: {}", super::call::sentence(event))
    }));
    story.until(Station::AgentReady, events, stage::REGISTERED_WITHIN).await?;
    let (_caller_stop, caller_quit) = mpsc::channel(1);
    let caller = tokio::spawn(phone::run(stage.caller()?, caller_quit, |event| {
        println!("            caller's phone: {}", super::call::sentence(event))
    }));
    story
        .follow_while(events, async {
            let _ = caller.await.map(|reports| reports.map(|reports| println!("            caller: {}", heard(&reports))));
        })
        .await;
    agent.abort();
    story.afterwards(events, AFTERWARDS).await;
    story.timeline(stage).await
}

fn heard(reports: &[Report]) -> String {
    let Some(report) = reports.first() else { return "no call".into() };
    let media = &report.media;
    format!("status {}, {} packets heard, {} lost, jitter {:.1} ms", report.status, media.received, media.lost, media.jitter_ms)
}

//! `hotline learn`: what customers said and nobody understood, grouped by meaning; a person turns a group into examples of a plan's
//! option or of an article. Only a draft and a diff are written: what is in force changes by `hotline dialplan publish`.

mod draft;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::asking::Server;
use super::since::Since;
use draft::{Home, Target};

/// Sentences that nobody understood: show them in groups, make examples of a group.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  hotline learn --since 7d\n  hotline learn accept 3f2a9c --to node:claims --plan driver-hotline\n  hotline learn accept 3f2a9c --to article:driver/repair_pay"
)]
pub struct Args {
    #[command(subcommand)]
    accept: Option<Work>,
    #[command(flatten)]
    show: Show,
}

#[derive(clap::Subcommand, Debug)]
enum Work {
    /// Writes a draft with a group's sentences as examples, and prints the difference; nothing is in force by that
    #[command(
        after_help = "Examples:\n  hotline learn accept 3f2a9c --to node:claims --plan driver-hotline --out draft.yaml\n  hotline learn accept 3f2a9c --to article:driver/deposit --text \"押金三十天内退回。\"\n\nThen: hotline dialplan publish draft.yaml"
    )]
    Accept(Accept),
}

#[derive(clap::Args, Debug)]
struct Show {
    /// How far back: 7d, 12h, 2026-11-20, or a point in time
    #[arg(long, default_value = "7d")]
    since: Since,
    /// Of this plan only
    #[arg(long)]
    plan: Option<String>,
    /// Groups with at least so many sentences
    #[arg(long, default_value_t = 1)]
    least: u64,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(clap::Args, Debug)]
struct Accept {
    /// The group's id, as shown
    group: String,
    /// `node:NAME` (an option that leads there) or `article:BASE/TOPIC`
    #[arg(long)]
    to: String,
    /// The plan that has the node; needed where several do
    #[arg(long)]
    plan: Option<String>,
    /// The answer, for an article that is new
    #[arg(long)]
    text: Option<String>,
    /// The folder of plans
    #[arg(long, default_value = "dialplans")]
    dir: PathBuf,
    /// Where the draft goes; `<file>.draft.yaml` in this folder otherwise
    #[arg(long)]
    out: Option<PathBuf>,
    /// How far back the group was looked for
    #[arg(long, default_value = "7d")]
    since: Since,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
///
/// # Errors
/// A server that does not answer, a folder or file that cannot be read, a target that is not there.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.accept {
        Some(Work::Accept(accept)) => run_accept(accept),
        None => run_show(&args.show),
    }
}

fn groups(server: &Server, since: &Since, plan: Option<&str>) -> anyhow::Result<Value> {
    let at = since.before(Timestamp::now());
    let plan = plan.map(|plan| format!("&plan={}", percent_encoding::utf8_percent_encode(plan, percent_encoding::NON_ALPHANUMERIC)));
    let path = format!("/v1/articles/gaps?since={at}{}", plan.unwrap_or_default());
    let asking = server.asking()?;
    let answer = super::on_runtime(asking.send(Method::GET, &path, None))?;
    answer.map_err(|refused| anyhow::anyhow!(refused.detail))
}

fn run_show(args: &Show) -> anyhow::Result<ExitCode> {
    let found = groups(&args.server, &args.since, args.plan.as_deref())?;
    if args.json {
        println!("{found}");
        return Ok(ExitCode::SUCCESS);
    }
    let all = found["data"].as_array().cloned().unwrap_or_default();
    println!("{} sentence(s) not understood since {}, {} group(s)", found["sentences"], args.since, all.len());
    for group in all.iter().filter(|group| group["count"].as_u64().unwrap_or(0) >= args.least) {
        let text = |name: &str| group[name].as_str().unwrap_or_default().to_owned();
        let near = match group["nearest"]["intent"].as_str() {
            Some(intent) => format!("  (nearest: {intent} {:.2})", group["nearest"]["score"].as_f64().unwrap_or_default()),
            None => String::new(),
        };
        println!("\n{}  {:3} ×  {}{near}", text("id"), group["count"].as_u64().unwrap_or(0), text("label"));
        for example in group["examples"].as_array().into_iter().flatten() {
            let text = |name: &str| example[name].as_str().unwrap_or_default().to_owned();
            let audio = example["audio"].as_str().map_or_else(String::new, |audio| format!("  {}{audio}", args.server.api));
            println!("     {:3} ×  {}  {}{audio}", example["count"].as_u64().unwrap_or(0), text("text"), text("session"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_accept(args: &Accept) -> anyhow::Result<ExitCode> {
    let found = groups(&args.server, &args.since, None)?;
    let group = found["data"].as_array().into_iter().flatten().find(|group| group["id"] == args.group.as_str());
    let group = group.with_context(|| format!("there is no group {}: `hotline learn --since {}` shows them", args.group, args.since))?;
    let sentences: Vec<String> =
        group["examples"].as_array().into_iter().flatten().filter_map(|one| one["text"].as_str().map(str::to_owned)).collect();
    let target = Target::parse(&args.to)?;
    let home = Home::read(&args.dir)?;
    let drafted = home.draft(&target, args.plan.as_deref(), &sentences, args.text.as_deref())?;
    let out = args.out.clone().unwrap_or_else(|| beside(&drafted.file));
    std::fs::write(&out, &drafted.text).with_context(|| format!("{} cannot be written", out.display()))?;
    print!("{}", drafted.diff());
    println!("\nwritten: {}; nothing is in force yet", out.display());
    println!("next: {}", drafted.advice(&out));
    Ok(ExitCode::SUCCESS)
}

fn beside(file: &Path) -> PathBuf {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    PathBuf::from(format!("{stem}.draft.yaml"))
}

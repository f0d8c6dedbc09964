//! `hotline dialplan publish | canary | rollback | versions`: what happens to plans on a running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::yaml_files;
use crate::commands::asking::{Asking, Refused, Server};
use crate::commands::on_runtime;
use crate::control::dialplan::Source;
use crate::control::dialplan::load::plan_id;

pub(super) const PUBLISH_HELP: &str = "Examples:\n  hotline dialplan publish\n  hotline dialplan publish driver-hotline.yaml\n  hotline dialplan publish dialplans/ --check\n  \
    hotline dialplan publish --plan driver-hotline --version 3f2a9c01\n\n\
    A folder is sent whole: plans, desk.yaml, knowledge/ and *.test.yaml. All of it comes into force or nothing; calls in progress keep\n\
    the version they began with.\n\nExit status: 0 = in force (or nothing was new), 1 = refused, and why.";
pub(super) const CANARY_HELP: &str = "Examples:\n  hotline dialplan canary 5 driver-hotline.yaml\n  hotline dialplan canary 20\n  \
    hotline dialplan canary 0 --plan driver-hotline\n\n\
    The draft is taken back by itself when, of at least 20 ended sessions each, the share that failed, was not understood or came to a\n\
    person is at least 2 points higher than with the version in force, and chance alone would do that less than once in a thousand times.\n\n\
    Exit status: 0 = on trial (or ended), 1 = refused, and why.";
pub(super) const ROLLBACK_HELP: &str = "Examples:\n  hotline dialplan rollback driver-hotline\n  hotline dialplan rollback driver-hotline --version 3f2a9c01\n\n\
    While a draft is on trial, the trial ends and nothing else changes.\n\nExit status: 0 = done, 1 = refused, and why.";

/// What to publish.
#[derive(clap::Args, Debug)]
pub struct Publish {
    /// Files or one folder; without any, the folder of --dir
    paths: Vec<PathBuf>,
    /// Check only: nothing changes
    #[arg(long)]
    check: bool,
    /// A version that the server keeps, instead of files: of this plan
    #[arg(long, requires = "version", conflicts_with = "paths")]
    plan: Option<String>,
    /// Which version
    #[arg(long, requires = "plan")]
    version: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// What to try.
#[derive(clap::Args, Debug)]
pub struct Canary {
    /// How many of a hundred new calls take it; 0 ends the trial
    #[arg(value_parser = clap::value_parser!(u8).range(0..=99))]
    percent: u8,
    /// The draft; without a file the plan's youngest draft is taken
    file: Option<PathBuf>,
    /// The plan, where no file says it
    #[arg(long)]
    plan: Option<String>,
    /// A version that the server keeps
    #[arg(long)]
    version: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// What to put back.
#[derive(clap::Args, Debug)]
pub struct Rollback {
    /// The plan's id; without it the only plan that has a draft on trial, or the only plan there is
    plan: Option<String>,
    /// Another version than the one before
    #[arg(long)]
    version: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// Whose versions.
#[derive(clap::Args, Debug)]
pub struct Versions {
    /// The plan's id
    plan: String,
    #[command(flatten)]
    server: Server,
}

/// Sends it and says what changed.
///
/// # Errors
/// Files that cannot be read, a server that does not answer.
pub fn publish(dir: &Path, args: &Publish) -> anyhow::Result<ExitCode> {
    let asking = args.server.asking()?;
    let (path, body) = match (&args.plan, &args.version) {
        (Some(plan), Some(version)) => {
            let work = if args.check { "test" } else { "publish" };
            (format!("/v1/dialplans/{plan}/versions/{version}/{work}"), None)
        }
        _ => ("/v1/dialplans/publish".to_owned(), Some(json!({"files": files(dir, &args.paths)?, "dry_run": args.check}))),
    };
    let answer = on_runtime(asking.send(Method::POST, &path, body.as_ref()))?;
    match answer {
        Err(why) => Ok(why.told()),
        Ok(checked) => {
            print_checked(&checked, args.check);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print_checked(checked: &Value, only_checked: bool) {
    for finding in checked["findings"].as_array().into_iter().flatten() {
        println!("{}", finding.as_str().unwrap_or_default());
    }
    let (cases, skipped) = (checked["cases"].as_u64().unwrap_or(0), checked["skipped"].as_u64().unwrap_or(0));
    println!("{cases} test case(s) passed, {skipped} with sound left out");
    let changed: Vec<&Value> = checked["changed"].as_array().into_iter().flatten().collect();
    let word = if only_checked { "would change" } else { "in force" };
    for change in &changed {
        let text = |name: &str| change[name].as_str().unwrap_or("(new)").to_owned();
        println!("{word}: {} {} → {}", text("plan"), text("from"), text("to"));
    }
    if changed.is_empty() {
        println!("no plan changes its version");
    }
}

/// Files by their names below the plans' folder.
fn files(dir: &Path, paths: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    let given = if paths.is_empty() { vec![dir.to_path_buf()] } else { paths.to_vec() };
    for path in given {
        if path.is_dir() {
            all.extend(yaml_files(&path)?);
        } else {
            all.push(path);
        }
    }
    all.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read as UTF-8", path.display()))?;
    let base = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let of_knowledge = path.parent().is_some_and(|parent| parent.ends_with("knowledge"));
    Ok(json!({"name": if of_knowledge { format!("knowledge/{base}") } else { base }, "text": text}))
}

/// Begins or ends a trial.
///
/// # Errors
/// As [`publish`].
pub fn canary(args: &Canary) -> anyhow::Result<ExitCode> {
    let asking = args.server.asking()?;
    let text = args
        .file
        .as_ref()
        .map(|path| fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display())))
        .transpose()?;
    let of_file = text.as_ref().and_then(|text| plan_id(&Source { name: "draft.yaml".to_owned(), text: text.clone() }));
    let plan = match args.plan.clone().or(of_file) {
        Some(plan) => plan,
        None => on_runtime(only_plan(&asking, if args.percent == 0 { on_trial } else { has_draft }))?,
    };
    let canary = format!("/v1/dialplans/{plan}/canary");
    let answer = on_runtime(async {
        if args.percent == 0 {
            return asking.send(Method::DELETE, &canary, None).await;
        }
        let version = match text {
            None => args.version.clone().map_or(Value::Null, Value::from),
            Some(text) => match draft(&asking, &plan, &text).await? {
                Ok(drafted) => drafted["version"].clone(),
                Err(why) => return Ok(Err(why)),
            },
        };
        asking.send(Method::POST, &canary, Some(&json!({"version": version, "percent": args.percent}))).await
    })?;
    match answer {
        Err(why) => Ok(why.told()),
        Ok(_) if args.percent == 0 => {
            println!("the trial of {plan} has ended");
            Ok(ExitCode::SUCCESS)
        }
        Ok(trial) => {
            println!("{plan}: {} % of new calls take {}", args.percent, trial["version"].as_str().unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn draft(asking: &Asking, plan: &str, text: &str) -> anyhow::Result<Result<Value, Refused>> {
    asking.send(Method::POST, &format!("/v1/dialplans/{plan}/versions"), Some(&json!({"text": text}))).await
}

/// Has it a version that was never in force?
fn has_draft(versions: &Value) -> bool {
    versions["data"].as_array().into_iter().flatten().any(|version| version["published_at"].is_null())
}

/// Is a version of it on trial?
fn on_trial(versions: &Value) -> bool {
    versions["canaries"].as_array().into_iter().flatten().any(|trial| trial["ended_at"].is_null())
}

/// The plan that is meant when none is named: the only one that fits, or the only one there is.
async fn only_plan(asking: &Asking, fits: fn(&Value) -> bool) -> anyhow::Result<String> {
    let get = async |path: String| asking.send(Method::GET, &path, None).await?.map_err(|refused| anyhow::anyhow!(refused.detail));
    let all = get("/v1/dialplans".to_owned()).await?;
    let ids: Vec<&str> = all["data"].as_array().into_iter().flatten().filter_map(|plan| plan["id"].as_str()).collect();
    let mut fitting = Vec::new();
    for id in &ids {
        if fits(&get(format!("/v1/dialplans/{id}/versions")).await?) {
            fitting.push(*id);
        }
    }
    match (fitting.as_slice(), ids.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).to_owned()),
        _ => bail!("say which plan: there are {}", ids.join(", ")),
    }
}

/// Puts a version back.
///
/// # Errors
/// As [`publish`].
pub fn rollback(args: &Rollback) -> anyhow::Result<ExitCode> {
    let asking = args.server.asking()?;
    let named = args.plan.clone().map_or_else(|| on_runtime(only_plan(&asking, on_trial)), Ok)?;
    let path = format!("/v1/dialplans/{named}/rollback");
    let body = json!({"version": args.version});
    match on_runtime(asking.send(Method::POST, &path, Some(&body)))? {
        Err(why) => Ok(why.told()),
        Ok(plan) => {
            println!("in force: {named} {}", plan["version"].as_str().unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Lists versions and trials.
///
/// # Errors
/// As [`publish`].
pub fn versions(args: &Versions) -> anyhow::Result<ExitCode> {
    let asking = args.server.asking()?;
    let answer = on_runtime(asking.send(Method::GET, &format!("/v1/dialplans/{}/versions", args.plan), None))?;
    let known = match answer {
        Err(why) => return Ok(why.told()),
        Ok(known) => known,
    };
    for version in known["data"].as_array().into_iter().flatten() {
        let text = |name: &str| version[name].as_str().unwrap_or_default().to_owned();
        let mark = if version["version"] == known["version"] { "in force" } else { "" };
        let published = version["published_at"].as_str().map_or_else(|| "draft".to_owned(), |at| format!("published {at}"));
        println!("{}  {:8}  made {} by {}, {published}", text("version"), mark, text("made_at"), text("made_by"));
    }
    for trial in known["canaries"].as_array().into_iter().flatten() {
        let text = |name: &str| trial[name].as_str().unwrap_or_default().to_owned();
        let end = match trial["how"].as_str() {
            None => "running".to_owned(),
            Some(how) => format!("{how} {}: {}", text("ended_at"), text("why")),
        };
        println!("trial of {} against {}, {} %, since {}: {end}", text("version"), text("against"), trial["percent"], text("since"));
    }
    Ok(ExitCode::SUCCESS)
}

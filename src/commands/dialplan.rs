//! `hotline dialplan`: lint plans, talk to one in the terminal, run its tests.

mod confusions;
mod diff;
mod ear;
mod fmt;
mod graph;
mod history;
mod house;
mod import;
mod publish;
mod record_test;
mod replay;
mod sarif;
mod simulate;
mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::control::dialplan::check::close_options;
use crate::control::dialplan::problem::has_error;
use crate::control::dialplan::sim;
use crate::control::dialplan::test_file;
use crate::control::dialplan::{Loaded, Plan, Problem, Source, load_with};

/// Files of one folder.
const MOST_FILES: usize = 2_000;

/// Works on dialplans: checks, tries, tests, compares, draws, imports and publishes them.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  hotline dialplan lint\n  hotline dialplan sim driver-hotline --phone 13800138000\n  hotline dialplan test dialplans/driver-hotline.test.yaml --junit out.xml\n  hotline dialplan publish driver-hotline.yaml"
)]
pub struct DialplanArgs {
    #[command(subcommand)]
    work: Work,
    /// The folder with the plans, desk.yaml, knowledge/ and *.test.yaml; `dialplans`, or where a named test file lies
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Work {
    /// Reads all plans and says what is wrong with them, and where
    #[command(
        after_help = "Examples:\n  hotline dialplan lint --strict --json\n  hotline dialplan lint --sarif > lint.sarif\n\nExit status: 0 = good, 1 = there are errors."
    )]
    Lint(Lint),
    /// A conversation in the terminal: lines are sentences, #12 are keys, @file.wav is heard by the recognizer, an empty line is silence
    #[command(
        after_help = "Example:\n  hotline dialplan sim driver-hotline --clock 2026-11-11T10:00:00+08:00 --mock 'pay={\"status\":\"paid\",\"amount\":10}'\n  hotline dialplan sim driver-hotline --caller 13800138000 --wav question.wav --keys 2 < /dev/null"
    )]
    Sim(simulate::Sim),
    /// Runs *.test.yaml
    #[command(after_help = "Example:\n  hotline dialplan test --junit out.xml\n\nExit status: 0 = all passed and covered, 1 = not.")]
    Test(testing::Args),
    /// Writes files in canonical form: keys in their order, short things in one line, comments where they were
    #[command(after_help = "Examples:\n  hotline dialplan fmt\n  hotline dialplan fmt --check dialplans/driver-hotline.yaml\n\n\
                      A file with errors is left as it is. Exit status: 0 = all are in canonical form, 1 = one is broken, or --check found one that is not.")]
    Fmt(fmt::Args),
    /// Compares two files or folders by what they say, not by lines
    #[command(
        after_help = "Examples:\n  hotline dialplan diff dialplans/shop.yaml draft/shop.yaml\n  hotline dialplan diff dialplans draft --json\n\n\
                      Exit status: 0 = nothing but the form differs, 1 = there are differences, 2 = a file cannot be read."
    )]
    Diff(diff::Args),
    /// Holds back each example once and shows which go to another option than their own
    #[command(after_help = "Examples:\n  hotline dialplan confusions driver-hotline\n  hotline dialplan confusions --json\n\n\
                      The worst stand first: callers sent elsewhere without a question, then wrong questions, then sentences asked for again.")]
    Confusions(confusions::Args),
    /// Writes a test case out of a session that was; look-alikes stand in the place of personal data
    #[command(after_help = "Examples:\n  hotline dialplan record-test ses_01JD2XH0ZK8M4V9Q6T3R5W7Y1B\n  \
                      hotline dialplan record-test ses_01JD… --out dialplans/refund.test.yaml --home /srv/hotline\n\n\
                      A running server is asked by its API; without one its database is read. Words of free sentences stay: read the case before you share it.")]
    RecordTest(record_test::Args),
    /// Runs recorded sessions through a draft and shows which ones would lead elsewhere
    #[command(after_help = "Examples:\n  hotline dialplan replay --since 7d --draft drafts/driver-hotline.yaml\n  \
                      hotline dialplan replay --draft draft.yaml --strict --json --home /srv/hotline\n\n\
                      A session whose own version is at hand is first replayed on that: what does not come out as it was is not counted.\n\
                      Exit status: 0, or 1 with --strict when a session leads elsewhere.")]
    Replay(replay::Args),
    /// Makes a plan out of an Asterisk extensions.conf or of TwiML, and lists what is left out or guessed
    #[command(after_help = "Examples:\n  hotline dialplan import extensions.conf --context from-trunk --out dialplans\n  \
                      hotline dialplan import voice.xml menu.xml --id shop > shop.yaml\n\n\
                      The plan has no errors of lint, but warnings; what it lost is told on standard error with the source's line.")]
    Import(import::Args),
    /// Draws a plan: its nodes, and what leads from one to the next
    #[command(after_help = "Example:\n  hotline dialplan graph driver-hotline --svg > driver-hotline.svg")]
    Graph(graph::Args),
    /// Brings plans into force on a running server: linted and tested there first, refused as a whole when something is wrong
    #[command(after_help = publish::PUBLISH_HELP)]
    Publish(publish::Publish),
    /// Gives a draft to some of the new calls of a running server; 0 ends the trial
    #[command(after_help = publish::CANARY_HELP)]
    Canary(publish::Canary),
    /// Puts back the version that was in force before, or ends a trial
    #[command(after_help = publish::ROLLBACK_HELP)]
    Rollback(publish::Rollback),
    /// Lists the versions of a plan that a running server knows
    #[command(after_help = "Example:\n  hotline dialplan versions driver-hotline")]
    Versions(publish::Versions),
}

#[derive(clap::Args, Debug)]
struct Lint {
    /// Single plans instead of the folder's (desk.yaml and knowledge/ beside them are read too)
    files: Vec<PathBuf>,
    /// Warnings count as errors
    #[arg(long)]
    strict: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// One SARIF 2.1.0 log, as code hosts read it
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file or folder cannot be read or written.
pub fn run(args: DialplanArgs) -> anyhow::Result<ExitCode> {
    let usual = Path::new("dialplans");
    let dir = args.dir.as_deref();
    match args.work {
        Work::Lint(lint) => run_lint(dir.unwrap_or(usual), &lint),
        Work::Sim(sim) => simulate::run(dir.unwrap_or(usual), &sim),
        Work::Test(test) => {
            let beside = test.files.first().and_then(|file| file.parent()).filter(|folder| has_plans(folder));
            testing::run(dir.or(beside).unwrap_or(usual), &test)
        }
        Work::Fmt(fmt) => fmt::run(dir.unwrap_or(usual), &fmt),
        Work::Diff(diff) => diff::run(&diff),
        Work::Confusions(args) => confusions::run(dir.unwrap_or(usual), &args),
        Work::RecordTest(args) => record_test::run(dir.unwrap_or(usual), &args),
        Work::Replay(args) => replay::run(dir.unwrap_or(usual), &args),
        Work::Import(args) => import::run(&args),
        Work::Graph(graph) => graph::run(dir.unwrap_or(usual), &graph),
        Work::Publish(publish) => publish::publish(dir.unwrap_or(usual), &publish),
        Work::Canary(canary) => publish::canary(&canary),
        Work::Rollback(rollback) => publish::rollback(&rollback),
        Work::Versions(versions) => publish::versions(&versions),
    }
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

/// The YAML files of a folder and its `knowledge` folder, sorted; the tables there too.
fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("knowledge")] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let paths = entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path());
        let is_read = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        files.extend(paths.filter(|path| is_read(path) || Source::is_table_name(&path.to_string_lossy())));
    }
    if files.is_empty() {
        bail!("there are no plans in {}; name another folder with --dir", folder.display());
    }
    files.sort();
    Ok(files)
}

fn read(paths: &[PathBuf]) -> anyhow::Result<(Vec<Source>, Vec<Problem>)> {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        match Source::from_bytes(&path.display().to_string(), bytes) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    Ok((sources, problems))
}

fn is_test(path: &Path) -> bool {
    test_file::is_name(&path.to_string_lossy())
}

fn run_lint(dir: &Path, lint: &Lint) -> anyhow::Result<ExitCode> {
    let dir = lint.files.first().and_then(|file| file.parent()).unwrap_or(dir);
    let paths = if lint.files.is_empty() { yaml_files(dir)? } else { with_surroundings(&lint.files) };
    let (sources, mut problems) = read(&paths)?;
    let loaded = load_with(&sources, &environment(), &house::sentence_model(dir)?);
    problems.extend(loaded.problems);
    let house = house::beside(dir);
    for (id, plan) in &loaded.plans {
        let file = loaded.files.get(id).unwrap_or(id);
        problems.extend(close_options(plan, file));
        problems.extend(house.findings(plan, file));
    }
    for source in sources.iter().filter(|source| is_test(Path::new(&source.name))) {
        problems.extend(test_file::read(source).err().unwrap_or_default());
    }
    let errors = problems.iter().filter(|problem| has_error(std::slice::from_ref(problem))).count();
    if lint.sarif {
        println!("{}", sarif::log(&problems));
    } else {
        for problem in &problems {
            println!("{}", if lint.json { serde_json::to_string(problem)? } else { problem.to_string() });
        }
    }
    if !lint.json && !lint.sarif {
        println!("{} plan(s) good, {errors} error(s), {} warning(s)", loaded.plans.len(), problems.len() - errors);
    }
    let good = errors == 0 && (!lint.strict || problems.is_empty());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Named files, and the desk and knowledge beside them.
fn with_surroundings(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut all: BTreeSet<PathBuf> = files.iter().cloned().collect();
    for file in files {
        let folder = file.parent().unwrap_or(Path::new("."));
        let beside = yaml_files(folder).unwrap_or_default();
        all.extend(beside.into_iter().filter(|path| is_around(path)));
    }
    all.into_iter().collect()
}

/// The desk or an article: what all plans of a folder share.
fn is_around(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "desk.yaml") || path.parent().is_some_and(|parent| parent.ends_with("knowledge"))
}

fn loaded_for_mocks(dir: &Path) -> anyhow::Result<Loaded> {
    loaded_for_mocks_of(&yaml_files(dir)?)
}

/// These files, with a mock for each environment variable that has no value.
fn loaded_for_mocks_of(paths: &[PathBuf]) -> anyhow::Result<Loaded> {
    let (sources, problems) = read(paths)?;
    let folder = paths.iter().find_map(|path| path.parent().filter(|folder| !folder.ends_with("knowledge")));
    let model = house::sentence_model(folder.unwrap_or(Path::new(".")))?;
    let mut loaded = load_with(&sources, &sim::mock_environment(&sources, &environment()), &model);
    loaded.problems.extend(problems);
    Ok(loaded)
}

fn plan_named(loaded: &Loaded, id: &str) -> anyhow::Result<Arc<Plan>> {
    if let Some(plan) = loaded.plans.get(id) {
        return Ok(Arc::clone(plan));
    }
    for problem in loaded.problems.iter().filter(|problem| has_error(std::slice::from_ref(problem))) {
        eprintln!("{problem}");
    }
    let known: Vec<&str> = loaded.plans.keys().map(String::as_str).collect();
    bail!("there is no good plan '{id}'; there are {}", known.join(", "))
}

fn has_plans(folder: &Path) -> bool {
    yaml_files(folder).is_ok_and(|files| files.iter().any(|file| !is_test(file)))
}

//! `hotline dialplan replay`: recorded sessions through a draft. Which ones would lead elsewhere?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::history::Log;
use super::{is_around, loaded_for_mocks, loaded_for_mocks_of, read, with_surroundings, yaml_files};
use crate::commands::asking::Server;
use crate::commands::late_bar::LateBar;
use crate::commands::on_runtime;
use crate::commands::since::Since;
use crate::control::dialplan::diff::renamed_nodes;
use crate::control::dialplan::problem::has_error;
use crate::control::dialplan::recorded::replay::{Replayed, replay};
use crate::control::dialplan::sim::mock_environment;
use crate::control::dialplan::{Loaded, Plan, Source, load, syntax};
use crate::control::time::Time;

const BAR: &str = "{bar:40} {pos}/{len} sessions, {eta}";

/// Which sessions through which draft.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The draft: a plan file with the id of the plan whose sessions are replayed. desk.yaml and knowledge/ beside it count, else those of --dir
    #[arg(long, value_name = "FILE")]
    draft: PathBuf,
    /// Sessions that began so long ago at most: 24h, 7d, 2026-11-20, or a point in time
    #[arg(long, default_value = "7d")]
    since: Since,
    /// So many sessions at most, the latest
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// Exit status 1 when a session leads elsewhere
    #[arg(long)]
    strict: bool,
    /// One JSON object a session, the summary last
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// A session and what came of it.
#[derive(serde::Serialize)]
struct Line<'l> {
    session: &'l str,
    url: String,
    #[serde(flatten)]
    replayed: &'l Replayed,
    notes: &'l [String],
}

/// The end of the report.
#[derive(serde::Serialize, Default)]
struct Summary {
    same: usize,
    changed: usize,
    not_replayed: usize,
    reasons: BTreeMap<String, usize>,
    not_in_the_log: BTreeSet<String>,
}

/// Runs the command.
///
/// # Errors
/// When the draft is broken, or the log cannot be read.
pub fn run(dir: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let published = loaded_for_mocks(dir).unwrap_or_default();
    let draft = draft(dir, &args.draft)?;
    let renamed = renamed(&published, &draft.id, &args.draft)?;
    let mut versions = Versions::new(dir, published.plans.get(&draft.id).cloned(), &draft.id)?;
    let summary = on_runtime(all(args, &mut versions, &draft, &renamed))?;
    if args.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        print(&summary);
    }
    Ok(if args.strict && summary.changed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The plan in the draft's file.
fn draft(dir: &Path, file: &Path) -> anyhow::Result<Arc<Plan>> {
    let mut files = with_surroundings(&[file.to_path_buf()]);
    if files.len() == 1 {
        files.extend(yaml_files(dir).unwrap_or_default().into_iter().filter(|path| is_around(path)));
    }
    let loaded = loaded_for_mocks_of(&files)?;
    let name = file.display().to_string();
    if has_error(&loaded.problems) {
        loaded.problems.iter().for_each(|problem| eprintln!("{problem}"));
    }
    let id = loaded.files.iter().find(|(_, known)| **known == name).map(|(id, _)| id.clone());
    match id.and_then(|id| loaded.plans.get(&id).cloned()) {
        Some(plan) => Ok(plan),
        None => bail!("{name} is no good plan: mend what lint says"),
    }
}

/// Nodes of the published plan that have another name in the draft.
fn renamed(published: &Loaded, id: &str, draft: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(file) = published.files.get(id) else { return Ok(BTreeMap::new()) };
    let yaml = |path: &Path| -> anyhow::Result<Option<syntax::Yaml>> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(syntax::parse(&path.display().to_string(), &text).ok())
    };
    Ok(match (yaml(Path::new(file))?, yaml(draft)?) {
        (Some(old), Some(new)) => renamed_nodes(&old, &new),
        _ => BTreeMap::new(),
    })
}

/// The versions that recorded sessions ran on, each read once.
struct Versions {
    /// The one in the plans' folder.
    published: Option<Arc<Plan>>,
    plan: String,
    /// The desk and the articles of today: old ones are not kept.
    around: Vec<Source>,
    read: BTreeMap<String, Option<Arc<Plan>>>,
}

impl Versions {
    fn new(dir: &Path, published: Option<Arc<Plan>>, plan: &str) -> anyhow::Result<Versions> {
        let shared = yaml_files(dir).unwrap_or_default().into_iter().filter(|path| is_around(path)).collect::<Vec<_>>();
        Ok(Versions { published, plan: plan.to_owned(), around: read(&shared)?.0, read: BTreeMap::new() })
    }

    /// A version, when its text is at hand.
    async fn of(&mut self, version: &str, log: &Log) -> anyhow::Result<Option<Arc<Plan>>> {
        if let Some(plan) = self.published.as_ref().filter(|plan| *plan.version == *version) {
            return Ok(Some(Arc::clone(plan)));
        }
        if let Some(known) = self.read.get(version) {
            return Ok(known.clone());
        }
        let text = log.version(&self.plan, version).await?;
        let plan = text.and_then(|text| self.load(version, text));
        self.read.insert(version.to_owned(), plan.clone());
        Ok(plan)
    }

    fn load(&self, version: &str, text: String) -> Option<Arc<Plan>> {
        let mut sources = self.around.clone();
        sources.push(Source { name: format!("{}@{version}", self.plan), text });
        let loaded = load(&sources, &mock_environment(&sources, &super::environment()));
        loaded.plans.get(&self.plan).cloned()
    }
}

async fn all(args: &Args, versions: &mut Versions, draft: &Arc<Plan>, renamed: &BTreeMap<String, String>) -> anyhow::Result<Summary> {
    let log = Log::open(&args.server).await?;
    let since = Time::from(args.since.before(jiff::Timestamp::now()));
    let sessions = log.sessions(&draft.id, since, args.limit).await?;
    let mut summary = Summary::default();
    let mut bar = LateBar::new(BAR)?;
    for (at, id) in sessions.iter().enumerate() {
        bar.tell(at as u64, Some(sessions.len() as u64));
        let names = versions.published.as_ref().unwrap_or(draft);
        let recorded = log.session(id, &|_| Some(names.as_ref())).await?;
        let version = recorded.plan.as_ref().map(|(_, version)| version.clone()).unwrap_or_default();
        let own = versions.of(&version, &log).await?;
        let replayed = replay(&recorded, own.as_ref(), draft, renamed);
        count(&mut summary, &replayed);
        summary.not_in_the_log.extend(recorded.gaps.iter().cloned());
        if own.is_none() {
            summary
                .not_in_the_log
                .insert("some sessions ran on a version that is not at hand: their replay is not proven by it".to_owned());
        }
        tell(&Line { session: id, url: log.link(id), replayed: &replayed, notes: &recorded.gaps }, args)?;
    }
    bar.finish();
    Ok(summary)
}

fn count(summary: &mut Summary, replayed: &Replayed) {
    match replayed {
        Replayed::Same => summary.same += 1,
        Replayed::Changed { .. } => summary.changed += 1,
        Replayed::NotReplayed { why } => {
            summary.not_replayed += 1;
            *summary.reasons.entry(why.clone()).or_default() += 1;
        }
    }
}

fn tell(line: &Line<'_>, args: &Args) -> anyhow::Result<()> {
    if args.json {
        println!("{}", serde_json::to_string(line)?);
        return Ok(());
    }
    match line.replayed {
        Replayed::Same => {}
        Replayed::NotReplayed { why } => println!("not replayed  {}: {why}", line.url),
        Replayed::Changed { before, after, at } => {
            println!("CHANGED       {}: {before} → {after}", line.url);
            let said = if at.input.is_empty() { "before the caller says anything".to_owned() } else { format!("at \"{}\"", at.input) };
            let nodes = |nodes: &[String]| if nodes.is_empty() { "(stays)".to_owned() } else { nodes.join(" → ") };
            println!("              {said}: {} | {}", nodes(&at.before), nodes(&at.after));
        }
    }
    Ok(())
}

fn print(summary: &Summary) {
    println!("{} lead to the same, {} elsewhere, {} cannot be replayed", summary.same, summary.changed, summary.not_replayed);
    summary.reasons.iter().for_each(|(why, count)| println!("  {count} × {why}"));
    if !summary.not_in_the_log.is_empty() {
        println!("what the log does not say for sure:");
        summary.not_in_the_log.iter().for_each(|gap| println!("  {gap}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::Db;

    const OLD: &str = "dialplan: 1\nid: shop\nlanguages: [en-US]\nstart: main\nnodes:\n  main: [{hangup: \"We were here before.\"}]\n";

    #[tokio::test]
    async fn a_version_that_was_in_force_once_is_read_from_what_the_center_keeps() {
        let home = tempfile::tempdir().expect("a folder");
        let source = Source { name: "shop.yaml".to_owned(), text: OLD.to_owned() };
        let version = load(&[source], &BTreeMap::new()).plans["shop"].version.clone();
        let kept = home.path().join("plans/shop");
        std::fs::create_dir_all(&kept).expect("a folder");
        std::fs::write(kept.join(format!("{version}.yaml")), OLD).expect("a version");
        let db = Db::open(&format!("sqlite:{}", home.path().join("t.db").display())).await.expect("a database");
        let log = Log::Tables(db, home.path().to_owned());
        let mut versions = Versions::new(home.path(), None, "shop").expect("no files");
        let found = versions.of(&version, &log).await.expect("it is asked for").expect("it is kept");
        assert_eq!((found.id.as_str(), &found.version), ("shop", &version));
        assert!(versions.of("0123456789", &log).await.expect("it is asked for").is_none());
    }

    #[test]
    fn without_a_word_the_last_week_counts() {
        let args: Args = crate::commands::parsed("--draft new.yaml").expect("arguments");
        assert_eq!((args.since, args.limit, args.strict), ("7d".parse().expect("a span"), 1_000, false));
    }
}

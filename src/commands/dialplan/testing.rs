//! `hotline dialplan test`: the cases of `*.test.yaml`, sound included where a recognizer is there, and their coverage.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};

use super::{is_test, loaded_for_mocks, plan_named, read, yaml_files};
use crate::control::dialplan::Loaded;
use crate::control::dialplan::test_file::{self, Clip, Outcome, TestFile, Verdict};
use crate::control::words::Lang;
use crate::speech::engines::{Engines, Purpose};
use crate::speech::{self, transcribe};

/// The same seed for each case: a test says the same today and tomorrow.
const SEED: u64 = 1;

/// What to run.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Single test files instead of the folder's; coverage counts the other files of the same plan too
    pub files: Vec<PathBuf>,
    /// Writes JUnit XML there
    #[arg(long)]
    junit: Option<PathBuf>,
    /// The folder of recognizer models, for cases with sound
    #[arg(long, env = "HOTLINE_MODELS", default_value = "models")]
    models: PathBuf,
}

/// Listens to clips; the engines are loaded for the first one.
struct Ear {
    models: PathBuf,
    engines: Option<Arc<Engines>>,
}

impl Ear {
    fn hear(&mut self, clip: PathBuf, lang: &Lang) -> Result<Clip, String> {
        if !clip.is_file() {
            return Err(format!("there is no clip {}", clip.display()));
        }
        let engines = self.engines()?;
        if engines.serving(lang, Purpose::AfterCall).is_empty() {
            return Err(format!("no recognizer for {lang} in {}: `hotline models list` shows what can be had", self.models.display()));
        }
        let heard = transcribe::recording(&engines, &clip, lang, &mut |_, _| {}).map_err(|why| why.to_string())?;
        let texts: Vec<&str> = heard.iter().map(|piece| piece.text.as_str()).filter(|text| !text.is_empty()).collect();
        let pinyin: Vec<&str> = heard.iter().filter_map(|piece| piece.pinyin.as_deref()).collect();
        let joint = if lang.primary() == "zh" { "" } else { " " };
        Ok(Clip {
            text: texts.join(joint),
            pinyin: (!pinyin.is_empty()).then(|| pinyin.join(" ")),
            confidence: heard.iter().map(|piece| piece.confidence).fold(1.0, f32::min),
        })
    }

    fn engines(&mut self) -> Result<Arc<Engines>, String> {
        if self.engines.is_none() {
            let config = speech::Config { models: self.models.clone(), ..speech::Config::default() };
            self.engines = Some(Arc::new(Engines::load(config).map_err(|why| why.to_string())?));
        }
        self.engines.clone().ok_or_else(|| "no engines".to_owned())
    }
}

/// A case's name and result.
struct Ran {
    file: String,
    name: String,
    line: usize,
    outcome: Outcome,
}

/// Runs the tests of a folder, or those named.
///
/// # Errors
/// When a file cannot be read or written, or is no test file.
pub fn run(folder: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = loaded_for_mocks(folder)?;
    let tests = test_files(folder, &args.files)?;
    let mut ear = Ear { models: args.models.clone(), engines: None };
    let began = Instant::now();
    let mut ran = Vec::new();
    for tests in &tests {
        let plan = plan_named(&loaded, &tests.plan).with_context(|| tests.name.clone())?;
        let beside = Path::new(&tests.name).parent().unwrap_or(Path::new("."));
        for case in &tests.cases {
            let outcome = test_file::run(case, &plan, SEED, &mut |clip, lang| ear.hear(beside.join(clip), lang));
            ran.push(Ran { file: tests.name.clone(), name: case.name.clone(), line: case.line, outcome });
        }
    }
    let took = began.elapsed();
    let mut good = report(&ran);
    good &= covered(&loaded, &tests, &ran)?;
    let rate = ran.len() as f64 / took.as_secs_f64().max(1e-9);
    println!("{} case(s) in {:.1} ms, {rate:.0} a second", ran.len(), took.as_secs_f64() * 1_000.0);
    if let Some(path) = &args.junit {
        fs::write(path, junit(&ran)).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The named test files; with them the others of the same plans, because coverage is a plan's, not a file's.
fn test_files(folder: &Path, named: &[PathBuf]) -> anyhow::Result<Vec<TestFile>> {
    let beside = yaml_files(folder)?.into_iter().filter(|path| is_test(path));
    let mut paths: Vec<PathBuf> = named.to_vec();
    paths.extend(beside.filter(|path| !named.iter().any(|known| same_file(known, path))));
    let (sources, problems) = read(&paths)?;
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    let mut tests = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        match test_file::read(source) {
            Ok(file) if named.is_empty() || at < named.len() || tests.iter().any(|known: &TestFile| known.plan == file.plan) => {
                tests.push(file)
            }
            Ok(_) => {}
            Err(problems) => {
                problems.iter().for_each(|problem| eprintln!("{problem}"));
                bail!("{} is no test file", source.name);
            }
        }
    }
    if tests.is_empty() || !problems.is_empty() {
        bail!("there are no good *.test.yaml in {}", folder.display());
    }
    Ok(tests)
}

fn same_file(left: &Path, right: &Path) -> bool {
    fs::canonicalize(left).ok().zip(fs::canonicalize(right).ok()).is_some_and(|(left, right)| left == right)
}

fn report(ran: &[Ran]) -> bool {
    let mut failed = 0;
    for one in ran {
        match &one.outcome.verdict {
            Verdict::Passed => println!("ok       {}:{} {}", one.file, one.line, one.name),
            Verdict::Skipped(why) => println!("SKIPPED  {}:{} {}: {why}", one.file, one.line, one.name),
            Verdict::Failed(why) => {
                failed += 1;
                println!("FAILED   {}:{} {}", one.file, one.line, one.name);
                why.iter().for_each(|why| println!("         {why}"));
                for (at, turn) in one.outcome.turns.iter().enumerate() {
                    println!("         {at} {:?} → {} | {}", turn.input, turn.nodes.join(" → "), turn.said.join(" "));
                }
            }
        }
    }
    let skipped = ran.iter().filter(|one| matches!(one.outcome.verdict, Verdict::Skipped(_))).count();
    println!("{} passed, {failed} failed, {skipped} skipped", ran.len() - failed - skipped);
    failed == 0
}

/// The coverage gates: all cases of a plan count together.
fn covered(loaded: &Loaded, tests: &[TestFile], ran: &[Ran]) -> anyhow::Result<bool> {
    let mut good = true;
    let plans: BTreeSet<&str> = tests.iter().map(|tests| tests.plan.as_str()).collect();
    for id in plans {
        let plan = plan_named(loaded, id)?;
        let files: Vec<&TestFile> = tests.iter().filter(|tests| tests.plan == id).collect();
        let of_plan = ran.iter().filter(|one| files.iter().any(|file| file.name == one.file));
        let entered: BTreeSet<String> = of_plan.flat_map(|one| one.outcome.entered.iter().cloned()).collect();
        let (reached, missing) = test_file::coverage(&plan, &entered);
        let wanted = files.iter().fold((0.0f32, 0.0f32), |most, file| (most.0.max(file.coverage.nodes), most.1.max(file.coverage.options)));
        let enough = reached.nodes >= wanted.0 && reached.options >= wanted.1;
        good &= enough;
        let word = if enough { "covered " } else { "FAILED  " };
        println!(
            "{word} {id}: nodes {:.0} % (≥ {:.0}), options {:.0} % (≥ {:.0})",
            reached.nodes * 100.0,
            wanted.0 * 100.0,
            reached.options * 100.0,
            wanted.1 * 100.0
        );
        if !enough {
            println!("         never entered: {}", missing.join(", "));
        }
    }
    Ok(good)
}

fn junit(ran: &[Ran]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let failed = ran.iter().filter(|one| matches!(one.outcome.verdict, Verdict::Failed(_))).count();
    let skipped = ran.iter().filter(|one| matches!(one.outcome.verdict, Verdict::Skipped(_))).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"dialplans\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
        ran.len()
    );
    for one in ran {
        xml += &format!("  <testcase classname=\"{}\" name=\"{}\">", escape(&one.file), escape(&one.name));
        match &one.outcome.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => xml += &format!("<skipped message=\"{}\"/>", escape(why)),
            Verdict::Failed(why) => xml += &format!("<failure message=\"{}\"/>", escape(&why.join("; "))),
        }
        xml += "</testcase>\n";
    }
    xml + "</testsuite>\n"
}

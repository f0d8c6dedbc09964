//! `hotline dialplan test`: the cases of `*.test.yaml`, sound included where a recognizer is there, and their coverage.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use super::ear::Ear;
use super::{is_test, loaded_for_mocks, plan_named, read, yaml_files};
use crate::control::dialplan::Loaded;
use crate::control::dialplan::test_file::{self, Coverage, Outcome, Reached, TestFile, Verdict};

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

/// A case's name and result.
struct Ran {
    file: String,
    name: String,
    line: usize,
    outcome: Outcome,
}

/// A plan's coverage beside what its test files ask for.
struct Gate {
    plan: String,
    reached: Coverage,
    wanted: Coverage,
    /// Nodes and languages that no case came to.
    missing: Vec<String>,
}

/// Runs the tests of a folder, or those named.
///
/// # Errors
/// When a file cannot be read or written, or is no test file.
pub fn run(folder: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = loaded_for_mocks(folder)?;
    let tests = test_files(folder, &args.files)?;
    let mut ear = Ear::new(args.models.clone());
    let began = Instant::now();
    let mut ran = Vec::new();
    for tests in &tests {
        let plan = plan_named(&loaded, &tests.plan).with_context(|| tests.name.clone())?;
        let beside = Path::new(&tests.name).parent().unwrap_or(Path::new("."));
        for case in &tests.cases {
            let outcome = test_file::run(case, &plan, SEED, &mut |clip, lang| ear.hear(&beside.join(clip), lang));
            ran.push(Ran { file: tests.name.clone(), name: case.name.clone(), line: case.line, outcome });
        }
    }
    let took = began.elapsed();
    let mut good = report(&ran);
    let gates = gates(&loaded, &tests, &ran)?;
    good &= gates.iter().map(Gate::show).fold(true, |all, one| all & one);
    let rate = ran.len() as f64 / took.as_secs_f64().max(1e-9);
    println!("{} case(s) in {:.1} ms, {rate:.0} a second", ran.len(), took.as_secs_f64() * 1_000.0);
    if let Some(path) = &args.junit {
        fs::write(path, junit(&ran, &gates)).with_context(|| format!("{} cannot be written", path.display()))?;
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
fn gates(loaded: &Loaded, tests: &[TestFile], ran: &[Ran]) -> anyhow::Result<Vec<Gate>> {
    let plans: BTreeSet<&str> = tests.iter().map(|tests| tests.plan.as_str()).collect();
    let gate = |id: &str| {
        let files: Vec<&TestFile> = tests.iter().filter(|tests| tests.plan == id).collect();
        let mut reached = Reached::default();
        for one in ran.iter().filter(|one| files.iter().any(|file| file.name == one.file)) {
            reached.join(one.outcome.reached.clone());
        }
        let wanted = files.iter().fold(Coverage::default(), |most, file| most.max(file.coverage));
        let (reached, missing) = test_file::coverage(&*plan_named(loaded, id)?, &reached);
        Ok(Gate { plan: id.to_owned(), reached, wanted, missing })
    };
    plans.into_iter().map(gate).collect()
}

impl Gate {
    fn is_open(&self) -> bool {
        self.reached.reaches(self.wanted)
    }

    /// Nodes 90 % (≥ 80), …
    fn shares(&self) -> String {
        let (reached, wanted) = (self.reached, self.wanted);
        let pairs = [
            ("nodes", reached.nodes, wanted.nodes),
            ("options", reached.options, wanted.options),
            ("languages", reached.languages, wanted.languages),
        ];
        let shares = pairs.map(|(what, reached, wanted)| format!("{what} {:.0} % (≥ {:.0})", reached * 100.0, wanted * 100.0));
        shares.join(", ")
    }

    /// Prints it; `true` when enough is covered.
    fn show(&self) -> bool {
        println!("{} {}: {}", if self.is_open() { "covered " } else { "FAILED  " }, self.plan, self.shares());
        if !self.is_open() {
            println!("         never reached: {}", self.missing.join(", "));
        }
        self.is_open()
    }
}

/// JUnit's XML, which build servers read; each plan's coverage is a case of its own.
fn junit(ran: &[Ran], gates: &[Gate]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let case = |class: &str, name: &str, inside: &str| {
        format!("  <testcase classname=\"{}\" name=\"{}\">{inside}</testcase>\n", escape(class), escape(name))
    };
    let verdict = |verdict: &Verdict| match verdict {
        Verdict::Passed => String::new(),
        Verdict::Skipped(why) => format!("<skipped message=\"{}\"/>", escape(why)),
        Verdict::Failed(why) => format!("<failure message=\"{}\"/>", escape(&why.join("; "))),
    };
    let of_gate = |gate: &Gate| match gate.is_open() {
        true => String::new(),
        false => format!("<failure message=\"{}; never reached: {}\"/>", escape(&gate.shares()), escape(&gate.missing.join(", "))),
    };
    let cases = ran.iter().map(|one| case(&one.file, &one.name, &verdict(&one.outcome.verdict)));
    let cases: String = cases.chain(gates.iter().map(|gate| case(&gate.plan, "coverage", &of_gate(gate)))).collect();
    let failed = ran.iter().filter(|one| matches!(one.outcome.verdict, Verdict::Failed(_))).count();
    let failed = failed + gates.iter().filter(|gate| !gate.is_open()).count();
    let skipped = ran.iter().filter(|one| matches!(one.outcome.verdict, Verdict::Skipped(_))).count();
    let count = ran.len() + gates.len();
    let suite = format!("<testsuite name=\"dialplans\" tests=\"{count}\" failures=\"{failed}\" skipped=\"{skipped}\">");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{suite}\n{cases}</testsuite>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "dialplan: 1\nid: shop\nlanguages: [en-US, zh-CN]\nnumbers: [\"700\"]\nstart: main\nalways:\n  \
                        english: {key: 9, do: {lang: en-US, goto: main}, zh-CN: [英文服务]}\n  chinese: {key: 8, do: {lang: zh-CN, goto: main}, en-US: [Chinese please]}\n\
                        nodes:\n  main:\n    - menu:\n        prompt: {en-US: \"Welcome.\", zh-CN: \"您好。\"}\n        options:\n          \
                        - {key: 1, goto: order, label: {en-US: \"order\", zh-CN: \"订单\"}, examples: {en-US: [where is my order, track my parcel, has it shipped], zh-CN: [我的订单, 查快递, 到哪了]}}\n  \
                        order: [{hangup: {en-US: \"It is on its way.\", zh-CN: \"在路上。\"}}]\n  human: [{queue: {to: desk, overflow: [{after: 60s, goto: end}]}}]\n";
    const QUEUES: &str = "queues:\n  desk: {ring: 20s}\n";

    /// What `test` says of these cases, and the XML it writes.
    fn tested(cases: &str, coverage: &str) -> (ExitCode, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("shop.yaml"), PLAN).expect("the plan");
        fs::write(path("desk.yaml"), QUEUES).expect("the desk");
        fs::write(path("shop.test.yaml"), format!("tests: shop\ncases:\n{cases}coverage: {coverage}\n")).expect("the cases");
        let args = Args { files: Vec::new(), junit: Some(path("out.xml")), models: path("models") };
        let exit = run(folder.path(), &args).expect("it runs");
        (exit, fs::read_to_string(path("out.xml")).expect("the XML"))
    }

    const ENGLISH: &str = "  - {name: by words, say: [where is my order], expect: [{node: order}]}\n";
    const PERSON: &str = "  - {name: a person, say: [agent], expect: [{queue: desk}]}\n";
    const CHINESE: &str = "  - {name: \"<Chinese> & back\", lang: zh-CN, say: [我的订单], expect: [{node: order}]}\n";

    #[test]
    fn each_gate_of_coverage_fails_a_run_whose_cases_pass_and_build_servers_read_it() {
        let all = format!("{ENGLISH}{PERSON}{CHINESE}");
        let whole = "{nodes: 100%, options: 100%, languages: 100%}";
        let (exit, xml) = tested(&all, whole);
        assert_eq!(format!("{exit:?}"), format!("{:?}", ExitCode::SUCCESS), "{xml}");
        let read = roxmltree::Document::parse(&xml).expect("XML");
        let count = |name: &str| read.root_element().attribute(name).and_then(|count| count.parse::<usize>().ok());
        assert_eq!((count("tests"), count("failures"), count("skipped")), (Some(4), Some(0), Some(0)), "{xml}");
        let names: Vec<_> = read.descendants().filter_map(|one| one.attribute("name")).collect();
        assert_eq!(names, ["dialplans", "by words", "a person", "<Chinese> & back", "coverage"]);

        for (cases, missing) in [(format!("{ENGLISH}{PERSON}"), "zh-CN"), (format!("{ENGLISH}{CHINESE}"), "human")] {
            let (exit, xml) = tested(&cases, whole);
            assert_eq!(format!("{exit:?}"), format!("{:?}", ExitCode::FAILURE), "{xml}");
            assert!(xml.contains("failures=\"1\"") && xml.contains(&format!("never reached: {missing}\"")), "{xml}");
        }
        let wrong = "  - {name: wrong, say: [where is my order], expect: [{queue: desk}]}\n";
        let (exit, xml) = tested(wrong, "{nodes: 0%}");
        assert_eq!(format!("{exit:?}"), format!("{:?}", ExitCode::FAILURE), "{xml}");
        assert!(xml.contains("<failure message=\"line 3: "), "{xml}");
        let clip = "  - {name: heard, audio: none.wav, expect: [{node: order}]}\n";
        let (_, xml) = tested(&format!("{all}{clip}"), whole);
        assert!(xml.contains("skipped=\"1\"") && xml.contains("there is no clip"), "{xml}");
    }
}

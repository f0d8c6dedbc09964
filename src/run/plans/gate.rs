//! What stands between a text and being in force: the loader's and linter's errors, and the cases of `*.test.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tempfile::TempDir;

use super::folder;
use crate::config::problem::{Problem, Severity};
use crate::config::{self, Args, Config, Secrets};
use crate::control::dialplan::sim::mock_environment;
use crate::control::dialplan::test_file::{self, Verdict};
use crate::control::dialplan::{Source, load::plan_id, load_with};
use crate::plans::{Changed, Checked, PlanFile};
use crate::sentence;

/// The same seed for each case, as in `hotline dialplan test`.
const SEED: u64 = 1;
/// Findings that are told.
const MOST_FINDINGS: usize = 100;

/// Files as they would be, loaded.
pub struct Proposal {
    folder: TempDir,
    /// The configuration with them.
    pub config: Config,
    /// The files that differ, under the names they will have.
    pub files: Vec<PlanFile>,
    /// What the loader warns of.
    pub findings: Vec<String>,
}

/// The running configuration.
pub struct Present<'a> {
    /// The arguments it was read with.
    pub args: &'a Args,
    /// It.
    pub config: &'a Config,
}

/// Puts files over those of the folder and loads the whole. A plan takes the place of the file that has its id, whatever it is called.
///
/// # Errors
/// Findings with an error among them; a name that is none, or a disk that does not answer, is a finding too.
pub fn propose(present: &Present<'_>, files: &[PlanFile]) -> Result<Proposal, Checked> {
    let refused = |finding: String| Checked { findings: vec![finding], ..Checked::default() };
    let real = &present.config.server.folders.dialplans;
    files.iter().try_for_each(|file| folder::check(file).map_err(|why| refused(format!("{}: error: {why}", file.name))))?;
    let on_disk = |why: std::io::Error| refused(format!("{}: error: {why}", real.display()));
    let mut all: BTreeMap<String, String> = folder::all(real).map_err(on_disk)?.into_iter().map(|file| (file.name, file.text)).collect();
    let mut fresh = Vec::new();
    for file in files {
        let name = place_of(file, present.config).unwrap_or_else(|| file.name.clone());
        if all.get(&name) != Some(&file.text) {
            all.insert(name.clone(), file.text.clone());
            fresh.push(PlanFile { name, text: file.text.clone() });
        }
    }
    let trial = tempfile::tempdir().map_err(on_disk)?;
    let texts: Vec<PlanFile> = all.into_iter().map(|(name, text)| PlanFile { name, text }).collect();
    folder::write(trial.path(), &texts).map_err(on_disk)?;
    let args = Args { dialplans: Some(trial.path().to_owned()), ..present.args.clone() };
    match config::load(&args, Secrets::NONE) {
        Ok(config) => {
            // Warnings of files that nobody touched would hide those of the files that somebody did.
            let touched = |finding: &String| fresh.iter().any(|file: &PlanFile| finding.starts_with(&format!("{}:", file.name)));
            let findings = told(&config.warnings, trial.path()).into_iter().filter(touched).collect();
            Ok(Proposal { folder: trial, config, files: fresh, findings })
        }
        Err(problems) => {
            let errors: Vec<Problem> = problems.into_iter().filter(|one| one.severity == Severity::Error).collect();
            Err(Checked { findings: told(&errors, trial.path()), ..Checked::default() })
        }
    }
}

/// The name of the file that holds the plan of this id now.
fn place_of(file: &PlanFile, config: &Config) -> Option<String> {
    if file.name.contains('/') {
        return None;
    }
    let id = plan_id(&Source { name: file.name.clone(), text: file.text.clone() })?;
    let known = config.plan_files.get(&id)?;
    Path::new(known).file_name().map(|name| name.to_string_lossy().into_owned())
}

/// Problems of the plans, errors first, by the names that the files have for the operator.
fn told(problems: &[Problem], folder: &Path) -> Vec<String> {
    let prefix = format!("{}/", folder.display());
    let mut of_plans: Vec<&Problem> =
        problems.iter().filter(|one| one.severity == Severity::Error || one.place.contains(&prefix)).collect();
    of_plans.sort_by_key(|one| one.severity);
    of_plans.iter().take(MOST_FINDINGS).map(|one| one.to_string().replace(&prefix, "")).collect()
}

impl Proposal {
    /// The plans whose version would change.
    #[must_use]
    pub fn changed(&self, config: &Config) -> Vec<Changed> {
        let running = &config.directory.plans;
        let plans = self.config.directory.plans.values();
        let version = |id: &str| running.get(id).map(|plan| plan.version.clone());
        plans
            .map(|plan| Changed { plan: plan.id.clone(), from: version(&plan.id), to: plan.version.clone() })
            .filter(|change| change.from.as_ref() != Some(&change.to))
            .collect()
    }

    /// Runs the cases: of the plans that change, and of all when a file changes that they share.
    #[must_use]
    pub fn test(&self, config: &Config) -> Checked {
        let changed = self.changed(config);
        let ids: BTreeSet<&str> = changed.iter().map(|change| change.plan.as_str()).collect();
        let shared = self.files.iter().any(|file| plan_id(&Source { name: file.name.clone(), text: file.text.clone() }).is_none());
        let mut checked = Checked { findings: self.findings.clone(), ..Checked::default() };
        let Ok(files) = folder::all(self.folder.path()) else { return checked };
        let sources: Vec<Source> = files.into_iter().map(|file| Source { name: file.name, text: file.text }).collect();
        // It was loaded a moment ago, so it is there.
        let model = sentence::of(self.config.server.folders.sentence_model.as_deref()).unwrap_or_default();
        let loaded = load_with(&sources, &mock_environment(&sources, &std::env::vars().collect()), &model);
        for source in sources.iter().filter(|source| test_file::is_name(&source.name)) {
            let tests = match test_file::read(source) {
                Ok(tests) => tests,
                Err(problems) => {
                    checked.failed.extend(problems.iter().map(ToString::to_string));
                    continue;
                }
            };
            let Some(plan) = loaded.plans.get(&tests.plan).filter(|plan| shared || ids.contains(plan.id.as_str())) else { continue };
            for case in &tests.cases {
                match test_file::run(case, plan, SEED, &mut |_, _| Err("sound is not listened to here".to_owned())).verdict {
                    Verdict::Passed => checked.cases += 1,
                    Verdict::Skipped(_) => checked.skipped += 1,
                    Verdict::Failed(why) => {
                        checked.cases += 1;
                        checked.failed.push(format!("{}:{} {}: {}", source.name, case.line, case.name, why.join("; ")));
                    }
                }
            }
        }
        checked.changed = changed;
        checked
    }
}

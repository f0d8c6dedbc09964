//! The plans while the server runs. One task owns the files: it looks whether somebody changed them, publishes what the API brings,
//! gives drafts to some of the calls and takes bad ones back, and keeps notices.
//!
//! The plans' folder is what is in force, always: publishing writes the file there, in one move, and an edit by hand is a publication
//! too. The text of every version that was in force is kept below the data folder by its hash, so that it can be put back.

mod articles;
mod folder;
mod gate;
mod notices;
#[cfg(test)]
mod tests;
mod trials;
pub mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::reload::Installed;
use crate::api::extract::events;
use crate::config::Config;
use crate::config::problem::Severity;
use crate::config::watch::{Look, Watch};
use crate::control::dialplan::load::{plan_id, plan_version};
use crate::control::event::Fact;
use crate::control::words::live::{Announcement, Live};
use crate::plans::{Aim, Changed, Checked, Done, Order, PlanFile, Refusal, Wish};
use crate::store::Store;
use crate::store::journal::Journal;
use folder::Kept;
use gate::{Present, Proposal, propose};
use trials::Running;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Looks at the files between two looks at how drafts do.
const JUDGE_EVERY: u64 = 5;
/// The folder of kept versions below the data folder.
const KEPT_FOLDER: &str = "plans";
/// Who changes a file by hand.
const BY_FILE: &str = "file";

/// What is remembered of before the start: trials and notices.
#[derive(Default)]
pub struct Remembered {
    trials: Vec<Running>,
    announcements: Vec<Announcement>,
}

/// The memory that the task writes into.
#[derive(Clone)]
pub struct Memory {
    /// The tables.
    pub store: Store,
    /// The log.
    pub journal: Journal,
}

/// Everything that the task owns.
pub struct House {
    files: Watch,
    config: Config,
    in_force: Installed,
    kept: Kept,
    memory: Memory,
    remembered: Remembered,
}

/// How a version came into force.
#[derive(Clone, Copy)]
struct Cause<'a> {
    /// `file api rollback`
    how: &'static str,
    by: &'a str,
}

/// The text of a version below a data folder: in force once, or a draft.
pub fn kept_text(data: &Path, plan: &str, version: &str) -> Option<String> {
    Kept(data.join(KEPT_FOLDER)).text(plan, version)
}

/// Reads what holds besides the files, for the start.
///
/// # Errors
/// What the database says.
pub async fn remember(config: &Config, store: &Store) -> Result<Remembered, crate::store::Error> {
    let kept = Kept(config.server.folders.data.join(KEPT_FOLDER));
    let trials = store.running_trials().await?;
    let trials = trials.into_iter().filter_map(|trial| Running::of(trial, &kept)).collect();
    Ok(Remembered { trials, announcements: store.notices(crate::clock::now()).await? })
}

impl Remembered {
    /// What the rules need of it. A draft that cannot be loaded any more is left out; the task ends its trial.
    pub fn live(&mut self, args: &crate::config::Args, config: &Config) -> Live {
        let canaries = self.trials.iter_mut().filter_map(|trial| Some((trial.plan.clone(), trial.load(&Present { args, config }).ok()?)));
        Live { canaries: canaries.collect(), announcements: self.announcements.clone() }
    }
}

/// Looks and listens until the door is closed.
pub async fn run(mut house: House, mut orders: mpsc::Receiver<Order>) {
    house.note_versions(Cause { how: "file", by: BY_FILE }).await;
    house.end_broken().await;
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = 0u64;
    loop {
        tokio::select! {
            _ = clock.tick() => {
                house.look().await;
                looks += 1;
                if looks.is_multiple_of(JUDGE_EVERY) {
                    house.judge().await;
                }
            }
            Some(order) = orders.recv() => {
                let Order { wish, by, answer } = order;
                let result = house.carry_out(wish, &by).await;
                // Who asked may have gone away.
                let _ = answer.send(result);
            }
        }
    }
}

impl House {
    /// The house of a configuration that runs.
    #[must_use]
    pub fn new(files: Watch, config: Config, in_force: Installed, memory: Memory, remembered: Remembered) -> House {
        let kept = Kept(config.server.folders.data.join(KEPT_FOLDER));
        House { files, config, in_force, kept, memory, remembered }
    }

    async fn carry_out(&mut self, wish: Wish, by: &str) -> Result<Done, Refusal> {
        let api = Cause { how: "api", by };
        match wish {
            Wish::Publish { files, expected, aim } => self.publish(&files, expected, aim, api).await,
            Wish::PublishVersion { plan, version, expected, aim } => {
                let file = self.kept_file(&plan, &version)?;
                self.publish(&[file], expected.map(|expected| (plan, expected)), aim, api).await
            }
            Wish::Draft { plan, text } => self.draft(plan, text, by).await,
            Wish::Text { plan, version } => self.kept_file(&plan, &version).map(|file| Done::Text(file.text)),
            Wish::Canary { plan, version, percent } => self.begin_canary(plan, version, percent, by).await,
            Wish::EndCanary { plan } => self.end_canary(&plan, ("stopped", "asked for"), by).await,
            Wish::Rollback { plan, version } => self.roll_back(&plan, version, by).await,
            Wish::PutArticle { kb, topic, article } => self.put_article(&kb, &topic, article, by).await,
            Wish::SetNotice(notice) => self.set_notice(notice, by).await,
            Wish::ClearNotice(notice) => self.clear_notice(notice, by).await,
            Wish::Notices => Ok(Done::Notices(self.notices())),
        }
    }

    /// Did somebody change a file?
    async fn look(&mut self) {
        match block_in_place(|| self.files.look()) {
            Look::Same => {}
            Look::Changed(config) => self.take(*config, Cause { how: "file", by: BY_FILE }).await,
            Look::Broken(problems) => {
                problems.iter().for_each(|problem| match problem.severity {
                    Severity::Error => tracing::error!("{problem}"),
                    Severity::Warning => tracing::warn!("{problem}"),
                });
                let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
                tracing::error!(errors, "the changed files have errors: the configuration that works stays in force");
            }
        }
    }

    /// A good configuration comes into force, and the versions in it are noted.
    async fn take(&mut self, config: Config, cause: Cause<'_>) {
        let before = self.in_force.directory();
        let kept =
            |plan: &str| before.plans.get(plan).map(|plan| &plan.version) == config.directory.plans.get(plan).map(|plan| &plan.version);
        let over: Vec<String> = self.remembered.trials.iter().map(|trial| trial.plan.clone()).filter(|plan| !kept(plan)).collect();
        self.config = config;
        for plan in over {
            self.replaced(&plan, cause.by).await;
        }
        let live = self.live();
        std::sync::Arc::make_mut(&mut self.config.directory).live = live;
        self.in_force.replace(&self.config);
        self.note_versions(cause).await;
        self.end_broken().await;
    }

    /// What holds besides the files, with the drafts loaded among the files as they are now.
    fn live(&mut self) -> Live {
        let (args, config) = (self.files.args().clone(), &self.config);
        block_in_place(|| self.remembered.live(&args, config))
    }

    fn present(&self) -> Present<'_> {
        Present { args: self.files.args(), config: &self.config }
    }

    /// Texts and facts of versions that were not in force when the log last told of one.
    async fn note_versions(&self, cause: Cause<'_>) {
        let texts = self.texts();
        let mut facts = Vec::new();
        for plan in self.config.directory.plans.values() {
            if let Some(Err(why)) = texts.get(&plan.id).map(|text| self.kept.keep(&plan.id, &plan.version, text)) {
                tracing::error!(plan = plan.id, %why, "a version of a plan cannot be kept: it cannot be put back later");
            }
            let before = match self.memory.store.publication(&plan.id).await {
                Ok(before) => before.map(|before| before.version),
                Err(error) => return tracing::error!(%error, "the versions of plans are not noted"),
            };
            if before.as_ref() != Some(&plan.version) {
                let (how, by) = (cause.how.to_owned(), cause.by.to_owned());
                facts.push(Fact::PlanPublished { plan: plan.id.clone(), version: plan.version.clone(), before, how, by });
            }
        }
        self.record(facts).await;
    }

    /// The text of each plan in force.
    fn texts(&self) -> BTreeMap<String, String> {
        let mut problems = Vec::new();
        let (sources, _) = crate::config::files::plan_texts(&self.config.server.folders.dialplans, &mut problems);
        let running = &self.config.directory.plans;
        let text = |(plan, file): (&String, &String)| {
            let source = sources.iter().find(|source| source.name == *file)?;
            // Somebody may have written into it since it was read.
            let same = plan_version(source)? == running.get(plan)?.version;
            same.then(|| (plan.clone(), source.text.clone()))
        };
        self.config.plan_files.iter().filter_map(text).collect()
    }

    async fn record(&self, facts: Vec<Fact>) {
        if facts.is_empty() {
            return;
        }
        if let Err(error) = self.memory.store.record(&self.memory.journal, events(facts)).await {
            tracing::error!(%error, "what became of a plan or notice is not in the tables yet");
        }
    }

    async fn publish(
        &mut self,
        files: &[PlanFile],
        expected: Option<(String, String)>,
        aim: Aim,
        cause: Cause<'_>,
    ) -> Result<Done, Refusal> {
        if let Some((plan, wanted)) = expected {
            let running = self.version_of(&plan)?;
            if running != wanted {
                return Err(Refusal::Mismatch(running));
            }
        }
        let (proposal, checked) = self.passing(files)?;
        match aim {
            Aim::Check => {}
            // The files lie there already, perhaps since this second: whoever published them may count on it.
            Aim::Publish if proposal.files.is_empty() => self.look().await,
            Aim::Publish => self.bring_in(&proposal, cause).await?,
        }
        Ok(Done::Published(checked))
    }

    /// Files that load and pass their cases.
    fn passing(&self, files: &[PlanFile]) -> Result<(Proposal, Checked), Refusal> {
        let (proposal, checked) = block_in_place(|| {
            let proposal = propose(&self.present(), files).map_err(Refusal::Failed)?;
            let checked = proposal.test(&self.config);
            Ok::<_, Refusal>((proposal, checked))
        })?;
        if checked.failed.is_empty() { Ok((proposal, checked)) } else { Err(Refusal::Failed(checked)) }
    }

    /// Writes the files of a checked proposal and reads the folder at once. A folder that is broken all the same (somebody wrote into
    /// it meanwhile) gets its old files back.
    async fn bring_in(&mut self, proposal: &Proposal, cause: Cause<'_>) -> Result<(), Refusal> {
        let folder = self.config.server.folders.dialplans.clone();
        let broken = |why: std::io::Error| Refusal::Broken(format!("{} cannot be written: {why}", folder.display()));
        let looked = block_in_place(|| {
            let before = folder::all(&folder).map_err(broken)?;
            write_over(&folder, &before, &proposal.files).map_err(broken)?;
            let looked = self.files.look_now();
            if matches!(looked, Look::Broken(_)) {
                folder::write(&folder, &before).map_err(broken)?;
            }
            Ok::<_, Refusal>(looked)
        })?;
        match looked {
            Look::Changed(config) => {
                self.take(*config, cause).await;
                Ok(())
            }
            Look::Broken(problems) => {
                let findings = problems.iter().map(ToString::to_string).collect();
                Err(Refusal::Failed(Checked { findings, ..Checked::default() }))
            }
            Look::Same => Ok(()),
        }
    }

    async fn roll_back(&mut self, plan: &str, version: Option<String>, by: &str) -> Result<Done, Refusal> {
        let running = self.version_of(plan)?;
        if version.is_none() && self.remembered.trials.iter().any(|trial| trial.plan == plan) {
            return self.end_canary(plan, ("rolled_back", "asked for"), by).await;
        }
        let store = |error: crate::store::Error| Refusal::Broken(error.to_string());
        let before = self.memory.store.publication(plan).await.map_err(store)?.and_then(|last| last.replaced);
        let target =
            version.or(before).ok_or_else(|| Refusal::Conflict(format!("no version of '{plan}' was in force before {running}")))?;
        let file = self.kept_file(plan, &target)?;
        // What was good once need not pass cases that were written for its successor; it must load.
        let proposal = block_in_place(|| propose(&self.present(), &[file])).map_err(Refusal::Failed)?;
        if !proposal.files.is_empty() {
            self.bring_in(&proposal, Cause { how: "rollback", by }).await?;
        }
        let changed = vec![Changed { plan: plan.to_owned(), from: Some(running), to: target }];
        Ok(Done::Published(Checked { changed, findings: proposal.findings, ..Checked::default() }))
    }

    fn version_of(&self, plan: &str) -> Result<String, Refusal> {
        let running = self.config.directory.plans.get(plan).map(|plan| plan.version.clone());
        running.ok_or_else(|| Refusal::Unknown { what: "plan", id: plan.to_owned() })
    }

    fn kept_file(&self, plan: &str, version: &str) -> Result<PlanFile, Refusal> {
        let text = self.kept.text(plan, version).ok_or_else(|| Refusal::Unknown { what: "version", id: format!("{plan} {version}") })?;
        Ok(PlanFile { name: format!("{plan}.yaml"), text })
    }

    async fn draft(&mut self, plan: Option<String>, text: String, by: &str) -> Result<Done, Refusal> {
        let file = PlanFile { name: "draft.yaml".to_owned(), text };
        let source = crate::control::dialplan::Source { name: file.name.clone(), text: file.text.clone() };
        let id = plan_id(&source);
        if let (Some(wanted), Some(id)) = (&plan, &id)
            && wanted != id
        {
            return Err(Refusal::Invalid(format!("the text is a plan of the id '{id}', not '{wanted}'")));
        }
        let proposal = block_in_place(|| propose(&self.present(), std::slice::from_ref(&file))).map_err(Refusal::Failed)?;
        let drafted = id.and_then(|id| proposal.config.directory.plans.get(&id).cloned());
        let drafted = drafted.ok_or_else(|| Refusal::Invalid("the text is no plan: it has no id".to_owned()))?;
        let (plan, version) = (drafted.id.clone(), drafted.version.clone());
        self.kept.keep(&plan, &version, &file.text).map_err(|why| Refusal::Broken(why.to_string()))?;
        self.record(vec![Fact::PlanDrafted { plan: plan.clone(), version: version.clone(), by: by.to_owned() }]).await;
        Ok(Done::Drafted(plan, version, proposal.findings))
    }
}

/// Files into the folder; the first ones ever take the whole built-in center with them.
fn write_over(folder: &Path, before: &[PlanFile], files: &[PlanFile]) -> std::io::Result<()> {
    if folder.is_dir() {
        return folder::write(folder, files);
    }
    let mut all: BTreeMap<&str, &PlanFile> = before.iter().map(|file| (file.name.as_str(), file)).collect();
    all.extend(files.iter().map(|file| (file.name.as_str(), file)));
    folder::make(folder, &all.into_values().cloned().collect::<Vec<_>>())
}

/// The numbers of a trial that ended without being judged.
fn no_counts() -> Value {
    Value::Null
}

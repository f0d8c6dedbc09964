//! Versions on trial: how they begin, how they are judged, and how they end.

use serde_json::Value;

use super::folder::Kept;
use super::gate::{Present, propose};
use super::{House, no_counts, verdict};
use crate::control::event::Fact;
use crate::control::words::live::Canary;
use crate::plans::{Done, PlanFile, Refusal};
use crate::store::plans::Trial;

/// Percent of new sessions that a draft may get.
const PERCENT: std::ops::RangeInclusive<u8> = 1..=99;

/// A trial that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// The plan.
    pub plan: String,
    version: String,
    against: String,
    percent: u8,
    /// Microseconds.
    since: i64,
    text: String,
    /// Why it cannot be loaded among the files as they are.
    broken: Option<String>,
}

impl Running {
    /// One of the log, with its kept text.
    pub fn of(trial: Trial, kept: &Kept) -> Option<Running> {
        let text = kept.text(&trial.plan, &trial.version);
        let broken = if text.is_some() { None } else { Some("its text is not kept any more".to_owned()) };
        let percent = u8::try_from(trial.percent).ok()?;
        let Trial { plan, version, against, since_us, .. } = trial;
        Some(Running { plan, version, against, percent, since: since_us, text: text.unwrap_or_default(), broken })
    }

    /// Loads the version among the files as they are now.
    pub fn load(&mut self, present: &Present<'_>) -> Result<Canary, String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let file = PlanFile { name: format!("{}.yaml", self.plan), text: self.text.clone() };
        let loaded = propose(present, &[file]).map_err(|checked| checked.findings.join(" | ")).and_then(|proposal| {
            let plan = proposal.config.directory.plans.get(&self.plan).cloned();
            plan.ok_or_else(|| format!("it is no plan '{}'", self.plan))
        });
        self.broken = loaded.as_ref().err().cloned();
        loaded.map(|plan| Canary { plan, percent: self.percent })
    }
}

impl House {
    /// Some of the new sessions take a version from now on.
    pub(super) async fn begin_canary(&mut self, plan: String, version: Option<String>, percent: u8, by: &str) -> Result<Done, Refusal> {
        if !PERCENT.contains(&percent) {
            return Err(Refusal::Invalid(format!("percent is {percent}: 1 to 99")));
        }
        let against = self.version_of(&plan)?;
        let version = match version {
            Some(version) => version,
            None => self.youngest_draft(&plan).await?,
        };
        if version == against {
            return Err(Refusal::Conflict(format!("version {version} is in force already")));
        }
        let file = self.kept_file(&plan, &version)?;
        self.passing(std::slice::from_ref(&file))?;
        self.replaced(&plan, by).await;
        let since = i64::try_from(crate::clock::now().0).unwrap_or(i64::MAX);
        let trial = Running {
            plan: plan.clone(),
            version: version.clone(),
            against: against.clone(),
            percent,
            since,
            text: file.text,
            broken: None,
        };
        self.remembered.trials.push(trial);
        let fact = Fact::CanaryStarted { plan: plan.clone(), version: version.clone(), against, percent, by: by.to_owned() };
        self.record(vec![fact]).await;
        self.show();
        tracing::info!(plan, version, percent, "a version is on trial");
        Ok(Done::OnTrial(plan, version))
    }

    async fn youngest_draft(&self, plan: &str) -> Result<String, Refusal> {
        let known = self.memory.store.plan_versions(plan).await.map_err(|error| Refusal::Broken(error.to_string()))?;
        let draft = known.into_iter().find(|known| known.published_at.is_none());
        draft.map(|draft| draft.version).ok_or_else(|| Refusal::Conflict(format!("'{plan}' has no draft: send one, or name a version")))
    }

    /// A trial ends because somebody wishes it.
    pub(super) async fn end_canary(&mut self, plan: &str, (how, why): (&str, &str), by: &str) -> Result<Done, Refusal> {
        let Some(trial) = self.without_trial(plan) else {
            return Err(Refusal::Conflict(format!("no version of '{plan}' is on trial")));
        };
        self.ended_unjudged(trial, (how, why), by).await;
        self.show();
        Ok(Done::Done)
    }

    /// Another version of a plan is in force or goes on trial: what was on trial is compared with nothing any more.
    pub(super) async fn replaced(&mut self, plan: &str, by: &str) {
        let Some(trial) = self.without_trial(plan) else { return };
        let published = self.config.directory.plans.get(plan).is_some_and(|running| running.version == trial.version);
        let (how, why) = if published { ("published", "it is in force for all") } else { ("replaced", "another version came") };
        self.ended_unjudged(trial, (how, why), by).await;
    }

    /// It ends with the numbers as they are.
    async fn ended_unjudged(&self, trial: Running, (how, why): (&str, &str), by: &str) {
        let counts = self.counts(&trial).await.map_or_else(no_counts, |(old, new)| verdict::counts(old, new));
        self.ended(trial, (how, why.to_owned()), counts, by).await;
    }

    /// Ends trials of versions that cannot be loaded among the files as they are now.
    pub(super) async fn end_broken(&mut self) {
        let broken: Vec<Running> = self.remembered.trials.iter().filter(|trial| trial.broken.is_some()).cloned().collect();
        for trial in broken {
            self.without_trial(&trial.plan);
            let why = trial.broken.clone().unwrap_or_default();
            tracing::warn!(plan = trial.plan, version = trial.version, why, "a version on trial is taken back");
            self.ended(trial, ("broken", why), no_counts(), BY_RULE).await;
        }
    }

    /// Takes back versions that do worse than those in force.
    pub(super) async fn judge(&mut self) {
        let mut bad = Vec::new();
        for trial in &self.remembered.trials {
            if let Some((old, new)) = self.counts(trial).await
                && let Some(worse) = verdict::worse(old, new)
            {
                bad.push((trial.plan.clone(), worse));
            }
        }
        for (plan, worse) in bad {
            let Some(trial) = self.without_trial(&plan) else { continue };
            tracing::warn!(plan, version = trial.version, why = worse.why, "a version on trial is taken back");
            self.ended(trial, ("rolled_back", worse.why), worse.counts, BY_RULE).await;
            self.show();
        }
    }

    async fn counts(&self, trial: &Running) -> Option<(crate::store::plans::Went, crate::store::plans::Went)> {
        let store = &self.memory.store;
        let old = store.went(&trial.plan, &trial.against, trial.since).await;
        let new = store.went(&trial.plan, &trial.version, trial.since).await;
        old.ok().zip(new.ok())
    }

    fn without_trial(&mut self, plan: &str) -> Option<Running> {
        let at = self.remembered.trials.iter().position(|trial| trial.plan == plan)?;
        Some(self.remembered.trials.remove(at))
    }

    async fn ended(&self, trial: Running, (how, why): (&str, String), counts: Value, by: &str) {
        let (plan, version, how) = (trial.plan, trial.version, how.to_owned());
        self.record(vec![Fact::CanaryEnded { plan, version, how, why, counts, by: by.to_owned() }]).await;
    }

    /// The rules and the edges hear of other trials or notices.
    pub(super) fn show(&mut self) {
        let live = self.live();
        self.in_force.replace_live(live);
    }
}

/// Who ends a trial by the rule of [`verdict`].
const BY_RULE: &str = "rule";

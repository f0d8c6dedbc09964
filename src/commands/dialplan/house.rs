//! What lint asks of the house around the plans: the agents of `sip-config/phones.toml`, the recordings of `prompts/`, the voices.

use std::path::Path;

use crate::config::files::{self, Origin};
use crate::config::{phones, phones::Phone};
use crate::control::dialplan::check::unstaffed_queues;
use crate::control::dialplan::{Plan, Problem};
use crate::speech::prompts;

/// The house: the folder that holds the plans' folder.
pub struct House {
    agents: Option<Vec<Phone>>,
    prompts: prompts::Config,
}

/// The house around a folder of plans. Without `sip-config/` nothing is said about agents.
pub fn beside(plans: &Path) -> House {
    let home = plans.parent().filter(|home| !home.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut problems = Vec::new();
    let texts = files::toml_texts(home, &mut problems);
    let read = |problems: &mut Vec<_>| phones::read(&texts.phones.name, &texts.phones.text, "hotline", problems);
    let agents = (texts.origin == Origin::Folder).then(|| read(&mut problems).0);
    House { agents, prompts: prompts::Config { folder: home.join("prompts"), ..prompts::Config::default() } }
}

impl House {
    /// D152 and D172 of a plan.
    pub fn findings(&self, plan: &Plan, file: &str) -> Vec<Problem> {
        let mut found = self.prompts.silent(plan, file);
        if let Some(agents) = &self.agents {
            found.extend(unstaffed_queues(plan, file, &agents.iter().map(|phone| &phone.agent).collect::<Vec<_>>()));
        }
        found
    }
}

//! What lint asks of the house around the plans: the agents of `sip-config/phones.toml`, the recordings of `prompts/`, the voices.

use std::path::Path;

use crate::config::files::{self, Origin};
use crate::config::{SENTENCE_MODEL, phones, phones::Phone, server};
use crate::control::dialplan::check::unstaffed_queues;
use crate::control::dialplan::{Plan, Problem};
use crate::nlu::SentenceModel;
use crate::sentence;
use crate::speech::prompts;

/// The house: the folder that holds the plans' folder.
pub struct House {
    agents: Option<Vec<Phone>>,
    prompts: prompts::Config,
}

/// The house around a folder of plans. Without `sip-config/` nothing is said about agents.
pub fn beside(plans: &Path) -> House {
    let home = home_of(plans);
    let mut problems = Vec::new();
    let texts = files::toml_texts(home, &mut problems);
    let read = |problems: &mut Vec<_>| phones::read(&texts.phones.name, &texts.phones.text, "hotline", problems);
    let agents = (texts.origin == Origin::Folder).then(|| read(&mut problems).0);
    House { agents, prompts: prompts::Config { folder: home.join("prompts"), ..prompts::Config::default() } }
}

/// The sentence model that a server with this folder of plans would use: the environment's, else that of hotline.toml.
///
/// # Errors
/// A folder that cannot be used.
pub fn sentence_model(plans: &Path) -> anyhow::Result<SentenceModel> {
    let folder = match std::env::var_os(SENTENCE_MODEL).filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => {
            let home = home_of(plans);
            // What else is wrong with them, `hotline check` says.
            let texts = files::toml_texts(home, &mut Vec::new());
            let (server, _) = server::read(&texts.hotline.name, &texts.hotline.text, &mut Vec::new());
            server.folders.sentence_model.map(|folder| home.join(folder))
        }
    };
    Ok(sentence::of(folder.as_deref())?)
}

/// The folder around a folder of plans.
fn home_of(plans: &Path) -> &Path {
    plans.parent().filter(|home| !home.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

//! Texts from phone to phone outside of calls: for whom they are.

use super::Switch;
use crate::control::call::route::{self, Route};
use crate::control::sip::Target;
use crate::control::sip::endpoint::Handover;
use crate::control::sip::happening::Paged;
use crate::control::time::Time;
use crate::control::words::AgentId;
use crate::control::words::directory::Agent;

/// 404 Not Found: nobody has this number.
const NOT_FOUND: u16 = 404;
/// 405 Method Not Allowed: whoever is there reads nothing.
const NOT_ALLOWED: u16 = 405;

impl Switch {
    /// Only people read: plans, queues and trunks are told so.
    pub(super) fn on_page(&mut self, now: Time, paged: &Paged) {
        let Paged { page, sender, to } = paged;
        let directory = self.directory.clone();
        let agent = match self.routes.dialled(to, "") {
            Some(Route::Agent(agent)) => directory.agents.get(&agent),
            Some(_) => return self.endpoint.refuse_page(now, *page, NOT_ALLOWED),
            None => None,
        };
        let Some(agent) = agent else { return self.endpoint.refuse_page(now, *page, NOT_FOUND) };
        let from = directory.agents.get(&AgentId::of_name(sender));
        let (name, number) = from.map_or((sender, sender), |from| (&from.name, from.extension.as_ref().unwrap_or(&from.user)));
        let name: String = name.chars().filter(|letter| !letter.is_control() && *letter != '"' && *letter != '\\').collect();
        let from = format!("\"{name}\" <sip:{number}@{}>", directory.domain);
        let to = format!("<sip:{}@{}>", agent.user, directory.domain);
        let phones = self.phones_that_read(now, agent);
        self.endpoint.hand_over(now, *page, &Handover { from, to, phones });
    }

    /// Where an agent's phones are; a telephone outside takes no text.
    fn phones_that_read(&self, now: Time, agent: &Agent) -> Vec<(Target, String, Vec<String>)> {
        match &agent.phone.uri {
            Some(uri) => route::target_of(&self.directory, uri).map(|target| (target, uri.clone(), Vec::new())).into_iter().collect(),
            None => {
                let contacts = self.endpoint.contacts(now, &agent.user).into_iter();
                contacts.map(|contact| (contact.flow.into(), contact.uri, contact.routes)).collect()
            }
        }
    }
}

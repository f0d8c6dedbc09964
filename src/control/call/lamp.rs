//! Whose phones are in a call, for the lamps of those who watch them.

use super::carried::is_private;
use super::leg::{Dialog, Role};
use super::{Call, Leg};
use crate::control::sip::dialog_info::Other;
use crate::control::words::{AgentId, LegId};

impl Call {
    /// The legs that lead to phones of the house, and who is at the other end of each.
    pub fn phones(&self) -> impl Iterator<Item = (AgentId, LegId, Other)> {
        self.legs.iter().filter(|leg| matches!(leg.dialog, Dialog::Arriving | Dialog::Ringing | Dialog::Up)).filter_map(|leg| {
            let agent = match leg.role {
                Role::Agent(agent) | Role::Supervisor(agent) => agent,
                Role::Caller if leg.id == self.caller => self.party.agent?,
                Role::Caller | Role::Far => return None,
            };
            Some((agent, leg.id, self.other_of(leg)))
        })
    }

    /// The caller has whom he dialled, all others have the caller; who hides himself is not shown.
    fn other_of(&self, leg: &Leg) -> Other {
        match leg.id == self.caller {
            true => Other { user: self.party.entry.clone(), name: None },
            false if is_private(&self.party.carried) => Other::default(),
            false => Other { user: self.party.address.clone(), name: self.party.name.clone() },
        }
    }
}

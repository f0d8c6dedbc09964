//! Which answers nobody may write down: those to questions for masked slots, and keys that are no choice.

use super::{Asked, Runner, Wait};
use crate::control::dialplan::plan::Mask;

impl Runner {
    /// Is what the customer says now the value of a masked slot?
    #[must_use]
    pub fn asks_secret(&self) -> bool {
        match self.asked() {
            Some(Asked::Slot(name) | Asked::Readback(name, _)) => self.is_masked(name),
            _ => false,
        }
    }

    /// Is the value of a masked slot being read back?
    #[must_use]
    pub fn reads_secret(&self) -> bool {
        matches!(self.asked(), Some(Asked::Readback(name, _)) if self.is_masked(name))
    }

    /// Is a key pressed now a choice, and no digit of a number?
    #[must_use]
    pub fn shows_keys(&self) -> bool {
        !matches!(self.asked(), None | Some(Asked::Slot(_) | Asked::Readback(..) | Asked::Contact(_)))
    }

    /// What is asked now.
    pub(super) fn asked(&self) -> Option<&Asked> {
        match &self.wait {
            Wait::Answer(question) => Some(&question.kind),
            _ => None,
        }
    }

    fn is_masked(&self, name: &str) -> bool {
        self.plan.values.slots.get(name).is_some_and(|slot| slot.mask == Mask::Masked)
    }
}

//! What nobody may keep is not recorded: while the plan asks for a masked slot, or somebody says so, noise stands in the recording. Both
//! sides are masked, as what was said is read back too.

use super::{Call, Stage, World};
use crate::control::event::Fact;
use crate::control::session::effect::Effect;
use crate::control::session::talk::Talk;
use crate::control::words::agent::Refusal;
use crate::control::words::media::{Command, Masking};

/// Who wants the recording masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Masks {
    /// The plan asks for a masked slot.
    slot: bool,
    /// Somebody asked for it.
    asked: bool,
}

impl Masks {
    pub(super) fn masking(self) -> Masking {
        if self.slot || self.asked { Masking::On } else { Masking::Off }
    }
}

impl Call {
    /// Masks the recording from here on, or no more.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] when the call is not recorded.
    pub fn mask_recording(&mut self, masking: Masking, world: &mut World<'_>) -> Result<(), Refusal> {
        if self.sound.recording.is_none() {
            return Err(Refusal::Conflict("the call is not recorded now".to_owned()));
        }
        self.mask(Masks { asked: masking == Masking::On, ..self.sound.masks }, "asked", world);
        Ok(())
    }

    /// The plan has gone on: does it ask for what nobody may keep?
    pub(super) fn mask_secrets(&mut self, world: &mut World<'_>) {
        let slot = matches!(self.stage, Stage::Plan) && self.talk.as_ref().is_some_and(Talk::asks_secret);
        self.mask(Masks { slot, ..self.sound.masks }, "masked_slot", world);
    }

    fn mask(&mut self, masks: Masks, why: &str, world: &mut World<'_>) {
        let before = std::mem::replace(&mut self.sound.masks, masks).masking();
        let Some(recording) = self.sound.recording.filter(|_| before != masks.masking()) else { return };
        self.media(Command::MaskRecording { room: self.ids.room, recording, masking: masks.masking() }, world);
        let masked = masks.masking() == Masking::On;
        world.out.push(Effect::Record(Fact::RecordingMasked { recording, session: self.ids.session, masked, why: why.to_owned() }));
    }
}

//! The end: everything is closed once, and the call is forgotten when the last report is here.

use super::ending::{Ending, Refused};
use super::leg::{Dialog, Sound};
use super::{Call, Stage, World};
use crate::control::event::{DomainEvent, Fact};
use crate::control::limits::LAST_REPORTS;
use crate::control::session::effect::{Clock, Distribute, Effect, Signal};
use crate::control::words::LegId;
use crate::control::words::media::LegStats;

/// 480 Temporarily Unavailable: for a call that ends before it was answered by a verdict that has no status of its own.
const UNAVAILABLE: u16 = 480;
/// 200 OK.
const OK: u16 = 200;

impl Call {
    /// Ends the call; a second ending is ignored.
    pub(super) fn finish(&mut self, ending: Ending, world: &mut World<'_>) {
        self.finish_with(ending, None, world);
    }

    pub(super) fn finish_with(&mut self, ending: Ending, disposition: Option<String>, world: &mut World<'_>) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.keep_note(world);
        self.end_company(ending.disposition(), world);
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Line(_) => world.out.push(Effect::Distribute(Distribute::Leave)),
            Stage::Talking { agent, .. } => self.release_agent(agent, world),
            _ => {}
        }
        self.drop_referrer(world);
        for clock in Clock::ALL {
            world.out.push(Effect::Clock(clock, None));
        }
        self.stop_recording(world);
        self.hang_up_all(&ending, world);
        self.leave_plan(world);
        self.record_ending(&ending, world);
        world.out.push(Effect::Close(ending, disposition));
        world.out.push(Effect::Clock(Clock::LastReports, Some(world.now + LAST_REPORTS)));
        self.forget_if_gone(world);
    }

    /// The verdict when the caller left, by where he left.
    pub(super) fn as_the_caller_left(&self, ending: Ending, world: &World<'_>) -> Ending {
        match (&self.stage, ending) {
            (Stage::Line(line), Ending::CallerHungUp) => Ending::Abandoned { waited: world.now.since(line.since) },
            (Stage::Leaving(meant), Ending::CallerHungUp) => meant.clone(),
            // Many phones hang up on us as soon as the other call stands, without a word of it.
            (Stage::Referring, Ending::CallerHungUp) => Ending::TransferredAway,
            (_, ending) => ending,
        }
    }

    fn hang_up_all(&mut self, ending: &Ending, world: &mut World<'_>) {
        let status = Some(ending.sip_status()).filter(|status| *status != OK).unwrap_or(UNAVAILABLE);
        let ids: Vec<LegId> = self.legs.iter().map(|leg| leg.id).collect();
        for id in ids {
            let Some(leg) = self.leg_mut(id) else { continue };
            let signal = match leg.dialog {
                Dialog::Arriving => Some((refusal(status, ending, world.reason), Dialog::Over)),
                Dialog::Ringing => Some((farewell(ending, world.reason), Dialog::Cancelling)),
                Dialog::Up => Some((farewell(ending, world.reason), Dialog::Over)),
                Dialog::Cancelling | Dialog::Over => None,
            };
            if let Some((signal, dialog)) = signal {
                leg.dialog = dialog;
                world.signal(id, signal);
            }
            self.close_leg(id, ending.disposition(), world);
        }
    }

    /// Closes the sound of a leg; one that never had any gives its port back once its dialog is over.
    pub(super) fn close_leg(&mut self, id: LegId, why: &'static str, world: &mut World<'_>) {
        world.tolls.ended(world.now, id);
        self.end_calling(id, world);
        let Some(leg) = self.leg_mut(id) else { return };
        if leg.why.is_empty() {
            leg.why = why;
        }
        if let Some(command) = leg.silence() {
            self.media(command, world);
        } else if leg.sound == Sound::None && leg.dialog == Dialog::Over {
            let lease = leg.take_lease();
            world.out.extend(lease.map(Effect::Release));
            self.record_closed(id, LegStats::default(), world);
            self.drop_gone_legs(world);
        }
    }

    pub(super) fn record_closed(&self, id: LegId, stats: LegStats, world: &mut World<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let why = leg.why.to_owned();
        world.out.push(Effect::Record(Fact::LegClosed { leg: id, call: self.ids.call, why, stats }));
    }

    pub(super) fn drop_gone_legs(&mut self, world: &mut World<'_>) {
        self.legs.retain(|leg| {
            let gone = leg.is_gone();
            if gone {
                world.out.push(Effect::DropLeg(leg.id));
            }
            !gone
        });
    }

    /// Forgets the call when nothing of it is left.
    pub(super) fn forget_if_gone(&mut self, world: &mut World<'_>) {
        self.drop_gone_legs(world);
        if matches!(self.stage, Stage::Over) && self.legs.is_empty() && self.sound.unfinished.is_empty() {
            world.out.push(Effect::Gone);
        }
    }

    /// The last reports did not come: the call is forgotten without them, and its ports go back to rest.
    pub(super) fn forget_reports(&mut self, world: &mut World<'_>) {
        for mut leg in std::mem::take(&mut self.legs) {
            world.out.push(Effect::DropLeg(leg.id));
            world.out.extend(leg.take_lease().map(Effect::Release));
        }
        for recording in std::mem::take(&mut self.sound.unfinished) {
            world.out.push(Effect::DropRecording(recording));
        }
        world.out.push(Effect::Gone);
    }

    fn record_ending(&self, ending: &Ending, world: &mut World<'_>) {
        let call = self.ids.call;
        let sip_status = match ending.sip_status() {
            // No INVITE of a call that was never answered ended well, whatever the verdict.
            OK if self.answered.is_none() => UNAVAILABLE,
            status => status,
        };
        let duration_ms = DomainEvent::ms(world.now.since(self.began));
        let (our_fault, ending) = (ending.is_our_fault(), ending.name());
        world.out.push(Effect::Record(Fact::CallEnded { call, ending, sip_status, our_fault, duration_ms }));
    }
}

/// Whoever is cut off is told why; else what the other side said of it goes on to this one (RFC 3326).
fn farewell(ending: &Ending, theirs: Option<&str>) -> Signal {
    match (ending, theirs) {
        (Ending::Cut(why), _) => Signal::HangUpBecause(why.reason().into()),
        (_, Some(reason)) => Signal::HangUpBecause(reason.to_owned().into()),
        _ => Signal::HangUp,
    }
}

/// A caller who may not call to the outside is told why, and one whom nobody took what the last far end said of it (RFC 6432).
fn refusal(status: u16, ending: &Ending, theirs: Option<&str>) -> Signal {
    match (ending, theirs) {
        (Ending::Refused(Refused::Barred(why)), _) => Signal::RefuseBecause(status, why.reason().into()),
        (_, Some(reason)) => Signal::RefuseBecause(status, reason.to_owned().into()),
        _ => Signal::Refuse(status),
    }
}

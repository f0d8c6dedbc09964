//! Two legs hear each other: connecting, holding, transferring, parting.

use bytes::Bytes;

use super::ending::Ending;
use super::leg::{Dialog, Held, Leg};
use super::route::Route;
use super::sound::Own;
use super::{After, Call, Stage, World};
use crate::control::dialplan::wish::{Event, QueueEnd};
use crate::control::event::{Fact, SessionState};
use crate::control::session::effect::{Distribute, Effect, Signal};
use crate::control::words::media::{Command, KeyWay, Prompt};
use crate::control::words::trunk::Keys;
use crate::control::words::{AgentId, LegId};

/// 488 Not Acceptable Here.
const NOT_ACCEPTABLE: u16 = 488;

impl Call {
    /// Caller and peer hear each other from here on.
    pub(super) fn connect(&mut self, peer: LegId, agent: Option<AgentId>, after: After, world: &mut World<'_>) {
        self.stop_own(world);
        self.tune(peer, world);
        self.hear(peer, self.caller, world);
        self.hear(self.caller, peer, world);
        self.stage = Stage::Talking { peer, agent, after };
        let call = self.ids.call;
        if let Some(agent) = agent {
            world.out.push(Effect::Record(Fact::Assigned { session: self.ids.session, agent }));
        }
        world.out.push(Effect::Record(Fact::CallBridged { call, agent, leg: peer }));
        world.out.push(Effect::Go(SessionState::Active));
        if self.leg(self.caller).is_some_and(|leg| leg.held == Held::Yes) {
            self.hold_music(self.caller, world);
        }
        self.tell_of_recording(world);
    }

    /// The caller by himself: he hears himself, nothing, or music.
    pub(super) fn be_alone(&mut self, place: &Route, world: &mut World<'_>) {
        self.hush_plan(world);
        self.pick_up(world);
        self.stage = Stage::Alone;
        match place {
            Route::Echo => self.hear(self.caller, self.caller, world),
            Route::Music(file) => {
                let music = file.clone().or_else(|| world.directory.hold_music.clone());
                self.play_own(self.caller, vec![Prompt::Music(music)], Own::Background, world);
            }
            _ => {}
        }
    }

    /// A re-INVITE or UPDATE: a hold, its end, a new address, another codec.
    pub(super) fn on_offered(&mut self, id: LegId, sdp: Option<Bytes>, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let before = leg.held;
        let Some(offer) = sdp else {
            let offer = leg.offer();
            world.signal(id, Signal::AnswerOffer(offer));
            return;
        };
        match leg.answer(&offer) {
            Ok(answer) => {
                world.signal(id, Signal::AnswerOffer(answer));
                self.tune(id, world);
                self.on_held(id, before, world);
            }
            Err(refused) => world.signal(id, Signal::RefuseOffer(refused.status)),
        }
    }

    pub(super) fn on_reanswered(&mut self, id: LegId, sdp: &Bytes, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let before = leg.held;
        if leg.accept(sdp).is_ok() {
            self.meet(id, world);
            self.tune(id, world);
            self.on_held(id, before, world);
        }
    }

    /// The other side of a hold hears music while it lasts.
    fn on_held(&mut self, id: LegId, before: Held, world: &mut World<'_>) {
        let Some(now) = self.leg(id).map(|leg| leg.held).filter(|now| *now != before) else { return };
        let held = now == Held::Yes;
        world.out.push(Effect::Record(Fact::CallHeld { call: self.ids.call, leg: id, held }));
        if !matches!(self.stage, Stage::Talking { .. }) {
            return;
        }
        // While a colleague is asked the customer hears music anyway; who has come in besides the two holds nobody.
        if self.company.is_aside() || self.other(id).is_none() {
            return;
        }
        if held {
            self.hold_music(id, world);
        } else {
            self.stop_own(world);
        }
    }

    /// The music of a hold that was there before something else was to be heard.
    pub(super) fn resume_hold(&mut self, world: &mut World<'_>) {
        let Stage::Talking { peer, .. } = self.stage else { return };
        if let Some(holder) = [self.caller, peer].into_iter().find(|id| self.leg(*id).is_some_and(|leg| leg.held == Held::Yes)) {
            self.hold_music(holder, world);
        }
    }

    /// Music for the side that was put on hold by `holder`.
    fn hold_music(&mut self, holder: LegId, world: &mut World<'_>) {
        let Some(other) = self.other(holder) else { return };
        self.stop_own(world);
        let music = world.directory.hold_music.clone();
        self.play_own(other, vec![Prompt::Music(music)], Own::Background, world);
    }

    fn other(&self, leg: LegId) -> Option<LegId> {
        match self.stage {
            Stage::Talking { peer, .. } if leg == self.caller => Some(peer),
            Stage::Talking { peer, .. } if leg == peer => Some(self.caller),
            _ => None,
        }
    }

    /// Keys pass to the other side of a bridge.
    pub(super) fn pass_key(&self, leg: LegId, key: char, way: KeyWay, world: &mut World<'_>) {
        let Some(other) = self.other(leg).and_then(|other| self.leg(other)) else { return };
        if other.keys() == Keys::Info {
            world.signal(other.id, Signal::Key(key));
        } else if way != KeyWay::Tone || !other.hears_tones() {
            self.media(Command::SendKeys { leg: other.id, keys: key.to_string() }, world);
        }
    }

    /// A leg is over without our doing.
    pub(super) fn on_leg_over(&mut self, id: LegId, ending: Ending, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id) else { return };
        let rang = leg.is_waiting();
        leg.dialog = Dialog::Over;
        self.close_leg(id, ending.disposition(), world);
        if id == self.caller {
            if !self.goes_on_without_customer(world) {
                let ending = self.as_the_caller_left(ending, world);
                self.finish(ending, world);
            }
        } else if rang {
            self.on_leg_failed(id, NOT_ACCEPTABLE, world);
        } else {
            self.on_peer_gone(id, Ending::AgentHungUp, world);
        }
        self.forget_if_gone(world);
    }

    pub(super) fn on_media_lost(&mut self, id: LegId, world: &mut World<'_>) {
        if self.leg(id).is_some_and(Leg::is_live) {
            self.end_leg(id, Ending::MediaLost, Signal::HangUp, world);
        }
    }

    /// Ends a leg that stands from our side, and the call with it when it is the caller's or nothing else is left for him.
    pub(super) fn end_leg(&mut self, id: LegId, ending: Ending, signal: Signal, world: &mut World<'_>) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.dialog == Dialog::Up) else { return };
        leg.dialog = Dialog::Over;
        world.signal(id, signal);
        self.close_leg(id, ending.disposition(), world);
        if id == self.caller {
            if !self.goes_on_without_customer(world) {
                self.finish(ending, world);
            }
        } else {
            let ending = if ending == Ending::MediaLost { Ending::AgentHungUp } else { ending };
            self.on_peer_gone(id, ending, world);
        }
        self.forget_if_gone(world);
    }

    /// The agent or the far end left: back to the plan, or good-bye.
    fn on_peer_gone(&mut self, id: LegId, ending: Ending, world: &mut World<'_>) {
        if self.referrer_left(id, world) || self.on_third_left(id, world) {
            return;
        }
        let Stage::Talking { peer, agent, after } = self.stage else { return };
        if peer != id || self.company_takes_over(world) {
            return;
        }
        self.end_company("agent_left", world);
        self.stop_own(world);
        self.release_agent(agent, world);
        if self.talk.is_none() || after == After::Direct {
            self.finish(ending, world);
            return;
        }
        self.back_to_plan(after, Event::QueueEnded(QueueEnd::Served), world);
    }

    /// Ends the conversation with the peer from our side, before the caller goes elsewhere.
    pub(super) fn part(&mut self, peer: LegId, world: &mut World<'_>) {
        let Stage::Talking { agent, .. } = self.stage else { return };
        self.end_company("transferred", world);
        self.stop_own(world);
        if let Some(leg) = self.leg_mut(peer) {
            leg.dialog = Dialog::Over;
        }
        world.signal(peer, Signal::HangUp);
        self.close_leg(peer, "transferred", world);
        self.release_agent(agent, world);
    }

    pub(super) fn release_agent(&self, agent: Option<AgentId>, world: &mut World<'_>) {
        if agent.or(self.party.agent).is_some() {
            world.out.push(Effect::Distribute(Distribute::Released));
        }
    }
}

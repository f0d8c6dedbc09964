//! A call comes in: a port, an agreement, an answer, or early media where the plan answers only when it must; and the beginning once the
//! ACK is here and the customer is known.

use std::sync::Arc;

use bytes::Bytes;

use super::dial::PROGRESS;
use super::ending::{Ending, Refused};
use super::leg::{Dialog, Leg, NewLeg, Role, Sound};
use super::line::bare_line;
use super::protect::protection;
use super::route::Route;
use super::sound::{CallSound, Recorder};
use super::{After, Call, Done, Ids, Party, Stage, World};
use crate::control::dialplan::Medium;
use crate::control::dialplan::plan::{PickUp, Plan};
use crate::control::dialplan::wish::Event;
use crate::control::event::{Fact, SessionState};
use crate::control::limits::LONGEST_EARLY;
use crate::control::session::effect::{Clock, Effect, Signal};
use crate::control::session::talk::{Beginning, Talk};
use crate::control::sip::Invited;
use crate::control::words::decision::PLAN_FAILED;
use crate::control::words::pressure::Pressure;
use crate::control::words::trunk::Habits;
use crate::control::words::{AgentId, CallId, RoomId, SessionId};

/// An INVITE and where it leads.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The session that was made for it.
    pub session: SessionId,
    /// The INVITE.
    pub invited: &'a Invited,
    /// Where its number leads.
    pub route: Route,
    /// The agent who calls, when it is one.
    pub agent: Option<AgentId>,
    /// The habits of the trunk it came by.
    pub habits: Habits,
}

impl Call {
    /// Takes the call, or says why not. A taken call has sent its effects already.
    ///
    /// # Errors
    /// [`Refused`]: no port, no plan, or an offer that cannot be accepted.
    pub fn arrive(arrival: &Arrival<'_>, world: &mut World<'_>) -> Result<Call, Refused> {
        let Arrival { session, invited, route, agent, habits } = arrival;
        let plan = plan_of(route, *session, world)?;
        let leg = caller_leg(invited, habits, world)?;
        let ids = Ids {
            call: CallId::new(world.now, world.random),
            session: *session,
            room: RoomId::new(world.now, world.random),
            worker: leg.0,
        };
        let party = Party {
            address: invited.caller.clone(),
            name: invited.caller_name.clone(),
            entry: invited.user.clone(),
            agent: *agent,
            key: None,
            carried: super::carried::carried(&invited.headers),
        };
        let mut call = Call {
            ids,
            party,
            route: route.clone(),
            plan,
            caller: invited.leg,
            legs: vec![leg.1],
            talk: None,
            stage: Stage::Arriving { confirmed: Done::No, settled: Done::No },
            began: world.now,
            answered: None,
            sound: CallSound::default(),
            moves: super::transfer::Moves::default(),
            company: super::company::Company::default(),
        };
        call.announce_arrival(invited, world);
        if let Some(agent) = agent {
            call.begin_calling(*agent, world);
        }
        call.welcome(world);
        Ok(call)
    }

    fn announce_arrival(&self, invited: &Invited, world: &mut World<'_>) {
        let Ids { call, session, .. } = self.ids;
        world.out.push(Effect::OwnLeg(self.caller));
        let (from, to, sip_call_id) = (self.party.address.clone(), self.party.entry.clone(), invited.call_id.clone());
        let signalled = self.party.carried.clone();
        world.out.push(Effect::Record(Fact::CallStarted { call, session, from, to, sip_call_id, signalled }));
        self.record_leg(self.caller, world);
    }

    pub(super) fn record_leg(&self, id: crate::control::words::LegId, world: &mut World<'_>) {
        let Some(leg) = self.leg(id) else { return };
        let (role, uri) = (leg.role.word().to_owned(), leg.uri.clone());
        world.out.push(Effect::Record(Fact::LegOpened { leg: id, call: self.ids.call, role, uri }));
    }

    /// Lines and built-in places answer at once, plans as they say; people and trunks ring first.
    fn welcome(&mut self, world: &mut World<'_>) {
        match self.route.clone() {
            Route::Plan(_) => self.take_up(world),
            Route::Queue(_) | Route::Echo | Route::Silence | Route::Music(_) => self.pick_up(world),
            route @ (Route::Agent(_) | Route::Trunk { .. } | Route::Ring(_) | Route::Uri(_)) => {
                world.out.push(Effect::Go(SessionState::Bot));
                self.dial(&route, &[], super::dial::DIRECT, After::Direct, world);
            }
        }
    }

    /// The plan's call: answered, or only spoken to where the plan wants it so and the caller's offer allows it. An INVITE without an
    /// offer is answered at once: we offer in the 200, never in a provisional response.
    pub(super) fn take_up(&mut self, world: &mut World<'_>) {
        let early = self.plan.as_ref().is_some_and(|plan| plan.defaults.answer == PickUp::WhenNeeded);
        let caller = self.caller;
        let arriving = self.leg(caller).filter(|leg| early && leg.dialog == Dialog::Arriving);
        let Some(description) = arriving.and_then(Leg::answered) else { return self.pick_up(world) };
        world.signal(caller, Signal::Ring(PROGRESS, Some(description)));
        self.open_sound(caller, world);
        world.out.push(Effect::Clock(Clock::Early, Some(world.now + LONGEST_EARLY)));
        if let Stage::Arriving { confirmed, .. } = &mut self.stage {
            *confirmed = Done::Yes;
        }
        self.begin(world);
    }

    /// The plan has spoken as long as it may without needing its caller: he is refused, and the log says why.
    pub(super) fn on_early_clock(&mut self, world: &mut World<'_>) {
        if !self.is_early() {
            return;
        }
        let text = format!("the plan spoke for {} s before it needed the caller: let it answer, or say less", LONGEST_EARLY.as_secs());
        let decision = PLAN_FAILED.to_owned();
        world.out.push(Effect::Record(Fact::Understood { session: self.ids.session, message: None, text, intents: Vec::new(), decision }));
        self.finish(Ending::NotAnswered { contained: false }, world);
    }

    /// Is what the caller hears early media?
    pub(super) fn is_early(&self) -> bool {
        self.answered.is_none() && self.leg(self.caller).is_some_and(|leg| leg.dialog == Dialog::Arriving && leg.sound == Sound::Open)
    }

    /// 200 to the caller, once; his sound opens as soon as there is an agreement.
    pub(super) fn pick_up(&mut self, world: &mut World<'_>) {
        let caller = self.caller;
        let Some(leg) = self.leg_mut(caller).filter(|leg| leg.dialog == Dialog::Arriving) else { return };
        leg.dialog = Dialog::Up;
        let description = leg.answered().unwrap_or_else(|| leg.offer());
        world.signal(caller, Signal::Answer(description));
        self.answered = Some(world.now);
        world.out.push(Effect::Clock(Clock::Early, None));
        world.out.push(Effect::Record(Fact::CallAnswered { call: self.ids.call }));
        self.open_sound(caller, world);
        if self.sound.wanted.map_or(world.directory.record_calls, |wanted| wanted == Recorder::On) {
            self.start_recording(world);
        }
    }

    pub(super) fn on_confirmed(&mut self, leg: crate::control::words::LegId, sdp: Option<Bytes>, world: &mut World<'_>) {
        if let Some(sdp) = sdp
            && self.leg_mut(leg).is_some_and(|leg| leg.accept(&sdp).is_ok())
        {
            self.meet(leg, world);
            self.tune(leg, world);
        }
        if let Stage::Arriving { confirmed, .. } = &mut self.stage
            && leg == self.caller
        {
            *confirmed = Done::Yes;
            self.begin(world);
        }
    }

    /// The ACK is here, or the caller is spoken to early, and the customer is known: what the number leads to begins.
    pub(super) fn begin(&mut self, world: &mut World<'_>) {
        if !matches!(self.stage, Stage::Arriving { confirmed: Done::Yes, settled: Done::Yes }) {
            return;
        }
        world.out.push(Effect::Go(SessionState::Bot));
        let route = self.route.clone();
        match (&route, self.plan.clone()) {
            (Route::Plan(_), Some(plan)) => self.start_plan(&plan, world),
            (Route::Queue(queue), _) => self.join_line(bare_line(*queue, self, world), After::Queue, world),
            (Route::Echo | Route::Silence | Route::Music(_), _) => self.be_alone(&route, world),
            _ => self.dial(&route, &[], super::dial::DIRECT, After::Direct, world),
        }
    }

    /// A plan leads from here on.
    pub(super) fn start_plan(&mut self, plan: &Arc<Plan>, world: &mut World<'_>) {
        if plan.defaults.answer == PickUp::AtOnce {
            // Another plan led here, which had not needed the caller yet.
            self.pick_up(world);
        }
        let beginning = Beginning {
            medium: Medium::Voice,
            channel: VOICE,
            address: &self.party.address,
            entry: &self.party.entry,
            customer: world.customer,
            lang: None,
            live: &world.directory.live,
        };
        self.talk = Some(Talk::new(world.now, world.random, self.ids.session, plan, &beginning));
        self.stage = Stage::Plan;
        // Nobody is asked for words that there is no time to hear.
        if world.pressure == Pressure::Short {
            self.tell_plan(Event::NoRecognizer, world);
        }
        self.tell_plan(Event::Started, world);
    }
}

/// The channel's name in plans and in the cost of a queue.
pub const VOICE: &str = "voice";

pub(super) fn plan_of(route: &Route, session: SessionId, world: &World<'_>) -> Result<Option<Arc<Plan>>, Refused> {
    match route {
        Route::Plan(id) => world.directory.plan_for(id, session).cloned().map(Some).ok_or(Refused::UnknownNumber),
        _ => Ok(None),
    }
}

fn caller_leg(invited: &Invited, habits: &Habits, world: &mut World<'_>) -> Result<(crate::control::words::media::WorkerId, Leg), Refused> {
    let worker = world.ports.least_loaded(world.now).ok_or(Refused::Full)?;
    let lease = world.ports.lease(world.now, worker).ok_or(Refused::Full)?;
    let (uri, habits) = (invited.caller.clone(), habits.clone().with(&world.directory.codecs));
    let protection = protection(habits.srtp, Some(invited.flow.transport), invited.leg, world);
    let new = NewLeg { id: invited.leg, role: Role::Caller, uri, lease, habits, protection };
    let mut leg = Leg::new(new, Dialog::Arriving, world.random);
    if let Some(offer) = &invited.sdp
        && let Err(refused) = leg.answer(offer)
    {
        if let Some(lease) = leg.take_lease() {
            world.ports.release(world.now, lease);
        }
        return Err(refused.into());
    }
    Ok((worker, leg))
}

//! A call that begins with us: somebody is rung first, and what his call leads to begins when he answers.

use super::arrive::plan_of;
use super::ending::Refused;
use super::leg::Role;
use super::route::Route;
use super::sound::CallSound;
use super::{Call, Done, Ids, Party, Stage, World};
use crate::control::event::Fact;
use crate::control::limits::DIRECT_RING;
use crate::control::session::effect::{Clock, Effect};
use crate::control::words::{CallId, LegId, RoomId, SessionId};

/// A call to be placed.
#[derive(Debug)]
pub struct Placing {
    /// The session that was made for it.
    pub session: SessionId,
    /// Who is rung.
    pub to: Route,
    /// His number, for the customer's record.
    pub address: String,
    /// Where he lands.
    pub route: Route,
    /// What that is called.
    pub entry: String,
    /// The API key that asks for it.
    pub by: Option<String>,
}

impl Call {
    /// Rings, or says why not.
    ///
    /// # Errors
    /// [`Refused`]: no port, no plan, or nobody to ring.
    pub fn place(placing: Placing, world: &mut World<'_>) -> Result<Call, Refused> {
        let Placing { session, to, address, route, entry, by } = placing;
        let plan = plan_of(&route, session, world)?;
        let worker = world.ports.least_loaded(world.now).ok_or(Refused::Full)?;
        let ids = Ids { call: CallId::new(world.now, world.random), session, room: RoomId::new(world.now, world.random), worker };
        let mut call = Call {
            ids,
            party: Party { address, name: None, entry, agent: None, key: by, carried: Vec::new() },
            route,
            plan,
            caller: LegId::new(world.now, world.random),
            legs: Vec::new(),
            talk: None,
            stage: Stage::Over,
            began: world.now,
            answered: None,
            sound: CallSound::default(),
            moves: super::transfer::Moves::default(),
            company: super::company::Company::default(),
        };
        let (from, to_text) = (call.party.entry.clone(), call.party.address.clone());
        world.out.push(Effect::Record(Fact::CallStarted {
            call: ids.call,
            session,
            from,
            to: to_text,
            sip_call_id: String::new(),
            signalled: Vec::new(),
        }));
        call.ring_first(&to, DIRECT_RING, world)?;
        Ok(call)
    }

    /// He is there: what the call leads to begins once his name is known.
    pub(super) fn on_callee_answered(&mut self, world: &mut World<'_>) {
        world.out.push(Effect::Clock(Clock::Ring, None));
        self.stop_own(world);
        self.answered = Some(world.now);
        world.out.push(Effect::Record(Fact::CallAnswered { call: self.ids.call }));
        self.tune(self.caller, world);
        if let Some(Role::Agent(agent)) = self.leg(self.caller).map(|leg| leg.role) {
            self.begin_calling(agent, world);
        }
        if world.directory.record_calls {
            self.start_recording(world);
        }
        let settled = if world.customer.is_some() { Done::Yes } else { Done::No };
        self.stage = Stage::Arriving { confirmed: Done::Yes, settled };
        self.begin(world);
    }
}

//! A call: legs bridged by the rules, ended by one verdict.
//!
//! [`Call`] owns its legs, its room and where it stands ([`Stage`]); what happens comes in through `on_…`, what follows
//! goes out as [`Effect`]s. `plan.rs` carries out what a plan wishes, `line.rs` waits and is offered, `dial.rs` reaches
//! far ends, `bridge.rs` connects, `ending.rs` says how it ended.

mod answering;
mod arrive;
mod bridge;
mod carried;
mod company;
mod consult;
mod dial;
mod end;
pub mod ending;
mod hunt;
mod lamp;
mod leg;
mod line;
mod mask;
mod moved;
mod note;
mod originate;
mod phrases;
mod place;
mod plan;
pub mod ports;
mod protect;
mod refer;
pub mod route;
mod sound;
mod supervise;
mod toll;
mod transfer;

use std::sync::Arc;

use super::dialplan::plan::Plan;
use super::random::Random;
use super::session::Customer;
use super::session::effect::{Clock, Effect, Signal};
use super::session::talk::Talk;
use super::sip::{Consulted, Endpoint, Happening};
use super::time::Time;
use super::toll::Tolls;
use super::trunks::Trunks;
use super::words::directory::Directory;
use super::words::media::{Command, KeyWay, WorkerId};
use super::words::pressure::Pressure;
use super::words::{AgentId, CallId, Lang, LegId, RoomId, SessionId};

pub use arrive::Arrival;
use ending::Ending;
use hunt::Hunt;
use leg::{Dialog, Leg, Sound};
use line::Line;
pub use originate::Placing;
use ports::Ports;
use route::{Route, Routes};
pub use transfer::{Between, Guest};

/// What a call may look at and use while it decides.
#[derive(Debug)]
pub struct World<'a> {
    /// When.
    pub now: Time,
    /// The configuration.
    pub directory: &'a Directory,
    /// The numbers of it.
    pub routes: &'a Routes,
    /// Who is registered where.
    pub endpoint: &'a Endpoint,
    /// How the trunks are.
    pub trunks: &'a mut Trunks,
    /// The session's customer, once known.
    pub customer: Option<&'a Customer>,
    /// What is left undone for want of time.
    pub pressure: Pressure,
    /// Chance.
    pub random: &'a mut Random,
    /// RTP ports.
    pub ports: &'a mut Ports,
    /// Calls to the outside.
    pub tolls: &'a mut Tolls,
    /// What the peer says of why he ends his leg, while that is looked at (RFC 3326).
    pub reason: Option<&'a str>,
    /// What follows.
    pub out: &'a mut Vec<Effect>,
}

/// The names of a call.
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    /// The call.
    pub call: CallId,
    /// Its session.
    pub session: SessionId,
    /// Its room.
    pub room: RoomId,
    /// The thread its room lives on.
    pub worker: WorkerId,
}

/// Who calls what.
#[derive(Debug)]
pub struct Party {
    /// The caller's number or user.
    pub address: String,
    /// His name, when he gave one.
    pub name: Option<String>,
    /// What was dialled.
    pub entry: String,
    /// The agent who calls, when it is one.
    pub agent: Option<AgentId>,
    /// The API key that asked for the call, when it is one.
    pub key: Option<String>,
    /// What else his signalling said, to be passed on.
    carried: Vec<carried::Header>,
}

/// Where the call came to a conversation from, and where it goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The caller dialled it: it ends with it.
    Direct,
    /// A queue step of the plan, or the bare line.
    Queue,
    /// A transfer step of the plan.
    Transfer,
}

/// Is it so already?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    No,
    Yes,
}

/// Where the call stands.
#[derive(Debug)]
enum Stage {
    /// Answered or spoken to early; the ACK or the customer's name is still to come.
    Arriving { confirmed: Done, settled: Done },
    /// The plan leads.
    Plan,
    /// In a line; agents may ring.
    Line(Box<Line>),
    /// Far ends ring because of us.
    Dialling { legs: Vec<LegId>, after: After, early: Option<LegId>, hunt: Box<Hunt> },
    /// Two legs hear each other.
    Talking { peer: LegId, agent: Option<AgentId>, after: After },
    /// The caller's own phone was asked to call somebody else.
    Referring,
    /// The caller is by himself: echo, silence or music.
    Alone,
    /// Good-bye is being said.
    Leaving(Ending),
    /// Over; the last reports are still to come.
    Over,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    ids: Ids,
    party: Party,
    route: Route,
    plan: Option<Arc<Plan>>,
    caller: LegId,
    legs: Vec<Leg>,
    talk: Option<Talk>,
    stage: Stage,
    began: Time,
    answered: Option<Time>,
    sound: sound::CallSound,
    moves: transfer::Moves,
    company: company::Company,
}

/// What a call holds, for invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holds {
    /// Legs.
    pub legs: usize,
    /// Leased ports.
    pub ports: usize,
    /// What in it contradicts itself; `None` in a sound call.
    pub contradiction: Option<&'static str>,
}

impl Call {
    /// Its names.
    #[must_use]
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// What it holds.
    #[must_use]
    pub fn holds(&self) -> Holds {
        Holds { legs: self.legs.len(), ports: self.legs.iter().filter(|leg| leg.has_lease()).count(), contradiction: self.contradiction() }
    }

    /// What cannot be in a sound call.
    fn contradiction(&self) -> Option<&'static str> {
        let rings = |id: &LegId| self.leg(*id).is_some_and(|leg| leg.dialog == Dialog::Ringing);
        let expected: &[LegId] = match &self.stage {
            Stage::Line(line) => line.ring.as_ref().map_or(&[], |ring| &ring.legs),
            Stage::Dialling { legs, .. } => legs,
            _ => &[],
        };
        if let Some(what) = self.company_contradiction() {
            return Some(what);
        }
        if !expected.iter().all(rings) {
            return Some("it waits for a leg that does not ring");
        }
        if self.legs.iter().any(|leg| leg.dialog == Dialog::Ringing && !expected.contains(&leg.id) && !self.company.awaits(leg.id)) {
            return Some("a leg rings that nobody waits for");
        }
        match self.stage {
            Stage::Talking { peer, .. } if !self.leg(peer).is_some_and(|leg| leg.dialog == Dialog::Up) => Some("it talks with nobody"),
            Stage::Over if self.legs.is_empty() && self.sound.unfinished.is_empty() => Some("it is over and waits for nothing"),
            Stage::Over => None,
            _ if self.leg(self.caller).is_none_or(|leg| leg.dialog == Dialog::Over) => Some("it goes on without its caller"),
            _ => None,
        }
    }

    /// The session's customer is known.
    pub fn on_settled(&mut self, world: &mut World<'_>) {
        if let Stage::Arriving { settled, .. } = &mut self.stage {
            *settled = Done::Yes;
            self.begin(world);
        }
    }

    /// Signalling.
    pub fn on_happening(&mut self, happening: Happening, world: &mut World<'_>) {
        match happening {
            Happening::Progress { leg, status, sdp } => self.on_progress(leg, status, sdp, world),
            Happening::Answered { leg, sdp } => self.on_answered(leg, &sdp, world),
            Happening::Refused { leg, status } => self.on_refused(leg, status, world),
            Happening::OfferedOtherwise { leg } => drop(self.leg_mut(leg).map(Leg::offered_otherwise)),
            Happening::Moved { leg, to } => self.on_moved(leg, &to, world),
            Happening::Confirmed { leg, sdp } => self.on_confirmed(leg, sdp, world),
            Happening::Cancelled { leg } => self.on_leg_over(leg, Ending::CallerCancelled, world),
            Happening::Offered { leg, sdp } => self.on_offered(leg, sdp, world),
            Happening::Reanswered { leg, sdp } => self.on_reanswered(leg, &sdp, world),
            Happening::HungUp { leg } => self.on_leg_over(leg, Ending::CallerHungUp, world),
            Happening::Lost { leg, .. } => self.on_leg_over(leg, Ending::PeerLost, world),
            Happening::Key { leg, key } => self.on_key(leg, key, KeyWay::Info, world),
            Happening::Referred { leg, to, consulted } => {
                let replaces = consulted.and_then(|consulted| if let Consulted::Elsewhere(value) = consulted { Some(value) } else { None });
                self.on_referred(leg, &to, replaces, world);
            }
            Happening::ReofferFailed { leg, .. } => self.on_reoffer_failed(leg, world),
            Happening::Texted { leg, text } => self.on_text(leg, text, world),
            Happening::TransferProgress { leg, status } => self.on_refer_progress(leg, status, world),
            Happening::Invited(_)
            | Happening::Registered { .. }
            | Happening::Watching { .. }
            | Happening::Paged(_)
            | Happening::SignedOn { .. }
            | Happening::SignOnFailed { .. }
            | Happening::Because { .. }
            | Happening::Checked { .. }
            | Happening::Proof { .. } => {}
        }
    }

    /// A clock of this call.
    pub fn on_clock(&mut self, clock: Clock, world: &mut World<'_>) {
        match clock {
            Clock::Plan => self.on_plan_clock(world),
            Clock::Ring => self.on_ring_out(world),
            Clock::NoteLength | Clock::NoteSilence => self.stop_note(world),
            Clock::Announce => self.announce(world),
            Clock::LastReports => self.forget_reports(world),
            Clock::Toll => self.on_toll_clock(world),
            Clock::Supervisor => self.end_supervision("no_answer", world),
            Clock::Consult => self.end_consultation("unreached", world),
            Clock::Early => self.on_early_clock(world),
            Clock::Idle | Clock::Errand => {}
        }
    }

    /// Ends it from outside: the API, or a drain whose time is over.
    pub fn close(&mut self, ending: Ending, disposition: Option<String>, world: &mut World<'_>) {
        self.finish_with(ending, disposition, world);
    }

    /// The plan, as long as there is one.
    #[must_use]
    pub fn talk(&self) -> Option<&Talk> {
        self.talk.as_ref()
    }

    /// The language spoken.
    fn lang(&self, directory: &Directory) -> Lang {
        match (&self.talk, &self.plan) {
            (Some(talk), _) => talk.lang.clone(),
            (None, Some(plan)) => plan.default_lang(),
            (None, None) => directory.plans.values().next().map_or_else(|| Lang::new(FALLBACK_LANG), |plan| plan.default_lang()),
        }
    }

    fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    fn media(&self, command: Command, world: &mut World<'_>) {
        world.out.push(Effect::Media(self.ids.worker, command));
    }
}

/// The language of a center without plans.
const FALLBACK_LANG: &str = "zh-CN";

impl World<'_> {
    fn signal(&mut self, leg: LegId, signal: Signal) {
        self.out.push(Effect::Signal(leg, signal));
    }
}

impl Leg {
    fn has_lease(&self) -> bool {
        self.sound != Sound::Closed
    }

    fn is_waiting(&self) -> bool {
        matches!(self.dialog, Dialog::Ringing | Dialog::Cancelling | Dialog::Arriving)
    }
}

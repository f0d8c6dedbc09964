//! One leg: a SIP dialog, an RTP port, and the sound behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ports::Lease;
use crate::control::random::Random;
use crate::control::sdp::{self, Direction, Local, Refused};
use crate::control::time::Time;
use crate::control::words::media::{Codec, Command, KeyTones, KeyWay, Stream};
use crate::control::words::srtp::{Far, Protection};
use crate::control::words::trunk::{Habits, Keys, Offer};
use crate::control::words::{AgentId, LegId, RoomId};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The customer.
    Caller,
    /// An agent's phone.
    Agent(AgentId),
    /// The phone of a supervisor.
    Supervisor(AgentId),
    /// Somebody a transfer or a trunk reached.
    Far,
}

impl Role {
    /// The word of the event log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Caller => "caller",
            Role::Agent(_) => "agent",
            Role::Supervisor(_) => "supervisor",
            Role::Far => "far",
        }
    }
}

/// The dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// It came in and has no final answer of ours yet.
    Arriving,
    /// We placed it and it has no final answer yet.
    Ringing,
    /// We took it back; its final answer is still to come.
    Cancelling,
    /// It stands.
    Up,
    /// It is over.
    Over,
}

/// The sound of a leg on its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Not opened.
    None,
    /// Open.
    Open,
    /// Asked to close; the worker's last report is still to come.
    Closing,
    /// Closed; the port is given back.
    Closed,
}

/// One leg.
#[derive(Debug)]
pub struct Leg {
    /// Which.
    pub id: LegId,
    /// Who is there.
    pub role: Role,
    /// Where he was called, or the number he called from.
    pub uri: String,
    /// Its dialog.
    pub dialog: Dialog,
    /// Its sound.
    pub sound: Sound,
    /// Does the peer hold us?
    pub held: Held,
    /// Why it is over.
    pub why: &'static str,
    lease: Option<Lease>,
    agreed: Option<Agreed>,
    habits: Habits,
    ours: Origin,
    /// The last key, how it came and when.
    pressed: Option<(char, KeyWay, Time)>,
}

/// Some phones send a key in two ways at once: the second within this is the same press.
const SAME_PRESS: Duration = Duration::from_millis(500);

/// Is a leg held by its peer?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// No.
    No,
    /// Yes.
    Yes,
}

/// What was agreed, with our answer when the peer offered.
#[derive(Debug)]
struct Agreed {
    stream: Stream,
    answer: Option<Bytes>,
}

/// Our description as the peer has seen it.
#[derive(Debug, Clone)]
pub struct Origin {
    session: u64,
    version: u64,
    protection: Protection,
    /// What is wished again when the profile that was offered second is agreed on.
    wished: Option<Protection>,
    /// The last one: later ones keep its lines.
    described: Option<Bytes>,
}

impl Origin {
    /// How its sound is protected.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }
}

/// Everything a new leg needs to know.
#[derive(Debug)]
pub struct NewLeg {
    /// Which.
    pub id: LegId,
    /// Who is there.
    pub role: Role,
    /// Its address.
    pub uri: String,
    /// Its port.
    pub lease: Lease,
    /// Codecs, best first, and what else the far end needs.
    pub habits: Habits,
    /// How its sound is to be protected.
    pub protection: Protection,
}

impl Leg {
    /// A leg without sound.
    #[must_use]
    pub fn new(new: NewLeg, dialog: Dialog, random: &mut Random) -> Leg {
        let NewLeg { id, role, uri, lease, habits, protection } = new;
        // RFC 4566 wants a number that fits 63 bits; version counts up from it without running over.
        let session = random.bits() >> 2;
        Leg {
            id,
            role,
            uri,
            dialog,
            sound: Sound::None,
            held: Held::No,
            why: "",
            lease: Some(lease),
            agreed: None,
            habits,
            ours: Origin { session, version: session, protection, wished: None, described: None },
            pressed: None,
        }
    }

    /// Our offer.
    #[must_use]
    pub fn offer(&mut self) -> Bytes {
        self.ours.version += 1;
        let Some(local) = self.local() else { return Bytes::new() };
        let offer = self.ours.described.as_ref().map_or_else(|| sdp::offer(&local), |last| sdp::offer_again(&local, last));
        self.ours.described = Some(offer.clone());
        offer
    }

    /// The offer for a far end that refuses our first one, of the other profile that policy allows. The same as often as it is asked for.
    #[must_use]
    pub fn second_offer(&self) -> Option<Bytes> {
        let protection = self.ours.protection.otherwise().filter(|_| self.ours.wished.is_none())?;
        Some(sdp::offer(&Local { protection, ..self.local()? }))
    }

    /// The far end refused our first offer and has the second one.
    pub fn offered_otherwise(&mut self) {
        let (Some(offer), Some(other)) = (self.second_offer(), self.ours.protection.otherwise()) else { return };
        self.ours.described = Some(offer);
        self.ours.wished = Some(std::mem::replace(&mut self.ours.protection, other));
    }

    /// Our answer to the peer's offer; what is agreed is kept.
    ///
    /// # Errors
    /// [`Refused`] when nothing in the offer can be accepted.
    pub fn answer(&mut self, offer: &[u8]) -> Result<Bytes, Refused> {
        self.ours.version += 1;
        let (answer, stream) = sdp::answer(&self.local().ok_or_else(no_port)?, offer)?;
        self.ours.described = Some(answer.clone());
        self.agree(stream, Some(answer.clone()));
        Ok(answer)
    }

    /// The peer's answer to our offer; what is agreed is kept.
    ///
    /// # Errors
    /// [`Refused`] when it rejects the audio.
    pub fn accept(&mut self, answer: &[u8]) -> Result<(), Refused> {
        let local = self.local().ok_or_else(no_port)?;
        let stream = match &self.ours.described {
            Some(offer) => sdp::accept_again(&local, offer, answer)?,
            None => sdp::accept(&local, answer)?,
        };
        if let Some(wished) = self.ours.wished.take() {
            self.ours.protection = wished;
        }
        self.agree(stream, None);
        Ok(())
    }

    /// Is the offer still to come, in the 200 to our INVITE?
    #[must_use]
    pub fn awaits_offer(&self) -> bool {
        self.habits.offer == Offer::Late && self.ours.described.is_none()
    }

    /// How keys travel to the far end.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.habits.keys
    }

    /// Does the far end find keys in the sound, where other people's tones reach it by themselves?
    #[must_use]
    pub fn hears_tones(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| agreed.stream.key_tones == KeyTones::Heard)
    }

    /// Is this key the last one, come by another way? Otherwise it is the last one from now on.
    pub fn repeats(&mut self, now: Time, key: char, way: KeyWay) -> bool {
        let same = self.pressed.is_some_and(|(last, by, at)| last == key && by != way && now.since(at) < SAME_PRESS);
        if !same {
            self.pressed = Some((key, way, now));
        }
        same
    }

    /// The answer we gave last.
    #[must_use]
    pub fn answered(&self) -> Option<Bytes> {
        self.agreed.as_ref().and_then(|agreed| agreed.answer.clone())
    }

    /// The origin of its description and the version it has come to.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let mut ours = self.ours.clone();
        if let Some(agreed) = &self.agreed {
            // What it turned out to be counts more than how it is reached.
            ours.protection.far = if agreed.stream.terms.ice.is_some() { Far::Browser } else { Far::Telephone };
        }
        ours
    }

    /// Goes on from another leg's description: the peer is the same, and so must be the origin (RFC 3264 §8).
    pub fn go_on_from(&mut self, origin: Origin) {
        self.ours = origin;
    }

    /// The codec agreed.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.agreed.as_ref().map(|agreed| agreed.stream.codec)
    }

    /// Opens the sound, or brings it up to the newest agreement; nothing when there is none, or it is over.
    #[must_use]
    pub fn tune(&mut self, room: RoomId) -> Option<Command> {
        let stream = self.agreed.as_ref()?.stream.clone();
        match self.sound {
            Sound::None => {
                self.sound = Sound::Open;
                Some(Command::OpenLeg { room, leg: self.id, stream })
            }
            Sound::Open => Some(Command::UpdateLeg { leg: self.id, stream }),
            Sound::Closing | Sound::Closed => None,
        }
    }

    /// Closes the sound; nothing when it is not open.
    #[must_use]
    pub fn silence(&mut self) -> Option<Command> {
        if self.sound != Sound::Open {
            return None;
        }
        self.sound = Sound::Closing;
        Some(Command::CloseLeg { leg: self.id })
    }

    /// The port, to be given back: when the worker has closed the leg, or when it never had any sound.
    #[must_use]
    pub fn take_lease(&mut self) -> Option<Lease> {
        self.sound = Sound::Closed;
        self.lease.take()
    }

    /// Nothing of it is left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.dialog == Dialog::Over && self.lease.is_none()
    }

    /// Does it stand, with sound?
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.dialog == Dialog::Up && self.sound == Sound::Open
    }

    fn agree(&mut self, stream: Stream, answer: Option<Bytes>) {
        self.held = if stream.send { Held::No } else { Held::Yes };
        self.agreed = Some(Agreed { stream, answer });
    }

    fn local(&self) -> Option<Local> {
        let lease = self.lease.as_ref()?;
        Some(Local {
            address: self.habits.advertise.filter(|ip| ip.is_ipv4() == lease.address.is_ipv4()).unwrap_or(lease.address),
            port: lease.port,
            others: Arc::clone(&lease.others),
            codecs: self.habits.codecs.clone(),
            keys: self.habits.keys,
            protection: self.ours.protection,
            session: self.ours.session,
            version: self.ours.version,
            direction: Direction::SendRecv,
            before: self.agreed.as_ref().map(|agreed| agreed.stream.clone()),
        })
    }
}

fn no_port() -> Refused {
    Refused { status: 488, warning: "the leg is closed".to_owned() }
}

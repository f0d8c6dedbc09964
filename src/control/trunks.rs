//! How trunks are: who answers OPTIONS, where we are registered, how many calls they carry.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sip::endpoint::is_there;
use super::time::Time;
use super::words::LegId;
use super::words::directory::Directory;
use super::words::trunk::{Bounds, Trunk};

/// A registrar that refused us is asked again after this: somebody may have mended his account.
pub const REFUSED_AGAIN: Duration = Duration::from_mins(5);
/// When no host of a trunk registers us, the first one is asked again after this.
const UNREACHED_AGAIN: Duration = Duration::from_secs(30);
/// The span that `calls_per_second` is about.
const SECOND: Duration = Duration::from_secs(1);

/// The state of a trunk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Nobody has answered yet, or nobody is asked.
    #[default]
    Unknown,
    /// It answers, and knows us where we register.
    Up,
    /// It does not, and why.
    Down(String),
}

impl State {
    /// The word of the log, and the reason.
    #[must_use]
    pub fn words(&self) -> (&'static str, Option<String>) {
        match self {
            State::Unknown => ("unknown", None),
            State::Up => ("up", None),
            State::Down(why) => ("down", Some(why.clone())),
        }
    }
}

/// Why a trunk takes no call now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// As many calls as are allowed.
    Calls,
    /// As many new ones in this second.
    Rate,
}

/// Which way a call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// We place it: the rate counts too.
    Out,
    /// It came in.
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registered {
    NotYet,
    Yes,
    Refused(u16),
}

#[derive(Debug)]
struct Standing {
    /// What each place said last: `None` before it was asked, then its status or silence.
    places: Vec<Option<Option<u16>>>,
    registered: Option<Registered>,
    shown: State,
    calls: u32,
    /// The rate's bucket is empty until then (GCRA).
    busy_until: Time,
    again: Option<Time>,
    /// The host where we register.
    host: usize,
}

/// All trunks.
#[derive(Debug, Default)]
pub struct Trunks {
    all: BTreeMap<String, Standing>,
    legs: BTreeMap<LegId, String>,
}

impl Trunks {
    /// The trunks of a configuration; what is known of those that stay is kept when `stays` says so.
    pub fn configure(&mut self, directory: &Directory, stays: impl Fn(&Trunk) -> bool) {
        self.all.retain(|name, _| directory.trunks.contains_key(name));
        for (name, trunk) in &directory.trunks {
            let calls = self.all.get(name).map_or(0, |standing| standing.calls);
            if self.all.contains_key(name) && stays(trunk) {
                continue;
            }
            let registered = trunk.registers.as_ref().map(|_| Registered::NotYet);
            let places = vec![None; trunk.hosts.len()];
            let standing = Standing { places, registered, shown: State::Unknown, calls, busy_until: Time::default(), again: None, host: 0 };
            self.all.insert(name.clone(), standing);
        }
    }

    /// A place answered OPTIONS, or did not. The trunk's new state when it is another one.
    pub fn checked(&mut self, name: &str, place: u16, status: Option<u16>) -> Option<State> {
        let standing = self.all.get_mut(name)?;
        *standing.places.get_mut(usize::from(place))? = Some(status);
        standing.news()
    }

    /// We are registered there. The trunk's new state when it is another one.
    pub fn signed_on(&mut self, name: &str) -> Option<State> {
        let standing = self.all.get_mut(name)?;
        standing.registered = Some(Registered::Yes);
        standing.again = None;
        standing.news()
    }

    /// A REGISTER failed. The trunk's new state when it is another one.
    pub fn sign_on_failed(&mut self, now: Time, name: &str, status: u16) -> Option<State> {
        let standing = self.all.get_mut(name)?;
        standing.registered = Some(Registered::Refused(status));
        standing.again = Some(now + REFUSED_AGAIN);
        standing.news()
    }

    /// A REGISTER found nobody: the next host, when there is one that was not tried; else all are tried again later.
    pub fn next_host(&mut self, now: Time, name: &str) -> Option<usize> {
        let standing = self.all.get_mut(name)?;
        standing.host = (standing.host + 1) % standing.places.len().max(1);
        if standing.host == 0 {
            standing.again = Some(now + UNREACHED_AGAIN);
            return None;
        }
        standing.again = None;
        Some(standing.host)
    }

    /// The host where we register.
    #[must_use]
    pub fn host(&self, name: &str) -> usize {
        self.all.get(name).map_or(0, |standing| standing.host)
    }

    /// When a registrar that refused us is asked again.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.all.values().filter_map(|standing| standing.again).min()
    }

    /// One trunk whose registrar is to be asked again. Call until `None`.
    pub fn due(&mut self, now: Time) -> Option<String> {
        let (name, standing) = self.all.iter_mut().find(|(_, standing)| standing.again.is_some_and(|at| at <= now))?;
        standing.again = None;
        Some(name.clone())
    }

    /// The state as it was told last.
    #[must_use]
    pub fn state(&self, name: &str) -> &State {
        self.all.get(name).map_or(&State::Unknown, |standing| &standing.shown)
    }

    /// Is it known to be gone? Others are tried before it.
    #[must_use]
    pub fn is_down(&self, name: &str) -> bool {
        matches!(self.state(name), State::Down(_))
    }

    /// Did this place not answer when it was asked last?
    #[must_use]
    pub fn is_gone(&self, name: &str, place: usize) -> bool {
        let said = self.all.get(name).and_then(|standing| standing.places.get(place).copied().flatten());
        said.is_some_and(|status| !status.is_some_and(is_there))
    }

    /// Counts a leg's call.
    ///
    /// # Errors
    /// [`Full`] when the trunk carries no more; nothing is counted then.
    pub fn take(&mut self, now: Time, trunk: &Trunk, leg: LegId, way: Way) -> Result<(), Full> {
        let Some(standing) = self.all.get_mut(&trunk.name) else { return Ok(()) };
        let Bounds { calls, per_second } = trunk.bounds;
        if calls.is_some_and(|most| standing.calls >= most) {
            return Err(Full::Calls);
        }
        if let (Way::Out, Some(most)) = (way, per_second) {
            let each = SECOND / most.max(1);
            let from = standing.busy_until.max(now);
            if from.since(now) + each > SECOND {
                return Err(Full::Rate);
            }
            standing.busy_until = from + each;
        }
        standing.calls += 1;
        self.legs.insert(leg, trunk.name.clone());
        Ok(())
    }

    /// A leg is over.
    pub fn release(&mut self, leg: LegId) {
        if let Some(standing) = self.legs.remove(&leg).and_then(|name| self.all.get_mut(&name)) {
            standing.calls = standing.calls.saturating_sub(1);
        }
    }

    /// A leg goes on under another name.
    pub fn rename(&mut self, old: LegId, new: LegId) {
        if let Some(name) = self.legs.remove(&old) {
            self.legs.insert(new, name);
        }
    }

    /// The calls of each trunk.
    #[must_use]
    pub fn loads(&self) -> Vec<(String, u32)> {
        self.all.iter().map(|(name, standing)| (name.clone(), standing.calls)).collect()
    }

    /// The calls of a trunk, and those of all.
    #[must_use]
    pub fn calls(&self, name: &str) -> (u32, usize) {
        (self.all.get(name).map_or(0, |standing| standing.calls), self.legs.len())
    }
}

impl Standing {
    fn news(&mut self) -> Option<State> {
        let state = self.state();
        (state != self.shown).then(|| {
            self.shown = state.clone();
            state
        })
    }

    /// One place that answers is enough; a registration that was refused is too little.
    fn state(&self) -> State {
        if let Some(Registered::Refused(status)) = self.registered {
            return State::Down(format!("the registrar answers {status}"));
        }
        let answers = |place: &Option<Option<u16>>| place.is_some_and(|status| status.is_some_and(is_there));
        let answered = self.places.iter().any(answers);
        let asked = self.places.iter().all(Option::is_some);
        match self.registered {
            _ if !answered && asked => State::Down(match self.places.iter().find_map(|place| place.flatten()) {
                Some(status) => format!("OPTIONS is answered {status}"),
                None => "OPTIONS is not answered".to_owned(),
            }),
            Some(Registered::Yes) => State::Up,
            Some(_) => State::Unknown,
            None if answered => State::Up,
            None => State::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::control::words::sip::{Secrecy, Whereabouts};
    use crate::control::words::trunk::{Choice, Registers};

    const NOW: Time = Time(1_000_000_000);

    fn trunk(hosts: u16) -> Trunk {
        let host = |last: u16| Whereabouts { host: format!("10.0.0.{last}"), port: None, transport: None, secrecy: Secrecy::Any };
        Trunk { hosts: (0..hosts).map(|last| Choice { to: host(last), priority: last, weight: 1 }).collect(), ..Trunk::at("t", host(0)) }
    }

    fn trunks(trunk: &Trunk) -> Trunks {
        let mut trunks = Trunks::default();
        let directory = Directory { trunks: BTreeMap::from([("t".to_owned(), trunk.clone())]), ..Directory::default() };
        trunks.configure(&directory, |_| true);
        trunks
    }

    fn down(why: &str) -> State {
        State::Down(why.to_owned())
    }

    #[test]
    fn one_place_that_answers_is_enough_and_a_change_is_told_once() {
        let mut trunks = trunks(&trunk(2));
        assert_eq!(trunks.checked("t", 0, None), None, "the other one is not asked yet");
        assert_eq!(trunks.checked("t", 1, Some(405)), Some(State::Up), "whatever it says, it is there");
        assert_eq!(trunks.checked("t", 1, Some(200)), None);
        assert_eq!(trunks.checked("t", 1, Some(503)), Some(down("OPTIONS is answered 503")));
        assert!(trunks.is_down("t"));
        assert_eq!(trunks.checked("t", 1, None), Some(down("OPTIONS is not answered")));
        assert_eq!(trunks.checked("t", 0, Some(200)), Some(State::Up));
        assert_eq!((trunks.checked("t", 7, None), trunks.checked("other", 0, None)), (None, None));
    }

    #[test]
    fn where_we_register_only_a_registration_makes_it_up() {
        let registers = Some(Registers { domain: "d".to_owned(), expires: SECOND });
        let mut trunks = trunks(&Trunk { registers, ..trunk(1) });
        assert_eq!(trunks.checked("t", 0, Some(200)), None);
        assert_eq!(trunks.signed_on("t"), Some(State::Up));
        assert_eq!(trunks.sign_on_failed(NOW, "t", 403), Some(down("the registrar answers 403")));
        assert_eq!((trunks.due(NOW), trunks.next()), (None, Some(NOW + REFUSED_AGAIN)));
        assert_eq!(trunks.due(NOW + REFUSED_AGAIN).as_deref(), Some("t"));
        assert_eq!((trunks.next(), trunks.signed_on("t")), (None, Some(State::Up)));
    }

    #[test]
    fn a_registration_goes_from_host_to_host_and_begins_again_later() {
        let mut trunks = trunks(&trunk(2));
        assert_eq!((trunks.host("t"), trunks.next_host(NOW, "t"), trunks.next()), (0, Some(1), None));
        assert_eq!((trunks.next_host(NOW, "t"), trunks.next(), trunks.host("t")), (None, Some(NOW + UNREACHED_AGAIN), 0));
    }

    #[test]
    fn no_more_calls_at_once_and_no_more_new_ones_a_second_than_allowed() {
        let bounded = Trunk { bounds: Bounds { calls: Some(5), per_second: Some(2) }, ..trunk(1) };
        let (mut trunks, mut random) = (trunks(&bounded), Random::new(1));
        let legs: Vec<LegId> = (0..9).map(|_| LegId::new(NOW, &mut random)).collect();
        let ms = |ms: u64| NOW + Duration::from_millis(ms);
        assert_eq!(trunks.take(ms(0), &bounded, legs[0], Way::Out), Ok(()));
        assert_eq!(trunks.take(ms(0), &bounded, legs[1], Way::Out), Ok(()));
        assert_eq!(trunks.take(ms(10), &bounded, legs[2], Way::Out), Err(Full::Rate));
        assert_eq!(trunks.take(ms(10), &bounded, legs[2], Way::In), Ok(()), "who calls us is not slowed down");
        assert_eq!(trunks.take(ms(500), &bounded, legs[3], Way::Out), Ok(()));
        assert_eq!(trunks.take(ms(5_000), &bounded, legs[4], Way::Out), Ok(()));
        assert_eq!(trunks.take(ms(9_000), &bounded, legs[5], Way::In), Err(Full::Calls));
        trunks.rename(legs[0], legs[8]);
        trunks.release(legs[0]);
        assert_eq!((trunks.calls("t"), trunks.loads()), ((5, 5), vec![("t".to_owned(), 5)]));
        trunks.release(legs[8]);
        assert_eq!((trunks.calls("t"), trunks.take(ms(9_000), &bounded, legs[5], Way::In)), ((4, 4), Ok(())));
    }
}

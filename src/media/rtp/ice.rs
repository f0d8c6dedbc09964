//! The lite side of ICE (RFC 8445 §2.5) on the port of the sound: whoever knows our name and password may ask, is told where he is
//! seen, and says on which of his ways he wishes to be sent to. He must ask on, or nothing is sent any more (RFC 7675).

use std::net::SocketAddr;
use std::time::Duration;

use ring::hmac;

use crate::control::words::ice::Ice;
use crate::stun::{self, Kind, MESSAGE_INTEGRITY, Message, PRIORITY, Received, USE_CANDIDATE, USERNAME};

/// So many ways of one peer are known at a time; the oldest gives way.
const MOST_WAYS: usize = 8;
/// RFC 7675 §5.1: who has not asked for so long does not wish to be sent anything any more.
const CONSENT: Duration = Duration::from_secs(30);
const UNDERSTOOD: [u16; 4] = [USERNAME, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE];
const BAD_REQUEST: u16 = 400;
const UNAUTHENTICATED: u16 = 401;

/// Does the peer still wish to be sent anything?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Consent {
    Given,
    Over,
}

/// The door of one leg.
#[derive(Debug)]
pub struct Door {
    ice: Ice,
    key: hmac::Key,
    ways: [Option<SocketAddr>; MOST_WAYS],
    next: usize,
    nominated: Option<SocketAddr>,
    asked_at: Duration,
    consent: Consent,
}

impl Door {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(now: Duration, ice: Ice) -> Door {
        let key = stun::key(ice.password().as_bytes());
        Door { ice, key, ways: [None; MOST_WAYS], next: 0, nominated: None, asked_at: now, consent: Consent::Given }
    }

    /// Agreed anew: under another name everything is asked again; meanwhile the sound stays where it is (RFC 8445 §9).
    pub fn renew(&mut self, now: Duration, ice: Ice) {
        if self.ice.name() != ice.name() || self.ice.password() != ice.password() {
            self.key = stun::key(ice.password().as_bytes());
            self.asked_at = now;
        }
        self.ice = ice;
    }

    /// Where the peer wishes to be sent to.
    #[must_use]
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.nominated
    }

    /// Has the peer asked from there? What comes from elsewhere is of somebody else.
    #[must_use]
    pub fn knows(&self, from: SocketAddr) -> bool {
        self.ways.contains(&Some(from))
    }

    /// True once, when the peer has not asked for too long: nothing may be sent to it from now on.
    pub fn is_newly_shut(&mut self, now: Duration) -> bool {
        if self.consent == Consent::Over || now.saturating_sub(self.asked_at) < CONSENT {
            return false;
        }
        (self.consent, self.nominated, self.ways) = (Consent::Over, None, [None; MOST_WAYS]);
        true
    }

    /// Takes a question; `None` where it gets no answer, which is never longer than the question.
    pub fn take(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<Message> {
        let request = Received::parse(datagram).filter(|message| message.kind() == Kind::Request && message.has_fingerprint())?;
        let answer = self.answer(now, from, &request)?.finished();
        (answer.as_bytes().len() <= datagram.len()).then_some(answer)
    }

    /// RFC 8445 §7.3, RFC 8489 §9.1.3.
    fn answer(&mut self, now: Duration, from: SocketAddr, request: &Received<'_>) -> Option<Message> {
        let (Some(name), Some(_)) = (request.value(USERNAME), request.value(MESSAGE_INTEGRITY)) else {
            return Some(Message::refusal(request, BAD_REQUEST));
        };
        // Somebody else's name: he is at the wrong port, or guesses.
        name.strip_prefix(self.ice.name().as_bytes()).filter(|rest| rest.first() == Some(&b':'))?;
        if !request.is_proved_by(&self.key) {
            return Some(Message::refusal(request, UNAUTHENTICATED));
        }
        let mut unknown = request.unknown(&UNDERSTOOD).peekable();
        if unknown.peek().is_some() {
            return Some(Message::not_understood(request, unknown).proved(&self.key));
        }
        (self.asked_at, self.consent) = (now, Consent::Given);
        if !self.knows(from) {
            self.ways[self.next] = Some(from);
            self.next = (self.next + 1) % MOST_WAYS;
        }
        if request.value(USE_CANDIDATE).is_some() {
            self.nominated = Some(from);
        }
        Some(Message::success(request, from).proved(&self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::ice::Theirs;
    use crate::control::words::srtp::KeyChance;
    use crate::stun::{ERROR_CODE, XOR_MAPPED_ADDRESS};

    const ROLE: u16 = 0x802A;

    fn ice(number: u8) -> Ice {
        Ice::new(&KeyChance([number; 32]), b"test", Theirs::default())
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 9], port))
    }

    fn question(name: &str, password: &str, chosen: &[u16]) -> Message {
        let message = Message::new(Kind::Request, &[3; 12]).with(USERNAME, format!("{name}:them").as_bytes());
        let message = message.with(PRIORITY, &[1; 4]).with(ROLE, &[2; 8]);
        chosen.iter().fold(message, |message, kind| message.with(*kind, &[])).proved(&stun::key(password.as_bytes())).finished()
    }

    fn of(ice: &Ice, chosen: &[u16]) -> Message {
        question(ice.name(), ice.password(), chosen)
    }

    fn code(answer: &Message) -> Option<u16> {
        let value = Received::parse(answer.as_bytes())?.value(ERROR_CODE)?;
        Some(u16::from(value[2]) * 100 + u16::from(value[3]))
    }

    #[test]
    fn s37_whoever_knows_the_password_is_let_in_and_chooses_his_way() {
        let (ours, mut door) = (ice(1), Door::new(Duration::ZERO, ice(1)));
        let answer = door.take(Duration::ZERO, at(1), of(&ours, &[]).as_bytes()).unwrap();
        let read = Received::parse(answer.as_bytes()).unwrap();
        assert!(read.kind() == Kind::Success && read.has_fingerprint() && read.is_proved_by(&stun::key(ours.password().as_bytes())));
        assert!(read.value(XOR_MAPPED_ADDRESS).is_some());
        assert_eq!((door.chosen(), door.knows(at(1)), door.knows(at(2))), (None, true, false));
        door.take(Duration::ZERO, at(2), of(&ours, &[USE_CANDIDATE]).as_bytes()).unwrap();
        door.take(Duration::ZERO, at(1), of(&ours, &[]).as_bytes()).unwrap();
        assert_eq!(door.chosen(), Some(at(2)), "a question on another way changes nothing");
        door.take(Duration::ZERO, at(1), of(&ours, &[USE_CANDIDATE]).as_bytes()).unwrap();
        assert_eq!(door.chosen(), Some(at(1)));
    }

    #[test]
    fn s37_strangers_are_refused_or_not_answered_at_all_and_never_at_length() {
        let (ours, mut door) = (ice(1), Door::new(Duration::ZERO, ice(1)));
        let mut ask = |message: &Message| door.take(Duration::ZERO, at(6), message.as_bytes());
        assert_eq!(ask(&question("somebody", ours.password(), &[])), None, "another name");
        assert_eq!(code(&ask(&question(ours.name(), "a wrong password of some length", &[])).unwrap()), Some(401));
        let nameless = Message::new(Kind::Request, &[3; 12]).with(PRIORITY, &[1; 4]);
        assert_eq!(code(&ask(&nameless.with(ROLE, &[2; 8]).finished()).unwrap()), Some(400));
        assert_eq!(ask(&Message::new(Kind::Request, &[3; 12]).finished()), None, "28 bytes get no 36");
        assert_eq!(ask(&nameless), None, "without a fingerprint it may be anything");
        assert_eq!(code(&ask(&of(&ours, &[0x0033])).unwrap()), Some(420));
        let success = Message::new(Kind::Success, &[3; 12]).with(USERNAME, format!("{}:x", ours.name()).as_bytes());
        assert_eq!(ask(&success.proved(&stun::key(ours.password().as_bytes())).finished()), None, "never an answer to an answer");
        assert!(!door.knows(at(6)) && door.chosen().is_none());
    }

    #[test]
    fn s37_a_peer_that_asks_no_more_is_sent_nothing_more_until_it_asks_again() {
        let (ours, mut door) = (ice(1), Door::new(Duration::ZERO, ice(1)));
        let second = Duration::from_secs;
        door.take(second(20), at(1), of(&ours, &[USE_CANDIDATE]).as_bytes()).unwrap();
        assert!(!door.is_newly_shut(second(49)) && door.chosen().is_some());
        assert!(door.is_newly_shut(second(50)) && !door.is_newly_shut(second(51)));
        assert!(door.chosen().is_none() && !door.knows(at(1)));
        door.take(second(52), at(1), of(&ours, &[USE_CANDIDATE]).as_bytes()).unwrap();
        assert!(door.chosen().is_some() && !door.is_newly_shut(second(81)) && door.is_newly_shut(second(82)));
    }

    #[test]
    fn s37_under_a_new_name_the_old_one_is_unknown_and_the_sound_stays_until_the_new_way_is_chosen() {
        let (old, new) = (ice(1), ice(2));
        let mut door = Door::new(Duration::ZERO, old);
        door.take(Duration::ZERO, at(1), of(&old, &[USE_CANDIDATE]).as_bytes()).unwrap();
        door.renew(Duration::ZERO, new);
        assert_eq!(door.take(Duration::ZERO, at(1), of(&old, &[USE_CANDIDATE]).as_bytes()), None);
        assert_eq!(door.chosen(), Some(at(1)));
        door.take(Duration::ZERO, at(2), of(&new, &[USE_CANDIDATE]).as_bytes()).unwrap();
        assert_eq!(door.chosen(), Some(at(2)));
    }

    #[test]
    fn the_ways_of_one_peer_are_bounded() {
        let (ours, mut door) = (ice(1), Door::new(Duration::ZERO, ice(1)));
        for port in 1..100 {
            door.take(Duration::ZERO, at(port), of(&ours, &[]).as_bytes()).unwrap();
        }
        assert_eq!((1..100).filter(|port| door.knows(at(*port))).count(), MOST_WAYS);
    }
}

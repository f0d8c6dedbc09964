//! Who is heard: rates of sources, their offences, bans that end by themselves and grow when they are earned again.
//!
//! Only requests that belong to no call of ours come here. A source that proved itself, or that holds a dialog with us, has shown that
//! it is where it says: it is borne with longer, and its ban is carried out here instead of at the sockets, so that its calls and
//! its registered phones go on.

mod bucket;
mod scanners;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::sip::message::Message;
use super::time::{Deadlines, Time};
use super::words::guard::{Ban, Defence, Fence, GuardCounts, Offence, Source, Watching};
use super::words::net::{Net, within};
use bucket::{Bucket, Generations, Pace};
pub use scanners::is_scanner;

/// Sources remembered in each of two generations: some 100 bytes each.
const SOURCES: usize = 16_384;
/// Bans remembered; above it the one that ends first gives way.
const MOST_BANS: usize = 4_096;
/// Points at which a source is banned.
const ENOUGH: u32 = 100;
/// A source that showed where it is may offend so many times as much: many people may stand behind one address.
const PATIENCE: u32 = 5;
/// A point is forgiven after this.
const FORGIVEN: Duration = Duration::from_secs(6);
/// No ban lasts longer.
const LONGEST: Duration = Duration::from_hours(24);
/// So long after its end a ban still makes the next one longer.
const MEMORY: Duration = Duration::from_hours(24);
/// So many wrong proofs of one user weigh in full, where the source showed where it is. Then it is a phone with an old password that
/// goes on trying, behind one address with good ones, and not somebody who guesses: he would try other users too, or faster.
const TRIES: u32 = 5;
/// What each further one weighs: one in [`FORGIVEN`] is borne with for ever, which is too slow to guess a password.
const STALE_POINTS: u32 = 1;
/// Pairs of a source and a user remembered in each of two generations.
const USERS: usize = 8_192;
/// A call costs us more than another request.
const CALL_TOKENS: u32 = 4;
/// Bans that are told as facts and in the log: more a second are counted only, so that spoofed sources cannot fill the disk.
const TOLD: Pace = Pace { rate: 1, burst: 60 };
/// The sockets' fence is drawn anew at most so often.
const FENCE_EVERY: Duration = Duration::from_millis(100);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is dealt with.
    Heard,
    /// It is above its source's rate: 503 with Retry-After.
    Later,
    /// It gets no answer.
    Unheard,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Nobody we know.
    Stranger,
    /// A phone over the path it registered over: its rate is limited, but it is never banned.
    Phone,
}

/// What it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// A call.
    Call,
    /// Something else.
    Other,
}

/// Something that the owner should tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A ban began.
    Banned(Ban),
    /// It is over by itself.
    Ended(Ban),
    /// The operator lifted it.
    Lifted(Ban),
}

#[derive(Debug)]
struct Account {
    tokens: Bucket,
    points: u32,
    at: Time,
}

/// A ban; when it is over it is kept for a while to make the next one longer.
#[derive(Debug)]
struct Kept {
    ban: Ban,
    over: Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    Yes,
}

/// The guard.
#[derive(Debug)]
pub struct Guard {
    defence: Defence,
    trusted: Vec<Net>,
    accounts: Generations<Source, Account>,
    /// Sources that showed where they are.
    friends: Generations<Source, ()>,
    /// Wrong proofs of a user from a source.
    tries: Generations<(Source, u64), u32>,
    bans: BTreeMap<Source, Kept>,
    ends: Deadlines<Source>,
    told: Bucket,
    news: VecDeque<News>,
    /// When the fence is to be drawn anew.
    redraw: Option<Time>,
    counts: GuardCounts,
}

impl Guard {
    /// A guard who never limits `trusted` sources.
    #[must_use]
    pub fn new(now: Time, defence: Defence, trusted: Vec<Net>) -> Guard {
        Guard {
            defence,
            trusted,
            accounts: Generations::new(SOURCES),
            friends: Generations::new(SOURCES),
            tries: Generations::new(USERS),
            bans: BTreeMap::new(),
            ends: Deadlines::default(),
            told: Bucket::full(now, TOLD),
            news: VecDeque::new(),
            redraw: Some(now),
            counts: GuardCounts::default(),
        }
    }

    /// Takes new settings; bans stay.
    pub fn configure(&mut self, now: Time, defence: Defence, trusted: Vec<Net>) {
        self.defence = defence;
        self.trusted = trusted;
        self.redraw = Some(now);
    }

    /// What becomes of a request that belongs to no call.
    pub fn admit(&mut self, now: Time, address: IpAddr, sender: Sender, asking: Asking) -> Admission {
        if self.is_exempt(address) {
            return Admission::Heard;
        }
        if within(&self.defence.deny, address) {
            self.counts.unheard += 1;
            return Admission::Unheard;
        }
        if self.defence.watching == Watching::Off {
            return Admission::Heard;
        }
        let source = Source::of(address);
        if sender == Sender::Stranger && self.is_banned(now, source) {
            self.counts.unheard += 1;
            return Admission::Unheard;
        }
        let pace = Pace { rate: self.defence.rate, burst: self.defence.burst };
        let tokens = if asking == Asking::Call { CALL_TOKENS } else { 1 };
        if self.account(now, source).tokens.take(now, pace, tokens.min(pace.burst)) {
            return Admission::Heard;
        }
        self.counts.limited += 1;
        if sender == Sender::Stranger {
            self.offend(now, address, Offence::Flood);
        }
        Admission::Later
    }

    /// Does the sender call himself a scanner?
    #[must_use]
    pub fn is_scanner(&self, request: &Message) -> bool {
        self.defence.watching == Watching::On && is_scanner(request)
    }

    /// A source did what good ones do rarely. Those who are exempt never offend.
    pub fn offend(&mut self, now: Time, address: IpAddr, offence: Offence) {
        self.weigh(now, address, offence, points(offence));
    }

    /// A source gave a wrong proof of being this user.
    pub fn mistaken(&mut self, now: Time, address: IpAddr, user: u64) {
        let source = Source::of(address);
        let stale = self.friends.has(&source) && {
            let tries = self.tries.of((source, user), || 0);
            *tries = tries.saturating_add(1);
            *tries > TRIES
        };
        self.weigh(now, address, Offence::WrongProof, if stale { STALE_POINTS } else { points(Offence::WrongProof) });
    }

    fn weigh(&mut self, now: Time, address: IpAddr, offence: Offence, points: u32) {
        if self.defence.watching == Watching::Off || self.is_exempt(address) {
            return;
        }
        self.counts.offences[offence as usize] += 1;
        let source = Source::of(address);
        let enough = if self.friends.has(&source) { ENOUGH * PATIENCE } else { ENOUGH };
        let account = self.account(now, source);
        let forgiven = now.since(account.at).as_secs() / FORGIVEN.as_secs();
        account.points = account.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        account.at = account.at + FORGIVEN * u32::try_from(forgiven).unwrap_or(u32::MAX);
        account.points = account.points.saturating_add(points);
        if account.points >= enough && !self.is_banned(now, source) {
            self.accounts.forget(&source);
            self.ban(now, source, offence);
        }
    }

    /// A source showed that it is where it says: by a proof, or by a message within a call.
    pub fn befriend(&mut self, address: IpAddr) {
        self.friends.of(Source::of(address), || ());
    }

    /// Takes a ban back, with all that was held against the source.
    pub fn lift(&mut self, now: Time, source: Source) -> Option<Ban> {
        let kept = self.bans.remove(&source)?;
        self.ends.clear(&source);
        self.accounts.forget(&source);
        self.redraw = Some(now);
        let ban = kept.ban;
        if kept.over == Over::Yes {
            return None;
        }
        self.news.push_back(News::Lifted(ban));
        Some(ban)
    }

    /// The bans that stand, in the order of their sources.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.bans.values().filter(|kept| kept.over == Over::No).map(|kept| kept.ban).collect()
    }

    /// What it did since the start.
    #[must_use]
    pub fn counts(&self) -> GuardCounts {
        GuardCounts { banned: self.bans.values().filter(|kept| kept.over == Over::No).count(), ..self.counts.clone() }
    }

    /// What the owner should tell.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// When [`Guard::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        [self.ends.next(), self.redraw].into_iter().flatten().min()
    }

    /// Ends the bans that are over; a fence that changed comes back.
    pub fn handle_timeout(&mut self, now: Time) -> Option<Fence> {
        while let Some(source) = self.ends.pop_due(now) {
            self.end(now, source);
        }
        self.redraw.take_if(|at| *at <= now)?;
        Some(self.fence())
    }

    fn end(&mut self, now: Time, source: Source) {
        let Some(kept) = self.bans.get_mut(&source) else { return };
        if kept.over == Over::Yes {
            self.bans.remove(&source);
            return;
        }
        kept.over = Over::Yes;
        self.ends.set(source, now + MEMORY);
        let ban = kept.ban;
        self.redraw_soon(now);
        if self.told.take(now, TOLD, 1) {
            self.news.push_back(News::Ended(ban));
        }
    }

    fn ban(&mut self, now: Time, source: Source, why: Offence) {
        let strikes = self.bans.get(&source).map_or(0, |kept| kept.ban.strikes) + 1;
        let length = self.defence.ban.saturating_mul(1u32.checked_shl(strikes - 1).unwrap_or(u32::MAX)).min(LONGEST.max(self.defence.ban));
        if self.bans.len() >= MOST_BANS
            && !self.bans.contains_key(&source)
            && let Some(first) = self.ends.next()
            && let Some(gone) = self.ends.pop_due(first)
        {
            self.bans.remove(&gone);
        }
        let ban = Ban { source, why, since: now, until: now + length, strikes, unheard: 0 };
        self.bans.insert(source, Kept { ban, over: Over::No });
        self.ends.set(source, ban.until);
        self.counts.bans[why as usize] += 1;
        self.redraw_soon(now);
        if self.told.take(now, TOLD, 1) {
            self.news.push_back(News::Banned(ban));
        }
    }

    fn redraw_soon(&mut self, now: Time) {
        self.redraw.get_or_insert(now + FENCE_EVERY);
    }

    fn is_banned(&mut self, now: Time, source: Source) -> bool {
        let Some(kept) = self.bans.get_mut(&source).filter(|kept| kept.over == Over::No && kept.ban.until > now) else { return false };
        kept.ban.unheard += 1;
        true
    }

    fn account(&mut self, now: Time, source: Source) -> &mut Account {
        let pace = Pace { rate: self.defence.rate, burst: self.defence.burst };
        self.accounts.of(source, || Account { tokens: Bucket::full(now, pace), points: 0, at: now })
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        within(&self.trusted, address) || within(&self.defence.allow, address)
    }

    /// What the sockets may drop unread: not the sources of known phones and calls.
    fn fence(&self) -> Fence {
        let stands = |kept: &&Kept| kept.over == Over::No && !self.friends.has(&kept.ban.source);
        let banned = match self.defence.watching {
            Watching::On => self.bans.values().filter(stands).map(|kept| kept.ban.source).collect(),
            Watching::Off => BTreeSet::new(),
        };
        Fence { banned, allow: self.defence.allow.clone(), deny: self.defence.deny.clone() }
    }
}

/// What an offence weighs. Ten wrong passwords or twenty wrong numbers in a minute or two are no mistake.
fn points(offence: Offence) -> u32 {
    match offence {
        Offence::Scanner => ENOUGH * PATIENCE,
        Offence::WrongProof | Offence::UnknownUser => 10,
        Offence::UnknownNumber => 5,
        Offence::Flood => 1,
    }
}

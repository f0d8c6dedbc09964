//! Who is it? Channel and address → customer.
//!
//! A question to the store is asked once an address, however many contacts wait for its answer, so that two
//! simultaneous contacts from the same new number make one customer. Answers are kept in a bounded memory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::known::{Address, Known};
use crate::control::limits::{IDENTITY_WAIT, KNOWN_ADDRESSES};
use crate::control::random::Random;
use crate::control::time::{Deadlines, Time};
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::{CustomerId, IdentityId, LookupId};

/// The channel of telephone numbers.
pub const PHONE: &str = "phone";
/// How many resting addresses one eviction looks at before it lets the memory grow by one.
const EVICTION_TRIES: usize = 8;

/// What is known of an address.
#[derive(Debug, Clone, PartialEq)]
enum Entry {
    /// The store is asked; these wait.
    Asking { since: Time, waiting: Vec<u64> },
    /// The store knows nobody.
    Nobody,
    /// The store gave no answer in time: it may be somebody.
    Unsure,
    /// This customer's.
    Of(CustomerId, IdentityId),
}

/// Somebody waits to be known.
#[derive(Debug)]
struct Waiting<W> {
    keys: Vec<Address>,
    open: usize,
    what: W,
}

/// How an address is to be linked with the customer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It is his already.
    Has,
    /// It belongs to nobody: link it.
    New(Address),
    /// It was another one's: it moves.
    Moved(Address, IdentityId),
    /// The store did not answer: nothing is claimed.
    Unsure,
}

/// Somebody is known, or new.
#[derive(Debug)]
pub struct Settled<W> {
    /// Who waited.
    pub what: W,
    /// The first of his addresses that belongs to somebody.
    pub customer: Option<CustomerId>,
    /// His addresses in order.
    pub keys: Vec<Address>,
}

/// All addresses in memory, and those who wait.
#[derive(Debug)]
pub struct Identities<W> {
    entries: HashMap<Address, Entry>,
    order: VecDeque<Address>,
    asked: BTreeMap<LookupId, Address>,
    waiting: BTreeMap<u64, Waiting<W>>,
    next: u64,
    deadlines: Deadlines<u64>,
}

impl<W> Default for Identities<W> {
    fn default() -> Self {
        Identities {
            entries: HashMap::new(),
            order: VecDeque::new(),
            asked: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            deadlines: Deadlines::default(),
        }
    }
}

impl<W> Identities<W> {
    /// Asks for the customer behind `keys` (the strongest first). Settled at once when all are in memory.
    pub fn ask(
        &mut self,
        now: Time,
        random: &mut Random,
        keys: Vec<Address>,
        what: W,
        ask: &mut Vec<(LookupId, Lookup)>,
    ) -> Option<Settled<W>> {
        self.next += 1;
        let ticket = self.next;
        let mut open = 0;
        for key in &keys {
            match self.entries.get_mut(key) {
                Some(Entry::Asking { since, waiting }) if now.since(*since) < IDENTITY_WAIT => waiting.push(ticket),
                Some(Entry::Of(..) | Entry::Nobody) => continue,
                Some(Entry::Asking { .. } | Entry::Unsure) | None => ask.push(self.question(now, random, key, ticket)),
            }
            open += 1;
        }
        if open == 0 {
            return Some(self.settle(what, keys));
        }
        self.deadlines.set(ticket, now + IDENTITY_WAIT);
        self.waiting.insert(ticket, Waiting { keys, open, what });
        None
    }

    /// An answer of the store. Those whose addresses are all answered are settled, in the order they came.
    /// Each has to be linked before the next is looked at, hence one a call: go on with [`Identities::next_settled`].
    pub fn found(&mut self, lookup: LookupId, finding: &Finding) -> Option<(Option<Known>, Vec<u64>)> {
        let address = self.asked.remove(&lookup)?;
        let known = match finding {
            Finding::Found(json) => serde_json::from_value::<Known>(json.clone()).ok(),
            _ => None,
        };
        let entry = match (finding, &known) {
            (_, Some(known)) => Entry::Of(known.customer, known.identity),
            (Finding::NotFound, None) => Entry::Nobody,
            _ => Entry::Unsure,
        };
        let waiting = match self.entries.insert(address.clone(), entry) {
            Some(Entry::Asking { waiting, .. }) => waiting,
            Some(Entry::Of(customer, identity)) if known.is_none() => {
                self.entries.insert(address, Entry::Of(customer, identity));
                Vec::new()
            }
            _ => Vec::new(),
        };
        Some((known, waiting))
    }

    /// One of the tickets of [`Identities::found`]: settled when nothing of it is open any more.
    pub fn answered(&mut self, ticket: u64) -> Option<Settled<W>> {
        let waiting = self.waiting.get_mut(&ticket)?;
        waiting.open = waiting.open.saturating_sub(1);
        if waiting.open > 0 {
            return None;
        }
        self.take(ticket)
    }

    /// The next who waited long enough: he goes on with what is known.
    pub fn overdue(&mut self, now: Time) -> Option<Settled<W>> {
        let ticket = self.deadlines.pop_due(now)?;
        self.take(ticket)
    }

    /// When the next has waited long enough.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// How `address` stands towards `customer`.
    #[must_use]
    pub fn link(&self, address: &Address, customer: CustomerId) -> Link {
        match self.entries.get(address) {
            Some(Entry::Of(owner, _)) if *owner == customer => Link::Has,
            Some(Entry::Of(_, identity)) => Link::Moved(address.clone(), *identity),
            Some(Entry::Nobody) => Link::New(address.clone()),
            Some(Entry::Asking { .. } | Entry::Unsure) | None => Link::Unsure,
        }
    }

    /// From now on `address` is this customer's.
    pub fn own(&mut self, address: &Address, customer: CustomerId, identity: IdentityId) {
        self.entries.insert(address.clone(), Entry::Of(customer, identity));
    }

    /// Whose address it is, when it is in memory.
    #[must_use]
    pub fn owner(&self, address: &Address) -> Option<CustomerId> {
        match self.entries.get(address) {
            Some(Entry::Of(customer, _)) => Some(*customer),
            _ => None,
        }
    }

    /// How many wait to be known.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets addresses beyond the bound; `busy` customers are kept. Answers with customers whose address went.
    pub fn evict(&mut self, busy: impl Fn(CustomerId) -> bool) -> Option<CustomerId> {
        if self.entries.len() <= KNOWN_ADDRESSES {
            return None;
        }
        for _ in 0..EVICTION_TRIES {
            let address = self.order.pop_front()?;
            match self.entries.get(&address) {
                Some(Entry::Asking { waiting, .. }) if waiting.iter().any(|ticket| self.waiting.contains_key(ticket)) => {
                    self.order.push_back(address);
                }
                Some(Entry::Of(customer, _)) if busy(*customer) => self.order.push_back(address),
                Some(Entry::Of(customer, _)) => {
                    let customer = *customer;
                    self.entries.remove(&address);
                    return Some(customer);
                }
                Some(Entry::Nobody | Entry::Unsure | Entry::Asking { .. }) | None => {
                    self.entries.remove(&address);
                }
            }
        }
        None
    }

    fn question(&mut self, now: Time, random: &mut Random, key: &Address, ticket: u64) -> (LookupId, Lookup) {
        let lookup = LookupId::new(now, random);
        let mut waiting = vec![ticket];
        match self.entries.remove(key) {
            Some(Entry::Asking { waiting: before, .. }) => {
                waiting.extend(before.into_iter().filter(|ticket| self.waiting.contains_key(ticket)))
            }
            Some(_) => {}
            None => self.order.push_back(key.clone()),
        }
        self.entries.insert(key.clone(), Entry::Asking { since: now, waiting });
        self.asked.insert(lookup, key.clone());
        if self.asked.len() > KNOWN_ADDRESSES {
            self.asked.pop_first();
        }
        (lookup, Lookup::Customer { channel: key.channel.clone(), address: key.address.clone() })
    }

    fn take(&mut self, ticket: u64) -> Option<Settled<W>> {
        self.deadlines.clear(&ticket);
        let waiting = self.waiting.remove(&ticket)?;
        Some(self.settle(waiting.what, waiting.keys))
    }

    fn settle(&self, what: W, keys: Vec<Address>) -> Settled<W> {
        let customer = keys.iter().find_map(|key| self.owner(key));
        Settled { what, customer, keys }
    }
}

/// A telephone number as the center compares them: separators gone, `00` is `+`, a bare Chinese mobile number gets `+86`.
/// What is no number (a SIP user name) stays as it is.
#[must_use]
pub fn phone_number(text: &str) -> String {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || text.chars().any(|c| !c.is_ascii_digit() && !"+-. ()".contains(c)) {
        return text.to_owned();
    }
    if text.trim_start_matches('(').starts_with('+') {
        return format!("+{digits}");
    }
    match digits.as_bytes() {
        [b'0', b'0', rest @ ..] if !rest.is_empty() => format!("+{}", &digits[2..]),
        [b'1', b'3'..=b'9', ..] if digits.len() == MAINLAND_MOBILE => format!("+86{digits}"),
        _ => digits,
    }
}

/// Digits of a mobile number in mainland China.
const MAINLAND_MOBILE: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(channel: &str, address: &str) -> Address {
        Address { channel: channel.into(), address: address.into() }
    }

    #[test]
    fn one_question_serves_all_who_wait_for_the_same_address() {
        let (mut identities, mut random, mut asked) = (Identities::default(), Random::new(1), Vec::new());
        let phone = address(PHONE, "+8613800138000");
        assert!(identities.ask(Time(0), &mut random, vec![phone.clone()], 'a', &mut asked).is_none());
        assert!(identities.ask(Time(1), &mut random, vec![phone.clone()], 'b', &mut asked).is_none());
        assert_eq!(asked.len(), 1);
        let (_, tickets) = identities.found(asked[0].0, &Finding::NotFound).unwrap();
        let first = identities.answered(tickets[0]).unwrap();
        assert_eq!((first.what, first.customer), ('a', None));
        identities.own(&phone, CustomerId(7), IdentityId(8));
        let second = identities.answered(tickets[1]).unwrap();
        assert_eq!((second.what, second.customer), ('b', Some(CustomerId(7))));
        assert_eq!(identities.waiting(), 0);
    }

    #[test]
    fn who_waits_too_long_goes_on_and_a_late_answer_is_still_learnt() {
        let (mut identities, mut random, mut asked) = (Identities::default(), Random::new(1), Vec::new());
        let phone = address(PHONE, "1");
        identities.ask(Time(0), &mut random, vec![phone.clone()], 'a', &mut asked);
        let late = Time(0) + IDENTITY_WAIT;
        assert_eq!(identities.overdue(late).map(|settled| settled.customer), Some(None));
        assert_eq!(identities.link(&phone, CustomerId(1)), Link::Unsure);
        let (known, tickets) = identities.found(asked[0].0, &Finding::NotFound).unwrap();
        assert!(known.is_none());
        assert!(tickets.into_iter().all(|ticket| identities.answered(ticket).is_none()));
        assert_eq!(identities.link(&phone, CustomerId(1)), Link::New(phone));
    }

    #[test]
    fn numbers_compare_however_they_were_written() {
        for same in ["13800138000", "+86 138-0013-8000", "0086 13800138000", "(+86) 13800138000"] {
            assert_eq!(phone_number(same), "+8613800138000", "{same}");
        }
        assert_eq!(phone_number("4001010"), "4001010");
        assert_eq!(phone_number("anna"), "anna");
    }
}

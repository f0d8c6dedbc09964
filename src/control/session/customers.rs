//! Customers in memory and their open conversation.

use std::time::Duration;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::known::{Address, Known, LastAgent, OpenConversation};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::ticket::{MOST_OPEN, OpenTicket};
use crate::control::words::{ConversationId, CustomerId, Lang};

/// A customer as far as the rules need him.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Who.
    pub id: CustomerId,
    /// His name.
    pub name: Option<String>,
    /// The language he is served in.
    pub lang: Option<Lang>,
    /// Where he can be reached.
    pub addresses: Vec<Address>,
    /// `customer.*` of the plans.
    pub fields: Map<String, Value>,
    /// The conversation that is open.
    pub conversation: Option<OpenConversation>,
    /// Who served him last.
    pub last_agent: Option<LastAgent>,
    /// His tickets that are still to be done, the youngest first.
    pub open_tickets: Vec<OpenTicket>,
    open_sessions: u32,
}

impl Customer {
    fn new(id: CustomerId) -> Customer {
        Customer {
            id,
            name: None,
            lang: None,
            addresses: Vec::new(),
            fields: Map::new(),
            conversation: None,
            last_agent: None,
            open_tickets: Vec::new(),
            open_sessions: 0,
        }
    }

    /// Takes over changed fields; null takes one away. `name` and `lang` have a place of their own.
    pub fn change(&mut self, fields: Map<String, Value>) {
        for (name, value) in fields {
            match name.as_str() {
                "name" => self.name = value.as_str().map(str::to_owned),
                "lang" => self.lang = value.as_str().map(Lang::new),
                _ if value.is_null() => drop(self.fields.remove(&name)),
                _ => drop(self.fields.insert(name, value)),
            }
        }
    }
}

/// Is a conversation gone on with, or is a new one opened?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The open one.
    Open(ConversationId),
    /// A new one.
    New(ConversationId),
}

/// All customers in memory.
#[derive(Debug, Default)]
pub struct Customers {
    by_id: FxHashMap<CustomerId, Customer>,
}

impl Customers {
    /// What the store knows; facts of this process's own life win over it.
    pub fn learn(&mut self, known: Known) {
        let customer = self.by_id.entry(known.customer).or_insert_with(|| Customer::new(known.customer));
        customer.name = customer.name.take().or(known.name);
        customer.lang = customer.lang.take().or(known.lang);
        customer.conversation = customer.conversation.or(known.conversation);
        customer.last_agent = customer.last_agent.or(known.last_agent);
        for ticket in known.open_tickets {
            if !customer.open_tickets.iter().any(|open| open.id == ticket.id) {
                customer.open_tickets.push(ticket);
            }
        }
        customer.open_tickets.sort_by_key(|ticket| std::cmp::Reverse(ticket.number));
        customer.open_tickets.truncate(MOST_OPEN);
        for address in known.addresses {
            if !customer.addresses.contains(&address) {
                customer.addresses.push(address);
            }
        }
        for (name, value) in known.fields {
            customer.fields.entry(name).or_insert(value);
        }
    }

    /// A customer nobody knew.
    pub fn add(&mut self, id: CustomerId) -> &mut Customer {
        self.by_id.entry(id).or_insert_with(|| Customer::new(id))
    }

    /// One customer.
    #[must_use]
    pub fn of(&self, id: CustomerId) -> Option<&Customer> {
        self.by_id.get(&id)
    }

    /// One customer, to be changed.
    pub fn of_mut(&mut self, id: CustomerId) -> Option<&mut Customer> {
        self.by_id.get_mut(&id)
    }

    /// Has he a session now?
    #[must_use]
    pub fn is_busy(&self, id: CustomerId) -> bool {
        self.by_id.get(&id).is_some_and(|customer| customer.open_sessions > 0)
    }

    /// A session of his begins: in the open conversation when a session stands in it or its last sign of life is not longer ago than `idle`.
    pub fn begin(&mut self, now: Time, random: &mut Random, id: CustomerId, idle: Duration) -> Joined {
        let customer = self.add(id);
        let busy = customer.open_sessions > 0;
        customer.open_sessions += 1;
        match &mut customer.conversation {
            Some(open) if busy || now.since(open.last) <= idle => {
                open.last = now;
                Joined::Open(open.id)
            }
            _ => {
                let conversation = ConversationId::new(now, random);
                customer.conversation = Some(OpenConversation { id: conversation, last: now });
                Joined::New(conversation)
            }
        }
    }

    /// A session of his is over.
    pub fn end(&mut self, now: Time, id: CustomerId) {
        let Some(customer) = self.by_id.get_mut(&id) else { return };
        customer.open_sessions = customer.open_sessions.saturating_sub(1);
        if let Some(open) = &mut customer.conversation {
            open.last = now;
        }
    }

    /// Forgets him, unless he has a session.
    pub fn forget(&mut self, id: CustomerId) {
        if !self.is_busy(id) {
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[test]
    fn a_conversation_is_gone_on_with_within_its_idle_time_and_while_a_session_stands_in_it() {
        let (mut customers, mut random, id) = (Customers::default(), Random::new(3), CustomerId(1));
        let Joined::New(first) = customers.begin(Time(0), &mut random, id, IDLE) else { panic!("the first is new") };
        let later = Time(0) + IDLE * 10;
        assert_eq!(customers.begin(later, &mut random, id, IDLE), Joined::Open(first));
        customers.end(later, id);
        customers.end(later, id);
        assert_eq!(customers.begin(later + IDLE, &mut random, id, IDLE), Joined::Open(first));
        customers.end(later + IDLE, id);
        assert!(matches!(customers.begin(later + IDLE * 3, &mut random, id, IDLE), Joined::New(_)));
    }
}

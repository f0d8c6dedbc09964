//! Tickets: opened once for each matter; who calls about one that is open already is linked to it.

use serde_json::{Map, Value};

use super::{Effect, Sessions};
use crate::control::discreet::discreet;
use crate::control::event::Fact;
use crate::control::time::Time;
use crate::control::words::ticket::{Duplicate, Filed, MOST_OPEN, OpenTicket, same_matter};
use crate::control::words::{CustomerId, SessionId, TicketId};

/// A ticket to be opened.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// `late_delivery` …
    pub kind: String,
    /// One line.
    pub title: String,
    /// More.
    pub fields: Map<String, Value>,
    /// What becomes of it when the customer has one of the same matter.
    pub duplicate: Duplicate,
}

impl Sessions {
    /// A customer's tickets changed: these are still to be done, the youngest first. Of one who is not in memory the store is asked when
    /// he comes.
    pub fn open_tickets_are(&mut self, customer: CustomerId, tickets: Vec<OpenTicket>) {
        if let Some(customer) = self.customers.of_mut(customer) {
            customer.open_tickets = tickets;
            customer.open_tickets.truncate(MOST_OPEN);
        }
    }

    /// Opens a ticket for the customer of a session, or links the session to the one he has. Gives the number people say.
    pub fn file_ticket(&mut self, now: Time, session: SessionId, new: NewTicket, out: &mut Vec<Effect>) -> Option<(u64, Filed)> {
        let found = self.of(session)?;
        let (customer, conversation) = (found.customer?, found.conversation);
        let NewTicket { kind, title, fields, duplicate } = new;
        // What is compared is what may be kept.
        let (ticket, number) = self.next_ticket(now);
        let fact = discreet(Fact::TicketOpened { ticket, number, customer, conversation, session: Some(session), kind, title, fields });
        let Fact::TicketOpened { kind, title, fields, .. } = &fact else { return None };
        let open = self.customers.of(customer).map(|customer| customer.open_tickets.as_slice()).unwrap_or_default();
        if let Some(OpenTicket { id, number, .. }) = same_matter(open, kind, fields, &duplicate) {
            let (ticket, number) = (*id, *number);
            let (kind, title, fields) = (kind.clone(), title.clone(), fields.clone());
            // The number that was taken for a new one goes to the next.
            self.last_ticket -= 1;
            self.record(now, session, Fact::TicketLinked { ticket, number, customer, conversation, session, kind, title, fields }, out);
            return Some((number, Filed::Linked));
        }
        self.remember_open(customer, &fact);
        self.record(now, session, fact, out);
        Some((number, Filed::New))
    }

    /// Opens a ticket by hand for a customer.
    pub fn open_ticket_for(
        &mut self,
        now: Time,
        customer: CustomerId,
        session: Option<SessionId>,
        new: NewTicket,
        out: &mut Vec<Effect>,
    ) -> TicketId {
        let (ticket, number) = self.next_ticket(now);
        let conversation = self.customers.of(customer).and_then(|customer| customer.conversation).map(|open| open.id);
        let NewTicket { kind, title, fields, .. } = new;
        let fact = discreet(Fact::TicketOpened { ticket, number, customer, conversation, session, kind, title, fields });
        self.remember_open(customer, &fact);
        self.journal(now, fact, out);
        ticket
    }

    fn remember_open(&mut self, customer: CustomerId, fact: &Fact) {
        let Fact::TicketOpened { ticket, number, kind, title, fields, .. } = fact else { return };
        if let Some(customer) = self.customers.of_mut(customer) {
            let ticket = OpenTicket { id: *ticket, number: *number, kind: kind.clone(), title: title.clone(), fields: fields.clone() };
            customer.open_tickets.insert(0, ticket);
            customer.open_tickets.truncate(MOST_OPEN);
        }
    }

    fn next_ticket(&mut self, now: Time) -> (TicketId, u64) {
        self.last_ticket += 1;
        (TicketId::new(now, &mut self.random), self.last_ticket)
    }
}

//! The invariants: after each step, and when everything has come to rest.

use std::hash::Hasher;

use super::{CROWD, Edges, Tally, World};

impl World {
    /// The invariants, after each step.
    pub(super) fn check(&self) {
        let audit = self.switch.audit(self.now);
        assert!(audit.acd.overloaded.is_empty(), "A1: {:?} hold more than they may", audit.acd.overloaded);
        assert!(audit.acd.waiting.values().all(|lines| *lines == 1), "A2: {:?}", audit.acd.waiting);
        assert!(audit.acd.offered.values().all(|offers| *offers == 1), "A4: {:?}", audit.acd.offered);
        assert!(audit.acd.torn.is_empty(), "A1: {:?} do not know of each other", audit.acd.torn);
        assert!(audit.acd.idle_while_waiting.is_empty(), "A3: {:?}", audit.acd.idle_while_waiting);
        let ports = audit.ports;
        assert_eq!(ports.leased, audit.ports_held, "C2: ports are leased that no call holds");
        let total: usize = self.directory.workers.iter().map(|worker| worker.ports.len()).sum();
        assert_eq!(ports.free + ports.resting + ports.leased, total, "C2: a port is lost");
        assert!(audit.contradictions.is_empty(), "C2: {:?}", audit.contradictions);
        let overheard = self.edges.ledger.unheard().find(|(caller, chief)| self.edges.media.hears(*caller, *chief));
        assert_eq!(overheard, None, "S62: a customer hears a supervisor who listens or whispers");
        self.edges.ledger.assert_in_time(self.now);
        let closed = self.edges.drained > 0 || self.edges.drain_until.is_some_and(|until| until < self.now);
        assert!(!closed || audit.calls + audit.chats == 0, "C1: a session runs on behind the end of a drain");
        assert_eq!(audit.legs, audit.legs_held, "C2: the index of legs is not what calls have");
        assert!(audit.calls <= self.directory.limits.calls, "P5: more calls than allowed");
        assert!(audit.machines >= audit.calls + audit.chats, "C1: a session counts that has no machine");
        assert!(audit.sessions.1 <= audit.sessions.0, "C1: more sessions closed than opened");
    }

    pub(super) fn is_at_rest(&self) -> bool {
        let audit = self.switch.audit(self.now);
        audit.machines == 0 && audit.busy.is_empty() && audit.sip.dialogs == 0 && audit.sip.transactions == 0 && audit.sessions.2 == 0
    }

    /// Nothing is left of anything.
    pub(super) fn settle(mut self) -> Tally {
        let audit = self.switch.audit(self.now);
        assert_eq!((audit.legs, audit.ports.leased, audit.clocks), (0, 0, 0), "C2: {audit:?}");
        assert_eq!(audit.sessions.0, audit.sessions.1, "C1: sessions were opened and not closed");
        assert_eq!(audit.waited_for, (0, 0), "C2: somebody still waits");
        assert!(audit.busy.is_empty(), "A1: {:?} hold sessions that are over", audit.busy);
        assert!(self.edges.commands.is_empty(), "commands without an answer: {:?}", self.edges.commands);
        assert_eq!(self.edges.drained, u32::from(self.edges.drain_until.is_some()), "a drain ends in Drained, once");
        self.edges.media.assert_empty();
        self.edges.ledger.assert_settled(self.edges.media.forgotten);
        assert_eq!(self.phones[CROWD].open(), 0, "C1: a caller's INVITE has no final answer");
        let Edges { ledger, .. } = &self.edges;
        self.tally.sessions = ledger.sessions();
        self.tally.offers = ledger.offers();
        self.tally.bridged = ledger.bridged;
        self.tally.endings.clone_from(&ledger.endings);
        self.tally.digest = self.hasher.finish();
        self.tally
    }
}

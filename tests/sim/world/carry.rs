//! What comes out of center and phones is carried where it belongs.

use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use hotline::control::event::{DomainEvent, Fact};
use hotline::control::surface::{Input, Output};
use hotline::control::words::AgentId;
use hotline::control::words::agent::{AgentState, Notice};
use hotline::control::words::sip::{Flow, Located};

use super::{DeskAct, Event, Show, World};
use crate::center::{self, AGENTS};
use crate::network::Datagram;

impl World {
    /// Everything that came out is carried where it belongs, until nothing comes any more.
    pub(super) fn drain(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.switch.poll_output() {
                idle = false;
                self.output(output);
            }
            for number in 0..self.phones.len() {
                while let Some(transmit) = self.phones[number].endpoint.poll_transmit() {
                    let from = self.phones[number].at;
                    self.send(from, transmit.flow, transmit.bytes);
                }
                while let Some(happening) = self.phones[number].endpoint.poll_happening() {
                    idle = false;
                    self.phones[number].note(&happening);
                    self.react(number, happening);
                }
            }
            if idle {
                return;
            }
        }
    }

    fn send(&mut self, from: std::net::SocketAddr, flow: Flow, bytes: Bytes) {
        for delay in self.network.carry(&mut self.random) {
            let datagram = Datagram { from, to: flow.remote, bytes: bytes.clone() };
            self.after(delay, Event::Wire(datagram));
        }
    }

    fn output(&mut self, output: Output) {
        match self.show {
            Show::Digest => format!("{output:?}").hash(&mut self.hasher),
            Show::Trace if !matches!(output, Output::Sip(_)) => println!("{:?}   {output:?}", self.now),
            _ => {}
        }
        match output {
            Output::Sip(transmit) => self.send(center::center(), transmit.flow, transmit.bytes),
            // Nobody here has a name that DNS knows.
            Output::Locate(question) => self.after(Duration::ZERO, Event::Input(Box::new(Input::Located(question, Located::Nowhere)))),
            Output::Media(worker, command) => {
                for (delay, input) in self.edges.media.command(self.now, worker, command, &mut self.random) {
                    self.after(delay, Event::Input(Box::new(input)));
                }
            }
            Output::Chat(send) => assert!(self.edges.chats.contains(&send.session) || send.buttons.is_empty(), "a chat line of no chat"),
            Output::Answer(command, _) => assert!(self.edges.commands.remove(&command), "{command} was answered twice"),
            Output::Find(lookup, question) => {
                if let Some((delay, input)) = self.edges.store.answer(lookup, &question, &mut self.random) {
                    self.after(delay, Event::Input(Box::new(input)));
                }
            }
            Output::Journal(event) => self.journal(&event),
            Output::Notify(agent, notice) => self.notice(agent, &notice),
            Output::Fence(_) => {}
            Output::Drained => self.edges.drained += 1,
        }
    }

    fn journal(&mut self, event: &DomainEvent) {
        self.edges.ledger.write(event);
        self.edges.store.fold(event);
        if let Fact::CallBridged { call, leg, .. } = &event.fact {
            self.edges.media.assert_bridged(self.edges.ledger.caller_of(*call), *leg);
        }
        if let Fact::Assigned { session, .. } = &event.fact {
            self.come_in(*session);
        }
        if let Fact::SessionCreated { session, call, .. } = &event.fact {
            if call.is_none() {
                self.edges.chats.insert(*session);
            }
            self.meddle(*session);
        }
        if let Fact::AgentState { agent, state: AgentState::Away, .. } = &event.fact {
            self.call_back(*agent);
        }
    }

    /// Who is away comes back some time.
    fn call_back(&mut self, agent: AgentId) {
        if let Some(desk) = AGENTS.iter().position(|name| AgentId::of_name(name) == agent) {
            let delay = self.within(2_000, 30_000);
            self.after(delay, Event::Desk(desk, DeskAct::State(AgentState::Available)));
        }
    }

    fn notice(&mut self, agent: AgentId, notice: &Notice) {
        let Notice::Offered { offer, session, .. } = notice else { return };
        let desk = AGENTS.iter().position(|name| AgentId::of_name(name) == agent);
        if let (Some(desk), true) = (desk, self.edges.chats.contains(session)) {
            let delay = self.within(300, 9_000);
            self.after(delay, Event::Desk(desk, DeskAct::Chat(*offer, *session)));
        }
    }
}

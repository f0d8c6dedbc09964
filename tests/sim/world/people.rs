//! What people do: callers, agents at their desks, chat customers, and whoever has the API's key.

use hotline::control::sdp::Direction;
use hotline::control::sip::Happening;
use hotline::control::surface::Input;
use hotline::control::words::agent::AgentCommand;
use hotline::control::words::chat;
use hotline::control::words::media;
use hotline::control::words::{AgentId, CommandId, LegId, OfferId, SessionId};

use super::{CROWD, Caller, CallerAct, DeskAct, Event, FAR_DESK, FIRST_DESK, World};
use crate::center::AGENTS;

impl World {
    pub(super) fn caller(&mut self, number: usize, act: CallerAct) {
        let now = self.now;
        let (leg, port) = (self.callers[number].leg, self.callers[number].port);
        let sound = self.edges.media.leg_at(port);
        match (act, leg) {
            (CallerAct::Dial, _) => {
                let Caller { address, number: to, .. } = &self.callers[number];
                let (leg, port) = self.phones[CROWD].dial(now, address, to);
                self.by_leg.insert(leg, number);
                self.callers[number].leg = Some(leg);
                self.callers[number].port = port;
            }
            (CallerAct::HangUp, Some(leg)) => self.phones[CROWD].hang_up(now, leg),
            (CallerAct::Hold, Some(leg)) => self.phones[CROWD].hold(now, leg, Direction::SendOnly),
            (CallerAct::Resume, Some(leg)) => self.phones[CROWD].hold(now, leg, Direction::SendRecv),
            (CallerAct::Key(key), Some(leg)) if self.phones[CROWD].is_up(leg) => match (sound, self.below(4)) {
                (_, 0) => self.phones[CROWD].endpoint.send_key(now, leg, key),
                (Some(leg), _) => self.input(Input::Media(media::Event::KeyPressed { leg, key, way: media::KeyWay::Event })),
                _ => {}
            },
            (CallerAct::SoundLost, Some(_)) => {
                if let Some(leg) = sound {
                    self.input(Input::Media(media::Event::MediaLost { leg }));
                }
            }
            _ => {}
        }
    }

    pub(super) fn desk(&mut self, desk: usize, act: DeskAct) {
        let now = self.now;
        let phone = &mut self.phones[FIRST_DESK + desk];
        match act {
            DeskAct::Register => phone.register(now, AGENTS[desk]),
            DeskAct::Unregister => phone.endpoint.unregister(now, AGENTS[desk]),
            DeskAct::Answer(leg) => drop(phone.answer(now, leg)),
            DeskAct::Decline(leg, status) => phone.refuse(now, leg, status),
            DeskAct::Hold(leg) => phone.hold(now, leg, Direction::SendOnly),
            DeskAct::Resume(leg) => phone.hold(now, leg, Direction::SendRecv),
            DeskAct::Refer(leg, to) if phone.is_up(leg) => phone.endpoint.refer(now, leg, to),
            DeskAct::Refer(..) => {}
            DeskAct::HangUp(leg) => phone.hang_up(now, leg),
            DeskAct::State(state) => {
                let agent = AgentId::of_name(AGENTS[desk]);
                self.command(AgentCommand::SetState { agent, state, reason: None });
            }
            DeskAct::Chat(offer, session) => self.desk_chat(offer, session),
        }
    }

    fn desk_chat(&mut self, offer: OfferId, session: SessionId) {
        match self.below(8) {
            0 => self.command(AgentCommand::Reject { offer }),
            1 => {}
            _ => {
                self.command(AgentCommand::Accept { offer });
                let content = chat::Content::Text { text: "你好".to_owned() };
                self.command(AgentCommand::Say { session, client_id: "hello".to_owned(), agent: None, content });
                if self.below(2) == 0 {
                    self.command(AgentCommand::Close { session, disposition: Some("solved".to_owned()) });
                }
            }
        }
    }

    pub(super) fn command(&mut self, command: AgentCommand) {
        let id = CommandId::new(self.now, &mut self.random);
        self.edges.commands.insert(id);
        self.switch.handle(self.now, Input::Agent(id, command));
    }

    /// A chat line; one in five comes twice.
    pub(super) fn line(&mut self, number: usize) {
        let id = CommandId::new(self.now, &mut self.random);
        let received = self.chatters[number].line(id, &mut self.random);
        self.edges.commands.insert(id);
        if self.below(5) == 0 {
            let again = CommandId::new(self.now, &mut self.random);
            self.edges.commands.insert(again);
            let copy = chat::Received { command: again, ..received.clone() };
            self.switch.handle(self.now, Input::Chat(copy));
        }
        self.switch.handle(self.now, Input::Chat(received));
    }

    /// What people do when their phone rings, is answered, or falls silent.
    pub(super) fn react(&mut self, phone: usize, happening: Happening) {
        match happening {
            Happening::Invited(invited) => self.rung(phone, invited.leg),
            Happening::Confirmed { leg, .. } if phone != CROWD => self.talk(phone, leg),
            Happening::Referred { leg, .. } if phone == CROWD => self.sent_away(leg),
            Happening::Offered { leg, .. } => self.phones[phone].endpoint.refuse_offer(self.now, leg, 488, &[]),
            _ => {}
        }
    }

    /// A caller's phone that is asked to call somebody else tells how it went, just leaves, or says nothing.
    fn sent_away(&mut self, leg: LegId) {
        let (now, how) = (self.now, self.below(5));
        let endpoint = &mut self.phones[CROWD].endpoint;
        match how {
            0 => endpoint.notify_refer(now, leg, 486),
            1 => self.phones[CROWD].hang_up(now, leg),
            2 => {}
            _ => {
                endpoint.notify_refer(now, leg, 100);
                endpoint.notify_refer(now, leg, 200);
            }
        }
    }

    fn rung(&mut self, phone: usize, leg: LegId) {
        let now = self.now;
        let desk = phone - FIRST_DESK;
        if phone == FAR_DESK && self.below(2) == 0 {
            self.phones[phone].progress(now, leg);
        } else {
            self.phones[phone].endpoint.ring(now, leg, 180, None);
        }
        let act = match self.below(20) {
            0 | 1 => DeskAct::Decline(leg, 486),
            2 => DeskAct::Decline(leg, 603),
            3 | 4 => return,
            _ => DeskAct::Answer(leg),
        };
        let delay = self.within(50, 9_000);
        self.after(delay, Event::Desk(desk, act));
    }

    fn talk(&mut self, phone: usize, leg: LegId) {
        let desk = phone - FIRST_DESK;
        if self.below(5) == 0 {
            let (delay, length) = (self.within(500, 8_000), self.within(300, 5_000));
            self.after(delay, Event::Desk(desk, DeskAct::Hold(leg)));
            self.after(delay + length, Event::Desk(desk, DeskAct::Resume(leg)));
        }
        if self.below(6) == 0 {
            let delay = self.within(500, 12_000);
            let to = [
                "sip:7000@center.example",
                "sip:7000@center.example",
                "sip:802@center.example",
                "sip:far@10.0.3.1",
                "sip:nobody@center.example",
            ];
            let to = to[usize::try_from(self.below(5)).expect("small")];
            self.after(delay, Event::Desk(desk, DeskAct::Refer(leg, to)));
        }
        let delay = self.within(1_000, 40_000);
        self.after(delay, Event::Desk(desk, DeskAct::HangUp(leg)));
    }
}

//! What people mean to do, before anything happens.

use std::time::Duration;

use hotline::control::surface::Input;
use hotline::control::words::agent::{AgentCommand, AgentState, ConsultEnd, Supervision};
use hotline::control::words::{AgentId, QueueId, SessionId};

use super::{CALL_GAP, Caller, CallerAct, DeskAct, Event, NUMBERS, Scale, World};
use crate::center::AGENTS;
use crate::chats::Chatter;

impl World {
    /// Everything people mean to do, before anything happens.
    pub(super) fn plan(&mut self, scale: Scale) {
        for desk in 0..AGENTS.len() {
            let first = self.within(1, 5_000);
            self.after(first, Event::Desk(desk, DeskAct::Register));
        }
        let gap = CALL_GAP / (1 + self.below(6));
        let span = Duration::from_micros(gap * scale.calls as u64);
        for _ in 0..scale.calls {
            self.plan_caller(span);
        }
        for number in 0..scale.chats {
            let chatter = Chatter::new(number, &mut self.random);
            self.chatters.push(chatter);
            let begins = self.somewhere(span);
            for _ in 0..1 + self.below(5) {
                let delay = begins + self.within(0, 40_000);
                self.after(delay, Event::Line(number));
            }
        }
        for _ in 0..scale.calls / 10 {
            let (desk, delay) = (usize::try_from(self.below(AGENTS.len() as u64)).expect("small"), self.somewhere(span));
            let act = match self.below(8) {
                0 => DeskAct::Unregister,
                1 | 2 => DeskAct::Register,
                3 => DeskAct::State(AgentState::Away),
                _ => DeskAct::State(AgentState::Available),
            };
            self.after(delay, Event::Desk(desk, act));
        }
        for _ in 0..scale.calls / 30 {
            let agent = AgentId::of_name(AGENTS[usize::try_from(self.below(AGENTS.len() as u64)).expect("small")]);
            let delay = self.somewhere(span);
            self.after(delay, Event::Api(AgentCommand::Ready { agent }));
        }
        self.plan_operator(span);
    }

    /// Some operators reload, some drain.
    fn plan_operator(&mut self, span: Duration) {
        if self.below(3) == 0 {
            let delay = self.somewhere(span);
            let reload = Input::Directory(self.directory.clone());
            self.after(delay, Event::Input(Box::new(reload)));
        }
        if self.below(3) == 0 {
            let delay = span.mul_f64(0.8);
            let until = self.now + delay + Duration::from_secs(self.below(40));
            self.after(delay, Event::Input(Box::new(Input::Drain { until })));
            self.edges.drain_until = Some(until);
        }
    }

    fn somewhere(&mut self, span: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(span.as_micros()).expect("short")))
    }

    fn plan_caller(&mut self, span: Duration) {
        let number = NUMBERS[usize::try_from(self.below(NUMBERS.len() as u64)).expect("small")];
        let address = match self.below(20) {
            0 => "anonymous".to_owned(),
            _ => format!("1380000{:04}", self.below(120)),
        };
        let caller = self.callers.len();
        self.callers.push(Caller { address, number, leg: None, port: 0 });
        let begins = self.somewhere(span);
        self.after(begins, Event::Caller(caller, CallerAct::Dial));
        let patience = match self.below(10) {
            0 => self.within(1, 400),
            1 | 2 => self.within(400, 6_000),
            3..=6 => self.within(6_000, 50_000),
            _ => self.within(50_000, 160_000),
        };
        self.after(begins + patience, Event::Caller(caller, CallerAct::HangUp));
        for _ in 0..self.below(4) {
            let (delay, key) =
                (begins + self.within(0, 30_000), ['1', '2', '3', '4', '5', '#', '0'][usize::try_from(self.below(7)).expect("small")]);
            self.after(delay, Event::Caller(caller, CallerAct::Key(key)));
        }
        if self.below(8) == 0 {
            let delay = begins + self.within(1_000, 30_000);
            let length = self.within(300, 6_000);
            self.after(delay, Event::Caller(caller, CallerAct::Hold));
            self.after(delay + length, Event::Caller(caller, CallerAct::Resume));
        }
        if self.below(30) == 0 {
            let delay = begins + self.within(1_000, 60_000);
            self.after(delay, Event::Caller(caller, CallerAct::SoundLost));
        }
    }

    /// Supervisors and colleagues come into a conversation, and what they do there is changed at any moment, sense or none.
    pub(super) fn come_in(&mut self, session: SessionId) {
        if self.below(4) != 0 {
            return;
        }
        for _ in 0..1 + self.below(5) {
            let delay = self.within(1, 25_000);
            let supervisor = AgentId::of_name(AGENTS[usize::try_from(self.below(AGENTS.len() as u64)).expect("small")]);
            let to = ["800", "802", "anna", "9123", "2100", "7000", "nobody"][usize::try_from(self.below(7)).expect("small")].to_owned();
            let mode = [Supervision::Listen, Supervision::Whisper, Supervision::Barge][usize::try_from(self.below(3)).expect("small")];
            let how = [ConsultEnd::Cancel, ConsultEnd::Conference, ConsultEnd::Transfer][usize::try_from(self.below(3)).expect("small")];
            let command = match self.below(8) {
                0..=2 => AgentCommand::Supervise { session, supervisor, mode },
                3 => AgentCommand::EndSupervision { session, by: None },
                4 | 5 => AgentCommand::Consult { session, to },
                _ => AgentCommand::EndConsult { session, how },
            };
            self.after(delay, Event::Api(command));
        }
    }

    /// Whoever has the API's key closes a session or moves it into another line, at any moment of its life or after it.
    pub(super) fn meddle(&mut self, session: SessionId) {
        let command = match self.below(30) {
            0 => AgentCommand::Close { session, disposition: Some("closed from outside".to_owned()) },
            1 => AgentCommand::Transfer { session, queue: QueueId::of_name("general") },
            _ => return,
        };
        let delay = self.within(1, 60_000);
        self.after(delay, Event::Api(command));
    }
}

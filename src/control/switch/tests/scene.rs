//! A center with one plan, a caller's and an agent's phone, and a network that hands each datagram on at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::super::*;
use crate::control::dialplan::{Plan, Source, load};
use crate::control::event::Fact;
use crate::control::sdp::{self, Local};
use crate::control::sip::{Message, Outgoing, Received};
use crate::control::words::chat::{self, Content};
use crate::control::words::directory::{
    Agent, Credentials, Forward, Ha1, Handset, Listener, Number, Queue, Selection, Target, Team, Worker,
};
use crate::control::words::guard::Defence;
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::media::{Codec, Command, Prompt, WorkerId};
use crate::control::words::sip::{Flow, ListenerId, Transport};
use crate::control::words::speech::Heard;
use crate::control::words::{CommandId, Lang, PlayId, QueueId, TurnId};
use crate::nlu::Meanings;

pub(super) const PLAN: &str = r#"
dialplan: 1
id: line
title: A line
languages: [zh-CN, en-US]
numbers: ["4001010"]
start: main
calendar: desk
nodes:
  main:
    - menu:
        prompt: {zh-CN: "您好，请说您的问题。", en-US: "Hello."}
        options:
          - {key: 1, goto: claims, label: {zh-CN: "保险", en-US: "insurance"}, examples: {zh-CN: [我要报保险, 车坏了报保险, 追尾了怎么走保险], en-US: [claim insurance, I had an accident, my car was hit]}}
          - {key: 2, goto: leave, label: {zh-CN: "留言", en-US: "message"}, examples: {zh-CN: [我要留言, 帮我留个言, 留个口信], en-US: [leave a message, take a message, I want to leave a message]}}
  claims:
    - queue: {to: claims, context: [intent, slots], overflow: [{after: 30s, goto: leave}]}
    - hangup: {zh-CN: "谢谢，再见。", en-US: "Goodbye."}
  human:
    - goto: claims
  leave:
    - leave_message: {mode: ticket, need: {any_of: [phone]}, max: 20s}
    - hangup: {zh-CN: "再见。", en-US: "Goodbye."}
"#;
/// A line that asks for what nobody may keep.
const SECRET: &str = r#"
dialplan: 1
id: secret
title: A secret
languages: [en-US]
numbers: ["4009"]
start: ask
slots:
  card: {type: digits, length: 16, ask: "Your card number?", mask: true}
  order: {type: digits, length: 4, ask: "Your order number?"}
defaults:
  match: local
  no_input: {after: 60s, tries: 9, then: end}
  no_match: {tries: 9, then: end}
  error: end
nodes:
  ask:
    - ask: [card, order]
    - hangup: "Thank you."
"#;
/// A line that sends its callers away.
const AWAY: &str = r#"
dialplan: 1
id: sent_away
title: Elsewhere
languages: [en-US]
numbers: ["4010"]
start: send
nodes:
  send:
    - transfer: {to: "sip:branch@10.0.0.1:5090", mode: refer, ring: 6s, on_busy: busy, on_no_answer: silent, on_failed: lost}
  busy:
    - hangup: "They are busy."
  silent:
    - hangup: "Nobody answers."
  lost:
    - hangup: "They cannot be reached."
"#;
pub(super) const DESK: &str = r#"
calendars:
  desk: {tz: Asia/Shanghai, open: {daily: "00:00-24:00"}}
queues:
  claims: {agent: [skills, longest_idle], ring: 20s, wrap_up: {max: 0s}}
defaults: {max_wait: 60s}
"#;

/// Trained once for all tests.
pub(super) static PLANS: LazyLock<BTreeMap<String, Arc<Plan>>> = LazyLock::new(|| {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let loaded = load(
        &[source("desk.yaml", DESK), source("line.yaml", PLAN), source("secret.yaml", SECRET), source("sent_away.yaml", AWAY)],
        &BTreeMap::new(),
    );
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    loaded.plans
});

pub(super) fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

pub(super) fn listener(bound: SocketAddr) -> Listener {
    Listener { id: ListenerId(0), transport: Transport::Udp, bound, advertised: bound }
}

pub(super) fn claims() -> QueueId {
    QueueId::of_name("claims")
}

pub(super) fn directory(agents: &[&str]) -> Directory {
    let agents = agents.iter().map(|name| Agent {
        id: AgentId::of_name(name),
        user: (*name).to_owned(),
        name: (*name).to_owned(),
        extension: None,
        ha1: Ha1::default(),
        phone: Handset { uri: Some(format!("sip:{name}@10.0.0.1:{AGENT}")), srtp: None },
        skills: BTreeMap::new(),
        queues: vec![claims()],
        capacity: 1.0,
        auto_available: true,
        forward: Forward::default(),
        team: Team::default(),
    });
    let queue = Queue {
        id: claims(),
        name: "claims".to_owned(),
        selection: Selection::LongestIdle,
        skills: Vec::new(),
        cost: BTreeMap::from([("chat".to_owned(), 0.25)]),
        ring: Duration::from_secs(20),
        missed: AgentState::Away,
        wrap_up: Duration::ZERO,
        max_wait: Duration::from_secs(60),
        sla: None,
    };
    Directory {
        listeners: vec![listener(at(CENTER))],
        workers: vec![Worker {
            id: WorkerId(0),
            advertised: IpAddr::from([10, 0, 0, 1]),
            others: Arc::default(),
            ports: (0..20).map(|n| 20_000 + 2 * n).collect(),
        }],
        domain: "center.example".to_owned(),
        agents: agents.map(|agent| (agent.id, agent)).collect(),
        queues: BTreeMap::from([(queue.id, queue)]),
        plans: PLANS.clone(),
        numbers: vec![
            Number { pattern: "4001010".to_owned(), target: Target::Plan("line".to_owned()) },
            Number { pattern: "4010".to_owned(), target: Target::Plan("sent_away".to_owned()) },
            Number { pattern: "4009".to_owned(), target: Target::Plan("secret".to_owned()) },
            Number { pattern: "7000".to_owned(), target: Target::Queue(claims()) },
            Number { pattern: "9*".to_owned(), target: Target::Trunk("carrier".to_owned()) },
        ],
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        record_calls: true,
        defence: Defence { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Defence::default() },
        ..Directory::default()
    }
}

pub(super) const CENTER: u16 = 5060;
pub(super) const CALLER: u16 = 5070;
pub(super) const AGENT: u16 = 5080;

/// A center with one caller's and one agent's phone on a perfect wire.
pub(super) struct Scene {
    pub(super) now: Time,
    pub(super) switch: Switch,
    pub(super) caller: Endpoint,
    pub(super) agent: Endpoint,
    pub(super) happened: Vec<(u16, Happening)>,
    pub(super) facts: Vec<Fact>,
    pub(super) media: Vec<Command>,
    pub(super) wishes: Vec<Output>,
    pub(super) invites: Vec<String>,
    /// Refusals of ours.
    pub(super) refusals: Vec<String>,
    /// NOTIFYs of ours.
    pub(super) notifies: Vec<String>,
    /// What the phones sent.
    pub(super) sent: Vec<String>,
    /// What goes to these ports is lost.
    pub(super) dead: Vec<u16>,
}

impl Scene {
    pub(super) fn new(directory: Directory) -> Scene {
        let now = Time(1_795_000_000_000_000);
        let phone = |port| Endpoint::new(now, u64::from(port), Settings::new(vec![listener(at(port))], "phones.example", 1));
        let switch = Switch::new(now, 7, Arc::new(directory), Restored::default());
        let mut scene = Scene {
            now,
            switch,
            caller: phone(CALLER),
            agent: phone(AGENT),
            happened: Vec::new(),
            facts: Vec::new(),
            media: Vec::new(),
            wishes: Vec::new(),
            invites: Vec::new(),
            refusals: Vec::new(),
            notifies: Vec::new(),
            sent: Vec::new(),
            dead: Vec::new(),
        };
        scene.run();
        scene
    }

    /// Carries everything where it belongs; the store knows nobody.
    pub(super) fn run(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.switch.poll_output() {
                idle = false;
                self.output(output);
            }
            for (port, phone) in [(CALLER, &mut self.caller), (AGENT, &mut self.agent)] {
                while let Some(transmit) = phone.poll_transmit() {
                    idle = false;
                    self.sent.push(String::from_utf8_lossy(&transmit.bytes).into_owned());
                    self.switch.handle(self.now, Input::Sip(received(port, transmit.bytes)));
                }
                while let Some(happening) = phone.poll_happening() {
                    self.happened.push((port, happening));
                }
            }
            if idle {
                return;
            }
        }
    }

    pub(super) fn output(&mut self, output: Output) {
        match output {
            Output::Sip(transmit) => {
                let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
                if text.starts_with("INVITE") {
                    self.invites.push(text);
                } else if text.starts_with("NOTIFY") {
                    self.notifies.push(text);
                } else if text.starts_with("SIP/2.0 4") {
                    self.refusals.push(text);
                }
                if self.dead.contains(&transmit.flow.remote.port()) {
                    return;
                }
                let phone = if transmit.flow.remote.port() == CALLER { &mut self.caller } else { &mut self.agent };
                phone.receive(self.now, received(CENTER, transmit.bytes));
            }
            Output::Find(lookup, Lookup::Customer { .. }) => self.switch.handle(self.now, Input::Found(lookup, Finding::NotFound)),
            Output::Journal(event) => self.facts.push(event.fact),
            Output::Media(_, command) => self.media(command),
            other => self.wishes.push(other),
        }
    }

    pub(super) fn media(&mut self, command: Command) {
        let answer = match &command {
            Command::CloseLeg { leg } => Some(media::Event::LegClosed { leg: *leg, stats: media::LegStats::default() }),
            Command::StopRecording { recording, .. } => Some(media::Event::RecordingFinished {
                recording: *recording,
                path: "a.wav".into(),
                duration: Duration::from_secs(3),
                bytes: 44,
                sha256: String::new(),
            }),
            _ => None,
        };
        self.media.push(command);
        if let Some(event) = answer {
            self.switch.handle(self.now, Input::Media(event));
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.run();
    }

    pub(super) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.switch.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.run();
        }
        self.now = until;
    }

    pub(super) fn dial(&mut self, number: &str) -> LegId {
        let leg = self.caller.new_leg(self.now);
        let outgoing = Outgoing {
            target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
            request_uri: format!("sip:{number}@center.example"),
            from: "<sip:13800138000@phones.example>".to_owned(),
            to: format!("<sip:{number}@center.example>"),
            headers: Vec::new(),
            sdp: sdp::offer(&local(30_000)),
            credentials: None,
            manner: crate::control::sip::endpoint::Manner::default(),
        };
        self.caller.invite(self.now, leg, outgoing);
        self.run();
        leg
    }

    /// The agent's phone answers what rings there.
    pub(super) fn agent_answers(&mut self) -> LegId {
        let rings = self.happened.iter().rev().find_map(|(port, happening)| match happening {
            Happening::Invited(invited) if *port == AGENT => Some((invited.leg, invited.sdp.clone())),
            _ => None,
        });
        let (leg, offer) = rings.expect("the agent's phone rings");
        let (answer, _) = sdp::answer(&local(40_000), &offer.expect("with an offer")).expect("a common codec");
        self.agent.answer(self.now, leg, answer);
        self.run();
        leg
    }

    /// A call of the agent's phone: its leg of it.
    pub(super) fn agent_dials(&mut self, uri: &str) -> LegId {
        self.agent_dials_as("desk1", uri)
    }

    /// The same by one of the house, whose password is his name.
    pub(super) fn agent_dials_as(&mut self, user: &str, uri: &str) -> LegId {
        self.agent_dials_with(user, uri, &[])
    }

    /// The same with more headers.
    pub(super) fn agent_dials_with(&mut self, user: &str, uri: &str, headers: &[(&str, &str)]) -> LegId {
        let leg = self.agent.new_leg(self.now);
        let outgoing = Outgoing {
            target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
            request_uri: uri.to_owned(),
            from: format!("<sip:{user}@phones.example>"),
            to: format!("<{uri}>"),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            sdp: sdp::offer(&local(41_000)),
            credentials: Some(Credentials { user: user.to_owned(), password: user.to_owned() }),
            manner: crate::control::sip::endpoint::Manner::default(),
        };
        self.agent.invite(self.now, leg, outgoing);
        self.run();
        leg
    }

    /// The agent's phone takes the new description of a call.
    pub(super) fn agent_takes_offer(&mut self, leg: LegId) {
        let offered = |happened: &(u16, Happening)| match &happened.1 {
            Happening::Offered { leg: told, sdp } if *told == leg => sdp.clone(),
            _ => None,
        };
        let offer = self.happened.iter().rev().find_map(offered).expect("a new description");
        let (answer, _) = sdp::answer(&local(42_000), &offer).expect("a common codec");
        self.agent.answer_offer(self.now, leg, answer);
        self.run();
    }

    /// The caller's leg in the center.
    pub(super) fn leg(&self) -> LegId {
        let opened = self.media.iter().find_map(|command| if let Command::OpenLeg { leg, .. } = command { Some(*leg) } else { None });
        opened.expect("the caller has sound")
    }

    pub(super) fn last_play(&self) -> (PlayId, Vec<Prompt>) {
        let play = self.media.iter().rev().find_map(|command| match command {
            Command::Play { play, prompts, .. } => Some((*play, prompts.clone())),
            _ => None,
        });
        play.expect("something plays")
    }

    pub(super) fn finish_play(&mut self) {
        let (leg, (play, _)) = (self.leg(), self.last_play());
        self.input(Input::Media(media::Event::PlayFinished { leg, play, outcome: media::PlayOutcome::Done }));
    }

    /// The caller's leg, and the turn in which the plan listens to it.
    fn listening(&self) -> (LegId, TurnId) {
        let turn = self
            .media
            .iter()
            .rev()
            .find_map(|command| if let Command::Listen { listening, .. } = command { Some(listening.turn) } else { None });
        (self.leg(), turn.expect("the plan listens"))
    }

    /// The caller says a sentence.
    pub(super) fn say(&mut self, text: &str) {
        let (leg, turn) = self.listening();
        self.input(Input::Speech(heard(leg, turn, text)));
    }

    /// The caller speaks after the beep. His leg is given back.
    pub(super) fn leave_message(&mut self, text: &str) -> LegId {
        let (leg, turn) = self.listening();
        self.input(Input::Media(media::Event::SpeechStarted { leg, turn }));
        self.input(Input::Speech(heard(leg, turn, text)));
        leg
    }

    pub(super) fn chat(&mut self, number: u128, text: &str, phone: Option<&str>) {
        let received = chat::Received {
            command: CommandId(number),
            channel: "web".to_owned(),
            external_id: format!("x{number}"),
            address: "visitor".to_owned(),
            content: Content::Text { text: text.to_owned() },
            meanings: Meanings::default(),
            profile: phone.iter().map(|phone| ("phone".to_owned(), (*phone).into())).collect(),
        };
        self.input(Input::Chat(received));
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.facts.iter().map(|fact| serde_json::to_value(fact).unwrap()["type"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|known| *known == name).count()
    }

    pub(super) fn ending(&self) -> Option<&str> {
        self.facts.iter().rev().find_map(|fact| if let Fact::SessionClosed { ending, .. } = fact { Some(ending.as_str()) } else { None })
    }

    pub(super) fn refused(&self) -> Option<u16> {
        self.happened
            .iter()
            .rev()
            .find_map(|(_, happening)| if let Happening::Refused { status, .. } = happening { Some(*status) } else { None })
    }

    pub(super) fn assert_at_rest(&mut self) {
        self.wait(Duration::from_secs(60));
        let audit = self.switch.audit(self.now);
        assert_eq!((audit.machines, audit.legs, audit.ports.leased, audit.sip.dialogs, audit.clocks), (0, 0, 0, 0, 0), "{audit:?}");
        assert_eq!(audit.busy, [], "nobody holds anything");
    }
}

pub(super) fn local(port: u16) -> Local {
    Local::plain([10, 0, 0, 9], port, vec![Codec::Pcma, Codec::Pcmu])
}

pub(super) fn received(from: u16, bytes: bytes::Bytes) -> Received {
    let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(from), connection: None };
    Received { flow, message: Message::parse(bytes).expect("our own print") }
}

pub(super) fn heard(leg: LegId, turn: TurnId, text: &str) -> speech::Event {
    let heard = Heard {
        text: text.to_owned(),
        alternatives: Vec::new(),
        confidence: 0.9,
        lang: Lang::new("zh-CN"),
        pinyin: None,
        meanings: Meanings::default(),
        engine: "test".into(),
        offset: Duration::from_secs(1),
        duration: Duration::from_secs(1),
        latency: Duration::ZERO,
    };
    speech::Event::Heard { leg, turn, heard }
}

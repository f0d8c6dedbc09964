//! The thinnest real lines, end to end through the surface: real SIP from real phones, a real plan, real lines.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::*;
use crate::control::dialplan::{Plan, Source, load};
use crate::control::event::Fact;
use crate::control::sdp::{self, Direction, Local};
use crate::control::sip::{Message, Outgoing, Received};
use crate::control::words::agent::{AgentCommand, Notice, Refusal, Reply};
use crate::control::words::chat::{self, Content};
use crate::control::words::directory::{Agent, Ha1, Listener, Number, Queue, Selection, Target, Worker};
use crate::control::words::lookup::{Finding, Lookup};
use crate::control::words::media::{Codec, Command, Prompt, WorkerId};
use crate::control::words::sip::{Flow, ListenerId, Transport};
use crate::control::words::speech::Heard;
use crate::control::words::{CommandId, Lang, PlayId, QueueId, TurnId};

mod transfers;

const PLAN: &str = r#"
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
const DESK: &str = r#"
calendars:
  desk: {tz: Asia/Shanghai, open: {daily: "00:00-24:00"}}
queues:
  claims: {agent: [skills, longest_idle], ring: 20s, wrap_up: {max: 0s}}
defaults: {max_wait: 60s}
"#;

/// Trained once for all tests.
static PLANS: LazyLock<BTreeMap<String, Arc<Plan>>> = LazyLock::new(|| {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let loaded = load(&[source("desk.yaml", DESK), source("line.yaml", PLAN)], &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    loaded.plans
});

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn listener(bound: SocketAddr) -> Listener {
    Listener { id: ListenerId(0), transport: Transport::Udp, bound, advertised: bound }
}

fn claims() -> QueueId {
    QueueId::of_name("claims")
}

fn directory(agents: &[&str]) -> Directory {
    let agents = agents.iter().map(|name| Agent {
        id: AgentId::of_name(name),
        user: (*name).to_owned(),
        name: (*name).to_owned(),
        extension: None,
        ha1: Ha1::default(),
        uri: Some(format!("sip:{name}@10.0.0.1:{AGENT}")),
        skills: BTreeMap::new(),
        queues: vec![claims()],
        capacity: 1.0,
        auto_available: true,
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
            ports: (0..20).map(|n| 20_000 + 2 * n).collect(),
        }],
        domain: "center.example".to_owned(),
        agents: agents.map(|agent| (agent.id, agent)).collect(),
        queues: BTreeMap::from([(queue.id, queue)]),
        plans: PLANS.clone(),
        numbers: vec![
            Number { pattern: "4001010".to_owned(), target: Target::Plan("line".to_owned()) },
            Number { pattern: "7000".to_owned(), target: Target::Queue(claims()) },
            Number { pattern: "9*".to_owned(), target: Target::Trunk("carrier".to_owned()) },
        ],
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        record_calls: true,
        ..Directory::default()
    }
}

const CENTER: u16 = 5060;
const CALLER: u16 = 5070;
const AGENT: u16 = 5080;

/// A center with one caller's and one agent's phone on a perfect wire.
struct Scene {
    now: Time,
    switch: Switch,
    caller: Endpoint,
    agent: Endpoint,
    happened: Vec<(u16, Happening)>,
    facts: Vec<Fact>,
    media: Vec<Command>,
    wishes: Vec<Output>,
    invites: Vec<String>,
    /// What the phones sent.
    sent: Vec<String>,
}

impl Scene {
    fn new(directory: Directory) -> Scene {
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
            sent: Vec::new(),
        };
        scene.run();
        scene
    }

    /// Carries everything where it belongs; the store knows nobody.
    fn run(&mut self) {
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

    fn output(&mut self, output: Output) {
        match output {
            Output::Sip(transmit) => {
                let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
                if text.starts_with("INVITE") {
                    self.invites.push(text);
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

    fn media(&mut self, command: Command) {
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

    fn input(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.run();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.switch.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.run();
        }
        self.now = until;
    }

    fn dial(&mut self, number: &str) -> LegId {
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
    fn agent_answers(&mut self) -> LegId {
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

    /// The caller's leg in the center.
    fn leg(&self) -> LegId {
        let opened = self.media.iter().find_map(|command| if let Command::OpenLeg { leg, .. } = command { Some(*leg) } else { None });
        opened.expect("the caller has sound")
    }

    fn last_play(&self) -> (PlayId, Vec<Prompt>) {
        let play = self.media.iter().rev().find_map(|command| match command {
            Command::Play { play, prompts, .. } => Some((*play, prompts.clone())),
            _ => None,
        });
        play.expect("something plays")
    }

    fn finish_play(&mut self) {
        let (leg, (play, _)) = (self.leg(), self.last_play());
        self.input(Input::Media(media::Event::PlayFinished { leg, play, outcome: media::PlayOutcome::Done }));
    }

    fn say(&mut self, text: &str) {
        let turn = self
            .media
            .iter()
            .rev()
            .find_map(|command| if let Command::Listen { listening, .. } = command { Some(listening.turn) } else { None });
        let event = heard(self.leg(), turn.expect("the plan listens"), text);
        self.input(Input::Speech(event));
    }

    fn chat(&mut self, number: u128, text: &str, phone: Option<&str>) {
        let received = chat::Received {
            command: CommandId(number),
            channel: "web".to_owned(),
            external_id: format!("x{number}"),
            address: "visitor".to_owned(),
            content: Content::Text { text: text.to_owned() },
            profile: phone.iter().map(|phone| ("phone".to_owned(), (*phone).into())).collect(),
        };
        self.input(Input::Chat(received));
    }

    fn names(&self) -> Vec<String> {
        self.facts.iter().map(|fact| serde_json::to_value(fact).unwrap()["type"].as_str().unwrap().to_owned()).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.names().iter().filter(|known| *known == name).count()
    }

    fn ending(&self) -> Option<&str> {
        self.facts.iter().rev().find_map(|fact| if let Fact::SessionClosed { ending, .. } = fact { Some(ending.as_str()) } else { None })
    }

    fn refused(&self) -> Option<u16> {
        self.happened
            .iter()
            .rev()
            .find_map(|(_, happening)| if let Happening::Refused { status, .. } = happening { Some(*status) } else { None })
    }

    fn assert_at_rest(&mut self) {
        self.wait(Duration::from_secs(60));
        let audit = self.switch.audit(self.now);
        assert_eq!((audit.machines, audit.legs, audit.ports.leased, audit.sip.dialogs, audit.clocks), (0, 0, 0, 0, 0), "{audit:?}");
        assert_eq!(audit.busy, [], "nobody holds anything");
    }
}

fn local(port: u16) -> Local {
    let codecs = vec![Codec::Pcma, Codec::Pcmu];
    Local { address: IpAddr::from([10, 0, 0, 9]), port, codecs, session: 1, version: 1, direction: Direction::SendRecv }
}

fn received(from: u16, bytes: bytes::Bytes) -> Received {
    let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(from), connection: None };
    Received { flow, message: Message::parse(bytes).expect("our own print") }
}

fn heard(leg: LegId, turn: TurnId, text: &str) -> speech::Event {
    let heard = Heard {
        text: text.to_owned(),
        alternatives: Vec::new(),
        confidence: 0.9,
        lang: Lang::new("zh-CN"),
        pinyin: None,
        engine: "test".into(),
        offset: Duration::from_secs(1),
        duration: Duration::from_secs(1),
        latency: Duration::ZERO,
    };
    speech::Event::Heard { leg, turn, heard }
}

#[test]
fn s1_s18_a_spoken_sentence_reaches_the_agent_with_everything_said_and_the_line_ends_clean() {
    let mut scene = Scene::new(directory(&["anna"]));
    let call = scene.dial("4001010");
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.starts_with("您好")));
    scene.finish_play();
    scene.say("我要报保险");
    scene.agent_answers();
    let invite = scene.invites.last().expect("the agent was rung").to_ascii_lowercase();
    assert!(
        invite.contains("x-hotline-session: ses_") && invite.contains("user-to-user: ") && invite.contains(";encoding=hex"),
        "{invite}"
    );
    for name in [
        "call.answered",
        "recording.started",
        "session.understood",
        "session.queued",
        "session.offered",
        "session.assigned",
        "call.bridged",
    ] {
        assert_eq!(scene.count(name), 1, "{name}: {:?}", scene.names());
    }
    let context =
        scene.facts.iter().find_map(|fact| if let Fact::Offered { context, .. } = fact { Some(context.to_string()) } else { None });
    assert!(context.is_some_and(|context| context.contains("claims")), "the agent sees the intent");
    let caller = scene.leg();
    let hears = |ear: bool| {
        scene
            .media
            .iter()
            .any(|command| matches!(command, Command::Hear { ear: e, mouth: m, .. } if (*e == caller) == ear && (*m == caller) != ear))
    };
    assert!(hears(true) && hears(false), "both hear each other");
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    assert_eq!(scene.count("recording.finished"), 1);
    scene.assert_at_rest();
}

#[test]
fn the_agent_hangs_up_and_the_plan_says_good_bye() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '1' }));
    let leg = scene.agent_answers();
    scene.agent.hang_up(scene.now, leg, &[]);
    scene.run();
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.contains("再见")), "{:?}", scene.last_play());
    scene.finish_play();
    assert_eq!(scene.ending(), Some("plan_ended"));
    scene.assert_at_rest();
}

#[test]
fn an_agent_who_declines_leaves_the_caller_in_his_line_and_the_overflow_leads_to_a_ticket() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '1' }));
    assert!(matches!(&scene.last_play().1[0], Prompt::Music(_)), "music while waiting");
    scene.wait(Duration::from_secs(31));
    scene.finish_play();
    assert!(matches!(&scene.last_play().1[0], Prompt::Tone { .. }), "the beep: {:?}", scene.last_play());
    scene.finish_play();
    let turn = scene
        .media
        .iter()
        .rev()
        .find_map(|command| if let Command::Listen { listening, .. } = command { Some(listening.turn) } else { None });
    let (leg, turn) = (scene.leg(), turn.expect("the message is listened to"));
    scene.input(Input::Media(media::Event::SpeechStarted { leg, turn }));
    scene.input(Input::Speech(heard(leg, turn, "请给我回电")));
    scene.input(Input::Media(media::Event::KeyPressed { leg, key: '#' }));
    assert_eq!((scene.count("message.left"), scene.count("ticket.opened")), (1, 1), "{:?}", scene.names());
    scene.finish_play();
    scene.assert_at_rest();
}

#[test]
fn a_caller_who_hangs_up_while_he_leaves_a_message_has_left_it() {
    let mut scene = Scene::new(directory(&[]));
    let call = scene.dial("4001010");
    scene.input(Input::Media(media::Event::KeyPressed { leg: scene.leg(), key: '2' }));
    scene.finish_play();
    scene.finish_play();
    let turn = scene
        .media
        .iter()
        .rev()
        .find_map(|command| if let Command::Listen { listening, .. } = command { Some(listening.turn) } else { None });
    let (leg, turn) = (scene.leg(), turn.expect("the message is listened to"));
    scene.input(Input::Media(media::Event::SpeechStarted { leg, turn }));
    scene.input(Input::Speech(heard(leg, turn, "请给我回电")));
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!((scene.count("message.left"), scene.count("ticket.opened")), (1, 1), "{:?}", scene.names());
    scene.assert_at_rest();
}

#[test]
fn s44_a_chat_with_the_callers_number_stands_in_the_conversation_of_his_call() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    scene.chat(1, "你好", Some("138 0013 8000"));
    let made: Vec<_> = scene
        .facts
        .iter()
        .filter_map(
            |fact| if let Fact::SessionCreated { conversation, customer, .. } = fact { Some((*conversation, *customer)) } else { None },
        )
        .collect();
    assert_eq!(made.len(), 2);
    assert_eq!(made[0], made[1]);
}

#[test]
fn a_chat_is_led_by_the_same_plan_and_reaches_the_same_agent() {
    let mut scene = Scene::new(directory(&["anna"]));
    scene.chat(1, "我要报保险", None);
    let offer = scene.wishes.iter().find_map(|wish| match wish {
        Output::Notify(_, Notice::Offered { offer, session, .. }) => Some((*offer, *session)),
        _ => None,
    });
    let (offer, session) = offer.unwrap_or_else(|| panic!("a desk shows it: {:?}", scene.names()));
    scene.input(Input::Agent(CommandId(8), AgentCommand::Accept { offer }));
    let content = Content::Text { text: "您好".to_owned() };
    let say = AgentCommand::Say { session, client_id: "c1".to_owned(), agent: Some(AgentId::of_name("anna")), content };
    scene.input(Input::Agent(CommandId(9), say.clone()));
    scene.input(Input::Agent(CommandId(10), say));
    let replays = scene.wishes.iter().filter(|wish| matches!(wish, Output::Answer(_, Ok(Reply::Message { replayed: true, .. })))).count();
    assert_eq!(replays, 1, "s47: the same client_id is one message");
    scene.input(Input::Agent(CommandId(11), AgentCommand::Close { session, disposition: Some("solved".to_owned()) }));
    assert_eq!(scene.ending(), Some("closed_by_agent"));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(CommandId(11), Ok(Reply::Done)))));
    scene.assert_at_rest();
}

#[test]
fn s47_the_same_line_of_a_channel_is_one_message() {
    let mut scene = Scene::new(directory(&[]));
    scene.chat(1, "你好", None);
    let messages = scene.count("message.created");
    scene.chat(1, "你好", None);
    assert_eq!(scene.count("message.created"), messages);
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Ok(Reply::Message { replayed: true, .. })))));
}

#[test]
fn who_cannot_be_served_is_told_by_status() {
    let mut scene = Scene::new(directory(&[]));
    for (number, status) in [("5550000", 404), ("9123", 403)] {
        scene.dial(number);
        assert_eq!(scene.refused(), Some(status), "{number}");
    }
    let full = Directory { limits: crate::control::words::directory::Limits { calls: 0, ..Default::default() }, ..directory(&[]) };
    let mut scene = Scene::new(full);
    scene.dial("4001010");
    assert_eq!(scene.refused(), Some(503));
}

#[test]
fn a_queue_without_a_plan_overflows_into_a_promised_callback() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("7000");
    scene.wait(Duration::from_secs(61));
    scene.finish_play();
    assert_eq!(scene.count("callback.promised"), 1);
    assert_eq!(scene.ending(), Some("queue_overflow"));
    scene.assert_at_rest();
}

#[test]
fn a_drain_ends_calls_at_its_time_and_says_so_once() {
    let mut scene = Scene::new(directory(&[]));
    scene.dial("4001010");
    let until = scene.now + Duration::from_secs(10);
    scene.input(Input::Drain { until });
    scene.dial("4001010");
    assert_eq!(scene.refused(), Some(503));
    scene.wait(Duration::from_secs(40));
    assert_eq!(scene.ending(), Some("drained"));
    assert_eq!(scene.wishes.iter().filter(|wish| matches!(wish, Output::Drained)).count(), 1);
}

#[test]
fn a_call_placed_by_the_api_lands_at_its_entry() {
    let mut scene = Scene::new(directory(&[]));
    let originate = |to: &str| AgentCommand::Originate { to: to.to_owned(), entry: "4001010".to_owned() };
    scene.input(Input::Agent(CommandId(1), originate("nowhere")));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Err(Refusal::Unknown { .. })))));
    scene.input(Input::Agent(CommandId(2), originate(&format!("sip:anna@10.0.0.1:{AGENT}"))));
    assert!(matches!(scene.wishes.last(), Some(Output::Answer(_, Ok(Reply::Session(_))))));
    let leg = scene.agent_answers();
    assert!(matches!(&scene.last_play().1[0], Prompt::Text { text, .. } if text.starts_with("您好")));
    scene.agent.hang_up(scene.now, leg, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("caller_hung_up"));
    scene.assert_at_rest();
}

//! The world: one clock, one queue of events, one center, many phones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hotline::control::event::{DomainEvent, Fact};
use hotline::control::random::Random;
use hotline::control::sdp::Direction;
use hotline::control::session::Restored;
use hotline::control::sip::{Happening, Message, Received};
use hotline::control::surface::{Input, Output};
use hotline::control::switch::Switch;
use hotline::control::time::Time;
use hotline::control::words::agent::{AgentCommand, AgentState, Notice};
use hotline::control::words::directory::Directory;
use hotline::control::words::media;
use hotline::control::words::sip::{Flow, ListenerId, Transport};
use hotline::control::words::{AgentId, CommandId, LegId, OfferId, SessionId};

use super::center::{self, AGENTS};
use super::chats::Chatter;
use super::edges::{Media, Store};
use super::ledger::Ledger;
use super::network::{Datagram, Network};
use super::phones::Phone;

/// How much happens in one world.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub calls: usize,
    pub chats: usize,
}

/// What a run shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Nothing,
    Digest,
    Trace,
}

/// What came of a run, or of many.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub runs: u64,
    pub sessions: usize,
    pub offers: usize,
    pub bridged: u64,
    pub steps: u64,
    pub digest: u64,
    pub endings: BTreeMap<String, u64>,
}

impl Tally {
    /// One more run.
    pub fn add(&mut self, other: &Tally) {
        self.runs += other.runs;
        self.sessions += other.sessions;
        self.offers += other.offers;
        self.bridged += other.bridged;
        self.steps += other.steps;
        for (ending, count) in &other.endings {
            *self.endings.entry(ending.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { runs, sessions, offers, bridged, steps, endings, .. } = self;
        write!(f, "{runs} worlds, {sessions} sessions, {offers} offers, {bridged} bridged, {steps} steps; {endings:?}")
    }
}

/// What will happen.
#[derive(Debug)]
enum Event {
    Wire(Datagram),
    Input(Box<Input>),
    Caller(usize, CallerAct),
    Desk(usize, DeskAct),
    Line(usize),
}

#[derive(Debug, Clone, Copy)]
enum CallerAct {
    Dial,
    Key(char),
    Hold,
    Resume,
    SoundLost,
    HangUp,
}

#[derive(Debug, Clone, Copy)]
enum DeskAct {
    Register,
    Unregister,
    Answer(LegId),
    Decline(LegId, u16),
    Hold(LegId),
    Resume(LegId),
    Refer(LegId, &'static str),
    HangUp(LegId),
    State(AgentState),
    Chat(OfferId, SessionId),
}

/// One caller.
#[derive(Debug)]
struct Caller {
    address: String,
    number: &'static str,
    leg: Option<LegId>,
    port: u16,
}

/// The whole.
pub struct World {
    now: Time,
    random: Random,
    queue: BTreeMap<(Time, u64), Event>,
    next: u64,
    switch: Switch,
    directory: Arc<Directory>,
    network: Network,
    phones: Vec<Phone>,
    callers: Vec<Caller>,
    by_leg: HashMap<LegId, usize>,
    chatters: Vec<Chatter>,
    edges: Edges,
    show: Show,
    hasher: DefaultHasher,
    tally: Tally,
}

/// The edges and what is counted at them.
struct Edges {
    media: Media,
    store: Store,
    ledger: Ledger,
    commands: BTreeSet<CommandId>,
    chats: BTreeSet<SessionId>,
    drained: u32,
    drain_until: Option<Time>,
}

/// The crowd's phone stands before the desks', the far end's behind them.
const CROWD: usize = 0;
const FIRST_DESK: usize = 1;
const FAR_DESK: usize = FIRST_DESK + AGENTS.len();
const CALL_GAP: u64 = 4_000_000;
const LONGEST: Duration = Duration::from_hours(4);
const NUMBERS: [&str; 10] = ["4001010", "4001010", "4001010", "4001010", "7000", "7000", "801", "anna", "9123", "4040404"];

/// Prints the seed when a run fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\n>>> failed at seed {0}; replay: SEED={0} cargo test --test sim\n", self.0);
        }
    }
}

impl World {
    /// One world from its beginning to its rest.
    pub fn run(seed: u64, scale: Scale, show: Show) -> Tally {
        let _seed = Seed(seed);
        let mut world = World::new(seed, show);
        world.plan(scale);
        world.go();
        world.settle()
    }

    fn new(seed: u64, show: Show) -> World {
        let mut random = Random::new(seed);
        let now = Time(1_795_000_000_000_000);
        let directory = center::directory(&mut random);
        let network = Network::new(&mut random);
        let addresses = std::iter::once(center::crowd()).chain((0..AGENTS.len()).map(center::desk)).chain([center::far()]);
        let phones = addresses.collect::<Vec<_>>().into_iter().map(|at| Phone::new(now, &mut random, at)).collect();
        let mut media = Media::default();
        media.forgetful = if random.below(4) == 0 { 20 } else { 0 };
        let edges = Edges {
            media,
            store: Store::default(),
            ledger: Ledger::default(),
            commands: BTreeSet::new(),
            chats: BTreeSet::new(),
            drained: 0,
            drain_until: None,
        };
        World {
            now,
            switch: Switch::new(now, random.bits(), directory.clone(), Restored::default()),
            random,
            queue: BTreeMap::new(),
            next: 0,
            directory,
            network,
            phones,
            callers: Vec::new(),
            by_leg: HashMap::new(),
            chatters: Vec::new(),
            edges,
            show,
            hasher: DefaultHasher::new(),
            tally: Tally { runs: 1, ..Tally::default() },
        }
    }

    fn below(&mut self, below: u64) -> u64 {
        self.random.below(below)
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.next += 1;
        self.queue.insert((self.now + delay, self.next), event);
    }

    fn within(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.below(to_ms - from_ms))
    }

    /// Everything people mean to do, before anything happens.
    fn plan(&mut self, scale: Scale) {
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
        self.plan_operator(span);
    }

    /// Some operators reload, some drain.
    fn plan_operator(&mut self, span: Duration) {
        if self.below(3) == 0 {
            let delay = self.somewhere(span);
            let reload = Input::Directory(self.directory.clone());
            self.after(delay, Event::Input(Box::new(reload)));
        }
        if self.below(4) == 0 {
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

    /// Lets everything happen in its time.
    fn go(&mut self) {
        self.drain();
        let end = self.now + LONGEST;
        while let Some(due) = self.due() {
            assert!(due < end, "C2: the world does not come to rest: {:?}", self.switch.audit(self.now));
            self.now = self.now.max(due);
            self.tally.steps += 1;
            self.step();
            self.drain();
            self.check();
            if self.queue.is_empty() && self.is_at_rest() {
                return;
            }
        }
    }

    fn due(&self) -> Option<Time> {
        let queue = self.queue.first_key_value().map(|((at, _), _)| *at);
        let phones = self.phones.iter().filter_map(|phone| phone.endpoint.poll_timeout()).min();
        [queue, self.switch.poll_timeout(), phones].into_iter().flatten().min()
    }

    /// One thing that is due: clocks before messages.
    fn step(&mut self) {
        let now = self.now;
        if self.switch.poll_timeout().is_some_and(|due| due <= now) {
            self.switch.handle_timeout(now);
            return;
        }
        for phone in &mut self.phones {
            if phone.endpoint.poll_timeout().is_some_and(|due| due <= now) {
                phone.endpoint.handle_timeout(now);
                return;
            }
        }
        if let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= now
        {
            let event = entry.remove();
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        if self.show == Show::Trace && !matches!(event, Event::Wire(_)) {
            println!("{:?} {event:?}", self.now);
        }
        match event {
            Event::Wire(datagram) => self.arrive(&datagram),
            Event::Input(input) => self.input(*input),
            Event::Caller(caller, act) => self.caller(caller, act),
            Event::Desk(desk, act) => self.desk(desk, act),
            Event::Line(number) => self.line(number),
        }
    }

    fn arrive(&mut self, datagram: &Datagram) {
        if self.show == Show::Trace {
            let text = String::from_utf8_lossy(&datagram.bytes);
            println!("{:?} {} → {}: {}", self.now, datagram.from, datagram.to, text.lines().next().unwrap_or_default());
        }
        let message = Message::parse(datagram.bytes.clone()).expect("we print what we can parse");
        let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: datagram.from, connection: None };
        let received = Received { flow, message };
        if datagram.to == center::center() {
            self.switch.handle(self.now, Input::Sip(received));
        } else if let Some(phone) = self.phones.iter_mut().find(|phone| phone.at == datagram.to) {
            phone.endpoint.receive(self.now, received);
        }
    }

    fn input(&mut self, input: Input) {
        let port = match &input {
            Input::Media(media::Event::LegClosed { leg, .. }) => self.edges.media.port_of(*leg),
            _ => None,
        };
        if !self.edges.media.still(&input) {
            return;
        }
        if let Some(port) = port {
            self.edges.media.closed(self.now, port);
        }
        self.switch.handle(self.now, input);
    }

    fn caller(&mut self, number: usize, act: CallerAct) {
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
                (Some(leg), _) => self.input(Input::Media(media::Event::KeyPressed { leg, key })),
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

    fn desk(&mut self, desk: usize, act: DeskAct) {
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
                let content = hotline::control::words::chat::Content::Text { text: "你好".to_owned() };
                self.command(AgentCommand::Say { session, client_id: "hello".to_owned(), agent: None, content });
                if self.below(2) == 0 {
                    self.command(AgentCommand::Close { session, disposition: Some("solved".to_owned()) });
                }
            }
        }
    }

    fn command(&mut self, command: AgentCommand) {
        let id = CommandId::new(self.now, &mut self.random);
        self.edges.commands.insert(id);
        self.switch.handle(self.now, Input::Agent(id, command));
    }

    /// A chat line; one in five comes twice.
    fn line(&mut self, number: usize) {
        let id = CommandId::new(self.now, &mut self.random);
        let received = self.chatters[number].line(id, &mut self.random);
        self.edges.commands.insert(id);
        if self.below(5) == 0 {
            let again = CommandId::new(self.now, &mut self.random);
            self.edges.commands.insert(again);
            let copy = hotline::control::words::chat::Received { command: again, ..received.clone() };
            self.switch.handle(self.now, Input::Chat(copy));
        }
        self.switch.handle(self.now, Input::Chat(received));
    }

    /// Everything that came out is carried where it belongs, until nothing comes any more.
    fn drain(&mut self) {
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
            Output::Drained => self.edges.drained += 1,
        }
    }

    fn journal(&mut self, event: &DomainEvent) {
        self.edges.ledger.write(event);
        self.edges.store.fold(event);
        if let Fact::CallBridged { call, leg, .. } = &event.fact {
            self.edges.media.assert_bridged(self.edges.ledger.caller_of(*call), *leg);
        }
        if let Fact::SessionCreated { session, call: None, .. } = &event.fact {
            self.edges.chats.insert(*session);
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

    /// What people do when their phone rings, is answered, or falls silent.
    fn react(&mut self, phone: usize, happening: Happening) {
        match happening {
            Happening::Invited(invited) => self.rung(phone, invited.leg),
            Happening::Confirmed { leg, .. } if phone != CROWD => self.talk(phone, leg),
            Happening::Offered { leg, .. } => self.phones[phone].endpoint.refuse_offer(self.now, leg, 488, &[]),
            _ => {}
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

    /// The invariants, after each step.
    fn check(&self) {
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
        self.edges.ledger.assert_in_time(self.now);
        let closed = self.edges.drained > 0 || self.edges.drain_until.is_some_and(|until| until < self.now);
        assert!(!closed || audit.calls + audit.chats == 0, "C1: a session runs on behind the end of a drain");
        assert_eq!(audit.legs, audit.legs_held, "C2: the index of legs is not what calls have");
        assert!(audit.calls <= self.directory.limits.calls, "P5: more calls than allowed");
        assert!(audit.machines >= audit.calls + audit.chats, "C1: a session counts that has no machine");
        assert!(audit.sessions.1 <= audit.sessions.0, "C1: more sessions closed than opened");
    }

    fn is_at_rest(&self) -> bool {
        let audit = self.switch.audit(self.now);
        audit.machines == 0 && audit.busy.is_empty() && audit.sip.dialogs == 0 && audit.sip.transactions == 0 && audit.sessions.2 == 0
    }

    /// Nothing is left of anything.
    fn settle(mut self) -> Tally {
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

//! The world: one clock, one queue of events, one center, many phones.

mod carry;
mod check;
mod people;
mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::DefaultHasher;
use std::sync::Arc;
use std::time::Duration;

use hotline::control::random::Random;
use hotline::control::session::Restored;
use hotline::control::sip::{Message, Received};
use hotline::control::surface::Input;
use hotline::control::switch::Switch;
use hotline::control::time::Time;
use hotline::control::words::agent::{AgentCommand, AgentState};
use hotline::control::words::directory::Directory;
use hotline::control::words::media;
use hotline::control::words::sip::{Flow, ListenerId, Transport};
use hotline::control::words::{CommandId, LegId, OfferId, SessionId};

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
    Api(AgentCommand),
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
/// A worker's last report of a leg comes within this.
const QUICK_WORKER_MS: u64 = 40;
const SLOW_WORKER_MS: u64 = 6_000;
const CALL_GAP: u64 = 4_000_000;
const LONGEST: Duration = Duration::from_hours(4);
const NUMBERS: [&str; 12] = ["4001010", "4001010", "4001010", "4001010", "7000", "7000", "801", "anna", "9123", "4040404", "2100", "2200"];

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
        media.last_word_ms = if random.below(3) == 0 { SLOW_WORKER_MS } else { QUICK_WORKER_MS };
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
            Event::Api(command) => self.command(command),
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
}

//! The center that is simulated: its agents, queues, numbers, plans.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hotline::control::dialplan::{Plan, Source, load};
use hotline::control::random::Random;
use hotline::control::words::agent::AgentState;
use hotline::control::words::directory::{
    ALL_TEAMS, Agent, Directory, Forward, Ha1, Handset, Limits, Listener, Number, Queue, RingGroup, Ringing, Selection, Target, Team,
    Worker,
};
use hotline::control::words::guard::Defence;
use hotline::control::words::media::{Codec, WorkerId};
use hotline::control::words::sip::{ListenerId, Secrecy, Transport, Whereabouts};
use hotline::control::words::trunk::Trunk;
use hotline::control::words::{AgentId, QueueId};
use md5::{Digest, Md5};

/// The realm and domain.
pub const DOMAIN: &str = "center.example";
/// Every simulated password.
pub const PASSWORD: &str = "secret";
/// Agents with a phone that registers.
pub const AGENTS: [&str; 5] = ["anna", "ben", "chen", "dora", "emil"];
/// How long a released port rests here.
pub const REST: Duration = Duration::from_secs(2);
const FIRST_PORT: u16 = 20_000;
const STANDARD_PORTS: usize = 120;
const FEW_PORTS: usize = 14;

/// The center's own address.
pub fn center() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5060))
}

/// Where all callers' phones are.
pub fn crowd() -> SocketAddr {
    SocketAddr::from(([10, 0, 1, 1], 5060))
}

/// Where the n-th agent's phone is.
pub fn desk(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 2, 1], 5060 + u16::try_from(number).expect("few agents")))
}

/// Where the far end is.
pub fn far() -> SocketAddr {
    SocketAddr::from(([10, 0, 3, 1], 5060))
}

static PLANS: LazyLock<BTreeMap<String, Arc<Plan>>> = LazyLock::new(|| {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let files = [source("desk.yaml", include_str!("plans/desk.yaml")), source("line.yaml", include_str!("plans/line.yaml"))];
    let loaded = load(&files, &BTreeMap::new());
    assert!(!loaded.is_broken(), "{:?}", loaded.problems);
    loaded.plans
});

/// A center as this seed has it: many ports or few, recording or not.
pub fn directory(random: &mut Random) -> Arc<Directory> {
    let few = random.below(5) == 0;
    let ports = if few { FEW_PORTS } else { STANDARD_PORTS };
    let agents = AGENTS.iter().enumerate().map(|(number, name)| agent(number, name));
    Arc::new(Directory {
        listeners: vec![listener(center())],
        workers: (0..2).map(|id| worker(id, ports)).collect(),
        domain: DOMAIN.to_owned(),
        secret: random.bits(),
        agents: agents.map(|agent| (agent.id, agent)).collect(),
        queues: ["claims", "general"].iter().map(|name| queue(name)).map(|queue| (queue.id, queue)).collect(),
        plans: PLANS.clone(),
        numbers: numbers(),
        trunks: BTreeMap::from([("carrier".to_owned(), carrier())]),
        rings: [ring_group("2100", Ringing::Together, Some("7000")), ring_group("2200", Ringing::InTurn, None)].into(),
        limits: Limits {
            calls: if random.below(4) == 0 { 12 } else { 200 },
            port_rest: REST,
            chat_idle: Duration::from_secs(90),
            ..Limits::default()
        },
        // All callers stand behind one address: nobody is to be taken for a scanner.
        defence: {
            let house = vec!["10.0.0.0/8".parse().expect("a network")];
            Defence { allow: house.clone(), trusted: house, ..Defence::default() }
        },
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        record_calls: random.below(2) == 0,
        ..Directory::default()
    })
}

/// A socket at this address.
pub fn listener(at: SocketAddr) -> Listener {
    Listener { id: ListenerId(0), transport: Transport::Udp, bound: at, advertised: at }
}

fn worker(id: u16, ports: usize) -> Worker {
    let first = FIRST_PORT + id * 2_000;
    let ports = (0..ports).map(|number| first + 2 * u16::try_from(number).expect("few ports")).collect();
    Worker { id: WorkerId(id), advertised: IpAddr::from([10, 0, 0, 1]), others: Arc::default(), ports }
}

fn agent(number: usize, name: &str) -> Agent {
    let mut skills = BTreeMap::from([("lang:zh-CN".to_owned(), 5)]);
    if number.is_multiple_of(2) {
        skills.insert("insurance".to_owned(), 5);
    }
    Agent {
        id: AgentId::of_name(name),
        user: name.to_owned(),
        name: name.to_owned(),
        extension: Some(format!("80{number}")),
        ha1: ha1(name),
        phone: Handset::default(),
        skills,
        queues: vec![QueueId::of_name("claims"), QueueId::of_name("general")],
        capacity: 1.0,
        auto_available: true,
        forward: forward(number),
        team: team(number),
    }
}

fn ha1(name: &str) -> Ha1 {
    let text = format!("{name}:{DOMAIN}:{PASSWORD}");
    Ha1 { md5: hex::encode(Md5::digest(&text)), sha256: hex::encode(sha2::Sha256::digest(&text)) }
}

fn queue(name: &str) -> Queue {
    Queue {
        id: QueueId::of_name(name),
        name: name.to_owned(),
        selection: Selection::LongestIdle,
        skills: Vec::new(),
        cost: BTreeMap::from([("voice".to_owned(), 1.0), ("chat".to_owned(), 0.25)]),
        ring: Duration::from_secs(12),
        missed: AgentState::Away,
        wrap_up: Duration::from_secs(3),
        max_wait: Duration::from_secs(70),
        sla: None,
    }
}

/// Two agents and the far end, by number; those who ring together go on to a line when nobody answers.
fn ring_group(number: &str, how: Ringing, otherwise: Option<&str>) -> (String, RingGroup) {
    let members = vec!["800".to_owned(), "801".to_owned(), "9123".to_owned()];
    let (name, number, otherwise) = (number.to_owned(), number.to_owned(), otherwise.map(str::to_owned));
    (name.clone(), RingGroup { name, number, members, how, ring: Duration::from_secs(8), otherwise, srtp: None })
}

/// Some agents send their calls on: busy to a colleague, unanswered to a line, or always to one who sends them back.
fn forward(agent: usize) -> Forward {
    let to = |number: &str| Some(number.to_owned());
    let after = Duration::from_secs(6);
    match agent % 3 {
        0 => Forward::default(),
        1 => Forward { busy: to("800"), no_answer: to("7000"), after, ..Forward::default() },
        _ => Forward { no_answer: to("2200"), after, ..Forward::default() },
    }
}

/// Three of one team, whom dora leads; emil leads everybody.
fn team(agent: usize) -> Team {
    match agent {
        3 => Team { of: None, leads: vec!["claims".to_owned()] },
        4 => Team { of: None, leads: vec![ALL_TEAMS.to_owned()] },
        _ => Team { of: Some("claims".to_owned()), leads: Vec::new() },
    }
}

fn carrier() -> Trunk {
    let far = far();
    let remote = Whereabouts { host: far.ip().to_string(), port: Some(far.port()), transport: None, secrecy: Secrecy::Any };
    Trunk { sources: Vec::new(), ..Trunk::at("carrier", remote) }
}

fn numbers() -> Vec<Number> {
    let number = |pattern: &str, target: Target| Number { pattern: pattern.to_owned(), target };
    vec![
        number("4001010", Target::Plan("line".to_owned())),
        number("7000", Target::Queue(QueueId::of_name("general"))),
        number("9*", Target::Trunk("carrier".to_owned())),
        number("2100", Target::Ring("2100".to_owned())),
        number("2200", Target::Ring("2200".to_owned())),
    ]
}

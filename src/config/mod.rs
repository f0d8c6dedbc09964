//! The configuration: arguments and files become one checked [`Config`], or a list of problems that say how to mend them.

pub mod channels;
pub mod files;
pub mod guard;
pub mod listen;
pub mod notices;
pub mod outbound;
pub mod phones;
pub mod problem;
pub mod recordings;
pub mod server;
pub mod toml_file;
pub mod trunks;
pub mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::control::call::route::{Route, Routes};
use crate::control::dialplan::Plan;
use crate::control::dialplan::actions::Help;
use crate::control::dialplan::check::unstaffed_queues;
use crate::control::dialplan::load::{self, Loaded};
use crate::control::sip::endpoint::fixed_address;
use crate::control::words::AgentId;
use crate::control::words::directory::{Agent, Directory, Listener, Number, RingGroup, Target, Worker};
use crate::control::words::live::Live;
use crate::control::words::media::WorkerId;
use crate::control::words::net::within;
use crate::control::words::sip::{ListenerId, Transport};
use crate::control::words::srtp::{KeyChance, KeysInSdp, ProtectionRules, Srtp};
use crate::control::words::trunk::{Group, Trunk};

use crate::nlu::SentenceModel;
use crate::sentence;

use files::Origin;
use listen::Listen;
use phones::Phone;
use problem::{Problem, any_error, did_you_mean};
use server::{Calls, NumberLine, Ports, Server};

/// Arguments that every command with a configuration takes.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Args {
    /// The folder that holds sip-config/, dialplans/, prompts/, recordings/ and data/; what is missing there is built in
    #[arg(long, env = "HOTLINE_HOME", default_value = ".", value_name = "DIR")]
    pub home: PathBuf,
    /// A SIP socket instead of those of hotline.toml, for instance udp:0.0.0.0:5060 or tls:0.0.0.0:5061; may be repeated; port 0 takes a free one
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", value_parser = listen::listener)]
    pub listen: Vec<Listen>,
    /// The address of the HTTP API instead of that of hotline.toml
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub api: Option<SocketAddr>,
    /// The database instead of that of hotline.toml: sqlite:FILE or postgres://…
    #[arg(long, env = "HOTLINE_DATABASE", hide_env_values = true, value_name = "URL", value_parser = server::database)]
    pub database: Option<String>,
    /// The folder of plans instead of that of hotline.toml
    #[arg(long, value_name = "DIR")]
    pub dialplans: Option<PathBuf>,
    /// The folder of recognizer models instead of that of hotline.toml
    #[arg(long, env = "HOTLINE_MODELS", value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// The sentence model instead of that of hotline.toml
    #[arg(long, env = SENTENCE_MODEL, value_name = "DIR")]
    pub sentence_model: Option<PathBuf>,
}

/// The environment's word for the folder of a sentence model; tools that read plans without a configuration take it too.
pub const SENTENCE_MODEL: &str = "HOTLINE_SENTENCE_MODEL";

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// For the rules.
    pub directory: Arc<Directory>,
    /// For the edges.
    pub server: Arc<Server>,
    /// Agents' phones with passwords where they are known in clear.
    pub phones: Arc<Vec<Phone>>,
    /// What was read.
    pub sources: Sources,
    /// The file of each plan.
    pub plan_files: BTreeMap<String, String>,
    /// Warnings; errors are never in a `Config`.
    pub warnings: Vec<Problem>,
}

/// Where a configuration came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sources {
    /// The home folder.
    pub home: PathBuf,
    /// Were the TOML files built in?
    pub config: Origin,
    /// Were the plans built in?
    pub plans: Origin,
}

/// Chance from the operating system at the start, the same over a reload.
#[derive(Clone, Copy)]
pub struct Secrets {
    /// The salt of stateless nonces.
    pub nonces: u64,
    /// What the keys of SRTP are made of.
    pub keys: [u8; 32],
}

impl Secrets {
    /// For reading the files only: nothing that is secret may be made of it.
    pub const NONE: Secrets = Secrets { nonces: 0, keys: [0; 32] };
}

/// Reads and checks everything.
///
/// # Errors
/// All problems, warnings too, when there is an error among them.
pub fn load(args: &Args, secrets: Secrets) -> Result<Config, Vec<Problem>> {
    let mut out = Vec::new();
    let texts = files::toml_texts(&args.home, &mut out);
    let (mut server, calls) = server::read(&texts.hotline.name, &texts.hotline.text, &mut out);
    server.place_below(&args.home);
    overrule(&mut server, args);
    let (phones, rings) = phones::read(&texts.phones.name, &texts.phones.text, &server.sip.domain, &mut out);
    let ways = trunks::read(&texts.trunks.name, &texts.trunks.text, &mut out);
    let (sources, plan_origin) = files::plan_texts(&server.folders.dialplans, &mut out);
    let model = sentence_model(&server, &texts.hotline.name, &mut out);
    let loaded = load::load_with(&sources, &environment(&server), &model);
    out.extend(loaded.problems.iter().cloned().map(Problem::from));
    let queues: Vec<&str> = loaded.desk.queues.keys().map(String::as_str).collect();
    phones::check_queues(&phones, &queues, &mut out);
    phones::check_teams(&phones, &mut out);
    if texts.origin == Origin::BuiltIn && !server.sip.listen.iter().all(|listen| listen.address.ip().is_loopback()) {
        let mend = format!("copy the files to {}/ and choose passwords", files::CONFIG_FOLDER);
        out.push(Problem::of_file(&texts.phones.name, "the example agents' passwords are known to everybody", mend).as_warning());
    }
    let six = server.sip.listen.iter().find(|listen| listen.address.is_ipv6());
    if let Some(listen) = six.filter(|_| server.media.bind.is_ipv4()) {
        let what = format!("SIP listens on {}, but sound is sent and taken over IPv4 only", listen.address);
        let mend = "callers over IPv6 who have no IPv4 hear nothing; write [media] bind = \"::\" when all have IPv6";
        out.push(Problem::of_file(&texts.hotline.name, what, mend).as_warning());
    }
    let plan_files = loaded.files.clone();
    let people = People { phones: &phones, rings: by_name(rings, |ring| &ring.name) };
    let directory = directory(&server, calls, secrets, people, ways, loaded, &mut out);
    out.extend(unstaffed(&directory, &plan_files));
    out.extend(unreachable(&phones, &directory));
    out.extend(unproved(&phones, &directory));
    out.extend(keys_in_clear(&phones, &directory));
    if any_error(&out) {
        return Err(out);
    }
    let sources = Sources { home: args.home.clone(), config: texts.origin, plans: plan_origin };
    Ok(Config { directory: Arc::new(directory), server: Arc::new(server), phones: Arc::new(phones), sources, plan_files, warnings: out })
}

/// D172: lines of plans that ask for skills nobody has.
fn unstaffed(directory: &Directory, files: &BTreeMap<String, String>) -> Vec<Problem> {
    let agents: Vec<&Agent> = directory.agents.values().collect();
    let of_plan = |(id, plan): (&String, &Arc<Plan>)| unstaffed_queues(plan, files.get(id).unwrap_or(id), &agents);
    directory.plans.iter().flat_map(of_plan).map(Problem::from).collect()
}

/// Telephones outside that no trunk leads to.
fn unreachable<'a>(phones: &'a [Phone], directory: &Directory) -> impl Iterator<Item = Problem> + 'a {
    let routes = Routes::of(directory);
    let far = phones.iter().filter_map(|phone| phone.telephone.as_ref());
    far.filter(move |(number, _)| !matches!(routes.wished(number, None), Some(Route::Trunk { .. }))).map(|(_, problem)| problem.clone())
}

/// Phones that must cipher where no socket speaks TLS: keys may not stand in their descriptions, and few telephones know the handshake.
fn keys_in_clear(phones: &[Phone], directory: &Directory) -> Option<Problem> {
    let rules = &directory.protection;
    let has_tls = directory.listeners.iter().any(|listener| listener.transport.is_secure());
    if has_tls || rules.over_plain_sip == KeysInSdp::Written {
        return None;
    }
    let must = |phone: &&Phone| phone.agent.phone.srtp.unwrap_or(rules.srtp) == Srtp::Required;
    let names: Vec<String> = phones.iter().filter(must).map(|phone| format!("`{}`", phone.agent.user)).collect();
    (!names.is_empty()).then(|| {
        let what = format!(
            "{} must cipher, and no socket speaks TLS: only DTLS-SRTP is offered there, which few telephones know",
            names.join(", ")
        );
        let mend =
            "add \"tls:0.0.0.0:5061\" to listen of [sip]; or [media] srtp_over_plain_sip = true, when the way there is protected otherwise";
        Problem::of_file("phones.toml", what, mend).as_warning()
    })
}

/// Phones without a password that call over UDP from where anybody could have written the address. Trunks are asked for none.
fn unproved<'a>(phones: &'a [Phone], directory: &Directory) -> impl Iterator<Item = Problem> + 'a {
    let over_udp = directory.listeners.iter().any(|listener| listener.transport == Transport::Udp);
    let believed = [directory.trusted(), directory.defence.trusted.clone()].concat();
    let doubtful = move |phone: &&Phone| over_udp && fixed_address(&phone.agent).is_some_and(|ip| !within(&believed, ip));
    phones.iter().filter(doubtful).map(|phone| phone.unproved.clone())
}

/// The sentence model that the plans are trained with.
fn sentence_model(server: &Server, file: &str, out: &mut Vec<Problem>) -> SentenceModel {
    sentence::of(server.folders.sentence_model.as_deref()).unwrap_or_else(|error| {
        let mend = "mend the folder, or take [nlu] model_dir away: sentences are understood from their words then";
        out.push(Problem::of_file(file, error.to_string(), mend));
        SentenceModel::default()
    })
}

fn overrule(server: &mut Server, args: &Args) {
    if let Some(folder) = &args.sentence_model {
        server.folders.sentence_model = Some(folder.clone());
    }
    if !args.listen.is_empty() {
        server.sip.listen.clone_from(&args.listen);
    }
    server.api = args.api.unwrap_or(server.api);
    if let Some(database) = &args.database {
        server.database.clone_from(database);
    }
    if let Some(dialplans) = &args.dialplans {
        server.folders.dialplans.clone_from(dialplans);
    }
    if let Some(models) = &args.models {
        server.folders.models.clone_from(models);
    }
}

/// `[variables]`, and over it the environment.
fn environment(server: &Server) -> BTreeMap<String, String> {
    let mut all = server.variables.clone();
    all.extend(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))));
    all
}

/// Who can be called.
struct People<'a> {
    phones: &'a [Phone],
    rings: BTreeMap<String, RingGroup>,
}

fn by_name<T>(all: Vec<T>, name: impl Fn(&T) -> &String) -> BTreeMap<String, T> {
    all.into_iter().map(|one| (name(&one).clone(), one)).collect()
}

/// What a number can lead to.
struct Names<'a> {
    phones: &'a [Phone],
    rings: &'a BTreeMap<String, RingGroup>,
    ways: Vec<&'a str>,
    loaded: &'a Loaded,
}

fn directory(
    server: &Server,
    calls: Calls,
    secrets: Secrets,
    people: People<'_>,
    (trunks, groups): (Vec<Trunk>, Vec<Group>),
    loaded: Loaded,
    out: &mut Vec<Problem>,
) -> Directory {
    let People { phones, rings } = people;
    let agents: BTreeMap<AgentId, Agent> = phones.iter().map(|phone| (phone.agent.id, phone.agent.clone())).collect();
    let trunks = by_name(trunks, |trunk| &trunk.name);
    let trunk_groups = by_name(groups, |group| &group.name);
    let names =
        Names { phones, rings: &rings, ways: trunks.keys().chain(trunk_groups.keys()).map(String::as_str).collect(), loaded: &loaded };
    let numbers = numbers(&calls.numbers, &names, out);
    let protection = ProtectionRules { chance: KeyChance(secrets.keys), ..calls.protection };
    out.extend(trunks.values().filter_map(|trunk| trunks::keys_in_clear(trunk, &protection)));
    let outbound = calls.outbound.settle(&loaded.desk.calendars, trunks.keys().map(String::as_str), out);
    Directory {
        listeners: listeners(server),
        workers: workers(server),
        domain: server.sip.domain.clone(),
        secret: secrets.nonces,
        agents,
        queues: loaded.desk.queues.into_values().map(|queue| (queue.id, queue)).collect(),
        plans: loaded.plans,
        numbers,
        trunks,
        trunk_groups,
        rings,
        limits: calls.limits,
        defence: calls.defence,
        outbound,
        codecs: calls.codecs,
        protection,
        record_calls: calls.record,
        hold_music: calls.hold_music,
        notices: calls.notices,
        recording_form: server.recordings.form,
        help: Arc::new(Help { actions: loaded.actions, knowledge: Arc::new(loaded.knowledge) }),
        live: Live::default(),
    }
}

/// Sockets as configured; the wiring puts in what was really bound where a port is 0.
fn listeners(server: &Server) -> Vec<Listener> {
    let listener = |(at, listen): (usize, &Listen)| Listener {
        id: ListenerId(u16::try_from(at).unwrap_or(u16::MAX)),
        transport: listen.transport,
        bound: listen.address,
        advertised: server.advertised_of(listen),
    };
    server.sip.listen.iter().enumerate().map(listener).collect()
}

/// The even RTP ports shared out in blocks; with free ports the wiring puts in what was really bound.
fn workers(server: &Server) -> Vec<Worker> {
    let count = usize::from(server.media.workers);
    let even: Vec<u16> = match &server.media.ports {
        Ports::Range(range) => range.clone().filter(|port| port % 2 == 0).collect(),
        Ports::Free(_) => Vec::new(),
    };
    let share = even.len().div_ceil(count).max(1);
    let (advertised, others) = server.reached_at(server.media.bind);
    let ports = |worker: usize| even.iter().skip(worker * share).take(share).copied().collect();
    let id = |worker| WorkerId(u16::try_from(worker).unwrap_or(u16::MAX));
    (0..count).map(|worker| Worker { id: id(worker), advertised, others: Arc::clone(&others), ports: ports(worker) }).collect()
}

/// Who answers which number: the operator's own lines first, then the plans', then the extensions.
fn numbers(lines: &[NumberLine], names: &Names<'_>, out: &mut Vec<Problem>) -> Vec<Number> {
    let mut claims: Vec<(Number, String)> = Vec::new();
    for line in lines {
        match target(line, names) {
            Ok(target) => claims.push((Number { pattern: line.pattern.clone(), target }, line.problem.place.clone())),
            Err(mend) => out.push(Problem { mend, ..line.problem.clone() }),
        }
    }
    for plan in names.loaded.plans.values() {
        let target = || Target::Plan(plan.id.clone());
        claims.extend(
            plan.numbers.iter().map(|pattern| (Number { pattern: pattern.clone(), target: target() }, format!("plan {}", plan.id))),
        );
    }
    for ring in names.rings.values() {
        let number = Number { pattern: ring.number.clone(), target: Target::Ring(ring.name.clone()) };
        claims.push((number, format!("ring group {}", ring.name)));
    }
    for agent in names.phones.iter().map(|phone| &phone.agent) {
        let extension = agent.extension.iter().map(|extension| Number { pattern: extension.clone(), target: Target::Agent(agent.id) });
        claims.extend(extension.map(|number| (number, format!("agent {}", agent.user))));
    }
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (number, claimant) in &claims {
        if let Some(first) = seen.insert(&number.pattern, claimant) {
            let what = format!("the number {} is claimed twice, by {first} and by {claimant}", number.pattern);
            out.push(Problem::of_file("numbers", what, "take it away from one of them"));
        }
    }
    claims.into_iter().map(|(number, _)| number).collect()
}

fn target(line: &NumberLine, names: &Names<'_>) -> Result<Target, String> {
    let Names { phones, rings, ways, loaded } = names;
    let unknown = |names: Vec<&str>| did_you_mean(&line.name, names);
    match line.kind.as_str() {
        "plan" if loaded.plans.contains_key(&line.name) => Ok(Target::Plan(line.name.clone())),
        "plan" => Err(unknown(loaded.plans.keys().map(String::as_str).collect())),
        "queue" => loaded
            .desk
            .queues
            .get(&line.name)
            .map(|queue| Target::Queue(queue.id))
            .ok_or_else(|| unknown(loaded.desk.queues.keys().map(String::as_str).collect())),
        "agent" if phones.iter().any(|phone| phone.agent.user == line.name) => Ok(Target::Agent(AgentId::of_name(&line.name))),
        "agent" => Err(unknown(phones.iter().map(|phone| phone.agent.user.as_str()).collect())),
        "ring" if rings.contains_key(&line.name) => Ok(Target::Ring(line.name.clone())),
        "ring" => Err(unknown(rings.keys().map(String::as_str).collect())),
        _ if ways.contains(&line.name.as_str()) => Ok(Target::Trunk(line.name.clone())),
        _ => Err(unknown(ways.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Args) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let args = Args { home: folder.path().to_owned(), ..Args::default() };
        (folder, args)
    }

    #[test]
    fn the_example_file_says_the_defaults() {
        let mut out = Vec::new();
        let (server, calls) = server::read("hotline.toml", include_str!("../../sip-config/hotline.toml"), &mut out);
        assert_eq!(out, []);
        assert_eq!((server, calls), (Server::default(), Calls::default()));
    }

    #[test]
    fn s84_an_empty_folder_is_a_working_center() {
        let (_folder, args) = home(&[]);
        let config = load(&args, Secrets::NONE).unwrap();
        assert_eq!(config.sources.config, Origin::BuiltIn);
        assert!(config.directory.agents.contains_key(&AgentId::of_name("anna")));
        assert!(config.warnings.iter().any(|warning| warning.what.contains("known to everybody")));
    }

    #[test]
    fn ports_are_shared_out_without_overlap() {
        let mut server = Server::default();
        server.media.workers = 3;
        server.media.ports = Ports::Range(20_000..=20_013);
        let workers = workers(&server);
        let all: Vec<u16> = workers.iter().flat_map(|worker| worker.ports.clone()).collect();
        assert_eq!(all, [20_000, 20_002, 20_004, 20_006, 20_008, 20_010, 20_012]);
        assert_eq!(workers[2].ports, [20_012]);
    }

    #[test]
    fn arguments_win_over_files() {
        let (_folder, mut args) = home(&[("sip-config/hotline.toml", "[api]\nlisten = \"127.0.0.1:9\"\n")]);
        args.api = Some("127.0.0.1:0".parse().unwrap());
        args.listen = vec![listen::listener("udp:127.0.0.1:0").unwrap()];
        let config = load(&args, Secrets::NONE).unwrap();
        assert_eq!(config.server.api.port(), 0);
        assert_eq!(config.directory.listeners.len(), 1);
        assert!(config.directory.agents.is_empty(), "a folder without phones.toml has no agents");
    }

    #[test]
    fn a_number_that_leads_nowhere_or_is_claimed_twice_is_an_error() {
        let phones = "[agents.anna]\npassword = \"secret-1\"\nextension = \"2001\"\n";
        let (_folder, args) = home(&[
            ("sip-config/phones.toml", phones),
            ("sip-config/hotline.toml", "[numbers]\n\"2001\" = \"agent:anna\"\n\"7\" = \"agent:ana\"\n"),
        ]);
        let said: String = load(&args, Secrets::NONE).unwrap_err().iter().map(|problem| format!("{problem}\n")).collect();
        assert!(said.contains("no agent is called `ana`; did you mean `anna`?"), "{said}");
        assert!(said.contains("the number 2001 is claimed twice"), "{said}");
        assert!(said.contains("hotline.toml:3:7"), "{said}");
    }

    #[test]
    fn a_phone_without_a_password_is_warned_about_unless_its_network_or_its_exchange_is_trusted() {
        let phones = "[agents.desk]\nuri = \"sip:2050@10.0.0.5\"\n[agents.named]\nuri = \"sip:1@pbx.example\"\n[agents.own]\nuri = \"sip:2@10.0.0.5\"\npassword = \"secret-1\"\n";
        let said = |more: &[(&str, &str)]| {
            let files = [&[("sip-config/phones.toml", phones)], more].concat();
            let (_folder, args) = home(&files);
            load(&args, Secrets::NONE)
                .unwrap()
                .warnings
                .iter()
                .map(ToString::to_string)
                .filter(|said| said.contains("[guard]"))
                .collect::<Vec<_>>()
        };
        let warned = said(&[]);
        assert_eq!(warned.len(), 1, "{warned:?}");
        let line = "phones.toml:2:7: warning: agents.desk.uri: `desk` has no password";
        assert!(warned[0].contains(line) && warned[0].contains("[guard] trusted of hotline.toml"), "{warned:?}");
        assert_eq!(said(&[("sip-config/hotline.toml", "[guard]\ntrusted = [\"10.0.0.0/24\"]\n")]), [""; 0]);
        assert_eq!(said(&[("sip-config/trunks.toml", "[trunks.pbx]\nremote = \"10.0.0.5\"\n")]), [""; 0]);
        assert_eq!(said(&[("sip-config/hotline.toml", "[sip]\nlisten = [\"tls:127.0.0.1:0\"]\n")]), [""; 0]);
    }

    #[test]
    fn s80_phones_that_must_cipher_are_warned_about_where_nobody_may_tell_them_keys() {
        let phones = "[agents.anna]\npassword = \"secret-1\"\nsrtp = \"required\"\n[agents.ben]\npassword = \"secret-2\"\n";
        let said = |config: &str| {
            let (_folder, args) = home(&[("sip-config/phones.toml", phones), ("sip-config/hotline.toml", config)]);
            let warnings = load(&args, Secrets::NONE).expect("warnings only").warnings;
            warnings.iter().map(ToString::to_string).find(|said| said.contains("must cipher"))
        };
        let clear = "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n";
        let warned = said(clear).expect("a warning");
        assert!(warned.starts_with("phones.toml: warning: `anna` must cipher") && warned.contains("srtp_over_plain_sip"), "{warned}");
        assert!(said(&format!("{clear}[media]\nsrtp = \"required\"\n")).is_some_and(|said| said.contains("`anna`, `ben`")));
        assert_eq!(said("[sip]\nlisten = [\"udp:127.0.0.1:0\", \"tls:127.0.0.1:0\"]\n"), None);
        assert_eq!(said(&format!("{clear}[media]\nsrtp_over_plain_sip = true\n")), None);
    }

    #[test]
    fn s37_a_telephone_at_home_must_have_a_trunk_that_leads_there() {
        let phones = "[agents.home]\nuri = \"tel:9138\"\n";
        let trunks = "[trunks.carrier]\nremote = \"192.0.2.1\"\n";
        let numbers = "[numbers]\n\"9*\" = \"trunk:carrier\"\n";
        let files = [("sip-config/phones.toml", phones), ("sip-config/trunks.toml", trunks), ("sip-config/hotline.toml", numbers)];
        let (_folder, args) = home(&files);
        assert!(load(&args, Secrets::NONE).is_ok());
        let (_folder, args) = home(&files[..2]);
        let said: String = load(&args, Secrets::NONE).unwrap_err().iter().map(|problem| format!("{problem}\n")).collect();
        assert!(said.contains("phones.toml:2:7") && said.contains("no number of [numbers] leads this to a trunk"), "{said}");
    }

    #[test]
    fn s19_rules_for_agents_are_read_beside_the_plans_and_a_slip_in_them_keeps_everything_as_it_was() {
        const DESK: &str = "queues:\n  help: {ring: 20s}\n";
        const RULES: &str = "actions: 1\nlanguages: [en-US]\nrules:\n  - id: vip\n    if: customer.tags has \"VIP\"\n    queues: [help]\n    text: \"Be quick.\"\n";
        let given =
            |rules: &str| home(&[("sip-config/hotline.toml", ""), ("dialplans/desk.yaml", DESK), ("dialplans/actions.yaml", rules)]);
        let (_folder, args) = given(RULES);
        let loaded = load(&args, Secrets::NONE).expect("it loads");
        assert_eq!(loaded.directory.help.actions.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(), ["vip"]);
        let (_folder, args) = given(&RULES.replace("[help]", "[hlep]"));
        let problems = load(&args, Secrets::NONE).expect_err("a slip");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|line| line.contains("actions.yaml:6:14") && line.contains("did you mean 'help'?")), "{told:?}");
    }
}

//! `hotline check`: reads the configuration as `serve` would, prints every problem, and what the server would do.

use std::process::ExitCode;
use std::sync::Arc;

use crate::config::channels::Channel;
use crate::config::files::Origin;
use crate::config::problem::{Problem, Severity};
use crate::config::server::Server;
use crate::config::{self, Config};
use crate::control::dialplan::Plan;
use crate::control::words::directory::{Directory, Ringing, Target};
use crate::net::certificate::{self, Facts};
use crate::run::{self, setup};

/// Checks the configuration and says what the server would do with it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  hotline check --home /srv/hotline\n\nExit status: 0 = it would start, 1 = there are errors.")]
pub struct Args {
    #[command(flatten)]
    config: config::Args,
    /// Warnings count as errors
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
///
/// # Errors
/// Never; problems are its result.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (problems, config) = match config::load(&args.config, config::Secrets::NONE) {
        Ok(config) => {
            let mut problems = config.warnings.clone();
            problems.extend(tls_problem(&config.server));
            problems.extend(key_problem(&config.server));
            (problems, Some(config))
        }
        Err(problems) => (problems, None),
    };
    let problems = [problems, config.as_ref().map(silent).unwrap_or_default()].concat();
    print_problems(&problems);
    if let Some(config) = &config {
        print!("{}", plan_of(config));
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    println!("{} error(s), {} warning(s)", errors, problems.len() - errors);
    let good = errors == 0 && (!args.strict || problems.is_empty());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A key for recordings that is not where it should be.
fn key_problem(server: &Server) -> Option<Problem> {
    let why = setup::shelf(server).err()?;
    Some(Problem::of_file("[recordings]", format!("{why:#}"), "put the key there, or take its line away"))
}

/// A certificate of the operator's that the server could not start with.
fn tls_problem(server: &Server) -> Option<Problem> {
    let needed = server.sip.tls.files.is_some() && server.sip.listen.iter().any(|listen| listen.transport.is_secure());
    if !needed {
        return None;
    }
    let why = setup::tls(server).err()?;
    Some(Problem::of_file("[tls]", format!("{why:#}"), "name a certificate and its key in PEM, or none: then one is made"))
}

/// Prompts that callers would not hear.
fn silent(config: &Config) -> Vec<Problem> {
    let prompts = run::prompts(&config.server);
    let of_plan = |(id, plan): (&String, &Arc<Plan>)| prompts.silent(plan, config.plan_files.get(id).unwrap_or(id));
    config.directory.plans.iter().flat_map(of_plan).map(Problem::from).collect()
}

/// Prints problems to standard error, one a line.
pub fn print_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

/// What the server would do, as lines.
fn plan_of(config: &Config) -> String {
    let directory = &config.directory;
    let server = &config.server;
    let origin = |origin: Origin| if origin == Origin::BuiltIn { "built in" } else { "from files" };
    let mut text = format!("configuration {}, plans {}\n", origin(config.sources.config), origin(config.sources.plans));
    for listener in &directory.listeners {
        text += &format!("SIP    {} on {}, says {}\n", listener.transport.token(), listener.bound, listener.advertised);
    }
    if directory.listeners.iter().any(|listener| listener.transport.is_secure()) {
        text += &certificate_of(server);
    }
    text +=
        &format!("RTP    {} thread(s), {:?}, says {}\n", server.media.workers, server.media.ports, server.advertised(server.media.bind));
    text += &format!("API    http://{}\n", server.api);
    text += &format!("store  {}\n", without_password(&server.database));
    text += &format!(
        "record {} into {}, {}\n",
        if directory.record_calls { "every call" } else { "what plans ask for" },
        server.folders.recordings.display(),
        if server.recordings.keys.is_empty() { "plain" } else { "sealed" }
    );
    for (name, channel) in &server.channels {
        text += &match channel {
            Channel::Web => format!("chats  {name}: visitors fetch their lines\n"),
            Channel::Hook(hook) => format!("chats  {name}: posted to {}, given up after {:?}\n", hook.url, hook.give_up),
        };
    }
    for (language, engine) in &server.speech.live {
        text += &format!("hears  {language}: {engine:?}\n");
    }
    for number in &directory.numbers {
        text += &format!("number {} → {}\n", number.pattern, name_of(directory, &number.target));
    }
    text += &ways_out(directory);
    for queue in directory.queues.values() {
        let agents: Vec<&str> =
            directory.agents.values().filter(|agent| agent.queues.contains(&queue.id)).map(|agent| agent.user.as_str()).collect();
        text += &format!("queue  {}: {}\n", queue.name, if agents.is_empty() { "nobody serves it".to_owned() } else { agents.join(", ") });
    }
    text
}

/// Trunks, groups of them, and ring groups.
fn ways_out(directory: &Directory) -> String {
    let mut text = String::new();
    for trunk in directory.trunks.values() {
        let hosts: Vec<String> = trunk.hosts.iter().map(|host| share(&host.to.to_string(), host.weight, trunk.hosts.len())).collect();
        let mut more = vec![match &trunk.registers {
            Some(registers) => format!("registers at {}", registers.domain),
            None => "known by our address".to_owned(),
        }];
        more.push(trunk.check.map_or_else(|| "not asked".to_owned(), |every| format!("OPTIONS every {every:?}")));
        more.extend(trunk.bounds.calls.map(|calls| format!("at most {calls} calls")));
        more.extend(trunk.bounds.per_second.map(|calls| format!("{calls} new ones a second")));
        let numbers = &trunk.numbers;
        let lines = numbers.out.len() + numbers.incoming.len() + numbers.caller_out.len() + numbers.caller_in.len();
        more.extend((lines > 0).then(|| format!("{lines} number line(s)")));
        text += &format!("trunk  {} → {}: {}\n", trunk.name, hosts.join(", "), more.join(", "));
    }
    for group in directory.trunk_groups.values() {
        let trunks: Vec<String> = group.trunks.iter().map(|choice| share(&choice.to, choice.weight, group.trunks.len())).collect();
        text += &format!("group  {}: {}\n", group.name, trunks.join(", "));
    }
    for ring in directory.rings.values() {
        let how = match ring.how {
            Ringing::Together => "together",
            Ringing::InTurn => "in turn",
        };
        text += &format!("ring   {} {}: {} {how}\n", ring.number, ring.name, ring.members.join(", "));
    }
    text
}

/// A name with its share, where there are others.
fn share(name: &str, weight: u16, of: usize) -> String {
    if of > 1 { format!("{name} (share {weight})") } else { name.to_owned() }
}

/// Whose certificate the secure sockets show.
fn certificate_of(server: &Server) -> String {
    let (file, _) = server.sip.tls.files(&server.folders.data);
    let place = file.display();
    match certificate::facts(&file) {
        Ok(Facts { fingerprint, not_after, .. }) => format!("TLS    {place}, good until {}, SHA-256 {fingerprint}\n", not_after.rfc3339()),
        Err(why) if server.sip.tls.files.is_some() => format!("TLS    {why}\n"),
        Err(_) => format!("TLS    {place}, made at the first start\n"),
    }
}

fn name_of(directory: &Directory, target: &Target) -> String {
    match target {
        Target::Plan(id) => format!("plan {id}"),
        Target::Agent(id) => format!("agent {}", directory.agents.get(id).map_or("?", |agent| &agent.user)),
        Target::Queue(id) => format!("queue {}", directory.queues.get(id).map_or("?", |queue| &queue.name)),
        Target::Trunk(name) => format!("trunk {name}"),
        Target::Ring(name) => format!("ring group {name}"),
    }
}

/// A database URL that may be printed.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(host)) if scheme < host => format!("{}://…{}", &url[..scheme], &url[host..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_database_url_is_not_printed() {
        assert_eq!(without_password("postgres://me:secret@db/hotline"), "postgres://…@db/hotline");
        assert_eq!(without_password("sqlite:data/x.db"), "sqlite:data/x.db");
    }
}

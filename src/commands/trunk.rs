//! `hotline trunk`: the ways to the outside, how they are, and what their far ends can do.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::api::trunks::{self, Trunks};
use crate::config::listen::Verify;
use crate::config::problem::did_you_mean;
use crate::config::{self, Config};
use crate::net::tls::Servers;
use crate::phone::probe;
use crate::web_client;

/// A server that does not answer the list within this is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// The key of the administrator, below the data folder.
const KEY_FILE: &str = "admin-key";
/// Who calls in a probe, when nobody is named.
const CALLER: &str = "hotline-probe";

/// Trunks: list them with their states, ask their far ends what they can do.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  hotline trunk list\n  hotline trunk probe carrier --number 02112345678\n  hotline trunk probe pbx --json > pbx.json"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Lists the trunks of the configuration, with their states when the server runs
    #[command(after_help = "Example:\n  hotline trunk list --home /srv/hotline --json")]
    List {
        #[command(flatten)]
        config: config::Args,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Asks a far end by OPTIONS, REGISTER and a test call what it can do, and reports what we adapt to
    #[command(after_help = "Example:\n  hotline trunk probe carrier --number 02112345678 --json\n\n\
        The call is taken back as soon as it rings, and hung up at once when it is answered. Without --number nobody is called: a name\n\
        that no far end knows shows how it refuses.\n\n\
        At a trunk of kind `register` the registrar is asked where we are registered: it says whether the password is right, and the running\n\
        server's registration stays as it is.\n\nExit status: 0 = the trunk can be used, 1 = it cannot, and why, 2 = the probe could not run.")]
    Probe(ProbeArgs),
}

#[derive(clap::Args, Debug)]
struct ProbeArgs {
    /// The trunk's name in trunks.toml
    name: String,
    /// The number to call, as an agent would dial it; the trunk's `out` lines are applied
    #[arg(long)]
    number: Option<String>,
    /// Who calls, as an extension here; the trunk's `caller_out` lines are applied
    #[arg(long, default_value = CALLER)]
    caller: String,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: config::Args,
}

/// Runs the command.
///
/// # Errors
/// A configuration that is wrong, an unknown trunk, sockets that cannot be had.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List { config, json } => list(config, *json),
        Action::Probe(args) => run_probe(args),
    }
}

fn load(args: &config::Args) -> anyhow::Result<Config> {
    config::load(args, config::Secrets::NONE).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the configuration has problems:\n{}", lines.join("\n"))
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

fn list(args: &config::Args, json: bool) -> anyhow::Result<ExitCode> {
    let config = load(args)?;
    let url = format!("http://{}/v1/trunks", config.server.api);
    let asked = runtime()?.block_on(ask(&url, &config.server.folders.data));
    let (trunks, silent) = match asked {
        Ok(trunks) => (trunks, None),
        Err(why) => (trunks::of(&config.directory, &[], &[]), Some(why)),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&trunks)?);
    } else {
        print!("{}", table(&trunks));
    }
    if let Some(why) = silent {
        eprintln!("the states are not known: {why:#}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What the running server says.
async fn ask(url: &str, data: &Path) -> anyhow::Result<Trunks> {
    let file = data.join(KEY_FILE);
    let key = std::fs::read_to_string(&file).with_context(|| format!("no server has run here yet: {} is missing", file.display()))?;
    let client = web_client::client(|builder| builder.timeout(PATIENCE))?;
    let answer = client.get(url).bearer_auth(key.trim()).send().await.with_context(|| format!("no server answers at {url}"))?;
    let text = answer.error_for_status().context("the server refuses")?.text().await?;
    serde_json::from_str(&text).context("the server's answer cannot be read")
}

fn table(trunks: &Trunks) -> String {
    if trunks.data.is_empty() {
        return "no trunk in sip-config/trunks.toml: nobody can call out\n".to_owned();
    }
    let mut text = format!("{:<16} {:<9} {:<8} {:>9} {:<25} {}\n", "TRUNK", "KIND", "STATE", "CALLS", "SINCE", "HOSTS");
    for trunk in &trunks.data {
        let since = trunk.since.as_deref().unwrap_or("-");
        let now = trunk.calls.map_or("-".to_owned(), |calls| calls.to_string());
        let calls = trunk.max_calls.map_or_else(|| now.clone(), |most| format!("{now}/{most}"));
        text += &format!("{:<16} {:<9} {:<8} {calls:>9} {since:<25} {}\n", trunk.name, trunk.kind, trunk.state, trunk.hosts.join(", "));
        text += &trunk.why.as_ref().map(|why| format!("{:<16} {why}\n", "")).unwrap_or_default();
    }
    text
}

fn run_probe(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let config = load(&args.config)?;
    let directory = &config.directory;
    let trunk = directory.trunks.get(&args.name).cloned().ok_or_else(|| {
        anyhow!(
            "no trunk is called `{}` in trunks.toml; {}",
            args.name,
            did_you_mean(&args.name, directory.trunks.keys().map(String::as_str))
        )
    })?;
    let number = match &args.number {
        None => probe::NOBODY.to_owned(),
        Some(number) => trunk.numbers.outward(number).ok_or_else(|| {
            anyhow!(
                "the trunk `{}` does not carry the number {number}: no line of its `out` fits; add one such as \"{number} -> {number}\"",
                args.name
            )
        })?,
    };
    let options = probe::Options {
        caller: trunk.numbers.caller_outward(&args.caller),
        domain: directory.domain.clone(),
        number,
        codecs: directory.codecs.clone(),
        servers: if config.server.sip.tls.verify == Verify::Yes { Servers::Verified } else { Servers::Anyone },
        name_servers: config.server.sip.name_servers.clone(),
        trunk,
    };
    let report = runtime()?.block_on(probe::run(options))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", probe::shown(&report));
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_why_a_trunk_is_down() {
        let trunk = trunks::Trunk {
            name: "carrier".to_owned(),
            kind: "register".to_owned(),
            hosts: vec!["a.example".to_owned(), "b.example".to_owned()],
            groups: Vec::new(),
            state: "down".to_owned(),
            why: Some("the registrar answers 403".to_owned()),
            since: None,
            calls: Some(3),
            max_calls: Some(30),
            calls_per_second: None,
        };
        let text = table(&Trunks { data: vec![trunk] });
        assert!(text.contains("carrier          register  down          3/30 -"), "{text}");
        assert!(text.contains("a.example, b.example\n                 the registrar answers 403\n"), "{text}");
        assert!(table(&Trunks { data: Vec::new() }).starts_with("no trunk"));
    }
}

//! Settings of the configuration in the form each part wants, and the secrets of the data folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};

use super::reload::Showing;
use crate::api;
use crate::channels::{Adapter, Adapters};
use crate::config::channels::Channel;
use crate::config::listen;
use crate::config::server::{Engine, Server, Voice};
use crate::control::dialplan::template::Part;
use crate::control::words::directory::Directory;
use crate::control_handle::ControlHandle;
use crate::media::worker::Counts;
use crate::net::tls::{self, Owner, Servers, Tls};
use crate::net::{self, certificate};
use crate::plans::Desk;
use crate::qa::Scorecard;
use crate::sentence::{self, Live};
use crate::speech::governor::Gauge;
use crate::speech::prompts::Other;
use crate::speech::{self, engines};
use crate::store::{self, Store};
use crate::telemetry::metrics;
use crate::vault::{Keys, Shelf};

/// Bytes of the secret that visitors' tokens are signed with.
const SECRET_BYTES: usize = 32;
const ADMIN_KEY_FILE: &str = "admin-key";
const VISITOR_SECRET_FILE: &str = "visitor-secret";
const PROMPT_CACHE: &str = "prompt-cache";
/// Only the server's own user may read it.
const PRIVATE: u32 = 0o600;

/// TLS of the SIP sockets, when one of them is secure; a certificate is made at the first start.
///
/// # Errors
/// A certificate, key or authority that cannot be used, with its file.
pub fn tls(server: &Server) -> anyhow::Result<Option<Arc<Tls>>> {
    if !server.sip.listen.iter().any(|listen| listen.transport.is_secure()) {
        return Ok(None);
    }
    let own = &server.sip.tls;
    let (certificate, key) = own.files(&server.folders.data);
    let addresses = server.sip.listen.iter().map(|listen| server.advertised_of(listen).ip());
    let owner = if own.files.is_some() { Owner::Operator } else { Owner::Us(certificate::names(&server.sip.domain, addresses)) };
    let clients = match own.clients {
        listen::Clients::Off => tls::Clients::NotAsked,
        listen::Clients::Ask => tls::Clients::Asked,
        listen::Clients::Require => tls::Clients::Required,
    };
    let servers = if own.verify == listen::Verify::Yes { Servers::Verified } else { Servers::Anyone };
    let settings = tls::Settings { certificate, key, owner, clients, authorities: own.authorities.clone(), servers };
    Ok(Some(Arc::new(Tls::open(settings).context("TLS cannot be opened")?)))
}

/// The recognizers' settings.
///
/// # Errors
/// An engine that this build does not have.
pub fn engines(server: &Server) -> anyhow::Result<speech::Config> {
    let mut config = speech::Config { models: server.folders.models.clone(), ..speech::Config::default() };
    for (lang, engine) in &server.speech.live {
        let wanted = order(&mut config, &server.folders.models, lang, engine)?;
        set(&mut config.live, lang, wanted, &server.speech.live);
    }
    for (lang, engine) in &server.speech.after_call {
        let wanted = order(&mut config, &server.folders.models, lang, engine)?;
        set(&mut config.after_call, lang, wanted, &server.speech.after_call);
    }
    Ok(config)
}

/// The pool of the sentence model, as many threads as recognise; `None` where no model is configured.
///
/// # Errors
/// A folder that cannot be used.
pub fn meaning(server: &Server) -> anyhow::Result<Option<Arc<Live>>> {
    let Some(folder) = &server.folders.sentence_model else { return Ok(None) };
    let live = Live::start(&sentence::open(folder)?, server.speech.threads.into()).context("cannot start the sentence model's threads")?;
    Ok(Some(Arc::new(live)))
}

/// What is set for `*` holds for every language that is not named itself.
fn set(
    orders: &mut BTreeMap<String, Vec<engines::Engine>>,
    lang: &str,
    wanted: Option<Vec<engines::Engine>>,
    named: &BTreeMap<String, Engine>,
) {
    let Some(wanted) = wanted else { return };
    if lang == "*" {
        for (_, own) in orders.iter_mut().filter(|(known, _)| *known == "*" || !named.contains_key(*known)) {
            *own = before(wanted.clone(), Some(own));
        }
    } else {
        let own = orders.get(lang).or_else(|| orders.get("*"));
        let order = before(wanted, own);
        orders.insert(lang.to_owned(), order);
    }
}

/// Behind another machine stand the engines of this one: a network may fail.
fn before(order: Vec<engines::Engine>, own: Option<&Vec<engines::Engine>>) -> Vec<engines::Engine> {
    match order.as_slice() {
        [engines::Engine::Remote] => order.into_iter().chain(own.into_iter().flatten().copied()).collect(),
        _ => order,
    }
}

/// `None`: the built-in order stays.
fn order(config: &mut speech::Config, models: &Path, lang: &str, engine: &Engine) -> anyhow::Result<Option<Vec<engines::Engine>>> {
    Ok(match engine {
        Engine::Auto => None,
        Engine::Off => Some(Vec::new()),
        Engine::Pocketsphinx => Some(vec![engines::Engine::Pocketsphinx]),
        Engine::Zipformer(_) => Some(vec![engines::Engine::Zipformer]),
        Engine::Whisper(name) => {
            config.whisper = Some(model_file(&models.join(name)).with_context(|| {
                format!(
                    "speech engine whisper:{name}: no model file in {}; `hotline models pull {name}` gets it",
                    models.join(name).display()
                )
            })?);
            Some(vec![engines::Engine::Whisper])
        }
        Engine::Http(url) | Engine::Ws(url) => {
            if let Some(other) = config.remotes.insert(lang.to_owned(), url.clone()).filter(|other| other != url) {
                bail!("speech engine {url} of {lang}: {other} is named for it too; write the same URL for live and after_call");
            }
            Some(vec![engines::Engine::Remote])
        }
    })
}

/// The first model file of a folder.
fn model_file(folder: &Path) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find(|file| [".bin", ".bin.gz"].iter().any(|end| file.to_string_lossy().ends_with(end)))
}

/// The synthesizer's settings.
#[must_use]
pub fn prompts(server: &Server) -> speech::prompts::Config {
    let mut config = speech::prompts::Config {
        folder: server.folders.prompts.clone(),
        cache: server.folders.data.join(PROMPT_CACHE),
        ..speech::prompts::Config::default()
    };
    for (lang, voice) in &server.speech.voices {
        match voice {
            Voice::Espeak(name) => drop(config.voices.insert(lang.clone(), name.clone())),
            Voice::Command(line) => drop(config.others.insert(lang.clone(), Other::Command(line.clone()))),
            Voice::Http(url) => drop(config.others.insert(lang.clone(), Other::Http(url.clone()))),
        }
    }
    config
}

/// The recordings folder, and the keys that open it.
///
/// # Errors
/// A key that is missing or is none.
pub fn shelf(server: &Server) -> anyhow::Result<Shelf> {
    Ok(Shelf { folder: server.folders.recordings.clone(), keys: Keys::read(&server.recordings.keys)? })
}

/// Private addresses that lookups may reach: hosts written into a plan or into the variables it uses, never a caller's words.
#[must_use]
pub fn reach(directory: &Directory) -> Vec<String> {
    let lookups = directory.versions().flat_map(|plan| plan.values.lookups.values());
    let written = lookups.filter_map(|lookup| match lookup.url.parts.first() {
        Some(Part::Text(text)) => written_host(text),
        _ => None,
    });
    written.collect()
}

/// The host of a URL's fixed beginning, when the beginning goes beyond it.
fn written_host(beginning: &str) -> Option<String> {
    let (_, rest) = beginning.split_once("://")?;
    let end = rest.find(['/', '?'])?;
    let host = rest[..end].rsplit('@').next()?;
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    Some(name.to_owned())
}

/// Says once which languages of the plans nobody listens in: their callers use keys.
pub fn say_what_is_missing(engines: &speech::Engines, directory: &Directory) {
    for missing in engines.missing() {
        tracing::info!("{missing}");
    }
    let langs: std::collections::BTreeSet<_> = directory.plans.values().flat_map(|plan| plan.languages.iter()).collect();
    for lang in langs {
        let serving = engines.serving(lang, engines::Purpose::Live);
        if serving.is_empty() {
            tracing::warn!(%lang, "no recognizer: callers use keys; `hotline models list` shows what can be had");
        } else {
            tracing::info!(%lang, ?serving, "recognizers");
        }
    }
}

/// Who counts what.
pub struct Counted {
    /// The media workers.
    pub media: Vec<Arc<Counts>>,
    /// The SIP sockets.
    pub net: Arc<net::Counts>,
    /// The recognizer threads.
    pub recognizers: Vec<Arc<Gauge>>,
    /// The sentence model's pool.
    pub meaning: Option<Arc<sentence::Counts>>,
}

/// Name, help, and which count of the SIP sockets.
type Line = (&'static str, &'static str, fn(&net::Counts) -> &AtomicU64);

const OF_THE_WIRE: [Line; 7] = [
    ("sip_received_messages", "Messages handed to the rules", |counts| &counts.received),
    ("sip_sent_messages", "Messages sent", |counts| &counts.sent),
    ("sip_malformed_messages", "What was no SIP; answered 400 where that was possible", |counts| &counts.malformed),
    ("sip_refused_requests", "New requests answered 503 at the door because the rules were busy", |counts| &counts.refused),
    ("sip_lost_messages", "Messages lost because a queue or a socket was full", |counts| &counts.lost),
    ("sip_shut_out_messages", "Messages of banned or denied sources, dropped unread", |counts| &counts.shut_out),
    ("sip_turned_away_connections", "Connections closed unheard because there were too many", |counts| &counts.turned_away),
];

/// Name, help, and which count of a recognizer thread.
type Ear = (&'static str, &'static str, fn(&Gauge) -> &AtomicU64);

/// The first over the second is the real-time factor.
const OF_RECOGNIZERS: [Ear; 2] = [
    ("speech_busy_microseconds", "Microseconds that recognizer threads worked", |gauge| &gauge.busy_us),
    ("speech_heard_microseconds", "Microseconds of sound that recognizer threads heard", |gauge| &gauge.heard_us),
];

fn ears(recognizers: &[Arc<Gauge>]) -> Vec<metrics::Kept> {
    let one = |(name, help, of): Ear| {
        let gauges = recognizers.to_vec();
        let read = move || gauges.iter().map(|gauge| of(gauge).load(Ordering::Relaxed)).sum();
        metrics::Kept { name, help, read: Box::new(read) }
    };
    OF_RECOGNIZERS.into_iter().map(one).collect()
}

/// How often the sentence model was asked, and how often it said something in time.
fn sense(counts: Option<Arc<sentence::Counts>>) -> Vec<metrics::Kept> {
    let Some(counts) = counts else { return Vec::new() };
    let late = Arc::clone(&counts);
    let (in_time, missed) = (move || counts.in_time.load(Ordering::Relaxed), move || late.missed.load(Ordering::Relaxed));
    let kept = |name, help, read| metrics::Kept { name, help, read };
    vec![
        kept("nlu_meant_sentences", "Sentences whose meaning the sentence model gave in time", Box::new(in_time)),
        kept("nlu_unmeant_sentences", "Sentences understood from their words alone, because the sentence model was late", Box::new(missed)),
    ]
}

fn kept(net: &Arc<net::Counts>) -> Vec<metrics::Kept> {
    let one = |(name, help, of): Line| {
        let net = Arc::clone(net);
        metrics::Kept { name, help, read: Box::new(move || of(&net).load(Ordering::Relaxed)) }
    };
    OF_THE_WIRE.into_iter().map(one).collect()
}

/// What API handlers work with.
///
/// # Errors
/// When the data folder cannot be written.
pub fn api_state(
    server: &Server,
    started: &store::Started,
    control: &ControlHandle,
    showing: Showing,
    counted: Counted,
    (cards, shelf, plans): (&[Scorecard], Shelf, Desk),
) -> anyhow::Result<api::ApiState> {
    let secret = read_or_make(&server.folders.data.join(VISITOR_SECRET_FILE), || {
        let mut bytes = [0u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(hex::encode(bytes))
    })?;
    let edges = kept(&counted.net).into_iter().chain(ears(&counted.recognizers)).chain(sense(counted.meaning)).collect();
    Ok(api::ApiState {
        store: started.store.clone(),
        journal: started.journal.clone(),
        control: control.clone(),
        directory: showing.directory,
        channels: showing.channels,
        recordings: shelf,
        scorecards: cards.iter().map(shown).collect(),
        registry: Arc::new(metrics::registry(counted.media, edges)),
        visitors: api::visitor::VisitorSecret::new(secret.into_bytes()),
        limits: Arc::new(api::rate::Limits::new(server.api_rate)),
        turns: api::turns::Turns::default(),
        plans,
    })
}

/// The chat channels that posts come in by, with the secrets of those that sign.
#[must_use]
pub fn channel_secrets(server: &Server) -> api::ChannelSecrets {
    let secret = |channel: &Channel| match channel {
        Channel::Web => None,
        Channel::Hook(hook) => Some(hook.secret.clone()),
    };
    server.channels.iter().map(|(name, channel)| (name.clone(), secret(channel))).collect()
}

/// The adapters that chat lines are posted to.
#[must_use]
pub fn adapters(server: &Server) -> Adapters {
    let hooks = server.channels.iter().filter_map(|(name, channel)| match channel {
        Channel::Web => None,
        Channel::Hook(hook) => Some((name.clone(), hook)),
    });
    hooks.map(|(name, hook)| (name, Adapter { url: hook.url.clone(), secret: hook.secret.clone(), give_up: hook.give_up })).collect()
}

fn shown(card: &Scorecard) -> api::outcomes::Scorecard {
    api::outcomes::Scorecard { id: card.id.clone(), title: card.title.clone(), rules: card.rules.len() }
}

/// The first administrator's key: made at the first start, read from its file later.
///
/// # Errors
/// When the data folder or the database cannot be written.
pub async fn admin_key(data: &Path, store: &Store) -> anyhow::Result<Option<String>> {
    let file = data.join(ADMIN_KEY_FILE);
    if let Ok(key) = std::fs::read_to_string(&file) {
        return Ok(Some(key.trim().to_owned()));
    }
    if !store.keys().await?.is_empty() {
        return Ok(None);
    }
    let (_, secret) = store.make_key("first administrator", &[api::auth::ADMIN]).await?;
    write_private(&file, &secret).with_context(|| format!("cannot write {}", file.display()))?;
    tracing::info!(file = %file.display(), "the first administrator's key is made");
    Ok(Some(secret))
}

fn read_or_make(file: &Path, make: impl FnOnce() -> std::io::Result<String>) -> anyhow::Result<String> {
    if let Ok(text) = std::fs::read_to_string(file) {
        return Ok(text);
    }
    let text = make()?;
    write_private(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(text)
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_all_languages_holds_for_each_that_is_not_named_and_another_machine_has_ours_behind_it() {
        use engines::Engine::{Pocketsphinx, Remote, Whisper, Zipformer};
        let built_in = speech::Config::default().live;
        let named = BTreeMap::from([("*".to_owned(), Engine::Off), ("en".to_owned(), Engine::Pocketsphinx)]);
        let mut orders = built_in.clone();
        set(&mut orders, "*", Some(Vec::new()), &named);
        set(&mut orders, "en", Some(vec![Pocketsphinx]), &named);
        assert_eq!((&orders["*"], &orders["zh"], &orders["en"]), (&vec![], &vec![], &vec![Pocketsphinx]));
        let mut orders = built_in;
        set(&mut orders, "zh", Some(vec![Remote]), &BTreeMap::new());
        assert_eq!(orders["zh"], [Remote, Whisper, Zipformer]);
    }

    #[test]
    fn only_a_host_that_is_fully_written_may_be_private() {
        assert_eq!(written_host("http://127.0.0.1:8080/pay?driver=").as_deref(), Some("127.0.0.1"));
        assert_eq!(written_host("http://[::1]:8080/pay").as_deref(), Some("::1"));
        assert_eq!(written_host("http://10.0.0."), None, "the caller would choose the rest");
    }
}

//! The only wiring: it makes the channels, starts threads and tasks, and closes them in order.
//!
//! One thread owns the rules. Sockets, API, database and lookups share one tokio runtime; sound and speech have threads of their own.

pub mod after_call;
mod clock;
mod control_loop;
mod effects;
mod governor;
pub(crate) mod plans;
mod reload;
pub(crate) mod setup;
mod shutdown;
mod sound;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::bounded;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::watch::Watch;
use crate::config::{self, Args, Config};
use crate::control::session::Restored;
use crate::control::switch::Switch;
use crate::control::words::chat::Send;
use crate::control::words::directory::{Directory, Listener};
use crate::control::words::pressure::Pressure;
use crate::inlet::{Bell, Inlet};
use crate::plans as desk;
use crate::speech::prompts::Prompts;
use crate::vault::Shelf;
use crate::{api, channels, control_handle, lookups, net, speech, store};

use clock::Clock;
use control_loop::{Doors, Lanes};
use effects::Effects;
pub use setup::prompts;

/// SIP messages of running calls that may wait for the rules.
const SIP_DOOR: usize = 16_384;
/// New requests that may wait for the rules: some 50 ms of work. Above it they are told at once to try again later.
const FRESH_DOOR: usize = 256;
/// Events of sound and speech that may wait for the rules.
const SOUND_DOOR: usize = 16_384;
/// Lines to chat customers that may wait for the database.
const CHAT_LINES: usize = 16_384;
/// How long running calls may run on after the wish to close.
const DRAIN: Duration = Duration::from_secs(30);
/// The scorecards' folder below the home folder.
const SCORECARDS: &str = "scorecards";
/// The log's folder below the data folder.
const LOG_FOLDER: &str = "log";

/// Where a started server can be reached.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Ready {
    /// SIP sockets as bound.
    pub sip: Vec<SipDoor>,
    /// The API's base URL.
    pub api: String,
    /// The first administrator's key.
    pub admin_key: Option<String>,
    /// The process, for tools that measure it.
    pub pid: u32,
}

/// One SIP socket.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SipDoor {
    /// `UDP`, `TCP`.
    pub transport: &'static str,
    /// As bound.
    pub addr: SocketAddr,
}

/// Runs a server until it has drained or is forced to close. `ready` is told once everything answers.
///
/// # Errors
/// Whatever keeps the server from starting, with its mend.
pub fn serve(args: &Args, config: Config, ready: impl FnOnce(&Ready)) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let _inside = runtime.enter();
    let server = Server::start(&runtime, args, config)?;
    ready(&server.ready);
    server.run(&runtime)
}

/// Everything that runs, to be closed in order.
struct Server {
    ready: Ready,
    rules: std::thread::JoinHandle<()>,
    sound: Vec<std::thread::JoinHandle<()>>,
    store: store::Store,
    journal: store::journal::Journal,
    fold: JoinHandle<Result<(), store::Error>>,
    journal_thread: std::thread::JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the database and the log gave at the start.
struct Memory {
    started: store::Started,
    restored: Restored,
    admin_key: Option<String>,
}

impl Server {
    fn start(runtime: &tokio::runtime::Runtime, args: &Args, config: Config) -> anyhow::Result<Server> {
        let settings = Arc::clone(&config.server);
        let shelf = setup::shelf(&settings)?;
        let Memory { started, restored, admin_key } = runtime.block_on(recall(&settings, &shelf))?;
        let engines = Arc::new(speech::Engines::load(setup::engines(&settings)?)?);
        let bell = Bell::new().context("cannot make the bell of the control thread")?;
        let (wire, fresh, reports) = (bounded(SIP_DOOR), bounded(FRESH_DOOR), bounded(SOUND_DOOR));
        let mut remembered = runtime.block_on(plans::remember(&config, &started.store))?;
        let mut directory = Directory { live: remembered.live(args, &config), ..Directory::clone(&config.directory) };
        let meaning = setup::meaning(&settings)?;
        let hearing = sound::Hearing { engines: Arc::clone(&engines), meaning: meaning.clone() };
        let sound = sound::start((&*settings, &shelf), &mut directory, &hearing, &Inlet::new(reports.0, &bell))?;
        let lanes = net::Lanes { running: Inlet::new(wire.0, &bell), fresh: Inlet::new(fresh.0, &bell) };
        let (net, datagrams) = open_sockets(&settings, &mut directory, lanes)?;
        let directory = Arc::new(directory);
        setup::say_what_is_missing(&engines, &directory);

        let (control, side, answers_task) = control_handle::open_with(&bell);
        let control = control.with_meaning(meaning.clone());
        let (shown, show) = reload::shown(&directory, &settings);
        let cards = after_call::scorecards(&args.home.join(SCORECARDS))?;
        let adapters = show.adapters.clone();
        let counted = setup::Counted {
            media: sound.counts.clone(),
            net: net.counts(),
            recognizers: sound.gauges(),
            meaning: meaning.map(|live| Arc::clone(&live.counts)),
        };
        let (plans_desk, orders) = desk::open();
        let state = setup::api_state(&settings, &started, &control, show, counted, (&cards[..], shelf.clone(), plans_desk))?;
        let (told, pressure) = watch::channel(Pressure::Calm);
        let after_call = after_call::worker(shelf, &started, &engines, cards, pressure);
        let watched = governor::Watched { recognizers: sound.recognizers, media: sound.counts };
        let (listener, address) = runtime.block_on(open_api(settings.api))?;
        let guard = lookups::Guard::new(setup::reach(&directory));
        let (lookups, lookups_task) = lookups::start(started.store.clone(), guard.clone(), control.clone())?;
        let (chats, chat_tasks) = chats(&started, adapters);
        let prompts = Prompts::start(setup::prompts(&settings))?;
        let journal = started.journal.clone();
        let (workers, answers) = (sound.workers, side.answers);
        let mut effects = Effects { net, workers, prompts, lookups, chats, journal, facts: Vec::new(), answers, answered: Vec::new() };
        effects.prepare(&directory);
        let lanes = Lanes { sip: wire.1, fresh: fresh.1, sound: reports.1, others: side.inputs };
        let doors = Doors::new(lanes, datagrams, bell).context("cannot watch the SIP sockets")?;
        let files = Watch::new(args.clone(), &config, Arc::clone(&directory));
        let in_force = reload::Installed { door: control.clone(), shown, guard };
        let memory = plans::Memory { store: started.store.clone(), journal: started.journal.clone() };
        let house = plans::House::new(files, config, in_force, memory, remembered);
        let ready = Ready::of(&directory, address, admin_key);
        let rules = rules_thread(directory, restored, doors, effects)?;
        // Without a governor the teller is dropped, and nothing ever waits.
        let governor = settings.speech.gives_way.then(|| tokio::spawn(governor::run(watched, control.clone(), told)));
        let mut tasks = vec![
            answers_task,
            lookups_task,
            tokio::spawn(after_call.run()),
            tokio::spawn(shutdown::watch(control.clone())),
            tokio::spawn(plans::run(house, orders)),
            tokio::spawn(serve_api(listener, api::router(state))),
        ];
        tasks.extend(chat_tasks.into_iter().chain(governor));
        let store::Started { store, journal, journal_thread, fold, .. } = started;
        Ok(Server { ready, rules, sound: sound.threads, store, journal, fold, journal_thread, tasks })
    }

    /// Waits for the rules to drain, then closes what they fed, from the wire inwards to the disk.
    fn run(self, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
        let joined = self.rules.join();
        for task in &self.tasks {
            task.abort();
        }
        runtime.block_on(async {
            for task in self.tasks {
                let _ = task.await;
            }
        });
        for thread in self.sound {
            let _ = thread.join();
        }
        self.journal.close();
        let _ = self.journal_thread.join();
        runtime.block_on(async {
            self.fold.await.context("the fold was cut off")??;
            self.store.close().await;
            anyhow::Ok(())
        })?;
        joined.map_err(|_| anyhow::anyhow!("the control thread broke off: see the log above"))
    }
}

impl Ready {
    fn of(directory: &Directory, api: SocketAddr, admin_key: Option<String>) -> Ready {
        let door = |listener: &Listener| SipDoor { transport: listener.transport.token(), addr: listener.bound };
        Ready { sip: directory.listeners.iter().map(door).collect(), api: format!("http://{api}"), admin_key, pid: std::process::id() }
    }
}

/// Opens database and log, and settles what an abrupt end left open.
async fn recall(settings: &config::server::Server, shelf: &Shelf) -> anyhow::Result<Memory> {
    let data = &settings.folders.data;
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let memory = store::Settings { url: settings.database.clone(), log: data.join(LOG_FOLDER) };
    let started = store::start(&memory).await.with_context(|| format!("cannot open the database {}", settings.database))?;
    if let Some(torn) = &started.torn {
        tracing::warn!(?torn, "the log's last line was cut off in the middle: it is dropped");
    }
    let restored = started.store.restore(&started.journal, shelf).await?;
    let admin_key = setup::admin_key(data, &started.store).await?;
    Ok(Memory { started, restored, admin_key })
}

/// Opens the SIP sockets and writes into the directory where they are really bound.
fn open_sockets(
    settings: &config::server::Server,
    directory: &mut Directory,
    lanes: net::Lanes,
) -> anyhow::Result<(net::Handle, net::Datagrams)> {
    let tls = setup::tls(settings)?;
    let opening = net::Opening { listeners: directory.listeners.clone(), tls, name_servers: settings.sip.name_servers.clone() };
    let (net, datagrams) = net::open(opening, lanes).context("cannot open a SIP socket")?;
    for listener in &mut directory.listeners {
        if let Some(bound) = net.local_addr(listener.id) {
            if listener.advertised.port() == listener.bound.port() {
                listener.advertised.set_port(bound.port());
            }
            listener.bound.set_port(bound.port());
        }
    }
    Ok((net, datagrams))
}

async fn open_api(address: SocketAddr) -> anyhow::Result<(tokio::net::TcpListener, SocketAddr)> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot open the API's port {address}: free it or change [api] listen"))?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Starts the way of chat lines to their customers.
fn chats(started: &store::Started, adapters: channels::InForce) -> (mpsc::Sender<Send>, [JoinHandle<()>; 2]) {
    let (chats, line) = mpsc::channel(CHAT_LINES);
    let (noted, news) = watch::channel(0);
    let take = tokio::spawn(channels::take(started.store.clone(), adapters.clone(), line, noted));
    let push = channels::outbound::Push { store: started.store.clone(), journal: started.journal.clone(), adapters };
    let push = tokio::spawn(async move {
        if let Err(error) = push.run(news).await {
            tracing::error!(%error, "lines to chat customers are not pushed: the HTTP client cannot be made");
        }
    });
    (chats, [take, push])
}

async fn serve_api(listener: tokio::net::TcpListener, router: axum::Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the API has ended");
    }
}

/// Starts the thread that owns the rules.
fn rules_thread(
    directory: Arc<Directory>,
    restored: Restored,
    mut doors: Doors,
    mut effects: Effects,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let clock = Clock::start();
    let seed = getrandom::u64().map_err(|error| anyhow::anyhow!("the operating system gives no random bytes: {error}"))?;
    let switch = Switch::new(clock.now(), seed, directory, restored);
    let thread = std::thread::Builder::new().name("control".into());
    Ok(thread.spawn(move || control_loop::run(switch, clock, &mut doors, &mut effects))?)
}

//! The only wiring: it makes the channels, starts threads and tasks, and closes them in order.
//!
//! One thread owns the rules. Sockets, API, database and lookups share one tokio runtime; sound and speech have threads of their own.

mod clock;
mod control_loop;
mod effects;
mod reload;
mod shutdown;
mod sound;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::config::{Args, Config};
use crate::control::surface::Input;
use crate::control::switch::Switch;
use crate::control::words::directory::Directory;
use crate::control_handle;
use crate::{api, channels, lookups, net, qa, speech, store};

use clock::Clock;
use control_loop::Doors;
use effects::Effects;

/// SIP messages that may wait for the rules; of these a part is kept for calls in progress (`net`).
const SIP_DOOR: usize = 16_384;
/// Events of sound and speech that may wait for the rules.
const SOUND_DOOR: usize = 65_536;
/// How long running calls may run on after the wish to close.
const DRAIN: Duration = Duration::from_secs(30);

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
    fold: tokio::task::JoinHandle<Result<(), store::Error>>,
    journal_thread: std::thread::JoinHandle<()>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// What the database and the log gave at the start.
struct Memory {
    started: store::Started,
    restored: crate::control::session::Restored,
    admin_key: Option<String>,
}

impl Server {
    fn start(runtime: &tokio::runtime::Runtime, args: &Args, config: Config) -> anyhow::Result<Server> {
        let settings = Arc::clone(&config.server);
        let mut directory = Directory::clone(&config.directory);
        let (sip, sip_door) = bounded(SIP_DOOR);
        let (heard, sound_door) = bounded(SOUND_DOOR);
        let (control, side, answers_task) = control_handle::open();

        let memory = runtime.block_on(recall(&settings))?;
        let engines = Arc::new(speech::Engines::load(setup::engines(&settings))?);
        let sound = sound::start(&settings, &mut directory, &engines, &heard)?;
        let net = runtime.block_on(net::start(&mut directory.listeners, sip)).context("cannot open the SIP sockets")?;
        let directory = Arc::new(directory);
        setup::say_what_is_missing(&engines, &directory);

        let Memory { started, restored, admin_key } = memory;
        let state = setup::api_state(&settings, &started, &control, &directory, &sound.counts)?;
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(settings.api))
            .with_context(|| format!("cannot open the API's port {}: free it or change [api] listen", settings.api))?;
        let ready = ready(&directory, listener.local_addr()?, admin_key);

        let (lookups, lookups_task) = lookups::start(started.store.clone(), control.door())?;
        let (channels, channel_tasks) = channels::start(started.store.clone(), state.clone(), &settings)?;
        let qa_task = qa::start(qa::Surroundings::of(&settings, &started, &engines))?;
        let mut prompts = speech::prompts::Prompts::start(setup::prompts(&settings))?;
        prompts.warm(directory.plans.values().flat_map(|plan| plan.fixed_prompts()));
        let mut effects =
            Effects { net, workers: sound.workers, prompts, lookups, channels, journal: started.journal.clone(), answers: side.answers };
        let doors = Doors { sip: sip_door, sound: sound_door, others: side.inputs };
        let watch = Watch::new(args.clone(), &config, Arc::clone(&directory));
        let rules = rules_thread(directory, restored, doors, effects)?;

        let mut tasks = vec![
            answers_task,
            lookups_task,
            qa_task,
            tokio::spawn(reload::run(watch, control.clone())),
            tokio::spawn(shutdown::watch(control)),
            tokio::spawn(serve_api(listener, api::router(state))),
        ];
        tasks.extend(channel_tasks);
        Ok(Server { ready, rules, sound: sound.threads, store: started.store, fold: started.fold, journal_thread: started.journal_thread, tasks })
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
        let _ = self.journal_thread.join();
        runtime.block_on(async {
            self.fold.await.context("the fold was cut off")??;
            self.store.close().await;
            anyhow::Ok(())
        })?;
        joined.map_err(|_| anyhow::anyhow!("the control thread broke off: see the log above"))
    }
}

//! A whole back office in one process: store, log, rules on their own thread, API on a port of the system's choice.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hotline::api::auth::ADMIN;
use hotline::api::rate::Limits;
use hotline::api::turns::Turns;
use hotline::api::visitor::VisitorSecret;
use hotline::api::{ApiState, router};
use hotline::channels::{self, Adapters};
use hotline::clock::{chance, now};
use hotline::config::{self, Config};
use hotline::control::event::{DomainEvent, Fact};
use hotline::control::surface::{Input, Output};
use hotline::control::switch::Switch;
use hotline::control::words::pressure::Pressure;
use hotline::control::words::{AgentId, EventId};
use hotline::control_handle::{self, ControlHandle, ControlSide};
use hotline::lookups::{self, Guard};
use hotline::qa::{Scorecard, Worker, scorecard};
use hotline::store::journal::Journal;
use hotline::store::{self, Settings, Store};
use hotline::vault::{Key, Keys, Shelf};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// What adapters of the channel `signed` sign with.
pub const SIGNED: &[u8] = b"known to the adapter";

/// What recordings are sealed with here.
pub const RECORDING_KEY: [u8; 32] = [9; 32];

/// Requests of one key a second.
pub const RATE: u32 = 200;

/// Everything a test needs.
pub struct House {
    /// `http://127.0.0.1:…`
    pub base: String,
    /// A key that may everything.
    pub admin: String,
    /// A key that may read tickets only.
    pub reader: String,
    /// The tables.
    pub store: Store,
    /// The log.
    pub journal: Journal,
    /// The recordings' folder.
    pub recordings: PathBuf,
    /// The after-call worker; a test turns it by hand.
    pub quality: Worker,
    folder: Option<TempDir>,
}

/// A SQLite database of a folder.
pub fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("test.db").display())
}

/// The built-in configuration with desks that are always open, so that no case has an hour, and with Chen leading Ben's team; its plans
/// are trained once for all tests.
fn built_in() -> &'static Config {
    static BUILT_IN: OnceLock<Config> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        config::files::write_open_center(&home.path().join("dialplans")).unwrap();
        let args = config::Args { home: home.path().to_owned(), ..config::Args::default() };
        let mut config = config::load(&args, config::Secrets::NONE).unwrap_or_else(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("the built-in configuration loads: {}", all.join(" | "))
        });
        let agents = &mut Arc::make_mut(&mut config.directory).agents;
        agents.get_mut(&AgentId::of_name("ben")).unwrap().team.of = Some("cars".to_owned());
        agents.get_mut(&AgentId::of_name("chen")).unwrap().team.leads = vec!["cars".to_owned()];
        config
    })
}

impl House {
    /// Opens one on SQLite.
    pub async fn open() -> House {
        House::on(None).await
    }

    /// Opens one on a database.
    pub async fn on(url: Option<&str>) -> House {
        let folder = tempfile::tempdir().unwrap();
        let mut house = House::at(folder.path(), url).await;
        house.folder = Some(folder);
        house
    }

    /// Opens one in a folder, which may have been another's.
    pub async fn at(folder: &Path, url: Option<&str>) -> House {
        let settings = Settings { url: url.map_or_else(|| sqlite(folder), str::to_owned), log: folder.join("log") };
        let started = store::start(&settings).await.unwrap();
        let recordings = folder.join("recordings");
        std::fs::create_dir_all(&recordings).unwrap();
        let config = built_in();
        let shelf = Shelf { folder: recordings.clone(), keys: Keys::new(vec![Key::new(RECORDING_KEY)]) };
        let restored = started.store.restore(&started.journal, &shelf).await.unwrap();
        let switch = Switch::new(now(), 1, config.directory.clone(), restored);
        let control = rules(switch, &started.store, &started.journal);
        let cards: Arc<[Scorecard]> = Arc::from([scorecard::load("first.yaml", scorecard::FIRST).unwrap_or_else(|_| panic!("it loads"))]);
        let (store, journal) = (started.store, started.journal);
        let (_, admin) = store.make_key("test", &[ADMIN]).await.unwrap();
        let (_, reader) = store.make_key("reader", &["tickets:read"]).await.unwrap();
        let state = ApiState {
            store: store.clone(),
            journal: journal.clone(),
            control,
            directory: watch::channel(config.directory.clone()).1,
            channels: watch::channel(Arc::new([("signed".to_owned(), Some(SIGNED.to_vec()))].into())).1,
            recordings: shelf,
            scorecards: Arc::from([]),
            registry: Arc::new(Registry::default()),
            visitors: VisitorSecret::new(vec![1; 32]),
            limits: Arc::new(Limits::new(RATE)),
            turns: Turns::default(),
            plans: hotline::plans::open().0,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router(state)).await });
        let quality = Worker {
            store: store.clone(),
            journal: journal.clone(),
            recordings: recordings.clone(),
            transcribe: None,
            redact: str::to_owned,
            cards,
            pressure: watch::channel(Pressure::Calm).1,
        };
        House { base, admin, reader, store, journal, recordings, quality, folder: None }
    }

    /// Ends it at once: nothing is said to anybody, as in a crash.
    pub async fn cut(self) -> Option<TempDir> {
        self.journal.close();
        self.store.close().await;
        self.folder
    }

    /// A GET of the administrator.
    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().get(format!("{}{path}", self.base)).bearer_auth(&self.admin)
    }

    /// The JSON of a GET of the administrator.
    pub async fn json(&self, path: &str) -> serde_json::Value {
        let text = self.get(path).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} answered {text}"))
    }

    /// Writes facts down as the rules would, and waits until they can be read.
    pub async fn given(&self, facts: Vec<Fact>) {
        let (at, mut random) = (now(), chance());
        let events = facts.into_iter().map(|fact| DomainEvent { id: EventId::new(at, &mut random), at, fact }).collect();
        self.store.record(&self.journal, events).await.unwrap();
    }
}

/// Starts the rules' thread with the real switch; what belongs to wires and sound goes nowhere.
fn rules(mut switch: Switch, store: &Store, journal: &Journal) -> ControlHandle {
    let (handle, side, _answers) = control_handle::open();
    let (lookups, _task) = lookups::start(store.clone(), Guard::default(), handle.clone()).unwrap();
    let (chats, line) = mpsc::channel(64);
    let (noted, _seen) = watch::channel(0);
    tokio::spawn(channels::take(store.clone(), watch::channel(Arc::new(Adapters::new())).1, line, noted));
    let journal = journal.clone();
    std::thread::spawn(move || {
        let carry_out = |wish: Output, answers: &mut Vec<_>| match wish {
            Output::Journal(event) => journal.append(vec![event]),
            Output::Find(id, lookup) => lookups.find(id, lookup),
            Output::Chat(send) => drop(chats.try_send(send)),
            Output::Answer(id, answer) => answers.push((id, answer)),
            Output::Sip(_) | Output::Locate(_) | Output::Fence(_) | Output::Media(..) | Output::Notify(..) | Output::Drained => {}
        };
        loop {
            let mut answers = Vec::new();
            while let Some(wish) = switch.poll_output() {
                carry_out(wish, &mut answers);
            }
            answers.into_iter().for_each(|(id, answer)| side.answers.give(id, answer));
            let Some(input) = next(&side, &switch) else { return };
            input.into_iter().for_each(|input| switch.handle(now(), input));
            if switch.poll_timeout().is_some_and(|at| at <= now()) {
                switch.handle_timeout(now());
            }
        }
    });
    handle
}

/// The next input, nothing when a deadline has come, `None` when all handles are gone.
fn next(side: &ControlSide, switch: &Switch) -> Option<Option<Input>> {
    let far = Duration::from_secs(3_600);
    let wait = switch.poll_timeout().map_or(far, |at| at.since(now()));
    match side.inputs.recv_deadline(Instant::now() + wait) {
        Ok(input) => Some(Some(input)),
        Err(crossbeam_channel::RecvTimeoutError::Timeout) => Some(None),
        Err(crossbeam_channel::RecvTimeoutError::Disconnected) => None,
    }
}

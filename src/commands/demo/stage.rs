//! The stage of the demo: a folder, a server process, the parts of the phones, the way to the API.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::StreamExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::config::files;
use crate::media::{Sound, wav};
use crate::phone::destination::Destination;
use crate::phone::script::{HangUp, Manners, Step};
use crate::phone::{Account, Options, Purpose, Registers};
use crate::web_client;

/// What the caller dials.
pub const NUMBER: &str = "4001010";
/// An agent's phone that has not registered by then will not.
pub const REGISTERED_WITHIN: Duration = Duration::from_secs(10);
/// The server starts within this, on a slow machine too.
const STARTED_WITHIN: Duration = Duration::from_secs(60);
const CLOSED_WITHIN: Duration = Duration::from_secs(40);
/// The longest call of the story.
const LONGEST: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(50);
const SIP_PORT: u16 = 5060;
const API_PORT: u16 = 8080;
const CALLER: &str = "13800138000";
const AGENT: (&str, &str) = ("anna", "anna-2001");
const MODEL: &str = "mini-whisper";

const MODEL_FILE: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/mini-q8_0.bin.gz");
/// What is said, in the voice of files that the small model knows.
const DRIVER: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/075-zh.wav");
const PLATE: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/122-zh.wav");
const YES: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/037-zh.wav");
const THANKS: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/041-zh.wav");
const HELLO: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/039-zh.wav");
const ONE_MOMENT: &[u8] = include_bytes!("../../../tests/fixtures/mini-whisper/wav/051-zh.wav");

/// Who can reach the demo's server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Free ports of the loopback address.
    ThisMachine,
    /// The usual SIP port of all addresses, when it is free: for softphones.
    Network,
}

/// The running stage.
pub struct Stage {
    home: PathBuf,
    temporary: Option<tempfile::TempDir>,
    server: Child,
    sip: SocketAddr,
    api: String,
    key: String,
}

impl Stage {
    /// Sets it up: writes the folder, starts the server, waits until it answers.
    pub async fn set(home: Option<PathBuf>, reach: Reach, log: &str) -> anyhow::Result<Stage> {
        let temporary = if home.is_none() { Some(tempfile::Builder::new().prefix("hotline-demo-").tempdir()?) } else { None };
        let home = home.or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
        furnish(&home).with_context(|| format!("cannot write to {}", home.display()))?;
        let ready_file = home.join("ready.json");
        let mut server = start(&home, &ready_file, reach, log)?;
        let ready = wait_for(&ready_file, &mut server)
            .await
            .with_context(|| format!("the station `server` failed; its log: {}", home.join("server.log").display()))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let sip = ready["sip"]
            .as_array()
            .and_then(|doors| doors.iter().find(|door| door["transport"] == "UDP"))
            .and_then(|door| text(&door["addr"]));
        let mut sip: SocketAddr = sip.context("the server names no UDP socket")?.parse()?;
        if sip.ip().is_unspecified() {
            sip.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let key = text(&ready["admin_key"])
            .or_else(|| fs::read_to_string(home.join("data/admin-key")).ok())
            .context("the server gave no administrator's key")?;
        Ok(Stage { api: text(&ready["api"]).context("the server names no API")?, key: key.trim().to_owned(), home, temporary, server, sip })
    }

    /// What is going to happen, in words.
    pub fn programme(&self) -> String {
        format!(
            "Hotline demo in {}\n  SIP {}   API {}\n  The recognizer is {MODEL}: a miniature of Whisper made for tests. It knows about 100 sentences of espeak-ng voices and no\n  human voice; for real callers pull a model (hotline models list). Prompts are spoken by espeak-ng.\n  A caller ({CALLER}) dials {NUMBER} and says: 我车坏了，我想报保险，去哪儿修\n",
            self.home.display(),
            self.sip,
            self.api
        )
    }

    /// How to go on by oneself.
    pub fn invitation(&self) -> String {
        format!(
            "\nThe server stays up. Register a softphone at {sip} (UDP, domain hotline):\n  anna / anna-2001   ben / ben-2002   chen / chen-2003\nand call {NUMBER} (drivers) or 4002020 (orders) from another one. API: {api}, key {key}\n  curl -H 'Authorization: Bearer {key}' {api}/v1/sessions\nCtrl-C ends it.",
            sip = self.sip,
            api = self.api,
            key = self.key
        )
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// The home folder stays, for looking at.
    pub fn keep(&mut self) {
        if let Some(folder) = self.temporary.take() {
            let _ = folder.keep();
        }
    }

    /// Below the recordings folder.
    pub fn recording(&self, path: &str) -> PathBuf {
        self.home.join("recordings").join(path)
    }

    /// The agent's phone: registers, rings a second, says hello and asks to wait.
    pub fn agent(&self) -> anyhow::Result<Options> {
        let account = Account { user: AGENT.0.into(), password: Some(AGENT.1.into()), registers: Registers::Yes };
        let steps = vec![Step::Wait(Duration::from_millis(500)), say("你好", HELLO)?, say("请等一下", ONE_MOMENT)?];
        let purpose = Purpose::Answer { ring: Duration::from_secs(2), calls: 1 };
        self.phone(AGENT.0, account, purpose, steps, HangUp::FarEnd)
    }

    /// The caller's phone: says what he needs, his plate, yes; then thanks the agent and hangs up.
    pub fn caller(&self) -> anyhow::Result<Options> {
        let account = Account { user: CALLER.into(), password: None, registers: Registers::No };
        let steps = vec![say("我车坏了，我想报保险，去哪儿修", DRIVER)?, say("京A42669", PLATE)?, say("是的", YES)?, say("谢谢", THANKS)?];
        self.phone(NUMBER, account, Purpose::Call, steps, HangUp::After(Duration::from_secs(4)))
    }

    fn phone(&self, user: &str, account: Account, purpose: Purpose, steps: Vec<Step>, hang_up: HangUp) -> anyhow::Result<Options> {
        let destination = Destination::read(user, Some(&self.sip.to_string()))?;
        let plain = Options::plain(destination, &account.user, self.home.join("phones"), LONGEST);
        Ok(Options { account, purpose, steps, manners: Manners { hang_up, ..plain.manners }, ..plain })
    }

    /// Asks the API.
    pub async fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let client = web_client::client(|builder| builder)?;
        let answer = client.get(format!("{}{path}", self.api)).bearer_auth(&self.key).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    /// Reads the live stream from its beginning and passes each event on.
    pub fn follow_events(&self, teller: mpsc::Sender<Value>) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
        let client = web_client::client(|builder| builder)?;
        let request = client.get(format!("{}/v1/events/sse?after_seq=0", self.api)).bearer_auth(&self.key);
        Ok(async move {
            let Ok(answer) = request.send().await.and_then(reqwest::Response::error_for_status) else { return };
            let (mut stream, mut kept) = (answer.bytes_stream(), Vec::new());
            while let Some(Ok(bytes)) = stream.next().await {
                kept.extend_from_slice(&bytes);
                while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = kept.drain(..=end).collect();
                    let event = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice(data).ok());
                    if let Some(event) = event
                        && teller.send(event).await.is_err()
                    {
                        return;
                    }
                }
            }
        })
    }

    /// Ends the server as an operator would.
    pub async fn strike(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.server.id())?);
        let _ = kill(pid, Signal::SIGTERM);
        let limit = Instant::now() + CLOSED_WITHIN;
        let mut look = tokio::time::interval(LOOK);
        while self.server.try_wait()?.is_none() {
            if Instant::now() > limit {
                self.server.kill()?;
                bail!("the server did not end on SIGTERM within {CLOSED_WITHIN:?}");
            }
            look.tick().await;
        }
        Ok(())
    }
}

fn say(name: &str, file: &[u8]) -> anyhow::Result<Step> {
    let audio = wav::decode(file).map_err(anyhow::Error::msg).with_context(|| name.to_owned())?;
    Ok(Step::Say { name: name.into(), sound: Sound::ready(audio) })
}

/// Writes the demo's configuration and model; plans and agents are the built-in ones, at desks that never close.
fn furnish(home: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(home.join("models").join(MODEL))?;
    fs::write(home.join("models").join(MODEL).join("mini-q8_0.bin.gz"), MODEL_FILE)?;
    fs::create_dir_all(home.join("sip-config"))?;
    let hotline = format!(
        "[media]\nports = \"free:64\"\n\n[speech.live]\n\"*\" = \"whisper:{MODEL}\"\n\n[variables]\nDRIVER_API = \"http://127.0.0.1:9\"\nSHOP_API = \"http://127.0.0.1:9\"\n"
    );
    fs::write(home.join("sip-config/hotline.toml"), hotline)?;
    fs::write(home.join("sip-config/phones.toml"), include_str!("../../../sip-config/phones.toml"))?;
    files::write_open_center(&home.join("dialplans"))?;
    let ready = home.join("ready.json");
    if ready.exists() {
        fs::remove_file(ready)?;
    }
    Ok(())
}

fn start(home: &Path, ready_file: &Path, reach: Reach, log: &str) -> anyhow::Result<Child> {
    let file = File::create(home.join("server.log"))?;
    let (sip, api) = match reach {
        Reach::ThisMachine => ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()),
        Reach::Network => (free_or_any(Ipv4Addr::UNSPECIFIED, SIP_PORT), free_or_any(Ipv4Addr::LOCALHOST, API_PORT)),
    };
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--home").arg(home).arg("--ready-file").arg(ready_file).args(["--log", log]);
    command.args(["--listen", &format!("udp:{sip}"), "--listen", &format!("tcp:{sip}"), "--api", &api]);
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn().context("the server cannot be started")
}

/// The usual port when nobody has it, else any.
fn free_or_any(ip: Ipv4Addr, port: u16) -> String {
    let free = UdpSocket::bind((ip, port)).is_ok() && std::net::TcpListener::bind((ip, port)).is_ok();
    format!("{ip}:{}", if free { port } else { 0 })
}

async fn wait_for(ready_file: &Path, server: &mut Child) -> anyhow::Result<Value> {
    let limit = Instant::now() + STARTED_WITHIN;
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        if let Ok(text) = fs::read(ready_file) {
            return Ok(serde_json::from_slice(&text)?);
        }
        if let Some(status) = server.try_wait()? {
            bail!("it ended with {status}");
        }
        if Instant::now() > limit {
            server.kill()?;
            bail!("it did not answer within {STARTED_WITHIN:?}");
        }
    }
}

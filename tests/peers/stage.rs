//! A server for one test: its folder, its process, its API, the live stream of its log.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Whatever is waited for comes within this, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// One blocking read.
const BREATH: Duration = Duration::from_millis(500);

const HOTLINE: &str = r#"
[media]
bind = "127.0.0.1"
ports = "free:128"

[speech.live]
"*" = "off"
"#;

const PHONES: &str = r#"
[agents.anna]
name = "Anna"
password = "anna-secret"
extension = "2001"
queues = ["desk"]
"#;

const PLAN: &str = r#"
dialplan: 1
id: peers
title: Real peers
languages: [en-US]
numbers: [answer, menu, music, echo, line]
start: which
defaults:
  barge_in: dtmf
  match: local
  no_input: {after: 60s, tries: 9, then: end}
  no_match: {tries: 9, then: end}
  error: end
nodes:
  which:
    - branch:
        - {if: call.to == "menu", goto: menu}
        - {if: call.to == "music", goto: music}
        - {if: call.to == "echo", goto: echo}
        - {if: call.to == "line", goto: line}
    - goto: answer
  answer: [{play: silence, times: forever}]
  music: [{play: music, times: forever}]
  echo: [{play: echo}]
  menu:
    - menu:
        prompt: "Welcome. Press one."
        options: [{key: 1, goto: one, label: "one"}]
  one: [{say: "You pressed one."}, {hangup: ~}]
  line: [{queue: {to: desk, overflow: [{after: 300s, goto: over}]}}]
  over: [{hangup: ~}]
"#;

const DESK: &str = "
queues:
  desk:
    order: priority_then_wait
    agent: [longest_idle]
    ring: 20s
    missed: {agent_state: away, return_to: front}
    wrap_up: {max: 1s}
";

/// How it is started.
#[derive(Clone, Copy)]
struct Way {
    host: &'static str,
    log: &'static str,
}

/// On IPv4, with the usual log.
const USUAL: Way = Way { host: "127.0.0.1", log: "info" };

/// A running server.
pub struct Server {
    home: TempDir,
    child: Child,
    way: Way,
    /// What it told when it was up.
    pub ready: Value,
}

impl Server {
    /// A server with the test's plan, one agent, and nobody at the phones.
    pub fn start() -> Server {
        Server::start_with(&files(HOTLINE))
    }

    /// The same with more in hotline.toml, and with trunks.
    pub fn start_and(hotline: &str, trunks: &str) -> Server {
        let hotline = format!("{HOTLINE}{hotline}");
        let mut all = files(&hotline).to_vec();
        all.push(("sip-config/trunks.toml", trunks.as_bytes()));
        Server::start_with(&all)
    }

    /// One that takes and places no call in clear.
    pub fn start_ciphered() -> Server {
        Server::start_with(&files(&HOTLINE.replace("[media]", "[media]\nsrtp = \"required\"")))
    }

    /// The same with more agents beside Anna.
    pub fn start_with_agents(agents: &str) -> Server {
        let phones = format!("{PHONES}{agents}");
        Server::start_with(&with_phones(HOTLINE, &phones))
    }

    /// The same on the IPv6 loopback.
    pub fn over_ipv6() -> Server {
        Server::start_as(Way { host: "[::1]", ..USUAL }, &files(&HOTLINE.replace("127.0.0.1", "::1")))
    }

    /// The same, as another host has one, on another loopback address.
    pub fn on_another_host(agents: &str) -> Server {
        let (hotline, phones) = (HOTLINE.replace("127.0.0.1", "127.0.0.2"), format!("{PHONES}{agents}"));
        Server::start_as(Way { host: "127.0.0.2", ..USUAL }, &with_phones(&hotline, &phones))
    }

    /// One that logs whatever there is to be logged.
    pub fn start_loudly() -> Server {
        Server::start_as(Way { log: "trace", ..USUAL }, &files(HOTLINE))
    }

    /// A server with these files; what is missing is built in.
    pub fn start_with(files: &[(&str, &[u8])]) -> Server {
        Server::start_as(USUAL, files)
    }

    fn start_as(way: Way, files: &[(&str, &[u8])]) -> Server {
        let home = tempfile::tempdir().unwrap();
        furnish(home.path(), files);
        let (child, ready) = spawn(home.path(), way);
        Server { home, child, way, ready }
    }

    /// A server with the example plans, whose desks never close, and these files.
    pub fn start_open_center(files: &[(&str, &[u8])]) -> Server {
        let home = tempfile::tempdir().unwrap();
        hotline::config::files::write_open_center(&home.path().join("dialplans")).unwrap();
        furnish(home.path(), files);
        let (child, ready) = spawn(home.path(), USUAL);
        Server { home, child, way: USUAL, ready }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again in the same folder.
    pub fn restart(&mut self) {
        (self.child, self.ready) = spawn(self.home.path(), self.way);
    }

    /// SIGTERM, and nothing more.
    pub fn signal(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    /// Waits until it has ended.
    pub fn end(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// Waits until its log says so.
    pub fn wait_for_log(&self, part: &str) {
        let limit = Instant::now() + PATIENCE;
        while !self.log().contains(part) {
            assert!(Instant::now() < limit, "`{part}` is not in the log:\n{}", self.log());
            std::thread::yield_now();
        }
    }

    /// SIGTERM; it must end by itself with 0.
    pub fn stop(self) {
        drop(self.stop_and_keep());
    }

    /// As [`Server::stop`]; its folder stays until it is dropped.
    pub fn stop_and_keep(mut self) -> TempDir {
        self.signal();
        let status = self.end();
        assert!(status.success(), "the server ended with {status}; its log:\n{}", self.log());
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("server.log")).unwrap_or_default()
    }

    /// Its socket.
    pub fn sip(&self, transport: &str) -> SocketAddr {
        let doors = self.ready["sip"].as_array().unwrap();
        let door = doors.iter().find(|door| door["transport"] == transport).unwrap();
        door["addr"].as_str().unwrap().parse().unwrap()
    }

    /// The certificate it made for itself.
    pub fn certificate(&self) -> PathBuf {
        self.home.path().join("data/tls/certificate.pem")
    }

    /// `sip:<user>@<its UDP socket>`.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip("UDP"))
    }

    /// The API's base URL.
    pub fn api(&self) -> &str {
        self.ready["api"].as_str().unwrap()
    }

    /// The administrator's key.
    pub fn key(&self) -> String {
        fs::read_to_string(self.home.path().join("data/admin-key")).unwrap().trim().to_owned()
    }

    fn request(&self, path: &str) -> TcpStream {
        self.ask("GET", path)
    }

    fn ask(&self, method: &str, path: &str) -> TcpStream {
        self.send(method, path, "", "")
    }

    fn send(&self, method: &str, path: &str, more: &str, body: &str) -> TcpStream {
        let api = self.api().trim_start_matches("http://").to_owned();
        let key = self.key();
        let mut stream = TcpStream::connect(&api).unwrap();
        stream.set_read_timeout(Some(BREATH)).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {api}\r\nAuthorization: Bearer {key}\r\n{more}\r\n{body}").unwrap();
        stream
    }

    /// GET of the API; the body as JSON.
    pub fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    /// GET of the API; the body as text.
    pub fn text(&self, path: &str) -> String {
        let (head, body) = whole(self.request(path));
        assert!(head.contains(" 200 "), "GET {path}: {head}\n{body}");
        body
    }

    /// POST of the API: status and body.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.change("POST", path, body)
    }

    /// The same by PUT.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.change("PUT", path, body)
    }

    fn change(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let (head, answer) = whole(self.send(method, path, &more, &body));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(&answer).unwrap())
    }

    /// DELETE of the API; its status.
    pub fn delete(&self, path: &str) -> u16 {
        let (head, _) = whole(self.ask("DELETE", path));
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The live stream of the log from its beginning.
    pub fn facts(&self) -> Facts {
        Facts { lines: BufReader::new(self.request("/v1/events/sse?after_seq=0")), half: String::new(), seen: Vec::new() }
    }

    /// All facts so far.
    pub fn log_of_facts(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |fact: &Value| fact["seq"].as_u64().unwrap());
            let page = self.get(&format!("/v1/events?after_seq={after}&limit=1000"));
            let facts = page["data"].as_array().unwrap().clone();
            if facts.is_empty() {
                return all;
            }
            all.extend(facts);
        }
    }

    /// The files of the recordings folder.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.home.path().join("recordings")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path)
                } else if path.extension().is_some_and(|end| end == "wav" || end == "opus") {
                    found.push(path)
                }
            }
        }
        found.sort();
        found
    }
}

/// Head and body of an answer.
fn whole(mut stream: TcpStream) -> (String, String) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}

fn files(hotline: &str) -> [(&str, &[u8]); 4] {
    [
        ("sip-config/hotline.toml", hotline.as_bytes()),
        ("sip-config/phones.toml", PHONES.as_bytes()),
        ("dialplans/peers.yaml", PLAN.as_bytes()),
        ("dialplans/desk.yaml", DESK.as_bytes()),
    ]
}

fn with_phones<'a>(hotline: &'a str, phones: &'a str) -> [(&'a str, &'a [u8]); 4] {
    files(hotline).map(|(name, bytes)| if name.ends_with("phones.toml") { (name, phones.as_bytes()) } else { (name, bytes) })
}

fn furnish(home: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_silent = *name == "sip-config/hotline.toml" && !bytes.windows(8).any(|part| part == b"[speech]");
        // Unoptimised recognizers beside other tests on two cores: their words may come late, but they are asked for.
        let more: &[u8] = if is_silent { b"\n[speech]\ngives_way = false\n" } else { b"" };
        fs::write(path, [*bytes, more].concat()).unwrap();
    }
}

fn spawn(home: &Path, way: Way) -> (Child, Value) {
    let Way { host, log: level } = way;
    let ready = home.join("ready.json");
    let _ = fs::remove_file(&ready);
    let log = fs::File::options().create(true).append(true).open(home.join("server.log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["serve", "--api", "127.0.0.1:0", "--log", level])
        .args(["udp", "tcp", "tls", "ws", "wss"].iter().flat_map(|transport| ["--listen".to_owned(), format!("{transport}:{host}:0")]))
        .arg("--home")
        .arg(home)
        .arg("--ready-file")
        .arg(&ready)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    // The file is written before the addresses are printed: the line on standard output says that it is there.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let up = lines.any(|line| line.is_ok_and(|line| line.starts_with("API ")));
    let log = fs::read_to_string(home.join("server.log")).unwrap_or_default();
    assert!(up, "the server did not come up; its log:\n{log}");
    // Nobody reads on: what it prints later goes nowhere and must not stop it.
    std::thread::spawn(move || lines.for_each(drop));
    (child, serde_json::from_slice(&fs::read(ready).unwrap()).unwrap())
}

/// The live stream.
pub struct Facts {
    lines: BufReader<TcpStream>,
    half: String,
    seen: Vec<Value>,
}

impl Facts {
    /// Reads on until `holds` for a fact of this kind; facts seen before count too.
    pub fn wait(&mut self, kind: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(1, kind, holds).remove(0)
    }

    /// Reads on until so many facts of this kind fit.
    pub fn wait_for(&mut self, count: usize, kind: &str, holds: impl Fn(&Value) -> bool) -> Vec<Value> {
        let limit = Instant::now() + PATIENCE;
        loop {
            let fit: Vec<Value> =
                self.seen.iter().filter(|fact| fact["type"] == kind && holds(&fact["data"])).map(|fact| fact["data"].clone()).collect();
            if fit.len() >= count {
                return fit;
            }
            assert!(
                Instant::now() < limit,
                "{} of {count} `{kind}` came within {PATIENCE:?}; what came: {}\n{}",
                fit.len(),
                self.kinds(),
                self.of_kind(kind)
            );
            self.read_one();
        }
    }

    /// Reads on until a fact for which `second` holds has come after one for which `first` does.
    pub fn wait_after(&mut self, first: impl Fn(&Value) -> bool, second: impl Fn(&Value) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !self.seen.iter().skip_while(|fact| !first(fact)).any(&second) {
            assert!(Instant::now() < limit, "it did not come within {PATIENCE:?}; what came: {}", self.kinds());
            self.read_one();
        }
    }

    /// Lets so much time pass, reading on.
    pub fn pass(&mut self, span: Duration) {
        let limit = Instant::now() + span;
        while Instant::now() < limit {
            self.read_one();
        }
    }

    fn of_kind(&self, kind: &str) -> String {
        self.seen.iter().filter(|fact| fact["type"] == kind).map(|fact| format!("{}\n", fact["data"])).collect()
    }

    fn kinds(&self) -> String {
        self.seen.iter().map(|fact| fact["type"].as_str().unwrap_or("?").to_owned()).collect::<Vec<_>>().join(" ")
    }

    /// One line, or nothing when none comes for a breath.
    fn read_one(&mut self) {
        match self.lines.read_line(&mut self.half) {
            Ok(0) => panic!("the event stream ended; what came: {}", self.kinds()),
            Ok(_) => {
                let line = std::mem::take(&mut self.half);
                self.seen.extend(line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok()));
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => panic!("the event stream broke: {error}"),
        }
    }
}

/// Is the program there? Says SKIPPED when it is not.
pub fn installed(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()));
    if !found {
        println!("SKIPPED: {program} is not installed (make setup)");
    }
    found
}

/// Our own phone as a process; killed when dropped, so that a test that fails leaves none behind.
pub struct Phone(Child);

impl Phone {
    /// Its user hangs up.
    pub fn quit(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) {
        let _ = self.0.wait();
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Our own phone as a process.
pub fn phone(args: &[&str]) -> Phone {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
    command.arg("call").args(args).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    Phone(command.spawn().unwrap())
}

/// Anna's phone over this transport: it registers, takes one call and ends with it.
pub fn anna_over(server: &Server, transport: &str, more: &[&str]) -> Phone {
    anna_at(&format!("{};transport={transport}", server.sip(&transport.to_uppercase())), more)
}

/// The same, registering at this address.
pub fn anna_at(address: &str, more: &[&str]) -> Phone {
    let whose = ["--register", "--answer", "--user", "anna", "--password", "anna-secret", "--server", address];
    phone(&[&whose, more].concat())
}

/// The same over UDP.
pub fn anna(server: &Server, more: &[&str]) -> Phone {
    anna_over(server, "udp", more)
}

/// The reports of a phone that has ended, and whether it was content.
pub fn reports(mut phone: Phone) -> (Vec<Value>, bool) {
    let (mut out, child) = (String::new(), &mut phone.0);
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let status = child.wait().unwrap();
    (out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), status.success())
}

//! A browser as an agent's telephone: Chromium with a page that speaks SIP over WebSocket, and what is heard on both sides by frequency.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use hotline::control::random::Random;
use hotline::media::RATE;
use hotline::media::tone::share;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::phones::channels;
use crate::stage::{PATIENCE, Server, anna, installed, phone, reports};

const NEAR: u64 = 20;
/// Who works at home. A browser has no MD5 (and Web Cryptography no wish for it).
const BEA: &str = r#"
[agents.bea]
name = "Bea"
password = "bea-secret"
digest = "sha256"
extension = "2002"
queues = ["desk"]
"#;
/// What the page says.
const OURS: u64 = 440;
const THEIRS: u64 = 1_000;
/// A tenth of a second of a recording, and how much of it must be the tone for it to be clear. At a loss of 2 % every tenth of them has a
/// packet less, and so has every sixth look of the browser's: three of four must be clear.
const WINDOW: usize = 800;
const CLEAR: f64 = 0.8;
const QUESTIONS: usize = 4_096;
const DATAGRAM: usize = 2_048;
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    // The certificate is the one that the server made for itself, and the only interface may be the loopback one.
    "--ignore-certificate-errors",
    "--allow-loopback-in-peer-connection",
];

/// Chromium with the page.
struct Page {
    child: Child,
    orders: Sender<Value>,
    told: Receiver<Value>,
    seen: Vec<Value>,
    _profile: TempDir,
}

/// What the page's own server knows.
#[derive(Clone)]
struct Desk {
    settings: Value,
    loss: f64,
    orders: Receiver<Value>,
    told: Sender<Value>,
}

impl Page {
    /// The page, whose telephone is Bea's and connects here. Each way loses this share of its packets.
    fn open(url: &str, loss: f64) -> Page {
        let settings = json!({"url": url, "user": "bea", "password": "bea-secret", "hertz": OURS, "relay": loss > 0.0});
        let ((orders, given), (says, told)) = (bounded(QUESTIONS), bounded(QUESTIONS));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!("http://{}/", listener.local_addr().unwrap());
        let desk = Desk { settings, loss, orders: given, told: says };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let desk = desk.clone();
                // A browser that was killed in the middle of a question needs no answer.
                std::thread::spawn(move || drop(desk.serve(stream)));
            }
        });
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display())).arg(place);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        let mut page = Page { child, orders, told, seen: Vec::new(), _profile: profile };
        page.wait("open", |_| true);
        page
    }

    fn order(&self, order: Value) {
        self.orders.send(order).unwrap();
    }

    /// Orders this and waits until the page says that it is done.
    fn carry_out(&mut self, order: Value, done: &str) -> Value {
        self.order(order);
        self.wait(done, |_| true)
    }

    /// Reads on until the page says so; what it said before counts no more.
    fn wait(&mut self, event: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            let told = self.told.recv_deadline(limit).unwrap_or_else(|_| panic!("the page never said `{event}`, but {}", self.last()));
            assert_ne!(told["event"], "failed", "{told}");
            self.seen.push(told.clone());
            if told["event"] == event && holds(&told) {
                return told;
            }
        }
    }

    /// Waits until the page hears this.
    fn hears(&mut self, hertz: u64) {
        self.wait("hears", |told| told["hertz"].as_u64().unwrap_or(0).abs_diff(hertz) <= NEAR);
    }

    fn last(&self) -> String {
        self.seen.iter().rev().take(12).map(Value::to_string).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Desk {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let (mut length, mut line) = (0, String::new());
        while lines.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (status, kind, answer) = self.answer(first.split(' ').nth(1).unwrap_or_default(), body);
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
        (&stream).write_all(head.as_bytes())?;
        (&stream).write_all(answer.as_bytes())
    }

    fn answer(&self, path: &str, body: Value) -> (&'static str, &'static str, String) {
        let json = |value: Value| ("200 OK", "application/json", value.to_string());
        let file = |name: &str| fs::read_to_string(format!("{}/tests/peers/browser/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        match path {
            "/" => ("200 OK", "text/html", file("phone.html")),
            "/phone.js" => ("200 OK", "text/javascript", file("phone.js")),
            "/settings" => json(self.settings.clone()),
            "/told" => {
                let _ = self.told.send(body);
                json(Value::Null)
            }
            "/relay" => json(json!({"port": relay(body["to"].as_str().unwrap().parse().unwrap(), self.loss)})),
            "/next" => self.orders.recv_timeout(PATIENCE).map_or(("204 No Content", "text/plain", String::new()), json),
            _ => ("404 Not Found", "text/plain", String::new()),
        }
    }
}

/// Stands between a browser and `to`, and loses this share of the packets, by chance of a fixed seed; its port.
fn relay(to: SocketAddr, loss: f64) -> u16 {
    let (near, far) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = near.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut random, mut browser, mut packet) = (Random::new(37), None, [0; DATAGRAM]);
        loop {
            let mut ready = [&near, &far].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
            if poll(&mut ready, PollTimeout::NONE).is_err() {
                return;
            }
            let [outward, inward] = ready.map(|one| one.any() == Some(true));
            if outward && let Ok((length, from)) = near.recv_from(&mut packet) {
                browser = Some(from);
                if random.unit() >= loss {
                    let _ = far.send_to(&packet[..length], to);
                }
            }
            if inward
                && let (Ok((length, _)), Some(browser)) = (far.recv_from(&mut packet), browser)
                && random.unit() >= loss
            {
                let _ = near.send_to(&packet[..length], browser);
            }
        }
    });
    port
}

fn wss(server: &Server) -> String {
    format!("wss://{}/", server.sip("WSS"))
}

fn ws(server: &Server) -> String {
    format!("ws://{}/", server.sip("WS"))
}

fn heard(report: &Value) -> u64 {
    report["heard"]["hertz"].as_u64().unwrap_or(0)
}

#[test]
fn s37_a_browser_at_home_is_rung_over_wss_and_talks_holds_and_changes_its_way() {
    if !installed("chromium") {
        return;
    }
    let server = Server::on_another_host(BEA);
    let mut facts = server.facts();
    let mut page = Page::open(&wss(&server), 0.0);
    assert_eq!(page.carry_out(json!({"do": "register"}), "registered")["status"], 200);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("line"), "--wait", "1s", "--tone", &format!("{THEIRS}:60s")]);
    page.wait("rung", |_| true);
    assert_eq!(page.wait("track", |_| true)["streams"], 1, "scripts find the sound in a stream");
    page.hears(THEIRS);
    facts.wait("call.bridged", |_| true);
    assert_eq!(page.carry_out(json!({"do": "hold"}), "held")["status"], 200);
    facts.wait("call.held", |data| data["held"] == true);
    assert_eq!(page.carry_out(json!({"do": "resume"}), "resumed")["status"], 200);
    facts.wait("call.held", |data| data["held"] == false);
    page.hears(THEIRS);
    assert_eq!(page.carry_out(json!({"do": "restart"}), "restarted")["status"], 200);
    assert_eq!(page.wait("name", |_| true)["fresh"], true);
    page.hears(THEIRS);
    facts.pass(Duration::from_secs(1));
    caller.quit();
    page.wait("ended", |_| true);
    let (caller, good) = reports(caller);
    assert!(good && heard(&caller[0]).abs_diff(OURS) <= NEAR, "the caller hears the browser: {}", caller[0]);
    assert!(!server.log().contains("a=ice-pwd"), "no password is in the log");
    server.stop();
}

#[test]
fn s37_a_browser_calls_a_menu_an_echo_and_a_colleague() {
    if !installed("chromium") {
        return;
    }
    let server = Server::start_with_agents(BEA);
    let mut facts = server.facts();
    let mut page = Page::open(&ws(&server), 0.0);
    let called = page.carry_out(json!({"do": "call", "to": "menu"}), "called");
    assert_eq!(called["status"], 200, "{called}");
    page.wait("connection", |told| told["state"] == "connected");
    page.order(json!({"do": "press", "keys": "1"}));
    page.wait("ended", |told| told["why"] == "they hung up");
    assert_eq!(page.carry_out(json!({"do": "call", "to": "echo"}), "called")["status"], 200);
    page.hears(OURS);
    page.carry_out(json!({"do": "hangup"}), "ended");
    let anna = anna(&server, &["--ring", "200ms", "--wait", "0s", "--tone", &format!("{THEIRS}:60s")]);
    facts.wait("agent.state", |data| data["state"] == "available");
    assert_eq!(page.carry_out(json!({"do": "call", "to": "2001"}), "called")["status"], 200);
    page.hears(THEIRS);
    page.carry_out(json!({"do": "hangup"}), "ended");
    let (anna, good) = reports(anna);
    assert!(good && heard(&anna[0]).abs_diff(OURS) <= NEAR, "the colleague hears the browser: {}", anna[0]);
    server.stop();
}

#[test]
fn s37_with_two_percent_of_the_packets_lost_both_sides_still_hear_each_other_clearly() {
    if !installed("chromium") {
        return;
    }
    let server = Server::start_with_agents(BEA);
    let mut facts = server.facts();
    let mut page = Page::open(&ws(&server), 0.02);
    page.carry_out(json!({"do": "register"}), "registered");
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("2002"), "--wait", "1s", "--tone", &format!("{THEIRS}:60s")]);
    page.hears(THEIRS);
    let clear = |told: &Value| told["hertz"].as_u64().unwrap_or(0).abs_diff(THEIRS) <= NEAR && told["share"].as_f64() > Some(0.8);
    let looks: Vec<bool> = (0..30).map(|_| clear(&page.wait("hears", |_| true))).collect();
    let counted = page.carry_out(json!({"do": "count"}), "counted");
    caller.quit();
    page.wait("ended", |_| true);
    let (caller, good) = reports(caller);
    assert!(good && heard(&caller[0]).abs_diff(OURS) <= NEAR, "{}", caller[0]);
    assert!(counted["packetsLost"].as_u64().unwrap() > 0, "the relay loses packets: {counted}");
    let clear_looks = looks.iter().filter(|clear| **clear).count();
    assert!(4 * clear_looks >= 3 * looks.len(), "the browser hears the caller in {clear_looks} of {} looks; {counted}", looks.len());
    let recorded = facts.wait("recording.finished", |_| true);
    let (_, right) = channels(&server.home().join("recordings").join(recorded["path"].as_str().unwrap()));
    let said: Vec<f64> = right
        .chunks_exact(WINDOW)
        .skip_while(|sound| share(sound, RATE, OURS as f64) < CLEAR)
        .map(|sound| share(sound, RATE, OURS as f64))
        .collect();
    let clear = said.iter().filter(|share| **share >= CLEAR).count();
    assert!(said.len() > 40 && 4 * clear >= 3 * said.len(), "the caller hears the browser in {clear} of {} windows", said.len());
    server.stop();
}

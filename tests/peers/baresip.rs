//! baresip, a foreign phone: as agent and as caller, with tones, keys, hold, and both hang-up sides.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::phones::{channels, strongest};
use crate::stage::{PATIENCE, Server, installed, phone, reports};

const NEAR: u16 = 20;
const BREATH: Duration = Duration::from_millis(200);

/// A running baresip, driven over its control connection.
pub struct Baresip {
    child: Child,
    folder: TempDir,
    control: TcpStream,
    unread: Vec<u8>,
    seen: Vec<Value>,
}

impl Baresip {
    /// Starts it with this account; what it says is a sine of `hertz`.
    pub fn start(account: &str, hertz: u16) -> Baresip {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dump = folder.path().display();
        let config = format!(
            "poll_method epoll\nsip_listen 127.0.0.1:0\naudio_player aubridge,nil\naudio_source aufile,{dump}/tone.wav\naudio_alert aubridge,nil\n\
             audio_path /nonexistent\naudio_level no\nausrc_srate 8000\nausrc_channels 1\nrtp_stats yes\nsnd_path {dump}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\n\
             module aubridge.so\nmodule sndfile.so\nmodule srtp.so\nmodule dtls_srtp.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{port}\n"
        );
        fs::write(folder.path().join("config"), config).unwrap();
        write_tone(&folder.path().join("tone.wav"), hertz);
        fs::write(folder.path().join("accounts"), format!("{account}\n")).unwrap();
        let output = fs::File::create(folder.path().join("out")).unwrap();
        let child = Command::new("baresip")
            .arg("-4")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let control = connect(port, &folder);
        control.set_read_timeout(Some(BREATH)).unwrap();
        Baresip { child, folder, control, unread: Vec::new(), seen: Vec::new() }
    }

    /// Gives a command of its menu: `dial`, `hangup`, `hold` …
    pub fn command(&mut self, command: &str, params: &str) {
        let message = json!({"command": command, "params": params, "token": command}).to_string();
        write!(self.control, "{}:{message},", message.len()).unwrap();
    }

    /// Waits for an event of this type.
    pub fn wait(&mut self, kind: &str) {
        let limit = Instant::now() + PATIENCE;
        while !self.seen.iter().any(|event| event["type"] == kind) {
            assert!(Instant::now() < limit, "baresip did not say {kind}; it said {:?}\n{}", self.seen, self.output());
            self.read();
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("out")).unwrap_or_default()
    }

    /// Reads what is there: netstrings of JSON.
    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        match self.control.read(&mut buffer) {
            Ok(0) => panic!("baresip closed its control connection\n{}", self.output()),
            Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            Err(_) => return,
        }
        while let Some(colon) = self.unread.iter().position(|byte| *byte == b':') {
            let length: usize = std::str::from_utf8(&self.unread[..colon]).unwrap().parse().unwrap();
            if self.unread.len() < colon + length + 2 {
                return;
            }
            let message: Vec<u8> = self.unread.drain(..colon + length + 2).collect();
            self.seen.extend(serde_json::from_slice::<Value>(&message[colon + 1..=colon + length]).ok());
        }
    }

    /// Ends it and gives the sound it heard: the decoded side of its own recording.
    pub fn heard(mut self) -> Vec<i16> {
        self.command("quit", "");
        let _ = self.child.wait();
        let files = fs::read_dir(self.folder.path()).unwrap().filter_map(Result::ok).map(|entry| entry.path());
        let decoded: Vec<PathBuf> = files.filter(|file| file.to_string_lossy().ends_with("dec.wav")).collect();
        let file = decoded.first().unwrap_or_else(|| panic!("baresip recorded nothing\n{}", self.output()));
        let mut reader = hound::WavReader::open(file).unwrap();
        let wide = reader.spec().sample_rate / 8_000;
        let step = usize::from(reader.spec().channels) * usize::try_from(wide).unwrap();
        reader.samples::<i16>().map(Result::unwrap).step_by(step).collect()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A minute of a sine.
fn write_tone(file: &Path, hertz: u16) {
    const SECONDS: u32 = 60;
    let spec = hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    for at in 0..SECONDS * spec.sample_rate {
        let turn = f64::from(at) * f64::from(hertz) / f64::from(spec.sample_rate);
        writer.write_sample(((turn * std::f64::consts::TAU).sin() * 8_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

fn connect(port: u16, folder: &TempDir) -> TcpStream {
    let limit = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(_) if Instant::now() < limit => std::thread::yield_now(),
            Err(error) => panic!("baresip did not start: {error}\n{}", fs::read_to_string(folder.path().join("out")).unwrap_or_default()),
        }
    }
}

/// Anna's account over this transport, for [`Baresip::start`].
pub fn account(server: &Server, transport: &str) -> String {
    let place = format!("{};transport={transport}", server.sip(&transport.to_uppercase()));
    format!("<sip:anna@{place}>;auth_user=anna;auth_pass=anna-secret;answermode=auto;audio_codecs=PCMU;regint=300")
}

fn guest(server: &Server) -> String {
    guest_with(server, "PCMA")
}

fn guest_with(server: &Server, codec: &str) -> String {
    format!("<sip:guest@{}>;audio_codecs={codec};regint=0", server.sip("UDP"))
}

#[test]
fn s23_baresip_is_the_agent_and_the_caller_hangs_up_first() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    let mut agent = Baresip::start(&account(&server, "udp"), 440);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("line"), "--wait", "2s", "--tone", "1000:3s", "--hangup-after", "500ms"]);
    facts.wait("call.bridged", |_| true);
    agent.wait("CALL_ESTABLISHED");
    let (reports, good) = reports(caller);
    assert!(good);
    agent.wait("CALL_CLOSED");
    let heard = reports[0]["heard"]["hertz"].as_u64().unwrap_or(0);
    assert!(heard.abs_diff(440) <= u64::from(NEAR), "the caller hears the agent's sine: {}", reports[0]);
    assert!(strongest(&agent.heard()).abs_diff(1000) <= NEAR, "the agent hears the caller's tone");
    let recorded = facts.wait("recording.finished", |_| true);
    let (left, right) = channels(&server.home().join("recordings").join(recorded["path"].as_str().unwrap()));
    assert!(strongest(&left).abs_diff(1000) <= NEAR && strongest(&right).abs_diff(440) <= NEAR, "both sides are recorded");
    server.stop();
}

#[test]
fn baresip_is_the_agent_and_hangs_up_first() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    let mut agent = Baresip::start(&account(&server, "udp"), 440);
    facts.wait("agent.state", |data| data["state"] == "available");
    let caller = phone(&["--to", &server.uri("2001")]);
    agent.wait("CALL_ESTABLISHED");
    facts.wait("call.bridged", |_| true);
    agent.command("hangup", "");
    let (reports, good) = reports(caller);
    assert!(good);
    assert_eq!(reports[0]["ended_by"], "far_end");
    facts.wait("call.ended", |data| data["ending"] == "agent_hung_up");
    server.stop();
}

#[test]
fn s86_baresip_calls_in_a_wide_codec_and_is_bridged_to_one_that_speaks_g711() {
    if !installed("baresip") {
        return;
    }
    for (codec, module) in [("opus", "opus.so"), ("G722", "g722.so")] {
        if !Path::new("/usr/lib/baresip/modules").join(module).exists() {
            println!("SKIPPED: baresip's {module} is missing");
            continue;
        }
        let server = Server::start();
        let mut facts = server.facts();
        let mut agent = Baresip::start(&account(&server, "udp"), 440);
        facts.wait("agent.state", |data| data["state"] == "available");
        let mut caller = Baresip::start(&guest_with(&server, codec), 700);
        caller.command("dial", &server.uri("2001"));
        caller.wait("CALL_ESTABLISHED");
        facts.wait("call.bridged", |_| true);
        facts.pass(Duration::from_secs(3));
        caller.command("hangup", "");
        facts.wait("call.ended", |_| true);
        agent.wait("CALL_CLOSED");
        assert!(strongest(&agent.heard()).abs_diff(700) <= NEAR, "{codec}: the agent hears the caller");
        assert!(strongest(&caller.heard()).abs_diff(440) <= NEAR, "{codec}: the caller hears the agent");
        server.stop();
    }
}

#[test]
fn baresip_calls_holds_presses_a_key_and_the_server_hangs_up() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    let mut caller = Baresip::start(&guest(&server), 700);
    caller.command("dial", &server.uri("menu"));
    caller.wait("CALL_ESTABLISHED");
    caller.command("hold", "");
    facts.wait("call.held", |data| data["held"] == true);
    caller.command("resume", "");
    facts.wait("call.held", |data| data["held"] == false);
    caller.command("sndcode", "1");
    facts.wait("session.key", |data| data["key"] == "1");
    caller.wait("CALL_CLOSED");
    facts.wait("session.node", |data| data["node"] == "one");
    server.stop();
}

#[test]
fn baresip_calls_and_hangs_up_and_its_voice_is_on_the_left_channel() {
    if !installed("baresip") {
        return;
    }
    let server = Server::start();
    let mut facts = server.facts();
    let mut caller = Baresip::start(&guest(&server), 700);
    caller.command("dial", &server.uri("music"));
    caller.wait("CALL_ESTABLISHED");
    facts.pass(Duration::from_secs(2));
    caller.command("hangup", "");
    facts.wait("call.ended", |data| data["ending"] == "caller_hung_up");
    let recorded = facts.wait("recording.finished", |_| true);
    let (left, right) = channels(&server.home().join("recordings").join(recorded["path"].as_str().unwrap()));
    assert!(strongest(&left).abs_diff(700) <= NEAR, "the caller's sine");
    assert!(right.iter().any(|sample| sample.unsigned_abs() > 500), "the music");
    server.stop();
}

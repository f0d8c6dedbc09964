//! Kamailio, the field's own proxy: in front of us with Record-Route and Path, and as a trunk.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::stage::{PATIENCE, Server, anna_at, installed, phone, reports};
use crate::trunks::{call_out, trunk};

/// One wait for an answer to OPTIONS.
const BREATH: Duration = Duration::from_millis(200);
/// Where Debian keeps its modules.
const MODULES: [&str; 3] =
    ["/usr/lib/x86_64-linux-gnu/kamailio/modules", "/usr/lib/aarch64-linux-gnu/kamailio/modules", "/usr/lib/kamailio/modules"];

/// A running proxy that sends what begins at it on to one server; killed when dropped.
struct Kamailio {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Kamailio {
    fn before(server: &Server) -> Kamailio {
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let modules = MODULES.iter().find(|folder| Path::new(folder).exists()).expect("Kamailio's modules");
        let there = server.sip("UDP").port();
        let config = format!(
            r#"#!KAMAILIO
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "path.so"
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("INVITE")) record_route();
    if ($sp == {there}) {{ loose_route(); t_relay(); exit; }}
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) add_path();
    $du = "sip:127.0.0.1:{there}";
    t_relay();
}}
"#
        );
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let kamailio = Kamailio { child, port, folder };
        kamailio.wait_until_up();
        kamailio
    }

    fn wait_until_up(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(BREATH)).unwrap();
        let (limit, ours) = (Instant::now() + PATIENCE, socket.local_addr().unwrap());
        let mut answer = [0u8; 2_048];
        loop {
            let options = format!(
                "OPTIONS sip:127.0.0.1:{} SIP/2.0\r\nVia: SIP/2.0/UDP {ours};branch=z9hG4bKup\r\nMax-Forwards: 5\r\nFrom: <sip:a@h>;tag=1\r\n\
                 To: <sip:b@h>\r\nCall-ID: up\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                self.port
            );
            let _ = socket.send_to(options.as_bytes(), ("127.0.0.1", self.port));
            if socket.recv_from(&mut answer).is_ok() {
                return;
            }
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < limit, "Kamailio did not come up; its log:\n{log}");
        }
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@127.0.0.1:{}", self.port)
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its children end with it only when it may say so to them.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

#[test]
fn s85_calls_through_a_record_routing_proxy_are_answered_held_and_ended_along_its_route() {
    if !installed("kamailio") {
        return;
    }
    let server = Server::start();
    let proxy = Kamailio::before(&server);
    let (reports, good) =
        reports(phone(&["--to", &proxy.uri("music"), "--wait", "1s", "--hold", "500ms", "--wait", "500ms", "--hangup-after", "300ms"]));
    assert!(good && reports[0]["heard"]["rms"].as_f64().unwrap() > 100.0, "{reports:?}");
    let mut facts = server.facts();
    facts.wait("call.held", |held| held["held"] == true);
    facts.wait("call.ended", |call| call["ending"] == "caller_hung_up");
    server.stop();
}

#[test]
fn s37_a_phone_that_registers_through_a_proxy_is_called_through_it_by_its_path() {
    if !installed("kamailio") {
        return;
    }
    let server = Server::start();
    let proxy = Kamailio::before(&server);
    let mut facts = server.facts();
    let address = format!("127.0.0.1:{}", proxy.port);
    let anna = anna_at(&address, &["--ring", "100ms", "--wait", "1s"]);
    let registered = facts.wait("phone.registered", |phone| phone["user"] == "anna");
    let path = registered["contacts"][0]["path"][0].as_str().unwrap_or_default().to_owned();
    assert!(path.contains(&address) && path.contains(";lr"), "{registered}");
    let (caller, good) = reports(phone(&["--to", &server.uri("2001"), "--wait", "500ms", "--hangup-after", "500ms"]));
    assert!(good && caller[0]["status"] == 200, "{caller:?}");
    let (answered, good) = reports(anna);
    assert!(good && answered.len() == 1, "{answered:?}");
    facts.wait("call.ended", |call| call["ending"] == "caller_hung_up");
    server.stop();
}

#[test]
fn s85_a_proxy_is_a_trunk_to_what_is_behind_it() {
    if !installed("kamailio") {
        return;
    }
    let far = Server::start();
    let proxy = Kamailio::before(&far);
    let trunks = format!(
        "[trunks.pbx]\nremote = \"127.0.0.1:{}\"\nsources = []\ncaller_out = [\"* -> 100\"]\nout = [\"9* -> *\"]\ncheck = \"5s\"\n",
        proxy.port
    );
    let server = Server::start_and("\n[numbers]\n\"9*\" = \"trunk:pbx\"\n", &trunks);
    server.facts().wait("trunk.state", |state| state["state"] == "up");
    let (status, loud) = call_out(&server, "9music");
    assert!(status == 200 && loud > 100.0, "{status}, {loud}");
    far.facts().wait("call.ended", |call| call["ending"] == "caller_hung_up");
    let probed = trunk(&server, &["probe", "pbx", "--number", "9music"]);
    let text = String::from_utf8(probed.stdout).unwrap();
    assert!(probed.status.success() && text.contains("kamailio") && text.contains("PCMU"), "{text}");
    drop(proxy);
    server.facts().wait("trunk.state", |state| state["state"] == "down");
    server.stop();
    far.stop();
}

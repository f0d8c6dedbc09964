//! SIP over UDP, TCP, TLS and WebSocket: our phone and baresip in both directions, SIPp, and raw sockets that break the rules.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::baresip::{Baresip, account};
use crate::sipp::{CALL, Sipp};
use crate::stage::{PATIENCE, Server, anna_over, installed, phone, reports};

const NEAR: u64 = 20;
const TRANSPORTS: [&str; 5] = ["udp", "tcp", "tls", "ws", "wss"];

/// `sip:user@host:port;transport=…`, or `sips:` for the last one.
fn uri(server: &Server, user: &str, transport: &str) -> String {
    format!("sip:{user}@{};transport={transport}", server.sip(&transport.to_uppercase()))
}

#[test]
fn s80_our_phone_calls_over_every_transport() {
    let server = Server::start();
    let certificate = server.certificate();
    for transport in TRANSPORTS {
        let uri = uri(&server, "music", transport);
        let (reports, good) =
            reports(phone(&["--to", &uri, "--authorities", certificate.to_str().unwrap(), "--wait", "0s", "--hangup-after", "1500ms"]));
        assert!(good, "{transport}: {reports:?}");
        assert!(reports[0]["media"]["received"].as_u64().unwrap() > 30, "{transport}: {}", reports[0]);
    }
    let sips = format!("sips:music@{}", server.sip("TLS"));
    let (reports, good) =
        reports(phone(&["--to", &sips, "--authorities", certificate.to_str().unwrap(), "--wait", "0s", "--hangup-after", "1s"]));
    assert!(good, "sips: {reports:?}");
    server.stop();
}

#[test]
fn s80_a_phone_does_not_talk_to_a_server_whose_certificate_nobody_signed() {
    let server = Server::start();
    let uri = uri(&server, "music", "tls");
    let (refused, good) = reports(phone(&["--to", &uri, "--hangup-after", "1s"]));
    assert!(!good && refused[0]["status"] == 503, "{refused:?}");
    let (_, good) = reports(phone(&["--to", &uri, "--insecure", "--wait", "0s", "--hangup-after", "1s"]));
    assert!(good, "--insecure takes it all the same");
    server.stop();
}

#[test]
fn s80_an_agents_phone_is_rung_over_the_connection_it_registered_with() {
    for transport in ["tcp", "tls", "ws", "wss"] {
        let server = Server::start();
        let mut facts = server.facts();
        let certificate = server.certificate();
        let trust = ["--authorities", certificate.to_str().unwrap()];
        let agent = anna_over(&server, transport, &[&trust[..], &["--ring", "200ms", "--wait", "0s", "--tone", "440:3s"]].concat());
        facts.wait("agent.state", |data| data["state"] == "available");
        let caller = phone(&["--to", &server.uri("2001"), "--wait", "2s", "--hangup-after", "500ms"]);
        facts.wait("call.bridged", |_| true);
        let (caller, caller_good) = reports(caller);
        let (_, agent_good) = reports(agent);
        assert!(caller_good && agent_good, "{transport}");
        let heard = caller[0]["heard"]["hertz"].as_u64().unwrap_or(0);
        assert!(heard.abs_diff(440) <= NEAR, "{transport}: {}", caller[0]);
        server.stop();
    }
}

#[test]
fn baresip_is_agent_and_caller_over_tcp_and_tls() {
    if !installed("baresip") {
        return;
    }
    for transport in ["tcp", "tls"] {
        let server = Server::start();
        let mut facts = server.facts();
        let mut agent = Baresip::start(&account(&server, transport), 440);
        facts.wait("agent.state", |data| data["state"] == "available");
        let caller = phone(&["--to", &server.uri("2001"), "--wait", "1s", "--hangup-after", "500ms"]);
        agent.wait("CALL_ESTABLISHED");
        let (reports, good) = reports(caller);
        assert!(good, "{transport}: {reports:?}");
        agent.wait("CALL_CLOSED");
        drop(agent);
        let place = format!("{};transport={transport}", server.sip(&transport.to_uppercase()));
        let mut caller = Baresip::start(&format!("<sip:guest@{place}>;audio_codecs=PCMA;regint=0"), 700);
        caller.command("dial", &format!("sip:music@{place}"));
        caller.wait("CALL_ESTABLISHED");
        caller.command("hangup", "");
        facts.wait("call.ended", |data| data["ending"] == "caller_hung_up");
        server.stop();
    }
}

#[test]
fn sipp_calls_over_a_connection_for_each_call() {
    if !installed("sipp") {
        return;
    }
    let server = Server::start();
    Sipp::run(&server, CALL, &["-s", "answer", "-m", "60", "-r", "30", "-d", "300", "-t", "tn", "-max_socket", "500"]).succeed();
    server.stop();
}

#[test]
fn s80_sipp_calls_over_tls() {
    if !installed("sipp") {
        return;
    }
    let help = Command::new("sipp").arg("-h").env("TERM", "dumb").output().unwrap();
    let speaks_tls = [help.stdout, help.stderr].iter().any(|text| String::from_utf8_lossy(text).contains("l1:"));
    if !speaks_tls {
        println!("SKIPPED: this sipp is built without TLS");
        return;
    }
    let server = Server::start();
    Sipp::run(&server, CALL, &["-s", "answer", "-m", "20", "-r", "10", "-d", "300", "-t", "l1"]).succeed();
    server.stop();
}

/// An OPTIONS that the server answers; the peer's first line.
fn options(server: &Server) -> String {
    let text = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bKx1;rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\n\
                To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-CAfile"])
        .arg(server.certificate())
        .args(["-connect", &server.sip("TLS").to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    let mut line = [0u8; 15];
    child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn s80_openssl_verifies_our_own_certificate_and_gets_an_answer() {
    if !installed("openssl") {
        return;
    }
    let server = Server::start();
    assert_eq!(options(&server), "SIP/2.0 200 OK\r");
    let protocols = |version: &str| {
        let client =
            Command::new("openssl").args(["s_client", version, "-connect", &server.sip("TLS").to_string()]).stdin(Stdio::null()).output();
        client.unwrap().status.success()
    };
    assert!(protocols("-tls1_2") && protocols("-tls1_3"));
    assert!(!protocols("-tls1_1"), "what is broken is not spoken");
    server.stop();
}

#[test]
fn rude_peers_on_the_tls_port_hurt_nobody() {
    let server = Server::start();
    let address = server.sip("TLS");
    let garbage: [&[u8]; 5] = [
        b"OPTIONS sip:h SIP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x15\x03\x03\x00\x02\x02\x28",
        &[0xFF; 20_000],
        b"",
    ];
    for bytes in garbage.iter().cycle().take(50) {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = peer.write_all(bytes);
        let _ = peer.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = peer.read_to_end(&mut rest);
    }
    // Those who never say anything keep nobody out.
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(server.sip("TCP")).unwrap()).collect();
    let (reports, good) = reports(phone(&["--to", &uri(&server, "music", "tls"), "--insecure", "--wait", "0s", "--hangup-after", "1s"]));
    assert!(good, "{reports:?}");
    drop(silent);
    server.stop();
}

#[test]
fn s80_a_renewed_certificate_is_shown_without_a_restart() {
    let server = Server::start();
    let uri = uri(&server, "music", "tls");
    let call =
        |authorities: &str| reports(phone(&["--to", &uri, "--authorities", authorities, "--wait", "0s", "--hangup-after", "500ms"])).1;
    let kept = server.home().join("before.pem");
    fs::copy(server.certificate(), &kept).unwrap();
    assert!(call(kept.to_str().unwrap()));
    // What is missing is made anew within a second or two.
    fs::remove_file(server.certificate()).unwrap();
    let mut facts = server.facts();
    let limit = std::time::Instant::now() + PATIENCE;
    while !server.log().contains("a new certificate is shown from now on") {
        assert!(std::time::Instant::now() < limit, "{}", server.log());
        facts.pass(Duration::from_millis(200));
    }
    assert!(call(server.certificate().to_str().unwrap()));
    assert!(!call(kept.to_str().unwrap()), "the old one is not shown any more");
    server.stop();
}

#[test]
fn check_prints_what_would_be_opened_and_whose_certificate_is_shown() {
    let server = Server::start();
    let check = |home: &std::path::Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["check", "--home"])
            .arg(home)
            .args(["--listen", "tls:127.0.0.1:5061", "--listen", "udp:[::1]:5060"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = check(server.home());
    assert!(said.contains("SIP    TLS on 127.0.0.1:5061, says 127.0.0.1:5061"), "{said}");
    assert!(said.contains("SIP    UDP on [::1]:5060"), "{said}");
    assert!(said.contains("certificate.pem, good until 20") && said.contains("SHA-256 "), "{said}");
    let empty = tempfile::tempdir().unwrap();
    assert!(check(empty.path()).contains("made at the first start"));
    server.stop();
}

#[test]
fn a_caller_over_ipv6_is_answered_with_an_ipv6_description() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        println!("SKIPPED: this machine has no IPv6");
        return;
    }
    let server = Server::over_ipv6();
    let address = server.sip("UDP");
    let peer = std::net::UdpSocket::bind("[::1]:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = peer.local_addr().unwrap();
    let sdp = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let invite = format!(
        "INVITE sip:answer@{address} SIP/2.0\r\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bK61\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:answer@{address}>\r\nCall-ID: six\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    peer.send_to(invite.as_bytes(), address).unwrap();
    let mut buffer = [0u8; 4_096];
    let answer = loop {
        let length = peer.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0 200") {
            break text;
        }
        assert!(text.starts_with("SIP/2.0 1"), "{text}");
    };
    assert!(answer.contains(&format!("Contact: <sip:answer@{address}>")), "brackets stand around the address: {answer}");
    assert!(answer.contains(&format!("received=::1;rport={}", own.port())), "{answer}");
    assert!(answer.contains("c=IN IP6 ::1\r\n"), "{answer}");
    let (reports, good) = reports(phone(&["--to", &server.uri("music"), "--wait", "0s", "--hangup-after", "1s"]));
    assert!(good && reports[0]["media"]["received"].as_u64().unwrap() > 20, "{reports:?}");
    server.stop();
}

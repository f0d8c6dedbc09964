//! A notice outside of office hours, by a bare socket: it is heard as early media, then the call is refused, and nobody pays.

use std::io::Cursor;
use std::net::{SocketAddr, UdpSocket};

use hotline::media::codec::g711::{Law, decode};

use crate::phones::strongest;
use crate::stage::{PATIENCE, Server};

const HOTLINE: &str = r#"
[media]
bind = "127.0.0.1"
ports = "free:16"

[speech.live]
"*" = "off"
"#;
const DESK: &str = "
queues:
  desk: {agent: [longest_idle], ring: 20s}
";
const PLAN: &str = r#"
dialplan: 1
id: closed
title: Closed
languages: [en-US]
numbers: [closed]
start: main
defaults: {answer: when_needed, match: local, no_match: {tries: 2, then: end}, error: end}
nodes:
  main: [{play: closed.wav}, {hangup: ~}]
"#;
/// What the notice sounds like.
const NOTICE_HERTZ: f64 = 700.0;
const NOTICE_SAMPLES: u32 = 8_000;
/// Header of an RTP packet without extensions, in bytes.
const RTP_HEADER: usize = 12;
/// μ-law.
const PCMU: u8 = 0;

fn notice() -> Vec<u8> {
    let form = hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, form).unwrap();
    for nth in 0..NOTICE_SAMPLES {
        let turn = std::f64::consts::TAU * NOTICE_HERTZ * f64::from(nth) / 8_000.0;
        writer.write_sample((turn.sin() * 8_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn request(method: &str, to_tag: &str, center: SocketAddr, local: SocketAddr, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:closed@{center} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKearly\r\nMax-Forwards: 70\r\n\
         From: <sip:caller@{local}>;tag=c\r\nTo: <sip:closed@{center}>{to_tag}\r\nCall-ID: early@{local}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:caller@{local}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What came over the socket of the sound.
fn heard(sound: &UdpSocket) -> Vec<i16> {
    sound.set_nonblocking(true).unwrap();
    let mut packet = [0; 1_500];
    let mut samples = Vec::new();
    while let Ok(length) = sound.recv(&mut packet) {
        let is_voice = length > RTP_HEADER && packet[1] & 0x7F == PCMU;
        samples.extend(packet[RTP_HEADER..length].iter().filter(|_| is_voice).map(|byte| decode(Law::Mu, *byte)));
    }
    samples
}

#[test]
fn s35_a_notice_is_heard_before_the_call_is_refused() {
    let server = Server::start_with(&[
        ("sip-config/hotline.toml", HOTLINE.as_bytes()),
        ("sip-config/phones.toml", b""),
        ("dialplans/closed.yaml", PLAN.as_bytes()),
        ("dialplans/desk.yaml", DESK.as_bytes()),
        ("prompts/closed.wav", &notice()),
    ]);
    let center = server.sip("UDP");
    let (signalling, sound) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (local, port) = (signalling.local_addr().unwrap(), sound.local_addr().unwrap().port());
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    );
    signalling.set_read_timeout(Some(PATIENCE)).unwrap();
    signalling.send_to(request("INVITE", "", center, local, &offer).as_bytes(), center).unwrap();
    let mut statuses = Vec::new();
    let refusal = loop {
        let mut datagram = [0; 4_000];
        let length = signalling.recv(&mut datagram).expect("an answer");
        let answer = String::from_utf8_lossy(&datagram[..length]).into_owned();
        let status: u16 = answer["SIP/2.0 ".len()..][..3].parse().unwrap();
        if status == 183 {
            assert!(answer.contains("m=audio "), "it comes with our description: {answer}");
        }
        statuses.push(status);
        if status >= 200 {
            break answer;
        }
    };
    statuses.retain(|status| *status != 100);
    assert_eq!(statuses, [183, 480]);
    let tag = refusal.lines().find_map(|line| line.strip_prefix("To: ")).and_then(|to| to.split_once(">")).map_or("", |(_, tag)| tag);
    signalling.send_to(request("ACK", tag, center, local, "").as_bytes(), center).unwrap();
    let samples = heard(&sound);
    let (whole, frequency) = (NOTICE_SAMPLES as usize, strongest(&samples));
    assert!(samples.len() * 10 >= whole * 9, "{} samples of {whole} came", samples.len());
    assert!(frequency.abs_diff(NOTICE_HERTZ as u16) <= 20, "{frequency} Hz");
    let mut facts = server.facts();
    let ended = facts.wait("call.ended", |_| true);
    assert_eq!((ended["ending"].as_str(), ended["sip_status"].as_u64()), (Some("not_answered"), Some(480)));
    assert!(!server.log_of_facts().iter().any(|fact| fact["type"] == "call.answered" || fact["type"] == "recording.started"));
    server.stop();
}

//! Reports about streams in virtual time: what goes out, what is made of what comes in, and what a call leaves behind.

use std::net::SocketAddr;
use std::time::Duration;

use hotline::control::words::media::{Codec, Command, Event, LegStats, Reports, ReportsWay, Stream, VoipMetrics};
use hotline::control::words::srtp::{KeyChance, SrtpKeys, Suite};
use hotline::media::rtp::packet::is_rtcp;
use hotline::media::rtp::rtcp::{Got, Sends, Sent, Writer, read};
use rtcp_types::{Compound, Packet};

use crate::stage::{Cipher, Network, Stage};

fn closed(stage: &mut Stage, leg: hotline::control::words::LegId) -> LegStats {
    stage.order(Command::CloseLeg { leg });
    stage.run(20);
    let stats = stage.events().filter_map(|event| if let Event::LegClosed { stats, .. } = event { Some(*stats) } else { None }).last();
    stats.expect("a closed leg tells its counts")
}

/// A stage with a bridge whose first leg has reports.
fn bridge(way: ReportsWay, metrics: VoipMetrics, cipher: Cipher) -> (Stage, hotline::control::words::LegId) {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcmu, Some(440.0), cipher);
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    let stream = Stream { reports: Reports { way, metrics }, ..stage.stream(1) };
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.bridge(caller, agent);
    (stage, caller)
}

fn kinds(packet: &[u8]) -> String {
    let kind = |part: Packet<'_>| match part {
        Packet::Sr(_) => "sr ",
        Packet::Rr(_) => "rr ",
        Packet::Sdes(_) => "sdes ",
        Packet::Bye(_) => "bye ",
        Packet::Xr(_) => "xr ",
        _ => "? ",
    };
    Compound::parse(packet).unwrap().map(|part| kind(part.unwrap())).collect()
}

#[test]
fn reports_go_out_about_every_five_seconds_and_end_with_a_goodbye() {
    let (mut stage, caller) = bridge(ReportsWay::Muxed, VoipMetrics::Told, Cipher::default());
    stage.run(30_000);
    let reports = std::mem::take(&mut stage.reported);
    assert!((5..=7).contains(&reports.len()), "{}", reports.len());
    for (port, to, packet) in &reports {
        assert_eq!((*port, *to), (stage.phones[0].port, stage.phones[0].address), "with the sound");
        assert!(is_rtcp(packet));
        assert_eq!(kinds(packet), "sr sdes xr ");
    }
    closed(&mut stage, caller);
    let (_, _, last) = stage.reported.last().unwrap();
    assert_eq!(kinds(last), "rr sdes bye ");
}

#[test]
fn without_mux_reports_go_from_the_port_behind_to_where_the_peer_said() {
    let place = SocketAddr::from(([192, 0, 2, 1], 50_001));
    let (mut stage, _) = bridge(ReportsWay::Apart(Some(place)), VoipMetrics::Kept, Cipher::default());
    stage.run(7_000);
    let (port, to, packet) = &stage.reported[0];
    assert_eq!((*port, *to, kinds(packet).as_str()), (stage.phones[0].port + 1, place, "sr sdes "));
}

#[test]
fn a_bad_patch_of_ten_seconds_in_a_good_call_is_seen_at_its_end() {
    let (mut stage, caller) = bridge(ReportsWay::Muxed, VoipMetrics::Kept, Cipher::default());
    stage.run(60_000);
    stage.phones[0].network = Network { loss: 0.15, ..Network::default() };
    stage.run(10_000);
    stage.phones[0].network = Network::default();
    stage.run(50_000);
    let quality = closed(&mut stage, caller).quality.unwrap();
    assert!(quality.mos > 4.1, "{quality:?}");
    assert!(quality.worst.mos < 3.5 && (8.0..25.0).contains(&quality.worst.loss_percent), "{quality:?}");
    assert!((62..=78).contains(&quality.worst.at_s), "{quality:?}");
}

#[test]
fn the_peers_reports_tell_the_round_trip_and_its_losses() {
    let (mut stage, caller) = bridge(ReportsWay::Muxed, VoipMetrics::Kept, Cipher::default());
    stage.run(7_000);
    let (_, _, ours) = stage.reported.last().unwrap().clone();
    let told = read(&ours, 0).unwrap().sender.unwrap();
    let ssrc = u32::from_be_bytes([ours[4], ours[5], ours[6], ours[7]]);
    // The peer had it for a second, and lost a tenth of ours.
    let got = Got { ssrc, fraction_lost: 26, last_report: told, since: 65_536, ..Got::default() };
    let mut writer = Writer::default();
    writer.report(Duration::ZERO, &Sent { ssrc: 1_000, timestamp: 0, packets: 0, octets: 0 }, Sends::No, Some(&got));
    let (buffer, length) = writer.finish();
    let (port, from) = (stage.phones[0].port, stage.phones[0].address);
    stage.fly(stage.now, port, from, buffer[..length].to_vec());
    stage.run(10_000);
    let stats = closed(&mut stage, caller);
    let quality = stats.quality.unwrap();
    assert!(quality.rtt_ms.is_some() && (quality.far.unwrap().worst_loss_percent - 10.2).abs() < 0.2, "{quality:?}");
    assert_eq!(stats.refused, 0);
}

#[test]
fn s80_reports_of_a_ciphered_leg_are_ciphered() {
    let chance = KeyChance([1; 32]);
    let suite = Suite::Aes128Sha80;
    let keys = SrtpKeys { suite, ours: chance.key(suite, b"ours"), theirs: chance.key(suite, b"theirs") };
    let (mut stage, _) = bridge(ReportsWay::Muxed, VoipMetrics::Kept, Cipher::of(keys));
    stage.run(7_000);
    let (_, _, packet) = &stage.reported[0];
    let mut packet = packet.clone();
    let opener = stage.phones[0].cipher.opener.as_mut().unwrap();
    let length = opener.open_rtcp(&mut packet).expect("ciphered with the keys of the leg");
    assert_eq!(kinds(&packet[..length]), "sr sdes ");
}

#[test]
fn reports_of_strangers_say_nothing() {
    let (mut stage, caller) = bridge(ReportsWay::Muxed, VoipMetrics::Kept, Cipher::default());
    stage.run(1_000);
    let stranger = SocketAddr::from(([203, 0, 113, 9], 4_000));
    stage.fly(stage.now, stage.phones[0].port, stranger, vec![0x80, 201, 0, 1, 0, 0, 0, 1]);
    stage.run(1_000);
    assert_eq!(closed(&mut stage, caller).refused, 1);
}

//! Ciphered legs among legs in clear: who hears whom, whose packets are believed, new keys in mid-call.

use std::time::Duration;

use hotline::control::words::media::{Codec, Command, Event, LegStats, Stream};
use hotline::control::words::srtp::{KeyChance, Security, SrtpKeys, Suite};
use hotline::media::RATE;
use hotline::media::rtp::Header;
use hotline::media::rtp::srtp::{Opener, Sealer};
use hotline::media::tone::share;

use crate::counting::allocations;
use crate::stage::{Cipher, Stage};

fn keys(suite: Suite, number: u8) -> SrtpKeys {
    let chance = KeyChance([number; 32]);
    SrtpKeys { suite, ours: chance.key(suite, b"ours"), theirs: chance.key(suite, b"theirs") }
}

fn closed(stage: &mut Stage, leg: hotline::control::words::LegId) -> LegStats {
    stage.order(Command::CloseLeg { leg });
    let stats = stage.events().filter_map(|event| if let Event::LegClosed { stats, .. } = event { Some(*stats) } else { None }).last();
    stats.expect("a closed leg tells its counts")
}

#[test]
fn s80_ciphered_and_plain_legs_hear_each_other_with_each_suite() {
    for (at, suite) in (1u8..).zip(Suite::ALL) {
        for other in [Codec::Pcmu, Codec::Pcma] {
            let mut stage = Stage::new();
            let caller = stage.phone_with(1, Codec::Pcmu, Some(440.0), Cipher::of(keys(suite, at)));
            let agent = stage.phone(2, other, Some(1_000.0));
            stage.bridge(caller, agent);
            stage.run(1_000);
            assert!(share(&stage.heard(caller, 400), RATE, 1_000.0) > 0.95, "{suite:?}");
            assert!(share(&stage.heard(agent, 400), RATE, 440.0) > 0.95, "{suite:?}");
            assert_eq!(closed(&mut stage, caller).refused, 0);
        }
    }
}

#[test]
fn s80_two_ciphered_legs_have_keys_of_their_own() {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcma, Some(440.0), Cipher::of(keys(Suite::Aes128Sha80, 1)));
    let agent = stage.phone_with(2, Codec::Pcma, Some(1_000.0), Cipher::of(keys(Suite::Aes256Gcm, 2)));
    stage.bridge(caller, agent);
    stage.run(1_000);
    assert!(share(&stage.heard(caller, 400), RATE, 1_000.0) > 0.95 && share(&stage.heard(agent, 400), RATE, 440.0) > 0.95);
}

#[test]
fn s80_packets_in_clear_of_another_key_and_replays_are_counted_and_not_heard() {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcmu, None, Cipher::of(keys(Suite::Aes128Gcm, 1)));
    let agent = stage.phone(2, Codec::Pcmu, None);
    stage.bridge(caller, agent);
    for n in 0..50u16 {
        let header = Header { marker: false, payload_type: 0, sequence: n, timestamp: u32::from(n) * 160, ssrc: 1_000 };
        stage.launch(0, header, &[42; 160]);
        stage.run(20);
    }
    stage.phones[0].cipher.sealer = Some(Sealer::new(Suite::Aes128Gcm, &keys(Suite::Aes128Gcm, 9).theirs));
    stage.phones[0].says = Some(440.0);
    stage.run(1_000);
    assert!(stage.phones[1].heard.iter().all(|(_, payload)| payload.iter().all(|byte| *byte == 0xFF)), "nothing but signs of life");
    let stats = closed(&mut stage, caller);
    assert_eq!((stats.received, stats.refused), (0, 100));
}

#[test]
fn s80_a_new_key_in_mid_call_takes_over_without_a_gap_and_the_same_key_goes_on() {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcmu, Some(440.0), Cipher::of(keys(Suite::Aes128Sha80, 1)));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    stage.run(1_000);
    // A description that is only repeated: numbers go on counting, a replay stays a replay.
    let stream = stage.stream(1);
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.run(500);
    // The answer with new keys is out; packets of the old one are still on their way.
    let fresh = keys(Suite::Aes256Gcm, 2);
    let update = hotline::control::words::media::Stream { security: Security::Keys(std::sync::Arc::new(fresh.clone())), ..stage.stream(1) };
    stage.phones[0].cipher.opener = Some(Opener::new(fresh.suite, &fresh.ours));
    stage.order(Command::UpdateLeg { leg: caller, stream: update });
    stage.run(200);
    stage.phones[0].cipher.sealer = Some(Sealer::new(fresh.suite, &fresh.theirs));
    stage.run(1_000);
    assert!(share(&stage.heard(caller, 400), RATE, 1_000.0) > 0.95 && share(&stage.heard(agent, 1_000), RATE, 440.0) > 0.95);
    let stats = closed(&mut stage, caller);
    assert_eq!((stats.lost, stats.refused), (0, 0));
}

#[test]
fn s80_a_ciphered_call_of_hours_outlasts_the_wraps_of_its_numbers() {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcmu, Some(440.0), Cipher::of(keys(Suite::Aes128Sha32, 1)));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    for _ in 0..3 {
        // 65 536 numbers are 22 minutes: most of them are jumped over, as a peer does that was silent.
        for phone in &mut stage.phones {
            phone.sequence = phone.sequence.wrapping_add(22_000);
        }
        stage.run(200);
    }
    stage.run(400);
    assert!(share(&stage.heard(agent, 200), RATE, 440.0) > 0.95 && share(&stage.heard(caller, 200), RATE, 1_000.0) > 0.95);
    assert_eq!(closed(&mut stage, caller).refused, 0);
}

#[test]
fn s80_a_ciphered_bridge_allocates_nothing_once_it_runs() {
    let mut stage = Stage::new();
    let caller = stage.phone_with(1, Codec::Pcmu, Some(440.0), Cipher::of(keys(Suite::Aes128Sha80, 1)));
    let agent = stage.phone_with(2, Codec::Pcmu, Some(1_000.0), Cipher::of(keys(Suite::Aes128Gcm, 2)));
    stage.bridge(caller, agent);
    stage.run(500);
    let sealed: Vec<(u16, std::net::SocketAddr, Vec<u8>)> = (0..100u16).map(|n| next_packet(&mut stage, n)).collect();
    let (now, mut sent) = (Duration::from_micros(stage.now), 0);
    let mut packets = sealed;
    let before = allocations();
    for (port, from, packet) in &mut packets {
        stage.mixer.receive(now, *port, *from, packet, &mut |_, _, _| sent += 1);
    }
    assert_eq!(allocations() - before, 0);
    assert_eq!(sent, 100, "each was handed on to the other, ciphered anew");
}

/// The next ciphered packet of the caller, by itself.
fn next_packet(stage: &mut Stage, n: u16) -> (u16, std::net::SocketAddr, Vec<u8>) {
    let phone = &mut stage.phones[0];
    let header = Header {
        marker: false,
        payload_type: 0,
        sequence: phone.sequence.wrapping_add(n),
        timestamp: phone.timestamp.wrapping_add(u32::from(n) * 160),
        ssrc: 1_000,
    };
    let mut bytes = [&header.print()[..], &[42; 160 + hotline::media::rtp::srtp::LONGER]].concat();
    let length = phone.cipher.sealer.as_mut().unwrap().seal(&mut bytes, 172);
    bytes.truncate(length);
    (phone.port, phone.address, bytes)
}

#[test]
fn s80_who_only_listens_is_not_robbed_of_the_sound_by_a_stranger_who_sends() {
    // Longer than a NAT is given to forget.
    const QUIET_MS: u64 = 3_000;
    let mut stage = Stage::new();
    let (caller, agent) = (stage.phone(1, Codec::Pcmu, Some(440.0)), stage.phone(2, Codec::Pcmu, Some(1_000.0)));
    stage.bridge(caller, agent);
    stage.run(400);
    stage.phones[0].says = None;
    let stream = Stream { receive: false, ..stage.stream(1) };
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.run(QUIET_MS);
    stage.forget_heard();
    let (port, stranger) = (stage.phones[0].port, "203.0.113.66:6666".parse().unwrap());
    for sequence in 0..50 {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc: 66 };
        stage.fly(stage.now, port, stranger, [&header.print()[..], &[0xFF; 160]].concat());
        // The stage ends where a packet goes to one who is none of its phones.
        stage.run(20);
    }
    assert!(stage.hears(caller, 1_000.0));
}

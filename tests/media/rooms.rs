//! Who hears whom, proven by tone.

use std::time::Duration;

use hotline::control::words::media::{BargeIn, Codec, Command, Event, KeyTones, Kind, OpusTerms, PlayOutcome};
use hotline::control::words::{PlayId, RecordingId};
use hotline::media::codec::{Encoder, WIRE};
use hotline::media::rtp::Header;
use hotline::media::tone::{KeyTone, rms, share};
use hotline::media::{Audio, FRAME, RATE, Sound, disk};

use crate::counting::allocations;
use crate::stage::{KEY_TYPE, Network, Stage, TIMEOUT, payload_type};

#[test]
fn s62_a_bridge_lets_each_hear_the_other_and_nobody_himself() {
    for (one, other) in [(Codec::Pcmu, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcma)] {
        let mut stage = Stage::new();
        let caller = stage.phone(1, one, Some(440.0));
        let agent = stage.phone(2, other, Some(1_000.0));
        stage.run(400);
        assert!(!stage.hears(caller, 1_000.0) && !stage.hears(agent, 440.0), "strangers hear nothing");
        stage.bridge(caller, agent);
        stage.run(1_000);
        assert!(share(&stage.heard(caller, 400), RATE, 1_000.0) > 0.95, "{one:?} {other:?}");
        assert!(share(&stage.heard(agent, 400), RATE, 440.0) > 0.95, "{one:?} {other:?}");
        assert!(!stage.hears(caller, 440.0) && !stage.hears(agent, 1_000.0));
    }
}

#[test]
fn s86_any_codec_is_heard_in_any_other_at_its_level_and_pitch() {
    for (one, other) in Codec::ALL.into_iter().flat_map(|one| Codec::ALL.map(|other| (one, other))) {
        let mut stage = Stage::new();
        let caller = stage.phone(1, one, Some(440.0));
        let agent = stage.phone(2, other, Some(1_000.0));
        stage.bridge(caller, agent);
        stage.run(2_000);
        for (ear, hertz) in [(caller, 1_000.0), (agent, 440.0)] {
            let heard = stage.heard(ear, 1_000);
            let level = 20.0 * (rms(&heard) / (8_000.0 / 2f64.sqrt())).log10();
            assert!(level.abs() < 1.5, "{one:?} {other:?} {hertz} Hz: {level:.2} dB");
            assert!(share(&heard, RATE, hertz) > 0.95, "{one:?} {other:?} {hertz} Hz: {}", share(&heard, RATE, hertz));
        }
    }
}

#[test]
fn prompts_and_keys_reach_a_phone_of_any_codec_in_its_clock() {
    for codec in Codec::ALL {
        let mut stage = Stage::new();
        let caller = stage.phone(1, codec, None);
        stage.play(caller, 1, Audio::tone(700, 1_000), false, BargeIn::Off);
        stage.run(1_000);
        assert!(share(&stage.heard(caller, 600), RATE, 700.0) > 0.95, "{codec:?}");
        stage.run(100);
        stage.forget_heard();
        stage.order(Command::SendKeys { leg: caller, keys: "5".to_owned() });
        stage.run(400);
        let lasted: Vec<u16> = stage.phones[0]
            .heard
            .iter()
            .filter(|(header, _)| header.payload_type == KEY_TYPE)
            .map(|(_, event)| u16::from_be_bytes([event[2], event[3]]))
            .collect();
        let wide = u16::try_from(codec.ticks_a_sample()).unwrap();
        assert_eq!(lasted, [160, 320, 480, 640, 800, 800, 800].map(|samples| samples * wide), "{codec:?}");
    }
}

#[test]
fn a_codec_that_changes_in_mid_call_is_spoken_from_then_on() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let agent = stage.phone(2, Codec::Pcma, Some(1_000.0));
    stage.bridge(caller, agent);
    stage.run(1_000);
    for codec in [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Opus, Codec::Pcmu] {
        stage.speak_from_now_on(1, codec);
        stage.run(1_500);
        assert!(share(&stage.heard(caller, 1_000), RATE, 1_000.0) > 0.95, "{codec:?}");
        assert!(share(&stage.heard(agent, 1_000), RATE, 440.0) > 0.95, "{codec:?}");
    }
}

#[test]
fn a_peer_may_send_under_our_own_numbers() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    let agent = stage.phone(2, Codec::Pcma, None);
    stage.hear(agent, caller, 1.0);
    let mut stream = stage.stream(1);
    stream.terms.ours[0] = Some((107, Kind::Sound(Codec::Opus)));
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.phones[0].says = Some(440.0);
    stage.phones[0].speak(Codec::Opus);
    stage.run(1_000);
    assert!(share(&stage.heard(agent, 500), RATE, 440.0) > 0.95);
}

#[test]
fn a_silent_line_is_comfort_noise_where_the_peer_takes_it() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    let mut stream = stage.stream(1);
    stream.terms.comfort_noise = Some(13);
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.run(3_000);
    let heard = &stage.phones[0].heard;
    assert!((3..=5).contains(&heard.len()), "{}", heard.len());
    assert!(heard.iter().all(|(header, payload)| header.payload_type == 13 && payload == &[70]));
}

#[test]
fn a_bridge_of_one_codec_hands_packets_on_untouched_and_at_once() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    stage.run(60);
    stage.forget_heard();
    stage.phones.iter_mut().for_each(|phone| phone.says = None);
    stage.launch(
        0,
        Header { marker: false, payload_type: 0, sequence: stage.phones[0].sequence, timestamp: stage.phones[0].timestamp, ssrc: 1_000 },
        &[42; 160],
    );
    let before = stage.now;
    stage.run(1);
    assert_eq!(stage.phones[1].heard.last().map(|(_, payload)| payload.as_slice()), Some(&[42u8; 160][..]), "at {before}");
    assert_eq!(stage.phones[0].heard.len(), 0);
}

#[test]
fn s62_monitor_whisper_and_barge_in_are_values_of_the_matrix() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let agent = stage.phone(2, Codec::Pcma, Some(1_000.0));
    let chief = stage.phone(3, Codec::Pcmu, Some(2_000.0));
    stage.bridge(caller, agent);
    stage.hear(chief, caller, 1.0);
    stage.hear(chief, agent, 1.0);
    stage.run(800);
    assert!(stage.hears(chief, 440.0) && stage.hears(chief, 1_000.0), "the chief listens");
    assert!(!stage.hears(caller, 2_000.0) && !stage.hears(agent, 2_000.0), "nobody hears the chief");
    stage.hear(agent, chief, 1.0);
    stage.run(800);
    assert!(stage.hears(agent, 2_000.0) && stage.hears(agent, 440.0), "whisper");
    assert!(!stage.hears(caller, 2_000.0), "the caller hears no whisper");
    stage.hear(caller, chief, 1.0);
    stage.run(800);
    assert!(stage.hears(caller, 2_000.0) && stage.hears(caller, 1_000.0), "barge-in");
    stage.order(Command::CloseLeg { leg: chief });
    stage.run(800);
    assert!(!stage.hears(caller, 2_000.0) && stage.hears(caller, 1_000.0) && stage.hears(agent, 440.0), "the chief has gone");
}

#[test]
fn hold_music_plays_to_the_held_one_only_and_ends_with_the_hold() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    stage.run(500);
    stage.hear(caller, agent, 0.0);
    stage.hear(agent, caller, 0.0);
    stage.play(caller, 1, Audio::tone(600, 500), true, BargeIn::Off);
    stage.run(3_000);
    assert!(share(&stage.heard(caller, 400), RATE, 600.0) > 0.9);
    let at_agent = stage.phones[1].heard.len();
    stage.run(500);
    assert!(stage.phones[1].heard.len() - at_agent <= 2, "the agent hears nothing but signs of life");
    stage.order(Command::StopPlay { leg: caller, play: PlayId(1) });
    stage.bridge(caller, agent);
    stage.run(800);
    assert!(share(&stage.heard(caller, 400), RATE, 1_000.0) > 0.9 && stage.hears(agent, 440.0));
    assert!(stage.events().any(|event| matches!(event, Event::PlayFinished { outcome: PlayOutcome::Stopped, .. })));
}

#[test]
fn an_echo_leg_hears_itself() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcma, Some(440.0));
    stage.hear(caller, caller, 1.0);
    stage.run(600);
    assert!(share(&stage.heard(caller, 400), RATE, 440.0) > 0.95);
}

#[test]
fn a_gain_halves_the_loudness_and_moves_without_a_click() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, None);
    let agent = stage.phone(2, Codec::Pcmu, Some(300.0));
    let chief = stage.phone(3, Codec::Pcmu, None);
    stage.hear(caller, agent, 1.0);
    stage.hear(caller, chief, 1.0);
    stage.run(600);
    let full = rms(&stage.heard(caller, 200));
    stage.hear(caller, agent, 0.5);
    stage.run(600);
    let line = stage.heard(caller, 700);
    assert!((rms(&line[line.len() - 1_600..]) / full - 0.5).abs() < 0.03);
    let step = line.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
    assert!(step < Some(2_600), "a sine of 300 Hz at this level moves 1,900 a sample: {step:?}");
}

#[test]
fn a_prompt_is_heard_whole_and_its_end_is_told_in_time() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcma, Some(440.0));
    stage.play(caller, 9, Audio::tone(700, 1_010), false, BargeIn::Dtmf);
    stage.run(1_020);
    assert!(stage.events().all(|event| !matches!(event, Event::PlayFinished { .. })));
    stage.run(60);
    assert!(stage.events().any(|event| matches!(event, Event::PlayFinished { play: PlayId(9), outcome: PlayOutcome::Done, .. })));
    let sound: usize = stage.phones[0].heard.iter().take(51).map(|(_, payload)| payload.len()).sum();
    assert_eq!(sound, 51 * 160);
    assert!(share(&stage.heard(caller, 1_000)[..7_000], RATE, 700.0) > 0.9);
}

#[test]
fn a_prompt_whose_sound_comes_later_starts_then() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let sound = Sound::pending();
    stage.play_sound(caller, 1, sound.clone());
    stage.run(500);
    assert!(!stage.hears(caller, 700.0));
    sound.fill(Ok(Audio::tone(700, 400)));
    stage.run(400);
    assert!(stage.hears(caller, 700.0));
    stage.play_sound(caller, 2, {
        let failed = Sound::pending();
        failed.fill(Err("no voice".to_owned()));
        failed
    });
    stage.run(40);
    assert!(stage.events().any(|event| matches!(event, Event::PlayFinished { play: PlayId(2), outcome: PlayOutcome::Failed, .. })));
}

#[test]
fn a_key_stops_a_prompt_unless_barge_in_is_off() {
    for (barge_in, stopped) in [(BargeIn::Dtmf, true), (BargeIn::Vad, true), (BargeIn::Words, true), (BargeIn::Off, false)] {
        let mut stage = Stage::new();
        let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
        stage.play(caller, 1, Audio::tone(700, 60_000), false, barge_in);
        stage.run(200);
        press(&mut stage, 0, 5, 0);
        stage.run(300);
        assert_eq!(stage.keys(caller), "5");
        let finished = stage.events().any(|event| matches!(event, Event::PlayFinished { outcome: PlayOutcome::Stopped, .. }));
        assert_eq!(finished, stopped, "{barge_in:?}");
    }
}

/// Sends the packets of one press whose bit is not set in `lost`.
fn press(stage: &mut Stage, phone: usize, code: u8, lost: u32) {
    let timestamp = stage.phones[phone].timestamp;
    for n in 0..8u16 {
        let end = n >= 5;
        let duration = 160 * (n.min(5) + 1);
        let payload = [code, if end { 0x8A } else { 0x0A }, (duration >> 8) as u8, duration as u8];
        let header = Header { marker: false, payload_type: KEY_TYPE, sequence: stage.phones[phone].sequence, timestamp, ssrc: 1_000 };
        stage.phones[phone].sequence = stage.phones[phone].sequence.wrapping_add(1);
        if lost & (1 << n) == 0 {
            stage.launch(phone, header, &payload);
        }
        stage.run(1);
    }
}

#[test]
fn every_key_comes_once_with_lost_ends_and_without_markers() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    stage.run(100);
    for code in 0..16u8 {
        for lost in [0b0000_0000, 0b1110_0000, 0b0000_0001, 0b0101_0101, 0b0111_1111] {
            press(&mut stage, 0, code, lost);
            stage.run(60);
        }
    }
    let expected: String = "0123456789*#ABCD".chars().flat_map(|key| [key; 5]).collect();
    assert_eq!(stage.keys(caller), expected);
}

#[test]
fn key_packets_stay_out_of_a_bridge_and_leave_no_hole_for_the_rules_have_them_pressed_anew() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.bridge(caller, agent);
    stage.run(400);
    stage.forget_heard();
    press(&mut stage, 0, 7, 0);
    stage.run(200);
    assert_eq!(stage.keys(caller), "7");
    let heard = &stage.phones[1].heard;
    assert!(heard.iter().all(|(header, _)| header.payload_type != KEY_TYPE));
    let numbers: Vec<u16> = heard.iter().map(|(header, _)| header.sequence).collect();
    assert!(numbers.len() > 8 && numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
}

/// All keys as tones of `on` ms with as long pauses.
fn tones(on: u64) -> Vec<i16> {
    let mut sound = vec![0; 1_600];
    for code in 0..16 {
        let mut tone = KeyTone::new(code);
        for _ in 0..on / 20 {
            let mut frame = [0; FRAME];
            tone.fill(&mut frame);
            sound.extend(frame);
        }
        sound.extend(vec![0; usize::try_from(on * 8).unwrap()]);
    }
    sound
}

#[test]
fn every_key_comes_once_as_a_tone_where_nothing_else_was_agreed_with_lost_doubled_late_and_reordered_packets() {
    let clean = Network::default();
    for network in
        [clean, Network { loss: 0.02, ..clean }, Network { doubled: 0.3, ..clean }, Network { jitter_ms: 15.0, reordered: 0.05, ..clean }]
    {
        for on in [60, 100, 400] {
            let mut stage = Stage::new();
            let caller = stage.phone(1, Codec::Pcmu, Some(0.0));
            let mut stream = stage.stream(1);
            (stream.telephone_event, stream.key_tones) = (None, KeyTones::Heard);
            stage.order(Command::UpdateLeg { leg: caller, stream });
            stage.run(300);
            stage.phones[0].network = network;
            let sound = tones(on);
            let ms = sound.len() as u64 / 8;
            stage.phones[0].reads.extend(sound);
            stage.run(ms + 300);
            assert_eq!(stage.keys(caller), "0123456789*#ABCD", "{on} ms, loss {} doubled {}", network.loss, network.doubled);
        }
    }
}

#[test]
fn tones_are_only_sound_where_keys_come_as_events() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(0.0));
    let ear = stage.phone(2, Codec::Pcma, None);
    stage.bridge(caller, ear);
    stage.run(300);
    stage.phones[0].reads.extend(tones(100));
    stage.run(4_000);
    assert_eq!(stage.keys(caller), "");
}

#[test]
fn sent_keys_arrive_as_events_or_as_tones() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    stage.order(Command::SendKeys { leg: caller, keys: "12#x".to_owned() });
    stage.run(1_500);
    let presses: Vec<(u8, u32)> = stage.phones[0]
        .heard
        .iter()
        .filter(|(header, _)| header.payload_type == KEY_TYPE)
        .map(|(header, payload)| (payload[0], header.timestamp))
        .collect();
    let mut distinct = presses.clone();
    distinct.dedup();
    assert_eq!(distinct.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [1, 2, 11]);
    assert_eq!(presses.len(), 3 * 7);
    let mut stream = stage.stream(1);
    stream.telephone_event = None;
    stage.order(Command::UpdateLeg { leg: caller, stream });
    stage.forget_heard();
    stage.order(Command::SendKeys { leg: caller, keys: "5".to_owned() });
    stage.run(90);
    let line = stage.heard(caller, 60);
    assert!(share(&line, RATE, 770.0) > 0.3 && share(&line, RATE, 1_336.0) > 0.3);
}

#[test]
fn a_silent_peer_is_lost_once_and_a_held_one_never() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    let held = stage.phone(2, Codec::Pcmu, None);
    let mut stream = stage.stream(2);
    stream.receive = false;
    stage.order(Command::UpdateLeg { leg: held, stream });
    stage.run(1_000);
    stage.phones[0].says = None;
    stage.run(u64::try_from(TIMEOUT.as_millis()).unwrap() * 3);
    let lost: Vec<_> = stage.events().filter(|event| matches!(event, Event::MediaLost { .. })).collect();
    assert_eq!(lost, [&Event::MediaLost { leg: caller }]);
}

#[test]
fn a_closed_leg_gives_its_counts_and_leaves_nothing_behind() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(440.0));
    stage.hear(caller, caller, 1.0);
    stage.run(1_000);
    stage.fly(stage.now, stage.phones[0].port, ([6, 6, 6, 6], 666).into(), vec![0x80; 172]);
    stage.fly(stage.now, stage.phones[0].port, stage.phones[0].address, b"rubbish".to_vec());
    stage.run(100);
    stage.order(Command::CloseLeg { leg: caller });
    let Some(Event::LegClosed { stats, .. }) = stage.events().last() else { panic!("no counts") };
    assert_eq!((stats.received, stats.lost, stats.refused), (55, 0, 2));
    assert!(stats.sent >= 50 && stats.jitter_ms < 0.1, "{stats:?}");
    assert_eq!(stage.mixer.open_legs_and_rooms(), (0, 0));
}

/// The codecs of busy legs: bridges of two of a kind and transcoding ones.
const NARROW: [Codec; 8] = [Codec::Pcmu, Codec::Pcmu, Codec::Pcmu, Codec::Pcma, Codec::Pcmu, Codec::Pcmu, Codec::Pcmu, Codec::Pcmu];
const EVERY: [Codec; 8] = [Codec::Opus, Codec::G722, Codec::L16, Codec::Opus, Codec::Pcmu, Codec::Opus, Codec::G722, Codec::L16];

/// Eight legs that do all there is: bridges, a transcoding one, a monitor, music, a turn, keys, an echo, a recording.
fn busy_stage(codecs: [Codec; 8]) -> Stage {
    let mut stage = Stage::new();
    let legs: Vec<_> = (1u16..).zip(codecs).map(|(n, codec)| stage.phone(n, codec, Some(440.0))).collect();
    stage.bridge(legs[0], legs[1]);
    stage.bridge(legs[2], legs[3]);
    stage.hear(legs[4], legs[0], 1.0);
    stage.hear(legs[4], legs[1], 0.5);
    stage.play(legs[5], 1, Audio::tone(700, 300), true, BargeIn::Off);
    stage.order(Command::SendKeys { leg: legs[6], keys: "123".repeat(20) });
    stage.hear(legs[7], legs[7], 1.0);
    stage.order(Command::Listen { leg: legs[5], listening: crate::hearing::listening(600, 5_000) });
    let customer = legs[0];
    stage.order(Command::StartRecording { room: crate::stage::ROOM, recording: RecordingId(1), customer, path: "a.wav".into() });
    stage.run(1_000);
    stage
}

/// Twenty milliseconds of the busy stage, from buffers that are there; returns the packets sent. One packet in 17 is lost.
fn busy_tick(stage: &mut Stage, n: u32, datagram: &mut [u8; 12 + WIRE], sound: &[([u8; WIRE], usize)]) -> u64 {
    let now = Duration::from_micros(stage.now + u64::from(n) * 20_000);
    let mut sent = 0;
    for ((at, phone), (wire, length)) in (1u32..).zip(&stage.phones).zip(sound).filter(|((at, _), _)| n % 17 != *at) {
        let timestamp = phone.timestamp.wrapping_add(n * 160 * phone.codec.ticks_a_sample());
        let (sequence, payload_type) = (phone.sequence.wrapping_add(n as u16), payload_type(phone.codec));
        datagram[..12].copy_from_slice(&Header { marker: false, payload_type, sequence, timestamp, ssrc: at * 1_000 }.print());
        datagram[12..12 + *length].copy_from_slice(&wire[..*length]);
        stage.mixer.receive(now, phone.port, phone.address, &mut datagram[..12 + *length], &mut |_, _, _| sent += 1);
    }
    stage.mixer.tick(now, &mut |_, _, _| sent += 1);
    while stage.mixer.next_report().is_some() {}
    sent
}

/// Twenty milliseconds of a sine in a codec.
fn spoken(codec: Codec) -> ([u8; WIRE], usize) {
    let mut encoder = Encoder::new(codec, OpusTerms::default());
    let mut wire = [0; WIRE];
    let length = encoder.encode(Audio::tone(400, 20).linear().try_into().unwrap(), &mut wire);
    (wire, length)
}

/// Lets a busy stage work for so many ticks after a second; gives the packets sent and what was allocated meanwhile.
fn work(codecs: [Codec; 8], ticks: u32) -> (u64, u64) {
    let mut stage = busy_stage(codecs);
    let opened = stage.disk.try_iter().find_map(|job| match job {
        disk::Job::Open { spare, .. } => Some(spare),
        _ => None,
    });
    let home = opened.unwrap();
    let mut datagram = [0u8; 12 + WIRE];
    let sound: Vec<([u8; WIRE], usize)> = stage.phones.iter().map(|phone| spoken(phone.codec)).collect();
    let mut sent = 0;
    let before = allocations();
    for n in 0..ticks {
        sent += busy_tick(&mut stage, n, &mut datagram, &sound);
        stage.speech.try_iter().for_each(drop);
        for job in stage.disk.try_iter() {
            if let disk::Job::Append { mut block, .. } = job {
                block.len = 0;
                let _ = home.try_send(block);
            }
        }
    }
    (sent, allocations() - before)
}

/// `TICKS=1000000` makes it a million.
const TICKS: u32 = 20_000;

#[test]
fn a_tick_allocates_nothing_after_warm_up() {
    let ticks = std::env::var("TICKS").ok().and_then(|ticks| ticks.parse().ok()).unwrap_or(TICKS);
    let (sent, allocated) = work(NARROW, ticks);
    assert_eq!(allocated, 0, "in {ticks} ticks that sent {sent} packets");
    assert!(sent > u64::from(ticks) * 6);
}

#[test]
fn a_tick_allocates_nothing_after_warm_up_in_any_codec() {
    let (sent, allocated) = work(EVERY, 3_000);
    assert_eq!(allocated, 0, "in 3,000 ticks that sent {sent} packets");
    assert!(sent > 15_000);
}

//! The buffer fed by made-up networks.

use super::*;
use crate::control::random::Random;
use crate::control::words::media::OpusTerms;
use crate::media::codec::g711::{self, Law};
use crate::media::codec::{Encoder, WIRE};
use crate::media::tone::{rms, share};
use crate::media::{Audio, RATE};

/// Each packet carries its number as an A-law byte, so that what is heard says which packet it was.
fn sound(number: usize) -> [u8; FRAME] {
    [u8::try_from(number % 100).unwrap(); FRAME]
}

fn stamp(number: usize) -> u32 {
    (0xFFFF_F000u32 + 37).wrapping_add(u32::try_from(number * FRAME).unwrap())
}

/// Packets come at these times (milliseconds); ticks are at 7, 27, 47 …; gives the last sample of each tick.
fn played(arrivals: &[(f64, usize)], ticks: usize, packet: impl Fn(usize) -> Vec<u8>, codec: Codec) -> (Vec<Pcm>, Jitter) {
    let mut sorted = arrivals.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut jitter = Jitter::default();
    let mut waiting = sorted.into_iter().peekable();
    let heard = (0..ticks).map(|tick| {
        while let Some((_, number)) = waiting.next_if(|(at, _)| *at <= 7.0 + 20.0 * tick as f64) {
            jitter.insert(stamp(number), codec, &packet(number), if number == 0 { Spurt::First } else { Spurt::Within });
        }
        let mut pcm = [0; FRAME];
        jitter.pop(&mut pcm);
        pcm
    });
    (heard.collect(), jitter)
}

fn numbered(arrivals: &[(f64, usize)], ticks: usize) -> (Vec<Option<usize>>, Jitter) {
    let (heard, jitter) = played(arrivals, ticks, |number| sound(number).to_vec(), Codec::Pcma);
    let number = |pcm: &Pcm| (0..100).find(|byte| g711::decode(Law::A, *byte) == pcm[FRAME - 1]).map(usize::from);
    (heard.iter().map(number).collect(), jitter)
}

/// 400 Hz: every packet is eight periods.
fn tone() -> Vec<u8> {
    Audio::tone(400, 20).linear().iter().flat_map(|sample| sample.to_be_bytes()).collect()
}

fn steepest(heard: &[Pcm]) -> i32 {
    heard.as_flattened().windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

/// A sine of 400 Hz at −9 dBFS moves 3,770 a sample; a little more at a seam is not heard.
const STEEPEST: i32 = 4_000;

#[test]
fn packets_in_order_are_heard_in_order_across_the_wrap_of_the_timestamp() {
    let arrivals: Vec<(f64, usize)> = (0..60).map(|n| (n as f64 * 20.0, n)).collect();
    let (heard, jitter) = numbered(&arrivals, 60);
    let first = heard.iter().position(|number| *number == Some(0)).unwrap();
    assert!(first <= 2, "the first sound waits {first} ticks");
    assert!(heard[first..45].iter().enumerate().all(|(at, number)| *number == Some(at)), "{heard:?}");
    assert_eq!(jitter.concealed(), 0);
}

#[test]
fn reordered_packets_are_put_right_and_a_lost_one_is_concealed() {
    let mut arrivals: Vec<(f64, usize)> = (0..60).map(|n| (n as f64 * 20.0, n)).collect();
    arrivals[20].0 += 25.0;
    arrivals.remove(40);
    let (heard, jitter) = numbered(&arrivals, 60);
    let numbers: Vec<usize> = heard.iter().flatten().copied().collect();
    assert!(numbers.is_sorted() && numbers.contains(&20), "{heard:?}");
    assert_eq!(jitter.concealed(), 160);
}

#[test]
fn jitter_of_60_ms_is_absorbed_after_a_short_while() {
    let mut random = Random::new(60);
    let arrivals: Vec<(f64, usize)> = (0..1_000).map(|n| (n as f64 * 20.0 + random.unit() * 60.0, n)).collect();
    let (_, early) = played(&arrivals[..150], 150, |_| tone(), Codec::L16);
    let (heard, jitter) = played(&arrivals, 1_000, |_| tone(), Codec::L16);
    let lost = jitter.concealed() - early.concealed();
    assert!(lost <= 20 * FRAME as u64, "{lost} samples of 850 packets missing");
    assert!(jitter.waiting() <= 1_000, "{} samples wait", jitter.waiting());
    assert!(share(heard[500..].as_flattened(), RATE, 400.0) > 0.9);
}

#[test]
fn the_delay_shrinks_when_the_network_calms_down() {
    let mut random = Random::new(61);
    let arrivals: Vec<(f64, usize)> = (0..3_000).map(|n| (n as f64 * 20.0 + if n < 200 { random.unit() * 80.0 } else { 0.0 }, n)).collect();
    let (heard, jitter) = played(&arrivals, 3_000, |_| tone(), Codec::L16);
    assert!(jitter.waiting() <= 3 * FRAME, "{} samples wait", jitter.waiting());
    assert!(steepest(&heard[300..]) <= STEEPEST, "no click: {}", steepest(&heard[300..]));
}

#[test]
fn a_delay_of_one_packet_in_a_hundred_is_not_waited_for() {
    let arrivals: Vec<(f64, usize)> = (0..2_000).map(|n| (n as f64 * 20.0 + if n % 150 == 149 { 120.0 } else { 0.0 }, n)).collect();
    let (_, jitter) = played(&arrivals, 2_000, |_| tone(), Codec::L16);
    assert!(jitter.waiting() <= 3 * FRAME, "{} samples wait", jitter.waiting());
}

#[test]
fn s80_an_hour_of_a_drifting_clock_neither_starves_nor_fills_the_buffer_nor_clicks() {
    for ppm in [-100.0, 100.0] {
        let hour = 180_000;
        let arrivals: Vec<(f64, usize)> = (0..hour).map(|n| (n as f64 * 20.0 * (1.0 + ppm * 1e-6), n)).collect();
        let packet = tone();
        let (heard, jitter) = played(&arrivals, hour - 100, |_| packet.clone(), Codec::L16);
        assert!(jitter.waiting() <= 3 * FRAME, "{ppm} ppm: {} samples wait", jitter.waiting());
        assert_eq!(jitter.concealed(), 0, "{ppm} ppm");
        assert!(steepest(&heard[10..]) <= STEEPEST, "{ppm} ppm: {}", steepest(&heard[10..]));
    }
}

#[test]
fn a_jump_of_the_timestamp_begins_a_new_line() {
    let mut jitter = Jitter::default();
    let mut pcm = [0; FRAME];
    for n in 0..20usize {
        let jump = if n < 10 { 0 } else { 3_000_000_000 };
        jitter.insert(stamp(n).wrapping_add(jump), Codec::Pcmu, &sound(n), Spurt::Within);
        jitter.pop(&mut pcm);
    }
    jitter.pop(&mut pcm);
    assert_eq!(pcm[FRAME - 1], g711::decode(Law::Mu, 19));
}

#[test]
fn a_pause_with_a_new_time_line_is_heard_at_once_when_speech_goes_on() {
    let mut arrivals: Vec<(f64, usize)> = (0..20).map(|n| (n as f64 * 20.0, n)).collect();
    arrivals.extend((20..40).map(|n| (n as f64 * 20.0 + 500.0, n)));
    let (heard, _) = numbered(&arrivals, 90);
    let numbers: Vec<usize> = heard[40..].iter().flatten().copied().collect();
    assert!((20..40).filter(|number| numbers.contains(number)).count() >= 19, "{heard:?}");
}

#[test]
fn packets_of_any_length_are_played_without_a_hole() {
    for ms in [10, 20, 30, 40, 60, 90, 200] {
        let length = ms * 8;
        let count = 12_000 / ms;
        let mut jitter = Jitter::default();
        let (mut pcm, mut came, mut warm) = ([0; FRAME], 0, 0);
        for tick in 0..550 {
            while came < count && came * ms <= 20 * tick {
                let payload: Vec<u8> = Audio::tone(400, u32::try_from(ms).unwrap()).wire(Law::A).to_vec();
                assert_eq!(jitter.insert(u32::try_from(came * length).unwrap(), Codec::Pcma, &payload, Spurt::Within), Inserted::Stored);
                came += 1;
            }
            jitter.pop(&mut pcm);
            if tick == 100 {
                warm = jitter.concealed();
            }
        }
        assert_eq!(jitter.concealed(), warm, "{ms} ms");
        assert!(share(&pcm, RATE, 400.0) > 0.95, "{ms} ms");
    }
}

#[test]
fn s86_another_codec_in_mid_stream_is_understood() {
    for (one, other) in Codec::ALL.into_iter().flat_map(|one| Codec::ALL.map(|other| (one, other))) {
        let frame: Pcm = Audio::tone(400, 20).linear().try_into().unwrap();
        let mut jitter = Jitter::default();
        let mut timestamp = 77u32;
        let mut heard = Vec::new();
        let mut encoders = [one, other].map(|codec| Encoder::new(codec, OpusTerms::default()));
        for n in 0..60 {
            let (codec, encoder) = if n < 30 { (one, &mut encoders[0]) } else { (other, &mut encoders[1]) };
            let mut wire = [0; WIRE];
            let length = encoder.encode(&frame, &mut wire);
            jitter.insert(timestamp, codec, &wire[..length], Spurt::Within);
            timestamp = timestamp.wrapping_add(codec.ticks_a_sample() * TICK as u32);
            let mut pcm = [0; FRAME];
            jitter.pop(&mut pcm);
            heard.push(pcm);
        }
        assert!(share(heard[45..].as_flattened(), RATE, 400.0) > 0.95, "{one:?} {other:?}");
        assert_eq!(jitter.concealed(), 0, "{one:?} {other:?}");
    }
}

#[test]
fn every_codec_loses_what_the_network_loses_and_a_little_that_comes_late() {
    let mut random = Random::new(62);
    let mut network: Vec<(f64, usize)> = Vec::new();
    for n in 0..1_500 {
        if random.unit() >= 0.05 {
            network.push((n as f64 * 20.0 + random.unit() * 60.0, n));
        }
    }
    let missing = (1_500 - network.len()) * FRAME;
    for codec in Codec::ALL {
        let mut encoder = Encoder::new(codec, OpusTerms { fec: true, ..OpusTerms::default() });
        let mut wire = [0; WIRE];
        let length = encoder.encode(Audio::tone(400, 20).linear().try_into().unwrap(), &mut wire);
        let (mut jitter, mut pcm, mut came) = (Jitter::default(), [0; FRAME], network.clone());
        came.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut waiting = came.into_iter().peekable();
        for tick in 0..1_500 {
            while let Some((_, number)) = waiting.next_if(|(at, _)| *at <= 7.0 + 20.0 * f64::from(tick)) {
                let timestamp = u32::try_from(number * FRAME).unwrap().wrapping_mul(codec.ticks_a_sample());
                jitter.insert(timestamp, codec, &wire[..length], Spurt::Within);
            }
            jitter.pop(&mut pcm);
        }
        // A loss behind which nothing has come yet is taken for a pause and not counted.
        let late = jitter.concealed() as f64 / missing as f64 - 1.0;
        assert!(late < 0.4 && late > -0.2, "{codec:?}: {late:.2} more than the network lost");
        assert!(jitter.waiting() <= 1_000, "{codec:?}: {} samples wait", jitter.waiting());
    }
}

#[test]
fn comfort_noise_is_heard_at_its_level_and_is_no_loss() {
    let (_, mut jitter) = numbered(&(0..40).map(|n| (n as f64 * 20.0, n)).collect::<Vec<_>>(), 40);
    let before = jitter.concealed();
    jitter.comfort(stamp(40), 45);
    let mut noise = [[0; FRAME]; 30];
    noise.iter_mut().for_each(|pcm| jitter.pop(pcm));
    let level = 20.0 * (rms(noise[5..].as_flattened()) / 32_768.0).log10();
    assert!((level + 45.0).abs() < 1.0, "{level}");
    jitter.insert(stamp(70), Codec::Pcma, &sound(70), Spurt::First);
    let mut pcm = [0; FRAME];
    (0..3).for_each(|_| jitter.pop(&mut pcm));
    assert_eq!(jitter.concealed(), before);
}

#[test]
fn what_is_no_packet_of_its_codec_is_refused() {
    let mut jitter = Jitter::default();
    assert_eq!(jitter.insert(0, Codec::Opus, &[0xFF; 3], Spurt::Within), Inserted::Unreadable);
    assert_eq!(jitter.insert(0, Codec::L16, &[1], Spurt::Within), Inserted::Unreadable);
}

#[test]
fn what_comes_twice_is_heard_once_and_what_comes_too_late_is_counted() {
    let mut jitter = Jitter::default();
    let mut pcm = [0; FRAME];
    for n in 0..100 {
        jitter.insert(stamp(n), Codec::Pcma, &sound(n), Spurt::Within);
        jitter.insert(stamp(n), Codec::Pcma, &sound(n), Spurt::Within);
        jitter.pop(&mut pcm);
    }
    assert!(jitter.waiting() <= 2 * FRAME);
    assert_eq!(jitter.insert(stamp(90), Codec::Pcma, &sound(90), Spurt::Within), Inserted::Late);
}

proptest::proptest! {
    #[test]
    fn any_packets_are_taken(packets in proptest::collection::vec((proptest::prelude::any::<u32>(), 0usize..5, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..700), proptest::prelude::any::<bool>()), 0..60)) {
        let mut jitter = Jitter::default();
        let mut pcm = [0; FRAME];
        for (timestamp, codec, payload, near) in packets {
            let timestamp = if near { timestamp % 20_000 } else { timestamp };
            jitter.insert(timestamp, Codec::ALL[codec], &payload, Spurt::Within);
            jitter.comfort(timestamp, 60);
            jitter.pop(&mut pcm);
        }
    }
}

//! Each codec by itself: level, pitch, length, and what it does about losses.

use super::*;
use crate::media::tone::{rms, share};

const TERMS: OpusTerms = OpusTerms { fec: true, dtx: false, most_bitrate: None };

fn sine(hertz: f64, frames: usize) -> Vec<Pcm> {
    let step = std::f64::consts::TAU * hertz / f64::from(RATE);
    (0..frames).map(|frame| std::array::from_fn(|at| ((step * (frame * FRAME + at) as f64).sin() * 8_000.0) as i16)).collect()
}

fn encoded(codec: Codec, terms: OpusTerms, frames: &[Pcm]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, terms);
    let one = |frame: &Pcm| {
        let mut wire = [0; WIRE];
        let length = encoder.encode(frame, &mut wire);
        wire[..length].to_vec()
    };
    frames.iter().map(one).collect()
}

#[test]
fn a_tone_comes_back_at_its_pitch_and_within_a_decibel() {
    for codec in Codec::ALL {
        for hertz in [400.0, 1_000.0, 2_500.0] {
            let frames = sine(hertz, 100);
            let mut decoder = Decoder::new(codec);
            let mut heard = Vec::new();
            for packet in encoded(codec, TERMS, &frames) {
                assert_eq!(samples(codec, &packet), FRAME, "{codec:?}");
                let mut sound = [0; MOST_SAMPLES];
                let count = decoder.decode(&packet, &mut sound);
                heard.extend_from_slice(&sound[..count]);
            }
            assert_eq!(heard.len(), 100 * FRAME, "{codec:?}");
            let level = 20.0 * (rms(&heard[4_000..]) / rms(frames.as_flattened())).log10();
            assert!(level.abs() < 1.0, "{codec:?} {hertz} Hz: {level:.2} dB");
            assert!(share(&heard[4_000..], RATE, hertz) > 0.97, "{codec:?} {hertz} Hz: {}", share(&heard[4_000..], RATE, hertz));
        }
    }
}

#[test]
fn opus_uses_the_copy_in_the_next_packet_for_a_single_loss() {
    // A sweep: what comes next cannot be guessed from the past, the copy knows it.
    let step = |at: usize| 2.0e-5 * (at as f64) * (at as f64);
    let frames: Vec<Pcm> = (0..60).map(|frame| std::array::from_fn(|at| (step(frame * FRAME + at).sin() * 8_000.0) as i16)).collect();
    let packets = encoded(Codec::Opus, TERMS, &frames);
    let error = |with_copy: bool| {
        let (mut whole, mut holed) = (Decoder::new(Codec::Opus), Decoder::new(Codec::Opus));
        let (mut expected, mut sound) = ([0; FRAME], [0; FRAME]);
        let mut sum = 0.0;
        for (at, packet) in packets.iter().enumerate() {
            whole.decode(packet, &mut expected);
            if at % 6 == 5 && at + 1 < packets.len() {
                let behind = with_copy.then(|| packets[at + 1].as_slice());
                assert!(holed.conceal(behind, &mut sound));
                let wrong: Vec<i16> = sound.iter().zip(&expected).map(|(one, other)| one.saturating_sub(*other)).collect();
                sum += rms(&wrong);
            } else {
                holed.decode(packet, &mut sound);
            }
        }
        sum
    };
    assert!(error(true) < 0.7 * error(false), "with the copy {:.0}, without {:.0}", error(true), error(false));
}

#[test]
fn opus_sends_nothing_in_silence_when_the_peer_likes_it() {
    let silence = vec![[0; FRAME]; 100];
    let count = |dtx| encoded(Codec::Opus, OpusTerms { dtx, ..TERMS }, &silence).iter().filter(|packet| !packet.is_empty()).count();
    assert_eq!(count(false), 100);
    assert!(count(true) < 40, "{}", count(true));
}

#[test]
fn a_broken_payload_is_no_sound() {
    let mut sound = [0; MOST_SAMPLES];
    assert_eq!(samples(Codec::Opus, &[0xFF; 3]), 0);
    assert_eq!(Decoder::new(Codec::Opus).decode(&[0xFF; 3], &mut sound), 0);
    assert_eq!(Decoder::new(Codec::L16).decode(&[1], &mut sound), 0);
    assert!(!Decoder::new(Codec::G722).conceal(None, &mut sound));
}

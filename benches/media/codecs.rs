//! What each codec costs by itself: encoding and decoding 20 ms of speech-like sound, as a multiple of G.711 in the same run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hotline::control::words::media::{Codec, OpusTerms};
use hotline::media::codec::{Decoder, Encoder, MOST_SAMPLES, WIRE};
use hotline::media::{FRAME, Pcm};

const FRAMES: usize = 50;
const ROUNDS: u32 = 40;
/// The rounds are short, and of all the fastest counts: whatever else runs on the machine only makes them longer.
const TRIES: usize = 9;

/// Prints the table.
pub fn measure() {
    let frames = speech();
    println!("{:<6} {:>14} {:>14} {:>12}", "codec", "encode µs/20ms", "decode µs/20ms", "times PCMU");
    let mut first = None;
    for codec in Codec::ALL {
        let (encode, decode) =
            (0..TRIES).map(|_| cost(codec, &frames)).fold((f64::MAX, f64::MAX), |least, one| (least.0.min(one.0), least.1.min(one.1)));
        let base = *first.get_or_insert(encode + decode);
        println!("{:<6} {encode:>14.3} {decode:>14.3} {:>12.1}", codec.encoding(), (encode + decode) / base);
    }
}

/// A voice's spectrum and rhythm, without a voice: a falling tone of many harmonics that comes and goes, with some noise.
fn speech() -> Vec<Pcm> {
    let mut noise = 1u32;
    let mut sample = |at: usize| {
        let time = at as f64 / 8_000.0;
        let loud = (time * std::f64::consts::TAU * 3.0).sin().max(0.05);
        let pitch = 140.0 - 20.0 * time.fract();
        let voice: f64 = (1..20).map(|n| (std::f64::consts::TAU * pitch * f64::from(n) * time).sin() / f64::from(n)).sum();
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f64::from((noise >> 16) as i16) / 32_768.0;
        ((voice * 4_000.0 + hiss * 300.0) * loud) as i16
    };
    (0..FRAMES).map(|frame| std::array::from_fn(|at| sample(frame * FRAME + at))).collect()
}

/// Microseconds a frame, to encode and to decode.
fn cost(codec: Codec, frames: &[Pcm]) -> (f64, f64) {
    let mut encoder = Encoder::new(codec, OpusTerms { fec: true, ..OpusTerms::default() });
    let mut decoder = Decoder::new(codec);
    let mut packets = vec![([0u8; WIRE], 0usize); frames.len()];
    let mut sound = [0i16; MOST_SAMPLES];
    let (mut encoding, mut decoding) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for (frame, (wire, length)) in frames.iter().zip(&mut packets) {
            *length = encoder.encode(black_box(frame), wire);
        }
        encoding += began.elapsed();
        let began = Instant::now();
        for (wire, length) in &packets {
            black_box(decoder.decode(black_box(&wire[..*length]), &mut sound));
        }
        decoding += began.elapsed();
    }
    let each = |all: Duration| all.as_secs_f64() * 1e6 / f64::from(ROUNDS) / frames.len() as f64;
    (each(encoding), each(decoding))
}

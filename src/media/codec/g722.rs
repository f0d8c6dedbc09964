//! G.722 at 64 kbit/s (ITU-T, 1988) from and to 8 kHz: the adaptive quantiser of its lower band, which is all that the inside format can
//! hold. The upper band is sent as silence and is not decoded, so there is no filter bank to run and no delay; what a wideband
//! peer says between 4 and 4.5 kHz folds back softly, as the Recommendation's own filters leave it.

/// Bits of the upper band that let a full decoder's upper band fall silent.
const UPPER_SILENT: u8 = 0xC0;
/// The six bits of the lower band.
const LOWER: u8 = 0x3F;
/// The quantiser's first step.
const FIRST_STEP: i32 = 32;
/// The most that the logarithm of the step may be.
const MOST_LOG: i32 = 18_432;
const LEVELS: usize = 30;

/// Decision levels of the 60-level quantiser (table 14).
const DECISIONS: [i32; LEVELS] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765,
    1980, 2195, 2557, 2919,
];
/// Codes of those levels below and above zero (table 15), level 1 first.
const CODES_BELOW: [u8; LEVELS] =
    [63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4];
const CODES_ABOVE: [u8; LEVELS] =
    [61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32];
/// Outputs of the inverse quantiser of 4 bits, that the predictor follows (table 18).
const INVERSE_4: [i32; 16] =
    [0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0];
/// Outputs of the inverse quantiser of 6 bits, that is heard (table 20).
const INVERSE_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9_360, -8_576, -7_856,
    -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808,
    21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008,
    3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
/// How the step moves with each code of 4 bits (tables 21 and 22).
const STEP_MOVES: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
/// Powers of two between 2048 and 4096, in 32 steps (table 23).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
    3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
const ZEROS: usize = 6;

/// The lower band's predictor and step, the same on both sides.
#[derive(Clone, Debug)]
struct Band {
    /// What is predicted, and the part of it that comes from the zeros.
    predicted: i32,
    from_zeros: i32,
    step: i32,
    step_log: i32,
    poles: [i32; 2],
    zeros: [i32; ZEROS],
    /// The last differences, newest first.
    differences: [i32; ZEROS],
    /// The last reconstructed sample, and the last two sums of difference and zeros.
    rebuilt: i32,
    partial: [i32; 2],
}

impl Default for Band {
    fn default() -> Band {
        Band {
            predicted: 0,
            from_zeros: 0,
            step: FIRST_STEP,
            step_log: 0,
            poles: [0; 2],
            zeros: [0; ZEROS],
            differences: [0; ZEROS],
            rebuilt: 0,
            partial: [0; 2],
        }
    }
}

impl Band {
    /// Follows one code of 4 bits (blocks 3L and 4 of the Recommendation).
    fn follow(&mut self, code: u8) {
        let code = usize::from(code);
        let difference = (self.step * INVERSE_4[code]) >> 15;
        self.step_log = (((self.step_log * 127) >> 7) + STEP_MOVES[code]).clamp(0, MOST_LOG);
        let power = POWERS[(self.step_log >> 6) as usize & 31];
        let shift = 8 - (self.step_log >> 11);
        self.step = if shift < 0 { power << -shift } else { power >> shift } << 2;
        self.predict(difference);
    }

    fn predict(&mut self, difference: i32) {
        let rebuilt = saturated(self.predicted + difference);
        let partial = saturated(self.from_zeros + difference);
        self.move_poles(partial);
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            let towards = if same_sign(*past, difference) { step } else { -step };
            *zero = saturated(towards + ((*zero * 32_640) >> 15));
        }
        self.differences.copy_within(..ZEROS - 1, 1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];
        let from_poles = ((self.poles[0] * saturated(2 * rebuilt)) >> 15) + ((self.poles[1] * saturated(2 * self.rebuilt)) >> 15);
        self.rebuilt = rebuilt;
        let products = self.zeros.iter().zip(&self.differences).map(|(zero, past)| (zero * saturated(2 * past)) >> 15);
        self.from_zeros = saturated(products.sum());
        self.predicted = saturated(saturated(from_poles) + self.from_zeros);
    }

    fn move_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let [before, long_before] = self.partial;
        let pulled = if same_sign(partial, before) { -saturated(first << 2) } else { saturated(first << 2) }.min(32_767);
        let pushed = if same_sign(partial, long_before) { 128 } else { -128 };
        let second = ((pulled >> 7) + pushed + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let pushed = if same_sign(partial, before) { 192 } else { -192 };
        let most = saturated(15_360 - second);
        let first = saturated(pushed + ((first * 32_640) >> 15)).clamp(-most, most);
        self.poles = [first, second];
    }
}

fn saturated(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

fn same_sign(one: i32, other: i32) -> bool {
    (one >> 15) == (other >> 15)
}

/// Speaks G.722.
#[derive(Clone, Debug, Default)]
pub struct Encoder(Band);

impl Encoder {
    /// Encodes as many samples of 8 kHz as both slices hold, a byte each.
    pub fn encode(&mut self, linear: &[i16], wire: &mut [u8]) {
        for (byte, sample) in wire.iter_mut().zip(linear) {
            let error = saturated((i32::from(*sample) >> 1) - self.0.predicted);
            let size = if error < 0 { -(error + 1) } else { error };
            let above = DECISIONS[1..].iter().take_while(|level| size >= (**level * self.0.step) >> 12).count();
            let code = if error < 0 { CODES_BELOW[above] } else { CODES_ABOVE[above] };
            self.0.follow(code >> 2);
            *byte = UPPER_SILENT | code;
        }
    }
}

/// Understands G.722.
#[derive(Clone, Debug, Default)]
pub struct Decoder(Band);

impl Decoder {
    /// Decodes as many bytes as both slices hold, to a sample of 8 kHz each.
    pub fn decode(&mut self, wire: &[u8], linear: &mut [i16]) {
        for (sample, byte) in linear.iter_mut().zip(wire) {
            let code = byte & LOWER;
            let rebuilt = self.0.predicted + ((self.0.step * INVERSE_6[usize::from(code)]) >> 15);
            self.0.follow(code >> 2);
            *sample = (rebuilt.clamp(-16_384, 16_383) << 1) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use ezk_g722::libg722::{Bitrate, decoder, encoder};

    use super::*;
    use crate::media::tone::{rms, share};

    fn sine(hertz: f64, rate: f64, count: usize, amplitude: f64) -> Vec<i16> {
        (0..count).map(|at| ((std::f64::consts::TAU * hertz / rate * at as f64).sin() * amplitude) as i16).collect()
    }

    fn decibels(one: f64, other: f64) -> f64 {
        20.0 * (one / other).log10()
    }

    #[test]
    fn what_we_encode_a_wideband_decoder_of_others_hears_at_its_level_and_pitch() {
        // Nearer to 4 kHz the others' filters let an image of the tone through, as the upper band is not there to cancel it.
        for hertz in [300.0, 1_000.0, 2_000.0, 2_800.0] {
            let sound = sine(hertz, 8_000.0, 8_000, 8_000.0);
            let mut wire = vec![0; sound.len()];
            Encoder::default().encode(&sound, &mut wire);
            let wide = decoder::Decoder::new(Bitrate::Mode1_64000, false, false).decode(&wire);
            assert_eq!(wide.len(), 16_000);
            assert!(share(&wide[8_000..], 16_000, hertz) > 0.99, "{hertz}: {}", share(&wide[8_000..], 16_000, hertz));
            assert!(decibels(rms(&wide[8_000..]), rms(&sound)).abs() < 0.5, "{hertz}: {}", decibels(rms(&wide[8_000..]), rms(&sound)));
        }
    }

    #[test]
    fn what_a_wideband_encoder_of_others_says_is_heard_at_its_level_and_pitch() {
        for hertz in [300.0, 1_000.0, 2_000.0, 3_300.0] {
            let sound = sine(hertz, 16_000.0, 16_000, 8_000.0);
            let wire = encoder::Encoder::new(Bitrate::Mode1_64000, false, false).encode(&sound);
            let mut narrow = vec![0; wire.len()];
            Decoder::default().decode(&wire, &mut narrow);
            assert!(share(&narrow[4_000..], 8_000, hertz) > 0.99, "{hertz}");
            assert!(decibels(rms(&narrow[4_000..]), rms(&sound)).abs() < 0.5, "{hertz}");
        }
    }

    #[test]
    fn the_lower_band_is_decoded_bit_by_bit_as_others_decode_it() {
        let mut wire = vec![0; 16_000];
        let sound: Vec<i16> = sine(440.0, 8_000.0, 16_000, 9_000.0)
            .iter()
            .zip(sine(1_730.0, 8_000.0, 16_000, 7_000.0))
            .map(|(one, other)| one + other)
            .collect();
        Encoder::default().encode(&sound, &mut wire);
        let mut ours = vec![0; wire.len()];
        Decoder::default().decode(&wire, &mut ours);
        let theirs = decoder::Decoder::new(Bitrate::Mode1_64000, false, true).decode(&wire);
        // That one begins with a step of zero: the adaptation forgets it within a second.
        assert_eq!(ours[8_000..], theirs[8_000..]);
    }

    #[test]
    fn full_scale_and_any_bytes_stay_in_range() {
        let square: Vec<i16> = (0..4_000).map(|at| if at / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let (mut wire, mut back) = (vec![0; 4_000], vec![0; 4_000]);
        Encoder::default().encode(&square, &mut wire);
        Decoder::default().decode(&wire, &mut back);
        assert!(decibels(rms(&back), rms(&square)).abs() < 1.0);
        let noise: Vec<u8> = (0..4_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        Decoder::default().decode(&noise, &mut back);
    }
}

//! G.711 (ITU-T, 1988): µ-law and A-law by tables that the compiler makes from the segments.

/// One of the two laws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Law {
    /// µ-law, RTP payload type 0.
    Mu,
    /// A-law, RTP payload type 8.
    A,
}

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;
const ULAW_BITS: usize = 14;
const ALAW_BITS: usize = 13;

static ULAW_ENCODE: [u8; 1 << ULAW_BITS] = ulaw_encode_table();
static ALAW_ENCODE: [u8; 1 << ALAW_BITS] = alaw_encode_table();
static ULAW_DECODE: [i16; 256] = ulaw_decode_table();
static ALAW_DECODE: [i16; 256] = alaw_decode_table();

/// One linear sample (16 bits, full scale) to one byte.
#[inline]
#[must_use]
pub fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => ULAW_ENCODE[usize::from(sample.cast_unsigned() >> (16 - ULAW_BITS))],
        Law::A => ALAW_ENCODE[usize::from(sample.cast_unsigned() >> (16 - ALAW_BITS))],
    }
}

/// One byte to one linear sample.
#[inline]
#[must_use]
pub fn decode(law: Law, byte: u8) -> i16 {
    match law {
        Law::Mu => ULAW_DECODE[usize::from(byte)],
        Law::A => ALAW_DECODE[usize::from(byte)],
    }
}

/// Encodes as many samples as both slices hold.
pub fn encode_into(law: Law, linear: &[i16], wire: &mut [u8]) {
    match law {
        Law::Mu => wire.iter_mut().zip(linear).for_each(|(byte, sample)| *byte = encode(Law::Mu, *sample)),
        Law::A => wire.iter_mut().zip(linear).for_each(|(byte, sample)| *byte = encode(Law::A, *sample)),
    }
}

/// Decodes as many samples as both slices hold.
pub fn decode_into(law: Law, wire: &[u8], linear: &mut [i16]) {
    let table = match law {
        Law::Mu => &ULAW_DECODE,
        Law::A => &ALAW_DECODE,
    };
    linear.iter_mut().zip(wire).for_each(|(sample, byte)| *sample = table[usize::from(*byte)]);
}

/// The byte of digital silence.
#[must_use]
pub const fn silence(law: Law) -> u8 {
    match law {
        Law::Mu => 0xFF,
        Law::A => 0xD5,
    }
}

const fn ulaw_from_linear(sample: i32) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, -sample) } else { (0, sample) };
    let clipped = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let segment = 31 - clipped.leading_zeros() as i32 - 7;
    let step = (clipped >> (segment + 3)) & 0x0F;
    !((sign | (segment << 4) | step) as u8)
}

const fn ulaw_to_linear(byte: u8) -> i16 {
    let bits = !byte as i32;
    let magnitude = ((((bits & 0x0F) << 3) + BIAS) << ((bits >> 4) & 7)) - BIAS;
    (if bits & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// `sample` has 13 bits, as the Recommendation writes it.
const fn alaw_from_linear(sample: i32) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, -sample - 1) } else { (0x80, sample) };
    let segment = if magnitude < 32 { 0 } else { 31 - magnitude.leading_zeros() as i32 - 4 };
    let step = (magnitude >> (if segment < 2 { 1 } else { segment })) & 0x0F;
    ((sign | (segment << 4) | step) as u8) ^ 0x55
}

const fn alaw_to_linear(byte: u8) -> i16 {
    let bits = (byte ^ 0x55) as i32;
    let segment = (bits >> 4) & 7;
    let step = ((bits & 0x0F) << 4) + 8;
    let magnitude = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
    (if bits & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// The signed number whose two's complement, cut to `bits`, is `index`.
const fn signed(index: usize, bits: usize) -> i32 {
    let value = index as i32;
    if value >= 1 << (bits - 1) { value - (1 << bits) } else { value }
}

const fn ulaw_encode_table() -> [u8; 1 << ULAW_BITS] {
    let mut table = [0; 1 << ULAW_BITS];
    let mut at = 0;
    while at < table.len() {
        table[at] = ulaw_from_linear(signed(at, ULAW_BITS) * 4);
        at += 1;
    }
    table
}

const fn alaw_encode_table() -> [u8; 1 << ALAW_BITS] {
    let mut table = [0; 1 << ALAW_BITS];
    let mut at = 0;
    while at < table.len() {
        table[at] = alaw_from_linear(signed(at, ALAW_BITS));
        at += 1;
    }
    table
}

const fn ulaw_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = ulaw_to_linear(at as u8);
        at += 1;
    }
    table
}

const fn alaw_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = alaw_to_linear(at as u8);
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITU-T G.711 table 2a/2b: decision values of the positive µ-law segments (14 bits) and the code of each segment's end.
    const ULAW_SEGMENT_ENDS: [(i32, u8); 8] =
        [(31, 0xF0), (95, 0xE0), (223, 0xD0), (479, 0xC0), (991, 0xB0), (2015, 0xA0), (4063, 0x90), (8159, 0x80)];

    #[test]
    fn ulaw_matches_the_segments_of_the_recommendation() {
        for (end, code) in ULAW_SEGMENT_ENDS {
            let last = i16::try_from((end - 1) * 4).unwrap();
            assert_eq!(encode(Law::Mu, last), code, "just below {end}");
            assert_eq!(encode(Law::Mu, -last), code & 0x7F, "just above -{end}");
        }
        let outputs = [0xFF, 0xEF, 0xDF, 0xCF, 0xBF, 0xAF, 0x9F, 0x8F].map(|code| decode(Law::Mu, code) / 4);
        assert_eq!(outputs, [0, 33, 99, 231, 495, 1023, 2079, 4191]);
        assert_eq!(decode(Law::Mu, 0x80) / 4, 8031);
        assert_eq!(decode(Law::Mu, 0x00) / 4, -8031);
    }

    #[test]
    fn alaw_matches_the_segments_of_the_recommendation() {
        // Table 1a: the outputs of the first interval of each segment (12 bits and sign, doubled to 13).
        let outputs = [0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0].map(|code: u8| decode(Law::A, code ^ 0x55) / 8);
        assert_eq!(outputs, [1, 33, 66, 132, 264, 528, 1056, 2112]);
        assert_eq!(decode(Law::A, 0xFF ^ 0x55), 4032 * 8);
        assert_eq!(decode(Law::A, 0x7F ^ 0x55), -4032 * 8);
        assert_eq!(encode(Law::A, i16::MAX), 0xFF ^ 0x55);
        assert_eq!(encode(Law::A, i16::MIN), 0x7F ^ 0x55);
        assert_eq!(encode(Law::A, 0), 0xD5);
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255u8 {
                let again = encode(law, decode(law, code));
                let negative_zero = law == Law::Mu && code == 0x7F;
                assert!(again == code || negative_zero, "{law:?} {code:#04x} came back as {again:#04x}");
            }
        }
    }

    #[test]
    fn the_error_stays_within_half_a_step_of_the_segment() {
        for law in [Law::Mu, Law::A] {
            for sample in (-32_000i32..=32_000).step_by(7) {
                let back = i32::from(decode(law, encode(law, i16::try_from(sample).unwrap())));
                assert!((back - sample).abs() <= sample.abs() / 32 + 12, "{law:?} {sample} -> {back}");
            }
        }
    }
}

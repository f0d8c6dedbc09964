//! Chance as an argument: a small seeded generator, so that a run can be replayed from its seed.

/// SplitMix64 (Steele, Lea, Flood 2014): one `u64` of state, passes BigCrush, not for secrets by itself;
/// the edge seeds it from the operating system, which is what tags and nonces rest on.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that repeats exactly what the same seed gave before.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..below`; `below` must not be zero.
    pub fn below(&mut self, below: u64) -> u64 {
        self.bits() % below.max(1)
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Sixteen hex digits, for tags, branches and Call-IDs.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.bits())
    }
}

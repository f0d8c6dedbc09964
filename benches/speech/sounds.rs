//! Sounds that are no speech, made by program: the same for the bench and for the tests. 8 kHz.

/// Samples a second.
const LINE: usize = 8_000;

/// White noise between −1 and 1, the same each time.
pub fn white() -> impl FnMut() -> f32 {
    let mut chance = 1u64;
    move || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

/// Hiss of this peak.
#[allow(dead_code, reason = "not all of those who share these sounds need it")]
pub fn hiss(samples: usize, peak: f32) -> Vec<i16> {
    let mut noise = white();
    (0..samples).map(|_| (noise() * peak) as i16).collect()
}

/// A street, about −25 dBFS: low-passed noise, swelling and falling as cars pass.
#[allow(dead_code, reason = "not all of those who share these sounds need it")]
pub fn street(samples: usize) -> Vec<i16> {
    let (mut noise, mut low) = (white(), 0.0);
    let mut sample = |at: usize| {
        low += (noise() - low) * 0.12;
        let swell = 0.3 + 0.7 * (at as f32 / LINE as f32 * 0.7).sin().powi(2);
        (low * swell * 9_000.0) as i16
    };
    (0..samples).map(&mut sample).collect()
}

/// Two bursts of noise, as a cough is.
#[allow(dead_code, reason = "not all of those who share these sounds need it")]
pub fn cough() -> Vec<i16> {
    let mut noise = white();
    let mut burst = || (0..1_440).map(|_| (noise() * 4_500.0) as i16).collect::<Vec<i16>>();
    [burst(), vec![0; 960], burst()].concat()
}

//! The clips of `../shared/data/speech`, and their telephone versions: 300–3400 Hz, 8 kHz, G.711 µ-law and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hotline::speech::resample::resample;
use hotline::speech::wav::Wav;

/// One clip.
pub struct Clip {
    pub id: String,
    pub lang: String,
    pub kind: String,
    pub text: String,
    pub pcm: Vec<i16>,
}

/// The shared data, when they are there.
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var("HOTLINE_SHARED").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").into());
    Some(PathBuf::from(folder).join("data")).filter(|data| data.join("speech/manifest.tsv").is_file())
}

/// All clips of the manifest at 16 kHz.
pub fn read(data: &Path) -> Vec<Clip> {
    let folder = data.join("speech");
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).expect("the manifest is text");
    let mut lines = manifest.lines();
    let names: Vec<&str> = lines.next().unwrap_or("").split('\t').collect();
    lines
        .map(|line| {
            let row: BTreeMap<&str, &str> = names.iter().copied().zip(line.split('\t')).collect();
            let field = |name: &str| row.get(name).copied().unwrap_or("").to_owned();
            let pcm = Wav::read(&folder.join(field("file"))).expect("each clip of the manifest is there").mono(16_000);
            Clip { id: field("id"), lang: field("lang"), kind: field("kind"), text: field("text"), pcm }
        })
        .collect()
}

/// What a telephone line leaves of 16 kHz sound: 8 kHz.
pub fn line(pcm: &[i16]) -> Vec<i16> {
    let mut sound: Vec<f64> = pcm.iter().map(|sample| f64::from(*sample)).collect();
    for _ in 0..2 {
        biquad(&mut sound, 300.0, Pass::High);
        biquad(&mut sound, 3_400.0, Pass::Low);
    }
    let narrow: Vec<i16> = sound.iter().map(|sample| sample.clamp(-32_768.0, 32_767.0) as i16).collect();
    resample(&narrow, 16_000, 8_000).into_iter().map(mulaw_and_back).collect()
}

enum Pass {
    High,
    Low,
}

/// A second-order Butterworth filter at 16 kHz.
fn biquad(sound: &mut [f64], hertz: f64, pass: Pass) {
    let angle = std::f64::consts::TAU * hertz / 16_000.0;
    let (sine, cosine) = angle.sin_cos();
    let alpha = sine / std::f64::consts::SQRT_2;
    let (side, middle) = match pass {
        Pass::High => ((1.0 + cosine) / 2.0, -(1.0 + cosine)),
        Pass::Low => ((1.0 - cosine) / 2.0, 1.0 - cosine),
    };
    let a0 = 1.0 + alpha;
    let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
    for sample in sound {
        let x = *sample;
        let y = (side * x + middle * x1 + side * x2 + 2.0 * cosine * y1 - (1.0 - alpha) * y2) / a0;
        (x2, x1, y2, y1) = (x1, x, y1, y);
        *sample = y;
    }
}

fn mulaw_and_back(sample: i16) -> i16 {
    use hotline::media::codec::g711::{self, Law};
    g711::decode(Law::Mu, g711::encode(Law::Mu, sample))
}

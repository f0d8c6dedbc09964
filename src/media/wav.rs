//! Reading prompt files: WAV of any rate, any number of channels, PCM 8–32 bits, float, G.711 µ-law and A-law, to 8 kHz mono.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::codec::g711::{self, Law};
use super::{Audio, RATE};

/// The largest file that is read: an hour of 8 kHz stereo.
const MOST_BYTES: u64 = 128 * 1024 * 1024;
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
const TAG_ALAW: u16 = 6;
const TAG_ULAW: u16 = 7;
const RIFF_HEAD: usize = 12;
const CHUNK_HEAD: usize = 8;
const FMT_BYTES: usize = 16;
const RESAMPLE_CHUNK: usize = 1_024;

/// Why a file is no sound. Each text names the file and the mend.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It cannot be read.
    #[error("{}: {why}", .path.display())]
    OperatorFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is read but cannot be understood.
    #[error("{}: {why}; convert it, e.g. `sox in.wav -r 8000 -c 1 -b 16 out.wav`", .path.display())]
    OperatorFormat {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Reads a file to sound ready for playing.
///
/// # Errors
/// When the file is missing, too large, no WAV or of a form that is not known.
pub fn read(path: &Path) -> Result<Audio, WavError> {
    let file = |why| WavError::OperatorFile { path: path.to_owned(), why };
    let format = |why: String| WavError::OperatorFormat { path: path.to_owned(), why };
    let length = std::fs::metadata(path).map_err(file)?.len();
    if length > MOST_BYTES {
        return Err(format(format!("{length} bytes are more than the {MOST_BYTES} a prompt may have")));
    }
    let bytes = std::fs::read(path).map_err(file)?;
    decode(&bytes).map_err(format)
}

/// Decodes a WAV file in memory; the error text says what is wrong.
///
/// # Errors
/// When the bytes are no WAV or of a form that is not known.
pub fn decode(bytes: &[u8]) -> Result<Audio, String> {
    let sound = match law_of(bytes)? {
        Some(law) => companded(bytes, law)?,
        None => linear(bytes)?,
    };
    if sound.channels == 0 || !RATES.contains(&sound.rate) {
        return Err(format!(
            "{} channels at {} Hz: at least 1 channel and {} to {} Hz are read",
            sound.channels,
            sound.rate,
            RATES.start(),
            RATES.end()
        ));
    }
    let mono = mix_down(&sound.samples, sound.channels);
    Ok(Audio::new(to_i16(&to_rate(mono, sound.rate)?)))
}

/// Samples in −1.0 to 1.0 as they stand in the file.
struct Raw {
    samples: Vec<f32>,
    channels: usize,
    rate: u32,
}

/// Brings mono samples from `rate` to 8 kHz.
///
/// # Errors
/// When no resampler can be made for this rate.
pub fn to_rate(mono: Vec<f32>, rate: u32) -> Result<Vec<f32>, String> {
    if rate == RATE || mono.is_empty() {
        return Ok(mono);
    }
    let cannot = |why: &dyn std::fmt::Display| format!("cannot resample from {rate} Hz: {why}");
    let mut resampler = Fft::<f32>::new(rate as usize, RATE as usize, RESAMPLE_CHUNK, 1, FixedSync::Input).map_err(|why| cannot(&why))?;
    let input = InterleavedSlice::new(&mono, 1, mono.len()).map_err(|why| cannot(&why))?;
    let output = resampler.process_all(&input, mono.len(), None).map_err(|why| cannot(&why))?;
    Ok(output.take_data())
}

/// Full-scale floats to 16 bits, saturating.
#[must_use]
pub fn to_i16(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample * 32_767.0).round() as i16).collect()
}

fn mix_down(samples: &[f32], channels: usize) -> Vec<f32> {
    samples.chunks_exact(channels).map(|pair| pair.iter().sum::<f32>() / channels as f32).collect()
}

fn linear(bytes: &[u8]) -> Result<Raw, String> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|why| format!("no WAV that can be read: {why}"))?;
    let spec = reader.spec();
    let broken = |why: hound::Error| format!("broken in its samples: {why}");
    let samples = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<Vec<f32>, _>>().map_err(broken)?,
        SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
            reader.into_samples::<i32>().map(|sample| sample.map(|value| value as f32 * scale)).collect::<Result<_, _>>().map_err(broken)?
        }
    };
    Ok(Raw { samples, channels: usize::from(spec.channels), rate: spec.sample_rate })
}

fn law_of(bytes: &[u8]) -> Result<Option<Law>, String> {
    if bytes.len() < RIFF_HEAD || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err("no RIFF/WAVE file".to_owned());
    }
    let format = chunk(bytes, b"fmt ").filter(|format| format.len() >= FMT_BYTES).ok_or("it has no fmt chunk")?;
    Ok(match u16::from_le_bytes([format[0], format[1]]) {
        TAG_ALAW => Some(Law::A),
        TAG_ULAW => Some(Law::Mu),
        _ => None,
    })
}

fn companded(bytes: &[u8], law: Law) -> Result<Raw, String> {
    let format = chunk(bytes, b"fmt ").ok_or("it has no fmt chunk")?;
    let data = chunk(bytes, b"data").ok_or("it has no data chunk")?;
    Ok(Raw {
        samples: data.iter().map(|byte| f32::from(g711::decode(law, *byte)) / 32_768.0).collect(),
        channels: usize::from(u16::from_le_bytes([format[2], format[3]])),
        rate: u32::from_le_bytes([format[4], format[5], format[6], format[7]]),
    })
}

/// The body of the first chunk of this name; a body cut short by the end of the file is given as far as it goes.
fn chunk<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let mut rest = bytes.get(RIFF_HEAD..)?;
    while rest.len() >= CHUNK_HEAD {
        let length = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let body = &rest[CHUNK_HEAD..];
        if &rest[..4] == name {
            return Some(&body[..length.min(body.len())]);
        }
        rest = body.get(length.saturating_add(length % 2)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::{rms, share};

    fn sine(rate: u32, channels: u16) -> Vec<f32> {
        let step = std::f32::consts::TAU * 1_000.0 / rate as f32;
        (0..rate).flat_map(|at| std::iter::repeat_n((at as f32 * step).sin() * 0.5, usize::from(channels))).collect()
    }

    fn wav(rate: u32, channels: u16, bits: u16, sample_format: SampleFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for sample in sine(rate, channels) {
            match sample_format {
                SampleFormat::Float => writer.write_sample(sample).unwrap(),
                SampleFormat::Int => writer.write_sample((sample * ((1i64 << (bits - 1)) - 1) as f32) as i32).unwrap(),
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn law_wav(law: Law, tag: u16) -> Vec<u8> {
        let data: Vec<u8> = sine(8_000, 1).iter().map(|sample| g711::encode(law, (sample * 32_767.0) as i16)).collect();
        let mut out = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
        out.extend(tag.to_le_bytes());
        out.extend([1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0, 0, 0]);
        out.extend(b"fact\x04\0\0\0\x40\x1F\0\0data");
        out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(data);
        out
    }

    fn is_one_second_of_1_khz(audio: &Audio, what: &str) {
        let sound = audio.linear();
        assert!(sound.len().abs_diff(8_000) <= 2, "{what}: {} samples", sound.len());
        let steady = &sound[800..7_200];
        assert!(share(steady, RATE, 1_000.0) > 0.98, "{what}: {}", share(steady, RATE, 1_000.0));
        assert!((rms(steady) / (16_383.0 / 2f64.sqrt()) - 1.0).abs() < 0.03, "{what}: rms {}", rms(steady));
    }

    #[test]
    fn every_rate_channel_count_and_format_becomes_8_khz_mono() {
        for (rate, channels, bits, format) in [
            (8_000, 1, 16, SampleFormat::Int),
            (8_000, 2, 8, SampleFormat::Int),
            (16_000, 1, 16, SampleFormat::Int),
            (22_050, 1, 16, SampleFormat::Int),
            (44_100, 2, 24, SampleFormat::Int),
            (48_000, 6, 32, SampleFormat::Float),
            (11_025, 1, 32, SampleFormat::Int),
        ] {
            let audio = decode(&wav(rate, channels, bits, format)).unwrap();
            is_one_second_of_1_khz(&audio, &format!("{rate} Hz × {channels}, {bits} bits"));
        }
        is_one_second_of_1_khz(&decode(&law_wav(Law::Mu, TAG_ULAW)).unwrap(), "µ-law");
        is_one_second_of_1_khz(&decode(&law_wav(Law::A, TAG_ALAW)).unwrap(), "A-law");
    }

    #[test]
    fn what_lies_above_the_telephone_band_does_not_fold() {
        let step = std::f32::consts::TAU * 6_000.0 / 22_050.0;
        let alias = to_i16(&to_rate((0..22_050).map(|at| (at as f32 * step).sin() * 0.5).collect(), 22_050).unwrap());
        assert!(rms(&alias[800..7_200]) < 12.0, "below −60 dB: {}", rms(&alias[800..7_200]));
    }

    #[test]
    fn a_bad_file_is_named_with_its_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hello.wav");
        assert!(read(&path).unwrap_err().to_string().contains("hello.wav"));
        std::fs::write(&path, b"ID3 this is an mp3").unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(text.contains("no RIFF/WAVE") && text.contains("sox"), "{text}");
        assert!(decode(&wav(8_000, 1, 16, SampleFormat::Int)[..40]).is_err());
    }
}

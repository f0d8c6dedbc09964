//! Reading WAV files as they come: PCM 8 to 32 bit, float, G.711; also recordings whose header was never closed.

use std::io::Read;
use std::path::Path;

use super::resample::resample;

const FORMAT_PCM: u16 = 1;
const FORMAT_FLOAT: u16 = 3;
const FORMAT_ALAW: u16 = 6;
const FORMAT_MULAW: u16 = 7;
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;
/// More is no recording of ours: 4 GiB is also the form's own limit.
const LARGEST_FILE: u64 = 1 << 32;

/// A sound file in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Wav {
    /// Samples a second.
    pub rate: u32,
    /// One line of samples for each channel, all of the same length.
    pub channels: Vec<Vec<i16>>,
}

/// Why a sound file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The disk says no.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {why}; convert it, e.g. `sox IN -r 8000 -c 1 -b 16 OUT.wav`")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl Wav {
    /// Reads a file.
    ///
    /// # Errors
    /// [`WavError`] names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Wav, WavError> {
        let name = path.display().to_string();
        let disk = |source| WavError::Disk { path: name.clone(), source };
        let form = |why: &str| WavError::Form { path: name.clone(), why: why.to_owned() };
        if std::fs::metadata(path).map_err(disk)?.len() >= LARGEST_FILE {
            return Err(form("the file is larger than 4 GiB"));
        }
        parse(&std::fs::read(path).map_err(disk)?).map_err(|why| form(&why))
    }

    /// Reads one that is opened already; `name` is for what is wrong with it.
    ///
    /// # Errors
    /// As [`Wav::read`].
    pub fn read_from(from: &mut impl Read, name: &str) -> Result<Wav, WavError> {
        let mut bytes = Vec::new();
        let disk = |source| WavError::Disk { path: name.to_owned(), source };
        from.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(disk)?;
        parse(&bytes).map_err(|why| WavError::Form { path: name.to_owned(), why })
    }

    /// One channel at the asked rate.
    #[must_use]
    pub fn channel(&self, at: usize, rate: u32) -> Vec<i16> {
        self.channels.get(at).map(|pcm| resample(pcm, self.rate, rate)).unwrap_or_default()
    }

    /// All channels mixed into one, at the asked rate.
    #[must_use]
    pub fn mono(&self, rate: u32) -> Vec<i16> {
        let [first, rest @ ..] = self.channels.as_slice() else { return Vec::new() };
        if rest.is_empty() {
            return resample(first, self.rate, rate);
        }
        let count = self.channels.len() as i32;
        let mixed: Vec<i16> =
            (0..first.len()).map(|at| (self.channels.iter().map(|pcm| i32::from(pcm[at])).sum::<i32>() / count) as i16).collect();
        resample(&mixed, self.rate, rate)
    }
}

/// Reads a WAV file from memory.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(bytes: &[u8]) -> Result<Wav, String> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err("no WAV file: it does not begin with RIFF and WAVE".into());
    }
    let mut at = 12;
    let mut form = None;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &bytes[at + 8..(at + 8).saturating_add(length).min(bytes.len())];
        match &head[..4] {
            b"fmt " => form = Some(Form::parse(body)?),
            // A recording that was cut off says 0 or too much: what is there counts.
            b"data" => {
                let body = if length == 0 { &bytes[at + 8..] } else { body };
                return form.ok_or("the data come before the format")?.decode(body);
            }
            _ => {}
        }
        at = (at + 8).saturating_add(length).saturating_add(length & 1);
    }
    Err("no data chunk in the WAV file".into())
}

struct Form {
    code: u16,
    channels: usize,
    rate: u32,
    bits: u16,
}

impl Form {
    fn parse(body: &[u8]) -> Result<Form, String> {
        if body.len() < 16 {
            return Err("the format chunk is cut off".into());
        }
        let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
        let mut code = word(0);
        if code == FORMAT_EXTENSIBLE && body.len() >= 26 {
            code = word(24);
        }
        let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
        let form = Form { code, channels: usize::from(word(2)), rate, bits: word(14) };
        match (code, form.bits) {
            _ if form.channels == 0 || form.channels > 8 => Err(format!("{} channels", form.channels)),
            _ if !(1_000..=384_000).contains(&rate) => Err(format!("{rate} samples a second")),
            (FORMAT_PCM, 8 | 16 | 24 | 32) | (FORMAT_FLOAT, 32) | (FORMAT_ALAW | FORMAT_MULAW, 8) => Ok(form),
            (code, bits) => Err(format!("WAV format {code} with {bits} bits is not read")),
        }
    }

    fn decode(&self, body: &[u8]) -> Result<Wav, String> {
        let width = usize::from(self.bits / 8);
        let mut channels = vec![Vec::with_capacity(body.len() / (width * self.channels)); self.channels];
        for frame in body.chunks_exact(width * self.channels) {
            for (channel, sample) in channels.iter_mut().zip(frame.chunks_exact(width)) {
                channel.push(self.sample(sample));
            }
        }
        Ok(Wav { rate: self.rate, channels })
    }

    fn sample(&self, bytes: &[u8]) -> i16 {
        match (self.code, bytes) {
            (FORMAT_MULAW, [byte]) => mulaw(*byte),
            (FORMAT_ALAW, [byte]) => alaw(*byte),
            (FORMAT_FLOAT, [a, b, c, d]) => (f32::from_le_bytes([*a, *b, *c, *d]).clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16,
            (_, [byte]) => (i16::from(*byte) - 128) << 8,
            (_, [.., low, high]) => i16::from_le_bytes([*low, *high]),
            _ => 0,
        }
    }
}

/// G.711 µ-law, table 2a.
fn mulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i16::from(byte & 0x0F) << 3) + 0x84) << ((byte >> 4) & 7);
    if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// G.711 A-law, table 1a.
fn alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let base = i16::from(byte & 0x0F) << 4;
    let magnitude = match (byte >> 4) & 7 {
        0 => base + 8,
        segment => (base + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(code: u16, bits: u16, channels: u16, data: &[u8], said: u32) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        out.extend(code.to_le_bytes());
        out.extend(channels.to_le_bytes());
        out.extend(8_000u32.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        out.extend(0u16.to_le_bytes());
        out.extend(bits.to_le_bytes());
        out.extend(b"data");
        out.extend(said.to_le_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn both_channels_of_a_recording_come_apart() {
        let wav = parse(&file(1, 16, 2, &[1, 0, 2, 0, 3, 0, 4, 0], 8)).unwrap();
        assert_eq!(wav.channels, [vec![1, 3], vec![2, 4]]);
    }

    #[test]
    fn a_recording_that_was_cut_off_is_read_to_its_last_sample() {
        for said in [0, 4_000_000] {
            assert_eq!(parse(&file(1, 16, 1, &[1, 0, 2, 0, 3], said)).unwrap().channels, [vec![1, 2]]);
        }
    }

    #[test]
    fn g711_is_decoded_as_the_tables_say() {
        assert_eq!(parse(&file(7, 8, 1, &[0xFF, 0x7F, 0x00, 0x80], 4)).unwrap().channels, [vec![0, 0, -32_124, 32_124]]);
        assert_eq!(parse(&file(6, 8, 1, &[0xD5, 0x55, 0x2A, 0xAA], 4)).unwrap().channels, [vec![8, -8, -32_256, 32_256]]);
    }

    #[test]
    fn what_is_no_wav_is_refused_with_a_reason() {
        assert!(parse(b"ID3").unwrap_err().contains("no WAV file"));
        assert!(parse(&file(85, 16, 1, &[], 0)).unwrap_err().contains("format 85"));
        assert!(parse(&file(1, 16, 0, &[], 0)).unwrap_err().contains("0 channels"));
    }
}

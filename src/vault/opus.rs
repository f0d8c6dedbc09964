//! Recordings as Ogg/Opus (RFC 7845). Each channel is a stream of its own: what one says is never heard on the other's, as it would be
//! where a stereo stream shares its bits. Half a second is a page, and a page is written once: a file whose writer was killed plays to
//! its last whole page.

use std::io::{self, Read};

use super::RATE;
use super::ogg::{Page, Pages, Place};

const CHANNELS: usize = 2;
const STREAMS: u8 = 2;
/// Left is the first stream, right the second.
const MAPPING: [u8; CHANNELS] = [0, 1];
/// Channels whose streams are told one by one (RFC 7845 §5.1.1.2).
const FAMILY: u8 = 1;
const FRAME: usize = RATE as usize / 50;
/// Frames of a page: half a second.
const PAGE_FRAMES: usize = 25;
/// Places of a page count at 48 kHz, whatever the sound has (RFC 7845 §4).
const WIDE: u64 = 48_000 / RATE as u64;
/// Both channels together, in bits a second: speech of this band has all of its sound at less.
const BITS: i32 = 32_000;
/// Above this the encoder costs more and is not heard at this rate.
const COMPLEXITY: i32 = 2;
/// The longest packet: a page has room for all of its frames whatever they hold.
const MOST_PACKET: usize = 1_000;
/// The longest packet there is lasts 120 ms.
const MOST_PAIRS: usize = 6 * FRAME;
const HEAD: &[u8; 8] = b"OpusHead";
const TAGS: &[u8; 8] = b"OpusTags";
const VENDOR: &[u8] = b"hotline";
/// What a file says of itself: version, channels, samples to skip.
const HEAD_BYTES: usize = 21;
const SKIP: std::ops::Range<usize> = 10..12;
/// Bytes of the first page before its packet.
const FIRST_PACKET: u64 = 28;

/// A recording being encoded.
pub struct Writer {
    encoder: opus::MSEncoder,
    pages: Pages,
    /// Samples that fill no frame yet.
    rest: Vec<i16>,
    lengths: Vec<usize>,
    body: Vec<u8>,
    frames: u64,
    pairs: u64,
    skip: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "opus::Writer({} frames)", self.frames)
    }
}

fn cannot(why: opus::Error) -> io::Error {
    io::Error::other(format!("libopus: {why}"))
}

impl Writer {
    /// Begins a file: its two head pages go into `out`.
    ///
    /// # Errors
    /// When the system has no memory or no chance to give.
    pub fn begin(out: &mut Vec<u8>) -> io::Result<Writer> {
        let mut encoder = opus::MSEncoder::new(RATE, STREAMS, 0, &MAPPING, opus::Application::Voip).map_err(cannot)?;
        encoder.set_bitrate(opus::Bitrate::Bits(BITS)).map_err(cannot)?;
        encoder.set_complexity(COMPLEXITY).map_err(cannot)?;
        let ahead = encoder.get_lookahead().map_err(cannot)?;
        let skip = u64::try_from(ahead).unwrap_or_default() * WIDE;
        let mut serial = [0; 4];
        getrandom::fill(&mut serial).map_err(io::Error::other)?;
        let mut pages = Pages::new(u32::from_le_bytes(serial));
        let mut head = HEAD.to_vec();
        head.extend([1, CHANNELS as u8]);
        head.extend(u16::try_from(skip).unwrap_or_default().to_le_bytes());
        head.extend(RATE.to_le_bytes());
        head.extend([0, 0, FAMILY, STREAMS, 0]);
        head.extend(MAPPING);
        pages.write(Place::First, 0, (&[head.len()], &head), out)?;
        let length = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
        let tags = [&TAGS[..], &length(VENDOR), VENDOR, &length(&[])].concat();
        pages.write(Place::Middle, 0, (&[tags.len()], &tags), out)?;
        let (rest, lengths, body) = (Vec::new(), Vec::with_capacity(PAGE_FRAMES), Vec::new());
        Ok(Writer { encoder, pages, rest, lengths, body, frames: 0, pairs: 0, skip })
    }

    /// Adds interleaved samples; the frames that they fill go into `out`, as whole pages.
    ///
    /// # Errors
    /// When libopus refuses.
    pub fn add(&mut self, samples: &[i16], out: &mut Vec<u8>) -> io::Result<()> {
        self.pairs += (samples.len() / CHANNELS) as u64;
        self.rest.extend_from_slice(samples);
        let rest = std::mem::take(&mut self.rest);
        let whole = rest.len() / (CHANNELS * FRAME) * (CHANNELS * FRAME);
        for frame in rest[..whole].chunks_exact(CHANNELS * FRAME) {
            self.encode(frame)?;
            if self.lengths.len() == PAGE_FRAMES {
                self.end_page(Place::Middle, out)?;
            }
        }
        self.rest = rest;
        self.rest.drain(..whole);
        if !self.lengths.is_empty() {
            self.end_page(Place::Middle, out)?;
        }
        Ok(())
    }

    /// Ends the file: the last page tells how many samples there are to the sample.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub fn end(mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let granule = self.skip + self.pairs * WIDE;
        // The decoder is behind by what is skipped at the beginning: the end needs as much more.
        while self.frames * FRAME as u64 * WIDE < granule || self.lengths.is_empty() {
            let mut frame = std::mem::take(&mut self.rest);
            frame.resize(CHANNELS * FRAME, 0);
            self.encode(&frame)?;
        }
        let (lengths, body) = (std::mem::take(&mut self.lengths), std::mem::take(&mut self.body));
        self.pages.write(Place::Last, granule, (&lengths, &body), out)
    }

    fn encode(&mut self, frame: &[i16]) -> io::Result<()> {
        let begins = self.body.len();
        self.body.resize(begins + MOST_PACKET, 0);
        let length = self.encoder.encode(frame, &mut self.body[begins..]).map_err(cannot)?;
        self.body.truncate(begins + length);
        self.lengths.push(length);
        self.frames += 1;
        Ok(())
    }

    fn end_page(&mut self, place: Place, out: &mut Vec<u8>) -> io::Result<()> {
        self.pages.write(place, self.frames * FRAME as u64 * WIDE, (&self.lengths, &self.body), out)?;
        self.lengths.clear();
        self.body.clear();
        Ok(())
    }
}

/// The samples that a file tells to skip at its beginning, at 48 kHz, out of its first bytes.
pub(super) fn skip_of(first: &[u8]) -> Option<u64> {
    let head = first.get(FIRST_PACKET as usize..)?;
    let skip = head.get(SKIP).filter(|_| head.starts_with(HEAD))?;
    Some(u64::from(u16::from_le_bytes([skip[0], skip[1]])))
}

/// Bytes that [`skip_of`] needs.
pub(super) const SKIP_BYTES: usize = FIRST_PACKET as usize + SKIP.end;

/// Sample pairs of a file whose last page has this place.
pub(super) fn pairs(granule: u64, skip: u64) -> u64 {
    granule.saturating_sub(skip) / WIDE
}

struct Head {
    decoder: opus::MSDecoder,
    skip: u64,
}

fn head(page: &Page) -> Option<Head> {
    let packets = page.packets()?;
    let head = packets.first().filter(|head| head.starts_with(HEAD) && head.len() >= HEAD_BYTES - CHANNELS)?;
    let skip = u64::from(u16::from_le_bytes([head[SKIP.start], head[SKIP.start + 1]]));
    let (streams, coupled, mapping) = match (head[9], head[18]) {
        (2, 0) => (1, 1, MAPPING.to_vec()),
        (2, FAMILY) => (head[19..].first().copied()?, *head.get(20)?, head.get(21..23)?.to_vec()),
        _ => return None,
    };
    let decoder = opus::MSDecoder::new(RATE, streams, coupled, &mapping).ok()?;
    Some(Head { decoder, skip })
}

/// Decodes a file of two channels at 8 kHz: interleaved samples, piece by piece, to its last whole page. Gives the pairs there were.
///
/// # Errors
/// What the disk says, or that it is no Ogg/Opus of two channels.
pub fn decode(from: &mut impl Read, mut take: impl FnMut(&[i16])) -> io::Result<u64> {
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "no Ogg/Opus recording of two channels, as ours are");
    let Head { mut decoder, skip } = Page::read(from)?.as_ref().and_then(head).ok_or_else(foreign)?;
    let tags = Page::read(from)?.ok_or_else(foreign)?;
    if !tags.packets().is_some_and(|packets| packets.first().is_some_and(|tags| tags.starts_with(TAGS))) {
        return Err(foreign());
    }
    let (mut decoded, mut given, mut sound) = (0u64, 0u64, [0i16; CHANNELS * MOST_PAIRS]);
    let behind = skip / WIDE;
    while let Some(page) = Page::read(from)? {
        let end = pairs(page.granule(), skip);
        for packet in page.packets().ok_or_else(foreign)? {
            let count = decoder.decode(packet, &mut sound, false).map_err(cannot)? as u64;
            // What of this packet is neither before the beginning nor behind the end.
            let first = (behind + given).saturating_sub(decoded).min(count);
            let last = (behind + end).saturating_sub(decoded).clamp(first, count);
            take(&sound[CHANNELS * first as usize..CHANNELS * last as usize]);
            (decoded, given) = (decoded + count, given + last - first);
        }
        if page.is_last() {
            break;
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A sine on the left up to the middle, another on the right from there on.
    fn sound(pairs: usize) -> Vec<i16> {
        let sine = |at: usize, hertz: f64| (8_000.0 * (std::f64::consts::TAU * hertz * at as f64 / f64::from(RATE)).sin()) as i16;
        (0..pairs).flat_map(|at| if at < pairs / 2 { [sine(at, 440.0), 0] } else { [0, sine(at, 1_000.0)] }).collect()
    }

    fn file(samples: &[i16], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out).unwrap();
        samples.chunks(2 * piece).for_each(|some| writer.add(some, &mut out).unwrap());
        writer.end(&mut out).unwrap();
        out
    }

    fn decoded(bytes: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        let pairs = decode(&mut Cursor::new(bytes), |some| samples.extend_from_slice(some)).unwrap();
        assert_eq!(samples.len() as u64, 2 * pairs);
        samples
    }

    /// How like two lines are, 1 = the same: with the sign of the phase.
    fn likeness(one: &[i16], other: &[i16]) -> f64 {
        let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
    }

    fn side(samples: &[i16], at: usize) -> Vec<i16> {
        samples.iter().copied().skip(at).step_by(2).collect()
    }

    #[test]
    fn what_is_written_comes_back_to_the_sample_and_no_side_is_heard_on_the_other() {
        for (pairs, piece) in [(16_000, 4_000), (15_999, 4_000), (12_345, 777), (1, 1), (0, 1)] {
            let (samples, back) = (sound(pairs), decoded(&file(&sound(pairs), piece)));
            assert_eq!(back.len(), samples.len(), "{pairs} pairs in pieces of {piece}");
            if pairs < 10_000 {
                continue;
            }
            let half = pairs / 2;
            for (at, inside, silent) in [(0, 400..half - 400, half + 800..pairs - 400), (1, half + 400..pairs - 400, 400..half - 400)] {
                let (was, is) = (side(&samples, at), side(&back, at));
                assert!(
                    likeness(&was[inside.clone()], &is[inside.clone()]) > 0.9,
                    "side {at}: {}",
                    likeness(&was[inside.clone()], &is[inside])
                );
                let loudest = is[silent].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
                assert!(loudest < 100, "side {at} has {loudest} of the other one");
            }
        }
    }

    #[test]
    fn s86_a_file_cut_anywhere_plays_to_its_last_whole_page() {
        let whole = file(&sound(20_000), 4_000);
        let all = decoded(&whole);
        let mut last = 0;
        for cut in (400..whole.len()).step_by(97) {
            let back = decoded(&whole[..cut]);
            assert!(all.starts_with(&back) && back.len() >= last, "cut at {cut}");
            last = back.len();
        }
        assert!(last >= 2 * 4 * 4_000 - 200, "{last}");
        assert!(decode(&mut Cursor::new(b"RIFF and so on, no Ogg at all"), |_| ()).is_err());
    }

    #[test]
    fn another_implementation_plays_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.opus");
        let samples = sound(16_000);
        std::fs::write(&path, file(&samples, 4_000)).unwrap();
        let ffmpeg =
            std::process::Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&path).args(["-f", "s16le", "-ar", "48000", "-"]).output();
        let Ok(played) = ffmpeg else { return println!("SKIPPED: ffmpeg is not installed") };
        assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
        let back: Vec<i16> = played.stdout.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        assert_eq!(back.len(), 6 * samples.len(), "two seconds of two channels at 48 kHz");
        for (at, inside) in [(0, 400..7_600), (1, 8_400..15_600)] {
            let (was, is) = (side(&samples, at), side(&back, at));
            // At another rate libopus is a fraction of a millisecond off, by its own resampler.
            let shifted = |by: usize| is[6 * inside.start + by - 24..].iter().copied().step_by(6).take(inside.len()).collect::<Vec<i16>>();
            let best = (0..48).map(|by| likeness(&was[inside.clone()], &shifted(by))).fold(f64::MIN, f64::max);
            assert!(best > 0.95, "side {at} is where it was, to half a millisecond: {best}");
        }
    }
}

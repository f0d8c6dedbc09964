//! Pages of Ogg (RFC 3533) with one stream in a file: writing them, and finding the last whole one in what a crash left.

use std::io::{self, Read, Seek, SeekFrom};

/// What a page begins with.
pub(super) const CAPTURE: &[u8; 4] = b"OggS";
/// Bytes before the table of segments.
const HEAD: usize = 27;
const FLAGS: usize = 5;
const GRANULE: std::ops::Range<usize> = 6..14;
const SUM: std::ops::Range<usize> = 22..26;
const SEGMENTS: usize = 26;
const MOST_SEGMENTS: usize = 255;
const FULL_SEGMENT: usize = 255;
/// The longest page there can be.
pub(super) const LONGEST: usize = HEAD + MOST_SEGMENTS + MOST_SEGMENTS * FULL_SEGMENT;
/// The generator of the sum (RFC 3533 §6, field 7).
const POLYNOMIAL: u32 = 0x04C1_1DB7;
const CONTINUED: u8 = 1;
const BEGINNING: u8 = 2;
const END: u8 = 4;

/// Where a page stands in its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    First,
    Middle,
    Last,
}

const fn sums() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut at = 0;
    while at < 256 {
        let (mut sum, mut bit) = ((at as u32) << 24, 0);
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ POLYNOMIAL };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
}

static SUMS: [u32; 256] = sums();

fn sum(pieces: &[&[u8]]) -> u32 {
    let step = |sum: u32, byte: &u8| sum << 8 ^ SUMS[(sum >> 24) as usize ^ usize::from(*byte)];
    pieces.iter().flat_map(|piece| piece.iter()).fold(0, step)
}

/// The sum of a page: its own field counts as zero.
fn sum_of(page: &[u8]) -> u32 {
    sum(&[&page[..SUM.start], &[0; 4], &page[SUM.end..]])
}

/// The pages of one stream.
#[derive(Debug)]
pub(super) struct Pages {
    serial: u32,
    sequence: u32,
}

impl Pages {
    pub fn new(serial: u32) -> Pages {
        Pages { serial, sequence: 0 }
    }

    /// Adds a page of whole packets, each given by its length, one behind the other in `body`.
    ///
    /// # Errors
    /// When they do not fit into one page.
    pub fn write(&mut self, place: Place, granule: u64, (lengths, body): (&[usize], &[u8]), out: &mut Vec<u8>) -> io::Result<()> {
        let segments: usize = lengths.iter().map(|length| length / FULL_SEGMENT + 1).sum();
        let count = u8::try_from(segments).map_err(|_| io::Error::other("the packets of a page are too long for it"))?;
        let begins = out.len();
        out.extend_from_slice(CAPTURE);
        out.extend([0, [BEGINNING, 0, END][place as usize]]);
        out.extend(granule.to_le_bytes());
        out.extend(self.serial.to_le_bytes());
        out.extend(self.sequence.to_le_bytes());
        out.extend([0; 4]);
        out.push(count);
        for length in lengths {
            out.extend(std::iter::repeat_n(u8::MAX, length / FULL_SEGMENT));
            out.push((length % FULL_SEGMENT) as u8);
        }
        out.extend_from_slice(body);
        let sum = sum_of(&out[begins..]).to_le_bytes();
        out[begins..][SUM].copy_from_slice(&sum);
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }
}

/// A whole page.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Page {
    bytes: Vec<u8>,
}

impl Page {
    /// Reads the next one; `None` at the end of the stream, or where it is torn.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Page>> {
        let mut bytes = Vec::with_capacity(LONGEST);
        from.take(HEAD as u64).read_to_end(&mut bytes)?;
        if bytes.len() < HEAD || !bytes.starts_with(CAPTURE) {
            return Ok(None);
        }
        let segments = usize::from(bytes[SEGMENTS]);
        from.take(segments as u64).read_to_end(&mut bytes)?;
        let body: usize = bytes[HEAD..].iter().map(|length| usize::from(*length)).sum();
        from.take(body as u64).read_to_end(&mut bytes)?;
        Ok(Page::first_of(&bytes))
    }

    /// The page that these bytes begin with, when it is whole.
    fn first_of(bytes: &[u8]) -> Option<Page> {
        let segments = usize::from(*bytes.get(SEGMENTS).filter(|_| bytes.starts_with(CAPTURE))?);
        let body: usize = bytes.get(HEAD..HEAD + segments)?.iter().map(|length| usize::from(*length)).sum();
        let bytes = bytes.get(..HEAD + segments + body)?;
        let told = bytes[SUM].try_into().map(u32::from_le_bytes).ok()?;
        (told == sum_of(bytes)).then(|| Page { bytes: bytes.to_vec() })
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub fn granule(&self) -> u64 {
        self.bytes[GRANULE].try_into().map_or(0, u64::from_le_bytes)
    }

    pub fn is_last(&self) -> bool {
        self.bytes[FLAGS] & END != 0
    }

    /// Its packets; `None` when one of them goes on over its edge, which none of ours does.
    pub fn packets(&self) -> Option<Vec<&[u8]>> {
        let (table, mut body) = self.bytes[HEAD..].split_at(usize::from(self.bytes[SEGMENTS]));
        if self.bytes[FLAGS] & CONTINUED != 0 || table.last() == Some(&u8::MAX) {
            return None;
        }
        let (mut packets, mut length) = (Vec::new(), 0);
        for segment in table {
            length += usize::from(*segment);
            if *segment != u8::MAX {
                let (packet, rest) = body.split_at(length);
                packets.push(packet);
                (body, length) = (rest, 0);
            }
        }
        Some(packets)
    }

    /// The same as the end of its stream.
    pub fn made_last(mut self) -> Vec<u8> {
        self.bytes[FLAGS] |= END;
        let sum = sum_of(&self.bytes).to_le_bytes();
        self.bytes[SUM].copy_from_slice(&sum);
        self.bytes
    }
}

/// The last whole page of a file of `length` bytes, and where it begins. A page that no other follows ends the file, or what is behind
/// it is torn.
///
/// # Errors
/// What the disk says.
pub(super) fn last_page(from: &mut (impl Read + Seek), length: u64) -> io::Result<Option<(u64, Page)>> {
    // Two pages' worth: whatever is torn at the end is shorter than one.
    let tail = length.min(2 * LONGEST as u64);
    from.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    from.take(tail).read_to_end(&mut bytes)?;
    let found = (0..bytes.len().saturating_sub(HEAD)).rev().find_map(|at| Page::first_of(&bytes[at..]).map(|page| (at as u64, page)));
    Ok(found.map(|(at, page)| (length - tail + at, page)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn pages() -> Vec<u8> {
        let (mut pages, mut out) = (Pages::new(7), Vec::new());
        for (place, granule, lengths) in
            [(Place::First, 0, vec![19]), (Place::Middle, 960, vec![0, 254, 255, 600]), (Place::Last, 2_000, vec![3])]
        {
            let body: Vec<u8> = (0..lengths.iter().sum()).map(|at: usize| (at % 251) as u8).collect();
            pages.write(place, granule, (&lengths, &body), &mut out).unwrap();
        }
        out
    }

    #[test]
    fn packets_of_every_length_come_back_from_their_pages() {
        let bytes = pages();
        // RFC 3533 §6: capture, version, flags, granule, serial, sequence.
        assert_eq!(bytes[..6], *b"OggS\0\x02");
        assert_eq!(bytes[14..22], [7, 0, 0, 0, 0, 0, 0, 0]);
        let mut from = Cursor::new(&bytes);
        let read: Vec<Page> = std::iter::from_fn(|| Page::read(&mut from).unwrap()).collect();
        let lengths: Vec<Vec<usize>> =
            read.iter().map(|page| page.packets().unwrap().iter().map(|packet| packet.len()).collect()).collect();
        assert_eq!(lengths, [vec![19], vec![0, 254, 255, 600], vec![3]]);
        assert_eq!(read.iter().map(Page::granule).collect::<Vec<_>>(), [0, 960, 2_000]);
        assert!(read[2].is_last() && !read[1].is_last());
        let mut too_long = Vec::new();
        assert!(Pages::new(1).write(Place::Middle, 0, (&[255 * 255], &[0; 255 * 255]), &mut too_long).is_err() && too_long.is_empty());
    }

    #[test]
    fn the_sum_is_the_one_of_the_standard() {
        // CRC-32 with this generator, no reflection, begun at 0: the check value of "123456789" for CRC-32/MPEG-2 without its first xor.
        assert_eq!(sum(&[b"123456789"]), 0x89A1_897F);
    }

    #[test]
    fn the_last_whole_page_is_found_wherever_a_crash_cut() {
        let bytes = pages();
        let ends: Vec<usize> = {
            let mut from = Cursor::new(&bytes);
            std::iter::from_fn(|| Page::read(&mut from).unwrap().map(|_| from.position() as usize)).collect()
        };
        for cut in 0..=bytes.len() {
            let found = last_page(&mut Cursor::new(&bytes[..cut]), cut as u64).unwrap();
            let end = found.map(|(at, page)| (at + page.len()) as usize);
            assert_eq!(end, ends.iter().copied().rfind(|end| *end <= cut), "cut at {cut}");
        }
        let (_, last) = last_page(&mut Cursor::new(&bytes[..ends[1]]), ends[1] as u64).unwrap().unwrap();
        let mended = Page::first_of(&last.made_last()).unwrap();
        assert!(mended.is_last() && mended.granule() == 960);
    }
}

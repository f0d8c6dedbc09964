//! A walk through a ggml file before whisper.cpp sees it: a broken file makes that library end the process.

/// The ggml file's first four bytes.
const MAGIC: &[u8] = b"lmgg";
/// Numbers of the header: vocabulary, audio (4), text (4), mel bands, weight type.
const HEADER: usize = 11;
/// No header number of a real model is larger.
const LARGEST_NUMBER: u32 = 100_000;
/// Tensors have at most so many dimensions.
const MOST_DIMENSIONS: u32 = 4;
/// No tensor's name and no token is longer.
const LONGEST_NAME: u32 = 1_024;

/// Bytes of a block of weights by ggml's type numbers: type, weights a block, bytes a block.
const TYPES: [(u32, u64, u64); 13] = [
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
    (30, 1, 2),
];

/// Says what is wrong with a whisper model, if anything is.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(MAGIC) {
        return Err("no ggml model (it does not begin with 'lmgg')".into());
    }
    let mut walk = Walk { bytes, at: MAGIC.len() };
    let header: Vec<u32> = (0..HEADER).map(|_| walk.number(LARGEST_NUMBER, "the header")).collect::<Result<_, _>>()?;
    if header[..HEADER - 1].contains(&0) {
        return Err("the header holds a zero".into());
    }
    let bands = walk.number(LARGEST_NUMBER, "the mel filters")?;
    let bins = walk.number(LARGEST_NUMBER, "the mel filters")?;
    walk.skip(4 * u64::from(bands) * u64::from(bins), "the mel filters")?;
    for _ in 0..walk.number(LARGEST_NUMBER, "the vocabulary")? {
        let length = walk.number(LONGEST_NAME, "the vocabulary")?;
        walk.skip(length.into(), "the vocabulary")?;
    }
    while walk.at < bytes.len() {
        walk.tensor()?;
    }
    Ok(())
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn number(&mut self, limit: u32, place: &str) -> Result<u32, String> {
        let bytes = self.bytes.get(self.at..self.at + 4).and_then(|four| four.try_into().ok()).ok_or_else(|| cut_off(place))?;
        self.at += 4;
        let number = u32::from_le_bytes(bytes);
        if number > limit { Err(format!("{number} in {place} is beyond all models")) } else { Ok(number) }
    }

    fn skip(&mut self, bytes: u64, place: &str) -> Result<(), String> {
        let left = (self.bytes.len() - self.at) as u64;
        if bytes > left {
            return Err(cut_off(place));
        }
        self.at += bytes as usize;
        Ok(())
    }

    fn tensor(&mut self) -> Result<(), String> {
        let place = "the weights";
        let dimensions = self.number(MOST_DIMENSIONS, place)?;
        let name = self.number(LONGEST_NAME, place)?;
        let kind = self.number(LARGEST_NUMBER, place)?;
        let mut weights = 1u64;
        for _ in 0..dimensions {
            weights = weights.saturating_mul(self.number(u32::MAX, place)?.into());
        }
        self.skip(name.into(), place)?;
        let (_, block, bytes) =
            TYPES.iter().find(|known| known.0 == kind).ok_or_else(|| format!("weights of type {kind} are not known"))?;
        self.skip((weights / block).saturating_mul(*bytes), place)
    }
}

fn cut_off(place: &str) -> String {
    format!("the file is cut off within {place}")
}

//! English words as the model's pieces: the likeliest cut by the unigram model of `bpe.model` (SentencePiece).

use std::collections::HashMap;

use super::tokens::Tokens;

/// The mark of a word's beginning.
const START: char = '▁';
/// No piece is longer, in characters.
const LONGEST: usize = 16;

/// Pieces with their log probabilities.
#[derive(Debug)]
pub struct Pieces {
    scores: HashMap<String, f32>,
}

impl Pieces {
    /// Reads the protocol buffer: field 1 repeated, of piece (1) and score (2).
    pub fn parse(bytes: &[u8]) -> Option<Pieces> {
        let mut scores = HashMap::new();
        let mut fields = Fields { bytes };
        while let Some((number, value)) = fields.next() {
            let (1, Field::Bytes(piece)) = (number, value) else { continue };
            let (mut text, mut score) = (String::new(), 0.0);
            let mut inner = Fields { bytes: piece };
            while let Some((number, value)) = inner.next() {
                match (number, value) {
                    (1, Field::Bytes(bytes)) => text = String::from_utf8_lossy(bytes).into_owned(),
                    (2, Field::Float(float)) => score = float,
                    _ => {}
                }
            }
            scores.insert(text, score);
        }
        (!scores.is_empty()).then_some(Pieces { scores })
    }

    /// The pieces of a phrase; `None` when a letter is none of the model's.
    pub fn tokens(&self, phrase: &str, table: &Tokens) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        let words = phrase.replace('’', "'").to_uppercase();
        for word in words.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty()) {
            out.extend(self.word(word, table)?);
        }
        (!out.is_empty()).then_some(out)
    }

    fn word(&self, word: &str, table: &Tokens) -> Option<Vec<u32>> {
        let letters: Vec<char> = std::iter::once(START).chain(word.chars()).collect();
        // best[end]: the score of the likeliest cut up to there, and where its last piece begins.
        let mut best: Vec<Option<(f32, usize)>> = vec![None; letters.len() + 1];
        best[0] = Some((0.0, 0));
        for end in 1..=letters.len() {
            for begin in end.saturating_sub(LONGEST)..end {
                let Some((before, _)) = best[begin] else { continue };
                let piece: String = letters[begin..end].iter().collect();
                let Some(score) = self.scores.get(&piece).filter(|_| table.number(&piece).is_some()) else { continue };
                if best[end].is_none_or(|(known, _)| before + score > known) {
                    best[end] = Some((before + score, begin));
                }
            }
        }
        let mut out = Vec::new();
        let mut end = letters.len();
        while end > 0 {
            let (_, begin) = best[end]?;
            out.push(table.number(&letters[begin..end].iter().collect::<String>())?);
            end = begin;
        }
        out.reverse();
        Some(out)
    }
}

/// Pieces as words in lower case.
pub fn text<'a>(pieces: impl Iterator<Item = &'a str>) -> String {
    pieces.collect::<String>().replace(START, " ").trim().to_lowercase()
}

enum Field<'a> {
    Bytes(&'a [u8]),
    Float(f32),
    Other,
}

/// The fields of a protocol buffer, one after the other; ends at the first thing that is none.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn next(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => {
                self.varint()?;
                Field::Other
            }
            1 => {
                self.take(8)?;
                Field::Other
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_cut_is_taken() {
        let mut file = Vec::new();
        let pieces = ["▁", "A", "T", "▁AT", "▁A"];
        for (piece, score) in pieces.iter().zip([-1.0f32, -2.0, -2.0, -2.5, -1.5]) {
            let mut inner = vec![0x0A, piece.len() as u8];
            inner.extend(piece.as_bytes());
            inner.push(0x15);
            inner.extend(score.to_le_bytes());
            file.extend([0x0A, inner.len() as u8]);
            file.extend(inner);
        }
        let table = "<blk> 0\n<sos/eos> 1\n<unk> 2\n▁ 3\nA 4\nT 5\n▁AT 6\n▁A 7\n";
        let table = Tokens::parse(table).unwrap();
        let known = Pieces::parse(&file).unwrap();
        assert_eq!(known.tokens("at, Tat!", &table), Some(vec![6, 3, 5, 4, 5]));
        assert_eq!(known.tokens("x", &table), None);
        assert_eq!(text(["▁AT", "▁", "T"].into_iter()), "at t");
    }
}

//! How an English word sounds, roughly: what a recognizer mixes up gets one key ("card" and "cart", "was" and "ways").

/// The longest key; a recognizer that gets so many sounds right has got the word.
const LONGEST: usize = 8;

/// The consonants of a word by kind, vowels only at the start.
pub(super) fn key(word: &str) -> ([u8; LONGEST], usize) {
    let mut key = [0; LONGEST];
    let mut length = 0;
    let letters = word.as_bytes();
    let mut i = 0;
    while i < letters.len() && length < LONGEST {
        let (sound, step) = sound(letters, i);
        i += step;
        // A double letter sounds once, and so does the same sound spelled twice ("ck").
        let repeated = length > 0 && key[length - 1] == sound;
        if sound != 0 && !repeated && (sound != b'A' || length == 0) {
            key[length] = sound;
            length += 1;
        }
    }
    (key, length)
}

/// The sound at a place and how many letters it takes; 0 is silent.
fn sound(letters: &[u8], i: usize) -> (u8, usize) {
    let next = letters.get(i + 1).copied().unwrap_or(b' ');
    match (letters[i], next) {
        (b'g', b'h') if i > 0 => (0, 2),
        (b'p', b'h') => (b'F', 2),
        (b's', b'h') | (b'c', b'h') => (b'X', 2),
        (b't', b'h') => (b'T', 2),
        (b'k' | b'g', b'n') if i == 0 => (b'N', 2),
        (b'w', b'r') if i == 0 => (b'R', 2),
        (b'c', b'e' | b'i' | b'y') => (b'S', 1),
        (b'b' | b'p', _) => (b'P', 1),
        (b'd' | b't', _) => (b'T', 1),
        (b'g' | b'k' | b'c' | b'q', _) => (b'K', 1),
        (b'f' | b'v', _) => (b'F', 1),
        (b's' | b'z' | b'x', _) => (b'S', 1),
        (b'j', _) => (b'X', 1),
        (b'm', _) => (b'M', 1),
        (b'n', _) => (b'N', 1),
        (b'l', _) => (b'L', 1),
        (b'r', _) => (b'R', 1),
        (b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | b'w' | b'h', _) => (b'A', 1),
        _ => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_sound_alike_share_a_key() {
        for (a, b) in [("card", "cart"), ("was", "ways"), ("phone", "fone"), ("back", "bag"), ("night", "knit")] {
            assert_eq!(key(a), key(b), "{a} {b}");
        }
        assert_ne!(key("card"), key("cash"));
    }
}

//! The shipped pronouncing dictionary, looked up in place.

use std::path::Path;

/// CMU's dictionary as the Debian package has it: a word and its phones on each line, `word(2)` for further pronunciations.
#[derive(Debug)]
pub struct Dictionary {
    text: String,
    /// Where lines begin, in the order of their words.
    lines: Vec<u32>,
}

impl Dictionary {
    /// Reads the file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(path: &Path) -> std::io::Result<Dictionary> {
        Ok(Dictionary::new(std::fs::read_to_string(path)?))
    }

    fn new(text: String) -> Dictionary {
        let mut lines: Vec<u32> = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if !line.trim().is_empty() {
                lines.push(at);
            }
            at += line.len() as u32;
        }
        lines.sort_by(|a, b| head(&text, *a).cmp(head(&text, *b)));
        Dictionary { text, lines }
    }

    /// All pronunciations of a word as the dictionary names them: (`read`, `R EH D`), (`read(2)`, `R IY D`).
    #[must_use]
    pub fn pronunciations(&self, word: &str) -> Vec<(String, &str)> {
        let first = self.find(word).map(|phones| (word.to_owned(), phones));
        let more = (2..).map_while(|number| {
            let name = format!("{word}({number})");
            self.find(&name).map(|phones| (name, phones))
        });
        first.into_iter().chain(more).collect()
    }

    fn find(&self, word: &str) -> Option<&str> {
        let at = self.lines.binary_search_by(|line| head(&self.text, *line).cmp(word)).ok()?;
        let line = self.text[self.lines[at] as usize..].lines().next()?;
        Some(line[word.len()..].trim())
    }
}

fn head(text: &str, line: u32) -> &str {
    let rest = &text[line as usize..];
    let end = rest.find([' ', '\t', '\n']).unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_with_all_their_pronunciations() {
        let dictionary = Dictionary::new("read R EH D\nread(2) R IY D\na AH\na(2) EY\nzero Z IH R OW\n".into());
        let read: Vec<_> = dictionary.pronunciations("read");
        assert_eq!(read, [("read".to_owned(), "R EH D"), ("read(2)".to_owned(), "R IY D")]);
        assert_eq!(dictionary.pronunciations("zero").len(), 1);
        assert!(dictionary.pronunciations("zeros").is_empty());
    }
}

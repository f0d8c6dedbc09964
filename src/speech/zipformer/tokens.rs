//! The model's units: numbers and their texts.

use std::collections::HashMap;

/// The number of "nothing new in this frame".
pub const BLANK: u32 = 0;
/// The number of "something unknown".
pub const UNKNOWN: u32 = 2;

/// The table of a model.
#[derive(Debug)]
pub struct Tokens {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Tokens {
    /// Reads lines of `text number`; marks such as `#0` are left out.
    pub fn parse(table: &str) -> Result<Tokens, String> {
        let mut texts = Vec::new();
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let (text, number) = line.rsplit_once([' ', '\t']).ok_or_else(|| format!("'{line}' is no token"))?;
            if text.starts_with('#') && text.len() > 1 {
                continue;
            }
            if number.trim().parse() != Ok(texts.len()) {
                return Err(format!("token '{text}' has the number {number}, not {}", texts.len()));
            }
            texts.push(text.to_owned());
        }
        if texts.len() <= UNKNOWN as usize {
            return Err("no tokens".into());
        }
        let numbers = texts.iter().enumerate().map(|(number, text)| (text.clone(), number as u32)).collect();
        Ok(Tokens { texts, numbers })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.texts.len()
    }

    /// The text of a token.
    pub fn text(&self, token: u32) -> &str {
        self.texts.get(token as usize).map_or("", String::as_str)
    }

    /// The token of a text.
    pub fn number(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }
}

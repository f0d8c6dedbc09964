//! What is wrong with a file: where, what, and how to mend it.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, but not as well as it should; an error with `--strict`.
    Warning,
}

/// A finding with its place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Problem {
    /// Stable id: `D120`.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {kind} {}: {}", self.file, self.line, self.column, self.id, self.what)?;
        match &self.mend {
            Some(mend) => write!(f, "\n    mend: {mend}"),
            None => Ok(()),
        }
    }
}

/// Is any of them an error?
#[must_use]
pub fn has_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// The nearest of the known words, when it is near enough to be a slip of the fingers.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known.into_iter().map(|candidate| (distance(word, candidate), candidate)).filter(|(far, _)| *far <= limit).min().map(|(_, near)| near)
}

/// Edits between two words, a swap of neighbours counting as one (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let differs = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_find_their_word() {
        assert_eq!(nearest("gotto", ["goto", "say"]), Some("goto"));
        assert_eq!(nearest("lable", ["label", "key"]), Some("label"));
        assert_eq!(nearest("banana", ["label", "key"]), None);
    }
}

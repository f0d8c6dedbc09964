//! The canonical form of a file: keys in their order, lines where they are long, quotes around prose and where they are needed, comments where
//! they were.

mod remark;
mod scalar;
mod tree;
mod write;

use super::load::Source;
use super::problem::{Problem, Severity};
use super::read::knowledge::version;
use super::syntax;

/// A comment that has moved belongs to another part when it is read again, which may then be short enough for one line.
const MOST_ROUNDS: usize = 4;

/// The file in canonical form. What it says is the same: the hash of its content and all its comments are compared before it is given.
///
/// # Errors
/// What is wrong with a file that is no good YAML; D100 when the form cannot be found without changing the content.
pub fn canonical(file: &Source) -> Result<String, Vec<Problem>> {
    let shape = file.is().shape();
    let before = syntax::parse(&file.name, &file.text)?;
    let changed = |what: &str| {
        let what = format!("the file cannot be formatted: {what}");
        let mend = Some("format it by hand, and report the file".to_owned());
        vec![Problem { id: "D100", severity: Severity::Error, file: file.name.clone(), line: 1, column: 1, what, mend }]
    };
    let mut text = once(&file.text, shape).ok_or_else(|| changed("its parts are not where the parser says"))?;
    for _ in 0..MOST_ROUNDS {
        match once(&text, shape) {
            Some(again) if again != text => text = again,
            _ => break,
        }
    }
    let after = syntax::parse(&file.name, &text).map_err(|_| changed("the result would be no YAML"))?;
    if version(&before, shape) != version(&after, shape) {
        return Err(changed("the result would say something else"));
    }
    if remark::texts(&file.text) != remark::texts(&text) {
        return Err(changed("a comment would be lost"));
    }
    Ok(text)
}

/// A text as it stands in braces: in quotes where it needs them.
#[must_use]
pub fn quoted(text: &str) -> String {
    scalar::line(text, scalar::Around::Flow)
}

fn once(text: &str, shape: super::shape::Shape) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Some(write::document(&tree::parse(text)?, shape))
}

#[cfg(test)]
mod tests;

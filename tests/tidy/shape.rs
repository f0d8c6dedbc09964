//! Rules of shape: lengths, module docs, and the words that have no place in the code.

use crate::Break;
use crate::source::{Source, line_of};

/// STYLE.md, rule 2: the wish and the wall.
const FILE_WISH: usize = 500;
const FILE_WALL: usize = 800;
const FUNCTION_WISH: usize = 40;
const FUNCTION_WALL: usize = 70;
/// A test that is a table of an RFC is as long as the table.
const TEST_WALL: usize = 150;

/// Files and functions beyond the wall.
pub fn lengths(source: &Source) -> Vec<Break> {
    over(source, FILE_WALL, FUNCTION_WALL)
}

/// Files and functions beyond the wish, for the print.
pub fn longer_than_wished(source: &Source) -> Vec<Break> {
    over(source, FILE_WISH, FUNCTION_WISH)
}

fn over(source: &Source, file: usize, function: usize) -> Vec<Break> {
    let mut breaks = Vec::new();
    let lines = source.text.lines().count();
    if lines > file {
        breaks.push(Break::new(source, 1, format!("{lines} lines, at most {file}: cut it by what it knows")));
    }
    let of_test = |found: &Function| {
        source.path.starts_with("tests/") || source.product.lines().nth(found.line - 1).is_none_or(|line| !line.contains("fn "))
    };
    let limit = |found: &Function| if of_test(found) { TEST_WALL } else { function };
    for found in functions(&source.code).into_iter().filter(|found| found.lines > limit(found)) {
        let what = format!("fn {} has {} lines, at most {}: give its parts names", found.name, found.lines, limit(&found));
        breaks.push(Break::new(source, found.line, what));
    }
    breaks
}

/// The first line that is no attribute must be a `//!`.
pub fn module_doc(source: &Source) -> Vec<Break> {
    let first = source.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    match first {
        Some(line) if line.starts_with("//!") => Vec::new(),
        _ => vec![Break::new(source, 1, "no //! at the top: say what the module is for")],
    }
}

/// `unwrap` outside tests, and `expect` that says nothing.
pub fn no_unwrap(source: &Source) -> Vec<Break> {
    let mut breaks =
        find(source, &source.product, &[".unwrap()", ".unwrap_err()", ".unwrap_unchecked()"], "use ?, or expect(\"why it holds\")");
    breaks.extend(find(source, &with_strings(source), &[".expect(\"\")"], "say why it holds"));
    breaks
}

/// Marks of unfinished work and of debugging.
pub fn no_leftovers(source: &Source) -> Vec<Break> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut breaks = find(source, &source.text, &marks, "finish it or write it down outside the code");
    breaks.extend(find(source, &source.code, &["todo!(", "unimplemented!(", "dbg!("], "finish it"));
    breaks
}

/// Waiting is a deadline as data, or a message.
pub fn no_sleep(source: &Source) -> Vec<Break> {
    find(source, &source.code, &["sleep(", "park_timeout("], "wait for the event itself, or keep a deadline")
}

/// Unbounded queues and locks shared between threads.
pub fn no_unbounded(source: &Source) -> Vec<Break> {
    let mut breaks = find(
        source,
        &source.product,
        &["unbounded_channel", "unbounded()", "unbounded::<", "mpsc::channel()"],
        "give it a bound and an answer to full",
    );
    let locks =
        ["Arc<Mutex", "Arc<RwLock", "Arc<tokio::sync::Mutex", "Arc<std::sync::Mutex", "Arc<tokio::sync::RwLock", "Arc<std::sync::RwLock"];
    breaks.extend(find(source, &source.product, &locks, "one owner, and messages to him"));
    breaks.extend(find(source, &source.product, &["static mut "], "state is owned, not global"));
    breaks
}

fn with_strings(source: &Source) -> String {
    let tests_gone = source.product.bytes().zip(source.code.bytes()).zip(source.text.bytes());
    let bytes = tests_gone.map(|((product, code), text)| if product == code { text } else { b' ' }).collect::<Vec<u8>>();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn find(source: &Source, text: &str, words: &[&str], mend: &str) -> Vec<Break> {
    let mut breaks = Vec::new();
    for word in words {
        for (offset, _) in text.match_indices(word) {
            let before = text[..offset].bytes().next_back().unwrap_or(b' ');
            let inside = word.as_bytes()[0].is_ascii_alphanumeric() && (before.is_ascii_alphanumeric() || before == b'_');
            if !inside {
                breaks.push(Break::new(source, line_of(text, offset), format!("`{word}`: {mend}")));
            }
        }
    }
    breaks
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function with a body, its length counted from the opening brace to the closing one.
fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (offset, _) in code.match_indices("fn ") {
        let before = offset.checked_sub(1).map_or(b' ', |at| bytes[at]);
        let name: String = code[offset + 3..].chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        if name.is_empty() || before.is_ascii_alphanumeric() || before == b'_' {
            continue;
        }
        if let Some((open, close)) = body(bytes, offset) {
            let lines = line_of(code, close) - line_of(code, open) + 1;
            found.push(Function { name, line: line_of(code, offset), lines });
        }
    }
    found
}

fn body(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut nested = 0i32;
    let mut open = None;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match (byte, open) {
            (b'(' | b'[', None) => nested += 1,
            (b')' | b']', None) => nested -= 1,
            (b';', None) if nested == 0 => return None,
            (b'{', None) if nested == 0 => {
                open = Some(at);
                nested = 1;
            }
            (b'{', Some(_)) => nested += 1,
            (b'}', Some(start)) => {
                nested -= 1;
                if nested == 0 {
                    return Some((start, at));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("src/x.rs", text)
    }

    #[test]
    fn a_long_file_and_a_long_function_are_found() {
        assert_eq!(lengths(&source(&"//! x\n".repeat(FILE_WALL + 1))).len(), 1);
        let body = "    a();\n".repeat(FUNCTION_WALL);
        assert_eq!(lengths(&source(&format!("fn f(x: [u8; 3]) -> u8 {{\n{body}}}\nfn g();\nfn h() {{ if a {{ b }} }}"))).len(), 1);
        assert_eq!(lengths(&source(&"//! x\n".repeat(FILE_WALL))).len(), 0);
        assert_eq!(lengths(&source(&format!("#[cfg(test)]\nmod tests {{\nfn table() {{\n{body}}}\n}}"))).len(), 0);
    }

    #[test]
    fn a_module_without_a_doc_is_found() {
        assert_eq!(module_doc(&source("use x;\n//! late")).len(), 1);
        assert_eq!(module_doc(&source("#![allow(dead_code)]\n//! good")).len(), 0);
        assert_eq!(module_doc(&source("")).len(), 1);
    }

    #[test]
    fn unwrap_bites_outside_tests_only() {
        assert_eq!(no_unwrap(&source("fn f() { a.unwrap(); b.expect(\"\"); c.unwrap_or(1); }")).len(), 2);
        assert_eq!(no_unwrap(&source("#[cfg(test)]\nmod tests { fn f() { a.unwrap(); } }\n// .unwrap()")).len(), 0);
    }

    #[test]
    fn leftovers_bite_in_comments_too() {
        let text = format!("// {}: later\nfn f() {{ todo!() ; dbg!(x); }}", concat!("TO", "DO"));
        assert_eq!(no_leftovers(&source(&text)).len(), 3);
    }

    #[test]
    fn sleep_bites_in_tests_too() {
        let text = format!("#[cfg(test)]\nmod tests {{ fn f() {{ std::thread::{}(d); }} }}", concat!("sle", "ep"));
        assert_eq!(no_sleep(&source(&text)).len(), 1);
        assert_eq!(no_sleep(&source("let asleep = 1; fn oversleep() {}")).len(), 0);
    }

    #[test]
    fn unbounded_channels_and_shared_locks_bite() {
        assert_eq!(
            no_unbounded(&source("let (a, b) = mpsc::unbounded_channel(); let c: Arc<Mutex<u8>>; std::sync::mpsc::channel();")).len(),
            3
        );
        assert_eq!(no_unbounded(&source("let (a, b) = mpsc::channel(16); let c: Arc<Sound>;")).len(), 0);
    }
}

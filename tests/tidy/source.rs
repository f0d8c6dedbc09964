//! A source file made ready for the rules: comments and literals blanked, test modules blanked too, lines kept.

use std::fs;
use std::path::{Path, PathBuf};

const MARK: &str = "#[cfg(test)]";

/// One Rust file. All three texts have the same lines.
pub struct Source {
    /// From the crate's root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without comments, strings and characters.
    pub code: String,
    /// Without those and without what is under `#[cfg(test)]`.
    pub product: String,
}

impl Source {
    /// Makes the three texts.
    pub fn new(path: &str, text: &str) -> Source {
        let code = blank_literals(text);
        let test_file = path.ends_with("/tests.rs") || path.contains("/tests/");
        let product =
            if test_file { code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect() } else { blank_tests(&code) };
        Source { path: path.to_owned(), text: text.to_owned(), code, product }
    }

    /// The same for a file that is all tests.
    fn into_tests(mut self) -> Source {
        self.product = self.code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        self
    }

    /// Files of the modules that are declared under `#[cfg(test)]` here: `src/a/mod.rs` with `mod tests;` gives `src/a/tests`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let after_mark = self.code.split(MARK).skip(1);
        let declared = after_mark.filter_map(|rest| rest.trim_start().trim_start_matches("pub ").strip_prefix("mod ")?.split_once(';'));
        declared.map(|(name, _)| name.trim()).filter(|name| !name.contains('{')).map(|name| format!("{folder}/{name}")).collect()
    }

    /// The module path below the crate: `[media, rtp, packet]`; empty for lib.rs and main.rs.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        let mut parts: Vec<&str> = inner.split('/').collect();
        if matches!(parts.last(), Some(&"mod" | &"lib" | &"main")) {
            parts.pop();
        }
        parts
    }
}

/// The line (from 1) of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// All Rust files below the folders, sorted.
pub fn tree(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |file: &PathBuf| Source::new(&relative(root, file), &fs::read_to_string(file).expect("a source file is UTF-8"));
    let sources: Vec<Source> = files.iter().map(read).collect();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    let of_tests =
        |source: &Source| tests.iter().any(|test| source.path == format!("{test}.rs") || source.path.starts_with(&format!("{test}/")));
    sources.into_iter().map(|source| if of_tests(&source) { source.into_tests() } else { source }).collect()
}

/// The modules that stand directly below `src`, `lib` left out.
pub fn top_modules() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("src is there")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "lib")
        .collect();
    names.sort();
    names
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn blank(out: &mut [u8], from: usize, to: usize) {
    for byte in &mut out[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Blanks comments, string and character literals, byte for byte.
fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            blank(&mut out, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).expect("blanks are ASCII and whole literals are blanked")
}

/// Where the comment or literal that begins at `at` ends; `at` when none begins.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let before = if at > 0 { bytes[at - 1] } else { b' ' };
    let word_before = before.is_ascii_alphanumeric() || before == b'_';
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + find(rest, b"*/", 2).map_or(rest.len(), |found| found + 2),
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !word_before || before == b'b' => raw(rest).map_or(at, |length| at + length),
        [b'\'', b'\\', ..] => at + quoted(rest, b'\''),
        [b'\'', ..] => character(rest).map_or(at, |length| at + length),
        _ => at,
    }
}

fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len().saturating_sub(needle.len() - 1)).find(|at| &bytes[*at..*at + needle.len()] == needle)
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    Some(find(rest, &close, 2 + hashes).map_or(rest.len(), |found| found + close.len()))
}

/// A character literal such as `'x'` or `'我'`; a lifetime is none.
fn character(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[..rest.len().min(6)]).or_else(|error| std::str::from_utf8(&rest[..error.valid_up_to()])).ok()?;
    let mut chars = text.char_indices().skip(1);
    chars.next()?;
    let (at, close) = chars.next()?;
    (close == '\'').then_some(at + 1)
}

/// Blanks every item that `#[cfg(test)]` stands before.
fn blank_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find(MARK) {
        let start = from + found;
        let end = item_end(code.as_bytes(), start + MARK.len());
        blank(&mut out, start, end);
        from = end;
    }
    String::from_utf8(out).expect("only ASCII blanks were written over whole items")
}

/// The end of the item at `at`: its closing brace, or the semicolon when it has no body.
fn item_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in bytes[at..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + offset + 1;
                }
            }
            b';' if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    bytes.len()
}

#[test]
fn literals_and_comments_are_blanked_and_lines_stay() {
    let source = Source::new(
        "src/x.rs",
        "let a = \"unwrap() \\\" x\"; // sleep(\nlet b = r#\"async \"q\" \"#; /* later\n */ let c = 'x'; fn f<'a>() {}",
    );
    assert_eq!(source.code.lines().count(), 3);
    for word in ["unwrap", "sleep", "async", "later", "'x'"] {
        assert!(!source.code.contains(word), "{word} must be blanked in {}", source.code);
    }
    assert!(source.code.contains("fn f<'a>() {}"));
}

#[test]
fn files_declared_as_tests_are_no_product() {
    let source = Source::new("src/a/mod.rs", "#[cfg(test)]\nmod pair;\nmod real;\n#[cfg(test)]\nmod tests { }");
    assert_eq!(source.test_modules(), ["src/a/pair"]);
    assert_eq!(Source::new("src/b.rs", "#[cfg(test)]\npub mod tests;").test_modules(), ["src/b/tests"]);
    assert!(!Source::new("src/a/pair.rs", "fn f() { x.unwrap() }").into_tests().product.contains("unwrap"));
}

#[test]
fn a_wide_character_literal_does_not_open_a_string() {
    let source = Source::new("src/x.rs", "let a = '幺'; let b = '\"'; let c = '\\''; x.unwrap();");
    assert!(source.code.contains("x.unwrap();"), "{}", source.code);
}

#[test]
fn test_modules_are_no_product() {
    let source =
        Source::new("src/x.rs", "fn a() { b(); }\n#[cfg(test)]\nmod tests { fn c() { d(); } }\n#[cfg(test)]\nuse x::y;\nfn e() {}");
    assert!(source.product.contains("b();") && source.product.contains("fn e()"));
    assert!(!source.product.contains("d();") && !source.product.contains("use x"));
}

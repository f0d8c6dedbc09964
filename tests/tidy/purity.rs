//! Rule P1: the rules and the language part know no clock, thread, socket, file, lock or chance of their own.

use crate::Break;
use crate::source::{Source, line_of};

/// What may not be named, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("Instant", "time comes in as an argument (control::time::Time)"),
    ("SystemTime", "time comes in as an argument (control::time::Time)"),
    ("Timestamp::now", "time comes in as an argument (control::time::Time)"),
    ("Zoned::now", "time comes in as an argument (control::time::Time)"),
    ("std::thread", "threads live in run.rs and the edges"),
    ("thread_local", "state is owned, not global"),
    ("Mutex", "one thread owns this state"),
    ("RwLock", "one thread owns this state"),
    ("RefCell", "take &mut self"),
    ("AtomicU64", "one thread owns this state"),
    ("AtomicUsize", "one thread owns this state"),
    ("AtomicBool", "one thread owns this state"),
    ("async", "the rules never wait; a wish goes out, its answer is another input"),
    ("await", "the rules never wait; a wish goes out, its answer is another input"),
    ("tokio", "the rules never wait; a wish goes out, its answer is another input"),
    ("UdpSocket", "bytes come in and go out as data"),
    ("TcpStream", "bytes come in and go out as data"),
    ("TcpListener", "bytes come in and go out as data"),
    ("std::fs", "files are read by config; texts come in as arguments"),
    ("fs::read", "files are read by config; texts come in as arguments"),
    ("File::open", "files are read by config; texts come in as arguments"),
    ("std::env", "settings come in with the Directory"),
    ("getrandom", "chance comes in as an argument (control::random::Random)"),
    ("RandomState", "chance comes in as an argument (control::random::Random)"),
    ("static mut", "state is owned, not global"),
    ("println", "facts go out as Output::Journal; tracing for the trace"),
    ("eprintln", "facts go out as Output::Journal; tracing for the trace"),
];

/// Methods whose order is the hasher's.
const ORDERED_BY_CHANCE: &[&str] = &["iter", "iter_mut", "keys", "values", "values_mut", "drain", "into_iter", "into_keys", "into_values"];

/// All breaks of purity in the product part of a file.
pub fn check(source: &Source) -> Vec<Break> {
    let mut breaks = Vec::new();
    for (word, mend) in BANNED {
        for (offset, _) in source.product.match_indices(word) {
            if is_word(&source.product, offset, word.len()) {
                breaks.push(Break::new(source, line_of(&source.product, offset), format!("`{word}` in a pure module: {mend}")));
            }
        }
    }
    breaks.extend(hash_iteration(source));
    breaks
}

fn is_word(code: &str, offset: usize, length: usize) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = code.as_bytes();
    let before = offset.checked_sub(1).is_some_and(|at| part(bytes[at]));
    let after = bytes.get(offset + length).is_some_and(|byte| part(*byte));
    !before && !after
}

fn hash_iteration(source: &Source) -> Vec<Break> {
    let code = &source.product;
    let mut breaks = Vec::new();
    for name in hash_names(code) {
        for (offset, _) in code.match_indices(&name).filter(|(offset, _)| is_word(code, *offset, name.len())) {
            let loops = looped_over(&code[..offset]) && ends_loop_head(&code[offset + name.len()..]);
            let rest = &code[offset + name.len()..];
            if loops || iterated(rest) && !sorted_at_once(rest) {
                let what = format!("the order of `{name}` is the hasher's: take a BTreeMap, or look up only");
                breaks.push(Break::new(source, line_of(code, offset), what));
            }
        }
    }
    breaks
}

/// Names declared as `name: HashMap<…>` or `let name = HashMap::…`, sets too.
fn hash_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["HashMap", "HashSet", "FxHashMap", "FxHashSet"] {
        for (offset, _) in code.match_indices(kind) {
            let line = code[..offset].rsplit('\n').next().unwrap_or("");
            let head = line.trim_end().trim_end_matches("mut").trim_end_matches(['&', ' ']);
            if let Some(head) = head.strip_suffix(':').filter(|head| !head.ends_with(':')).or_else(|| head.strip_suffix('=')) {
                let head = head.split(':').next().unwrap_or(head).trim_end();
                let name: String = head.chars().rev().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                names.push(name.chars().rev().collect::<String>());
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn iterated(rest: &str) -> bool {
    let Some(call) = rest.trim_start().strip_prefix('.') else { return false };
    ORDERED_BY_CHANCE.iter().any(|method| call.trim_start().strip_prefix(method).is_some_and(|after| after.starts_with('(')))
}

/// What was walked is put in order before anybody sees it.
fn sorted_at_once(rest: &str) -> bool {
    const LINES: usize = 4;
    rest.lines().take(LINES).any(|line| line.contains(".sort"))
}

/// `for (k, v) in &self.` and the like stands before the name.
fn looped_over(before: &str) -> bool {
    let head = before.trim_end_matches("self.").trim_end_matches(['&', ' ']).trim_end_matches("&mut").trim_end();
    head.ends_with(" in")
}

fn ends_loop_head(rest: &str) -> bool {
    rest.trim_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> usize {
        check(&Source::new("src/control/x.rs", text)).len()
    }

    #[test]
    fn each_banned_word_bites() {
        for (word, _) in BANNED {
            assert_eq!(
                check(&Source::new("src/nlu/x.rs", &format!("let a = {word};")))
                    .iter()
                    .filter(|b| b.what.contains(&format!("`{word}`")))
                    .count(),
                1
            );
        }
    }

    #[test]
    fn words_inside_words_comments_strings_and_tests_pass() {
        assert_eq!(broken("// Instant\nlet a = \"Mutex\"; let threads = spread(asynchronous); let r: Instantiated;"), 0);
        assert_eq!(broken("#[cfg(test)]\nmod tests { use std::thread; }"), 0);
    }

    #[test]
    fn iterating_a_hash_map_is_found_and_looking_up_is_not() {
        assert_eq!(broken("struct A { legs: HashMap<u8, u8> }\nfn f(a: &A) { for x in &a.legs { } a.legs.iter(); }"), 1);
        assert_eq!(broken("struct A { legs: FxHashMap<u8, u8> }\nfn f(a: &A) { for x in &a.legs { } a.legs.iter(); }"), 1);
        assert_eq!(broken("struct A { legs: HashMap<u8, u8> }\nfn f(&self) { for x in &self.legs { } }"), 1);
        assert_eq!(broken("fn f() { let mut seen = HashSet::new(); for x in seen { } }"), 1);
        assert_eq!(broken("fn f(seen: &mut HashMap<u8, u8>) { seen\n    .values_mut() }"), 1);
        assert_eq!(broken("fn f(seen: &HashMap<u8, u8>) { let mut all: Vec<u8> = seen.keys().collect();\nall.sort_unstable(); }"), 0);
        assert_eq!(broken("fn f(seen: &HashMap<u8, u8>) { seen.get(&1); seen.len(); let by = BTreeMap::new(); by.iter(); }"), 0);
    }
}

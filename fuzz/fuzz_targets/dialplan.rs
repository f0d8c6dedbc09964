//! Arbitrary bytes as a plan: read or refused with places and mends, formatted once and for all, compared with itself.
#![no_main]

use std::collections::BTreeMap;

use hotline_fuzz::control::dialplan::{Source, diff, format, load, syntax};
use libfuzzer_sys::fuzz_target;

/// Larger ones are as slow as they are long.
const MOST: usize = 16_384;

fuzz_target!(|input: &[u8]| {
    if input.len() > MOST {
        return;
    }
    for name in ["plan.yaml", "desk.yaml", "knowledge/help.yaml"] {
        let Ok(source) = Source::from_bytes(name, input.to_vec()) else { return };
        let loaded = load(std::slice::from_ref(&source), &BTreeMap::new());
        for problem in &loaded.problems {
            assert!(problem.line > 0 && problem.column > 0, "{problem}");
        }
        let Ok(yaml) = syntax::parse(name, &source.text) else { continue };
        assert!(diff::compare(&yaml, &yaml, source.is().shape()).is_empty());
        if let Ok(text) = format::canonical(&source) {
            let again = Source { name: name.to_owned(), text: text.clone() };
            assert_eq!(format::canonical(&again).expect("formatted text can be formatted"), text);
        }
    }
});

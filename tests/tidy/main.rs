//! The house rules as a test: what STYLE.md and ARCHITECTURE.md promise is checked here, and every check has a
//! test of its own that shows it bites. A rule that cannot be checked by reading the text is left to review.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod imports;
mod purity;
mod shape;
mod source;

use source::Source;

/// A broken rule at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Break {
    /// `src/media/room.rs:12`.
    at: String,
    /// What is wrong and the mend.
    what: String,
}

impl Break {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Break {
        Break { at: format!("{}:{line}", source.path), what: what.into() }
    }
}

fn insist(rule: &str, breaks: Vec<Break>) {
    let list: Vec<String> = breaks.iter().map(|found| format!("  {}: {}", found.at, found.what)).collect();
    assert!(breaks.is_empty(), "{rule}: {} place(s)\n{}", list.len(), list.join("\n"));
}

fn everywhere(rule: fn(&Source) -> Vec<Break>) -> Vec<Break> {
    source::tree(&["src", "tests", "benches", "examples"]).iter().flat_map(rule).collect()
}

fn in_the_product(rule: fn(&Source) -> Vec<Break>) -> Vec<Break> {
    source::tree(&["src"]).iter().flat_map(rule).collect()
}

#[test]
fn p2_imports_point_inward_by_the_table_of_architecture_md() {
    let table = imports::Table::of_the_house();
    let breaks = source::tree(&["src"]).iter().flat_map(|source| table.check(source)).collect();
    insist("imports point inward", breaks);
    insist("the table names every module once", table.check_itself(&source::top_modules()));
}

#[test]
fn p1_the_rules_and_the_language_are_pure() {
    let inner = source::tree(&["src/control", "src/nlu"]);
    insist("control and nlu are pure", inner.iter().flat_map(purity::check).collect());
}

#[test]
fn files_and_functions_are_short() {
    insist("lengths", everywhere(shape::lengths));
    let long = everywhere(shape::longer_than_wished);
    for found in &long {
        println!("longer than wished: {}: {}", found.at, found.what);
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    insist("module docs", everywhere(shape::module_doc));
}

#[test]
fn nothing_may_panic_by_unwrap() {
    insist("no unwrap", in_the_product(shape::no_unwrap));
}

#[test]
fn nothing_is_left_to_do_and_nothing_debugs() {
    insist("no leftovers", everywhere(shape::no_leftovers));
}

#[test]
fn nothing_sleeps() {
    insist("no sleep", everywhere(shape::no_sleep));
}

#[test]
fn p5_nothing_is_unbounded_and_no_lock_is_shared() {
    insist("no unbounded channel, no shared lock", in_the_product(shape::no_unbounded));
}

#[test]
fn every_dependency_has_its_reason_in_architecture_md() {
    insist("dependencies", imports::dependencies_without_a_reason(include_str!("../../Cargo.toml"), include_str!("../../ARCHITECTURE.md")));
}

#[test]
fn the_fuzz_targets_have_what_the_rules_need() {
    let pure = source::tree(&["src/control", "src/nlu"]);
    let code: String = pure.iter().map(|source| source.product.as_str()).collect();
    insist(
        "fuzz targets",
        imports::unknown_to_the_fuzz_targets(include_str!("../../Cargo.toml"), include_str!("../../fuzz/Cargo.toml"), &code),
    );
}

//! Rule P2: who may import whom, read from the table in ARCHITECTURE.md, so that the map cannot lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Break;
use crate::source::{Source, line_of};

const HEADING: &str = "## Who may import whom";

/// Allowed imports by module.
pub struct Table(BTreeMap<String, Vec<String>>);

impl Table {
    /// The table of the house.
    pub fn of_the_house() -> Table {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
        Table::read(&fs::read_to_string(path).expect("ARCHITECTURE.md stands in the root"))
    }

    /// Rows of the form ``| `media` | `control` `telemetry` | why |`` below the heading, up to the next heading.
    pub fn read(text: &str) -> Table {
        let section = text.split_once(HEADING).map_or("", |(_, rest)| rest);
        let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
        let rows = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|');
            let name = ticked(cells.next()?).into_iter().next()?;
            Some((name, ticked(cells.next().unwrap_or(""))))
        });
        Table(rows.collect())
    }

    /// Every module of the crate that `source` names and may not.
    pub fn check(&self, source: &Source) -> Vec<Break> {
        let module = source.module();
        let Some(own) = module.first() else { return Vec::new() };
        let Some(allowed) = self.0.get(*own) else { return Vec::new() };
        let mut breaks = Vec::new();
        for (offset, name) in named_modules(&source.product, &module) {
            let known = self.0.contains_key(&name);
            if known && name != *own && !allowed.contains(&name) {
                let what = format!("{own} imports {name}; the table of ARCHITECTURE.md allows only [{}]", allowed.join(" "));
                breaks.push(Break::new(source, line_of(&source.product, offset), what));
            }
        }
        breaks
    }

    /// The table must name all modules, and its arrows must not close a ring.
    pub fn check_itself(&self, modules: &[String]) -> Vec<Break> {
        let at = || "ARCHITECTURE.md".to_owned();
        let missing = modules.iter().filter(|name| !self.0.contains_key(*name));
        let mut breaks: Vec<Break> =
            missing.map(|name| Break { at: at(), what: format!("module {name} has no row in the table") }).collect();
        for name in self.0.keys() {
            if self.reaches(name, name, self.0.len()) {
                breaks.push(Break { at: at(), what: format!("{name} imports itself over a ring of the table") });
            }
        }
        breaks
    }

    fn reaches(&self, from: &str, goal: &str, steps: usize) -> bool {
        let next = self.0.get(from).map(Vec::as_slice).unwrap_or_default();
        steps > 0 && next.iter().any(|name| name == goal || self.reaches(name, goal, steps - 1))
    }
}

/// Names of Cargo.toml's dependency tables that have no row ``| `name` | why |`` in the map.
pub fn dependencies_without_a_reason(cargo: &str, map: &str) -> Vec<Break> {
    let without = dependencies(cargo).filter(|(_, name)| !map.contains(&format!("| `{name}` | ")));
    without
        .map(|(line, name)| Break {
            at: format!("Cargo.toml:{line}"),
            what: format!("{name} has no line that says why it and not another"),
        })
        .collect()
}

/// Dependencies that the code names and the manifest of the fuzz targets, which take that code by path, does not.
pub fn unknown_to_the_fuzz_targets(cargo: &str, fuzz: &str, code: &str) -> Vec<Break> {
    let known: Vec<&str> = dependencies(fuzz).map(|(_, name)| name).collect();
    let named = |name: &str| code.match_indices(&format!("{}::", name.replace('-', "_"))).any(|(at, _)| starts_a_path(code, at));
    let missing = dependencies(cargo).filter(|(_, name)| !known.contains(name) && named(name));
    missing
        .map(|(_, name)| Break { at: "fuzz/Cargo.toml".to_owned(), what: format!("the fuzz targets do not build without {name}") })
        .collect()
}

/// Lines and names of a manifest's dependency tables.
fn dependencies(cargo: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut of_dependencies = false;
    cargo.lines().zip(1..).filter_map(move |(line, number)| {
        if line.starts_with('[') {
            of_dependencies = line.ends_with("dependencies]");
            return None;
        }
        let (name, _) = line.split_once('=')?;
        of_dependencies.then_some((number, name.trim()))
    })
}

/// Does a path begin here, and no longer name or path go on?
fn starts_a_path(code: &str, at: usize) -> bool {
    let before = code[..at].bytes().next_back().unwrap_or(b' ');
    !before.is_ascii_alphanumeric() && before != b'_' && before != b':'
}

fn ticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Top modules that the code names by `crate::…`, `hotline::…` or by climbing with `super::`.
fn named_modules(code: &str, module: &[&str]) -> Vec<(usize, String)> {
    let climb = format!("{}::", vec!["super"; module.len()].join("::"));
    let mut found = Vec::new();
    for prefix in ["crate::", "hotline::", climb.as_str()] {
        for (offset, _) in code.match_indices(prefix) {
            if starts_a_path(code, offset) {
                found.extend(first_names(&code[offset + prefix.len()..]).into_iter().map(|name| (offset, name)));
            }
        }
    }
    found
}

/// `media::Room` gives media; `{media::Room, control}` gives media and control.
fn first_names(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>();
    if !rest.starts_with('{') {
        return vec![word(rest)];
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for (offset, letter) in rest.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(letter, '{' | ',') {
            names.push(word(&rest[offset + 1..]));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "x\n## Who may import whom\n| module | may import |\n|---|---|\n| `api` | `store` `control` | |\n| `store` | `control` | |\n| `media` | `control` | |\n| `control` | | |\n## Next\n| `no` | `api` |\n";

    fn broken(path: &str, text: &str) -> usize {
        Table::read(MAP).check(&Source::new(path, text)).len()
    }

    #[test]
    fn an_edge_that_imports_an_edge_is_found_in_every_spelling() {
        assert_eq!(broken("src/media/room.rs", "use crate::api::Router;"), 1);
        assert_eq!(broken("src/media/room.rs", "use crate::{control::time::Time, store::{a, b}};"), 1);
        assert_eq!(broken("src/media/room.rs", "fn f() { crate::store::open(); }"), 1);
        assert_eq!(broken("src/media/rtp/packet.rs", "use super::super::super::api::Router;"), 1);
        assert_eq!(broken("src/control/switch.rs", "use crate::media::Room;"), 1);
    }

    #[test]
    fn what_the_table_allows_and_what_is_text_passes() {
        assert_eq!(broken("src/api/calls.rs", "use crate::store::Store; use super::Router; use crate::control::words;"), 0);
        assert_eq!(broken("src/media/room.rs", "// crate::api\nlet a = \"crate::api\"; #[cfg(test)] mod tests { use crate::api; }"), 0);
        assert_eq!(broken("src/media/rtp/packet.rs", "use super::super::room;"), 0);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let cargo = "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\nrand = \"1\"\n[profile.dev]\nopt = 1\n";
        let breaks = dependencies_without_a_reason(cargo, "| `serde` | shapes |");
        assert_eq!(breaks.iter().map(|found| found.at.as_str()).collect::<Vec<_>>(), ["Cargo.toml:5"]);
    }

    #[test]
    fn a_dependency_that_the_fuzz_targets_lack_is_found() {
        let cargo = "[dependencies]\nserde-x = \"1\"\nrand = \"1\"\naxum = \"1\"\n";
        let breaks =
            unknown_to_the_fuzz_targets(cargo, "[dependencies]\nrand = \"1\"\n", "use rand::bits; serde_x::of(1); my::axum::call()");
        assert_eq!(breaks.iter().map(|found| found.what.as_str()).collect::<Vec<_>>(), ["the fuzz targets do not build without serde-x"]);
    }

    #[test]
    fn a_ring_and_a_module_without_a_row_are_found() {
        let ring = Table::read("## Who may import whom\n| `a` | `b` | |\n| `b` | `a` | |\n");
        assert_eq!(ring.check_itself(&["a".into(), "b".into(), "c".into()]).len(), 3);
        assert!(Table::read(MAP).check_itself(&["api".into()]).is_empty());
    }
}

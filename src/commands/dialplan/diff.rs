//! `hotline dialplan diff`: two files or folders compared by what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{read, yaml_files};
use crate::control::dialplan::diff::{Became, Change, compare};
use crate::control::dialplan::read::table;
use crate::control::dialplan::syntax::{self, Kind, Yaml};
use crate::control::dialplan::{FileKind, Source};

/// What is compared.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The old file or folder
    before: PathBuf,
    /// The new one
    after: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A file that can be compared.
struct Side {
    source: Source,
    yaml: Yaml,
}

/// A difference with the files it is between.
#[derive(serde::Serialize)]
struct Found<'f> {
    file: &'f str,
    #[serde(flatten)]
    change: &'f Change,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, or is no YAML.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (before, after) = (side(&args.before)?, side(&args.after)?);
    let lone = before.len() == 1 && after.len() == 1 && args.before.is_file() && args.after.is_file();
    let mut found: Vec<(String, Change)> = Vec::new();
    for (name, old) in &before {
        let new = if lone { after.values().next() } else { after.get(name) };
        match new {
            Some(new) if old.source.is() != new.source.is() => {
                bail!("{} is {}, {} is {}", old.source.name, kind(old), new.source.name, kind(new))
            }
            Some(new) => {
                let changes = compare(&old.yaml, &new.yaml, new.source.is().shape());
                found.extend(changes.into_iter().map(|change| {
                    let file = if change.became == Became::Removed { &old.source.name } else { &new.source.name };
                    (file.clone(), change)
                }));
            }
            None => found.push((old.source.name.clone(), whole(Became::Removed, old))),
        }
    }
    if !lone {
        let come = after.iter().filter(|(name, _)| !before.contains_key(*name));
        found.extend(come.map(|(_, new)| (new.source.name.clone(), whole(Became::Added, new))));
    }
    print(&found, args)?;
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files of one side, by what they are about: a plan's id, a knowledge base, a file's name.
fn side(path: &Path) -> anyhow::Result<BTreeMap<String, Side>> {
    let paths = if path.is_dir() { yaml_files(path)? } else { vec![path.to_path_buf()] };
    let (sources, mut problems) = read(&paths)?;
    let mut sides = BTreeMap::new();
    for source in sources {
        let parsed = match source.is() {
            FileKind::Table => table::as_written(&source.name, &source.text),
            _ => syntax::parse(&source.name, &source.text),
        };
        match parsed {
            Ok(yaml) => drop(sides.insert(about(path, &source, &yaml), Side { source, yaml })),
            Err(found) => problems.extend(found),
        }
    }
    if let Some(problem) = problems.first() {
        problems.iter().skip(1).for_each(|problem| eprintln!("{problem}"));
        bail!("{problem}");
    }
    Ok(sides)
}

fn about(folder: &Path, source: &Source, yaml: &Yaml) -> String {
    let named = |key: &str| yaml.get(key).and_then(Yaml::scalar).map(|id| format!("{key} {id}"));
    let file = Path::new(&source.name).strip_prefix(folder).unwrap_or(Path::new(&source.name)).display().to_string();
    match source.is() {
        FileKind::Plan => named("id").unwrap_or(file),
        FileKind::Knowledge | FileKind::Table | FileKind::Desk | FileKind::Actions | FileKind::Tests => file,
    }
}

fn kind(side: &Side) -> &'static str {
    match side.source.is() {
        FileKind::Plan => "a plan",
        FileKind::Desk => "a desk",
        FileKind::Knowledge => "a knowledge base",
        FileKind::Table => "a table",
        FileKind::Actions => "rules for agents",
        FileKind::Tests => "a test file",
    }
}

fn whole(became: Became, side: &Side) -> Change {
    let size = match &side.yaml.kind {
        Kind::Map(pairs) => pairs.len(),
        _ => 0,
    };
    let text = Some(format!("{} with {size} sections", kind(side)));
    let (before, after) = if became == Became::Added { (None, text) } else { (text, None) };
    Change { became, what: "file", path: side.source.name.clone(), before, after, line: 1 }
}

fn print(found: &[(String, Change)], args: &Args) -> anyhow::Result<()> {
    for (file, change) in found {
        if args.json {
            println!("{}", serde_json::to_string(&Found { file, change }).context("a difference cannot be printed")?);
        } else {
            println!("{file}:{}: {}", change.line, sentence(change));
        }
    }
    if !args.json {
        match found.len() {
            0 => println!("nothing differs but, at most, the form"),
            count => println!("{count} difference(s)"),
        }
    }
    Ok(())
}

fn sentence(change: &Change) -> String {
    let (what, path) = (change.what, &change.path);
    let side = |text: &Option<String>| text.clone().unwrap_or_default();
    let (before, after) = (side(&change.before), side(&change.after));
    match change.became {
        Became::Added => format!("+ {what} {path}: {after}"),
        Became::Removed => format!("- {what} {path}: {before}"),
        Became::Changed => format!("~ {what} {path}: {before} → {after}"),
        Became::Renamed => format!("= {what} {before} is now {after}"),
        Became::Moved => format!("~ {what}s of {path} in another order: {before} → {after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_compared_and_the_exit_says_whether_they_differ() {
        let home = tempfile::tempdir().unwrap();
        let (a, b) = (home.path().join("a"), home.path().join("b"));
        let plan = "dialplan: 1\nid: x\nlanguages: [en-US]\nstart: a\nnodes:\n  a: [{hangup: Bye.}]\n";
        for folder in [&a, &b] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("desk.yaml"), "queues:\n  desk: {ring: 20s}\n").unwrap();
        }
        std::fs::write(a.join("x.yaml"), plan).unwrap();
        std::fs::write(b.join("other-name.yaml"), plan.replace("[{hangup: Bye.}]", "\n    - hangup: 'Bye.'")).unwrap();
        let args = |before: &Path, after: &Path| Args { before: before.to_owned(), after: after.to_owned(), json: true };
        assert_eq!(run(&args(&a, &b)).unwrap(), ExitCode::SUCCESS);
        std::fs::write(b.join("desk.yaml"), "queues:\n  desk: {ring: 30s}\n").unwrap();
        assert_eq!(run(&args(&a, &b)).unwrap(), ExitCode::FAILURE);
        assert_eq!(run(&args(&a.join("x.yaml"), &b.join("other-name.yaml"))).unwrap(), ExitCode::SUCCESS);
        std::fs::write(b.join("new.yaml"), "a: [").unwrap();
        assert!(run(&args(&a, &b)).is_err(), "a broken file is refused");
    }
}

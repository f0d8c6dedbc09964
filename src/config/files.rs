//! Where the configuration's texts come from: the home folder, or the example center that is built into the program.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::control::dialplan::load::Source;

use super::problem::Problem;

/// The folder of the TOML files below home.
pub const CONFIG_FOLDER: &str = "sip-config";
const LARGEST_FILE: u64 = 1 << 20;
const MOST_FILES: usize = 10_000;

#[derive(rust_embed::Embed)]
#[folder = "dialplans/"]
#[include = "*.yaml"]
#[include = "knowledge/*.yaml"]
#[include = "knowledge/*.csv"]
#[exclude = "*.test.yaml"]
struct ExamplePlans;

/// The three TOML files of `sip-config/`, read.
#[derive(Clone, PartialEq, Debug)]
pub struct TomlTexts {
    /// The server.
    pub hotline: Source,
    /// Agents.
    pub phones: Source,
    /// Ways to the outside.
    pub trunks: Source,
    /// From where.
    pub origin: Origin,
}

/// Where texts are from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The operator's folder.
    Folder,
    /// The example center in the program.
    BuiltIn,
}

/// Reads `sip-config/`; the built-in example when the folder is not there. A file that is missing in the folder is empty.
pub fn toml_texts(home: &Path, out: &mut Vec<Problem>) -> TomlTexts {
    let folder = home.join(CONFIG_FOLDER);
    let built_in = |name: &str, text: &str| Source { name: format!("(built-in) {CONFIG_FOLDER}/{name}"), text: text.to_owned() };
    if !folder.is_dir() {
        return TomlTexts {
            hotline: built_in("hotline.toml", include_str!("../../sip-config/hotline.toml")),
            phones: built_in("phones.toml", include_str!("../../sip-config/phones.toml")),
            trunks: built_in("trunks.toml", include_str!("../../sip-config/trunks.toml")),
            origin: Origin::BuiltIn,
        };
    }
    let mut file = |name: &str| {
        let path = folder.join(name);
        let text = if path.exists() { text(&path, out) } else { None };
        Source { name: path.display().to_string(), text: text.unwrap_or_default() }
    };
    TomlTexts { hotline: file("hotline.toml"), phones: file("phones.toml"), trunks: file("trunks.toml"), origin: Origin::Folder }
}

/// Reads all plans, the desk and articles below `folder`; the built-in ones when the folder is not there.
pub fn plan_texts(folder: &Path, out: &mut Vec<Problem>) -> (Vec<Source>, Origin) {
    if !folder.is_dir() {
        let name = |file: &str| format!("(built-in) dialplans/{file}");
        let texts = ExamplePlans::iter().filter_map(|file| Some((name(&file), ExamplePlans::get(&file)?.data)));
        let texts = texts.map(|(name, data)| Source { name, text: String::from_utf8_lossy(&data).into_owned() });
        return (texts.collect(), Origin::BuiltIn);
    }
    let files = yaml_files(folder);
    (files.iter().filter_map(|path| Some(Source { name: path.display().to_string(), text: text(path, out)? })).collect(), Origin::Folder)
}

/// The example center's plans, desk and articles, by their names below the plans' folder.
pub fn examples() -> impl Iterator<Item = (String, String)> {
    ExamplePlans::iter().filter_map(|name| {
        let text = String::from_utf8_lossy(&ExamplePlans::get(&name)?.data).into_owned();
        Some((name.into_owned(), text))
    })
}

/// Writes the example plans to a folder, with desks that never close: a demo or a test has no hour of its own.
///
/// # Errors
/// What the disk says.
pub fn write_open_center(folder: &Path) -> io::Result<()> {
    for name in ExamplePlans::iter() {
        let Some(file) = ExamplePlans::get(&name) else { continue };
        let path = folder.join(&*name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, open_always(&String::from_utf8_lossy(&file.data)))?;
    }
    Ok(())
}

/// The calendars of a desk file without closing times.
fn open_always(text: &str) -> String {
    let open = |line: &str| match line.trim_start() {
        rest if rest.starts_with("open: {") => Some(format!("{}open: {{daily: \"00:00-24:00\"}}\n", &line[..line.len() - rest.len()])),
        rest if rest.starts_with("closed: [") => None,
        _ => Some(format!("{line}\n")),
    };
    text.lines().filter_map(open).collect()
}

fn text(path: &Path, out: &mut Vec<Problem>) -> Option<String> {
    let name = path.display().to_string();
    match fs::metadata(path) {
        Ok(facts) if facts.len() > LARGEST_FILE => {
            out.push(Problem::of_file(&name, format!("has {} bytes", facts.len()), format!("at most {LARGEST_FILE} are read: cut it")));
            return None;
        }
        _ => {}
    }
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Some(text),
        Ok(Err(error)) => {
            out.push(Problem::of_file(&name, format!("is no UTF-8 from byte {} on", error.utf8_error().valid_up_to()), "save it as UTF-8"));
            None
        }
        Err(error) => {
            out.push(Problem::of_file(&name, format!("cannot be read: {error}"), "give the server the right to read it"));
            None
        }
    }
}

/// The YAML files of a folder and its `knowledge` folder, the tables there too, tests left out, sorted.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = [Cow::Borrowed(folder), Cow::Owned(folder.join("knowledge"))]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path()))
        .filter(|path| is_plan(&path.to_string_lossy()) || Source::is_table_name(&path.to_string_lossy()))
        .collect();
    files.sort();
    files
}

fn is_plan(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.ends_with(".test.yaml") && !name.ends_with(".test.yml")
}

/// Names, times and sizes of all files the configuration is made of: when this changes, it is read again.
#[must_use]
pub fn fingerprint(home: &Path, dialplans: &Path) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let config = ["hotline.toml", "phones.toml", "trunks.toml"].map(|name| home.join(CONFIG_FOLDER).join(name));
    let files = config.into_iter().chain(yaml_files(dialplans));
    files.filter_map(|path| fs::metadata(&path).ok().map(|facts| (path, facts.modified().ok(), facts.len()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_home_gives_the_built_in_center() {
        let home = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        let texts = toml_texts(home.path(), &mut out);
        assert_eq!(texts.origin, Origin::BuiltIn);
        assert!(texts.phones.text.contains("[agents.anna]"));
        let (plans, origin) = plan_texts(&home.path().join("dialplans"), &mut out);
        assert_eq!(origin, Origin::BuiltIn);
        assert!(
            plans.iter().any(|plan| plan.name.ends_with("driver-hotline.yaml"))
                && plans.iter().any(|plan| plan.name.ends_with("desk.yaml"))
        );
        assert!(out.is_empty());
    }

    #[test]
    fn files_that_are_no_text_or_too_long_are_reported() {
        let home = tempfile::tempdir().unwrap();
        let plans = home.path().join("dialplans");
        fs::create_dir(&plans).unwrap();
        fs::write(plans.join("a.yaml"), [b'a', 0xFF]).unwrap();
        fs::write(plans.join("b.yaml"), vec![b' '; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
        fs::write(plans.join("c.test.yaml"), [0xFF]).unwrap();
        let mut out = Vec::new();
        assert!(plan_texts(&plans, &mut out).0.is_empty());
        assert_eq!(out.len(), 2, "{out:?}");
        assert!(out[0].what.contains("no UTF-8 from byte 1"));
    }
}

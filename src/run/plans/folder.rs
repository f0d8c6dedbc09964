//! The plans' folder and the kept versions: files are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::files;
use crate::control::dialplan::Source;
use crate::plans::PlanFile;

/// Files of one folder.
const MOST_FILES: usize = 10_000;
/// The folder of articles below the plans.
const KNOWLEDGE: &str = "knowledge";
/// The largest file, in bytes, as the loader has it.
const LARGEST: usize = 1 << 20;

/// Is this the name of a file that may be written into the plans' folder?
///
/// # Errors
/// What is wrong with it.
pub fn check(file: &PlanFile) -> Result<(), String> {
    let name = file.name.strip_prefix("knowledge/").unwrap_or(&file.name);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with('.') || !name.chars().all(good) || !is_ours(&file.name) {
        return Err(format!("'{}' is no file of the plans' folder: write NAME.yaml, knowledge/NAME.yaml or knowledge/NAME.csv", file.name));
    }
    if file.text.len() > LARGEST {
        return Err(format!("{} has {} bytes, at most {LARGEST} are read", file.name, file.text.len()));
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml") || Source::is_table_name(name)
}

/// All YAML files of a folder and of its knowledge with the tables there, tests too, by their names below it; the built-in center's where there is no folder.
///
/// # Errors
/// What the disk says.
pub fn all(folder: &Path) -> io::Result<Vec<PlanFile>> {
    if !folder.is_dir() {
        return Ok(files::examples().map(|(name, text)| PlanFile { name, text }).collect());
    }
    let mut found = Vec::new();
    for below in ["", KNOWLEDGE] {
        let Ok(entries) = fs::read_dir(folder.join(below)) else { continue };
        for path in entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path()) {
            let base = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let name = if below.is_empty() { base } else { format!("{below}/{base}") };
            if !path.is_file() || !is_ours(&name) {
                continue;
            }
            // What is no text is told by the loader, which reads it again.
            found.push(PlanFile { name, text: String::from_utf8_lossy(&fs::read(&path)?).into_owned() });
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

/// Writes files into a folder that is there or is made; each replaces its predecessor in one move.
///
/// # Errors
/// What the disk says; files written before the one that failed stay.
pub fn write(folder: &Path, files: &[PlanFile]) -> io::Result<()> {
    for file in files {
        replace(&folder.join(&file.name), &file.text)?;
    }
    Ok(())
}

/// Makes the plans' folder out of these files, whole.
///
/// # Errors
/// What the disk says.
pub fn make(folder: &Path, files: &[PlanFile]) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let made = tempfile::Builder::new().prefix(".dialplans-").tempdir_in(parent)?;
    write(made.path(), files)?;
    fs::set_permissions(made.path(), std::os::unix::fs::PermissionsExt::from_mode(FOLDER_MODE))?;
    fs::rename(made.keep(), folder)
}

/// Readable by all, as a folder that an operator makes.
const FOLDER_MODE: u32 = 0o755;

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let base = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fresh = parent.join(format!(".{base}.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(parent)?.sync_all()
}

/// The texts of all versions that ever were in force or are drafts: `data/plans/<plan>/<version>.yaml`.
#[derive(Debug, Clone)]
pub struct Kept(pub PathBuf);

impl Kept {
    /// Keeps a text. What is kept already stays as it is: a version is its content.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep(&self, plan: &str, version: &str, text: &str) -> io::Result<()> {
        let Some(path) = self.path(plan, version) else { return Err(io::Error::other("no name of a version")) };
        if path.is_file() { Ok(()) } else { replace(&path, text) }
    }

    /// The text of a version, when it is kept.
    #[must_use]
    pub fn text(&self, plan: &str, version: &str) -> Option<String> {
        fs::read_to_string(self.path(plan, version)?).ok()
    }

    fn path(&self, plan: &str, version: &str) -> Option<PathBuf> {
        let good = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        (good(plan) && good(version)).then(|| self.0.join(plan).join(format!("{version}.yaml")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_a_name_that_leads_out_of_the_folder_is_refused() {
        let file = |name: &str| PlanFile { name: name.to_owned(), text: String::new() };
        for name in ["../x.yaml", "/etc/x.yaml", "a/b.yaml", ".x.yaml", "knowledge/../x.yaml", "x.toml", "knowledge/.x.yaml"] {
            assert!(check(&file(name)).is_err(), "{name}");
        }
        assert_eq!(check(&file("a-b.test.yaml")).and(check(&file("knowledge/a.yml"))).and(check(&file("knowledge/a.csv"))), Ok(()));
        assert!(check(&file("a.csv")).is_err(), "tables stand beside articles");
    }

    #[test]
    fn s07_versions_are_kept_once_and_a_made_folder_is_there_whole() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept(home.path().join("plans"));
        kept.keep("shop", "aa11", "one").unwrap();
        kept.keep("shop", "aa11", "two").unwrap();
        assert_eq!(kept.text("shop", "aa11").as_deref(), Some("one"));
        assert_eq!(kept.text("../shop", "aa11"), None);
        let folder = home.path().join("dialplans");
        assert!(all(&folder).unwrap().iter().any(|file| file.name == "desk.yaml"), "the built-in center");
        let file = PlanFile { name: "knowledge/a.yaml".into(), text: "x".into() };
        make(&folder, std::slice::from_ref(&file)).unwrap();
        assert_eq!(all(&folder).unwrap(), [file]);
    }
}

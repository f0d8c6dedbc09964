//! Model files: the list of known ones, getting them from their makers or from a mirror, and checking what is there.

mod fetch;
mod sum;

use std::path::{Component, Path, PathBuf};

pub use fetch::{FetchError, Mirror, Origin, pull};
pub use sum::of_file;

/// The list that comes with the program; `models/manifest.toml` of an installation wins over it.
const BUILT_IN: &str = include_str!("../../../models/manifest.toml");
/// The list's name in a models folder.
const MANIFEST: &str = "manifest.toml";
/// Where sums of files are pinned that the list gives none for.
const PINS: &str = "SHA256SUMS";

/// All known models.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// One entry a model.
    #[serde(rename = "model", default)]
    pub models: Vec<Entry>,
}

/// A model.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its folder's name.
    pub name: String,
    /// `whisper` or `zipformer`.
    pub engine: String,
    /// Languages; `*` = many.
    pub lang: Vec<String>,
    /// Under which licence its makers give it.
    pub licence: String,
    /// Where it comes from.
    pub home: String,
    /// One line.
    pub about: String,
    /// A test fixture, no product model.
    #[serde(default)]
    pub fixture: bool,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

/// A file of a model.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Below the model's folder.
    pub path: String,
    /// Where it is public.
    pub url: Option<String>,
    /// How long it is.
    pub bytes: Option<u64>,
    /// Its sum, hex.
    pub sha256: Option<String>,
}

/// Why the list of models cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file.
    #[error("{path}: {why}")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// No such model.
    #[error("no model is called '{name}'; known: {known}")]
    Unknown {
        /// As asked.
        name: String,
        /// All names.
        known: String,
    },
}

/// How much of a model is in the folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// All files.
    Here,
    /// Some, or one that broke off.
    Part,
    /// Nothing.
    Absent,
}

/// How a file on disk stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As listed or pinned.
    Right,
    /// There, but nothing to hold it against; its sum.
    Unpinned(String),
    /// There, but not what it should be; its sum.
    Wrong(String),
    /// Not there.
    Missing,
}

impl Manifest {
    /// The list of a models folder, else the one built in.
    ///
    /// # Errors
    /// When the list is no list.
    pub fn read(models: &Path) -> Result<Manifest, ManifestError> {
        let path = models.join(MANIFEST);
        match std::fs::read_to_string(&path) {
            Ok(text) => Manifest::parse(&text, &path.display().to_string()),
            Err(_) => Manifest::parse(BUILT_IN, "the built-in list of models"),
        }
    }

    fn parse(text: &str, path: &str) -> Result<Manifest, ManifestError> {
        let form = |why: String| ManifestError::Form { path: path.to_owned(), why };
        let manifest: Manifest = toml::from_str(text).map_err(|why| form(why.to_string()))?;
        for entry in &manifest.models {
            let paths = entry.files.iter().map(|file| file.path.as_str()).chain([entry.name.as_str()]);
            if let Some(path) = paths.into_iter().find(|path| !is_plain(path)) {
                return Err(form(format!("'{path}' leads out of the models folder")));
            }
        }
        Ok(manifest)
    }

    /// A model by name.
    ///
    /// # Errors
    /// When there is none, with all names.
    pub fn find(&self, name: &str) -> Result<&Entry, ManifestError> {
        self.models.iter().find(|entry| entry.name == name).ok_or_else(|| ManifestError::Unknown {
            name: name.to_owned(),
            known: self.models.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

impl Entry {
    /// Where a file of this model lies.
    #[must_use]
    pub fn place(&self, models: &Path, file: &File) -> PathBuf {
        models.join(&self.name).join(&file.path)
    }

    /// How much of it is here, without a look into the files.
    #[must_use]
    pub fn presence(&self, models: &Path) -> Presence {
        let places: Vec<PathBuf> = self.files.iter().map(|file| self.place(models, file)).collect();
        if places.iter().all(|place| place.is_file()) {
            Presence::Here
        } else if places.iter().any(|place| place.is_file() || fetch::part_of(place).is_file()) {
            Presence::Part
        } else {
            Presence::Absent
        }
    }

    /// How its files stand on disk. `tell` hears of every piece that was read, in bytes.
    ///
    /// # Errors
    /// What the disk says.
    pub fn standing(&self, models: &Path, tell: &mut dyn FnMut(u64)) -> std::io::Result<Vec<(&File, Standing)>> {
        self.files.iter().map(|file| Ok((file, self.file_standing(models, file, tell)?))).collect()
    }

    fn file_standing(&self, models: &Path, file: &File, tell: &mut dyn FnMut(u64)) -> std::io::Result<Standing> {
        let path = self.place(models, file);
        if !path.is_file() {
            return Ok(Standing::Missing);
        }
        let sum = sum::of_file(&path, tell)?;
        let wanted = file.sha256.clone().or_else(|| self.pinned(models, file));
        Ok(match wanted {
            Some(wanted) if wanted.eq_ignore_ascii_case(&sum) => Standing::Right,
            Some(_) => Standing::Wrong(sum),
            None => Standing::Unpinned(sum),
        })
    }

    fn pinned(&self, models: &Path, file: &File) -> Option<String> {
        let pins = std::fs::read_to_string(models.join(&self.name).join(PINS)).ok()?;
        sum::listed(&pins).into_iter().find(|(path, _)| *path == file.path).map(|(_, sum)| sum)
    }

    /// Writes down a sum that the list does not give.
    fn pin(&self, models: &Path, file: &File, sum: &str) -> std::io::Result<()> {
        let path = models.join(&self.name).join(PINS);
        let mut pins = std::fs::read_to_string(&path).unwrap_or_default();
        pins.push_str(&format!("{sum}  {}\n", file.path));
        std::fs::write(path, pins)
    }
}

#[cfg(test)]
mod tests;

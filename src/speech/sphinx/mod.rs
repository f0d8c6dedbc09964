//! PocketSphinx: the embedded default for English. A grammar and a small dictionary for each menu, nothing downloaded.
//!
//! Two things decide whether it works at all (SPEECH.md): the cepstral mean must start from that of telephone sound, and every
//! result must be held against a free phone loop over the same sound, since a bare grammar swallows half of all foreign speech. The
//! loop is our own (`phones`), over the model's own Gaussians (`acoustic`): in a second decoder it cost more than the grammar does.

#[cfg(pocketsphinx)]
mod acoustic;
mod dictionary;
#[cfg(pocketsphinx)]
mod ffi;
mod grammar;
#[cfg(pocketsphinx)]
mod listen;
#[cfg(pocketsphinx)]
mod phones;

use std::path::{Path, PathBuf};

pub use dictionary::Dictionary;
pub use grammar::Grammar;
#[cfg(pocketsphinx)]
pub use listen::Sphinx;

/// The acoustic model and the dictionary of one language.
#[derive(Debug)]
pub struct Model {
    /// The acoustic model's folder.
    #[cfg_attr(not(pocketsphinx), allow(dead_code, reason = "only the library reads it"))]
    acoustic: PathBuf,
    /// Its phones by themselves.
    #[cfg(pocketsphinx)]
    phones: std::sync::Arc<acoustic::Acoustic>,
    /// How words are said.
    dictionary: Dictionary,
}

impl Model {
    /// Looks for Debian's `pocketsphinx-en-us` in a folder.
    ///
    /// # Errors
    /// A sentence that names what is missing and the mend.
    pub fn load(folder: &Path) -> Result<Model, String> {
        if cfg!(not(pocketsphinx)) {
            return Err("pocketsphinx: left out of this build, libpocketsphinx-dev was not there; install it and build again".into());
        }
        let missing = |what: &Path| format!("pocketsphinx: {} is missing; `apt-get install pocketsphinx-en-us`", what.display());
        let acoustic = folder.join("en-us");
        if !acoustic.join("mdef").is_file() {
            return Err(missing(&acoustic));
        }
        let words = folder.join("cmudict-en-us.dict");
        let dictionary = Dictionary::read(&words).map_err(|_| missing(&words))?;
        Ok(Model {
            #[cfg(pocketsphinx)]
            phones: acoustic::Acoustic::read(&acoustic).map_err(|why| format!("pocketsphinx: {why}"))?.into(),
            acoustic,
            dictionary,
        })
    }

    /// How words are said.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }
}

//! The keys: 256 bits each, from a file or the environment. The first seals, all of them open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use sha2::{Digest, Sha256};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of a key's name in a file's head.
pub(super) const ID_BYTES: usize = 8;
/// What the derived keys are for.
const PURPOSE: &[u8] = b"hotline recording 1";
/// What a key's name is made with, so that it tells nothing of the key.
const NAMING: &[u8] = b"hotline recording key name 1";

/// Where a key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Makes a relative file stand below this folder.
    pub fn place_below(&mut self, home: &Path) {
        if let Source::File(file) = self {
            *file = home.join(&*file);
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("recordings.keys: the environment has no {0}; `openssl rand -hex 32` makes a key")]
    NoVariable(String),
    /// It cannot be read.
    #[error("recordings.keys: {}: {why}; `openssl rand -hex 32` makes a key", .file.display())]
    NoFile {
        /// Which.
        file: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is no key.
    #[error("recordings.keys: what {0} has is no key: 64 hex digits are one, `openssl rand -hex 32` makes it")]
    Form(String),
}

/// One key.
pub struct Key {
    secret: [u8; KEY_BYTES],
    id: [u8; ID_BYTES],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}, kept secret)", self.name())
    }
}

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(secret: [u8; KEY_BYTES]) -> Key {
        let mut sum = Sha256::new();
        sum.update(NAMING);
        sum.update(secret);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&sum.finalize()[..ID_BYTES]);
        Key { secret, id }
    }

    /// What files are marked with: 16 hex digits.
    #[must_use]
    pub fn name(&self) -> String {
        hex::encode(self.id)
    }

    pub(super) fn id(&self) -> [u8; ID_BYTES] {
        self.id
    }

    /// The key of one file.
    pub(super) fn of_file(&self, file_id: &[u8]) -> LessSafeKey {
        let info = [PURPOSE];
        let derived = Salt::new(HKDF_SHA256, file_id).extract(&self.secret);
        let okm = derived.expand(&info, &AES_256_GCM).expect("a key of AES-256 is shorter than HKDF may give");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

/// All keys; none = recordings lie plain.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<[Key]>);

impl Keys {
    /// These keys, the first one seals.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Keys {
        Keys(keys.into())
    }

    /// Reads them from where they are.
    ///
    /// # Errors
    /// [`KeyError`] names what is missing or wrong.
    pub fn read(sources: &[Source]) -> Result<Keys, KeyError> {
        sources.iter().map(read).collect::<Result<Vec<Key>, KeyError>>().map(Keys::new)
    }

    /// The one that seals.
    #[must_use]
    pub fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(super) fn find(&self, id: &[u8]) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

fn read(source: &Source) -> Result<Key, KeyError> {
    let (name, text) = match source {
        Source::Env(name) => (name.clone(), std::env::var(name).map_err(|_| KeyError::NoVariable(name.clone()))?),
        Source::File(file) => {
            let text = std::fs::read_to_string(file).map_err(|why| KeyError::NoFile { file: file.clone(), why })?;
            (file.display().to_string(), text)
        }
    };
    let bytes = hex::decode(text.trim()).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
    bytes.map(Key::new).ok_or(KeyError::Form(name))
}

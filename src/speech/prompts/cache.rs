//! Synthesized prompts on disk, named by a sum of what was said and how.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::speech::wav;

const RATE: u32 = 8_000;
/// Files kept; the oldest go when a node starts with more.
const FILES_KEPT: usize = 5_000;
/// Bytes of sum in a name: a mix-up is out of the question.
const KEY_BYTES: usize = 16;

/// A folder of sounds. It is only a help: whatever fails here is made anew.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Uses a folder, which is made when first needed, and drops the oldest files above the limit.
    pub fn new(folder: PathBuf) -> Cache {
        prune(&folder, FILES_KEPT);
        Cache { folder }
    }

    /// The name of something made from these parts.
    pub fn key(parts: &[&str]) -> String {
        let mut sum = Sha256::new();
        for part in parts {
            sum.update(part.len().to_le_bytes());
            sum.update(part.as_bytes());
        }
        hex::encode(&sum.finalize()[..KEY_BYTES])
    }

    /// What is kept under a name.
    pub fn find(&self, key: &str) -> Option<Vec<i16>> {
        let bytes = std::fs::read(self.path(key)).ok()?;
        let sound = wav::parse(&bytes).ok()?;
        (sound.rate == RATE).then(|| sound.mono(RATE)).filter(|pcm| !pcm.is_empty())
    }

    /// Keeps a sound; written aside and renamed, so that no half file is ever found.
    pub fn keep(&self, key: &str, pcm: &[i16]) {
        if let Err(why) = self.write(key, pcm) {
            tracing::warn!("a prompt is not kept in {}: {why}", self.folder.display());
        }
    }

    fn write(&self, key: &str, pcm: &[i16]) -> Result<(), Box<dyn std::error::Error>> {
        std::fs::create_dir_all(&self.folder)?;
        let aside = self.folder.join(format!("{key}.{}.part", std::process::id()));
        let form = hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut file = hound::WavWriter::create(&aside, form)?;
        for sample in pcm {
            file.write_sample(*sample)?;
        }
        file.finalize()?;
        Ok(std::fs::rename(aside, self.path(key))?)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key).with_extension("wav")
    }
}

fn prune(folder: &Path, keep: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let surplus = files.len().saturating_sub(keep);
    for (_, path) in files.drain(..surplus) {
        drop(std::fs::remove_file(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("deep"));
        let key = Cache::key(&["en-us", "hello"]);
        assert_eq!(cache.find(&key), None);
        cache.keep(&key, &[1, -2, 3]);
        assert_eq!(cache.find(&key), Some(vec![1, -2, 3]));
        prune(&folder.path().join("deep"), 0);
        assert_eq!(cache.find(&key), None);
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        assert_ne!(Cache::key(&["ab", "c"]), Cache::key(&["a", "bc"]));
    }
}

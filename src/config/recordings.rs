//! `[recordings]`: how recordings lie on the disk.

use std::path::Path;

use super::problem::Problem;
use super::toml_file::{Section, Value};
use crate::vault::Source;

const ENVIRONMENT: &str = "env:";
const FILE: &str = "file:";

/// How recordings lie on the disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recordings {
    /// Where the keys are that seal and open them; the first one seals. None: they lie plain.
    pub keys: Vec<Source>,
}

impl Recordings {
    /// Makes relative files stand below the home folder.
    pub fn place_below(&mut self, home: &Path) {
        self.keys.iter_mut().for_each(|source| source.place_below(home));
    }
}

/// Reads the section.
pub fn read(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Recordings {
    let wanted = "\"env:<VARIABLE>\" or \"file:<path>\" with 64 hex digits in it";
    Recordings { keys: section.read("keys", Vec::new(), out, |value| value.list(|entry: &Value<'_>| entry.parsed(wanted, source))) }
}

fn source(text: &str) -> Result<Source, &'static str> {
    match (text.strip_prefix(ENVIRONMENT), text.strip_prefix(FILE)) {
        (Some(name), _) if !name.is_empty() => Ok(Source::Env(name.to_owned())),
        (_, Some(file)) if !file.is_empty() => Ok(Source::File(file.into())),
        _ => Err("a key itself does not stand here, only where it is"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::server;
    use super::*;

    #[test]
    fn s80_keys_are_named_by_where_they_are_never_by_themselves() {
        let mut out = Vec::new();
        let text = "[recordings]\nkeys = [\"env:HOTLINE_RECORDING_KEY\", \"file:keys/2025.hex\"]\n";
        let (mut server, _) = server::read("hotline.toml", text, &mut out);
        assert_eq!(out, []);
        server.place_below(Path::new("/srv"));
        assert_eq!(server.recordings.keys, [Source::Env("HOTLINE_RECORDING_KEY".to_owned()), Source::File("/srv/keys/2025.hex".into())]);
        server::read("hotline.toml", &format!("[recordings]\nkeys = [\"{}\"]\n", "ab".repeat(32)), &mut out);
        assert!(out[0].to_string().contains("only where it is"), "{}", out[0]);
    }
}

//! `[recordings]`: how recordings lie on the disk.

use std::path::Path;
use std::time::Duration;

use super::problem::Problem;
use super::toml_file::{Section, Value};
use crate::control::words::directory::RecordingForm;
use crate::vault::Source;

const ENVIRONMENT: &str = "env:";
const FILE: &str = "file:";
/// A part is no shorter than a minute and no longer than a day.
const PART_MINUTES: std::ops::RangeInclusive<u64> = 1..=1_440;
const MINUTE: u64 = 60;

/// How recordings lie on the disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recordings {
    /// Where the keys are that seal and open them; the first one seals. None: they lie plain.
    pub keys: Vec<Source>,
    /// What they are written as.
    pub form: RecordingForm,
    /// So much sound is a file; `None`: a call is one, however long.
    pub part: Option<Duration>,
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
    let minutes = section.maybe("part_minutes", out, |value| value.number(PART_MINUTES));
    Recordings {
        keys: section.read("keys", Vec::new(), out, |value| value.list(|entry: &Value<'_>| entry.parsed(wanted, source))),
        form: section.read("format", RecordingForm::Wav, out, |value| value.parsed("\"wav\" or \"opus\"", form)),
        part: minutes.map(|minutes| Duration::from_secs(MINUTE * minutes)),
    }
}

fn form(text: &str) -> Result<RecordingForm, &'static str> {
    let known = [RecordingForm::Wav, RecordingForm::Opus].into_iter().find(|form| form.ending() == text);
    known.ok_or("recordings are not written so")
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
        assert_eq!((server.recordings.form, server.recordings.part), (RecordingForm::Wav, None));
        server::read("hotline.toml", &format!("[recordings]\nkeys = [\"{}\"]\n", "ab".repeat(32)), &mut out);
        assert!(out[0].to_string().contains("only where it is"), "{}", out[0]);
    }

    #[test]
    fn recordings_may_be_packed_and_cut_into_parts() {
        let mut out = Vec::new();
        let (server, _) = server::read("hotline.toml", "[recordings]\nformat = \"opus\"\npart_minutes = 30\n", &mut out);
        assert_eq!((out.len(), server.recordings.form), (0, RecordingForm::Opus));
        assert_eq!(server.recordings.part, Some(Duration::from_secs(1_800)));
        server::read("hotline.toml", "[recordings]\nformat = \"mp3\"\npart_minutes = 0\n", &mut out);
        assert!(out.iter().any(|problem| problem.to_string().contains("\"wav\" or \"opus\"")) && out.len() == 2, "{out:?}");
    }
}

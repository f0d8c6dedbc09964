//! What people hear so that they know what happens with a call: `recording_notice` and `supervision_notice` of `[calls]`.

use super::problem::Problem;
use super::toml_file::{Section, Value};
use crate::control::limits::BEEP;
use crate::control::words::directory::Notices;
use crate::control::words::media::Prompt;

const FILE_PREFIX: &str = "file:";

/// Reads both.
pub fn read(section: &mut Section<'_>, out: &mut Vec<Problem>) -> Notices {
    let mut notice = |key| section.maybe(key, out, |value: &Value<'_>| value.parsed("\"beep\" or \"file:<name>.wav\"", sound));
    Notices { recording: notice("recording_notice"), supervision: notice("supervision_notice") }
}

fn sound(text: &str) -> Result<Prompt, &'static str> {
    let (hertz, ms) = BEEP;
    match (text, text.strip_prefix(FILE_PREFIX)) {
        ("beep", _) => Ok(Prompt::Tone { hertz, ms }),
        (_, Some(file)) if !file.is_empty() => Ok(Prompt::File(file.to_owned())),
        _ => Err("it is no sound"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::server;
    use super::*;

    #[test]
    fn a_notice_is_a_beep_or_a_file_of_the_prompts_folder() {
        let mut out = Vec::new();
        let text = "[calls]\nrecording_notice = \"file:zh-CN/recorded.wav\"\nsupervision_notice = \"beep\"\n";
        let (_, calls) = server::read("hotline.toml", text, &mut out);
        assert_eq!((out.len(), &calls.notices.recording), (0, &Some(Prompt::File("zh-CN/recorded.wav".to_owned()))));
        assert!(matches!(calls.notices.supervision, Some(Prompt::Tone { .. })));
        server::read("hotline.toml", "[calls]\nrecording_notice = \"bep\"\n", &mut out);
        assert!(out[0].to_string().contains("file:<name>.wav"), "{}", out[0]);
    }
}

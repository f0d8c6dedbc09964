//! Transcripts as WebVTT, SubRip and plain text.

use serde_json::Value;

/// One utterance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spoken {
    /// `customer` or `agent`.
    pub by: String,
    /// From the beginning of the recording, in milliseconds.
    pub begin: u64,
    /// Its end, in milliseconds.
    pub end: u64,
    /// The words.
    pub text: String,
}

/// The utterances of a transcript in the order of their beginnings.
#[must_use]
pub fn lines(utterances: &Value) -> Vec<Spoken> {
    let read = |one: &Value| {
        let begin = one["offset_ms"].as_u64()?;
        Some(Spoken {
            by: one["by"].as_str().unwrap_or("unknown").to_owned(),
            begin,
            end: begin + one["duration_ms"].as_u64().unwrap_or_default(),
            text: one["text"].as_str()?.replace(['\n', '\r'], " "),
        })
    };
    let mut lines: Vec<Spoken> = utterances.as_array().into_iter().flatten().filter_map(read).collect();
    lines.sort_by_key(|line| (line.begin, line.end));
    lines
}

/// `01:02:03.456` with the mark before the milliseconds that the form wants.
fn clock(ms: u64, mark: char) -> String {
    let seconds = ms / 1_000;
    format!("{:02}:{:02}:{:02}{mark}{:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60, ms % 1_000)
}

/// WebVTT with voice tags.
#[must_use]
pub fn vtt(lines: &[Spoken]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let cue = |line: &Spoken| format!("\n{} --> {}\n<v {}>{}\n", clock(line.begin, '.'), clock(line.end, '.'), line.by, escape(&line.text));
    lines.iter().fold("WEBVTT\n".to_owned(), |all, line| all + &cue(line))
}

/// SubRip.
#[must_use]
pub fn srt(lines: &[Spoken]) -> String {
    let cue = |(at, line): (usize, &Spoken)| {
        format!("{}\n{} --> {}\n{}: {}\n\n", at + 1, clock(line.begin, ','), clock(line.end, ','), line.by, line.text)
    };
    lines.iter().enumerate().map(cue).collect()
}

/// Plain text.
#[must_use]
pub fn txt(lines: &[Spoken]) -> String {
    lines.iter().map(|line| format!("[{}] {}: {}\n", clock(line.begin, '.'), line.by, line.text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_transcript_in_three_forms() {
        let utterances = serde_json::json!([
            {"by": "agent", "offset_ms": 4000, "duration_ms": 1500, "text": "a < b"},
            {"by": "customer", "offset_ms": 500, "duration_ms": 3_700_000, "text": "我车坏了"},
        ]);
        let lines = lines(&utterances);
        assert!(vtt(&lines).starts_with("WEBVTT\n\n00:00:00.500 --> 01:01:40.500\n<v customer>我车坏了\n"));
        assert!(vtt(&lines).contains("<v agent>a &lt; b"));
        assert!(srt(&lines).starts_with("1\n00:00:00,500 --> 01:01:40,500\ncustomer: 我车坏了\n\n2\n"));
        assert_eq!(txt(&lines).lines().count(), 2);
    }
}

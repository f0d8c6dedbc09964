//! OpenAI-compatible `POST /v1/audio/transcriptions`: a WAV in a form, JSON back.

use serde::Deserialize;

use super::{KEY_VARIABLE, RemoteError, beginning};
use crate::speech::RATE;
use crate::speech::recognizer::Terms;

/// Separates the parts of the form; no WAV of ours holds it, since its letters are no sound that a line carries.
const BOUNDARY: &str = "----hotline-9f2c6b1d4e7a-utterance";
/// What servers that know several models take for their default.
const MODEL: &str = "whisper-1";
/// Phrases sent along as the model's prompt.
const MOST_PHRASES: usize = 16;
/// This API tells no confidence.
const UNTOLD: f32 = 1.0;
const PATH: &str = "audio/transcriptions";

#[derive(Deserialize)]
struct Answer {
    text: String,
}

/// Sends an utterance; the text and how far it is trusted.
pub async fn ask(client: &reqwest::Client, url: &str, pcm: &[i16], terms: &Terms) -> Result<(String, f32), RemoteError> {
    let unreachable = |why: reqwest::Error| RemoteError::Unreachable { url: url.to_owned(), why: why.without_url().to_string() };
    let prompt = terms.hints.phrases.iter().take(MOST_PHRASES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let body = form(&[("model", MODEL), ("language", terms.lang.primary()), ("response_format", "json"), ("prompt", &prompt)], &wav(pcm));
    let mut request = client.post(address(url)).header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}")).body(body);
    if let Ok(key) = std::env::var(KEY_VARIABLE) {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.text().await.map_err(unreachable)?;
    if !status.is_success() {
        return Err(RemoteError::Refused { url: url.to_owned(), status: status.as_u16(), body: beginning(&body) });
    }
    let answer: Answer = serde_json::from_str(&body).map_err(|_| RemoteError::Answer { url: url.to_owned(), body: beginning(&body) })?;
    Ok((answer.text, UNTOLD))
}

/// `http://host` and `http://host/v1` mean the usual path below; a longer path is taken as written.
fn address(url: &str) -> String {
    let bare = url.trim_end_matches('/');
    match bare.splitn(4, '/').nth(3) {
        None => format!("{bare}/v1/{PATH}"),
        Some("v1") => format!("{bare}/{PATH}"),
        Some(_) => url.to_owned(),
    }
}

fn form(fields: &[(&str, &str)], wav: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(wav.len() + 1_024);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        out.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"utterance.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(wav);
    out.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    out
}

/// Mono, 16 bit, 16 kHz.
fn wav(pcm: &[i16]) -> Vec<u8> {
    let bytes = u32::try_from(pcm.len() * 2).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(pcm.len() * 2 + 44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&bytes.saturating_add(36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend_from_slice(&RATE.to_le_bytes());
    out.extend_from_slice(&(RATE * 2).to_le_bytes());
    out.extend_from_slice(b"\x02\0\x10\0data");
    out.extend_from_slice(&bytes.to_le_bytes());
    pcm.iter().for_each(|sample| out.extend_from_slice(&sample.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_gets_the_usual_path_and_a_whole_path_is_kept() {
        assert_eq!(address("http://h:9"), "http://h:9/v1/audio/transcriptions");
        assert_eq!(address("http://h:9/"), "http://h:9/v1/audio/transcriptions");
        assert_eq!(address("https://h/v1"), "https://h/v1/audio/transcriptions");
        assert_eq!(address("http://h/asr?x=1"), "http://h/asr?x=1");
    }

    #[test]
    fn the_sound_is_sent_as_a_wav_that_reads_back() {
        let read = crate::speech::wav::parse(&wav(&[1, -2, 3])).unwrap();
        assert_eq!((read.rate, read.channels), (RATE, vec![vec![1, -2, 3]]));
    }
}

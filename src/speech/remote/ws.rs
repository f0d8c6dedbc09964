//! Vosk's WebSocket: a line of settings, sound in binary frames, `{"eof": 1}`; results until the last one.

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::{RemoteError, beginning};
use crate::speech::RATE;

/// Samples of one frame: 200 ms.
const FRAME: usize = RATE as usize / 5;
const END: &str = r#"{"eof" : 1}"#;
/// Where a server tells nothing about words.
const UNTOLD: f32 = 1.0;
/// More results than this is no end of an utterance.
const MOST_RESULTS: usize = 1_000;

/// A result of the server; partial ones have no text.
#[derive(Deserialize)]
struct Answer {
    text: Option<String>,
    partial: Option<String>,
    #[serde(default)]
    result: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    conf: f32,
}

/// Sends an utterance; the text and how far it is trusted.
pub async fn ask(url: &str, pcm: &[i16]) -> Result<(String, f32), RemoteError> {
    let unreachable = |why: tokio_tungstenite::tungstenite::Error| RemoteError::Unreachable { url: url.to_owned(), why: why.to_string() };
    let (socket, _) = tokio_tungstenite::connect_async(url).await.map_err(unreachable)?;
    let (mut send, mut receive) = socket.split();
    let sending = async {
        send.send(Message::text(format!(r#"{{"config" : {{"sample_rate" : {RATE}, "words" : true}}}}"#))).await?;
        for frame in pcm.chunks(FRAME) {
            let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            send.send(Message::binary(bytes)).await?;
        }
        send.send(Message::text(END)).await
    };
    let (mut text, mut words) = (String::new(), Vec::new());
    let receiving = async {
        let mut last = 0;
        while let Some(message) = receive.next().await {
            let line = match message.map_err(unreachable)? {
                Message::Text(line) => line,
                Message::Close(_) => break,
                _ => continue,
            };
            last += 1;
            let answer: Option<Answer> = serde_json::from_str(&line).ok();
            let Some(answer) = answer.filter(|answer| last <= MOST_RESULTS && (answer.text.is_some() || answer.partial.is_some())) else {
                return Err(RemoteError::Answer { url: url.to_owned(), body: beginning(&line) });
            };
            if let Some(said) = answer.text.filter(|said| !said.is_empty()) {
                text = if text.is_empty() { said } else { format!("{text} {said}") };
                words.extend(answer.result.iter().map(|word| word.conf));
            }
        }
        Ok(())
    };
    // The server answers while it hears: both ways at once, or full buffers would hold each other up.
    let (sent, received) = tokio::join!(sending, receiving);
    received?;
    sent.map_err(unreachable)?;
    let confidence = if words.is_empty() { UNTOLD } else { words.iter().sum::<f32>() / words.len() as f32 };
    Ok((text, confidence.clamp(0.0, 1.0)))
}

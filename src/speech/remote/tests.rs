//! Against small real servers: what is asked, what is understood, and what a bad answer becomes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::control::words::Lang;
use crate::control::words::speech::{Expect, Hints};
use crate::speech::wav::Wav;

fn speech() -> Vec<i16> {
    Wav::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mini-whisper/wav/001-en.wav")).unwrap().mono(RATE)
}

fn terms(budget: Duration) -> Terms {
    let hints = Hints { key: 1, phrases: vec!["check my order".into()], grammar: None };
    Terms { lang: Lang::new("en-US"), expect: Expect::Sentence, hints: Arc::new(hints), budget }
}

fn hear(remote: &Arc<Remote>, budget: Duration) -> Result<Reading, Nothing> {
    let mut hearing = Far::new(remote).hear(&terms(budget)).unwrap();
    speech().chunks(320).for_each(|frame| assert_eq!(hearing.push(frame), None));
    hearing.finish()
}

const PATIENT: Duration = Duration::from_secs(20);

/// A server that gives one answer to one request and hands the request over.
fn server(answer: &'static str) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut part) = (Vec::new(), [0u8; 4_096]);
        while !is_whole(&request) {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the request was cut off");
            request.extend_from_slice(&part[..length]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    (url, thread)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some(head) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|text| text.trim().parse::<usize>().ok());
    length.is_some_and(|length| request.len() >= head + 4 + length)
}

#[test]
fn an_openai_compatible_server_is_asked_with_language_hints_and_sound() {
    let (url, server) = server("HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n{\"text\": \" I want to check my order\"}");
    let remote = Arc::new(Remote::new(&url).unwrap());
    let reading = hear(&remote, PATIENT).unwrap();
    assert_eq!((reading.text.as_str(), reading.confidence), ("I want to check my order", 1.0));
    let request = server.join().unwrap();
    let text = String::from_utf8_lossy(&request).into_owned();
    assert!(text.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{}", &text[..80]);
    for part in ["name=\"language\"\r\n\r\nen\r\n", "name=\"prompt\"\r\n\r\ncheck my order\r\n", "filename=\"utterance.wav\""] {
        assert!(text.contains(part), "{part}");
    }
    let sound = request.windows(4).position(|bytes| bytes == b"RIFF").unwrap();
    assert_eq!(crate::speech::wav::parse(&request[sound..]).unwrap().channels[0].len(), speech().len());
}

#[test]
fn bad_answers_are_failures_and_three_in_a_row_open_the_breaker() {
    let answers = [
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nno key!",
        "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"te",
    ];
    for answer in answers {
        let (url, server) = server(answer);
        let remote = Arc::new(Remote::new(&url).unwrap());
        assert_eq!(hear(&remote, PATIENT), Err(Nothing::Failed), "{answer}");
        assert!(remote.is_up(), "once is no habit");
        server.join().unwrap();
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = Arc::new(Remote::new(&format!("http://{}", silent.local_addr().unwrap())).unwrap());
    for nth in 1..=FAILURES {
        assert!(remote.is_up());
        assert_eq!(hear(&remote, Duration::from_millis(50)), Err(Nothing::Failed), "{nth}: it never answers");
    }
    assert!(!remote.is_up());
}

#[test]
fn no_voice_is_not_asked_about_and_a_phantom_is_not_believed() {
    let (url, server) = server("HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{\"text\": \"Thanks for watching!\"}");
    let remote = Arc::new(Remote::new(&url).unwrap());
    let mut hearing = Far::new(&remote).hear(&terms(PATIENT)).unwrap();
    hearing.push(&vec![0; 32_000]);
    assert_eq!(hearing.finish(), Err(Nothing::Rejected));
    assert_eq!(hear(&remote, PATIENT), Err(Nothing::Rejected));
    assert!(remote.is_up());
    server.join().unwrap();
}

/// A Vosk server: partial words for each frame, the final ones after the end.
fn vosk(last: &'static str) -> (String, JoinHandle<(String, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let serve = async move {
        let (stream, _) = tokio::net::TcpListener::from_std(listener).unwrap().accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let (mut settings, mut bytes) = (String::new(), 0);
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) if text.contains("eof") => break,
                Message::Text(text) => settings = text.to_string(),
                Message::Binary(sound) => {
                    bytes += sound.len();
                    socket.send(Message::text(r#"{"partial" : "check"}"#)).await.unwrap();
                }
                _ => {}
            }
        }
        socket.send(Message::text(last)).await.unwrap();
        socket.close(None).await.unwrap();
        (settings, bytes)
    };
    let thread = std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve));
    (url, thread)
}

#[test]
fn a_vosk_server_hears_all_of_the_sound_and_its_last_words_count() {
    let (url, server) =
        vosk(r#"{"result" : [{"conf" : 0.9, "word" : "check"}, {"conf" : 0.7, "word" : "order"}], "text" : "check order"}"#);
    let reading = hear(&Arc::new(Remote::new(&url).unwrap()), PATIENT).unwrap();
    assert_eq!(reading.text, "check order");
    assert!((reading.confidence - 0.8).abs() < 1e-3);
    let (settings, bytes) = server.join().unwrap();
    assert!(settings.contains("16000"), "{settings}");
    assert_eq!(bytes, speech().len() * 2);
}

#[test]
fn a_socket_that_speaks_something_else_is_a_failure() {
    let (url, server) = vosk("hello");
    assert_eq!(hear(&Arc::new(Remote::new(&url).unwrap()), PATIENT), Err(Nothing::Failed));
    server.join().unwrap();
    let (url, server) = vosk(r#"{"text" : ""}"#);
    assert_eq!(hear(&Arc::new(Remote::new(&url).unwrap()), PATIENT), Err(Nothing::Rejected), "nothing was said");
    server.join().unwrap();
}

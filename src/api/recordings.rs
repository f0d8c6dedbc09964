//! `/v1/recordings`: the files with HTTP ranges and certificates. `/v1/transcripts`: what was said, in four forms.

use std::io::{Read, Seek, SeekFrom};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::extract::Query;
use super::problem::{Problem, Refused};
use super::{ApiState, reach, subtitles};
use crate::store::page::{Page, Slice};
use crate::store::recordings::{Recording, Transcript, TranscriptStanding, Wanted};
use crate::vault::{OPUS, Reader, VaultError, Waveform};

const UNKNOWN: &str = "recording_unknown";
/// Bytes read from the disk at once.
const BLOCK: u64 = 1 << 16;
const USUAL_POINTS: usize = 1_000;
const MOST_POINTS: usize = 20_000;

/// Which recordings.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Of this session.
    pub session: Option<String>,
    /// `recording`, `finished` or `failed`.
    pub state: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500, usually 50.
    pub limit: Option<i64>,
}

/// In which form.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Form {
    /// `json` (default), `vtt`, `srt` or `txt`.
    pub format: Option<String>,
}

/// What the file was when it was closed, and what it is now.
#[derive(Serialize, ToSchema)]
pub struct Certificate {
    /// `rec_…`
    pub recording: String,
    /// The sum noted when the file was closed.
    pub sha256: String,
    /// The sum of the file as it is now.
    pub sha256_now: String,
    /// Are they the same?
    pub intact: bool,
    /// Its size now.
    pub bytes: u64,
    /// The key it is sealed with on the disk; sums and size are of the plain file all the same.
    pub sealed_with: Option<String>,
}

async fn load(state: &ApiState, id: &str) -> Result<Recording, Problem> {
    state.store.recording(id).await?.ok_or_else(|| Problem::unknown(UNKNOWN, id))
}

/// A recording of which the caller may have `what`.
async fn within_reach(state: &ApiState, caller: &Caller, id: &str, what: &str) -> Result<Recording, Problem> {
    let recording = load(state, id).await?;
    reach::within(state, caller, &recording.session, what).await?;
    Ok(recording)
}

/// The plain file at this path of a recording, whether it lies sealed or not.
async fn open(state: &ApiState, recording: &Recording, path: &str) -> Result<Reader, Problem> {
    let (shelf, path) = (state.recordings.clone(), path.to_owned());
    let opened = tokio::task::spawn_blocking(move || shelf.open(path)).await.map_err(|why| unreadable(&why))?;
    opened.map_err(|why| unopened(recording, why))
}

fn unopened(recording: &Recording, why: VaultError) -> Problem {
    tracing::warn!(id = recording.id, %why, "a recording's file cannot be opened");
    match why {
        VaultError::Disk { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "recording_file_missing", "the file of this recording is not on this server")
        }
        VaultError::KeyMissing { key, .. } => {
            let detail = format!("it is sealed with the key {key}, which this server does not have ([recordings] keys)");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "recording_key_missing", detail)
        }
        VaultError::Damaged { .. } | VaultError::Form { .. } => unreadable(&why),
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%why, "a recording cannot be read");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "recording_unreadable", "the file cannot be read, or was changed; the log says where")
}

/// Recordings, newest first: an agent's own key lists what it reaches singly.
#[utoipa::path(get, path = "/v1/recordings", tag = "recordings", params(Listing), responses((status = 200, body = Page<Recording>), Refused))]
pub async fn list(State(state): State<ApiState>, caller: Caller, Query(query): Query<Listing>) -> Result<Json<Page<Recording>>, Problem> {
    caller.may("recordings:read")?;
    let slice = Slice { cursor: query.cursor, limit: query.limit };
    let wanted = Wanted { session: query.session, state: query.state, served: reach::served(&state, &caller) };
    Ok(Json(state.store.recordings(&wanted, &slice).await?))
}

/// A recording.
#[utoipa::path(get, path = "/v1/recordings/{id}", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = Recording), Refused))]
pub async fn one(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Recording>, Problem> {
    caller.may("recordings:read")?;
    let recording = within_reach(&state, &caller, &id, "the recording").await?;
    Ok(Json(recording))
}

/// Which file of a recording.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Chosen {
    /// Which of `parts`, from 1; usually the first.
    pub part: Option<i64>,
}

/// A file of a recording: where it lies, and its sum once it is closed.
struct Sheet {
    path: String,
    part: Option<i64>,
    sha256: Option<String>,
}

impl Sheet {
    fn of(recording: &Recording, part: Option<i64>) -> Result<Sheet, Problem> {
        let whole = || Sheet { path: recording.path.clone(), part: None, sha256: recording.sha256.clone() };
        if recording.parts.is_empty() && part.unwrap_or(1) == 1 {
            return Ok(whole());
        }
        let part = part.unwrap_or(1);
        let found = recording.parts.iter().find(|one| one.part == part);
        let detail = || format!("{} has {} parts", recording.id, recording.parts.len().max(1));
        let found = found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "recording_part_unknown", detail()))?;
        Ok(Sheet { path: found.path.clone(), part: Some(part), sha256: Some(found.sha256.clone()) })
    }

    fn ending(&self) -> &str {
        std::path::Path::new(&self.path).extension().and_then(|end| end.to_str()).unwrap_or("wav")
    }

    /// RFC 7845 §9 for Ogg/Opus.
    fn content_type(&self) -> &'static str {
        if self.ending() == OPUS { "audio/ogg; codecs=opus" } else { "audio/wav" }
    }

    fn name(&self, recording: &Recording) -> String {
        let part = self.part.map(|part| format!("-{part}")).unwrap_or_default();
        format!("{}{part}.{}", recording.id, self.ending())
    }

    /// `If-Range` holds when it names the file as it is (RFC 9110 §13.1.5).
    fn if_range(&self, headers: &HeaderMap) -> bool {
        let Some(tag) = headers.get(header::IF_RANGE) else { return true };
        self.sha256.as_ref().is_some_and(|sum| tag.as_bytes() == format!("\"{sum}\"").as_bytes())
    }
}

/// The file, WAV or Ogg/Opus: left the customer, right what he heard. `Range` gives some bytes, `part` one of several files.
#[utoipa::path(get, path = "/v1/recordings/{id}/audio", tag = "recordings",
    params(("id" = String, Path), Chosen, ("Range" = Option<String>, Header)),
    responses((status = 200, content_type = "audio/wav", body = [u8]), (status = 206, content_type = "audio/wav", body = [u8]),
    (status = 416, body = Problem, content_type = "application/problem+json"), Refused))]
pub async fn audio(
    State(state): State<ApiState>,
    caller: Caller,
    method: Method,
    Path(id): Path<String>,
    Query(chosen): Query<Chosen>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may("recordings:audio")?;
    let recording = within_reach(&state, &caller, &id, "the recording").await?;
    let sheet = Sheet::of(&recording, chosen.part)?;
    let mut reader = open(&state, &recording, &sheet.path).await?;
    let bytes = reader.len();
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    // RFC 9110 §14.2: a range means something for GET only.
    let asked = asked.filter(|_| method == Method::GET && sheet.if_range(&headers));
    let (status, first, last) = match asked.map(|range| span(range, bytes)) {
        None | Some(Asked::Other) => (StatusCode::OK, 0, bytes.saturating_sub(1)),
        Some(Asked::Part(first, last)) => (StatusCode::PARTIAL_CONTENT, first, last),
        Some(Asked::Outside) => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_outside", format!("the file has {bytes} bytes"));
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{bytes}"))], problem).into_response());
        }
    };
    let length = if bytes == 0 { 0 } else { last - first + 1 };
    reader.seek(SeekFrom::Start(first)).map_err(|why| unreadable(&why))?;
    // The first block is read before anything is promised: most damage is told by status.
    let (reader, begins) = block_of(reader, length.min(BLOCK)).await.map_err(|why| unreadable(&why))?;
    let mut response = (status, Body::from_stream(blocks(reader, begins, length))).into_response();
    let part = if status == StatusCode::PARTIAL_CONTENT { Part::Some } else { Part::Whole };
    describe(response.headers_mut(), (&recording, &sheet), part, (first, last, bytes, length));
    Ok(response)
}

/// How many entries a waveform may have.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Points {
    /// 1 to 20000, usually 1000.
    pub points: Option<usize>,
}

/// How loud a recording is over time.
#[derive(Serialize, ToSchema)]
pub struct Loudness {
    /// Milliseconds of one entry.
    pub window_ms: u32,
    /// The customer: the largest amplitude of each window, 0 to 255.
    pub left: Vec<u8>,
    /// What he heard.
    pub right: Vec<u8>,
}

/// The waveform of a recording.
#[utoipa::path(get, path = "/v1/recordings/{id}/peaks", tag = "recordings", params(("id" = String, Path), Points),
    responses((status = 200, body = Loudness), Refused))]
pub async fn peaks(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<Points>,
) -> Result<Json<Loudness>, Problem> {
    caller.may("recordings:read")?;
    let recording = within_reach(&state, &caller, &id, "the recording").await?;
    let (shelf, path) = (state.recordings.clone(), recording.path.clone());
    let most = query.points.unwrap_or(USUAL_POINTS).clamp(1, MOST_POINTS);
    let read = tokio::task::spawn_blocking(move || Waveform::read(&shelf, path.as_ref(), most)).await.map_err(|why| unreadable(&why))?;
    let Waveform { window_ms, left, right } = read.map_err(|why| unopened(&recording, why))?;
    Ok(Json(Loudness { window_ms, left, right }))
}

/// What of the file is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Some,
}

fn describe(
    headers: &mut HeaderMap,
    (recording, sheet): (&Recording, &Sheet),
    part: Part,
    (first, last, bytes, length): (u64, u64, u64, u64),
) {
    let mut put = |name, text: &str| drop(HeaderValue::from_str(text).map(|value| headers.insert(name, value)));
    put(header::CONTENT_TYPE, sheet.content_type());
    put(header::ACCEPT_RANGES, "bytes");
    put(header::CONTENT_LENGTH, &length.to_string());
    put(header::CONTENT_DISPOSITION, &format!("inline; filename=\"{}\"", sheet.name(recording)));
    if part == Part::Some {
        put(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{bytes}"));
    }
    if let Some(sum) = &sheet.sha256 {
        put(header::ETAG, &format!("\"{sum}\""));
    }
}

/// What a `Range` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// From this byte to this byte, both inside.
    Part(u64, u64),
    /// Nothing of the file.
    Outside,
    /// Several parts or another unit: the whole file answers it (RFC 9110 §14.2).
    Other,
}

fn span(range: &str, bytes: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else { return Asked::Other };
    let (first, last) = (first.trim(), last.trim());
    let (first, last) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(bytes.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, bytes.saturating_sub(1)),
        (Err(_), Ok(count)) if first.is_empty() && count > 0 => (bytes.saturating_sub(count), bytes.saturating_sub(1)),
        (Err(_), Ok(0)) if first.is_empty() => return Asked::Outside,
        _ => return Asked::Other,
    };
    if first < bytes { Asked::Part(first, last) } else { Asked::Outside }
}

/// So many bytes of a recording, read where waiting is allowed.
async fn block_of(mut reader: Reader, count: u64) -> std::io::Result<(Reader, Vec<u8>)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut block = Vec::new();
        (&mut reader).take(count).read_to_end(&mut block).map(|_| (reader, block))
    });
    read.await.map_err(std::io::Error::other)?
}

fn blocks(reader: Reader, begins: Vec<u8>, length: u64) -> impl stream::Stream<Item = std::io::Result<Vec<u8>>> {
    stream::try_unfold((reader, Some(begins), length), |(reader, begins, left)| async move {
        let (reader, block) = match begins {
            Some(begins) => (reader, begins),
            None => block_of(reader, left.min(BLOCK)).await.inspect_err(|why| tracing::error!(%why, "a recording breaks off"))?,
        };
        let read = block.len() as u64;
        Ok((read > 0).then_some((block, (reader, None, left - read))))
    })
}

/// Is the file still what it was when it was closed?
#[utoipa::path(get, path = "/v1/recordings/{id}/certificate", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = Certificate), Refused))]
pub async fn certificate(State(state): State<ApiState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Certificate>, Problem> {
    caller.may("recordings:read")?;
    let recording = within_reach(&state, &caller, &id, "the recording").await?;
    let Some(sha256) = recording.sha256.clone() else {
        return Err(Problem::conflict("recording_unfinished", format!("the recording is {}", recording.state)));
    };
    let paths = if recording.parts.is_empty() { vec![&recording.path] } else { recording.parts.iter().map(|part| &part.path).collect() };
    let mut readers = Vec::new();
    for path in paths {
        readers.push(open(&state, &recording, path).await?);
    }
    let bytes = readers.iter().map(Reader::len).sum();
    let sealed_with = readers.first().and_then(Reader::sealed_with);
    let sum = tokio::task::spawn_blocking(move || sum_of_all(readers)).await.map_err(|why| unreadable(&why))?;
    let sha256_now = sum.map_err(|why| unreadable(&why))?;
    Ok(Json(Certificate { recording: id, intact: sha256 == sha256_now, sha256, sha256_now, bytes, sealed_with }))
}

fn sum_of_all(readers: Vec<Reader>) -> std::io::Result<String> {
    let mut whole = Sha256::new();
    for mut reader in readers {
        reader.pieces(|piece| whole.update(piece))?;
    }
    Ok(hex::encode(whole.finalize()))
}

/// Why there is no transcript.
fn without(id: &str, standing: &TranscriptStanding) -> Problem {
    let why = standing.why.as_deref().unwrap_or("it was not tried yet");
    match standing.state.as_str() {
        "failed" => Problem::conflict("transcript_failed", format!("after {} tries it was given up: {why}", standing.tries)),
        "pending" => {
            Problem::new(StatusCode::NOT_FOUND, "transcript_pending", format!("it is not made yet; {} tries so far: {why}", standing.tries))
        }
        _ => Problem::unknown("transcript_unknown", id),
    }
}

/// What was said in a recording, by side and time.
#[utoipa::path(get, path = "/v1/transcripts/{recording}", tag = "transcripts", params(("recording" = String, Path), Form),
    responses((status = 200, body = Transcript), Refused))]
pub async fn transcript(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    caller.may("transcripts:read")?;
    let recording = within_reach(&state, &caller, &id, "the transcript").await?;
    let transcript = state.store.transcript(&id).await?.ok_or_else(|| without(&id, &recording.transcript))?;
    let lines = subtitles::lines(&transcript.utterances);
    let (kind, text) = match form.format.as_deref().unwrap_or("json") {
        "json" => return Ok(Json(transcript).into_response()),
        "vtt" => ("text/vtt; charset=utf-8", subtitles::vtt(&lines)),
        "srt" => ("application/x-subrip; charset=utf-8", subtitles::srt(&lines)),
        "txt" => ("text/plain; charset=utf-8", subtitles::txt(&lines)),
        other => return Err(Problem::bad("format_unknown", format!("'{other}' is none of json, vtt, srt, txt"))),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::{Asked, span};

    #[test]
    fn ranges_of_rfc_9110_14() {
        assert_eq!(span("bytes=0-499", 1_000), Asked::Part(0, 499));
        assert_eq!(span("bytes=500-", 1_000), Asked::Part(500, 999));
        assert_eq!(span("bytes=-200", 1_000), Asked::Part(800, 999));
        assert_eq!(span("bytes=900-5000", 1_000), Asked::Part(900, 999));
        assert_eq!(span("bytes=1000-", 1_000), Asked::Outside);
        assert_eq!(span("bytes=-0", 1_000), Asked::Outside);
        assert_eq!(span("bytes=5-2", 1_000), Asked::Other);
        assert_eq!(span("bytes=0-1,5-6", 1_000), Asked::Other);
        assert_eq!(span("lines=1-2", 1_000), Asked::Other);
        assert_eq!(span("bytes=0-", 0), Asked::Outside);
    }
}

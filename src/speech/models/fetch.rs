//! Getting a model's files: from their public place, from a mirror's URL or from a mirror's folder; broken off, it goes on.

use std::fs::{File as Disk, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::RANGE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::{Entry, File, PINS, sum};
use crate::web_client;

/// Without a byte for this long a transfer has failed.
const STALLED: Duration = Duration::from_secs(30);
/// Model hosts send on to their storage; more often than this is a loop.
const REDIRECTS: usize = 5;
/// A file of sums is not longer than this.
const SUMS_BYTES: usize = 1 << 20;
/// Bytes copied at a time from a folder.
const PIECE: usize = 1 << 20;

/// Another place to get files from, as `<mirror>/<name>/<path>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mirror {
    /// A folder, such as `../shared/data/models`.
    Folder(PathBuf),
    /// A web address.
    Url(String),
}

impl Mirror {
    /// Reads what was given on the command line.
    #[must_use]
    pub fn parse(text: &str) -> Mirror {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        if is_url { Mirror::Url(text.trim_end_matches('/').to_owned()) } else { Mirror::Folder(text.into()) }
    }
}

/// Where files and their sums come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// Instead of their public place.
    pub mirror: Option<&'a Mirror>,
    /// The sum of the one file that the list gives none for, as its maker publishes it.
    pub sha256: Option<&'a str>,
}

/// Why a file was not had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody gives it.
    #[error("{0} has no public address: name a mirror that has it, `--mirror FOLDER` or `--mirror URL`")]
    NoSource(String),
    /// Nothing says what the file should be: what came could be anything, so nothing is fetched.
    #[error(
        "no sum is known for {0}: the list gives none, because nobody here could check one. Give the one its maker publishes \
         (`--sha256 SUM`; on Hugging Face it stands on the file's page), or a mirror with a SHA256SUMS file"
    )]
    NoSum(String),
    /// A sum was given for a model whose files all have one, or for several.
    #[error("--sha256 is for a model with exactly one file without a listed sum; {name} has {count}")]
    SumTooMany {
        /// Which model.
        name: String,
        /// Files without a sum.
        count: usize,
    },
    /// What was given is no sum.
    #[error("'{0}' is no SHA-256: 64 hex digits")]
    NoSuchSum(String),
    /// The sum is not the one it should be; what came was removed.
    #[error(
        "{path} came with the sum {got}, but {wanted} is wanted: it was removed. The same command gets it anew; when that is wrong too, try \
         another mirror, or check the sum"
    )]
    WrongSum {
        /// Which file.
        path: String,
        /// What came.
        got: String,
        /// What should.
        wanted: String,
    },
    /// The disk.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// A mirror's folder lacks it, or does not let it be read.
    #[error("the mirror has no {path}: {source}; a mirror holds <name>/<file>, named as `hotline models list` names it")]
    Mirror {
        /// Which file.
        path: String,
        /// What the disk said.
        source: std::io::Error,
    },
    /// A web address says no.
    #[error("{url} was answered with {status}; a mirror holds <name>/<file> below its address")]
    Refused {
        /// From where.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The network.
    #[error("{url}: {why}; the same command goes on where it broke off")]
    Net {
        /// From where.
        url: String,
        /// What happened.
        why: String,
    },
}

/// Told as bytes come: file, bytes so far, bytes in all when known.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, Option<u64>);

/// Gets the files of a model that are missing or wrong, each against a sum that is known before: listed, pinned before, given, or in
/// the mirror's SHA256SUMS. Gives the sums that are pinned now.
///
/// # Errors
/// [`FetchError`]; files that came before it stay.
pub async fn pull(entry: &Entry, models: &Path, origin: Origin<'_>, progress: Progress<'_>) -> Result<Vec<(String, String)>, FetchError> {
    let sums = sums_of(entry, models, origin).await?;
    let mut pinned = Vec::new();
    for file in &entry.files {
        let place = entry.place(models, file);
        let disk = |source| FetchError::Disk { path: place.display().to_string(), source };
        let wanted = sums.iter().find(|(path, _)| *path == file.path).map(|(_, sum)| sum);
        let wanted = wanted.ok_or_else(|| FetchError::NoSum(format!("{}/{}", entry.name, file.path)))?;
        if place.is_file() && sum::of_file(&place, &mut |_| {}).map_err(disk)?.eq_ignore_ascii_case(wanted) {
            pin(entry, models, file, wanted, &mut pinned).map_err(disk)?;
            continue;
        }
        std::fs::create_dir_all(place.parent().unwrap_or(models)).map_err(disk)?;
        let part = part_of(&place);
        get(entry, file, origin.mirror, &part, progress).await?;
        let got = sum::of_file(&part, &mut |_| {}).map_err(disk)?;
        if !wanted.eq_ignore_ascii_case(&got) {
            std::fs::remove_file(&part).map_err(disk)?;
            return Err(FetchError::WrongSum { path: place.display().to_string(), got, wanted: wanted.clone() });
        }
        std::fs::rename(&part, &place).map_err(disk)?;
        pin(entry, models, file, wanted, &mut pinned).map_err(disk)?;
    }
    Ok(pinned)
}

/// Where a file lies while it comes.
pub(super) fn part_of(place: &Path) -> PathBuf {
    PathBuf::from(format!("{}.part", place.display()))
}

/// A sum that the list does not give is kept beside the file, for `verify`.
fn pin(entry: &Entry, models: &Path, file: &File, sum: &str, pinned: &mut Vec<(String, String)>) -> std::io::Result<()> {
    if file.sha256.is_none() && entry.pinned(models, file).is_none() {
        entry.pin(models, file, sum)?;
        pinned.push((file.path.clone(), sum.to_owned()));
    }
    Ok(())
}

/// The sums that are known before anything is fetched, by path. A given one wins over one that was pinned.
async fn sums_of(entry: &Entry, models: &Path, origin: Origin<'_>) -> Result<Vec<(String, String)>, FetchError> {
    let unlisted: Vec<&File> = entry.files.iter().filter(|file| file.sha256.is_none()).collect();
    let mut sums: Vec<(String, String)> = entry.files.iter().filter_map(|file| Some((file.path.clone(), file.sha256.clone()?))).collect();
    if let Some(given) = origin.sha256 {
        let [only] = unlisted[..] else { return Err(FetchError::SumTooMany { name: entry.name.clone(), count: unlisted.len() }) };
        if given.len() != sum::HEX_CHARS || !given.chars().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(FetchError::NoSuchSum(given.to_owned()));
        }
        sums.push((only.path.clone(), given.to_ascii_lowercase()));
    }
    sums.extend(unlisted.iter().filter_map(|file| Some((file.path.clone(), entry.pinned(models, file)?))));
    if sums.len() < entry.files.len() {
        sums.extend(mirrored_sums(entry, origin.mirror).await);
    }
    Ok(sums)
}

/// What the mirror itself says: `<name>/SHA256SUMS`, else `SHA256SUMS` with `<name>/<path>` in it. Without one there is none.
async fn mirrored_sums(entry: &Entry, mirror: Option<&Mirror>) -> Vec<(String, String)> {
    let within = format!("{}/", entry.name);
    for (file, prefix) in [(format!("{within}{PINS}"), ""), (PINS.to_owned(), within.as_str())] {
        let text = match mirror {
            Some(Mirror::Folder(folder)) => std::fs::read_to_string(folder.join(&file)).ok(),
            Some(Mirror::Url(base)) => text(&format!("{base}/{file}")).await,
            None => None,
        };
        let found: Vec<_> = text
            .iter()
            .flat_map(|text| sum::listed(text))
            .filter_map(|(path, sum)| Some((path.strip_prefix(prefix)?.to_owned(), sum)))
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

async fn text(url: &str) -> Option<String> {
    let answer = client().ok()?.get(url).send().await.ok()?.error_for_status().ok()?;
    let mut body = answer.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() > SUMS_BYTES {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

async fn get(entry: &Entry, file: &File, mirror: Option<&Mirror>, part: &Path, progress: Progress<'_>) -> Result<(), FetchError> {
    match mirror {
        Some(Mirror::Folder(folder)) => copy(&folder.join(&entry.name).join(&file.path), file, part, progress),
        Some(Mirror::Url(base)) => download(&format!("{base}/{}/{}", entry.name, file.path), file, part, progress).await,
        None => match &file.url {
            Some(url) => download(url, file, part, progress).await,
            None => Err(FetchError::NoSource(format!("{}/{}", entry.name, file.path))),
        },
    }
}

fn copy(from: &Path, file: &File, part: &Path, progress: Progress<'_>) -> Result<(), FetchError> {
    let disk = |path: &Path| {
        let path = path.display().to_string();
        move |source| FetchError::Disk { path, source }
    };
    let mut source = Disk::open(from).map_err(|source| FetchError::Mirror { path: from.display().to_string(), source })?;
    let all = source.metadata().map_err(disk(from))?.len();
    let mut target = Disk::create(part).map_err(disk(part))?;
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    loop {
        let count = source.read(&mut piece).map_err(disk(from))?;
        if count == 0 {
            return target.sync_all().map_err(disk(part));
        }
        target.write_all(&piece[..count]).map_err(disk(part))?;
        done += count as u64;
        progress(&file.path, done, Some(all));
    }
}

async fn download(url: &str, file: &File, part: &Path, progress: Progress<'_>) -> Result<(), FetchError> {
    let net = |why: reqwest::Error| FetchError::Net { url: url.to_owned(), why: causes(&why.without_url()) };
    let disk = |source| FetchError::Disk { path: part.display().to_string(), source };
    let had = std::fs::metadata(part).map_or(0, |part| part.len());
    let mut request = client().map_err(net)?.get(url);
    if had > 0 {
        request = request.header(RANGE, format!("bytes={had}-"));
    }
    let answer = request.send().await.map_err(net)?;
    // The part may be whole already: then nothing is left to send.
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(());
    }
    if !answer.status().is_success() {
        return Err(FetchError::Refused { url: url.to_owned(), status: answer.status() });
    }
    let goes_on = answer.status() == StatusCode::PARTIAL_CONTENT;
    let mut done = if goes_on { had } else { 0 };
    let all = answer.content_length().map(|rest| rest + done).or(file.bytes);
    let mut target = OpenOptions::new().create(true).write(true).append(goes_on).truncate(!goes_on).open(part).map_err(disk)?;
    let mut body = answer.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(net)?;
        target.write_all(&piece).map_err(disk)?;
        done += piece.len() as u64;
        progress(&file.path, done, all);
    }
    target.sync_all().map_err(disk)
}

fn client() -> Result<Client, reqwest::Error> {
    web_client::client(|more| more.redirect(Policy::limited(REDIRECTS)).read_timeout(STALLED).connect_timeout(STALLED))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        out.push_str(": ");
        out.push_str(&cause.to_string());
        next = cause.source();
    }
    out
}

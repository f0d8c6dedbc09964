//! Starts the sound: the disk thread, recognizer threads, media workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context;
use crossbeam_channel::{Sender, TrySendError};

use crate::config::server::{Ports, Server};
use crate::control::surface::Input;
use crate::control::words::directory::{Directory, RecordingForm, Worker};
use crate::control::words::media::WorkerId;
use crate::control::words::speech::{self as words, Heard, Job};
use crate::inlet::Inlet;
use crate::media::rtp::dtls::Identity;
use crate::media::{self, Report, disk, worker};
use crate::sentence::Live;
use crate::speech;
use crate::speech::governor::Gauge;
use crate::vault::Shelf;

/// Media threads outrank recognition, where the system allows it.
const MEDIA_NICE: i32 = -10;

/// What makes words of sound, and sense of words.
pub struct Hearing {
    /// The recognizers.
    pub engines: Arc<speech::Engines>,
    /// The sentence model's pool, where there is one.
    pub meaning: Option<Arc<Live>>,
}

/// The running sound.
pub struct Sound {
    /// Inboxes of the media workers.
    pub workers: BTreeMap<WorkerId, Sender<media::Job>>,
    /// What they count.
    pub counts: Vec<Arc<worker::Counts>>,
    /// Recognizer threads: what they count, and their lines.
    pub recognizers: Vec<(Arc<Gauge>, Sender<Job>)>,
    /// To be joined, in this order, once the inboxes are dropped.
    pub threads: Vec<JoinHandle<()>>,
}

impl Sound {
    /// What the recognizer threads count.
    pub fn gauges(&self) -> Vec<Arc<Gauge>> {
        self.recognizers.iter().map(|(gauge, _)| Arc::clone(gauge)).collect()
    }
}

/// Starts all of it and writes the ports that are really bound into the directory.
///
/// # Errors
/// A port that is taken, a folder that cannot be written, a configured model that does not load.
pub fn start(
    (server, shelf): (&Server, &Shelf),
    directory: &mut Directory,
    hearing: &Hearing,
    door: &Inlet<Input>,
) -> anyhow::Result<Sound> {
    let disks = start_disks((server, shelf), directory.workers.len(), door)?;
    let recognizers = start_recognizers(server, hearing, door)?;
    let inboxes: Vec<_> = recognizers.iter().map(|recognizer| recognizer.jobs.clone()).collect();
    let gauges = recognizers.iter().map(|recognizer| Arc::clone(&recognizer.gauge)).zip(inboxes.iter().cloned()).collect();
    let mut sound = Sound { workers: BTreeMap::new(), counts: Vec::new(), recognizers: gauges, threads: Vec::new() };
    let identity = Arc::new(Identity::make()?);
    directory.protection.fingerprint = Some(identity.fingerprint);
    for (place, disk) in directory.workers.iter_mut().zip(disks.iter().cycle()) {
        let config = worker_config(server, place, directory.limits.media_timeout, &identity);
        let handle = worker::start(config, disk.jobs.clone(), inboxes.clone(), reporter(door.clone()))?;
        place.ports = handle.ports;
        sound.workers.insert(place.id, handle.jobs);
        sound.counts.push(handle.counts);
        sound.threads.push(handle.thread);
    }
    sound.threads.extend(recognizers.into_iter().map(|recognizer| recognizer.thread));
    sound.threads.extend(disks.into_iter().map(|disk| disk.thread));
    Ok(sound)
}

/// One thread writes what all workers record; where that is packed, each worker has its own, for packing is work.
fn start_disks((server, shelf): (&Server, &Shelf), workers: usize, door: &Inlet<Input>) -> anyhow::Result<Vec<disk::Handle>> {
    let folder = &shelf.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the recordings folder {}", folder.display()))?;
    let mended = disk::recover(folder, &shelf.keys).with_context(|| format!("cannot read the recordings folder {}", folder.display()))?;
    for file in mended {
        tracing::warn!(file = %file.display(), "a recording that was cut off has its header mended");
    }
    let count = if server.recordings.form == RecordingForm::Opus { workers.max(1) } else { 1 };
    let start = |_| {
        let door = door.clone();
        let report = move |report| {
            let _ = door.send(input(report));
        };
        let settings = disk::Settings { shelf: shelf.clone(), part: server.recordings.part };
        disk::start_with(settings, report).context("cannot start the disk thread")
    };
    (0..count).map(start).collect()
}

fn start_recognizers(server: &Server, hearing: &Hearing, door: &Inlet<Input>) -> anyhow::Result<Vec<speech::Handle>> {
    let start = |number| {
        let (door, meaning) = (door.clone(), hearing.meaning.clone());
        let tell = move |mut event| {
            if let (Some(live), words::Event::Heard { heard, .. }) = (&meaning, &mut event) {
                mean(live, heard);
            }
            let _ = door.send(Input::Speech(event));
        };
        speech::start(&hearing.engines, number, tell).context("cannot start a recognizer thread")
    };
    (0..usize::from(server.speech.threads)).map(start).collect()
}

/// The words get their meaning; the caller waits for it as for the words.
fn mean(live: &Live, heard: &mut Heard) {
    // Pinyin is no sentence that such a model knows.
    if heard.pinyin.is_none() {
        let begun = Instant::now();
        heard.meanings = live.meanings(&heard.text);
        heard.latency += begun.elapsed();
    }
}

fn worker_config(server: &Server, place: &Worker, media_timeout: std::time::Duration, identity: &Arc<Identity>) -> worker::WorkerConfig {
    let ports = match (&server.media.ports, place.ports.first(), place.ports.last()) {
        (Ports::Range(_), Some(first), Some(last)) => worker::Ports::Even(*first..=*last),
        (Ports::Range(_), ..) => worker::Ports::Any(0),
        (Ports::Free(count), ..) => worker::Ports::Any(usize::from(*count / server.media.workers.max(1))),
    };
    let identity = Some(Arc::clone(identity));
    let (id, bind, levels) = (place.id, server.media.bind, server.media.levels);
    worker::WorkerConfig { id, bind, ports, core: None, nice: MEDIA_NICE, media_timeout, identity, levels }
}

/// A worker must never wait: what finds the door full goes back and comes again at the next tick.
#[expect(clippy::result_large_err, reason = "what finds the door full comes back whole, as from every channel")]
fn reporter(door: Inlet<Input>) -> impl FnMut(Report) -> Result<(), Report> + Send + 'static {
    move |report| match door.try_send(input(report)) {
        Err(TrySendError::Full(input)) => output(input).map_or(Ok(()), Err),
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
    }
}

fn input(report: Report) -> Input {
    match report {
        Report::Media(event) => Input::Media(event),
        Report::Speech(event) => Input::Speech(event),
    }
}

fn output(input: Input) -> Option<Report> {
    match input {
        Input::Media(event) => Some(Report::Media(event)),
        Input::Speech(event) => Some(Report::Speech(event)),
        _ => None,
    }
}

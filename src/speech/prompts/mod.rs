//! Prompts become sound: a recorded file wins, else the synthesizer speaks the text; what was made once is kept.
//!
//! [`Prompts::sound`] never waits: it gives the cell at once, and the thread `prompts` fills it. The memory holds the last
//! sounds used, the disk keeps what was synthesized by a sum of text, voice and engine.

mod cache;
mod make;
mod music;
mod synthesizer;
mod voices;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, select_biased};

pub use make::Maker;
pub use synthesizer::{Espeak, SynthesisError, Synthesizer};
pub use voices::{Other, OtherVoice};

use crate::control::dialplan::check::silent_prompts;
use crate::control::dialplan::{Plan, Problem};
use crate::control::words::Lang;
use crate::control::words::media::Prompt;
use crate::media::sound::{Audio, Sound};

/// Sounds kept in memory; at ten seconds each about 150 MB.
const KEPT: usize = 512;
/// Prompts that wait for the synthesizer; above, the prompt fails.
const WAITING: usize = 1_024;
/// Lists of prompts to be made ahead that wait.
const LISTS_WAITING: usize = 64;
/// The longest tone and silence made at once instead of by the thread.
const AT_ONCE_MS: u32 = 2_000;

/// What the operator may set.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Recorded prompts: `<folder>/<lang>/<id>.wav`, and files named by plans.
    pub folder: PathBuf,
    /// Where synthesized prompts are kept; may be deleted at any time.
    pub cache: PathBuf,
    /// The synthesizer's program.
    pub espeak: PathBuf,
    /// Words a minute.
    pub speed: u16,
    /// Voices by language tag or primary language.
    pub voices: BTreeMap<String, String>,
    /// Voices that are not espeak-ng's, by language tag, primary language or `*`; where they fail, espeak-ng speaks.
    pub others: BTreeMap<String, Other>,
}

impl Default for Config {
    fn default() -> Config {
        // `cmn` and `zh` read characters as English letters; only the pinyin voice speaks Mandarin.
        let voices = [("en", "en-us"), ("en-GB", "en-gb"), ("zh", "cmn-latn-pinyin")];
        Config {
            folder: PathBuf::from("prompts"),
            cache: PathBuf::from("prompts/.cache"),
            espeak: PathBuf::from("espeak-ng"),
            speed: 155,
            voices: voices.into_iter().map(|(lang, voice)| (lang.to_owned(), voice.to_owned())).collect(),
            others: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Is there a voice for the language, and the program that speaks with it?
    #[must_use]
    pub fn speaks(&self, lang: &Lang) -> bool {
        let voice = self.voices.get(&*lang.0).or_else(|| self.voices.get(lang.primary()));
        let beside = || std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(&self.espeak).is_file()));
        let other = self.others.contains_key(&*lang.0) || self.others.contains_key(lang.primary());
        other || voice.is_some() && (self.espeak.is_file() || beside())
    }

    /// Is there a recording of this prompt in the language, or in a related form of it?
    #[must_use]
    pub fn is_recorded(&self, lang: &Lang, id: &str) -> bool {
        let at = |tag: &str| below(&self.folder, &format!("{tag}/{id}.wav")).is_ok_and(|file| file.is_file());
        at(&lang.0) || at(lang.primary())
    }

    /// D152 of a plan: prompts that callers would not hear.
    #[must_use]
    pub fn silent(&self, plan: &Plan, file: &str) -> Vec<Problem> {
        silent_prompts(plan, file, &|lang| self.speaks(lang), &|lang, id| self.is_recorded(lang, id))
    }
}

/// The sounds of all prompts.
#[derive(Debug)]
pub struct Prompts {
    kept: BTreeMap<String, Kept>,
    clock: u64,
    urgent: Sender<Order>,
    ahead: Sender<Vec<Order>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Kept {
    sound: Arc<Sound>,
    used: u64,
}

/// A cell to be filled.
type Order = (Prompt, Arc<Sound>);

impl Prompts {
    /// Starts the thread that makes sounds.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: Config) -> std::io::Result<Prompts> {
        let (urgent, hurried) = bounded(WAITING);
        let (ahead, lists) = bounded(LISTS_WAITING);
        let thread = std::thread::Builder::new().name("prompts".into()).spawn(move || serve(&mut Maker::new(config), &hurried, &lists))?;
        Ok(Prompts { kept: BTreeMap::new(), clock: 0, urgent, ahead, thread: Some(thread) })
    }

    /// The sound of a prompt, now or soon. Never waits; a prompt that cannot be had is a sound that failed.
    pub fn sound(&mut self, prompt: &Prompt) -> Arc<Sound> {
        let sound = self.cell(prompt).sound();
        // A cell that waits in a list made ahead is wanted now: the urgent line overtakes.
        if sound.outcome().is_none() {
            match self.urgent.try_send((prompt.clone(), sound.clone())) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => drop(sound.fill(Err(format!("{WAITING} prompts wait for the synthesizer already")))),
                Err(TrySendError::Disconnected(_)) => drop(sound.fill(Err("the thread that makes prompts has ended".into()))),
            }
        }
        sound
    }

    /// Makes the sounds of a plan's fixed prompts ahead, behind everything that is wanted now.
    pub fn warm(&mut self, prompts: impl IntoIterator<Item = Prompt>) {
        let mut orders: Vec<Order> = Vec::new();
        for prompt in prompts.into_iter().take(KEPT) {
            if let Cell::New(sound) = self.cell(&prompt) {
                orders.push((prompt, sound));
            }
        }
        let count = orders.len();
        if self.ahead.try_send(orders).is_err() {
            tracing::info!(count, "prompts are not made ahead: too many lists wait");
        }
    }

    /// Forgets what is in memory, so that changed recordings are heard: for a reload.
    pub fn forget(&mut self) {
        self.kept.clear();
    }

    /// The cell of a prompt. A failed one is made anew: its cause may be mended.
    fn cell(&mut self, prompt: &Prompt) -> Cell {
        self.clock += 1;
        let key = key(prompt);
        if let Some(kept) = self.kept.get_mut(&key)
            && !matches!(kept.sound.outcome(), Some(Err(_)))
        {
            kept.used = self.clock;
            return Cell::Known(kept.sound.clone());
        }
        if self.kept.len() >= KEPT {
            self.drop_oldest();
        }
        let sound = short(prompt).map_or_else(Sound::pending, Sound::ready);
        self.kept.insert(key, Kept { sound: sound.clone(), used: self.clock });
        if sound.outcome().is_some() { Cell::Known(sound) } else { Cell::New(sound) }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.kept.remove(&key);
        }
    }
}

impl Drop for Prompts {
    fn drop(&mut self) {
        (self.urgent, self.ahead) = (bounded(0).0, bounded(0).0);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

enum Cell {
    /// It is there or somebody makes it.
    Known(Arc<Sound>),
    /// Nobody makes it yet.
    New(Arc<Sound>),
}

impl Cell {
    fn sound(self) -> Arc<Sound> {
        match self {
            Cell::Known(sound) | Cell::New(sound) => sound,
        }
    }
}

fn short(prompt: &Prompt) -> Option<Audio> {
    match prompt {
        Prompt::Tone { hertz, ms } if *ms <= AT_ONCE_MS => Some(Audio::tone(*hertz, *ms)),
        Prompt::Silence { ms } if *ms <= AT_ONCE_MS => Some(Audio::silence(*ms)),
        _ => None,
    }
}

fn key(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text { id, text, lang } => format!("text\0{lang}\0{}\0{text}", id.as_deref().unwrap_or("")),
        Prompt::File(name) => format!("file\0{name}"),
        Prompt::Music(name) => format!("music\0{}", name.as_deref().unwrap_or("")),
        Prompt::Tone { hertz, ms } => format!("tone\0{hertz}\0{ms}"),
        Prompt::Silence { ms } => format!("silence\0{ms}"),
    }
}

/// Fills cells, urgent ones first, until a line is closed.
fn serve(maker: &mut Maker, urgent: &Receiver<Order>, lists: &Receiver<Vec<Order>>) {
    let mut behind: Vec<Order> = Vec::new();
    loop {
        let order = match (urgent.try_recv(), behind.pop()) {
            (Err(TryRecvError::Disconnected), _) => return,
            (Ok(order), None) | (Err(TryRecvError::Empty), Some(order)) => order,
            (Ok(order), Some(later)) => {
                behind.push(later);
                order
            }
            (Err(TryRecvError::Empty), None) => {
                select_biased! {
                    recv(urgent) -> order => match order { Ok(order) => order, Err(_) => return },
                    recv(lists) -> list => match list {
                        Ok(list) => { behind = list; behind.reverse(); continue }
                        Err(_) => return,
                    },
                }
            }
        };
        fill(maker, &order);
    }
}

fn fill(maker: &mut Maker, (prompt, sound): &Order) {
    if sound.outcome().is_some() {
        return;
    }
    let outcome = maker.make(prompt);
    if let Err(why) = &outcome {
        tracing::error!("a prompt cannot be had: {why}");
    }
    sound.fill(outcome);
}

/// A name from a plan may not lead out of its folder.
fn below(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let path = Path::new(name);
    if name.is_empty() || path.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(format!("'{name}' is no file below {}", folder.display()));
    }
    Ok(folder.join(path))
}

#[cfg(test)]
mod tests;

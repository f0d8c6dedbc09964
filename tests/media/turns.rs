//! Who may speak into a prompt, and what it does then: the plan's runner, the mixer and a recognizer in virtual time, so that every row has
//! its milliseconds. Prompts and clips are real sound; what the caller's phone hears is laid beside the undisturbed call.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotline::control::dialplan::wish::{Event as Told, Wish};
use hotline::control::dialplan::{Runner, Source, Start, load};
use hotline::control::time::Time;
use hotline::control::words::media::{Codec, Command, Event, Prompt};
use hotline::control::words::speech::{Job, Listening, Nothing};
use hotline::control::words::{Lang, LegId};
use hotline::media::codec::g711;
use hotline::media::{self, Report, Sound};
use hotline::speech::engines::{Bench, Engine, Purpose};
use hotline::speech::prompts::{self, Maker};
use hotline::speech::{Config, Engines, Hearing, Terms};

use crate::clips::{self, Clip};
use crate::sounds;
use crate::stage::Stage;

/// A slice of virtual time: what happens in it is told to the runner at its end.
const SLICE_MS: u64 = 20;
const LINE: usize = 8_000;
const FRAME: usize = 160;
/// The caller begins so long after the prompt, in milliseconds.
const INTO_THE_PROMPT: u64 = 2_000;
/// Each case is followed so long.
const CASE_MS: u64 = 9_000;
/// Sound of a frame louder than this can be compared with the undisturbed one.
const LOUD: f64 = 200.0;
/// A prompt below this share of itself is being ducked (the player goes to −18 dB, 0.126).
const DUCKING: f64 = 0.9;

/// Every so many clips of single words are said.
const EVERY: usize = 4;
/// Of the options.
const KEYS: &[u8] = b"123456789*#0";

/// How a case is set.
struct Setting {
    lang: &'static str,
    prompt: &'static str,
    options: Vec<String>,
}

impl Setting {
    /// A menu with one option for each sentence, asked by a prompt of more than nine seconds.
    fn plan(&self) -> String {
        let options: String = self
            .options
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let key = KEYS[at] as char;
                format!("          - {{key: \"{key}\", goto: end, label: \"{text}\", examples: {{{}: [\"{text}\"]}}}}\n", self.lang)
            })
            .collect();
        format!(
            "dialplan: 1\nid: turns\ntitle: Turns\nlanguages: [{}]\nnumbers: [\"500\"]\nstart: main\ndefaults:\n  barge_in: words\n  \
             no_input: {{after: 4s, tries: 2, then: end}}\n  no_match: {{tries: 3, then: end}}\n  error: end\nnodes:\n  main:\n    - menu:\n        \
             prompt: \"{}\"\n        options:\n{options}",
            self.lang, self.prompt
        )
    }
}

/// A call in virtual time.
struct Conversation<'a> {
    stage: Stage,
    runner: Runner,
    bench: &'a mut Bench,
    maker: &'a mut Maker,
    caller: LegId,
    ear: Option<Box<dyn Hearing>>,
    listening: Option<Arc<Listening>>,
    /// When speech was confirmed and when the prompt was stopped, in milliseconds of the stage.
    confirmed: Option<u64>,
    stopped: Option<u64>,
    /// The first words heard, partial ones too.
    words: String,
    /// The most that the recognizer took of this machine's time for one frame or end.
    slowest: Duration,
}

const NOON: Time = Time(1_794_362_400_000_000);

impl<'a> Conversation<'a> {
    fn begin(setting: &Setting, bench: &'a mut Bench, maker: &'a mut Maker) -> Conversation<'a> {
        let file = Source { name: "turns.yaml".to_owned(), text: setting.plan() };
        let plans = load(&[file], &std::collections::BTreeMap::new());
        let plan = Arc::clone(plans.plans.get("turns").unwrap_or_else(|| panic!("{:?}", plans.problems)));
        let mut stage = Stage::new();
        let caller = stage.phone(1, Codec::Pcmu, Some(0.0));
        let runner = Runner::new(NOON, 1, plan, Start::voice());
        let mut talk = Conversation {
            stage,
            runner,
            bench,
            maker,
            caller,
            ear: None,
            listening: None,
            confirmed: None,
            stopped: None,
            words: String::new(),
            slowest: Duration::ZERO,
        };
        talk.tell(Told::Started);
        talk
    }

    fn now(&self) -> Time {
        NOON + Duration::from_micros(self.stage.now)
    }

    fn tell(&mut self, event: Told) {
        let mut wishes = Vec::new();
        self.runner.step(self.now(), event, &mut wishes);
        wishes.into_iter().for_each(|wish| self.carry_out(wish));
    }

    fn carry_out(&mut self, wish: Wish) {
        let leg = self.caller;
        match wish {
            Wish::Say { play, prompts, barge_in, .. } => {
                let sounds = prompts.iter().map(|prompt| Sound::ready(self.maker.make(prompt).unwrap())).collect();
                self.stage.give(media::Job { command: Command::Play { leg, play, prompts, repeat: false, barge_in }, sounds });
            }
            Wish::Listen(listening) => {
                let listening = Arc::new(listening);
                self.listening = Some(Arc::clone(&listening));
                self.stage.order(Command::Listen { leg, listening });
            }
            Wish::EndAfter(turn, silence) => self.stage.order(Command::EndAfter { leg, turn, silence }),
            Wish::StopListening(turn) => self.stage.order(Command::StopListen { leg, turn }),
            Wish::StopSaying(play) => {
                self.stopped.get_or_insert(self.stage.now / 1_000);
                self.stage.order(Command::StopPlay { leg, play });
            }
            _ => {}
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / SLICE_MS {
            self.stage.run(SLICE_MS);
            self.hear();
            for report in std::mem::take(&mut self.stage.reports) {
                match report {
                    Report::Media(Event::PlayFinished { play, .. }) => self.tell(Told::PromptFinished(play)),
                    Report::Media(Event::SpeechStarted { .. }) => {
                        self.confirmed.get_or_insert(self.stage.now / 1_000);
                        self.tell(Told::SpeechStarted);
                    }
                    _ => {}
                }
            }
            if self.runner.poll_timeout().is_some_and(|at| at <= self.now()) {
                let mut wishes = Vec::new();
                self.runner.handle_timeout(self.now(), &mut wishes);
                wishes.into_iter().for_each(|wish| self.carry_out(wish));
            }
        }
    }

    /// What the speech thread does, without the thread.
    fn hear(&mut self) {
        let jobs: Vec<Job> = self.stage.speech.try_iter().collect();
        for job in jobs {
            let began = std::time::Instant::now();
            let told = match job {
                Job::Begin { listening, .. } => {
                    let terms = Terms::from(&*listening);
                    self.ear = self.bench.listen(&terms).ok().map(|(ear, _)| ear);
                    None
                }
                Job::Frames { pcm, .. } => self.ear.as_mut().and_then(|ear| ear.push(&pcm)).map(Told::Words),
                Job::Finish { .. } => self.ear.take().map(|ear| match ear.finish() {
                    Ok(reading) => Told::Said {
                        text: reading.text,
                        pinyin: reading.pinyin,
                        confidence: reading.confidence,
                        meanings: hotline::nlu::Meanings::default(),
                    },
                    Err(Nothing::Rejected | Nothing::Failed) => Told::NotUnderstood,
                    Err(Nothing::Overloaded | Nothing::NoEngine) => Told::NoRecognizer,
                }),
                Job::Cancel { .. } => {
                    self.ear = None;
                    None
                }
            };
            self.slowest = self.slowest.max(began.elapsed());
            if let Some(Told::Words(text) | Told::Said { text, .. }) = &told
                && (self.words.is_empty() || self.stopped.is_none())
            {
                self.words.clone_from(text);
            }
            told.into_iter().for_each(|event| self.tell(event));
        }
    }

    /// All that the caller's phone heard, placed by time stamps from the first packet on.
    fn heard(&self) -> Vec<i16> {
        let packets = &self.stage.phones[0].heard;
        let first = packets.first().map_or(0, |(header, _)| header.timestamp);
        let mut line = vec![0; (CASE_MS as usize + 2_000) * LINE / 1_000];
        for (header, payload) in packets {
            let at = header.timestamp.wrapping_sub(first) as usize;
            if let Some(place) = line.get_mut(at..at + payload.len()) {
                let decode = |byte: &u8| g711::decode(g711::Law::Mu, *byte);
                place.iter_mut().zip(payload).for_each(|(sample, byte)| *sample = decode(byte));
            }
        }
        line
    }
}

fn rms(sound: &[i16]) -> f64 {
    (sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / sound.len().max(1) as f64).sqrt()
}

/// What a case came to, in milliseconds after the caller's sound began.
#[derive(Debug)]
struct Outcome {
    confirmed: Option<u64>,
    ducked: Option<u64>,
    stopped: Option<u64>,
    /// Full level again after having been ducked.
    back: Option<u64>,
    /// The words that stopped it, or were heard last.
    words: String,
    slowest: Duration,
}

/// The room in which cases are played.
struct Lab {
    bench: Bench,
    maker: Maker,
    setting: Setting,
    /// The undisturbed call, as the phone hears it.
    plain: Vec<i16>,
    /// Where prompts are kept meanwhile.
    _cache: tempfile::TempDir,
}

impl Lab {
    /// `None`, and why is printed, where prompts cannot be spoken.
    fn new(engines: &Arc<Engines>, setting: Setting) -> Option<Lab> {
        let cache = tempfile::tempdir().unwrap();
        let mut maker = Maker::new(prompts::Config { cache: cache.path().to_owned(), ..prompts::Config::default() });
        let prompt = Prompt::Text { id: None, text: setting.prompt.to_owned(), lang: Lang::new(setting.lang) };
        if let Err(why) = maker.make(&prompt) {
            println!("SKIPPED: {why}");
            return None;
        }
        println!("| {} | the prompt | confirmed, ms | ducked, ms | stopped, ms | back, ms | words | slowest step, ms |", setting.lang);
        let mut lab = Lab { bench: Bench::new(Arc::clone(engines), Purpose::Live), maker, setting, plain: Vec::new(), _cache: cache };
        let mut talk = Conversation::begin(&lab.setting, &mut lab.bench, &mut lab.maker);
        talk.run(CASE_MS);
        assert!(talk.confirmed.is_none() && talk.stopped.is_none(), "nobody speaks");
        lab.plain = talk.heard();
        Some(lab)
    }

    /// A caller's sound, begun at its first loud frame.
    fn case(&mut self, sound: &[i16]) -> Outcome {
        let lead = sound.chunks(FRAME).position(|frame| rms(frame) > LOUD).unwrap_or(0) as u64 * SLICE_MS;
        let mut talk = Conversation::begin(&self.setting, &mut self.bench, &mut self.maker);
        talk.run(INTO_THE_PROMPT);
        talk.stage.phones[0].reads.extend(sound);
        talk.run(CASE_MS - INTO_THE_PROMPT);
        let heard = talk.heard();
        let after = |at: u64| at.saturating_sub(INTO_THE_PROMPT + lead);
        let shares: Vec<(u64, f64)> = (0..heard.len() / FRAME)
            .map(|at| (at as u64 * SLICE_MS, &heard[at * FRAME..(at + 1) * FRAME], &self.plain[at * FRAME..(at + 1) * FRAME]))
            .filter(|(at, _, plain)| *at >= INTO_THE_PROMPT && rms(plain) > LOUD && talk.stopped.is_none_or(|stop| *at < stop))
            .map(|(at, heard, plain)| (at, rms(heard) / rms(plain)))
            .collect();
        let ducked = shares.iter().find(|(_, share)| *share < DUCKING).map(|(at, _)| *at);
        let back = ducked.and_then(|since| shares.iter().find(|(at, share)| *at > since && *share > DUCKING).map(|(at, _)| *at));
        let Conversation { confirmed, stopped, words, slowest, .. } = talk;
        let (confirmed, ducked, stopped, back) = (confirmed.map(after), ducked.map(after), stopped.map(after), back.map(after));
        Outcome { confirmed, ducked, stopped, back, words, slowest }
    }

    /// The undisturbed prompt as it comes back from a loudspeaker: so long later, at this share of itself, the whole call long.
    fn echo(&mut self, delay_ms: usize, gain: f64) -> Outcome {
        let late = vec![0; delay_ms * LINE / 1_000];
        let echo: Vec<i16> = late.into_iter().chain(self.plain.iter().map(|sample| (f64::from(*sample) * gain) as i16)).collect();
        let mut talk = Conversation::begin(&self.setting, &mut self.bench, &mut self.maker);
        talk.stage.phones[0].reads.extend(&echo);
        talk.run(CASE_MS);
        let Conversation { confirmed, stopped, words, slowest, .. } = talk;
        Outcome { confirmed, ducked: confirmed, stopped, back: None, words, slowest }
    }
}

fn ms(at: Option<u64>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.to_string())
}

fn row(name: &str, outcome: &Outcome) {
    let Outcome { confirmed, ducked, stopped, back, words, slowest } = outcome;
    let what = if stopped.is_some() { "stops" } else { "goes on" };
    let times = [confirmed, ducked, stopped, back].map(|at| ms(*at)).join(" | ");
    println!("| {name} | {what} | {times} | {words} | {} |", slowest.as_millis());
}

fn louder(sound: &[i16], to_rms: f64) -> Vec<i16> {
    let gain = to_rms / rms(sound).max(1.0);
    sound.iter().map(|sample| (f64::from(*sample) * gain).clamp(-32_000.0, 32_000.0) as i16).collect()
}

/// What is no wish, in every language.
fn quiet_matrix(lab: &mut Lab, nods: &[&str]) {
    let lang = Lang::new(lab.setting.lang);
    let prompt_level = rms(&lab.plain);
    let say = |lab: &mut Lab, text: &str| {
        let prompt = Prompt::Text { id: None, text: text.to_owned(), lang: lang.clone() };
        lab.maker.make(&prompt).unwrap().linear().to_vec()
    };
    let mut rows = Vec::new();
    for nod in nods {
        let sound = say(lab, nod);
        rows.push((format!("a nod: {nod}"), lab.case(&sound)));
    }
    rows.push(("a cough".to_owned(), lab.case(&sounds::cough())));
    rows.push(("street noise".to_owned(), lab.case(&sounds::street(7 * LINE))));
    let music: Vec<i16> = lab.maker.make(&Prompt::Music(None)).unwrap().linear()[..7 * LINE].to_vec();
    for (name, share) in [("music, as loud as the prompt", 1.0), ("music, 10 dB below the prompt", 0.316)] {
        rows.push((name.to_owned(), lab.case(&louder(&music, prompt_level * share))));
    }
    for delay in [20, 100, 250] {
        rows.push((format!("echo at −6 dB, {delay} ms late"), lab.echo(delay, 0.5)));
    }
    for (name, outcome) in &rows {
        row(name, outcome);
    }
    for (name, outcome) in &rows {
        assert!(outcome.stopped.is_none(), "{name} stopped the prompt: {outcome:?}");
    }
}

/// The share of clips that stopped the prompt before they were over, each a row.
fn spoken_matrix(lab: &mut Lab, clips: &[&Clip]) -> f64 {
    let stopped = clips.iter().filter(|clip| {
        let line = clips::line(&clip.pcm);
        let outcome = lab.case(&line);
        row(&clip.text, &outcome);
        outcome.stopped.is_some()
    });
    stopped.count() as f64 / clips.len() as f64
}

fn engines(data: &Path, engine: Engine) -> Arc<Engines> {
    let live = [("*".to_owned(), vec![engine])].into();
    Arc::new(Engines::load(Config { models: data.join("models"), live, ..Config::default() }).unwrap())
}

#[test]
fn english_words_stop_a_prompt_and_nods_coughs_echoes_music_and_the_street_do_not() {
    let Some(data) = clips::shared() else {
        return println!("SKIPPED: ../shared/data/speech is missing; set HOTLINE_SHARED");
    };
    let engines = engines(&data, Engine::Pocketsphinx);
    if Bench::new(Arc::clone(&engines), Purpose::Live).recognizer(Engine::Pocketsphinx, &Lang::new("en-US")).is_err() {
        return println!("SKIPPED: pocketsphinx-en-us is missing; run `make setup`");
    }
    let clips = clips::read(&data);
    let read = |clip: &&Clip| clip.lang == "en" && ["read", "command"].contains(&clip.kind.as_str());
    let meant: Vec<&Clip> = clips.iter().filter(read).take(KEYS.len()).collect();
    let setting = Setting {
        lang: "en-US",
        prompt: "Welcome to the robot. It walks, it turns around, it stops at once when somebody stands in its way, and it never gets tired of it. What shall it do next, please?",
        options: meant.iter().map(|clip| clip.text.clone()).collect(),
    };
    let Some(mut lab) = Lab::new(&engines, setting) else { return };
    let stopped = spoken_matrix(&mut lab, &meant);
    quiet_matrix(&mut lab, &["uh-huh.", "mm.", "okay."]);
    assert!(stopped > 0.9, "{stopped}");
}

#[test]
fn chinese_words_stop_a_prompt_and_nods_coughs_echoes_music_and_the_street_do_not() {
    let Some(data) = clips::shared() else {
        return println!("SKIPPED: ../shared/data/speech is missing; set HOTLINE_SHARED");
    };
    let engines = engines(&data, Engine::Zipformer);
    if Bench::new(Arc::clone(&engines), Purpose::Live).recognizer(Engine::Zipformer, &Lang::new("zh-CN")).is_err() {
        return println!("SKIPPED: the streaming model for Mandarin is missing in {}", data.display());
    }
    let clips = clips::read(&data);
    let words: Vec<&Clip> = clips.iter().filter(|clip| clip.lang == "zh" && clip.kind == "word").collect();
    let mut options: Vec<String> = words.iter().map(|clip| clip.text.clone()).collect();
    options.sort();
    options.dedup();
    options.truncate(KEYS.len());
    let meant: Vec<&Clip> = words.into_iter().filter(|clip| options.contains(&clip.text)).step_by(EVERY).collect();
    let prompt =
        "欢迎致电我们的服务热线，我们全天二十四小时为您服务，您可以直接说出您要办理的业务，也可以按键选择，请问您今天需要办理什么业务呢？";
    let Some(mut lab) = Lab::new(&engines, Setting { lang: "zh-CN", prompt, options }) else { return };
    let stopped = spoken_matrix(&mut lab, &meant);
    quiet_matrix(&mut lab, &["嗯。", "哦。", "啊。"]);
    assert!(stopped > 0.8, "{stopped}");
}

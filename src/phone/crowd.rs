//! Many callers at once, each a whole phone: what a center does when more call than usual.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::drive::{Clock, Error, Options, Station, key_chance};
use super::line::{Input, Line, Output};
use super::report::{EndedBy, Report};
use super::script::Step;
use super::wire;
use crate::control::random::Random;
use crate::control::sip::endpoint::{self, Endpoint};
use crate::control::time::Time;
use crate::control::words::LegId;
use crate::control::words::media::{Command, Event as Sound, Gaps};
use crate::control::words::sip::ListenerId;

/// All callers of a wave have begun after so long, or after half of it when it is short.
const RAMP: Duration = Duration::from_secs(10);
/// Between the end of a call and the next of the same caller: at least, and at most so much more.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// How often is told how it stands.
const TOLD: Duration = Duration::from_secs(5);
const OK: u16 = 200;
const BUSY_HERE: u16 = 503;

/// How many call, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One after the other; each keeps so many calls going for so long.
    pub waves: Vec<Wave>,
    /// What a caller does: the calls take them in turn.
    pub scripts: Vec<Arc<[Step]>>,
}

/// A level of load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wave {
    /// Calls at a time.
    pub callers: u16,
    /// For so long.
    pub lasts: Duration,
}

/// What became of the calls of a wave.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Tally {
    /// Calls begun.
    pub calls: u64,
    /// Answered and ended by one of both sides.
    pub served: u64,
    /// Refused with 503.
    pub refused: u64,
    /// Refused otherwise, not answered, or broken off.
    pub failed: u64,
    /// Of those served, by us: the script's longest time was over.
    pub cut_by_us: u64,
    /// From INVITE to answer, the longest, in milliseconds.
    pub longest_setup_ms: u64,
    /// RTP packets that came.
    pub packets: u64,
    /// That never came.
    pub lost: u64,
    /// Between two packets made 20 ms apart, by [`Gaps::BOUNDS`].
    #[serde(skip)]
    pub gaps: Gaps,
}

impl Tally {
    fn add(&mut self, report: &Report) {
        match (report.status, report.ended_by) {
            (BUSY_HERE, _) => self.refused += 1,
            (OK, EndedBy::FarEnd | EndedBy::Us) => self.served += 1,
            _ => self.failed += 1,
        }
        self.cut_by_us += u64::from(report.status == OK && report.ended_by == EndedBy::Us);
        self.longest_setup_ms = self.longest_setup_ms.max(report.setup_ms.unwrap_or(0));
        self.packets += report.media.received;
        self.lost += report.media.lost;
        self.gaps.merge(&report.media.gaps);
    }

    /// Calls under way.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.calls - self.served - self.refused - self.failed
    }
}

/// A caller.
struct Caller {
    line: Line,
    /// Which wave his call belongs to; `None` between calls.
    wave: Option<usize>,
    /// When he calls next; `None` when he calls or will not any more.
    next: Option<Time>,
}

struct Crowd {
    station: Station,
    options: Options,
    plan: Plan,
    callers: Vec<Option<Caller>>,
    whose: HashMap<LegId, usize>,
    random: Random,
    clock: Clock,
    began: Time,
    tallies: Vec<Tally>,
    calls: usize,
}

/// Keeps the waves' calls going; `tell` hears every few seconds how it stands. A message on `quit` ends all calls.
///
/// # Errors
/// When sockets or threads cannot be had.
pub async fn run(options: Options, plan: Plan, mut quit: mpsc::Receiver<()>, mut tell: impl FnMut(&[Tally])) -> Result<Vec<Tally>, Error> {
    let most = plan.waves.iter().map(|wave| wave.callers).max().unwrap_or(0);
    let station = Station::open(&options, most).await?;
    let clock = Clock::start();
    let random = Random::new(getrandom::u64().map_err(std::io::Error::other)?);
    let tallies = vec![Tally::default(); plan.waves.len()];
    let callers = (0..most).map(|_| None).collect();
    let began = clock.now();
    let mut crowd = Crowd { station, options, plan, callers, whose: HashMap::new(), random, clock, began, tallies, calls: 0 };
    let (mut told, mut quits) = (began + TOLD, true);
    crowd.begin_waves()?;
    loop {
        let now = crowd.clock.now();
        crowd.go_on(now)?;
        if crowd.is_over(now) {
            break;
        }
        if told <= now {
            told = now + TOLD;
            tell(&crowd.tallies);
        }
        let due = crowd.next_due().map_or(told, |due| due.min(told));
        tokio::select! {
            biased;
            Some(input) = crowd.station.inputs.recv() => crowd.take(input),
            message = quit.recv(), if quits => match message {
                Some(()) => crowd.quit(),
                None => quits = false,
            },
            () = tokio::time::sleep_until(tokio::time::Instant::from_std(crowd.clock.instant(due))) => {}
        }
    }
    let Crowd { station, tallies, .. } = crowd;
    station.end();
    Ok(tallies)
}

impl Crowd {
    /// Every caller of the largest wave is made; he calls first when the first wave that he belongs to has come to him.
    fn begin_waves(&mut self) -> Result<(), Error> {
        for at in 0..self.callers.len() {
            let wave = (0..self.plan.waves.len()).find(|wave| at < usize::from(self.plan.waves[*wave].callers));
            let Some(wave) = wave else { continue };
            let fresh = if wave == 0 { 0 } else { usize::from(self.plan.waves[wave - 1].callers) };
            let share = (at - fresh.min(at)) as f64 / f64::from(self.plan.waves[wave].callers).max(1.0);
            let ramp = RAMP.min(self.plan.waves[wave].lasts / 2);
            let next = self.began + self.start_of(wave) + ramp.mul_f64(share);
            let line = self.line(at)?;
            self.callers[at] = Some(Caller { line, wave: None, next: Some(next) });
        }
        Ok(())
    }

    fn start_of(&self, wave: usize) -> Duration {
        self.plan.waves[..wave].iter().map(|wave| wave.lasts).sum()
    }

    /// The wave at a time; `None` after the last.
    fn wave_at(&self, now: Time) -> Option<usize> {
        let passed = now.since(self.began);
        (0..self.plan.waves.len()).find(|wave| passed < self.start_of(wave + 1))
    }

    /// A phone that has not called yet.
    fn line(&mut self, at: usize) -> Result<Line, Error> {
        let number = u16::try_from(at).unwrap_or(u16::MAX);
        let seed = self.random.bits();
        let now = self.clock.now();
        let listener = self.station.listeners[at].clone();
        let endpoint = Endpoint::new(now, seed, endpoint::Settings::new(vec![listener], "phone", seed));
        let mut options = self.options.clone();
        options.account.user = format!("{}{at:04}", options.account.user);
        Ok(Line::idle(now, seed, endpoint, self.station.settings(&options, number, seed, key_chance()?)))
    }

    /// Begins calls that are due, does what lines have to do, carries out what they wish.
    fn go_on(&mut self, now: Time) -> Result<(), Error> {
        let running = self.wave_at(now);
        for at in 0..self.callers.len() {
            let wave = running.filter(|wave| at < usize::from(self.plan.waves[*wave].callers));
            let Some(caller) = &mut self.callers[at] else { continue };
            if caller.next.is_some_and(|next| next <= now) {
                caller.next = None;
                if let Some(wave) = wave {
                    let steps = self.plan.scripts.get(self.calls % self.plan.scripts.len().max(1)).map(|steps| steps.to_vec());
                    self.calls += 1;
                    self.tallies[wave].calls += 1;
                    caller.wave = Some(wave);
                    caller.line.call_again(now, steps.unwrap_or_default());
                }
            }
            if caller.line.poll_timeout().is_some_and(|due| due <= now) {
                caller.line.handle_timeout(now);
            }
            self.carry_out(at, now);
        }
        Ok(())
    }

    fn carry_out(&mut self, at: usize, now: Time) {
        let Some(caller) = &mut self.callers[at] else { return };
        while let Some(output) = caller.line.poll_output() {
            match output {
                Output::Sip(transmit) => self.station.net.send(transmit),
                Output::Locate(question) => self.station.net.locate(question),
                Output::Media(job) => {
                    if let Command::OpenLeg { leg, .. } = &job.command {
                        self.whose.insert(*leg, at);
                    }
                    drop(self.station.media.jobs.send(job));
                }
                Output::Over(report) => {
                    if let Some(wave) = caller.wave.take() {
                        self.tallies[wave].add(&report);
                    }
                    let rest = REST.0 + REST.1.mul_f64(self.random.unit());
                    caller.next = Some(now + rest);
                }
                Output::Tell(_) | Output::Done => {}
            }
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.clock.now();
        let Some(at) = self.whose(&input) else { return };
        if let Input::Sound(Sound::LegClosed { leg, .. }) = &input {
            self.whose.remove(leg);
        }
        if let Some(caller) = self.callers.get_mut(at).and_then(Option::as_mut) {
            caller.line.handle(now, input);
            self.carry_out(at, now);
        }
    }

    /// Whose phone something is for.
    fn whose(&self, input: &Input) -> Option<usize> {
        let by_socket = |ListenerId(number): ListenerId| Some(usize::from(number));
        match input {
            Input::Wire(wire::Input::Sip(received)) => by_socket(received.flow.listener),
            Input::Wire(wire::Input::SipBroken(flow)) => by_socket(flow.listener),
            Input::Sound(
                Sound::KeyPressed { leg, .. }
                | Sound::PlayBegan { leg, .. }
                | Sound::PlayFinished { leg, .. }
                | Sound::SpeechStarted { leg, .. }
                | Sound::MediaLost { leg }
                | Sound::LegClosed { leg, .. },
            )
            | Input::FarEnded(leg) => self.whose.get(leg).copied(),
            // The destination was looked up at the start, and nothing is recorded.
            Input::Wire(wire::Input::Located(..)) | Input::Sound(_) | Input::Quit => None,
        }
    }

    fn next_due(&self) -> Option<Time> {
        self.callers.iter().flatten().flat_map(|caller| [caller.next, caller.line.poll_timeout()]).flatten().min()
    }

    /// The waves are over, and so is every call.
    fn is_over(&self, now: Time) -> bool {
        self.wave_at(now).is_none() && self.callers.iter().flatten().all(|caller| caller.wave.is_none())
    }

    /// Ends what runs; nobody calls any more.
    fn quit(&mut self) {
        let now = self.clock.now();
        self.plan.waves.iter_mut().for_each(|wave| wave.lasts = Duration::ZERO);
        for at in 0..self.callers.len() {
            if let Some(caller) = self.callers[at].as_mut().filter(|caller| caller.wave.is_some()) {
                caller.line.handle(now, Input::Quit);
                self.carry_out(at, now);
            }
        }
    }
}

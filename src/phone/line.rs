//! One phone line as a state machine: a SIP endpoint, at most one call, a script. Pure: inputs and time come in, outputs go out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::control::random::Random;
use crate::control::sdp::{self, Direction, Local};
use crate::control::sip::endpoint::{Endpoint, Outgoing, Registration};
use crate::control::sip::happening::{Happening, Invited};
use crate::control::time::Time;
use crate::control::words::media::{BargeIn, Command, Event as Sound, LegStats, Prompt, Stream};
use crate::control::words::sip::{Transmit, Whereabouts};
use crate::control::words::speech::{Expect, Listening};
use crate::control::words::{Lang, LegId, PlayId, RecordingId, RoomId, TurnId};
use crate::media::Job;

use super::report::{EndedBy, Event, Report, Stamped};
use super::script::{Manners, Script, Step, Wish};
use super::wire;

/// From the end of a call to its last packet counts; then the report goes out without them.
const CLOSING: Duration = Duration::from_secs(3);
/// A far end that was silent once is asked so often whether it is still there.
const ASK_EVERY: Duration = Duration::from_secs(15);
const OK: u16 = 200;
const RINGING: u16 = 180;
const BUSY: u16 = 486;
const NOT_ACCEPTABLE: u16 = 488;
const TERMINATED: u16 = 487;

/// What the phone is for.
#[derive(Clone, Debug)]
pub enum Task {
    /// Calls somebody once.
    Call(Box<Outgoing>),
    /// Answers calls.
    Answer {
        /// How long it rings first.
        ring: Duration,
        /// After so many calls it is done.
        calls: u32,
    },
    /// Refuses calls with this status.
    Refuse {
        /// 486, 603 …
        status: u16,
        /// After so many calls it is done.
        calls: u32,
    },
}

/// What a line needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it is for; a call waits for the registration when there is one.
    pub task: Task,
    /// Registers first.
    pub registration: Option<Registration>,
    /// Our side of every description.
    pub local: Local,
    /// What it does in each call.
    pub steps: Vec<Step>,
    /// And how.
    pub manners: Manners,
    /// Silence of the far end that counts as the end of its words.
    pub pause: Duration,
    /// Is each call recorded?
    pub keeps: Keeps,
}

/// What is kept of a phone's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// A file of each.
    Recordings,
    /// The report.
    Reports,
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// From the SIP sockets.
    Wire(wire::Input),
    /// From the media worker.
    Sound(Sound),
    /// The far end of this leg has fallen silent (an utterance is over).
    FarEnded(LegId),
    /// The user hangs up and the phone ends.
    Quit,
}

impl From<wire::Input> for Input {
    fn from(input: wire::Input) -> Input {
        Input::Wire(input)
    }
}

/// What goes out.
#[derive(Debug)]
pub enum Output {
    /// Send it.
    Sip(Transmit),
    /// Ask DNS where a request may go.
    Locate(Whereabouts),
    /// Do it.
    Media(Job),
    /// Tell it.
    Tell(Event),
    /// A call is over. Its recording is below the recordings folder.
    Over(Box<Report>),
    /// The phone is done.
    Done,
}

#[derive(Debug)]
enum State {
    SigningOn,
    Idle,
    Calling { leg: LegId },
    Ringing { invited: Box<Invited>, until: Time },
    Talking(Box<Talk>),
    Closing { until: Time, recording: bool, leg: bool },
    Done,
}

#[derive(Debug)]
struct Talk {
    leg: LegId,
    room: RoomId,
    recording: RecordingId,
    script: Script,
    direction: Direction,
    version: u64,
    /// When the far end is asked again whether it is there.
    ask_at: Option<Time>,
}

/// The line.
#[derive(Debug)]
pub struct Line {
    endpoint: Endpoint,
    settings: Settings,
    random: Random,
    state: State,
    report: Option<Box<Report>>,
    began: Time,
    answered: Option<Time>,
    calls: u32,
    outbox: VecDeque<Output>,
}

impl Line {
    /// A line that begins at once.
    #[must_use]
    pub fn new(now: Time, seed: u64, endpoint: Endpoint, settings: Settings) -> Line {
        let mut line = Line::idle(now, seed, endpoint, settings);
        match line.settings.registration.clone() {
            Some(registration) => {
                line.state = State::SigningOn;
                line.endpoint.register(now, registration);
            }
            None => line.begin(now),
        }
        line.settle(now);
        line
    }

    /// A line that does nothing before [`Line::call_again`].
    #[must_use]
    pub fn idle(now: Time, seed: u64, endpoint: Endpoint, settings: Settings) -> Line {
        Line {
            endpoint,
            settings,
            random: Random::new(seed),
            state: State::Idle,
            report: None,
            began: now,
            answered: None,
            calls: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Calls once more after [`Output::Done`], with other steps.
    pub fn call_again(&mut self, now: Time, steps: Vec<Step>) {
        self.settings.steps = steps;
        self.begin(now);
        self.settle(now);
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Wire(input) => input.enter(now, &mut self.endpoint),
            Input::Sound(event) => self.sound(now, event),
            Input::FarEnded(leg) if self.leg() == Some(leg) => self.far_ended(now),
            Input::FarEnded(_) => {}
            Input::Quit => self.quit(now),
        }
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.endpoint.handle_timeout(now);
        match &mut self.state {
            State::Ringing { until, .. } if *until <= now => self.pick_up(now),
            State::Talking(talk) => {
                talk.script.handle_timeout(now);
                let due = talk.ask_at.is_some_and(|at| at <= now);
                if due {
                    self.ask_whether_there(now);
                }
            }
            State::Closing { until, .. } if *until <= now => self.finish(now),
            _ => {}
        }
        self.settle(now);
    }

    /// When `handle_timeout` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let own = match &self.state {
            State::Ringing { until, .. } | State::Closing { until, .. } => Some(*until),
            State::Talking(talk) => talk.script.poll_timeout().into_iter().chain(talk.ask_at).min(),
            State::SigningOn | State::Idle | State::Calling { .. } | State::Done => None,
        };
        [own, self.endpoint.poll_timeout()].into_iter().flatten().min()
    }

    /// The next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Carries out the script's wishes and takes the endpoint's news until both are quiet.
    fn settle(&mut self, now: Time) {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.outbox.push_back(Output::Sip(transmit));
            }
            while let Some(question) = self.endpoint.poll_question() {
                self.outbox.push_back(Output::Locate(question));
            }
            let wish = match &mut self.state {
                State::Talking(talk) => talk.script.poll_wish(),
                _ => None,
            };
            if let Some(wish) = wish {
                self.carry_out(now, wish);
            } else if let Some(happening) = self.endpoint.poll_happening() {
                self.news(now, happening);
            } else {
                return;
            }
        }
    }

    fn begin(&mut self, now: Time) {
        self.state = State::Idle;
        if let Task::Call(outgoing) = &self.settings.task {
            let mut outgoing = outgoing.as_ref().clone();
            outgoing.sdp = sdp::offer(&self.settings.local);
            let leg = self.endpoint.new_leg(now);
            self.open_report(now, "out", outgoing.request_uri.clone());
            self.tell(now, Event::Calling);
            self.endpoint.invite(now, leg, outgoing);
            self.state = State::Calling { leg };
        }
    }

    fn news(&mut self, now: Time, happening: Happening) {
        match happening {
            Happening::SignedOn { .. } if matches!(self.state, State::SigningOn) => {
                self.tell(now, Event::Registered);
                self.begin(now);
            }
            Happening::SignOnFailed { status, .. } if matches!(self.state, State::SigningOn) => {
                self.tell(now, Event::RegistrationFailed { status });
                self.done();
            }
            Happening::Invited(invited) => self.invited(now, invited),
            Happening::Progress { status, .. } if status >= RINGING => self.tell(now, Event::Ringing { status }),
            Happening::Answered { leg, sdp } => self.answered(now, leg, &sdp),
            Happening::Refused { leg, status } if self.leg() == Some(leg) => self.over(now, EndedBy::Refused, status),
            Happening::Cancelled { leg } if self.leg() == Some(leg) => self.over(now, EndedBy::Refused, TERMINATED),
            Happening::HungUp { leg } if self.leg() == Some(leg) => self.over(now, EndedBy::FarEnd, OK),
            Happening::Lost { leg, why } if self.leg() == Some(leg) => {
                if let Some(report) = &mut self.report {
                    report.why = Some(why);
                }
                self.over(now, EndedBy::Failed, OK);
            }
            Happening::Offered { leg, sdp } if self.leg() == Some(leg) => self.offered(now, leg, sdp),
            Happening::Confirmed { leg, sdp: Some(sdp) } | Happening::Reanswered { leg, sdp } if self.leg() == Some(leg) => {
                self.update(now, &sdp)
            }
            Happening::Key { leg, key } if self.leg() == Some(leg) => self.key(now, key),
            _ => {}
        }
    }

    fn leg(&self) -> Option<LegId> {
        match &self.state {
            State::Calling { leg } => Some(*leg),
            State::Ringing { invited, .. } => Some(invited.leg),
            State::Talking(talk) => Some(talk.leg),
            State::SigningOn | State::Idle | State::Closing { .. } | State::Done => None,
        }
    }

    fn invited(&mut self, now: Time, invited: Box<Invited>) {
        let ring = match &self.settings.task {
            Task::Answer { ring, .. } if matches!(self.state, State::Idle) => *ring,
            Task::Refuse { status, .. } if matches!(self.state, State::Idle) => {
                let status = *status;
                self.open_report(now, "in", invited.caller.clone());
                self.tell(now, Event::Incoming { from: invited.caller.clone() });
                self.endpoint.refuse(now, invited.leg, status, &[]);
                self.over(now, EndedBy::Us, status);
                return;
            }
            _ => {
                self.endpoint.refuse(now, invited.leg, BUSY, &[]);
                return;
            }
        };
        self.open_report(now, "in", invited.caller.clone());
        self.tell(now, Event::Incoming { from: invited.caller.clone() });
        self.endpoint.ring(now, invited.leg, RINGING, None);
        self.state = State::Ringing { invited, until: now + ring };
        if ring.is_zero() {
            self.pick_up(now);
        }
    }

    /// The ringing is over: answers.
    fn pick_up(&mut self, now: Time) {
        let State::Ringing { invited, .. } = &self.state else { return };
        let leg = invited.leg;
        match &invited.sdp {
            Some(offer) => match sdp::answer(&self.settings.local, offer) {
                Ok((answer, stream)) => {
                    self.endpoint.answer(now, leg, answer);
                    self.talk(now, leg, stream);
                }
                Err(refused) => {
                    self.endpoint.refuse(now, leg, refused.status, &[]);
                    self.over(now, EndedBy::Failed, refused.status);
                }
            },
            None => self.endpoint.answer(now, leg, sdp::offer(&self.settings.local)),
        }
    }

    fn answered(&mut self, now: Time, leg: LegId, answer: &Bytes) {
        if !matches!(&self.state, State::Calling { leg: ours } if *ours == leg) {
            return;
        }
        match sdp::accept(&self.settings.local, answer) {
            Ok(stream) => self.talk(now, leg, stream),
            Err(_) => {
                self.endpoint.hang_up(now, leg, &[]);
                self.over(now, EndedBy::Failed, NOT_ACCEPTABLE);
            }
        }
    }

    fn talk(&mut self, now: Time, leg: LegId, stream: Stream) {
        let codec = stream.codec.encoding();
        let (room, recording) = (RoomId::new(now, &mut self.random), RecordingId::new(now, &mut self.random));
        let path = (self.settings.keeps == Keeps::Recordings).then(|| PathBuf::from(format!("{recording}.wav")));
        self.answered = Some(now);
        if let Some(report) = &mut self.report {
            (report.status, report.codec, report.recording) = (OK, Some(codec.to_owned()), path.clone());
            report.srtp = stream.security.word();
            report.setup_ms = Some(millis(now.since(self.began)));
        }
        self.tell(now, Event::Answered { codec: codec.to_owned() });
        self.command(Command::OpenLeg { room, leg, stream });
        if let Some(path) = path {
            self.command(Command::StartRecording { room, recording, customer: leg, path });
        }
        let listening = Listening {
            turn: TurnId::new(now, &mut self.random),
            lang: Lang::new("en-US"),
            expect: Expect::Sentence,
            hints: Arc::default(),
            end_silence: self.settings.pause,
            max: self.settings.manners.longest,
        };
        self.command(Command::Listen { leg, listening: Arc::new(listening) });
        let script = Script::new(now, self.settings.steps.clone(), self.settings.manners);
        self.state = State::Talking(Box::new(Talk {
            leg,
            room,
            recording,
            script,
            direction: Direction::SendRecv,
            version: self.settings.local.version,
            ask_at: None,
        }));
    }

    fn carry_out(&mut self, now: Time, wish: Wish) {
        let Some(leg) = self.leg() else { return };
        match wish {
            Wish::Say { name, sound } => {
                self.tell(now, Event::Said { name });
                let play = PlayId::new(now, &mut self.random);
                let command = Command::Play { leg, play, prompts: vec![Prompt::Silence { ms: 0 }], repeat: false, barge_in: BargeIn::Off };
                self.outbox.push_back(Output::Media(Job { command, sounds: vec![sound] }));
            }
            Wish::Keys(keys) => {
                self.tell(now, Event::Pressed { keys: keys.clone() });
                self.command(Command::SendKeys { leg, keys });
            }
            Wish::Hold => self.reoffer(now, Direction::SendOnly, "us"),
            Wish::Resume => self.reoffer(now, Direction::SendRecv, "nobody"),
            Wish::HangUp => {
                self.endpoint.hang_up(now, leg, &[]);
                self.over(now, EndedBy::Us, OK);
            }
        }
    }

    fn reoffer(&mut self, now: Time, direction: Direction, by: &'static str) {
        let State::Talking(talk) = &mut self.state else { return };
        talk.direction = direction;
        talk.version += 1;
        let local = Local { direction, version: talk.version, ..self.settings.local.clone() };
        self.endpoint.reoffer(now, talk.leg, sdp::offer(&local));
        self.tell(now, Event::Held { by });
    }

    fn offered(&mut self, now: Time, leg: LegId, offer: Option<Bytes>) {
        let State::Talking(talk) = &mut self.state else { return };
        talk.version += 1;
        let local = Local { direction: talk.direction, version: talk.version, ..self.settings.local.clone() };
        let Some(offer) = offer else {
            self.endpoint.answer_offer(now, leg, sdp::offer(&local));
            return;
        };
        match sdp::answer(&local, &offer) {
            Ok((answer, stream)) => {
                self.endpoint.answer_offer(now, leg, answer);
                let by = if stream.send { "nobody" } else { "far_end" };
                self.tell(now, Event::Held { by });
                self.command(Command::UpdateLeg { leg, stream });
            }
            Err(refused) => self.endpoint.refuse_offer(now, leg, refused.status, &[]),
        }
    }

    /// The far end's answer to an offer of ours after the first.
    fn update(&mut self, now: Time, answer: &Bytes) {
        let version = if let State::Talking(talk) = &self.state { talk.version } else { self.settings.local.version };
        let local = Local { version, ..self.settings.local.clone() };
        match (&self.state, sdp::accept(&local, answer)) {
            (State::Talking(talk), Ok(stream)) => {
                let leg = talk.leg;
                self.command(Command::UpdateLeg { leg, stream });
            }
            (State::Ringing { invited, .. }, Ok(stream)) => {
                let leg = invited.leg;
                self.talk(now, leg, stream);
            }
            _ => {}
        }
    }

    fn sound(&mut self, now: Time, event: Sound) {
        match event {
            Sound::SpeechStarted { leg, .. } if self.leg() == Some(leg) => {
                self.tell(now, Event::FarBegan);
                if let State::Talking(talk) = &mut self.state {
                    talk.script.far_began();
                }
            }
            Sound::KeyPressed { leg, key, .. } if self.leg() == Some(leg) => self.key(now, key),
            Sound::MediaLost { leg } if self.leg() == Some(leg) => {
                self.tell(now, Event::FarGone);
                self.ask_whether_there(now);
            }
            Sound::PlayFinished { leg, .. } if self.leg() == Some(leg) => {
                if let State::Talking(talk) = &mut self.state {
                    talk.script.played(now);
                }
            }
            Sound::LegClosed { stats, .. } => self.closed(now, stats),
            Sound::RecordingFinished { .. } | Sound::RecordingFailed { .. } => self.recorded(now),
            _ => {}
        }
    }

    /// No sound comes: a far end that is there answers; one that does not ends the call (`Lost`).
    fn ask_whether_there(&mut self, now: Time) {
        let State::Talking(talk) = &mut self.state else { return };
        talk.ask_at = Some(now + ASK_EVERY);
        self.endpoint.ask_whether_there(now, talk.leg);
    }

    fn key(&mut self, now: Time, key: char) {
        self.tell(now, Event::Key { key });
        if let Some(report) = &mut self.report {
            report.keys_heard.push(key);
        }
    }

    fn far_ended(&mut self, now: Time) {
        self.tell(now, Event::FarEnded);
        if let State::Talking(talk) = &mut self.state {
            talk.script.far_ended(now);
        }
    }

    fn quit(&mut self, now: Time) {
        match self.leg() {
            Some(leg) => {
                self.calls = u32::MAX - 1;
                self.endpoint.hang_up(now, leg, &[]);
                self.over(now, EndedBy::Us, OK);
            }
            None => self.done(),
        }
    }

    /// The call is over on the wire; packet counts and the recording's end are still to come.
    fn over(&mut self, now: Time, by: EndedBy, status: u16) {
        self.tell(now, Event::Ended { by });
        let talk_ms = self.answered.map_or(0, |answered| millis(now.since(answered)));
        if let Some(report) = &mut self.report {
            report.ended_by = by;
            report.talk_ms = talk_ms;
            if self.answered.is_none() {
                report.status = status;
            }
        }
        let before = std::mem::replace(&mut self.state, State::Idle);
        if let State::Talking(talk) = before {
            let recording = self.settings.keeps == Keeps::Recordings;
            if recording {
                self.command(Command::StopRecording { room: talk.room, recording: talk.recording });
            }
            self.command(Command::CloseLeg { leg: talk.leg });
            self.state = State::Closing { until: now + CLOSING, recording, leg: true };
        } else {
            self.finish(now);
        }
    }

    fn closed(&mut self, now: Time, stats: LegStats) {
        if let Some(report) = &mut self.report {
            report.media = stats;
        }
        if let State::Closing { leg, recording, .. } = &mut self.state {
            *leg = false;
            if !*recording {
                self.finish(now);
            }
        }
    }

    fn recorded(&mut self, now: Time) {
        if let State::Closing { leg, recording, .. } = &mut self.state {
            *recording = false;
            if !*leg {
                self.finish(now);
            }
        }
    }

    fn finish(&mut self, _now: Time) {
        self.state = State::Idle;
        self.answered = None;
        if let Some(report) = self.report.take() {
            self.outbox.push_back(Output::Over(report));
        }
        self.calls = self.calls.saturating_add(1);
        let wanted = match &self.settings.task {
            Task::Call(_) => 1,
            Task::Answer { calls, .. } | Task::Refuse { calls, .. } => *calls,
        };
        if self.calls >= wanted {
            self.done();
        }
    }

    fn done(&mut self) {
        self.state = State::Done;
        self.outbox.push_back(Output::Done);
    }

    fn command(&mut self, command: Command) {
        self.outbox.push_back(Output::Media(Job::from(command)));
    }

    fn open_report(&mut self, now: Time, direction: &'static str, peer: String) {
        self.began = now;
        self.answered = None;
        self.report = Some(Box::new(Report {
            direction,
            peer,
            status: 0,
            ended_by: EndedBy::Failed,
            why: None,
            setup_ms: None,
            talk_ms: 0,
            codec: None,
            srtp: None,
            states: Vec::new(),
            media: LegStats::default(),
            keys_heard: String::new(),
            heard: None,
            recording: None,
        }));
    }

    fn tell(&mut self, now: Time, event: Event) {
        let at_ms = millis(now.since(self.began));
        if let Some(report) = self.report.as_mut().filter(|report| report.states.len() < MOST_STATES) {
            report.states.push(Stamped { at_ms, event: event.clone() });
        }
        self.outbox.push_back(Output::Tell(event));
    }
}

/// Events kept in a report; an agent's phone may talk for hours.
const MOST_STATES: usize = 1_000;

#[cfg(test)]
mod tests;

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

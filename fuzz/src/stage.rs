//! A switch with everything around it that arbitrary inputs may refer to: the legs, plays and offers that it opened, the
//! dialogs and transactions that stand between it and the peers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::center;
use crate::control::event::Fact;
use crate::control::random::Random;
use crate::control::session::Restored;
use crate::control::sip::message::Name;
use crate::control::sip::{Message, Received};
use crate::control::surface::{Input, Output};
use crate::control::switch::Switch;
use crate::control::time::Time;
use crate::control::words::agent::Notice;
use crate::control::words::directory::Directory;
use crate::control::words::media::{Command, Event, LegStats, PlayOutcome};
use crate::control::words::sip::{Flow, ListenerId, Transport, Whereabouts};
use crate::control::words::{LegId, LookupId, OfferId, PlayId, RecordingId, SessionId, TurnId};

/// Most that is remembered of each kind, so that the bytes can choose among it.
const MEMORY: usize = 64;
/// After the last input everything must be over within this.
const REST: Duration = Duration::from_secs(3 * 3_600);

/// What the peers know of one dialog with us.
#[derive(Debug, Clone)]
pub struct Dialog {
    pub call_id: String,
    /// Their tag.
    pub theirs: String,
    /// Our tag, once it is known.
    pub ours: Option<String>,
    pub user: String,
    /// The last CSeq number they used.
    pub seq: u32,
    /// Branch and number of their last INVITE.
    pub invite: (String, u32),
    /// The last RSeq that came.
    pub rseq: u32,
}

/// Ids that the switch gave out.
#[derive(Debug, Default)]
pub struct Known {
    pub legs: Vec<LegId>,
    pub plays: Vec<(LegId, PlayId)>,
    pub turns: Vec<(LegId, TurnId)>,
    pub recordings: Vec<RecordingId>,
    pub offers: Vec<OfferId>,
    pub sessions: Vec<SessionId>,
    pub lookups: Vec<LookupId>,
    pub questions: Vec<Whereabouts>,
}

/// The whole.
#[derive(Debug)]
pub struct Stage {
    pub now: Time,
    pub switch: Switch,
    pub random: Random,
    pub directory: Arc<Directory>,
    pub known: Known,
    pub dialogs: Vec<Dialog>,
    /// Requests of the switch that may be answered.
    pub asked: Vec<Message>,
    /// Media that must be reported closed in the end.
    closing: VecDeque<Input>,
    pub sent: Option<Bytes>,
    pub number: u32,
    drained: u32,
}

impl Stage {
    /// A center whose first two agents sit at fixed phones.
    pub fn new(seed: u64) -> Stage {
        let mut random = Random::new(seed);
        let mut directory = (*center::directory(&mut random)).clone();
        for (at, agent) in directory.agents.values_mut().take(2).enumerate() {
            agent.phone.uri = Some(format!("sip:{}@10.0.2.1:{}", agent.user, 5060 + at));
        }
        let (now, directory) = (Time(1_795_000_000_000_000), Arc::new(directory));
        let mut stage = Stage {
            now,
            switch: Switch::new(now, random.bits(), directory.clone(), Restored::default()),
            random,
            directory,
            known: Known::default(),
            dialogs: Vec::new(),
            asked: Vec::new(),
            closing: VecDeque::new(),
            sent: None,
            number: 0,
            drained: 0,
        };
        stage.take();
        stage
    }

    /// One input, and what comes of it.
    pub fn give(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        self.take();
    }

    /// Bytes from a peer.
    pub fn wire(&mut self, bytes: &[u8]) {
        let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: center::crowd(), connection: None };
        self.sent = Some(Bytes::copy_from_slice(bytes));
        if let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) {
            self.give(Input::Sip(Received { flow, message }));
        }
    }

    /// Lets time pass; what is due happens at its time.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.switch.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.take();
        }
        self.now = end;
    }

    fn take(&mut self) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Sip(sent) => self.hear(sent.bytes),
                Output::Media(_, command) => self.media(command),
                Output::Locate(question) => keep(&mut self.known.questions, question),
                Output::Find(lookup, _) => keep(&mut self.known.lookups, lookup),
                Output::Notify(_, Notice::Offered { offer, session, .. }) => {
                    keep(&mut self.known.offers, offer);
                    keep(&mut self.known.sessions, session);
                }
                Output::Journal(event) => {
                    if let Fact::SessionCreated { session, .. } = event.fact {
                        keep(&mut self.known.sessions, session);
                    }
                }
                Output::Drained => self.drained += 1,
                Output::Notify(..) | Output::Chat(_) | Output::Answer(..) | Output::Fence(_) => {}
            }
        }
        assert!(self.drained <= 1, "drained twice");
    }

    fn hear(&mut self, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&bytes)));
        if message.is_request() {
            return keep(&mut self.asked, message);
        }
        let (call_id, tag) = (text(message.call_id()), message.to().and_then(|to| to.tag()).map(text));
        if let Some(dialog) = self.dialogs.iter_mut().find(|dialog| dialog.call_id == call_id)
            && message.status() > 100
            && tag.is_some()
        {
            dialog.ours = tag;
            dialog.rseq = message.number(Name::RSeq).unwrap_or(dialog.rseq);
        }
    }

    fn media(&mut self, command: Command) {
        match command {
            Command::OpenLeg { leg, .. } => keep(&mut self.known.legs, leg),
            Command::Play { leg, play, .. } => keep(&mut self.known.plays, (leg, play)),
            Command::Listen { leg, listening } => keep(&mut self.known.turns, (leg, listening.turn)),
            Command::StartRecording { recording, .. } => keep(&mut self.known.recordings, recording),
            Command::CloseLeg { leg } => {
                self.closing.push_back(Input::Media(Event::LegClosed { leg, stats: LegStats::default() }));
            }
            Command::StopRecording { recording, .. } => self.closing.push_back(Input::Media(finished(recording))),
            Command::StopPlay { leg, play } => {
                self.closing.push_back(Input::Media(Event::PlayFinished { leg, play, outcome: PlayOutcome::Stopped }));
            }
            _ => {}
        }
    }

    /// The oldest report that the media side owes.
    pub fn report(&mut self) {
        if let Some(input) = self.closing.pop_front() {
            self.give(input);
        }
    }

    /// What must hold after every step.
    pub fn check(&self) {
        let audit = self.switch.audit(self.now);
        assert!(audit.contradictions.is_empty(), "{:?}", audit.contradictions);
        assert_eq!(audit.ports_held, audit.ports.leased, "ports");
        assert_eq!(audit.legs_held, audit.legs, "legs");
    }

    /// The end: a drain, all reports, and nothing is left.
    pub fn rest(&mut self) {
        self.give(Input::Drain { until: self.now });
        let end = self.now + REST;
        loop {
            while !self.closing.is_empty() {
                self.report();
            }
            let Some(due) = self.switch.poll_timeout().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.switch.handle_timeout(self.now);
            self.take();
        }
        let audit = self.switch.audit(self.now);
        assert_eq!((audit.calls, audit.legs, audit.ports.leased), (0, 0, 0), "C2: {audit:?}");
        assert_eq!((audit.sip.transactions, audit.sip.dialogs), (0, 0), "C2: {audit:?}");
        assert_eq!(self.drained, 1, "a drain ends once: {audit:?}");
    }
}

/// The report of a recording.
pub fn finished(recording: RecordingId) -> Event {
    let path = std::path::PathBuf::from("r.wav");
    Event::RecordingFinished { recording, path, duration: Duration::from_secs(1), bytes: 1, sha256: String::new() }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn keep<T>(list: &mut Vec<T>, item: T) {
    if list.len() == MEMORY {
        list.remove(0);
    }
    list.push(item);
}

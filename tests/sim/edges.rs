//! The edges as the simulation plays them: media workers, recognizers, the store, the outside world's web servers.
//! They also watch: a command that makes no sense on a worker is a broken invariant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hotline::control::event::{DomainEvent, Fact};
use hotline::control::random::Random;
use hotline::control::session::{Address, Known};
use hotline::control::surface::Input;
use hotline::control::time::Time;
use hotline::control::words::lookup::{Finding, Lookup};
use hotline::control::words::media::{Command, Event, LegStats, PlayOutcome, Prompt, WorkerId};
use hotline::control::words::speech::{self, Heard, Nothing};
use hotline::control::words::{ConversationId, CustomerId, IdentityId, Lang, LegId, LookupId, PlayId, RecordingId, RoomId, TurnId};
use hotline::nlu::Meanings;

use super::center::REST;

/// An input that the edges will send, later.
pub type Later = (Duration, Input);

/// A leg as its worker has it.
#[derive(Debug)]
struct MediaLeg {
    worker: WorkerId,
    port: u16,
    remote_port: u16,
    closing: bool,
    play: Option<PlayId>,
    turn: Option<TurnId>,
}

/// All media workers.
#[derive(Debug, Default)]
pub struct Media {
    legs: HashMap<LegId, MediaLeg>,
    rooms: HashMap<RoomId, WorkerId>,
    by_remote: HashMap<u16, LegId>,
    ports: HashMap<u16, PortState>,
    recordings: BTreeMap<RecordingId, RoomId>,
    /// Who has heard whom, and who does now.
    hears: BTreeSet<(LegId, LegId)>,
    hears_now: BTreeSet<(LegId, LegId)>,
    /// How often a worker's last word gets lost (per mille).
    pub forgetful: u64,
    /// The longest time from a leg's closing to its worker's last word, in milliseconds.
    pub last_word_ms: u64,
    /// Legs whose last report was lost on purpose.
    pub forgotten: u64,
}

#[derive(Debug)]
enum PortState {
    Open,
    Closed(Time),
}

const SENTENCES: [(&str, &str); 6] = [
    ("我要报保险", "wo yao bao bao xian"),
    ("查一下订单", "cha yi xia ding dan"),
    ("我要留言", "wo yao liu yan"),
    ("转人工", "zhuan ren gong"),
    ("今天天气怎么样", "jin tian tian qi zen me yang"),
    ("一二三四五", "yi er san si wu"),
];

impl Media {
    /// Carries out a command; answers come later.
    pub fn command(&mut self, now: Time, worker: WorkerId, command: Command, random: &mut Random) -> Vec<Later> {
        match command {
            Command::OpenLeg { room, leg, stream } => {
                self.open(now, worker, room, leg, stream.port, stream.remote.map_or(0, |remote| remote.port()));
                Vec::new()
            }
            Command::UpdateLeg { leg, .. } => {
                self.open_leg(worker, leg, "UpdateLeg");
                Vec::new()
            }
            Command::CloseLeg { leg } => self.close(worker, leg, random),
            Command::Hear { ear, mouth, gain } => {
                self.hears.insert((ear, mouth));
                if gain > 0.0 {
                    self.hears_now.insert((ear, mouth));
                } else {
                    self.hears_now.remove(&(ear, mouth));
                }
                self.open_leg(worker, ear, "Hear");
                self.open_leg(worker, mouth, "Hear");
                Vec::new()
            }
            Command::Play { leg, play, prompts, repeat, .. } => self.play(worker, leg, play, &prompts, repeat),
            Command::StopPlay { leg, play } => self.stop_play(leg, play),
            Command::SendKeys { leg, .. } => {
                self.open_leg(worker, leg, "SendKeys");
                Vec::new()
            }
            Command::Listen { leg, listening } => self.listen(worker, leg, &listening, random),
            Command::EndAfter { leg, .. } => {
                self.open_leg(worker, leg, "EndAfter");
                Vec::new()
            }
            Command::StopListen { leg, turn } => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.turn.take_if(|open| *open == turn);
                }
                Vec::new()
            }
            Command::StartRecording { room, recording, customer, .. } => {
                assert_eq!(self.rooms.get(&room), Some(&worker), "a recording in a room that is not there");
                self.open_leg(worker, customer, "StartRecording");
                assert!(self.recordings.insert(recording, room).is_none(), "a recording was started twice");
                Vec::new()
            }
            Command::MaskRecording { recording, .. } => {
                assert!(self.recordings.contains_key(&recording), "a recording is masked that does not run");
                Vec::new()
            }
            Command::StopRecording { recording, .. } => self.stop_recording(recording, random),
        }
    }

    /// The center's leg that sends to this port of a phone.
    pub fn leg_at(&self, remote_port: u16) -> Option<LegId> {
        self.by_remote.get(&remote_port).copied().filter(|leg| self.legs.get(leg).is_some_and(|leg| !leg.closing))
    }

    /// Is an event of this playback or turn still true? Stale ones are dropped as a worker would.
    pub fn still(&mut self, event: &Input) -> bool {
        match event {
            Input::Media(Event::PlayFinished { leg, play, outcome: PlayOutcome::Done }) => {
                self.legs.get_mut(leg).is_some_and(|leg| leg.play.take_if(|open| open == play).is_some())
            }
            Input::Media(Event::SpeechStarted { leg, turn }) | Input::Speech(speech::Event::Heard { leg, turn, .. }) => {
                self.legs.get(leg).is_some_and(|leg| leg.turn == Some(*turn))
            }
            Input::Media(Event::KeyPressed { leg, .. } | Event::MediaLost { leg }) => self.legs.get(leg).is_some_and(|leg| !leg.closing),
            Input::Media(Event::LegClosed { leg, .. }) => self.legs.remove(leg).is_some(),
            _ => true,
        }
    }

    /// A port is free again from the worker's side.
    pub fn closed(&mut self, now: Time, port: u16) {
        self.ports.insert(port, PortState::Closed(now));
    }

    /// The port of a leg.
    pub fn port_of(&self, leg: LegId) -> Option<u16> {
        self.legs.get(&leg).map(|leg| leg.port)
    }

    /// Caller and agent hear each other, and no music in between.
    pub fn assert_bridged(&self, caller: LegId, peer: LegId) {
        assert!(self.hears.contains(&(caller, peer)), "the caller does not hear {peer}");
        assert!(self.hears.contains(&(peer, caller)), "{peer} does not hear the caller");
        let playing = self.legs.get(&caller).and_then(|leg| leg.play);
        assert_eq!(playing, None, "something still plays to a caller who is bridged");
    }

    /// Does this ear hear this mouth?
    pub fn hears(&self, ear: LegId, mouth: LegId) -> bool {
        self.hears_now.contains(&(ear, mouth))
    }

    /// Nothing may be left at the end.
    pub fn assert_empty(&self) {
        let open: Vec<_> = self.legs.iter().filter(|(_, leg)| !leg.closing).collect();
        assert!(open.is_empty(), "legs are left on the workers: {open:?}");
        assert!(self.recordings.is_empty(), "recordings are left on the workers");
    }

    fn open(&mut self, now: Time, worker: WorkerId, room: RoomId, leg: LegId, port: u16, remote_port: u16) {
        let home = *self.rooms.entry(room).or_insert(worker);
        assert_eq!(home, worker, "a room lives on one worker");
        match self.ports.insert(port, PortState::Open) {
            Some(PortState::Open) => panic!("port {port} is leased twice"),
            Some(PortState::Closed(at)) => assert!(now.since(at) >= REST, "port {port} did not rest"),
            None => {}
        }
        self.by_remote.insert(remote_port, leg);
        let fresh = MediaLeg { worker, port, remote_port, closing: false, play: None, turn: None };
        assert!(self.legs.insert(leg, fresh).is_none(), "a leg was opened twice");
    }

    fn open_leg(&self, worker: WorkerId, leg: LegId, what: &str) {
        let found = self.legs.get(&leg).filter(|leg| !leg.closing);
        assert!(found.is_some_and(|leg| leg.worker == worker), "{what} on {leg}, which is not open on {worker:?}");
    }

    fn close(&mut self, worker: WorkerId, leg: LegId, random: &mut Random) -> Vec<Later> {
        self.open_leg(worker, leg, "CloseLeg");
        let Some(found) = self.legs.get_mut(&leg) else { return Vec::new() };
        found.closing = true;
        self.hears_now.retain(|(ear, mouth)| *ear != leg && *mouth != leg);
        if self.by_remote.get(&found.remote_port) == Some(&leg) {
            self.by_remote.remove(&found.remote_port);
        }
        if random.below(1_000) < self.forgetful {
            self.forgotten += 1;
            let port = found.port;
            self.legs.remove(&leg);
            self.ports.remove(&port);
            return Vec::new();
        }
        let stats = LegStats { received: 100, sent: 100, ..LegStats::default() };
        let closed = Duration::from_millis(2 + random.below(self.last_word_ms));
        let mut later = vec![(closed, Input::Media(Event::LegClosed { leg, stats }))];
        if let Some(turn) = found.turn.filter(|_| random.below(4) == 0) {
            // The recognizer was not done yet when the leg was closed.
            let heard = heard(random, Duration::from_secs(1), Duration::from_secs(2), &Lang::new("zh-CN"));
            later.push((Duration::from_millis(1), Input::Speech(speech::Event::Heard { leg, turn, heard })));
        }
        later
    }

    fn play(&mut self, worker: WorkerId, leg: LegId, play: PlayId, prompts: &[Prompt], repeat: bool) -> Vec<Later> {
        self.open_leg(worker, leg, "Play");
        let Some(found) = self.legs.get_mut(&leg) else { return Vec::new() };
        let stopped = found.play.replace(play);
        let mut later: Vec<Later> = stopped.map(|play| finished(leg, play, PlayOutcome::Stopped, Duration::ZERO)).into_iter().collect();
        if !repeat {
            later.push(finished(leg, play, PlayOutcome::Done, prompts.iter().map(length).sum()));
        }
        later
    }

    fn stop_play(&mut self, leg: LegId, play: PlayId) -> Vec<Later> {
        let stopped = self.legs.get_mut(&leg).and_then(|leg| leg.play.take_if(|open| *open == play));
        stopped.map(|play| finished(leg, play, PlayOutcome::Stopped, Duration::ZERO)).into_iter().collect()
    }

    /// A caller who is listened to speaks, mumbles, or says nothing.
    fn listen(&mut self, worker: WorkerId, leg: LegId, listening: &Arc<speech::Listening>, random: &mut Random) -> Vec<Later> {
        self.open_leg(worker, leg, "Listen");
        let turn = listening.turn;
        if let Some(found) = self.legs.get_mut(&leg) {
            found.turn = Some(turn);
        }
        let begins = Duration::from_millis(800 + random.below(3_000));
        let ends = begins + Duration::from_millis(600 + random.below(2_000));
        let started = (begins, Input::Media(Event::SpeechStarted { leg, turn }));
        match random.below(10) {
            0..=3 => Vec::new(),
            4 => vec![started, (ends, Input::Speech(speech::Event::Nothing { leg, turn, why: Nothing::Rejected }))],
            5 => vec![started, (ends, Input::Speech(speech::Event::Nothing { leg, turn, why: Nothing::Overloaded }))],
            _ => vec![
                started,
                (ends, Input::Speech(speech::Event::Heard { leg, turn, heard: heard(random, begins, ends, &listening.lang) })),
            ],
        }
    }

    fn stop_recording(&mut self, recording: RecordingId, random: &mut Random) -> Vec<Later> {
        let Some(_) = self.recordings.remove(&recording) else { return Vec::new() };
        let event = if random.below(50) == 0 {
            Event::RecordingFailed { recording, why: "disk full".to_owned() }
        } else {
            let (path, duration) = (format!("{recording}.wav").into(), Duration::from_secs(3));
            Event::RecordingFinished { recording, path, duration, bytes: 96_044, sha256: "00".repeat(32) }
        };
        vec![(Duration::from_millis(5 + random.below(300)), Input::Media(event))]
    }
}

fn heard(random: &mut Random, begins: Duration, ends: Duration, lang: &Lang) -> Heard {
    let (text, pinyin) = SENTENCES[usize::try_from(random.below(SENTENCES.len() as u64)).expect("small")];
    Heard {
        text: text.to_owned(),
        alternatives: Vec::new(),
        confidence: 0.9,
        lang: lang.clone(),
        pinyin: Some(pinyin.to_owned()),
        meanings: Meanings::default(),
        engine: "sim".into(),
        offset: begins,
        duration: ends - begins,
        latency: Duration::from_millis(50),
    }
}

fn finished(leg: LegId, play: PlayId, outcome: PlayOutcome, after: Duration) -> Later {
    (after + Duration::from_millis(5), Input::Media(Event::PlayFinished { leg, play, outcome }))
}

fn length(prompt: &Prompt) -> Duration {
    match prompt {
        Prompt::Text { text, .. } => Duration::from_millis(120 * text.chars().count() as u64),
        Prompt::File(_) | Prompt::Music(_) => Duration::from_secs(4),
        Prompt::Tone { ms, .. } | Prompt::Silence { ms } => Duration::from_millis(u64::from(*ms)),
    }
}

/// The store's picture of customers, folded from the journal, and the web servers plans ask.
#[derive(Debug, Default)]
pub struct Store {
    identities: BTreeMap<Address, (CustomerId, IdentityId)>,
    conversations: BTreeMap<CustomerId, (ConversationId, Time)>,
}

impl Store {
    /// Folds a fact.
    pub fn fold(&mut self, event: &DomainEvent) {
        match &event.fact {
            Fact::IdentityLinked { identity, customer, channel, address, .. } => {
                let key = Address { channel: channel.clone(), address: address.clone() };
                self.identities.insert(key, (*customer, *identity));
            }
            Fact::ConversationOpened { conversation, customer } => {
                self.conversations.insert(*customer, (*conversation, event.at));
            }
            _ => {}
        }
    }

    /// The answer to a question: soon, late, wrong, or never.
    pub fn answer(&self, lookup: LookupId, question: &Lookup, random: &mut Random) -> Option<Later> {
        let delay = match random.below(40) {
            0 => return None,
            1 => Duration::from_secs(3),
            _ => Duration::from_millis(1 + random.below(60)),
        };
        let finding = match (random.below(30), question) {
            (0, _) => Finding::Failed("connection refused".to_owned()),
            (1, _) => Finding::TimedOut,
            (_, Lookup::Http { .. }) => match random.below(3) {
                0 => Finding::NotFound,
                _ => Finding::Found(serde_json::json!({"status": "sent"})),
            },
            (_, Lookup::Customer { channel, address }) => self.customer(channel, address),
        };
        Some((delay, Input::Found(lookup, finding)))
    }

    fn customer(&self, channel: &str, address: &str) -> Finding {
        let key = Address { channel: channel.to_owned(), address: address.to_owned() };
        let Some((customer, identity)) = self.identities.get(&key).copied() else { return Finding::NotFound };
        let known = Known {
            customer,
            identity,
            name: None,
            lang: None,
            addresses: vec![key],
            conversation: self
                .conversations
                .get(&customer)
                .map(|(id, last)| hotline::control::session::OpenConversation { id: *id, last: *last }),
            open_tickets: Vec::new(),
            last_agent: None,
            fields: serde_json::Map::new(),
        };
        Finding::Found(serde_json::to_value(known).expect("Known is plain data"))
    }
}

//! All rooms and legs of one worker, without sockets or a clock: commands and packets in, packets and reports out.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use super::aside::Farewell;
use super::leg::Leg;
use super::level::Leveller;
use super::player::{Player, Repeat};
use super::quality_counts::QualityTally;
use super::recorder::Recorder;
use super::room::{Out, Room, Tally};
use super::rtp::dtls::Identity;
use super::tap::Tap;
use super::worker::Counts;
use super::{Job, Report, Sound, disk};
use crate::control::random::Random;
use crate::control::words::media::{BargeIn, Command, Event, Levels, PlayOutcome, ReportsWay, Stream};
use crate::control::words::speech::{self, Listening, Nothing};
use crate::control::words::{LegId, PlayId, RecordingId, RoomId, TurnId};

const ALL_PORTS: usize = 1 << 16;
const NOWHERE: u32 = u32::MAX;
/// Reports that fit before the first allocation.
const REPORTS: usize = 4_096;
/// Work for the disk thread kept while it is full: two jobs a recording that ends.
const OWED: usize = 1_024;
/// Last reports of legs that wait for the next tick; those of more legs stay unsaid.
const FAREWELLS: usize = 256;

/// What a worker tells its mixer at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Without a packet for this long from a peer that should send, the leg is lost.
    pub media_timeout: Duration,
    /// Chance for SSRCs and first sequence numbers.
    pub seed: u64,
    /// Our certificate in handshakes; without it legs that want one stay silent.
    pub identity: Option<Arc<Identity>>,
    /// Whether those who speak low are heard louder.
    pub levels: Levels,
}

/// What a command did to the ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// Nothing.
    Unchanged,
    /// A leg took this port, and the one behind it when reports go there.
    Opened(u16, Behind),
    /// Reports of the leg on this port go another way than before.
    Changed(u16, Behind),
    /// A leg left this port.
    Closed(u16),
}

/// The port behind that of the sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// Reports come in there.
    Watched,
    /// Nothing does.
    Left,
}

impl Behind {
    fn of(stream: &Stream) -> Behind {
        if matches!(stream.reports.way, ReportsWay::Apart(_)) { Behind::Watched } else { Behind::Left }
    }
}

/// Takes a packet on its way: from which of our ports, to whom, what.
pub type Wire<'a> = dyn FnMut(u16, SocketAddr, &[u8]) + 'a;

/// The rooms and legs of one worker.
pub struct Mixer {
    settings: Settings,
    random: Random,
    rooms: Vec<Option<Box<Room>>>,
    /// Places in `rooms` that are empty.
    free: Vec<u32>,
    room_of: HashMap<RoomId, u32>,
    home_of: HashMap<LegId, u32>,
    by_port: Vec<u32>,
    disk: Sender<disk::Job>,
    speech: Vec<Sender<speech::Job>>,
    reports: VecDeque<Report>,
    owed: VecDeque<disk::Job>,
    farewells: VecDeque<Farewell>,
    tally: Tally,
}

impl Mixer {
    /// A mixer without rooms.
    #[must_use]
    pub fn new(settings: Settings, disk: Sender<disk::Job>, speech: Vec<Sender<speech::Job>>) -> Mixer {
        Mixer {
            random: Random::new(settings.seed),
            settings,
            rooms: Vec::new(),
            free: Vec::new(),
            room_of: HashMap::new(),
            home_of: HashMap::new(),
            by_port: vec![NOWHERE; ALL_PORTS],
            disk,
            speech,
            reports: VecDeque::with_capacity(REPORTS),
            owed: VecDeque::with_capacity(OWED),
            farewells: VecDeque::with_capacity(FAREWELLS),
            tally: Tally::default(),
        }
    }

    /// Carries out a command. What names an unknown room, leg or playback is left undone: it ended while the command was on its way.
    pub fn handle(&mut self, now: Duration, job: Job) -> Door {
        let Job { command, sounds } = job;
        match command {
            Command::OpenLeg { room, leg, stream } => return self.open(now, room, leg, stream),
            Command::UpdateLeg { leg, stream } => return self.update(now, leg, stream),
            Command::CloseLeg { leg } => return self.close(leg),
            Command::Hear { ear, mouth, gain } => self.in_home(ear, |room, _| room.hear(ear, mouth, gain)),
            Command::Play { leg, play, repeat, barge_in, .. } => {
                let repeat = if repeat { Repeat::Forever } else { Repeat::Once };
                self.play(leg, play, sounds, repeat, barge_in);
            }
            Command::StopPlay { leg, play } => self.stop_play(leg, play),
            Command::SendKeys { leg, keys } => self.in_home(leg, |room, _| {
                room.change(leg, |leg| leg.keypad.press(&keys));
            }),
            Command::Listen { leg, listening } => self.listen(leg, &listening),
            Command::EndAfter { leg, turn, silence } => self.in_home(leg, |room, _| {
                room.change(leg, |leg| {
                    let tap = leg.tap.iter_mut().find(|tap| tap.listening().turn == turn);
                    tap.into_iter().for_each(|tap| tap.end_after(silence));
                });
            }),
            Command::StopListen { leg, turn } => self.stop_listening(leg, turn),
            Command::StartRecording { room, recording, customer, path } => self.record(room, recording, customer, path),
            Command::MaskRecording { room, recording, masking } => {
                if let Some(room) = self.room_of.get(&room).and_then(|at| self.rooms[*at as usize].as_mut()) {
                    room.mask(recording, masking);
                }
            }
            Command::StopRecording { room, recording } => self.stop_recording(room, recording),
        }
        Door::Unchanged
    }

    /// Takes a datagram that came to one of our ports.
    pub fn receive(&mut self, now: Duration, port: u16, from: SocketAddr, datagram: &mut [u8], wire: &mut Wire<'_>) {
        let at = self.by_port[usize::from(port)];
        let Some(room) = self.rooms.get_mut(at as usize).and_then(Option::as_mut) else { return };
        let mut out = Out { wire: &mut |port, to, packet| wire(port, to, packet), reports: &mut self.reports, tally: &mut self.tally };
        room.receive(now, port, from, datagram, &mut out);
    }

    /// Takes a report that came to the port behind this one.
    pub fn receive_report(&mut self, now: Duration, port: u16, from: SocketAddr, datagram: &mut [u8]) {
        let at = self.by_port[usize::from(port)];
        if let Some(room) = self.rooms.get_mut(at as usize).and_then(Option::as_mut) {
            room.receive_report(now, port, from, datagram);
        }
    }

    /// Makes the next 20 ms of every room.
    pub fn tick(&mut self, now: Duration, wire: &mut Wire<'_>) {
        self.pay_disk();
        for farewell in self.farewells.drain(..) {
            wire(farewell.port, farewell.to, farewell.packet());
        }
        let mut out = Out { wire: &mut |port, to, packet| wire(port, to, packet), reports: &mut self.reports, tally: &mut self.tally };
        for room in self.rooms.iter_mut().flatten() {
            room.tick(now, self.settings.media_timeout, &mut out);
        }
    }

    /// Adds what was counted since the last call.
    pub fn counted(&mut self, counts: &Counts) {
        let tally = std::mem::take(&mut self.tally);
        counts.recording_gaps.fetch_add(tally.recording_gaps, Ordering::Relaxed);
        if tally.quality != QualityTally::default() {
            counts.quality.add(&tally.quality);
        }
        counts.speech_overloads.fetch_add(tally.speech_overloads, Ordering::Relaxed);
        counts.legs.store(self.home_of.len() as u64, Ordering::Relaxed);
    }

    /// The next report, if there is one.
    pub fn next_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Closes every leg and hands the ends of all recordings to the disk thread, waiting for it: the worker ends.
    pub fn close_all(&mut self) {
        let legs: Vec<LegId> = self.home_of.keys().copied().collect();
        for leg in legs {
            self.close(leg);
        }
        for job in self.owed.drain(..) {
            // A disk thread that has ended takes nothing more; there is nobody left to tell.
            let _ = self.disk.send(job);
        }
    }

    /// Open legs and rooms: nothing may be left after the last call.
    #[must_use]
    pub fn open_legs_and_rooms(&self) -> (usize, usize) {
        (self.home_of.len(), self.room_of.len())
    }

    fn open(&mut self, now: Duration, room: RoomId, leg: LegId, stream: Stream) -> Door {
        let (port, behind) = (stream.port, Behind::of(&stream));
        if self.home_of.contains_key(&leg) || self.by_port[usize::from(port)] != NOWHERE {
            tracing::error!(%leg, port, "the leg or its port is open already");
            return Door::Unchanged;
        }
        let at = self.room(room);
        let chance = self.random.bits();
        let Some(room) = self.rooms[at as usize].as_mut() else { return Door::Unchanged };
        let mut member = Leg::new(now, leg, stream, chance, self.settings.identity.as_ref());
        member.leveller = (self.settings.levels == Levels::Evened).then(Leveller::default);
        room.join(now, member);
        self.home_of.insert(leg, at);
        self.by_port[usize::from(port)] = at;
        Door::Opened(port, behind)
    }

    /// The place of a room, made when it is new.
    fn room(&mut self, id: RoomId) -> u32 {
        if let Some(at) = self.room_of.get(&id) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.rooms.push(None);
            u32::try_from(self.rooms.len() - 1).expect("a worker has fewer rooms than ports")
        });
        self.rooms[at as usize] = Some(Box::new(Room::new(id)));
        self.room_of.insert(id, at);
        at
    }

    fn update(&mut self, now: Duration, leg: LegId, stream: Stream) -> Door {
        let Some(old) = self.find(leg).and_then(|room| room.leg(leg)).map(|leg| leg.stream.port) else { return Door::Unchanged };
        if old != stream.port {
            tracing::error!(%leg, old, new = stream.port, "a leg keeps its port for life");
            return Door::Unchanged;
        }
        let (behind, identity) = (Behind::of(&stream), self.settings.identity.clone());
        self.in_home(leg, |room, _| {
            room.change(leg, |leg| leg.update(now, stream, identity.as_ref()));
        });
        Door::Changed(old, behind)
    }

    fn close(&mut self, leg: LegId) -> Door {
        let Some(at) = self.home_of.remove(&leg) else { return Door::Unchanged };
        let Some(room) = self.rooms[at as usize].as_mut() else { return Door::Unchanged };
        let Some(mut gone) = room.leave(leg, &mut self.reports, &mut self.owed) else { return Door::Unchanged };
        if room.is_empty() {
            room.stop_recordings(|_| true, &mut self.owed);
            self.room_of.remove(&room.id);
            self.rooms[at as usize] = None;
            self.free.push(at);
        }
        self.by_port[usize::from(gone.stream.port)] = NOWHERE;
        self.farewells.extend(gone.part().filter(|_| self.farewells.len() < FAREWELLS));
        self.reports.push_back(Report::Media(Event::LegClosed { leg, stats: gone.stats() }));
        self.pay_disk();
        Door::Closed(gone.stream.port)
    }

    fn play(&mut self, leg: LegId, play: PlayId, sounds: Vec<Arc<Sound>>, repeat: Repeat, barge_in: BargeIn) {
        self.in_home(leg, |room, reports| {
            let replaced = room.change(leg, |leg| leg.player.replace(Player::new(play, sounds, repeat, barge_in))).flatten();
            if let Some(old) = replaced {
                reports.push_back(Report::Media(Event::PlayFinished { leg, play: old.play(), outcome: PlayOutcome::Stopped }));
            }
        });
    }

    fn stop_play(&mut self, leg: LegId, play: PlayId) {
        self.in_home(leg, |room, reports| {
            let stopped = room.change(leg, |leg| leg.player.take_if(|player| player.play() == play)).flatten();
            if stopped.is_some() {
                reports.push_back(Report::Media(Event::PlayFinished { leg, play, outcome: PlayOutcome::Stopped }));
            }
        });
    }

    fn listen(&mut self, leg: LegId, listening: &Arc<Listening>) {
        let Some(speech) = self.recognizer_of(leg) else {
            let event = speech::Event::Nothing { leg, turn: listening.turn, why: Nothing::NoEngine };
            self.reports.push_back(Report::Speech(event));
            return;
        };
        let tap = Tap::new(leg, Arc::clone(listening), speech);
        self.in_home(leg, |room, _| {
            room.change(leg, |leg| {
                leg.tap = Some(tap);
                leg.player.iter_mut().for_each(Player::resume);
            });
        });
    }

    fn stop_listening(&mut self, leg: LegId, turn: TurnId) {
        self.in_home(leg, |room, _| {
            room.change(leg, |leg| {
                if leg.tap.take_if(|tap| tap.listening().turn == turn).is_some() {
                    leg.player.iter_mut().for_each(Player::resume);
                }
            });
        });
    }

    fn record(&mut self, room: RoomId, recording: RecordingId, customer: LegId, path: PathBuf) {
        let Some(room) = self.room_of.get(&room).and_then(|at| self.rooms[*at as usize].as_mut()) else { return };
        match Recorder::start(recording, customer, path, self.disk.clone()) {
            Ok(recorder) => room.record(recorder),
            Err(why) => self.reports.push_back(Report::Media(Event::RecordingFailed { recording, why: why.to_string() })),
        }
    }

    fn stop_recording(&mut self, room: RoomId, recording: RecordingId) {
        if let Some(room) = self.room_of.get(&room).and_then(|at| self.rooms[*at as usize].as_mut()) {
            room.stop_recordings(|recorder| recorder.recording() == recording, &mut self.owed);
        }
        self.pay_disk();
    }

    /// A leg stays with one recognizer thread.
    fn recognizer_of(&self, leg: LegId) -> Option<Sender<speech::Job>> {
        let mut hasher = DefaultHasher::new();
        leg.hash(&mut hasher);
        let count = u64::try_from(self.speech.len()).ok().filter(|count| *count > 0)?;
        self.speech.get(usize::try_from(hasher.finish() % count).ok()?).cloned()
    }

    fn find(&mut self, leg: LegId) -> Option<&mut Room> {
        let at = *self.home_of.get(&leg)?;
        self.rooms.get_mut(at as usize)?.as_deref_mut()
    }

    fn in_home(&mut self, leg: LegId, work: impl FnOnce(&mut Room, &mut VecDeque<Report>)) {
        let Some(at) = self.home_of.get(&leg) else { return };
        if let Some(room) = self.rooms[*at as usize].as_deref_mut() {
            work(room, &mut self.reports);
        }
    }

    /// Ends of recordings must reach the disk thread: what does not fit now is offered again.
    fn pay_disk(&mut self) {
        while let Some(job) = self.owed.pop_front() {
            if let Err(TrySendError::Full(job)) = self.disk.try_send(job) {
                self.owed.push_front(job);
                break;
            }
        }
    }
}

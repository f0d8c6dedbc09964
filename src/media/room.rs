//! A room: its legs, who hears whom (the hearing matrix), and one tick of all of it. Bridge, hold, whisper, monitor and conference
//! are values of the matrix.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::disk;
use super::incoming::Taken;
use super::leg::{Leg, Needs, Route};
use super::mixer::Wire;
use super::player::{Played, Player};
use super::quality_counts::QualityTally;
use super::recorder::Recorder;
use super::tap::Turned;
use super::tone::power;
use super::{FRAME, Pcm, Report};
use crate::control::words::media::{BargeIn, Event, KeyWay, Masking, PlayOutcome};
use crate::control::words::speech::{self, Nothing};
use crate::control::words::{LegId, PlayId, RecordingId, RoomId};

/// A gain moves from 0 to 1 within 40 ms, so that nothing clicks.
const RAMP: f32 = 0.5;
const TICK: Duration = Duration::from_millis(20);

/// What a room gives to the outside while it works.
pub struct Out<'a> {
    /// Packets.
    pub wire: &'a mut Wire<'a>,
    /// Reports to the rules.
    pub reports: &'a mut VecDeque<Report>,
    /// What is counted.
    pub tally: &'a mut Tally,
}

/// Counts since they were last read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Sample pairs a recording lacks.
    pub recording_gaps: u64,
    /// Utterances given up.
    pub speech_overloads: u64,
    /// Patches of legs.
    pub quality: QualityTally,
}

impl Out<'_> {
    fn report(&mut self, event: Event) {
        self.reports.push_back(Report::Media(event));
    }
}

/// One cell of the matrix; members by index.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Hearing {
    ear: usize,
    mouth: usize,
    gain: f32,
    target: f32,
}

impl Hearing {
    fn is_audible(&self) -> bool {
        self.gain > 0.0 || self.target > 0.0
    }
}

/// Legs that may hear each other.
pub struct Room {
    /// Its name.
    pub id: RoomId,
    members: Vec<Leg>,
    opened: Vec<Duration>,
    hears: Vec<Hearing>,
    recorders: Vec<Recorder>,
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(id: RoomId) -> Room {
        Room { id, members: Vec::new(), opened: Vec::new(), hears: Vec::new(), recorders: Vec::new() }
    }

    /// True when the last leg has gone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a leg in; it hears nobody yet.
    pub fn join(&mut self, now: Duration, leg: Leg) {
        self.members.push(leg);
        self.opened.push(now);
        self.plan();
    }

    /// A leg for a change that does not touch the routes.
    pub fn leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        self.members.iter_mut().find(|member| member.id == leg)
    }

    /// Changes a leg and plans the routes anew.
    pub fn change<R>(&mut self, leg: LegId, change: impl FnOnce(&mut Leg) -> R) -> Option<R> {
        let changed = self.leg(leg).map(change);
        self.plan();
        changed
    }

    /// Takes a leg out, with its playback, its turn and its recordings.
    pub fn leave(&mut self, leg: LegId, reports: &mut VecDeque<Report>, owed: &mut VecDeque<disk::Job>) -> Option<Leg> {
        let at = self.index(leg)?;
        self.stop_recordings(|recorder| recorder.customer() == leg, owed);
        self.opened.swap_remove(at);
        let mut gone = self.members.swap_remove(at);
        let moved = self.members.len();
        self.hears.retain(|cell| cell.ear != at && cell.mouth != at);
        for cell in &mut self.hears {
            cell.ear = if cell.ear == moved { at } else { cell.ear };
            cell.mouth = if cell.mouth == moved { at } else { cell.mouth };
        }
        if let Some(player) = gone.player.take() {
            reports.push_back(finished(leg, player.play(), PlayOutcome::Stopped));
        }
        gone.tap = None;
        self.plan();
        Some(gone)
    }

    /// Sets one cell of the matrix. The gain moves softly where the ear hears something else meanwhile; else at once.
    pub fn hear(&mut self, ear: LegId, mouth: LegId, gain: f32) {
        let (Some(ear), Some(mouth)) = (self.index(ear), self.index(mouth)) else { return };
        let target = if gain.is_finite() { gain.clamp(0.0, 8.0) } else { 0.0 };
        let others = self.members[ear].player.is_some() || self.heard_by(ear).any(|cell| cell.mouth != mouth);
        match self.hears.iter_mut().find(|cell| cell.ear == ear && cell.mouth == mouth) {
            Some(cell) => cell.target = target,
            None => self.hears.push(Hearing { ear, mouth, gain: 0.0, target }),
        }
        if !others && let Some(cell) = self.hears.iter_mut().find(|cell| cell.ear == ear && cell.mouth == mouth) {
            cell.gain = target;
        }
        self.hears.retain(Hearing::is_audible);
        self.plan();
    }

    /// Begins to record.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorders.push(recorder);
        self.plan();
    }

    /// Masks a recording, or no more.
    pub fn mask(&mut self, recording: RecordingId, masking: Masking) {
        self.recorders.iter_mut().filter(|recorder| recorder.recording() == recording).for_each(|recorder| recorder.mask(masking));
    }

    /// Ends the recordings that `which` names.
    pub fn stop_recordings(&mut self, which: impl Fn(&Recorder) -> bool, owed: &mut VecDeque<disk::Job>) {
        self.recorders.extract_if(.., |recorder| which(recorder)).for_each(|recorder| recorder.stop(owed));
        self.plan();
    }

    /// Takes a datagram for the leg on `port`.
    pub fn receive(&mut self, now: Duration, port: u16, from: SocketAddr, datagram: &mut [u8], out: &mut Out<'_>) {
        let Some(mouth) = self.members.iter().position(|leg| leg.stream.port == port) else { return };
        let leg = &mut self.members[mouth];
        let Some(datagram) = leg.open(now, from, datagram, out.wire) else { return };
        match leg.incoming.take(now, from, datagram, &leg.stream) {
            Taken::Nothing => {}
            Taken::Sound(header, codec, payload) => {
                if leg.needs.speech {
                    leg.incoming.keep(&header, codec, payload);
                }
                for ear in self.members.iter_mut().filter(|leg| leg.route == Route::HandOn(mouth)) {
                    if ear.stream.codec == codec {
                        ear.hand_on_sound(&header, payload, out.wire);
                    }
                }
            }
            Taken::Key(header, key) => {
                for ear in self.members.iter_mut().filter(|leg| leg.route == Route::HandOn(mouth)) {
                    ear.hold_back(&header);
                }
                if let Some(key) = key {
                    self.pressed(mouth, key, KeyWay::Event, out);
                }
            }
        }
    }

    /// Takes a report that came in behind the port of the sound.
    pub fn receive_report(&mut self, now: Duration, port: u16, from: SocketAddr, datagram: &mut [u8]) {
        if let Some(leg) = self.members.iter_mut().find(|leg| leg.stream.port == port) {
            leg.take_report(now, from, datagram);
        }
    }

    /// Makes the next 20 ms.
    pub fn tick(&mut self, now: Duration, timeout: Duration, out: &mut Out<'_>) {
        for leg in self.members.iter_mut().filter(|leg| leg.needs.speech) {
            leg.incoming.speak(&mut leg.spoken);
            if let Some(leveller) = &mut leg.leveller {
                leveller.hear(&leg.spoken);
            }
        }
        for mouth in 0..self.members.len() {
            let Leg { inband, spoken, .. } = &mut self.members[mouth];
            if let Some(key) = inband.as_mut().and_then(|ear| ear.hear(spoken)) {
                self.pressed(mouth, key, KeyWay::Tone, out);
            }
        }
        let mut changed = false;
        for ear in 0..self.members.len() {
            let played = self.serve(ear, out);
            changed |= self.listen(ear, now, played, out);
        }
        self.write_recordings(out);
        for leg in &mut self.members {
            if leg.is_newly_shut(now) || leg.incoming.is_newly_lost(now, timeout, &leg.stream) {
                out.report(Event::MediaLost { leg: leg.id });
            }
            leg.shake_hands(now, out.wire);
            if let Some(patch) = leg.report(now, out.wire) {
                out.tally.quality.add(&patch);
            }
        }
        changed |= self.move_gains();
        if changed {
            self.plan();
        }
    }

    fn index(&self, leg: LegId) -> Option<usize> {
        self.members.iter().position(|member| member.id == leg)
    }

    fn heard_by(&self, ear: usize) -> impl Iterator<Item = &Hearing> {
        self.hears.iter().filter(move |cell| cell.ear == ear && cell.is_audible())
    }

    /// A key stops a playback that lets itself be stopped.
    fn pressed(&mut self, mouth: usize, key: char, way: KeyWay, out: &mut Out<'_>) {
        let leg = &mut self.members[mouth];
        out.report(Event::KeyPressed { leg: leg.id, key, way });
        if let Some(player) = leg.player.take_if(|player| player.barge_in() != BargeIn::Off) {
            out.reports.push_back(finished(leg.id, player.play(), PlayOutcome::Stopped));
            self.plan();
        }
    }

    /// Sends one ear its 20 ms. Returns the power of what was played to it (when somebody asks).
    fn serve(&mut self, ear: usize, out: &mut Out<'_>) -> f32 {
        let leg = &mut self.members[ear];
        leg.outgoing.tick();
        if leg.keypad.is_busy() {
            leg.heard.fill(0);
            leg.send_key(out.wire);
            if !leg.keypad.is_busy() {
                self.plan();
            }
            return 0.0;
        }
        if leg.route != Route::Own {
            if leg.needs.hearing {
                self.members[ear].heard = self.mix(ear, None);
            }
            return 0.0;
        }
        let mixes = self.heard_by(ear).next().is_some();
        let leg = &self.members[ear];
        let kept = leg.stream.codec.law().is_some();
        let ducked = leg.player.as_ref().is_some_and(Player::is_ducked);
        let linear = mixes || leg.needs.hearing || leg.tap.is_some() || ducked || !kept;
        if linear { self.serve_linear(ear, mixes, out) } else { self.serve_wire(ear, out) }
    }

    /// Nothing but a playback, or nothing: no sample is touched.
    fn serve_wire(&mut self, ear: usize, out: &mut Out<'_>) -> f32 {
        let leg = &mut self.members[ear];
        let mut wire = [0; FRAME];
        let Some(law) = leg.stream.codec.law() else { return 0.0 };
        let played = leg.player.as_mut().map(|player| player.fill_wire(law, &mut wire));
        tell_begun(leg, played, out.reports);
        match played {
            Some(Played::Sound) => leg.send_sound(&wire, out.wire),
            Some(Played::Waiting) | None => leg.send_nothing(out.wire),
            Some(Played::Over(outcome)) => self.played_out(ear, outcome, out),
        }
        0.0
    }

    fn serve_linear(&mut self, ear: usize, mixes: bool, out: &mut Out<'_>) -> f32 {
        let leg = &mut self.members[ear];
        let mut wire = [0; FRAME];
        let mut played = [0; FRAME];
        let ducked = leg.player.as_ref().is_some_and(Player::is_ducked);
        // A prompt alone is sent as it is kept, where it is kept in the wire codec.
        let law = if mixes || ducked { None } else { leg.stream.codec.law() };
        let step = leg.player.as_mut().map(|player| match law {
            Some(law) => player.fill_both(law, &mut wire, &mut played),
            None => player.fill_linear(&mut played),
        });
        tell_begun(leg, step, out.reports);
        if let Some(Played::Over(outcome)) = step {
            self.played_out(ear, outcome, out);
        }
        let loudness = power(&played);
        if mixes {
            played = self.mix(ear, Some(&played));
        }
        let leg = &mut self.members[ear];
        leg.heard = played;
        if law.is_some() && step == Some(Played::Sound) {
            leg.send_sound(&wire, out.wire);
        } else if mixes || step == Some(Played::Sound) {
            leg.send_linear(&played, out.wire);
        } else if !matches!(step, Some(Played::Over(_))) {
            leg.send_nothing(out.wire);
        }
        loudness
    }

    fn played_out(&mut self, ear: usize, outcome: PlayOutcome, out: &mut Out<'_>) {
        let leg = &mut self.members[ear];
        leg.outgoing.pause();
        if let Some(player) = leg.player.take() {
            out.reports.push_back(finished(leg.id, player.play(), outcome));
        }
        self.plan();
    }

    /// Sums what an ear hears, each mouth at its gain, to `played`.
    fn mix(&self, ear: usize, played: Option<&Pcm>) -> Pcm {
        let mut sum = [0.0f32; FRAME];
        if let Some(played) = played {
            sum.iter_mut().zip(played).for_each(|(sum, sample)| *sum = f32::from(*sample));
        }
        for cell in self.heard_by(ear) {
            let mouth = &self.members[cell.mouth];
            let step = (next_gain(cell) - cell.gain) / FRAME as f32;
            for (at, (sum, sample)) in sum.iter_mut().zip(&mouth.spoken).enumerate() {
                let louder = mouth.leveller.as_ref().map_or(1.0, |leveller| leveller.at(at));
                *sum += f32::from(*sample) * (cell.gain + step * at as f32) * louder;
            }
        }
        sum.map(|sample| sample as i16)
    }

    fn move_gains(&mut self) -> bool {
        let mut changed = false;
        for cell in self.hears.iter_mut().filter(|cell| cell.gain != cell.target) {
            cell.gain = next_gain(cell);
            changed |= cell.gain == cell.target;
        }
        if changed {
            self.hears.retain(Hearing::is_audible);
        }
        changed
    }

    /// Lets the recognizer's ear of a leg hear it. True when a playback was stopped.
    fn listen(&mut self, at: usize, now: Duration, played: f32, out: &mut Out<'_>) -> bool {
        let age = now.saturating_sub(self.opened[at]) + TICK;
        let leg = &mut self.members[at];
        let Some(tap) = &mut leg.tap else { return false };
        let turn = tap.listening().turn;
        match tap.tick(&leg.spoken, played, age) {
            Turned::Nothing => return false,
            Turned::Started => out.report(Event::SpeechStarted { leg: leg.id, turn }),
            Turned::Ended => {
                leg.player.iter_mut().for_each(Player::speech_ended);
                return false;
            }
            Turned::Overloaded => {
                out.tally.speech_overloads += 1;
                out.reports.push_back(Report::Speech(speech::Event::Nothing { leg: leg.id, turn, why: Nothing::Overloaded }));
                leg.player.iter_mut().for_each(Player::resume);
                return false;
            }
        }
        match leg.player.as_ref().map(|player| (player.barge_in(), player.play())) {
            Some((BargeIn::Vad, play)) => {
                leg.player = None;
                out.reports.push_back(finished(leg.id, play, PlayOutcome::Stopped));
                return true;
            }
            Some((BargeIn::Words, _)) => leg.player.iter_mut().for_each(Player::duck),
            _ => {}
        }
        false
    }

    fn write_recordings(&mut self, out: &mut Out<'_>) {
        for recorder in &mut self.recorders {
            let Some(customer) = self.members.iter().find(|leg| leg.id == recorder.customer()) else { continue };
            out.tally.recording_gaps += recorder.add(&customer.spoken, &customer.heard);
        }
    }

    /// Derives from matrix, players, taps and recorders which packets are handed on as they are and whose speech is needed as sound.
    fn plan(&mut self) {
        for ear in 0..self.members.len() {
            self.members[ear].route = self.route_of(ear);
        }
        for mouth in 0..self.members.len() {
            let needs = self.needs_of(mouth);
            let leg = &mut self.members[mouth];
            if needs.speech && !leg.needs.speech {
                leg.incoming.forget_sound();
                leg.spoken.fill(0);
            }
            if !needs.hearing {
                leg.heard.fill(0);
            }
            leg.needs = needs;
        }
    }

    fn route_of(&self, ear: usize) -> Route {
        let leg = &self.members[ear];
        if leg.player.is_some() || leg.keypad.is_busy() {
            return Route::Own;
        }
        let mut audible = self.heard_by(ear);
        match (audible.next(), audible.next()) {
            (Some(one), None) if self.passes_untouched(one, leg) => Route::HandOn(one.mouth),
            _ => Route::Own,
        }
    }

    fn passes_untouched(&self, cell: &Hearing, ear: &Leg) -> bool {
        let mouth = &self.members[cell.mouth];
        cell.gain == 1.0 && cell.target == 1.0 && mouth.stream.codec == ear.stream.codec && mouth.leveller.is_none()
    }

    fn needs_of(&self, at: usize) -> Needs {
        let id = self.members[at].id;
        let recorded = |leg: LegId| self.recorders.iter().any(|recorder| recorder.customer() == leg);
        let mixed_or_recorded = |cell: &Hearing| self.members[cell.ear].route == Route::Own || recorded(self.members[cell.ear].id);
        let heard = self.hears.iter().any(|cell| cell.mouth == at && cell.is_audible() && mixed_or_recorded(cell));
        let listened_to = self.members[at].tap.is_some() || self.members[at].inband.is_some();
        Needs { speech: heard || recorded(id) || listened_to, hearing: recorded(id) }
    }
}

fn next_gain(cell: &Hearing) -> f32 {
    cell.gain + (cell.target - cell.gain).clamp(-RAMP, RAMP)
}

/// Once for each playback, with its first sound.
fn tell_begun(leg: &mut Leg, played: Option<Played>, reports: &mut VecDeque<Report>) {
    let Some((player, played)) = leg.player.as_mut().zip(played) else { return };
    if let Some(waited) = player.begins(played) {
        reports.push_back(Report::Media(Event::PlayBegan { leg: leg.id, play: player.play(), waited }));
    }
}

fn finished(leg: LegId, play: PlayId, outcome: PlayOutcome) -> Report {
    Report::Media(Event::PlayFinished { leg, play, outcome })
}

//! Plays sounds to one ear, without a gap between them, in the wire codec as they are kept.

use std::sync::Arc;
use std::time::Duration;

use super::codec::g711::{self, Law};
use super::{FRAME, Pcm, Sound};
use crate::control::words::PlayId;
use crate::control::words::media::{BargeIn, PlayOutcome};

/// A prompt ducks to this share (−18 dB) within 60 ms.
const DUCKED: f32 = 0.125;
const DUCK_STEP: f32 = (1.0 - DUCKED) / 3.0;
/// After an utterance a ducked prompt waits so long (1.5 s) for the rules to stop it, then it is heard again.
const DUCK_PATIENCE_TICKS: u32 = 75;

const TICK: Duration = Duration::from_millis(20);

/// What a tick of playing gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Played {
    /// 20 ms of sound.
    Sound,
    /// Nothing yet: the sound is still being made.
    Waiting,
    /// The end was reached before this tick.
    Over(PlayOutcome),
}

/// A playback.
#[derive(Clone, Debug)]
pub struct Player {
    play: PlayId,
    sounds: Vec<Arc<Sound>>,
    repeat: Repeat,
    barge_in: BargeIn,
    /// The sound and the sample in it that come next.
    at: (usize, usize),
    duck: Duck,
    begun: Begun,
}

/// Was any of it heard?
#[derive(Clone, Copy, Debug)]
enum Begun {
    /// Not yet: ticks in which its first sound was still being made.
    NotFor(u32),
    /// It was.
    Yes,
}

/// Once or round and round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Ends after the last sound.
    Once,
    /// Begins again after the last sound.
    Forever,
}

#[derive(Clone, Copy, Debug)]
struct Duck {
    gain: f32,
    target: f32,
    /// Ticks until a ducked prompt comes back; `None` while somebody speaks.
    patience: Option<u32>,
}

impl Player {
    /// A playback from its beginning.
    #[must_use]
    pub fn new(play: PlayId, sounds: Vec<Arc<Sound>>, repeat: Repeat, barge_in: BargeIn) -> Player {
        let duck = Duck { gain: 1.0, target: 1.0, patience: None };
        Player { play, sounds, repeat, barge_in, at: (0, 0), duck, begun: Begun::NotFor(0) }
    }

    /// Its name.
    #[must_use]
    pub fn play(&self) -> PlayId {
        self.play
    }

    /// What may stop it.
    #[must_use]
    pub fn barge_in(&self) -> BargeIn {
        self.barge_in
    }

    /// Once, when a tick gave its first sound: how long that was waited for.
    pub fn begins(&mut self, played: Played) -> Option<Duration> {
        let Begun::NotFor(ticks) = self.begun else { return None };
        match played {
            Played::Sound => {
                self.begun = Begun::Yes;
                return Some(TICK * ticks);
            }
            Played::Waiting => self.begun = Begun::NotFor(ticks.saturating_add(1)),
            Played::Over(_) => {}
        }
        None
    }

    /// True while it is not at its full loudness: it must be mixed, not copied.
    #[must_use]
    pub fn is_ducked(&self) -> bool {
        self.duck.gain < 1.0 || self.duck.target < 1.0
    }

    /// Somebody began to speak: goes quiet.
    pub fn duck(&mut self) {
        self.duck = Duck { gain: self.duck.gain, target: DUCKED, patience: None };
    }

    /// The speech ended: comes back unless it is stopped in time.
    pub fn speech_ended(&mut self) {
        if self.duck.target < 1.0 {
            self.duck.patience = Some(DUCK_PATIENCE_TICKS);
        }
    }

    /// The turn gave nothing: comes back now.
    pub fn resume(&mut self) {
        self.duck = Duck { gain: self.duck.gain, target: 1.0, patience: None };
    }

    /// The next 20 ms in the wire codec; silence where a sound is not there yet or the last one ends within the tick.
    pub fn fill_wire(&mut self, law: Law, wire: &mut [u8; FRAME]) -> Played {
        self.fill(|audio, from, range| wire[range.clone()].copy_from_slice(&audio.wire(law)[from..from + range.len()]))
            .pad(|rest| wire[rest..].fill(g711::silence(law)))
    }

    /// The next 20 ms in linear samples, with the ducking applied.
    pub fn fill_linear(&mut self, linear: &mut Pcm) -> Played {
        let played = self
            .fill(|audio, from, range| linear[range.clone()].copy_from_slice(&audio.linear()[from..from + range.len()]))
            .pad(|rest| linear[rest..].fill(0));
        self.apply_duck(linear);
        played
    }

    /// Both forms at once (the wire form is only right while the player is not ducked).
    pub fn fill_both(&mut self, law: Law, wire: &mut [u8; FRAME], linear: &mut Pcm) -> Played {
        self.fill(|audio, from, range| {
            linear[range.clone()].copy_from_slice(&audio.linear()[from..from + range.len()]);
            wire[range.clone()].copy_from_slice(&audio.wire(law)[from..from + range.len()]);
        })
        .pad(|rest| {
            linear[rest..].fill(0);
            wire[rest..].fill(g711::silence(law));
        })
    }

    fn fill(&mut self, mut copy: impl FnMut(&super::Audio, usize, std::ops::Range<usize>)) -> Filled {
        let mut done = 0;
        let mut wrapped_at = None;
        while done < FRAME {
            let Some(sound) = self.sounds.get(self.at.0) else {
                if self.repeat == Repeat::Once || wrapped_at == Some(done) {
                    return Filled::end(done, PlayOutcome::Done);
                }
                // A whole round that gave no sample would go on for ever.
                wrapped_at = Some(done);
                self.at = (0, 0);
                continue;
            };
            match sound.outcome() {
                None => return Filled { done, played: if done == 0 { Played::Waiting } else { Played::Sound } },
                Some(Err(why)) => {
                    tracing::warn!(play = %self.play, why, "a prompt cannot be played");
                    return Filled::end(done, PlayOutcome::Failed);
                }
                Some(Ok(audio)) => {
                    let count = (audio.linear().len() - self.at.1).min(FRAME - done);
                    copy(audio, self.at.1, done..done + count);
                    done += count;
                    self.at.1 += count;
                    if self.at.1 == audio.linear().len() {
                        self.at = (self.at.0 + 1, 0);
                    }
                }
            }
        }
        Filled { done, played: Played::Sound }
    }

    fn apply_duck(&mut self, linear: &mut Pcm) {
        if let Some(patience) = &mut self.duck.patience {
            *patience = patience.saturating_sub(1);
            if *patience == 0 {
                self.resume();
            }
        }
        if !self.is_ducked() {
            return;
        }
        let from = self.duck.gain;
        let to = from + (self.duck.target - from).clamp(-DUCK_STEP, DUCK_STEP);
        self.duck.gain = to;
        let step = (to - from) / FRAME as f32;
        for (at, sample) in linear.iter_mut().enumerate() {
            *sample = (f32::from(*sample) * (from + step * at as f32)) as i16;
        }
    }
}

/// How far a tick could be filled.
struct Filled {
    done: usize,
    played: Played,
}

impl Filled {
    /// The last samples before an end still are heard: the end is told at the next tick.
    fn end(done: usize, outcome: PlayOutcome) -> Filled {
        Filled { done, played: if done == 0 { Played::Over(outcome) } else { Played::Sound } }
    }

    fn pad(self, silence: impl FnOnce(usize)) -> Played {
        silence(self.done);
        self.played
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;
    use crate::control::time::Time;
    use crate::media::Audio;

    fn player(sounds: Vec<Arc<Sound>>, repeat: Repeat) -> Player {
        Player::new(PlayId::new(Time(1), &mut Random::new(1)), sounds, repeat, BargeIn::Words)
    }

    fn constant(value: i16, samples: usize) -> Arc<Sound> {
        Sound::ready(Audio::new(vec![value; samples]))
    }

    #[test]
    fn sounds_follow_each_other_without_a_gap_and_the_end_is_told_after_the_last_sample() {
        let mut player = player(vec![constant(1_000, 100), constant(2_000, 90)], Repeat::Once);
        let mut linear = [0; FRAME];
        assert_eq!(player.fill_linear(&mut linear), Played::Sound);
        assert_eq!((linear[99], linear[100], linear[159]), (1_000, 2_000, 2_000));
        assert_eq!(player.fill_linear(&mut linear), Played::Sound);
        assert_eq!((linear[29], linear[30]), (2_000, 0));
        assert_eq!(player.fill_linear(&mut linear), Played::Over(PlayOutcome::Done));
    }

    #[test]
    fn the_wire_form_is_the_sound_kept_in_that_codec() {
        for law in [Law::Mu, Law::A] {
            let mut wire = [0; FRAME];
            player(vec![constant(1_000, 100)], Repeat::Once).fill_wire(law, &mut wire);
            assert_eq!(wire[99], g711::encode(law, 1_000));
            assert_eq!(wire[100], g711::silence(law));
        }
    }

    #[test]
    fn a_pending_sound_is_waited_for_and_a_failed_one_ends_the_playback() {
        let (later, never) = (Sound::pending(), Sound::pending());
        let mut player = player(vec![Arc::clone(&later), Arc::clone(&never)], Repeat::Once);
        let mut linear = [7; FRAME];
        assert_eq!(player.fill_linear(&mut linear), Played::Waiting);
        assert_eq!(linear, [0; FRAME]);
        later.fill(Ok(Audio::silence(20)));
        assert_eq!(player.fill_linear(&mut linear), Played::Sound);
        never.fill(Err("no such voice".to_owned()));
        assert_eq!(player.fill_linear(&mut linear), Played::Over(PlayOutcome::Failed));
    }

    #[test]
    fn repeating_goes_round_and_repeating_nothing_ends() {
        let mut music = player(vec![constant(500, 70)], Repeat::Forever);
        let mut linear = [0; FRAME];
        assert!((0..100).all(|_| music.fill_linear(&mut linear) == Played::Sound && linear == [500; FRAME]));
        let mut nothing = player(vec![constant(0, 0)], Repeat::Forever);
        assert_eq!(nothing.fill_linear(&mut linear), Played::Over(PlayOutcome::Done));
    }

    #[test]
    fn a_prompt_ducks_within_60_ms_and_comes_back_when_the_turn_yields_nothing() {
        let mut player = player(vec![constant(8_000, 80_000)], Repeat::Once);
        let mut linear = [0; FRAME];
        player.duck();
        let levels: Vec<i16> = (0..4)
            .map(|_| {
                player.fill_linear(&mut linear);
                linear[FRAME - 1]
            })
            .collect();
        assert!(levels[0] > levels[1] && levels[2] <= 1_100, "{levels:?}");
        player.speech_ended();
        (0..100).for_each(|_| {
            let _ = player.fill_linear(&mut linear);
        });
        assert_eq!(linear[0], 8_000);
        assert!(!player.is_ducked());
    }
}

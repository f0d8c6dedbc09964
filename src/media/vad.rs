//! Voice activity: `earshot` on 16 kHz sound behind an energy gate, and a gate against the echo of our own prompt.

use earshot::Detector;

use super::resample::WIDE;
use super::tone::power;

const DETECTOR_FRAME: usize = 256;
const DETECTOR_KEPT: usize = DETECTOR_FRAME + WIDE;
/// Mean square below which nothing is speech: −60 dBFS.
const QUIET: f32 = 1_000.0;
/// Ticks after the last loud one for which the detector still listens (its context must hear the end of a word).
const HANGOVER_TICKS: u32 = 10;

/// Ticks of played sound whose echo may still come back: 500 ms.
const ECHO_TICKS: usize = 25;
/// Ticks whose loudest is taken for the loudness of what comes back: 300 ms, so that the pauses of a prompt teach nothing.
const SPOKEN_TICKS: usize = 15;
/// The echo path at first: −10 dB, on the safe side.
const FIRST_COUPLING: f32 = 0.1;
const LEAST_COUPLING: f32 = 1e-4;
/// Each tick in which less comes back: 16 dB a second. A caller whose line brings nothing back may soon speak quietly over a prompt; 300 ms
/// of an echo on its way cost 5 dB, which is less than [`ABOVE_ECHO`].
const COUPLING_FALLS: f32 = 0.93;
const COUPLING_RISES: f32 = 1.01;
/// Speech over a prompt must be 6 dB above the expected echo.
const ABOVE_ECHO: f32 = 4.0;

/// How much like speech 20 ms are: 0.0 to 1.0.
pub struct Vad {
    detector: Box<Detector>,
    kept: [i16; DETECTOR_KEPT],
    count: usize,
    score: f32,
    since_loud: u32,
}

impl Default for Vad {
    fn default() -> Vad {
        Vad { detector: Detector::default_boxed(), kept: [0; DETECTOR_KEPT], count: 0, score: 0.0, since_loud: HANGOVER_TICKS }
    }
}

impl Vad {
    /// Judges the next 20 ms of 16 kHz sound.
    pub fn score(&mut self, wide: &[i16; WIDE]) -> f32 {
        self.since_loud = if power(wide) < QUIET { self.since_loud.saturating_add(1) } else { 0 };
        if self.since_loud > HANGOVER_TICKS {
            self.score = 0.0;
            return 0.0;
        }
        self.kept[self.count..self.count + WIDE].copy_from_slice(wide);
        self.count += WIDE;
        let mut from = 0;
        while self.count - from >= DETECTOR_FRAME {
            self.score = self.detector.predict_i16(&self.kept[from..from + DETECTOR_FRAME]);
            from += DETECTOR_FRAME;
        }
        self.kept.copy_within(from..self.count, 0);
        self.count -= from;
        self.score
    }
}

/// Tells the echo of what we play from a caller who speaks over it, by comparing loudness; learns how much of it comes back.
#[derive(Clone, Debug)]
pub struct EchoGate {
    played: [f32; ECHO_TICKS],
    spoken: [f32; SPOKEN_TICKS],
    at: usize,
    coupling: f32,
}

impl Default for EchoGate {
    fn default() -> EchoGate {
        EchoGate { played: [0.0; ECHO_TICKS], spoken: [0.0; SPOKEN_TICKS], at: 0, coupling: FIRST_COUPLING }
    }
}

impl EchoGate {
    /// Takes the power of this tick's played and spoken sound; true when the spoken is too loud to be an echo.
    pub fn lets_through(&mut self, played: f32, spoken: f32) -> bool {
        self.played[self.at % ECHO_TICKS] = played;
        self.spoken[self.at % SPOKEN_TICKS] = spoken;
        self.at = (self.at + 1) % (ECHO_TICKS * SPOKEN_TICKS);
        let reference = loudest(&self.played);
        if reference < QUIET {
            return true;
        }
        let through = spoken > self.coupling * reference * ABOVE_ECHO;
        let change = if loudest(&self.spoken) > self.coupling * reference { COUPLING_RISES } else { COUPLING_FALLS };
        self.coupling = (self.coupling * change).clamp(LEAST_COUPLING, 1.0);
        through
    }

    /// Was anything played lately?
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.played.iter().any(|power| *power >= QUIET)
    }
}

fn loudest(powers: &[f32]) -> f32 {
    powers.iter().fold(0.0, |loudest, power| loudest.max(*power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_stays_out_and_a_caller_over_it_comes_through() {
        let mut gate = EchoGate::default();
        let prompt = 1e6;
        let echo: Vec<bool> = (0..200).map(|_| gate.lets_through(prompt, prompt * 0.02)).collect();
        assert!(echo.iter().all(|through| !through), "−17 dB of echo stays out from the first tick");
        assert!(gate.lets_through(prompt, prompt * 0.3), "a caller 5 dB below the prompt comes through");
    }

    #[test]
    fn an_echo_that_comes_late_stays_out() {
        let mut gate = EchoGate::default();
        let prompt = 1e6;
        assert!((0..15).all(|_| !gate.lets_through(prompt, 10.0)), "nothing is back yet");
        assert!((0..200).all(|_| !gate.lets_through(prompt, prompt * 0.05)), "−13 dB, 300 ms late");
    }

    #[test]
    fn who_sends_no_echo_may_speak_quietly_over_a_prompt_after_two_seconds() {
        let mut gate = EchoGate::default();
        let prompt = 3e7;
        assert!((0..100).all(|_| !gate.lets_through(prompt, 50.0)), "nothing comes back");
        assert!(gate.lets_through(prompt, 1e5), "25 dB below the prompt, as the vowels of a quiet clip in the telephone band are");
    }

    #[test]
    fn without_a_prompt_the_gate_is_open() {
        let mut gate = EchoGate::default();
        gate.lets_through(1e6, 0.0);
        assert!(gate.is_playing());
        let last = (0..ECHO_TICKS).map(|_| gate.lets_through(0.0, 2_000.0)).last();
        assert_eq!(last, Some(true));
        assert!(!gate.is_playing());
    }

    #[test]
    fn silence_is_never_speech() {
        let mut vad = Vad::default();
        assert!((0..100).all(|_| vad.score(&[3; WIDE]) == 0.0));
    }
}

//! Any phones in any order: how well the sound can be said at all, beside what a grammar makes of it.
//!
//! It is the library's own phone loop over phones without neighbours, and gives its scores but for the first and last frames; it is
//! reckoned from the cepstra that the grammar's front end has made anyway, without what cannot count in the end.

use std::sync::Arc;

use super::acoustic::{Acoustic, STATES, STREAMS, WIDTH};

/// Frames on each side that a frame's differences reach to.
const REACH: usize = 3;
/// All of them, with the frame itself.
const SPAN: usize = 2 * REACH + 1;
/// Gaussians of a phone that count in a stream, the highest.
const COUNTED: usize = 4;
/// A Gaussian this far below the best of all phones is no worse than that.
const WORST: i32 = 96;
/// Nothing leads here.
const NOWHERE: i32 = i32::MIN / 2;
/// The mean counts as so many frames at the beginning, and again whenever it is brought up to date.
const MEAN_WEIGHS: f32 = 500.0;
/// With so many frames in the sum the mean is brought up to date.
const MEAN_AFTER: f32 = 800.0;

/// Frames reckoned together, so that a phone's Gaussians are fetched once for all of them.
const TOGETHER: usize = 8;

/// One utterance.
pub struct Phones {
    model: Arc<Acoustic>,
    mean: Mean,
    /// The latest frames without their mean, oldest first; full from the first frame on.
    span: [[f32; WIDTH]; SPAN],
    /// Frames taken so far.
    taken: usize,
    /// Frames that wait to be reckoned.
    waiting: Vec<Frame>,
    /// By frame reckoned together, by phone and stream: the Gaussians that count, highest first.
    tops: Vec<Vec<Top>>,
    /// By phone and stream: the highest one of the frame before.
    near: Vec<u8>,
    /// By phone: the best score of any way into each state.
    scores: Vec<[i32; STATES]>,
    /// The best way to the end of any phone in the latest frame.
    end: i32,
}

/// A frame with its differences.
type Frame = [[f32; WIDTH]; STREAMS];
/// The highest Gaussians of a phone in a stream, highest first: which, and how high.
type Top = [(u8, f32); COUNTED];

impl Phones {
    /// An ear that has heard nothing, with the cepstral mean to begin from.
    pub fn new(model: &Arc<Acoustic>, mean: &[f32; WIDTH]) -> Phones {
        let mut scores = vec![[NOWHERE; STATES]; model.phones];
        scores[model.silence][0] = 0;
        let places = model.phones * STREAMS;
        Phones {
            model: model.clone(),
            mean: Mean::new(mean),
            span: [[0.0; WIDTH]; SPAN],
            taken: 0,
            waiting: Vec::with_capacity(TOGETHER),
            tops: vec![vec![Top::default(); places]; TOGETHER],
            near: vec![0; places],
            scores,
            end: NOWHERE,
        }
    }

    /// Takes the next frame's cepstra.
    pub fn push(&mut self, mut cepstra: [f32; WIDTH]) {
        self.mean.take_off(&mut cepstra);
        if self.taken == 0 {
            self.span = [cepstra; SPAN];
        }
        self.taken += 1;
        self.shift(cepstra);
    }

    /// No frame follows: those that waited for more are reckoned with the last one in its place.
    pub fn end(&mut self) {
        for _ in 0..self.taken.min(REACH) {
            self.taken += 1;
            self.shift(self.span[SPAN - 1]);
        }
    }

    /// The score of the best phones so far, zero at best; nothing before the first phone is over.
    pub fn score(&mut self) -> Option<i32> {
        self.hear();
        (self.end > NOWHERE / 2).then_some(self.end)
    }

    fn shift(&mut self, cepstra: [f32; WIDTH]) {
        self.span.rotate_left(1);
        self.span[SPAN - 1] = cepstra;
        // The first frames only fill the span.
        if self.taken > REACH {
            self.waiting.push(streams(&self.span));
        }
        if self.waiting.len() == TOGETHER {
            self.hear();
        }
    }

    fn hear(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        // In the beginning a frame opens the way to the next one's phones.
        let together = if self.reached().len() == self.model.phones { TOGETHER } else { 1 };
        waiting.chunks(together).for_each(|frames| self.hear_together(frames));
        self.waiting = waiting;
        self.waiting.clear();
    }

    /// The phones to which any way leads.
    fn reached(&self) -> Vec<usize> {
        let leads = |scores: &[i32; STATES]| scores.iter().any(|score| *score > NOWHERE / 2);
        (0..self.model.phones).filter(|phone| leads(&self.scores[*phone])).collect()
    }

    fn hear_together(&mut self, frames: &[Frame]) {
        let reached = self.reached();
        for (at, stream) in reached.iter().flat_map(|phone| (0..STREAMS).map(move |stream| (phone * STREAMS + stream, stream))) {
            let near = &mut self.near[at];
            for (tops, frame) in self.tops.iter_mut().zip(frames) {
                let mut top = [(0, f32::MIN); COUNTED];
                self.model.above(at, *near, &frame[stream], |density, height| raise(&mut top, density, height));
                *near = top[0].0;
                tops[at] = top;
            }
        }
        for nth in 0..frames.len() {
            let best = std::array::from_fn(|stream| self.best(nth, stream, &reached));
            let costs: Vec<[i32; STATES]> = reached.iter().map(|phone| self.costs(nth, *phone, &best)).collect();
            self.walk(&reached, &costs);
        }
    }

    /// The height of a stream's highest Gaussian.
    fn best(&self, nth: usize, stream: usize, reached: &[usize]) -> f32 {
        reached.iter().map(|phone| self.tops[nth][phone * STREAMS + stream][0].1).fold(f32::MIN, f32::max).floor()
    }

    /// What a frame costs in each state of a phone, beside the best Gaussian of each stream.
    fn costs(&self, nth: usize, phone: usize, best: &[f32; STREAMS]) -> [i32; STATES] {
        let mut out = [0; STATES];
        for (stream, best) in best.iter().enumerate() {
            let at = phone * STREAMS + stream;
            let weights = self.model.weights(at);
            let rows = self.tops[nth][at].map(|(density, height)| {
                let below = ((best - height).ceil() as i32).min(WORST);
                weights[usize::from(density)].map(|weight| below + i32::from(weight))
            });
            for (state, out) in out.iter_mut().enumerate() {
                *out += rows[1..].iter().fold(rows[0][state], |all, row| self.model.either(all, row[state]));
            }
        }
        out
    }

    /// All ways go on by a frame; who has left a phone may enter any.
    fn walk(&mut self, reached: &[usize], costs: &[[i32; STATES]]) {
        let cheapest = costs.iter().flatten().copied().min().unwrap_or(0);
        let mut end = NOWHERE;
        for (phone, costs) in reached.iter().zip(costs) {
            let (scores, steps) = (&mut self.scores[*phone], &self.model.steps[*phone]);
            let heard: [i32; STATES] = std::array::from_fn(|state| scores[state] - (costs[state] - cheapest));
            for state in 0..STATES {
                let stayed = heard[state] - steps[state].stay;
                let came = if state == 0 { NOWHERE } else { heard[state - 1] - steps[state - 1].leave };
                scores[state] = stayed.max(came).max(NOWHERE);
            }
            end = end.max(heard[STATES - 1] - steps[STATES - 1].leave);
        }
        for scores in &mut self.scores {
            scores[0] = scores[0].max(end);
        }
        self.end = end;
    }
}

/// The middle frame with its differences.
fn streams(span: &[[f32; WIDTH]; SPAN]) -> Frame {
    let at = |offset: isize, number: usize| span[REACH.wrapping_add_signed(offset)][number];
    let first = std::array::from_fn(|number| at(2, number) - at(-2, number));
    let second = std::array::from_fn(|number| (at(3, number) - at(-1, number)) - (at(1, number) - at(-3, number)));
    [span[REACH], first, second]
}

/// Takes in one that is higher than the lowest. Answers with the lowest then.
fn raise(top: &mut Top, density: u8, height: f32) -> f32 {
    let place = top.iter().position(|(_, known)| height > *known).unwrap_or(COUNTED - 1);
    top[place..].rotate_right(1);
    top[place] = (density, height);
    top[COUNTED - 1].1
}

/// The mean of the cepstra, as the library keeps it while sound comes in.
struct Mean {
    mean: [f32; WIDTH],
    sum: [f32; WIDTH],
    frames: f32,
}

impl Mean {
    fn new(mean: &[f32; WIDTH]) -> Mean {
        Mean { mean: *mean, sum: mean.map(|number| number * MEAN_WEIGHS), frames: MEAN_WEIGHS }
    }

    fn take_off(&mut self, cepstra: &mut [f32; WIDTH]) {
        // Frames without any energy stay as they are.
        if cepstra[0] < 0.0 {
            return;
        }
        for ((number, mean), sum) in cepstra.iter_mut().zip(&self.mean).zip(&mut self.sum) {
            *sum += *number;
            *number -= mean;
        }
        self.frames += 1.0;
        if self.frames > MEAN_AFTER {
            self.mean = self.sum.map(|sum| sum / self.frames);
            self.sum = self.mean.map(|mean| mean * MEAN_WEIGHS);
            self.frames = MEAN_WEIGHS;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MEAN: [f32; WIDTH] = [40.0; WIDTH];

    fn model() -> Option<Arc<Acoustic>> {
        let model = Acoustic::read(Path::new("/usr/share/pocketsphinx/model/en-us/en-us"));
        if let Err(why) = &model {
            println!("SKIPPED: {why}");
        }
        model.ok().map(Arc::new)
    }

    /// Frames that wander as speech does.
    fn frames(count: usize) -> Vec<[f32; WIDTH]> {
        let at = |nth: usize, number: usize| 40.0 + 12.0 * ((nth * (number + 3)) as f32 * 0.13).sin() / (1 + number / 4) as f32;
        (0..count).map(|nth| std::array::from_fn(|number| at(nth, number))).collect()
    }

    #[test]
    fn the_gaussians_that_count_are_the_highest_wherever_the_search_begins() {
        let Some(model) = model() else { return };
        for (place, frame) in frames(200).iter().enumerate().take(model.phones * STREAMS) {
            let frame = frame.map(|number| number - 40.0);
            let mut all = Vec::new();
            model.above(place, 0, &frame, |density, height| {
                all.push((density, height));
                f32::MIN
            });
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            for near in [0, 77, 127] {
                let mut top = [(0, f32::MIN); COUNTED];
                model.above(place, near, &frame, |density, height| raise(&mut top, density, height));
                assert_eq!(top.map(|(_, height)| height).to_vec(), all[..COUNTED].iter().map(|(_, height)| *height).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn frames_reckoned_together_or_one_by_one_give_the_same_score() {
        let Some(model) = model() else { return };
        let (mut together, mut alone) = (Phones::new(&model, &MEAN), Phones::new(&model, &MEAN));
        assert_eq!(alone.score(), None, "nothing was heard");
        for frame in frames(300) {
            together.push(frame);
            alone.push(frame);
            alone.score();
        }
        together.end();
        alone.end();
        assert_eq!(together.score(), alone.score());
        assert!(together.score().is_some_and(|score| score < 0), "{:?}", together.score());
    }

    #[test]
    fn an_utterance_shorter_than_a_phone_has_no_score() {
        let Some(model) = model() else { return };
        let mut phones = Phones::new(&model, &MEAN);
        phones.push(MEAN);
        phones.end();
        assert_eq!(phones.score(), None);
    }

    #[test]
    fn the_mean_follows_after_three_seconds() {
        let mut mean = Mean::new(&[40.0; WIDTH]);
        let mut frame = [0.0; WIDTH];
        for _ in 0..301 {
            frame = [50.0; WIDTH];
            mean.take_off(&mut frame);
        }
        assert_eq!(frame, [10.0; WIDTH]);
        frame = [50.0; WIDTH];
        mean.take_off(&mut frame);
        assert!(frame[0] > 6.0 && frame[0] < 6.5, "{frame:?}");
    }
}

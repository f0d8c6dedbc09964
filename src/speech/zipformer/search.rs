//! Beam search over the joiner's answers: at most one token a frame, equal texts are added up, a menu's phrases are favoured.

use super::bias::{Bias, Place};
use super::tokens::{BLANK, UNKNOWN};

/// Hypotheses kept.
const BEAM: usize = 4;

/// A text under way.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Hypothesis {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Log probability by the model alone.
    pub score: f32,
    /// What the phrases added.
    bonus: f32,
    /// Log probability of its tokens without the blanks between.
    pub spoken: f32,
    place: Place,
}

impl Hypothesis {
    /// The decoder's context.
    pub fn context(&self) -> [i32; 2] {
        context(&self.tokens)
    }

    /// How well its tokens were heard, 0.0 to 1.0.
    pub fn clarity(&self) -> f32 {
        if self.tokens.is_empty() { 0.0 } else { (self.spoken / self.tokens.len() as f32).exp() }
    }

    fn worth(&self) -> f32 {
        self.score + self.bonus
    }
}

/// The last two tokens; before the first there are -1 and 0.
pub fn context(tokens: &[u32]) -> [i32; 2] {
    match tokens {
        [] => [-1, 0],
        [only] => [0, *only as i32],
        [.., before, last] => [*before as i32, *last as i32],
    }
}

/// The beam.
#[derive(Clone, Debug)]
pub struct Beam(Vec<Hypothesis>);

impl Default for Beam {
    fn default() -> Beam {
        Beam(vec![Hypothesis::default()])
    }
}

impl Beam {
    /// The contexts of all hypotheses, in their order.
    pub fn contexts(&self) -> Vec<[i32; 2]> {
        self.0.iter().map(Hypothesis::context).collect()
    }

    /// One frame: a row of log probabilities for each hypothesis.
    pub fn step(&mut self, rows: &[f32], width: usize, bias: &Bias) {
        let mut next: Vec<Hypothesis> = Vec::with_capacity(BEAM * (BEAM + 1));
        for (hypothesis, row) in self.0.iter().zip(rows.chunks(width)) {
            let silent = row[BLANK as usize].max(row[UNKNOWN as usize]);
            add(&mut next, Hypothesis { score: hypothesis.score + silent, ..hypothesis.clone() });
            for token in best_tokens(row) {
                add(&mut next, extended(hypothesis, token, row[token as usize], bias));
            }
        }
        next.sort_by(|a, b| b.worth().total_cmp(&a.worth()));
        next.truncate(BEAM);
        self.0 = next;
    }

    /// The best text so far.
    pub fn best(&self) -> &Hypothesis {
        &self.0[0]
    }

    /// The texts at the end, best first, without the credit of unfinished phrases.
    pub fn finish(mut self, bias: &Bias) -> Vec<Hypothesis> {
        for hypothesis in &mut self.0 {
            hypothesis.bonus += bias.end(hypothesis.place);
        }
        self.0.sort_by(|a, b| b.worth().total_cmp(&a.worth()));
        self.0
    }
}

fn extended(hypothesis: &Hypothesis, token: u32, probability: f32, bias: &Bias) -> Hypothesis {
    let (place, gain) = bias.step(hypothesis.place, token);
    let mut tokens = hypothesis.tokens.clone();
    tokens.push(token);
    Hypothesis {
        tokens,
        score: hypothesis.score + probability,
        bonus: hypothesis.bonus + gain,
        spoken: hypothesis.spoken + probability,
        place,
    }
}

/// The likeliest tokens of a row without blank and unknown.
fn best_tokens(row: &[f32]) -> Vec<u32> {
    let mut tokens: Vec<u32> = (0..row.len() as u32).filter(|token| ![BLANK, 1, UNKNOWN].contains(token)).collect();
    tokens.sort_by(|a, b| row[*b as usize].total_cmp(&row[*a as usize]));
    tokens.truncate(BEAM);
    tokens
}

/// The same text by two ways is one text.
fn add(texts: &mut Vec<Hypothesis>, new: Hypothesis) {
    match texts.iter_mut().find(|known| known.tokens == new.tokens) {
        Some(known) => {
            let most = known.score.max(new.score);
            let sum = most + ((known.score - most).exp() + (new.score - most).exp()).ln();
            if new.score > known.score {
                *known = new;
            }
            known.score = sum;
        }
        None => texts.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(usize, f32)]) -> Vec<f32> {
        let mut row = vec![-20.0; 8];
        pairs.iter().for_each(|(token, probability)| row[*token] = *probability);
        row
    }

    #[test]
    fn the_likeliest_text_wins_and_a_menu_word_may_overtake() {
        let frames = [row(&[(5, -0.3), (6, -0.6)]), row(&[(0, -0.1)])];
        for (phrase, wanted) in [(&[][..], 5), (&[6][..], 6)] {
            let bias = Bias::new([phrase]);
            let mut beam = Beam::default();
            for frame in &frames {
                let rows: Vec<f32> = beam.contexts().iter().flat_map(|_| frame.clone()).collect();
                beam.step(&rows, 8, &bias);
            }
            assert_eq!(beam.finish(&bias)[0].tokens, [wanted]);
        }
    }

    #[test]
    fn the_context_is_the_last_two_tokens() {
        assert_eq!((context(&[]), context(&[7]), context(&[5, 6, 7])), ([-1, 0], [0, 7], [6, 7]));
    }
}

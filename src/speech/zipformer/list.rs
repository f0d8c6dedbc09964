//! Scoring a closed list: how likely each phrase is as a whole, over all ways it may lie in the sound.

use super::search::context;
use super::tokens::BLANK;

/// Phrases that are scored; the ones nearest to the free text are taken.
pub const SCORED: usize = 12;

/// Log probability of a phrase. `row(context)` gives the log probabilities of all frames after a context, frame by frame.
pub fn score<E>(phrase: &[u32], frames: usize, width: usize, mut rows: impl FnMut([i32; 2]) -> Result<Rows, E>) -> Result<f32, E> {
    // alive[u]: the sum over all ways in which u tokens of the phrase have been said so far.
    let mut alive = vec![f32::NEG_INFINITY; phrase.len() + 1];
    alive[0] = 0.0;
    let places: Vec<Rows> = (0..=phrase.len()).map(|said| rows(context(&phrase[..said]))).collect::<Result<_, _>>()?;
    for frame in 0..frames {
        let at = |said: usize, token: u32| places[said][frame * width + token as usize];
        for said in (0..=phrase.len()).rev() {
            let stayed = alive[said] + at(said, BLANK);
            let came = if said == 0 { f32::NEG_INFINITY } else { alive[said - 1] + at(said - 1, phrase[said - 1]) };
            alive[said] = add(stayed, came);
        }
    }
    Ok(alive[phrase.len()])
}

/// Log probabilities of all frames, shared between phrases with the same context.
pub type Rows = std::rc::Rc<Vec<f32>>;

/// The log of a sum of two.
fn add(a: f32, b: f32) -> f32 {
    let most = a.max(b);
    if most == f32::NEG_INFINITY { most } else { most + ((a - most).exp() + (b - most).exp()).ln() }
}

/// Changes of one token that lead from one text to another.
pub fn distance(a: &[u32], b: &[u32]) -> usize {
    let mut line: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut corner = line[0];
        line[0] = row + 1;
        for (column, right) in b.iter().enumerate() {
            let change = corner + usize::from(left != right);
            corner = line[column + 1];
            line[column + 1] = change.min(corner + 1).min(line[column] + 1);
        }
    }
    line[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_scores_the_sum_of_its_ways() {
        // Two frames of two tokens: blank and the word, each at one half.
        let half = 0.5f32.ln();
        let rows = |_| Ok::<_, ()>(Rows::new(vec![half; 4]));
        let score = score(&[1], 2, 2, rows).unwrap();
        assert!((score.exp() - 0.5).abs() < 1e-6, "first or second frame: a quarter each");
    }

    #[test]
    fn the_distance_counts_changes() {
        assert_eq!((distance(&[1, 2, 3], &[1, 3]), distance(&[], &[4]), distance(&[5], &[5])), (1, 1, 0));
    }
}

//! One-vs-rest linear SVM with squared hinge loss, by dual coordinate descent with shrinking
//! (Hsieh, Chang, Lin, Keerthi and Sundararajan, ICML 2008: algorithms 1 and 3).

use super::feature::{Vector, dot};
use super::random::Random;

/// How it is trained.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Params {
    /// The cost of an error on a positive example.
    pub positive_cost: f32,
    /// The cost of an error on a negative example.
    pub negative_cost: f32,
    /// Stop when the projected gradients lie this close together.
    pub tolerance: f32,
    /// Stop after so many passes over the examples anyway.
    pub passes: usize,
}

/// Weights of all classes: row = feature, column = class; after the n-grams' rows come those of the meaning, the last row is the bias.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    weights: Vec<f32>,
    classes: usize,
    /// The first row of the meaning.
    meaning: usize,
}

/// How many features there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    pub grams: usize,
    pub meaning: usize,
}

impl Linear {
    /// Trains one class against the rest for each class. A row whose label is `None` is a negative of all.
    pub(super) fn train(rows: &[&Vector], labels: &[Option<usize>], classes: usize, width: Width, params: Params) -> Linear {
        let mut weights = vec![0.0; (width.grams + width.meaning + 1) * classes];
        let squares: Vec<f32> = rows.iter().map(|row| 1.0 + row.square()).collect();
        for class in 0..classes {
            let positive: Vec<bool> = labels.iter().map(|label| *label == Some(class)).collect();
            let w = solve(rows, &squares, &positive, width, params);
            for (feature, value) in w.iter().enumerate() {
                weights[feature * classes + class] = *value;
            }
        }
        Linear { weights, classes, meaning: width.grams }
    }

    /// The margin of each class.
    pub(super) fn margins(&self, vector: &Vector) -> Vec<f32> {
        let bias = self.weights.len() - self.classes;
        let mut margins = self.weights[bias..].to_vec();
        let grams = vector.items.iter().map(|&(feature, value)| (feature as usize, value));
        let meaning = vector.meaning.iter().enumerate().map(|(nth, &value)| (self.meaning + nth, value));
        for (feature, value) in grams.chain(meaning) {
            let row = feature * self.classes;
            for (margin, weight) in margins.iter_mut().zip(&self.weights[row..row + self.classes]) {
                *margin += value * weight;
            }
        }
        margins
    }
}

/// The bounds of the projected gradient over one pass.
#[derive(Clone, Copy)]
struct Bounds {
    high: f32,
    low: f32,
}

const OPEN: Bounds = Bounds { high: f32::INFINITY, low: f32::NEG_INFINITY };
const EMPTY: Bounds = Bounds { high: f32::NEG_INFINITY, low: f32::INFINITY };

/// The weights of one class; the bias comes last.
fn solve(rows: &[&Vector], squares: &[f32], positive: &[bool], width: Width, params: Params) -> Vec<f32> {
    let mut w = vec![0.0f32; width.grams + width.meaning + 1];
    let mut alpha = vec![0.0f32; rows.len()];
    let mut active: Vec<usize> = (0..rows.len()).collect();
    let mut random = Random::new(rows.len() as u64);
    let mut shrink = OPEN;
    for _ in 0..params.passes {
        let mut bounds = EMPTY;
        random.shuffle(&mut active);
        active.retain(|&i| step(i, rows[i], squares[i], positive[i], &mut w, &mut alpha, params, shrink, &mut bounds));
        if bounds.high - bounds.low <= params.tolerance {
            if active.len() == rows.len() {
                break;
            }
            active = (0..rows.len()).collect();
            shrink = OPEN;
            continue;
        }
        shrink.high = if bounds.high <= 0.0 { f32::INFINITY } else { bounds.high };
        shrink.low = if bounds.low >= 0.0 { f32::NEG_INFINITY } else { bounds.low };
    }
    w
}

/// One coordinate step; false when the example may be left out of the next passes.
#[allow(clippy::too_many_arguments)] // the inner loop of training: the parts are borrowed one by one
fn step(
    i: usize,
    row: &Vector,
    square: f32,
    positive: bool,
    w: &mut [f32],
    alpha: &mut [f32],
    params: Params,
    shrink: Bounds,
    bounds: &mut Bounds,
) -> bool {
    let (sign, cost) = if positive { (1.0, params.positive_cost) } else { (-1.0, params.negative_cost) };
    let diagonal = 0.5 / cost;
    let bias = w.len() - 1;
    let meaning = bias - row.meaning.len();
    let margin = w[bias] + row.items.iter().map(|&(f, v)| w[f as usize] * v).sum::<f32>() + dot(&w[meaning..bias], &row.meaning);
    let gradient = sign * margin - 1.0 + diagonal * alpha[i];
    let projected = if alpha[i] == 0.0 {
        if gradient > shrink.high {
            return false;
        }
        gradient.min(0.0)
    } else {
        gradient
    };
    bounds.high = bounds.high.max(projected);
    bounds.low = bounds.low.min(projected);
    if projected.abs() > 1e-12 {
        let before = alpha[i];
        alpha[i] = (before - gradient / (square + diagonal)).max(0.0);
        let change = (alpha[i] - before) * sign;
        w[bias] += change;
        for &(feature, value) in &row.items {
            w[feature as usize] += change * value;
        }
        w[meaning..bias].iter_mut().zip(&row.meaning).for_each(|(weight, value)| *weight += change * value);
    }
    true
}

//! One trained model: vocabulary, margins, examples to compare with, calibration.

use super::confidence::{Case, Evidence, Logistic};
use super::feature::{Block, Grams, Vector, Vocabulary, Weights, dot, norm};
use super::svm::{Linear, Params};

/// Compare with at most so many examples of an intent.
const EXEMPLARS: usize = 24;
/// Held-out parts for calibration.
const FOLDS: usize = 4;
/// … of a large set, where each part says enough.
const LARGE: usize = 3_000;
const LARGE_FOLDS: usize = 3;
/// Out-of-scope sentences weigh, all together, this share of the examples when confidence is calibrated.
const OUT_OF_SCOPE_SHARE: f32 = 0.3;

const PARAMS: Params = Params {
    positive_cost: 1.0,
    negative_cost: 1.0,
    tolerance: 0.1,
    passes: 200,
};

/// One class of a judged sentence.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Judged {
    pub class: usize,
    pub margin: f32,
    pub confidence: f32,
}

/// A model over one weighting of the blocks.
#[derive(Clone, Debug)]
pub(super) struct Model {
    core: Core,
    logistic: Logistic,
}

/// A model before calibration.
#[derive(Clone, Debug)]
struct Core {
    weights: Weights,
    vocabulary: Vocabulary,
    linear: Linear,
    classes: Vec<Class>,
}

/// The examples of one class.
#[derive(Clone, Debug, Default)]
struct Class {
    exemplars: Vec<Vector>,
    centroid: Vec<(u32, f32)>,
}

impl Grams {
    /// Is there a pinyin n-gram in it?
    pub(super) fn has_sound(&self) -> bool {
        !self.0[Block::P as usize].is_empty()
    }
}

impl Model {
    /// Trains and calibrates. A sentence whose label is `None` is out of scope.
    pub(super) fn train(grams: &[Grams], labels: &[Option<usize>], classes: usize, weights: Weights) -> Model {
        let all: Vec<usize> = (0..grams.len()).collect();
        let core = Core::train(grams, labels, &all, classes, weights);
        let folds = folds(labels, classes);
        let parts = if grams.len() > LARGE { LARGE_FOLDS } else { FOLDS };
        let mut cases = Vec::new();
        for part in 0..parts {
            let kept: Vec<usize> = all.iter().copied().filter(|&i| folds[i] % parts != part).collect();
            let held_out = Core::train(grams, labels, &kept, classes, weights);
            held_out.cases(grams, labels, all.iter().copied().filter(|&i| folds[i] % parts == part), &mut cases);
        }
        balance(&mut cases);
        Model {
            core,
            logistic: Logistic::fit(&cases),
        }
    }

    /// The best `most` of the allowed classes, best first.
    pub(super) fn judge(&self, grams: &Grams, allowed: &[bool], most: usize) -> Vec<Judged> {
        let vector = self.core.vocabulary.vector(grams, self.core.weights);
        if vector.items.is_empty() {
            return Vec::new();
        }
        let margins = self.core.linear.margins(&vector);
        let order = best(&margins, allowed, most);
        let judged = order.iter().map(|&class| {
            let other = order.iter().find(|&&other| other != class).map_or(-1.0, |&other| margins[other]);
            let evidence = self.core.evidence(&vector, class, margins[class], other);
            Judged {
                class,
                margin: margins[class],
                confidence: self.logistic.of(&evidence),
            }
        });
        judged.collect()
    }
}

/// The allowed classes with the highest margins, highest first.
fn best(margins: &[f32], allowed: &[bool], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..margins.len()).filter(|&class| allowed[class]).collect();
    let most = most.min(order.len());
    if most < order.len() && most > 0 {
        order.select_nth_unstable_by(most - 1, |&a, &b| margins[b].total_cmp(&margins[a]).then(a.cmp(&b)));
    }
    order.truncate(most);
    order.sort_by(|&a, &b| margins[b].total_cmp(&margins[a]).then(a.cmp(&b)));
    order
}

impl Core {
    fn train(grams: &[Grams], labels: &[Option<usize>], rows: &[usize], classes: usize, weights: Weights) -> Core {
        let vocabulary = Vocabulary::build(rows.iter().map(|&row| &grams[row]), weights);
        let vectors: Vec<Vector> = rows.iter().map(|&row| vocabulary.vector(&grams[row], weights)).collect();
        let labels: Vec<Option<usize>> = rows.iter().map(|&row| labels[row]).collect();
        let of: Vec<&Vector> = vectors.iter().collect();
        let linear = Linear::train(&of, &labels, classes, vocabulary.len(), PARAMS);
        let mut by_class = vec![Class::default(); classes];
        for (class, own) in by_class.iter_mut().enumerate() {
            *own = Class::of(
                of.iter()
                    .zip(&labels)
                    .filter(|(_, label)| **label == Some(class))
                    .map(|(vector, _)| *vector),
            );
        }
        Core {
            weights,
            vocabulary,
            linear,
            classes: by_class,
        }
    }

    fn evidence(&self, vector: &Vector, class: usize, margin: f32, other: f32) -> Evidence {
        let length = norm(&vector.items).max(f32::MIN_POSITIVE);
        let own = &self.classes[class];
        let nearest = own
            .exemplars
            .iter()
            .map(|example| dot(&vector.items, &example.items))
            .fold(0.0, f32::max)
            / length;
        Evidence {
            margin,
            gap: margin - other,
            centroid: dot(&vector.items, &own.centroid) / length,
            nearest,
            known: vector.known,
        }
    }

    /// Classifies held-out rows for the calibration.
    fn cases(&self, grams: &[Grams], labels: &[Option<usize>], rows: impl Iterator<Item = usize>, out: &mut Vec<Case>) {
        let allowed = vec![true; self.classes.len()];
        for row in rows {
            let vector = self.vocabulary.vector(&grams[row], self.weights);
            let margins = self.linear.margins(&vector);
            let order = best(&margins, &allowed, 2);
            let Some(&top) = order.first() else { continue };
            let other = order.get(1).map_or(-1.0, |&other| margins[other]);
            let evidence = self.evidence(&vector, top, margins[top], other);
            out.push(Case {
                evidence,
                right: labels[row] == Some(top),
                in_scope: labels[row].is_some(),
                weight: 1.0,
            });
        }
    }
}

impl Class {
    fn of<'a>(vectors: impl Iterator<Item = &'a Vector>) -> Class {
        let all: Vec<&Vector> = vectors.collect();
        let mut sum: Vec<(u32, f32)> = all.iter().flat_map(|vector| vector.items.iter().copied()).collect();
        sum.sort_by_key(|item| item.0);
        let mut centroid: Vec<(u32, f32)> = sum
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| (same[0].0, same.iter().map(|item| item.1).sum()))
            .collect();
        let length = norm(&centroid).max(f32::MIN_POSITIVE);
        centroid.iter_mut().for_each(|item| item.1 /= length);
        let unit = |vector: &&Vector| {
            let length = norm(&vector.items).max(f32::MIN_POSITIVE);
            Vector {
                items: vector.items.iter().map(|&(f, v)| (f, v / length)).collect(),
                known: vector.known,
            }
        };
        Class {
            exemplars: all.iter().take(EXEMPLARS).map(unit).collect(),
            centroid,
        }
    }
}

/// Deals each class's rows out in turn, so that each part has some of all.
fn folds(labels: &[Option<usize>], classes: usize) -> Vec<usize> {
    let mut next = vec![0; classes + 1];
    let mut deal = |label: &Option<usize>| {
        let turn = &mut next[label.unwrap_or(classes)];
        *turn += 1;
        *turn - 1
    };
    labels.iter().map(|label| deal(label)).collect()
}

/// Makes the out-of-scope cases weigh their share, however many there are.
fn balance(cases: &mut [Case]) {
    let outside = cases.iter().filter(|case| !case.in_scope).count();
    let weight = OUT_OF_SCOPE_SHARE * (cases.len() - outside) as f32 / outside.max(1) as f32;
    cases.iter_mut().filter(|case| !case.in_scope).for_each(|case| case.weight = weight);
}

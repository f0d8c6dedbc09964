//! One trained model: vocabulary, margins, examples to compare with, calibration.

use super::confidence::{Case, Evidence, Logistic};
use super::feature::{Sentence, Vector, Vocabulary, Weights, dot};
use super::svm::{Linear, Params, Width};

/// Compare with at most so many examples of an intent.
const EXEMPLARS: usize = 24;
/// Held-out parts for calibration.
const FOLDS: usize = 4;
/// … of a large set, where each part says enough.
const LARGE: usize = 3_000;
const LARGE_FOLDS: usize = 3;
/// What nearness to the middle of an intent's meanings adds to its margin: of few examples an SVM learns less than that.
const NEARNESS: f32 = 2.0;
/// Out-of-scope sentences weigh, all together, this share of the examples when confidence is calibrated.
const OUT_OF_SCOPE_SHARE: f32 = 0.3;

const PARAMS: Params = Params { positive_cost: 1.0, negative_cost: 1.0, tolerance: 0.3, passes: 200 };
/// … with a sentence model, whose few features are all there in each sentence.
const WITH_MEANING: Params = Params { positive_cost: 3.0, negative_cost: 3.0, ..PARAMS };

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
    /// The share of held-out examples that it understood.
    held_out: f32,
}

/// A model before calibration.
#[derive(Clone, Debug)]
struct Core {
    weights: Weights,
    vocabulary: Vocabulary,
    linear: Linear,
    classes: Vec<Class>,
    centres: Centres,
}

/// The middle of each class's meanings, of length 1; empty without a sentence model.
#[derive(Clone, Debug, Default)]
struct Centres {
    rows: Vec<f32>,
    width: usize,
}

/// Some examples of one class, by feature, so that all are compared in one walk.
#[derive(Clone, Debug, Default)]
struct Class {
    /// Ascending; `starts` has one more than these.
    features: Vec<u32>,
    /// Where each feature's entries begin.
    starts: Vec<u32>,
    /// Which example, and its value in a vector of length 1.
    entries: Vec<(u16, f32)>,
    /// Their meanings, one after the other, in vectors of length 1.
    meanings: Vec<f32>,
    /// The length of the examples' sum.
    length: f32,
}

impl Sentence<'_> {
    /// Does any of it count under these weights?
    fn weighs(&self, weights: Weights) -> bool {
        self.grams.0.iter().zip(weights.grams).any(|(block, weight)| weight > 0.0 && !block.is_empty())
            || self.meaning.is_some() && weights.meaning > 0.0
    }
}

impl Model {
    /// Trains and calibrates. A sentence whose label is `None` is out of scope.
    pub(super) fn train(sentences: &[Sentence<'_>], labels: &[Option<usize>], classes: usize, weights: Weights) -> Model {
        // An English sentence has no sound to learn from; its empty row would only bend the bias.
        let all: Vec<usize> = (0..sentences.len()).filter(|&row| sentences[row].weighs(weights)).collect();
        let core = Core::train(sentences, labels, &all, classes, weights);
        let folds = folds(labels, classes);
        let parts = if sentences.len() > LARGE { LARGE_FOLDS } else { FOLDS };
        let mut cases = Vec::new();
        for part in 0..parts {
            let kept: Vec<usize> = all.iter().copied().filter(|&i| folds[i] % parts != part).collect();
            let held_out = Core::train(sentences, labels, &kept, classes, weights);
            held_out.cases(sentences, labels, all.iter().copied().filter(|&i| folds[i] % parts == part), &mut cases);
        }
        let examples = cases.iter().filter(|case| case.in_scope).count().max(1);
        let held_out = cases.iter().filter(|case| case.right).count() as f32 / examples as f32;
        balance(&mut cases);
        Model { core, logistic: Logistic::fit(&cases), held_out }
    }

    /// Did it understand at least as many of the examples held out while it was trained?
    pub(super) fn is_no_worse_than(&self, other: &Model) -> bool {
        self.held_out >= other.held_out
    }

    /// The best `most` of the allowed classes, best first.
    pub(super) fn judge(&self, sentence: Sentence<'_>, allowed: &[bool], most: usize) -> Vec<Judged> {
        let vector = self.core.vocabulary.vector(sentence, self.core.weights);
        if vector.is_empty() {
            return Vec::new();
        }
        let margins = self.core.margins(&vector);
        let order = best(&margins, allowed, most.max(2));
        let judged = order.iter().take(most).map(|&class| {
            let other = order.iter().find(|&&other| other != class).map_or(-1.0, |&other| margins[other]);
            let evidence = self.core.evidence(&vector, class, margins[class], other);
            Judged { class, margin: margins[class], confidence: self.logistic.of(&evidence) }
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
    fn train(sentences: &[Sentence<'_>], labels: &[Option<usize>], rows: &[usize], classes: usize, weights: Weights) -> Core {
        let (inside, outside): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| labels[row].is_some());
        let of = |rows: Vec<usize>| rows.into_iter().map(|row| sentences[row].grams).collect::<Vec<_>>();
        let vocabulary = Vocabulary::build(&of(inside), &of(outside), weights);
        let vectors: Vec<Vector> = rows.iter().map(|&row| vocabulary.vector(sentences[row], weights)).collect();
        let labels: Vec<Option<usize>> = rows.iter().map(|&row| labels[row]).collect();
        let of: Vec<&Vector> = vectors.iter().collect();
        let width = Width { grams: vocabulary.len(), meaning: of.first().map_or(0, |vector| vector.meaning.len()) };
        let params = if width.meaning > 0 { WITH_MEANING } else { PARAMS };
        let linear = Linear::train(&of, &labels, classes, width, params);
        let mut by_class = vec![Class::default(); classes];
        for (class, own) in by_class.iter_mut().enumerate() {
            *own = Class::of(of.iter().zip(&labels).filter(|(_, label)| **label == Some(class)).map(|(vector, _)| *vector));
        }
        let centres = Centres::of(&of, &labels, classes);
        Core { weights, vocabulary, linear, classes: by_class, centres }
    }

    /// The margin of each class, and how much nearer its middle is than the others'.
    fn margins(&self, vector: &Vector) -> Vec<f32> {
        let mut margins = self.linear.margins(vector);
        let near = self.centres.nearness(&vector.meaning);
        let mean = near.iter().sum::<f32>() / near.len().max(1) as f32;
        margins.iter_mut().zip(near).for_each(|(margin, near)| *margin += NEARNESS * (near - mean));
        margins
    }

    fn evidence(&self, vector: &Vector, class: usize, margin: f32, other: f32) -> Evidence {
        let length = vector.square().sqrt().max(f32::MIN_POSITIVE);
        let (centroid, nearest) = self.classes[class].likeness(vector);
        Evidence { margin, gap: margin - other, centroid: centroid / length, nearest: nearest / length, known: vector.known }
    }

    /// Classifies held-out rows for the calibration.
    fn cases(&self, sentences: &[Sentence<'_>], labels: &[Option<usize>], rows: impl Iterator<Item = usize>, out: &mut Vec<Case>) {
        let allowed = vec![true; self.classes.len()];
        for row in rows {
            let vector = self.vocabulary.vector(sentences[row], self.weights);
            let margins = self.margins(&vector);
            let order = best(&margins, &allowed, 2);
            let Some(&top) = order.first() else { continue };
            let other = order.get(1).map_or(-1.0, |&other| margins[other]);
            let evidence = self.evidence(&vector, top, margins[top], other);
            out.push(Case { evidence, right: labels[row] == Some(top), in_scope: labels[row].is_some(), weight: 1.0 });
        }
    }
}

impl Centres {
    fn of(rows: &[&Vector], labels: &[Option<usize>], classes: usize) -> Centres {
        let width = rows.first().map_or(0, |vector| vector.meaning.len());
        let mut centres = Centres { rows: vec![0.0; classes * width], width };
        for (vector, class) in rows.iter().zip(labels).filter_map(|(vector, label)| Some((vector, (*label)?))) {
            let centre = &mut centres.rows[class * width..(class + 1) * width];
            centre.iter_mut().zip(&vector.meaning).for_each(|(sum, value)| *sum += value);
        }
        for centre in centres.rows.chunks_mut(width.max(1)) {
            let length = dot(centre, centre).sqrt().max(f32::MIN_POSITIVE);
            centre.iter_mut().for_each(|value| *value /= length);
        }
        centres
    }

    /// The cosine to each class's middle; none where there is no meaning.
    fn nearness(&self, meaning: &[f32]) -> Vec<f32> {
        if meaning.is_empty() {
            return Vec::new();
        }
        let length = dot(meaning, meaning).sqrt().max(f32::MIN_POSITIVE);
        self.rows.chunks(self.width).map(|centre| dot(centre, meaning) / length).collect()
    }
}

impl Class {
    fn of<'a>(vectors: impl Iterator<Item = &'a Vector>) -> Class {
        let all: Vec<&Vector> = vectors.collect();
        let mut items = Vec::new();
        let mut class = Class::default();
        let mut meaning = 0;
        // Of many examples a spread of them, not the first.
        for (example, vector) in all.iter().step_by(all.len().div_ceil(EXEMPLARS).max(1)).enumerate() {
            let length = vector.square().sqrt().max(f32::MIN_POSITIVE);
            items.extend(vector.items.iter().map(|&(feature, value)| (feature, example as u16, value / length)));
            class.meanings.extend(vector.meaning.iter().map(|value| value / length));
            meaning = vector.meaning.len();
        }
        items.sort_by_key(|item| item.0);
        let mut squares = 0.0;
        for place in 0..meaning {
            squares += class.meanings[place..].iter().step_by(meaning).sum::<f32>().powi(2);
        }
        for same in items.chunk_by(|a, b| a.0 == b.0) {
            class.features.push(same[0].0);
            class.starts.push(class.entries.len() as u32);
            class.entries.extend(same.iter().map(|item| (item.1, item.2)));
            squares += same.iter().map(|item| item.2).sum::<f32>().powi(2);
        }
        class.starts.push(class.entries.len() as u32);
        class.length = squares.sqrt().max(f32::MIN_POSITIVE);
        class
    }

    /// The product with the centroid and with the nearest example, both of length 1.
    fn likeness(&self, vector: &Vector) -> (f32, f32) {
        let mut products = [0.0f32; EXEMPLARS];
        if !vector.meaning.is_empty() {
            let examples = self.meanings.chunks(vector.meaning.len());
            products.iter_mut().zip(examples).for_each(|(product, example)| *product = dot(example, &vector.meaning));
        }
        let mut from = 0;
        for &(feature, value) in &vector.items {
            // The next one is near: stepping beats searching.
            from += self.features[from..].iter().take_while(|&&own| own < feature).count();
            if self.features.get(from) != Some(&feature) {
                continue;
            }
            for &(example, own) in &self.entries[self.starts[from] as usize..self.starts[from + 1] as usize] {
                products[usize::from(example)] += value * own;
            }
        }
        (products.iter().sum::<f32>() / self.length, products.into_iter().fold(0.0, f32::max))
    }
}

/// Deals each class's rows out in turn, so that each part has some of all.
fn folds(labels: &[Option<usize>], classes: usize) -> Vec<usize> {
    let mut next = vec![0; classes + 1];
    let deal = |label: &Option<usize>| {
        let turn = &mut next[label.unwrap_or(classes)];
        *turn += 1;
        *turn - 1
    };
    labels.iter().map(deal).collect()
}

/// Makes the out-of-scope cases weigh their share, however many there are.
fn balance(cases: &mut [Case]) {
    let outside = cases.iter().filter(|case| !case.in_scope).count();
    let weight = OUT_OF_SCOPE_SHARE * (cases.len() - outside) as f32 / outside.max(1) as f32;
    cases.iter_mut().filter(|case| !case.in_scope).for_each(|case| case.weight = weight);
}

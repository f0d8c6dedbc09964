//! How well sentences were understood: the figures of `hotline nlu eval`, by the same rules as the data's `score.py`.

use std::collections::{BTreeMap, BTreeSet};

/// What a sentence was taken for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Prediction {
    /// Labels, best first, at most three.
    pub labels: Vec<String>,
    /// 0.0 to 1.0, or any number that grows with certainty.
    pub confidence: f32,
    /// Too unsure: the caller would be asked again.
    pub rejected: bool,
}

impl Prediction {
    /// The label that counts; `None` when rejected or nothing was found.
    pub fn label(&self) -> Option<&str> {
        self.labels.first().filter(|_| !self.rejected).map(String::as_str)
    }
}

/// The shares of calls sent on without asking, for the curve.
const AUTOMATED: [f64; 7] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// The figures of one test; shares from 0.0 to 1.0.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Figures {
    /// Sentences that belong to an intent.
    pub in_scope: usize,
    /// Sentences that belong to none.
    pub out_of_scope: usize,
    /// In scope: right and not rejected.
    pub accuracy: f64,
    /// In scope, without any rejection.
    pub accuracy_unrejected: f64,
    /// Mean F1 of the intents.
    pub macro_f1: f64,
    /// Out of scope: rejected. `None` without such sentences.
    pub oos_recall: Option<f64>,
    /// In scope: among the first three.
    pub top3: f64,
    /// Share sent on → share of those that went wrong; as far as enough sentences are accepted.
    pub misroutes: Vec<(f64, f64)>,
    /// In scope, nothing rejected: wrong among the surest 90 %.
    pub misroute_in_scope_90: f64,
}

/// Compares predictions with the true labels; `None` is out of scope.
pub fn figures(gold: &[Option<&str>], predictions: &[Prediction]) -> Figures {
    let pairs: Vec<(Option<&str>, &Prediction)> = gold.iter().copied().zip(predictions).collect();
    let inside: Vec<(&str, &Prediction)> = pairs.iter().filter_map(|&(gold, prediction)| Some((gold?, prediction))).collect();
    let outside = pairs.len() - inside.len();
    let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
    let count = |right: &dyn Fn(&str, &Prediction) -> bool| share(inside.iter().filter(|(gold, p)| right(gold, p)).count(), inside.len());
    let rejected = pairs.iter().filter(|(gold, prediction)| gold.is_none() && prediction.label().is_none()).count();
    let first = |p: &Prediction| p.labels.first().map(String::as_str).unwrap_or_default().to_owned();
    let mut surest: Vec<(f32, bool)> = inside.iter().map(|(gold, p)| (p.confidence, first(p) != *gold)).collect();
    surest.sort_by(|a, b| b.0.total_cmp(&a.0));
    surest.truncate(surest.len() * 9 / 10);
    Figures {
        in_scope: inside.len(),
        out_of_scope: outside,
        accuracy: count(&|gold, p| p.label() == Some(gold)),
        accuracy_unrejected: count(&|gold, p| first(p) == gold),
        macro_f1: macro_f1(&inside),
        oos_recall: (outside > 0).then(|| share(rejected, outside)),
        top3: count(&|gold, p| written(p).contains(&gold)),
        misroutes: curve(&pairs),
        misroute_in_scope_90: share(surest.iter().filter(|(_, wrong)| *wrong).count(), surest.len()),
    }
}

/// The labels as a prediction file holds them: one place is taken by `NONE` when rejected.
fn written(prediction: &Prediction) -> Vec<&str> {
    prediction.labels.iter().map(String::as_str).take(if prediction.rejected { 2 } else { 3 }).collect()
}

fn macro_f1(inside: &[(&str, &Prediction)]) -> f64 {
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for &(gold, prediction) in inside {
        match prediction.label() {
            Some(label) if label == gold => counts.entry(gold).or_default().0 += 1,
            label => {
                counts.entry(gold).or_default().2 += 1;
                counts.entry(label.unwrap_or_default()).or_default().1 += 1;
            }
        }
    }
    let classes: BTreeSet<&str> = inside.iter().map(|(gold, _)| *gold).collect();
    let f1 =
        |class: &&str| counts.get(class).map_or(0.0, |&(hit, over, missed)| 2.0 * hit as f64 / (2 * hit + over + missed).max(1) as f64);
    classes.iter().map(f1).sum::<f64>() / classes.len().max(1) as f64
}

fn curve(pairs: &[(Option<&str>, &Prediction)]) -> Vec<(f64, f64)> {
    let accepted = pairs.iter().filter_map(|(gold, p)| p.label().map(|label| (p.confidence, *gold != Some(label))));
    let mut accepted: Vec<(f32, bool)> = accepted.collect();
    accepted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let steps = AUTOMATED.iter().filter_map(|&automated| {
        let count = (automated * pairs.len() as f64) as usize;
        let part = accepted.get(..count)?;
        Some((automated, part.iter().filter(|(_, wrong)| *wrong).count() as f64 / count.max(1) as f64))
    });
    steps.collect()
}

/// How much in-scope accuracy may be given for rejecting what is out of scope.
const REJECTION_COST: f64 = 0.025;

/// The highest confidence limit that costs at most [`REJECTION_COST`] of the accuracy in scope.
pub fn limit(gold: &[Option<&str>], predictions: &[Prediction]) -> f32 {
    let inside = gold.iter().zip(predictions).filter_map(|(gold, p)| Some(((*gold)?, p)));
    let mut right: Vec<f32> =
        inside.clone().filter(|(gold, p)| p.labels.first().is_some_and(|label| label == gold)).map(|(_, p)| p.confidence).collect();
    right.sort_by(f32::total_cmp);
    let lost = (REJECTION_COST * inside.count() as f64) as usize;
    right.get(lost).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(label: &str, confidence: f32, rejected: bool) -> Prediction {
        Prediction { labels: vec![label.to_owned()], confidence, rejected }
    }

    #[test]
    fn the_figures_are_those_of_a_hand_count() {
        let gold = [Some("a"), Some("a"), Some("b"), None];
        let predictions = [said("a", 0.9, false), said("b", 0.8, false), said("b", 0.7, true), said("a", 0.2, true)];
        let figures = figures(&gold, &predictions);
        assert_eq!((figures.in_scope, figures.out_of_scope), (3, 1));
        assert!((figures.accuracy - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(figures.oos_recall, Some(1.0));
        assert!((figures.macro_f1 - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(figures.misroutes, [(0.5, 0.5), (0.6, 0.5), (0.7, 0.5)]);
    }

    #[test]
    fn the_limit_keeps_the_accuracy_it_may_not_cost() {
        let gold = vec![Some("a"); 100];
        let predictions: Vec<Prediction> = (0..100).map(|i| said("a", i as f32 / 100.0, false)).collect();
        assert!((limit(&gold, &predictions) - 0.02).abs() < 1e-6);
    }
}

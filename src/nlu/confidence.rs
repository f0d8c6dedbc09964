//! From margins to the probability that the best intent is right: a logistic of a few monotone features.

/// How many features there are, the constant included.
pub(super) const FEATURES: usize = 6;
/// Steps of Newton's method; it has long settled by then.
const STEPS: usize = 25;
/// A step is halved at most so often.
const MOST_HALVES: usize = 20;

/// What is known of one classification: each feature is bigger where the best intent is more likely right.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Evidence {
    /// The best margin.
    pub margin: f32,
    /// Its distance to the second.
    pub gap: f32,
    /// Cosine to the centroid of the intent's examples.
    pub centroid: f32,
    /// Cosine to the nearest of them.
    pub nearest: f32,
    /// The known share of the sentence.
    pub known: f32,
}

impl Evidence {
    fn features(&self) -> [f64; FEATURES] {
        [1.0, self.margin.into(), self.gap.into(), self.centroid.into(), self.nearest.into(), self.known.into()]
    }
}

/// One held-out classification.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Case {
    pub evidence: Evidence,
    /// Was the best intent the right one?
    pub right: bool,
    /// Did the sentence belong to any?
    pub in_scope: bool,
    /// How much it counts.
    pub weight: f32,
}

/// The logistic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Logistic([f64; FEATURES]);

/// What a set too small to be calibrated gets; learnt from the shipped packs at five phrasings an intent.
const PRIOR: Logistic = Logistic([-4.0, 2.0, 1.5, 1.0, 5.0, 2.0]);
/// How much the prior counts, as a variance of each weight around it.
const PRIOR_VARIANCE: f64 = 2.0;

impl Logistic {
    /// Learns from held-out classifications and whether each was right. Weights below 0 make no sense and are cut off.
    pub(super) fn fit(cases: &[Case]) -> Logistic {
        let mut free = [true; FEATURES];
        loop {
            let fitted = fit_free(cases, &free);
            let Some(negative) = (1..FEATURES).find(|&i| free[i] && fitted.0[i] < 0.0) else {
                return fitted;
            };
            free[negative] = false;
        }
    }

    /// The probability that the best intent is right.
    pub(super) fn of(&self, evidence: &Evidence) -> f32 {
        sigmoid(product(&self.0, &evidence.features())) as f32
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn product(a: &[f64; FEATURES], b: &[f64; FEATURES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Newton's method for the penalised likelihood; features that are not free have weight 0.
fn fit_free(cases: &[Case], free: &[bool; FEATURES]) -> Logistic {
    let mut w: [f64; FEATURES] = std::array::from_fn(|i| if free[i] { PRIOR.0[i] } else { 0.0 });
    for _ in 0..STEPS {
        let mut gradient: [f64; FEATURES] = std::array::from_fn(|i| (w[i] - PRIOR.0[i]) / PRIOR_VARIANCE);
        let mut hessian = [[0.0; FEATURES]; FEATURES];
        for case in cases {
            let x = case.evidence.features();
            let p = sigmoid(product(&w, &x));
            let error = f64::from(case.weight) * (p - f64::from(u8::from(case.right)));
            let curve = f64::from(case.weight) * (p * (1.0 - p)).max(1e-6);
            for i in 0..FEATURES {
                gradient[i] += error * x[i];
                for j in 0..FEATURES {
                    hessian[i][j] += curve * x[i] * x[j];
                }
            }
        }
        for i in 0..FEATURES {
            hessian[i][i] += 1.0 / PRIOR_VARIANCE;
            if !free[i] {
                gradient[i] = 0.0;
                hessian[i] = std::array::from_fn(|j| f64::from(u8::from(i == j)));
            }
        }
        let step = solve(hessian, gradient);
        let Some(next) = downhill(cases, &w, &step) else { break };
        w = next;
    }
    Logistic(w)
}

/// Newton's step, halved until it leads downhill: where hardly any case is right, whole ones leap from one side to the other and end
/// where everything is believed. `None` when it has settled.
fn downhill(cases: &[Case], w: &[f64; FEATURES], step: &[f64; FEATURES]) -> Option<[f64; FEATURES]> {
    let before = loss(cases, w);
    let halves = std::iter::successors(Some(1.0f64), |share| Some(share / 2.0)).take(MOST_HALVES);
    halves.map(|share| std::array::from_fn(|i| w[i] - share * step[i])).find(|next| loss(cases, next) < before)
}

/// What is minimised: the penalised negative log-likelihood.
fn loss(cases: &[Case], w: &[f64; FEATURES]) -> f64 {
    let penalty: f64 = w.iter().zip(PRIOR.0).map(|(w, prior)| (w - prior).powi(2) / (2.0 * PRIOR_VARIANCE)).sum();
    let of = |case: &Case| {
        let z = product(w, &case.evidence.features());
        // ln(1 + e^z) without overflow.
        let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
        f64::from(case.weight) * (softplus - if case.right { z } else { 0.0 })
    };
    penalty + cases.iter().map(of).sum::<f64>()
}

/// Gaussian elimination; the matrix is positive definite by the prior.
fn solve(mut a: [[f64; FEATURES]; FEATURES], mut b: [f64; FEATURES]) -> [f64; FEATURES] {
    for i in 0..FEATURES {
        for row in i + 1..FEATURES {
            let pivot = a[i];
            let factor = a[row][i] / pivot[i];
            for (cell, above) in a[row].iter_mut().zip(pivot).skip(i) {
                *cell -= factor * above;
            }
            b[row] -= factor * b[i];
        }
    }
    for i in (0..FEATURES).rev() {
        let known: f64 = (i + 1..FEATURES).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(margin: f32, right: bool) -> Case {
        let evidence = Evidence { margin, gap: margin.max(0.0), centroid: 0.5, nearest: 0.5, known: 0.8 };
        Case { evidence, right, in_scope: right, weight: 1.0 }
    }

    #[test]
    fn confidence_follows_the_share_that_was_right() {
        let cases: Vec<_> = (0..400).map(|i| case(i as f32 / 200.0 - 1.0, i > 200 || i % 5 == 0)).collect();
        let fitted = Logistic::fit(&cases);
        assert!(fitted.of(&case(0.9, true).evidence) > 0.85);
        assert!(fitted.of(&case(-0.9, true).evidence) < 0.45);
    }

    /// Fifty articles with seven questions each that share few words: of the held-out ones hardly any is right.
    #[test]
    fn where_hardly_anything_is_right_nothing_is_believed() {
        let cases: Vec<Case> = (0..500)
            .map(|i| {
                let x = (i * 37 % 100) as f32 / 100.0;
                let evidence =
                    Evidence { margin: -1.0 + 0.6 * x, gap: 0.3 * x * x, centroid: 0.5 * x, nearest: 0.6 * x, known: 0.3 + 0.6 * x };
                Case { evidence, right: i % 60 == 0, in_scope: i < 350, weight: if i < 350 { 1.0 } else { 0.7 } }
            })
            .collect();
        let fitted = Logistic::fit(&cases);
        assert!(cases.iter().all(|case| fitted.of(&case.evidence) < 0.5), "{fitted:?}");
    }

    #[test]
    fn no_weight_is_negative_but_the_constant() {
        let cases: Vec<_> = (0..200).map(|i| case(1.0 - i as f32 / 100.0, i > 100)).collect();
        assert!(Logistic::fit(&cases).0[1..].iter().all(|&w| w >= 0.0));
    }
}

//! Sentences that mean about the same, found without anybody naming them: spherical k-means on the n-gram vectors, the number of
//! clusters left to the sentences (one that is near no cluster begins its own). The same sentences in the same order give the same.

use super::feature::{Grams, Sentence, Vocabulary, Weights};
use super::thesaurus::Thesaurus;

/// Sentences are near each other from this cosine on: they share about a fifth of what they consist of, rare parts counting more.
const NEAR: f32 = 0.2;
/// Rounds of moving sentences to the nearest centre; few move after the second.
const ROUNDS: usize = 4;
/// Blocks W, C, P, S as for typed lines: what was misheard alike counts too.
const WEIGHTS: Weights = Weights { grams: [1.0, 1.0, 0.5, 0.7], meaning: 0.0 };

/// Sentences that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The sentence nearest to the centre.
    pub label: usize,
    /// All of them, the nearest first.
    pub members: Vec<usize>,
}

/// A sparse vector of length 1, ascending by feature.
type Sparse = Vec<(u32, f32)>;

/// Groups sentences; those given first found the clusters. The cost grows with the square: give a thousand or two.
#[must_use]
pub fn clusters(texts: &[&str]) -> Vec<Cluster> {
    let thesaurus = Thesaurus::new(&[]);
    let grams: Vec<Grams> = texts.iter().map(|text| Grams::of(text, None, &thesaurus)).collect();
    let vocabulary = Vocabulary::build(&grams.iter().collect::<Vec<_>>(), &[], WEIGHTS);
    let points: Vec<Sparse> = grams.iter().map(|grams| unit(vocabulary.vector(Sentence { grams, meaning: None }, WEIGHTS).items)).collect();
    let mut centres: Vec<Sparse> = Vec::new();
    let mut homes: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        homes = settle(&points, &mut centres);
        centres = (0..centres.len()).map(|home| centre(&points, &homes, home)).collect();
    }
    let mut found: Vec<Cluster> = (0..centres.len()).filter_map(|home| cluster(&points, &homes, home, &centres[home])).collect();
    found.sort_by_key(|cluster| (std::cmp::Reverse(cluster.members.len()), cluster.label));
    found
}

/// Sends each point to its nearest centre; far from all it becomes one.
fn settle(points: &[Sparse], centres: &mut Vec<Sparse>) -> Vec<usize> {
    let home = |point: &Sparse, centres: &mut Vec<Sparse>| {
        let near = |(at, centre): (usize, &Sparse)| (at, cosine(point, centre));
        let best = centres.iter().enumerate().map(near).filter(|(_, near)| *near >= NEAR);
        // Of equally near ones the first.
        let best = best.fold(None, |best: Option<(usize, f32)>, it| if best.is_none_or(|best| it.1 > best.1) { Some(it) } else { best });
        best.map_or_else(
            || {
                centres.push(point.clone());
                centres.len() - 1
            },
            |(at, _)| at,
        )
    };
    points.iter().map(|point| home(point, centres)).collect()
}

fn centre(points: &[Sparse], homes: &[usize], home: usize) -> Sparse {
    let mut all: Sparse = points.iter().zip(homes).filter(|(_, at)| **at == home).flat_map(|(point, _)| point.iter().copied()).collect();
    all.sort_by_key(|(feature, _)| *feature);
    unit(all.chunk_by(|left, right| left.0 == right.0).map(|same| (same[0].0, same.iter().map(|(_, value)| value).sum())).collect())
}

fn cluster(points: &[Sparse], homes: &[usize], home: usize, centre: &Sparse) -> Option<Cluster> {
    let mut members: Vec<usize> = (0..points.len()).filter(|at| homes[*at] == home).collect();
    members.sort_by(|left, right| cosine(&points[*right], centre).total_cmp(&cosine(&points[*left], centre)).then(left.cmp(right)));
    Some(Cluster { label: *members.first()?, members })
}

fn unit(mut items: Sparse) -> Sparse {
    items.sort_by_key(|(feature, _)| *feature);
    let length = items.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    items.iter_mut().for_each(|(_, value)| *value /= length);
    items
}

fn cosine(left: &Sparse, right: &Sparse) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    for (feature, value) in left {
        while right.get(at).is_some_and(|other| other.0 < *feature) {
            at += 1;
        }
        if let Some(other) = right.get(at).filter(|other| other.0 == *feature) {
            sum += value * other.1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_sentences_that_mean_the_same_come_together_and_others_do_not() {
        let texts = [
            "我的押金什么时候退",
            "押金怎么还没退给我",
            "押金退款要多久",
            "充电卡在哪里办",
            "怎么办充电卡",
            "where is my deposit",
            "when do I get my deposit back",
            "你好吗",
        ];
        let found = clusters(&texts);
        let together =
            |left: usize, right: usize| found.iter().any(|cluster| cluster.members.contains(&left) && cluster.members.contains(&right));
        assert!(together(0, 1) && together(0, 2), "{found:?}");
        assert!(together(3, 4) && together(5, 6), "{found:?}");
        assert!(!together(0, 3) && !together(7, 0) && !together(0, 5), "{found:?}");
        assert_eq!(found[0].members.len(), 3, "the largest first");
        assert_eq!(found, clusters(&texts), "the same again");
        assert_eq!(found.iter().map(|cluster| cluster.members.len()).sum::<usize>(), texts.len(), "each in one");
        assert!(clusters(&[]).is_empty());
    }
}

//! What a sentence was understood as, and what to do about it.

/// How a sentence reached us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// Recognised speech: words may be wrong, sounds count.
    Voice,
    /// Typed.
    Chat,
}

/// One intent of a sentence.
#[derive(Clone, PartialEq, Debug)]
pub struct Hit {
    /// The intent's id.
    pub intent: String,
    /// Distance from the classifier's border; above 0 is inside.
    pub margin: f32,
    /// Calibrated probability that it is right, 0.0 to 1.0, the menu's bias included.
    pub confidence: f32,
}

/// The plan's limits, as probabilities.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Thresholds {
    /// From here on: go.
    pub accept: f32,
    /// From here on: ask "did you mean".
    pub confirm: f32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { accept: 0.75, confirm: 0.45 }
    }
}

/// How a sentence was understood.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ranked {
    /// The best intents, best first; empty when nothing of the sentence is known.
    pub hits: Vec<Hit>,
    /// Other things said in the same breath, in the order to do them; none of them leads to or comes from the best one.
    pub also: Vec<Hit>,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// Go to the first; offer the rest afterwards. Never empty.
    Accept(Vec<String>),
    /// Ask whether the first was meant; the others (at most two) may be offered beside it. Never empty.
    Confirm(Vec<String>),
    /// Ask again.
    NoMatch,
}

/// "Did you mean" reads at most so many.
const CHOICES: usize = 3;

impl Ranked {
    /// The best intent.
    pub fn best(&self) -> Option<&Hit> {
        self.hits.first()
    }

    /// The best and what was said in the same breath, in the order to do them.
    pub fn in_one_breath(&self) -> impl Iterator<Item = &Hit> {
        self.hits.first().into_iter().chain(&self.also)
    }

    /// Accept, confirm or ask again.
    pub fn decide(&self, thresholds: Thresholds) -> Decision {
        let Some(best) = self.best() else { return Decision::NoMatch };
        if best.confidence >= thresholds.accept {
            let sure = self.in_one_breath().filter(|hit| hit.confidence >= thresholds.accept);
            return Decision::Accept(sure.map(|hit| hit.intent.clone()).collect());
        }
        if best.confidence >= thresholds.confirm {
            return Decision::Confirm(self.hits.iter().take(CHOICES).map(|hit| hit.intent.clone()).collect());
        }
        Decision::NoMatch
    }
}

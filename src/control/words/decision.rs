//! The words for how a sentence was understood, as they stand in `session.understood`, that more than one place must know.

/// The customer's tone called for a person, whatever the words meant.
pub const TONE: &str = "tone";
/// It was not understood, and the question is put again.
pub const REPROMPT: &str = "reprompt";
/// A free question that no article answers surely: somebody may write one.
pub const UNANSWERED: &str = "unanswered";
/// An article answered; the text names it.
pub const ARTICLE: &str = "article";
/// The plan could not go on; the text says why.
pub const PLAN_FAILED: &str = "plan_failed";

/// Is something missing in the plan or in its knowledge?
#[must_use]
pub fn is_gap(decision: &str) -> bool {
    matches!(decision, REPROMPT | UNANSWERED)
}

/// Is it no decision about a sentence, but news of the plan?
#[must_use]
pub fn is_news(decision: &str) -> bool {
    matches!(decision, ARTICLE | PLAN_FAILED)
}

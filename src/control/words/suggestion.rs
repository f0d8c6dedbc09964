//! What an agent is advised while he has a customer.

/// What a suggestion is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionKind {
    /// What to offer or to do: a rule of `actions.yaml` fired.
    NextBestAction,
    /// What an article answers to the customer's last sentence.
    Answer,
}

/// What an agent makes of a suggestion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// He takes it; in a chat it is said to the customer.
    Accepted,
    /// He does without it.
    Dismissed,
}

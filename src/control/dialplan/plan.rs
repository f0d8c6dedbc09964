//! A checked plan: what the runner executes.

/// A published version of a plan.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The plan's id.
    pub id: String,
    /// Hash of its canonical content.
    pub version: String,
}

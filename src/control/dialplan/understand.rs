//! All menus' options as one classifier.

/// What understands sentences of a plan.
#[derive(Debug, Default)]
pub struct Understanding {}

//! Lint: what a plan says, held against itself and the files beside it.

mod actions;
#[cfg(test)]
mod broken;
mod close;
mod flow;
mod menus;
mod mode;
mod names;
#[cfg(test)]
mod near;
pub mod rules;
mod sound;
mod staff;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use actions::{Known, check_actions};
pub use close::close_options;
pub use flow::exits;
pub use sound::silent_prompts;
pub use staff::unstaffed_queues;

use super::desk::Desk;
use super::knowledge::Knowledge;
use super::read::Context;
use super::read::plan::Draft;
use crate::nlu::SentenceModel;

/// The files beside the plan.
pub struct Around<'d> {
    /// Calendars and queues.
    pub desk: &'d Desk,
    /// Was there a desk file at all?
    pub desk_given: bool,
    /// Articles.
    pub knowledge: &'d Arc<BTreeMap<String, Knowledge>>,
    /// Understands sentences beside their words.
    pub model: &'d SentenceModel,
}

/// What each plan claims for itself alone.
#[derive(Default)]
pub struct Claims {
    /// Number → plan.
    pub numbers: BTreeMap<String, String>,
    /// Plan ids.
    pub ids: Vec<String>,
}

/// All rules of one plan.
pub fn check(draft: &Draft, around: &Around<'_>, claims: &mut Claims, context: &mut Context<'_>) {
    names::check(draft, around, claims, context);
    flow::check(draft, context);
    menus::check(draft, context);
    steps::check(draft, around, context);
    mode::check(draft, context);
}

//! Single steps: lookups without a way out, lines without an end, recording without a word before.

use super::Around;
use crate::control::dialplan::plan::{Step, Verb};
use crate::control::dialplan::read::Context;
use crate::control::dialplan::read::plan::{Draft, Given};
use crate::control::dialplan::syntax::Place;

/// Runs the rules.
pub fn check(draft: &Draft, around: &Around<'_>, context: &mut Context<'_>) {
    for node in draft.flow.nodes.values() {
        for (index, step) in node.steps.iter().enumerate() {
            let at = Place { line: step.line, column: step.column };
            match &step.verb {
                Verb::Lookup(lookup) if lookup.error.is_none() && lookup.timeout.is_none() && draft.error_is_given == Given::ByDefault => {
                    let what = format!("nothing is said of a failure of lookup '{}'; it leads to a person", lookup.name);
                    context.warn("D162", at, what, "add error: NODE beside it, or defaults: {error: human}");
                }
                Verb::Saga(saga) if saga.failed.is_none() && draft.error_is_given == Given::ByDefault => {
                    let what = format!("nothing is said of a failure of saga '{}'; it leads to a person", saga.id);
                    context.warn("D162", at, what, "add failed: NODE, or defaults: {error: human}");
                }
                Verb::Queue(queue) if queue.overflow.is_empty() && !around.desk.queues.contains_key(&queue.name) => {
                    context.warn(
                        "D171",
                        at,
                        "the line has no end: no overflow, and no max_wait in desk.yaml",
                        "add overflow: [{after: 4m, goto: leave}]",
                    );
                }
                Verb::Record(crate::control::dialplan::plan::Switch::On) if !speaks_before(&node.steps[..index]) => {
                    context.warn("D210", at, "the caller is recorded without a word about it", "say before that the call is recorded");
                }
                _ => {}
            }
        }
    }
}

fn speaks_before(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.verb, Verb::Say(_) | Verb::Confirm(_) | Verb::Play(_) | Verb::Menu(_)))
}

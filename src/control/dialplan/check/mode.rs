//! What a plan's `mode` promises: a finder finds something, a human-first plan has a person.

use crate::control::dialplan::plan::{Choices, Mode, Target, Telling, Verb};
use crate::control::dialplan::read::Context;
use crate::control::dialplan::read::plan::Draft;

/// Runs the rule.
pub fn check(draft: &Draft, context: &mut Context<'_>) {
    let is_found = |choices: &Choices| matches!(choices, Choices::List(list) if matches!(list.telling, Telling::Items { .. }));
    match &draft.mode.0 {
        Mode::Finder if !draft.values.slots.values().any(|slot| is_found(&slot.choices)) => {
            context.mend("D128", draft.mode.1, "the plan is a finder, but finds nothing", "add a find step, or take 'mode' away");
        }
        Mode::Hybrid(hybrid) if hybrid.goto == Target::Human && !has_person(draft) => {
            let mend = "add a node human with a queue step, or hybrid: {goto: NODE}";
            context.mend("D128", draft.mode.1, "the plan hands over to a person, but there is none", mend);
        }
        _ => {}
    }
}

fn has_person(draft: &Draft) -> bool {
    let steps = draft.flow.nodes.values().flat_map(|node| &node.steps);
    draft.flow.nodes.contains_key("human") || steps.into_iter().any(|step| matches!(step.verb, Verb::Queue(_)))
}

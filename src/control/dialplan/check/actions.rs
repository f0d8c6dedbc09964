//! Names in the rules for agents: queues of the desk; slots, lookups and variables of any plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Around;
use super::names::{queues, unknown};
use crate::control::dialplan::actions::ROOTS;
use crate::control::dialplan::expr::{Path, Segment};
use crate::control::dialplan::plan::Plan;
use crate::control::dialplan::read::Context;

/// What the plans make known in a session.
pub struct Known<'p> {
    /// The plans without an error.
    pub plans: &'p BTreeMap<String, Arc<Plan>>,
    /// What `set` and `save_as` of any plan name.
    pub made: &'p BTreeSet<String>,
}

/// Runs the rules. `known` is `None` when a plan has errors: what it would have made known cannot be told then.
pub fn check_actions(around: &Around<'_>, known: Option<&Known<'_>>, context: &mut Context<'_>) {
    queues(around, context);
    let paths = std::mem::take(&mut context.seen.paths);
    let Some(known) = known else { return };
    for (path, at) in paths {
        let root = path.root.as_str();
        if !known.has(root) {
            let words = known.words();
            unknown(context, "D125", at, "variable", root, words.iter().map(String::as_str));
        } else if let Some((field, picked)) = known.unpicked(&path) {
            unknown(context, "D125", at, &format!("picked value in lookup {root}"), field, picked.iter().map(String::as_str));
        }
    }
}

impl Known<'_> {
    fn has(&self, root: &str) -> bool {
        let in_plan = |plan: &Arc<Plan>| plan.values.slots.contains_key(root) || plan.values.lookups.contains_key(root);
        ROOTS.contains(&root) || self.made.contains(root) || self.plans.values().any(in_plan)
    }

    fn words(&self) -> Vec<String> {
        let of_plan = |plan: &'_ Arc<Plan>| plan.values.slots.keys().chain(plan.values.lookups.keys()).cloned().collect::<Vec<_>>();
        let named = self.plans.values().flat_map(of_plan).chain(self.made.iter().cloned());
        ROOTS.into_iter().map(str::to_owned).chain(named.collect::<BTreeSet<_>>()).collect()
    }

    /// The first field of a lookup's path that no plan picks, and those that are picked.
    fn unpicked<'a>(&self, path: &'a Path) -> Option<(&'a str, BTreeSet<String>)> {
        let Some(Segment::Name(field)) = path.rest.first() else { return None };
        if ROOTS.contains(&path.root.as_str()) || self.made.contains(&path.root) {
            return None;
        }
        let (mut picked, mut is_lookup) = (BTreeSet::new(), false);
        for plan in self.plans.values() {
            if plan.values.slots.contains_key(&path.root) {
                return None;
            }
            let Some(lookup) = plan.values.lookups.get(&path.root) else { continue };
            if lookup.pick.is_empty() {
                return None;
            }
            is_lookup = true;
            picked.extend(lookup.pick.iter().map(|(name, _)| name.clone()));
        }
        (is_lookup && !picked.contains(field)).then_some((field, picked))
    }
}

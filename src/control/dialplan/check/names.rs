//! Names that must exist: nodes, slots, lookups, queues, calendars, articles, variables, numbers.

use super::{Around, Claims};
use crate::control::dialplan::plan::Target;
use crate::control::dialplan::problem::nearest;
use crate::control::dialplan::read::Context;
use crate::control::dialplan::read::plan::Draft;
use crate::control::dialplan::syntax::Place;

/// Variables that are always there.
const ROOTS: [&str; 9] = ["call", "caller", "customer", "session", "calendar", "lang", "now", "lookups", "intent"];

/// Runs the rules.
pub fn check(draft: &Draft, around: &Around<'_>, claims: &mut Claims, context: &mut Context<'_>) {
    nodes(draft, context);
    values(draft, context);
    outside(draft, around, context);
    variables(draft, context);
    numbers(draft, claims, context);
}

/// A finding about a name that is none of the known ones.
pub(super) fn unknown<'k>(
    context: &mut Context<'_>,
    id: &'static str,
    at: Place,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) {
    let known: Vec<&str> = known.into_iter().collect();
    let mend = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if known.is_empty() => format!("there is no {what} yet; add '{name}'"),
        None => format!("there are {}", known.join(", ")),
    };
    context.mend(id, at, format!("there is no {what} '{name}'"), mend);
}

fn nodes(draft: &Draft, context: &mut Context<'_>) {
    let names: Vec<&str> = draft.flow.nodes.keys().map(String::as_str).collect();
    for (target, at) in std::mem::take(&mut context.seen.targets) {
        if let Target::Node(name) = &target
            && !draft.flow.nodes.contains_key(name)
        {
            let words = names.iter().copied().chain(["human", "back", "repeat", "keys", "end"]);
            unknown(context, "D120", at, "node", name, words);
        }
    }
    if !draft.flow.nodes.contains_key(&draft.start.0) {
        unknown(context, "D120", draft.start.1, "node", &draft.start.0, names);
    }
}

fn values(draft: &Draft, context: &mut Context<'_>) {
    for (name, at) in std::mem::take(&mut context.seen.slots) {
        if !draft.values.slots.contains_key(&name) {
            unknown(context, "D124", at, "slot", &name, draft.values.slots.keys().map(String::as_str));
        }
    }
    for (name, at) in std::mem::take(&mut context.seen.lookups) {
        if !draft.values.lookups.contains_key(&name) {
            unknown(context, "D124", at, "lookup", &name, draft.values.lookups.keys().map(String::as_str));
        }
    }
    for (name, at) in std::mem::take(&mut context.seen.one_way) {
        if draft.values.lookups.get(&name).is_some_and(|lookup| lookup.method != "GET") {
            let what = format!("what '{name}' did stays done when a later call of the saga fails");
            context.warn("D165", at, what, "write {do: NAME, undo: NAME}, or undo: none, or put it last");
        }
    }
}

/// Queues that the desk does not know.
pub(super) fn queues(around: &Around<'_>, context: &mut Context<'_>) {
    for (name, at) in std::mem::take(&mut context.seen.queues) {
        if around.desk.queues.contains_key(&name) {
            continue;
        }
        if around.desk_given {
            unknown(context, "D170", at, "queue", &name, around.desk.queues.keys().map(String::as_str));
        } else {
            context.warn(
                "D170",
                at,
                format!("there is no desk.yaml that could know the queue '{name}'"),
                "add desk.yaml with queues beside the plans",
            );
        }
    }
}

fn outside(draft: &Draft, around: &Around<'_>, context: &mut Context<'_>) {
    queues(around, context);
    let used = std::mem::take(&mut context.seen.calendars);
    for (name, at) in used.into_iter().chain(draft.calendar.clone()) {
        if around.desk_given && !around.desk.calendars.contains_key(&name) {
            unknown(context, "D170", at, "calendar", &name, around.desk.calendars.keys().map(String::as_str));
        }
    }
    for (kb, topic, at) in std::mem::take(&mut context.seen.topics) {
        let Some(base) = around.knowledge.get(&kb) else {
            context.warn(
                "D126",
                at,
                format!("there is no knowledge base '{kb}'; the step goes on as unsure"),
                format!("add knowledge/{kb}.yaml"),
            );
            continue;
        };
        if let Some(topic) = topic.filter(|topic| !base.articles.contains_key(topic)) {
            unknown(context, "D126", at, "article", &topic, base.articles.keys().map(String::as_str));
        }
    }
}

fn variables(draft: &Draft, context: &mut Context<'_>) {
    let made = std::mem::take(&mut context.seen.made);
    for (path, at) in std::mem::take(&mut context.seen.paths) {
        let root = path.root.as_str();
        let values = &draft.values;
        let known = ROOTS.contains(&root)
            || values.slots.contains_key(root)
            || values.lookups.contains_key(root)
            || made.iter().any(|name| name == root);
        if !known {
            let words = ROOTS.into_iter().chain(values.slots.keys().map(String::as_str)).chain(values.lookups.keys().map(String::as_str));
            let words: Vec<String> = words.map(str::to_owned).chain(made.iter().cloned()).collect();
            unknown(context, "D125", at, "variable", root, words.iter().map(String::as_str));
        } else if let Some(field) = unpicked(&path, draft) {
            let picked: Vec<String> = values.lookups[root].pick.iter().map(|(name, _)| name.clone()).collect();
            unknown(context, "D125", at, &format!("picked value in lookup {root}"), &field, picked.iter().map(String::as_str));
        }
    }
}

/// The first field of a lookup's path that its `pick` does not have.
fn unpicked(path: &crate::control::dialplan::expr::Path, draft: &Draft) -> Option<String> {
    let lookup = draft.values.lookups.get(&path.root)?;
    match path.rest.first()? {
        crate::control::dialplan::expr::Segment::Name(name) if !lookup.pick.is_empty() => {
            (!lookup.pick.iter().any(|(picked, _)| picked == name)).then(|| name.clone())
        }
        _ => None,
    }
}

fn numbers(draft: &Draft, claims: &mut Claims, context: &mut Context<'_>) {
    if claims.ids.contains(&draft.id.0) {
        context.mend("D220", draft.id.1, format!("another plan has the id '{}'", draft.id.0), "give each plan its own id");
    }
    claims.ids.push(draft.id.0.clone());
    for (number, at) in &draft.numbers {
        if let Some(other) = claims.numbers.insert(number.clone(), draft.id.0.clone()) {
            context.mend("D220", *at, format!("the number {number} is claimed by '{other}' too"), "let one plan have it");
        }
    }
}

//! The flow: nodes that are never reached, that fall off their end, that go round without a caller's word; no way to a person.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::dialplan::plan::{Flow, Mode, Node, Plan, Target, Verb};
use crate::control::dialplan::read::Context;
use crate::control::dialplan::read::plan::Draft;
use crate::control::dialplan::syntax::Place;

/// Runs the rules.
pub fn check(draft: &Draft, context: &mut Context<'_>) {
    let graph = Graph::of(draft);
    unreachable(draft, &graph, context);
    falls_off(draft, &graph, context);
    circles(draft, &graph, context);
    no_person(draft, &graph, context);
}

fn place(draft: &Draft, node: &str) -> Place {
    draft.places.get(node).copied().unwrap_or_default()
}

/// Where each node leads, and where it leads without waiting for anybody.
struct Graph {
    all: BTreeMap<String, BTreeSet<String>>,
    /// Without the calls.
    gone_to: BTreeMap<String, BTreeSet<String>>,
    blind: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn of(draft: &Draft) -> Graph {
        let mut graph = Graph { all: BTreeMap::new(), gone_to: BTreeMap::new(), blind: BTreeMap::new() };
        for (name, node) in &draft.flow.nodes {
            let all =
                node.steps.iter().flat_map(|step| targets(&step.verb, &draft.flow)).filter_map(|target| resolve(&target, &draft.flow));
            graph.all.insert(name.clone(), all.collect());
            let gone_to = node.steps.iter().filter(|step| !matches!(step.verb, Verb::Call(_)));
            let gone_to = gone_to.flat_map(|step| targets(&step.verb, &draft.flow)).filter_map(|target| resolve(&target, &draft.flow));
            graph.gone_to.insert(name.clone(), gone_to.collect());
            graph.blind.insert(name.clone(), blind(node, &draft.flow));
        }
        graph
    }
}

/// Nodes that these ways lead to, the roots among them.
fn reach(ways: &BTreeMap<String, BTreeSet<String>>, roots: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<String> = roots.into_iter().collect();
    while let Some(node) = open.pop() {
        if seen.insert(node.clone()) {
            open.extend(ways.get(&node).into_iter().flatten().cloned());
        }
    }
    seen
}

fn resolve(target: &Target, flow: &Flow) -> Option<String> {
    match target {
        Target::Node(name) => Some(name.clone()),
        Target::Human if flow.nodes.contains_key("human") => Some("human".to_owned()),
        _ => None,
    }
}

/// Node → nodes its steps can lead to.
#[must_use]
pub fn exits(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let of_node = |node: &Node| {
        let steps = node.steps.iter().flat_map(|step| targets(&step.verb, &plan.flow));
        steps.filter_map(|target| resolve(&target, &plan.flow)).collect()
    };
    plan.flow.nodes.iter().map(|(name, node)| (name.clone(), of_node(node))).collect()
}

/// Every target of a step.
pub fn targets(verb: &Verb, flow: &Flow) -> Vec<Target> {
    let some = |targets: &[&Option<Target>]| targets.iter().filter_map(|target| (*target).clone()).collect();
    match verb {
        Verb::Menu(index) => {
            flow.menus.get(*index).map(|menu| menu.options.iter().map(|option| option.goto.clone()).collect()).unwrap_or_default()
        }
        Verb::Confirm(confirm) => some(&[&confirm.yes, &confirm.no]),
        Verb::Lookup(lookup) => some(&[&lookup.not_found, &lookup.error, &lookup.timeout]),
        Verb::Answer(answer) => some(&[&answer.unsure]),
        Verb::Saga(saga) => some(&[&saga.failed, &saga.stuck]),
        Verb::Queue(queue) => queue.overflow.iter().filter_map(|entry| entry.goto.clone()).collect(),
        Verb::Transfer(transfer) => some(&[&transfer.on_busy, &transfer.on_no_answer, &transfer.on_failed]),
        Verb::Split(split) => split.arms.iter().map(|(_, target)| target.clone()).collect(),
        Verb::Hours(hours) => some(&[&hours.open, &hours.closed]),
        Verb::Limit(limit) => std::iter::once(limit.then.clone()).chain(limit.goto.clone()).collect(),
        Verb::Call(node) => vec![Target::Node(node.clone())],
        Verb::Webhook(webhook) => {
            let named = webhook.targets.iter().map(|name| Target::Node(name.clone()));
            named.chain([webhook.fallback.clone()]).collect()
        }
        Verb::Goto(target) => vec![target.clone()],
        _ => Vec::new(),
    }
}

/// Does the step wait for the customer, or end his way here?
fn waits(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Menu(_)
            | Verb::Confirm(_)
            | Verb::Queue(_)
            | Verb::Transfer(_)
            | Verb::LeaveMessage(_)
            | Verb::Hangup(_)
            | Verb::Limit(_)
            | Verb::Survey(_)
            | Verb::Play(_)
    )
}

/// Nodes reached from the first step without passing one that waits.
fn blind(node: &Node, flow: &Flow) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(node, |verb| {
        if waits(verb) {
            return Walk::Stop;
        }
        found.extend(targets(verb, flow).iter().filter_map(|target| resolve(target, flow)));
        Walk::On
    });
    found
}

enum Walk {
    On,
    Stop,
}

/// Visits each step that can be reached in the node; gives whether its end can.
fn walk(node: &Node, mut visit: impl FnMut(&Verb) -> Walk) -> bool {
    let mut seen = vec![false; node.steps.len()];
    let mut open = vec![0];
    let mut falls = false;
    while let Some(at) = open.pop() {
        let Some(step) = node.steps.get(at) else {
            falls = true;
            continue;
        };
        if std::mem::replace(&mut seen[at], true) || matches!(visit(&step.verb), Walk::Stop) {
            continue;
        }
        match &step.verb {
            Verb::Jump(to) => open.push(*to),
            Verb::JumpUnless(_, to) => open.extend([at + 1, *to]),
            verb if !leaves(verb) => open.push(at + 1),
            _ => {}
        }
    }
    falls
}

/// Does the step always leave the node?
fn leaves(verb: &Verb) -> bool {
    match verb {
        Verb::Goto(_) | Verb::Hangup(_) | Verb::Menu(_) | Verb::Split(_) | Verb::Webhook(_) => true,
        Verb::Confirm(confirm) => confirm.yes.is_some() && confirm.no.is_some(),
        Verb::Hours(hours) => hours.open.is_some() && hours.closed.is_some(),
        Verb::Limit(limit) => limit.goto.is_some(),
        Verb::Play(play) => play.times.is_none(),
        // Served by an agent, the conversation ends by itself.
        Verb::Queue(_) | Verb::Transfer(_) | Verb::LeaveMessage(_) | Verb::Callback(_) => false,
        _ => false,
    }
}

/// Where a conversation begins, and what may lead away from anywhere.
fn roots(draft: &Draft) -> Vec<String> {
    let commands = draft.flow.always.iter().filter_map(|command| resolve(&command.does, &draft.flow));
    let defaults = [&draft.defaults.error, &draft.defaults.no_match.1, &draft.defaults.no_input.2, &draft.defaults.asr_overload];
    let defaults = defaults.into_iter().filter_map(|target| resolve(target, &draft.flow));
    let handed_over = match &draft.mode.0 {
        Mode::Hybrid(hybrid) => resolve(&hybrid.goto, &draft.flow),
        _ => None,
    };
    std::iter::once(draft.start.0.clone()).chain(commands).chain(handed_over).chain(defaults).collect()
}

fn unreachable(draft: &Draft, graph: &Graph, context: &mut Context<'_>) {
    let seen = reach(&graph.all, roots(draft));
    for name in draft.flow.nodes.keys().filter(|name| !seen.contains(*name)) {
        context.warn("D121", place(draft, name), format!("nothing leads to node '{name}'"), "add a goto to it, or take it out");
    }
}

/// A node that is called may end and goes back then; so may those it leads to, where nothing else leads to them.
fn falls_off(draft: &Draft, graph: &Graph, context: &mut Context<'_>) {
    let called: BTreeSet<&str> = draft
        .flow
        .nodes
        .values()
        .flat_map(|node| &node.steps)
        .filter_map(|step| if let Verb::Call(name) = &step.verb { Some(name.as_str()) } else { None })
        .collect();
    let from_outside = reach(&graph.gone_to, roots(draft));
    let within = reach(&graph.gone_to, called.iter().map(|name| (*name).to_owned()));
    let comes_back = |name: &str| called.contains(name) || within.contains(name) && !from_outside.contains(name);
    for (name, node) in &draft.flow.nodes {
        if node.steps.is_empty() {
            context.mend("D122", place(draft, name), format!("node '{name}' has no steps"), "add - goto: NODE or - hangup:");
            continue;
        }
        let ends_with_person = matches!(node.steps.last().map(|step| &step.verb), Some(Verb::Queue(_) | Verb::Transfer(_)));
        if !comes_back(name) && !ends_with_person && walk(node, |_| Walk::On) {
            context.mend(
                "D122",
                place(draft, name),
                format!("node '{name}' can fall off its end"),
                "end it with - goto: NODE or - hangup:",
            );
        }
    }
}

fn circles(draft: &Draft, graph: &Graph, context: &mut Context<'_>) {
    for start in draft.flow.nodes.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = graph.blind.get(start).into_iter().flatten().collect();
        while let Some(node) = open.pop() {
            if node == start {
                let what = format!("node '{start}' can come back to itself without asking the caller anything");
                context.mend("D123", place(draft, start), what, "ask or confirm something on the way, or add a limit step");
                break;
            }
            if seen.insert(node) {
                open.extend(graph.blind.get(node).into_iter().flatten());
            }
        }
    }
}

fn no_person(draft: &Draft, graph: &Graph, context: &mut Context<'_>) {
    let seen = reach(&graph.all, draft.flow.nodes.keys().cloned());
    let person = |node: &Node| {
        node.steps.iter().any(|step| matches!(step.verb, Verb::Queue(_) | Verb::Transfer(_) | Verb::LeaveMessage(_) | Verb::Callback(_)))
    };
    let talks = draft
        .flow
        .nodes
        .values()
        .flat_map(|node| &node.steps)
        .any(|step| matches!(step.verb, Verb::Menu(_) | Verb::Ask(_) | Verb::Confirm(_)));
    if talks && !draft.flow.nodes.iter().any(|(name, node)| seen.contains(name) && person(node)) {
        context.warn(
            "D140",
            draft.start.1,
            "there is no way to a person: no queue, transfer, callback or message",
            "add a node human with a queue step",
        );
    }
}

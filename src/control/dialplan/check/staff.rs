//! Lines and the people who serve them: a line that asks for skills nobody has together is never answered.

use serde_json::Value;

use crate::control::dialplan::expr::{Path, Scope};
use crate::control::dialplan::plan::{Plan, QueueStep, Verb};
use crate::control::dialplan::problem::{Problem, Severity};
use crate::control::dialplan::template::Form;
use crate::control::words::directory::Agent;
use crate::control::words::{Lang, QueueId};

/// Only the language is known before a call.
struct Language<'l>(&'l Lang);

impl Scope for Language<'_> {
    fn value(&self, path: &Path) -> Option<Value> {
        (path.root == "lang" && path.rest.is_empty()).then(|| self.0.to_string().into())
    }
}

/// D172 of each queue step, in each language of the plan: no agent of the line, or of those it is widened to, has the skills.
#[must_use]
pub fn unstaffed_queues(plan: &Plan, file: &str, agents: &[&Agent]) -> Vec<Problem> {
    let steps = plan.flow.nodes.values().flat_map(|node| &node.steps);
    let queues = steps.filter_map(|step| if let Verb::Queue(queue) = &step.verb { Some((step, queue)) } else { None });
    let mut problems = Vec::new();
    for (step, queue) in queues {
        let Some(what) = what_is_missing(plan, queue, agents) else { continue };
        let mend = Some(format!("give an agent who serves {} the skills in phones.toml, or ask for fewer here", queue.name));
        let (line, column) = (step.line, step.column);
        problems.push(Problem { id: "D172", severity: Severity::Warning, file: file.to_owned(), line, column, what, mend });
    }
    problems
}

fn what_is_missing(plan: &Plan, queue: &QueueStep, agents: &[&Agent]) -> Option<String> {
    let lines: Vec<QueueId> =
        std::iter::once(queue.to).chain(queue.overflow.iter().filter_map(|entry| entry.widen.as_ref().map(|(id, _)| *id))).collect();
    let serving: Vec<&&Agent> = agents.iter().filter(|agent| agent.queues.iter().any(|line| lines.contains(line))).collect();
    if serving.is_empty() {
        return Some(format!("nobody serves the queue '{}'", queue.name));
    }
    plan.languages.iter().find_map(|lang| {
        let skills = skills(queue, lang)?;
        let able = serving.iter().any(|agent| skills.iter().all(|skill| agent.skills.contains_key(skill)));
        (!able).then(|| format!("nobody who serves the queue '{}' has {}", queue.name, skills.join(" and ")))
    })
}

/// The skills asked for in this language; `None` when one hangs on what the caller says.
fn skills(queue: &QueueStep, lang: &Lang) -> Option<Vec<String>> {
    let scope = Language(lang);
    let known = queue.skills.iter().flat_map(|skill| skill.paths()).all(|path| scope.value(path).is_some());
    known.then(|| queue.skills.iter().map(|skill| skill.render(&scope, lang.speech(), Form::Written)).collect())
}

//! From files to checked plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::Action;
use super::check;
use super::desk::Desk;
use super::knowledge::Knowledge;
use super::plan::{Plan, Surroundings};
use super::problem::{Problem, Severity, has_error};
use super::read::plan::{Draft, complete_always};
use super::read::table::{Beside, bind};
use super::read::{self, Context};
use super::shape::Shape;
use super::understand::Understanding;
use super::{hints, syntax, understand};
use crate::nlu::SentenceModel;

/// A file, read by the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as messages show it. `desk.yaml` is the desk, `actions.yaml` the rules for agents, `knowledge/*` articles, `*.test.yaml` tests, all else plans.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl Source {
    /// A file's bytes, which must be UTF-8.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Source, Problem> {
        String::from_utf8(bytes).map(|text| Source { name: name.to_owned(), text }).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            let column = 1 + good.iter().rev().take_while(|byte| **byte != b'\n').count();
            let mend = Some("save the file as UTF-8".to_owned());
            let what = "the file is not UTF-8 from here on".to_owned();
            Problem { id: "D103", severity: Severity::Error, file: name.to_owned(), line, column, what, mend }
        })
    }

    /// Is this the name of an article's table: `knowledge/NAME.csv`?
    #[must_use]
    pub fn is_table_name(name: &str) -> bool {
        let mut parts = name.rsplit(['/', '\\']);
        parts.next().is_some_and(|base| base.ends_with(".csv")) && parts.next() == Some("knowledge")
    }

    /// What it is, by its name.
    #[must_use]
    pub fn is(&self) -> FileKind {
        let mut parts = self.name.rsplit(['/', '\\']);
        let (base, folder) = (parts.next().unwrap_or(&self.name), parts.next());
        if base.ends_with(".test.yaml") || base.ends_with(".test.yml") {
            FileKind::Tests
        } else if matches!(base, "desk.yaml" | "desk.yml") {
            FileKind::Desk
        } else if matches!(base, "actions.yaml" | "actions.yml") {
            FileKind::Actions
        } else if folder == Some("knowledge") && base.ends_with(".csv") {
            FileKind::Table
        } else if folder == Some("knowledge") {
            FileKind::Knowledge
        } else {
            FileKind::Plan
        }
    }
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A plan.
    Plan,
    /// Calendars and queues.
    Desk,
    /// Articles.
    Knowledge,
    /// Rows of an article, as CSV.
    Table,
    /// Rules for agents.
    Actions,
    /// Cases.
    Tests,
}

impl FileKind {
    /// What stands in it.
    #[must_use]
    pub fn shape(self) -> Shape {
        match self {
            FileKind::Plan => Shape::Plan,
            FileKind::Desk => Shape::Desk,
            FileKind::Knowledge => Shape::Knowledge,
            FileKind::Actions => Shape::Actions,
            FileKind::Tests => Shape::Tests,
            FileKind::Table => Shape::Table,
        }
    }
}

/// The id that a plan's text gives itself; `None` when it is no plan.
#[must_use]
pub fn plan_id(file: &Source) -> Option<String> {
    if file.is() != FileKind::Plan {
        return None;
    }
    let yaml = syntax::parse(&file.name, &file.text).ok()?;
    yaml.get("id")?.scalar().map(str::to_owned)
}

/// The version that a plan's text is.
#[must_use]
pub fn plan_version(file: &Source) -> Option<String> {
    syntax::parse(&file.name, &file.text).ok().map(|yaml| read::knowledge::version(&yaml, Shape::Plan))
}

/// What the files gave.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Plans without an error, by id.
    pub plans: BTreeMap<String, Arc<Plan>>,
    /// The file of each plan, for findings that come later.
    pub files: BTreeMap<String, String>,
    /// Calendars and queues.
    pub desk: Desk,
    /// Articles by knowledge base.
    pub knowledge: BTreeMap<String, Knowledge>,
    /// Rules for agents.
    pub actions: Vec<Action>,
    /// All findings in the order of files and lines.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Is there any error? Then the files must not replace what runs.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        has_error(&self.problems)
    }
}

/// Reads and checks all files together. `env` gives `${NAME}` references their values.
#[must_use]
pub fn load(files: &[Source], env: &BTreeMap<String, String>) -> Loaded {
    load_with(files, env, &SentenceModel::default())
}

/// The same, understanding sentences by this model too.
#[must_use]
pub fn load_with(files: &[Source], env: &BTreeMap<String, String>, model: &SentenceModel) -> Loaded {
    let mut loaded = Loaded::default();
    let of_kind = |kind: FileKind| files.iter().filter(move |file| file.is() == kind);
    let desk_given = of_kind(FileKind::Desk).next().is_some();
    for file in of_kind(FileKind::Desk) {
        if let Some(desk) = reading(file, env, &mut loaded.problems, |yaml, context| Some(read::desk::desk(yaml, context))) {
            loaded.desk = desk;
        }
    }
    let knowledge = knowledge(files, env, model, &mut loaded.problems);
    loaded.knowledge.clone_from(&knowledge);
    let knowledge = Arc::new(knowledge);
    let around = check::Around { desk: &loaded.desk, desk_given, knowledge: &knowledge, model };
    let mut claims = check::Claims::default();
    let mut made = BTreeSet::new();
    for file in of_kind(FileKind::Plan) {
        let mut problems = Vec::new();
        let plan = reading(file, env, &mut problems, |yaml, context| {
            let mut draft = read::plan::plan(yaml, context)?;
            adopt(&mut draft, &knowledge, context);
            complete_always(&mut draft.flow.always);
            made.extend(context.seen.made.iter().cloned());
            check::check(&draft, &around, &mut claims, context);
            draft.flow.prompts = std::mem::take(&mut context.seen.prompts);
            Some(draft)
        });
        if let Some(draft) = plan.filter(|_| !has_error(&problems)) {
            loaded.files.insert(draft.id.0.clone(), file.name.clone());
            finish(draft, &around, file, &mut problems, &mut loaded.plans);
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        loaded.problems.extend(problems);
    }
    let known = check::Known { plans: &loaded.plans, made: &made };
    let known = Some(&known).filter(|_| !has_error(&loaded.problems));
    let mut problems = Vec::new();
    for file in of_kind(FileKind::Actions) {
        let actions = reading(file, env, &mut problems, |yaml, context| {
            let actions = read::actions::actions(yaml, context);
            check::check_actions(&around, known, context);
            Some(actions)
        });
        loaded.actions.extend(actions.unwrap_or_default());
    }
    loaded.problems.extend(problems);
    loaded
}

/// The knowledge bases of all files, their tables bound.
fn knowledge(
    files: &[Source],
    env: &BTreeMap<String, String>,
    model: &SentenceModel,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Knowledge> {
    let mut bases: BTreeMap<String, Knowledge> = BTreeMap::new();
    let mut tables = Vec::new();
    for file in files.iter().filter(|file| file.is() == FileKind::Knowledge) {
        let Some(draft) = reading(file, env, problems, read::knowledge::knowledge) else { continue };
        let name = draft.base.name.clone();
        let base = bases.entry(name.clone()).or_insert_with(|| Knowledge { name: name.clone(), ..Knowledge::default() });
        base.articles.extend(draft.base.articles);
        base.slots.extend(draft.base.slots);
        tables.extend(draft.tables.into_iter().map(|table| (name.clone(), file, table)));
    }
    for (base, file, table) in tables {
        let Some(base) = bases.get_mut(&base) else { continue };
        let folder = file.name.rfind('/').map_or("", |end| &file.name[..=end]);
        let beside = |csv: &str| {
            let name = format!("{folder}{csv}");
            files.iter().find(|other| other.name == name).map(|other| (name, other.text.clone()))
        };
        let topic = table.topic.clone();
        let bound = bind(table, &Beside { file: &file.name, slots: &base.slots, csv: &beside }, problems);
        if let (Some(bound), Some(article)) = (bound, base.articles.get_mut(&topic)) {
            if let Some(csv) = &bound.csv {
                article.version = read::knowledge::version_with(&article.version, csv);
            }
            article.table = Some(bound.table);
        }
    }
    bases.values_mut().for_each(|base| base.train(model));
    bases
}

/// A plan that answers from a knowledge base has the slots that its tables depend on.
fn adopt(draft: &mut Draft, knowledge: &BTreeMap<String, Knowledge>, context: &mut Context<'_>) {
    let used: Vec<_> = context.seen.topics.iter().map(|(kb, _, at)| (kb.clone(), *at)).collect();
    let mut adopted: BTreeMap<String, String> = BTreeMap::new();
    for (kb, at) in used {
        for (name, slot) in knowledge.get(&kb).into_iter().flat_map(|base| &base.slots) {
            if adopted.get(name) == Some(&kb) {
                continue;
            }
            if draft.values.slots.contains_key(name) || draft.values.lookups.contains_key(name) {
                let what = format!("the knowledge base '{kb}' has a slot '{name}' of its own");
                context.mend("D102", at, what, format!("take '{name}' out of the plan, or give it another name"));
                continue;
            }
            draft.values.slots.insert(name.clone(), slot.clone());
            adopted.insert(name.clone(), kb.clone());
        }
    }
}

fn reading<T>(
    file: &Source,
    env: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
    read: impl FnOnce(&syntax::Yaml, &mut Context<'_>) -> Option<T>,
) -> Option<T> {
    let yaml = match syntax::parse(&file.name, &file.text) {
        Ok(yaml) => yaml,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let mut context = Context::new(&file.name, env);
    let result = read(&yaml, &mut context);
    problems.append(&mut context.problems);
    result
}

fn untrained(file: &Source, error: &crate::nlu::TrainError) -> Problem {
    let mend = Some("mend the examples named".to_owned());
    Problem { id: "D133", severity: Severity::Error, file: file.name.clone(), line: 1, column: 1, what: error.to_string(), mend }
}

/// Trains and completes a draft without an error.
fn finish(
    mut draft: Draft,
    around: &check::Around<'_>,
    file: &Source,
    problems: &mut Vec<Problem>,
    plans: &mut BTreeMap<String, Arc<Plan>>,
) {
    let understanding = match Understanding::train(&draft.flow, &draft.values.slots, &draft.languages, around.model) {
        Ok(understanding) => understanding,
        Err(error) => return problems.push(untrained(file, &error)),
    };
    draft.flow.parents = understand::parents(&draft.flow);
    hints::fill_menus(&mut draft.flow, &draft.languages);
    draft.values.slots.values_mut().for_each(|slot| hints::fill_slot(slot, &draft.languages));
    let surroundings = Surroundings {
        calendar: draft.calendar.map(|(name, _)| name),
        calendars: Arc::clone(&around.desk.calendars),
        knowledge: Arc::clone(around.knowledge),
        max_wait: around.desk.queues.values().map(|queue| (queue.id, queue.max_wait)).collect(),
        model: around.model.clone(),
    };
    let plan = Plan {
        id: draft.id.0,
        version: draft.version,
        title: draft.title,
        languages: draft.languages,
        numbers: draft.numbers.into_iter().map(|(number, _)| number).collect(),
        channels: draft.channels,
        values: draft.values,
        flow: draft.flow,
        defaults: draft.defaults,
        understanding: Arc::new(understanding),
        surroundings,
        mode: draft.mode.0,
    };
    plans.insert(plan.id.clone(), Arc::new(plan));
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn shipped() -> Vec<Source> {
        let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        vec![
            file("desk.yaml", include_str!("../../../dialplans/desk.yaml")),
            file("driver-hotline.yaml", include_str!("../../../dialplans/driver-hotline.yaml")),
            file("where-is-my-order.yaml", include_str!("../../../dialplans/where-is-my-order.yaml")),
            file("knowledge/driver.yaml", include_str!("../../../dialplans/knowledge/driver.yaml")),
        ]
    }

    #[test]
    fn the_worked_plans_load_without_an_error() {
        let loaded = load(&shipped(), &BTreeMap::new());
        for problem in &loaded.problems {
            println!("{problem}");
        }
        assert!(!loaded.is_broken());
        assert_eq!(loaded.plans.keys().collect::<Vec<_>>(), ["driver-hotline", "where-is-my-order"]);
        assert_eq!(loaded.plans["driver-hotline"].version.len(), 8);
    }
}

//! The `find` step: asks what is needed, looks it up, and offers what was found. It becomes the steps one would write by hand.

use super::step::asked;
use super::{Context, Fields};
use crate::control::dialplan::expr::{Expr, Path, Segment};
use crate::control::dialplan::plan::{Ask, Choices, ListChoice, LookupStep, Slot, SlotType, Target, Telling, Texts};
use crate::control::dialplan::syntax::{Place, Yaml};
use crate::control::dialplan::values;

/// Items that are offered.
const MOST: usize = 3;
/// More than these nobody remembers, and keys have one digit.
const MOST_OFFERED: usize = 9;
/// The variable of an item in `say`.
pub const ITEM: &str = "item";

/// A `find` step as written.
pub struct Find {
    /// What is asked for first.
    pub ask: Ask,
    /// The lookup with its arms.
    pub lookup: LookupStep,
    /// Holds when there is nothing to be offered.
    pub is_empty: Expr,
    /// Where it leads then.
    pub none: Target,
    /// The slot of what was chosen.
    pub save_as: String,
}

/// Reads one; the slot of its choice is kept for the plan.
pub fn find(yaml: &Yaml, context: &mut Context<'_>) -> Option<Find> {
    let mut fields = Fields::of(yaml, "find", context)?;
    let slots = fields.take("ask").map(|yaml| asked(yaml, context)).unwrap_or_default();
    let lookup = fields.need("lookup", context).and_then(|yaml| {
        let name = context.text(yaml, "lookup")?;
        context.seen.lookups.push((name.clone(), yaml.at));
        Some(name)
    });
    let items = fields.take("items").and_then(|yaml| {
        let path = context.path(yaml, "items")?;
        context.seen.paths.push((path.clone(), yaml.at));
        Some(path)
    });
    let label = fields.take("label").and_then(|yaml| context.text(yaml, "label")).unwrap_or_else(|| "title".to_owned());
    let shown = fields.take("say").map(|yaml| item_texts(yaml, context)).unwrap_or_default();
    let prompt = fields.take("prompt").map(|yaml| context.texts(yaml, "the prompt")).unwrap_or_default();
    let most = fields.take("most").and_then(|yaml| context.number(yaml, "most", 1..=MOST_OFFERED)).unwrap_or(MOST);
    let save_as = fields.need("save_as", context).and_then(|yaml| {
        let name = context.text(yaml, "save_as")?;
        context.check_name(&name, yaml.at, "a slot");
        Some((name, yaml.at))
    });
    let none = fields.need("none", context).and_then(|yaml| context.target(yaml, "none"));
    let error = fields.take("error").and_then(|yaml| context.target(yaml, "error"));
    fields.finish(context);
    let (name, (save_as, at), none) = (lookup?, save_as?, none?);
    let path = items.unwrap_or_else(|| Path { root: name.clone(), rest: vec![Segment::Name("items".to_owned())] });
    let is_empty = empty(&path, yaml.at, context)?;
    let telling = Telling::Items { shown, none: none.clone() };
    let choices = Choices::List(Box::new(ListChoice { path, label, most, telling }));
    context.seen.found.push((save_as.clone(), Slot { kind: SlotType::Choice, ask: prompt, choices, ..values::phone_slot() }, at));
    let lookup = LookupStep { name, not_found: Some(none.clone()), error: error.clone(), timeout: error };
    Some(Find { ask: Ask { slots, also: Vec::new() }, lookup, is_empty, none, save_as })
}

/// How an item is told; `item.*` is nobody's variable outside of it.
fn item_texts(yaml: &Yaml, context: &mut Context<'_>) -> Texts {
    let before = context.seen.paths.len();
    let texts = context.texts(yaml, "say");
    let own: Vec<_> = context.seen.paths.drain(before..).filter(|(path, _)| path.root != ITEM).collect();
    context.seen.paths.extend(own);
    texts
}

fn empty(path: &Path, at: Place, context: &mut Context<'_>) -> Option<Expr> {
    let parsed = Expr::parse(&format!("len({path}) == 0"));
    if parsed.is_err() {
        context.mend("D107", at, format!("'{path}' is no variable with a list"), "as in items: found.items");
    }
    parsed.ok()
}

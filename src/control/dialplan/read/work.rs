//! Steps that leave something behind in other systems: tickets, and several calls that belong together.

use super::{Context, Fields, slot};
use crate::control::dialplan::plan::{Saga, SagaCall, Texts, Ticket, Verb};
use crate::control::dialplan::syntax::Yaml;
use crate::control::words::ticket::Duplicate;

/// Calls of one saga.
const MOST_CALLS: usize = 10;
/// Tries after the first one.
const MOST_RETRIES: u32 = 3;
const RETRIES: u32 = 1;
/// A call that needs no way back says so.
const NO_UNDO: &str = "none";

/// A `ticket` step.
pub fn ticket(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "ticket", context)?;
    let kind = fields.need("type", context).and_then(|yaml| context.text(yaml, "type"))?;
    let title = fields.take("title").map(|yaml| title(yaml, context)).unwrap_or_default();
    let attach = fields.take("attach").map(|yaml| context.texts_list(yaml, "attach")).unwrap_or_default();
    let save_as = fields.take("save_as").and_then(|yaml| context.text(yaml, "save_as"));
    context.seen.made.extend(save_as.clone());
    let form = slot::templates(fields.take("fields"), "fields", context);
    let duplicate = duplicate(&mut fields, form.iter().map(|(name, _)| name.as_str()), context);
    let ticket = Ticket { kind, title, fields: form, attach: attach.into_iter().map(|(name, _)| name).collect(), duplicate, save_as };
    fields.finish(context);
    Some(Verb::Ticket(Box::new(ticket)))
}

/// `duplicate: link | new`; `same: [field]` names what tells one matter from another, else all fields do.
fn duplicate<'f>(fields: &mut Fields<'_>, form: impl Iterator<Item = &'f str>, context: &mut Context<'_>) -> Duplicate {
    let known: Vec<(&str, ())> = form.map(|name| (name, ())).collect();
    let is_linked = fields.take("duplicate").and_then(|yaml| context.word(yaml, "duplicate", &[("link", true), ("new", false)]));
    let same = fields.take("same");
    if is_linked == Some(false) {
        if let Some(yaml) = same {
            context.mend("D104", yaml.at, "'same' says what is linked, but duplicate: new links nothing", "take one of them away");
        }
        return Duplicate::New;
    }
    let Some(list) = same else { return Duplicate::Link { by: known.into_iter().map(|(name, ())| name.to_owned()).collect() } };
    let items = context.list(list, "same").iter();
    let by = items.filter(|item| context.word(item, "same (names of fields)", &known).is_some());
    Duplicate::Link { by: by.filter_map(|item| item.scalar().map(str::to_owned)).collect() }
}

/// A ticket's title is for the desk: one language will do.
fn title(yaml: &Yaml, context: &mut Context<'_>) -> Texts {
    if yaml.scalar().is_none() {
        return context.texts(yaml, "title");
    }
    let mut texts = Texts::default();
    if let (Some(template), Some(lang)) = (context.template(yaml, "title"), context.languages.first().cloned()) {
        texts.by_lang.insert(lang, template);
    }
    texts
}

/// A `saga` step.
pub fn saga(yaml: &Yaml, context: &mut Context<'_>) -> Option<Verb> {
    let mut fields = Fields::of(yaml, "saga", context)?;
    let id = fields.need("id", context).and_then(|yaml| {
        let id = context.text(yaml, "id")?;
        context.check_name(&id, yaml.at, "a saga");
        Some(id)
    });
    let list = fields.need("calls", context);
    let items = list.map(|yaml| context.list(yaml, "calls")).unwrap_or_default();
    if let Some(yaml) = list.filter(|_| items.is_empty() || items.len() > MOST_CALLS) {
        context.mend(
            "D104",
            yaml.at,
            format!("a saga has 1 to {MOST_CALLS} calls, not {}", items.len()),
            "calls: [{do: book, undo: unbook}, notify]",
        );
    }
    let calls: Vec<SagaCall> = items.iter().filter_map(|item| call(item, context)).collect();
    for (item, call) in items.iter().zip(&calls).rev().skip(1).filter(|(item, _)| item.get("undo").is_none()) {
        context.seen.one_way.push((call.call.clone(), item.at));
    }
    let retries = fields.take("retries").and_then(|yaml| context.number(yaml, "retries", 0..=MOST_RETRIES)).unwrap_or(RETRIES);
    let wait_say = fields.take("wait_say").map(|yaml| context.texts(yaml, "wait_say")).unwrap_or_default();
    let failed = fields.take("failed").and_then(|yaml| context.target(yaml, "failed"));
    let stuck = fields.take("stuck").and_then(|yaml| context.target(yaml, "stuck"));
    fields.finish(context);
    let id = id?;
    context.seen.made.push(id.clone());
    Some(Verb::Saga(Box::new(Saga { id, calls, retries, wait_say, failed, stuck })))
}

/// `name`, or `{do: name, undo: name | none}`.
fn call(yaml: &Yaml, context: &mut Context<'_>) -> Option<SagaCall> {
    if yaml.scalar().is_some() {
        return Some(SagaCall { call: lookup_name(yaml, context)?, undo: None });
    }
    let mut fields = Fields::of(yaml, "a call", context)?;
    let call = fields.need("do", context).and_then(|yaml| lookup_name(yaml, context));
    let undo = fields.take("undo").filter(|yaml| yaml.scalar() != Some(NO_UNDO)).and_then(|yaml| lookup_name(yaml, context));
    fields.finish(context);
    Some(SagaCall { call: call?, undo })
}

fn lookup_name(yaml: &Yaml, context: &mut Context<'_>) -> Option<String> {
    let name = context.text(yaml, "a call")?;
    context.seen.lookups.push((name.clone(), yaml.at));
    Some(name)
}

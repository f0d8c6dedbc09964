//! The rules for agents.

use super::{Context, Fields};
use crate::control::dialplan::actions::Action;
use crate::control::dialplan::syntax::Yaml;
use crate::control::words::{Lang, QueueId};

const FORMAT: u32 = 1;
/// More rules than anybody could keep in order.
const MOST_RULES: usize = 1_000;

/// The whole file: `actions: 1`, `languages`, `rules`.
pub fn actions(yaml: &Yaml, context: &mut Context<'_>) -> Vec<Action> {
    let Some(mut fields) = Fields::of(yaml, "an actions file", context) else { return Vec::new() };
    if let Some(format) = fields.need("actions", context) {
        context.number(format, "actions (the format's version)", FORMAT..=FORMAT);
    }
    let languages = fields.need("languages", context).map(|yaml| context.texts_list(yaml, "languages")).unwrap_or_default();
    context.languages = languages.iter().map(|(tag, _)| Lang::new(tag)).collect();
    let items = fields.need("rules", context).map(|yaml| context.list(yaml, "rules")).unwrap_or_default();
    if items.len() > MOST_RULES {
        context.mend("D103", items[MOST_RULES].at, format!("there are more than {MOST_RULES} rules"), "join some of them");
    }
    let mut actions: Vec<Action> = Vec::new();
    for item in items.iter().take(MOST_RULES) {
        let Some(action) = action(item, context) else { continue };
        if actions.iter().any(|known| known.id == action.id) {
            context.mend("D220", item.at, format!("another rule has the id '{}'", action.id), "give each rule its own id");
        }
        actions.push(action);
    }
    fields.finish(context);
    actions
}

fn action(yaml: &Yaml, context: &mut Context<'_>) -> Option<Action> {
    let mut fields = Fields::of(yaml, "a rule", context)?;
    let id = fields.need("id", context).and_then(|yaml| {
        let id = context.text(yaml, "a rule's id")?;
        context.check_name(&id, yaml.at, "a rule");
        Some(id)
    });
    let when = fields.need("if", context).and_then(|yaml| context.expr(yaml));
    let queues = fields.take("queues").map(|yaml| context.texts_list(yaml, "queues")).unwrap_or_default();
    let text = fields.need("text", context).map(|yaml| context.texts(yaml, "the text"));
    let say = fields.take("say").map(|yaml| context.texts(yaml, "what is said"));
    fields.finish(context);
    context.seen.queues.extend(queues.iter().cloned());
    let queues = queues.iter().map(|(name, _)| QueueId::of_name(name)).collect();
    Some(Action { id: id?, when: when?, queues, text: text?, say })
}

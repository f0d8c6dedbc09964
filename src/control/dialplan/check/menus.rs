//! Menus: the same sentence twice, too many options to listen to.

use std::collections::BTreeMap;

use crate::control::dialplan::read::Context;
use crate::control::dialplan::read::plan::Draft;
use crate::control::dialplan::syntax::Place;

/// More options than this are not kept in mind.
const MOST_SPOKEN: usize = 5;

/// Runs the rules.
pub fn check(draft: &Draft, context: &mut Context<'_>) {
    let places = std::mem::take(&mut context.seen.menus);
    let mut owners: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (index, menu) in draft.flow.menus.iter().enumerate() {
        let at = places.get(index).copied().unwrap_or_default();
        if menu.options.len() > MOST_SPOKEN {
            let what = format!("the menu has {} options; nobody keeps more than {MOST_SPOKEN} in mind", menu.options.len());
            context.warn("D135", at, what, "put some into a menu below");
        }
        for option in &menu.options {
            for sentence in option.examples.values().flatten() {
                same_sentence(sentence, &menu.name, option.intent(), at, &mut owners, context);
            }
        }
    }
}

fn same_sentence(
    sentence: &str,
    menu: &str,
    intent: &str,
    at: Place,
    owners: &mut BTreeMap<String, (String, String)>,
    context: &mut Context<'_>,
) {
    let plain: String = sentence.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    match owners.get(&plain) {
        Some((_, other)) if other == intent => {}
        Some((where_else, other)) => {
            let what = format!("\"{sentence}\" leads to '{intent}', and in menu '{where_else}' to '{other}'");
            context.mend("D133", at, what, "keep it where it belongs; the other option needs sentences of its own");
        }
        None => drop(owners.insert(plain, (menu.to_owned(), intent.to_owned()))),
    }
}

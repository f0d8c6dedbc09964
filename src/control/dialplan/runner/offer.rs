//! Offering what was found: some items, told one after the other, chosen by place, by name, by key, or by a yes where there is but one.

use std::sync::Arc;

use serde_json::Value;

use super::Runner;
use super::phrases::{Phrase, filled};
use crate::control::dialplan::expr::{Path, Scope, plain};
use crate::control::dialplan::plan::{Choices, ListChoice, Mode, Slot, Target, Telling};
use crate::control::dialplan::read::find::ITEM;
use crate::control::dialplan::values::{self, Found};
use crate::control::dialplan::wish::Wish;
use crate::control::time::Time;
use crate::control::words::media::Prompt;

/// How places are said.
const PLACES: [(&str, &str); 9] = [
    ("第一", "first"),
    ("第二", "second"),
    ("第三", "third"),
    ("第四", "fourth"),
    ("第五", "fifth"),
    ("第六", "sixth"),
    ("第七", "seventh"),
    ("第八", "eighth"),
    ("第九", "ninth"),
];

/// What a customer makes of what he is offered.
pub(super) enum Taken {
    /// This one.
    Item(Value),
    /// None of them: there it goes on.
    None(Target),
}

/// An item in the middle of a conversation.
struct Item<'s> {
    around: &'s dyn Scope,
    item: &'s Value,
}

impl Scope for Item<'_> {
    fn value(&self, path: &Path) -> Option<Value> {
        if path.root == ITEM { path.follow(self.item).cloned() } else { self.around.value(path) }
    }
}

impl Runner {
    /// The items of a choice from a list, as many as are offered.
    pub(super) fn items(&self, now: Time, slot: &Slot) -> Vec<Value> {
        let Choices::List(list) = &slot.choices else { return Vec::new() };
        let mut items = self.view(now).value(&list.path).and_then(|value| value.as_array().cloned()).unwrap_or_default();
        items.truncate(list.most);
        items
    }

    /// The items one after the other, and the question.
    pub(super) fn offer_items(&self, now: Time, slot: &Slot) -> Option<Prompt> {
        let Choices::List(list) = &slot.choices else { return None };
        let Telling::Items { .. } = &list.telling else { return None };
        let items = self.items(now, slot);
        let is_zh = self.lang.primary() == "zh";
        let told: Vec<String> = items.iter().map(|item| self.told(now, list, item)).collect();
        let text = match told.as_slice() {
            [one] => filled(Phrase::OfferOne, &self.lang, &[one]),
            all => {
                let place = |at: usize| PLACES.get(at).map_or("", |(zh, en)| if is_zh { zh } else { en });
                let (comma, stop) = if is_zh { ("，", "；") } else { (", ", "; ") };
                let lines: Vec<String> = all.iter().enumerate().map(|(at, text)| format!("{}{comma}{text}", place(at))).collect();
                filled(Phrase::OfferItems, &self.lang, &[&lines.join(stop)])
            }
        };
        Some(Prompt::Text { id: None, text, lang: self.lang.clone() })
    }

    fn told(&self, now: Time, list: &ListChoice, item: &Value) -> String {
        let Telling::Items { shown, .. } = &list.telling else { return String::new() };
        let view = self.view(now);
        let own = shown.of(&self.lang).map(|text| text.render(&Item { around: &view, item }, self.lang.primary(), self.form()));
        own.unwrap_or_else(|| item.get(&list.label).map(plain).unwrap_or_default())
    }

    /// What a sentence takes of the items that were offered by themselves.
    pub(super) fn item_said(&self, now: Time, slot: &Slot, text: &str) -> Option<Taken> {
        let Choices::List(list) = &slot.choices else { return None };
        let Telling::Items { none, .. } = &list.telling else { return None };
        let items = self.items(now, slot);
        let search = self.search(now, text, &items);
        if values::is_none_of_them(&search) {
            return Some(Taken::None(none.clone()));
        }
        if matches!(values::find(slot, &search), Found::Value(_)) {
            return None;
        }
        match (items.as_slice(), values::yes_no(text, &search)) {
            ([one], Some(true)) => Some(Taken::Item(one.clone())),
            (_, Some(false)) => Some(Taken::None(none.clone())),
            _ => None,
        }
    }

    /// The buttons of a choice.
    pub(super) fn choice_buttons(&self, now: Time, slot: &Slot) -> Vec<(String, String)> {
        match &slot.choices {
            Choices::Fixed(values) => values.iter().map(|choice| (choice.value.clone(), choice.value.clone())).collect(),
            Choices::List(list) => {
                let items = self.items(now, slot);
                let titles = items.iter().map(|item| item.get(&list.label).map(plain).unwrap_or_default());
                titles.enumerate().map(|(at, title)| (title, (at + 1).to_string())).collect()
            }
            Choices::None => Vec::new(),
        }
    }

    /// Human first: the robot has had its turns, and a person goes on with all that was said. `true` when it leads there.
    pub(super) fn hands_over(&mut self, now: Time, out: &mut Vec<Wish>) -> bool {
        let plan = Arc::clone(&self.plan);
        let Mode::Hybrid(hybrid) = &plan.mode else { return false };
        if self.flow.handed_on || self.memory.turn < hybrid.turns {
            return false;
        }
        self.flow.handed_on = true;
        match self.prompt(now, &hybrid.say) {
            Some(own) => self.voice.pending.push(own),
            None => self.push_phrase(Phrase::GetPerson, &[]),
        }
        self.go(now, &hybrid.goto.clone(), out);
        true
    }
}

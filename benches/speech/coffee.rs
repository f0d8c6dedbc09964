//! Coffee orders: the grammar and the slots of `coffee.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Slot → value.
pub type Slots = BTreeMap<String, String>;

/// What the file says.
pub struct Coffee {
    file: Value,
}

impl Coffee {
    pub fn read(data: &Path) -> Coffee {
        let text = std::fs::read_to_string(data.join("speech/coffee.json")).expect("coffee.json is there");
        Coffee { file: serde_json::from_str(&text).expect("coffee.json is JSON") }
    }

    /// What a clip's speaker ordered.
    pub fn label(&self, id: &str) -> Option<Slots> {
        serde_json::from_value(self.file["labels"].get(id)?.clone()).ok()
    }

    /// The sentence shape as JSGF rules.
    pub fn grammar(&self) -> String {
        let slots = &self.file["slots"];
        let lead = alternatives(&self.file["sentence"]["lead"]);
        let measure = |slot: &str| {
            let amount = alternatives(&slots[slot]["amount"]);
            format!("[ {amount} ] ( {} )", alternatives(&slots[slot]["what"]))
        };
        format!(
            "public <order> = [ {lead} ] [ a | an ] [ <detail> ] [ <detail> ] [ <detail> ] <drink> [ with <extra> ] ;\n\
             <detail> = {size} | {roast} | {shots} ;\n\
             <drink> = {drink} ;\n\
             <milk> = {milk} ;\n\
             <sugar> = {sugar} ;\n\
             <extra> = <milk> | <sugar> | <milk> and <sugar> | <sugar> and <milk> ;",
            size = alternatives(&slots["size"]),
            roast = alternatives(&slots["roast"]),
            shots = alternatives(&slots["numberOfShots"]),
            drink = alternatives(&slots["coffeeDrink"]),
            milk = measure("milkAmount"),
            sugar = measure("sugarAmount"),
        )
    }

    /// All that can be said for one slot: for engines that take phrases.
    pub fn phrases(&self) -> Vec<String> {
        let slots = &self.file["slots"];
        let mut out = Vec::new();
        for slot in ["coffeeDrink", "size", "roast", "numberOfShots"] {
            out.extend(texts(&slots[slot]));
        }
        for slot in ["milkAmount", "sugarAmount"] {
            out.extend(texts(&slots[slot]["what"]).iter().map(|what| format!("with {what}")));
        }
        out
    }

    /// The slots of a recognised order.
    pub fn slots(&self, text: &str) -> Slots {
        let slots = &self.file["slots"];
        let text = text.to_lowercase();
        let (order, extras) = text.split_once(" with ").unwrap_or((&text, ""));
        let mut found = Slots::new();
        let mut rest = format!(" {order} ");
        for slot in ["roast", "size", "numberOfShots", "coffeeDrink"] {
            let mut values = texts(&slots[slot]);
            values.sort_by_key(|value| std::cmp::Reverse(value.len()));
            if let Some(value) = values.into_iter().find(|value| rest.contains(&format!(" {value} "))) {
                rest = rest.replacen(&format!("{value} "), "", 1);
                found.insert(slot.to_owned(), value);
            }
        }
        for extra in extras.split(" and ").filter(|extra| !extra.is_empty()) {
            let is_sugar = ["sugar", "sweetener"].iter().any(|what| extra.ends_with(what));
            let slot = if is_sugar { "sugarAmount" } else { "milkAmount" };
            found.insert(slot.to_owned(), extra.trim().to_owned());
        }
        found
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_lowercase).collect()
}

fn alternatives(list: &Value) -> String {
    texts(list).join(" | ")
}

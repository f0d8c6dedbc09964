//! A map's keys, taken one by one; what is left over is unknown.

use super::Context;
use crate::control::dialplan::problem::nearest;
use crate::control::dialplan::syntax::{Kind, Pair, Place, Yaml};

/// A map under reading.
pub struct Fields<'y> {
    what: &'static str,
    /// Where the map begins.
    pub at: Place,
    pairs: &'y [Pair],
    asked: Vec<&'static str>,
}

impl<'y> Fields<'y> {
    /// The map, or a finding that it is none.
    pub fn of(yaml: &'y Yaml, what: &'static str, context: &mut Context<'_>) -> Option<Fields<'y>> {
        match &yaml.kind {
            Kind::Map(pairs) => Some(Fields { what, at: yaml.at, pairs, asked: Vec::new() }),
            _ => {
                context.mend("D104", yaml.at, format!("{what} is {}, not a map", yaml.noun()), "write key: value pairs");
                None
            }
        }
    }

    /// A key's value.
    pub fn take(&mut self, key: &'static str) -> Option<&'y Yaml> {
        self.pair(key).map(|pair| &pair.value)
    }

    /// A key with its value.
    pub fn pair(&mut self, key: &'static str) -> Option<&'y Pair> {
        self.asked.push(key);
        self.pairs.iter().find(|pair| pair.key == key)
    }

    /// A key's value, or a finding that it is missing.
    pub fn need(&mut self, key: &'static str, context: &mut Context<'_>) -> Option<&'y Yaml> {
        let found = self.take(key);
        if found.is_none() {
            context.mend("D105", self.at, format!("{} has no '{key}'", self.what), format!("add {key}: …"));
        }
        found
    }

    /// All keys in their order.
    pub fn pairs(&self) -> &'y [Pair] {
        self.pairs
    }

    /// Marks keys as known without reading them here.
    pub fn know(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Reports the keys nobody asked for.
    pub fn finish(self, context: &mut Context<'_>) {
        for pair in self.pairs {
            if self.asked.contains(&pair.key.as_str()) {
                continue;
            }
            let what = format!("{} knows no key '{}'", self.what, pair.key);
            let mend = match nearest(&pair.key, self.asked.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("keys here: {}", self.asked.join(", ")),
            };
            context.mend("D110", pair.at, what, mend);
        }
    }
}

//! A value in one form, to be compared, and in one line, to be shown.

use std::collections::BTreeMap;

use super::TARGETS;
use crate::control::dialplan::read::parse_duration;
use crate::control::dialplan::shape::Shape;
use crate::control::dialplan::syntax::{Kind, Pair, Yaml};

/// Characters of a value that are shown.
const SHOWN: usize = 100;

/// The same without what is only form: short forms written out, sentences in one order.
pub fn normal(yaml: &Yaml, shape: Shape, lang: Option<&str>) -> Yaml {
    if let Some(key) = long_form(shape, lang).filter(|_| yaml.scalar().is_some()) {
        let pair = Pair { key: key.to_owned(), at: yaml.at, value: yaml.clone() };
        return Yaml { at: yaml.at, kind: Kind::Map(vec![pair]) };
    }
    let kind = match &yaml.kind {
        Kind::List(items) => Kind::List(items.iter().map(|item| normal(item, shape.of_item(), lang)).collect()),
        Kind::Map(pairs) => {
            let pair = |pair: &Pair| {
                let mut value = normal(&pair.value, shape.of_key(&pair.key), lang);
                if let Kind::List(sentences) = &mut value.kind
                    && matches!(shape, Shape::Sentences | Shape::Command)
                {
                    sentences.sort_by(|left, right| left.scalar().cmp(&right.scalar()));
                }
                Pair { value, ..pair.clone() }
            };
            Kind::Map(pairs.iter().map(pair).collect())
        }
        other => other.clone(),
    };
    Yaml { at: yaml.at, kind }
}

/// The key that a bare text stands for.
fn long_form(shape: Shape, lang: Option<&str>) -> Option<&str> {
    match shape {
        Shape::Langs => lang,
        Shape::Queue | Shape::Transfer => Some("to"),
        Shape::Survey => Some("id"),
        _ => None,
    }
}

/// The value to be shown, keys in their order.
pub fn rendered(yaml: &Yaml, shape: Shape) -> String {
    written(yaml, shape, "", &|text, _| text.to_owned(), &BTreeMap::new())
}

/// The value to be compared: lengths of time in one unit, nodes by the names they have now where `key` names nodes.
pub fn content(yaml: &Yaml, shape: Shape, nodes: &BTreeMap<String, String>, key: &str) -> String {
    let scalar = |text: &str, key: &str| match (nodes.get(text).filter(|_| TARGETS.contains(&key)), parse_duration(text)) {
        (Some(name), _) => format!("{}:{name}", name.len()),
        (None, Some(span)) => format!("{} ms", span.as_millis()),
        (None, None) => format!("{}:{text}", text.len()),
    };
    written(yaml, shape, key, &scalar, nodes)
}

type Scalar<'s> = &'s dyn Fn(&str, &str) -> String;

fn written(yaml: &Yaml, shape: Shape, key: &str, scalar: Scalar<'_>, nodes: &BTreeMap<String, String>) -> String {
    match &yaml.kind {
        Kind::Null => "~".to_owned(),
        Kind::Bool(truth) => truth.to_string(),
        Kind::Number(text) | Kind::Text(text) => scalar(text, key),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, shape.of_item(), key, scalar, nodes)).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(pairs) => {
            let keys: Vec<&str> = pairs.iter().map(|pair| pair.key.as_str()).collect();
            let of_nodes = matches!(shape, Shape::Each(Shape::ListOf(_)));
            let part = |pair: &Pair| {
                let name = nodes.get(&pair.key).filter(|_| of_nodes).unwrap_or(&pair.key);
                format!("{name}: {}", written(&pair.value, shape.of_key(&pair.key), &pair.key, scalar, nodes))
            };
            let parts: Vec<String> = shape.order_of_content(&keys).into_iter().map(|at| part(&pairs[at])).collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// What fits into a line.
pub fn shortened(text: &str) -> String {
    let line: String = text.replace('\n', " ");
    if line.chars().count() <= SHOWN { line } else { line.chars().take(SHOWN).chain(['…']).collect() }
}

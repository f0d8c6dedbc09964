//! Texts with `{variables}` and filters, said or shown in the customer's language.

use serde_json::Value;

use super::expr::{ExprError, Path, Scope, plain};

/// How a value is put into the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    /// `{x:money}`
    Money,
    /// `{x:date}`
    Date,
    /// `{x:digits}`: one by one.
    Digits,
    /// `{x:titles}`: the titles of a list's items.
    Titles,
}

/// A piece of a text.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// As it is.
    Text(String),
    /// A value.
    Value(Path, Option<Filter>),
}

/// A text with variables.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Template {
    /// Its pieces in order.
    pub parts: Vec<Part>,
}

/// The form of a rendered text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For the ear: numbers in words.
    Spoken,
    /// For the eye.
    Written,
    /// For a URL: values percent-encoded.
    Url,
}

impl Template {
    /// Parses `{path}` and `{path:filter}`; `{{` is a brace.
    pub fn parse(text: &str) -> Result<Template, ExprError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                plain.push('{');
                rest = after;
                continue;
            }
            let place = text.chars().count() - rest.chars().count();
            let Some(end) = rest.find('}') else {
                return Err(ExprError { at: place, why: "'}' is missing; write {{ for a brace itself".to_owned() });
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(value(&rest[..end]).map_err(|mut error| {
                error.at += place;
                error
            })?);
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// The text with its values put in; `lang` is the primary subtag.
    #[must_use]
    pub fn render(&self, scope: &dyn Scope, lang: &str, form: Form) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(path, filter) => out.push_str(&shown(&scope.value(path).unwrap_or(Value::Null), *filter, lang, form)),
            }
        }
        out
    }

    /// A single `{path}` gives the value itself, anything else its text.
    #[must_use]
    pub fn value(&self, scope: &dyn Scope, lang: &str) -> Value {
        match self.parts.as_slice() {
            [Part::Value(path, None)] => scope.value(path).unwrap_or(Value::Null),
            _ => self.render(scope, lang, Form::Written).into(),
        }
    }

    /// All paths it reads.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(path, _) => Some(path),
            Part::Text(_) => None,
        })
    }

    /// Characters of its fixed text, for estimating how long it takes to say.
    #[must_use]
    pub fn fixed_chars(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Text(text) = part { text.chars().count() } else { 0 }).sum()
    }
}

fn value(inside: &str) -> Result<Part, ExprError> {
    let (path, filter) = match inside.split_once(':') {
        None => (inside, None),
        Some((path, name)) => (path, Some(filter(name)?)),
    };
    Ok(Part::Value(Path::parse(path)?, filter))
}

fn filter(name: &str) -> Result<Filter, ExprError> {
    match name.trim() {
        "money" => Ok(Filter::Money),
        "date" => Ok(Filter::Date),
        "digits" => Ok(Filter::Digits),
        "titles" => Ok(Filter::Titles),
        other => Err(ExprError { at: 0, why: format!("'{other}' is not a filter; there are money, date, digits, titles") }),
    }
}

fn shown(value: &Value, filter: Option<Filter>, lang: &str, form: Form) -> String {
    let text = match filter {
        None => plain(value),
        Some(Filter::Titles) => titles(value, lang),
        Some(Filter::Money) => super::shown::money(value, lang, form),
        Some(Filter::Date) => super::shown::date(value, lang, form),
        Some(Filter::Digits) => super::shown::digits(value, lang, form),
    };
    match form {
        Form::Url => percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string(),
        Form::Spoken | Form::Written => text,
    }
}

fn titles(value: &Value, lang: &str) -> String {
    let Some(items) = value.as_array() else { return plain(value) };
    let title = |item: &Value| ["title", "name", "label"].iter().find_map(|key| item.get(key)).map_or_else(|| plain(item), plain);
    items.iter().map(title).collect::<Vec<_>>().join(if lang == "zh" { "、" } else { ", " })
}

#[cfg(test)]
mod tests {
    use super::super::expr::tests::Fixed;
    use super::*;
    use serde_json::json;

    fn render(text: &str, form: Form) -> String {
        let scope = Fixed(json!({"no": "A 1", "orders": {"items": [{"title": "鞋"}, {"title": "帽"}]}}));
        Template::parse(text).expect(text).render(&scope, "zh", form)
    }

    #[test]
    fn values_take_their_place_and_the_unknown_is_empty() {
        assert_eq!(render("单号{no}：{orders.items[1].title}{nothing}", Form::Spoken), "单号A 1：帽");
        assert_eq!(render("{orders.items:titles}", Form::Spoken), "鞋、帽");
        assert_eq!(render("?q={no}", Form::Url), "?q=A%201");
        assert_eq!(render("{{no}", Form::Spoken), "{no}");
    }

    #[test]
    fn a_bad_template_says_why() {
        assert!(Template::parse("{no").expect_err("open").to_string().contains("'}' is missing"));
        assert!(Template::parse("{no:upper}").expect_err("filter").to_string().contains("not a filter"));
    }
}

//! Places in a JSON answer: `$.items[0].name`.

use serde_json::Value;

use super::expr::Segment;

/// The largest index a plan may write.
const MAX_INDEX: usize = 9_999;

/// A place below the answer's root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place(Vec<Segment>);

impl Place {
    /// Parses `$`, `$.a.b`, `$.items[0].name`.
    pub fn parse(text: &str) -> Result<Place, String> {
        let bad = || format!("'{text}' is not a place like $.items[0].name");
        let mut rest = text.trim().strip_prefix('$').ok_or_else(bad)?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(bad());
                }
                segments.push(Segment::Name(after[..end].to_owned()));
                rest = &after[end..];
            } else {
                let (index, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(bad)?;
                let at: usize = index.parse().map_err(|_| bad())?;
                if at > MAX_INDEX {
                    return Err(bad());
                }
                segments.push(Segment::Index(at));
                rest = after;
            }
        }
        Ok(Place(segments))
    }

    /// What stands there.
    #[must_use]
    pub fn of<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Name(name) => value.get(name.as_str()),
            Segment::Index(at) => value.get(*at),
        })
    }

    /// Puts a value there, making what is missing on the way; for mocks written in the picked form.
    pub fn put(&self, root: &mut Value, value: Value) {
        let mut here = root;
        for segment in &self.0 {
            here = match segment {
                Segment::Name(name) => {
                    if !here.is_object() {
                        *here = Value::Object(serde_json::Map::new());
                    }
                    let Some(map) = here.as_object_mut() else { return };
                    map.entry(name.as_str()).or_insert(Value::Null)
                }
                Segment::Index(at) => {
                    if !here.is_array() {
                        *here = Value::Array(Vec::new());
                    }
                    let Some(list) = here.as_array_mut() else { return };
                    while list.len() <= *at {
                        list.push(Value::Null);
                    }
                    &mut list[*at]
                }
            };
        }
        *here = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_put_at_a_place_is_found_there() {
        let place = Place::parse("$.items[0].name").expect("a place");
        let mut root = Value::Null;
        place.put(&mut root, json!("东直门店"));
        assert_eq!(root, json!({"items": [{"name": "东直门店"}]}));
        assert_eq!(place.of(&root), Some(&json!("东直门店")));
        assert!(Place::parse("items").is_err());
        assert!(Place::parse("$.a[x]").is_err());
    }
}

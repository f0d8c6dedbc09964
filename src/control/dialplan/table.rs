//! Tables of articles: the row that answers by the values of slots (person × product × condition …), and what is still to be asked for
//! before one does.

use serde_json::{Map, Value};

use super::expr::plain;

/// A table: its keys are slots, its other columns are what the article's text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The slots in the order they are asked for.
    pub keys: Vec<String>,
    /// Rows in their order: the first that fits answers.
    pub rows: Vec<Row>,
    /// What is said when no row fits; else a built-in phrase.
    pub unknown: super::plan::Texts,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One cell for each key.
    pub cells: Vec<Cell>,
    /// All columns as written: `row.*` of the article's text.
    pub values: Map<String, Value>,
}

/// What a row wants of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// `*` or nothing: any value, and none.
    Any,
    /// One of these.
    OneOf(Vec<String>),
    /// A number from here to there, both included.
    Between(f64, f64),
}

/// What a table says to what is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Consulted<'t> {
    /// This row answers.
    Row(&'t Row),
    /// It depends on this slot.
    Missing(&'t str),
    /// No row fits, whatever else were known.
    Nothing,
}

impl Cell {
    fn takes(&self, value: &Value) -> bool {
        match self {
            Cell::Any => true,
            Cell::OneOf(texts) => {
                let value = plain(value).to_lowercase();
                texts.iter().any(|text| text.to_lowercase() == value)
            }
            Cell::Between(from, until) => super::expr::number(value).is_some_and(|number| (*from..=*until).contains(&number)),
        }
    }

    /// Does this cell take all that the other one takes?
    #[must_use]
    pub fn covers(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Any, _) => true,
            (Cell::OneOf(all), Cell::OneOf(some)) => some.iter().all(|text| all.contains(text)),
            (Cell::Between(from, until), Cell::Between(low, high)) => from <= low && high <= until,
            (Cell::Between(..), Cell::OneOf(some)) => some.iter().all(|text| self.takes(&text.as_str().into())),
            _ => false,
        }
    }
}

impl Row {
    /// The values of a row that takes one of each.
    #[must_use]
    pub fn narrow(&self) -> Option<Vec<String>> {
        let one = |cell: &Cell| match cell {
            Cell::OneOf(texts) if texts.len() == 1 => Some(texts[0].to_lowercase()),
            _ => None,
        };
        self.cells.iter().map(one).collect()
    }

    /// Does this row answer whatever the other one answers?
    #[must_use]
    pub fn covers(&self, other: &Row) -> bool {
        self.cells.iter().zip(&other.cells).all(|(own, other)| own.covers(other))
    }
}

impl Table {
    /// What the table says when `known` gives the values of slots; `None` = not known yet, null = the customer does not know.
    #[must_use]
    pub fn consult(&self, known: impl Fn(&str) -> Option<Value>) -> Consulted<'_> {
        let values: Vec<Option<Value>> = self.keys.iter().map(|key| known(key)).collect();
        let fits = |row: &&Row| row.cells.iter().zip(&values).all(|(cell, value)| value.as_ref().is_none_or(|value| cell.takes(value)));
        let Some(row) = self.rows.iter().find(fits) else { return Consulted::Nothing };
        let open = row.cells.iter().zip(&values).position(|(cell, value)| value.is_none() && *cell != Cell::Any);
        open.map_or(Consulted::Row(row), |at| Consulted::Missing(&self.keys[at]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let one = |text: &str| Cell::OneOf(text.split('|').map(str::to_owned).collect());
        let row = |cells: Vec<Cell>, answer: &str| Row { cells, values: Map::from_iter([("answer".to_owned(), answer.into())]) };
        Table {
            keys: ["person", "age", "condition"].map(str::to_owned).to_vec(),
            rows: vec![
                row(vec![one("child"), Cell::Between(0.0, 17.0), one("fever|cold")], "yes"),
                row(vec![one("self"), Cell::Any, one("fever")], "after a week"),
            ],
            ..Table::default()
        }
    }

    fn consulted(known: Value) -> String {
        match table().consult(|key| known.get(key).cloned()) {
            Consulted::Row(row) => plain(&row.values["answer"]),
            Consulted::Missing(key) => format!("? {key}"),
            Consulted::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn s11_a_row_answers_when_all_its_keys_are_known_and_only_they_are_asked_for() {
        assert_eq!(consulted(json!({"person": "child", "age": 5, "condition": "Fever"})), "yes");
        assert_eq!(consulted(json!({"person": "child", "condition": "fever"})), "? age");
        assert_eq!(consulted(json!({})), "? person");
        assert_eq!(consulted(json!({"person": "self", "condition": "fever"})), "after a week", "his age does not matter");
        assert_eq!(consulted(json!({"person": "self"})), "? condition");
    }

    #[test]
    fn s11_what_no_row_has_is_known_before_everything_was_asked() {
        assert_eq!(consulted(json!({"person": "self", "condition": "cold"})), "nothing");
        assert_eq!(consulted(json!({"person": "neighbour"})), "nothing");
        assert_eq!(consulted(json!({"person": "child", "age": 30})), "nothing");
        assert_eq!(consulted(json!({"person": null})), "nothing", "who does not know it is not answered");
    }

    #[test]
    fn a_row_covers_another_when_it_takes_all_that_the_other_takes() {
        let table = table();
        let [child, own] = &table.rows[..] else { panic!("two rows") };
        assert!(!child.covers(own) && !own.covers(child));
        let teenager = Row {
            cells: vec![Cell::OneOf(vec!["child".into()]), Cell::Between(12.0, 17.0), Cell::OneOf(vec!["cold".into()])],
            ..Row::default()
        };
        assert!(child.covers(&teenager) && !teenager.covers(child));
    }
}

//! Tables of articles, inline or from a CSV file (RFC 4180) beside the knowledge file. What is wrong is told with its row.

use std::collections::BTreeMap;

use serde_json::Map;

use super::{Context, Fields};
use crate::control::dialplan::expr::Path;
use crate::control::dialplan::plan::{Choices, FixedChoice, Slot, SlotType, Texts};
use crate::control::dialplan::problem::{Problem, Severity, nearest};
use crate::control::dialplan::syntax::{Kind, Pair, Place, Yaml};
use crate::control::dialplan::table::{Cell, Row, Table};

/// Rows of one table.
const MOST_ROWS: usize = 10_000;
/// Between values of which any will do.
const OR: char = '|';

/// A table as written, before its keys and its CSV file are looked up.
#[derive(Debug, Clone)]
pub struct TableDraft {
    /// The article.
    pub topic: String,
    keys: Vec<(String, Place)>,
    rows: Rows,
    unknown: Texts,
    at: Place,
    /// `row.*` of the article's texts.
    pub used: Vec<(Path, Place)>,
}

#[derive(Debug, Clone)]
enum Rows {
    Inline(Vec<RawRow>),
    Csv(String, Place),
}

/// Column, value, and where it stands.
type RawRow = (Place, Vec<(String, String, Place)>);

/// `table: {keys, rows | csv, unknown}`.
pub fn table(yaml: &Yaml, topic: &str, context: &mut Context<'_>) -> Option<TableDraft> {
    let mut fields = Fields::of(yaml, "a table", context)?;
    let keys = fields.need("keys", context).map(|yaml| context.texts_list(yaml, "keys")).unwrap_or_default();
    let (rows, csv) = (fields.take("rows"), fields.take("csv"));
    let rows = match (rows, csv) {
        (Some(list), None) => Some(Rows::Inline(context.list(list, "rows").iter().filter_map(|row| inline(row, context)).collect())),
        (None, Some(yaml)) => context.text(yaml, "csv").map(|name| Rows::Csv(name, yaml.at)),
        _ => {
            context.mend("D105", yaml.at, "a table has neither or both of 'rows' and 'csv'", "give one of them");
            None
        }
    };
    let unknown = fields.take("unknown").map(|yaml| context.texts(yaml, "unknown")).unwrap_or_default();
    fields.finish(context);
    Some(TableDraft { topic: topic.to_owned(), keys, rows: rows?, unknown, at: yaml.at, used: Vec::new() })
}

fn inline(yaml: &Yaml, context: &mut Context<'_>) -> Option<RawRow> {
    let fields = Fields::of(yaml, "a row", context)?;
    let mut cells = Vec::new();
    for pair in fields.pairs() {
        let text = match &pair.value.kind {
            Kind::List(_) => {
                let items = context.texts_list(&pair.value, "a cell").into_iter().map(|(text, _)| text);
                items.collect::<Vec<_>>().join(&OR.to_string())
            }
            Kind::Null => String::new(),
            _ => context.text(&pair.value, "a cell")?,
        };
        cells.push((pair.key.clone(), text, pair.value.at));
    }
    Some((yaml.at, cells))
}

/// What a table is bound to.
pub struct Beside<'b> {
    /// The knowledge file.
    pub file: &'b str,
    /// The slots of its base.
    pub slots: &'b BTreeMap<String, Slot>,
    /// The text of a CSV file beside it.
    pub csv: &'b dyn Fn(&str) -> Option<(String, String)>,
}

/// A bound table, and the text of its file, which is part of the article's content.
pub struct Bound {
    /// The table.
    pub table: Table,
    /// What the CSV file says.
    pub csv: Option<String>,
}

/// Binds a table to slots and reads its file.
pub fn bind(draft: TableDraft, beside: &Beside<'_>, problems: &mut Vec<Problem>) -> Option<Bound> {
    let before = problems.len();
    let mut report = Report { file: beside.file.to_owned(), problems: &mut *problems };
    let keys = slots_of(&draft, beside, &mut report);
    let (rows, csv) = match draft.rows {
        Rows::Inline(rows) => (rows, None),
        Rows::Csv(name, at) => {
            let Some((file, text)) = (beside.csv)(&name) else {
                report.add("D127", at, format!("there is no file '{name}' beside this one"), "put the CSV file into the same folder");
                return None;
            };
            report.file = file;
            (lines(&text, &mut report), Some(text))
        }
    };
    if rows.is_empty() {
        report.add("D105", draft.at, "the table has no rows".to_owned(), "add one: {key: value, answer: …}");
    }
    let columns: Vec<String> = rows.first().map(|(_, cells)| cells.iter().map(|(name, ..)| name.clone()).collect()).unwrap_or_default();
    let rows = read_rows(rows, &keys, &columns, &mut report);
    report.file = beside.file.to_owned();
    unknown_columns(&draft.used, &columns, &mut report);
    let keys = keys.into_iter().map(|(name, _)| name).collect();
    (problems.len() == before).then_some(Bound { table: Table { keys, rows, unknown: draft.unknown }, csv })
}

struct Report<'p> {
    file: String,
    problems: &'p mut Vec<Problem>,
}

impl Report<'_> {
    fn add(&mut self, id: &'static str, at: Place, what: String, mend: impl Into<String>) {
        let (file, mend) = (self.file.clone(), Some(mend.into()));
        self.problems.push(Problem { id, severity: Severity::Error, file, line: at.line, column: at.column, what, mend });
    }

    fn unknown<'k>(&mut self, id: &'static str, at: Place, what: String, name: &str, known: impl Iterator<Item = &'k str> + Clone) {
        let mend = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.add(id, at, what, mend);
    }
}

fn slots_of<'b>(draft: &TableDraft, beside: &Beside<'b>, report: &mut Report<'_>) -> Vec<(String, Option<&'b Slot>)> {
    if draft.keys.is_empty() {
        report.add("D105", draft.at, "the table has no keys".to_owned(), "keys: [person, product]");
    }
    let mut keys = Vec::new();
    for (name, at) in &draft.keys {
        let slot = beside.slots.get(name);
        if slot.is_none() {
            let known = beside.slots.keys().map(String::as_str);
            report.unknown("D127", *at, format!("the table's key '{name}' is no slot of this knowledge base"), name, known);
        }
        keys.push((name.clone(), slot));
    }
    keys
}

fn unknown_columns(used: &[(Path, Place)], columns: &[String], report: &mut Report<'_>) {
    use crate::control::dialplan::expr::Segment;
    for (path, at) in used {
        let Some(Segment::Name(name)) = path.rest.first() else { continue };
        if !columns.contains(name) {
            report.unknown("D127", *at, format!("the table has no column '{name}'"), name, columns.iter().map(String::as_str));
        }
    }
}

fn read_rows(raw: Vec<RawRow>, keys: &[(String, Option<&Slot>)], columns: &[String], report: &mut Report<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    // Rows of single values are found again by these; only those that take more have to be gone through.
    let mut narrow: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut broad: Vec<(usize, Row)> = Vec::new();
    if let Some((at, _)) = raw.get(MOST_ROWS) {
        report.add("D103", *at, format!("a table has at most {MOST_ROWS} rows"), "split the article");
    }
    for (at, cells) in raw.into_iter().take(MOST_ROWS) {
        for (name, _, at) in cells.iter().filter(|(name, ..)| !columns.contains(name)) {
            let what = format!("the first row has no column '{name}'");
            report.unknown("D127", *at, what, name, columns.iter().map(String::as_str));
        }
        let mut row = Row { cells: Vec::new(), values: Map::new() };
        for (key, slot) in keys {
            let written = cells.iter().find(|(name, ..)| name == key);
            let (text, place) = written.map_or(("", at), |(_, text, place)| (text.as_str(), *place));
            row.cells.push(slot.map_or(Cell::Any, |slot| cell(key, text, place, slot, report)));
        }
        row.values.extend(cells.into_iter().map(|(name, text, _)| (name, text.into())));
        let is_before = |line: &usize| format!("this row never answers: the one in line {line} does so before it");
        let broader = broad.iter().find(|(_, earlier)| earlier.covers(&row)).map(|(line, _)| line);
        if let Some(what) = broader.or_else(|| row.narrow().and_then(|values| narrow.get(&values))).map(is_before) {
            report.add("D127", at, what, "take one of them away, or put the narrower one first");
        }
        match row.narrow() {
            Some(values) => drop(narrow.entry(values).or_insert(at.line)),
            None => broad.push((at.line, row.clone())),
        }
        rows.push(row);
    }
    rows
}

fn cell(key: &str, text: &str, at: Place, slot: &Slot, report: &mut Report<'_>) -> Cell {
    let text = text.trim();
    if text.is_empty() || text == "*" {
        return Cell::Any;
    }
    match (&slot.kind, &slot.choices) {
        (_, Choices::Fixed(choices)) => Cell::OneOf(text.split(OR).filter_map(|word| choice(key, word, at, choices, report)).collect()),
        (SlotType::Age | SlotType::Number | SlotType::Money, _) => match range(text) {
            Some((from, until)) => Cell::Between(from, until),
            None => {
                report.add("D127", at, format!("'{text}' is no number for '{key}'"), "write 5, 0..17, 18.. or ..17");
                Cell::Any
            }
        },
        (SlotType::YesNo, _) => match text.to_lowercase().as_str() {
            "true" | "yes" | "是" => Cell::OneOf(vec!["true".to_owned()]),
            "false" | "no" | "否" => Cell::OneOf(vec!["false".to_owned()]),
            _ => {
                report.add("D127", at, format!("'{text}' is neither yes nor no for '{key}'"), "write yes, no, or * for both");
                Cell::Any
            }
        },
        _ => Cell::OneOf(text.split(OR).map(|text| text.trim().to_owned()).collect()),
    }
}

/// The value of a choice, by itself or by one of its words.
fn choice(key: &str, word: &str, at: Place, choices: &[FixedChoice], report: &mut Report<'_>) -> Option<String> {
    let word = word.trim();
    let is_said = |choice: &&FixedChoice| {
        choice.value.eq_ignore_ascii_case(word) || choice.words.values().flatten().any(|said| said.eq_ignore_ascii_case(word))
    };
    let found = choices.iter().find(is_said).map(|choice| choice.value.clone());
    if found.is_none() {
        let known = choices.iter().map(|choice| choice.value.as_str());
        report.unknown("D127", at, format!("'{word}' is no value of slot '{key}'"), word, known);
    }
    found
}

fn range(text: &str) -> Option<(f64, f64)> {
    let end =
        |text: &str, open: f64| if text.trim().is_empty() { Some(open) } else { text.trim().parse::<f64>().ok().filter(|n| n.is_finite()) };
    let (from, until) = match text.split_once("..") {
        None => return text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|number| (number, number)),
        Some((from, until)) => (end(from, f64::NEG_INFINITY)?, end(until, f64::INFINITY)?),
    };
    (from <= until && text.len() > "..".len()).then_some((from, until))
}

/// A CSV file as if its rows stood in the article, to be compared.
pub fn as_written(file: &str, text: &str) -> Result<Yaml, Vec<Problem>> {
    let mut problems = Vec::new();
    let rows = lines(text, &mut Report { file: file.to_owned(), problems: &mut problems });
    if !problems.is_empty() {
        return Err(problems);
    }
    let pair = |(key, text, at): (String, String, Place)| Pair { key, at, value: Yaml { at, kind: Kind::Text(text) } };
    let row = |(at, cells): RawRow| Yaml { at, kind: Kind::Map(cells.into_iter().map(pair).collect()) };
    let top = Place { line: 1, column: 1 };
    let rows = Yaml { at: top, kind: Kind::List(rows.into_iter().map(row).collect()) };
    Ok(Yaml { at: top, kind: Kind::Map(vec![Pair { key: "rows".to_owned(), at: top, value: rows }]) })
}

/// Reads CSV: the first line names the columns.
fn lines(text: &str, report: &mut Report<'_>) -> Vec<RawRow> {
    let mut records = records(text.trim_start_matches('\u{feff}'), report).into_iter();
    let Some((_, header)) = records.next() else { return Vec::new() };
    let columns: Vec<String> = header.iter().map(|(name, _)| name.trim().to_owned()).collect();
    for (at, name) in columns.iter().enumerate() {
        let place = Place { line: 1, column: header[at].1 };
        if name.is_empty() {
            report.add("D127", place, format!("column {} has no name", at + 1), "name it in the first line");
        } else if columns[..at].contains(name) {
            report.add("D127", place, format!("two columns are named '{name}'"), "give each a name of its own");
        }
    }
    let mut rows = Vec::new();
    for (line, fields) in records {
        if fields.len() != columns.len() {
            let what = format!("the row has {} fields, the first line has {}", fields.len(), columns.len());
            report.add("D127", Place { line, column: 1 }, what, "put fields with a comma into \"…\"");
            continue;
        }
        let cells = columns.iter().zip(fields).map(|(name, (text, column))| (name.clone(), text, Place { line, column }));
        rows.push((Place { line, column: 1 }, cells.collect()));
    }
    rows
}

/// A field and its column.
type Field = (String, usize);

/// Records with the lines they begin in; blank lines are none.
fn records(text: &str, report: &mut Report<'_>) -> Vec<(usize, Vec<Field>)> {
    let mut out: Vec<(usize, Vec<Field>)> = Vec::new();
    let (mut line, mut column, mut began) = (1, 1, 1);
    let mut fields: Vec<Field> = vec![(String::new(), 1)];
    let mut quoted = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        column += 1;
        let field = fields.last_mut().map(|(text, _)| text);
        match (c, quoted) {
            ('"', Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                column += 1;
                field.into_iter().for_each(|text| text.push('"'));
            }
            ('"', Some(_)) => quoted = None,
            ('"', None) if field.as_ref().is_some_and(|text| text.trim().is_empty()) => {
                field.into_iter().for_each(|text| text.clear());
                quoted = Some(line);
            }
            (',', None) => fields.push((String::new(), column)),
            ('\r', None) if chars.peek() == Some(&'\n') => {}
            ('\n', None) => {
                let record = std::mem::replace(&mut fields, vec![(String::new(), 1)]);
                if record.len() > 1 || record.iter().any(|(text, _)| !text.trim().is_empty()) {
                    out.push((began, record));
                }
                (line, column) = (line + 1, 1);
                began = line;
            }
            (c, _) => {
                if c == '\n' {
                    (line, column) = (line + 1, 1);
                }
                field.into_iter().for_each(|text| text.push(c));
            }
        }
    }
    if let Some(line) = quoted {
        report.add("D127", Place { line, column: 1 }, "a quotation mark is not closed".to_owned(), "end the field with \"");
    }
    if fields.len() > 1 || fields.iter().any(|(text, _)| !text.trim().is_empty()) {
        out.push((began, fields));
    }
    out
}

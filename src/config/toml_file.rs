//! Reads TOML with places: every wrong value is reported, not only the first, and keys nobody asked for are refused.

use std::net::{IpAddr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Severity, did_you_mean};

/// A parsed file.
#[derive(Debug)]
pub struct TomlFile<'t> {
    name: &'t str,
    text: &'t str,
    root: DeTable<'t>,
}

impl<'t> TomlFile<'t> {
    /// Parses; what cannot be read is reported with its place and left out.
    pub fn parse(name: &'t str, text: &'t str, out: &mut Vec<Problem>) -> TomlFile<'t> {
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = place(name, text, error.span().unwrap_or(0..0));
            out.push(Problem {
                severity: Severity::Error,
                place,
                field: String::new(),
                what: error.message().to_owned(),
                mend: "mend the TOML here".into(),
            });
        }
        TomlFile { name, text, root: root.into_inner() }
    }

    /// The top of the file.
    #[must_use]
    pub fn top(&self) -> Section<'_> {
        Section { file: self.source(), path: String::new(), span: 0..0, table: &self.root, asked: Vec::new() }
    }

    fn source(&self) -> Source<'_> {
        Source { name: self.name, text: self.text }
    }
}

#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

fn place(name: &str, text: &str, span: Range<usize>) -> String {
    let before = &text[..span.start.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{name}:{line}:{column}")
}

/// A table: ask for its keys, then `finish`.
#[derive(Debug)]
pub struct Section<'a> {
    file: Source<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    asked: Vec<String>,
}

impl<'a> Section<'a> {
    /// The value of `key`, when it is there.
    pub fn value(&mut self, key: &str) -> Option<Value<'a>> {
        self.asked.push(key.to_owned());
        let value = self.table.get(key)?;
        Some(self.wrap(key, value))
    }

    /// The value of `key` read by `read`, or `otherwise` when it is missing or wrong (then with a problem).
    pub fn read<T>(&mut self, key: &str, otherwise: T, out: &mut Vec<Problem>, read: impl FnOnce(&Value<'a>) -> Result<T, Problem>) -> T {
        self.maybe(key, out, read).unwrap_or(otherwise)
    }

    /// As `read`, for what has no default.
    pub fn maybe<T>(&mut self, key: &str, out: &mut Vec<Problem>, read: impl FnOnce(&Value<'a>) -> Result<T, Problem>) -> Option<T> {
        let value = self.value(key)?;
        read(&value).map_err(|problem| out.push(problem)).ok()
    }

    /// As `maybe`, and a problem when it is missing.
    pub fn must<T>(
        &mut self,
        key: &str,
        mend: &str,
        out: &mut Vec<Problem>,
        read: impl FnOnce(&Value<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if self.table.get(key).is_none() {
            self.asked.push(key.to_owned());
            out.push(self.problem(format!("`{key}` is missing"), mend));
            return None;
        }
        self.maybe(key, out, read)
    }

    /// The table `key`; an empty one when it is missing or no table.
    pub fn section(&mut self, key: &str, out: &mut Vec<Problem>) -> Option<Section<'a>> {
        self.maybe(key, out, Value::section)
    }

    /// All entries, for tables whose keys are names.
    pub fn entries(&mut self) -> Vec<(String, Value<'a>)> {
        let table = self.table;
        let names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
        self.asked.extend(names);
        table.iter().map(|(key, value)| (key.get_ref().to_string(), self.wrap(key.get_ref(), value))).collect()
    }

    /// Refuses the keys nobody asked for.
    pub fn finish(self, out: &mut Vec<Problem>) {
        for key in self.table.keys().filter(|key| !self.asked.iter().any(|asked| asked == key.get_ref())) {
            let mend = did_you_mean(key.get_ref(), self.asked.iter().map(String::as_str));
            let place = place(self.file.name, self.file.text, key.span());
            let what = format!("`{}` is no known key", key.get_ref());
            out.push(Problem { severity: Severity::Error, place, field: self.path.clone(), what, mend });
        }
    }

    /// A problem of the table as a whole.
    #[must_use]
    pub fn problem(&self, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        let place = place(self.file.name, self.file.text, self.span.clone());
        Problem { severity: Severity::Error, place, field: self.path.clone(), what: what.into(), mend: mend.into() }
    }

    fn wrap(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Value { file: self.file, path, span: value.span(), value: value.get_ref() }
    }
}

/// A value with its place.
#[derive(Debug)]
pub struct Value<'a> {
    file: Source<'a>,
    path: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// A problem of this value.
    #[must_use]
    pub fn problem(&self, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        let place = place(self.file.name, self.file.text, self.span.clone());
        Problem { severity: Severity::Error, place, field: self.path.clone(), what: what.into(), mend: mend.into() }
    }

    fn wrong(&self, wanted: &str) -> Problem {
        let given = self.file.text.get(self.span.clone()).unwrap_or("").lines().next().unwrap_or("");
        self.problem(format!("{given} is {}", self.value.type_str()), format!("write {wanted}"))
    }

    /// A string.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self) -> Result<String, Problem> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.wrong("a string in quotes"))
    }

    /// A string that `parse` understands; its error is the second half of the sentence.
    ///
    /// # Errors
    /// When it is no string, or `parse` says no.
    pub fn parsed<T, E: std::fmt::Display>(&self, wanted: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, Problem> {
        let text = self.value.as_str().ok_or_else(|| self.wrong(wanted))?;
        parse(text).map_err(|error| self.problem(format!("\"{text}\" cannot be used: {error}"), format!("write {wanted}")))
    }

    /// As `parsed`, of a text that stands beside this value: the key it belongs to.
    ///
    /// # Errors
    /// When `parse` says no.
    pub fn parsed_as<T, E: std::fmt::Display>(
        &self,
        text: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Problem> {
        parse(text).map_err(|error| self.problem(format!("\"{text}\" cannot be used: {error}"), format!("write {wanted}")))
    }

    /// A whole number within `range`.
    ///
    /// # Errors
    /// When it is something else or outside.
    pub fn number(&self, range: RangeInclusive<u64>) -> Result<u64, Problem> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let integer = self.value.as_integer().ok_or_else(|| self.wrong(&wanted))?;
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number));
        number.ok_or_else(|| self.problem(format!("{integer} is out of range"), format!("write {wanted}")))
    }

    /// A number with or without a fraction, from 0 up.
    ///
    /// # Errors
    /// When it is something else.
    pub fn fraction(&self) -> Result<f32, Problem> {
        let text = match self.value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) => integer.as_str(),
            _ => return Err(self.wrong("a number")),
        };
        text.parse::<f32>().ok().filter(|number| *number >= 0.0 && number.is_finite()).ok_or_else(|| self.wrong("a number from 0 up"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn switch(&self) -> Result<bool, Problem> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// A span such as `"30s"`, `"1500ms"`, `"4m"`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn duration(&self) -> Result<Duration, Problem> {
        self.parsed("a time span such as \"30s\", \"1500ms\" or \"4m\"", duration)
    }

    /// `"127.0.0.1:8080"`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn socket_address(&self) -> Result<SocketAddr, Problem> {
        self.parsed("an address with a port such as \"127.0.0.1:8080\"", str::parse)
    }

    /// `"192.0.2.1"`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn ip(&self) -> Result<IpAddr, Problem> {
        self.parsed("an IP address such as \"192.0.2.1\"", str::parse)
    }

    /// A list, each entry by `read`.
    ///
    /// # Errors
    /// When it is no list, or for the first entry that is wrong.
    pub fn list<T>(&self, read: impl Fn(&Value<'a>) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        let array = self.value.as_array().ok_or_else(|| self.wrong("a list in [ ]"))?;
        let entry = |(at, value): (usize, &'a Spanned<DeValue<'a>>)| Value {
            file: self.file,
            path: format!("{}[{at}]", self.path),
            span: value.span(),
            value: value.get_ref(),
        };
        array.iter().enumerate().map(entry).map(|value| read(&value)).collect()
    }

    /// A table.
    ///
    /// # Errors
    /// When it is something else.
    pub fn section(&self) -> Result<Section<'a>, Problem> {
        let table = self.value.as_table().ok_or_else(|| self.wrong("a table"))?;
        Ok(Section { file: self.file, path: self.path.clone(), span: self.span.clone(), table, asked: Vec::new() })
    }
}

/// Why a text is no time span.
#[derive(Debug, thiserror::Error)]
#[error("it has no number followed by ms, s, m or h")]
pub struct BadDuration;

/// Reads `30s`, `1500ms`, `4m`, `2h`.
///
/// # Errors
/// When the unit is missing or the number is none.
pub fn duration(text: &str) -> Result<Duration, BadDuration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| BadDuration)?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(60 * number)),
        "h" => Ok(Duration::from_secs(3_600 * number)),
        _ => Err(BadDuration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[sip]\nlisen = [\"x\"]\nmax = 70000\nwait = \"3 weeks\"\nname = 5\n";

    #[test]
    fn every_wrong_value_is_reported_with_line_field_and_mend() {
        let mut out = Vec::new();
        let file = TomlFile::parse("a.toml", TEXT, &mut out);
        let mut top = file.top();
        let mut sip = top.section("sip", &mut out).unwrap();
        sip.read("listen", Vec::new(), &mut out, |value| value.list(Value::text));
        assert_eq!(sip.read("max", 7, &mut out, |value| value.number(1..=65_535)), 7);
        sip.read("wait", Duration::ZERO, &mut out, Value::duration);
        sip.read("name", String::new(), &mut out, Value::text);
        assert!(sip.must("realm", "name it", &mut out, Value::text).is_none());
        sip.finish(&mut out);
        top.finish(&mut out);
        let said: Vec<String> = out.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a.toml:3:7: error: sip.max: 70000 is out of range; write a whole number from 1 to 65535",
                "a.toml:4:8: error: sip.wait: \"3 weeks\" cannot be used: it has no number followed by ms, s, m or h; write a time span such as \"30s\", \"1500ms\" or \"4m\"",
                "a.toml:5:8: error: sip.name: 5 is integer; write a string in quotes",
                "a.toml:1:1: error: sip: `realm` is missing; name it",
                "a.toml:2:1: error: sip: `lisen` is no known key; did you mean `listen`?",
            ]
        );
    }

    #[test]
    fn broken_toml_is_reported_by_line() {
        let mut out = Vec::new();
        TomlFile::parse("a.toml", "[sip\nx = ", &mut out);
        assert!(!out.is_empty() && out[0].place.starts_with("a.toml:1:"), "{out:?}");
    }

    #[test]
    fn time_spans_need_a_unit() {
        assert_eq!(duration("1500ms").unwrap(), Duration::from_millis(1500));
        assert_eq!(duration("4m").unwrap(), Duration::from_secs(240));
        assert!(duration("30").is_err() && duration("s").is_err() && duration("3d").is_err());
    }
}

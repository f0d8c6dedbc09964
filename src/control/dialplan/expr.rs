//! Expressions of a plan: comparisons, `and or not`, `in has`, paths, a few functions. No loops, no I/O.

use std::cmp::Ordering;

use serde_json::Value;

/// The deepest nesting of an expression.
const MAX_DEPTH: usize = 64;
/// The longest expression in characters.
const MAX_CHARS: usize = 2_000;

/// One segment of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    /// `.name`
    Name(String),
    /// `[3]`
    Index(usize),
}

/// A dotted path with indexes: `orders.items[0].no`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// The first name: a slot, a lookup, `caller` …
    pub root: String,
    /// What follows.
    pub rest: Vec<Segment>,
}

impl Path {
    /// Parses a whole text as a path.
    pub fn parse(text: &str) -> Result<Path, ExprError> {
        let mut parser = Parser::new(text)?;
        let path = match parser.primary()? {
            Expr::Path(path) => path,
            _ => {
                return Err(ExprError { at: 0, why: format!("'{text}' is not a name like order_no or pay.status") });
            }
        };
        parser.end()?;
        Ok(path)
    }

    /// The value at the rest of the path below `root`.
    #[must_use]
    pub fn follow<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.rest.iter().try_fold(root, |value, segment| match segment {
            Segment::Name(name) => value.get(name.as_str()),
            Segment::Index(at) => value.get(*at),
        })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root)?;
        self.rest.iter().try_for_each(|segment| match segment {
            Segment::Name(name) => write!(f, ".{name}"),
            Segment::Index(at) => write!(f, "[{at}]"),
        })
    }
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `a in b`
    In,
    /// `a has b`
    Has,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// Characters of a text, items of a list.
    Len,
    /// Small letters.
    Lower,
    /// `starts(text, prefix)`
    Starts,
    /// The point in time.
    Now,
    /// Only the digits of a text.
    Digits,
}

/// A parsed expression.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// A literal.
    Literal(Value),
    /// A variable.
    Path(Path),
    /// `not a`
    Not(Box<Expr>),
    /// `a and b`
    And(Box<Expr>, Box<Expr>),
    /// `a or b`
    Or(Box<Expr>, Box<Expr>),
    /// `a == b`, `a in b` …
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `len(a)`
    Call(Function, Vec<Expr>),
}

/// Why a text is no expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{why} (at character {})", at + 1)]
pub struct ExprError {
    /// Characters before the place.
    pub at: usize,
    /// What is wrong.
    pub why: String,
}

/// Where an expression's variables come from.
pub trait Scope {
    /// The value of a path; `None` = unknown.
    fn value(&self, path: &Path) -> Option<Value>;
}

impl Expr {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Expr, ExprError> {
        let mut parser = Parser::new(text)?;
        let expr = parser.or()?;
        parser.end()?;
        Ok(expr)
    }

    /// Its value; what is unknown is null.
    #[must_use]
    pub fn eval(&self, scope: &dyn Scope) -> Value {
        match self {
            Expr::Literal(value) => value.clone(),
            Expr::Path(path) => scope.value(path).unwrap_or(Value::Null),
            Expr::Not(inner) => Value::Bool(!truthy(&inner.eval(scope))),
            Expr::And(left, right) => Value::Bool(left.is_true(scope) && right.is_true(scope)),
            Expr::Or(left, right) => Value::Bool(left.is_true(scope) || right.is_true(scope)),
            Expr::Compare(how, left, right) => Value::Bool(compare(*how, &left.eval(scope), &right.eval(scope))),
            Expr::Call(function, args) => call(*function, &args.iter().map(|arg| arg.eval(scope)).collect::<Vec<_>>(), scope),
        }
    }

    /// Is it true? Null, false, 0, "" and empty lists are not.
    #[must_use]
    pub fn is_true(&self, scope: &dyn Scope) -> bool {
        truthy(&self.eval(scope))
    }

    /// All paths it reads.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Expr::Literal(_) => Vec::new(),
            Expr::Path(path) => vec![path],
            Expr::Not(inner) => inner.paths(),
            Expr::And(left, right) | Expr::Or(left, right) | Expr::Compare(_, left, right) => {
                let mut paths = left.paths();
                paths.extend(right.paths());
                paths
            }
            Expr::Call(_, args) => args.iter().flat_map(Expr::paths).collect(),
        }
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

/// A number, also when it comes as text.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), _) | (_, Value::Number(_)) => matches!((number(left), number(right)), (Some(a), Some(b)) if a == b),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(left.as_str()?.cmp(right.as_str()?)),
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match whole {
        Value::Array(items) => items.iter().any(|item| same(item, part)),
        Value::String(text) => part.as_str().is_some_and(|part| text.contains(part)),
        Value::Object(map) => part.as_str().is_some_and(|key| map.contains_key(key)),
        _ => false,
    }
}

fn compare(how: Compare, left: &Value, right: &Value) -> bool {
    let ordered = |test: fn(Ordering) -> bool| order(left, right).is_some_and(test);
    match how {
        Compare::Equal => same(left, right),
        Compare::Differs => !same(left, right),
        Compare::Less => ordered(Ordering::is_lt),
        Compare::AtMost => ordered(Ordering::is_le),
        Compare::More => ordered(Ordering::is_gt),
        Compare::AtLeast => ordered(Ordering::is_ge),
        Compare::In => contains(right, left),
        Compare::Has => contains(left, right),
    }
}

fn call(function: Function, args: &[Value], scope: &dyn Scope) -> Value {
    let first = args.first().unwrap_or(&Value::Null);
    match function {
        Function::Len => match first {
            Value::String(text) => text.chars().count().into(),
            Value::Array(items) => items.len().into(),
            Value::Object(map) => map.len().into(),
            _ => 0.into(),
        },
        Function::Lower => first.as_str().map_or(Value::Null, |text| text.to_lowercase().into()),
        Function::Starts => {
            let (text, prefix) = (first.as_str(), args.get(1).and_then(Value::as_str));
            matches!((text, prefix), (Some(text), Some(prefix)) if text.starts_with(prefix)).into()
        }
        Function::Now => scope.value(&Path { root: "now".to_owned(), rest: Vec::new() }).unwrap_or(Value::Null),
        Function::Digits => plain(first).chars().filter(char::is_ascii_digit).collect::<String>().into(),
    }
}

/// A value as people write it: no quotes around text, nothing for null.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expr, ExprError>;

impl Parser {
    fn new(text: &str) -> Result<Parser, ExprError> {
        let chars: Vec<char> = text.chars().collect();
        if chars.len() > MAX_CHARS {
            return Err(ExprError { at: MAX_CHARS, why: format!("the expression is longer than {MAX_CHARS} characters") });
        }
        Ok(Parser { chars, at: 0, depth: 0 })
    }

    fn fail<T>(&self, why: impl Into<String>) -> Result<T, ExprError> {
        Err(ExprError { at: self.at, why: why.into() })
    }

    fn space(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), ExprError> {
        self.space();
        match self.chars.get(self.at) {
            None => Ok(()),
            Some('=') => self.fail("'=' compares nothing; write =="),
            Some('&') => self.fail("write 'and' for &&"),
            Some('|') => self.fail("write 'or' for ||"),
            Some(other) => self.fail(format!("'{other}' is not expected here")),
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let wanted: Vec<char> = token.chars().collect();
        if !self.chars[self.at..].starts_with(&wanted) {
            return false;
        }
        let next = self.chars.get(self.at + wanted.len());
        if wanted[0].is_alphabetic() && next.is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            return false;
        }
        self.at += wanted.len();
        true
    }

    fn or(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(format!("the expression is nested deeper than {MAX_DEPTH}"));
        }
        let mut left = self.and()?;
        while self.take("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.take("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let mut negations = 0;
        while self.take("not") {
            negations += 1;
        }
        let inner = self.comparison()?;
        Ok((0..negations % 2).fold(inner, |inner, _| Expr::Not(Box::new(inner))))
    }

    fn comparison(&mut self) -> Parsed {
        const OPERATORS: [(&str, Compare); 8] = [
            ("==", Compare::Equal),
            ("!=", Compare::Differs),
            ("<=", Compare::AtMost),
            (">=", Compare::AtLeast),
            ("<", Compare::Less),
            (">", Compare::More),
            ("in", Compare::In),
            ("has", Compare::Has),
        ];
        let left = self.primary()?;
        for (token, how) in OPERATORS {
            if self.take(token) {
                let right = self.primary()?;
                return Ok(Expr::Compare(how, Box::new(left), Box::new(right)));
            }
        }
        Ok(left)
    }

    fn primary(&mut self) -> Parsed {
        self.space();
        match self.chars.get(self.at).copied() {
            None => self.fail("the expression ends where a value should be"),
            Some('(') => {
                self.at += 1;
                let inner = self.or()?;
                if self.take(")") { Ok(inner) } else { self.fail("')' is missing") }
            }
            Some('[') => self.list(),
            Some(quote @ ('"' | '\'')) => self.text(quote),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.name(),
            Some(other) => self.fail(format!("'{other}' is not expected here")),
        }
    }

    fn list(&mut self) -> Parsed {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take("]") {
            match self.primary()? {
                Expr::Literal(value) => items.push(value),
                _ => return self.fail("a list holds only texts and numbers"),
            }
            if !self.take(",") && self.chars.get(self.at) != Some(&']') {
                return self.fail("',' or ']' is missing");
            }
        }
        Ok(Expr::Literal(Value::Array(items)))
    }

    fn text(&mut self, quote: char) -> Parsed {
        let start = self.at + 1;
        let Some(length) = self.chars[start..].iter().position(|c| *c == quote) else {
            return self.fail("the closing quote is missing");
        };
        self.at = start + length + 1;
        Ok(Expr::Literal(self.chars[start..start + length].iter().collect::<String>().into()))
    }

    fn number(&mut self) -> Parsed {
        let start = self.at;
        self.at += 1;
        while self.chars.get(self.at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Expr::Literal(whole.into()));
        }
        match text.parse::<f64>() {
            Ok(number) => Ok(Expr::Literal(number.into())),
            Err(_) => self.fail(format!("'{text}' is not a number")),
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.chars.get(self.at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn name(&mut self) -> Parsed {
        let root = self.word();
        match root.as_str() {
            "true" => return Ok(Expr::Literal(true.into())),
            "false" => return Ok(Expr::Literal(false.into())),
            "null" => return Ok(Expr::Literal(Value::Null)),
            _ => {}
        }
        if self.chars.get(self.at) == Some(&'(') {
            return self.function(&root);
        }
        let mut rest = Vec::new();
        loop {
            match self.chars.get(self.at) {
                Some('.') => {
                    self.at += 1;
                    let name = self.word();
                    if name.is_empty() {
                        return self.fail("a name must follow '.'");
                    }
                    rest.push(Segment::Name(name));
                }
                Some('[') => rest.push(self.index()?),
                _ => return Ok(Expr::Path(Path { root, rest })),
            }
        }
    }

    fn index(&mut self) -> Result<Segment, ExprError> {
        self.at += 1;
        let digits = self.word();
        let Ok(at) = digits.parse() else {
            return self.fail("an index is a number: items[0]");
        };
        if self.take("]") { Ok(Segment::Index(at)) } else { self.fail("']' is missing") }
    }

    fn function(&mut self, name: &str) -> Parsed {
        let (function, wants) = match name {
            "len" => (Function::Len, 1),
            "lower" => (Function::Lower, 1),
            "starts" => (Function::Starts, 2),
            "now" => (Function::Now, 0),
            "digits" => (Function::Digits, 1),
            _ => return self.fail(format!("'{name}' is not a function; there are len, lower, starts, now, digits")),
        };
        self.at += 1;
        let mut args = Vec::new();
        while !self.take(")") {
            args.push(self.or()?);
            if !self.take(",") && self.chars.get(self.at) != Some(&')') {
                return self.fail("',' or ')' is missing");
            }
        }
        if args.len() != wants {
            return self.fail(format!("{name} takes {wants} argument(s), not {}", args.len()));
        }
        Ok(Expr::Call(function, args))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// Values by path, without a session.
    pub struct Fixed(pub Value);

    impl Scope for Fixed {
        fn value(&self, path: &Path) -> Option<Value> {
            path.follow(self.0.get(&path.root)?).cloned()
        }
    }

    fn holds(text: &str) -> bool {
        let scope = Fixed(json!({
            "pay": {"status": "paid", "amount": 5321.5}, "orders": {"count": "2", "items": [{"no": "A1"}]},
            "customer": {"tags": ["VIP"], "city": "上海"}, "order_no": "", "now": 7, "lookups": {"used": true}
        }));
        Expr::parse(text).expect(text).is_true(&scope)
    }

    #[test]
    fn comparisons_paths_and_logic_mean_what_they_say() {
        for yes in [
            "pay.status == \"paid\"",
            "pay.amount > 5000 and pay.amount <= 5321.5",
            "orders.count > 1",
            "orders.items[0].no == 'A1'",
            "customer.tags has 'VIP'",
            "customer.city in ['上海', '北京']",
            "not order_no",
            "len(orders.items) == 1",
            "starts(lower('ABC'), 'ab')",
            "now() == 7",
            "digits('a1b2') == '12'",
            "lookups.used or session.had_agent",
            "pay.nothing != 'x'",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in ["order_no", "unknown.thing", "pay.status == 'open' or false", "not (1 == 1)", "unknown > 3"] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn what_is_no_expression_says_where_and_why() {
        for (bad, why) in [
            ("a = 1", "write =="),
            ("a && b", "'and'"),
            ("a ==", "ends where a value"),
            ("size(a)", "not a function"),
            ("(a", "')' is missing"),
            ("'open", "closing quote"),
            ("a.", "follow '.'"),
            ("a[x]", "index"),
            ("len(a, b)", "argument"),
            ("", "ends where"),
        ] {
            let error = Expr::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(Expr::parse(&"(".repeat(500)).is_err());
    }
}

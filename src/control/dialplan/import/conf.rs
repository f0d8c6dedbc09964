//! The lines of extensions.conf: contexts, extensions, priorities.

use std::collections::BTreeMap;

/// One priority of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priority {
    /// Its number.
    pub number: usize,
    /// `n(label)`.
    pub label: Option<String>,
    /// The application, lower case.
    pub app: String,
    /// Its arguments as written.
    pub args: Vec<String>,
    /// From 1.
    pub line: usize,
}

/// A context.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Where it begins.
    pub line: usize,
    /// Extensions in their order.
    pub extens: Vec<(String, Vec<Priority>)>,
    /// Contexts that are searched too, with the line.
    pub includes: Vec<(String, usize)>,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    /// Contexts by name.
    pub contexts: BTreeMap<String, Context>,
    /// Their names in the order of the file.
    pub order: Vec<String>,
    /// `[globals]`.
    pub globals: BTreeMap<String, String>,
    /// Lines that could not be read.
    pub unread: Vec<(usize, String)>,
}

/// Reads a file. Nothing in it is an error: what is not understood is listed.
#[must_use]
pub fn parse(text: &str) -> Conf {
    let mut conf = Conf::default();
    let mut context = String::new();
    let mut is_comment = false;
    for (index, raw) in text.lines().enumerate() {
        let line = without_comment(raw, &mut is_comment);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.trim().clone_into(&mut context);
            if !matches!(context.as_str(), "general" | "globals") {
                conf.contexts.entry(context.clone()).or_insert_with(|| Context { line: index + 1, ..Context::default() });
                if !conf.order.contains(&context) {
                    conf.order.push(context.clone());
                }
            }
            continue;
        }
        let (key, value) = match line.split_once("=>").or_else(|| line.split_once('=')) {
            Some((key, value)) => (key.trim(), value.trim()),
            None => {
                conf.unread.push((index + 1, line.to_owned()));
                continue;
            }
        };
        conf.setting(&context, key, value, index + 1);
    }
    conf
}

/// `;` begins a comment, `\;` does not; `;--` to `--;` is one over lines.
fn without_comment(line: &str, inside: &mut bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        if *inside {
            let Some(end) = rest.find("--;") else { return out };
            rest = &rest[end + 3..];
            *inside = false;
        } else if let Some(after) = rest.strip_prefix("\\;") {
            out.push(';');
            rest = after;
        } else if rest.starts_with(";--") && !rest.starts_with(";---") {
            *inside = true;
            rest = &rest[3..];
        } else if rest.starts_with(';') {
            return out;
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

impl Conf {
    fn setting(&mut self, context: &str, key: &str, value: &str, line: usize) {
        match (context, key.to_ascii_lowercase().as_str()) {
            ("globals", _) => drop(self.globals.insert(key.to_owned(), value.to_owned())),
            ("general" | "", _) => {}
            (_, "exten") => self.exten(context, value, line),
            (_, "same") => self.same(context, value, line),
            (_, "include") => {
                let name = value.split([',', '|']).next().unwrap_or_default().trim().to_owned();
                let with_times = value.contains([',', '|']);
                if with_times {
                    self.unread.push((line, format!("include => {value}: the times are left out, it counts always")));
                }
                if let Some(found) = self.contexts.get_mut(context) {
                    found.includes.push((name, line));
                }
            }
            (_, "ignorepat") => {}
            _ => self.unread.push((line, format!("{key} => {value}"))),
        }
    }

    fn exten(&mut self, context: &str, value: &str, line: usize) {
        let Some((pattern, rest)) = value.split_once(',') else {
            self.unread.push((line, format!("exten => {value}")));
            return;
        };
        // A match for a caller's number stands behind a slash.
        let (pattern, by_caller) = match pattern.trim().split_once('/') {
            Some((pattern, _)) => (pattern.trim().to_owned(), true),
            None => (pattern.trim().to_owned(), false),
        };
        if by_caller {
            self.unread.push((line, format!("exten => {value}: it counts for one caller only")));
            return;
        }
        let Some(found) = self.contexts.get_mut(context) else { return };
        if found.extens.iter().all(|(known, _)| *known != pattern) {
            found.extens.push((pattern.clone(), Vec::new()));
        }
        // The one that was named last is what `same` goes on with.
        if let Some(at) = found.extens.iter().position(|(known, _)| *known == pattern) {
            let last = found.extens.remove(at);
            found.extens.push(last);
        }
        self.same(context, rest, line);
    }

    fn same(&mut self, context: &str, value: &str, line: usize) {
        let steps = self.contexts.get_mut(context).and_then(|found| found.extens.last_mut()).map(|(_, steps)| steps);
        let (Some(steps), Some((place, call))) = (steps, value.split_once(',')) else {
            self.unread.push((line, format!("same => {value}")));
            return;
        };
        let (place, label) = match place.trim().split_once('(') {
            Some((place, label)) => (place.trim(), Some(label.trim_end_matches(')').trim().to_owned())),
            None => (place.trim(), None),
        };
        let next = steps.last().map_or(1, |last| last.number + 1);
        let number = match place {
            "n" => next,
            "hint" => return,
            digits => digits.parse().unwrap_or(next),
        };
        let (app, args) = call_of(call.trim());
        steps.push(Priority { number, label, app, args, line });
        steps.sort_by_key(|step| step.number);
    }
}

/// `Queue(sales,t)`, or the old `Queue,sales|t`.
fn call_of(call: &str) -> (String, Vec<String>) {
    match call.split_once('(') {
        Some((app, rest)) if call.ends_with(')') => (app.trim().to_ascii_lowercase(), arguments(&rest[..rest.len() - 1])),
        _ => match call.split_once(',') {
            Some((app, rest)) => (app.trim().to_ascii_lowercase(), arguments(&rest.replace('|', ","))),
            None => (call.trim().to_ascii_lowercase(), Vec::new()),
        },
    }
}

/// Cut at commas that stand in no brackets or quotes.
fn arguments(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0usize, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(|next| matches!(next, ',' | '"' | '\\')) => {
                let next = chars.next().unwrap_or(',');
                parts.last_mut().expect("there is one from the beginning").push(next);
                continue;
            }
            '"' => quoted = !quoted,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one from the beginning").push(c);
    }
    let parts: Vec<String> = parts.into_iter().map(|part| part.trim().to_owned()).collect();
    if parts == [""] { Vec::new() } else { parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_extensions_and_priorities_are_read_as_asterisk_reads_them() {
        let conf = parse(
            "[globals]\nOP=PJSIP/100\n[main] ; the menu\nexten => s,1,Answer()\n same => n(again),Background(hello&menu)\n same => n,WaitExten(5)\n\
             ;-- not\nexten => 9,1,Hangup()\n--;\nexten => 1,1,Queue(sales,t,,,60)\nexten => s,n,Goto(again)\ninclude => other\nbad line\n",
        );
        assert_eq!(conf.globals["OP"], "PJSIP/100");
        let main = &conf.contexts["main"];
        let s = &main.extens.iter().find(|(name, _)| name == "s").expect("s").1;
        assert_eq!(
            s.iter().map(|step| (step.number, step.app.as_str())).collect::<Vec<_>>(),
            [(1, "answer"), (2, "background"), (3, "waitexten"), (4, "goto")]
        );
        assert_eq!((s[1].label.as_deref(), s[1].line), (Some("again"), 5));
        let queue = &main.extens.iter().find(|(name, _)| name == "1").expect("1").1[0];
        assert_eq!(queue.args, ["sales", "t", "", "", "60"]);
        assert!(main.extens.iter().all(|(name, _)| name != "9"), "it is in a comment");
        assert_eq!((main.includes.len(), conf.unread.len()), (1, 1));
        assert_eq!(arguments("$[\"${A}\" = \"x,y\"]?a:b,c"), ["$[\"${A}\" = \"x,y\"]?a:b", "c"]);
    }
}

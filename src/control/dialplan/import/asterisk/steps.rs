//! One priority as steps of a plan.

use super::{Flow, Place, Priority, SILENT, Work, condition, is_call, opening, quoted, slot_name, template, texts, words_of_file};
use crate::control::dialplan::import::name_of;

/// A queue's or a phone's time when the file names none, in seconds.
const RING: &str = "30";

/// The end of a node that leaves for a target.
fn goto(target: &str) -> String {
    format!("goto: {target}")
}

impl Work<'_> {
    /// Translates a priority. `more`: so many follow it in its extension.
    pub(super) fn step(&mut self, step: &Priority, here: &Place, more: usize, prompts: &mut Vec<String>, out: &mut Vec<String>) -> Flow {
        let arg = |at: usize| step.args.get(at).map(String::as_str).unwrap_or_default();
        match step.app.as_str() {
            "background" => {
                prompts.extend(self.globals(arg(0)).split('&').filter(|file| !file.is_empty()).map(str::to_owned));
                return Flow::Next;
            }
            "waitexten" => {
                if self.menu(here, prompts, out) {
                    return Flow::Ends;
                }
                self.note(step.line, "WaitExten waits for keys, and the context has no extensions of one to four keys");
                return Flow::Next;
            }
            _ => self.say(prompts, out),
        }
        match step.app.as_str() {
            "playback" | "play" => {
                let mut files: Vec<String> = self.globals(arg(0)).split('&').filter(|file| !file.is_empty()).map(str::to_owned).collect();
                self.note(step.line, format!("the words of {} are guessed from the name: write what the recording says", files.join(", ")));
                self.say(&mut files, out);
                Flow::Next
            }
            "goto" => {
                let target = self.target(&step.args, here, step.line);
                out.push(goto(&target));
                Flow::Ends
            }
            "gotoif" => self.goto_if(step, here, out),
            "gotoiftime" => self.goto_if_time(step, here, out),
            "queue" => self.queue(step, here, more, out),
            "dial" => self.dial(step, here, more, out),
            "read" => self.read(step, out),
            "set" => self.set(step, out),
            app if is_call(app) => self.gosub(step, here, out),
            "return" | "macroexit" if self.subs.contains(&(here.0.clone(), here.1.clone())) => {
                if out.is_empty() {
                    out.push("clear: []".to_owned());
                }
                Flow::Ends
            }
            _ => self.simple(step, out),
        }
    }

    /// Applications without a target.
    fn simple(&mut self, step: &Priority, out: &mut Vec<String>) -> Flow {
        let arg = |at: usize| step.args.get(at).map(String::as_str).unwrap_or_default();
        match step.app.as_str() {
            "hangup" | "congestion" | "busy" | "return" | "macroexit" => {
                if step.app != "hangup" {
                    self.note(step.line, format!("{} ends the call here", step.app));
                }
                out.push("hangup: ~".to_owned());
                return Flow::Ends;
            }
            "voicemail" => {
                self.note(step.line, format!("voice mail box {} becomes a message that opens a ticket: there are no boxes", arg(0)));
                out.push("leave_message: {mode: ticket}".to_owned());
            }
            "record" | "mixmonitor" | "monitor" if step.app != "record" => {
                out.push("record: true".to_owned());
                self.note(step.line, "the call is recorded from here on: say so before");
            }
            "record" => {
                let name = name_of(&["recording", &step.line.to_string()]);
                let ask = texts(None, self.lang, "Please speak after the tone.");
                self.sketch.slots.insert(name.clone(), format!("{{type: recording, ask: {ask}}}"));
                out.push(format!("ask: {name}"));
                self.note(step.line, "the words before the recording are guessed");
            }
            "saydigits" | "saynumber" | "sayalpha" | "sayunixtime" => match template(arg(0), &self.known) {
                Some(text) => {
                    let text = if step.app == "saydigits" { text.replace('}', ":digits}") } else { text };
                    out.push(format!("say: {{{}: {}}}", quoted(self.lang), quoted(&text)));
                }
                None => self.left_out(step),
            },
            "echo" => {
                out.push("play: echo".to_owned());
                return Flow::Ends;
            }
            "musiconhold" => out.push("play: music".to_owned()),
            app if SILENT.contains(&app) => {}
            "wait" => self.note(step.line, format!("left out: a pause of {} s", arg(0))),
            _ => self.left_out(step),
        }
        Flow::Next
    }

    fn left_out(&mut self, step: &Priority) {
        self.note(step.line, format!("left out: {}({})", step.app, step.args.join(",")));
    }

    /// `${NAME}` of `[globals]` replaced.
    fn globals(&self, text: &str) -> String {
        let globals = self.conf.globals.iter();
        globals.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    fn goto_if(&mut self, step: &Priority, here: &Place, out: &mut Vec<String>) -> Flow {
        let whole = step.args.join(",");
        let Some((asked, ways)) = split_condition(&whole) else {
            self.left_out(step);
            return Flow::Next;
        };
        let (then, otherwise) = ways.split_once(':').unwrap_or((ways, ""));
        let target = |work: &mut Self, text: &str| {
            let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
            (!text.trim().is_empty()).then(|| work.target(&parts, here, step.line))
        };
        let Some(asked) = condition(&self.globals(asked), &self.known) else {
            self.note(step.line, format!("the condition {asked} has no counterpart and counts as not met: make it a lookup or a slot"));
            return match target(self, otherwise) {
                Some(way) => {
                    out.push(goto(&way));
                    Flow::Ends
                }
                None => Flow::Next,
            };
        };
        if let Some(way) = target(self, then) {
            out.push(format!("if: {}, goto: {way}", quoted(&asked)));
        } else if let Some(way) = target(self, otherwise) {
            out.push(format!("if: {}, goto: {way}", quoted(&format!("not ({asked})"))));
            return Flow::Next;
        }
        match target(self, otherwise) {
            Some(way) => {
                out.push(goto(&way));
                Flow::Ends
            }
            None => Flow::Next,
        }
    }

    fn goto_if_time(&mut self, step: &Priority, here: &Place, out: &mut Vec<String>) -> Flow {
        let whole = step.args.join(",").replace('|', ",");
        let Some((times, ways)) = whole.split_once('?') else {
            self.left_out(step);
            return Flow::Next;
        };
        let times: Vec<String> = times.split(',').map(|part| part.trim().to_owned()).collect();
        let Some((open, left_out)) = opening(&times) else {
            self.left_out(step);
            return Flow::Next;
        };
        if let Some(left_out) = left_out {
            self.note(step.line, left_out);
        }
        let calendar = name_of(&["hours", &step.line.to_string()]);
        self.sketch.calendars.insert(calendar.clone(), format!("{{tz: UTC, open: {open}, closed: []}}"));
        self.note(
            step.line,
            format!("the time zone of calendar {calendar} is guessed as UTC, and it has no holidays: mend it in desk.yaml"),
        );
        let (then, otherwise) = ways.split_once(':').unwrap_or((ways, ""));
        let mut arms = Vec::new();
        for (arm, text) in [("open", then), ("closed", otherwise)] {
            if !text.trim().is_empty() {
                let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
                arms.push(format!("{arm}: {}", self.target(&parts, here, step.line)));
            }
        }
        out.push(format!("hours: {{calendar: {calendar}, {}}}", arms.join(", ")));
        if arms.len() == 2 { Flow::Ends } else { Flow::Next }
    }

    /// Where the call goes on behind a priority.
    fn next(&mut self, here: &Place, more: usize) -> String {
        if more > 0 { self.reach(&(here.0.clone(), here.1.clone(), here.2 + 1)) } else { "end".to_owned() }
    }

    fn queue(&mut self, step: &Priority, here: &Place, more: usize, out: &mut Vec<String>) -> Flow {
        let name = self.globals(step.args.first().map(String::as_str).unwrap_or_default());
        if name.contains('$') || name.is_empty() {
            self.left_out(step);
            return Flow::Next;
        }
        let name = name_of(&[&name]);
        self.sketch.queues.insert(name.clone());
        let seconds = step.args.get(4).filter(|text| text.parse::<u32>().is_ok_and(|seconds| seconds > 0));
        match seconds {
            Some(seconds) => {
                let next = self.next(here, more);
                out.push(format!("queue: {{to: {name}, overflow: [{{after: {seconds}s, goto: {next}}}]}}"));
            }
            None => {
                out.push(format!("queue: {{to: {name}}}"));
                if more > 0 {
                    self.note(
                        step.line,
                        format!("what follows Queue({name}) is left out: without a time-out the caller stays in the line"),
                    );
                }
            }
        }
        if step.args.get(1).is_some_and(|options| !options.is_empty()) || step.args.len() > 5 {
            self.note(
                step.line,
                format!("the options of Queue({name}) are left out; members and strategy belong to sip-config/phones.toml and desk.yaml"),
            );
        }
        Flow::Ends
    }

    fn dial(&mut self, step: &Priority, here: &Place, more: usize, out: &mut Vec<String>) -> Flow {
        let all = self.globals(step.args.first().map(String::as_str).unwrap_or_default());
        let mut phones = all.split('&');
        let first = phones.next().unwrap_or_default();
        let others: Vec<&str> = phones.collect();
        if !others.is_empty() {
            self.note(step.line, format!("only {first} is rung; {} are left out: make a ring group or a queue of them", others.join(", ")));
        }
        let Some((to, trunk)) = phone(first).and_then(|(to, trunk)| Some((template(&to, &self.known)?, trunk))) else {
            self.left_out(step);
            return Flow::Next;
        };
        let seconds = step.args.get(1).filter(|text| text.parse::<u32>().is_ok_and(|seconds| seconds > 0));
        let seconds = seconds.map_or(RING, String::as_str);
        let next = self.next(here, more);
        let trunk = trunk.map(|trunk| format!(", trunk: {}", quoted(&trunk))).unwrap_or_default();
        out.push(format!(
            "transfer: {{to: {}{trunk}, ring: {seconds}s, on_busy: {next}, on_no_answer: {next}, on_failed: {next}}}",
            quoted(&to)
        ));
        if step.args.get(2).is_some_and(|options| !options.is_empty()) {
            self.note(step.line, format!("the options {} of Dial are left out", step.args[2]));
        }
        Flow::Ends
    }

    fn read(&mut self, step: &Priority, out: &mut Vec<String>) -> Flow {
        let arg = |at: usize| step.args.get(at).map(String::as_str).unwrap_or_default();
        let name = slot_name(arg(0));
        let files = self.globals(arg(1));
        let words: Vec<String> = files.split('&').filter(|file| !file.is_empty()).map(words_of_file).collect();
        let ask = if words.is_empty() { "Please key in the number.".to_owned() } else { words.join(". ") };
        let length = arg(2).parse::<usize>().ok().filter(|most| (1..=32).contains(most)).map(|most| format!("length: 1..{most}, "));
        let ask = texts(files.split('&').next().filter(|file| !file.is_empty()), self.lang, &ask);
        self.sketch.slots.insert(name.clone(), format!("{{type: digits, {}ask: {ask}}}", length.unwrap_or_default()));
        self.note(step.line, format!("the question for {name} is guessed from the name of its recording"));
        out.push(format!("clear: [{name}]"));
        out.push(format!("ask: {name}"));
        Flow::Next
    }

    fn set(&mut self, step: &Priority, out: &mut Vec<String>) -> Flow {
        let whole = self.globals(&step.args.join(","));
        let Some((name, value)) = whole.split_once('=').filter(|(name, _)| !name.contains('(')) else {
            if !whole.starts_with("CDR(") {
                self.left_out(step);
            }
            return Flow::Next;
        };
        match template(value.trim().trim_matches('"'), &self.known) {
            Some(value) => out.push(format!("set: {{{}: {}}}", slot_name(name), quoted(&value))),
            None => self.left_out(step),
        }
        Flow::Next
    }

    /// Calls an extension, which comes back.
    fn gosub(&mut self, step: &Priority, here: &Place, out: &mut Vec<String>) -> Flow {
        let (place, given) = called(step, &here.0, &here.1);
        for (at, value) in given.iter().enumerate() {
            match template(&self.globals(value), &self.known) {
                Some(value) => out.push(format!("set: {{{}: {}}}", argument(at + 1), quoted(&value))),
                None => self.note(step.line, format!("{value}, which {} is called with, is left out", place.1)),
            }
        }
        let target = self.target(&[place.0, place.1, place.2], here, step.line);
        if target == "end" {
            out.push(goto(&target));
            return Flow::Ends;
        }
        out.push(format!("call: {target}"));
        Flow::Next
    }
}

/// What the contexts of macros begin with.
pub(super) const MACRO: &str = "macro-";

/// Where Gosub or Macro leads (context, extension, priority), and what it is called with.
pub(super) fn called(step: &Priority, context: &str, exten: &str) -> ((String, String, String), Vec<String>) {
    let mut parts = step.args.clone();
    if step.app == "macro" {
        let name = if parts.is_empty() { String::new() } else { parts.remove(0) };
        return ((format!("{MACRO}{name}"), "s".to_owned(), "1".to_owned()), parts);
    }
    let last = parts.pop().unwrap_or_default();
    let (priority, given) = last.split_once('(').map_or((last.as_str(), ""), |(priority, given)| (priority, given.trim_end_matches(')')));
    let given = given.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect();
    let exten = parts.pop().unwrap_or_else(|| exten.to_owned());
    let context = parts.pop().unwrap_or_else(|| context.to_owned());
    ((context, exten, priority.to_owned()), given)
}

/// `${ARG1}` as a variable of a plan.
pub(super) fn argument(number: usize) -> String {
    slot_name(&format!("ARG{number}"))
}

/// `cond?a:b`: the question mark that stands in no brackets.
fn split_condition(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            '?' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

/// `PJSIP/100`, `SIP/trunk/0123`, `PJSIP/0123@trunk`: whom, and over which trunk.
fn phone(text: &str) -> Option<(String, Option<String>)> {
    let (technology, rest) = text.split_once('/')?;
    if !matches!(technology.to_ascii_lowercase().as_str(), "sip" | "pjsip" | "iax2" | "dahdi") {
        return None;
    }
    if let Some((number, trunk)) = rest.split_once('@') {
        return Some((number.to_owned(), Some(trunk.to_owned())));
    }
    match rest.split_once('/') {
        Some((trunk, number)) => Some((number.to_owned(), Some(trunk.to_owned()))),
        None => Some((rest.to_owned(), None)),
    }
}

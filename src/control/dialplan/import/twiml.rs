//! TwiML as a plan: each document becomes a node; what an application on the web would decide is not in them.

use std::collections::BTreeMap;

use super::xml::{Element, parse};
use super::{Imported, Sketch, Wanted, name_of, quoted, texts, words_of_file};
use crate::control::dialplan::load::Source;
use crate::control::dialplan::problem::{Problem, Severity};

/// How long a phone rings when the document does not say (Twilio's default), in seconds.
const RING: u32 = 30;
/// The longest message, in seconds.
const MESSAGE: u32 = 120;

/// Turns documents into a plan; the first one is where calls begin, the others are found by their file names.
///
/// # Errors
/// When one is no TwiML, or the plan that comes out has errors that cannot be mended here.
pub fn twiml(files: &[Source], wanted: &Wanted) -> Result<Imported, Vec<Problem>> {
    let mut documents = BTreeMap::new();
    let mut first = None;
    for file in files {
        let root = parse(&file.text).map_err(|(line, what)| vec![broken(file, line, what)])?;
        if root.name != "Response" {
            return Err(vec![broken(file, root.line, format!("<{}> is no TwiML: a document is a <Response>", root.name))]);
        }
        let name = name_of(&[&stem(&file.name)]);
        first.get_or_insert_with(|| name.clone());
        documents.insert(name, (file.name.clone(), root));
    }
    let Some(start) = first else { return Err(Vec::new()) };
    let mut work = Work { documents: &documents, lang: &wanted.lang, sketch: Sketch { start, ..Sketch::default() }, file: String::new() };
    for (name, (file, root)) in &documents {
        file.clone_into(&mut work.file);
        work.node(name, &root.children);
    }
    let entry = files.first().map(|file| file.name.clone()).unwrap_or_default();
    work.sketch.note(&entry, 1, "which numbers lead here is not in TwiML: add numbers: [\"…\"]");
    for (name, (file, _)) in &documents {
        if *name != work.sketch.start
            && work.sketch.nodes.iter().all(|(from, steps)| from == name || !steps.join(" ").contains(name.as_str()))
        {
            work.sketch.note(file, 1, "nothing leads to this document: it is left out");
        }
    }
    work.sketch.finish(wanted)
}

fn broken(file: &Source, line: usize, what: String) -> Problem {
    let mend = Some("mend the document first".to_owned());
    Problem { id: "D100", severity: Severity::Error, file: file.name.clone(), line, column: 1, what, mend }
}

/// `https://x.example/ivr/menu.xml?x=1` and `menu.xml` are both `menu`.
fn stem(name: &str) -> String {
    let path = name.split(['?', '#']).next().unwrap_or(name);
    let base = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    base.split('.').next().unwrap_or(base).to_owned()
}

struct Work<'d> {
    documents: &'d BTreeMap<String, (String, Element)>,
    lang: &'d str,
    sketch: Sketch,
    file: String,
}

impl Work<'_> {
    fn note(&mut self, line: usize, what: impl Into<String>) {
        self.sketch.note(&self.file, line, what);
    }

    /// The node of the document behind a URL; the end when it is not among the files.
    fn target(&mut self, url: Option<&str>, line: usize) -> Option<String> {
        let url = url.filter(|url| !url.is_empty())?;
        let name = name_of(&[&stem(url)]);
        if self.documents.contains_key(&name) {
            return Some(name);
        }
        self.note(line, format!("{url} is not among the files: what it answers is left out, the call ends there"));
        Some("end".to_owned())
    }

    fn node(&mut self, name: &str, verbs: &[Element]) {
        let mut out = Vec::new();
        let mut ended = false;
        for (index, verb) in verbs.iter().enumerate() {
            let rest = &verbs[index + 1..];
            if self.verb(verb, name, index, rest, &mut out) {
                ended = true;
                break;
            }
        }
        if !ended {
            out.push("hangup: ~".to_owned());
        }
        self.sketch.nodes.insert(name.to_owned(), out);
    }

    /// The node of what follows a verb.
    fn rest(&mut self, name: &str, index: usize, rest: &[Element]) -> String {
        if rest.is_empty() {
            return "end".to_owned();
        }
        let next = name_of(&[name.split("_after_").next().unwrap_or(name), "after", &rest[0].line.to_string(), &index.to_string()]);
        self.sketch.nodes.insert(next.clone(), Vec::new());
        self.node(&next, rest);
        next
    }

    /// One verb; `true` when the document does not go on behind it.
    fn verb(&mut self, verb: &Element, name: &str, index: usize, rest: &[Element], out: &mut Vec<String>) -> bool {
        match verb.name.as_str() {
            "Say" | "Play" => out.extend(self.said(verb).map(|text| format!("say: {text}"))),
            "Pause" => self.note(verb.line, "left out: a pause"),
            "Gather" => return self.gather(verb, out),
            "Dial" => return self.dial(verb, name, index, rest, out),
            "Enqueue" => {
                let queue = name_of(&[&verb.text]);
                self.sketch.queues.insert(queue.clone());
                out.push(format!("queue: {{to: {queue}}}"));
                if verb.attribute("waitUrl").is_some() {
                    self.note(verb.line, "waitUrl is left out: music and announcements belong to the queue step");
                }
                return true;
            }
            "Redirect" => {
                let target = self.target(Some(&verb.text), verb.line).unwrap_or_else(|| "end".to_owned());
                out.push(format!("goto: {target}"));
                return true;
            }
            "Record" => {
                let longest = verb.attribute("maxLength").and_then(|text| text.parse::<u32>().ok()).unwrap_or(MESSAGE).clamp(1, 3_600);
                out.push(format!("leave_message: {{mode: ticket, max: {longest}s}}"));
                self.note(verb.line, "the recording becomes a message that opens a ticket");
                if let Some(target) = self.target(verb.attribute("action"), verb.line) {
                    out.push(format!("goto: {target}"));
                    return true;
                }
            }
            "Hangup" | "Reject" | "Leave" => {
                out.push("hangup: ~".to_owned());
                return true;
            }
            other => self.note(verb.line, format!("left out: <{other}>")),
        }
        false
    }

    /// The words of `Say`, or of a `Play` as far as its name tells.
    fn said(&mut self, verb: &Element) -> Option<String> {
        if let Some(lang) = verb.attribute("language").filter(|lang| *lang != self.lang) {
            self.note(verb.line, format!("the words are in {lang}, the plan speaks {}: add the language and its texts", self.lang));
        }
        if verb.name == "Say" {
            return (!verb.text.is_empty()).then(|| texts(None, self.lang, &verb.text.replace('{', "{{")));
        }
        if verb.text.is_empty() {
            self.note(verb.line, "left out: <Play> of keys");
            return None;
        }
        self.note(verb.line, format!("the words of {} are guessed from the name: write what the recording says", verb.text));
        let words = words_of_file(&verb.text);
        Some(texts(Some(&stem(&verb.text)), self.lang, &words))
    }

    /// Which keys mean what is known to the application only: the digits become a slot, and its document goes on.
    fn gather(&mut self, verb: &Element, out: &mut Vec<String>) -> bool {
        let prompts: Vec<String> = verb.children.iter().filter(|child| child.name == "Say").map(|child| child.text.clone()).collect();
        let played: Vec<String> =
            verb.children.iter().filter(|child| child.name == "Play").map(|child| words_of_file(&child.text)).collect();
        let words = prompts.into_iter().chain(played).collect::<Vec<_>>().join(" ");
        let words = if words.is_empty() { "Please key in the number.".to_owned() } else { words.replace('{', "{{") };
        let name = name_of(&["digits", &verb.line.to_string()]);
        let speech = verb.attribute("input").is_some_and(|input| input.contains("speech"));
        let ask = texts(None, self.lang, &words);
        let length = verb.attribute("numDigits").and_then(|text| text.parse::<usize>().ok()).filter(|most| (1..=32).contains(most));
        let length = length.map(|length| format!("length: {length}, ")).unwrap_or_default();
        let slot = if speech { format!("{{type: text, ask: {ask}}}") } else { format!("{{type: digits, {length}ask: {ask}}}") };
        self.sketch.slots.insert(name.clone(), slot);
        out.push(format!("clear: [{name}]"));
        out.push(format!("ask: {name}"));
        self.note(
            verb.line,
            format!(
                "what the answer {name} leads to is decided by {}: make it a menu, or a branch on {name}",
                verb.attribute("action").unwrap_or("the application")
            ),
        );
        match self.target(verb.attribute("action"), verb.line) {
            Some(target) => {
                out.push(format!("goto: {target}"));
                true
            }
            None => false,
        }
    }

    fn dial(&mut self, verb: &Element, name: &str, index: usize, rest: &[Element], out: &mut Vec<String>) -> bool {
        if let Some(queue) = verb.children.iter().find(|child| child.name == "Queue") {
            let queue = name_of(&[&queue.text]);
            self.sketch.queues.insert(queue.clone());
            self.note(verb.line, format!("<Dial><Queue> is an agent taking from {queue}: agents belong to sip-config/phones.toml"));
            out.push(format!("queue: {{to: {queue}}}"));
            return true;
        }
        let mut whom: Vec<String> =
            verb.children.iter().filter(|child| matches!(child.name.as_str(), "Number" | "Sip")).map(|child| child.text.clone()).collect();
        if whom.is_empty() && !verb.text.is_empty() {
            whom.push(verb.text.clone());
        }
        for child in verb.children.iter().filter(|child| !matches!(child.name.as_str(), "Number" | "Sip")) {
            self.note(child.line, format!("left out: <Dial><{}>", child.name));
        }
        let Some(to) = whom.first() else {
            self.note(verb.line, "left out: <Dial> without a number");
            return false;
        };
        if whom.len() > 1 {
            self.note(verb.line, format!("only {to} is rung; the others are left out: make a ring group or a queue of them"));
        }
        let ring = verb.attribute("timeout").and_then(|text| text.parse::<u32>().ok()).unwrap_or(RING).clamp(1, 600);
        let next = match self.target(verb.attribute("action"), verb.line) {
            Some(target) => target,
            None => self.rest(name, index, rest),
        };
        out.push(format!("transfer: {{to: {}, ring: {ring}s, on_busy: {next}, on_no_answer: {next}, on_failed: {next}}}", quoted(to)));
        true
    }
}

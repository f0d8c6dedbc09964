//! A checked plan: what the runner executes. Made only by [`super::load`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::calendar::Calendar;
use super::expr::Expr;
use super::knowledge::Knowledge;
use super::template::Template;
use super::understand::Understanding;
pub use super::verbs::*;
use crate::control::words::media::BargeIn;
use crate::control::words::speech::Hints;
use crate::control::words::{Lang, QueueId};
use crate::nlu::SentenceModel;

/// A published version of a plan.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The plan's id.
    pub id: String,
    /// Hash of its canonical content.
    pub version: String,
    /// The name people see.
    pub title: String,
    /// Languages, the default first.
    pub languages: Vec<Lang>,
    /// DIDs and URI patterns that enter here.
    pub numbers: Vec<String>,
    /// Channels it serves; empty = all.
    pub channels: Vec<String>,
    /// Values a step may use: slots, lookups.
    pub values: Values,
    /// Flow: nodes, menus, and where to begin.
    pub flow: Flow,
    /// Behaviour where a step says nothing.
    pub defaults: Defaults,
    /// How sentences are understood.
    pub understanding: Arc<Understanding>,
    /// Opening hours, articles and queue defaults from the files beside it.
    pub surroundings: Surroundings,
    /// What kind of robot it is.
    pub mode: Mode,
}

/// What kind of robot a plan is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Mode {
    /// It helps as far as it can.
    #[default]
    SelfService,
    /// It finds something in a list of goods.
    Finder,
    /// A person serves, and the robot only begins.
    Hybrid(Hybrid),
}

impl Mode {
    /// Its name in plans and in the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Mode::SelfService => "self_service",
            Mode::Finder => "finder",
            Mode::Hybrid(_) => "hybrid",
        }
    }
}

/// Human first.
#[derive(Debug, Clone, PartialEq)]
pub struct Hybrid {
    /// After so many turns of the customer nothing more is asked.
    pub turns: u32,
    /// But it goes here.
    pub goto: Target,
    /// What is said then; else a built-in phrase.
    pub say: Texts,
}

/// What a plan takes from the files beside it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The plan's own calendar's name.
    pub calendar: Option<String>,
    /// All calendars by name.
    pub calendars: Arc<BTreeMap<String, Calendar>>,
    /// Articles by knowledge base.
    pub knowledge: Arc<BTreeMap<String, Knowledge>>,
    /// When the desk's default overflow comes, per queue.
    pub max_wait: BTreeMap<QueueId, Duration>,
    /// What the plan was trained with, for tools that ask it sentences; in a call a sentence comes with its meanings.
    pub model: SentenceModel,
}

/// Slots and lookups by name.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// What is asked for.
    pub slots: BTreeMap<String, Slot>,
    /// What is looked up.
    pub lookups: BTreeMap<String, LookupSpec>,
}

/// The nodes and where to begin.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// The first node.
    pub start: String,
    /// All nodes.
    pub nodes: BTreeMap<String, Node>,
    /// All menus; a menu step holds the index.
    pub menus: Vec<Menu>,
    /// Commands understood everywhere.
    pub always: Vec<Always>,
    /// Node → nodes whose menus lead there (who is whose ancestor).
    pub parents: BTreeMap<String, Vec<String>>,
    /// All texts that are spoken.
    pub prompts: Vec<Prompted>,
}

/// A text that is spoken, as far as a rule about sound has to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompted {
    /// The name of its recordings.
    pub id: Option<String>,
    /// The languages it is written in.
    pub langs: Vec<Lang>,
    /// Its line in the file.
    pub line: usize,
    /// Its column in the file.
    pub column: usize,
}

/// A node: steps in order, branches flattened to jumps.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The steps.
    pub steps: Vec<Step>,
    /// Its line in the file, for traces.
    pub line: usize,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it does.
    pub verb: Verb,
    /// Its line in the file.
    pub line: usize,
    /// Its column in the file.
    pub column: usize,
}

/// Where the flow goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A node.
    Node(String),
    /// To a person: the plan's node `human`, or its first queue.
    Human,
    /// One level up.
    Back,
    /// Say it again.
    Repeat,
    /// Read the keys.
    Keys,
    /// Good-bye.
    End,
}

/// A text in several languages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    /// The name of a recorded prompt.
    pub id: Option<String>,
    /// By language tag.
    pub by_lang: BTreeMap<Lang, Template>,
}

impl Texts {
    /// The language that [`Texts::of`] really answers in, which is another one where a translation is missing.
    #[must_use]
    pub fn lang_of(&self, lang: &Lang) -> Lang {
        let known = |tag: &&Lang| *tag == lang || tag.primary() == lang.primary();
        self.by_lang.keys().find(known).or_else(|| self.by_lang.keys().next()).unwrap_or(lang).clone()
    }

    /// The text in this language, in another form of the same language, or in the first one there is.
    #[must_use]
    pub fn of(&self, lang: &Lang) -> Option<&Template> {
        let related = || self.by_lang.iter().find(|(tag, _)| tag.primary() == lang.primary()).map(|(_, text)| text);
        self.by_lang.get(lang).or_else(related).or_else(|| self.by_lang.values().next())
    }

    /// Has it any text?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_lang.is_empty()
    }
}

/// A menu.
#[derive(Debug, Clone, Default)]
pub struct Menu {
    /// Its name: of `menus`, or of the node it stands in.
    pub name: String,
    /// What is said.
    pub prompt: Texts,
    /// The choices.
    pub options: Vec<MenuOption>,
    /// What the recognizer may expect, by language.
    pub hints: BTreeMap<Lang, Arc<Hints>>,
}

/// A menu's choice.
#[derive(Debug, Clone)]
pub struct MenuOption {
    /// The key or keys.
    pub key: Option<String>,
    /// Where it leads.
    pub goto: Target,
    /// Its name for people.
    pub label: Texts,
    /// Example sentences by language, as written (with `{slot}`).
    pub examples: BTreeMap<Lang, Vec<String>>,
    /// Only then.
    pub when: Option<Expr>,
}

impl MenuOption {
    /// The intent's name: the node it leads to, or the reserved word.
    #[must_use]
    pub fn intent(&self) -> &str {
        self.goto.name()
    }
}

impl Target {
    /// The node's name, or the reserved word.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Target::Node(name) => name,
            Target::Human => "human",
            Target::Back => "back",
            Target::Repeat => "repeat",
            Target::Keys => "keys",
            Target::End => "end",
        }
    }
}

/// A command understood everywhere.
#[derive(Debug, Clone)]
pub struct Always {
    /// Its name: `human`, `repeat`, `back`, `english` …
    pub name: String,
    /// Its key.
    pub key: Option<char>,
    /// What it does.
    pub does: Target,
    /// The language it switches to.
    pub lang: Option<Lang>,
    /// Sentences by language.
    pub examples: BTreeMap<Lang, Vec<String>>,
    /// Words that decide by themselves wherever they stand in a sentence, normalised: `报警`, `regulator`.
    pub phrases: Vec<String>,
    /// The tone that leads there by itself.
    pub upset: Option<Upset>,
}

/// From which tone on a person must come in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upset {
    /// The temper over the last customer turns, -1 to 0, at which or below which it happens.
    pub tone: f32,
    /// So much higher is the customer's priority in every line from then on.
    pub raise: u8,
}

impl Always {
    /// Is one of its phrases in this normalised sentence? Latin words count whole.
    #[must_use]
    pub fn is_named_in(&self, sentence: &str) -> bool {
        self.phrases.iter().any(|phrase| sentence.match_indices(phrase.as_str()).any(|(at, _)| stands_alone(sentence, at, phrase)))
    }

    /// Is one of its Chinese phrases in these toneless syllables? A single syllable is too many words.
    #[must_use]
    pub fn sounds_in(&self, pinyin: &str) -> bool {
        let heard: Vec<&str> = pinyin.split_whitespace().collect();
        let sounds = self.phrases.iter().filter_map(|phrase| crate::nlu::syllables(phrase)).filter(|phrase| phrase.len() > 1);
        sounds.into_iter().any(|phrase| heard.windows(phrase.len()).any(|part| part == phrase))
    }
}

fn stands_alone(sentence: &str, at: usize, phrase: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let before = word(phrase.chars().next()) && word(sentence[..at].chars().next_back());
    let after = word(phrase.chars().next_back()) && word(sentence[at + phrase.len()..].chars().next());
    !before && !after
}

/// A slot's kind of value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotType {
    /// A string of digits.
    Digits,
    /// Letters and digits.
    Code,
    /// A phone number.
    Phone,
    /// A Chinese licence plate.
    PlateCn,
    /// A day.
    Date,
    /// A day and a time.
    DateTime,
    /// An amount of money.
    Money,
    /// A number.
    Number,
    /// Somebody's age in years.
    Age,
    /// A person's name.
    Name,
    /// An e-mail address.
    Email,
    /// A length of time.
    Duration,
    /// Yes or no.
    YesNo,
    /// One of a list.
    Choice,
    /// A Chinese identity number.
    IdCn,
    /// A card number (Luhn).
    Card,
    /// Free words.
    Text,
    /// The caller's own sound.
    Recording,
}

/// A slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its kind.
    pub kind: SlotType,
    /// Characters at least and at most.
    pub length: Option<(usize, usize)>,
    /// A variable that may know it already.
    pub from: Option<super::expr::Path>,
    /// The question.
    pub ask: Texts,
    /// Is it read back?
    pub readback: Readback,
    /// Must it be known?
    pub need: Need,
    /// Kept out of traces.
    pub mask: Mask,
    /// Longest recording.
    pub max: Duration,
    /// For `choice`: where the values come from.
    pub choices: Choices,
    /// A condition on the value, and what is said when it fails.
    pub valid: Option<(Expr, Texts)>,
    /// Attempts before the defaults apply.
    pub tries: Option<u32>,
    /// What the recognizer may expect, by language.
    pub hints: BTreeMap<Lang, Arc<Hints>>,
}

/// Is a value read back?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readback {
    /// No.
    #[default]
    No,
    /// "I have …, is that right?"
    Yes,
}

/// Must a slot be known?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Need {
    /// Yes.
    #[default]
    Required,
    /// "I don't know" is an answer.
    Optional,
}

/// Is a value kept out of traces?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mask {
    /// No.
    #[default]
    Open,
    /// Shown as `***`.
    Masked,
}

/// Where a choice's values come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Choices {
    /// It is no choice.
    #[default]
    None,
    /// Fixed values with what people say for them, by language.
    Fixed(Vec<FixedChoice>),
    /// A list in a variable.
    List(Box<ListChoice>),
}

/// A choice from a list that is known only in the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ListChoice {
    /// Where the list is.
    pub path: super::expr::Path,
    /// The field that names an item.
    pub label: String,
    /// So many are offered, the first ones.
    pub most: usize,
    /// How they are told.
    pub telling: Telling,
}

/// How the items of a list are told.
#[derive(Debug, Clone, PartialEq)]
pub enum Telling {
    /// By the slot's question.
    Question,
    /// One after the other.
    Items {
        /// Each of them; else its label.
        shown: Texts,
        /// Where it goes on when the customer wants none.
        none: Target,
    },
}

/// A fixed choice.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedChoice {
    /// The value.
    pub value: String,
    /// What people say for it, by language; the value itself counts too.
    pub words: BTreeMap<Lang, Vec<String>>,
}

/// A named lookup.
#[derive(Debug, Clone)]
pub struct LookupSpec {
    /// `GET POST PUT PATCH DELETE`.
    pub method: &'static str,
    /// With variables; `${…}` is put in already.
    pub url: Template,
    /// Header names and values.
    pub headers: Vec<(String, Template)>,
    /// A JSON body's fields.
    pub body: Option<Vec<(String, Template)>>,
    /// How long to wait.
    pub timeout: Duration,
    /// How long the answer may be kept.
    pub cache: Option<Duration>,
    /// So often a question that asks only is put again, within the time-out.
    pub retries: u32,
    /// What is said when it takes long.
    pub wait_say: Texts,
    /// Variable → place in the answer.
    pub pick: Vec<(String, super::pick::Place)>,
    /// Environment variables that have no value.
    pub missing_env: Vec<String>,
}

/// Behaviour where a step says nothing.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// When an incoming call is answered.
    pub answer: PickUp,
    /// What may stop a prompt.
    pub barge_in: BargeIn,
    /// Confidence from which a choice is taken, and from which it is asked back.
    pub thresholds: (f32, f32),
    /// Whose options are understood.
    pub matching: Matching,
    /// What the current menu's own options win by.
    pub local_bias: f32,
    /// Silence: after how long, how often, then.
    pub no_input: (Duration, u32, Target),
    /// Not understood: how often, then.
    pub no_match: (u32, Target),
    /// Is a second wish offered afterwards?
    pub multi_intent: MultiIntent,
    /// Recognizers busy: read keys.
    pub asr_overload: Target,
    /// Where a failure without its own arm leads.
    pub error: Target,
}

/// When an incoming call is answered (200), from where on it costs its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickUp {
    /// Before the first step.
    AtOnce,
    /// When the plan first needs the caller; what it says before is early media (183).
    WhenNeeded,
}

/// Whose options are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// The current menu's.
    Local,
    /// Every menu's.
    Tree,
}

/// What happens with a second wish in the same sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiIntent {
    /// It is offered afterwards.
    Offer,
    /// It is dropped.
    Ignore,
}

const SILENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 2;

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            answer: PickUp::AtOnce,
            barge_in: BargeIn::Words,
            thresholds: (0.75, 0.45),
            matching: Matching::Tree,
            local_bias: 0.10,
            no_input: (SILENCE, TRIES, Target::Keys),
            no_match: (TRIES, Target::Human),
            multi_intent: MultiIntent::Offer,
            asr_overload: Target::Keys,
            error: Target::Human,
        }
    }
}

impl Plan {
    /// The language spoken first.
    #[must_use]
    pub fn default_lang(&self) -> Lang {
        self.languages.first().cloned().unwrap_or_else(|| Lang::new("zh-CN"))
    }

    /// The nearest declared language to a wish.
    #[must_use]
    pub fn lang_for(&self, wish: Option<&Lang>) -> Lang {
        let Some(wish) = wish else { return self.default_lang() };
        let related = || self.languages.iter().find(|lang| lang.primary() == wish.primary());
        self.languages.iter().find(|lang| *lang == wish).or_else(related).cloned().unwrap_or_else(|| self.default_lang())
    }

    /// The node a target leads to, when it is a node: `human` without a node of that name is the first one that queues.
    #[must_use]
    pub fn node_of(&self, target: &Target) -> Option<&str> {
        match target {
            Target::Node(name) => self.flow.nodes.get_key_value(name.as_str()).map(|(name, _)| name.as_str()),
            Target::Human => self.flow.nodes.get_key_value("human").map(|(name, _)| name.as_str()).or_else(|| self.first_queue()),
            Target::Back | Target::Repeat | Target::Keys | Target::End => None,
        }
    }

    fn first_queue(&self) -> Option<&str> {
        let queues = |node: &Node| node.steps.iter().any(|step| matches!(step.verb, Verb::Queue(_)));
        self.flow.nodes.iter().find(|(_, node)| queues(node)).map(|(name, _)| name.as_str())
    }
}

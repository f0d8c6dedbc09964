//! The runner: a pure state machine that leads one conversation through a plan.
//!
//! `mod` keeps the state and takes events, `steps` executes verbs, `article` answers, `outside` and `saga` speak with other systems, `turn` puts
//! questions and minds the ladders, `hear` takes answers, `menu` chooses, `slots` fills, `offer` offers what was found, `hand_over` gives the
//! customer to people, `temper` hears when one must come in.

#[cfg(test)]
mod answer_tests;
mod article;
mod hand_over;
mod hear;
mod memory;
mod menu;
mod offer;
mod outside;
pub(super) mod phrases;
mod saga;
mod secrets;
mod slots;
mod steps;
mod temper;
#[cfg(test)]
mod tests;
mod turn;
#[cfg(test)]
mod verb_tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::expr::{Path, Scope};
use super::plan::{Confirm, LeaveMessage, Mask, Plan, Target};
use super::wish::{Event, Wish};
use crate::control::random::Random;
use crate::control::time::Time;
use crate::control::words::media::{BargeIn, Prompt};
use crate::control::words::{Lang, LookupId, PlayId, TurnId};
use crate::nlu::Meanings;

use hear::Heard;
use memory::{Memory, View};

/// How the customer reaches us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// A call: prompts are played, speech and keys come back.
    Voice,
    /// Text: prompts are messages, options are buttons, there is no no-input clock.
    Chat,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The phone number, E.164 where it is known in that form.
    pub phone: Option<String>,
    /// The customer's number in the house's own systems.
    pub external_id: Option<String>,
}

/// What is known when the conversation begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Call or chat.
    pub medium: Medium,
    /// `voice`, `web`, `wechat` …
    pub channel: String,
    /// The wished language; `None` = the plan's first.
    pub lang: Option<Lang>,
    /// `caller.*`
    pub caller: Caller,
    /// `customer.*`: `external_id`, `phone`, `email`, `city`, `tags` …
    pub customer: Map<String, Value>,
    /// `session.*`: `id`, `had_agent`, `open_tickets` …
    pub session: Map<String, Value>,
    /// `call.*`: `to`, `from`, `id` …
    pub call: Map<String, Value>,
    /// What is said before the plan's own first words, in the language it begins in.
    pub notices: Vec<String>,
}

impl Start {
    /// A call about which nothing is known.
    #[must_use]
    pub fn voice() -> Start {
        Start {
            medium: Medium::Voice,
            channel: "voice".to_owned(),
            lang: None,
            caller: Caller::default(),
            customer: Map::new(),
            session: Map::new(),
            call: Map::new(),
            notices: Vec::new(),
        }
    }
}

/// Where the plan stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spot {
    node: String,
    step: usize,
    /// Some steps take several moves: what the step has done already.
    stage: u8,
}

/// What the runner waits for.
#[derive(Debug)]
enum Wait {
    /// [`Event::Started`].
    Start,
    /// Nothing: it runs.
    Nothing,
    /// The end of what plays; then the step is done (again).
    Quiet,
    /// The end of what plays; then the conversation ends.
    Ending,
    /// An answer.
    Answer(Box<Question>),
    /// A lookup or a webhook.
    Found { id: LookupId, since: Time },
    /// A recording.
    Recorded { slot: Option<String> },
    /// A ticket's number.
    Ticket { save_as: String },
    /// The line.
    Queue,
    /// The other phone.
    Transfer,
    /// Nothing but the caller's hanging up.
    Nobody,
    /// It is over.
    Over,
}

/// A question that is put.
#[derive(Debug, Clone)]
struct Question {
    kind: Asked,
    /// Its words, to say them again.
    prompts: Vec<Prompt>,
    buttons: Vec<(String, String)>,
    barge_in: BargeIn,
    /// Keys so far.
    keys: String,
}

/// What is asked.
#[derive(Debug, Clone)]
enum Asked {
    /// A choice of a menu.
    Menu(usize),
    /// A value.
    Slot(String),
    /// Is this value right?
    Readback(String, Value),
    /// Yes or no.
    Confirm(Confirm),
    /// Was one of these meant?
    DidYouMean(Vec<String>),
    /// Shall the second wish be done now?
    Offer(String),
    /// A mark from 1 to 5.
    Survey(String),
    /// A number to reach the customer at.
    Contact(LeaveMessage),
    /// The words of a message, in a chat.
    Words(LeaveMessage),
}

/// How often a question went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tries {
    silent: u32,
    unmatched: u32,
    /// Keys are read out instead of asking for words.
    reads_keys: bool,
    /// A yes or no that was hardly understood: it counts when it is said again.
    doubted: Option<bool>,
}

/// What is being said and heard.
#[derive(Debug, Default)]
struct Voice {
    /// To be said with the next question.
    pending: Vec<Prompt>,
    /// What plays.
    playing: Option<PlayId>,
    /// The open turn of listening.
    turn: Option<TurnId>,
    /// May more be expected of what is being said?
    more: More,
    /// Keys pressed before they were asked for.
    typed_ahead: String,
    /// Chat lines that came before they were asked for.
    said_ahead: VecDeque<(String, Meanings)>,
    /// May words be asked for?
    ear: Ear,
}

/// May somebody who is speaking have more to say?
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum More {
    /// Yes: his pauses are waited for.
    #[default]
    Likely,
    /// What he has said is all that is asked for.
    Hardly,
}

/// May the customer answer in words?
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Ear {
    /// Words and keys.
    #[default]
    Open,
    /// No recognizer: the next question is where `asr_overload` leads away from.
    Shut,
    /// Keys only, and he was told so.
    Keys,
}

/// Deadlines.
#[derive(Debug, Default)]
struct Clocks {
    /// Silence, a pause between keys, or the lack of an outside answer.
    answer: Option<Time>,
    /// The playback must have ended by then.
    play: Option<Time>,
    /// Say that it takes a moment.
    moment: Option<Time>,
}

/// One conversation in one plan version.
#[derive(Debug)]
pub struct Runner {
    plan: Arc<Plan>,
    random: Random,
    memory: Memory,
    lang: Lang,
    spot: Spot,
    returns: Vec<Spot>,
    /// Menu nodes on the way here, for `back`.
    trail: Vec<String>,
    wait: Wait,
    tries: Tries,
    voice: Voice,
    clocks: Clocks,
    flow: Progress,
}

/// Counts and flags of the whole conversation.
#[derive(Debug, Default)]
struct Progress {
    /// Second wishes not yet offered.
    offers: VecDeque<String>,
    /// `limit` steps: how often they were passed.
    limits: BTreeMap<(String, usize), u32>,
    /// Steps that failed.
    failures: u32,
    /// Was the customer handed on, or did he have to leave a message?
    handed_on: bool,
    /// Was a question put to him?
    asked: bool,
    /// The saga under way, and how many there were.
    saga: Option<saga::Running>,
    /// The article whose table is being consulted at this step.
    consulted: Option<String>,
    sagas: u32,
}

/// A conversation with more menus than this on the way forgets the oldest.
const LONGEST_TRAIL: usize = 32;
/// Sub-plans within sub-plans.
const DEEPEST_CALL: usize = 16;
/// After so many failed steps the conversation ends.
const MOST_FAILURES: u32 = 3;

impl Runner {
    /// A conversation that begins with [`Event::Started`]. The same seed and the same events give the same wishes.
    #[must_use]
    pub fn new(_now: Time, seed: u64, plan: Arc<Plan>, start: Start) -> Runner {
        let lang = plan.lang_for(start.lang.as_ref());
        Runner {
            random: Random::new(seed),
            memory: Memory::new(start),
            lang,
            spot: Spot::default(),
            returns: Vec::new(),
            trail: Vec::new(),
            wait: Wait::Start,
            tries: Tries::default(),
            voice: Voice::default(),
            clocks: Clocks::default(),
            flow: Progress::default(),
            plan,
        }
    }

    /// The plan version it runs.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The node it stands in.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.spot.node
    }

    /// The language spoken now.
    #[must_use]
    pub fn lang(&self) -> &Lang {
        &self.lang
    }

    /// Is the conversation over?
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.wait, Wait::Over)
    }

    /// Does it wait for the customer's answer?
    #[must_use]
    pub fn is_asking(&self) -> bool {
        matches!(self.wait, Wait::Answer(_))
    }

    /// Have keys been pressed that more may follow?
    #[must_use]
    pub fn is_keying(&self) -> bool {
        matches!(&self.wait, Wait::Answer(question) if !question.keys.is_empty())
    }

    /// The slot that is being asked for or read back.
    #[must_use]
    pub fn asked_slot(&self) -> Option<&str> {
        match &self.wait {
            Wait::Answer(question) => match &question.kind {
                Asked::Slot(name) => Some(name),
                _ => None,
            },
            Wait::Recorded { slot } => slot.as_deref(),
            _ => None,
        }
    }

    /// Is an answer from outside awaited?
    #[must_use]
    pub fn is_asking_outside(&self) -> bool {
        matches!(self.wait, Wait::Found { .. })
    }

    /// The name of the lookup whose answer is awaited.
    #[must_use]
    pub fn awaited_lookup(&self) -> Option<&str> {
        match self.current_verb(&self.plan)? {
            super::plan::Verb::Lookup(lookup) if matches!(self.wait, Wait::Found { .. }) => Some(&lookup.name),
            super::plan::Verb::Saga(saga) if matches!(self.wait, Wait::Found { .. }) => self.saga_call(saga),
            _ => None,
        }
    }

    /// The customer is gone: goes on with what was begun outside; `false` when there is nothing of the kind.
    pub fn goes_on_alone(&mut self) -> bool {
        let Some(running) = self.flow.saga.as_mut().filter(|_| matches!(self.wait, Wait::Found { .. })) else { return false };
        running.leave_alone();
        (self.clocks.play, self.clocks.moment) = (None, None);
        true
    }

    /// What an agent would see now: intent, slots, lookups, transcript.
    #[must_use]
    pub fn context(&self) -> Map<String, Value> {
        let all = ["intent", "slots", "lookups", "transcript"].map(str::to_owned);
        self.memory.context(&all, &self.plan, &self.spot.node)
    }

    /// The value of a variable as an agent may see it: of a masked slot only that it is filled.
    #[must_use]
    pub fn value(&self, now: Time, path: &Path) -> Option<Value> {
        let is_masked = self.plan.values.slots.get(&path.root).is_some_and(|slot| slot.mask == Mask::Masked);
        let value = self.view(now).value(path)?;
        if is_masked && !value.is_null() { Some("***".into()) } else { Some(value) }
    }

    /// More about the customer has become known (a lookup that ended after the start).
    pub fn know(&mut self, customer: Map<String, Value>) {
        self.memory.start.customer.extend(customer);
    }

    fn view(&self, now: Time) -> View<'_> {
        View { memory: &self.memory, plan: &self.plan, now, lang: &self.lang }
    }

    /// Something happened.
    pub fn step(&mut self, now: Time, event: Event, out: &mut Vec<Wish>) {
        match event {
            Event::Started => self.started(now, out),
            Event::Said { text, pinyin, confidence, meanings } => {
                let medium = self.nlu_medium();
                self.said(now, Heard { text: &text, pinyin: pinyin.as_deref(), meanings: &meanings, confidence, medium }, out);
            }
            Event::Pressed(key) => self.pressed(now, key, out),
            Event::SpeechStarted => self.speech_started(now),
            Event::Words(text) => self.words_begun(now, &text, out),
            Event::NotUnderstood => self.not_understood(now, out),
            Event::NoRecognizer => self.no_recognizer(now, out),
            Event::PromptFinished(play) => self.prompt_finished(now, play, out),
            Event::Found(id, finding) => self.found(now, id, finding, out),
            Event::Recorded(length) => self.recorded(now, length, out),
            Event::QueueEnded(end) => self.queue_ended(now, &end, out),
            Event::TransferEnded(end) => self.transfer_ended(now, end, out),
            Event::Ticket { save_as, number, filed } => self.ticket_filed(save_as.as_deref(), number, filed),
        }
        self.run(now, out);
    }

    fn started(&mut self, now: Time, out: &mut Vec<Wish>) {
        if !matches!(self.wait, Wait::Start) {
            return;
        }
        self.wait = Wait::Nothing;
        out.push(Wish::SetLang(self.lang.clone()));
        for notice in std::mem::take(&mut self.memory.start.notices) {
            self.push_line(notice);
        }
        let start = self.plan.flow.start.clone();
        self.enter(now, &start, out);
    }

    /// A deadline may have come.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Wish>) {
        if take_due(&mut self.clocks.play, now) {
            // A playback whose end never came must not leave the caller in silence.
            if let Some(play) = self.voice.playing {
                self.prompt_finished(now, play, out);
            }
        }
        if take_due(&mut self.clocks.moment, now) {
            self.one_moment(now, out);
        }
        if take_due(&mut self.clocks.answer, now) {
            self.answer_overdue(now, out);
        }
        self.run(now, out);
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        [self.clocks.answer, self.clocks.play, self.clocks.moment].into_iter().flatten().min()
    }

    /// Goes into a node.
    fn enter(&mut self, now: Time, node: &str, out: &mut Vec<Wish>) {
        self.spot = Spot { node: node.to_owned(), step: 0, stage: 0 };
        self.tries = Tries::default();
        self.flow.consulted = None;
        self.wait = Wait::Nothing;
        self.clocks.answer = None;
        out.push(Wish::Entered { node: node.to_owned(), turn: self.memory.turn });
        let _ = now;
    }

    /// Goes where a target leads.
    fn go(&mut self, now: Time, target: &Target, out: &mut Vec<Wish>) {
        self.quiet_turn(out);
        self.wait = Wait::Nothing;
        match target {
            Target::Node(name) => {
                let name = name.clone();
                self.enter(now, &name, out);
            }
            Target::Human => match self.plan.node_of(target).map(str::to_owned) {
                Some(node) => self.enter(now, &node, out),
                None => self.nobody_there(now, out),
            },
            Target::Back => self.back(now, out),
            Target::Repeat => self.again(),
            Target::Keys => {
                self.again();
                self.tries.reads_keys = true;
            }
            Target::End => self.hang_up(now, None, out),
        }
    }

    /// The same step once more.
    fn again(&mut self) {
        self.spot.stage = 0;
        self.wait = Wait::Nothing;
    }

    /// The next step.
    fn next(&mut self) {
        self.spot.step += 1;
        self.spot.stage = 0;
        self.tries = Tries::default();
        self.flow.consulted = None;
        self.wait = Wait::Nothing;
        self.clocks.answer = None;
    }

    fn back(&mut self, now: Time, out: &mut Vec<Wish>) {
        while let Some(node) = self.trail.pop() {
            if node != self.spot.node {
                self.enter(now, &node, out);
                return;
            }
        }
        let start = self.plan.flow.start.clone();
        self.enter(now, &start, out);
    }

    /// A step failed and has no arm of its own.
    fn fail(&mut self, now: Time, why: &str, out: &mut Vec<Wish>) {
        out.push(Wish::PlanFailed { why: format!("{} step {}: {why}", self.spot.node, self.spot.step + 1) });
        self.recover(now, out);
    }

    /// The outside failed and the step has no arm for it: the plan's defaults have one.
    fn recover(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.flow.failures += 1;
        if self.flow.failures > MOST_FAILURES {
            self.nobody_there(now, out);
            return;
        }
        let target = self.plan.defaults.error.clone();
        if target == Target::Human && self.plan.node_of(&target) != Some(self.spot.node.as_str()) {
            self.push_phrase(phrases::Phrase::ToPerson, &[]);
        }
        self.go(now, &target, out);
    }

    fn nobody_there(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.push_phrase(phrases::Phrase::Sorry, &[]);
        self.flow.handed_on = true;
        self.finish(now, out);
    }

    fn remember_menu(&mut self) {
        if self.trail.last() == Some(&self.spot.node) {
            return;
        }
        if self.trail.len() == LONGEST_TRAIL {
            self.trail.remove(0);
        }
        self.trail.push(self.spot.node.clone());
    }
}

fn take_due(clock: &mut Option<Time>, now: Time) -> bool {
    let due = clock.is_some_and(|at| at <= now);
    if due {
        *clock = None;
    }
    due
}

/// How long a text takes to say, generously: for the guard against a playback that never ends.
fn longest_play(prompts: &[Prompt]) -> Duration {
    const PER_CHAR: Duration = Duration::from_millis(400);
    const SLACK: Duration = Duration::from_secs(15);
    let chars = |prompt: &Prompt| match prompt {
        Prompt::Text { text, .. } => PER_CHAR * u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 1000),
        Prompt::File(_) | Prompt::Music(_) => Duration::from_secs(600),
        Prompt::Tone { ms, .. } | Prompt::Silence { ms } => Duration::from_millis(u64::from(*ms)),
    };
    prompts.iter().map(chars).sum::<Duration>() + SLACK
}

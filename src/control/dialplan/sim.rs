//! A conversation against mocks and a clock of its own: for the simulator, the tests and the replay. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::load::Source;
use super::plan::{Plan, TransferMode};
use super::runner::{Runner, Start};
use super::wish::{Enqueue, Event, QueueEnd, Stage, TransferEnd, Wish};
use crate::control::event::Scored;
use crate::control::time::Time;
use crate::control::words::lookup::Finding;
use crate::control::words::media::Prompt;
use crate::control::words::ticket::{Duplicate, Filed, MOST_OPEN, OpenTicket, same_matter};
use crate::control::words::{Lang, LookupId, PlayId, QueueId, TicketId};

/// What the outside answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// By lookup name.
    pub lookups: BTreeMap<String, Mock>,
    /// How a wait in a line ends (an overflow is the step's own first that leaves it); `None`: it goes on.
    pub queue: Option<QueueEnd>,
    /// How a transfer ends; `None`: it goes on.
    pub transfer: Option<TransferEnd>,
    /// What is recorded; `None` = silence.
    pub recorded: Option<Duration>,
}

/// A lookup's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Mock {
    /// The JSON as the server gives it, or the picked values by name.
    Answer(Value),
    /// 404.
    NotFound,
    /// No answer in time.
    TimedOut,
    /// It breaks.
    Failed,
    /// One answer after the other; the last one stays.
    InTurn(Vec<Mock>),
}

/// What happened in one turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// What the customer said or pressed; empty for the greeting and for what time alone brought.
    pub input: String,
    /// Nodes entered, in order.
    pub nodes: Vec<String>,
    /// All that was said.
    pub said: Vec<String>,
    /// The buttons of the last message.
    pub buttons: Vec<(String, String)>,
    /// How the sentence was understood: decision and ranking.
    pub understood: Option<(String, Vec<Scored>)>,
    /// The slot that is asked for at its end.
    pub asks: Option<String>,
    /// The language spoken at its end.
    pub lang: Option<Lang>,
    /// Slots filled.
    pub slots: BTreeMap<String, Value>,
    /// Channels and text of messages sent.
    pub sent: Vec<(Vec<String>, String)>,
    /// The line that was joined.
    pub queue: Option<Joined>,
    /// How the conversation ended, and whether the robot alone did it.
    pub end: Option<End>,
    /// Everything else worth a line, in order.
    pub notes: Vec<String>,
}

/// A line that was joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// Which.
    pub queue: QueueId,
    /// Higher goes first; what the customer's tone added later is in it.
    pub priority: u8,
    /// What the agent sees.
    pub context: Map<String, Value>,
}

/// The end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Was the customer helped without a person?
    pub contained: bool,
}

/// The time a person needs to answer.
const PAUSE: Duration = Duration::from_millis(800);
/// A lookup in the simulator takes this long.
const ANSWER_TIME: Duration = Duration::from_millis(100);
/// Moves without an input, after which the simulator gives up.
const MOST_MOVES: usize = 2_000;

/// One simulated conversation.
#[derive(Debug)]
pub struct Simulation {
    runner: Runner,
    now: Time,
    world: World,
    turns: Vec<Turn>,
    tickets: u64,
    /// The customer's open tickets, the youngest first.
    open: Vec<OpenTicket>,
}

/// The tickets of `session.open_tickets`, or the one of `session.open_ticket`, as a test writes them.
fn open_tickets(session: &Map<String, Value>) -> Vec<OpenTicket> {
    let several = session.get("open_tickets").and_then(Value::as_array).cloned();
    let given = several.unwrap_or_else(|| session.get("open_ticket").cloned().into_iter().collect());
    let text = |ticket: &Value, name: &str| ticket.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ticket = |ticket: Value| {
        let number = ticket.get("number").and_then(Value::as_u64)?;
        let fields = ticket.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
        Some(OpenTicket { id: TicketId(u128::from(number)), number, kind: text(&ticket, "kind"), title: text(&ticket, "title"), fields })
    };
    given.into_iter().filter_map(ticket).take(MOST_OPEN).collect()
}

impl Simulation {
    /// Begins it; the greeting is turn 0.
    #[must_use]
    pub fn new(plan: Arc<Plan>, start: Start, now: Time, seed: u64, world: World) -> Simulation {
        let open = open_tickets(&start.session);
        let runner = Runner::new(now, seed, plan, start);
        let mut simulation = Simulation { runner, now, world, turns: Vec::new(), tickets: 1_000, open };
        simulation.turn("", Event::Started);
        simulation
    }

    /// The customer says a sentence.
    pub fn say(&mut self, text: &str) -> &Turn {
        self.hear(text, None, 1.0)
    }

    /// A recognizer heard the customer say a sentence.
    pub fn hear(&mut self, text: &str, pinyin: Option<String>, confidence: f32) -> &Turn {
        let meanings = self.runner.plan().surroundings.model.of_sentence(text);
        self.turn(text, Event::Said { text: text.to_owned(), pinyin, confidence, meanings })
    }

    /// The customer presses keys, one after the other, in one turn.
    pub fn press(&mut self, keys: &str) -> &Turn {
        self.begin(&format!("#{keys}"));
        for key in keys.chars() {
            self.feed(Event::Pressed(key));
        }
        self.end()
    }

    /// Sound without words.
    pub fn noise(&mut self) -> &Turn {
        self.turn("(noise)", Event::NotUnderstood)
    }

    /// The customer says nothing until the clock strikes.
    pub fn silence(&mut self) -> &Turn {
        self.begin("(silence)");
        self.strike();
        self.end()
    }

    /// The pause after the last key, in the same turn.
    pub fn pause(&mut self) -> &Turn {
        self.strike();
        self.end()
    }

    /// Lets the time pass until nothing more would happen by itself.
    pub fn run_out(&mut self) -> &Turn {
        self.begin("");
        for _ in 0..MOST_MOVES {
            if self.runner.is_over() || !self.strike() {
                break;
            }
        }
        self.end()
    }

    /// All turns so far.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// The runner, to look at.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    fn turn(&mut self, input: &str, event: Event) -> &Turn {
        self.begin(input);
        self.feed(event);
        self.end()
    }

    fn begin(&mut self, input: &str) {
        self.now = self.now + PAUSE;
        self.turns.push(Turn { input: input.to_owned(), ..Turn::default() });
    }

    fn end(&mut self) -> &Turn {
        let asks = self.runner.asked_slot().map(str::to_owned);
        let last = self.turns.len() - 1;
        self.turns[last].asks = asks;
        self.turns[last].lang = Some(self.runner.lang().clone());
        &self.turns[last]
    }

    /// The next deadline comes; `false` when there is none.
    fn strike(&mut self) -> bool {
        let Some(at) = self.runner.poll_timeout() else { return false };
        self.now = self.now.max(at);
        let mut out = Vec::new();
        self.runner.handle_timeout(self.now, &mut out);
        self.settle(out);
        true
    }

    fn feed(&mut self, event: Event) {
        let mut out = Vec::new();
        self.runner.step(self.now, event, &mut out);
        self.settle(out);
    }

    /// Carries the wishes out until none is left.
    fn settle(&mut self, wishes: Vec<Wish>) {
        let mut open: std::collections::VecDeque<Wish> = wishes.into();
        for _ in 0..MOST_MOVES {
            let Some(wish) = open.pop_front() else { return };
            if let Some(event) = self.carry_out(wish) {
                let mut out = Vec::new();
                self.runner.step(self.now, event, &mut out);
                open.extend(out);
            }
        }
    }

    fn carry_out(&mut self, wish: Wish) -> Option<Event> {
        match wish {
            Wish::Say { play, prompts, buttons, .. } => Some(self.says(play, &prompts, buttons)),
            Wish::Find(id, _) => Some(self.answers(id)),
            Wish::Enqueue(enqueue) => {
                let Enqueue { queue, priority, context, .. } = enqueue.as_ref();
                self.note().queue = Some(Joined { queue: *queue, priority: *priority, context: context.clone() });
                let leaves = enqueue.overflow.iter().position(|entry| entry.widen.is_none()).unwrap_or(0);
                self.world.queue.clone().map(|end| match end {
                    QueueEnd::Overflow(_) => Event::QueueEnded(QueueEnd::Overflow(leaves)),
                    end => Event::QueueEnded(end),
                })
            }
            Wish::Transfer { to, mode, .. } => {
                let how = if mode == TransferMode::Refer { " by the caller's own phone (REFER)" } else { "" };
                self.note().notes.push(format!("transfer to {to}{how}"));
                self.world.transfer.map(Event::TransferEnded)
            }
            Wish::Record { name, .. } => {
                self.note().notes.push(format!("records {name}"));
                Some(Event::Recorded(self.world.recorded))
            }
            Wish::OpenTicket { kind, title, fields, duplicate, save_as } => Some(self.files(save_as, (kind, title, fields), &duplicate)),
            other => {
                self.take_down(other);
                None
            }
        }
    }

    /// As the rules do it: one ticket for each matter.
    fn files(&mut self, save_as: Option<String>, (kind, title, fields): (String, String, Map<String, Value>), how: &Duplicate) -> Event {
        if let Some(number) = same_matter(&self.open, &kind, &fields, how).map(|ticket| ticket.number) {
            self.note().notes.push(format!("ticket {number} {kind} linked: {title}"));
            return Event::Ticket { save_as, number, filed: Filed::Linked };
        }
        self.tickets += 1;
        let number = self.tickets;
        self.note().notes.push(format!("ticket {number} {kind}: {title}"));
        self.open.insert(0, OpenTicket { id: TicketId(u128::from(number)), number, kind, title, fields });
        self.open.truncate(MOST_OPEN);
        Event::Ticket { save_as, number, filed: Filed::New }
    }

    fn note(&mut self) -> &mut Turn {
        let last = self.turns.len() - 1;
        &mut self.turns[last]
    }

    fn says(&mut self, play: PlayId, prompts: &[Prompt], buttons: Vec<(String, String)>) -> Event {
        let turn = self.note();
        turn.buttons = buttons;
        for prompt in prompts {
            match prompt {
                Prompt::Text { text, .. } => turn.said.push(text.clone()),
                Prompt::File(file) => turn.notes.push(format!("plays {file}")),
                Prompt::Music(_) | Prompt::Tone { .. } | Prompt::Silence { .. } => {}
            }
        }
        Event::PromptFinished(play)
    }

    fn answers(&mut self, id: LookupId) -> Event {
        self.now = self.now + ANSWER_TIME;
        let name = self.runner.awaited_lookup().unwrap_or("webhook").to_owned();
        let finding = match self.next_mock(&name).as_ref() {
            Some(Mock::Answer(value)) => Finding::Found(self.as_served(&name, value)),
            Some(Mock::InTurn(_)) => Finding::Failed("a mock in turn holds another".to_owned()),
            Some(Mock::NotFound) => Finding::NotFound,
            Some(Mock::TimedOut) => Finding::TimedOut,
            Some(Mock::Failed) => Finding::Failed("the mock fails".to_owned()),
            None => Finding::Failed(format!("there is no mock for '{name}'")),
        };
        Event::Found(id, finding)
    }

    /// The mock's answer; what answers in turn is one shorter then.
    fn next_mock(&mut self, name: &str) -> Option<Mock> {
        match self.world.lookups.get_mut(name)? {
            Mock::InTurn(answers) if answers.len() > 1 => Some(answers.remove(0)),
            Mock::InTurn(answers) => answers.first().cloned(),
            mock => Some(mock.clone()),
        }
    }

    /// A mock may give picked values by their names: they are put where `pick` looks for them.
    fn as_served(&self, name: &str, mock: &Value) -> Value {
        let mut served = mock.clone();
        let Some(spec) = self.runner.plan().values.lookups.get(name) else { return served };
        for (picked, place) in &spec.pick {
            if place.of(mock).is_none()
                && let Some(value) = mock.get(picked)
            {
                place.put(&mut served, value.clone());
            }
        }
        served
    }

    /// The line that is waited in.
    fn line(&mut self) -> Option<&mut Joined> {
        self.turns.iter_mut().rev().find_map(|turn| turn.queue.as_mut())
    }

    fn take_down(&mut self, wish: Wish) {
        if let (Wish::Raise { priority }, Some(line)) = (&wish, self.line()) {
            line.priority = *priority;
        }
        let turn = self.note();
        match wish {
            Wish::Entered { node, .. } => turn.nodes.push(node),
            Wish::Understood { intents, decision, .. } => turn.understood = Some((decision, intents)),
            Wish::Upset { command, temper, raise, .. } => {
                turn.notes.push(format!("upset ({command}): tone {temper:.2}, priority +{raise}"))
            }
            Wish::SlotFilled { slot, value, .. } => drop(turn.slots.insert(slot, value)),
            Wish::LookupDone { name, outcome, .. } => turn.notes.push(format!("lookup {name}: {outcome}")),
            Wish::SagaStage(stage) => turn.notes.push(shown(&stage)),
            Wish::Message { channels, text } => turn.sent.push((channels, text)),
            Wish::Answered { article } => turn.notes.push(format!("article {article}")),
            Wish::Surveyed { survey, score } => turn.notes.push(format!("survey {survey}: {score}")),
            Wish::LeaveMessage { mode, contact, .. } => {
                turn.notes.push(format!("left message ({mode}), contact {}", contact.unwrap_or_default()))
            }
            Wish::Callback { address, .. } => turn.notes.push(format!("callback to {address}")),
            Wish::SetLang(lang) => turn.notes.push(format!("language {lang}")),
            Wish::SetRecording { on } => turn.notes.push(format!("recording {}", if on { "on" } else { "off" })),
            Wish::Echo => turn.notes.push("the caller hears himself".to_owned()),
            Wish::PlanFailed { why } => turn.notes.push(format!("FAILED {why}")),
            Wish::Hangup { contained } => turn.end = Some(End { contained }),
            _ => {}
        }
    }
}

/// `saga accident: book done`
fn shown(stage: &Stage) -> String {
    let call = stage.call.as_ref().map(|call| format!("{call} ")).unwrap_or_default();
    let why = stage.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("saga {}: {call}{}{why}", stage.saga, stage.stage)
}

/// Environment references without a value get a mock's: no lookup leaves the simulator.
#[must_use]
pub fn mock_environment(files: &[Source], env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env = env.clone();
    for file in files {
        for reference in file.text.split("${").skip(1) {
            let name: String = reference.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            env.entry(name).or_insert_with(|| "https://mock.test".to_owned());
        }
    }
    env
}

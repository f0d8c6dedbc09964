//! The door to the rules for every edge: a bounded line of inputs, and commands that wait for their answer.
//!
//! Nobody shares the table of waiting commands: one task owns it, and both the asking and the answering side send to that task.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::{chance, now};
use crate::control::surface::Input;
use crate::control::words::CommandId;
use crate::control::words::agent::{AgentCommand, Refusal, Reply};
use crate::control::words::chat::{Content, Received};
use crate::inlet::{Bell, Inlet};
use crate::nlu::Meanings;
use crate::sentence::Live;

/// Inputs that may wait for the control thread.
pub const INPUTS: usize = 16_384;
/// Of these, so many are kept for what belongs to calls in progress.
const RESERVE: usize = INPUTS / 4;
/// Commands that may wait for their answer.
const COMMANDS: usize = 4_096;
/// The rules answer in microseconds; after this the control thread is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(10);

enum Ask {
    Wait(CommandId, oneshot::Sender<Result<Reply, Refusal>>),
    Answered(CommandId, Result<Reply, Refusal>),
    Forget(CommandId),
}

/// The side of the edges; cheap to clone.
#[derive(Clone)]
pub struct ControlHandle {
    inputs: Inlet<Input>,
    asks: mpsc::Sender<Ask>,
    meaning: Option<Arc<Live>>,
}

/// The side of the control thread.
pub struct ControlSide {
    /// What came in, in order.
    pub inputs: Receiver<Input>,
    /// Where answers go.
    pub answers: Answers,
}

/// Gives answers back to who asked.
#[derive(Clone)]
pub struct Answers {
    asks: mpsc::Sender<Ask>,
}

/// The line to the rules is full: nothing was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server takes no new work now")]
pub struct Busy;

/// A chat line as an adapter gives it.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// The channel's name.
    pub channel: String,
    /// The adapter's own id of the line.
    pub external_id: String,
    /// The customer's address on the channel.
    pub address: String,
    /// What was sent.
    pub content: Content,
    /// What the adapter knows of the sender.
    pub profile: serde_json::Map<String, serde_json::Value>,
}

/// Makes both sides and starts the task between them; must be called inside a tokio runtime. The control side waits for its inputs alone.
/// The task ends when the last handle and the control side are gone.
#[must_use]
pub fn open() -> (ControlHandle, ControlSide, JoinHandle<()>) {
    let (inputs, line) = bounded(INPUTS);
    between(inputs.into(), line)
}

/// The same for a control side that is woken by a bell.
#[must_use]
pub fn open_with(bell: &Bell) -> (ControlHandle, ControlSide, JoinHandle<()>) {
    let (inputs, line) = bounded(INPUTS);
    between(Inlet::new(inputs, bell), line)
}

fn between(inputs: Inlet<Input>, line: Receiver<Input>) -> (ControlHandle, ControlSide, JoinHandle<()>) {
    let (asks, asked) = mpsc::channel(COMMANDS);
    let task = tokio::spawn(keep(asked));
    let answers = Answers { asks: asks.clone() };
    (ControlHandle { inputs, asks, meaning: None }, ControlSide { inputs: line, answers }, task)
}

/// Owns the commands that wait.
async fn keep(mut asked: mpsc::Receiver<Ask>) {
    let mut waiting: HashMap<CommandId, oneshot::Sender<Result<Reply, Refusal>>> = HashMap::new();
    while let Some(ask) = asked.recv().await {
        match ask {
            Ask::Wait(id, answer) if waiting.len() < COMMANDS => drop(waiting.insert(id, answer)),
            Ask::Wait(_, answer) => drop(answer.send(Err(Refusal::Busy))),
            Ask::Answered(id, result) => {
                if let Some(answer) = waiting.remove(&id) {
                    let _ = answer.send(result);
                }
            }
            Ask::Forget(id) => drop(waiting.remove(&id)),
        }
    }
}

impl Answers {
    /// Hands an answer back. Never waits: with more than `COMMANDS` answers under way the asker meets his patience's end.
    pub fn give(&self, id: CommandId, result: Result<Reply, Refusal>) {
        if self.asks.try_send(Ask::Answered(id, result)).is_err() {
            tracing::error!(%id, "an answer found nobody who takes it");
        }
    }
}

impl ControlHandle {
    /// Hands over an input of work in progress.
    ///
    /// # Errors
    /// [`Busy`] when the line is full.
    pub fn send(&self, input: Input) -> Result<(), Busy> {
        self.inputs.try_send(input).map_err(|_| Busy)
    }

    /// Has the line come to the reserve of work in progress? Then new calls and chats are refused at the door.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inputs.len() >= INPUTS - RESERVE
    }

    /// Carries out a command and waits for its answer.
    ///
    /// # Errors
    /// What the rules refuse, and [`Refusal::Busy`] when they do not answer.
    pub async fn command(&self, command: AgentCommand) -> Result<Reply, Refusal> {
        self.ask(|id| Input::Agent(id, command)).await
    }

    /// Hands over a chat line and waits for the ids it got.
    ///
    /// # Errors
    /// As [`ControlHandle::command`].
    pub async fn chat(&self, line: Line) -> Result<Reply, Refusal> {
        let Line { channel, external_id, address, content, profile } = line;
        let meanings = match &content {
            Content::Text { text } => self.meanings(text).await,
            _ => Meanings::default(),
        };
        self.ask(|command| Input::Chat(Received { command, channel, external_id, address, content, meanings, profile })).await
    }

    /// The same door; typed sentences get their meanings from this pool on the way.
    #[must_use]
    pub fn with_meaning(self, meaning: Option<Arc<Live>>) -> ControlHandle {
        ControlHandle { meaning, ..self }
    }

    /// What a sentence means, if there is a sentence model and it says so in time.
    pub async fn meanings(&self, text: &str) -> Meanings {
        let Some(live) = self.meaning.clone() else { return Meanings::default() };
        let text = text.to_owned();
        tokio::task::spawn_blocking(move || live.meanings(&text)).await.unwrap_or_default()
    }

    async fn ask(&self, input: impl FnOnce(CommandId) -> Input) -> Result<Reply, Refusal> {
        if self.is_full() {
            return Err(Refusal::Busy);
        }
        let id = CommandId::new(now(), &mut chance());
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Wait(id, answer)).await.map_err(|_| Refusal::Busy)?;
        if self.send(input(id)).is_err() {
            let _ = self.asks.send(Ask::Forget(id)).await;
            return Err(Refusal::Busy);
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::Busy),
            Err(_) => {
                tracing::error!(%id, "the rules did not answer a command");
                let _ = self.asks.send(Ask::Forget(id)).await;
                Err(Refusal::Busy)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> AgentCommand {
        AgentCommand::Ready { agent: crate::control::words::AgentId::of_name("anna") }
    }

    #[tokio::test]
    async fn a_command_gets_its_own_answer() {
        let (handle, side, _task) = open();
        let rules = std::thread::spawn(move || {
            for _ in 0..2 {
                let Ok(Input::Agent(id, _)) = side.inputs.recv() else { panic!("a command was sent") };
                side.answers.give(id, Ok(Reply::Done));
            }
        });
        let (first, second) = tokio::join!(handle.command(command()), handle.command(command()));
        assert_eq!((first, second), (Ok(Reply::Done), Ok(Reply::Done)));
        rules.join().unwrap();
    }

    #[tokio::test]
    async fn without_rules_the_answer_is_busy() {
        let (handle, side, _task) = open();
        drop(side);
        assert_eq!(handle.command(command()).await, Err(Refusal::Busy));
    }
}

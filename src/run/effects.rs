//! What the rules wish, handed to who does it. Nothing here waits.

use std::collections::BTreeMap;

use crossbeam_channel::Sender;
use tokio::sync::mpsc;

use crate::control::dialplan::ahead::fixed_prompts;
use crate::control::event::DomainEvent;
use crate::control::surface::Output;
use crate::control::words::CommandId;
use crate::control::words::agent::{Refusal, Reply};
use crate::control::words::chat::Send;
use crate::control::words::directory::Directory;
use crate::control::words::live::Announcement;
use crate::control::words::media::{Command, Prompt, WorkerId};
use crate::control_handle::Answers;
use crate::lookups;
use crate::media;
use crate::net;
use crate::speech::prompts::Prompts;
use crate::store::journal::Journal;

/// Does the loop go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It does.
    Open,
    /// The rules have drained.
    Closed,
}

/// The doers.
pub struct Effects {
    /// SIP sockets.
    pub net: net::Handle,
    /// Media threads.
    pub workers: BTreeMap<WorkerId, Sender<media::Job>>,
    /// Prompts to sounds.
    pub prompts: Prompts,
    /// Questions to the outside.
    pub lookups: lookups::Handle,
    /// Lines to chat customers.
    pub chats: mpsc::Sender<Send>,
    /// The log.
    pub journal: Journal,
    /// The facts of a step, handed to the log together.
    pub facts: Vec<DomainEvent>,
    /// Answers to commands.
    pub answers: Answers,
    /// Answers that are held until the facts of the same step are in the log's line: who asked may read them at once.
    pub answered: Vec<(CommandId, Result<Reply, Refusal>)>,
}

impl Effects {
    /// Hands one wish over.
    pub fn carry_out(&mut self, wish: Output) -> Next {
        match wish {
            Output::Sip(transmit) => self.net.send(transmit),
            Output::Locate(question) => self.net.locate(question),
            Output::Fence(fence) => self.net.fence(fence),
            Output::Media(worker, command) => self.sound(worker, command),
            Output::Answer(command, answer) => self.answered.push((command, answer)),
            Output::Find(lookup, question) => self.lookups.find(lookup, question),
            Output::Journal(event) => self.facts.push(event),
            Output::Chat(line) => self.chat(line),
            // A desk reads `session.offered` and `offer.ended` in the event stream, with the same context.
            Output::Notify(..) => {}
            Output::Drained => return Next::Closed,
        }
        Next::Open
    }

    /// Makes the fixed prompts of all plans ahead, so that the first caller hears no silence. Recordings may have changed: what was
    /// kept is forgotten.
    pub fn prepare(&mut self, directory: &Directory) {
        self.prompts.forget();
        self.prompts.warm(directory.versions().flat_map(|plan| fixed_prompts(plan)));
        self.prompts.warm(directory.live.announcements.iter().flat_map(|notice| spoken(notice, directory)));
    }

    /// Ends a step: its facts go to the log, then its answers to who asked.
    pub fn end_step(&mut self) {
        if !self.facts.is_empty() {
            self.journal.append(std::mem::take(&mut self.facts));
        }
        for (command, answer) in self.answered.drain(..) {
            self.answers.give(command, answer);
        }
    }

    /// The line stands in the log already: what cannot be pushed can be read there.
    fn chat(&self, line: Send) {
        if self.chats.try_send(line).is_err() {
            tracing::error!("too many lines to chat customers wait for the database");
        }
    }

    /// A worker's inbox holds far more than a worker leaves undone in a tick: waiting for it means waiting for a broken thread.
    fn sound(&mut self, worker: WorkerId, command: Command) {
        let sounds = match &command {
            Command::Play { prompts, .. } => prompts.iter().map(|prompt| self.prompts.sound(prompt)).collect(),
            _ => Vec::new(),
        };
        let Some(inbox) = self.workers.get(&worker) else { return };
        if inbox.try_send(media::Job { command, sounds }).is_err() {
            tracing::error!(worker = worker.0, "a media worker does not take its commands");
        }
    }
}

/// A notice in all languages that plans begin in.
fn spoken(notice: &Announcement, directory: &Directory) -> Vec<Prompt> {
    let langs: std::collections::BTreeSet<_> = directory.plans.values().flat_map(|plan| plan.languages.iter()).collect();
    langs.into_iter().map(|lang| Prompt::Text { id: None, text: notice.of(lang).to_owned(), lang: lang.clone() }).collect()
}

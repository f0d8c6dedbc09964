//! What may be asked of the plans in force while the server runs: publish, put on trial, roll back, and notices. Who asks (the API)
//! and who does it (the wiring, which owns the files) share these words and a bounded line.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::control::time::Time;
use crate::control::words::live::Announcement;
use crate::control::words::{Lang, NoticeId};

/// Requests that may wait: each takes the time of reading all plans.
const LINE: usize = 16;
/// A request is not waited for longer: reading and testing all plans is the work of seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file of the plans' folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// Below the folder: `driver-hotline.yaml`, `knowledge/driver.yaml`.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Shall it be done, or only checked?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// It is done when the checks are passed.
    Publish,
    /// The checks are made and nothing changes.
    Check,
}

/// A wish.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Bring files into force, all or none.
    Publish {
        /// What.
        files: Vec<PlanFile>,
        /// Only when this is the version in force of the plan, if any is named.
        expected: Option<(String, String)>,
        /// Really?
        aim: Aim,
    },
    /// Bring a version that is kept into force.
    PublishVersion {
        /// The plan.
        plan: String,
        /// The version.
        version: String,
        /// Only when this version is in force.
        expected: Option<String>,
        /// Really?
        aim: Aim,
    },
    /// Keep a text as a draft.
    Draft {
        /// The plan it must be of.
        plan: Option<String>,
        /// The YAML.
        text: String,
    },
    /// The text of a version.
    Text {
        /// The plan.
        plan: String,
        /// The version.
        version: String,
    },
    /// Give a draft to some of the new sessions.
    Canary {
        /// The plan.
        plan: String,
        /// The version; the youngest draft when absent.
        version: Option<String>,
        /// How many of a hundred, 1 to 99.
        percent: u8,
    },
    /// End a trial.
    EndCanary {
        /// The plan.
        plan: String,
    },
    /// Put back what was in force before; a running trial is ended instead.
    Rollback {
        /// The plan.
        plan: String,
        /// Another version than the one before.
        version: Option<String>,
    },
    /// Bring an article into force, in a file of its own.
    PutArticle {
        /// The knowledge base.
        kb: String,
        /// Its topic.
        topic: String,
        /// As in a knowledge file; `None` takes away what came by the API.
        article: Option<serde_json::Value>,
    },
    /// Say something to everybody first.
    SetNotice(NewNotice),
    /// Say it no more.
    ClearNotice(NoticeId),
    /// What is said now.
    Notices,
}

/// A notice to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// In languages that are not named.
    pub text: String,
    /// In others.
    pub by_lang: BTreeMap<Lang, String>,
    /// Until when.
    pub until: Time,
    /// On this plan only.
    pub plan: Option<String>,
}

/// A plan whose version changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Changed {
    /// The plan.
    pub plan: String,
    /// The version before; null for a new plan.
    pub from: Option<String>,
    /// The version now.
    pub to: String,
}

/// What came of a check: findings of the linter and cases that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Checked {
    /// The plans whose version differs from the one in force.
    pub changed: Vec<Changed>,
    /// What the linter says, errors and warnings.
    pub findings: Vec<String>,
    /// Cases of `*.test.yaml` that were run.
    pub cases: usize,
    /// Those that failed, and why.
    pub failed: Vec<String>,
    /// Those with sound, which only `hotline dialplan test` can run.
    pub skipped: usize,
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// Of a publication or a roll-back.
    Published(Checked),
    /// A draft is kept: plan, version, findings.
    Drafted(String, String, Vec<String>),
    /// A text.
    Text(String),
    /// A trial runs: plan, version.
    OnTrial(String, String),
    /// It was done.
    Done,
    /// A notice is said.
    Notice(Announcement),
    /// The notices that are said.
    Notices(Vec<Announcement>),
}

/// Why a wish was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No such thing.
    #[error("{what} '{id}' is not known here")]
    Unknown {
        /// `plan`, `version`, `article`, `notice`.
        what: &'static str,
        /// As asked.
        id: String,
    },
    /// A field is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The checks were not passed: what is in force stays.
    #[error("{}", told(.0))]
    Failed(Checked),
    /// Another version is in force than was expected.
    #[error("version {0} is in force now")]
    Mismatch(String),
    /// Its state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The disk or the store.
    #[error("{0}")]
    Broken(String),
    /// Too much waits, or the server closes.
    #[error("the server takes no new work now")]
    Busy,
}

fn told(checked: &Checked) -> String {
    let errors = checked.findings.iter().filter(|finding| finding.contains(": error")).count();
    let failed = checked.failed.len();
    let cases = if checked.cases == 0 { String::new() } else { format!(", {failed} of {} test case(s) failed", checked.cases) };
    format!("refused, what is in force stays: {errors} error(s){cases}")
}

/// A wish with who wishes it and where the answer goes.
pub struct Order {
    /// What.
    pub wish: Wish,
    /// The name of the key.
    pub by: String,
    /// The answer's way.
    pub answer: oneshot::Sender<Result<Done, Refusal>>,
}

/// The side of who asks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
}

/// Both sides of the line.
#[must_use]
pub fn open() -> (Desk, mpsc::Receiver<Order>) {
    let (orders, line) = mpsc::channel(LINE);
    (Desk { orders }, line)
}

impl Desk {
    /// Has a wish carried out and waits for what comes of it.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    pub async fn ask(&self, wish: Wish, by: &str) -> Result<Done, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.orders.try_send(Order { wish, by: by.to_owned(), answer }).map_err(|_| Refusal::Busy)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(result)) => result,
            _ => Err(Refusal::Busy),
        }
    }
}

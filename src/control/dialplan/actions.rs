//! Rules for agents: what to offer a customer, and when. They stand beside the plans in `actions.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expr::Expr;
use super::knowledge::Knowledge;
use super::plan::Texts;
use crate::control::words::QueueId;

/// The variables that a rule may ask for besides slots and lookups of the plans.
pub const ROOTS: [&str; 8] = ["call", "caller", "customer", "session", "lang", "now", "lookups", "intent"];

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its id; facts carry it.
    pub id: String,
    /// When it fires, once a session.
    pub when: Expr,
    /// For agents of these queues only; empty = of all.
    pub queues: Vec<QueueId>,
    /// What the agent reads.
    pub text: Texts,
    /// What the customer of a chat reads when the agent takes it; `text` when absent.
    pub say: Option<Texts>,
}

/// What agents are advised out of.
#[derive(Clone, Debug, Default)]
pub struct Help {
    /// Rules, in the order in which they are shown.
    pub actions: Vec<Action>,
    /// Articles by knowledge base.
    pub knowledge: Arc<BTreeMap<String, Knowledge>>,
}

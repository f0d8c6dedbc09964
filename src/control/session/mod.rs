//! Sessions, conversations, identities, tickets.

pub mod known;

pub use known::{Address, Interrupted, Known, LastAgent, OpenConversation, Restored};

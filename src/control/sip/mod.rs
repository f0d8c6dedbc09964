//! SIP as rules: messages, transactions, dialogs, the registrar, and the endpoint that speaks for the center.

pub mod auth;
pub mod dialog;
pub mod dialog_info;
pub mod endpoint;
pub mod happening;
mod locate;
pub mod message;
pub mod registrar;
mod replaces;
mod session_timer;
pub mod transaction;

#[cfg(test)]
mod torture;

pub use endpoint::{Accepting, Contact, Counts, Endpoint, Outgoing, Registration, Settings, Target};
pub use happening::{Consulted, Happening, Invited};
pub use locate::{path, whereabouts};
pub use message::{Malformed, Message};

use super::words::sip::Flow;

/// A SIP message with the path it came by.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path back.
    pub flow: Flow,
    /// The message.
    pub message: Message,
}

//! SIP as rules: messages, transactions, dialogs, the registrar, and the endpoint that speaks for the center.

pub mod happening;

use super::words::sip::Flow;

/// A SIP message with the path it came by.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path back.
    pub flow: Flow,
    /// The message.
    pub message: message::Message,
}

/// Messages, lossless: print ∘ parse = identity.
pub mod message {
    /// A request or a response.
    #[derive(Debug, Clone)]
    pub struct Message;
}

//! Messages, lossless: print ∘ parse = identity.

use bytes::Bytes;

/// A request or a response, kept as received.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
}

/// Why bytes are no SIP message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Malformed {
    /// Which header and what is wrong with it: the reason phrase of the 400.
    pub why: String,
    /// What could be read, enough to answer 400 when there is a Via; boxed because it is rare.
    pub salvage: Option<Box<Message>>,
}

impl Message {
    /// Reads one whole message (a datagram, or a frame cut from a stream).
    ///
    /// # Errors
    /// [`Malformed`] names the header and the fault.
    pub fn parse(bytes: Bytes) -> Result<Message, Malformed> {
        Ok(Message { bytes })
    }

    /// The message as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

//! Questions to the outside, and their answers.

use std::time::Duration;

/// A question.
#[derive(Clone, PartialEq, Debug)]
pub enum Lookup {
    /// An HTTP request of a plan.
    Http {
        /// `GET POST PUT PATCH DELETE`.
        method: &'static str,
        /// Complete, with environment references put in.
        url: String,
        /// Name and value.
        headers: Vec<(String, String)>,
        /// A JSON body.
        body: Option<serde_json::Value>,
        /// After this the answer is [`Finding::TimedOut`].
        timeout: Duration,
        /// How long the answer may be kept for the same URL.
        cache: Option<Duration>,
        /// So often it is asked again when the other side cannot answer just now; all of it within the time-out.
        retries: u32,
    },
    /// Who has this address? Found: the JSON of [`crate::control::session::Known`].
    Customer {
        /// `phone`, `web`, `wechat` …
        channel: String,
        /// E.164 for phones.
        address: String,
    },
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Finding {
    /// A JSON body.
    Found(serde_json::Value),
    /// HTTP 404, or no such customer.
    NotFound,
    /// No answer in time.
    TimedOut,
    /// It failed; the text is for the trace.
    Failed(String),
}

//! SIP messages, kept as received: print ∘ parse = identity (P6). A message is its bytes and an index of its headers;
//! typed values ([`Via`], [`Address`], [`CSeq`], [`Uri`]) are read from the bytes when asked for and borrow them.

mod address;
mod method;
mod name;
mod parse;
pub mod text;
mod uri;
mod write;

#[cfg(test)]
mod oracle;

pub use address::{Address, CSeq, Via};
pub use method::Method;
pub use name::Name;
pub use parse::{Frame, MAX_BYTES, Malformed, frame};
pub use uri::{DEFAULT_PORT, Scheme, Uri, host_port};
pub use write::{Writer, reason_of};

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

/// A place in the message's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One header line: where it begins, how long its name is, where its value stands (trimmed, folds inside).
#[derive(Debug, Clone, Copy)]
struct Entry {
    name: Name,
    name_length: u16,
    line: u32,
    value: Span,
}

/// The start line.
#[derive(Debug, Clone, Copy)]
enum Start {
    Request { method: Method, token: Span, uri: Span },
    Response { status: u16, reason: Span },
}

/// A request or a response, checked at the door: Via, From, To, Call-ID and CSeq are there and can be read.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    start: Start,
    entries: Vec<Entry>,
    body: Span,
}

impl Message {
    /// The message as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Is it a request?
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request; of a response the method in CSeq.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => self.cseq().map_or(Method::Other, |cseq| cseq.method),
        }
    }

    /// The method's text as it came; empty for a response.
    #[must_use]
    pub fn method_token(&self) -> &[u8] {
        match self.start {
            Start::Request { token, .. } => &self.bytes[token.range()],
            Start::Response { .. } => &[],
        }
    }

    /// The request URI as it came; empty for a response.
    #[must_use]
    pub fn request_uri(&self) -> &[u8] {
        match self.start {
            Start::Request { uri, .. } => &self.bytes[uri.range()],
            Start::Response { .. } => &[],
        }
    }

    /// The status of a response; 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        match self.start {
            Start::Request { .. } => &[],
            Start::Response { reason, .. } => &self.bytes[reason.range()],
        }
    }

    /// The first header of this name, trimmed, folds inside.
    #[must_use]
    pub fn header(&self, name: Name) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// All header lines of this name in order.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter(move |entry| entry.name == name).map(|entry| &self.bytes[entry.value.range()])
    }

    /// A header that is not among [`Name`], by its text in any case.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&[u8]> {
        self.lines().find(|(_, text, _)| text.eq_ignore_ascii_case(name.as_bytes())).map(|(_, _, value)| value)
    }

    /// Every header line in order: its name, the name's text, its value.
    pub fn lines(&self) -> impl Iterator<Item = (Name, &[u8], &[u8])> {
        self.entries.iter().map(|entry| {
            let at = entry.line as usize;
            (entry.name, &self.bytes[at..at + usize::from(entry.name_length)], &self.bytes[entry.value.range()])
        })
    }

    /// A slice of this message as `Bytes` that shares its memory; `part` must come from this message.
    #[must_use]
    pub fn share(&self, part: &[u8]) -> Bytes {
        if part.is_empty() { Bytes::new() } else { self.bytes.slice_ref(part) }
    }

    /// Every value of a header that is a comma list, over all its lines.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.headers(name).flat_map(text::commas)
    }

    /// Is `token` among the values of a list such as Supported, Require or Allow?
    #[must_use]
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The top Via.
    #[must_use]
    pub fn via(&self) -> Option<Via<'_>> {
        self.values(Name::Via).next().and_then(|value| Via::place(value).ok())
    }

    /// From.
    #[must_use]
    pub fn from(&self) -> Option<Address<'_>> {
        self.address(Name::From)
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> Option<Address<'_>> {
        self.address(Name::To)
    }

    /// The first value of a header made of addresses: Contact, Refer-To, P-Asserted-Identity …
    #[must_use]
    pub fn address(&self, name: Name) -> Option<Address<'_>> {
        let line = self.header(name)?;
        let value = if name.is_single() { line } else { text::commas(line).next()? };
        Address::parse(value).ok()
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        self.header(Name::CallId).unwrap_or_default()
    }

    /// CSeq.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq<'_>> {
        self.header(Name::CSeq).and_then(|value| CSeq::parse(value).ok())
    }

    /// Max-Forwards.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(Name::MaxForwards).and_then(|number| u8::try_from(number).ok())
    }

    /// A header that is a number of seconds or the like: Expires, Min-Expires, Min-SE, Retry-After; what follows the digits is left out.
    #[must_use]
    pub fn number(&self, name: Name) -> Option<u32> {
        let value = self.header(name)?;
        let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        text::number(&value[..end], u64::from(u32::MAX)).and_then(|number| u32::try_from(number).ok())
    }

    /// The media type of the body without parameters, as `application/sdp`; empty when none is named.
    #[must_use]
    pub fn content_type(&self) -> Cow<'_, str> {
        let value = self.header(Name::ContentType).unwrap_or_default();
        text::lossy(text::trim(&value[..memchr::memchr(b';', value).unwrap_or(value.len())]))
    }

    /// The body, cut to Content-Length.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.range()]
    }

    /// The body when it is a session description; a body without Content-Type counts too, as many phones send it so.
    #[must_use]
    pub fn sdp(&self) -> Option<Bytes> {
        let kind = self.content_type();
        let fits = kind.is_empty() || kind.eq_ignore_ascii_case("application/sdp");
        (fits && !self.body().is_empty()).then(|| self.share(self.body()))
    }
}

#[cfg(test)]
impl Message {
    /// Prints from the index; equals what was parsed (P6).
    pub(crate) fn print(&self) -> Vec<u8> {
        let mut starts: Vec<usize> = self.entries.iter().map(|entry| entry.line as usize).collect();
        let head_end = self.body.start as usize;
        let blank = if self.bytes[..head_end].ends_with(b"\r\n") { head_end - 2 } else { head_end - 1 };
        let first = starts.first().copied().unwrap_or(blank);
        starts.push(blank);
        let mut out = self.bytes[..first].to_vec();
        for (entry, next) in self.entries.iter().zip(&starts[1..]) {
            let value = entry.value.range();
            let name_end = entry.line as usize + usize::from(entry.name_length);
            out.extend_from_slice(&self.bytes[entry.line as usize..name_end]);
            out.extend_from_slice(&self.bytes[name_end..value.start]);
            out.extend_from_slice(&self.bytes[value.clone()]);
            out.extend_from_slice(&self.bytes[value.end..*next]);
        }
        out.extend_from_slice(&self.bytes[blank..head_end]);
        out.extend_from_slice(self.body());
        out.extend_from_slice(&self.bytes[self.body.end as usize..]);
        out
    }
}

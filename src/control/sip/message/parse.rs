//! From bytes to a message: cut into lines once, index the headers, check what every element must be able to rely on.

use bytes::Bytes;

use super::address::{Address, CSeq, Via};
use super::{Entry, Message, Method, Name, Span, Start, text};

/// The longest message taken, 64 KiB less the headers of UDP and IP.
pub const MAX_BYTES: usize = 65_507;
/// The most header lines taken.
const MAX_HEADERS: usize = 256;
/// The most header bytes of a stream's message.
const MAX_HEAD_BYTES: usize = 32_768;

/// Why bytes are no SIP message we can work with.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Malformed {
    /// The status that fits: 400, 505, 513.
    pub status: u16,
    /// Which header and what is wrong with it: the reason phrase.
    pub why: String,
    /// What could be read, enough to answer when there is a Via; only for requests, boxed because it is rare.
    pub salvage: Option<Box<Message>>,
}

fn malformed(why: impl Into<String>) -> Malformed {
    Malformed { status: 400, why: why.into(), salvage: None }
}

/// What stands at the start of a stream's buffer (RFC 3261 §18.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Not whole yet.
    Partial,
    /// Line ends between messages: keep-alives (RFC 5626 §3.5.1); so many bytes; a double one asks for an answer.
    KeepAlive(usize),
    /// A whole message of so many bytes.
    Whole(usize),
    /// It can never become a message: close the stream.
    Broken(&'static str),
}

/// Cuts the next message from a stream: the head ends at the empty line, Content-Length says the rest.
#[must_use]
pub fn frame(buffer: &[u8]) -> Frame {
    let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 0 {
        return Frame::KeepAlive(blank);
    }
    let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEAD_BYTES { Frame::Broken("the head of the message is too long") } else { Frame::Partial };
    };
    let head = end + 4;
    match content_length(&buffer[..head]) {
        Err(why) => Frame::Broken(why),
        Ok(body) if head + body > MAX_BYTES => Frame::Broken("the message is longer than 65507 bytes"),
        Ok(body) if head + body > buffer.len() => Frame::Partial,
        Ok(body) => Frame::Whole(head + body),
    }
}

fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if !text::is_space(line[0]) && Name::of(text::trim(&line[..colon])) == Name::ContentLength {
            let number = text::number(text::trim(&line[colon + 1..]), MAX_BYTES as u64);
            return number.and_then(|number| usize::try_from(number).ok()).ok_or("Content-Length: it is no length up to 65507");
        }
    }
    Ok(0)
}

impl Message {
    /// Reads one whole message: a datagram, or a frame cut from a stream.
    ///
    /// # Errors
    /// [`Malformed`] names the header and the fault.
    pub fn parse(bytes: Bytes) -> Result<Message, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed { status: 513, ..malformed("the message is longer than 65507 bytes") });
        }
        let begin = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let line = next_line(&bytes, begin).ok_or_else(|| malformed("the start line has no end"))?;
        let (start, fault) = start_line(&bytes, begin, line.text_end)?;
        let (entries, head_end, broken) = index(&bytes, line.next)?;
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut message = Message { bytes, start, entries, body: Span { start: head_end, end } };
        let checked = fault.or(broken).map_or(Ok(()), Err).and_then(|()| message.check());
        match checked {
            Ok(()) => Ok(message),
            Err(fault) => Err(Malformed { salvage: message.salvage(), ..fault }),
        }
    }

    /// A faulty request is kept for the answer when its sender can be named.
    fn salvage(self) -> Option<Box<Message>> {
        let answerable = self.is_request() && self.method() != Method::Ack && self.via().is_some();
        answerable.then(|| Box::new(self))
    }

    fn check(&mut self) -> Result<(), Malformed> {
        self.check_presence()?;
        self.check_values()?;
        self.check_numbers()?;
        self.cut_body()
    }

    fn check_presence(&self) -> Result<(), Malformed> {
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            if self.header(name).is_none() {
                return Err(malformed(format!("{} header is missing", name.text())));
            }
        }
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.name.is_single() && self.entries[..at].iter().any(|before| before.name == entry.name) {
                return Err(malformed(format!("{} header appears twice", entry.name.text())));
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), Malformed> {
        let bad = |name: Name, why: &str| malformed(format!("{}: {why}", name.text()));
        for name in [Name::From, Name::To] {
            Address::parse(self.header(name).unwrap_or_default()).map_err(|why| bad(name, why))?;
        }
        for value in self.values(Name::Via) {
            Via::parse(value).map_err(|why| bad(Name::Via, why))?;
        }
        for name in [Name::Contact, Name::Route, Name::RecordRoute, Name::ReferTo] {
            for value in self.values(name).filter(|value| !(name == Name::Contact && *value == b"*")) {
                Address::parse(value).map_err(|why| bad(name, why))?;
            }
        }
        if self.call_id().is_empty() || self.call_id().iter().any(|byte| text::is_space(*byte)) {
            return Err(bad(Name::CallId, "it is empty or has white space"));
        }
        let cseq = CSeq::parse(self.header(Name::CSeq).unwrap_or_default()).map_err(|why| bad(Name::CSeq, why))?;
        match self.is_request() && cseq.token != self.method_token() {
            true => Err(bad(Name::CSeq, "its method is not the method of the request")),
            false => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<(), Malformed> {
        let limits =
            [(Name::MaxForwards, u64::from(u8::MAX)), (Name::Expires, u64::from(u32::MAX)), (Name::MinExpires, u64::from(u32::MAX))];
        for (name, max) in limits {
            if self.header(name).is_some_and(|value| text::number(value, max).is_none()) {
                return Err(malformed(format!("{}: it is no number from 0 to {max}", name.text())));
            }
        }
        let expires = self.values(Name::Contact).filter_map(|value| Address::parse(value).ok()?.param("expires").flatten());
        match expires.into_iter().all(|value| text::number(value, u64::from(u32::MAX)).is_some()) {
            true => Ok(()),
            false => Err(malformed("Contact: expires is no number from 0 to 4294967295")),
        }
    }

    fn cut_body(&mut self) -> Result<(), Malformed> {
        let Some(value) = self.header(Name::ContentLength) else {
            return Ok(());
        };
        let there = u64::from(self.body.end - self.body.start);
        let length = text::number(value, u64::from(u32::MAX)).ok_or_else(|| malformed("Content-Length: it is no length"))?;
        if length > there {
            return Err(malformed(format!("Content-Length: it says {length}, but the body has {there} bytes")));
        }
        self.body.end = self.body.start + u32::try_from(length).unwrap_or(0);
        Ok(())
    }
}

/// A physical line: where its text ends and where the next begins.
struct Line {
    text_end: usize,
    next: usize,
}

fn next_line(bytes: &[u8], from: usize) -> Option<Line> {
    let feed = from + memchr::memchr(b'\n', bytes.get(from..)?)?;
    let text_end = if feed > from && bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
    Some(Line { text_end, next: feed + 1 })
}

fn span(start: usize, end: usize) -> Span {
    Span { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
}

/// The start line; a fault that still lets the headers be read comes beside it.
fn start_line(bytes: &[u8], begin: usize, end: usize) -> Result<(Start, Option<Malformed>), Malformed> {
    let line = &bytes[begin..end];
    if line.starts_with(b"SIP/") {
        return status_line(line, begin).map(|start| (start, None));
    }
    let (token, rest) = text::token(line);
    if token.is_empty() || !rest.starts_with(b" ") {
        return Err(malformed("the start line is neither a request nor a response"));
    }
    let uri_start = begin + token.len() + 1;
    let uri_end = begin + memchr::memrchr(b' ', line).unwrap_or(line.len());
    let good = uri_end > uri_start;
    let (uri, version) = if good { (span(uri_start, uri_end), &bytes[uri_end + 1..end]) } else { (span(end, end), &[][..]) };
    let start = Start::Request { method: Method::of(token), token: span(begin, begin + token.len()), uri };
    Ok((start, request_fault(&bytes[uri.range()], version)))
}

fn request_fault(uri: &[u8], version: &[u8]) -> Option<Malformed> {
    let is_sip = version.len() > 4 && version[..4].eq_ignore_ascii_case(b"SIP/");
    if is_sip && !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Some(Malformed { status: 505, ..malformed("Version Not Supported") });
    }
    if !is_sip {
        return Some(malformed("the request line is not 'METHOD URI SIP/2.0'"));
    }
    match super::Uri::parse(uri) {
        Err(why) => Some(malformed(format!("Request-URI: {why}"))),
        Ok(uri) if !uri.headers.is_empty() => Some(malformed("Request-URI: it must not carry headers")),
        Ok(_) => None,
    }
}

fn status_line(line: &[u8], begin: usize) -> Result<Start, Malformed> {
    let rest = line.strip_prefix(b"SIP/2.0 ").ok_or_else(|| malformed("the status line is not of SIP/2.0"))?;
    let digits = &rest[..rest.len().min(3)];
    let status = text::number(digits, 699).filter(|status| *status >= 100 && matches!(rest.get(3), None | Some(b' ')));
    let status =
        status.and_then(|status| u16::try_from(status).ok()).ok_or_else(|| malformed("the status is no number from 100 to 699"))?;
    let end = begin + line.len();
    Ok(Start::Response { status, reason: span((end - rest.len() + 4).min(end), end) })
}

/// Cuts the head into header lines. A broken line is left out of the index and reported beside it.
fn index(bytes: &[u8], from: usize) -> Result<(Vec<Entry>, u32, Option<Malformed>), Malformed> {
    let mut entries = Vec::with_capacity(TYPICAL_HEADERS);
    let mut fault = None;
    let mut at = from;
    loop {
        let Some(line) = next_line(bytes, at) else {
            // What stands before can still say whom to answer.
            return Ok((entries, span(bytes.len(), 0).start, fault.or(Some(malformed("no empty line ends the headers")))));
        };
        if line.text_end == at {
            return Ok((entries, span(line.next, 0).start, fault));
        }
        let (end, next) = unfold(bytes, &line);
        match entry(bytes, at, end) {
            Ok(entry) => entries.push(entry),
            Err(broken) => fault = fault.or(Some(broken)),
        }
        if entries.len() > MAX_HEADERS {
            return Ok((entries, span(bytes.len(), 0).start, fault.or(Some(malformed("there are more than 256 headers")))));
        }
        at = next;
    }
}

/// Most messages have fewer headers than this, so that the index is one allocation.
const TYPICAL_HEADERS: usize = 24;

/// Follows the folds of a header line (RFC 3261 §7.3.1): its true end and the next header's start.
fn unfold(bytes: &[u8], first: &Line) -> (usize, usize) {
    let (mut end, mut next) = (first.text_end, first.next);
    while matches!(bytes.get(next), Some(b' ' | b'\t')) {
        let Some(line) = next_line(bytes, next) else { break };
        (end, next) = (line.text_end, line.next);
    }
    (end, next)
}

fn entry(bytes: &[u8], start: usize, end: usize) -> Result<Entry, Malformed> {
    let line = &bytes[start..end];
    let shown = || String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES)]).into_owned();
    let colon = memchr::memchr(b':', line).ok_or_else(|| malformed(format!("the header line '{}' has no colon", shown())))?;
    let name = text::trim(&line[..colon]);
    if name.is_empty() || !name.iter().all(|byte| text::is_token(*byte)) || text::is_space(line[0]) {
        return Err(malformed(format!("the header line '{}' does not begin with a name", shown())));
    }
    let value = text::trim(&line[colon + 1..]);
    let value_start = if value.is_empty() { start + colon + 1 } else { start + (value.as_ptr() as usize - line.as_ptr() as usize) };
    let name_length = u16::try_from(name.len()).map_err(|_| malformed("a header name is too long"))?;
    Ok(Entry { name: Name::of(name), name_length, line: span(start, 0).start, value: span(value_start, value_start + value.len()) })
}

/// So much of a broken line is repeated in the reason phrase.
const SHOWN_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(headers: &str, body: &str) -> Bytes {
        let head = "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c\r\nCSeq: 1 INVITE\r\n";
        Bytes::from(format!("{head}{headers}\r\n{body}"))
    }

    #[test]
    fn print_of_parse_is_the_same_bytes() {
        let bytes = request(
            "Subject:  folded\r\n  value \r\nX-Bin: \u{e4}\u{fffd}\r\nl: 3\r\nv: SIP/2.0/TCP [::1]:5060 , SIP/2.0/UDP p\r\n",
            "abcdef",
        );
        let message = Message::parse(bytes.clone()).unwrap();
        assert_eq!(message.print(), bytes);
        assert_eq!(message.body(), b"abc");
        assert_eq!(message.values(Name::Via).count(), 3);
        assert_eq!(text::lossy(message.header(Name::Subject).unwrap()), "folded value");
    }

    #[test]
    fn bytes_that_are_no_utf8_survive() {
        let mut bytes = request("", "").to_vec();
        let at = bytes.windows(2).position(|pair| pair == b"i:").unwrap();
        bytes.splice(at..at, b"Subject: \xff\xfe\x80\r\n".iter().copied());
        let message = Message::parse(Bytes::from(bytes.clone())).unwrap();
        assert_eq!(message.header(Name::Subject), Some(&b"\xff\xfe\x80"[..]));
        assert_eq!(message.print(), bytes);
    }

    #[test]
    fn a_stream_is_cut_by_content_length() {
        let one = request("Content-Length: 4\r\n", "body");
        let mut stream = one.to_vec();
        stream.extend_from_slice(b"INVITE");
        assert_eq!(frame(&stream), Frame::Whole(one.len()));
        assert_eq!(frame(&one[..one.len() - 1]), Frame::Partial);
        assert_eq!(frame(b"\r\n\r\nX"), Frame::KeepAlive(4));
        assert!(matches!(frame(&request("Content-Length: -1\r\n", "")), Frame::Broken(_)));
        assert!(matches!(frame(&[b'a'; MAX_HEAD_BYTES + 1]), Frame::Broken(_)));
    }

    #[test]
    fn a_message_of_64_kib_is_read() {
        let body = "x".repeat(60_000);
        let message = Message::parse(request("Content-Length: 60000\r\n", &body)).unwrap();
        assert_eq!(message.body().len(), 60_000);
        assert_eq!(Message::parse(Bytes::from(vec![b'a'; MAX_BYTES + 1])).unwrap_err().status, 513);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = frame(&bytes);
            let _ = Message::parse(Bytes::from(bytes));
        }

        #[test]
        fn a_changed_byte_never_panics_and_what_parses_prints_the_same(at in 0usize..200, byte in any::<u8>()) {
            let mut bytes = request("Contact: \"a\" <sip:a@h;x>;q=1,<sip:b@h>\r\nMax-Forwards: 70\r\nl: 0\r\n", "").to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(message) = Message::parse(Bytes::from(bytes.clone())) {
                prop_assert_eq!(message.print(), bytes);
            }
        }
    }
}

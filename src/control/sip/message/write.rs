//! Writing messages straight into one buffer.

use std::fmt::{self, Write};

use bytes::{BufMut, Bytes, BytesMut};

/// A message in the making: start line, headers in order, then the body.
#[derive(Debug)]
pub struct Writer {
    out: BytesMut,
}

/// Room for most messages, so that a message is one allocation.
const TYPICAL_BYTES: usize = 1_024;

impl Writer {
    /// Begins a request.
    #[must_use]
    pub fn request(method: &[u8], uri: &[u8]) -> Writer {
        let mut out = BytesMut::with_capacity(TYPICAL_BYTES);
        out.put_slice(method);
        out.put_u8(b' ');
        out.put_slice(uri);
        out.put_slice(b" SIP/2.0\r\n");
        Writer { out }
    }

    /// Begins a response; an empty `reason` gets the usual one.
    #[must_use]
    pub fn response(status: u16, reason: &str) -> Writer {
        let mut writer = Writer { out: BytesMut::with_capacity(TYPICAL_BYTES) };
        let reason = if reason.is_empty() { reason_of(status) } else { reason };
        writer.out.put_slice(b"SIP/2.0 ");
        writer.put_number(u32::from(status));
        writer.out.put_u8(b' ');
        writer.put_clean(reason.as_bytes());
        writer.out.put_slice(b"\r\n");
        writer
    }

    /// A header whose value came from a message (folds stay) or is known to be clean.
    pub fn raw(&mut self, name: &str, value: &[u8]) -> &mut Writer {
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b": ");
        self.out.put_slice(value);
        self.out.put_slice(b"\r\n");
        self
    }

    /// A header with text from outside: line breaks in it become spaces, so that it cannot become two headers.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Writer {
        self.put_clean(name.as_bytes());
        self.out.put_slice(b": ");
        self.put_clean(value.as_bytes());
        self.out.put_slice(b"\r\n");
        self
    }

    /// A header made by formatting.
    pub fn format(&mut self, name: &str, value: fmt::Arguments<'_>) -> &mut Writer {
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b": ");
        self.out.write_fmt(value).expect("the buffer grows");
        self.out.put_slice(b"\r\n");
        self
    }

    /// A header that is a number.
    pub fn number(&mut self, name: &str, value: u32) -> &mut Writer {
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b": ");
        self.put_number(value);
        self.out.put_slice(b"\r\n");
        self
    }

    /// Whole header lines, as they are.
    pub fn lines(&mut self, lines: &[u8]) -> &mut Writer {
        self.out.put_slice(lines);
        self
    }

    /// How many bytes are written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// What was written from `start` on; the rest is thrown away.
    #[must_use]
    pub fn since(self, start: usize) -> Bytes {
        self.out.freeze().slice(start..)
    }

    /// Ends the message without a body.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        self.out.put_slice(b"Content-Length: 0\r\n\r\n");
        self.fit()
    }

    /// Ends the message with a body; an empty one leaves Content-Type out.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Bytes {
        if body.is_empty() {
            return self.finish();
        }
        self.raw("Content-Type", content_type.as_bytes());
        self.number("Content-Length", u32::try_from(body.len()).unwrap_or(u32::MAX));
        self.out.put_slice(b"\r\n");
        self.out.put_slice(body);
        self.fit()
    }

    /// Many messages are kept for half a minute, to be sent again: without the room that was left for longer ones.
    fn fit(self) -> Bytes {
        Bytes::copy_from_slice(&self.out)
    }

    fn put_number(&mut self, value: u32) {
        write!(self.out, "{value}").expect("the buffer grows");
    }

    fn put_clean(&mut self, text: &[u8]) {
        let clean = text.iter().map(|byte| if byte.is_ascii_control() && *byte != b'\t' { b' ' } else { *byte });
        self.out.extend(clean);
    }
}

/// The usual reason phrase of a status.
#[must_use]
pub fn reason_of(status: u16) -> &'static str {
    const REASONS: [(u16, &str); 46] = [
        (100, "Trying"),
        (180, "Ringing"),
        (181, "Call Is Being Forwarded"),
        (182, "Queued"),
        (183, "Session Progress"),
        (200, "OK"),
        (202, "Accepted"),
        (300, "Multiple Choices"),
        (301, "Moved Permanently"),
        (302, "Moved Temporarily"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (407, "Proxy Authentication Required"),
        (408, "Request Timeout"),
        (410, "Gone"),
        (413, "Request Entity Too Large"),
        (415, "Unsupported Media Type"),
        (416, "Unsupported URI Scheme"),
        (420, "Bad Extension"),
        (421, "Extension Required"),
        (422, "Session Interval Too Small"),
        (423, "Interval Too Brief"),
        (480, "Temporarily Unavailable"),
        (481, "Call/Transaction Does Not Exist"),
        (482, "Loop Detected"),
        (483, "Too Many Hops"),
        (484, "Address Incomplete"),
        (486, "Busy Here"),
        (487, "Request Terminated"),
        (488, "Not Acceptable Here"),
        (489, "Bad Event"),
        (491, "Request Pending"),
        (500, "Server Internal Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Server Time-out"),
        (505, "Version Not Supported"),
        (513, "Message Too Large"),
        (600, "Busy Everywhere"),
        (603, "Decline"),
        (604, "Does Not Exist Anywhere"),
    ];
    REASONS.iter().find(|(known, _)| *known == status).map_or("Response", |(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_a_second_header() {
        let mut writer = Writer::request(b"OPTIONS", b"sip:h");
        writer.header("Subject", "a\r\nX-Evil: 1").number("Expires", 60);
        assert_eq!(writer.finish(), "OPTIONS sip:h SIP/2.0\r\nSubject: a  X-Evil: 1\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_body_brings_its_type_and_length() {
        let message = Writer::response(200, "").body("text/plain", b"hi");
        assert_eq!(message, "SIP/2.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    }
}

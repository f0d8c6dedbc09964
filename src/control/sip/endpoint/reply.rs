//! Responses: what every response to one request has in common is written once, each response is a status line and that head.

use std::net::IpAddr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::control::sip::message::{DEFAULT_PORT, Message, Method, Name, Via, Writer, text};
use crate::control::sip::transaction::Key;
use crate::control::words::sip::Flow;

/// The way to answer one request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its server transaction.
    pub key: Key,
    /// Where responses go (RFC 3261 §18.2.2, RFC 3581).
    pub flow: Flow,
    head: Bytes,
    to: (usize, usize),
}

/// Room for most heads.
const TYPICAL_HEAD: usize = 512;

impl Reply {
    /// The head of all responses: Via with received and rport, From, To with `tag` when it has none, Call-ID, CSeq, Record-Route.
    #[must_use]
    pub fn of(request: &Message, key: Key, flow: Flow, tag: &str) -> Reply {
        let mut head = BytesMut::with_capacity(TYPICAL_HEAD);
        put_vias(&mut head, request, flow.remote.ip(), flow.remote.port());
        let mut line = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(value);
            let start = head.len() - value.len();
            head.extend_from_slice(b"\r\n");
            start
        };
        line("From: ", request.header(Name::From).unwrap_or_default());
        line("Call-ID: ", request.call_id());
        line("CSeq: ", request.header(Name::CSeq).unwrap_or_default());
        if request.method() == Method::Invite {
            for route in request.headers(Name::RecordRoute) {
                line("Record-Route: ", route);
            }
        }
        let start = line("To: ", request.header(Name::To).unwrap_or_default());
        if request.to().is_some_and(|to| to.tag().is_none()) {
            head.truncate(head.len() - 2);
            head.extend_from_slice(b";tag=");
            head.extend_from_slice(tag.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        let to = (start, head.len() - 2);
        Reply { key, flow: reply_flow(request, flow), head: head.freeze(), to }
    }

    /// Begins a response; an empty reason gets the usual one.
    #[must_use]
    pub fn begin(&self, status: u16, reason: &str) -> Writer {
        let mut writer = Writer::response(status, reason);
        writer.lines(&self.head);
        writer
    }

    /// The To value as we answer it, our tag included.
    #[must_use]
    pub fn to(&self) -> Bytes {
        self.head.slice(self.to.0..self.to.1)
    }
}

/// A response outside any transaction, for a request refused at the door or malformed; `None` when it has no Via to answer to.
#[must_use]
pub fn stateless(request: &Message, flow: Flow, status: u16, reason: &str, retry_after: Option<u32>) -> Option<(Flow, Bytes)> {
    let answerable = request.is_request() && request.method() != Method::Ack && request.via().is_some();
    if !answerable {
        return None;
    }
    let mut head = BytesMut::with_capacity(TYPICAL_HEAD);
    put_vias(&mut head, request, flow.remote.ip(), flow.remote.port());
    let mut writer = Writer::response(status, reason);
    writer.lines(&head);
    for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
        // Stands here even when it is what was wrong: the sender must find his transaction by it.
        if let Some(value) = request.header(name) {
            let untagged = name == Name::To && request.to().is_some_and(|to| to.tag().is_none());
            writer.lines(name.text().as_bytes()).lines(b": ").lines(value).lines(if untagged { b";tag=stateless\r\n" } else { b"\r\n" });
        }
    }
    if let Some(seconds) = retry_after {
        writer.number("Retry-After", seconds);
    }
    Some((reply_flow(request, flow), writer.finish()))
}

fn put_vias(head: &mut BytesMut, request: &Message, source: IpAddr, port: u16) {
    for (at, line) in request.headers(Name::Via).enumerate() {
        head.put_slice(b"Via: ");
        match text::commas(line).next().filter(|_| at == 0) {
            Some(top) => {
                put_top_via(head, top, source, port);
                head.put_slice(&line[(top.as_ptr() as usize - line.as_ptr() as usize) + top.len()..]);
            }
            None => head.put_slice(line),
        }
        head.put_slice(b"\r\n");
    }
}

/// The top Via with received where the sender names another place, and with rport filled where it was asked for.
fn put_top_via(head: &mut BytesMut, top: &[u8], source: IpAddr, port: u16) {
    let Ok(via) = Via::parse(top) else { return head.put_slice(top) };
    let differs = !is_address(via.host, source);
    if !via.wants_rport() && !differs {
        return head.put_slice(top);
    }
    head.put_slice(text::trim(&top[..top.len() - via.params.len()]));
    for (name, value) in text::params(via.params).filter_map(Result::ok) {
        if name.eq_ignore_ascii_case(b"rport") || name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        head.put_u8(b';');
        head.put_slice(name);
        if let Some(value) = value {
            head.put_u8(b'=');
            head.put_slice(value);
        }
    }
    head.put_slice(format!(";received={source}").as_bytes());
    if via.wants_rport() {
        head.put_slice(format!(";rport={port}").as_bytes());
    }
}

fn is_address(host: &[u8], source: IpAddr) -> bool {
    std::str::from_utf8(host).ok().and_then(|host| host.parse().ok()) == Some(source)
}

/// Streams answer along themselves. Datagrams go back to their source when the sender asks for it or is translated on the way,
/// else to the port he names.
fn reply_flow(request: &Message, flow: Flow) -> Flow {
    let Some(via) = request.via() else { return flow };
    if flow.transport.is_reliable() || via.wants_rport() || !is_address(via.host, flow.remote.ip()) {
        return flow;
    }
    let mut remote = flow.remote;
    remote.set_port(via.port.unwrap_or(DEFAULT_PORT));
    Flow { remote, ..flow }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::sip::transaction::Keys;
    use crate::control::words::sip::{ListenerId, Transport};

    fn reply(via: &str, transport: Transport) -> (String, u16) {
        let text = format!(
            "OPTIONS sip:h SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP last\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 OPTIONS\r\n\r\n"
        );
        let request = Message::parse(Bytes::from(text)).unwrap();
        let flow = Flow { listener: ListenerId(0), transport, remote: "192.0.2.1:6000".parse().unwrap(), connection: None };
        let reply = Reply::of(&request, Keys::new(0).server(&request), flow, "ours");
        assert_eq!(reply.to(), &b"<sip:b@h>;tag=ours"[..]);
        let response = Message::parse(reply.begin(200, "").finish()).unwrap();
        assert_eq!(response.headers(Name::Via).count(), 2);
        let via = response.header(Name::Via).unwrap();
        (String::from_utf8(via.to_vec()).unwrap(), reply.flow.remote.port())
    }

    #[test]
    fn responses_follow_rfc_3261_18_and_rfc_3581() {
        let udp = |via: &str| reply(via, Transport::Udp);
        let same = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1";
        assert_eq!(udp(same), (same.to_owned(), 5070));
        assert_eq!(udp("SIP/2.0/UDP 192.0.2.1"), ("SIP/2.0/UDP 192.0.2.1".to_owned(), 5060));
        let rport = "SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK1";
        assert_eq!(udp(rport), ("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;received=192.0.2.1;rport=6000".to_owned(), 6000));
        let inside = "SIP/2.0/UDP 10.0.0.7:5070;branch=z9hG4bK1 , SIP/2.0/UDP p";
        assert_eq!(udp(inside), ("SIP/2.0/UDP 10.0.0.7:5070;branch=z9hG4bK1;received=192.0.2.1 , SIP/2.0/UDP p".to_owned(), 6000));
        assert_eq!(reply(same, Transport::Tcp).1, 6000);
    }
}

//! Requests made from an earlier one of ours: the ACK of a failure, CANCEL, and the same request again with a proof of identity.

use bytes::Bytes;

use crate::control::sip::message::{Address, Message, Name, Writer, text};

/// The top Via line of one of our requests; we write one value a line.
fn top_via(request: &Message) -> &[u8] {
    request.header(Name::Via).unwrap_or_default()
}

/// What ACK and CANCEL take over from the INVITE (RFC 3261 §17.1.1.3, §9.1).
fn derived(request: &Message, method: &str, to: &[u8], lines: &[u8]) -> Bytes {
    let mut writer = Writer::request(method.as_bytes(), request.request_uri());
    writer.raw("Via", top_via(request));
    for route in request.headers(Name::Route) {
        writer.raw("Route", route);
    }
    writer.number("Max-Forwards", super::MAX_FORWARDS);
    writer.raw("From", request.header(Name::From).unwrap_or_default());
    writer.raw("To", to);
    writer.raw("Call-ID", request.call_id());
    writer.format("CSeq", format_args!("{} {method}", request.cseq().map_or(0, |cseq| cseq.number)));
    writer.lines(lines);
    writer.finish()
}

/// The ACK of a failure: within the INVITE's transaction, its To from the response.
#[must_use]
pub fn ack_of_failure(invite: &Message, response: &Message) -> Bytes {
    derived(invite, "ACK", response.header(Name::To).unwrap_or_default(), &[])
}

/// The CANCEL of an INVITE, with further header lines such as Reason.
#[must_use]
pub fn cancel_of(invite: &Message, lines: &[u8]) -> Bytes {
    derived(invite, "CANCEL", invite.header(Name::To).unwrap_or_default(), lines)
}

/// What changes when a request is sent once more as a new transaction.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The new Via value.
    pub via: &'a str,
    /// The new CSeq number.
    pub cseq: u32,
    /// Headers put in place of those of their names, as `Authorization`.
    pub headers: &'a [(Name, &'a str)],
    /// The new content of the same kind, where it changes.
    pub body: Option<&'a [u8]>,
}

/// The request once more: same Call-ID, From tag and content (RFC 3261 §8.1.3.5, §22.2).
#[must_use]
pub fn again(request: &Message, change: &Change<'_>) -> Bytes {
    let mut writer = Writer::request(request.method_token(), request.request_uri());
    writer.raw("Via", change.via.as_bytes());
    for (name, text, value) in request.lines() {
        let rewritten = matches!(name, Name::Via | Name::CSeq | Name::ContentLength | Name::ContentType)
            || change.headers.iter().any(|(replaced, _)| *replaced == name);
        if !rewritten {
            writer.lines(text).lines(b": ").lines(value).lines(b"\r\n");
        }
    }
    let method = text::lossy(request.method_token());
    writer.format("CSeq", format_args!("{} {method}", change.cseq));
    for (name, value) in change.headers {
        writer.header(name.text(), value);
    }
    writer.body(&request.content_type(), change.body.unwrap_or(request.body()))
}

/// The same request along another path: a new top Via, and our Contact as `contact` writes it there, its parameters kept.
#[must_use]
pub fn toward(request: &Message, via: &str, contact: impl Fn(&Address<'_>) -> String) -> Bytes {
    let mut writer = Writer::request(request.method_token(), request.request_uri());
    writer.raw("Via", via.as_bytes());
    for (name, text, value) in request.lines() {
        match (name, Address::parse(value)) {
            (Name::Via | Name::ContentLength | Name::ContentType, _) => {}
            (Name::Contact, Ok(ours)) => {
                writer.format("Contact", format_args!("{}{}", contact(&ours), text::lossy(ours.params)));
            }
            _ => drop(writer.lines(text).lines(b": ").lines(value).lines(b"\r\n")),
        }
    }
    writer.body(&request.content_type(), request.body())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Message {
        let text = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\r\nRoute: <sip:p;lr>\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@me>\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0";
        Message::parse(Bytes::from(text)).unwrap()
    }

    #[test]
    fn an_ack_of_a_failure_stays_in_the_transaction() {
        let busy = "SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\n\
             CSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n";
        let ack = ack_of_failure(&invite(), &Message::parse(Bytes::from(busy)).unwrap());
        let expected = "ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\r\nRoute: <sip:p;lr>\r\nMax-Forwards: 70\r\n\
             From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ack, expected);
    }

    #[test]
    fn a_request_along_another_path_changes_via_and_contact_only() {
        let bytes = String::from_utf8(invite().bytes().to_vec()).unwrap().replace("<sip:a@me>", "<sip:a@me>;expires=60");
        let before = Message::parse(Bytes::from(bytes.clone())).unwrap();
        let after = toward(&before, "SIP/2.0/TCP me;branch=z9hG4bK2", |ours| {
            assert_eq!(ours.uri.user, Some(&b"a"[..]));
            "<sip:a@me;transport=tcp>".to_owned()
        });
        let expected = bytes
            .replace("SIP/2.0/UDP me;branch=z9hG4bK1", "SIP/2.0/TCP me;branch=z9hG4bK2")
            .replace("<sip:a@me>", "<sip:a@me;transport=tcp>");
        assert_eq!(String::from_utf8(after.to_vec()).unwrap(), expected);
    }

    #[test]
    fn a_request_again_keeps_its_content() {
        let change = Change { via: "SIP/2.0/UDP me;branch=z9hG4bK2", cseq: 8, headers: &[(Name::Authorization, "Digest x")], body: None };
        let again = Message::parse(again(&invite(), &change)).unwrap();
        assert_eq!(again.cseq().unwrap().number, 8);
        assert_eq!(again.header(Name::Authorization), Some(&b"Digest x"[..]));
        assert_eq!((again.call_id(), again.body()), (&b"c"[..], &b"v=0"[..]));
        assert_eq!(again.headers(Name::Route).count(), 1);
    }
}

//! Dialogs (RFC 3261 §12): who speaks with whom, in which order, along which route.

use bytes::Bytes;

use super::locate::whereabouts;
use super::message::{Address, Message, Method, Name, Scheme, Uri, Writer, text};
use super::transaction::MAX_FORWARDS;
use crate::control::words::sip::{Flow, Transport, Whereabouts};

/// The peer-to-peer relation of a leg, from our side.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: Bytes,
    /// Our From or To value, with our tag.
    pub local: Bytes,
    /// The peer's value, with his tag as soon as he has one.
    pub remote: Bytes,
    /// The peer's tag; empty before he has one.
    pub remote_tag: Bytes,
    /// The CSeq number of our last request.
    pub local_seq: u32,
    /// The CSeq number of his last request.
    pub remote_seq: Option<u32>,
    /// His Contact: the request URI of our requests.
    pub target: Bytes,
    /// The route set in our order.
    pub routes: Vec<Bytes>,
    /// The path his messages come by.
    pub flow: Flow,
    /// Who made the Call-ID: he waits longer after glare.
    pub placed_by: Placed,
    /// Does he sit behind address translation, so that only the path itself reaches him?
    pub reach: Reach,
}

/// Who placed the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// We did.
    ByUs,
    /// The peer did.
    ByPeer,
}

/// Where requests in the dialog go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Where Contact or the top Route says, when that is an address.
    ByAddress,
    /// Back along the path of his messages: his Contact is of a network we cannot see.
    ByFlow,
}

impl Dialog {
    /// The dialog that an INVITE to us makes; `local` is its To with our tag.
    #[must_use]
    pub fn of_invite(invite: &Message, flow: Flow, local: Bytes) -> Dialog {
        Dialog {
            call_id: invite.share(invite.call_id()),
            local,
            remote: invite.share(invite.header(Name::From).unwrap_or_default()),
            remote_tag: invite.share(invite.from().and_then(|from| from.tag()).unwrap_or_default()),
            local_seq: 0,
            remote_seq: invite.cseq().map(|cseq| cseq.number),
            target: target_of(invite),
            routes: invite.values(Name::RecordRoute).map(|value| invite.share(value)).collect(),
            flow,
            placed_by: Placed::ByPeer,
            reach: reach(invite, &flow),
        }
    }

    /// The user part of our side.
    #[must_use]
    pub fn local_user(&self) -> &[u8] {
        Address::parse(&self.local).ok().and_then(|local| local.uri.user).unwrap_or_default()
    }

    /// The dialog as a response to our INVITE has it: his tag, his Contact, the route set in reverse.
    #[must_use]
    pub fn confirmed_by(&self, response: &Message, flow: Flow) -> Dialog {
        let mut routes: Vec<Bytes> = response.values(Name::RecordRoute).map(|value| response.share(value)).collect();
        routes.reverse();
        let target = contact(response);
        Dialog {
            remote: response.share(response.header(Name::To).unwrap_or_default()),
            remote_tag: response.share(response.to().and_then(|to| to.tag()).unwrap_or_default()),
            target: if target.is_empty() { self.target.clone() } else { target },
            routes,
            flow,
            ..self.clone()
        }
    }

    /// A Contact in a re-INVITE, an UPDATE or their 2xx moves the target (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        let target = contact(message);
        if !target.is_empty() {
            self.target = target;
        }
    }

    /// Is the message from the peer of this dialog?
    #[must_use]
    pub fn is_with(&self, call_id: &[u8], remote_tag: &[u8]) -> bool {
        self.call_id == call_id && self.remote_tag == remote_tag
    }

    /// Takes a request's number: false when an older one came later (RFC 3261 §12.2.2).
    pub fn take_remote_seq(&mut self, number: u32) -> bool {
        let fresh = self.remote_seq.is_none_or(|last| number > last);
        if fresh {
            self.remote_seq = Some(number);
        }
        fresh
    }

    /// Begins a request within the dialog with the number `seq` (loose and strict routing, RFC 3261 §12.2.1.1).
    #[must_use]
    pub fn request(&self, method: Method, seq: u32, via: &str) -> Writer {
        let token = method.token();
        let first = self.routes.first().and_then(|route| Address::parse(route).ok());
        let strict = first.filter(|route| route.uri.param("lr").is_none());
        let mut writer = Writer::request(token.as_bytes(), strict.map_or(&self.target[..], |route| route.uri.raw));
        writer.raw("Via", via.as_bytes());
        for route in &self.routes[usize::from(strict.is_some())..] {
            writer.raw("Route", route);
        }
        if strict.is_some() {
            writer.format("Route", format_args!("<{}>", text::lossy(&self.target)));
        }
        writer.number("Max-Forwards", MAX_FORWARDS).raw("From", &self.local).raw("To", &self.remote).raw("Call-ID", &self.call_id);
        writer.format("CSeq", format_args!("{seq} {token}"));
        writer
    }

    /// Where requests go: the top Route or the target when that is a place we may use, else back along the flow.
    #[must_use]
    pub fn next(&self) -> Next {
        let uri = match self.routes.first() {
            Some(route) => Address::parse(route).ok().map(|route| route.uri),
            None if self.reach == Reach::ByFlow => None,
            None => Uri::parse(&self.target).ok(),
        };
        let Some(uri) = uri.filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips)) else { return Next::Along(self.flow) };
        let along = match uri.socket() {
            // The same host over a stream: the connection stands already (RFC 5923). Only when it broke, his own port is tried.
            Some(place) if place.ip() == self.flow.remote.ip() && self.flow.transport.is_reliable() => {
                let dialled = place != self.flow.remote && !self.flow.transport.is_websocket();
                let again = Flow { remote: place, connection: None, ..self.flow };
                return if dialled { Next::AlongOr(self.flow, again) } else { Next::Along(self.flow) };
            }
            Some(place) if place != self.flow.remote => Flow { remote: place, connection: None, ..self.flow },
            Some(_) => self.flow,
            // A name: whoever cannot wait for DNS, or gets no answer, goes where the messages come from.
            None => return whereabouts(&uri).map_or(Next::Along(self.flow), |question| Next::To(question, self.flow)),
        };
        // Most URIs name no transport: then nothing of them need be copied.
        let plain = uri.scheme == Scheme::Sip && uri.param("transport").is_none();
        let named = if plain { None } else { whereabouts(&uri) };
        match named {
            Some(question) if question.wished().is_some_and(|wished| !is_same(wished, self.flow.transport)) => Next::To(question, along),
            _ => Next::Along(along),
        }
    }
}

/// Where requests of a dialog go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Along this path.
    Along(Flow),
    /// Along the first path; when that is broken, along the second.
    AlongOr(Flow, Flow),
    /// Where this leads, and else along this path.
    To(Whereabouts, Flow),
}

/// A URI does not tell the kinds of WebSocket apart.
fn is_same(wished: Transport, ours: Transport) -> bool {
    wished == ours || wished.is_websocket() && ours.is_websocket()
}

/// The URI of the first Contact; empty when there is none.
fn contact(message: &Message) -> Bytes {
    message.address(Name::Contact).map_or_else(Bytes::new, |contact| message.share(contact.uri.raw))
}

/// Where an INVITE's sender is reached; one of RFC 2543 without Contact at his From.
fn target_of(invite: &Message) -> Bytes {
    let target = contact(invite);
    match invite.from() {
        Some(from) if target.is_empty() => invite.share(from.uri.raw),
        _ => target,
    }
}

/// A request that came straight from its sender, whose Via or Contact shows another address than its packets, is translated on the way.
fn reach(request: &Message, flow: &Flow) -> Reach {
    let straight = request.values(Name::Via).count() == 1;
    let seen = |host: &[u8]| std::str::from_utf8(host).ok().and_then(|host| host.parse().ok()) == Some(flow.remote.ip());
    let honest =
        request.via().is_some_and(|via| seen(via.host)) && request.address(Name::Contact).is_some_and(|contact| seen(contact.uri.host));
    if straight && !honest { Reach::ByFlow } else { Reach::ByAddress }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::words::sip::ListenerId;

    fn flow(remote: &str) -> Flow {
        Flow { listener: ListenerId(0), transport: Transport::Udp, remote: remote.parse().unwrap(), connection: None }
    }

    fn invite(headers: &str) -> Message {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\n{headers}\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn dialog(headers: &str, remote: &str) -> Dialog {
        Dialog::of_invite(&invite(headers), flow(remote), Bytes::from_static(b"<sip:b@h>;tag=ours"))
    }

    fn bye(dialog: &Dialog) -> Message {
        Message::parse(dialog.request(Method::Bye, 1, "SIP/2.0/UDP me;branch=z9hG4bK2").finish()).unwrap()
    }

    #[test]
    fn without_a_route_the_request_goes_to_the_contact() {
        let dialog = dialog("Contact: <sip:a@192.0.2.1:5070>\r\n", "192.0.2.1:5060");
        assert_eq!(bye(&dialog).request_uri(), b"sip:a@192.0.2.1:5070");
        assert_eq!(dialog.next(), Next::Along(flow("192.0.2.1:5070")));
        assert_eq!(bye(&dialog).from().unwrap().tag(), Some(&b"ours"[..]));
    }

    #[test]
    fn a_translated_peer_is_reached_along_his_path() {
        let dialog = dialog("Contact: <sip:a@10.0.0.7:5070>\r\n", "192.0.2.1:61000");
        assert_eq!(dialog.next(), Next::Along(flow("192.0.2.1:61000")));
        assert_eq!(bye(&dialog).request_uri(), b"sip:a@10.0.0.7:5070");
    }

    #[test]
    fn a_loose_route_is_kept_and_leads_the_way() {
        let dialog = dialog("Contact: <sip:a@192.0.2.1>\r\nRecord-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>\r\n", "192.0.2.9:5060");
        let bye = bye(&dialog);
        assert_eq!(bye.request_uri(), b"sip:a@192.0.2.1");
        assert_eq!(bye.values(Name::Route).collect::<Vec<_>>(), [&b"<sip:192.0.2.9;lr>"[..], b"<sip:192.0.2.8;lr>"]);
        assert_eq!(dialog.next(), Next::Along(flow("192.0.2.9:5060")));
    }

    #[test]
    fn a_route_that_is_a_name_or_another_transport_is_asked_for() {
        let invite = "Contact: <sip:a@192.0.2.1>\r\nRecord-Route: <sip:edge.example;transport=tcp;lr>\r\n";
        let Next::To(question, otherwise) = dialog(invite, "192.0.2.9:5060").next() else { panic!("a name must be asked for") };
        assert_eq!((question.host.as_str(), question.transport, otherwise), ("edge.example", Some(Transport::Tcp), flow("192.0.2.9:5060")));
        let invite = "Contact: <sip:a@192.0.2.1>\r\nRecord-Route: <sip:192.0.2.9;transport=tcp;lr>\r\n";
        assert!(matches!(dialog(invite, "192.0.2.9:5060").next(), Next::To(..)), "UDP is not what the proxy asks for");
        let invite = "Contact: <sip:x@df7jal23ls0d.invalid;transport=ws>\r\n";
        assert_eq!(dialog(invite, "192.0.2.9:5060").next(), Next::Along(flow("192.0.2.9:5060")));
    }

    #[test]
    fn a_strict_router_gets_the_request_uri() {
        let dialog = dialog("Contact: <sip:a@192.0.2.1>\r\nRecord-Route: <sip:192.0.2.9>, <sip:192.0.2.8;lr>\r\n", "192.0.2.9:5060");
        let bye = bye(&dialog);
        assert_eq!(bye.request_uri(), b"sip:192.0.2.9");
        assert_eq!(bye.values(Name::Route).collect::<Vec<_>>(), [&b"<sip:192.0.2.8;lr>"[..], b"<sip:a@192.0.2.1>"]);
    }

    #[test]
    fn the_callers_route_set_is_the_reverse_of_the_response() {
        let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\r\nFrom: <sip:b@h>;tag=ours\r\nTo: <sip:a@h>;tag=t\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:new@192.0.2.3>\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n\r\n";
        let response = Message::parse(Bytes::from(response)).unwrap();
        let dialog = dialog("Contact: <sip:a@192.0.2.1>\r\n", "192.0.2.1:5060").confirmed_by(&response, flow("192.0.2.1:5060"));
        assert_eq!(dialog.routes, [&b"<sip:p2;lr>"[..], b"<sip:p1;lr>"]);
        assert_eq!((&dialog.remote_tag[..], &dialog.target[..]), (&b"t"[..], &b"sip:new@192.0.2.3"[..]));
        assert!(dialog.is_with(b"c", b"t") && !dialog.is_with(b"c", b"u"));
    }

    #[test]
    fn an_older_number_is_out_of_order() {
        let mut dialog = dialog("Contact: <sip:a@192.0.2.1>\r\n", "192.0.2.1:5060");
        assert!(!dialog.take_remote_seq(6) && !dialog.take_remote_seq(7));
        assert!(dialog.take_remote_seq(9) && !dialog.take_remote_seq(8));
    }
}

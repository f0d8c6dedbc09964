//! The torture messages of RFC 4475 and RFC 5118 through a whole endpoint: what comes in, what goes out, what the owner is told.

mod rfc4475;
mod rfc5118;

use std::sync::Arc;

use bytes::Bytes;

use super::auth::{Challenge, Proof};
use super::endpoint::{Settings, stateless};
use super::message::{Malformed, Message, Name};
use super::{Endpoint, Happening, Invited, Received};
use crate::control::sdp::{self, Local};
use crate::control::time::Time;
use crate::control::words::directory::{Ha1, Listener};
use crate::control::words::media::{Codec, Stream};
use crate::control::words::sip::{Flow, ListenerId, Transport};

const START: Time = Time(1_795_000_000_000_000);
const PASSWORD: &str = "secret";

/// The bytes of a message's file.
macro_rules! file {
    ($name:literal) => {
        bytes::Bytes::from_static(include_bytes!(concat!($name, ".sip")))
    };
}
use file;

fn parse(bytes: &Bytes) -> Message {
    Message::parse(bytes.clone()).unwrap()
}

/// Our answer to an offer: the stream, or the status it is refused with.
fn answered(offer: &[u8]) -> Result<Stream, u16> {
    let local = Local::plain([192, 0, 2, 2], 4_000, vec![Codec::Pcma, Codec::Pcmu]);
    sdp::answer(&local, offer).map(|(_, stream)| stream).map_err(|refused| refused.status)
}

/// The transport a message came over.
fn flow(transport: Transport) -> Flow {
    Flow { listener: ListenerId(0), transport, remote: "192.0.2.77:5060".parse().unwrap(), connection: None }
}

fn endpoint(users: &[&str]) -> Endpoint {
    let address = "192.0.2.2:5060".parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    let mut settings = Settings::new(vec![listener], "example.com", 7);
    let known = users.iter().map(|user| ((*user).to_owned(), Ha1::of_password(user, "example.com", PASSWORD)));
    settings.users = Arc::new(known.collect());
    Endpoint::new(START, 1, settings)
}

/// What an endpoint made of a message.
struct Seen {
    answers: Vec<Bytes>,
    told: Vec<Happening>,
}

/// Gives the endpoint what stands on the wire; what does not parse is answered by the door.
fn give(end: &mut Endpoint, bytes: &Bytes, transport: Transport) -> Seen {
    let mut answers = Vec::new();
    match Message::parse(bytes.clone()) {
        Ok(message) => {
            assert_eq!(message.print()[..], bytes[..], "print of parse is the same");
            end.receive(START, Received { flow: flow(transport), message });
        }
        Err(Malformed { status, why, salvage }) => {
            // It repeats what was wrong, so that the sender finds his transaction: it need not parse.
            let answer = salvage.and_then(|request| stateless(&request, flow(transport), status, &why, None));
            answers.extend(answer.map(|(_, bytes)| bytes));
        }
    }
    answers.extend(std::iter::from_fn(|| end.poll_transmit()).map(|sent| sent.bytes));
    // What a proof was worth is the guard's matter.
    let told = std::iter::from_fn(|| end.poll_happening()).filter(|told| !matches!(told, Happening::Proof { .. }));
    Seen { answers, told: told.collect() }
}

/// What a center without users makes of it, over UDP.
fn seen(bytes: &Bytes) -> Seen {
    give(&mut endpoint(&[]), bytes, Transport::Udp)
}

impl Seen {
    fn bytes(&self) -> &Bytes {
        let lines: Vec<_> =
            self.answers.iter().map(|answer| String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()).collect();
        assert_eq!(lines.len(), 1, "one answer, not {lines:?}");
        &self.answers[0]
    }

    /// The one answer.
    fn answer(&self) -> Message {
        Message::parse(self.bytes().clone()).expect("our answer parses")
    }

    /// The call that was taken; 100 is out.
    fn call(&self) -> &Invited {
        assert_eq!(self.answer().status(), 100);
        match &self.told[..] {
            [Happening::Invited(invited)] => invited,
            other => panic!("no call: {other:?}"),
        }
    }

    /// The request is refused with this status and a word about why, and nobody is told.
    fn is_refused(&self, status: u16, why: &str) {
        let whole = String::from_utf8_lossy(self.bytes()).into_owned();
        assert!(whole.starts_with(&format!("SIP/2.0 {status} ")) && whole.contains(why), "{status} {why}, not:\n{whole}");
        assert_eq!(self.told, []);
    }

    /// Nothing comes of it.
    fn is_dropped(&self) {
        assert!(self.answers.is_empty() && self.told.is_empty());
    }
}

/// A REGISTER of `user`: challenged, proven, and the contacts that stand then.
fn registered(bytes: &Bytes, user: &str) -> Vec<String> {
    let mut end = endpoint(&[user]);
    let seen = give(&mut end, bytes, Transport::Udp);
    assert_eq!(seen.answer().status(), 401);
    let challenge = Challenge::of_response(&seen.answer()).expect("a challenge").0;
    let request = Message::parse(bytes.clone()).unwrap();
    let proof = Proof { user, password: PASSWORD, method: b"REGISTER", uri: request.request_uri(), count: 1, cnonce: "c" };
    let again = proven(&request, &proof.answer(&challenge));
    let seen = give(&mut end, &again, Transport::Udp);
    assert_eq!(seen.answer().status(), 200);
    let contacts: Vec<String> = end.contacts(START, user).into_iter().rev().map(|contact| contact.uri).collect();
    let told = [Happening::Registered { user: user.to_owned(), contacts: contacts.len() }];
    assert!(contacts.is_empty() || seen.told == told, "{:?}", seen.told);
    contacts
}

/// The request once more with a proof: byte for byte, but for its own transaction.
fn proven(request: &Message, proof: &str) -> Bytes {
    let mut bytes = [b"REGISTER ", request.request_uri(), b" SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKproof\r\n"].concat();
    for (_, text, value) in request.lines().filter(|(name, _, _)| !matches!(name, Name::Via | Name::CSeq)) {
        bytes.extend_from_slice(&[text, b": ", value, b"\r\n"].concat());
    }
    let cseq = request.cseq().unwrap().number + 1;
    bytes.extend_from_slice(format!("CSeq: {cseq} REGISTER\r\nAuthorization: {proof}\r\n\r\n").as_bytes());
    Bytes::from(bytes)
}

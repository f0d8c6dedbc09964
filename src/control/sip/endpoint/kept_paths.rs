//! Phones that keep their path to us open themselves (RFC 5626).

use super::pair::{START, flow_to};
use super::strangers::{endpoint, request, sent};
use super::*;
use crate::control::sip::auth::{Challenge, Proof};
use crate::control::sip::message::{Message, Name};
use crate::control::words::directory::Ha1;

/// Registers anna's phone with these headers, by digest; our answer.
fn registered(transport: Transport, headers: &str) -> Message {
    let mut end = endpoint();
    end.settings.users = std::sync::Arc::new([("anna".to_owned(), Ha1::of_password("anna", "center", "secret"))].into());
    let give = |end: &mut Endpoint, branch: &str, more: &str| {
        let text = request("REGISTER", branch, 1, "", &format!("{headers}{more}")).replace("<sip:b@h>", "<sip:anna@h>");
        let text = text.replace("Contact: <sip:a@192.0.2.1>\r\n", "").replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", transport.token()));
        let message = Message::parse(Bytes::from(text)).unwrap();
        end.receive(START, Received { flow: flow_to(0, transport), message });
        sent(end).pop().expect("an answer")
    };
    let asked = give(&mut end, "one", "");
    let (challenge, _) = Challenge::of_response(&asked).expect("a challenge");
    let proof = Proof { user: "anna", password: "secret", method: b"REGISTER", uri: b"sip:1@192.0.2.2", count: 1, cnonce: "abc" };
    give(&mut end, "two", &format!("Authorization: {}\r\n", proof.answer(&challenge)))
}

#[test]
fn s37_a_phone_that_keeps_its_path_open_is_told_that_it_is_called_along_it() {
    const CONTACT: &str = "Contact: <sip:anna@192.0.2.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    for (what, headers, told) in [
        ("a phone of RFC 5626", format!("{CONTACT}Supported: path, outbound\r\n"), true),
        ("one that does not speak of it", CONTACT.to_owned(), false),
        ("one without a number for its path", format!("{}Supported: outbound\r\n", CONTACT.replace(";reg-id=1", "")), false),
        ("one without an identity", "Contact: <sip:anna@192.0.2.1>;reg-id=1\r\nSupported: outbound\r\n".to_owned(), false),
        ("one behind a proxy", format!("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp\r\n{CONTACT}Supported: outbound\r\n"), false),
    ] {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws] {
            let ok = registered(transport, &headers);
            assert_eq!(ok.status(), 200, "{what}");
            assert_eq!(ok.lists(Name::Require, "outbound"), told, "{what} over {transport:?}");
        }
    }
}

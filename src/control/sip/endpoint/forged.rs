//! What a datagram can do that says to come from a phone of ours.

use std::time::Duration;

use super::pair::{Pair, START, Wire, flow_to};
use super::strangers::{endpoint, lines, request, sent, told};
use super::*;
use crate::control::sip::message::Message;
use crate::control::words::directory::Credentials;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn s80_a_phone_without_a_password_is_believed_over_connections_and_in_trusted_networks_only() {
    for (transport, unforged, believed) in [
        (Transport::Udp, "", false),
        (Transport::Udp, "198.51.100.0/24", false),
        (Transport::Udp, "192.0.2.0/24", true),
        (Transport::Tcp, "", true),
        (Transport::Tls, "", true),
    ] {
        for method in ["INVITE", "SUBSCRIBE"] {
            let mut end = endpoint();
            end.settings.fixed = std::sync::Arc::new(BTreeMap::from([("a".to_owned(), "192.0.2.1".parse().unwrap())]));
            end.settings.unforged = unforged.parse().into_iter().collect();
            let text = request(method, "f", 1, "", "Event: dialog\r\n");
            let message = Message::parse(Bytes::from(text)).unwrap();
            end.receive(START, Received { flow: flow_to(0, transport), message });
            let news = told(&mut end);
            let answers = sent(&mut end);
            let seen = format!("{method} {transport:?} {unforged}: {news:?} {:?}", lines(&answers));
            match believed {
                true => assert!(
                    news.iter().any(|news| matches!(news, Happening::Watching { .. })
                        || matches!(news, Happening::Invited(invited) if invited.authenticated.as_deref() == Some("a"))),
                    "{seen}"
                ),
                false => {
                    assert_eq!((news.len(), answers[0].status()), (0, 403), "{seen}");
                    let why = String::from_utf8_lossy(answers[0].other("Warning").unwrap()).into_owned();
                    assert!(why.contains("no password") && why.contains("trusted in [guard]"), "{why}");
                    assert_eq!(end.counts(), Counts::default(), "nothing is kept of it");
                }
            }
        }
    }
}

#[test]
fn s80_a_registered_phone_proves_each_call_over_udp_and_none_over_its_connection() {
    for (transport, unforged, challenges) in [(Transport::Udp, "", 1), (Transport::Udp, "192.0.2.1", 0), (Transport::Tcp, "", 0)] {
        let mut pair = Pair::over(transport, 1, Wire::default()).with_users(&["anna"]);
        pair.ends[1].settings.unforged = unforged.parse().into_iter().collect();
        let registration = Registration {
            target: flow_to(1, transport).into(),
            registrar: "sip:center".to_owned(),
            record: "sip:anna@center".to_owned(),
            user: "anna".to_owned(),
            expires: 600 * SECOND,
            errand: Errand::Bind,
            credentials: Some(Credentials { user: "anna".to_owned(), password: "secret".to_owned() }),
        };
        pair.ends[0].register(START, registration);
        pair.run(SECOND, |_, _, _, _| ());
        let before = pair.count("SIP/2.0 401");
        pair.call("anna", Some("secret"));
        pair.run(SECOND, |_, _, _, _| ());
        let called =
            pair.told[1].iter().any(|told| matches!(told, Happening::Invited(invited) if invited.authenticated.as_deref() == Some("anna")));
        assert!(called, "{transport:?} {unforged}: {:?}", pair.told[1]);
        assert_eq!(pair.count("SIP/2.0 401") - before, challenges, "{transport:?} {unforged}");
    }
}

//! The endpoint against another one over good and bad wires.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{Pair, START, Wire, answers, flow_to};
use super::*;
use crate::control::words::directory::Credentials;

const SECOND: Duration = Duration::from_secs(1);
/// After the last message everything must be forgotten within this time.
const QUIET: Duration = Duration::from_secs(80);

fn nothing(_: &mut Endpoint, _: usize, _: Time, _: &Happening) {}

fn leg_of(told: &[Happening]) -> LegId {
    let invited = told.iter().find_map(|happening| match happening {
        Happening::Invited(invited) => Some(invited.leg),
        _ => None,
    });
    invited.expect("a call came in")
}

#[test]
fn a_call_is_answered_and_hung_up_with_the_fewest_messages() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.run(SECOND, answers);
    pair.ends[0].hang_up(pair.now, leg, &[("Reason", "SIP;cause=200")]);
    pair.run(QUIET, nothing);
    assert_eq!(
        pair.lines_of(0),
        ["INVITE sip:4001010@192.0.2.2 SIP/2.0", "ACK sip:4001010@192.0.2.2:5060 SIP/2.0", "BYE sip:4001010@192.0.2.2:5060 SIP/2.0"]
    );
    assert_eq!(pair.lines_of(1), ["SIP/2.0 180 Ringing", "SIP/2.0 200 OK", "SIP/2.0 200 OK"]);
    let answer = Bytes::from_static(b"answer");
    let expected = [Happening::Progress { leg, status: 180, sdp: None }, Happening::Answered { leg, sdp: answer }];
    assert_eq!(pair.told[0], expected);
    let there = leg_of(&pair.told[1]);
    assert_eq!(
        pair.told[1][1..],
        [
            Happening::Confirmed { leg: there, sdp: None },
            Happening::Because { leg: there, reason: "SIP;cause=200".to_owned() },
            Happening::HungUp { leg: there }
        ]
    );
    pair.assert_empty();
}

#[test]
fn what_the_owner_is_told_of_a_call() {
    let mut pair = Pair::new(1, Wire::default());
    pair.call("13800138000", None);
    pair.run(SECOND, nothing);
    let Happening::Invited(invited) = &pair.told[1][0] else { panic!("no call came in") };
    assert_eq!((invited.user.as_str(), invited.caller.as_str()), ("4001010", "13800138000"));
    assert_eq!(invited.caller_name.as_deref(), Some("A Caller"));
    assert_eq!((invited.request_uri.as_str(), invited.sdp.as_deref()), ("sip:4001010@192.0.2.2", Some(&b"offer"[..])));
    assert!(invited.headers.contains(&("X-Test".to_owned(), "1".to_owned())));
    assert_eq!(invited.authenticated, None);
}

#[test]
fn the_callee_hangs_up_before_the_ack_and_bye_waits_for_it() {
    let mut pair = Pair::new(1, Wire::default());
    pair.call("caller", None);
    pair.run(SECOND, |end, _, now, happening| {
        if let Happening::Invited(invited) = happening {
            end.answer(now, invited.leg, Bytes::from_static(b"answer"));
            end.hang_up(now, invited.leg, &[]);
        }
    });
    pair.run(QUIET, nothing);
    let lines: Vec<&str> = pair.sent.iter().map(|(_, line)| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["INVITE", "SIP/2.0", "ACK", "BYE", "SIP/2.0"]);
    assert!(matches!(pair.told[0][1], Happening::HungUp { .. }));
    pair.assert_empty();
}

#[test]
fn a_call_is_cancelled() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.ends[0].hang_up(pair.now, leg, &[]);
    pair.run(QUIET, nothing);
    assert_eq!(pair.count("CANCEL"), 1);
    assert_eq!(pair.told[0], [Happening::Refused { leg, status: 487 }]);
    assert_eq!(pair.told[1][1..], [Happening::Cancelled { leg: leg_of(&pair.told[1]) }]);
    pair.assert_empty();
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.run(Duration::from_millis(8), nothing);
    let there = leg_of(&pair.told[1]);
    pair.run(Duration::from_millis(4), nothing);
    pair.ends[1].answer(pair.now, there, Bytes::from_static(b"answer"));
    pair.ends[0].hang_up(pair.now, leg, &[]);
    pair.run(QUIET, nothing);
    assert_eq!((pair.count("CANCEL"), pair.count("ACK"), pair.count("BYE")), (1, 1, 1));
    assert_eq!(pair.told[0], [Happening::Refused { leg, status: 487 }]);
    assert!(pair.told[1].contains(&Happening::HungUp { leg: there }));
    pair.assert_empty();
}

#[test]
fn a_busy_callee_refuses() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.run(QUIET, |end, _, now, happening| {
        if let Happening::Invited(invited) = happening {
            end.refuse(now, invited.leg, 486, &[("Retry-After", "9")]);
        }
    });
    assert_eq!(pair.told[0], [Happening::Refused { leg, status: 486 }]);
    assert_eq!(pair.count("ACK"), 1);
    pair.assert_empty();
}

#[test]
fn nobody_there_is_408_and_a_broken_stream_503() {
    let mut pair = Pair::new(1, Wire { loss: 100, ..Wire::default() });
    let leg = pair.call("caller", None);
    pair.run(QUIET, nothing);
    assert_eq!(pair.told[0], [Happening::Refused { leg, status: 408 }]);
    assert_eq!(pair.count("INVITE"), 7);
    pair.assert_empty();
    let mut pair = Pair::over(Transport::Tcp, 1, Wire { loss: 100, ..Wire::default() });
    let leg = pair.call("caller", None);
    pair.run(SECOND, nothing);
    pair.ends[0].broken(pair.now, flow_to(1, Transport::Tcp));
    pair.run(QUIET, nothing);
    assert_eq!(pair.told[0], [Happening::Refused { leg, status: 503 }]);
    pair.assert_empty();
}

#[test]
fn without_an_ack_the_200_is_sent_eleven_times_and_the_leg_is_lost() {
    let mut pair = Pair::new(1, Wire::default());
    pair.call("caller", None);
    pair.run(Duration::from_millis(7), nothing);
    let there = leg_of(&pair.told[1]);
    pair.ends[1].answer(pair.now, there, Bytes::from_static(b"answer"));
    while pair.ends[1].poll_timeout().is_some() {
        let at = pair.ends[1].poll_timeout().unwrap();
        pair.ends[1].handle_timeout(at);
    }
    let mut sent = Vec::new();
    while let Some(transmit) = pair.ends[1].poll_transmit() {
        sent.push(transmit.bytes.slice(..11));
    }
    assert_eq!(sent.iter().filter(|line| **line == b"SIP/2.0 200"[..]).count(), 11);
    assert!(sent.iter().any(|line| line.starts_with(b"BYE")));
    assert_eq!(pair.ends[1].poll_happening(), Some(Happening::Lost { leg: there, why: "no ACK came for our 200" }));
    assert_eq!(pair.ends[1].counts(), Counts::default());
}

#[test]
fn s23_offers_go_both_ways_within_a_call() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.run(SECOND, answers);
    let there = leg_of(&pair.told[1]);
    pair.ends[0].reoffer(pair.now, leg, Bytes::from_static(b"hold"));
    pair.run(SECOND, answers);
    pair.ends[1].reoffer(pair.now, there, Bytes::from_static(b"other"));
    pair.run(SECOND, answers);
    assert!(pair.told[1].contains(&Happening::Offered { leg: there, sdp: Some(Bytes::from_static(b"hold")) }));
    assert!(pair.told[0].contains(&Happening::Reanswered { leg, sdp: Bytes::from_static(b"again") }));
    assert!(pair.told[0].contains(&Happening::Offered { leg, sdp: Some(Bytes::from_static(b"other")) }));
    assert!(pair.told[1].contains(&Happening::Reanswered { leg: there, sdp: Bytes::from_static(b"again") }));
    pair.ends[1].hang_up(pair.now, there, &[]);
    pair.run(QUIET, nothing);
    pair.assert_empty();
}

#[test]
fn two_offers_at_once_meet_491_and_both_come_through() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, Wire::default());
        let leg = pair.call("caller", None);
        pair.run(SECOND, answers);
        let there = leg_of(&pair.told[1]);
        pair.ends[0].reoffer(pair.now, leg, Bytes::from_static(b"mine"));
        pair.ends[1].reoffer(pair.now, there, Bytes::from_static(b"yours"));
        pair.run(10 * SECOND, answers);
        assert_eq!(pair.count("SIP/2.0 491"), 2);
        assert!(pair.told[0].contains(&Happening::Reanswered { leg, sdp: Bytes::from_static(b"again") }));
        assert!(pair.told[1].contains(&Happening::Reanswered { leg: there, sdp: Bytes::from_static(b"again") }));
    }
}

#[test]
fn s80_a_phone_registers_by_digest_calls_as_itself_and_leaves() {
    let mut pair = Pair::new(1, Wire::default()).with_users(&["anna"]);
    let registration = Registration {
        target: flow_to(1, Transport::Udp).into(),
        registrar: "sip:center".to_owned(),
        record: "sip:anna@center".to_owned(),
        user: "anna".to_owned(),
        expires: Duration::from_secs(10),
        errand: Errand::Bind,
        credentials: Some(Credentials { user: "anna".to_owned(), password: "secret".to_owned() }),
    };
    pair.ends[0].register(START, registration);
    pair.run(100 * SECOND, nothing);
    assert_eq!(pair.told[0][0], Happening::SignedOn { user: "anna".to_owned(), expires: Duration::from_secs(60) });
    assert!(pair.told[0].len() >= 3, "it refreshes by itself");
    let contact = &pair.ends[1].contacts(pair.now, "anna")[0];
    assert_eq!((contact.uri.as_str(), contact.flow), ("sip:anna@192.0.2.1:5060", flow_to(0, Transport::Udp)));
    pair.call("anna", Some("secret"));
    pair.run(SECOND, nothing);
    let called =
        pair.told[1].iter().any(|told| matches!(told, Happening::Invited(invited) if invited.authenticated.as_deref() == Some("anna")));
    assert!(called);
    pair.ends[0].unregister(pair.now, "anna");
    pair.run(SECOND, nothing);
    assert_eq!(pair.ends[1].counts().bindings, 0);
    assert_eq!(pair.told[1].last(), Some(&Happening::Registered { user: "anna".to_owned(), contacts: 0 }));
}

#[test]
fn s37_a_phone_behind_a_proxy_is_called_through_it() {
    let mut pair = Pair::new(1, Wire::default());
    let register = "REGISTER sip:center SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:anna@center>;tag=1\r\nTo: <sip:anna@center>\r\nCall-ID: r\r\n\
                    CSeq: 1 REGISTER\r\nContact: <sip:anna@10.0.0.7>\r\nPath: <sip:192.0.2.2;lr>, <sip:inner;lr>\r\n\r\n";
    let register = crate::control::sip::message::Message::parse(Bytes::from(register)).unwrap();
    let end = &mut pair.ends[0];
    end.registrar.register(START, "anna", &register, flow_to(1, Transport::Udp), &Limits::default()).unwrap();
    let Contact { uri, flow, routes, .. } = end.contacts(START, "anna").remove(0);
    let leg = end.new_leg(START);
    let (from, to) = ("<sip:4001010@center>".to_owned(), format!("<{uri}>"));
    let (headers, sdp, manner) = (Vec::new(), Bytes::from_static(b"offer"), Manner { routes, ..Manner::default() });
    end.invite(START, leg, Outgoing { target: flow.into(), request_uri: uri, from, to, headers, sdp, credentials: None, manner });
    let invite = crate::control::sip::message::Message::parse(end.poll_transmit().unwrap().bytes).unwrap();
    assert_eq!(invite.request_uri(), b"sip:anna@10.0.0.7");
    let routes: Vec<_> = invite.values(crate::control::sip::message::Name::Route).collect();
    assert_eq!(routes, [&b"<sip:192.0.2.2;lr>"[..], b"<sip:inner;lr>"]);
}

#[test]
fn s80_whoever_says_to_be_an_agent_must_prove_it() {
    for (password, outcome) in [(Some("secret"), true), (Some("wrong"), false), (None, false)] {
        let mut pair = Pair::new(1, Wire::default()).with_users(&["anna"]);
        let leg = pair.call("anna", password);
        pair.run(SECOND, answers);
        assert_eq!(pair.told[0].iter().any(|told| matches!(told, Happening::Answered { .. })), outcome, "{password:?}");
        let status = if password.is_some() { 403 } else { 401 };
        assert_eq!(pair.told[0].contains(&Happening::Refused { leg, status }), !outcome);
        assert!(outcome || pair.told[1].iter().all(|told| matches!(told, Happening::Proof { .. })));
        pair.ends[0].hang_up(pair.now, leg, &[]);
        pair.run(QUIET, nothing);
        pair.assert_empty();
    }
}

#[test]
fn a_full_or_draining_endpoint_takes_no_call_but_serves_those_it_has() {
    let mut pair = Pair::new(1, Wire::default());
    let first = pair.call("caller", None);
    pair.run(SECOND, answers);
    pair.ends[1].set_accepting(Accepting::Full { retry_after: 7 * SECOND });
    let second = pair.call("caller", None);
    pair.run(SECOND, answers);
    pair.ends[1].set_accepting(Accepting::Draining);
    let third = pair.call("caller", None);
    pair.run(SECOND, answers);
    for leg in [second, third] {
        assert!(pair.told[0].contains(&Happening::Refused { leg, status: 503 }));
    }
    pair.ends[0].reoffer(pair.now, first, Bytes::from_static(b"hold"));
    pair.run(SECOND, answers);
    assert!(pair.told[0].contains(&Happening::Reanswered { leg: first, sdp: Bytes::from_static(b"again") }));
    pair.ends[0].hang_up(pair.now, first, &[]);
    pair.run(QUIET, nothing);
    pair.assert_empty();
}

#[test]
fn keys_and_transfers_travel_within_the_call() {
    let mut pair = Pair::new(1, Wire::default());
    let leg = pair.call("caller", None);
    pair.run(SECOND, answers);
    let there = leg_of(&pair.told[1]);
    pair.ends[0].send_key(pair.now, leg, '#');
    pair.ends[0].refer(pair.now, leg, "sip:ben@center");
    pair.run(SECOND, |end, _, now, happening| {
        if let Happening::Referred { leg, .. } = happening {
            end.notify_refer(now, *leg, 200);
        }
    });
    assert!(pair.told[1].contains(&Happening::Key { leg: there, key: '#' }));
    assert!(pair.told[1].contains(&Happening::Referred { leg: there, to: "sip:ben@center".to_owned(), consulted: None }));
    let progress: Vec<_> = pair.told[0].iter().filter(|told| matches!(told, Happening::TransferProgress { .. })).collect();
    assert_eq!(progress, [&Happening::TransferProgress { leg, status: 100 }, &Happening::TransferProgress { leg, status: 200 }]);
}

#[test]
fn calls_over_bad_wires_end_at_both_sides_and_leave_nothing() {
    for seed in 0..300 {
        let wire = Wire { loss: 5 + seed % 30, double: seed % 15, jitter: seed % 700 };
        let mut pair = Pair::new(seed, wire);
        let leg = pair.call("caller", None);
        pair.run(Duration::from_millis(seed * 97 % 9_000), answers);
        if seed % 3 == 0 {
            pair.ends[0].reoffer(pair.now, leg, Bytes::from_static(b"hold"));
        }
        pair.run(3 * SECOND, answers);
        match (seed % 2, pair.told[1].first()) {
            (1, Some(Happening::Invited(invited))) => {
                let there = invited.leg;
                pair.ends[1].hang_up(pair.now, there, &[]);
            }
            _ => pair.ends[0].hang_up(pair.now, leg, &[]),
        }
        pair.run(3 * QUIET, answers);
        pair.assert_empty();
        for told in &pair.told {
            let ends = told.iter().filter(|told| is_end(told)).count();
            assert!(ends <= 1, "seed {seed}: {told:?}");
        }
        assert!(pair.told[1].iter().filter(|told| matches!(told, Happening::Invited(_))).count() <= 1, "seed {seed}");
    }
}

fn is_end(happening: &Happening) -> bool {
    use Happening::{Cancelled, HungUp, Lost, Refused};
    matches!(happening, Refused { .. } | Cancelled { .. } | HungUp { .. } | Lost { .. })
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let run = || {
        let mut pair = Pair::new(457, Wire { loss: 20, double: 10, jitter: 300 });
        pair.call("caller", None);
        pair.run(5 * SECOND, answers);
        (pair.sent, format!("{:?}", pair.told))
    };
    assert_eq!(run(), run());
}

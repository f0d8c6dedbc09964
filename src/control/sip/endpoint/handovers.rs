//! REFER (RFC 3515, RFC 4488) and Replaces (RFC 3891) as tables.

use bytes::Bytes;

use super::pair::{START, flow_to};
use super::strangers::{calling, endpoint, established, give, lines, request, response, sent, told};
use super::*;
use crate::control::sip::happening::Consulted;
use crate::control::sip::message::{Message, Name};

fn header(message: &Message, name: Name) -> String {
    String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned()
}

#[test]
fn what_comes_of_a_refer() {
    for (headers, status, to) in [
        ("Refer-To: <sip:ben@h>\r\n", 202, Some("sip:ben@h")),
        ("r: \"Ben\" <sip:ben@h;user=phone>\r\n", 202, Some("sip:ben@h;user=phone")),
        ("Refer-To: sip:ben@h\r\n", 202, Some("sip:ben@h")),
        ("Refer-To: <sip:ben@h?Subject=x>\r\n", 202, Some("sip:ben@h")),
        ("Refer-To: <tel:+861>\r\n", 202, Some("tel:+861")),
        ("", 400, None),
        ("Refer-To: <sip:a@h>\r\nRefer-To: <sip:b@h>\r\n", 400, None),
        ("Refer-To: <sip:a@h>, <sip:b@h>\r\n", 400, None),
        ("Refer-To: <sip:ben@h;method=BYE>\r\n", 603, None),
        ("Refer-To: <sip:ben@h?Replaces=c%3Bto-tag%3D1>\r\n", 400, None),
    ] {
        let mut end = endpoint();
        let (leg, tag) = established(&mut end, "");
        give(&mut end, START, &request("REFER", "r", 2, &tag, headers));
        let sent = sent(&mut end);
        assert_eq!(lines(&sent)[0], format!("{status} REFER"), "{headers}");
        assert_eq!(lines(&sent).get(1).map(String::as_str), to.map(|_| "NOTIFY 1"), "202 is followed by a NOTIFY at once");
        let told = told(&mut end);
        assert_eq!(told, to.map(|to| Happening::Referred { leg, to: to.to_owned(), consulted: None }).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn its_notifies_say_how_it_goes_and_end_with_the_last_word() {
    let mut end = endpoint();
    let (leg, tag) = established(&mut end, "");
    give(&mut end, START, &request("REFER", "r", 2, &tag, "Refer-To: <sip:ben@h>\r\n"));
    for status in [180, 200, 486] {
        end.notify_refer(START, leg, status);
    }
    let notifies: Vec<_> = sent(&mut end).into_iter().filter(|message| message.method() == Method::Notify).collect();
    let seen: Vec<_> = notifies.iter().map(|notify| (header(notify, Name::SubscriptionState), notify.body())).collect();
    let expected = [
        ("active;expires=180".to_owned(), &b"SIP/2.0 100 Trying\r\n"[..]),
        ("active;expires=180".to_owned(), b"SIP/2.0 180 Ringing\r\n"),
        ("terminated;reason=noresource".to_owned(), b"SIP/2.0 200 OK\r\n"),
    ];
    assert_eq!(seen, expected, "nothing follows the last word");
    assert!(notifies.iter().all(|notify| header(notify, Name::Event) == "refer" && notify.content_type() == "message/sipfrag"));
    // The next one in the same dialog says which it is.
    give(&mut end, START, &request("REFER", "s", 7, &tag, "Refer-To: <sip:ben@h>\r\n"));
    assert_eq!(header(&sent(&mut end)[1], Name::Event), "refer;id=7");
}

#[test]
fn without_a_subscription_nothing_is_notified() {
    let mut end = endpoint();
    let (leg, tag) = established(&mut end, "");
    give(&mut end, START, &request("REFER", "r", 2, &tag, "Refer-To: <sip:ben@h>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n"));
    end.notify_refer(START, leg, 200);
    let sent = sent(&mut end);
    assert_eq!((lines(&sent), sent[0].other("Refer-Sub")), (vec!["202 REFER".to_owned()], Some(&b"false"[..])));
    assert!(matches!(told(&mut end)[..], [Happening::Referred { .. }]));
}

#[test]
fn outside_a_call_nobody_is_referred_or_subscribed() {
    let mut end = endpoint();
    give(&mut end, START, &request("REFER", "r", 1, "", "Refer-To: <sip:ben@h>\r\n"));
    give(&mut end, START, &request("SUBSCRIBE", "s", 1, "", "Event: message-summary\r\n"));
    give(&mut end, START, &request("NOTIFY", "n", 1, "", "Event: refer\r\n"));
    let (_, tag) = established(&mut end, "");
    sent(&mut end);
    give(&mut end, START, &request("SUBSCRIBE", "t", 2, &tag, "Event: dialog\r\n"));
    give(&mut end, START, &request("NOTIFY", "u", 3, &tag, "Event: message-summary\r\n"));
    let inside = lines(&sent(&mut end));
    assert_eq!(inside, ["489 SUBSCRIBE", "489 NOTIFY"]);
}

#[test]
fn lines_of_text_come_within_a_call() {
    let mut end = endpoint();
    let (leg, tag) = established(&mut end, "");
    give(&mut end, START, &(request("MESSAGE", "m", 2, &tag, "Content-Type: text/plain;charset=utf-8\r\n") + "车牌是京A12345"));
    give(&mut end, START, &(request("MESSAGE", "n", 3, &tag, "Content-Type: image/png\r\n") + "x"));
    assert_eq!(lines(&sent(&mut end)), ["200 MESSAGE", "415 MESSAGE"]);
    assert_eq!(told(&mut end), [Happening::Texted { leg, text: "车牌是京A12345".to_owned() }]);
}

/// An endpoint with an answered call that came in; `Replaces` of it as its peer would write it.
fn with_a_call() -> (Endpoint, LegId, String, String) {
    let mut end = endpoint();
    let (leg, tag) = established(&mut end, "");
    let ours = tag.trim_start_matches(";tag=").to_owned();
    (end, leg, tag, format!("Replaces: c;to-tag={ours};from-tag=1"))
}

fn second(headers: &str) -> String {
    request("INVITE", "second", 1, "", &format!("{headers}\r\n")).replace("Call-ID: c\r\n", "Call-ID: d\r\n")
}

#[test]
fn an_invite_takes_the_place_of_an_answered_call() {
    let (mut end, old, _, replaces) = with_a_call();
    give(&mut end, START, &second(&format!("{replaces}\r\nRequire: replaces")));
    let Some(Happening::Invited(invited)) = told(&mut end).pop() else { panic!("no call") };
    assert_eq!(invited.replaces, Some(old));
}

#[test]
fn what_replaces_cannot_do() {
    let (mut end, _, tag, replaces) = with_a_call();
    sent(&mut end);
    give(&mut end, START, &second(&format!("{replaces};early-only")));
    assert_eq!(lines(&sent(&mut end)), ["486 INVITE"]);
    // From a host that has nothing to do with the call.
    let message = Message::parse(Bytes::from(second(&replaces).replace("second", "third").replace("Call-ID: d", "Call-ID: f"))).unwrap();
    let flow = Flow { remote: "198.51.100.9:5060".parse().unwrap(), ..flow_to(0, Transport::Udp) };
    end.receive(START, Received { flow, message });
    assert_eq!(lines(&sent(&mut end)), ["403 INVITE"]);
    // A call that is over.
    give(&mut end, START, &request("BYE", "b", 2, &tag, ""));
    sent(&mut end);
    give(&mut end, START, &second(&replaces).replace("second", "fourth").replace("Call-ID: d", "Call-ID: e"));
    assert_eq!(lines(&sent(&mut end)), ["481 INVITE"]);
}

#[test]
fn a_call_that_rings_with_us_is_not_taken_over_but_one_that_we_placed_is() {
    let mut end = endpoint();
    give(&mut end, START, &request("INVITE", "i", 1, "", ""));
    let Some(Happening::Invited(invited)) = told(&mut end).pop() else { panic!("no call") };
    end.ring(START, invited.leg, 180, None);
    let ours = String::from_utf8_lossy(sent(&mut end).pop().unwrap().to().unwrap().tag().unwrap()).into_owned();
    give(&mut end, START, &second(&format!("Replaces: c;to-tag={ours};from-tag=1")));
    assert_eq!(lines(&sent(&mut end)), ["481 INVITE"]);

    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    give(&mut end, START, &response(&invite, 180, "fork", ""));
    let (call_id, ours) = (header(&invite, Name::CallId), String::from_utf8_lossy(invite.from().unwrap().tag().unwrap()).into_owned());
    told(&mut end);
    give(&mut end, START, &second(&format!("Replaces: {call_id};to-tag={ours};from-tag=fork;early-only")));
    let Some(Happening::Invited(invited)) = told(&mut end).pop() else { panic!("no call") };
    assert_eq!(invited.replaces, Some(leg));
}

#[test]
fn a_refer_with_replaces_names_our_leg_or_another_center_s() {
    let (mut end, old, tag, replaces) = with_a_call();
    let value = replaces.trim_start_matches("Replaces: ").replace(';', "%3B").replace('=', "%3D");
    give(&mut end, START, &request("REFER", "r", 2, &tag, &format!("Refer-To: <sip:x@h?Replaces={value}>\r\n")));
    give(&mut end, START, &request("REFER", "s", 3, &tag, "Refer-To: <sip:x@h?Replaces=n%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n"));
    let consulted: Vec<_> = told(&mut end)
        .into_iter()
        .map(|told| match told {
            Happening::Referred { to, consulted, .. } => (to, consulted),
            other => panic!("{other:?}"),
        })
        .collect();
    let elsewhere = Consulted::Elsewhere("n@h;to-tag=1;from-tag=2".to_owned());
    assert_eq!(consulted, [("sip:x@h".to_owned(), Some(Consulted::Ours(old))), ("sip:x@h".to_owned(), Some(elsewhere))]);
}

#[test]
fn our_own_attended_transfer_names_the_other_dialog_from_the_side_of_its_peer() {
    let (mut end, leg, _, _) = with_a_call();
    let (other, invite) = calling(&mut end);
    give(&mut end, START, &response(&invite, 200, "theirs", "Contact: <sip:anna@192.0.2.1:5071>\r\n"));
    sent(&mut end);
    end.refer_into(START, leg, other);
    let refer = sent(&mut end).pop().unwrap();
    let address = refer.address(Name::ReferTo).unwrap();
    assert!(address.uri.raw.starts_with(b"sip:anna@192.0.2.1:5071?Replaces="));
    let value = crate::control::sip::replaces::Replaces::in_uri(address.uri.headers).unwrap();
    let ours = String::from_utf8_lossy(invite.from().unwrap().tag().unwrap()).into_owned();
    assert_eq!(value, format!("{};to-tag=theirs;from-tag={ours}", header(&invite, Name::CallId)));
}

#[test]
fn a_renamed_dialog_goes_on() {
    let (mut end, leg, tag, _) = with_a_call();
    end.reoffer(START, leg, Bytes::from_static(b"offer"));
    let offer = sent(&mut end).pop().unwrap();
    let new = end.new_leg(START);
    assert!(end.rename(leg, new) && !end.rename(leg, new));
    give(&mut end, START, &(response(&offer, 200, "x", "Content-Type: application/sdp\r\n").replace(";tag=x", "") + "answer"));
    give(&mut end, START, &request("BYE", "b", 2, &tag, ""));
    assert_eq!(told(&mut end), [Happening::Reanswered { leg: new, sdp: Bytes::from_static(b"answer") }, Happening::HungUp { leg: new }]);
    assert_eq!(end.counts().dialogs, 0);
}

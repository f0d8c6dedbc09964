//! Session timers (RFC 4028) as tables: both roles, refreshes of both kinds, 422, expiry.

use std::time::Duration;

use bytes::Bytes;

use super::pair::START;
use super::strangers::{calling, endpoint, established, give, lines, request, response, run_until, sent, told};
use super::*;
use crate::control::sip::message::{Message, Name};

const SECOND: Duration = Duration::from_secs(1);
const LOST: &str = "the session timer ran out";

fn value(message: &Message, name: Name) -> String {
    String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned()
}

/// A response to a request of ours within the dialog, whose To is tagged already.
fn within(request: &Message, status: u16, headers: &str) -> String {
    response(request, status, "x", headers).replace(";tag=x\r\n", "\r\n")
}

#[test]
fn as_callee_what_the_200_says() {
    for (asked, granted, required) in [
        ("", "", false),
        ("Session-Expires: 1800\r\nSupported: timer\r\n", "1800;refresher=uac", true),
        ("Session-Expires: 1800;refresher=uac\r\nSupported: timer\r\n", "1800;refresher=uac", true),
        ("Session-Expires: 1800;refresher=uas\r\nSupported: timer\r\n", "1800;refresher=uas", false),
        ("Session-Expires: 1800\r\n", "1800;refresher=uas", false),
        ("Supported: timer\r\n", "", false),
        ("x: 90\r\nk: timer\r\n", "90;refresher=uac", true),
    ] {
        let mut end = endpoint();
        give(&mut end, START, &request("INVITE", "i", 1, "", asked));
        let Some(Happening::Invited(invited)) = told(&mut end).pop() else { panic!("no call") };
        end.answer(START, invited.leg, Bytes::from_static(b"answer"));
        let ok = sent(&mut end).pop().unwrap();
        assert_eq!((value(&ok, Name::SessionExpires).as_str(), ok.lists(Name::Require, "timer")), (granted, required), "{asked}");
    }
}

#[test]
fn too_small_an_interval_is_refused_with_ours_everywhere() {
    let mut end = endpoint();
    let (_, tag) = established(&mut end, "");
    for (at, method) in ["INVITE", "UPDATE"].into_iter().enumerate() {
        let seq = u32::try_from(at).unwrap() + 2;
        give(&mut end, START, &request(method, &format!("r{at}"), seq, &tag, "Session-Expires: 89\r\nSupported: timer\r\n"));
        let refused = sent(&mut end).pop().unwrap();
        assert_eq!((refused.status(), value(&refused, Name::MinSe)), (422, "90".to_owned()));
    }
    give(&mut end, START, &request("INVITE", "o", 1, "", "Session-Expires: 89\r\n").replace("Call-ID: c", "Call-ID: d"));
    assert_eq!(lines(&sent(&mut end)), ["422 INVITE"]);
}

#[test]
fn as_caller_we_ask_and_follow_what_is_granted() {
    for (granted, refreshes, silence) in [
        ("", None, None),
        ("Session-Expires: 1800;refresher=uac\r\n", Some(900), None),
        ("Session-Expires: 1800;refresher=uas\r\n", None, Some(1_768)),
        ("Session-Expires: 90;refresher=uas\r\n", None, Some(60)),
        ("Session-Expires: 90;refresher=uac\r\n", Some(45), None),
    ] {
        let mut end = endpoint();
        let (leg, invite) = calling(&mut end);
        assert_eq!((value(&invite, Name::SessionExpires), value(&invite, Name::MinSe)), ("1800".to_owned(), "90".to_owned()));
        let headers = format!("{granted}Contact: <sip:anna@192.0.2.1>\r\nAllow: UPDATE\r\nContent-Type: application/sdp\r\n");
        give(&mut end, START, &(response(&invite, 200, "one", &headers) + "answer"));
        sent(&mut end);
        told(&mut end);
        if let Some(at) = refreshes {
            run_until(&mut end, START + (at - 1) * SECOND);
            assert!(sent(&mut end).is_empty(), "{granted}");
            run_until(&mut end, START + at * SECOND);
            assert_eq!(lines(&sent(&mut end)), ["UPDATE 2"], "{granted}");
        }
        if let Some(at) = silence {
            run_until(&mut end, START + (at - 1) * SECOND);
            assert!(told(&mut end).is_empty(), "{granted}");
            run_until(&mut end, START + at * SECOND);
            assert_eq!(told(&mut end), [Happening::Lost { leg, why: LOST }], "{granted}");
            assert_eq!(lines(&sent(&mut end)), ["BYE 2"]);
        }
        if granted.is_empty() {
            run_until(&mut end, START + 86_400 * SECOND);
            assert!(sent(&mut end).is_empty() && told(&mut end).is_empty());
        }
    }
}

#[test]
fn an_invite_refused_with_422_goes_out_again_with_the_interval_asked_for() {
    for (least, again) in [("3600", true), ("7200", true), ("7201", false), ("1800", false), ("90", false), ("x", false)] {
        let mut end = endpoint();
        let (leg, invite) = calling(&mut end);
        give(&mut end, START, &response(&invite, 422, "one", &format!("Min-SE: {least}\r\n")));
        let sent = sent(&mut end);
        match again {
            true => {
                assert_eq!(lines(&sent), ["ACK 1", "INVITE 2"], "{least}");
                assert_eq!((value(&sent[1], Name::SessionExpires), value(&sent[1], Name::MinSe)), (least.to_owned(), least.to_owned()));
                assert_eq!((sent[1].body(), sent[1].call_id()), (invite.body(), invite.call_id()));
            }
            false => assert_eq!(told(&mut end), [Happening::Refused { leg, status: 422 }], "{least}"),
        }
    }
}

#[test]
fn refreshes_go_by_update_where_the_peer_allows_it_and_else_by_the_last_offer() {
    for (allow, method) in [("Allow: INVITE, UPDATE\r\n", Method::Update), ("Allow: INVITE\r\n", Method::Invite), ("", Method::Invite)] {
        let mut end = endpoint();
        let (leg, _) = established(&mut end, &format!("Session-Expires: 90;refresher=uas\r\nSupported: timer\r\n{allow}"));
        for round in 1..=3u32 {
            run_until(&mut end, START + 45 * round * SECOND);
            let refresh = sent(&mut end).pop().unwrap();
            assert_eq!((refresh.method(), value(&refresh, Name::SessionExpires).as_str()), (method, "90;refresher=uac"), "{allow}");
            let body: &[u8] = if method == Method::Invite { b"answer" } else { b"" };
            assert_eq!(refresh.body(), body, "a re-INVITE repeats the last description");
            let ok = within(
                &refresh,
                200,
                "Session-Expires: 90;refresher=uac\r\nContact: <sip:a@192.0.2.1>\r\nContent-Type: application/sdp\r\n",
            );
            give(&mut end, START + 45 * round * SECOND, &(ok + "same"));
            sent(&mut end);
        }
        assert!(told(&mut end).is_empty(), "nobody is told of a refresh");
        assert!(end.is_up(leg));
    }
}

#[test]
fn what_comes_of_a_refresh() {
    for (status, headers, next, lost) in [
        (200, "Session-Expires: 90;refresher=uac\r\n", None, false),
        (422, "Min-SE: 400\r\n", Some("UPDATE 2"), false),
        (422, "Min-SE: 60\r\n", None, false),
        (481, "", Some("BYE 2"), true),
        (408, "", Some("BYE 2"), true),
        (500, "", None, false),
        (491, "", None, false),
    ] {
        let mut end = endpoint();
        let (leg, _) = established(&mut end, "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\nAllow: UPDATE\r\n");
        let now = START + 45 * SECOND;
        run_until(&mut end, now);
        let refresh = sent(&mut end).pop().unwrap();
        give(&mut end, now, &within(&refresh, status, headers));
        assert_eq!(lines(&sent(&mut end)), next.into_iter().collect::<Vec<_>>(), "{status} {headers}");
        let expected = if lost { vec![Happening::Lost { leg, why: "a request in the dialog found nobody" }] } else { Vec::new() };
        assert_eq!(told(&mut end), expected, "{status}");
    }
}

#[test]
fn the_peer_s_refresh_by_either_method_keeps_the_session() {
    for method in ["UPDATE", "INVITE"] {
        let mut end = endpoint();
        let timer = "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n";
        let (leg, tag) = established(&mut end, timer);
        for round in 1..=4u32 {
            let now = START + 50 * round * SECOND;
            run_until(&mut end, now);
            assert!(told(&mut end).is_empty(), "{method} {round}");
            let seq = round + 1;
            give(&mut end, now, &request(method, &format!("r{round}"), seq, &tag, timer));
            if method == "INVITE" {
                assert_eq!(told(&mut end), [Happening::Offered { leg, sdp: None }]);
                end.answer_offer(now, leg, Bytes::from_static(b"again"));
                give(&mut end, now, &request("ACK", &format!("a{round}"), seq, &tag, ""));
            }
            let ok = sent(&mut end).pop().unwrap();
            assert_eq!((ok.status(), value(&ok, Name::SessionExpires).as_str()), (200, "90;refresher=uac"));
        }
        run_until(&mut end, START + 261 * SECOND);
        assert_eq!(told(&mut end), [Happening::Lost { leg, why: LOST }], "{method}");
    }
}

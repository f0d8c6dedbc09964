//! Reliable provisional responses as RFC 3262 has them, from both sides.

use std::time::Duration;

use bytes::Bytes;

use super::pair::{Pair, START, Wire};
use super::strangers::{calling, endpoint, give, lines, request, response, run_until, sent, told};
use super::*;
use crate::control::sip::message::{Message, Name};

const SECOND: Duration = Duration::from_secs(1);
const SDP_TYPE: &str = "Content-Type: application/sdp\r\n";

/// A call that came in from a caller who knows 100rel; what its owner does comes next.
fn invited(end: &mut Endpoint, headers: &str) -> LegId {
    give(end, START, &(request("INVITE", "i", 1, "", &format!("{headers}{SDP_TYPE}")) + "offer"));
    sent(end);
    let Some(Happening::Invited(invited)) = told(end).into_iter().next() else { panic!("no call") };
    invited.leg
}

fn tag_of(message: &Message) -> String {
    format!(";tag={}", String::from_utf8_lossy(message.to().unwrap().tag().unwrap()))
}

fn prack(branch: &str, seq: u32, tag: &str, rack: &str) -> String {
    request("PRACK", branch, seq, tag, &format!("RAck: {rack}\r\n"))
}

#[test]
fn what_is_sent_reliably() {
    let sdp = Some(Bytes::from_static(b"early"));
    for (headers, early, status, reliable) in [
        ("", &sdp, 183, false),
        ("Supported: 100rel\r\n", &sdp, 183, true),
        ("Supported: 100rel\r\n", &None, 180, false),
        ("Require: 100rel\r\n", &None, 180, true),
        ("Require: 100rel\r\n", &sdp, 183, true),
    ] {
        let mut end = endpoint();
        let leg = invited(&mut end, headers);
        end.ring(START, leg, status, early.clone());
        let ringing = sent(&mut end).pop().unwrap();
        assert_eq!(ringing.status(), status);
        assert_eq!(ringing.lists(Name::Require, "100rel"), reliable, "{headers}");
        assert_eq!(ringing.number(Name::RSeq), reliable.then_some(1));
    }
}

#[test]
fn a_caller_who_insists_but_does_not_offer_is_answered_without_ringing() {
    let mut end = endpoint();
    give(&mut end, START, &request("INVITE", "i", 1, "", "Require: 100rel\r\n"));
    let Some(Happening::Invited(invited)) = told(&mut end).into_iter().next() else { panic!("no call") };
    end.ring(START, invited.leg, 180, None);
    end.answer(START, invited.leg, Bytes::from_static(b"offer"));
    assert_eq!(lines(&sent(&mut end)), ["200 INVITE"]);
}

#[test]
fn it_is_repeated_at_doubling_intervals_and_given_up_after_64_t1() {
    let mut end = endpoint();
    let leg = invited(&mut end, "Supported: 100rel\r\n");
    end.ring(START, leg, 183, Some(Bytes::from_static(b"early")));
    sent(&mut end);
    for (until, times) in [(400, 0), (600, 1), (1_600, 1), (3_600, 1), (7_600, 1), (15_600, 1), (31_000, 0)] {
        run_until(&mut end, START + Duration::from_millis(until));
        let again = sent(&mut end).iter().filter(|message| message.status() == 183).count();
        assert_eq!(again, times, "until {until} ms");
    }
    run_until(&mut end, START + 33 * SECOND);
    assert!(lines(&sent(&mut end)).contains(&"504 INVITE".to_owned()));
    assert!(matches!(told(&mut end)[..], [Happening::Lost { .. }]));
    run_until(&mut end, START + 120 * SECOND);
    assert_eq!(end.counts(), Counts::default());
}

#[test]
fn the_next_one_and_the_200_wait_for_the_prack() {
    let mut end = endpoint();
    let leg = invited(&mut end, "Require: 100rel\r\n");
    end.ring(START, leg, 183, Some(Bytes::from_static(b"early")));
    end.ring(START, leg, 180, None);
    let first = sent(&mut end);
    assert_eq!(lines(&first), ["183 INVITE"]);
    let tag = tag_of(&first[0]);
    give(&mut end, START, &prack("p", 2, &tag, "1 1 INVITE"));
    let next = sent(&mut end);
    assert_eq!((lines(&next), next[1].number(Name::RSeq)), (vec!["200 PRACK".to_owned(), "180 INVITE".to_owned()], Some(2)));
    give(&mut end, START, &prack("q", 3, &tag, "2 1 INVITE"));
    end.answer(START, leg, Bytes::from_static(b"early"));
    assert_eq!(lines(&sent(&mut end)), ["200 PRACK", "200 INVITE"]);
    run_until(&mut end, START + SECOND);
    assert!(!lines(&sent(&mut end)).iter().any(|line| line.starts_with("18")), "nothing provisional is repeated after the 200");
}

#[test]
fn a_200_waits_only_where_a_description_is_unacknowledged() {
    for (early, at_once) in [(None, true), (Some(Bytes::from_static(b"early")), false)] {
        let mut end = endpoint();
        let leg = invited(&mut end, "Require: 100rel\r\n");
        end.ring(START, leg, 183, early);
        let tag = tag_of(&sent(&mut end)[0]);
        end.answer(START, leg, Bytes::from_static(b"answer"));
        assert_eq!(lines(&sent(&mut end)).contains(&"200 INVITE".to_owned()), at_once);
        give(&mut end, START, &prack("p", 2, &tag, "1 1 INVITE"));
        let after = lines(&sent(&mut end));
        assert!(after.contains(&"200 PRACK".to_owned()) && after.contains(&"200 INVITE".to_owned()) != at_once, "{after:?}");
    }
}

#[test]
fn a_prack_that_acknowledges_nothing_is_refused() {
    let mut end = endpoint();
    let leg = invited(&mut end, "Supported: 100rel\r\n");
    end.ring(START, leg, 183, Some(Bytes::from_static(b"early")));
    let tag = tag_of(&sent(&mut end)[0]);
    for (at, (rack, status)) in
        [("2 1 INVITE", 481), ("1 2 INVITE", 481), ("1 1 BYE", 400), ("1 INVITE", 400), ("x 1 INVITE", 400), ("1 1 INVITE", 200)]
            .into_iter()
            .enumerate()
    {
        let seq = u32::try_from(at).unwrap() + 2;
        give(&mut end, START, &prack(&format!("p{at}"), seq, &tag, rack));
        assert_eq!(lines(&sent(&mut end)), [format!("{status} PRACK")], "{rack}");
    }
}

#[test]
fn an_offer_in_a_prack_or_an_early_update_is_answered_in_its_200() {
    let mut end = endpoint();
    let leg = invited(&mut end, "Supported: 100rel\r\n");
    end.ring(START, leg, 183, Some(Bytes::from_static(b"early")));
    let tag = tag_of(&sent(&mut end)[0]);
    give(&mut end, START, &(request("PRACK", "p", 2, &tag, &format!("RAck: 1 1 INVITE\r\n{SDP_TYPE}")) + "second"));
    assert_eq!(told(&mut end), [Happening::Offered { leg, sdp: Some(Bytes::from_static(b"second")) }]);
    end.answer_offer(START, leg, Bytes::from_static(b"yes"));
    let ok = sent(&mut end).pop().unwrap();
    assert_eq!((lines(std::slice::from_ref(&ok)), ok.body()), (vec!["200 PRACK".to_owned()], &b"yes"[..]));
    give(&mut end, START, &(request("UPDATE", "u", 3, &tag, SDP_TYPE) + "third"));
    assert_eq!(told(&mut end), [Happening::Offered { leg, sdp: Some(Bytes::from_static(b"third")) }]);
    end.answer_offer(START, leg, Bytes::from_static(b"yes"));
    assert_eq!(lines(&sent(&mut end)), ["200 UPDATE"]);
}

#[test]
fn an_early_update_before_a_reliable_answer_is_refused() {
    let mut end = endpoint();
    let leg = invited(&mut end, "");
    end.ring(START, leg, 180, None);
    let tag = tag_of(&sent(&mut end)[0]);
    give(&mut end, START, &(request("UPDATE", "u", 2, &tag, SDP_TYPE) + "second"));
    assert_eq!(lines(&sent(&mut end)), ["500 UPDATE"]);
}

fn reliable(invite: &Message, tag: &str, rseq: u32, sdp: &str) -> String {
    response(invite, 183, tag, &format!("Require: 100rel\r\nRSeq: {rseq}\r\nContact: <sip:anna@192.0.2.1:5072>\r\n{SDP_TYPE}")) + sdp
}

#[test]
fn as_caller_each_is_acknowledged_once_and_in_order_for_each_fork() {
    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    assert!(invite.lists(Name::Supported, "100rel"));
    give(&mut end, START, &reliable(&invite, "one", 7, "a"));
    let pracks = sent(&mut end);
    assert_eq!((pracks[0].method(), pracks[0].header(Name::RAck)), (Method::Prack, Some(&b"7 1 INVITE"[..])));
    assert_eq!((pracks[0].request_uri(), pracks[0].to().unwrap().tag()), (&b"sip:anna@192.0.2.1:5072"[..], Some(&b"one"[..])));
    // Again, out of order, then the next, then another fork.
    for (tag, rseq, expected) in [("one", 7, None), ("one", 9, None), ("one", 8, Some("8 1 INVITE")), ("two", 1, Some("1 1 INVITE"))] {
        give(&mut end, START, &reliable(&invite, tag, rseq, "b"));
        let racks: Vec<_> =
            sent(&mut end).iter().map(|prack| String::from_utf8_lossy(prack.header(Name::RAck).unwrap()).into_owned()).collect();
        assert_eq!(racks, expected.into_iter().collect::<Vec<_>>(), "{tag} {rseq}");
    }
    let progress = told(&mut end).iter().filter(|told| matches!(told, Happening::Progress { .. })).count();
    assert_eq!(progress, 3);
    // The 200 of the first fork brings no description of its own: that fork's own early one counts, not the other's.
    give(&mut end, START, &response(&invite, 200, "one", "Contact: <sip:anna@192.0.2.1:5072>\r\n"));
    assert_eq!(told(&mut end), [Happening::Answered { leg, sdp: Bytes::from_static(b"b") }]);
    assert_eq!(lines(&sent(&mut end)), ["ACK 1"], "the ACK keeps the number of its INVITE");
    end.hang_up(START, leg, &[]);
    assert_eq!(lines(&sent(&mut end)), ["BYE 5"]);
}

#[test]
fn as_caller_an_offer_of_the_ringing_side_waits_for_its_reliable_answer() {
    let mut end = endpoint();
    let (leg, invite) = calling(&mut end);
    let ours = format!(";tag={}", String::from_utf8_lossy(invite.from().unwrap().tag().unwrap()));
    let call_id = String::from_utf8_lossy(invite.call_id()).into_owned();
    let update = |branch: &str, seq: u32| {
        let text = request("UPDATE", branch, seq, &ours, SDP_TYPE) + "early offer";
        text.replace("Call-ID: c\r\n", &format!("Call-ID: {call_id}\r\n"))
    };
    give(&mut end, START, &response(&invite, 180, "1", ""));
    give(&mut end, START, &update("u", 1));
    give(&mut end, START, &reliable(&invite, "1", 1, "answer"));
    give(&mut end, START, &update("v", 2));
    end.answer_offer(START, leg, Bytes::from_static(b"yes"));
    assert_eq!(lines(&sent(&mut end)), ["491 UPDATE", "PRACK 2", "200 UPDATE"]);
    let bye = request("BYE", "b", 3, &ours, "").replace("Call-ID: c\r\n", &format!("Call-ID: {call_id}\r\n"));
    give(&mut end, START, &bye);
    assert_eq!(lines(&sent(&mut end)), ["481 BYE"]);
}

#[test]
fn early_media_passes_between_two_endpoints_over_bad_wires() {
    for seed in 0..60 {
        let wire = if seed == 0 { Wire::default() } else { Wire { loss: 20 + seed % 25, double: 10, jitter: seed * 7 } };
        let mut pair = Pair::new(seed, wire);
        let leg = pair.call("caller", None);
        pair.run(60 * SECOND, |end, _, now, happening| {
            if let Happening::Invited(invited) = happening {
                end.ring(now, invited.leg, 183, Some(Bytes::from_static(b"early")));
                end.answer(now, invited.leg, Bytes::from_static(b"early"));
            }
        });
        let early = Happening::Progress { leg, status: 183, sdp: Some(Bytes::from_static(b"early")) };
        let answered = Happening::Answered { leg, sdp: Bytes::from_static(b"early") };
        if pair.told[0].contains(&answered) {
            assert!(pair.told[0].iter().filter(|told| **told == early).count() == 1, "seed {seed}: {:?}", pair.told[0]);
        }
        if seed == 0 {
            assert_eq!(pair.lines_of(1), ["SIP/2.0 183 Session Progress", "SIP/2.0 200 OK", "SIP/2.0 200 OK"]);
        }
        pair.ends[0].hang_up(pair.now, leg, &[]);
        pair.run(240 * SECOND, |_, _, _, _| {});
        pair.assert_empty();
    }
}

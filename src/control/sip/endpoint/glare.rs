//! Two offers at once (RFC 3261 §14): who is refused how, and who waits how long.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::pair::{START, flow_to};
use super::strangers::{calling, established, give, lines, request, response, run_until, sent, told};
use super::*;
use crate::control::words::directory::Listener;
use crate::control::words::sip::ListenerId;

const SDP_TYPE: &str = "Content-Type: application/sdp\r\n";

fn endpoint(seed: u64) -> Endpoint {
    let address = "192.0.2.2:5060".parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    Endpoint::new(START, seed, Settings::new(vec![listener], "center", 7))
}

/// How long after a 491 our offer goes out again.
fn wait_after_491(end: &mut Endpoint, leg: LegId) -> Duration {
    end.reoffer(START, leg, Bytes::from_static(b"offer"));
    let offer = sent(end).pop().unwrap();
    give(end, START, &response(&offer, 491, "x", "").replace(";tag=x", ""));
    assert_eq!(lines(&sent(end)), [format!("ACK {}", offer.cseq().unwrap().number)]);
    let mut now = START;
    loop {
        now = end.poll_timeout().expect("the offer comes again").max(now);
        run_until(end, now);
        if sent(end).iter().any(|message| message.method() == Method::Invite) {
            return now.since(START);
        }
    }
}

#[test]
fn the_one_who_placed_the_call_waits_longer_than_the_other_in_steps_of_10_ms() {
    let (mut owners, mut others) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..200 {
        let mut end = endpoint(seed);
        let (leg, invite) = calling(&mut end);
        give(&mut end, START, &response(&invite, 200, "one", "Contact: <sip:anna@192.0.2.1>\r\n"));
        sent(&mut end);
        owners.insert(wait_after_491(&mut end, leg));
        let mut end = endpoint(seed);
        let (leg, _) = established(&mut end, "");
        others.insert(wait_after_491(&mut end, leg));
    }
    let within = |waits: &BTreeSet<Duration>, least: u64, most: u64| {
        waits.iter().all(|wait| (least..=most).contains(&u64::try_from(wait.as_millis()).unwrap()) && wait.as_micros() % 10_000 == 0)
    };
    assert!(within(&owners, 2_100, 4_000), "{owners:?}");
    assert!(within(&others, 0, 2_000), "{others:?}");
    assert!(owners.len() > 80 && others.len() > 80, "they are spread by chance");
}

#[test]
fn what_an_offer_meets_while_another_is_under_way() {
    // Ours is out: 491. Theirs is open: 500 with Retry-After within 10 s. Our 200 offered and waits for the ACK: 491.
    let mut end = endpoint(1);
    let (leg, tag) = established(&mut end, "");
    end.reoffer(START, leg, Bytes::from_static(b"offer"));
    sent(&mut end);
    for (at, method) in ["INVITE", "UPDATE"].into_iter().enumerate() {
        let seq = u32::try_from(at).unwrap() + 2;
        give(&mut end, START, &(request(method, &format!("m{at}"), seq, &tag, SDP_TYPE) + "theirs"));
        assert_eq!(lines(&sent(&mut end)), [format!("491 {method}")]);
    }
    let mut end = endpoint(2);
    let (_, tag) = established(&mut end, "");
    give(&mut end, START, &(request("UPDATE", "a", 2, &tag, SDP_TYPE) + "one"));
    assert_eq!(told(&mut end).len(), 1);
    give(&mut end, START, &(request("UPDATE", "b", 3, &tag, SDP_TYPE) + "two"));
    let refused = sent(&mut end).pop().unwrap();
    assert_eq!((refused.status(), refused.number(crate::control::sip::message::Name::RetryAfter)), (500, Some(10)));
    let mut end = endpoint(3);
    let (leg, tag) = established(&mut end, "");
    give(&mut end, START, &request("INVITE", "a", 2, &tag, ""));
    end.answer_offer(START, leg, Bytes::from_static(b"ours"));
    sent(&mut end);
    give(&mut end, START, &(request("UPDATE", "b", 3, &tag, SDP_TYPE) + "theirs"));
    assert_eq!(lines(&sent(&mut end)), ["491 UPDATE"]);
}

#[test]
fn an_offer_refused_with_retry_after_comes_again_when_it_is_told() {
    for (headers, again_after) in
        [("Retry-After: 5\r\n", Some(5)), ("Retry-After: 0\r\n", Some(2)), ("Retry-After: 60\r\n", None), ("", None)]
    {
        let mut end = endpoint(1);
        let (leg, _) = established(&mut end, "");
        end.reoffer(START, leg, Bytes::from_static(b"offer"));
        let offer = sent(&mut end).pop().unwrap();
        give(&mut end, START, &response(&offer, 500, "x", headers).replace(";tag=x", ""));
        sent(&mut end);
        match again_after {
            Some(seconds) => {
                run_until(&mut end, START + Duration::from_millis(seconds * 1_000 - 1));
                assert!(!sent(&mut end).iter().any(|message| message.method() == Method::Invite), "{headers}");
                run_until(&mut end, START + Duration::from_secs(seconds));
                assert!(sent(&mut end).iter().any(|message| message.method() == Method::Invite), "{headers}");
            }
            None => assert_eq!(told(&mut end), [Happening::ReofferFailed { leg, status: 500 }]),
        }
    }
}

#[test]
fn a_registrar_s_retry_after_is_honoured() {
    let mut end = endpoint(1);
    let registration = Registration {
        target: flow_to(0, Transport::Udp).into(),
        registrar: "sip:center".to_owned(),
        record: "sip:anna@center".to_owned(),
        user: "anna".to_owned(),
        expires: Duration::from_secs(600),
        errand: Errand::Bind,
        credentials: None,
    };
    end.register(START, registration);
    let register = sent(&mut end).pop().unwrap();
    give(&mut end, START, &response(&register, 503, "x", "Retry-After: 120\r\n"));
    assert_eq!(told(&mut end), [Happening::SignOnFailed { user: "anna".to_owned(), status: 503 }]);
    run_until(&mut end, START + Duration::from_secs(119));
    assert!(sent(&mut end).is_empty());
    run_until(&mut end, START + Duration::from_secs(120));
    assert_eq!(lines(&sent(&mut end)), ["REGISTER 2"]);
}

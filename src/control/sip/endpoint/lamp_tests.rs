//! Lamps against a phone written out by hand (RFC 6665, RFC 4235).

use std::net::IpAddr;
use std::time::Duration;

use super::pair::START;
use super::strangers::{endpoint, give, lines, request, response, run_until, sent, told};
use super::*;
use crate::control::sip::dialog::Placed;
use crate::control::sip::dialog_info::{Lamp, LampCall, Names, Other, Phase};
use crate::control::sip::message::{Message, Name};

const SECOND: Duration = Duration::from_secs(1);
const EVENT: &str = "Event: dialog;id=7\r\nExpires: 3600\r\n";

/// He is free.
fn off() -> Lamp {
    Lamp::default()
}

/// He has one call, this far.
fn on(phase: Phase) -> Lamp {
    let with = Other { user: "1380".to_owned(), name: None };
    Lamp { calls: vec![LampCall { leg: LegId(1), placed_by: Placed::ByUs, phase, with, dialog: Names::default() }] }
}

/// An endpoint that knows the phone by its address.
fn house() -> Endpoint {
    let mut end = endpoint();
    let fixed = BTreeMap::from([("a".to_owned(), "192.0.2.1".parse::<IpAddr>().unwrap())]);
    end.settings.fixed = std::sync::Arc::new(fixed);
    end.settings.unforged = vec!["192.0.2.0/24".parse().unwrap()];
    end
}

/// A subscription that stands: its number, and our tag as `;tag=…`.
fn watching(end: &mut Endpoint) -> (u64, String) {
    give(end, START, &request("SUBSCRIBE", "s", 1, "", EVENT));
    let Some(Happening::Watching { watch, user }) = told(end).pop() else { panic!("nobody asks") };
    assert_eq!(user, "1");
    end.light(START, watch, "ben", off());
    let all = taken(end);
    assert_eq!(lines(&all), ["200 SUBSCRIBE", "NOTIFY 1"]);
    assert_eq!(value(&all[0], Name::Expires), "600", "no longer than we grant");
    assert_eq!(shown(&all[1]), ("active;expires=600".to_owned(), 0, "terminated"));
    assert_eq!(value(&all[1], Name::Event), "dialog;id=7");
    (watch, format!(";tag={}", String::from_utf8_lossy(all[0].to().unwrap().tag().unwrap())))
}

/// What we sent; the phone takes each NOTIFY.
fn taken(end: &mut Endpoint) -> Vec<Message> {
    let all = sent(end);
    for notify in all.iter().filter(|message| message.is_request()) {
        give(end, START, &answered(notify, 200));
    }
    all
}

fn value(message: &Message, name: Name) -> String {
    String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned()
}

/// What a NOTIFY says of the subscription, its version, and of the lamp.
fn shown(notify: &Message) -> (String, u32, &'static str) {
    let body = String::from_utf8_lossy(notify.body()).into_owned();
    let version = body.split("version=\"").nth(2).or(body.split("version=\"").nth(1)).unwrap();
    let number = version.split('"').next().unwrap().parse().unwrap_or(u32::MAX);
    let state = ["terminated", "early", "confirmed"].into_iter().find(|state| body.contains(&format!("<state>{state}</state>"))).unwrap();
    assert!(body.contains("entity=\"sip:1@center\""), "{body}");
    (String::from_utf8_lossy(notify.other("Subscription-State").unwrap()).into_owned(), number, state)
}

/// The phone's answer to a NOTIFY.
fn answered(notify: &Message, status: u16) -> String {
    response(notify, status, "x", "").replace(";tag=x\r\n", "\r\n")
}

#[test]
fn a_lamp_is_lit_and_dark_as_somebody_is_on_the_phone_or_not_until_the_phone_asks_no_more() {
    let mut end = house();
    let (_, tag) = watching(&mut end);
    end.lamp(START, "ben", &off());
    end.lamp(START, "anna", &on(Phase::Confirmed));
    assert!(sent(&mut end).is_empty(), "nothing changed");
    end.lamp(START, "ben", &on(Phase::Early));
    end.lamp(START, "ben", &on(Phase::Early));
    let blinks = taken(&mut end);
    assert_eq!((lines(&blinks), shown(&blinks[0]).1, shown(&blinks[0]).2), (vec!["NOTIFY 2".to_owned()], 1, "early"));
    end.lamp(START, "ben", &on(Phase::Confirmed));
    let lit = taken(&mut end);
    assert_eq!((lines(&lit), shown(&lit[0]).1, shown(&lit[0]).2), (vec!["NOTIFY 3".to_owned()], 2, "confirmed"));
    give(&mut end, START + 300 * SECOND, &request("SUBSCRIBE", "t", 2, &tag, "Event: dialog;id=7\r\nExpires: 60\r\n"));
    let again = taken(&mut end);
    assert_eq!((lines(&again), shown(&again[1]).2), (vec!["200 SUBSCRIBE".to_owned(), "NOTIFY 4".to_owned()], "confirmed"));
    give(&mut end, START + 301 * SECOND, &request("SUBSCRIBE", "u", 3, &tag, "Event: dialog;id=7\r\nExpires: 0\r\n"));
    let last = sent(&mut end);
    assert_eq!(
        (lines(&last), shown(&last[1]).0.as_str()),
        (vec!["200 SUBSCRIBE".to_owned(), "NOTIFY 5".to_owned()], "terminated;reason=timeout")
    );
    end.lamp(START + 302 * SECOND, "ben", &off());
    assert!(sent(&mut end).is_empty() && end.lamps.count() == 0);
}

#[test]
fn one_notify_is_under_way_at_a_time_and_the_next_says_how_the_lamp_stands_by_then() {
    let mut end = house();
    watching(&mut end);
    for phase in [Phase::Trying, Phase::Early, Phase::Confirmed] {
        end.lamp(START, "ben", &on(phase));
    }
    let first = sent(&mut end);
    assert_eq!(lines(&first), ["NOTIFY 2"]);
    give(&mut end, START, &answered(&first[0], 200));
    let next = taken(&mut end);
    assert_eq!((lines(&next), shown(&next[0]).2), (vec!["NOTIFY 3".to_owned()], "confirmed"));
    assert!(sent(&mut end).is_empty(), "nothing is left to be told");
    end.lamp(START, "ben", &off());
    let dark = sent(&mut end);
    for lamp in [on(Phase::Early), off()] {
        end.lamp(START, "ben", &lamp);
    }
    give(&mut end, START, &answered(&dark[0], 200));
    assert!(sent(&mut end).is_empty(), "it is dark again, as the phone knows");
}

#[test]
fn a_subscription_ends_with_its_time_and_with_a_phone_that_refuses_or_is_gone() {
    let mut end = house();
    watching(&mut end);
    let hears = |end: &mut Endpoint, until: Time| {
        while let Some(at) = end.poll_timeout().filter(|at| *at <= until) {
            for notify in sent(end).iter().filter(|message| message.is_request()) {
                give(end, at, &answered(notify, 200));
            }
            end.handle_timeout(at);
        }
        sent(end)
    };
    end.lamp(START, "ben", &on(Phase::Confirmed));
    let last = hears(&mut end, START + 600 * SECOND);
    assert_eq!((shown(&last[0]).0.as_str(), end.lamps.count()), ("terminated;reason=timeout", 0));
    let mut end = house();
    watching(&mut end);
    end.lamp(START, "ben", &on(Phase::Confirmed));
    let notify = sent(&mut end).pop().unwrap();
    give(&mut end, START, &answered(&notify, 481));
    assert_eq!(end.lamps.count(), 0, "it refused");
    let mut end = house();
    watching(&mut end);
    end.lamp(START, "ben", &on(Phase::Confirmed));
    run_until(&mut end, START + 40 * SECOND);
    assert_eq!(end.lamps.count(), 0, "it said nothing");
}

#[test]
fn strangers_other_events_and_numbers_without_a_lamp_are_refused() {
    let mut end = house();
    let ask = |end: &mut Endpoint, branch: &str, from: &str, headers: &str, to_tag: &str| {
        let text = request("SUBSCRIBE", branch, 1, to_tag, headers)
            .replace("<sip:a@h>", from)
            .replace("Call-ID: c", &format!("Call-ID: {branch}"));
        give(end, START, &text);
        lines(&sent(end))
    };
    assert_eq!(ask(&mut end, "a", "<sip:stranger@h>", EVENT, ""), ["403 SUBSCRIBE"]);
    assert_eq!(ask(&mut end, "b", "<sip:a@h>", "Event: presence\r\n", ""), ["489 SUBSCRIBE"]);
    assert_eq!(ask(&mut end, "c", "<sip:a@h>", EVENT, ";tag=0123456789abcdef"), ["481 SUBSCRIBE"]);
    assert_eq!(ask(&mut end, "d", "<sip:a@h>", EVENT, ""), [""; 0]);
    let Some(Happening::Watching { watch, .. }) = told(&mut end).pop() else { panic!("nobody asks") };
    end.refuse_watch(START, watch, 404);
    assert_eq!((lines(&sent(&mut end)), end.lamps.count()), (vec!["404 SUBSCRIBE".to_owned()], 0));
    let (_, tag) = watching(&mut end);
    let late = request("SUBSCRIBE", "late", 1, &tag, EVENT);
    give(&mut end, START, &late);
    assert_eq!(lines(&sent(&mut end)), ["500 SUBSCRIBE"], "an older number");
}

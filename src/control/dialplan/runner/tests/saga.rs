//! Several systems in one step: all of them, or none.

use super::*;
use crate::control::words::ticket::Filed;

/// The open call of the saga: its id, method, URL and key.
fn asked(wishes: &[Wish]) -> (LookupId, &'static str, String, String) {
    let asked = wishes.iter().find_map(|wish| match wish {
        Wish::Find(id, Lookup::Http { method, url, headers, .. }) => {
            let key = headers.iter().find(|(name, _)| name == "Idempotency-Key").map(|(_, key)| key.clone());
            Some((*id, *method, url.clone(), key.expect("each call has a key")))
        }
        _ => None,
    });
    asked.expect("a call")
}

fn stages(wishes: &[Wish]) -> Vec<String> {
    let stage = |wish: &Wish| match wish {
        Wish::SagaStage(stage) => Some(format!("{} {}", stage.call.as_deref().unwrap_or("all"), stage.stage)),
        _ => None,
    };
    wishes.iter().filter_map(stage).collect()
}

/// A call about an accident whose ticket is open, with the first call of the saga under way.
fn reporting() -> Talk {
    let mut start = caller();
    start.session.insert("id".to_owned(), json!("ses_1"));
    let mut talk = Talk::begin("accident", start);
    talk.say("京A12345");
    talk.tell(Event::Ticket { save_as: Some("tk".to_owned()), number: 7, filed: Filed::New });
    talk
}

fn answer(talk: &mut Talk, finding: Finding) {
    let (id, ..) = asked(&talk.out);
    talk.tell(Event::Found(id, finding));
}

#[test]
fn s16_each_call_of_a_saga_has_a_key_and_the_next_one_knows_what_the_last_one_answered() {
    let mut talk = reporting();
    let (_, method, url, key) = asked(&talk.out);
    assert_eq!((method, url.as_str()), ("POST", "http://127.0.0.1:9/claims"));
    let is_told = |wish: &Wish| matches!(wish, Wish::Find(_, Lookup::Http { headers, .. }) if headers[0].1 == "Bearer http://127.0.0.1:9");
    assert!(talk.out.iter().any(is_told), "secrets stand in the environment: {:?}", talk.out);
    assert_eq!(key, "ses_1.accident_report.1.1.claim");
    answer(&mut talk, Finding::Found(json!({"claim_no": "88"})));
    assert_eq!(stages(&talk.out), ["claim done", "truck started"]);
    let (_, _, _, truck) = asked(&talk.out);
    assert_eq!(truck, "ses_1.accident_report.1.2.truck");
    answer(&mut talk, Finding::TimedOut);
    assert_eq!(stages(&talk.out), ["truck retried"]);
    assert_eq!(asked(&talk.out).3, truck, "a second try does nothing twice");
    answer(&mut talk, Finding::Found(json!({"id": "T1", "minutes": 20})));
    let (_, method, url, _) = asked(&talk.out);
    assert_eq!((method, url.as_str()), ("PUT", "http://127.0.0.1:9/bookings/88"));
    answer(&mut talk, Finding::Found(serde_json::Value::Null));
    assert_eq!(stages(&talk.out), ["rental done", "all completed"]);
    assert!(talk.out.iter().any(|wish| matches!(wish, Wish::LookupDone { outcome: "found", .. })));
}

#[test]
fn s16_when_the_last_call_fails_the_others_are_undone_in_reverse_order() {
    let mut talk = reporting();
    answer(&mut talk, Finding::Found(json!({"claim_no": "88"})));
    answer(&mut talk, Finding::Found(json!({"id": "T1", "minutes": 20})));
    answer(&mut talk, Finding::NotFound);
    assert_eq!(stages(&talk.out), ["rental failed", "untruck undoing"]);
    let (_, method, url, key) = asked(&talk.out);
    assert_eq!((method, url.as_str(), key.as_str()), ("DELETE", "http://127.0.0.1:9/jobs/T1", "ses_1.accident_report.1.2.untruck"));
    // What is gone already is undone.
    answer(&mut talk, Finding::NotFound);
    assert_eq!(stages(&talk.out), ["untruck undone", "unclaim undoing"]);
    assert_eq!(asked(&talk.out).2, "http://127.0.0.1:9/claims/88");
    answer(&mut talk, Finding::Found(serde_json::Value::Null));
    assert_eq!(stages(&talk.out), ["unclaim undone", "all rolled_back"]);
    assert!(talk.out.iter().any(|wish| matches!(wish, Wish::Entered { node, .. } if node == "sorry")));
}

#[test]
fn s16_a_call_whose_address_lacks_a_value_is_not_made() {
    let mut talk = reporting();
    answer(&mut talk, Finding::Found(json!({})));
    answer(&mut talk, Finding::Found(json!({"id": "T1", "minutes": 20})));
    assert_eq!(stages(&talk.out), ["truck done", "rental started", "rental failed", "untruck undoing"]);
    answer(&mut talk, Finding::Found(serde_json::Value::Null));
    assert_eq!(stages(&talk.out), ["untruck undone", "unclaim undoing", "unclaim undo_failed", "all stuck"], "not DELETE …/claims/");
}

#[test]
fn s16_the_plan_says_once_that_it_takes_a_moment_however_many_calls_there_are() {
    let mut talk = reporting();
    let moment = BEGIN + Duration::from_millis(800);
    assert_eq!(talk.runner.poll_timeout(), Some(moment));
    talk.now = BEGIN + Duration::from_millis(100);
    answer(&mut talk, Finding::Found(json!({"claim_no": "88"})));
    assert_eq!(talk.runner.poll_timeout(), Some(moment), "counted from the first call on");
    let (id, ..) = asked(&talk.out);
    assert!(said(talk.strike()).contains("正在为您登记"), "{:?}", talk.out);
    talk.tell(Event::Found(id, Finding::Found(json!({"id": "T1", "minutes": 20}))));
    assert!(talk.runner.poll_timeout() > Some(talk.now + Duration::from_secs(2)), "the next deadline is the call's");
}

//! Sessions as the log tells them.

use super::*;

fn sessions() -> Sessions {
    Sessions::new(1, Duration::from_secs(3_600), &Restored::default())
}

fn call(address: &str) -> Opening {
    Opening { channel: PHONE.into(), address: address.into(), entry: "4001010".into(), ..Opening::default() }
}

fn line(external_id: &str, address: &str, phone: Option<&str>) -> Received {
    Received {
        command: crate::control::words::CommandId(1),
        channel: "web".into(),
        external_id: external_id.into(),
        address: address.into(),
        content: Content::Text { text: "hello".into() },
        meanings: crate::nlu::Meanings::default(),
        profile: phone.map(|phone| ("phone".to_owned(), Value::String(phone.into()))).into_iter().collect(),
    }
}

fn asked(out: &[Effect]) -> Vec<LookupId> {
    out.iter().filter_map(|effect| if let Effect::Ask(lookup, _) = effect { Some(*lookup) } else { None }).collect()
}

fn facts(out: &[Effect]) -> Vec<String> {
    out.iter()
        .filter_map(|effect| match effect {
            Effect::Journal(event) => serde_json::to_value(&event.fact).unwrap()["type"].as_str().map(str::to_owned),
            _ => None,
        })
        .collect()
}

#[test]
fn the_facts_of_a_session_wait_behind_its_creation() {
    let (mut sessions, mut out, id) = (sessions(), Vec::new(), SessionId(1));
    sessions.open(Time(0), id, call("13800138000"), &mut out);
    sessions.go(Time(1), id, SessionState::Bot, &mut out);
    assert!(facts(&out).is_empty());
    let lookups = asked(&out);
    sessions.found(Time(2), lookups[0], &Finding::NotFound, &mut out);
    assert_eq!(facts(&out), ["customer.created", "identity.linked", "conversation.opened", "session.created", "session.state"]);
    assert!(matches!(out.last(), Some(Effect::Settled(_))));
}

#[test]
fn two_calls_at_once_from_one_new_number_make_one_customer() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    sessions.open(Time(0), SessionId(1), call("13800138000"), &mut out);
    sessions.open(Time(0), SessionId(2), call("+8613800138000"), &mut out);
    let lookups = asked(&out);
    assert_eq!(lookups.len(), 1);
    sessions.found(Time(2), lookups[0], &Finding::NotFound, &mut out);
    assert_eq!(facts(&out).iter().filter(|name| *name == "customer.created").count(), 1);
    assert_eq!(sessions.of(SessionId(1)).unwrap().customer, sessions.of(SessionId(2)).unwrap().customer);
    assert_eq!(sessions.of(SessionId(1)).unwrap().conversation, sessions.of(SessionId(2)).unwrap().conversation);
}

#[test]
fn s44_a_chat_with_the_same_phone_joins_the_customer_and_the_conversation_of_the_call() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    sessions.open(Time(0), SessionId(1), call("13800138000"), &mut out);
    assert!(sessions.receive(Time(0), line("x1", "visitor-7", Some("138 0013 8000")), &mut out));
    for lookup in asked(&out) {
        sessions.found(Time(2), lookup, &Finding::NotFound, &mut out);
    }
    let customer = sessions.of(SessionId(1)).unwrap().customer.unwrap();
    let Some(Effect::Line(_, joined)) = out.iter().find(|effect| matches!(effect, Effect::Line(..))) else { panic!("{out:?}") };
    assert_eq!(*joined, customer);
    let chat = Opening { channel: "web".into(), address: "visitor-7".into(), ..Opening::default() };
    sessions.open_for(Time(3), SessionId(2), customer, chat, &mut out);
    assert_eq!(sessions.of(SessionId(1)).unwrap().conversation, sessions.of(SessionId(2)).unwrap().conversation);
    assert_eq!(facts(&out).iter().filter(|name| *name == "identity.linked").count(), 2);
}

#[test]
fn a_store_that_never_answers_delays_a_session_only_so_long() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    sessions.open(Time(0), SessionId(1), call("13800138000"), &mut out);
    let due = sessions.poll_timeout().unwrap();
    sessions.handle_timeout(due, &mut out);
    assert_eq!(facts(&out), ["customer.created", "conversation.opened", "session.created"], "nothing is claimed of the number");
}

#[test]
fn a_session_is_closed_once_and_forgotten_even_when_its_customer_is_known_late() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    sessions.open(Time(0), SessionId(1), call("13800138000"), &mut out);
    sessions.close(Time(1), SessionId(1), &Ending::CallerHungUp, None, &mut out);
    sessions.close(Time(1), SessionId(1), &Ending::Drained, None, &mut out);
    assert_eq!(sessions.counts(), (1, 0, 1));
    let lookups = asked(&out);
    sessions.found(Time(2), lookups[0], &Finding::NotFound, &mut out);
    assert_eq!(facts(&out).last().map(String::as_str), Some("session.closed"));
    assert_eq!(sessions.counts(), (1, 1, 0));
    assert_eq!(facts(&out).iter().filter(|name| *name == "session.closed").count(), 1);
}

#[test]
fn s47_the_same_client_id_makes_one_message() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    sessions.open_for(Time(0), SessionId(1), CustomerId(1), Opening::default(), &mut out);
    let line = Line { client_id: Some("c1".into()), ..Line::text(Author::Agent, "hi".into()) };
    let (first, _) = sessions.say(Time(1), SessionId(1), line.clone(), &mut out);
    assert_eq!(sessions.say(Time(2), SessionId(1), line, &mut out), (first, Said::Before));
    assert_eq!(facts(&out).iter().filter(|name| *name == "message.created").count(), 1);
}

#[test]
fn s34_a_left_message_of_mode_ticket_becomes_a_ticket_with_the_next_number() {
    let mut sessions = Sessions::new(1, Duration::from_secs(60), &Restored { last_ticket: 41, ..Restored::default() });
    let mut out = Vec::new();
    sessions.open_for(Time(0), SessionId(1), CustomerId(1), Opening::default(), &mut out);
    let left = Left { mode: "ticket".into(), contact: Some("138".into()), text: None, recording: Some(RecordingId(5)) };
    sessions.leave_message(Time(1), SessionId(1), left, &mut out);
    let number = out.iter().find_map(|effect| match effect {
        Effect::Journal(DomainEvent { fact: Fact::TicketOpened { number, .. }, .. }) => Some(*number),
        _ => None,
    });
    assert_eq!(number, Some(42));
}

#[test]
fn s86_what_a_crash_left_open_is_ended_and_who_waited_gets_a_callback() {
    let (mut sessions, mut out) = (sessions(), Vec::new());
    let left = Interrupted { session: SessionId(9), call: None, began: Time(0), queue: Some(QueueId(3)), address: "138".into() };
    sessions.take_up(Time(5_000), Restored { last_ticket: 0, interrupted: vec![left], phones: Vec::new() }, &mut out);
    assert_eq!(facts(&out), ["callback.promised", "session.closed"]);
}

//! The probe against an endpoint of ours as the far end, in virtual time.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::control::sdp;
use crate::control::sip::happening::Happening;
use crate::control::sip::message::Method;
use crate::control::sip::{Message, Received};
use crate::control::time::Time;
use crate::control::words::directory::{Credentials, Ha1};
use crate::control::words::sip::{Flow, Secrecy, Whereabouts};
use crate::control::words::trunk::{Habits, Offer, Registers};

const NOW: Time = Time(1_795_000_000_000_000);
const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.2:5060";

fn endpoint(place: &str) -> Endpoint {
    let address = place.parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    Endpoint::new(NOW, 7, endpoint::Settings::new(vec![listener], "far", 7))
}

fn local(port: u16) -> Local {
    Local::plain([192, 0, 2, 9], port, vec![Codec::Pcma])
}

fn subject(habits: Habits) -> Subject {
    let remote = Whereabouts { host: "192.0.2.2".to_owned(), port: None, transport: None, secrecy: Secrecy::Any };
    let trunk = Trunk { habits, ..Trunk::at("pbx", remote) };
    Subject { trunk, domain: "center".to_owned(), caller: "100".to_owned(), number: "2001".to_owned(), local: local(4_000) }
}

fn over(from: &str, bytes: Bytes) -> Received {
    let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: from.parse().unwrap(), connection: None };
    Received { flow, message: Message::parse(bytes).unwrap() }
}

/// Runs the exam against a far end that does with a call what `react` says.
fn examined(subject: Subject, react: impl FnMut(&mut Endpoint, Time, &Happening)) -> Report {
    examined_by(subject, |_| true, react)
}

/// The same; what the far end does not hear never came.
fn examined_by(subject: Subject, hears: impl Fn(&Message) -> bool, react: impl FnMut(&mut Endpoint, Time, &Happening)) -> Report {
    examined_at(&mut endpoint(THERE), subject, hears, react)
}

/// The same at this far end.
fn examined_at(
    far: &mut Endpoint,
    subject: Subject,
    hears: impl Fn(&Message) -> bool,
    mut react: impl FnMut(&mut Endpoint, Time, &Happening),
) -> Report {
    let mut now = NOW;
    let mut exam = Exam::new(now, endpoint(HERE), subject);
    while !exam.is_done() {
        let mut idle = true;
        while let Some(output) = exam.poll_output() {
            idle = false;
            if let Output::Sip(transmit) = output {
                let received = over(HERE, transmit.bytes);
                if hears(&received.message) {
                    far.receive(now, received);
                }
            }
        }
        while let Some(happening) = far.poll_happening() {
            react(far, now, &happening);
        }
        while let Some(transmit) = far.poll_transmit() {
            idle = false;
            exam.handle(now, Input::Sip(over(THERE, transmit.bytes)));
        }
        if idle {
            now = exam.poll_timeout().max(now);
            exam.handle_timeout(now);
        }
    }
    exam.report()
}

#[test]
fn a_far_end_that_answers_shows_its_codec_its_keys_and_what_it_can_do() {
    let report = examined(subject(Habits::default()), |far, now, happening| {
        if let Happening::Invited(invited) = happening {
            let (answer, _) = sdp::answer(&local(5_000), invited.sdp.as_ref().unwrap()).unwrap();
            far.answer(now, invited.leg, answer);
        }
    });
    assert_eq!((report.hosts[0].status, report.failures.len()), (Some(200), 0), "{report:?}");
    let call = report.call.as_ref().unwrap();
    let agreed = call.agreed.as_ref().unwrap();
    assert_eq!((call.status, agreed.codec, agreed.telephone_event), (Some(200), "PCMA", Some(101)));
    assert!(["UPDATE", "100rel", "timer"].iter().all(|token| report.supports.contains(&(*token).to_owned())), "{:?}", report.supports);
    assert!(report.odd.iter().any(|odd| odd.contains("sound goes to 192.0.2.9")), "{:?}", report.odd);
    assert!(report.software[0].starts_with("Hotline/"));
    let text = shown(&report);
    assert!(
        text.contains("OPTIONS   192.0.2.2: 200") && text.contains("PCMA at 20 ms, telephone-event 101") && text.contains("good"),
        "{text}"
    );
}

#[test]
fn a_call_that_rings_is_taken_back() {
    let mut cancelled = 0;
    let report = examined(subject(Habits::default()), |far, now, happening| match happening {
        Happening::Invited(invited) => far.ring(now, invited.leg, 180, None),
        Happening::Cancelled { .. } => cancelled += 1,
        _ => {}
    });
    let call = report.call.unwrap();
    assert_eq!((call.rang, call.status, cancelled, report.failures.len()), (Some(180), Some(487), 1, 0));
}

#[test]
fn an_answer_that_crosses_our_taking_back_is_an_answer_and_early_sound_is_shown() {
    let report = examined(subject(Habits::default()), |far, now, happening| {
        if let Happening::Invited(invited) = happening {
            let (answer, _) = sdp::answer(&local(5_000), invited.sdp.as_ref().unwrap()).unwrap();
            far.ring(now, invited.leg, 183, Some(answer.clone()));
            far.answer(now, invited.leg, answer);
        }
    });
    let call = report.call.as_ref().unwrap();
    assert_eq!((call.rang, call.status, report.failures.len()), (Some(183), Some(200), 0), "{report:?}");
    let report = examined(subject(Habits::default()), |far, now, happening| {
        if let Happening::Invited(invited) = happening {
            let (answer, _) = sdp::answer(&local(5_000), invited.sdp.as_ref().unwrap()).unwrap();
            far.ring(now, invited.leg, 183, Some(answer));
        }
    });
    let call = report.call.unwrap();
    assert_eq!((call.status, call.agreed.map(|agreed| agreed.codec)), (Some(487), Some("PCMA")));
}

#[test]
fn a_far_end_that_answers_calls_but_no_options_can_be_used_without_the_check() {
    for (check, failures) in [(None, 0), (Some(Duration::from_secs(30)), 1)] {
        let mut subject = subject(Habits::default());
        subject.trunk.check = check;
        let report = examined_by(
            subject,
            |message| message.method() != Method::Options,
            |far, now, happening| {
                if let Happening::Invited(invited) = happening {
                    far.refuse(now, invited.leg, 486, &[]);
                }
            },
        );
        assert_eq!(report.failures.len(), failures, "{report:?}");
        assert!(report.failures.iter().all(|why| why.ends_with("calls are: write check = \"off\"")), "{report:?}");
        assert_eq!(report.odd.iter().filter(|odd| odd.contains("leave check")).count(), 1 - failures, "{report:?}");
        assert!(!report.odd.iter().any(|odd| odd.contains("repeated")), "{report:?}");
    }
}

/// A far end where anna may register, at one place only.
fn registrar() -> Endpoint {
    let address = THERE.parse().unwrap();
    let listener = Listener { id: ListenerId(0), transport: Transport::Udp, bound: address, advertised: address };
    let mut settings = endpoint::Settings::new(vec![listener], "far", 7);
    settings.users = Arc::new([("anna".to_owned(), Ha1::of_password("anna", "far", "secret"))].into());
    settings.limits.contacts = 1;
    Endpoint::new(NOW, 7, settings)
}

fn registering(password: &str) -> Subject {
    let mut subject = subject(Habits::default());
    subject.trunk.registers = Some(Registers { domain: "192.0.2.2".to_owned(), expires: Duration::from_secs(300) });
    subject.trunk.credentials = Some(Credentials { user: "anna".to_owned(), password: password.to_owned() });
    subject
}

#[test]
fn s85_a_probe_leaves_the_registration_of_the_running_server_as_it_is() {
    let (mut far, mut server) = (registrar(), endpoint("192.0.2.3:5060"));
    let Subject { trunk, .. } = registering("secret");
    let there = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: THERE.parse().unwrap(), connection: None };
    server.register(
        NOW,
        endpoint::Registration {
            target: there.into(),
            registrar: "sip:192.0.2.2".to_owned(),
            record: "sip:anna@192.0.2.2".to_owned(),
            user: "carrier".to_owned(),
            expires: Duration::from_secs(300),
            errand: endpoint::Errand::Bind,
            credentials: trunk.credentials,
        },
    );
    for _ in 0..2 {
        let ask = server.poll_transmit().expect("a REGISTER");
        far.receive(NOW, over("192.0.2.3:5060", ask.bytes));
        let answer = far.poll_transmit().expect("its answer");
        server.receive(NOW, over(THERE, answer.bytes));
    }
    let before = far.contacts(NOW, "anna");
    assert_eq!(before.len(), 1, "the server is registered");
    let report = examined_at(
        &mut far,
        registering("secret"),
        |_| true,
        |far, now, happening| {
            if let Happening::Invited(invited) = happening {
                far.refuse(now, invited.leg, 486, &[]);
            }
        },
    );
    assert_eq!(far.contacts(NOW, "anna"), before, "calls still come to the server");
    assert_eq!(report.registration, Some(Registration { status: 200, places: Some(1), expires_s: Some(299) }), "one second on its way");
    assert!(shown(&report).contains("registered at one place, for 299 s more"), "{}", shown(&report));
    assert_eq!(report.failures, [""; 0]);
    let wrong = examined_at(&mut registrar(), registering("guess"), |_| true, |_, _, _| {});
    assert_eq!(wrong.failures[0], "REGISTER is answered 403: are `user`, `password` and `domain` right?");
}

#[test]
fn a_late_offer_is_asked_for_where_the_trunk_says_so() {
    let habits = Habits { offer: Offer::Late, ..Habits::default() };
    let mut answered = None;
    let report = examined(subject(habits), |far, now, happening| match happening {
        Happening::Invited(invited) => {
            assert_eq!(invited.sdp, None);
            far.answer(now, invited.leg, sdp::offer(&local(5_000)));
        }
        Happening::Confirmed { sdp, .. } => answered.clone_from(sdp),
        _ => {}
    });
    assert!(answered.is_some_and(|answer| sdp::accept(&local(5_000), &answer).is_ok()));
    assert_eq!(report.call.unwrap().agreed.unwrap().codec, "PCMA");
}

#[test]
fn refusals_silence_and_unknown_numbers_are_failures_with_their_reason() {
    let refused = |status: u16, number: &str| {
        let subject = Subject { number: number.to_owned(), ..subject(Habits::default()) };
        examined(subject, move |far, now, happening| {
            if let Happening::Invited(invited) = happening {
                far.refuse(now, invited.leg, status, &[("Retry-After", "7")]);
            }
        })
    };
    assert_eq!(refused(403, "2001").failures, ["the call is refused with 403: does the far end know us?"]);
    assert_eq!(refused(404, "2001").failures, ["the far end does not know the number 2001: see `out` of the trunk"]);
    assert_eq!(refused(404, NOBODY).failures, [""; 0]);
    assert_eq!(refused(486, "2001").failures, [""; 0]);
    let busy = refused(503, "2001");
    assert_eq!(busy.failures, ["the call fails with 503"]);
    assert_eq!(busy.refuses, ["INVITE: 503 Service Unavailable, Retry-After: 7"]);
    let mut subject = subject(Habits::default());
    subject.trunk.hosts[0].to.host = "192.0.2.77".to_owned();
    let (mut now, mut exam) = (NOW, Exam::new(NOW, endpoint(HERE), subject));
    while !exam.is_done() {
        while exam.poll_output().is_some() {}
        now = exam.poll_timeout().max(now + Duration::from_millis(1));
        exam.handle_timeout(now);
    }
    let silent = exam.report();
    assert!(silent.failures[0].starts_with("192.0.2.77: OPTIONS is not answered"), "{silent:?}");
    assert!(silent.failures.iter().any(|why| why.contains("408") || why.contains("not answered")), "{silent:?}");
    assert!(shown(&silent).contains("FAILED"));
}

//! What is kept, shown and struck out.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::control::random::Random;
use crate::control::sip::message::Message;
use crate::control::words::sip::Transport;

const START: Time = Time(1_000_000_000_000);

fn flow() -> Flow {
    Flow { listener: ListenerId(0), transport: Transport::Udp, remote: "192.0.2.1:5060".parse().unwrap(), connection: None }
}

fn request(method: &str, call_id: &str, more: &str) -> String {
    format!(
        "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n{more}"
    )
}

fn came(ladders: &mut Ladders, now: Time, text: &str) {
    let message = Message::parse(Bytes::from(text.to_owned())).unwrap();
    ladders.came(now, &Received { flow: flow(), message });
}

fn goes(ladders: &mut Ladders, now: Time, text: &str) {
    ladders.goes(now, &Transmit { flow: flow(), bytes: Bytes::from(text.to_owned()) });
}

fn lines(ladder: &Ladder) -> Vec<String> {
    let line = |seen: &Seen| {
        let text = String::from_utf8_lossy(&seen.bytes).into_owned();
        format!("{} {}", seen.direction.word(), text.lines().next().unwrap_or_default())
    };
    ladder.messages.iter().map(line).collect()
}

#[test]
fn a_call_shows_the_messages_of_all_its_legs_in_the_order_of_time() {
    let mut ladders = Ladders::default();
    let call = CallId::new(START, &mut Random::new(1));
    came(&mut ladders, START, &request("INVITE", "caller", "\r\n"));
    goes(&mut ladders, START, "SIP/2.0 100 Trying\r\nCall-ID: caller\r\nCSeq: 1 INVITE\r\n\r\n");
    goes(&mut ladders, START + Duration::from_millis(5), &request("INVITE", "agent", "\r\n"));
    came(&mut ladders, START + Duration::from_millis(9), &request("OPTIONS", "other", "\r\n"));
    came(&mut ladders, START + Duration::from_millis(7), &request("BYE", "caller", "\r\n"));
    ladders.belongs(b"caller", call);
    ladders.belongs(b"agent", call);
    let ladder = ladders.show(Which::Call(call)).unwrap();
    assert_eq!(
        lines(&ladder),
        ["in INVITE sip:1@h SIP/2.0", "out SIP/2.0 100 Trying", "out INVITE sip:1@h SIP/2.0", "in BYE sip:1@h SIP/2.0"]
    );
    assert_eq!(ladders.show(Which::Dialog(b"agent")).unwrap().messages.len(), 1);
    assert_eq!(ladders.show(Which::Dialog(b"other")), None, "what is no call is not kept");
    let counted: u64 = ladders.counts().iter().map(|(_, count)| count).sum();
    assert_eq!(counted, 5);
    let trying = ladders.counts().into_iter().find(|(kind, _)| kind.status == 100).unwrap();
    assert_eq!((trying.0.method, trying.0.direction, trying.1), (Method::Invite, Direction::Out, 1));
}

#[test]
fn memory_is_bounded_by_dialogs_messages_and_bytes() {
    let mut ladders = Ladders::default();
    let mut random = Random::new(1);
    let long = format!("Subject: {}\r\n\r\n", "s".repeat(10_000));
    for number in 0..3 * DIALOGS {
        let name = format!("call-{number}");
        came(&mut ladders, START, &request("INVITE", &name, &long));
        ladders.belongs(name.as_bytes(), CallId::new(START, &mut random));
    }
    assert!(ladders.dialogs.len() <= DIALOGS && ladders.order.len() <= DIALOGS && ladders.of_call.len() <= DIALOGS);
    for _ in 0..MESSAGES + 10 {
        came(&mut ladders, START, &request("INFO", "call-3000", "\r\n"));
    }
    let ladder = ladders.show(Which::Dialog(b"call-3000")).unwrap();
    assert_eq!((ladder.messages.len(), ladder.left_out), (MESSAGES, 11));
    assert_eq!(ladder.messages[0].bytes.len(), MESSAGE_BYTES);
    assert!(ladder.messages[0].length > 10_000);
    assert!(ladders.show(Which::Dialog(b"call-0")).is_none());
}

#[test]
fn credentials_keys_of_the_sound_and_written_words_are_struck_out_and_lengths_stay() {
    let mut ladders = Ladders::default();
    let sdp = "v=0\r\na=crypto:1 AES_CM_128 inline:c2VjcmV0\r\na=ice-pwd:Wq5KTJ5bTZtGNiXGVPXtQR9c\r\na=sendrecv\r\n";
    let head = format!(
        "Proxy-Authorization: Digest username=\"u\",\r\n response=\"deadbeef\"\r\nAUTHORIZATION : Digest response=\"cafe\"\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let invite = request("INVITE", "c", &head);
    came(&mut ladders, START, &invite);
    came(&mut ladders, START, &request("INFO", "c", "Content-Type: application/dtmf-relay\r\nContent-Length: 8\r\n\r\nSignal=7"));
    let ladder = ladders.show(Which::Dialog(b"c")).unwrap();
    let texts: Vec<String> = ladder.messages.iter().map(|seen| String::from_utf8(seen.bytes.to_vec()).unwrap()).collect();
    assert_eq!(texts[0].len(), invite.len());
    for secret in ["deadbeef", "cafe", "inline", "username", "Wq5KTJ5b"] {
        assert!(!texts[0].contains(secret), "{}", texts[0]);
    }
    assert!(texts[0].contains("a=sendrecv") && texts[0].contains("Call-ID: c"));
    assert!(texts[1].ends_with("\r\n\r\nxxxxxxxx"), "{}", texts[1]);
    assert!(Message::parse(Bytes::from(texts[0].clone())).is_ok());
}

proptest! {
    #[test]
    fn striking_never_changes_a_length_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..400) {
        let text = request("INVITE", "c", "Authorization: Digest response=\"cafe\"\r\nContent-Length: 4\r\n\r\ncafe");
        let mut message = text.into_bytes();
        message.truncate(cut);
        message.extend(bytes);
        let message = Bytes::from(message);
        prop_assert_eq!(strike::out(&message).len(), message.len());
    }
}

#[test]
fn messages_are_counted_by_trunk_method_status_and_way() {
    use crate::control::words::directory::Directory;
    use crate::control::words::sip::{Secrecy, Whereabouts};
    use crate::control::words::trunk::Trunk;
    let at = Whereabouts { host: "192.0.2.1".to_owned(), port: None, transport: None, secrecy: Secrecy::Any };
    let mut ladders = Ladders::default();
    ladders.configure(&Directory { trunks: [("pbx".to_owned(), Trunk::at("pbx", at))].into(), ..Directory::default() });
    came(&mut ladders, START, &request("INVITE", "a", "\r\n"));
    came(&mut ladders, START, &request("INVITE", "b", "\r\n"));
    goes(&mut ladders, START, "SIP/2.0 486 Busy Here\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n");
    let elsewhere = Flow { remote: "192.0.2.7:5060".parse().unwrap(), ..flow() };
    ladders.goes(START, &Transmit { flow: elsewhere, bytes: Bytes::from(request("OPTIONS", "c", "\r\n")) });
    let counted: Vec<_> = ladders
        .counts()
        .into_iter()
        .map(|(kind, count)| (kind.trunk.as_deref().map(str::to_owned), kind.direction, kind.method, kind.status, count))
        .collect();
    let pbx = || Some("pbx".to_owned());
    for expected in [
        (pbx(), Direction::In, Method::Invite, 0, 2),
        (pbx(), Direction::Out, Method::Invite, 486, 1),
        (None, Direction::Out, Method::Options, 0, 1),
    ] {
        assert!(counted.contains(&expected), "{expected:?} in {counted:?}");
    }
    assert_eq!(counted.len(), 3);
}

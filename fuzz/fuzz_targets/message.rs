//! Arbitrary bytes as a SIP message: read, looked at from all sides, given to an endpoint. What we answer can be read again.
#![no_main]

use bytes::Bytes;
use hotline_fuzz::center;
use hotline_fuzz::control::random::Random;
use hotline_fuzz::control::sip::endpoint::stateless;
use hotline_fuzz::control::sip::message::{Address, CSeq, Name, Uri, Via, text};
use hotline_fuzz::control::sip::{Endpoint, Malformed, Message, Received, Settings};
use hotline_fuzz::control::time::Time;
use hotline_fuzz::control::words::sip::{Flow, ListenerId, Transport};
use libfuzzer_sys::fuzz_target;

const NOW: Time = Time(1_795_000_000_000_000);

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    let flow = Flow { listener: ListenerId(0), transport: Transport::Udp, remote: center::crowd(), connection: None };
    match Message::parse(bytes.clone()) {
        Err(Malformed { status, why, salvage }) => {
            assert!((400..=699).contains(&status) && !why.is_empty());
            let answer = salvage.and_then(|request| stateless(&request, flow, status, &why, Some(1)));
            assert!(answer.is_none_or(|(_, bytes)| bytes.starts_with(b"SIP/2.0 ") && bytes.ends_with(b"\r\n\r\n")));
        }
        Ok(message) => {
            assert_eq!(message.bytes(), &bytes);
            look(&message);
            let settings = Settings::of_directory(&center::directory(&mut Random::new(1)));
            let mut end = Endpoint::new(NOW, 1, settings);
            end.receive(NOW, Received { flow, message });
            while end.poll_happening().is_some() {}
            while let Some(sent) = end.poll_transmit() {
                assert!(Message::parse(sent.bytes.clone()).is_ok(), "{}", String::from_utf8_lossy(&sent.bytes));
            }
            end.handle_timeout(NOW + std::time::Duration::from_secs(300));
        }
    }
});

/// Every typed value that may be asked for.
fn look(message: &Message) {
    let _ = (message.method(), message.status(), message.reason(), message.body(), message.sdp(), message.content_type());
    let _ = (message.via(), message.from(), message.to(), message.cseq(), message.max_forwards());
    for (name, _, value) in message.lines() {
        let _ = (Address::parse(value).map(|address| (address.name(), address.tag().is_some())), CSeq::parse(value).is_ok());
        let _ = (Via::parse(value).map(|via| via.wants_rport()), Uri::parse(value).map(|uri| (uri.user_text().len(), uri.socket())));
        let _ = (message.values(name).count(), message.number(name), message.address(name).is_some(), text::lossy(value).len());
    }
    let _ = message.number(Name::RetryAfter);
}

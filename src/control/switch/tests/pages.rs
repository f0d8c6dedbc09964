//! Texts from phone to phone: for whom they are.

use bytes::Bytes;

use super::*;

/// Where the sender sits.
const SENDER: u16 = 5_096;

/// What we send after this came.
fn after(scene: &mut Scene, from: u16, text: String) -> Vec<String> {
    scene.switch.handle(scene.now, Input::Sip(received(from, Bytes::from(text))));
    let sent = |output| if let Output::Sip(transmit) = output { Some(transmit.bytes) } else { None };
    let outputs: Vec<Output> = std::iter::from_fn(|| scene.switch.poll_output()).collect();
    outputs.into_iter().filter_map(sent).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

fn text(to: &str) -> String {
    format!(
        "MESSAGE sip:{to}@center.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5096;branch=z9hG4bK{to}\r\nFrom: <sip:anna@center.example>;tag=w\r\n\
         To: <sip:{to}@center.example>\r\nCall-ID: {to}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    )
}

#[test]
fn s42_a_colleague_reads_what_is_written_to_him_and_plans_queues_and_nobody_read_nothing() {
    let mut scene = Scene::new(directory(&["anna", "ben"]));
    let out = after(&mut scene, SENDER, text("ben"));
    assert!(out.len() == 1 && out[0].starts_with("MESSAGE sip:ben@10.0.0.1:5080 SIP/2.0\r\n"), "{out:?}");
    assert!(out[0].contains("From: \"anna\" <sip:anna@center.example>;tag=") && out[0].ends_with("\r\n\r\nhello"), "{out:?}");
    let kept = |line: &&str| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let head: String = out[0].lines().filter(kept).map(|line| format!("{line}\r\n")).collect();
    let out = after(&mut scene, AGENT, format!("SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n"));
    assert!(out.len() == 1 && out[0].starts_with("SIP/2.0 200 OK") && out[0].contains("branch=z9hG4bKben"), "{out:?}");
    for (to, status) in [("4001010", "405"), ("7000", "405"), ("9110", "405"), ("nobody", "404")] {
        let out = after(&mut scene, SENDER, text(to));
        assert!(out.len() == 1 && out[0].starts_with(&format!("SIP/2.0 {status} ")), "{to}: {out:?}");
        assert_eq!(out[0].contains("Allow: INVITE, ACK, BYE"), status == "405", "{out:?}");
    }
}

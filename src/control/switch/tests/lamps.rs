//! Lamps: what a phone that watches another one is told of its calls.

use bytes::Bytes;

use super::*;
use crate::control::words::directory::Ha1;

/// Where the phone sits that watches; nobody answers there.
const WATCHER: u16 = 5_095;

/// Ben watches Anna. What is told from here on is to be seen by `news`.
fn watched(directory: Directory) -> Scene {
    let mut scene = Scene::new(directory);
    scene.dead.push(WATCHER);
    let subscribe = "SUBSCRIBE sip:anna@center.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5095;branch=z9hG4bKw\r\n\
                     From: <sip:ben@center.example>;tag=w\r\nTo: <sip:anna@center.example>\r\nCall-ID: w\r\nCSeq: 1 SUBSCRIBE\r\n\
                     Contact: <sip:ben@10.0.0.1:5095>\r\nEvent: dialog\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n";
    scene.input(Input::Sip(received(WATCHER, Bytes::from_static(subscribe.as_bytes()))));
    assert_eq!(news(&mut scene), ["terminated - -"]);
    scene
}

/// State, direction and remote identity of each dialog in the NOTIFYs that came since; each counts its version up.
fn news(scene: &mut Scene) -> Vec<String> {
    let part = |text: &str, from: &str, to: &str| {
        let rest = text.split_once(from).map_or("-", |(_, rest)| rest);
        rest.split(to).next().unwrap().to_owned()
    };
    let dialogs = |text: &String| text.split("<dialog ").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let shown = |dialog: &String| {
        let remote = part(&part(dialog, "<remote>", "</remote>"), "<identity", "</identity>");
        let remote = remote.split('>').next_back().unwrap().to_owned();
        format!("{} {} {remote}", part(dialog, "<state>", "</state>"), part(dialog, "direction=\"", "\""))
    };
    let mut all = Vec::new();
    while !scene.notifies.is_empty() {
        for notify in std::mem::take(&mut scene.notifies) {
            answer(scene, &notify);
            all.push(notify);
        }
    }
    all.iter().flat_map(dialogs).map(|dialog| shown(&dialog)).collect()
}

/// The watching phone takes a NOTIFY.
fn answer(scene: &mut Scene, notify: &str) {
    let kept = |line: &&str| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let lines: String = notify.lines().filter(kept).map(|line| format!("{line}\r\n")).collect();
    scene.input(Input::Sip(received(WATCHER, Bytes::from(format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")))));
}

const CALLS_ANNA: &str = "recipient sip:13800138000@center.example";

#[test]
fn s42_a_lamp_blinks_while_a_direct_call_rings_is_lit_while_they_speak_and_dark_after_it() {
    let mut scene = watched(directory(&["anna", "ben"]));
    let call = scene.dial("anna");
    assert_eq!(news(&mut scene), [format!("trying {CALLS_ANNA}")]);
    let rings =
        scene.happened.iter().find_map(|(_, happening)| if let Happening::Invited(invited) = happening { Some(invited.leg) } else { None });
    for _ in 0..2 {
        scene.agent.ring(scene.now, rings.unwrap(), 180, None);
        scene.run();
    }
    assert_eq!(news(&mut scene), [format!("early {CALLS_ANNA}")], "once");
    scene.agent_answers();
    assert_eq!(news(&mut scene), [format!("confirmed {CALLS_ANNA}")]);
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    assert_eq!(news(&mut scene), ["terminated - -"]);
    scene.wait(Duration::from_secs(60));
    assert_eq!(news(&mut scene), [""; 0], "nothing more happened");
}

#[test]
fn s42_a_lamp_blinks_for_an_offer_of_a_queue_too_and_goes_out_when_nobody_takes_it() {
    let mut directory = directory(&["anna", "ben"]);
    directory.agents.get_mut(&AgentId::of_name("ben")).unwrap().queues.clear();
    let mut scene = watched(directory);
    scene.dial("7000");
    let rings =
        scene.happened.iter().find_map(|(_, happening)| if let Happening::Invited(invited) = happening { Some(invited.leg) } else { None });
    scene.agent.ring(scene.now, rings.expect("the offer rings"), 180, None);
    scene.run();
    assert_eq!(news(&mut scene), [format!("trying {CALLS_ANNA}"), format!("early {CALLS_ANNA}")]);
    scene.wait(Duration::from_millis(20_100));
    assert_eq!(news(&mut scene), ["terminated - -"], "she did not take it");
}

#[test]
fn a_call_that_somebody_places_is_shown_with_whom_he_called_and_who_hides_is_not_shown() {
    let mut directory = directory(&["anna", "ben"]);
    directory.agents.values_mut().for_each(|agent| agent.ha1 = Ha1::default());
    let mut scene = watched(directory);
    let own = scene.agent_dials_with("anna", "sip:ben@center.example", &[("Privacy", "id")]);
    assert_eq!(news(&mut scene).first().map(String::as_str), Some("trying initiator sip:ben@center.example"));
    scene.agent.hang_up(scene.now, own, &[]);
    scene.run();
    assert_eq!(news(&mut scene).last().map(String::as_str), Some("terminated - -"));
    let leg = scene.caller.new_leg(scene.now);
    let hides = Outgoing {
        target: Flow { listener: ListenerId(0), transport: Transport::Udp, remote: at(CENTER), connection: None }.into(),
        request_uri: "sip:anna@center.example".to_owned(),
        from: "<sip:13800138000@phones.example>".to_owned(),
        to: "<sip:anna@center.example>".to_owned(),
        headers: vec![("Privacy".to_owned(), "id".to_owned())],
        sdp: sdp::offer(&local(30_000)),
        credentials: None,
        manner: crate::control::sip::endpoint::Manner::default(),
    };
    scene.caller.invite(scene.now, leg, hides);
    scene.run();
    assert_eq!(news(&mut scene), ["trying recipient sip:anonymous@anonymous.invalid"]);
}

//! Keys pressed in a conversation: each reaches the other side once, in the way that side knows, however it comes.

use super::*;
use crate::control::words::media::KeyWay;
use crate::control::words::trunk::{Habits, Keys, Trunk};

/// How a key comes from the caller's phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Come {
    Event,
    Tone,
    Info,
    /// By INFO whose first datagram is lost.
    InfoLost,
    /// By INFO whose datagram arrives three times.
    InfoTripled,
    /// By events and by INFO, as some phones do it.
    Both,
}

/// A caller who talks with a far end behind a trunk that knows keys in this way.
fn talking(keys: Keys) -> (Scene, LegId, LegId) {
    let carrier = Trunk { habits: Habits { keys, ..Habits::default() }, ..ways::trunk("carrier", &[5090]) };
    let mut scene = Scene::new(ways::out_by(vec![carrier], Vec::new()));
    let caller = scene.dial("anna");
    let far = scene.agent_answers();
    scene.media.clear();
    (scene, caller, far)
}

fn press(scene: &mut Scene, caller: LegId, ours: LegId, key: char, come: Come) {
    let mut sound = |way| scene.input(Input::Media(media::Event::KeyPressed { leg: ours, key, way }));
    match come {
        Come::Event => sound(KeyWay::Event),
        Come::Tone => sound(KeyWay::Tone),
        Come::Both => {
            sound(KeyWay::Event);
            scene.caller.send_key(scene.now, caller, key);
            scene.run();
        }
        Come::Info | Come::InfoLost | Come::InfoTripled => by_info(scene, caller, key, come),
    }
}

fn by_info(scene: &mut Scene, caller: LegId, key: char, come: Come) {
    scene.caller.send_key(scene.now, caller, key);
    let first = scene.caller.poll_transmit().expect("an INFO").bytes;
    let times = match come {
        Come::InfoLost => 0,
        Come::InfoTripled => 3,
        _ => 1,
    };
    for _ in 0..times {
        scene.input(Input::Sip(received(CALLER, first.clone())));
    }
    // Timer E repeats what was not answered.
    scene.now = scene.now + Duration::from_millis(600);
    scene.caller.handle_timeout(scene.now);
    scene.run();
}

#[test]
fn s62_a_key_reaches_the_other_side_once_in_the_way_it_knows_however_it_comes() {
    const PRESSED: &str = "0123456789*#ABCD5";
    for keys in [Keys::Rfc4733, Keys::Info, Keys::Inband] {
        for come in [Come::Event, Come::Tone, Come::Info, Come::InfoLost, Come::InfoTripled, Come::Both] {
            let (mut scene, caller, far) = talking(keys);
            let ours = scene.facts.iter().find_map(|fact| match fact {
                Fact::LegOpened { leg, role, .. } if role == "caller" => Some(*leg),
                _ => None,
            });
            for key in PRESSED.chars() {
                press(&mut scene, caller, ours.unwrap(), key, come);
                scene.wait(Duration::from_secs(1));
            }
            let sent: String = scene
                .media
                .iter()
                .filter_map(|command| if let Command::SendKeys { keys, .. } = command { Some(keys.as_str()) } else { None })
                .collect();
            let told: String = scene
                .happened
                .iter()
                .filter_map(|(port, told)| match told {
                    Happening::Key { leg, key } if (*port, *leg) == (AGENT, far) => Some(*key),
                    _ => None,
                })
                .collect();
            // Tones go through a bridge by themselves to one who hears them.
            let expected = match (keys, come) {
                (Keys::Info, _) => ("", PRESSED),
                (Keys::Inband, Come::Tone) => ("", ""),
                _ => (PRESSED, ""),
            };
            assert_eq!((sent.as_str(), told.as_str()), expected, "{come:?} to {keys:?}");
        }
    }
}

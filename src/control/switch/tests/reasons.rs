//! Why a call ends, in the words of whoever ends it (RFC 3326, RFC 6432): what one side says reaches the other.

use super::*;

/// The reason that the phone at this port was told last.
fn told(scene: &Scene, phone: u16) -> Option<&str> {
    scene.happened.iter().rev().find_map(|(port, told)| match told {
        Happening::Because { reason, .. } if *port == phone => Some(reason.as_str()),
        _ => None,
    })
}

fn dialled() -> (Scene, LegId, LegId) {
    let mut scene = Scene::new(directory(&["anna"]));
    let caller = scene.dial("anna");
    let rings = scene.happened.iter().rev().find_map(|(port, told)| match told {
        Happening::Invited(invited) if *port == AGENT => Some(invited.leg),
        _ => None,
    });
    (scene, caller, rings.expect("her phone rings"))
}

#[test]
fn s85_what_a_far_end_says_of_its_refusal_reaches_the_caller() {
    for (said, heard) in [
        (Some("Q.850;cause=1;text=\"unallocated\""), Some("Q.850;cause=1;text=\"unallocated\"")),
        (Some("Q.850 ;cause=16\r\n ;text=\"folded\""), Some("Q.850 ;cause=16   ;text=\"folded\"")),
        (Some(&"x".repeat(257)[..]), None),
        (None, None),
    ] {
        let (mut scene, caller, rings) = dialled();
        let headers: Vec<(&str, &str)> = said.into_iter().map(|said| ("Reason", said)).collect();
        scene.agent.refuse(scene.now, rings, 404, &headers);
        scene.run();
        assert!(scene.happened.contains(&(CALLER, Happening::Refused { leg: caller, status: 404 })));
        let same = |heard: &str| heard.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(told(&scene, CALLER).map(same), heard.map(same), "{said:?}");
        scene.assert_at_rest();
    }
}

#[test]
fn s85_a_caller_who_was_answered_elsewhere_leaves_no_missed_call_on_the_phones_here() {
    let (mut scene, caller, rings) = dialled();
    scene.agent.ring(scene.now, rings, 180, None);
    scene.run();
    scene.caller.hang_up(scene.now, caller, &[("Reason", "SIP;cause=200;text=\"Call completed elsewhere\"")]);
    scene.run();
    assert_eq!(told(&scene, AGENT), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    assert!(scene.happened.contains(&(AGENT, Happening::Cancelled { leg: rings })));
    scene.assert_at_rest();
}

#[test]
fn s85_why_one_side_hangs_up_is_told_to_the_other() {
    for by_caller in [true, false] {
        let (mut scene, caller, _) = dialled();
        let agent = scene.agent_answers();
        let (from, leg, other) = if by_caller { (&mut scene.caller, caller, AGENT) } else { (&mut scene.agent, agent, CALLER) };
        from.hang_up(scene.now, leg, &[("Reason", "Q.850;cause=31")]);
        scene.run();
        assert_eq!(told(&scene, other), Some("Q.850;cause=31"), "{by_caller}");
        assert_eq!(scene.happened.iter().filter(|(_, told)| matches!(told, Happening::Because { .. })).count(), 1);
        scene.assert_at_rest();
    }
}

#[test]
fn s85_a_reason_is_of_one_call_only() {
    let (mut scene, caller, _) = dialled();
    let agent = scene.agent_answers();
    scene.agent.hang_up(scene.now, agent, &[("Reason", "Q.850;cause=31")]);
    scene.run();
    let next = scene.dial("anna");
    assert_ne!(next, caller);
    scene.agent_answers();
    scene.happened.clear();
    scene.caller.hang_up(scene.now, next, &[]);
    scene.run();
    assert_eq!(told(&scene, AGENT), None);
    scene.assert_at_rest();
}

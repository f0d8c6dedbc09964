//! A plan sends its caller away: his own phone is asked to call somebody else (REFER, RFC 3515).

use super::*;

/// A caller whose plan has just asked his phone to go away.
fn referred() -> (Scene, LegId) {
    let mut scene = Scene::new(directory(&["anna"]));
    let caller = scene.dial("4010");
    let to = scene.happened.iter().find_map(|(port, told)| match told {
        Happening::Referred { to, .. } if *port == CALLER => Some(to.clone()),
        _ => None,
    });
    assert_eq!(to.as_deref(), Some("sip:branch@10.0.0.1:5090"));
    (scene, caller)
}

fn nodes(scene: &Scene) -> Vec<String> {
    let node = |fact: &Fact| if let Fact::NodeEntered { node, .. } = fact { Some(node.clone()) } else { None };
    scene.facts.iter().filter_map(node).collect()
}

#[test]
fn s42_a_caller_is_sent_away_by_refer_and_the_plan_goes_on_as_his_phone_says() {
    for (status, node) in [
        (200, None),
        (202, None),
        (486, Some("busy")),
        (600, Some("busy")),
        (603, Some("busy")),
        (408, Some("silent")),
        (480, Some("silent")),
        (404, Some("lost")),
        (503, Some("lost")),
    ] {
        let (mut scene, caller) = referred();
        scene.caller.notify_refer(scene.now, caller, 180);
        scene.run();
        assert_eq!(nodes(&scene), ["send"], "ringing is no last word");
        scene.caller.notify_refer(scene.now, caller, status);
        scene.run();
        assert_eq!(nodes(&scene).get(1).map(String::as_str), node, "{status}");
        match node {
            None => assert_eq!(scene.ending(), Some("transferred"), "{status}"),
            Some(_) => {
                scene.caller.hang_up(scene.now, caller, &[]);
                scene.run();
            }
        }
        scene.assert_at_rest();
    }
}

#[test]
fn s42_a_phone_that_says_nothing_of_where_it_was_sent_comes_back_to_the_plan() {
    let (mut scene, caller) = referred();
    scene.wait(Duration::from_secs(5));
    assert_eq!(nodes(&scene), ["send"]);
    scene.wait(Duration::from_secs(2));
    assert_eq!(nodes(&scene), ["send", "silent"]);
    scene.caller.notify_refer(scene.now, caller, 200);
    scene.run();
    assert_eq!(scene.ending(), None, "what it says later changes nothing");
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    scene.assert_at_rest();
}

#[test]
fn s42_a_phone_that_hangs_up_where_it_was_sent_has_gone_there() {
    let (mut scene, caller) = referred();
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    assert_eq!(scene.ending(), Some("transferred"));
    scene.assert_at_rest();
}

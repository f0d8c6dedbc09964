//! Ciphered sound by policy: of the center, of a trunk, of who can read the signalling.

use super::*;
use crate::control::sdp::Local;
use crate::control::words::directory::{Ha1, Number, RingGroup, Ringing, Target};
use crate::control::words::srtp::{KeyChance, KeysInSdp, Protection, ProtectionRules, Srtp};
use crate::control::words::trunk::{Habits, Trunk};

fn rules(srtp: Srtp, over_plain_sip: KeysInSdp) -> ProtectionRules {
    ProtectionRules { srtp, over_plain_sip, chance: KeyChance([6; 32]), fingerprint: None }
}

#[test]
fn s80_a_call_in_clear_is_refused_where_srtp_is_required_and_told_why() {
    let mut scene = Scene::new(Directory { protection: rules(Srtp::Required, KeysInSdp::Withheld), ..directory(&["anna"]) });
    scene.dial("4001010");
    assert_eq!(scene.refused(), Some(488));
    let refusal = scene.refusals.last().unwrap();
    assert!(refusal.contains("Warning: 399 hotline \"SRTP is required: offer RTP/SAVP with a=crypto, over TLS\""), "{refusal}");
    scene.assert_at_rest();
}

#[test]
fn s80_keys_stand_in_offers_over_signalling_in_clear_only_where_that_is_allowed() {
    for (srtp, over_plain, profile, keys) in [
        (Srtp::Offered, KeysInSdp::Withheld, " RTP/AVP ", false),
        (Srtp::Offered, KeysInSdp::Written, " RTP/AVP ", true),
        (Srtp::Off, KeysInSdp::Written, " RTP/AVP ", false),
    ] {
        let mut scene = Scene::new(Directory { protection: rules(srtp, over_plain), ..directory(&["anna"]) });
        let call = scene.dial("4001010");
        scene.finish_play();
        scene.say("我要报保险");
        let invite = scene.invites.last().unwrap().clone();
        assert!(invite.contains(profile), "{invite}");
        assert_eq!(invite.contains("a=crypto:"), keys, "{srtp:?} {over_plain:?}");
        // Nothing that is written down of the call has a key in it.
        let shown = format!("{:?} {:?}", scene.facts, scene.media);
        for line in invite.lines().filter_map(|line| line.split("inline:").nth(1)) {
            assert!(!shown.contains(line));
        }
        scene.caller.hang_up(scene.now, call, &[]);
        scene.run();
        scene.assert_at_rest();
    }
}

/// A telephone that knows one profile only.
fn picky(profile: &str) -> Local {
    let srtp = if profile == "RTP/SAVP" { Srtp::Required } else { Srtp::Off };
    let protection = Protection { srtp, keys: KeysInSdp::Written, chance: KeyChance([8; 32]), ..Protection::default() };
    Local { protection, ..local(40_000) }
}

/// What rang last, with its offer.
fn rings(scene: &Scene) -> (LegId, String) {
    let invited = scene.happened.iter().rev().find_map(|(port, told)| match told {
        Happening::Invited(it) if *port == AGENT => Some((it.leg, it.sdp.clone().unwrap_or_default())),
        _ => None,
    });
    let (leg, sdp) = invited.expect("somebody rings");
    (leg, String::from_utf8(sdp.to_vec()).unwrap())
}

/// How an offer wants the sound.
fn kind(sdp: &str) -> &'static str {
    match (sdp.contains(" RTP/SAVP "), sdp.contains("a=crypto:")) {
        (true, true) => "ciphered",
        (false, true) => "either",
        (false, false) => "clear",
        (true, false) => panic!("a profile without its keys: {sdp}"),
    }
}

/// Who rings for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    /// Anna at her phone.
    Phone,
    /// A number behind a trunk.
    Trunk,
}

/// A center that has rung `far`, which has its own wish. The caller comes in clear by a trunk of his own, whatever is wished of others.
fn center(of_center: ProtectionRules, own: Option<Srtp>, far: Far) -> Scene {
    let habits = |srtp| Habits { srtp, ..Habits::default() };
    let incoming =
        Trunk { habits: habits(Some(Srtp::Off)), sources: vec!["10.0.0.1".parse().unwrap()], ..ways::trunk("callers", &[CALLER]) };
    let outgoing = Trunk { habits: habits(own), ..ways::trunk("carrier", &[AGENT]) };
    let mut directory = match far {
        Far::Phone => directory(&["anna"]),
        Far::Trunk => ways::out_by(vec![outgoing], Vec::new()),
    };
    directory.protection = of_center;
    directory.trunks.insert("callers".to_owned(), incoming);
    if far == Far::Phone {
        directory.agents.get_mut(&AgentId::of_name("anna")).unwrap().phone.srtp = own;
    }
    let mut scene = Scene::new(directory);
    scene.dial("anna");
    scene
}

#[test]
fn s80_what_a_phone_or_a_trunk_says_of_ciphering_counts_more_than_what_the_center_wishes() {
    use KeysInSdp::{Withheld, Written};
    use Srtp::{Off, Offered, Required};
    for far in [Far::Phone, Far::Trunk] {
        for (of_center, keys, own, expected) in [
            (Offered, Written, None, "either"),
            (Offered, Written, Some(Off), "clear"),
            (Offered, Written, Some(Required), "ciphered"),
            (Off, Written, None, "clear"),
            (Off, Written, Some(Offered), "either"),
            (Off, Written, Some(Required), "ciphered"),
            (Required, Written, None, "ciphered"),
            (Required, Written, Some(Off), "clear"),
            (Required, Written, Some(Offered), "either"),
            (Required, Withheld, Some(Offered), "clear"),
        ] {
            let scene = center(rules(of_center, keys), own, far);
            assert_eq!(kind(&rings(&scene).1), expected, "{far:?} {of_center:?} {keys:?} {own:?}");
        }
        let scene = center(rules(Offered, Withheld), Some(Required), far);
        assert!(scene.invites.is_empty(), "no key may be told, and there is no certificate: nobody is rung");
    }
}

#[test]
fn s80_a_call_of_a_phone_that_must_cipher_is_refused_in_clear() {
    for (own, refused) in [(Some(Srtp::Required), true), (None, false), (Some(Srtp::Offered), false)] {
        let mut directory = Directory { protection: rules(Srtp::Offered, KeysInSdp::Written), ..directory(&["anna"]) };
        let anna = directory.agents.get_mut(&AgentId::of_name("anna")).unwrap();
        (anna.phone.srtp, anna.ha1) = (own, Ha1::of_password("anna", "center.example", "anna"));
        let mut scene = Scene::new(directory);
        let leg = scene.agent_dials_as("anna", "sip:4001010@center.example");
        assert_eq!(scene.happened.contains(&(AGENT, Happening::Refused { leg, status: 488 })), refused, "{own:?}");
    }
}

#[test]
fn s80_members_of_a_ring_group_that_say_nothing_of_it_are_rung_as_the_group_wishes() {
    for (of_anna, of_group, expected) in
        [(None, Some(Srtp::Required), "ciphered"), (Some(Srtp::Off), Some(Srtp::Required), "clear"), (None, None, "either")]
    {
        for how in [Ringing::Together, Ringing::InTurn] {
            let mut directory = Directory { protection: rules(Srtp::Offered, KeysInSdp::Written), ..directory(&["anna"]) };
            directory.agents.get_mut(&AgentId::of_name("anna")).unwrap().phone.srtp = of_anna;
            let (name, number, members) = ("sales".to_owned(), "2100".to_owned(), vec!["anna".to_owned()]);
            let group = RingGroup { name, number, members, how, ring: Duration::from_secs(9), otherwise: None, srtp: of_group };
            directory.numbers.push(Number { pattern: "2100".to_owned(), target: Target::Ring("sales".to_owned()) });
            directory.rings.insert("sales".to_owned(), group);
            let mut scene = Scene::new(directory);
            scene.dial("2100");
            assert_eq!(kind(&rings(&scene).1), expected, "{how:?} {of_group:?}");
        }
    }
}

#[test]
fn s80_a_far_end_of_one_profile_only_is_reached_in_the_same_call_where_policy_allows_it() {
    use KeysInSdp::{Withheld, Written};
    use Srtp::{Off, Offered, Required};
    // The wish, and which of what is offered the far end takes; whether it is reached, and by how many INVITEs.
    let table = [
        (Offered, Written, "RTP/SAVP", true, 2),
        (Offered, Written, "RTP/AVP", true, 1),
        (Offered, Withheld, "RTP/SAVP", false, 1),
        (Offered, Withheld, "RTP/AVP", true, 1),
        (Off, Written, "RTP/SAVP", false, 1),
        (Off, Written, "RTP/AVP", true, 1),
        (Required, Written, "RTP/SAVP", true, 1),
        (Required, Written, "RTP/AVP", false, 1),
    ];
    for far in [Far::Phone, Far::Trunk] {
        for status in [488, 415, 606] {
            for (wish, keys, takes, reached, invites) in table {
                let mut scene = center(rules(wish, keys), None, far);
                let (mut leg, mut sdp) = rings(&scene);
                if !sdp.contains(&format!(" {takes} ")) {
                    ways::refuse(&mut scene, status);
                    (leg, sdp) = rings(&scene);
                }
                let what = format!("{far:?} {status} {wish:?} {keys:?} {takes}");
                assert_eq!(scene.invites.len(), invites, "{what}");
                assert_eq!(scene.count("leg.opened"), 2, "one leg of the caller's and one of the far end's: {what}");
                let ids: std::collections::BTreeSet<_> = scene.invites.iter().map(|invite| ways::header(invite, "Call-ID")).collect();
                assert_eq!(ids.len(), 1, "{what}");
                if reached {
                    let (answer, stream) = sdp::answer(&picky(takes), sdp.as_bytes()).unwrap();
                    assert_eq!(stream.security.suite().is_some(), takes == "RTP/SAVP", "{what}");
                    scene.agent.answer(scene.now, leg, answer);
                    scene.run();
                    assert_eq!(scene.count("call.bridged"), 1, "{what}");
                    let opened =
                        scene.media.iter().filter_map(|told| if let Command::OpenLeg { stream, .. } = told { Some(stream) } else { None });
                    assert_eq!(
                        opened.filter(|stream| stream.security.suite().is_some()).count(),
                        usize::from(takes == "RTP/SAVP"),
                        "{what}"
                    );
                    scene.agent.hang_up(scene.now, leg, &[]);
                    scene.run();
                }
                assert_eq!(scene.count("call.ended"), 1, "{what}");
                scene.assert_at_rest();
            }
        }
    }
}

#[test]
fn s80_a_second_refusal_ends_the_call_as_the_first_one_did_and_other_statuses_are_not_answered_with_another_offer() {
    for (first, second) in [(488, Some(488)), (488, Some(486)), (606, Some(415)), (486, None), (603, None), (404, None), (500, None)] {
        let mut scene = center(rules(Srtp::Offered, KeysInSdp::Written), None, Far::Phone);
        ways::refuse(&mut scene, first);
        assert_eq!(scene.invites.len(), if second.is_some() { 2 } else { 1 }, "{first}");
        if let Some(second) = second {
            assert_eq!(kind(&rings(&scene).1), "ciphered");
            ways::refuse(&mut scene, second);
        }
        assert_eq!(scene.invites.len(), if second.is_some() { 2 } else { 1 });
        assert_eq!(scene.refused(), Some(second.unwrap_or(first)));
        scene.assert_at_rest();
    }
}

#[test]
fn s80_a_caller_who_gives_up_while_the_second_offer_rings_leaves_nothing_behind() {
    let mut scene = center(rules(Srtp::Offered, KeysInSdp::Written), None, Far::Phone);
    ways::refuse(&mut scene, 488);
    let (leg, _) = rings(&scene);
    scene.agent.ring(scene.now, leg, 180, None);
    scene.run();
    let caller = scene.happened.iter().rev().find_map(|(port, told)| if *port == CALLER { told.leg() } else { None }).unwrap();
    scene.caller.hang_up(scene.now, caller, &[]);
    scene.run();
    assert!(scene.happened.contains(&(AGENT, Happening::Cancelled { leg })));
    scene.assert_at_rest();
}

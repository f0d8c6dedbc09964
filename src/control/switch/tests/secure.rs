//! Ciphered sound by policy: of the center, of a trunk, of who can read the signalling.

use super::*;
use crate::control::words::srtp::{KeyChance, KeysInSdp, ProtectionRules, Srtp};

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

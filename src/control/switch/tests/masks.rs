//! What nobody may keep is not recorded.

use super::*;
use crate::control::words::media::Masking;

fn masks(scene: &Scene) -> Vec<Masking> {
    let mask = |command: &Command| if let Command::MaskRecording { masking, .. } = command { Some(*masking) } else { None };
    scene.media.iter().filter_map(mask).collect()
}

fn keys(scene: &mut Scene, keys: &str) {
    let leg = scene.leg();
    for key in keys.chars() {
        scene.input(Input::Media(media::Event::KeyPressed { leg, key, way: media::KeyWay::Event }));
    }
}

#[test]
fn s80_while_a_masked_slot_is_asked_for_the_recording_has_noise_and_the_timeline_says_so() {
    let mut scene = Scene::new(directory(&[]));
    let call = scene.dial("4009");
    scene.finish_play();
    assert_eq!(masks(&scene), [Masking::On], "from the question on");
    keys(&mut scene, "4111111111111111");
    assert_eq!(masks(&scene), [Masking::On, Masking::Off], "the order number is no secret");
    scene.finish_play();
    keys(&mut scene, "1234");
    assert_eq!(masks(&scene).len(), 2);
    let told = |fact: &Fact| if let Fact::RecordingMasked { masked, why, .. } = fact { Some((*masked, why.clone())) } else { None };
    let told: Vec<_> = scene.facts.iter().filter_map(told).collect();
    assert_eq!(told, [(true, "masked_slot".to_owned()), (false, "masked_slot".to_owned())]);
    let pressed: String =
        scene.facts.iter().filter_map(|fact| if let Fact::KeyPressed { key, .. } = fact { Some(*key) } else { None }).collect();
    assert_eq!(pressed, "x".repeat(20), "each press is in the log, without its key");
    assert!(!serde_json::to_string(&scene.facts).unwrap().contains("4111"), "nor are they anywhere else in it");
    scene.caller.hang_up(scene.now, call, &[]);
    scene.run();
    scene.assert_at_rest();
}

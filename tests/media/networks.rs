//! Sound that survives bad networks.

use hotline::control::words::media::Codec;
use hotline::media::RATE;
use hotline::media::tone::{rms, share};

use crate::stage::{Network, Stage};

/// Sine energy at an ear that hears a phone behind this network through the mixing path (another codec), in per cent of a clean one.
fn purity(network: Network) -> (f64, f64) {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(400.0));
    let agent = stage.phone(2, Codec::Pcma, None);
    stage.phones[0].network = network;
    stage.hear(agent, caller, 1.0);
    stage.run(20_000);
    let line = stage.heard(agent, 10_000);
    let pieces: Vec<f64> = line.chunks_exact(800).map(|piece| share(piece, RATE, 400.0)).collect();
    (pieces.iter().sum::<f64>() / pieces.len() as f64, rms(&line))
}

#[test]
fn a_clean_network_is_clean() {
    let (purity, loudness) = purity(Network::default());
    assert!(purity > 0.99, "{purity}");
    assert!((loudness / 5_657.0 - 1.0).abs() < 0.03, "{loudness}");
}

#[test]
fn s37_two_five_and_ten_per_cent_of_loss_are_concealed() {
    for (loss, least) in [(0.02, 0.97), (0.05, 0.95), (0.10, 0.90)] {
        let (purity, loudness) = purity(Network { loss, ..Network::default() });
        assert!(purity > least, "{loss}: {purity}");
        assert!(loudness > 5_000.0, "{loss}: {loudness}");
    }
}

#[test]
fn sixty_ms_of_jitter_and_one_per_cent_of_reordering_are_absorbed() {
    let jitter = purity(Network { jitter_ms: 60.0, ..Network::default() });
    assert!(jitter.0 > 0.97, "{jitter:?}");
    let reordered = purity(Network { reordered: 0.01, doubled: 0.02, ..Network::default() });
    assert!(reordered.0 > 0.98, "{reordered:?}");
    let all = purity(Network { loss: 0.05, jitter_ms: 60.0, reordered: 0.01, doubled: 0.01 });
    assert!(all.0 > 0.90, "{all:?}");
}

#[test]
fn a_bridge_hands_losses_on_as_losses() {
    let mut stage = Stage::new();
    let caller = stage.phone(1, Codec::Pcmu, Some(400.0));
    let agent = stage.phone(2, Codec::Pcmu, Some(1_000.0));
    stage.phones[0].network = Network { loss: 0.1, ..Network::default() };
    stage.bridge(caller, agent);
    stage.run(20_000);
    let numbers: Vec<u16> = stage.phones[1].heard.iter().map(|(header, _)| header.sequence).collect();
    let span = usize::from(numbers[numbers.len() - 1].wrapping_sub(numbers[0])) + 1;
    assert!(span - numbers.len() > 60 && span - numbers.len() < 140, "{} of {span}", numbers.len());
}

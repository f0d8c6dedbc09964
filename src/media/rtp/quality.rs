//! What a stream sounds like, out of what is known of its packets: the E-model of ITU-T G.107, and the worst patch of a call.

use std::time::Duration;

use super::stats::Reception;
use crate::control::words::media::{Codec, Patch, Quality};

/// A good narrowband connection (G.107 (2015), default values).
const NARROW_BEST: f32 = 93.2;
/// A good wideband connection, on the scale that goes on above the narrowband one (G.107.1 (2019)).
const WIDE_BEST: f32 = 129.0;
/// A wideband rating has this share more than the 100 that opinions are read from (G.107.1 annex A).
const WIDE_SCALE: f32 = 1.29;
/// Echo begins to be in the way above this delay, in milliseconds (Cole and Rosenbluth 2001, their reading of G.107).
const NOTICED_DELAY: f32 = 177.3;
const WORST_IMPAIRMENT: f32 = 95.0;
const MILLIS: f32 = 1_000.0;
/// A packet's own length and the way through our tick, in milliseconds.
const OWN_DELAY: f32 = 40.0;
/// The jitter buffer holds about so many times the jitter.
pub const BUFFERED_JITTERS: f32 = 2.0;

/// What a codec costs by itself and under loss (ITU-T G.113).
#[derive(Clone, Copy, PartialEq, Debug)]
struct Impairment {
    /// The rating of a good connection of its band.
    best: f32,
    /// How much of that is one of 100.
    scale: f32,
    /// What the codec costs without any loss (Ie).
    own: f32,
    /// The percentage of random losses that costs half of what is left (Bpl).
    robustness: f32,
}

/// G.711 concealed by repeating periods of the past: Ie 0, Bpl 25.1 (G.113 (11/2007) appendix I, G.711 with the concealment of its own
/// appendix I). What we do with a gap in G.711 and in L16 is of that kind.
const NARROW: Impairment = Impairment { best: NARROW_BEST, scale: 1.0, own: 0.0, robustness: 25.1 };
/// G.722 at 64 kbit/s: Ie,wb 13 on the wideband scale (G.113 appendix IV). No Bpl is published for it: it is concealed by the same means
/// here, so it is given G.711's.
const WIDE: Impairment = Impairment { best: WIDE_BEST, scale: WIDE_SCALE, own: 13.0, robustness: 25.1 };
/// G.113 has no values for Opus. Bpl 11.28 is what Alahmadi, Počta and Melvin found at 25 kbit/s for random losses (ACM TOMM 17(4), 2021,
/// article 133), without the in-band copies that peers of ours may use: with them it is better than told. Ie 0, for what we take of it is
/// narrowband, at twice the rate at which that study ends for that band.
const OPUS: Impairment = Impairment { best: NARROW_BEST, scale: 1.0, own: 0.0, robustness: 11.28 };

impl Impairment {
    fn of(codec: Codec) -> Impairment {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::L16 => NARROW,
            Codec::G722 => WIDE,
            Codec::Opus => OPUS,
        }
    }
}

/// The rating R of a connection, 0 to 100: `R = (best − Id − Ie,eff) / scale`, where
/// `Id = 0.024 d + 0.11 (d − 177.3) H(d − 177.3)` for a delay of `d` milliseconds one way, and
/// `Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl + Bpl)` for a loss of `Ppl` percent (G.107 eq. 7-29 with BurstR = 1; G.107.1 has the same).
/// Best is 93.2 and scale 1 in narrowband, 129 and 1.29 in wideband: ratings of two bands stand each for themselves, and the clean
/// wideband one is not the higher.
#[must_use]
pub fn rating(codec: Codec, loss_percent: f32, one_way_ms: f32) -> f32 {
    let Impairment { best, scale, own, robustness } = Impairment::of(codec);
    let delay = 0.024 * one_way_ms + 0.11 * (one_way_ms - NOTICED_DELAY).max(0.0);
    let equipment = own + (WORST_IMPAIRMENT - own) * loss_percent / (loss_percent + robustness);
    ((best - delay - equipment) / scale).clamp(0.0, 100.0)
}

/// What listeners would say, 1.0 to 4.5 (G.107 annex B).
#[must_use]
pub fn opinion(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// Counts of a stream at the end of a patch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Mark {
    received: u64,
    lost: u64,
    late: u64,
}

/// A call in patches of about five seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Patches {
    mark: Mark,
    kept: Quality,
    opinions: f32,
    trips: f32,
    measured: u32,
}

impl Patches {
    /// Ends a patch, by what was received and how many packets of it came too late; nothing when nothing came and nothing was missed in it: a peer that is silent is not a bad network.
    pub fn end(&mut self, age: Duration, codec: Codec, heard: (&Reception, u64), round_trip: Option<Duration>) -> Option<Patch> {
        let (reception, late) = heard;
        let now = Mark { received: reception.received(), lost: reception.lost(), late };
        let before = std::mem::replace(&mut self.mark, now);
        let received = now.received.saturating_sub(before.received);
        let missed = now.lost.saturating_sub(before.lost) + now.late.saturating_sub(before.late);
        if received == 0 && missed == 0 {
            return None;
        }
        let loss = 100.0 * missed as f32 / (received + now.lost.saturating_sub(before.lost)).max(1) as f32;
        let jitter_ms = reception.jitter_ms();
        let rtt_ms = round_trip.map(|trip| trip.as_secs_f32() * MILLIS);
        let delay = rtt_ms.unwrap_or_default() / 2.0 + BUFFERED_JITTERS * jitter_ms + OWN_DELAY;
        let loss = loss.min(100.0);
        let mos = opinion(rating(codec, loss, delay));
        let at_s = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        let patch = Patch { at_s, mos, loss_percent: loss, jitter_ms, rtt_ms };
        self.keep(patch);
        Some(patch)
    }

    /// What is known of the whole; `None` when there was nothing to be heard.
    #[must_use]
    pub fn quality(&self) -> Option<Quality> {
        (self.kept.patches > 0).then_some(self.kept)
    }

    /// What the peer says of the stream it gets from us.
    pub fn far(&mut self, loss_percent: f32, jitter_ms: f32) {
        let worst = self.kept.far.map_or(0.0, |far| far.worst_loss_percent);
        self.kept.far = Some(crate::control::words::media::FarQuality { worst_loss_percent: worst.max(loss_percent), jitter_ms });
    }

    fn keep(&mut self, patch: Patch) {
        self.kept.patches += 1;
        self.opinions += patch.mos;
        self.kept.mos = self.opinions / self.kept.patches as f32;
        if let Some(trip) = patch.rtt_ms {
            self.measured += 1;
            self.trips += trip;
            self.kept.rtt_ms = Some(self.trips / self.measured as f32);
        }
        if self.kept.patches == 1 || patch.mos < self.kept.worst.mos {
            self.kept.worst = patch;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::Header;

    #[test]
    fn opinions_fall_with_loss_and_delay_as_the_standard_says() {
        // R 93.2 is 4.41, R 70 is 3.60, R 50 is 2.58 (G.107 table B.1).
        for (rating, mos) in [(93.2, 4.41), (80.0, 4.02), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0)] {
            assert!((opinion(rating) - mos).abs() < 0.01, "{rating}: {}", opinion(rating));
        }
        // 277.3 ms cost 6.66 and 11.
        assert!((rating(Codec::Pcmu, 0.0, 277.3) - (93.2 - 6.655 - 11.0)).abs() < 0.01);
    }

    #[test]
    fn each_codec_is_rated_by_what_was_published_of_it() {
        // Clean, at 1 %, at 5 %, and at its Bpl, where half of 95 − Ie is lost: by hand from Ie and Bpl.
        for (codec, ratings) in [
            (Codec::Pcmu, [93.2, 89.56, 77.42, 45.7]),
            (Codec::Pcma, [93.2, 89.56, 77.42, 45.7]),
            (Codec::L16, [93.2, 89.56, 77.42, 45.7]),
            (Codec::G722, [89.92, 87.49, 79.36, 58.14]),
            (Codec::Opus, [93.2, 85.46, 64.02, 45.7]),
        ] {
            let half = Impairment::of(codec).robustness;
            for (loss, wanted) in [0.0, 1.0, 5.0, half].into_iter().zip(ratings) {
                let rated = rating(codec, loss, 0.0);
                assert!((rated - wanted).abs() < 0.01, "{codec:?} with {loss} % lost: {rated}, not {wanted}");
            }
            assert!(rating(codec, 100.0, 400.0) < 40.0, "{codec:?}");
        }
    }

    #[test]
    fn a_bad_patch_in_mid_call_is_kept_beside_the_mean() {
        let (mut reception, mut patches) = (Reception::default(), Patches::default());
        let mut sequence = 0u16;
        for patch in 0..10u64 {
            for n in 0..250 {
                sequence = sequence.wrapping_add(1);
                // A tenth is missing in the fourth patch.
                if patch != 3 || n % 10 != 5 {
                    reception.take(&Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1 });
                }
            }
            let trip = (patch > 0).then_some(Duration::from_millis(60));
            patches.end(Duration::from_secs(5 * (patch + 1)), Codec::Pcmu, (&reception, 0), trip);
        }
        let quality = patches.quality().unwrap();
        assert_eq!((quality.patches, quality.worst.at_s, quality.rtt_ms), (10, 20, Some(60.0)));
        assert!((quality.worst.loss_percent - 10.0).abs() < 0.1 && quality.worst.mos < 3.5, "{quality:?}");
        assert!(quality.mos > 4.2, "{quality:?}");
    }

    #[test]
    fn a_silent_peer_is_no_bad_network() {
        let mut patches = Patches::default();
        assert_eq!(patches.end(Duration::from_secs(5), Codec::Pcmu, (&Reception::default(), 0), None), None);
        assert_eq!(patches.quality(), None);
    }
}

//! Metrics for Prometheus: what the media workers count, read when somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::media::worker::Counts;

/// A registry over the running workers.
#[must_use]
pub fn registry(workers: Vec<Arc<Counts>>) -> Registry {
    let mut registry = Registry::with_prefix("hotline");
    registry.register_collector(Box::new(Media(workers)));
    registry
}

/// Reads the workers' counts.
#[derive(Debug)]
struct Media(Vec<Arc<Counts>>);

/// Name, help, and which count.
type Line = (&'static str, &'static str, fn(&Counts) -> &AtomicU64);

const COUNTERS: &[Line] = &[
    ("rtp_received_packets", "RTP datagrams taken from the sockets", |counts| &counts.received),
    ("rtp_sent_packets", "RTP packets given to the sockets", |counts| &counts.sent),
    ("rtp_unsent_packets", "RTP packets the kernel did not take", |counts| &counts.unsent),
    ("media_ticks", "20 ms ticks done", |counts| &counts.ticks),
    ("media_late_ticks", "Ticks that began 20 ms or more too late", |counts| &counts.late_ticks),
    ("recording_gap_samples", "Samples that recordings lack because the disk was too slow", |counts| &counts.recording_gaps),
    ("speech_overloads", "Utterances given up because recognizers were busy", |counts| &counts.speech_overloads),
    ("media_lost_reports", "Reports of media workers that nobody took", |counts| &counts.lost_reports),
];

impl Collector for Media {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let sum = |of: fn(&Counts) -> &AtomicU64| self.0.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum::<u64>();
        for (name, help, of) in COUNTERS {
            let counter = ConstCounter::new(sum(*of));
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let legs = ConstGauge::new(i64::try_from(sum(|counts| &counts.legs)).unwrap_or(i64::MAX));
        legs.encode(encoder.encode_descriptor("media_legs", "Legs open now", None, legs.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_workers_is_printed() {
        let workers = vec![Arc::new(Counts::default()), Arc::new(Counts::default())];
        workers[0].sent.store(2, Ordering::Relaxed);
        workers[1].sent.store(3, Ordering::Relaxed);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry(workers)).unwrap();
        assert!(text.contains("hotline_rtp_sent_packets_total 5"), "{text}");
        assert!(text.contains("hotline_media_legs 0"), "{text}");
    }
}

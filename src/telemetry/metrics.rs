//! Metrics for Prometheus: what others count, read when somebody asks.

mod rules;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::control::words::seen;
use crate::media::quality_counts::{MEASURES, Measure};
use crate::media::worker::Counts;

/// A counter that somebody else keeps.
pub struct Kept {
    /// Its name without prefix and `_total`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Reads it.
    pub read: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A registry over the running workers and other counters.
#[must_use]
pub fn registry(workers: Vec<Arc<Counts>>, others: Vec<Kept>) -> Registry {
    let mut registry = Registry::with_prefix("hotline");
    registry.register_collector(Box::new(Media(workers)));
    registry.register_collector(Box::new(Others(others)));
    registry
}

/// All metrics as text; those of the rules only when they answered.
///
/// # Errors
/// When the text cannot be written.
pub fn print(registry: &Registry, counts: Option<&seen::Counts>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    if let Some(counts) = counts {
        encode_registry(&mut text, &rules::registry(counts.clone()))?;
    }
    encode_eof(&mut text)?;
    Ok(text)
}

#[derive(Debug)]
struct Others(Vec<Kept>);

impl Collector for Others {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        self.0.iter().try_for_each(|kept| {
            let counter = ConstCounter::new((kept.read)());
            counter.encode(encoder.encode_descriptor(kept.name, kept.help, None, counter.metric_type())?)
        })
    }
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
        for (at, measure) in MEASURES.iter().enumerate() {
            self.spread(at, measure, &mut encoder)?;
        }
        let legs = ConstGauge::new(i64::try_from(sum(|counts| &counts.legs)).unwrap_or(i64::MAX));
        legs.encode(encoder.encode_descriptor("media_legs", "Legs open now", None, legs.metric_type())?)
    }
}

impl Media {
    fn spread(&self, at: usize, measure: &Measure, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bounds = measure.bounds.map(f64::from).into_iter().chain([f64::MAX]);
        let mut buckets: Vec<(f64, u64)> = bounds.map(|bound| (bound, 0)).collect();
        let mut sum = 0.0;
        for counts in &self.0 {
            let (found, more) = counts.quality.of(at);
            buckets.iter_mut().zip(found).for_each(|(bucket, count)| bucket.1 += count);
            sum += more;
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut metric = encoder.encode_descriptor(measure.name, measure.help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::sip::message::Method;
    use crate::control::words::guard::GuardCounts;
    use crate::control::words::pressure::Pressure;
    use crate::control::words::seen::{Direction, Kind, Spread, TURN_PARTS};

    #[test]
    fn the_sum_over_workers_and_what_the_others_and_the_rules_count_is_printed() {
        let workers = vec![Arc::new(Counts::default()), Arc::new(Counts::default())];
        workers[0].sent.store(2, Ordering::Relaxed);
        workers[1].sent.store(3, Ordering::Relaxed);
        let kept = Kept { name: "sip_malformed", help: "No SIP", read: Box::new(|| 7) };
        let guard = GuardCounts { banned: 1, bans: [1, 0, 0, 0, 0], ..GuardCounts::default() };
        let mut turn = Spread::default();
        [40_000, 250_000, 9_000_000].into_iter().for_each(|micros| turn.add(micros));
        let kind = Kind { trunk: Some("pbx".into()), direction: Direction::In, method: Method::Invite, status: 503 };
        let counts = seen::Counts {
            guard,
            messages: vec![(kind, 4)],
            tolls: vec![("number", 2)],
            cuts: vec![("spent", 5)],
            pressure: Pressure::Short,
            trunks: vec![("pbx".to_owned(), 6)],
            turns: [turn; TURN_PARTS.len()],
        };
        let text = print(&registry(workers, vec![kept]), Some(&counts)).unwrap();
        for line in [
            "hotline_rtp_sent_packets_total 5",
            "hotline_media_legs 0",
            "hotline_sip_malformed_total 7",
            "hotline_sip_banned_sources 1",
            "hotline_sip_bans_total{why=\"scanner\"} 1",
            "hotline_sip_messages_total{direction=\"in\",method=\"INVITE\",status=\"503\",trunk=\"pbx\"} 4",
            "hotline_outbound_refused_total{why=\"number\"} 2",
            "hotline_trunk_calls{trunk=\"pbx\"} 6",
            "hotline_outbound_cut_total{why=\"spent\"} 5",
            "hotline_overload_level{level=\"short\"} 1",
            "hotline_overload_level{level=\"calm\"} 0",
            "hotline_turn_milliseconds_bucket{le=\"300.0\",part=\"total\"} 2",
            "hotline_turn_milliseconds_count{part=\"lookup\"} 3",
            "hotline_turn_milliseconds_sum{part=\"total\"} 9290.0",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert_eq!(text.matches("# EOF").count(), 1);
    }
}

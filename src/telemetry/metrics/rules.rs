//! What the rules count, as they told it when they were asked.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::control::sip::message::Method;
use crate::control::words::guard::Offence;
use crate::control::words::pressure::Pressure;
use crate::control::words::seen::{Counts, Kind, Spread, TURN_BOUNDS_MS, TURN_PARTS};

/// A registry for one look at these counts.
pub(super) fn registry(counts: Counts) -> Registry {
    let mut registry = Registry::with_prefix("hotline");
    registry.register_collector(Box::new(Rules(counts)));
    registry
}

#[derive(Debug)]
struct Rules(Counts);

impl Collector for Rules {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Rules(Counts { guard, messages, tolls, cuts, pressure, trunks, turns }) = self;
        let mut levels = encoder.encode_descriptor(
            "overload_level",
            "What is left undone for want of time: 1 at the level in force",
            None,
            MetricType::Gauge,
        )?;
        for level in [Pressure::Calm, Pressure::Tight, Pressure::Short] {
            ConstGauge::new(i64::from(level == *pressure)).encode(levels.encode_family(&[("level", level.word())])?)?;
        }
        let banned = ConstGauge::new(i64::try_from(guard.banned).unwrap_or(i64::MAX));
        banned.encode(encoder.encode_descriptor("sip_banned_sources", "Sources not heard now", None, banned.metric_type())?)?;
        let by_offence = |counts: [u64; 5]| Offence::ALL.map(Offence::word).into_iter().zip(counts).collect::<Vec<_>>();
        by_reason(&mut encoder, "sip_bans", "Bans begun", &by_offence(guard.bans))?;
        by_reason(&mut encoder, "sip_offences", "What sources did that good ones do rarely", &by_offence(guard.offences))?;
        by_reason(&mut encoder, "outbound_refused", "Calls to the outside that were refused", tolls)?;
        by_reason(&mut encoder, "outbound_cut", "Calls to the outside that were cut while they ran", cuts)?;
        let mut lines = encoder.encode_descriptor("trunk_calls", "Calls of a trunk now, both ways", None, MetricType::Gauge)?;
        for (trunk, calls) in trunks {
            ConstGauge::new(i64::from(*calls)).encode(lines.encode_family(&[("trunk", trunk.as_str())])?)?;
        }
        for (name, help, count) in [
            ("sip_limited_requests", "Requests above their source's rate, answered 503", guard.limited),
            ("sip_unheard_requests", "Requests of banned and denied sources, read and not answered", guard.unheard),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        by_part(&mut encoder, turns)?;
        by_kind(&mut encoder, messages)
    }
}

fn by_reason(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, counts: &[(&str, u64)]) -> Result<(), std::fmt::Error> {
    let mut lines = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    counts.iter().try_for_each(|(why, count)| ConstCounter::new(*count).encode(lines.encode_family(&[("why", *why)])?))
}

fn by_part(encoder: &mut DescriptorEncoder<'_>, turns: &[Spread]) -> Result<(), std::fmt::Error> {
    let help = "From the end of a caller's words to the first sound of the answer, by part";
    let mut lines = encoder.encode_descriptor("turn_milliseconds", help, None, MetricType::Histogram)?;
    for (part, spread) in TURN_PARTS.iter().zip(turns) {
        let bounds = TURN_BOUNDS_MS.into_iter().chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(spread.buckets).collect();
        let count = spread.buckets.iter().sum();
        lines.encode_family(&[("part", *part)])?.encode_histogram::<NoLabelSet>(spread.sum_us as f64 / 1_000.0, count, &buckets, None)?;
    }
    Ok(())
}

/// Requests have the status "request"; what is no trunk's has the trunk "".
fn by_kind(encoder: &mut DescriptorEncoder<'_>, counts: &[(Kind, u64)]) -> Result<(), std::fmt::Error> {
    let help = "SIP messages that were dealt with, by method and status";
    let mut lines = encoder.encode_descriptor("sip_messages", help, None, MetricType::Counter)?;
    counts.iter().try_for_each(|(kind, count)| {
        let method = if kind.method == Method::Other { "other" } else { kind.method.token() };
        let status = if kind.status == 0 { "request".to_owned() } else { kind.status.to_string() };
        let trunk = kind.trunk.as_deref().unwrap_or_default();
        let labels = [("direction", kind.direction.word()), ("method", method), ("status", &status), ("trunk", trunk)];
        ConstCounter::new(*count).encode(lines.encode_family(&labels)?)
    })
}

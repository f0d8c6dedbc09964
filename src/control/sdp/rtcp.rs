//! Where reports go (RFC 5761, RFC 3605) and whether VoIP metrics are wished (RFC 3611 §5).

use std::net::{IpAddr, SocketAddr};

use sdp_types::Media;

use crate::control::words::media::{Reports, ReportsWay, VoipMetrics};

/// What stands in our offers: one port for both.
pub(super) const OFFERED: &str = "a=rtcp-mux\r\n";
const METRICS: &str = "a=rtcp-xr:voip-metrics\r\n";

/// What an offer asks for; sound comes from `remote`.
pub(super) fn wanted(media: &Media, remote: Option<SocketAddr>) -> Reports {
    let way = if media.has_attribute("rtcp-mux") { ReportsWay::Muxed } else { ReportsWay::Apart(port_of(media, remote)) };
    let metrics = media.get_first_attribute_value("rtcp-xr").flatten().is_some_and(|value| value.contains("voip-metrics"));
    Reports { way, metrics: if metrics { VoipMetrics::Told } else { VoipMetrics::Kept } }
}

/// The lines of our answer.
pub(super) fn put_answer(text: &mut String, reports: &Reports) {
    if reports.way == ReportsWay::Muxed {
        text.push_str(OFFERED);
    }
    if reports.metrics == VoipMetrics::Told {
        text.push_str(METRICS);
    }
}

/// `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4`; otherwise the port behind that of the sound.
fn port_of(media: &Media, remote: Option<SocketAddr>) -> Option<SocketAddr> {
    let remote = remote?;
    let Some(line) = media.get_first_attribute_value("rtcp").flatten() else {
        return remote.port().checked_add(1).map(|port| SocketAddr::new(remote.ip(), port));
    };
    let mut words = line.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let ip: Option<IpAddr> = words.nth(2).and_then(|place| place.parse().ok());
    Some(SocketAddr::new(ip.unwrap_or(remote.ip()), port))
}

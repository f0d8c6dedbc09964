//! `--since`: how far back a command looks.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::control::dialplan::read::parse_duration;

/// Nobody looks back further: ten years.
const LONGEST: Duration = Duration::from_secs(3_653 * 86_400);

/// A span back from now, or a point in time, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    written: String,
    from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Ago(Duration),
    At(Timestamp),
}

impl Since {
    /// The point in time it means.
    #[must_use]
    pub fn before(&self, now: Timestamp) -> Timestamp {
        match self.from {
            From::At(at) => at,
            From::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl std::str::FromStr for Since {
    type Err = String;

    /// As in plans (90m, 24h, 7d), a day of this place, or a point in time.
    fn from_str(text: &str) -> Result<Since, String> {
        let wrong = || format!("'{text}' is no time to look back to: write 90m, 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00+08:00");
        let span = parse_duration(text).filter(|span| *span <= LONGEST).map(From::Ago);
        let at = || text.parse::<Timestamp>().ok().map(From::At);
        let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::system()).ok().map(|day| From::At(day.timestamp()));
        let from = span.or_else(at).or_else(day).ok_or_else(wrong)?;
        Ok(Since { written: text.to_owned(), from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_since_is_a_span_a_day_or_a_point_in_time_for_every_command() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let before = |text: &str| text.parse::<Since>().map(|since| since.before(now).to_string());
        assert_eq!(before("7d").as_deref(), Ok("2026-11-15T12:00:00Z"));
        assert_eq!(before("12h").as_deref(), Ok("2026-11-22T00:00:00Z"));
        assert_eq!(before("90m").as_deref(), Ok("2026-11-22T10:30:00Z"));
        assert_eq!(before("2026-11-20T00:00:00+08:00").as_deref(), Ok("2026-11-19T16:00:00Z"));
        assert!(before("2026-11-20").is_ok_and(|at| at.starts_with("2026-11-19") || at.starts_with("2026-11-20")));
        for text in ["", "d", "-1d", "7x", "七天", "99999999d", "a week"] {
            assert!(before(text).is_err_and(|why| why.contains("7d")), "{text}");
        }
    }
}

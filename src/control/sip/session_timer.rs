//! Session timers (RFC 4028): a session whose peer fell silent ends by itself.

use std::time::Duration;

use super::message::{Message, Name, text};

/// The shortest session interval we take (RFC 4028 §4).
pub const MIN_SE: u32 = 90;
/// What we ask for in our INVITEs (RFC 4028 §4 advises 30 minutes).
pub const ASKED: u32 = 1_800;
/// A peer that insists on more than this gets no session of ours.
pub const LONGEST: u32 = 7_200;
/// The most a session ends before its expiry (RFC 4028 §10).
const EARLY: Duration = Duration::from_secs(32);

/// Who keeps the session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// We send the refreshes.
    We,
    /// The peer does.
    Peer,
}

/// An agreed session interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimer {
    /// Seconds without a refresh after which the session is over.
    pub seconds: u32,
    /// Who refreshes.
    pub refresher: Refresher,
    /// Did the peer say that he knows `timer`? Else the response must not require it.
    pub known: Known,
}

/// Whether the peer lists `Supported: timer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// He does.
    Yes,
    /// A proxy asked in his place.
    No,
}

/// The interval asked for is below [`MIN_SE`]: 422.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSmall;

impl SessionTimer {
    /// What we agree to when a request asks for it.
    ///
    /// # Errors
    /// [`TooSmall`] for an interval below 90 s.
    pub fn asked(request: &Message) -> Result<Option<SessionTimer>, TooSmall> {
        let Some(seconds) = request.number(Name::SessionExpires) else { return Ok(None) };
        if seconds < MIN_SE {
            return Err(TooSmall);
        }
        let known = if request.lists(Name::Supported, "timer") { Known::Yes } else { Known::No };
        let refresher = match (refresher(request), known) {
            (Some(b"uas"), _) | (_, Known::No) => Refresher::We,
            _ => Refresher::Peer,
        };
        Ok(Some(SessionTimer { seconds, refresher, known }))
    }

    /// The interval that a 422 to our request with `seconds` asks for instead; `None` when another try would be in vain.
    #[must_use]
    pub fn insisted(response: &Message, seconds: u32) -> Option<u32> {
        response.number(Name::MinSe).filter(|least| *least > seconds && *least <= LONGEST)
    }

    /// What a 2xx to our request granted.
    #[must_use]
    pub fn granted(response: &Message) -> Option<SessionTimer> {
        let seconds = response.number(Name::SessionExpires)?.max(MIN_SE);
        let peer = refresher(response) == Some(b"uas");
        Some(SessionTimer { seconds, refresher: if peer { Refresher::Peer } else { Refresher::We }, known: Known::Yes })
    }

    /// When the next refresh of ours is due; `None` when the peer does it.
    #[must_use]
    pub fn refresh_after(&self) -> Option<Duration> {
        (self.refresher == Refresher::We).then(|| self.interval() / 2)
    }

    /// When the session is given up without a refresh.
    #[must_use]
    pub fn gives_up_after(&self) -> Duration {
        self.interval() - EARLY.min(self.interval() / 3)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }
}

fn refresher(message: &Message) -> Option<&[u8]> {
    let value = message.header(Name::SessionExpires)?;
    let params = memchr::memchr(b';', value).map_or(&[][..], |at| &value[at..]);
    text::param(params, "refresher").flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &str) -> Result<Option<SessionTimer>, TooSmall> {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n{headers}\r\n"
        );
        SessionTimer::asked(&Message::parse(bytes::Bytes::from(text)).unwrap())
    }

    #[test]
    fn the_uas_follows_table_2_of_rfc_4028() {
        let timer = |refresher, known| Ok(Some(SessionTimer { seconds: 1_800, refresher, known }));
        assert_eq!(asked(""), Ok(None));
        assert_eq!(asked("Session-Expires: 60\r\nSupported: timer\r\n"), Err(TooSmall));
        assert_eq!(asked("x: 1800\r\nSupported: timer\r\n"), timer(Refresher::Peer, Known::Yes));
        assert_eq!(asked("x: 1800;refresher=uac\r\nk: timer\r\n"), timer(Refresher::Peer, Known::Yes));
        assert_eq!(asked("x: 1800 ; refresher=uas\r\nk: timer\r\n"), timer(Refresher::We, Known::Yes));
        assert_eq!(asked("x: 1800\r\n"), timer(Refresher::We, Known::No));
    }

    #[test]
    fn refreshes_come_at_half_time_and_the_end_comes_a_little_early() {
        let timer = SessionTimer { seconds: 1_800, refresher: Refresher::We, known: Known::Yes };
        assert_eq!(timer.refresh_after(), Some(Duration::from_secs(900)));
        assert_eq!(timer.gives_up_after(), Duration::from_secs(1_768));
        let timer = SessionTimer { seconds: 90, refresher: Refresher::Peer, ..timer };
        assert_eq!((timer.refresh_after(), timer.gives_up_after()), (None, Duration::from_secs(60)));
    }
}

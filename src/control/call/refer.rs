//! A caller is sent away: his own phone is asked to call somebody else (REFER, RFC 3515), and we leave the call.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::ending::Ending;
use super::{After, Call, Stage, World};
use crate::control::session::effect::Effect;
use crate::control::session::effect::{Clock, Signal};
use crate::control::words::LegId;

/// From here on a status is the last word.
const FINAL: u16 = 200;
/// From here on the last word is a refusal.
const REFUSED: u16 = 300;

impl Call {
    /// Asks the caller's phone; `patience` is how long its last word may take.
    pub(super) fn refer_away(&mut self, to: &str, headers: &[(String, String)], patience: Duration, world: &mut World<'_>) {
        self.hush_plan(world);
        self.stage = Stage::Referring;
        world.signal(self.caller, Signal::Refer(refer_to(to, headers, &world.directory.domain)));
        world.out.push(Effect::Clock(Clock::Ring, Some(world.now + patience)));
    }

    /// What the caller's phone says of the other call: it stands, or the plan goes on with him.
    pub(super) fn on_refer_progress(&mut self, leg: LegId, status: u16, world: &mut World<'_>) {
        if leg != self.caller || status < FINAL || !matches!(self.stage, Stage::Referring) {
            return;
        }
        world.out.push(Effect::Clock(Clock::Ring, None));
        if status < REFUSED {
            self.finish(Ending::TransferredAway, world);
        } else {
            self.dial_failed(status, After::Transfer, world);
        }
    }
}

/// The URI the phone is to call, with the headers it is to send there (RFC 3261 §19.1.1); a bare number is one of ours.
fn refer_to(to: &str, headers: &[(String, String)], domain: &str) -> String {
    let to = to.trim().trim_start_matches('<').trim_end_matches('>');
    let mut uri = if to.starts_with("sip:") || to.starts_with("sips:") {
        to.to_owned()
    } else {
        format!("sip:{}@{domain}", to.strip_prefix("tel:").unwrap_or(to))
    };
    let mut joint = if uri.contains('?') { '&' } else { '?' };
    for (name, value) in headers {
        uri.push(joint);
        uri += &format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        joint = '&';
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_ours_and_headers_travel_in_the_uri() {
        assert_eq!(refer_to("2001", &[], "center"), "sip:2001@center");
        assert_eq!(refer_to("tel:2001", &[], "center"), "sip:2001@center");
        let headers = [("User-to-User".to_owned(), "a=1".to_owned()), ("X-Why".to_owned(), "b".to_owned())];
        assert_eq!(refer_to("<sip:desk@pbx>", &headers, "center"), "sip:desk@pbx?User-to-User=a%3D1&X-Why=b");
    }
}

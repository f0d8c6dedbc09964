//! Who is heard at the SIP sockets. Read from `[guard]` of `sip-config/hotline.toml`.

use std::time::Duration;

use crate::control::words::guard::{Defence, Watching};
use crate::control::words::net::Net;

use super::problem::Problem;
use super::toml_file::{Section, Value};

const MOST_RATE: u64 = 1_000_000;
/// No first ban is longer: the operator would not find out why somebody cannot call.
const LONGEST_BAN: Duration = Duration::from_hours(24);
const WANTED_NETWORK: &str = "an address or a network such as \"192.0.2.7\", \"10.0.0.0/8\" or \"2001:db8::/32\"";

/// Reads `[guard]`.
pub fn read(section: &mut Section<'_>, defence: &mut Defence, out: &mut Vec<Problem>) {
    if !section.read("watch", defence.watching == Watching::On, out, Value::switch) {
        defence.watching = Watching::Off;
    }
    defence.allow = networks(section, "allow", out);
    defence.deny = networks(section, "deny", out);
    if let Some(trusted) = section.maybe("trusted", out, |value| value.list(|entry| entry.parsed(WANTED_NETWORK, str::parse))) {
        defence.trusted = trusted;
    }
    let number = |value: &Value<'_>| value.number(1..=MOST_RATE).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    defence.rate = section.read("rate", defence.rate, out, number);
    defence.burst = section.read("burst", defence.burst.max(defence.rate), out, number);
    defence.ban = section.read("ban", defence.ban, out, Value::duration);
    if defence.burst < defence.rate {
        out.push(
            section.problem("`burst` is below `rate`: the rate would never be reached", "write a burst at least as large as the rate"),
        );
    }
    if defence.ban.is_zero() || defence.ban > LONGEST_BAN {
        out.push(
            section.problem("`ban` is no length that helps", "write 1s to 24h, for instance ban = \"10m\"; watch = false bans nobody"),
        );
    }
}

fn networks(section: &mut Section<'_>, key: &str, out: &mut Vec<Problem>) -> Vec<Net> {
    section.read(key, Vec::new(), out, |value| value.list(|entry| entry.parsed(WANTED_NETWORK, str::parse)))
}

#[cfg(test)]
mod tests {
    use super::super::server;

    fn said(text: &str) -> (crate::control::words::guard::Defence, String) {
        let mut out = Vec::new();
        let (_, calls) = server::read("hotline.toml", text, &mut out);
        (calls.defence, out.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn it_is_on_when_nothing_is_said_and_every_key_is_read() {
        assert_eq!(said(""), (super::Defence::default(), String::new()));
        let text = "[guard]\nallow = [\"10.0.0.0/8\"]\ndeny = [\"0.0.0.0/0\", \"::/0\"]\nrate = 20\nburst = 100\nban = \"1h\"\n";
        let (defence, problems) = said(text);
        assert_eq!(problems, "");
        assert_eq!((defence.allow.len(), defence.deny.len(), defence.rate, defence.burst, defence.ban.as_secs()), (1, 2, 20, 100, 3_600));
        assert_eq!(said("[guard]\nwatch = false\n").0.watching, super::Watching::Off);
    }

    #[test]
    fn an_address_alone_is_believed_on_this_machine_only_unless_networks_are_named() {
        let trusted = |text: &str| said(text).0.trusted.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(trusted(""), ["127.0.0.0/8", "::1"]);
        assert_eq!(trusted("[guard]\ntrusted = [\"10.1.0.0/16\"]\n"), ["10.1.0.0/16"]);
        assert_eq!(trusted("[guard]\ntrusted = []\n"), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_mend() {
        let (_, problems) = said("[guard]\nallow = [\"10.0.0.1/8\"]\nrate = 0\nburst = 7\nban = \"0s\"\nbanned = []\n");
        for part in [
            "its first address is 10.0.0.0",
            "guard.rate: 0 is out of range",
            "`burst` is below `rate`",
            "watch = false",
            "`banned` is no known key",
        ] {
            assert!(problems.contains(part), "{part} is missing in\n{problems}");
        }
    }
}

//! The names that scanners give themselves. Whoever hides his name is found by what he does.

use crate::control::sip::message::{Message, Name};

/// Parts of `User-Agent` in small letters, as seen in the wild for years.
const NAMES: &[&str] = &[
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sipscan",
    "siparmyknife",
    "sundayddr",
    "vaxsipuseragent",
    "vaxasip",
    "pplsip",
    "sivus",
    "iwar",
    "smap 0.",
];
/// So much of the header is looked at.
const LOOKED_AT: usize = 96;

/// Does the sender name himself as a scanner?
#[must_use]
pub fn is_scanner(request: &Message) -> bool {
    request.header(Name::UserAgent).is_some_and(|agent| {
        let agent = agent[..agent.len().min(LOOKED_AT)].to_ascii_lowercase();
        NAMES.iter().any(|name| agent.windows(name.len()).any(|part| part == name.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn scanners_are_known_by_name_and_phones_and_test_tools_are_not() {
        let known = |agent: &str| {
            let text = format!(
                "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
                 User-Agent: {agent}\r\n\r\n"
            );
            is_scanner(&Message::parse(Bytes::from(text)).unwrap())
        };
        assert!(known("friendly-scanner") && known("SIPVicious/0.3") && known("sipcli/v1.8") && known("Mozilla sundayddr"));
        for good in ["Yealink SIP-T46U 108.86", "Linphone/5.2", "sipsak 0.9.8", "SIPp", "baresip v1.0", "", "Asterisk PBX 20"] {
            assert!(!known(good), "{good}");
        }
    }
}

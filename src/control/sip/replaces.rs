//! Replaces (RFC 3891): which dialog a new call takes the place of, in the header and within a Refer-To URI.

use super::message::text;

/// A dialog, named from the side of the one who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: Vec<u8>,
    /// The tag of the one who gets it.
    pub to_tag: Vec<u8>,
    /// The tag of his peer.
    pub from_tag: Vec<u8>,
    /// Which states of the dialog are meant.
    pub scope: Scope,
}

/// Which dialogs may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Early and confirmed ones.
    Any,
    /// Early ones only (`early-only`): a call that rings is picked up, one that is answered is not broken into.
    EarlyOnly,
}

impl Replaces {
    /// Reads a header value.
    ///
    /// # Errors
    /// What is wrong, for the reason phrase.
    pub fn parse(value: &[u8]) -> Result<Replaces, &'static str> {
        let value = text::trim(value);
        let (call_id, params) = value.split_at(memchr::memchr(b';', value).unwrap_or(value.len()));
        let call_id = text::trim(call_id);
        let tag = |name: &str| text::param(params, name).flatten().map(<[u8]>::to_vec);
        if call_id.is_empty() {
            return Err("Replaces: the Call-ID is missing");
        }
        if let Some(why) = text::params(params).find_map(Result::err) {
            return Err(why);
        }
        let scope = if text::param(params, "early-only").is_some() { Scope::EarlyOnly } else { Scope::Any };
        Ok(Replaces {
            call_id: call_id.to_vec(),
            to_tag: tag("to-tag").ok_or("Replaces: to-tag is missing")?,
            from_tag: tag("from-tag").ok_or("Replaces: from-tag is missing")?,
            scope,
        })
    }

    /// The value of `Replaces` among a URI's headers, without escapes.
    #[must_use]
    pub fn in_uri(headers: &[u8]) -> Option<String> {
        headers.split(|byte| *byte == b'&').find_map(|pair| {
            let (name, value) = pair.split_at(memchr::memchr(b'=', pair)?);
            name.eq_ignore_ascii_case(b"Replaces").then(|| text::unescape(&value[1..]).into_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3891_are_read() {
        let replaces = Replaces::parse(b"98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff").unwrap();
        assert_eq!(replaces.call_id, b"98732@sip.example.com");
        assert_eq!((&replaces.to_tag[..], &replaces.from_tag[..]), (&b"ff87ff"[..], &b"r33th4x0r"[..]));
        assert_eq!(replaces.scope, Scope::Any);
        let early = Replaces::parse(b"12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only").unwrap();
        assert_eq!(early.scope, Scope::EarlyOnly);
    }

    #[test]
    fn what_names_no_dialog_says_what_is_missing() {
        for (value, why) in [
            (&b"c;to-tag=1"[..], "Replaces: from-tag is missing"),
            (b"c;from-tag=1", "Replaces: to-tag is missing"),
            (b"c;to-tag;from-tag=1", "Replaces: to-tag is missing"),
            (b";to-tag=1;from-tag=2", "Replaces: the Call-ID is missing"),
            (b"c;to-tag=1;;from-tag=2", "a parameter is empty"),
        ] {
            assert_eq!(Replaces::parse(value), Err(why), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn a_uri_carries_it_escaped() {
        let headers = b"Subject=x&Replaces=425928%40bobster.example.org%3Bto-tag%3D7743%3Bfrom-tag%3D6472";
        let value = Replaces::in_uri(headers).unwrap();
        assert_eq!(value, "425928@bobster.example.org;to-tag=7743;from-tag=6472");
        assert!(Replaces::parse(value.as_bytes()).is_ok());
        assert_eq!(Replaces::in_uri(b"Subject=x"), None);
    }
}

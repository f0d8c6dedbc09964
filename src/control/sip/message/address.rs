//! Values made of an address: From, To, Contact, Route, Record-Route, Refer-To; and Via and CSeq.

use std::borrow::Cow;

use super::method::Method;
use super::text;
use super::uri::{Uri, host_port};

/// A name-addr or addr-spec with header parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address<'a> {
    /// The display name as written, quotes kept; empty when there is none.
    pub display: &'a [u8],
    /// The URI.
    pub uri: Uri<'a>,
    /// Header parameters, from their first `;`.
    pub params: &'a [u8],
}

impl<'a> Address<'a> {
    /// Reads one value (RFC 3261 §20.10).
    ///
    /// # Errors
    /// What is wrong, for the reason phrase.
    pub fn parse(value: &'a [u8]) -> Result<Address<'a>, &'static str> {
        let value = text::trim(value);
        let name_end = match value.first() {
            None => return Err("it is empty"),
            Some(b'"') => text::quoted(value).ok_or("the display name's quote is not closed")?,
            Some(_) => 0,
        };
        let address = match memchr::memchr(b'<', &value[name_end..]) {
            Some(at) => enclosed(value, name_end, name_end + at)?,
            None if name_end > 0 => return Err("no <URI> follows the display name"),
            None => bare(value)?,
        };
        match text::params(address.params).find_map(Result::err) {
            Some(why) => Err(why),
            None => Ok(address),
        }
    }

    /// The tag, when there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        text::param(self.params, "tag").flatten()
    }

    /// A header parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a [u8]>> {
        text::param(self.params, name)
    }

    /// The display name without quotes; `None` when it is empty.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let plain: Cow<'_, [u8]> = text::unquote(self.display);
        let name = text::lossy(&plain);
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

fn enclosed(value: &[u8], name_end: usize, open: usize) -> Result<Address<'_>, &'static str> {
    let display = text::trim(&value[..open]);
    let between = &value[name_end..open];
    let name_is_good = |byte: &u8| text::is_token(*byte) || text::is_space(*byte) || *byte >= 0x80;
    if !between.iter().all(if name_end > 0 { |byte: &u8| text::is_space(*byte) } else { name_is_good }) {
        return Err("the display name has a character that needs quotes");
    }
    let close = open + memchr::memchr(b'>', &value[open..]).ok_or("'<' is not closed")?;
    let uri = Uri::parse(text::trim(&value[open + 1..close]))?;
    Ok(Address { display, uri, params: text::trim(&value[close + 1..]) })
}

fn bare(value: &[u8]) -> Result<Address<'_>, &'static str> {
    let (uri, params) = value.split_at(memchr::memchr(b';', value).unwrap_or(value.len()));
    if memchr::memchr2(b'?', b',', uri).is_some() {
        return Err("a URI with '?' or ',' must stand in '<>'");
    }
    Ok(Address { display: &[], uri: Uri::parse(text::trim(uri))?, params })
}

/// The one version there is.
const VERSION: &[u8] = b"2.0";

/// One Via value (RFC 3261 §20.42).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Via<'a> {
    /// `UDP`, `TCP` …
    pub transport: &'a [u8],
    /// Host or address, IPv6 without brackets.
    pub host: &'a [u8],
    /// The port, when it is written.
    pub port: Option<u16>,
    /// Parameters, from their first `;`.
    pub params: &'a [u8],
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// What is wrong, for the reason phrase.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, &'static str> {
        let via = Via::place(value)?;
        let (_, rest) = slash(value)?;
        if !slash(rest)?.0.eq_ignore_ascii_case(VERSION) {
            return Err("it is not of SIP/2.0");
        }
        text::params(via.params).find_map(Result::err).map_or(Ok(via), Err)
    }

    /// Reads one value as far as an answer needs it: broken parameters and other versions are let be (505 must find its way).
    ///
    /// # Errors
    /// What is wrong with the transport or the host.
    pub fn place(value: &'a [u8]) -> Result<Via<'a>, &'static str> {
        let (protocol, rest) = slash(value)?;
        let (version, rest) = slash(rest)?;
        if !protocol.eq_ignore_ascii_case(b"SIP") || version.is_empty() {
            return Err("it is not of SIP");
        }
        let (transport, rest) = text::token(text::trim(rest));
        if transport.is_empty() || !rest.first().is_some_and(|byte| text::is_space(*byte)) {
            return Err("the transport or the host is missing");
        }
        let (place, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
        let (host, port) = host_port(text::trim(place))?;
        Ok(Via { transport, host, port, params })
    }

    /// The branch, when there is one.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        text::param(self.params, "branch").flatten()
    }

    /// Does the sender ask for symmetric responses (RFC 3581)?
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        text::param(self.params, "rport").is_some()
    }
}

/// A token before a `/`, and what follows the slash.
fn slash(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (token, rest) = text::token(text::trim(text));
    let rest = text::trim(rest).strip_prefix(b"/").ok_or("it does not begin with SIP/2.0/transport")?;
    Ok((token, rest))
}

/// A CSeq value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq<'a> {
    /// Below 2³¹.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// Its text.
    pub token: &'a [u8],
}

/// The highest CSeq number (RFC 3261 §8.1.1.5).
const CSEQ_MAX: u64 = (1 << 31) - 1;

impl<'a> CSeq<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// What is wrong, for the reason phrase.
    pub fn parse(value: &'a [u8]) -> Result<CSeq<'a>, &'static str> {
        let value = text::trim(value);
        let end = value.iter().position(|byte| text::is_space(*byte)).ok_or("it must be a number and a method")?;
        let number = text::number(&value[..end], CSEQ_MAX).and_then(|number| u32::try_from(number).ok());
        let token = text::trim(&value[end..]);
        if token.is_empty() || !token.iter().all(|byte| text::is_token(*byte)) {
            return Err("the method is no token");
        }
        Ok(CSeq { number: number.ok_or("the number is not below 2147483648")?, method: Method::of(token), token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_forms() {
        let address = Address::parse("\"李 \\\"A\\\"\" <sip:li@h;x=1>;tag=9;q=0.5".as_bytes()).unwrap();
        assert_eq!(address.name().as_deref(), Some("李 \"A\""));
        assert_eq!((address.tag(), address.uri.params), (Some(&b"9"[..]), &b";x=1"[..]));
        let address = Address::parse(b"sip:bob@h;tag=7").unwrap();
        assert_eq!((address.tag(), address.uri.params), (Some(&b"7"[..]), &b""[..]));
        assert_eq!(Address::parse(b"Bob Smith <tel:123>").unwrap().name().as_deref(), Some("Bob Smith"));
        assert_eq!(Address::parse("张三 <tel:123>".as_bytes()).unwrap().name().as_deref(), Some("张三"));
    }

    #[test]
    fn broken_addresses_say_what_is_wrong() {
        for (bad, why) in [
            (&b""[..], "it is empty"),
            (b"\"Mr. J <sip:j@h>", "the display name's quote is not closed"),
            (b"Bell, A <sip:a@h>", "the display name has a character that needs quotes"),
            (b"<sip:a@h", "'<' is not closed"),
            (b"sip:a@h?Route=x", "a URI with '?' or ',' must stand in '<>'"),
            (b"<sip:a@h>;;", "a parameter is empty"),
            (b"\"x\" sip:a@h", "no <URI> follows the display name"),
        ] {
            assert_eq!(Address::parse(bad).err(), Some(why));
        }
    }

    #[test]
    fn vias_with_space_ipv6_and_without_branch() {
        let via = Via::parse(b"SIP  / 2.0\r\n / UDP  [2001:db8::9]:5070 ; rport;branch=z9hG4bKx").unwrap();
        assert_eq!((via.transport, via.host, via.port), (&b"UDP"[..], &b"2001:db8::9"[..], Some(5070)));
        assert!(via.wants_rport());
        assert_eq!(via.branch(), Some(&b"z9hG4bKx"[..]));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h").unwrap().branch(), None);
        assert_eq!(Via::parse(b"SIP/3.0/UDP h").err(), Some("it is not of SIP/2.0"));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h;;,").err(), Some("a parameter is empty"));
    }

    #[test]
    fn cseq_keeps_unknown_methods() {
        let cseq = CSeq::parse(b"0009\r\n  NEW.METHOD").unwrap();
        assert_eq!((cseq.number, cseq.method, cseq.token), (9, Method::Other, &b"NEW.METHOD"[..]));
        assert!(CSeq::parse(b"36893488147419103232 INVITE").is_err());
        assert!(CSeq::parse(b"1").is_err());
    }
}

//! URIs: sip, sips and tel in parts, every other scheme as it is (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::text;

/// A URI's scheme.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other.
    Other,
}

/// A URI in parts, borrowed from the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uri<'a> {
    /// All of it.
    pub raw: &'a [u8],
    /// The scheme.
    pub scheme: Scheme,
    /// User part with escapes; for `tel:` the number.
    pub user: Option<&'a [u8]>,
    /// Host name or address, IPv6 without brackets; empty for `tel:` and unknown schemes.
    pub host: &'a [u8],
    /// The port, when it is written.
    pub port: Option<u16>,
    /// Parameters, from their first `;`.
    pub params: &'a [u8],
    /// Headers, after `?`.
    pub headers: &'a [u8],
}

/// The port of SIP over UDP and TCP when a URI or Via names none.
pub const DEFAULT_PORT: u16 = 5060;
/// The same over TLS.
const DEFAULT_TLS_PORT: u16 = 5061;

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong, for the reason phrase.
    pub fn parse(raw: &'a [u8]) -> Result<Uri<'a>, &'static str> {
        if raw.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'<' | b'>' | b'"' | 0)) {
            return Err("the URI has a forbidden character");
        }
        let colon = memchr::memchr(b':', raw).ok_or("the URI has no scheme")?;
        let (scheme, rest) = (&raw[..colon], &raw[colon + 1..]);
        let good = scheme.first().is_some_and(u8::is_ascii_alphabetic);
        if !good || !scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
            return Err("the URI has no scheme");
        }
        let plain = Uri { raw, scheme: Scheme::Other, user: None, host: &[], port: None, params: &[], headers: &[] };
        match scheme.len() {
            3 if scheme.eq_ignore_ascii_case(b"sip") => sip(Uri { scheme: Scheme::Sip, ..plain }, rest),
            4 if scheme.eq_ignore_ascii_case(b"sips") => sip(Uri { scheme: Scheme::Sips, ..plain }, rest),
            3 if scheme.eq_ignore_ascii_case(b"tel") => tel(plain, rest),
            _ if rest.is_empty() => Err("the URI is empty"),
            _ => Ok(plain),
        }
    }

    /// The user part without escapes; for `tel:` the number without its parameters.
    #[must_use]
    pub fn user_text(&self) -> Cow<'a, str> {
        self.user.map_or(Cow::Borrowed(""), |user| text::unescape(without_password(user)))
    }

    /// The address and port, when the host is an address.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        let address: IpAddr = std::str::from_utf8(self.host).ok()?.parse().ok()?;
        let secure = self.scheme == Scheme::Sips || self.param("transport").flatten().is_some_and(|name| name.eq_ignore_ascii_case(b"tls"));
        Some(SocketAddr::new(address, self.port.unwrap_or(if secure { DEFAULT_TLS_PORT } else { DEFAULT_PORT })))
    }

    /// A parameter of the URI.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a [u8]>> {
        text::param(self.params, name)
    }
}

fn without_password(user: &[u8]) -> &[u8] {
    memchr::memchr(b':', user).map_or(user, |at| &user[..at])
}

fn sip<'a>(uri: Uri<'a>, rest: &'a [u8]) -> Result<Uri<'a>, &'static str> {
    let (user, rest) = match memchr::memchr(b'@', rest) {
        Some(0) => return Err("the URI has '@' without a user"),
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    };
    if !user.is_none_or(escapes_are_whole) {
        return Err("the URI has a broken % escape");
    }
    let (rest, headers) = match memchr::memchr(b'?', rest) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    let (place, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
    let (host, port) = host_port(place)?;
    Ok(Uri { user, host, port, params, headers, ..uri })
}

fn escapes_are_whole(text: &[u8]) -> bool {
    let whole = |at: usize| text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    memchr::memchr_iter(b'%', text).all(whole)
}

fn tel<'a>(uri: Uri<'a>, rest: &'a [u8]) -> Result<Uri<'a>, &'static str> {
    let (number, params) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
    let digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'-' | b'.' | b'(' | b')' | b'*' | b'#');
    if number.is_empty() || !number.iter().all(digit) {
        return Err("the tel URI has no number");
    }
    Ok(Uri { scheme: Scheme::Tel, user: Some(number), params, ..uri })
}

/// Host and optional port of a URI or a Via; IPv6 comes without its brackets.
///
/// # Errors
/// What is wrong, for the reason phrase.
pub fn host_port(place: &[u8]) -> Result<(&[u8], Option<u16>), &'static str> {
    let (host, rest) = match place.strip_prefix(b"[") {
        Some(inner) => {
            let end = memchr::memchr(b']', inner).ok_or("an IPv6 address lacks ']'")?;
            if !is_ipv6(&inner[..end]) {
                return Err("the text in brackets is no IPv6 address");
            }
            (&inner[..end], text::trim(&inner[end + 1..]))
        }
        None => {
            let end = memchr::memchr(b':', place).unwrap_or(place.len());
            (text::trim(&place[..end]), &place[end..])
        }
    };
    if host.is_empty() {
        return Err("the host is empty");
    }
    if !host.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':')) {
        return Err("the host has a forbidden character");
    }
    let port = match rest.strip_prefix(b":") {
        Some(digits) => Some(text::number(text::trim(digits), u64::from(u16::MAX)).ok_or("the port is no number up to 65535")?),
        None if rest.is_empty() => None,
        None => return Err("text follows the host"),
    };
    Ok((host, port.and_then(|port| u16::try_from(port).ok())))
}

/// An IPv6 address, also with the third colon that RFC 3261's grammar put before an IPv4 tail (RFC 5118 §4.10).
fn is_ipv6(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    address(text) || address(&text.replacen(":::", "::", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_uris_come_apart() {
        let uri = Uri::parse(b"sip:a%6Cice;x=1:pw@[2001:db8::1]:5070;transport=tcp;lr?Subject=x").unwrap();
        assert_eq!(uri.user_text(), "alice;x=1");
        assert_eq!(uri.socket(), Some("[2001:db8::1]:5070".parse().unwrap()));
        assert_eq!(uri.param("transport"), Some(Some(&b"tcp"[..])));
        assert_eq!(uri.param("lr"), Some(None));
        assert_eq!(uri.headers, b"Subject=x");
        assert_eq!(Uri::parse(b"sip:10.0.0.1").unwrap().socket(), Some("10.0.0.1:5060".parse().unwrap()));
        assert_eq!(Uri::parse(b"sips:10.0.0.1").unwrap().socket(), Some("10.0.0.1:5061".parse().unwrap()));
    }

    #[test]
    fn tel_and_foreign_schemes_survive() {
        let uri = Uri::parse(b"tel:+86-10-1234;phone-context=x").unwrap();
        assert_eq!((uri.scheme, uri.user_text().as_ref()), (Scheme::Tel, "+86-10-1234"));
        assert_eq!(Uri::parse(b"soap.beep://192.0.2.103:3002").unwrap().scheme, Scheme::Other);
    }

    #[test]
    fn broken_uris_say_what_is_wrong() {
        for (bad, why) in [
            (&b"sip:"[..], "the host is empty"),
            (b"sip:a@", "the host is empty"),
            (b"sip:@h", "the URI has '@' without a user"),
            (b"alice@h", "the URI has no scheme"),
            (b"sip:a@h:99999", "the port is no number up to 65535"),
            (b"sip:a b@h", "the URI has a forbidden character"),
            (b"sip:a%4@h", "the URI has a broken % escape"),
            (b"sip:[::1", "an IPv6 address lacks ']'"),
            (b"tel:", "the tel URI has no number"),
        ] {
            assert_eq!(Uri::parse(bad).err(), Some(why));
        }
    }
}

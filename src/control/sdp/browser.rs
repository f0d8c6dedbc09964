//! What browsers need beside the handshake (RFC 8829): ways that they may ask on (RFC 8839), and one transport for all lines
//! (RFC 8843). We are the lite side: our addresses stand in the description, and nothing of theirs is looked at.

use std::fmt::Write;
use std::net::IpAddr;

use sdp_types::{Media, Session};

use super::{Local, dtls};
use crate::control::words::ice::{Ice, Theirs};
use crate::control::words::srtp::{Far, Security};

/// The profile of offers to a browser, which takes no other.
pub(super) const PROFILE: &str = "UDP/TLS/RTP/SAVPF";
/// The name of our one line where nobody has named it.
const MID: &str = "0";
/// Lengths of names and passwords (RFC 8839 §5.4).
const NAMES: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORDS: std::ops::RangeInclusive<usize> = 22..=256;
/// A host candidate's preference (RFC 8445 §5.1.2.2), beside that of the address and that of the only component.
const HOST: u32 = 126 << 24;
const COMPONENT: u32 = 256 - 1;
/// What scripts find the sound by: they expect a stream with a track in it (RFC 8830).
const MSID: &str = "hotline sound";

/// Under which name browsers are let in by our offer; `None` for an offer to a telephone.
pub(super) fn offered(local: &Local) -> Option<Ice> {
    dtls::is_ours(local)?;
    match &local.before {
        // It goes on as it was agreed.
        Some(stream) => stream.terms.ice.filter(|_| matches!(stream.security, Security::Handshake(_))),
        // A port of its own has a name of its own: a session that moves to another begins anew there.
        None if local.protection.far == Far::Browser => {
            Some(Ice::new(&local.protection.chance, format!("offer {}", local.port).as_bytes(), Theirs::default()))
        }
        None => None,
    }
}

/// Under which name whoever offers is let in; `None` when he does not wish to ask, or cannot.
pub(super) fn answered(local: &Local, session: &Session, media: &Media) -> Option<Ice> {
    let theirs = theirs(local, session, media)?;
    let before = local.before.as_ref().and_then(|stream| stream.terms.ice);
    // The same peer as before is answered as before. Only a new name of his begins anew (RFC 8839 §4.4.1.1).
    let known = before.filter(|ice| ice.theirs() == theirs);
    Some(known.unwrap_or_else(|| {
        let fresh = format!("answer {} {theirs:?}", local.version);
        Ice::new(&local.protection.chance, fresh.as_bytes(), theirs)
    }))
}

/// What became of our offer.
pub(super) fn accepted(local: &Local, session: &Session, media: &Media) -> Option<Ice> {
    offered(local).and_then(|ice| Some(ice.with(theirs(local, session, media)?)))
}

/// The peer's name. Two lite sides ask nothing of each other, and send where their descriptions say.
fn theirs(local: &Local, session: &Session, media: &Media) -> Option<Theirs> {
    let find = |name: &'static str| dtls::attribute(session, media, name).next().map(str::trim);
    let (name, password) = (find("ice-ufrag")?, find("ice-pwd")?);
    let fits = NAMES.contains(&name.len()) && PASSWORDS.contains(&password.len()) && !session.has_attribute("ice-lite");
    fits.then(|| Theirs::of(&local.protection.chance, name, password))
}

/// The lines before the first `m=`: who we are, and that our line shares its transport with those that were turned down.
pub(super) fn put_session(text: &mut String, mid: Option<&str>) {
    text.push_str("a=ice-lite\r\n");
    if let Some(mid) = mid {
        put(text, format_args!("a=group:BUNDLE {mid}\r\n"));
    }
}

/// The lines of our audio line.
pub(super) fn put_line(text: &mut String, local: &Local, ice: &Ice, mid: Option<&str>) {
    if let Some(mid) = mid {
        put(text, format_args!("a=mid:{mid}\r\n"));
    }
    put(text, format_args!("a=msid:{MSID}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.name(), ice.password()));
    for (address, at) in addresses(local).zip(0u32..) {
        // The first is the one to be taken where both lead here.
        let priority = HOST + ((u32::from(u16::MAX) - at) << 8) + COMPONENT;
        put(text, format_args!("a=candidate:{} 1 udp {priority} {address} {} typ host\r\n", at + 1, local.port));
    }
    text.push_str("a=end-of-candidates\r\n");
}

/// A line that was turned down keeps its name.
pub(super) fn put_mid(text: &mut String, media: &Media) {
    if let Some(mid) = mid(media) {
        put(text, format_args!("a=mid:{mid}\r\n"));
    }
}

/// The name of a line.
pub(super) fn mid(media: &Media) -> Option<&str> {
    media.get_first_attribute_value("mid").flatten().map(str::trim)
}

/// The name of our line in a later offer.
pub(super) fn mid_again(last: &Media) -> &str {
    mid(last).unwrap_or(MID)
}

/// The name of our line in a first offer.
pub(super) const fn first_mid() -> &'static str {
    MID
}

/// The name under which an offered line shares its transport.
pub(super) fn bundled<'a>(session: &Session, media: &'a Media) -> Option<&'a str> {
    let mid = mid(media)?;
    let mut groups = session.attributes.iter().filter(|it| it.attribute == "group").filter_map(|it| it.value.as_deref());
    let is_in = |group: &str| {
        let mut words = group.split_ascii_whitespace();
        words.next() == Some("BUNDLE") && words.any(|word| word == mid)
    };
    groups.any(is_in).then_some(mid)
}

/// Is a line offered? One that may only live on the transport of others has no port of its own (RFC 8843 §6).
pub(super) fn is_offered(media: &Media) -> bool {
    media.port != 0 || media.has_attribute("bundle-only")
}

fn addresses(local: &Local) -> impl Iterator<Item = IpAddr> {
    std::iter::once(local.address).chain(local.others.iter().copied().filter(|other| *other != local.address))
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String grows");
}

//! Keys that the sound's own ports agree on (DTLS-SRTP, RFC 5763): the description names certificates, and who begins.

use std::fmt::Write;

use sdp_types::{Media, Session};

use super::crypto::Way;
use super::{Local, Refused, browser, plain, refused};
use crate::control::words::srtp::{Far, Fingerprint, Handshake, KeysInSdp, Protection, Security, Setup, Srtp};

const PROFILES: [&str; 2] = ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"];
/// Profiles of older phones that mean DTLS when a fingerprint stands there.
const OLDER: [&str; 2] = ["RTP/SAVP", "RTP/SAVPF"];
const HASH: &str = "sha-256";

/// Does this line ask for a handshake?
pub(super) fn is_asked(session: &Session, media: &Media) -> bool {
    let named = fingerprint(session, media).is_some();
    let proto = media.proto.as_str();
    PROFILES.contains(&proto) || (named && OLDER.contains(&proto) && !media.has_attribute("crypto"))
}

/// Do we ask for one? Where ciphering is required and no key may stand in the description, of a browser, and where one was agreed on.
pub(super) fn is_ours(local: &Local) -> Option<Fingerprint> {
    let Protection { srtp, keys, fingerprint, far, .. } = local.protection;
    let must = srtp == Srtp::Required && keys == KeysInSdp::Withheld;
    let wished = match &local.before {
        Some(stream) => must || matches!(stream.security, Security::Handshake(_)),
        None => must || far == Far::Browser && srtp != Srtp::Off,
    };
    fingerprint.filter(|_| wished)
}

/// The profile of our offer.
pub(super) const PROFILE: &str = PROFILES[0];

/// The lines of our offer: the other may choose who begins.
pub(super) fn put_offer(text: &mut String, ours: &Fingerprint) {
    put(text, ours, "actpass");
}

/// What becomes of an offered line.
///
/// # Errors
/// [`Refused`] when we do not wish it, or something of it is missing.
pub(super) fn answer(local: &Local, session: &Session, media: &Media) -> Result<Way, Refused> {
    if local.protection.srtp == Srtp::Off {
        return Err(refused(302, "SRTP is off for this peer: offer RTP/AVP"));
    }
    let Some(ours) = local.protection.fingerprint else {
        return Err(refused(302, &format!("the transport {} is not served here", plain(&media.proto))));
    };
    let theirs = fingerprint(session, media).ok_or_else(|| refused(399, "DTLS-SRTP without a=fingerprint:sha-256"))?;
    // Whoever leaves us the choice begins: what he sends opens his NAT.
    let role = match setup(session, media) {
        Some("actpass" | "active") | None => Setup::Passive,
        Some("passive") => Setup::Active,
        Some(_) => return Err(refused(399, "a=setup is neither actpass, active nor passive")),
    };
    let mut line = String::new();
    put(&mut line, &ours, if role == Setup::Active { "active" } else { "passive" });
    Ok(Way { security: Security::Handshake(Handshake { role, theirs }), line, ice: browser::answered(local, session, media) })
}

/// What the answer to our offer agreed.
///
/// # Errors
/// [`Refused`] when it names no certificate.
pub(super) fn accept(local: &Local, session: &Session, media: &Media) -> Result<Way, Refused> {
    let theirs = fingerprint(session, media).ok_or_else(|| refused(399, "the answer has no a=fingerprint:sha-256"))?;
    let role = if setup(session, media) == Some("passive") { Setup::Active } else { Setup::Passive };
    Ok(Way {
        security: Security::Handshake(Handshake { role, theirs }),
        line: String::new(),
        ice: browser::accepted(local, session, media),
    })
}

fn put(text: &mut String, ours: &Fingerprint, setup: &str) {
    write!(text, "a=fingerprint:{HASH} {ours}\r\na=setup:{setup}\r\n").expect("a String grows");
}

/// The line's own attribute, else the session's.
pub(super) fn attribute<'a>(session: &'a Session, media: &'a Media, name: &'static str) -> impl Iterator<Item = &'a str> {
    let all = media.attributes.iter().chain(session.attributes.iter());
    all.filter(move |it| it.attribute == name).filter_map(|it| it.value.as_deref())
}

fn setup<'a>(session: &'a Session, media: &'a Media) -> Option<&'a str> {
    attribute(session, media, "setup").next().map(str::trim)
}

fn fingerprint(session: &Session, media: &Media) -> Option<Fingerprint> {
    let by_hash = |value: &str| {
        let (hash, sum) = value.trim().split_once(' ')?;
        hash.eq_ignore_ascii_case(HASH).then(|| sum.trim().parse().ok())?
    };
    attribute(session, media, "fingerprint").find_map(by_hash)
}

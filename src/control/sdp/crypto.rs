//! Keys in descriptions (RFC 4568): `a=crypto` lines, offered, chosen and answered.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sdp_types::Media;

use super::{Local, Refused, plain, refused};
use crate::control::words::ice::Ice;
use crate::control::words::srtp::{KeysInSdp, MasterKey, Security, Srtp, SrtpKeys, Suite};

/// Plain RTP; feedback (AVPF) may be left unused.
const CLEAR: [&str; 2] = ["RTP/AVP", "RTP/AVPF"];
/// Ciphered, with keys in the description.
const SECURE: [&str; 2] = ["RTP/SAVP", "RTP/SAVPF"];
/// So many `a=crypto` lines of a description are looked at.
const MOST_LINES: usize = 16;
/// Digits of a tag (RFC 4568 §9.1).
const LONGEST_TAG: usize = 9;

/// What was agreed of the way, with the line that goes into our answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub security: Security,
    pub line: String,
    /// By what the peer is let in, when it asks first.
    pub ice: Option<Ice>,
}

/// One offered or answered line.
struct Line<'a> {
    tag: &'a str,
    name: &'a str,
    suite: Suite,
    key: MasterKey,
}

/// The profile of our offer's audio line. Where ciphering is only a wish, the profile stays the one that every far end knows,
/// and those who can cipher see the keys beside it.
pub(super) fn profile(local: &Local) -> &'static str {
    if local.protection.srtp == Srtp::Required { SECURE[0] } else { CLEAR[0] }
}

/// The same in a later offer: who agreed on the ciphered profile is not offered the other one, which he may refuse.
pub(super) fn profile_again(local: &Local, last: &Media) -> &'static str {
    let keyed = local.before.as_ref().is_some_and(|stream| matches!(stream.security, Security::Keys(_)));
    if keyed && SECURE.contains(&last.proto.as_str()) && can_offer(local) { SECURE[0] } else { profile(local) }
}

fn can_offer(local: &Local) -> bool {
    local.protection.srtp != Srtp::Off && local.protection.keys == KeysInSdp::Written
}

/// The lines of our offer, a fresh key in each.
pub(super) fn put_offer(text: &mut String, local: &Local) {
    if !can_offer(local) {
        return;
    }
    for (suite, tag) in Suite::ALL.into_iter().zip(1..) {
        put(text, &tag.to_string(), suite.name(), &offered_key(local, suite, tag));
    }
}

/// What becomes of an offered line: in clear, or ciphered with keys of both sides.
///
/// # Errors
/// [`Refused`] when its profile is not served, or is not what we wish.
pub(super) fn answer(local: &Local, media: &Media) -> Result<Way, Refused> {
    let wish = local.protection.srtp;
    let secure = SECURE.contains(&media.proto.as_str());
    if !secure && !CLEAR.contains(&media.proto.as_str()) {
        return Err(refused(302, &format!("the transport {} is not served, only RTP/AVP and RTP/SAVP", plain(&media.proto))));
    }
    if secure && wish == Srtp::Off {
        return Err(refused(302, "SRTP is off for this peer: offer RTP/AVP"));
    }
    let chosen = if wish == Srtp::Off { None } else { lines(media).next() };
    match (chosen, local.protection.keys) {
        (Some(line), KeysInSdp::Written) => Ok(agreed(local, &line)),
        (None, _) if secure => Err(refused(399, "RTP/SAVP without a crypto line that is served; AES_CM_128_HMAC_SHA1_80 is one")),
        (Some(_), KeysInSdp::Withheld) if secure || wish == Srtp::Required => {
            Err(refused(399, "keys of SRTP are not taken over signalling in clear: call over TLS"))
        }
        (None, _) if wish == Srtp::Required => Err(refused(399, "SRTP is required: offer RTP/SAVP with a=crypto, over TLS")),
        _ => Ok(Way::default()),
    }
}

/// What the answer to our offer agreed.
///
/// # Errors
/// [`Refused`] when it is not what we wish, or takes up something that was not offered.
pub(super) fn accept(local: &Local, media: &Media) -> Result<Security, Refused> {
    let taken = lines(media).next().filter(|_| can_offer(local));
    let Some(line) = taken else {
        return match SECURE.contains(&media.proto.as_str()) || local.protection.srtp == Srtp::Required {
            true => Err(refused(399, "SRTP is required and the answer has no a=crypto line of our offer")),
            false => Ok(Security::Plain),
        };
    };
    let ours = Suite::ALL.into_iter().zip(1u8..).find(|(suite, tag)| *suite == line.suite && line.tag.parse() == Ok(*tag));
    let (suite, tag) = ours.ok_or_else(|| refused(399, "the answer's a=crypto line is none of our offer"))?;
    Ok(Security::Keys(Arc::new(SrtpKeys { suite, ours: offered_key(local, suite, tag), theirs: line.key })))
}

/// Our key beside theirs. While theirs stays, ours does: a description that is only repeated changes nothing for the packets.
fn agreed(local: &Local, line: &Line<'_>) -> Way {
    let ours = local.protection.chance.for_one(line.key.as_bytes()).key(line.suite, b"answer");
    let mut text = String::new();
    put(&mut text, line.tag, line.name, &ours);
    let keys = SrtpKeys { suite: line.suite, ours, theirs: line.key.clone() };
    Way { security: Security::Keys(Arc::new(keys)), line: text, ice: None }
}

fn offered_key(local: &Local, suite: Suite, tag: u8) -> MasterKey {
    let mut name = local.version.to_be_bytes().to_vec();
    name.push(tag);
    local.protection.chance.for_one(&name).key(suite, b"offer")
}

/// The lines that we can serve, in the peer's order.
fn lines(media: &Media) -> impl Iterator<Item = Line<'_>> {
    let all = media.attributes.iter().filter(|attribute| attribute.attribute == "crypto").take(MOST_LINES);
    all.filter_map(|attribute| line(attribute.value.as_deref()?))
}

/// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31 WSH=64`.
fn line(value: &str) -> Option<Line<'_>> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= LONGEST_TAG && tag.bytes().all(|byte| byte.is_ascii_digit()))?;
    let name = words.next()?;
    let suite = Suite::of_name(name)?;
    // Several keys or a key with a name of its own (MKI) would ask for more than one key at a time.
    let inline = words.next()?.strip_prefix("inline:").filter(|inline| !inline.contains([';', ':']))?;
    let bytes = STANDARD.decode(inline.split('|').next()?).ok()?;
    // Of the session parameters only the window of replays changes nothing of the packets (RFC 4568 §6.3).
    words.all(|parameter| parameter.starts_with("WSH=")).then_some(())?;
    Some(Line { tag, name, suite, key: MasterKey::new(suite, &bytes)? })
}

fn put(text: &mut String, tag: &str, name: &str, key: &MasterKey) {
    write!(text, "a=crypto:{tag} {name} inline:{}\r\n", STANDARD.encode(key.as_bytes())).expect("a String grows");
}

//! Answering an offer, and reading the answer to ours.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sdp_types::{Attribute, Media, Session};

use super::browser;
use super::crypto::{self, Way};
use super::describe::{self, Audio};
use super::dtls;
use super::formats::{self, Formats, Found, Order};
use super::{Direction, Local, Refused, USUAL_PTIME, rtcp};
use crate::control::words::media::{KeyTones, Reports, Stream, Terms};
use crate::control::words::trunk::Keys;

/// Packet lengths a phone may ask for, in milliseconds.
const PTIMES: std::ops::RangeInclusive<u8> = 10..=60;

pub(super) fn refused(code: u16, text: &str) -> Refused {
    Refused { status: 488, warning: format!("{code} hotline \"{text}\"") }
}

fn broken(text: &str) -> Refused {
    Refused { status: 400, warning: format!("399 hotline \"{text}\"") }
}

/// What a peer's audio line says.
struct Wanted {
    found: Found,
    remote: Option<SocketAddr>,
    direction: Direction,
    ptime: u8,
    reports: Reports,
}

/// Our answer to an offer, and what was agreed.
///
/// # Errors
/// [`Refused`] when the offer is broken or nothing in it can be accepted.
pub fn answer(local: &Local, offer: &[u8]) -> Result<(Bytes, Stream), Refused> {
    let session = parse(offer)?;
    let (chosen, wanted, way) = choose(local, &session)?;
    let direction = local.direction.beside(wanted.direction);
    let formats = wanted.found.answered();
    let mut text = describe::session(local);
    if way.ice.is_some() {
        browser::put_session(&mut text, session.medias.get(chosen).and_then(|media| browser::bundled(&session, media)));
    }
    for (at, media) in session.medias.iter().enumerate() {
        if at == chosen {
            let ptime = wanted.ptime;
            describe::audio(&mut text, &Audio { port: local.port, proto: &media.proto, formats: &formats, ptime, direction });
            rtcp::put_answer(&mut text, &wanted.reports);
            text.push_str(&way.line);
            if let Some(ice) = &way.ice {
                browser::put_line(&mut text, local, ice, browser::mid(media));
            }
        } else {
            describe::rejected(&mut text, media);
            if way.ice.is_some() {
                browser::put_mid(&mut text, media);
            }
        }
    }
    Ok((Bytes::from(text), stream(local, &wanted, &formats, way)))
}

/// What the peer's answer to our offer agreed.
///
/// # Errors
/// [`Refused`] when the answer is broken or rejects the audio.
pub fn accept(local: &Local, answer: &[u8]) -> Result<Stream, Refused> {
    accept_line(local, 0, &Formats::offered(local, None), answer)
}

/// What the peer's answer to [`super::offer_again`] agreed: our audio line may stand behind rejected ones.
///
/// # Errors
/// [`Refused`] when the answer is broken or rejects the audio.
pub fn accept_again(local: &Local, offer: &[u8], answer: &[u8]) -> Result<Stream, Refused> {
    let lines = parse(offer).map(|session| session.medias).unwrap_or_default();
    let at = lines.iter().position(|line| line.media == "audio" && line.port != 0).unwrap_or(0);
    accept_line(local, at, &Formats::offered(local, lines.get(at)), answer)
}

fn accept_line(local: &Local, at: usize, ours: &Formats, answer: &[u8]) -> Result<Stream, Refused> {
    let session = parse(answer)?;
    let audio = session.medias.get(at).filter(|media| media.media == "audio").ok_or_else(|| broken("the answer has no audio line"))?;
    if audio.port == 0 {
        return Err(refused(304, "the answer rejects the audio"));
    }
    let way = match dtls::is_ours(local) {
        Some(_) => dtls::accept(local, &session, audio)?,
        None => Way { security: crypto::accept(local, audio)?, ..Way::default() },
    };
    let wanted = wanted(local, &session, audio, (Order::Theirs, &way))?;
    Ok(stream(local, &wanted, ours, way))
}

fn parse(text: &[u8]) -> Result<Session, Refused> {
    Session::parse(text).map_err(|why| broken(&format!("the session description cannot be read: {}", plain(&why.to_string()))))
}

fn stream(local: &Local, wanted: &Wanted, ours: &Formats, way: Way) -> Stream {
    let direction = local.direction.beside(wanted.direction);
    Stream {
        port: local.port,
        remote: wanted.remote,
        codec: wanted.found.codec,
        payload_type: wanted.found.payload_type,
        telephone_event: wanted.found.keys.map(|(number, _)| number),
        key_tones: if local.keys != Keys::Info && wanted.found.keys.is_none() { KeyTones::Heard } else { KeyTones::Ignored },
        ptime_ms: wanted.ptime,
        send: direction.sends(),
        receive: direction.receives(),
        security: way.security,
        reports: wanted.reports,
        terms: Terms { ice: way.ice, ..wanted.found.terms(ours) },
    }
}

/// The first audio line we can take; else the refusal of the best one.
fn choose(local: &Local, session: &Session) -> Result<(usize, Wanted, Way), Refused> {
    let mut why = refused(304, "no audio stream is offered");
    for (at, media) in session.medias.iter().enumerate() {
        if media.media != "audio" || !browser::is_offered(media) {
            continue;
        }
        match way(local, session, media).and_then(|way| Ok((wanted(local, session, media, (Order::Ours, &way))?, way))) {
            Ok((wanted, way)) => return Ok((at, wanted, way)),
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

/// In clear, ciphered with keys of the line, or by a handshake.
fn way(local: &Local, session: &Session, media: &Media) -> Result<Way, Refused> {
    if dtls::is_asked(session, media) { dtls::answer(local, session, media) } else { crypto::answer(local, media) }
}

fn wanted(local: &Local, session: &Session, media: &Media, (order, way): (Order, &Way)) -> Result<Wanted, Refused> {
    let found = Found::in_line(local, media, order).ok_or_else(|| refused(305, &no_codec(local)))?;
    let place = address(session, media)?;
    let said = direction(session, media);
    // Who asks his way first is where he asks from; until then he often says that he is nowhere.
    let place = place.filter(|_| way.ice.is_none());
    let held = place.is_some_and(|ip| ip.is_unspecified());
    let remote = place.filter(|ip| !ip.is_unspecified()).map(|ip| SocketAddr::new(ip, media.port));
    Ok(Wanted {
        found,
        remote,
        // RFC 2543 hold: nowhere to send to.
        direction: if held { Direction::SendOnly.beside(flipped(said)) } else { said },
        ptime: ptime(media),
        reports: rtcp::wanted(media, remote),
    })
}

fn no_codec(local: &Local) -> String {
    let served: Vec<&str> = formats::served(local).iter().map(|codec| codec.encoding()).collect();
    format!("no codec in common: {} served here", served.join(", "))
}

/// As the other side sees it.
fn flipped(direction: Direction) -> Direction {
    match direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        both => both,
    }
}

/// What the peer wrote, fit for a quoted string in a header.
pub(super) fn plain(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() || matches!(letter, '"' | '\\') { ' ' } else { letter };
    text.chars().take(SHOWN).map(clean).collect()
}

/// So much of what the peer wrote is repeated in a Warning, in characters.
const SHOWN: usize = 120;

/// The peer's address; `None` for a host name, where the first packet tells.
fn address(session: &Session, media: &Media) -> Result<Option<IpAddr>, Refused> {
    let connection = media.connections.first().or(session.connection.as_ref()).ok_or_else(|| broken("the audio has no c= line"))?;
    let place = connection.connection_address.split('/').next().unwrap_or_default();
    Ok(place.parse().ok())
}

/// The media's own direction, else the session's, else both ways.
fn direction(session: &Session, media: &Media) -> Direction {
    let of = |attributes: &[Attribute]| attributes.iter().find_map(|attribute| Direction::of(&attribute.attribute));
    of(&media.attributes).or_else(|| of(&session.attributes)).unwrap_or(Direction::SendRecv)
}

fn ptime(media: &Media) -> u8 {
    let number = |name: &str| media.get_first_attribute_value(name).flatten().and_then(|value| value.trim().parse::<u8>().ok());
    let most = number("maxptime").filter(|most| PTIMES.contains(most));
    let asked = number("ptime").filter(|ptime| PTIMES.contains(ptime) && ptime % 10 == 0).unwrap_or(USUAL_PTIME);
    most.map_or(asked, |most| asked.min(most / 10 * 10))
}

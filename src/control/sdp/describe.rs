//! Writing descriptions.

use std::fmt::Write;

use super::formats::Formats;
use super::{Direction, Local};
use crate::control::words::media::Codec;

/// We use the copies that follow a frame, and want silence sent: recognizers and recordings hear it (RFC 7587 §6.1).
const OPUS_TERMS: &str = "useinbandfec=1;usedtx=0";

/// An accepted or offered audio line.
pub(super) struct Audio<'a> {
    pub port: u16,
    pub proto: &'a str,
    pub formats: &'a Formats,
    pub ptime: u8,
    pub direction: Direction,
}

/// The lines before the first `m=`.
pub(super) fn session(local: &Local) -> String {
    let Local { address, session, version, .. } = local;
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let mut text = String::with_capacity(320);
    put(&mut text, format_args!("v=0\r\no=hotline {session} {version} IN {family} {address}\r\ns=-\r\n"));
    put(&mut text, format_args!("c=IN {family} {address}\r\nt=0 0\r\n"));
    text
}

/// One audio line with its attributes.
pub(super) fn audio(text: &mut String, audio: &Audio<'_>) {
    let Formats { sound, keys, comfort_noise } = audio.formats;
    put(text, format_args!("m=audio {} {}", audio.port, audio.proto));
    for number in sound.iter().map(|(number, _)| number).chain(comfort_noise).chain(keys.iter().map(|(number, _)| number)) {
        put(text, format_args!(" {number}"));
    }
    text.push_str("\r\n");
    for (number, codec) in sound {
        put(text, format_args!("a=rtpmap:{number} {}\r\n", codec.map()));
        if *codec == Codec::Opus {
            put(text, format_args!("a=fmtp:{number} {OPUS_TERMS}\r\n"));
        }
    }
    if let Some(number) = comfort_noise {
        put(text, format_args!("a=rtpmap:{number} CN/8000\r\n"));
    }
    for (number, clock) in keys {
        put(text, format_args!("a=rtpmap:{number} telephone-event/{clock}\r\na=fmtp:{number} 0-15\r\n"));
    }
    put(text, format_args!("a=ptime:{}\r\na={}\r\n", audio.ptime, audio.direction.token()));
}

/// A line that we turn down: it keeps its place (RFC 3264 §6).
pub(super) fn rejected(text: &mut String, media: &sdp_types::Media) {
    put(text, format_args!("m={} 0 {} {}\r\n", media.media, media.proto, media.fmt));
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String grows");
}

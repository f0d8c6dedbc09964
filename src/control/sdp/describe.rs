//! Writing descriptions.

use std::fmt::Write;

use super::{Direction, Local};
use crate::control::words::media::Codec;

/// An accepted or offered audio line.
pub(super) struct Audio<'a> {
    pub port: u16,
    pub proto: &'a str,
    pub formats: &'a [(u8, Codec)],
    pub telephone_event: Option<u8>,
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
    put(text, format_args!("m=audio {} {}", audio.port, audio.proto));
    for (payload_type, _) in audio.formats {
        put(text, format_args!(" {payload_type}"));
    }
    if let Some(event) = audio.telephone_event {
        put(text, format_args!(" {event}"));
    }
    text.push_str("\r\n");
    for (payload_type, codec) in audio.formats {
        put(text, format_args!("a=rtpmap:{payload_type} {}/8000\r\n", codec.encoding()));
    }
    if let Some(event) = audio.telephone_event {
        put(text, format_args!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n"));
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

//! Payload types: their names, their numbers in our offers, and what a peer's numbers mean.

use sdp_types::Media;

use super::Local;
use crate::control::words::media::{Codec, KeyClock, Kind, OpusTerms, Terms};
use crate::control::words::trunk::Keys;

/// Clocks of telephone-event, in hertz.
const NARROW: u32 = 8_000;
const WIDE: u32 = 48_000;
/// Our numbers where nothing else is agreed.
const OUR_OPUS: u8 = 107;
const OUR_L16: u8 = 118;
const OUR_KEYS: u8 = 101;
const OUR_WIDE_KEYS: u8 = 102;
/// RFC 3551's number of comfort noise.
const COMFORT_NOISE: u8 = 13;
/// Numbers that have no fixed meaning.
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

impl Codec {
    /// Its static RTP payload type (RFC 3551); `None` for those whose number is agreed in each session.
    #[must_use]
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus | Codec::L16 => None,
        }
    }

    /// Its name in `rtpmap`, in our configuration and on our command line.
    #[must_use]
    pub fn encoding(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
            Codec::L16 => "L16",
        }
    }

    /// The codec of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.encoding().eq_ignore_ascii_case(name))
    }

    /// What stands behind `rtpmap:n`.
    pub(super) fn map(self) -> String {
        let channels = if self == Codec::Opus { "/2" } else { "" };
        format!("{}/{}{channels}", self.encoding(), self.clock())
    }

    fn our_number(self) -> u8 {
        self.static_payload_type().unwrap_or(if self == Codec::Opus { OUR_OPUS } else { OUR_L16 })
    }
}

/// The payload types of a description of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Formats {
    /// Codecs, best first.
    pub sound: Vec<(u8, Codec)>,
    /// Telephone-event, with its clock in hertz.
    pub keys: Vec<(u8, u32)>,
    /// Comfort noise.
    pub comfort_noise: Option<u8>,
}

impl Formats {
    /// What we offer. A number keeps its meaning for the session's life (RFC 3264 §8.3.2): `last` is the audio line of our last
    /// description.
    pub fn offered(local: &Local, last: Option<&Media>) -> Formats {
        let mut taken: Vec<u8> = last.map(mapped).unwrap_or_default();
        let mut number = |before: Option<u8>, usual: u8| {
            let free = |number: &u8| !taken.contains(number);
            let fresh = || Some(usual).filter(free).or_else(|| DYNAMIC.into_iter().find(free)).unwrap_or(usual);
            let number = before.unwrap_or_else(fresh);
            taken.push(number);
            number
        };
        let codecs = served(local);
        let in_last = |codec: Codec| last.and_then(|media| numbers(media).find(|number| codec_of(media, *number) == Some(codec)));
        let sound: Vec<(u8, Codec)> = codecs.iter().map(|codec| (number(in_last(*codec), codec.our_number()), *codec)).collect();
        let mut keys = Vec::new();
        if local.keys == Keys::Rfc4733 {
            for (clock, usual) in [(NARROW, OUR_KEYS), (WIDE, OUR_WIDE_KEYS)] {
                if codecs.iter().any(|codec| codec.clock() == clock) {
                    keys.push((number(last.and_then(|media| keys_of(media, clock)), usual), clock));
                }
            }
        }
        Formats { sound, keys, comfort_noise: None }
    }

    /// The same for the media threads; static numbers they know.
    pub fn announced(&self) -> [Option<(u8, Kind)>; Terms::MOST] {
        let sound = self.sound.iter().map(|(number, codec)| (*number, Kind::Sound(*codec)));
        let keys = self.keys.iter().map(|(number, _)| (*number, Kind::Keys));
        let mut all = sound.chain(keys).filter(|(number, _)| DYNAMIC.contains(number));
        std::array::from_fn(|_| all.next())
    }
}

/// What was found in a peer's audio line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub codec: Codec,
    pub payload_type: u8,
    /// Telephone-event with its clock in hertz.
    pub keys: Option<(u8, u32)>,
    pub comfort_noise: Option<u8>,
    pub opus: OpusTerms,
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// An offer: ours.
    Ours,
    /// An answer: the peer's.
    Theirs,
}

impl Found {
    /// The best codec of a line, with what belongs to it; `None` when there is none that we serve.
    pub fn in_line(local: &Local, media: &Media, order: Order) -> Option<Found> {
        let codecs = served(local);
        let theirs = || numbers(media).filter_map(|number| Some((number, codec_of(media, number)?)));
        let (payload_type, codec) = match order {
            Order::Theirs => theirs().find(|(_, codec)| codecs.contains(codec)),
            Order::Ours => codecs.iter().find_map(|ours| theirs().find(|(_, codec)| codec == ours)),
        }?;
        // The clock of the codec in use (RFC 4733 §2.1); peers that offer only the old one beside a wide codec get that.
        let clocks = [codec.clock(), NARROW];
        let keys = || clocks.into_iter().find_map(|clock| Some((keys_of(media, clock)?, clock)));
        Some(Found {
            codec,
            payload_type,
            keys: if local.keys == Keys::Rfc4733 { keys() } else { None },
            comfort_noise: if codec.clock() == NARROW { comfort_noise_of(media) } else { None },
            opus: if codec == Codec::Opus { opus_terms(media, payload_type) } else { OpusTerms::default() },
        })
    }

    /// What stands in our answer.
    pub fn answered(&self) -> Formats {
        Formats { sound: vec![(self.payload_type, self.codec)], keys: self.keys.into_iter().collect(), comfort_noise: self.comfort_noise }
    }

    /// What the media threads must know beyond the numbers.
    pub fn terms(&self, ours: &Formats) -> Terms {
        Terms {
            ours: ours.announced(),
            keys: if self.keys.is_some_and(|(_, clock)| clock == WIDE) { KeyClock::Wide } else { KeyClock::Narrow },
            comfort_noise: self.comfort_noise,
            opus: self.opus,
            ice: None,
        }
    }
}

/// Our codecs, without L16 where the sound would leave the machine.
pub(super) fn served(local: &Local) -> Vec<Codec> {
    local.codecs.iter().copied().filter(|codec| *codec != Codec::L16 || local.address.is_loopback()).collect()
}

fn numbers(media: &Media) -> impl Iterator<Item = u8> {
    media.fmt.split_ascii_whitespace().filter_map(|format| format.parse().ok())
}

/// What a payload type means: by its rtpmap, else by RFC 3551's static table.
fn codec_of(media: &Media, payload_type: u8) -> Option<Codec> {
    let Some((name, clock, channels)) = rtpmap(media, payload_type) else {
        return Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type));
    };
    let fits = |codec: &Codec| match codec {
        Codec::Opus => channels == "2",
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::L16 => matches!(channels, "" | "1"),
    };
    Codec::named(name).filter(|codec| clock.parse() == Ok(codec.clock()) && fits(codec))
}

fn keys_of(media: &Media, clock: u32) -> Option<u8> {
    let is_keys = |(name, rate, _): (&str, &str, &str)| name.eq_ignore_ascii_case("telephone-event") && rate.parse() == Ok(clock);
    numbers(media).find(|number| rtpmap(media, *number).is_some_and(is_keys))
}

fn comfort_noise_of(media: &Media) -> Option<u8> {
    numbers(media).find(|number| match rtpmap(media, *number) {
        Some((name, rate, _)) => name.eq_ignore_ascii_case("CN") && rate.parse() == Ok(NARROW),
        None => *number == COMFORT_NOISE,
    })
}

/// What `fmtp` says; what it does not say is as RFC 7587 §6.1 presumes.
fn opus_terms(media: &Media, payload_type: u8) -> OpusTerms {
    let mut terms = OpusTerms::default();
    let said =
        values(media, "fmtp").filter_map(|value| value.trim().split_once(' ')).filter(|(number, _)| number.parse() == Ok(payload_type));
    for (name, value) in said.flat_map(|(_, text)| text.split(';')).filter_map(|part| part.trim().split_once('=')) {
        match name.trim() {
            "useinbandfec" => terms.fec = value.trim() == "1",
            "usedtx" => terms.dtx = value.trim() == "1",
            "maxaveragebitrate" => terms.most_bitrate = value.trim().parse().ok(),
            _ => {}
        }
    }
    terms
}

/// The numbers that a line gives a meaning to.
fn mapped(media: &Media) -> Vec<u8> {
    values(media, "rtpmap").filter_map(|value| value.trim().split_once(' ')?.0.parse().ok()).collect()
}

/// Name, clock rate and channels of a payload type.
fn rtpmap(media: &Media, payload_type: u8) -> Option<(&str, &str, &str)> {
    values(media, "rtpmap").filter_map(|value| value.trim().split_once(' ')).find(|(number, _)| number.parse() == Ok(payload_type)).map(
        |(_, map)| {
            let mut parts = map.trim().split('/');
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        },
    )
}

fn values<'a>(media: &'a Media, name: &'a str) -> impl Iterator<Item = &'a str> {
    media.attributes.iter().filter(move |attribute| attribute.attribute == name).filter_map(|attribute| attribute.value.as_deref())
}

//! Wire codecs, from and to the inside format (8 kHz). G.711 and L16 keep no state; G.722 and Opus have one for each direction of a leg,
//! made when the leg opens or the codec changes and never in a tick.

pub mod g711;
pub mod g722;

use g711::Law;

use super::{FRAME, Pcm, RATE};
use crate::control::words::media::{Codec, OpusTerms};

/// The most bytes that 20 ms of ours need in any codec: L16.
pub const WIRE: usize = 2 * FRAME;
/// The longest Opus packet: 120 ms, in samples.
pub const MOST_SAMPLES: usize = 960;

/// Opus for speech of 8 kHz: about what G.711 sounds like, with room for the in-band copy of the frame before.
const OPUS_BITRATE: i32 = 20_000;
const OPUS_LEAST_BITRATE: i32 = 6_000;
/// Complexity of the encoder: above 5 it costs twice and is not heard in narrow-band speech.
const OPUS_COMPLEXITY: i32 = 5;
/// Losses that the encoder prepares for when the peer can use the copies, in per cent.
const OPUS_EXPECTED_LOSS: i32 = 10;
/// An Opus packet of so few bytes need not be sent (DTX).
const OPUS_NOTHING: usize = 2;

impl Codec {
    /// The G.711 law, if it is one.
    #[must_use]
    pub fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 | Codec::Opus | Codec::L16 => None,
        }
    }
}

/// How long a payload lasts, in samples of 8 kHz; zero when it is broken.
#[must_use]
pub fn samples(codec: Codec, payload: &[u8]) -> usize {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len(),
        Codec::L16 => payload.len() / 2,
        Codec::Opus => opus::packet::get_nb_samples(payload, RATE).unwrap_or(0),
    }
}

/// From linear sound to the wire.
#[derive(Debug)]
pub enum Encoder {
    /// G.711.
    G711(Law),
    /// G.722.
    G722(Box<g722::Encoder>),
    /// Opus.
    Opus(Box<opus::Encoder>),
    /// Linear, 16 bits, big-endian.
    L16,
}

impl Encoder {
    /// An encoder that has said nothing yet.
    #[must_use]
    pub fn new(codec: Codec, terms: OpusTerms) -> Encoder {
        match codec {
            Codec::Pcmu => Encoder::G711(Law::Mu),
            Codec::Pcma => Encoder::G711(Law::A),
            Codec::G722 => Encoder::G722(Box::default()),
            Codec::L16 => Encoder::L16,
            Codec::Opus => {
                Encoder::Opus(Box::new(opus_encoder(terms).expect("8 kHz mono is a format of libopus, its settings are in range")))
            }
        }
    }

    /// Encodes 20 ms; gives the bytes written. Zero: there is nothing worth a packet (discontinuous transmission).
    pub fn encode(&mut self, sound: &Pcm, wire: &mut [u8; WIRE]) -> usize {
        match self {
            Encoder::G711(law) => {
                g711::encode_into(*law, sound, wire);
                FRAME
            }
            Encoder::G722(encoder) => {
                encoder.encode(sound, wire);
                FRAME
            }
            Encoder::Opus(encoder) => encoder.encode(sound, wire).ok().filter(|length| *length > OPUS_NOTHING).unwrap_or(0),
            Encoder::L16 => {
                wire.chunks_exact_mut(2).zip(sound).for_each(|(pair, sample)| pair.copy_from_slice(&sample.to_be_bytes()));
                WIRE
            }
        }
    }
}

fn opus_encoder(terms: OpusTerms) -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(RATE, opus::Channels::Mono, opus::Application::Voip)?;
    let most = terms.most_bitrate.and_then(|bits| i32::try_from(bits).ok()).unwrap_or(OPUS_BITRATE);
    encoder.set_bitrate(opus::Bitrate::Bits(OPUS_BITRATE.min(most).max(OPUS_LEAST_BITRATE)))?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    encoder.set_inband_fec(terms.fec)?;
    encoder.set_packet_loss_perc(if terms.fec { OPUS_EXPECTED_LOSS } else { 0 })?;
    encoder.set_dtx(terms.dtx)?;
    Ok(encoder)
}

/// From the wire to linear sound.
#[derive(Debug)]
pub enum Decoder {
    /// G.711.
    G711(Law),
    /// G.722.
    G722(Box<g722::Decoder>),
    /// Opus.
    Opus(Box<opus::Decoder>),
    /// Linear, 16 bits, big-endian.
    L16,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    #[must_use]
    pub fn new(codec: Codec) -> Decoder {
        match codec {
            Codec::Pcmu => Decoder::G711(Law::Mu),
            Codec::Pcma => Decoder::G711(Law::A),
            Codec::G722 => Decoder::G722(Box::default()),
            Codec::L16 => Decoder::L16,
            Codec::Opus => {
                let decoder = opus::Decoder::new(RATE, opus::Channels::Mono).expect("8 kHz mono is a format of libopus");
                Decoder::Opus(Box::new(decoder))
            }
        }
    }

    /// Its codec.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Decoder::G711(Law::Mu) => Codec::Pcmu,
            Decoder::G711(Law::A) => Codec::Pcma,
            Decoder::G722(_) => Codec::G722,
            Decoder::Opus(_) => Codec::Opus,
            Decoder::L16 => Codec::L16,
        }
    }

    /// Forgets what it heard (another source).
    pub fn restart(&mut self) {
        match self {
            Decoder::G711(_) | Decoder::L16 => {}
            Decoder::G722(decoder) => **decoder = g722::Decoder::default(),
            // It fails for a null pointer only.
            Decoder::Opus(decoder) => drop(decoder.reset_state()),
        }
    }

    /// Decodes a payload, as much as `sound` holds; gives the samples. Zero: it cannot be read.
    pub fn decode(&mut self, payload: &[u8], sound: &mut [i16]) -> usize {
        match self {
            Decoder::G711(law) => {
                g711::decode_into(*law, payload, sound);
                payload.len().min(sound.len())
            }
            Decoder::G722(decoder) => {
                decoder.decode(payload, sound);
                payload.len().min(sound.len())
            }
            Decoder::Opus(decoder) => decoder.decode(payload, sound, false).unwrap_or(0),
            Decoder::L16 => {
                let pairs = payload.chunks_exact(2);
                let count = pairs.len().min(sound.len());
                sound.iter_mut().zip(pairs).for_each(|(sample, pair)| *sample = i16::from_be_bytes([pair[0], pair[1]]));
                count
            }
        }
    }

    /// Makes up what was lost, by the decoder's own means: from the copy in the packet behind the gap, if that is there, else out of
    /// the past. False for codecs that have none.
    pub fn conceal(&mut self, behind: Option<&[u8]>, sound: &mut [i16]) -> bool {
        match self {
            Decoder::Opus(decoder) => {
                decoder.decode(behind.unwrap_or_default(), sound, behind.is_some()).is_ok_and(|made| made == sound.len())
            }
            Decoder::G711(_) | Decoder::G722(_) | Decoder::L16 => false,
        }
    }
}

#[cfg(test)]
mod tests;

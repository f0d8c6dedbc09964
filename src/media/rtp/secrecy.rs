//! The two directions of a stream as its description says: in clear, or ciphered; a new key takes over without a gap.

use super::srtp::{Opener, Refused, Sealer};
use crate::control::words::srtp::{MasterKey, Security, Suite};
use crate::media::sockets::DATAGRAM;

/// Is there a key yet?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Gate {
    /// There is one, or none is wanted.
    #[default]
    Open,
    /// A handshake is to agree on one.
    Shut,
}

/// What comes in.
#[derive(Debug, Default)]
pub struct Incoming {
    gate: Gate,
    key: Option<(Suite, MasterKey)>,
    opener: Option<Box<Opener>>,
    /// Of the key before: its last packets are still on their way until the first of the new one is here.
    before: Option<Box<Opener>>,
}

/// What goes out.
#[derive(Debug, Default)]
pub struct Outgoing {
    gate: Gate,
    key: Option<(Suite, MasterKey)>,
    sealer: Option<Box<Sealer>>,
}

impl Incoming {
    /// As agreed now. The same key goes on counting.
    pub fn update(&mut self, security: &Security) {
        self.gate = if matches!(security, Security::Handshake(_)) { Gate::Shut } else { Gate::Open };
        let key = match security {
            Security::Plain | Security::Handshake(_) => None,
            Security::Keys(keys) => Some((keys.suite, keys.theirs.clone())),
        };
        if self.key == key {
            return;
        }
        let fresh = key.as_ref().map(|(suite, key)| Box::new(Opener::new(*suite, key)));
        self.before = std::mem::replace(&mut self.opener, fresh).filter(|old| old.has_opened() && key.is_some());
        self.key = key;
    }

    /// Reads an RTP packet where it lies.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be believed.
    pub fn open<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a [u8], Refused> {
        let Some(opener) = &mut self.opener else { return self.in_clear(packet) };
        let length = match &mut self.before {
            None => opener.open(packet)?,
            Some(before) => {
                let mut kept = [0; DATAGRAM];
                let kept = kept.get_mut(..packet.len()).ok_or(Refused::Short)?;
                kept.copy_from_slice(packet);
                let opened = opener.open(packet);
                if opened.is_err() {
                    packet.copy_from_slice(kept);
                    before.open(packet)?
                } else {
                    self.before = None;
                    opened?
                }
            }
        };
        Ok(&packet[..length])
    }

    /// Reads an RTCP packet where it lies.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be believed.
    pub fn open_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a [u8], Refused> {
        let Some(opener) = &mut self.opener else { return self.in_clear(packet) };
        let length = opener.open_rtcp(packet)?;
        Ok(&packet[..length])
    }

    fn in_clear<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], Refused> {
        if self.gate == Gate::Open { Ok(packet) } else { Err(Refused::NoKey) }
    }
}

impl Outgoing {
    /// As agreed now. The same key goes on counting.
    pub fn update(&mut self, security: &Security) {
        self.gate = if matches!(security, Security::Handshake(_)) { Gate::Shut } else { Gate::Open };
        let key = match security {
            Security::Plain | Security::Handshake(_) => None,
            Security::Keys(keys) => Some((keys.suite, keys.ours.clone())),
        };
        if self.key != key {
            self.sealer = key.as_ref().map(|(suite, key)| Box::new(Sealer::new(*suite, key)));
            self.key = key;
        }
    }

    /// May anything go out? Not before there is a key, where one is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate == Gate::Open
    }

    /// Must a packet of this number stay out, because another went under it?
    #[must_use]
    pub fn has_sent(&self, sequence: u16) -> bool {
        self.sealer.as_ref().is_some_and(|sealer| sealer.has_sent(sequence))
    }

    /// Ciphers the packet in the first `length` bytes; how long it is then.
    #[inline]
    pub fn seal(&mut self, buffer: &mut [u8], length: usize) -> usize {
        self.sealer.as_mut().map_or(length, |sealer| sealer.seal(buffer, length))
    }

    /// Ciphers the RTCP packet in the first `length` bytes; how long it is then.
    pub fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> usize {
        self.sealer.as_mut().map_or(length, |sealer| sealer.seal_rtcp(buffer, length))
    }
}

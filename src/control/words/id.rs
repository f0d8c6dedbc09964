//! Ids: prefixed ULIDs, used once, made only by the rules from their own time and chance.

use std::fmt;
use std::str::FromStr;

use crate::control::random::Random;
use crate::control::time::Time;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID_CHARS: usize = 26;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an id of the form {prefix}_<26 characters of 0-9 A-Z without I L O U>")]
pub struct BadId {
    text: String,
    prefix: &'static str,
}

/// 48 bits of milliseconds and 80 bits of chance.
#[must_use]
pub fn ulid(now: Time, random: &mut Random) -> u128 {
    let chance = (u128::from(random.bits()) << 16) | u128::from(random.bits() & 0xFFFF);
    (u128::from(now.millis()) << 80) | (chance & ((1 << 80) - 1))
}

fn print(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; ULID_CHARS];
    for (at, slot) in text.iter_mut().enumerate() {
        let shift = 5 * (ULID_CHARS - 1 - at);
        *slot = CROCKFORD[usize::try_from((value >> shift) & 31).unwrap_or(0)];
    }
    f.write_str(std::str::from_utf8(&text).unwrap_or(""))
}

fn parse(text: &str, prefix: &'static str) -> Result<u128, BadId> {
    let bad = || BadId { text: text.to_owned(), prefix };
    let body = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(bad)?;
    if body.len() != ULID_CHARS || body.as_bytes()[0] > b'7' {
        return Err(bad());
    }
    body.bytes().try_fold(0u128, |sum, byte| {
        let digit = CROCKFORD.iter().position(|known| *known == byte).ok_or_else(bad)?;
        Ok((sum << 5) | digit as u128)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// The prefix of this kind in its printed form.
            pub const PREFIX: &'static str = $prefix;
            /// A fresh id.
            pub fn new(now: Time, random: &mut Random) -> $name { $name(ulid(now, random)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                print(self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<$name, BadId> { parse(text, $prefix).map($name) }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person or company that contacts the center.
    CustomerId = "cus";
    /// One address of a customer on one channel.
    IdentityId = "idn";
    /// A matter between a customer and the center, over any number of sessions.
    ConversationId = "cnv";
    /// One call or one chat.
    SessionId = "ses";
    /// One spoken sentence, chat line, or system line.
    MessageId = "msg";
    /// The telephone side of a voice session.
    CallId = "call";
    /// One SIP dialog and its media stream; never reused, also not for a second offer to the same agent.
    LegId = "leg";
    /// A mixing space for legs.
    RoomId = "room";
    /// One recording file.
    RecordingId = "rec";
    /// One offer of a session to an agent.
    OfferId = "ofr";
    /// A human agent.
    AgentId = "agt";
    /// A queue.
    QueueId = "que";
    /// A ticket.
    TicketId = "tkt";
    /// A quality evaluation.
    EvaluationId = "evl";
    /// A callback promised to a customer.
    CallbackId = "cb";
    /// A message a customer left.
    LeftMessageId = "lm";
    /// A notice that callers hear before the greeting.
    NoticeId = "ntc";
    /// Something an agent is advised.
    SuggestionId = "sug";
    /// One turn of listening to a caller.
    TurnId = "turn";
    /// One prompt playback.
    PlayId = "play";
    /// One question to the outside (a lookup).
    LookupId = "lkp";
    /// One event in the log.
    EventId = "evt";
    /// One API command waiting for its answer.
    CommandId = "cmd";
}

impl AgentId {
    /// The lasting id of an agent named in the configuration: the same name gives the same id.
    #[must_use]
    pub fn of_name(name: &str) -> AgentId {
        AgentId(named(name))
    }
}

impl QueueId {
    /// The lasting id of a queue named in the configuration: the same name gives the same id.
    #[must_use]
    pub fn of_name(name: &str) -> QueueId {
        QueueId(named(name))
    }
}

/// 125 bits of SHA-256, so that the printed form stays within 26 characters.
fn named(name: &str) -> u128 {
    use sha2::Digest;
    let sum = sha2::Sha256::digest(name.as_bytes());
    let mut first = [0u8; 16];
    first.copy_from_slice(&sum[..16]);
    u128::from_be_bytes(first) >> 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_and_parse_are_inverse() {
        let mut random = Random::new(7);
        let id = SessionId::new(Time(1_795_000_000_000_000), &mut random);
        assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        assert!(id.to_string().starts_with("ses_"));
        assert!(id.to_string().parse::<CallId>().is_err());
        assert_eq!(AgentId::of_name("anna"), AgentId::of_name("anna"));
    }
}

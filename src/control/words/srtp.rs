//! How the sound of a session is protected: what is wished, and what two sides agreed (RFC 3711, RFC 4568, RFC 5763).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the longest master key with its salt (AES-256 in counter mode).
pub const LONGEST_KEY: usize = 46;

/// What is wished of a far end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Srtp {
    /// Never.
    Off,
    /// Where the far end can; otherwise in clear.
    #[default]
    Offered,
    /// Always; without it there is no call.
    Required,
}

impl Srtp {
    /// All of them, by the words of the configuration.
    pub const WORDS: [(&str, Srtp); 3] = [("off", Srtp::Off), ("offered", Srtp::Offered), ("required", Srtp::Required)];

    /// The word of the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        Srtp::WORDS.into_iter().find(|(_, wish)| *wish == self).map_or("off", |(word, _)| word)
    }
}

/// May keys stand in a description that goes over this signalling?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeysInSdp {
    /// The signalling is readable on its way: whoever reads it could hear the call.
    #[default]
    Withheld,
    /// It goes within TLS, or whoever runs the center said that it does not matter.
    Written,
}

/// A ciphering of packets with its authentication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// AES-128 in counter mode, 80 bits of HMAC-SHA1 (RFC 3711).
    Aes128Sha80,
    /// The same with 32 bits (RFC 3711).
    Aes128Sha32,
    /// AES-256 in counter mode, 80 bits of HMAC-SHA1 (RFC 6188).
    Aes256Sha80,
    /// AES-128 in Galois counter mode (RFC 7714).
    Aes128Gcm,
    /// AES-256 in Galois counter mode (RFC 7714).
    Aes256Gcm,
}

impl Suite {
    /// As we offer them, best first: Galois counter mode costs less than half of the others.
    pub const ALL: [Suite; 5] = [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::Aes128Sha80, Suite::Aes256Sha80, Suite::Aes128Sha32];

    /// Its name in `a=crypto`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Suite::Aes128Sha80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Aes128Sha32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::Aes256Sha80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::Aes128Gcm => "AEAD_AES_128_GCM",
            Suite::Aes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// By its name; some phones turn two words of RFC 6188 round.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Suite> {
        let name = if name.eq_ignore_ascii_case("AES_CM_256_HMAC_SHA1_80") { Suite::Aes256Sha80.name() } else { name };
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Suite::Aes128Sha80 | Suite::Aes128Sha32 | Suite::Aes128Gcm => 16,
            Suite::Aes256Sha80 | Suite::Aes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub fn salt_bytes(self) -> usize {
        match self {
            Suite::Aes128Sha80 | Suite::Aes128Sha32 | Suite::Aes256Sha80 => 14,
            Suite::Aes128Gcm | Suite::Aes256Gcm => 12,
        }
    }
}

/// A master key with its salt behind it. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    bytes: [u8; LONGEST_KEY],
    length: usize,
}

impl MasterKey {
    /// Key and salt, one behind the other; `None` when there are too many or too few bytes for this suite.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<MasterKey> {
        let length = suite.key_bytes() + suite.salt_bytes();
        let mut bytes = [0; LONGEST_KEY];
        bytes.get_mut(..length)?.copy_from_slice((key_and_salt.len() == length).then_some(key_and_salt)?);
        Some(MasterKey { bytes, length })
    }

    /// Key and salt.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(kept secret)")
    }
}

/// What both sides cipher with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SrtpKeys {
    /// How.
    pub suite: Suite,
    /// What we send is ciphered with it.
    pub ours: MasterKey,
    /// What the peer sends is ciphered with it.
    pub theirs: MasterKey,
}

/// How the packets of a stream travel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Security {
    /// In clear.
    #[default]
    Plain,
    /// Ciphered with keys that the descriptions carried (RFC 4568).
    Keys(Arc<SrtpKeys>),
    /// Ciphered with keys that a handshake on the ports of the sound agrees on (RFC 5763); until then nothing goes and nothing comes.
    Handshake(Handshake),
}

/// What the descriptions say of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// Who begins.
    pub role: Setup,
    /// The certificate that the peer must have.
    pub theirs: Fingerprint,
}

/// Who begins a handshake, as we see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setup {
    /// We do.
    Active,
    /// The peer does.
    Passive,
}

/// The SHA-256 of a certificate, written `AB:CD:…`. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// It is not 32 hexadecimal bytes with colons between.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a fingerprint is 32 bytes such as AB:CD:…")]
pub struct BadFingerprint;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, byte)| write!(f, "{}{byte:02X}", if at == 0 { "" } else { ":" }))
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Fingerprint, BadFingerprint> {
        let mut bytes = [0; 32];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(BadFingerprint)?;
            let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits).ok_or(BadFingerprint)?;
        }
        if parts.next().is_some() { Err(BadFingerprint) } else { Ok(Fingerprint(bytes)) }
    }
}

impl Security {
    /// How packets are ciphered; `None` in clear.
    #[must_use]
    pub fn suite(&self) -> Option<Suite> {
        match self {
            Security::Plain | Security::Handshake(_) => None,
            Security::Keys(keys) => Some(keys.suite),
        }
    }

    /// The word for it: the suite's name where it is known before a packet flows; `None` in clear.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Security::Plain => None,
            Security::Keys(keys) => Some(keys.suite.name()),
            Security::Handshake(_) => Some("DTLS-SRTP"),
        }
    }
}

/// Chance that keys are made of. It never shows itself.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyChance(pub [u8; 32]);

impl KeyChance {
    /// Chance of its own for a name that is used once.
    #[must_use]
    pub fn for_one(&self, name: &[u8]) -> KeyChance {
        KeyChance(self.block(&[name]))
    }

    /// A master key for a name; the same name gives the same key.
    #[must_use]
    pub fn key(&self, suite: Suite, name: &[u8]) -> MasterKey {
        let mut bytes = [0; 2 * 32];
        bytes[..32].copy_from_slice(&self.block(&[&[0], name]));
        bytes[32..].copy_from_slice(&self.block(&[&[1], name]));
        MasterKey::new(suite, &bytes[..suite.key_bytes() + suite.salt_bytes()]).expect("as many bytes as the suite takes")
    }

    fn block(&self, name: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        name.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for KeyChance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyChance(kept secret)")
    }
}

/// What is at the far end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Far {
    /// A telephone or an exchange, which takes many ways.
    #[default]
    Telephone,
    /// A browser, which takes one only: a handshake, where it has asked its way (RFC 8827 §6.5).
    Browser,
}

/// How the sound of a leg is to be protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Protection {
    /// What is wished.
    pub srtp: Srtp,
    /// Whether keys may be told to this peer in a description.
    pub keys: KeysInSdp,
    /// What they are made of.
    pub chance: KeyChance,
    /// Our certificate in handshakes; without it there are none.
    pub fingerprint: Option<Fingerprint>,
    /// Who is to take it.
    pub far: Far,
}

impl Protection {
    /// Can an offer of ours say what is wished? Where ciphering is required, keys may be told or a handshake can agree on them.
    #[must_use]
    pub fn can_be_offered(&self) -> bool {
        self.srtp != Srtp::Required || self.keys == KeysInSdp::Written || self.fingerprint.is_some()
    }

    /// What a far end is offered that refused the description itself (415, 488, 606): many take one profile only. Never sound in clear
    /// where ciphering is required, and never keys where none may be told.
    #[must_use]
    pub fn otherwise(&self) -> Option<Protection> {
        let told = self.keys == KeysInSdp::Written;
        let far = if self.fingerprint.is_some() { self.far } else { Far::Telephone };
        match (self.srtp, far) {
            (Srtp::Off, _) => None,
            (Srtp::Offered, Far::Telephone) => told.then_some(Protection { srtp: Srtp::Required, ..*self }),
            // Not everything that speaks SIP over WebSocket is a browser.
            (Srtp::Offered, Far::Browser) => Some(Protection { far: Far::Telephone, ..*self }),
            (Srtp::Required, Far::Browser) => told.then_some(Protection { far: Far::Telephone, ..*self }),
            (Srtp::Required, Far::Telephone) => {
                (told && self.fingerprint.is_some()).then_some(Protection { keys: KeysInSdp::Withheld, ..*self })
            }
        }
    }
}

/// What the whole center wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProtectionRules {
    /// Of phones and trunks that say nothing else.
    pub srtp: Srtp,
    /// Over signalling in clear.
    pub over_plain_sip: KeysInSdp,
    /// What all keys are made of: chance from the edge at the start.
    pub chance: KeyChance,
    /// Our certificate in handshakes, made by the edge at the start.
    pub fingerprint: Option<Fingerprint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s80_no_key_shows_itself() {
        let chance = KeyChance([0x5A; 32]);
        let key = chance.key(Suite::Aes128Gcm, b"x");
        let keys = SrtpKeys { suite: Suite::Aes128Gcm, ours: key.clone(), theirs: key };
        let shown = format!("{:?} {:?}", Security::Keys(Arc::new(keys)), Protection { chance, ..Protection::default() });
        assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
        assert!(shown.contains("kept secret"));
    }

    #[test]
    fn s80_who_refuses_one_profile_is_offered_the_other_that_policy_allows() {
        use Far::{Browser, Telephone};
        use KeysInSdp::{Withheld, Written};
        use Srtp::{Off, Offered, Required};
        // What was offered first stands behind it: C in clear, K with keys, H by a handshake.
        let table = [
            ((Off, Telephone, Written), None),
            ((Off, Browser, Written), None),
            ((Offered, Telephone, Withheld), None), // C, and nothing else is allowed
            ((Offered, Telephone, Written), Some((Required, Telephone, Written))), // C, K
            ((Offered, Browser, Written), Some((Offered, Telephone, Written))), // H, C
            ((Offered, Browser, Withheld), Some((Offered, Telephone, Withheld))), // H, C
            ((Required, Telephone, Withheld), None), // H
            ((Required, Telephone, Written), Some((Required, Telephone, Withheld))), // K, H
            ((Required, Browser, Withheld), None),  // H
            ((Required, Browser, Written), Some((Required, Telephone, Written))), // H, K
        ];
        for ((srtp, far, keys), other) in table {
            let first = Protection { srtp, keys, far, fingerprint: Some(Fingerprint([1; 32])), ..Protection::default() };
            let second = first.otherwise();
            assert_eq!(second.map(|it| (it.srtp, it.far, it.keys)), other, "{first:?}");
            let harmless = |it: Protection| (srtp != Required || it.srtp == Required) && (keys == Written || it.keys == Withheld);
            assert!(second.is_none_or(harmless), "{first:?}");
        }
        let bare = Protection { srtp: Required, keys: Written, ..Protection::default() };
        assert_eq!(bare.otherwise(), None, "without a certificate there is no handshake");
        let bare = Protection { srtp: Offered, keys: Withheld, far: Browser, ..Protection::default() };
        assert_eq!(bare.otherwise(), None, "it was offered as a telephone is");
    }

    #[test]
    fn fingerprints_are_read_as_they_are_written() {
        let one = Fingerprint(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(one.to_string().to_lowercase().parse(), Ok(one));
        for bad in ["", "AB", "AB:CD", &format!("{one}:00"), &one.to_string().replacen('0', "+", 1)[..], &one.to_string()[1..]] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_differ_by_name_and_fit_their_suite() {
        let chance = KeyChance([1; 32]);
        for suite in Suite::ALL {
            let (one, other) = (chance.key(suite, b"1"), chance.key(suite, b"2"));
            assert_ne!(one, other);
            assert_eq!(one.as_bytes().len(), suite.key_bytes() + suite.salt_bytes());
            assert_eq!(Suite::of_name(suite.name()), Some(suite));
            assert_eq!(MasterKey::new(suite, &one.as_bytes()[1..]), None);
        }
        assert_ne!(chance.for_one(b"a"), chance.for_one(b"b"));
    }
}

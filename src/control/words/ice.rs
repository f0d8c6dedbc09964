//! How a peer that cannot be written to before it has asked finds the way to us (ICE, RFC 8445). We are the lite side: it asks on
//! every way it sees, and chooses one.

use std::fmt;

use super::srtp::KeyChance;

const NAME: usize = 8;
const PASSWORD: usize = 24;
/// Of these a name and a password are made (RFC 8839 §5.4): six bits a letter.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// By what our side of a session is known to those who ask, and on whose word. It never shows itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ice {
    name: [u8; NAME],
    password: [u8; PASSWORD],
    theirs: Theirs,
}

/// The peer's own name and password, as far as they must be known again: new ones mean that it begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Theirs(u64);

impl Theirs {
    /// Of these.
    #[must_use]
    pub fn of(chance: &KeyChance, name: &str, password: &str) -> Theirs {
        let KeyChance(mark) = chance.for_one(format!("{name} {password}").as_bytes());
        Theirs(u64::from_be_bytes(std::array::from_fn(|at| mark[at])))
    }
}

impl Ice {
    /// A name and a password for what is called so; the same is called the same.
    #[must_use]
    pub fn new(chance: &KeyChance, called: &[u8], theirs: Theirs) -> Ice {
        let KeyChance(bits) = chance.for_one(called);
        let letter = |at: usize| LETTERS[usize::from(bits[at]) % LETTERS.len()];
        Ice { name: std::array::from_fn(letter), password: std::array::from_fn(|at| letter(NAME + at)), theirs }
    }

    /// `a=ice-ufrag`.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name).expect("made of letters")
    }

    /// `a=ice-pwd`.
    #[must_use]
    pub fn password(&self) -> &str {
        std::str::from_utf8(&self.password).expect("made of letters")
    }

    /// With whom it was agreed.
    #[must_use]
    pub fn theirs(&self) -> Theirs {
        self.theirs
    }

    /// Agreed with this one.
    #[must_use]
    pub fn with(self, theirs: Theirs) -> Ice {
        Ice { theirs, ..self }
    }
}

impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ice({}, the password kept secret)", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_long_enough_differ_and_are_not_shown() {
        let chance = KeyChance([9; 32]);
        let (one, other) = (Ice::new(&chance, b"1", Theirs::default()), Ice::new(&chance, b"2", Theirs::default()));
        // RFC 8839 §5.4: 24 bits and 128 bits of chance.
        assert!(6 * one.name().len() >= 24 && 6 * one.password().len() >= 128);
        assert!(one.name() != other.name() && one.password() != other.password() && one == Ice::new(&chance, b"1", Theirs::default()));
        assert!(!format!("{one:?}").contains(one.password()));
        assert_ne!(Theirs::of(&chance, "ab", "c"), Theirs::of(&chance, "a", "bc"));
    }
}

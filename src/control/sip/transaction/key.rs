//! Which message belongs to which transaction (RFC 3261 §17.1.3, §17.2.3), as a keyed fingerprint of 128 bits.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::control::sip::message::{Message, Method};

/// A transaction's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u128);

impl Key {
    /// A tag that is the same whenever the request comes again, and that nobody else can guess.
    #[must_use]
    pub fn tag(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or_default()
    }
}

/// Begins every branch made after RFC 2543.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// Makes keys; the salt keeps peers from choosing keys that meet.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    salt: u64,
}

impl Keys {
    /// Keys of one endpoint.
    #[must_use]
    pub fn new(salt: u64) -> Keys {
        Keys { salt }
    }

    /// The key of a request's server transaction; an ACK has the key of its INVITE.
    #[must_use]
    pub fn server(&self, request: &Message) -> Key {
        let method = if request.method() == Method::Ack { Method::Invite.token().as_bytes() } else { request.method_token() };
        self.server_as(request, method)
    }

    /// The key of the INVITE that a CANCEL is about.
    #[must_use]
    pub fn cancelled(&self, cancel: &Message) -> Key {
        self.server_as(cancel, Method::Invite.token().as_bytes())
    }

    fn server_as(&self, request: &Message, method: &[u8]) -> Key {
        let Some(via) = request.via() else { return Key(0) };
        let port = via.port.unwrap_or(0).to_be_bytes();
        match via.branch().filter(|branch| has_cookie(branch)) {
            Some(branch) => self.fingerprint(&[b"server", branch, via.host, &port, method]),
            None => self.server_of_rfc2543(request, method),
        }
    }

    /// Without a branch to trust: URI, From tag, Call-ID, CSeq number and the top Via make the match.
    fn server_of_rfc2543(&self, request: &Message, method: &[u8]) -> Key {
        let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        let from = request.from().and_then(|from| from.tag()).unwrap_or_default();
        let via = request.values(crate::control::sip::message::Name::Via).next().unwrap_or_default();
        self.fingerprint(&[b"old", request.request_uri(), from, request.call_id(), &number, via, method])
    }

    /// The key of one of our requests.
    #[must_use]
    pub fn client(&self, branch: &str, method: Method) -> Key {
        self.fingerprint(&[b"client", branch.as_bytes(), method.token().as_bytes()])
    }

    /// The key of the request that a response answers.
    #[must_use]
    pub fn response(&self, response: &Message) -> Option<Key> {
        let via = response.via()?;
        let cseq = response.cseq()?;
        Some(self.fingerprint(&[b"client", via.branch()?, cseq.token]))
    }

    /// What merged requests have in common (RFC 3261 §8.2.2.2).
    #[must_use]
    pub fn merge(&self, request: &Message) -> u64 {
        let cseq = request.cseq();
        let number = cseq.map_or(0, |cseq| cseq.number).to_be_bytes();
        let from = request.from().and_then(|from| from.tag()).unwrap_or_default();
        self.short(&[b"merge", request.call_id(), from, &number, cseq.map_or(b"", |cseq| cseq.token)])
    }

    /// A number for a user's name.
    #[must_use]
    pub fn user(&self, name: &str) -> u64 {
        self.short(&[b"user", name.as_bytes()])
    }

    fn short(&self, parts: &[&[u8]]) -> u64 {
        let Key(wide) = self.fingerprint(parts);
        (wide >> 64) as u64
    }

    fn fingerprint(&self, parts: &[&[u8]]) -> Key {
        let half = |side: u64| {
            let mut hasher = DefaultHasher::new();
            (self.salt, side, parts).hash(&mut hasher);
            hasher.finish()
        };
        Key((u128::from(half(0)) << 64) | u128::from(half(1)))
    }
}

/// Was the branch made by RFC 3261's rules? The bare cookie alone tells nothing (RFC 4475 §3.2.1).
fn has_cookie(branch: &[u8]) -> bool {
    let cookie = MAGIC_COOKIE.as_bytes();
    branch.len() > cookie.len() && branch[..cookie.len()].eq_ignore_ascii_case(cookie)
}

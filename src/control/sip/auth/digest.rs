//! The arithmetic of digests and the reading of their header.

use crate::control::sip::message::text;
use crate::control::words::directory::Ha1;

/// The hash function of a challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// RFC 2617; what every phone speaks.
    Md5,
    /// RFC 8760.
    Sha256,
}

impl Algorithm {
    /// Its token.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of a parameter; none given means MD5. `None`: not ours (`-sess`, SHA-512-256).
    #[must_use]
    pub fn of(token: Option<&[u8]>) -> Option<Algorithm> {
        match token {
            None => Some(Algorithm::Md5),
            Some(token) if token.eq_ignore_ascii_case(b"MD5") => Some(Algorithm::Md5),
            Some(token) if token.eq_ignore_ascii_case(b"SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        }
    }

    /// H of the parts with ':' between them, in hex.
    #[must_use]
    pub fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Md5 => hex::encode(joined::<md5::Md5>(parts)),
            Algorithm::Sha256 => hex::encode(joined::<sha2::Sha256>(parts)),
        }
    }

    /// H(A1) of a user and his password.
    #[must_use]
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()])
    }

    /// The kept H(A1).
    #[must_use]
    pub fn kept(self, ha1: &Ha1) -> &str {
        match self {
            Algorithm::Md5 => &ha1.md5,
            Algorithm::Sha256 => &ha1.sha256,
        }
    }
}

fn joined<H: md5::Digest>(parts: &[&[u8]]) -> impl AsRef<[u8]> + use<H> {
    let mut hash = H::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash.finalize()
}

impl Ha1 {
    /// Both secrets of a user.
    #[must_use]
    pub fn of_password(user: &str, realm: &str, password: &str) -> Ha1 {
        Ha1 { md5: Algorithm::Md5.ha1(user, realm, password), sha256: Algorithm::Sha256.ha1(user, realm, password) }
    }
}

/// What a response is computed over, besides the secret.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The request's method.
    pub method: &'a [u8],
    /// The digest URI.
    pub uri: &'a [u8],
    /// The nonce.
    pub nonce: &'a [u8],
    /// nc and cnonce with qop=auth; `None` = RFC 2069 form.
    pub auth: Option<(&'a [u8], &'a [u8])>,
}

impl Question<'_> {
    /// The response in hex (RFC 7616 §3.4.1).
    #[must_use]
    pub fn response(&self, algorithm: Algorithm, ha1: &str) -> String {
        let ha2 = algorithm.hash(&[self.method, self.uri]);
        match self.auth {
            Some((nc, cnonce)) => algorithm.hash(&[ha1.as_bytes(), self.nonce, nc, cnonce, b"auth", ha2.as_bytes()]),
            None => algorithm.hash(&[ha1.as_bytes(), self.nonce, ha2.as_bytes()]),
        }
    }
}

/// A `Digest …` header value, its parameters read by name.
#[derive(Debug, Clone, Copy)]
pub struct Digest<'a>(&'a [u8]);

impl<'a> Digest<'a> {
    /// `None` when the scheme is another (RFC 4475 §3.3.7).
    #[must_use]
    pub fn of(value: &'a [u8]) -> Option<Digest<'a>> {
        let (scheme, rest) = text::token(text::trim(value));
        scheme.eq_ignore_ascii_case(b"Digest").then_some(Digest(rest))
    }

    /// A parameter's raw text, quotes kept.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        text::commas(self.0).find_map(|pair| {
            let at = memchr::memchr(b'=', pair)?;
            text::trim(&pair[..at]).eq_ignore_ascii_case(name.as_bytes()).then(|| text::trim(&pair[at + 1..]))
        })
    }

    /// A parameter without its quotes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
        self.raw(name).map(text::unquote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_2617() {
        let ha1 = Algorithm::Md5.ha1("Mufasa", "testrealm@host.com", "Circle Of Life");
        let nonce = b"dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let question = Question { method: b"GET", uri: b"/dir/index.html", nonce, auth: Some((b"00000001", b"0a4f113b")) };
        assert_eq!(question.response(Algorithm::Md5, &ha1), "6629fae49393a05397450978507c4ef1");
        let question = Question { auth: None, ..question };
        assert_eq!(question.response(Algorithm::Md5, &ha1), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn the_vectors_of_rfc_7616() {
        let (nonce, cnonce) = (b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        let question = Question { method: b"GET", uri: b"/dir/index.html", nonce, auth: Some((b"00000001", cnonce)) };
        let response =
            |algorithm: Algorithm| question.response(algorithm, &algorithm.ha1("Mufasa", "http-auth@example.org", "Circle of Life"));
        assert_eq!(response(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(response(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn parameters_come_with_and_without_quotes() {
        let digest = Digest::of(b"Digest username=\"a,b\" , qop=auth,nc=00000001").unwrap();
        assert_eq!(digest.param("username").as_deref(), Some(&b"a,b"[..]));
        assert_eq!(digest.param("QOP").as_deref(), Some(&b"auth"[..]));
        assert!(digest.param("nonce").is_none());
        assert!(Digest::of(b"NoOneKnowsThisScheme opaque=1").is_none());
    }
}

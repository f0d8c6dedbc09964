//! The proving side.

use super::digest::{Algorithm, Digest, Question};
use crate::control::sip::message::{Message, Name, text};

/// A challenge to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// Given back as it came.
    pub opaque: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Does the peer know qop=auth?
    pub qop: Qop,
    /// Only the nonce was too old; the password was right.
    pub stale: Staleness,
}

/// The quality of protection a challenge offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    /// RFC 2069.
    None,
    /// With nc and cnonce.
    Auth,
}

/// Whether a repeated challenge is worth a second try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// The nonce is new to us or the proof was wrong.
    Fresh,
    /// `stale=true`.
    Stale,
}

impl Challenge {
    /// Reads one challenge; `None` when its scheme, algorithm or qop is none of ours.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Challenge> {
        let digest = Digest::of(value)?;
        let text_of = |name: &str| digest.param(name).map(|value| text::lossy(&value).into_owned());
        let qop = match digest.param("qop") {
            None => Qop::None,
            Some(offered) if text::commas(&offered).any(|one| one.eq_ignore_ascii_case(b"auth")) => Qop::Auth,
            Some(_) => return None,
        };
        let stale = digest.param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"));
        Some(Challenge {
            realm: text_of("realm")?,
            nonce: text_of("nonce")?,
            opaque: text_of("opaque"),
            algorithm: Algorithm::of(digest.param("algorithm").as_deref())?,
            qop,
            stale: if stale { Staleness::Stale } else { Staleness::Fresh },
        })
    }

    /// The first challenge of a 401 or 407 that we can meet, and the header that meets it.
    #[must_use]
    pub fn of_response(response: &Message) -> Option<(Challenge, Name)> {
        let in_header =
            |asked: Name, answered: Name| response.headers(asked).find_map(Challenge::read).map(|challenge| (challenge, answered));
        match response.status() {
            401 => in_header(Name::WwwAuthenticate, Name::Authorization),
            407 => in_header(Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => None,
        }
    }
}

/// What we prove, with what.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The user.
    pub user: &'a str,
    /// His password.
    pub password: &'a str,
    /// The request's method.
    pub method: &'a [u8],
    /// The request URI.
    pub uri: &'a [u8],
    /// How often this nonce was used, this time included.
    pub count: u32,
    /// Our chance.
    pub cnonce: &'a str,
}

impl Proof<'_> {
    /// The value of Authorization or Proxy-Authorization.
    #[must_use]
    pub fn answer(&self, challenge: &Challenge) -> String {
        let algorithm = challenge.algorithm;
        let ha1 = algorithm.ha1(self.user, &challenge.realm, self.password);
        let nc = format!("{:08x}", self.count);
        let auth = (challenge.qop == Qop::Auth).then_some((nc.as_bytes(), self.cnonce.as_bytes()));
        let question = Question { method: self.method, uri: self.uri, nonce: challenge.nonce.as_bytes(), auth };
        let response = question.response(algorithm, &ha1);
        let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\", algorithm={}",
            quote(self.user),
            quote(&challenge.realm),
            quote(&challenge.nonce),
            text::lossy(self.uri),
            algorithm.token(),
        );
        if auth.is_some() {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{}\"", self.cnonce));
        }
        if let Some(opaque) = &challenge.opaque {
            value.push_str(&format!(", opaque=\"{}\"", quote(opaque)));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_without_qop_is_met_in_the_old_form() {
        let challenge =
            Challenge::read(b"Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5c\"").unwrap();
        let proof = Proof { user: "Mufasa", password: "Circle Of Life", method: b"GET", uri: b"/dir/index.html", count: 1, cnonce: "x" };
        let answer = proof.answer(&challenge);
        assert!(answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""));
        assert!(answer.ends_with(", opaque=\"5c\"") && !answer.contains("qop"));
    }

    /// RFC 7616 §3.9.1, in the order in which the RFC's server sends them.
    const TWO: &str = "SIP/2.0 401 X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 GET\r\n\
        WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n\
        WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n\r\n";

    fn met(response: &str) -> String {
        let response = Message::parse(bytes::Bytes::from(response.to_owned())).unwrap();
        let (challenge, header) = Challenge::of_response(&response).unwrap();
        assert_eq!(header, Name::Authorization);
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let proof = Proof { user: "Mufasa", password: "Circle of Life", method: b"GET", uri: b"/dir/index.html", count: 1, cnonce };
        proof.answer(&challenge)
    }

    #[test]
    fn the_whole_exchange_of_rfc_7616_is_met_by_the_first_algorithm_we_know() {
        let strong = met(TWO);
        for part in [
            "username=\"Mufasa\"",
            "algorithm=SHA-256",
            "nc=00000001",
            "qop=auth",
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        ] {
            assert!(strong.contains(part), "{part}\n{strong}");
        }
        // RFC 8760 §2.4: what we do not know is passed over, and the server's order decides.
        let unknown_first = met(&TWO.replace("algorithm=SHA-256", "algorithm=SHA-512-256"));
        assert!(unknown_first.contains("algorithm=MD5") && unknown_first.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""));
    }

    #[test]
    fn a_challenge_we_cannot_meet_is_left_alone() {
        assert_eq!(Challenge::read(b"Digest realm=\"a\", nonce=\"b\", algorithm=SHA-512-256"), None);
        assert_eq!(Challenge::read(b"Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\""), None);
        assert_eq!(Challenge::read(b"Basic realm=\"a\""), None);
    }
}

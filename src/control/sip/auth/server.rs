//! The challenging side: stateless nonces with a life, replays seen by nc in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

use super::digest::{Algorithm, Digest, Question};
use crate::control::sip::message::{Message, Name, text};
use crate::control::time::Time;
use crate::control::words::directory::Ha1;

/// How long a nonce is good; after it the phone is told `stale=true` and asks nobody for the password again.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces whose use is remembered; above it the oldest give way and count as stale.
const MAX_NONCES: usize = 20_000;

/// What a request's Authorization is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// This user proved himself.
    Proved(String),
    /// No credentials for our realm: challenge.
    Absent,
    /// Right or wrong cannot be said: the nonce is too old or was used up. Challenge with `stale=true`.
    Stale,
    /// The proof is wrong or the user, who is named, is unknown.
    Wrong(String),
    /// The header cannot be read: 400 with this reason.
    Broken(&'static str),
}

/// Remembers which counts of a nonce were used. A nonce is `time-chance-seal`, so an unknown one needs no memory.
#[derive(Debug, Default)]
pub struct Nonces {
    used: BTreeMap<(u64, u64), u32>,
    floor: u64,
}

impl Nonces {
    /// True when `count` of the nonce was not used before.
    fn take(&mut self, nonce: (u64, u64), count: u32, now: Time) -> bool {
        let oldest = now.millis().saturating_sub(u64::try_from(NONCE_LIFE.as_millis()).unwrap_or(u64::MAX));
        self.used = if self.used.first_key_value().is_some_and(|((made, _), _)| *made < oldest) {
            self.used.split_off(&(oldest, 0))
        } else {
            std::mem::take(&mut self.used)
        };
        while self.used.len() >= MAX_NONCES
            && let Some(((made, _), _)) = self.used.pop_first()
        {
            self.floor = self.floor.max(made + 1);
        }
        if nonce.0 < self.floor {
            return false;
        }
        let last = self.used.entry(nonce).or_insert(0);
        let fresh = count > *last;
        *last = count.max(*last);
        fresh
    }
}

/// The challenging side for one look at a request.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// The realm.
    pub realm: &'a str,
    /// The salt of nonces.
    pub secret: u64,
    /// The time.
    pub now: Time,
}

impl Server<'_> {
    /// A fresh nonce.
    #[must_use]
    pub fn nonce(&self, chance: u64) -> String {
        let made = self.now.millis();
        format!("{made:012x}{chance:016x}{}", self.seal(made, chance))
    }

    fn seal(&self, made: u64, chance: u64) -> String {
        let sum = Algorithm::Sha256.hash(&[&self.secret.to_be_bytes(), &made.to_be_bytes(), &chance.to_be_bytes(), self.realm.as_bytes()]);
        sum[..16].to_owned()
    }

    /// When a nonce of ours was made, and its chance; `None` = not ours.
    fn open(&self, nonce: &[u8]) -> Option<(u64, u64)> {
        let nonce = std::str::from_utf8(nonce).ok().filter(|nonce| nonce.len() == 44 && nonce.is_ascii())?;
        let made = u64::from_str_radix(&nonce[..12], 16).ok()?;
        let chance = u64::from_str_radix(&nonce[12..28], 16).ok()?;
        (self.seal(made, chance) == nonce[28..]).then_some((made, chance))
    }

    /// Judges the credentials in `header` (Authorization or Proxy-Authorization).
    pub fn judge(&self, request: &Message, header: Name, users: &BTreeMap<String, Ha1>, nonces: &mut Nonces) -> Verdict {
        let ours = |digest: &Digest<'_>| digest.param("realm").is_some_and(|realm| realm.as_ref() == self.realm.as_bytes());
        let Some(digest) = request.headers(header).filter_map(Digest::of).find(ours) else { return Verdict::Absent };
        match Claim::read(&digest) {
            Err(why) => Verdict::Broken(why),
            Ok(claim) => self.judge_claim(request, &claim, users, nonces),
        }
    }

    fn judge_claim(&self, request: &Message, claim: &Claim, users: &BTreeMap<String, Ha1>, nonces: &mut Nonces) -> Verdict {
        let Some(nonce) = self.open(&claim.nonce) else { return Verdict::Stale };
        let Some(ha1) = users.get(&claim.user) else { return Verdict::Wrong(claim.user.clone()) };
        let kept = claim.algorithm.kept(ha1);
        let question = Question {
            method: request.method_token(),
            uri: &claim.uri,
            nonce: &claim.nonce,
            auth: claim.auth.as_ref().map(|(nc, cnonce)| (nc.as_slice(), cnonce.as_slice())),
        };
        if kept.is_empty() || !same(question.response(claim.algorithm, kept).as_bytes(), &claim.response.to_ascii_lowercase()) {
            return Verdict::Wrong(claim.user.clone());
        }
        let age = self.now.millis().saturating_sub(nonce.0);
        let alive = u128::from(age) <= NONCE_LIFE.as_millis();
        match alive && nonces.take(nonce, claim.count, self.now) {
            true => Verdict::Proved(claim.user.clone()),
            false => Verdict::Stale,
        }
    }
}

/// Compares in a time that does not tell where the first difference is.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Credentials, read.
struct Claim {
    user: String,
    uri: Vec<u8>,
    nonce: Vec<u8>,
    response: Vec<u8>,
    algorithm: Algorithm,
    auth: Option<(Vec<u8>, Vec<u8>)>,
    count: u32,
}

impl Claim {
    fn read(digest: &Digest<'_>) -> Result<Claim, &'static str> {
        let need = |name: &str, why: &'static str| digest.param(name).map(std::borrow::Cow::into_owned).ok_or(why);
        let auth = match digest.param("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case(b"auth") => {
                Some((need("nc", "Authorization: nc is missing")?, need("cnonce", "Authorization: cnonce is missing")?))
            }
            Some(_) => return Err("Authorization: qop is not auth"),
        };
        // Without qop nothing counts the uses, so that a nonce is good once.
        let count = auth.as_ref().map_or(Ok(1), |(nc, _)| {
            std::str::from_utf8(nc).ok().and_then(|nc| u32::from_str_radix(nc, 16).ok()).ok_or("Authorization: nc is no hex number")
        })?;
        Ok(Claim {
            user: text::lossy(&need("username", "Authorization: username is missing")?).into_owned(),
            uri: need("uri", "Authorization: uri is missing")?,
            nonce: need("nonce", "Authorization: nonce is missing")?,
            response: need("response", "Authorization: response is missing")?,
            algorithm: Algorithm::of(digest.raw("algorithm").map(text::unquote).as_deref()).ok_or("Authorization: unknown algorithm")?,
            auth,
            count,
        })
    }
}

/// The challenge values, the stronger algorithm first (RFC 8760 §2.2).
#[must_use]
pub fn challenges(realm: &str, nonce: &str, verdict: &Verdict) -> [String; 2] {
    let stale = if *verdict == Verdict::Stale { ", stale=true" } else { "" };
    [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| {
        let realm = realm.replace(['"', '\\'], "");
        format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={}{stale}", algorithm.token())
    })
}

#[cfg(test)]
mod tests {
    use super::super::client::{Challenge, Proof};
    use super::*;
    use bytes::Bytes;

    const START: Time = Time(1_000_000_000_000);

    fn server(now: Time) -> Server<'static> {
        Server { realm: "center", secret: 42, now }
    }

    fn wrong(user: &str) -> Verdict {
        Verdict::Wrong(user.to_owned())
    }

    fn users() -> BTreeMap<String, Ha1> {
        BTreeMap::from([("anna".to_owned(), Ha1::of_password("anna", "center", "secret"))])
    }

    fn request(authorization: &str) -> Message {
        let text = format!(
            "REGISTER sip:center SIP/2.0\r\nVia: SIP/2.0/UDP p\r\nFrom: <sip:anna@center>;tag=1\r\nTo: <sip:anna@center>\r\nCall-ID: c\r\n\
             CSeq: 1 REGISTER\r\nAuthorization: {authorization}\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn proof(user: &str, password: &str, nonce: &str, which: usize, count: u32) -> Message {
        let challenge = &challenges("center", nonce, &Verdict::Absent)[which];
        let challenge = Challenge::read(challenge.as_bytes()).unwrap();
        request(&Proof { user, password, method: b"REGISTER", uri: b"sip:center", count, cnonce: "abc" }.answer(&challenge))
    }

    fn judge(request: &Message, now: Time, nonces: &mut Nonces) -> Verdict {
        server(now).judge(request, Name::Authorization, &users(), nonces)
    }

    #[test]
    fn both_algorithms_prove_and_a_wrong_password_does_not() {
        for which in [0, 1] {
            let mut nonces = Nonces::default();
            let nonce = server(START).nonce(which as u64);
            let proved = Verdict::Proved("anna".to_owned());
            assert_eq!(judge(&proof("anna", "secret", &nonce, which, 1), START, &mut nonces), proved);
            assert_eq!(judge(&proof("anna", "secreT", &nonce, which, 2), START, &mut nonces), wrong("anna"));
            assert_eq!(judge(&proof("nobody", "secret", &nonce, which, 2), START, &mut nonces), wrong("nobody"));
        }
    }

    #[test]
    fn a_count_is_good_once_and_an_old_or_foreign_nonce_is_stale() {
        let mut nonces = Nonces::default();
        let nonce = server(START).nonce(1);
        assert!(matches!(judge(&proof("anna", "secret", &nonce, 1, 1), START, &mut nonces), Verdict::Proved(_)));
        assert_eq!(judge(&proof("anna", "secret", &nonce, 1, 1), START, &mut nonces), Verdict::Stale);
        assert!(matches!(judge(&proof("anna", "secret", &nonce, 1, 2), START, &mut nonces), Verdict::Proved(_)));
        assert_eq!(judge(&proof("anna", "secret", &nonce, 1, 3), START + Duration::from_secs(301), &mut nonces), Verdict::Stale);
        let foreign = Server { secret: 43, ..server(START) }.nonce(1);
        assert_eq!(judge(&proof("anna", "secret", &foreign, 1, 1), START, &mut nonces), Verdict::Stale);
    }

    #[test]
    fn counts_go_up_and_a_replay_or_an_overtaken_one_is_stale() {
        let mut nonces = Nonces::default();
        let nonce = server(START).nonce(1);
        for (count, fresh) in [(1, true), (2, true), (2, false), (1, false), (9, true), (5, false), (9, false), (10, true)] {
            let verdict = judge(&proof("anna", "secret", &nonce, 1, count), START, &mut nonces);
            assert_eq!(verdict, if fresh { Verdict::Proved("anna".to_owned()) } else { Verdict::Stale }, "nc={count}");
        }
        // Another nonce counts by itself.
        let other = server(START).nonce(2);
        assert!(matches!(judge(&proof("anna", "secret", &other, 1, 1), START, &mut nonces), Verdict::Proved(_)));
    }

    #[test]
    fn a_nonce_lives_five_minutes_to_the_millisecond() {
        for (age, alive) in [(0, true), (299_999, true), (300_000, true), (300_001, false), (86_400_000, false)] {
            let mut nonces = Nonces::default();
            let nonce = server(START).nonce(1);
            let verdict = judge(&proof("anna", "secret", &nonce, 0, 1), START + Duration::from_millis(age), &mut nonces);
            assert_eq!(verdict == Verdict::Proved("anna".to_owned()), alive, "{age} ms: {verdict:?}");
        }
    }

    #[test]
    fn a_wrong_password_does_not_use_the_count_up_and_is_never_called_stale() {
        let mut nonces = Nonces::default();
        let nonce = server(START).nonce(1);
        assert_eq!(judge(&proof("anna", "guess", &nonce, 1, 1), START, &mut nonces), wrong("anna"));
        assert!(matches!(judge(&proof("anna", "secret", &nonce, 1, 1), START, &mut nonces), Verdict::Proved(_)));
        // An old nonce with a wrong password: the password is what is wrong.
        let late = START + Duration::from_secs(400);
        assert_eq!(judge(&proof("anna", "guess", &nonce, 1, 2), late, &mut nonces), wrong("anna"));
        let [strong, _] = challenges("center", "n", &Verdict::Stale);
        assert!(strong.ends_with(", stale=true") && !challenges("center", "n", &Verdict::Absent)[0].contains("stale"));
    }

    #[test]
    fn a_proof_for_another_method_or_with_a_changed_field_is_wrong() {
        let mut nonces = Nonces::default();
        let nonce = server(START).nonce(1);
        let good = String::from_utf8(proof("anna", "secret", &nonce, 1, 1).header(Name::Authorization).unwrap().to_vec()).unwrap();
        for (from, to) in
            [("nc=00000001", "nc=00000002"), ("cnonce=\"abc\"", "cnonce=\"abd\""), ("uri=\"sip:center\"", "uri=\"sip:other\"")]
        {
            assert!(good.contains(from), "{good}");
            assert_eq!(judge(&request(&good.replace(from, to)), START, &mut nonces), wrong("anna"), "{from} → {to}");
        }
        let changed = format!("{}7{}", &nonce[..20], &nonce[21..]);
        assert_ne!(changed, nonce);
        assert_eq!(judge(&request(&good.replace(&nonce, &changed)), START, &mut nonces), Verdict::Stale, "not a nonce of ours");
        for (from, to, why) in [
            ("nc=00000001", "nc=xyz", "Authorization: nc is no hex number"),
            ("qop=auth", "qop=auth-int", "Authorization: qop is not auth"),
            ("algorithm=MD5", "algorithm=SHA-512-256", "Authorization: unknown algorithm"),
        ] {
            assert_eq!(judge(&request(&good.replace(from, to)), START, &mut nonces), Verdict::Broken(why), "{to}");
        }
    }

    #[test]
    fn memory_is_bounded_and_what_was_forgotten_is_stale() {
        let mut nonces = Nonces::default();
        for made in 0..MAX_NONCES as u64 + 10 {
            assert!(nonces.take((START.millis() + made / 1_000, made), 1, START));
        }
        assert!(nonces.used.len() <= MAX_NONCES);
        assert!(!nonces.take((START.millis(), 0), 2, START));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let mut nonces = Nonces::default();
        assert_eq!(judge(&request("NoOneKnowsThisScheme opaque=1"), START, &mut nonces), Verdict::Absent);
        assert_eq!(judge(&request("Digest realm=\"other\""), START, &mut nonces), Verdict::Absent);
        let broken = request("Digest realm=\"center\", username=\"anna\", uri=\"x\", nonce=\"y\"");
        assert_eq!(judge(&broken, START, &mut nonces), Verdict::Broken("Authorization: response is missing"));
    }
}

//! Certificates as files: ours is made at the first start when the operator has none; every one is read for its facts.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use crate::control::time::Time;

/// How long a certificate that we make is good. Those who pin its fingerprint should not have to do so often.
const OWN_VALIDITY: Duration = Duration::from_hours(5 * 365 * 24);
/// One of ours that ends within this is made anew.
pub const RENEWED_BEFORE: Duration = Duration::from_hours(30 * 24);
/// A clock that is a little slow must not refuse a fresh certificate.
const BACKDATED: Duration = Duration::from_hours(24);
/// Only the server's own user may read a key.
const PRIVATE: u32 = 0o600;
const SHARED: u32 = 0o644;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file cannot be read or has nothing of the kind in it.
    #[error("{}: {why}; it must be PEM with {wanted}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is expected.
        wanted: &'static str,
        /// What the reader said.
        why: String,
    },
    /// It cannot be written.
    #[error("{}: {why}; the server's user must be able to write there", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The generator failed.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// What people want to know of a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// From when it is good.
    pub not_before: Time,
    /// Until when.
    pub not_after: Time,
}

/// A chain and its key.
#[derive(Debug)]
pub struct Pair {
    /// Ours first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// When there is none in it.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let wanted = "at least one CERTIFICATE";
    let file = |why: String| CertificateError::File { path: path.to_owned(), wanted, why };
    let read = CertificateDer::pem_file_iter(path).map_err(|why| file(why.to_string()))?;
    let chain: Vec<_> = read.collect::<Result<_, _>>().map_err(|why| file(why.to_string()))?;
    if chain.is_empty() { Err(file("no certificate is in it".to_owned())) } else { Ok(chain) }
}

/// Reads a chain and its key.
///
/// # Errors
/// The file that cannot be used, and why.
pub fn pair(certificate: &Path, key: &Path) -> Result<Pair, CertificateError> {
    let wanted = "a PRIVATE KEY without a password";
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|why| CertificateError::File { path: key.to_owned(), wanted, why: why.to_string() })?;
    Ok(Pair { chain: chain(certificate)?, key })
}

/// The facts of the first certificate of a file.
///
/// # Errors
/// When there is none, or it is none of X.509.
pub fn facts(path: &Path) -> Result<Facts, CertificateError> {
    let chain = chain(path)?;
    facts_of(&chain[0]).ok_or_else(|| CertificateError::File {
        path: path.to_owned(),
        wanted: "an X.509 certificate",
        why: "its validity cannot be read".to_owned(),
    })
}

/// The facts of a certificate; `None` when it is none of X.509 (RFC 5280 §4.1).
#[must_use]
pub fn facts_of(der: &[u8]) -> Option<Facts> {
    let sum = Sha256::digest(der);
    let fingerprint = sum.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = element(rest, tag)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (not_before, rest) = moment(validity)?;
    let (not_after, _) = moment(rest)?;
    Some(Facts { fingerprint, not_before, not_after })
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// A length of more than 127 bytes says in how many bytes it stands.
const LONG_LENGTH: u8 = 0x80;

/// The content of the DER element at the front, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if first & LONG_LENGTH == 0 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & !LONG_LENGTH))?;
        let fits = digits.len() <= size_of::<u32>();
        (fits.then(|| digits.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte)))?, rest)
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

/// `260101120000Z` (years 1950 to 2049) or `20500101120000Z`.
fn moment(der: &[u8]) -> Option<(Time, &[u8])> {
    let (text, rest, century) = match (element(der, UTC_TIME), element(der, GENERALIZED_TIME)) {
        (Some((text, rest)), _) => (text, rest, if text.first()? >= &b'5' { "19" } else { "20" }),
        (None, Some((text, rest))) => (text, rest, ""),
        (None, None) => return None,
    };
    let text = format!("{century}{}", std::str::from_utf8(text).ok()?);
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((at.timestamp().into(), rest))
}

/// Makes a certificate for these names and addresses, signed by itself, unless a good one is there. True when it is new.
///
/// # Errors
/// When it cannot be made or written.
pub fn make_unless_good(certificate: &Path, key: &Path, names: &[String], now: Time) -> Result<bool, CertificateError> {
    let good = |facts: Facts| facts.not_after > now + RENEWED_BEFORE;
    if pair(certificate, key).is_ok() && facts(certificate).is_ok_and(good) {
        return Ok(false);
    }
    let mut params = rcgen::CertificateParams::new(names.to_vec())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, names.first().map_or("hotline", String::as_str));
    let date = |at: Time| {
        let day = jiff::Timestamp::from_millisecond(i64::try_from(at.millis()).unwrap_or(0)).unwrap_or_default();
        let day = day.to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    params.not_before = date(Time(now.0.saturating_sub(u64::try_from(BACKDATED.as_micros()).unwrap_or(0))));
    params.not_after = date(now + OWN_VALIDITY);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let pair = rcgen::KeyPair::generate()?;
    let signed = params.self_signed(&pair)?;
    write(key, &pair.serialize_pem(), PRIVATE)?;
    write(certificate, &signed.pem(), SHARED)?;
    Ok(true)
}

/// Written beside and moved over, so that a reader never sees half a file.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let beside = path.with_extension("new");
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        drop(std::fs::remove_file(&beside));
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?.write_all(text.as_bytes())?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|why| CertificateError::Write { path: path.to_owned(), why })
}

/// The names a certificate of ours must carry: how peers may call us.
#[must_use]
pub fn names(domain: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Vec<String> {
    let mut names = vec![domain.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    for address in addresses.into_iter().filter(|address| !address.is_unspecified()).map(|address| address.to_string()) {
        if !names.contains(&address) {
            names.push(address);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_certificate_is_made_once_and_anew_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("tls/certificate.pem"), folder.path().join("tls/key.pem"));
        let now = crate::clock::now();
        let names = names("center.example", ["192.0.2.1".parse().unwrap()]);
        assert!(make_unless_good(&certificate, &key, &names, now).unwrap());
        let first = facts(&certificate).unwrap();
        assert!(first.not_before <= now && first.not_after > now + Duration::from_hours(4 * 365 * 24));
        assert_eq!(first.fingerprint.len(), 32 * 3 - 1);
        assert!(!make_unless_good(&certificate, &key, &names, now).unwrap(), "a good one stays");
        assert!(make_unless_good(&certificate, &key, &names, now + OWN_VALIDITY).unwrap(), "one that ends is made anew");
        assert_ne!(facts(&certificate).unwrap().fingerprint, first.fingerprint);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).unwrap().permissions());
        assert_eq!(mode & 0o777, PRIVATE);
    }

    #[test]
    fn a_file_that_is_none_says_which_and_what_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.pem");
        let said = |path: &Path| facts(path).unwrap_err().to_string();
        assert!(said(&file).contains("x.pem"), "{}", said(&file));
        std::fs::write(&file, "hello").unwrap();
        assert!(said(&file).contains("no certificate is in it; it must be PEM with at least one CERTIFICATE"), "{}", said(&file));
        assert_eq!(facts_of(b"\x30\x82"), None);
    }
}

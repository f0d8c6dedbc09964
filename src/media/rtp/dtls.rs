//! The handshake that keys of a leg come from (RFC 5764), over the leg's own port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::RingProvider;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SecretVec};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use sha2::{Digest, Sha256};

use crate::control::words::srtp::{Fingerprint, Handshake, MasterKey, Setup, SrtpKeys, Suite};

/// First bytes of DTLS records (RFC 7983).
const RECORDS: std::ops::RangeInclusive<u8> = 20..=63;
/// The exporter's label (RFC 5764 §4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// So many sources may try to be the peer of one leg; only the one with the right certificate gets keys.
const MOST_SOURCES: usize = 4;
/// Who we say we are: nobody; the fingerprint counts.
const NAME: &str = "hotline";
/// A flight that was lost is sent again after this, doubled each time by the library (RFC 6347 §4.2.4.1).
const FLIGHT: Duration = Duration::from_millis(200);
const SUITES: [(SrtpProtectionProfile, Suite); 4] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, Suite::Aes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, Suite::Aes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, Suite::Aes128Sha80),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32, Suite::Aes128Sha32),
];

/// Is it a record of a handshake rather than sound?
#[must_use]
pub fn is_record(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| RECORDS.contains(first))
}

/// Our certificate for handshakes, made at the start.
pub struct Identity {
    /// What descriptions say of it.
    pub fingerprint: Fingerprint,
    server: Arc<HandshakeConfig>,
    client: Arc<HandshakeConfig>,
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate for DTLS-SRTP: {0}")]
pub struct NoIdentity(String);

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn make() -> Result<Identity, NoIdentity> {
        let told = |why: &dyn std::fmt::Display| NoIdentity(why.to_string());
        let provider = Arc::new(RingProvider::new());
        let certificate = Certificate::generate_self_signed(vec![NAME.to_owned()], provider.crypto()).map_err(|why| told(&why))?;
        let fingerprint = certificate.certificate.first().map(|der| sum(der.as_ref())).ok_or_else(|| told(&"it is empty"))?;
        let builder = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(SUITES.map(|(profile, _)| profile).to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Request)
            .with_flight_interval(FLIGHT)
            // No authority signs telephones' certificates: the fingerprint of the description is compared instead.
            .with_insecure_skip_verify(true);
        let build = |is_client| builder.clone().build(is_client, None).map(Arc::new).map_err(|why| told(&why));
        Ok(Identity { fingerprint, server: build(false)?, client: build(true)? })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

fn sum(der: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(der).into())
}

/// A handshake under way.
pub struct Handshaking {
    terms: Handshake,
    identity: Arc<Identity>,
    endpoint: Endpoint,
    anchor: Instant,
    sources: Vec<SocketAddr>,
    /// From where whom we asked answers, when that is another address.
    answers: Option<SocketAddr>,
}

impl std::fmt::Debug for Handshaking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handshaking({:?})", self.terms)
    }
}

impl Handshaking {
    /// On these terms; nothing is sent yet.
    #[must_use]
    pub fn new(terms: Handshake, identity: &Arc<Identity>) -> Handshaking {
        let server = (terms.role == Setup::Passive).then(|| Arc::clone(&identity.server));
        // The endpoint keeps its own address for its reports only.
        let endpoint = Endpoint::new(SocketAddr::from(([0, 0, 0, 0], 0)), Default::default(), server);
        Handshaking { terms, identity: Arc::clone(identity), endpoint, anchor: Instant::now(), sources: Vec::new(), answers: None }
    }

    /// On which terms?
    #[must_use]
    pub fn terms(&self) -> Handshake {
        self.terms
    }

    /// Begins where we begin, and repeats what was lost.
    pub fn drive(&mut self, now: Duration, target: Option<SocketAddr>) {
        let now = self.anchor + now;
        if self.terms.role == Setup::Active
            && let Some(target) = target.filter(|target| !self.sources.contains(target) && self.sources.len() < MOST_SOURCES)
        {
            self.sources.push(target);
            if let Err(why) = self.endpoint.connect(now, target, Arc::clone(&self.identity.client), None) {
                tracing::debug!(%why, "no handshake with a leg's peer");
            }
        }
        for source in &self.sources {
            if let Err(why) = self.endpoint.handle_timeout(*source, now) {
                tracing::trace!(%why, "a handshake waits");
            }
        }
    }

    /// Takes a record; the keys, when it was the last one needed and the certificate is the one of the description.
    pub fn take(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<SrtpKeys> {
        let from = self.peer_at(from)?;
        let events = match self.endpoint.read(self.anchor + now, from, None, BytesMut::from(datagram)) {
            Ok(events) => events,
            Err(why) => {
                tracing::debug!(%why, "a handshake record of a leg's peer cannot be used");
                return None;
            }
        };
        let complete = events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete));
        if complete { self.keys(from) } else { None }
    }

    /// The peer that a source stands for. A host of several addresses may answer from another one than we asked: the first that answers
    /// is taken for it, and its certificate tells.
    fn peer_at(&mut self, from: SocketAddr) -> Option<SocketAddr> {
        if self.sources.contains(&from) {
            return Some(from);
        }
        if self.terms.role == Setup::Active {
            let asked = self.sources.last().copied()?;
            return (*self.answers.get_or_insert(from) == from).then_some(asked);
        }
        if self.sources.len() >= MOST_SOURCES {
            return None;
        }
        self.sources.push(from);
        Some(from)
    }

    /// The next record to send.
    pub fn next_record(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.endpoint.poll_transmit().map(|transmit| (transmit.transport.peer_addr, transmit.message))
    }

    fn keys(&self, from: SocketAddr) -> Option<SrtpKeys> {
        let state = self.endpoint.get_connection_state(from)?;
        if state.peer_certificates.first().map(|der| sum(der)) != Some(self.terms.theirs) {
            tracing::warn!("a leg's peer has another certificate than its description says: it gets no keys");
            return None;
        }
        let profile = state.srtp_protection_profile();
        let (_, suite) = SUITES.into_iter().find(|(known, _)| *known == profile)?;
        let length = 2 * (suite.key_bytes() + suite.salt_bytes());
        let material = state.export_keying_material(LABEL, &[], length).ok()?;
        split(suite, &material, state.is_client())
    }
}

/// RFC 5764 §4.2: both keys, then both salts, the client's first.
fn split(suite: Suite, material: &SecretVec, is_client: bool) -> Option<SrtpKeys> {
    let (keys, salts) = material.as_ref().split_at(2 * suite.key_bytes());
    let (client_key, server_key) = keys.split_at(suite.key_bytes());
    let (client_salt, server_salt) = salts.split_at(suite.salt_bytes());
    let client = MasterKey::new(suite, &[client_key, client_salt].concat())?;
    let server = MasterKey::new(suite, &[server_key, server_salt].concat())?;
    let (ours, theirs) = if is_client { (client, server) } else { (server, client) };
    Some(SrtpKeys { suite, ours, theirs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// Two sides, the first of which begins; each believes what it is told of the other. A share of the records is lost.
    fn agree(
        told: (Fingerprint, Fingerprint),
        identities: (&Arc<Identity>, &Arc<Identity>),
        lost: f64,
        answers_from: SocketAddr,
    ) -> (Option<SrtpKeys>, Option<SrtpKeys>) {
        let mut here = Handshaking::new(Handshake { role: Setup::Active, theirs: told.0 }, identities.0);
        let mut there = Handshaking::new(Handshake { role: Setup::Passive, theirs: told.1 }, identities.1);
        let (mut ours, mut theirs, mut random) = (None, None, Random::new(5));
        for tick in 0..1_000 {
            let now = Duration::from_millis(20 * tick);
            here.drive(now, Some(at(2)));
            there.drive(now, None);
            while let Some((_, record)) = here.next_record() {
                if random.unit() >= lost {
                    theirs = there.take(now, at(1), &record).or(theirs);
                }
            }
            while let Some((_, record)) = there.next_record() {
                if random.unit() >= lost {
                    ours = here.take(now, answers_from, &record).or(ours);
                }
            }
            if ours.is_some() && theirs.is_some() {
                break;
            }
        }
        (ours, theirs)
    }

    #[test]
    fn s80_both_sides_come_to_the_same_keys_even_over_a_lossy_way() {
        let (one, other) = (Arc::new(Identity::make().unwrap()), Arc::new(Identity::make().unwrap()));
        for (lost, answers_from) in [(0.0, at(2)), (0.2, at(2)), (0.0, SocketAddr::from(([127, 0, 0, 1], 2)))] {
            let (here, there) = agree((other.fingerprint, one.fingerprint), (&one, &other), lost, answers_from);
            let (here, there) = (here.unwrap(), there.unwrap());
            assert_eq!((here.suite, &here.ours, &here.theirs), (there.suite, &there.theirs, &there.ours), "{lost} of the records lost");
        }
    }

    #[test]
    fn s80_a_certificate_that_the_description_does_not_name_gets_no_keys() {
        let (one, other) = (Arc::new(Identity::make().unwrap()), Arc::new(Identity::make().unwrap()));
        let (here, there) = agree((other.fingerprint, Fingerprint([7; 32])), (&one, &other), 0.0, at(2));
        assert!(here.is_some() && there.is_none());
    }

    #[test]
    fn rubbish_and_strangers_cost_nothing() {
        let identity = Arc::new(Identity::make().unwrap());
        let mut side = Handshaking::new(Handshake { role: Setup::Passive, theirs: identity.fingerprint }, &identity);
        for port in 1..100 {
            assert!(side.take(Duration::ZERO, at(port), &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2]).is_none());
        }
        assert_eq!(side.sources.len(), MOST_SOURCES);
        assert!(is_record(&[22, 254]) && !is_record(&[0x80, 0]) && !is_record(&[0, 1]) && !is_record(&[]));
    }
}

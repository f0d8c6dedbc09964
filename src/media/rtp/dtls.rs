//! The handshake that keys of a leg come from (RFC 5764), over the leg's own port.

mod association;
mod heard;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::RingProvider;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SecretVec};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use sha2::{Digest, Sha256};

use self::association::{Association, Moment};
use self::heard::Heard;
use crate::control::words::srtp::{Fingerprint, Handshake, MasterKey, Setup, SrtpKeys, Suite};

/// First bytes of DTLS records (RFC 7983).
const RECORDS: std::ops::RangeInclusive<u8> = 20..=63;
/// The exporter's label (RFC 5764 §4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// So many sources may try to be the peer of one leg; only the one with the right certificate gets keys.
const MOST_SOURCES: usize = 4;
/// Who we say we are: nobody; the fingerprint counts.
const NAME: &str = "hotline";
/// A flight that was lost is sent again after this, up to seven times by the library (RFC 6347 §4.2.4.1).
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
    anchor: Instant,
    associations: Vec<Association>,
    records: VecDeque<(SocketAddr, BytesMut)>,
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
        let (associations, records) = (Vec::new(), VecDeque::new());
        Handshaking { terms, identity: Arc::clone(identity), anchor: Instant::now(), associations, records, answers: None }
    }

    /// On which terms?
    #[must_use]
    pub fn terms(&self) -> Handshake {
        self.terms
    }

    fn moment(&self, now: Duration) -> Moment {
        Moment { instant: self.anchor + now, now }
    }

    /// Begins where we begin, and repeats what was lost.
    pub fn drive(&mut self, now: Duration, target: Option<SocketAddr>) {
        let at = self.moment(now);
        if self.terms.role == Setup::Active
            && let Some(target) = target.filter(|target| !self.knows(*target) && self.sources() < MOST_SOURCES)
        {
            self.associations.push(Association::begun(at, target, &self.identity.client));
        }
        let keyed = self.associations.iter().any(Association::is_kept);
        let mut out = Vec::new();
        for association in &mut self.associations {
            association.drive(at);
            // With keys from one source nobody waits for another that never answered.
            if !keyed {
                association.revive(at);
            }
            association.next_records(&mut out);
            self.records.extend(out.drain(..).map(|record| (association.peer, record)));
        }
    }

    /// Takes a record; the keys, when it was the last one needed and the certificate is the one of the description.
    pub fn take(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<SrtpKeys> {
        let (at, heard, mut out) = (self.moment(now), Heard::of(datagram), Vec::new());
        let place = self.place_of(at, from, &heard)?;
        let association = &mut self.associations[place];
        let complete = association.take(at, datagram, &heard, &mut out);
        let peer = association.peer;
        self.records.extend(out.into_iter().map(|record| (peer, record)));
        let keys = if complete { self.keys(place)? } else { return None };
        self.associations[place].keep();
        // What a new beginning of this source has replaced has done its work.
        self.associations = std::mem::take(&mut self.associations)
            .into_iter()
            .enumerate()
            .filter_map(|(other, association)| (other == place || association.peer != peer).then_some(association))
            .collect();
        Some(keys)
    }

    fn knows(&self, source: SocketAddr) -> bool {
        self.associations.iter().any(|association| association.peer == source)
    }

    fn sources(&self) -> usize {
        let first = |place: usize| self.associations[..place].iter().all(|other| other.peer != self.associations[place].peer);
        (0..self.associations.len()).filter(|place| first(*place)).count()
    }

    /// The association that a datagram belongs to.
    fn place_of(&mut self, at: Moment, from: SocketAddr, heard: &Heard) -> Option<usize> {
        let peer = self.peer_at(at, from)?;
        let newest = self.associations.iter().rposition(|association| association.peer == peer)?;
        let oldest = self.associations.iter().position(|association| association.peer == peer)?;
        if heard.is_beginning() && self.associations[newest].may_begin_anew(at.now) {
            return Some(self.begin_anew(at, newest));
        }
        // A hello may come from anybody; only who brings our cookie back is the one who began anew.
        Some(if heard.hello.is_some() || self.associations[newest].is_reached() { newest } else { oldest })
    }

    /// A handshake that gave keys stays beside the new one until that has given its own (RFC 6347 §4.2.8).
    fn begin_anew(&mut self, at: Moment, newest: usize) -> usize {
        let fresh = Association::awaited(at, self.associations[newest].peer, &self.identity.server);
        if self.associations[newest].is_kept() {
            self.associations.push(fresh);
            return self.associations.len() - 1;
        }
        self.associations[newest] = fresh;
        newest
    }

    /// The peer that a source stands for. A host of several addresses may answer from another one than we asked: the first that answers
    /// is taken for it, and its certificate tells.
    fn peer_at(&mut self, at: Moment, from: SocketAddr) -> Option<SocketAddr> {
        if self.knows(from) {
            return Some(from);
        }
        if self.terms.role == Setup::Active {
            let asked = self.associations.last()?.peer;
            return (*self.answers.get_or_insert(from) == from).then_some(asked);
        }
        if self.sources() >= MOST_SOURCES {
            return None;
        }
        self.associations.push(Association::awaited(at, from, &self.identity.server));
        Some(from)
    }

    /// The next record to send.
    pub fn next_record(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.records.pop_front()
    }

    fn keys(&self, place: usize) -> Option<SrtpKeys> {
        let state = self.associations.get(place)?.state()?;
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::control::random::Random;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// A way between two sides, on which records are lost, late and overtake each other.
    struct Way {
        lost: f64,
        late_ms: f64,
        random: Random,
        flying: BTreeMap<(u64, u64), (Side, BytesMut)>,
        launched: u64,
        /// Nothing arrives from this tick to that.
        outage: std::ops::Range<u64>,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Side {
        Here,
        There,
    }

    impl Way {
        fn new(lost: f64, late_ms: f64, seed: u64) -> Way {
            Way { lost, late_ms, random: Random::new(seed), flying: BTreeMap::new(), launched: 0, outage: 0..0 }
        }

        fn send(&mut self, ms: u64, to: Side, side: &mut Handshaking) {
            while let Some((_, record)) = side.next_record() {
                self.launched += 1;
                let late = (self.random.unit() * self.late_ms) as u64;
                if self.random.unit() >= self.lost && !self.outage.contains(&ms) {
                    self.flying.insert((ms + late, self.launched), (to, record));
                }
            }
        }

        fn arrived(&mut self, ms: u64) -> Option<(Side, BytesMut)> {
            let first = self.flying.first_entry().filter(|entry| entry.key().0 <= ms)?;
            Some(first.remove())
        }
    }

    /// Two sides, the first of which begins.
    struct Pair {
        here: Handshaking,
        there: Handshaking,
        ours: Option<SrtpKeys>,
        theirs: Option<SrtpKeys>,
        answers_from: SocketAddr,
        ms: u64,
    }

    impl Pair {
        /// Each believes what it is told of the other.
        fn new(told: (Fingerprint, Fingerprint), identities: (&Arc<Identity>, &Arc<Identity>)) -> Pair {
            let here = Handshaking::new(Handshake { role: Setup::Active, theirs: told.0 }, identities.0);
            let there = Handshaking::new(Handshake { role: Setup::Passive, theirs: told.1 }, identities.1);
            Pair { here, there, ours: None, theirs: None, answers_from: at(2), ms: 0 }
        }

        fn step(&mut self, way: &mut Way) {
            let (ms, now) = (self.ms, Duration::from_millis(self.ms));
            self.here.drive(now, Some(at(2)));
            self.there.drive(now, None);
            way.send(ms, Side::There, &mut self.here);
            way.send(ms, Side::Here, &mut self.there);
            while let Some((to, record)) = way.arrived(ms) {
                if to == Side::There {
                    self.theirs = self.there.take(now, at(1), &record).or(self.theirs.take());
                    way.send(ms, Side::Here, &mut self.there);
                } else {
                    self.ours = self.here.take(now, self.answers_from, &record).or(self.ours.take());
                    way.send(ms, Side::There, &mut self.here);
                }
            }
            self.ms += 20;
        }

        /// How long it took until both had keys, in milliseconds.
        fn agree(&mut self, way: &mut Way, most_ms: u64) -> Option<u64> {
            while self.ms < most_ms && (self.ours.is_none() || self.theirs.is_none()) {
                self.step(way);
            }
            (self.ours.is_some() && self.theirs.is_some()).then_some(self.ms)
        }

        fn are_equal(&self) -> bool {
            let (Some(here), Some(there)) = (&self.ours, &self.theirs) else { return false };
            (here.suite, &here.ours, &here.theirs) == (there.suite, &there.theirs, &there.ours)
        }
    }

    fn two() -> (Arc<Identity>, Arc<Identity>) {
        (Arc::new(Identity::make().unwrap()), Arc::new(Identity::make().unwrap()))
    }

    #[test]
    fn s80_both_sides_come_to_the_same_keys_and_from_another_address_too() {
        let (one, other) = two();
        for answers_from in [at(2), SocketAddr::from(([127, 0, 0, 1], 2))] {
            let mut pair = Pair { answers_from, ..Pair::new((other.fingerprint, one.fingerprint), (&one, &other)) };
            assert!(pair.agree(&mut Way::new(0.0, 0.0, 1), 1_000).is_some() && pair.are_equal(), "{answers_from}");
        }
    }

    #[test]
    fn s80_over_a_lossy_way_every_handshake_comes_to_its_end() {
        let (one, other) = two();
        for (lost, late_ms, usual, most) in [(0.05, 0.0, 500, 5_000), (0.1, 150.0, 1_000, 8_000), (0.2, 150.0, 2_000, 12_000)] {
            let mut took: Vec<u64> = (0..200)
                .map(|seed| {
                    let mut pair = Pair::new((other.fingerprint, one.fingerprint), (&one, &other));
                    let took = pair.agree(&mut Way::new(lost, late_ms, seed), most);
                    let took = took.unwrap_or_else(|| panic!("seed {seed}: no keys after {most} ms with {lost} of the records lost"));
                    assert!(pair.are_equal(), "seed {seed}, {lost} lost");
                    took
                })
                .collect();
            took.sort_unstable();
            assert!(took[100] <= usual, "{lost} of the records lost: half of the handshakes took more than {} ms", took[100]);
        }
    }

    #[test]
    fn s80_a_handshake_begins_anew_after_a_way_was_dead_whoever_had_keys_already() {
        let (one, other) = two();
        for begins in (0..400).step_by(20) {
            let mut way = Way { outage: begins..begins + 4_000, ..Way::new(0.0, 50.0, begins) };
            let mut pair = Pair::new((other.fingerprint, one.fingerprint), (&one, &other));
            assert!(pair.agree(&mut way, 12_000).is_some() && pair.are_equal(), "dead from {begins} ms on");
        }
    }

    #[test]
    fn s80_a_strangers_beginning_changes_nothing_once_there_are_keys() {
        let ((one, other), mallory) = (two(), Arc::new(Identity::make().unwrap()));
        let mut pair = Pair::new((other.fingerprint, one.fingerprint), (&one, &other));
        let mut way = Way::new(0.0, 0.0, 1);
        pair.agree(&mut way, 1_000).unwrap();
        let kept = (pair.ours.clone(), pair.theirs.clone());
        let mut sent = 0;
        for round in 1..10 {
            let mut stranger = Handshaking::new(Handshake { role: Setup::Active, theirs: other.fingerprint }, &mallory);
            for ms in (0..1_000).step_by(20) {
                let now = Duration::from_millis(5_000 * round + ms);
                stranger.drive(now, Some(at(2)));
                while let Some((_, record)) = stranger.next_record() {
                    sent += 1;
                    // In the peer's name without hearing the answers, and in his own to the end of a handshake.
                    assert!(pair.there.take(now, at(1), &record).is_none() && pair.here.take(now, at(2), &record).is_none());
                    while pair.there.next_record().is_some() {}
                    assert!(pair.there.take(now, at(66), &record).is_none(), "his certificate is not the one of the description");
                    while let Some((_, answer)) = pair.there.next_record() {
                        stranger.take(now, at(2), &answer);
                    }
                }
            }
        }
        assert!(sent >= 27 && pair.there.associations.len() <= 2 * MOST_SOURCES, "{sent}");
        while pair.ms < 70_000 {
            pair.step(&mut way);
        }
        assert!(kept == (pair.ours.clone(), pair.theirs.clone()) && pair.are_equal());
    }

    #[test]
    fn s80_a_certificate_that_the_description_does_not_name_gets_no_keys() {
        let (one, other) = two();
        let mut pair = Pair::new((other.fingerprint, Fingerprint([7; 32])), (&one, &other));
        assert!(pair.agree(&mut Way::new(0.0, 0.0, 1), 10_000).is_none());
        assert!(pair.ours.is_some() && pair.theirs.is_none());
    }

    #[test]
    fn rubbish_and_strangers_cost_nothing() {
        let identity = Arc::new(Identity::make().unwrap());
        let mut side = Handshaking::new(Handshake { role: Setup::Passive, theirs: identity.fingerprint }, &identity);
        for port in 1..100 {
            assert!(side.take(Duration::ZERO, at(port), &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2]).is_none());
        }
        assert_eq!(side.associations.len(), MOST_SOURCES);
        assert!(is_record(&[22, 254]) && !is_record(&[0x80, 0]) && !is_record(&[0, 1]) && !is_record(&[]));
    }
}

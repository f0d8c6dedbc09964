//! TLS of SIP: whose certificate we show, whom we believe, and files that change while the server runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use super::certificate::{self, CertificateError, RENEWED_BEFORE};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What the operator chose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The chain we show, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Who cares for the two files.
    pub owner: Owner,
    /// Must those who connect show a certificate?
    pub clients: Clients,
    /// Authorities we believe besides those of the system, PEM.
    pub authorities: Option<PathBuf>,
    /// Must those we connect to show a good one?
    pub servers: Servers,
}

/// Who cares for a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The operator: we only read it, again whenever it changes.
    Operator,
    /// We do: made for these names at the first start, and anew before it ends.
    Us(Vec<String>),
}

/// Certificates of those who connect to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clients {
    /// Nobody is asked.
    NotAsked,
    /// Who has one shows it, and it must be good.
    Asked,
    /// Without a good one nobody comes in.
    Required,
}

/// Certificates of those we connect to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Servers {
    /// Signed by an authority we believe, for the name we called.
    Verified,
    /// Whatever it is; the line is encrypted, but perhaps to the wrong one.
    Anyone,
}

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Certificate and key do not fit, or are of a kind nobody speaks.
    #[error("{} cannot be used with its key: {why}", path.display())]
    Unfit {
        /// The certificate.
        path: PathBuf,
        /// What rustls said.
        why: rustls::Error,
    },
    /// The authorities.
    #[error("{} holds no authority that can be used: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Clients must show certificates, but nobody says who signs them.
    #[error("client certificates are asked for, but no authority is named that signs them; write `authorities = \"FILE\"`")]
    NoAuthority,
}

/// TLS as it is now; connections that are there keep what they began with.
#[derive(Debug)]
pub struct Tls {
    settings: Settings,
    now: ArcSwap<Sides>,
}

#[derive(Debug)]
struct Sides {
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files; makes the certificate that is ours to make.
    ///
    /// # Errors
    /// What cannot be used, with its file.
    pub fn open(settings: Settings) -> Result<Tls, TlsError> {
        renew(&settings)?;
        let sides = Sides { server: Some(server_side(&settings)?), client: client_side(&settings, Show::Ours)? };
        Ok(Tls { settings, now: ArcSwap::from_pointee(sides) })
    }

    /// For one who only dials and shows no certificate: a phone.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    pub fn dialling(authorities: Option<PathBuf>, servers: Servers) -> Result<Tls, TlsError> {
        let (certificate, key, owner) = (PathBuf::new(), PathBuf::new(), Owner::Operator);
        let settings = Settings { certificate, key, owner, clients: Clients::NotAsked, authorities, servers };
        let sides = Sides { server: None, client: client_side(&settings, Show::Nothing)? };
        Ok(Tls { settings, now: ArcSwap::from_pointee(sides) })
    }

    /// How a connection that came in is secured; `None` for one who only dials.
    pub(super) fn server(&self) -> Option<Arc<ServerConfig>> {
        self.now.load().server.clone()
    }

    /// How a connection that we make is secured.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.now.load().client)
    }

    /// Looks at the files until it is aborted. Bad new files are told, and what works stays.
    pub(super) async fn watch(self: Arc<Tls>) {
        if self.server().is_none() {
            return;
        }
        let mut clock = tokio::time::interval(EVERY);
        let mut seen = self.look();
        loop {
            clock.tick().await;
            if let Err(why) = renew(&self.settings) {
                tracing::error!(%why, "our certificate cannot be made anew");
            }
            let now = self.look();
            if now != seen {
                seen = now;
                self.take_new_files();
            }
        }
    }

    fn take_new_files(&self) {
        let read = || -> Result<Sides, TlsError> {
            Ok(Sides { server: Some(server_side(&self.settings)?), client: client_side(&self.settings, Show::Ours)? })
        };
        match read() {
            Ok(sides) => {
                self.now.store(Arc::new(sides));
                let fingerprint = certificate::facts(&self.settings.certificate).map(|facts| facts.fingerprint).unwrap_or_default();
                tracing::info!(fingerprint, "a new certificate is shown from now on");
            }
            Err(why) => tracing::error!(%why, "the changed TLS files cannot be used: what worked before stays"),
        }
    }

    fn look(&self) -> Vec<(Option<SystemTime>, u64)> {
        let files = [Some(&self.settings.certificate), Some(&self.settings.key), self.settings.authorities.as_ref()];
        let look = |path: &PathBuf| std::fs::metadata(path).map_or((None, 0), |facts| (facts.modified().ok(), facts.len()));
        files.into_iter().flatten().map(look).collect()
    }
}

/// Makes the certificate that is ours to make, when it is not there or soon ends.
fn renew(settings: &Settings) -> Result<(), CertificateError> {
    let Owner::Us(names) = &settings.owner else { return Ok(()) };
    if certificate::make_unless_good(&settings.certificate, &settings.key, names, crate::clock::now())? {
        let days = RENEWED_BEFORE.as_secs() / 86_400;
        tracing::info!(file = %settings.certificate.display(), "a certificate of our own is made; it is renewed {days} days before it ends");
    }
    Ok(())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_side(settings: &Settings) -> Result<Arc<ServerConfig>, TlsError> {
    let unfit = |why| TlsError::Unfit { path: settings.certificate.clone(), why };
    let pair = certificate::pair(&settings.certificate, &settings.key)?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unfit)?;
    let builder = match settings.clients {
        Clients::NotAsked => builder.with_no_client_auth(),
        asked => {
            let path = settings.authorities.as_ref().ok_or(TlsError::NoAuthority)?;
            let mut roots = RootCertStore::empty();
            add_authorities(&mut roots, path)?;
            let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            let judge = if asked == Clients::Asked { judge.allow_unauthenticated() } else { judge };
            let why = |why: rustls::server::VerifierBuilderError| TlsError::Authorities { path: path.clone(), why: why.to_string() };
            builder.with_client_cert_verifier(judge.build().map_err(why)?)
        }
    };
    Ok(Arc::new(builder.with_single_cert(pair.chain, pair.key).map_err(unfit)?))
}

/// Do we show a certificate to those we connect to?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    /// The server's: peers that verify both sides see who calls.
    Ours,
    /// A phone has none.
    Nothing,
}

fn client_side(settings: &Settings, show: Show) -> Result<Arc<ClientConfig>, TlsError> {
    let unfit = |why| TlsError::Unfit { path: settings.certificate.clone(), why };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unfit)?;
    let builder = match settings.servers {
        Servers::Anyone => builder.dangerous().with_custom_certificate_verifier(Arc::new(Unasked { provider: provider() })),
        Servers::Verified => builder.with_root_certificates(roots(settings.authorities.as_deref())?),
    };
    let config = match show {
        Show::Nothing => builder.with_no_client_auth(),
        Show::Ours => {
            let pair = certificate::pair(&settings.certificate, &settings.key)?;
            builder.with_client_auth_cert(pair.chain, pair.key).map_err(unfit)?
        }
    };
    Ok(Arc::new(config))
}

/// The system's authorities and the operator's.
fn roots(own: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = own {
        add_authorities(&mut roots, path)?;
    }
    Ok(roots)
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    for der in certificate::chain(path)? {
        roots.add(der).map_err(|why| TlsError::Authorities { path: path.to_owned(), why: why.to_string() })?;
    }
    Ok(())
}

/// Takes every certificate, as the operator wished; that the peer holds its key is still proved.
#[derive(Debug)]
struct Unasked {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unasked {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

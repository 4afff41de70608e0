//! TLS to the broker, with our own notion of time.
//!
//! A gateway without a clock that is right would refuse every certificate, and so never hear what
//! time it is. The stock verifier does the work; only the moment it checks for comes from the
//! caller (TRUST section 4).

use core::fmt;
use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::ended::Ended;
use super::wire::Pipe;
use crate::config;

/// How many certificates of a chain may be not valid yet; webpki follows at most six.
const LONGEST_CHAIN: usize = 8;

/// The files that TLS needs, all PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// Whom to believe about the broker's certificate; nobody else is believed.
    pub ca: PathBuf,
    /// Our certificate, then its intermediates.
    pub cert: PathBuf,
    /// The private key of our certificate.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads the files and tries them together, without connecting; for `check-config`.
    ///
    /// # Errors
    ///
    /// The first problem met, with the file and how to mend it.
    pub fn check(&self) -> Result<(), TlsProblem> {
        let never: Now = Arc::new(|| TrustedNow { unix_seconds: 0, check_not_before: false });

        self.read().load(&never).map(drop)
    }

    /// Reads each file once.
    pub(super) fn read(&self) -> Contents<'_> {
        let read = |file: &Path| fs::read(file).map(Zeroizing::new);

        Contents { files: self, ca: read(&self.ca), cert: read(&self.cert), key: read(&self.key) }
    }
}

impl From<config::TlsFiles> for TlsFiles {
    fn from(files: config::TlsFiles) -> Self {
        Self { ca: files.ca, cert: files.certificate, key: files.key }
    }
}

/// The moment for which certificates are checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrustedNow {
    /// Seconds since 1970; `notAfter` is always checked against it.
    pub unix_seconds: u64,
    /// False while the quality of time is `floor` or `unknown`: then `notBefore` is not checked.
    pub check_not_before: bool,
}

/// Tells the time for certificates.
pub(super) type Now = Arc<dyn Fn() -> TrustedNow + Send + Sync>;

/// What tells the contents of the three files from any others.
pub(super) type Fingerprint = [u8; 32];

/// A text that may be a secret, or why there is none.
type Text = io::Result<Zeroizing<Vec<u8>>>;

/// What stood in the files at one moment.
pub(super) struct Contents<'a> {
    files: &'a TlsFiles,
    ca: Text,
    cert: Text,
    key: Text,
}

impl Contents<'_> {
    /// A file that cannot be read has a fingerprint too.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for text in [&self.ca, &self.cert, &self.key] {
            match text {
                Ok(text) => hash.update(Sha256::digest(text)),
                Err(error) => hash.update(error.kind().to_string()),
            }
        }

        hash.finalize().into()
    }

    /// Makes of them what TLS needs.
    pub(super) fn load(self, now: &Now) -> Result<Loaded, TlsProblem> {
        let fingerprint = self.fingerprint();
        let config = Arc::new(self.client_config(Arc::clone(now))?);

        Ok(Loaded { config, fingerprint })
    }

    fn client_config(self, now: Now) -> Result<ClientConfig, TlsProblem> {
        let Self { files, ca, cert, key } = self;
        let provider = Arc::new(provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca, ca)? {
            roots
                .add(certificate)
                .map_err(|source| TlsProblem::Authority { file: files.ca.clone(), source })?;
        }
        let verifier = Verifier::new(roots, &provider, now)
            .map_err(|source| TlsProblem::Verifier { file: files.ca.clone(), source })?;
        let chain = certificates(&files.cert, cert)?;
        let key = private_key(&files.key, key)?;

        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsProblem::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, key)
            .map_err(|source| TlsProblem::Pair {
                cert: files.cert.clone(),
                key: files.key.clone(),
                source,
            })
    }
}

/// Files that belong together.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    config: Arc<ClientConfig>,
    /// What they were.
    pub(super) fingerprint: Fingerprint,
}

impl Loaded {
    /// Makes a TLS connection to `host` over `pipe`.
    pub(super) async fn wrap(&self, pipe: Pipe, host: &str) -> Result<Pipe, Ended> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| TlsProblem::Host(host.to_owned()))?;
        let tls = TlsConnector::from(Arc::clone(&self.config)).connect(name, pipe).await;

        Ok(Box::new(tls.map_err(Ended::Handshake)?))
    }
}

/// What TLS says of a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// The broker does not take our certificate.
    NotYou,
    /// Nobody that we know vouches for the broker.
    Stranger,
    /// The broker sent another alert.
    Alert,
    /// Another fault, found by us.
    Else,
}

/// What TLS says of this failure, if it has a word in it.
pub(super) fn said(error: &io::Error) -> Option<Said> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    if let Error::AlertReceived(alert) = error {
        return Some(if is_about_us(*alert) { Said::NotYou } else { Said::Alert });
    }
    let is_stranger = matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer));

    Some(if is_stranger { Said::Stranger } else { Said::Else })
}

/// RFC 8446, section 6.2: what a server says to a certificate, or to the proof of its key.
const fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}

#[cfg(feature = "aws-lc-rs")]
fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

// The causes of bad PEM are left out: they quote the line, and a key may stand on one, even in the
// file that should hold certificates.
fn certificates(file: &Path, text: Text) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let text = text.map_err(|source| unreadable(file, source))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsProblem::Pem { file: file.to_owned() })?;
    if found.is_empty() {
        return Err(TlsProblem::Empty { file: file.to_owned() });
    }

    Ok(found)
}

fn private_key(file: &Path, text: Text) -> Result<PrivateKeyDer<'static>, TlsProblem> {
    let text = text.map_err(|source| unreadable(file, source))?;

    PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsProblem::Key { file: file.to_owned() })
}

fn unreadable(file: &Path, source: io::Error) -> TlsProblem {
    TlsProblem::Unreadable { file: file.to_owned(), source }
}

/// The stock verifier, asked about the trusted moment instead of the system's.
struct Verifier {
    stock: Arc<WebPkiServerVerifier>,
    now: Now,
}

impl Verifier {
    fn new(
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
        now: Now,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let roots = Arc::new(roots);
        let stock =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build()?;

        Ok(Self { stock, now })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _system: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let TrustedNow { unix_seconds, check_not_before } = (self.now)();
        let mut moment = UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds));
        // Whatever begins later than the moment is checked for its own beginning instead; what has
        // ended by then has ended, and the rest of the check is never left out.
        for _ in 0..LONGEST_CHAIN {
            match self.stock.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                moment,
            ) {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if !check_not_before && not_before > moment => moment = not_before,
                result => return result,
            }
        }

        Err(CertificateError::NotValidYet.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.stock.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.stock.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.stock.supported_verify_schemes()
    }
}

/// Why TLS cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A certificate in the authorities' file is none.
    #[error("`{}` holds a certificate that cannot be an authority; replace it", file.display())]
    Authority {
        /// The authorities' file.
        file: PathBuf,
        /// What is wrong with it.
        source: Error,
    },
    /// A file holds no certificate.
    #[error("`{}` holds no certificate; it must be PEM, `BEGIN CERTIFICATE`", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The host can stand in no certificate.
    #[error("`{0}` can stand in no certificate; write a host name or an address in `url`")]
    Host(String),
    /// The file of the key holds none.
    #[error("`{}` holds no private key; it must be PEM, unencrypted", file.display())]
    Key {
        /// The key's file.
        file: PathBuf,
    },
    /// `mqtts://`, and no files.
    #[error("`mqtts://` needs `ca_file`, `client_certificate_file` and `client_key_file`")]
    Missing,
    /// Certificate and key do not belong together.
    #[error(
        "`{}` and `{}` do not belong together; install both from the same enrolment",
        cert.display(), key.display()
    )]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        source: Error,
    },
    /// A file is not PEM.
    #[error("`{}` is damaged; install it again", file.display())]
    Pem {
        /// The file.
        file: PathBuf,
    },
    /// The cryptography offers no usable version of TLS.
    #[error("no usable version of TLS in this build")]
    Provider(#[source] Error),
    /// A file cannot be read.
    #[error("cannot read `{}`; check that it exists and that this user may read it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The authorities cannot be used.
    #[error("`{}` holds no usable authority; replace it", file.display())]
    Verifier {
        /// The authorities' file.
        file: PathBuf,
        /// What rustls says.
        source: rustls::client::VerifierBuilderError,
    },
}

#[cfg(test)]
mod tests;

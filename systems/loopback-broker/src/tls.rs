//! Mutual TLS 1.3, and the name that a client's certificate carries.
//!
//! The name is the common name of the subject, as mosquitto's `use_identity_as_username` takes it;
//! a certificate with none, or with two, has no identity and is refused.

use std::fmt;
use std::sync::Arc;

use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// What the broker shows, and whom it believes.
pub struct Tls {
    /// The certificate authorities whose clients may connect.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The broker's own certificate, then those between it and its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first certificate in `chain`.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("authorities", &self.authorities.len())
            .field("chain", &self.chain.len())
            .field("key", &"(redacted)")
            .finish()
    }
}

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadTls {
    #[error("no client can be verified with these authorities; give at least one CA certificate")]
    Authorities(#[from] VerifierBuilderError),
    #[error("certificate or key not usable; the key must belong to the first certificate")]
    Certificates(#[from] rustls::Error),
}

/// Makes the acceptor: TLS 1.3 only, a client certificate required.
pub(crate) fn acceptor(tls: Tls) -> Result<TlsAcceptor, BadTls> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in tls.authorities {
        roots.add(authority)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(tls.chain, tls.key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The one common name of a certificate's subject.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut names = parsed.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    (names.next().is_none() && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(name: Option<&str>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.distinguished_name.push(DnType::OrganizationName, "acme");
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().into()
    }

    #[test]
    fn the_identity_is_the_common_name_and_nothing_else() {
        assert_eq!(common_name(&certificate(Some("edge-7"))).as_deref(), Some("edge-7"));
        assert_eq!(common_name(&certificate(None)), None);
        assert_eq!(common_name(&certificate(Some(""))), None);
    }

    #[test]
    fn a_damaged_certificate_has_no_identity_and_never_panics() {
        let whole = certificate(Some("edge-7"));
        for end in 0..whole.len() {
            assert_eq!(common_name(&CertificateDer::from(whole[..end].to_vec())), None);
        }
        let mut long = whole.to_vec();
        long.push(0);
        assert_eq!(common_name(&CertificateDer::from(long)), None);
    }
}

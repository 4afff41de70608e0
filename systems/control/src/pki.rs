//! The account's own small certificate authority: who is who on the broker.
//!
//! A certificate says who a client is and nothing about what it may do; the broker's access list
//! does. The common name is what mosquitto takes for the user.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use zeroize::Zeroizing;

use crate::keys::PRIVATE;
use crate::secret::{self, Problem, Unusable};
use crate::whole;

/// The file of the authority's certificate, which everybody may read.
pub const CA: &str = "ca.pem";

const DAY_S: i64 = 86_400;
/// Two years.
const LEAF_DAYS: i64 = 731;
/// Twenty years: replacing the authority means enrolling everything again.
const CA_DAYS: i64 = 7305;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum NotIssued {
    /// The authority's certificate and key cannot be used.
    #[error("`{}` or its key is damaged; restore both from a backup", path.display())]
    Authority {
        /// Its certificate.
        path: PathBuf,
        /// What is wrong with it.
        source: rcgen::Error,
    },
    /// The name of a host cannot stand in a certificate.
    #[error("`{}` cannot stand in a certificate; write a host name or an address", .0.escape_debug())]
    BadHost(String),
    /// The request is none, or was not signed with its own key.
    #[error("the signing request cannot be used; make it again, in PEM")]
    BadRequest(#[source] rcgen::Error),
    /// Making a key or a certificate failed.
    #[error("no certificate can be made")]
    Crypto(#[source] rcgen::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// The authority's private key cannot be used.
    #[error(transparent)]
    Secret(#[from] Unusable),
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use<'a> {
    /// To connect to the broker under this name.
    Client(&'a str),
    /// To be the broker at this host name or address.
    Server(&'a str),
}

/// A certificate, and its key where we made it.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM; none where a request brought its own.
    pub key: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Signs certificates.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority for an account.
    ///
    /// # Errors
    ///
    /// No key can be made.
    pub fn new(account: Uuid, now: UnixSeconds) -> Result<Self, NotIssued> {
        let mut params = params(&format!("gateward {account}"), now, CA_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(NotIssued::Crypto)?;
        let certificate = params.self_signed(&key).map_err(NotIssued::Crypto)?.pem();

        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Reads the authority of the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// A file cannot be used, or others can read the key.
    pub fn load(dir: &Path) -> Result<Self, NotIssued> {
        let path = dir.join(CA);
        let certificate = fs::read_to_string(&path).map_err(whole::Failed::new("read", &path))?;
        let key_path = key_path(dir);
        let key = KeyPair::from_pem(&secret::read(&key_path)?).map_err(|_| {
            Unusable::one(&key_path, Problem::Unlike { expected: "a private key in PEM" })
        })?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(|source| NotIssued::Authority { path, source })?;

        Ok(Self { certificate, issuer })
    }

    /// Writes the authority into the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), whole::Failed> {
        let key = Zeroizing::new(self.issuer.key().serialize_pem());
        secret::write(&key_path(dir), &key)?;

        whole::write(&dir.join(CA), self.certificate.as_bytes(), 0o644)
    }

    /// Returns the authority's own certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate for two years, with a new key.
    ///
    /// # Errors
    ///
    /// The name cannot stand in a certificate.
    pub fn issue(&self, what: Use<'_>, now: UnixSeconds) -> Result<Issued, NotIssued> {
        let key = KeyPair::generate().map_err(NotIssued::Crypto)?;
        let certificate = self.sign(what, &key, now)?;

        Ok(Issued { certificate, key: Some(Zeroizing::new(key.serialize_pem())) })
    }

    /// Issues a certificate for the key of a signing request. Whatever else the request asks for
    /// is not looked at: the name is the one that was enrolled.
    ///
    /// # Errors
    ///
    /// The request is none.
    pub fn issue_for(
        &self,
        request: &str,
        what: Use<'_>,
        now: UnixSeconds,
    ) -> Result<Issued, NotIssued> {
        let request =
            CertificateSigningRequestParams::from_pem(request).map_err(NotIssued::BadRequest)?;
        let certificate = self.sign(what, &request.public_key, now)?;

        Ok(Issued { certificate, key: None })
    }

    fn sign(
        &self,
        what: Use<'_>,
        key: &impl PublicKeyData,
        now: UnixSeconds,
    ) -> Result<String, NotIssued> {
        let name = match what {
            Use::Client(name) => name,
            // Clients look at the alternative names only, which may be longer.
            Use::Server(_) => "broker",
        };
        let mut params = params(name, now, LEAF_DAYS);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = match what {
            Use::Client(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Use::Server(host) => {
                let bad = || NotIssued::BadHost(host.to_owned());
                let is_address = host.parse::<IpAddr>().is_ok();
                if !is_address && !is_host(host) {
                    return Err(bad());
                }
                params.subject_alt_names =
                    CertificateParams::new([host.to_owned()]).map_err(|_| bad())?.subject_alt_names;
                vec![ExtendedKeyUsagePurpose::ServerAuth]
            }
        };

        Ok(params.signed_by(key, &self.issuer).map_err(NotIssued::Crypto)?.pem())
    }
}

fn key_path(dir: &Path) -> PathBuf {
    dir.join(PRIVATE).join("ca.key")
}

/// Letters, digits, `-` and dots, as a resolver would take it.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };

    host.len() <= 253 && host.split('.').all(label)
}

/// From yesterday, so that a gateway whose clock is a little behind still connects.
fn params(name: &str, now: UnixSeconds, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let today = i64::try_from(now.0).unwrap_or(i64::MAX) / DAY_S;
    for (place, day) in
        [(&mut params.not_before, today - 1), (&mut params.not_after, today.saturating_add(days))]
    {
        let since = jiff::SignedDuration::from_hours(day.saturating_mul(24));
        let date = jiff::civil::date(1970, 1, 1).checked_add(since).unwrap_or(Date::MAX);
        let [month, day] = [date.month(), date.day()].map(i8::unsigned_abs);
        *place = rcgen::date_time_ymd(date.year().into(), month, day);
    }

    params
}

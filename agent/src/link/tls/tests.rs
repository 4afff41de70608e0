//! Certificates against a clock that is not the system's.

use std::error::Error as _;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::CertificateError as Bad;

use super::*;

const Y2020: u64 = 1_577_836_800;
const Y2030: u64 = 1_893_456_000;
const Y2041: u64 = 2_240_524_800;

/// An authority; an intermediate from 2031 to 2050; a certificate for `broker` from 2032 to 2040.
struct Chain {
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
}

impl Chain {
    fn new() -> Self {
        let (root, issuer) = authority("root", 2019, None);
        let (intermediate, issuer) = authority("intermediate", 2031, Some(&issuer));
        let mut params = CertificateParams::new(vec!["broker".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2032, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();

        Self { root, intermediate, leaf: leaf.der().clone() }
    }

    fn check(
        &self,
        root: &CertificateDer<'static>,
        host: &str,
        unix_seconds: u64,
        check_not_before: bool,
    ) -> Result<(), Bad> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let now = Arc::new(move || TrustedNow { unix_seconds, check_not_before });
        let verifier = Verifier::new(roots, &Arc::new(provider()), now).unwrap();
        let result = verifier.verify_server_cert(
            &self.leaf,
            std::slice::from_ref(&self.intermediate),
            &ServerName::try_from(host).unwrap(),
            &[],
            // What the system believes must not matter.
            UnixTime::since_unix_epoch(Duration::from_secs(2_050_000_000)),
        );
        match result {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(why)) => Err(why),
            Err(other) => panic!("{other}"),
        }
    }
}

fn authority(
    name: &str,
    from: i32,
    above: Option<&Issuer<'static, KeyPair>>,
) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    let made = match above {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };

    (made.unwrap().der().clone(), Issuer::new(params, key))
}

#[test]
fn a_gateway_that_does_not_know_the_time_takes_a_certificate_that_has_not_begun() {
    let chain = Chain::new();
    assert_eq!(chain.check(&chain.root, "broker", Y2020, false), Ok(()));
    assert_eq!(chain.check(&chain.root, "broker", 0, false), Ok(()));
}

#[test]
fn a_gateway_that_knows_the_time_refuses_a_certificate_that_has_not_begun() {
    let chain = Chain::new();
    let refused = chain.check(&chain.root, "broker", Y2030, true);
    assert!(matches!(refused, Err(Bad::NotValidYetContext { .. })), "{refused:?}");
}

#[test]
fn a_certificate_that_has_ended_by_the_trusted_time_is_refused_whatever_is_known_of_the_clock() {
    let chain = Chain::new();
    for check_not_before in [true, false] {
        let refused = chain.check(&chain.root, "broker", Y2041, check_not_before);
        assert!(matches!(refused, Err(Bad::ExpiredContext { .. })), "{refused:?}");
    }
}

#[test]
fn not_knowing_the_time_excuses_neither_another_name_nor_another_authority() {
    let chain = Chain::new();
    let (stranger, _) = authority("stranger", 2019, None);
    for now in [0, Y2020, Y2030] {
        let named = chain.check(&chain.root, "other", now, false);
        assert!(matches!(named, Err(Bad::NotValidForNameContext { .. })), "{named:?}");
        let signed = chain.check(&stranger, "broker", now, false);
        assert!(matches!(signed, Err(Bad::UnknownIssuer)), "{signed:?}");
    }
}

#[test]
fn each_file_that_is_wrong_is_named_and_a_key_is_never_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let at = |leaf: &str| dir.path().join(leaf);
    let make = |leaf: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["edge".to_owned()]).unwrap();
        fs::write(at(&format!("{leaf}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(at(&format!("{leaf}.key")), key.serialize_pem()).unwrap();
    };
    make("a");
    make("b");
    // A key that lost its line breaks and its end.
    let one_line = fs::read_to_string(at("a.key")).unwrap().replace('\n', "");
    let one_line = one_line.trim_end_matches('-').to_owned();
    fs::write(at("line.key"), &one_line).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("torn"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    let files =
        |ca: &str, cert: &str, key: &str| TlsFiles { ca: at(ca), cert: at(cert), key: at(key) };

    assert!(files("a.pem", "a.pem", "a.key").check().is_ok());
    for (files, named) in [
        (files("nowhere", "a.pem", "a.key"), "nowhere"),
        (files("empty", "a.pem", "a.key"), "empty"),
        (files("torn", "a.pem", "a.key"), "torn"),
        (files("a.pem", "empty", "a.key"), "empty"),
        (files("a.pem", "a.pem", "empty"), "empty"),
        (files("a.pem", "a.pem", "line.key"), "line.key"),
        (files("a.pem", "line.key", "a.key"), "line.key"),
        (files("a.pem", "a.pem", "b.key"), "b.key"),
    ] {
        let problem = files.check().unwrap_err();
        let text = format!("{problem} {problem:?} {:?}", problem.source());
        assert!(problem.to_string().contains(named), "{text}");
        let secret = &one_line[40..60];
        let in_figures = format!("{:?}", secret.as_bytes());
        let in_figures = in_figures.trim_matches(['[', ']']);
        assert!(!text.contains(secret) && !text.contains(in_figures), "a key stands in an error");
    }
}

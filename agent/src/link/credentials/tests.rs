//! Two certificates and several brokers.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
use tempfile::TempDir;

use super::super::TrustedNow;
use super::super::tests::Authority;
use super::*;

/// What has worked, and a renewed certificate on disk that nobody has seen yet.
struct Desk {
    _dir: TempDir,
    credentials: Credentials,
    old: Fingerprint,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = issue(dir.path());
        let now = Arc::new(|| TrustedNow { unix_seconds: 1_893_456_000, check_not_before: true });
        let mut credentials = Credentials::new(files, now);
        let first = credentials.choose().unwrap();
        let old = first.fingerprint;
        credentials.worked(first);
        issue(dir.path());

        Self { _dir: dir, credentials, old }
    }

    /// An attempt that fails so; returns whether it was with the renewed certificate.
    fn fails(&mut self, ended: &Ended) -> bool {
        let tried = self.credentials.choose().unwrap();
        self.credentials.failed(&tried, ended);

        tried.fingerprint != self.old
    }

    /// Whether the next attempt is with the renewed certificate.
    fn is_renewed(&mut self) -> bool {
        self.credentials.choose().unwrap().fingerprint != self.old
    }
}

fn issue(dir: &Path) -> TlsFiles {
    Authority::new().issue(dir, "edge-7a")
}

fn alert(alert: Alert) -> Ended {
    tls(Error::AlertReceived(alert))
}

fn tls(error: Error) -> Ended {
    Ended::Unwelcome(io::Error::new(ErrorKind::InvalidData, error))
}

fn hung_up() -> Ended {
    Ended::Unwelcome(ErrorKind::ConnectionReset.into())
}

#[test]
fn each_broker_of_the_list_is_offered_both_before_the_next_is_tried() {
    let mut desk = Desk::new();
    for round in 0..3 {
        for broker in ["a", "b"] {
            let first = desk.fails(&alert(Alert::UnknownCA));
            assert!(desk.credentials.has_another(), "{broker} in round {round}");
            let second = desk.fails(&alert(Alert::CertificateExpired));
            assert!(!desk.credentials.has_another(), "{broker} in round {round}: and on for ever");
            assert_ne!(first, second, "{broker} in round {round}");
        }
        desk.credentials.round_over();
    }
}

#[test]
fn what_hangs_up_without_a_word_is_offered_one_in_one_round_and_the_other_in_the_next() {
    let mut desk = Desk::new();
    for is_renewed in [true, false, true] {
        for _ in ["a", "b"] {
            assert_eq!(desk.fails(&hung_up()), is_renewed);
            assert!(!desk.credentials.has_another());
        }
        desk.credentials.round_over();
    }
}

#[test]
fn an_accident_or_a_broker_with_too_much_to_do_shelves_nothing() {
    let busy = [0x80, 0x88, 0x89, 0x97, 0x9f].map(|code| Ended::Refused(Reason::new(code)));
    let accidents = [
        Ended::Closed,
        hung_up(),
        Ended::Handshake(ErrorKind::UnexpectedEof.into()),
        alert(Alert::InternalError),
    ];
    for ended in busy.iter().chain(&accidents) {
        let mut desk = Desk::new();
        assert!(desk.fails(ended));
        assert!(desk.is_renewed(), "{ended}");
        let renewed = desk.credentials.renewed(false).expect("tried at the next look");
        desk.credentials.blame(&renewed, ended);
        assert!(desk.credentials.renewed(false).is_some(), "{ended}");
    }
}

#[test]
fn a_fault_of_the_brokers_own_certificate_is_none_of_ours() {
    let bad = [Bad::Expired, Bad::NotValidForName, Bad::NotValidYet, Bad::Revoked];
    for ended in bad.map(|bad| tls(Error::InvalidCertificate(bad))) {
        let mut desk = Desk::new();
        for _ in 0..3 {
            assert!(desk.fails(&ended), "{ended:?}");
            assert!(!desk.credentials.has_another());
            desk.credentials.round_over();
        }
    }
}

#[test]
fn what_a_broker_turned_down_is_shelved_until_somebody_asks() {
    let refused = [Reason::NOT_AUTHORIZED, Reason::BAD_CREDENTIALS].map(Ended::Refused);
    for ended in refused.into_iter().chain([alert(Alert::BadCertificate)]) {
        let mut desk = Desk::new();
        assert!(desk.fails(&ended));
        assert!(!desk.is_renewed(), "{ended}");
        desk.fails(&Ended::Closed);
        assert!(!desk.is_renewed(), "{ended}");
        assert!(desk.credentials.renewed(false).is_none(), "{ended}");
        desk.credentials.asked();
        assert!(desk.is_renewed(), "{ended}");
    }
}

#[test]
fn half_a_renewal_is_no_reason_to_stay_away() {
    let mut desk = Desk::new();
    let key = desk.credentials.files.key.clone();
    fs::write(key, "-----BEGIN").unwrap();
    for _ in 0..2 {
        assert!(!desk.fails(&alert(Alert::CertificateExpired)));
        assert!(!desk.credentials.has_another(), "there is nothing else");
    }
}

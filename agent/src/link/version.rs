//! Which version of MQTT to try at a broker that may have only one of them.

use std::io::ErrorKind;

use super::ended::Ended;
use super::reason::Reason;
use super::{Protocol, Version};

/// What has been learned of one broker.
#[derive(Debug)]
pub(super) struct Known {
    wanted: Protocol,
    older: Option<Evidence>,
    /// Whether 5 has worked there: what hangs up then is a broker that restarts.
    has_newer: bool,
    /// Whether 3.1.1 has worked there.
    has_older: bool,
}

/// Why a broker seems to have no 5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Evidence {
    /// It hung up where an answer was due, as one without 5 may, and as a broken one does.
    Silence,
    /// It said so.
    Word,
}

impl Known {
    pub(super) const fn new(wanted: Protocol) -> Self {
        Self { wanted, older: None, has_newer: false, has_older: false }
    }

    /// The version to try next.
    pub(super) const fn next(&self) -> Version {
        match (self.wanted, self.older) {
            (Protocol::Auto, None) | (Protocol::V5, _) => Version::V5,
            (Protocol::Auto, Some(_)) | (Protocol::V311, _) => Version::V311,
        }
    }

    /// Learns that the version tried is one that the broker has.
    pub(super) fn worked(&mut self) {
        match self.next() {
            Version::V311 => self.has_older = true,
            Version::V5 => self.has_newer = true,
        }
    }

    /// Learns from an attempt that failed; true where the other version is worth an attempt at
    /// once, which is where the broker said so, or where that one has worked.
    pub(super) fn failed(&mut self, ended: &Ended) -> bool {
        let (Protocol::Auto, Some(evidence)) = (self.wanted, evidence(ended)) else { return false };
        if evidence == Evidence::Silence && self.has_newer {
            return false;
        }
        // The same from 3.1.1 says nothing about versions, and the next attempt is with 5 again.
        let was_newer = self.older.is_none();
        self.older = was_newer.then_some(evidence);

        was_newer && (evidence == Evidence::Word || self.has_older)
    }

    /// Learns that a connection is over. A broker that never said so is asked for 5 again.
    pub(super) fn over(&mut self) {
        self.older = self.older.filter(|evidence| *evidence == Evidence::Word);
    }
}

fn evidence(ended: &Ended) -> Option<Evidence> {
    if let Ended::Refused(Reason::UNSUPPORTED_VERSION) = ended {
        return Some(Evidence::Word);
    }
    let Ended::Unwelcome(source) = ended else { return None };
    // A refused certificate comes as an alert of TLS, which is `InvalidData`.
    let hung_up = matches!(
        source.kind(),
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::UnexpectedEof
    );

    hung_up.then_some(Evidence::Silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hung_up() -> Ended {
        Ended::Unwelcome(ErrorKind::UnexpectedEof.into())
    }

    #[test]
    fn a_broker_that_says_it_has_no_5_is_spoken_to_in_3_1_1_from_then_on() {
        let mut known = Known::new(Protocol::Auto);
        assert_eq!(known.next(), Version::V5);
        assert!(known.failed(&Ended::Refused(Reason::UNSUPPORTED_VERSION)));
        for _ in 0..3 {
            assert_eq!(known.next(), Version::V311);
            known.over();
            assert!(!known.failed(&Ended::TimedOut(core::time::Duration::ZERO)));
        }
    }

    #[test]
    fn a_broker_that_only_hangs_up_is_asked_in_turn_and_never_twice_without_a_rest() {
        let mut known = Known::new(Protocol::Auto);
        for version in [Version::V5, Version::V311, Version::V5, Version::V311] {
            assert_eq!(known.next(), version);
            assert!(!known.failed(&hung_up()), "a second attempt at once");
        }

        assert!(!known.failed(&hung_up()));
        known.worked();
        known.over();
        assert_eq!(known.next(), Version::V5, "one accident, and 3.1.1 for ever");

        assert!(known.failed(&hung_up()), "a rest before what has worked here");
        assert_eq!(known.next(), Version::V311);
    }

    #[test]
    fn a_broker_that_restarts_is_not_taken_for_one_without_5() {
        let mut known = Known::new(Protocol::Auto);
        known.worked();
        known.over();
        for _ in 0..3 {
            assert!(!known.failed(&hung_up()));
            assert_eq!(known.next(), Version::V5);
        }
        assert!(known.failed(&Ended::Refused(Reason::UNSUPPORTED_VERSION)), "another program");
    }

    #[test]
    fn a_refused_certificate_says_nothing_about_versions() {
        let mut known = Known::new(Protocol::Auto);
        assert!(!known.failed(&Ended::Unwelcome(ErrorKind::InvalidData.into())));
        assert!(!known.failed(&Ended::Refused(Reason::NOT_AUTHORIZED)));
        assert_eq!(known.next(), Version::V5);
    }

    #[test]
    fn a_version_that_was_chosen_is_the_only_one_tried() {
        for (wanted, version) in [(Protocol::V5, Version::V5), (Protocol::V311, Version::V311)] {
            let mut known = Known::new(wanted);
            assert!(!known.failed(&Ended::Refused(Reason::UNSUPPORTED_VERSION)));
            assert!(!known.failed(&hung_up()));
            assert_eq!(known.next(), version);
        }
    }
}

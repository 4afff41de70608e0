//! What is said of a store by those who cannot be written to with it.

use gateward_agent::proof::{Mistake, Report, Witness};

use super::super::folder::Unreadable;
use super::super::verify::{Asked, Keys, NotVerified, verify};
use super::super::witnesses::Said;
use super::proof::{INCARNATION, Store, store};
use super::*;

const ACCOUNT: Uuid = Uuid([0x11; 16]);

fn gateway(incarnation: u8) -> Kept {
    Kept::new(ACCOUNT, "edge-1", "plant-1", incarnation)
}

fn said(statuses: &[Vec<u8>], mark: Option<u64>) -> (Option<(u64, Witness)>, bool) {
    let said = Said::of(&gateway(1).enrolled, ACCOUNT, statuses, mark);

    (said.through, said.has_false_status)
}

#[test]
fn i9_the_furthest_of_both_witnesses_counts_and_records_without_a_receipt_do_not() {
    let gateway = gateway(1);
    assert_eq!(said(&[], None), (None, false));
    assert_eq!(said(&[gateway.status(9, 9)], Some(0)), (None, false), "nothing was receipted");
    let both = [gateway.status(40, 9), gateway.status(42, 22)];
    assert_eq!(said(&both, None), (Some((31, Witness::Gateway)), false));
    assert_eq!(said(&both, Some(30)), (Some((31, Witness::Gateway)), false));
    assert_eq!(said(&both, Some(32)), (Some((32, Witness::Mark)), false));
}

#[test]
fn what_a_gateway_said_before_it_was_enrolled_again_proves_nothing_and_is_no_tampering() {
    let before = gateway(2).status(40, 0);
    assert_eq!(said(&[before], None), (None, false), "with another key");
    let same_key = Kept { key: gateway(1).key, ..gateway(2) };
    let before = same_key.status(40, 0);
    assert_eq!(said(&[before], Some(3)), (Some((3, Witness::Mark)), false));
}

#[test]
fn i9_a_status_of_this_enrolment_that_the_gateway_has_not_signed_is_told_and_proves_nothing() {
    let good = gateway(1).status(40, 0);
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let other = Kept { key: gateway(2).key, ..gateway(1) };
    let forged =
        [altered, good[1..].to_vec(), other.status(40, 0), Vec::new(), vec![0; SEALED_LEN]];
    for forged in forged {
        assert_eq!(said(&[forged], None), (None, true));
    }
}

impl Store {
    fn reports(&self, only: Option<&str>) -> Result<Vec<(String, Report)>, NotVerified> {
        verify(&self.audit(), &Asked { keys: Some(&self.keys), only, ..Asked::default() })
    }

    fn wrong(&self) -> Vec<Mistake> {
        let [(_, report)] = &self.reports(None).unwrap()[..] else { panic!("one gateway") };

        report.mistakes.found().to_vec()
    }

    fn says(&self, status: &[u8]) {
        let path = self.audit().join("status");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("edge-7a"), status).unwrap();
    }
}

#[test]
fn i9_a_folder_cut_short_with_all_that_the_collector_counts_is_told_by_what_the_gateway_signed() {
    let store = store();
    store.kept.save(&store.audit());
    store.says(&store.kept.status(33, 3));
    assert_eq!(store.wrong(), []);

    let cut = |through| Mistake::CutShort {
        incarnation: INCARNATION,
        found: through,
        through: 30,
        by: Witness::Gateway,
    };
    let mut shorter = Kept::new(store.kept.account, "edge-7a", "plant-7", 1);
    shorter.batches = store.kept.batches[..2].to_vec();
    shorter.lines = store.kept.lines[..20].to_vec();
    shorter.save(&store.audit());
    assert_eq!(store.wrong(), [cut(20)]);
    for file in ["edge-7a.batches", "edge-7a.jsonl"] {
        fs::remove_file(store.audit().join(file)).unwrap();
    }
    assert_eq!(store.wrong(), [cut(0)], "nothing is there any more");
    assert_eq!(store.reports(Some("edge-7a")).unwrap().len(), 1, "asked for by its name");

    let mut forged = store.kept.status(33, 33);
    *forged.last_mut().unwrap() ^= 1;
    store.says(&forged);
    assert_eq!(store.wrong(), [Mistake::FalseStatus(INCARNATION)]);
}

#[test]
fn a_gateway_of_which_nothing_is_held_or_was_is_listed_and_no_mistake() {
    let mut store = store();
    store.kept.save(&store.audit());
    let other = Kept::new(store.kept.account, "edge-7b", "plant-7", 3);
    let policy = store.temp.path().join("acme");
    other.enrolled.save(&policy).unwrap();
    store.keys = Keys::load(&policy).unwrap();

    let reports = store.reports(None).unwrap();
    let [(_, held), (name, nothing)] = &reports[..] else { panic!("two gateways") };
    assert!(held.mistakes.is_empty() && held.end.is_some());
    assert_eq!((name.as_str(), &nothing.end, nothing.open), ("edge-7b", &None, false));
    assert!(nothing.mistakes.is_empty());
    let named = store.reports(Some("edge-7b"));
    let none = matches!(named, Err(NotVerified::Unreadable(Unreadable::NoSuchGateway { .. })));
    assert!(none, "asked for by its name, that is a mistake of whoever asks");
}

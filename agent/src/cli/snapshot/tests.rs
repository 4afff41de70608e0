//! What is printed of a snapshot.

use gateward_core::time::TimeQuality;
use gateward_core::trust::Now;

use super::*;
use crate::store::Place;
use crate::store::testing::{ACCOUNT, Authority, GROUP, T0};

#[test]
fn what_is_in_force_is_described_and_what_is_damaged_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let place = Place {
        account: ACCOUNT,
        group: GROUP.into(),
        dir: dir.path().into(),
        anchor: authority.key_set(),
    };
    let now = Now { at: T0.plus(60), quality: TimeQuality::Synced, backed: T0.plus(60) };
    let (mut store, _) = Store::open(place.clone(), &now).unwrap();
    let published = authority.publish(4, 20);
    let (manifest, _) = store.admit(&published.envelope, &now).unwrap();
    store.begin(&manifest, &published.list(&manifest)).unwrap();
    for index in 0..manifest.chunk_count() {
        store.keep_chunk(index, published.chunk(index)).unwrap();
    }
    store.commit(&manifest, &published.envelope, &now).unwrap();

    let look = Store::read_only(&place).unwrap();
    let verified = look.slots[0].content.as_ref().unwrap();
    let text = Summary::new(&verified.view(), Some(verified.manifest())).to_string();
    assert!(text.contains("version     4 under key set 1"), "{text}");
    assert!(text.contains("tokens      20"), "{text}");
    assert!(text.contains("ana.ruiz  user, 0 permissions, 1 divisions"), "{text}");
    assert!(Report::new(&look).slots[0].in_force);

    let file = dir.path().join("snapshot/a/file");
    let mut bytes = fs::read(&file).unwrap();
    bytes[200] ^= 1;
    fs::write(&file, bytes).unwrap();
    let report = Report::new(&Store::read_only(&place).unwrap());
    assert!(!report.slots[0].in_force);
    assert_eq!(report.problems.len(), 1, "{report}");
}

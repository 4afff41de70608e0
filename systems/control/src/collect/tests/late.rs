//! Records that allowed something after it had been revoked.

use std::fs;

use super::*;
use crate::collect::late::{Late, Use};
use crate::revocations::{Id, Revocations};

fn used(seq: u64, at: u64, token: Option<gateward_core::token::Lookup>, principal: u8) -> Use {
    Use::new((seq, 7), at, token, (Some(Uuid([principal; 16])), "ana"))
}

#[test]
fn b10_only_what_was_used_between_its_revocation_and_its_return_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    let token = gateward_core::token::Lookup { kind: 1, id: 5 };
    let principal = Id::Principal(Uuid([2; 16]));
    let lines = format!(
        "{} revoked 100\n{} restored 200\n{principal} revoked 300\n",
        Id::Token(token),
        Id::Token(token)
    );
    let mut late = Late::new(dir.path(), ACCOUNT);
    let uses = [
        used(1, 99, Some(token), 1),
        used(2, 100, Some(token), 1),
        used(3, 199, Some(token), 1),
        used(4, 200, Some(token), 1),
        used(5, 299, None, 2),
        used(6, 301, Some(token), 2),
    ];
    assert!(late.uses(&uses).is_empty(), "nothing was ever revoked");

    // It is read again when it has changed.
    fs::write(Revocations::path(dir.path()), lines).unwrap();
    let listed: Vec<_> = late.uses(&uses).iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().any(|one| one.contains("2 times") && one.contains("records 2 to 3")));
    assert!(listed.iter().any(|one| one.contains("1 times") && one.contains("records 6 to 6")));
}

#[test]
fn a_damaged_list_of_revocations_stops_no_collecting_and_what_was_known_still_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = Revocations::path(dir.path());
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::write(&path, format!("{} revoked 1\n", Id::Account(ACCOUNT))).unwrap();
    let mut late = Late::new(dir.path(), ACCOUNT);
    assert_eq!(late.uses(&[used(1, 5_000, None, 1)]).len(), 1);

    fs::write(&path, "rubbish").unwrap();
    assert_eq!(late.uses(&[used(2, 5_000, None, 1)]).len(), 1);
    assert!(path.exists(), "whoever holds the lock sets it aside");
    fs::write(&path, "").unwrap();
    assert_eq!(late.uses(&[used(3, 5_000, None, 1)]).len(), 0, "read again once it is whole");
}

#[test]
fn each_late_use_is_an_event_however_often_there_was_one() {
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy");
    fs::create_dir_all(policy.join("state")).unwrap();
    fs::write(Revocations::path(&policy), format!("{} revoked 1\n", Id::Account(ACCOUNT))).unwrap();
    let mut late = Late::new(&policy, ACCOUNT);
    let mut store = Folder::open(&dir.path().join("audit")).unwrap();
    for seq in 1..=3 {
        for trouble in late.uses(&[used(seq, 5_000, None, 1)]) {
            assert!(store.write_event("edge-1", &trouble, NOW).unwrap());
        }
    }
    let text = fs::read_to_string(dir.path().join("audit/events.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2]["event"], "used_after_revocation");
    assert_eq!(
        (&events[2]["first"], &events[2]["account_id"]),
        (&3.into(), &ACCOUNT.to_string().into())
    );
    assert_eq!(
        (&events[2]["gateway"], &events[2]["snapshot_version"]),
        (&"edge-1".into(), &7.into())
    );
}

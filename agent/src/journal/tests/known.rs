//! What is believed of the key file and the mark where somebody else wrote them, or took them.

use super::slots::Slots;
use super::*;

/// A slot file whose checksum is right, whoever wrote it.
fn forge(path: &Path, number: u64) {
    let (mut slots, _) = Slots::open(&Real, path, identity().incarnation).unwrap();
    slots.write(number, &[6; 32]).unwrap();
}

#[tokio::test]
async fn i9_a_forged_mark_far_ahead_of_every_record_is_set_aside_and_no_key_is_followed_there() {
    for (far, with_key) in
        [(1 << 31, false), (1 << 47, false), (1 << 31, true), ((1 << 20) + 4, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1, 3).await;
        if !with_key {
            fs::remove_file(folder.path().join("key")).unwrap();
        }
        forge(&folder.path().join("mark"), far);

        // Following the keys that far would take this test minutes, or a year.
        let opened = open(folder.path(), 2);
        let damaged = vec![folder.path().join("mark.damaged")];
        assert_eq!(opened.recovered, Recovered { last: 3, damaged, ..Recovered::default() });
        // 4 is the event that says so.
        assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 5);
        close(opened).await;
        last_key(folder.path(), 5);
        let again = open(folder.path(), 3);
        assert_eq!(again.recovered, Recovered { last: 5, ..Recovered::default() }, "mended once");
        close(again).await;
    }
}

#[tokio::test]
async fn records_too_far_from_any_key_are_kept_and_the_journal_owns_up_to_its_lost_key() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 3).await;
    let bytes = fs::read(only_segment(folder.path())).unwrap();
    fs::remove_file(only_segment(folder.path())).unwrap();
    fs::remove_file(folder.path().join("key")).unwrap();
    let first = 1 << 31;
    let head = SegmentHead { first, ..SegmentHead::decode(&bytes).unwrap() };
    let mut segment = head.encode().to_vec();
    let mut buffer = [0; gateward_core::audit::MAX_RECORD];
    let len = draft().record(first, 1, 0).encode(&mut buffer).unwrap();
    let tag = [0; gateward_core::audit::TAG_LEN];
    Frame { record: &buffer[..len], tag }.write(&mut segment);
    fs::write(segment_path(folder.path(), first), segment).unwrap();
    forge(&folder.path().join("mark"), first);

    let opened = open(folder.path(), 2);
    let lost_key = true;
    assert_eq!(opened.recovered, Recovered { last: first, lost_key, ..Recovered::default() });
    assert_eq!(opened.journal.append(draft()).await.unwrap().seq, first + 2);
    close(opened).await;
    let mut said = Vec::new();
    walk(folder.path(), |_, record, _| said.extend(record.resource.map(str::to_owned))).unwrap();
    assert_eq!(said, ["key"], "the event");
    let again = open(folder.path(), 3).recovered;
    assert_eq!(again, Recovered { last: first + 2, lost_key, ..Recovered::default() }, "each time");
}

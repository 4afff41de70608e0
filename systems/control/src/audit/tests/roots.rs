//! Which snapshot decided is in every line, also where it changes in the middle of a segment.

use gateward_agent::identity::Identity;
use gateward_agent::journal::{Draft, Durability, Journal, Options, Reader, Stamp, walk};
use gateward_agent::upload::batch::Batch;
use gateward_core::audit::{Event, Outcome};
use gateward_core::decide::Reason;
use gateward_core::trust::GatewayId;

use super::*;

fn named(number: u64) -> SnapshotName {
    SnapshotName { epoch: 1, number, root: [u8::try_from(number).unwrap(); 32] }
}

#[tokio::test]
async fn every_record_names_the_root_that_decided_it_through_a_change_in_mid_segment() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("audit");
    let mut kept = Kept::new(Uuid([0x11; 16]), "edge-7a", "plant-7", 1);
    let identity = Identity {
        gateway: "edge-7a".to_owned(),
        incarnation: kept.enrolled.incarnation,
        key: kept.key.clone(),
        audit: kept.ratchet.clone(),
    };
    let options = Options {
        account: Uuid([7; 16]),
        sync: Durability::Group,
        max_bytes: 1 << 20,
        drop_oldest: false,
        boot: 1,
        now: Stamp::default(),
    };
    let gateway: GatewayId = kept.origin().gateway;
    let opened = Journal::open(&folder, gateway, &identity, options).unwrap();
    for number in 1..=3 {
        let accepted = Draft {
            snapshot: Some(named(number)),
            snapshot_version: number,
            ..Draft::event(Event::SnapshotInForce, Stamp::default(), "")
        };
        opened.journal.append(accepted).await.unwrap();
        for _ in 0..3 {
            let allow = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
            let allow = Draft { snapshot_version: number, ..allow };
            opened.journal.append(allow).await.unwrap();
        }
    }
    drop(opened.journal);
    opened.done.await.unwrap().unwrap();

    // As `tail` and `export` show it, as it is sent, and as the collector makes its lines.
    let origin = kept.origin();
    let mut shown = Vec::new();
    walk(&folder, |_, record, (head, snapshot)| {
        shown.push(Line::of(record, &origin, snapshot, head).to_json());
    })
    .unwrap();
    let mut sent = Vec::new();
    let mut reader = Reader::head_after(&folder, 1).map(|_| ()).map(|()| Vec::new()).unwrap();
    walk(&folder, |_, record, _| reader.push(record.seq)).unwrap();
    let mut records = Vec::new();
    walk(&folder, |_, record, (_, _)| {
        let mut buffer = [0; MAX_RECORD];
        let len = record.encode(&mut buffer).unwrap();
        records.push(buffer[..len].to_vec());
    })
    .unwrap();
    let decoded: Vec<_> = records.iter().map(|bytes| Record::decode(bytes).unwrap()).collect();
    kept.write(&decoded);
    let batch = Batch::decode(&kept.batches[0]).unwrap();
    batch
        .walk(|entry| {
            sent.push(Line::of(&entry.record, &origin, entry.snapshot, &entry.head).to_json())
        })
        .unwrap();

    assert_eq!(shown, sent);
    assert_eq!(shown, kept.lines);
    let decisions: Vec<_> = shown
        .iter()
        .map(|line| Line::parse(line).unwrap())
        .filter(|line| !line.is_event())
        .collect();
    assert_eq!(decisions.len(), 9);
    for line in decisions {
        let number = line.snapshot_version.unwrap();
        let root = format!("{number:02x}").repeat(32);
        assert_eq!(line.snapshot_root.as_deref(), Some(root.as_str()));
    }
}

//! A journal that is opened on a folder of which somebody else wrote a part.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gateward_agent::identity::Identity;
use gateward_agent::journal::{
    self, Draft, Durability, Journal, NotRead, Options, Recovered, Stamp,
};
use gateward_core::audit::{Event, Ratchet};
use gateward_core::trust::SigningKey;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::framed;
use crate::Input;
use crate::cast::{GATEWAY, INCARNATION};

/// More pieces than the longest input has records.
const MANY: usize = 4_096;

/// Opens, reads, writes and opens again: what was mended stays mended, and the chain can be followed.
pub(super) fn opened(mut input: Input<'_>) {
    let folder = folder();
    for name in ["key", "mark", "share"] {
        if input.byte() & 1 == 1 {
            let slot = slot(&mut input);
            fs::write(folder.path().join(name), slot).expect("a file in a folder of ours");
        }
    }
    let (first, mut bytes) = framed(&mut input);
    let named = if input.byte() & 15 == 15 { first ^ 1 } else { first };
    bytes.truncate(bytes.len() - usize::from(input.byte() & 63));
    fs::write(segment(folder.path(), named), bytes).expect("a file in a folder of ours");
    let _sound_or_broken = journal::verify(folder.path());

    let before = used(folder.path());
    journal::verify(folder.path()).expect("what was mended can be followed");
    let again = used(folder.path());
    // From there on the journal believes no number, and nobody writes as many records.
    let reached = before.gap.map_or(before.last, |(_, last)| last);
    if first.max(reached).max(again.last) < 1 << 47 {
        assert_eq!((again.cut, again.damaged, again.gap), (0, Vec::new(), None), "mended twice");
    }
}

/// Opens the journal, reads all of it, and leaves a record there.
fn used(folder: &Path) -> Recovered {
    let options = Options {
        account: gateward_core::name::Uuid([7; 16]),
        sync: Durability::Group,
        max_bytes: 1 << 20,
        drop_oldest: false,
        boot: 1,
        now: Stamp::default(),
    };
    let opened = Journal::open(folder, GATEWAY, &identity(), options).expect("a folder of ours");
    let records = opened.journal.records();
    assert!(opened.journal.note(Draft::event(Event::Start, Stamp::default(), "")));
    drop(opened.journal);
    opened
        .done
        .blocking_recv()
        .expect("the journal's thread ended by itself")
        .expect("all is on disk");
    let status = records.status();
    assert!(status.seq > opened.recovered.last, "a journal that writes nothing");
    let mut reader = records.reader(1);
    for _ in 0..MANY {
        match reader.next(status.seq, 4_096) {
            Ok(Some(piece)) => assert!(piece.first <= piece.last && piece.last <= status.seq),
            Ok(None) => return opened.recovered,
            Err(NotRead::Damaged { next: Some(_), .. }) => {}
            Err(other) => panic!("what was mended cannot be read: {other}"),
        }
    }
    panic!("reading does not end");
}

fn identity() -> Identity {
    Identity {
        gateway: "edge".to_owned(),
        incarnation: INCARNATION,
        key: SigningKey::from_bytes(&[1; 32]),
        audit: Ratchet::new([2; 32]),
    }
}

/// A file of two slots of which one is good.
fn slot(input: &mut Input<'_>) -> Vec<u8> {
    let number = if input.byte() < 192 { u64::from(input.byte()) } else { input.u64() };
    let mut slot = number.to_le_bytes().to_vec();
    slot.extend([input.byte(); 32]);
    slot.extend(INCARNATION.0);
    slot.extend([0; 8]);
    let sum = Sha256::digest(&slot);
    slot.extend(sum.iter().take(8));

    slot
}

fn segment(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.seg"))
}

/// A folder in memory where there is one, because a million of them are made.
fn folder() -> TempDir {
    static PARENT: OnceLock<PathBuf> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let parent = PARENT.get_or_init(|| match TempDir::new_in(memory) {
        Ok(_) => memory.to_owned(),
        Err(_) => std::env::temp_dir(),
    });

    TempDir::new_in(parent).expect("a folder")
}

//! What `verify` says of a store that is whole, and of every way in which it can be tampered with.

use gateward_agent::proof::{Mistake, Witness};
use gateward_core::audit::{Event, Outcome};
use gateward_core::decide::Reason;
use tempfile::TempDir;

use super::super::verify::{Asked, Keys, verify, verify_file};
use super::*;
use crate::keys::{self, NewAccount};
use crate::testing::NOW;

pub(super) struct Store {
    pub(super) temp: TempDir,
    pub(super) keys: Keys,
    pub(super) kept: Kept,
}

fn allow() -> Record<'static> {
    Record { resource: Some("pump/1"), ..Record::new(Outcome::Allow(Reason::Ok)) }
}

fn start() -> Record<'static> {
    let snapshot = Some(SnapshotName { epoch: 1, number: 7, root: [9; 32] });

    Record { snapshot, ..Record::new(Outcome::Event(Event::Start)) }
}

/// Three batches of ten.
pub(super) fn store() -> Store {
    let temp = tempfile::tempdir().unwrap();
    let policy = temp.path().join("acme");
    let name = "Acme".to_owned();
    let new = NewAccount { dir: policy.clone(), name, roots: None, now_ms: NOW.0 * 1000 };
    let account = keys::init(&new).unwrap().account;
    let mut kept = Kept::new(account, "edge-7a", "plant-7", 1);
    kept.enrolled.save(&policy).unwrap();
    for _ in 0..3 {
        let mut records = vec![start()];
        records.extend([allow(); 9]);
        kept.write(&records);
    }
    fs::create_dir(temp.path().join("audit")).unwrap();
    let keys = Keys::load(&policy).unwrap();

    Store { temp, keys, kept }
}

impl Store {
    pub(super) fn audit(&self) -> std::path::PathBuf {
        self.temp.path().join("audit")
    }

    /// What is wrong, with keys and without.
    fn mistakes(&self) -> (Vec<Mistake>, Vec<Mistake>) {
        self.kept.save(&self.audit());
        self.mistakes_on_disk()
    }

    fn mistakes_on_disk(&self) -> (Vec<Mistake>, Vec<Mistake>) {
        let of = |keys| {
            let reports = verify(&self.audit(), &Asked { keys, ..Asked::default() }).unwrap();
            let [(name, report)] = &reports[..] else { panic!("one gateway") };
            assert_eq!(name, "edge-7a");
            report.mistakes.found().to_vec()
        };

        (of(Some(&self.keys)), of(None))
    }

    const INCARNATION: Incarnation = Incarnation([1; 8]);
}

pub(super) const INCARNATION: Incarnation = Store::INCARNATION;

/// Makes a batch anew as somebody can who holds no key: its chain fits, its tags do not.
fn rewritten(kept: &Kept, at: usize, change: impl Fn(u64, &mut Record<'_>) -> bool) -> Kept {
    let mut other = Kept::new(kept.account, "edge-7a", "plant-7", 1);
    other.key = SigningKey::from_bytes(&[0xee; 32]);
    other.ratchet = Ratchet::new([0xee; 32]);
    let mut seq = 0;
    for batch in 0..kept.batches.len() {
        let mut records = vec![start()];
        records.extend([allow(); 9]);
        let mut kept_records = Vec::new();
        for mut record in records {
            seq += 1;
            if batch != at || change(seq, &mut record) {
                kept_records.push(record);
            }
        }
        other.write(&kept_records);
    }

    other
}

#[test]
fn a_store_that_is_whole_is_said_to_be_with_all_that_was_looked_at() {
    let store = store();
    assert_eq!(store.mistakes(), (vec![], vec![]));

    let reports =
        verify(&store.audit(), &Asked { keys: Some(&store.keys), ..Asked::default() }).unwrap();
    let seen = reports[0].1.seen;
    assert_eq!((seen.records, seen.checkpoints, seen.tags, seen.unsigned), (30, 3, 30, 0));
    let reports =
        verify(&store.audit(), &Asked { only: Some("edge-7a"), ..Asked::default() }).unwrap();
    let seen = reports[0].1.seen;
    assert_eq!((seen.records, seen.checkpoints, seen.tags, seen.unsigned), (30, 0, 0, 3));
    assert!(verify(&store.audit(), &Asked { only: Some("edge-9"), ..Asked::default() }).is_err());
}

#[test]
fn i9_every_field_of_a_line_that_is_altered_is_named_with_its_record() {
    let store = store();
    store.kept.save(&store.audit());
    let path = store.audit().join("edge-7a.jsonl");
    let line: serde_json::Map<_, _> = serde_json::from_str(&store.kept.lines[13]).unwrap();
    for field in line.keys() {
        let mut altered = line.clone();
        let value = if line[field].is_string() { "x".into() } else { 99.into() };
        altered.insert(field.clone(), value);
        let mut lines = store.kept.lines.clone();
        // In the order of the contract, as one who forges would write it.
        lines[13] = serde_json::to_string(&altered).unwrap();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let (with, without) = store.mistakes_on_disk();

        let told = match field.as_str() {
            // Then it is another record's line, and the record's own is missing.
            "seq" | "decision_id" => with.iter().any(|mistake| {
                matches!(mistake, Mistake::Removed { first: 14, .. } | Mistake::Added { line: 14 })
            }),
            _ => {
                with == [Mistake::Altered {
                    incarnation: INCARNATION,
                    number: 14,
                    fields: vec![field.clone()],
                }] || with.contains(&Mistake::Added { line: 14 })
            }
        };
        assert!(told, "{field}: {with:?}");
        assert_eq!(with, without);
    }
}

#[test]
fn i9_lines_that_are_removed_added_doubled_or_exchanged_are_named() {
    let store = store();
    store.kept.save(&store.audit());
    let path = store.audit().join("edge-7a.jsonl");
    let tampered = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = store.kept.lines.clone();
        change(&mut lines);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        store.mistakes_on_disk().0
    };
    let removed = |first, last| Mistake::Removed { incarnation: INCARNATION, first, last };

    assert_eq!(tampered(&|lines| drop(lines.drain(3..6))), [removed(4, 6)]);
    assert_eq!(tampered(&|lines| lines.truncate(25)), [removed(26, 30)]);
    assert_eq!(tampered(&|lines| lines.insert(5, lines[2].clone())), [Mistake::Added { line: 6 }]);
    assert_eq!(
        tampered(&|lines| lines.insert(5, "{\"seq\":6}".to_owned())),
        [Mistake::Added { line: 6 }]
    );
    assert_eq!(tampered(&|lines| lines.push(lines[29].clone())), [Mistake::Added { line: 31 }]);
    assert_eq!(tampered(&|lines| lines.swap(7, 8)), [removed(8, 8), Mistake::Added { line: 9 }]);
}

#[test]
fn i9_a_history_written_anew_without_the_key_is_seen_by_its_tags_and_its_checkpoints() {
    let mut store = store();
    store.kept = rewritten(&store.kept, 1, |seq, record| {
        record.resource = Some(if seq == 14 { "pump/9" } else { "pump/1" });
        true
    });
    let (with, without) = store.mistakes();
    let tags = Mistake::Tag { incarnation: INCARNATION, first: 1, last: 10 };

    // The heads fit, so only who holds the keys sees it.
    assert_eq!(without, []);
    assert!(with.contains(&tags), "{with:?}");
    let checkpoints = with.iter().filter(|mistake| matches!(mistake, Mistake::Checkpoint { .. }));
    assert_eq!(checkpoints.count(), 3);
}

#[test]
fn i9_a_batch_removed_exchanged_doubled_or_cut_is_named_with_the_numbers() {
    let missing = |first, last| Mistake::Missing { incarnation: INCARNATION, first, last };
    let tampered = |change: &dyn Fn(&mut Kept)| {
        let mut store = store();
        change(&mut store.kept);
        store.mistakes().0
    };
    let removed = tampered(&|kept| {
        kept.batches.remove(1);
        kept.lines.drain(10..20);
    });
    assert_eq!(removed, [missing(11, 20)]);

    let first = tampered(&|kept| {
        kept.batches.remove(0);
        kept.lines.drain(..10);
    });
    assert_eq!(first, [missing(1, 10)]);

    let swapped = tampered(&|kept| kept.batches.swap(1, 2));
    assert!(swapped.contains(&missing(11, 20)), "{swapped:?}");
    assert!(
        swapped.iter().any(|one| matches!(one, Mistake::Repeated { batch: 3, .. })),
        "{swapped:?}"
    );

    let doubled = tampered(&|kept| kept.batches.push(kept.batches[2].clone()));
    assert_eq!(doubled, []);

    let mut store = store();
    store.kept.save(&store.audit());
    let path = store.audit().join("edge-7a.batches");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let (with, _) = store.mistakes_on_disk();
    assert!(with.iter().any(|one| matches!(one, Mistake::File { batch: 2, .. })), "{with:?}");
    assert!(with.contains(&Mistake::Added { line: 21 }), "{with:?}");

    store.kept.batches.clear();
    fs::remove_file(&path).unwrap();
    assert_eq!(store.mistakes_on_disk().0, [Mistake::Unproved { lines: 30 },].to_vec());
}

#[test]
fn i9_any_flipped_bit_of_the_batches_is_seen() {
    let store = store();
    store.kept.save(&store.audit());
    let path = store.audit().join("edge-7a.batches");
    let whole = fs::read(&path).unwrap();
    // Every bit of the framing of the first batch, and every 7th of the rest.
    for bit in (0..1_600).chain((1_600..whole.len() * 8).step_by(7)) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        let (with, _) = store.mistakes_on_disk();
        let is_told = !with.is_empty() || same_records(&whole, &bytes);
        assert!(is_told, "bit {bit}");
    }
}

/// What nobody reads a difference from: the snapshot that a batch names, and how it was compressed.
fn same_records(one: &[u8], other: &[u8]) -> bool {
    let records = |bytes: &[u8]| {
        let mut all = Vec::new();
        let read = gateward_agent::upload::stick::read::<gateward_agent::upload::stick::BadStick>(
            bytes,
            |message| {
                let batch = batch::Batch::decode(message).unwrap();
                batch.walk(|entry| all.push((entry.bytes.to_vec(), entry.tag))).unwrap();
                Ok(())
            },
        );
        read.map(|()| all).ok()
    };

    records(one).is_some() && records(one) == records(other)
}

#[test]
fn a_gap_that_a_record_owns_up_to_is_told_and_is_no_mistake() {
    let mut store = store();
    store.kept.batches.remove(1);
    store.kept.lines.drain(10..20);
    let gap = Record { span: Some((11, 20)), ..Record::new(Outcome::Event(Event::Gap)) };
    store.kept.write(&[gap]);
    assert_eq!(store.mistakes(), (vec![], vec![]));

    let reports =
        verify(&store.audit(), &Asked { keys: Some(&store.keys), ..Asked::default() }).unwrap();
    assert_eq!(reports[0].1.gaps, [(11, 20)]);
    assert!(reports[0].1.to_string().contains("recorded gap: 11 to 20"));
}

#[test]
fn a_gateway_enrolled_again_begins_anew_behind_what_it_wrote_before() {
    let mut store = store();
    let mut again = Kept::new(store.kept.account, "edge-7a", "plant-7", 2);
    again.write(&[start(), allow()]);
    store.kept.batches.extend(again.batches.clone());
    store.kept.lines.extend(again.lines.clone());
    let (with, without) = store.mistakes();
    assert_eq!(without, []);
    // Of an enrolment that nothing is known of, nothing is proved.
    assert_eq!(with, [Mistake::Unknown(again.enrolled.incarnation)]);

    store.kept.lines.remove(29);
    let removed = Mistake::Removed { incarnation: INCARNATION, first: 30, last: 30 };
    assert_eq!(store.mistakes().1, [removed]);
    store.kept.batches.push(store.kept.batches[2].clone());
    assert!(store.mistakes().1.iter().any(|one| matches!(one, Mistake::Astray { batch: 5, .. })));
}

#[test]
fn an_export_of_a_gateway_is_proved_from_where_it_begins() {
    let mut store = store();
    store.kept.batches.remove(0);
    let path = store.temp.path().join("carried");
    fs::write(&path, store.kept.batches_file()).unwrap();
    let report = verify_file(&path, Some(&store.keys)).unwrap();
    assert!(report.mistakes.is_empty(), "{report}");
    assert_eq!((report.seen.tags, report.seen.checkpoints), (20, 2));

    fs::write(&path, b"GWDAUDB").unwrap();
    assert!(!verify_file(&path, None).unwrap().mistakes.is_empty());
    assert!(verify_file(Path::new("/nowhere"), None).is_err());
}

#[test]
fn a_number_in_a_file_costs_no_hours() {
    let mut store = store();
    store.kept.seq = u64::MAX / 2;
    store.kept.write(&[allow()]);
    let (with, _) = store.mistakes();
    assert!(with.iter().any(|one| matches!(one, Mistake::TooFar { .. })), "{with:?}");
}

#[test]
fn i9_a_store_cut_short_at_its_end_or_grown_behind_what_is_counted_is_told() {
    let store = store();
    store.kept.save(&store.audit());
    let [batches, lines] =
        ["edge-7a.batches", "edge-7a.jsonl"].map(|name| store.audit().join(name));
    let len = |path: &Path| fs::metadata(path).unwrap().len();
    let incarnation = INCARNATION;
    let open = || {
        let report = &verify(&store.audit(), &Asked::default()).unwrap()[0].1;
        (report.open, report.to_string().contains("a tail that was cut off is not seen"))
    };
    assert_eq!(open(), (true, true), "a copy of the files without what the collector counts");
    let state = format!(
        "gateward-collected 2\nincarnation {incarnation}\nthrough 30\nhead {}\naudit {}\nbytes {}\nbatches {}\n",
        store.kept.head,
        "00".repeat(32),
        len(&lines),
        len(&batches)
    );
    crate::secret::make_folder(&store.audit().join("state")).unwrap();
    crate::secret::write(&store.audit().join("state/edge-7a.held"), &state).unwrap();
    assert_eq!(store.mistakes_on_disk(), (vec![], vec![]));
    assert_eq!(open(), (false, false));

    let more = store.kept.lines_file() + &store.kept.lines[4] + "\n";
    fs::write(&lines, more).unwrap();
    assert_eq!(store.mistakes_on_disk().0, [Mistake::Uncounted]);

    // Both files end earlier, as if the rest had never been: only the count tells.
    let mut cut = rewritten(&store.kept, 9, |_, _| true);
    (cut.batches, cut.lines) = (store.kept.batches[..2].to_vec(), store.kept.lines[..20].to_vec());
    cut.save(&store.audit());
    let short = Mistake::CutShort { incarnation, found: 20, through: 30, by: Witness::Receipts };
    assert_eq!(store.mistakes_on_disk().0, [short]);
}

#[test]
fn what_was_forgotten_on_purpose_before_the_first_batch_is_no_mistake_and_what_is_missing_later_is()
{
    let store = store();
    let report = |kept: &Kept, begins_later| {
        kept.save(&store.audit());
        let asked = Asked { keys: Some(&store.keys), begins_later, only: None };
        verify(&store.audit(), &asked).unwrap().swap_remove(0).1
    };
    let mistakes = |kept: &Kept, begins_later| report(kept, begins_later).mistakes.found().to_vec();
    let mut kept = rewritten(&store.kept, 9, |_, _| true);
    // The lines went by another month than the batches: some are left over, or some are gone.
    for first_line in [5, 10, 15] {
        kept.batches = store.kept.batches[1..].to_vec();
        kept.lines = store.kept.lines[first_line..].to_vec();
        assert!(!mistakes(&kept, false).is_empty(), "nobody said so");
        assert_eq!(mistakes(&kept, true), [], "{first_line}");
        // Whoever put them there could have put anything.
        let unproved = 10_u64.saturating_sub(first_line as u64);
        let (of, text) = (report(&kept, true), "lines or rows stand before that");
        assert_eq!((of.unproved, of.to_string().contains(text)), (unproved, unproved > 0));
        assert_eq!(report(&kept, false).unproved, 0, "each of them is a mistake then");
        kept.lines.remove(20 - first_line);
        let removed = Mistake::Removed { incarnation: INCARNATION, first: 21, last: 21 };
        assert_eq!(mistakes(&kept, true), [removed]);
    }
}

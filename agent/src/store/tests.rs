//! The state folder under everything that may happen to it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateward_core::time::{TimeQuality, UnixSeconds};

use super::testing::{ACCOUNT, Authority, GROUP, Published, T0};
use super::*;

mod bundle;
mod delta;
mod floor;
mod power;
mod revoked;
mod theft;

#[test]
fn h1_a_first_start_has_nothing_in_force_and_says_so() {
    let home = Home::new();
    let (store, opened) = home.open();

    assert!(store.current().borrow().is_none());
    assert_eq!(opened.floor, FloorState::First);
    assert_eq!(opened.problems, Vec::<String>::new());
    assert_eq!(opened.boot, 1);
}

#[test]
fn h15_snapshots_of_no_one_and_ten_thousand_tokens_are_put_in_force() {
    let home = Home::new();
    let (mut store, _) = home.open();
    for (version, tokens) in [(1, 0), (2, 1), (3, 10_000)] {
        install(&mut store, &home.authority.publish(version, tokens)).unwrap();
        assert_eq!(in_force(&store), Some(version));
        let current = store.current().borrow().clone().unwrap();
        assert_eq!(current.verified.view().token_count(), tokens);
    }
}

#[test]
fn a_restart_without_a_link_serves_the_same_snapshot() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(7, 3)).unwrap();
    drop(store);

    let (store, opened) = home.open();

    assert_eq!(in_force(&store), Some(7));
    assert_eq!(opened, Opened { boot: 2, floor: FloorState::Kept, problems: vec![] });
}

#[test]
fn a_second_agent_on_the_same_folder_is_told_so() {
    let home = Home::new();
    let (_first, _) = home.open();

    let second = Store::open(home.place(), &now());

    assert!(matches!(second, Err(OpenFailed::Locked { .. })), "{second:?}");
}

#[test]
fn h10_a_stop_at_every_step_of_a_switch_leaves_the_old_or_the_new_whole() {
    let (old, new) = {
        let authority = Authority::new();
        (authority.publish(1, 40), authority.publish(2, 90))
    };
    let mut seen = BTreeSet::new();
    for last in 0.. {
        let home = Home::new();
        let (mut store, _) = home.open();
        install(&mut store, &old).unwrap();
        drop(store);

        let stopped = home.stop_after(last, |store| install(store, &new)).is_none();

        let (mut store, opened) = home.open();
        let version = in_force(&store).expect("one of the two");
        assert!(opened.problems.is_empty(), "step {last}: {opened:?}");
        seen.insert(version);
        if version == 1 {
            install(&mut store, &new).unwrap();
        }
        assert_eq!(in_force(&store), Some(2));
        if !stopped {
            assert_eq!(version, 2);
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn deleting_the_cache_at_every_step_changes_no_verdict() {
    let authority = Authority::new();
    let (old, new) = (authority.publish(1, 40), authority.publish(2, 90));
    for last in 0..40 {
        let home = Home::new();
        let (mut store, _) = home.open();
        install(&mut store, &old).unwrap();
        drop(store);
        home.stop_after(last, |store| install(store, &new));
        let verdict = in_force(&home.open().0);

        fs::remove_dir_all(home.path("cache")).unwrap();

        let (mut store, _) = home.open();
        assert_eq!(in_force(&store), verdict);
        if verdict == Some(1) {
            install(&mut store, &new).unwrap();
        }
        assert_eq!(in_force(&store), Some(2));
    }
}

#[test]
fn a_store_without_a_cache_makes_none_and_serves_the_same() {
    let authority = Authority::new();
    let (old, new) = (authority.publish(1, 40), authority.publish(2, 90));
    let home = Home::new();
    let open = || Store::open_without_cache(home.place(), &now()).unwrap();
    let (mut store, opened) = open();
    install(&mut store, &old).unwrap();
    install(&mut store, &new).unwrap();
    store.keep_evidence("fork", b"a message");
    store.keep_time().unwrap();
    assert_eq!(opened.problems, Vec::<String>::new());
    drop(store);

    assert_eq!(in_force(&open().0), Some(2));
    assert!(!home.path("cache").exists());
    assert_eq!(in_force(&home.open().0), Some(2));
}

#[test]
fn h11_on_a_full_disk_the_old_snapshot_stays_and_the_new_one_comes_when_there_is_room() {
    let home = Home::new();
    let old = home.authority.publish(1, 40);
    let new = home.authority.publish(2, 90);
    let (mut store, _) = home.open();
    install(&mut store, &old).unwrap();
    drop(store);

    let full = Arc::new(AtomicUsize::new(1));
    let is_full = Arc::clone(&full);
    let watcher: Watcher = Arc::new(move |step| {
        let takes_room = matches!(step, Step::Create { .. } | Step::Write { .. });
        if takes_room && is_full.load(Ordering::Relaxed) == 1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let (mut store, opened) = Store::open_watched(home.place(), &now(), Some(watcher)).unwrap();
    assert_eq!(opened.problems.len(), 1, "{opened:?}");
    let failed = install(&mut store, &new);
    assert!(matches!(failed, Err(NotStored::Io(ref error)) if disk::is_full(error)), "{failed:?}");
    assert_eq!(in_force(&store), Some(1));

    full.store(0, Ordering::Relaxed);
    install(&mut store, &new).unwrap();
    assert_eq!(in_force(&store), Some(2));
}

#[test]
fn h12_whatever_is_damaged_the_agent_starts_serves_nothing_else_and_recovers() {
    let authority = Authority::new();
    let (old, new) = (authority.publish(1, 5), authority.publish(2, 6));
    let files = [
        "floor",
        "lock",
        "trust/keyset-1",
        "snapshot/a/file",
        "snapshot/a/manifest",
        "snapshot/a/list",
        "snapshot/b/file",
        "snapshot/b/manifest",
        "cache/policy/db",
    ];
    for file in files {
        for rubbish in [&b""[..], b"rubbish", &[0xff; 70_000]] {
            let home = Home::new();
            let (mut store, _) = home.open();
            install(&mut store, &old).unwrap();
            install(&mut store, &new).unwrap();
            drop(store);
            fs::write(home.path(file), rubbish).unwrap();

            let (mut store, _) = home.open();

            assert_ne!(in_force(&store), Some(1), "{file}");
            if in_force(&store).is_none() {
                install(&mut store, &new).unwrap();
            }
            assert_eq!(in_force(&store), Some(2), "{file}");
        }
    }
}

#[test]
fn h2_a_flipped_byte_at_rest_is_found_and_the_older_slot_is_not_served_instead() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let new = home.authority.publish(2, 9);
    install(&mut store, &home.authority.publish(1, 9)).unwrap();
    install(&mut store, &new).unwrap();
    let file = store.slot.file();
    drop(store);
    let mut bytes = fs::read(home.path(&file)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(home.path(&file), bytes).unwrap();

    let (mut store, opened) = home.open();

    assert_eq!(in_force(&store), None);
    assert_eq!(opened.problems.len(), 1, "{opened:?}");
    let (_, admission) = store.admit(&new.envelope, &now()).unwrap();
    assert_eq!(admission, Admission::Same);
    install(&mut store, &new).unwrap();
    assert_eq!(in_force(&store), Some(2));
}

#[test]
fn h6_the_same_manifest_again_is_the_same() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let one = home.authority.publish(1, 9);
    install(&mut store, &one).unwrap();

    assert_eq!(store.admit(&one.envelope, &now()).unwrap().1, Admission::Same);
}

#[test]
fn chunks_that_did_not_change_are_taken_over_and_those_that_arrived_survive_a_restart() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let big = home.authority.publish(1, 3_000);
    let manifest = home.verify(&store, &big);
    let list = big.list(&manifest);
    assert_eq!(store.begin(&manifest, &list).unwrap(), Vec::<u32>::new());
    store.keep_chunk(1, big.chunk(1)).unwrap();
    store.keep_chunk(2, big.chunk(2)).unwrap();
    drop(store);

    let (mut store, _) = home.open();
    assert!(store.list_of(&manifest).is_some());
    assert_eq!(store.begin(&manifest, &list).unwrap(), [1, 2]);
    install(&mut store, &big).unwrap();

    let same = home.authority.publish(2, 3_000);
    let manifest = home.verify(&store, &same);
    let all: Vec<u32> = (0..manifest.chunk_count()).collect();
    assert_eq!(store.begin(&manifest, &same.list(&manifest)).unwrap(), all);
}

#[test]
fn h21_a_request_in_flight_keeps_the_snapshot_that_it_began_with() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 3)).unwrap();
    let request = store.current().borrow().clone().unwrap();

    install(&mut store, &home.authority.publish(2, 4)).unwrap();

    assert_eq!(request.verified.view().token_count(), 3);
    assert_eq!(store.current().borrow().as_ref().unwrap().verified.view().token_count(), 4);
}

#[test]
fn looking_changes_nothing_and_disturbs_no_agent() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 3)).unwrap();
    let before = fs::read(home.path("floor")).unwrap();

    let look = Store::read_only(&home.place()).unwrap();

    assert_eq!(look.problems, Vec::<String>::new());
    let served: Vec<_> = look.slots.iter().filter(|slot| slot.named).collect();
    assert_eq!(served.len(), 1);
    assert!(served[0].content.is_ok());
    assert_eq!(fs::read(home.path("floor")).unwrap(), before);
}

#[test]
fn nothing_in_force_is_written_over_before_the_new_one_is_whole() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 3)).unwrap();
    let in_force = store.slot.dir();
    drop(store);
    let touched: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let seen = Arc::clone(&touched);
    let watcher: Watcher = Arc::new(move |step| {
        if let Step::Write { path, .. } | Step::Remove(path) | Step::Create { path, .. } = step {
            seen.lock().unwrap().push(path.into());
        }
        Ok(())
    });

    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(watcher)).unwrap();
    install(&mut store, &home.authority.publish(2, 3)).unwrap();

    assert!(touched.lock().unwrap().iter().all(|path| !path.starts_with(in_force)));
}

/// A state folder and those who sign for it.
struct Home {
    dir: tempfile::TempDir,
    authority: Authority,
    anchor: Vec<u8>,
}

impl Home {
    fn new() -> Self {
        Self::of(Authority::new().key_set())
    }

    /// Enrolled with this key set.
    fn of(anchor: Vec<u8>) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), authority: Authority::new(), anchor }
    }

    fn place(&self) -> Place {
        Place {
            account: ACCOUNT,
            group: GROUP.into(),
            dir: self.dir.path().into(),
            anchor: self.anchor.clone(),
        }
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    fn open(&self) -> (Store, Opened) {
        Store::open(self.place(), &now()).unwrap()
    }

    fn verify(&self, store: &Store, published: &Published) -> Manifest {
        store.admit(&published.envelope, &now()).unwrap().0
    }

    /// Lets `steps` operations happen and then none, as though the agent were killed; none where
    /// that happened.
    fn stop_after<R>(
        &self,
        steps: usize,
        act: impl FnOnce(&mut Store) -> Result<R, NotStored>,
    ) -> Option<R> {
        let left = AtomicUsize::new(steps);
        let watcher: Watcher = Arc::new(move |_| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .map(drop)
                .map_err(|_| io::Error::other("the power is out"))
        });
        let (mut store, _) = Store::open_watched(self.place(), &now(), Some(watcher)).unwrap();

        act(&mut store).ok()
    }
}

fn now() -> Now {
    Now { at: T0.plus(60), quality: TimeQuality::Synced, backed: T0.plus(60) }
}

fn missing(store: &Store) -> Option<Missing> {
    store.current().borrow().as_ref().unwrap().missing
}

fn in_force(store: &Store) -> Option<u64> {
    let current = store.current().borrow().clone();

    current.map(|current| current.verified.manifest().version().number)
}

fn install(store: &mut Store, published: &Published) -> Result<(), NotStored> {
    let (manifest, _) = store.admit(&published.envelope, &now()).map_err(NotStored::NotAdmitted)?;
    let list = published.list(&manifest);
    let kept = store.begin(&manifest, &list)?;
    for index in (0..manifest.chunk_count()).filter(|index| !kept.contains(index)) {
        store.keep_chunk(index, published.chunk(index))?;
    }

    store.commit(&manifest, &published.envelope, &now())
}

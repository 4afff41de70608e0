//! The short way on disk: whatever is cut short or wrong, the old snapshot or the new one is in force.

use gateward_core::snapshot::delta::NotApplied;

use super::*;

/// Puts a snapshot in force by its delta from `from`.
fn patch(store: &mut Store, published: &Published, from: u64) -> Result<(), NotStored> {
    let (manifest, _) = store.admit(&published.envelope, &now()).map_err(NotStored::NotAdmitted)?;
    let (_, delta) = published.deltas.iter().find(|(one, _)| *one == from).expect("it is named");
    let list = match store.patch(&manifest, delta) {
        Err(NotPatched::Io(error)) => return Err(error.into()),
        patched => patched.expect("a good delta"),
    };
    assert_eq!(list, published.hashes());

    store.commit(&manifest, &published.envelope, &now())
}

#[test]
fn a_delta_leads_to_the_same_files_as_the_whole_snapshot() {
    let (whole, short) = (Home::new(), Home::new());
    let old = whole.authority.publish(1, 400);
    let new = whole.authority.publish_after(2, 500, &[(1, &old)]);
    let slots = [(&whole, false), (&short, true)].map(|(home, by_delta)| {
        let (mut store, _) = home.open();
        install(&mut store, &old).unwrap();
        if by_delta {
            patch(&mut store, &new, 1).unwrap();
        } else {
            install(&mut store, &new).unwrap();
        }
        assert_eq!(in_force(&store), Some(2));
        let slot = store.slot;
        [slot.file(), slot.list(), slot.manifest()].map(|path| fs::read(home.path(path)).unwrap())
    });

    assert_eq!(slots[0], slots[1]);
    assert_eq!(in_force(&short.open().0), Some(2), "after a restart too");
}

#[test]
fn two_versions_behind_one_delta_is_enough() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let one = home.authority.publish(1, 40);
    let two = home.authority.publish_after(2, 41, &[(1, &one)]);
    let three = home.authority.publish_after(3, 10, &[(1, &one), (2, &two)]);
    install(&mut store, &one).unwrap();

    patch(&mut store, &three, 1).unwrap();

    assert_eq!(in_force(&store), Some(3));
    assert_eq!(store.current().borrow().as_ref().unwrap().verified.bytes(), three.file);
}

#[test]
fn h10_a_stop_at_every_step_of_a_switch_by_delta_leaves_the_old_or_the_new_whole() {
    let authority = Authority::new();
    let older = authority.publish(1, 10);
    let old = authority.publish(2, 90);
    let new = authority.publish_after(3, 40, &[(2, &old)]);
    let mut seen = BTreeSet::new();
    for last in 0.. {
        let home = Home::new();
        let (mut store, _) = home.open();
        // Both slots are full: that of the delta holds something older.
        install(&mut store, &older).unwrap();
        install(&mut store, &old).unwrap();
        drop(store);

        let stopped = home.stop_after(last, |store| patch(store, &new, 2)).is_none();

        let (mut store, opened) = home.open();
        let version = in_force(&store).expect("one of the two");
        assert!(opened.problems.is_empty(), "step {last}: {opened:?}");
        seen.insert(version);
        if version == 2 {
            // What is left of it is in nobody's way, for either way.
            if last % 2 == 0 {
                patch(&mut store, &new, 2).unwrap();
            } else {
                install(&mut store, &new).unwrap();
            }
        }
        assert_eq!(in_force(&store), Some(3));
        assert_eq!(in_force_bytes(&store), new.file);
        if !stopped {
            assert_eq!(version, 3);
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from([2, 3]));
}

#[test]
fn the_floor_is_the_last_that_a_switch_by_delta_writes() {
    let home = Home::new();
    let old = home.authority.publish(1, 90);
    let new = home.authority.publish_after(2, 40, &[(1, &old)]);
    let (mut store, _) = home.open();
    install(&mut store, &old).unwrap();
    drop(store);
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&order);
    let watcher: Watcher = Arc::new(move |step| {
        let (done, path) = match step {
            Step::Rename { to, .. } => ("rename", to),
            Step::SyncFile(path) => ("sync", path),
            Step::SyncDir(path) => ("sync folder", path),
            Step::Create { .. } | Step::CreateDir(_) | Step::Remove(_) | Step::Write { .. } => {
                return Ok(());
            }
        };
        seen.lock().unwrap().push(format!("{done} {}", path.display()));
        Ok(())
    });
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(watcher)).unwrap();
    order.lock().unwrap().clear();
    patch(&mut store, &new, 1).unwrap();

    let order = order.lock().unwrap();
    let at = |what: &str| order.iter().position(|one| one == what).expect(what);
    let slot = store.slot.dir();
    let floor = at("rename floor");
    assert!(at(&format!("sync {slot}/file")) < floor, "{order:?}");
    assert!(at(&format!("rename {slot}/manifest")) < floor, "{order:?}");
    assert!(at(&format!("sync folder {slot}")) < floor, "{order:?}");
    assert_eq!(order.last().map(String::as_str), Some("sync folder "));
}

#[test]
fn h11_on_a_full_disk_the_old_snapshot_stays_and_the_delta_works_later() {
    let home = Home::new();
    let old = home.authority.publish(1, 90);
    let new = home.authority.publish_after(2, 91, &[(1, &old)]);
    let (mut store, _) = home.open();
    install(&mut store, &old).unwrap();
    drop(store);
    let room = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&room);
    let watcher: Watcher = Arc::new(move |step| {
        let Step::Write { path, .. } = step else { return Ok(()) };
        if !path.starts_with("snapshot") {
            return Ok(());
        }
        let take = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|_| io::ErrorKind::StorageFull.into())
    });
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(watcher)).unwrap();

    for chunks in 0..2 {
        room.store(chunks, Ordering::Relaxed);
        let failed = patch(&mut store, &new, 1);
        assert!(matches!(failed, Err(NotStored::Io(ref error)) if disk::is_full(error)));
        assert_eq!(in_force(&store), Some(1));
    }
    room.store(100, Ordering::Relaxed);
    patch(&mut store, &new, 1).unwrap();
    assert_eq!(in_force(&store), Some(2));
}

#[test]
fn h19_a_delta_for_another_base_or_another_result_leaves_the_disk_alone() {
    let home = Home::new();
    let (held, other) = (home.authority.publish(1, 40), home.authority.publish(1, 41));
    let new = home.authority.publish_after(2, 42, &[(1, &held), (9, &other)]);
    let elsewhere = home.authority.publish_after(2, 43, &[(1, &held)]);
    let (mut store, _) = home.open();
    let manifest = home.verify(&store, &new);
    let nothing = store.patch(&manifest, &new.deltas[0].1);
    assert!(matches!(nothing, Err(NotPatched::NoBase)), "{nothing:?}");
    install(&mut store, &held).unwrap();
    let before = files(&home);

    let mut refused = |delta: &[u8]| store.patch(&manifest, delta).unwrap_err();
    let other_base = refused(&new.deltas[1].1);
    assert!(matches!(other_base, NotPatched::NotApplied(NotApplied::OtherBase)), "{other_base:?}");
    assert!(matches!(refused(b"rubbish"), NotPatched::NotApplied(_)));
    assert!(matches!(refused(&elsewhere.deltas[0].1), NotPatched::OtherLength));

    assert_eq!(files(&home), before);
    patch(&mut store, &new, 1).unwrap();
    assert_eq!(in_force(&store), Some(2));
}

#[test]
fn a_delta_that_gives_another_file_of_the_same_length_is_never_in_force() {
    let home = Home::new();
    let old = home.authority.publish(1, 40);
    let good = home.authority.publish_after(2, 40, &[(1, &old)]);
    let mut file = old.file.clone();
    // The account is suspended in one of them.
    file[68] = 1;
    let other = home.authority.publish_with(2, file, good.deltas);
    let (mut store, _) = home.open();
    install(&mut store, &old).unwrap();
    let manifest = home.verify(&store, &other);

    let list = store.patch(&manifest, &other.deltas[0].1).unwrap();

    assert_ne!(list, other.hashes());
    let committed = store.commit(&manifest, &other.envelope, &now());
    assert!(matches!(committed, Err(NotStored::Refused(_))), "{committed:?}");
    assert_eq!(in_force(&store), Some(1));
    install(&mut store, &other).unwrap();
    assert_eq!(in_force(&store), Some(2));
}

fn in_force_bytes(store: &Store) -> Vec<u8> {
    store.current().borrow().as_ref().expect("something").verified.bytes().to_vec()
}

/// Everything in both slots.
fn files(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let slots = Slot::BOTH.into_iter().map(|slot| home.path(slot.dir()));
    let entries = slots.flat_map(|slot| fs::read_dir(slot).unwrap()).map(|one| one.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();

    files
}

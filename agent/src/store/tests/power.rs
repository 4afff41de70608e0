//! What a power cut leaves: after any step, whatever was not synced by then is there, or not, or in
//! part, each thing for itself.

use std::collections::BTreeMap;

use super::revoked::is_revoked;
use super::*;
use crate::platter::Platter;
use crate::store::testing::token_id;

/// What is in a state folder, all of it durable.
fn platter(home: &Home) -> Platter {
    Platter::of(&home.path(Path::new("")), &["cache", "lock"])
}

/// What anybody was told before a step.
#[derive(Clone, Copy, PartialEq)]
struct Told {
    floor: Floor,
    in_force: Option<u64>,
}

impl Told {
    fn by(store: &Store) -> Self {
        Self { floor: *store.follow_floor().borrow(), in_force: in_force(store) }
    }
}

/// The disk before each step of `act`, after the last one, and what was told by then.
fn record(home: &Home, act: impl FnOnce(&mut Store)) -> Vec<(Platter, Told)> {
    type Heard = (watch::Receiver<Floor>, Current, Platter, Vec<(Platter, Told)>);
    let heard: Arc<Mutex<Option<Heard>>> = Arc::default();
    let recorder = Arc::clone(&heard);
    let watcher: Watcher = Arc::new(move |step| {
        if let Some((floor, current, platter, cuts)) = recorder.lock().unwrap().as_mut() {
            let version = |now: &Arc<InForce>| now.verified.manifest().version().number;
            let in_force = current.borrow().as_ref().map(version);
            cuts.push((platter.clone(), Told { floor: *floor.borrow(), in_force }));
            platter.step(step);
        }
        Ok(())
    });
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(watcher)).unwrap();
    *heard.lock().unwrap() =
        Some((store.follow_floor(), store.current(), platter(home), Vec::new()));

    act(&mut store);

    let (.., platter, mut cuts) = heard.lock().unwrap().take().unwrap();
    cuts.push((platter, Told::by(&store)));
    cuts
}

/// Cuts the power in every way at every step of `act`, and lets `holds` look at what a start then
/// makes of it.
fn cut_everywhere(home: &Home, act: impl FnOnce(&mut Store), holds: impl Fn(&Store, &Told)) {
    let cuts = record(home, act);
    assert!(cuts.len() > 4, "there is something to cut");
    let mut seen = Vec::new();
    for (step, (platter, told)) in cuts.iter().enumerate() {
        for left in platter.ways() {
            let files = platter.cut(left);
            if seen.contains(&(files.clone(), *told)) {
                continue;
            }
            let (_dir, store, opened) = start(home, &files);
            let at = format!("cut before step {step}, {left:?} of {:?}", platter.loose);
            assert_eq!(opened.floor, FloorState::Kept, "{at}");
            assert!(is_not_below(store.floor(), &told.floor), "{at}: {:?}", store.floor());
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| holds(&store, told)))
                .unwrap_or_else(|_| panic!("{at}"));
            seen.push((files, *told));
        }
    }
}

/// Starts an agent on these files.
fn start(home: &Home, files: &BTreeMap<PathBuf, Vec<u8>>) -> (tempfile::TempDir, Store, Opened) {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    // The truth does not need its cache, and opening one takes most of the time.
    fs::write(dir.path().join("cache"), b"").unwrap();
    let place = Place { dir: dir.path().into(), ..home.place() };
    let (store, opened) = Store::open(place, &now()).unwrap();

    (dir, store, opened)
}

/// Only a key set that tells of a theft takes time back (TRUST 4).
fn is_not_below(floor: &Floor, told: &Floor) -> bool {
    let numbers =
        |floor: &Floor| [floor.version, floor.revoked, floor.list, floor.newest, floor.beacon];
    let times = |floor: &Floor| [floor.issued_at, floor.signed, floor.lived, floor.agreed];
    let later = || times(floor).iter().zip(times(told)).all(|(now, told)| *now >= told);

    numbers(floor).iter().zip(numbers(told)).all(|(now, told)| *now >= told)
        && (floor.keys > told.keys || later())
        && (floor.keys, floor.boots) >= (told.keys, told.boots)
}

#[test]
fn h10_a_power_cut_at_any_step_of_a_switch_leaves_the_old_or_the_new_whole() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 40)).unwrap();
    install(&mut store, &home.authority.publish(2, 60)).unwrap();
    drop(store);
    let new = home.authority.publish(3, 90);

    cut_everywhere(
        &home,
        |store| install(store, &new).unwrap(),
        |store, told| {
            let now = in_force(store).expect("never nothing");
            assert!(now == 2 || now == 3, "{now}");
            assert!(Some(now) >= told.in_force, "{now} after {:?} was in force", told.in_force);
        },
    );
}

#[test]
fn h10_a_power_cut_at_any_step_of_a_switch_by_delta_leaves_the_old_or_the_new_whole() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let older = home.authority.publish(1, 20);
    let old = home.authority.publish_after(2, 60, &[(1, &older)]);
    let new = home.authority.publish_after(3, 61, &[(2, &old)]);
    install(&mut store, &older).unwrap();
    install(&mut store, &old).unwrap();
    drop(store);

    cut_everywhere(
        &home,
        |store| {
            let manifest = home.verify(store, &new);
            store.patch(&manifest, &new.deltas[0].1).unwrap();
            store.commit(&manifest, &new.envelope, &now()).unwrap();
        },
        |store, told| {
            let now = in_force(store).expect("never nothing");
            assert!(now == 2 || now == 3, "{now}");
            assert!(Some(now) >= told.in_force, "{now} after {:?} was in force", told.in_force);
        },
    );
}

#[test]
fn h10_a_power_cut_at_any_step_of_a_refresh_leaves_the_snapshot_in_force() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let one = home.authority.publish(1, 40);
    install(&mut store, &one).unwrap();
    drop(store);
    let later = home.authority.refresh(1, &one, 40);

    cut_everywhere(
        &home,
        |store| {
            let manifest = home.verify(store, &later);
            store.refresh(&manifest, &later.envelope, &now()).unwrap();
        },
        |store, told| {
            assert_eq!(in_force(store), Some(1));
            let current = store.current().borrow().clone().unwrap();
            let issued_at = current.verified.manifest().issued_at();
            assert!(issued_at >= told.floor.issued_at, "no end comes nearer again");
        },
    );
}

#[test]
fn h10_a_power_cut_at_any_step_of_a_new_list_leaves_the_old_one_or_the_new() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(4, 9)).unwrap();
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(1)])).unwrap();
    drop(store);
    let next = home.authority.revoke(2, 5, &[token_id(2)]);

    cut_everywhere(
        &home,
        |store| {
            store.accept_revoked(&next).unwrap();
        },
        |store, told| {
            assert_eq!(in_force(store), Some(4));
            assert!(is_revoked(store, 1), "whichever list it is");
            let newer = store.revoked_number().number == 2;
            assert_eq!(is_revoked(store, 2), newer);
            assert!(newer || told.floor.list.number < 2, "it was told that it is held");
        },
    );
}

#[test]
fn h10_a_power_cut_at_any_step_of_a_key_set_leaves_the_old_keys_or_denies_what_was_stolen() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(4, 9)).unwrap();
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(1)])).unwrap();
    drop(store);
    let next = home.authority.key_set_after_theft();

    cut_everywhere(
        &home,
        |store| {
            store.accept_keys(&next).unwrap();
        },
        |store, told| {
            if in_force(store).is_some() {
                assert!(is_revoked(store, 1), "never wider");
                assert_eq!((told.floor.keys, store.keys().epoch()), (1, 1));
            }
            assert!(store.keys().epoch() >= told.floor.keys);
        },
    );
}

//! The folder of a collector: what is counted there is whole, and one collector works in it.

use std::fs;

use super::*;

#[test]
fn what_a_crash_left_uncounted_is_cut_off_and_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::new();
    let (one, two) = (gateway.write(2), gateway.write(2));
    let mut store = Folder::open(dir.path()).unwrap();
    add(&mut store, &gateway, &one);
    drop(store);
    let lines = lines_path(dir.path(), "edge-1");
    let whole = fs::read_to_string(&lines).unwrap();
    let batches = batches_path(dir.path(), "edge-1");
    let kept = fs::read(&batches).unwrap();
    fs::write(&batches, [&kept[..], &kept[..20]].concat()).unwrap();
    fs::write(&lines, format!("{whole}{{\"seq\":3,")).unwrap();

    let mut store = Folder::open(dir.path()).unwrap();
    let held = store.holds(&gateway.enrolled).unwrap();
    assert_eq!((held.through, held.snapshot.unwrap().number), (2, 7));
    add(&mut store, &gateway, &two);
    let text = fs::read_to_string(&lines).unwrap();
    let numbers: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let mut as_they_came = Vec::new();
    stick_file::read(&fs::read(&batches).unwrap()[..], |batch| {
        as_they_came.push(batch.to_vec());
        Ok::<_, BadStick>(())
    })
    .unwrap();
    assert_eq!(as_they_came, [one, two]);
    drop(store);

    let evidence = fs::read(&batches).unwrap();
    fs::write(&batches, &kept).unwrap();
    let mut store = Folder::open(dir.path()).unwrap();
    assert!(matches!(store.holds(&gateway.enrolled), Err(CollectFailed::CutShort { .. })));
    drop(store);
    fs::write(&batches, evidence).unwrap();

    fs::write(&lines, &text[..text.len() / 2]).unwrap();
    let mut store = Folder::open(dir.path()).unwrap();
    assert!(matches!(store.holds(&gateway.enrolled), Err(CollectFailed::CutShort { .. })));
    drop(store);

    fs::write(&lines, &text).unwrap();
    let state = store_state(dir.path());
    fs::remove_file(&state).unwrap();
    let mut store = Folder::open(dir.path()).unwrap();
    assert!(matches!(store.holds(&gateway.enrolled), Err(CollectFailed::StateLost { .. })));
    assert_eq!(fs::read_to_string(&lines).unwrap(), text);
}

fn add(store: &mut Folder, gateway: &Gateway, message: &[u8]) {
    let before = store.holds(&gateway.enrolled).unwrap();
    let (batch, taken) = (Batch::decode(message).unwrap(), gateway.take(&before, message));
    store
        .add(&New {
            enrolled: &gateway.enrolled,
            before: &before,
            taken: &taken,
            batch: &batch,
            message,
            late: &[],
            now: NOW,
        })
        .unwrap();
}

/// What the collector knows of `edge-1`.
fn store_state(folder: &Path) -> PathBuf {
    fs::read_dir(folder.join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("edge-1")))
        .unwrap()
}

#[test]
fn one_collector_works_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let held = Folder::open(dir.path()).unwrap();
    assert!(matches!(Folder::open(dir.path()), Err(CollectFailed::NotLocked(NotLocked::Busy))));
    drop(held);

    assert!(Folder::open(dir.path()).is_ok());
}

#[test]
fn the_same_trouble_again_is_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Folder::open(dir.path()).unwrap();
    let mut note = |trouble| store.write_event("edge-1", &trouble, NOW).unwrap();

    assert!(note(Trouble::Fork(3)) && !note(Trouble::Fork(3)) && note(Trouble::Unknown));
    let text = fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains(r#""event":"fork""#), "{text}");
}

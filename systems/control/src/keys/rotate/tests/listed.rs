//! What the list of keys says after rotations of every kind.

use super::*;
use crate::keys::{Standing, list};

#[test]
fn a_list_says_of_every_key_whether_it_signs_for_whom_and_where_its_private_half_is() {
    let world = World::new();
    let old = world.only(Role::Beacon);
    rotate(&world.new_key(Role::Beacon)).unwrap();
    let stolen = world.only(Role::Collector);
    rotate(&world.with(Role::Collector, |new| new.old = Some(Fate::Compromised))).unwrap();
    let limit = world.with(Role::Snapshot, |new| {
        (new.groups, new.old) = (vec!["plant-2".to_owned()], None);
    });
    let limited = rotate(&limit).unwrap().new.unwrap();
    fs::remove_file(&world.roots[2]).unwrap();
    let sets = list(&world.dir).unwrap();
    assert_eq!(sets.iter().map(|set| set.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let find = |id| sets[3].keys.iter().find(|key| key.id == id).unwrap();

    let key = find(old);
    assert_eq!((key.standing, &key.roles[..]), (Standing::Retired, &[Role::Beacon][..]));
    let aside = named_path(&world.dir.join("private/retired"), Role::Beacon, old);
    assert_eq!(key.private, Some(aside));
    assert_eq!(find(stolen).standing, Standing::Compromised);
    let key = find(limited.0);
    assert_eq!(key.groups.as_deref(), Some(&["plant-2".to_owned()][..]));
    assert_eq!(key.private, Some(limited.2));
    let here = world.ids(Role::Root).into_iter().map(|id| find(id).private.is_some());
    assert_eq!(here.collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(sets[0].keys.iter().filter(|key| key.standing == Standing::Trusted).count(), 6);
}

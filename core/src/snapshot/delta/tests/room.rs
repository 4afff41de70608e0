//! The room that a caller brings says how long it takes, and never what comes of it.

use super::super::moves::{Marker, Moves, take};
use super::*;

#[test]
fn with_any_room_between_the_least_and_the_fastest_the_result_is_the_same() {
    let (old, mut new) = (contents(300, 5), contents(300, 5));
    for key in [0, 6, 12, 15, *old.principals.last_key_value().unwrap().0] {
        remove(&mut new, key);
    }
    new.principals.insert(1, user("before", 0x55));
    new.principals.insert(u32::MAX, user("after", 0x56));
    new.tokens.insert(1 << 60, token(u32::MAX));
    let (old, new) = (compile(&old), compile(&new));
    let delta = make(&old, &new, LOG2).unwrap();
    let base = unsigned(&old[..]).unwrap();
    let read = Delta::read(&delta).unwrap();
    let more = read.ample(&base.view()) - read.room();

    assert!(more > 10, "{more}");
    for more in 0..=more {
        assert_eq!(apply_with(&old, &delta, more).as_ref(), Ok(&new), "{more}");
    }
}

#[test]
fn where_no_principal_comes_or_goes_nothing_more_is_asked_for() {
    let (old, mut new) = (contents(300, 5), contents(300, 5));
    new.tokens.pop_last();
    let (old, new) = (compile(&old), compile(&new));
    let delta = make(&old, &new, LOG2).unwrap();
    let read = Delta::read(&delta).unwrap();

    assert_eq!(read.ample(&unsigned(&old[..]).unwrap().view()), read.room());
}

/// Records come before, between and after ten, and some of the ten go.
fn moved(marks: &mut [Mark]) -> (Moves<'_>, &mut [Mark]) {
    let mut marker = Marker::new(marks);
    marker.comes(1, 0).unwrap();
    marker.goes(2, 0).unwrap();
    marker.comes(3, 1).unwrap();
    marker.comes(4, 1).unwrap();
    marker.goes(5, 4).unwrap();
    marker.goes(6, 5).unwrap();
    marker.goes(7, 9).unwrap();
    marker.comes(8, 10).unwrap();

    marker.done()
}

#[test]
fn a_place_that_is_looked_up_is_the_one_that_is_found() {
    let expected = [None, Some(3), Some(4), Some(5), None, None, Some(6), Some(7), Some(8), None];
    let (mut few, mut many) = ([Mark::default(); 8], [Mark::default(); 11]);
    let (searched, rest) = moved(&mut few);
    let (searched, _) = searched.listed(10, rest);
    let (listed, rest) = moved(&mut many);
    let (listed, rest) = listed.listed(10, rest);

    assert!(rest.is_empty(), "ten places take the room of three marks");
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|at| searched.place(at)), expected);
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|at| listed.place(at)), expected);
}

#[test]
fn room_is_taken_whole_or_not_at_all() {
    let mut room = [Mark::default(); 3];

    let (taken, rest) = take(&mut room, 9);
    assert_eq!((taken.map(|all| all.len()), rest.len()), (Some(9), 0));
    let (taken, rest) = take(&mut room, 4);
    assert_eq!((taken.map(|all| all.len()), rest.len()), (Some(4), 2));
    let (taken, rest) = take(&mut room, 13);
    assert_eq!((taken.map(|all| all.len()), rest.len()), (None, 3));
}

//! What is taken of a batch: each record once and in order, up to the first that cannot be believed.

use super::*;

#[test]
fn records_are_taken_once_and_in_order() {
    let mut gateway = Gateway::new();
    let (one, two) = (gateway.write(3), gateway.write(4));
    let first = gateway.take(&gateway.nothing(), &one);
    assert_eq!((first.held.through, first.rows.0.lines().count(), first.trouble), (3, 3, None));

    let again = gateway.take(&first.held, &one);
    assert_eq!((again.held.through, again.rows.0.as_str(), again.trouble), (3, "", None));
    let second = gateway.take(&first.held, &two);
    assert_eq!((second.held.through, second.held.head), (7, gateway.head));
    assert!(second.rows.0.starts_with(r#"{"seq":4,"#), "{}", second.rows.0);
    assert_eq!(second.held.snapshot.unwrap().number, 7);
}

#[test]
fn a_batch_that_overlaps_adds_only_what_is_new() {
    let mut gateway = Gateway::new();
    let mut twin = gateway.clone();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    gateway.write(3);
    let longer = twin.write(5);
    let taken = gateway.take(&held, &longer);

    assert_eq!((taken.held.through, taken.rows.0.lines().count(), taken.trouble), (5, 2, None));
}

#[test]
fn i9_a_gap_is_named_and_nothing_behind_it_is_taken() {
    let mut gateway = Gateway::new();
    let one = gateway.write(2);
    let _lost = gateway.write(3);
    let three = gateway.write(1);
    let held = gateway.take(&gateway.nothing(), &one).held;
    let taken = gateway.take(&held, &three);

    assert_eq!(taken.trouble, Some(Trouble::Gap { first: 3, last: 5 }));
    assert_eq!((taken.held.through, taken.rows.0.as_str()), (2, ""));
}

#[test]
fn i9_a_record_that_was_altered_has_no_tag_and_nothing_that_came_with_it_is_taken() {
    let mut gateway = Gateway::new();
    // The last byte is the tag of the last record.
    let message = gateway.write_as(3, |records| *records.last_mut().unwrap() ^= 1);
    let taken = gateway.take(&gateway.nothing(), &message);

    assert_eq!(taken.trouble, Some(Trouble::ForgedTag(3)));
    assert_eq!((taken.held.through, taken.held.head, taken.rows.0.as_str()), (0, Head::START, ""));
}

#[test]
fn who_knows_the_chain_but_not_the_key_can_add_nothing() {
    let mut gateway = Gateway::new();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    gateway.write(3);
    let mut forger = Gateway { ratchet: Ratchet::new([0; 32]), ..gateway.clone() };
    let taken = gateway.take(&held, &forger.write(2));

    assert_eq!((taken.trouble, taken.held.through), (Some(Trouble::ForgedTag(4)), 3));
}

#[test]
fn a_journal_that_was_replaced_is_a_fork() {
    let mut gateway = Gateway::new();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    let mut other = Gateway::new();
    let forked = other.write_as(1, |_| {});
    let longer = {
        let mut other = Gateway { head: Head([1; 32]), ..Gateway::new() };
        other.write(5)
    };
    assert_eq!(gateway.take(&held, &forked).trouble, None, "an old record, not compared again");
    assert_eq!(gateway.take(&held, &longer).trouble, Some(Trouble::Fork(3)));

    gateway.write(3);
    let mut moved = Gateway { head: Head([2; 32]), ..gateway.clone() };
    let taken = gateway.take(&held, &moved.write(1));
    assert_eq!((taken.trouble, taken.held.through), (Some(Trouble::Fork(4)), 3));
}

#[test]
fn a_batch_of_another_enrolment_or_gateway_is_refused() {
    let mut gateway = Gateway::new();
    let held = gateway.nothing();
    let mut again = gateway.clone();
    again.enrolled.incarnation = Incarnation([2; 8]);
    assert_eq!(gateway.take(&held, &again.write(1)).trouble, Some(Trouble::OtherEnrolment));
    let mut other = gateway.clone();
    other.enrolled.gateway = "edge-2".to_owned();
    assert_eq!(gateway.take(&held, &other.write(1)).trouble, Some(Trouble::OtherEnrolment));
    assert_eq!(gateway.take(&held, &gateway.clone().write(1)).trouble, None);
    gateway.write(1);
}

#[test]
fn i9_records_without_a_checkpoint_that_the_gateway_signed_are_not_taken() {
    let gateway = Gateway::new();
    let mut forger = Gateway { key: SigningKey::from_bytes(&[1; 32]), ..gateway.clone() };
    let mut other = Gateway { account: Uuid([0x22; 16]), ..gateway.clone() };
    let mut silent = gateway.clone();
    let without = silent.write_signed(2, |_| Vec::new());
    let mut early = gateway.clone();
    let (first, old) = (early.write(2), early.checkpoint());
    let reused = early.write_signed(2, |_| old.clone());
    let held = gateway.take(&gateway.nothing(), &first).held;

    for (held, message, last) in [
        (&gateway.nothing(), forger.write(2), 2),
        (&gateway.nothing(), without, 2),
        (&held, reused, 4),
    ] {
        let taken = gateway.take(held, &message);
        assert_eq!(taken.trouble, Some(Trouble::BadCheckpoint(last)));
        assert_eq!((taken.held.through, taken.rows.0.as_str()), (held.through, ""));
    }
    let taken = gateway.take(&gateway.nothing(), &other.write(2));
    assert_eq!(taken.trouble, Some(Trouble::OtherEnrolment));
}

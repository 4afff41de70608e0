//! Records that are lost for good: what is behind them is taken where the gateway owns up to it.

use super::*;

/// A gateway that wrote two records, lost three and goes on; what is held of it.
fn with_a_hole() -> (Gateway, Held) {
    let mut gateway = Gateway::new();
    let one = gateway.write(2);
    let held = gateway.take(&gateway.nothing(), &one).held;
    let _lost = gateway.write(3);

    (gateway, held)
}

#[test]
fn what_is_behind_a_hole_is_taken_where_the_same_batch_owns_up_to_it() {
    let (mut gateway, held) = with_a_hole();
    let owned = gateway.own_up((3, 5));

    let taken = gateway.take(&held, &owned);

    assert_eq!((taken.trouble, taken.lost), (None, Some(Hole { first: 3, last: 5 })));
    assert_eq!((taken.held.through, taken.held.head), (6, gateway.head));
    assert_eq!(taken.rows.0.lines().count(), 1);
    let next = gateway.write(2);
    assert_eq!(gateway.take(&taken.held, &next).held.through, 8);
}

#[test]
fn what_is_behind_a_hole_is_taken_after_a_batch_that_owned_up_to_it() {
    let (mut gateway, held) = with_a_hole();
    let behind = gateway.write(2);
    let owned = gateway.own_up((3, 5));

    let told = gateway.take(&held, &owned);
    assert_eq!((told.told, told.held.through), (Some(Hole { first: 3, last: 5 }), 2));
    let taken = gateway.take_behind(&held, &behind, told.told);

    assert_eq!((taken.trouble, taken.held.through), (None, 7));
}

#[test]
fn i9_a_hole_that_nobody_or_another_owns_up_to_or_only_a_part_of_it_is_a_gap() {
    let gap = Some(Trouble::Gap { first: 3, last: 5 });
    for part in [(4, 5), (3, 4), (1, 2), (6, 9)] {
        let (mut gateway, held) = with_a_hole();
        let taken = gateway.take(&held, &gateway.clone().own_up(part));
        assert_eq!((taken.trouble, taken.held.through), (gap.clone(), 2), "{part:?}");
        let hole = Hole { first: part.0, last: part.1 };
        let behind = gateway.write(1);
        assert_eq!(gateway.take_behind(&held, &behind, Some(hole)).trouble, gap, "{part:?}");
    }

    // Who has the account's broker and not the gateway's keys.
    let (gateway, held) = with_a_hole();
    let mut thief = gateway.clone();
    thief.ratchet = Ratchet::new([0x66; 32]);
    let forged = gateway.take(&held, &thief.own_up((3, 5)));
    assert_eq!((forged.trouble, forged.told), (Some(Trouble::ForgedTag(6)), None));
    let mut thief = gateway.clone();
    thief.key = SigningKey::from_bytes(&[0x66; 32]);
    let forged = gateway.take(&held, &thief.own_up((3, 5)));
    assert_eq!((forged.trouble, forged.told), (Some(Trouble::BadCheckpoint(6)), None));
}

#[test]
fn i9_only_a_signed_batch_of_that_gateway_that_owns_up_to_those_numbers_proves_a_hole() {
    let (mut gateway, _) = with_a_hole();
    let whole = gateway.clone().write(1);
    let (mut forger, mut other) = (gateway.clone(), gateway.clone());
    let owned = gateway.own_up((3, 5));
    let proves = |message: &[u8], first, last| {
        hole::proves(message, Hole { first, last }, &gateway.enrolled, gateway.account)
    };
    assert!(proves(&owned, 3, 5) && proves(&owned, 4, 4));

    for (first, last) in [(3, 6), (2, 5), (6, 9), (1, 1 << 40)] {
        assert!(!proves(&owned, first, last), "an old batch, about {first} to {last}");
    }
    for garbage in [&[][..], &[0; 300], &owned[1..], &vec![0xff; MAX_BATCH + 1]] {
        assert!(!proves(garbage, 3, 5));
    }
    assert!(!proves(&whole, 3, 5), "it owns up to nothing");
    forger.key = SigningKey::from_bytes(&[0x66; 32]);
    assert!(!proves(&forger.own_up((3, 5)), 3, 5), "somebody else's signature");
    let (mut again, of_another) = (gateway.clone(), "edge-2".to_owned());
    other.enrolled.gateway = of_another;
    assert!(!proves(&other.own_up((3, 5)), 3, 5), "another gateway's, with the same key");
    again.enrolled.incarnation = Incarnation([7; 8]);
    assert!(!proves(&again.own_up((3, 5)), 3, 5), "of another enrolment, with the same key");
    let unsigned = Gateway::seal(&gateway, &gateway.clone().piece(1, |_| {}), &[]);
    assert!(!proves(&unsigned, 3, 5), "no signature");
}

#[tokio::test]
async fn a_receipt_goes_beyond_records_that_are_lost_and_an_event_names_them() {
    let world = World::new().await;
    let mut gateway = world.gateway.clone();
    let mut work = world.work();
    let one = gateway.write(2);
    assert!(work.keep("edge-1", &Batch::decode(&one).unwrap(), &one).await.unwrap().held.is_some());
    let _lost = gateway.write(3);
    let behind = gateway.write(2);
    let owned = gateway.own_up((3, 5));

    let told = work.keep("edge-1", &Batch::decode(&owned).unwrap(), &owned).await.unwrap();
    assert!(told.held.is_none() && told.trouble.is_none());
    let kept = work.keep("edge-1", &Batch::decode(&behind).unwrap(), &behind).await.unwrap();

    assert_eq!(kept.held.unwrap().through, 7);
    let events = world.events();
    assert!(events.iter().any(|line| line.contains(r#""event":"lost""#)), "{events:?}");
    assert!(events.iter().any(|line| line.contains("records 3 to 5")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn carried_records_behind_a_hole_are_taken_though_the_gateway_owns_up_to_it_at_their_end() {
    let world = World::new().await;
    let mut gateway = world.gateway.clone();
    let one = gateway.write(2);
    let _lost = gateway.write(3);
    let batches = [one, gateway.write(2), gateway.own_up((3, 5))];
    let mut file = gateward_agent::upload::stick::MAGIC.to_vec();
    for batch in &batches {
        file.extend(u32::try_from(batch.len()).unwrap().to_le_bytes());
        file.extend(batch);
    }
    let stick = world.dir.path().join("stick");
    std::fs::write(&stick, file).unwrap();
    let CollectOptions { dir, to, .. } = world.options();
    let receipt = world.dir.path().join("receipt");

    let carried = Carried::take(&StickOptions { dir, to, stick, receipt }).await.unwrap();

    assert_eq!((carried.through, carried.trouble), (8, None));
    assert!(world.events().iter().any(|line| line.contains("records 3 to 5 are lost")));
}

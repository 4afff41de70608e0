//! The invariants of DOMAIN 3.3 that a policy and a question can show.

use gateward_core::decide::{Class, Reason};
use gateward_core::permission::{CATALOGUE, Operation};
use gateward_tests::world::{EVERYTHING, World, names, needs, needs_any, sends};

#[test]
fn n1_a_token_has_no_permission_and_no_division_that_its_owner_lacks() {
    let mut world = World::default();
    world.roles.insert("operator".to_owned(), names(&["manage_device", "view_license"]));
    let ana = world.user("ana", &["operator"]);
    world.limit(ana, &["B"]);
    let tokens = [ana.into(), world.token(ana, "second"), world.token(ana, "third")];
    let snapshot = world.compile();

    for key in tokens {
        for entry in &CATALOGUE {
            for division in ["A", "B", "C"] {
                let may = match entry.id {
                    "manage_device" => division == "B",
                    id => id == "view_license",
                };
                let reason = snapshot.asks(key, &needs(entry.id).within(division));
                assert_eq!(reason == Reason::Ok, may, "{} in {division}: {reason}", entry.id);
            }
        }
    }
}

#[test]
fn n3_an_owner_that_is_not_active_has_no_token_that_works() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    for (status, reason) in [
        ("disabled", Reason::OwnerDisabled),
        ("deleted", Reason::UnknownToken),
        ("active", Reason::Ok),
    ] {
        world.edit(ana).status = status;
        assert_eq!(world.compile().asks(ana, &needs("manage_device")), reason, "{status}");
    }
    world.suspended = true;
    let reason = world.compile().asks(ana, &needs("manage_device"));
    assert_eq!(reason, Reason::AccountSuspended);
}

#[test]
fn n4_no_system_user_requests_or_approves_by_any_words() {
    let mut world = World::default();
    let everything = CATALOGUE.iter().map(|entry| entry.id).collect::<Vec<_>>();
    world.roles.insert("everything".to_owned(), names(&everything));
    let root = world.user("root", &["everything", "iot_account_admin", "iot_system_admin"]);
    world.edit(root).system = true;
    let snapshot = world.compile();

    for operation in Operation::ALL.into_iter().filter(|op| op.bars_system_users()) {
        for entry in &CATALOGUE {
            let reason = snapshot.asks(root, &needs(entry.id).to(operation.name()));
            assert_ne!(reason.class(), Class::Allow, "{} to {operation:?}", entry.id);
        }
        let any = needs_any(&everything).to(operation.name());
        assert_eq!(snapshot.asks(root, &any), Reason::SystemUserBarred);
    }
}

#[test]
fn n6_an_unknown_permission_never_grants() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin", "iot_system_admin"]);
    let snapshot = world.compile();

    for unknown in ["", "admin", "MANAGE_IOT_DEVICE", "manage_device ", "*"] {
        let reason = snapshot.asks(ana, &needs(unknown));
        assert_eq!(reason, Reason::PermissionMissing, "{unknown:?}");
    }
    assert_eq!(snapshot.asks(ana, &needs_any(&[])), Reason::PermissionMissing);
    assert_eq!(snapshot.asks(ana, &needs_any(&["*", "manage_device"])), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &sends("GET", "/account/api/v1/user")), Reason::RouteUnknown);
}

#[test]
fn n11_an_id_or_a_lookup_that_was_used_is_never_given_again() {
    let mut world = World::default();
    let old = world.user("ana", &["iot_account_admin"]);
    world.edit(old).status = "deleted";
    world.edit_token(old).status = "deleted";
    let new = world.user("ana", &["iot_account_admin"]);
    assert!(world.policy().is_ok());

    let number = world.edit_token(old).number;
    let drawn = std::mem::replace(&mut world.edit_token(new).number, number);
    assert!(world.policy().unwrap_err().contains("never used again"));

    world.edit_token(new).number = drawn;
    world.edit(new).id = world.edit(old).id;
    assert!(world.policy().unwrap_err().contains("already used"));
}

#[test]
fn n13_a_group_knows_only_who_reaches_its_divisions() {
    let mut world = World::default();
    world.groups.insert("plant-a".to_owned(), names(&["A"]));
    let in_a = world.user("in a", &["iot_account_admin"]);
    let in_b = world.user("in b", &["iot_account_admin"]);
    let anywhere = world.user("anywhere", &["iot_account_admin"]);
    world.limit(in_a, &["A", "B"]);
    world.limit(in_b, &["B"]);
    let plant = world.compile_for("plant-a");
    let everything = world.compile_for(EVERYTHING);

    for (who, here) in [(in_a, Reason::Ok), (in_b, Reason::UnknownToken), (anywhere, Reason::Ok)] {
        assert_eq!(plant.asks(who, &needs("view_license")), here);
        assert_eq!(everything.asks(who, &needs("view_license")), Reason::Ok);
    }
    assert_eq!(plant.asks(in_a, &needs("manage_device").within("B")), Reason::Ok);
    assert_eq!(plant.asks(in_a, &needs("manage_device").within("C")), Reason::DivisionDenied);
}

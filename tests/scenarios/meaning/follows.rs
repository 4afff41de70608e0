//! DOMAIN B: a token follows its owner, at the next snapshot.

use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::snapshot::build::BadContents;
use gateward_core::snapshot::{Refused, build::VerifierLen, unsigned};
use gateward_core::token::{Lookup, Token};
use gateward_tests::world::{EVERYTHING, World, names, needs, sends};

#[test]
fn b1_a_token_made_by_a_powerful_admin_is_no_more_than_the_admin_is_now() {
    let mut world = World::default();
    world.roles.insert("auditor".to_owned(), names(&["view_audit_log"]));
    let ana = world.user("ana", &["iot_account_admin"]);
    let before = world.compile();
    world.edit(ana).grants = names(&["auditor"]);
    let after = world.compile();

    assert_eq!(before.asks(ana, &sends("POST", "/iot/api/v1/device")), Reason::Ok);
    assert_eq!(after.asks(ana, &sends("GET", "/iot/api/v1/audit-log")), Reason::Ok);
    for (method, path) in [
        ("POST", "/iot/api/v1/device"),
        ("GET", "/iot/api/v1/certificate"),
        ("GET", "/iot/api/v1/license"),
    ] {
        let reason = after.asks(ana, &sends(method, path));
        assert_eq!(reason, Reason::PermissionMissing, "{method} {path}");
    }
}

#[test]
fn b2_a_promotion_widens_the_tokens_there_are() {
    let mut world = World::default();
    world.roles.insert("auditor".to_owned(), names(&["view_audit_log"]));
    let ana = world.user("ana", &["auditor"]);
    let before = world.compile();
    world.edit(ana).grants = names(&["iot_account_admin"]);
    let after = world.compile();

    assert_eq!(before.asks(ana, &needs("manage_device")), Reason::PermissionMissing);
    assert_eq!(after.asks(ana, &needs("manage_device")), Reason::Ok);
}

#[test]
fn b3_b4_n3_a_disabled_admin_takes_its_tokens_along_and_brings_them_back() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let second = world.token(ana, "second");
    world.edit(ana).status = "disabled";
    let without = world.compile();
    world.edit(ana).status = "active";
    let again = world.compile();

    for key in [ana.into(), second] {
        assert_eq!(without.asks(key, &needs("manage_device")), Reason::OwnerDisabled);
        assert_eq!(without.names(key).unwrap().2, "ana");
        assert_eq!(again.asks(key, &needs("manage_device")), Reason::Ok);
    }
}

#[test]
fn b5_n3_n11_a_new_user_of_an_old_name_gets_nothing_of_the_old_tokens() {
    let mut world = World::default();
    let old = world.user("ana", &["iot_account_admin"]);
    world.edit(old).status = "deleted";
    let new = world.user("ana", &["iot_account_admin"]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(old, &needs("manage_device")), Reason::UnknownToken);
    assert_eq!(snapshot.names(old), None);
    assert_eq!(snapshot.asks(new, &needs("manage_device")), Reason::Ok);
    assert_eq!(snapshot.names(new).unwrap().1, world.edit(new).id);
}

#[test]
fn b6_a_renamed_admin_keeps_its_id_and_its_tokens() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let before = world.compile();
    world.edit(ana).name = "ana.ruiz".to_owned();
    let after = world.compile();
    let id = world.edit(ana).id;

    assert_eq!(before.names(ana), Some(("api_token", id, "ana".to_owned())));
    assert_eq!(after.names(ana), Some(("api_token", id, "ana.ruiz".to_owned())));
    assert_eq!(after.asks(ana, &needs("manage_device")), Reason::Ok);
}

#[test]
fn b7_of_two_tokens_only_the_disabled_one_is_refused() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let second = world.token(ana, "second");
    world.edit_token(second).status = "disabled";
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(ana, &needs("manage_device")), Reason::Ok);
    assert_eq!(snapshot.asks(second, &needs("manage_device")), Reason::TokenDisabled);
}

#[test]
fn b8_tokens_of_one_name_are_told_apart() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let bo = world.user("bo", &["iot_account_admin"]);
    let (of_ana, of_bo) = (world.token(ana, "ci"), world.token(bo, "ci"));
    let snapshot = world.compile();

    assert_eq!(snapshot.names(of_ana).unwrap().2, "ana");
    assert_eq!(snapshot.names(of_bo).unwrap().2, "bo");
    let public = |key| -> Lookup { Token::read(&world.text(key)).unwrap().lookup };
    assert_ne!(public(of_ana), public(of_bo));
}

#[test]
fn b9_a_token_of_nobody_spoils_the_whole_snapshot() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let mut contents = world.contents(EVERYTHING);
    let verifier = contents.tokens.values().next().unwrap().verifier;
    let mut file = world.compile().bytes().to_vec();

    // The owner's place stands before the end and the verifier.
    let owner = file.windows(32).position(|window| window == verifier).unwrap() - 8;
    assert_eq!(file[owner..owner + 4], [0; 4]);
    file[owner] = 1;
    assert_eq!(unsigned(file).err(), Some(Refused::Reference));

    contents.principals.clear();
    let refused = contents.compile(VerifierLen::Full).unwrap_err();
    assert!(matches!(refused, BadContents::UnknownOwner(_)), "{refused}");
    assert_ne!(world.edit(ana).id, Uuid::default());
}

#[test]
fn b12_a_token_follows_the_definition_of_its_owners_role() {
    let mut world = World::default();
    world.roles.insert("operator".to_owned(), names(&["manage_device"]));
    let ana = world.user("ana", &["operator"]);
    let before = world.compile();
    world.roles.insert("operator".to_owned(), names(&["manage_alerts"]));
    let after = world.compile();

    assert_eq!(before.asks(ana, &needs("manage_device")), Reason::Ok);
    assert_eq!(after.asks(ana, &needs("manage_device")), Reason::PermissionMissing);
    assert_eq!(after.asks(ana, &needs("manage_alerts")), Reason::Ok);
}

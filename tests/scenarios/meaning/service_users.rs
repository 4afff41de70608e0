//! DOMAIN C: service users stand on their own.

use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_tests::world::{NOW, STALE_AFTER, Snapshot, Who, World, names, needs, sends};

/// A service user that an admin made, and the admin.
fn made() -> (World, Who, Who) {
    let mut world = World::default();
    let admin = world.user("ana", &["iot_account_admin"]);
    let service = world.service_user("MES sync", &["manage_certificate"]);
    world.edit(service).created_by = Some("ana".to_owned());

    (world, admin, service)
}

fn works(snapshot: &Snapshot, service: Who) {
    let request = sends("POST", "/iot/api/v1/certificate");
    assert_eq!(snapshot.asks(service, &request), Reason::Ok);
    assert_eq!(snapshot.asks(service, &needs("manage_device")), Reason::PermissionMissing);
    let (kind, _, name) = snapshot.names(service).unwrap();
    assert_eq!((kind, name.as_str()), ("service_user", "MES sync"));
}

#[test]
fn c1_n2_a_service_user_does_not_care_what_becomes_of_its_creator() {
    let (mut world, admin, service) = made();
    works(&world.compile(), service);

    for status in ["disabled", "deleted", "active"] {
        world.edit(admin).status = status;
        works(&world.compile(), service);
    }
    for roles in [&[][..], &["iot_account_admin", "iot_system_admin"]] {
        world.edit(admin).grants = names(roles);
        works(&world.compile(), service);
    }
    world.edit(admin).system = true;
    works(&world.compile(), service);
}

#[test]
fn c2_n2_what_the_creator_lacks_the_service_user_may_have() {
    let (mut world, admin, service) = made();
    world.edit(admin).grants = Vec::new();
    let snapshot = world.compile();

    let asked = needs("manage_certificate");
    assert_eq!(snapshot.asks(admin, &asked), Reason::PermissionMissing);
    assert_eq!(snapshot.asks(service, &asked), Reason::Ok);
}

#[test]
fn c3_n14_a_friendly_name_like_a_username_is_told_apart_by_kind_and_id() {
    let mut world = World::default();
    let user = world.user("sync", &["iot_account_admin"]);
    let service = world.service_user("sync", &["manage_device"]);
    let snapshot = world.compile();

    let (one, other) = (snapshot.names(user).unwrap(), snapshot.names(service).unwrap());
    assert_eq!((one.0, other.0), ("api_token", "service_user"));
    assert_ne!(one.1, other.1);
    assert_eq!(one.2, other.2);
}

fn named(name: &str) -> Result<(), String> {
    let mut world = World::default();
    world.service_user(name, &["manage_device"]);

    world.policy().map(drop)
}

#[test]
fn c4_a_friendly_name_that_could_forge_a_record_is_refused() {
    for bad in ["a\nb", "a\"b", "a\0b", "=cmd()", "a\u{202e}b", "a\u{1F600}b"] {
        let refused = named(bad).unwrap_err();
        assert!(refused.contains("friendly_name"), "{refused}");
        assert!(!refused.contains(['\0', '\u{202e}']), "{refused:?}");
    }
    named("Größe 7_b-c").unwrap();
}

#[test]
fn c5_a_friendly_name_of_129_bytes_is_refused_never_cut() {
    named(&"x".repeat(128)).unwrap();
    let refused = named(&"x".repeat(129)).unwrap_err();
    assert!(refused.contains("129 bytes"), "{refused}");
    // 65 characters of two bytes each.
    named(&"ü".repeat(65)).unwrap_err();
}

#[test]
fn c6_names_are_compared_exactly_and_never_end_in_white_space() {
    let mut world = World::default();
    let upper = world.service_user("MES sync", &["manage_device"]);
    let lower = world.service_user("mes sync", &["manage_alerts"]);
    let snapshot = world.compile();
    assert_eq!(snapshot.asks(upper, &needs("manage_device")), Reason::Ok);
    assert_eq!(snapshot.asks(lower, &needs("manage_device")), Reason::PermissionMissing);

    assert!(named("MES sync ").unwrap_err().contains("white space"));
    world.service_user("MES sync", &["manage_device"]);
    assert!(world.policy().unwrap_err().contains("already"));
}

#[test]
fn c7_a_token_is_rotated_without_a_moment_in_which_none_works() {
    let (mut world, _, service) = made();
    let second = world.token(service, "second");
    let both = world.compile();
    world.edit_token(service).status = "deleted";
    let one = world.compile();
    let asked = needs("manage_certificate");

    assert_eq!(both.asks(service, &asked), Reason::Ok);
    assert_eq!(both.asks(second, &asked), Reason::Ok);
    assert_eq!(one.asks(service, &asked), Reason::UnknownToken);
    assert_eq!(one.asks(second, &asked), Reason::Ok);
}

#[test]
fn c8_a_disabled_service_user_is_refused_with_a_good_token() {
    let (mut world, _, service) = made();
    world.edit(service).status = "disabled";

    let reason = world.compile().asks(service, &needs("manage_certificate"));
    assert_eq!(reason, Reason::OwnerDisabled);
}

#[test]
fn c9_a_token_outlives_its_owner_to_no_use() {
    let (mut world, _, service) = made();
    world.edit(service).end = Some("2026-07-02".to_owned());
    world.edit_token(service).end = Some("2026-07-04".to_owned());
    let snapshot = world.compile();
    let day = |n: u64| needs("manage_certificate").at(NOW.0 + n * 86_400 - 1);

    assert_eq!(snapshot.asks(service, &day(2)), Reason::Ok);
    assert_eq!(snapshot.asks(service, &day(3)), Reason::OwnerExpired);
    // Past both ends the token's is named first (DOMAIN section 4, step 6).
    assert_eq!(snapshot.asks(service, &day(5)), Reason::TokenExpired);
}

#[test]
fn c10_a_service_user_of_another_account_is_unknown_here() {
    let (mut elsewhere, _, _) = made();
    elsewhere.account = Uuid([0xee; 16]);
    let stranger = elsewhere.service_user("stranger", &["manage_device"]);
    let (here, _, _) = made();
    let text = elsewhere.text(stranger);

    let asked = needs("manage_device");
    assert_eq!(elsewhere.compile().asks_with(&text, &asked), Reason::Ok);
    assert_eq!(here.compile().asks_with(&text, &asked), Reason::UnknownToken);
}

#[test]
fn f21_n13_a_token_of_another_account_is_refused_though_id_and_secret_are_the_same() {
    let (here, _, service) = made();
    let mut elsewhere = here.clone();
    elsewhere.account = Uuid([0xee; 16]);
    let text = elsewhere.text(service);
    assert_eq!(text, here.text(service));

    // Both hold it, so both allow it; but neither would by the other's verifiers.
    let mut contents = here.contents("everything");
    contents.tokens = elsewhere.contents("everything").tokens;
    let asked = needs("manage_certificate");
    assert_eq!(here.compile().asks_with(&text, &asked), Reason::Ok);
    let mixed = here.compile_contents(&contents);
    assert_eq!(mixed.asks_with(&text, &asked), Reason::BadSecret);
    assert_eq!(mixed.names(service), None);
}

#[test]
fn c11_a_service_user_without_permissions_authenticates_and_may_do_nothing() {
    let mut world = World::default();
    let service = world.service_user("idle", &[]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(service, &needs("manage_device")), Reason::PermissionMissing);
    assert_eq!(snapshot.names(service).unwrap().2, "idle");
}

#[test]
fn c12_an_offline_gateway_goes_on_with_the_old_rights() {
    let (mut world, _, service) = made();
    let held = world.compile();
    world.edit(service).grants = names(&["manage_certificate", "manage_device"]);
    let published = world.compile();

    let asked = needs("manage_device").at(NOW.0 + u64::from(STALE_AFTER));
    assert_eq!(held.asks(service, &asked), Reason::PermissionMissing);
    assert_eq!(published.asks(service, &asked), Reason::Ok);
}

//! DOMAIN A: roles, permissions and the bar on system users.

use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::permission::{CATALOGUE, Operation, PermissionSet};
use gateward_core::route::{
    self, Accepts, AnyOf, BadRule, DivisionSource, Methods, Pattern, RouteOperation, Rule,
};
use gateward_core::snapshot::{Refused, unsigned};
use gateward_core::token::Token;
use gateward_tests::world::{EVERYTHING, NOW, Snapshot, Who, World, names, needs, sends};

/// The operation that a permission is asked for where it is to be held: something it grants, from
/// which nobody is barred.
fn harmless(permission: &str) -> &'static str {
    if permission.starts_with("view_") { "read" } else { "write" }
}

fn held(snapshot: &Snapshot, who: Who) -> Vec<&'static str> {
    CATALOGUE
        .iter()
        .map(|entry| entry.id)
        .filter(|id| snapshot.asks(who, &needs(id).to(harmless(id))) == Reason::Ok)
        .collect()
}

fn system_user(world: &mut World, roles: &[&str]) -> Who {
    let who = world.user("root", roles);
    world.edit(who).system = true;
    who
}

#[test]
fn a1_an_account_admin_has_its_sixteen_permissions_and_reads_certificates_through_managing_them() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(ana, &needs("view_app_health")), Reason::PermissionMissing);
    assert_eq!(snapshot.asks(ana, &needs("view_certificate")), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &sends("GET", "/iot/api/v1/certificate")), Reason::Ok);
    assert_eq!(
        held(&snapshot, ana),
        [
            "manage_alerts",
            "manage_division",
            "manage_gateway",
            "manage_settings",
            "view_audit_log",
            "view_license",
            "manage_device",
            "manage_device_profile",
            "manage_authentication_ca",
            "manage_certificate",
            "view_certificate",
            "manage_certificate_profile",
            "manage_enrollment_profile",
            "manage_external_cas",
            "manage_iot_ca",
            "manage_ocsp_grouping",
            "manage_certificate_template",
        ]
    );
}

#[test]
fn a2_a_system_admin_has_its_sixteen_permissions() {
    let mut world = World::default();
    let root = system_user(&mut world, &["iot_system_admin"]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(root, &needs("manage_certificate")), Reason::PermissionMissing);
    assert_eq!(snapshot.asks(root, &needs("view_license")), Reason::PermissionMissing);
    assert_eq!(
        held(&snapshot, root),
        [
            "manage_alerts",
            "manage_division",
            "manage_gateway",
            "manage_settings",
            "view_app_health",
            "view_audit_log",
            "manage_device",
            "manage_device_profile",
            "manage_authentication_ca",
            "view_certificate",
            "manage_certificate_profile",
            "manage_enrollment_profile",
            "manage_external_cas",
            "manage_iot_ca",
            "manage_ocsp_grouping",
            "manage_certificate_template",
        ]
    );
}

#[test]
fn a3_a_system_user_that_manages_intermediate_cas_may_not_request_one() {
    let mut world = World::default();
    let root = system_user(&mut world, &["iot_system_admin"]);
    let snapshot = world.compile();

    for asked in [
        sends("POST", "/iot/api/v1/intermediate-ca"),
        needs("manage_iot_ca").to("issue_ca"),
        needs("manage_iot_ca"),
    ] {
        assert_eq!(snapshot.asks(root, &asked), Reason::SystemUserBarred, "{asked:?}");
    }
}

#[test]
fn a4_a_system_user_still_manages_intermediate_cas() {
    let mut world = World::default();
    let root = system_user(&mut world, &["iot_system_admin"]);
    let snapshot = world.compile();

    for asked in [
        sends("GET", "/iot/api/v1/intermediate-ca"),
        sends("PUT", "/iot/api/v1/intermediate-ca/77"),
        needs("manage_iot_ca").to("write"),
    ] {
        assert_eq!(snapshot.asks(root, &asked), Reason::Ok, "{asked:?}");
    }
}

/// A system user whose own role holds what its scope bars it from using.
fn custom() -> (Snapshot, Who) {
    let mut world = World::default();
    world.roles.insert("issuer".to_owned(), names(&["manage_certificate"]));
    let root = system_user(&mut world, &["issuer"]);

    (world.compile(), root)
}

#[test]
fn a5_a9_a_custom_role_does_not_lift_the_bar_and_it_follows_the_owner_into_the_token() {
    let (snapshot, root) = custom();

    for asked in [
        sends("POST", "/iot/api/v1/certificate"),
        needs("manage_certificate"),
        needs("manage_certificate").to("issue"),
    ] {
        assert_eq!(snapshot.asks(root, &asked), Reason::SystemUserBarred, "{asked:?}");
    }
}

#[test]
fn a6_renewing_and_batches_are_requests_too() {
    let (snapshot, root) = custom();

    for (method, path) in [
        ("PUT", "/iot/api/v1/certificate/77/renew"),
        ("POST", "/iot/api/v1/batch-enroll"),
        ("POST", "/iot/api/v1/batch-enroll/server-side"),
        ("POST", "/iot/api/v1/device/77/renew"),
    ] {
        let reason = snapshot.asks(root, &sends(method, path));
        assert_eq!(reason, Reason::SystemUserBarred, "{method} {path}");
    }
}

#[test]
fn a7_revoking_is_not_requesting() {
    let (snapshot, root) = custom();

    for asked in [
        sends("PUT", "/iot/api/v1/certificate/77/revoke"),
        sends("PUT", "/iot/api/v1/device/77/revoke"),
        needs("manage_certificate").to("revoke"),
    ] {
        assert_eq!(snapshot.asks(root, &asked), Reason::Ok, "{asked:?}");
    }
}

#[test]
fn a8_approving_is_barred_like_requesting() {
    let (snapshot, root) = custom();

    for asked in [
        sends("PUT", "/iot/api/v1/batch-enroll/7/approve"),
        sends("PUT", "/iot/api/v1/certificate-request/7/approve"),
        needs("manage_certificate").to("approve"),
    ] {
        assert_eq!(snapshot.asks(root, &asked), Reason::SystemUserBarred, "{asked:?}");
    }
    let reject = sends("PUT", "/iot/api/v1/batch-enroll/7/reject");
    assert_eq!(snapshot.asks(root, &reject), Reason::Ok);
}

#[test]
fn a10_with_both_built_in_roles_an_account_user_has_the_union_and_no_bar() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin", "iot_system_admin"]);
    let snapshot = world.compile();

    assert_eq!(held(&snapshot, ana).len(), 18);
    for entry in CATALOGUE.iter().filter(|entry| entry.id != "view_enrollment_profile") {
        assert_eq!(snapshot.asks(ana, &needs(entry.id)), Reason::Ok, "{}", entry.id);
    }
    let beyond = needs("view_enrollment_profile");
    assert_eq!(snapshot.asks(ana, &beyond), Reason::PermissionMissing);
}

#[test]
fn a11_a_user_without_roles_authenticates_and_may_do_nothing() {
    let mut world = World::default();
    let nobody = world.user("nobody", &[]);
    let snapshot = world.compile();

    for (method, path) in [
        ("GET", "/iot/api/v1/certificate"),
        ("POST", "/iot/api/v1/device"),
        ("GET", "/iot/api/v1/license"),
    ] {
        let reason = snapshot.asks(nobody, &sends(method, path));
        assert_eq!(reason, Reason::PermissionMissing, "{method} {path}");
    }
    assert_eq!(snapshot.names(nobody).unwrap().2, "nobody");
}

#[test]
fn a12_a_user_without_iot_access_is_told_so_and_not_that_it_is_unknown() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    world.edit(ana).iot_access = false;
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(ana, &needs("manage_device")), Reason::NoIotAccess);
    assert_eq!(snapshot.asks(ana, &sends("GET", "/iot/api/v1/device")), Reason::NoIotAccess);
    assert_eq!(snapshot.names(ana).unwrap().2, "ana");
}

#[test]
fn a13_who_may_look_at_certificates_may_not_request_them() {
    let mut world = World::default();
    let reader = world.service_user("reader", &["view_certificate"]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(reader, &sends("GET", "/iot/api/v1/certificate")), Reason::Ok);
    let request = sends("POST", "/iot/api/v1/certificate");
    assert_eq!(snapshot.asks(reader, &request), Reason::PermissionMissing);
}

#[test]
fn a14_who_manages_certificates_reads_them_and_what_a_request_needs() {
    let mut world = World::default();
    let issuer = world.service_user("issuer", &["manage_certificate"]);
    let snapshot = world.compile();

    for asked in [
        sends("GET", "/iot/api/v1/certificate"),
        sends("GET", "/iot/api/v1/enrollment-profile/7/enrollment-specification"),
        needs("view_certificate"),
    ] {
        assert_eq!(snapshot.asks(issuer, &asked), Reason::Ok, "{asked:?}");
    }
    let profile = sends("GET", "/iot/api/v1/enrollment-profile/7");
    assert_eq!(snapshot.asks(issuer, &profile), Reason::PermissionMissing);
}

#[test]
fn a15_a_permission_outside_both_roles_can_be_held_by_a_service_user() {
    let mut world = World::default();
    let reader = world.service_user("reader", &["view_enrollment_profile"]);
    let snapshot = world.compile();

    let path = "/iot/api/v1/enrollment-profile";
    assert_eq!(snapshot.asks(reader, &sends("GET", path)), Reason::Ok);
    assert_eq!(snapshot.asks(reader, &sends("POST", path)), Reason::PermissionMissing);
}

#[test]
fn a16_n6_a_permission_bit_that_nobody_knows_grants_nothing_and_spoils_nothing() {
    let mut world = World::default();
    let service = world.service_user("future", &["manage_device"]);
    let mut contents = world.contents(EVERYTHING);
    for principal in contents.principals.values_mut() {
        principal.permissions = PermissionSet(principal.permissions.0 | 1 << 40 | 1 << 63);
    }
    let snapshot = world.compile_contents(&contents);

    assert_eq!(held(&snapshot, service), ["manage_device"]);
}

/// A rule like those of the table.
fn rule<'a>(permissions: &'a str, operation: RouteOperation) -> Rule<'a> {
    Rule {
        id: "added",
        methods: Methods::parse("GET").unwrap(),
        pattern: Pattern::check("/added/{id}").unwrap(),
        permissions: AnyOf::new(permissions),
        operation,
        accepts: Accepts::parse("key").unwrap(),
        division: DivisionSource::None,
        fresh: false,
        resource: "thing",
        action: "view",
        enabled: true,
    }
}

fn asks_rule(rule: Rule<'_>) -> Reason {
    let mut world = World::default();
    let all = world.user("all", &["iot_account_admin", "iot_system_admin"]);
    let snapshot = world.compile();
    let view = snapshot.view();
    let found = route::find("GET", "/added/7", [rule].into_iter()).unwrap();
    let ask = Ask::of_route(&view, &found, None, Mode::Proxy);
    let token = Token::read(&world.text(all)).unwrap();

    decide(&view, &ask, &token, NOW, DivisionRules::default()).reason
}

/// Returns what is wrong with a policy that adds this rule.
fn refused(permissions: &str) -> String {
    let mut world = World::default();
    world.more = format!(
        "[[routes]]\nid = \"added\"\nmethods = [\"GET\"]\npattern = \"/added/{{id}}\"\n\
         permission_any_of = [{permissions}]\nop = \"read\"\nauth = [\"key\"]\n\
         division = \"none\"\nresource_action = \"thing/view\"\n"
    );

    world.policy().err().unwrap_or_default()
}

#[test]
fn a17_a_rule_with_a_permission_that_nobody_knows_lets_nobody_through() {
    let read = RouteOperation::Needs(Operation::Read);

    assert_eq!(asks_rule(rule("view_license", read)), Reason::Ok);
    assert_eq!(asks_rule(rule("view_everything", read)), Reason::PermissionMissing);

    assert_eq!(refused("\"view_license\""), "");
    assert!(refused("\"view_everything\"").contains("view_everything"));
}

#[test]
fn a18_a_rule_without_permissions_lets_nobody_through_and_is_no_good_rule() {
    let empty = rule("", RouteOperation::Needs(Operation::Read));

    assert_eq!(empty.check(), Err(BadRule::NoPermission));
    assert_eq!(asks_rule(empty), Reason::PermissionMissing);
    assert!(refused("").contains("permission"));
}

#[test]
fn a19_a_service_user_of_the_system_is_refused_by_the_compiler_and_has_no_encoding() {
    let mut world = World::default();
    let service = world.service_user("MES sync", &["manage_certificate"]);
    let file = world.compile().bytes().to_vec();
    world.edit(service).system = true;

    let refused = world.policy().unwrap_err();
    assert!(refused.contains("access_scope") && refused.contains("service user"), "{refused}");

    // The byte after the next of a principal's id says what it is; 3 would be the missing one.
    let Uuid(id) = world.edit(service).id;
    let kind = file.windows(16).position(|window| window == id).unwrap() + 23;
    assert_eq!(file[kind], 2);
    let mut forged = file;
    forged[kind] = 3;
    assert_eq!(unsigned(forged).err(), Some(Refused::UnknownStatus));
}

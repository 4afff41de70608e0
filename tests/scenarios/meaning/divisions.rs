//! DOMAIN D: where somebody may act.

use gateward_control::policy::KnownIds;
use gateward_core::decide::Reason;
use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::snapshot::build::{BadContents, Scope, VerifierLen};
use gateward_core::snapshot::unsigned;
use gateward_tests::world::{EVERYTHING, Snapshot, Who, World, needs, sends};

const PROFILE_A: Uuid = Uuid([0x4a; 16]);
const PROFILE_B: Uuid = Uuid([0x4b; 16]);
const PROFILE_OF_NONE: Uuid = Uuid([0x40; 16]);
const PROFILE_UNKNOWN: Uuid = Uuid([0x4f; 16]);

/// An admin limited to division A, and profiles in A, in B and in none.
fn limited() -> (World, Who) {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    world.limit(ana, &["A"]);
    world.profiles.insert(PROFILE_A, Some("A".to_owned()));
    world.profiles.insert(PROFILE_B, Some("B".to_owned()));
    world.profiles.insert(PROFILE_OF_NONE, None);

    (world, ana)
}

fn profile(id: Uuid) -> String {
    format!("/iot/api/v1/enrollment-profile/IOT_{id}")
}

fn device(snapshot: &Snapshot, who: Who, division: &str) -> Reason {
    snapshot.asks(who, &needs("manage_device").within(division))
}

#[test]
fn d1_who_is_in_no_division_may_act_in_every_one() {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    let snapshot = world.compile();

    for division in ["A", "B", "C", "no such division"] {
        assert_eq!(device(&snapshot, ana, division), Reason::Ok, "{division}");
    }
    assert_eq!(snapshot.asks(ana, &needs("manage_device")), Reason::Ok);
}

#[test]
fn d2_an_admin_of_one_division_is_refused_in_another() {
    let (world, ana) = limited();
    let snapshot = world.compile();

    assert_eq!(device(&snapshot, ana, "A"), Reason::Ok);
    assert_eq!(device(&snapshot, ana, "B"), Reason::DivisionDenied);
    assert_eq!(device(&snapshot, ana, "no such division"), Reason::DivisionDenied);
    let by_id = world.division("B").to_string();
    assert_eq!(device(&snapshot, ana, &by_id), Reason::DivisionDenied);
}

#[test]
fn d3_d5_who_is_in_two_divisions_acts_in_both_until_it_leaves_one() {
    let (mut world, ana) = limited();
    world.limit(ana, &["A", "B"]);
    let before = world.compile();
    world.limit(ana, &["A"]);
    let after = world.compile();

    assert_eq!(device(&before, ana, "A"), Reason::Ok);
    assert_eq!(device(&before, ana, "B"), Reason::Ok);
    assert_eq!(device(&before, ana, "C"), Reason::DivisionDenied);
    assert_eq!(device(&after, ana, "A"), Reason::Ok);
    assert_eq!(device(&after, ana, "B"), Reason::DivisionDenied);
}

#[test]
fn d4_leaving_the_last_division_widens_and_has_to_be_confirmed_by_name() {
    let (mut world, ana) = limited();
    let mut published = KnownIds::default();
    published.merge(&world.policy().unwrap());
    assert_eq!(published.widenings(&world.policy().unwrap()), []);
    world.edit(ana).divisions = None;
    let wider = world.policy().unwrap();

    assert_eq!(device(&world.compile(), ana, "B"), Reason::Ok);
    let asked = published.widenings(&wider);
    assert_eq!(asked.iter().map(|widening| widening.name.as_str()).collect::<Vec<_>>(), ["ana"]);
}

#[test]
fn d6_a_division_that_is_gone_never_means_all_of_them() {
    let (mut world, _) = limited();
    world.divisions.remove(0);
    assert!(world.policy().unwrap_err().contains("is no division"));

    let (world, _) = limited();
    let id = world.division("A");
    let deleted = format!("id = \"{id}\"\nstatus = \"deleted\"\nname = \"A\"");
    let standing = format!("id = \"{id}\"\nname = \"A\"");
    let toml = world.toml().replace(&standing, &deleted);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.toml"), toml).unwrap();
    let refused = gateward_control::policy::Policy::load(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("deleted, which never means all"), "{refused}");
}

#[test]
fn d7_n5_a_limit_to_no_division_at_all_lets_nothing_through() {
    let (world, ana) = limited();
    let mut contents = world.contents(EVERYTHING);
    for principal in contents.principals.values_mut() {
        principal.scope = Scope::Only([].into());
    }
    let snapshot = world.compile_contents(&contents);

    for asked in [
        needs("manage_device").within("A"),
        needs("manage_device").within("no such division"),
        needs("manage_device"),
        needs("manage_device").through_a_proxy(),
        sends("GET", "/iot/api/v1/device"),
        sends("GET", &profile(PROFILE_A)),
        sends("GET", &profile(PROFILE_OF_NONE)),
        sends("GET", &profile(PROFILE_UNKNOWN)),
        sends("POST", "/iot/api/v1/certificate"),
    ] {
        let reason = snapshot.asks(ana, &asked);
        assert!(
            matches!(reason, Reason::DivisionDenied | Reason::DivisionUnspecified),
            "{asked:?}: {reason}"
        );
    }
    assert_eq!(snapshot.asks(ana, &needs("view_license")), Reason::Ok);
}

#[test]
fn d8_n5_n6_a_snapshot_that_was_cut_anywhere_is_refused_whole() {
    let (world, _) = limited();
    let file = world.compile().bytes().to_vec();
    for len in 0..file.len() {
        assert!(unsigned(&file[..len]).is_err(), "{len} bytes");
    }

    // Whatever byte of the header is made smaller, a limited principal stays limited.
    for at in 0..80 {
        let mut shrunk = file.clone();
        shrunk[at] = shrunk[at].saturating_sub(1);
        let Ok(opened) = unsigned(&shrunk) else { continue };
        for principal in opened.view().principals() {
            assert!(!principal.reaches_all_divisions(), "byte {at}");
            assert_eq!(principal.divisions().count(), 1, "byte {at}");
        }
    }
}

#[test]
fn d9_a_principal_of_a_division_that_is_not_there_cannot_be_compiled() {
    let (world, _) = limited();
    let mut contents = world.contents(EVERYTHING);
    let missing = world.division("A");
    contents.divisions.remove(&missing);

    let refused = contents.compile(VerifierLen::Full).unwrap_err();
    assert_eq!(refused, BadContents::UnknownDivision(missing));
}

#[test]
fn d10_an_item_in_no_division_is_for_everybody_unless_the_operator_says_otherwise() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let asked = sends("GET", &profile(PROFILE_OF_NONE));

    assert_eq!(snapshot.asks(ana, &asked), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &asked.clone().directly()), Reason::Ok);
    let strict = DivisionRules { deny_unattached: true, ..DivisionRules::default() };
    assert_eq!(snapshot.asks(ana, &asked.under(strict)), Reason::DivisionDenied);
}

#[test]
fn d11_a_list_without_a_division_passes_the_proxy_unless_strict_and_is_refused_directly() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let asked = sends("GET", "/iot/api/v1/device");
    let strict = DivisionRules { strict: true, ..DivisionRules::default() };

    assert_eq!(snapshot.asks(ana, &asked), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &asked.clone().under(strict)), Reason::DivisionUnspecified);
    assert_eq!(snapshot.asks(ana, &asked.directly()), Reason::DivisionUnspecified);
}

#[test]
fn d12_a_list_of_another_division_is_refused_in_either_mode() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let list = |name| format!("/iot/api/v1/device?division_id={}", world.division(name));

    for (name, reason) in [("A", Reason::Ok), ("B", Reason::DivisionDenied)] {
        let asked = sends("GET", &list(name));
        assert_eq!(snapshot.asks(ana, &asked), reason);
        assert_eq!(snapshot.asks(ana, &asked.directly()), reason);
    }
}

#[test]
fn d13_a_division_is_read_once_as_an_id_and_never_twice() {
    let (mut world, ana) = limited();
    let all = world.user("all", &["iot_account_admin"]);
    let snapshot = world.compile();
    let (a, b) = (world.division("A").to_string(), world.division("B").to_string());
    let asks = |who, query: &str| {
        let asked = sends("GET", &format!("/iot/api/v1/device?{query}"));
        let reason = snapshot.asks(who, &asked);
        assert_eq!(snapshot.asks(who, &asked.directly()), reason, "{query}");
        reason
    };

    let upper = format!("division_id={}", a.to_uppercase());
    assert_eq!(asks(ana, &upper), Reason::Ok);
    let coded = format!("division_id=%{:02x}{}", a.as_bytes()[0], &a[1..]);
    assert_eq!(asks(ana, &coded), Reason::Ok);
    let coded = format!("division_id=%{:02X}{}", b.as_bytes()[0], &b[1..]);
    assert_eq!(asks(ana, &coded), Reason::DivisionDenied);
    for twice in [
        format!("division_id={a}&division_id={b}"),
        format!("division_id={b}&division_id={a}"),
        format!("division_id={a}&division_id={a}"),
        "division_id=A".to_owned(),
    ] {
        assert_eq!(asks(ana, &twice), Reason::DivisionDenied, "{twice}");
        assert_eq!(asks(all, &twice), Reason::DivisionDenied, "{twice}");
    }
}

#[test]
fn d14_a_division_in_the_body_is_left_to_the_upstream_or_has_to_be_told() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let asked = sends("POST", "/iot/api/v1/certificate");
    let strict = DivisionRules { strict: true, ..DivisionRules::default() };

    assert_eq!(snapshot.asks(ana, &asked), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &asked.clone().under(strict)), Reason::DivisionUnspecified);
    let direct = asked.directly();
    assert_eq!(snapshot.asks(ana, &direct), Reason::DivisionUnspecified);
    assert_eq!(snapshot.asks(ana, &direct.clone().within("A")), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &direct.within("B")), Reason::DivisionDenied);
}

#[test]
fn d15_a_token_beside_an_enrolment_is_not_a_credential_there() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let path = format!("/.well-known/est/IOT_{PROFILE_B}/simpleenroll");

    assert_eq!(snapshot.asks(ana, &sends("POST", &path)), Reason::CredentialNotAccepted);
}

#[test]
fn d16_a_profile_that_the_index_does_not_know_is_unknown_and_not_in_no_division() {
    let (world, ana) = limited();
    let snapshot = world.compile();
    let strict = DivisionRules { strict: true, deny_unattached: false };

    for path in [profile(PROFILE_UNKNOWN), "/iot/api/v1/enrollment-profile/not-an-id".to_owned()] {
        let asked = sends("GET", &path);
        assert_eq!(snapshot.asks(ana, &asked), Reason::Ok, "{path}");
        let reason = snapshot.asks(ana, &asked.clone().under(strict));
        assert_eq!(reason, Reason::DivisionUnspecified, "{path}");
        let reason = snapshot.asks(ana, &asked.directly());
        assert_eq!(reason, Reason::DivisionUnspecified, "{path}");
    }
    assert_eq!(snapshot.asks(ana, &sends("GET", &profile(PROFILE_A))), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &sends("GET", &profile(PROFILE_B))), Reason::DivisionDenied);
}

#[test]
fn d17_a_permission_without_divisions_is_not_limited_by_them() {
    let (world, ana) = limited();
    let snapshot = world.compile();

    for asked in [
        needs("view_license"),
        needs("view_license").within("B"),
        sends("GET", "/iot/api/v1/license"),
        sends("GET", "/iot/api/v1/license").directly(),
    ] {
        assert_eq!(snapshot.asks(ana, &asked), Reason::Ok, "{asked:?}");
    }
}

#[test]
fn d18_a_profile_that_moved_is_where_the_snapshot_that_is_held_says() {
    let (mut world, ana) = limited();
    let held = world.compile();
    world.profiles.insert(PROFILE_A, Some("B".to_owned()));
    let published = world.compile();

    let asked = sends("GET", &profile(PROFILE_A));
    assert_eq!(held.asks(ana, &asked), Reason::Ok);
    assert_eq!(published.asks(ana, &asked), Reason::DivisionDenied);
}

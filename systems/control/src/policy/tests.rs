//! What an account may say of itself, and what is said about everything else.

mod routes;

use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::Scope;

use super::*;
use crate::testing::{POLICY, folder, mistakes, sources, with};

fn user(extra: &str) -> String {
    format!(
        "[[users]]\nusername = \"eve\"\nid = \"0193a5d4-2222-7c61-8d5e-00000000000e\"\n{extra}\n"
    )
}

fn service_user(name: &str, extra: &str) -> String {
    format!(
        "[[service_users]]\nfriendly_name = {name:?}\nid = \
         \"0193a5d4-3333-7c61-8d5e-00000000000e\"\n{extra}\n"
    )
}

fn principal<'a>(policy: &'a Policy, name: &str) -> &'a Principal {
    policy.principals().iter().find(|principal| principal.name == name).unwrap()
}

#[test]
fn a_right_policy_is_read_with_effective_rights() {
    let policy = with("").unwrap();

    let ana = principal(&policy, "ana.ruiz");
    assert_eq!((ana.permissions.0, ana.kind), (0x3f7ef, PrincipalKind::User));
    assert_eq!(ana.scope, Scope::Only([policy.divisions()[0].id].into()));
    let root = principal(&policy, "root");
    assert_eq!((root.kind, &root.scope), (PrincipalKind::SystemUser, &Scope::All));
    assert_eq!(principal(&policy, "gone").permissions, PermissionSet::EMPTY);
    assert_eq!(policy.staleness(), Staleness { stale_after_s: 86_400, expires_after_s: 604_800 });
}

#[test]
fn a5_a_custom_role_gives_a_system_user_permissions_and_leaves_it_a_system_user() {
    let policy = with(&user("roles = [\"line_operator\"]\naccess_scope = \"system\"")).unwrap();
    let eve = principal(&policy, "eve");
    let held = policy.catalogue().ids(eve.permissions);

    assert_eq!(eve.kind, PrincipalKind::SystemUser);
    assert_eq!(held, ["manage_device", "view_certificate"]);
}

#[test]
fn a11_a_user_without_a_role_is_legal() {
    assert_eq!(principal(&with(&user("")).unwrap(), "eve").permissions, PermissionSet::EMPTY);
}

#[test]
fn a19_a_service_user_of_system_scope_is_refused() {
    let text = mistakes(&service_user("x", "access_scope = \"system\""));

    assert!(text.contains("service_users.access_scope: `system` is for users"), "{text}");
}

#[test]
fn c3_a_friendly_name_may_equal_a_username() {
    assert!(with(&service_user("bo", "")).is_ok());
}

#[test]
fn c4_a_friendly_name_that_could_forge_a_line_is_refused_and_shown_harmlessly() {
    for bad in ["a\\nb", "a\\\"b", "a\\u0000b", "=cmd()", "a\\u202eb", "a\\U0001F600b"] {
        let toml = service_user("NAME", "").replace("NAME", bad);
        let text = mistakes(&toml);
        assert!(text.contains("service_users.friendly_name: `"), "{bad}: {text}");
        assert_eq!(text.lines().count(), 1, "{bad}: {text}");
        assert!(!text.contains('\u{202e}') && !text.contains('\0'), "{bad}: {text}");
    }
}

#[test]
fn c5_a_friendly_name_of_129_bytes_is_refused_never_cut() {
    assert!(with(&service_user(&"x".repeat(128), "")).is_ok());
    assert!(mistakes(&service_user(&"x".repeat(129), "")).contains("129 bytes long"));
}

#[test]
fn c6_names_that_differ_in_case_are_two_and_white_space_at_an_end_is_refused() {
    assert!(with(&service_user("mes sync", "")).is_ok());
    assert!(mistakes(&service_user("MES sync ", "")).contains("white space at an end: remove it"));
    assert!(mistakes(&service_user("MES sync", "")).contains("is already defined at"));
}

#[test]
fn d6_a_division_removed_or_deleted_under_a_principal_is_refused_never_all() {
    let removed = POLICY.replace("name = \"plant-8\"", "name = \"plant-9\"");
    let gone = Policy::check(&Sources { policy: removed, ..sources() }).unwrap_err().to_string();
    let deleted = POLICY.replace("name = \"plant-8\"", "name = \"plant-8\"\nstatus = \"deleted\"");
    let dead = Policy::check(&Sources { policy: deleted, ..sources() }).unwrap_err().to_string();

    for line in
        ["users.jsonl:3: users.divisions:", "service_users.jsonl:2: service_users.divisions:"]
    {
        assert!(gone.contains(&format!("{line} `plant-8` is no division")), "{gone}");
        assert!(
            dead.contains(&format!("{line} `plant-8` is deleted, which never means all")),
            "{dead}"
        );
    }
}

#[test]
fn d9_an_unknown_division_is_refused_by_name_and_by_id() {
    for unknown in ["plant-9", "0193a5d4-1111-7c61-8d5e-000000000009"] {
        let text = mistakes(&user(&format!("divisions = [\"{unknown}\"]")));
        assert!(text.contains(&format!("`{unknown}` is no division")), "{text}");
    }
    assert!(with(&user("divisions = [\"0193a5d4-1111-7c61-8d5e-000000000001\"]")).is_ok());
}

#[test]
fn n5_an_empty_list_of_divisions_asks_which_was_meant() {
    let text = mistakes(&user("divisions = []"));

    assert!(text.contains("was everything meant, or nothing?"), "{text}");
    assert!(text.contains("status = \"disabled\""), "{text}");
}

#[test]
fn n5_no_value_of_a_wrong_type_is_read_as_all_divisions() {
    for wrong in ["\"\"", "false", "0", "{}", "[1]", "\"plant-7\""] {
        assert!(with(&user(&format!("divisions = {wrong}"))).is_err(), "{wrong}");
    }
    let mut null = sources();
    null.users = null.users.replace("[\"plant-8\"]", "null");
    assert!(Policy::check(&null).unwrap_err().to_string().contains("is null; write a list"));
}

#[test]
fn e12_an_end_in_2106_is_refused() {
    let text = mistakes(&service_user("x", "end_date = 2106-01-01"));

    assert!(text.contains("`2106-01-01`: outside 1970-01-01 to 2105-12-31"), "{text}");
    assert!(with(&service_user("x", "end_date = 2105-12-31")).is_ok());
    assert!(mistakes(&service_user("x", "end_date = 2027-06-30T10:00:00Z")).contains("not a day"));
}

#[test]
fn a_custom_role_for_partners_is_refused() {
    let text = mistakes("[[roles]]\nid = \"p\"\nscope = \"partner\"\npermissions = []\n");

    assert!(text.contains("roles.scope: `partner` is not supported"), "{text}");
}

#[test]
fn a_group_called_gateway_and_a_gateway_in_two_groups_are_refused() {
    let text = mistakes("[[groups]]\nid = \"gateway\"\ngateways = [\"edge-7a\", \"edge/9\"]\n");

    assert!(text.contains("`gateway` is reserved"), "{text}");
    assert!(text.contains("`edge-7a` is in group `plant-7` already"), "{text}");
    assert!(text.contains("`edge/9`: use 1 to 64 letters, digits and `-`, `_`"), "{text}");
}

#[test]
fn an_added_permission_takes_a_free_bit_and_must_grant_something() {
    let added = "[[permissions]]\nid = \"scan_network\"\nbit = 19\nops = [\"read\", \"write\"]\n";
    let policy = with(&format!("{added}{}", service_user("x", "permissions = [\"scan_network\"]")));
    assert_eq!(principal(&policy.unwrap(), "x").permissions.0, 1 << 19);

    let text = mistakes(&added.replace("19", "18").replace("[\"read\", \"write\"]", "[]"));
    assert!(text.contains("`18`: bits 19 to 63 are free"), "{text}");
    assert!(text.contains("must list at least one operation"), "{text}");
    assert!(
        mistakes(&added.replace("scan_network", "manage_device"))
            .contains("is a permission already")
    );
}

#[test]
fn an_operator_may_observe_or_drop_records_only_where_the_policy_says_so() {
    let allows = |text: &str| with(&format!("[snapshot]\n{text}\n")).unwrap().allows();
    let nothing = Allows::default();

    assert_eq!(with("").unwrap().allows(), nothing);
    assert_eq!(allows("allow_drop = false\nallow_observe = false"), nothing);
    assert_eq!(allows("allow_drop = true"), Allows { drop: true, ..nothing });
    assert_eq!(allows("allow_observe = true"), Allows { observe: true, ..nothing });
    for key in ["allow_drop", "allow_observe"] {
        let text = mistakes(&format!("[snapshot]\n{key} = 1\n"));
        assert!(text.contains(&format!("snapshot.{key}")), "{text}");
    }
}

#[test]
fn stale_after_is_between_five_minutes_and_expires_after() {
    for (text, wrong) in [
        ("stale_after_s = 299", "snapshot.stale_after_s: `299`"),
        ("expires_after_s = 7776001", "snapshot.expires_after_s: `7776001`"),
        ("stale_after_s = 600\nexpires_after_s = 300", "is more than `expires_after_s`"),
        ("stale_after_s = -1", "snapshot.stale_after_s: `-1`"),
    ] {
        let text = mistakes(&format!("[snapshot]\n{text}\n"));
        assert!(text.contains(wrong), "{text}");
    }
}

#[test]
fn a_payload_is_between_a_small_chunk_and_what_every_gateway_takes() {
    let set = |bytes: u32| format!("[snapshot]\nmax_payload_bytes = {bytes}\n");
    for fit in [4_096, 131_072] {
        assert!(with(&set(fit)).is_ok(), "{fit}");
    }
    for wrong in [4_095, 131_073] {
        let text = mistakes(&set(wrong));
        let limits = format!("snapshot.max_payload_bytes: `{wrong}`: 4096 to 131072 bytes");
        assert!(text.contains(&limits) && text.contains("or leave it out"), "{text}");
    }
}

fn token(extra: &str) -> String {
    format!(
        "[[tokens]]\nkind = \"api_token\"\nowner_id = \"0193a5d4-2222-7c61-8d5e-000000000001\"\nname \
         = \"plc\"\nlookup = \"AQEjRWeJq83v\"\nverifier = \"{}\"\n{extra}\n",
        "ab".repeat(32)
    )
}

#[test]
fn a_token_belongs_to_an_owner_of_its_kind_and_name() {
    assert!(with(&token("owner = \"ana.ruiz\"")).is_ok());
    let wrong = mistakes(&token("owner = \"bo\""));
    assert!(
        wrong.contains("`bo` is not the name of 0193a5d4-2222-7c61-8d5e-000000000001"),
        "{wrong}"
    );
    let service = mistakes(&token("").replace("2222", "3333"));
    assert!(service.contains("does not fit its owner, who is a service user"), "{service}");
    let nobody = mistakes(&token("").replace("2222", "5555"));
    assert!(nobody.contains("is no user or service user"), "{nobody}");
    let kind = mistakes(&token("").replace("AQEj", "AgEj"));
    assert!(kind.contains("`AgEjRWeJq83v` is not the public part of such a token"), "{kind}");
}

#[test]
fn h16_n11_a_lookup_is_used_once_even_after_deletion() {
    let again = token("").replace("\"plc\"", "\"other\"");
    let text = mistakes(&format!("{}{again}", token("status = \"deleted\"")));

    assert!(text.contains("`AQEjRWeJq83v` is already used at policy.toml:"), "{text}");
}

#[test]
fn n9_a_wrong_verifier_is_not_repeated_in_the_message() {
    let text = mistakes(&token("").replace("abab", "0xab"));

    assert!(text.contains("tokens.verifier: is not 64 hex digits"), "{text}");
    assert!(!text.contains("abab"), "{text}");
    assert!(!format!("{:?}", with(&token("")).unwrap()).contains("171"), "a verifier is shown");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = Policy::check(&Sources {
        policy: TWENTY.to_owned(),
        users: "{\"username\":\"a\"}\nnonsense\n".to_owned(),
        ..Sources::default()
    })
    .unwrap_err()
    .to_string();

    let expected = [
        "policy.toml:2: account.id: `not-a-uuid`",
        "policy.toml:3: account.name: ``: empty",
        "policy.toml:4: account.status: `frozen`: write `active` or `suspended`",
        "policy.toml:5: account.colour: is no key of account",
        "policy.toml:7: snapshot.stale_after_s: is a text; write a whole number",
        "policy.toml:8: divisions.id: is missing",
        "policy.toml:11: groups.id: `a/b`",
        "policy.toml:12: groups.gateways: `g` stands here twice",
        "policy.toml:13: groups.divisions: `nowhere` is no division",
        "policy.toml:15: roles.id: `iot_account_admin` is a role already",
        "policy.toml:16: roles.permissions: `fly` is no permission",
        "policy.toml:18: users.username: `x\\u{7}`",
        "policy.toml:20: users.roles: `pilot` is no role",
        "policy.toml:21: users.divisions: is an empty list",
        "policy.toml:22: users.iot_access: is a text; write true or false",
        "policy.toml:25: service_users.id: `0193a5d4-2222-7c61-8d5e-000000000001` is already used at policy.toml:17",
        "policy.toml:28: service_users.end_date: `2027-02-30`: not a day",
        "policy.toml:29: tokens.kind: must be",
        "policy.toml:33: resources.id: `r`",
        "policy.toml:34: resources.kind: `thing`",
        "policy.toml:35: rolls: is no table of a policy",
        "users.jsonl:1: users.id: is missing",
        "users.jsonl:2: syntax:",
    ];
    for line in expected {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

const TWENTY: &str = r#"[account]
id = "not-a-uuid"
name = ""
status = "frozen"
colour = "red"
[snapshot]
stale_after_s = "a day"
[[divisions]]
name = "plant"
[[groups]]
id = "a/b"
gateways = ["g", "g"]
divisions = ["nowhere"]
[[roles]]
id = "iot_account_admin"
permissions = ["fly"]
[[users]]
username = "x\u0007"
id = "0193a5d4-2222-7c61-8d5e-000000000001"
roles = ["pilot"]
divisions = []
iot_access = "yes"


[[service_users]]
friendly_name = "s"
id = "0193a5d4-2222-7c61-8d5e-000000000001"
end_date = "2027-02-30"
[[tokens]]
owner_id = "0193a5d4-2222-7c61-8d5e-000000000001"
name = "t"
[[resources]]
id = "r"
kind = "thing"
[rolls]
"#;

fn published() -> (tempfile::TempDir, KnownIds) {
    let dir = folder();
    let mut known = KnownIds::default();
    known.merge(&Policy::load(dir.path()).unwrap());
    known.save(dir.path()).unwrap();

    (dir, known)
}

#[test]
fn b5_n11_a_published_entry_that_was_removed_is_missed_by_check() {
    let (dir, known) = published();
    assert_eq!(KnownIds::load(dir.path()).unwrap(), known);
    Policy::load(dir.path()).unwrap();

    let users = std::fs::read_to_string(dir.path().join("users.jsonl")).unwrap();
    let without: Vec<_> = users.lines().filter(|line| !line.contains("\"bo\"")).collect();
    std::fs::write(dir.path().join("users.jsonl"), without.join("\n")).unwrap();

    let text = Policy::load(dir.path()).unwrap_err().to_string();
    assert!(text.contains("(`bo`) was published and its entry is gone"), "{text}");
    assert!(text.contains("set status = \"deleted\""), "{text}");
}

#[test]
fn b5_n11_a_deleted_entry_does_not_come_back_under_its_id() {
    let (dir, _) = published();
    let users = std::fs::read_to_string(dir.path().join("users.jsonl")).unwrap();
    let revived = users
        .replace(",\"status\":\"deleted\"", "")
        .replace("a role that is gone", "line_operator")
        .replace("gone too", "plant-7");
    std::fs::write(dir.path().join("users.jsonl"), revived).unwrap();

    let text = Policy::load(dir.path()).unwrap_err().to_string();
    assert!(text.contains("(`gone`) was deleted for good"), "{text}");
}

#[test]
fn d4_a_principal_that_loses_its_last_division_is_a_widening_that_somebody_must_accept() {
    let (_dir, known) = published();
    let mut sources = sources();
    sources.users = sources.users.replace(",\"divisions\":[\"plant-8\"]", "");
    let widened = Policy::check(&sources).unwrap();

    let names: Vec<_> = known.widenings(&widened).into_iter().map(|w| w.name).collect();
    assert_eq!(names, ["bo"]);
    assert!(known.widenings(&with("").unwrap()).is_empty());
}

#[test]
fn a_state_file_that_was_edited_is_a_mistake_not_an_empty_one() {
    let (dir, _) = published();
    std::fs::write(dir.path().join("state/known-ids"), "principal x\n").unwrap();

    let text = Policy::load(dir.path()).unwrap_err().to_string();
    assert!(text.contains("state/known-ids:1: known-ids:"), "{text}");
}

#[test]
fn a_folder_without_a_policy_is_none_and_the_error_says_what_makes_one() {
    let dir = tempfile::tempdir().unwrap();
    let failed = Policy::load(dir.path()).unwrap_err();

    assert!(matches!(&failed, Unusable::Missing(path) if *path == dir.path().join("policy.toml")));
    assert!(failed.to_string().contains("`gateward-control init`"), "{failed}");
}

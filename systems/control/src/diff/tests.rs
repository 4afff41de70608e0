use super::*;
use crate::compile::compile;
use crate::policy::{Policy, Sources};
use crate::testing::{sources, with};

fn words(edit: impl FnOnce(&mut Sources)) -> Vec<String> {
    let mut sources = sources();
    edit(&mut sources);
    let old = Side::of_policy(&with("").unwrap()).unwrap();
    let new = Side::of_policy(&Policy::check(&sources).unwrap()).unwrap();

    changes(&old, &new).iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_changed_is_no_difference_between_folder_and_file() {
    let policy = with("").unwrap();
    let folder = Side::of_policy(&policy).unwrap();
    let file = Side::of_snapshot(compile(&policy, "everything").unwrap()).unwrap();

    assert_eq!(changes(&folder, &file), []);
}

#[test]
fn d4_losing_the_last_division_is_told_as_a_gain() {
    let words = words(|sources| {
        sources.users = sources.users.replace(",\"divisions\":[\"plant-8\"]", "");
    });

    assert_eq!(
        words,
        ["user `bo` gains divisions: all beside plant-8 (0193a5d4-2222-7c61-8d5e-000000000002)"]
    );
}

#[test]
fn d5_a_division_less_is_a_loss() {
    let words = words(|sources| {
        sources.service_users = sources.service_users.replace(",\"plant-8\"", "");
    });

    assert_eq!(
        words,
        ["service user `MES sync` loses divisions: plant-8 (0193a5d4-3333-7c61-8d5e-000000000001)"]
    );
}

#[test]
fn b1_b2_b12_an_edited_role_shows_as_what_its_holders_gain_and_lose() {
    let words = words(|sources| {
        sources.policy = sources.policy.replace("\"view_certificate\"]", "\"view_license\"]");
    });

    assert_eq!(
        words,
        [
            "user `bo` gains permissions: view_license (0193a5d4-2222-7c61-8d5e-000000000002)",
            "user `bo` loses permissions: view_certificate (0193a5d4-2222-7c61-8d5e-000000000002)",
        ]
    );
}

#[test]
fn a_token_made_disabled_or_deleted_shows_with_its_owner() {
    let line = |status| {
        format!(
            "{{\"kind\":\"api_token\",\"owner_id\":\"0193a5d4-2222-7c61-8d5e-000000000001\",\
             \"name\":\"plc\",\"lookup\":\"AQEjRWeJq83v\",\"verifier\":\"{}\",\"status\":\"{status}\"}}",
            "ab".repeat(32)
        )
    };
    let side = |status| {
        let sources = Sources { tokens: line(status), ..sources() };
        Side::of_policy(&Policy::check(&sources).unwrap()).unwrap()
    };
    let none = Side::of_policy(&with("").unwrap()).unwrap();
    let told = |old: &Side, new: &Side| changes(old, new)[0].to_string();

    let enabled = side("enabled");
    assert_eq!(told(&none, &enabled), "token `AQEjRWeJq83v` gains an entry: for `ana.ruiz`");
    assert_eq!(told(&enabled, &side("disabled")), "token `AQEjRWeJq83v` loses access");
    assert_eq!(
        told(&enabled, &side("deleted")),
        "token `AQEjRWeJq83v` loses its entry: of `ana.ruiz`"
    );
}

#[test]
fn a_user_that_becomes_a_system_user_loses_requests() {
    let words = words(|sources| {
        sources.users = sources.users.replace(
            "\"divisions\":[\"plant-7\"]",
            "\"divisions\":[\"plant-7\"],\"access_scope\":\"system\"",
        );
    });

    assert_eq!(
        words,
        ["user `ana.ruiz` loses requests for certificates and intermediate CAs \
         (0193a5d4-2222-7c61-8d5e-000000000001)"]
    );
}

#[test]
fn names_ends_and_status_are_told_too() {
    let words = words(|sources| {
        sources.service_users = sources
            .service_users
            .replace("MES sync", "MES")
            .replace("2027-06-30", "2026-12-31")
            .replace("\"end_date\"", "\"status\":\"disabled\",\"end_date\"");
    });

    assert_eq!(
        words,
        [
            "service user `MES` loses access (0193a5d4-3333-7c61-8d5e-000000000001)",
            "service user `MES` loses end date: 2026-12-31 (0193a5d4-3333-7c61-8d5e-000000000001)",
            "service user `MES` changes its name: was `MES sync` (0193a5d4-3333-7c61-8d5e-000000000001)",
        ]
    );
}

#[test]
fn bytes_that_are_no_snapshot_are_refused() {
    assert!(matches!(Side::of_snapshot(vec![0; 100]), Err(NoSide::Refused(_))));
}

use gateward_core::snapshot::unsigned;

use super::*;
use crate::policy::Sources;
use crate::testing::{POLICY, sources, with};

fn shuffled(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.reverse();
    lines.join("\n")
}

fn token(id: u8, owner: &str, extra: &str) -> String {
    let lookup = gateward_core::token::Lookup { kind: 1, id: u64::from(id) };
    let verifier = format!("{id:02x}").repeat(32);
    format!(
        "{{\"kind\":\"api_token\",\"owner_id\":\"0193a5d4-2222-7c61-8d5e-00000000000{owner}\",\
         \"name\":\"t {id}\",\"lookup\":\"{lookup}\",\"verifier\":\"{verifier}\"{extra}}}\n"
    )
}

fn with_tokens(lines: &[String]) -> Sources {
    Sources { tokens: lines.concat(), ..sources() }
}

#[test]
fn the_same_input_in_another_order_gives_the_same_bytes() {
    let tokens = [token(1, "1", ""), token(2, "2", ""), token(3, "3", ",\"status\":\"disabled\"")];
    let straight = with_tokens(&tokens);
    let (head, tail) = POLICY.split_once("[[roles]]").unwrap();
    let turned = Sources {
        policy: format!("[[roles]]{tail}\n{head}"),
        users: shuffled(&straight.users),
        service_users: shuffled(&straight.service_users),
        tokens: shuffled(&straight.tokens),
        ..Sources::default()
    };
    let (straight, turned) = (Policy::check(&straight).unwrap(), Policy::check(&turned).unwrap());

    for group in ["plant-7", "everything"] {
        assert_eq!(compile(&straight, group).unwrap(), compile(&turned, group).unwrap());
    }
    assert_ne!(compile(&straight, "plant-7").unwrap(), compile(&straight, "everything").unwrap());
}

#[test]
fn c10_only_who_reaches_a_division_of_the_group_is_in_its_snapshot() {
    let policy = Policy::check(&with_tokens(&[token(1, "1", ""), token(2, "2", "")])).unwrap();
    let snapshot = unsigned(compile(&policy, "plant-7").unwrap()).unwrap();
    let view = snapshot.view();

    let mut names: Vec<_> = view.principals().map(|principal| principal.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["MES sync", "ana.ruiz", "root"]);
    assert_eq!(view.tokens().map(|row| row.id).collect::<Vec<_>>(), [1]);
    // The service user's other division is there too, else its limit could not be expressed.
    assert_eq!(view.divisions().count(), 2);
    assert_eq!(
        unsigned(compile(&policy, "everything").unwrap()).unwrap().view().principal_count(),
        4
    );
}

#[test]
fn disabled_and_expired_tokens_are_shipped_and_deleted_ones_are_not() {
    let policy = Policy::check(&with_tokens(&[
        token(1, "1", ",\"status\":\"disabled\""),
        token(2, "1", ",\"end_date\":\"2023-08-12\""),
        token(3, "1", ",\"status\":\"deleted\""),
        token(4, "4", ""),
    ]))
    .unwrap();
    let snapshot = unsigned(compile(&policy, "everything").unwrap()).unwrap();
    let rows: Vec<_> =
        snapshot.view().tokens().map(|row| (row.id, row.disabled, row.end)).collect();

    // E1: the first second after the last day. Token 4 is of a user who was deleted (B5).
    assert_eq!(rows, [(1, true, End::NEVER), (2, false, End(1_691_884_800))]);
}

#[test]
fn a_key_stays_when_others_come_and_go() {
    let before = contents(&with("").unwrap(), None);
    let after = contents(
        &with("[[users]]\nusername = \"new\"\nid = \"0193a5d4-2222-7c61-8d5e-0000000000ff\"\n")
            .unwrap(),
        None,
    );

    for (key, principal) in &before.principals {
        assert_eq!(after.principals.get(key), Some(principal));
    }
    assert_eq!(after.principals.len(), before.principals.len() + 1);
}

#[test]
fn d16_a_resource_of_a_division_that_is_not_shipped_is_unknown_not_unattached() {
    let policy = with("").unwrap();
    let mut alone = policy.group("plant-7").cloned().unwrap();
    let everywhere = contents(&policy, Some(&alone));
    assert_eq!(everywhere.resources.len(), 2);

    let text = POLICY.to_owned();
    let service = sources().service_users.replace(",\"plant-8\"", "");
    let limited =
        Policy::check(&Sources { policy: text, service_users: service, ..sources() }).unwrap();
    alone.divisions = limited.group("plant-7").unwrap().divisions.clone();
    let contents = contents(&limited, Some(&alone));
    assert_eq!(contents.resources.len(), 1);
    assert!(contents.resources.values().all(Option::is_some));
}

#[test]
fn a_suspended_account_is_compiled_as_one() {
    let text =
        POLICY.replace("name = \"Acme Robotics\"", "name = \"Acme\"\nstatus = \"suspended\"");
    let policy = Policy::check(&Sources { policy: text, ..sources() }).unwrap();
    let snapshot = unsigned(compile(&policy, "plant-7").unwrap()).unwrap();

    assert!(snapshot.view().is_suspended());
}

#[test]
fn a_group_that_is_not_there_is_refused_with_those_that_are() {
    let error = compile(&with("").unwrap(), "plant-9").unwrap_err().to_string();

    assert_eq!(error, "`plant-9` is no group; the groups are plant-7, everything");
}

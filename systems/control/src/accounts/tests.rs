use std::fs;

use super::*;
use crate::day::Day;
use crate::policy::{PrincipalStatus, TokenStatus};
use crate::testing::{NOW, folder};

fn token(kind: Kind, owner: &str, name: &str) -> NewToken {
    NewToken { kind, owner: owner.to_owned(), name: name.to_owned(), end: None }
}

fn ana(name: &str) -> NewToken {
    token(Kind::User, "ana.ruiz", name)
}

fn by_lookup(lookup: impl std::fmt::Display) -> TokenRef {
    TokenRef::Lookup(lookup.to_string())
}

fn everything(dir: &Path) -> String {
    ["policy.toml", "users.jsonl", "service_users.jsonl", "tokens.jsonl"]
        .iter()
        .filter_map(|name| fs::read_to_string(dir.join(name)).ok())
        .collect()
}

#[test]
fn a_new_token_is_handed_over_once_and_only_its_verifier_is_kept() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let issued = accounts.new_token(&ana("line 3 plc")).unwrap();

    let read = gateward_core::token::Token::read(issued.text.as_bytes()).unwrap();
    assert!(read.is_well_formed());
    assert_eq!(read.lookup, issued.lookup);
    let kept = everything(dir.path());
    let (_, secret) = issued.text.rsplit_once('.').unwrap();
    assert!(kept.contains(&issued.lookup.to_string()) && !kept.contains(secret), "{kept}");
    let Uuid(account) = accounts.policy().account().id;
    let verifier =
        gateward_core::token::Context::new(&account).verifier(read.lookup.id, read.secret());
    assert_eq!(accounts.policy().tokens()[0].verifier, verifier);
    assert!(!format!("{issued:?}").contains(secret));
}

#[test]
fn b8_two_owners_may_each_call_a_token_ci_and_one_owner_may_not() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    accounts.new_token(&ana("ci")).unwrap();
    accounts.new_token(&token(Kind::User, "bo", "ci")).unwrap();

    let before = everything(dir.path());
    let refused = accounts.new_token(&ana("ci")).unwrap_err().to_string();
    assert!(refused.contains("`ci` names another token of this owner"), "{refused}");
    assert_eq!(everything(dir.path()), before);
}

#[test]
fn e4_an_expired_token_is_neither_enabled_nor_extended() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let end = Some(Day::parse("2026-07-31").unwrap());
    let issued = accounts.new_token(&NewToken { end, ..ana("short") }).unwrap();
    let which = by_lookup(issued.lookup);
    accounts.set_token_status(&which, TokenStatus::Disabled).unwrap();
    drop(accounts);

    let later = NOW.plus(40 * 86_400);
    let mut accounts = Accounts::open(dir.path(), later).unwrap();
    let enabled = accounts.set_token_status(&which, TokenStatus::Enabled);
    assert!(matches!(enabled, Err(Refused::Expired { .. })));
    assert!(matches!(accounts.set_token_end(&which, None), Err(Refused::Expired { .. })));
    assert!(matches!(accounts.new_token(&NewToken { end, ..ana("late") }), Err(Refused::Over(_))));
    // Cutting it off stays possible, and a new one can take its place.
    let issued = accounts.rotate_token(&which, None, false).unwrap();
    assert_eq!(accounts.policy().tokens()[1].lookup, issued.lookup);
    assert_eq!(accounts.policy().tokens()[1].end, None);
    accounts.set_token_status(&which, TokenStatus::Deleted).unwrap();
}

#[test]
fn e4_the_end_date_of_a_running_token_is_set_moved_and_removed() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let which = by_lookup(accounts.new_token(&ana("plc")).unwrap().lookup);

    for end in [Some("2026-12-31"), Some("2026-08-01"), None] {
        let end = end.map(|day| Day::parse(day).unwrap());
        accounts.set_token_end(&which, end).unwrap();
        assert_eq!(accounts.policy().tokens()[0].end, end);
    }
}

#[test]
fn b5_n11_a_new_user_of_an_old_name_gets_another_id_and_none_of_its_tokens() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let old = accounts.new_token(&ana("plc")).unwrap().lookup;
    accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Deleted).unwrap();
    let new = NewUser { username: "ana.ruiz".to_owned(), ..NewUser::default() };
    let id = accounts.add_user(&new).unwrap();

    let token = &accounts.policy().tokens()[0];
    assert_eq!((token.lookup, token.status), (old, TokenStatus::Deleted));
    assert_ne!(token.owner, id);
    assert_eq!(token.verifier, [0; 32]);
    let revived = accounts.set_token_status(&by_lookup(old), TokenStatus::Enabled);
    assert!(matches!(revived, Err(Refused::Deleted { .. })));
    // The name means the living one now.
    accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();
}

#[test]
fn n11_whoever_was_deleted_is_not_enabled_and_gets_no_token() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();

    let enabled = accounts.set_status(Kind::User, "gone", PrincipalStatus::Active);
    assert!(matches!(enabled, Err(Refused::Deleted { .. })));
    let issued = accounts.new_token(&token(Kind::User, "gone", "x"));
    assert!(matches!(issued, Err(Refused::Deleted { .. })));
}

#[test]
fn b3_b4_a_disabled_user_keeps_its_tokens_and_comes_back_unchanged() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    accounts.new_token(&ana("plc")).unwrap();
    let before = accounts.policy().tokens().to_vec();
    accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();
    assert_eq!(accounts.policy().principals()[0].status, PrincipalStatus::Disabled);
    accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Active).unwrap();

    assert_eq!(accounts.policy().tokens(), before);
}

#[test]
fn b6_a_renamed_user_keeps_its_id_and_its_tokens() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    accounts.new_token(&ana("plc")).unwrap();
    let id = accounts.policy().principals()[0].id;
    let changed =
        PrincipalChange { name: Some("ana.diaz".to_owned()), ..PrincipalChange::default() };
    accounts.change(Kind::User, "ana.ruiz", &changed).unwrap();

    assert_eq!(accounts.policy().principals()[0].name, "ana.diaz");
    assert_eq!(accounts.policy().tokens()[0].owner, id);
    assert!(everything(dir.path()).contains("\"owner\":\"ana.diaz\""));
}

#[test]
fn c7_a_rotated_token_works_beside_the_old_one_until_that_is_cut_off() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let old = accounts.new_token(&token(Kind::ServiceUser, "MES sync", "key")).unwrap();
    let which = TokenRef::Named(Kind::ServiceUser, "MES sync".to_owned(), "key".to_owned());
    let new = accounts.rotate_token(&which, None, false).unwrap();

    let tokens = accounts.policy().tokens();
    assert_ne!(old.lookup, new.lookup);
    assert_eq!((tokens[0].status, tokens[1].status), (TokenStatus::Enabled, TokenStatus::Enabled));
    assert_eq!(tokens[1].name, "key 2");
    let third = accounts.rotate_token(&by_lookup(new.lookup), None, true).unwrap();
    let tokens = accounts.policy().tokens();
    assert_eq!((tokens[1].status, tokens[2].name.as_str()), (TokenStatus::Disabled, "key 3"));
    assert_eq!(tokens[2].lookup, third.lookup);
}

#[test]
fn an_opaque_token_is_imported_by_its_digests_and_a_guessable_one_is_not() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let text = b"Zk3v9QpL0sXw7TnB2rYhJ8cUeM5aGd";
    let lookup = accounts.import_token(&ana("old plc"), text).unwrap();

    assert_eq!(lookup, gateward_core::token::Token::read(text).unwrap().lookup);
    assert!(!everything(dir.path()).contains("Zk3v9"));
    for bad in
        [&b"short"[..], &[b'x'; 30], b"with a space in the middle 12345", &[b'x'; 600], b"gwd1.x"]
    {
        let refused = accounts.import_token(&ana("other"), bad);
        assert!(matches!(refused, Err(Refused::NotImportable(_))), "{bad:?}");
    }
    let twice = accounts.import_token(&ana("again"), text).unwrap_err().to_string();
    assert!(twice.contains(&format!("imported before, as {lookup}")), "{twice}");
}

#[test]
fn c7_where_the_old_token_cannot_be_disabled_there_is_no_new_one() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let old = by_lookup(accounts.new_token(&ana("plc")).unwrap().lookup);
    drop(accounts);
    let path = dir.path().join("tokens.jsonl");
    let line: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut table = String::from("\n[[tokens]]\n");
    for (key, value) in line.as_object().unwrap() {
        table.push_str(&format!("{key} = {value}\n"));
    }
    let policy = dir.path().join("policy.toml");
    fs::write(&policy, fs::read_to_string(&policy).unwrap() + &table).unwrap();
    fs::remove_file(&path).unwrap();
    let before = everything(dir.path());

    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let refused = accounts.rotate_token(&old, None, true);
    assert!(matches!(refused, Err(Refused::ByHand { .. })), "{refused:?}");
    assert_eq!(everything(dir.path()), before);
}

#[test]
fn a_wrong_change_says_everything_that_is_wrong_and_writes_nothing() {
    let dir = folder();
    let before = everything(dir.path());
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let refused = accounts
        .add_service_user(&NewServiceUser {
            friendly_name: "MES sync".to_owned(),
            permissions: vec!["fly".to_owned()],
            divisions: Where::Only(Vec::new()),
            end: None,
        })
        .unwrap_err()
        .to_string();

    for part in ["is already defined at", "`fly` is no permission", "was everything meant"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(everything(dir.path()), before);
}

#[test]
fn a_line_that_is_not_changed_is_not_touched() {
    let dir = folder();
    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let before = fs::read_to_string(dir.path().join("users.jsonl")).unwrap();
    accounts.set_status(Kind::User, "bo", PrincipalStatus::Disabled).unwrap();
    let after = fs::read_to_string(dir.path().join("users.jsonl")).unwrap();

    let differing = before.lines().zip(after.lines()).filter(|(old, new)| old != new).count();
    assert_eq!((differing, before.lines().count()), (1, after.lines().count()));
}

#[test]
fn what_a_person_wrote_a_person_changes() {
    let dir = folder();
    let path = dir.path().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let user = "[[users]]\nusername = \"hand\"\nid = \"0193a5d4-2222-7c61-8d5e-0000000000aa\"\n";
    fs::write(&path, format!("{text}{user}")).unwrap();

    let refused = Accounts::open(dir.path(), NOW)
        .unwrap()
        .set_status(Kind::User, "hand", PrincipalStatus::Disabled)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("user `hand` stands at policy.toml:"), "{refused}");
    assert!(refused.contains("move the entry to users.jsonl"), "{refused}");
}

#[test]
fn a_folder_that_somebody_else_changes_is_waited_for() {
    let dir = folder();
    let mut first = Accounts::open(dir.path(), NOW).unwrap();

    std::thread::scope(|scope| {
        let second =
            scope.spawn(|| Accounts::open(dir.path(), NOW).unwrap().policy().tokens().len());
        let before = first.policy().tokens().len();
        first.new_token(&ana("plc")).unwrap();
        drop(first);
        assert_eq!(second.join().unwrap(), before + 1, "it sees what the first one did");
    });
}

#[test]
fn the_file_of_tokens_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = folder();
    Accounts::open(dir.path(), NOW).unwrap().new_token(&ana("plc")).unwrap();

    let mode = fs::metadata(dir.path().join("tokens.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

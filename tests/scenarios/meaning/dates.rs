//! DOMAIN E: ends, in UTC and to the second.

use gateward_control::accounts::{Accounts, Kind, NewToken, NewUser, Refused, TokenRef};
use gateward_control::day::Day;
use gateward_control::policy::TokenStatus;
use gateward_core::decide::Reason;
use gateward_core::time::{End, UnixSeconds};
use gateward_tests::world::{EVERYTHING, NOW, Who, World, needs};

/// 2023-08-13T00:00:00Z.
const MIDNIGHT: u64 = 1_691_884_800;

fn ending(day: &str) -> (World, Who) {
    let mut world = World::default();
    let ana = world.user("ana", &["iot_account_admin"]);
    world.edit_token(ana).end = Some(day.to_owned());

    (world, ana)
}

#[test]
fn e1_an_end_date_is_over_at_midnight_utc_and_not_a_second_before() {
    let (world, ana) = ending("2023-08-12");
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(ana, &needs("view_license").at(MIDNIGHT - 1)), Reason::Ok);
    assert_eq!(snapshot.asks(ana, &needs("view_license").at(MIDNIGHT)), Reason::TokenExpired);
}

#[test]
fn an_end_is_a_second_of_utc_in_the_snapshot() {
    let (world, _) = ending("2023-08-12");
    let contents = world.contents(EVERYTHING);
    let ends: Vec<_> = contents.tokens.values().map(|token| token.end).collect();

    assert_eq!(ends, [End(u32::try_from(MIDNIGHT).unwrap())]);
    assert_eq!(MIDNIGHT % 86_400, 0);
}

#[test]
fn e1_the_end_of_a_service_user_is_inclusive_too() {
    let mut world = World::default();
    let service = world.service_user("MES sync", &["view_license"]);
    world.edit(service).end = Some("2023-08-12".to_owned());
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(service, &needs("view_license").at(MIDNIGHT - 1)), Reason::Ok);
    let after = snapshot.asks(service, &needs("view_license").at(MIDNIGHT));
    assert_eq!(after, Reason::OwnerExpired);
}

#[test]
fn e3_without_an_end_date_only_the_snapshot_ends() {
    // 2100-06-01T00:00:00Z.
    const THEN: u64 = 4_115_491_200;
    let mut world = World::default();
    world.issued_at = UnixSeconds(THEN);
    let ana = world.user("ana", &["iot_account_admin"]);
    let snapshot = world.compile();

    assert_eq!(snapshot.asks(ana, &needs("view_license").at(THEN)), Reason::Ok);
    let past = snapshot.asks(ana, &needs("view_license").at(THEN + 8 * 86_400));
    assert_eq!(past, Reason::SnapshotExpired);
}

#[test]
fn e4_an_expired_token_can_be_neither_enabled_nor_extended() {
    let (world, _) = ending("2026-06-30");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.toml"), world.toml()).unwrap();
    let yesterday = UnixSeconds(NOW.0 - 3_600);
    let mut accounts = Accounts::open(dir.path(), yesterday).unwrap();
    accounts.add_user(&NewUser { username: "bo".to_owned(), ..NewUser::default() }).unwrap();
    let token = NewToken {
        kind: Kind::User,
        owner: "bo".to_owned(),
        name: "short".to_owned(),
        end: Some(Day::parse("2026-06-30").unwrap()),
    };
    let issued = accounts.new_token(&token).unwrap();
    let token = TokenRef::Lookup(issued.lookup.to_string());
    accounts.set_token_status(&token, TokenStatus::Disabled).unwrap();
    accounts.set_token_end(&token, Some(Day::parse("2026-06-30").unwrap())).unwrap();
    drop(accounts);

    let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
    let enabled = accounts.set_token_status(&token, TokenStatus::Enabled);
    assert!(matches!(enabled, Err(Refused::Expired { .. })), "{enabled:?}");
    for end in [None, Some(Day::parse("2027-06-30").unwrap())] {
        let extended = accounts.set_token_end(&token, end);
        assert!(matches!(extended, Err(Refused::Expired { .. })), "{extended:?}");
    }
}

#[test]
fn e5_an_end_that_was_moved_earlier_counts_from_the_next_snapshot() {
    let (mut world, ana) = ending("2026-07-10");
    let held = world.compile();
    world.edit_token(ana).end = Some("2026-07-01".to_owned());
    let published = world.compile();

    let between = needs("view_license").at(NOW.0 + 2 * 86_400);
    assert_eq!(held.asks(ana, &between), Reason::Ok);
    assert_eq!(published.asks(ana, &between), Reason::TokenExpired);
}

#[test]
fn e6_every_second_around_midnight_is_either_valid_or_expired() {
    let (world, ana) = ending("2023-08-12");
    let snapshot = world.compile();

    // 23:59:60 has the number of the second before it or after it; both have an answer, and once
    // expired nothing is valid again.
    let asks = |at| snapshot.asks(ana, &needs("view_license").at(at));
    let reasons: Vec<_> = (MIDNIGHT - 2..MIDNIGHT + 2).map(asks).collect();
    assert_eq!(reasons, [Reason::Ok, Reason::Ok, Reason::TokenExpired, Reason::TokenExpired]);
    assert_eq!(asks(u64::MAX), Reason::SnapshotExpired);
}

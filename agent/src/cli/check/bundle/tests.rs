//! What is decided from a bundle, and which bundle is not decided from.

use clap::Parser as _;
use gateward_core::principal::TokenKind;
use gateward_core::time::End;
use gateward_core::token;
use gateward_core::trust::Refused;

use super::*;
use crate::clock::Simulated;
use crate::store::testing::{self, ACCOUNT, Authority, GROUP, T0, token_id};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

/// Decides about `question` from a bundle, as on a gateway of that group whose clock shows when
/// the key set was made.
fn decided(bytes: &[u8], token: &str, question: &[&str]) -> Result<Reason, Unusable> {
    decided_by(&Simulated::new(T0), bytes, token, question)
}

fn decided_by(
    clock: &Simulated,
    bytes: &[u8],
    token: &str,
    question: &[&str],
) -> Result<Reason, Unusable> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("keyset"), Authority::new().key_set()).unwrap();
    fs::write(path("gateway.key"), b"").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path("gateway.key"), private).unwrap();
    let toml = format!(
        "account = '{ACCOUNT}'\ngroup = '{GROUP}'\ngateway = 'edge-7a'\n\
         state_dir = '{0}'\nkey_set = '{0}/keyset'\ngateway_key = '{0}/gateway.key'\n\
         [api]\nsocket = '{0}/api.sock'\nadmin_socket = '{0}/admin.sock'\n\
         [broker]\nurl = 'mqtt://127.0.0.1'\n",
        folder.path().display()
    );
    fs::write(path("agent.toml"), toml).unwrap();
    let config = Config::load(&path("agent.toml"), core::iter::empty()).unwrap();
    let args = Command::parse_from(["check"].iter().chain(question)).args;

    signed(&args, Path::new("bundle"), bytes, token, &config, Clock::simulated(clock))
}

const QUESTION: [&str; 2] = ["--permission", "view_device"];

/// A bundle of nine tokens with a revocation list.
fn with(revoked: &[u8]) -> Vec<u8> {
    let authority = Authority::new();

    testing::bundle(&[&authority.key_set()], &authority.publish(4, 9), revoked)
}

/// A bundle whose snapshot was signed then.
fn of(issued_at: UnixSeconds) -> Vec<u8> {
    let authority = Authority::new();
    let published = authority.sign(1, 4, issued_at, authority.publish(4, 9).file);

    testing::bundle(&[&authority.key_set()], &published, b"")
}

fn api_token(number: u64) -> String {
    let text = token::write(TokenKind::Api, token_id(number), &testing::SECRET);

    core::str::from_utf8(&text).unwrap().to_owned()
}

fn reason(bytes: &[u8], number: u64) -> Reason {
    decided(bytes, &api_token(number), &QUESTION).unwrap()
}

/// Why an agent whose clock shows `wall` would not take it.
fn refusal(wall: UnixSeconds, synchronised: bool, bytes: &[u8]) -> String {
    let clock = Simulated::new(wall);
    clock.set_synchronised(synchronised);
    let refused = decided_by(&clock, bytes, &api_token(4), &QUESTION).unwrap_err();
    assert_eq!(refused.exit(), Exit::BadData);

    refused.to_string()
}

#[test]
fn e7_a_board_in_1970_denies_a_token_that_ended_before_the_manifest_was_signed() {
    let authority = Authority::new();
    let signed = T0.plus(300);
    let board = Simulated::new(UnixSeconds(3));
    let decided = |end: u64| {
        let file = testing::ending(End(u32::try_from(end).unwrap()));
        let published = authority.sign(1, 4, signed, file);
        let bytes = testing::bundle(&[&authority.key_set()], &published, b"");
        decided_by(&board, &bytes, &api_token(0), &QUESTION).unwrap()
    };

    assert_eq!(decided(signed.0), Reason::TokenExpired);
    assert_eq!(decided(T0.0 + 200), Reason::TokenExpired, "the key set is of before that");
    assert_eq!(decided(signed.0 + 1), reason(&with(b""), 4));
}

#[test]
fn h14_h20_what_an_agent_would_not_take_for_its_time_is_not_decided_from() {
    let (hour, year) = (3_600, 365 * 86_400);
    let good = of(T0);

    assert!(refusal(T0.plus(8 * 86_400), false, &good).contains("expired"));
    let late = of(T0.plus(year - hour));
    assert!(refusal(T0.plus(year), false, &late).contains("key set"));
    let ahead = of(T0.plus(hour));
    let wall = T0.plus(60);
    let (synchronised, mere) = (refusal(wall, true, &ahead), refusal(wall, false, &ahead));
    assert!(synchronised.contains(&Refused::IssuedAhead.to_string()), "{synchronised}");
    assert!(mere.contains(&Refused::Unconfirmed.to_string()), "{mere}");
}

#[test]
fn h19_what_a_list_in_the_bundle_revokes_is_denied_and_nothing_else() {
    let list = Authority::new().revoke(1, 4, &[token_id(3)]);

    let (without, bytes) = (with(b""), with(&list));

    assert_ne!(reason(&without, 3), Reason::Revoked);
    assert_eq!(reason(&bytes, 4), reason(&without, 4));
    assert_eq!(reason(&bytes, 3), Reason::Revoked);
}

#[test]
fn a_list_that_is_damaged_or_of_a_key_that_nobody_trusts_is_not_decided_from() {
    let mut damaged = Authority::new().revoke(1, 4, &[token_id(3)]);
    let last = damaged.len() - 5;
    damaged[last] ^= 1;
    let elsewhere = Authority::new().revoke_under(2, 1, 4, &[token_id(3)]);
    for list in [&b"list"[..], &damaged, &elsewhere] {
        let refused = decided(&with(list), "", &QUESTION).unwrap_err();
        assert_eq!(refused.exit(), Exit::BadData);
        assert!(refused.to_string().contains("revocation list"), "{refused}");
    }
}

#[test]
fn what_a_compromised_key_signed_is_not_decided_from() {
    let authority = Authority::new();
    let published = authority.publish(1, 3);
    let sets = [authority.key_set(), authority.key_set_after_theft()];
    let bytes = testing::bundle(&[&sets[0], &sets[1]], &published, b"");

    let refused = decided(&bytes, "", &QUESTION).unwrap_err();

    assert_eq!(refused.exit(), Exit::BadData);
}

#[test]
fn a_bundle_without_the_list_that_its_manifest_speaks_of_is_stale() {
    let authority = Authority::new();
    let lacking = authority.publish_with_revocations(4);
    let keys = KeySet::anchor(&authority.key_set(), ACCOUNT).unwrap();
    let view_stale_at = |list: &[u8]| {
        let bytes = testing::bundle(&[&authority.key_set()], &lacking, list);
        let audience = Audience::of(ACCOUNT, GROUP);
        let checked = Checked::new(&bytes, &keys, audience).unwrap();
        let floor = checked.floor(&keys).unwrap().with(checked.manifest());
        checked.in_force(&floor, UnixSeconds(0)).unwrap().stale_at()
    };

    assert_eq!(view_stale_at(b""), UnixSeconds(0));
    assert!(view_stale_at(&authority.revoke(1, 4, &[])) > UnixSeconds(0));
}

#[test]
fn a_path_that_no_rule_knows_is_denied_from_a_bundle_too() {
    let question = ["--method", "GET", "--path", "/no/such/path"];

    assert_eq!(decided(&with(b""), "", &question).unwrap(), Reason::RouteUnknown);
}

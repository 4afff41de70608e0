//! The check against a plain model, and what it must never do.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

extern crate std;

mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::vec::Vec;

use super::*;
use crate::name::Uuid;
use crate::permission::Operation;
use crate::principal::{PrincipalKind, TokenKind};
use crate::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use crate::snapshot::{Revocation, unsigned};
use crate::time::End;
use crate::token::{self, Context, Secret};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const LAX: DivisionRules = DivisionRules { strict: false, deny_unattached: false };

fn id(n: u8) -> Uuid {
    Uuid([n; 16])
}

struct World {
    contents: Contents,
    secrets: BTreeMap<u64, Secret>,
}

/// Every combination of kind, status, scope and end that matters, one principal and token each.
fn world() -> World {
    let mut contents = Contents { account: id(7), ..Contents::default() };
    contents.divisions = (1..=3).map(|n| (id(n), format!("division {n}"))).collect();
    let mut secrets = BTreeMap::new();
    let mut key = 0_u32;
    for kind in [PrincipalKind::User, PrincipalKind::SystemUser, PrincipalKind::ServiceUser] {
        for bits in 0..16_u32 {
            for scope in [Scope::All, Scope::Only(BTreeSet::new()), Scope::Only([id(2)].into())] {
                let number = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let secret = Secret([key as u8; 32]);
                contents.principals.insert(
                    key,
                    PrincipalEntry {
                        id: id(100),
                        name: format!("p{key}"),
                        kind,
                        disabled: bits & 1 != 0,
                        no_iot_access: bits & 2 != 0,
                        permissions: PermissionSet(0x3f7ef >> (key % 3)),
                        scope,
                        end: if bits & 4 != 0 { End(1_700_000_000) } else { End::NEVER },
                    },
                );
                contents.tokens.insert(
                    number,
                    TokenEntry {
                        principal: key,
                        disabled: bits & 8 != 0,
                        end: if key.is_multiple_of(13) {
                            End(NOW.0 as u32)
                        } else {
                            End(NOW.0 as u32 + 1)
                        },
                        verifier: Context::new(&id(7).0).verifier(number, &secret),
                    },
                );
                secrets.insert(number, secret);
                key += 1;
            }
        }
    }
    World { contents, secrets }
}

#[test]
fn the_check_agrees_with_a_plain_model_on_every_combination() {
    let World { contents, secrets } = world();
    for verifier in [VerifierLen::Full, VerifierLen::Half] {
        let opened = unsigned(contents.compile(verifier).unwrap()).unwrap();
        let view = opened.view();
        for (number, entry) in &contents.tokens {
            let owner = &contents.principals[&entry.principal];
            let text = token::write(owner.kind.token_kind(), *number, &secrets[number]);
            let token = Token::read(&text).unwrap();
            for permission in &crate::permission::CATALOGUE {
                for operation in Operation::ALL {
                    for division in
                        [None, Some("division 2"), Some("division 1"), Some("elsewhere")]
                    {
                        let ids = [permission.id].into_iter();
                        let ask = Ask::of_permissions(
                            &view,
                            ids,
                            Some(operation),
                            division,
                            Mode::Direct,
                        );
                        let decision = decide(&view, &ask, &token, NOW, LAX);
                        let expected = model(owner, entry, permission, operation, division);
                        assert_eq!(
                            decision.reason, expected,
                            "{owner:?} {permission:?} {operation:?} {division:?}"
                        );
                        assert_eq!(decision.principal.unwrap().name(), owner.name);
                    }
                }
            }
        }
    }
}

/// The same in plain words: sets, and the first reason that holds.
fn model(
    owner: &PrincipalEntry,
    token: &TokenEntry,
    asked: &crate::permission::Entry<'_>,
    operation: Operation,
    division: Option<&str>,
) -> Reason {
    let ended = |end: End| end != End::NEVER && u64::from(end.0) <= NOW.0;
    let mut suffices: Vec<u8> = Vec::new();
    if asked.ops.contains(operation) {
        suffices.push(asked.permission.bit());
        if asked.id == "view_certificate" && operation == Operation::Read {
            suffices.push(10);
        }
    }
    let holds = suffices.iter().any(|bit| owner.permissions.0 >> bit & 1 == 1);
    let system = owner.kind == PrincipalKind::SystemUser;
    let requests = matches!(operation, Operation::Issue | Operation::IssueCa | Operation::Approve);
    let inside = match (&owner.scope, division) {
        (Scope::All, _) => true,
        (Scope::Only(set), Some("division 2")) => set.contains(&id(2)),
        (Scope::Only(_), _) => false,
    };

    match () {
        () if token.disabled => Reason::TokenDisabled,
        () if ended(token.end) => Reason::TokenExpired,
        () if owner.disabled => Reason::OwnerDisabled,
        () if ended(owner.end) => Reason::OwnerExpired,
        () if owner.no_iot_access => Reason::NoIotAccess,
        () if !holds => Reason::PermissionMissing,
        () if system && requests => Reason::SystemUserBarred,
        () if inside || !asked.division_scoped => Reason::Ok,
        () if division.is_none() => Reason::DivisionUnspecified,
        () => Reason::DivisionDenied,
    }
}

#[test]
fn f7_f8_f9_a_token_that_is_not_wholly_right_tells_no_name() {
    let World { contents, secrets } = world();
    let opened = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = opened.view();
    let ask = Ask::of_permissions(&view, ["manage_device"].into_iter(), None, None, Mode::Direct);
    let reason = |text: &[u8]| {
        let decision = decide(&view, &ask, &Token::read(text).unwrap(), NOW, LAX);
        assert!(decision.principal.is_none() && !decision.is_allowed());
        decision.reason
    };
    let numbers: Vec<u64> = secrets.keys().copied().collect();
    let (a, b) = (numbers[1], numbers[2]);
    let kind = contents.principals[&contents.tokens[&a].principal].kind.token_kind();
    let other = if kind == TokenKind::Api { TokenKind::Service } else { TokenKind::Api };
    let mut flipped = secrets[&a].clone();
    flipped.0[31] ^= 1;

    assert_eq!(reason(&token::write(kind, a, &flipped)), Reason::BadSecret);
    assert_eq!(reason(&token::write(kind, a, &secrets[&b])), Reason::BadSecret);
    assert_eq!(reason(&token::write(other, a, &secrets[&a])), Reason::UnknownToken);
    assert_eq!(reason(&token::write(kind, a + 1, &secrets[&a])), Reason::UnknownToken);
    let mut bad = token::write(kind, a, &secrets[&a]);
    bad[65] = if bad[65] == b'A' { b'B' } else { b'A' };
    assert_eq!(reason(&bad), Reason::BadChecksum);
    bad[65] = b'!';
    assert_eq!(reason(&bad), Reason::MalformedToken);
}

#[test]
fn h15_with_no_token_in_the_snapshot_everybody_is_unknown() {
    let contents = Contents { account: id(7), ..Contents::default() };
    let opened = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = opened.view();
    let ask = Ask::of_permissions(&view, ["view_license"].into_iter(), None, None, Mode::Direct);
    for number in [0, 1, u64::MAX] {
        let text = token::write(TokenKind::Api, number, &Secret([0; 32]));
        let decision = decide(&view, &ask, &Token::read(&text).unwrap(), NOW, LAX);
        assert_eq!(decision.reason, Reason::UnknownToken);
        assert!(decision.principal.is_none());
    }
}

#[test]
fn a_suspended_account_lets_nobody_in() {
    let World { mut contents, secrets } = world();
    contents.suspended = true;
    let opened = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = opened.view();
    let ask = Ask::of_permissions(&view, ["manage_device"].into_iter(), None, None, Mode::Direct);
    for (number, secret) in &secrets {
        let kind = contents.principals[&contents.tokens[number].principal].kind.token_kind();
        let text = token::write(kind, *number, secret);
        assert!(!decide(&view, &ask, &Token::read(&text).unwrap(), NOW, LAX).is_allowed());
    }
}

#[test]
fn h22_a_revoked_token_and_every_token_of_a_revoked_principal_are_denied_though_enabled() {
    let World { contents, secrets } = world();
    let opened = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = opened.view();
    let room = view.revocation_room();
    let storage = |len| std::vec![0xff_u8; len];
    let mut revoked =
        Revocation::none(&view, storage(room.rows), storage(room.principals)).unwrap();
    let numbers: Vec<u64> = secrets.keys().copied().collect();
    let (tokens, absent) = ([numbers[3], numbers[40]], numbers[3] ^ 1);
    let owner = contents.tokens[&numbers[7]].principal;
    tokens.iter().for_each(|id| revoked.revoke_token(&view, *id));
    revoked.revoke_token(&view, absent);
    revoked.revoke_principal(&view, owner);
    revoked.revoke_principal(&view, u32::MAX);
    let view = view.with_revocation(revoked.bits());

    let ask = Ask::of_permissions(&view, ["manage_device"].into_iter(), None, None, Mode::Direct);
    for (number, secret) in &secrets {
        let entry = &contents.tokens[number];
        let kind = contents.principals[&entry.principal].kind.token_kind();
        let text = token::write(kind, *number, secret);
        let decision = decide(&view, &ask, &Token::read(&text).unwrap(), NOW, LAX);
        let expected = tokens.contains(number) || entry.principal == owner;
        assert_eq!(decision.reason == Reason::Revoked, expected, "{number:x}");
        assert!(decision.principal.is_some(), "the secret matched, so the record names the owner");
    }
}

#[test]
fn bits_that_were_made_for_another_snapshot_grant_nothing() {
    let World { mut contents, secrets } = world();
    let of_all = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let room = of_all.view().revocation_room();
    let bits = Revocation::none(
        &of_all.view(),
        std::vec![0_u8; room.rows],
        std::vec![0_u8; room.principals],
    );
    let short = Revocation::none(&of_all.view(), std::vec![0_u8; 1], std::vec![0_u8; 1]);
    assert!(short.is_err());

    let first = *contents.tokens.keys().next().unwrap();
    contents.tokens.retain(|number, _| *number == first);
    let one = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let bits = bits.unwrap();
    let view = one.view().with_revocation(bits.bits());
    let ask = Ask::of_permissions(&view, ["manage_device"].into_iter(), None, None, Mode::Direct);
    let kind = contents.principals[&contents.tokens[&first].principal].kind.token_kind();
    let text = token::write(kind, first, &secrets[&first]);
    assert!(!decide(&view, &ask, &Token::read(&text).unwrap(), NOW, LAX).is_allowed());
    assert_eq!(view.token_count(), 0);
}

#[test]
fn with_its_secret_proved_a_token_without_one_is_decided_as_its_holder_is() {
    let World { contents, secrets } = world();
    let file = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();
    let view = file.view();
    let asked = ["manage_device", "manage_certificate", "view_audit_log"];
    for (number, secret) in &secrets {
        for (permission, division) in
            asked.iter().zip([Some("division 2"), None, Some("division 1")])
        {
            let ids = core::iter::once(*permission);
            let ask = Ask::of_permissions(&view, ids, None, division, Mode::Direct);
            for kind in [TokenKind::Api, TokenKind::Service] {
                let token = Token::read(&token::write(kind, *number, secret)).unwrap();
                let held = decide(&view, &ask, &token, NOW, LAX);
                let unheld = Token::without_secret(token.lookup);
                let proved = weigh(&view, &ask, &unheld, NOW, LAX).with_secret_proved().decision();

                assert_eq!(
                    (
                        proved.reason,
                        proved.failed,
                        proved.permission,
                        proved.principal.map(|p| p.id())
                    ),
                    (held.reason, held.failed, held.permission, held.principal.map(|p| p.id())),
                );
                assert!(!decide(&view, &ask, &unheld, NOW, LAX).is_allowed());
            }
        }
    }
    // An id that the snapshot does not know stays unknown: only the secret is taken as proved.
    let ask = Ask::of_set(&view, PermissionSet(!0), None, None, Mode::Proxy);
    let stranger = Token::without_secret(Lookup { kind: 1, id: 1 });
    let decision = weigh(&view, &ask, &stranger, NOW, LAX).with_secret_proved().decision();
    assert_eq!(decision.reason, Reason::UnknownToken);
    assert!(decision.principal.is_none());
}

//! Records made by deciding under a policy, tried against it and against others.

use std::collections::BTreeMap;

use gateward_core::audit::{Authentication, Credential, Method, Outcome, Text, UnixMillis, Who};
use gateward_core::decide::{Ask, Decision, Mode, Reason, decide};
use gateward_core::division::{DivisionRules, Target};
use gateward_core::permission::Entry;
use gateward_core::principal::TokenKind;
use gateward_core::route::{self, RouteOperation};
use gateward_core::snapshot::{self, View};
use gateward_core::token::{Context, Lookup, Secret, Token, write};
use proptest::prelude::*;

use super::super::replay::{Gateways, Replay, Replayed};
use super::*;
use crate::compile::compile;
use crate::policy::{Policy, Sources};
use crate::testing::{NOW, sources};

const OWNERS: [(&str, TokenKind); 4] = [
    ("0193a5d4-2222-7c61-8d5e-000000000001", TokenKind::Api),
    ("0193a5d4-2222-7c61-8d5e-000000000002", TokenKind::Api),
    ("0193a5d4-2222-7c61-8d5e-000000000003", TokenKind::Api),
    ("0193a5d4-3333-7c61-8d5e-000000000001", TokenKind::Service),
];

/// The sample with a token for everybody, and what `change` makes of its text.
fn policy(change: impl Fn(&mut Sources)) -> Policy {
    let mut sources = sources();
    let account = Uuid::parse("0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10").unwrap();
    for (at, (owner, kind)) in OWNERS.iter().enumerate() {
        let token = token(at);
        let verifier = Context::new(&account.0).verifier(token.lookup.id, token.secret());
        let verifier: String = verifier.iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = if *kind == TokenKind::Api { "api_token" } else { "service_token" };
        sources.tokens += &format!(
            "{{\"kind\":\"{kind}\",\"owner_id\":\"{owner}\",\"name\":\"t{at}\",\"lookup\":\"{}\",\"verifier\":\"{verifier}\"}}\n",
            token.lookup
        );
    }
    change(&mut sources);

    Policy::check(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn token(at: usize) -> Token {
    let (_, kind) = OWNERS[at];
    let number = u8::try_from(at).unwrap() + 1;

    Token::read(&write(kind, u64::from(number) << 40, &Secret([number; 32]))).unwrap()
}

/// What is asked: of whom, by which way, for what.
#[derive(Clone, Debug)]
struct Request {
    owner: usize,
    method: &'static str,
    path: &'static str,
    division: Option<&'static str>,
    stale: bool,
}

const PATHS: [(&str, &str); 8] = [
    ("GET", "/iot/api/v1/certificate"),
    ("POST", "/iot/api/v1/certificate"),
    ("GET", "/iot/api/v1/device"),
    ("PUT", "/iot/api/v1/device/77"),
    ("GET", "/iot/api/v1/audit-log"),
    ("GET", "/iot/api/v1/enrollment-profile/IOT_0193a5d4-4444-7c61-8d5e-000000000001"),
    ("GET", "/iot/api/v1/enrollment-profile/0193a5d4-4444-7c61-8d5e-000000000002"),
    ("GET", "/no/such/path"),
];

fn request() -> impl Strategy<Value = Request> {
    let division = prop_oneof![Just(None), Just(Some("plant-7")), Just(Some("plant-8"))];
    (0..OWNERS.len(), 0..PATHS.len(), division, any::<bool>()).prop_map(
        |(owner, path, division, stale)| {
            let (method, path) = PATHS[path];
            Request { owner, method, path, division, stale }
        },
    )
}

/// Decides as the gate does, with core's check, and returns the line that it would write.
fn recorded(view: &View<'_>, request: &Request, kept: &mut Kept, rules: DivisionRules) -> Reason {
    let token = token(request.owner);
    let mut record = Record {
        created_at: UnixMillis(NOW.0 * 1000),
        method: Some(Method::read(request.method)),
        path: Some(request.path),
        stale: request.stale,
        credential: Credential::Unverified(token.lookup),
        snapshot_version: 1,
        ..Record::new(Outcome::Deny(Reason::Internal))
    };
    let reason = match route::find(request.method, request.path, view.ext().routes()) {
        Err(none) => none.reason(),
        Ok(found) => {
            let ask = Ask::of_route(view, &found, request.division, Mode::Proxy);
            if let RouteOperation::Needs(operation) = found.rule.operation {
                record.operation = Some(operation);
            }
            if let Target::Division(index) = ask.target() {
                record.division = view.division_id(index);
            }
            record.route = Some(found.number);
            let decision = decide(view, &ask, &token, NOW, rules);
            return keep(record, &decision, &token, kept);
        }
    };
    record.outcome = Outcome::Deny(reason);
    kept.write(&[record]);

    reason
}

fn keep(record: Record<'_>, decision: &Decision<'_>, token: &Token, kept: &mut Kept) -> Reason {
    let name = decision.principal.as_ref().map(|who| Text::<128>::untrusted(who.name()));
    let mut record = Record { permission: decision.permission, ..record };
    if let (Some(who), Some(name)) = (&decision.principal, &name) {
        record.authentication = match who.kind().token_kind() {
            TokenKind::Api => Authentication::ApiToken,
            TokenKind::Service => Authentication::ServiceUser,
        };
        record.credential = Credential::Verified(token.lookup);
        record.principal = Some(Who { id: who.id(), name: name.as_str() });
    }
    record.outcome = match decision.is_allowed() {
        true => Outcome::Allow(decision.reason),
        false => Outcome::Deny(decision.reason),
    };
    kept.write(&[record]);

    decision.reason
}

fn kept(policy: &Policy) -> Kept {
    Kept::new(policy.account().id, "edge-0", "everything", 1)
}

fn replayed(policy: &Policy, kept: &Kept, mode: Option<Mode>) -> Replayed {
    let setup = Gateways { mode, ..Gateways::default() };
    let mut replay = Replay::new(policy, &[], setup, true).unwrap();
    for line in &kept.lines {
        replay.take(&Line::parse(line).unwrap());
    }

    replay.finish()
}

/// Records of requests decided under `policy`, with the reasons.
fn decided(policy: &Policy, requests: &[Request]) -> (Kept, Vec<Reason>) {
    let file = snapshot::unsigned(compile(policy, "everything").unwrap()).unwrap();
    let mut kept = kept(policy);
    let reasons = requests
        .iter()
        .map(|request| {
            let from = if request.stale { 0 } else { u64::MAX };
            let view = file.view_stale_from(UnixSeconds(from));
            recorded(&view, request, &mut kept, DivisionRules::default())
        })
        .collect();

    (kept, reasons)
}

/// The records that do not say for which division they were denied.
fn mute(kept: &Kept) -> impl Iterator<Item = &String> {
    kept.lines.iter().filter(|text| {
        let line = Line::parse(text).unwrap();
        line.reason.as_deref() == Some("division_denied") && line.division_id.is_none()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tried_against_the_policy_that_decided_them_no_requests_change(
        requests in proptest::collection::vec(request(), 1..40),
    ) {
        let policy = policy(|_| {});
        let (kept, _) = decided(&policy, &requests);
        let same = replayed(&policy, &kept, Some(Mode::Proxy));
        prop_assert_eq!(same.changed, 0, "{}", same);
        // What was denied for a division that no record names is not guessed.
        let undecided: u64 = same.undecided().values().sum();
        prop_assert_eq!(undecided, u64::try_from(mute(&kept).count()).unwrap(), "{}", same);
        prop_assert_eq!(same.unchanged + undecided, same.requests);
        // Also where nobody says how gateways are asked: less is decided, and nothing otherwise.
        prop_assert_eq!(replayed(&policy, &kept, None).changed, 0);
    }

    #[test]
    fn with_one_permission_less_exactly_the_requests_that_needed_it_change(
        requests in proptest::collection::vec(request(), 1..40),
    ) {
        let before = policy(|_| {});
        let after = policy(|sources| {
            sources.policy = sources.policy.replace("[\"manage_device\", \"view_certificate\"]", "[\"view_certificate\"]");
        });
        let (kept, old) = decided(&before, &requests);
        let (_, new) = decided(&after, &requests);
        let would = replayed(&after, &kept, Some(Mode::Proxy));
        let mute: Vec<_> = mute(&kept).collect();
        let pairs = old.iter().zip(&new).zip(&kept.lines);
        let differ = pairs.filter(|((old, new), line)| old != new && !mute.contains(line)).count();

        prop_assert_eq!(would.changed, u64::try_from(differ).unwrap(), "{}", would);
        prop_assert_eq!(would.each().len(), differ);
    }
}

/// What each of two policies answers to one request with a permission and no path.
fn asked(policy: &Policy, owner: usize, permission: &str, count: u32) -> Kept {
    let file = snapshot::unsigned(compile(policy, "everything").unwrap()).unwrap();
    let view = file.view();
    let ask =
        Ask::of_permissions(&view, [permission].into_iter(), None, Some("plant-7"), Mode::Direct);
    let mut kept = kept(policy);
    let Target::Division(index) = ask.target() else { panic!("a division that is known") };
    let division = view.division_id(index);
    let record = Record {
        created_at: UnixMillis(NOW.0 * 1000),
        division,
        count,
        snapshot_version: 1,
        ..Record::new(Outcome::Deny(Reason::Internal))
    };
    let token = token(owner);
    let decision = decide(&view, &ask, &token, NOW, DivisionRules::default());
    let _reason = keep(record, &decision, &token, &mut kept);

    kept
}

#[test]
fn a_record_that_stands_for_many_requests_counts_as_many() {
    let before = policy(|_| {});
    let after = policy(|sources| {
        sources.service_users =
            sources.service_users.replace("[\"manage_device\"]", "[\"view_audit_log\"]");
    });
    let would = replayed(&after, &asked(&before, 3, "manage_device", 7), None);

    assert_eq!((would.requests, would.records, would.changed), (7, 1, 7), "{would}");
    let text = would.to_string();
    let line = "7 x MES sync (service_user) manage_device: allow ok becomes deny permission_missing; first edge-0 ";
    assert!(text.contains(line), "{text}");
    assert_eq!(would.to_json()["changes"][0]["requests"], 7);
    assert_eq!(would.by_permission, 7);
}

#[test]
fn whoever_loses_the_token_the_account_or_the_division_would_be_denied() {
    let before = policy(|_| {});
    let kept = asked(&before, 0, "manage_device", 1);
    let reason = |change: &dyn Fn(&mut Sources)| {
        let would = replayed(&policy(change), &kept, None);
        let json = would.to_json();
        json["changes"][0]["reason"].as_str().unwrap_or("-").to_owned()
    };
    let disabled = |sources: &mut Sources| {
        let ana = "\"username\":\"ana.ruiz\",";
        sources.users = sources.users.replace(ana, &format!("{ana}\"status\":\"disabled\","));
    };
    let suspended = |sources: &mut Sources| {
        sources.policy = sources.policy.replace(
            "name = \"Acme Robotics\"",
            "name = \"Acme Robotics\"\nstatus = \"suspended\"",
        );
    };
    let forgotten = |sources: &mut Sources| {
        let rest = sources.tokens.lines().skip(1).map(|line| format!("{line}\n"));
        sources.tokens = rest.collect();
    };

    assert_eq!(reason(&|_| {}), "-");
    assert_eq!(reason(&disabled), "owner_disabled");
    assert_eq!(reason(&suspended), "account_suspended");
    assert_eq!(reason(&forgotten), "unknown_token");
}

#[test]
fn what_a_record_does_not_say_is_told_by_reason_and_never_taken_as_unchanged() {
    let policy = policy(|_| {});
    let deny = |reason| Record {
        created_at: UnixMillis(NOW.0 * 1000),
        ..Record::new(Outcome::Deny(reason))
    };
    let lookup = Lookup { kind: 1, id: 9 };
    let ana = Who { id: Uuid([3; 16]), name: "ana.ruiz" };
    let at = |path| Record {
        method: Some(Method::Get),
        path: Some(path),
        authentication: Authentication::ApiToken,
        principal: Some(ana),
        credential: Credential::Verified(token(0).lookup),
        ..deny(Reason::PermissionMissing)
    };
    let records = [
        Record { credential: Credential::Unverified(lookup), ..deny(Reason::BadSecret) },
        Record { credential: Credential::Unverified(lookup), ..deny(Reason::UnknownToken) },
        deny(Reason::RateLimited),
        deny(Reason::NoSnapshot),
        deny(Reason::AuditUnavailable),
        at("/iot/api/v1/certificate/gwd1.AAAAAAAAAAAA.***"),
        at("/iot/api/v1/certifica…"),
        Record { method: Some(Method::Other), ..at("/iot/api/v1/certificate") },
        // Whoever is limited passes through a proxy, and not when a program asks.
        Record { outcome: Outcome::Allow(Reason::Ok), ..at("/iot/api/v1/device") },
    ];
    let mut kept = kept(&policy);
    records.iter().for_each(|record| kept.write(&[*record]));
    let told = replayed(&policy, &kept, None);
    let expected = BTreeMap::from([
        ("audit_unavailable", 1),
        ("method_not_recorded", 1),
        ("mode_not_recorded", 1),
        ("no_snapshot", 1),
        ("path_not_whole", 2),
        ("rate_limited", 1),
        ("secret_not_proved", 2),
    ]);
    assert_eq!(told.undecided(), expected, "{told}");
    assert_eq!((told.changed, told.unchanged), (0, 0));

    let stranger = Kept::new(policy.account().id, "edge-9", "plant-7", 1);
    let mut other = stranger;
    other.write(&[deny(Reason::MissingCredential)]);
    assert_eq!(
        replayed(&policy, &other, None).undecided(),
        BTreeMap::from([("unknown_gateway", 1)])
    );
    let mut other = Kept::new(Uuid([9; 16]), "edge-7a", "plant-7", 1);
    other.write(&[deny(Reason::MissingCredential)]);
    assert_eq!(replayed(&policy, &other, None).undecided(), BTreeMap::from([("other_account", 1)]));
}

#[test]
fn a_wider_permission_that_is_recorded_may_have_been_a_narrower_question() {
    // `manage_certificate` grants reading: who asked for `view_certificate` and holds only the wider
    // one has the wider one in the record.
    let manage = Entry::named("manage_certificate").unwrap();
    let before = policy(|_| {});
    let record = Record {
        created_at: UnixMillis(NOW.0 * 1000),
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([3; 16]), name: "bo" }),
        credential: Credential::Verified(token(1).lookup),
        permission: Some(manage.permission),
        division: Uuid::parse("0193a5d4-1111-7c61-8d5e-000000000002"),
        ..Record::new(Outcome::Allow(Reason::Ok))
    };
    let mut kept = Kept::new(before.account().id, "edge-0", "everything", 1);
    kept.write(&[record]);
    // `bo` may view certificates and not manage them: one question would pass, the other would not.
    let told = replayed(&before, &kept, None);

    assert_eq!(told.undecided(), BTreeMap::from([("permission_not_recorded", 1)]), "{told}");
}

#[test]
fn who_was_allowed_by_a_permission_that_the_policy_no_longer_has_would_be_denied() {
    let scan = "[[permissions]]\nid = \"scan_network\"\nbit = 19\nops = [\"read\", \"write\"]\n";
    let before = policy(|sources| {
        sources.policy += scan;
        sources.service_users =
            sources.service_users.replace("[\"manage_device\"]", "[\"scan_network\"]");
    });
    let after = policy(|_| {});
    let mut kept = asked(&before, 3, "scan_network", 2);
    let text = &kept.lines[0];
    assert!(text.contains(r#""permission":"bit 19""#) && text.contains(r#""decision":"allow""#));
    // As a program that knew the permission by its name has written it.
    let named = text.replace("bit 19", "scan_network");
    kept.lines.push(named);

    let would = replayed(&after, &kept, None);
    assert_eq!((would.changed, would.undecided().len()), (4, 0), "{would}");
    for change in would.to_json()["changes"].as_array().unwrap() {
        assert_eq!(
            (&change["would_be"], &change["reason"]),
            (&"deny".into(), &"permission_missing".into())
        );
    }
    assert_eq!(replayed(&before, &kept, None).changed, 0);
}

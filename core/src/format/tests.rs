//! Makes every example and every table of `docs/format.md` again and looks for it in the text.

extern crate std;

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use sha2::{Digest, Sha256};

use crate::audit::{
    Authentication, Credential, DecisionId, Event, Head, MAX_RECORD, Method, Outcome, Ratchet,
    Record, Source, UnixMillis, Who,
};
use crate::decide::Reason;
use crate::name::{Hex, Uuid};
use crate::permission::{CATALOGUE, Operation, Operations, Permission, PermissionSet};
use crate::principal::{PrincipalKind, TokenKind};
use crate::snapshot::build::{
    Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen, principal_keys,
};
use crate::snapshot::{chunk, delta, unsigned};
use crate::time::{End, Millis, TimeQuality, UnixSeconds};
use crate::token::{self, Context, Lookup, Secret, Token};
use crate::trust::sign::{BeaconDraft, ManifestDraft, RevokedDraft};
use crate::trust::{
    Algorithm, Audience, Floor, GatewayId, Incarnation, KeyId, Signers, SigningKey, Version,
};

const TEXT: &str = include_str!("../../docs/format.md");

const ACCOUNT: Uuid = Uuid([
    0x01, 0x93, 0xa5, 0xd4, 0x0b, 0x9e, 0x7c, 0x61, 0x8d, 0x5e, 0x3f, 0x1a, 0x7b, 0x2c, 0x9d, 0x10,
]);
const DIVISION: Uuid = Uuid([0x22; 16]);
const ANA: Uuid = Uuid([0x33; 16]);
const BO: Uuid = Uuid([0x44; 16]);
const ID: u64 = 0x0123_4567_89ab_cdef;
const CHUNK_LOG2: u8 = 15;

fn secret() -> Secret {
    Secret(core::array::from_fn(|at| u8::try_from(at).unwrap()))
}

/// An account with one division, one user and one token.
fn snapshot() -> Vec<u8> {
    contents().compile(VerifierLen::Full).unwrap()
}

fn contents() -> Contents {
    let [(_, key)] = principal_keys(&BTreeSet::from([ANA])).into_iter().collect::<Vec<_>>()[..]
    else {
        panic!("one principal has one key");
    };
    let ana = PrincipalEntry {
        id: ANA,
        name: "ana.ruiz".into(),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(0x480),
        scope: Scope::Only([DIVISION].into()),
        end: End::NEVER,
    };
    let verifier = Context::new(&ACCOUNT.0).verifier(ID, &secret());
    let token = TokenEntry { principal: key, disabled: false, end: End(1_800_000_000), verifier };

    Contents {
        account: ACCOUNT,
        divisions: [(DIVISION, "plant-7".into())].into(),
        principals: [(key, ana)].into(),
        tokens: [(ID, token)].into(),
        ..Contents::default()
    }
}

fn manifest() -> (KeyId, Vec<u8>) {
    let file = snapshot();
    let key = SigningKey::from_bytes(&[7; 32]);
    let draft = ManifestDraft {
        version: 7,
        ..ManifestDraft::of(
            ACCOUNT,
            Audience::of(ACCOUNT, "plant-7"),
            UnixSeconds(1_790_000_000),
            &file,
            CHUNK_LOG2,
        )
        .unwrap()
    };

    (KeyId::of(key.verifying_key().as_bytes()), draft.sign(&[&key]).unwrap())
}

fn record() -> Vec<u8> {
    let record = Record {
        seq: 1,
        boot: 1,
        created_at: UnixMillis(1_790_000_000_123),
        mono: Millis(4_200),
        quality: TimeQuality::Synced,
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: ANA, name: "ana.ruiz" }),
        credential: Credential::Verified(Lookup { kind: 1, id: ID }),
        operation: Some(Operation::Write),
        permission: Permission::new(7),
        division: Some(DIVISION),
        resource: Some("device/123"),
        method: Some(Method::Put),
        snapshot_version: 7,
        source: Source::Uid(33),
        ..Record::new(Outcome::Allow(Reason::Ok))
    };
    let mut buffer = [0; MAX_RECORD];
    let len = record.encode(&mut buffer).unwrap();
    assert_eq!(Record::decode(&buffer[..len]), Ok(record));

    buffer[..len].to_vec()
}

/// Offset and 16 bytes a line.
fn dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).zip(0..);
    lines.map(|(line, at)| format!("{:04x}  {}\n", at * 16, Hex(line))).collect()
}

/// Looks for `example` in a code block of the document.
fn stands(example: &str) {
    assert!(TEXT.contains(example), "docs/format.md is stale; it should contain:\n{example}");
}

#[test]
fn the_example_of_a_token_is_what_the_code_makes() {
    let text = token::write(TokenKind::Api, ID, &secret());
    let text = core::str::from_utf8(&text).unwrap();
    let verifier = Context::new(&ACCOUNT.0).verifier(ID, &secret());
    stands(&format!("token     {text}\nverifier  {}\n", Hex(&verifier)));

    let legacy = Token::read(b"an-old-key-of-another-product-0001").unwrap();
    let secret = legacy.secret().0;
    stands(&format!("id        {:016x}\nsecret    {}\n", legacy.lookup.id, Hex(&secret)));
}

#[test]
fn the_example_of_a_snapshot_is_what_the_code_makes() {
    let file = snapshot();
    assert!(unsigned(&file[..]).is_ok());
    let [leaf] = chunk::leaves(&file, CHUNK_LOG2).collect::<Vec<_>>()[..] else {
        panic!("one chunk has one hash");
    };
    let root = chunk::root_of(&file, CHUNK_LOG2).unwrap();
    stands(&dump(&file));
    stands(&format!(
        "SHA-256   {}\nh0        {}\nroot      {root}\n",
        Hex(&Sha256::digest(&file)),
        Hex(&leaf)
    ));
}

#[test]
fn the_example_of_a_manifest_is_what_the_code_makes() {
    let (key, envelope) = manifest();
    stands(&format!(
        "audience  {}\ngateway   {}\nkey id    {key}\n",
        Audience::of(ACCOUNT, "plant-7"),
        GatewayId::of(ACCOUNT, "edge-7a"),
    ));
    stands(&dump(&envelope));
}

#[test]
fn the_examples_of_a_beacon_and_a_revocation_list_are_what_the_code_makes() {
    let (account, audience) = (ACCOUNT, Audience::of(ACCOUNT, "plant-7"));
    let beacon = BeaconDraft {
        account,
        audience,
        keyset: 1,
        number: 2,
        time: UnixSeconds(1_790_000_060),
        version: 7,
        revoked_counter: 1,
    };
    stands(&dump(&beacon.sign(&[&SigningKey::from_bytes(&[8; 32])]).unwrap()));
    let revoked = RevokedDraft {
        account,
        audience,
        keyset: 1,
        counter: 1,
        base_version: 6,
        issued_at: UnixSeconds(1_790_000_000),
        tokens: [ID].into(),
        principals: [0x9a2e].into(),
    };
    stands(&dump(&revoked.sign(&[&SigningKey::from_bytes(&[7; 32])]).unwrap()));
}

#[test]
fn the_example_of_a_delta_is_what_the_code_makes() {
    let mut later = contents();
    later.tokens.values_mut().for_each(|token| token.disabled = true);
    let ids = BTreeSet::from([ANA, BO]);
    let key = principal_keys(&ids)[&BO];
    let bo = PrincipalEntry {
        id: BO,
        name: "bo.lind".into(),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(0x800),
        scope: Scope::Only([DIVISION].into()),
        end: End::NEVER,
    };
    later.principals.insert(key, bo);
    let later = later.compile(VerifierLen::Full).unwrap();
    let delta = delta::make(&snapshot(), &later, CHUNK_LOG2).unwrap();

    stands(&dump(&delta));
    stands(&format!(
        "SHA-256   {}\nresult    {}\n",
        Hex(&Sha256::digest(&delta)),
        chunk::root_of(&later, CHUNK_LOG2).unwrap()
    ));
}

#[test]
fn the_example_of_a_record_is_what_the_code_makes() {
    let record = record();
    let head = Head::START.next(&record);
    let mut ratchet = Ratchet::new([9; 32]);
    let tag = ratchet.tag(&head);
    ratchet.step();
    let gateway = GatewayId::of(ACCOUNT, "edge-7a");
    let id = DecisionId::new(gateway, Incarnation([5; 8]), 1, 1);
    stands(&dump(&record));
    stands(&format!(
        "head      {head}\ntag       {}\nnext key  {}\ndecision  {id}\n",
        Hex(&tag),
        Hex(ratchet.expose())
    ));
}

fn signed_by(seed: u8) -> Signers {
    let public = SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();

    Signers::of(1, &[(Algorithm::Ed25519, KeyId::of(&public))])
}

#[test]
fn the_example_of_a_floor_is_what_the_code_makes() {
    let floor = Floor {
        keys: 1,
        version: Version { epoch: 1, number: 7 },
        root: chunk::root_of(&snapshot(), CHUNK_LOG2).unwrap(),
        issued_at: UnixSeconds(1_790_000_000),
        revoked: Version { epoch: 1, number: 1 },
        list: Version { epoch: 1, number: 1 },
        newest: Version { epoch: 1, number: 7 },
        beacon: Version { epoch: 1, number: 2 },
        beacon_time: UnixSeconds(1_790_000_060),
        signed: UnixSeconds(1_790_000_060),
        lived: UnixSeconds(1_790_000_660),
        agreed: UnixSeconds(1_790_000_600),
        boots: 3,
        rooted: UnixSeconds(1_789_000_600),
        held: UnixSeconds(1_790_000_600),
        manifest_by: signed_by(7),
        beacon_by: signed_by(8),
        agreed_by: [signed_by(7), signed_by(8)],
    };
    stands(&dump(&floor.encode()));
}

#[test]
fn every_code_of_a_closed_list_stands_in_its_table() {
    for reason in Reason::ALL {
        stands(&format!("| {} | `{reason}` |", *reason as u8));
    }
    for event in Event::ALL {
        stands(&format!("| {} | `{}` |", *event as u8, event.name()));
    }
    for entry in &CATALOGUE {
        let scoped = if entry.division_scoped { "yes" } else { "no" };
        stands(&format!(
            "| {} | `{}` | {} | {} | {scoped} |",
            entry.permission.bit(),
            entry.id,
            names(entry.ops),
            names(entry.fresh_ops)
        ));
    }
    let numbered = |name: &str, number: u8| stands(&format!("{number} `{name}`"));
    Operation::ALL.iter().for_each(|one| numbered(one.name(), *one as u8));
    Method::ALL.iter().for_each(|one| numbered(one.name(), *one as u8));
    Authentication::ALL.iter().for_each(|one| numbered(one.name(), *one as u8));
}

fn names(operations: Operations) -> String {
    let all = Operation::ALL.into_iter().filter(|one| operations.contains(*one));
    let names: Vec<_> = all.map(Operation::name).collect();

    if names.is_empty() { "–".into() } else { names.join(" ") }
}

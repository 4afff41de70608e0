//! Snapshots and hash lists: one file with something of everything, and each way to spoil it.

mod spoilt;

use std::collections::BTreeSet;

use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::time::End;
use gateward_core::token::{Context, Secret};
use serde_json::{Value, json};

use crate::authority::{ACCOUNT, Bytes, SNAPSHOT, audience, by_roots, key, key_set, manifest};
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind, given, hex};

/// Where the sections of [`file`] begin.
const DIVISIONS: usize = 80;
const GRANTS: usize = DIVISIONS + 2 * 22;
const PRINCIPALS: usize = GRANTS + 3 * 16;
const IDS: usize = PRINCIPALS + 3 * 48;
const ROWS: usize = IDS + 9 * 8;
const DIRECTORY: usize = ROWS + 9 * 40;
const RESOURCES: usize = DIRECTORY + 3 * 4;
const HEAP: usize = RESOURCES + 2 * 24;

pub(crate) fn id(n: u8) -> Uuid {
    Uuid([n; 16])
}

fn principal(n: u8, name: &str, kind: PrincipalKind, permissions: u64) -> PrincipalEntry {
    PrincipalEntry {
        id: id(n),
        name: name.into(),
        kind,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(permissions),
        scope: Scope::All,
        end: End::NEVER,
    }
}

/// A permission on bit 19 and a route that asks for it.
fn extensions() -> Vec<u8> {
    let permission = Bytes::default().u8(19).bytes(b"open_valve").u8(1 << 6).u8(0).u8(1);
    let route = Bytes::default().bytes(b"valve.open").u8(4).bytes(b"/valve/{id}/open");
    let route = route.bytes(b"open_valve").u8(6).u8(1).u8(1).u8(0).bytes(b"valve").bytes(b"open");

    Bytes::default().v(1).raw(&permission.0).v(1).raw(&route.0).u8(1).0
}

fn contents() -> Contents {
    let mut ana = principal(0x33, "ana.ruiz", PrincipalKind::User, 0x480);
    ana.scope = Scope::Only([id(0x22)].into());
    let mut mes = principal(0x35, "MES sync", PrincipalKind::ServiceUser, 1 << 7);
    mes.scope = Scope::Only(BTreeSet::new());
    let root = principal(0x34, "größe 7", PrincipalKind::SystemUser, 0x3fbbf);
    let secret = Secret([0xa5; 32]);
    let token = |at: u8| {
        let number = 0x1c71_c71c_71c7_1c71 * u64::from(at);
        let verifier = Context::new(&ACCOUNT.0).verifier(number, &secret);
        let (principal, disabled) = (u32::from(at % 3) + 1, at == 4);
        let end = if at == 5 { End(1_790_086_400) } else { End::NEVER };
        (number, TokenEntry { principal, disabled, end, verifier })
    };

    Contents {
        account: ACCOUNT,
        suspended: false,
        divisions: [(id(0x22), "plant-7".into()), (id(0x23), "plant-8".into())].into(),
        principals: [(1, ana), (2, root), (3, mes)].into(),
        tokens: (0..9).map(token).collect(),
        resources: [((1, id(0x44)), Some(id(0x23))), ((2, id(0x44)), None)].into(),
        ext: extensions(),
    }
}

pub(crate) fn file() -> Vec<u8> {
    contents().compile(VerifierLen::Full).unwrap()
}

pub(crate) fn changed(change: impl FnOnce(&mut Contents)) -> Vec<u8> {
    let mut contents = contents();
    change(&mut contents);
    contents.compile(VerifierLen::Full).unwrap()
}

/// The file with other bytes at a place.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file();
    assert_ne!(file[at..at + bytes.len()], *bytes, "nothing is changed at {at}");
    file[at..at + bytes.len()].copy_from_slice(bytes);

    file
}

/// The file with two records of a section exchanged.
fn swapped(at: usize, len: usize) -> Vec<u8> {
    let mut file = file();
    let (one, other) = file[at..at + 2 * len].split_at_mut(len);
    one.swap_with_slice(other);

    file
}

/// The file with other extensions.
fn extended(ext: &[u8]) -> Vec<u8> {
    changed(|contents| contents.ext = ext.to_vec())
}

pub(crate) fn kind() -> Kind {
    let mut kind =
        Kind::new("snapshots", "Section 3. `bytes` is a file; `manifest` vouches for it.");
    for (name, verdict, about, bytes) in spoilt::all() {
        kind.add((name, verdict, about), &bytes, &given([]));
    }
    let key_set = kind.share("key-set-1", &by_roots(&key_set(1)));
    let signed = manifest(&file()).sign(&[&key(SNAPSHOT)]).unwrap();
    let of_file = kind.share("manifest", &signed);
    let foreign = changed(|contents| contents.account = id(9));
    let of_foreign = manifest(&foreign).sign(&[&key(SNAPSHOT)]).unwrap();
    let of_foreign = kind.share("manifest-of-the-foreign-file", &of_foreign);
    let given = |manifest: &str| vouched(&key_set, manifest);
    let (last, bare) = (file().len() - 1, extended(&[]));

    for (name, verdict, about, bytes, manifest) in [
        ("vouched-for", ACCEPTED, "the file that the manifest names", file(), &of_file),
        ("one-bit-flipped", "bad_root", "the last bit", with(last, &[0]), &of_file),
        ("another-length", "bad_length", "another file", bare, &of_file),
        ("of-another-account", "other_account", "the manifest says whose", foreign, &of_foreign),
    ] {
        kind.add((name, verdict, about), &bytes, &given(manifest));
    }

    kind
}

pub(crate) fn vouched(
    key_set: &str,
    manifest: &str,
) -> std::collections::BTreeMap<&'static str, Value> {
    given([
        ("account", json!(hex(&ACCOUNT.0))),
        ("audience", json!(hex(&audience().0))),
        ("key_sets", json!([key_set])),
        ("manifest", json!(manifest)),
    ])
}

//! Deltas from one small snapshot, made well and spoilt.

use gateward_core::name::Uuid;
use gateward_core::snapshot::build::Contents;
use gateward_core::snapshot::{chunk, delta};
use gateward_core::time::End;

use crate::authority::{Bytes, SNAPSHOT, by_roots, key, key_set, manifest};
use crate::snapshots::{changed, file, id, vouched};
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind};

/// A token of [`file`], by its place.
const fn token_id(place: u64) -> u64 {
    0x1c71_c71c_71c7_1c71 * place
}

/// A delta, field by field.
#[derive(Clone)]
struct Parts {
    format: u8,
    base: [u8; 32],
    shape: [u8; 2],
    status: u8,
    ext: Vec<u8>,
    /// Grants, principals, tokens and resources, each gone and then come.
    lists: [Vec<Vec<u8>>; 8],
}

impl Parts {
    fn bytes(&self) -> Vec<u8> {
        let head = Bytes::default().u8(self.format).raw(&self.base).raw(&self.shape);
        let all = head.u8(self.status).raw(&self.ext);
        let lists = self
            .lists
            .iter()
            .fold(all, |all, list| all.v(u64::try_from(list.len()).unwrap()).raw(&list.concat()));

        lists.0
    }
}

/// One that changes nothing.
fn parts() -> Parts {
    let base = chunk::root_of(&file(), 12).unwrap().0;

    Parts { format: 1, base, shape: [1, 32], status: 0, ext: vec![0], lists: Default::default() }
}

fn spoilt(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = parts();
    change(&mut parts);

    parts.bytes()
}

fn token(number: u64, owner: u32, disabled: u8) -> Vec<u8> {
    let head = Bytes::default().raw(&number.to_le_bytes()).raw(&owner.to_le_bytes());

    head.u8(disabled).raw(&[0xff; 4]).raw(&[0xdd; 32]).0
}

fn principal(number: u32, name: &[u8], kind: u8, grant: u32) -> Vec<u8> {
    let head = Bytes::default().raw(&number.to_le_bytes()).raw(&[0x44; 16]).bytes(name);

    head.u8(kind).u8(4).raw(&grant.to_le_bytes()).raw(&[0xff; 4]).raw(&[0; 8]).0
}

fn grant(number: u32) -> Vec<u8> {
    Bytes::default().raw(&number.to_le_bytes()).v(1 << 11).0
}

fn resource(kind: u8, division: u16) -> Vec<u8> {
    Bytes::default().u8(kind).raw(&[0x45; 16]).raw(&division.to_le_bytes()).0
}

fn made(change: impl FnOnce(&mut Contents)) -> Vec<u8> {
    delta::make(&file(), &changed(change), 12).unwrap()
}

pub(crate) fn kind() -> Kind {
    let about = "Section 11. `bytes` is a delta from `base`, which `manifest` vouches for; the result \
                 is read as any snapshot.";
    let mut kind = Kind::new("deltas", about);
    let key_set = kind.share("key-set-1", &by_roots(&key_set(1)));
    let base = kind.share("base", &file());
    let manifest = manifest(&file()).sign(&[&key(SNAPSHOT)]).unwrap();
    let manifest = kind.share("manifest", &manifest);
    let mut given = vouched(&key_set, &manifest);
    given.insert("base", base.into());
    let all = accepted().into_iter().chain(shapes()).chain(orders()).chain(references());
    for (name, verdict, about, bytes) in all {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    vec![
        ("nothing", ACCEPTED, "the result is the base", parts().bytes()),
        ("a-token-disabled", ACCEPTED, "", {
            made(|contents| contents.tokens.get_mut(&token_id(3)).unwrap().disabled = true)
        }),
        ("tokens-come-and-go", ACCEPTED, "the directory follows", {
            made(|contents| {
                let entry = contents.tokens.remove(&token_id(0)).unwrap();
                contents.tokens.remove(&token_id(8));
                contents.tokens.extend((1..40).map(|n| (n << 58, entry.clone())));
            })
        }),
        ("a-principal-comes-with-a-grant", ACCEPTED, "", {
            spoilt(|parts| {
                parts.lists[1] = vec![grant(9)];
                parts.lists[3] = vec![principal(2, b"bo.lind", 0, 9), principal(7, b"x", 2, 9)];
            })
        }),
        ("a-principal-goes-with-its-tokens", ACCEPTED, "they need not be named", {
            spoilt(|parts| parts.lists[2] = vec![3_u32.to_le_bytes().into()])
        }),
        ("everybody-goes", ACCEPTED, "", {
            spoilt(|parts| {
                parts.lists[2] = [1_u32, 2, 3].map(|key| key.to_le_bytes().into()).into();
            })
        }),
        ("suspended", ACCEPTED, "", made(|contents| contents.suspended = true)),
        ("other-extensions", ACCEPTED, "none", made(|contents| contents.ext.clear())),
        ("resources-move", ACCEPTED, "", {
            made(|contents| {
                contents.resources.insert((1, id(0x44)), None);
                contents.resources.insert((1, Uuid([0x45; 16])), Some(id(0x22)));
                contents.resources.remove(&(2, id(0x44)));
            })
        }),
        ("a-principal-ends", ACCEPTED, "", {
            made(|contents| contents.principals.get_mut(&1).unwrap().end = End(5))
        }),
    ]
}

fn shapes() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_delta_malformed";
    let good = made(|contents| contents.suspended = true);
    let last = good.len() - 1;

    vec![
        ("empty", BAD, "", Vec::new()),
        ("cut-short", BAD, "", good[..last].to_vec()),
        ("trailing-byte", BAD, "", [&good[..], &[0]].concat()),
        ("overlong-varint", BAD, "a count", [&good[..last], &[0x80, 0]].concat()),
        ("list-of-4-gib", BAD, "a count", [&good[..last], &[0xff, 0xff, 0xff, 0xff, 0xf]].concat()),
        ("another-format", "bad_delta_unknown_format", "", spoilt(|parts| parts.format = 2)),
        ("unknown-account-status", BAD, "", spoilt(|parts| parts.status = 2)),
        ("neither-extensions-nor-none", BAD, "", spoilt(|parts| parts.ext = vec![2, 0])),
        ("verifiers-of-17-bytes", BAD, "", spoilt(|parts| parts.shape = [1, 17])),
        ("token-neither-disabled-nor-not", BAD, "", {
            spoilt(|parts| parts.lists[5] = vec![token(5, 1, 2)])
        }),
        ("name-with-a-line-break", BAD, "", {
            spoilt(|parts| {
                parts.lists[1] = vec![grant(9)];
                parts.lists[3] = vec![principal(2, b"a\nb", 0, 9)];
            })
        }),
        ("unknown-kind-of-principal", "unknown_status", "seen in the result", {
            spoilt(|parts| {
                parts.lists[1] = vec![grant(9)];
                parts.lists[3] = vec![principal(2, b"bo", 3, 9)];
            })
        }),
        ("extensions-that-are-none", "bad_extension", "seen in the result", {
            spoilt(|parts| parts.ext = vec![1, 1, 0xff])
        }),
    ]
}

fn orders() -> Vec<Case<Vec<u8>>> {
    const ORDER: &str = "bad_delta_order";
    const BASE: &str = "bad_delta_other_base";
    let gone = |ids: &[u64]| {
        let ids = ids.iter().map(|number| number.to_le_bytes().to_vec()).collect();
        spoilt(|parts| parts.lists[4] = ids)
    };

    vec![
        ("tokens-out-of-order", ORDER, "", gone(&[token_id(2), token_id(1)])),
        ("a-token-goes-twice", ORDER, "", gone(&[token_id(2), token_id(2)])),
        ("a-token-comes-twice", ORDER, "", {
            spoilt(|parts| parts.lists[5] = vec![token(5, 1, 0), token(5, 1, 0)])
        }),
        ("a-token-goes-and-comes", ORDER, "", {
            spoilt(|parts| {
                parts.lists[4] = vec![token_id(2).to_le_bytes().into()];
                parts.lists[5] = vec![token(token_id(2), 1, 0)];
            })
        }),
        ("resources-out-of-order", ORDER, "", {
            spoilt(|parts| parts.lists[7] = vec![resource(2, 0), resource(1, 0)])
        }),
        ("of-another-base", BASE, "one bit of the root", spoilt(|parts| parts.base[31] ^= 1)),
        ("of-a-base-with-half-verifiers", BASE, "", spoilt(|parts| parts.shape = [1, 16])),
        ("of-a-base-with-more-divisions", BASE, "", spoilt(|parts| parts.shape = [2, 32])),
    ]
}

fn references() -> Vec<Case<Vec<u8>>> {
    const MISSING: &str = "bad_delta_missing";
    const DANGLING: &str = "bad_delta_dangling";
    let crowd = (1..=70).map(|number| token(number, 1, 0)).collect();

    vec![
        ("an-unknown-token-goes", MISSING, "", {
            spoilt(|parts| parts.lists[4] = vec![5_u64.to_le_bytes().into()])
        }),
        ("an-unknown-principal-goes", MISSING, "", {
            spoilt(|parts| parts.lists[2] = vec![4_u32.to_le_bytes().into()])
        }),
        ("an-unknown-resource-goes", MISSING, "", {
            spoilt(|parts| parts.lists[6] = vec![[&[1][..], &[0x45; 16]].concat()])
        }),
        ("a-token-of-nobody", DANGLING, "", spoilt(|parts| parts.lists[5] = vec![token(5, 4, 0)])),
        ("a-token-of-who-goes", DANGLING, "", {
            spoilt(|parts| {
                parts.lists[2] = vec![3_u32.to_le_bytes().into()];
                parts.lists[5] = vec![token(5, 3, 0)];
            })
        }),
        ("a-principal-without-its-grant", DANGLING, "", {
            spoilt(|parts| parts.lists[3] = vec![principal(4, b"bo", 0, 9)])
        }),
        ("a-grant-goes-that-is-held", DANGLING, "", {
            let first: [u8; 4] = file()[124 + 8..124 + 12].try_into().unwrap();
            spoilt(|parts| parts.lists[0] = vec![first.into()])
        }),
        ("a-resource-past-the-divisions", DANGLING, "", {
            spoilt(|parts| parts.lists[7] = vec![resource(1, 2)])
        }),
        ("tokens-that-crowd", "bad_delta_too_many", "70 in one bucket", {
            spoilt(|parts| parts.lists[5] = crowd)
        }),
    ]
}

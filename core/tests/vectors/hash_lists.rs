//! Hash lists of a file of three chunks.

use gateward_core::snapshot::chunk;

use crate::authority::{SNAPSHOT, by_roots, key, key_set, manifest};
use crate::snapshots::{changed, vouched};
use crate::vector::{ACCEPTED, Kind};

pub(crate) fn kind() -> Kind {
    let mut kind = Kind::new("hash-lists", "Section 5. `bytes` is a list as it was fetched.");
    let file = changed(|contents| contents.ext = vec![0; 9_000]);
    let key_set = kind.share("key-set-1", &by_roots(&key_set(1)));
    let manifest = kind.share("manifest", &manifest(&file).sign(&[&key(SNAPSHOT)]).unwrap());
    let given = vouched(&key_set, &manifest);
    let list: Vec<u8> = chunk::leaves(&file, 12).flatten().collect();
    let exchanged = [&list[32..64], &list[..32], &list[64..]].concat();
    let mut flipped = list.clone();
    flipped[40] ^= 1;

    for (name, verdict, about, bytes) in [
        ("list", ACCEPTED, "one hash for each chunk", list.clone()),
        ("empty", "bad_hash_list", "no hash", Vec::new()),
        ("one-hash-missing", "bad_hash_list", "the last one", list[..64].to_vec()),
        ("one-hash-too-many", "bad_hash_list", "the last one twice", {
            [&list[..], &list[64..]].concat()
        }),
        ("trailing-byte", "bad_hash_list", "after the last hash", [&list[..], &[0]].concat()),
        ("chunks-exchanged", "bad_hash_list", "the first two", exchanged),
        ("one-bit-flipped", "bad_hash_list", "in the second hash", flipped),
    ] {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}

//! Where a search begins: for each target a few good inputs and a few that are nearly good.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "control")]
mod control;
mod shim;

use gateward_core::audit::Head;
use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::chunk;
use gateward_core::snapshot::delta::make;
use gateward_core::trust::sign::{BeaconDraft, ReceiptDraft, RevokedDraft, message};
use gateward_core::trust::{Checkpoint, SEALED_LEN};

use crate::cast::{self, ACCOUNT, BEACON, COLLECTOR, GATEWAY, INCARNATION, SNAPSHOT, key, payload};
use crate::fixture::{account, fixture};
use crate::snapshot::files;

/// An input: the target, a name that says what it is, and the bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Returns what every corpus holds beside what the fuzzer found.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, inputs) in [
        #[cfg(feature = "agent")]
        ("audit", agent::audit()),
        ("beacon", beacon()),
        ("delta", delta()),
        ("envelope", envelope()),
        ("hash_list", hash_list()),
        ("key_set", key_set()),
        ("manifest", manifest()),
        #[cfg(feature = "control")]
        ("policy", control::policy()),
        #[cfg(feature = "agent")]
        ("request", agent::request()),
        ("revoked", revoked()),
        ("shim", shim::shim()),
        ("snapshot", snapshot()),
        ("token", token()),
    ] {
        let named = inputs.into_iter().map(|(name, bytes)| (target, format!("seed-{name}"), bytes));
        seeds.extend(named);
    }

    seeds
}

type Named = Vec<(&'static str, Vec<u8>)>;

/// Puts the byte that says how an input is meant before it.
fn way(n: u8, rest: &[u8]) -> Vec<u8> {
    [&[n], rest].concat()
}

fn token() -> Named {
    let text = fixture().tokens().first().cloned().unwrap_or_default();
    let short = text.get(..65).unwrap_or_default();

    vec![
        ("good", way(0, &text)),
        ("cut", way(0, short)),
        ("imported", way(0, &[b'x'; 40])),
        ("white-space", way(0, &[b' '; 40])),
        ("public-part", way(0, text.get(5..17).unwrap_or_default())),
        ("written", way(1, &[7; 43])),
        ("changed", way(2, &[1, 20, b'B', 60, b'-'])),
    ]
}

fn beacon() -> Named {
    let draft = BeaconDraft {
        account: ACCOUNT,
        audience: cast::audience(),
        keyset: 1,
        number: 3,
        time: cast::NOW.plus(60),
        version: 6,
        revoked_counter: 2,
    };
    let good = draft.sign(&[key(BEACON)]).expect("one signer");
    let fields = payload(&good).get(17..).unwrap_or_default();
    let far = BeaconDraft { time: cast::NOW.plus(90_000), ..draft };
    let far = far.sign(&[key(BEACON)]).expect("one signer");
    let other = draft.sign(&[key(SNAPSHOT)]).expect("one signer");

    vec![
        ("good", way(0, &good)),
        ("far", way(0, &far)),
        ("of-another-role", way(0, &other)),
        ("fields", way(1, fields)),
        ("drafted", way(2, &[1; 40])),
    ]
}

fn revoked() -> Named {
    let ids: Vec<_> = fixture().view().tokens().map(|row| row.id).collect();
    let draft = RevokedDraft {
        account: ACCOUNT,
        audience: cast::audience(),
        keyset: 1,
        counter: 2,
        base_version: 5,
        issued_at: cast::NOW,
        tokens: ids.iter().copied().take(2).chain([77]).collect(),
        principals: [3, 99].into(),
    };
    let good = draft.sign(&[key(SNAPSHOT)]).expect("five entries");
    let fields = payload(&good).get(17..).unwrap_or_default();
    let mut twice = fields.to_vec();
    twice.iter_mut().last().into_iter().for_each(|last| *last = 3);

    vec![
        ("good", way(0, &good)),
        ("fields", way(1, fields)),
        ("twice", way(1, &twice)),
        ("cut", way(1, fields.get(..fields.len() - 1).unwrap_or_default())),
        ("drafted", way(2, &[[2, 3, 1].as_slice(), &[1; 40]].concat())),
    ]
}

fn delta() -> Named {
    let (mut newer, _) = account();
    newer.tokens.pop_first();
    let file = newer.compile(VerifierLen::Full).expect("one token less");
    let good = make(fixture().bytes(), &file, 15).expect("one token less");
    let rest = good.get(33..).unwrap_or_default();
    let more = [&[3, 2, 5, 2][..], &[1; 60], &[2, 3, 2, 1]].concat();

    vec![
        ("good", way(0, &good)),
        ("cut", way(0, good.get(..good.len() - 1).unwrap_or_default())),
        ("records", way(1, rest)),
        ("made", way(2, &more)),
        ("made-and-changed", way(2, &[&more[..], &[40, 0, 1]].concat())),
    ]
}

/// A good manifest, and the fields that are signed in it.
fn good_manifest() -> (Vec<u8>, Vec<u8>) {
    let draft = cast::manifest_draft(fixture().bytes(), 15).expect("a file of ours");
    let signed = draft.sign(&[key(SNAPSHOT)]).expect("no deltas are not too many");
    let fields = payload(&signed).get(17..).unwrap_or_default().to_vec();

    (signed, fields)
}

fn good_key_set() -> (Vec<u8>, Vec<u8>) {
    let signed = cast::draft().sign(&[key(0), key(1)]).expect("eight keys are not too many");
    let fields = payload(&signed).get(17..).unwrap_or_default().to_vec();

    (signed, fields)
}

fn manifest() -> Named {
    let (signed, fields) = good_manifest();
    let brought = message(&signed, &[(7, &b"a delta"[..])]).expect("one delta");
    let mut forged = signed.clone();
    forged.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);

    vec![
        ("good", way(0, &signed)),
        ("forged", way(0, &forged)),
        ("fields", way(1, &fields)),
        ("message", way(2, &brought)),
        ("drafted", way(3, &[1; 90])),
    ]
}

fn key_set() -> Named {
    let (signed, fields) = good_key_set();

    vec![
        ("good", way(0, &signed)),
        ("fields", way(1, &[&[0], &fields[..]].concat())),
        ("next", way(3, &[0, 1])),
        ("next-unsigned", way(3, &[7, 1])),
        ("drafted", way(2, &[[0, 3, 0, 1, 0, 1, 1, 0, 2, 1].as_slice(), &[3; 60]].concat())),
    ]
}

fn envelope() -> Named {
    let (manifest, fields) = good_manifest();
    let (key_set, _) = good_key_set();
    let (account, gateway, incarnation) = (ACCOUNT, GATEWAY, INCARNATION);
    let (head, time) = (Head([3; 32]), cast::NOW);
    let receipt = ReceiptDraft { account, gateway, incarnation, through: 9, head, time };
    let receipt = receipt.sign(&[key(COLLECTOR)]).expect("one signer");
    let checkpoint = Checkpoint { gateway, incarnation, number: 9, head, time, boot: 2 };
    let mut buffer = [0; SEALED_LEN];
    let checkpoint = checkpoint.sign(ACCOUNT, key(COLLECTOR), &mut buffer).expect("room");
    let two = [&[1, 2, 3, 0, 0, 0, 3, 1, 0, 0][..], &fields].concat();

    vec![
        ("manifest", way(0, &manifest)),
        ("key-set", way(0, &key_set)),
        ("receipt", way(0, &receipt)),
        ("checkpoint", way(0, checkpoint)),
        ("signed-fields", way(1, &[&[0], &fields[..]].concat())),
        ("two-signatures", way(2, &two)),
    ]
}

fn hash_list() -> Named {
    let pattern = b"1234567";
    let file: Vec<u8> = pattern.iter().copied().cycle().take(80 + 10_000).collect();
    let list: Vec<u8> = chunk::leaves(&file, 12).flatten().collect();
    let head = [&[0], &10_000_u16.to_le_bytes()[..], pattern].concat();
    let swapped = [1, 0, 0, 32];

    vec![
        ("good", way(0, &[&head[..], &list].concat())),
        ("cut", way(0, &[&head[..], list.get(..40).unwrap_or_default()].concat())),
        ("one-chunk", way(1, &[0, 9, 0, 1, 2])),
        ("unchanged", way(1, &head)),
        ("swapped", way(1, &[&head[..], &swapped].concat())),
    ]
}

fn snapshot() -> Named {
    let mut seeds: Named = Vec::new();
    for (name, file) in ["whole", "half", "nobody", "wide"].into_iter().zip(files()) {
        seeds.push((name, way(0, file)));
    }
    if let Some(vouched) = files().get(2) {
        seeds.push(("vouched", way(3, vouched)));
    }
    seeds.push(("changed", way(1, &[0, 100, 0, 1])));
    seeds.push(("compiled", way(2, &[3, 2, 5, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8])));

    seeds
}

//! What a search begins with: good bytes of every kind that the C interface takes.

#![expect(clippy::indexing_slicing, reason = "what is indexed was made a few lines before")]

use std::sync::OnceLock;

use gateward_core::bundle::build;
use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::chunk;
use gateward_core::snapshot::delta::make;
use gateward_core::trust::sign::{BeaconDraft, KeySetDraft, ManifestDraft, RevokedDraft};
use gateward_core::trust::{Audience, DeltaRef};
use sha2::{Digest, Sha256};

use crate::cast::{self, ACCOUNT, BEACON, NOW, OTHER_GROUP, SNAPSHOT, audience, key, key_id};
use crate::fixture::{account, fixture};

/// A kind of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    KeySet,
    Manifest,
    List,
    File,
    Delta,
    Beacon,
    Revoked,
    Bundle,
    Token,
    Text,
    Id,
}

/// All kinds, in the order of [`What`].
pub(super) const KINDS: usize = 11;

type Kinds = [Vec<Vec<u8>>; KINDS];

/// The good bytes of a kind; the first are those that fit together.
pub(super) fn pool(what: What) -> &'static [Vec<u8>] {
    static POOL: OnceLock<Kinds> = OnceLock::new();

    POOL.get_or_init(fill).get(what as usize).expect("every kind has a place")
}

fn fill() -> Kinds {
    let files = [fixture().bytes().to_vec(), newer()];
    let lists = files.each_ref().map(|file| chunk::leaves(file, 15).flatten().collect::<Vec<u8>>());
    let delta = make(&files[0], &files[1], 15).expect("one token less");
    let manifests = manifests(&files, &delta);
    let (key_sets, revoked) = (key_sets(), revoked());
    let parts = |at: usize| [&manifests[at][..], &lists[at], &files[at], &revoked[at]];
    let sets: Vec<_> = key_sets.iter().map(Vec::as_slice).take(2).collect();
    let bundles = vec![build::write(&sets[..1], parts(0)), build::write(&sets, parts(1))];
    let texts = ["manage_device", "A", "scan", "everything", "view_license", "gwd1.a", "/a/b"];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    let ids = [ACCOUNT.0, audience().0, Audience::of(ACCOUNT, "another").0, [7; 16]];

    [
        key_sets,
        manifests,
        lists.to_vec(),
        files.to_vec(),
        vec![delta],
        beacons(),
        revoked,
        bundles,
        fixture().tokens().to_vec(),
        texts.to_vec(),
        ids.map(|id| id.to_vec()).to_vec(),
    ]
}

/// The fixture with one token less.
fn newer() -> Vec<u8> {
    let (mut newer, _) = account();
    newer.tokens.pop_first();

    newer.compile(VerifierLen::Full).expect("one token less")
}

/// The anchor; the next set, which retires a key; one that calls the snapshot key compromised.
fn key_sets() -> Vec<Vec<u8>> {
    let roots = [key(0), key(1)];
    let first = cast::draft();
    let second = KeySetDraft { issued_at: NOW.plus(60), ..KeySetDraft::after(cast::keys()) };
    let stolen = KeySetDraft { compromised: vec![key_id(SNAPSHOT)], ..second.clone() };

    [first, second, stolen].map(|set| set.sign(&roots).expect("eight keys")).to_vec()
}

fn manifests(files: &[Vec<u8>; 2], delta: &[u8]) -> Vec<Vec<u8>> {
    let of = |at: usize| cast::manifest_draft(&files[at], 15).expect("a file of ours");
    let way = DeltaRef {
        from: 1,
        len: u32::try_from(delta.len()).expect("a short delta"),
        sha256: Sha256::digest(delta).into(),
    };
    let second = ManifestDraft { version: 2, deltas: vec![way], ..of(1) };
    let again = ManifestDraft { issued_at: NOW.plus(60), expires_after: 86_400, ..of(0) };
    let fork = ManifestDraft { version: 1, ..of(1) };
    let owed = ManifestDraft { version: 3, revoked_counter: 2, ..of(1) };
    let late = ManifestDraft { version: 4, keyset: 2, issued_at: NOW.plus(90), ..of(0) };
    let other = ManifestDraft { audience: Audience::of(ACCOUNT, "another"), ..of(0) };
    let all = [of(0), second, again, fork, owed, late];
    let mut signed: Vec<_> =
        all.iter().map(|draft| draft.sign(&[key(SNAPSHOT)]).expect("one signer")).collect();
    signed.push(other.sign(&[key(OTHER_GROUP)]).expect("one signer"));

    signed
}

fn beacons() -> Vec<Vec<u8>> {
    let draft = BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        number: 1,
        time: NOW.plus(60),
        version: 1,
        revoked_counter: 0,
    };
    let news = BeaconDraft { number: 2, time: NOW.plus(120), version: 2, ..draft };
    let owing = BeaconDraft { number: 3, revoked_counter: 2, ..news };

    [draft, news, owing].map(|draft| draft.sign(&[key(BEACON)]).expect("one signer")).to_vec()
}

/// The first names a token and a principal; the second leaves both to the second snapshot.
fn revoked() -> Vec<Vec<u8>> {
    let ids: Vec<_> = fixture().view().tokens().map(|row| row.id).collect();
    let draft = |counter, base_version, tokens: &[u64], principals: &[u32]| RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter,
        base_version,
        issued_at: NOW,
        tokens: tokens.iter().copied().collect(),
        principals: principals.iter().copied().collect(),
    };
    let all =
        [draft(1, 1, &ids[..2], &[3, 99]), draft(2, 2, &ids[2..3], &[]), draft(3, 2, &[], &[2])];

    all.iter().map(|draft| draft.sign(&[key(SNAPSHOT)]).expect("few entries")).collect()
}

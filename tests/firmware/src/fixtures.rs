//! Every file that tests in C embed, by name.

use gateward_core::bundle;
use gateward_core::name::Uuid;
use gateward_core::snapshot::build::{Contents, VerifierLen};
use gateward_core::snapshot::{chunk, delta};
use gateward_core::time::UnixSeconds;
use gateward_core::token::Token;
use gateward_core::trust::sign::{KeySetDraft, ManifestDraft, RevokedDraft, TooMany};
use gateward_core::trust::{Audience, DeltaRef, KeyId, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::authority::{
    ACCOUNT, BEACON, CHUNK_LOG2, DAY, NEW_ROOT, ROOTS, SNAPSHOT, SNAPSHOT_TOO, T0, audience,
    beacon, key, key_set, manifest, revoked,
};
use crate::plant::{NOW, Plant};
use crate::spoilt::spoilt;
use crate::world::Given;

/// What is written down under a name.
pub type File = (String, Vec<u8>);

/// Makes every file of `plant`.
#[must_use]
pub fn files(plant: &Plant) -> Vec<File> {
    let file = compile(&plant.first);
    let file2 = compile(&plant.second);
    let delta = delta::make(&file, &file2, CHUNK_LOG2).expect("only records differ");
    let mut files = vec![
        named("account", ACCOUNT.0),
        named("audience", audience().0),
        named("other_audience", Audience::of(ACCOUNT, "plant-8").0),
        named("token_later", &plant.revoked_later),
        named("token_new", &plant.new),
        named("list", list(&file)),
        named("list2", list(&file2)),
        named("delta", &delta),
    ];
    files.extend(keys());
    files.extend(manifests(&file, &file2, &delta));
    files.extend(news(plant));
    let bundle = bundled(&files, &file);
    files.extend([named("file", file), named("file2", file2), named("bundle", bundle)]);
    files.sort();

    files
}

/// Returns the first version with the first list, as a gateway is given them.
///
/// # Panics
///
/// If they are not among `files`.
#[must_use]
pub fn given(files: &[File]) -> Given {
    let part = |name| found(files, name).to_vec();
    let lists = vec![part("revoked")];

    Given {
        keys: part("keyset1"),
        manifest: part("manifest"),
        file: part("file"),
        beacon: None,
        lists,
        at: NOW,
    }
}

fn found<'f>(files: &'f [File], name: &str) -> &'f [u8] {
    let found = files.iter().find(|(known, _)| known == name);

    &found.expect("it was made").1
}

fn named(name: &str, bytes: impl AsRef<[u8]>) -> File {
    (name.to_owned(), bytes.as_ref().to_vec())
}

fn compile(contents: &Contents) -> Vec<u8> {
    contents.compile(VerifierLen::Full).expect("the contents fit")
}

fn list(file: &[u8]) -> Vec<u8> {
    chunk::leaves(file, CHUNK_LOG2).flatten().collect()
}

/// The two key sets: a root key is replaced, and two of the old and two of the new ones sign.
fn keys() -> Vec<File> {
    let [first, second, _] = ROOTS;
    let anchor = key_set(1, ROOTS);
    let next = key_set(2, [first, second, NEW_ROOT]);
    let signed = anchor.sign(&[&key(first), &key(second)]).expect("it is small");
    let sign = |draft: &KeySetDraft, with: &[&SigningKey]| draft.sign(with);
    let mut files = vec![
        named("keyset1", signed),
        // Enough of the new ones and too few of the old ones.
        named(
            "keyset2_new_only",
            sign(&next, &[&key(first), &key(NEW_ROOT)]).expect("it is small"),
        ),
    ];
    let with = [first, second, NEW_ROOT];
    let good = with.map(key);
    let good: Vec<&SigningKey> = good.iter().collect();
    files.push(named("keyset2", sign(&next, &good).expect("it is small")));
    for (name, stolen) in
        [("keyset2_compromised", SNAPSHOT), ("keyset2_other_compromised", SNAPSHOT_TOO)]
    {
        let compromised = vec![KeyId::of(key(stolen).verifying_key().as_bytes())];
        let set = KeySetDraft { compromised, ..next.clone() };
        files.push(named(name, sign(&set, &good).expect("it is small")));
    }
    files.extend(bad("keyset2", &with, |account, with| {
        KeySetDraft { account: account.unwrap_or(ACCOUNT), ..next.clone() }.sign(with)
    }));

    files
}

fn manifests(file: &[u8], file2: &[u8], delta: &[u8]) -> Vec<File> {
    let draft = manifest(file, 1);
    let way = DeltaRef {
        from: 1,
        len: u32::try_from(delta.len()).expect("it is small"),
        sha256: Sha256::digest(delta).into(),
    };
    let second = ManifestDraft {
        issued_at: UnixSeconds(T0 + 3_000),
        deltas: vec![way],
        ..manifest(file2, 2)
    };
    let (first, third) = (draft.clone(), ManifestDraft { keyset: 2, version: 3, ..second.clone() });
    let later = ManifestDraft { issued_at: UnixSeconds(T0 + 3_000), ..draft.clone() };
    let old = ManifestDraft { issued_at: UnixSeconds(T0 - 8 * DAY), ..draft.clone() };
    let elsewhere = ManifestDraft { audience: Audience::of(ACCOUNT, "plant-8"), ..draft.clone() };
    let fork = manifest(file2, 1);
    let sign = |name: &str, draft: &ManifestDraft| {
        named(name, draft.sign(&[&key(SNAPSHOT)]).expect("it is small"))
    };
    let mut files = vec![
        sign("manifest", &first),
        // The same snapshot, signed again later.
        sign("manifest_later", &later),
        sign("manifest_expired", &old),
        sign("manifest_other_audience", &elsewhere),
        sign("manifest_fork", &fork),
        sign("manifest2", &second),
        // The second snapshot once more, under the second key set.
        sign("manifest3", &third),
    ];
    files.extend(bad("manifest", &[SNAPSHOT], |account, with| {
        ManifestDraft { account: account.unwrap_or(ACCOUNT), ..draft.clone() }.sign(with)
    }));

    files
}

/// Revocation lists and beacons.
fn news(plant: &Plant) -> Vec<File> {
    let later = Token::read(&plant.revoked_later).expect("it is a token").lookup.id;
    let one = revoked(1, [plant.revoked_token], [plant.revoked_principal]);
    let two = revoked(2, [plant.revoked_token, later], [plant.revoked_principal]);
    // Leaves out what only the second version denies.
    let mut three = revoked(3, [later], [plant.revoked_principal]);
    three.base_version = 2;
    let by = |draft: &RevokedDraft| draft.sign(&[&key(SNAPSHOT)]).expect("it is small");
    let mut files = vec![
        named("revoked", by(&one)),
        named("revoked2", by(&two)),
        named("revoked3", by(&three)),
    ];
    let other = one.sign(&[&key(SNAPSHOT_TOO)]).expect("it is small");
    files.push(named("revoked_by_other", other));
    // Of the next epoch, on a snapshot of it: whoever has an older one lacks what it leaves out.
    let next = RevokedDraft { keyset: 2, base_version: 3, ..one.clone() };
    files.push(named("revoked_next", by(&next)));
    for (name, number, version, list) in [("beacon", 1, 1, 1), ("beacon2", 2, 2, 2)] {
        let signed = beacon(number, version, list).sign(&[&key(BEACON)]);
        files.push(named(name, signed.expect("it is small")));
    }
    files.extend(bad("revoked", &[SNAPSHOT], |account, with| {
        let mut draft = one.clone();
        draft.account = account.unwrap_or(ACCOUNT);
        draft.sign(with)
    }));
    files.extend(bad("beacon", &[BEACON], |account, with| {
        let mut draft = beacon(1, 1, 1);
        draft.account = account.unwrap_or(ACCOUNT);
        draft.sign(with)
    }));

    files
}

fn bad(
    name: &str,
    keys: &[u8],
    sign: impl FnMut(Option<Uuid>, &[&SigningKey]) -> Result<Vec<u8>, TooMany>,
) -> Vec<File> {
    let all = spoilt(keys, sign).into_iter();

    all.map(|(ending, bytes)| (format!("{name}_{ending}"), bytes)).collect()
}

/// The first key set, version 1 with the first revocation list.
fn bundled(files: &[File], file: &[u8]) -> Vec<u8> {
    let part = |name: &str| found(files, name);
    let mut bytes = Vec::new();
    let parts = [part("manifest"), part("list"), file, part("revoked")];
    let put = |piece: &[u8]| -> Result<(), core::convert::Infallible> {
        bytes.extend(piece);
        Ok(())
    };
    let Ok(()) = bundle::write(&[part("keyset1")], parts, put);

    bytes
}

#[cfg(test)]
mod tests {
    use gateward::{
        GATEWARD_REFUSED_MALFORMED, GATEWARD_REFUSED_OTHER_ACCOUNT, GATEWARD_REFUSED_UNSIGNED,
        Status,
    };

    use super::*;
    use crate::firmware::Firmware;

    const SPOILT: [(&str, Status); 4] = [
        ("flipped", GATEWARD_REFUSED_UNSIGNED),
        ("other_account", GATEWARD_REFUSED_OTHER_ACCOUNT),
        ("stranger", GATEWARD_REFUSED_UNSIGNED),
        ("truncated", GATEWARD_REFUSED_MALFORMED),
    ];

    #[test]
    fn what_is_spoilt_is_refused_for_what_is_wrong_with_it() {
        let files = files(&Plant::draw());
        let good = given(&files);
        for (ending, why) in SPOILT {
            let part = |name: &str| found(&files, &format!("{name}_{ending}")).to_vec();
            let manifest = Given { manifest: part("manifest"), ..good.clone() };
            let beacon = Given { beacon: Some(part("beacon")), ..good.clone() };
            let list = Given { lists: vec![part("revoked")], ..good.clone() };
            for given in [manifest, beacon, list] {
                assert_eq!(Firmware::open(&given).unwrap_err(), why, "{ending}");
            }
        }
    }

    #[test]
    fn what_must_be_taken_is_taken() {
        let files = files(&Plant::draw());
        let good = given(&files);
        let part = |name: &str| found(&files, name).to_vec();
        for (manifest, file) in
            [("manifest", "file"), ("manifest_later", "file"), ("manifest2", "file2")]
        {
            let lists = ["revoked", "revoked2"].map(part).to_vec();
            let (manifest, file) = (part(manifest), part(file));
            let beacon = Some(part("beacon"));
            Firmware::open(&Given { manifest, file, beacon, lists, ..good.clone() }).unwrap();
        }
    }

    #[test]
    fn the_same_files_come_every_time() {
        assert_eq!(files(&Plant::draw()), files(&Plant::draw()));
    }
}

//! The vectors of `core/docs/vectors`: made here, and held to what this code says of them.
//!
//! `tests/vectors/verify.py` reads the same files with nothing but `core/docs/format.md`. To write
//! them anew: `GATEWARD_WRITE_VECTORS=1 cargo test -p gateward-core --features hybrid --test vectors`.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be made or read fails the test, with the line where it was missed"
)]

mod audits;
mod authority;
mod chains;
mod codes;
mod decisions;
mod deltas;
mod hash_lists;
#[cfg(feature = "hybrid")]
mod hybrid;
mod key_sets;
mod manifests;
mod messages;
mod news;
mod others;
mod replay;
mod snapshots;
mod tokens;
mod vector;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gateward_core::decide::Reason;
use serde_json::Value;

use vector::{Kind, committed, folder};

const WRITE: &str = "GATEWARD_WRITE_VECTORS";

fn kinds() -> Vec<Kind> {
    let mut kinds = vec![tokens::kind(), snapshots::kind(), hash_lists::kind()];
    kinds.extend([manifests::kind(), messages::kind(), key_sets::kind()]);
    kinds.extend([deltas::kind(), news::beacons(), news::revocation_lists()]);
    kinds.extend([others::receipts(), others::checkpoints(), others::statuses()]);
    kinds.extend([others::floors(), others::bundles(), chains::records(), chains::chains()]);
    #[cfg(feature = "hybrid")]
    kinds.extend([hybrid::key_sets(), hybrid::manifests()]);

    kinds
}

/// Compares with what is committed, or writes it where that is asked for.
fn is_committed(name: &str, text: &str) {
    let path = folder().join(format!("{name}.json"));
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{} is stale; set {WRITE}=1 and run this again", path.display());
}

#[test]
fn the_committed_vectors_are_those_that_are_made_here() {
    let others = ["README.md", "decisions.json", "hybrid-key-sets.json", "hybrid-manifests.json"];
    let mut names: BTreeSet<_> = others.map(str::to_owned).into();
    for kind in kinds() {
        names.insert(format!("{}.json", kind.name));
        is_committed(kind.name, &kind.text());
    }
    is_committed("decisions", &decisions::sample());
    let found = fs::read_dir(folder()).unwrap();
    let found = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());

    assert_eq!(found.collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_committed_vector_gets_its_verdict_and_its_fields() {
    for kind in kinds() {
        let file = committed(kind.name);
        for vector in file["vectors"].as_array().unwrap() {
            let told = replay::verdict(kind.name, vector, &file["shared"]);
            let name = format!("{}: {}", kind.name, vector["name"]);
            assert_eq!(told.verdict, vector["verdict"], "{name}");
            assert_eq!(told.fields.as_ref(), vector.get("fields"), "{name}");
        }
    }
}

#[test]
fn every_refusal_that_bytes_can_cause_has_a_vector() {
    let seen: BTreeSet<String> = kinds()
        .iter()
        .flat_map(|kind| kind.vectors.iter().map(|vector| vector.verdict.to_owned()))
        .collect();
    let expected = codes::all();
    let missing: Vec<_> = expected.iter().filter(|code| !seen.contains(**code)).collect();

    assert!(missing.is_empty(), "no vector ends with {missing:?}");
}

#[test]
fn every_word_for_a_refusal_stands_in_the_document() {
    let text = include_str!("../../docs/format.md");
    let words: Vec<_> =
        codes::all().into_iter().filter(|code| !text.contains(&format!("`{code}`"))).collect();

    assert!(words.is_empty(), "docs/format.md does not say {words:?}");
}

/// The file is read by `tests/vectors/verify.py`, which decides on its own.
#[test]
fn ten_thousand_random_decisions_meet_every_reason() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("decisions.jsonl");
    let lines = decisions::random(0x6761_7465, 10_000);
    let mut text = String::new();
    let mut reasons = BTreeSet::new();
    for line in &lines {
        reasons.extend(line.get("reason").and_then(Value::as_str));
        text.push_str(&line.to_string());
        text.push('\n');
    }
    fs::write(&path, text).unwrap();

    assert_eq!(lines.iter().filter(|line| line.get("reason").is_some()).count(), 10_000);
    let missing: Vec<_> = decisions::reasons().filter(|one| !seen(&reasons, *one)).collect();
    assert!(missing.is_empty(), "no decision ends with {missing:?}");
}

fn seen(reasons: &BTreeSet<&str>, reason: Reason) -> bool {
    reasons.contains(reason.name())
}

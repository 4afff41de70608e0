//! Who holds the disk of a gateway: all that the agent reads and writes, and its secrets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateward_control::enroll::Enrolled;
use gateward_core::audit::Head;
use gateward_core::name::Hex;
use gateward_core::permission::Entry;
use gateward_core::principal::TokenKind;
use gateward_core::snapshot;
use gateward_core::token::{self, Secret};
use gateward_core::trust::KeyId;
use gateward_tests::{run, until};

use super::forger::{Forger, is_seen};
use crate::stage::{Stage, backlog, number_of};

/// The file of the snapshot in force.
fn snapshot_file(stage: &Stage) -> Vec<u8> {
    let slots = ["a", "b"].map(|slot| stage.gateway.state().join("snapshot").join(slot));
    let found = slots.iter().find_map(|slot| fs::read(slot.join("file")).ok());

    found.expect("a snapshot is on the disk")
}

fn copy(from: &Path, to: &Path) {
    let ran = run(Command::new("cp").arg("-a").arg(from).arg(to), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn everything_is_collected(stage: &Stage) {
    until("a receipt for everything", || (backlog(&stage.gateway) == 0).then_some(()));
}

#[test]
fn who_holds_the_disk_of_a_gateway_can_read_names_and_rights_stop_it_and_forge_later_audit() {
    let mut stage = Stage::new();
    let collector = stage.deck.collector();
    everything_is_collected(&stage);
    stage.gateway.kill();

    let file = snapshot_file(&stage);
    let unsigned = snapshot::unsigned(&file[..]).expect("a snapshot");
    let view = unsigned.view();
    let ana = view.principals().find(|principal| principal.name() == "ana.ruiz");
    let rights = ana.expect("she is in it").permissions();
    let known = Entry::named("manage_device").expect("it is in the catalogue");
    assert!(rights.contains(known.permission));

    let forger = Forger::with_the_key_on_the_disk(&stage, &collector);
    forger.plants("mallory");
    until("a record of what never happened", || forger.is_believed("mallory").then_some(()));
    assert!(collector.stop().success());

    stage.deck.broker.stop();
    fs::remove_dir_all(stage.gateway.state().join("snapshot")).expect("our own folder");
    stage.gateway.start();
    stage.denies();
}

#[test]
fn who_holds_the_disk_of_a_gateway_cannot_use_or_derive_a_token_rewrite_earlier_audit_unseen_or_roll_back_past_what_the_collector_saw()
 {
    uses_no_token();
    rewrites_no_audit_unseen();
    rolls_back_no_further_than_is_seen();
}

fn uses_no_token() {
    let stage = Stage::new();
    let (_, secret) = stage.ana.rsplit_once('.').expect("a token has dots");
    for path in files(&stage.gateway.state()).iter().chain(&files(stage.gateway.etc())) {
        let bytes = fs::read(path).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
    // What is kept in the place of the secret is what a check compares with, and no secret.
    let id = number_of(&stage.ana);
    let file = snapshot_file(&stage);
    let verifiers = file.windows(32).filter(|window| window.iter().any(|byte| *byte != 0));
    let row = verifier_of(&stage);
    let kept = verifiers.filter(|window| row.starts_with(&window[..16])).collect::<Vec<_>>();
    assert_eq!(kept.len(), 1, "the verifier is on the disk");
    let mut short = [0; 32];
    short[..16].copy_from_slice(&kept[0][..16]);
    for guess in [row, short, [0; 32]] {
        for kind in [TokenKind::Api, TokenKind::Service] {
            let text = token::write(kind, id, &Secret(guess)).to_vec();
            let text = String::from_utf8(text).expect("a token is ASCII");
            assert_eq!(stage.gateway.allows(&text, "manage_device"), Some(false));
        }
    }
    stage.is_well();
}

/// What the control plane says that a snapshot holds of the token of `ana.ruiz`.
fn verifier_of(stage: &Stage) -> [u8; 32] {
    let lines = fs::read_to_string(stage.deck.dir().join("tokens.jsonl")).expect("a table");
    let line = lines.lines().find(|line| line.contains(gateward_tests::lookup(&stage.ana)));
    let line: serde_json::Value = serde_json::from_str(line.expect("her token")).expect("JSON");
    let mut verifier = [0; 32];
    let digits = line["verifier"].as_str().expect("a verifier");
    assert!(gateward_core::name::unhex(digits, &mut verifier));

    verifier
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());

    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Nobody has collected yet, so the disk has the only copy.
fn rewrites_no_audit_unseen() {
    let mut stage = Stage::new();
    // With the first key every tag could be made anew.
    let enrolled = Enrolled::load(&stage.deck.dir(), "edge-7a").expect("it is enrolled");
    let first = Hex(enrolled.audit.expose()).to_string();
    let secrets = stage.gateway.etc().join("gateway.key");
    until("a first key that is spent", || {
        let text = fs::read_to_string(&secrets).expect("our own file");
        (!text.contains(&first)).then_some(())
    });
    assert!(stage.gateway.stop().success());
    let audit = stage.gateway.state().join("audit");
    let changed = rewrite(&audit, b"ana.ruiz", b"eve.ruiz");
    assert!(changed > 0);
    let verified = stage.gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 65, "its signed checkpoints say otherwise");
    // Its key is on the disk too: he could sign others, or take them away.
    for path in files(&audit).iter().filter(|path| path.extension().is_some_and(|e| e == "ckp")) {
        fs::remove_file(path).expect("our own file");
    }
    // Now the gateway itself cannot tell: what it would need has been overwritten, as it should be.
    let verified = stage.gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(verified.out.contains("no checkpoint of this gateway's"), "{}", verified.out);
    stage.gateway.start_ready();

    let collector = stage.deck.collector();
    is_seen(&stage, &["forged_tag"]);
    let records = collector.records("edge-7a");
    assert!(records.iter().all(|record| record["authentication"] != "eve.ruiz"));
    assert!(backlog(&stage.gateway) > 0, "nothing of it is acknowledged");
}

/// Replaces text in every record, with all that can be made to fit again; returns in how many.
///
/// A segment is a head of 136 bytes, in which the chain's head stands at 44, and then frames of
/// length u16, checksum u32, record, tag of 16 bytes.
fn rewrite(audit: &Path, from: &[u8], to: &[u8]) -> usize {
    let mut segments: Vec<_> = files(audit);
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    assert_eq!(segments.len(), 1);
    let segment = &segments[0];
    let old = fs::read(segment).expect("our own file");
    let (top, mut rest) = old.split_at(136);
    let mut new = top.to_vec();
    let mut head = Head(*top[44..].first_chunk().expect("32 bytes"));
    let mut changed = 0;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (record, after) = after[4..].split_at(usize::from(u16::from_le_bytes(*length)));
        let (tag, after) = after.split_at(16);
        let mut record = record.to_vec();
        if let Some(at) = record.windows(from.len()).position(|window| window == from) {
            record[at..at + to.len()].copy_from_slice(to);
            changed += 1;
        }
        head = head.next(&record);
        new.extend(length);
        new.extend(token::crc32(&[length, &record, tag]).to_le_bytes());
        new.extend(&record);
        new.extend(tag);
        rest = after;
    }
    fs::write(segment, new).expect("our own file");
    rewrite_mark(&audit.join("mark"), &head);

    changed
}

/// The newest of two slots of number, head, enrolment and the first bytes of their SHA-256, which is
/// also what a key is named by.
fn rewrite_mark(path: &Path, head: &Head) {
    let mut mark = fs::read(path).expect("the audit has a mark");
    let newest = mark
        .chunks_mut(64)
        .max_by_key(|slot| u64::from_le_bytes(*slot.first_chunk().expect("a number")));
    let (body, sum) = newest.expect("two slots").split_at_mut(56);
    body[8..40].copy_from_slice(&head.0);
    sum.copy_from_slice(&KeyId::of(body).0);
    fs::write(path, mark).expect("our own file");
}

fn rolls_back_no_further_than_is_seen() {
    let mut stage = Stage::new();
    let gone = stage.deck.user_token("ana.ruiz", "gone");
    stage.gateway.reaches(stage.deck.publish());
    assert!(stage.gateway.stop().success());
    let image = stage.deck.root().join("image");
    copy(&stage.gateway.state(), &image);
    stage.gateway.start_ready();
    let collector = stage.deck.collector();
    stage.deck.disable(&gone);
    stage.gateway.reaches(stage.deck.publish());
    stage.is_well();
    everything_is_collected(&stage);
    let number = |stage: &Stage| stage.gateway.status()["audit"]["seq"].as_u64();
    let seen = number(&stage);
    assert!(stage.gateway.stop().success());

    // The whole disk as it was, and nobody who says that there is something newer.
    fs::remove_dir_all(stage.gateway.state()).expect("our own folder");
    copy(&image, &stage.gateway.state());
    stage.gateway.set("BROKER__URL", "mqtts://127.0.0.1:1");
    stage.gateway.start_ready();
    while number(&stage) <= seen {
        assert_eq!(stage.gateway.allows(&gone, "manage_device"), Some(true));
    }
    assert!(stage.gateway.stop().success());
    stage.gateway.set("BROKER__URL", &stage.deck.broker.url());
    stage.gateway.start();

    is_seen(&stage, &["fell_back"]);
    is_seen(&stage, &["fork"]);
    stage.gateway.reaches(3);
    assert_eq!(stage.gateway.allows(&gone, "manage_device"), Some(false));
    assert!(collector.stop().success());
}

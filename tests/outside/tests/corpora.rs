//! Everything that a fuzzer kept, once more: what it found stays mended.
//!
//! `tests/fuzz` says how the corpora come about; here they are bytes like any others, and no fuzzer
//! is needed.
#![expect(clippy::expect_used, reason = "a corpus that cannot be read has proven nothing")]

use std::fs;
use std::path::Path;

use gateward_outside::{self as outside, TARGETS, heap};

#[global_allocator]
static COUNTING: heap::Counting = heap::Counting;

/// Runs a target over its whole corpus; names the input that breaks a promise.
fn replay(target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("every target has a corpus") {
        let path = entry.expect("the corpus can be read").path();
        let bytes = fs::read(&path).expect("an input can be read");
        let named = Named(&path);
        outside::run(target, &bytes);
        drop(named);
        count += 1;
    }
    assert!(count >= 5, "{target}: {count} inputs are no corpus");
}

/// Says which input it was, where it was the last one.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        assert!(!std::thread::panicking() || !self.0.as_os_str().is_empty());
        if std::thread::panicking() {
            let _told = fs::write("/dev/stderr", format!("the input is {}\n", self.0.display()));
        }
    }
}

#[test]
fn a_token_has_one_text_and_a_forged_one_lets_nobody_in() {
    replay("token");
}

#[test]
fn an_envelope_is_what_enough_of_the_right_keys_signed_as_what_it_is() {
    replay("envelope");
}

#[test]
fn a_manifest_can_be_meant_and_is_spelt_as_it_would_be_written() {
    replay("manifest");
}

#[test]
fn a_hash_list_is_the_one_of_its_file_and_takes_each_chunk_in_its_place() {
    replay("hash_list");
}

#[test]
fn a_snapshot_is_read_to_its_end_and_lets_in_nobody_without_a_row() {
    replay("snapshot");
}

#[test]
fn the_c_interface_says_what_is_wrong_and_leaves_memory_as_it_is() {
    replay("shim");
}

#[test]
fn a_beacon_moves_the_time_by_an_hour_and_no_more() {
    replay("beacon");
}

#[test]
fn a_revocation_list_touches_those_on_it_and_nobody_else() {
    replay("revoked");
}

#[test]
fn a_delta_leads_to_the_very_file_or_to_nothing() {
    replay("delta");
}

#[test]
fn a_key_set_follows_only_with_the_root_keys_before_it() {
    replay("key_set");
}

#[test]
fn a_segment_of_the_audit_is_mended_once_and_forges_no_line() {
    replay("audit");
}

#[test]
fn a_request_is_answered_with_its_record_and_without_a_secret() {
    replay("request");
}

#[test]
fn a_policy_says_all_that_is_wrong_or_fits_a_snapshot() {
    replay("policy");
}

#[test]
fn every_target_has_a_test_and_every_corpus_a_target() {
    let source = include_str!("corpora.rs");
    for target in TARGETS {
        assert!(source.contains(&format!("replay(\"{}\")", target.name)), "{}", target.name);
    }
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for entry in fs::read_dir(corpora).expect("the corpora are there") {
        let name = entry.expect("they can be read").file_name();
        assert!(TARGETS.iter().any(|target| *target.name == *name), "{}", name.display());
    }
}

#[test]
fn the_seeds_are_those_that_are_made_today() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, name, bytes) in outside::seeds() {
        let kept = fs::read(corpora.join(target).join(&name)).ok();
        assert!(
            kept.as_ref() == Some(&bytes),
            "{target}/{name} is of another day; run `cargo run -p gateward-outside --example seeds`"
        );
    }
}

#[test]
fn the_heap_is_counted_here() {
    let (_, asked) = heap::asked(|| Vec::<u8>::with_capacity(4_096));

    assert!(asked >= 4_096);
}

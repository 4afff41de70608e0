//! Calls the interface as C does.

extern crate std;

use core::ffi::CStr;
use core::mem::offset_of;
use std::collections::BTreeSet;

use super::*;

#[test]
fn every_status_has_one_number_and_a_sentence_of_its_own() {
    let numbers: BTreeSet<_> = ALL.iter().map(|(_, status)| status.code).collect();
    let texts: BTreeSet<&CStr> = ALL.iter().map(|(_, status)| text(*status)).collect();

    assert_eq!(numbers.len(), ALL.len());
    assert_eq!(texts.len(), ALL.len());
    assert!(ALL.iter().all(|(number, status)| *number == status.code));
    assert!(!texts.contains(text(Status { code: 11 })));
}

#[test]
fn plain_structs_have_no_bytes_that_nobody_sets() {
    assert_eq!(offset_of!(Now, zero) + 4, size_of::<Now>());
    assert_eq!(offset_of!(Shown, zero) + 4, size_of::<Shown>());
    assert_eq!(offset_of!(Decision, id) + 8, size_of::<Decision>());
}

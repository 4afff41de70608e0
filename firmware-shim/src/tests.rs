//! Calls the interface as C does.
#![expect(unsafe_code, reason = "these are calls from C")]

use core::ptr;

use super::*;

const TEXT: &[u8] = b"gwd1.AQEjRWeJq83v.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn l2_null_and_impossible_lengths_are_statuses() {
    let mut tokens = 7;
    // SAFETY: null pointers are allowed, and so is a length that no object has.
    unsafe {
        assert_eq!(gateward_snapshot_shape(ptr::null(), 80, &raw mut tokens), Status::NULL);
        let impossible = usize::MAX;
        assert_eq!(
            gateward_snapshot_shape(TEXT.as_ptr(), impossible, &raw mut tokens),
            Status::LENGTH
        );
        assert_eq!(gateward_token_lookup(TEXT.as_ptr(), TEXT.len(), ptr::null_mut()), Status::NULL);
    }

    assert_eq!(tokens, 7);
}

#[test]
fn the_public_part_of_a_token_is_given_and_nothing_on_failure() {
    let mut lookup = [0; LOOKUP_LEN];
    // SAFETY: both pointers come from references.
    unsafe {
        let short = gateward_token_lookup(TEXT.as_ptr(), TEXT.len() - 1, &raw mut lookup);
        assert_eq!((short, lookup), (Status::TOKEN, [0; LOOKUP_LEN]));
        let whole = gateward_token_lookup(TEXT.as_ptr(), TEXT.len(), &raw mut lookup);
        assert_eq!((whole, &lookup), (Status::OK, b"AQEjRWeJq83v"));
    }
}

#[test]
fn bytes_that_are_no_snapshot_are_refused() {
    let mut tokens = 7;
    // SAFETY: both pointers come from references.
    let status = unsafe { gateward_snapshot_shape([0; 200].as_ptr(), 200, &raw mut tokens) };

    assert_eq!((status, tokens), (Status::FORMAT, 7));
}

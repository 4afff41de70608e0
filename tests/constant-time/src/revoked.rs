//! The bits of what is revoked, at a place of their own that a proof may mark and a leak may read.
#![expect(unsafe_code, reason = "the bits are the snapshot's own; a leak reads what no caller can")]

use core::fmt;

use gateward_core::snapshot::{Revocation, View};

use crate::table::ROWS;

/// Of the rows or of the principals; a cache line is nobody else's.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bits([u8; ROWS / 8]);

impl AsRef<[u8]> for Bits {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Bits {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// What is revoked in one copy of a table.
pub struct Revoked(Revocation<Bits>);

impl Revoked {
    pub(crate) fn none(view: &View<'_>) -> Self {
        let bits = Bits([0; ROWS / 8]);

        Self(Revocation::none(view, bits, bits).expect("a bit for every row and principal"))
    }

    pub(crate) fn token(&mut self, view: &View<'_>, id: u64) {
        self.0.revoke_token(view, id);
    }

    pub(crate) fn principal(&mut self, view: &View<'_>, key: u32) {
        self.0.revoke_principal(view, key);
    }

    pub(crate) fn bits(&self) -> Revocation<&[u8]> {
        self.0.bits()
    }

    /// Returns every bit, of rows and principals, in whichever order they lie.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; ROWS / 4] {
        const { assert!(size_of::<Revocation<Bits>>() == ROWS / 4) }
        // SAFETY: it is two arrays of bytes and, as their sizes add up, nothing else.
        unsafe { &*(&raw const self.0).cast() }
    }

    /// Returns whether the token at `row` or its owner, which has the same place, is revoked.
    pub(crate) fn has(&self, row: usize) -> bool {
        let (one, other) = self.bytes().split_at(ROWS / 8);

        (one[row / 8] | other[row / 8]) >> (row % 8) & 1 == 1
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revoked(..)")
    }
}

//! Where everything stands in a snapshot: every size and every field once.
//!
//! Little-endian, every record aligned to one byte, sections in the order of [`Sections`], no
//! stored offsets (FORMAT section 1, TRUST section 1).

use core::mem::offset_of;
use core::num::NonZeroUsize;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What every snapshot begins with.
pub const MAGIC: [u8; 8] = *b"GWDSNAP1";
/// The most tokens (TRUST section 1, as all limits here).
pub const MAX_TOKENS: usize = 4_194_304;
/// The most principals.
pub const MAX_PRINCIPALS: usize = 1_048_576;
/// The most distinct permission sets.
pub const MAX_GRANTS: usize = 65_535;
/// The most entries of the resource index.
pub const MAX_RESOURCES: usize = 65_536;
/// The most bytes of extensions.
pub const MAX_EXT: usize = 1 << 20;
/// The most bytes of a file.
pub const MAX_FILE: usize = 256 << 20;
/// The most ids that one look-up may have to pass over.
pub const MAX_WINDOW: u8 = 64;

/// Bit of a row's principal that says that the token is disabled.
pub(crate) const TOKEN_DISABLED: u32 = 1 << 31;
/// Flag of a principal: disabled.
pub(crate) const DISABLED: u8 = 1;
/// Flag of a principal: no access to IoT Trust Manager.
pub(crate) const NO_IOT_ACCESS: u8 = 2;
/// Flag of a principal: every division.
pub(crate) const SCOPE_ALL: u8 = 4;
/// Division of a resource that is in none.
pub(crate) const NO_DIVISION: u16 = 0xffff;

/// The first 80 bytes.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) account: [u8; 16],
    pub(crate) n_tokens: U32,
    pub(crate) n_principals: U32,
    pub(crate) n_grants: U16,
    pub(crate) n_divisions: U16,
    pub(crate) scope_words: u8,
    pub(crate) verifier_len: u8,
    pub(crate) flags: U16,
    pub(crate) heap_len: U32,
    pub(crate) file_len: U32,
    pub(crate) dir_bits: u8,
    pub(crate) window: u8,
    pub(crate) zero: [u8; 2],
    pub(crate) features_critical: U32,
    pub(crate) features_other: U32,
    pub(crate) n_resources: U32,
    pub(crate) ext_len: U32,
    pub(crate) account_status: u8,
    pub(crate) zeros: [u8; 11],
}

/// A division: 22 bytes, ascending by id.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DivisionRecord {
    pub(crate) id: [u8; 16],
    pub(crate) name_off: U32,
    pub(crate) name_len: u8,
    pub(crate) zero: u8,
}

/// An effective permission set: 16 bytes, ascending by key.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GrantRecord {
    pub(crate) permissions: U64,
    pub(crate) key: U32,
    pub(crate) zero: U32,
}

/// A principal: 40 bytes and its scope bitmap, ascending by key.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PrincipalRecord {
    pub(crate) key: U32,
    pub(crate) id: [u8; 16],
    pub(crate) name_off: U32,
    pub(crate) grant: U16,
    pub(crate) name_len: u8,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) zero: [u8; 3],
    pub(crate) end: U32,
    pub(crate) zeros: [u8; 4],
}

impl PrincipalRecord {
    /// Its length; the scope bitmap follows.
    pub(crate) const LEN: usize = size_of::<Self>();
    /// Place of `grant`, 2 bytes.
    pub(crate) const GRANT: usize = offset_of!(Self, grant);
    /// Place of `kind`.
    pub(crate) const KIND: usize = offset_of!(Self, kind);
    /// Place of `flags`.
    pub(crate) const FLAGS: usize = offset_of!(Self, flags);
    /// Place of `end`, 4 bytes.
    pub(crate) const END: usize = offset_of!(Self, end);
}

/// What a token's row begins with; the verifier follows.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RowRecord {
    pub(crate) principal: U32,
    pub(crate) end: U32,
}

/// Ties a resource to a division: 24 bytes, ascending by kind and id.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ResourceRecord {
    pub(crate) kind: u8,
    pub(crate) zero: u8,
    pub(crate) division: U16,
    pub(crate) zeros: U32,
    pub(crate) id: [u8; 16],
}

const _: () = {
    assert!(size_of::<Header>() == 80);
    assert!(size_of::<DivisionRecord>() == 22);
    assert!(size_of::<GrantRecord>() == 16);
    assert!(size_of::<PrincipalRecord>() == 40);
    assert!(size_of::<RowRecord>() == 8);
    assert!(size_of::<ResourceRecord>() == 24);
};

/// Returns the bits of the directory for `tokens` tokens: four to eight of them a bucket.
#[must_use]
pub(crate) const fn dir_bits(tokens: usize) -> u8 {
    match tokens.checked_ilog2() {
        // `ilog2` of a usize is at most 63.
        Some(bits) if bits > 2 => bits.to_le_bytes()[0] - 2,
        _ => 0,
    }
}

/// Returns the bucket of `id` in a directory of `bits` bits.
pub(crate) fn bucket(id: u64, bits: u8) -> usize {
    let shifted = id.checked_shr(64 - u32::from(bits)).unwrap_or(0);
    usize::try_from(shifted).unwrap_or(usize::MAX)
}

/// The length of every section in bytes, in the order in which they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections {
    pub(crate) divisions: usize,
    pub(crate) grants: usize,
    pub(crate) principals: usize,
    pub(crate) ids: usize,
    pub(crate) rows: usize,
    pub(crate) directory: usize,
    pub(crate) resources: usize,
    pub(crate) heap: usize,
    pub(crate) ext: usize,
}

impl Sections {
    /// Works out the lengths that a header states, or none where one is past its limit.
    ///
    /// All limits together stay far below `usize::MAX`, also where that has 32 bits, so the sums
    /// cannot overflow.
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let count = |n: U32, limit: usize| usize::try_from(n.get()).ok().filter(|n| *n <= limit);
        let tokens = count(header.n_tokens, MAX_TOKENS)?;
        let principals = count(header.n_principals, MAX_PRINCIPALS)?;
        let resources = count(header.n_resources, MAX_RESOURCES)?;
        let heap = count(header.heap_len, MAX_FILE)?;
        let ext = count(header.ext_len, MAX_EXT)?;
        let divisions = usize::from(header.n_divisions.get());
        let words = usize::from(header.scope_words);
        let counts_agree = divisions <= crate::division::MAX_DIVISIONS
            && words == divisions.div_ceil(64)
            && matches!(header.verifier_len, 16 | 32)
            && header.dir_bits == dir_bits(tokens);

        counts_agree.then(|| Self {
            divisions: divisions * size_of::<DivisionRecord>(),
            grants: usize::from(header.n_grants.get()) * size_of::<GrantRecord>(),
            principals: principals * stride(words).get(),
            ids: tokens * 8,
            rows: tokens * row_len(header.verifier_len).get(),
            directory: ((1 << header.dir_bits) + 1) * 4,
            resources: resources * size_of::<ResourceRecord>(),
            heap,
            ext,
        })
    }

    /// Returns the length of the whole file.
    pub(crate) const fn file_len(&self) -> usize {
        size_of::<Header>()
            + self.divisions
            + self.grants
            + self.principals
            + self.ids
            + self.rows
            + self.directory
            + self.resources
            + self.heap
            + self.ext
    }
}

/// Returns the bytes of one principal with its bitmap of `words` words.
pub(crate) const fn stride(words: usize) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(size_of::<PrincipalRecord>() - 1 + 8 * words)
}

/// Returns the bytes of one row.
pub(crate) fn row_len(verifier_len: u8) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(size_of::<RowRecord>() - 1 + usize::from(verifier_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_has_four_to_eight_tokens_a_bucket() {
        for (tokens, bits) in [(0, 0), (1, 0), (7, 0), (8, 1), (1 << 20, 18), (MAX_TOKENS, 20)] {
            assert_eq!(dir_bits(tokens), bits, "{tokens}");
        }
        assert_eq!(bucket(u64::MAX, 0), 0);
        assert_eq!(bucket(u64::MAX, 3), 7);
    }
}

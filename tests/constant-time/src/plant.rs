//! Leaks, planted before the check to see that the proofs find them. None of this is shipped.

use core::hint::black_box;

use gateward_core::token::Token;

use crate::check::{Case, NOW};

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plant {
    /// The verifier is compared byte by byte, up to the first that differs.
    Compare,
    /// The verifier is compared with `==`, which is `bcmp`.
    Slice,
    /// Who is not in the table is turned away at once.
    Unknown,
    /// A revoked token, or one of a revoked owner, is turned away at once.
    Revoked,
    /// A disabled token is turned away at once.
    Status,
    /// A token that has ended is turned away at once.
    End,
    /// A disabled owner, or one without access, is turned away at once.
    OwnerStatus,
    /// An owner that has ended is turned away at once.
    OwnerEnd,
    /// Who holds no permission that suffices is turned away at once.
    Permissions,
    /// Who is out of scope is turned away at once.
    Scope,
}

impl Plant {
    /// Every leak, by the name that `memcheck` takes.
    pub const ALL: [(&str, Self); 10] = [
        ("compare", Self::Compare),
        ("slice", Self::Slice),
        ("unknown", Self::Unknown),
        ("revoked", Self::Revoked),
        ("status", Self::Status),
        ("end", Self::End),
        ("owner-status", Self::OwnerStatus),
        ("owner-end", Self::OwnerEnd),
        ("permissions", Self::Permissions),
        ("scope", Self::Scope),
    ];

    /// Returns whether the check would end here.
    #[inline(never)]
    pub(crate) fn stops(self, case: &Case<'_>, token: &Token) -> bool {
        let (file, places, row) = (case.file, case.places, case.row);
        let of = |range: core::ops::Range<usize>| black_box(&file[range]);
        let end = |range| u64::from(u32::from_le_bytes(of(range).try_into().expect("4 bytes")));
        // Every principal of the table holds one token, in the same order.
        match self {
            Self::Compare | Self::Slice => {
                let made = case.context.verifier(token.lookup.id, token.secret());
                let kept = of(places.verifier(row));
                if self == Self::Slice { made[..kept.len()] != *kept } else { !same(&made, kept) }
            }
            Self::Unknown => token.lookup.id != black_box(case.id),
            Self::Revoked => case.revoked.has(row),
            Self::Status => file[places.token_status(row)] & 0x80 != 0,
            Self::End => end(places.token_end(row)) <= NOW.0,
            Self::OwnerStatus => of(places.kind_and_flags(row))[1] & 3 != 0,
            Self::OwnerEnd => end(places.owner_end(row)) <= NOW.0,
            Self::Permissions => {
                let grant =
                    case.view.tokens().nth(row).and_then(|row| case.view.principal(row.owner));
                grant.is_none_or(|owner| {
                    owner.permissions().intersection(case.ask.any_of()).is_empty()
                })
            }
            Self::Scope => of(places.scope(row))[0] & 2 == 0,
        }
    }
}

#[inline(never)]
fn same(made: &[u8; 32], kept: &[u8]) -> bool {
    for (a, b) in made.iter().zip(kept) {
        if black_box(a) != black_box(b) {
            return false;
        }
    }

    true
}

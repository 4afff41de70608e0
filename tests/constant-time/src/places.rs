//! Where a snapshot's secrets stand, worked out from `core/docs/format.md` and nothing else.

use core::ops::Range;

const HEADER: usize = 80;
const DIVISION: usize = 22;
const GRANT: usize = 16;
const PRINCIPAL: usize = 40;

/// The places of everything that a check weighs; which row it weighs is public.
#[derive(Clone, Debug)]
pub struct Places {
    grants: usize,
    n_grants: usize,
    principals: usize,
    n_principals: usize,
    scope: usize,
    rows: usize,
    n_tokens: usize,
    verifier: usize,
}

impl Places {
    /// Reads the header of a snapshot.
    ///
    /// # Panics
    ///
    /// If the file is shorter than a header.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
        let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
        let (n_tokens, n_principals) = (u32_at(24), u32_at(28));
        let (n_grants, n_divisions) = (u16_at(32), u16_at(34));
        let (scope, verifier) = (8 * usize::from(file[36]), usize::from(file[37]));
        let grants = HEADER + DIVISION * n_divisions;
        let principals = grants + GRANT * n_grants;
        let rows = principals + (PRINCIPAL + scope) * n_principals + 8 * n_tokens;

        Self { grants, n_grants, principals, n_principals, scope, rows, n_tokens, verifier }
    }

    /// Returns where the rows begin.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    const fn row(&self, at: usize) -> usize {
        self.rows + (8 + self.verifier) * at
    }

    const fn principal(&self, at: usize) -> usize {
        self.principals + (PRINCIPAL + self.scope) * at
    }

    /// Returns where a token's status is: bit 7 of this byte; its other bits say whose it is.
    #[must_use]
    pub const fn token_status(&self, row: usize) -> usize {
        self.row(row) + 3
    }

    /// Returns where a token's end is.
    #[must_use]
    pub const fn token_end(&self, row: usize) -> Range<usize> {
        let at = self.row(row) + 4;
        at..at + 4
    }

    /// Returns where a token's verifier is.
    #[must_use]
    pub const fn verifier(&self, row: usize) -> Range<usize> {
        let at = self.row(row) + 8;
        at..at + self.verifier
    }

    /// Returns where a principal's kind and flags are.
    #[must_use]
    pub const fn kind_and_flags(&self, principal: usize) -> Range<usize> {
        let at = self.principal(principal) + 27;
        at..at + 2
    }

    /// Returns where a principal's end is.
    #[must_use]
    pub const fn owner_end(&self, principal: usize) -> Range<usize> {
        let at = self.principal(principal) + 32;
        at..at + 4
    }

    /// Returns where a principal's divisions are.
    #[must_use]
    pub const fn scope(&self, principal: usize) -> Range<usize> {
        let at = self.principal(principal) + PRINCIPAL;
        at..at + self.scope
    }

    /// Returns where the permissions of a grant are.
    #[must_use]
    pub const fn permissions(&self, grant: usize) -> Range<usize> {
        let at = self.grants + GRANT * grant;
        at..at + 8
    }

    /// Returns everything but the status bits of tokens, which share a byte with what is public.
    pub fn secrets(&self) -> impl Iterator<Item = Range<usize>> {
        let tokens = (0..self.n_tokens).flat_map(|at| [self.token_end(at), self.verifier(at)]);
        let owners = (0..self.n_principals)
            .flat_map(|at| [self.kind_and_flags(at), self.owner_end(at), self.scope(at)]);

        tokens.chain(owners).chain((0..self.n_grants).map(|at| self.permissions(at)))
    }

    /// Returns the bytes whose highest bit is a token's status.
    pub fn statuses(&self) -> impl Iterator<Item = usize> {
        (0..self.n_tokens).map(|at| self.token_status(at))
    }
}

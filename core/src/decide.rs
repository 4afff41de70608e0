//! View + token + request + now → decision, with every reason.
//!
//! Everything about a token is weighed into one mask and the branch is taken once, at the end: the
//! time does not depend on whether the id exists, on how much of the secret matches, on ends,
//! status, permissions or scope. It may depend on the length of the text, on the request and on
//! the size of the snapshot (ARCHITECTURE, decision 7).

mod ask;
mod reason;

pub use ask::{Ask, Mode};
pub use reason::{Class, Reason};

use core::fmt;
use core::hint::black_box;

use crate::division::{DivisionRules, Target};
use crate::permission::{Permission, PermissionSet};
use crate::snapshot::{
    DISABLED, NO_IOT_ACCESS, Principal, PrincipalRecord, SCOPE_ALL, TOKEN_DISABLED, View, below,
};
use crate::time::{UnixSeconds, clamp};
use crate::token::{Lookup, Token, differs};

/// Everything that is weighed, in the order in which reasons are given (DOMAIN section 4): the
/// bit of a failed check is its place here.
const CHECKS: [Reason; 17] = [
    Reason::MalformedToken,
    Reason::BadChecksum,
    Reason::UnknownToken,
    Reason::BadSecret,
    Reason::Revoked,
    Reason::TokenDisabled,
    Reason::TokenExpired,
    Reason::OwnerDisabled,
    Reason::OwnerExpired,
    Reason::AccountSuspended,
    Reason::NoIotAccess,
    Reason::SnapshotStale,
    Reason::PermissionMissing,
    Reason::SystemUserBarred,
    Reason::DivisionDenied,
    Reason::DivisionUnspecified,
    Reason::Ok,
];

/// Returns every reason that a decision can have, in the order in which they are given.
pub fn reasons() -> impl Iterator<Item = Reason> {
    [Reason::SnapshotExpired].into_iter().chain(CHECKS)
}

/// The place of [`Reason::Ok`]: always set where the first failure is looked for.
const NONE_FAILED: u32 = 1 << 16;

/// The checks that say whether the presenter holds the token: only past them may a name be told.
const POSSESSION: u32 = 0b1111;

/// The checks that failed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Failed(u32);

impl Failed {
    /// Returns the checks that failed as bits, in the order in which reasons are given.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Returns every check with whether it passed, for `explain`.
    pub fn checks(self) -> impl Iterator<Item = (Reason, bool)> {
        let all = CHECKS.into_iter().take_while(|check| *check != Reason::Ok);
        all.zip(0..).map(move |(reason, bit)| (reason, self.0 >> bit & 1 == 0))
    }

    /// Returns the first check that failed, or [`Reason::Ok`].
    #[must_use]
    pub fn reason(self) -> Reason {
        let first = (self.0 | NONE_FAILED).trailing_zeros() as usize;
        CHECKS.get(first).copied().unwrap_or(Reason::Internal)
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.checks().filter(|(_, passed)| !passed).map(|(reason, _)| reason);
        f.debug_set().entries(failed).finish()
    }
}

/// What was decided about one token and one request.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Why; for the record, never for the caller.
    pub reason: Reason,
    /// Every check that failed, not only the first; for `explain` on the admin socket.
    pub failed: Failed,
    /// The public part of the token as presented; unverified unless `principal` is known.
    pub lookup: Lookup,
    /// Who acts; known only where the secret matched (DOMAIN N7).
    pub principal: Option<Principal<'a>>,
    /// The permission that was used, or the first one that was asked for.
    pub permission: Option<Permission>,
}

impl Decision<'_> {
    /// Returns whether the request may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.reason.class() == Class::Allow
    }
}

/// Decides whether whoever presents `token` may do what is asked.
///
/// `now` is the trusted time (TRUST section 4), `rules` are the operator's.
#[must_use]
pub fn decide<'a>(
    view: &View<'a>,
    ask: &Ask,
    token: &Token,
    now: UnixSeconds,
    rules: DivisionRules,
) -> Decision<'a> {
    weigh(view, ask, token, now, rules).decision()
}

/// Every check of one token and one request, none of which has been looked at yet.
///
/// A stage of its own so that the proofs of constant time (`core/docs/timing.md`) hold what is
/// before the one branch to account, and nothing after it.
pub struct Weighed<'v, 'a> {
    view: &'v View<'a>,
    ask: &'v Ask,
    lookup: Lookup,
    now: UnixSeconds,
    failed: u32,
    owner: usize,
    usable: u64,
}

impl<'a> Weighed<'_, 'a> {
    /// Takes the branch: looks at what was weighed, and says what comes of it.
    #[must_use]
    pub fn decision(self) -> Decision<'a> {
        let Verdict { reason, failed, lookup, principal, permission } = self.verdict();
        let principal = principal.and_then(|at| self.view.principal(at));

        Decision { reason, failed, lookup, principal, permission }
    }

    /// Takes it that the presenter holds the secret, as a record says whose secret matched (DOMAIN N7):
    /// for trying a policy on recorded requests, never for letting somebody in (decision 0047).
    #[cfg(any(test, feature = "build"))]
    #[must_use]
    pub fn with_secret_proved(self) -> Self {
        let bad_secret = CHECKS.iter().position(|check| *check == Reason::BadSecret);
        let failed = bad_secret.map_or(self.failed, |bit| self.failed & !(1 << bit));

        Self { failed, ..self }
    }

    /// Says what comes of it in numbers, the same way whatever they are: for whoever cannot hide how
    /// long a branch takes.
    #[inline]
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let failed = Failed(self.failed);
        let held = self.failed & POSSESSION == 0;
        // Expiry depends on nothing of the token, so it is said of every token alike (DOMAIN B11).
        let expired = self.now >= self.view.limits().expires_at;
        let by_token = failed.reason();
        let reason = if expired { Reason::SnapshotExpired } else { by_token };
        let allowed = u64::from(mask(reason as u8 == Reason::Ok as u8));
        let allowed = allowed | allowed << 32;
        let told = PermissionSet(self.usable & allowed | self.ask.any_of().0 & !allowed);

        Verdict {
            reason,
            failed,
            lookup: self.lookup,
            principal: held.then_some(self.owner),
            permission: told.first(),
        }
    }
}

/// A [`Decision`] in numbers.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Why; for the record, never for the caller.
    pub reason: Reason,
    /// Every check that failed, not only the first.
    pub failed: Failed,
    /// The public part of the token as presented.
    pub lookup: Lookup,
    /// Who acts, for [`View::principal`]; known only where the secret matched (DOMAIN N7).
    pub principal: Option<usize>,
    /// The permission that was used, or the first one that was asked for.
    pub permission: Option<Permission>,
}

impl fmt::Debug for Weighed<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weighed").field("lookup", &self.lookup).finish_non_exhaustive()
    }
}

/// What stands in for the row and the owner where a snapshot has no token: fails everything.
static NO_VERIFIER: [u8; 32] = [0; 32];
static NO_OWNER: [u8; PrincipalRecord::LEN] = {
    let mut owner = [0; PrincipalRecord::LEN];
    owner[PrincipalRecord::FLAGS] = DISABLED | NO_IOT_ACCESS;
    owner
};

/// Evaluates every check, whatever the others say, in the same time whatever they say.
#[inline(never)]
#[must_use]
pub fn weigh<'v, 'a>(
    view: &'v View<'a>,
    ask: &'v Ask,
    token: &Token,
    now: UnixSeconds,
    rules: DivisionRules,
) -> Weighed<'v, 'a> {
    let verifier = view.context.verifier(token.lookup.id, &token.secret);
    let rank = view.rank(token.lookup.id);
    // Empty tables are the only case without a row; that depends on the snapshot alone.
    let found = view.ids.get(rank).map_or(!token.lookup.id, |id| id.get());
    let (owner_bits, token_end, kept) =
        view.row(rank).unwrap_or((TOKEN_DISABLED, 0, NO_VERIFIER.as_slice()));
    let owner = usize::try_from(owner_bits & !TOKEN_DISABLED).unwrap_or(usize::MAX);
    let owner_record = view.principal_bytes(owner).unwrap_or(&NO_OWNER);
    let record = Owner::read(owner_record);
    let held = view.grants.get(record.grant).map_or(0, |grant| grant.permissions.get());

    let presented = verifier.get(..kept.len()).unwrap_or_default();
    // Eight bytes at a time: every byte is looked at, and no sum tells which differ.
    let words = presented.chunks_exact(8).zip(kept.chunks_exact(8));
    let word = |bytes: &[u8]| bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
    // Lengths are the snapshot's, and public; nothing to compare is no match.
    let unlike = u64::from(presented.len() != kept.len() || kept.len() < 16);
    let difference = words.fold(unlike, |all, (a, b)| all | (word(a) ^ word(b)));
    let wrong_secret = differs64(black_box(difference), 0);
    let kind = u32::from(token.lookup.kind);
    let expected_kind = 1 + (u32::from(record.kind) >> 1);
    let kind_differs = differs(kind, expected_kind) & !mask(token.opaque);
    let unknown_kind = differs(kind, 1) & differs(kind, 2) & !mask(token.opaque);
    let moment = u64::from(clamp(now));
    let expired = |end: u32| !ones(below(moment, u64::from(end)));
    let stale = mask(ask.is_fresh() && now >= view.limits().stale_at);

    let asked = held & ask.any_of().0;
    let system = u64::from(differs(u32::from(record.kind), 1)).wrapping_sub(1) >> 32;
    let barred = ask.barred().0 & (system | system << 32);
    let usable = asked & !barred;
    let revoked = view.revoked.row(rank) | view.revoked.principal(owner);
    let (division, unspecified) = divisions(view, owner_record, &record, ask.target(), rules);

    let failures = [
        token.malformed | unknown_kind,
        token.bad_checksum,
        differs64(found, token.lookup.id) | kind_differs,
        wrong_secret,
        ones(revoked),
        ones(u64::from(owner_bits >> 31)),
        expired(token_end),
        flag(record.flags, DISABLED),
        expired(record.end),
        mask(view.is_suspended()),
        flag(record.flags, NO_IOT_ACCESS),
        stale,
        is_zero(asked),
        is_zero(usable) & !is_zero(asked),
        division,
        unspecified,
    ];
    let failed =
        failures.iter().zip(0..).fold(0, |all, (failure, bit)| all | (failure & (1 << bit)));

    // Keeps the compiler from finding that a failure early in the list settles the outcome.
    Weighed { view, ask, lookup: token.lookup, now, failed: black_box(failed), owner, usable }
}

/// The fields of a principal that are weighed, read at their places in its record.
struct Owner {
    grant: usize,
    kind: u8,
    flags: u8,
    end: u32,
}

impl Owner {
    fn read(record: &[u8]) -> Self {
        use PrincipalRecord as At;
        let byte = |at: usize| record.get(at).copied().unwrap_or_default();

        Self {
            grant: usize::from(u16::from_le_bytes([At::GRANT, At::GRANT + 1].map(byte))),
            kind: byte(At::KIND),
            flags: byte(At::FLAGS),
            end: u32::from_le_bytes([At::END, At::END + 1, At::END + 2, At::END + 3].map(byte)),
        }
    }
}

/// Weighs the division: returns the masks of `division_denied` and `division_unspecified`.
///
/// Which word is read depends on the request alone; all words are read for the empty set, which
/// reaches nothing that depends on divisions (DOMAIN N5, D7).
fn divisions(
    view: &View<'_>,
    owner: &[u8],
    record: &Owner,
    target: Target,
    rules: DivisionRules,
) -> (u32, u32) {
    let words = owner.get(PrincipalRecord::LEN..view.stride.get()).unwrap_or_default();
    let word = |at: usize| {
        let bytes = words.get(at * 8..at * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let limited = !flag(record.flags, SCOPE_ALL);
    let nowhere = is_zero((0..words.len() / 8).fold(0, |all, at| all | word(at))) & limited;

    match target {
        Target::Division(index) => {
            let (at, bit) = (usize::from(index.0 / 64), index.0 % 64);
            let outside = !ones(word(at) >> bit & 1);
            (outside & limited, 0)
        }
        Target::Foreign => (limited, 0),
        Target::Malformed => (u32::MAX, 0),
        Target::Unattached => (nowhere | (limited & mask(rules.deny_unattached)), 0),
        Target::Unscoped => (0, 0),
        Target::Unspecified => (0, limited),
        Target::Upstream => (0, nowhere | (limited & mask(rules.strict))),
    }
}

/// All ones where the request says so, else zero.
const fn mask(condition: bool) -> u32 {
    (condition as u32).wrapping_neg()
}

/// All ones for 1, zero for 0.
fn ones(bit: u64) -> u32 {
    let [low, ..] = bit.to_le_bytes();
    // A compiler that knows that this is 0 or 1 may make a branch of it again.
    u32::from(black_box(low)).wrapping_neg()
}

/// All ones where `flag` is set in `flags`.
fn flag(flags: u8, flag: u8) -> u32 {
    differs(u32::from(flags & flag), 0)
}

/// All ones where `value` is zero.
fn is_zero(value: u64) -> u32 {
    !differs64(value, 0)
}

/// All ones where the values differ.
fn differs64(a: u64, b: u64) -> u32 {
    let difference = a ^ b;
    ones((difference | difference.wrapping_neg()) >> 63)
}

#[cfg(test)]
mod tests;

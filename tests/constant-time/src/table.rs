//! A table in which every class has a row, dealt anew each time.
//!
//! Where times are compared, each class has a copy of its own: what two classes read is warmer than
//! what one does.
//! Every record that a check reads lies within one cache line, in every class, and so does every
//! step of a look-up; otherwise a row that happens to lie across two lines is slower than its
//! neighbour, and that would be found instead of a leak. Which row is read is public.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a class that is not named is made like one that is allowed"
)]

use std::collections::{BTreeMap, BTreeSet};

use gateward_core::decide::{Ask, Mode};
use gateward_core::name::Uuid;
use gateward_core::permission::{Operation, PermissionSet};
use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use gateward_core::snapshot::{self, Verified, View};
use gateward_core::time::{End, UnixSeconds};
use gateward_core::token::{self, Context, Secret, TEXT_LEN};

use crate::check::{Case, NOW};
use crate::class::Class;
use crate::draw::Draw;
use crate::places::Places;
use crate::revoked::Revoked;
use crate::signer;

/// Ids stand in groups that fill a look-up's window, and groups in every fourth bucket.
const GROUP: usize = 16;
const GROUPS: usize = 64;
pub(crate) const ROWS: usize = GROUP * GROUPS;
/// One bucket of the directory of [`ROWS`] tokens.
const BUCKET_BITS: u32 = 56;
const LINE: usize = 64;
/// System users may not do it, it needs a fresh snapshot, and divisions count for it.
const PERMISSION: &str = "manage_iot_ca";
const OPERATION: Operation = Operation::IssueCa;
const HELD: PermissionSet = PermissionSet(0x3f7ef);
const NOT_HELD: PermissionSet = PermissionSet(0x377ef);
const PAST: End = End(1_700_000_000);

/// How often a table lies in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Copies {
    /// Once, for all classes.
    One,
    /// Once for each class: what several of them read would be warmer than what one does, and that
    /// would be found instead of a leak.
    OneEach,
}

/// A table, and a token for every class.
#[derive(Debug)]
pub struct Table {
    copies: Vec<Verified<Aligned>>,
    /// Of each copy its own.
    revoked: Vec<Revoked>,
    places: Places,
    context: Context,
    tokens: Vec<(Class, usize, [u8; TEXT_LEN])>,
    ids: Vec<u64>,
}

impl Table {
    /// Makes a table of drawn ids and secrets.
    ///
    /// # Panics
    ///
    /// If what it makes is not a snapshot.
    #[must_use]
    pub fn new(draw: &mut Draw, verifier: VerifierLen, copies: Copies) -> Self {
        let account = Uuid([7; 16]);
        let context = Context::new(&account.0);
        let ids = ids(draw);
        let rows = deal(draw);
        let mut contents = Contents { account, ..Contents::default() };
        contents.divisions = (1..=2).map(|n| (division(n), format!("division {n}"))).collect();
        let kept = if verifier == VerifierLen::Full { 32 } else { 16 };
        let mut secrets = BTreeMap::new();
        for (row, id) in ids.iter().enumerate() {
            let class = rows.get(&row).copied().unwrap_or(Class::Allowed);
            let key = u32::try_from(row).expect("the table is small");
            let secret = draw.secret();
            contents.principals.insert(key, owner(class, row));
            contents.tokens.insert(*id, held(class, key, context.verifier(*id, &secret), kept));
            secrets.insert(row, secret);
        }
        let file = contents.compile(verifier).expect("the contents fit");
        let places = Places::of(&file);
        let manifest = signer::vouch(account, &file, NOW);
        let copies = if copies == Copies::One { 1 } else { Class::ALL.len() };
        let copy = |_| {
            let file = Aligned::new(&file, places.rows());
            snapshot::open(file, manifest.clone()).expect("it was just compiled")
        };
        let copies: Vec<_> = (0..copies).map(copy).collect();
        let revoke = |copy: &Verified<Aligned>| revoked(&copy.view(), &rows, &ids);
        let revoked = copies.iter().map(revoke).collect();
        let mut tokens = Class::ALL.map(|class| {
            let row = place(class, &rows);
            (class, row, presented(class, ids[row], &secrets[&row]))
        });
        // No class lies at the same address in every table.
        draw.shuffle(&mut tokens);

        Self { copies, revoked, places, context, tokens: tokens.into(), ids }
    }

    /// Returns the bytes that are decided with, or the first copy of them.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        self.copy(0).bytes()
    }

    /// Returns what is revoked in the bytes that are decided with.
    #[must_use]
    pub fn revoked(&self) -> &Revoked {
        &self.revoked[0]
    }

    fn copy(&self, at: usize) -> &Verified<Aligned> {
        &self.copies[at % self.copies.len()]
    }

    /// Returns where its secrets stand.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Returns the same question for every class, in an order drawn for this table.
    #[must_use]
    pub fn cases(&self) -> Vec<Case<'_>> {
        let ask = |view: &View<'_>| {
            let ids = [PERMISSION].into_iter();
            Ask::of_permissions(view, ids, Some(OPERATION), Some("division 2"), Mode::Direct)
        };
        let case = |(at, (class, row, text)): (usize, &(Class, usize, [u8; TEXT_LEN]))| {
            let copy = self.copy(at);
            let revoked = &self.revoked[at % self.revoked.len()];
            let stale = *class == Class::Stale;
            let view = if stale { copy.view_stale_from(UnixSeconds(0)) } else { copy.view() };
            Case {
                text: *text,
                class: *class,
                view: view.with_revocation(revoked.bits()),
                ask: ask(&view),
                row: *row,
                id: self.ids[*row],
                file: copy.bytes(),
                places: &self.places,
                context: &self.context,
                revoked,
            }
        };

        self.tokens.iter().enumerate().map(case).collect()
    }
}

/// Revokes what is to be revoked; every principal has the key of its token's row.
fn revoked(view: &View<'_>, rows: &BTreeMap<usize, Class>, ids: &[u64]) -> Revoked {
    let mut revoked = Revoked::none(view);
    revoked.token(view, ids[place(Class::TokenRevoked, rows)]);
    let owner = u32::try_from(place(Class::OwnerRevoked, rows)).expect("the table is small");
    revoked.principal(view, owner);

    revoked
}

/// Ids in groups, ascending.
fn ids(draw: &mut Draw) -> Vec<u64> {
    let group = |at: u64, draw: &mut Draw| -> BTreeSet<u64> {
        let mut ids = BTreeSet::new();
        while ids.len() < GROUP {
            // Never the lowest of its bucket: one below it must be in the bucket too.
            ids.insert(at << (BUCKET_BITS + 2) | draw.next() >> (64 - BUCKET_BITS) | 1);
        }
        ids
    };

    (0..64).flat_map(|at| group(at, draw)).collect()
}

/// Says which class has which row: the first of a group each, in no order.
fn deal(draw: &mut Draw) -> BTreeMap<usize, Class> {
    let mut groups: Vec<usize> = (1..GROUPS - 1).collect();
    draw.shuffle(&mut groups);
    let fixed =
        [Class::AllowedFirstRow, Class::AllowedLastRow, Class::UnknownLow, Class::UnknownHigh];
    let dealt = Class::ALL.into_iter().filter(|class| !fixed.contains(class));

    groups.into_iter().map(|group| group * GROUP).zip(dealt).collect()
}

fn place(class: Class, rows: &BTreeMap<usize, Class>) -> usize {
    match class {
        Class::AllowedFirstRow | Class::UnknownLow => 0,
        Class::AllowedLastRow | Class::UnknownHigh => ROWS - 1,
        _ => {
            let found = rows.iter().find(|(_, other)| **other == class);
            *found.expect("every other class was dealt a row").0
        }
    }
}

fn owner(class: Class, row: usize) -> PrincipalEntry {
    let system = class == Class::Barred;
    let scope = if class == Class::OutOfScope { 1 } else { 2 };

    PrincipalEntry {
        id: Uuid([3; 16]),
        name: format!("principal at row {row:>4}"),
        kind: if system { PrincipalKind::SystemUser } else { PrincipalKind::User },
        disabled: class == Class::OwnerDisabled,
        no_iot_access: class == Class::NoIotAccess,
        permissions: if class == Class::NoPermission { NOT_HELD } else { HELD },
        scope: Scope::Only([division(scope)].into()),
        end: if class == Class::OwnerExpired { PAST } else { End::NEVER },
    }
}

fn held(class: Class, principal: u32, mut verifier: [u8; 32], kept: usize) -> TokenEntry {
    match class {
        Class::VerifierFirst => verifier[0] ^= 1,
        // The last byte that is kept: of all, or of half.
        Class::VerifierLast => verifier[kept - 1] ^= 1,
        _ => {}
    }

    TokenEntry {
        principal,
        disabled: class == Class::TokenDisabled,
        end: if class == Class::TokenExpired { PAST } else { End::NEVER },
        verifier,
    }
}

/// Returns the text that somebody presents in this class for the API token with this id and secret.
#[must_use]
pub fn presented(class: Class, id: u64, secret: &Secret) -> [u8; TEXT_LEN] {
    let mut secret = secret.clone();
    match class {
        Class::SecretFirst => secret.0[0] ^= 1,
        Class::SecretLast => secret.0[31] ^= 1,
        _ => {}
    }
    let kind = if class == Class::OtherKind { TokenKind::Service } else { TokenKind::Api };
    let id = match class {
        Class::UnknownLow => 0,
        Class::UnknownNear => id - 1,
        Class::UnknownHigh => u64::MAX,
        _ => id,
    };
    let mut text = token::write(kind, id, &secret);
    match class {
        Class::Malformed => text[40] = b'!',
        Class::BadChecksum => text[65] = if text[65] == b'A' { b'B' } else { b'A' },
        _ => {}
    }

    text
}

fn division(n: u8) -> Uuid {
    Uuid([n; 16])
}

/// Bytes of which one place stands at the beginning of a cache line.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(file: &[u8], place: usize) -> Self {
        let mut bytes = vec![0; file.len() + 2 * LINE];
        let line = bytes.as_ptr().align_offset(LINE);
        let start = line + (LINE - place % LINE) % LINE;
        bytes[start..start + file.len()].copy_from_slice(file);

        Self { bytes, start, len: file.len() }
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use core::ops::Range;

    use super::*;

    fn table() -> Table {
        Table::new(&mut Draw::new(1), VerifierLen::Full, Copies::One)
    }

    #[test]
    fn every_class_ends_as_it_says() {
        for round in 0..20 {
            let table = Table::new(&mut Draw::new(round), VerifierLen::Full, Copies::OneEach);
            for case in table.cases() {
                let decision = case.weigh(None).unwrap().decision();
                assert_eq!(decision.reason, case.class.reason(), "{:?}", case.class);
            }
        }
    }

    #[test]
    fn what_is_read_lies_within_one_line_in_every_class() {
        let table = Table::new(&mut Draw::new(1), VerifierLen::Full, Copies::OneEach);
        for case in table.cases() {
            let line = |at: usize| (case.file.as_ptr().addr() + at) / LINE;
            let (row, places) = (case.row, table.places());
            assert_eq!(line(places.token_status(row) - 3), line(places.verifier(row).end - 1));
            assert_eq!(
                line(places.kind_and_flags(row).start - 27),
                line(places.scope(row).end - 1)
            );
        }
    }

    #[test]
    fn the_places_are_those_that_the_snapshot_is_read_at() {
        let table = table();
        let view: View<'_> = table.copy(0).view();
        let (file, places) = (table.file(), table.places());
        for (row, token) in view.tokens().enumerate() {
            let owner = view.principal(token.owner).unwrap();
            let end =
                |range: Range<usize>| End(u32::from_le_bytes(file[range].try_into().unwrap()));
            assert_eq!(token.owner, row);
            assert_eq!(file[places.token_status(row)] >> 7 == 1, token.disabled);
            assert_eq!(end(places.token_end(row)), token.end);
            assert_eq!(end(places.owner_end(row)), owner.end());
            let [kind, flags] = file[places.kind_and_flags(row)] else { panic!() };
            assert_eq!(kind, owner.kind() as u8);
            assert_eq!(flags & 1 == 1, owner.is_disabled());
            assert_eq!(flags & 2 == 0, owner.has_iot_access());
            let word = file[places.scope(row)][0];
            assert_eq!(word.count_ones() as usize, owner.divisions().count());
        }
        let held = |grant| u64::from_le_bytes(file[places.permissions(grant)].try_into().unwrap());
        assert_eq!(
            [held(0), held(1)].into_iter().collect::<BTreeSet<_>>(),
            [HELD.0, NOT_HELD.0].into()
        );
    }
}

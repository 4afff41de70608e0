//! Reads a snapshot in place: no copy, no decoding, no index but the one in the file.

use core::hint::black_box;
use core::num::NonZeroUsize;

use zerocopy::FromBytes;
use zerocopy::little_endian::{U32, U64};

use super::layout::{
    DivisionRecord, GrantRecord, Header, NO_DIVISION, PrincipalRecord, ResourceRecord, Sections,
    bucket, row_len, stride,
};
use super::revocation::{Revocation, RevocationRoom};
use super::{Ext, MAGIC, Refused};
use crate::division::{DivisionIndex, Target};
use crate::name::Uuid;
use crate::time::{End, UnixSeconds};
use crate::token::Context;

mod item;

pub use item::{Principal, TokenRow};

/// Until when a snapshot may be used (ARCHITECTURE, decision 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// From here on operations marked `fresh` are refused.
    pub stale_at: UnixSeconds,
    /// From here on everything keyed is refused.
    pub expires_at: UnixSeconds,
}

/// A snapshot as the decision reads it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) header: &'a Header,
    pub(super) divisions: &'a [DivisionRecord],
    pub(crate) grants: &'a [GrantRecord],
    pub(super) principals: &'a [u8],
    pub(crate) stride: NonZeroUsize,
    pub(crate) ids: &'a [U64],
    pub(super) rows: &'a [u8],
    pub(super) row_len: NonZeroUsize,
    pub(super) directory: &'a [U32],
    pub(super) resources: &'a [ResourceRecord],
    pub(super) heap: &'a [u8],
    pub(super) ext: &'a [u8],
    pub(crate) context: &'a Context,
    pub(crate) limits: Limits,
    pub(crate) revoked: Revocation<&'a [u8]>,
}

impl<'a> View<'a> {
    /// Cuts `bytes` into sections; reads the header and nothing else.
    pub(super) fn parse(
        bytes: &'a [u8],
        context: &'a Context,
        limits: Limits,
    ) -> Result<Self, Refused> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Refused::Length)?;
        if header.magic != MAGIC {
            return Err(Refused::UnknownFormat);
        }
        if header.features_critical.get() != 0 {
            return Err(Refused::UnknownFeature);
        }
        let sections = Sections::of(header).ok_or(Refused::Counts)?;
        if sections.file_len() != bytes.len() {
            return Err(Refused::Length);
        }
        let mut cut = Cut(rest);
        let divisions = cut.records(sections.divisions)?;
        let grants = cut.records(sections.grants)?;
        let principals = cut.bytes(sections.principals)?;
        let ids = cut.records(sections.ids)?;
        let rows = cut.bytes(sections.rows)?;
        let directory = cut.records(sections.directory)?;
        let resources = cut.records(sections.resources)?;
        let heap = cut.bytes(sections.heap)?;
        let ext = cut.bytes(sections.ext)?;

        Ok(Self {
            header,
            divisions,
            grants,
            principals,
            stride: stride(usize::from(header.scope_words)),
            ids,
            rows,
            row_len: row_len(header.verifier_len),
            directory,
            resources,
            heap,
            ext,
            context,
            limits,
            revoked: Revocation::NOTHING,
        })
    }

    /// Returns a view that holds nobody, expired since ever: where a buffer is not what it was when
    /// it was opened, nothing is granted.
    pub(super) fn nothing(context: &'a Context) -> Self {
        static HEADER: Header = Header {
            magic: MAGIC,
            account: [0; 16],
            n_tokens: U32::ZERO,
            n_principals: U32::ZERO,
            n_grants: zerocopy::little_endian::U16::ZERO,
            n_divisions: zerocopy::little_endian::U16::ZERO,
            scope_words: 0,
            verifier_len: 32,
            flags: zerocopy::little_endian::U16::ZERO,
            heap_len: U32::ZERO,
            file_len: U32::ZERO,
            dir_bits: 0,
            window: 0,
            zero: [0; 2],
            features_critical: U32::ZERO,
            features_other: U32::ZERO,
            n_resources: U32::ZERO,
            ext_len: U32::ZERO,
            account_status: 1,
            zeros: [0; 11],
        };
        Self {
            header: &HEADER,
            divisions: &[],
            grants: &[],
            principals: &[],
            stride: stride(0),
            ids: &[],
            rows: &[],
            row_len: row_len(32),
            directory: &[],
            resources: &[],
            heap: &[],
            ext: &[],
            context,
            limits: Limits { stale_at: UnixSeconds(0), expires_at: UnixSeconds(0) },
            revoked: Revocation::NOTHING,
        }
    }

    /// Returns the view with what is revoked in it; bits that were made for another snapshot leave a
    /// view that grants nothing.
    #[must_use]
    pub fn with_revocation(self, revoked: Revocation<&'a [u8]>) -> Self {
        if revoked.fits(&self) { Self { revoked, ..self } } else { Self::nothing(self.context) }
    }

    /// Returns how many bytes the bits of revoked rows and principals take.
    #[must_use]
    pub fn revocation_room(&self) -> RevocationRoom {
        RevocationRoom {
            rows: self.ids.len().div_ceil(8),
            principals: self.principal_count().div_ceil(8),
        }
    }

    /// Returns the account that the snapshot is for.
    #[must_use]
    pub const fn account(&self) -> Uuid {
        Uuid(self.header.account)
    }

    /// Returns whether the account is suspended: then nobody is let in.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.header.account_status != 0
    }

    /// Returns until when the snapshot may be used.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the number of tokens.
    #[must_use]
    pub const fn token_count(&self) -> usize {
        self.ids.len()
    }

    /// Returns how many bytes of a verifier are kept, 16 or 32.
    #[must_use]
    pub const fn verifier_len(&self) -> u8 {
        self.header.verifier_len
    }

    /// Returns what the operator added to the catalogue and to the route table.
    #[must_use]
    pub const fn ext(&self) -> Ext<'a> {
        Ext::new(self.ext)
    }

    /// Returns the divisions in ascending order of their ids, each with its name.
    pub fn divisions(&self) -> impl Iterator<Item = (Uuid, &'a str)> + use<'a> {
        let heap = self.heap;
        self.divisions.iter().map(move |record| {
            (Uuid(record.id), text(heap, record.name_off, record.name_len).unwrap_or_default())
        })
    }

    /// Finds a division by its id or by its name; one that is not here is
    /// [`Target::Foreign`].
    #[must_use]
    pub fn division(&self, name_or_id: &str) -> Target {
        let by_id = Uuid::parse(name_or_id).map(|id| self.division_of(id));
        let by_name = || at_place(self.divisions().position(|(_, name)| name == name_or_id));

        by_id.filter(|target| *target != Target::Foreign).unwrap_or_else(by_name)
    }

    /// Finds a division by its id; one that is not here is [`Target::Foreign`].
    #[must_use]
    pub fn division_of(&self, id: Uuid) -> Target {
        at_place(self.divisions.binary_search_by_key(&id.0, |record| record.id).ok())
    }

    /// Returns the id of a division of this snapshot.
    #[must_use]
    pub fn division_id(&self, index: DivisionIndex) -> Option<Uuid> {
        self.divisions.get(usize::from(index.0)).map(|record| Uuid(record.id))
    }

    /// Says where a resource is: in a division, in none, or nothing where the index does not know
    /// it (DOMAIN D16).
    #[must_use]
    pub fn resource(&self, kind: u8, id: Uuid) -> Option<Target> {
        let at = self
            .resources
            .binary_search_by_key(&(kind, id.0), |record| (record.kind, record.id))
            .ok()?;

        Some(match self.resources.get(at)?.division.get() {
            NO_DIVISION => Target::Unattached,
            division => Target::Division(DivisionIndex(division)),
        })
    }

    /// Returns the resource index: kind, id and division, none where the resource is in no
    /// division.
    pub fn resources(&self) -> impl Iterator<Item = (u8, Uuid, Option<Uuid>)> + use<'a> {
        let divisions = self.divisions;
        self.resources.iter().map(move |record| {
            let division = divisions.get(usize::from(record.division.get()));
            (record.kind, Uuid(record.id), division.map(|division| Uuid(division.id)))
        })
    }

    /// Returns the number of principals.
    #[must_use]
    pub fn principal_count(&self) -> usize {
        self.principals.len() / self.stride
    }

    /// Returns the place of the principal with this key.
    pub(crate) fn place_of(&self, key: u32) -> Option<usize> {
        let (mut low, mut high) = (0, self.principal_count());
        while low < high {
            let middle = low.midpoint(high);
            match self.principal(middle)?.key().cmp(&key) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Equal => return Some(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }

        None
    }

    /// Returns the principal at `index`, counted from 0 in the order of their keys.
    #[must_use]
    pub fn principal(&self, index: usize) -> Option<Principal<'a>> {
        let record = self.principal_bytes(index)?;
        let (record, scope) = PrincipalRecord::ref_from_prefix(record).ok()?;
        let scope = <[U64]>::ref_from_bytes(scope).ok()?;

        Some(Principal { record, scope, view: *self })
    }

    /// Returns every principal in the order of their keys.
    pub fn principals(&self) -> impl Iterator<Item = Principal<'a>> + use<'a> {
        let view = *self;
        (0..view.principal_count()).filter_map(move |at| view.principal(at))
    }

    /// Returns every token in the order of their ids.
    pub fn tokens(&self) -> impl Iterator<Item = TokenRow<'a>> + use<'a> {
        let view = *self;
        view.ids.iter().zip(0..).filter_map(move |(id, at)| {
            let (principal, end, verifier) = view.row(at)?;
            let disabled = principal & super::layout::TOKEN_DISABLED != 0;
            let owner = usize::try_from(principal & !super::layout::TOKEN_DISABLED).ok()?;
            Some(TokenRow { id: id.get(), owner, disabled, end: End(end), verifier })
        })
    }

    pub(crate) fn principal_bytes(&self, index: usize) -> Option<&'a [u8]> {
        let start = index.checked_mul(self.stride.get())?;
        self.principals.get(start..start.checked_add(self.stride.get())?)
    }

    /// Returns a row as it stands: principal with the disabled bit, end, verifier.
    pub(crate) fn row(&self, at: usize) -> Option<(u32, u32, &'a [u8])> {
        let start = at.checked_mul(self.row_len.get())?;
        let row = self.rows.get(start..start.checked_add(self.row_len.get())?)?;
        let (head, verifier) = super::layout::RowRecord::ref_from_prefix(row).ok()?;

        Some((head.principal.get(), head.end.get(), verifier))
    }

    /// Returns the rows of a run of tokens as they stand.
    pub(super) fn rows(&self, run: &core::ops::Range<usize>) -> &'a [u8] {
        let len = self.row_len.get();
        let bytes = run.start.checked_mul(len).zip(run.end.checked_mul(len));

        bytes.and_then(|(start, end)| self.rows.get(start..end)).unwrap_or_default()
    }

    /// Returns the place of `id`, or that of a neighbour where it is absent: one directory entry
    /// and one window of the same width for every id, so both cost the same (FORMAT section 1).
    #[inline]
    pub(crate) fn rank(&self, id: u64) -> usize {
        let (first, window) = self.window(id);
        let below: u64 = window.iter().map(|other| below(other.get(), id)).sum();
        let last = self.ids.len().saturating_sub(1);

        lesser(first + usize::try_from(below).unwrap_or(0), last)
    }

    /// Returns the ids that `id` is held against, as many for every id, and the place of the first.
    #[inline]
    pub(super) fn window(&self, id: u64) -> (usize, &'a [U64]) {
        let tokens = self.ids.len();
        let width = usize::from(self.header.window).min(tokens);
        let first = self
            .directory
            .get(bucket(id, self.header.dir_bits))
            .map_or(0, |first| usize::try_from(first.get()).unwrap_or(0));
        let first = lesser(first, tokens - width);

        (first, self.ids.get(first..first + width).unwrap_or_default())
    }
}

/// 1 if a < b, else 0: the borrow of a − b, without a branch (Hacker's Delight 2-13).
#[inline]
pub(crate) const fn below(a: u64, b: u64) -> u64 {
    ((!a & b) | (!(a ^ b) & a.wrapping_sub(b))) >> 63
}

/// The lesser of two; `min` becomes a branch, which tells ids past the end of the table.
#[inline]
fn lesser(a: usize, b: usize) -> usize {
    let a_is_less = usize::try_from(below(a as u64, b as u64)).unwrap_or(0);

    b ^ ((a ^ b) & black_box(a_is_less).wrapping_neg())
}

fn at_place(place: Option<usize>) -> Target {
    let at = place.and_then(|at| u16::try_from(at).ok());
    at.map_or(Target::Foreign, |at| Target::Division(DivisionIndex(at)))
}

pub(super) fn text(heap: &[u8], offset: U32, len: u8) -> Option<&str> {
    let start = usize::try_from(offset.get()).ok()?;
    core::str::from_utf8(heap.get(start..start.checked_add(usize::from(len))?)?).ok()
}

/// What is left of the file.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Refused> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Refused::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn records<T>(&mut self, len: usize) -> Result<&'a [T], Refused>
    where
        T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
    {
        <[T]>::ref_from_bytes(self.bytes(len)?).map_err(|_| Refused::Length)
    }
}

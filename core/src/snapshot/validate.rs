//! One pass over everything, once, when a snapshot is opened: after it no look-up can fail.
//!
//! A signature says who made the file; this says that the file is the one string of bytes that
//! stands for its contents, so that a mistake of the compiler is not believed either.

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::layout::{
    DISABLED, NO_DIVISION, NO_IOT_ACCESS, PrincipalRecord, SCOPE_ALL, TOKEN_DISABLED, bucket,
};
use super::view::{View, text};
use super::{MAX_WINDOW, Refused};
use crate::name::Name;
use crate::principal::PrincipalKind;

pub(super) fn validate(view: &View<'_>) -> Result<(), Refused> {
    header(view)?;
    let names_end = divisions(view)?;
    grants(view)?;
    let names_end = principals(view, names_end)?;
    if names_end != view.heap.len() {
        return Err(Refused::Name);
    }
    tokens(view)?;
    directory(view)?;
    resources(view)?;

    view.ext().validate().map_err(|_| Refused::Extension)
}

fn header(view: &View<'_>) -> Result<(), Refused> {
    let header = view.header;
    let file_len = usize::try_from(header.file_len.get()).ok();
    let sections = super::layout::Sections::of(header).map(|sections| sections.file_len());
    if file_len != sections {
        return Err(Refused::Length);
    }
    if header.account_status > 1 {
        return Err(Refused::UnknownStatus);
    }
    if header.flags.get() != 0 || header.zero != [0; 2] || header.zeros != [0; 11] {
        return Err(Refused::Reserved);
    }

    Ok(())
}

fn ascending<T: PartialOrd>(mut keys: impl Iterator<Item = T>) -> Result<(), Refused> {
    let Some(mut last) = keys.next() else { return Ok(()) };
    for key in keys {
        if key <= last {
            return Err(Refused::Order);
        }
        last = key;
    }

    Ok(())
}

/// Checks a name that must begin where the one before ended; returns where it ends.
fn name(
    view: &View<'_>,
    at: usize,
    offset: zerocopy::little_endian::U32,
    len: u8,
) -> Result<usize, Refused> {
    let text = text(view.heap, offset, len).ok_or(Refused::Name)?;
    if usize::try_from(offset.get()) != Ok(at) || Name::new(text).is_err() {
        return Err(Refused::Name);
    }

    Ok(at + usize::from(len))
}

fn divisions(view: &View<'_>) -> Result<usize, Refused> {
    ascending(view.divisions.iter().map(|record| record.id))?;
    // Whoever asks by name must mean one division. They are few, so every pair is compared.
    let named_before =
        |at: usize, name: &str| view.divisions().take(at).any(|(_, other)| other == name);
    if view.divisions().enumerate().any(|(at, (_, name))| named_before(at, name)) {
        return Err(Refused::Name);
    }

    view.divisions.iter().try_fold(0, |at, record| {
        if record.zero != 0 {
            return Err(Refused::Reserved);
        }
        name(view, at, record.name_off, record.name_len)
    })
}

fn grants(view: &View<'_>) -> Result<(), Refused> {
    ascending(view.grants.iter().map(|record| record.key.get()))?;
    if view.grants.iter().any(|record| record.zero.get() != 0) {
        return Err(Refused::Reserved);
    }

    Ok(())
}

fn principals(view: &View<'_>, names_at: usize) -> Result<usize, Refused> {
    ascending(view.principals().map(|principal| principal.key()))?;

    (0..view.principal_count()).try_fold(names_at, |at, index| {
        let bytes = view.principal_bytes(index).ok_or(Refused::Reference)?;
        let (record, scope) =
            PrincipalRecord::ref_from_prefix(bytes).map_err(|_| Refused::Reference)?;
        let scope = <[U64]>::ref_from_bytes(scope).map_err(|_| Refused::Reference)?;
        principal(view, record, scope)?;
        name(view, at, record.name_off, record.name_len)
    })
}

fn principal(view: &View<'_>, record: &PrincipalRecord, scope: &[U64]) -> Result<(), Refused> {
    if PrincipalKind::from_byte(record.kind).is_none() {
        return Err(Refused::UnknownStatus);
    }
    let known = DISABLED | NO_IOT_ACCESS | SCOPE_ALL;
    if record.flags & !known != 0 || record.zero != [0; 3] || record.zeros != [0; 4] {
        return Err(Refused::Reserved);
    }
    if usize::from(record.grant.get()) >= view.grants.len() {
        return Err(Refused::Reference);
    }
    let bits_of_last = view.divisions.len() % 64;
    let past_the_table =
        bits_of_last != 0 && scope.last().is_some_and(|word| word.get() >> bits_of_last != 0);
    let both = record.flags & SCOPE_ALL != 0 && scope.iter().any(|word| word.get() != 0);
    if past_the_table || both {
        return Err(Refused::Scope);
    }

    Ok(())
}

fn tokens(view: &View<'_>) -> Result<(), Refused> {
    ascending(view.ids.iter().map(|id| id.get()))?;
    let principals = view.principal_count();
    for at in 0..view.ids.len() {
        let (principal, _, _) = view.row(at).ok_or(Refused::Reference)?;
        let owner = usize::try_from(principal & !TOKEN_DISABLED).map_err(|_| Refused::Reference)?;
        if owner >= principals {
            return Err(Refused::Reference);
        }
    }

    Ok(())
}

/// The directory must be the one that the ids give, and the window as wide as its fullest bucket.
fn directory(view: &View<'_>) -> Result<(), Refused> {
    let bits = view.header.dir_bits;
    let mut ids = view.ids.iter().peekable();
    let (mut rank, mut fullest, mut previous) = (0_usize, 0_usize, 0_usize);
    for (at, entry) in view.directory.iter().enumerate() {
        // The entry past the last bucket is the number of ids.
        let last = at + 1 == view.directory.len();
        while ids.next_if(|id| last || bucket(id.get(), bits) < at).is_some() {
            rank += 1;
        }
        if usize::try_from(entry.get()) != Ok(rank) {
            return Err(Refused::Directory);
        }
        fullest = fullest.max(rank - previous);
        previous = rank;
    }
    let width = fullest.next_multiple_of(4);
    if width > usize::from(MAX_WINDOW) || width != usize::from(view.header.window) {
        return Err(Refused::Directory);
    }

    Ok(())
}

fn resources(view: &View<'_>) -> Result<(), Refused> {
    ascending(view.resources.iter().map(|record| (record.kind, record.id)))?;
    for record in view.resources {
        if record.zero != 0 || record.zeros.get() != 0 {
            return Err(Refused::Reserved);
        }
        let division = record.division.get();
        if division != NO_DIVISION && usize::from(division) >= view.divisions.len() {
            return Err(Refused::Reference);
        }
    }

    Ok(())
}

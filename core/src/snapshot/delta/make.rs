//! The difference of two snapshots, for the control plane.
//!
//! It compares the files and not the policies: so the keys of grants are those that were compiled,
//! however they collided.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::read::{self, Entry, GrantPut, Keyed, PrincipalPut, ResourcePut, TokenPut};
use super::{Broken, Delta, FORMAT, Mark, NotApplied, Sink};
use crate::snapshot::{PrincipalRecord, Refused, TokenRow, Unsigned, View, chunk, unsigned};

/// Why there is no delta between two snapshots: publish the newer one whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotMade {
    /// One of them is not a snapshot.
    Bad(Refused),
    /// They differ in more than records: account, divisions, or how their records look.
    Unlike,
    /// A gateway would not get the newer one from it.
    Useless(NotApplied),
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(refused) => write!(f, "not a snapshot: {refused}"),
            Self::Unlike => f.write_str("divisions differ; publish the snapshot whole"),
            Self::Useless(why) => write!(f, "does not give the newer snapshot: {why}"),
        }
    }
}

impl core::error::Error for NotMade {}

/// Returns what leads from one snapshot to another; `chunk_log2` is that of the older one's
/// manifest.
///
/// It has been applied once: what comes of it is `new`.
///
/// # Errors
///
/// There is no such delta.
pub fn make(old: &[u8], new: &[u8], chunk_log2: u8) -> Result<Vec<u8>, NotMade> {
    let root = chunk::root_of(old, chunk_log2).ok_or(NotMade::Bad(Refused::Length))?;
    let old = unsigned(old).map_err(NotMade::Bad)?;
    let newer = unsigned(new).map_err(NotMade::Bad)?;
    let (from, to) = (old.view(), newer.view());
    if !alike(&from, &to) {
        return Err(NotMade::Unlike);
    }
    let mut delta = vec![FORMAT];
    delta.extend(root.0);
    delta.extend([from.header.scope_words, from.header.verifier_len]);
    delta.push(to.header.account_status);
    if from.ext == to.ext {
        delta.push(0);
    } else {
        delta.push(1);
        read::bytes(&mut delta, to.ext);
    }
    write(&mut delta, &compare(grants(&from), grants(&to)));
    let owners = compare(principals(&from), principals(&to));
    write(&mut delta, &owners);
    write(&mut delta, &tokens(&from, &to, &owners.0));
    write(&mut delta, &compare(resources(&from), resources(&to)));
    try_out(&delta, &old, new).map_err(NotMade::Useless)?;

    Ok(delta)
}

/// Whether records alone tell one from the other.
fn alike(from: &View<'_>, to: &View<'_>) -> bool {
    let (old, new) = (from.header, to.header);

    old.account == new.account
        && old.verifier_len == new.verifier_len
        && old.features_other == new.features_other
        && from.divisions().eq(to.divisions())
}

fn grants<'a>(view: &View<'a>) -> impl Iterator<Item = GrantPut> + use<'a> {
    view.grants
        .iter()
        .map(|record| GrantPut { key: record.key.get(), permissions: record.permissions.get() })
}

fn principals<'a>(view: &View<'a>) -> impl Iterator<Item = PrincipalPut<'a>> + use<'a> {
    let (all, grants) = (*view, view.grants);
    let principal = move |at: usize| {
        let bytes = all.principal_bytes(at)?;
        let principal = all.principal(at)?;
        let grant = grants.get(usize::from(principal.record.grant.get()))?;
        Some(PrincipalPut {
            key: principal.key(),
            id: principal.record.id,
            name: principal.name().as_bytes(),
            kind: principal.record.kind,
            flags: principal.record.flags,
            grant: grant.key.get(),
            end: principal.record.end.get(),
            scope: bytes.get(PrincipalRecord::LEN..)?,
        })
    };

    (0..view.principal_count()).filter_map(principal)
}

/// Tokens of owners that go need not be named.
fn tokens<'a>(from: &View<'a>, to: &View<'a>, owners_gone: &[u32]) -> Differences<TokenPut<'a>> {
    let all = |view: View<'a>| {
        view.tokens().filter_map(move |row| {
            let owner = view.principal(row.owner)?.key();
            let TokenRow { id, disabled, end, verifier, .. } = row;
            Some(TokenPut { id, owner, disabled, end: end.0, verifier })
        })
    };
    let (mut gone, come) = compare(all(*from), all(*to));
    let mut old = all(*from).peekable();
    gone.retain(|id| {
        while old.next_if(|token| token.id < *id).is_some() {}
        old.peek().is_none_or(|token| owners_gone.binary_search(&token.owner).is_err())
    });

    (gone, come)
}

fn resources<'a>(view: &View<'a>) -> impl Iterator<Item = ResourcePut> + use<'a> {
    view.resources.iter().map(|record| ResourcePut {
        key: (record.kind, record.id),
        division: record.division.get(),
    })
}

/// Keys of what is only in the older one; what is new or otherwise in the newer one.
type Differences<P> = (Vec<<P as Keyed>::Key>, Vec<P>);

fn compare<P: Keyed + PartialEq>(
    old: impl Iterator<Item = P>,
    new: impl Iterator<Item = P>,
) -> Differences<P> {
    let (mut gone, mut put) = (Vec::new(), Vec::new());
    let mut old = old.peekable();
    for record in new {
        while let Some(lost) = old.next_if(|lost| lost.key() < record.key()) {
            gone.push(lost.key());
        }
        if old.next_if(|held| held.key() == record.key()).as_ref() != Some(&record) {
            put.push(record);
        }
    }
    gone.extend(old.map(|lost| lost.key()));

    (gone, put)
}

fn write<'a, K: Entry<'a>, P: Entry<'a>>(to: &mut Vec<u8>, (gone, put): &(Vec<K>, Vec<P>)) {
    read::put_number(to, gone.len() as u64);
    gone.iter().for_each(|key| key.write(to));
    read::put_number(to, put.len() as u64);
    put.iter().for_each(|record| record.write(to));
}

/// Applies `delta` and compares what comes with `new`.
fn try_out(delta: &[u8], old: &Unsigned<&[u8]>, new: &[u8]) -> Result<(), NotApplied> {
    let delta = Delta::read(delta)?;
    let mut marks = vec![Mark::default(); delta.room()];
    let mut rest = Same(new);
    delta.on_unsigned(old, &mut marks)?.write(&mut rest)?;

    if rest.0.is_empty() { Ok(()) } else { Err(NotApplied::Broken) }
}

/// Takes only what is expected.
struct Same<'a>(&'a [u8]);

impl Sink for Same<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Broken)?;

        Ok(())
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.extend(bytes);

        Ok(())
    }
}

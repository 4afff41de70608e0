//! A delta that fits its base: every order and reference is checked, and the header is known before
//! the first byte is written.

use core::fmt;
use core::ops::Range;

use super::merge::{Merge, Principals, Step, Table as _};
use super::moves::{Mark, Marker, Moves};
use super::read::PrincipalPut;
use super::tokens::{Gone, Tokens};
use super::{Delta, NotApplied, Sink};
use crate::snapshot::layout::{Header, NO_DIVISION, Sections, dir_bits};
use crate::snapshot::{
    MAX_EXT, MAX_FILE, MAX_GRANTS, MAX_PRINCIPALS, MAX_RESOURCES, MAX_TOKENS, View,
};

mod write;

/// A delta and the base that it fits; made by [`Delta::on`].
pub struct Ready<'a> {
    view: View<'a>,
    delta: Delta<'a>,
    grants: Moves<'a>,
    principals: Moves<'a>,
    gone: Gone<'a>,
    header: Header,
}

/// How many records of each kind there will be.
struct Counts {
    grants: usize,
    principals: usize,
    tokens: usize,
    resources: usize,
    heap: usize,
    ext: usize,
}

impl<'a> Ready<'a> {
    pub(super) fn new(
        view: View<'a>,
        delta: Delta<'a>,
        marks: &'a mut [Mark],
    ) -> Result<Self, NotApplied> {
        let base = view.header;
        let shape = delta.shape;
        if (shape.scope_words, shape.verifier_len) != (base.scope_words, base.verifier_len) {
            return Err(NotApplied::OtherBase);
        }
        let (grants, moved, marks) = grants(&view, &delta, marks)?;
        let check = Checked { view, delta: &delta, grants: &moved };
        let (principals, heap, owners, marks) = check.principals(marks)?;
        let ext = delta.ext.map_or(view.ext.len(), <[u8]>::len);
        let resources = check.resources()?;
        let gone = Gone::list(&view, &owners, marks);
        let tokens = Tokens { view, changes: &delta.tokens, owners: &owners, gone };
        let (tokens, window) = tokens.survey(&Principals(view))?;
        let counts = Counts { grants, principals, tokens, resources, heap, ext };
        counts.are_small()?;
        let header = counts.header(&delta, base, window)?;

        Ok(Self { view, grants: moved, principals: owners, gone, header, delta })
    }

    /// Returns the length of the new file in bytes.
    #[must_use]
    pub const fn file_len(&self) -> u32 {
        self.header.file_len.get()
    }

    /// Writes the new file into `sink`, front to back. It is still to be checked as any other file
    /// is, with [`open`](crate::snapshot::open).
    ///
    /// # Errors
    ///
    /// The sink took no more: what it has so far is not a snapshot.
    pub fn write(&self, sink: &mut impl Sink) -> Result<(), NotApplied> {
        self.write_all(sink)
    }

    fn tokens(&self) -> Tokens<'a, '_> {
        let Self { view, gone, .. } = *self;

        Tokens { view, changes: &self.delta.tokens, owners: &self.principals, gone }
    }
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("delta", &self.delta).finish_non_exhaustive()
    }
}

type Marked<'a> = (usize, Moves<'a>, &'a mut [Mark]);
type Named<'a> = (usize, usize, Moves<'a>, &'a mut [Mark]);

/// Returns how many grants there will be, how they move, and the room that is left.
fn grants<'a>(
    view: &View<'a>,
    delta: &Delta<'a>,
    marks: &'a mut [Mark],
) -> Result<Marked<'a>, NotApplied> {
    let mut count = 0;
    let mut marker = Marker::new(marks);
    for step in Merge::new(view.grants, &delta.grants) {
        match step? {
            Step::Keep(run) => count += run.len(),
            Step::Drop(at) => marker.goes(view.grants.key(at).unwrap_or_default(), at)?,
            Step::Replace(_) => count += 1,
            Step::Insert(at, put) => {
                marker.comes(put.key, at)?;
                count += 1;
            }
        }
    }
    let (moved, rest) = marker.done();

    Ok((count, moved, rest))
}

/// What checks the records that refer to others.
struct Checked<'a, 'd> {
    view: View<'a>,
    delta: &'d Delta<'a>,
    grants: &'d Moves<'a>,
}

impl<'a> Checked<'a, '_> {
    /// Returns how many principals there will be, the length of all names, how they move, and the
    /// room that is left.
    fn principals(&self, marks: &'a mut [Mark]) -> Result<Named<'a>, NotApplied> {
        let table = Principals(self.view);
        let (mut count, mut names) = (0, table.name_start(0));
        let mut marker = Marker::new(marks);
        for step in Merge::new(table, &self.delta.principals) {
            let put = match step? {
                Step::Keep(run) => {
                    self.keep_their_grants(&run)?;
                    count += run.len();
                    names += table.names(&run).len();
                    continue;
                }
                Step::Drop(at) => {
                    marker.goes(table.key(at).unwrap_or_default(), at)?;
                    continue;
                }
                Step::Insert(at, put) => {
                    marker.comes(put.key, at)?;
                    put
                }
                Step::Replace(put) => put,
            };
            self.grant_of(&put)?;
            count += 1;
            names += put.name.len();
        }
        let (moved, rest) = marker.done();
        let (moved, rest) = moved.listed(table.len(), rest);

        Ok((count, names, moved, rest))
    }

    fn keep_their_grants(&self, run: &Range<usize>) -> Result<(), NotApplied> {
        if !self.grants.any_gone() {
            return Ok(());
        }
        let table = Principals(self.view);
        let stays = |at| {
            let record = table.record(at)?;
            self.grants.place(record.grant.get().into())
        };

        run.clone().try_for_each(|at| stays(at).map(drop).ok_or(NotApplied::Dangling))
    }

    fn grant_of(&self, put: &PrincipalPut<'_>) -> Result<u32, NotApplied> {
        self.grants.place_of(&self.view.grants, put.grant).ok_or(NotApplied::Dangling)
    }

    fn resources(&self) -> Result<usize, NotApplied> {
        let divisions = self.view.divisions.len();
        let mut count = 0;
        for step in Merge::new(self.view.resources, &self.delta.resources) {
            count += match step? {
                Step::Keep(run) => run.len(),
                Step::Drop(_) => 0,
                Step::Insert(_, put) | Step::Replace(put)
                    if put.division == NO_DIVISION || usize::from(put.division) < divisions =>
                {
                    1
                }
                Step::Insert(..) | Step::Replace(_) => return Err(NotApplied::Dangling),
            };
        }

        Ok(count)
    }
}

impl Counts {
    fn are_small(&self) -> Result<(), NotApplied> {
        let small = self.grants <= MAX_GRANTS
            && self.principals <= MAX_PRINCIPALS
            && self.tokens <= MAX_TOKENS
            && self.resources <= MAX_RESOURCES
            && self.heap <= MAX_FILE
            && self.ext <= MAX_EXT;

        small.then_some(()).ok_or(NotApplied::TooMany)
    }

    fn header(&self, delta: &Delta<'_>, base: &Header, window: u8) -> Result<Header, NotApplied> {
        let u32_of = |n: usize| u32::try_from(n).map_err(|_| NotApplied::TooMany);
        let grants = u16::try_from(self.grants).map_err(|_| NotApplied::TooMany)?;
        let mut header = Header {
            n_tokens: u32_of(self.tokens)?.into(),
            n_principals: u32_of(self.principals)?.into(),
            n_grants: grants.into(),
            heap_len: u32_of(self.heap)?.into(),
            dir_bits: dir_bits(self.tokens),
            window,
            n_resources: u32_of(self.resources)?.into(),
            ext_len: u32_of(self.ext)?.into(),
            account_status: delta.status,
            ..*base
        };
        let len = Sections::of(&header).ok_or(NotApplied::TooMany)?.file_len();
        if len > MAX_FILE {
            return Err(NotApplied::TooMany);
        }
        header.file_len = u32_of(len)?.into();

        Ok(header)
    }
}

//! The sections of the new file, in the order in which they stand.
//!
//! Where nothing moved, a run goes from the base to the sink whole.

use core::ops::Range;

use zerocopy::{FromBytes as _, IntoBytes as _};

use super::super::merge::{Merge, Principals, Step};
use super::super::out::Out;
use super::super::read::PrincipalPut;
use super::super::tokens::Next;
use super::super::{NotApplied, Sink};
use super::Ready;
use crate::snapshot::layout::{
    GrantRecord, PrincipalRecord, ResourceRecord, RowRecord, TOKEN_DISABLED,
};

type Written = Result<(), NotApplied>;

/// A place that planning has found cannot be lost, but a wrong byte is worse than none.
fn place(of: Option<u32>) -> Result<u32, NotApplied> {
    of.ok_or(NotApplied::Dangling)
}

impl Ready<'_> {
    pub(super) fn write_all(&self, sink: &mut impl Sink) -> Written {
        let out = &mut Out::new(sink);
        out.put(self.header.as_bytes())?;
        out.put(self.view.divisions.as_bytes())?;
        self.write_grants(out)?;
        self.write_principals(out)?;
        self.write_ids(out)?;
        self.write_rows(out)?;
        self.tokens().directory(self.header.dir_bits, |rank| Ok(out.put(&rank.to_le_bytes())?))?;
        self.write_resources(out)?;
        self.write_names(out)?;
        out.put(self.delta.ext.unwrap_or(self.view.ext))?;

        Ok(out.flush()?)
    }

    fn write_grants(&self, out: &mut Out<'_, impl Sink>) -> Written {
        let grants = self.view.grants;
        for step in Merge::new(grants, &self.delta.grants) {
            match step? {
                Step::Keep(run) => out.put(grants.get(run).unwrap_or_default().as_bytes())?,
                Step::Drop(_) => {}
                Step::Replace(put) | Step::Insert(_, put) => {
                    let (key, permissions) = (put.key.into(), put.permissions.into());
                    out.put(GrantRecord { permissions, key, zero: 0.into() }.as_bytes())?;
                }
            }
        }

        Ok(())
    }

    fn write_principals(&self, out: &mut Out<'_, impl Sink>) -> Written {
        let table = Principals(self.view);
        let mut name_off = table.name_start(0);
        for step in Merge::new(table, &self.delta.principals) {
            match step? {
                Step::Keep(run) => {
                    let names = table.names(&run).len();
                    self.keep_principals(out, run, name_off)?;
                    name_off += names;
                }
                Step::Drop(_) => {}
                Step::Replace(put) | Step::Insert(_, put) => {
                    self.put_principal(out, &put, name_off)?;
                    name_off += put.name.len();
                }
            }
        }

        Ok(())
    }

    /// Writes a run of the base whose names now begin at `name_off`.
    fn keep_principals(
        &self,
        out: &mut Out<'_, impl Sink>,
        run: Range<usize>,
        name_off: usize,
    ) -> Written {
        let table = Principals(self.view);
        let (stride, old_off) = (self.view.stride, table.name_start(run.start));
        if self.grants.is_still() && old_off == name_off {
            let whole = run.start * stride.get()..run.end * stride.get();
            return Ok(out.put(self.view.principals.get(whole).unwrap_or_default())?);
        }
        let kept = self.view.principals.get(run.start * stride.get()..run.end * stride.get());
        let moved = number(name_off)?.wrapping_sub(number(old_off)?);

        out.put_changed(kept.unwrap_or_default(), stride, |bytes| {
            let record = PrincipalRecord::mut_from_prefix(bytes);
            let (record, _) = record.map_err(|_| NotApplied::Dangling)?;
            record.name_off = record.name_off.get().wrapping_add(moved).into();
            record.grant = self.grant(self.grants.place(record.grant.get().into()))?.into();
            Ok(())
        })
    }

    fn put_principal(
        &self,
        out: &mut Out<'_, impl Sink>,
        put: &PrincipalPut<'_>,
        name_off: usize,
    ) -> Written {
        let grant = self.grant(self.grants.place_of(&self.view.grants, put.grant))?;
        let record = PrincipalRecord {
            key: put.key.into(),
            id: put.id,
            name_off: number(name_off)?.into(),
            grant: grant.into(),
            name_len: u8::try_from(put.name.len()).map_err(|_| NotApplied::Malformed)?,
            kind: put.kind,
            flags: put.flags,
            zero: [0; 3],
            end: put.end.into(),
            zeros: [0; 4],
        };
        out.put(record.as_bytes())?;

        Ok(out.put(put.scope)?)
    }

    fn grant(&self, at: Option<u32>) -> Result<u16, NotApplied> {
        u16::try_from(place(at)?).map_err(|_| NotApplied::TooMany)
    }

    fn write_ids(&self, out: &mut Out<'_, impl Sink>) -> Written {
        let ids = self.view.ids;
        self.tokens().each(|next| match next {
            Next::Keep(run) => Ok(out.put(ids.get(run).unwrap_or_default().as_bytes())?),
            Next::Put(put) => Ok(out.put(&put.id.to_le_bytes())?),
        })
    }

    fn write_rows(&self, out: &mut Out<'_, impl Sink>) -> Written {
        self.tokens().each(|next| {
            let put = match next {
                Next::Keep(run) => return self.keep_rows(out, &run),
                Next::Put(put) => put,
            };
            let owner = place(self.principals.place_of(&Principals(self.view), put.owner))?;
            let disabled = if put.disabled { TOKEN_DISABLED } else { 0 };
            let row = RowRecord { principal: (owner | disabled).into(), end: put.end.into() };
            out.put(row.as_bytes())?;
            Ok(out.put(put.verifier)?)
        })
    }

    fn keep_rows(&self, out: &mut Out<'_, impl Sink>, run: &Range<usize>) -> Written {
        let rows = self.view.rows(run);
        if self.principals.is_still() {
            return Ok(out.put(rows)?);
        }

        out.put_changed(rows, self.view.row_len, |row| {
            let owner = row.first_chunk_mut().ok_or(NotApplied::Dangling)?;
            let old = u32::from_le_bytes(*owner);
            let moved = place(self.principals.place(old & !TOKEN_DISABLED))?;
            *owner = (moved | old & TOKEN_DISABLED).to_le_bytes();
            Ok(())
        })
    }

    fn write_resources(&self, out: &mut Out<'_, impl Sink>) -> Written {
        let resources = self.view.resources;
        for step in Merge::new(resources, &self.delta.resources) {
            match step? {
                Step::Keep(run) => out.put(resources.get(run).unwrap_or_default().as_bytes())?,
                Step::Drop(_) => {}
                Step::Replace(put) | Step::Insert(_, put) => {
                    let ((kind, id), division) = (put.key, put.division.into());
                    let zeros = 0.into();
                    out.put(ResourceRecord { kind, zero: 0, division, zeros, id }.as_bytes())?;
                }
            }
        }

        Ok(())
    }

    fn write_names(&self, out: &mut Out<'_, impl Sink>) -> Written {
        let table = Principals(self.view);
        out.put(self.view.heap.get(..table.name_start(0)).unwrap_or_default())?;
        for step in Merge::new(table, &self.delta.principals) {
            match step? {
                Step::Keep(run) => out.put(table.names(&run))?,
                Step::Drop(_) => {}
                Step::Replace(put) | Step::Insert(_, put) => out.put(put.name)?,
            }
        }

        Ok(())
    }
}

fn number(n: usize) -> Result<u32, NotApplied> {
    u32::try_from(n).map_err(|_| NotApplied::TooMany)
}

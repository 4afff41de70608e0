//! Which rows and principals of one snapshot are revoked, one bit each.
//!
//! A revocation list is resolved once, when it or the snapshot is accepted; a decision then reads one
//! bit of the row and one of the principal that it reads anyway, the same work for every id (TRUST
//! section 3). The storage is the caller's.

use core::fmt;

use super::View;

/// The revoked rows and principals of one snapshot.
#[derive(Clone, Copy)]
pub struct Revocation<B> {
    rows: B,
    principals: B,
}

/// How many bytes a [`Revocation`] of one snapshot needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RevocationRoom {
    /// For the rows.
    pub rows: usize,
    /// For the principals.
    pub principals: usize,
}

/// The storage does not have the length that the snapshot needs; see [`View::revocation_room`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WrongRoom;

impl fmt::Display for WrongRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("storage for revocations has another length than the snapshot needs")
    }
}

impl core::error::Error for WrongRoom {}

impl<B: AsRef<[u8]>> Revocation<B> {
    /// Takes bits that were made for `view` before, as they are.
    ///
    /// # Errors
    ///
    /// They are not as many as [`View::revocation_room`] says.
    pub fn held(view: &View<'_>, rows: B, principals: B) -> Result<Self, WrongRoom> {
        let RevocationRoom { rows: row_room, principals: principal_room } = view.revocation_room();
        if rows.as_ref().len() != row_room || principals.as_ref().len() != principal_room {
            return Err(WrongRoom);
        }

        Ok(Self { rows, principals })
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Revocation<B> {
    /// Makes the bits of `view`, all clear, in storage of [`View::revocation_room`].
    ///
    /// # Errors
    ///
    /// The storage has another length.
    pub fn none(view: &View<'_>, rows: B, principals: B) -> Result<Self, WrongRoom> {
        let mut bits = Self::held(view, rows, principals)?;
        bits.rows.as_mut().fill(0);
        bits.principals.as_mut().fill(0);

        Ok(bits)
    }

    /// Revokes the token with this id, where `view` has it.
    pub fn revoke_token(&mut self, view: &View<'_>, id: u64) {
        let rank = view.rank(id);
        if view.ids.get(rank).is_some_and(|found| found.get() == id) {
            set(self.rows.as_mut(), rank);
        }
    }

    /// Revokes every token of the principal with this key, where `view` has it.
    pub fn revoke_principal(&mut self, view: &View<'_>, key: u32) {
        if let Some(place) = view.place_of(key) {
            set(self.principals.as_mut(), place);
        }
    }

    /// Returns the bits as a decision reads them.
    #[must_use]
    pub fn bits(&self) -> Revocation<&[u8]> {
        Revocation { rows: self.rows.as_ref(), principals: self.principals.as_ref() }
    }
}

impl Revocation<&[u8]> {
    /// Nothing is revoked, in any snapshot.
    pub(super) const NOTHING: Self = Self { rows: &[], principals: &[] };

    /// Returns whether the bits are as many as `view` needs.
    pub(super) fn fits(&self, view: &View<'_>) -> bool {
        let room = view.revocation_room();
        self.rows.len() == room.rows && self.principals.len() == room.principals
    }

    /// Returns 1 where the row at `rank` is revoked, else 0.
    pub(crate) fn row(&self, rank: usize) -> u64 {
        bit(self.rows, rank)
    }

    /// Returns 1 where the principal at `place` is revoked, else 0.
    pub(crate) fn principal(&self, place: usize) -> u64 {
        bit(self.principals, place)
    }
}

impl<B> fmt::Debug for Revocation<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revocation(..)")
    }
}

fn set(bits: &mut [u8], at: usize) {
    if let Some(byte) = bits.get_mut(at / 8) {
        *byte |= 1 << (at % 8);
    }
}

/// Which byte is read depends on `at` alone; where there are no bits at all, nothing is revoked.
fn bit(bits: &[u8], at: usize) -> u64 {
    bits.get(at / 8).map_or(0, |byte| u64::from(byte >> (at % 8) & 1))
}

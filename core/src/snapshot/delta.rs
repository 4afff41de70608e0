//! From the snapshot in force to a newer one by the records that changed.
//!
//! A delta names records by their keys and never says where they stand, so it is a few dozen bytes
//! where a whole file is megabytes. Applying it gives the file that compiling the new contents
//! gives, bit by bit: it is believed only because its root is the one that the manifest names.
//!
//! ```text
//!   bytes ──▶ Delta ──────▶ Ready ───────────▶ the new file, front to back, into a Sink
//!          read      on the base: every order
//!                    and reference is checked
//! ```
//!
//! Nothing is allocated. The only room needed beside the result is one [`Mark`] for each grant and
//! principal that comes or goes, and the caller brings it; with more, what is looked up for each
//! token is looked up once.

#[cfg(any(test, feature = "build"))]
mod make;
mod merge;
mod moves;
mod out;
mod read;
mod ready;
mod tokens;

#[cfg(any(test, feature = "build"))]
pub use make::{NotMade, make};
pub use moves::Mark;
pub use out::{Broken, Sink};
pub use ready::Ready;

use core::fmt;

#[cfg(any(test, feature = "build"))]
use super::Unsigned;
use super::{Verified, View};
use crate::trust::Root;
use read::{GrantPut, List, PrincipalPut, Reader, ResourceKey, ResourcePut, Shape, TokenPut};

/// The format of a delta, its first byte.
const FORMAT: u8 = 1;

/// A delta of good spelling. Whether it fits a snapshot is for [`Delta::on`] to say.
#[derive(Clone)]
pub struct Delta<'a> {
    base: Root,
    shape: Shape,
    status: u8,
    ext: Option<&'a [u8]>,
    grants: Changes<'a, u32, GrantPut>,
    principals: Changes<'a, u32, PrincipalPut<'a>>,
    tokens: Changes<'a, u64, TokenPut<'a>>,
    resources: Changes<'a, ResourceKey, ResourcePut>,
}

/// What happens to one table: keys of records that go, and records that come or replace others.
struct Changes<'a, K, P> {
    gone: List<'a, K>,
    put: List<'a, P>,
}

impl<K, P> Clone for Changes<'_, K, P> {
    fn clone(&self) -> Self {
        Self { gone: self.gone.clone(), put: self.put.clone() }
    }
}

impl<'a, K: read::Entry<'a>, P: read::Entry<'a>> Changes<'a, K, P> {
    fn read(from: &mut Reader<'a>, shape: Shape) -> Result<Self, NotApplied> {
        Ok(Self { gone: List::read(from, shape)?, put: List::read(from, shape)? })
    }
}

impl<'a> Delta<'a> {
    /// Reads `bytes`, of which nothing may be left over.
    ///
    /// # Errors
    ///
    /// They are not a delta in its one spelling, or a list is not in order.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NotApplied> {
        let mut from = Reader::new(bytes);
        let malformed = NotApplied::Malformed;
        if from.u8().ok_or(malformed)? != FORMAT {
            return Err(NotApplied::UnknownFormat);
        }
        let base = Root(from.array().ok_or(malformed)?);
        let shape = Shape::read(&mut from).ok_or(malformed)?;
        let status = from.u8().filter(|status| *status <= 1).ok_or(malformed)?;
        let ext = match from.u8() {
            Some(0) => None,
            Some(1) => Some(from.bytes().ok_or(malformed)?),
            Some(_) | None => return Err(malformed),
        };
        let delta = Self {
            base,
            shape,
            status,
            ext,
            grants: Changes::read(&mut from, shape)?,
            principals: Changes::read(&mut from, shape)?,
            tokens: Changes::read(&mut from, shape)?,
            resources: Changes::read(&mut from, shape)?,
        };

        if from.is_empty() { Ok(delta) } else { Err(malformed) }
    }

    /// Returns the root of the snapshot that it starts from.
    #[must_use]
    pub const fn base(&self) -> Root {
        self.base
    }

    /// Returns how many [`Mark`]s are surely enough; never more than a quarter of its bytes.
    #[must_use]
    pub const fn room(&self) -> usize {
        let grants = self.grants.gone.len() + self.grants.put.len();

        grants + self.principals_changed()
    }

    /// Returns how many [`Mark`]s make it fastest on this base: where principals come or go, four
    /// bytes more for each of the base and a bit for each token.
    #[must_use]
    pub fn room_on<B: AsRef<[u8]>>(&self, base: &Verified<B>) -> usize {
        self.ample(&base.view())
    }

    fn ample(&self, view: &View<'_>) -> usize {
        let places = moves::marks_for(view.principal_count());
        let tokens = moves::marks_for(tokens::words(view.token_count()));

        self.room() + if self.principals_changed() == 0 { 0 } else { places + tokens }
    }

    const fn principals_changed(&self) -> usize {
        self.principals.gone.len() + self.principals.put.len()
    }

    /// Checks everything that it says against the snapshot that it starts from.
    ///
    /// # Errors
    ///
    /// Returns why nothing can come of it; nothing has been written.
    pub fn on<'b, B: AsRef<[u8]>>(
        &self,
        base: &'b Verified<B>,
        marks: &'b mut [Mark],
    ) -> Result<Ready<'b>, NotApplied>
    where
        'a: 'b,
    {
        if self.base != base.manifest().root() {
            return Err(NotApplied::OtherBase);
        }

        Ready::new(base.view(), self.clone(), marks)
    }

    /// Like [`Delta::on`], for a base that nobody vouches for.
    #[cfg(any(test, feature = "build"))]
    fn on_unsigned<'b, B: AsRef<[u8]>>(
        &self,
        base: &'b Unsigned<B>,
        marks: &'b mut [Mark],
    ) -> Result<Ready<'b>, NotApplied>
    where
        'a: 'b,
    {
        Ready::new(base.view(), self.clone(), marks)
    }
}

impl fmt::Debug for Delta<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why nothing came of a delta; the snapshot in force stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotApplied {
    /// The sink took no more.
    Broken,
    /// A record refers to a grant, a principal or a division that would not be there.
    Dangling,
    /// The bytes are not a delta in its one spelling.
    Malformed,
    /// A record that is to go is not there.
    Missing,
    /// More grants and principals come and go than there are marks for.
    NoRoom,
    /// A list is not strictly ascending, or one record both goes and comes.
    Order,
    /// It starts from another snapshot.
    OtherBase,
    /// What would come of it is past a limit of the format.
    TooMany,
    /// It is in a format that this build does not read.
    UnknownFormat,
}

impl NotApplied {
    /// Returns the name in records and labels.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Broken => "bad_delta_broken",
            Self::Dangling => "bad_delta_dangling",
            Self::Malformed => "bad_delta_malformed",
            Self::Missing => "bad_delta_missing",
            Self::NoRoom => "bad_delta_no_room",
            Self::Order => "bad_delta_order",
            Self::OtherBase => "bad_delta_other_base",
            Self::TooMany => "bad_delta_too_many",
            Self::UnknownFormat => "bad_delta_unknown_format",
        }
    }
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the new snapshot could not be written; make room",
            Self::Dangling => "refers to a record that is not there; fetch the whole snapshot",
            Self::Malformed => "not a delta in its one spelling; fetch the whole snapshot",
            Self::Missing => "takes away what is not there; fetch the whole snapshot",
            Self::NoRoom => "changes too much for the memory at hand; fetch the whole snapshot",
            Self::Order => "a record stands twice or out of order; fetch the whole snapshot",
            Self::OtherBase => "starts from another snapshot; fetch the whole snapshot",
            Self::TooMany => "grows past a limit of the format; fetch the whole snapshot",
            Self::UnknownFormat => "not a delta that this build reads; fetch the whole snapshot",
        })
    }
}

impl core::error::Error for NotApplied {}

#[cfg(test)]
mod tests;
